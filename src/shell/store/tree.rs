//! Folding leaf hashes into the rows of the tree.
//!
//! An [`Edge`] holds, for each tile level, the hashes of the tile that is being filled: at most 256 each.
//! When half a tile is full it becomes a row; when a whole one is full its root moves up a level.
//!
//! ```text
//! level 1        [ r0 r1 r2 .. ]                 roots of full tiles of level 0
//! level 0   (256)(256)(256) [ h768 h769 .. ]     leaves
//! ```

use super::keys::tile::{self, HALF, HALF_U64, TileKey};
use crate::{
    id::{Hash, TreeSize},
    log::{hash::row_root, tree::Frontier},
};

/// Hashes per tile.
pub(crate) const TILE: usize = 2 * HALF;
/// Hashes per tile, as a number of hashes in the tree.
pub(crate) const TILE_U64: u64 = 2 * HALF_U64;
/// Tile levels that 64 bits of indices can reach.
pub(crate) const LEVELS: u8 = 8;

/// A row ready to be written.
pub(crate) type Row = (Vec<u8>, Vec<u8>);

/// The tiles being filled, one a level.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Edge {
    size: u64,
    levels: Vec<Vec<Hash>>,
}

impl Edge {
    /// An edge of `size` leaves with these hashes in its unfinished tiles, leaves first.
    ///
    /// Returns nothing if their numbers do not fit the size.
    pub(crate) fn resume(size: u64, levels: Vec<Vec<Hash>>) -> Option<Self> {
        let fits = levels.iter().enumerate().all(|(level, hashes)| {
            u64::try_from(hashes.len()).is_ok_and(|len| len == unfinished(size, level))
        });
        let complete = (levels.len()..LEVELS.into()).all(|level| unfinished(size, level) == 0);
        (fits && complete).then_some(Self { size, levels })
    }

    /// Number of leaves.
    pub(crate) fn size(&self) -> u64 {
        self.size
    }

    /// Adds leaves and hands out the rows that became full.
    pub(crate) fn extend(&mut self, leaves: impl IntoIterator<Item = Hash>, mut row: impl FnMut(Row)) {
        for leaf in leaves {
            self.push(0, self.size, leaf, &mut row);
            self.size += 1;
        }
    }

    /// Adds hash `position` of a level.
    fn push(&mut self, level: u8, position: u64, hash: Hash, row: &mut impl FnMut(Row)) {
        let at = usize::from(level);
        if self.levels.len() <= at {
            self.levels.resize(at + 1, Vec::new());
        }
        let Some(tile) = self.levels.get_mut(at) else {
            return;
        };
        tile.push(hash);
        if tile.len() % HALF == 0 {
            let hashes = tile.get(tile.len() - HALF..).unwrap_or_default();
            row((
                TileKey {
                    level,
                    half: position / HALF_U64,
                }
                .encode(),
                tile::encode(hashes),
            ));
        }
        if tile.len() == TILE {
            let root = row_root(tile);
            tile.clear();
            if let Some(root) = root {
                self.push(level + 1, position / TILE_U64, root, row);
            }
        }
    }

    /// Hash `position` of a tile level, if its tile is not full yet.
    pub(crate) fn get(&self, level: u8, position: u64) -> Option<Hash> {
        let complete = self.size.checked_shr(8 * u32::from(level)).unwrap_or(0);
        let first = complete - complete % TILE_U64;
        let within = usize::try_from(position.checked_sub(first)?).ok()?;
        self.levels.get(usize::from(level))?.get(within).copied()
    }

    /// Root of the tree over all leaves (RFC 6962, section 2.1).
    pub(crate) fn root(&self) -> Hash {
        let rows = self.levels.iter().rev().map(Vec::as_slice);
        Frontier::from_rows(TreeSize::new(self.size), rows)
            .expect("each level holds as many hashes as the size leaves unfinished there")
            .root()
    }
}

/// How many hashes the unfinished tile of a level has in a tree of `size` leaves.
pub(crate) fn unfinished(size: u64, level: usize) -> u64 {
    u32::try_from(8 * level)
        .ok()
        .and_then(|bits| size.checked_shr(bits))
        .unwrap_or(0)
        % TILE_U64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::hash::empty_root;

    fn leaf(n: u64) -> Hash {
        Hash::of(&[&n.to_be_bytes()])
    }

    #[test]
    fn root_agrees_with_the_definition_at_every_size() {
        let leaves: Vec<Hash> = (0..1100).map(leaf).collect();
        let mut edge = Edge::default();
        assert_eq!(edge.root(), empty_root());
        for size in 1..=leaves.len() {
            edge.extend([leaves[size - 1]], |_| ());
            assert_eq!(Some(edge.root()), row_root(&leaves[..size]), "size {size}");
        }
    }

    #[test]
    fn edge_resumed_from_its_levels_goes_on_the_same() {
        let mut edge = Edge::default();
        let mut rows = Vec::new();
        edge.extend((0..70_000).map(leaf), |row| rows.push(row));
        // 546 halves of leaves and 2 of the roots of their 273 tiles.
        assert_eq!(rows.len(), 546 + 2);
        let mut resumed = Edge::resume(edge.size, edge.levels.clone()).unwrap();
        edge.extend((70_000..70_500).map(leaf), |_| ());
        resumed.extend((70_000..70_500).map(leaf), |_| ());
        assert_eq!(edge, resumed);
        assert_eq!(Edge::resume(edge.size + 1, edge.levels.clone()), None);
    }
}
