//! Two logs, and copies of them as they are told and as they are.

use bytes::Bytes;
use lotproof::{
    admission::{LedgerState, Prepared, genesis_entry},
    audit::{
        AuditOptions, FindingKind, LogSource as _, audit,
        damage::write_log,
        source::{MemoryCopy, StaticCopy as _},
    },
    entry::{Body, Entry},
    id::{FeedSequence, Hash, LeafIndex, TreeSize},
    log::{
        Checkpoint, Frontier, LogHead, Origin, SignedCheckpoint, leaf_hash, note::NoteSigner,
        tile::EntryBundle,
    },
    publish::FeedSigner,
    time::{IssuedAt, RecordedAt},
    trust::TrustFile,
    wire::v1::{self, event::Kind, ledger_record::Record},
};
use serde_json::{Value, json};

use crate::build::{
    ALICE, AUTHORITY, BOB, LOG_SEED, LOT, NOW, ORIGIN, PLANT, approve, authorise, commission, encode, event,
    facility, genesis, key, party,
};

/// A log as it grows.
pub(super) struct Log {
    pub(super) state: LedgerState,
    pub(super) entries: Vec<Bytes>,
    pub(super) clock: i64,
    /// The entries as they are told: one by one, or as a rule for many.
    pub(super) told: Vec<Value>,
    /// Its files, once it has grown.
    files: MemoryCopy,
}

impl Log {
    /// Genesis and enrolments: Alice speaks under key 1, Bob under 2 and 3.
    pub(super) fn new() -> Self {
        let entry = genesis_entry(genesis(), RecordedAt::from_nanos(NOW)).unwrap();
        let mut log = Self {
            state: LedgerState::from_genesis(&entry).unwrap(),
            told: vec![hex::encode(&entry).into()],
            entries: vec![entry],
            clock: NOW,
            files: MemoryCopy::new(),
        };
        let acts = [
            event("e1", party(ALICE)),
            event("e2", party(BOB)),
            event("e3", authorise(ALICE, 1)),
            event("e4", authorise(BOB, 2)),
            event("e5", authorise(BOB, 3)),
            event("e6", facility(PLANT)),
        ];
        log.say(AUTHORITY, 201, &acts);
        let approvals: Vec<_> = (0..)
            .zip(&acts)
            .map(|(number, act)| approve(&act.id, LeafIndex::new(1), number))
            .collect();
        log.say(AUTHORITY, 202, &approvals);
        log
    }

    pub(super) fn tick(&mut self) -> RecordedAt {
        self.clock += 1_000;
        RecordedAt::from_nanos(self.clock)
    }

    pub(super) fn push(&mut self, entry: Bytes) -> usize {
        self.told.push(hex::encode(&entry).into());
        self.entries.push(entry);
        self.entries.len() - 1
    }

    pub(super) fn signer(&self, issuer: &str, seed: u8) -> FeedSigner {
        let feed = self.state.feed(key(seed).feed());
        let (last, hash) = feed.map_or((FeedSequence::NONE, Hash::ZERO), |feed| {
            (feed.last(), feed.last_hash())
        });
        FeedSigner::new(key(seed), self.state.log_id(), issuer.into(), last, hash)
    }

    pub(super) fn say(&mut self, issuer: &str, seed: u8, events: &[v1::Event]) -> usize {
        let signed = self
            .signer(issuer, seed)
            .sign(IssuedAt::from_nanos(NOW), &encode(events));
        let recorded_at = self.tick();
        let prepared = Prepared::from_bytes(signed.envelope).unwrap();
        let decided = self.state.decide(prepared, recorded_at).unwrap();
        self.state.take(&decided);
        self.push(decided.to_entry().encode())
    }

    pub(super) fn own(&mut self, body: Body) -> usize {
        let entry = Entry {
            recorded_at: self.tick(),
            body,
        };
        self.state.take_own(&entry).unwrap();
        self.push(entry.encode())
    }

    /// One of three feeds says something.
    pub(super) fn go_on(&mut self) {
        let number = self.entries.len();
        let (issuer, seed) = [(ALICE, 1), (BOB, 2), (BOB, 3)][number / 2 % 3];
        self.say(
            issuer,
            seed,
            &[event(&format!("event-{number}"), commission(LOT))],
        );
    }

    /// Another statement of Bob's for the sequence of the last one under his second key.
    pub(super) fn equivocate(&mut self) -> usize {
        let feed = self.state.feed(key(2).feed()).unwrap();
        let before = FeedSequence::new(feed.last().get() - 1);
        let (first, hash) = (
            feed.row(feed.last()).unwrap().index,
            feed.row(before).unwrap().hash,
        );
        let mut signer = FeedSigner::new(key(2), self.state.log_id(), BOB.into(), before, hash);
        let envelope = signer
            .sign(
                IssuedAt::from_nanos(NOW),
                &encode(&[event("second", commission(LOT))]),
            )
            .envelope;
        self.own(Body::Evidence {
            first_index: first,
            envelope,
        })
    }

