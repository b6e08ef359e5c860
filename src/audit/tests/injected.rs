//! What a ledger could do that has its key: every hash holds, every checkpoint is signed.

use bytes::Bytes;

use super::{
    super::{source::MemoryCopy, *},
    at,
    files::Expected,
    found, in_file,
    world::{ALICE, NOW, World, commission, encode, event, key, nth},
};
use crate::{
    audit::source::StaticCopy as _,
    code::{Outcome, Refusal},
    entry::{Body, Entry},
    envelope::Envelope,
    id::FeedSequence,
    log::{Checkpoint, LogHead, note::NoteSigner},
    publish::FeedSigner,
    signature::SigningKey,
    time::{IssuedAt, RecordedAt},
    wire::v1::{self, event::Kind, ledger_record::Record},
};

const HOUR: i64 = 3_600_000_000_000;

fn decoded(world: &World, index: usize) -> Entry {
    Entry::decode(&world.entries[index]).unwrap()
}

fn stamp(bytes: &Bytes, at: usize, value: &[u8]) -> Bytes {
    let mut bytes = bytes.to_vec();
    bytes[at..at + value.len()].copy_from_slice(value);
    bytes.into()
}

fn recorded_at(bytes: &Bytes) -> i64 {
    Entry::decode(bytes).unwrap().recorded_at.as_nanos()
}

/// A statement of this key with a signature of another, as an entry of the time given.
fn forged(world: &World, seed: u8, after: (FeedSequence, Hash), at: i64) -> Bytes {
    let mut signer = FeedSigner::new(key(seed), world.state.log_id(), ALICE.into(), after.0, after.1);
    let events = encode(&[event("forged", commission(7))]);
    let honest = signer.sign(IssuedAt::from_nanos(NOW), &events).envelope;
    let payload = Envelope::decode(honest).unwrap().dsse.payload;
    let envelope = SigningKey::from_seed(&[0xF0; 32]).seal(crate::wire::STATEMENT_TYPE, &payload);
    Entry {
        recorded_at: RecordedAt::from_nanos(at),
        body: Body::Statement {
            envelope,
            outcome: Outcome::Admitted,
        },
    }
    .encode()
}

fn header_at(world: &World, index: usize) -> crate::envelope::Header {
    let Body::Statement { envelope, .. } = decoded(world, index).body else {
        panic!("entry {index} is no statement")
    };
    Envelope::decode(envelope).unwrap().header().clone()
}

fn expect(name: &str, world: &World, expected: &Expected) {
    let report = world.audit(&world.copy());
    assert_eq!(found(&report), *expected, "{name}: {:#?}", report.findings);
}

#[test]
fn every_wrong_outcome_is_named_and_nothing_else() {
    let honest = World::eventful();
    let is_reseeding = |entry: &Bytes| {
        let body = Entry::decode(entry).unwrap().body;
        matches!(body, Body::Record(Record::GuardReseeded(_)))
    };
    let reseeded = honest.entries.iter().position(is_reseeding).unwrap();
    for index in 3..honest.entries.len() {
        let Body::Statement { outcome, .. } = decoded(&honest, index).body else {
            continue;
        };
        let is_interesting = outcome != Outcome::Admitted || index % 150 == 0;
        let others = Refusal::ALL.iter().map(|refusal| Outcome::Refused(*refusal));
        for other in others.chain([Outcome::Admitted]) {
            if other == outcome || !is_interesting {
                continue;
            }
            let mut world = World::eventful();
            world.entries[index] = stamp(&world.entries[index], 2, &other.number().to_be_bytes());
            let name = format!("entry {index} says {other}");
            let mut expected = vec![at(FindingKind::WrongOutcome, index as u64)];
            // What the guard was reseeded with is the root of the log as it was.
            expected.extend((index < reseeded).then(|| at(FindingKind::FalseRecord, reseeded as u64)));
            expect(&name, &world, &expected);
        }
    }
    for number in [1_u16, 100, 108, 200, 204, 301, 401, 402, 501, 65_535] {
        let mut world = World::of(300);
        world.entries[200] = stamp(&world.entries[200], 2, &number.to_be_bytes());
        expect("no outcome", &world, &vec![at(FindingKind::InvalidEntry, 200)]);
    }
}

