//! What is found does not depend on how many rows the replay keeps.

use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;

use super::{
    super::{
        bundle::Bundle,
        source::{MemoryCopy, StaticCopy as _},
        *,
    },
    at,
    files::{self, Expected},
    found, replayed,
    world::{ALICE, NOW, World, commission, encode, event, key, nth},
};
use crate::{
    admission::Feed,
    code::Outcome,
    entry::{Body, Entry},
    envelope::Envelope,
    id::FeedSequence,
    publish::FeedSigner,
    time::IssuedAt,
};

fn audit_keeping(world: &World, copy: &MemoryCopy, window: u64) -> Report {
    audit_within(copy, &world.trust(), &AuditOptions::default(), keeping(window)).unwrap()
}

fn keeping(window: u64) -> Limits {
    Limits {
        window,
        ..Limits::default()
    }
}

/// A report without the details of repetitions, which name an entry only as long as it is recent.
fn comparable(mut report: Report) -> Report {
    for finding in &mut report.findings {
        if finding.kind == FindingKind::NoPlace {
            finding.detail.clear();
        }
    }
    report
}

fn same_for_every_window(name: &str, world: &World, copy: &MemoryCopy, windows: &[u64]) -> Report {
    let all = audit_keeping(world, copy, u64::MAX);
    let expected = comparable(all.clone());
    for window in windows {
        let report = comparable(audit_keeping(world, copy, *window));
        assert_eq!(report, expected, "{name}, window {window}");
    }
    all
}

fn envelope_of(world: &World, index: u64) -> Bytes {
    match Entry::decode(&world.entries[nth(index)]).unwrap().body {
        Body::Statement { envelope, .. } => envelope,
        body => panic!("{body:?}"),
    }
}

fn smuggle_statement(world: &mut World, envelope: Bytes) -> u64 {
    let entry = Entry {
        recorded_at: world.tick(),
        body: Body::Statement {
            envelope,
            outcome: Outcome::Admitted,
        },
    };
    world.smuggle(&entry)
}

/// Evidence that names an entry of one's choice.
fn naming(mut entry: Entry, first: u64) -> Entry {
    if let Body::Evidence { first_index, .. } = &mut entry.body {
        *first_index = LeafIndex::new(first);
    }
    entry
}

/// A long log with everything that can be said about old statements, and what is to be found in it.
fn about_old_statements() -> (World, Expected) {
    use FindingKind::{FalseEvidence, NoPlace};
    let mut world = World::of(600);
    let places = world.places(2);
    let mut expected = Vec::new();
    let mut expect = |kind, index| expected.push(at(kind, index));
    let old = envelope_of(&world, places[&20]);
    expect(NoPlace, smuggle_statement(&mut world, old));
    let Body::Evidence { envelope: other, .. } = world.evidence_about(2, 30).body else {
        unreachable!("evidence was asked for");
    };
    let smuggled = smuggle_statement(&mut world, other);
    expect(NoPlace, smuggled);
    // Names the second as the first; another place; its own and a later one; one of another feed.
    let about = world.evidence_about(2, 30);
    for first in [
        smuggled,
        places[&31],
        602 + 2,
        u64::MAX,
        u64::MAX - 1,
        world.places(1)[&30],
    ] {
        let entry = naming(about.clone(), first);
        expect(FalseEvidence, world.smuggle(&entry));
    }
    // Names the repetition as the first.
    let entry = naming(world.evidence_about(2, 20), 600);
    expect(FalseEvidence, world.smuggle(&entry));
    // Against itself.
    let mut itself = world.evidence_about(2, 40);
    if let Body::Evidence { envelope, .. } = &mut itself.body {
        *envelope = envelope_of(&world, places[&40]);
    }
    expect(FalseEvidence, world.smuggle(&itself));
    let sound = world.evidence_about(2, 50);
    world.record_entry(&sound);
    // News no more.
    let again = world.evidence_about(2, 51);
    expect(FalseEvidence, world.smuggle(&again));
    let of_another = world.evidence_about(1, 3);
    world.record_entry(&of_another);
    (world, expected)
}

#[test]
fn evidence_and_repetitions_of_old_statements_are_found_the_same_for_every_window() {
    let (world, expected) = about_old_statements();
    let windows: Vec<u64> = (0..8)
        .chain((8..world.entries.len() as u64 + 2).step_by(41))
        .collect();
    let report = same_for_every_window("old statements", &world, &world.copy(), &windows);
    assert_eq!(found(&report), expected, "{:#?}", report.findings);
    assert_eq!(report.tally.evidence, 11);
}

