//! The index is what the outbox's records say, and nothing else.

use super::*;

fn key() -> SigningKey {
    SigningKey::from_seed(&[1; 32])
}

fn encoded(id: &str, lot: &str) -> bytes::Bytes {
    let event = v1::Event {
        id: id.to_owned(),
        event_time: 1,
        kind: Some(Kind::Scrapped(v1::Scrapped {
            items: vec![v1::Item {
                lot: lot.to_owned(),
                ..Default::default()
            }],
            ..Default::default()
        })),
        ..Default::default()
    };
    event.encode_to_vec().into()
}

fn signed(parcel: u64, sequence: u64, events: &[bytes::Bytes]) -> Record {
    let header = crate::envelope::Header {
        log_id: LogId::new(Hash::ZERO),
        issuer: "https://id.gs1.org/417/9521230100106".to_owned(),
        feed: key().feed(),
        sequence: FeedSequence::new(sequence),
        previous: if sequence == 1 {
            Hash::ZERO
        } else {
            Hash::new([7; 32])
        },
        issued_at: crate::time::IssuedAt::from_nanos(1),
    };
    let (envelope, _) = key().sign_statement(&header, events);
    Record::Signed {
        parcel: ParcelId::new(parcel),
        envelope,
    }
}

fn queued(parcel: u64, refusals: u32, events: &[bytes::Bytes]) -> Record {
    Record::Queued {
        parcel: ParcelId::new(parcel),
        refusals,
        events: events.to_vec(),
    }
}

fn receipted(sequence: u64, index: u64, outcome: Outcome) -> Record {
    let row = ProvenRow {
        sequence: FeedSequence::new(sequence),
        index: LeafIndex::new(index),
        recorded_at: RecordedAt::from_nanos(2),
        outcome,
        leaf: Hash::ZERO,
    };
    let receipt = v1::Receipt {
        checkpoint: b"ledger.example/x\n77\nroot\n\n".to_vec(),
        ..Default::default()
    };
    let receipt = receipt.encode_to_vec().into();
    Record::Receipted {
        feed: key().feed(),
        at: 3,
        rows: vec![row],
        receipt,
    }
}

fn index(records: &[Record]) -> EventIndex {
    let mut index = EventIndex::default();
    for record in records {
        index.apply(record);
    }
    index
}

fn state(index: &EventIndex, id: &str) -> Option<EventState> {
    index.status(id).map(|status| status.state)
}

#[test]
fn an_event_is_followed_from_queued_to_receipted() {
    let events = [encoded("a", "urn:x:1"), encoded("b", "urn:x:2")];
    let mut records = vec![queued(0, 0, &events)];
    assert_eq!(state(&index(&records), "b"), Some(EventState::Queued));
    records.push(signed(0, 1, &events));
    assert_eq!(state(&index(&records), "b"), Some(EventState::Published));
    records.push(receipted(1, 40, Outcome::Admitted));
    let index = index(&records);
    let status = index.status("b").unwrap();
    let [statement] = status.statements.as_slice() else {
        panic!()
    };
    assert_eq!(status.state, EventState::Receipted);
    assert_eq!(
        (statement.feed, statement.sequence),
        (Some(key().feed()), Some(FeedSequence::FIRST))
    );
    assert_eq!(
        (statement.index, statement.event_number),
        (Some(LeafIndex::new(40)), 1)
    );
    assert_eq!(statement.checkpoint_size.map(crate::id::TreeSize::get), Some(77));
    assert_eq!(
        index.reference("b"),
        Some(v1::EventReference {
            leaf_index: 40,
            event_number: 1
        })
    );
    assert_eq!(state(&index, "c"), None);
}

#[test]
fn an_id_is_free_taken_by_the_same_or_taken_by_another() {
    let content = |bytes: &bytes::Bytes| [crate::event::content(bytes)];
    let (one, other) = (encoded("a", "urn:x:1"), encoded("a", "urn:x:2"));
    let index = index(&[signed(0, 1, std::slice::from_ref(&one))]);
    assert_eq!(index.standing("b", &content(&one)), Standing::New);
    assert_eq!(index.standing("a", &content(&one)), Standing::Same);
    assert_eq!(index.standing("a", &content(&other)), Standing::Other);
}

