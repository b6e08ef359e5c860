//! Logs in which every hash holds: what only deciding again finds.

use bytes::Bytes;

use super::{
    super::*,
    at,
    files::{Case, Expected},
    found,
    world::{ALICE, NOW, World, commission, encode, event, key, nth, slice},
};
use crate::{
    code::{Outcome, Refusal},
    entry::{Body, Entry},
    id::FeedSequence,
    publish::FeedSigner,
    time::{IssuedAt, RecordedAt},
    wire::v1::{self, event::Kind, ledger_record::Record},
};

fn statement(envelope: Bytes, recorded_at: RecordedAt) -> Entry {
    Entry {
        recorded_at,
        body: Body::Statement {
            envelope,
            outcome: Outcome::Admitted,
        },
    }
}

/// A statement that has no place, put into the log after 300 entries, and a hundred more behind it.
fn smuggled(name: &'static str, kind: FindingKind, envelope: impl FnOnce(&mut World) -> Bytes) -> Case {
    let mut world = World::of(300);
    let envelope = envelope(&mut world);
    let entry = statement(envelope, world.tick());
    put_in(name, kind, world, &entry)
}

fn put_in(name: &'static str, kind: FindingKind, mut world: World, entry: &Entry) -> Case {
    let index = world.smuggle(entry);
    world.grow_to(index + 100);
    let copy = world.copy();
    (name, world, copy, vec![at(kind, index)])
}

/// Entries of a log of 600 changed by `change`, everything rebuilt and signed.
fn rewritten(name: &'static str, expected: Expected, change: impl FnOnce(&mut Vec<Bytes>)) -> Case {
    let mut world = World::of(600);
    change(&mut world.entries);
    let copy = world.copy();
    (name, world, copy, expected)
}

fn with_entry(bytes: &Bytes, change: impl FnOnce(&mut Entry)) -> Bytes {
    let mut entry = Entry::decode(bytes).unwrap();
    change(&mut entry);
    entry.encode()
}

fn commissions(world: &World, seed: u8, last: u64, hash: Hash) -> Bytes {
    let mut signer = FeedSigner::new(
        key(seed),
        world.state.log_id(),
        ALICE.into(),
        FeedSequence::new(last),
        hash,
    );
    signer
        .sign(IssuedAt::from_nanos(NOW), &encode(&[event("x", commission(1))]))
        .envelope
}

