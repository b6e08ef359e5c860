//! The index: rows in sled that say where things are, every one of them rebuildable from the value log.
//!
//! ```text
//!  append ---> pending rows, recent leaf hashes ---> writer thread ---> sled
//!                          ^                                              ^
//!  readers look here first-+----------------------- and then here --------+
//! ```
//!
//! Rows are written behind the commit by one thread, in batches that sled applies whole or not at all, in
//! the order in which they were given. The thread also folds the leaf hashes into the tree's rows, so that
//! a commit does not wait for that. How far behind it may fall is bounded in bytes.
//!
//! sled may answer with an error or panic; either way the index is done for: the state file says so, and
//! the next opening of the store rebuilds it. Readers of entries and hashes go on from the value log.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread::{self, JoinHandle},
    time::Duration,
};

use bytes::Bytes;

use super::{
    keys::{
        chunk,
        frame::{self, FrameRow},
        head::{self, Head},
        tile::{HALF_U64, TileKey},
    },
    rows::Rows,
    tree::Edge,
    value_log::LastFrame,
};
use crate::{
    id::{Hash, LeafIndex},
    port::StoreError,
};

/// How much may wait to be written, in bytes.
const BACKLOG_LEN_MAX: usize = 8 << 20;
/// How much is worth writing at once, in bytes, and how long to wait for that much.
const GATHER_LEN: usize = 256 << 10;
const GATHER_TIME: Duration = Duration::from_millis(5);

/// What has been given to the index and not yet been written.
struct Pending {
    /// New values, or nothing for rows to be removed, each with the round in which it was given.
    rows: BTreeMap<Vec<u8>, (u64, Option<Bytes>)>,
    /// Bytes in `rows` and in leaves not yet folded.
    len: usize,
    /// Round of the newest row.
    round: u64,
    /// Round up to which everything is in sled.
    written: u64,
    /// Index of the first of `leaves`; everything before it is in sled.
    leaves_from: u64,
    leaves: VecDeque<Hash>,
    /// How far the value log goes, and its last frame.
    size: u64,
    last: Option<LastFrame>,
    /// The tree's edge as far as it has been folded.
    edge: Arc<Edge>,
    closing: bool,
    /// Somebody waits for what is pending to be written.
    hurry: bool,
}

/// What is pending, for the writer and everybody else.
struct Queue {
    pending: Mutex<Pending>,
    /// There is something to write.
    work: Condvar,
    /// Something has been written, or never will be.
    done: Condvar,
}

impl Queue {
    fn lock(&self) -> MutexGuard<'_, Pending> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes what is pending in a round of its own, and wakes the writer if that is worth it.
    fn change(&self, change: impl FnOnce(&mut Pending, u64)) {
        let mut pending = self.lock();
        let idle = pending.written == pending.round;
        pending.round += 1;
        let round = pending.round;
        change(&mut pending, round);
        let wake = idle || pending.len >= GATHER_LEN;
        drop(pending);
        if wake {
            self.work.notify_all();
        }
    }
}

/// The index as readers and the store share it.
pub(super) struct Index {
    rows: Arc<Rows>,
    queue: Arc<Queue>,
    writer: Mutex<Option<JoinHandle<()>>>,
}

impl Index {
    /// Starts the writer over rows that go as far as `edge`.
    pub(super) fn start(rows: Rows, edge: Edge, unfinished_leaves: Vec<Hash>) -> Result<Self, StoreError> {
        let size = edge.size();
        let leaves = VecDeque::from(unfinished_leaves);
        let kept = u64::try_from(leaves.len()).unwrap_or(u64::MAX);
        let pending = Pending {
            rows: BTreeMap::new(),
            len: 0,
            round: 0,
            written: 0,
            leaves_from: size.saturating_sub(kept),
            leaves,
            size,
            last: None,
            edge: Arc::new(edge),
            closing: false,
            hurry: false,
        };
        let rows = Arc::new(rows);
        let queue = Queue {
            pending: Mutex::new(pending),
            work: Condvar::new(),
            done: Condvar::new(),
        };
        let queue = Arc::new(queue);
        let writer = {
            let (rows, queue) = (Arc::clone(&rows), Arc::clone(&queue));
            let builder = thread::Builder::new().name("lotproof-index".to_owned());
            builder.spawn(move || write_behind(&rows, &queue))
        };
        let writer = writer.map_err(|source| StoreError::Io {
            doing: "start the index writer".to_owned(),
            source,
        })?;
        Ok(Self {
            rows,
            queue,
            writer: Mutex::new(Some(writer)),
        })
    }

