//! What a lot at a glance says of reports, of strangers, and of what was left out.

use lotproof::{
    provenance::{Anomaly, AnomalyKind, FactKey, LeftOut, LineageRow, Unit},
    time::{EventTime, RecordedAt},
};

use super::*;

fn kilograms(number: u64) -> lotproof::provenance::Amount {
    lotproof::provenance::Amount {
        value: lotproof::provenance::Exact::whole(number),
        unit: Unit::of("KGM"),
    }
}

pub(crate) fn lot() -> LotSummary {
    LotSummary {
        lot: "https://id.gs1.org/01/09521231100013/10/A".into(),
        product: None,
        kind: Some("cam".into()),
        class_lot: None,
        owner_of_identifier: None,
        makers: vec!["urn:maker".into()],
        handlers: Vec::new(),
        makers_open: false,
        claimed_makers: Vec::new(),
        reported_by: Vec::new(),
        made: vec![kilograms(100)],
        made_at_most: Vec::new(),
        made_unknown: false,
        used: Vec::new(),
        not_compared: Vec::new(),
        stock: Vec::new(),
        on_hold: false,
        recalled: false,
        noticed_through: Vec::new(),
        notices_truncated: false,
        unknown: false,
        anomalies: Vec::new(),
        facts: Vec::new(),
        strangers: Strangers::default(),
    }
}

/// A lineage without a contradiction.
pub(crate) fn clean() -> Lineage {
    Lineage {
        total: 0,
        kinds: BTreeMap::new(),
        nearest: Vec::new(),
        looked_at: 1,
        truncated: false,
        left_out: LeftOut::default(),
    }
}

fn says(lot: &LotSummary, custody: &[CustodyRow]) -> String {
    glance(&Projection::new(), lot, custody)
}

#[test]
fn a_lot_that_was_only_reported_has_no_importer_for_a_maker() {
    assert_eq!(
        says(&lot(), &[]),
        "01/09521231100013/10/A, cam\n   made        100 kg by urn:maker\n"
    );
    let mut reported = lot();
    reported.claimed_makers.clone_from(&reported.makers);
    reported.reported_by = vec!["urn:importer".into()];
    assert_eq!(
        says(&reported, &[]),
        "01/09521231100013/10/A, cam\n   made        100 kg\n               reported by urn:importer, saying \
         that urn:maker made it\n"
    );
    reported.makers.clear();
    reported.claimed_makers.clear();
    reported.stock = vec![StockRow {
        holder: Some("urn:importer".into()),
        place: None,
        parent: None,
        from: None,
        to: None,
        at_least: kilograms(90),
        at_most: kilograms(100),
    }];
    let text = says(&reported, &[]);
    assert!(
        text.contains("reported by urn:importer, without saying who made it"),
        "{text}"
    );
    assert!(
        text.contains("90 to 100 kg with urn:importer, who only reports it"),
        "{text}"
    );
}

#[test]
fn whatever_is_not_known_to_its_end_is_said() {
    let mut lot = lot();
    lot.made_at_most = vec![kilograms(200)];
    lot.not_compared = vec!["urn:coater".into()];
    lot.notices_truncated = true;
    let text = says(&lot, &[]);
    for expected in [
        "100 kg to 200 kg: two statements may be about one making or about two",
        "not compared: amounts of urn:coater, in units that nothing relates to those of the lot",
        "not all lots were looked at for holds and recalls",
    ] {
        assert!(text.contains(expected), "{expected}: {text}");
    }
    lot.made_at_most.clear();
    lot.made_unknown = true;
    assert!(says(&lot, &[]).contains("at least 100 kg, one making does not say how much"));
}

#[test]
fn only_the_newest_changes_of_hands_are_listed_and_the_others_counted() {
    let row = |nanos| CustodyRow {
        event: FactKey {
            issuer: "urn:importer".into(),
            event_id: "1".into(),
        },
        kind: "received",
        event_time: EventTime::from_nanos(nanos),
        party: None,
        reported_by: Some("urn:importer".into()),
        to: None,
        facility: None,
        quantity: Some(kilograms(1)),
        via: None,
        standing: true,
    };
    let rows: Vec<CustodyRow> = (0..25).map(|number| row(number * 1_000_000_000 + 1)).collect();
    let text = says(&lot(), &rows);
    assert!(text.contains("5 earlier changes of hands not listed"), "{text}");
    assert!(!text.contains("00:00:04Z"), "{text}");
    assert!(
        text.contains("1970-01-01T00:00:24Z reported by urn:importer, who does not say who: received 1 kg"),
        "{text}"
    );
}

#[test]
fn what_strangers_said_is_counted_apart() {
    let mut lot = lot();
    let fact = FactView {
        event: FactKey {
            issuer: "urn:rival".into(),
            event_id: "1".into(),
        },
        leaf_index: 3,
        event_number: 0,
        kind: "commissioned",
        event_time: EventTime::from_nanos(0),
        recorded_at: RecordedAt::from_nanos(0),
        counts: true,
        standing: false,
        contested: false,
        reported: false,
        claimed_party: None,
        tainted: false,
    };
    lot.strangers = Strangers {
        total: 3,
        facts: vec![fact.clone(), fact],
    };
    let text = says(&lot, &[]);
    assert!(
        text.contains("3 statements by parties without any part in this lot"),
        "{text}"
    );
    assert!(text.contains("2 commissioned by urn:rival"), "{text}");
    assert!(text.contains("and 1 more"), "{text}");
}

#[test]
fn a_lineage_is_told_with_its_number_its_kinds_and_the_nearest() {
    let anomaly = Anomaly {
        lot: "urn:cam".into(),
        last: None,
        kind: AnomalyKind::UsedMoreThanHeld,
        weighs_on: Weight::Signer,
        signer: "urn:coater".into(),
        facts: Vec::new(),
        outputs: Vec::new(),
        amounts: Vec::new(),
        detail: "used 30 kg, and had 20 kg".into(),
        by_stranger: false,
    };
    let mut lineage = Lineage {
        total: 40,
        kinds: [(AnomalyKind::UsedMoreThanHeld, 40)].into(),
        nearest: vec![LineageRow { depth: 2, anomaly }],
        looked_at: 50,
        truncated: true,
        left_out: LeftOut {
            too_deep: 7,
            too_many: 0,
        },
    };
    assert_eq!(
        contradictions(&Projection::new(), "urn:pack", &lineage),
        "40 contradictions at the lot or behind it, 50 lots looked at: 40 used_more_than_held (see \
         docs/anomalies.md)\n   2 steps up: used_more_than_held at urn:cam, weighs on urn:coater and what came of \
         it there: used 30 kg, and had 20 kg\n   and 39 more, further up\n   not followed: 7 lots more than 64 \
         steps away, nor what lies behind them\n"
    );
    lineage.total = 0;
    lineage.kinds.clear();
    lineage.nearest.clear();
    lineage.left_out = LeftOut::default();
    assert_eq!(
        contradictions(&Projection::new(), "urn:pack", &lineage),
        "no contradiction at the lot or behind it; 50 lots looked at\n"
    );
}
