//! Damage to static copies, each of a kind that an audit must name: for the demonstration and for tests.
//!
//! The first three change files and leave everything else alone. The others are what only the ledger itself
//! could do: they rebuild the whole tree and sign it with the log's own key, so that every hash and every
//! proof holds, and only a replay finds it.

use std::collections::BTreeMap;

use bytes::Bytes;

use super::{
    source::{CHECKPOINT, CHECKPOINT_LEN_MAX, LogSource, SourceError, StaticCopy, len_max},
    static_log::{StaticLogWriter, files_at},
};
use crate::{
    entry::{Body, Entry, EntryError},
    envelope::{DecodeError, Envelope},
    id::{FeedId, LeafIndex, TreeSize},
    log::{
        checkpoint::{Checkpoint, CheckpointError},
        note::{Note, NoteError, NoteSigner},
        tile::{BundleError, EntryBundle, TilePath, encode_bundle, entry_bundles_between},
    },
    signature::SigningKey,
};

/// Why a copy could not be damaged.
#[derive(Debug, thiserror::Error)]
pub enum DamageError {
    /// A file cannot be read or written.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// A file is not there.
    #[error("{0} is missing")]
    Missing(String),
    /// The checkpoint is not a note.
    #[error("checkpoint")]
    Note(#[from] NoteError),
    /// The checkpoint is none, or cannot be signed.
    #[error("checkpoint")]
    Checkpoint(#[from] CheckpointError),
    /// A bundle is damaged already, or an entry too long.
    #[error("bundle")]
    Bundle(#[from] BundleError),
    /// The log has no such entry, or it is no statement.
    #[error("entry {0} is no statement of this log")]
    NoStatement(LeafIndex),
    /// The entry is damaged already.
    #[error("entry")]
    Entry(#[from] EntryError),
    /// The statement is damaged already.
    #[error("statement")]
    Statement(#[from] DecodeError),
}

/// Flips the lowest bit of the byte in the middle of an entry.
///
/// # Errors
/// [`DamageError`] if the log has no such entry, or a file cannot be read or written.
pub fn flip_byte<C: StaticCopy + ?Sized>(copy: &mut C, index: LeafIndex) -> Result<(), DamageError> {
    change_bundle(copy, index, |entries, at| {
        if let Some(entry) = entries.get_mut(at) {
            let middle = entry.len() / 2;
            if let Some(byte) = entry.get_mut(middle) {
                *byte ^= 1;
            }
        }
    })
}

/// Takes an entry out of its bundle. Hash tiles and checkpoint stay.
///
/// # Errors
/// [`DamageError`] if the log has no such entry, or a file cannot be read or written.
pub fn drop_entry<C: StaticCopy + ?Sized>(copy: &mut C, index: LeafIndex) -> Result<(), DamageError> {
    change_bundle(copy, index, |entries, at| drop(entries.remove(at)))
}

/// Puts two entries in each other's place. Hash tiles and checkpoint stay.
///
/// # Errors
/// [`DamageError`] if the log has not got them, or a file cannot be read or written.
pub fn swap_entries<C: StaticCopy + ?Sized>(
    copy: &mut C,
    one: LeafIndex,
    other: LeafIndex,
) -> Result<(), DamageError> {
    let [mut first, mut second] = [Vec::new(), Vec::new()];
    change_bundle(copy, one, |entries, at| first.clone_from(&entries[at]))?;
    change_bundle(copy, other, |entries, at| {
        second = std::mem::replace(&mut entries[at], first);
    })?;
    change_bundle(copy, one, |entries, at| entries[at] = second)
}

/// Signs the statement at `index` anew with a key that is not its feed's, then rebuilds and re-signs the log.
///
/// # Errors
/// [`DamageError`] if there is no statement, or a file cannot be read or written.
pub fn forge_signature<C: StaticCopy + ?Sized>(
    copy: &mut C,
    index: LeafIndex,
    log_keys: &[&NoteSigner],
) -> Result<(), DamageError> {
    let forger = SigningKey::from_seed(&[0xF0; 32]);
    let mut forged = false;
    rewrite(copy, log_keys, |at, bytes| {
        if at != index {
            return Ok(Some(bytes));
        }
        let mut entry = Entry::decode(&bytes)?;
        if let Body::Statement { envelope, .. } = &mut entry.body {
            let signed = Envelope::decode(envelope.clone())?;
            *envelope = forger.seal(crate::wire::STATEMENT_TYPE, &signed.dsse.payload);
            forged = true;
        }
        Ok(Some(entry.encode()))
    })?;
    if forged {
        Ok(())
    } else {
        Err(DamageError::NoStatement(index))
    }
}

/// Takes the entry at `index` out of the log, then rebuilds and re-signs it.
///
/// # Errors
/// [`DamageError`] if the log has no such entry, or a file cannot be read or written.
pub fn remove_entry<C: StaticCopy + ?Sized>(
    copy: &mut C,
    index: LeafIndex,
    log_keys: &[&NoteSigner],
) -> Result<(), DamageError> {
    let mut removed = false;
    rewrite(copy, log_keys, |at, bytes| {
        removed |= at == index;
        Ok((at != index).then_some(bytes))
    })?;
    if removed {
        Ok(())
    } else {
        Err(DamageError::NoStatement(index))
    }
}

/// Where the middle statement of the longest feed stands, and where the one after it does.
///
/// # Errors
/// [`DamageError`] if a file cannot be read, or no feed has three statements.
pub fn middle_of_longest_feed<S: LogSource + ?Sized>(
    source: &S,
) -> Result<(LeafIndex, LeafIndex), DamageError> {
    let mut feeds: BTreeMap<FeedId, Vec<LeafIndex>> = BTreeMap::new();
    for_each_entry(source, |index, bytes| {
        if let Body::Statement { envelope, .. } = Entry::decode(&bytes)?.body {
            feeds
                .entry(Envelope::decode(envelope)?.header().feed)
                .or_default()
                .push(index);
        }
        Ok(())
    })?;
    let longest = feeds.into_values().max_by_key(Vec::len).unwrap_or_default();
    let middle = longest.len() / 2;
    match longest.get(middle..) {
        Some([victim, next, ..]) if middle > 0 => Ok((*victim, *next)),
        _ => Err(DamageError::NoStatement(LeafIndex::GENESIS)),
    }
}

/// Writes the log anew with every entry as `change` returns it, left out where it returns nothing, under a
/// checkpoint that says so. Holds the log in memory: not for large ones.
///
/// # Errors
/// [`DamageError`] if `change` fails, or a file cannot be read or written.
pub fn rewrite<C: StaticCopy + ?Sized>(
    copy: &mut C,
    log_keys: &[&NoteSigner],
    mut change: impl FnMut(LeafIndex, Bytes) -> Result<Option<Bytes>, DamageError>,
) -> Result<(), DamageError> {
    let checkpoint = checkpoint(copy)?;
    let mut entries = Vec::new();
    for_each_entry(copy, |index, bytes| {
        entries.extend(change(index, bytes)?);
        Ok(())
    })?;
    for path in files_at(checkpoint.head.size) {
        copy.remove(&path.to_string())?;
    }
    write_log(copy, &entries, |head| {
        let signed = Checkpoint {
            head,
            ..checkpoint.clone()
        }
        .sign(log_keys)?;
        Ok(signed.bytes().clone())
    })
}

/// Writes the static files of a log with these entries, and its checkpoint as `sign` makes it.
///
/// # Errors
/// [`DamageError`] if an entry is too long, a file cannot be written, or `sign` fails.
pub fn write_log<C: StaticCopy + ?Sized>(
    copy: &mut C,
    entries: &[Bytes],
    sign: impl FnOnce(crate::log::LogHead) -> Result<Bytes, DamageError>,
) -> Result<(), DamageError> {
    let mut writer = StaticLogWriter::new();
    for entry in entries {
        for (path, bytes) in writer.push(entry)? {
            copy.write(&path.to_string(), &bytes)?;
        }
    }
    let checkpoint = sign(writer.head())?;
    for (path, bytes) in writer.finish()? {
        copy.write(&path.to_string(), &bytes)?;
    }
    copy.write(CHECKPOINT, &checkpoint)?;
    Ok(())
}

/// What the copy's checkpoint says, signed or not.
fn checkpoint<S: LogSource + ?Sized>(source: &S) -> Result<Checkpoint, DamageError> {
    let bytes = source.read(CHECKPOINT, CHECKPOINT_LEN_MAX)?;
    let bytes = bytes.ok_or_else(|| DamageError::Missing(CHECKPOINT.to_owned()))?;
    Ok(Checkpoint::parse(Note::parse(&bytes)?.text())?)
}

fn read_bundle<S: LogSource + ?Sized>(source: &S, bundle: EntryBundle) -> Result<Bytes, DamageError> {
    let path = TilePath::Entries(bundle);
    let bytes = source.read(&path.to_string(), len_max(path))?;
    bytes.ok_or_else(|| DamageError::Missing(path.to_string()))
}

/// Shows every entry, in order.
fn for_each_entry<S: LogSource + ?Sized>(
    source: &S,
    mut visit: impl FnMut(LeafIndex, Bytes) -> Result<(), DamageError>,
) -> Result<(), DamageError> {
    let size = checkpoint(source)?.head.size;
    for bundle in entry_bundles_between(TreeSize::EMPTY, size) {
        let bytes = read_bundle(source, bundle)?;
        let first = bundle.first_entry().unwrap_or(LeafIndex::GENESIS).get();
        for (index, entry) in (first..).zip(bundle.entries(&bytes)?) {
            visit(LeafIndex::new(index), bytes.slice_ref(entry))?;
        }
    }
    Ok(())
}

/// Changes the entries of the bundle that holds `index`, which is at the second argument's place in it.
fn change_bundle<C: StaticCopy + ?Sized>(
    copy: &mut C,
    index: LeafIndex,
    change: impl FnOnce(&mut Vec<Vec<u8>>, usize),
) -> Result<(), DamageError> {
    let size = checkpoint(copy)?.head.size;
    let bundle = EntryBundle::covering(index, size).ok_or(DamageError::NoStatement(index))?;
    let bytes = read_bundle(copy, bundle)?;
    let mut entries: Vec<Vec<u8>> = bundle.entries(&bytes)?.into_iter().map(<[u8]>::to_vec).collect();
    let first = bundle.first_entry().unwrap_or(LeafIndex::GENESIS);
    let at = usize::try_from(index.get() - first.get()).unwrap_or(usize::MAX);
    change(&mut entries, at);
    copy.write(&bundle.to_string(), &encode_bundle(&entries)?)?;
    Ok(())
}
