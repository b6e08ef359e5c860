//! Logs that are right, and logs that are wrong in every way an audit has a name for.

mod after;
mod every_bit;
mod files;
mod injected;
mod older;
mod random;
mod replayed;
mod several;
pub(crate) mod world;

use std::collections::BTreeSet;

use super::*;
use source::{MemoryCopy, StaticCopy as _};
use world::World;

/// What was found, without the detail.
fn found(report: &Report) -> Vec<(FindingKind, Option<u64>, Option<&str>)> {
    let short = |finding: &'_ Finding| (finding.kind, finding.index.map(LeafIndex::get));
    report
        .findings
        .iter()
        .map(|finding| {
            let (kind, index) = short(finding);
            (kind, index, finding.file.as_deref())
        })
        .collect()
}

fn at(kind: FindingKind, index: u64) -> (FindingKind, Option<u64>, Option<&'static str>) {
    (kind, Some(index), None)
}

fn in_file(kind: FindingKind, file: &str) -> (FindingKind, Option<u64>, Option<&str>) {
    (kind, None, Some(file))
}

#[test]
fn numbers_and_names_are_distinct_from_all_other_codes() {
    use crate::code::{AnswerCode, NoEntryCode, Refusal};
    let mut numbers = BTreeSet::new();
    let mut names = BTreeSet::new();
    for kind in FindingKind::ALL {
        assert_eq!(FindingKind::from_number(kind.number()), Some(*kind));
        assert!((501..600).contains(&kind.number()));
        assert!(numbers.insert(kind.number()) && names.insert(kind.name()));
    }
    let others = Refusal::ALL.iter().map(|code| code.name());
    let others = others.chain(AnswerCode::ALL.iter().map(|code| code.name()));
    for name in others.chain(NoEntryCode::ALL.iter().map(|code| code.name())) {
        assert!(names.insert(name), "{name}");
    }
}

#[test]
fn an_honest_log_is_clean_at_every_size() {
    let mut world = World::new();
    for size in [1, 2, 5, 255, 256, 257, 511, 512, 513, 600] {
        world.grow_to(size);
        let report = world.audit(&world.copy());
        assert_eq!(found(&report), [], "at {size}: {:?}", report.findings);
        assert!(!report.stopped_early);
        assert_eq!(report.size, Some(TreeSize::new(size)));
        assert_eq!(report.tally.entries, size);
        let tally = &report.tally;
        assert_eq!(tally.statements + tally.records + tally.evidence, size);
        assert_eq!(tally.outcomes.values().sum::<u64>(), tally.statements);
        assert_eq!(tally.undecided, 0);
    }
}

#[test]
fn an_honest_log_with_refusals_evidence_records_parts_and_a_rotated_key_is_clean() {
    let world = World::eventful();
    let report = world.audit(&world.copy());
    assert_eq!(found(&report), [], "{:?}", report.findings);
    assert!(report.tally.evidence > 0 && report.tally.records > 1);
    assert!(report.tally.outcomes.len() >= 4, "{:?}", report.tally.outcomes);
}

#[test]
fn every_kind_of_finding_has_a_log_that_shows_it() {
    let shown: BTreeSet<FindingKind> = files::cases()
        .into_iter()
        .chain(replayed::cases())
        .flat_map(|(name, world, copy, expected)| {
            let report = world.audit(&copy);
            assert_eq!(found(&report), expected, "{name}: {:#?}", report.findings);
            expected.into_iter().map(|(kind, ..)| kind).collect::<Vec<_>>()
        })
        .collect();
    for kind in FindingKind::ALL
        .iter()
        .filter(|kind| **kind != FindingKind::NotExtended)
    {
        assert!(shown.contains(kind), "{kind} has no log");
    }
}

