//! Entries that might stand after the last one of the small ledger, each alone: what an audit says of it.

use bytes::Bytes;
use lotproof::{
    audit::{AuditOptions, audit, damage::write_log, source::MemoryCopy},
    code::{Outcome, Refusal},
    entry::{Body, Entry},
    envelope::{Header, encode_statement},
    id::{FeedSequence, Hash, LeafIndex, LogId},
    log::{Checkpoint, Origin, leaf_hash, note::NoteSigner},
    time::{IssuedAt, RecordedAt},
    trust::TrustFile,
    wire::{
        self,
        v1::{self, ledger_record::Record},
    },
};
use serde_json::{Value, json};

use crate::build::{ALICE, LOG_SEED, LOT, NOW, ORIGIN, commission, encode, event, genesis, key};

/// A key of Alice's that has said one thing, in the last entry.
pub(crate) const SPEAKER: u8 = 11;

/// What stands in the ledger when the next entry comes.
pub(crate) struct Audited<'a> {
    pub(crate) log_id: LogId,
    pub(crate) clock: i64,
    pub(crate) entries: &'a [Bytes],
    pub(crate) root: Hash,
    /// The hash of the speaker's statement.
    pub(crate) said_by_speaker: Hash,
}

impl Audited<'_> {
    fn entry(&self, body: Body) -> Bytes {
        let recorded_at = RecordedAt::from_nanos(self.clock);
        Entry { recorded_at, body }.encode()
    }

    fn said(&self, envelope: Bytes, outcome: Outcome) -> Bytes {
        self.entry(Body::Statement { envelope, outcome })
    }

    fn evidence(&self, first: usize, envelope: Bytes) -> Bytes {
        self.entry(Body::Evidence {
            first_index: LeafIndex::new(first as u64),
            envelope,
        })
    }

    fn reseeded(&self, size: usize, root: Hash) -> Bytes {
        self.entry(Body::Record(Record::GuardReseeded(v1::GuardReseeded {
            size: size as u64,
            root: root.as_bytes().to_vec(),
            reason: String::new(),
        })))
    }

    /// A statement of this feed, signed by its key or another's.
    fn statement(&self, (feed, signer): (u8, u8), sequence: u64, previous: Hash) -> Bytes {
        statement_for(self.log_id, (feed, signer), sequence, previous)
    }

    /// What the audit of the ledger with this entry finds there.
    fn finding(&self, entry: &Bytes) -> Option<&'static str> {
        let signer = NoteSigner::from_seed(ORIGIN, &[LOG_SEED; 32]).unwrap();
        let origin = Origin::new(ORIGIN).unwrap();
        let mut copy = MemoryCopy::new();
        let entries = [self.entries, std::slice::from_ref(entry)].concat();
        write_log(&mut copy, &entries, |head| {
            let origin = origin.clone();
            let checkpoint = Checkpoint { origin, head }.sign(&[&signer]).unwrap();
            Ok(checkpoint.bytes().clone())
        })
        .unwrap();
        let trust = TrustFile::new(origin, self.log_id, vec![signer.verifier_key().clone()]).unwrap();
        let report = audit(&copy, &trust, &AuditOptions::default()).unwrap();
        let [finding] = report.findings.as_slice() else {
            assert!(report.is_clean(), "{:?}", report.findings);
            return None;
        };
        assert_eq!(finding.index, Some(LeafIndex::new(self.entries.len() as u64)));
        Some(finding.kind.name())
    }

    pub(crate) fn rows(&self) -> Vec<Value> {
        let last = self.entries.len() - 1;
        let Ok(Entry {
            body: Body::Statement { envelope: first, .. },
            ..
        }) = Entry::decode(&self.entries[last])
        else {
            panic!("the last entry is a statement")
        };
        let hash = self.said_by_speaker;
        let own = (SPEAKER, SPEAKER);
        let admitted = |envelope| self.said(envelope, Outcome::Admitted);
        let next = self.statement(own, 2, hash);
        let other = self.statement(own, 1, Hash::ZERO);
        let earlier = self.entries.iter().find(|entry| entry[1] == 3).unwrap();
        let with = |entry: &Bytes, at: usize, bytes: &[u8]| {
            let mut entry = entry.to_vec();
            entry.splice(at..at + bytes.len(), bytes.iter().copied());
            Bytes::from(entry)
        };
        let again = with(earlier, 4, &self.clock.to_be_bytes());
        let head_only = admitted(Bytes::new());
        let rows = vec![
            ("the next statement", admitted(next.clone())),
            (
                "another outcome",
                self.said(next.clone(), Outcome::Refused(Refusal::TimeAhead)),
            ),
            (
                "an outcome that is none",
                with(&admitted(next.clone()), 2, &[0, 108]),
            ),
            (
                "before the last one",
                with(&admitted(next.clone()), 4, &(NOW - 1).to_be_bytes()),
            ),
            ("version 2", with(&admitted(next), 0, &[2])),
            ("the last one again", admitted(first.clone())),
            ("another for its sequence", admitted(other.clone())),
            ("a later one", admitted(self.statement(own, 3, hash))),
            (
                "on another hash",
                admitted(self.statement(own, 2, Hash::of(&[b"other"]))),
            ),
            (
                "signed by another",
                admitted(self.statement((SPEAKER, 6), 2, hash)),
            ),
            (
                "for another log",
                admitted(statement_for(LogId::new(Hash::of(&[b"other"])), own, 2, hash)),
            ),
            (
                "of a key never enrolled",
                admitted(self.statement((99, 99), 1, Hash::ZERO)),
            ),
            (
                "of a closed key",
                admitted(self.statement((213, 213), 1 << 32, Hash::of(&[b"other"]))),
            ),
            ("no envelope", admitted(Bytes::from_static(b"envelope"))),
            (
                "a second genesis",
                self.entry(Body::Record(Record::Genesis(genesis()))),
            ),
            ("a reseeding", self.reseeded(last + 1, self.root)),
            ("a reseeding with another size", self.reseeded(last, self.root)),
            (
                "a reseeding with another root",
                self.reseeded(last + 1, leaf_hash(b"other")),
            ),
            ("evidence", self.evidence(last, other.clone())),
            ("evidence of another place", self.evidence(last - 1, other)),
            ("evidence of one statement alone", self.evidence(last, first)),
            (
                "evidence of a sequence to come",
                self.evidence(last, self.statement(own, 2, hash)),
            ),
            (
                "evidence signed by another",
                self.evidence(last, self.statement((SPEAKER, 6), 1, Hash::ZERO)),
            ),
            (
                "evidence that is no envelope",
                self.evidence(last, Bytes::from_static(b"envelope")),
            ),
            ("evidence again", again),
        ];
        let mut rows: Vec<Value> = rows
            .into_iter()
            .map(|(what, entry)| {
                let finding = self.finding(&entry);
                json!({ "what": what, "entry": hex::encode(&entry), "finding": finding })
            })
            .collect();
        for zeros in [65_000, 65_001] {
            let entry = [&head_only[..], &vec![0; zeros]].concat().into();
            rows.push(json!({
                "what": "zero bytes for an envelope, so many",
                "entry": hex::encode(&head_only),
                "zeros": zeros,
                "finding": self.finding(&entry),
            }));
        }
        rows
    }
}

/// The same for any log.
fn statement_for(log_id: LogId, (feed, signer): (u8, u8), sequence: u64, previous: Hash) -> Bytes {
    let header = Header {
        log_id,
        issuer: ALICE.into(),
        feed: key(feed).feed(),
        sequence: FeedSequence::new(sequence),
        previous,
        issued_at: IssuedAt::from_nanos(NOW),
    };
    let events = encode(&[event("next", commission(LOT))]);
    key(signer).seal(wire::STATEMENT_TYPE, &encode_statement(&header, &events))
}
