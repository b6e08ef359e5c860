//! Every departure has its name, and what is mended stays mended.

use super::*;
use crate::epcis::finding::Weight;

#[test]
fn offsets_are_as_the_schema_has_them() {
    for (text, minutes) in [
        ("+09:00", Some(540)),
        ("-05:30", Some(-330)),
        ("+00:00", Some(0)),
        ("-14:00", Some(-840)),
        ("+14:30", None),
        ("Z", None),
        ("+9:00", None),
        ("09:00", None),
        ("+09:60", None),
    ] {
        assert_eq!(offset_minutes(text), minutes, "{text}");
    }
}

fn object_event() -> Map<String, Value> {
    let event = serde_json::json!({
        "type": "ObjectEvent", "eventTime": "2026-01-01T00:00:00Z", "eventTimeZoneOffset": "+00:00",
        "action": "ADD", "bizStep": "commissioning",
        "quantityList": [{"epcClass": "https://id.gs1.org/01/09521231100013/10/A", "quantity": 1, "uom": "KGM"}]
    });
    event.as_object().cloned().unwrap_or_default()
}

/// Member, value to put there, and what is found.
#[test]
fn every_departure_has_its_name() {
    let rows: &[(&str, Value, Code)] = &[
        ("_comment", serde_json::json!("x"), Code::UnderscoreDropped),
        (
            "bizStep",
            serde_json::json!("urn:epcglobal:cbv:bizstep:shipping"),
            Code::UrnWord,
        ),
        ("bizStep", serde_json::json!("transforming"), Code::UnknownWord),
        (
            "quantityList",
            serde_json::json!([{"epcClass": "urn:x:y", "quantity": "12.5"}]),
            Code::NumericString,
        ),
        (
            "quantityList",
            serde_json::json!([{"epcClass": "urn:x:y", "quantity": -1}]),
            Code::BadQuantity,
        ),
        (
            "quantityList",
            serde_json::json!([{"epcClass": "urn:x:y", "quantity": "twenty"}]),
            Code::WrongType,
        ),
        (
            "quantityList",
            serde_json::json!([{"epcClass": "urn:x:y", "uom": "kgm"}]),
            Code::BadUnit,
        ),
        (
            "quantityList",
            serde_json::json!([{"epcClass": "urn:x:y", "uom": "EA"}]),
            Code::PieceUnit,
        ),
        (
            "quantityList",
            serde_json::json!([{"epcClass": "urn:x:y", "uom": "ZZZ"}]),
            Code::UnfamiliarUnit,
        ),
        (
            "quantityList",
            serde_json::json!([{"epcClass": "https://id.gs1.org/01/09521231100013"}]),
            Code::ClassWithoutLot,
        ),
        (
            "quantityList",
            serde_json::json!([{"epcClass": "https://id.gs1.org/01/09521231100012/10/A"}]),
            Code::CheckDigit,
        ),
        (
            "epcList",
            serde_json::json!(["urn:epc:class:lgtin:952123.0110001.A"]),
            Code::ClassMoved,
        ),
        (
            "epcList",
            serde_json::json!(["urn:x:y", "URN:x:y"]),
            Code::InstanceTwice,
        ),
        ("epcList", serde_json::json!(["lot 7"]), Code::NotUri),
        (
            "epcList",
            serde_json::json!(["urn:epc:id:sscc:952.1"]),
            Code::BadIdentifier,
        ),
        ("epcList", serde_json::json!("urn:x:y"), Code::WrongType),
        ("eventTime", serde_json::json!("yesterday"), Code::BadTime),
        (
            "eventTime",
            serde_json::json!("2026-01-01T00:00:00"),
            Code::BadTime,
        ),
        (
            "eventTime",
            serde_json::json!("1969-01-01T00:00:00Z"),
            Code::TimeOutOfRange,
        ),
        ("eventTimeZoneOffset", serde_json::json!("CET"), Code::BadOffset),
        ("action", serde_json::json!("CREATE"), Code::UnknownAction),
        ("type", serde_json::json!("NoEvent"), Code::UnknownType),
        ("colour", serde_json::json!("blue"), Code::UnknownMember),
        ("inputEPCList", serde_json::json!([]), Code::MisplacedMember),
        ("ilmd", serde_json::json!({"colour": "blue"}), Code::UnknownMember),
        ("readPoint", serde_json::json!({}), Code::MissingMember),
        (
            "persistentDisposition",
            serde_json::json!({}),
            Code::MissingMember,
        ),
        (
            "sourceList",
            serde_json::json!([{"source": "urn:x:y"}]),
            Code::MissingMember,
        ),
        ("quantityList", serde_json::json!([]), Code::NothingObserved),
    ];
    for (member, value, code) in rows {
        let mut event = object_event();
        event.insert((*member).to_owned(), value.clone());
        let mut findings = Findings::about(0);
        check(&mut event, &Context::default(), &mut findings);
        let worst = findings.worst();
        let found: Vec<Code> = findings.into_list().iter().map(|finding| finding.code).collect();
        assert!(found.contains(code), "{member} {value}: {found:?}");
        assert_eq!(worst, Some(code.weight()), "{member} {value}: {found:?}");
    }
    let mut findings = Findings::about(0);
    check(&mut object_event(), &Context::default(), &mut findings);
    assert_eq!(findings.into_list(), []);
}

#[test]
fn a_mended_event_has_nothing_left_to_mend() {
    let mut event = object_event();
    event.insert("_note".to_owned(), Value::Null);
    event.insert(
        "epcList".to_owned(),
        serde_json::json!(["urn:epc:class:lgtin:952123.0110001.A"]),
    );
    event.insert(
        "disposition".to_owned(),
        serde_json::json!("urn:epcglobal:cbv:disp:active"),
    );
    let mut first = Findings::about(0);
    check(&mut event, &Context::default(), &mut first);
    assert_eq!(first.worst(), Some(Weight::Repair));
    let mut second = Findings::about(0);
    check(&mut event, &Context::default(), &mut second);
    assert_eq!(second.into_list(), []);
}
