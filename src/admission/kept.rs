//! What was folded, kept beside the log: rows that the state let go of, and snapshots to start from.
//!
//! ```text
//! namespace "rows"       feed[32] | u64 number    ->  checksum[8] | 64 rows            never changes
//! namespace "snapshot"   u8 slot | u32 part       ->  up to 4,096 bytes of a snapshot
//!                        u8 slot                  ->  u8 1 | log id[32] | u64 size | root[32] | u64 len | checksum[32]
//! ```
//!
//! Everything here can be had again from the entries, and nothing is believed because it is there. A snapshot
//! counts if its checksum holds, it is of this log, its frontier has the root that the log itself has at that
//! size, and the entries after it follow from it; else the one before it is tried, then the whole log is folded.
//! There are two slots, written in turn, parts first: a snapshot half written is none, and the other one stands.
//! Rows are put before the snapshot that relies on them, and a [`ChunkStore`] has no later chunk without the
//! earlier ones. A chunk of rows carries log, feed and number in its checksum.

use std::collections::BTreeMap;

use bytes::Bytes;

use super::{FoldError, LedgerState, OlderRows, RowChunk};
use crate::{
    bytes::{BytesError, Reader, Writer},
    id::{FeedId, FeedSequence, Hash, LeafIndex, LogId, TreeSize},
    log::{
        hash::leaf_hash,
        tree::{Frontier, LogHead},
    },
    port::{ChunkStore, StoreError},
};

const ROWS: &str = "rows";
const ROWS_TAG: &[u8] = b"lotproof/kept/rows\0";
const SNAPSHOT: &str = "snapshot";
const SNAPSHOT_TAG: &[u8] = b"lotproof/kept/snapshot\0";
const VERSION: u8 = 1;
const CHECKSUM_LEN: usize = 8;
/// Bytes of a snapshot in one chunk.
const PART_LEN: usize = 4_096;
/// Bytes of a manifest before its checksum.
const MANIFEST_LEN: usize = 1 + 32 + 8 + 32 + 8;
/// Entries whose rows stay in memory: what is resent is mostly that recent.
pub const WINDOW: u64 = 1 << 18;
/// Fewest entries between two snapshots.
const INTERVAL_MIN: u64 = 1 << 16;
/// Bytes of snapshots written for each entry, at most and on average, once they are large.
const SNAPSHOT_LEN_PER_ENTRY: u64 = 16;
/// Entries folded between two looks at what can be let go.
const FOLD_STEP: u64 = 1 << 14;

/// Why something kept is not there.
#[derive(Debug, thiserror::Error)]
pub enum KeptError {
    /// The store could not be asked.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A chunk of rows that was put is gone, or not what was put.
    #[error("the rows of feed {feed} from sequence {} on are lost", number * super::CHUNK_ROWS as u64 + 1)]
    Rows {
        /// The feed.
        feed: FeedId,
        /// The chunk's number.
        number: u64,
    },
    /// An entry does not follow.
    #[error("entry {index} does not follow the ones before")]
    Fold {
        /// Which.
        index: LeafIndex,
        /// Why.
        #[source]
        error: FoldError,
    },
}

/// Rows and snapshots of one log in a store of chunks.
#[derive(Debug)]
pub struct Kept<S> {
    store: S,
    log_id: LogId,
    /// The slot to write next.
    slot: u8,
    /// Size from which on the next snapshot is due.
    due: u64,
}

/// What a slot's manifest says.
struct Manifest {
    head: LogHead,
    len: u64,
    checksum: [u8; 32],
}

impl<S: ChunkStore> Kept<S> {
    /// What `store` keeps of a log.
    pub const fn new(store: S, log_id: LogId) -> Self {
        Self {
            store,
            log_id,
            slot: 0,
            due: INTERVAL_MIN,
        }
    }

    // ---- Rows ----

    fn rows_checksum(&self, key: &[u8], rows: &[u8]) -> Hash {
        Hash::of(&[ROWS_TAG, self.log_id.as_bytes(), key, rows])
    }

    /// Puts chunks of rows; they can be looked up at once.
    ///
    /// # Errors
    /// If the store fails.
    pub fn keep_rows(&self, chunks: &[RowChunk]) -> Result<(), StoreError> {
        for chunk in chunks {
            let key = row_key(chunk.feed, chunk.number);
            let rows = chunk.encode();
            let checksum = self.rows_checksum(&key, &rows);
            let (checksum, _) = checksum.as_bytes().split_at(CHECKSUM_LEN);
            self.store
                .put_chunk(ROWS, &key, [checksum, &rows].concat().into())?;
        }
        Ok(())
    }

