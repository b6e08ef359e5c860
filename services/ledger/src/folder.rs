//! The ledger's data folder.
//!
//! ```text
//! ledger.json     what the ledger is: origin, log id, its key; written once by `init`
//! log.key         the private key that signs checkpoints and answers
//! store/          the value log (the record) and its index (can be rebuilt)
//! store.rebuilding  a store being made from a mirror; removed and begun again if it stays
//! store.replaced-N  the store that was there before a rebuild; nothing reads it
//! checkpoint      the newest signed checkpoint, a file of its own
//! clock.json      boot id and both clocks, as last and first seen: what the clock is judged by
//! unguarded       present from `init` until the guard first took a value; holds nothing
//! reseed          an operator's order: go on although the guard is empty; holds the reason
//! accept-clock    an operator's order: go on although the clock was doubted; holds the reason
//! suspects.json   messages during whose handling the ledger stopped, and how often
//! ```

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, bail, ensure};
use lotproof::{
    admission::genesis_entry,
    id::LogId,
    log::{checkpoint::Origin, guarded::GuardKey, hash::leaf_hash, note::NoteSigner},
    port::EntryStore as _,
    shell::{
        durable, key_file,
        store::{Options, Store},
    },
    signature::SigningKey,
    time::RecordedAt,
    wire::{form::TEXT_LEN_MAX, v1},
};
use serde::{Deserialize, Serialize};

use crate::clock::{Clock, Reading};

/// Paths inside a data folder.
#[derive(Clone, Debug)]
pub struct Folder(PathBuf);

/// What `ledger.json` says: public, and never changed.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Identity {
    /// C2SP checkpoint origin.
    pub origin: Origin,
    /// Leaf hash of entry 0.
    pub log_id: LogId,
    /// C2SP verifier key of the log.
    pub log_key: String,
}

/// The log's private key, for checkpoints and for answers.
#[derive(Debug)]
pub struct LogKey {
    /// Signs checkpoints.
    pub note: NoteSigner,
    /// Signs answers and head replies.
    pub dsse: SigningKey,
}

impl LogKey {
    fn new(origin: &Origin, key: SigningKey) -> Result<Self> {
        let note = NoteSigner::from_seed(origin.as_str(), &key.seed())?;
        Ok(Self { note, dsse: key })
    }
}

impl Folder {
    /// The folder at `path`.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self(path.into())
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }

    pub(crate) fn store(&self) -> PathBuf {
        self.0.join("store")
    }

    pub(crate) fn checkpoint(&self) -> PathBuf {
        self.0.join("checkpoint")
    }

    pub(crate) fn clock(&self) -> PathBuf {
        self.0.join("clock.json")
    }

    pub(crate) fn unguarded(&self) -> PathBuf {
        self.0.join("unguarded")
    }

    pub(crate) fn reseed(&self) -> PathBuf {
        self.0.join("reseed")
    }

    pub(crate) fn accept_clock(&self) -> PathBuf {
        self.0.join("accept-clock")
    }

    pub(crate) fn suspects(&self) -> PathBuf {
        self.0.join("suspects.json")
    }

    /// What this ledger is.
    ///
    /// # Errors
    /// If there is no ledger in the folder.
    pub fn identity(&self) -> Result<Identity> {
        let path = self.0.join("ledger.json");
        let bytes = durable::read(&path)?.with_context(|| {
            format!(
                "no ledger in {}: create one with `lotproof init`",
                self.0.display()
            )
        })?;
        serde_json::from_slice(&bytes).with_context(|| format!("reading {}", path.display()))
    }

    /// The log's key.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn log_key(&self, origin: &Origin) -> Result<LogKey> {
        let path = self.0.join("log.key");
        LogKey::new(
            origin,
            key_file::read(&path).with_context(|| format!("reading {}", path.display()))?,
        )
    }

    /// What signs the values of the log's guard.
    ///
    /// # Errors
    /// If the key cannot be read, or the origin is too long.
    pub fn guard_key(&self, identity: &Identity) -> Result<GuardKey> {
        let key = self.log_key(&identity.origin)?;
        GuardKey::new(&identity.origin, identity.log_id, &key.dsse.seed()).context("the key of the guard")
    }

    /// Leaves an order for the next start: go on although the guard holds nothing.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn order_reseed(&self, reason: &str) -> Result<()> {
        self.order(&self.reseed(), reason)
    }

    /// Leaves an order for the next start: go on although the clock was doubted.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn order_accept_clock(&self, reason: &str) -> Result<()> {
        self.order(&self.accept_clock(), reason)
    }

    fn order(&self, path: &Path, reason: &str) -> Result<()> {
        self.identity()?;
        let reason = fitting_reason(reason)?;
        durable::write(path, reason.as_bytes()).context("writing the order")
    }

    /// The reason of an order, if there is one. What does not fit an entry must never become one: nobody could
    /// read the log from there on.
    pub(crate) fn ordered(path: &Path) -> Result<Option<String>> {
        let Some(bytes) = durable::read(path)? else {
            return Ok(None);
        };
        let reason = String::from_utf8_lossy(&bytes);
        let reason = fitting_reason(&reason).with_context(|| {
            format!(
                "{} holds no order: remove it, and give the order anew",
                path.display()
            )
        })?;
        Ok(Some(reason.to_owned()))
    }
}

