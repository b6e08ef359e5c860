//! What is missing, as sentences, by whom to ask.
//!
//! Who made a lot can say how; where nobody says who made it, whoever built it in knows from whom he had it. What is
//! about a party the party can say, what is about a list the authority, and what is about the procurement the asker.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use time::Date;

use super::{
    leaf::contradiction_at,
    recall::Recall,
    rests::ASKER,
    verdict::{Ask, Missing},
    view::{Exact, LotFacts, StepFacts},
};

/// Whoever keeps the register and the lists.
const AUTHORITY: &str = "authority";
/// Somebody who is not known.
const NOBODY: &str = "unknown";
/// Most sentences for one party; how many more there are is said.
const SENTENCES_MAX: usize = 32;

/// Where a lot went in.
struct Use {
    lot: String,
    operator: Option<String>,
    count: Option<Exact>,
}

struct Asking<'a, 'v> {
    recall: &'a Recall<'v>,
    clock: Option<Date>,
    at: Date,
    uses: BTreeMap<String, Use>,
}

/// The sentences for everything that is missing.
pub(super) fn asks(recall: &Recall<'_>, clock: Option<Date>, at: Date, missing: &[Missing]) -> Vec<Ask> {
    if missing.is_empty() {
        return Vec::new();
    }
    let mut asking = Asking {
        recall,
        clock,
        at,
        uses: BTreeMap::new(),
    };
    asking.note_uses();
    let mut by_whom: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut said = BTreeSet::new();
    for fact in missing {
        let (whom, sentence) = asking.sentence(fact);
        if said.insert((whom.clone(), sentence.clone())) {
            by_whom.entry(whom).or_default().push(sentence);
        }
    }
    by_whom
        .into_iter()
        .map(|(whom, mut sentences)| {
            let more = sentences.len().saturating_sub(SENTENCES_MAX);
            sentences.truncate(SENTENCES_MAX);
            Ask {
                name: asking.name(&whom),
                whom,
                sentences,
                more,
            }
        })
        .collect()
}

/// What two readings ask for, each sentence once.
pub(super) fn together(one: Vec<Ask>, other: Vec<Ask>) -> Vec<Ask> {
    let mut by_whom: BTreeMap<String, Ask> = one.into_iter().map(|ask| (ask.whom.clone(), ask)).collect();
    for more in other {
        let Some(known) = by_whom.get_mut(&more.whom) else {
            by_whom.insert(more.whom.clone(), more);
            continue;
        };
        for sentence in more.sentences {
            if !known.sentences.contains(&sentence) {
                known.sentences.push(sentence);
            }
        }
        known.more = known.more.max(more.more);
    }
    by_whom.into_values().collect()
}

impl Asking<'_, '_> {
    /// Where each lot that was looked at went in.
    fn note_uses(&mut self) {
        for (lot, facts) in self.recall.seen(self.clock) {
            for step in &facts.productions {
                for input in &step.inputs {
                    let operator = step.operator.as_ref().map(|operator| operator.value.clone());
                    let found = Use {
                        lot: lot.clone(),
                        operator,
                        count: input.consumed.count.as_ref().map(|count| count.value.clone()),
                    };
                    let known = self.uses.get(&input.lot);
                    // Of several uses the first by name, so that the sentence is always the same.
                    if known.is_none_or(|known| lot < known.lot) {
                        self.uses.insert(input.lot.clone(), found);
                    }
                }
            }
        }
    }

    fn sentence(&self, missing: &Missing) -> (String, String) {
        let (sort, id) = missing
            .subject
            .split_once(':')
            .unwrap_or((missing.subject.as_str(), ""));
        let (whom, what, hint) = match sort {
            "lot" => self.of_lot(id, &missing.path),
            "party" => self.of_party(id, &missing.path),
            "list" => self.of_list(id, &missing.path),
            _ => {
                let field = crate::vocabulary::vocabulary().context_field(&missing.path);
                let title = field.map_or_else(String::new, |field| format!(" ({})", field.title));
                (
                    ASKER.to_owned(),
                    format!("{}{title}", missing.path),
                    String::new(),
                )
            }
        };
        let sentence = match (missing.stated, missing.needs) {
            (Some(stated), Some(needs)) => format!(
                "{what} is stated, but only as {}, and {} is asked for{hint}",
                in_words(stated.as_str()),
                in_words(needs.as_str())
            ),
            _ => format!("{what} is not stated{hint}"),
        };
        (whom, sentence)
    }

