//! Small files that must survive power loss: written beside, synced, renamed into place, folder synced; and the
//! folders that they are in.

use std::{
    fs::{self, File},
    io::{self, Write as _},
    path::Path,
};

/// Replaces `path` with `bytes`, atomically and durably: after a crash it holds the old bytes or the new.
///
/// # Errors
/// If the file system refuses; the old file is then still there.
pub fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(".new");
    let beside = Path::new(&beside);
    let mut file = File::create(beside)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(beside, path)?;
    sync_parent(path)
}

/// Removes `path`, durably; a file that is not there is fine.
///
/// # Errors
/// If the file system refuses.
pub fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other.and_then(|()| sync_parent(path)),
    }
}

/// The bytes of `path`, or nothing if there is no such file.
///
/// # Errors
/// If it is there and cannot be read.
pub fn read(path: &Path) -> io::Result<Option<Vec<u8>>> {
    match fs::read(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        other => other.map(Some),
    }
}

/// Creates a folder and whatever it is in, so that it survives power loss. One that is there already may have
/// been created a moment before its creator ended, so it is made sure of as well.
///
/// # Errors
/// If the file system refuses.
pub fn create_folder(path: &Path) -> io::Result<()> {
    let is_new = match fs::create_dir(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
            create_folder(parent.ok_or(error)?)?;
            fs::create_dir(path)
        }
        created => created,
    };
    if !path.is_dir() {
        is_new?;
    }
    match sync_parent(path) {
        // In a folder that we may not even look into somebody else has created it, and made sure of it or not.
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Ok(()),
        synced => synced,
    }
}

/// Makes sure that the names in the folder of `path` are as they are now, after power loss as well.
///
/// # Errors
/// If the file system refuses.
pub fn sync_parent(path: &Path) -> io::Result<()> {
    let parent = path.parent().map(|parent| {
        if parent.as_os_str().is_empty() {
            Path::new(".")
        } else {
            parent
        }
    });
    parent.map_or(Ok(()), |folder| File::open(folder)?.sync_all())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_are_created_as_deep_as_needed_and_again() {
        let place = tempfile::tempdir().unwrap();
        let deep = place.path().join("a/b/c");
        for _ in 0..2 {
            create_folder(&deep).unwrap();
            assert!(deep.is_dir());
        }
        fs::write(place.path().join("file"), b"").unwrap();
        assert!(create_folder(&place.path().join("file")).is_err());
        assert!(create_folder(&place.path().join("file/below")).is_err());
    }

    #[test]
    fn a_file_without_a_folder_is_in_the_current_one() {
        assert!(sync_parent(Path::new("plain")).is_ok());
        assert!(sync_parent(Path::new("no such folder/plain")).is_err());
    }
}
