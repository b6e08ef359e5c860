//! What an event says, apart from the document that said it: how a publisher knows that it has an event already.
//!
//! A partner sends his events again, in a longer document, with other white space, prefixes or order of lists. So
//! events that came as EPCIS are compared by their normal form, and by who is said to have written it: two senders
//! are never one. Document and position, the spelling of identifiers and `errorDeclaration`, which says something
//! *about* the event, are no part of what it says. For events that did not come as EPCIS this is their content.
//!
//! This digest is a publisher's own: it is in no event, in no statement, and in no entry of the log.

use prost::Message as _;
use serde_json::Value;

use super::export;
use crate::{event, id::Hash, wire::v1};

/// Domain tag of the digests of what events say.
const SAID_TAG: &[u8] = b"lotproof/v1/event-said\0";

/// Field numbers of `reported` and `epcis` in `Event`.
const OF_A_DOCUMENT: [u64; 2] = [4, 7];

/// Digest of what an encoded event, or part of one, says. What is no event has the digest of its bytes.
pub fn said(bytes: &[u8]) -> Hash {
    if !of_a_document(bytes) {
        return event::content(bytes);
    }
    let Ok(mut event) = v1::Event::decode(bytes) else {
        return event::content(bytes);
    };
    let claimed = event.reported.take().map(|reported| reported.claimed_party);
    let part = event.part.take().unwrap_or_default();
    let what = match export::normal_event(&event) {
        Some(mut normal) => {
            normal.shift_remove("errorDeclaration");
            let mut text = String::new();
            put_canonical(&mut text, &Value::Object(normal));
            text.into_bytes()
        }
        // EPCIS has no form for it, so nothing of it is spelled in two ways.
        None => event.encode_to_vec(),
    };
    let who = match &claimed {
        None => "own\0".to_owned(),
        Some(party) => format!("reported\0{party}\0"),
    };
    let which = [part.number.to_be_bytes(), part.count.to_be_bytes()].concat();
    Hash::of(&[SAID_TAG, who.as_bytes(), &which, &what])
}

/// Whether an event came out of a document, by its fields alone. Fields ascend.
fn of_a_document(mut bytes: &[u8]) -> bool {
    while !bytes.is_empty() {
        let (Ok(tag), Ok(number)) = (
            prost::encoding::decode_varint(&mut bytes),
            prost::encoding::decode_varint(&mut bytes),
        ) else {
            return false;
        };
        if OF_A_DOCUMENT.contains(&(tag >> 3)) {
            return true;
        }
        if tag.is_multiple_of(8) {
            continue;
        }
        let rest = usize::try_from(number)
            .ok()
            .and_then(|len| bytes.split_at_checked(len));
        let Some((_, rest)) = rest else {
            return false;
        };
        bytes = rest;
    }
    false
}

