//! Damaged copies of two logs, and what an audit reports of each.
//!
//! ```text
//! three   540 entries: two full bundles and a partial one, two levels of tiles
//! tall    65,900 entries, most of them records that one rule gives: three levels of tiles
//! ```
//!
//! Each copy is told as changes that any program can make: entries of the log that become others (the tree is
//! made again, and the log key signs it), then bytes of files. They are applied here by the same words.

use bytes::Bytes;
use lotproof::{
    audit::FindingKind,
    code::{Outcome, Refusal},
    entry::{Body, Entry},
    envelope::{Envelope, encode_statement},
    id::{FeedSequence, Hash, TreeSize},
    log::{
        LogHead, leaf_hash,
        note::{Note, NoteSigner},
        tile::HashTile,
    },
    publish::FeedSigner,
    time::{IssuedAt, RecordedAt},
    wire,
};
use serde_json::{Value, json};

use crate::build::{BOB, LOG_SEED, LOT, NOW, ORIGIN, commission, encode, event, key};

mod copy;

use copy::{Copy, EVIDENCE, Log, RESEEDED, head_of, log_key, note, reseeded, tall, three};

pub(crate) fn vectors() -> Value {
    let (three, tall) = (three(), tall());
    let log = |name: &str, what: &str, log: &Log| {
        json!({
            "name": name,
            "what": what,
            "log_id": log.state.log_id().to_string(),
            "checkpoint": note(head_of(&log.entries)),
            "entries": log.told,
        })
    };
    let copies = [files(&three), entries(&three), higher(&tall)].concat();
    assert!(copies.len() >= 30);
    for kind in FindingKind::ALL {
        let is_shown = |copy: &Value| copy["report"].to_string().contains(kind.name());
        assert!(copies.iter().any(is_shown), "{kind} is found in no copy");
    }
    json!({
        "description": "Two logs, damaged copies of them, and the report of an audit of each, without details. An entry is told by its bytes, or many by a rule: the entry k of so many is head, eight big-endian bytes of from + k * step, tail. A copy is the log with some entries become others (indices of the log as it was), its files made from these entries; the file `checkpoint` as told or else the log's; then changes of files, one after the other: a file is these bytes or is gone, or behind so many bytes some are removed and others inserted. `previous` is the older checkpoint that the auditor has. Bytes are hexadecimal.",
        "origin": ORIGIN,
        "vkey": log_key().verifier_key().to_string(),
        "logs": [
            log("three", "three bundles, two levels of tiles", &three),
            log("tall", "three levels of tiles", &tall),
        ],
        "copies": copies,
    })
}

