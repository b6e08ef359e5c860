//! What the words of EPCIS come to: every action with every step of CBV, on every type of event that has actions.

use serde_json::{Value, json};

use super::{Code, ExportOptions, ImportOptions, Strictness, exports_as_it_came, imported, kind_name};
use crate::{
    epcis::{ImportedEvent, vocabulary::BIZ_STEPS},
    wire::v1::event::Kind,
};

const SELLER: &str = "https://id.gs1.org/417/9521230200103";
const BUYER: &str = "https://id.gs1.org/417/9521230300106";
const PLANT: &str = "https://id.gs1.org/414/9521230010016";
const OTHER: &str = "https://id.gs1.org/414/9521230020015";
const LOT: &str = "https://id.gs1.org/01/09521231100013/10/A";
const PALLET: &str = "https://id.gs1.org/00/095212300000000017";
const OWN_STEP: &str = "https://step.example/weigh";

/// What each pair is understood as. A pair that is not here is an observation, and says so.
///
/// Parties: custody goes from one to another in each of these events, and title does not.
const UNDERSTOOD: &[(&str, &str, &[&str], &str)] = &[
    (
        "ObjectEvent",
        "ADD",
        &["", "commissioning", "creating_class_instance"],
        "commissioned",
    ),
    ("ObjectEvent", "ADD", &["shipping"], "shipped"),
    ("ObjectEvent", "ADD", &["receiving"], "received"),
    ("ObjectEvent", "ADD", &["accepting"], "custodyTransferred"),
    ("ObjectEvent", "ADD", &["void_shipping"], "shipmentWithdrawn"),
    ("ObjectEvent", "OBSERVE", &["shipping"], "shipped"),
    ("ObjectEvent", "OBSERVE", &["receiving"], "received"),
    ("ObjectEvent", "OBSERVE", &["accepting"], "custodyTransferred"),
    ("ObjectEvent", "OBSERVE", &["void_shipping"], "shipmentWithdrawn"),
    ("ObjectEvent", "OBSERVE", &["inspecting"], "inspected"),
    ("ObjectEvent", "OBSERVE", &["holding"], "held"),
    (
        "ObjectEvent",
        "OBSERVE",
        &["stock_taking", "cycle_counting"],
        "stockCounted",
    ),
    ("ObjectEvent", "OBSERVE", &["destroying"], "scrapped"),
    ("ObjectEvent", "DELETE", &["shipping"], "shipped"),
    ("ObjectEvent", "DELETE", &["void_shipping"], "shipmentWithdrawn"),
    (
        "ObjectEvent",
        "DELETE",
        &["", "decommissioning", "destroying"],
        "scrapped",
    ),
    ("ObjectEvent", "DELETE", &["sampling", "inspecting"], "inspected"),
    ("TransactionEvent", "ADD", &["shipping"], "shipped"),
    ("TransactionEvent", "ADD", &["receiving"], "received"),
    ("TransactionEvent", "ADD", &["accepting"], "custodyTransferred"),
    ("TransactionEvent", "ADD", &["void_shipping"], "shipmentWithdrawn"),
    ("TransactionEvent", "OBSERVE", &["shipping"], "shipped"),
    ("TransactionEvent", "OBSERVE", &["receiving"], "received"),
    (
        "TransactionEvent",
        "OBSERVE",
        &["accepting"],
        "custodyTransferred",
    ),
    (
        "TransactionEvent",
        "OBSERVE",
        &["void_shipping"],
        "shipmentWithdrawn",
    ),
    (
        "TransactionEvent",
        "DELETE",
        &["void_shipping"],
        "shipmentWithdrawn",
    ),
    ("AggregationEvent", "OBSERVE", &["shipping"], "shipped"),
    ("AggregationEvent", "OBSERVE", &["receiving"], "received"),
    (
        "AggregationEvent",
        "OBSERVE",
        &["accepting"],
        "custodyTransferred",
    ),
    (
        "AggregationEvent",
        "OBSERVE",
        &["void_shipping"],
        "shipmentWithdrawn",
    ),
    ("AssociationEvent", "OBSERVE", &["shipping"], "shipped"),
    ("AssociationEvent", "OBSERVE", &["receiving"], "received"),
    (
        "AssociationEvent",
        "OBSERVE",
        &["accepting"],
        "custodyTransferred",
    ),
    (
        "AssociationEvent",
        "OBSERVE",
        &["void_shipping"],
        "shipmentWithdrawn",
    ),
];

