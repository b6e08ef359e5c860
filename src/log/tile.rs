//! The log as static files: which files there are, how they are called, what is in them.
//!
//! A hash tile holds up to 256 hashes of one level of the tree (levels count in steps of eight), an entry
//! bundle up to 256 entries. Full ones never change; the last one of a level is *partial* and says its width
//! in its name.
//!
//! ```text
//! tile/<L>/<N>[.p/<W>]          W hashes of 32 bytes; hash i is the root over the 256^L leaves from
//!                               (N * 256 + i) * 256^L
//! tile/entries/<N>[.p/<W>]      W times ( u16be length | entry bytes )
//!
//! N in groups of three digits, all but the last marked:  0 -> 000   1234067 -> x001/x234/067
//! W 1..255 in decimal; without it the width is 256
//! ```
//!
//! A name has one spelling: leading zeros, empty groups and a spelt-out width of 256 are refused. Spec: C2SP
//! tlog-tiles.
//!
//! Deliberately absent: fetching, caching and compression; whether a file that could exist has been
//! published; authentication (recompute the root, or check proofs made from what was read).

use std::{fmt, str::FromStr};

use super::{hash::row_root, proof::HashReader};
use crate::{
    bytes::{Reader, Writer},
    id::{Hash, LeafIndex, TreeSize},
};

/// Hashes in a full tile, entries in a full bundle.
pub const TILE_WIDTH: u16 = 256;
/// Levels of the tree between the rows of hashes that two successive tile levels hold.
pub const TILE_HEIGHT: u8 = 8;
/// The most bytes of one entry: its length has two bytes in a bundle.
pub const ENTRY_LEN_MAX: usize = u16::MAX as usize;

/// The highest tile level that a name may have.
const TILE_LEVEL_MAX: u8 = 63;
/// Longer names are refused unread: `tile/entries/` and seven groups, and a width.
const PATH_LEN_MAX: usize = 64;

/// A file of hashes: `tile/<level>/<index>`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HashTile {
    level: u8,
    index: u64,
    width: u16,
}

/// A file of entries: `tile/entries/<index>`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EntryBundle {
    index: u64,
    width: u16,
}

/// The name of a file of the log, relative to its prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TilePath {
    /// A file of hashes.
    Hashes(HashTile),
    /// A file of entries.
    Entries(EntryBundle),
}

/// Why a name is none of a tile or bundle, or why contents do not fit one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TileError {
    /// Not `tile/<level>/...` or `tile/entries/...`.
    #[error("not the path of a tile")]
    NotATile,
    /// The level is no number from 0 to 63 in its one spelling.
    #[error("tile level is not a number from 0 to {TILE_LEVEL_MAX}")]
    BadLevel,
    /// The index is not in groups of three digits in its one spelling, or too large.
    #[error("tile index is not in its one spelling")]
    BadIndex,
    /// The width is no number from 1 to 255 in its one spelling (in a name), or not from 1 to 256.
    #[error("tile width is out of range or not in its one spelling")]
    BadWidth,
    /// A tile file has exactly 32 bytes for each hash of its width.
    #[error("expected {expected} bytes of hashes, got {got}")]
    WrongLen {
        /// 32 times the width, in bytes.
        expected: usize,
        /// Bytes given.
        got: usize,
    },
}

/// Why bytes are no bundle, or entries make none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BundleError {
    /// The bytes end inside an entry or before the last one.
    #[error("bundle ends inside entry {entry} of {width}")]
    Truncated {
        /// Which entry, counted from zero within the bundle.
        entry: usize,
        /// How many it should have.
        width: u16,
    },
    /// Bytes are left over after the last entry.
    #[error("{surplus} bytes follow the last of {width} entries")]
    TrailingBytes {
        /// Bytes left over.
        surplus: usize,
        /// How many entries the bundle should have.
        width: u16,
    },
    /// An entry is longer than its length field can say.
    #[error("entry {entry} has {len} bytes, at most {ENTRY_LEN_MAX} fit")]
    EntryTooLong {
        /// Which entry, counted from zero within the bundle.
        entry: usize,
        /// Its length in bytes.
        len: usize,
    },
    /// Bundles have 1 to 256 entries.
    #[error("a bundle has 1 to {TILE_WIDTH} entries, got {got}")]
    WrongCount {
        /// Entries given.
        got: usize,
    },
}

