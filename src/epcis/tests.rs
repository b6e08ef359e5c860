//! Both ways together: our own example chain, other people's documents, and the laws.

use std::path::PathBuf;

use prost::Message as _;
use serde_json::{Value, json};

use super::{
    Code, EpcFormat, ExportOptions, Import, ImportOptions, Origin, Strictness, Weight, export, import,
    normal_form,
};
use crate::wire::{
    shape,
    v1::{self, event::Kind},
};

mod cases;
mod corpus;
mod laws;
mod movement;

const CHAIN: &[u8] = include_bytes!("../../examples/battery-lot-chain.epcis.jsonld");

/// Imports, and holds the import to what it promises of every document.
fn imported(bytes: &[u8], options: &ImportOptions) -> Import {
    let document: Value = serde_json::from_slice(bytes).unwrap();
    let import = import(bytes, options).unwrap();
    let count = normal_form(&document).as_array().map_or(0, Vec::len);
    let mut positions: Vec<usize> = import.events.iter().map(|event| event.position).collect();
    positions.extend(import.refused.iter().map(|refused| refused.position));
    positions.sort_unstable();
    assert_eq!(positions, (0..count).collect::<Vec<_>>(), "count in, count out");
    let tolerated = match options.strictness {
        Strictness::Strict => Weight::Note,
        Strictness::Lenient => Weight::Repair,
    };
    for refused in &import.refused {
        assert!(
            refused
                .findings
                .iter()
                .any(|finding| finding.code.weight() > tolerated),
            "refused without a reason: {refused:?}"
        );
    }
    for event in &import.events {
        assert!(
            event
                .findings
                .iter()
                .all(|finding| finding.code.weight() <= tolerated)
        );
        shape::check(&shape::EVENT, &event.event.encode_to_vec(), &mut |_| {}).unwrap();
    }
    import
}

/// `export(import(x))` in normal form equals that of `x`, event by event, for all that were not refused and
/// not mended.
fn exports_as_it_came(bytes: &[u8], import: &Import, options: &ExportOptions) {
    let document: Value = serde_json::from_slice(bytes).unwrap();
    let before = normal_form(&document);
    let events: Vec<v1::Event> = import.events.iter().map(|event| event.event.clone()).collect();
    let export = export(&events, options);
    assert_eq!(export.not_exportable, []);
    let after = normal_form(&export.document);
    assert_eq!(after.as_array().map(Vec::len), Some(events.len()));
    for (event, after) in import.events.iter().zip(after.as_array().unwrap()) {
        let mended = event
            .findings
            .iter()
            .any(|finding| finding.code.weight() == Weight::Repair);
        if !mended {
            assert_eq!(
                before.get(event.position),
                Some(after),
                "event {}",
                event.position
            );
        }
    }
}

fn kind_name(event: &v1::Event) -> String {
    let (name, _) = super::render::kind_json(event.kind.as_ref().unwrap()).unwrap();
    name
}

#[test]
fn our_chain_imports_whole_and_exports_as_it_came() {
    for strictness in [Strictness::Strict, Strictness::Lenient] {
        for whole_view in [true, false] {
            for epc_format in [EpcFormat::DigitalLink, EpcFormat::AsSent] {
                let options = ImportOptions {
                    strictness,
                    whole_view,
                    ..ImportOptions::default()
                };
                let import = imported(CHAIN, &options);
                assert_eq!(import.refused, []);
                assert_eq!(import.events.len(), 21);
                exports_as_it_came(
                    CHAIN,
                    &import,
                    &ExportOptions {
                        epc_format,
                        ..ExportOptions::default()
                    },
                );
            }
        }
    }
}

