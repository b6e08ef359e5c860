//! Claims about the value log alone: what is cut, what is damage, what comes back.

use std::{fs, path::Path};

use super::{
    cursor::{Frame, Frames},
    *,
};
use crate::log::hash::leaf_hash;

/// Entry `index`: of varying length, some empty, all different where not.
fn entry(index: u64) -> Bytes {
    let len = usize::try_from(index * 7 % 12).unwrap();
    // No zeros, which is what lost bytes read as.
    Bytes::from((!index).to_be_bytes().map(|byte| byte.max(1)).repeat(2)[..len].to_vec())
}

fn commit(from: u64, count: u64) -> Vec<(Bytes, Hash)> {
    (from..from + count)
        .map(entry)
        .map(|entry| (entry.clone(), leaf_hash(&entry)))
        .collect()
}

fn open(folder: &Path, segment_len_max: u32) -> Result<ValueLog, StoreError> {
    let log = ValueLog::open(folder.to_owned(), segment_len_max, 0)?;
    log.settle(true)?;
    Ok(log)
}

fn append(log: &mut ValueLog, count: u64) {
    let entries = commit(log.size(), count);
    log.append(&entries).unwrap();
}

/// Reads the whole log and checks every entry.
fn check(log: &ValueLog) {
    let mut frames = Frames::from_segment_of(log.segments(), LeafIndex::GENESIS, log.size(), 100).unwrap();
    let mut index = 0;
    while let Some(Frame { header, body, .. }) = frames.next().unwrap() {
        for found in frame::entries(&body, header.count).unwrap() {
            assert_eq!(found, entry(index), "entry {index}");
            index += 1;
        }
    }
    assert_eq!(index, log.size());
}

fn file(folder: &Path, number: u32) -> PathBuf {
    folder.join(format!("{number:010}.values"))
}

/// A log of three commits in one segment, with the size and length after each; the second and third
/// commit have two frames, because they cross entry 256 and 512.
fn three_commits(folder: &Path) -> Vec<(u64, u32)> {
    let mut log = open(folder, 1 << 20).unwrap();
    let mut ends = vec![(0, log.end)];
    for count in [250, 20, 300] {
        append(&mut log, count);
        ends.push((log.size(), log.end));
    }
    ends
}

#[test]
fn entries_come_back_across_frames_and_segments_and_openings() {
    let folder = tempfile::tempdir().unwrap();
    for (round, count) in [1, 255, 1, 256, 257, 1000, 3].into_iter().enumerate() {
        let mut log = open(folder.path(), 2000).unwrap();
        check(&log);
        append(&mut log, count);
        check(&log);
        let last = log.last();
        drop(log);
        assert_eq!(open(folder.path(), 2000).unwrap().last(), last, "round {round}");
    }
    assert!(file(folder.path(), 5).exists());
}

#[test]
fn tail_torn_at_every_byte_is_cut_back_to_the_last_whole_frame() {
    let folder = tempfile::tempdir().unwrap();
    three_commits(folder.path());
    let path = file(folder.path(), 0);
    let whole = fs::read(&path).unwrap();
    // Ends of all frames, also those within commits.
    let log = open(folder.path(), 1 << 20).unwrap();
    let mut frames = Frames::from_segment_of(log.segments(), LeafIndex::GENESIS, log.size(), 100).unwrap();
    let mut ends = vec![(0, segment::HEADER_LEN)];
    while let Some(Frame { place, header, .. }) = frames.next().unwrap() {
        ends.push((header.end(), place.offset + header.frame_len()));
    }
    assert_eq!(ends.len(), 1 + 1 + 2 + 2);
    drop(log);
    for len in 0..whole.len() {
        for filler in [0, 200] {
            // The file ends there, or its length was kept and its bytes were not.
            let mut torn = whole[..len].to_vec();
            torn.resize(len + filler, 0);
            fs::write(&path, &torn).unwrap();
            if len < 36 && filler > 0 {
                // Frames are only written after the header is synced.
                assert!(matches!(
                    open(folder.path(), 1 << 20),
                    Err(StoreError::Damaged { .. })
                ));
                continue;
            }
            let (size, end) = *ends
                .iter()
                .rev()
                .find(|(_, end)| *end <= u32::try_from(len).unwrap().max(36))
                .unwrap();
            let mut log = open(folder.path(), 1 << 20).unwrap();
            assert_eq!((log.size(), log.end), (size, end), "cut at {len}");
            assert_eq!(fs::metadata(&path).unwrap().len(), u64::from(end));
            append(&mut log, 5);
            drop(log);
            check(&open(folder.path(), 1 << 20).unwrap());
        }
    }
}

#[test]
fn every_flipped_bit_before_the_last_commit_is_damage_and_nothing_is_changed() {
    let folder = tempfile::tempdir().unwrap();
    let ends = three_commits(folder.path());
    let path = file(folder.path(), 0);
    let whole = fs::read(&path).unwrap();
    let last_commit = usize::try_from(ends[2].1).unwrap();
    for at in 0..last_commit {
        let mut flipped = whole.clone();
        flipped[at] ^= 1 << (at % 8);
        fs::write(&path, &flipped).unwrap();
        assert!(
            matches!(open(folder.path(), 1 << 20), Err(StoreError::Damaged { .. })),
            "byte {at}"
        );
        assert_eq!(fs::read(&path).unwrap(), flipped);
    }
}

