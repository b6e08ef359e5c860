//! One proof for many rows: the hashes of a receipt.
//!
//! A receipt covers all entries that one feed got in one commit. Single inclusion paths would repeat most of
//! their hashes, so the receipt carries each needed hash once, and no positions: the set of rows and the size
//! say where every hash belongs.
//!
//! Walk the RFC 6962 recursion over `[0, size)` from the root, left before right. A subtree without a row is
//! not entered; its root is the next hash. A leaf that is a row gives its own hash. So the hashes are the
//! roots of the *maximal* subtrees without a row, left to right; at the right edge such a subtree need not be
//! complete. For rows 1 and 4 of 7:
//!
//! ```text
//!                 .
//!             /          \
//!          .                .            hashes  [0] [2,3] [5] [6]
//!        /    \           /   \
//!       .     [2,3]      .    [6]
//!      / \              / \
//!    [0]  1            4  [5]
//! ```
//!
//! A surplus or a missing hash rejects. The size alone is not bound (see [`super::proof`]): compare with the
//! whole head, as [`verify`] does. Spec: `proto/README.md`, "Receipt hashes".

use super::{
    hash::node_hash,
    proof::{HashReader, range_root, split},
    tree::{LogHead, TREE_SIZE_MAX},
};
use crate::id::{Hash, LeafIndex, TreeSize};

/// Why rows and hashes are no proof.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MultiproofError {
    /// A proof is about at least one row.
    #[error("no rows")]
    NoRows,
    /// Rows ascend by index, each once.
    #[error("row {next} follows row {previous}")]
    NotAscending {
        /// The earlier row.
        previous: LeafIndex,
        /// The row that should have been larger.
        next: LeafIndex,
    },
    /// The log is not that long.
    #[error("no entry {index} in a log of {size}")]
    IndexOutOfRange {
        /// The row.
        index: LeafIndex,
        /// The size of the log.
        size: TreeSize,
    },
    /// No log is that long.
    #[error("a log of {size} entries is beyond the limit of {TREE_SIZE_MAX}")]
    SizeTooLarge {
        /// The size given.
        size: TreeSize,
    },
    /// The hashes ran out.
    #[error("{got} hashes are too few for these rows")]
    MissingHash {
        /// Hashes given.
        got: usize,
    },
    /// Hashes were left over.
    #[error("{surplus} of {got} hashes are too many for these rows")]
    SurplusHash {
        /// Hashes left over.
        surplus: usize,
        /// Hashes given.
        got: usize,
    },
    /// Rows and hashes lead elsewhere.
    #[error("the rows lead to root {got}, expected {expected}")]
    RootMismatch {
        /// The root of the head given.
        expected: Hash,
        /// The root computed.
        got: Hash,
    },
}

/// Why a proof could not be made.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum BuildError<E: std::error::Error + 'static> {
    /// The rows asked for are none.
    #[error("unusable rows")]
    Rows(#[source] MultiproofError),
    /// The reader failed.
    #[error("could not read a subtree hash")]
    Read(#[source] E),
}

/// Makes the hashes that prove the rows at `indices` (ascending) in the log of the first `size` entries.
///
/// # Errors
/// If the indices are none, not ascending or not in the log, or the reader fails.
pub fn build<R: HashReader>(
    size: TreeSize,
    indices: &[LeafIndex],
    hashes: &R,
) -> Result<Vec<Hash>, BuildError<R::Error>> {
    check_rows(size, indices.iter().copied()).map_err(BuildError::Rows)?;
    let mut proof = Vec::new();
    collect(0, size.get(), indices, hashes, &mut proof).map_err(BuildError::Read)?;
    Ok(proof)
}

/// The root to which `rows` (ascending, each with its leaf hash) and `hashes` lead in a log of `size`.
///
/// # Errors
/// If the rows are none, not ascending or not in the log, or a hash is missing or left over.
pub fn root(size: TreeSize, rows: &[(LeafIndex, Hash)], hashes: &[Hash]) -> Result<Hash, MultiproofError> {
    check_rows(size, rows.iter().map(|(index, _)| *index))?;
    let mut unused = hashes;
    let missing = MultiproofError::MissingHash { got: hashes.len() };
    let root = fold(0, size.get(), rows, &mut unused).ok_or(missing)?;
    if unused.is_empty() {
        Ok(root)
    } else {
        Err(MultiproofError::SurplusHash { surplus: unused.len(), got: hashes.len() })
    }
}

/// Verifies that every row stands at its place in the log with this head.
///
/// # Errors
/// As [`root`], and if the root is not the head's.
pub fn verify(head: &LogHead, rows: &[(LeafIndex, Hash)], hashes: &[Hash]) -> Result<(), MultiproofError> {
    let got = root(head.size, rows, hashes)?;
    if got == head.root { Ok(()) } else { Err(MultiproofError::RootMismatch { expected: head.root, got }) }
}

fn check_rows(
    size: TreeSize,
    mut indices: impl Iterator<Item = LeafIndex>,
) -> Result<(), MultiproofError> {
    if size.get() > TREE_SIZE_MAX {
        return Err(MultiproofError::SizeTooLarge { size });
    }
    let mut previous = indices.next().ok_or(MultiproofError::NoRows)?;
    for next in indices {
        if next <= previous {
            return Err(MultiproofError::NotAscending { previous, next });
        }
        previous = next;
    }
    // Ascending, so if the last is in the log, all are.
    if size.contains(previous) {
        Ok(())
    } else {
        Err(MultiproofError::IndexOutOfRange { index: previous, size })
    }
}

/// Appends the hashes of `[start, end)`. Each call halves the range, so at most 63 are nested.
fn collect<R: HashReader>(
    start: u64,
    end: u64,
    rows: &[LeafIndex],
    hashes: &R,
    proof: &mut Vec<Hash>,
) -> Result<(), R::Error> {
    if rows.is_empty() {
        proof.push(range_root(start, end, hashes)?);
        return Ok(());
    }
    if end - start == 1 {
        return Ok(());
    }
    let middle = split(start, end);
    let (left, right) = rows.split_at(rows.partition_point(|row| row.get() < middle));
    collect(start, middle, left, hashes, proof)?;
    collect(middle, end, right, hashes, proof)
}

/// The root of `[start, end)`, taking hashes from the front of `unused`; nothing if they run out. Nested at
/// most 63 deep, and never entered without a row, so the work is bounded by rows and levels, not by the size.
fn fold(start: u64, end: u64, rows: &[(LeafIndex, Hash)], unused: &mut &[Hash]) -> Option<Hash> {
    let Some((_, leaf)) = rows.first() else {
        let (next, rest) = unused.split_first()?;
        *unused = rest;
        return Some(*next);
    };
    if end - start == 1 {
        return Some(*leaf);
    }
    let middle = split(start, end);
    let (left, right) = rows.split_at(rows.partition_point(|(row, _)| row.get() < middle));
    let left = fold(start, middle, left, unused)?;
    let right = fold(middle, end, right, unused)?;
    Some(node_hash(left, right))
}
