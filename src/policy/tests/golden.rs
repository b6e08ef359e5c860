//! The golden cases of NDAA FY2024 s.154, as data in `tests/vectors/v1/policy-s154.json`.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Map, Value};

use super::fixture::{Fixture, LotRow, PartyRow, WaiverRow, day};
use crate::policy::{
    Basis, Context, Mode, Outcome, Pack, Question, Verdict, evaluate, load_list, load_pack,
    view::{Assurance, Purpose},
};

const CASES: &str = include_str!("../../../tests/vectors/v1/policy-s154.json");
const PACK: &str = include_str!("../../../policies/us-ndaa-fy2024-s154.toml");
const LIST: &str = include_str!("../../../policies/lists/us-ndaa-154.toml");
const FIXTURE_LIST: &str = include_str!("../../../policies/lists/fixture-154.toml");

#[derive(Deserialize)]
pub(super) struct Table {
    context: Map<String, Value>,
    parties: BTreeMap<String, PartyRow>,
    lots: BTreeMap<String, LotRow>,
    pub(super) cases: Vec<Case>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Case {
    #[serde(rename = "case")]
    pub(super) name: String,
    pub(super) note: String,
    pub(super) subject: String,
    lots: BTreeMap<String, LotRow>,
    context: Option<Map<String, Value>>,
    #[serde(default)]
    params: BTreeMap<String, String>,
    #[serde(default)]
    waivers: Vec<WaiverRow>,
    verdict: String,
    basis: Option<String>,
    missing: Option<Vec<String>>,
    expires: Option<String>,
    twin: bool,
}

pub(super) fn table() -> Table {
    serde_json::from_str(CASES).expect("the table of cases")
}

pub(super) fn pack() -> Pack {
    load_pack("us-ndaa-fy2024-s154.toml", PACK, Mode::Lenient).expect("the pack loads")
}

impl Table {
    pub(super) fn fixture(&self, case: &Case, assurance: Assurance) -> Fixture {
        let mut lots = self.lots.clone();
        lots.extend(case.lots.clone());
        Fixture {
            parties: self.parties.clone(),
            lots,
            lists: vec![load_list("us-ndaa-154.toml", LIST).expect("the list loads")],
            waivers: case.waivers.clone(),
            purpose: Purpose::Test,
            assurance,
            own_assurance: Assurance::SupplierCertified,
        }
    }

    pub(super) fn ask(&self, case: &Case, fixture: &Fixture) -> Verdict {
        let context = Context::from_fields(case.context.as_ref().unwrap_or(&self.context));
        let context = context.expect("a context");
        let question = Question {
            lot: &case.subject,
            pack: &pack(),
            context: &context,
            params: &case.params,
            evaluation: day("2026-11-01"),
        };
        evaluate(fixture, &question).expect("a verdict")
    }

