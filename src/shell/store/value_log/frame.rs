//! Frames: the unit that is written, checked and read back.
//!
//! ```text
//!  0        8       12             20    22        26        30        34
//! +--------+-------+--------------+-----+---------+---------+---------+------------------------+
//! | mark   | commit| first index  |count| body len| body CRC| head CRC| body                   |
//! | 8 bytes| u32   | u64          |u16  | u32     | u32     | u32     | count x (u16 len, entry)|
//! +--------+-------+--------------+-----+---------+---------+---------+------------------------+
//! ```
//!
//! All numbers are big-endian; both CRCs are CRC-32 (IEEE). The body is in the framing of tlog-tiles
//! entry bundles, and no frame crosses a multiple of 256 entries, so a bundle is a concatenation of
//! bodies.
//!
//! *mark* is drawn at random for each segment and never published: no entry, whoever wrote it, can
//! contain what looks like a frame of this segment. *commit* is the offset in this segment where the
//! commit of this frame begins. The two decide what a broken frame means (see `recovery`).

use bytes::Bytes;

use crate::{
    bytes::{BytesError, Reader, Writer},
    id::{Hash, LeafIndex},
    port::ENTRY_LEN_MAX,
};

/// Length of a frame's header, in bytes.
pub(crate) const HEADER_LEN: usize = 34;
/// Entries per tlog-tiles bundle; no frame crosses a multiple of it.
pub(crate) const BUNDLE: u64 = 256;
/// The longest body: 256 entries of the longest kind.
pub(crate) const BODY_LEN_MAX: usize = 256 * (2 + ENTRY_LEN_MAX);

/// Random bytes that tell frames of one segment from everything else.
pub(crate) type Mark = [u8; 8];

/// What stands before a frame's body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    /// Offset in the segment of the first frame of the same commit.
    pub(crate) commit: u32,
    /// Index of the first entry.
    pub(crate) first: LeafIndex,
    /// Number of entries, 1 to 256.
    pub(crate) count: u16,
    /// Length of the body, in bytes.
    pub(crate) body_len: u32,
    /// CRC-32 of the body.
    pub(crate) body_crc: u32,
}

impl Header {
    /// The 34 bytes.
    pub(crate) fn encode(&self, mark: Mark) -> [u8; HEADER_LEN] {
        let mut bytes = Writer::with_capacity(HEADER_LEN);
        bytes.raw(&mark);
        bytes.u32(self.commit);
        bytes.u64(self.first.get());
        bytes.u16(self.count);
        bytes.u32(self.body_len);
        bytes.u32(self.body_crc);
        bytes.u32(crc32fast::hash(bytes.as_slice()));
        bytes
            .into_vec()
            .try_into()
            .expect("the fields add up to the header's length")
    }

    /// The header at the start of `bytes`, if one of this segment stands there whole.
    pub(crate) fn decode(bytes: &[u8], mark: Mark) -> Option<Self> {
        let mut from = Reader::new(bytes);
        let covered = from.clone().raw(HEADER_LEN - 4, "header").ok()?;
        let mut read = || {
            from.literal(&mark, "mark")?;
            let header = Self {
                commit: from.u32("commit")?,
                first: LeafIndex::new(from.u64("first entry")?),
                count: from.u16("number of entries")?,
                body_len: from.u32("length")?,
                body_crc: from.u32("checksum of the body")?,
            };
            from.literal(&crc32fast::hash(covered).to_be_bytes(), "checksum")?;
            Ok::<_, BytesError>(header)
        };
        let header = read().ok()?;
        let count = u64::from(header.count);
        let fits_bundle = (1..=BUNDLE).contains(&count) && header.first.get() % BUNDLE + count <= BUNDLE;
        let fits_body = usize::try_from(header.body_len).is_ok_and(|len| len <= BODY_LEN_MAX);
        (fits_bundle && fits_body && header.first.get() < u64::MAX - BUNDLE).then_some(header)
    }

    /// Length of the whole frame, in bytes.
    pub(crate) fn frame_len(&self) -> u32 {
        // `HEADER_LEN` and a body of at most 16.8 MB: see `BODY_LEN_MAX`.
        34 + self.body_len
    }

    /// Index after the last entry.
    pub(crate) fn end(&self) -> u64 {
        self.first.get() + u64::from(self.count)
    }