#[test]
fn our_chain_reads_as_the_events_that_it_tells() {
    let import = imported(CHAIN, &ImportOptions::default());
    let kinds: Vec<String> = import
        .events
        .iter()
        .map(|event| kind_name(&event.event))
        .collect();
    assert_eq!(
        kinds,
        [
            "commissioned",
            "shipped",
            "received",
            "custodyTransferred",
            "split",
            "transformed",
            "inspected",
            "inspected",
            "commissioned",
            "assembled",
            "aggregated",
            "shipped",
            "shipmentWithdrawn",
            "disaggregated",
            "recalled",
            "inspected",
            "inspected",
            "observed",
            "disassembled",
            "recycled",
            "scrapped",
        ]
    );
    let kind = |at: usize| import.events[at].event.kind.clone().unwrap();
    let kilograms = |value: &str| {
        Some(v1::Quantity {
            value: value.to_owned(),
            unit: "KGM".to_owned(),
        })
    };
    let Kind::Commissioned(origin) = kind(0) else {
        panic!()
    };
    assert_eq!(origin.facility, "https://id.gs1.org/414/9521230010016");
    assert_eq!(origin.country_of_origin, "KR");
    assert_eq!(origin.items[0].quantity, kilograms("1200"));
    let Kind::Shipped(shipped) = kind(1) else { panic!() };
    assert_eq!(shipped.from_facility, "https://id.gs1.org/414/9521230010016");
    assert_eq!(shipped.to_facility, "https://id.gs1.org/414/9521230020015");
    assert_eq!(shipped.consignee, "https://id.gs1.org/417/9521230200103");
    assert_eq!(shipped.shipment, "https://id.gs1.org/253/9521230100106DA0001");
    let Kind::Received(received) = kind(2) else {
        panic!()
    };
    assert_eq!(received.items[0].quantity, kilograms("797.5"));
    assert_eq!(received.condition, "mismatch_quantity");
    let Kind::Split(split) = kind(4) else { panic!() };
    assert_eq!(split.quantity, kilograms("797.5"));
    assert_eq!(split.into.len(), 2);
    let Kind::Transformed(made) = kind(5) else {
        panic!()
    };
    assert_eq!(made.losses[0].quantity, kilograms("21.5"));
    assert_eq!(made.run, "urn:uuid:0b5e7a10-0000-4000-8001-000000000002");
    let Kind::Inspected(sampled) = kind(7) else {
        panic!()
    };
    assert_eq!(sampled.destructive, Some(true));
    let Kind::Shipped(wrong) = kind(11) else { panic!() };
    assert_eq!(wrong.units, ["https://id.gs1.org/00/095212300000000017"]);
    let Kind::Recalled(recalled) = kind(14) else {
        panic!()
    };
    assert_eq!(recalled.recall, "urn:uuid:0b5e7a10-0000-4000-8000-000000000015");
    assert_eq!(recalled.reason, "https://ledger.example.com/recalls/R17");
    let declared = import.events[15].error_declaration.clone().unwrap();
    assert_eq!(declared.reason, "incorrect_data");
    assert_eq!(
        declared.corrective_ids,
        ["urn:uuid:0b5e7a10-0000-4000-8000-000000000016"]
    );
    assert!(
        import.events[15]
            .findings
            .iter()
            .any(|finding| finding.code == Code::ErrorDeclared)
    );
    assert_eq!(import.events[15].event.id, import.events[7].event.id);
}

