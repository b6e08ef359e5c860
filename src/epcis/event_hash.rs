//! The event hash of CBV 2.0: a name for an event that nobody gave one.
//!
//! ```text
//! eventType=ObjectEventeventTime=2026-02-02T08:00:00.000ZeventTimeZoneOffset=+00:00epcListepc=https://...
//!    fields in a fixed order, no separators; lists sorted by what their elements say; words as web URIs
//! ni:///sha-256;{hex of the SHA-256 of that}?ver=CBV2.0
//! ```
//!
//! The hash is weak by design: texts can be shifted from one member to the next. So it names an event and proves
//! nothing; two events that differ and have one hash are a conflict of ids, and the second is refused.
//!
//! Left out are `eventID`, `recordTime`, `errorDeclaration` and comments. Spec: CBV 2.0 section 8.9; where its text
//! and the vectors of its reference implementation (RalphTro/epcis-event-hash-generator) differ, the vectors.

use serde_json::{Map, Value};

use super::{context::Context, normal, vocabulary::Family};
use crate::id::Hash;

/// What the members of an event and of the objects in it are, in the order in which they are hashed.
#[derive(Clone, Copy)]
enum Say {
    /// `name=value`, or `name=value` for each of a list.
    Text,
    Time,
    /// An identifier, which normal form leaves as it came.
    Identifier,
    /// A word of the GS1 Web vocabulary.
    Voc,
    /// A list of identifiers, each as `epc=`.
    Things,
    /// A list of quantities.
    Quantities,
    Word(Family),
    /// The name, and then the members of the object.
    Members(&'static [(&'static str, Say)]),
    /// The name, and then for each element of the list the members, after a name if there is one.
    List(&'static str, &'static [(&'static str, Say)]),
}

const PLACE: &[(&str, Say)] = &[("id", Say::Text)];

const PERSISTENT: &[(&str, Say)] = &[
    ("set", Say::Word(Family::Disposition)),
    ("unset", Say::Word(Family::Disposition)),
];

const QUANTITY: &[(&str, Say)] = &[
    ("epcClass", Say::Text),
    ("quantity", Say::Text),
    ("uom", Say::Text),
];

const SENSOR_METADATA: &[(&str, Say)] = &[
    ("time", Say::Time),
    ("startTime", Say::Time),
    ("endTime", Say::Time),
    ("deviceID", Say::Identifier),
    ("deviceMetadata", Say::Identifier),
    ("rawData", Say::Identifier),
    ("dataProcessingMethod", Say::Identifier),
    ("bizRules", Say::Identifier),
];

const SENSOR_REPORT: &[(&str, Say)] = &[
    ("type", Say::Voc),
    ("exception", Say::Voc),
    ("deviceID", Say::Identifier),
    ("deviceMetadata", Say::Identifier),
    ("rawData", Say::Identifier),
    ("dataProcessingMethod", Say::Identifier),
    ("time", Say::Time),
    ("microorganism", Say::Text),
    ("chemicalSubstance", Say::Text),
    ("value", Say::Text),
    ("component", Say::Text),
    ("stringValue", Say::Text),
    ("booleanValue", Say::Text),
    ("hexBinaryValue", Say::Text),
    ("uriValue", Say::Text),
    ("minValue", Say::Text),
    ("maxValue", Say::Text),
    ("meanValue", Say::Text),
    ("sDev", Say::Text),
    ("percRank", Say::Text),
    ("percValue", Say::Text),
    ("uom", Say::Text),
    ("coordinateReferenceSystem", Say::Text),
];

const SENSOR: &[(&str, Say)] = &[
    ("sensorMetadata", Say::Members(SENSOR_METADATA)),
    ("sensorReport", Say::List("sensorReport", SENSOR_REPORT)),
];

const EVENT: &[(&str, Say)] = &[
    ("type", Say::Text),
    ("eventTime", Say::Time),
    ("eventTimeZoneOffset", Say::Text),
    ("certificationInfo", Say::Text),
    ("parentID", Say::Text),
    ("epcList", Say::Things),
    ("inputEPCList", Say::Things),
    ("childEPCs", Say::Things),
    ("quantityList", Say::Quantities),
    ("childQuantityList", Say::Quantities),
    ("inputQuantityList", Say::Quantities),
    ("outputEPCList", Say::Things),
    ("outputQuantityList", Say::Quantities),
    ("action", Say::Text),
    ("transformationID", Say::Text),
    ("bizStep", Say::Word(Family::BizStep)),
    ("disposition", Say::Word(Family::Disposition)),
    ("persistentDisposition", Say::Members(PERSISTENT)),
    ("readPoint", Say::Members(PLACE)),
    ("bizLocation", Say::Members(PLACE)),
    ("sensorElementList", Say::List("sensorElement", SENSOR)),
];

const BIZ_TRANSACTION: &[(&str, Say)] = &[
    ("type", Say::Word(Family::BizTransaction)),
    ("bizTransaction", Say::Text),
];

const SOURCE: &[(&str, Say)] = &[
    ("type", Say::Word(Family::SourceDestination)),
    ("source", Say::Text),
];

const DESTINATION: &[(&str, Say)] = &[
    ("type", Say::Word(Family::SourceDestination)),
    ("destination", Say::Text),
];

/// What follows in the order of what it says, the extensions among it.
const LAST: &[(&str, Say)] = &[
    ("bizTransactionList", Say::List("", BIZ_TRANSACTION)),
    ("destinationList", Say::List("", DESTINATION)),
    ("ilmd", Say::Members(&[])),
    ("sourceList", Say::List("", SOURCE)),
];

/// Members that the hash leaves out.
const LEFT_OUT: &[&str] = &[
    "eventID",
    "recordTime",
    "errorDeclaration",
    "@context",
    "http://www.w3.org/2000/01/rdf-schema#comment",
    "rdfs:comment",
];

/// The hash as an id, of a normal event.
pub(super) fn event_hash(event: &Map<String, Value>) -> String {
    let hash = Hash::of(&[pre_hash(event).as_bytes()]);
    format!("ni:///sha-256;{}?ver=CBV2.0", hex::encode(hash.as_bytes()))
}

/// What is hashed.
fn pre_hash(event: &Map<String, Value>) -> String {
    let mut text = String::new();
    for (name, say) in EVENT {
        if let Some(value) = event.get(*name) {
            let name = if *name == "type" { "eventType" } else { name };
            text.push_str(&said(name, *say, value));
        }
    }
    let mut last: Vec<String> = Vec::new();
    for (name, value) in event {
        if LEFT_OUT.contains(&name.as_str()) || EVENT.iter().any(|(known, _)| known == name) {
            continue;
        }
        last.push(match LAST.iter().find(|(known, _)| known == name) {
            Some((_, say)) => said(name, *say, value),
            None => extension(name, value),
        });
    }
    last.sort();
    text.extend(last);
    text
}

/// One member with its name.
fn said(name: &str, say: Say, value: &Value) -> String {
    let list = match value {
        Value::Array(values) => values.as_slice(),
        value => std::slice::from_ref(value),
    };
    match say {
        Say::Text => each(list, |value| format!("{name}={}", plain(value))),
        Say::Identifier => each(list, |value| {
            let text = normal::normal_identifier(&plain(value), &Context::default());
            format!("{name}={text}")
        }),
        Say::Voc => each(list, |value| format!("{name}={}", vocabulary_uri(&plain(value)))),
        Say::Time => each(list, |value| format!("{name}={}", milliseconds(value))),
        Say::Word(family) => each(list, |value| {
            let word = value.as_str().unwrap_or_default();
            format!("{name}={}", family.as_uri(word))
        }),
        Say::Things => format!("{name}{}", each(list, |value| format!("epc={}", plain(value)))),
        Say::Quantities => said(name, Say::List("quantityElement", QUANTITY), value),
        Say::Members(known) => format!("{name}{}", members(known, value)),
        Say::List(element, known) if element == name => {
            each(list, |value| format!("{element}{}", members(known, value)))
        }
        Say::List(element, known) => {
            let elements = each(list, |value| format!("{element}{}", members(known, value)));
            format!("{name}{elements}")
        }
    }
}

/// The elements of a list, sorted by what they say.
fn each(list: &[Value], one: impl Fn(&Value) -> String) -> String {
    let mut all: Vec<String> = list.iter().map(one).collect();
    all.sort();
    all.concat()
}

/// Members of an object: those that are known in their order, then the extensions.
fn members(known: &[(&str, Say)], value: &Value) -> String {
    let Value::Object(members) = value else {
        return plain(value);
    };
    let mut text = String::new();
    for (name, say) in known {
        if let Some(value) = members.get(*name) {
            text.push_str(&said(name, *say, value));
        }
    }
    let others = members
        .iter()
        .filter(|(name, _)| !known.iter().any(|(known, _)| known == name));
    let mut others: Vec<String> = others
        .filter(|(name, _)| !LEFT_OUT.contains(&name.as_str()))
        .map(|(name, value)| extension(name, value))
        .collect();
    others.sort();
    text.extend(others);
    text
}

/// An extension: `{namespace}name=value`.
fn extension(name: &str, value: &Value) -> String {
    let split = name.rfind(['/', '#', ':']).map(|at| name.split_at(at + 1));
    let name = match split {
        Some((namespace, local)) if !local.is_empty() => format!("{{{namespace}}}{local}"),
        _ => name.to_owned(),
    };
    match value {
        Value::Array(values) => each(values, |value| extension_of(&name, value)),
        value => extension_of(&name, value),
    }
}

fn extension_of(name: &str, value: &Value) -> String {
    match value {
        Value::Object(_) => format!("{name}{}", members(&[], value)),
        Value::Array(values) => each(values, |value| extension_of(name, value)),
        value => format!("{name}={}", plain(value)),
    }
}

/// A word of the GS1 Web vocabulary as the URI that it is.
fn vocabulary_uri(text: &str) -> String {
    let word = text.strip_prefix("gs1:").unwrap_or(text);
    if word.contains(':') {
        word.to_owned()
    } else {
        format!("https://gs1.org/voc/{word}")
    }
}

/// A value as text: numbers in their shortest form.
fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Bool(value) => value.to_string(),
        Value::Number(number) => normal::shortest(number).to_string(),
        Value::Null => String::new(),
        Value::Array(_) | Value::Object(_) => members(&[], value),
    }
}

