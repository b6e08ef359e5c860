//! What the benchmark's statements say.

use anyhow::Result;
use bytes::Bytes;
use lotproof::{
    envelope::Envelope,
    publish::pack,
    simulate::Simulation,
    wire::v1::{self, event::Kind},
};
use lotproof_ledger::Reading;
use prost::Message as _;

use super::world::{Sent, Signers};

/// A commissioning of one lot with its mass, about 180 bytes, as most events are.
pub(super) fn commissioning(number: usize, facility: &str, operator: &str, now_nanos: i64) -> Bytes {
    let lot = format!("https://id.gs1.org/01/09521231100013/10/B{number:08}");
    v1::Event {
        id: format!("B{number:08}"),
        event_time: now_nanos,
        utc_offset_minutes: 540,
        kind: Some(Kind::Commissioned(v1::Commissioned {
            facility: facility.to_owned(),
            operator: operator.to_owned(),
            items: vec![v1::Item {
                lot,
                quantity: Some(v1::Quantity {
                    value: format!("{}", 1_000 + number % 1_000),
                    unit: "KGM".to_owned(),
                }),
                ..Default::default()
            }],
            country_of_origin: "KR".to_owned(),
            ..Default::default()
        })),
        ..Default::default()
    }
    .encode_to_vec()
    .into()
}

/// Mean length of the events in these envelopes, in bytes.
pub(super) fn mean_len(envelopes: &[Bytes]) -> Result<usize> {
    let (mut count, mut len) = (0, 0);
    for envelope in envelopes {
        let envelope = Envelope::decode(envelope.clone())?;
        count += envelope.events().len();
        len += envelope.events().iter().map(Bytes::len).sum::<usize>();
    }
    Ok(len / count.max(1))
}

/// Statements of `events_each` commissionings, by every party in turn.
pub(super) fn commissionings(
    signers: &mut Signers,
    simulation: &Simulation,
    statements: usize,
    events_each: usize,
) -> Vec<Sent> {
    let cast = simulation.cast();
    let now_nanos = Reading::now().wall_nanos;
    let sign = |number: usize| {
        let facility = &cast.facilities[number % cast.facilities.len()].identifier;
        let operator = &cast.parties[number % cast.parties.len()].identifier;
        let first = number * events_each;
        let events: Vec<Bytes> = (first..first + events_each)
            .map(|number| commissioning(number, facility, operator, now_nanos))
            .collect();
        signers.sign(number, &events)
    };
    (0..statements).map(sign).collect()
}

/// All events of the simulated supply chain, in statements as full as they can be, by every party in turn; and
/// how many events there are.
pub(super) fn supply_chain(signers: &mut Signers, simulation: &Simulation) -> Result<(Vec<Sent>, usize)> {
    let mut by_party: Vec<Vec<v1::Event>> = vec![Vec::new(); signers.len()];
    let mut count = 0;
    for simulated in simulation.events() {
        by_party[simulated.party.get()].push(simulated.event);
        count += 1;
    }
    let mut packs = Vec::new();
    for (party, events) in by_party.iter().enumerate() {
        for (number, events) in pack(events)?.into_iter().enumerate() {
            packs.push((number, party, events));
        }
    }
    packs.sort_by_key(|(number, party, _)| (*number, *party));
    let sent = packs
        .into_iter()
        .map(|(_, party, events)| signers.sign(party, &events))
        .collect();
    Ok((sent, count))
}
