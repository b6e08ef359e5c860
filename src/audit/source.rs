//! Where an audit reads: a log as static files, by name.
//!
//! The names are those of C2SP tlog-tiles below the log's prefix: `checkpoint`, `tile/<L>/<N>[.p/<W>]` and
//! `tile/entries/<N>[.p/<W>]`. A source returns bytes and judges nothing.

use std::{collections::BTreeMap, fmt};

use bytes::Bytes;

use crate::log::{note::NOTE_LEN_MAX, tile::TilePath};

/// Name of the checkpoint's file.
pub const CHECKPOINT: &str = "checkpoint";
/// Most bytes that the checkpoint's file may have.
pub const CHECKPOINT_LEN_MAX: usize = NOTE_LEN_MAX;

/// A file that could not be read: not that it is absent, but that nobody knows.
#[derive(Debug, thiserror::Error)]
#[error("cannot read {path}")]
pub struct SourceError {
    /// The file's name.
    pub path: String,
    /// Why.
    #[source]
    pub source: Box<dyn std::error::Error + Send + Sync>,
}

impl SourceError {
    /// The failure to read `path` for this reason.
    pub fn new(path: &str, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self {
            path: path.to_owned(),
            source: source.into(),
        }
    }
}

/// A log's static files.
pub trait LogSource: Sync {
    /// The bytes of the file `path`, or nothing if there is no such file. Of a file longer than `len_max`
    /// bytes it may return any `len_max + 1` or more; callers treat that as a fault of the file.
    ///
    /// # Errors
    /// If it is not known whether there is such a file, or what is in it.
    fn read(&self, path: &str, len_max: usize) -> Result<Option<Bytes>, SourceError>;

    /// Shows the name of every file below `tile/`, in any order. `false` if the source cannot tell.
    ///
    /// # Errors
    /// If the listing breaks off.
    fn list(&self, _visit: &mut dyn FnMut(&str)) -> Result<bool, SourceError> {
        Ok(false)
    }
}

/// A copy of a log's static files that can be written.
pub trait StaticCopy: LogSource {
    /// Creates or replaces a file.
    ///
    /// # Errors
    /// If it cannot be written.
    fn write(&mut self, path: &str, bytes: &[u8]) -> Result<(), SourceError>;

    /// Removes a file; one that is not there is fine.
    ///
    /// # Errors
    /// If it is there still.
    fn remove(&mut self, path: &str) -> Result<(), SourceError>;
}

/// Static files in memory.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct MemoryCopy(BTreeMap<String, Bytes>);

impl MemoryCopy {
    /// No files.
    pub fn new() -> Self {
        Self::default()
    }

    /// The files by name, ascending.
    pub fn files(&self) -> impl Iterator<Item = (&str, &Bytes)> {
        self.0.iter().map(|(path, bytes)| (path.as_str(), bytes))
    }
}

impl fmt::Debug for MemoryCopy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

impl LogSource for MemoryCopy {
    fn read(&self, path: &str, _len_max: usize) -> Result<Option<Bytes>, SourceError> {
        Ok(self.0.get(path).cloned())
    }

    fn list(&self, visit: &mut dyn FnMut(&str)) -> Result<bool, SourceError> {
        let tiles = self.0.keys().filter(|path| path.starts_with("tile/"));
        tiles.for_each(|path| visit(path));
        Ok(true)
    }
}

impl StaticCopy for MemoryCopy {
    fn write(&mut self, path: &str, bytes: &[u8]) -> Result<(), SourceError> {
        self.0.insert(path.to_owned(), Bytes::copy_from_slice(bytes));
        Ok(())
    }

    fn remove(&mut self, path: &str) -> Result<(), SourceError> {
        self.0.remove(path);
        Ok(())
    }
}

/// Most bytes that the file `path` can have.
pub fn len_max(path: TilePath) -> usize {
    match path {
        TilePath::Hashes(tile) => usize::from(tile.width()) * 32,
        TilePath::Entries(bundle) => usize::from(bundle.width()) * (2 + crate::log::tile::ENTRY_LEN_MAX),
    }
}