impl HashTile {
    /// The tile `index` of `level` with `width` hashes.
    ///
    /// # Errors
    /// If the level is above 63 or the width not 1 to 256.
    pub fn new(level: u8, index: u64, width: u16) -> Result<Self, TileError> {
        if level > TILE_LEVEL_MAX {
            return Err(TileError::BadLevel);
        }
        check_width(width)?;
        Ok(Self { level, index, width })
    }

    /// The tile that holds the hash from which a complete subtree of the tree at `size` is found, as wide
    /// as that size makes it; nothing if the subtree is not within that size.
    ///
    /// `level` and `index` are those of [`HashReader::subtree`]. Read the subtree's root from the tile with
    /// [`subtree_root`](Self::subtree_root).
    pub fn covering(level: u8, index: u64, size: TreeSize) -> Option<Self> {
        let tile_level = level / TILE_HEIGHT;
        let tile_index = index.checked_mul(1 << (level % TILE_HEIGHT))? / u64::from(TILE_WIDTH);
        let width = width_at(tile_level, tile_index, size)?;
        let tile = Self {
            level: tile_level,
            index: tile_index,
            width,
        };
        tile.slots(level, index).map(|_| tile)
    }

    /// The tile level: its hashes stand at level `8 * level` of the tree.
    pub fn level(&self) -> u8 {
        self.level
    }

    /// Which tile of its level, counted from zero.
    pub fn index(&self) -> u64 {
        self.index
    }

    /// How many hashes, 1 to 256.
    pub fn width(&self) -> u16 {
        self.width
    }

    /// Whether it has all 256 hashes and so never changes.
    pub fn is_full(&self) -> bool {
        self.width == TILE_WIDTH
    }

    /// Whether a log of this size has so much of the tile (partial tiles of earlier sizes included).
    pub fn exists_at(&self, size: TreeSize) -> bool {
        width_at(self.level, self.index, size).is_some_and(|width| self.width <= width)
    }

    /// The bytes of the file: its hashes one after the other.
    ///
    /// # Errors
    /// If the reader fails, as it must for a tile that does not [exist](Self::exists_at) in its log.
    pub fn read<R: HashReader>(&self, hashes: &R) -> Result<Vec<u8>, R::Error> {
        let mut bytes = Vec::with_capacity(usize::from(self.width) * 32);
        // Names can be parsed that no log can have; saturated, they ask for subtrees that no log can have.
        let level = self.level.saturating_mul(TILE_HEIGHT);
        let first = self.index.saturating_mul(u64::from(TILE_WIDTH));
        for slot in 0..u64::from(self.width) {
            let hash = hashes.subtree(level, first.saturating_add(slot))?;
            bytes.extend_from_slice(hash.as_bytes());
        }
        Ok(bytes)
    }

    /// The hashes in the bytes of the file.
    ///
    /// # Errors
    /// If there are not exactly 32 bytes for each.
    pub fn hashes(&self, bytes: &[u8]) -> Result<Vec<Hash>, TileError> {
        let expected = usize::from(self.width) * 32;
        if bytes.len() != expected {
            return Err(TileError::WrongLen {
                expected,
                got: bytes.len(),
            });
        }
        Ok(bytes.chunks_exact(32).filter_map(Hash::from_slice).collect())
    }

    /// The root of the complete subtree `index` at `level` (as in [`HashReader::subtree`]), folded from this
    /// tile's hashes; nothing if it does not lie within them.
    pub fn subtree_root(&self, hashes: &[Hash], level: u8, index: u64) -> Option<Hash> {
        row_root(hashes.get(self.slots(level, index)?)?)
    }

    /// Which of the tile's hashes lie under the subtree.
    fn slots(&self, level: u8, index: u64) -> Option<std::ops::Range<usize>> {
        if level / TILE_HEIGHT != self.level {
            return None;
        }
        let count = 1_u64 << (level % TILE_HEIGHT);
        let first = index.checked_mul(count)?;
        if first / u64::from(TILE_WIDTH) != self.index {
            return None;
        }
        let start = usize::try_from(first % u64::from(TILE_WIDTH)).ok()?;
        let end = start + usize::try_from(count).ok()?;
        (end <= usize::from(self.width)).then_some(start..end)
    }
}