/// Who publishes which event of the chain, and whom and what to enrol for that.
#[test]
fn the_parties_of_our_chain_operate_where_they_report() {
    let parties: Value =
        serde_json::from_str(include_str!("../../examples/battery-lot-chain.parties.json")).unwrap();
    let text = |value: &Value, key: &str| value[key].as_str().unwrap().to_owned();
    let list = |key: &str| parties[key].as_array().unwrap().clone();
    let enrolled: Vec<String> = list("parties").iter().map(|party| text(party, "party")).collect();
    for party in list("parties") {
        assert_eq!(party["fixture"], json!(true));
        assert!(crate::identifier::is_normal(&text(&party, "party")));
    }
    for facility in list("facilities") {
        assert!(crate::identifier::is_normal(&text(&facility, "facility")));
        assert!(enrolled.contains(&text(&facility, "operator")));
        assert_eq!(text(&facility, "country").len(), 2);
    }
    let import = imported(CHAIN, &ImportOptions::default());
    let publishers = list("events");
    assert_eq!(publishers.len(), import.events.len());
    for (event, publisher) in import.events.iter().zip(&publishers) {
        assert_eq!(publisher["position"], json!(event.position));
        let place = &event.event.epcis.as_ref().unwrap().read_point;
        let facility = list("facilities")
            .into_iter()
            .find(|facility| text(facility, "facility") == *place)
            .unwrap();
        assert_eq!(
            text(&facility, "operator"),
            text(publisher, "party"),
            "event {}",
            event.position
        );
    }
}

#[test]
fn what_no_field_holds_is_carried_and_named() {
    let import = imported(CHAIN, &ImportOptions::default());
    let tested = &import.events[6];
    let residue: Value = serde_json::from_str(&tested.event.epcis.as_ref().unwrap().residue).unwrap();
    assert_eq!(
        residue
            .pointer("/sensorElementList/0/sensorReport/0/meanValue")
            .map(Value::to_string),
        Some("23.4".to_owned())
    );
    assert_eq!(
        residue.get("certificationInfo"),
        Some(&json!("https://certs.example.com/un38.3/C-2609"))
    );
    let carried: Vec<&str> = tested
        .findings
        .iter()
        .filter(|finding| finding.code == Code::Carried)
        .map(|finding| finding.path.as_str())
        .collect();
    assert_eq!(carried, ["/certificationInfo", "/sensorElementList"]);
    // Prefixes travel with the members that use them.
    let origin: Value =
        serde_json::from_str(&import.events[0].event.epcis.as_ref().unwrap().residue).unwrap();
    assert_eq!(origin.pointer("/@context/0/bl"), Some(&json!(super::NAMESPACE)));
    assert!(origin.pointer("/ilmd/bl:material").is_some());
}

#[test]
fn a_reported_event_says_whose_document_it_was() {
    let document = json!({
        "@context": ["https://ref.gs1.org/standards/epcis/epcis-context.jsonld"],
        "type": "EPCISDocument", "schemaVersion": "2.0", "creationDate": "2026-01-01T00:00:00Z",
        "sender": "urn:epc:id:pgln:9521230.10010",
        "epcisBody": {"eventList": [
            {"type": "ObjectEvent", "eventTime": "2026-01-01T00:00:00Z", "eventTimeZoneOffset": "-05:00",
             "action": "ADD", "bizStep": "commissioning", "epcList": ["urn:epc:id:sgtin:9521231.100001.P0001"],
             "bl:certification": {"bl:scope": ["all"], "bl:underPenaltyOfPerjury": "true"}},
            {"type": "ObjectEvent", "eventTime": "2026-01-01T00:00:00Z", "eventTimeZoneOffset": "-05:00",
             "eventID": "urn:uuid:0b5e7a10-0000-4000-8000-000000000001",
             "action": "OBSERVE", "epcList": ["urn:epc:id:sgtin:9521231.100001.P0001"]}]}
    });
    let mut bytes = serde_json::to_vec(&document).unwrap();
    let reported = ImportOptions {
        origin: Origin::Reported { claimed_party: None },
        ..ImportOptions::default()
    };
    let import = imported(&bytes, &reported);
    for (position, event) in import.events.iter().enumerate() {
        let claim = event.event.reported.clone().unwrap();
        assert_eq!(claim.claimed_party, "https://id.gs1.org/417/9521230100106");
        assert_eq!(claim.document, crate::id::Hash::of(&[&bytes]).as_bytes());
        assert_eq!(usize::try_from(claim.position), Ok(position));
        assert_eq!(claim.original_id, event.original_id.clone().unwrap_or_default());
        // Nobody certifies what somebody else's document says.
        assert_eq!(event.event.certification, None);
    }
    let derived = import.events[0].event.id.clone();
    assert!(derived.starts_with("urn:lotproof:epcis:"));
    assert_eq!(
        import.events[1].event.id,
        "urn:uuid:0b5e7a10-0000-4000-8000-000000000001"
    );
    assert_eq!(import.events[0].event.utc_offset_minutes, -300);
    exports_as_it_came(&bytes, &import, &ExportOptions::default());
    // The derived id depends on what the event says and who is said to have said it, and on nothing else.
    assert_eq!(imported(&bytes, &reported).events, import.events);
    bytes.push(b'\n');
    let id = |bytes: &[u8], options: &ImportOptions| imported(bytes, options).events[0].event.id.clone();
    assert_eq!(id(&bytes, &reported), derived);
    let own = id(&bytes, &ImportOptions::default());
    assert!(own.starts_with("ni:///sha-256;"), "{own}");
    let replaced = |from: &str, to: &str| {
        String::from_utf8(bytes.clone())
            .unwrap()
            .replace(from, to)
            .into_bytes()
    };
    assert_ne!(
        id(&replaced("9521230.10010", "9521230.10011"), &reported),
        derived
    );
    assert_ne!(id(&replaced("P0001", "P0002"), &reported), derived);
}

