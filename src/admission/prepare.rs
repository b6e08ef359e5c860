//! What can be found out about a message without the ledger's state, and so on all cores: a statement that is
//! well formed, signed and read, or why there can be no place for it.

use bytes::Bytes;

use crate::{
    code::AnswerCode,
    envelope::{DecodeError, Envelope, Header},
    event::{self, CheckedEvent, EventError},
    id::{FeedSequence, LeafIndex, LogId},
    signature::{VerifiedStatement, VerifyError},
};

/// A verified statement with its events read: everything that can be found out without the ledger's state,
/// and so on all cores.
#[derive(Clone, Debug)]
pub struct Prepared {
    statement: VerifiedStatement,
    events: Result<Vec<CheckedEvent>, BadEvent>,
}

/// The first event of a statement that is refused for its bytes alone.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("event {number}")]
pub struct BadEvent {
    /// Zero-based.
    pub number: usize,
    /// What is wrong with it.
    #[source]
    pub error: EventError,
}

impl Prepared {
    /// Decodes, verifies and reads `bytes`.
    ///
    /// # Errors
    /// [`NoPlace`]: too long, malformed, or not signed by the key it names.
    pub fn from_bytes(bytes: Bytes) -> Result<Self, NoPlace> {
        let envelope = Envelope::decode(bytes)?; // Well formed and within limits?
        let statement = envelope.verify()?; // Who signed exactly these bytes?
        Ok(Self::from_verified(statement))
    }

    fn from_verified(statement: VerifiedStatement) -> Self {
        let events = check_events(statement.events());
        Self { statement, events }
    }

    /// What the statement says about itself.
    pub const fn header(&self) -> &Header {
        self.statement.header()
    }

    /// The verified statement.
    pub const fn statement(&self) -> &VerifiedStatement {
        &self.statement
    }

    /// Its events, or the first that is refused whoever signs it.
    ///
    /// # Errors
    /// The [`BadEvent`].
    pub fn events(&self) -> Result<&[CheckedEvent], &BadEvent> {
        self.events.as_deref()
    }
}

pub(super) fn check_events(events: &[Bytes]) -> Result<Vec<CheckedEvent>, BadEvent> {
    let check = |(number, event)| event::check(event).map_err(|error| BadEvent { number, error });
    events.iter().enumerate().map(check).collect()
}

/// Why a message gets no place in the log.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoPlace {
    /// Longer than the format allows.
    #[error("oversize")]
    Oversize,
    /// Not a canonical envelope and header.
    #[error("malformed")]
    Malformed(#[source] DecodeError),
    /// Not signed by the key it names.
    #[error("bad signature")]
    BadSignature(#[from] VerifyError),
    /// For another ledger.
    #[error("statement for ledger {got}")]
    OtherLedger {
        /// The ledger it names.
        got: LogId,
    },
    /// The key is not enrolled.
    #[error("the key is not enrolled")]
    UnknownKey,
    /// The feed ended before this sequence.
    #[error("the feed is closed")]
    FeedClosed,
    /// Earlier statements are missing.
    #[error("expected sequence {expected}")]
    Gap {
        /// The sequence that comes next.
        expected: FeedSequence,
    },
    /// It names another predecessor than the log has.
    #[error("sequence {expected} does not name the hash of the statement before")]
    ChainBroken {
        /// The sequence that comes next: this one's.
        expected: FeedSequence,
    },
    /// Handling it stopped the ledger twice.
    #[error("set aside")]
    Poison,
    /// It stands in the log already.
    #[error("already entry {index}")]
    Duplicate {
        /// Where.
        index: LeafIndex,
    },
    /// The feed said something else at this sequence, and that counts.
    #[error("entry {first} holds another statement of this feed and sequence")]
    Equivocation {
        /// Where the first one stands.
        first: LeafIndex,
        /// Whether this is the feed's first equivocation, which is recorded as evidence.
        is_news: bool,
    },
}

impl From<DecodeError> for NoPlace {
    fn from(error: DecodeError) -> Self {
        match error {
            DecodeError::Oversize { .. } => Self::Oversize,
            other => Self::Malformed(other),
        }
    }
}

impl NoPlace {
    /// The code of the signed answer; none for what is settled by a receipt or an evidence entry.
    pub const fn answer(&self) -> Option<AnswerCode> {
        match self {
            Self::Oversize => Some(AnswerCode::Oversize),
            Self::Malformed(_) => Some(AnswerCode::Malformed),
            Self::BadSignature(_) => Some(AnswerCode::BadSignature),
            Self::OtherLedger { .. } => Some(AnswerCode::OtherLedger),
            Self::UnknownKey => Some(AnswerCode::UnknownKey),
            Self::FeedClosed => Some(AnswerCode::FeedClosed),
            Self::Gap { .. } => Some(AnswerCode::Gap),
            Self::ChainBroken { .. } => Some(AnswerCode::ChainBroken),
            Self::Poison => Some(AnswerCode::Poison),
            Self::Duplicate { .. } | Self::Equivocation { .. } => None,
        }
    }
}
