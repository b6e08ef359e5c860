//! First pass over a bundle, on all cores and without the ledger's state: split it, hash and verify every
//! entry in it, and read the hash tile that belongs to it.

use bytes::Bytes;
use rayon::prelude::*;
use sha2::{Digest as _, Sha256};

use super::source::{LogSource, SourceError, len_max};
use crate::{
    admission::{NoPlace, Prepared},
    bytes::Reader,
    code::Outcome,
    entry::{Body, Entry, EntryError},
    envelope::{Envelope, Header},
    id::{Hash, LeafIndex},
    log::{
        hash::leaf_hash,
        tile::{ENTRY_LEN_MAX, EntryBundle, HashTile, TilePath},
    },
    time::RecordedAt,
};

/// Entries and hashes of one bundle, as read.
#[derive(Debug)]
pub(super) struct Bundle {
    pub(super) name: EntryBundle,
    /// Place of its first entry in the log.
    pub(super) first: LeafIndex,
    pub(super) leaves: Read<Vec<Leaf>>,
    /// The entry whose length was found to be wrong, and could be set right by the tile's hash of it.
    pub(super) mended: Option<(usize, String)>,
    pub(super) tile: HashTile,
    pub(super) hashes: Read<Vec<Hash>>,
}

/// What there is in a file.
#[derive(Debug)]
pub(super) enum Read<T> {
    /// What should be there.
    Whole(T),
    /// Part of it, and why not all.
    Broken(T, String),
    /// No file.
    Missing,
}

impl<T> Read<T> {
    pub(super) const fn content(&self) -> Option<&T> {
        match self {
            Self::Whole(content) | Self::Broken(content, _) => Some(content),
            Self::Missing => None,
        }
    }
}

/// An entry that was read, with all that can be found out about it by itself.
#[derive(Debug)]
pub(super) struct Leaf {
    pub(super) bytes: Bytes,
    pub(super) hash: Hash,
    pub(super) checked: Checked,
}

/// What an entry's bytes are.
#[derive(Debug)]
pub(super) enum Checked {
    /// A statement, verified or not.
    Statement {
        recorded_at: RecordedAt,
        outcome: Outcome,
        envelope: Bytes,
        prepared: Result<Prepared, NoPlace>,
    },
    /// A record of the ledger's own.
    Record(Entry),
    /// Evidence about the statement at `first`, and the second one's header, if its signature holds.
    Evidence {
        entry: Entry,
        first: LeafIndex,
        second: Result<Header, NoPlace>,
    },
    /// No entry.
    Invalid(EntryError),
}

impl Leaf {
    pub(super) fn new(bytes: Bytes) -> Self {
        let hash = leaf_hash(&bytes);
        let checked = match Entry::decode(&bytes) {
            Err(error) => Checked::Invalid(error),
            Ok(Entry {
                recorded_at,
                body: Body::Statement { envelope, outcome },
            }) => Checked::Statement {
                recorded_at,
                outcome,
                prepared: Prepared::from_bytes(envelope.clone()),
                envelope,
            },
            Ok(entry) => match &entry.body {
                Body::Evidence {
                    first_index,
                    envelope,
                } => Checked::Evidence {
                    first: *first_index,
                    second: verify(envelope.clone()),
                    entry,
                },
                Body::Statement { .. } | Body::Record(_) => Checked::Record(entry),
            },
        };
        Self { bytes, hash, checked }
    }
}

fn verify(envelope: Bytes) -> Result<Header, NoPlace> {
    let envelope = Envelope::decode(envelope)?;
    let header = envelope.header().clone();
    envelope.verify()?;
    Ok(header)
}

impl Bundle {
    /// What the tile says, if it is whole.
    pub(super) fn stated(&self) -> Option<&[Hash]> {
        match &self.hashes {
            Read::Whole(stated) => Some(stated),
            Read::Broken(..) | Read::Missing => None,
        }
    }

    /// Reads a bundle and its tile. Entries are not looked at yet.
    pub(super) fn read<S: LogSource + ?Sized>(
        source: &S,
        name: EntryBundle,
    ) -> Result<(Self, Vec<Bytes>), SourceError> {
        let tile = HashTile::new(0, name.index(), name.width())
            .map_err(|error| SourceError::new(&name.to_string(), error))?;
        let hashes = read_tile(source, tile)?;
        let mut mended = None;
        let (leaves, entries) = match read_file(source, TilePath::Entries(name))? {
            None => (Read::Missing, Vec::new()),
            Some(bytes) if bytes.len() > len_max(TilePath::Entries(name)) => {
                let why = format!("longer than {} bytes", len_max(TilePath::Entries(name)));
                (Read::Broken(Vec::new(), why), Vec::new())
            }
            Some(bytes) => match (split(&bytes, usize::from(name.width())), &hashes) {
                ((entries, None), _) => (Read::Whole(Vec::new()), entries),
                ((entries, Some(why)), Read::Whole(hashes)) => match mend(&bytes, hashes) {
                    Some((entries, wrong)) => {
                        mended = Some(wrong);
                        (Read::Whole(Vec::new()), entries)
                    }
                    None => (Read::Broken(Vec::new(), why), entries),
                },
                ((entries, Some(why)), Read::Broken(..) | Read::Missing) => {
                    (Read::Broken(Vec::new(), why), entries)
                }
            },
        };
        let first = name.first_entry().unwrap_or(LeafIndex::GENESIS);
        Ok((
            Self {
                name,
                first,
                leaves,
                mended,
                tile,
                hashes,
            },
            entries,
        ))
    }
}