#[test]
fn a_document_cannot_bring_in_an_act_of_the_authority() {
    let document = json!([{
        "@context": {"bl": super::NAMESPACE},
        "type": "ObjectEvent", "eventTime": "2026-01-01T00:00:00Z", "eventTimeZoneOffset": "+00:00",
        "action": "OBSERVE", "epcList": [], "bl:kind": "partyEnrolled",
        "bl:party": "https://id.gs1.org/417/9521230100106", "bl:legalName": "Nobody"
    }]);
    let bytes = serde_json::to_vec(&document).unwrap();
    let import = imported(&bytes, &ImportOptions::default());
    assert_eq!(kind_name(&import.events[0].event), "observed");
    assert!(
        import.events[0]
            .findings
            .iter()
            .any(|finding| finding.code == Code::ExtensionUnusable)
    );
    exports_as_it_came(&bytes, &import, &ExportOptions::default());
}

#[test]
fn an_extension_that_contradicts_the_event_is_not_taken() {
    let document = json!([{
        "@context": {"bl": super::NAMESPACE},
        "type": "ObjectEvent", "eventTime": "2026-01-01T00:00:00Z", "eventTimeZoneOffset": "+00:00",
        "action": "ADD", "bizStep": "commissioning",
        "quantityList": [{"epcClass": "https://id.gs1.org/01/09521231100013/10/A", "quantity": 5, "uom": "KGM"}],
        "bl:operator": "https://id.gs1.org/417/9521230100106",
        "bl:items": [{"bl:lot": "https://id.gs1.org/01/09521231100013/10/A",
                      "bl:quantity": {"bl:value": "500", "bl:unit": "KGM"}}]
    }]);
    let bytes = serde_json::to_vec(&document).unwrap();
    let import = imported(&bytes, &ImportOptions::default());
    let Some(Kind::Commissioned(commissioned)) = &import.events[0].event.kind else {
        panic!()
    };
    assert_eq!(commissioned.items[0].quantity.as_ref().unwrap().value, "5");
    assert!(
        import.events[0]
            .findings
            .iter()
            .any(|finding| finding.code == Code::ExtensionUnusable)
    );
    exports_as_it_came(&bytes, &import, &ExportOptions::default());
    // What adds to the event, and takes nothing back, is taken.
    let text = serde_json::to_string(&document)
        .unwrap()
        .replace("\"500\"", "\"5\"");
    let import = imported(text.as_bytes(), &ImportOptions::default());
    let Some(Kind::Commissioned(commissioned)) = &import.events[0].event.kind else {
        panic!()
    };
    assert_eq!(commissioned.operator, "https://id.gs1.org/417/9521230100106");
}

