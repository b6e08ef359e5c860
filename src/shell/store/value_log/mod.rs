//! The value log: entry bytes, written once, in order, and never touched again.
//!
//! Segment files of frames (`segment`, `frame`). A commit is one write and one `fdatasync`; only then is
//! it promised. A commit that does not fit into the segment is finished in the next one, which is begun
//! after the first part is synced. What an interrupted commit leaves behind is cut off when the log is
//! opened (`recovery`). There is no compaction and no deletion.

pub(crate) mod cursor;
pub(crate) mod frame;
pub(crate) mod recovery;
pub(crate) mod segment;
#[cfg(test)]
mod tests;

use std::{fs::File, os::unix::fs::FileExt as _, path::PathBuf, sync::Arc};

use bytes::Bytes;

use self::{
    frame::{BUNDLE, Header},
    recovery::Tail,
    segment::{Segment, Segments},
};
use super::files::failed;
use crate::{
    id::{Hash, LeafIndex},
    port::{ENTRY_LEN_MAX, StoreError},
};

/// Where a frame stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// Number of the segment.
    pub(crate) segment: u32,
    /// Offset in its file, in bytes.
    pub(crate) offset: u32,
}

/// The last frame of the log: what the index must agree with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LastFrame {
    /// Where it stands.
    pub(crate) place: Place,
    /// Tells it from any other frame.
    pub(crate) fingerprint: u32,
}

impl LastFrame {
    fn new(segment: Segment, place: Place, header: Header) -> Self {
        debug_assert_eq!(segment.number, place.segment);
        Self {
            place,
            fingerprint: header.fingerprint(segment.mark),
        }
    }
}

/// The writing end of the value log.
pub(crate) struct ValueLog {
    segments: Arc<Segments>,
    segment: Segment,
    file: Arc<File>,
    /// Where the next frame goes.
    end: u32,
    next: LeafIndex,
    last: Option<LastFrame>,
    /// What opening found.
    tail: Tail,
    segment_len_max: u32,
    buffer: Vec<u8>,
}

impl ValueLog {
    /// Opens the log in `folder` (which exists) and finds its end, which must not lie before entry
    /// `promised`. Nothing is cut yet; call [`settle`](Self::settle) before appending.
    pub(crate) fn open(folder: PathBuf, segment_len_max: u32, promised: u64) -> Result<Self, StoreError> {
        let segments = Arc::new(Segments::open(folder)?);
        let (segment, file) = match segments.last() {
            Some(segment) => (segment, segments.file(segment.number)?),
            None if promised > 0 => {
                let why = format!("the file is missing, but {promised} entries were promised");
                return Err(segments.damaged(0, 0, why));
            }
            None => segments.create(LeafIndex::GENESIS, draw_mark()?)?,
        };
        let tail = recovery::find_tail(&segments, segment)?;
        let mut log = Self {
            segments,
            segment,
            file,
            end: tail.end,
            next: tail.next,
            last: None,
            tail,
            segment_len_max,
            buffer: Vec::new(),
        };
        log.last = match (log.tail.last, segment.number.checked_sub(1)) {
            (Some((place, header)), _) => Some(LastFrame::new(segment, place, header)),
            (None, Some(before)) => Some(log.end_of_complete(before)?),
            (None, None) => None,
        };
        log.check_promised(promised)?;
        Ok(log)
    }

    /// Whether the log has as many entries as were promised; to be asked before anything is cut.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] if not.
    pub(crate) fn check_promised(&self, promised: u64) -> Result<(), StoreError> {
        if promised <= self.size() {
            return Ok(());
        }
        let why = format!(
            "the log ends here with {} entries, but {promised} were promised",
            self.size()
        );
        Err(self.segments.damaged(self.segment.number, self.end.into(), why))
    }

    /// Cuts off what an unfinished commit left and makes the rest durable.
    ///
    /// With `rewrite`, the last commit is written again, byte for byte: if its sync had failed, the
    /// system may show it without having it.
    pub(crate) fn settle(&self, rewrite: bool) -> Result<(), StoreError> {
        let tail = &self.tail;
        let path = self.segments.path(self.segment.number);
        if tail.torn > 0 {
            tracing::warn!(
                file = %path.display(), offset = tail.end, bytes = tail.torn,
                "an unfinished commit was cut off the value log"
            );
            self.file.set_len(tail.end.into()).map_err(failed("cut", &path))?;
        }
        if let (true, Some((_, Header { commit, .. }))) = (rewrite, tail.last) {
            let len = usize::try_from(tail.end.saturating_sub(commit)).unwrap_or(usize::MAX);
            let mut bytes = vec![0; len];
            self.file
                .read_exact_at(&mut bytes, commit.into())
                .map_err(failed("read", &path))?;
            self.file
                .write_all_at(&bytes, commit.into())
                .map_err(failed("write", &path))?;
        }
        self.file.sync_all().map_err(failed("sync", &path))?;
        // Whoever began the segment may have been killed before its name was durable.
        self.segments.sync_folder()
    }

