//! What an audit says of a log after its first finding: the rules of that name in the specification.

use bytes::Bytes;

use super::{
    super::{source::MemoryCopy, *},
    at, found,
    world::{ALICE, NOW, World, commission, encode, event, key, nth, slice},
};
use crate::{
    audit::source::StaticCopy as _,
    code::Outcome,
    entry::{Body, Entry},
    id::FeedSequence,
    publish::FeedSigner,
    time::{IssuedAt, RecordedAt},
    wire::v1::{self, event::Kind, ledger_record::Record},
};

fn expect(world: &World, copy: &MemoryCopy, expected: &[(FindingKind, Option<u64>, Option<&str>)]) {
    let report = world.audit(copy);
    assert_eq!(found(&report), expected, "{:#?}", report.findings);
}

/// Changes the entries of one bundle's file, and nothing else.
pub(super) fn in_bundle(copy: &mut MemoryCopy, bundle: EntryBundle, change: impl FnOnce(&mut Vec<Vec<u8>>)) {
    let bytes = copy.read(&bundle.to_string(), usize::MAX).unwrap().unwrap();
    let entries = bundle.entries(&bytes).unwrap();
    let mut entries: Vec<Vec<u8>> = entries.into_iter().map(<[u8]>::to_vec).collect();
    change(&mut entries);
    let frame = |entry: &Vec<u8>| [&u16::try_from(entry.len()).unwrap().to_be_bytes()[..], entry].concat();
    let bytes: Vec<u8> = entries.iter().flat_map(frame).collect();
    copy.write(&bundle.to_string(), &bytes).unwrap();
}

fn second_genesis(world: &mut World) -> u64 {
    let entry = Entry {
        recorded_at: world.tick(),
        body: Body::Record(Record::Genesis(world.state.genesis().clone())),
    };
    world.smuggle(&entry)
}

/// A statement of a key that nobody enrolled.
fn stranger(world: &mut World) -> u64 {
    let log_id = world.state.log_id();
    let mut signer = FeedSigner::new(key(99), log_id, ALICE.into(), FeedSequence::NONE, Hash::ZERO);
    let events = encode(&[event("x", commission(1))]);
    let entry = Entry {
        recorded_at: world.tick(),
        body: Body::Statement {
            envelope: signer.sign(IssuedAt::from_nanos(NOW), &events).envelope,
            outcome: Outcome::Admitted,
        },
    };
    world.smuggle(&entry)
}

/// The log says of this entry that it was admitted.
fn admit(world: &mut World, index: LeafIndex) {
    let entry = &mut world.entries[nth(index.get())];
    let mut bytes = entry.to_vec();
    assert_ne!(bytes[2..4], [0, 0], "it was refused");
    bytes[2..4].fill(0);
    *entry = bytes.into();
}

#[test]
fn evidence_that_names_a_second_genesis_is_false() {
    let mut world = World::of(300);
    let genesis = second_genesis(&mut world);
    let mut evidence = world.evidence(2);
    if let Body::Evidence { first_index, .. } = &mut evidence.body {
        *first_index = LeafIndex::new(genesis);
    }
    let about = world.smuggle(&evidence);
    let expected = [
        at(FindingKind::InvalidEntry, genesis),
        at(FindingKind::FalseEvidence, about),
    ];
    expect(&world, &world.copy(), &expected);
}

