//! Snapshots: the folded state and the tree's right edge at one size, as bytes.
//!
//! ```text
//! snapshot    u64 size | i64 recorded_at | u8 n, n hashes (frontier) | register | u32 n, n feeds
//! feed        feed[32] | u64 rows before these | u8 n, n rows | u8 equivocated | u8 0, or 1 and open event
//! open event  u32 len, id | u32 next | u32 count | part digest[32]
//! row         u64 index | statement hash[32] | i64 recorded_at | u16 outcome
//! row chunk   64 rows
//! ```
//!
//! All numbers are big-endian. What is derived from entry 0 is not in it: a snapshot is taken up by the state
//! of a genesis. A snapshot's bytes follow from the log alone, whatever rows are in memory: of each feed it
//! holds those of the newest row's chunk, and older ones are looked up. Nothing here is believed: who reads one
//! compares its checksum, its frontier's root and its size (`kept`).

use std::collections::{BTreeMap, VecDeque};

use super::{
    Feed, FeedRow, LedgerState,
    feed::{CHUNK_ROWS, RowChunk, Window},
    parts::OpenEvent,
};
use crate::{
    code::Outcome,
    id::{FeedId, Hash, LeafIndex, TreeSize},
    log::tree::Frontier,
    register::Register,
    time::RecordedAt,
};

/// Bytes of a row.
const ROW_LEN: usize = 50;

/// Bytes being written.
#[derive(Default)]
pub(crate) struct Writer(pub(crate) Vec<u8>);

impl Writer {
    pub(crate) fn u8(&mut self, value: u8) {
        self.0.push(value);
    }

    pub(crate) fn u32(&mut self, value: u32) {
        self.0.extend_from_slice(&value.to_be_bytes());
    }

    pub(crate) fn u64(&mut self, value: u64) {
        self.0.extend_from_slice(&value.to_be_bytes());
    }

    pub(crate) fn i64(&mut self, value: i64) {
        self.0.extend_from_slice(&value.to_be_bytes());
    }

    pub(crate) fn raw(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    /// How many of something follow.
    pub(crate) fn count(&mut self, count: usize) {
        self.u32(u32::try_from(count).expect("what is in memory is fewer than 2^32"));
    }

    /// A length and so many bytes.
    pub(crate) fn bytes(&mut self, bytes: &[u8]) {
        self.count(bytes.len());
        self.raw(bytes);
    }
}

/// Bytes being read; every method gives nothing once they do not suffice.
pub(crate) struct Reader<'a>(pub(crate) &'a [u8]);

impl<'a> Reader<'a> {
    pub(crate) fn raw(&mut self, len: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        Some(taken)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.raw(N)?.try_into().ok()
    }

    pub(crate) fn u8(&mut self) -> Option<u8> {
        self.array().map(u8::from_be_bytes)
    }

    pub(crate) fn flag(&mut self) -> Option<bool> {
        match self.u8()? {
            0 => Some(false),
            1 => Some(true),
            _ => None,
        }
    }

    fn u16(&mut self) -> Option<u16> {
        self.array().map(u16::from_be_bytes)
    }

    pub(crate) fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_be_bytes)
    }

    pub(crate) fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_be_bytes)
    }

    pub(crate) fn i64(&mut self) -> Option<i64> {
        self.array().map(i64::from_be_bytes)
    }

    pub(crate) fn bytes(&mut self) -> Option<&'a [u8]> {
        let len = usize::try_from(self.u32()?).ok()?;
        self.raw(len)
    }

    pub(crate) fn string(&mut self) -> Option<String> {
        String::from_utf8(self.bytes()?.to_vec()).ok()
    }

    pub(crate) fn feed(&mut self) -> Option<FeedId> {
        FeedId::from_slice(self.raw(32)?)
    }

    pub(crate) fn hash(&mut self) -> Option<Hash> {
        self.array().map(Hash::new)
    }

    /// As many of something as a count before them says, each at least a byte.
    pub(crate) fn many<T>(&mut self, mut one: impl FnMut(&mut Self) -> Option<T>) -> Option<Vec<T>> {
        let count = usize::try_from(self.u32()?).ok()?;
        if count > self.0.len() {
            return None;
        }
        (0..count).map(|_| one(self)).collect()
    }

    /// The whole of it was read.
    pub(crate) fn end(&self) -> Option<()> {
        self.0.is_empty().then_some(())
    }
}

