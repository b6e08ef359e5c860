//! Small chains with known answers, one pair of tests for each anomaly, standing, and the laws of the digests.

mod anomalies;
mod chain;
mod laws;
mod plant;

use prost::Message as _;

use super::*;
use crate::{
    id::{FeedId, LeafIndex},
    time::{IssuedAt, RecordedAt},
    wire::v1::{self, event::Kind},
};

/// Midnight of 1 January 2026, UTC.
pub(in crate::provenance) const START: i64 = 1_767_225_600_000_000_000;
pub(in crate::provenance) const HOUR: i64 = 3_600_000_000_000;

pub(in crate::provenance) const MINE: &str = "urn:party:mine";
pub(in crate::provenance) const REFINERY: &str = "urn:party:refinery";
pub(in crate::provenance) const CELLS: &str = "urn:party:cells";
pub(in crate::provenance) const PACKS: &str = "urn:party:packs";
pub(in crate::provenance) const STRANGER: &str = "urn:party:stranger";
pub(in crate::provenance) const AUTHORITY: &str = "urn:party:authority";

/// What a party says, with the event that it refers to, if any.
#[derive(Clone, Debug)]
pub(in crate::provenance) struct Said {
    pub(in crate::provenance) issuer: &'static str,
    pub(in crate::provenance) event: v1::Event,
    pub(in crate::provenance) about: Option<(&'static str, &'static str)>,
}

/// `kind` at `hour`, said by `issuer` under `id`.
pub(in crate::provenance) fn say(issuer: &'static str, id: &str, hour: i64, kind: Kind) -> Said {
    Said {
        issuer,
        event: v1::Event {
            id: id.to_owned(),
            event_time: START + hour * HOUR,
            kind: Some(kind),
            ..Default::default()
        },
        about: None,
    }
}

#[expect(
    clippy::unnecessary_wraps,
    reason = "as the wire has it: a quantity may be not stated"
)]
pub(in crate::provenance) fn qty(value: &str, unit: &str) -> Option<v1::Quantity> {
    Some(v1::Quantity {
        value: value.to_owned(),
        unit: unit.to_owned(),
    })
}

pub(in crate::provenance) fn kg(lot: &str, value: &str) -> v1::Item {
    v1::Item {
        lot: lot.to_owned(),
        quantity: qty(value, "KGM"),
        ..Default::default()
    }
}

pub(in crate::provenance) fn pcs(lot: &str, value: &str) -> v1::Item {
    v1::Item {
        lot: lot.to_owned(),
        quantity: qty(value, ""),
        ..Default::default()
    }
}

/// Serials `urn:cells:cell-0001` and so on.
pub(in crate::provenance) fn cells(numbers: impl IntoIterator<Item = u32>) -> Vec<v1::SerialRun> {
    vec![v1::SerialRun {
        prefix: "urn:cells:cell-".to_owned(),
        suffixes: numbers.into_iter().map(|number| format!("{number:04}")).collect(),
    }]
}

pub(in crate::provenance) fn enrol(party: &str, namespace: &str) -> Said {
    say(
        AUTHORITY,
        &format!("enrol {party}"),
        -100,
        Kind::PartyEnrolled(v1::PartyEnrolled {
            party: party.to_owned(),
            legal_name: party.to_owned(),
            namespaces: vec![namespace.to_owned()],
            ..Default::default()
        }),
    )
}

pub(in crate::provenance) fn plant(facility: &str, country: &str, operator: &str) -> Said {
    say(
        AUTHORITY,
        &format!("register {facility}"),
        -90,
        Kind::FacilityRegistered(v1::FacilityRegistered {
            facility: facility.to_owned(),
            country: country.to_owned(),
            operator: operator.to_owned(),
            ..Default::default()
        }),
    )
}

