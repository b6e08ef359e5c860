//! Files damaged at random, several at once: whoever is named was touched.

use std::collections::BTreeSet;

use bytes::Bytes;

use super::{
    super::{source::MemoryCopy, *},
    found,
    world::World,
};
use crate::audit::source::StaticCopy as _;

/// A sequence of numbers that looks random and is always the same.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % bound.max(1) as u64).unwrap()
    }
}

fn frames(bytes: &[u8]) -> Option<Vec<Vec<u8>>> {
    let (mut rest, mut entries) = (bytes, Vec::new());
    while !rest.is_empty() {
        let (len, after) = rest.split_at_checked(2)?;
        let (entry, after) = after.split_at_checked(usize::from(u16::from_be_bytes(len.try_into().ok()?)))?;
        entries.push(entry.to_vec());
        rest = after;
    }
    Some(entries)
}

fn framed(entries: &[Vec<u8>]) -> Vec<u8> {
    let frame = |entry: &Vec<u8>| [&u16::try_from(entry.len()).unwrap().to_be_bytes()[..], entry].concat();
    entries.iter().flat_map(frame).collect()
}

/// One fault in one file, or in two.
fn damage_once(copy: &mut MemoryCopy, random: &mut Random) -> String {
    let files: Vec<String> = copy.files().map(|(path, _)| path.to_owned()).collect();
    let tiles: Vec<&String> = files.iter().filter(|path| path.starts_with("tile/")).collect();
    let path = tiles[random.below(tiles.len())].clone();
    let mut bytes = copy.read(&path, usize::MAX).unwrap().unwrap().to_vec();
    let at = random.below(bytes.len());
    let kind = random.below(9);
    match kind {
        0 => bytes[at] ^= 1 << random.below(8),
        1 => bytes.truncate(at),
        2 => bytes.extend_from_within(..at),
        3 => bytes.insert(at, 0),
        4 => {
            copy.remove(&path).unwrap();
            return format!("{path} removed");
        }
        5 => {
            let other = tiles[random.below(tiles.len())].clone();
            bytes = copy.read(&other, usize::MAX).unwrap().unwrap().to_vec();
        }
        _ => {
            if let Some(mut entries) =
                frames(&bytes).filter(|_| path.contains("entries") && !bytes.is_empty())
            {
                let (one, other) = (random.below(entries.len()), random.below(entries.len()));
                match kind {
                    6 => drop(entries.remove(one)),
                    7 => entries.swap(one, other),
                    _ => entries.insert(one, entries[other].clone()),
                }
                bytes = framed(&entries);
            } else if bytes.len() >= 64 {
                let hash = at / 32 * 32;
                let other = random.below(bytes.len() / 32) * 32;
                if hash + 32 <= bytes.len() {
                    bytes.copy_within(other..other + 32, hash);
                }
            }
        }
    }
    copy.write(&path, &bytes).unwrap();
    format!("{path} {kind}")
}

/// One fault in what the log says, which the ledger then signs.
fn forge_once(entries: &mut Vec<Bytes>, random: &mut Random) -> String {
    let one = 1 + random.below(entries.len() - 1);
    let other = 1 + random.below(entries.len() - 1);
    let mut bytes = entries[one].to_vec();
    let kind = random.below(9);
    match kind {
        0 => {
            let at = random.below(bytes.len());
            bytes[at] ^= 1 << random.below(8);
        }
        1 => {
            let outcomes = [0_u16, 101, 105, 106, 107, 201, 202, 203, 402];
            bytes[2..4].copy_from_slice(&outcomes[random.below(outcomes.len())].to_be_bytes());
        }
        2 => {
            let by = random.below(2_000_000).to_be_bytes();
            bytes[8..12].copy_from_slice(&by[4..]);
        }
        3 => {
            entries.remove(one);
            return format!("{one} removed");
        }
        4 => {
            entries.swap(one, other);
            return format!("{one} and {other} swapped");
        }
        5 => {
            let mut copy = entries[other].to_vec();
            copy[4..12].copy_from_slice(&entries[one][4..12]);
            entries.insert(one, copy.into());
            return format!("{other} again before {one}");
        }
        6 => *bytes.last_mut().unwrap() ^= 1,
        7 => bytes.truncate(random.below(bytes.len())),
        _ => {
            let mut copy = entries[other].to_vec();
            copy[4..12].copy_from_slice(&bytes[4..12]);
            bytes = copy;
        }
    }
    entries[one] = bytes.into();
    format!("{one} {kind}")
}

#[test]
fn whatever_the_ledger_signs_is_found_the_same_however_much_is_remembered() {
    let honest = World::eventful();
    let mut random = Random(0x2545_F491_4F6C_DD1D);
    for round in 0..40 {
        let mut world = World::eventful();
        let faults: Vec<String> = (0..=round % 4)
            .map(|_| forge_once(&mut world.entries, &mut random))
            .collect();
        let copy = world.copy();
        let report = world.audit(&copy);
        let limits = Limits {
            window: 0,
            ..Limits::default()
        };
        let again = audit_within(&copy, &world.trust(), &AuditOptions::default(), limits).unwrap();
        assert_eq!(found(&again), found(&report), "{faults:?}");
        // Nothing is found before the first entry that is not as it was.
        let same = honest
            .entries
            .iter()
            .zip(&world.entries)
            .take_while(|(old, new)| old == new);
        let same = same.count() as u64;
        let before = report.findings.iter().filter_map(|finding| finding.index);
        assert!(before.into_iter().all(|index| index.get() >= same), "{faults:?}");
    }
}

#[test]
fn nobody_is_named_whose_file_was_not_touched() {
    let world = World::of(600);
    let honest = world.copy();
    assert!(world.audit(&honest).is_clean());
    let mut random = Random(0x9E37_79B9_7F4A_7C15);
    for round in 0..60 {
        let mut copy = honest.clone();
        let faults: Vec<String> = (0..=round % 4)
            .map(|_| damage_once(&mut copy, &mut random))
            .collect();
        let touched: BTreeSet<&str> = honest
            .files()
            .filter(|(path, bytes)| copy.read(path, usize::MAX).unwrap().as_ref() != Some(*bytes))
            .map(|(path, _)| path)
            .collect();
        let report = world.audit(&copy);
        assert_eq!(report.is_clean(), touched.is_empty(), "{faults:?}");
        // Where nothing leads to the root, it is all that can be said.
        let is_lost = report
            .findings
            .iter()
            .any(|finding| finding.kind == FindingKind::RootMismatch);
        for finding in report.findings.iter().filter(|_| !is_lost) {
            let file = match (&finding.file, finding.index) {
                (_, Some(index)) => EntryBundle::covering(index, TreeSize::new(600))
                    .unwrap()
                    .to_string(),
                (Some(file), None) => file.clone(),
                (None, None) => panic!("{finding}"),
            };
            assert!(
                touched.contains(file.as_str()),
                "{faults:?}: {:#?}",
                report.findings
            );
            // Where the entries can be told apart, the one named is not the log's.
            if let Some(index) = finding.index
                && let Some(entries) = frames(&copy.read(&file, usize::MAX).unwrap().unwrap_or_default())
                && entries.len()
                    == usize::from(EntryBundle::covering(index, TreeSize::new(600)).unwrap().width())
            {
                let place = usize::try_from(index.get()).unwrap();
                assert!(
                    entries[place % 256] != world.entries[place],
                    "{faults:?}: {:#?}",
                    report.findings
                );
            }
        }
    }
}
