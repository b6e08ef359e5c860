//! Nothing that EVENTS holds is ever passed over, whatever happens to server, stream or connection.

use std::{fs, path::Path, time::Duration};

use lotproof::shell::nats::{
    BusMessage, EventsBatch, EventsLimits, EventsReader, PurgeOutcome, ReadError, ReaderOptions,
    ensure_streams,
};

use crate::fixture::{OwnBus, connect, feed, soon, until};

fn reader(own: &OwnBus) -> EventsReader {
    let options = ReaderOptions {
        heartbeat: Duration::from_millis(200),
        ..ReaderOptions::default()
    };
    EventsReader::new(own.bus.clone(), own.names, options)
}

/// The next batch that has messages; errors that pass are passed over.
async fn next(reader: &mut EventsReader) -> EventsBatch {
    soon("messages", async {
        loop {
            match reader.next_batch().await {
                Ok(batch) if batch.messages.is_empty() => {}
                Ok(batch) => return batch,
                Err(error) => assert!(error.is_retryable(), "{error}"),
            }
        }
    })
    .await
}

/// Reads until `count` messages of one epoch are there, or more.
async fn read(reader: &mut EventsReader, count: usize) -> EventsBatch {
    let mut all = next(reader).await;
    while all.messages.len() < count {
        let more = next(reader).await;
        if more.epoch != all.epoch {
            all.messages.clear();
            all.epoch = more.epoch;
        }
        all.messages.extend(more.messages);
    }
    all
}

fn texts(messages: &[BusMessage]) -> Vec<String> {
    messages
        .iter()
        .map(|message| String::from_utf8_lossy(&message.bytes).into_owned())
        .collect()
}

fn sequences(messages: &[BusMessage]) -> Vec<u64> {
    messages.iter().map(|message| message.stream_sequence).collect()
}

#[tokio::test]
async fn messages_come_in_stream_order_with_their_feed() {
    let own = OwnBus::with_streams(EventsLimits::default()).await;
    own.publish(&feed(1), b"a").await;
    own.publish(&feed(2), b"b").await;
    let mut reader = reader(&own);
    let batch = read(&mut reader, 2).await;
    assert_eq!(texts(&batch.messages), ["a", "b"]);
    assert_eq!(sequences(&batch.messages), [1, 2]);
    assert_eq!(batch.messages[1].feed, Some(feed(2)));
    own.publish(&feed(1), b"c").await;
    let live = next(&mut reader).await;
    assert_eq!(
        (texts(&live.messages), live.epoch),
        (vec!["c".to_owned()], batch.epoch)
    );
}

#[tokio::test]
async fn quiet_stream_gives_an_empty_batch_and_keeps_its_consumer() {
    let own = OwnBus::with_streams(EventsLimits::default()).await;
    let mut reader = reader(&own);
    // Many heartbeats long: a consumer taken for lost would show as another epoch.
    let first = reader.next_batch().await.unwrap();
    for _ in 0..8 {
        let batch = reader.next_batch().await.unwrap();
        assert!(batch.messages.is_empty());
        assert_eq!(batch.epoch, first.epoch);
    }
}

#[tokio::test]
async fn batches_are_bounded_by_count_and_by_bytes() {
    let own = OwnBus::with_streams(EventsLimits::default()).await;
    for _ in 0..10 {
        own.publish(&feed(1), &[7; 1_000]).await;
    }
    for (messages_max, bytes_max, expected) in [(4, 1 << 20, 4), (100, 3_500, 3), (100, 10, 1)] {
        let options = ReaderOptions {
            messages_max,
            bytes_max,
            linger: Duration::from_secs(5),
            ..ReaderOptions::default()
        };
        let mut reader = EventsReader::new(own.bus.clone(), own.names, options);
        let mut seen = Vec::new();
        while seen.len() < 10 {
            let batch = next(&mut reader).await;
            let left = 10 - seen.len();
            if left >= expected {
                assert_eq!(
                    batch.messages.len(),
                    expected,
                    "{messages_max} messages, {bytes_max} bytes"
                );
            }
            seen.extend(sequences(&batch.messages));
            if 10 - seen.len() < expected {
                break;
            }
        }
        assert_eq!(seen, (1..=u64::try_from(seen.len()).unwrap()).collect::<Vec<_>>());
    }
}

