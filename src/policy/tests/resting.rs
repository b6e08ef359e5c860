//! What a verdict rests on: every signed fact by which it could be arranged is named, and nothing that was not read.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::LazyLock,
};

use proptest::prelude::*;
use serde_json::{Value, json};

use super::{
    day, golden,
    laws::{fixture, lot},
};
use crate::policy::world::World;
use crate::policy::{Context, Outcome, Pack, Question, Verdict, evaluate, view::Assurance};

static PACK: LazyLock<Pack> = LazyLock::new(golden::pack);

fn context() -> Value {
    json!({"buyer": {"agency": "dod"}, "obligation_date": "2027-11-01", "end_item_assembler": null})
}

fn judged(fixture: &World, context: &Value, params: &[(&str, &str)]) -> Verdict {
    let params: BTreeMap<String, String> = params
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    let question = Question {
        lot: "pack",
        pack: &PACK,
        context: &Context::from_json(context.to_string().as_bytes()).unwrap(),
        params: &params,
        evaluation: day("2026-11-01"),
    };
    evaluate(fixture, &question).unwrap()
}

/// Ids of the events that it rests on.
fn events(verdict: &Verdict) -> BTreeSet<&str> {
    let facts = verdict.rests_on.iter().flat_map(|group| &group.facts);
    facts.map(|fact| fact.event_id.as_str()).collect()
}

/// A pack of cells that a shell says it made: each lot less than the majority, all of them together all of it.
fn shell_pack(cells: usize) -> World {
    let mut world = fixture(vec![]);
    let mut inputs = Vec::new();
    for number in 0..cells {
        let name = format!("cell-{number:02}");
        let row = json!({"kind": "cell", "step": "form", "operator": "clean"});
        world.lots.insert(name.clone(), lot(row));
        inputs.push(json!({"lot": name, "cost": "67", "sellers": ["clean"]}));
    }
    inputs.push(json!({"lot": "bms", "cost": "196", "sellers": ["clean"]}));
    world.lots.insert(
        "bms".into(),
        lot(json!({"kind": "bms", "step": "assemble_bms", "operator": "clean"})),
    );
    let pack = json!({"kind": "pack", "step": "assemble_pack", "operator": "clean", "inputs": inputs});
    world.lots.insert("pack".into(), lot(pack));
    world.lots.insert(
        "stranger".into(),
        lot(json!({"kind": "cell", "step": "form", "operator": "clean"})),
    );
    world
}

#[test]
fn twelve_lies_of_a_fifteenth_each_are_all_named_though_none_decides_alone() {
    let verdict = judged(&shell_pack(12), &context(), &[]);
    assert_eq!(verdict.verdict, Outcome::Compliant);
    let named = events(&verdict);
    for number in 0..12 {
        assert!(
            named.contains(format!("making cell-{number:02}").as_str()),
            "{named:?}"
        );
        assert!(
            named.contains(format!("product cell-{number:02}").as_str()),
            "{named:?}"
        );
    }
    assert!(
        named.contains("making pack") && named.contains("titles pack"),
        "{named:?}"
    );
    assert!(named.iter().all(|event| !event.contains("stranger")), "{named:?}");
}

#[test]
fn one_lie_told_in_two_events_names_both() {
    let mut world = shell_pack(1);
    // The same cells once more: wrapped by the shell, under another number.
    let inputs = json!([{"lot": "cell-00", "count": "1", "sellers": ["clean"]}]);
    let wrapped = json!({"kind": "cell", "step": "wrap", "operator": "clean", "inputs": inputs});
    world.lots.insert("wrapped".into(), lot(wrapped));
    let inputs = json!([{"lot": "wrapped", "cost": "67", "sellers": ["clean"]}]);
    let pack = json!({"kind": "pack", "step": "assemble_pack", "operator": "clean", "inputs": inputs});
    world.lots.insert("pack".into(), lot(pack));
    let verdict = judged(&world, &context(), &[]);
    assert_eq!(verdict.verdict, Outcome::Compliant);
    let named = events(&verdict);
    for event in [
        "making cell-00",
        "making wrapped",
        "product wrapped",
        "making pack",
    ] {
        assert!(named.contains(event), "{event}: {named:?}");
    }
}

