//! Laws: exact shares, and verdicts that no new fact turns into their opposite.

use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::json;

use super::{day, number};
use crate::policy::world::{LotRow, PartyRow, World};
use crate::policy::{
    Context, Mode, Outcome, Question, evaluate,
    ground::{Clocks, Grounder, Memo},
    leaf::Record,
    load_list, load_pack,
    recall::Recall,
    view::{Assurance, Exact, Purpose},
};

pub(super) fn lot(value: serde_json::Value) -> LotRow {
    serde_json::from_value(value).expect("a lot")
}

pub(super) fn fixture(lots: Vec<(&str, serde_json::Value)>) -> World {
    let party = |name: &str| PartyRow {
        name: name.to_owned(),
        owners: BTreeMap::new(),
        succeeds: Vec::new(),
        ownership_complete: true,
        citizenships: None,
        permanent_residences: None,
    };
    let list = include_str!("../../../policies/lists/us-ndaa-154.toml");
    World {
        parties: [
            ("clean", party("Clean Co.")),
            ("listed", party("BYD Company, Limited")),
        ]
        .map(|(id, row)| (id.to_owned(), row))
        .into(),
        lots: lots
            .into_iter()
            .map(|(id, row)| (id.to_owned(), lot(row)))
            .collect(),
        lists: vec![load_list("list", list).unwrap()],
        waivers: Vec::new(),
        purpose: Purpose::Test,
        assurance: Assurance::SupplierCertified,
        own_assurance: Assurance::SupplierCertified,
    }
}

/// A pack that only measures salts behind a lot.
const SALTS: &str = r#"
schema = "provenance-rules/1"
[pack]
id = "salts"
version = "1"
subject_kinds = ["*"]
custody = ["segregated"]
[clock]
trigger = "context.obligation_date"
[list.s154]
file = "lists/us-ndaa-154.toml"
[select.salts]
from = "ancestors"
kinds = ["refined_salt"]
closed_to = ["refined_salt"]
[select.cam]
from = "ancestors"
kinds = ["cam"]
closed_to = ["cam"]
[class.named]
listed = { list = "s154", clock = "trigger" }
[expr.bad]
party = { role = "operator", is = "named" }
[expr.always]
context = { path = "obligation_date", in = ["2027-11-01"] }
[expr.majority]
share = { in = "salts", where = "bad", measure = "cost", cmp = "gt", value = "0.5" }
[[rule]]
id = "a"
applies = "always"
effective = [{ from = 2000-01-01 }]
fails_if = "majority"
min_assurance = "asserted"
"#;

fn parts(fixture: &World, subject: &str, select: &str, measure: &str) -> Vec<(String, Exact)> {
    let pack = load_pack("salts.toml", SALTS, Mode::Strict).unwrap();
    let context = Context::default();
    let clocks = Clocks {
        trigger: Some(day("2027-11-01")),
        trigger_path: "obligation_date".into(),
        evaluation: day("2026-11-01"),
    };
    let (params, mut record) = (BTreeMap::new(), Record::default());
    let recall = Recall::new(fixture);
    let mut grounder = Grounder::new(
        &pack,
        &recall,
        &context,
        &params,
        &clocks,
        subject,
        (Assurance::Asserted, false),
        Memo::default(),
        &mut record,
    );
    let found = grounder.contributions(select, None, measure);
    assert!(!found.cut);
    found
        .parts
        .iter()
        .map(|part| (part.node.lot.to_string(), part.amount.clone().unwrap()))
        .collect()
}