#[tokio::test]
async fn cancelled_call_loses_nothing() {
    let own = OwnBus::with_streams(EventsLimits::default()).await;
    let options = ReaderOptions {
        linger: Duration::from_secs(20),
        ..ReaderOptions::default()
    };
    let mut reader = EventsReader::new(own.bus.clone(), own.names, options);
    own.publish(&feed(1), b"a").await;
    // Lingers for more, holding `a`, and is cancelled there.
    for _ in 0..5 {
        assert!(
            tokio::time::timeout(Duration::from_millis(100), reader.next_batch())
                .await
                .is_err()
        );
    }
    for n in 0..4_095_u32 {
        let sent = own
            .bus
            .jetstream()
            .publish(own.names.statement(&feed(1)), n.to_string().into())
            .await;
        drop(sent.unwrap());
    }
    let batch = soon("a full batch", reader.next_batch()).await.unwrap();
    assert_eq!(batch.messages.len(), 4_096);
    assert_eq!(sequences(&batch.messages), (1..=4_096).collect::<Vec<_>>());
}

#[tokio::test]
async fn killed_server_is_read_from_the_first_message_again() {
    let mut own = OwnBus::with_streams(EventsLimits::default()).await;
    for n in 0..50_u8 {
        own.publish(&feed(1), &[n]).await;
    }
    let mut reader = reader(&own);
    let before = read(&mut reader, 50).await;
    own.server.restart().await.unwrap();
    let mut after = read(&mut reader, 50).await;
    assert!(after.epoch > before.epoch);
    assert_eq!(after.messages, before.messages);
    // And it goes on live.
    let publisher = connect(&own.server).await;
    let sent = publisher
        .jetstream()
        .publish(own.names.statement(&feed(1)), "new".into())
        .await
        .unwrap();
    sent.await.unwrap();
    after = next(&mut reader).await;
    assert_eq!(texts(&after.messages), ["new"]);
}

#[tokio::test]
async fn reader_made_while_the_server_is_down_finds_it_later() {
    let mut own = OwnBus::with_streams(EventsLimits::default()).await;
    own.publish(&feed(1), b"a").await;
    own.server.kill().await;
    let mut reader = reader(&own);
    let error = soon("an error", async {
        loop {
            if let Err(error) = reader.next_batch().await {
                return error;
            }
        }
    })
    .await;
    assert!(error.is_retryable(), "{error}");
    own.server.restart().await.unwrap();
    assert_eq!(texts(&next(&mut reader).await.messages), ["a"]);
}

/// What a power cut does: the stream forgets its newest messages and numbers the next ones like them.
#[tokio::test]
async fn tail_lost_by_the_server_hides_no_later_message() {
    let mut own = OwnBus::with_streams(EventsLimits::default()).await;
    for text in ["1", "2", "3"] {
        own.publish(&feed(1), text.as_bytes()).await;
    }
    own.server.stop().await;
    let streams = own.folder.path().join("nats/jetstream");
    let saved = own.folder.path().join("saved");
    copy(&streams, &saved);
    own.server.restart().await.unwrap();
    let mut reader = reader(&own);
    read(&mut reader, 3).await;
    for text in ["4 lost", "5 lost"] {
        own.publish(&feed(1), text.as_bytes()).await;
    }
    // The fresh consumer after the restart may deliver some of it a second time.
    let stale = loop {
        let batch = next(&mut reader).await;
        if texts(&batch.messages).contains(&"5 lost".to_owned()) {
            break batch.position().unwrap();
        }
    };
    own.server.kill().await;
    fs::remove_dir_all(&streams).unwrap();
    copy(&saved, &streams);
    own.server.restart().await.unwrap();
    let publisher = connect(&own.server).await;
    for text in ["4 new", "5 new", "6 new"] {
        let subject = own.names.statement(&feed(1));
        let sent = publisher.jetstream().publish(subject, text.into()).await.unwrap();
        sent.await.unwrap();
    }
    // Before the reader has noticed anything, sequence 5 means another message.
    let purger = reader.purger();
    let outcome = soon("the bus", async {
        loop {
            if let Ok(outcome) = purger.purge_up_to(stale).await {
                return outcome;
            }
        }
    })
    .await;
    assert_eq!(outcome, PurgeOutcome::Stale);
    let batch = read(&mut reader, 6).await;
    assert_eq!(texts(&batch.messages), ["1", "2", "3", "4 new", "5 new", "6 new"]);
    assert_eq!(sequences(&batch.messages), [1, 2, 3, 4, 5, 6]);
    assert_eq!(purger.purge_up_to(stale).await.unwrap(), PurgeOutcome::Stale);
    assert_eq!(purger.state().await.unwrap().messages, 6);
}