    fn pending(&self) -> MutexGuard<'_, Pending> {
        self.queue.lock()
    }

    /// Waits until there is room for another commit.
    pub(super) fn wait_for_room(&self) -> Result<(), StoreError> {
        self.wait_while(|pending| pending.len > BACKLOG_LEN_MAX)
    }

    /// Waits until everything given so far is in sled.
    pub(super) fn drain(&self) -> Result<(), StoreError> {
        let round = {
            let mut pending = self.pending();
            pending.hurry = true;
            pending.round
        };
        self.queue.work.notify_all();
        self.wait_while(|pending| pending.written < round)
    }

    fn wait_while(&self, condition: impl Fn(&Pending) -> bool) -> Result<(), StoreError> {
        let mut pending = self.pending();
        while self.rows.failure().is_none() && !pending.closing && condition(&pending) {
            pending = self
                .queue
                .done
                .wait(pending)
                .unwrap_or_else(PoisonError::into_inner);
        }
        drop(pending);
        match self.rows.failure() {
            Some(why) => Err(StoreError::Index(why.to_owned())),
            None => Ok(()),
        }
    }

    /// Takes the rows of a commit that has just become durable.
    pub(super) fn add(
        &self,
        frames: &[FrameRow],
        leaves: impl IntoIterator<Item = Hash>,
        last: Option<LastFrame>,
    ) {
        self.queue.change(|pending, round| {
            for row in frames {
                pending.put(round, row.key(), Some(row.value().into()));
            }
            let before = pending.leaves.len();
            pending.leaves.extend(leaves);
            let added = pending.leaves.len() - before;
            pending.len += added * 32;
            pending.size += u64::try_from(added).unwrap_or(0);
            pending.last = last;
        });
    }

    /// Puts or removes one row.
    fn put(&self, key: Vec<u8>, value: Option<Bytes>) -> Result<(), StoreError> {
        self.wait_for_room()?;
        self.queue.change(|pending, round| pending.put(round, key, value));
        Ok(())
    }

    /// Puts a chunk.
    pub(super) fn put_chunk(&self, namespace: &str, key: &[u8], bytes: Bytes) -> Result<(), StoreError> {
        if bytes.len() > chunk::CHUNK_LEN_MAX {
            let (len, max) = (bytes.len(), chunk::CHUNK_LEN_MAX);
            return Err(StoreError::Index(format!(
                "a chunk in {namespace} has {len} bytes, at most {max}"
            )));
        }
        self.put(chunk::key(namespace, key)?, Some(bytes))
    }

    /// Removes a chunk.
    pub(super) fn delete_chunk(&self, namespace: &str, key: &[u8]) -> Result<(), StoreError> {
        self.put(chunk::key(namespace, key)?, None)
    }

    /// A chunk, if there is one.
    pub(super) fn chunk(&self, namespace: &str, key: &[u8]) -> Result<Option<Bytes>, StoreError> {
        let key = chunk::key(namespace, key)?;
        if let Some((_, value)) = self.pending().rows.get(&key) {
            return Ok(value.clone());
        }
        self.rows.get(&key)
    }

    /// All chunks of a namespace whose keys begin with `prefix`, in key order.
    pub(super) fn scan_chunks(
        &self,
        namespace: &str,
        prefix: &[u8],
    ) -> Result<Vec<(Vec<u8>, Bytes)>, StoreError> {
        let prefix = chunk::key(namespace, prefix)?;
        let newer: Vec<_> = {
            let pending = self.pending();
            let from = pending.rows.range(prefix.clone()..);
            let within = from.take_while(|(key, _)| key.starts_with(&prefix));
            within
                .map(|(key, (_, value))| (key.clone(), value.clone()))
                .collect()
        };
        let mut found = self.rows.scan(&prefix)?;
        for (key, value) in newer {
            match value {
                Some(value) => found.insert(key, value),
                None => found.remove(&key),
            };
        }
        let within =
            |(key, value): (Vec<u8>, Bytes)| Some((chunk::key_within(namespace, &key)?.to_vec(), value));
        Ok(found.into_iter().filter_map(within).collect())
    }

    /// The last frame that begins at or before `index`.
    pub(super) fn frame_at(&self, index: LeafIndex) -> Result<Option<FrameRow>, StoreError> {
        {
            let pending = self.pending();
            let newest = pending.rows.range(frame::up_to(index)).next_back();
            if let Some((key, (_, Some(value)))) = newest {
                return Ok(FrameRow::decode(key, value));
            }
        }
        self.rows.frame_at(index)
    }

    /// As many hashes of a tile level, from position `start` on, as can be had from one place: at least
    /// one if the index has it, at most to the end of half a tile.
    pub(super) fn hashes(&self, level: u8, start: u64, count: usize) -> Result<Vec<Hash>, StoreError> {
        let recent = self.pending().recent(level, start, count);
        if !recent.is_empty() {
            return Ok(recent);
        }
        let half = self
            .rows
            .half(TileKey {
                level,
                half: start / HALF_U64,
            })?
            .unwrap_or_default();
        let skip = usize::try_from(start % HALF_U64).unwrap_or(usize::MAX);
        Ok(half.into_iter().skip(skip).take(count).collect())
    }

    /// What failed, if anything did.
    pub(super) fn failure(&self) -> Option<&str> {
        self.rows.failure()
    }

    /// Declares the index unusable; the next opening rebuilds it.
    pub(super) fn distrust(&self, why: String) -> StoreError {
        let error = self.rows.fail(why);
        self.queue.done.notify_all();
        error
    }

    /// Writes what is pending, closes sled and makes its files durable.
    pub(super) fn close(&self) -> Result<(), StoreError> {
        self.pending().closing = true;
        self.queue.work.notify_all();
        self.queue.done.notify_all();
        let writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner).take();
        if writer.is_some_and(|writer| writer.join().is_err()) {
            self.rows.fail("the index writer panicked".to_owned());
        }
        self.rows.close()
    }
}

