//! What one event's bytes may be: seals, forms, and canonical encoding under every flipped bit.

use prost::Message as _;

use super::*;
use crate::wire::v1::event::Kind as EventKindBody;

const LOT: &str = "https://id.gs1.org/01/09521231100013/10/A1";

fn transformed() -> v1::Event {
    let item = |lot: &str, value: &str| v1::Item {
        lot: lot.into(),
        quantity: Some(v1::Quantity {
            value: value.into(),
            unit: "KGM".into(),
        }),
        cost: Some(v1::Money {
            value: "7000".into(),
            currency: "USD".into(),
            basis: "direct_material".into(),
        }),
        ..Default::default()
    };
    v1::Event {
        id: "run-1".into(),
        event_time: 1_770_000_000_000_000_000,
        utc_offset_minutes: -60,
        certification: Some(v1::Certification {
            scope: vec!["all".into()],
            ..Default::default()
        }),
        kind: Some(EventKindBody::Transformed(v1::Transformed {
            step: "calcine".into(),
            facility: "https://id.gs1.org/414/9521230010016".into(),
            on_behalf_of: "https://id.gs1.org/417/9521230200103".into(),
            inputs: vec![
                item("https://id.gs1.org/01/09521231100013/10/B7", "700"),
                item(LOT, "500.5"),
            ],
            outputs: vec![item("https://id.gs1.org/01/09521231100020/10/C", "1200")],
            inputs_complete: Some(false),
            ..Default::default()
        })),
        ..Default::default()
    }
}

fn bytes(event: &v1::Event) -> Bytes {
    event.encode_to_vec().into()
}

#[test]
fn a_checked_event_tells_admission_what_it_needs() {
    let event = transformed();
    let checked = check(&bytes(&event)).unwrap();
    assert_eq!(checked.decode(), event);
    assert_eq!(checked.kind().name(), "transformed");
    assert_eq!(checked.id(), "run-1");
    assert_eq!(checked.event_time().as_nanos(), event.event_time);
    assert_eq!(
        checked.facilities().collect::<Vec<_>>(),
        ["https://id.gs1.org/414/9521230010016"]
    );
    assert!(!checked.is_reported() && checked.part().is_none() && !checked.kind().is_authority());
}

#[test]
fn no_two_encodings_give_one_event() {
    // Whatever a flipped bit turns the bytes into, what is accepted decodes and encodes to itself.
    let good = bytes(&transformed());
    let mut accepted = 0;
    for bit in 0..good.len() * 8 {
        let mut flipped = good.to_vec();
        flipped[bit / 8] ^= 1 << (bit % 8);
        let flipped = Bytes::from(flipped);
        if let Ok(checked) = check(&flipped) {
            accepted += 1;
            assert_eq!(bytes(&checked.decode()), flipped);
            assert_ne!(checked.content(), check(&good).unwrap().content());
        }
    }
    assert!(accepted > 0, "some flips only change a letter or a digit");
    for len in 0..good.len() {
        assert!(check(&good.slice(..len)).is_err(), "cut to {len} bytes");
    }
}

#[test]
fn encodings_that_other_readers_would_take_are_refused() {
    let good = bytes(&transformed()).to_vec();
    let with = |extra: &[u8]| check(&Bytes::from([good.as_slice(), extra].concat()));
    assert!(matches!(
        with(&[0x0a, 1, b'x']),
        Err(EventError::Shape(ShapeError::Encoding {
            why: "fields out of order",
            ..
        }))
    ));
    assert!(matches!(
        with(&[0xf8, 0x3f, 1]),
        Err(EventError::Shape(ShapeError::UnknownField { number: 1_023, .. }))
    ));
    let encoding = |bytes: &'static [u8]| match check(&Bytes::from_static(bytes)) {
        Err(EventError::Shape(ShapeError::Encoding { why, .. })) => why,
        other => panic!("{other:?}"),
    };
    assert_eq!(encoding(&[0x0a, 1, b'x', 0x0a, 1, b'x']), "field given twice");
    assert_eq!(encoding(&[0x0a, 0x81, 0x00, b'x']), "bad length");
    assert_eq!(encoding(&[0x0a, 0]), "empty value written out");
    assert_eq!(encoding(&[0x0a, 5, b'x']), "length beyond the end");
    assert_eq!(encoding(&[0x08, 1]), "wrong wire type");
    assert_eq!(encoding(&[0x0a, 1, 0xff]), "text is not UTF-8");
    assert_eq!(encoding(&[0x0a, 1, b'x', 0x10, 1, 0x18, 0]), "zero written out");
}

