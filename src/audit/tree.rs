//! The tree, checked from both ends at once.
//!
//! ```text
//! checkpoint   root                          down: the partial tiles of all levels fold to the root, and
//!                |                                 each full tile folds to one hash of the tile above it.
//! tile/1/      h h h ...                           A tile for which that holds is *authentic*.
//!              |
//! tile/0/      h h h h ...                   up:   what the entries (or else an authentic tile) give is
//!              |                                   folded level by level, compared with each hash of each
//! entries      e e e e ...                         tile, and with the root at the end.
//! ```
//!
//! Where the two differ it is known who is wrong: an authentic tile is right; an entry that leads to an
//! authentic hash above is right. Only where both an entry and the tile above it were changed does a finding
//! name the entry alone. Memory: a tile and a row of hashes for each level.

use super::{
    FindingKind, Findings,
    bundle::{Bundle, Read, read_tile},
    source::{LogSource, SourceError},
};
use crate::{
    id::{Hash, TreeSize},
    log::{
        hash::complete_root,
        tile::{HashTile, TILE_HEIGHT, TILE_WIDTH},
        tree::{Frontier, LogHead},
    },
};

const WIDTH: usize = TILE_WIDTH as usize;
/// Tile levels that a log can have.
const LEVELS: u8 = 8;

/// A tile in hand.
#[derive(Clone, Debug)]
struct Loaded {
    name: HashTile,
    hashes: Option<Vec<Hash>>,
    authentic: bool,
    reported: bool,
}

#[derive(Clone, Debug, Default)]
struct Level {
    tile: Option<Loaded>,
    /// What the hashes of the tile in hand should be, as far as the walk has come.
    row: Vec<Option<Hash>>,
}

/// The walk over the tree, left to right.
#[derive(Debug)]
pub(super) struct TreeCheck<'source, S: ?Sized> {
    source: &'source S,
    head: LogHead,
    edges_hold: bool,
    /// Full bundles taken so far.
    pushed: u64,
    levels: [Level; LEVELS as usize],
}

impl<'source, S: LogSource + ?Sized> TreeCheck<'source, S> {
    pub(super) fn new(source: &'source S, head: LogHead) -> Result<Self, SourceError> {
        let mut peaks = Vec::new();
        for level in (0..LEVELS).rev() {
            let Some(tile) = edge(level, head.size) else {
                continue;
            };
            if let Read::Whole(hashes) = read_tile(source, tile)? {
                peaks.extend(row_peaks(&hashes));
            }
        }
        let edges_hold = root_of(head.size, peaks) == Some(head.root);
        Ok(Self {
            source,
            head,
            edges_hold,
            pushed: 0,
            levels: Default::default(),
        })
    }

    /// The same walk with the same tiles in hand: for judging a bundle once more without losing the place.
    pub(super) fn aside(&self) -> Self {
        let levels = self.levels.clone();
        Self { levels, ..*self }
    }

    /// Whether a bundle's tile leads to the tree's hashes.
    pub(super) fn is_authentic(
        &mut self,
        bundle: &Bundle,
        findings: &mut Findings,
    ) -> Result<bool, SourceError> {
        let Read::Whole(hashes) = &bundle.hashes else {
            return Ok(false);
        };
        let leads_up = self.leads_up(bundle, hashes, findings)?;
        Ok(leads_up == Some(true) || (!bundle.tile.is_full() && self.edges_hold))
    }

    /// Whether these leaf hashes of a bundle lead to the hash above them: in the tile of the next level, or for
    /// the last and partial bundle in the checkpoint. Nothing if there is no such hash.
    pub(super) fn leads_up(
        &mut self,
        bundle: &Bundle,
        leaves: &[Hash],
        findings: &mut Findings,
    ) -> Result<Option<bool>, SourceError> {
        if bundle.tile.is_full() {
            let above = self.above(bundle.tile, findings)?;
            Ok(above.map(|(above, _)| complete_root(leaves) == Some(above)))
        } else {
            let leaves: Vec<_> = leaves.iter().copied().map(Some).collect();
            Ok(self
                .root_with(self.head.size, &leaves)
                .map(|root| root == self.head.root))
        }
    }

