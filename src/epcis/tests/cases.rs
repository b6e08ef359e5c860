//! Histories that came out wrong once, read from `tests/cases/epcis`.

use super::{
    Code, ExportOptions, ImportOptions, Origin, Strictness, exports_as_it_came, import, imported, kind_name,
};
use crate::{
    epcis::{EpcisError, Finding, ImportedEvent},
    wire::v1::event::Kind,
};

macro_rules! case {
    ($name:literal) => {
        include_bytes!(concat!("../../../tests/cases/epcis/", $name, ".epcis.jsonld")).as_slice()
    };
}

const STRICT: Strictness = Strictness::Strict;

/// All events of a document, which come out again as they came.
fn read(bytes: &[u8]) -> Vec<ImportedEvent> {
    let import = imported(bytes, &ImportOptions::default());
    assert_eq!(import.refused, []);
    exports_as_it_came(bytes, &import, &ExportOptions::default());
    import.events
}

fn kinds(events: &[ImportedEvent]) -> Vec<String> {
    events.iter().map(|event| kind_name(&event.event)).collect()
}

#[test]
fn a_run_told_in_several_events_has_its_id_in_each() {
    for (bytes, runs) in [
        (case!("03-transformation-id"), vec![true, true, true]),
        (case!("03v-3-run"), vec![true, true, false]),
    ] {
        let events = read(bytes);
        let mut found = Vec::new();
        for event in &events {
            if let Some(Kind::Transformed(made)) = &event.event.kind {
                assert!(
                    made.run.is_empty() || made.run.ends_with("00000000aaaa"),
                    "{made:?}"
                );
                found.push(!made.run.is_empty());
                // Ours comes out as it went in, without the document's own words.
                let ours = crate::wire::v1::Event {
                    epcis: None,
                    ..event.event.clone()
                };
                let exported = crate::epcis::export(std::slice::from_ref(&ours), &ExportOptions::default());
                assert_eq!(exported.not_exportable, []);
                let text = exported.document.to_string();
                assert_eq!(text.contains("transformationID"), !made.run.is_empty(), "{text}");
                let options = ImportOptions {
                    whole_view: false,
                    ..ImportOptions::default()
                };
                assert_eq!(imported(text.as_bytes(), &options).events[0].event, ours);
            }
        }
        assert_eq!(found, runs);
    }
    let [_, inputs, outputs, _] = read(case!("03-transformation-id")).try_into().unwrap();
    let (Some(Kind::Transformed(inputs)), Some(Kind::Transformed(outputs))) =
        (inputs.event.kind, outputs.event.kind)
    else {
        panic!()
    };
    assert_eq!((inputs.inputs.len(), inputs.outputs.len()), (1, 0));
    assert_eq!((outputs.inputs.len(), outputs.outputs.len()), (0, 1));
}

#[test]
fn a_shipping_that_is_taken_back_names_its_shipment() {
    let events = read(case!("16-void-shipping"));
    let expected = [
        "commissioned",
        "shipped",
        "shipmentWithdrawn",
        "shipped",
        "shipped",
    ];
    assert_eq!(kinds(&events), expected);
    let shipment = |at: usize| match &events[at].event.kind {
        Some(Kind::Shipped(shipped)) => shipped.shipment.clone(),
        Some(Kind::ShipmentWithdrawn(withdrawn)) => withdrawn.shipment.clone(),
        other => panic!("{other:?}"),
    };
    assert_eq!(shipment(2), "https://id.gs1.org/253/9521239200019D16A");
    assert_eq!(shipment(1), shipment(2));
    assert!(shipment(3).ends_with("D16B") && shipment(4).ends_with("D16C"));
}

#[test]
fn a_shipping_happens_at_its_read_point() {
    let events = read(case!("30b-shipping-with-bizlocation"));
    assert_eq!(kinds(&events), ["commissioned", "shipped", "shipped"]);
    for (event, to) in events[1..].iter().zip(["9521239030017", "9529999999992"]) {
        let Some(Kind::Shipped(shipped)) = &event.event.kind else {
            panic!()
        };
        assert_eq!(shipped.from_facility, "https://id.gs1.org/414/9521239020018");
        assert_eq!(shipped.to_facility, format!("https://id.gs1.org/414/{to}"));
    }
}

