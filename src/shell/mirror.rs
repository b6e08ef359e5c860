//! A log's static files in a folder: reading them, copying them, and keeping a verified mirror.
//!
//! ```text
//! folder/checkpoint                      written last: it speaks for everything below
//! folder/tile/<L>/<N>[.p/<W>]
//! folder/tile/entries/<N>[.p/<W>]
//! ```
//!
//! Each file is written beside, synced and renamed; one that is there already with the same bytes is left
//! alone, so a mirror that was interrupted goes on where it was.

use std::{
    fs::{self, File},
    io::{self, Read as _},
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use bytes::Bytes;

use super::durable;
use crate::{
    audit::{
        AuditOptions, Report, audit,
        source::{CHECKPOINT, CHECKPOINT_LEN_MAX, LogSource, SourceError, StaticCopy, len_max},
        static_log::{files_at, widest},
    },
    id::TreeSize,
    log::{
        checkpoint::{Checkpoint, CheckpointError, SignedCheckpoint},
        note::{Note, NoteError},
    },
    trust::TrustFile,
};

/// A folder with a log's static files.
#[derive(Clone, Debug)]
pub struct DirSource(PathBuf);

impl DirSource {
    /// The files in this folder, which need not exist yet.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self(folder.into())
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.0
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl LogSource for DirSource {
    fn read(&self, path: &str, len_max: usize) -> Result<Option<Bytes>, SourceError> {
        let read = || -> io::Result<Option<Bytes>> {
            let path = self.path(path);
            let metadata = match fs::metadata(&path) {
                Err(error) if is_absent(&error) => return Ok(None),
                other => other?,
            };
            if metadata.is_dir() {
                return Ok(None);
            }
            if !metadata.is_file() {
                // Opening a pipe would wait for somebody to write into it.
                return Err(io::Error::other("neither a file nor a folder"));
            }
            let file = File::open(path)?;
            let mut bytes = Vec::new();
            file.take((len_max as u64).saturating_add(1))
                .read_to_end(&mut bytes)?;
            Ok(Some(bytes.into()))
        };
        read().map_err(|error| SourceError::new(path, error))
    }

    fn list(&self, visit: &mut dyn FnMut(&str)) -> Result<bool, SourceError> {
        walk(&self.path("tile"), "tile", visit).map_err(|error| SourceError::new("tile", error))?;
        Ok(true)
    }
}

/// Whether there is no such file: a folder in its place, or a file in the place of one of its folders, is none.
fn is_absent(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory | io::ErrorKind::IsADirectory
    )
}

/// Shows the files below `folder`, which is called `name`.
fn walk(folder: &Path, name: &str, visit: &mut dyn FnMut(&str)) -> io::Result<()> {
    let entries = match fs::read_dir(folder) {
        Err(error) if is_absent(&error) => return Ok(()),
        other => other?,
    };
    for entry in entries {
        let entry = entry?;
        let name = format!("{name}/{}", entry.file_name().to_string_lossy());
        if entry.file_type()?.is_dir() {
            walk(&entry.path(), &name, visit)?;
        } else {
            visit(&name);
        }
    }
    Ok(())
}

impl StaticCopy for DirSource {
    fn write(&mut self, path: &str, bytes: &[u8]) -> Result<(), SourceError> {
        write(&self.path(path), bytes).map_err(|error| SourceError::new(path, error))
    }

    fn remove(&mut self, path: &str) -> Result<(), SourceError> {
        let removed = durable::remove(&self.path(path));
        removed.map_err(|error| SourceError::new(path, error))
    }
}

/// Writes a file durably, with its folders, unless it is there with these bytes.
fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    if durable::read(path)?.is_some_and(|old| old == bytes) {
        return Ok(());
    }
    if let Some(folder) = path.parent() {
        durable::create_folder(folder)?;
    }
    durable::write(path, bytes)
}