/// A pack that fails lots made by nationals of one country, unless another country is theirs or their home.
const NATIONALS: &str = r#"
schema = "provenance-rules/1"
[pack]
id = "nationals"
version = "1"
subject_kinds = ["*"]
custody = ["segregated"]
[clock]
trigger = "context.obligation_date"
[set.barred]
values = ["KP"]
[select.lot]
from = "self"
[class.national]
citizen_of = { in = "barred", unless_citizen_or_lpr_of = "US" }
[expr.one_made_it]
party = { role = "operator", is = "national" }
[expr.made_by_one]
exists = { in = "lot", where = "one_made_it" }
[expr.always]
context = { path = "obligation_date", in = ["2027-11-01"] }
[[rule]]
id = "a"
applies = "always"
effective = [{ from = 2000-01-01 }]
fails_if = "made_by_one"
min_assurance = "asserted"
"#;

#[test]
fn a_national_is_freed_by_a_second_citizenship_or_a_residence_and_asked_for_what_he_does_not_say() {
    let pack = load_pack("nationals.toml", NATIONALS, Mode::Strict).unwrap();
    let judged = |citizenships: Option<&[&str]>, residences: Option<&[&str]>| {
        let mut fixture = fixture(vec![("lot", json!({"step": "mine", "operator": "clean"}))]);
        let owned = |countries: &[&str]| countries.iter().map(|country| (*country).to_owned()).collect();
        let maker = fixture.parties.get_mut("clean").unwrap();
        maker.citizenships = citizenships.map(owned);
        maker.permanent_residences = residences.map(owned);
        let question = Question {
            lot: "lot",
            pack: &pack,
            context: &Context::from_json(br#"{"obligation_date": "2027-11-01"}"#).unwrap(),
            params: &BTreeMap::new(),
            evaluation: day("2026-11-01"),
        };
        let verdict = evaluate(&fixture, &question).unwrap();
        let missing = verdict
            .missing
            .iter()
            .map(|one| one.path.clone())
            .collect::<Vec<_>>();
        (verdict.verdict, missing)
    };
    let asked = |path: &str| (Outcome::Indeterminate, vec![path.to_owned()]);
    assert_eq!(judged(None, Some(&["US"])), asked("citizenships"));
    assert_eq!(judged(Some(&["FR"]), None), (Outcome::Compliant, vec![]));
    assert_eq!(judged(Some(&["KP", "US"]), None), (Outcome::Compliant, vec![]));
    assert_eq!(judged(Some(&["KP"]), Some(&["US"])), (Outcome::Compliant, vec![]));
    assert_eq!(
        judged(Some(&["KP"]), Some(&["FR"])),
        (Outcome::NonCompliant, vec![])
    );
    assert_eq!(judged(Some(&["KP"]), None), asked("permanent_residences"));
}

/// 1,200 kg of CAM from 700 kg of salt A at 10 USD/kg and 500 kg of salt B at 14; 300 kg of it go into 600
/// cells, 8 of them into a pack.
fn worked_example() -> World {
    fixture(vec![
        (
            "a",
            json!({"kind": "refined_salt", "step": "convert", "operator": "clean", "produced": "700"}),
        ),
        (
            "b",
            json!({"kind": "refined_salt", "step": "convert", "operator": "listed", "produced": "500"}),
        ),
        (
            "cam",
            json!({"kind": "cam", "step": "calcine", "operator": "clean", "produced": "1200", "inputs": [
                {"lot": "a", "mass": "700", "cost": "7000"}, {"lot": "b", "mass": "500", "cost": "7000"}]}),
        ),
        (
            "cells",
            json!({"kind": "cell", "step": "form", "operator": "clean", "produced": "600", "inputs": [
                {"lot": "cam", "mass": "300", "cost": "6000"}]}),
        ),
        (
            "pack",
            json!({"kind": "pack", "step": "assemble_pack", "operator": "clean", "produced": "1", "inputs": [
                {"lot": "cells", "count": "8", "cost": "80"}]}),
        ),
    ])
}

#[test]
fn the_worked_example_is_exact() {
    let fixture = worked_example();
    let share = |measure| {
        let parts = parts(&fixture, "pack", "salts", measure);
        let total: Exact = parts.iter().map(|(_, amount)| amount).sum();
        let [(_, _), (b, amount)] = parts.as_slice() else {
            panic!("two salts: {parts:?}")
        };
        assert_eq!(b, "b");
        amount / total
    };
    assert_eq!(share("mass"), Exact::new(5.into(), 12.into()));
    assert_eq!(share("cost"), Exact::new(1.into(), 2.into()));
    assert_eq!(
        parts(&fixture, "pack", "cam", "mass"),
        [("cam".to_owned(), number("4"))]
    );
}

#[test]
fn half_is_not_more_than_half_however_long_the_chain() {
    let context = Context::from_json(br#"{"obligation_date": "2027-11-01"}"#).unwrap();
    let pack = load_pack("salts.toml", SALTS, Mode::Strict).unwrap();
    let ask = |fixture: &World| {
        let question = Question {
            lot: "pack",
            pack: &pack,
            context: &context,
            params: &BTreeMap::new(),
            evaluation: day("2026-11-01"),
        };
        evaluate(fixture, &question).unwrap()
    };
    let mut fixture = worked_example();
    assert_eq!(ask(&fixture).verdict, Outcome::Compliant);
    let cam = fixture.lots.get_mut("cam").unwrap();
    cam.inputs[1].cost = Some(crate::policy::world::Number(number("7000.01")));
    assert_eq!(ask(&fixture).verdict, Outcome::NonCompliant);
}

#[test]
fn a_parent_and_its_split_child_count_once() {
    let mut fixture = worked_example();
    fixture.lots.insert(
        "cam-part".into(),
        lot(
            json!({"kind": "cam", "step": "split", "operator": "clean", "produced": "300", "inputs": [
            {"lot": "cam", "mass": "300"}]}),
        ),
    );
    fixture.lots.get_mut("cells").unwrap().inputs[0].lot = "cam-part".into();
    assert_eq!(
        parts(&fixture, "pack", "cam", "mass"),
        [("cam".to_owned(), number("4"))]
    );
    let salts = parts(&fixture, "pack", "salts", "mass");
    let four = Exact::new(4.into(), 1200.into());
    assert_eq!(
        salts,
        [
            ("a".to_owned(), number("700") * &four),
            ("b".to_owned(), number("500") * four)
        ]
    );
}

#[test]
fn a_lot_that_comes_out_of_itself_is_open_and_ends() {
    for step in ["split", "calcine"] {
        let mut fixture = worked_example();
        let inputs = fixture.lots["cam"].inputs.clone();
        let cam = fixture.lots.get_mut("cam").unwrap();
        cam.step = Some(step.to_owned());
        cam.inputs = inputs.into_iter().chain(cam.inputs.first().cloned()).collect();
        cam.inputs.last_mut().unwrap().lot = "cam".into();
        let context = Context::from_json(br#"{"obligation_date": "2027-11-01"}"#).unwrap();
        let pack = load_pack("salts.toml", SALTS, Mode::Strict).unwrap();
        let question = Question {
            lot: "pack",
            pack: &pack,
            context: &context,
            params: &BTreeMap::new(),
            evaluation: day("2026-11-01"),
        };
        let verdict = evaluate(&fixture, &question).unwrap();
        assert_eq!(verdict.verdict, Outcome::Indeterminate, "{step}");
        let missing = verdict
            .missing
            .iter()
            .any(|fact| fact.path == "ancestry" && fact.subject == "lot:cam");
        assert!(missing, "{step}: {:?}", verdict.missing);
    }
}

/// A pack of up to five cell lots, each with a maker that may be unknown.
fn pack_of(makers: &[Option<&str>], costs: &[u32], known: &[bool]) -> World {
    let mut lots = Vec::new();
    let mut inputs = Vec::new();
    let names = ["c0", "c1", "c2", "c3", "c4"];
    for (index, maker) in makers.iter().enumerate() {
        let cost = known[index].then(|| costs[index].to_string());
        lots.push((
            names[index],
            json!({"kind": "cell", "step": "form", "operator": maker}),
        ));
        inputs.push(json!({"lot": names[index], "cost": cost, "sellers": ["clean"]}));
    }
    lots.push((
        "pack",
        json!({"kind": "pack", "step": "assemble_pack", "operator": "clean", "inputs": inputs}),
    ));
    fixture(lots)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    /// Learning who made something, or what it cost, never turns a verdict into its opposite.
    #[test]
    fn learning_a_fact_never_turns_a_definite_verdict(
        makers in prop::collection::vec(prop::option::of(any::<bool>()), 1..6),
        learned in prop::collection::vec(any::<bool>(), 5),
        costs in prop::collection::vec(1_u32..9, 5),
        known in prop::collection::vec(any::<bool>(), 5),
    ) {
        let name = |listed: bool| if listed { "listed" } else { "clean" };
        let before: Vec<Option<&str>> = makers.iter().map(|maker| maker.map(name)).collect();
        let after: Vec<Option<&str>> = makers
            .iter()
            .zip(&learned)
            .map(|(maker, learned)| Some(name(maker.unwrap_or(*learned))))
            .collect();
        let pack_text = include_str!("../../../policies/us-ndaa-fy2024-s154.toml");
        let pack = load_pack("s154", pack_text, Mode::Lenient).unwrap();
        let context = json!({"buyer": {"agency": "US-DOD"}, "obligation_date": "2027-11-01",
            "end_item_assembler": null});
        let context = Context::from_json(context.to_string().as_bytes()).unwrap();
        let params = BTreeMap::new();
        let ask = |fixture: &World| {
            let question = Question {
                lot: "pack", pack: &pack, context: &context, params: &params, evaluation: day("2026-11-01"),
            };
            evaluate(fixture, &question).unwrap()
        };
        let first = ask(&pack_of(&before, &costs, &known));
        let second = ask(&pack_of(&after, &costs, &[true; 5]));
        prop_assert_ne!(second.verdict, Outcome::Indeterminate);
        if first.verdict != Outcome::Indeterminate {
            prop_assert_eq!(first.verdict, second.verdict);
        }
        // By hand: listed cost against half of all.
        let total: u32 = costs.iter().take(after.len()).sum();
        let listed: u32 =
            after.iter().zip(&costs).filter(|(maker, _)| **maker == Some("listed")).map(|(_, cost)| cost).sum();
        prop_assert_eq!(second.verdict == Outcome::NonCompliant, 2 * listed > total);
    }
}

#[test]
fn a_chain_longer_than_amounts_are_followed_is_open_and_ends() {
    let mut fixture = worked_example();
    for index in 0..600 {
        let from = if index == 0 {
            "cam".to_owned()
        } else {
            format!("cam-{:03}", index - 1)
        };
        let row = json!({"kind": "intermediate", "step": "place_on_market", "operator": "clean", "produced": "1200",
            "inputs": [{"lot": from, "mass": "1200", "cost": "1"}]});
        fixture.lots.insert(format!("cam-{index:03}"), lot(row));
    }
    fixture.lots.get_mut("cells").unwrap().inputs[0].lot = "cam-599".into();
    let context = Context::from_json(br#"{"obligation_date": "2027-11-01"}"#).unwrap();
    let pack = load_pack("salts.toml", SALTS, Mode::Strict).unwrap();
    let question = Question {
        lot: "pack",
        pack: &pack,
        context: &context,
        params: &BTreeMap::new(),
        evaluation: day("2026-11-01"),
    };
    let verdict = evaluate(&fixture, &question).unwrap();
    assert_eq!(verdict.verdict, Outcome::Indeterminate);
    assert_eq!(
        (
            verdict.missing[0].subject.as_str(),
            verdict.missing[0].path.as_str()
        ),
        ("lot:pack", "ancestry")
    );
}
