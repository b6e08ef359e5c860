//! Prefixes: what `@context` says, as far as it is written in the document itself.
//!
//! Context documents behind a URL are never fetched: a library that decides cannot depend on what a web server
//! answers today. Prefixes of the EPCIS context are known; a prefix that only a fetched context would explain
//! stays as it is, and the URL travels with it.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use serde_json::{Map, Value};

use super::EpcisError;

/// Longest IRI that a prefix stands for: it is written out wherever the prefix is used.
const IRI_LEN_MAX: usize = 256;
/// Most bytes of declarations that travel with the events of one document, all together.
const CARRIED_LEN_MAX: usize = 64 << 20;

/// The EPCIS 2.0 context, as documents name it.
pub(super) const EPCIS_CONTEXT: &str = "https://ref.gs1.org/standards/epcis/2.0.0/epcis-context.jsonld";

/// Prefixes that the EPCIS 2.0 context declares.
const STANDARD: &[(&str, &str)] = &[
    ("cbv", "https://ref.gs1.org/cbv/"),
    ("cbvmda", "urn:epcglobal:cbv:mda:"),
    ("dcterms", "http://purl.org/dc/terms/"),
    ("epcis", "https://ref.gs1.org/epcis/"),
    ("gs1", "https://gs1.org/voc/"),
    ("owl", "http://www.w3.org/2002/07/owl#"),
    ("rdfs", "http://www.w3.org/2000/01/rdf-schema#"),
    ("xsd", "http://www.w3.org/2001/XMLSchema#"),
];

/// The prefixes in force somewhere in a document.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Context {
    /// In force around it: the document's, of which its events have no copies.
    outer: Option<Arc<Self>>,
    /// Declared inline.
    prefixes: BTreeMap<String, String>,
    /// Contexts named by URL, other than the EPCIS one.
    urls: Vec<String>,
    /// Inline declarations that are more than a prefix.
    terms: Map<String, Value>,
}

impl Context {
    /// What is in force in an event, before its own `@context`.
    pub(super) fn inside(outer: &Arc<Self>) -> Self {
        Self {
            outer: Some(outer.clone()),
            ..Self::default()
        }
    }

    /// Checks that a document's context costs no more than the document itself, once `events` carry it.
    ///
    /// # Errors
    /// [`EpcisError::Declarations`]
    pub(super) fn check(&self, events: usize) -> Result<(), EpcisError> {
        if self.prefixes.values().any(|iri| iri.len() > IRI_LEN_MAX) {
            let why = format!("a prefix stands for more than {IRI_LEN_MAX} bytes");
            return Err(EpcisError::Declarations(why));
        }
        let urls: usize = self.urls.iter().map(String::len).sum();
        let terms: usize = self
            .terms
            .iter()
            .map(|(name, value)| name.len() + text_len(value))
            .sum();
        if (urls + terms).saturating_mul(events) > CARRIED_LEN_MAX {
            let why = format!("{events} events would carry {} bytes of it each", urls + terms);
            return Err(EpcisError::Declarations(why));
        }
        Ok(())
    }

    /// This context with what `value` (the content of an `@context`) adds.
    pub(super) fn with(&self, value: &Value) -> Self {
        let mut context = self.clone();
        context.add(value);
        context
    }