#[test]
fn the_asker_is_named_with_what_he_said_and_chose() {
    let world = shell_pack(2);
    let verdict = judged(&world, &context(), &[("affiliates", "not_named")]);
    let asker = &verdict.rests_on[0];
    assert_eq!(asker.signer, "asker");
    assert_eq!(
        serde_json::to_value(&asker.context).unwrap(),
        json!({"buyer.agency": "US-DOD", "end_item_assembler": null, "obligation_date": "2027-11-01"}),
    );
    assert_eq!(
        asker.params,
        BTreeMap::from([("affiliates".to_owned(), "not_named".to_owned())])
    );
    // Read that way nobody's owners matter.
    assert!(!events(&verdict).contains("ownership"));
    assert!(events(&judged(&world, &context(), &[])).contains("ownership"));

    let elsewhere = json!({"buyer": {"agency": "dhs"}, "obligation_date": "2027-11-01"});
    let verdict = judged(&world, &elsewhere, &[]);
    assert_eq!(verdict.basis.as_str(), "not_applicable");
    let asked: Vec<&String> = verdict.rests_on[0].context.keys().collect();
    assert_eq!(asked, ["buyer.agency"]);
    assert!(!events(&verdict).contains("making cell-00"));
}

#[test]
fn what_an_auditor_vouches_for_is_nobodys_mere_word() {
    let mut world = shell_pack(3);
    let audited = world.lots.get_mut("cell-01").unwrap();
    audited.assurance = Some(Assurance::ThirdPartyAudited);
    let verdict = judged(&world, &context(), &[]);
    let named = events(&verdict);
    assert!(
        !named.contains("making cell-01") && named.contains("making cell-00"),
        "{named:?}"
    );
    for fact in verdict.rests_on.iter().flat_map(|group| &group.facts) {
        assert!(fact.level < Assurance::ThirdPartyAudited && !fact.claims.is_empty());
    }
}

#[test]
fn a_failure_names_who_admitted_it_and_not_who_could_not_help_it() {
    let mut world = shell_pack(3);
    world.lots.get_mut("pack").unwrap().operator = Some("listed".into());
    let verdict = judged(&world, &context(), &[]);
    assert_eq!(verdict.verdict, Outcome::NonCompliant);
    assert!(events(&verdict).contains("making pack"));
}

#[test]
fn every_golden_verdict_names_the_asker_and_only_events_of_its_own_ledger() {
    let table = golden::table();
    for case in &table.0.rows {
        let fixture = table.fixture(case, Assurance::SupplierCertified);
        let verdict = table.ask(case, &fixture);
        assert_eq!(verdict.rests_on[0].signer, "asker", "{}", case.name);
        let facts: Vec<_> = verdict.rests_on.iter().flat_map(|group| &group.facts).collect();
        let distinct: BTreeSet<u64> = facts.iter().map(|fact| fact.leaf_index).collect();
        assert_eq!(distinct.len(), facts.len(), "{}", case.name);
    }
}

/// Kinds and steps by height: what a lot of each level may be called.
const LEVELS: [&[(&str, &str)]; 3] = [
    &[
        ("cell", "form"),
        ("cell", "package"),
        ("bms", "assemble_bms"),
        ("pack_hardware", "package"),
    ],
    &[
        ("cell", "wrap"),
        ("cell", "relabel"),
        ("cell", "grade"),
        ("cell", "merge"),
        ("module", "assemble_module"),
        ("pack_hardware", "package"),
        ("module", "split"),
    ],
    &[
        ("module", "assemble_module"),
        ("module", "relabel"),
        ("pack", "assemble_pack"),
    ],
];

#[derive(Clone, Debug)]
struct Row {
    level: usize,
    word: usize,
    maker: u8,
    inputs: Vec<usize>,
    cost: u32,
    complete: bool,
}

fn rows() -> impl Strategy<Value = Vec<Row>> {
    let row = (
        0_usize..3,
        any::<usize>(),
        0_u8..6,
        prop::collection::vec(any::<usize>(), 0..4),
        1_u32..9,
        prop::bool::weighted(0.9),
    );
    prop::collection::vec(
        row.prop_map(|(level, word, maker, inputs, cost, complete)| Row {
            level,
            word,
            maker,
            inputs,
            cost,
            complete,
        }),
        1..9,
    )
}

