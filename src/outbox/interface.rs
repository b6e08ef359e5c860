//! The outbox's surroundings: what it is told, and what it wants done.

use bytes::Bytes;

use super::{
    proof::PinnedLog,
    record::{Alarm, DeadLetter, ParcelId, ProvenRow, Record},
};
use crate::{
    code::{AnswerCode, Refusal},
    id::{FeedId, FeedSequence, TreeSize},
    signature::SigningKey,
};

/// Everything that the outbox must be told about its surroundings.
#[derive(Clone, Debug)]
pub struct Config {
    /// The log, as the trust file pins it.
    pub log: PinnedLog,
    /// The party that speaks: an identifier in normal form.
    pub issuer: String,
    /// How long a statement may be without receipt before its feed's head is asked for; the first backoff.
    pub wait_ms: u64,
    /// The longest backoff between questions.
    pub wait_ms_max: u64,
    /// How often the head is asked for when nothing is missing, so that a ledger that lost entries is noticed.
    pub idle_ms: u64,
    /// How long to wait before events are signed again that the register did not allow; the first backoff.
    pub probe_ms: u64,
    /// The longest backoff between such attempts.
    pub probe_ms_max: u64,
    /// How many statements of a feed may be on their way at once.
    pub window: u64,
    /// How long receipted statements are kept, in milliseconds, unless they are mirrored earlier.
    pub retention_ms: u64,
    /// Bytes of events and statements without receipt that are held at most; more are not taken.
    pub backlog_len_max: usize,
}

impl Config {
    /// For `issuer` and this log: two seconds, doubling to a minute; ten minutes when idle; 4,096 statements
    /// under way; 30 days; 64 MiB.
    pub const fn new(log: PinnedLog, issuer: String) -> Self {
        Self {
            log,
            issuer,
            wait_ms: 2_000,
            wait_ms_max: 60_000,
            idle_ms: 600_000,
            probe_ms: 2_000,
            probe_ms_max: 600_000,
            window: 4_096,
            retention_ms: 30 * 24 * 3_600_000,
            backlog_len_max: 64 * 1024 * 1024,
        }
    }
}

/// When something is handled, by the caller's clocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// Milliseconds of a clock that only goes forward, since any start: what waiting is measured by.
    pub steady_ms: u64,
    /// Nanoseconds since the epoch, UTC: what statements are stamped with.
    pub wall_nanos: i64,
}

/// Whether the outbox's file is the one that was written last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Continuity {
    /// It is, or it is new.
    Unbroken,
    /// It is older than its generation number, or missing: what was signed last is not known.
    Restored {
        /// The feed that was in use, where known.
        feed: Option<FeedId>,
    },
}

/// What the world tells the outbox, besides new events ([`Outbox::submit`](super::Outbox::submit)).
#[derive(Debug)]
pub enum Input {
    /// Time passes. Wanted several times a second.
    Tick {
        /// Random, new each time, and unknown to others beforehand.
        nonce: [u8; 32],
        /// Random: spreads the questions of many publishers.
        jitter: u16,
    },
    /// Something that claims to be a receipt.
    Receipt(Bytes),
    /// Something that claims to be the ledger's answer to a statement.
    Answer(Bytes),
    /// Something that claims to be the reply to a head query.
    HeadReply(Bytes),
    /// Something that claims to be a checkpoint.
    Checkpoint(Bytes),
    /// A statement could not be handed to the bus, or the bus did not acknowledge it.
    PublishFailed {
        /// Its feed.
        feed: FeedId,
        /// Its place in the feed.
        sequence: FeedSequence,
    },
    /// Envelopes read back, as [`Action::Load`] asked.
    Loaded(Vec<Bytes>),
    /// Another key that may be used once those before it are closed.
    KeyAdded(SigningKey),
    /// The first entries of the log are held by a mirror or cosigned by a witness.
    Mirrored(TreeSize),
    /// A person took a dead letter.
    LetterTaken(ParcelId),
}

/// What is to be done: all records made durable first, as one batch, then the actions in order.
///
/// If the records cannot be made durable, the caller does nothing else and starts again from the file.
/// Effects of several inputs may be joined ([`Effects::join`]), which saves syncs.
#[derive(Debug, Default)]
pub struct Effects {
    /// To be appended and synced.
    pub records: Vec<Record>,
    /// To be done afterwards.
    pub actions: Vec<Action>,
}

