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
        Err(MultiproofError::SurplusHash {
            surplus: unused.len(),
            got: hashes.len(),
        })
    }
}

/// Verifies that every row stands at its place in the log with this head.
///
/// # Errors
/// As [`root`], and if the root is not the head's.
pub fn verify(head: &LogHead, rows: &[(LeafIndex, Hash)], hashes: &[Hash]) -> Result<(), MultiproofError> {
    let got = root(head.size, rows, hashes)?;
    if got == head.root {
        Ok(())
    } else {
        Err(MultiproofError::RootMismatch {
            expected: head.root,
            got,
        })
    }
}

fn check_rows(size: TreeSize, mut indices: impl Iterator<Item = LeafIndex>) -> Result<(), MultiproofError> {
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
        Err(MultiproofError::IndexOutOfRange {
            index: previous,
            size,
        })
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;
    use crate::log::{
        proof::{prove_inclusion, verify_inclusion},
        vector_tests::tree,
    };

    fn rows_of(tree: &impl HashReader, indices: &[u64]) -> Vec<(LeafIndex, Hash)> {
        indices
            .iter()
            .map(|index| (LeafIndex::new(*index), tree.subtree(0, *index).unwrap()))
            .collect()
    }

    fn indices_of(rows: &[(LeafIndex, Hash)]) -> Vec<LeafIndex> {
        rows.iter().map(|(index, _)| *index).collect()
    }

    fn flip(hash: Hash, bit: usize) -> Hash {
        let mut bytes = *hash.as_bytes();
        bytes[bit % 256 / 8] ^= 1 << (bit % 8);
        Hash::new(bytes)
    }

    #[test]
    fn hashes_are_the_maximal_subtrees_without_a_row_left_to_right() {
        let tree = tree(7);
        let leaf = |index| tree.subtree(0, index).unwrap();
        let pair = |index| tree.subtree(1, index).unwrap();
        let right = node_hash(pair(2), leaf(6));
        for (rows, expected) in [
            (&[1, 4][..], vec![leaf(0), pair(1), leaf(5), leaf(6)]),
            (&[0], vec![leaf(1), pair(1), right]),
            (&[2, 3], vec![pair(0), right]),
            (&[6], vec![tree.subtree(2, 0).unwrap(), pair(2)]),
            (&[0, 1, 2, 3, 4, 5, 6], vec![]),
        ] {
            let rows = rows_of(&tree, rows);
            let hashes = build(tree.size(), &indices_of(&rows), &tree).unwrap();
            assert_eq!(hashes, expected);
            assert_eq!(verify(&tree.head(), &rows, &hashes), Ok(()));
        }
    }

    #[test]
    fn every_set_of_rows_of_a_small_tree_proves_itself() {
        for size in 1..=10_u64 {
            let tree = tree(size);
            for set in 1_u64..1 << size {
                let picked: Vec<u64> = (0..size).filter(|index| set >> index & 1 == 1).collect();
                let rows = rows_of(&tree, &picked);
                let hashes = build(tree.size(), &indices_of(&rows), &tree).unwrap();
                assert_eq!(verify(&tree.head(), &rows, &hashes), Ok(()));
            }
        }
    }

    #[test]
    fn one_row_needs_the_hashes_of_its_inclusion_path() {
        let tree = tree(100);
        for index in (0..100).map(LeafIndex::new) {
            let mut path = prove_inclusion(index, tree.size(), &tree).unwrap();
            let mut hashes = build(tree.size(), &[index], &tree).unwrap();
            path.sort();
            hashes.sort();
            assert_eq!(hashes, path);
        }
    }

    #[test]
    fn refuses_rows_that_are_none_unsorted_repeated_or_beyond_the_log() {
        let tree = tree(7);
        let at = LeafIndex::new;
        for (indices, error) in [
            (&[][..], MultiproofError::NoRows),
            (
                &[2, 1],
                MultiproofError::NotAscending {
                    previous: at(2),
                    next: at(1),
                },
            ),
            (
                &[1, 1],
                MultiproofError::NotAscending {
                    previous: at(1),
                    next: at(1),
                },
            ),
            (
                &[7],
                MultiproofError::IndexOutOfRange {
                    index: at(7),
                    size: tree.size(),
                },
            ),
            (
                &[1, u64::MAX],
                MultiproofError::IndexOutOfRange {
                    index: at(u64::MAX),
                    size: tree.size(),
                },
            ),
        ] {
            let rows: Vec<_> = indices.iter().map(|index| (at(*index), Hash::ZERO)).collect();
            assert_eq!(root(tree.size(), &rows, &[Hash::ZERO; 9]), Err(error));
            assert_eq!(
                build(tree.size(), &indices_of(&rows), &tree),
                Err(BuildError::Rows(error))
            );
        }
        let size = TreeSize::new(TREE_SIZE_MAX + 1);
        let row = (LeafIndex::GENESIS, Hash::ZERO);
        assert_eq!(
            root(size, &[row], &[]),
            Err(MultiproofError::SizeTooLarge { size })
        );
        assert!(root(TreeSize::EMPTY, &[row], &[]).is_err());
    }

    #[test]
    fn the_longest_log_is_walked_without_trouble() {
        let size = TreeSize::new(TREE_SIZE_MAX);
        let rows = [LeafIndex::GENESIS, LeafIndex::new(TREE_SIZE_MAX - 1)].map(|row| (row, Hash::ZERO));
        // Leaf 0 has 62 siblings below the left child of the root, the last leaf 61 below the right one.
        let hashes = [Hash::ZERO; 200];
        assert_eq!(
            root(size, &rows, &hashes),
            Err(MultiproofError::SurplusHash {
                surplus: 77,
                got: 200
            })
        );
        assert!(root(size, &rows, &hashes[..123]).is_ok());
        assert_eq!(
            root(size, &rows, &hashes[..122]),
            Err(MultiproofError::MissingHash { got: 122 })
        );
    }

    proptest! {
        #[test]
        fn any_rows_prove_themselves_and_nothing_else(
            size in 1_u64..600,
            picks in prop::collection::vec(any::<prop::sample::Index>(), 1..40),
            at: prop::sample::Index,
            bit: prop::sample::Index,
            other_size in 1_u64..600,
        ) {
            let tree = tree(600);
            let head = tree.head_at(TreeSize::new(size))?;
            let picked: BTreeSet<u64> = picks.iter().map(|pick| pick.index(600) as u64 % size).collect();
            let picked: Vec<u64> = picked.into_iter().collect();
            let rows = rows_of(&tree, &picked);
            let hashes = build(head.size, &indices_of(&rows), &tree)?;
            prop_assert_eq!(root(head.size, &rows, &hashes), Ok(head.root));
            prop_assert_eq!(verify(&head, &rows, &hashes), Ok(()));
            for (index, leaf) in &rows {
                let path = prove_inclusion(*index, head.size, &tree)?;
                prop_assert_eq!(verify_inclusion(*index, *leaf, &head, &path), Ok(()));
            }

            // A changed hash.
            if !hashes.is_empty() {
                let mut wrong = hashes.clone();
                let place = at.index(wrong.len());
                wrong[place] = flip(wrong[place], bit.index(256));
                prop_assert!(verify(&head, &rows, &wrong).is_err());
                let mut shorter = hashes.clone();
                shorter.remove(place);
                let missing = Err(MultiproofError::MissingHash { got: shorter.len() });
                prop_assert_eq!(root(head.size, &rows, &shorter), missing);
            }
            let longer = [hashes.as_slice(), &[Hash::ZERO]].concat();
            let surplus = Err(MultiproofError::SurplusHash { surplus: 1, got: longer.len() });
            prop_assert_eq!(root(head.size, &rows, &longer), surplus);

            // A changed row: another hash, another place, one row fewer.
            let place = at.index(rows.len());
            let mut wrong = rows.clone();
            wrong[place].1 = flip(wrong[place].1, bit.index(256));
            prop_assert!(verify(&head, &wrong, &hashes).is_err());
            for other in [0, size / 2, size - 1, size].map(LeafIndex::new) {
                let mut wrong = rows.clone();
                if wrong[place].0 != other {
                    wrong[place].0 = other;
                    prop_assert!(verify(&head, &wrong, &hashes).is_err());
                }
            }
            let mut wrong = rows.clone();
            wrong.remove(place);
            prop_assert!(verify(&head, &wrong, &hashes).is_err());

            // Another size of the same log, with its own root.
            if other_size != size {
                let other = tree.head_at(TreeSize::new(other_size))?;
                prop_assert!(verify(&other, &rows, &hashes).is_err());
            }
        }
    }
}
