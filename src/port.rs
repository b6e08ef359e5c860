//! What the core needs from storage, as two small contracts: [`EntryStore`] for the log's bytes and
//! [`Guard`] for the one value that must never fork.
//!
//! Both are deliberately small. Everything else that looks like state (register, feed heads, tree) is a
//! fold over the entries and can be rebuilt from them.

use bytes::Bytes;

use crate::id::{Hash, LeafIndex, LogId, TreeSize};

/// The longest entry, in bytes: tlog-tiles bundles give each a two-byte length.
pub const ENTRY_LEN_MAX: usize = 65_535;

/// What a storage adapter reports. The state of the store after an error is unknown: whoever gets one
/// drops what it holds in memory, opens the store anew and verifies.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The operating system refused an operation.
    #[error("{doing}")]
    Io {
        /// What was being attempted, with the path.
        doing: String,
        /// The system's answer.
        source: std::io::Error,
    },
    /// Bytes on disk are not what was written, before the last whole frame: this needs a mirror.
    #[error("{what} is damaged at byte {offset}: {why}")]
    Damaged {
        /// The file.
        what: String,
        /// Offset of the first bad frame.
        offset: u64,
        /// What did not hold.
        why: String,
    },
    /// The index could not be read or written; it is rebuilt from the value log.
    #[error("index: {0}")]
    Index(String),
    /// Another process has the store open.
    #[error("{0} is in use by another process")]
    Locked(String),
}

/// The append-only sequence of entry bytes.
///
/// * *Ordering*: entries get the indices `len()`, `len() + 1`, ... in the order given.
/// * *Durability*: when [`append`](Self::append) returns `Ok`, all of its entries survive power loss. When
///   it returns an error, any prefix of them may or may not have become durable.
/// * *Idempotence*: none; the caller never repeats an append but reopens and looks.
pub trait EntryStore: Send {
    /// How many entries are durable.
    fn size(&self) -> TreeSize;

    /// Appends entries (each at most [`ENTRY_LEN_MAX`] bytes, leaf hashes beside them) and makes them
    /// durable. If one is too long, nothing is written.
    ///
    /// # Errors
    /// The store is unusable afterwards; see [`StoreError`].
    fn append(&mut self, entries: &[(Bytes, Hash)]) -> Result<(), StoreError>;

    /// Reads up to `count` entries from `start`, in order; fewer only at the end of the log.
    ///
    /// # Errors
    /// An index below `size()` that cannot be read is an error, never an absence.
    fn read(&self, start: LeafIndex, count: usize) -> Result<Vec<Bytes>, StoreError>;
}

/// Small pieces of what was folded from the log, kept beside it.
///
/// A cache: after any restart the chunks may be as they were at some earlier moment, or all gone, but a later
/// put or removal is never there without the earlier ones. Whoever keeps them knows from the log itself what
/// they must say. What was put can be read at once.
pub trait ChunkStore: Send + Sync {
    /// Puts a chunk of at most 4,096 bytes.
    ///
    /// # Errors
    /// If the store cannot be written any more: it is to be opened anew.
    fn put_chunk(&self, namespace: &str, key: &[u8], bytes: Bytes) -> Result<(), StoreError>;

    /// A chunk, or nothing if it was never put, was removed, or was lost.
    ///
    /// # Errors
    /// If the store cannot be read.
    fn chunk(&self, namespace: &str, key: &[u8]) -> Result<Option<Bytes>, StoreError>;

    /// Removes a chunk.
    ///
    /// # Errors
    /// As [`put_chunk`](Self::put_chunk).
    fn delete_chunk(&self, namespace: &str, key: &[u8]) -> Result<(), StoreError>;
}

/// The newest log head that this ledger has promised, kept where the store's fate does not reach.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct GuardValue {
    /// Which log.
    pub log_id: LogId,
    /// Size of the promised head.
    pub size: TreeSize,
    /// Root of the promised head.
    pub root: Hash,
    /// Which run of the ledger wrote it: 32 hexadecimal digits, random at each start.
    pub run_id: String,
}

/// Revision of a guarded value, opaque, for compare-and-swap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GuardRevision(pub u64);

/// What a guard answers besides a success.
#[derive(Debug, thiserror::Error)]
pub enum GuardError {
    /// Somebody else wrote since the revision was read.
    #[error("the guard holds another revision")]
    Conflict,
    /// It is not known whether the write happened: read back before anything else.
    #[error("the guard did not answer: {0}")]
    Unknown(String),
}

/// Compare-and-swap of one [`GuardValue`].
///
/// * *Atomicity*: of two swaps from the same revision at most one succeeds.
/// * *Durability*: as good as its backing; it may lose its newest write, so a guard behind the store is
///   brought up, while a guard ahead of the store halts the ledger.
pub trait Guard: Send {
    /// The value and its revision, or nothing if there never was one (or somebody wiped it).
    ///
    /// # Errors
    /// [`GuardError::Unknown`] if it cannot be reached.
    fn load(&mut self) -> Result<Option<(GuardValue, GuardRevision)>, GuardError>;

    /// Replaces the value at `expected` (`None`: only if there is none) and returns the new revision.
    ///
    /// # Errors
    /// [`GuardError::Conflict`] if the revision moved; [`GuardError::Unknown`] if the outcome is open.
    fn swap(
        &mut self,
        expected: Option<GuardRevision>,
        value: &GuardValue,
    ) -> Result<GuardRevision, GuardError>;
}
