//! Reading frames one after another, with read-ahead and bounded memory.

use std::{fs::File, sync::Arc};

use bytes::{Bytes, BytesMut};

use super::{
    Place,
    frame::{HEADER_LEN, Header},
    segment::{self, Segment, Segments},
};
use crate::{id::LeafIndex, port::StoreError};

/// A frame read back and found whole.
#[derive(Clone, Debug)]
pub(crate) struct Frame {
    /// Where it stands.
    pub(crate) place: Place,
    /// Its header.
    pub(crate) header: Header,
    /// Its entries, still in their framing.
    pub(crate) body: Bytes,
}

/// What stands at a place of a segment.
pub(crate) enum Step {
    /// A whole frame.
    Frame(Frame),
    /// Nothing: the file ends exactly here.
    End,
    /// No whole frame.
    Broken(&'static str),
}

/// A position in one segment.
pub(crate) struct SegmentCursor<'a> {
    segments: &'a Segments,
    segment: Segment,
    file: Arc<File>,
    offset: u64,
    buffer: BytesMut,
    read_ahead: usize,
}

impl<'a> SegmentCursor<'a> {
    /// Begins at `offset`, reading `read_ahead` bytes at a time or more.
    pub(crate) fn new(
        segments: &'a Segments,
        segment: Segment,
        offset: u32,
        read_ahead: usize,
    ) -> Result<Self, StoreError> {
        let file = segments.file(segment.number)?;
        Ok(Self {
            segments,
            segment,
            file,
            offset: offset.into(),
            buffer: BytesMut::new(),
            read_ahead,
        })
    }

    /// Offset of the next frame.
    pub(crate) fn offset(&self) -> u64 {
        self.offset
    }

    /// The segment it stands in.
    pub(crate) fn segment(&self) -> Segment {
        self.segment
    }

    /// Has at least `len` bytes in the buffer, unless the file ends before.
    fn fill(&mut self, len: usize) -> Result<bool, StoreError> {
        let have = self.buffer.len();
        if have >= len {
            return Ok(true);
        }
        let want = len.max(have + self.read_ahead);
        self.buffer.resize(want, 0);
        let at = self.offset + u64::try_from(have).unwrap_or(u64::MAX);
        let rest = self.buffer.get_mut(have..).unwrap_or_default();
        let read = self.segments.read_at(self.segment.number, &self.file, rest, at)?;
        self.buffer.truncate(have + read);
        Ok(have + read >= len)
    }

    /// The frame at this position; moves behind it if it is whole.
    pub(crate) fn step(&mut self) -> Result<Step, StoreError> {
        if !self.fill(HEADER_LEN)? {
            return Ok(if self.buffer.is_empty() {
                Step::End
            } else {
                Step::Broken("a frame's header is cut off")
            });
        }
        let Some(header) = Header::decode(&self.buffer, self.segment.mark) else {
            return Ok(Step::Broken("no frame's header stands here"));
        };
        let Ok(offset) = u32::try_from(self.offset) else {
            return Ok(Step::Broken("the frame lies beyond what a segment can be"));
        };
        let len = usize::try_from(header.frame_len()).unwrap_or(usize::MAX);
        if !self.fill(len)? {
            return Ok(Step::Broken("a frame is cut off"));
        }
        let body = self.buffer.get(HEADER_LEN..len).unwrap_or_default();
        if !header.matches(body) {
            return Ok(Step::Broken("a frame does not match its checksum"));
        }
        let body = self.buffer.split_to(len).freeze().slice(HEADER_LEN..);
        self.offset += u64::from(header.frame_len());
        Ok(Step::Frame(Frame {
            place: Place {
                segment: self.segment.number,
                offset,
            },
            header,
            body,
        }))
    }
}

/// Frames of the whole log in order, from a place on, across segments, up to a size that is durable.
pub(crate) struct Frames<'a> {
    cursor: SegmentCursor<'a>,
    next: u64,
    size: u64,
}

impl<'a> Frames<'a> {
    /// Begins with the frame at `place`, whose first entry is `first`, and ends with entry `size - 1`.
    pub(crate) fn new(
        segments: &'a Segments,
        place: Place,
        first: LeafIndex,
        size: u64,
        read_ahead: usize,
    ) -> Result<Self, StoreError> {
        let Some(segment) = segments.get(place.segment) else {
            return Err(segments.damaged(place.segment, 0, "the segment is missing"));
        };
        let cursor = SegmentCursor::new(segments, segment, place.offset, read_ahead)?;
        Ok(Self {
            cursor,
            next: first.get(),
            size,
        })
    }

    /// Begins with the first frame of the segment that holds `index`.
    pub(crate) fn from_segment_of(
        segments: &'a Segments,
        index: LeafIndex,
        size: u64,
        read_ahead: usize,
    ) -> Result<Self, StoreError> {
        let Some(segment) = segments.holding(index) else {
            return Err(segments.damaged(0, 0, "there is no segment"));
        };
        let place = Place {
            segment: segment.number,
            offset: segment::HEADER_LEN,
        };
        Self::new(segments, place, segment.first, size, read_ahead)
    }

    /// The next frame, or nothing after the last entry.
    pub(crate) fn next(&mut self) -> Result<Option<Frame>, StoreError> {
        while self.next < self.size {
            let offset = self.cursor.offset();
            let Segment { number, .. } = self.cursor.segment();
            let segments = self.cursor.segments;
            match self.cursor.step()? {
                Step::Frame(frame) if frame.header.first.get() == self.next => {
                    self.next = frame.header.end();
                    return Ok(Some(frame));
                }
                Step::Frame(_) => {
                    let why = format!("the frame does not begin with entry {}", self.next);
                    return Err(segments.damaged(number, offset, why));
                }
                Step::End => {
                    let Some(segment) = segments.get(number.saturating_add(1)) else {
                        return Err(segments.damaged(number, offset, "promised entries are missing"));
                    };
                    if segment.first.get() != self.next {
                        return Err(segments.damaged(number, offset, "entries are missing at the end"));
                    }
                    let read_ahead = self.cursor.read_ahead;
                    self.cursor = SegmentCursor::new(segments, segment, segment::HEADER_LEN, read_ahead)?;
                }
                Step::Broken(why) => return Err(segments.damaged(number, offset, why)),
            }
        }
        Ok(None)
    }
}
