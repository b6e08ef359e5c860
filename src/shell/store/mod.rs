//! The ledger's store: entry bytes in an append-only value log, and beside it an index in sled that can
//! always be rebuilt from it.
//!
//! ```text
//! <folder>/
//!   lock                      held while the store is open
//!   state                     how the last run ended           (state)
//!   values/0000000000.values  entry bytes, synced, then promised (value_log)
//!   values/0000000001.values
//!   index/                    sled: where entries are, hashes of the tree, the ledger's chunks (index)
//! ```
//!
//! sled alone loses acknowledged data in a power cut, whole histories at times and without an error. So
//! nothing in it is ever the only copy, and that it opens proves nothing (`opening`). A commit waits for
//! one write and one `fdatasync` of the value log and for nothing else.
//!
//! Deliberately absent: compaction, deletion, caching of entries, and any opinion on what entries mean.

mod files;
mod index;
mod keys;
mod opening;
mod reader;
mod rows;
mod state;
mod tree;
mod value_log;

#[cfg(test)]
mod tests;

use std::{
    fs::{File, TryLockError},
    path::{Path, PathBuf},
    sync::{Arc, atomic::AtomicU64, atomic::Ordering},
};

use bytes::Bytes;

use self::{
    files::failed,
    index::Index,
    keys::frame::FrameRow,
    opening::Unusable,
    reader::Shared,
    rows::Rows,
    state::{IndexState, State},
    value_log::ValueLog,
};
use crate::{
    id::{Hash, LeafIndex, TreeSize},
    log::hash::leaf_hash,
    port::{EntryStore, StoreError},
};

pub use self::reader::{Reader, ScrubReport};

/// After so many unclean ends in a row the index is rebuilt, whatever it looks like: should something in
/// it kill the process, this ends the loop.
const UNCLEAN_MAX: u32 = 8;
/// The same, if the last of them was while the index was being opened.
const UNCLEAN_OPENING_MAX: u32 = 3;

/// How a store is opened.
#[derive(Clone, Debug)]
pub struct Options {
    /// Length at which the next segment file is begun, in bytes; at most 1 GiB.
    pub segment_len_max: u32,
    /// Memory for sled's cache, in bytes.
    pub cache_len: u64,
    /// Identity of this run of the machine, if it is not the system's own: for tests of power cuts.
    pub boot_id: Option<String>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            segment_len_max: 64 << 20,
            cache_len: 128 << 20,
            boot_id: None,
        }
    }
}

/// A store that is open for appending; there is one at a time for a folder.
pub struct Store {
    log: ValueLog,
    reader: Reader,
    state: State,
    state_path: PathBuf,
    rebuilt: Option<String>,
    /// An append failed: what is on disk is not known.
    broken: bool,
    closed: bool,
    _lock: File,
}

impl Store {
    /// Opens the store in `folder`, or begins one there.
    ///
    /// An unfinished commit at the end of the value log is cut off. The index is used if it can be trusted
    /// and rebuilt if not, which reads the whole log.
    ///
    /// # Errors
    /// [`StoreError::Locked`] if another process has it open; [`StoreError::Damaged`] if the value log is
    /// not what was promised, in which case nothing has been changed.
    pub fn open(folder: &Path, options: &Options) -> Result<Self, StoreError> {
        files::create_folder(folder)?;
        let lock = lock(folder)?;
        let values = folder.join("values");
        files::create_folder(&values)?;
        let index_folder = folder.join("index");
        let state_path = folder.join("state");
        let boot = options.boot_id.clone().unwrap_or_else(files::boot_id);
        let previous = State::load(&state_path);

        // Look before touching: what was promised must be there before anything is cut.
        let promised = previous.as_ref().map_or(0, |state| state.size);
        let log = ValueLog::open(values, options.segment_len_max.min(1 << 30), promised)?;
        let size = log.size();
        let unclean = previous
            .as_ref()
            .filter(|state| state.index != IndexState::Clean)
            .map_or(0, |state| state.unclean);
        // Not the size found, which is durable only once the log is settled.
        let mut state = State {
            boot,
            index: IndexState::Opening,
            size: promised,
            unclean: unclean + 1,
        };
        let mut distrusted = why_not(previous.as_ref(), &state);
        if distrusted.is_some() {
            // It stays so until it is rebuilt.
            state.index = IndexState::Suspect;
        }
        state.save(&state_path)?;

        let mut trusted = None;
        if distrusted.is_none() {
            match open_rows(&index_folder, options, &state, &state_path) {
                Ok(rows) => {
                    if let Ok(Some(head)) = rows.head()
                        && let Err(error) = log.check_promised(head.size)
                    {
                        // Should the index go, this must still be known.
                        state.size = head.size;
                        state.save(&state_path)?;
                        return Err(error);
                    }
                    trusted = Some(rows);
                }
                Err(error) => distrusted = Some(error.to_string()),
            }
        }
        let clean = previous
            .as_ref()
            .is_some_and(|state| state.index == IndexState::Clean);
        log.settle(!clean)?;
        state.size = size;
        let adopted = trusted.and_then(|rows| match opening::adopt(&rows, &log) {
            Ok(edge) => Some(Ok((rows, edge))),
            Err(Unusable::Log(error)) => Some(Err(error)),
            Err(Unusable::Index(why)) => {
                distrusted = Some(why);
                None
            }
        });
        let anew = || {
            if size > 0 {
                let why = distrusted.as_deref().unwrap_or_default();
                tracing::warn!(why, entries = size, "rebuilding the index from the value log");
            }
            state.index = IndexState::Suspect;
            state.unclean = 1;
            state.save(&state_path)?;
            files::remove_folder(&index_folder)?;
            let rows = open_rows(&index_folder, options, &state, &state_path)?;
            let edge = opening::rebuild(&rows, &log)?;
            Ok((rows, edge))
        };
        let (rows, edge) = adopted.unwrap_or_else(anew)?;
        let leaves = opening::unfinished_leaves(&rows, log.segments(), size)?;
        state.index = IndexState::Open;
        state.save(&state_path)?;
        let index = Index::start(rows, edge, leaves)?;
        let shared = Shared {
            segments: Arc::clone(log.segments()),
            index,
            size: AtomicU64::new(size),
        };
        Ok(Self {
            log,
            reader: Reader {
                shared: Arc::new(shared),
            },
            state,
            state_path,
            rebuilt: distrusted.filter(|_| size > 0),
            broken: false,
            closed: false,
            _lock: lock,
        })
    }