/// Damage to files of the log with three bundles.
fn files(log: &Log) -> Vec<Value> {
    use FindingKind::{
        FalseRecord, HashMismatch, InvalidCheckpoint, MalformedFile, MissingEntry, MissingFile, NotExtended,
        OtherLog, RootMismatch, SurplusEntry, SurplusFile, TileMismatch,
    };
    let copy = |what: &str| Copy::new("three", log, what, &[]);
    let head = head_of(&log.entries);
    let file = |name: &str| copy("").read(name);
    let other_root = LogHead {
        root: Hash::of(&[b"other"]),
        ..head
    };
    let prefix = |size: usize| head_of(&log.entries[..size]);
    // The entry, changed, and its hash in the tile.
    let both = |what: &str, index: usize| {
        let mut changed = log.entries[index].to_vec();
        *changed.last_mut().unwrap() ^= 1;
        let width = if index < 512 { 256 } else { 28 };
        let tile = HashTile::new(0, index as u64 / 256, width).unwrap().to_string();
        copy(what)
            .flip_entry(index)
            .splice(&tile, index % 256 * 32, 32, leaf_hash(&changed).as_bytes())
    };
    let (edge, edge_tile) = ("tile/entries/002.p/28", "tile/0/002.p/28");
    let frame = |index: usize| copy("").frame(index);
    let (_, at_400, frame_400) = frame(400);
    let (_, at_350, _) = frame(350);
    vec![
        copy("as it is").found(&[]),
        copy("a byte of an entry").flip_entry(70).found(&[HashMismatch]),
        copy("a byte of the last entry")
            .flip_entry(539)
            .found(&[HashMismatch]),
        copy("a byte of an act").flip_entry(1).found(&[HashMismatch]),
        copy("an entry gone from its bundle")
            .reframe(100, &[])
            .found(&[MissingEntry]),
        copy("two entries of one bundle swapped")
            .swap(300, 310)
            .found(&[HashMismatch]),
        copy("two entries of two bundles swapped")
            .swap(20, 420)
            .found(&[HashMismatch]),
        copy("an entry twice in its bundle")
            .splice("tile/entries/001", at_350, 0, &frame_400)
            .found(&[SurplusEntry]),
        copy("one altered, one gone, two more")
            .reframe(210, &[])
            .flip_entry(100)
            .splice("tile/entries/000", 0, 0, b"\0\x05other\0\x04more")
            .found(&[SurplusEntry, HashMismatch, MissingEntry]),
        copy("a length")
            .flip("tile/entries/001", at_400 + 1)
            .found(&[MalformedFile]),
        copy("a bundle that ends within a frame")
            .splice(edge, file(edge).len() - 5, 5, &[])
            .found(&[MalformedFile, MissingEntry]),
        copy("no bundle").gone("tile/entries/001").found(&[MissingFile]),
        copy("no tile").gone("tile/0/001").found(&[MissingFile]),
        copy("a tile that is a byte short")
            .splice("tile/0/000", 8_191, 1, &[])
            .found(&[MalformedFile]),
        copy("a hash of a tile")
            .flip("tile/0/000", 33)
            .found(&[TileMismatch]),
        copy("a hash of the tile at the edge")
            .flip(edge_tile, 40)
            .found(&[TileMismatch]),
        copy("a hash of the upper tile")
            .flip("tile/1/000.p/2", 63)
            .found(&[TileMismatch]),
        copy("a hash of a tile and of the one above")
            .flip("tile/0/000", 0)
            .flip("tile/1/000.p/2", 0)
            .found(&[TileMismatch]),
        both("an entry and its hash alike", 70).found(&[TileMismatch, HashMismatch]),
        both("an entry and its hash alike, at the edge", 535).found(&[RootMismatch]),
        copy("neither the tile nor the bundle at the edge")
            .gone(edge)
            .gone(edge_tile)
            .found(&[MissingFile, RootMismatch]),
        copy("a root to which nothing leads, and an altered entry: its hash is believed")
            .sign(other_root)
            .flip_entry(70)
            .found(&[HashMismatch, RootMismatch]),
        copy("a root to which nothing leads, and the two accounts of one bundle wrong at two places: the right ones are believed")
            .sign(other_root)
            .flip_entry(70)
            .flip("tile/0/000", 33)
            .found(&[TileMismatch, HashMismatch, RootMismatch]),
        copy("a root to which nothing leads, a bundle without its tile, and the hash above altered")
            .sign(other_root)
            .gone("tile/0/001")
            .flip("tile/1/000.p/2", 40)
            .found(&[MissingFile, RootMismatch, FalseRecord]),
        copy("files of another name, and those of smaller logs")
            .is("tile/0/003", b"")
            .is("tile/x", b"")
            .is("tile/0/002.p/2", &file(edge_tile)[..64])
            .is("tile/0/002.p/3", &[0; 96])
            .is("tile/entries/000.p/1", &file("tile/entries/000")[..40])
            .found(&[TileMismatch, SurplusFile, TileMismatch, SurplusFile]),
        copy("a checkpoint that its key did not sign")
            .flip("checkpoint", 150)
            .found(&[InvalidCheckpoint]),
        copy("a checkpoint of another log")
            .is("checkpoint", other_note().as_bytes())
            .found(&[OtherLog]),
        copy("an older checkpoint of it").older(prefix(300)).found(&[]),
        copy("an older checkpoint of something else")
            .older(LogHead {
                root: other_root.root,
                ..prefix(256)
            })
            .found(&[NotExtended]),
        copy("an older checkpoint of a longer log")
            .older(LogHead {
                size: TreeSize::new(541),
                ..head
            })
            .found(&[NotExtended]),
    ]
}

/// A checkpoint under the log's key for another name.
fn other_note() -> String {
    let signer = NoteSigner::from_seed(ORIGIN, &[LOG_SEED; 32]).unwrap();
    let text = format!("ledger.example/other\n1\n{}\n", "A".repeat(43) + "=");
    Note::sign(&text, &[&signer]).unwrap().to_string()
}

