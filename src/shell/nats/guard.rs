//! The guard in a JetStream key-value bucket: one key, replaced only by naming the revision it replaces.
//!
//! ```text
//! bucket LOTPROOF_{log8}_GUARD   = stream KV_LOTPROOF_{log8}_GUARD, subject $KV.{bucket}.head
//! value                          = a note that the log's key signed, see `log::guarded`
//! revision                       = the stream sequence of the value
//! ```
//!
//! The bucket has the layout that NATS tools know (`nats kv get`), with one difference: direct reads are
//! off, because a replica may answer those with an old value, and the guard is there to be newest. A bucket
//! that is missing reads as no value, and is created by the first swap from nothing; who may do that, and
//! when, is not decided here. Bytes that no ledger of this log signed read as no value, too, and are replaced by a
//! swap from nothing: whoever can write to the bus can take a value away, which he could by deleting it as well, and
//! cannot make one.

use std::sync::Arc;

use async_nats::{
    HeaderMap, HeaderValue,
    header::NATS_EXPECTED_LAST_SUBJECT_SEQUENCE,
    jetstream::{
        ErrorCode,
        context::{CreateStreamErrorKind, PublishErrorKind},
        message::StreamMessage,
        stream::{Config, DiscardPolicy, LastRawMessageErrorKind, StorageType},
    },
};
use tokio::runtime::Handle;

use super::{connect::Bus, subject::BusNames};
use crate::{
    log::guarded::GuardKey,
    port::{Guard, GuardError, GuardRevision, GuardValue},
};

/// How many values the bucket remembers: enough to see who wrote last, and before.
const HISTORY: i64 = 16;

/// What NATS tools set on the marker that stands for a deleted key.
const OPERATION: &str = "KV-Operation";

/// The guard of one ledger, on the bus.
#[derive(Clone, Debug)]
pub struct NatsGuard {
    bus: Bus,
    stream: String,
    subject: String,
    bucket: String,
    replicas: usize,
    key: Arc<GuardKey>,
}

impl NatsGuard {
    /// The guard of the ledger with these names, whose values `key` signs; nothing is asked or created yet.
    pub fn new(bus: Bus, names: BusNames, replicas: u8, key: Arc<GuardKey>) -> Self {
        let bucket = names.guard_bucket();
        Self {
            bus,
            stream: format!("KV_{bucket}"),
            subject: format!("$KV.{bucket}.head"),
            bucket,
            replicas: replicas.into(),
            key,
        }
    }

    /// See [`Guard::load`].
    ///
    /// # Errors
    /// [`GuardError::Unknown`] if the bus does not answer.
    pub async fn load(&self) -> Result<Option<(GuardValue, GuardRevision)>, GuardError> {
        let Some(message) = self.last().await? else {
            return Ok(None);
        };
        let revision = GuardRevision(message.sequence);
        Ok(self.value_in(&message).map(|value| (value, revision)))
    }

    /// What a message holds that a ledger of this log wrote.
    fn value_in(&self, message: &StreamMessage) -> Option<GuardValue> {
        if is_marker(message) {
            return None;
        }
        match self.key.verify(&message.payload) {
            Ok(value) => Some(value),
            Err(why) => {
                let why = in_full(&why);
                tracing::error!(
                    revision = message.sequence,
                    why,
                    "somebody else wrote to the guard: that counts as nothing"
                );
                None
            }
        }
    }

    /// See [`Guard::swap`].
    ///
    /// # Errors
    /// [`GuardError::Conflict`] if the revision moved; [`GuardError::Unknown`] if the outcome is open.
    pub async fn swap(
        &self,
        expected: Option<GuardRevision>,
        value: &GuardValue,
    ) -> Result<GuardRevision, GuardError> {
        let value = self.key.sign(value).map_err(|error| unknown(&error))?;
        if let Some(GuardRevision(revision)) = expected {
            return self.put(revision, value).await;
        }
        self.create_bucket().await?;
        // The marker of a deleted key, and what somebody else wrote, is no value, but has a revision to be named.
        let revision = match self.last().await? {
            None => 0,
            Some(message) if self.value_in(&message).is_none() => message.sequence,
            Some(_) => return Err(GuardError::Conflict),
        };
        self.put(revision, value).await
    }

