//! Segments: the files that frames stand in, one after another.
//!
//! ```text
//! values/0000000000.values
//!
//!  0         8        12       16            24       32       36
//! +---------+--------+--------+-------------+--------+--------+---------+---------+----
//! | LPvalues| version| number | first index | mark   | CRC    | frame   | frame   | ...
//! | 8 bytes | u32 = 1| u32    | u64         | 8 bytes| u32    |         |         |
//! +---------+--------+--------+-------------+--------+--------+---------+---------+----
//! ```
//!
//! Numbers are dense from zero and stand in the file's name too. A segment is begun only when the one
//! before it is complete and synced; its header and its name are synced before the first frame. So a
//! header that does not hold means, in a file no longer than it, a segment that was never used, and in
//! any other file damage.

use std::{
    collections::BTreeMap,
    fs::{self, File, OpenOptions},
    io::{self, ErrorKind, Write as _},
    os::unix::fs::FileExt as _,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError, RwLock},
};

use super::frame::Mark;
use crate::{
    bytes::{BytesError, Reader, Writer},
    id::LeafIndex,
    port::StoreError,
    shell::store::files::{failed, sync_folder},
};

const MAGIC: [u8; 8] = *b"LPvalues";
const VERSION: u32 = 1;
/// Offset of the first frame: the length of the header, in bytes.
pub(crate) const HEADER_LEN: u32 = 36;
/// The header's bytes.
type HeaderBytes = [u8; HEADER_LEN as usize];
/// How many files of older segments are kept open for reading.
const OPEN_FILES: usize = 64;

/// One segment, as its header describes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Segment {
    /// Zero-based, dense.
    pub(crate) number: u32,
    /// Index of its first entry.
    pub(crate) first: LeafIndex,
    /// What its frames begin with.
    pub(crate) mark: Mark,
}

impl Segment {
    fn encode(&self) -> Vec<u8> {
        let mut bytes = Writer::with_capacity(size_of::<HeaderBytes>());
        bytes.raw(&MAGIC);
        bytes.u32(VERSION);
        bytes.u32(self.number);
        bytes.u64(self.first.get());
        bytes.raw(&self.mark);
        bytes.u32(crc32fast::hash(bytes.as_slice()));
        bytes.into_vec()
    }

    fn decode(bytes: &HeaderBytes) -> Result<Self, &'static str> {
        let (covered, crc) = bytes.split_at(size_of::<HeaderBytes>() - 4);
        if crc != crc32fast::hash(covered).to_be_bytes() {
            return Err("the segment's header does not match its checksum");
        }
        let mut from = Reader::new(covered);
        if from.literal(&MAGIC, "mark").is_err() {
            return Err("the file is no value log segment");
        }
        if from.u32("version") != Ok(VERSION) {
            return Err("the segment has a version that this program does not know");
        }
        let mut read = || {
            Ok::<_, BytesError>(Self {
                number: from.u32("number")?,
                first: LeafIndex::new(from.u64("first entry")?),
                mark: from.array("mark")?,
            })
        };
        read().map_err(|_| "the segment's header has another length")
    }
}

/// All segments of a value log, shared by its writer and its readers.
#[derive(Debug)]
pub(crate) struct Segments {
    folder: PathBuf,
    list: RwLock<Vec<Segment>>,
    files: Mutex<BTreeMap<u32, Arc<File>>>,
}

