//! The transparency log: an append-only Merkle tree, proofs about it, and the signed head that pins it.
//!
//! Whoever holds one signed checkpoint can be shown that an entry is in the log (inclusion), that a later
//! log still begins with the earlier one (consistency), and that a set of entries stands at stated places
//! (receipt), with nothing but hashes. In reading order:
//!
//! ```text
//! hash        SHA-256(00 || entry) for a leaf, SHA-256(01 || left || right) for a node
//! tree        LogHead {size, root}; Frontier: all that an appender must remember, O(log n)
//! proof       inclusion and consistency: verified without recursion, made from subtree roots
//! multiproof  many rows at once: the hashes of a receipt
//! tile        the tree and its entries as static files, tile/0/x001/234 and so on
//! note        text signed by named keys
//! checkpoint  the log head as such a note
//! ```
//!
//! The tree of RFC 6962, for seven entries; `*` marks the frontier, the roots of the maximal complete
//! subtrees from left to right (as many as the size has one bits):
//!
//! ```text
//!                 root
//!             /          \
//!          a*               b
//!        /    \           /   \
//!       c      d        e*     |
//!      / \    / \      / \     |
//!     0   1  2   3    4   5    6*
//! ```
//!
//! The rules: RFC 6962 section 2.1 (hashing), RFC 9162 sections 2.1.3 and 2.1.4 (proofs), and C2SP
//! tlog-tiles, signed-note and tlog-checkpoint (files and signatures), to the byte, so that verifiers
//! written by others work on our logs unchanged.
//!
//! Everything here is a pure function of its arguments. Bytes from outside never panic: each parser bounds
//! before it reads, accepts exactly one spelling, and says what it met. Sizes are limited to
//! [`TREE_SIZE_MAX`], which is what a signed 64-bit integer of another implementation can hold.
//!
//! Deliberately absent: storage and network (whoever has subtree roots implements
//! [`HashReader`]); cosignatures and the witness protocol; tlog-proof files; checkpoint
//! extension lines, which nobody could audit, so that they are refused; signature types other than Ed25519,
//! whose lines are ignored as the specification asks; pruned logs.

pub mod checkpoint;
pub mod guarded;
pub mod hash;
pub mod multiproof;
pub mod note;
pub mod proof;
pub mod tile;
pub mod tree;

#[cfg(test)]
mod oracle_tests;
#[cfg(test)]
mod vector_tests;

pub use checkpoint::{Checkpoint, Origin, SignedCheckpoint};
pub use hash::{empty_root, leaf_hash, node_hash};
pub use proof::{HashReader, MemoryTree};
pub use tree::{Frontier, LogHead, TREE_SIZE_MAX};
