//! Head row: how far the index goes, and what the value log and the tree must look like there.
//!
//! ```text
//! key   | 1 |
//! value | size u64 | segment u32 | offset u32 | fingerprint u32 | root 32 bytes | CRC-32 of these |
//! ```

use crate::{
    bytes::{BytesError, Reader, Writer},
    id::Hash,
    shell::store::value_log::{LastFrame, Place},
};

/// The one key.
pub(crate) const KEY: [u8; 1] = [super::HEAD];

/// The value: there is none while the log is empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Head {
    /// How many entries the index covers, never zero.
    pub(crate) size: u64,
    /// The frame that ends with the last of them.
    pub(crate) last: LastFrame,
    /// Root of the tree of that size.
    pub(crate) root: Hash,
}

impl Head {
    /// The 56 bytes of the value.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut bytes = Writer::with_capacity(56);
        bytes.u64(self.size);
        bytes.u32(self.last.place.segment);
        bytes.u32(self.last.place.offset);
        bytes.u32(self.last.fingerprint);
        bytes.raw(self.root.as_bytes());
        bytes.u32(crc32fast::hash(bytes.as_slice()));
        bytes.into_vec()
    }

    /// The value in `bytes`, if it is one, whole.
    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let covered = bytes.get(..52)?;
        let read = Reader::whole(bytes, "head", |from| {
            let head = Self {
                size: from.u64("size")?,
                last: LastFrame {
                    place: Place {
                        segment: from.u32("segment")?,
                        offset: from.u32("offset")?,
                    },
                    fingerprint: from.u32("fingerprint")?,
                },
                root: from.hash("root")?,
            };
            from.literal(&crc32fast::hash(covered).to_be_bytes(), "checksum")?;
            Ok::<_, BytesError>(head)
        });
        read.ok().filter(|head| head.size > 0)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn value_round_trips_and_notices_flips(
            size in 1..u64::MAX, segment: u32, offset: u32, fingerprint: u32, root: [u8; 32], bit in 0..56_usize * 8
        ) {
            let last = LastFrame { place: Place { segment, offset }, fingerprint };
            let head = Head { size, last, root: Hash::new(root) };
            let mut bytes = head.encode();
            prop_assert_eq!(Head::decode(&bytes), Some(head));
            bytes[bit / 8] ^= 1 << (bit % 8);
            prop_assert_eq!(Head::decode(&bytes), None);
        }
    }
}