/// A time of normal form with exactly three decimals, rounded half to even.
fn milliseconds(value: &Value) -> String {
    let text = value.as_str().unwrap_or_default();
    let Some((nanos, _)) = crate::time::parse_rfc3339(text) else {
        return text.to_owned();
    };
    let (whole, rest) = (nanos.div_euclid(1_000_000), nanos.rem_euclid(1_000_000));
    let up = match rest.cmp(&500_000) {
        std::cmp::Ordering::Less => 0,
        std::cmp::Ordering::Equal => whole.rem_euclid(2),
        std::cmp::Ordering::Greater => 1,
    };
    normal::utc((whole + up).saturating_mul(1_000_000))
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use crate::epcis::{document, normal};

    fn hashes(document: &[u8]) -> Vec<(String, String)> {
        let document = document::parse(document).unwrap();
        let opened = document::open(&document).unwrap();
        let events = opened.events.iter().map(|(_, value, context)| {
            let members = value.as_object().unwrap();
            let normal = normal::event(members, context, &mut |_, _| {});
            (event_hash(&normal), pre_hash(&normal))
        });
        events.collect()
    }

    #[test]
    fn the_text_that_is_hashed_is_that_of_the_standard() {
        let document = br#"[{"@context": {"ex": "https://ex.example/"}, "type": "ObjectEvent",
            "eventTime": "2026-02-02T17:00:00.0005+09:00", "eventTimeZoneOffset": "+09:00", "action": "OBSERVE",
            "bizStep": "shipping", "ex:b": [2.50, 1], "ex:a": {"ex:d": "x", "ex:c": true},
            "epcList": ["urn:epc:id:sgtin:952123.0120001.B", "urn:epc:id:sgtin:952123.0120001.A"],
            "quantityList": [{"uom": "KGM", "quantity": 5.0, "epcClass": "urn:epc:class:lgtin:952123.0110001.B"}],
            "readPoint": {"id": "urn:epc:id:sgln:9521230.01001.0"},
            "bizTransactionList": [{"bizTransaction": "urn:x:1", "type": "po"}],
            "recordTime": "2026-02-03T08:00:00Z", "eventID": "urn:x:1"}]"#;
        let [(hash, text)] = hashes(document).try_into().unwrap();
        assert_eq!(
            text,
            "eventType=ObjectEventeventTime=2026-02-02T08:00:00.000ZeventTimeZoneOffset=+09:00epcList\
             epc=https://id.gs1.org/01/09521231200010/21/Aepc=https://id.gs1.org/01/09521231200010/21/B\
             quantityListquantityElementepcClass=https://id.gs1.org/01/09521231100013/10/Bquantity=5uom=KGM\
             action=OBSERVEbizStep=https://ref.gs1.org/cbv/BizStep-shippingreadPointid=https://id.gs1.org/414/9521230010016\
             bizTransactionListtype=https://ref.gs1.org/cbv/BTT-pobizTransaction=urn:x:1\
             {https://ex.example/}a{https://ex.example/}c=true{https://ex.example/}d=x\
             {https://ex.example/}b=1{https://ex.example/}b=2.5"
        );
        assert!(hash.starts_with("ni:///sha-256;") && hash.ends_with("?ver=CBV2.0") && hash.len() == 89);
    }

    /// Files with keys of kinds that no identifier of ours has, which stay as they came.
    const OTHER_IDENTIFIERS: [&str; 2] = ["epcisDocWithAllGS1Keys.jsonld", "epclist_normalisation.jsonld"];

    /// Vectors of the reference implementation, read where they are.
    #[test]
    fn agrees_with_the_reference_implementation() {
        let data = std::env::var_os("LOTPROOF_DATA").map_or_else(
            || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/data"),
            PathBuf::from,
        );
        let Ok(vectors) = std::fs::read(data.join("derived/event-hash-vectors.json")) else {
            println!("skipped: agrees_with_the_reference_implementation, data absent");
            return;
        };
        let vectors: Value = serde_json::from_slice(&vectors).unwrap();
        let (mut same, mut other) = (0, Vec::new());
        for (file, expected) in vectors["files"].as_object().unwrap() {
            if !PathBuf::from(file)
                .extension()
                .is_some_and(|end| end == "json" || end == "jsonld")
            {
                continue;
            }
            let found = hashes(&std::fs::read(data.join(file)).unwrap());
            let expected = expected["events"].as_array().unwrap();
            assert_eq!(found.len(), expected.len(), "{file}");
            for ((hash, text), expected) in found.iter().zip(expected) {
                if expected["id"].as_str() == Some(hash) {
                    same += 1;
                } else if !OTHER_IDENTIFIERS.iter().any(|name| file.ends_with(name)) {
                    other.push(format!("{file}\n  ours {text}\n  theirs {}", expected["prehash"]));
                }
            }
        }
        println!(
            "{same} events have the hash of the reference, {} another",
            other.len()
        );
        for line in &other {
            println!("{line}");
        }
        assert!(same >= 28 && other.is_empty());
    }
}