/// Steps that pass no title, whoever is said to own the things before and after.
const PASS_NO_TITLE: &[&str] = &[
    "arriving",
    "consigning",
    "departing",
    "entering_exiting",
    "loading",
    "packing",
    "picking",
    "staging_outbound",
    "transporting",
    "unloading",
    "unpacking",
];

fn understood(event_type: &str, action: &str, step: &str) -> &'static str {
    let rows = UNDERSTOOD
        .iter()
        .filter(|row| row.0 == event_type && row.1 == action);
    let found = rows.filter(|row| row.2.contains(&step)).map(|row| row.3).next();
    found.unwrap_or(match (event_type, action) {
        ("AggregationEvent", "ADD") => "aggregated",
        ("AggregationEvent", "DELETE") => "disaggregated",
        ("AssociationEvent", "ADD") => "assembled",
        ("AssociationEvent", "DELETE") => "disassembled",
        _ => "observed",
    })
}

fn steps() -> impl Iterator<Item = &'static str> {
    BIZ_STEPS.iter().copied().chain(["", OWN_STEP])
}

fn pairs() -> impl Iterator<Item = (&'static str, &'static str, &'static str)> {
    let types = [
        "ObjectEvent",
        "TransactionEvent",
        "AggregationEvent",
        "AssociationEvent",
    ];
    types.into_iter().flat_map(|event_type| {
        let actions = ["ADD", "OBSERVE", "DELETE"];
        actions
            .into_iter()
            .flat_map(move |action| steps().map(move |step| (event_type, action, step)))
    })
}

fn parties(kind: &str, from: &str, to: &str) -> (Value, Value) {
    (
        json!([{"type": kind, "source": from}]),
        json!([{"type": kind, "destination": to}]),
    )
}

/// An event about one lot, or a lot on a pallet.
fn event(event_type: &str, action: &str, step: &str, parties: &(Value, Value)) -> Value {
    let things = json!([{"epcClass": LOT, "quantity": 5, "uom": "KGM"}]);
    let mut event = json!({
        "type": event_type, "eventID": "urn:x:1", "eventTime": "2026-02-02T08:00:00Z",
        "eventTimeZoneOffset": "+00:00", "action": action, "readPoint": {"id": PLANT},
        "sourceList": parties.0.clone(), "destinationList": parties.1.clone(),
        "bizTransactionList": [{"type": "desadv", "bizTransaction": "urn:x:D1"}]
    });
    if matches!(event_type, "AggregationEvent" | "AssociationEvent") {
        event["parentID"] = json!(PALLET);
        event["childQuantityList"] = things;
    } else {
        event["quantityList"] = things;
    }
    if !step.is_empty() {
        event["bizStep"] = json!(step);
    }
    event
}

/// Imports one event, strictly, and holds it to coming out as it came.
fn one(event: &Value) -> ImportedEvent {
    let bytes = serde_json::to_vec(event).unwrap();
    let options = ImportOptions {
        strictness: Strictness::Strict,
        ..ImportOptions::default()
    };
    let mut import = imported(&bytes, &options);
    assert_eq!(import.refused, [], "{event}");
    exports_as_it_came(&bytes, &import, &ExportOptions::default());
    import.events.remove(0)
}

fn says(event: &ImportedEvent, code: Code) -> bool {
    event.findings.iter().any(|finding| finding.code == code)
}

