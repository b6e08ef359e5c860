//! What a tree says beside the lots: what is not certain, whose report it is, and what was cut off.

use lotproof::{policy::view::Assurance, provenance::FactKey, time::EventTime};

use super::*;

pub(crate) fn node(lot: &str, last: Option<&str>, count: u64, depth: u32) -> Node {
    Node {
        lot: lot.into(),
        last: last.map(Into::into),
        count,
        depth,
        product: None,
        kind: None,
        class_lot: None,
        makers: Vec::new(),
        handlers: Vec::new(),
        makers_open: false,
        unknown: false,
        possible: false,
        reported_by: Vec::new(),
        anomalies: Vec::new(),
    }
}

fn item(lot: &str, last: Option<&str>) -> StepItem {
    StepItem {
        lot: lot.into(),
        last: last.map(Into::into),
        quantity: None,
        sealed: false,
        until: None,
    }
}

fn event(id: &str) -> FactKey {
    FactKey {
        issuer: "urn:maker".into(),
        event_id: id.into(),
    }
}

fn step(leaf_index: u64, inputs: Vec<StepItem>, outputs: Vec<StepItem>) -> Step {
    Step {
        event: event("1"),
        more_events: Vec::new(),
        run: None,
        leaf_index,
        event_number: 0,
        kind: "transformed",
        step: Some("form".into()),
        facility: None,
        country: None,
        operator: Some("urn:maker".into()),
        on_behalf_of: None,
        event_time: EventTime::from_nanos(0),
        inputs,
        outputs,
        inputs_complete: None,
        assurance: Assurance::Asserted,
        reported: false,
        reported_by: None,
        standing: true,
        contested: false,
    }
}

pub(crate) fn walk(direction: Direction, nodes: Vec<Node>, steps: Vec<Step>) -> Provenance {
    Provenance {
        root: nodes[0].lot.clone(),
        direction,
        nodes,
        steps,
        names: [("urn:maker".to_owned(), "Maker Ltd.".to_owned())].into(),
        truncated: false,
        left_out: LeftOut::default(),
    }
}

fn lines(walk: &Provenance) -> Vec<String> {
    tree(walk, &Bounds::default())
        .lines()
        .map(str::to_owned)
        .collect()
}

#[test]
fn an_importer_is_never_shown_as_the_maker() {
    let plain = step(5, Vec::new(), Vec::new());
    let mut reported = plain.clone();
    reported.reported = true;
    reported.standing = false;
    reported.reported_by = Some("urn:importer".into());
    let mut nameless = reported.clone();
    nameless.operator = None;
    for (step, expected) in [
        (plain, "form by Maker Ltd., entry 5"),
        (
            reported,
            "form: reported by urn:importer, who says that Maker Ltd. did it, entry 5",
        ),
        (
            nameless,
            "form: reported by urn:importer, who does not say who did it, entry 5",
        ),
    ] {
        let walk = walk(Direction::Up, vec![node("urn:pack", None, 1, 0)], Vec::new());
        assert_eq!(step_line(&walk, &step), expected);
    }
}

#[test]
fn what_is_not_certain_is_marked_where_it_stands() {
    let mut made = step(5, vec![item("urn:cam", None)], vec![item("urn:pack", None)]);
    made.run = Some("urn:order:3".into());
    made.more_events = vec![event("2"), event("3")];
    made.contested = true;
    let mut cam = node("urn:cam", None, 1, 1);
    cam.possible = true;
    cam.unknown = true;
    cam.anomalies = vec![lotproof::provenance::AnomalyKind::ConsumedMoreThanMade];
    let walk = walk(Direction::Up, vec![node("urn:pack", None, 1, 0), cam], vec![made]);
    assert_eq!(
        lines(&walk),
        [
            "urn:pack",
            " - form by Maker Ltd., entry 5, told in 3 events of run urn:order:3 (contested: another version, a \
             correction or a void of it does not count yet)",
            "   urn:cam (possible, not certain) (contradicted: consumed_more_than_made): how it was made is not \
             stated",
        ]
    );
}

#[test]
fn what_the_bounds_cut_off_is_said() {
    let made = step(5, vec![item("urn:cam", None)], vec![item("urn:pack", None)]);
    let mut walk = walk(Direction::Up, vec![node("urn:pack", None, 1, 0)], vec![made]);
    walk.truncated = true;
    walk.left_out = LeftOut {
        too_deep: 1,
        too_many: 2,
    };
    assert_eq!(
        lines(&walk),
        [
            "urn:pack",
            " - form by Maker Ltd., entry 5",
            "   urn:cam (not followed)",
            "not followed: 1 lots more than 64 steps away, nor what lies behind them (--depth)",
            "not followed: 2 lots beyond the first 10000, nor what lies behind them (--nodes)",
        ]
    );
}

#[test]
fn a_run_of_serials_that_went_different_ways_is_followed_on_each() {
    let cell = |number: u32| format!("urn:cell/21/{number}");
    let node_of = |first, last, count| node(&cell(first), Some(&cell(last)), count, 1);
    let nodes = vec![
        node("urn:cam", None, 1, 0),
        node_of(1, 3, 3),
        node_of(4, 6, 3),
        node_of(7, 9, 3),
        node("urn:pack:1", None, 1, 2),
        node("urn:pack:2", None, 1, 2),
    ];
    let run = |first, last| item(&cell(first), Some(&cell(last)));
    let steps = vec![
        step(1, vec![item("urn:cam", None)], vec![run(1, 9)]),
        step(2, vec![run(1, 3)], vec![item("urn:pack:1", None)]),
        step(3, vec![run(4, 6), run(7, 9)], vec![item("urn:pack:2", None)]),
    ];
    assert_eq!(
        lines(&walk(Direction::Down, nodes, steps)),
        [
            "urn:cam",
            " - form by Maker Ltd., entry 1",
            "   3 pieces of urn:cell/21/1 to urn:cell/21/3",
            "    - form by Maker Ltd., entry 2",
            "      urn:pack:1",
            "   3 pieces of urn:cell/21/4 to urn:cell/21/6",
            "    - form by Maker Ltd., entry 3",
            "      urn:pack:2",
            "   and 3 more like it, to urn:cell/21/9",
        ]
    );
}

#[test]
fn a_long_chain_is_told_without_end_of_indentation() {
    let lots: Vec<String> = (0..2 * LEVELS_MAX)
        .map(|level| format!("urn:lot:{level:04}"))
        .collect();
    let nodes = lots.iter().map(|lot| node(lot, None, 1, 0)).collect();
    let steps = lots
        .windows(2)
        .zip(0..)
        .map(|(pair, leaf)| step(leaf, vec![item(&pair[1], None)], vec![item(&pair[0], None)]))
        .collect();
    let lines = lines(&walk(Direction::Up, nodes, steps));
    assert_eq!(lines.len(), 2 * LEVELS_MAX + 1);
    assert!(
        lines
            .last()
            .unwrap()
            .ends_with("(too deep for this page: ask for this lot)")
    );
}
