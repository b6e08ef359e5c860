//! Laws over everything that can be written: arbitrary JSON, mangled documents, events of ours with any of
//! their fields.

use proptest::prelude::*;
use prost::Message as _;
use serde_json::{Map, Value};

use super::{
    CHAIN, Code, ExportOptions, ImportOptions, Origin, Strictness, export, exports_as_it_came, imported,
    kind_name,
};
use crate::{
    epcis::{fields, render},
    simulate::Random,
    wire::{
        form::Form,
        shape::{self, Presence, Shape},
        v1,
    },
};

/// Chooses which fields are there and what is in them.
struct Chooser(Random);

impl Chooser {
    const fn next(&mut self, below: u64) -> u64 {
        self.0.next_bits() % below
    }
}

/// A message with some of its fields, filled by their forms; `all` of them if wanted.
fn message(shape: &'static Shape, choose: &mut Chooser, all: bool) -> Map<String, Value> {
    let mut members = Map::new();
    if shape.name == "SerialRun" {
        let serial = choose.next(1_000);
        members.insert(
            "prefix".to_owned(),
            "https://id.gs1.org/01/09521231200010/21/".into(),
        );
        members.insert(
            "suffixes".to_owned(),
            Value::Array(vec![format!("S{serial}").into()]),
        );
        return members;
    }
    for field in shape.fields {
        if !all && !field.required && choose.next(3) == 0 {
            continue;
        }
        let one = |choose: &mut Chooser| match &field.kind {
            shape::Kind::Message(inner) => Value::Object(fields::prefixed(message(inner, choose, all))),
            shape::Kind::Bool => (choose.next(2) == 1).to_string().into(),
            shape::Kind::Bytes => "ab".repeat(32).into(),
            shape::Kind::Text => text(field.form, choose).into(),
            _ => (1_767_225_600_000_000_000 + choose.next(1_000_000))
                .to_string()
                .into(),
        };
        let value = if field.presence == Presence::Repeated {
            // A long list is one run here: runs that compression would merge are its own business.
            let count = if field.sliced { 1 } else { 1 + choose.next(2) };
            Value::Array((0..count).map(|_| one(choose)).collect())
        } else {
            one(choose)
        };
        members.insert(fields::camel(field.name), value);
    }
    members
}

fn text(form: Form, choose: &mut Chooser) -> String {
    let n = choose.next(10_000);
    match form {
        Form::Identifier => match choose.next(4) {
            0 => format!("https://id.gs1.org/01/09521231100013/10/L{n}"),
            1 => format!("https://id.gs1.org/01/09521231200010/21/S{n}"),
            2 => format!("urn:uuid:0b5e7a10-0000-4000-8000-00000000{n:04}"),
            _ => "https://id.gs1.org/00/095212300000000017".to_owned(),
        },
        Form::Decimal => crate::quantity::normal_decimal(rust_decimal::Decimal::new(
            i64::try_from(n).unwrap_or_default(),
            2,
        )),
        Form::Unit => ["KGM", "LTR", "KWH"][usize::try_from(n % 3).unwrap_or_default()].to_owned(),
        Form::Token => {
            ["short", "conformant", "accepted", "x"][usize::try_from(n % 4).unwrap_or_default()].to_owned()
        }
        Form::Country => "KR".to_owned(),
        Form::Currency => "USD".to_owned(),
        Form::EventId => format!("event-{n}"),
        Form::Path => "65.5.0.3".to_owned(),
        Form::Prefix => format!("p{n}"),
        _ => format!("text {n}"),
    }
}

