//! Reading TOML strictly: every error names the file and the key, and a key nobody asked for is an error.

use std::collections::BTreeSet;

use time::{Date, Month};
use toml::{Table, Value};

use super::load_error::{LoadError, Loaded, PACK_LEN_MAX};

/// One TOML table and the keys of it that were read.
pub(super) struct Keys<'a> {
    file: &'a str,
    path: String,
    table: &'a Table,
    seen: BTreeSet<&'static str>,
}

impl<'a> Keys<'a> {
    pub(super) fn new(file: &'a str, path: impl Into<String>, table: &'a Table) -> Self {
        Self {
            file,
            path: path.into(),
            table,
            seen: BTreeSet::new(),
        }
    }

    /// The table's own key.
    pub(super) fn path(&self) -> &str {
        &self.path
    }

    /// The file that it stands in, as errors call it.
    pub(super) fn file(&self) -> &'a str {
        self.file
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

    pub(super) fn wrong(&self, key: &str, expected: &str) -> LoadError {
        LoadError::WrongValue {
            file: self.file.to_owned(),
            key: self.key(key),
            expected: expected.to_owned(),
        }
    }

    pub(super) fn not_implemented(&self, key: &str) -> LoadError {
        LoadError::NotImplemented {
            file: self.file.to_owned(),
            key: self.key(key),
        }
    }

    pub(super) fn value(&mut self, key: &'static str) -> Option<&'a Value> {
        self.seen.insert(key);
        self.table.get(key)
    }

    pub(super) fn required(&mut self, key: &'static str) -> Loaded<&'a Value> {
        let missing = LoadError::MissingKey {
            file: self.file.to_owned(),
            key: self.key(key),
        };
        self.value(key).ok_or(missing)
    }

    pub(super) fn text(&mut self, key: &'static str) -> Loaded<String> {
        let value = self.required(key)?;
        value
            .as_str()
            .map(str::to_owned)
            .ok_or_else(|| self.wrong(key, "a string"))
    }

    pub(super) fn text_or(&mut self, key: &'static str, default: &str) -> Loaded<String> {
        Ok(self.optional_text(key)?.unwrap_or_else(|| default.to_owned()))
    }

    pub(super) fn optional_text(&mut self, key: &'static str) -> Loaded<Option<String>> {
        match self.value(key) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.clone())),
            Some(_) => Err(self.wrong(key, "a string")),
        }
    }

    pub(super) fn flag_or(&mut self, key: &'static str, default: bool) -> Loaded<bool> {
        match self.value(key) {
            None => Ok(default),
            Some(value) => value.as_bool().ok_or_else(|| self.wrong(key, "true or false")),
        }
    }

    pub(super) fn texts(&mut self, key: &'static str) -> Loaded<Vec<String>> {
        let value = self.required(key)?;
        texts(value).ok_or_else(|| self.wrong(key, "a list of strings"))
    }

    pub(super) fn optional_texts(&mut self, key: &'static str) -> Loaded<Option<Vec<String>>> {
        match self.value(key) {
            None => Ok(None),
            Some(value) => texts(value)
                .map(Some)
                .ok_or_else(|| self.wrong(key, "a list of strings")),
        }
    }

    pub(super) fn optional_date(&mut self, key: &'static str) -> Loaded<Option<Date>> {
        match self.value(key) {
            None => Ok(None),
            Some(value) => date(value)
                .map(Some)
                .ok_or_else(|| self.wrong(key, "a date, as 2027-10-01")),
        }
    }

    pub(super) fn date(&mut self, key: &'static str) -> Loaded<Date> {
        let value = self.required(key)?;
        date(value).ok_or_else(|| self.wrong(key, "a date, as 2027-10-01"))
    }

    /// The table at a key that must be one.
    pub(super) fn table(&mut self, key: &'static str) -> Loaded<Keys<'a>> {
        let value = self.required(key)?;
        let table = value.as_table().ok_or_else(|| self.wrong(key, "a table"))?;
        Ok(Keys::new(self.file, self.key(key), table))
    }

    /// The tables under a key, by name; none if the key is absent.
    pub(super) fn named_tables(&mut self, key: &'static str) -> Loaded<Vec<(String, Keys<'a>)>> {
        let Some(value) = self.value(key) else {
            return Ok(Vec::new());
        };
        let table = value.as_table().ok_or_else(|| self.wrong(key, "a table"))?;
        table
            .iter()
            .map(|(name, value)| {
                let path = format!("{}.{name}", self.key(key));
                let table = value
                    .as_table()
                    .ok_or_else(|| self.wrong(&format!("{key}.{name}"), "a table"))?;
                Ok((name.clone(), Keys::new(self.file, path, table)))
            })
            .collect()
    }

    /// The tables of an array at a key; none if it is absent.
    pub(super) fn tables(&mut self, key: &'static str) -> Loaded<Vec<Keys<'a>>> {
        let Some(value) = self.value(key) else {
            return Ok(Vec::new());
        };
        let array = value
            .as_array()
            .ok_or_else(|| self.wrong(key, "a list of tables"))?;
        array
            .iter()
            .enumerate()
            .map(|(index, value)| {
                let table = value
                    .as_table()
                    .ok_or_else(|| self.wrong(key, "a list of tables"))?;
                Ok(Keys::new(self.file, format!("{}[{index}]", self.key(key)), table))
            })
            .collect()
    }

    /// Names of the keys that are there.
    pub(super) fn names(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        self.table.keys().map(String::as_str)
    }

    /// Refuses whatever nobody read.
    pub(super) fn finish(self) -> Loaded<()> {
        match self.table.keys().find(|key| !self.seen.contains(key.as_str())) {
            None => Ok(()),
            Some(key) => Err(LoadError::UnknownKey {
                file: self.file.to_owned(),
                key: self.key(key),
            }),
        }
    }
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

/// TOML of bounded length.
pub(super) fn parse(file: &str, text: &str) -> Loaded<toml::Table> {
    if text.len() > PACK_LEN_MAX {
        return Err(LoadError::TooLong {
            file: file.to_owned(),
            got: text.len(),
        });
    }
    text.parse::<toml::Table>().map_err(|error| LoadError::Syntax {
        file: file.to_owned(),
        message: error.to_string().trim_end().replace('\n', " "),
    })
}

/// Names already used, for whoever must not say one twice.
pub(super) fn first_repeated<'a>(names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let mut seen = BTreeSet::new();
    names.into_iter().find(|name| !seen.insert(*name))
}
