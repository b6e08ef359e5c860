//! Single rules of the wire format, each with what it accepts and what it refuses.

use bytes::Bytes;
use lotproof::{
    admission::{LedgerState, Prepared, genesis_entry},
    code::{Outcome, Refusal},
    entry::{Body, Entry},
    envelope::{DsseEnvelope, Header, encode_statement},
    event::{self as events, sealed},
    id::{FeedId, FeedSequence, Hash, LeafIndex},
    identifier,
    log::{Checkpoint, MemoryTree, Origin, leaf_hash, multiproof, note::NoteSigner},
    quantity,
    signature::{self, pre_authentication_encoding, statement_hash},
    time::{IssuedAt, RecordedAt},
    wire::{self, v1, v1::event::Kind},
};
use prost::Message as _;
use serde_json::{Value, json};

use crate::{
    build::{
        ALICE, LOG_SEED, LOT, NOW, ORIGIN, PLANT, commission, encode, event, genesis, item, key, parameters,
        party, public, sealed as with_seals, slice, with_part,
    },
    strict,
};

pub(crate) fn vectors() -> Value {
    json!({
        "description": "Rules of proto/README.md, one by one. Bytes are hexadecimal. Private keys are seeds of one byte repeated 32 times. `code` is the answer or refusal, null where all is well.",
        "signatures": signatures(),
        "statements": statements(),
        "envelope_rejects": envelope_rejects(),
        "events": event_rows(),
        "event_flips": event_flips(),
        "content": content(),
        "parts": parts(),
        "sealed": sealed_fields(),
        "identifiers": identifiers(),
        "decimals": decimals(),
        "entries": entries(),
        "entry_rejects": entry_rejects(),
        "genesis": genesis_rows(),
        "receipt": receipt(),
        "answers": answers(),
    })
}

fn log_id() -> lotproof::id::LogId {
    let entry = genesis_entry(genesis(), RecordedAt::from_nanos(NOW)).unwrap();
    LedgerState::from_genesis(&entry).unwrap().log_id()
}

