//! Laws: neither the order in which independent feeds arrive nor how entries are batched matters.

use std::fmt::Write as _;

use proptest::prelude::*;

use super::*;
use crate::policy::view::View as _;

/// The honest chain with every kind of trouble in it.
fn troubled_chain() -> Vec<Said> {
    let mut chain = honest_chain();
    let mut void = say(REFINERY, "r9", 40, Kind::Voided(v1::Voided::default()));
    void.about = Some((REFINERY, "r2"));
    chain.extend([
        commission(STRANGER, "x0", 0, kg("urn:stranger:dirt", "10")),
        transform(
            STRANGER,
            "x1",
            2,
            vec![kg("urn:stranger:dirt", "20")],
            vec![kg(SALT, "1")],
        ),
        transform(
            STRANGER,
            "x2",
            50,
            vec![kg(SALT, "5000")],
            vec![kg("urn:stranger:x", "1")],
        ),
        transform(
            PACKS,
            "p8",
            3,
            vec![kg(SALT, "1")],
            vec![kg("urn:packs:odd", "2")],
        ),
        commission(MINE, "m1", 2, kg(ORE, "1")),
        transform(
            MINE,
            "m8",
            0,
            vec![kg(ORE, "700")],
            vec![kg("urn:mine:conc", "1")],
        ),
        receive(PACKS, "p9", 5, kg(ORE, "3")),
        void,
        say(
            PACKS,
            "p10",
            25,
            Kind::Disassembled(v1::Disassembled {
                parent: PACK.to_owned(),
                ..Default::default()
            }),
        ),
        say(
            MINE,
            "m10",
            0,
            Kind::DelegationGranted(v1::DelegationGranted {
                delegation: "d".to_owned(),
                reporter: STRANGER.to_owned(),
                ..Default::default()
            }),
        ),
    ]);
    chain
}

/// Picks from the feeds in turn as `choices` say, each feed keeping its own order.
fn interleave(said: &[Said], choices: &[usize]) -> Vec<Said> {
    let mut feeds: Vec<std::collections::VecDeque<Said>> = Vec::new();
    let mut issuers: Vec<&str> = Vec::new();
    for one in said {
        let at = issuers
            .iter()
            .position(|issuer| *issuer == one.issuer)
            .unwrap_or_else(|| {
                issuers.push(one.issuer);
                feeds.push(std::collections::VecDeque::new());
                issuers.len() - 1
            });
        feeds[at].push_back(one.clone());
    }
    let mut mixed = Vec::new();
    let mut choices = choices.iter().cycle();
    while mixed.len() < said.len() {
        let choice = choices.next().unwrap() % feeds.len();
        let feed = (0..feeds.len())
            .map(|step| (choice + step) % feeds.len())
            .find(|feed| !feeds[*feed].is_empty())
            .unwrap();
        mixed.push(feeds[feed].pop_front().unwrap());
    }
    mixed
}

/// Everything but positions that one can ask about these lots.
fn answers(projection: &Projection) -> String {
    let mut answers = serde_json::to_string(&projection.anomalies()).unwrap();
    for lot in [
        ORE,
        SALT,
        CELL_LOT,
        PACK,
        PALLET,
        "urn:cells:cell-0002",
        "urn:packs:odd",
        "urn:mine:conc",
    ] {
        let seen = projection
            .view(crate::id::TreeSize::new(1), crate::policy::view::Purpose::Test)
            .lot(lot, None);
        write!(answers, "{seen:?}").unwrap();
        let mut summary = serde_json::to_value(projection.lot(lot)).unwrap();
        let up = projection.provenance(lot, Direction::Up, Bounds::default());
        let down = projection.provenance(lot, Direction::Down, Bounds::default());
        let mut walks = serde_json::to_value([up, down]).unwrap();
        forget_positions(&mut summary);
        forget_positions(&mut walks);
        answers.push_str(&summary.to_string());
        answers.push_str(&walks.to_string());
        answers.push_str(&serde_json::to_string(&projection.custody(lot)).unwrap());
    }
    answers
}

fn forget_positions(value: &mut serde_json::Value) {
    match value {
        serde_json::Value::Object(object) => {
            object.remove("leaf_index");
            object.remove("recorded_at");
            object.values_mut().for_each(forget_positions);
        }
        serde_json::Value::Array(values) => values.iter_mut().for_each(forget_positions),
        _ => {}
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn the_order_of_independent_feeds_does_not_matter(choices in prop::collection::vec(0_usize..7, 1..60)) {
        let chain = troubled_chain();
        let reference = project(&chain);
        let mixed = interleave(&chain, &choices);
        let projection = project(&mixed);
        prop_assert_eq!(projection.fact_digest(), reference.fact_digest());
        prop_assert_eq!(answers(&projection), answers(&reference));
    }

    #[test]
    fn how_entries_are_batched_does_not_matter(asks in prop::collection::vec(any::<bool>(), 40)) {
        // Asking between events settles the list of anomalies step by step instead of at once; and what was
        // remembered from the answers before is forgotten.
        let chain = troubled_chain();
        let reference = project(&chain);
        let mut projection = Projection::new();
        let mut seen = 0;
        for (index, ask) in (0..chain.len()).zip(asks.iter().cycle()) {
            if *ask {
                apply_range(&mut projection, &chain, seen..index);
                seen = index;
                answers(&projection);
                projection.state_digest();
            }
        }
        apply_range(&mut projection, &chain, seen..chain.len());
        prop_assert_eq!(projection.state_digest(), reference.state_digest());
        prop_assert_eq!(answers(&projection), answers(&reference));
    }
}

#[test]
fn the_state_digest_knows_the_order_and_the_fact_digest_does_not() {
    let chain = troubled_chain();
    let mixed = interleave(&chain, &[3, 1, 4, 1, 5, 2]);
    let (one, other) = (project(&chain), project(&mixed));
    assert_eq!(one.fact_digest(), other.fact_digest());
    assert_ne!(one.state_digest(), other.state_digest());
    assert_ne!(one.fact_digest(), project(&chain[1..]).fact_digest());
}

#[test]
fn every_anomaly_stands_in_the_list_of_its_lot() {
    let projection = project(&troubled_chain());
    let all = projection.anomalies();
    assert!(all.len() > 10);
    // What strangers did with a lot is no fact about it.
    for anomaly in all.iter().filter(|anomaly| !anomaly.by_stranger) {
        let of_lot = projection.anomalies_of(&anomaly.lot);
        let same = |other: &Anomaly| other.kind == anomaly.kind && other.facts == anomaly.facts;
        assert!(of_lot.iter().any(same), "{anomaly:?}");
    }
}
