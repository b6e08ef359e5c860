//! Receipts said while nobody listened: the publisher asks for its head, and then for what it missed.

use lotproof::{
    shell::{
        nats::{Bus, BusOptions},
        publisher::{Publisher, PublisherConfig},
    },
    wire::v1,
};
use prost::Message as _;

use super::{
    child::outbox_config,
    line::Line,
    tail::events_state,
    world::{Chain, lot_event, maker},
};
use crate::{
    fixture::{DEADLINE, soon, until},
    ledger::key,
};

#[tokio::test(flavor = "multi_thread")]
async fn a_receipt_that_nobody_heard_is_asked_for() {
    let mut chain = Chain::with_makers(1).await;
    let line = Line::to(&chain.own.server.url()).await;
    let bus = Bus::connect(&BusOptions::new(line.url(), "behind a line"))
        .await
        .expect("connected");
    let folder = chain.outbox("outbox-1", &maker(1));
    let config = PublisherConfig::new(folder, outbox_config(&chain.identity, &maker(1)), vec![key(1)]);
    let publisher = soon("the publisher", Publisher::start(bus, config))
        .await
        .expect("a publisher");
    soon("room", publisher.submit(&[lot_event(1, 0)]))
        .await
        .expect("taken");
    soon("the first receipt", publisher.drain(DEADLINE))
        .await
        .expect("running");

    chain.kill_ledger();
    let before = events_state(&chain).await.last_sequence;
    for number in 1..=50 {
        soon("room", publisher.submit(&[lot_event(1, number)]))
            .await
            .expect("taken");
    }
    until("the bus to have all", async || {
        events_state(&chain).await.last_sequence == before + 50
    })
    .await;
    line.cut();
    chain.start_ledger().await;
    // Said to everybody who listens, once.
    until("all receipts to be said", async || {
        let said = chain.ear.look(|heard| {
            let receipts = heard
                .receipts
                .iter()
                .map(|bytes| v1::Receipt::decode(bytes.clone()));
            receipts
                .map(|receipt| receipt.expect("a receipt").rows.len())
                .sum::<usize>()
        });
        said >= 51
    })
    .await;
    assert_eq!(publisher.status().unreceipted, 50, "{:?}", publisher.status());
    line.mend();
    let status = soon("receipts", publisher.drain(DEADLINE))
        .await
        .expect("running");
    assert_eq!((status.unreceipted, status.alarms), (0, 0), "{status:?}");
    let after = events_state(&chain).await.last_sequence;
    assert_eq!(
        after,
        before + 50,
        "nothing was sent twice: receipts were asked for"
    );
    assert_eq!(chain.check().await.events, 51 + 3);
}
