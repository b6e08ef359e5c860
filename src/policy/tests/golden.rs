//! The golden cases of NDAA FY2024 s.154, as data beside the pack.

use crate::policy::{
    Basis, Mode, Outcome, Pack, Verdict,
    cases::{Case, Cases, Shown},
    load_list, load_pack,
    view::{Assurance, Purpose},
    world::World,
};

const CASES: &str = include_str!("../../../policies/us-ndaa-fy2024-s154.cases.json");
const PACK: &str = include_str!("../../../policies/us-ndaa-fy2024-s154.toml");
const LIST: &str = include_str!("../../../policies/lists/us-ndaa-154.toml");
const FIXTURE_LIST: &str = include_str!("../../../policies/lists/fixture-154.toml");

pub(super) fn table() -> Table {
    Table(Cases::read(CASES).expect("the table of cases"))
}

pub(super) fn pack() -> Pack {
    load_pack("us-ndaa-fy2024-s154.toml", PACK, Mode::Lenient).expect("the pack loads")
}

/// The cases with the pack and the list of the repository.
pub(super) struct Table(pub(super) Cases);

impl Table {
    pub(super) fn fixture(&self, case: &Case, assurance: Assurance) -> World {
        let list = load_list("us-ndaa-154.toml", LIST).expect("the list loads");
        self.0.world(case, assurance, vec![list])
    }

    pub(super) fn ask(&self, case: &Case, world: &World) -> Verdict {
        self.0.ask(case, world, &pack()).expect("a verdict")
    }

    fn named(&self, name: &str) -> &Case {
        let mut cases = self.0.rows.iter();
        cases.find(|case| case.name == name).expect("a case of this name")
    }
}

fn json(verdict: &Verdict) -> String {
    serde_json::to_string_pretty(verdict).unwrap()
}

#[test]
fn every_golden_case_has_its_verdict_basis_and_missing_facts_and_no_rule_lacks_one() {
    let list = load_list("us-ndaa-154.toml", LIST).unwrap();
    let cases = table().0;
    for found in cases.run(&pack(), &[list]).unwrap() {
        assert!(found.differs.is_empty(), "{found:?}");
    }
    assert!(cases.len() > 40);
    assert_eq!(cases.gaps(&pack()).unwrap(), []);
}

#[test]
fn a_case_that_comes_out_otherwise_is_named_with_what_was_worked_out() {
    let text = CASES.replacen("\"verdict\": \"compliant\"", "\"verdict\": \"non_compliant\"", 1);
    let list = load_list("us-ndaa-154.toml", LIST).unwrap();
    let found = Cases::read(&text).unwrap().run(&pack(), &[list]).unwrap();
    let differs: Vec<String> = found.into_iter().flat_map(|found| found.differs).collect();
    assert_eq!(differs, ["the verdict is compliant, by hand it is non_compliant"]);
    let without = CASES.replace("\"boundary\": true, ", "");
    let gaps = Cases::read(&without).unwrap().gaps(&pack()).unwrap();
    assert_eq!(gaps, [("a".to_owned(), Shown::Boundary)]);
}

#[test]
fn every_case_compliant_by_its_facts_is_indeterminate_one_assurance_lower() {
    let table = table();
    let twins: Vec<&Case> = table.0.rows.iter().filter(|case| case.twin).collect();
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
    for case in &table.0.rows {
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
    for case in &table.0.rows {
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
