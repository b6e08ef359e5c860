//! The tree, checked from both ends at once.
//!
//! ```text
//! checkpoint   root                          down: the hashes of the partial tiles of all levels give the root,
//!                |                                 the hashes of each full tile the one above it. Hashes for
//! tile/1/      h h h ...                           which that holds are *proven* (`accounts` says how they are
//!              |                                   found where a tile is wrong).
//! tile/0/      h h h h ...                   up:   what the entries give is folded level by level, compared with
//!              |                                   each hash that is not proven, and with the root at the end.
//! entries      e e e e ...
//! ```
//!
//! Memory: a tile and a row of hashes for each level.

use super::{
    accounts::{self, Depth},
    bundle::{Bundle, Read, read_tile},
    finding::{Finding, FindingKind, Findings},
    source::{CHECKPOINT, LogSource, SourceError},
};
use crate::{
    id::{Hash, TreeSize},
    log::{
        hash::row_root,
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
    /// The hashes that count: the proven ones, or else those of the file.
    hashes: Option<Vec<Hash>>,
    proven: bool,
    reported: bool,
}

#[derive(Clone, Debug, Default)]
struct Level {
    tile: Option<Loaded>,
    /// What the hashes of the tile in hand should be, as far as the walk has come.
    row: Vec<Option<Hash>>,
}

/// What the leaf hashes of a bundle must lead to.
#[derive(Clone, Debug)]
pub(super) enum Target {
    /// This hash over them, proven or not.
    Over(Hash, bool),
    /// These, proven.
    Row(Vec<Hash>),
    /// Nobody knows.
    Unknown,
}

impl Target {
    /// Whether it is known for certain.
    pub(super) const fn is_proven(&self) -> bool {
        matches!(self, Self::Over(_, true) | Self::Row(_))
    }

    /// Whether leaf hashes lead to it.
    pub(super) fn is_met_by(&self, leaves: &[Hash]) -> bool {
        match self {
            Self::Over(hash, _) => row_root(leaves) == Some(*hash),
            Self::Row(row) => row == leaves,
            Self::Unknown => false,
        }
    }
}

/// The walk over the tree, left to right.
#[derive(Debug)]
pub(super) struct TreeCheck<'source, S: ?Sized> {
    source: &'source S,
    head: LogHead,
    /// The hashes of the partial tiles by level, if they are proven.
    edges: Option<Vec<Vec<Hash>>>,
    /// Full bundles taken so far.
    pushed: u64,
    levels: [Level; LEVELS as usize],
}

impl<'source, S: LogSource + ?Sized> TreeCheck<'source, S> {
    pub(super) fn new(source: &'source S, head: LogHead) -> Result<Self, SourceError> {
        Ok(Self {
            source,
            head,
            edges: prove_edges(source, head)?,
            pushed: 0,
            levels: Default::default(),
        })
    }

    /// The same walk with the same tiles in hand: for judging a bundle once more without losing the place.
    pub(super) fn aside(&self) -> Self {
        let (levels, edges) = (self.levels.clone(), self.edges.clone());
        Self {
            edges,
            levels,
            ..*self
        }
    }

    /// What a bundle's leaf hashes must lead to.
    pub(super) fn target(&mut self, bundle: &Bundle, findings: &mut Findings) -> Result<Target, SourceError> {
        if bundle.tile.is_full() {
            let above = self.above(bundle.tile, findings)?;
            return Ok(above.map_or(Target::Unknown, |(hash, proven)| Target::Over(hash, proven)));
        }
        let row = self.edges.as_ref().and_then(|edges| edges.first());
        Ok(row.map_or(Target::Unknown, |row| Target::Row(row.clone())))
    }

