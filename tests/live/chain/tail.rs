//! What a power cut does to JetStream: the newest messages are gone, the stream's creation time is as it was,
//! and what comes next gets the numbers of what was lost.

use std::{fs, path::PathBuf};

use async_nats::jetstream::stream::{LastRawMessageErrorKind, State};
use time::OffsetDateTime;

use super::world::{Chain, drained, maker, submit};
use crate::{fixture::until, ledger::copy_folder};

/// EVENTS as JetStream describes it.
pub(crate) async fn events_state(chain: &Chain) -> State {
    let name = chain.names().events_stream();
    let stream = chain.own.bus.jetstream().get_stream(name).await.expect("EVENTS");
    stream.cached_info().state.clone()
}

/// Where JetStream keeps this ledger's streams: all of them, or EVENTS alone.
fn stored(chain: &Chain, events_alone: bool) -> PathBuf {
    let all = chain.own.server.folder().join("jetstream");
    if !events_alone {
        return all;
    }
    let streams = all.join("jetstream/$G/streams");
    let streams = if streams.exists() {
        streams
    } else {
        all.join("$G/streams")
    };
    streams.join(chain.names().events_stream())
}

/// Remembers what JetStream has stored by now.
async fn remember(chain: &mut Chain, events_alone: bool) {
    chain.own.server.stop().await;
    let saved = chain.root().join("saved");
    let _ = fs::remove_dir_all(&saved);
    copy_folder(&stored(chain, events_alone), &saved);
    chain.own.server.restart().await.expect("the server again");
}

/// The power goes, and comes back: JetStream has what it had when we remembered.
async fn cut_power(chain: &mut Chain, events_alone: bool) {
    chain.own.server.kill().await;
    let place = stored(chain, events_alone);
    fs::remove_dir_all(&place).expect("removed");
    copy_folder(&chain.root().join("saved"), &place);
    chain.own.server.restart().await.expect("the server again");
}

/// Waits until EVENTS has had this many more messages than by then. A publisher whose acknowledgement got lost
/// sends again, so there may be more.
async fn published_since(chain: &Chain, then: &State, count: u64) {
    until("the bus to have all", async || {
        events_state(chain).await.last_sequence >= then.last_sequence + count
    })
    .await;
}

/// When the message of this number was stored, if there is one.
async fn stored_at(chain: &Chain, sequence: u64) -> Option<OffsetDateTime> {
    let name = chain.names().events_stream();
    let stream = chain.own.bus.jetstream().get_stream(name).await.expect("EVENTS");
    match stream.get_raw_message(sequence).await {
        Ok(message) => Some(message.time),
        Err(error) if error.kind() == LastRawMessageErrorKind::NoMessageFound => None,
        Err(error) => panic!("asking for message {sequence}: {error}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tail_of_events_lost_before_the_ledger_read_it_is_sent_again() {
    let mut chain = Chain::with_makers(1).await;
    let publisher = chain.publisher(&maker(1), &[1]).await;
    submit(&publisher, 0..10).await;
    drained(&publisher).await;
    chain.kill_ledger();
    let read = events_state(&chain).await;
    submit(&publisher, 10..30).await;
    published_since(&chain, &read, 20).await;
    remember(&mut chain, true).await;
    let kept = events_state(&chain).await;
    submit(&publisher, 30..60).await;
    published_since(&chain, &kept, 30).await;
    let last = events_state(&chain).await.last_sequence;
    let first_stored = stored_at(&chain, last).await.expect("the last message");
    cut_power(&mut chain, true).await;
    // The publisher goes on meanwhile, and may have got as far with what it sends again.
    let stored = stored_at(&chain, last).await;
    assert!(stored.is_none_or(|time| time > first_stored), "the tail is lost");
    chain.start_ledger().await;
    drained(&publisher).await;
    assert_eq!(chain.check().await.events, 60 + 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn numbers_that_the_stream_gives_a_second_time_hide_nothing_from_a_running_ledger() {
    let mut chain = Chain::with_makers(1).await;
    let publisher = chain.publisher(&maker(1), &[1]).await;
    submit(&publisher, 0..10).await;
    drained(&publisher).await;
    remember(&mut chain, true).await;
    submit(&publisher, 10..40).await;
    drained(&publisher).await;
    let before = events_state(&chain).await;
    cut_power(&mut chain, true).await;
    let after = events_state(&chain).await;
    assert!(after.last_sequence < before.last_sequence, "{after:?} {before:?}");
    submit(&publisher, 40..90).await;
    drained(&publisher).await;
    assert!(
        chain.ledger().has_ended().is_none(),
        "{}",
        chain.ledger().complaint()
    );
    assert_eq!(chain.check().await.events, 90 + 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bus_set_back_with_its_guard_needs_no_operator() {
    let mut chain = Chain::with_makers(1).await;
    let publisher = chain.publisher(&maker(1), &[1]).await;
    submit(&publisher, 0..10).await;
    drained(&publisher).await;
    remember(&mut chain, false).await;
    submit(&publisher, 10..40).await;
    drained(&publisher).await;
    cut_power(&mut chain, false).await;
    submit(&publisher, 40..60).await;
    // A guard that went back is not what this run left there: the ledger halts rather than guess, and its next
    // run finds a prefix of its own store.
    let publishing = std::cell::RefCell::new(&mut chain);
    until("receipts, or the ledger to halt", async || {
        publisher.status().unreceipted == 0 || publishing.borrow_mut().ledger().has_ended().is_some()
    })
    .await;
    if chain.ledger().has_ended().is_some() {
        let why = chain.ledger().complaint();
        assert!(why.contains("the guard holds size"), "{why}");
        chain.start_ledger().await;
    }
    drained(&publisher).await;
    assert_eq!(chain.check().await.events, 60 + 3);
}
