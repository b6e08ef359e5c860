//! Inclusion and consistency: that an entry stands at its place, and that a log only grew.
//!
//! Verifying follows RFC 9162 sections 2.1.3.2 and 2.1.4.2 bit by bit, without recursion and without
//! allocation, on at most [`PROOF_HASHES_MAX`] hashes. Making a proof needs only roots of *complete*
//! subtrees, which a log stores once and never changes; they come through [`HashReader`]. The root of a
//! right edge, which is no complete subtree, is folded from those.
//!
//! ```text
//! level 2   (2,0) covers leaves 0..4                 subtree(level, index)
//! level 1   (1,0) 0..2   (1,1) 2..4   (1,2) 4..6       covers index * 2^level
//! level 0   (0,0) (0,1)  (0,2) (0,3)  ...              to (index + 1) * 2^level
//! ```
//!
//! A proof says nothing about the size on its own: the same hashes can lead to the same root under several
//! sizes. Size and root are bound together by the signature on the checkpoint, which is why the functions
//! here take a whole [`LogHead`].

use super::{
    hash::{empty_root, fold_peaks, node_hash},
    tree::{Frontier, LogHead, TREE_SIZE_MAX},
};
use crate::id::{Hash, LeafIndex, TreeSize};

/// The most hashes that an inclusion or consistency proof may have (C2SP tlog-witness has the same limit).
pub const PROOF_HASHES_MAX: usize = 63;

/// Why a proof does not hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProofError {
    /// More hashes than any proof has.
    #[error("a proof has at most {PROOF_HASHES_MAX} hashes, got {got}")]
    TooLong {
        /// Hashes given.
        got: usize,
    },
    /// The log is not that long.
    #[error("no entry {index} in a log of {size}")]
    IndexOutOfRange {
        /// The entry asked about.
        index: LeafIndex,
        /// The size of the log.
        size: TreeSize,
    },
    /// The log of which this should be a prefix is shorter.
    #[error("a log of {new} does not extend one of {old}")]
    Shrunk {
        /// Size of the earlier log.
        old: TreeSize,
        /// Size of the later log.
        new: TreeSize,
    },
    /// Too few or too many hashes for these sizes.
    #[error("{got} hashes do not make a proof for these sizes")]
    WrongLength {
        /// Hashes given.
        got: usize,
    },
    /// The path does not lead to the root of the (later) log.
    #[error("the proof leads to root {got}, expected {expected}")]
    RootMismatch {
        /// The root of the head given.
        expected: Hash,
        /// The root computed.
        got: Hash,
    },
    /// The path does not lead to the root of the earlier log.
    #[error("the proof leads to earlier root {got}, expected {expected}")]
    OldRootMismatch {
        /// The root of the earlier head given.
        expected: Hash,
        /// The root computed.
        got: Hash,
    },
}

/// Verifies that the entry with hash `leaf` has place `index` in the log with this head.
///
/// `path` runs from the leaf's sibling up to the child of the root. Spec: RFC 9162 section 2.1.3.2.
///
/// # Errors
/// If the index is not below the size, the path has another length than this place and size ask for, or
/// it leads to another root.
pub fn verify_inclusion(
    index: LeafIndex,
    leaf: Hash,
    head: &LogHead,
    path: &[Hash],
) -> Result<(), ProofError> {
    bound(path)?;
    if !head.size.contains(index) {
        return Err(ProofError::IndexOutOfRange {
            index,
            size: head.size,
        });
    }
    let mut climb = Climb {
        node: index.get(),
        last: head.size.get() - 1,
    };
    let mut root = leaf;
    for sibling in path {
        root = match climb.step() {
            Some(Side::Left) => node_hash(*sibling, root),
            Some(Side::Right) => node_hash(root, *sibling),
            None => return Err(ProofError::WrongLength { got: path.len() }),
        };
    }
    if !climb.is_at_root() {
        return Err(ProofError::WrongLength { got: path.len() });
    }
    expect_root(head.root, root)
}

