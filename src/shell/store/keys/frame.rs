//! Frame rows: where in the value log the frame with a given first entry stands.
//!
//! ```text
//! key   | 2 | first index u64 |
//! value | segment u32 | offset u32 | body len u32 | count u16 |
//! ```
//!
//! An entry is found by the last row whose first index is not above the entry's.

use std::ops::RangeInclusive;

use crate::{
    bytes::{BytesError, Reader, Writer},
    id::LeafIndex,
    shell::store::value_log::{Place, frame::Header},
};

/// The row of one frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FrameRow {
    /// Index of its first entry.
    pub(crate) first: LeafIndex,
    /// Where it stands.
    pub(crate) place: Place,
    /// Length of its body, in bytes: how much to read at once.
    pub(crate) body_len: u32,
    /// Number of its entries.
    pub(crate) count: u16,
}

impl FrameRow {
    /// The row of a frame just written.
    pub(crate) fn new(place: Place, header: &Header) -> Self {
        Self {
            first: header.first,
            place,
            body_len: header.body_len,
            count: header.count,
        }
    }

    /// Whether the frame has the entry.
    pub(crate) fn holds(&self, index: LeafIndex) -> bool {
        index
            .get()
            .checked_sub(self.first.get())
            .is_some_and(|after| after < self.count.into())
    }

    /// The key.
    pub(crate) fn key(&self) -> Vec<u8> {
        key(self.first)
    }

    /// The value.
    pub(crate) fn value(&self) -> Vec<u8> {
        let mut bytes = Writer::with_capacity(14);
        bytes.u32(self.place.segment);
        bytes.u32(self.place.offset);
        bytes.u32(self.body_len);
        bytes.u16(self.count);
        bytes.into_vec()
    }

    /// The row made of `key` and `value`, if it is one.
    pub(crate) fn decode(key: &[u8], value: &[u8]) -> Option<Self> {
        let first = Reader::whole(key, "key", |from| {
            from.literal(&[super::FRAME], "kind of key")?;
            from.u64("first entry")
        });
        let first = LeafIndex::new(first.ok()?);
        let read = Reader::whole(value, "row", |from| {
            Ok::<_, BytesError>(Self {
                first,
                place: Place {
                    segment: from.u32("segment")?,
                    offset: from.u32("offset")?,
                },
                body_len: from.u32("length")?,
                count: from.u16("number of entries")?,
            })
        });
        read.ok()
    }
}

pub(crate) fn up_to(index: LeafIndex) -> RangeInclusive<Vec<u8>> {
    key(LeafIndex::GENESIS)..=key(index)
}

fn key(first: LeafIndex) -> Vec<u8> {
    let mut bytes = Writer::with_capacity(9);
    bytes.u8(super::FRAME);
    bytes.u64(first.get());
    bytes.into_vec()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn row_round_trips(first: u64, segment: u32, offset: u32, body_len: u32, count: u16) {
            let first = LeafIndex::new(first);
            let row = FrameRow { first, place: Place { segment, offset }, body_len, count };
            prop_assert_eq!(FrameRow::decode(&row.key(), &row.value()), Some(row));
        }

        #[test]
        fn key_order_is_log_order(a: u64, b: u64) {
            prop_assert_eq!(key(LeafIndex::new(a)).cmp(&key(LeafIndex::new(b))), a.cmp(&b));
        }
    }
}
