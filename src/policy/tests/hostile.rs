//! What anybody may write about his own lots and owners must not cost others more than a moment. Each case
//! here doubles with every rung of its ladder, so that a bound that is lost shows as a test that never ends.

use std::collections::BTreeMap;

use serde_json::json;

use super::{
    day,
    laws::{fixture, lot},
    number,
};
use crate::policy::world::{Number, PartyRow, World};
use crate::policy::{Context, Mode, Outcome, Question, Verdict, evaluate, load_pack};

/// Lots of listed makers and of those that listed parties hold, the list read as of the step.
const HELD: &str = r#"
schema = "provenance-rules/1"
[pack]
id = "held"
version = "1"
subject_kinds = ["*"]
custody = ["segregated"]
[clock]
trigger = "context.obligation_date"
[list.s154]
file = "lists/us-ndaa-154.toml"
[select.origins]
from = "ancestors"
include_self = true
closed_to = ["refined_salt"]
[class.named]
listed = { list = "s154", clock = "event" }
[class.held]
owned = { by = "named", measure = ["equity"], aggregate = "sum", cmp = "gt", value = "0.5", path = "look_through" }
[expr.bad_maker]
party = { role = "operator", is = "held" }
[expr.bad]
exists = { in = "origins", where = "bad_maker" }
[expr.always]
context = { path = "obligation_date", in = ["2027-11-01"] }
[[rule]]
id = "a"
applies = "always"
effective = [{ from = 2000-01-01 }]
fails_if = "bad"
min_assurance = "asserted"
"#;

const RUNGS: usize = 60;

fn judged(fixture: &World, lot: &str) -> Verdict {
    let question = Question {
        lot,
        pack: &load_pack("held.toml", HELD, Mode::Strict).unwrap(),
        context: &Context::from_json(br#"{"obligation_date": "2027-11-01"}"#).unwrap(),
        params: &BTreeMap::new(),
        evaluation: day("2026-11-01"),
    };
    evaluate(fixture, &question).unwrap()
}

/// Two lots a rung, each merged from both of the rung above; the topmost two from each other.
#[test]
fn a_ladder_of_merges_under_a_circle_is_open_and_ends() {
    let mut fixture = fixture(Vec::new());
    for rung in 0..RUNGS {
        for side in ["l", "r"] {
            let above = ["l", "r"].map(|side| match rung + 1 {
                RUNGS => format!("{side}{rung}"),
                above => format!("{side}{above}"),
            });
            let row = json!({"kind": "refined_salt", "step": "merge", "operator": "clean", "produced": "2",
                "inputs": [{"lot": above[0], "mass": "1"}, {"lot": above[1], "mass": "1"}]});
            fixture.lots.insert(format!("{side}{rung}"), lot(row));
        }
    }
    let verdict = judged(&fixture, "l0");
    assert_eq!(verdict.verdict, Outcome::Indeterminate);
    assert!(verdict.missing.iter().any(|fact| fact.path == "ancestry"));
}

/// Two owners a rung, each held by both of the rung above, and nobody can say who is on the list.
#[test]
fn a_ladder_of_holdings_is_not_known_and_ends() {
    let mut fixture = fixture(vec![(
        "salt",
        json!({"kind": "refined_salt", "step": "mine", "operator": "l0"}),
    )]);
    for rung in 0..RUNGS {
        let above = ["l", "r"].map(|side| (format!("{side}{}", rung + 1), Number(number("0.5"))));
        for side in ["l", "r"] {
            let party = PartyRow {
                owners: above.clone().into(),
                name: format!("Holding {side}{rung}"),
                ..fixture.parties["clean"].clone()
            };
            fixture.parties.insert(format!("{side}{rung}"), party);
        }
    }
    assert_eq!(judged(&fixture, "salt").verdict, Outcome::Indeterminate);
}
