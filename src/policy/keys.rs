//! Reading TOML strictly: every fault names the key, and a key nobody asked for is a fault.

use std::{collections::BTreeSet, sync::LazyLock};

use time::{Date, Month};
use toml::{Table, Value};

use super::load_error::{FaultKind, Faults};

/// One TOML table and the keys of it that were read.
///
/// What is missing or wrong is noted among the faults, and reads as something empty: nobody gets to see that,
/// because a file with a fault does not load.
pub(super) struct Keys<'a> {
    faults: &'a Faults,
    path: String,
    table: &'a Table,
    seen: BTreeSet<&'static str>,
    /// Stands for a table that is not there, which was noted: what it lacks is no fault more.
    absent: bool,
}

static NOTHING: LazyLock<Table> = LazyLock::new(Table::new);

impl<'a> Keys<'a> {
    pub(super) fn new(faults: &'a Faults, path: impl Into<String>, table: &'a Table) -> Self {
        Self {
            faults,
            path: path.into(),
            table,
            seen: BTreeSet::new(),
            absent: false,
        }
    }

    /// The table's own key.
    pub(super) fn path(&self) -> &str {
        &self.path
    }

    pub(super) fn fault(&self, what: FaultKind) {
        if !self.absent {
            self.faults.add(what);
        }
    }

