//! EVENTS full while the ledger is away: JetStream refuses, publishers wait, nothing is discarded.

use super::{
    tail::events_state,
    world::{Chain, enrolment, lot_event, maker},
};
use crate::fixture::{DEADLINE, soon, until};

/// Publishes more lots of two makers than EVENTS has room for, without a ledger, and then with one.
async fn fill(room: (u64, u64)) {
    const LOTS: usize = 60;
    let mut chain = Chain::found().await;
    chain.room = Some(room);
    chain.start_ledger().await;
    chain.authority_says((1..=2).flat_map(enrolment).collect()).await;
    let publishers = [
        chain.publisher(&maker(1), &[1]).await,
        chain.publisher(&maker(2), &[2]).await,
    ];
    for publisher in &publishers {
        let mut status = publisher.watch_status();
        let confirmed = soon("a confirmed head", status.wait_for(|status| status.is_confirmed)).await;
        confirmed.expect("running");
    }
    until("an empty stream", async || {
        events_state(&chain).await.messages == 0
    })
    .await;
    chain.kill_ledger();
    for (n, publisher) in (1..).zip(&publishers) {
        for number in 0..LOTS {
            soon("room", publisher.submit(&[lot_event(n, number)]))
                .await
                .expect("taken");
        }
    }
    // It takes what there is room for, and no more, however long one waits.
    let full = async || {
        let state = events_state(&chain).await;
        state.messages >= 2 * room.1 || state.bytes + 800 > room.0
    };
    until("EVENTS to be full", full).await;
    let state = events_state(&chain).await;
    assert!(
        state.messages < 2 * LOTS as u64 && state.bytes <= room.0,
        "{state:?}"
    );
    for publisher in &publishers {
        assert_eq!(publisher.status().unreceipted, LOTS);
    }
    chain.start_ledger().await;
    for publisher in &publishers {
        let status = soon("receipts", publisher.drain(DEADLINE))
            .await
            .expect("running");
        assert_eq!((status.queued, status.unreceipted), (0, 0), "{status:?}");
    }
    assert_eq!(chain.check().await.events, 2 * LOTS + 6);
}

#[tokio::test(flavor = "multi_thread")]
async fn publishers_wait_while_each_has_used_up_its_share_of_the_bus() {
    fill((1 << 30, 12)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn publishers_wait_while_the_bus_has_no_bytes_left() {
    fill((16_384, 1 << 20)).await;
}
