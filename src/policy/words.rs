//! The words of a pack against the vocabulary.

use serde_json::Value as Json;
use toml::Value;

use super::{keys::Keys, load_error::FaultKind, operands::json};
use crate::vocabulary::{Takes, vocabulary};

fn unknown(keys: &Keys<'_>, key: &str, word: &str, sort: &'static str, accepted: Vec<String>) {
    keys.fault(FaultKind::UnknownWord {
        key: keys.key(key),
        word: word.to_owned(),
        sort,
        accepted,
    });
}

/// Each of a list of words that is no kind of lot is a fault.
pub(super) fn kinds(keys: &Keys<'_>, key: &str, words: &[String]) {
    for (index, word) in words.iter().enumerate() {
        if vocabulary().stage(word).is_none() {
            unknown(keys, &format!("{key}[{index}]"), word, "kind", Vec::new());
        }
    }
}

/// The same for steps.
pub(super) fn steps(keys: &Keys<'_>, key: &str, words: &[String]) {
    for (index, word) in words.iter().enumerate() {
        if vocabulary().step(word).is_none() {
            unknown(keys, &format!("{key}[{index}]"), word, "step", Vec::new());
        }
    }
}

/// The id of a list.
pub(super) fn list(keys: &Keys<'_>, key: &str, word: &str) {
    if !vocabulary().lists().any(|(known, _)| known == word) {
        let known = vocabulary().lists().map(|(word, _)| word.to_owned()).collect();
        unknown(keys, key, word, "list", known);
    }
}

/// A field of the context which holds this.
pub(super) fn field(keys: &Keys<'_>, key: &str, path: &str, takes: Takes) {
    if path.is_empty() {
        // A fault already.
        return;
    }
    match vocabulary().context_field(path) {
        Some(field) if field.takes == takes => {}
        Some(field) => keys.wrong(
            key,
            &format!("a field that takes {takes}; {path} takes {}", field.takes),
        ),
        None => unknown(keys, key, path, "field of the context", fields(takes)),
    }
}

fn fields(takes: Takes) -> Vec<String> {
    let fields = vocabulary()
        .context_fields()
        .filter(|(_, field)| field.takes == takes);
    fields.map(|(path, _)| path.to_owned()).collect()
}

/// What a field of the context is compared with, each in the one spelling that contexts are read into.
pub(super) fn values(keys: &Keys<'_>, key: &str, path: &str, values: &[Value]) -> Vec<Json> {
    let Some(field) = vocabulary().context_field(path) else {
        let known = vocabulary().context_fields().map(|(path, _)| path.to_owned());
        if !path.is_empty() {
            unknown(keys, "path", path, "field of the context", known.collect());
        }
        return Vec::new();
    };
    let mut read = Vec::new();
    for value in values {
        let plain = json(value);
        match plain.as_ref().map(|plain| field.read(plain)) {
            // A pack writes the word itself: a spelling is for askers.
            Some(Some(canonical)) if plain.as_ref() == Some(&canonical) => read.push(canonical),
            _ => match (field.takes, value.as_str()) {
                (Takes::Word, Some(word)) => {
                    let known = field.values().map(|(word, _)| word.to_owned()).collect();
                    unknown(keys, key, word, "value of that field", known);
                }
                _ => keys.wrong(key, &format!("{}, which {path} takes", field.takes)),
            },
        }
    }
    read
}

/// Codes of countries (`KR`) or subdivisions (`CN-XJ`).
pub(super) fn places(keys: &Keys<'_>, key: &str, words: &[String]) {
    let upper = |text: &str| text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_uppercase());
    let part = |text: &str| {
        (1..=3).contains(&text.len())
            && text
                .bytes()
                .all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit())
    };
    for (index, word) in words.iter().enumerate() {
        let fits = match word.split_once('-') {
            None => upper(word),
            Some((country, rest)) => upper(country) && part(rest),
        };
        if !fits {
            keys.wrong(
                &format!("{key}[{index}]"),
                "an ISO 3166 code of a country or subdivision, as KR or CN-XJ",
            );
        }
    }
}
