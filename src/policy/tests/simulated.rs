//! The rule engine on the project's own supply chain: events, projected, judged.

use std::collections::BTreeMap;

use super::{day, golden::pack};
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
        lots: 6,
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
    let (mut judged, mut told) = (0, 0);
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
            // Its maker's word stands in the log where the verdict says.
            let made = projection.lot(&lot).unwrap();
            let maker = verdict
                .rests_on
                .iter()
                .find(|group| Some(&group.signer) == made.makers.first());
            for fact in made.facts.iter().filter(|fact| fact.kind == "assembled") {
                let named = maker.into_iter().flat_map(|group| &group.facts);
                let mut named = named.filter(|word| word.leaf_index == fact.leaf_index);
                let word = named.next().unwrap_or_else(|| panic!("{shown}"));
                assert_eq!(word.event_id, fact.event.event_id);
                assert_eq!(
                    (word.event_time, word.recorded_at),
                    (fact.event_time, fact.recorded_at)
                );
                told += 1;
            }
            let declared = verdict.rests_on.iter().flat_map(|group| &group.facts);
            let claims: std::collections::BTreeSet<_> =
                declared.flat_map(|word| word.claims.clone()).collect();
            for claim in [
                "inputs_complete",
                "product",
                "ownership",
                "titles",
                "step.operator",
            ] {
                assert!(claims.contains(claim), "{claim}: {shown}");
            }
        }
    }
    assert!(judged >= 5 && told >= judged);
}
