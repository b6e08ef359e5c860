//! The log head, and the frontier from which the next head follows.
//!
//! A [`Frontier`] is what an appender must remember of a log: the roots of the maximal complete subtrees of
//! `[0, size)`, largest first. They are as many as the size has one bits, so at most 63 hashes, however long
//! the log. Appending a leaf is binary addition: equal subtrees merge like carries.
//!
//! ```text
//! size 6 = 110     [ 0 1 2 3 ] [ 4 5 ]
//! push leaf 6      [ 0 1 2 3 ] [ 4 5 ] [ 6 ]        size 7 = 111
//! push leaf 7      [ 0 1 2 3 4 5 6 7 ]              size 8 = 1000, three merges
//! ```
//!
//! Deliberately absent: the inner nodes. Who wants them kept passes a visitor to [`Frontier::push_with`].

use serde::{Deserialize, Serialize};

use super::hash::{empty_root, fold_peaks, node_hash, row_peaks};
use crate::id::{Hash, TreeSize};

/// The largest size of a log that any decoder here accepts: 2^63 - 1.
pub const TREE_SIZE_MAX: u64 = i64::MAX.unsigned_abs();

/// What pins a log, entry by entry and in order: how many entries, and the root over them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct LogHead {
    /// How many entries.
    pub size: TreeSize,
    /// The Merkle tree hash over them (RFC 6962 section 2.1).
    pub root: Hash,
}

impl LogHead {
    /// The head of the log without entries.
    pub fn empty() -> Self {
        Self {
            size: TreeSize::EMPTY,
            root: empty_root(),
        }
    }
}

/// Why stored hashes are no frontier.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FrontierError {
    /// No log is that long.
    #[error("a log of {size} entries is beyond the limit of {TREE_SIZE_MAX}")]
    SizeTooLarge {
        /// The size given.
        size: TreeSize,
    },
    /// A frontier has one hash for each one bit of its size.
    #[error("a frontier of size {size} has {expected} hashes, got {got}")]
    WrongCount {
        /// The size given.
        size: TreeSize,
        /// One bits of the size.
        expected: usize,
        /// Hashes given.
        got: usize,
    },
}

/// The roots of the maximal complete subtrees of a log, left to right, from which it can be continued.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Frontier {
    size: u64,
    peaks: Vec<Hash>,
}

impl Frontier {
    /// The frontier of the log without entries.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes up a frontier that was stored as its size and [`hashes`](Self::hashes).
    ///
    /// The hashes themselves cannot be checked here: compare [`head`](Self::head) with a head you trust.
    ///
    /// # Errors
    /// If the number of hashes does not fit the size, or the size is beyond [`TREE_SIZE_MAX`].
    pub fn from_hashes(size: TreeSize, hashes: Vec<Hash>) -> Result<Self, FrontierError> {
        if size.get() > TREE_SIZE_MAX {
            return Err(FrontierError::SizeTooLarge { size });
        }
        let expected = size.get().count_ones() as usize;
        if hashes.len() != expected {
            return Err(FrontierError::WrongCount {
                size,
                expected,
                got: hashes.len(),
            });
        }
        Ok(Self {
            size: size.get(),
            peaks: hashes,
        })
    }

    /// The frontier of a log from the hashes of the partial tiles at its end, those of the highest level first.
    ///
    /// # Errors
    /// As for [`from_hashes`](Self::from_hashes).
    pub fn from_rows<'a>(
        size: TreeSize,
        rows: impl IntoIterator<Item = &'a [Hash]>,
    ) -> Result<Self, FrontierError> {
        Self::from_hashes(size, rows.into_iter().flat_map(row_peaks).collect())
    }

    /// The subtree roots, largest subtree first: what to store beside the size.
    pub fn hashes(&self) -> &[Hash] {
        &self.peaks
    }

    /// How many leaves have been pushed.
    pub fn size(&self) -> TreeSize {
        TreeSize::new(self.size)
    }

    /// The root over all leaves so far.
    pub fn root(&self) -> Hash {
        fold_peaks(&self.peaks)
    }

    /// Size and root together.
    pub fn head(&self) -> LogHead {
        LogHead {
            size: self.size(),
            root: self.root(),
        }
    }

    /// Appends the leaf with this hash.
    pub fn push(&mut self, leaf: Hash) {
        self.push_with(leaf, |_, _, _| ());
    }

    /// Appends leaves in order.
    pub fn extend(&mut self, leaves: &[Hash]) {
        for leaf in leaves {
            self.push(*leaf);
        }
    }

    /// Appends a leaf and shows every subtree that it completes, the leaf itself first, as
    /// `(level, index, root)`: the subtree over leaves `index * 2^level` up to `(index + 1) * 2^level`.
    pub fn push_with(&mut self, leaf: Hash, mut completed: impl FnMut(u8, u64, Hash)) {
        let (mut level, mut index, mut root) = (0, self.size, leaf);
        completed(level, index, root);
        // Each trailing one bit of the size is a complete subtree that waits for an equal one to its right.
        while index & 1 == 1
            && let Some(left) = self.peaks.pop()
        {
            root = node_hash(left, root);
            level += 1;
            index >>= 1;
            completed(level, index, root);
        }
        self.peaks.push(root);
        self.size += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::leaf_hash;

    #[test]
    fn a_stored_frontier_goes_on_like_the_one_that_was_never_stored() {
        let mut running = Frontier::new();
        for number in 0..300_u64 {
            let mut stored = Frontier::from_hashes(running.size(), running.hashes().to_vec()).unwrap();
            assert_eq!(stored, running);
            let leaf = leaf_hash(&number.to_be_bytes());
            stored.push(leaf);
            running.push(leaf);
            assert_eq!(stored.head(), running.head());
            assert_eq!(running.hashes().len(), running.size().get().count_ones() as usize);
        }
    }

    #[test]
    fn extending_is_pushing_one_by_one() {
        let leaves: Vec<Hash> = (0..77_u64)
            .map(|number| leaf_hash(&number.to_be_bytes()))
            .collect();
        for split in 0..leaves.len() {
            let (first, second) = leaves.split_at(split);
            let mut extended = Frontier::new();
            extended.extend(first);
            extended.extend(second);
            let mut pushed = Frontier::new();
            for leaf in &leaves {
                pushed.push(*leaf);
            }
            assert_eq!(extended, pushed);
        }
    }

    #[test]
    fn refuses_hashes_that_do_not_fit_the_size() {
        let size = TreeSize::new(6);
        assert_eq!(
            Frontier::from_hashes(size, vec![Hash::ZERO]),
            Err(FrontierError::WrongCount {
                size,
                expected: 2,
                got: 1
            })
        );
        assert!(Frontier::from_hashes(size, vec![Hash::ZERO; 3]).is_err());
        let size = TreeSize::new(TREE_SIZE_MAX + 1);
        assert_eq!(
            Frontier::from_hashes(size, vec![Hash::ZERO]),
            Err(FrontierError::SizeTooLarge { size })
        );
        let mut last = Frontier::from_hashes(TreeSize::new(TREE_SIZE_MAX), vec![Hash::ZERO; 63]).unwrap();
        last.push(Hash::ZERO);
        assert_eq!(
            last.hashes().len(),
            1,
            "pushing past the limit merges and does not overflow"
        );
    }

    #[test]
    fn the_empty_log_has_the_empty_root() {
        assert_eq!(Frontier::new().head(), LogHead::empty());
    }
}