/// A reason as an entry can hold it.
fn fitting_reason(reason: &str) -> Result<&str> {
    let reason = reason.trim();
    ensure!(
        !reason.is_empty(),
        "the reason is empty; it is recorded in the log for everybody to read"
    );
    ensure!(
        reason.len() <= TEXT_LEN_MAX && !reason.chars().any(char::is_control),
        "the reason has more than {TEXT_LEN_MAX} bytes, or a line break or other control character"
    );
    Ok(reason)
}

/// What `init` is told.
#[derive(Clone, Debug)]
pub struct InitOptions {
    /// C2SP checkpoint origin, as `ledger.example/batteries`.
    pub origin: Origin,
    /// What the ledger is for.
    pub purpose: v1::Purpose,
    /// The authority's identifier.
    pub authority: String,
    /// Its public keys.
    pub authority_keys: Vec<lotproof::id::FeedId>,
    /// How many of them make an act.
    pub threshold: u32,
    /// Limits and clock rules.
    pub parameters: v1::Parameters,
    /// The log that this one follows.
    pub follows: Option<v1::Predecessor>,
    /// Recorded time of the genesis.
    pub created_at: RecordedAt,
}

/// The parameters of a new ledger, unless its founders want others.
pub fn default_parameters() -> v1::Parameters {
    v1::Parameters {
        clock_skew_ms: 300_000,
        clock_jump_ms_max: 60_000,
        statement_len_max: 64_000,
        statement_events_max: 256,
        event_parts_max: 4_096,
        index_interval: 0,
    }
}

/// Creates a ledger, with a new log key, in a folder that has none.
///
/// # Errors
/// If the folder has a ledger, or one half made; or the genesis contradicts itself.
pub fn init(folder: &Folder, options: &InitOptions) -> Result<Identity> {
    fs::create_dir_all(folder.path()).with_context(|| format!("creating {}", folder.path().display()))?;
    if folder.path().join("ledger.json").exists() {
        bail!(
            "{} has a ledger already; a log is created once",
            folder.path().display()
        );
    }
    ensure!(
        !folder.store().exists() && !folder.path().join("log.key").exists(),
        "{} holds an unfinished `init`: remove the folder and start again",
        folder.path().display()
    );
    let key = LogKey::new(&options.origin, key_file::generate()?)?;
    let mut authority_keys: Vec<_> = options
        .authority_keys
        .iter()
        .map(|key| key.as_bytes().to_vec())
        .collect();
    authority_keys.sort();
    let genesis = v1::Genesis {
        origin: options.origin.as_str().to_owned(),
        purpose: options.purpose.into(),
        authority: options.authority.clone(),
        authority_keys,
        threshold: options.threshold,
        log_key: key.dsse.feed().as_bytes().to_vec(),
        rules_version: lotproof::register::RULES_VERSION,
        parameters: Some(options.parameters),
        follows: options.follows.clone(),
    };
    let entry = genesis_entry(genesis, options.created_at).context("this genesis makes no ledger")?;
    let hash = leaf_hash(&entry);
    let identity = Identity {
        origin: options.origin.clone(),
        log_id: LogId::new(hash),
        log_key: key.note.verifier_key().to_string(),
    };
    key_file::write(&folder.path().join("log.key"), &key.dsse)?;
    durable::write(&folder.unguarded(), b"")?;
    // What the first start is judged by, beside the genesis entry.
    durable::write(&folder.clock(), &serde_json::to_vec(&Clock::at(Reading::now()))?)?;
    let mut store = Store::open(&folder.store(), &Options::default())?;
    store.append(&[(entry, hash)])?;
    store.close()?;
    // Last: from here on there is a ledger.
    durable::write(
        &folder.path().join("ledger.json"),
        &serde_json::to_vec_pretty(&identity)?,
    )?;
    Ok(identity)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_that_no_entry_can_hold_is_no_order() {
        for unfit in ["", " \n", "two\nlines", &"x".repeat(TEXT_LEN_MAX + 1)] {
            assert!(fitting_reason(unfit).is_err(), "{unfit:?}");
        }
        assert_eq!(
            fitting_reason(" the bus lost its disk\n").unwrap(),
            "the bus lost its disk"
        );
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("reseed");
        assert_eq!(Folder::ordered(&path).unwrap(), None);
        fs::write(&path, "x".repeat(TEXT_LEN_MAX + 1)).unwrap();
        assert!(
            Folder::ordered(&path)
                .unwrap_err()
                .to_string()
                .contains("remove it")
        );
    }
}
