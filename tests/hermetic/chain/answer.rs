//! Questions to a projection, and their answers in a line.
//!
//! ```text
//! stock A = cam 82 kg | cam>cell 10 kg | cell 1 piece in cell2#M     made A = 100 kg     used A = 18 kg
//! up A = B, C?        ancestors; `?` is one that may be one          down A = ...
//! found = none        all anomalies, `LOT KIND by SIGNER: DETAIL`    found A = ... behind one lot
//! lineage A = 2       how many anomalies there are behind it         facts A = ... what counts
//! state A = recalled, held, unknown                                  by A = makers
//! verdict A = not compliant                                          moves A = shipped cam>cell 10 kg
//! open A = B KIND   contradictions that keep a verdict from being compliant
//! ```

use std::collections::{BTreeMap, BTreeSet};

use lotproof::{
    policy::{Context, Mode, Outcome, Question, Verdict, evaluate, load_pack, view::Purpose},
    provenance::{Amount, Anomaly, AnomalyKind, Bounds, Direction, Projection},
};

use super::{Chain, short};

/// Every question, with what the chain answers.
pub(crate) fn answers(chain: &Chain, questions: &str) -> Vec<String> {
    questions
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .map(|line| {
            let question = line.split_once(" =").map_or(line, |(question, _)| question);
            let words: Vec<&str> = question.split_whitespace().collect();
            format!("{} = {}", words.join(" "), chain.answer(&words))
        })
        .collect()
}

impl Chain {
    fn answer(&self, question: &[&str]) -> String {
        let projection = self.projection();
        let lot = question.get(1).map(|name| short::asked(name)).unwrap_or_default();
        let told = match question {
            ["found"] => rows(projection.anomalies().iter()),
            ["found", _] => rows(projection.anomalies_of(&lot).iter()),
            ["lineage", _] => projection
                .lineage(&lot, usize::MAX)
                .map_or_else(|| "not known".into(), |behind| behind.total.to_string()),
            ["verdict", _] => self.verdict(&lot),
            ["open", _] => self.open(&lot),
            ["up", _] => walk(projection, &lot, Direction::Up),
            ["down", _] => walk(projection, &lot, Direction::Down),
            ["moves", _] => moves(projection, &lot),
            ["findings"] => list(
                self.findings
                    .iter()
                    .map(|(_, finding)| format!("{} at {}", finding.code, finding.path)),
            ),
            ["refused"] => self.refused.len().to_string(),
            [what, _] => summary(projection, what, &lot),
            _ => panic!("{question:?} asks nothing"),
        };
        short::shorten(&told)
    }

    /// What is compliant by no reading of *majority*, is not.
    fn verdict(&self, lot: &str) -> String {
        let answers: Vec<Outcome> = self.judged(lot).iter().map(|judged| judged.verdict).collect();
        if answers.contains(&Outcome::Compliant) {
            "compliant".into()
        } else if answers.contains(&Outcome::NotApplicable) {
            "not applicable".into()
        } else {
            "not compliant".into()
        }
    }

    /// If some reading of *majority* calls a lot compliant: the events on which that rests, by signer and id.
    pub(crate) fn compliant_on_the_word_of(&self, name: &str) -> Option<BTreeSet<(String, String)>> {
        let judged = self.judged(&short::asked(name));
        let mut compliant = judged
            .iter()
            .filter(|judged| judged.verdict == Outcome::Compliant)
            .peekable();
        compliant.peek()?;
        let words = compliant.flat_map(|judged| &judged.rests_on);
        let events = words.flat_map(|word| {
            let signer = short::shorten(&word.signer);
            word.facts
                .iter()
                .map(move |fact| (signer.clone(), fact.event_id.clone()))
        });
        Some(events.collect())
    }

    /// Contradictions among what is missing, whatever the reading.
    fn open(&self, lot: &str) -> String {
        let judged = self.judged(lot);
        let missing = judged.iter().flat_map(|judged| &judged.missing);
        let mut rows: Vec<String> = missing
            .filter_map(|missing| {
                let code = missing.path.strip_prefix("contradiction.")?;
                Some(format!("{} {code}", missing.subject.strip_prefix("lot:")?))
            })
            .collect();
        rows.sort();
        rows.dedup();
        list(rows)
    }

    /// Section 154, asked by its addressee, by each reading of *majority*.
    fn judged(&self, lot: &str) -> Vec<Verdict> {
        let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("policies");
        let name = "us-ndaa-fy2024-s154.toml";
        let text = std::fs::read_to_string(root.join(name)).expect("the pack is there");
        let pack = load_pack(name, &text, Mode::Lenient).expect("the pack loads");
        let context = br#"{"buyer": {"agency": "US-DOD"}, "obligation_date": "2027-11-01", "end_item_assembler": null}"#;
        let context = Context::from_json(context).expect("a context");
        let view = self.projection().view(self.state.size(), Purpose::Test);
        let asked = ["count", "cost", "mass"].map(|measure| {
            let params = BTreeMap::from([("majority_measure".to_owned(), measure.to_owned())]);
            let question = Question {
                lot,
                pack: &pack,
                context: &context,
                params: &params,
                evaluation: time::macros::date!(2026 - 11 - 30),
            };
            evaluate(&view, &question).expect("a question")
        });
        asked.into()
    }
}