#[test]
fn several_damages_are_each_named() {
    let world = World::of(900);
    let mut copy = world.copy();
    let key = world.log_key();
    damage::forge_signature(&mut copy, LeafIndex::new(70), &[&key]).unwrap();
    damage::remove_entry(&mut copy, LeafIndex::new(101), &[&key]).unwrap();
    damage::flip_byte(&mut copy, LeafIndex::new(150)).unwrap();
    damage::drop_entry(&mut copy, LeafIndex::new(300)).unwrap();
    damage::swap_entries(&mut copy, LeafIndex::new(520), LeafIndex::new(530)).unwrap();
    damage::flip_byte(&mut copy, LeafIndex::new(880)).unwrap();
    let report = world.audit(&copy);
    let broken = report
        .findings
        .iter()
        .find(|finding| finding.kind == FindingKind::FeedBroken)
        .unwrap();
    let broken = broken.index.unwrap().get();
    assert!((101..150).contains(&broken), "{broken}");
    assert_eq!(
        found(&report),
        [
            at(FindingKind::HashMismatch, 150),
            at(FindingKind::InvalidSignature, 70),
            at(FindingKind::FeedBroken, broken),
            at(FindingKind::MissingEntry, 300),
            at(FindingKind::HashMismatch, 520),
            at(FindingKind::HashMismatch, 530),
            at(FindingKind::HashMismatch, 880),
        ],
        "{:#?}",
        report.findings
    );
}

#[test]
fn a_report_has_the_members_and_the_order_that_the_specification_says() {
    let world = World::of(300);
    let mut copy = world.copy();
    damage::flip_byte(&mut copy, LeafIndex::new(7)).unwrap();
    copy.write("tile/1", b"").unwrap();
    let mut report = world.audit(&copy);
    for finding in &mut report.findings {
        finding.detail = "for people".to_owned();
    }
    report.findings[1].number = Some(3);
    let (log_id, root) = (report.log_id, report.root.unwrap());
    let expected = [
        r#"{"origin":"ledger.example/audited","log_id":""#,
        &log_id.to_string(),
        r#"","size":300,"root":""#,
        &root.to_string(),
        r#"","entries":299,"statements":298,"events":"#,
        &report.tally.events.to_string(),
        r#","evidence":0,"records":1,"outcomes":{"admitted":298},"undecided":0,"findings":["#,
        r#"{"kind":"hash_mismatch","index":7,"detail":"for people"},"#,
        r#"{"kind":"surplus_file","file":"tile/1","number":3,"detail":"for people"}],"stopped_early":false}"#,
    ];
    assert_eq!(serde_json::to_string(&report).unwrap(), expected.concat());
    copy.write(CHECKPOINT, b"?").unwrap();
    let json = serde_json::to_value(world.audit(&copy)).unwrap();
    assert!(json["size"].is_null() && json["root"].is_null() && json["stopped_early"] == true);
}

/// Names files from the last to the first.
struct Backwards(MemoryCopy);

impl LogSource for Backwards {
    fn read(&self, path: &str, len_max: usize) -> Result<Option<bytes::Bytes>, SourceError> {
        self.0.read(path, len_max)
    }

    fn list(&self, visit: &mut dyn FnMut(&str)) -> Result<bool, SourceError> {
        let names: Vec<&str> = self.0.files().map(|(path, _)| path).collect();
        let tiles = names.iter().rev().filter(|path| path.starts_with("tile/"));
        tiles.for_each(|path| visit(path));
        Ok(true)
    }
}

#[test]
fn files_are_named_in_the_order_of_their_names_whatever_the_source_says() {
    let world = World::of(10);
    let mut copy = world.copy();
    for path in ["tile/0/002", "tile/0/000.p/9", "tile/a"] {
        copy.write(path, b"").unwrap();
    }
    let forwards = world.audit(&copy);
    for findings_max in [2, 1_000] {
        let options = AuditOptions {
            findings_max,
            ..AuditOptions::default()
        };
        let report = audit(&Backwards(copy.clone()), &world.trust(), &options).unwrap();
        let first = forwards.findings.iter().take(findings_max);
        assert!(report.findings.iter().eq(first), "{:?}", report.findings);
    }
    let names: Vec<_> = forwards
        .findings
        .iter()
        .filter_map(|finding| finding.file.as_deref())
        .collect();
    assert_eq!(names, ["tile/0/000.p/9", "tile/0/002", "tile/a"]);
}