#[test]
fn what_the_register_refuses_goes_again_and_what_content_refuses_frees_its_id() {
    let events = [encoded("a", "urn:x:1")];
    let refused = Outcome::Refused(Refusal::UnknownFacility);
    let mut records = vec![signed(0, 1, &events), receipted(1, 4, refused)];
    assert_eq!(
        index(&records).standing("a", &[crate::event::content(&events[0])]),
        Standing::Same,
        "not free before it is known whether it goes again"
    );
    records.push(queued(0, 1, &events));
    let status = index(&records).status("a").unwrap();
    assert_eq!(status.state, EventState::Refused);
    assert_eq!(status.statements[0].code, Some("unknown_facility"));
    records.push(signed(0, 2, &events));
    assert_eq!(state(&index(&records), "a"), Some(EventState::Published));
    records.push(receipted(2, 5, Outcome::Refused(Refusal::WrongParty)));
    records.push(Record::DeadLettered(DeadLetter {
        parcel: ParcelId::new(0),
        feed: key().feed(),
        sequence: FeedSequence::new(2),
        index: LeafIndex::new(5),
        refusal: Refusal::WrongParty,
        events: events.to_vec(),
    }));
    let dead = index(&records);
    assert_eq!(state(&dead, "a"), Some(EventState::DeadLetter));
    assert_eq!(
        dead.standing("a", &[crate::event::content(&events[0])]),
        Standing::New
    );
    records.push(signed(1, 3, &events));
    assert_eq!(
        state(&index(&records), "a"),
        Some(EventState::Published),
        "mended, it goes out again"
    );
    records.push(Record::Released {
        parcel: ParcelId::new(0),
    });
    assert_eq!(
        state(&index(&records), "a"),
        Some(EventState::Published),
        "whatever becomes of the letter"
    );
}

#[test]
fn the_parts_of_a_long_event_are_one_event() {
    let part = |number, lot: &str| {
        let mut event = v1::Event::decode(encoded("long", lot)).unwrap();
        event.part = Some(v1::Part { number, count: 2 });
        bytes::Bytes::from(event.encode_to_vec())
    };
    let parts = [part(1, "urn:x:1"), part(2, "urn:x:2")];
    let index = index(&[
        signed(0, 1, &parts[..1]),
        signed(1, 2, &parts[1..]),
        receipted(1, 4, Outcome::Admitted),
    ]);
    let status = index.status("long").unwrap();
    assert_eq!(
        (status.state, status.statements.len()),
        (EventState::Published, 2)
    );
    let contents = parts.each_ref().map(|part| crate::event::content(part));
    assert_eq!(index.standing("long", &contents), Standing::Same);
    assert_eq!(index.standing("long", &contents[..1]), Standing::Other);
    assert_eq!(
        index.reference("long"),
        None,
        "not before its last part is proven"
    );
}

#[test]
fn what_the_ledger_lost_is_published_again_and_what_the_outbox_forgets_is_forgotten() {
    let (a, b) = ([encoded("a", "urn:x:1")], [encoded("b", "urn:x:2")]);
    let mut records = vec![
        signed(0, 1, &a),
        signed(1, 2, &b),
        receipted(1, 4, Outcome::Admitted),
        receipted(2, 5, Outcome::Admitted),
    ];
    let feed: FeedId = key().feed();
    let (after, through) = (FeedSequence::new(1), FeedSequence::new(2));
    records.push(Record::Reopened { feed, after, through });
    let reopened = index(&records);
    assert_eq!(state(&reopened, "a"), Some(EventState::Receipted));
    assert_eq!(state(&reopened, "b"), Some(EventState::Published));
    records.push(Record::Pruned {
        feed,
        through: after,
        hash: Hash::ZERO,
    });
    let pruned = index(&records);
    assert_eq!((state(&pruned, "a"), pruned.len()), (None, 1));
}

/// The events of a document as the importer's own or as its sender's, in the bytes in which they travel, and what
/// each says.
fn captured(document: &[u8], origin: Origin) -> Vec<(String, Vec<bytes::Bytes>, Vec<Hash>)> {
    let options = ImportOptions {
        origin,
        ..ImportOptions::default()
    };
    let captured = intake::capture(document, Service::Manufacturing, &options).unwrap();
    assert!(captured.refused.is_empty(), "{:?}", captured.refused);
    let orders = captured.taken.into_iter().map(|captured| {
        let (Order::Publish(ready) | Order::Declare { stated: ready, .. }) = captured.order;
        let bytes = ready.parts.iter().map(|part| part.encode_to_vec().into());
        (ready.id, bytes.collect(), ready.contents)
    });
    orders.collect()
}