/// JSON with the members of each object in order of their names.
fn put_canonical(text: &mut String, value: &Value) {
    match value {
        Value::Object(members) => {
            let mut members: Vec<_> = members.iter().collect();
            members.sort_by_key(|(name, _)| *name);
            text.push('{');
            for (name, value) in members {
                text.push_str(&Value::String(name.clone()).to_string());
                text.push(':');
                put_canonical(text, value);
                text.push(',');
            }
            text.push('}');
        }
        Value::Array(values) => {
            text.push('[');
            for value in values {
                put_canonical(text, value);
                text.push(',');
            }
            text.push(']');
        }
        value => text.push_str(&value.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::epcis::{ImportOptions, Origin, import};

    const A: &str = "https://id.gs1.org/417/9521230200103";
    const B: &str = "https://id.gs1.org/417/9521230300106";

    /// What the first event of a document says, as its sender's or (without one) as the importer's own.
    fn digest(document: &str, sender: Option<&str>) -> Hash {
        let mut options = ImportOptions::default();
        if let Some(sender) = sender {
            let claimed_party = Some(sender.to_owned());
            options.origin = Origin::Reported { claimed_party };
        }
        let mut import = import(document.as_bytes(), &options).unwrap();
        assert_eq!(import.refused, []);
        said(&import.events.pop().unwrap().event.encode_to_vec())
    }

    #[test]
    fn an_event_is_the_same_in_any_document_and_any_spelling() {
        let event = r#"{"type": "ObjectEvent", "eventID": "urn:x:1", "eventTime": "2026-02-02T08:00:00Z",
            "eventTimeZoneOffset": "+00:00", "action": "OBSERVE", "bizStep": "shipping", "ex:note": {"a": 1, "b": 2.0},
            "epcList": ["urn:epc:id:sgtin:952123.0120001.B", "urn:epc:id:sgtin:952123.0120001.A"],
            "readPoint": {"id": "https://id.gs1.org/414/9521230010016"},
            "quantityList": [{"epcClass": "urn:epc:class:lgtin:952123.0110001.B", "quantity": 5, "uom": "KGM"}]}"#;
        let context = r#""@context": {"ex": "https://ex.example/", "ey": "https://ex.example/"}"#;
        let document = |before: &str, event: &str| {
            format!(
                r#"{{{context}, "type": "EPCISDocument", "schemaVersion": "2.0", "creationDate": "2026-02-02T08:00:00Z",
                    "epcisBody": {{"eventList": [{before}{event}]}}}}"#
            )
        };
        let first = document("", event);
        // Differing members of the next rows: what is replaced, by what, and whether it is the same event then.
        let rows = [
            ("\n", " ", true),
            (
                "urn:epc:id:sgtin:952123.0120001.B",
                "https://id.gs1.org/01/09521231200010/21/B",
                true,
            ),
            (
                r#"["urn:epc:id:sgtin:952123.0120001.B", "urn:epc:id:sgtin:952123.0120001.A"]"#,
                r#"["urn:epc:id:sgtin:952123.0120001.A", "urn:epc:id:sgtin:952123.0120001.B"]"#,
                true,
            ),
            ("2026-02-02T08:00:00Z", "2026-02-02T17:00:00.000+09:00", true),
            (r#""quantity": 5"#, r#""quantity": 5.00"#, true),
            (r#"{"a": 1, "b": 2.0}"#, r#"{"b": 2, "a": 1.0}"#, true),
            ("ex:note", "ey:note", true),
            (
                r#""bizStep": "shipping""#,
                r#""bizStep": "cbv:BizStep-shipping", "recordTime": "2026-02-03T08:00:00Z""#,
                true,
            ),
            (
                r#""action""#,
                r#""errorDeclaration": {"declarationTime": "2026-02-03T08:00:00Z"}, "action""#,
                true,
            ),
            (r#""quantity": 5"#, r#""quantity": 6"#, false),
            (r#"{"a": 1, "b": 2.0}"#, r#"{"a": 1, "b": 3}"#, false),
            ("urn:x:1", "urn:x:2", false),
            ("shipping", "receiving", false),
            ("+00:00", "+01:00", false),
            ("9521230010016", "9521230020015", false),
            ("0120001.A\"", "0120001.C\"", false),
        ];
        let another = event.replace("urn:x:1", "urn:x:0");
        for sender in [None, Some(A), Some("")] {
            let one = digest(&first, sender);
            for (from, to, same) in rows {
                assert!(event.contains(from), "{from}");
                let changed = document(&format!("{another},"), &event.replace(from, to));
                assert_eq!(digest(&changed, sender) == one, same, "{from} as {to}");
            }
        }
        // Who is said to have written it is part of it.
        let senders = [None, Some(A), Some(B), Some("")].map(|sender| digest(&first, sender));
        for (at, one) in senders.iter().enumerate() {
            assert!(!senders[..at].contains(one));
        }
    }

    #[test]
    fn an_event_that_came_in_no_document_is_its_content() {
        let event = v1::Event {
            id: "E1".to_owned(),
            event_time: 1,
            ..v1::Event::default()
        };
        let bytes = event.encode_to_vec();
        assert_eq!(said(&bytes), event::content(&bytes));
        assert_eq!(said(b"\xff\xff"), event::content(b"\xff\xff"));
    }

    #[test]
    fn a_long_event_is_cut_alike_wherever_it_stands() {
        let serials: Vec<String> = (0..9_000).map(|n| format!("urn:x:{}", n * 7_919)).collect();
        let event = json!({"type": "ObjectEvent", "eventID": "urn:x:long", "eventTime": "2026-02-02T08:00:00Z",
            "eventTimeZoneOffset": "+00:00", "action": "ADD", "bizStep": "commissioning", "epcList": serials});
        let parts = |position: usize| {
            let mut all = vec![json!({"type": "ObjectEvent"}); position];
            all.push(event.clone());
            let claimed_party = Some(A.to_owned());
            let options = ImportOptions {
                origin: Origin::Reported { claimed_party },
                ..ImportOptions::default()
            };
            let mut import = import(&serde_json::to_vec(&all).unwrap(), &options).unwrap();
            let event = import.events.remove(0).event;
            let parts = event::parts::split_into_parts(event, 20_000).unwrap();
            assert!(parts.len() > 2);
            parts
                .iter()
                .map(|part| said(&part.encode_to_vec()))
                .collect::<Vec<_>>()
        };
        assert_eq!(parts(0), parts(200));
    }
}