impl Segments {
    /// Reads the headers of all segments; removes a last one that was never used.
    pub(crate) fn open(folder: PathBuf) -> Result<Self, StoreError> {
        let mut numbers = Vec::new();
        for item in fs::read_dir(&folder).map_err(failed("list", &folder))? {
            let name = item.map_err(failed("list", &folder))?.file_name();
            numbers.extend(name.to_str().and_then(number_of));
        }
        numbers.sort_unstable();
        let segments = Self {
            folder,
            list: RwLock::default(),
            files: Mutex::default(),
        };
        let mut list = Vec::with_capacity(numbers.len());
        for (expected, number) in (0..).zip(&numbers) {
            let path = segments.path(*number);
            let damaged = |why: &str| StoreError::Damaged {
                what: path.display().to_string(),
                offset: 0,
                why: why.to_owned(),
            };
            if *number != expected {
                return Err(damaged(&format!("segment {expected} is missing")));
            }
            match segments.read_header(*number)? {
                Ok(segment) if segment.number == *number => list.push(segment),
                Ok(_) => return Err(damaged("the header has the number of another segment")),
                Err(HeaderFault { unused: true, .. }) if numbers.last() == Some(number) => {
                    fs::remove_file(&path).map_err(failed("remove unused segment", &path))?;
                    sync_folder(&segments.folder)?;
                }
                Err(HeaderFault { why, .. }) => return Err(damaged(why)),
            }
        }
        if !list.is_sorted_by(|a, b| a.first < b.first) {
            return Err(StoreError::Damaged {
                what: segments.folder.display().to_string(),
                offset: 0,
                why: "the first indices of its segments do not ascend".to_owned(),
            });
        }
        if let Some(first) = list.first().filter(|segment| segment.first != LeafIndex::GENESIS) {
            return Err(StoreError::Damaged {
                what: segments.path(first.number).display().to_string(),
                offset: 0,
                why: "the first segment does not begin with entry 0".to_owned(),
            });
        }
        *segments.list.write().unwrap_or_else(PoisonError::into_inner) = list;
        Ok(segments)
    }

    fn read_header(&self, number: u32) -> Result<Result<Segment, HeaderFault>, StoreError> {
        let path = self.path(number);
        let file = File::open(&path).map_err(failed("open", &path))?;
        let len = file.metadata().map_err(failed("inspect", &path))?.len();
        let mut bytes: HeaderBytes = [0; _];
        let read = match file.read_exact_at(&mut bytes, 0) {
            Ok(()) => Segment::decode(&bytes),
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => Err("the segment's header is cut off"),
            Err(error) => return Err(failed("read", &path)(error)),
        };
        Ok(read.map_err(|why| HeaderFault {
            why,
            unused: len <= u64::from(HEADER_LEN),
        }))
    }

    /// Begins the next segment: file, header and name are durable when this returns.
    pub(crate) fn create(&self, first: LeafIndex, mark: Mark) -> Result<(Segment, Arc<File>), StoreError> {
        let mut list = self.list.write().unwrap_or_else(PoisonError::into_inner);
        let number = u32::try_from(list.len()).expect("a log has fewer than four billion segments");
        let segment = Segment { number, first, mark };
        let path = self.path(number);
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create_new(true)
            .open(&path)
            .map_err(failed("create", &path))?;
        file.write_all(&segment.encode())
            .map_err(failed("write", &path))?;
        file.sync_all().map_err(failed("sync", &path))?;
        sync_folder(&self.folder)?;
        list.push(segment);
        drop(list);
        let file = Arc::new(file);
        self.remember(number, &file);
        Ok((segment, file))
    }

    /// Makes the names of all segments durable.
    pub(crate) fn sync_folder(&self) -> Result<(), StoreError> {
        sync_folder(&self.folder)
    }

    /// The path of segment `number`.
    pub(crate) fn path(&self, number: u32) -> PathBuf {
        self.folder.join(format!("{number:010}.values"))
    }

    /// Segment `number`, if there is one.
    pub(crate) fn get(&self, number: u32) -> Option<Segment> {
        let list = self.list.read().unwrap_or_else(PoisonError::into_inner);
        list.get(usize::try_from(number).ok()?).copied()
    }

    /// The newest segment.
    pub(crate) fn last(&self) -> Option<Segment> {
        self.list
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .last()
            .copied()
    }