    /// Whether there is a hash above a bundle's tile that is known to be the tree's.
    ///
    /// For the last and partial bundle the checkpoint is that, and [`finish`](Self::finish) compares.
    pub(super) fn is_known_above(
        &mut self,
        bundle: &Bundle,
        findings: &mut Findings,
    ) -> Result<bool, SourceError> {
        let above = if bundle.tile.is_full() {
            self.above(bundle.tile, findings)?
        } else {
            None
        };
        Ok(above.is_some_and(|(_, authentic)| authentic))
    }

    /// The hash over a full tile in the tile above it, and whether that one is authentic.
    fn above(
        &mut self,
        tile: HashTile,
        findings: &mut Findings,
    ) -> Result<Option<(Hash, bool)>, SourceError> {
        let width = u64::from(TILE_WIDTH);
        self.load(tile.level() + 1, tile.index() / width, findings)?;
        let level = self.levels.get(usize::from(tile.level()) + 1);
        let Some(Loaded {
            hashes: Some(hashes),
            authentic,
            ..
        }) = level.and_then(|level| level.tile.as_ref())
        else {
            return Ok(None);
        };
        let slot = usize::try_from(tile.index() % width).unwrap_or(usize::MAX);
        Ok(hashes.get(slot).map(|hash| (*hash, *authentic)))
    }

    /// Makes this tile of a level above the entries' the one in hand.
    fn load(&mut self, level: u8, index: u64, findings: &mut Findings) -> Result<(), SourceError> {
        let at = usize::from(level);
        let in_hand = self.levels.get(at).and_then(|level| level.tile.as_ref());
        if at >= self.levels.len() || in_hand.is_some_and(|tile| tile.name.index() == index) {
            return Ok(());
        }
        let first = index.saturating_mul(u64::from(TILE_WIDTH));
        let Some(name) = HashTile::covering(level * TILE_HEIGHT, first, self.head.size) else {
            return Ok(());
        };
        let mut loaded = Loaded {
            name,
            hashes: None,
            authentic: false,
            reported: false,
        };
        match read_tile(self.source, name)? {
            Read::Whole(hashes) => {
                if name.is_full() {
                    let above = self.above(name, findings)?;
                    loaded.authentic = above.is_some_and(|(above, _)| complete_root(&hashes) == Some(above));
                    if !loaded.authentic && above.is_some_and(|(_, authentic)| authentic) {
                        loaded.reported = true;
                        let detail = "does not lead to the hash above it".to_owned();
                        findings.in_file(FindingKind::TileMismatch, name, detail);
                    }
                } else {
                    loaded.authentic = self.edges_hold;
                }
                loaded.hashes = Some(hashes);
            }
            Read::Broken(_, why) => findings.in_file(FindingKind::MalformedFile, name, why),
            Read::Missing => findings.in_file(FindingKind::MissingFile, name, "no such file".to_owned()),
        }
        if let Some(level) = self.levels.get_mut(at) {
            level.tile = Some(loaded);
        }
        Ok(())
    }

    /// Takes the leaf hashes of the next bundle, those that count, and compares what follows from them.
    pub(super) fn push(
        &mut self,
        bundle: &Bundle,
        leaves: Vec<Option<Hash>>,
        findings: &mut Findings,
    ) -> Result<(), SourceError> {
        let mut row = leaves;
        let mut index = bundle.name.index();
        self.pushed += u64::from(bundle.name.is_full());
        for level in 0..LEVELS {
            let full = row.len() == WIDTH;
            let computed = row
                .iter()
                .copied()
                .collect::<Option<Vec<Hash>>>()
                .and_then(|row| complete_root(&row));
            if let Some(level) = self.levels.get_mut(usize::from(level)) {
                level.row = if full { Vec::new() } else { row };
            }
            if !full || level + 1 == LEVELS {
                break;
            }
            // The row is complete: its root is the next hash of the level above.
            let best = self.compare(level + 1, index, computed, findings)?;
            let above = self.levels.get_mut(usize::from(level) + 1);
            row = above
                .map(|level| std::mem::take(&mut level.row))
                .unwrap_or_default();
            row.push(best);
            index /= u64::from(TILE_WIDTH);
        }
        Ok(())
    }