impl Pending {
    fn put(&mut self, round: u64, key: Vec<u8>, value: Option<Bytes>) {
        self.len += row_len(&key, value.as_ref());
        let key_len = key.len();
        if let Some((_, old)) = self.rows.insert(key, (round, value)) {
            self.len -= key_len + old.map_or(0, |old| old.len());
        }
    }

    /// Hashes that are in memory.
    fn recent(&self, level: u8, start: u64, count: usize) -> Vec<Hash> {
        if level == 0 {
            let skip = start
                .checked_sub(self.leaves_from)
                .and_then(|skip| usize::try_from(skip).ok());
            let Some(skip) = skip else { return Vec::new() };
            return self.leaves.iter().skip(skip).take(count).copied().collect();
        }
        (start..)
            .map_while(|position| self.edge.get(level, position))
            .take(count)
            .collect()
    }
}

fn row_len(key: &[u8], value: Option<&Bytes>) -> usize {
    key.len() + value.map_or(0, Bytes::len)
}

/// The writer thread: until closed, takes what is pending and puts it into sled.
fn write_behind(rows: &Rows, queue: &Queue) {
    let mut edge = Edge::clone(&queue.lock().edge);
    loop {
        let (round, size, last, given, leaves) = {
            let mut pending = queue.lock();
            while pending.written == pending.round && !pending.closing {
                pending = queue.work.wait(pending).unwrap_or_else(PoisonError::into_inner);
            }
            let more = |pending: &mut Pending| {
                pending.len < GATHER_LEN && !pending.closing && !std::mem::take(&mut pending.hurry)
            };
            let gathered = queue.work.wait_timeout_while(pending, GATHER_TIME, more);
            let (pending, _) = gathered.unwrap_or_else(PoisonError::into_inner);
            if pending.written == pending.round {
                return;
            }
            let given: Vec<_> = pending
                .rows
                .iter()
                .map(|(key, (_, value))| (key.clone(), value.clone()))
                .collect();
            let skip = usize::try_from(edge.size() - pending.leaves_from).unwrap_or(usize::MAX);
            let leaves: Vec<Hash> = pending.leaves.iter().skip(skip).copied().collect();
            (pending.round, pending.size, pending.last, given, leaves)
        };
        let mut batch = sled::Batch::default();
        for (key, value) in given {
            match value {
                Some(value) => batch.insert(key, &*value),
                None => batch.remove(key),
            }
        }
        let folded = leaves.len();
        edge.extend(leaves, |(key, value)| batch.insert(key, value));
        if let Some(last) = last {
            let head = Head {
                size,
                last,
                root: edge.root(),
            };
            batch.insert(&head::KEY, head.encode());
        }
        let applied = rows.apply(batch);
        let mut pending = queue.lock();
        if applied.is_err() {
            // What is pending stays readable; nobody waits for it any longer.
            pending.closing = true;
            drop(pending);
            queue.done.notify_all();
            return;
        }
        let mut freed = folded * 32;
        pending.rows.retain(|key, (given_in, value)| {
            let keep = *given_in > round;
            if !keep {
                freed += row_len(key, value.as_ref());
            }
            keep
        });
        pending.len -= freed.min(pending.len);
        pending.written = round;
        // Leaves of an unfinished half have no row yet.
        let done = edge.size() - edge.size() % HALF_U64;
        let drop_leaves = usize::try_from(done.saturating_sub(pending.leaves_from)).unwrap_or(0);
        pending.leaves.drain(..drop_leaves);
        pending.leaves_from = pending.leaves_from.max(done);
        pending.edge = Arc::new(edge.clone());
        drop(pending);
        queue.done.notify_all();
    }
}

#[cfg(test)]
impl Index {
    /// Puts sled's buffers into its file.
    pub(super) fn flush_for_test(&self) {
        self.rows.with(|db| db.flush()).unwrap();
    }

    /// Removes every second row of a kind from sled.
    pub(super) fn remove_for_test(&self, tag: u8) {
        self.rows
            .with(|db| {
                for key in db.scan_prefix([tag]).keys().step_by(2) {
                    db.remove(key?)?;
                }
                Ok(())
            })
            .unwrap();
    }
}
