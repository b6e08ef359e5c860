//! Whether the index may be trusted, and how it is brought up to the value log if so and rebuilt if not.
//!
//! That sled opens proves nothing. The index is used if
//!
//! * the last run closed it cleanly, or at least the machine has not stopped since;
//! * its head row agrees with the value log: the frame it names stands there, and the root over the
//!   hashes it holds and over the log's last entries is the root it recorded;
//! * the frames that its rows name at the segments' ends end exactly there.
//!
//! If it then is merely behind, the entries it lacks are folded. In any other case its folder is removed
//! and everything folded anew. An index that knows *more* entries than the value log has shows that the
//! log lost what had been promised, and that is no matter of the index.

use bytes::Bytes;
use rayon::prelude::*;

use super::{
    keys::{
        frame::FrameRow,
        head::{self, Head},
        tile::{HALF_U64, TileKey},
    },
    rows::Rows,
    tree::{Edge, LEVELS, TILE_U64, unfinished},
    value_log::{
        LastFrame, ValueLog,
        cursor::{Frame, Frames, SegmentCursor, Step},
        frame,
        segment::Segments,
    },
};
use crate::{
    id::{Hash, LeafIndex},
    log::hash::{leaf_hash, row_root},
    port::StoreError,
};

/// Bytes of entries that are folded at a time.
const FOLD_LEN: usize = 8 << 20;
/// Entries that are folded at a time.
const FOLD_COUNT: usize = 1 << 16;
const READ_AHEAD: usize = 1 << 20;

/// Why an index that opened is not used.
pub(super) enum Unusable {
    /// It does not hold together or does not fit this log: rebuild it.
    Index(String),
    /// It is fine and shows that the value log is not.
    Log(StoreError),
}

/// Compares an index with the value log and folds what it lacks. Returns the edge of the tree.
pub(super) fn adopt(rows: &Rows, log: &ValueLog) -> Result<Edge, Unusable> {
    let untrusted = |error: StoreError| Unusable::Index(error.to_string());
    let Some(head) = rows.head().map_err(untrusted)? else {
        return if log.size() == 0 {
            Ok(Edge::default())
        } else {
            Err(Unusable::Index("it is empty".to_owned()))
        };
    };
    let segments = log.segments();
    let frame = head_frame(segments, &head).map_err(Unusable::Index)?;
    let edge = resume(rows, segments, head.size).map_err(untrusted)?;
    if edge.root() != head.root {
        return Err(Unusable::Index("its hashes do not add up to its root".to_owned()));
    }
    check_segment_ends(rows, segments, head.size).map_err(untrusted)?;
    if head.size == log.size() {
        return Ok(edge);
    }
    let place = frame.place;
    let next = Frames::new(segments, place, frame.header.first, log.size(), READ_AHEAD);
    // The first frame is the index's last: skip it.
    let rest = next
        .and_then(|mut frames| frames.next().map(|_| frames))
        .map_err(Unusable::Log)?;
    tracing::info!(
        from = head.size,
        to = log.size(),
        "bringing the index up to the value log"
    );
    fold(rows, log, rest, edge)
}

/// Folds the whole value log into an empty index.
pub(super) fn rebuild(rows: &Rows, log: &ValueLog) -> Result<Edge, StoreError> {
    if log.size() == 0 {
        return Ok(Edge::default());
    }
    let frames = Frames::from_segment_of(log.segments(), LeafIndex::GENESIS, log.size(), READ_AHEAD)?;
    fold(rows, log, frames, Edge::default()).map_err(|unusable| match unusable {
        Unusable::Index(why) => StoreError::Index(why),
        Unusable::Log(error) => error,
    })
}

/// The frame that the head row names, if it stands there and ends where the index does.
fn head_frame(segments: &Segments, head: &Head) -> Result<Frame, String> {
    let LastFrame { place, fingerprint } = head.last;
    let segment = segments
        .get(place.segment)
        .ok_or("its last segment is not there")?;
    let mut cursor =
        SegmentCursor::new(segments, segment, place.offset, 0).map_err(|error| error.to_string())?;
    match cursor.step().map_err(|error| error.to_string())? {
        Step::Frame(frame)
            if frame.header.end() == head.size && frame.header.fingerprint(segment.mark) == fingerprint =>
        {
            Ok(frame)
        }
        Step::Frame(_) | Step::End | Step::Broken(_) => {
            Err("its last frame is not in the value log".to_owned())
        }
    }
}

