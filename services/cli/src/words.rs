//! Words in which lots, parties and amounts are told to people.

use lotproof::{provenance::StepItem, time::EventTime};

/// GS1 identifiers without the part that all share.
pub(crate) fn short(identifier: &str) -> &str {
    identifier
        .strip_prefix("https://id.gs1.org/")
        .unwrap_or(identifier)
}

/// A lot, or a run of serials from the first to the last.
pub(crate) fn range(lot: &str, last: Option<&str>) -> String {
    match last {
        Some(last) => format!("{} to {}", short(lot), short(last)),
        None => short(lot).to_owned(),
    }
}

/// How much of an item, with a word between it and the item.
pub(crate) fn amount_of(item: &StepItem) -> String {
    match &item.quantity {
        Some(quantity) => format!("{quantity} of "),
        None if item.sealed => "a sealed amount of ".to_owned(),
        None => String::new(),
    }
}

/// A claimed time, to the second.
pub(crate) fn time(at: EventTime) -> String {
    let nanos = at.as_nanos();
    lotproof::time::rfc3339(nanos - nanos.rem_euclid(1_000_000_000))
}

/// `1 lot`, `2 lots`.
pub(crate) fn count(number: usize, one: &str) -> String {
    match number {
        1 => format!("1 {one}"),
        _ => format!("{number} {one}s"),
    }
}

/// Several things in one line.
pub(crate) fn list(things: impl IntoIterator<Item = String>) -> String {
    things.into_iter().collect::<Vec<_>>().join(", ")
}

/// The first few of several things in one line, and how many more there are.
pub(crate) fn first_few(things: &[String]) -> String {
    const FEW: usize = 10;
    let more = things.len().saturating_sub(FEW);
    let shown = list(things.iter().take(FEW).cloned());
    match more {
        0 => shown,
        _ => format!("{shown} and {more} more"),
    }
}

/// A word of an answer, as JSON has it.
pub(crate) fn word(value: &impl serde::Serialize) -> anyhow::Result<String> {
    let json = serde_json::to_value(value)?;
    Ok(json.as_str().unwrap_or_default().to_owned())
}