fn event(name: &str, bits: u64, all: bool) -> v1::Event {
    let mut choose = Chooser(Random::from_seed(bits));
    let mut frame = Map::new();
    frame.insert("id".to_owned(), format!("urn:uuid:e-{bits}").into());
    frame.insert(
        "eventTime".to_owned(),
        (1_767_225_600_000_000_000 + choose.next(1_000_000_000_000))
            .to_string()
            .into(),
    );
    let offset = i64::try_from(choose.next(56)).unwrap_or_default() * 30 - 840;
    frame.insert("utcOffsetMinutes".to_owned(), offset.to_string().into());
    let shape = render::kind_shape(name).unwrap();
    frame.insert(
        name.to_owned(),
        Value::Object(fields::prefixed(message(shape, &mut choose, all))),
    );
    if all || choose.next(4) == 0 {
        let certification = message(&shape::CERTIFICATION, &mut choose, true);
        frame.insert(
            "certification".to_owned(),
            Value::Object(fields::prefixed(certification)),
        );
        let sealed = Value::Object(fields::prefixed(message(&shape::SEALED, &mut choose, true)));
        frame.insert("sealed".to_owned(), Value::Array(vec![sealed]));
    }
    let bytes = fields::from_json(&shape::EVENT, &frame).unwrap();
    shape::check(&shape::EVENT, &bytes, &mut |_| {}).unwrap();
    v1::Event::decode(bytes.as_slice()).unwrap()
}

fn kinds() -> Vec<String> {
    shape::EVENT
        .fields
        .iter()
        .filter(|field| field.presence == Presence::OneOf)
        .map(|field| fields::camel(field.name))
        .collect()
}

fn comes_back(event: &v1::Event) -> Result<(), TestCaseError> {
    let exported = export(std::slice::from_ref(event), &ExportOptions::default());
    if let Some(refused) = exported.not_exportable.first() {
        // A transformation of nothing, or a packing of nothing: EPCIS has a form for the kind, not for this.
        let why: Vec<Code> = refused.findings.iter().map(|finding| finding.code).collect();
        prop_assert_eq!(why, [Code::NothingObserved]);
        return Ok(());
    }
    let bytes = serde_json::to_vec(&exported.document).unwrap();
    let options = ImportOptions {
        strictness: Strictness::Lenient,
        origin: Origin::Own,
        whole_view: false,
        ..ImportOptions::default()
    };
    let import = imported(&bytes, &options);
    prop_assert!(
        import.refused.is_empty(),
        "{:?} {}",
        import.refused,
        exported.document
    );
    let mut back = import.events[0].event.clone();
    let carried = import.events[0].findings.clone();
    prop_assert_eq!(&back, event, "{:?} {:#}", carried, exported.document);
    // And with its view it is the same event.
    let whole = imported(
        &bytes,
        &ImportOptions {
            whole_view: true,
            ..options
        },
    );
    back = whole.events[0].event.clone();
    prop_assert!(back.epcis.is_some());
    back.epcis = None;
    prop_assert_eq!(&back, event);
    Ok(())
}

/// Kinds that EPCIS has no form for.
const NOT_EXPORTABLE: &[&str] = &[
    "partyEnrolled",
    "facilityRegistered",
    "keyAuthorised",
    "keyRotated",
    "keyRetired",
    "keyCompromised",
    "feedClosed",
    "rulePackAdopted",
    "listPublished",
    "listWithdrawn",
    "waiverGranted",
    "waiverRevoked",
    "approvalGranted",
    "approvalRevoked",
    "parametersChanged",
    "logKeyAdded",
    "logKeyRetired",
    "authorityChanged",
    "actApproved",
    "ownershipDeclared",
    "boardDeclared",
    "licencesDeclared",
    "successionDeclared",
    "productDeclared",
    "delegationGranted",
    "delegationRevoked",
    "certified",
    "shipmentLapsed",
    "recallAcknowledged",
    "recallCompleted",
    "corrected",
    "voided",
];

#[test]
fn every_kind_comes_back_with_all_its_fields_or_is_listed() {
    let mut not_exportable = Vec::new();
    for name in kinds() {
        if NOT_EXPORTABLE.contains(&name.as_str()) {
            let shape = render::kind_shape(&name).unwrap();
            let mut frame = Map::new();
            frame.insert("id".to_owned(), "e".into());
            frame.insert(name.clone(), Value::Object(Map::new()));
            let bytes = fields::from_json(&shape::EVENT, &frame).unwrap();
            let event = v1::Event::decode(bytes.as_slice()).unwrap();
            let exported = export(&[event], &ExportOptions::default());
            assert_eq!(exported.not_exportable[0].kind, name, "{}", shape.name);
            not_exportable.push(name);
            continue;
        }
        let event = event(&name, 7, true);
        assert_eq!(kind_name(&event), name);
        if let Err(error) = comes_back(&event) {
            panic!("{name}: {error}");
        }
    }
    assert_eq!(not_exportable, NOT_EXPORTABLE);
}

