//! The few file operations whose durability matters, each with the path in its error.

use std::{
    fs::{self, File},
    io,
    path::Path,
};

use crate::{port::StoreError, shell::durable};

/// Turns a system error into a store error that says what was attempted.
pub(super) fn failed<'a>(doing: &'a str, path: &'a Path) -> impl Fn(io::Error) -> StoreError + 'a {
    move |source| StoreError::Io {
        doing: format!("{doing} {}", path.display()),
        source,
    }
}

/// Makes the names in a folder durable.
pub(super) fn sync_folder(folder: &Path) -> Result<(), StoreError> {
    let handle = File::open(folder).map_err(failed("open folder", folder))?;
    handle.sync_all().map_err(failed("sync folder", folder))
}

/// Makes every file and folder under `folder`, and the folder itself, durable.
pub(super) fn sync_tree(folder: &Path) -> Result<(), StoreError> {
    for item in fs::read_dir(folder).map_err(failed("list", folder))? {
        let item = item.map_err(failed("list", folder))?;
        let path = item.path();
        if item.file_type().map_err(failed("inspect", &path))?.is_dir() {
            sync_tree(&path)?;
        } else {
            let file = File::open(&path).map_err(failed("open", &path))?;
            file.sync_all().map_err(failed("sync", &path))?;
        }
    }
    sync_folder(folder)
}

/// Has a folder there, and its name and what is in it by now durable: also if it was there, since whoever made
/// it may have been killed before the sync.
pub(super) fn create_folder(folder: &Path) -> Result<(), StoreError> {
    durable::create_folder(folder).map_err(failed("create folder", folder))?;
    sync_folder(folder)
}

/// Removes a folder with everything in it; one that is not there is fine.
pub(super) fn remove_folder(folder: &Path) -> Result<(), StoreError> {
    match fs::remove_dir_all(folder) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        // Not a folder at all: whatever stands there is in the way just the same.
        Err(_) => fs::remove_file(folder).map_err(failed("remove", folder)),
    }
}

/// Replaces a small file as a whole: after a power cut it has the old content or the new.
pub(super) fn replace(path: &Path, content: &[u8]) -> Result<(), StoreError> {
    durable::write(path, content).map_err(failed("replace", path))
}

/// Identity of this run of the machine: another one means that unsynced writes may be gone. Empty where
/// the system does not say; then every start counts as a new run.
pub(super) fn boot_id() -> String {
    fs::read_to_string("/proc/sys/kernel/random/boot_id")
        .map(|id| id.trim().to_owned())
        .unwrap_or_default()
}