fn header(sequence: u64, previous: Hash) -> Header {
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

/// The code of one event's bytes.
fn event_code(bytes: &Bytes) -> Value {
    match events::check(bytes) {
        Ok(_) => Value::Null,
        Err(error) => error.refusal().name().into(),
    }
}

fn event_rows() -> Vec<Value> {
    let base = || event("x", commission(LOT));
    let encoded = |event: v1::Event| event.encode_to_vec();
    let commissioned = |change: &dyn Fn(&mut v1::Commissioned)| {
        let mut commissioned = v1::Commissioned {
            facility: PLANT.into(),
            items: vec![item(LOT, "1200")],
            ..Default::default()
        };
        change(&mut commissioned);
        encoded(event("x", Kind::Commissioned(commissioned)))
    };
    let scopes = |count: usize| {
        encoded(v1::Event {
            certification: Some(v1::Certification {
                scope: vec!["all".into(); count],
                ..Default::default()
            }),
            ..base()
        })
    };
    let residue = |text: &str| {
        encoded(v1::Event {
            epcis: Some(v1::EpcisView {
                residue: text.into(),
                ..Default::default()
            }),
            ..base()
        })
    };
    let good = encoded(base());
    // `id` and `event_time` alone, to build odd bytes on.
    let start = encoded(v1::Event {
        id: "x".into(),
        event_time: NOW,
        ..Default::default()
    });
    let then = |bytes: &[u8]| [start.as_slice(), bytes].concat();
    let public_key = |key: Vec<u8>| encoded(event("x", Kind::FeedClosed(v1::FeedClosed { key })));
    let one = |at: usize, byte: u8| {
        let mut key = vec![0; 32];
        key[at] = byte;
        key
    };
    let rows: Vec<(&str, Vec<u8>)> = vec![
        ("as it should be", good.clone()),
        ("nothing but id and time", start.clone()),
        ("an unknown field before its end", then(&[0x48, 1])),
        ("an unknown kind", then(&[0xfa, 0x07, 0])),
        ("field number 0", then(&[0x00])),
        (
            "a field number beyond 32 bits",
            then(&[0x82, 0x80, 0x80, 0x80, 0x80, 0x80, 1, 0]),
        ),
        ("a tag in a long varint", then(&[0xa2, 0x00])),
        ("a tag that ends early", then(&[0x80])),
        ("a tag of eleven bytes", then(&[0xff; 11])),
        (
            "an id again, out of order",
            [&good[..], &[0x0a, 1, b'x']].concat(),
        ),
        ("an id twice", [&[0x0a, 1, b'x'][..], &start].concat()),
        ("a length in a long varint", vec![0x0a, 0x81, 0x00, b'x']),
        ("a length beyond the end", vec![0x0a, 5, b'x']),
        ("an empty id written out", vec![0x0a, 0]),
        ("a varint where a length belongs", vec![0x08, 1]),
        ("fixed 64 bits", vec![0x11, 0, 0, 0, 0, 0, 0, 0, 1]),
        ("text that is not UTF-8", vec![0x0a, 1, 0xff]),
        ("a zero written out", then(&[0x18, 0])),
        (
            "an offset of 32 bits and one",
            then(&[0x18, 0x80, 0x80, 0x80, 0x80, 0x10]),
        ),
        (
            "an offset of -18 hours",
            encoded(v1::Event {
                utc_offset_minutes: -1_080,
                ..base()
            }),
        ),
        (
            "a minute more",
            encoded(v1::Event {
                utc_offset_minutes: -1_081,
                ..base()
            }),
        ),
        ("two kinds", [&good[..], &[0x8a, 0x04, 0]].concat()),
        (
            "no time",
            encoded(v1::Event {
                event_time: 0,
                ..base()
            }),
        ),
        (
            "a time before 1970",
            encoded(v1::Event {
                event_time: -1,
                ..base()
            }),
        ),
        (
            "no id",
            encoded(v1::Event {
                id: String::new(),
                ..base()
            }),
        ),
        (
            "an id with a space",
            encoded(v1::Event {
                id: "a b".into(),
                ..base()
            }),
        ),
        (
            "an id of 128 bytes",
            encoded(v1::Event {
                id: "i".repeat(128),
                ..base()
            }),
        ),
        (
            "an id of 129 bytes",
            encoded(v1::Event {
                id: "i".repeat(129),
                ..base()
            }),
        ),
        (
            "a missing field before an unknown one",
            [&start[3..], &[0xfa, 0x07, 0]].concat(),
        ),
        ("a bad lot and then an unknown field", {
            let bad = event("x", commission("lot 7")).encode_to_vec();
            [&bad[..], &[0xfa, 0x07, 0]].concat()
        }),
        (
            "an unknown field in an item",
            then(&[0x82, 0x04, 5, 0x1a, 3, 0x42, 1, b'1']),
        ),
        (
            "an item without a lot",
            commissioned(&|it| it.items[0].lot = String::new()),
        ),
        (
            "a lot that is no URI",
            commissioned(&|it| it.items[0].lot = "lot 7".into()),
        ),
        (
            "a facility by its EPC URN",
            commissioned(&|it| it.facility = "urn:epc:id:sgln:9521230.01001.0".into()),
        ),
        (
            "a quantity of 7.0",
            commissioned(&|it| it.items[0].quantity.as_mut().unwrap().value = "7.0".into()),
        ),
        (
            "a unit of kg",
            commissioned(&|it| it.items[0].quantity.as_mut().unwrap().unit = "kg".into()),
        ),
        (
            "no unit",
            commissioned(&|it| it.items[0].quantity.as_mut().unwrap().unit = String::new()),
        ),
        (
            "a country in lower case",
            commissioned(&|it| it.country_of_origin = "kr".into()),
        ),
        (
            "a country",
            commissioned(&|it| it.country_of_origin = "KR".into()),
        ),
        (
            "a serial that joins to no normal form",
            encoded({
                let mut event = slice(1, 2, "S 1");
                event.part = None;
                event
            }),
        ),
        (
            "a serial whose parts join to an alias",
            commissioned(&|it| {
                it.serials = vec![v1::SerialRun {
                    prefix: "urn:epc:id:sgtin:9521231.100001.".into(),
                    suffixes: vec!["1".into()],
                }];
            }),
        ),
        (
            "serials without a prefix",
            commissioned(&|it| {
                it.serials = vec![v1::SerialRun {
                    prefix: String::new(),
                    suffixes: vec!["urn:x:1".into(), "urn:x:2".into()],
                }];
            }),
        ),
        (
            "a prefix without serials",
            commissioned(&|it| {
                it.serials = vec![v1::SerialRun {
                    prefix: "lot".into(),
                    suffixes: vec![],
                }];
            }),
        ),
        ("no scope", scopes(0)),
        ("32 scopes", scopes(32)),
        ("33 scopes", scopes(33)),
        ("part 1 of 2", encoded(slice(1, 2, "S1"))),
        ("part 2 of 2", encoded(slice(2, 2, "S1"))),
        ("part 1 of 1", encoded(slice(1, 1, "S1"))),
        ("part 0 of 2", encoded(slice(0, 2, "S1"))),
        ("part 3 of 2", encoded(slice(3, 2, "S1"))),
        ("part 4,096 of 4,096", encoded(slice(4_096, 4_096, "S1"))),
        ("part 1 of 4,097", encoded(slice(1, 4_097, "S1"))),
        (
            "a part of a kind without a list",
            encoded(with_part(
                event(
                    "x",
                    Kind::ShipmentLapsed(v1::ShipmentLapsed { shipment: LOT.into() }),
                ),
                1,
                2,
            )),
        ),
        (
            "no scope and a bad part",
            encoded(v1::Event {
                certification: Some(v1::Certification::default()),
                ..slice(3, 2, "S1")
            }),
        ),
        ("a bad part and a bad serial", encoded(slice(3, 2, "S%zz"))),
        ("a cost sealed", encoded(with_seals(base(), &["64.3.0.3"]))),
        (
            "a quantity sealed and there",
            encoded(with_seals(base(), &["64.3.0.2"])),
        ),
        ("a lot sealed", encoded(with_seals(base(), &["64.3.0.1"]))),
        ("a facility sealed", encoded(with_seals(base(), &["64.1"]))),
        ("a seal on no field", encoded(with_seals(base(), &["64.99"]))),
        (
            "a seal beyond the list",
            encoded(with_seals(base(), &["64.3.1.3"])),
        ),
        ("a seal on a whole list", encoded(with_seals(base(), &["64.3"]))),
        ("a seal on an item", encoded(with_seals(base(), &["64.3.0"]))),
        (
            "a seal in an absent message",
            encoded(with_seals(base(), &["64.3.0.3.1"])),
        ),
        (
            "a seal on another kind",
            encoded(with_seals(base(), &["65.5.0.3"])),
        ),
        ("a seal on the id", encoded(with_seals(base(), &["1"]))),
        (
            "two seals",
            encoded(with_seals(base(), &["64.3.0.3", "64.3.0.4"])),
        ),
        (
            "two seals, out of order",
            encoded(with_seals(base(), &["64.3.0.4", "64.3.0.3"])),
        ),
        (
            "one seal twice",
            encoded(with_seals(base(), &["64.3.0.3", "64.3.0.3"])),
        ),
        (
            "a seal with a leading zero",
            encoded(with_seals(base(), &["64.03.0.3"])),
        ),
        ("a JSON object", residue("{\"a\":[1,-0.5e3,null]}")),
        ("a JSON list", residue("[]")),
        ("a JSON object after a space", residue(" {}")),
        ("a JSON object and more", residue("{}{}")),
        ("a JSON object with a number that is none", residue("{\"a\":01}")),
        ("a JSON object with NaN", residue("{\"a\":NaN}")),
        ("a public key", public_key(public(1))),
        ("a public key of 31 bytes", public_key(public(1)[..31].to_vec())),
        ("a public key of small order", public_key(one(0, 1))),
        (
            "the other point with x = 0",
            public_key({
                let mut key = vec![0xff; 32];
                (key[0], key[31]) = (0xec, 0x7f);
                key
            }),
        ),
        ("a public key that is no point", public_key(one(0, 2))),
        (
            "a control character in text",
            encoded(event(
                "x",
                Kind::PartyEnrolled(v1::PartyEnrolled {
                    party: ALICE.into(),
                    legal_name: "a\u{85}b".into(),
                    ..Default::default()
                }),
            )),
        ),
        (
            "an empty alias",
            encoded(event(
                "x",
                Kind::PartyEnrolled(v1::PartyEnrolled {
                    party: ALICE.into(),
                    legal_name: "\u{6d77}".into(),
                    aliases: vec![String::new()],
                    ..Default::default()
                }),
            )),
        ),
    ];
    rows.into_iter()
        .map(|(what, bytes)| {
            let bytes = Bytes::from(bytes);
            json!({ "what": what, "event": hex::encode(&bytes), "code": event_code(&bytes) })
        })
        .collect()
}

/// What each single flipped bit makes of an event that has a bit of everything.
fn event_flips() -> Value {
    let event = v1::Event {
        reported: Some(v1::Reported {
            document: vec![1; 32],
            position: 300,
            ..Default::default()
        }),
        certification: Some(v1::Certification {
            scope: vec!["all".into()],
            under_penalty_of_perjury: true,
            ..Default::default()
        }),
        ..event(
            "x",
            Kind::Transformed(v1::Transformed {
                step: "formation".into(),
                facility: PLANT.into(),
                inputs: vec![item(LOT, "7.25")],
                output_serials: vec![v1::SerialRun {
                    prefix: "urn:epc:raw:".into(),
                    suffixes: vec!["1".into(), "a.b".into()],
                }],
                inputs_complete: Some(false),
                started_at: Some(NOW),
                ..Default::default()
            }),
        )
    };
    let event = with_seals(with_part(event, 2, 3), &["65.4", "65.5.0.3"]);
    let good = event.encode_to_vec();
    let letter = |bit: usize| {
        let mut flipped = good.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        match events::check(&flipped.into()).map_err(|error| error.refusal()) {
            Ok(_) => '.',
            Err(Refusal::MalformedEvent) => 'm',
            Err(Refusal::UnknownEvent) => 'u',
            Err(Refusal::IdentifierNotNormal) => 'i',
            Err(Refusal::SealedAndPresent) => 's',
            Err(other) => panic!("bit {bit}: {other}"),
        }
    };
    json!({
        "event": hex::encode(&good),
        "bits": "bit n is 1 << n % 8 of byte n / 8; the letter at n is what the event with that bit flipped is",
        "letters": { "m": "malformed_event", "u": "unknown_event", "i": "identifier_not_normal", "s": "sealed_and_present" },
        "codes": (0..good.len() * 8).map(letter).collect::<String>(),
    })
}

fn content() -> Value {
    let bytes = Bytes::from(event("x", commission(LOT)).encode_to_vec());
    let digest = events::check(&bytes).unwrap().content();
    json!({ "event": hex::encode(&bytes), "digest": digest.to_string() })
}

fn parts() -> Vec<Value> {
    let row = |event: v1::Event| {
        let bytes = Bytes::from(event.encode_to_vec());
        let part = events::check(&bytes).unwrap().part().unwrap();
        json!({
            "event": hex::encode(&bytes),
            "number": part.number,
            "count": part.count,
            "part_digest": part.scalars.to_string(),
        })
    };
    let other = v1::Event {
        utc_offset_minutes: 0,
        ..slice(2, 2, "S2")
    };
    let mut long = slice(1, 2, "S1");
    if let Some(Kind::Commissioned(commissioned)) = &mut long.kind {
        commissioned.facility = PLANT.into();
        commissioned.items = vec![item(LOT, "2")];
        commissioned.country_of_origin = "KR".into();
    }
    let long = with_seals(long, &["64.3.0.3"]);
    [slice(1, 2, "S1"), slice(2, 2, "S2"), other, long]
        .map(row)
        .into()
}

fn sealed_fields() -> Value {
    let event = event(
        "x",
        Kind::Transformed(v1::Transformed {
            step: "formation".into(),
            inputs: vec![v1::Item {
                cost: Some(v1::Money {
                    value: "12.5".into(),
                    currency: "USD".into(),
                    basis: "price".into(),
                }),
                ..item(LOT, "7")
            }],
            on_behalf_of: ALICE.into(),
            ..Default::default()
        }),
    );
    let before = event.encode_to_vec();
    let paths = ["65.4", "65.5.0.2", "65.5.0.3"];
    let salted: Vec<(String, Hash)> = paths
        .iter()
        .map(|path| ((*path).to_owned(), Hash::of(&[path.as_bytes()])))
        .collect();
    let (after, openings) = sealed::seal(&before, &salted).unwrap();
    let after = Bytes::from(after);
    events::check(&after).unwrap();
    let openings: Vec<Value> = openings
        .iter()
        .map(|opening| {
            json!({
                "path": opening.path,
                "salt": opening.salt.to_string(),
                "value": hex::encode(&opening.value),
                "digest": opening.digest().to_string(),
            })
        })
        .collect();
    json!({ "before": hex::encode(&before), "after": hex::encode(&after), "openings": openings })
}

fn identifiers() -> Vec<Value> {
    let sent = [
        "https://id.gs1.org/01/09521231100013/10/CAM-2602-A",
        "https://Example.com/shop/01/9521231100013/10/A1?x=1",
        "HTTP://id.gs1.org/414/9521230010016",
        "https://id.gs1.org/01/09521231100013/21/S1/10/A1",
        "https://id.gs1.org/01/09521231100013/10/A1/21/S1",
        "https://id.gs1.org/01/09521231100013/",
        "https://id.gs1.org/01/09521231100013/10/ABCDEFGHIJKLMNOPQRSTU",
        "https://id.gs1.org/01/95212311/22/2A",
        "https://a.example/8004/95212310001",
        "https://a.example/8004/PALLET-7",
        "https://a.example/00/09521230000000001",
        "https://a.example/253/9521230100106DA0001#top",
        "https://id.gs1.org/8010/9521230A%2F7/8011/1",
        "https://id.gs1.org/8018/095212300000000017/8019/3",
        "urn:epc:class:lgtin:952123.0110001.A%2fb",
        "urn:epc:id:sgtin:9521231.100001.P%30001",
        "urn:epc:idpat:sgtin:9521231.100001.*",
        "urn:epc:idpat:sgtin:9521231.100001.1",
        "urn:epc:id:sscc:9521230.0000000001",
        "urn:epc:id:sscc:952.1",
        "urn:epc:id:sgln:9521230.01001.0",
        "urn:epc:id:sgln:9521230.01001",
        "urn:epc:id:sgln:9521230.01001.dock-7",
        "urn:epc:id:pgln:9521230.10010",
        "urn:epc:id:gdti:9521230.10010.DA0001",
        "urn:epc:id:grai:9521230.10010.7",
        "urn:epc:id:gsin:9521230.000000001",
        "urn:epc:id:giai:9521230.A1.b.c",
        "urn:epc:id:ginc:9521230.X",
        "urn:epc:id:cpi:9521230.PN.1",
        "urn:epc:id:usdod:CAGEY.5678",
        "urn:EPC:id:sgtin:9521231.10001.1",
        "urn:UUID:0B5E7A10-0000-4000-8000-000000000001",
        "URN:Isbn:0-X",
        "urn:x",
        "urn::x",
        "https://Plants.Example.COM:443",
        "http://plants.example:80/a",
        "http://plants.example:443/a",
        "https://plants.example:/a",
        "https://plants.example?q",
        "https://a.example/x/../y/./z%7e%c3",
        "https://a.example/../..",
        "https://a.example/a/.",
        "https://a.example/a/b/..",
        "https://a.example//x//",
        "https://a.example/a?b=../c#d",
        "did:web:maker.example",
        "BPNL:x",
        "FTP://Host.Example/a/../b?Q",
        "ftp://Host.Example",
        "ftp://",
        "file:///a/./b",
        "",
        "lot 7",
        "CAM-7",
        "a b:c",
        "https://",
        "https:///x",
        "https:x",
        "http://u@h/",
        "x:",
        "x:%zz",
        "x:%7",
        "x:\u{e9}",
        "x:a<b",
        "1x:y",
        "x_y:z",
    ];
    let mut rows: Vec<String> = sent.iter().map(|sent| (*sent).to_owned()).collect();
    rows.push(format!("x:{}", "y".repeat(254)));
    rows.push(format!("x:{}", "y".repeat(255)));
    // Within the limit as sent, but not once the path has its slash.
    rows.push(format!("https://{}", "h".repeat(248)));
    let row = |sent: String| {
        let normal = identifier::normalise(&sent).ok();
        let is_normal = identifier::is_normal(&sent);
        assert_eq!(is_normal, normal.as_ref() == Some(&sent), "{sent}");
        json!({ "sent": sent, "normal": normal })
    };
    rows.into_iter().map(row).collect()
}

fn decimals() -> Vec<Value> {
    let texts = [
        "0",
        "1",
        "797.5",
        "0.001",
        "1234567890123456789012345678",
        "0.123456789012345678901234567",
        "",
        ".5",
        "5.",
        "05",
        "5.0",
        "-1",
        "+1",
        "1e3",
        "1,5",
        "00",
        "0.0",
        "1.2.3",
        "\u{663}",
        "12345678901234567890123456789",
        "1.2345678901234567890123456789",
    ];
    texts
        .iter()
        .map(|text| json!({ "text": text, "normal": quantity::is_normal_decimal(text) }))
        .collect()
}

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

fn entries() -> Vec<Value> {
    sample_entries()
        .into_iter()
        .map(|(what, entry)| {
            let bytes = entry.encode();
            json!({ "what": what, "entry": hex::encode(&bytes), "leaf_hash": leaf_hash(&bytes).to_string() })
        })
        .collect()
}

fn entry_rejects() -> Vec<Value> {
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

fn genesis_rows() -> Vec<Value> {
    type Row = (&'static str, fn(&mut v1::Genesis));
    let rows: [Row; 13] = [
        ("as it should be", |_| {}),
        ("no purpose", |genesis| genesis.purpose = 0),
        ("threshold 0", |genesis| genesis.threshold = 0),
        ("threshold 4 of 3", |genesis| genesis.threshold = 4),
        ("keys in descending order", |genesis| {
            genesis.authority_keys.reverse()
        }),
        ("one key twice", |genesis| {
            genesis.authority_keys[1] = genesis.authority_keys[0].clone();
        }),
        ("no keys", |genesis| genesis.authority_keys.clear()),
        ("rules version 2", |genesis| genesis.rules_version = 2),
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
            genesis.authority = "Authority".into()
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
fn receipt() -> Value {
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

fn answers() -> Value {
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
