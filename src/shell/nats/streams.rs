//! The two streams of a ledger, created or checked.
//!
//! | | EVENTS | LEDGER |
//! |---|---|---|
//! | subjects | `lotproof.{log8}.statement.*` | `lotproof.{log8}.head` |
//! | keeps | everything until purged | the last message |
//! | when full | refuses what is new: its publisher hears of it and tries again | forgets the old |
//!
//! A stream that exists with another configuration is an error that names each difference, never silently
//! changed: the configuration is a promise to publishers (nothing of theirs is discarded), and whoever
//! altered it should say so.

use std::time::Duration;

use async_nats::jetstream::{
    self, ErrorCode,
    context::{CreateStreamErrorKind, GetStreamErrorKind, PublishError},
    stream::{Config, DiscardPolicy, RetentionPolicy, StorageType},
};

use super::{
    connect::{Bus, Patience},
    subject::BusNames,
};

/// JetStream keeps a window of message ids even for those who send none; this is the shortest it takes.
const DUPLICATE_WINDOW: Duration = Duration::from_millis(100);

/// How much EVENTS may hold before it refuses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EventsLimits {
    /// All messages together, in bytes.
    pub bytes_max: u64,
    /// Messages of one feed, so that one publisher cannot use up everybody's room.
    pub messages_per_feed_max: u64,
    /// One message, in bytes. An entry is at most 65,535.
    pub message_len_max: u32,
    /// Copies in a cluster: 1, 3 or 5. The same for both streams.
    pub replicas: u8,
}

impl Default for EventsLimits {
    fn default() -> Self {
        Self {
            bytes_max: 1 << 30,
            messages_per_feed_max: 1 << 20,
            message_len_max: 65_536,
            replicas: 1,
        }
    }
}

