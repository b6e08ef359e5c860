//! Which account of a hash is the tree's, where files contradict each other.
//!
//! ```text
//! hash i of a tile     as its file says
//!                      as the tile below it says: the root over that one's hashes
//!                      as the entries below it say, however far down
//! ```
//!
//! A row of hashes is *proven* if it gives the hash above it, which is proven itself, or at the right edge the
//! checkpoint's root. No two rows give the same hash, so it does not matter in which order accounts are tried:
//! a choice that leads up is the truth, and every file that says otherwise is wrong.

use super::{
    align::in_places,
    bundle::{Bundle, Read, leaf_hashes, read_tile},
    source::{LogSource, SourceError},
};
use crate::{
    id::{Hash, TreeSize},
    log::{
        hash::row_root,
        tile::{EntryBundle, HashTile, TILE_HEIGHT, TILE_WIDTH},
    },
};

/// So many choices are tried for one row, besides the two of one file each.
const CHOICES_MAX: usize = 1 << 10;

/// How far down an account is looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Depth {
    /// In the tile below.
    Tile,
    /// In every file below, down to the entries.
    Entries,
}

/// One account more, unless it is there already.
pub(super) fn add(accounts: &mut Vec<Hash>, more: impl IntoIterator<Item = Hash>) {
    for hash in more {
        if !accounts.contains(&hash) {
            accounts.push(hash);
        }
    }
}

/// The choice of one account for each place of a row for which `leads_up`. The first accounts of all places
/// are tried together, then the last ones, then every choice if they are not too many.
pub(super) fn choose(row: &[Vec<Hash>], leads_up: impl Fn(&[Hash]) -> bool) -> Option<Vec<Hash>> {
    let first: Vec<Hash> = row
        .iter()
        .map_while(|accounts| accounts.first().copied())
        .collect();
    if first.len() < row.len() {
        return None;
    }
    if leads_up(&first) {
        return Some(first);
    }
    let last: Vec<Hash> = row
        .iter()
        .filter_map(|accounts| accounts.last().copied())
        .collect();
    if last != first && leads_up(&last) {
        return Some(last);
    }
    let mut choices = 1_usize;
    for accounts in row {
        choices = choices.saturating_mul(accounts.len());
    }
    if choices > CHOICES_MAX {
        return None;
    }
    (1..choices).find_map(|choice| {
        let mut rest = choice;
        let chosen: Vec<Hash> = row
            .iter()
            .filter_map(|accounts| {
                let at = rest % accounts.len();
                rest /= accounts.len();
                accounts.get(at).copied()
            })
            .collect();
        leads_up(&chosen).then_some(chosen)
    })
}

/// What the files from the full tile `index` of `level` down say is the hash over it.
pub(super) fn below<S: LogSource + ?Sized>(
    source: &S,
    size: TreeSize,
    level: u8,
    index: u64,
    depth: Depth,
) -> Result<Vec<Hash>, SourceError> {
    let mut accounts = Vec::new();
    let width = u64::from(TILE_WIDTH);
    let first = index.saturating_mul(width);
    let Some(tile) = HashTile::covering(level.saturating_mul(TILE_HEIGHT), first, size) else {
        return Ok(accounts);
    };
    let stated = read_tile(source, tile)?;
    if let Read::Whole(hashes) = &stated {
        accounts.extend(row_root(hashes));
    }
    if depth == Depth::Tile {
        return Ok(accounts);
    }
    let Some(lower) = level.checked_sub(1) else {
        let leaves = leaves(source, tile)?.into_iter().collect::<Option<Vec<Hash>>>();
        add(&mut accounts, leaves.and_then(|leaves| row_root(&leaves)));
        return Ok(accounts);
    };
    let mut row = Vec::new();
    for child in first..first.saturating_add(width) {
        let of_child = below(source, size, lower, child, depth)?;
        if of_child.is_empty() {
            return Ok(accounts);
        }
        row.push(of_child);
    }
    for pick in [<[Hash]>::first, <[Hash]>::last] {
        let row: Vec<Hash> = row
            .iter()
            .filter_map(|accounts| pick(accounts).copied())
            .collect();
        add(&mut accounts, row_root(&row));
    }
    Ok(accounts)
}

/// The leaf hashes of the entries below a tile of level 0, where there are such.
pub(super) fn leaves<S: LogSource + ?Sized>(
    source: &S,
    tile: HashTile,
) -> Result<Vec<Option<Hash>>, SourceError> {
    let width = usize::from(tile.width());
    let Ok(name) = EntryBundle::new(tile.index(), tile.width()) else {
        return Ok(vec![None; width]);
    };
    let (bundle, entries) = Bundle::read(source, name)?;
    Ok(in_places(&leaf_hashes(&entries), bundle.stated(), width))
}
