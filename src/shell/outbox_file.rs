//! The outbox on disk: an append-only file of batches, durable before anything is promised.
//!
//! ```text
//! outbox        a header, and frames one after the other: see `format`
//! outbox.new    the next generation, while it is being written
//! generation    two slots, written in turn, kept apart from the outbox
//! lock          held for as long as the outbox is open
//! ```
//!
//! * **Durable before promised.** [`append`](OutboxFile::append) returns once the frame is synced. After any
//!   failure the file is unusable until it is opened anew, because nobody knows what a failed sync left.
//! * **Durable before believed.** Opening syncs what it finds: an earlier process may have ended between a
//!   write and its sync, and what is published from such a frame must not be lost afterwards.
//! * **A torn tail is cut.** A frame that is not whole was never promised. If frames are missing that were,
//!   the old file is kept beside as `outbox.damaged` and the outbox counts as restored.
//! * **Restored from a backup?** Every batch is counted, also in `generation`, written after the batch
//!   without being synced (a power cut may set it back, which is harmless; the file itself it never
//!   overtakes). A file of an earlier generation, or that counts fewer batches, is older than what was signed
//!   last; so is one without its `generation`. This finds out nothing if both come from one backup: keep them
//!   on different volumes, or leave `generation` out of backups.
//! * **Compaction** writes what is still of use to a new file, syncs it and renames it over the old one.
//! * **One at a time.** The lock ends with the process, however that ends.

mod format;

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, BufReader, BufWriter, Read, Seek as _, SeekFrom, Write as _},
    path::{Path, PathBuf},
    time::Duration,
};

use bytes::Bytes;

use self::format::{
    BATCH_LEN_MAX, Count, HEADER_LEN, Oversize, SLOT_LEN, SLOT_STRIDE, decode_header, decode_slot,
    encode_header, encode_slot, frame, read_array, read_frame,
};
use crate::{
    bytes::BytesError,
    envelope::Envelope,
    id::{FeedId, FeedSequence},
    outbox::{Continuity, Record, State, StateError},
    shell::durable,
};

/// A compacted file's batches are about this long, in bytes.
const COMPACTED_BATCH_LEN: usize = 1024 * 1024;
/// How often, and how long between, a lock is tried.
const LOCK_ATTEMPTS: u32 = 20;
const LOCK_PAUSE: Duration = Duration::from_millis(10);
/// A file shorter than this is never compacted, in bytes.
const COMPACTION_LEN_MIN: u64 = 16 * 1024 * 1024;

/// Why an outbox cannot be opened, read or written.
#[derive(Debug, thiserror::Error)]
pub enum OutboxFileError {
    /// The operating system refused.
    #[error("{doing} {path}")]
    Io {
        /// What was attempted.
        doing: &'static str,
        /// With which file.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
    /// Another publisher has it open.
    #[error("outbox {0} is in use by another publisher")]
    Locked(PathBuf),
    /// Not an outbox, or one of a later version.
    #[error("{0} is not an outbox of this version")]
    NotAnOutbox(PathBuf),
    /// A whole batch, with the right check sum, holds what this version does not know.
    #[error("outbox {path} at byte {offset}")]
    Record {
        /// The file.
        path: PathBuf,
        /// Where the batch's frame begins.
        offset: u64,
        /// What is wrong.
        source: BytesError,
    },
    /// The records contradict each other.
    #[error("outbox {path} at byte {offset}")]
    State {
        /// The file.
        path: PathBuf,
        /// Where the batch's frame begins.
        offset: u64,
        /// What is wrong.
        source: StateError,
    },
    /// A batch longer than any that is read back.
    #[error("a batch of {0} bytes, at most {BATCH_LEN_MAX} are written")]
    Oversize(usize),
    /// An earlier write failed; what it left is found out by opening anew.
    #[error("an earlier write failed")]
    Unusable,
}

/// An open outbox. Dropping it releases the lock.
#[derive(Debug)]
pub struct OutboxFile {
    path: PathBuf,
    file: File,
    generation_file: File,
    generation: u64,
    batches: u64,
    feed: FeedId,
    len: u64,
    len_compacted: u64,
    is_usable: bool,
    /// The generation file counts further than this file, until the next append.
    is_behind: bool,
    _lock: File,
}

/// What opening found.
#[derive(Debug)]
pub struct OpenedOutbox {
    /// To write to.
    pub file: OutboxFile,
    /// What the records add up to.
    pub state: State,
    /// Whether they are the ones that were written last.
    pub continuity: Continuity,
}

/// No feed yet.
const NO_FEED: FeedId = FeedId::new([0; 32]);

impl From<Oversize> for OutboxFileError {
    fn from(Oversize(len): Oversize) -> Self {
        Self::Oversize(len)
    }
}

impl OutboxFile {
    /// Opens the outbox in `folder`, creating it if there is none, with its generation number in
    /// `generation_path`, which should not be part of the same backup.
    ///
    /// # Errors
    /// [`OutboxFileError`] if it is in use, cannot be read or written, or is not an outbox.
    pub fn open(folder: &Path, generation_path: &Path) -> Result<OpenedOutbox, OutboxFileError> {
        Self::open_watched(folder, generation_path, &mut |_| {})
    }