/// The tree's edge at `size`: leaves from the value log, everything above from the index.
fn resume(rows: &Rows, segments: &Segments, size: u64) -> Result<Edge, StoreError> {
    let mut levels = vec![unfinished_leaves(rows, segments, size)?];
    for level in 1..LEVELS {
        let complete = size.checked_shr(8 * u32::from(level)).unwrap_or(0);
        let mut hashes = Vec::new();
        let mut position = complete - unfinished(size, level.into());
        if complete - position >= HALF_U64 {
            let key = TileKey {
                level,
                half: position / HALF_U64,
            };
            hashes = rows.half(key)?.ok_or_else(|| missing(key))?;
            position += HALF_U64;
        }
        for tile in position..complete {
            let mut below = Vec::new();
            for half in [2 * tile, 2 * tile + 1] {
                let key = TileKey {
                    level: level - 1,
                    half,
                };
                below.append(&mut rows.half(key)?.ok_or_else(|| missing(key))?);
            }
            hashes.extend(row_root(&below));
        }
        levels.push(hashes);
    }
    Edge::resume(size, levels).ok_or_else(|| StoreError::Index("its tiles do not fit its size".to_owned()))
}

fn missing(key: TileKey) -> StoreError {
    StoreError::Index(format!("{key:?} is missing"))
}

/// Leaf hashes, from the entries, of the tile that is not full at `size`.
pub(super) fn unfinished_leaves(
    rows: &Rows,
    segments: &Segments,
    size: u64,
) -> Result<Vec<Hash>, StoreError> {
    let from = LeafIndex::new(size - size % TILE_U64);
    if from.get() == size {
        return Ok(Vec::new());
    }
    // Frames do not cross tiles, so one begins here.
    let row = rows.frame_at(from)?.filter(|row| row.first == from);
    let row = row.ok_or_else(|| StoreError::Index(format!("the frame row of entry {from} is missing")))?;
    let mut frames = Frames::new(segments, row.place, from, size, READ_AHEAD)?;
    let mut leaves = Vec::new();
    while let Some(Frame { place, header, body }) = frames.next()? {
        let entries = entries_of(segments, place, &header, &body)?;
        leaves.extend(entries.iter().map(|entry| leaf_hash(entry)));
    }
    Ok(leaves)
}

/// The entries of a frame whose checksum holds.
pub(super) fn entries_of(
    segments: &Segments,
    place: super::value_log::Place,
    header: &frame::Header,
    body: &Bytes,
) -> Result<Vec<Bytes>, StoreError> {
    let why = "the frame's entries do not fit its length";
    frame::entries(body, header.count)
        .ok_or_else(|| segments.damaged(place.segment, place.offset.into(), why))
}

/// Every segment but the newest must end where the index says that its last frame ends.
fn check_segment_ends(rows: &Rows, segments: &Segments, size: u64) -> Result<(), StoreError> {
    for pair in segments.all().windows(2) {
        let [before, after] = pair else { continue };
        if after.first.get() > size {
            break;
        }
        let Some(last) = after.first.get().checked_sub(1) else {
            continue;
        };
        let row = rows.frame_at(LeafIndex::new(last))?;
        let len = segments.file_len(before.number)?;
        let fits = row.is_some_and(|row| {
            let frame_len = u64::from(row.body_len) + u64::try_from(frame::HEADER_LEN).unwrap_or(0);
            row.place.segment == before.number && u64::from(row.place.offset) + frame_len == len
        });
        if !fits {
            let why = format!("segment {} does not end where the index says", before.number);
            return Err(StoreError::Index(why));
        }
    }
    Ok(())
}

/// Folds frames into rows, some megabytes at a time.
fn fold(rows: &Rows, log: &ValueLog, mut frames: Frames<'_>, mut edge: Edge) -> Result<Edge, Unusable> {
    let segments = log.segments();
    let mut done = false;
    while !done {
        let mut bodies = Vec::new();
        let mut len = 0;
        let mut count = 0;
        while len < FOLD_LEN && count < FOLD_COUNT {
            let Some(frame) = frames.next().map_err(Unusable::Log)? else {
                done = true;
                break;
            };
            len += frame.body.len();
            count += usize::from(frame.header.count);
            bodies.push(frame);
        }
        let Some(newest) = bodies.last() else { break };
        let Some(segment) = segments.get(newest.place.segment) else {
            break;
        };
        let last = LastFrame {
            place: newest.place,
            fingerprint: newest.header.fingerprint(segment.mark),
        };
        let size = newest.header.end();
        let hash_frame = |Frame { place, header, body }: &Frame| {
            let entries = entries_of(segments, *place, header, body)?;
            Ok(entries
                .par_iter()
                .with_min_len(64)
                .map(|entry| leaf_hash(entry))
                .collect::<Vec<Hash>>())
        };
        let leaves: Vec<Vec<Hash>> = bodies
            .par_iter()
            .map(hash_frame)
            .collect::<Result<_, StoreError>>()
            .map_err(Unusable::Log)?;
        let mut batch = sled::Batch::default();
        for Frame { place, header, .. } in &bodies {
            let row = FrameRow::new(*place, header);
            batch.insert(row.key(), row.value());
        }
        edge.extend(leaves.into_iter().flatten(), |(key, value)| {
            batch.insert(key, value);
        });
        batch.insert(
            &head::KEY,
            Head {
                size,
                last,
                root: edge.root(),
            }
            .encode(),
        );
        rows.apply(batch)
            .map_err(|error| Unusable::Index(error.to_string()))?;
    }
    Ok(edge)
}
