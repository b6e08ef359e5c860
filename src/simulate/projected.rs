//! Claims about what the projection concludes from a simulation.

use std::collections::BTreeSet;

use num_rational::BigRational;
use num_traits::Zero as _;
use time::macros::date;

use super::{cast::who, *};
use crate::{
    id::{FeedId, LeafIndex, TreeSize},
    policy::view::{Assurance, Fact, InputFacts, Purpose, StepFacts, View},
    provenance::{Anomaly, AppliedEvent, Bounds, Direction, Projection, Weight},
    register::EventPlace,
    time::{IssuedAt, RecordedAt},
};

fn simulation(lots: u32) -> Simulation {
    Simulation::new(SimulationConfig {
        seed: 21,
        lots,
        start: EventTime::from_nanos(1_767_225_600_000_000_000),
    })
    .unwrap()
}

/// Everything applied in the order of the stream, one event an entry.
fn project(simulation: &Simulation) -> Projection {
    let mut projection = Projection::new();
    let mut index = 1;
    let mut apply = |issuer: &str, feed, by_authority, event: &v1::Event| {
        projection.apply(&AppliedEvent {
            place: EventPlace {
                leaf_index: LeafIndex::new(index),
                event_number: 0,
            },
            issuer,
            feed,
            recorded_at: RecordedAt::from_nanos(event.event_time + 1),
            issued_at: IssuedAt::from_nanos(event.event_time),
            by_authority,
            event: &prost::Message::encode_to_vec(event),
        });
        index += 1;
    };
    for event in simulation.governance() {
        apply("https://authority.example/", FeedId::new([0; 32]), true, &event);
    }
    for SimulatedEvent { party, event } in simulation.events() {
        let issuer = &simulation.cast().party(party).identifier;
        apply(issuer, simulation.feed(party), false, &event);
    }
    projection
}

/// The kind's name and whether it weighs on the lot.
fn found(anomaly: &Anomaly) -> (String, bool) {
    let kind = serde_json::to_value(anomaly.kind).unwrap();
    (
        kind.as_str().unwrap().to_owned(),
        anomaly.weighs_on == Weight::Lot,
    )
}

#[test]
fn only_the_stories_have_anomalies_and_each_has_what_it_says() {
    let simulation = simulation(12);
    let projection = project(&simulation);
    let all = projection.anomalies();
    let stories = simulation.stories();
    for expected in stories.iter().flat_map(|story| &story.anomalies) {
        assert!(
            all.iter().any(|anomaly| anomaly.lot == expected.lot
                && anomaly.signer == expected.signer
                && found(anomaly) == (expected.kind.to_owned(), expected.weighs_on_lot)),
            "{expected:?} is not among {all:#?}"
        );
    }
    let cast = simulation.cast();
    let number = |lot: &str| lot.rsplit('/').next().unwrap()[1..8].parse::<u32>().unwrap();
    for anomaly in &all {
        let (kind, on_lot) = found(anomaly);
        match simulation.lot_kind(number(&anomaly.lot)) {
            LotKind::Honest | LotKind::Tainted | LotKind::MissingTier => panic!("{anomaly:?}"),
            LotKind::MassBalanceCheat => {
                assert_eq!(
                    (kind.as_str(), on_lot),
                    ("used_more_than_held", false),
                    "{anomaly:?}"
                );
            }
            LotKind::DoublySpent => {
                assert_eq!((kind.as_str(), on_lot), ("consumed_more_than_made", true));
            }
            LotKind::Rival => {
                assert_eq!(anomaly.weighs_on, Weight::Signer, "{anomaly:?}");
                assert_eq!(anomaly.signer, cast.party(who::RIVAL).identifier, "{anomaly:?}");
            }
        }
    }
}

#[test]
fn a_pack_leads_back_to_the_mines_through_the_makers_of_its_cells() {
    let simulation = simulation(5);
    let projection = project(&simulation);
    for (lot, maker) in [(0, who::CELLS), (1, who::FIXTURE), (4, who::CELLS)] {
        let pack = &simulation.packs(lot)[0];
        let up = projection
            .provenance(pack, Direction::Up, Bounds::default())
            .unwrap();
        let operators = |step: &str| -> BTreeSet<&str> {
            let steps = up.steps.iter().filter(|one| one.step.as_deref() == Some(step));
            steps
                .map(|one| one.operator.as_deref().unwrap_or_default())
                .collect()
        };
        let party = |index| simulation.cast().party(index).identifier.as_str();
        assert_eq!(operators("form"), BTreeSet::from([party(maker)]));
        assert!(operators("mine").contains(party(who::COBALT)));
        assert!(up.nodes.iter().all(|node| !node.unknown), "{up:#?}");
    }
}

/// What an input cost, stated once and certified.
fn cost(input: &InputFacts) -> BigRational {
    let [cost] = input.consumed.costs.as_slice() else {
        panic!("one cost: {input:?}");
    };
    assert_eq!(
        (cost.value.currency.as_str(), cost.assurance),
        ("USD", Assurance::SupplierCertified)
    );
    cost.value.value.clone()
}

