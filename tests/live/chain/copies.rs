//! Old folders, copied folders, two ledgers at once. With a guard outside, no two checkpoints that contradict
//! each other leave the processes; where bus and folder go back together, the first who shows a newer
//! checkpoint halts the ledger before it has promised anything else.

use std::{fs, time::Duration};

use lotproof::wire::v1;
use prost::Message as _;

use super::world::{Chain, drained, maker, submit};
use crate::{
    dice::{Dice, is_long},
    fixture::{connect, let_pass, soon},
    ledger::{copy_folder, key},
};

#[tokio::test(flavor = "multi_thread")]
async fn a_restored_folder_promises_nothing_where_the_guard_is_outside() {
    let mut chain = Chain::with_makers(1).await;
    let publisher = chain.publisher(&maker(1), &[1]).await;
    submit(&publisher, 0..10).await;
    drained(&publisher).await;
    chain.kill_ledger();
    let (old, newest) = (chain.root().join("old"), chain.root().join("newest"));
    copy_folder(&chain.folder, &old);
    chain.start_ledger().await;
    submit(&publisher, 10..20).await;
    drained(&publisher).await;
    chain.kill_ledger();
    submit(&publisher, 20..30).await;
    fs::rename(&chain.folder, &newest).expect("renamed");
    copy_folder(&old, &chain.folder);
    let before = chain
        .ear
        .look(|heard| (heard.checkpoints.len(), heard.receipts.len()));
    chain.begin_ledger(None);
    chain.ledger().end("the old ledger to halt").await;
    let why = chain.ledger().complaint();
    assert!(why.contains("the guard is ahead of the store"), "{why}");
    let after = chain
        .ear
        .look(|heard| (heard.checkpoints.len(), heard.receipts.len()));
    assert_eq!(before, after, "nothing was promised");
    fs::remove_dir_all(&chain.folder).expect("removed");
    fs::rename(&newest, &chain.folder).expect("renamed");
    chain.start_ledger().await;
    drained(&publisher).await;
    assert_eq!(chain.check().await.events, 30 + 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_ledgers_on_copies_of_one_folder_one_goes_on() {
    let rounds = if is_long() { 30 } else { 6 };
    let mut dice = Dice::thrown_for("copies");
    let mut chain = Chain::with_makers(1).await;
    let publisher = chain.publisher(&maker(1), &[1]).await;
    let mut next = 0;
    for round in 0..rounds {
        submit(&publisher, next..next + 20).await;
        drained(&publisher).await;
        next += 20;
        chain.kill_ledger();
        let copy = chain.root().join(format!("copy-{round}"));
        copy_folder(&chain.folder, &copy);
        // Both start, or the second while the first is at work already.
        let is_late = round % 2 == 1;
        chain.begin_ledger(None);
        if is_late {
            chain.url().await;
        }
        let mut second = chain.spawn_ledger("second", &copy, None);
        let mut has_lost = None;
        while has_lost.is_none() {
            submit(&publisher, next..next + 1).await;
            next += 1;
            let_pass(&mut dice, Duration::from_millis(20)).await;
            has_lost = match (chain.ledger().has_ended(), second.has_ended()) {
                (Some(_), Some(_)) => panic!("{}\n{}", chain.ledger().complaint(), second.complaint()),
                (Some(_), None) => Some((true, chain.ledger().complaint())),
                (None, Some(_)) => Some((false, second.complaint())),
                (None, None) => None,
            };
            assert!(next < 10_000, "both go on");
        }
        let Some((is_first, why)) = has_lost else {
            unreachable!()
        };
        let reasons = [
            "another ledger is running on this log",
            "the guard is ahead of the store",
        ];
        assert!(reasons.iter().any(|reason| why.contains(reason)), "{why}");
        // The other goes on by itself.
        drained(&publisher).await;
        if is_first {
            // It may hold what it never promised: that folder is of another history now, or behind.
            chain.begin_ledger(None);
            chain.ledger().end("the loser to be refused").await;
            let why = chain.ledger().complaint();
            assert!(why.contains("the guard is ahead of the store"), "{why}");
            second.kill();
            chain.folder = copy;
            chain.start_ledger().await;
        }
        println!(
            "round {round}: {} lost",
            if is_first { "the first" } else { "the second" }
        );
    }
    drained(&publisher).await;
    assert_eq!(chain.check().await.events, next + 3);
}

/// How somebody shows the newest checkpoint to a ledger that does not know it.
#[derive(Clone, Copy, Debug)]
enum Shown {
    /// A publisher asks for its head, as always at its start.
    ByPublisher,
    /// A projector asks, for a feed of nobody.
    ByProjector,
}

async fn restore_everything(shown: Shown) {
    let mut chain = Chain::with_makers(1).await;
    let publisher = chain.publisher(&maker(1), &[1]).await;
    submit(&publisher, 0..10).await;
    drained(&publisher).await;
    // Ledger and bus, guard included, on one disk: the embedded default.
    chain.kill_ledger();
    chain.own.server.stop().await;
    let places = [
        ("ledger", chain.folder.clone()),
        ("bus", chain.own.server.folder().join("jetstream")),
    ];
    for (name, place) in &places {
        copy_folder(place, &chain.root().join(format!("old-{name}")));
    }
    chain.own.server.restart().await.expect("the server again");
    chain.start_ledger().await;
    submit(&publisher, 10..30).await;
    drained(&publisher).await;
    let newest = chain.read_log().await.head();
    let note = chain
        .ear
        .heard()
        .checkpoints
        .into_iter()
        .find(|note| chain.signed(note).is_some_and(|signed| *signed.head() == newest));
    publisher.stop().await.expect("stopped");

    chain.kill_ledger();
    chain.own.server.kill().await;
    for (name, place) in &places {
        fs::rename(place, chain.root().join(format!("newest-{name}"))).expect("renamed");
        copy_folder(&chain.root().join(format!("old-{name}")), place);
    }
    chain.own.server.restart().await.expect("the server again");
    // Nothing tells it that it is old.
    chain.start_ledger().await;
    let publisher = match shown {
        Shown::ByPublisher => {
            let publisher = chain.publisher(&maker(1), &[1]).await;
            // What it takes now is not signed before the ledger has proven its head.
            submit(&publisher, 30..40).await;
            Some(publisher)
        }
        Shown::ByProjector => {
            let query = v1::HeadQuery {
                log_id: chain.identity.log_id.as_bytes().to_vec(),
                feed: key(99).feed().as_bytes().to_vec(),
                nonce: vec![5; 32],
                checkpoint: note.expect("it was published").to_vec(),
            };
            let bus = connect(&chain.own.server).await;
            let asked = bus
                .client()
                .request(chain.names().ask_head(), query.encode_to_vec().into());
            assert!(soon("no reply", asked).await.is_err());
            None
        }
    };
    chain.ledger().end("the old ledger to halt").await;
    let why = chain.ledger().complaint();
    assert!(why.contains("was shown"), "{why}");
    // Nor does another start help.
    chain.begin_ledger(None);
    if let Some(publisher) = &publisher {
        chain.ledger().end("the old ledger to halt again").await;
        assert_eq!(publisher.status().unreceipted, 0, "nothing was signed for it");
    }
    // The newest folder is found again; the bus stays as it is.
    chain.kill_ledger();
    fs::remove_dir_all(&chain.folder).expect("removed");
    fs::rename(chain.root().join("newest-ledger"), &chain.folder).expect("renamed");
    chain.start_ledger().await;
    let publisher = if let Some(publisher) = publisher {
        publisher
    } else {
        let publisher = chain.publisher(&maker(1), &[1]).await;
        submit(&publisher, 30..40).await;
        publisher
    };
    drained(&publisher).await;
    assert_eq!(chain.check().await.events, 40 + 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ledger_restored_with_its_guard_is_halted_by_the_first_publisher() {
    restore_everything(Shown::ByPublisher).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ledger_restored_with_its_guard_is_halted_by_the_first_projector() {
    restore_everything(Shown::ByProjector).await;
}
