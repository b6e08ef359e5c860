//! A ledger's store made anew from a mirror: every entry audited, copied in order, and hashed up to the
//! mirror's checkpoint before it takes the store's place.
//!
//! ```text
//! audit the mirror -> copy into store.rebuilding -> compare the head -> store moves to store.replaced-N
//!                                                                    -> store.rebuilding becomes store
//! ```
//!
//! Nothing is deleted but an unfinished `store.rebuilding`. A store that has an entry which the mirror lacks, or
//! that cannot be read, stays where it is: only its operator can say that it is worth less than the mirror.
//! Whether the mirror is the newest is not for this to say: the guard and the checkpoint file do, at the next
//! start.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, bail, ensure};
use bytes::Bytes;
use lotproof::{
    audit::{AuditOptions, LogSource, Report, audit, source::len_max},
    id::{Hash, TreeSize},
    log::{
        checkpoint::SignedCheckpoint,
        hash::leaf_hash,
        tile::{EntryBundle, TilePath, entry_bundles_between},
        tree::{Frontier, LogHead},
    },
    port::{EntryStore as _, StoreError},
    shell::{
        durable,
        store::{Options, Store},
    },
    trust::TrustFile,
};

use crate::folder::{Folder, Identity};

/// Entries in one append.
const APPEND_ENTRIES: usize = 4_096;

/// What became of a rebuild.
#[derive(Debug)]
pub enum Rebuilt {
    /// The store holds the mirror's entries. The store that was there before, if any, was moved here.
    Done {
        /// What was audited.
        report: Report,
        /// Where the old store is now.
        replaced: Option<PathBuf>,
    },
    /// Something is wrong with the mirror; nothing was changed.
    Findings(Report),
}

impl Identity {
    /// What this ledger believes a copy of itself by.
    ///
    /// # Errors
    /// If `ledger.json` holds no key.
    pub fn trust(&self) -> Result<TrustFile> {
        let key = self.log_key.parse().context("the log's key in ledger.json")?;
        Ok(TrustFile::new(self.origin.clone(), self.log_id, vec![key])?)
    }
}

/// Makes the store of the ledger in `folder` anew from a mirror, which `trust` (or `ledger.json`) judges.
///
/// # Errors
/// If the mirror cannot be read or is older than what this folder has promised, or the store that is there has
/// entries of its own, is in use or unreadable. Nothing was changed then.
pub fn rebuild(
    folder: &Folder,
    mirror: &dyn LogSource,
    trust: Option<TrustFile>,
    options: &AuditOptions<'_>,
) -> Result<Rebuilt> {
    let identity = folder.identity()?;
    let trust = match trust {
        Some(trust) => trust,
        None => identity.trust()?,
    };
    ensure!(
        trust.log_id() == identity.log_id && *trust.origin() == identity.origin,
        "the trust file is about log {}, ledger.json about {}",
        trust.log_id(),
        identity.log_id
    );
    // Open for as long as it takes, so that no ledger starts meanwhile and promises what is then moved away.
    let standing = standing(folder)?;
    let new = folder.path().join("store.rebuilding");
    let made = make(folder, mirror, &trust, options, standing.as_ref(), &new);
    if let Some(store) = standing {
        store.close().context("closing the store that is there")?;
    }
    let report = made?;
    if !report.is_clean() {
        return Ok(Rebuilt::Findings(report));
    }
    let replaced = put_in_place(folder, &new)?;
    Ok(Rebuilt::Done { report, replaced })
}

/// Audits the mirror and copies its entries to `new`, if it has all that this folder has.
fn make(
    folder: &Folder,
    mirror: &dyn LogSource,
    trust: &TrustFile,
    options: &AuditOptions<'_>,
    standing: Option<&Store>,
    new: &Path,
) -> Result<Report> {
    let promised = promised(folder, trust)?;
    let standing = standing.map(head_of).transpose()?.flatten();
    let report = audit(mirror, trust, options).context("auditing the mirror")?;
    if !report.is_clean() {
        return Ok(report);
    }
    let (Some(size), Some(root)) = (report.size, report.root) else {
        bail!("the mirror has no checkpoint");
    };
    let known = [
        promised.map(|head| (head, "the checkpoint file")),
        standing.map(|head| (head, "the store")),
    ];
    let known: Vec<(LogHead, &str)> = known.into_iter().flatten().collect();
    for (head, what) in &known {
        ensure!(
            head.size <= size,
            "{what} has {} entries, the mirror has {size}: a newer mirror is needed",
            head.size
        );
    }
    remove_folder(new)?;
    copy(mirror, LogHead { size, root }, &known, new)?;
    Ok(report)
}

