//! Tile rows: hashes of complete subtrees, half a tile of tlog-tiles (128 hashes) a row.
//!
//! ```text
//! key   | 3 | tile level u8 | half u64 |
//! value | hash | hash | ... 128 x 32 bytes
//! ```
//!
//! Hash `n` of tile level `l` is that of the complete subtree over entries `n * 256^l` to
//! `(n + 1) * 256^l - 1`; half `h` has the hashes `128 h` to `128 h + 127`. Only full halves have rows.

use crate::{bytes::Writer, id::Hash};

/// Hashes per row.
pub(crate) const HALF: usize = 128;
/// Hashes per row, as a number of hashes in the tree.
pub(crate) const HALF_U64: u64 = 128;

/// Names a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct TileKey {
    /// Zero for leaves; each level above has one hash for 256 of the one below.
    pub(crate) level: u8,
    /// Which half tile of the level.
    pub(crate) half: u64,
}

impl TileKey {
    /// The ten bytes.
    pub(crate) fn encode(self) -> Vec<u8> {
        let mut bytes = Writer::with_capacity(10);
        bytes.u8(super::TILE);
        bytes.u8(self.level);
        bytes.u64(self.half);
        bytes.into_vec()
    }

    /// The key in `bytes`, if it is one.
    #[cfg(test)]
    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let read = crate::bytes::Reader::whole(bytes, "key", |from| {
            from.literal(&[super::TILE], "kind of key")?;
            let (level, half) = (from.u8("level")?, from.u64("half tile")?);
            Ok::<_, crate::bytes::BytesError>(Self { level, half })
        });
        read.ok()
    }
}

pub(crate) fn encode(hashes: &[Hash]) -> Vec<u8> {
    debug_assert_eq!(hashes.len(), HALF);
    hashes.iter().flat_map(|hash| *hash.as_bytes()).collect()
}

/// The hashes of a row, or nothing if it is not exactly one.
pub(crate) fn decode(bytes: &[u8]) -> Option<Vec<Hash>> {
    if bytes.len() != 32 * HALF {
        return None;
    }
    bytes.chunks_exact(32).map(Hash::from_slice).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn key_and_value_round_trip(level: u8, half: u64, seed: u64) {
            let key = TileKey { level, half };
            prop_assert_eq!(TileKey::decode(&key.encode()), Some(key));
            let hashes: Vec<Hash> = (0..HALF_U64).map(|n| Hash::of(&[&(n ^ seed).to_be_bytes()])).collect();
            let bytes = encode(&hashes);
            prop_assert_eq!(decode(&bytes[..bytes.len() - 1]), None);
            prop_assert_eq!(decode(&bytes), Some(hashes));
        }

        #[test]
        fn key_order_is_level_then_position(a: (u8, u64), b: (u8, u64)) {
            let [x, y] = [a, b].map(|(level, half)| TileKey { level, half });
            prop_assert_eq!(x.encode().cmp(&y.encode()), x.cmp(&y));
        }
    }
}