#[test]
fn a_second_genesis_is_named_whatever_the_first_is() {
    let first = |world: &World, change: fn(&mut v1::Genesis)| {
        let mut genesis = world.state.genesis().clone();
        change(&mut genesis);
        Entry {
            recorded_at: RecordedAt::from_nanos(NOW),
            body: Body::Record(Record::Genesis(genesis)),
        }
        .encode()
    };
    for (change, finding) in [
        (
            (|genesis| genesis.threshold = 1) as fn(&mut v1::Genesis),
            at(FindingKind::OtherLog, 0),
        ),
        // Unsound and another log: that it is unsound is what is said.
        (|genesis| genesis.threshold = 0, at(FindingKind::InvalidEntry, 0)),
    ] {
        let mut world = World::of(300);
        world.entries[0] = first(&world, change);
        let second = second_genesis(&mut world);
        let expected = [finding, at(FindingKind::InvalidEntry, second)];
        expect(&world, &world.copy(), &expected);
    }
    let mut world = World::of(300);
    let second = second_genesis(&mut world);
    let mut copy = world.copy();
    damage::flip_byte(&mut copy, LeafIndex::GENESIS).unwrap();
    let expected = [
        at(FindingKind::HashMismatch, 0),
        at(FindingKind::InvalidEntry, second),
    ];
    expect(&world, &copy, &expected);
}

#[test]
fn an_altered_first_statement_was_its_feeds() {
    let mut world = World::of(100);
    let authorised = Kind::KeyAuthorised(v1::KeyAuthorised {
        party: ALICE.into(),
        key: key(7).feed().as_bytes().to_vec(),
        replaces: Vec::new(),
    });
    world.act(&[event("another-key", authorised)]);
    let first = world.tell(ALICE, 7, &[event("first", commission(1))]).get();
    let stranger = stranger(&mut world);
    let mut copy = world.copy();
    let bundle = EntryBundle::covering(LeafIndex::new(first), TreeSize::new(stranger + 1)).unwrap();
    in_bundle(&mut copy, bundle, |entries| {
        *entries[nth(first)].last_mut().unwrap() ^= 1;
    });
    let expected = [
        at(FindingKind::HashMismatch, first),
        at(FindingKind::NoPlace, stranger),
    ];
    expect(&world, &copy, &expected);
}

#[test]
fn what_comes_behind_a_gap_as_the_rules_say_ends_the_leniency() {
    let mut world = World::of(20);
    let lost = world.tell(ALICE, 1, &[event("lost", commission(1))]);
    world.tell(ALICE, 1, &[event("plain", commission(2))]);
    let wrong = world.tell(ALICE, 1, &[slice(2, 2)]);
    admit(&mut world, wrong);
    world.grow_to(60);
    let mut copy = world.copy();
    damage::drop_entry(&mut copy, lost).unwrap();
    let expected = [
        at(FindingKind::MissingEntry, lost.get()),
        at(FindingKind::WrongOutcome, wrong.get()),
    ];
    expect(&world, &copy, &expected);
}

#[test]
fn in_doubt_a_statement_is_taken_whatever_its_events_are() {
    for behind_a_gap in [false, true] {
        let mut world = World::of(20);
        // Nobody misses a record, so that the doubt stays.
        world.record(Record::ClockAccepted(v1::ClockAccepted {
            clock: NOW,
            reason: "leap".into(),
        }));
        let lost = world.tell(ALICE, 1, &[event("lost", commission(1))]);
        let malformed = world.state.size().next_index();
        let mut signer = world.signer(ALICE, key(1));
        let signed = signer.sign(IssuedAt::from_nanos(NOW), &[Bytes::from_static(b"?")]);
        world.submit(signed.envelope).unwrap();
        admit(&mut world, malformed);
        world.grow_to(60);
        let mut copy = world.copy();
        let unread: Vec<u64> = [20]
            .into_iter()
            .chain(behind_a_gap.then_some(lost.get()))
            .collect();
        in_bundle(&mut copy, EntryBundle::new(0, 60).unwrap(), |entries| {
            for index in &unread {
                entries[nth(*index)] = b"?".to_vec();
            }
        });
        let expected: Vec<_> = unread
            .iter()
            .map(|index| at(FindingKind::HashMismatch, *index))
            .collect();
        expect(&world, &copy, &expected);
        let report = world.audit(&copy);
        assert_eq!(report.tally.undecided, 1, "the statement with another outcome");
    }
}
