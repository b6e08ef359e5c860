//! What both sets of vectors are made of: keys, names, events.

use bytes::Bytes;
use lotproof::{
    id::LeafIndex,
    signature::SigningKey,
    wire::v1::{self, event::Kind},
};
use prost::Message as _;

pub(crate) const NOW: i64 = 1_770_000_000_000_000_000;
pub(crate) const ORIGIN: &str = "ledger.example/small";
pub(crate) const AUTHORITY: &str = "https://authority.example/";
pub(crate) const ALICE: &str = "https://id.gs1.org/417/9521230100106";
pub(crate) const BOB: &str = "https://id.gs1.org/417/9521230200103";
pub(crate) const PLANT: &str = "https://id.gs1.org/414/9521230010016";
pub(crate) const ELSEWHERE: &str = "https://id.gs1.org/414/9521230020015";
pub(crate) const LOT: &str = "https://id.gs1.org/01/09521231100013/10/A1";
/// Seed of the key that signs checkpoints and answers.
pub(crate) const LOG_SEED: u8 = 200;

/// The key whose seed is this byte 32 times.
pub(crate) fn key(seed: u8) -> SigningKey {
    SigningKey::from_seed(&[seed; 32])
}

pub(crate) fn public(seed: u8) -> Vec<u8> {
    key(seed).feed().as_bytes().to_vec()
}

/// Seeds in the order of their public keys.
pub(crate) fn sorted(seeds: &[u8]) -> Vec<u8> {
    let mut seeds = seeds.to_vec();
    seeds.sort_by_key(|seed| public(*seed));
    seeds
}

pub(crate) fn genesis() -> v1::Genesis {
    v1::Genesis {
        origin: ORIGIN.into(),
        purpose: v1::Purpose::Production.into(),
        authority: AUTHORITY.into(),
        authority_keys: sorted(&[201, 202, 203]).into_iter().map(public).collect(),
        threshold: 2,
        log_key: public(LOG_SEED),
        rules_version: lotproof::register::RULES_VERSION,
        parameters: Some(parameters()),
        follows: None,
    }
}

pub(crate) fn parameters() -> v1::Parameters {
    v1::Parameters {
        clock_skew_ms: 1_000,
        clock_jump_ms_max: 60_000,
        statement_len_max: 8_000,
        statement_events_max: 8,
        event_parts_max: 3,
        index_interval: 0,
    }
}

pub(crate) fn encode(events: &[v1::Event]) -> Vec<Bytes> {
    events.iter().map(|event| event.encode_to_vec().into()).collect()
}

pub(crate) fn event(id: &str, kind: Kind) -> v1::Event {
    v1::Event {
        id: id.into(),
        event_time: NOW,
        utc_offset_minutes: 540,
        kind: Some(kind),
        ..Default::default()
    }
}

pub(crate) fn party(party: &str) -> Kind {
    Kind::PartyEnrolled(v1::PartyEnrolled {
        party: party.into(),
        legal_name: "Maker".into(),
        ..Default::default()
    })
}

pub(crate) fn facility(facility: &str) -> Kind {
    Kind::FacilityRegistered(v1::FacilityRegistered {
        facility: facility.into(),
        country: "KR".into(),
        operator: ALICE.into(),
        ..Default::default()
    })
}

pub(crate) fn authorise(party: &str, seed: u8) -> Kind {
    Kind::KeyAuthorised(v1::KeyAuthorised {
        party: party.into(),
        key: public(seed),
        replaces: Vec::new(),
    })
}

pub(crate) fn approve(id: &str, index: LeafIndex, number: u32) -> v1::Event {
    let act = Some(v1::EventReference {
        leaf_index: index.get(),
        event_number: number,
    });
    event(
        &format!("approve-{id}"),
        Kind::ActApproved(v1::ActApproved { act }),
    )
}

pub(crate) fn item(lot: &str, value: &str) -> v1::Item {
    v1::Item {
        lot: lot.into(),
        quantity: Some(v1::Quantity {
            value: value.into(),
            unit: "KGM".into(),
        }),
        ..Default::default()
    }
}

pub(crate) fn commission(lot: &str) -> Kind {
    commission_at(PLANT, lot)
}

pub(crate) fn commission_at(facility: &str, lot: &str) -> Kind {
    Kind::Commissioned(v1::Commissioned {
        facility: facility.into(),
        items: vec![item(lot, "1200")],
        ..Default::default()
    })
}

pub(crate) fn owners(party: &str) -> Kind {
    Kind::OwnershipDeclared(v1::OwnershipDeclared {
        party: party.into(),
        owners: Vec::new(),
        ownership_complete: Some(true),
    })
}

/// Part `number` of an event that commissions serials.
pub(crate) fn slice(number: u32, count: u32, serial: &str) -> v1::Event {
    let serials = vec![v1::SerialRun {
        prefix: "https://id.gs1.org/01/09521231100013/21/".into(),
        suffixes: vec![serial.into()],
    }];
    v1::Event {
        part: Some(v1::Part { number, count }),
        ..event(
            "long",
            Kind::Commissioned(v1::Commissioned {
                serials,
                ..Default::default()
            }),
        )
    }
}

pub(crate) fn with_part(event: v1::Event, number: u32, count: u32) -> v1::Event {
    v1::Event {
        part: Some(v1::Part { number, count }),
        ..event
    }
}

pub(crate) fn sealed(event: v1::Event, paths: &[&str]) -> v1::Event {
    let seal = |path: &&str| v1::Sealed {
        path: (*path).into(),
        digest: vec![7; 32],
    };
    v1::Event {
        sealed: paths.iter().map(seal).collect(),
        ..event
    }
}

pub(crate) fn reported(event: v1::Event) -> v1::Event {
    v1::Event {
        reported: Some(v1::Reported {
            document: vec![1; 32],
            ..Default::default()
        }),
        ..event
    }
}
