//! A key rotated while its statements are on their way: those up to the last admissible one land, the events
//! of the rest move to the successor.

use lotproof::{
    id::FeedSequence,
    shell::publisher::Settled,
    wire::v1::{self, event::Kind},
};

use super::{
    tail::events_state,
    world::{AUTHORITY_SEEDS, Chain, event, lot_event, maker},
};
use crate::{
    fixture::{DEADLINE, soon, until},
    ledger::{AUTHORITY, key},
};

const SUCCESSOR: u8 = 101;

fn rotated(last_sequence: u64) -> v1::Event {
    event(
        "rotation",
        Kind::KeyRotated(v1::KeyRotated {
            key: key(1).feed().as_bytes().to_vec(),
            last_sequence,
            successor: key(SUCCESSOR).feed().as_bytes().to_vec(),
        }),
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn statements_beyond_a_rotated_keys_last_move_to_its_successor() {
    const BEFORE: usize = 5;
    const UNDER_WAY: usize = 40;
    const LAST: u64 = 20;
    // The ledger finds act and statements waiting, or takes them as they come.
    for is_ledger_away in [true, false] {
        let mut chain = Chain::with_makers(1).await;
        let publisher = chain.publisher(&maker(1), &[1, SUCCESSOR]).await;
        let authority = chain.publisher(AUTHORITY, &AUTHORITY_SEEDS[..1]).await;
        for number in 0..BEFORE {
            soon("room", publisher.submit(&[lot_event(1, number)]))
                .await
                .expect("taken");
        }
        soon("receipts", publisher.drain(DEADLINE))
            .await
            .expect("running");
        let mut status = authority.watch_status();
        let confirmed = soon("a confirmed head", status.wait_for(|status| status.is_confirmed)).await;
        confirmed.expect("running");
        if is_ledger_away {
            chain.kill_ledger();
        }
        let before = events_state(&chain).await.last_sequence;
        let act = soon("room", authority.submit(&[rotated(LAST)]))
            .await
            .expect("taken");
        until("the act to be first", async || {
            events_state(&chain).await.last_sequence > before
        })
        .await;
        let mut tickets = Vec::new();
        for number in BEFORE..BEFORE + UNDER_WAY {
            tickets.push(
                soon("room", publisher.submit(&[lot_event(1, number)]))
                    .await
                    .expect("taken"),
            );
        }
        if is_ledger_away {
            chain.start_ledger().await;
        }
        for (ticket, who) in tickets
            .into_iter()
            .map(|ticket| (ticket, &publisher))
            .chain([(act, &authority)])
        {
            let settled = soon("a receipt", who.wait_receipted(ticket))
                .await
                .expect("settled");
            let is_admitted = |settled: &Settled| matches!(settled, Settled::Admitted { .. });
            assert!(settled.iter().all(is_admitted), "{settled:?}");
        }
        assert_eq!(publisher.status().feed, Some(key(SUCCESSOR).feed()));
        let checked = chain.check().await;
        assert_eq!(checked.events, BEFORE + UNDER_WAY + 4);
        let last_of = |seed: u8| {
            let spoken = checked
                .log
                .statements
                .keys()
                .filter(|(feed, _)| *feed == key(seed).feed());
            spoken.map(|(_, sequence)| *sequence).max()
        };
        assert_eq!(
            last_of(1),
            Some(FeedSequence::new(LAST)),
            "all up to the last landed"
        );
        let moved = (BEFORE + UNDER_WAY) as u64 - LAST;
        assert_eq!(last_of(SUCCESSOR), Some(FeedSequence::new(moved)));
    }
}
