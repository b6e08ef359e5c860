//! Reading EVENTS, from its first message, without a cursor.
//!
//! ```text
//!            ┌── nothing heard for two heartbeats ─┬─ a new connection ─┬─ a gap ──┐
//!            ▼                                                                     │
//!     fresh consumer ──▶ first message ──▶ ... ──▶ batch ──▶ batch ──▶ ────────────┘
//!     (ephemeral, push, no acknowledgements; every one is a new epoch)
//! ```
//!
//! A stored cursor fails after a power cut: JetStream loses its unsynced tail, numbers new messages below
//! the cursor, and never delivers them. So there is none. What was read before comes again, the ledger
//! recognises it, and the purge of what has been handled keeps the repetition short.
//!
//! Sequences mean something only within one epoch, which is why a purge takes a [`BusPosition`]: one from
//! an earlier epoch purges nothing, since the same number may by now stand for an unread message.
//!
//! A push consumer with flow control was chosen over a pull consumer: it needs no bookkeeping of requests
//! under way, and JetStream stops sending at 32 MiB unanswered all the same. Measured on two cores, it
//! drains messages of 450 bytes a third faster; at 46 kB the pull consumer is ahead, but either is far
//! beyond what the ledger does with such messages.

use std::{sync::Arc, time::Duration};

use async_nats::{
    Message, StatusCode, Subscriber,
    connection::State,
    header::NATS_LAST_CONSUMER,
    jetstream::{
        ErrorCode,
        consumer::{AckPolicy, DeliverPolicy, push},
        stream::ConsumerErrorKind,
    },
};
use bytes::Bytes;
use futures::{FutureExt as _, StreamExt as _};
use tokio::time::{Instant, sleep_until, timeout_at};

use super::{
    connect::Bus,
    purge::{BusPosition, Epoch, EventsPurger},
    streams::ReadError,
    subject::{BusNames, Subject},
};
use crate::id::FeedId;

/// What JetStream adds to a heartbeat while it waits for an answer to flow control that got lost.
const STALLED: &str = "Nats-Consumer-Stalled";

/// How batches are cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReaderOptions {
    /// Most messages in a batch.
    pub messages_max: usize,
    /// Most bytes in a batch; a single message may exceed it.
    pub bytes_max: usize,
    /// How long to wait for more after the first message. Zero takes what is there.
    pub linger: Duration,
    /// How long to wait for the first message before returning an empty batch, so that the caller can do
    /// what is due by the clock.
    pub idle: Duration,
    /// How often JetStream says that it is alive when there is nothing to send. After two of these in
    /// silence the consumer is taken for lost.
    pub heartbeat: Duration,
}

impl Default for ReaderOptions {
    fn default() -> Self {
        Self {
            messages_max: 4_096,
            bytes_max: 16 << 20,
            linger: Duration::from_millis(1),
            idle: Duration::from_millis(250),
            heartbeat: Duration::from_millis(500),
        }
    }
}

/// A message of EVENTS, as it arrived.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BusMessage {
    /// Its number in the stream, from 1. Not a position in the log, and valid in this epoch only.
    pub stream_sequence: u64,
    /// The feed that its subject names, if it does; proves nothing.
    pub feed: Option<FeedId>,
    /// The envelope, unverified.
    pub bytes: Bytes,
}

/// Messages in stream order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventsBatch {
    /// Which reading of the stream this belongs to: a larger number than before means that the stream is
    /// being read again from its first message.
    pub epoch: u64,
    /// The messages; none if nothing came in time.
    pub messages: Vec<BusMessage>,
}

impl EventsBatch {
    /// The place of the last message, to purge up to once all of them are handled.
    pub fn position(&self) -> Option<BusPosition> {
        let last = self.messages.last()?;
        Some(BusPosition {
            epoch: self.epoch,
            stream_sequence: last.stream_sequence,
        })
    }
}

/// Reads EVENTS in batches.
///
/// After an error the reader is whole: the next call makes a fresh consumer. A call can be cancelled
/// (`select!`) without losing a message.
#[derive(Debug)]
pub struct EventsReader {
    bus: Bus,
    stream: String,
    options: ReaderOptions,
    epoch: Arc<Epoch>,
    consumer: Option<Consumer>,
    /// Taken off the subscription but not handed out yet; outlives a cancelled call.
    collected: Vec<BusMessage>,
    collected_len: usize,
}

/// One ephemeral consumer, as far as we have heard from it.
#[derive(Debug)]
struct Consumer {
    subscriber: Subscriber,
    /// A message taken off the subscription that has not been looked at.
    held: Option<Message>,
    /// How many messages it has sent us.
    delivered: u64,
    /// When it counts as lost unless it says something.
    silent_at: Instant,
}

