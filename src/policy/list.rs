//! Entity lists: files of dated editions, which edition counts when, and when a name is on one.
//!
//! The edition in force at a date is the newest one effective by then. Editions marked `fixture` are
//! fictional: they *add* their entries to it, only where the ledger's purpose is demo, test or sandbox, and
//! never hide a real name. An incomplete list can put a party on it, and clears nobody.

use super::{
    keys::Keys,
    likeness::{Likeness, likeness},
    load_error::{Faults, LoadError},
    view::{ListEdition, ListEntry, Purpose},
    words,
};
use time::Date;

/// The schema that list files name.
pub const LIST_SCHEMA: &str = "provenance-list/1";

/// Loads one list edition from its file. `file` is how errors call it.
///
/// # Errors
/// Everything that is wrong with it, each by line and key.
pub fn load_list(file: &str, text: &str) -> Result<ListEdition, LoadError> {
    let (faults, root) = Faults::parse(file, text)?;
    let mut keys = Keys::new(&faults, "", &root);
    keys.choice("schema", &[(LIST_SCHEMA, ())], ());
    // For a person, and for whoever checks the edition against its source.
    keys.text("title");
    keys.text("source");
    let mut edition = ListEdition {
        list: keys.text("list"),
        edition: keys.text("edition"),
        effective_from: keys.date("effective_from"),
        complete: keys.flag_or("complete", false),
        fixture: keys.flag_or("fixture", false),
        later_withdrawn: false,
        entries: Vec::new(),
    };
    if !edition.list.is_empty() {
        words::list(&keys, "list", &edition.list);
    }
    for mut entry in keys.tables("entry") {
        edition.entries.push(ListEntry {
            name: entry.text("name"),
            aliases: entry.optional_texts("aliases").unwrap_or_default(),
            sublist: entry.optional_text("sublist"),
            parties: entry.optional_texts("parties").unwrap_or_default(),
            others: entry.optional_texts("others").unwrap_or_default(),
        });
        entry.optional_text("note");
        entry.finish();
    }
    keys.finish();
    faults.none(edition)
}

/// The editions that count at a date, the real one first; empty if there is none yet.
pub(super) fn in_force(editions: &[ListEdition], at: Date, purpose: Purpose) -> Vec<&ListEdition> {
    let newest = |fixture: bool| {
        editions
            .iter()
            .filter(|edition| edition.fixture == fixture && edition.effective_from <= at)
            .max_by(|a, b| (a.effective_from, &a.edition).cmp(&(b.effective_from, &b.edition)))
    };
    let fixture = (purpose != Purpose::Production).then(|| newest(true)).flatten();
    newest(false).into_iter().chain(fixture).collect()
}

/// How an entry compares with a party of this identifier and these names. A decision of the authority settles it.
pub(super) fn means(entry: &ListEntry, aliases: bool, party: &str, names: &[String]) -> Likeness {
    if entry.parties.iter().any(|decided| decided == party) {
        return Likeness::Same;
    }
    if entry.others.iter().any(|decided| decided == party) {
        return Likeness::Other;
    }
    let listed = std::iter::once(&entry.name).chain(entry.aliases.iter().filter(|_| aliases));
    listed
        .flat_map(|listed| names.iter().map(move |name| likeness(listed, name)))
        .max()
        .unwrap_or(Likeness::Other)
}

#[cfg(test)]
mod tests {
    use time::macros::date;

    use super::*;

    fn edition(name: &str, effective_from: Date, fixture: bool) -> ListEdition {
        ListEdition {
            list: "l".into(),
            edition: name.into(),
            effective_from,
            complete: true,
            fixture,
            later_withdrawn: false,
            entries: vec![],
        }
    }

    #[test]
    fn the_newest_effective_edition_counts_and_fixtures_add_to_it() {
        let editions = [
            edition("old", date!(2023 - 12 - 22), false),
            edition("new", date!(2026 - 06 - 08), false),
            edition("made-up", date!(2020 - 01 - 01), true),
        ];
        let names = |at, purpose| {
            in_force(&editions, at, purpose)
                .iter()
                .map(|e| e.edition.as_str())
                .collect::<Vec<_>>()
        };
        assert_eq!(names(date!(2024 - 01 - 01), Purpose::Production), ["old"]);
        assert_eq!(names(date!(2026 - 06 - 08), Purpose::Demo), ["new", "made-up"]);
        assert_eq!(
            names(date!(2023 - 12 - 21), Purpose::Production),
            Vec::<&str>::new()
        );
    }

    #[test]
    fn spelling_of_the_company_form_does_not_hide_a_name_and_a_decision_overrides_it() {
        let entry = ListEntry {
            name: "EVE Energy Company, Limited".into(),
            aliases: vec!["亿纬锂能".into()],
            sublist: None,
            parties: vec!["https://example.org/party/1".into()],
            others: vec!["https://example.org/party/2".into()],
        };
        let names = |name: &str| vec![name.to_owned()];
        let (yes, no) = ("https://example.org/party/1", "https://example.org/party/2");
        for (aliases, party, name, expected) in [
            (true, "p", "EVE ENERGY CO., LTD.", Likeness::Same),
            (true, "p", "亿纬锂能", Likeness::Same),
            (false, "p", "亿纬锂能", Likeness::Other),
            (true, "p", "EVE Energy (Europe) GmbH", Likeness::Alike),
            (true, "p", "Steve Energy Co., Ltd.", Likeness::Other),
            (true, yes, "Other", Likeness::Same),
            (true, no, "EVE Energy Co Ltd", Likeness::Other),
        ] {
            assert_eq!(
                means(&entry, aliases, party, &names(name)),
                expected,
                "{party} {name}"
            );
        }
    }
}
