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

use super::{hash::node_hash, proof::HashReader};
use crate::id::{Hash, LeafIndex, TreeSize};

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
        let tile = Self { level: tile_level, index: tile_index, width };
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
            return Err(TileError::WrongLen { expected, got: bytes.len() });
        }
        Ok(bytes.chunks_exact(32).filter_map(Hash::from_slice).collect())
    }

    /// The root of the complete subtree `index` at `level` (as in [`HashReader::subtree`]), folded from this
    /// tile's hashes; nothing if it does not lie within them.
    pub fn subtree_root(&self, hashes: &[Hash], level: u8, index: u64) -> Option<Hash> {
        let mut row = hashes.get(self.slots(level, index)?)?.to_vec();
        while row.len() > 1 {
            row = row
                .chunks_exact(2)
                .filter_map(|pair| match pair {
                    [left, right] => Some(node_hash(*left, *right)),
                    _ => None,
                })
                .collect();
        }
        row.first().copied()
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
        let mut entries = Vec::with_capacity(usize::from(self.width));
        let mut rest = bytes;
        for entry in 0..usize::from(self.width) {
            let truncated = BundleError::Truncated { entry, width: self.width };
            let Some((len, after)) = rest.split_first_chunk::<2>() else {
                return Err(truncated);
            };
            let Some((data, after)) = after.split_at_checked(usize::from(u16::from_be_bytes(*len))) else {
                return Err(truncated);
            };
            entries.push(data);
            rest = after;
        }
        if rest.is_empty() {
            Ok(entries)
        } else {
            Err(BundleError::TrailingBytes { surplus: rest.len(), width: self.width })
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
    let mut bytes = Vec::with_capacity(entries.iter().map(|data| 2 + data.as_ref().len()).sum());
    for (entry, data) in entries.iter().enumerate() {
        let data = data.as_ref();
        let len =
            u16::try_from(data.len()).map_err(|_| BundleError::EntryTooLong { entry, len: data.len() })?;
        bytes.extend_from_slice(&len.to_be_bytes());
        bytes.extend_from_slice(data);
    }
    Ok(bytes)
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
    size.get().checked_shr(u32::from(level) * u32::from(TILE_HEIGHT)).unwrap_or(0)
}

/// How wide a tile is at this size; nothing if it has no hash yet.
fn width_at(level: u8, index: u64, size: TreeSize) -> Option<u16> {
    let first = index.checked_mul(u64::from(TILE_WIDTH))?;
    let hashes = row_len(level, size).checked_sub(first)?.min(u64::from(TILE_WIDTH));
    u16::try_from(hashes).ok().filter(|width| *width > 0)
}

/// Index and width of each tile of a level that differs between the sizes.
fn grown(level: u8, old: TreeSize, new: TreeSize) -> impl Iterator<Item = (u64, u16)> {
    let width = u64::from(TILE_WIDTH);
    let (had, has) = (row_len(level, old), row_len(level, new));
    let tiles = if has > had { had / width..has.div_ceil(width) } else { 0..0 };
    tiles.filter_map(move |index| width_at(level, index, new).map(|width| (index, width)))
}

fn check_width(width: u16) -> Result<(), TileError> {
    if (1..=TILE_WIDTH).contains(&width) { Ok(()) } else { Err(TileError::BadWidth) }
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
    if width == TILE_WIDTH { Ok(()) } else { write!(f, ".p/{width}") }
}

impl FromStr for TilePath {
    type Err = TileError;

    /// Reads a path in its one spelling, relative to the log's prefix and without a leading slash.
    fn from_str(path: &str) -> Result<Self, TileError> {
        if path.len() > PATH_LEN_MAX {
            return Err(TileError::NotATile);
        }
        let (kind, rest) =
            path.strip_prefix("tile/").and_then(|rest| rest.split_once('/')).ok_or(TileError::NotATile)?;
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
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::log::{MemoryTree, leaf_hash};

    fn parse(path: &str) -> Result<TilePath, TileError> {
        path.parse()
    }

    #[test]
    fn paths_are_spelt_as_the_specification_shows() {
        for (path, tile) in [
            ("tile/0/000", HashTile::new(0, 0, 256)),
            ("tile/0/x001/x234/067", HashTile::new(0, 1_234_067, 256)),
            ("tile/63/999.p/255", HashTile::new(63, 999, 255)),
            ("tile/2/x001/000.p/1", HashTile::new(2, 1000, 1)),
            ("tile/0/x018/x446/x744/x073/x709/x551/615", HashTile::new(0, u64::MAX, 256)),
        ] {
            assert_eq!(parse(path), tile.map(TilePath::Hashes));
            assert_eq!(parse(path).unwrap().to_string(), path);
        }
        assert_eq!(
            parse("tile/entries/x001/x234/067.p/8"),
            EntryBundle::new(1_234_067, 8).map(TilePath::Entries)
        );
    }

    #[test]
    fn refuses_every_other_spelling() {
        use TileError::{BadIndex, BadLevel, BadWidth, NotATile};
        for (path, error) in [
            ("", NotATile),
            ("tile", NotATile),
            ("tile/0", NotATile),
            ("/tile/0/000", NotATile),
            ("Tile/0/000", NotATile),
            ("tile/0/", BadIndex),
            ("tile//000", BadLevel),
            ("tile/00/000", BadLevel),
            ("tile/01/000", BadLevel),
            ("tile/+1/000", BadLevel),
            ("tile/64/000", BadLevel),
            ("tile/256/000", BadLevel),
            ("tile/data/000", BadLevel),
            ("tile/0/0", BadIndex),
            ("tile/0/00", BadIndex),
            ("tile/0/0000", BadIndex),
            ("tile/0/+00", BadIndex),
            ("tile/0/x000/000", BadIndex),
            ("tile/0/x000/x001/000", BadIndex),
            ("tile/0/001/000", BadIndex),
            ("tile/0/x001", BadIndex),
            ("tile/0/x001/x000", BadIndex),
            ("tile/0/x001//000", BadIndex),
            ("tile/0/000/", BadIndex),
            ("tile/0/X001/000", BadIndex),
            ("tile/0/x018/x446/x744/x073/x709/x551/616", BadIndex),
            ("tile/0/x999/x999/x999/x999/x999/x999/x999/999", BadIndex),
            ("tile/0/000.p", BadIndex),
            ("tile/0/000.p/", BadWidth),
            ("tile/0/000.p/0", BadWidth),
            ("tile/0/000.p/00", BadWidth),
            ("tile/0/000.p/01", BadWidth),
            ("tile/0/000.p/256", BadWidth),
            ("tile/0/000.p/65537", BadWidth),
            ("tile/0/000.p/1/", BadWidth),
            ("tile/0/000.p/1.p/1", BadWidth),
            ("tile/0/٠٠٠", BadIndex),
            (&format!("tile/0/{}", "x001/".repeat(100)), NotATile),
        ] {
            assert_eq!(parse(path), Err(error), "{path}");
        }
    }

    #[test]
    fn growing_step_by_step_writes_what_growing_at_once_writes() {
        let names = |old: u64, new: u64| -> Vec<String> {
            hash_tiles_between(TreeSize::new(old), TreeSize::new(new)).map(|tile| tile.to_string()).collect()
        };
        assert_eq!(names(0, 0), Vec::<String>::new());
        assert_eq!(names(0, 1), ["tile/0/000.p/1"]);
        assert_eq!(names(1, 1), Vec::<String>::new());
        assert_eq!(names(0, 256), ["tile/0/000", "tile/1/000.p/1"]);
        assert_eq!(names(255, 257), ["tile/0/000", "tile/0/001.p/1", "tile/1/000.p/1"]);
        assert_eq!(names(256, 257), ["tile/0/001.p/1"]);

        let mut files = std::collections::BTreeSet::new();
        let mut size = 0;
        for step in (1..400).cycle().take(400) {
            let (old, new) = (TreeSize::new(size), TreeSize::new(size + step));
            files.extend(hash_tiles_between(old, new));
            assert!(files.iter().all(|tile| tile.exists_at(new)));
            size += step;
        }
        let size = TreeSize::new(size);
        let full_or_last: Vec<HashTile> =
            hash_tiles_between(TreeSize::EMPTY, size).inspect(|tile| assert!(files.contains(tile))).collect();
        assert!(files.iter().filter(|tile| tile.is_full()).all(|tile| full_or_last.contains(tile)));
    }

    #[test]
    fn nothing_exists_beyond_the_size() {
        let size = TreeSize::new(70_000);
        let exists = |level, index, width| HashTile::new(level, index, width).unwrap().exists_at(size);
        assert!(exists(0, 272, 256) && exists(0, 273, 112) && exists(0, 273, 1) && !exists(0, 273, 113));
        assert!(exists(1, 1, 17) && !exists(1, 1, 18) && !exists(1, 2, 1));
        assert!(exists(2, 0, 1) && !exists(2, 0, 2) && !exists(3, 0, 1) && !exists(63, 0, 1));
        assert!(!exists(0, u64::MAX, 1));
        assert!(EntryBundle::new(273, 112).unwrap().exists_at(size));
        assert!(!EntryBundle::new(274, 1).unwrap().exists_at(size));
        let last = EntryBundle::covering(LeafIndex::new(69_999), size).unwrap();
        assert_eq!(last.to_string(), "tile/entries/273.p/112");
        assert_eq!(last.first_entry(), Some(LeafIndex::new(273 * 256)));
        assert_eq!(EntryBundle::covering(LeafIndex::new(70_000), size), None);
        assert_eq!(EntryBundle::new(u64::MAX, 1).unwrap().first_entry(), None);
    }

    #[test]
    fn every_complete_subtree_is_found_in_the_tile_that_covers_it() {
        let size = TreeSize::new(1_500);
        let tree: MemoryTree = (0..size.get()).map(|number| leaf_hash(&number.to_be_bytes())).collect();
        let mut found = 0;
        for level in 0..=11_u8 {
            for index in 0..=(size.get() >> level) {
                let tile = HashTile::covering(level, index, size);
                let Ok(expected) = tree.subtree(level, index) else {
                    assert_eq!(tile, None, "level {level} index {index}");
                    continue;
                };
                let tile = tile.unwrap();
                let hashes = tile.hashes(&tile.read(&tree).unwrap()).unwrap();
                assert_eq!(tile.subtree_root(&hashes, level, index), Some(expected));
                found += 1;
            }
        }
        assert_eq!(found, 2 * size.get() - u64::from(size.get().count_ones()));
        for level in 0..=u8::MAX {
            for index in [0, 1, 1 << 56, 1 << 60, u64::MAX] {
                let _ = HashTile::covering(level, index, TreeSize::new(u64::MAX));
            }
        }
    }

    #[test]
    fn refuses_tiles_of_another_length() {
        let tile = HashTile::new(0, 0, 2).unwrap();
        for len in [0, 32, 63, 65, 96] {
            assert_eq!(tile.hashes(&vec![0; len]), Err(TileError::WrongLen { expected: 64, got: len }));
        }
        assert_eq!(tile.hashes(&[0; 64]), Ok(vec![Hash::ZERO; 2]));
        assert_eq!(tile.subtree_root(&[], 0, 0), None, "too few hashes are no panic");
        let nowhere = HashTile::new(63, u64::MAX, 256).unwrap();
        assert!(nowhere.read(&MemoryTree::new()).is_err());
        assert_eq!(nowhere.subtree_root(&[Hash::ZERO; 256], u8::MAX, u64::MAX), None);
        assert_eq!(HashTile::new(0, 0, 257), Err(TileError::BadWidth));
        assert_eq!(HashTile::new(0, 0, 0), Err(TileError::BadWidth));
    }

    #[test]
    fn refuses_bundles_cut_or_extended_anywhere() {
        let entries: [&[u8]; 3] = [b"", b"one", &[7; 300]];
        let bundle = EntryBundle::new(0, 3).unwrap();
        let bytes = encode_bundle(&entries).unwrap();
        assert_eq!(bundle.entries(&bytes).unwrap(), entries);
        for len in 0..bytes.len() {
            assert!(matches!(bundle.entries(&bytes[..len]), Err(BundleError::Truncated { .. })), "{len}");
        }
        let longer = [bytes.as_slice(), &[0, 0]].concat();
        assert_eq!(bundle.entries(&longer), Err(BundleError::TrailingBytes { surplus: 2, width: 3 }));
    }

    #[test]
    fn refuses_entries_that_no_bundle_can_hold() {
        assert_eq!(encode_bundle::<&[u8]>(&[]), Err(BundleError::WrongCount { got: 0 }));
        assert_eq!(encode_bundle(&[b""; 257]), Err(BundleError::WrongCount { got: 257 }));
        let longest = vec![1; ENTRY_LEN_MAX];
        let bytes = encode_bundle(&[&longest]).unwrap();
        assert_eq!(EntryBundle::new(0, 1).unwrap().entries(&bytes).unwrap(), [longest.as_slice()]);
        let too_long = vec![1; ENTRY_LEN_MAX + 1];
        assert_eq!(
            encode_bundle(&[b"".as_slice(), &too_long]),
            Err(BundleError::EntryTooLong { entry: 1, len: ENTRY_LEN_MAX + 1 })
        );
    }

    proptest! {
        #[test]
        fn printing_and_parsing_a_path_are_inverse(
            level in 0_u8..=63, index: u64, shift in 0_u32..64, width in 1_u16..=256,
        ) {
            let index = index >> shift;
            let hashes = TilePath::Hashes(HashTile::new(level, index, width)?);
            prop_assert_eq!(parse(&hashes.to_string()), Ok(hashes));
            let entries = TilePath::Entries(EntryBundle::new(index, width)?);
            prop_assert_eq!(parse(&entries.to_string()), Ok(entries));
        }

        #[test]
        fn what_parses_prints_the_same(path in "tile/(entries|[0-9]{1,2})/(x[0-9]{3}/){0,3}[0-9]{1,4}(\\.p/[0-9]{1,3})?") {
            if let Ok(parsed) = parse(&path) {
                prop_assert_eq!(parsed.to_string(), path);
            }
        }

        #[test]
        fn encoding_and_decoding_a_bundle_are_inverse(
            entries in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 1..=256),
        ) {
            let bytes = encode_bundle(&entries)?;
            let bundle = EntryBundle::new(0, u16::try_from(entries.len())?)?;
            prop_assert_eq!(bundle.entries(&bytes)?, entries);
        }

        #[test]
        fn arbitrary_bytes_are_no_bundle_or_encode_to_themselves(
            bytes in prop::collection::vec(prop_oneof![Just(0_u8), 0_u8..4, any::<u8>()], 0..64), width in 1_u16..8,
        ) {
            if let Ok(entries) = EntryBundle::new(0, width)?.entries(&bytes) {
                prop_assert_eq!(encode_bundle(&entries)?, bytes);
            }
        }
    }
}
