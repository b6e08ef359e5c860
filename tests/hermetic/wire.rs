//! Single rules of the wire format, each with what it accepts and what it refuses: signatures, statements,
//! envelopes here, the rest beside it.

use bytes::Bytes;
use lotproof::{
    admission::{LedgerState, Prepared, genesis_entry},
    envelope::{DsseEnvelope, Header, encode_statement, statement_hash},
    id::{FeedId, FeedSequence, Hash, LogId},
    signature::{self, pre_authentication_encoding},
    time::{IssuedAt, RecordedAt},
    wire::{self, v1},
};
use prost::Message as _;
use serde_json::{Value, json};

use crate::{
    build::{ALICE, LOT, NOW, commission, encode, event, genesis, key, party, slice},
    events, leaves, names, strict,
};

pub(crate) fn vectors() -> Value {
    json!({
        "description": "Rules of proto/README.md, one by one. Bytes are hexadecimal. Private keys are seeds of one byte repeated 32 times. `code` is the answer or refusal, null where all is well.",
        "signatures": signatures(),
        "statements": statements(),
        "envelope_rejects": envelope_rejects(),
        "events": events::event_rows(),
        "event_flips": events::event_flips(),
        "content": events::content(),
        "parts": events::parts(),
        "sealed": events::sealed_fields(),
        "decimals": names::decimals(),
        "entries": leaves::entries(),
        "entry_rejects": leaves::entry_rejects(),
        "genesis": leaves::genesis_rows(),
        "receipt": leaves::receipt(),
        "answers": leaves::answers(),
    })
}

pub(crate) fn log_id() -> LogId {
    let entry = genesis_entry(genesis(), RecordedAt::from_nanos(NOW)).unwrap();
    LedgerState::from_genesis(&entry).unwrap().log_id()
}

pub(crate) fn header(sequence: u64, previous: Hash) -> Header {
    Header {
        log_id: log_id(),
        issuer: ALICE.into(),
        feed: key(1).feed(),
        sequence: FeedSequence::new(sequence),
        previous,
        issued_at: IssuedAt::from_nanos(NOW),
    }
}

fn signatures() -> Vec<Value> {
    let row = |(what, public, signature, valid): &(&str, &str, &str, bool)| {
        let bytes: [u8; 64] = hex::decode(signature).unwrap().try_into().unwrap();
        let envelope = DsseEnvelope::encode(b"lotproof", wire::STATEMENT_TYPE, bytes);
        let envelope = DsseEnvelope::decode(envelope, wire::STATEMENT_TYPE).unwrap();
        let feed = FeedId::from_hex(public).unwrap();
        assert_eq!(signature::verify(&envelope, feed).is_ok(), *valid, "{what}");
        json!({
            "what": what,
            "payload_type": wire::STATEMENT_TYPE,
            "payload": hex::encode("lotproof"),
            "pae": hex::encode(pre_authentication_encoding(wire::STATEMENT_TYPE, b"lotproof")),
            "public_key": public,
            "signature": signature,
            "valid": valid,
        })
    };
    strict::ROWS.iter().map(row).collect()
}

fn statements() -> Vec<Value> {
    let mut previous = Hash::ZERO;
    let batches = [
        vec![event("a", commission(LOT))],
        vec![event("b", party(ALICE)), slice(1, 2, "S1")],
    ];
    let mut rows = Vec::new();
    for (sequence, batch) in (1..).zip(batches) {
        let header = header(sequence, previous);
        let statement = encode_statement(&header, &encode(&batch));
        let pae = pre_authentication_encoding(wire::STATEMENT_TYPE, &statement);
        let envelope = key(1).seal(wire::STATEMENT_TYPE, &statement);
        assert!(Prepared::from_bytes(envelope.clone()).is_ok());
        let hash = statement_hash(&statement);
        rows.push(json!({
            "seed": hex::encode([1; 32]),
            "log_id": header.log_id.to_string(),
            "issuer": header.issuer,
            "feed": header.feed.to_string(),
            "sequence": sequence,
            "previous": previous.to_string(),
            "issued_at": NOW.to_string(),
            "events": encode(&batch).iter().map(hex::encode).collect::<Vec<_>>(),
            "statement": hex::encode(&statement),
            "statement_hash": hash.to_string(),
            "pae": hex::encode(pae),
            "signature": hex::encode(&envelope[envelope.len() - 64..]),
            "envelope": hex::encode(&envelope),
        }));
        previous = hash;
    }
    rows
}