fn json() -> impl Strategy<Value = Value> {
    let word = prop_oneof![
        Just("ObjectEvent"),
        Just("TransformationEvent"),
        Just("AssociationEvent"),
        Just("ADD"),
        Just("DELETE"),
        Just("commissioning"),
        Just("holding"),
        Just("2026-01-01T00:00:00Z"),
        Just("+09:00"),
        Just("urn:x:1"),
        Just("https://id.gs1.org/01/09521231200010/21/A"),
        Just("urn:epc:class:lgtin:952123.0110001.A"),
        Just("split"),
    ];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "-?[0-9]{1,30}(\\.[0-9]{1,30})?(e-?[0-9]{1,20})?"
            .prop_map(|text| text.parse().map_or(Value::Null, Value::Number)),
        ".{0,12}".prop_map(Value::String),
        word.prop_map(|word| Value::String(word.to_owned())),
    ];
    let key = prop_oneof![
        2 => prop::sample::select(vec![
            "type", "eventTime", "eventTimeZoneOffset", "eventID", "action", "bizStep", "disposition", "epcList",
            "quantityList", "epcClass", "quantity", "uom", "readPoint", "id", "bizLocation", "inputEPCList",
            "outputQuantityList", "inputQuantityList", "parentID", "childEPCs", "ilmd", "@context",
            "persistentDisposition", "set", "sourceList", "source", "bizTransactionList", "errorDeclaration",
            "sensorElementList", "epcisBody", "eventList", "certificationInfo", "recordTime",
            "https://example.org/battery-ledger/operation", "https://example.org/battery-ledger/kind",
            "https://example.org/battery-ledger/losses", "https://example.org/battery-ledger/loss",
        ]).prop_map(str::to_owned),
        1 => "_?[a-z]{1,3}(:[a-z]{0,3})?",
    ];
    leaf.prop_recursive(4, 60, 8, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::Array),
            prop::collection::vec((key.clone(), inner), 0..8)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

/// Everything that holds of any import of any JSON.
fn holds(document: &Value) {
    let bytes = serde_json::to_vec(document).unwrap();
    for strictness in [Strictness::Lenient, Strictness::Strict] {
        for origin in [Origin::Own, Origin::Reported { claimed_party: None }] {
            let options = ImportOptions {
                strictness,
                origin,
                ..ImportOptions::default()
            };
            if crate::epcis::import(&bytes, &options).is_ok() {
                let import = imported(&bytes, &options);
                exports_as_it_came(&bytes, &import, &ExportOptions::default());
            }
        }
    }
}

proptest! {
    #[test]
    fn any_event_of_ours_comes_back(bits in any::<u64>(), at in 0_usize..64) {
        let exportable: Vec<String> =
            kinds().into_iter().filter(|name| !NOT_EXPORTABLE.contains(&name.as_str())).collect();
        comes_back(&event(&exportable[at % exportable.len()], bits, false))?;
    }

    #[test]
    fn arbitrary_json_never_panics(document in json()) {
        holds(&document);
    }

    #[test]
    fn a_member_of_the_chain_replaced_by_anything_never_panics(
        position in 0_usize..21,
        member in 0_usize..16,
        value in json(),
    ) {
        let mut document: Value = serde_json::from_slice(CHAIN).unwrap();
        let list = document.pointer_mut("/epcisBody/eventList").and_then(Value::as_array_mut).unwrap();
        list.swap(0, position);
        list.truncate(1);
        let event = &mut list[0];
        let members = event.as_object_mut().unwrap();
        let key = members.keys().nth(member % members.len()).cloned().unwrap();
        members.insert(key, value);
        holds(&document);
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = crate::epcis::import(&bytes, &ImportOptions::default());
    }
}