#[test]
fn a_forged_statement_is_named_and_not_the_one_whose_place_it_takes() {
    for (seed, insert_at) in [(1, 100_usize), (2, 255), (2, 256), (3, 299)] {
        let mut world = World::of(300);
        let next = (insert_at..300).find(|index| header_at(&world, *index).feed == key(seed).feed());
        let Some(next) = next else { continue };
        let header = header_at(&world, next);
        let before = FeedSequence::new(header.sequence.get() - 1);
        let time = recorded_at(&world.entries[insert_at]);
        let entry = forged(&world, seed, (before, header.previous), time);
        world.entries.insert(insert_at, entry);
        let expected = vec![at(FindingKind::InvalidSignature, insert_at as u64)];
        expect("inserted", &world, &expected);
        // And one that continues nothing.
        let mut world = World::of(300);
        let entry = forged(&world, seed, (FeedSequence::new(5_000), Hash::of(&[b"?"])), time);
        world.entries.insert(insert_at, entry);
        expect("out of place", &world, &expected);
        let mut world = World::of(300);
        let entry = forged(&world, 99, (FeedSequence::NONE, Hash::ZERO), time);
        world.entries.insert(insert_at, entry);
        expect("of nobody", &world, &expected);
    }
}

#[test]
fn times_that_go_back_are_named_where_they_do() {
    let cases: [(i64, FindingKind, u64); 4] = [
        (HOUR, FindingKind::TimeReversed, 201),
        (-HOUR, FindingKind::TimeReversed, 200),
        (i64::MAX, FindingKind::TimeReversed, 201),
        (i64::MIN, FindingKind::InvalidEntry, 200),
    ];
    for (by, kind, index) in cases {
        let mut world = World::of(300);
        let time = match by {
            i64::MAX | i64::MIN => by,
            by => recorded_at(&world.entries[200]) + by,
        };
        world.entries[200] = stamp(&world.entries[200], 4, &time.to_be_bytes());
        expect("time", &world, &vec![at(kind, index)]);
    }
}

#[test]
fn entries_doubled_moved_and_of_another_ledger_are_named() {
    use FindingKind::{FeedBroken, InvalidEntry, NoPlace};
    let mut world = World::of(300);
    let places: Vec<usize> = world.places(1).into_values().map(nth).collect();
    let again = stamp(&world.entries[places[20]], 4, &world.entries[places[30]][4..12]);
    world.entries.insert(places[30], again);
    expect("doubled", &world, &vec![at(NoPlace, places[30] as u64)]);

    let mut world = World::of(300);
    let moved = world.entries.remove(places[20]);
    let moved = stamp(&moved, 4, &world.entries[places[30]][4..12]);
    world.entries.insert(places[30], moved);
    let expected = vec![
        at(FeedBroken, places[21] as u64 - 1),
        at(FeedBroken, places[30] as u64),
    ];
    expect("moved", &world, &expected);

    let mut world = World::of(300);
    world.entries.remove(places[20]);
    expect("dropped", &world, &vec![at(FeedBroken, places[21] as u64 - 1)]);

    // A statement that takes no place leaves its time in the log nevertheless.
    let mut world = World::of(300);
    let again = stamp(
        &world.entries[places[20]],
        4,
        &(recorded_at(&world.entries[299]) + HOUR).to_be_bytes(),
    );
    world.entries.insert(150, again);
    expect(
        "doubled, of a time to come",
        &world,
        &vec![at(NoPlace, 150), at(FindingKind::TimeReversed, 151)],
    );

    // Of a ledger with another genesis, otherwise the same.
    for in_place in [true, false] {
        let mut world = World::of(300);
        let log_id = LogId::new(Hash::of(&[b"other"]));
        let header = header_at(&world, places[20]);
        let before = FeedSequence::new(header.sequence.get() - 1);
        let mut signer = FeedSigner::new(key(1), log_id, ALICE.into(), before, header.previous);
        let events = encode(&[event("other", commission(7))]);
        let entry = Entry {
            recorded_at: RecordedAt::from_nanos(recorded_at(&world.entries[places[20]])),
            body: Body::Statement {
                envelope: signer.sign(IssuedAt::from_nanos(NOW), &events).envelope,
                outcome: Outcome::Admitted,
            },
        };
        if in_place {
            world.entries[places[20]] = entry.encode();
        } else {
            world.entries.insert(places[20], entry.encode());
        }
        expect("another ledger's", &world, &vec![at(NoPlace, places[20] as u64)]);
    }
    let long = vec![2; 65_535];
    for bytes in [&b""[..], b"?", &[1, 1, 0, 0], &long, &[0; 300]] {
        let mut world = World::of(300);
        world.entries[places[20]] = Bytes::copy_from_slice(bytes);
        expect("no entry", &world, &vec![at(InvalidEntry, places[20] as u64)]);
        let mut world = World::of(300);
        world.entries.insert(places[20], Bytes::copy_from_slice(bytes));
        expect(
            "no entry inserted",
            &world,
            &vec![at(InvalidEntry, places[20] as u64)],
        );
    }
}

fn authorise(seed: u8) -> v1::Event {
    event(
        "intruder",
        Kind::KeyAuthorised(v1::KeyAuthorised {
            party: ALICE.into(),
            key: key(seed).feed().as_bytes().to_vec(),
            replaces: Vec::new(),
        }),
    )
}