/// Why the streams are not as they should be.
#[derive(Debug, thiserror::Error)]
pub enum StreamError {
    /// The stream is there, with another configuration.
    #[error("stream {stream} is configured differently: {}", differences.join("; "))]
    Differs {
        /// Its name.
        stream: String,
        /// One per setting: `name: expected X, got Y`.
        differences: Vec<String>,
    },
    /// JetStream could not be asked, or refused.
    #[error("stream {stream} cannot be {doing}")]
    JetStream {
        /// Its name.
        stream: String,
        /// `looked up` or `created`.
        doing: &'static str,
        /// Why.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl StreamError {
    /// Whether trying again may help: not if somebody has to change a configuration first.
    pub const fn is_retryable(&self) -> bool {
        match self {
            Self::Differs { .. } => false,
            Self::JetStream { .. } => true,
        }
    }
}

/// Why EVENTS could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The stream is not there: it has to be created before going on.
    #[error("stream {0} does not exist")]
    Missing(String),
    /// The bus did not answer; try again.
    #[error("{doing} stream {stream} failed")]
    Unreachable {
        /// What was attempted.
        doing: &'static str,
        /// The stream.
        stream: String,
        /// Why.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl ReadError {
    /// Whether the same call may succeed later without anybody's doing.
    pub const fn is_retryable(&self) -> bool {
        match self {
            Self::Missing(_) => false,
            Self::Unreachable { .. } => true,
        }
    }

    pub(super) fn unreachable(
        doing: &'static str,
        stream: &str,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        Self::Unreachable {
            doing,
            stream: stream.to_owned(),
            source: source.into(),
        }
    }
}

/// Creates EVENTS and LEDGER, or checks that they are as they should be.
///
/// # Errors
/// [`StreamError::Differs`] for a stream of that name that is configured differently, otherwise
/// [`StreamError::JetStream`].
pub async fn ensure_streams(bus: &Bus, names: BusNames, limits: &EventsLimits) -> Result<(), StreamError> {
    ensure(bus.jetstream(), events_config(names, limits)).await?;
    ensure(bus.jetstream(), ledger_config(names, limits)).await
}

impl Bus {
    /// [`ensure_streams`], for as long as it takes: the bus may be lost again, or not have JetStream yet.
    ///
    /// # Errors
    /// If somebody has to change a configuration first ([`StreamError::is_retryable`]).
    pub async fn ensure_streams_patiently(
        &self,
        names: BusNames,
        limits: &EventsLimits,
    ) -> Result<(), StreamError> {
        let mut patience = Patience::new();
        loop {
            match ensure_streams(self, names, limits).await {
                Err(error) if error.is_retryable() => patience.pause("no streams", &error).await,
                other => return other,
            }
        }
    }
}

/// Whether JetStream refused a message because the stream, or the feed's share of it, is full: the message
/// is nowhere, and publishing it again later may succeed.
pub fn is_refused_as_full(error: &PublishError) -> bool {
    jetstream_error(error).is_some_and(|error| error.error_code() == ErrorCode::STREAM_STORE_FAILED)
}

/// The server's own error inside a client's error, if it came from there.
fn jetstream_error<'a>(error: &'a (dyn std::error::Error + 'static)) -> Option<&'a jetstream::Error> {
    error.source()?.downcast_ref()
}

fn events_config(names: BusNames, limits: &EventsLimits) -> Config {
    Config {
        name: names.events_stream(),
        description: Some("statements on their way into the log".to_owned()),
        subjects: vec![names.statements()],
        discard: DiscardPolicy::New,
        discard_new_per_subject: true,
        max_bytes: i64::try_from(limits.bytes_max).unwrap_or(i64::MAX),
        max_messages_per_subject: i64::try_from(limits.messages_per_feed_max).unwrap_or(i64::MAX),
        max_message_size: i32::try_from(limits.message_len_max).unwrap_or(i32::MAX),
        ..common(limits)
    }
}

fn ledger_config(names: BusNames, limits: &EventsLimits) -> Config {
    Config {
        name: names.ledger_stream(),
        description: Some("the newest checkpoint of the log".to_owned()),
        subjects: vec![names.head()],
        discard: DiscardPolicy::Old,
        max_bytes: -1,
        max_messages_per_subject: 1,
        max_message_size: 65_536,
        // A checkpoint proves itself, so any replica may answer.
        allow_direct: true,
        ..common(limits)
    }
}

fn common(limits: &EventsLimits) -> Config {
    Config {
        retention: RetentionPolicy::Limits,
        storage: StorageType::File,
        max_messages: -1,
        max_consumers: -1,
        max_age: Duration::ZERO,
        num_replicas: limits.replicas.into(),
        duplicate_window: DUPLICATE_WINDOW,
        ..Config::default()
    }
}

async fn ensure(jetstream: &jetstream::Context, config: Config) -> Result<(), StreamError> {
    let failed = |doing, source: Box<dyn std::error::Error + Send + Sync>| StreamError::JetStream {
        stream: config.name.clone(),
        doing,
        source,
    };
    match jetstream.get_stream(&config.name).await {
        Ok(stream) => return check(&config, &stream.cached_info().config),
        Err(error) if is_missing(&error.kind()) => {}
        Err(error) => return Err(failed("looked up", error.into())),
    }
    match jetstream.create_stream(config.clone()).await {
        // Another process may have been faster, with whatever configuration.
        Ok(stream) => check(&config, &stream.cached_info().config),
        Err(error) if is_taken(&error.kind()) => match jetstream.get_stream(&config.name).await {
            Ok(stream) => check(&config, &stream.cached_info().config),
            Err(error) => Err(failed("looked up", error.into())),
        },
        Err(error) => Err(failed("created", error.into())),
    }
}

fn is_missing(kind: &GetStreamErrorKind) -> bool {
    matches!(kind, GetStreamErrorKind::JetStream(error) if error.error_code() == ErrorCode::STREAM_NOT_FOUND)
}

fn is_taken(kind: &CreateStreamErrorKind) -> bool {
    matches!(kind, CreateStreamErrorKind::JetStream(error) if error.error_code() == ErrorCode::STREAM_NAME_EXIST)
}

/// Compares what matters to us; names, descriptions, placement and compression are the operator's.
fn check(expected: &Config, got: &Config) -> Result<(), StreamError> {
    let mut differences = Vec::new();
    macro_rules! same {
        ($($field:ident),* $(,)?) => {$(
            if expected.$field != got.$field {
                let (expected, got) = (&expected.$field, &got.$field);
                differences.push(format!(concat!(stringify!($field), ": expected {:?}, got {:?}"), expected, got));
            }
        )*};
    }
    same!(
        subjects,
        retention,
        storage,
        discard,
        discard_new_per_subject,
        max_bytes,
        max_messages,
        max_messages_per_subject,
        max_message_size,
        max_consumers,
        max_age,
        num_replicas,
        no_ack,
        sealed,
        deny_purge,
        mirror,
        sources,
        subject_transform,
    );
    if differences.is_empty() {
        return Ok(());
    }
    Err(StreamError::Differs {
        stream: got.name.clone(),
        differences,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::{Hash, LogId};

    fn names() -> BusNames {
        BusNames::new(&LogId::new(Hash::new([7; 32])))
    }

    #[test]
    fn a_difference_is_named_with_both_sides() {
        let expected = events_config(names(), &EventsLimits::default());
        let got = Config {
            discard: DiscardPolicy::Old,
            max_bytes: 5,
            ..expected.clone()
        };
        assert!(check(&expected, &expected).is_ok());
        let error = check(&expected, &got).unwrap_err();
        assert!(!error.is_retryable());
        assert_eq!(
            error.to_string(),
            "stream LOTPROOF_0707070707070707_EVENTS is configured differently: \
             discard: expected New, got Old; max_bytes: expected 1073741824, got 5"
        );
    }
}