/// Logs that were never right: the tree is over the changed entries, and the log key signed it.
fn entries(log: &Log) -> Vec<Value> {
    use FindingKind::{
        FalseEvidence, FalseRecord, FeedBroken, HashMismatch, InvalidEntry, InvalidSignature, MissingEntry,
        NoPlace, RootMismatch, TimeReversed, WrongOutcome,
    };
    let decoded = |index: usize| Entry::decode(&log.entries[index]).unwrap();
    let copy = |what: &str, changes: &[(usize, Vec<Bytes>)]| Copy::new("three", log, what, changes);
    let one = |what: &str, index: usize, becomes: Bytes| copy(what, &[(index, vec![becomes])]);
    let same = |index: usize| log.entries[index].clone();
    let with = |index: usize, at: usize, bytes: &[u8]| {
        let mut entry = log.entries[index].to_vec();
        entry.splice(at..at + bytes.len(), bytes.iter().copied());
        Bytes::from(entry)
    };
    let resigned = |index: usize, seed: u8| {
        let mut entry = decoded(index);
        if let Body::Statement { envelope, .. } = &mut entry.body {
            let signed = Envelope::decode(envelope.clone()).unwrap();
            let statement = encode_statement(signed.header(), signed.events());
            *envelope = key(seed).seal(wire::STATEMENT_TYPE, &statement);
        }
        entry.encode()
    };
    let refused = |index: usize| {
        let number = Outcome::Refused(Refusal::TimeAhead).number();
        with(index, 2, &number.to_be_bytes())
    };
    let early = with(200, 4, &NOW.to_be_bytes());
    let saying = |root: Hash, size: usize| {
        let recorded_at = decoded(RESEEDED).recorded_at;
        let body = reseeded(size as u64, root);
        Entry { recorded_at, body }.encode()
    };
    let other = Hash::of(&[b"other"]);
    let clock = log.clock;
    let stranger = {
        let mut signer = FeedSigner::new(
            key(99),
            log.state.log_id(),
            BOB.into(),
            FeedSequence::NONE,
            Hash::ZERO,
        );
        let events = encode(&[event("stranger", commission(LOT))]);
        let envelope = signer.sign(IssuedAt::from_nanos(NOW), &events).envelope;
        let outcome = Outcome::Admitted;
        let recorded_at = RecordedAt::from_nanos(clock);
        Entry {
            recorded_at,
            body: Body::Statement { envelope, outcome },
        }
        .encode()
    };
    let twice = |what: &str| copy(what, &[(529, vec![same(529), same(520)])]);
    let unknown = LogHead {
        root: other,
        ..head_of(&log.entries)
    };
    vec![
        one("signed by another key", 100, resigned(100, 99)).found(&[InvalidSignature, FalseRecord]),
        copy("a statement left out", &[(200, vec![])]).found(&[FeedBroken, FalseEvidence, FalseRecord]),
        one("another outcome", 300 - 4, refused(300 - 4)).found(&[WrongOutcome, FalseRecord]),
        one("recorded before the one before", 200, early).found(&[TimeReversed, FalseRecord]),
        copy("evidence twice", &[(301, vec![same(EVIDENCE)])]).found(&[FalseEvidence, FalseRecord]),
        one("version 2 of an entry", 400, with(400, 0, &[2])).found(&[InvalidEntry, FalseRecord]),
        copy(
            "a second genesis at the end",
            &[(539, vec![same(539), with(0, 4, &clock.to_be_bytes())])],
        )
        .found(&[InvalidEntry]),
        copy("a key that nobody enrolled", &[(539, vec![same(539), stranger])]).found(&[NoPlace]),
        one("a reseeding with another root", RESEEDED, saying(other, RESEEDED)).found(&[FalseRecord]),
        one("a reseeding with another size", RESEEDED, saying(other, 7)).found(&[FalseRecord]),
        one(
            "a reseeding with another root, and an entry before it lost: its leaf is known",
            RESEEDED,
            saying(other, RESEEDED),
        )
        .flip_entry(520)
        .found(&[HashMismatch, FalseRecord]),
        one(
            "the same where nothing leads to the root: the leaf is not known",
            RESEEDED,
            saying(other, RESEEDED),
        )
        .sign(unknown)
        .flip_entry(520)
        .found(&[RootMismatch]),
        twice("an entry once more").found(&[TimeReversed, NoPlace, FalseRecord]),
        twice("an entry once more, both frames elsewhere")
            .swap(530, 535)
            .swap(520, 525)
            .found(&[HashMismatch, TimeReversed, NoPlace, FalseRecord]),
        twice("an entry once more, one frame left")
            .flip_entry(530)
            .found(&[HashMismatch, TimeReversed, NoPlace, FalseRecord]),
        copy(
            "a statement forged, one left out, a byte flipped, an entry gone",
            &[(100, vec![resigned(100, 99)]), (200, vec![])],
        )
        .flip_entry(400)
        .reframe(300, &[])
        .found(&[
            InvalidSignature,
            FeedBroken,
            MissingEntry,
            HashMismatch,
            FalseEvidence,
            FalseRecord,
        ]),
    ]
}

/// Damage to a log with three levels of tiles.
fn higher(log: &Log) -> Vec<Value> {
    use FindingKind::{HashMismatch, MalformedFile, MissingEntry, MissingFile, TileMismatch};
    let copy = |what: &str| Copy::new("tall", log, what, &[]);
    let file = |name: &str| copy("").read(name);
    vec![
        copy("as it is").found(&[]),
        copy("a byte of an entry")
            .flip_entry(30_000)
            .found(&[HashMismatch]),
        copy("a hash of a full tile of level 1")
            .flip("tile/1/000", 33 * 32)
            .found(&[TileMismatch]),
        copy("no full tile of level 1")
            .gone("tile/1/000")
            .found(&[MissingFile]),
        copy("no tile of level 2")
            .gone("tile/2/000.p/1")
            .found(&[MissingFile]),
        copy("the tile of level 2 is too long")
            .splice("tile/2/000.p/1", 0, 0, &[0])
            .found(&[MalformedFile]),
        copy("a hash on every level")
            .flip("tile/0/007", 9)
            .flip("tile/1/000", 7 * 32)
            .flip("tile/2/000.p/1", 0)
            .found(&[TileMismatch]),
        copy("two tiles in each other's place")
            .is("tile/0/017", &file("tile/0/018"))
            .is("tile/0/018", &file("tile/0/017"))
            .found(&[TileMismatch]),
        copy("more findings than a report has")
            .is("tile/entries/001", b"")
            .is("tile/entries/002", b"")
            .is("tile/entries/003", b"")
            .is("tile/entries/004", b"")
            .is("tile/0/200", b"")
            .found(&[MissingEntry]),
    ]
}
