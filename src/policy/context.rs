//! The asker's context: who buys, when, for what. A JSON object of the asker's own, never in the log.
//!
//! ```json
//! { "buyer": { "agency": "US-DOD" }, "obligation_date": "2027-11-01", "end_item_assembler": null }
//! ```
//!
//! A field that is absent is not stated; `null` says that there is none (a battery bought loose goes into no
//! end item). Dates are `YYYY-MM-DD`. A path may end in `.year` to ask for the year of a date.

use std::collections::BTreeSet;

use serde_json::{Map, Value};
use time::{Date, macros::format_description};

use super::{
    pack::{ContextComparison, Effective, ExprTest, Pack, Trigger},
    view::Evidence,
};

/// Longest context accepted, in bytes.
pub const CONTEXT_LEN_MAX: usize = 1 << 16;

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
    /// A field that must hold a date holds something else.
    #[error("context field {path} must be a date, as 2027-11-01")]
    NotADate {
        /// The field.
        path: String,
    },
}

/// What the asker says about the procurement.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Context {
    fields: Map<String, Value>,
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
    /// Too long, or not an object.
    pub fn from_json(text: &[u8]) -> Result<Self, ContextError> {
        if text.len() > CONTEXT_LEN_MAX {
            return Err(ContextError::TooLong { got: text.len() });
        }
        let fields: Map<String, Value> =
            serde_json::from_slice(text).map_err(|error| ContextError::NotAnObject(error.to_string()))?;
        Ok(Self {
            fields,
            evidence: Vec::new(),
        })
    }

    /// From fields already parsed, for example the parameters of a query.
    pub fn from_fields(fields: Map<String, Value>) -> Self {
        Self {
            fields,
            evidence: Vec::new(),
        }
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
        let mut parts = path.split('.');
        let mut value = parts.next().and_then(|part| self.fields.get(part));
        for part in parts {
            value = match value {
                Some(Value::Object(object)) => object.get(part),
                _ => return Field::NotStated,
            };
        }
        match value {
            None => Field::NotStated,
            Some(Value::Null) => Field::None,
            Some(value) => Field::Value(value),
        }
    }

    /// The date at a path; nothing if it is not stated or stated as none.
    ///
    /// # Errors
    /// There is something else than a date.
    pub(super) fn date(&self, path: &str) -> Result<Option<Date>, ContextError> {
        match self.field(path) {
            Field::NotStated | Field::None => Ok(None),
            Field::Value(value) => {
                value
                    .as_str()
                    .and_then(parse_date)
                    .map(Some)
                    .ok_or_else(|| ContextError::NotADate {
                        path: path.to_owned(),
                    })
            }
        }
    }

    /// Fields that a pack may read and this context does not state.
    pub fn missing(&self, pack: &Pack) -> Vec<String> {
        pack.context_fields()
            .into_iter()
            .filter(|path| self.field(path) == Field::NotStated)
            .collect()
    }

    /// Refuses dates that are none, among the fields that the pack reads as dates.
    ///
    /// # Errors
    /// The first such field.
    pub fn validate(&self, pack: &Pack) -> Result<(), ContextError> {
        pack.date_fields()
            .iter()
            .try_for_each(|path| self.date(path).map(drop))
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
        let context = Context::from_json(br#"{"end_item_assembler": null, "buyer": {"agency": "US-DOD"}}"#);
        let context = context.unwrap();
        assert_eq!(context.field("end_item_assembler"), Field::None);
        assert_eq!(context.field("obligation_date"), Field::NotStated);
        assert_eq!(
            context.field("buyer.agency"),
            Field::Value(&Value::from("US-DOD"))
        );
        assert_eq!(context.field("buyer.agency.name"), Field::NotStated);
    }

    #[test]
    fn refuses_what_is_no_object_and_names_what_is_no_date() {
        assert!(matches!(
            Context::from_json(b"[]"),
            Err(ContextError::NotAnObject(_))
        ));
        assert!(matches!(
            Context::from_json(&vec![b' '; CONTEXT_LEN_MAX + 1]),
            Err(ContextError::TooLong { .. })
        ));
        let context = Context::from_json(br#"{"obligation_date": "1 Nov 2027"}"#).unwrap();
        let error = context.date("obligation_date").unwrap_err();
        assert_eq!(
            error.to_string(),
            "context field obligation_date must be a date, as 2027-11-01"
        );
    }
}
