//! Bytes of the outbox's files.
//!
//! ```text
//! header  "lpoutbx1" | u64be generation | u64be batches before this file | u32be crc
//! frame   u32be length | u32be crc | a batch of records
//! slot    "lpoutgen" | u64be generation | u64be batches | feed[32] | u32be crc      every 512 bytes
//! ```
//!
//! A crc is CRC-32 (IEEE) over the bytes before it in a header or slot, and over length and batch in a frame.

use std::io::{self, Read};

use bytes::Bytes;

use crate::{
    bytes::{BytesError, Reader},
    id::FeedId,
};

const MAGIC: &[u8; 8] = b"lpoutbx1";
const SLOT_MAGIC: &[u8; 8] = b"lpoutgen";
pub(super) const HEADER_LEN: usize = 28;
pub(super) const SLOT_LEN: usize = 60;
pub(super) const SLOT_STRIDE: u64 = 512;
/// Longest batch that is written or read, in bytes. A batch is what one turn of the publisher brings about,
/// bounded by what may wait for receipts.
pub(super) const BATCH_LEN_MAX: usize = 256 * 1024 * 1024;
/// How far somebody counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Count {
    pub(super) batches: u64,
    pub(super) generation: u64,
    pub(super) feed: FeedId,
}

pub(super) fn encode_header(generation: u64, before: u64) -> [u8; HEADER_LEN] {
    let mut header = [0; HEADER_LEN];
    header[..8].copy_from_slice(MAGIC);
    header[8..16].copy_from_slice(&generation.to_be_bytes());
    header[16..24].copy_from_slice(&before.to_be_bytes());
    let crc = crc32(&[&header[..24]]);
    header[24..].copy_from_slice(&crc.to_be_bytes());
    header
}

/// Generation, and batches before this file, if the header is whole.
pub(super) fn decode_header(header: &[u8; HEADER_LEN]) -> Option<(u64, u64)> {
    let read = Reader::whole(header, "header", |from| {
        from.literal(MAGIC, "mark")?;
        let said = (from.u64("generation")?, from.u64("batches")?);
        from.literal(&crc32(&[&header[..24]]).to_be_bytes(), "checksum")?;
        Ok::<_, BytesError>(said)
    });
    read.ok()
}

pub(super) fn encode_slot(count: &Count) -> [u8; SLOT_LEN] {
    let mut slot = [0; SLOT_LEN];
    slot[..8].copy_from_slice(SLOT_MAGIC);
    slot[8..16].copy_from_slice(&count.generation.to_be_bytes());
    slot[16..24].copy_from_slice(&count.batches.to_be_bytes());
    slot[24..56].copy_from_slice(count.feed.as_bytes());
    let crc = crc32(&[&slot[..56]]);
    slot[56..].copy_from_slice(&crc.to_be_bytes());
    slot
}

/// What a slot says, if it is whole.
pub(super) fn decode_slot(slot: &[u8]) -> Option<Count> {
    let mut from = Reader::new(slot);
    let covered = from.clone().raw(SLOT_LEN - 4, "slot").ok()?;
    let mut read = || {
        from.literal(SLOT_MAGIC, "mark")?;
        let count = Count {
            generation: from.u64("generation")?,
            batches: from.u64("batches")?,
            feed: from.feed("feed")?,
        };
        from.literal(&crc32(&[covered]).to_be_bytes(), "checksum")?;
        Ok::<_, BytesError>(count)
    };
    read().ok()
}

/// A batch longer than any that is read back, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Oversize(pub(super) usize);

/// A batch in its frame.
pub(super) fn frame(batch: &[u8]) -> Result<Vec<u8>, Oversize> {
    if batch.len() > BATCH_LEN_MAX {
        return Err(Oversize(batch.len()));
    }
    let len = u32::try_from(batch.len())
        .map_err(|_| Oversize(batch.len()))?
        .to_be_bytes();
    let crc = crc32(&[&len, batch]).to_be_bytes();
    Ok([&len, &crc, batch].concat())
}

/// Exactly `N` bytes, or nothing if fewer are left.
pub(super) fn read_array<const N: usize>(reader: &mut impl Read) -> io::Result<Option<[u8; N]>> {
    let mut bytes = [0; N];
    match reader.read_exact(&mut bytes) {
        Ok(()) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(None),
        Err(error) => Err(error),
    }
}

/// The next frame's batch, or nothing if it is not whole.
pub(super) fn read_frame(reader: &mut impl Read) -> io::Result<Option<Bytes>> {
    let Some(head) = read_array::<8>(reader)? else {
        return Ok(None);
    };
    let [l0, l1, l2, l3, crc @ ..] = head;
    let len = [l0, l1, l2, l3];
    let wanted = u64::from(u32::from_be_bytes(len));
    if wanted == 0 || wanted > BATCH_LEN_MAX as u64 {
        return Ok(None);
    }
    let mut batch = Vec::new();
    reader.take(wanted).read_to_end(&mut batch)?;
    let is_whole = batch.len() as u64 == wanted && crc32(&[&len, &batch]).to_be_bytes() == crc;
    Ok(is_whole.then(|| batch.into()))
}

fn crc32(parts: &[&[u8]]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    for part in parts {
        hasher.update(part);
    }
    hasher.finalize()
}