/// A world in which lots go into later ones, the last of all into a pack.
fn world(rows: &[Row], listed: Option<usize>) -> World {
    let mut world = fixture(vec![]);
    let mut names: Vec<String> = Vec::new();
    let mut costs: Vec<u32> = Vec::new();
    for (number, row) in rows.iter().enumerate() {
        let words = LEVELS[if names.is_empty() { 0 } else { row.level }];
        let (kind, step) = words[row.word % words.len()];
        let used: BTreeSet<usize> = match row.level {
            _ if names.is_empty() => BTreeSet::new(),
            0 => BTreeSet::new(),
            _ => row.inputs.iter().map(|input| input % names.len()).collect(),
        };
        let inputs: Vec<Value> = used
            .iter()
            .map(|input| json!({"lot": names[*input], "cost": costs[*input].to_string(), "count": "1", "mass": "1", "sellers": ["clean"]}))
            .collect();
        let maker = match (listed, row.maker) {
            (Some(at), _) if at == number => "listed",
            (_, 0) => "listed",
            _ => "clean",
        };
        let made = json!({"kind": kind, "step": step, "operator": maker, "inputs": inputs, "produced": "1",
            "inputs_complete": row.complete});
        let name = format!("lot-{number}");
        world.lots.insert(name.clone(), lot(made));
        names.push(name);
        costs.push(row.cost);
    }
    let inputs: Vec<Value> = names
        .iter()
        .zip(&costs)
        .rev()
        .take(4)
        .map(|(name, cost)| json!({"lot": name, "cost": cost.to_string(), "count": "1", "mass": "1", "sellers": ["clean"]}))
        .collect();
    let maker = if listed == Some(rows.len()) {
        "listed"
    } else {
        "clean"
    };
    let pack = json!({"kind": "pack", "step": "assemble_pack", "operator": maker, "inputs": inputs});
    world.lots.insert("pack".into(), lot(pack));
    world
}

#[test]
fn a_making_that_is_not_what_its_step_makes_is_open() {
    for (kind, step, verdict) in [
        ("module", "assemble_module", Outcome::Compliant),
        ("module", "relabel", Outcome::Indeterminate),
        ("pack", "assemble_module", Outcome::Indeterminate),
        // A leftover of what went in, which keeps its makers.
        ("cell", "assemble_module", Outcome::Compliant),
        ("bms", "assemble_module", Outcome::Indeterminate),
        ("cell", "wrap", Outcome::Compliant),
    ] {
        let mut world = shell_pack(1);
        let inputs = json!([{"lot": "cell-00", "count": "1", "sellers": ["clean"]}]);
        let made = json!({"kind": kind, "step": step, "operator": "clean", "inputs": inputs});
        world.lots.insert("middle".into(), lot(made));
        let inputs = json!([{"lot": "middle", "cost": "67", "sellers": ["clean"]}]);
        let pack = json!({"kind": "pack", "step": "assemble_pack", "operator": "clean", "inputs": inputs});
        world.lots.insert("pack".into(), lot(pack));
        let verdict_of = judged(&world, &context(), &[]);
        assert_eq!(verdict_of.verdict, verdict, "{step} to {kind}");
        let open = verdict_of
            .missing
            .iter()
            .any(|fact| fact.path == "step.makes" && fact.subject == "lot:middle");
        assert_eq!(open, verdict == Outcome::Indeterminate, "{step} to {kind}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 384, max_global_rejects: 8192, ..ProptestConfig::default() })]

    /// If a listed company in the place of some maker would have changed a verdict that is compliant, the verdict
    /// names the event by which that maker said that it was he.
    #[test]
    fn whose_word_could_have_arranged_it_is_named(rows in rows(), measure in 0_usize..3) {
        let params = [("majority_measure", ["cost", "count", "mass"][measure])];
        let honest = world(&rows, None);
        let verdict = judged(&honest, &context(), &params);
        prop_assume!(verdict.verdict == Outcome::Compliant);
        let named = events(&verdict);
        for number in 0..=rows.len() {
            let other = judged(&world(&rows, Some(number)), &context(), &params);
            let name = if number == rows.len() { "pack".to_owned() } else { format!("lot-{number}") };
            if other.verdict != verdict.verdict {
                let event = format!("making {name}");
                prop_assert!(named.contains(event.as_str()), "{event} decides: {rows:?} {named:?}");
            }
        }
    }
}