    /// The last frame of a segment that another one follows: nothing in it may be torn.
    fn end_of_complete(&self, number: u32) -> Result<LastFrame, StoreError> {
        let missing = || self.segments.damaged(number, 0, "the segment is missing");
        let segment = self.segments.get(number).ok_or_else(missing)?;
        let tail = recovery::find_tail(&self.segments, segment)?;
        match tail.last {
            Some((place, header)) if tail.torn == 0 && tail.next == self.segment.first => {
                Ok(LastFrame::new(segment, place, header))
            }
            _ => Err(self
                .segments
                .damaged(number, tail.end.into(), "entries are missing at the end")),
        }
    }

    /// How many entries are in the log, all of them durable.
    pub(crate) fn size(&self) -> u64 {
        self.next.get()
    }

    /// Its last frame, if it has any.
    pub(crate) fn last(&self) -> Option<LastFrame> {
        self.last
    }

    /// Its segments, for readers.
    pub(crate) fn segments(&self) -> &Arc<Segments> {
        &self.segments
    }

    /// Appends one commit and returns its frames; they are durable.
    ///
    /// # Errors
    /// The log must not be used again: what is on disk is only known after opening it anew.
    pub(crate) fn append(&mut self, entries: &[(Bytes, Hash)]) -> Result<Vec<(Place, Header)>, StoreError> {
        if let Some((entry, _)) = entries.iter().find(|(entry, _)| entry.len() > ENTRY_LEN_MAX) {
            return Err(StoreError::Io {
                doing: format!(
                    "append an entry of {} bytes, at most {ENTRY_LEN_MAX}",
                    entry.len()
                ),
                source: std::io::ErrorKind::InvalidInput.into(),
            });
        }
        let mut frames = Vec::new();
        let mut rest = entries;
        let mut commit = self.end;
        let mut written_to = self.end;
        self.buffer.clear();
        while !rest.is_empty() {
            let room = usize::try_from(BUNDLE - self.next.get() % BUNDLE).expect("at most 256");
            let (now, later) = rest.split_at(room.min(rest.len()));
            let body_len: usize = now.iter().map(|(entry, _)| 2 + entry.len()).sum();
            let frame_len = u32::try_from(frame::HEADER_LEN + body_len).expect("at most 17 MB");
            if self.end > segment::HEADER_LEN && self.end.saturating_add(frame_len) > self.segment_len_max {
                self.write_and_sync(written_to)?;
                (self.segment, self.file) = self.segments.create(self.next, draw_mark()?)?;
                self.end = segment::HEADER_LEN;
                commit = self.end;
                written_to = self.end;
            }
            let place = Place {
                segment: self.segment.number,
                offset: self.end,
            };
            let header = frame::push(&mut self.buffer, self.segment.mark, commit, self.next, now);
            frames.push((place, header));
            self.end += header.frame_len();
            self.next = LeafIndex::new(header.end());
            rest = later;
        }
        self.write_and_sync(written_to)?;
        if let Some((place, header)) = frames.last() {
            self.last = Some(LastFrame::new(self.segment, *place, *header));
        }
        Ok(frames)
    }

    fn write_and_sync(&mut self, offset: u32) -> Result<(), StoreError> {
        if self.buffer.is_empty() {
            return Ok(());
        }
        let path = self.segments.path(self.segment.number);
        self.file
            .write_all_at(&self.buffer, offset.into())
            .map_err(failed("write", &path))?;
        self.file.sync_data().map_err(failed("sync", &path))?;
        self.buffer.clear();
        Ok(())
    }
}

fn draw_mark() -> Result<frame::Mark, StoreError> {
    let mut mark = [0; 8];
    getrandom::fill(&mut mark).map_err(|error| StoreError::Io {
        doing: "draw the mark of a segment".to_owned(),
        source: std::io::Error::other(error.to_string()),
    })?;
    Ok(mark)
}
