//! A log's static files in a folder: `checkpoint`, `tile/...`, `tile/entries/...`, named as over HTTP.

use std::{
    fs::{self, File},
    io::{ErrorKind, Read as _},
    path::{Path, PathBuf},
};

use bytes::Bytes;

use super::durable;
use crate::audit::source::{LogSource, SourceError, StaticCopy};

/// The folder of a mirror.
#[derive(Clone, Debug)]
pub struct StaticFolder(PathBuf);

impl StaticFolder {
    /// The files below `folder`, which need not exist yet.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self(folder.into())
    }
}

impl LogSource for StaticFolder {
    fn read(&self, path: &str, len_max: usize) -> Result<Option<Bytes>, SourceError> {
        let failed = |error| SourceError::new(path, error);
        let file = match File::open(self.0.join(path)) {
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
                return Ok(None);
            }
            other => other.map_err(failed)?,
        };
        let mut bytes = Vec::new();
        file.take(len_max as u64 + 1)
            .read_to_end(&mut bytes)
            .map_err(failed)?;
        Ok(Some(bytes.into()))
    }

    fn list(&self, visit: &mut dyn FnMut(&str)) -> Result<bool, SourceError> {
        let tiles = self.0.join("tile");
        if tiles.is_dir() {
            list(&self.0, &tiles, visit).map_err(|error| SourceError::new("tile", error))?;
        }
        Ok(true)
    }
}

fn list(root: &Path, folder: &Path, visit: &mut dyn FnMut(&str)) -> std::io::Result<()> {
    for found in fs::read_dir(folder)? {
        let found = found?;
        if found.file_type()?.is_dir() {
            list(root, &found.path(), visit)?;
        } else if let Ok(path) = found.path().strip_prefix(root) {
            visit(&path.to_string_lossy());
        }
    }
    Ok(())
}

impl StaticCopy for StaticFolder {
    fn write(&mut self, path: &str, bytes: &[u8]) -> Result<(), SourceError> {
        let target = self.0.join(path);
        let parent = target.parent().unwrap_or(&self.0);
        fs::create_dir_all(parent)
            .and_then(|()| durable::write(&target, bytes))
            .map_err(|error| SourceError::new(path, error))
    }

    fn remove(&mut self, path: &str) -> Result<(), SourceError> {
        durable::remove(&self.0.join(path)).map_err(|error| SourceError::new(path, error))
    }
}