/// Verifies that the log with head `new` begins with the whole log with head `old`.
///
/// Equal sizes need equal roots and no hashes; everything extends the empty log, whose root must then be the
/// empty root, with no hashes. Spec: RFC 9162 section 2.1.4.2; for the empty log C2SP tlog-witness.
///
/// # Errors
/// If the log shrank, the proof has another length than these sizes ask for, or it leads to another root.
pub fn verify_consistency(old: &LogHead, new: &LogHead, proof: &[Hash]) -> Result<(), ProofError> {
    bound(proof)?;
    if old.size > new.size {
        return Err(ProofError::Shrunk {
            old: old.size,
            new: new.size,
        });
    }
    let wrong_length = ProofError::WrongLength { got: proof.len() };
    if old.size == TreeSize::EMPTY || old.size == new.size {
        if !proof.is_empty() {
            return Err(wrong_length);
        }
        if old.size == TreeSize::EMPTY {
            expect_old_root(old.root, empty_root())?;
        }
        return if old.size == new.size {
            expect_root(new.root, old.root)
        } else {
            Ok(())
        };
    }

    // Both climbs start at the largest subtree that ends where the old log ended. If that is the whole old
    // log, its root is known and left out of the proof.
    let ends_at = old.size.get() - 1;
    let shift = ends_at.trailing_ones();
    let mut climb = Climb {
        node: ends_at >> shift,
        last: (new.size.get() - 1) >> shift,
    };
    let (start, rest) = if old.size.get().is_power_of_two() {
        (old.root, proof)
    } else {
        let (first, rest) = proof.split_first().ok_or(wrong_length)?;
        (*first, rest)
    };
    let (mut old_root, mut new_root) = (start, start);
    for sibling in rest {
        match climb.step() {
            Some(Side::Left) => {
                old_root = node_hash(*sibling, old_root);
                new_root = node_hash(*sibling, new_root);
            }
            Some(Side::Right) => new_root = node_hash(new_root, *sibling),
            None => return Err(wrong_length),
        }
    }
    if !climb.is_at_root() {
        return Err(wrong_length);
    }
    expect_old_root(old.root, old_root)?;
    expect_root(new.root, new_root)
}

fn bound(proof: &[Hash]) -> Result<(), ProofError> {
    if proof.len() > PROOF_HASHES_MAX {
        return Err(ProofError::TooLong { got: proof.len() });
    }
    Ok(())
}

fn expect_root(expected: Hash, got: Hash) -> Result<(), ProofError> {
    if expected == got {
        Ok(())
    } else {
        Err(ProofError::RootMismatch { expected, got })
    }
}

fn expect_old_root(expected: Hash, got: Hash) -> Result<(), ProofError> {
    if expected == got {
        Ok(())
    } else {
        Err(ProofError::OldRootMismatch { expected, got })
    }
}

/// A walk from a node to the root: its position among the nodes of its level, and that of the last one.
/// (`fn` and `sn` of RFC 9162.)
struct Climb {
    node: u64,
    last: u64,
}

/// On which side of the node its sibling stands.
enum Side {
    Left,
    Right,
}

impl Climb {
    /// Goes up past one sibling; nothing at the root.
    fn step(&mut self) -> Option<Side> {
        if self.is_at_root() {
            return None;
        }
        let side = if self.node & 1 == 1 || self.node == self.last {
            // A last node that is a left child has no sibling at this level; its parent is itself.
            let levels = self.node.trailing_zeros();
            self.node >>= levels;
            self.last >>= levels;
            Side::Left
        } else {
            Side::Right
        };
        self.node >>= 1;
        self.last >>= 1;
        Some(side)
    }

    fn is_at_root(&self) -> bool {
        self.last == 0
    }
}

/// Where the roots of complete subtrees come from: memory, tiles, a store.
pub trait HashReader {
    /// What can go wrong while reading.
    type Error: std::error::Error + 'static;

    /// The root of the complete subtree over leaves `index * 2^level` up to `(index + 1) * 2^level`; at
    /// level 0 a leaf hash. Only subtrees inside the log are asked for.
    ///
    /// # Errors
    /// Whatever keeps the reader from it; proof making stops there.
    fn subtree(&self, level: u8, index: u64) -> Result<Hash, Self::Error>;
}