    /// Compares a computed hash with the one in its tile, and returns the one that counts.
    fn compare(
        &mut self,
        level: u8,
        index: u64,
        computed: Option<Hash>,
        findings: &mut Findings,
    ) -> Result<Option<Hash>, SourceError> {
        let width = u64::from(TILE_WIDTH);
        self.load(level, index / width, findings)?;
        let slot = usize::try_from(index % width).unwrap_or(usize::MAX);
        let Some(tile) = self
            .levels
            .get_mut(usize::from(level))
            .and_then(|level| level.tile.as_mut())
        else {
            return Ok(computed);
        };
        let Some(stated) = tile.hashes.as_ref().and_then(|hashes| hashes.get(slot)).copied() else {
            return Ok(computed);
        };
        if computed.is_some_and(|computed| computed != stated) && !tile.authentic && !tile.reported {
            tile.reported = true;
            let detail = format!("hash {slot} is not that of the tile below it");
            findings.in_file(FindingKind::TileMismatch, tile.name, detail);
        }
        Ok(if tile.authentic {
            Some(stated)
        } else {
            computed.or(Some(stated))
        })
    }

    /// The root over everything pushed and these leaves of a bundle that is not full, if all is known and
    /// they are as many as `size`.
    pub(super) fn root_with(&self, size: TreeSize, leaves: &[Option<Hash>]) -> Option<Hash> {
        let mut peaks = Vec::new();
        for level in self.levels.iter().skip(1).rev() {
            peaks.extend(row_peaks(&level.row.iter().copied().collect::<Option<Vec<_>>>()?));
        }
        peaks.extend(row_peaks(&leaves.iter().copied().collect::<Option<Vec<_>>>()?));
        root_of(size, peaks)
    }

    /// Whether these leaf hashes of a bundle that was pushed before are those that counted then, as far as the
    /// tiles between them and the rows in memory can tell.
    pub(super) fn confirms(&self, bundle: &Bundle, leaves: &[Option<Hash>]) -> Result<bool, SourceError> {
        let width = u64::from(TILE_WIDTH);
        let row = |level: u8| {
            let level = self.levels.get(usize::from(level));
            level.map_or(&[][..], |level| level.row.as_slice())
        };
        if !bundle.name.is_full() {
            return Ok(row(0) == leaves);
        }
        let leaves: Option<Vec<Hash>> = leaves.iter().copied().collect();
        let mut hash = leaves.and_then(|leaves| complete_root(&leaves));
        let (mut index, mut pushed) = (bundle.name.index(), self.pushed);
        for level in 1..LEVELS {
            let slot = usize::try_from(index % width).unwrap_or(usize::MAX);
            if index / width == pushed / width {
                return Ok(hash.is_some() && row(level).get(slot) == Some(&hash));
            }
            // That row was completed since: its tile leads further up.
            let Some(tile) = HashTile::covering(level * TILE_HEIGHT, index, self.head.size) else {
                return Ok(false);
            };
            let Read::Whole(hashes) = read_tile(self.source, tile)? else {
                return Ok(false);
            };
            if hash.is_none() || hashes.get(slot).copied() != hash {
                return Ok(false);
            }
            hash = complete_root(&hashes);
            (index, pushed) = (index / width, pushed / width);
        }
        Ok(false)
    }

    /// Compares the root over all that was pushed with the checkpoint's.
    pub(super) fn finish(self, findings: &mut Findings) {
        let leaves = self.levels.first().map_or(&[][..], |level| &level.row);
        if let Some(root) = self.root_with(self.head.size, leaves)
            && root != self.head.root
        {
            let detail = format!("expected {}, the files lead to {root}", self.head.root);
            findings.in_file(FindingKind::RootMismatch, super::source::CHECKPOINT, detail);
        }
    }
}

/// The partial tile at the right edge of a level.
fn edge(level: u8, size: TreeSize) -> Option<HashTile> {
    let row = size
        .get()
        .checked_shr(u32::from(level) * u32::from(TILE_HEIGHT))?;
    let first = row - row % u64::from(TILE_WIDTH);
    HashTile::covering(level * TILE_HEIGHT, first, size)
}

/// Roots of the maximal complete subtrees over a row of hashes, largest first.
fn row_peaks(row: &[Hash]) -> Vec<Hash> {
    let mut rest = row;
    let mut peaks = Vec::new();
    while !rest.is_empty() {
        let (subtree, after) = rest.split_at(1 << rest.len().ilog2());
        peaks.extend(complete_root(subtree));
        rest = after;
    }
    peaks
}

fn root_of(size: TreeSize, peaks: Vec<Hash>) -> Option<Hash> {
    Some(Frontier::from_hashes(size, peaks).ok()?.root())
}