    /// Why the index was rebuilt when the store was opened, if it was; all chunks went with it.
    pub fn rebuilt(&self) -> Option<&str> {
        self.rebuilt.as_deref()
    }

    /// A handle for reading, which may outlive the store (and then reads without the index).
    pub fn reader(&self) -> Reader {
        self.reader.clone()
    }

    /// Waits until the index has everything that was appended and put so far.
    ///
    /// # Errors
    /// [`StoreError::Index`] if it failed.
    pub fn drain(&self) -> Result<(), StoreError> {
        self.reader.shared.index.drain()
    }

    /// Closes the store so that the next opening can trust the index, even after the machine stops.
    ///
    /// Dropping a store does the same, but says nothing about errors.
    ///
    /// # Errors
    /// The value log is complete in any case; an error here means that the index may be rebuilt.
    pub fn close(mut self) -> Result<(), StoreError> {
        self.shut()
    }

    fn shut(&mut self) -> Result<(), StoreError> {
        if std::mem::replace(&mut self.closed, true) {
            return Ok(());
        }
        if let Err(error) = self.reader.shared.index.close() {
            self.state.index = IndexState::Suspect;
            self.state.save(&self.state_path)?;
            return Err(error);
        }
        if self.broken {
            return Ok(());
        }
        self.state.index = IndexState::Clean;
        self.state.size = self.log.size();
        self.state.unclean = 0;
        self.state.save(&self.state_path)
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        if let Err(error) = self.shut() {
            tracing::warn!(%error, "the store was not closed cleanly");
        }
    }
}

impl EntryStore for Store {
    fn size(&self) -> TreeSize {
        self.reader.size()
    }

    fn append(&mut self, entries: &[(Bytes, Hash)]) -> Result<(), StoreError> {
        debug_assert!(
            entries.iter().all(|(entry, leaf)| leaf_hash(entry) == *leaf),
            "leaf hashes"
        );
        if self.broken {
            return Err(StoreError::Io {
                doing: "append after an append failed".to_owned(),
                source: std::io::ErrorKind::Other.into(),
            });
        }
        if entries.is_empty() {
            return Ok(());
        }
        let Shared { index, size, .. } = &*self.reader.shared;
        if let Some(why) = index.failure() {
            return Err(StoreError::Index(why.to_owned()));
        }
        index.wait_for_room()?;
        self.broken = true;
        let frames = self.log.append(entries)?;
        self.broken = false;
        let rows: Vec<FrameRow> = frames
            .iter()
            .map(|(place, header)| FrameRow::new(*place, header))
            .collect();
        index.add(&rows, entries.iter().map(|(_, leaf)| *leaf), self.log.last());
        size.store(self.log.size(), Ordering::Release);
        Ok(())
    }

    fn read(&self, start: LeafIndex, count: usize) -> Result<Vec<Bytes>, StoreError> {
        self.reader.read(start, count)
    }
}

/// Takes the lock that keeps two processes from writing one store.
fn lock(folder: &Path) -> Result<File, StoreError> {
    let path = folder.join("lock");
    let file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&path)
        .map_err(failed("open", &path))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(StoreError::Locked(folder.display().to_string())),
        Err(TryLockError::Error(error)) => Err(failed("lock", &path)(error)),
    }
}

/// Why the index must not even be opened.
fn why_not(previous: Option<&State>, now: &State) -> Option<String> {
    let Some(previous) = previous else {
        return Some("there is no state file that says how it was left".to_owned());
    };
    let why = match previous.index {
        IndexState::Open | IndexState::Opening if previous.boot.is_empty() || previous.boot != now.boot => {
            "the machine stopped while it was open"
        }
        IndexState::Open if previous.unclean >= UNCLEAN_MAX => {
            "the store did not end cleanly many times in a row"
        }
        IndexState::Opening if previous.unclean >= UNCLEAN_OPENING_MAX => {
            "the process ended while it was being opened"
        }
        IndexState::Clean | IndexState::Open | IndexState::Opening => return None,
        IndexState::Suspect => "something in it did not hold",
    };
    Some(why.to_owned())
}

fn open_rows(folder: &Path, options: &Options, state: &State, state_path: &Path) -> Result<Rows, StoreError> {
    let suspect = State {
        index: IndexState::Suspect,
        ..state.clone()
    };
    let path = state_path.to_owned();
    let on_failure = move || {
        if let Err(error) = suspect.save(&path) {
            tracing::warn!(%error, "the state file could not be written");
        }
    };
    Rows::open(folder, options.cache_len, Box::new(on_failure))
}
