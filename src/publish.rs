//! What a publisher does before anything leaves it: check events, pack them, sign them in one unbroken feed.
//!
//! The same checks run here as at admission, so a statement without a possible place is never born. Pure:
//! keeping what was signed (the outbox) and sending it are the shell's.

use bytes::Bytes;
use prost::Message as _;

use crate::{
    admission::BadEvent,
    envelope::Header,
    event,
    id::{FeedSequence, Hash, LogId},
    signature::SigningKey,
    time::IssuedAt,
    wire::{STATEMENT_EVENTS_MAX, STATEMENT_LEN_MAX, v1},
};

/// Bytes of a statement that are not events: header fields and the issuer, generously.
const HEADER_LEN_MAX: usize = 512;
/// Longest event that a statement can carry, in bytes; longer ones travel as parts.
pub const EVENT_LEN_MAX: usize = STATEMENT_LEN_MAX - HEADER_LEN_MAX;

/// One key's feed, from the writing end: what it signed last decides what it can sign next.
#[derive(Debug)]
pub struct FeedSigner {
    key: SigningKey,
    log_id: LogId,
    issuer: String,
    last: FeedSequence,
    last_hash: Hash,
}

/// A signed statement, as it goes into the outbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedStatement {
    /// Its place in the feed.
    pub sequence: FeedSequence,
    /// Its statement hash.
    pub hash: Hash,
    /// The envelope.
    pub envelope: Bytes,
}

/// Why events cannot become statements.
#[derive(Debug, thiserror::Error)]
pub enum PackError {
    /// An event that no ledger admits.
    #[error("event cannot be published")]
    Event(#[from] BadEvent),
    /// An event too long for a statement; cut it into parts first.
    #[error("event {number} has {len} bytes, at most {max} fit a statement")]
    TooLong {
        /// Zero-based.
        number: usize,
        /// Its length in bytes.
        len: usize,
        /// The limit in bytes.
        max: usize,
    },
}

impl FeedSigner {
    /// Goes on after the statement that was signed last: `last` and `last_hash` from the outbox, or
    /// [`FeedSequence::NONE`] and [`Hash::ZERO`] for a new key.
    pub const fn new(
        key: SigningKey,
        log_id: LogId,
        issuer: String,
        last: FeedSequence,
        last_hash: Hash,
    ) -> Self {
        Self {
            key,
            log_id,
            issuer,
            last,
            last_hash,
        }
    }

    /// The key.
    pub const fn key(&self) -> &SigningKey {
        &self.key
    }

    /// The ledger it publishes to.
    pub const fn log_id(&self) -> LogId {
        self.log_id
    }

    /// The party it speaks for.
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// What was signed last.
    pub const fn last(&self) -> (FeedSequence, Hash) {
        (self.last, self.last_hash)
    }

    /// Signs the next statement over encoded events, as they are.
    ///
    /// # Panics
    /// After 2^64 - 1 statements.
    pub fn sign(&mut self, issued_at: IssuedAt, events: &[Bytes]) -> SignedStatement {
        let sequence = self.last.next().expect("a feed does not run out of numbers");
        let header = Header {
            log_id: self.log_id,
            issuer: self.issuer.clone(),
            feed: self.key.feed(),
            sequence,
            previous: self.last_hash,
            issued_at,
        };
        let (envelope, hash) = self.key.sign_statement(&header, events);
        (self.last, self.last_hash) = (sequence, hash);
        SignedStatement {
            sequence,
            hash,
            envelope,
        }
    }
}

/// How much a statement may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PackLimits {
    /// Bytes of all events of a statement together, their framing included.
    pub events_len_max: usize,
    /// Events in a statement.
    pub events_max: usize,
}

impl PackLimits {
    /// What the format allows, and every ledger whose authority has not set lower limits.
    pub const FORMAT: Self = Self {
        events_len_max: EVENT_LEN_MAX,
        events_max: STATEMENT_EVENTS_MAX,
    };

    /// What the ledger with these parameters admits. What is longer takes its place there, refused.
    pub fn of(parameters: &v1::Parameters) -> Self {
        let within = |value: u32, max: usize| usize::try_from(value).unwrap_or(max).min(max);
        let statement_len_max = within(parameters.statement_len_max, STATEMENT_LEN_MAX);
        Self {
            events_len_max: statement_len_max.saturating_sub(HEADER_LEN_MAX),
            events_max: within(parameters.statement_events_max, STATEMENT_EVENTS_MAX),
        }
    }
}

/// [`pack_within`] the limits of the format, for whoever does not know the ledger's own.
///
/// # Errors
/// [`PackError`] naming the first event that cannot be published; nothing is packed then.
pub fn pack(events: &[v1::Event]) -> Result<Vec<Vec<Bytes>>, PackError> {
    pack_within(events, PackLimits::FORMAT)
}

/// Encodes and checks events, and packs them, in order, into as few statements as bytes and count allow.
///
/// # Errors
/// [`PackError`] naming the first event that cannot be published; nothing is packed then.
pub fn pack_within(events: &[v1::Event], limits: PackLimits) -> Result<Vec<Vec<Bytes>>, PackError> {
    let mut packs: Vec<Vec<Bytes>> = Vec::new();
    let mut len = 0;
    for (number, event) in events.iter().enumerate() {
        let bytes = Bytes::from(event.encode_to_vec());
        let framed_len = bytes.len() + 4;
        if bytes.len() > limits.events_len_max {
            return Err(PackError::TooLong {
                number,
                len: bytes.len(),
                max: limits.events_len_max,
            });
        }
        event::check(&bytes).map_err(|error| BadEvent { number, error })?;
        match packs.last_mut() {
            Some(pack) if pack.len() < limits.events_max && len + framed_len <= limits.events_len_max => {
                len += framed_len;
                pack.push(bytes);
            }
            _ => {
                len = framed_len;
                packs.push(vec![bytes]);
            }
        }
    }
    Ok(packs)
}