pub(super) fn cases() -> Vec<Case> {
    use FindingKind::{
        FalseEvidence, FeedBroken, InvalidCheckpoint, InvalidEntry, InvalidSignature, NoPlace, TimeReversed,
        WrongOutcome,
    };
    let mut cases = Vec::new();

    let world = World::of(600);
    let mut copy = world.copy();
    let (victim, next) = damage::middle_of_longest_feed(&copy).unwrap();
    damage::forge_signature(&mut copy, victim, &[&world.log_key()]).unwrap();
    cases.push(("forged", world, copy, vec![at(InvalidSignature, victim.get())]));

    let world = World::of(600);
    let mut copy = world.copy();
    damage::remove_entry(&mut copy, victim, &[&world.log_key()]).unwrap();
    cases.push(("taken out", world, copy, vec![at(FeedBroken, next.get() - 1)]));

    cases.push(rewritten(
        "two of one feed swapped",
        vec![at(FeedBroken, 300), at(FeedBroken, 303)],
        |entries| {
            // Recorded times stay where they are.
            let [one, other] = [&entries[300], &entries[303]].map(|bytes| Entry::decode(bytes).unwrap());
            entries[300] = Entry {
                recorded_at: one.recorded_at,
                body: other.body,
            }
            .encode();
            entries[303] = Entry {
                recorded_at: other.recorded_at,
                body: one.body,
            }
            .encode();
        },
    ));
    for (index, says, outcome) in [
        (300, "refused", Outcome::Refused(Refusal::Unauthorised)),
        (590, "refused", Outcome::Refused(Refusal::PartOutOfPlace)),
    ] {
        cases.push(rewritten(says, vec![at(WrongOutcome, index)], |entries| {
            let at = nth(index);
            entries[at] = with_entry(&entries[at], |entry| {
                if let Body::Statement {
                    outcome: recorded, ..
                } = &mut entry.body
                {
                    *recorded = outcome;
                }
            });
        }));
    }
    let mut world = World::of(20);
    let index = world.tell(ALICE, 1, &[slice(2, 2)]).get();
    world.grow_to(50);
    world.entries[nth(index)] = with_entry(&world.entries[nth(index)], |entry| {
        if let Body::Statement { outcome, .. } = &mut entry.body {
            *outcome = Outcome::Admitted;
        }
    });
    let copy = world.copy();
    cases.push(("admitted", world, copy, vec![at(WrongOutcome, index)]));
    for (index, nanos, found_at) in [(300, -5_000, 300), (300, 5_000, 301), (256, -5_000, 256)] {
        cases.push(rewritten("time", vec![at(TimeReversed, found_at)], |entries| {
            entries[index] = with_entry(&entries[index], |entry| {
                entry.recorded_at = RecordedAt::from_nanos(entry.recorded_at.as_nanos() + nanos);
            });
        }));
    }

    cases.push(smuggled("of a key nobody enrolled", NoPlace, |world| {
        commissions(world, 9, 0, Hash::ZERO)
    }));
    cases.push(smuggled("once more", NoPlace, |world| {
        let feed = world.state.feed(key(1).feed()).unwrap();
        let first = feed.row(FeedSequence::FIRST).unwrap().index;
        match Entry::decode(&world.entries[nth(first.get())]).unwrap().body {
            Body::Statement { envelope, .. } => envelope,
            body => panic!("{body:?}"),
        }
    }));
    cases.push(smuggled("another first", NoPlace, |world| {
        commissions(world, 1, 0, Hash::ZERO)
    }));
    cases.push(smuggled("for another ledger", NoPlace, |world| {
        let log_id = LogId::new(Hash::of(&[b"other"]));
        let (last, hash) = world.signer(ALICE, key(1)).last();
        let mut signer = FeedSigner::new(key(1), log_id, ALICE.into(), last, hash);
        signer
            .sign(IssuedAt::from_nanos(NOW), &encode(&[event("x", commission(1))]))
            .envelope
    }));
    let mut world = World::of(300);
    let close = v1::FeedClosed {
        key: key(1).feed().as_bytes().to_vec(),
    };
    let before = world.signer(ALICE, key(1)).last();
    world.act(&[event("close", Kind::FeedClosed(close))]);
    let envelope = commissions(&world, 1, before.0.get(), before.1);
    let entry = statement(envelope, world.tick());
    let index = world.smuggle(&entry);
    let copy = world.copy();
    cases.push(("of a closed feed", world, copy, vec![at(NoPlace, index)]));

    cases.push(smuggled("no envelope", InvalidEntry, |_| {
        Bytes::from_static(b"envelope")
    }));
    let mut world = World::of(300);
    let entry = Entry {
        recorded_at: world.tick(),
        body: Body::Record(Record::Genesis(world.state.genesis().clone())),
    };
    cases.push(put_in("a second genesis", InvalidEntry, world, &entry));
    cases.push(rewritten("no entry", vec![at(InvalidEntry, 599)], |entries| {
        entries[599] = Bytes::from_static(b"?");
    }));

    for (name, size, root) in [
        ("a reseeding with another size", 299, None),
        ("a reseeding with another root", 300, Some(Hash::of(&[b"root"]))),
    ] {
        let mut world = World::of(300);
        let entry = world.reseeding(size, root);
        cases.push(put_in(name, FindingKind::FalseRecord, world, &entry));
    }

    let evidence = |name, change: fn(&mut World, &mut Entry)| {
        let mut world = World::of(300);
        let mut entry = world.evidence(2);
        change(&mut world, &mut entry);
        put_in(name, FalseEvidence, world, &entry)
    };
    cases.push(evidence("evidence names another first", |_, entry| {
        if let Body::Evidence { first_index, .. } = &mut entry.body {
            *first_index = LeafIndex::new(first_index.get() - 1);
        }
    }));
    cases.push(evidence("evidence signed by nobody", |_, entry| {
        if let Body::Evidence { envelope, .. } = &mut entry.body {
            let mut bytes = envelope.to_vec();
            *bytes.last_mut().unwrap() ^= 1;
            *envelope = bytes.into();
        }
    }));
    cases.push(evidence(
        "the first as evidence against itself",
        |world, entry| {
            if let Body::Evidence {
                envelope,
                first_index,
            } = &mut entry.body
            {
                let first = Entry::decode(&world.entries[nth(first_index.get())]).unwrap();
                if let Body::Statement { envelope: first, .. } = first.body {
                    *envelope = first;
                }
            }
        },
    ));
    cases.push(evidence("evidence a second time", |world, entry| {
        world.state.take_own(entry).unwrap();
        world.entries.push(entry.encode());
    }));

    let mut world = World::of(300);
    let (added, retired) = (
        v1::LogKeyAdded {
            key: key(77).feed().as_bytes().to_vec(),
        },
        v1::LogKeyRetired {
            key: world.log_key().verifier_key().public_key().to_vec(),
        },
    );
    world.act(&[
        event("add", Kind::LogKeyAdded(added)),
        event("retire", Kind::LogKeyRetired(retired)),
    ]);
    let copy = world.copy();
    cases.push((
        "signed by a retired key",
        world,
        copy,
        vec![(InvalidCheckpoint, None, Some(CHECKPOINT))],
    ));
    cases
}