    /// The hash over a full tile in the tile above it, and whether it is proven.
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
            proven,
            ..
        }) = level.and_then(|level| level.tile.as_ref())
        else {
            return Ok(None);
        };
        let slot = usize::try_from(tile.index() % width).unwrap_or(usize::MAX);
        Ok(hashes.get(slot).map(|hash| (*hash, *proven)))
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
        let stated = match read_tile(self.source, name)? {
            Read::Whole(hashes) => Some(hashes),
            Read::Broken(_, why) => {
                findings.in_file(FindingKind::MalformedFile, name, why);
                None
            }
            Read::Missing => {
                findings.in_file(FindingKind::MissingFile, name, "no such file".to_owned());
                None
            }
        };
        let above = if name.is_full() {
            self.above(name, findings)?
        } else {
            None
        };
        let (row, proven) = match (above, &self.edges) {
            (Some((hash, proven)), _) => (self.prove_row(name, stated.as_deref(), hash)?, proven),
            (None, Some(edges)) if !name.is_full() => (edges.get(at).cloned(), true),
            (None, _) => (None, false),
        };
        let must_be_proven = above.is_some_and(|(_, proven)| proven);
        let why = why_wrong(stated.as_deref(), row.as_deref(), must_be_proven);
        let reported = why.is_some() || stated.is_none();
        if let Some(why) = why {
            findings.in_file(FindingKind::TileMismatch, name, why);
        }
        if let Some(level) = self.levels.get_mut(at) {
            level.tile = Some(Loaded {
                name,
                proven: proven && row.is_some(),
                hashes: row.or(stated),
                reported,
            });
        }
        Ok(())
    }

    /// The hashes of a full tile that lead to the hash above it.
    fn prove_row(
        &self,
        tile: HashTile,
        stated: Option<&[Hash]>,
        above: Hash,
    ) -> Result<Option<Vec<Hash>>, SourceError> {
        for depth in [None, Some(Depth::Tile), Some(Depth::Entries)] {
            let row = row_of_accounts(self.source, self.head.size, tile, stated, depth)?;
            let row = accounts::choose(&row, |row| row_root(row) == Some(above));
            if row.is_some() {
                return Ok(row);
            }
        }
        Ok(None)
    }

    /// Takes the leaf hashes of the next bundle, those that count, and compares what follows from them.
    pub(super) fn push(
        &mut self,
        bundle: &Bundle,
        leaves: Vec<Option<Hash>>,
        findings: &mut Findings,
    ) -> Result<(), SourceError> {
        assert_eq!(
            bundle.name.index(),
            self.pushed,
            "bundles come in order, each once"
        );
        assert_eq!(
            leaves.len(),
            usize::from(bundle.name.width()),
            "one hash for each leaf"
        );
        let mut row = leaves;
        let mut index = bundle.name.index();
        self.pushed += u64::from(bundle.name.is_full());
        for level in 0..LEVELS {
            let full = row.len() == WIDTH;
            if !full || level + 1 == LEVELS {
                if let Some(level) = self.levels.get_mut(usize::from(level)) {
                    level.row = row;
                }
                break;
            }
            // The row is complete: its root is the next hash of the level above.
            let known = row.into_iter().collect::<Option<Vec<Hash>>>();
            let computed = known.and_then(|row| row_root(&row));
            if let Some(level) = self.levels.get_mut(usize::from(level)) {
                level.row = Vec::new();
            }
            let best = self.compare(level + 1, index, computed, findings)?;
            let above = self.levels.get_mut(usize::from(level) + 1);
            row = above
                .map(|level| std::mem::take(&mut level.row))
                .unwrap_or_default();
            row.push(best);
            assert!(row.len() <= WIDTH, "a row is emptied when its tile is full");
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
        if computed.is_some_and(|computed| computed != stated) && !tile.proven && !tile.reported {
            tile.reported = true;
            let detail = format!("hash {slot} contradicts the files below it, and neither leads to the root");
            findings.in_file(FindingKind::RootMismatch, tile.name, detail);
        }
        Ok(if tile.proven {
            Some(stated)
        } else {
            computed.or(Some(stated))
        })
    }

    /// The root over everything pushed and these leaves of a bundle that is not full, if all is known and
    /// they are as many as `size`.
    pub(super) fn root_with(&self, size: TreeSize, leaves: &[Option<Hash>]) -> Option<Hash> {
        let known = |row: &[Option<Hash>]| row.iter().copied().collect::<Option<Vec<Hash>>>();
        let higher = self.levels.iter().skip(1).rev().map(|level| known(&level.row));
        let rows = higher.chain([known(leaves)]).collect::<Option<Vec<_>>>()?;
        let frontier = Frontier::from_rows(size, rows.iter().map(Vec::as_slice));
        frontier.ok().map(|frontier| frontier.root())
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
        let mut hash = leaves.and_then(|leaves| row_root(&leaves));
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
            hash = row_root(&hashes);
            (index, pushed) = (index / width, pushed / width);
        }
        Ok(false)
    }

    /// Whatever the files agree on, it must lead to the checkpoint's root.
    pub(super) fn finish(self, findings: &mut Findings) {
        let is_named = |finding: &Finding| finding.kind == FindingKind::RootMismatch;
        if self.edges.is_some() || findings.list.iter().any(is_named) {
            return;
        }
        let leaves = self.levels.first().map_or(&[][..], |level| &level.row);
        let expected = self.head.root;
        let detail = match self.root_with(self.head.size, leaves) {
            Some(root) => format!("expected {expected}, the files lead to {root}"),
            None => format!("expected {expected}, and nothing in the files leads there"),
        };
        findings.in_file(FindingKind::RootMismatch, CHECKPOINT, detail);
    }
}