    pub(super) fn reseed(&mut self) -> usize {
        let head = head_of(&self.entries);
        self.own(reseeded(head.size.get(), head.root))
    }

    pub(super) fn accept_clock(&mut self) -> usize {
        self.own(Body::Record(accepted()))
    }

    /// As many records as that, told as a rule.
    pub(super) fn accept_clocks(&mut self, count: usize) {
        let (told, from) = (self.told.len(), self.clock + 1_000);
        let first = self.accept_clock();
        for _ in 1..count {
            self.accept_clock();
        }
        self.told.truncate(told);
        self.told.push(json!({
            "count": count,
            "head": hex::encode(&self.entries[first][..4]),
            "from": from.to_string(),
            "step": 1_000,
            "tail": hex::encode(&self.entries[first][12..]),
        }));
    }

    /// The log has grown.
    pub(super) fn with_files(mut self) -> Self {
        self.files = files_of(&self.entries);
        self
    }

    pub(super) fn trust(&self) -> TrustFile {
        let keys = vec![log_key().verifier_key().clone()];
        TrustFile::new(Origin::new(ORIGIN).unwrap(), self.state.log_id(), keys).unwrap()
    }
}

pub(super) fn accepted() -> Record {
    Record::ClockAccepted(v1::ClockAccepted {
        clock: NOW,
        reason: String::new(),
    })
}

pub(super) fn reseeded(size: u64, root: Hash) -> Body {
    Body::Record(Record::GuardReseeded(v1::GuardReseeded {
        size,
        root: root.as_bytes().to_vec(),
        reason: String::new(),
    }))
}

pub(super) fn log_key() -> NoteSigner {
    NoteSigner::from_seed(ORIGIN, &[LOG_SEED; 32]).unwrap()
}

pub(super) fn signed(head: LogHead) -> SignedCheckpoint {
    let origin = Origin::new(ORIGIN).unwrap();
    Checkpoint { origin, head }.sign(&[&log_key()]).unwrap()
}

pub(super) fn note(head: LogHead) -> String {
    String::from_utf8(signed(head).bytes().to_vec()).unwrap()
}

pub(super) fn head_of(entries: &[Bytes]) -> LogHead {
    let mut frontier = Frontier::new();
    for entry in entries {
        frontier.push(leaf_hash(entry));
    }
    frontier.head()
}

/// The files of the log with these entries, its checkpoint signed.
pub(super) fn files_of(entries: &[Bytes]) -> MemoryCopy {
    let mut files = MemoryCopy::new();
    write_log(&mut files, entries, |head| Ok(note(head).into())).unwrap();
    files
}

pub(super) fn three() -> Log {
    let mut log = Log::new();
    while log.entries.len() < 540 {
        match log.entries.len() {
            100 => drop(log.say(
                ALICE,
                1,
                &[event(
                    "not hers",
                    Kind::PartyEnrolled(v1::PartyEnrolled::default()),
                )],
            )),
            EVIDENCE => drop(log.equivocate()),
            RESEEDED => drop(log.reseed()),
            odd if odd % 2 == 1 => drop(log.accept_clock()),
            _ => log.go_on(),
        }
    }
    log.with_files()
}

/// Where evidence stands in `three`.
pub(super) const EVIDENCE: usize = 300;
/// Where a reseeding stands in `three`.
pub(super) const RESEEDED: usize = 530;

pub(super) fn tall() -> Log {
    let mut log = Log::new();
    for _ in 0..9 {
        log.go_on();
    }
    log.accept_clocks(65_700);
    while log.entries.len() < 65_900 {
        if log.entries.len().is_multiple_of(10) {
            log.go_on();
        } else {
            log.accept_clock();
        }
    }
    log.with_files()
}

/// A copy as it is told.
pub(super) struct Copy<'a> {
    log: &'a Log,
    told: Value,
    /// The log's entries, changed.
    entries: Vec<Bytes>,
    files: MemoryCopy,
}