#[test]
fn a_feed_that_was_broken_is_followed_from_there() {
    let world = World::of(600);
    let places: Vec<u64> = world.places(1).into_values().collect();
    let mut copy = world.copy();
    // Two holes in one feed, each of two statements; entries move up by what was taken out before them.
    for index in [places[91], places[90], places[41], places[40]] {
        damage::remove_entry(&mut copy, LeafIndex::new(index), &[&world.log_key()]).unwrap();
    }
    let report = world.audit(&copy);
    let expected = [
        at(FindingKind::FeedBroken, places[42] - 2),
        at(FindingKind::FeedBroken, places[92] - 4),
    ];
    assert_eq!(found(&report), expected, "{:#?}", report.findings);
}

#[test]
fn a_hole_that_lost_entries_explain_hides_no_other() {
    let world = World::of(600);
    let places: Vec<u64> = world.places(1).into_values().collect();
    let mut copy = world.copy();
    damage::remove_entry(&mut copy, LeafIndex::new(places[90]), &[&world.log_key()]).unwrap();
    damage::drop_entry(&mut copy, LeafIndex::new(places[40])).unwrap();
    let report = world.audit(&copy);
    let expected = [
        at(FindingKind::MissingEntry, places[40]),
        at(FindingKind::FeedBroken, places[91] - 1),
    ];
    assert_eq!(found(&report), expected, "{:#?}", report.findings);
}

#[test]
fn a_part_whose_predecessor_is_lost_is_undecided() {
    let mut world = World::of(20);
    world.tell(ALICE, 1, &[slice(1, 3)]);
    let lost = world.tell(ALICE, 1, &[slice(2, 3)]);
    world.tell(ALICE, 1, &[slice(3, 3)]);
    world.grow_to(60);
    let mut copy = world.copy();
    damage::drop_entry(&mut copy, lost).unwrap();
    let report = world.audit(&copy);
    assert_eq!(
        found(&report),
        [at(FindingKind::MissingEntry, lost.get())],
        "{:#?}",
        report.findings
    );
    assert_eq!(report.tally.undecided, 1);
}