/// What a message from a consumer amounts to.
enum Heard {
    Statement(BusMessage),
    /// A heartbeat, or a flow control request to be answered at these subjects.
    Sign(Vec<String>),
    /// Messages went missing in between.
    Gap,
}

impl EventsReader {
    /// A reader of a ledger's EVENTS; the first [`next_batch`](Self::next_batch) makes its consumer.
    pub fn new(bus: Bus, names: BusNames, options: ReaderOptions) -> Self {
        Self {
            bus,
            stream: names.events_stream(),
            options,
            epoch: Arc::default(),
            consumer: None,
            collected: Vec::new(),
            collected_len: 0,
        }
    }

    /// What purges and looks at the stream, from any other task.
    pub fn purger(&self) -> EventsPurger {
        EventsPurger::new(self.bus.clone(), self.stream.clone(), self.epoch.clone())
    }

    /// The next messages in stream order: soon if some are there, an empty batch if none come within
    /// [`ReaderOptions::idle`].
    ///
    /// Begins again at the stream's first message whenever the consumer is lost or may be; the batch's
    /// epoch tells.
    ///
    /// # Errors
    /// [`ReadError`] if no consumer can be made; calling again tries again.
    pub async fn next_batch(&mut self) -> Result<EventsBatch, ReadError> {
        let idle_at = Instant::now() + self.options.idle;
        let mut is_full = false;
        while self.collected.is_empty() {
            self.ensure_consumer(idle_at).await?;
            is_full = self.take_what_is_there().await;
            if self.collected.is_empty() && !self.wait_until(idle_at).await {
                break;
            }
        }
        let linger_at = Instant::now() + self.options.linger;
        // A consumer lost in the middle ends the batch: what follows belongs to another epoch.
        while !self.collected.is_empty() && !is_full && self.consumer.is_some() {
            if !self.wait_until(linger_at).await {
                break;
            }
            is_full = self.take_what_is_there().await;
        }
        self.collected_len = 0;
        Ok(EventsBatch {
            epoch: self.epoch.number(),
            messages: std::mem::take(&mut self.collected),
        })
    }

    fn has_room(&self) -> bool {
        self.collected.len() < self.options.messages_max && self.collected_len < self.options.bytes_max
    }

    /// Makes sure that there is a consumer, and that it was made on the present connection: after another
    /// one the stream may have lost its tail.
    async fn ensure_consumer(&mut self, deadline: Instant) -> Result<(), ReadError> {
        if self.consumer.is_some() && self.epoch.is_on(&self.bus) {
            return Ok(());
        }
        self.consumer = None;
        while self.bus.client().connection_state() != State::Connected {
            if timeout_at(deadline, self.bus.reconnected()).await.is_err() {
                return Err(ReadError::unreachable("reading", &self.stream, "not connected"));
            }
        }
        // From here on, positions of the old epoch purge nothing.
        let epoch = self.epoch.next(&self.bus);
        let deliver_subject = self.bus.client().new_inbox();
        let subscriber = self
            .bus
            .client()
            .subscribe(deliver_subject.clone())
            .await
            .map_err(|error| ReadError::unreachable("subscribing to", &self.stream, error))?;
        let config = push::Config {
            deliver_subject,
            description: Some("the ledger, reading from the first message".to_owned()),
            deliver_policy: DeliverPolicy::All,
            ack_policy: AckPolicy::None,
            max_deliver: 1,
            flow_control: true,
            idle_heartbeat: self.options.heartbeat,
            inactive_threshold: Duration::from_secs(5),
            num_replicas: 1,
            memory_storage: true,
            ..push::Config::default()
        };
        let created = self
            .bus
            .jetstream()
            .create_consumer_on_stream(config, &self.stream)
            .await;
        created.map_err(|error| match error.kind() {
            ConsumerErrorKind::JetStream(answer) if answer.error_code() == ErrorCode::STREAM_NOT_FOUND => {
                ReadError::Missing(self.stream.clone())
            }
            _ => ReadError::unreachable("creating a consumer of", &self.stream, error),
        })?;
        tracing::debug!(stream = self.stream, epoch, "reading from the first message");
        let silent_at = Instant::now() + self.silence();
        self.consumer = Some(Consumer {
            subscriber,
            held: None,
            delivered: 0,
            silent_at,
        });
        Ok(())
    }

    /// How long a consumer may say nothing.
    fn silence(&self) -> Duration {
        self.options.heartbeat * 2
    }

    /// Waits until there is something to look at (a message, a new connection, the loss of the consumer);
    /// false if the moment comes first.
    async fn wait_until(&mut self, moment: Instant) -> bool {
        let Some(consumer) = &mut self.consumer else {
            return true;
        };
        if consumer.held.is_some() {
            return true;
        }
        let silent_at = consumer.silent_at;
        tokio::select! {
            biased;
            message = consumer.subscriber.next() => {
                let closed = message.is_none();
                consumer.held = message;
                if closed {
                    self.consumer = None;
                }
                true
            }
            () = self.bus.reconnected() => true,
            () = sleep_until(silent_at) => {
                tracing::warn!(stream = self.stream, "no heartbeat from the consumer");
                self.consumer = None;
                true
            }
            () = sleep_until(moment) => false,
        }
    }