/// Five parties, each with a namespace and a plant.
pub(in crate::provenance) fn register() -> Vec<Said> {
    vec![
        enrol(MINE, "urn:mine:"),
        enrol(REFINERY, "urn:refinery:"),
        enrol(CELLS, "urn:cells:"),
        enrol(PACKS, "urn:packs:"),
        enrol(STRANGER, "urn:stranger:"),
        plant("urn:plant:mine", "AU", MINE),
        plant("urn:plant:refinery", "KR", REFINERY),
        plant("urn:plant:cells", "KR", CELLS),
        plant("urn:plant:packs", "US", PACKS),
        plant("urn:plant:stranger", "US", STRANGER),
    ]
}

pub(in crate::provenance) fn ship(
    issuer: &'static str,
    id: &str,
    hour: i64,
    item: v1::Item,
    to: &str,
) -> Said {
    say(
        issuer,
        id,
        hour,
        Kind::Shipped(v1::Shipped {
            items: vec![item],
            consignee: to.to_owned(),
            ..Default::default()
        }),
    )
}

pub(in crate::provenance) fn receive(issuer: &'static str, id: &str, hour: i64, item: v1::Item) -> Said {
    say(
        issuer,
        id,
        hour,
        Kind::Received(v1::Received {
            items: vec![item],
            ..Default::default()
        }),
    )
}

pub(in crate::provenance) fn commission(issuer: &'static str, id: &str, hour: i64, item: v1::Item) -> Said {
    say(
        issuer,
        id,
        hour,
        Kind::Commissioned(v1::Commissioned {
            items: vec![item],
            ..Default::default()
        }),
    )
}

pub(in crate::provenance) fn transform(
    issuer: &'static str,
    id: &str,
    hour: i64,
    inputs: Vec<v1::Item>,
    outputs: Vec<v1::Item>,
) -> Said {
    say(
        issuer,
        id,
        hour,
        Kind::Transformed(v1::Transformed {
            inputs,
            outputs,
            inputs_complete: Some(true),
            ..Default::default()
        }),
    )
}

pub(in crate::provenance) const ORE: &str = "urn:mine:ore-1";
pub(in crate::provenance) const SALT: &str = "urn:refinery:salt-1";
pub(in crate::provenance) const CELL_LOT: &str = "urn:cells:lot-A";
pub(in crate::provenance) const PACK: &str = "urn:packs:pack-0001";
pub(in crate::provenance) const PALLET: &str = "https://id.gs1.org/00/095212300000000017";

/// Ore, salt, forty cells in a lot, twelve of them on a pallet to the pack maker, four of those in a pack.
pub(in crate::provenance) fn honest_chain() -> Vec<Said> {
    let mut chain = register();
    chain.extend([
        commission(MINE, "m1", 1, kg(ORE, "1000")),
        ship(MINE, "m2", 2, kg(ORE, "600"), REFINERY),
        receive(REFINERY, "r1", 3, kg(ORE, "600")),
        say(
            REFINERY,
            "r2",
            4,
            Kind::Transformed(v1::Transformed {
                step: "convert".to_owned(),
                facility: "urn:plant:refinery".to_owned(),
                inputs: vec![kg(ORE, "600")],
                outputs: vec![kg(SALT, "300")],
                inputs_complete: Some(true),
                ..Default::default()
            }),
        ),
        ship(REFINERY, "r3", 5, kg(SALT, "200"), CELLS),
        receive(CELLS, "c1", 6, kg(SALT, "200")),
        say(
            CELLS,
            "c2",
            7,
            Kind::Transformed(v1::Transformed {
                step: "seal".to_owned(),
                facility: "urn:plant:cells".to_owned(),
                inputs: vec![kg(SALT, "150")],
                outputs: vec![pcs(CELL_LOT, "40")],
                output_serials: cells(1..=40),
                class_lot: CELL_LOT.to_owned(),
                inputs_complete: Some(true),
                ..Default::default()
            }),
        ),
        say(
            CELLS,
            "c3",
            8,
            Kind::Aggregated(v1::Aggregated {
                parent: PALLET.to_owned(),
                serials: cells(1..=12),
                ..Default::default()
            }),
        ),
        say(
            CELLS,
            "c4",
            9,
            Kind::Shipped(v1::Shipped {
                units: vec![PALLET.to_owned()],
                consignee: PACKS.to_owned(),
                shipment: "urn:shipment:1".to_owned(),
                ..Default::default()
            }),
        ),
        say(
            PACKS,
            "p1",
            10,
            Kind::Received(v1::Received {
                units: vec![PALLET.to_owned()],
                shipment: "urn:shipment:1".to_owned(),
                facility: "urn:plant:packs".to_owned(),
                ..Default::default()
            }),
        ),
        say(
            PACKS,
            "p2",
            11,
            Kind::Disaggregated(v1::Disaggregated {
                parent: PALLET.to_owned(),
                ..Default::default()
            }),
        ),
        say(
            PACKS,
            "p3",
            12,
            Kind::Commissioned(v1::Commissioned {
                serials: vec![v1::SerialRun {
                    prefix: PACK.to_owned(),
                    suffixes: vec![String::new()],
                }],
                ..Default::default()
            }),
        ),
        say(
            PACKS,
            "p4",
            13,
            Kind::Assembled(v1::Assembled {
                step: "assemble_pack".to_owned(),
                parent: PACK.to_owned(),
                serials: cells(1..=4),
                facility: "urn:plant:packs".to_owned(),
                inputs_complete: Some(true),
                ..Default::default()
            }),
        ),
    ]);
    chain
}

