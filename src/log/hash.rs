//! The three hashes of the tree: of a leaf, of a node, and of nothing.
//!
//! ```text
//! leaf   SHA-256( 00 | entry bytes )
//! node   SHA-256( 01 | left[32] | right[32] )
//! empty  SHA-256( )
//! ```
//!
//! The first byte keeps leaves and nodes apart: no entry can be passed off as an inner node. Spec: RFC 6962
//! section 2.1.

use sha2::{Digest, Sha256};

use crate::id::Hash;

/// First byte of what is hashed for a leaf.
const LEAF_PREFIX: u8 = 0x00;
/// First byte of what is hashed for a node.
const NODE_PREFIX: u8 = 0x01;

/// The hash of an entry's bytes, as it stands at level 0 of the tree.
pub fn leaf_hash(entry: &[u8]) -> Hash {
    Hash::of(&[&[LEAF_PREFIX], entry])
}

/// The hash of the node above two subtrees, each given by its root.
pub fn node_hash(left: Hash, right: Hash) -> Hash {
    let mut bytes = [NODE_PREFIX; 65];
    bytes[1..33].copy_from_slice(left.as_bytes());
    bytes[33..].copy_from_slice(right.as_bytes());
    Hash::new(Sha256::digest(bytes).into())
}

/// The root of the log without entries.
pub fn empty_root() -> Hash {
    Hash::of(&[])
}

/// The root of a complete subtree over a row of its nodes, whose number is a power of two; nothing for none.
pub fn complete_root(row: &[Hash]) -> Option<Hash> {
    let mut row = row.to_vec();
    while row.len() > 1 {
        row = row
            .chunks_exact(2)
            .filter_map(|pair| match pair {
                [left, right] => Some(node_hash(*left, *right)),
                _ => None,
            })
            .collect();
    }
    row.first().copied()
}

/// Folds the roots of adjacent subtrees, left to right and ever smaller, into the root above them all.
///
/// This is how a tree whose size is no power of two closes its right edge. No roots: the empty root.
pub(super) fn fold_peaks(peaks: &[Hash]) -> Hash {
    let mut from_right = peaks.iter().rev().copied();
    let Some(rightmost) = from_right.next() else {
        return empty_root();
    };
    from_right.fold(rightmost, |right, left| node_hash(left, right))
}