#[test]
fn what_is_odd_about_a_document_is_named_with_what_was_expected() {
    type Named = &'static [(&'static str, Code)];
    let rows: [(&[u8], Named); 9] = [
        (case!("21-creationDate-bad"), &[("/creationDate", Code::BadTime)]),
        (
            case!("21-no-creationDate"),
            &[("/creationDate", Code::MissingMember)],
        ),
        (case!("21-id-blank"), &[("/id", Code::NotUri)]),
        (
            case!("21-isA"),
            &[("/type", Code::MissingMember), ("/isA", Code::UnknownMember)],
        ),
        (case!("21-no-context"), &[("/@context", Code::MissingMember)]),
        (
            case!("21-schemaVersion-1.2"),
            &[("/schemaVersion", Code::SchemaVersion)],
        ),
        (
            case!("21-schemaVersion-number"),
            &[("/schemaVersion", Code::SchemaVersion)],
        ),
        (
            case!("21-sender-object"),
            &[("/sender", Code::WrongType), ("/receiver", Code::WrongType)],
        ),
        (
            case!("21-unprefixed-member"),
            &[("/conformance", Code::UnknownMember)],
        ),
    ];
    for (bytes, expected) in rows {
        let is_named = |findings: &[Finding]| {
            let found: Vec<_> = findings
                .iter()
                .map(|found| (found.path.as_str(), found.code))
                .collect();
            assert_eq!(found, expected);
            for finding in findings {
                assert!(finding.detail.starts_with("expected "), "{finding}");
            }
        };
        // The events are what they say they are, whatever stands around them.
        let lenient = imported(bytes, &ImportOptions::default());
        is_named(&lenient.findings);
        assert_eq!(lenient.events.len(), 1);
        let options = ImportOptions {
            strictness: STRICT,
            ..ImportOptions::default()
        };
        let Err(EpcisError::Document(findings)) = import(bytes, &options) else {
            panic!("strict import takes {expected:?}")
        };
        is_named(&findings);
    }
}

#[test]
fn events_of_another_document_name_its_sender() {
    let reported = ImportOptions {
        origin: Origin::Reported { claimed_party: None },
        ..ImportOptions::default()
    };
    let import = imported(case!("min-claim"), &reported);
    let claim = import.events[0].event.reported.clone().unwrap();
    assert_eq!(claim.claimed_party, "https://id.gs1.org/417/9521234000006");
    // A sender who cannot be named is said to be nobody.
    let text = String::from_utf8(case!("min-claim").to_vec()).unwrap();
    let text = text.replace("https://id.gs1.org/417/9521234000006", "Maker 7");
    let import = imported(text.as_bytes(), &reported);
    let is_named =
        |finding: &Finding| (finding.code, finding.path.as_str()) == (Code::IdentifierCarried, "/sender");
    assert!(import.findings.iter().any(is_named), "{:?}", import.findings);
    assert_eq!(import.events[0].event.reported.clone().unwrap().claimed_party, "");
}

#[test]
fn an_event_without_an_id_is_the_same_however_its_document_is_written() {
    for bytes in [case!("min-dupA"), case!("min-dupT")] {
        let [first] = read(bytes).try_into().unwrap();
        assert!(first.event.id.starts_with("ni:///sha-256;"), "{}", first.event.id);
        let document: serde_json::Value = serde_json::from_slice(bytes).unwrap();
        let pretty = serde_json::to_string_pretty(&document).unwrap();
        let rows = [
            ("", "", true),
            (r#""2.0""#, r#""2.0.1""#, true),
            ("2026-01-01T00:00:00Z", "2026-01-09T00:00:00Z", true),
            (r#""quantity": 100"#, r#""quantity": 100.0"#, true),
            (
                "commissioning",
                "https://ref.gs1.org/cbv/BizStep-commissioning",
                true,
            ),
            ("https://id.gs1.org/", "https://maker.example/", true),
            (r#""quantity": 100"#, r#""quantity": 101"#, false),
            ("T08:00:00Z", "T08:00:01Z", false),
        ];
        for (from, to, same) in rows {
            let text = if from.is_empty() {
                pretty.clone()
            } else {
                pretty.replace(from, to)
            };
            let again = imported(text.as_bytes(), &ImportOptions::default())
                .events
                .remove(0);
            assert_eq!(again.event.id == first.event.id, same, "{from} as {to}");
            let said =
                |event: &ImportedEvent| crate::epcis::said(&prost::Message::encode_to_vec(&event.event));
            assert_eq!(said(&again) == said(&first), same, "{from} as {to}");
        }
    }
}

#[test]
fn a_recall_that_nobody_named_is_named_by_its_event_also_without_an_id() {
    let document =
        br#"{"type": "ObjectEvent", "eventTime": "2026-02-02T08:00:00Z", "eventTimeZoneOffset": "+00:00",
        "action": "OBSERVE", "bizStep": "holding", "persistentDisposition": {"set": ["recalled"]},
        "quantityList": [{"epcClass": "https://id.gs1.org/01/09521231100013/10/A"}]}"#;
    let [recalled] = read(document).try_into().unwrap();
    let Some(Kind::Recalled(kind)) = recalled.event.kind else {
        panic!("{recalled:?}")
    };
    assert_eq!(kind.recall, recalled.event.id);
}