    fn add(&mut self, value: &Value) {
        match value {
            Value::Array(values) => values.iter().for_each(|value| self.add(value)),
            Value::String(url) => {
                if !url.ends_with("/epcis-context.jsonld") && !self.urls.contains(url) {
                    self.urls.push(url.clone());
                }
            }
            Value::Object(members) => {
                for (name, value) in members {
                    match value {
                        Value::String(iri) if !name.starts_with('@') => {
                            self.prefixes.insert(name.clone(), iri.clone());
                        }
                        _ => {
                            self.terms.insert(name.clone(), value.clone());
                        }
                    }
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }

    /// What a prefix stands for.
    pub(super) fn prefix(&self, name: &str) -> Option<&str> {
        self.declared(name).map(String::as_str).or_else(|| {
            STANDARD
                .iter()
                .find(|(standard, _)| *standard == name)
                .map(|(_, iri)| *iri)
        })
    }

    /// What a prefix stands for by an inline declaration, the innermost first.
    fn declared(&self, name: &str) -> Option<&String> {
        let outer = || self.outer.as_ref().and_then(|outer| outer.declared(name));
        self.prefixes.get(name).or_else(outer)
    }

    /// Every inline declaration of a prefix.
    fn prefixes(&self) -> BTreeMap<&String, &String> {
        let mut prefixes = self
            .outer
            .as_ref()
            .map_or_else(BTreeMap::new, |outer| outer.prefixes());
        prefixes.extend(&self.prefixes);
        prefixes
    }

    /// Contexts named by URL, the outermost first.
    fn urls(&self) -> Vec<String> {
        let mut urls = self.outer.as_ref().map_or_else(Vec::new, |outer| outer.urls());
        for url in &self.urls {
            if !urls.contains(url) {
                urls.push(url.clone());
            }
        }
        urls
    }

    /// Declarations that are more than a prefix.
    fn terms(&self) -> Map<String, Value> {
        let mut terms = self.outer.as_ref().map_or_else(Map::new, |outer| outer.terms());
        terms.extend(self.terms.clone());
        terms
    }

    /// `prefix:name` as an absolute IRI if the prefix is known, else as it is.
    pub(super) fn expand(&self, text: &str) -> String {
        match text.split_once(':') {
            Some((prefix, rest)) if !rest.starts_with("//") => match self.prefix(prefix) {
                Some(iri) => format!("{iri}{rest}"),
                None => text.to_owned(),
            },
            _ => text.to_owned(),
        }
    }

    /// The part of this context that `members` use, as the content of an `@context`; nothing if none.
    pub(super) fn needed_by(&self, members: &Map<String, Value>) -> Option<Value> {
        let mut used = BTreeSet::new();
        prefixes_in_members(members, &mut used);
        let mut parts: Vec<Value> = Vec::new();
        // A prefix that nothing here explains may be explained by any of the contexts behind a URL.
        let unexplained = used
            .iter()
            .any(|prefix| self.prefix(prefix).is_none() && !is_scheme(prefix));
        if unexplained {
            parts.extend(self.urls().into_iter().map(Value::String));
        }
        let mut inline = self.terms();
        for prefix in used {
            if let Some(iri) = self.declared(prefix) {
                inline.insert(prefix.to_owned(), Value::String(iri.clone()));
            }
        }
        if !inline.is_empty() {
            parts.push(Value::Object(inline));
        }
        (!parts.is_empty()).then_some(Value::Array(parts))
    }

    /// Prefixes that `members` use and that nothing written here explains.
    pub(super) fn unexplained_in(&self, members: &Map<String, Value>) -> BTreeSet<String> {
        let mut used = BTreeSet::new();
        prefixes_in_members(members, &mut used);
        used.into_iter()
            .filter(|prefix| self.prefix(prefix).is_none() && !is_scheme(prefix))
            .map(str::to_owned)
            .collect()
    }

    /// As the `@context` of a document.
    pub(super) fn to_value(&self) -> Value {
        let mut parts = vec![Value::String(EPCIS_CONTEXT.to_owned())];
        parts.extend(self.urls().into_iter().map(Value::String));
        let mut inline = self.terms();
        for (name, iri) in self.prefixes() {
            inline.insert(name.clone(), Value::String(iri.clone()));
        }
        if !inline.is_empty() {
            parts.push(Value::Object(inline));
        }
        Value::Array(parts)
    }
}

/// About how long a value is as text.
fn text_len(value: &Value) -> usize {
    match value {
        Value::Null | Value::Bool(_) => 4,
        Value::Number(number) => number.to_string().len(),
        Value::String(text) => text.len() + 2,
        Value::Array(values) => values.iter().map(|value| text_len(value) + 1).sum::<usize>() + 2,
        Value::Object(members) => {
            let members = members
                .iter()
                .map(|(name, value)| name.len() + text_len(value) + 4);
            members.sum::<usize>() + 2
        }
    }
}

fn is_scheme(prefix: &str) -> bool {
    matches!(
        prefix,
        "urn" | "http" | "https" | "ni" | "did" | "geo" | "mailto" | "tel"
    )
}

fn prefixes_in_members<'a>(members: &'a Map<String, Value>, used: &mut BTreeSet<&'a str>) {
    for (key, value) in members {
        prefix_of(key, used);
        prefixes_in(value, used);
    }
}

fn prefixes_in<'a>(value: &'a Value, used: &mut BTreeSet<&'a str>) {
    match value {
        Value::String(text) => prefix_of(text, used),
        Value::Array(values) => values.iter().for_each(|value| prefixes_in(value, used)),
        Value::Object(members) => prefixes_in_members(members, used),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn prefix_of<'a>(text: &'a str, used: &mut BTreeSet<&'a str>) {
    let Some((prefix, rest)) = text.split_once(':') else {
        return;
    };
    let named = prefix
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte));
    if named && prefix.starts_with(|first: char| first.is_ascii_alphabetic()) && !rest.starts_with("//") {
        used.insert(prefix);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_share_what_the_document_declares_and_add_their_own() {
        let document = Context::default().with(&serde_json::json!([
            "https://ref.example/one.jsonld",
            {"a": "http://a.example/", "b": "http://b.example/", "t": {"@type": "@id"}}
        ]));
        let document = Arc::new(document);
        let plain = Context::inside(&document);
        assert!(
            plain.prefixes.is_empty() && plain.terms.is_empty(),
            "no copy for each event"
        );
        assert_eq!(plain.to_value(), document.to_value());
        let own =
            plain.with(&serde_json::json!(["https://ref.example/two.jsonld", {"a": "http://own.example/"}]));
        assert_eq!(
            (own.expand("a:x"), own.expand("b:x")),
            ("http://own.example/x".into(), "http://b.example/x".into())
        );
        assert_eq!(
            own.urls(),
            ["https://ref.example/one.jsonld", "https://ref.example/two.jsonld"]
        );
        assert!(own.terms().contains_key("t"));
    }

    #[test]
    fn a_context_cannot_make_a_document_many_times_as_long() {
        let iri = |len: usize| Context::default().with(&serde_json::json!({"a": "x".repeat(len)}));
        assert!(iri(IRI_LEN_MAX).check(1 << 20).is_ok());
        assert!(iri(IRI_LEN_MAX + 1).check(1).is_err());
        let term = Context::default().with(&serde_json::json!({"t": {"@id": "x".repeat(1 << 20)}}));
        assert!(term.check(50).is_ok());
        assert!(matches!(term.check(70), Err(EpcisError::Declarations(_))));
    }

    #[test]
    fn only_the_prefixes_in_use_travel() {
        let context = Context::default().with(&serde_json::json!([
            "https://ref.gs1.org/standards/epcis/epcis-context.jsonld",
            "https://ref.example/x-context.jsonld",
            {"a": "http://a.example/"},
            {"b": "http://b.example/"}
        ]));
        let members = |value: Value| value.as_object().cloned().unwrap_or_default();
        assert_eq!(
            context.needed_by(&members(serde_json::json!({"a:x": {"urn:y": 1}}))),
            Some(serde_json::json!([{"a": "http://a.example/"}]))
        );
        assert_eq!(
            context.needed_by(&members(serde_json::json!({"x:y": 1}))),
            Some(serde_json::json!(["https://ref.example/x-context.jsonld"]))
        );
        assert_eq!(context.needed_by(&members(serde_json::json!({"gs1:y": 1}))), None);
        assert_eq!(context.expand("a:x"), "http://a.example/x");
        assert_eq!(context.expand("x:y"), "x:y");
    }
}
