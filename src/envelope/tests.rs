//! Malformed envelopes, one row for each cause; bits and lengths; and signatures from other hands.

use super::*;
use crate::{
    admission::{NoPlace, Prepared},
    code::AnswerCode,
    signature::{SigningKey, VerifyError, pre_authentication_encoding},
};

fn key() -> SigningKey {
    SigningKey::from_seed(&[7; 32])
}

fn header() -> Header {
    Header {
        log_id: LogId::new(Hash::of(&[b"log"])),
        issuer: "https://id.gs1.org/417/9521230100106".into(),
        feed: key().feed(),
        sequence: FeedSequence::new(2),
        previous: Hash::of(&[b"previous"]),
        issued_at: IssuedAt::from_nanos(1_770_000_000_000_000_000),
    }
}

fn good() -> Bytes {
    key().sign_statement(&header(), &[Bytes::from_static(b"event")]).0
}

/// An envelope around a statement that `change` made of a good one, signed all the same.
fn around(change: impl FnOnce(&mut v1::Statement)) -> Bytes {
    let mut statement =
        v1::Statement::decode(encode_statement(&header(), &[Bytes::from_static(b"event")]).as_slice())
            .unwrap();
    change(&mut statement);
    key().seal(wire::STATEMENT_TYPE, &statement.encode_to_vec())
}

fn envelope(change: impl FnOnce(&mut v1::Envelope)) -> Bytes {
    let mut envelope = v1::Envelope::decode(good()).unwrap();
    change(&mut envelope);
    envelope.encode_to_vec().into()
}

#[test]
fn every_cause_of_malformed_has_its_row() {
    let statement = |bytes: &[u8]| key().seal(wire::STATEMENT_TYPE, bytes);
    let encoded = encode_statement(&header(), &[Bytes::from_static(b"event")]);
    let rows: Vec<(&str, Bytes)> = vec![
        ("nothing", Bytes::new()),
        ("trailing bytes", [&good()[..], &[0]].concat().into()),
        ("an unknown field", [&good()[..], &[0x20, 1]].concat().into()),
        ("no signature", envelope(|envelope| envelope.signatures.clear())),
        (
            "a second signature",
            envelope(|envelope| envelope.signatures.push(envelope.signatures[0].clone())),
        ),
        (
            "a key id",
            envelope(|envelope| envelope.signatures[0].keyid = "k".into()),
        ),
        (
            "a short signature",
            envelope(|envelope| envelope.signatures[0].sig.truncate(63)),
        ),
        ("another payload type", key().seal(wire::HEAD_TYPE, &encoded)),
        ("no payload", envelope(|envelope| envelope.payload = Bytes::new())),
        ("version 2", around(|statement| statement.version = 2)),
        ("no version", around(|statement| statement.version = 0)),
        (
            "a short log id",
            around(|statement| statement.log_id.truncate(31)),
        ),
        ("no issuer", around(|statement| statement.issuer.clear())),
        (
            "an issuer that is no identifier",
            around(|statement| statement.issuer = "Maker".into()),
        ),
        ("a short feed", around(|statement| statement.feed.truncate(31))),
        ("sequence 0", around(|statement| statement.sequence = 0)),
        (
            "zeros before sequence 2",
            around(|statement| statement.previous = vec![0; 32]),
        ),
        (
            "a hash before sequence 1",
            around(|statement| statement.sequence = 1),
        ),
        ("no issued time", around(|statement| statement.issued_at = 0)),
        (
            "a negative issued time",
            around(|statement| statement.issued_at = -1),
        ),
        ("no event", around(|statement| statement.events.clear())),
        (
            "257 events",
            around(|statement| statement.events = vec![b"e".to_vec(); 257]),
        ),
        (
            "an empty event",
            around(|statement| statement.events.push(Vec::new())),
        ),
        (
            "a field of the statement twice",
            statement(&[&[0x08, 1][..], &encoded].concat()),
        ),
        (
            "fields of the statement out of order",
            statement(&[&encoded[2..], &[0x08, 1]].concat()),
        ),
        (
            "a long varint",
            statement(&[&[0x08, 0x81, 0x00], &encoded[2..]].concat()),
        ),
        (
            "an unknown field of the statement",
            statement(&[&encoded[..], &[0x48, 1]].concat()),
        ),
    ];
    assert!(Envelope::decode(good()).is_ok());
    for (what, bytes) in rows {
        let no_place = Prepared::from_bytes(bytes).unwrap_err();
        assert_eq!(
            no_place.answer(),
            Some(AnswerCode::Malformed),
            "{what}: {no_place:?}"
        );
    }
}