    /// Looks rows up that the state let go of.
    ///
    /// # Errors
    /// If one is lost: whatever holds the state has to be started anew.
    pub fn rows(
        &self,
        wanted: impl IntoIterator<Item = (FeedId, FeedSequence)>,
    ) -> Result<OlderRows, KeptError> {
        let mut by_chunk: BTreeMap<(FeedId, u64), Vec<FeedSequence>> = BTreeMap::new();
        for (feed, sequence) in wanted {
            let chunk = (feed, RowChunk::number_of(sequence));
            by_chunk.entry(chunk).or_default().push(sequence);
        }
        let mut found = OlderRows::default();
        for ((feed, number), sequences) in by_chunk {
            let chunk = self.row_chunk(feed, number)?;
            for sequence in sequences {
                let row = chunk.row(sequence).ok_or(KeptError::Rows { feed, number })?;
                found.insert(feed, sequence, *row);
            }
        }
        Ok(found)
    }

    fn row_chunk(&self, feed: FeedId, number: u64) -> Result<RowChunk, KeptError> {
        let key = row_key(feed, number);
        let bytes = self.store.chunk(ROWS, &key)?;
        let chunk = bytes.and_then(|bytes| {
            let mut from = Reader::new(&bytes);
            let checksum = from.raw(CHECKSUM_LEN, "checksum").ok()?;
            let rows = from.rest();
            let holds = self.rows_checksum(&key, rows).as_bytes().starts_with(checksum);
            holds.then(|| RowChunk::decode(feed, number, rows).ok()).flatten()
        });
        chunk.ok_or(KeptError::Rows { feed, number })
    }

    /// Keeps the full chunks of a state's rows and lets go of those that are not recent.
    ///
    /// # Errors
    /// If the store fails; the state is as before.
    pub fn let_go(&self, state: &mut LedgerState) -> Result<(), StoreError> {
        let chunks = state.full_chunks();
        self.keep_rows(&chunks)?;
        state.let_go(chunks.len(), recent(state.size()));
        Ok(())
    }

    // ---- Snapshots ----

    /// Whether a snapshot of a log of this size is worth writing.
    pub fn snapshot_is_due(&self, size: TreeSize) -> bool {
        size.get() >= self.due
    }

    /// Encodes a snapshot for [`keep_snapshot`](Self::keep_snapshot). All full chunks of the state's rows must
    /// have been kept.
    ///
    /// # Panics
    /// If they have not, or the frontier is of another size.
    pub fn snapshot(state: &LedgerState, frontier: &Frontier) -> (LogHead, Vec<u8>) {
        assert!(
            state.full_chunks().is_empty(),
            "rows are kept before a snapshot relies on them"
        );
        assert_eq!(state.size(), frontier.size(), "state and tree are of one prefix");
        (frontier.head(), state.encode(frontier))
    }

    /// Puts a snapshot into the slot of the older one.
    ///
    /// # Errors
    /// If the store fails.
    pub fn keep_snapshot(&mut self, head: LogHead, content: &[u8]) -> Result<(), StoreError> {
        let slot = self.slot;
        let parts_before = self
            .store
            .chunk(SNAPSHOT, &[slot])?
            .and_then(|bytes| self.manifest(&bytes))
            .map_or(0, |manifest| parts_of(manifest.len));
        self.store.delete_chunk(SNAPSHOT, &[slot])?;
        let len = content.len() as u64;
        for (number, part) in (0_u32..).zip(content.chunks(PART_LEN)) {
            let key = part_key(slot, number);
            self.store
                .put_chunk(SNAPSHOT, &key, Bytes::copy_from_slice(part))?;
        }
        for number in parts_of(len)..parts_before {
            self.store.delete_chunk(SNAPSHOT, &part_key(slot, number))?;
        }
        let mut manifest = Writer::with_capacity(MANIFEST_LEN + 32);
        manifest.u8(VERSION);
        manifest.raw(self.log_id.as_bytes());
        manifest.u64(head.size.get());
        manifest.raw(head.root.as_bytes());
        manifest.u64(len);
        let checksum = Hash::of(&[SNAPSHOT_TAG, manifest.as_slice(), content]);
        manifest.raw(checksum.as_bytes());
        self.store
            .put_chunk(SNAPSHOT, &[slot], manifest.into_vec().into())?;
        self.written(slot, head.size, len);
        Ok(())
    }

    fn written(&mut self, slot: u8, size: TreeSize, len: u64) {
        self.slot = 1 - slot;
        let interval = INTERVAL_MIN.max(len / SNAPSHOT_LEN_PER_ENTRY);
        self.due = size.get().saturating_add(interval);
    }

    /// What a manifest says, if it is one of this version and log.
    fn manifest(&self, bytes: &[u8]) -> Option<Manifest> {
        let read = Reader::whole(bytes, "manifest", |from| {
            from.literal(&[VERSION], "version")?;
            from.literal(self.log_id.as_bytes(), "log id")?;
            Ok::<_, BytesError>(Manifest {
                head: LogHead {
                    size: TreeSize::new(from.u64("size")?),
                    root: from.hash("root")?,
                },
                len: from.u64("length")?,
                checksum: from.array("checksum")?,
            })
        });
        read.ok()
    }