/// The projection of `said`, one statement an event, in this order.
pub(in crate::provenance) fn project(said: &[Said]) -> Projection {
    let mut projection = Projection::new();
    apply_all(&mut projection, said);
    projection
}

pub(in crate::provenance) fn apply_all(projection: &mut Projection, said: &[Said]) {
    apply_range(projection, said, 0..said.len());
}

/// Applies some of `said`, at the places that they have in it.
pub(in crate::provenance) fn apply_range(
    projection: &mut Projection,
    said: &[Said],
    range: std::ops::Range<usize>,
) {
    for (index, one) in (1_u64..).zip(said).skip(range.start).take(range.len()) {
        let mut event = one.event.clone();
        if let Some(about) = one.about {
            let place = (1_u64..)
                .zip(said)
                .find(|(_, other)| (other.issuer, other.event.id.as_str()) == about)
                .map(|(leaf_index, _)| v1::EventReference {
                    leaf_index,
                    event_number: 0,
                });
            match event.kind.as_mut() {
                Some(Kind::Voided(voided)) => voided.event = place,
                Some(Kind::Corrected(corrected)) => corrected.event = place,
                Some(Kind::Certified(certified)) => certified.event = place,
                other => panic!("{other:?} refers to nothing"),
            }
        }
        projection.apply(&AppliedEvent {
            place: EventPlace {
                leaf_index: LeafIndex::new(index),
                event_number: 0,
            },
            issuer: one.issuer,
            feed: feed(one.issuer),
            recorded_at: RecordedAt::from_nanos(START + i64::try_from(index).unwrap()),
            issued_at: IssuedAt::from_nanos(one.event.event_time + 1),
            by_authority: one.issuer == AUTHORITY,
            event: &event.encode_to_vec(),
        });
    }
}

pub(in crate::provenance) fn feed(issuer: &str) -> FeedId {
    FeedId::new(*crate::id::Hash::of(&[issuer.as_bytes()]).as_bytes())
}

/// The kinds of anomaly at a lot, with whom they weigh on.
pub(in crate::provenance) fn kinds_at(projection: &Projection, lot: &str) -> Vec<(AnomalyKind, Weight)> {
    let mut kinds: Vec<_> = projection
        .anomalies()
        .into_iter()
        .filter(|anomaly| anomaly.lot == lot)
        .map(|anomaly| (anomaly.kind, anomaly.weighs_on))
        .collect();
    kinds.dedup();
    kinds
}
