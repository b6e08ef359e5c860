//! What the outbox remembers: records, each a fact that no later one unsays.
//!
//! ```text
//! record     u8 kind | fields, in the order of the type below
//! u64, i64   eight bytes, big endian                feed, hash   32 bytes
//! bytes      u32be length | the bytes               list         u32be count | the items
//! ```
//!
//! Folding them in order ([`super::State::apply`]) is the whole of recovery. Records that belong together
//! travel in one batch, which the file keeps or loses as one. They never leave the publisher's machine.

mod codec;

use bytes::Bytes;

use crate::{
    code::{Outcome, Refusal},
    id::{FeedId, FeedSequence, Hash, LeafIndex},
    time::RecordedAt,
};

/// What a publisher handed over and what became one statement: numbered by the outbox, from zero. It keeps
/// its number when its events are signed anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ParcelId(u64);

impl ParcelId {
    /// Parcel `number`, counted from zero.
    pub const fn new(number: u64) -> Self {
        Self(number)
    }

    /// The zero-based number.
    pub const fn get(self) -> u64 {
        self.0
    }
}

/// Why nothing more is signed with a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum CloseReason {
    /// The outbox was restored from a backup, so what was signed last is not known.
    Restored = 1,
    /// The ledger proved a head beyond what the outbox signed: somebody else signs with this key.
    HeadAhead = 2,
    /// The ledger proved another statement at a sequence that the outbox signed.
    Diverged = 3,
    /// The ledger takes nothing more from this feed.
    ByLedger = 4,
    /// The ledger lost statements that the outbox no longer holds, so the chain cannot be mended.
    Forgotten = 5,
}

impl CloseReason {
    const ALL: [Self; 5] = [
        Self::Restored,
        Self::HeadAhead,
        Self::Diverged,
        Self::ByLedger,
        Self::Forgotten,
    ];
}

/// What a person should look at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum AlarmKind {
    /// A fresh signed head lies below a statement that a verified receipt proves. Evidence: receipt, reply.
    HeadRegressed = 1,
    /// A fresh signed head is of a log smaller than a checkpoint in hand. Evidence: checkpoint, reply.
    TreeShrank = 2,
    /// Two checkpoints, or a checkpoint's receipt and an earlier one, that no single log can have. Evidence:
    /// both.
    Forked = 3,
    /// Somebody else signs with this key. Evidence: the signed head.
    HeadAhead = 4,
    /// The log holds another statement of this feed at a sequence that the outbox signed. Evidence: the
    /// outbox's envelope where it still has it, the signed head.
    Diverged = 5,
    /// The outbox was restored from a backup. No evidence.
    Restored = 6,
    /// The ledger says that a statement does not name its predecessor. Evidence: envelope, answer.
    ChainBroken = 7,
    /// The ledger will never take a statement, and so none after it. Evidence: envelope, answer.
    NeverTaken = 8,
    /// The ledger lost statements that the outbox no longer holds. Evidence: receipt if any, reply.
    Forgotten = 9,
    /// The ledger's head covers statements for which it gives no receipt. Evidence: the signed head.
    NoReceipt = 10,
}

impl AlarmKind {
    const ALL: [Self; 10] = [
        Self::HeadRegressed,
        Self::TreeShrank,
        Self::Forked,
        Self::HeadAhead,
        Self::Diverged,
        Self::Restored,
        Self::ChainBroken,
        Self::NeverTaken,
        Self::Forgotten,
        Self::NoReceipt,
    ];

    /// What has happened and what to do, for people.
    pub const fn advice(self) -> &'static str {
        match self {
            Self::HeadAhead => {
                "this key has signed statements that this outbox does not know: its feed is closed here; use the \
                 outbox that it was used with, or enrol a new key"
            }
            Self::Diverged => {
                "the log holds another statement where this outbox signed one: somebody else signs with this key, \
                 and its feed is closed here; find out who, and enrol a new key"
            }
            Self::Restored => {
                "this outbox was restored from a backup or lost its file, so that nobody knows what this key signed \
                 last: its feed is closed here; enrol a new key"
            }
            Self::Forgotten => {
                "the ledger lost statements of this key that this outbox no longer holds: its feed is closed here; \
                 enrol a new key"
            }
            Self::HeadRegressed => {
                "the ledger's newest head lies below a statement that it receipted: it lost entries or was restored; \
                 show the evidence to its operator"
            }
            Self::TreeShrank => {
                "the log is smaller than it was: it was restored from an older copy; show the evidence to its operator"
            }
            Self::Forked => {
                "the log shows two histories: keep the evidence, and show it to its operator and auditors"
            }
            Self::ChainBroken => {
                "the ledger says that a statement does not follow the one before it; show the evidence to its operator"
            }
            Self::NeverTaken => {
                "the ledger will never take this statement, nor those after it; show the evidence to its operator"
            }
            Self::NoReceipt => {
                "the ledger holds a statement for which it gives no receipt; show the evidence to its operator"
            }
        }
    }

    /// Whether it closed the feed in this outbox.
    pub const fn closes(self) -> bool {
        matches!(
            self,
            Self::HeadAhead | Self::Diverged | Self::Restored | Self::Forgotten
        )
    }
}

