//! The rule engine on the project's own supply chain: events, projected, judged.

use std::collections::BTreeMap;

use super::{fixture::day, golden::pack};
use crate::{
    id::{FeedId, LeafIndex, TreeSize},
    policy::{Context, Question, evaluate, view::Purpose},
    provenance::{AppliedEvent, Projection},
    register::EventPlace,
    simulate::{SimulatedEvent, Simulation, SimulationConfig},
    time::{EventTime, IssuedAt, RecordedAt},
};

#[test]
fn each_story_of_the_simulation_gets_the_verdict_that_it_tells() {
    let simulation = Simulation::new(SimulationConfig {
        seed: 21,
        lots: 5,
        start: EventTime::from_nanos(1_767_225_600_000_000_000),
    })
    .unwrap();
    let mut projection = Projection::new();
    let mut index = 1;
    let governance = simulation.governance().into_iter().map(|event| (None, event));
    let told = simulation
        .events()
        .map(|SimulatedEvent { party, event }| (Some(party), event));
    for (party, event) in governance.chain(told) {
        let cast = simulation.cast();
        let issuer = party.map_or("https://authority.example/", |party| {
            &cast.party(party).identifier
        });
        projection.apply(&AppliedEvent {
            place: EventPlace {
                leaf_index: LeafIndex::new(index),
                event_number: 0,
            },
            issuer,
            feed: party.map_or(FeedId::new([0; 32]), |party| simulation.feed(party)),
            recorded_at: RecordedAt::from_nanos(event.event_time + 1),
            issued_at: IssuedAt::from_nanos(event.event_time),
            by_authority: party.is_none(),
            event: &prost::Message::encode_to_vec(&event),
        });
        index += 1;
    }
    let view = projection.view(TreeSize::new(index), Purpose::Test);
    let context = Context::from_json(
        br#"{"buyer": {"agency": "US-DOD"}, "obligation_date": "2027-11-01", "end_item_assembler": null}"#,
    )
    .unwrap();
    let pack = pack();
    let mut judged = 0;
    for story in simulation.stories() {
        let expected = serde_json::to_value(story.verdict).unwrap();
        for lot in simulation.packs(story.lot) {
            let question = Question {
                lot: &lot,
                pack: &pack,
                context: &context,
                params: &BTreeMap::new(),
                evaluation: day("2026-11-01"),
            };
            let verdict = evaluate(&view, &question).unwrap();
            let shown = serde_json::to_string_pretty(&verdict).unwrap();
            assert_eq!(
                serde_json::to_value(verdict.verdict).unwrap(),
                expected,
                "{story:?}: {shown}"
            );
            judged += 1;
        }
    }
    assert!(judged >= 5);
}
