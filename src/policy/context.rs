//! The asker's context: who buys, when, for what. A JSON object of the asker's own, never in the log.
//!
//! ```json
//! { "buyer": { "agency": "US-DOD" }, "obligation_date": "2027-11-01", "end_item_assembler": null }
//! ```
//!
//! A field that is absent is not stated; `null` says that there is none (a battery bought loose goes into no
//! end item). Dates are `YYYY-MM-DD`. A path may end in `.year` to ask for the year of a date.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use serde_json::{Map, Value};
use time::{Date, macros::format_description};

use super::{
    pack::{ContextComparison, Effective, ExprTest, Pack, Trigger},
    view::Evidence,
};
use crate::vocabulary::{Takes, vocabulary};

/// Longest context accepted, in bytes.
pub const CONTEXT_LEN_MAX: usize = 1 << 16;

/// Most characters of an outsider's text that an error repeats.
const SHOWN_MAX: usize = 60;

/// Why a context was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ContextError {
    /// Longer than [`CONTEXT_LEN_MAX`].
    #[error("context has {got} bytes, at most {CONTEXT_LEN_MAX} are accepted")]
    TooLong {
        /// Its length in bytes.
        got: usize,
    },
    /// Not a JSON object.
    #[error("context is not a JSON object: {0}")]
    NotAnObject(String),
    /// Fields that do not exist, or whose values cannot be.
    #[error("{}", each(.0))]
    Refused(Vec<ContextFault>),
}

fn each(faults: &[ContextFault]) -> String {
    let faults: Vec<String> = faults.iter().map(ToString::to_string).collect();
    faults.join("; ")
}

/// What is wrong with one field of a context.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContextFault {
    /// The field, by path.
    pub path: String,
    /// What stands there; nothing if the field itself is not known.
    pub got: Option<String>,
    /// What could: fields, or values of the field, or what it takes.
    pub accepted: Vec<String>,
}

impl fmt::Display for ContextFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let accepted = self.accepted.join(", ");
        match &self.got {
            None => {
                let path = shortened(&self.path);
                write!(f, "context has no field {path:?}, accepted are {accepted}")
            }
            Some(got) => write!(f, "context field {} is {got}, accepted are {accepted}", self.path),
        }
    }
}

fn shortened(text: &str) -> String {
    if text.chars().count() <= SHOWN_MAX {
        return text.to_owned();
    }
    text.chars().take(SHOWN_MAX).chain(['…']).collect()
}

/// What the asker says about the procurement: fields of the vocabulary, each value in its one spelling.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Context {
    /// By path; `Null` says that there is none.
    fields: BTreeMap<String, Value>,
    evidence: Vec<Evidence>,
}

/// What a context says at a path.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Field<'a> {
    /// Nothing.
    NotStated,
    /// That there is none.
    None,
    /// A value.
    Value(&'a Value),
}

impl Context {
    /// From JSON text.
    ///
    /// # Errors
    /// Too long, not an object, or with fields or values that the vocabulary does not have: all of those.
    pub fn from_json(text: &[u8]) -> Result<Self, ContextError> {
        if text.len() > CONTEXT_LEN_MAX {
            return Err(ContextError::TooLong { got: text.len() });
        }
        let fields: Map<String, Value> =
            serde_json::from_slice(text).map_err(|error| ContextError::NotAnObject(error.to_string()))?;
        Self::from_fields(&fields)
    }

    /// From fields already parsed, for example the parameters of a query.
    ///
    /// # Errors
    /// Every field or value that the vocabulary does not have.
    pub fn from_fields(fields: &Map<String, Value>) -> Result<Self, ContextError> {
        let mut reading = Reading::default();
        reading.object("", fields);
        if reading.faults.is_empty() {
            Ok(Self {
                fields: reading.fields,
                evidence: Vec::new(),
            })
        } else {
            Err(ContextError::Refused(reading.faults))
        }
    }

    /// What it says, in the one form that asks the same again: nested by path, values in their own spelling.
    pub fn to_fields(&self) -> Map<String, Value> {
        let mut fields = Map::new();
        for (path, value) in &self.fields {
            nest(&mut fields, path, value);
        }
        fields
    }

    /// The same with evidence about the procurement itself.
    #[must_use]
    pub fn with_evidence(mut self, evidence: Vec<Evidence>) -> Self {
        self.evidence = evidence;
        self
    }

    pub(super) fn evidence(&self) -> &[Evidence] {
        &self.evidence
    }

