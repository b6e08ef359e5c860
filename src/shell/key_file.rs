//! Private keys in files: one JSON object a file, readable by its owner alone.
//!
//! ```json
//! { "public": "64 hex digits", "seed": "64 hex digits" }
//! ```

use std::{fs, io, io::Write as _, path::Path};

use serde::{Deserialize, Serialize};

use crate::{
    id::{FeedId, Hash},
    signature::SigningKey,
};

#[derive(Serialize, Deserialize)]
struct KeyFile {
    public: FeedId,
    seed: Hash,
}

/// A new key from the system's randomness.
///
/// # Errors
/// If the system has none to give.
pub fn generate() -> io::Result<SigningKey> {
    let mut seed = [0; 32];
    getrandom::fill(&mut seed).map_err(|error| io::Error::other(error.to_string()))?;
    Ok(SigningKey::from_seed(&seed))
}

/// Writes a key to a file that must not exist yet, and makes it durable.
///
/// # Errors
/// If the file exists or cannot be written.
pub fn write(path: &Path, key: &SigningKey) -> io::Result<()> {
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    let text = serde_json::to_string_pretty(&KeyFile {
        public: key.feed(),
        seed: Hash::new(key.seed()),
    })?;
    file.write_all(text.as_bytes())?;
    file.write_all(b"\n")?;
    file.sync_all()
}

/// Reads a key.
///
/// # Errors
/// If the file cannot be read, is no key file, or its halves do not belong together.
pub fn read(path: &Path) -> io::Result<SigningKey> {
    let invalid = |why: String| {
        io::Error::new(
            io::ErrorKind::InvalidData,
            format!("{} is not a key file: {why}", path.display()),
        )
    };
    let bytes = fs::read(path)?;
    warn_if_others_can_read(path);
    let file: KeyFile = serde_json::from_slice(&bytes).map_err(|error| invalid(error.to_string()))?;
    let key = SigningKey::from_seed(file.seed.as_bytes());
    if key.feed() != file.public {
        return Err(invalid("seed and public key do not belong together".to_owned()));
    }
    Ok(key)
}

/// A key that others can read is theirs, too.
#[cfg(unix)]
fn warn_if_others_can_read(path: &Path) {
    use std::os::unix::fs::PermissionsExt as _;
    if let Ok(about) = fs::metadata(path)
        && about.permissions().mode() & 0o077 != 0
    {
        tracing::warn!(
            "{} is open to other users of this machine, and with it whatever the key signs: chmod 600",
            path.display()
        );
    }
}

#[cfg(not(unix))]
const fn warn_if_others_can_read(_path: &Path) {}