    /// As [`open`](Self::open), and tells `watch` of every record in the file, in order.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn open_watched(
        folder: &Path,
        generation_path: &Path,
        watch: &mut dyn FnMut(&Record),
    ) -> Result<OpenedOutbox, OutboxFileError> {
        let path = folder.join("outbox");
        if !path.exists() {
            durable::create_folder(folder).map_err(at("creating", folder))?;
        }
        let lock = lock(folder)?;
        let mut generation_file = open_for_writing(generation_path)?;
        let told = read_slots(&mut generation_file).map_err(at("reading", generation_path))?;
        if !path.exists() {
            // Of no later generation and counting from zero, so below whatever was told, until the loss has
            // been written down.
            let generation = told.map_or(1, |told| told.generation);
            NewFile::create(folder, generation, 0)?.finish()?;
        }
        let mut file = open_for_writing(&path)?;
        // An earlier process may have ended between a write or a renaming and its sync. What can be read now must
        // not be lost later, because it is acted on.
        file.sync_all().map_err(at("syncing", &path))?;
        sync_folder_of(&path)?;
        let mut state = State::default();
        let replayed = replay(&path, &file, |_, records| {
            records.iter().try_for_each(|record| {
                watch(record);
                state.apply(record)
            })
        })?;
        let len = file.metadata().map_err(at("reading", &path))?.len();
        let is_behind = match told {
            Some(told) => (replayed.generation, replayed.batches) < (told.generation, told.batches),
            None => replayed.batches > 0,
        };
        let continuity = if is_behind {
            let feed = told.map(|told| told.feed).filter(|feed| *feed != NO_FEED);
            Continuity::Restored { feed }
        } else {
            Continuity::Unbroken
        };
        if replayed.end < len {
            if is_behind {
                let beside = folder.join("outbox.damaged");
                fs::copy(&path, &beside).map_err(at("copying to", &beside))?;
            }
            file.set_len(replayed.end).map_err(at("cutting", &path))?;
            file.sync_all().map_err(at("syncing", &path))?;
        }
        file.seek(SeekFrom::Start(replayed.end))
            .map_err(at("reading", &path))?;
        let mut file = Self {
            path,
            file,
            generation_file,
            generation: replayed.generation,
            batches: replayed.batches,
            feed: state.newest_feed().unwrap_or(NO_FEED),
            len: replayed.end,
            len_compacted: 0,
            is_usable: true,
            is_behind,
            _lock: lock,
        };
        if !is_behind {
            file.tell_anew().map_err(at("writing", generation_path))?;
            sync_folder_of(generation_path)?;
        }
        Ok(OpenedOutbox {
            file,
            state,
            continuity,
        })
    }

    /// Appends records as one batch, which is kept whole or not at all, and makes them durable.
    ///
    /// The first batch after a restored outbox was opened must close its feeds: it brings the generation
    /// number back in step.
    ///
    /// # Errors
    /// [`OutboxFileError`]; afterwards the file must be opened anew.
    pub fn append(&mut self, records: &[Record]) -> Result<(), OutboxFileError> {
        if records.is_empty() {
            return Ok(());
        }
        if !std::mem::replace(&mut self.is_usable, false) {
            return Err(OutboxFileError::Unusable);
        }
        let frame = frame(&Record::encode_all(records))?;
        self.file.write_all(&frame).map_err(at("writing", &self.path))?;
        self.file.sync_data().map_err(at("syncing", &self.path))?;
        self.len += frame.len() as u64;
        self.batches += 1;
        for record in records {
            if let Record::Opened { feed } = record {
                self.feed = *feed;
            }
        }
        let told = if self.is_behind {
            self.tell_anew()
        } else {
            self.tell()
        };
        told.map_err(at("writing the generation of", &self.path))?;
        self.is_behind = false;
        self.is_usable = true;
        Ok(())
    }

    /// Whether at least half of the file may be of no more use.
    pub const fn wants_compaction(&self) -> bool {
        self.len >= COMPACTION_LEN_MIN && self.len / 2 >= self.len_compacted
    }