/// Looks at the entries of bundles that were read, on all cores.
pub(super) fn check(read: Vec<(Bundle, Vec<Bytes>)>) -> Vec<Bundle> {
    read.into_par_iter()
        .map(|(mut bundle, entries)| {
            let checked: Vec<Leaf> = entries.into_par_iter().map(Leaf::new).collect();
            if let Read::Whole(leaves) | Read::Broken(leaves, _) = &mut bundle.leaves {
                *leaves = checked;
            }
            bundle
        })
        .collect()
}

/// What leaves hash to.
pub(super) fn hashes_of(leaves: &[Leaf]) -> Vec<Hash> {
    leaves.iter().map(|leaf| leaf.hash).collect()
}

/// What entries hash to, and nothing else about them.
pub(super) fn leaf_hashes(entries: &[Bytes]) -> Vec<Hash> {
    entries.par_iter().map(|entry| leaf_hash(entry)).collect()
}

fn read_file<S: LogSource + ?Sized>(source: &S, path: TilePath) -> Result<Option<Bytes>, SourceError> {
    source.read(&path.to_string(), len_max(path))
}

/// The hashes of a tile's file.
pub(super) fn read_tile<S: LogSource + ?Sized>(
    source: &S,
    tile: HashTile,
) -> Result<Read<Vec<Hash>>, SourceError> {
    Ok(match read_file(source, TilePath::Hashes(tile))? {
        None => Read::Missing,
        Some(bytes) => match tile.hashes(&bytes) {
            Ok(hashes) => Read::Whole(hashes),
            Err(error) => Read::Broken(Vec::new(), error.to_string()),
        },
    })
}

/// The entries in a bundle's bytes, be they fewer or (up to twice) more than its width, and what is wrong with
/// their framing.
fn split(bytes: &Bytes, width: usize) -> (Vec<Bytes>, Option<String>) {
    let mut entries = Vec::with_capacity(width);
    let mut from = Reader::new(bytes);
    while !from.is_empty() {
        let number = entries.len();
        let why = match from.short_bytes("frame") {
            Ok(entry) if number < width * 2 => {
                entries.push(bytes.slice_ref(entry));
                continue;
            }
            Ok(_) => format!("more than {number} entries, expected {width}"),
            Err(_) => {
                format!("the bytes end within a frame, after {number} whole entries; expected {width}")
            }
        };
        return (entries, Some(why));
    }
    (entries, None)
}

/// The entries of a bundle in which one length is wrong, the first whose bytes do not have the tile's hash: that
/// hash says where they end. With it which one, and how.
fn mend(bytes: &Bytes, hashes: &[Hash]) -> Option<(Vec<Bytes>, (usize, String))> {
    let mut entries = Vec::with_capacity(hashes.len());
    let mut wrong = None;
    let mut from = Reader::new(bytes);
    for (number, expected) in hashes.iter().enumerate() {
        let stated = usize::from(from.u16("length").ok()?);
        let is_the_trees = |entry: &[u8]| leaf_hash(entry) == *expected;
        let mut len = stated;
        if wrong.is_none() && !from.clone().raw(stated, "entry").is_ok_and(is_the_trees) {
            let rest = from.clone().rest();
            len = len_with_hash(rest.get(..ENTRY_LEN_MAX).unwrap_or(rest), *expected)?;
            let detail = format!("its length says {stated}, its hash says {len} bytes");
            wrong = Some((number, detail));
        }
        entries.push(bytes.slice_ref(from.raw(len, "entry").ok()?));
    }
    wrong.filter(|_| from.is_empty()).map(|wrong| (entries, wrong))
}

/// The length of the prefix that has this leaf hash.
fn len_with_hash(bytes: &[u8], expected: Hash) -> Option<usize> {
    let mut sha = Sha256::new_with_prefix([0]);
    let matches = |sha: &Sha256| Hash::new(sha.clone().finalize().into()) == expected;
    if matches(&sha) {
        return Some(0);
    }
    bytes.iter().zip(1..).find_map(|(byte, len)| {
        sha.update([*byte]);
        matches(&sha).then_some(len)
    })
}