#[test]
fn every_cause_of_oversize_has_its_row() {
    let long = around(|statement| statement.events = vec![vec![1; 63_900]]);
    assert!(long.len() <= wire::ENVELOPE_LEN_MAX);
    assert_eq!(Prepared::from_bytes(long).unwrap_err(), NoPlace::Oversize);
    assert_eq!(
        Prepared::from_bytes(vec![0; wire::ENVELOPE_LEN_MAX + 1].into()).unwrap_err(),
        NoPlace::Oversize
    );
}

#[test]
fn every_cause_of_bad_signature_has_its_row() {
    let other = SigningKey::from_seed(&[8; 32]);
    let by_another = other.seal(
        wire::STATEMENT_TYPE,
        &encode_statement(&header(), &[Bytes::from_static(b"event")]),
    );
    let mut small = [0; 32];
    small[0] = 1;
    let rows: Vec<(&str, Bytes, VerifyError)> = vec![
        ("by another key", by_another, VerifyError::Signature),
        (
            "over another payload type",
            envelope(|envelope| {
                let signed = key().seal(wire::HEAD_TYPE, &envelope.payload);
                envelope.signatures = v1::Envelope::decode(signed).unwrap().signatures;
            }),
            VerifyError::Signature,
        ),
        (
            "of zeros",
            envelope(|envelope| envelope.signatures[0].sig = vec![0; 64]),
            VerifyError::Signature,
        ),
        (
            "a scalar beyond the group order",
            envelope(|envelope| envelope.signatures[0].sig[32..].fill(0xff)),
            VerifyError::Signature,
        ),
        (
            "a key of small order",
            around(|statement| statement.feed = small.to_vec()),
            VerifyError::WeakKey,
        ),
        (
            "a key that is no point",
            around(|statement| {
                statement.feed = {
                    let mut bytes = [0; 32];
                    bytes[0] = 2;
                    bytes.to_vec()
                }
            }),
            VerifyError::WeakKey,
        ),
    ];
    assert!(Prepared::from_bytes(good()).is_ok());
    for (what, bytes, error) in rows {
        assert_eq!(
            Prepared::from_bytes(bytes).unwrap_err(),
            NoPlace::BadSignature(error),
            "{what}"
        );
    }
}

#[test]
fn every_flipped_bit_and_every_truncation_takes_no_place() {
    let good = good();
    for bit in 0..good.len() * 8 {
        let mut flipped = good.to_vec();
        flipped[bit / 8] ^= 1 << (bit % 8);
        assert!(Prepared::from_bytes(flipped.into()).is_err(), "bit {bit}");
    }
    for len in 0..good.len() {
        assert!(
            Prepared::from_bytes(good.slice(..len)).is_err(),
            "cut to {len} bytes"
        );
    }
}

#[test]
fn agrees_with_the_published_dsse_vectors() {
    assert_eq!(
        pre_authentication_encoding("http://example.com/HelloWorld", b"hello world"),
        b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
    );
    let oracle = dsse::pae(wire::STATEMENT_TYPE, b"payload");
    assert_eq!(
        pre_authentication_encoding(wire::STATEMENT_TYPE, b"payload"),
        oracle
    );
}

/// RFC 8032 section 7.1, test 1 (empty message) and test 3, and rows of the same kind signed elsewhere.
#[test]
fn agrees_with_rfc_8032() {
    use ed25519_dalek::Signer as _;
    let rows = [
        (
            "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
            "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
            "",
            "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
        ),
        (
            "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
            "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
            "af82",
            "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a",
        ),
    ];
    for (seed, public, message, signature) in rows {
        let seed: [u8; 32] = hex::decode(seed).unwrap().try_into().unwrap();
        assert_eq!(SigningKey::from_seed(&seed).feed().to_string(), public);
        let signed = ed25519_dalek::SigningKey::from_bytes(&seed).sign(&hex::decode(message).unwrap());
        assert_eq!(hex::encode(signed.to_bytes()), signature);
    }
}