    /// Writes what `state` (the fold over this very file) retains as a new generation, in place of the old.
    ///
    /// # Errors
    /// [`OutboxFileError`]; afterwards the file must be opened anew. Nothing is lost then.
    pub fn compact(&mut self, state: &State) -> Result<(), OutboxFileError> {
        if !std::mem::replace(&mut self.is_usable, false) {
            return Err(OutboxFileError::Unusable);
        }
        let folder = self.path.parent().unwrap_or(Path::new("."));
        let generation = self.generation + 1;
        let mut writer = NewFile::create(folder, generation, self.batches)?;
        writer.add(state.first_records())?;
        let old = File::open(&self.path).map_err(at("reading", &self.path))?;
        let mut failed = None;
        replay(&self.path, &old, |_, records| {
            let kept: Vec<Record> = records
                .into_iter()
                .filter(|record| state.retains(record))
                .collect();
            if failed.is_none() {
                failed = writer.add(kept).err();
            }
            Ok(())
        })?;
        if let Some(error) = failed {
            return Err(error);
        }
        writer.add(state.last_records())?;
        self.batches = writer.finish()?;
        self.generation = generation;
        self.file = open_for_writing(&self.path)?;
        self.len = self
            .file
            .seek(SeekFrom::End(0))
            .map_err(at("reading", &self.path))?;
        self.len_compacted = self.len;
        self.tell_anew()
            .map_err(at("writing the generation of", &self.path))?;
        self.is_usable = true;
        Ok(())
    }

    /// The envelopes of statements that were signed, in order, as many as the file still has. Reads the whole
    /// file: for the rare ledger that lost entries.
    ///
    /// # Errors
    /// [`OutboxFileError`] if the file cannot be read.
    pub fn load(
        &self,
        feed: FeedId,
        first: FeedSequence,
        last: FeedSequence,
    ) -> Result<Vec<Bytes>, OutboxFileError> {
        let mut found = Vec::new();
        let file = File::open(&self.path).map_err(at("reading", &self.path))?;
        replay(&self.path, &file, |_, records| {
            for record in records {
                if let Record::Signed { envelope, .. } = record
                    && let Ok(decoded) = Envelope::decode(envelope.clone())
                    && decoded.header().feed == feed
                    && (first..=last).contains(&decoded.header().sequence)
                {
                    found.push(envelope);
                }
            }
            Ok(())
        })?;
        Ok(found)
    }

    /// Length of the file in bytes.
    pub const fn len(&self) -> u64 {
        self.len
    }

    /// Whether nothing has been written but the header.
    pub const fn is_empty(&self) -> bool {
        self.len <= HEADER_LEN as u64
    }

    /// How often the outbox has been compacted or created anew; counts from one.
    pub const fn generation(&self) -> u64 {
        self.generation
    }

    fn slot(&self) -> [u8; SLOT_LEN] {
        encode_slot(&Count {
            batches: self.batches,
            generation: self.generation,
            feed: self.feed,
        })
    }

    /// Writes the count into its slot; the other one stays as it is, should this write be torn.
    fn tell(&mut self) -> io::Result<()> {
        let slot = self.slot();
        self.generation_file
            .seek(SeekFrom::Start(self.batches % 2 * SLOT_STRIDE))?;
        self.generation_file.write_all(&slot)
    }

    /// Writes the count into both slots, in one go, and makes it durable.
    fn tell_anew(&mut self) -> io::Result<()> {
        let mut slots = self.slot().to_vec();
        slots.resize(usize::try_from(SLOT_STRIDE).unwrap_or(SLOT_LEN), 0);
        slots.extend(self.slot());
        self.generation_file.seek(SeekFrom::Start(0))?;
        self.generation_file.write_all(&slots)?;
        self.generation_file.sync_all()
    }
}

fn at<'a>(doing: &'static str, path: &'a Path) -> impl Fn(io::Error) -> OutboxFileError + use<'a> {
    move |source| OutboxFileError::Io {
        doing,
        path: path.to_owned(),
        source,
    }
}

fn lock(folder: &Path) -> Result<File, OutboxFileError> {
    let path = folder.join("lock");
    let file = open_for_writing(&path)?;
    for is_last in (0..LOCK_ATTEMPTS).map(|attempt| attempt + 1 == LOCK_ATTEMPTS) {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::WouldBlock) if is_last => break,
            // A process that is just being started by the last owner still holds its files for an instant.
            Err(TryLockError::WouldBlock) => std::thread::sleep(LOCK_PAUSE),
            Err(TryLockError::Error(source)) => return Err(at("locking", &path)(source)),
        }
    }
    Err(OutboxFileError::Locked(folder.to_owned()))
}

