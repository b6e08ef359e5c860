//! Entries in, static files out: the tiles, bundles and head of a log of any length, with a few kilobytes of
//! memory for the tree and one bundle.

use crate::{
    id::{Hash, TreeSize},
    log::{
        hash::leaf_hash,
        tile::{BundleError, EntryBundle, HashTile, TILE_HEIGHT, TILE_WIDTH, TilePath, encode_bundle},
        tree::{Frontier, LogHead},
    },
};

/// Hashes in a full tile.
const WIDTH: usize = TILE_WIDTH as usize;

/// Takes a log's entries in order and gives each file as soon as it is full, partial ones at the end.
#[derive(Debug, Default)]
pub struct StaticLogWriter {
    frontier: Frontier,
    bundle: Vec<Vec<u8>>,
    rows: [Vec<Hash>; 8],
}

impl StaticLogWriter {
    /// At the start of a log.
    pub fn new() -> Self {
        Self::default()
    }

    /// Size and root so far.
    pub fn head(&self) -> LogHead {
        self.frontier.head()
    }

    /// Appends an entry and returns the files that it completes.
    ///
    /// # Errors
    /// If the entry is longer than a bundle can say.
    pub fn push(&mut self, entry: &[u8]) -> Result<Vec<(TilePath, Vec<u8>)>, BundleError> {
        self.bundle.push(entry.to_vec());
        let mut files = Vec::new();
        if self.bundle.len() == WIDTH {
            files.extend(self.entries_file()?);
            self.bundle.clear();
        }
        let rows = &mut self.rows;
        self.frontier.push_with(leaf_hash(entry), |level, _, root| {
            let row = (level % TILE_HEIGHT == 0).then(|| rows.get_mut(usize::from(level / TILE_HEIGHT)));
            if let Some(Some(row)) = row {
                row.push(root);
            }
        });
        for level in 0..TILE_HEIGHT {
            if self
                .rows
                .get(usize::from(level))
                .is_none_or(|row| row.len() < WIDTH)
            {
                break;
            }
            files.extend(self.hashes_file(level));
            if let Some(row) = self.rows.get_mut(usize::from(level)) {
                row.clear();
            }
        }
        Ok(files)
    }

    /// The partial files at the log's end.
    ///
    /// # Errors
    /// If an entry is longer than a bundle can say.
    pub fn finish(self) -> Result<Vec<(TilePath, Vec<u8>)>, BundleError> {
        let mut files: Vec<_> = self.entries_file()?.into_iter().collect();
        files.extend((0..TILE_HEIGHT).filter_map(|level| self.hashes_file(level)));
        Ok(files)
    }

    /// The bundle in hand, if it has entries.
    fn entries_file(&self) -> Result<Option<(TilePath, Vec<u8>)>, BundleError> {
        if self.bundle.is_empty() {
            return Ok(None);
        }
        let bytes = encode_bundle(&self.bundle)?;
        // Called before the last entry of a full bundle is pushed to the tree, and after that of a partial one.
        let index = self.frontier.size().get() / u64::from(TILE_WIDTH);
        let bundle = u16::try_from(self.bundle.len())
            .ok()
            .and_then(|width| EntryBundle::new(index, width).ok());
        Ok(bundle.map(|bundle| (TilePath::Entries(bundle), bytes)))
    }

    /// The tile in hand at a level, if it has hashes.
    fn hashes_file(&self, level: u8) -> Option<(TilePath, Vec<u8>)> {
        let row = self.rows.get(usize::from(level)).filter(|row| !row.is_empty())?;
        let width = u16::try_from(row.len()).ok()?;
        let shift = u32::from(level) * u32::from(TILE_HEIGHT);
        let hashes = self.frontier.size().get().checked_shr(shift)?;
        let tile = HashTile::new(level, hashes.checked_sub(1)? / u64::from(TILE_WIDTH), width).ok()?;
        let bytes = row.iter().flat_map(|hash| *hash.as_bytes()).collect();
        Some((TilePath::Hashes(tile), bytes))
    }
}

/// Every file that a log of this size has besides its checkpoint.
pub fn files_at(size: TreeSize) -> impl Iterator<Item = TilePath> {
    use crate::log::tile::{entry_bundles_between, hash_tiles_between};
    let hashes = hash_tiles_between(TreeSize::EMPTY, size).map(TilePath::Hashes);
    hashes.chain(entry_bundles_between(TreeSize::EMPTY, size).map(TilePath::Entries))
}

/// The file of the same place at this size, if a log of this size has or had the given one.
pub(crate) fn widest(path: TilePath, size: TreeSize) -> Option<TilePath> {
    match path {
        TilePath::Hashes(tile) if tile.exists_at(size) => {
            let first = tile.index().checked_mul(u64::from(TILE_WIDTH))?;
            HashTile::covering(tile.level().checked_mul(TILE_HEIGHT)?, first, size).map(TilePath::Hashes)
        }
        TilePath::Entries(bundle) if bundle.exists_at(size) => {
            EntryBundle::covering(bundle.first_entry()?, size).map(TilePath::Entries)
        }
        TilePath::Hashes(_) | TilePath::Entries(_) => None,
    }
}