impl<'a> Copy<'a> {
    /// A copy of this log in which these entries became others.
    pub(super) fn new(name: &str, log: &'a Log, what: &str, changes: &[(usize, Vec<Bytes>)]) -> Self {
        let mut told = json!({ "what": what, "log": name });
        if changes.is_empty() {
            told["files"] = json!([]);
            let (entries, files) = (log.entries.clone(), log.files.clone());
            return Self {
                log,
                told,
                entries,
                files,
            };
        }
        let mut entries: Vec<Vec<Bytes>> = log.entries.iter().map(|entry| vec![entry.clone()]).collect();
        let mut told_changes = Vec::new();
        for (at, becomes) in changes {
            entries[*at].clone_from(becomes);
            let hex: Vec<_> = becomes.iter().map(hex::encode).collect();
            told_changes.push(json!({ "index": at, "becomes": hex }));
        }
        let entries = entries.concat();
        told["entries"] = told_changes.into();
        told["checkpoint"] = note(head_of(&entries)).into();
        told["files"] = json!([]);
        let files = files_of(&entries);
        Self {
            log,
            told,
            entries,
            files,
        }
    }

    pub(super) fn read(&self, file: &str) -> Vec<u8> {
        self.files.read(file, usize::MAX).unwrap().unwrap().to_vec()
    }

    pub(super) fn tell(&mut self, change: Value) {
        self.told["files"].as_array_mut().unwrap().push(change);
    }

    pub(super) fn gone(mut self, file: &str) -> Self {
        self.files.remove(file).unwrap();
        self.tell(json!({ "file": file, "is": null }));
        self
    }

    pub(super) fn is(mut self, file: &str, bytes: &[u8]) -> Self {
        self.files.write(file, bytes).unwrap();
        self.tell(json!({ "file": file, "is": hex::encode(bytes) }));
        self
    }

    pub(super) fn splice(mut self, file: &str, at: usize, remove: usize, insert: &[u8]) -> Self {
        let mut bytes = self.read(file);
        bytes.splice(at..at + remove, insert.iter().copied());
        self.files.write(file, &bytes).unwrap();
        self.tell(json!({ "file": file, "at": at, "remove": remove, "insert": hex::encode(insert) }));
        self
    }

    pub(super) fn flip(self, file: &str, at: usize) -> Self {
        let byte = self.read(file)[at] ^ 1;
        self.splice(file, at, 1, &[byte])
    }

    /// The bundle of an entry of this copy, where its frame begins in it, and the frame.
    pub(super) fn frame(&self, index: usize) -> (String, usize, Vec<u8>) {
        let size = TreeSize::new(self.entries.len() as u64);
        let bundle = EntryBundle::covering(LeafIndex::new(index as u64), size).unwrap();
        let before = &self.entries[index / 256 * 256..index];
        let at = before.iter().map(|entry| entry.len() + 2).sum();
        let entry = &self.entries[index];
        let len = u16::try_from(entry.len()).unwrap().to_be_bytes();
        (bundle.to_string(), at, [&len[..], entry].concat())
    }

    /// Flips the last bit of an entry in its bundle.
    pub(super) fn flip_entry(self, index: usize) -> Self {
        let (file, at, frame) = self.frame(index);
        self.flip(&file, at + frame.len() - 1)
    }

    /// Puts other bytes for the frame of one entry: those at higher indices first.
    pub(super) fn reframe(self, index: usize, frame: &[u8]) -> Self {
        let (file, at, old) = self.frame(index);
        self.splice(&file, at, old.len(), frame)
    }

    pub(super) fn swap(self, one: usize, other: usize) -> Self {
        let (first, second) = (self.frame(one).2, self.frame(other).2);
        self.reframe(other, &first).reframe(one, &second)
    }

    /// A checkpoint that the log key signs.
    pub(super) fn sign(mut self, head: LogHead) -> Self {
        self.told["checkpoint"] = note(head).into();
        self.files.write("checkpoint", note(head).as_bytes()).unwrap();
        self
    }

    pub(super) fn older(mut self, head: LogHead) -> Self {
        self.told["previous"] = note(head).into();
        self
    }

    /// The copy with what an audit reports of it, which must be of these kinds.
    pub(super) fn found(mut self, kinds: &[FindingKind]) -> Value {
        let trust = self.log.trust();
        let previous = self.told["previous"]
            .as_str()
            .map(|note| SignedCheckpoint::verify(note.to_owned(), trust.origin(), trust.log_keys()).unwrap());
        let options = AuditOptions {
            previous: previous.as_ref(),
            ..AuditOptions::default()
        };
        let report = audit(&self.files, &trust, &options).unwrap();
        let mut found: Vec<_> = report.findings.iter().map(|finding| finding.kind).collect();
        found.dedup();
        assert_eq!(found, kinds, "{}: {:#?}", self.told["what"], report.findings);
        let mut report = serde_json::to_value(report).unwrap();
        for finding in report["findings"].as_array_mut().unwrap() {
            finding.as_object_mut().unwrap().remove("detail");
        }
        self.told["report"] = report;
        self.told
    }
}