#[test]
fn every_flipped_bit_of_the_last_commit_is_cut_off_or_damage_if_it_was_promised() {
    let folder = tempfile::tempdir().unwrap();
    let ends = three_commits(folder.path());
    let path = file(folder.path(), 0);
    let whole = fs::read(&path).unwrap();
    let last_commit = usize::try_from(ends[2].1).unwrap();
    for at in last_commit..whole.len() {
        let mut flipped = whole.clone();
        flipped[at] ^= 1 << (at % 8);
        fs::write(&path, &flipped).unwrap();
        let promised = ends[3].0;
        let strict = ValueLog::open(folder.path().to_owned(), 1 << 20, promised);
        assert!(matches!(strict, Err(StoreError::Damaged { .. })), "byte {at}");
        assert_eq!(fs::read(&path).unwrap(), flipped);
        let log = open(folder.path(), 1 << 20).unwrap();
        assert!(log.size() >= ends[2].0 && log.size() < promised, "byte {at}");
    }
}

#[test]
fn first_frame_of_the_last_commit_lost_and_second_kept_is_a_torn_tail() {
    let folder = tempfile::tempdir().unwrap();
    let ends = three_commits(folder.path());
    let path = file(folder.path(), 0);
    let mut bytes = fs::read(&path).unwrap();
    let start = usize::try_from(ends[2].1).unwrap();
    bytes[start..start + 100].fill(0);
    fs::write(&path, &bytes).unwrap();
    let log = open(folder.path(), 1 << 20).unwrap();
    assert_eq!(log.size(), ends[2].0);
    check(&log);
}

#[test]
fn entry_that_looks_like_a_later_frame_does_not_turn_a_torn_tail_into_damage() {
    let folder = tempfile::tempdir().unwrap();
    let mut log = open(folder.path(), 1 << 20).unwrap();
    append(&mut log, 10);
    let (size, start) = (log.size(), usize::try_from(log.end).unwrap());
    // Somebody who knew everything but the mark would send this.
    let mut forged = Vec::new();
    frame::push(
        &mut forged,
        *b"guessed!",
        log.end + 200,
        LeafIndex::new(99),
        &commit(99, 3),
    );
    log.append(&[(vec![7; 100].into(), Hash::ZERO), (forged.into(), Hash::ZERO)])
        .unwrap();
    let (path, end) = (file(folder.path(), 0), log.end);
    drop(log);
    let bytes = fs::read(&path).unwrap();
    let mut torn = bytes[..usize::try_from(end).unwrap()].to_vec();
    torn[start + 100] ^= 1;
    fs::write(&path, torn).unwrap();
    assert_eq!(open(folder.path(), 1 << 20).unwrap().size(), size);
}

#[test]
fn earlier_segment_cut_emptied_or_missing_is_damage() {
    let folder = tempfile::tempdir().unwrap();
    let mut log = open(folder.path(), 1000).unwrap();
    for _ in 0..8 {
        append(&mut log, 40);
    }
    assert!(log.segment.number >= 3);
    let newest = log.segment.number;
    // Only an index or a whole read looks into the oldest; the one before an empty newest is looked at.
    let next = log.next;
    log.segments.create(next, *b"marking!").unwrap();
    drop(log);
    let before = file(folder.path(), newest);
    let whole = fs::read(&before).unwrap();
    for len in 0..whole.len() {
        fs::write(&before, &whole[..len]).unwrap();
        assert!(
            matches!(open(folder.path(), 1000), Err(StoreError::Damaged { .. })),
            "cut at {len}"
        );
    }
    fs::write(&before, &whole).unwrap();
    open(folder.path(), 1000).unwrap();
    fs::remove_file(file(folder.path(), 1)).unwrap();
    assert!(matches!(
        open(folder.path(), 1000),
        Err(StoreError::Damaged { .. })
    ));
}

#[test]
fn newest_segment_that_was_never_used_is_begun_again() {
    let folder = tempfile::tempdir().unwrap();
    let mut log = open(folder.path(), 1000).unwrap();
    append(&mut log, 100);
    let (size, newest) = (log.size(), log.segment.number);
    drop(log);
    for len in 0..=36 {
        fs::write(file(folder.path(), newest + 1), vec![0; len]).unwrap();
        let mut log = open(folder.path(), 1000).unwrap();
        assert_eq!(log.size(), size);
        assert!(!file(folder.path(), newest + 1).exists());
        check(&log);
        log.next = LeafIndex::new(size);
    }
}

#[test]
fn refuses_an_entry_that_is_too_long_before_writing_anything() {
    let folder = tempfile::tempdir().unwrap();
    let mut log = open(folder.path(), 1000).unwrap();
    let long = Bytes::from(vec![0; ENTRY_LEN_MAX + 1]);
    assert!(
        log.append(&[(Bytes::new(), Hash::ZERO), (long, Hash::ZERO)])
            .is_err()
    );
    let longest = Bytes::from(vec![1; ENTRY_LEN_MAX]);
    log.append(&[(longest, Hash::ZERO)]).unwrap();
    assert_eq!(open(folder.path(), 1000).unwrap().size(), 1);
}