#[test]
fn power_that_nobody_gave_is_named() {
    use FindingKind::{NoPlace, WrongOutcome};
    let said_by = |world: &mut World, seed| {
        let mut signer = FeedSigner::new(
            key(seed),
            world.state.log_id(),
            ALICE.into(),
            FeedSequence::NONE,
            Hash::ZERO,
        );
        let events = encode(&[event("intruder", commission(7))]);
        let entry = Entry {
            recorded_at: world.tick(),
            body: Body::Statement {
                envelope: signer.sign(IssuedAt::from_nanos(NOW), &events).envelope,
                outcome: Outcome::Admitted,
            },
        };
        world.smuggle(&entry)
    };
    // A party enrols a key, and the log says that it may.
    let mut world = World::of(300);
    let act = nth(world.tell(ALICE, 1, &[authorise(50)]).get());
    world.entries[act] = stamp(&world.entries[act], 2, &[0, 0]);
    let said = said_by(&mut world, 50);
    expect(
        "by a party",
        &world,
        &vec![at(WrongOutcome, act as u64), at(NoPlace, said)],
    );
    // One authority key approves its own act, twice, where two keys are needed.
    let mut world = World::of(300);
    world.approve_alone(&authorise(51), 3);
    let said = said_by(&mut world, 51);
    expect("by one of two", &world, &vec![at(NoPlace, said)]);
    // The approval is taken out: the rest is of keys that nobody enrolled.
    let mut world = World::of(300);
    world.act(&[authorise(52)]);
    let approval = world.entries.pop().unwrap();
    let said = said_by(&mut world, 52);
    expect("approval taken out", &world, &vec![at(NoPlace, said)]);
    assert!(Entry::decode(&approval).is_ok());
    // The enrolments with a forged signature: the log goes on from it, and so does the audit.
    for index in [1_usize, 2] {
        let mut world = World::of(300);
        let mut bytes = world.entries[index].to_vec();
        *bytes.last_mut().unwrap() ^= 1;
        world.entries[index] = bytes.into();
        expect(
            "act forged",
            &world,
            &vec![at(FindingKind::InvalidSignature, index as u64)],
        );
    }
}

#[test]
fn an_altered_genesis_is_another_log_and_no_more_is_said_of_it() {
    let mut world = World::of(300);
    let mut genesis = world.state.genesis().clone();
    genesis.threshold = 1;
    world.entries[0] = crate::admission::genesis_entry(genesis, RecordedAt::from_nanos(NOW)).unwrap();
    expect("threshold", &world, &vec![at(FindingKind::OtherLog, 0)]);
    let mut world = World::of(300);
    world.entries[0] = stamp(&world.entries[0], 4, &(NOW - 1).to_be_bytes());
    expect("time", &world, &vec![at(FindingKind::OtherLog, 0)]);
    let mut world = World::of(300);
    world.entries.remove(0);
    expect("none", &world, &vec![at(FindingKind::InvalidEntry, 0)]);
}

#[test]
fn evidence_false_doubled_and_left_out() {
    use FindingKind::FalseEvidence;
    let with_evidence = || {
        let mut world = World::of(200);
        let evidence = world.evidence(2);
        world.record_entry(&evidence);
        world.grow_to(300);
        world
    };
    let mut world = with_evidence();
    let again = stamp(&world.entries[200], 4, &world.entries[250][4..12]);
    world.entries.insert(250, again);
    expect("doubled", &world, &vec![at(FalseEvidence, 250)]);
    // Of what the ledger leaves out only publishers know.
    let mut world = with_evidence();
    world.entries.remove(200);
    expect("left out", &world, &vec![]);
    let mut world = with_evidence();
    let entry = world.entries.remove(200);
    let entry = stamp(&entry, 4, &world.entries[190][4..12]);
    world.entries.insert(190, entry);
    expect("before the first", &world, &vec![at(FalseEvidence, 190)]);
}

#[test]
fn bytes_of_another_entry_in_the_place_of_a_lost_one_do_not_say_whose_it_was() {
    // In the place of one of Bob's: Alice's next statement, and a record of the ledger's own.
    let mut world = World::of(200);
    world.record(Record::ClockAccepted(v1::ClockAccepted {
        clock: NOW,
        reason: "leap".into(),
    }));
    world.grow_to(600);
    let lost = world.places(2)[&20];
    let next = *world.places(1).values().find(|index| **index > lost).unwrap();
    for other in [next, 200] {
        let bytes = world
            .copy()
            .read("tile/entries/000", usize::MAX)
            .unwrap()
            .unwrap();
        let bundle = EntryBundle::new(0, 256).unwrap();
        let mut entries: Vec<Vec<u8>> = bundle
            .entries(&bytes)
            .unwrap()
            .into_iter()
            .map(<[u8]>::to_vec)
            .collect();
        entries[nth(lost)] = world.entries[nth(other)].to_vec();
        let bytes = crate::log::tile::encode_bundle(&entries).unwrap();
        let mut copy = world.copy();
        copy.write("tile/entries/000", &bytes).unwrap();
        let report = world.audit(&copy);
        assert_eq!(
            found(&report),
            [at(FindingKind::HashMismatch, lost)],
            "{:#?}",
            report.findings
        );
    }
}