/// An alarm, with what proves it to others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alarm {
    /// What it is.
    pub kind: AlarmKind,
    /// The feed that it is about.
    pub feed: FeedId,
    /// When it was raised, nanoseconds since the epoch by the publisher's clock.
    pub raised_at: i64,
    /// Signed bytes, as received; see [`AlarmKind`] for which.
    pub evidence: Vec<Bytes>,
}

/// Events that the ledger refused for what they are; they wait for a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeadLetter {
    /// Which parcel they were.
    pub parcel: ParcelId,
    /// The feed whose statement was refused.
    pub feed: FeedId,
    /// Its place in the feed.
    pub sequence: FeedSequence,
    /// Where the refusal stands in the log.
    pub index: LeafIndex,
    /// Why.
    pub refusal: Refusal,
    /// The encoded events, all of the statement's.
    pub events: Vec<Bytes>,
}

/// One row of a verified receipt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProvenRow {
    /// The statement's place in its feed.
    pub sequence: FeedSequence,
    /// Its place in the log.
    pub index: LeafIndex,
    /// When the ledger took it.
    pub recorded_at: RecordedAt,
    /// What the ledger decided.
    pub outcome: Outcome,
    /// The leaf hash that was rebuilt and proven.
    pub leaf: Hash,
}

/// One fact.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Record {
    /// A key is in use.
    Opened {
        /// The key's feed.
        feed: FeedId,
    },
    /// A parcel waits to be signed, for the first time or again.
    Queued {
        /// Which.
        parcel: ParcelId,
        /// How often it was refused for what the register lacks.
        refusals: u32,
        /// Its encoded events.
        events: Vec<Bytes>,
    },
    /// A parcel became a statement; the envelope says of which feed and where.
    Signed {
        /// Which.
        parcel: ParcelId,
        /// As it will be published, always.
        envelope: Bytes,
    },
    /// Statements are proven to stand in the log.
    Receipted {
        /// The feed.
        feed: FeedId,
        /// When the receipt came, nanoseconds since the epoch by the publisher's clock.
        at: i64,
        /// Those rows of it that were news.
        rows: Vec<ProvenRow>,
        /// The receipt as received.
        receipt: Bytes,
    },
    /// Events were refused for what they are.
    DeadLettered(DeadLetter),
    /// Nothing more is owed for a parcel: a person took its letter or withdrew its events, or others carry them.
    Released {
        /// Which.
        parcel: ParcelId,
    },
    /// Nothing more is signed with a key.
    Closed {
        /// The key's feed.
        feed: FeedId,
        /// Why.
        reason: CloseReason,
    },
    /// The ledger lost what it had receipted: these statements are to be proven again.
    Reopened {
        /// The feed.
        feed: FeedId,
        /// The last that the ledger still has.
        after: FeedSequence,
        /// The last that had a receipt.
        through: FeedSequence,
    },
    /// Statements up to here are forgotten.
    Pruned {
        /// The feed.
        feed: FeedId,
        /// The last one forgotten.
        through: FeedSequence,
        /// Its statement hash.
        hash: Hash,
    },
    /// A statement will get no receipt; its parcel goes another way.
    Abandoned {
        /// The feed.
        feed: FeedId,
        /// Its place in the feed.
        sequence: FeedSequence,
    },
    /// The largest checkpoint seen so far.
    CheckpointSeen {
        /// The signed note.
        note: Bytes,
    },
    /// An alarm.
    Alarmed(Alarm),
    /// Parcel numbers below this one are used up.
    Numbered {
        /// The next number.
        next: ParcelId,
    },
}