impl Effects {
    /// These effects and then `later` ones.
    pub fn join(&mut self, later: Self) {
        self.records.extend(later.records);
        self.actions.extend(later.actions);
    }

    /// Whether there is nothing to do.
    pub const fn is_empty(&self) -> bool {
        self.records.is_empty() && self.actions.is_empty()
    }
}

/// One thing to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Listen for receipts and answers for this feed, if not done already.
    Listen {
        /// The feed.
        feed: FeedId,
    },
    /// Publish a statement; in order, and none after one that failed.
    Publish {
        /// Its feed.
        feed: FeedId,
        /// Its place in the feed.
        sequence: FeedSequence,
        /// The bytes.
        envelope: Bytes,
    },
    /// Read these statements' envelopes from the file, as many as are there.
    Load {
        /// The feed.
        feed: FeedId,
        /// The first.
        first: FeedSequence,
        /// The last.
        last: FeedSequence,
    },
    /// Ask the ledger for a feed's head.
    AskHead {
        /// The `HeadQuery`.
        query: Bytes,
    },
    /// Ask the ledger for receipts.
    AskReceipts {
        /// The `ReceiptsQuery`.
        query: Bytes,
    },
    /// A parcel was admitted.
    Admitted {
        /// Which.
        parcel: ParcelId,
        /// The feed of its statement.
        feed: FeedId,
        /// What was proven.
        row: ProvenRow,
    },
    /// A parcel was refused for good.
    DeadLettered(DeadLetter),
    /// A parcel was refused for what the register lacks, and two others carry its events on.
    Divided {
        /// Which.
        parcel: ParcelId,
        /// The others, in the order of the events.
        into: [ParcelId; 2],
    },
    /// A parcel was withdrawn.
    Withdrawn {
        /// Which.
        parcel: ParcelId,
    },
    /// A person should look.
    Alarm(Alarm),
    /// The register does not allow what we say; only single statements go out.
    Stopped(Refusal),
    /// The register allows it again.
    Resumed,
}

/// What became of a parcel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// Not proven yet.
    Pending,
    /// Refused for good, and nobody has taken the letter.
    DeadLettered(Refusal),
    /// Admitted, divided, withdrawn, or taken from the dead letters.
    Done,
    /// No such parcel.
    Unknown,
}

/// Which parcels a submission became.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ticket {
    /// The first.
    pub first: ParcelId,
    /// How many.
    pub count: u64,
}

impl Ticket {
    /// The parcels.
    pub fn parcels(&self) -> impl Iterator<Item = ParcelId> + use<> {
        (self.first.get()..self.first.get() + self.count).map(ParcelId::new)
    }
}

/// Why events are not taken now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SubmitError {
    /// Too much waits for receipts already.
    #[error("{held} bytes wait for receipts, {more} more would pass the limit of {max}")]
    Full {
        /// Bytes held.
        held: usize,
        /// Bytes offered.
        more: usize,
        /// The limit.
        max: usize,
    },
}

/// Why parcels are not withdrawn: this one does not wait to be signed. A statement without a receipt carries it,
/// which may be in the log already, or it is settled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("parcel {} does not wait to be signed", .0.get())]
pub struct NotQueued(pub ParcelId);

/// What was heard and not believed, or believed and of no use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ignored {
    /// Receipts.
    pub receipts: u64,
    /// Answers.
    pub answers: u64,
    /// Head replies.
    pub replies: u64,
    /// Checkpoints.
    pub checkpoints: u64,
    /// Envelopes read back that are not what was signed.
    pub envelopes: u64,
}

/// The outbox at a glance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Status {
    /// The feed that is signed with; none if every key is closed.
    pub feed: Option<FeedId>,
    /// Whether the ledger confirmed that feed's head in this run.
    pub is_confirmed: bool,
    /// Parcels that wait to be signed.
    pub queued: usize,
    /// Parcels that wait for a receipt.
    pub unreceipted: usize,
    /// Statements kept in all.
    pub statements: usize,
    /// Dead letters.
    pub letters: usize,
    /// Alarms raised, ever.
    pub alarms: usize,
    /// Bytes of events and statements held in memory.
    pub backlog_len: usize,
    /// Why only single statements go out, if so.
    pub stopped: Option<Refusal>,
    /// What the ledger answered last, in this run, instead of taking a statement; none once one was settled since.
    pub answered: Option<AnswerCode>,
    /// What was ignored in this run.
    pub ignored: Ignored,
    /// Size of the largest checkpoint seen.
    pub tree_size: TreeSize,
}