#[test]
fn every_pair_of_action_and_step_is_understood_or_said_to_be_an_observation() {
    let mut kinds = std::collections::BTreeMap::new();
    for (event_type, action, step) in pairs() {
        let pair = format!("{event_type} {action} {step}");
        let read = one(&event(
            event_type,
            action,
            step,
            &parties("possessing_party", SELLER, BUYER),
        ));
        let kind = kind_name(&read.event);
        assert_eq!(kind, understood(event_type, action, step), "{pair}");
        assert_eq!(says(&read, Code::ObservedOnly), kind == "observed", "{pair}");
        // A change of hands that the kind has no place for is named.
        let takes_custody = [
            "shipped",
            "received",
            "shipmentWithdrawn",
            "custodyTransferred",
            "observed",
        ];
        assert_eq!(
            says(&read, Code::CustodyToo),
            !takes_custody.contains(&kind.as_str()),
            "{pair}"
        );
        *kinds.entry(kind).or_insert(0) += 1;
    }
    assert_eq!(kinds.values().sum::<i32>(), 4 * 3 * 43);
}

#[test]
fn another_owner_is_a_title_or_is_said_not_to_be_taken() {
    for (event_type, action, step) in pairs() {
        let pair = format!("{event_type} {action} {step}");
        let read = one(&event(
            event_type,
            action,
            step,
            &parties("owning_party", SELLER, BUYER),
        ));
        let kind = kind_name(&read.event);
        assert_eq!(
            says(&read, Code::TitleToo),
            kind != "titleTransferred",
            "{pair}: {kind}"
        );
        assert_eq!(says(&read, Code::ObservedOnly), kind == "observed", "{pair}");
        let may_sell = match event_type {
            "ObjectEvent" => true,
            "TransactionEvent" => action != "DELETE",
            _ => false,
        };
        let by_step = match understood(event_type, action, step) {
            "custodyTransferred" => "titleTransferred",
            "observed" if may_sell && !PASS_NO_TITLE.contains(&step) && !has_kind_elsewhere(step) => {
                "titleTransferred"
            }
            other => other,
        };
        assert_eq!(kind, by_step, "{pair}");
        // The same owner before and after is no sale.
        let read = one(&event(
            event_type,
            action,
            step,
            &parties("owning_party", SELLER, SELLER),
        ));
        assert_ne!(kind_name(&read.event), "titleTransferred", "{pair}");
        assert!(!says(&read, Code::TitleToo), "{pair}");
    }
}

/// Steps that with another action or type are an event of ours, and with this one nobody knows what.
fn has_kind_elsewhere(step: &str) -> bool {
    let kinds = UNDERSTOOD.iter().filter(|row| row.3 != "commissioned");
    !step.is_empty() && kinds.flat_map(|row| row.2).any(|known| *known == step)
}

#[test]
fn what_one_event_says_beside_its_kind_is_named() {
    let (mut from, mut to) = parties("possessing_party", SELLER, BUYER);
    let (seller, buyer) = parties("owning_party", SELLER, BUYER);
    from.as_array_mut()
        .unwrap()
        .extend(seller.as_array().unwrap().clone());
    to.as_array_mut()
        .unwrap()
        .extend(buyer.as_array().unwrap().clone());
    for (step, kind) in [
        ("shipping", "shipped"),
        ("receiving", "received"),
        ("accepting", "custodyTransferred"),
        ("retail_selling", "observed"),
    ] {
        let read = one(&event(
            "ObjectEvent",
            "OBSERVE",
            step,
            &(from.clone(), to.clone()),
        ));
        assert_eq!(kind_name(&read.event), kind);
        let titles: Vec<&str> = read
            .findings
            .iter()
            .filter(|finding| finding.code == Code::TitleToo)
            .map(|finding| finding.path.as_str())
            .collect();
        assert_eq!(titles, ["/destinationList"], "{step}: once");
    }
    for (event_type, action, step, code, path) in [
        ("ObjectEvent", "ADD", "shipping", Code::UnusualAction, "/action"),
        (
            "ObjectEvent",
            "DELETE",
            "inspecting",
            Code::UnusualAction,
            "/action",
        ),
        (
            "ObjectEvent",
            "OBSERVE",
            "destroying",
            Code::UnusualAction,
            "/action",
        ),
        (
            "AggregationEvent",
            "ADD",
            "unpacking",
            Code::UnusualAction,
            "/action",
        ),
        (
            "AggregationEvent",
            "DELETE",
            "loading",
            Code::UnusualAction,
            "/action",
        ),
        (
            "AggregationEvent",
            "ADD",
            "shipping",
            Code::StepNotTaken,
            "/bizStep",
        ),
        (
            "AssociationEvent",
            "DELETE",
            "destroying",
            Code::StepNotTaken,
            "/bizStep",
        ),
    ] {
        let read = one(&event(
            event_type,
            action,
            step,
            &parties("location", PLANT, OTHER),
        ));
        let found = read.findings.iter().find(|finding| finding.code == code);
        assert_eq!(
            found.map(|finding| finding.path.as_str()),
            Some(path),
            "{event_type} {action} {step}"
        );
    }
    for (event_type, action, step) in [
        ("AggregationEvent", "ADD", "packing"),
        ("AggregationEvent", "ADD", "loading"),
        ("AggregationEvent", "DELETE", "unpacking"),
        ("AssociationEvent", "ADD", "installing"),
        ("TransactionEvent", "ADD", "shipping"),
        ("ObjectEvent", "OBSERVE", "receiving"),
    ] {
        let read = one(&event(
            event_type,
            action,
            step,
            &parties("location", PLANT, OTHER),
        ));
        for code in [
            Code::UnusualAction,
            Code::StepNotTaken,
            Code::TitleToo,
            Code::CustodyToo,
        ] {
            assert!(!says(&read, code), "{event_type} {action} {step}: {code}");
        }
    }
}