fn write_row(out: &mut Writer, row: &FeedRow) {
    out.u64(row.index.get());
    out.raw(row.hash.as_bytes());
    out.i64(row.recorded_at.as_nanos());
    out.raw(&row.outcome.number().to_be_bytes());
}

fn read_row(from: &mut Reader<'_>) -> Option<FeedRow> {
    Some(FeedRow {
        index: LeafIndex::new(from.u64()?),
        hash: from.hash()?,
        recorded_at: RecordedAt::from_nanos(from.i64()?),
        outcome: Outcome::from_number(from.u16()?)?,
    })
}

impl RowChunk {
    /// Its rows' encoding.
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut out = Writer(Vec::with_capacity(CHUNK_ROWS * ROW_LEN));
        for row in &self.rows {
            write_row(&mut out, row);
        }
        out.0
    }

    /// The chunk `number` of a feed from its rows' encoding.
    pub(super) fn decode(feed: FeedId, number: u64, bytes: &[u8]) -> Option<Self> {
        let mut from = Reader(bytes);
        let rows = (0..CHUNK_ROWS)
            .map(|_| read_row(&mut from))
            .collect::<Option<_>>()?;
        from.end()?;
        Some(Self { feed, number, rows })
    }
}

impl Feed {
    fn write(&self, out: &mut Writer) {
        let first = self.first_kept();
        let skip = usize::try_from(first.saturating_sub(self.gone)).unwrap_or(usize::MAX);
        let rows = self.rows.len().saturating_sub(skip);
        out.u64(first);
        out.u8(u8::try_from(rows).expect("a chunk has 64 rows"));
        for row in self.rows.iter().skip(skip) {
            write_row(out, row);
        }
        out.u8(u8::from(self.equivocated));
        out.u8(u8::from(self.open.is_some()));
        if let Some(open) = &self.open {
            out.bytes(open.id.as_bytes());
            out.u32(open.next);
            out.u32(open.count);
            out.raw(open.scalars.as_bytes());
        }
    }

    fn read(from: &mut Reader<'_>) -> Option<Self> {
        let gone = from.u64()?;
        let count = from.u8()?;
        let rows: VecDeque<FeedRow> = (0..count).map(|_| read_row(from)).collect::<Option<_>>()?;
        let equivocated = from.flag()?;
        let open = if from.flag()? {
            Some(OpenEvent {
                id: from.string()?,
                next: from.u32()?,
                count: from.u32()?,
                scalars: from.hash()?,
            })
        } else {
            None
        };
        let feed = Self {
            gone,
            rows,
            open,
            equivocated,
        };
        (gone.checked_add(u64::from(count)).is_some() && feed.first_kept() == gone).then_some(feed)
    }
}

impl LedgerState {
    /// This state and the frontier of the same size, as a snapshot.
    pub(super) fn encode(&self, frontier: &Frontier) -> Vec<u8> {
        let mut out = Writer::default();
        out.u64(self.size.get());
        out.i64(self.recorded_at.as_nanos());
        out.u8(u8::try_from(frontier.hashes().len()).expect("a frontier has at most 63 hashes"));
        for hash in frontier.hashes() {
            out.raw(hash.as_bytes());
        }
        self.register.write(&mut out);
        out.count(self.feeds.len());
        for (id, feed) in &self.feeds {
            out.raw(id.as_bytes());
            feed.write(&mut out);
        }
        out.0
    }

    /// The state and frontier of a snapshot of the log that begins as this state of a genesis does.
    pub(super) fn decode(&self, bytes: &[u8]) -> Option<(Self, Frontier)> {
        let mut from = Reader(bytes);
        let size = TreeSize::new(from.u64()?);
        let recorded_at = RecordedAt::from_nanos(from.i64()?);
        let peaks = from.u8()?;
        let peaks = (0..peaks).map(|_| from.hash()).collect::<Option<_>>()?;
        let frontier = Frontier::from_hashes(size, peaks).ok()?;
        let register = Register::read(&self.register, &mut from)?;
        let feeds = from.many(|from| Some((from.feed()?, Feed::read(from)?)))?;
        from.end()?;
        let state = Self {
            log_id: self.log_id,
            genesis: self.genesis.clone(),
            size,
            recorded_at,
            register: register.into(),
            feeds: feeds.into_iter().collect::<BTreeMap<_, _>>(),
            window: Window::default(),
        };
        Some((state, frontier))
    }
}