#[test]
fn fifty_thousand_serials_there_and_back() {
    let serials: Vec<String> = (0..50_000)
        .map(|n| format!("urn:epc:id:sgtin:952123.0120001.C2609-{n:05}"))
        .collect();
    let document = json!({
        "@context": ["https://ref.gs1.org/standards/epcis/epcis-context.jsonld"],
        "type": "EPCISDocument", "schemaVersion": "2.0", "creationDate": "2026-01-01T00:00:00Z",
        "epcisBody": {"eventList": [{
            "type": "ObjectEvent", "eventID": "urn:uuid:1", "eventTime": "2026-01-01T00:00:00Z",
            "eventTimeZoneOffset": "+00:00", "action": "ADD", "bizStep": "commissioning", "epcList": serials,
            "ilmd": {"cbvmda:lotNumber": "C-2609"}}]}
    });
    let bytes = serde_json::to_vec(&document).unwrap();
    let import = imported(
        &bytes,
        &ImportOptions {
            strictness: Strictness::Strict,
            ..ImportOptions::default()
        },
    );
    let event = import.events[0].event.clone();
    let Some(Kind::Commissioned(commissioned)) = &event.kind else {
        panic!()
    };
    assert_eq!(
        commissioned.class_lot,
        "https://id.gs1.org/01/09521231200010/10/C-2609"
    );
    assert_eq!(super::serials::expand(&commissioned.serials).count(), 50_000);
    let parts = crate::event::parts::split_into_parts(event.clone(), 60_000).unwrap();
    assert!((2..=6).contains(&parts.len()), "{} parts", parts.len());
    let joined = crate::event::parts::join_parts(&parts).unwrap();
    assert_eq!(joined, event);
    let as_sent = export(
        &[joined],
        &ExportOptions {
            epc_format: EpcFormat::AsSent,
            ..ExportOptions::default()
        },
    );
    assert_eq!(normal_form(&as_sent.document), normal_form(&document));
    assert_eq!(
        as_sent.document.pointer("/epcisBody/eventList/0/epcList/49999"),
        document.pointer("/epcisBody/eventList/0/epcList/49999")
    );
}

#[test]
fn a_residue_that_is_too_long_refuses_its_event_by_name() {
    let event = |text: &str| {
        json!({"type": "ObjectEvent", "eventTime": "2026-01-01T00:00:00Z", "eventTimeZoneOffset": "+00:00",
               "action": "OBSERVE", "epcList": ["urn:x:1"], "ex:note": text})
    };
    let document = json!([event("short"), event(&"long".repeat(9_000))]);
    let import = imported(&serde_json::to_vec(&document).unwrap(), &ImportOptions::default());
    assert_eq!(import.events.len(), 1);
    let reason = import.refused[0].findings.last().unwrap();
    assert_eq!(
        (reason.code, reason.path.as_str()),
        (Code::ResidueTooLong, "/ex:note")
    );
}

#[test]
fn limits_are_kept() {
    let options = ImportOptions {
        document_len_max: 10,
        events_max: 1,
        ..ImportOptions::default()
    };
    assert!(import(&[b' '; 11], &options).is_err());
    assert!(import(b"[1,2]", &options).is_err());
    assert!(import(b"[1]", &options).is_ok());
    assert!(import(b"{}", &options).is_err());
    assert!(import(b"\xff", &options).is_err());
    assert!(import("[".repeat(100_000).as_bytes(), &ImportOptions::default()).is_err());
}

/// `LOTPROOF_DATA`, or the shared data beside the workspace.
fn data() -> Option<PathBuf> {
    let folder = std::env::var_os("LOTPROOF_DATA").map_or_else(
        || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/data"),
        PathBuf::from,
    );
    folder.is_dir().then_some(folder)
}