fn with_checkpoint(world: &World, checkpoint: impl AsRef<[u8]>) -> MemoryCopy {
    let mut copy = world.copy();
    copy.write(CHECKPOINT, checkpoint.as_ref()).unwrap();
    copy
}

#[test]
fn checkpoints_of_another_size_root_origin_or_key() {
    use FindingKind::{InvalidCheckpoint, MissingFile, OtherLog, RootMismatch, SurplusFile};
    let world = World::of(600);
    let head = *world.checkpoint().head();
    let sign = |origin: &str, head, seed: [u8; 32]| {
        let signer = NoteSigner::from_seed(origin, &seed).unwrap();
        let origin = Origin::new(origin).unwrap();
        Checkpoint { origin, head }
            .sign(&[&signer])
            .unwrap()
            .bytes()
            .clone()
    };
    let origin = world.trust().origin().to_string();
    let in_checkpoint = |kind| vec![in_file(kind, CHECKPOINT)];
    let good = world.checkpoint().bytes().to_vec();
    let mut twice = good.clone();
    let line = good.windows(2).position(|pair| pair == b"\n\n").unwrap() + 2;
    twice.extend_from_slice(&good[line..]);
    let text = String::from_utf8(good.clone()).unwrap();
    let text_of_another = Checkpoint {
        origin: Origin::new("ledger.example/other").unwrap(),
        head,
    }
    .to_string();
    let cases: Vec<(&str, Vec<u8>, Expected)> = vec![
        (
            "another origin",
            crate::log::note::Note::sign(&text_of_another, &[&world.log_key()])
                .unwrap()
                .to_string()
                .into_bytes(),
            in_checkpoint(OtherLog),
        ),
        (
            "of another name",
            sign("ledger.example/other", head, [200; 32]).to_vec(),
            in_checkpoint(InvalidCheckpoint),
        ),
        (
            "another key",
            sign(&origin, head, [199; 32]).to_vec(),
            in_checkpoint(InvalidCheckpoint),
        ),
        ("empty", Vec::new(), in_checkpoint(InvalidCheckpoint)),
        ("huge", vec![b'\n'; 70_000], in_checkpoint(InvalidCheckpoint)),
        ("signed twice", twice, in_checkpoint(InvalidCheckpoint)),
        (
            "no end",
            good[..good.len() - 1].to_vec(),
            in_checkpoint(InvalidCheckpoint),
        ),
        (
            "carriage returns",
            text.replace('\n', "\r\n").into_bytes(),
            in_checkpoint(InvalidCheckpoint),
        ),
        (
            "zero before the size",
            text.replace("\n600\n", "\n0600\n").into_bytes(),
            in_checkpoint(InvalidCheckpoint),
        ),
        (
            "another root",
            sign(
                &origin,
                LogHead {
                    root: Hash::of(&[b"?"]),
                    ..head
                },
                [200; 32],
            )
            .to_vec(),
            in_checkpoint(RootMismatch),
        ),
        (
            "a smaller size",
            World::of(599).checkpoint().bytes().to_vec(),
            vec![
                in_file(MissingFile, "tile/0/002.p/87"),
                in_file(MissingFile, "tile/entries/002.p/87"),
                in_file(RootMismatch, CHECKPOINT),
                in_file(SurplusFile, "tile/0/002.p/88"),
                in_file(SurplusFile, "tile/entries/002.p/88"),
            ],
        ),
    ];
    for (name, checkpoint, expected) in cases {
        let report = world.audit(&with_checkpoint(&world, checkpoint));
        assert_eq!(found(&report), expected, "{name}: {:#?}", report.findings);
    }
    // Of a size that nobody can have: files are missing, and no more than is asked for is said of it.
    for size in [1 << 20, 1 << 40, (1 << 63) - 1] {
        let size = TreeSize::new(size);
        let report = world.audit(&with_checkpoint(
            &world,
            sign(&origin, LogHead { size, ..head }, [200; 32]),
        ));
        assert!(report.stopped_early && report.findings.len() == 1_000);
        assert!(report.findings.iter().all(|finding| finding.kind == MissingFile));
    }
}