    /// The newest snapshot that the log bears out, for the state of the log's genesis; `root_at` gives the
    /// log's own root at a size that it has had.
    ///
    /// # Errors
    /// What `root_at` returns, or if the store fails.
    pub fn newest_snapshot<E: From<StoreError>>(
        &mut self,
        genesis: &LedgerState,
        mut root_at: impl FnMut(TreeSize) -> Result<Option<Hash>, E>,
    ) -> Result<Option<(LedgerState, Frontier)>, E> {
        let mut slots = Vec::new();
        for slot in [0, 1] {
            let manifest = self.store.chunk(SNAPSHOT, &[slot])?;
            if let Some((bytes, manifest)) = manifest.and_then(|bytes| {
                let manifest = self.manifest(&bytes)?;
                Some((bytes, manifest))
            }) {
                slots.push((slot, bytes, manifest));
            }
        }
        slots.sort_by_key(|(_, _, manifest)| std::cmp::Reverse(manifest.head.size));
        for (slot, bytes, manifest) in slots {
            if root_at(manifest.head.size)? != Some(manifest.head.root) {
                continue;
            }
            let Some(content) = self.content(slot, &bytes, &manifest)? else {
                continue;
            };
            let Ok((state, frontier)) = genesis.decode(&content) else {
                continue;
            };
            if frontier.head() == manifest.head {
                self.written(slot, manifest.head.size, manifest.len);
                return Ok(Some((state, frontier)));
            }
        }
        Ok(None)
    }

    /// A slot's snapshot, if its parts are those that the manifest is about.
    fn content(&self, slot: u8, bytes: &[u8], manifest: &Manifest) -> Result<Option<Vec<u8>>, StoreError> {
        let mut content = Vec::new();
        for number in 0..parts_of(manifest.len) {
            match self.store.chunk(SNAPSHOT, &part_key(slot, number))? {
                Some(part) => content.extend_from_slice(&part),
                None => return Ok(None),
            }
        }
        let (said, _) = bytes.split_at(MANIFEST_LEN.min(bytes.len()));
        let checksum = Hash::of(&[SNAPSHOT_TAG, said, &content]);
        let holds = content.len() as u64 == manifest.len && *checksum.as_bytes() == manifest.checksum;
        Ok(holds.then_some(content))
    }

    /// Forgets the snapshots: what follows in the log did not follow from the newest.
    ///
    /// # Errors
    /// If the store fails.
    pub fn forget_snapshots(&mut self) -> Result<(), StoreError> {
        for slot in [0, 1] {
            self.store.delete_chunk(SNAPSHOT, &[slot])?;
        }
        self.due = INTERVAL_MIN;
        Ok(())
    }
}

/// Entries before this one are not recent in a log of `size`.
pub fn recent(size: TreeSize) -> LeafIndex {
    LeafIndex::new(size.get().saturating_sub(WINDOW))
}

fn row_key(feed: FeedId, number: u64) -> Vec<u8> {
    [feed.as_bytes().as_slice(), &number.to_be_bytes()].concat()
}

fn part_key(slot: u8, number: u32) -> [u8; 5] {
    let [a, b, c, d] = number.to_be_bytes();
    [slot, a, b, c, d]
}

fn parts_of(len: u64) -> u32 {
    u32::try_from(len.div_ceil(PART_LEN as u64)).unwrap_or(u32::MAX)
}

/// Folds entries one after the other, with no more rows in memory than are recent.
#[derive(Debug)]
pub struct Folding<'a, S> {
    kept: &'a Kept<S>,
    state: LedgerState,
    frontier: Frontier,
}

impl<'a, S: ChunkStore> Folding<'a, S> {
    /// Goes on from a state and a frontier of the same size.
    pub const fn new(kept: &'a Kept<S>, state: LedgerState, frontier: Frontier) -> Self {
        Self {
            kept,
            state,
            frontier,
        }
    }

    /// Takes the next entry.
    ///
    /// # Errors
    /// [`KeptError`].
    pub fn take(&mut self, entry: &Bytes) -> Result<(), KeptError> {
        let older = match self.state.older_row_for_entry(entry) {
            Some(row) => self.kept.rows([row])?,
            None => OlderRows::NONE,
        };
        let index = self.state.size().next_index();
        let taken = self.state.take_entry_with(entry, &older);
        taken.map_err(|error| KeptError::Fold { index, error })?;
        self.frontier.push(leaf_hash(entry));
        if self.state.size().get().is_multiple_of(FOLD_STEP) {
            self.kept.let_go(&mut self.state)?;
        }
        Ok(())
    }

    /// What was folded.
    ///
    /// # Errors
    /// If the store fails.
    pub fn finish(mut self) -> Result<(LedgerState, Frontier), KeptError> {
        self.kept.let_go(&mut self.state)?;
        Ok((self.state, self.frontier))
    }
}

#[cfg(test)]
mod tests;
