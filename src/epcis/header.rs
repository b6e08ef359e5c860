//! What stands around the events of a document: each member that is not as EPCIS 2.0 has it is named, with what
//! was expected there.
//!
//! Lenient import takes the events all the same, since each of them says by itself what it is; strict import
//! refuses the document.

use serde_json::{Map, Value};

use super::{
    check::pointer,
    finding::{Code, Findings},
    is_uri,
};
use crate::time;

/// Members that every document has, and an example of each.
const REQUIRED: &[(&str, &str)] = &[
    (
        "@context",
        r#"["https://ref.gs1.org/standards/epcis/2.0.0/epcis-context.jsonld"]"#,
    ),
    ("type", r#""EPCISDocument""#),
    ("schemaVersion", r#""2.0""#),
    ("creationDate", r#""2026-03-10T10:00:00Z""#),
];

/// Checks a document's members beside its events.
pub(super) fn check(header: &mut Map<String, Value>, findings: &mut Findings) {
    let underscores: Vec<String> = header
        .keys()
        .filter(|key| key.starts_with('_'))
        .cloned()
        .collect();
    for key in underscores {
        let value = header.shift_remove(&key).unwrap_or_default();
        findings.add(Code::UnderscoreDropped, pointer("", &key), &value.to_string());
    }
    for (key, example) in REQUIRED {
        if !header.contains_key(*key) {
            let detail = format!("expected {example}, the member is not there");
            findings.add(Code::MissingMember, pointer("", key), &detail);
        }
    }
    for (key, value) in &*header {
        if let Some((code, detail)) = member(key, value) {
            findings.add(code, pointer("", key), &detail);
        }
        if matches!(key.as_str(), "epcisBody" | "resultsBody") {
            for (inner, value) in value.as_object().into_iter().flatten() {
                let (code, detail) = beside(inner, value);
                findings.add(code, pointer(&pointer("", key), inner), &detail);
            }
        }
    }
}

/// What there is to say about a member.
fn member(key: &str, value: &Value) -> Option<(Code, String)> {
    let unexpected = |code: Code, expected: &str| Some((code, format!("expected {expected}, got {value}")));
    match (key, value) {
        ("@context", Value::String(_) | Value::Array(_) | Value::Object(_))
        | ("epcisBody" | "resultsBody", _) => None,
        ("@context", _) => unexpected(Code::WrongType, "a list of context addresses and prefixes"),
        ("type", Value::String(text)) if matches!(text.as_str(), "EPCISDocument" | "EPCISQueryDocument") => {
            None
        }
        ("type", _) => unexpected(Code::UnknownType, r#""EPCISDocument" or "EPCISQueryDocument""#),
        ("schemaVersion", Value::String(text)) if is_version(text) => None,
        ("schemaVersion", Value::String(_)) => unexpected(Code::SchemaVersion, r#""2.0""#),
        ("schemaVersion", _) => unexpected(Code::SchemaVersion, r#"the string "2.0""#),
        ("creationDate", Value::String(text)) if time::parse_rfc3339(text).is_some() => None,
        ("creationDate", _) => unexpected(
            Code::BadTime,
            r#"a date and time with its zone, as "2026-03-10T10:00:00Z""#,
        ),
        ("id", Value::String(text)) if is_uri(text) => None,
        ("id", _) => unexpected(Code::NotUri, r#"an absolute URI, as "urn:uuid:...""#),
        ("sender" | "receiver" | "instanceIdentifier" | "queryName" | "subscriptionID", Value::String(_))
        | ("epcisHeader", Value::Object(_)) => Some((Code::HeaderCarried, value.to_string())),
        ("sender" | "receiver", _) => unexpected(
            Code::WrongType,
            r#"an identifier as a string, "https://id.gs1.org/417/...""#,
        ),
        ("instanceIdentifier" | "queryName" | "subscriptionID", _) => unexpected(Code::WrongType, "a string"),
        ("epcisHeader", _) => unexpected(Code::WrongType, "an object"),
        _ => Some(beside(key, value)),
    }
}

/// A member that EPCIS does not define: carried in the header if it is an extension.
fn beside(key: &str, value: &Value) -> (Code, String) {
    if is_uri(key) {
        (Code::HeaderCarried, value.to_string())
    } else {
        let shown: String = key.chars().take(40).collect();
        let detail = format!("expected a name with a prefix, as ex:{shown}, got {shown}");
        (Code::UnknownMember, detail)
    }
}

/// EPCIS 2.0 and what mends it: `2.0`, `2.0.1`.
fn is_version(text: &str) -> bool {
    let mut numbers = text.split('.');
    let fits = |number: &str| (1..=3).contains(&number.len()) && number.bytes().all(|b| b.is_ascii_digit());
    numbers.next() == Some("2") && numbers.next() == Some("0") && numbers.all(fits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_member_of_a_document_says_what_it_should_be() {
        for (key, value, code) in [
            ("@context", r#"["https://a.example/c.jsonld"]"#, None),
            ("@context", "1", Some(Code::WrongType)),
            ("type", r#""EPCISDocument""#, None),
            ("type", r#""ObjectEvent""#, Some(Code::UnknownType)),
            ("type", "null", Some(Code::UnknownType)),
            ("schemaVersion", r#""2.0""#, None),
            ("schemaVersion", r#""2.0.1""#, None),
            ("schemaVersion", r#""2.0.""#, Some(Code::SchemaVersion)),
            ("schemaVersion", r#""2.1""#, Some(Code::SchemaVersion)),
            ("schemaVersion", r#""1.2""#, Some(Code::SchemaVersion)),
            ("schemaVersion", "2", Some(Code::SchemaVersion)),
            ("schemaVersion", "2.0", Some(Code::SchemaVersion)),
            ("schemaVersion", "null", Some(Code::SchemaVersion)),
            ("creationDate", r#""2026-03-10T10:00:00Z""#, None),
            ("creationDate", r#""10/03/2026""#, Some(Code::BadTime)),
            ("creationDate", r#""2026-03-10T10:00:00""#, Some(Code::BadTime)),
            ("creationDate", "1767225600", Some(Code::BadTime)),
            ("id", r#""urn:uuid:1""#, None),
            ("id", r#""_:document1""#, Some(Code::NotUri)),
            ("id", "7", Some(Code::NotUri)),
            (
                "sender",
                r#""urn:epc:id:pgln:9521230.10010""#,
                Some(Code::HeaderCarried),
            ),
            ("sender", r#"{"name": "RegE"}"#, Some(Code::WrongType)),
            ("receiver", "[]", Some(Code::WrongType)),
            ("instanceIdentifier", "1", Some(Code::WrongType)),
            ("epcisHeader", "{}", Some(Code::HeaderCarried)),
            ("epcisHeader", r#""x""#, Some(Code::WrongType)),
            ("ex:conformance", "{}", Some(Code::HeaderCarried)),
            ("conformance", "{}", Some(Code::UnknownMember)),
            ("isA", r#""EPCISDocument""#, Some(Code::UnknownMember)),
        ] {
            let value: Value = serde_json::from_str(value).unwrap();
            let said = member(key, &value);
            assert_eq!(said.as_ref().map(|(code, _)| *code), code, "{key}: {value}");
            let is_told =
                |(code, detail): (Code, String)| code == Code::HeaderCarried || detail.contains("expected");
            assert!(said.is_none_or(is_told), "{key}: {value}");
        }
    }
}
