//! Where a segment ends, and what a broken frame in it means.
//!
//! A commit is written with one write and synced before the next one begins. So when the machine stops,
//! only frames of the very last commit can be broken, in any order: the write may have reached the disk
//! in pieces, its second frame whole and its first one not. From the first broken frame on that commit
//! was never promised, and is cut off. If however a whole frame of a *later* commit follows, then the
//! broken one had been synced: that is damage, and cutting it off would lose what was promised. Which of
//! the two it is, the frames say themselves, by the offset where their commit begins.
//!
//! ```text
//!      synced           last commit               synced        synced
//! ...|  frame  |  frame | broken | frame |   ...| broken |  frame (commit begins here) |
//!              ^ commit of both begins here             damage
//!                       ^ cut here
//! ```
//!
//! What cannot be told apart here: a last commit that was promised and then damaged. The index and the
//! state file remember how many entries were promised, and the guard outside remembers the head.

use super::{
    Place,
    cursor::{Frame, SegmentCursor, Step},
    frame::{HEADER_LEN, Header, Mark},
    segment::{self, Segment, Segments},
};
use crate::{id::LeafIndex, port::StoreError};

const READ_AHEAD: usize = 1 << 20;

/// How a segment ends.
#[derive(Debug)]
pub(crate) struct Tail {
    /// Offset behind its last whole frame.
    pub(crate) end: u32,
    /// Index of the entry that would come next.
    pub(crate) next: LeafIndex,
    /// Its last whole frame.
    pub(crate) last: Option<(Place, Header)>,
    /// How many bytes of an unfinished commit follow, to be cut off.
    pub(crate) torn: u64,
}

/// Reads a whole segment and finds its end.
///
/// # Errors
/// [`StoreError::Damaged`] if something is broken that had been synced.
pub(crate) fn find_tail(segments: &Segments, segment: Segment) -> Result<Tail, StoreError> {
    let mut cursor = SegmentCursor::new(segments, segment, segment::HEADER_LEN, READ_AHEAD)?;
    let mut tail = Tail {
        end: segment::HEADER_LEN,
        next: segment.first,
        last: None,
        torn: 0,
    };
    loop {
        match cursor.step()? {
            Step::Frame(Frame { place, header, .. }) => {
                if header.first != tail.next {
                    let why = format!("the frame does not begin with entry {}", tail.next);
                    return Err(segments.damaged(segment.number, place.offset.into(), why));
                }
                tail.next = LeafIndex::new(header.end());
                tail.end = place.offset + header.frame_len();
                tail.last = Some((place, header));
            }
            Step::End => return Ok(tail),
            Step::Broken(why) => {
                let len = segments.file_len(segment.number)?;
                if let Some(offset) = later_commit(segments, segment, tail.end, len)? {
                    let why = format!("{why}, and a whole frame of a later commit follows at byte {offset}");
                    return Err(segments.damaged(segment.number, tail.end.into(), why));
                }
                tail.torn = len - u64::from(tail.end);
                return Ok(tail);
            }
        }
    }
}

/// Offset of a whole frame behind `broken` whose commit began behind `broken` too.
fn later_commit(
    segments: &Segments,
    segment: Segment,
    broken: u32,
    len: u64,
) -> Result<Option<u64>, StoreError> {
    let file = segments.file(segment.number)?;
    let rest_len = usize::try_from(len.saturating_sub(broken.into())).unwrap_or(usize::MAX);
    let mut rest = vec![0; rest_len];
    let read = segments.read_at(segment.number, &file, &mut rest, broken.into())?;
    rest.truncate(read);
    let mut at = 1;
    while let Some(found) = find(rest.get(at..).unwrap_or_default(), segment.mark) {
        at += found;
        let candidate = rest.get(at..).unwrap_or_default();
        if let Some(header) = Header::decode(candidate, segment.mark) {
            let end = HEADER_LEN + usize::try_from(header.body_len).unwrap_or(usize::MAX);
            let whole = candidate
                .get(HEADER_LEN..end)
                .is_some_and(|body| header.matches(body));
            if whole && header.commit > broken {
                return Ok(Some(u64::from(broken) + u64::try_from(at).unwrap_or(u64::MAX)));
            }
        }
        at += 1;
    }
    Ok(None)
}

fn find(bytes: &[u8], mark: Mark) -> Option<usize> {
    let mut at = 0;
    loop {
        at += bytes.get(at..)?.iter().position(|byte| *byte == mark[0])?;
        if bytes.get(at..)?.starts_with(&mark) {
            return Some(at);
        }
        at += 1;
    }
}