    /// Whom to ask about a lot, what is to be known, and why him.
    fn of_lot(&self, lot: &str, path: &str) -> (String, String, String) {
        let thing = self.thing(lot);
        let what = match path {
            "kind" => format!("what {thing} is"),
            "step" | "step.operator" => format!("who made {thing}"),
            "step.principal" => format!("on whose behalf {thing} was made"),
            "step.step" => format!("by which step {thing} was made"),
            "step.makes" => {
                format!("by which step {thing} came out of what went in, as its own does not make that,")
            }
            "step.inputs" => format!("what went into {thing}"),
            "step.inputs_complete" => format!("whether that is all that went into {thing}"),
            "cells" => format!("how many cells went into each piece of {thing}"),
            "pieces" => format!("which pieces of {thing} were taken"),
            "step.date" => format!("when {thing} was made"),
            "step.custody_model" => format!("a link that the rules accept between {thing} and what went in"),
            "step.licences" => format!("under which licences {thing} was made, and that these are all,"),
            "ancestry" => {
                format!("of what {thing} is made without going in a circle or beyond what is followed")
            }
            path => {
                if let Some(code) = contradiction_at(path) {
                    format!("how the contradiction {} at {thing} is resolved", in_words(code))
                } else if let Some(input) = between(path, "step.inputs[", "].titles") {
                    format!(
                        "from whom {}, which went into {thing}, was bought",
                        self.thing(input)
                    )
                } else if let Some(input) = between(path, "step.inputs[", "].cost") {
                    format!("what {}, which went into {thing}, cost", self.thing(input))
                } else if path.starts_with("step.facility") {
                    format!("where {thing} was made")
                } else {
                    format!("{} of {thing}", in_words(path))
                }
            }
        };
        let facts = self.recall.lot(lot, self.clock);
        let who_made = matches!(path, "step" | "step.operator" | "kind");
        let maker = facts.productions.iter().find_map(operator);
        if let Some(maker) = maker.filter(|_| path != "step.operator") {
            return (maker, what, String::new());
        }
        let user = self.uses.get(lot);
        match user.and_then(|used| Some((used, used.operator.clone()?))) {
            Some((used, whom)) => {
                let name = self.name(&whom).unwrap_or_else(|| whom.clone());
                let role = if who_made {
                    ", which built them in"
                } else {
                    ", which used them"
                };
                let role = if count_of(used.count.as_ref()).is_some() {
                    role.to_owned()
                } else {
                    role.replace("them", "it")
                };
                (whom, what, format!("; ask {name}{role}"))
            }
            None => (
                NOBODY.to_owned(),
                what,
                "; nobody in the log is known to have made or used it".to_owned(),
            ),
        }
    }

    fn of_party(&self, party: &str, path: &str) -> (String, String, String) {
        let name = self.name(party).unwrap_or_else(|| party.to_owned());
        let (whom, what) = match path {
            "enrolment" => (AUTHORITY, format!("who {name} is: it is not enrolled, and that")),
            "organized_in" => (AUTHORITY, format!("where {name} is organised")),
            "principal_place" => (
                AUTHORITY,
                format!("where {name} has its principal place of business"),
            ),
            "citizenships" => (AUTHORITY, format!("the citizenships of {name}")),
            "permanent_residences" => (
                AUTHORITY,
                format!("of which countries {name} is a permanent resident"),
            ),
            "ownership" => (party, format!("who owns {name}, and that these are all,")),
            "predecessors" => (party, format!("whom {name} succeeds")),
            path if path.starts_with("licences") => {
                (party, format!("which licences {name} holds, from whom,"))
            }
            path => (party, format!("{} of {name}", in_words(path))),
        };
        (whom.to_owned(), what, String::new())
    }

    fn of_list(&self, list: &str, path: &str) -> (String, String, String) {
        let title = crate::vocabulary::vocabulary()
            .lists()
            .find(|(known, _)| *known == list)
            .map_or(list, |(_, title)| title);
        let what = match path {
            "edition" => format!("an edition of the list {list} ({title}) for that date"),
            "complete" => format!("whether the list {list} ({title}) names everybody"),
            path => match between(path, "match_decision[", "]") {
                Some(party) => {
                    let name = self.name(party).unwrap_or_else(|| party.to_owned());
                    format!("whether {name} is the one on the list {list} whose name is like its own")
                }
                None => format!("{} of the list {list}", in_words(path)),
            },
        };
        (AUTHORITY.to_owned(), what, String::new())
    }

    /// A lot as one says it: `the 32 cells of 09523025000011`.
    fn thing(&self, lot: &str) -> String {
        let facts = self.recall.lot(lot, self.clock);
        let kind = facts.kind.as_ref().map(|kind| in_words(&kind.value));
        let short = shortened(lot);
        let count = self.uses.get(lot).and_then(|used| count_of(used.count.as_ref()));
        match (count, kind) {
            (Some(count), Some(kind)) => format!("the {count} {kind}s of {short}"),
            (Some(count), None) => format!("the {count} pieces of {short}"),
            (None, Some(kind)) => format!("{kind} {short}"),
            (None, None) => short,
        }
    }

    fn name(&self, party: &str) -> Option<String> {
        let facts = self.recall.party(party, self.at)?;
        facts.names.first().cloned()
    }
}

fn operator(step: &StepFacts) -> Option<String> {
    Some(step.operator.as_ref()?.value.clone())
}

/// A number of pieces that is more than one.
fn count_of(count: Option<&Exact>) -> Option<String> {
    let count = count.filter(|count| count.is_integer())?.to_integer();
    (count > 1.into()).then(|| count.to_string())
}

/// What stands between a beginning and an end.
fn between<'t>(text: &'t str, before: &str, after: &str) -> Option<&'t str> {
    text.strip_prefix(before)?.strip_suffix(after)
}

pub(super) fn in_words(word: &str) -> String {
    word.replace(['_', '.'], " ")
}

/// An identifier without what all of its sort share.
fn shortened(lot: &str) -> String {
    let Some(link) = lot.strip_prefix("https://id.gs1.org/01/") else {
        return lot.to_owned();
    };
    link.replace("/10/", " lot ").replace("/21/", " serial ")
}

/// Lots that were looked at, by name.
pub(super) type SeenLots = Vec<(String, Arc<LotFacts>)>;