impl EntryBundle {
    /// The bundle `index` with `width` entries.
    ///
    /// # Errors
    /// If the width is not 1 to 256.
    pub fn new(index: u64, width: u16) -> Result<Self, TileError> {
        check_width(width)?;
        Ok(Self { index, width })
    }

    /// The bundle that holds an entry in a log of this size; nothing if the log has no such entry.
    pub fn covering(entry: LeafIndex, size: TreeSize) -> Option<Self> {
        if !size.contains(entry) {
            return None;
        }
        let index = entry.get() / u64::from(TILE_WIDTH);
        width_at(0, index, size).map(|width| Self { index, width })
    }

    /// Which bundle, counted from zero.
    pub fn index(&self) -> u64 {
        self.index
    }

    /// How many entries, 1 to 256.
    pub fn width(&self) -> u16 {
        self.width
    }

    /// Whether it has all 256 entries and so never changes.
    pub fn is_full(&self) -> bool {
        self.width == TILE_WIDTH
    }

    /// Place of its first entry in the log; nothing beyond the largest index there can be.
    pub fn first_entry(&self) -> Option<LeafIndex> {
        self.index.checked_mul(u64::from(TILE_WIDTH)).map(LeafIndex::new)
    }

    /// Whether a log of this size has so much of the bundle (partial bundles of earlier sizes included).
    pub fn exists_at(&self, size: TreeSize) -> bool {
        width_at(0, self.index, size).is_some_and(|width| self.width <= width)
    }

    /// The entries in the bytes of the file, borrowed.
    ///
    /// # Errors
    /// If the bytes end early or late.
    pub fn entries<'bytes>(&self, bytes: &'bytes [u8]) -> Result<Vec<&'bytes [u8]>, BundleError> {
        let mut from = Reader::new(bytes);
        let width = self.width;
        let read = |entry| {
            let entry_read = from.short_bytes("entry");
            entry_read.map_err(|_| BundleError::Truncated { entry, width })
        };
        let entries = (0..usize::from(width)).map(read).collect::<Result<_, _>>()?;
        match from.rest().len() {
            0 => Ok(entries),
            surplus => Err(BundleError::TrailingBytes { surplus, width }),
        }
    }
}

/// The bytes of a bundle file with these entries: each with its length in front, as two big-endian bytes.
///
/// # Errors
/// If the entries are none or more than 256, or one is longer than [`ENTRY_LEN_MAX`].
pub fn encode_bundle<E: AsRef<[u8]>>(entries: &[E]) -> Result<Vec<u8>, BundleError> {
    if entries.is_empty() || entries.len() > usize::from(TILE_WIDTH) {
        return Err(BundleError::WrongCount { got: entries.len() });
    }
    let mut out = Writer::with_capacity(entries.iter().map(|data| 2 + data.as_ref().len()).sum());
    for (entry, data) in entries.iter().enumerate() {
        let data = data.as_ref();
        let len = u16::try_from(data.len()).map_err(|_| BundleError::EntryTooLong {
            entry,
            len: data.len(),
        })?;
        out.u16(len);
        out.raw(data);
    }
    Ok(out.into_vec())
}

/// The hash tiles that a log has at `new` and had not, or had narrower, at `old`: what to write after
/// growing. From [`TreeSize::EMPTY`]: all tiles, each level's partial one last.
pub fn hash_tiles_between(old: TreeSize, new: TreeSize) -> impl Iterator<Item = HashTile> {
    // Above level 7 a row would need more than 2^64 leaves for its first hash.
    (0..TILE_HEIGHT).flat_map(move |level| {
        grown(level, old, new).map(move |(index, width)| HashTile { level, index, width })
    })
}

/// The entry bundles that a log has at `new` and had not, or had narrower, at `old`.
pub fn entry_bundles_between(old: TreeSize, new: TreeSize) -> impl Iterator<Item = EntryBundle> {
    grown(0, old, new).map(|(index, width)| EntryBundle { index, width })
}

/// How many hashes tile level `level` has at this size.
fn row_len(level: u8, size: TreeSize) -> u64 {
    size.get()
        .checked_shr(u32::from(level) * u32::from(TILE_HEIGHT))
        .unwrap_or(0)
}