    /// A value whose key is chosen by the pack's author; such tables need no [`Self::finish`].
    pub(super) fn raw(&self, key: &str) -> Option<&'a Value> {
        self.table.get(key)
    }

    /// Full name of a key of this table.
    pub(super) fn key(&self, key: &str) -> String {
        if self.path.is_empty() {
            key.to_owned()
        } else {
            format!("{}.{key}", self.path)
        }
    }

    pub(super) fn wrong(&self, key: &str, expected: &str) {
        self.fault(FaultKind::WrongValue {
            key: self.key(key),
            expected: expected.to_owned(),
        });
    }

    pub(super) fn not_implemented(&self, key: &str) {
        self.fault(FaultKind::NotImplemented { key: self.key(key) });
    }

    pub(super) fn value(&mut self, key: &'static str) -> Option<&'a Value> {
        self.seen.insert(key);
        self.table.get(key)
    }

    pub(super) fn required(&mut self, key: &'static str) -> Option<&'a Value> {
        let value = self.value(key);
        if value.is_none() {
            self.fault(FaultKind::MissingKey { key: self.key(key) });
        }
        value
    }

    /// What a value reads as, if it is there; a fault if it is something else than expected.
    fn read<T>(
        &self,
        key: &'static str,
        value: Option<&'a Value>,
        expected: &str,
        read: impl FnOnce(&'a Value) -> Option<T>,
    ) -> Option<T> {
        let read = read(value?);
        if read.is_none() {
            self.wrong(key, expected);
        }
        read
    }

    pub(super) fn text(&mut self, key: &'static str) -> String {
        let value = self.required(key);
        self.read(key, value, "a string", text).unwrap_or_default()
    }

    pub(super) fn text_or(&mut self, key: &'static str, default: &str) -> String {
        self.optional_text(key).unwrap_or_else(|| default.to_owned())
    }

    pub(super) fn optional_text(&mut self, key: &'static str) -> Option<String> {
        let value = self.value(key);
        self.read(key, value, "a string", text)
    }

    pub(super) fn flag_or(&mut self, key: &'static str, default: bool) -> bool {
        let value = self.value(key);
        self.read(key, value, "true or false", Value::as_bool)
            .unwrap_or(default)
    }

    pub(super) fn texts(&mut self, key: &'static str) -> Vec<String> {
        let value = self.required(key);
        self.read(key, value, "a list of strings", texts)
            .unwrap_or_default()
    }

    pub(super) fn optional_texts(&mut self, key: &'static str) -> Option<Vec<String>> {
        let value = self.value(key);
        self.read(key, value, "a list of strings", texts)
    }

    pub(super) fn optional_date(&mut self, key: &'static str) -> Option<Date> {
        let value = self.value(key);
        self.read(key, value, "a date, as 2027-10-01", date)
    }

    pub(super) fn date(&mut self, key: &'static str) -> Date {
        let value = self.required(key);
        self.read(key, value, "a date, as 2027-10-01", date)
            .unwrap_or(Date::MIN)
    }

    /// The table at a key that must be one.
    pub(super) fn table(&mut self, key: &'static str) -> Keys<'a> {
        let value = self.required(key);
        let table = self.read(key, value, "a table", Value::as_table);
        Keys {
            absent: table.is_none(),
            ..Keys::new(self.faults, self.key(key), table.unwrap_or(&NOTHING))
        }
    }

    /// One of a few words, each of which stands for something.
    pub(super) fn choice<T: Copy>(&mut self, key: &'static str, choices: &[(&str, T)], default: T) -> T {
        let Some(said) = self.required(key) else {
            return default;
        };
        let chosen = choices.iter().find(|(word, _)| said.as_str() == Some(word));
        if chosen.is_none() {
            self.wrong(key, &one_of(choices));
        }
        chosen.map_or(default, |(_, choice)| *choice)
    }

    /// The tables under a key, by name; none if the key is absent.
    pub(super) fn named_tables(&mut self, key: &'static str) -> Vec<(String, Keys<'a>)> {
        let value = self.value(key);
        let table = self.read(key, value, "a table", Value::as_table);
        let mut tables = Vec::new();
        for (name, value) in table.into_iter().flatten() {
            match value.as_table() {
                Some(table) => {
                    let path = format!("{}.{name}", self.key(key));
                    tables.push((name.clone(), Keys::new(self.faults, path, table)));
                }
                None => self.wrong(&format!("{key}.{name}"), "a table"),
            }
        }
        tables
    }

    /// The tables of an array at a key; none if it is absent.
    pub(super) fn tables(&mut self, key: &'static str) -> Vec<Keys<'a>> {
        let value = self.value(key);
        let array = self.read(key, value, "a list of tables", Value::as_array);
        let mut tables = Vec::new();
        for (index, value) in array.into_iter().flatten().enumerate() {
            match value.as_table() {
                Some(table) => {
                    let path = format!("{}[{index}]", self.key(key));
                    tables.push(Keys::new(self.faults, path, table));
                }
                None => self.wrong(&format!("{key}[{index}]"), "a table"),
            }
        }
        tables
    }

    /// Names of the keys that are there.
    pub(super) fn names(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        self.table.keys().map(String::as_str)
    }

    /// Notes whatever nobody read.
    pub(super) fn finish(self) {
        for key in self.table.keys().filter(|key| !self.seen.contains(key.as_str())) {
            self.fault(FaultKind::UnknownKey { key: self.key(key) });
        }
    }
}

/// `a, b or c`
fn one_of<T>(choices: &[(&str, T)]) -> String {
    let words: Vec<&str> = choices.iter().map(|(word, _)| *word).collect();
    match words.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} or {last}", rest.join(", ")),
        _ => words.concat(),
    }
}

fn text(value: &Value) -> Option<String> {
    value.as_str().map(str::to_owned)
}

fn texts(value: &Value) -> Option<Vec<String>> {
    value
        .as_array()?
        .iter()
        .map(|item| item.as_str().map(str::to_owned))
        .collect()
}

/// The calendar date of a TOML local date.
pub(super) fn date(value: &Value) -> Option<Date> {
    let datetime = value.as_datetime()?;
    let date = datetime.date?;
    if datetime.time.is_some() {
        return None;
    }
    Date::from_calendar_date(date.year.into(), Month::try_from(date.month).ok()?, date.day).ok()
}

/// Every name that was used before, for whoever must not say one twice.
pub(super) fn repeated<'a>(names: impl Iterator<Item = &'a str>) -> BTreeSet<&'a str> {
    let mut seen = BTreeSet::new();
    names.filter(|name| !seen.insert(*name)).collect()
}
