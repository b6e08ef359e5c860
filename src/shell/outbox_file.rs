//! The outbox's file: what a publisher signed, durable before it is first published.
//!
//! ```text
//! folder/outbox       "LPOB" u8 version = 1, u64be generation, then batches
//! batch               u32be length | u32be CRC-32 of the records | records (outbox::Record)
//! folder/generation   the generation in decimal, kept apart: an older `outbox` put back does not match it
//! folder/lock         held by the one running publisher
//! ```
//!
//! A batch is one write and one `fdatasync`, then the promise. A torn last batch is cut off at opening. The
//! generation is raised, in both places, at every opening: first in `generation`, then in the file.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read as _, Seek as _, SeekFrom, Write as _},
    path::{Path, PathBuf},
};

use bytes::Bytes;

use super::durable;
use crate::{
    envelope::Envelope,
    id::{FeedId, FeedSequence},
    outbox::{Continuity, Record, State},
};

const MAGIC: &[u8; 5] = b"LPOB\x01";
const HEADER_LEN: usize = MAGIC.len() + 8;
/// Longest batch that is read back, in bytes.
const BATCH_LEN_MAX: usize = 256 << 20;

/// An open outbox.
#[derive(Debug)]
pub struct OutboxFile {
    file: File,
    _lock: File,
}

/// What opening found.
#[derive(Debug)]
pub struct Opened {
    /// The file, for appending.
    pub file: OutboxFile,
    /// Everything it says.
    pub state: State,
    /// Whether it is the one that was written last.
    pub continuity: Continuity,
}

fn invalid(path: &Path, why: impl std::fmt::Display) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("{}: {why}", path.display()))
}

impl OutboxFile {
    /// Opens the outbox in `folder`, or begins one there.
    ///
    /// # Errors
    /// If another publisher has it open, or it cannot be read or written.
    pub fn open(folder: &Path) -> io::Result<Opened> {
        fs::create_dir_all(folder)?;
        let lock = File::create(folder.join("lock"))?;
        lock.try_lock().map_err(|_| {
            io::Error::new(
                io::ErrorKind::WouldBlock,
                format!("{} is in use by another publisher", folder.display()),
            )
        })?;
        let (path, generation_path): (PathBuf, PathBuf) = (folder.join("outbox"), folder.join("generation"));
        let kept: Option<u64> = match durable::read(&generation_path)? {
            None => None,
            Some(text) => Some(
                std::str::from_utf8(&text)
                    .ok()
                    .and_then(|text| text.trim().parse().ok())
                    .ok_or_else(|| invalid(&generation_path, "not a number"))?,
            ),
        };
        let written = durable::read(&path)?;
        let (generation, state) = match &written {
            None => (None, State::default()),
            Some(bytes) => {
                let (generation, state) = read(&path, bytes)?;
                (Some(generation), state)
            }
        };
        // A crash between the two writes below leaves the file one behind, which is no older copy's doing:
        // nothing was signed in between.
        let unbroken = match (kept, generation) {
            (None, None) => true,
            (Some(kept), Some(generation)) => generation == kept || generation + 1 == kept,
            _ => false,
        };
        let continuity = if unbroken {
            Continuity::Unbroken
        } else {
            Continuity::Restored {
                feed: state.newest_feed(),
            }
        };
        let next = kept.max(generation).unwrap_or_default() + 1;
        durable::write(&generation_path, next.to_string().as_bytes())?;
        let mut image = Vec::with_capacity(HEADER_LEN);
        image.extend_from_slice(MAGIC);
        image.extend_from_slice(&next.to_be_bytes());
        if let Some(bytes) = &written {
            image.extend_from_slice(bytes.get(HEADER_LEN..whole_len(bytes)).unwrap_or_default());
        }
        durable::write(&path, &image)?;
        let mut file = OpenOptions::new().read(true).write(true).open(&path)?;
        file.seek(SeekFrom::End(0))?;
        Ok(Opened {
            file: Self { file, _lock: lock },
            state,
            continuity,
        })
    }

    /// Appends records as one batch and makes them durable.
    ///
    /// # Errors
    /// It is not known then what is on disk: the publisher starts again from the file.
    pub fn append(&mut self, records: &[Record]) -> io::Result<()> {
        if records.is_empty() {
            return Ok(());
        }
        let content = Record::encode_all(records);
        let len = u32::try_from(content.len()).map_err(|_| io::Error::other("a batch of 4 GiB"))?;
        let mut batch = Vec::with_capacity(content.len() + 8);
        batch.extend_from_slice(&len.to_be_bytes());
        batch.extend_from_slice(&crc32fast::hash(&content).to_be_bytes());
        batch.extend_from_slice(&content);
        self.file.write_all(&batch)?;
        self.file.sync_data()
    }
}

impl OutboxFile {
    /// Reads signed envelopes back, as [`Action::Load`](crate::outbox::Action::Load) asks.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub fn load(&mut self, feed: FeedId, first: FeedSequence, last: FeedSequence) -> io::Result<Vec<Bytes>> {
        self.file.seek(SeekFrom::Start(0))?;
        let mut bytes = Vec::new();
        self.file.read_to_end(&mut bytes)?;
        let mut found = Vec::new();
        for batch in batches(&bytes) {
            let records = Record::decode_all(&Bytes::copy_from_slice(batch));
            for record in records.map_err(|error| io::Error::other(error.to_string()))? {
                let Record::Signed { envelope, .. } = record else {
                    continue;
                };
                let header = Envelope::decode(envelope.clone()).map(|envelope| envelope.header().clone());
                if header.is_ok_and(|header| header.feed == feed && (first..=last).contains(&header.sequence))
                {
                    found.push(envelope);
                }
            }
        }
        Ok(found)
    }
}

/// Batches as they follow each other, up to the first that is not whole.
fn batches(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = bytes.get(HEADER_LEN..).unwrap_or_default();
    std::iter::from_fn(move || {
        let mut header = [0; 8];
        rest.take(8).read_exact(&mut header).ok()?;
        let [l0, l1, l2, l3, c0, c1, c2, c3] = header;
        let len = usize::try_from(u32::from_be_bytes([l0, l1, l2, l3])).ok()?;
        let content = rest.get(8..8 + len).filter(|_| len <= BATCH_LEN_MAX)?;
        if crc32fast::hash(content) != u32::from_be_bytes([c0, c1, c2, c3]) {
            return None;
        }
        rest = rest.get(8 + len..).unwrap_or_default();
        Some(content)
    })
}

fn whole_len(bytes: &[u8]) -> usize {
    batches(bytes).fold(HEADER_LEN, |len, batch| len + 8 + batch.len())
}

fn read(path: &Path, bytes: &[u8]) -> io::Result<(u64, State)> {
    let (magic, rest) = bytes
        .split_at_checked(MAGIC.len())
        .ok_or_else(|| invalid(path, "too short"))?;
    let generation = rest
        .first_chunk::<8>()
        .ok_or_else(|| invalid(path, "too short"))?;
    if magic != MAGIC {
        return Err(invalid(path, "not an outbox"));
    }
    let mut state = State::default();
    for batch in batches(bytes) {
        let records =
            Record::decode_all(&Bytes::copy_from_slice(batch)).map_err(|error| invalid(path, error))?;
        for record in &records {
            state.apply(record).map_err(|error| invalid(path, error))?;
        }
    }
    Ok((u64::from_be_bytes(*generation), state))
}