fn envelope_rejects() -> Vec<Value> {
    let statement = encode_statement(
        &header(2, Hash::of(&[b"before"])),
        &[Bytes::from_static(b"event")],
    );
    let sign = |bytes: &[u8]| key(1).seal(wire::STATEMENT_TYPE, bytes);
    let good = sign(&statement);
    let envelope = |change: &dyn Fn(&mut v1::Envelope)| -> Bytes {
        let mut envelope = v1::Envelope::decode(good.clone()).unwrap();
        change(&mut envelope);
        envelope.encode_to_vec().into()
    };
    let around = |change: &dyn Fn(&mut v1::Statement)| {
        let mut decoded = v1::Statement::decode(statement.as_slice()).unwrap();
        change(&mut decoded);
        sign(&decoded.encode_to_vec())
    };
    let rows: Vec<(&str, Bytes)> = vec![
        ("as it should be", good.clone()),
        ("nothing", Bytes::new()),
        ("a trailing byte", [&good[..], &[0]].concat().into()),
        ("an unknown field", [&good[..], &[0x20, 1]].concat().into()),
        ("no signature", envelope(&|envelope| envelope.signatures.clear())),
        (
            "two signatures",
            envelope(&|envelope| envelope.signatures.push(envelope.signatures[0].clone())),
        ),
        (
            "a key id",
            envelope(&|envelope| envelope.signatures[0].keyid = "k".into()),
        ),
        (
            "a signature of 63 bytes",
            envelope(&|envelope| envelope.signatures[0].sig.truncate(63)),
        ),
        ("another payload type", key(1).seal(wire::HEAD_TYPE, &statement)),
        (
            "no payload",
            envelope(&|envelope| envelope.payload = Bytes::new()),
        ),
        ("version 2", around(&|statement| statement.version = 2)),
        ("no version", around(&|statement| statement.version = 0)),
        (
            "a log id of 31 bytes",
            around(&|statement| statement.log_id.truncate(31)),
        ),
        ("no issuer", around(&|statement| statement.issuer.clear())),
        (
            "an issuer that is no identifier",
            around(&|statement| statement.issuer = "Maker".into()),
        ),
        (
            "a feed of 31 bytes",
            around(&|statement| statement.feed.truncate(31)),
        ),
        ("sequence 0", around(&|statement| statement.sequence = 0)),
        (
            "zeros before sequence 2",
            around(&|statement| statement.previous = vec![0; 32]),
        ),
        (
            "a hash before sequence 1",
            around(&|statement| statement.sequence = 1),
        ),
        ("no issued time", around(&|statement| statement.issued_at = 0)),
        (
            "a negative issued time",
            around(&|statement| statement.issued_at = -1),
        ),
        ("no event", around(&|statement| statement.events.clear())),
        (
            "257 events",
            around(&|statement| statement.events = vec![b"e".to_vec(); 257]),
        ),
        (
            "256 events",
            around(&|statement| statement.events = vec![b"e".to_vec(); 256]),
        ),
        (
            "an empty event",
            around(&|statement| statement.events.push(Vec::new())),
        ),
        ("a field twice", sign(&[&[0x08, 1][..], &statement].concat())),
        (
            "fields out of order",
            sign(&[&statement[2..], &[0x08, 1]].concat()),
        ),
        (
            "a long varint",
            sign(&[&[0x08, 0x81, 0x00], &statement[2..]].concat()),
        ),
        (
            "an unknown field of the statement",
            sign(&[&statement[..], &[0x48, 1]].concat()),
        ),
        (
            "signed by another key",
            key(2).seal(wire::STATEMENT_TYPE, &statement),
        ),
        (
            "a key of small order",
            around(&|statement| {
                statement.feed = vec![0; 32];
                statement.feed[0] = 1;
            }),
        ),
        (
            "a key that is no point",
            around(&|statement| {
                statement.feed = vec![0; 32];
                statement.feed[0] = 2;
            }),
        ),
    ];
    let code = |bytes: Bytes| match Prepared::from_bytes(bytes) {
        Ok(_) => Value::Null,
        Err(no_place) => no_place.answer().unwrap().name().into(),
    };
    let mut values: Vec<Value> = rows
        .into_iter()
        .map(|(what, bytes)| json!({ "what": what, "envelope": hex::encode(&bytes), "code": code(bytes) }))
        .collect();
    // Long ones are described: a statement whose one event is that many bytes 01, and so many zero bytes.
    for len in [63_800, 63_900] {
        let signed = around(&|statement| statement.events = vec![vec![1; len]]);
        values.push(json!({
            "what": "one event of this length, all bytes 01, under key 1",
            "event_len": len,
            "statement_start": hex::encode(&statement[..statement.len() - 7]),
            "signature": hex::encode(&signed[signed.len() - 64..]),
            "code": code(signed),
        }));
    }
    for len in [65_000, 65_001] {
        let zeros = Bytes::from(vec![0; len]);
        values.push(json!({ "what": "zero bytes, so many", "zeros": len, "code": code(zeros) }));
    }
    values
}