#[test]
fn a_shipment_that_is_taken_back_without_its_papers_is_named() {
    let mut event = event(
        "ObjectEvent",
        "OBSERVE",
        "void_shipping",
        &parties("location", PLANT, OTHER),
    );
    assert!(!says(&one(&event), Code::ShipmentNotNamed));
    event["bizTransactionList"] = json!([{"type": "upevt", "bizTransaction": "urn:x:0"}]);
    assert!(says(&one(&event), Code::ShipmentNotNamed));
}

#[test]
fn a_transformation_with_a_step_of_movement_says_that_it_was_not_taken() {
    for step in steps().filter(|step| *step != "assembling") {
        let mut event = json!({
            "type": "TransformationEvent", "eventID": "urn:x:1", "eventTime": "2026-02-02T08:00:00Z",
            "eventTimeZoneOffset": "+00:00", "inputEPCList": ["urn:x:in"], "outputEPCList": ["urn:x:out"]
        });
        if !step.is_empty() {
            event["bizStep"] = json!(step);
        }
        let read = one(&event);
        assert_eq!(kind_name(&read.event), "transformed");
        assert_eq!(
            says(&read, Code::StepNotTaken),
            has_kind_elsewhere(step) && step != "creating_class_instance"
        );
    }
}

#[test]
fn an_event_about_a_container_moves_what_it_lists_else_the_container() {
    let rows = [
        // type, parent, children -> units, serials
        (
            "AggregationEvent",
            PALLET,
            json!(["urn:x:1", "urn:x:2"]),
            vec![],
            vec!["urn:x:1", "urn:x:2"],
        ),
        (
            "AggregationEvent",
            "urn:x:tote",
            json!(["urn:x:1"]),
            vec![],
            vec!["urn:x:1"],
        ),
        (
            "AggregationEvent",
            PALLET,
            json!([PALLET.replace("17", "24")]),
            vec![PALLET.replace("17", "24")],
            vec![],
        ),
        // Parts of a thing go with it.
        (
            "AssociationEvent",
            "urn:x:pack",
            json!(["urn:x:1"]),
            vec![],
            vec!["urn:x:pack"],
        ),
        (
            "AssociationEvent",
            PALLET,
            json!(["urn:x:1"]),
            vec![PALLET.to_owned()],
            vec![],
        ),
    ];
    for (event_type, parent, children, units, serials) in rows {
        let mut event = event(
            event_type,
            "OBSERVE",
            "shipping",
            &parties("possessing_party", SELLER, BUYER),
        );
        event["parentID"] = json!(parent);
        event["childEPCs"] = children;
        event.as_object_mut().unwrap().shift_remove("childQuantityList");
        let Some(Kind::Shipped(shipped)) = one(&event).event.kind else {
            panic!("{event}")
        };
        assert_eq!(shipped.units, units, "{event}");
        assert_eq!(
            crate::epcis::serials::expand(&shipped.serials).collect::<Vec<_>>(),
            serials,
            "{event}"
        );
    }
    let mut event = event(
        "TransactionEvent",
        "ADD",
        "receiving",
        &parties("possessing_party", SELLER, BUYER),
    );
    event.as_object_mut().unwrap().shift_remove("quantityList");
    event["epcList"] = json!([]);
    event["parentID"] = json!(PALLET);
    let Some(Kind::Received(received)) = one(&event).event.kind else {
        panic!("{event}")
    };
    assert_eq!(received.units, [PALLET]);
}

