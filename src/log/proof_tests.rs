//! Proofs that are wrong in one place each; right ones are in `oracle_tests` and `vector_tests`.

use proptest::prelude::*;

use super::*;
use crate::log::vector_tests::tree;

/// Each way to change one bit of a list of hashes.
fn flipped(hashes: &[Hash]) -> impl Iterator<Item = Vec<Hash>> {
    (0..hashes.len() * 256).map(move |bit| {
        let mut bytes = *hashes[bit / 256].as_bytes();
        bytes[bit % 256 / 8] ^= 1 << (bit % 8);
        let mut changed = hashes.to_vec();
        changed[bit / 256] = Hash::new(bytes);
        changed
    })
}

/// Each way to leave out, repeat or insert one hash.
fn resized(hashes: &[Hash]) -> impl Iterator<Item = Vec<Hash>> {
    let without = (0..hashes.len()).map(|at| [&hashes[..at], &hashes[at + 1..]].concat());
    let inserted = (0..=hashes.len()).map(|at| [&hashes[..at], &[Hash::ZERO], &hashes[at..]].concat());
    let repeated = (0..hashes.len()).map(|at| [&hashes[..=at], &hashes[at..]].concat());
    without.chain(inserted).chain(repeated)
}

#[test]
fn refuses_inclusion_with_any_bit_flipped_or_any_hash_too_many_or_too_few() {
    for size in [1, 2, 3, 7, 8, 13, 33] {
        let tree = tree(size);
        let head = tree.head();
        for index in (0..size).map(LeafIndex::new) {
            let leaf = tree.subtree(0, index.get()).unwrap();
            let path = prove_inclusion(index, head.size, &tree).unwrap();
            assert_eq!(verify_inclusion(index, leaf, &head, &path), Ok(()));
            for wrong in flipped(&path) {
                let verdict = verify_inclusion(index, leaf, &head, &wrong);
                assert!(
                    matches!(verdict, Err(ProofError::RootMismatch { .. })),
                    "{verdict:?}"
                );
            }
            for wrong in resized(&path) {
                let verdict = verify_inclusion(index, leaf, &head, &wrong);
                assert!(
                    matches!(verdict, Err(ProofError::WrongLength { .. })),
                    "{verdict:?}"
                );
            }
            for wrong in flipped(&[leaf]) {
                assert!(verify_inclusion(index, wrong[0], &head, &path).is_err());
            }
            for wrong in flipped(&[head.root]) {
                let head = LogHead {
                    root: wrong[0],
                    ..head
                };
                assert!(verify_inclusion(index, leaf, &head, &path).is_err());
            }
            for wrong in (0..size + 2).map(LeafIndex::new).filter(|wrong| *wrong != index) {
                assert!(verify_inclusion(wrong, leaf, &head, &path).is_err());
            }
        }
    }
}

#[test]
fn refuses_consistency_with_any_bit_flipped_or_any_hash_too_many_or_too_few() {
    for size in [1, 2, 3, 7, 8, 13, 33] {
        let tree = tree(size);
        let new = tree.head();
        for old in (1..=size).map(|old| tree.head_at(TreeSize::new(old)).unwrap()) {
            let proof = prove_consistency(old.size, new.size, &tree).unwrap();
            assert_eq!(verify_consistency(&old, &new, &proof), Ok(()));
            for wrong in flipped(&proof) {
                assert!(verify_consistency(&old, &new, &wrong).is_err());
            }
            for wrong in resized(&proof) {
                let verdict = verify_consistency(&old, &new, &wrong);
                assert!(
                    matches!(verdict, Err(ProofError::WrongLength { .. })),
                    "{verdict:?}"
                );
            }
            for wrong in flipped(&[old.root, new.root]) {
                let (old, new) = (
                    LogHead {
                        root: wrong[0],
                        ..old
                    },
                    LogHead {
                        root: wrong[1],
                        ..new
                    },
                );
                assert!(verify_consistency(&old, &new, &proof).is_err());
            }
        }
    }
}

