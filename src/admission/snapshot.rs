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
    bytes::{BytesError, Read, Reader, Writer},
    code::Outcome,
    id::{FeedId, LeafIndex, TreeSize},
    log::tree::Frontier,
    register::Register,
    time::RecordedAt,
};

/// Bytes of a row.
const ROW_LEN: usize = 50;

fn write_row(out: &mut Writer, row: &FeedRow) {
    out.u64(row.index.get());
    out.raw(row.hash.as_bytes());
    out.i64(row.recorded_at.as_nanos());
    out.u16(row.outcome.number());
}

fn read_row(from: &mut Reader<'_>) -> Read<FeedRow> {
    Ok(FeedRow {
        index: LeafIndex::new(from.u64("row's index")?),
        hash: from.hash("row's hash")?,
        recorded_at: RecordedAt::from_nanos(from.i64("row's time")?),
        outcome: Reader::code("outcome", from.u16("outcome")?.into(), Outcome::from_number)?,
    })
}

impl RowChunk {
    /// Its rows' encoding.
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut out = Writer::with_capacity(CHUNK_ROWS * ROW_LEN);
        for row in &self.rows {
            write_row(&mut out, row);
        }
        out.into_vec()
    }

    /// The chunk `number` of a feed from its rows' encoding.
    ///
    /// # Errors
    /// If it is none.
    pub(super) fn decode(feed: FeedId, number: u64, bytes: &[u8]) -> Read<Self> {
        let rows = Reader::whole(bytes, "rows", |from| {
            (0..CHUNK_ROWS).map(|_| read_row(from)).collect()
        })?;
        Ok(Self { feed, number, rows })
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
        out.flag(self.equivocated);
        out.optional(self.open.as_ref(), |out, open| {
            out.bytes(open.id.as_bytes());
            out.u32(open.next);
            out.u32(open.count);
            out.raw(open.scalars.as_bytes());
        });
    }

    fn read(from: &mut Reader<'_>) -> Read<Self> {
        let gone = from.u64("rows before these")?;
        let count = from.u8("number of rows")?;
        let feed = Self {
            gone,
            rows: (0..count)
                .map(|_| read_row(from))
                .collect::<Read<VecDeque<_>>>()?,
            equivocated: from.flag("equivocation")?,
            open: from.optional("open event", |from| {
                Ok(OpenEvent {
                    id: from.string("event id")?,
                    next: from.u32("next part")?,
                    count: from.u32("number of parts")?,
                    scalars: from.hash("part digest")?,
                })
            })?,
        };
        let is_sound = gone.checked_add(u64::from(count)).is_some() && feed.first_kept() == gone;
        let field = "number of rows before these";
        is_sound
            .then_some(feed)
            .ok_or(BytesError::Value { field, got: gone })
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
        out.into_vec()
    }

    /// The state and frontier of a snapshot of the log that begins as this state of a genesis does.
    ///
    /// # Errors
    /// If the bytes are none.
    pub(super) fn decode(&self, bytes: &[u8]) -> Read<(Self, Frontier)> {
        Reader::whole(bytes, "snapshot", |from| self.read(from))
    }

    fn read(&self, from: &mut Reader<'_>) -> Read<(Self, Frontier)> {
        let size = TreeSize::new(from.u64("size")?);
        let recorded_at = RecordedAt::from_nanos(from.i64("recorded time")?);
        let peaks = from.u8("number of hashes")?;
        let peaks = (0..peaks).map(|_| from.hash("frontier")).collect::<Read<_>>()?;
        let frontier = Frontier::from_hashes(size, peaks);
        let frontier = frontier.map_err(|_| BytesError::Malformed { field: "frontier" })?;
        let register = Register::read(&self.register, from)?;
        let feeds = from.many("feeds", |from| Ok((from.feed("feed")?, Feed::read(from)?)))?;
        let state = Self {
            log_id: self.log_id,
            genesis: self.genesis.clone(),
            size,
            recorded_at,
            register: register.into(),
            feeds: feeds.into_iter().collect::<BTreeMap<_, _>>(),
            window: Window::default(),
        };
        Ok((state, frontier))
    }
}
