//! Entries, the genesis, a receipt, and what the ledger answers.

use bytes::Bytes;
use lotproof::{
    admission::LedgerState,
    code::{Outcome, Refusal},
    entry::{Body, Entry},
    envelope::{encode_statement, statement_hash},
    id::{Hash, LeafIndex},
    log::{Checkpoint, MemoryTree, Origin, leaf_hash, multiproof, note::NoteSigner},
    time::RecordedAt,
    wire::{self, v1},
};
use prost::Message as _;
use serde_json::{Value, json};

use crate::{
    build::{LOG_SEED, LOT, NOW, ORIGIN, commission, encode, event, genesis, key, parameters, public},
    wire::{header, log_id},
};

fn sample_entries() -> Vec<(&'static str, Entry)> {
    let statement = encode_statement(&header(1, Hash::ZERO), &encode(&[event("a", commission(LOT))]));
    let envelope = key(1).seal(wire::STATEMENT_TYPE, &statement);
    let at = |body| Entry {
        recorded_at: RecordedAt::from_nanos(NOW),
        body,
    };
    let clock = v1::ClockAccepted {
        clock: 5,
        reason: "leap".into(),
    };
    let statement = |outcome| {
        at(Body::Statement {
            envelope: envelope.clone(),
            outcome,
        })
    };
    vec![
        ("a statement, admitted", statement(Outcome::Admitted)),
        (
            "a statement, refused",
            statement(Outcome::Refused(Refusal::TimeAhead)),
        ),
        (
            "a ledger record",
            at(Body::Record(v1::ledger_record::Record::ClockAccepted(clock))),
        ),
        (
            "evidence",
            at(Body::Evidence {
                first_index: LeafIndex::new(7),
                envelope: envelope.clone(),
            }),
        ),
    ]
}

pub(crate) fn entries() -> Vec<Value> {
    sample_entries()
        .into_iter()
        .map(|(what, entry)| {
            let bytes = entry.encode();
            json!({ "what": what, "entry": hex::encode(&bytes), "leaf_hash": leaf_hash(&bytes).to_string() })
        })
        .collect()
}

pub(crate) fn entry_rejects() -> Vec<Value> {
    let of = |number: usize, at: usize, byte: u8| {
        let mut bytes = sample_entries()[number].1.encode().to_vec();
        bytes[at] = byte;
        bytes
    };
    let rows = vec![
        ("nothing", vec![]),
        ("eleven bytes", vec![1; 11]),
        ("version 2", of(0, 0, 2)),
        ("kind 0", of(0, 1, 0)),
        ("kind 4", of(0, 1, 4)),
        ("an outcome that is none", of(0, 3, 7)),
        (
            "a statement with outcome 402",
            [&[1, 1, 1, 0x92][..], &[0; 8]].concat(),
        ),
        ("a record with an outcome", of(2, 3, 101)),
        ("evidence without outcome 402", of(3, 2, 0)),
        ("a recorded time of 2^63", of(0, 4, 0x80)),
        ("an empty record", of(2, 0, 1)[..12].to_vec()),
        ("a record with a trailing byte", [&of(2, 0, 1)[..], &[0]].concat()),
    ];
    rows.into_iter()
        .map(|(what, bytes)| {
            let bytes = Bytes::from(bytes);
            assert!(Entry::decode(&bytes).is_err(), "{what}");
            json!({ "what": what, "entry": hex::encode(&bytes) })
        })
        .collect()
}

