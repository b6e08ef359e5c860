//! `docs/custody.md` and `docs/anomalies.md` against the code: every event that concerns lots and every kind of
//! anomaly stands there, and nothing else does.

use std::collections::BTreeSet;

use lotproof::wire::shape::{EVENT, Kind};

const CUSTODY: &str = include_str!("../../docs/custody.md");
const ANOMALIES: &str = include_str!("../../docs/anomalies.md");
/// Where each kind of anomaly has its code.
const KINDS: &str = include_str!("../../src/provenance/concluding/anomaly.rs");

/// Fields by which an event speaks of lots, whatever else it has.
const LOTS: [&str; 9] = [
    "lot", "parent", "items", "serials", "units", "shipment", "recall", "event", "about",
];

/// Kinds of event that concern lots. Those of the authority, and of parties about themselves, do not.
fn about_lots() -> BTreeSet<&'static str> {
    let concerns = |kind: &Kind| match kind {
        Kind::Message(shape) => shape.fields.iter().any(|field| {
            LOTS.contains(&field.name) || field.name.starts_with("input") || field.name.starts_with("output")
        }),
        _ => false,
    };
    // Kinds begin at 16; an approval is about a party or lot, but an act of the authority.
    EVENT
        .fields
        .iter()
        .filter(|field| field.number >= 48 && concerns(&field.kind))
        .map(|field| field.name)
        .collect()
}

/// Codes in the first cells of the first table under a heading.
fn first_cells(page: &'static str, heading: &str) -> Vec<&'static str> {
    let section = page
        .split("\n## ")
        .find_map(|section| section.strip_prefix(heading));
    let section = section.unwrap_or_else(|| panic!("no section {heading}"));
    section
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split_once('`'))
        .map(|(code, _)| code)
        .collect()
}

#[test]
fn every_event_about_lots_says_what_it_does_to_stock_custody_and_composition() {
    let rows = first_cells(CUSTODY, "What each event does");
    assert_eq!(rows.iter().copied().collect::<BTreeSet<_>>(), about_lots());
    assert_eq!(rows.len(), about_lots().len(), "a row twice");
    let table = CUSTODY.lines().filter(|line| line.starts_with("| `"));
    for row in table.take(rows.len()) {
        let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
        assert_eq!(cells.len(), 4, "{row}");
        assert!(cells.iter().all(|cell| !cell.is_empty()), "{row}");
    }
}

/// Codes of the kinds of anomaly, from `Self::Kind => "code"`.
fn codes() -> Vec<&'static str> {
    KINDS
        .lines()
        .filter_map(|line| line.trim().strip_prefix("Self::")?.split_once(" => \""))
        .filter_map(|(_, code)| code.strip_suffix("\","))
        .collect()
}

#[test]
fn every_kind_of_anomaly_is_explained_with_an_example_and_its_cure() {
    let codes = codes();
    assert!(codes.len() > 10, "the codes are not where they were: {codes:?}");
    let sections: Vec<(&str, &str)> = ANOMALIES
        .split("\n### `")
        .skip(1)
        .filter_map(|section| section.split_once('`'))
        .collect();
    let headings: BTreeSet<&str> = sections.iter().map(|(code, _)| *code).collect();
    assert_eq!(headings, codes.into_iter().collect::<BTreeSet<_>>());
    for (code, text) in sections {
        for part in ["Means", "Weighs on", "Example", "Cured by"] {
            assert!(
                text.contains(&format!("\n- **{part}**: ")),
                "{code} has no {part}"
            );
        }
    }
}

#[test]
fn links_between_the_pages_lead_somewhere() {
    for (page, other, name) in [
        (ANOMALIES, CUSTODY, "custody.md"),
        (CUSTODY, ANOMALIES, "anomalies.md"),
    ] {
        let links: Vec<&str> = page
            .split("](")
            .skip(1)
            .filter_map(|link| link.split_once(')').map(|(target, _)| target))
            .collect();
        assert!(
            links.iter().any(|link| link.starts_with(name)),
            "no link to {name}"
        );
        for anchor in links
            .iter()
            .filter_map(|link| link.strip_prefix(name)?.strip_prefix('#'))
        {
            let is_it = |heading: &str| heading.to_lowercase().replace(' ', "-") == anchor;
            let mut headings = other.lines().filter_map(|line| line.strip_prefix("## "));
            assert!(headings.any(is_it), "{name} has no {anchor}");
        }
    }
}