    /// All segments, oldest first.
    pub(crate) fn all(&self) -> Vec<Segment> {
        self.list.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The segment in which entry `index` stands, if it stands anywhere.
    pub(crate) fn holding(&self, index: LeafIndex) -> Option<Segment> {
        let list = self.list.read().unwrap_or_else(PoisonError::into_inner);
        let after = list.partition_point(|segment| segment.first <= index);
        list.get(after.checked_sub(1)?).copied()
    }

    /// The file of segment `number`, for reading (the newest one also for writing).
    pub(crate) fn file(&self, number: u32) -> Result<Arc<File>, StoreError> {
        if let Some(file) = self
            .files
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&number)
        {
            return Ok(Arc::clone(file));
        }
        let path = self.path(number);
        let newest = self.last().is_some_and(|segment| segment.number == number);
        let file = OpenOptions::new()
            .read(true)
            .write(newest)
            .open(&path)
            .map_err(failed("open", &path))?;
        let file = Arc::new(file);
        self.remember(number, &file);
        Ok(file)
    }

    fn remember(&self, number: u32, file: &Arc<File>) {
        let mut files = self.files.lock().unwrap_or_else(PoisonError::into_inner);
        if files.len() >= OPEN_FILES {
            files.pop_first();
        }
        files.insert(number, Arc::clone(file));
    }

    /// Length of the file of segment `number`, in bytes.
    pub(crate) fn file_len(&self, number: u32) -> Result<u64, StoreError> {
        let file = self.file(number)?;
        let metadata = file.metadata();
        metadata
            .map(|metadata| metadata.len())
            .map_err(failed("inspect", &self.path(number)))
    }

    /// Damage at `offset` of segment `number`.
    pub(crate) fn damaged(&self, number: u32, offset: u64, why: impl Into<String>) -> StoreError {
        StoreError::Damaged {
            what: self.path(number).display().to_string(),
            offset,
            why: why.into(),
        }
    }

    /// Fills `buffer` from `offset` on, as far as the file goes, and returns how far that was.
    pub(crate) fn read_at(
        &self,
        number: u32,
        file: &File,
        buffer: &mut [u8],
        offset: u64,
    ) -> Result<usize, StoreError> {
        let mut filled = 0;
        while let Some(rest) = buffer.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            let at = offset + u64::try_from(filled).unwrap_or(u64::MAX);
            match file.read_at(rest, at) {
                Ok(0) => break,
                Ok(read) => filled += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(failed("read", &self.path(number))(error)),
            }
        }
        Ok(filled)
    }
}

struct HeaderFault {
    why: &'static str,
    /// The file is too short to hold a frame.
    unused: bool,
}

fn number_of(name: &str) -> Option<u32> {
    let digits = name.strip_suffix(".values")?;
    let number = digits.parse().ok()?;
    (format!("{number:010}") == digits).then_some(number)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn header_round_trips(number: u32, first: u64, mark: [u8; 8]) {
            let segment = Segment { number, first: LeafIndex::new(first), mark };
            let bytes: [u8; 36] = segment.encode().try_into().unwrap();
            prop_assert_eq!(Segment::decode(&bytes), Ok(segment));
        }
    }

    #[test]
    fn every_flipped_bit_of_the_header_is_noticed() {
        let segment = Segment {
            number: 3,
            first: LeafIndex::new(77),
            mark: *b"markmark",
        };
        let bytes: [u8; 36] = segment.encode().try_into().unwrap();
        for bit in 0..36 * 8 {
            let mut flipped = bytes;
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(Segment::decode(&flipped).is_err(), "bit {bit}");
        }
    }

    #[test]
    fn file_names_have_one_spelling() {
        assert_eq!(number_of("0000000012.values"), Some(12));
        for other in [
            "12.values",
            "+000000012.values",
            "0000000012.value",
            "0000000012.values.new",
            "lock",
        ] {
            assert_eq!(number_of(other), None, "{other}");
        }
    }
}