/// Why a proof could not be made.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProveError<E: std::error::Error + 'static> {
    /// The log is not that long.
    #[error("no entry {index} in a log of {size}")]
    IndexOutOfRange {
        /// The entry asked about.
        index: LeafIndex,
        /// The size of the log.
        size: TreeSize,
    },
    /// The later size is the smaller one.
    #[error("a log of {new} does not extend one of {old}")]
    Shrunk {
        /// The earlier size.
        old: TreeSize,
        /// The later size.
        new: TreeSize,
    },
    /// No log is that long.
    #[error("a log of {size} entries is beyond the limit of {TREE_SIZE_MAX}")]
    SizeTooLarge {
        /// The size given.
        size: TreeSize,
    },
    /// The reader failed.
    #[error("could not read a subtree hash")]
    Read(#[source] E),
}

/// Makes the proof that [`verify_inclusion`] checks, for the log of the first `size` entries.
///
/// # Errors
/// If the log of that size has no such entry, or the reader fails.
pub fn prove_inclusion<R: HashReader>(
    index: LeafIndex,
    size: TreeSize,
    hashes: &R,
) -> Result<Vec<Hash>, ProveError<R::Error>> {
    bound_size(size)?;
    if !size.contains(index) {
        return Err(ProveError::IndexOutOfRange { index, size });
    }
    let (mut start, mut end) = (0, size.get());
    let mut path = Vec::new();
    while end - start > 1 {
        let middle = split(start, end);
        let sibling = if index.get() < middle {
            let right = (middle, end);
            end = middle;
            right
        } else {
            let left = (start, middle);
            start = middle;
            left
        };
        path.push(range_root(sibling.0, sibling.1, hashes).map_err(ProveError::Read)?);
    }
    path.reverse();
    Ok(path)
}

/// Makes the proof that [`verify_consistency`] checks, between the first `old` and the first `new` entries.
///
/// # Errors
/// If `old` is larger than `new`, or the reader fails.
pub fn prove_consistency<R: HashReader>(
    old: TreeSize,
    new: TreeSize,
    hashes: &R,
) -> Result<Vec<Hash>, ProveError<R::Error>> {
    bound_size(new)?;
    if old > new {
        return Err(ProveError::Shrunk { old, new });
    }
    if old == TreeSize::EMPTY {
        return Ok(Vec::new());
    }
    let (mut start, mut end) = (0, new.get());
    let mut proof = Vec::new();
    while end != old.get() {
        let middle = split(start, end);
        let sibling = if old.get() <= middle {
            let right = (middle, end);
            end = middle;
            right
        } else {
            let left = (start, middle);
            start = middle;
            left
        };
        proof.push(range_root(sibling.0, sibling.1, hashes).map_err(ProveError::Read)?);
    }
    // The subtree at which the old log ends. If nothing stands left of it, it is the old log, whose root
    // the verifier has.
    if start != 0 {
        proof.push(range_root(start, end, hashes).map_err(ProveError::Read)?);
    }
    proof.reverse();
    Ok(proof)
}

/// The root over the first `size` entries.
///
/// # Errors
/// If the reader fails, or the size is beyond [`TREE_SIZE_MAX`].
pub fn root_at<R: HashReader>(size: TreeSize, hashes: &R) -> Result<Hash, ProveError<R::Error>> {
    bound_size(size)?;
    range_root(0, size.get(), hashes).map_err(ProveError::Read)
}

/// The frontier over the first `size` entries, to go on from there.
///
/// # Errors
/// If the reader fails, or the size is beyond [`TREE_SIZE_MAX`].
pub fn frontier_at<R: HashReader>(size: TreeSize, hashes: &R) -> Result<Frontier, ProveError<R::Error>> {
    let peaks = range_peaks(0, size.get(), hashes).map_err(ProveError::Read)?;
    Frontier::from_hashes(size, peaks).map_err(|_| ProveError::SizeTooLarge { size })
}