    /// Moves what has arrived into the batch, until nothing more is there (false) or fits (true).
    async fn take_what_is_there(&mut self) -> bool {
        let silent_at = Instant::now() + self.silence();
        while self.has_room() {
            let Some(consumer) = &mut self.consumer else {
                return false;
            };
            let message = match consumer.held.take() {
                Some(message) => message,
                // Without tokio's cooperative budget, which would pretend now and then that nothing is there.
                None => match tokio::task::unconstrained(consumer.subscriber.next()).now_or_never() {
                    Some(Some(message)) => message,
                    Some(None) => {
                        self.consumer = None;
                        return false;
                    }
                    None => return false,
                },
            };
            let len = self.collected_len + message.payload.len();
            if !self.collected.is_empty() && len > self.options.bytes_max {
                consumer.held = Some(message);
                return true;
            }
            consumer.silent_at = silent_at;
            match consumer.hear(message) {
                Heard::Statement(message) => {
                    self.collected_len += message.bytes.len();
                    self.collected.push(message);
                }
                Heard::Sign(replies) => {
                    for subject in replies {
                        // If the client is gone, the subscription's end says so.
                        let _ = self.bus.client().publish(subject, Bytes::new()).await;
                    }
                }
                Heard::Gap => {
                    tracing::warn!(stream = self.stream, "messages went missing: reading again");
                    self.consumer = None;
                }
            }
        }
        true
    }
}

impl Consumer {
    fn hear(&mut self, message: Message) -> Heard {
        if message.status.is_some() {
            return self.hear_sign(&message);
        }
        let Some((stream_sequence, consumer_sequence)) = message.reply.as_deref().and_then(sequences) else {
            // Whatever this is, it is not from JetStream.
            return Heard::Sign(Vec::new());
        };
        if consumer_sequence != self.delivered + 1 {
            return Heard::Gap;
        }
        self.delivered = consumer_sequence;
        let feed = match Subject::parse(&message.subject) {
            Ok((_, Subject::Statement(feed))) => Some(feed),
            Ok(_) | Err(_) => None,
        };
        Heard::Statement(BusMessage {
            stream_sequence,
            feed,
            bytes: message.payload,
        })
    }

    fn hear_sign(&self, message: &Message) -> Heard {
        if message.status != Some(StatusCode::IDLE_HEARTBEAT) {
            return Heard::Sign(Vec::new());
        }
        let header = |name| {
            message
                .headers
                .as_ref()
                .and_then(|headers| headers.get_last(name))
        };
        let last = header(NATS_LAST_CONSUMER.as_ref()).and_then(|value| value.as_str().parse::<u64>().ok());
        if last.is_some_and(|last| last != self.delivered) {
            return Heard::Gap;
        }
        let stalled = header(STALLED).map(|value| value.as_str().to_owned());
        Heard::Sign(
            message
                .reply
                .as_ref()
                .map(ToString::to_string)
                .into_iter()
                .chain(stalled)
                .collect(),
        )
    }
}

/// Stream and consumer sequence out of the subject that an acknowledgement would go to:
///
/// ```text
/// $JS.ACK.{stream}.{consumer}.{deliveries}.{stream sequence}.{consumer sequence}.{time}.{pending}
/// $JS.ACK.{domain}.{account}.{the same seven}[.{more}]
/// ```
fn sequences(reply: &str) -> Option<(u64, u64)> {
    let rest = reply.strip_prefix("$JS.ACK.")?;
    let skipped = if rest.split('.').count() == 7 { 3 } else { 5 };
    let mut tokens = rest.split('.').skip(skipped);
    Some((tokens.next()?.parse().ok()?, tokens.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_both_forms_of_the_acknowledgement_subject() {
        assert_eq!(
            sequences("$JS.ACK.EVENTS.c1.1.900.12.1700000000000000000.5"),
            Some((900, 12))
        );
        assert_eq!(
            sequences("$JS.ACK._.hash.EVENTS.c1.1.900.12.1700000000000000000.5"),
            Some((900, 12))
        );
        assert_eq!(
            sequences("$JS.ACK._.hash.EVENTS.c1.1.900.12.1700000000000000000.5.x"),
            Some((900, 12))
        );
    }

    #[test]
    fn refuses_other_subjects() {
        for reply in [
            "",
            "$JS.ACK.",
            "$JS.ACK.EVENTS.c1.1.x.12.1.5",
            "_INBOX.1.900.12.0.0.0.0.0",
        ] {
            assert_eq!(sequences(reply), None, "{reply}");
        }
    }
}
