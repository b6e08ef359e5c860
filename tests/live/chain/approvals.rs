//! Two of three authority keys make an act, whichever two, and once.

use std::collections::BTreeMap;

use lotproof::{
    admission::LedgerState,
    register::EventPlace,
    shell::publisher::{Publisher, Settled},
    wire::v1::{self, event::Kind},
};

use super::{
    check::FinalLog,
    world::{AUTHORITY_SEEDS, Chain, enrolment, event, lot_event, maker},
};
use crate::{
    fixture::{DEADLINE, soon},
    ledger::{AUTHORITY, key},
};

fn approval(id: &str, place: EventPlace) -> v1::Event {
    event(
        id,
        Kind::ActApproved(v1::ActApproved {
            act: Some(v1::EventReference {
                leaf_index: place.leaf_index.get(),
                event_number: place.event_number,
            }),
        }),
    )
}

/// How often each act took effect, over a whole log.
fn effects(log: &FinalLog) -> BTreeMap<EventPlace, u32> {
    let mut state = LedgerState::from_genesis(&log.entries[0]).expect("a genesis");
    let mut effects = BTreeMap::new();
    for entry in &log.entries[1..] {
        for (place, _) in state.take_entry(entry).expect("it follows").effective_acts {
            *effects.entry(place).or_default() += 1;
        }
    }
    effects
}

async fn says(authority: &Publisher, events: &[v1::Event]) -> Settled {
    let ticket = soon("room", authority.submit(events)).await.expect("taken");
    let mut settled = soon("receipts", authority.wait_receipted(ticket))
        .await
        .expect("settled");
    settled.pop().expect("a parcel")
}

#[tokio::test(flavor = "multi_thread")]
async fn an_act_approved_by_two_pairs_of_three_keys_takes_effect_once() {
    let mut chain = Chain::found_with(&AUTHORITY_SEEDS, 2).await;
    chain.start_ledger().await;
    let mut authorities = Vec::new();
    for seed in AUTHORITY_SEEDS {
        authorities.push(chain.publisher(AUTHORITY, &[seed]).await);
    }
    let [first, second, third] = authorities.as_slice() else {
        unreachable!("three keys")
    };
    let acts = enrolment(1);
    let Settled::Admitted { row, .. } = says(first, &acts).await else {
        panic!("refused")
    };
    let places: Vec<EventPlace> = (0..)
        .zip(&acts)
        .map(|(event_number, _)| EventPlace {
            leaf_index: row.index,
            event_number,
        })
        .collect();
    assert_eq!(
        effects(&chain.read_log().await),
        BTreeMap::new(),
        "one key is not enough"
    );
    let not_yet = chain.read_log().await;
    let state = not_yet.projector.state().expect("a state");
    assert!(state.register().key(key(1).feed()).is_none());

    // The other two approve behind each other's back, each making a pair with the first.
    for authority in &authorities {
        let mut status = authority.watch_status();
        let confirmed = soon("a confirmed head", status.wait_for(|status| status.is_confirmed)).await;
        confirmed.expect("running");
    }
    chain.kill_ledger();
    let mut tickets = Vec::new();
    for (n, authority) in [(2, second), (3, third)] {
        let approvals: Vec<_> = (0..)
            .zip(&places)
            .map(|(number, place): (u32, _)| approval(&format!("approval-{n}-{number}"), *place))
            .collect();
        tickets.push((
            authority,
            soon("room", authority.submit(&approvals)).await.expect("taken"),
        ));
    }
    chain.start_ledger().await;
    for (authority, ticket) in tickets {
        let settled = soon("receipts", authority.wait_receipted(ticket))
            .await
            .expect("settled");
        let is_admitted = |settled: &Settled| matches!(settled, Settled::Admitted { .. });
        assert!(settled.iter().all(is_admitted), "{settled:?}");
    }
    // And once more, by the one who proposed it.
    let again: Vec<_> = (0..)
        .zip(&places)
        .map(|(number, place): (u32, _)| approval(&format!("approval-1-{number}"), *place))
        .collect();
    assert!(matches!(says(first, &again).await, Settled::Admitted { .. }));
    let once: BTreeMap<_, _> = places.iter().map(|place| (*place, 1)).collect();
    assert_eq!(effects(&chain.read_log().await), once);

    let publisher = chain.publisher(&maker(1), &[1]).await;
    for number in 0..10 {
        soon("room", publisher.submit(&[lot_event(1, number)]))
            .await
            .expect("taken");
    }
    let status = soon("receipts", publisher.drain(DEADLINE))
        .await
        .expect("running");
    assert_eq!((status.unreceipted, status.letters), (0, 0), "{status:?}");
    let checked = chain.check().await;
    assert_eq!(checked.events, 10 + 3 + 9);
    assert_eq!(effects(&checked.log), once);
}
