//! Events: their own checks, parts, and sealed fields.

use bytes::Bytes;
use lotproof::{
    code::Refusal,
    event::{self as events, sealed},
    id::Hash,
    wire::{v1, v1::event::Kind},
};
use prost::Message as _;
use serde_json::{Value, json};

use crate::build::{
    ALICE, LOT, NOW, PLANT, commission, event, item, public, sealed as with_seals, slice, with_part,
};

/// The code of one event's bytes.
fn event_code(bytes: &Bytes) -> Value {
    match events::check(bytes) {
        Ok(_) => Value::Null,
        Err(error) => error.refusal().name().into(),
    }
}

pub(crate) fn event_rows() -> Vec<Value> {
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
            "a lot with its mark escaped",
            encoded(event(
                "x",
                commission("https://id.gs1.org/01/09521231100013/10/A%211"),
            )),
        ),
        (
            "a lot with its mark unescaped",
            encoded(event(
                "x",
                commission("https://id.gs1.org/01/09521231100013/10/A!1"),
            )),
        ),
        (
            "a lot with a lower-case escape",
            encoded(event(
                "x",
                commission("https://id.gs1.org/01/09521231100013/10/A%2f1"),
            )),
        ),
        (
            "a serial by its GTIN",
            encoded(event(
                "x",
                commission("https://id.gs1.org/01/09521231100013/21/S1"),
            )),
        ),
        (
            "a serial with its lot in the link",
            encoded(event(
                "x",
                commission("https://id.gs1.org/01/09521231100013/10/A1/21/S1"),
            )),
        ),
        (
            "a lot with its variant in the link",
            encoded(event(
                "x",
                commission("https://id.gs1.org/01/09521231100013/22/2A/10/A1"),
            )),
        ),
        (
            "a variant",
            encoded(event(
                "x",
                commission("https://id.gs1.org/01/09521231100013/22/2A"),
            )),
        ),
        (
            "a lot of 21 characters",
            encoded(event(
                "x",
                commission("https://id.gs1.org/01/09521231100013/10/ABCDEFGHIJKLMNOPQRSTU"),
            )),
        ),
        (
            "a GTIN of 13 digits",
            encoded(event("x", commission("https://id.gs1.org/01/9521231100013"))),
        ),
        (
            "a GTIN of 15 digits",
            encoded(event("x", commission("https://id.gs1.org/01/095212311000133"))),
        ),
        (
            "a GTIN with a slash behind it",
            encoded(event("x", commission("https://id.gs1.org/01/09521231100013/"))),
        ),
        (
            "a place with extension 0",
            encoded(event(
                "x",
                commission("https://id.gs1.org/414/9521230010016/254/0"),
            )),
        ),
        (
            "a GTIN with a wrong check digit",
            encoded(event("x", commission("https://id.gs1.org/01/09521231100014"))),
        ),
        (
            "serials whose links name their lot",
            commissioned(&|it| {
                it.serials = vec![v1::SerialRun {
                    prefix: "https://id.gs1.org/01/09521231100013/10/A1/21/".into(),
                    suffixes: vec!["S1".into()],
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
pub(crate) fn event_flips() -> Value {
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
                    prefix: "urn:x:".into(),
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
    events::check(&good.clone().into()).expect("without a flip all is well");
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

pub(crate) fn content() -> Value {
    let bytes = Bytes::from(event("x", commission(LOT)).encode_to_vec());
    let digest = events::check(&bytes).unwrap().content();
    json!({ "event": hex::encode(&bytes), "digest": digest.to_string() })
}

pub(crate) fn parts() -> Vec<Value> {
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

pub(crate) fn sealed_fields() -> Value {
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
