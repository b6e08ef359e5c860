//! Taking out of EVENTS what has been handled: the only cursor there is.
//!
//! JetStream's purge removes everything *below* a sequence, and one beyond the stream's last sequence moves
//! that forward, so that later messages would be numbered after it. So the stream's info is read first, and
//! a position that cannot be of this stream as it is now purges nothing. Purging too little only means that
//! some statements are read, and recognised, once more.
//!
//! One gap is left: a purge that the connection sends only after the server came back without its newest
//! messages can take out others that were numbered anew in the meantime. No receipt exists for these, so their
//! publishers send them again.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use async_nats::jetstream::{ErrorCode, context::GetStreamErrorKind, stream::Stream};

use super::{connect::Bus, streams::ReadError};

/// A place in EVENTS, in one reading of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BusPosition {
    pub(super) epoch: u64,
    pub(super) stream_sequence: u64,
}

/// The current reading of the stream: its number, and the connection that it happens on.
#[derive(Debug, Default)]
pub(super) struct Epoch {
    number: AtomicU64,
    connection: AtomicU64,
}

impl Epoch {
    pub(super) fn number(&self) -> u64 {
        self.number.load(Ordering::Acquire)
    }

    /// Begins the next epoch, on the present connection.
    pub(super) fn next(&self, bus: &Bus) -> u64 {
        self.connection.store(bus.connections(), Ordering::Release);
        self.number.fetch_add(1, Ordering::AcqRel) + 1
    }

    /// Whether the connection is still the one on which this epoch began.
    pub(super) fn is_on(&self, bus: &Bus) -> bool {
        self.connection.load(Ordering::Acquire) == bus.connections()
    }
}

/// What EVENTS holds, as its info says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EventsState {
    /// Messages present.
    pub messages: u64,
    /// Their bytes, with JetStream's own per message.
    pub bytes: u64,
    /// Number of the first message present, or the next one if there is none.
    pub first_sequence: u64,
    /// Number of the last message that ever was.
    pub last_sequence: u64,
}

/// What a purge did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PurgeOutcome {
    /// This many messages are gone.
    Purged(u64),
    /// Nothing was there to purge.
    Nothing,
    /// The position is not of the current epoch, or beyond the stream's end: nothing was purged.
    Stale,
}

/// Purges EVENTS, and says what is in it.
#[derive(Clone, Debug)]
pub struct EventsPurger {
    bus: Bus,
    stream: String,
    epoch: Arc<Epoch>,
}

impl EventsPurger {
    pub(super) const fn new(bus: Bus, stream: String, epoch: Arc<Epoch>) -> Self {
        Self { bus, stream, epoch }
    }

    /// What the stream holds now.
    ///
    /// # Errors
    /// [`ReadError::Missing`] if there is no stream, [`ReadError::Unreachable`] if the bus does not answer.
    pub async fn state(&self) -> Result<EventsState, ReadError> {
        Ok(state_of(&self.look_up().await?))
    }

    /// Removes every message up to and including `position`, all of which must have been handled: be
    /// durable in the log, or answered.
    ///
    /// # Errors
    /// As for [`state`](Self::state); whether the purge happened is then unknown, and does not matter.
    pub async fn purge_up_to(&self, position: BusPosition) -> Result<PurgeOutcome, ReadError> {
        let stream = self.look_up().await?;
        let state = state_of(&stream);
        // Asked after the info has come: what it says is of this epoch only if the connection still is.
        let is_current = position.epoch == self.epoch.number() && self.epoch.is_on(&self.bus);
        if !is_current || position.stream_sequence > state.last_sequence {
            return Ok(PurgeOutcome::Stale);
        }
        if state.messages == 0 || position.stream_sequence < state.first_sequence {
            return Ok(PurgeOutcome::Nothing);
        }
        // JetStream keeps the sequence it is given, and removes what is below.
        let purged = stream.purge().sequence(position.stream_sequence + 1).await;
        let purged = purged.map_err(|error| ReadError::unreachable("purging", &self.stream, error))?;
        Ok(PurgeOutcome::Purged(purged.purged))
    }

    async fn look_up(&self) -> Result<Stream, ReadError> {
        self.bus
            .jetstream()
            .get_stream(&self.stream)
            .await
            .map_err(|error| match error.kind() {
                GetStreamErrorKind::JetStream(answer)
                    if answer.error_code() == ErrorCode::STREAM_NOT_FOUND =>
                {
                    ReadError::Missing(self.stream.clone())
                }
                _ => ReadError::unreachable("looking up", &self.stream, error),
            })
    }
}

fn state_of(stream: &Stream) -> EventsState {
    let state = &stream.cached_info().state;
    EventsState {
        messages: state.messages,
        bytes: state.bytes,
        first_sequence: state.first_sequence,
        last_sequence: state.last_sequence,
    }
}
