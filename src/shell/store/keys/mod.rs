//! The rows of the index, one file for each kind: a tag byte, then big-endian fields, so that key order
//! is the order of what they name.
//!
//! | tag | kind | key | value |
//! |---|---|---|---|
//! | 1 | head | | how far the index goes, and what it must agree with |
//! | 2 | frame | first index | place of the frame in the value log |
//! | 3 | tile | tile level, half | 128 hashes of complete subtrees |
//! | 4 | chunk | namespace, key | bytes of the ledger's folded state |
//!
//! All rows but the head and chunks are written once. Values stay below 4 KiB or so: sled writes nodes of
//! up to 17 values, and nodes above 128 KiB go to files that it never syncs.

pub(crate) mod chunk;
pub(crate) mod frame;
pub(crate) mod head;
pub(crate) mod tile;

const HEAD: u8 = 1;
const FRAME: u8 = 2;
const TILE: u8 = 3;
const CHUNK: u8 = 4;