/// The head in the checkpoint file.
fn promised(folder: &Folder, trust: &TrustFile) -> Result<Option<LogHead>> {
    let Some(bytes) = durable::read(&folder.checkpoint())? else {
        return Ok(None);
    };
    let signed = SignedCheckpoint::verify(bytes, trust.origin(), trust.log_keys())
        .context("the checkpoint file is not signed by this ledger's key")?;
    Ok(Some(*signed.head()))
}

/// The store that is there.
fn standing(folder: &Folder) -> Result<Option<Store>> {
    let path = folder.store();
    if !path.exists() {
        return Ok(None);
    }
    match Store::open(&path, &Options::default()) {
        Ok(store) => Ok(Some(store)),
        Err(error @ StoreError::Locked(_)) => {
            Err(error).context("the ledger is running: stop it, and rebuild then")
        }
        Err(error) => Err(error).with_context(|| {
            format!(
                "the store that is there cannot be read, so nobody knows whether it has entries that the mirror \
                 lacks: move {} away if it is not needed",
                path.display()
            )
        }),
    }
}

/// The head of a store's log; nothing if it has no entry.
fn head_of(store: &Store) -> Result<Option<LogHead>> {
    let size = store.size();
    let root = store.reader().root(size)?;
    Ok(root
        .filter(|_| size != TreeSize::EMPTY)
        .map(|root| LogHead { size, root }))
}

/// Copies the mirror's entries into a new store, which must come to `target` by way of all `known` heads.
fn copy(mirror: &dyn LogSource, target: LogHead, known: &[(LogHead, &str)], new: &Path) -> Result<()> {
    let mut store = Store::open(new, &Options::default())?;
    let mut frontier = Frontier::new();
    let mut batch: Vec<(Bytes, Hash)> = Vec::new();
    for bundle in entry_bundles_between(TreeSize::EMPTY, target.size) {
        for entry in entries(mirror, bundle)? {
            let hash = leaf_hash(&entry);
            frontier.push(hash);
            batch.push((entry, hash));
            for (head, what) in known {
                ensure!(
                    head.size != frontier.size() || head.root == frontier.root(),
                    "{what} has another history: at size {} it has root {}, the mirror has {}",
                    head.size,
                    head.root,
                    frontier.root()
                );
            }
        }
        if batch.len() >= APPEND_ENTRIES {
            store.append(&batch)?;
            batch.clear();
        }
    }
    store.append(&batch)?;
    let head = frontier.head();
    ensure!(
        head == target && store.reader().root(head.size)? == Some(target.root),
        "the mirror changed while it was copied: {} entries with root {}, audited were {} with {}",
        head.size,
        head.root,
        target.size,
        target.root
    );
    store.close().context("closing the new store")
}

fn entries(mirror: &dyn LogSource, bundle: EntryBundle) -> Result<Vec<Bytes>> {
    let name = bundle.to_string();
    let bytes = mirror
        .read(&name, len_max(TilePath::Entries(bundle)))?
        .with_context(|| format!("the mirror has no {name}"))?;
    let found = bundle.entries(&bytes).with_context(|| name.clone())?;
    Ok(found.into_iter().map(|entry| bytes.slice_ref(entry)).collect())
}

/// Moves the new store to its place, and the one there out of the way.
fn put_in_place(folder: &Folder, new: &Path) -> Result<Option<PathBuf>> {
    let store = folder.store();
    let mut replaced = None;
    if store.exists() {
        let free = (1..u32::MAX)
            .map(|number| folder.path().join(format!("store.replaced-{number}")))
            .find(|path| !path.exists())
            .context("no free name for the old store")?;
        fs::rename(&store, &free).with_context(|| format!("moving the old store to {}", free.display()))?;
        replaced = Some(free);
    }
    fs::rename(new, &store).context("moving the new store into place")?;
    File::open(folder.path())
        .and_then(|folder| folder.sync_all())
        .context("syncing the folder")?;
    Ok(replaced)
}

fn remove_folder(path: &Path) -> Result<()> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("removing {}", path.display()))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests;
