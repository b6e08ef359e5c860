//! `docs/vocabulary.md` against the vocabulary itself: every fact that rules need and every operator of a
//! pack has a row, and every field that a row names exists.

use std::collections::{BTreeMap, BTreeSet};

use lotproof::{
    policy::Operator,
    wire::shape::{EVENT, Kind, Shape},
};

const PAGE: &str = include_str!("../../docs/vocabulary.md");

/// What rules of every regime need to know, by subject: whoever adds a fact adds its row.
const FACTS: [&str; 52] = [
    "step: id",
    "step: step id",
    "step: facility",
    "step: operator",
    "step: on behalf of",
    "step: started, ended",
    "step: licences used",
    "step: licences complete",
    "step: inputs",
    "step: outputs",
    "step: input lot, mass, count, energy",
    "step: input cost, currency, cost basis",
    "step: yield and loss",
    "step: inputs complete",
    "step: custody model",
    "step: allocation to outputs",
    "product: kind, chemistry, model",
    "product: mass and energy per piece",
    "product: composition",
    "product: country of origin",
    "facility: country, subdivision",
    "facility: address or geo point",
    "facility: operator over time",
    "facility: owner over time",
    "party: legal name",
    "party: aliases and local script",
    "party: registry ids",
    "party: organized in",
    "party: principal place",
    "party: domicile",
    "party: citizenship",
    "party: succession",
    "party: ownership, votes, debt",
    "party: board",
    "party: licences granted",
    "title: seller, buyer",
    "title: date",
    "title: contract date",
    "title: titles complete",
    "evidence: kind, subject, claim paths",
    "evidence: issuer",
    "evidence: hash",
    "evidence: valid from, to",
    "evidence: perjury flag",
    "evidence: revocation",
    "authority: list publication, addition, removal",
    "authority: list withdrawal",
    "authority: waiver granted, expired, revoked",
    "authority: approval granted",
    "authority: match decision",
    // Asked of nobody else: the two that every event has.
    "event: time",
    "event: certification",
];

/// The operators that ask the asker's context, or their own operands, and so no event.
const WITHOUT_EVENT: [Operator; 6] = [
    Operator::Any,
    Operator::All,
    Operator::Not,
    Operator::Context,
    Operator::ContextParty,
    Operator::Presume,
];

/// The rows of the table under a heading: first cell to last cell.
fn rows(heading: &str) -> BTreeMap<&'static str, &'static str> {
    let section = PAGE
        .split("\n## ")
        .find_map(|section| section.strip_prefix(heading))
        .unwrap_or_else(|| panic!("no section {heading}"));
    section
        .lines()
        .filter_map(|line| line.strip_prefix("| ")?.strip_suffix(" |"))
        .filter_map(|line| Some((line.split_once(" | ")?.0, line.rsplit_once(" | ")?.1)))
        .skip(1)
        .collect()
}

/// `Message.field` names in a cell.
fn fields_of(cell: &str) -> impl Iterator<Item = (&str, &str)> {
    cell.split('`')
        .skip(1)
        .step_by(2)
        .filter_map(|name| name.split_once('.'))
}

/// Every message that an event can hold, by its name.
fn messages() -> BTreeMap<&'static str, &'static Shape> {
    let mut found = BTreeMap::new();
    let mut open = vec![&EVENT];
    while let Some(shape) = open.pop() {
        if found.insert(shape.name, shape).is_none() {
            open.extend(shape.fields.iter().filter_map(|field| match field.kind {
                Kind::Message(inner) => Some(inner),
                _ => None,
            }));
        }
    }
    found
}

#[test]
fn every_fact_that_rules_need_has_a_field_that_supplies_it() {
    let rows = rows("Facts");
    for fact in FACTS {
        let cell = rows.get(fact).unwrap_or_else(|| panic!("no row for {fact}"));
        assert!(fields_of(cell).next().is_some(), "{fact} names no field");
    }
    let known = BTreeSet::from(FACTS);
    let strange: Vec<_> = rows.keys().filter(|fact| !known.contains(*fact)).collect();
    assert!(
        strange.is_empty(),
        "rows that this test does not know: {strange:?}"
    );
}

#[test]
fn every_operator_of_a_pack_has_a_row() {
    let rows = rows("Operators");
    for operator in Operator::ALL {
        let name = format!("`{}`", operator.key());
        let cell = rows
            .get(name.as_str())
            .unwrap_or_else(|| panic!("no row for {name}"));
        assert_eq!(
            fields_of(cell).next().is_none(),
            WITHOUT_EVENT.contains(&operator),
            "{name} asks events exactly if its row names some"
        );
    }
    assert_eq!(
        rows.len(),
        Operator::ALL.len(),
        "a row for an operator that is none"
    );
}

#[test]
fn every_field_that_is_named_exists() {
    let messages = messages();
    for (message, field) in fields_of(PAGE).filter(|(message, _)| message.starts_with(char::is_uppercase)) {
        let shape = messages
            .get(message)
            .unwrap_or_else(|| panic!("no message {message}"));
        assert!(
            shape.fields.iter().any(|known| known.name == field),
            "{message} has no field {field}"
        );
    }
}