#[test]
fn everything_extends_the_empty_log_and_nothing_extends_a_longer_one() {
    let tree = tree(5);
    let (empty, head) = (LogHead::empty(), tree.head());
    assert_eq!(verify_consistency(&empty, &head, &[]), Ok(()));
    assert_eq!(verify_consistency(&empty, &empty, &[]), Ok(()));
    assert_eq!(prove_consistency(empty.size, head.size, &tree), Ok(vec![]));
    assert_eq!(prove_consistency(empty.size, empty.size, &tree), Ok(vec![]));
    assert_eq!(
        verify_consistency(&empty, &head, &[Hash::ZERO]),
        Err(ProofError::WrongLength { got: 1 })
    );
    let false_empty = LogHead {
        root: Hash::ZERO,
        ..empty
    };
    for new in [&head, &false_empty] {
        let verdict = verify_consistency(&false_empty, new, &[]);
        assert!(
            matches!(verdict, Err(ProofError::OldRootMismatch { .. })),
            "{verdict:?}"
        );
    }
    let verdict = verify_consistency(&empty, &false_empty, &[]);
    assert!(
        matches!(verdict, Err(ProofError::RootMismatch { .. })),
        "{verdict:?}"
    );
    let shrunk = ProofError::Shrunk {
        old: head.size,
        new: empty.size,
    };
    assert_eq!(verify_consistency(&head, &empty, &[]), Err(shrunk));
    assert!(prove_consistency(head.size, empty.size, &tree).is_err());
}

#[test]
fn nothing_is_included_in_the_empty_log() {
    let (index, head) = (LeafIndex::GENESIS, LogHead::empty());
    let out_of_range = ProofError::IndexOutOfRange {
        index,
        size: head.size,
    };
    assert_eq!(verify_inclusion(index, head.root, &head, &[]), Err(out_of_range));
    assert!(prove_inclusion(index, head.size, &MemoryTree::new()).is_err());
}

#[test]
fn refuses_more_hashes_than_any_proof_has() {
    let head = LogHead {
        size: TreeSize::new(u64::MAX),
        root: Hash::ZERO,
    };
    let long = [Hash::ZERO; 64];
    let too_long = Err(ProofError::TooLong { got: 64 });
    assert_eq!(
        verify_inclusion(LeafIndex::GENESIS, Hash::ZERO, &head, &long),
        too_long
    );
    assert_eq!(verify_consistency(&head, &head, &long), too_long);
}

#[test]
fn a_reader_without_the_hashes_stops_the_proof() {
    let tree = tree(5);
    let beyond = TreeSize::new(9);
    let missing = NoSuchSubtree { level: 3, index: 0 };
    assert_eq!(
        prove_inclusion(LeafIndex::new(8), beyond, &tree),
        Err(ProveError::Read(missing))
    );
    assert_eq!(root_at(beyond, &tree), Err(ProveError::Read(missing)));
    let size = TreeSize::new(TREE_SIZE_MAX + 1);
    assert_eq!(root_at(size, &tree), Err(ProveError::SizeTooLarge { size }));
    assert_eq!(
        prove_inclusion(LeafIndex::GENESIS, size, &tree),
        Err(ProveError::SizeTooLarge { size })
    );
    assert_eq!(
        prove_consistency(beyond, size, &tree),
        Err(ProveError::SizeTooLarge { size })
    );
    assert!(frontier_at(size, &tree).is_err());
}

/// Numbers at the edges, where arithmetic goes wrong first.
fn edgy() -> impl Strategy<Value = u64> {
    prop_oneof![
        0_u64..5,
        (0_u32..64).prop_map(|bit| 1 << bit),
        any::<u64>(),
        Just(u64::MAX),
        Just(u64::MAX - 1)
    ]
}

proptest! {
    #[test]
    fn no_numbers_make_verification_panic(one in edgy(), other in edgy(), len in 0_usize..66) {
        let hashes = vec![Hash::ZERO; len];
        let [one_head, other_head] =
            [one, other].map(|size| LogHead { size: TreeSize::new(size), root: Hash::ZERO });
        prop_assert!(verify_inclusion(LeafIndex::new(one), Hash::ZERO, &other_head, &hashes).is_err()
            || (one == 0 && other == 1 && len == 0));
        let same = one == other && one != 0 && len == 0;
        prop_assert_eq!(verify_consistency(&one_head, &other_head, &hashes).is_ok(), same);
    }
}