#[test]
fn the_first_fault_of_each_class_names_the_field() {
    type Row = (fn(&mut v1::Event), Refusal, &'static str);
    let rows: Vec<Row> = vec![
        (
            |event| event.id = String::new(),
            Refusal::MalformedEvent,
            "Event.id is missing",
        ),
        (
            |event| event.event_time = 0,
            Refusal::MalformedEvent,
            "Event.event_time is missing",
        ),
        (
            |event| event.event_time = -1,
            Refusal::MalformedEvent,
            "Event.event_time is not nanoseconds since 1970, above zero",
        ),
        (
            |event| event.kind = None,
            Refusal::UnknownEvent,
            "the event has no kind",
        ),
        (
            |event| event.certification.as_mut().unwrap().scope.clear(),
            Refusal::MalformedEvent,
            "a certification needs 1 to 32 scopes, got 0",
        ),
        (
            |event| inputs(event)[0].lot = "lot 7".into(),
            Refusal::IdentifierNotNormal,
            "Item.lot is not a URI in normal form",
        ),
        (
            |event| inputs(event)[0].quantity.as_mut().unwrap().value = "7.0".into(),
            Refusal::MalformedEvent,
            "Quantity.value is not a decimal in normal form",
        ),
        (
            |event| inputs(event)[0].quantity.as_mut().unwrap().unit = "kg".into(),
            Refusal::MalformedEvent,
            "Quantity.unit is not a UN/CEFACT Rec 20 unit code",
        ),
    ];
    for (change, refusal, message) in rows {
        let mut event = transformed();
        change(&mut event);
        let error = check(&bytes(&event)).unwrap_err();
        assert_eq!((error.refusal(), error.to_string().as_str()), (refusal, message));
    }
}

fn inputs(event: &mut v1::Event) -> &mut Vec<v1::Item> {
    match &mut event.kind {
        Some(EventKindBody::Transformed(transformed)) => &mut transformed.inputs,
        other => panic!("{other:?}"),
    }
}

#[test]
fn serials_are_checked_joined() {
    let run = |suffix: &str| {
        let serials = vec![v1::SerialRun {
            prefix: "https://id.gs1.org/01/09521231100013/21/".into(),
            suffixes: vec![suffix.into()],
        }];
        let mut event = transformed();
        event.kind = Some(EventKindBody::Commissioned(v1::Commissioned {
            serials,
            ..Default::default()
        }));
        check(&bytes(&event)).map(|_| ()).map_err(|error| error.refusal())
    };
    assert_eq!(run("S1"), Ok(()));
    assert_eq!(run("S%41"), Err(Refusal::IdentifierNotNormal));
}

#[test]
fn a_sealed_field_leaves_its_digest_and_opens_to_the_same_event() {
    let event = transformed();
    let salt = |byte| Hash::new([byte; 32]);
    let paths = [
        ("65.5.1.3".to_owned(), salt(1)),
        ("65.4".to_owned(), salt(2)),
        ("65.5.0.2".to_owned(), salt(3)),
    ];
    let (sealed_bytes, openings) = sealed::seal(&bytes(&event), &paths).unwrap();
    let checked = check(&Bytes::from(sealed_bytes)).unwrap();
    let sealed_event = checked.decode();
    let Some(EventKindBody::Transformed(kind)) = &sealed_event.kind else {
        panic!()
    };
    assert_eq!(kind.on_behalf_of, "");
    assert_eq!(
        (kind.inputs[0].quantity.clone(), kind.inputs[1].cost.clone()),
        (None, None)
    );
    assert_eq!(sealed::open(&sealed_event, &openings).unwrap(), event);
    let opened = sealed::open(&sealed_event, &openings[..1]).unwrap();
    assert_eq!(opened.sealed.len(), 2, "what is not opened stays sealed");
    let mut forged = openings;
    forged[0].value.push(0);
    assert!(sealed::open(&sealed_event, &forged).is_err());
}

/// Only the digest of a sealed value stands in the log, so that its form is first seen when it is opened.
#[test]
fn an_opening_out_of_form_opens_nothing_although_its_digest_holds() {
    let opened = |path: &str, value: &[u8]| {
        let opening = sealed::Opening {
            path: path.into(),
            salt: Hash::new([1; 32]),
            value: value.into(),
        };
        let mut event = transformed();
        if let Some(EventKindBody::Transformed(kind)) = &mut event.kind {
            kind.on_behalf_of.clear();
            kind.inputs[0].quantity = None;
        }
        event.sealed = vec![v1::Sealed {
            path: path.into(),
            digest: opening.digest().as_bytes().to_vec(),
        }];
        check(&bytes(&event)).expect("the log cannot see it");
        sealed::open(&event, &[opening]).map(drop)
    };
    let quantity = |value: &str| {
        let (value, unit) = (value.to_owned(), "KGM".to_owned());
        v1::Quantity { value, unit }.encode_to_vec()
    };
    assert_eq!(opened("65.5.0.2", &quantity("700")), Ok(()));
    assert_eq!(opened("65.4", LOT.as_bytes()), Ok(()));
    assert!(opened("65.5.0.2", &quantity("0700")).is_err(), "another spelling");
    assert!(opened("65.4", b"A1").is_err(), "no identifier");
    assert!(opened("65.4", b"").is_err(), "no value");
    let unknown = [quantity("700"), vec![0x78, 1]].concat();
    assert!(opened("65.5.0.2", &unknown).is_err(), "a field that is not known");
}

#[test]
fn what_may_not_be_sealed_is_not() {
    let with = |path: &str| {
        let mut event = transformed();
        event.sealed = vec![v1::Sealed {
            path: path.into(),
            digest: vec![0; 32],
        }];
        check(&bytes(&event)).map(|_| ()).map_err(|error| error.refusal())
    };
    assert_eq!(with("65.5.0.4"), Ok(()), "an absent mass");
    assert_eq!(with("65.5.0.2"), Err(Refusal::SealedAndPresent));
    for (path, why) in [
        ("65.1", "a step"),
        ("65.3", "an absent operator"),
        ("65.5.7.2", "beyond the list"),
        ("65.5", "a whole list"),
        ("65.99", "no field"),
        ("2", "the event time"),
        ("64.3.0.2", "another kind"),
        ("65.4.1", "inside text"),
    ] {
        assert_eq!(with(path), Err(Refusal::MalformedEvent), "{why}");
    }
}

/// A field of the event and one of its kind can have the same bytes: here what a part reports, and what it
/// puts in. The digest still tells which of the two it was.
#[test]
fn a_field_of_the_event_is_not_taken_for_one_of_its_kind() {
    let quantity = v1::Quantity {
        value: "12345678901234567890123456".into(),
        unit: "KG".into(),
    };
    let part = |reported, inputs| v1::Event {
        id: "r-1".into(),
        event_time: 1,
        reported,
        part: Some(v1::Part { number: 1, count: 2 }),
        kind: Some(EventKindBody::Recycled(v1::Recycled {
            inputs,
            input_serials: vec![v1::SerialRun {
                prefix: "urn:x:".into(),
                suffixes: vec!["1".into()],
            }],
            ..Default::default()
        })),
        ..Default::default()
    };
    let reported = v1::Reported {
        claimed_party: LOT.into(),
        document: quantity.encode_to_vec(),
        ..Default::default()
    };
    let item = v1::Item {
        lot: LOT.into(),
        quantity: Some(quantity),
        ..Default::default()
    };
    assert_eq!(reported.encode_to_vec(), item.encode_to_vec(), "the same bytes");
    let digest = |event: &v1::Event| check(&bytes(event)).unwrap().part().unwrap().scalars;
    let (one, other) = (part(Some(reported), vec![]), part(None, vec![item]));
    assert_ne!(digest(&one), digest(&other));
    // As the specification has it, by hand.
    let shared = [&b"\x0a\x03r-1\x10\x01"[..]].concat();
    let kind_shared = other_inputs(&other);
    let spelled = Hash::of(&[
        b"lotproof/v1/part\0",
        &77_u32.to_be_bytes(),
        &u32::try_from(shared.len()).unwrap().to_be_bytes(),
        &shared,
        &u32::try_from(kind_shared.len()).unwrap().to_be_bytes(),
        &kind_shared,
    ]);
    assert_eq!(digest(&other), spelled);
}

/// The encoding of a recycling's inputs.
fn other_inputs(event: &v1::Event) -> Vec<u8> {
    let Some(EventKindBody::Recycled(recycled)) = &event.kind else {
        panic!("not a recycling");
    };
    v1::Recycled {
        inputs: recycled.inputs.clone(),
        ..Default::default()
    }
    .encode_to_vec()
}