    fn named(&self, name: &str) -> &Case {
        self.cases
            .iter()
            .find(|case| case.name == name)
            .expect("a case of this name")
    }
}

fn json(verdict: &Verdict) -> String {
    serde_json::to_string_pretty(verdict).unwrap()
}

#[test]
fn every_golden_case_has_its_verdict_basis_and_missing_facts() {
    let table = table();
    for case in &table.cases {
        let verdict = table.ask(case, &table.fixture(case, Assurance::SupplierCertified));
        let name = format!("case {} ({}): {}", case.name, case.note, json(&verdict));
        assert_eq!(verdict.verdict.as_str(), case.verdict, "{name}");
        if let Some(basis) = &case.basis {
            assert_eq!(verdict.basis.as_str(), basis, "{name}");
        }
        if let Some(missing) = &case.missing {
            let found: Vec<String> = verdict
                .missing
                .iter()
                .map(|fact| format!("{} {}", fact.subject, fact.path))
                .collect();
            assert_eq!(&found, missing, "{name}");
        }
        assert_eq!(verdict.expires, case.expires, "{name}");
        assert!(
            verdict.missing.is_empty() || verdict.verdict == Outcome::Indeterminate,
            "{name}"
        );
    }
}

#[test]
fn every_case_compliant_by_its_facts_is_indeterminate_one_assurance_lower() {
    let table = table();
    let twins: Vec<&Case> = table.cases.iter().filter(|case| case.twin).collect();
    assert!(twins.len() >= 15);
    for case in twins {
        let verdict = table.ask(case, &table.fixture(case, Assurance::Asserted));
        let name = format!("twin of case {} ({}): {}", case.name, case.note, json(&verdict));
        assert_eq!(verdict.verdict, Outcome::Indeterminate, "{name}");
        assert!(!verdict.missing.is_empty(), "{name}");
        // Nothing is missing but weight: every fact is there, and says what it lacks.
        for fact in &verdict.missing {
            assert_eq!(fact.stated, Some(Assurance::Asserted), "{name}");
            assert_eq!(fact.needs, Some(Assurance::SupplierCertified), "{name}");
        }
    }
}

#[test]
fn what_a_party_says_of_its_owners_needs_the_same_assurance() {
    let table = table();
    let case = table.named("1");
    let mut fixture = table.fixture(case, Assurance::SupplierCertified);
    fixture.own_assurance = Assurance::Asserted;
    let verdict = table.ask(case, &fixture);
    assert_eq!(verdict.verdict, Outcome::Indeterminate);
    assert!(
        verdict.missing.iter().all(|fact| fact.path == "ownership"),
        "{}",
        json(&verdict)
    );
}

#[test]
fn the_fixture_list_counts_only_where_the_ledger_is_not_for_production() {
    let table = table();
    let case = table.named("1");
    let mut fixture = table.fixture(case, Assurance::SupplierCertified);
    fixture
        .lists
        .push(load_list("fixture-154.toml", FIXTURE_LIST).unwrap());
    fixture.parties.get_mut("kr-cells").unwrap().name = "Fixture Cell Works Co., Ltd.".into();
    let verdict = table.ask(case, &fixture);
    assert_eq!(verdict.verdict, Outcome::NonCompliant);
    assert!(verdict.fixture && verdict.editions.iter().any(|edition| edition.fixture));
    fixture.purpose = Purpose::Production;
    let verdict = table.ask(case, &fixture);
    assert_eq!(verdict.verdict, Outcome::Compliant);
    assert!(!verdict.fixture && verdict.editions.iter().all(|edition| !edition.fixture));
}

#[test]
fn a_fixture_hides_no_real_name() {
    let table = table();
    let case = table.named("6");
    let mut fixture = table.fixture(case, Assurance::SupplierCertified);
    fixture
        .lists
        .push(load_list("fixture-154.toml", FIXTURE_LIST).unwrap());
    assert_eq!(table.ask(case, &fixture).verdict, Outcome::NonCompliant);
}

#[test]
fn an_incomplete_list_clears_nobody_and_still_names_who_is_on_it() {
    let table = table();
    for (name, expected) in [("1", Outcome::Indeterminate), ("6", Outcome::NonCompliant)] {
        let case = table.named(name);
        let mut fixture = table.fixture(case, Assurance::SupplierCertified);
        fixture.lists[0].complete = false;
        let verdict = table.ask(case, &fixture);
        assert_eq!(verdict.verdict, expected, "{}", json(&verdict));
        let missing = verdict
            .missing
            .iter()
            .any(|fact| fact.subject == "list:us-ndaa-154");
        assert_eq!(missing, expected == Outcome::Indeterminate);
    }
}

#[test]
fn a_waived_failure_keeps_its_failing_facts_listed() {
    let table = table();
    let case = table.named("31");
    let verdict = table.ask(case, &table.fixture(case, Assurance::SupplierCertified));
    assert_eq!(
        (verdict.verdict, verdict.basis),
        (Outcome::Compliant, Basis::Waiver)
    );
    let failing = verdict
        .because
        .iter()
        .find(|because| because.test == "majority_from_counted")
        .unwrap();
    assert_eq!(failing.nodes[0].party.as_deref(), Some("catl"));
    assert_eq!(failing.nodes[0].part.as_deref(), Some("0.8"));
}

#[test]
fn a_verdict_is_the_same_bytes_every_time() {
    let table = table();
    for case in &table.cases {
        let fixture = table.fixture(case, Assurance::SupplierCertified);
        assert_eq!(
            table.ask(case, &fixture).to_json(),
            table.ask(case, &fixture).to_json()
        );
    }
}

#[test]
fn what_is_missing_is_said_as_a_sentence_to_whom_it_concerns() {
    let table = table();
    let said = |name: &str| {
        let case = table.named(name);
        let verdict = table.ask(case, &table.fixture(case, Assurance::SupplierCertified));
        assert_eq!(verdict.ask.is_empty(), verdict.missing.is_empty(), "{name}");
        let lines = verdict.ask.into_iter().flat_map(|ask| {
            let whom = ask.whom;
            ask.sentences
                .into_iter()
                .map(move |sentence| format!("{whom}: {sentence}"))
        });
        lines.collect::<Vec<_>>()
    };
    assert_eq!(
        said("20"),
        ["us-packs: who made the 80 cells of cell is not stated; ask Mesa Pack Inc., which built them in"]
    );
    assert_eq!(
        said("24"),
        ["us-packs: whether that is all that went into pack pack is not stated"]
    );
    assert_eq!(
        said("33"),
        [
            "asker: end_item_assembler (who assembles the final product that uses the battery; null if it goes into \
          none) is not stated"
        ]
    );
    for case in &table.cases {
        said(&case.name);
    }
}

#[test]
fn verdicts_read_as_these() {
    let table = table();
    let shown: Vec<String> = ["6b", "15", "20"]
        .iter()
        .map(|name| {
            let case = table.named(name);
            let mut verdict = table.ask(case, &table.fixture(case, Assurance::SupplierCertified));
            // One line each, or nobody would read it.
            let words = std::mem::take(&mut verdict.rests_on);
            let words = words.iter().flat_map(|group| &group.facts).map(|word| {
                let level = word.level.as_str();
                format!("\nrests on {}, {level}: {}", word.event_id, word.claims.join(" "))
            });
            let words: String = words.collect();
            format!("case {name}\n{}{words}", json(&verdict))
        })
        .collect();
    insta::assert_snapshot!("verdicts", shown.join("\n\n").replace(&pack().sha256, "PACK"));
}
