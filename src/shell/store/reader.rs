//! Reading: entries by index, hashes of subtrees, replay and scrub. Any number of readers, beside the
//! writer.

use std::{
    ops::Range,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use bytes::Bytes;

use super::{
    index::Index,
    opening::entries_of,
    tree::{LEVELS, TILE_U64},
    value_log::{
        cursor::{Frame, Frames},
        frame,
        segment::Segments,
    },
};
use crate::{
    id::{Hash, LeafIndex, TreeSize},
    log::{
        hash::{leaf_hash, row_root},
        proof::{HashReader, ProveError, root_at},
    },
    port::{ChunkStore, StoreError},
};

/// The most that is read from a file at a time, in bytes, unless a single frame is longer.
const READ_AHEAD: usize = 1 << 20;

/// What a store's readers share.
pub(super) struct Shared {
    pub(super) segments: Arc<Segments>,
    pub(super) index: Index,
    pub(super) size: AtomicU64,
}

/// A cheap handle that reads what the store has made durable, from any thread.
///
/// The index only makes it fast: what it cannot answer is read from the value log itself.
#[derive(Clone)]
pub struct Reader {
    pub(super) shared: Arc<Shared>,
}

impl ChunkStore for Reader {
    fn put_chunk(&self, namespace: &str, key: &[u8], bytes: Bytes) -> Result<(), StoreError> {
        self.put_chunk(namespace, key, bytes)
    }

    fn chunk(&self, namespace: &str, key: &[u8]) -> Result<Option<Bytes>, StoreError> {
        self.chunk(namespace, key)
    }

    fn delete_chunk(&self, namespace: &str, key: &[u8]) -> Result<(), StoreError> {
        self.delete_chunk(namespace, key)
    }
}

/// What is missing below the size is an error of the index, never an absence.
impl HashReader for Reader {
    type Error = StoreError;

    fn subtree(&self, level: u8, index: u64) -> Result<Hash, StoreError> {
        self.subtree_within(level, index)?
            .ok_or_else(|| StoreError::Index(format!("no subtree at level {level}, index {index}")))
    }
}

/// What [`Reader::scrub`] found.
#[derive(Debug, Default)]
pub struct ScrubReport {
    /// Entries read back and found to have the leaf hash that is on record.
    pub sound: u64,
    /// What did not hold, each with its place.
    pub damage: Vec<StoreError>,
}

impl Reader {
    /// How many entries are durable.
    pub fn size(&self) -> TreeSize {
        TreeSize::new(self.shared.size.load(Ordering::Acquire))
    }

    /// Reads up to `count` entries from `start`, in order; fewer only at the end of the log.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] or [`StoreError::Io`] if an entry below [`size`](Self::size) cannot be read.
    pub fn read(&self, start: LeafIndex, count: usize) -> Result<Vec<Bytes>, StoreError> {
        let end = self.size().get().min(
            start
                .get()
                .saturating_add(u64::try_from(count).unwrap_or(u64::MAX)),
        );
        let mut found = Vec::new();
        self.each_frame(start, end, |_, mut entries| {
            found.append(&mut entries);
            Ok(())
        })?;
        Ok(found)
    }

    /// Hands all entries from `from` on, up to the size at the time of the call, to `each`: in order, some
    /// at a time, with the index of the first of them. Memory stays bounded by the longest frame.
    ///
    /// # Errors
    /// What `each` returns, or what made an entry unreadable.
    pub fn replay<E: From<StoreError>>(
        &self,
        from: LeafIndex,
        mut each: impl FnMut(LeafIndex, &[Bytes]) -> Result<(), E>,
    ) -> Result<(), E> {
        self.each_frame(from, self.size().get(), |first, entries| each(first, &entries))
    }

    /// Entries `start` to `end - 1`, frame by frame.
    fn each_frame<E: From<StoreError>>(
        &self,
        start: LeafIndex,
        end: u64,
        mut each: impl FnMut(LeafIndex, Vec<Bytes>) -> Result<(), E>,
    ) -> Result<(), E> {
        if start.get() >= end {
            return Ok(());
        }
        let (mut frames, first) = self.frames_from(start, end)?;
        let mut next = Some(first);
        while let Some(Frame { place, header, body }) = next {
            let mut entries = entries_of(&self.shared.segments, place, &header, &body)?;
            let after = header.end().saturating_sub(end);
            entries.truncate(
                entries
                    .len()
                    .saturating_sub(usize::try_from(after).unwrap_or(usize::MAX)),
            );
            let before = start.get().saturating_sub(header.first.get());
            entries.drain(..entries.len().min(usize::try_from(before).unwrap_or(usize::MAX)));
            each(header.first.max(start), entries)?;
            next = frames.next()?;
        }
        Ok(())
    }

    /// The frame that holds `start`, and those after it up to `end`.
    fn frames_from(&self, start: LeafIndex, end: u64) -> Result<(Frames<'_>, Frame), StoreError> {
        let Shared { segments, index, .. } = &*self.shared;
        match index.frame_at(start) {
            Ok(Some(row)) if row.holds(start) => {
                let frame_len = usize::try_from(row.body_len).unwrap_or(READ_AHEAD) + frame::HEADER_LEN;
                let entries = usize::try_from(end - start.get()).unwrap_or(usize::MAX);
                let guess = (frame_len / usize::from(row.count).max(1)).saturating_mul(entries);
                let read_ahead = guess.clamp(frame_len, frame_len.max(READ_AHEAD));
                let found = Frames::new(segments, row.place, row.first, end, read_ahead)
                    .and_then(|mut frames| Ok((frames.next()?, frames)));
                if let Ok((Some(frame), frames)) = found {
                    return Ok((frames, frame));
                }
                // The row or the log is wrong; the log itself tells which.
                let found = self.search(start, end)?;
                index.distrust(format!("the frame row of entry {start} names another place"));
                Ok(found)
            }
            Ok(_) => {
                index.distrust(format!("the frame row of entry {start} is missing"));
                self.search(start, end)
            }
            Err(_) => self.search(start, end),
        }
    }

    /// Finds the frame that holds `start` without the index.
    fn search(&self, start: LeafIndex, end: u64) -> Result<(Frames<'_>, Frame), StoreError> {
        let segments = &self.shared.segments;
        let mut frames = Frames::from_segment_of(segments, start, end, READ_AHEAD)?;
        while let Some(frame) = frames.next()? {
            if start.get() < frame.header.end() {
                return Ok((frames, frame));
            }
        }
        Err(segments.damaged(0, 0, format!("entry {start} is in no frame")))
    }

    /// Leaf hash of an entry, or nothing at or beyond the end.
    ///
    /// # Errors
    /// As for [`hashes`](Self::hashes).
    pub fn leaf_hash(&self, index: LeafIndex) -> Result<Option<Hash>, StoreError> {
        self.subtree_within(0, index.get())
    }

    /// Root of the complete subtree `index` of `level`. Nothing if the log does not reach so far.
    fn subtree_within(&self, level: u8, index: u64) -> Result<Option<Hash>, StoreError> {
        let end = index
            .checked_add(1)
            .and_then(|end| end.checked_mul(1_u64.checked_shl(level.into())?));
        if end.is_none_or(|end| end > self.size().get()) {
            return Ok(None);
        }
        let count = 1_usize << (level % 8);
        let hashes = self.hashes(level / 8, index << (level % 8), count)?;
        Ok(row_root(&hashes).filter(|_| hashes.len() == count))
    }

    /// Up to `count` hashes of a tile level (of tlog-tiles: level `l` has one hash for each complete
    /// subtree over 256^l entries), from position `start` on; fewer only at the end of the log.
    ///
    /// # Errors
    /// If an entry that it takes to compute what the index does not have cannot be read.
    pub fn hashes(&self, tile_level: u8, start: u64, count: usize) -> Result<Vec<Hash>, StoreError> {
        let size = self.size().get();
        if tile_level >= LEVELS {
            return Ok(Vec::new());
        }
        let complete = size >> (8 * u32::from(tile_level));
        let wanted = usize::try_from(complete.saturating_sub(start))
            .unwrap_or(usize::MAX)
            .min(count);
        let mut found = Vec::with_capacity(wanted);
        while found.len() < wanted {
            let position = start + u64::try_from(found.len()).unwrap_or(u64::MAX);
            let known = self
                .shared
                .index
                .hashes(tile_level, position, wanted - found.len());
            match known {
                Ok(mut hashes) if !hashes.is_empty() => found.append(&mut hashes),
                Ok(_) | Err(_) if tile_level > 0 => {
                    let below = self.hashes(tile_level - 1, position * TILE_U64, 256)?;
                    let root = row_root(&below).filter(|_| below.len() == 256);
                    let missing =
                        || StoreError::Index(format!("no hash {position} at tile level {tile_level}"));
                    found.push(root.ok_or_else(missing)?);
                }
                Ok(_) | Err(_) => {
                    if known.is_ok() {
                        self.shared
                            .index
                            .distrust(format!("the leaf hash of entry {position} is missing"));
                    }
                    let entries = self.read(LeafIndex::new(position), (wanted - found.len()).min(256))?;
                    found.extend(entries.iter().map(|entry| leaf_hash(entry)));
                }
            }
        }
        Ok(found)
    }

    /// Root of the log when it had `size` entries, or nothing if it never had so many.
    ///
    /// # Errors
    /// As for [`hashes`](Self::hashes).
    pub fn root(&self, size: TreeSize) -> Result<Option<Hash>, StoreError> {
        if size > self.size() {
            return Ok(None);
        }
        match root_at(size, self) {
            Ok(root) => Ok(Some(root)),
            Err(ProveError::Read(error)) => Err(error),
            // No store has so many.
            Err(
                ProveError::SizeTooLarge { .. }
                | ProveError::IndexOutOfRange { .. }
                | ProveError::Shrunk { .. },
            ) => Ok(None),
        }
    }

    /// Reads the entries of `range` again and compares each with the leaf hash on record.
    ///
    /// Nothing is changed; what it finds needs a mirror (value log) or a rebuild (index).
    ///
    /// # Errors
    /// Only if the system does not let it read; damage is part of the report.
    pub fn scrub(&self, range: Range<u64>) -> Result<ScrubReport, StoreError> {
        let mut report = ScrubReport::default();
        let end = range.end.min(self.size().get());
        let mut position = range.start;
        while position < end {
            let bundle_end = (position - position % TILE_U64 + TILE_U64).min(end);
            let count = usize::try_from(bundle_end - position).unwrap_or(usize::MAX);
            let from = LeafIndex::new(position);
            match self.read(from, count) {
                Ok(entries) => {
                    let hashes = self.hashes(0, position, count)?;
                    for ((index, entry), hash) in (position..).zip(&entries).zip(hashes) {
                        if leaf_hash(entry) == hash {
                            report.sound += 1;
                        } else {
                            let what = format!("entry {index} or its leaf hash");
                            let why = "they do not agree".to_owned();
                            report.damage.push(StoreError::Damaged { what, offset: 0, why });
                        }
                    }
                }
                Err(error @ StoreError::Io { .. }) => return Err(error),
                Err(error @ (StoreError::Damaged { .. } | StoreError::Index(_) | StoreError::Locked(_))) => {
                    report.damage.push(error);
                }
            }
            position = bundle_end;
        }
        Ok(report)
    }

    /// Puts a chunk of the ledger's folded state (at most 4,096 bytes); readable at once, written behind.
    ///
    /// Chunks are a cache: after any restart they may be as they were at some earlier moment, or all gone
    /// (see [`Store::rebuilt`](super::Store::rebuilt)), but never is a later put there without the earlier
    /// ones. Whoever keeps them knows from the log itself what they must say.
    ///
    /// # Errors
    /// [`StoreError::Index`] if the chunk is too long or the index has failed.
    pub fn put_chunk(&self, namespace: &str, key: &[u8], bytes: Bytes) -> Result<(), StoreError> {
        self.shared.index.put_chunk(namespace, key, bytes)
    }

    /// A chunk, or nothing if it was never put, was removed, or went with the index.
    ///
    /// # Errors
    /// [`StoreError::Index`] if the index has failed: open the store anew.
    pub fn chunk(&self, namespace: &str, key: &[u8]) -> Result<Option<Bytes>, StoreError> {
        self.shared.index.chunk(namespace, key)
    }

    /// All chunks of a namespace whose keys begin with `prefix`, in key order, in memory at once.
    ///
    /// # Errors
    /// [`StoreError::Index`] if the index has failed: open the store anew.
    pub fn scan_chunks(&self, namespace: &str, prefix: &[u8]) -> Result<Vec<(Vec<u8>, Bytes)>, StoreError> {
        self.shared.index.scan_chunks(namespace, prefix)
    }

    /// Removes a chunk.
    ///
    /// # Errors
    /// [`StoreError::Index`] if the index has failed: open the store anew.
    pub fn delete_chunk(&self, namespace: &str, key: &[u8]) -> Result<(), StoreError> {
        self.shared.index.delete_chunk(namespace, key)
    }

    /// Declares the index wrong, for a caller whose chunks do not agree with the log: the next opening
    /// rebuilds it, without chunks. Until then chunks cannot be read and the store takes no appends.
    pub fn distrust_index(&self, why: &str) {
        self.shared.index.distrust(why.to_owned());
    }
}