/// What is wrong with the hashes of a tile's file, if the ones that lead up are known, or must be there.
fn why_wrong(stated: Option<&[Hash]>, row: Option<&[Hash]>, must_be_proven: bool) -> Option<String> {
    match (stated?, row) {
        (stated, Some(row)) => stated
            .iter()
            .zip(row)
            .position(|(stated, proven)| stated != proven)
            .map(|slot| format!("hash {slot} is not the tree's, to which the other files lead")),
        (_, None) if must_be_proven => {
            Some("does not lead to the hash above it, nor does what lies below".to_owned())
        }
        (_, None) => None,
    }
}

/// The accounts that there are of each hash of a tile, the file's own first.
fn row_of_accounts<S: LogSource + ?Sized>(
    source: &S,
    size: TreeSize,
    tile: HashTile,
    stated: Option<&[Hash]>,
    depth: Option<Depth>,
) -> Result<Vec<Vec<Hash>>, SourceError> {
    let mut row: Vec<Vec<Hash>> = (0..usize::from(tile.width()))
        .map(|slot| {
            stated
                .and_then(|stated| stated.get(slot))
                .copied()
                .into_iter()
                .collect()
        })
        .collect();
    let Some(depth) = depth else { return Ok(row) };
    let Some(lower) = tile.level().checked_sub(1) else {
        for (of_leaf, leaf) in row.iter_mut().zip(accounts::leaves(source, tile)?) {
            accounts::add(of_leaf, leaf);
        }
        return Ok(row);
    };
    let first = tile.index().saturating_mul(u64::from(TILE_WIDTH));
    for (of_hash, index) in row.iter_mut().zip(first..) {
        accounts::add(of_hash, accounts::below(source, size, lower, index, depth)?);
        if of_hash.is_empty() {
            break;
        }
    }
    Ok(row)
}

/// The hashes of the partial tiles, by level, that lead to the root.
fn prove_edges<S: LogSource + ?Sized>(
    source: &S,
    head: LogHead,
) -> Result<Option<Vec<Vec<Hash>>>, SourceError> {
    let mut tiles = Vec::new();
    for tile in (0..LEVELS).rev().filter_map(|level| edge(level, head.size)) {
        let stated = match read_tile(source, tile)? {
            Read::Whole(hashes) => Some(hashes),
            Read::Broken(..) | Read::Missing => None,
        };
        tiles.push((tile, stated));
    }
    let split = |flat: &[Hash]| {
        let mut rest = flat;
        let mut rows = vec![Vec::new(); usize::from(LEVELS)];
        for (tile, _) in &tiles {
            let (row, after) = rest.split_at(usize::from(tile.width()).min(rest.len()));
            if let Some(level) = rows.get_mut(usize::from(tile.level())) {
                *level = row.to_vec();
            }
            rest = after;
        }
        rows
    };
    let leads_up = |flat: &[Hash]| {
        let rows = split(flat);
        let frontier = Frontier::from_rows(head.size, rows.iter().rev().map(Vec::as_slice));
        frontier.is_ok_and(|frontier| frontier.root() == head.root)
    };
    for depth in [None, Some(Depth::Tile), Some(Depth::Entries)] {
        let mut flat = Vec::new();
        for (tile, stated) in &tiles {
            flat.extend(row_of_accounts(
                source,
                head.size,
                *tile,
                stated.as_deref(),
                depth,
            )?);
        }
        if let Some(flat) = accounts::choose(&flat, leads_up) {
            return Ok(Some(split(&flat)));
        }
    }
    Ok(None)
}

/// The partial tile at the right edge of a level.
fn edge(level: u8, size: TreeSize) -> Option<HashTile> {
    let row = size
        .get()
        .checked_shr(u32::from(level) * u32::from(TILE_HEIGHT))?;
    let first = row - row % u64::from(TILE_WIDTH);
    HashTile::covering(level * TILE_HEIGHT, first, size)
}
