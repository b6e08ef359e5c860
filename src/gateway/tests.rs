//! Claims about what gateways take, what they answer, and what the index makes of the outbox's records.

use prost::Message as _;
use serde_json::{Value, json};

use super::{
    FaultCode, Service,
    index::{EventIndex, EventState, Standing},
    intake::{self, Order},
    json,
};
use crate::{
    code::{Outcome, Refusal},
    epcis::{ImportOptions, Origin, serials},
    event::parts::join_parts,
    id::{FeedId, FeedSequence, Hash, LeafIndex, LogId},
    outbox::{DeadLetter, ParcelId, ProvenRow, Record},
    signature::SigningKey,
    simulate::{Simulation, SimulationConfig},
    time::{EventTime, RecordedAt},
    wire::v1::{self, event::Kind},
};

mod faults;
mod folding;
mod names;

const LOT: &str = "https://id.gs1.org/01/09521231100013/10/A1";

fn commissioned(id: &str) -> Value {
    json!({
        "id": id,
        "event_time": "2026-02-02T08:00:00+09:00",
        "commissioned": {
            "facility": "https://id.gs1.org/414/9521230010016",
            "items": [{"lot": LOT, "quantity": {"value": "1200.50", "unit": "KGM"}}]
        }
    })
}

fn ids(position: usize) -> String {
    format!("given-{position}")
}

fn taken(body: &Value) -> Vec<intake::Ready> {
    let orders = intake::events(body.to_string().as_bytes(), Service::Manufacturing, ids);
    let orders = orders.unwrap_or_else(|fault| panic!("{fault:?}"));
    let ready = orders.into_iter().map(|placed| match placed.order {
        Order::Publish(ready) => ready,
        Order::Declare { .. } => panic!("a declaration"),
    });
    ready.collect()
}

#[test]
fn values_are_made_normal_and_the_spelling_sent_is_kept() {
    let mut body = commissioned("E1");
    body["commissioned"]["items"][0]["lot"] = json!("urn:epc:class:lgtin:952123.0110001.A1");
    let [ready] = taken(&body).try_into().unwrap();
    let [event] = ready.parts.try_into().unwrap();
    assert_eq!(
        (event.event_time, event.utc_offset_minutes),
        (1_769_986_800_000_000_000, 540)
    );
    let Some(Kind::Commissioned(kind)) = &event.kind else {
        panic!()
    };
    assert_eq!(kind.items[0].lot, LOT);
    assert_eq!(kind.items[0].quantity.as_ref().unwrap().value, "1200.5");
    let residue = event.epcis.unwrap().residue;
    assert!(
        residue.contains("urn:epc:class:lgtin:952123.0110001."),
        "{residue}"
    );
}

#[test]
fn an_event_without_id_gets_one_and_a_normal_one_carries_nothing_else() {
    let mut body = commissioned("");
    body.as_object_mut().unwrap().shift_remove("id");
    let ready = taken(&json!([commissioned("E1"), body]));
    assert_eq!(ready[0].id, "E1");
    assert_eq!(ready[1].id, "given-1");
    assert_eq!(ready[0].parts[0].epcis, None);
}

#[test]
fn every_event_of_the_simulation_reads_back_as_it_was_written() {
    let config = SimulationConfig::ending_at(7, 5, EventTime::from_nanos(1_800_000_000_000_000_000));
    let simulation = Simulation::new(config).unwrap();
    let all = simulation.events().map(|simulated| simulated.event);
    for mut event in simulation.governance().into_iter().chain(all) {
        event.utc_offset_minutes = -330;
        let written = json::write(&event);
        let read = json::read(&written, "", || unreachable!())
            .unwrap_or_else(|faults| panic!("{faults:?}\n{written}"));
        // Serials are compressed in our way; in full they are the same.
        assert_eq!(json::write(&read.event), written);
    }
}