/// Why a copy or mirror could not be made.
#[derive(Debug, thiserror::Error)]
pub enum MirrorError {
    /// A file cannot be read or written.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// A file that a log of this size has is not there.
    #[error("{0} is missing")]
    Missing(String),
    /// The log's checkpoint is not a note.
    #[error("checkpoint")]
    Note(#[from] NoteError),
    /// The log's checkpoint is none.
    #[error("checkpoint")]
    Checkpoint(#[from] CheckpointError),
    /// The folder's own checkpoint is not one of this log.
    #[error("the folder holds a checkpoint that is not of this log")]
    OtherFolder(#[source] CheckpointError),
    /// The log is not as it should be. What was read of it is in the folder, without a checkpoint of it.
    #[error("the log has {} findings", .0.findings.len())]
    Findings(Box<Report>),
}

/// Copies a log as it is, right or wrong, at the size in its checkpoint.
///
/// # Errors
/// [`MirrorError`] if the checkpoint is unreadable, or a file is missing or cannot be read or written.
pub fn write_mirror<S: LogSource + ?Sized>(source: &S, folder: &Path) -> Result<(), MirrorError> {
    let mut copy = DirSource::new(folder);
    let checkpoint = source.read(CHECKPOINT, CHECKPOINT_LEN_MAX)?;
    let checkpoint = checkpoint.ok_or_else(|| MirrorError::Missing(CHECKPOINT.to_owned()))?;
    let size = Checkpoint::parse(Note::parse(&checkpoint)?.text())?.head.size;
    for path in files_at(size) {
        let name = path.to_string();
        let bytes = source.read(&name, len_max(path))?;
        copy.write(&name, &bytes.ok_or_else(|| MirrorError::Missing(name.clone()))?)?;
    }
    copy.write(CHECKPOINT, &checkpoint)?;
    Ok(())
}

/// Audits a log while copying it; the checkpoint follows if and only if nothing is wrong, and the log begins
/// with what the folder's earlier checkpoint says. Partial files of earlier sizes are then removed. Nothing
/// that the earlier checkpoint speaks for is ever replaced.
///
/// # Errors
/// [`MirrorError::Findings`] with the report if something is wrong; else if files cannot be read or written.
pub fn mirror<S: LogSource + ?Sized>(
    source: &S,
    trust: &TrustFile,
    folder: &Path,
    options: &AuditOptions<'_>,
) -> Result<Report, MirrorError> {
    let mut copy = DirSource::new(folder);
    let earlier = copy
        .read(CHECKPOINT, CHECKPOINT_LEN_MAX)?
        .map(|bytes| SignedCheckpoint::verify(bytes, trust.origin(), trust.log_keys()))
        .transpose()
        .map_err(MirrorError::OtherFolder)?;
    let held = earlier
        .as_ref()
        .map_or(TreeSize::EMPTY, |earlier| earlier.head().size);
    let copying = Copying {
        source,
        folder,
        held,
        checkpoint: Mutex::new(None),
    };
    let newest = |checkpoint: &&SignedCheckpoint| checkpoint.head().size;
    let previous = earlier
        .as_ref()
        .into_iter()
        .chain(options.previous)
        .max_by_key(newest);
    let report = audit(&copying, trust, &AuditOptions { previous, ..*options })?;
    let checkpoint = copying
        .checkpoint
        .into_inner()
        .unwrap_or_else(PoisonError::into_inner);
    let (Some(checkpoint), Some(size), true) = (checkpoint, report.size, report.is_clean()) else {
        return Err(MirrorError::Findings(Box::new(report)));
    };
    copy.write(CHECKPOINT, &checkpoint)?;
    let mut superseded = Vec::new();
    copy.list(&mut |name| {
        let path = name.parse().ok();
        let wide = path.and_then(|path| widest(path, size));
        superseded.extend(path.filter(|path| wide.is_some_and(|wide| wide != *path)));
    })?;
    for path in superseded {
        copy.remove(&path.to_string())?;
    }
    Ok(report)
}

/// A source whose files go into a folder as they are read, all but the checkpoint.
struct Copying<'a, S: ?Sized> {
    source: &'a S,
    folder: &'a Path,
    /// Files of a log of this size are there for good: the folder's checkpoint speaks for them.
    held: TreeSize,
    checkpoint: Mutex<Option<Bytes>>,
}

impl<S: LogSource + ?Sized> LogSource for Copying<'_, S> {
    fn read(&self, path: &str, len_max: usize) -> Result<Option<Bytes>, SourceError> {
        let bytes = self.source.read(path, len_max)?;
        match &bytes {
            Some(bytes) if path == CHECKPOINT => {
                *self.checkpoint.lock().unwrap_or_else(PoisonError::into_inner) = Some(bytes.clone());
            }
            Some(bytes) => {
                let file = self.folder.join(path);
                let is_held = path.parse().is_ok_and(|path| widest(path, self.held).is_some());
                let old = if is_held { durable::read(&file) } else { Ok(None) };
                let old = old.map_err(|error| SourceError::new(path, error))?;
                if old.is_some_and(|old| old != *bytes) {
                    let why = "the folder holds other bytes, which its checkpoint speaks for";
                    return Err(SourceError::new(path, why));
                }
                write(&file, bytes).map_err(|error| SourceError::new(path, error))?;
            }
            None => {}
        }
        Ok(bytes)
    }
}

#[cfg(test)]
#[path = "mirror_tests.rs"]
mod tests;