#[test]
fn statements_that_come_late_stand_after_later_ones_for_every_window() {
    use FindingKind::{FalseEvidence, FeedBroken};
    let mut world = World::of(600);
    let places = world.places(1);
    let late = [20, 21].map(|sequence| envelope_of(&world, places[&sequence]));
    for sequence in [21, 20] {
        world.entries.remove(nth(places[&sequence]));
    }
    let after = places[&22] - 2;
    let about = naming(world.evidence_about(1, 20), after);
    let mut expected = vec![at(FeedBroken, after), at(FalseEvidence, world.smuggle(&about))];
    for envelope in late {
        expected.push(at(FeedBroken, smuggle_statement(&mut world, envelope)));
    }
    let about = naming(world.evidence_about(1, 20), 599);
    expected.push(at(FalseEvidence, world.smuggle(&about)));
    let report = same_for_every_window("late", &world, &world.copy(), &[0, 100]);
    assert_eq!(found(&report), expected, "{:#?}", report.findings);
}

#[test]
fn every_log_with_something_wrong_is_found_the_same_for_a_small_window() {
    for (name, world, copy, expected) in files::cases().into_iter().chain(replayed::cases()) {
        let report = same_for_every_window(name, &world, &copy, &[0]);
        assert_eq!(found(&report), expected, "{name}");
    }
    let world = World::eventful();
    same_for_every_window("eventful", &world, &world.copy(), &[0, 20, 100]);
}

type Damage<'a> = &'a dyn Fn(&mut MemoryCopy);

