//! Streams are created once, checked ever after, and refuse rather than forget.

use async_nats::jetstream::{context::PublishError, stream::Config};
use lotproof::shell::nats::{EventsLimits, StreamError, ensure_streams, is_refused_as_full};

use crate::fixture::{OwnBus, feed};

async fn try_publish(own: &OwnBus, feed_number: u8, len: usize) -> Result<u64, PublishError> {
    let subject = own.names.statement(&feed(feed_number));
    let acknowledged = own
        .bus
        .jetstream()
        .publish(subject, vec![0; len].into())
        .await?
        .await?;
    Ok(acknowledged.sequence)
}

#[tokio::test]
async fn streams_are_created_once_and_then_found() {
    let own = OwnBus::with_streams(EventsLimits::default()).await;
    try_publish(&own, 1, 10).await.unwrap();
    ensure_streams(&own.bus, own.names, &EventsLimits::default())
        .await
        .unwrap();
    let stream = own
        .bus
        .jetstream()
        .get_stream(own.names.events_stream())
        .await
        .unwrap();
    assert_eq!(stream.cached_info().state.messages, 1);
}

#[tokio::test]
async fn stream_configured_differently_is_an_error_that_names_the_difference() {
    let own = OwnBus::with_streams(EventsLimits::default()).await;
    let other = EventsLimits {
        bytes_max: 1 << 20,
        ..EventsLimits::default()
    };
    let error = ensure_streams(&own.bus, own.names, &other).await.unwrap_err();
    let StreamError::Differs { stream, differences } = &error else {
        panic!("{error:?}")
    };
    assert_eq!(stream, &own.names.events_stream());
    assert_eq!(differences, &["max_bytes: expected 1048576, got 1073741824"]);
    assert!(!error.is_retryable());
}

#[tokio::test]
async fn stream_that_forgets_is_not_accepted_as_events() {
    let own = OwnBus::bare().await;
    let config = Config {
        name: own.names.events_stream(),
        subjects: vec![own.names.statements()],
        max_bytes: 1 << 30,
        max_age: std::time::Duration::from_mins(1),
        ..Config::default()
    };
    own.bus.jetstream().create_stream(config).await.unwrap();
    let error = ensure_streams(&own.bus, own.names, &EventsLimits::default())
        .await
        .unwrap_err()
        .to_string();
    for difference in ["discard: expected New, got Old", "max_age: expected 0ns, got 60s"] {
        assert!(error.contains(difference), "{error}");
    }
}

#[tokio::test]
async fn full_stream_refuses_its_publisher_and_keeps_what_it_has() {
    let limits = EventsLimits {
        bytes_max: 64 << 10,
        ..EventsLimits::default()
    };
    let own = OwnBus::with_streams(limits).await;
    let mut kept = 0;
    let refused = loop {
        match try_publish(&own, 1, 10_000).await {
            Ok(_) => kept += 1,
            Err(error) => break error,
        }
        assert!(kept < 10, "64 KiB cannot hold ten messages of 10,000 bytes");
    };
    assert!(is_refused_as_full(&refused), "{refused}");
    let mut stream = own
        .bus
        .jetstream()
        .get_stream(own.names.events_stream())
        .await
        .unwrap();
    assert_eq!(stream.cached_info().state.messages, kept);
    stream.purge().sequence(2).await.unwrap();
    assert!(
        try_publish(&own, 1, 10_000).await.is_ok(),
        "room again after a purge"
    );
    assert_eq!(stream.info().await.unwrap().state.first_sequence, 2);
}

#[tokio::test]
async fn one_feed_cannot_use_up_the_room_of_another() {
    let limits = EventsLimits {
        messages_per_feed_max: 3,
        ..EventsLimits::default()
    };
    let own = OwnBus::with_streams(limits).await;
    for _ in 0..3 {
        try_publish(&own, 1, 10).await.unwrap();
    }
    let refused = try_publish(&own, 1, 10).await.unwrap_err();
    assert!(is_refused_as_full(&refused), "{refused}");
    assert!(try_publish(&own, 2, 10).await.is_ok());
}

#[tokio::test]
async fn message_beyond_the_limit_is_refused_for_another_reason() {
    let own = OwnBus::with_streams(EventsLimits::default()).await;
    assert!(
        try_publish(&own, 1, 65_535).await.is_ok(),
        "an entry's worth must fit"
    );
    let refused = try_publish(&own, 1, 65_537).await.unwrap_err();
    assert!(!is_refused_as_full(&refused), "{refused}");
}

#[tokio::test]
async fn ledger_stream_keeps_the_newest_head_only() {
    let own = OwnBus::with_streams(EventsLimits::default()).await;
    for size in ["1", "2", "3"] {
        own.bus
            .jetstream()
            .publish(own.names.head(), size.into())
            .await
            .unwrap()
            .await
            .unwrap();
    }
    let stream = own
        .bus
        .jetstream()
        .get_stream(own.names.ledger_stream())
        .await
        .unwrap();
    assert_eq!(stream.cached_info().state.messages, 1);
    let newest = stream
        .get_last_raw_message_by_subject(&own.names.head())
        .await
        .unwrap();
    assert_eq!(newest.payload, "3");
}