fn rows<'a>(anomalies: impl Iterator<Item = &'a Anomaly>) -> String {
    list(anomalies.map(|anomaly| {
        let last = anomaly
            .last
            .as_ref()
            .map(|last| format!("..{last}"))
            .unwrap_or_default();
        let kind = anomaly.kind.as_str();
        let (lot, signer, detail) = (&anomaly.lot, &anomaly.signer, &anomaly.detail);
        let detail = match anomaly.kind {
            AnomalyKind::VoidedAfterUse => "contested",
            AnomalyKind::OwnAncestor => "nothing entered the circle",
            _ => detail,
        };
        format!("{lot}{last} {kind} by {signer}: {detail}")
    }))
}

fn list(rows: impl IntoIterator<Item = String>) -> String {
    let mut rows: Vec<String> = rows.into_iter().map(|row| short::shorten(&row)).collect();
    rows.sort();
    if rows.is_empty() {
        "none".into()
    } else {
        rows.join(" | ")
    }
}

fn amounts(amounts: &[Amount]) -> String {
    amounts
        .iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(" + ")
}

fn walk(projection: &Projection, lot: &str, direction: Direction) -> String {
    let Some(walk) = projection.provenance(lot, direction, Bounds::default()) else {
        return "not known".into();
    };
    assert!(!walk.truncated, "{:?}", walk.left_out);
    let nodes = walk.nodes.iter().filter(|node| node.depth > 0).map(|node| {
        let last = node
            .last
            .as_ref()
            .map(|last| format!("..{last}"))
            .unwrap_or_default();
        let possible = if node.possible { "?" } else { "" };
        short::shorten(&format!("{}{last}{possible}", node.lot))
    });
    let mut names: Vec<String> = nodes.collect();
    names.sort();
    if names.is_empty() {
        "none".into()
    } else {
        names.join(", ")
    }
}

fn moves(projection: &Projection, lot: &str) -> String {
    let Some(rows) = projection.custody(lot) else {
        return "not known".into();
    };
    let rows: Vec<String> = rows
        .iter()
        .map(|row| {
            let to = row.to.as_ref().map(|to| format!(">{to}")).unwrap_or_default();
            let at = row
                .facility
                .as_ref()
                .map(|at| format!(" at {at}"))
                .unwrap_or_default();
            let amount = row
                .quantity
                .as_ref()
                .map(|amount| format!(" {amount}"))
                .unwrap_or_default();
            let reported = row
                .reported_by
                .as_ref()
                .map(|by| format!(" reported by {by}"))
                .unwrap_or_default();
            let party = row.party.as_deref().unwrap_or("nobody named");
            format!("{} {party}{to}{amount}{at}{reported}", row.kind)
        })
        .collect();
    if rows.is_empty() {
        "none".into()
    } else {
        rows.join(" | ")
    }
}

fn summary(projection: &Projection, what: &str, lot: &str) -> String {
    let Some(lot) = projection.lot(lot) else {
        return "not known".into();
    };
    match what {
        "made" => {
            let most = if lot.made_at_most.is_empty() {
                String::new()
            } else {
                format!(" to {}", amounts(&lot.made_at_most))
            };
            let unknown = if lot.made_unknown { " and more" } else { "" };
            let made = if lot.made.is_empty() {
                "nothing".into()
            } else {
                amounts(&lot.made)
            };
            format!("{made}{most}{unknown}")
        }
        "used" => {
            if lot.used.is_empty() {
                "nothing".into()
            } else {
                amounts(&lot.used)
            }
        }
        "stock" => list(lot.stock.iter().map(|row| {
            let holder = row.holder.clone().unwrap_or_else(|| {
                let name = |party: &Option<String>| party.clone().unwrap_or_default();
                format!("{}>{}", name(&row.from), name(&row.to))
            });
            let amount = if row.at_least == row.at_most {
                row.at_least.to_string()
            } else {
                format!("{} to {}", row.at_least.value, row.at_most)
            };
            let parent = row
                .parent
                .as_ref()
                .map(|parent| format!(" in {parent}"))
                .unwrap_or_default();
            format!("{holder} {amount}{parent}")
        })),
        "state" => list(
            [
                (lot.on_hold, "held"),
                (lot.recalled, "recalled"),
                (lot.unknown, "unknown"),
            ]
            .into_iter()
            .filter(|(is, _)| *is)
            .map(|(_, word)| word.to_owned()),
        ),
        "by" => list(lot.makers.clone()),
        "reported" => list(lot.reported_by.clone()),
        "class" => list(lot.class_lot.clone()),
        "uncompared" => list(lot.not_compared.clone()),
        "strangers" => lot.strangers.total.to_string(),
        "facts" => list(lot.facts.iter().map(|fact| {
            let id = &fact.event.event_id;
            match (fact.counts, fact.contested) {
                (true, false) => id.clone(),
                (true, true) => format!("{id} contested"),
                (false, _) => format!("{id} not counted"),
            }
        })),
        _ => panic!("{what} asks nothing"),
    }
}