/// The value of a fact that its maker certifies.
fn certified<T: Clone>(stated: Option<&Fact<T>>) -> T {
    let fact = stated.expect("stated");
    assert!(fact.assurance >= Assurance::SupplierCertified);
    fact.value.clone()
}

/// The one step in which a lot was made, all that s.154 reads of it certified by its operator.
fn made_once(view: &impl View, lot: &str) -> StepFacts {
    let facts = view.lot(lot, Some(date!(2027 - 11 - 01))).unwrap();
    assert!(
        facts.contradictions.is_empty(),
        "{lot}: {:?}",
        facts.contradictions
    );
    certified(facts.kind.as_ref());
    let [step] = facts.productions.as_slice() else {
        panic!("{lot} is made once: {facts:?}");
    };
    certified(step.operator.as_ref());
    assert_eq!(certified(step.principal.as_ref()), None);
    step.clone()
}

/// What went into a pack, modules opened: with its kind and, where somebody says so, its maker.
fn components(view: &impl View, pack: &str) -> Vec<(InputFacts, String, Option<String>)> {
    let mut found = Vec::new();
    let mut open = vec![pack.to_owned()];
    while let Some(parent) = open.pop() {
        let facts = view.lot(&parent, Some(date!(2027 - 11 - 01))).unwrap();
        let [step] = facts.productions.as_slice() else {
            panic!("{parent} is made once");
        };
        assert!(certified(step.inputs_complete.as_ref()));
        for input in &step.inputs {
            let part = view.lot(&input.lot, Some(date!(2027 - 11 - 01))).unwrap();
            let kind = part.kind.clone().unwrap().value;
            if kind == "module" {
                open.push(input.lot.clone());
            } else {
                let maker = part.productions.first();
                let maker = maker
                    .and_then(|step| step.operator.clone())
                    .map(|operator| operator.value);
                found.push((input.clone(), kind, maker));
            }
        }
    }
    found
}

/// Costs of the components of a pack: all, those made by the listed company, and those of unknown makers.
fn shares(view: &impl View, pack: &str, listed: &str) -> [BigRational; 3] {
    let mut shares = [BigRational::zero(), BigRational::zero(), BigRational::zero()];
    for (input, kind, maker) in components(view, pack) {
        assert!(["cell", "bms", "pack_hardware"].contains(&kind.as_str()));
        shares[0] += cost(&input);
        match maker {
            None => shares[2] += cost(&input),
            Some(maker) if maker == listed => shares[1] += cost(&input),
            Some(_) => {}
        }
    }
    shares
}

#[test]
fn the_facts_of_section_154_are_there_for_each_story_certified_where_it_is_honest() {
    let simulation = simulation(6);
    let projection = project(&simulation);
    let view = projection.view(TreeSize::new(1), Purpose::Test);
    let listed = &simulation.cast().party(who::FIXTURE).identifier;
    let half = BigRational::new(1.into(), 2.into());
    for story in simulation.stories() {
        for pack in simulation.packs(story.lot) {
            let [all, tainted, unknown] = shares(&view, &pack, listed);
            let (tainted, unknown) = (tainted / &all, unknown / &all);
            let verdict = if tainted > half {
                ExpectedVerdict::NonCompliant
            } else if &tainted + &unknown <= half {
                ExpectedVerdict::Compliant
            } else {
                ExpectedVerdict::Indeterminate
            };
            // What is stated of these is clean; that it contradicts itself is another matter.
            let stated = match story.kind {
                LotKind::MassBalanceCheat | LotKind::DoublySpent => ExpectedVerdict::Compliant,
                LotKind::Honest | LotKind::Tainted | LotKind::MissingTier | LotKind::Rival => story.verdict,
            };
            assert_eq!(verdict, stated, "{story:?}");
            if story.verdict != ExpectedVerdict::Compliant {
                continue;
            }
            made_once(&view, &pack);
            for (input, ..) in components(&view, &pack) {
                let step = made_once(&view, &input.lot);
                let operator = certified(step.operator.as_ref());
                assert!(input.assurance >= Assurance::SupplierCertified);
                assert!(certified(input.titles_complete.as_ref()), "{input:?}");
                let sellers = &input.sellers;
                assert!(!sellers.is_empty());
                assert!(
                    sellers
                        .iter()
                        .all(|seller| seller.assurance >= Assurance::SupplierCertified)
                );
                let mut concerned: BTreeSet<String> =
                    input.sellers.iter().map(|seller| seller.value.clone()).collect();
                concerned.insert(operator);
                for party in concerned {
                    let facts = view.party(&party, date!(2027 - 11 - 01)).unwrap();
                    assert!(certified(facts.ownership_complete.as_ref()), "{party}");
                }
            }
        }
    }
}

#[test]
fn the_fixture_list_is_an_edition_that_names_the_tainting_company() {
    let simulation = simulation(1);
    let projection = project(&simulation);
    let editions = projection
        .view(TreeSize::new(1), Purpose::Demo)
        .editions(FIXTURE_LIST);
    let [edition] = editions.as_slice() else {
        panic!("one edition: {editions:?}");
    };
    assert!(edition.fixture && edition.complete);
    assert_eq!(
        edition.entries[0].parties,
        [simulation.cast().party(who::FIXTURE).identifier.clone()]
    );
}