    pub(super) fn field(&self, path: &str) -> Field<'_> {
        match self.fields.get(path) {
            None => Field::NotStated,
            Some(Value::Null) => Field::None,
            Some(value) => Field::Value(value),
        }
    }

    /// The date at a path; nothing if it is not stated or stated as none.
    pub(super) fn date(&self, path: &str) -> Option<Date> {
        match self.field(path) {
            Field::NotStated | Field::None => None,
            Field::Value(value) => value.as_str().and_then(parse_date),
        }
    }

    /// Fields that a pack may read and this context does not state.
    pub fn missing(&self, pack: &Pack) -> Vec<String> {
        pack.context_fields()
            .into_iter()
            .filter(|path| self.field(path) == Field::NotStated)
            .collect()
    }
}

/// Puts a value at a path. No path of the vocabulary goes on below another.
fn nest(fields: &mut Map<String, Value>, path: &str, value: &Value) {
    let Some((first, rest)) = path.split_once('.') else {
        fields.insert(path.to_owned(), value.clone());
        return;
    };
    let within = fields
        .entry(first.to_owned())
        .or_insert_with(|| Value::Object(Map::new()));
    if let Value::Object(object) = within {
        nest(object, rest, value);
    }
}

/// A context while it is read.
#[derive(Default)]
struct Reading {
    fields: BTreeMap<String, Value>,
    faults: Vec<ContextFault>,
}

impl Reading {
    fn object(&mut self, above: &str, object: &Map<String, Value>) {
        for (name, value) in object {
            let path = if above.is_empty() {
                name.clone()
            } else {
                format!("{above}.{name}")
            };
            self.member(path, value);
        }
    }

    fn member(&mut self, path: String, value: &Value) {
        let Some(field) = vocabulary().context_field(&path) else {
            let within = format!("{path}.");
            let all = || vocabulary().context_fields().map(|(known, _)| known);
            let below: Vec<&str> = all().filter(|known| known.starts_with(&within)).collect();
            return match value {
                Value::Object(object) if !below.is_empty() => self.object(&path, object),
                _ if below.is_empty() => self.refuse(path, None, all()),
                _ => self.refuse(path, Some(value), below.into_iter()),
            };
        };
        let read = match value {
            Value::Null => Some(Value::Null),
            value => field.read(value),
        };
        match read {
            Some(value) => {
                self.fields.insert(path, value);
            }
            None if field.takes == Takes::Word => {
                self.refuse(path, Some(value), field.values().map(|(word, _)| word));
            }
            None => {
                let takes = field.takes.to_string();
                self.refuse(path, Some(value), std::iter::once(takes.as_str()));
            }
        }
    }

    fn refuse<'w>(&mut self, path: String, got: Option<&Value>, accepted: impl Iterator<Item = &'w str>) {
        self.faults.push(ContextFault {
            path,
            got: got.map(|got| shortened(&got.to_string())),
            accepted: accepted.map(str::to_owned).collect(),
        });
    }
}

/// A date from its one form, `YYYY-MM-DD`.
pub(super) fn parse_date(text: &str) -> Option<Date> {
    Date::parse(text, format_description!("[year]-[month]-[day]")).ok()
}

impl Pack {
    /// Every field of the context that this pack may read, by path.
    pub fn context_fields(&self) -> BTreeSet<String> {
        let mut fields = self.date_fields();
        for expr in self.exprs.values() {
            match &expr.test {
                ExprTest::Context(test) => fields.insert(test.path.clone()),
                ExprTest::ContextParty { role, .. } => fields.insert(role.clone()),
                _ => false,
            };
        }
        for table in self.tables.values() {
            let path = table.key.strip_prefix("context.").unwrap_or(&table.key);
            fields.insert(path.strip_suffix(".year").unwrap_or(path).to_owned());
        }
        fields
    }

    /// Fields without which no verdict is more than a guess about the asker: what says whether a rule
    /// applies, and the trigger under the param's default.
    pub fn required_context_fields(&self) -> BTreeSet<String> {
        let mut fields = BTreeSet::from([self.trigger_path(None)]);
        let mut open: Vec<&str> = self.rules.iter().map(|rule| rule.applies.as_str()).collect();
        while let Some(name) = open.pop() {
            match self.exprs.get(name).map(|expr| &expr.test) {
                Some(ExprTest::Context(test)) => {
                    fields.insert(test.path.clone());
                }
                Some(ExprTest::Any(names) | ExprTest::All(names)) => {
                    open.extend(names.iter().map(String::as_str));
                }
                Some(ExprTest::Not(name)) => open.push(name),
                _ => {}
            }
        }
        fields
    }