fn bound_size<E: std::error::Error>(size: TreeSize) -> Result<(), ProveError<E>> {
    if size.get() > TREE_SIZE_MAX {
        return Err(ProveError::SizeTooLarge { size });
    }
    Ok(())
}

/// Where RFC 6962 cuts `[start, end)`, which has at least two leaves: after the largest power of two of
/// leaves that leaves something on the right.
pub(super) fn split(start: u64, end: u64) -> u64 {
    let leaves = end - start;
    start + (1 << (leaves - 1).ilog2())
}

/// The root over `[start, end)`, a subtree of the RFC 6962 recursion, complete or not.
pub(super) fn range_root<R: HashReader>(start: u64, end: u64, hashes: &R) -> Result<Hash, R::Error> {
    if (end - start).is_power_of_two() {
        let level = level_of(end - start);
        return hashes.subtree(level, start >> level);
    }
    Ok(fold_peaks(&range_peaks(start, end, hashes)?))
}

/// The roots of the maximal complete subtrees of `[start, end)`, left to right.
fn range_peaks<R: HashReader>(mut start: u64, end: u64, hashes: &R) -> Result<Vec<Hash>, R::Error> {
    let mut peaks = Vec::new();
    while start < end {
        let level = level_of(end - start);
        peaks.push(hashes.subtree(level, start >> level)?);
        start += 1 << level;
    }
    Ok(peaks)
}

/// The level of the largest complete subtree that `leaves` (not zero) leaves can fill.
fn level_of(leaves: u64) -> u8 {
    u8::try_from(leaves.ilog2()).expect("the logarithm of a u64 is below 64")
}

/// A tree that keeps every complete subtree root in memory, 64 bytes a leaf: for tests and small logs.
#[derive(Clone, Debug, Default)]
pub struct MemoryTree {
    frontier: Frontier,
    levels: Vec<Vec<Hash>>,
}

/// The tree has no such complete subtree (yet).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no complete subtree {index} at level {level}")]
pub struct NoSuchSubtree {
    /// The level asked for.
    pub level: u8,
    /// The index asked for.
    pub index: u64,
}

impl MemoryTree {
    /// The tree without leaves.
    pub fn new() -> Self {
        Self::default()
    }

    /// Appends the leaf with this hash.
    pub fn push(&mut self, leaf: Hash) {
        let levels = &mut self.levels;
        self.frontier.push_with(leaf, |level, _, root| {
            let level = usize::from(level);
            if level == levels.len() {
                levels.push(Vec::new());
            }
            if let Some(roots) = levels.get_mut(level) {
                roots.push(root);
            }
        });
    }

    /// How many leaves.
    pub fn size(&self) -> TreeSize {
        self.frontier.size()
    }

    /// Size and root.
    pub fn head(&self) -> LogHead {
        self.frontier.head()
    }

    /// Size and root of its first `size` leaves.
    ///
    /// # Errors
    /// If the tree has fewer.
    pub fn head_at(&self, size: TreeSize) -> Result<LogHead, ProveError<NoSuchSubtree>> {
        Ok(LogHead {
            size,
            root: root_at(size, self)?,
        })
    }
}

impl Extend<Hash> for MemoryTree {
    fn extend<I: IntoIterator<Item = Hash>>(&mut self, leaves: I) {
        leaves.into_iter().for_each(|leaf| self.push(leaf));
    }
}

impl FromIterator<Hash> for MemoryTree {
    fn from_iter<I: IntoIterator<Item = Hash>>(leaves: I) -> Self {
        let mut tree = Self::new();
        tree.extend(leaves);
        tree
    }
}

impl HashReader for MemoryTree {
    type Error = NoSuchSubtree;

    fn subtree(&self, level: u8, index: u64) -> Result<Hash, NoSuchSubtree> {
        self.levels
            .get(usize::from(level))
            .and_then(|roots| roots.get(usize::try_from(index).ok()?))
            .copied()
            .ok_or(NoSuchSubtree { level, index })
    }
}

#[cfg(test)]
#[path = "proof_tests.rs"]
mod tests;