    async fn put(&self, revision: u64, value: Vec<u8>) -> Result<GuardRevision, GuardError> {
        let mut headers = HeaderMap::new();
        headers.insert(NATS_EXPECTED_LAST_SUBJECT_SEQUENCE, HeaderValue::from(revision));
        let sent = self
            .bus
            .jetstream()
            .publish_with_headers(self.subject.clone(), headers, value.into())
            .await;
        let acknowledged = match sent {
            Ok(acknowledgement) => acknowledgement.await,
            Err(error) => Err(error),
        };
        match acknowledged {
            Ok(acknowledgement) => Ok(GuardRevision(acknowledgement.sequence)),
            Err(error) if error.kind() == PublishErrorKind::WrongLastSequence => Err(GuardError::Conflict),
            Err(error) => Err(unknown(&error)),
        }
    }

    /// The last message under the key, from the stream's leader; nothing if there is no bucket.
    async fn last(&self) -> Result<Option<StreamMessage>, GuardError> {
        let jetstream = self.bus.jetstream();
        let stream = jetstream
            .get_stream_no_info(&self.stream)
            .await
            .map_err(|error| unknown(&error))?;
        match stream.get_last_raw_message_by_subject(&self.subject).await {
            Ok(message) => Ok(Some(message)),
            Err(error) => match error.kind() {
                LastRawMessageErrorKind::NoMessageFound => Ok(None),
                LastRawMessageErrorKind::JetStream(answer)
                    if answer.error_code() == ErrorCode::STREAM_NOT_FOUND =>
                {
                    Ok(None)
                }
                LastRawMessageErrorKind::JetStream(_)
                | LastRawMessageErrorKind::InvalidSubject
                | LastRawMessageErrorKind::Other => Err(unknown(&error)),
            },
        }
    }

    async fn create_bucket(&self) -> Result<(), GuardError> {
        let config = Config {
            name: self.stream.clone(),
            description: Some("the newest head that the ledger has promised".to_owned()),
            subjects: vec![format!("$KV.{}.>", self.bucket)],
            max_messages_per_subject: HISTORY,
            max_messages: -1,
            max_bytes: -1,
            max_message_size: -1,
            max_consumers: -1,
            storage: StorageType::File,
            num_replicas: self.replicas,
            discard: DiscardPolicy::New,
            allow_rollup: true,
            deny_delete: true,
            allow_direct: false,
            ..Config::default()
        };
        match self
            .bus
            .jetstream()
            .create_stream(config)
            .await
            .map_err(|error| (error.kind(), error))
        {
            // A bucket that is there with another configuration does as well: the swap itself decides.
            Ok(_) => Ok(()),
            Err((CreateStreamErrorKind::JetStream(answer), _))
                if answer.error_code() == ErrorCode::STREAM_NAME_EXIST =>
            {
                Ok(())
            }
            Err((_, error)) => Err(unknown(&error)),
        }
    }
}

fn is_marker(message: &StreamMessage) -> bool {
    message.headers.get(OPERATION).is_some()
}

/// The error with its whole chain, since [`GuardError`] carries text.
fn unknown(error: &dyn std::error::Error) -> GuardError {
    GuardError::Unknown(in_full(error))
}

/// An error with what is behind it.
fn in_full(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(inner) = source {
        text = format!("{text}: {inner}");
        source = inner.source();
    }
    text
}

/// [`NatsGuard`] for code that is not async: the ledger's writer, on a thread of its own.
///
/// Every call blocks its thread on the runtime behind the handle, so it must not be made from a thread that
/// drives async tasks (tokio panics there).
#[derive(Clone, Debug)]
pub struct BlockingGuard {
    guard: NatsGuard,
    runtime: Handle,
}

impl BlockingGuard {
    /// Uses `runtime` to wait for the bus.
    pub const fn new(guard: NatsGuard, runtime: Handle) -> Self {
        Self { guard, runtime }
    }
}

impl Guard for BlockingGuard {
    fn load(&mut self) -> Result<Option<(GuardValue, GuardRevision)>, GuardError> {
        self.runtime.block_on(self.guard.load())
    }

    fn swap(
        &mut self,
        expected: Option<GuardRevision>,
        value: &GuardValue,
    ) -> Result<GuardRevision, GuardError> {
        self.runtime.block_on(self.guard.swap(expected, value))
    }
}