#[test]
fn an_event_is_known_in_another_document_of_its_sender_and_is_another_from_another_sender() {
    let sender = || Origin::Reported { claimed_party: None };
    let first = include_bytes!("../../../tests/cases/epcis/28-1-reported.epcis.jsonld");
    let second = include_bytes!("../../../tests/cases/epcis/28-2-reported-again-with-one-more.epcis.jsonld");
    let [(id, parts, _)] = captured(first, sender()).try_into().unwrap();
    let index = index(&[signed(0, 1, &parts)]);
    let [again, more] = captured(second, sender()).try_into().unwrap();
    assert_ne!(again.1, parts, "it names its document");
    assert_eq!(
        (again.0.as_str(), index.standing(&again.0, &again.2)),
        (id.as_str(), Standing::Same)
    );
    assert_eq!(index.standing(&more.0, &more.2), Standing::New);
    let another = String::from_utf8(second.to_vec())
        .unwrap()
        .replace("9521239200106", "9521239300103");
    let [theirs, _] = captured(another.as_bytes(), sender()).try_into().unwrap();
    assert_eq!(index.standing(&theirs.0, &theirs.2), Standing::Other);
    let [own, _] = captured(second, Origin::Own).try_into().unwrap();
    assert_eq!(index.standing(&own.0, &own.2), Standing::Other);
}

#[test]
fn what_is_declared_wrong_is_what_was_stated() {
    let stated = include_bytes!("../../../tests/cases/epcis/14h-1.epcis.jsonld");
    let declared = include_bytes!("../../../tests/cases/epcis/14h-2.epcis.jsonld");
    let text = String::from_utf8(stated.to_vec()).unwrap();
    let mut document: Value = serde_json::from_str(&text).unwrap();
    let events = document
        .pointer_mut("/epcisBody/eventList")
        .and_then(Value::as_array_mut);
    events.unwrap().truncate(1);
    let made = captured(document.to_string().as_bytes(), Origin::Own).remove(0).1;
    let books = index(&[signed(0, 1, &made)]);
    let [(id, _, contents)] = captured(declared, Origin::Own).try_into().unwrap();
    assert_eq!(books.standing(&id, &contents), Standing::Same);
    // Another sender's event under the same id, declared wrong by him.
    for origin in [Origin::Own, Origin::Reported { claimed_party: None }] {
        let a = include_bytes!("../../../tests/cases/epcis/min-a.epcis.jsonld");
        let b = include_bytes!("../../../tests/cases/epcis/min-b.epcis.jsonld");
        let [(_, made, _)] = captured(a, origin.clone()).try_into().unwrap();
        let books = index(&[signed(0, 1, &made)]);
        let [(id, _, contents)] = captured(b, origin).try_into().unwrap();
        assert_eq!(books.standing(&id, &contents), Standing::Other);
    }
}

#[test]
fn a_field_sealed_again_is_the_same_event_declared_wrong_and_another_one_published() {
    let sealed = |lot: &str, digest: u8| {
        let mut event = v1::Event::decode(encoded("a", lot)).unwrap();
        event.sealed = vec![v1::Sealed {
            path: "76.4".to_owned(),
            digest: vec![digest; 32],
        }];
        intake::ready(event, Service::Manufacturing, "").unwrap()
    };
    let first = sealed(LOT, 1);
    let bytes: Vec<bytes::Bytes> = first
        .parts
        .iter()
        .map(|part| part.encode_to_vec().into())
        .collect();
    let index = index(&[signed(0, 1, &bytes)]);
    for (lot, digest, standing, is_another) in [
        (LOT, 1, Standing::Same, false),
        (LOT, 2, Standing::Other, false),
        (
            "https://id.gs1.org/01/09521231100013/10/B",
            1,
            Standing::Other,
            true,
        ),
    ] {
        let again = sealed(lot, digest);
        assert_eq!(index.standing("a", &again.contents), standing, "{lot} {digest}");
        assert_eq!(
            index.is_another("a", &again.unopened()),
            is_another,
            "{lot} {digest}"
        );
    }
    assert!(!index.is_another("unknown", &first.unopened()));
}