/// Opens a file to read and write, creating it if there is none; readable by its owner alone, because what
/// is published may be sealed for others, but is in clear to nobody before.
fn open_for_writing(path: &Path) -> Result<File, OutboxFileError> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).map_err(at("opening", path))
}

/// The slot written last, if there is a whole one.
fn read_slots(file: &mut File) -> io::Result<Option<Count>> {
    let mut bytes = Vec::new();
    file.seek(SeekFrom::Start(0))?;
    file.read_to_end(&mut bytes)?;
    let second = usize::try_from(SLOT_STRIDE).ok().and_then(|at| bytes.get(at..));
    let slots = [Some(bytes.as_slice()), second];
    // Generations first: a file begun anew counts from zero again.
    Ok(slots
        .into_iter()
        .flatten()
        .filter_map(decode_slot)
        .max_by_key(|count| (count.generation, count.batches)))
}

/// What reading a file from its beginning came to.
struct Replayed {
    generation: u64,
    /// Batches counted, those before this file included.
    batches: u64,
    /// Where the last whole frame ends.
    end: u64,
}

/// Reads whole frames from the beginning until one is not.
fn replay(
    path: &Path,
    file: &File,
    mut take: impl FnMut(u64, Vec<Record>) -> Result<(), StateError>,
) -> Result<Replayed, OutboxFileError> {
    let mut reader = BufReader::with_capacity(1 << 16, file);
    let header = read_array(&mut reader).map_err(at("reading", path))?;
    let (generation, before) = header
        .as_ref()
        .and_then(decode_header)
        .ok_or_else(|| OutboxFileError::NotAnOutbox(path.to_owned()))?;
    let mut replayed = Replayed {
        generation,
        batches: before,
        end: HEADER_LEN as u64,
    };
    while let Some(batch) = read_frame(&mut reader).map_err(at("reading", path))? {
        let offset = replayed.end;
        let len = batch.len() as u64;
        let path = || path.to_owned();
        let records = Record::decode_all(&batch).map_err(|source| OutboxFileError::Record {
            path: path(),
            offset,
            source,
        })?;
        take(offset, records).map_err(|source| OutboxFileError::State {
            path: path(),
            offset,
            source,
        })?;
        replayed.batches += 1;
        replayed.end += 8 + len;
    }
    Ok(replayed)
}

/// A generation while it is being written; it takes the old one's place when finished.
struct NewFile {
    beside: PathBuf,
    path: PathBuf,
    writer: BufWriter<File>,
    waiting: Vec<u8>,
    batches: u64,
}

impl NewFile {
    fn create(folder: &Path, generation: u64, before: u64) -> Result<Self, OutboxFileError> {
        let beside = folder.join("outbox.new");
        let file = open_for_writing(&beside)?;
        file.set_len(0).map_err(at("cutting", &beside))?;
        let mut writer = BufWriter::with_capacity(1 << 16, file);
        writer
            .write_all(&encode_header(generation, before))
            .map_err(at("writing", &beside))?;
        Ok(Self {
            path: folder.join("outbox"),
            beside,
            writer,
            waiting: Vec::new(),
            batches: before,
        })
    }

    fn add(&mut self, records: Vec<Record>) -> Result<(), OutboxFileError> {
        for record in records {
            record.encode(&mut self.waiting);
            if self.waiting.len() >= COMPACTED_BATCH_LEN {
                self.flush()?;
            }
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<(), OutboxFileError> {
        if !self.waiting.is_empty() {
            let frame = frame(&self.waiting)?;
            self.writer
                .write_all(&frame)
                .map_err(at("writing", &self.beside))?;
            self.batches += 1;
        }
        self.waiting.clear();
        Ok(())
    }

    /// Makes it durable and puts it in place. Returns how many batches it counts.
    fn finish(mut self) -> Result<u64, OutboxFileError> {
        self.flush()?;
        let file = self
            .writer
            .into_inner()
            .map_err(|error| at("writing", &self.beside)(error.into_error()))?;
        file.sync_all().map_err(at("syncing", &self.beside))?;
        fs::rename(&self.beside, &self.path).map_err(at("renaming", &self.beside))?;
        sync_folder_of(&self.path)?;
        Ok(self.batches)
    }
}

fn sync_folder_of(path: &Path) -> Result<(), OutboxFileError> {
    durable::sync_parent(path).map_err(at("syncing the folder of", path))
}

#[cfg(test)]
mod tests;
