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

/// The root over a row of equally large subtrees, given by their roots; nothing for none.
///
/// It is a complete subtree if their number is a power of two. Nothing is allocated.
pub fn row_root(row: &[Hash]) -> Option<Hash> {
    match row {
        [] => None,
        [only] => Some(*only),
        _ => {
            // The largest power of two that leaves something on the right: RFC 6962's split.
            let (left, right) = row.split_at(row.len().next_power_of_two() / 2);
            Some(node_hash(row_root(left)?, row_root(right)?))
        }
    }
}

/// The roots of the maximal complete subtrees over a row of equally large ones, largest first.
pub(super) fn row_peaks(row: &[Hash]) -> Vec<Hash> {
    let mut rest = row;
    let mut peaks = Vec::new();
    while !rest.is_empty() {
        let (subtree, after) = rest.split_at(1 << rest.len().ilog2());
        peaks.extend(row_root(subtree));
        rest = after;
    }
    peaks
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roots_match_certificate_transparency_test_vectors() {
        // Inputs and roots of the Merkle tree tests published with RFC 6962 implementations.
        let entries: [&[u8]; 8] = [
            b"",
            b"\x00",
            b"\x10",
            b"\x20\x21",
            b"\x30\x31",
            b"\x40\x41\x42\x43",
            b"\x50\x51\x52\x53\x54\x55\x56\x57",
            b"\x60\x61\x62\x63\x64\x65\x66\x67\x68\x69\x6a\x6b\x6c\x6d\x6e\x6f",
        ];
        let roots = [
            "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
            "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
            "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
            "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
            "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
            "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
            "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
            "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
        ];
        let leaves: Vec<Hash> = entries.iter().map(|entry| leaf_hash(entry)).collect();
        for (size, root) in roots.iter().enumerate() {
            let leaves = &leaves[..=size];
            assert_eq!(row_root(leaves).unwrap().to_string(), *root, "size {}", size + 1);
            assert_eq!(
                fold_peaks(&row_peaks(leaves)).to_string(),
                *root,
                "size {}",
                size + 1
            );
        }
        assert_eq!((row_root(&[]), fold_peaks(&row_peaks(&[]))), (None, empty_root()));
    }
}