    /// Tells this frame from any other that could stand at its place.
    pub(crate) fn fingerprint(&self, mark: Mark) -> u32 {
        crc32fast::hash(&self.encode(mark))
    }

    /// Whether `body` is what was written after this header.
    pub(crate) fn matches(&self, body: &[u8]) -> bool {
        u32::try_from(body.len()).is_ok_and(|len| len == self.body_len)
            && crc32fast::hash(body) == self.body_crc
    }
}

/// Appends one frame with these entries to `buffer`.
///
/// The caller has checked that there are 1 to 256 entries of at most 65,535 bytes each.
pub(crate) fn push(
    buffer: &mut Vec<u8>,
    mark: Mark,
    commit: u32,
    first: LeafIndex,
    entries: &[(Bytes, Hash)],
) -> Header {
    let start = buffer.len();
    buffer.resize(start + HEADER_LEN, 0);
    for (entry, _) in entries {
        let len = u16::try_from(entry.len()).expect("entries are bounded before they are framed");
        buffer.extend_from_slice(&len.to_be_bytes());
        buffer.extend_from_slice(entry);
    }
    let body = &buffer[start + HEADER_LEN..];
    let header = Header {
        commit,
        first,
        count: u16::try_from(entries.len()).expect("at most 256 entries a frame"),
        body_len: u32::try_from(body.len()).expect("at most 256 entries of 64 KiB"),
        body_crc: crc32fast::hash(body),
    };
    buffer[start..start + HEADER_LEN].copy_from_slice(&header.encode(mark));
    header
}

/// The entries of a body, sharing its memory, or nothing if it is not exactly `count` entries.
pub(crate) fn entries(body: &Bytes, count: u16) -> Option<Vec<Bytes>> {
    let mut from = Reader::new(body);
    let entries = (0..count).map(|_| Some(body.slice_ref(from.short_bytes("entry").ok()?)));
    let entries = entries.collect::<Option<_>>()?;
    from.is_empty().then_some(entries)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MARK: Mark = *b"\x01mark\x02\x03\x04";

    fn sample() -> (Vec<u8>, Header) {
        let mut buffer = Vec::new();
        let rows: Vec<_> = [&b"one"[..], b"", b"three"]
            .map(|e| (Bytes::from_static(e), Hash::ZERO))
            .into_iter()
            .collect();
        let header = push(&mut buffer, MARK, 40, LeafIndex::new(7), &rows);
        (buffer, header)
    }

    proptest! {
        #[test]
        fn header_round_trips(commit: u32, first in 0..u64::MAX / 2, count in 1..=256_u16, body_len in 0..1_000_000_u32, body_crc: u32) {
            let first = first / BUNDLE * BUNDLE;
            let header = Header { commit, first: LeafIndex::new(first), count, body_len, body_crc };
            prop_assert_eq!(Header::decode(&header.encode(MARK), MARK), Some(header));
        }

        #[test]
        fn any_bytes_decode_or_do_not(bytes in prop::collection::vec(any::<u8>(), 0..100), count: u16) {
            let _ = Header::decode(&bytes, MARK);
            let _ = entries(&Bytes::from(bytes), count);
        }
    }

    #[test]
    fn entries_come_back() {
        let (buffer, header) = sample();
        assert_eq!(Header::decode(&buffer, MARK), Some(header));
        assert_eq!(buffer.len(), usize::try_from(header.frame_len()).unwrap());
        let body = Bytes::from(buffer).split_off(HEADER_LEN);
        assert!(header.matches(&body));
        assert_eq!(
            entries(&body, header.count).unwrap(),
            [&b"one"[..], b"", b"three"]
        );
        assert_eq!(header.end(), 10);
    }

    #[test]
    fn every_flipped_bit_and_every_cut_is_noticed() {
        let (buffer, header) = sample();
        let intact = |bytes: &[u8]| {
            Header::decode(bytes, MARK)
                .is_some_and(|found| found == header && found.matches(&bytes[HEADER_LEN..]))
        };
        assert!(intact(&buffer));
        for bit in 0..buffer.len() * 8 {
            let mut flipped = buffer.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(!intact(&flipped), "bit {bit}");
        }
        for len in 0..buffer.len() {
            assert!(!intact(&buffer[..len]), "cut at {len}");
        }
    }

    #[test]
    fn frame_of_another_segment_is_no_frame() {
        let (buffer, _) = sample();
        assert_eq!(Header::decode(&buffer, *b"12345678"), None);
    }
}