#[test]
fn fifty_thousand_serials_become_parts_of_one_event() {
    let all: Vec<String> = (0..50_000)
        .map(|number| format!("https://id.gs1.org/01/09521231200010/21/C2609-{number:06}"))
        .collect();
    let body = json!({"id": "long", "event_time": "2026-02-02T08:00:00Z", "commissioned": {"serials": all}});
    let [ready] = taken(&body).try_into().unwrap();
    assert!(ready.parts.len() > 1);
    assert_eq!(ready.parts.len(), ready.contents.len());
    let Some(Kind::Commissioned(whole)) = join_parts(&ready.parts).unwrap().kind else {
        panic!()
    };
    assert_eq!(serials::expand(&whole.serials).collect::<Vec<_>>(), all);
}

#[test]
fn a_declaration_is_an_order_about_the_event_and_not_the_event() {
    let mut body = commissioned("E1");
    body["error_declaration"] =
        json!({"declaration_time": "2026-02-03T08:00:00Z", "reason": "did_not_occur"});
    let orders = intake::events(body.to_string().as_bytes(), Service::Manufacturing, ids).unwrap();
    let Order::Declare {
        stated,
        event_time,
        utc_offset_minutes,
        declaration,
    } = &orders[0].order
    else {
        panic!()
    };
    let id = &stated.id;
    assert_eq!(id, "E1");
    let reference = v1::EventReference {
        leaf_index: 9,
        event_number: 2,
    };
    let voided = |event_time| {
        intake::declaration(
            id,
            event_time,
            *utc_offset_minutes,
            declaration,
            reference,
            Service::Manufacturing,
            "",
        )
        .unwrap()
    };
    let ready = voided(*event_time);
    assert!(matches!(&ready.parts[0].kind, Some(Kind::Voided(voided)) if voided.event == Some(reference)));
    assert_eq!(
        ready.id,
        voided(*event_time).id,
        "the same declaration has the same id"
    );
    assert_ne!(ready.id, voided(event_time + 1).id);
}

#[test]
fn a_document_is_taken_event_by_event() {
    let document = json!([
        {"type": "ObjectEvent", "eventID": "urn:uuid:1", "eventTime": "2026-02-02T08:00:00Z",
         "eventTimeZoneOffset": "+00:00", "action": "ADD", "bizStep": "commissioning",
         "epcList": ["https://id.gs1.org/01/09521231200010/21/S1"]},
        {"type": "ObjectEvent", "eventID": "urn:uuid:2", "eventTime": "2026-02-02T08:00:00Z",
         "eventTimeZoneOffset": "+00:00", "action": "OBSERVE", "bizStep": "shipping",
         "epcList": ["https://id.gs1.org/01/09521231200010/21/S1"]},
        {"type": "ObjectEvent", "eventTime": "yesterday", "eventTimeZoneOffset": "+00:00", "action": "ADD"},
    ]);
    let body = document.to_string();
    let options = ImportOptions::default();
    let capture = intake::capture(body.as_bytes(), Service::Manufacturing, &options).unwrap();
    let taken: Vec<_> = capture
        .taken
        .iter()
        .map(|event| (event.position, event.kind))
        .collect();
    assert_eq!(taken, [(0, "commissioned")]);
    let refused: Vec<_> = capture
        .refused
        .iter()
        .map(|event| (event.position, event.code))
        .collect();
    assert_eq!(refused, [(1, FaultCode::KindNotTaken), (2, FaultCode::NotEpcis)]);
    let capture = intake::capture(body.as_bytes(), Service::Shipping, &options).unwrap();
    let taken: Vec<_> = capture
        .taken
        .iter()
        .map(|event| (event.position, event.kind))
        .collect();
    assert_eq!(taken, [(1, "shipped")]);
}

#[test]
fn every_kind_but_the_authoritys_has_a_service() {
    let kinds = crate::wire::shape::EVENT
        .fields
        .iter()
        .filter(|field| field.number >= 16);
    for field in kinds {
        let by = |service: Service| service.takes_number(field.number, field.name);
        let taken = Service::ALL.into_iter().any(by);
        assert_eq!(taken, field.number >= 48, "{}", field.name);
    }
    assert!(!Service::Shipping.takes_number(65, "transformed"));
    assert!(!Service::Manufacturing.takes_number(96, "shipped"));
}