#[test]
fn the_place_is_where_it_happened_for_what_leaves_and_where_things_are_for_what_stays() {
    let door = format!("{PLANT}/254/door-5");
    let rows: &[(&str, &str, &str, &str, &str, &str)] = &[
        // action, step, readPoint, bizLocation -> facility, to_facility
        ("OBSERVE", "shipping", PLANT, "", PLANT, ""),
        ("OBSERVE", "shipping", PLANT, PLANT, PLANT, ""),
        ("OBSERVE", "shipping", PLANT, OTHER, PLANT, OTHER),
        ("ADD", "shipping", PLANT, OTHER, PLANT, OTHER),
        ("OBSERVE", "shipping", &door, PLANT, &door, ""),
        ("OBSERVE", "shipping", "", OTHER, "", OTHER),
        ("OBSERVE", "receiving", PLANT, "", PLANT, ""),
        ("OBSERVE", "receiving", PLANT, OTHER, OTHER, ""),
        ("OBSERVE", "receiving", "", OTHER, OTHER, ""),
        ("OBSERVE", "void_shipping", &door, PLANT, PLANT, ""),
        ("ADD", "commissioning", &door, PLANT, PLANT, ""),
        ("DELETE", "destroying", PLANT, OTHER, PLANT, ""),
        ("DELETE", "sampling", PLANT, OTHER, PLANT, ""),
        ("DELETE", "destroying", "", OTHER, OTHER, ""),
        ("OBSERVE", "inspecting", &door, PLANT, PLANT, ""),
        ("OBSERVE", "holding", &door, PLANT, PLANT, ""),
        ("OBSERVE", "accepting", &door, PLANT, PLANT, ""),
        ("OBSERVE", "stock_taking", &door, PLANT, PLANT, ""),
    ];
    for (action, step, read_point, biz_location, facility, to_facility) in rows {
        let mut event = event(
            "ObjectEvent",
            action,
            step,
            &parties("possessing_party", SELLER, BUYER),
        );
        for (key, place) in [("readPoint", read_point), ("bizLocation", biz_location)] {
            event.as_object_mut().unwrap().shift_remove(key);
            if !place.is_empty() {
                event[key] = json!({"id": place});
            }
        }
        let (read, mut to) = (one(&event), String::new());
        let at = match read.event.kind.unwrap() {
            Kind::Shipped(kind) => {
                to = kind.to_facility;
                kind.from_facility
            }
            Kind::Received(kind) => kind.facility,
            Kind::ShipmentWithdrawn(kind) => kind.facility,
            Kind::Commissioned(kind) => kind.facility,
            Kind::Scrapped(kind) => kind.facility,
            Kind::Inspected(kind) => kind.facility,
            Kind::Held(kind) => kind.facility,
            Kind::CustodyTransferred(kind) => kind.facility,
            Kind::StockCounted(kind) => kind.facility,
            other => panic!("{other:?}"),
        };
        assert_eq!(
            (at.as_str(), to.as_str()),
            (*facility, *to_facility),
            "{action} {step} {read_point} {biz_location}"
        );
    }
    // Where the destination is named, that is where the shipment goes.
    let (from, mut to) = parties("possessing_party", SELLER, BUYER);
    to.as_array_mut()
        .unwrap()
        .push(json!({"type": "location", "destination": "https://id.gs1.org/414/9521230030014"}));
    let mut event = event("ObjectEvent", "OBSERVE", "shipping", &(from, to));
    event["bizLocation"] = json!({"id": OTHER});
    let Some(Kind::Shipped(shipped)) = one(&event).event.kind else {
        panic!()
    };
    assert_eq!(shipped.to_facility, "https://id.gs1.org/414/9521230030014");
}