/// How wide a tile is at this size; nothing if it has no hash yet.
fn width_at(level: u8, index: u64, size: TreeSize) -> Option<u16> {
    let first = index.checked_mul(u64::from(TILE_WIDTH))?;
    let hashes = row_len(level, size)
        .checked_sub(first)?
        .min(u64::from(TILE_WIDTH));
    u16::try_from(hashes).ok().filter(|width| *width > 0)
}

/// Index and width of each tile of a level that differs between the sizes.
fn grown(level: u8, old: TreeSize, new: TreeSize) -> impl Iterator<Item = (u64, u16)> {
    let width = u64::from(TILE_WIDTH);
    let (had, has) = (row_len(level, old), row_len(level, new));
    let tiles = if has > had {
        had / width..has.div_ceil(width)
    } else {
        0..0
    };
    tiles.filter_map(move |index| width_at(level, index, new).map(|width| (index, width)))
}

fn check_width(width: u16) -> Result<(), TileError> {
    if (1..=TILE_WIDTH).contains(&width) {
        Ok(())
    } else {
        Err(TileError::BadWidth)
    }
}

impl fmt::Display for HashTile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "tile/{}/", self.level)?;
        write_index(f, self.index, self.width)
    }
}

impl fmt::Display for EntryBundle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("tile/entries/")?;
        write_index(f, self.index, self.width)
    }
}

impl fmt::Display for TilePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Hashes(tile) => tile.fmt(f),
            Self::Entries(bundle) => bundle.fmt(f),
        }
    }
}

fn write_index(f: &mut fmt::Formatter<'_>, index: u64, width: u16) -> fmt::Result {
    let mut groups = vec![index % 1000];
    let mut rest = index / 1000;
    while rest > 0 {
        groups.push(rest % 1000);
        rest /= 1000;
    }
    while let Some(group) = groups.pop() {
        if groups.is_empty() {
            write!(f, "{group:03}")?;
        } else {
            write!(f, "x{group:03}/")?;
        }
    }
    if width == TILE_WIDTH {
        Ok(())
    } else {
        write!(f, ".p/{width}")
    }
}

impl FromStr for TilePath {
    type Err = TileError;

    /// Reads a path in its one spelling, relative to the log's prefix and without a leading slash.
    fn from_str(path: &str) -> Result<Self, TileError> {
        if path.len() > PATH_LEN_MAX {
            return Err(TileError::NotATile);
        }
        let (kind, rest) = path
            .strip_prefix("tile/")
            .and_then(|rest| rest.split_once('/'))
            .ok_or(TileError::NotATile)?;
        let (index, width) = match rest.split_once(".p/") {
            Some((index, width)) => {
                let width = plain_decimal(width).ok_or(TileError::BadWidth)?;
                let width = u16::try_from(width).map_err(|_| TileError::BadWidth)?;
                if width >= TILE_WIDTH {
                    return Err(TileError::BadWidth);
                }
                (index, width)
            }
            None => (rest, TILE_WIDTH),
        };
        let index = parse_index(index).ok_or(TileError::BadIndex)?;
        if kind == "entries" {
            return EntryBundle::new(index, width).map(Self::Entries);
        }
        let level = plain_decimal(kind).ok_or(TileError::BadLevel)?;
        let level = u8::try_from(level).map_err(|_| TileError::BadLevel)?;
        HashTile::new(level, index, width).map(Self::Hashes)
    }
}

/// A decimal of digits only, without leading zeros.
pub(super) fn plain_decimal(text: &str) -> Option<u64> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !digits || (text.len() > 1 && text.starts_with('0')) {
        return None;
    }
    text.parse().ok()
}

fn parse_index(text: &str) -> Option<u64> {
    let mut groups = text.split('/').peekable();
    let mut index = 0_u64;
    let mut first = true;
    while let Some(group) = groups.next() {
        let digits = if groups.peek().is_some() {
            let digits = group.strip_prefix('x')?;
            // The first marked group would be left out if it were zero.
            if first && digits == "000" {
                return None;
            }
            digits
        } else {
            group
        };
        if digits.len() != 3 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        index = index.checked_mul(1000)?.checked_add(digits.parse().ok()?)?;
        first = false;
    }
    Some(index)
}

#[cfg(test)]
#[path = "tile_tests.rs"]
mod tests;