    /// Fields that hold dates.
    fn date_fields(&self) -> BTreeSet<String> {
        let mut fields = BTreeSet::new();
        match &self.trigger {
            Trigger::Path(path) => fields.extend([path.clone()]),
            Trigger::ByParam { paths, .. } => fields.extend(paths.values().cloned()),
        }
        for rule in &self.rules {
            if let Effective::Spans(spans) = &rule.effective {
                fields.extend(spans.iter().filter_map(|span| span.path.clone()));
            }
        }
        for expr in self.exprs.values() {
            if let ExprTest::Context(test) = &expr.test
                && matches!(test.comparison, ContextComparison::Date(..))
            {
                fields.insert(test.path.clone());
            }
        }
        fields
    }

    /// Where the context has the trigger, under a value of the param that chooses it (or its default).
    pub(super) fn trigger_path(&self, chosen: Option<&str>) -> String {
        match &self.trigger {
            Trigger::Path(path) => path.clone(),
            Trigger::ByParam { param, paths } => {
                let default = self.params.get(param).map_or("", |param| param.default.as_str());
                paths.get(chosen.unwrap_or(default)).cloned().unwrap_or_default()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn absent_and_none_differ() {
        let context = Context::from_json(br#"{"end_item_assembler": null, "buyer": {"agency": "DoD"}}"#);
        let context = context.unwrap();
        assert_eq!(context.field("end_item_assembler"), Field::None);
        assert_eq!(context.field("obligation_date"), Field::NotStated);
        let canonical = Value::from("US-DOD");
        assert_eq!(context.field("buyer.agency"), Field::Value(&canonical));
        let again = Context::from_fields(&context.to_fields()).unwrap();
        assert_eq!(again, context);
    }

    #[test]
    fn refuses_what_is_no_object() {
        assert!(matches!(
            Context::from_json(b"[]"),
            Err(ContextError::NotAnObject(_))
        ));
        assert!(matches!(
            Context::from_json(&vec![b' '; CONTEXT_LEN_MAX + 1]),
            Err(ContextError::TooLong { .. })
        ));
    }

    #[test]
    fn every_field_and_value_that_is_not_known_is_named_with_what_is() {
        let context = br#"{"obligation_date": "1 Nov 2027", "buyer": {"agency": "US-ARMYY", "office": 7},
            "is_rdte": "no", "obligaton_date": "2027-11-01", "end_item_assembler": []}"#;
        let Err(ContextError::Refused(faults)) = Context::from_json(context) else {
            panic!("it is refused");
        };
        let said: Vec<String> = faults.iter().map(ToString::to_string).collect();
        let said = said.join("\n");
        for expected in [
            "context field buyer.agency is \"US-ARMYY\", accepted are ",
            "US-DOD",
            "context has no field \"buyer.office\", accepted are ",
            "context field obligation_date is \"1 Nov 2027\", accepted are a date, as 2027-11-01",
            "context has no field \"obligaton_date\", accepted are ",
            "context field is_rdte is \"no\", accepted are true or false",
            "context field end_item_assembler is [], accepted are the identifier of a party",
        ] {
            assert!(said.contains(expected), "{expected}: {said}");
        }
        let flat = Context::from_json(br#"{"buyer": "US-DOD"}"#).unwrap_err();
        assert_eq!(
            flat.to_string(),
            "context field buyer is \"US-DOD\", accepted are buyer.agency"
        );
        for date in [
            "2027-11-1",
            "+2027-11-01",
            "2027-02-30",
            "20271101",
            "2027-11-01T00:00:00Z",
        ] {
            let text = format!(r#"{{"obligation_date": "{date}"}}"#);
            assert!(Context::from_json(text.as_bytes()).is_err(), "{date}");
        }
    }

    proptest::proptest! {
        /// What is accepted says the same when it is asked again; nothing else gets through.
        #[test]
        fn what_is_read_reads_as_itself(agency in "[A-Za-z .-]{0,24}", date in "[0-9-]{8,11}", rdte: bool) {
            let said = serde_json::json!({"buyer": {"agency": agency}, "obligation_date": date, "is_rdte": rdte});
            if let Ok(context) = Context::from_json(said.to_string().as_bytes()) {
                proptest::prop_assert_eq!(&Context::from_fields(&context.to_fields()).unwrap(), &context);
                proptest::prop_assert!(context.date("obligation_date").is_some());
            }
        }
    }
}