#[test]
fn damage_does_not_change_what_is_found_about_old_statements() {
    let (world, _) = about_old_statements();
    let places = world.places(2);
    let key = world.log_key();
    let damages: [(&str, Damage<'_>); 9] = [
        ("first lost", &|copy| {
            damage::drop_entry(copy, LeafIndex::new(places[&50])).unwrap();
        }),
        ("first flipped", &|copy| {
            damage::flip_byte(copy, LeafIndex::new(places[&50])).unwrap();
        }),
        ("first moved", &|copy| {
            damage::swap_entries(copy, LeafIndex::new(places[&50]), LeafIndex::new(places[&51])).unwrap();
        }),
        ("first taken out", &|copy| {
            damage::remove_entry(copy, LeafIndex::new(places[&50]), &[&key]).unwrap();
        }),
        ("its successor taken out", &|copy| {
            damage::remove_entry(copy, LeafIndex::new(places[&51]), &[&key]).unwrap();
        }),
        ("first forged", &|copy| {
            damage::forge_signature(copy, LeafIndex::new(places[&50]), &[&key]).unwrap();
        }),
        ("no hash tile", &|copy| copy.remove("tile/0/000").unwrap()),
        ("no tile above", &|copy| copy.remove("tile/1/000.p/2").unwrap()),
        ("no entries", &|copy| copy.remove("tile/entries/000").unwrap()),
    ];
    for (name, damage) in damages {
        let mut copy = world.copy();
        damage(&mut copy);
        same_for_every_window(name, &world, &copy, &[0, 64, 300]);
    }
}

#[test]
fn evidence_names_what_a_successor_named_as_its_previous() {
    // Alice's feed goes on from a statement that the log has not got in that place.
    let mut world = World::of(300);
    let last = world.places(1).len() as u64;
    let Body::Evidence {
        envelope,
        first_index,
    } = world.evidence_about(1, last).body
    else {
        unreachable!("evidence was asked for");
    };
    let hash = Envelope::decode(envelope.clone()).unwrap().hash();
    let last = FeedSequence::new(last);
    let mut signer = FeedSigner::new(key(1), world.state.log_id(), ALICE.into(), last, hash);
    for number in 0..150 {
        let events = encode(&[event(&format!("after-{number}"), commission(number))]);
        let signed = signer.sign(IssuedAt::from_nanos(NOW), &events);
        smuggle_statement(&mut world, signed.envelope);
    }
    let evidence = Entry {
        recorded_at: world.tick(),
        body: Body::Evidence {
            first_index,
            envelope,
        },
    };
    world.smuggle(&evidence);
    let report = same_for_every_window("renamed", &world, &world.copy(), &[0, 100]);
    // The evidence is true: the log's own statement at that sequence is another.
    assert_eq!(
        found(&report),
        [at(FindingKind::FeedBroken, 300)],
        "{:#?}",
        report.findings
    );
}

#[test]
fn rows_in_memory_do_not_grow_with_the_log() {
    let world = World::of(2_000);
    let copy = world.copy();
    let most = |window: u64| {
        let trust = world.trust();
        let mut findings = Findings::new(10);
        let mut replay = Replay::new(trust.log_id(), trust.origin().clone(), keeping(window));
        let mut most = 0;
        for name in entry_bundles_between(TreeSize::EMPTY, TreeSize::new(2_000)) {
            let bundle = bundle::check(vec![Bundle::read(&copy, name).unwrap()]).remove(0);
            let hashes: Vec<_> = bundle
                .hashes
                .content()
                .unwrap()
                .iter()
                .copied()
                .map(Some)
                .collect();
            for (index, slot) in slot::slots(bundle, &hashes) {
                replay.take(index, slot, None, &mut findings);
                let feeds = [1, 2, 3].map(|seed| replay.state()?.feed(key(seed).feed()));
                most = most.max(feeds.into_iter().flatten().map(Feed::rows_in_memory).sum());
            }
        }
        assert!(findings.list.is_empty());
        most
    };
    assert_eq!(most(u64::MAX), 1_997);
    // Three feeds with a chunk that is not full and one that is, and the window.
    assert!(most(0) <= 3 * 128, "{}", most(0));
    assert!(most(200) <= 3 * 128 + 200, "{}", most(200));
}

/// A copy of which one file is another one from the second time on.
struct Changing {
    copy: MemoryCopy,
    path: &'static str,
    then: Bytes,
    reads: AtomicUsize,
}

impl LogSource for Changing {
    fn read(&self, path: &str, len_max: usize) -> Result<Option<Bytes>, SourceError> {
        if path == self.path && self.reads.fetch_add(1, Ordering::Relaxed) > 0 {
            return Ok(Some(self.then.clone()));
        }
        self.copy.read(path, len_max)
    }
}

#[test]
fn files_that_change_while_evidence_is_looked_up_are_no_proof() {
    let mut world = World::of(600);
    // False: it names Bob's statement 51 as the first at sequence 50.
    let places = world.places(2);
    let about = world.evidence_about(2, 50);
    world.smuggle(&naming(about, places[&51]));
    let honest = world.copy();
    assert_eq!(
        found(&audit_keeping(&world, &honest, 0)),
        [at(FindingKind::FalseEvidence, 600)]
    );
    // The same files, but at the second look the entry is what the evidence says.
    let mut forged = world.entries.clone();
    forged[nth(places[&51])] = forged[nth(places[&50])].clone();
    let mut other = MemoryCopy::new();
    damage::write_log(&mut other, &forged, |head| Ok(world.sign(head).bytes().clone())).unwrap();
    for path in ["tile/entries/000", "tile/0/000"] {
        let source = Changing {
            copy: honest.clone(),
            path,
            then: other.read(path, usize::MAX).unwrap().unwrap(),
            reads: AtomicUsize::new(0),
        };
        let error = audit_within(&source, &world.trust(), &AuditOptions::default(), keeping(0)).unwrap_err();
        assert!(error.path.starts_with("tile/"), "{error}");
    }
}

#[test]
fn leaves_are_compared_again_through_every_level() {
    // Nothing in it is an entry; what is looked at here are the hashes.
    let mut world = World::of(1);
    let numbers = (0..66_500_u32).map(|number| number.to_be_bytes().to_vec().into());
    world.entries.extend(numbers);
    let (copy, head) = (world.copy(), *world.checkpoint().head());
    let mut findings = Findings::new(10);
    let mut tree = TreeCheck::new(&copy, head).unwrap();
    let mut before: Vec<(Bundle, Vec<Option<Hash>>)> = Vec::new();
    for name in entry_bundles_between(TreeSize::EMPTY, head.size) {
        let (bundle, _) = Bundle::read(&copy, name).unwrap();
        let hashes = bundle.hashes.content().unwrap();
        let leaves: Vec<_> = hashes.iter().copied().map(Some).collect();
        tree.push(&bundle, leaves.clone(), &mut findings).unwrap();
        before.push((bundle, leaves));
        if ![1, 2, 255, 256, 257, 260].contains(&before.len()) {
            continue;
        }
        for (bundle, leaves) in before.iter().step_by(51).chain(before.last()) {
            assert!(tree.confirms(bundle, leaves).unwrap(), "{}", bundle.name);
            for wrong in [None, Some(Hash::ZERO)] {
                let mut leaves = leaves.clone();
                leaves[77] = wrong;
                assert!(!tree.confirms(bundle, &leaves).unwrap(), "{}", bundle.name);
            }
        }
    }
    assert_eq!(before.len(), 260);
    assert!(findings.list.is_empty());
}

#[test]
fn an_audit_stops_once_too_much_is_lost_to_remember() {
    let world = World::of(9_000);
    let mut copy = world.copy();
    copy.remove("tile/entries/001").unwrap();
    let with = |lost_max| {
        let limits = Limits {
            lost_max,
            ..Limits::default()
        };
        audit_within(&copy, &world.trust(), &AuditOptions::default(), limits).unwrap()
    };
    let (all, less) = (with(256), with(255));
    assert!(!all.stopped_early && less.stopped_early);
    assert_eq!(found(&all), found(&less));
    assert!(less.tally.entries < all.tally.entries);
}