pub(crate) fn genesis_rows() -> Vec<Value> {
    type Row = (&'static str, fn(&mut v1::Genesis));
    let rows: [Row; 14] = [
        ("as it should be", |_| {}),
        ("no purpose", |genesis| genesis.purpose = 0),
        ("threshold 0", |genesis| genesis.threshold = 0),
        ("threshold 4 of 3", |genesis| genesis.threshold = 4),
        ("keys in descending order", |genesis| {
            genesis.authority_keys.reverse();
        }),
        ("one key twice", |genesis| {
            genesis.authority_keys[1] = genesis.authority_keys[0].clone();
        }),
        ("no keys", |genesis| genesis.authority_keys.clear()),
        ("rules version 1", |genesis| genesis.rules_version = 1),
        ("rules version 3", |genesis| genesis.rules_version = 3),
        ("no parameters", |genesis| genesis.parameters = None),
        ("statements of 64,001 bytes", |genesis| {
            genesis.parameters = Some(v1::Parameters {
                statement_len_max: 64_001,
                ..parameters()
            });
        }),
        ("statements of 0 events", |genesis| {
            genesis.parameters = Some(v1::Parameters {
                statement_events_max: 0,
                ..parameters()
            });
        }),
        ("a log key of zeros", |genesis| genesis.log_key = vec![0; 32]),
        ("an authority that is no identifier", |genesis| {
            genesis.authority = "Authority".into();
        }),
    ];
    rows.into_iter()
        .map(|(what, change)| {
            let mut genesis = genesis();
            change(&mut genesis);
            let bytes = Entry {
                recorded_at: RecordedAt::from_nanos(NOW),
                body: Body::Record(v1::ledger_record::Record::Genesis(genesis)),
            }
            .encode();
            let state = LedgerState::from_genesis(&bytes);
            json!({
                "what": what,
                "entry": hex::encode(&bytes),
                "log_id": state.ok().map(|state| state.log_id().to_string()),
            })
        })
        .collect()
}

/// Rows 1 and 4 of a log of seven entries: the publisher's two statements among entries of others.
pub(crate) fn receipt() -> Value {
    let mut previous = Hash::ZERO;
    let mut tree = MemoryTree::new();
    let mut rows = Vec::new();
    let mut envelopes = Vec::new();
    let mut leaves = Vec::new();
    for index in 0..7 {
        let entry = if index == 1 || index == 4 {
            let sequence = envelopes.len() as u64 + 1;
            let statement = encode_statement(
                &header(sequence, previous),
                &encode(&[event("a", commission(LOT))]),
            );
            previous = statement_hash(&statement);
            let envelope = key(1).seal(wire::STATEMENT_TYPE, &statement);
            let outcome = if index == 1 {
                Outcome::Admitted
            } else {
                Outcome::Refused(Refusal::UnknownFacility)
            };
            envelopes.push(hex::encode(&envelope));
            let recorded_at = RecordedAt::from_nanos(NOW + index);
            rows.push(v1::ReceiptRow {
                sequence,
                index: index.unsigned_abs(),
                recorded_at: recorded_at.as_nanos(),
                outcome: outcome.number().into(),
            });
            Entry {
                recorded_at,
                body: Body::Statement { envelope, outcome },
            }
            .encode()
        } else {
            Bytes::from(format!("entry {index}"))
        };
        leaves.push(leaf_hash(&entry));
        tree.push(leaf_hash(&entry));
    }
    let head = tree.head();
    let indices: Vec<LeafIndex> = rows.iter().map(|row| LeafIndex::new(row.index)).collect();
    let hashes = multiproof::build(head.size, &indices, &tree).unwrap();
    let signer = NoteSigner::from_seed(ORIGIN, &[LOG_SEED; 32]).unwrap();
    let checkpoint = Checkpoint {
        origin: Origin::new(ORIGIN).unwrap(),
        head,
    };
    let note = checkpoint.sign(&[&signer]).unwrap();
    let receipt = v1::Receipt {
        feed: public(1),
        rows,
        checkpoint: note.bytes().to_vec(),
        hashes: hashes.iter().map(|hash| hash.as_bytes().to_vec()).collect(),
    };
    json!({
        "origin": ORIGIN,
        "vkey": signer.verifier_key().to_string(),
        "private_key": *signer.to_private_text(),
        "leaf_hashes": leaves.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "root": head.root.to_string(),
        "hashes": hashes.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "checkpoint": String::from_utf8(note.bytes().to_vec()).unwrap(),
        "envelopes": envelopes,
        "receipt": hex::encode(receipt.encode_to_vec()),
    })
}

pub(crate) fn answers() -> Value {
    let answer = v1::Answer {
        log_id: log_id().as_bytes().to_vec(),
        feed: public(1),
        message: Hash::of(&[b"message"]).as_bytes().to_vec(),
        code: 307,
        sequence: 9,
        expected: 5,
        answered_at: NOW,
        detail: "expected sequence 5".into(),
    };
    let reply = v1::HeadReply {
        log_id: log_id().as_bytes().to_vec(),
        feed: public(1),
        nonce: vec![9; 32],
        last_sequence: 4,
        last_hash: Hash::of(&[b"statement"]).as_bytes().to_vec(),
        tree_size: 17,
        status: v1::FeedStatus::FeedOpen.into(),
    };
    let answer = key(LOG_SEED).seal(wire::ANSWER_TYPE, &answer.encode_to_vec());
    let reply = key(LOG_SEED).seal(wire::HEAD_TYPE, &reply.encode_to_vec());
    json!({
        "log_key": hex::encode(public(LOG_SEED)),
        "answer": hex::encode(answer),
        "head_reply": hex::encode(reply),
    })
}