#[tokio::test]
async fn stream_made_anew_is_read_from_its_first_message() {
    let own = OwnBus::with_streams(EventsLimits::default()).await;
    for text in ["1", "2", "3"] {
        own.publish(&feed(1), text.as_bytes()).await;
    }
    let mut reader = reader(&own);
    let before = read(&mut reader, 3).await;
    own.bus
        .jetstream()
        .delete_stream(own.names.events_stream())
        .await
        .unwrap();
    let error = soon("the loss to be noticed", async {
        loop {
            if let Err(error) = reader.next_batch().await {
                return error;
            }
        }
    })
    .await;
    assert!(
        matches!(&error, ReadError::Missing(stream) if *stream == own.names.events_stream()),
        "{error}"
    );
    assert!(!error.is_retryable());
    ensure_streams(&own.bus, own.names, &EventsLimits::default())
        .await
        .unwrap();
    own.publish(&feed(1), b"new").await;
    let after = next(&mut reader).await;
    assert!(after.epoch > before.epoch);
    assert_eq!(
        (texts(&after.messages), sequences(&after.messages)),
        (vec!["new".to_owned()], vec![1])
    );
}

#[tokio::test]
async fn purge_removes_what_was_handled_and_nothing_else() {
    let own = OwnBus::with_streams(EventsLimits::default()).await;
    for text in ["1", "2", "3"] {
        own.publish(&feed(1), text.as_bytes()).await;
    }
    let mut reader = reader(&own);
    let batch = read(&mut reader, 3).await;
    own.publish(&feed(1), b"4").await;
    let purger = reader.purger();
    let position = batch.position().unwrap();
    assert_eq!(
        purger.purge_up_to(position).await.unwrap(),
        PurgeOutcome::Purged(3)
    );
    assert_eq!(purger.purge_up_to(position).await.unwrap(), PurgeOutcome::Nothing);
    let state = purger.state().await.unwrap();
    assert_eq!(
        (state.messages, state.first_sequence, state.last_sequence),
        (1, 4, 4)
    );
    assert_eq!(
        texts(&next(&mut reader).await.messages),
        ["4"],
        "the consumer goes on after a purge"
    );
}

#[tokio::test]
async fn purge_of_everything_keeps_the_numbering() {
    let own = OwnBus::with_streams(EventsLimits::default()).await;
    for text in ["1", "2"] {
        own.publish(&feed(1), text.as_bytes()).await;
    }
    let mut reader = reader(&own);
    let batch = read(&mut reader, 2).await;
    let purger = reader.purger();
    let outcome = purger.purge_up_to(batch.position().unwrap()).await.unwrap();
    assert_eq!(outcome, PurgeOutcome::Purged(2));
    assert_eq!(own.publish(&feed(1), b"3").await, 3);
    assert_eq!(sequences(&next(&mut reader).await.messages), [3]);
    // A later reading begins where the purge left off.
    let mut late = self::reader(&own);
    assert_eq!(texts(&next(&mut late).await.messages), ["3"]);
}

#[tokio::test]
async fn purge_beyond_the_streams_end_does_nothing() {
    let own = OwnBus::with_streams(EventsLimits::default()).await;
    for text in ["1", "2", "3"] {
        own.publish(&feed(1), text.as_bytes()).await;
    }
    let mut reader = reader(&own);
    let batch = read(&mut reader, 3).await;
    // Deleted and made anew on the same connection, before the reader can know.
    own.bus
        .jetstream()
        .delete_stream(own.names.events_stream())
        .await
        .unwrap();
    ensure_streams(&own.bus, own.names, &EventsLimits::default())
        .await
        .unwrap();
    own.publish(&feed(1), b"new").await;
    let purger = reader.purger();
    assert_eq!(
        purger.purge_up_to(batch.position().unwrap()).await.unwrap(),
        PurgeOutcome::Stale
    );
    assert_eq!(purger.state().await.unwrap().last_sequence, 1);
    assert_eq!(texts(&next(&mut reader).await.messages), ["new"]);
}

#[tokio::test]
async fn backlog_beyond_every_buffer_arrives_whole() {
    const COUNT: u64 = 60_000;
    let own = OwnBus::with_streams(EventsLimits::default()).await;
    let payload = bytes::Bytes::from(vec![1; 1_000]);
    for n in 1..=COUNT {
        let sent = own
            .bus
            .client()
            .publish(own.names.statement(&feed(1)), payload.clone())
            .await;
        sent.unwrap();
        if n % 1_000 == 0 {
            own.bus.client().flush().await.unwrap();
        }
    }
    let mut reader = reader(&own);
    let purger = reader.purger();
    until("the last message to be stored", async || {
        purger.state().await.unwrap().last_sequence == COUNT
    })
    .await;
    let first = next(&mut reader).await;
    let mut expected = u64::try_from(first.messages.len()).unwrap() + 1;
    while expected <= COUNT {
        let batch = next(&mut reader).await;
        assert_eq!(batch.epoch, first.epoch);
        for message in batch.messages {
            assert_eq!(message.stream_sequence, expected);
            expected += 1;
        }
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}
