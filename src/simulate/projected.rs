//! Claims about what the projection concludes from a simulation.

use std::collections::BTreeSet;

use super::{cast::who, *};
use crate::{
    id::{FeedId, LeafIndex},
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
            event,
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
            LotKind::Honest | LotKind::Tainted => panic!("{anomaly:?}"),
            LotKind::MissingTier => assert_eq!(kind, "unknown_input", "{anomaly:?}"),
            LotKind::MassBalanceCheat => {
                assert_eq!(
                    (kind.as_str(), on_lot),
                    ("consumed_more_than_made", true),
                    "{anomaly:?}"
                );
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
            steps.map(|one| one.operator.as_str()).collect()
        };
        let party = |index| simulation.cast().party(index).identifier.as_str();
        assert_eq!(operators("form"), BTreeSet::from([party(maker)]));
        assert!(operators("mine").contains(party(who::COBALT)));
        assert!(up.nodes.iter().all(|node| !node.unknown), "{up:#?}");
    }
}