#[test]
fn stops_at_the_most_findings_it_is_to_make() {
    let world = World::of(600);
    let mut copy = world.copy();
    for index in 100..200 {
        damage::flip_byte(&mut copy, LeafIndex::new(index)).unwrap();
    }
    let options = AuditOptions {
        findings_max: 10,
        ..AuditOptions::default()
    };
    let report = audit(&copy, &world.trust(), &options).unwrap();
    assert_eq!(report.findings.len(), 10);
    assert!(report.stopped_early);
}

#[test]
fn progress_ends_at_the_size() {
    let world = World::of(600);
    let last = std::sync::Mutex::new(None);
    let note = |progress: Progress| *last.lock().unwrap() = Some(progress);
    let options = AuditOptions {
        progress: Some(&note),
        ..AuditOptions::default()
    };
    audit(&world.copy(), &world.trust(), &options).unwrap();
    let progress = last.lock().unwrap().unwrap();
    assert_eq!((progress.entries, progress.size), (600, TreeSize::new(600)));
}

#[test]
fn an_earlier_checkpoint_must_be_of_a_prefix() {
    let mut world = World::new();
    let mut earlier = Vec::new();
    for size in [1, 4, 100, 256, 300, 512, 600] {
        world.grow_to(size);
        earlier.push(world.checkpoint());
    }
    let copy = world.copy();
    let with = |copy: &MemoryCopy, previous: &SignedCheckpoint| {
        let options = AuditOptions {
            previous: Some(previous),
            ..AuditOptions::default()
        };
        audit(copy, &world.trust(), &options).unwrap()
    };
    for previous in &earlier {
        assert!(with(&copy, previous).is_clean(), "{:?}", previous.head());
    }
    // The same ledger, gone on otherwise after 50 entries.
    let mut fork = World::new();
    fork.grow_to(50);
    fork.another_way();
    fork.grow_to(700);
    assert!(fork.audit(&fork.copy()).is_clean());
    let expected = [in_file(FindingKind::NotExtended, CHECKPOINT)];
    for previous in &earlier {
        let report = with(&fork.copy(), previous);
        let size = previous.head().size.get();
        assert_eq!(
            found(&report),
            if size > 50 { &expected[..] } else { &[] },
            "{size}"
        );
    }
    fork = World::new();
    fork.grow_to(50);
    fork.another_way();
    fork.grow_to(600);
    assert_eq!(
        found(&with(&fork.copy(), &earlier[6])),
        expected,
        "another root at one size"
    );
    let shorter = World::of(599);
    assert_eq!(
        found(&with(&shorter.copy(), &earlier[6])),
        expected,
        "shorter than before"
    );
}

#[test]
fn files_that_a_smaller_log_left_behind_must_agree() {
    let mut world = World::new();
    let mut copy = MemoryCopy::new();
    for size in [3, 200, 256, 300, 600] {
        world.grow_to(size);
        for (path, bytes) in world.copy().files() {
            copy.write(path, bytes).unwrap();
        }
    }
    assert!(copy.files().any(|(path, _)| path == "tile/0/000.p/200"));
    assert_eq!(found(&world.audit(&copy)), []);
    for path in [
        "tile/0/000.p/200",
        "tile/entries/000.p/3",
        "tile/entries/001.p/44",
    ] {
        let mut copy = copy.clone();
        let mut bytes = copy.read(path, usize::MAX).unwrap().unwrap().to_vec();
        bytes[40] ^= 4;
        copy.write(path, &bytes).unwrap();
        assert_eq!(
            found(&world.audit(&copy)),
            [in_file(FindingKind::TileMismatch, path)]
        );
        bytes[40] ^= 4;
        bytes.pop();
        copy.write(path, &bytes).unwrap();
        assert_eq!(
            found(&world.audit(&copy)),
            [in_file(FindingKind::TileMismatch, path)]
        );
    }
}
