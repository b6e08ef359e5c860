//! From our events to normal EPCIS: the words that EPCIS has, then our extensions for what is left.
//!
//! What goes into an extension is found, not listed: the EPCIS form is read back, and each field of our event
//! that does not come out again is written under our namespace (`fields`). Where a field comes out that our
//! event does not state, `notStated` names it. So the way there and back is exact by construction, whatever
//! fields the vocabulary grows.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::{
    NAMESPACE, check, fields, normal,
    read::{self, MASTER_DATA},
    serials,
};
use crate::wire::{
    shape::{self, Shape},
    v1::{self, event::Kind},
};

/// An event in normal EPCIS form, residue not included; nothing if EPCIS has no form for its kind.
pub(super) fn render(event: &v1::Event) -> Option<Map<String, Value>> {
    let kind = event.kind.as_ref()?;
    let standard = default_view(kind)?;
    let view = match &event.epcis {
        Some(own) if !own.r#type.is_empty() => own,
        _ => &standard,
    };
    let mut members = Map::new();
    put(&mut members, "type", &view.r#type);
    put(&mut members, "eventID", &event.id);
    put(&mut members, "eventTime", &normal::utc(event.event_time));
    put(
        &mut members,
        "eventTimeZoneOffset",
        &offset(event.utc_offset_minutes),
    );
    put(&mut members, "action", &view.action);
    put(&mut members, "bizStep", &view.biz_step);
    put(&mut members, "disposition", &view.disposition);
    for (key, id) in [
        ("readPoint", &view.read_point),
        ("bizLocation", &view.biz_location),
    ] {
        if !id.is_empty() {
            let mut place = Map::new();
            put(&mut place, "id", id);
            members.insert(key.to_owned(), Value::Object(place));
        }
    }
    put_references(
        &mut members,
        "bizTransactionList",
        "bizTransaction",
        &view.biz_transactions,
    );
    put_references(&mut members, "sourceList", "source", &view.sources);
    put_references(&mut members, "destinationList", "destination", &view.destinations);
    put_subject(&mut members, kind, &view.r#type);
    put_extensions(&mut members, event)?;
    Some(members)
}

fn put(members: &mut Map<String, Value>, key: &str, text: &str) {
    if !text.is_empty() {
        members.insert(key.to_owned(), Value::String(text.to_owned()));
    }
}

fn offset(minutes: i32) -> String {
    let sign = if minutes < 0 { '-' } else { '+' };
    let minutes = minutes.unsigned_abs();
    format!("{sign}{:02}:{:02}", minutes / 60, minutes % 60)
}

fn put_references(
    members: &mut Map<String, Value>,
    key: &str,
    member: &str,
    references: &[v1::TypedReference],
) {
    if references.is_empty() {
        return;
    }
    let elements = references.iter().map(|reference| {
        let mut element = Map::new();
        put(&mut element, "type", &reference.r#type);
        put(&mut element, member, &reference.value);
        Value::Object(element)
    });
    members.insert(key.to_owned(), Value::Array(elements.collect()));
}

/// Quantities of lots, and instances. Classes among the instances (our fields do not forbid them) go where EPCIS
/// has classes, and what is named twice is named once.
fn put_about(
    members: &mut Map<String, Value>,
    (quantities, instances): (&str, &str),
    items: &[v1::Item],
    things: impl Iterator<Item = String>,
) {
    let mut seen = BTreeSet::new();
    let (classes, things): (Vec<String>, Vec<String>) = things
        .filter(|thing| seen.insert(thing.clone()))
        .partition(|thing| check::is_class(thing));
    let mut elements: Vec<Value> = Vec::new();
    for item in items {
        let mut element = Map::new();
        put(&mut element, "epcClass", &item.lot);
        if let Some(quantity) = &item.quantity {
            put_number(&mut element, "quantity", quantity);
            put(&mut element, "uom", &quantity.unit);
        }
        elements.push(Value::Object(element));
    }
    for class in classes {
        let mut element = Map::new();
        put(&mut element, "epcClass", &class);
        elements.push(Value::Object(element));
    }
    if !elements.is_empty() {
        members.insert(quantities.to_owned(), Value::Array(elements));
    }
    if !things.is_empty() {
        let things = things.into_iter().map(Value::String).collect();
        members.insert(instances.to_owned(), Value::Array(things));
    }
}

fn put_number(members: &mut Map<String, Value>, key: &str, quantity: &v1::Quantity) {
    let number = quantity.value.parse::<serde_json::Number>();
    if let Ok(number) = number {
        members.insert(key.to_owned(), Value::Number(number));
    }
}

/// Items of a kind without a list of serials: single things without quantity are instances.
fn put_mixed(members: &mut Map<String, Value>, lists: (&str, &str), items: &[v1::Item]) {
    let (instances, classes): (Vec<v1::Item>, Vec<v1::Item>) = items
        .iter()
        .cloned()
        .partition(|item| item.quantity.is_none() && !check::is_class(&item.lot));
    put_about(
        members,
        lists,
        &classes,
        instances.into_iter().map(|item| item.lot),
    );
}

const INPUTS: (&str, &str) = ("inputQuantityList", "inputEPCList");
const OUTPUTS: (&str, &str) = ("outputQuantityList", "outputEPCList");

/// What the event is about.
fn put_subject(members: &mut Map<String, Value>, kind: &Kind, event_type: &str) {
    let contained = matches!(event_type, "AggregationEvent" | "AssociationEvent");
    let lists = if contained {
        ("childQuantityList", "childEPCs")
    } else {
        ("quantityList", "epcList")
    };
    let mut about = |items: &[v1::Item], runs: &[v1::SerialRun], units: &[String]| {
        put_about(
            members,
            lists,
            items,
            units.iter().cloned().chain(serials::expand(runs)),
        );
    };
    match kind {
        Kind::Commissioned(e) => {
            about(&e.items, &e.serials, &[]);
            put_master_data(members, &e.serials, &e.class_lot, &e.country_of_origin);
        }
        Kind::Shipped(e) => about(&e.items, &e.serials, &e.units),
        Kind::Received(e) => about(&e.items, &e.serials, &e.units),
        Kind::ShipmentWithdrawn(e) => about(&e.items, &e.serials, &e.units),
        Kind::CustodyTransferred(e) => about(&e.items, &e.serials, &e.units),
        Kind::TitleTransferred(e) => about(&e.items, &e.serials, &[]),
        Kind::DeliveryRefused(e) => about(&e.items, &e.serials, &[]),
        Kind::Inspected(e) => about(&e.items, &e.serials, &[]),
        Kind::Held(e) => about(&e.items, &e.serials, &[]),
        Kind::Released(e) => about(&e.items, &e.serials, &[]),
        Kind::Scrapped(e) => about(&e.items, &e.serials, &[]),
        Kind::Imported(e) => {
            about(&e.items, &e.serials, &[]);
            put(members, &ours("country"), &e.country);
        }
        Kind::Exported(e) => {
            about(&e.items, &e.serials, &[]);
            put(members, &ours("country"), &e.country);
        }
        Kind::Recalled(e) => {
            about(&e.items, &e.serials, &[]);
            put_recalled(members, "set");
            put(members, &ours("recallReason"), &e.reason);
        }
        Kind::RecallLifted(e) => {
            put_mixed(members, lists, &e.items);
            put_recalled(members, "unset");
            put(members, &ours("recall"), &e.recall);
        }
        Kind::OpeningBalanceDeclared(e) => put_mixed(members, lists, &e.items),
        Kind::StockCounted(e) => put_mixed(members, lists, &e.items),
        Kind::Observed(e) => {
            about(&e.items, &e.serials, &[]);
            put(members, "parentID", &e.parent);
        }
        Kind::Aggregated(e) => {
            about(&e.items, &e.serials, &[]);
            put(members, "parentID", &e.parent);
        }
        Kind::Disaggregated(e) => {
            about(&e.items, &e.serials, &[]);
            put(members, "parentID", &e.parent);
        }
        Kind::Assembled(e) => {
            about(&e.items, &e.serials, &[]);
            put(members, "parentID", &e.parent);
        }
        Kind::Disassembled(e) => {
            about(&e.items, &e.serials, &[]);
            put(members, "parentID", &e.parent);
        }
        Kind::Transformed(e) => {
            put_about(members, INPUTS, &e.inputs, serials::expand(&e.input_serials));
            put_about(members, OUTPUTS, &e.outputs, serials::expand(&e.output_serials));
            put(members, "transformationID", &e.run);
            put_master_data(members, &e.output_serials, &e.class_lot, "");
            put_losses(members, &e.losses);
        }
        Kind::Recycled(e) => {
            put_about(members, INPUTS, &e.inputs, serials::expand(&e.input_serials));
            put_mixed(members, OUTPUTS, &e.outputs);
        }
        Kind::Split(e) => {
            let from = whole(&e.lot, e.quantity.as_ref());
            put_mixed(members, INPUTS, &[from]);
            put_mixed(members, OUTPUTS, &e.into);
        }
        Kind::Merged(e) => {
            let into = whole(&e.lot, e.quantity.as_ref());
            put_mixed(members, INPUTS, &e.from);
            put_mixed(members, OUTPUTS, &[into]);
        }
        // Kinds without an EPCIS form have no default view and do not come here.
        _ => {}
    }
}

fn ours(name: &str) -> String {
    format!("{NAMESPACE}{name}")
}

fn whole(lot: &str, quantity: Option<&v1::Quantity>) -> v1::Item {
    v1::Item {
        lot: lot.to_owned(),
        quantity: quantity.cloned(),
        ..v1::Item::default()
    }
}

fn put_recalled(members: &mut Map<String, Value>, key: &str) {
    let mut persistent = Map::new();
    persistent.insert(
        key.to_owned(),
        Value::Array(vec![Value::String("recalled".to_owned())]),
    );
    members.insert("persistentDisposition".to_owned(), Value::Object(persistent));
}

/// Instance and lot master data that EPCIS has words for.
fn put_master_data(members: &mut Map<String, Value>, runs: &[v1::SerialRun], class_lot: &str, country: &str) {
    let mut ilmd = Map::new();
    put(&mut ilmd, &format!("{MASTER_DATA}countryOfOrigin"), country);
    if let Some((_, lot)) = class_lot.rsplit_once("/10/")
        && !lot.contains('%')
    {
        let all: Vec<String> = serials::expand(runs).collect();
        if read::class_lot(&all, lot).as_deref() == Some(class_lot) {
            put(&mut ilmd, &format!("{MASTER_DATA}lotNumber"), lot);
        }
    }
    if !ilmd.is_empty() {
        members.insert("ilmd".to_owned(), Value::Object(ilmd));
    }
}

fn put_losses(members: &mut Map<String, Value>, losses: &[v1::Loss]) {
    let mut elements: Vec<Value> = losses
        .iter()
        .filter_map(|loss| {
            let quantity = loss.quantity.as_ref()?;
            let mut element = Map::new();
            put(&mut element, &ours("kind"), &loss.kind);
            put_number(&mut element, &ours("quantity"), quantity);
            put(&mut element, &ours("uom"), &quantity.unit);
            Some(Value::Object(element))
        })
        .collect();
    // A loss of sealed or unstated amount goes the general way, and then all of them.
    if elements.len() < losses.len() {
        return;
    }
    let value = match elements.len() {
        0 => return,
        1 => elements.remove(0),
        _ => Value::Array(elements),
    };
    members.insert(ours("loss"), value);
}

/// What reading the EPCIS form back does not give is added as extensions of ours.
fn put_extensions(members: &mut Map<String, Value>, event: &v1::Event) -> Option<()> {
    let kind = event.kind.as_ref()?;
    let (name, message) = kind_json(kind)?;
    let mut back = kind_json(&read::read(members).kind)?;
    if let Some(operation) = operation(kind) {
        // Said only where it decides, as the same event without it would be read as another kind.
        if back.0 != name {
            members.insert(ours("operation"), Value::String(operation.to_owned()));
            back = kind_json(&read::read(members).kind)?;
        }
    }
    let mut not_stated = Vec::new();
    if back.0 == name {
        let shape = kind_shape(&name)?;
        for field in shape.fields {
            let key = fields::camel(field.name);
            match (message.get(&key), back.1.get(&key)) {
                (Some(stated), Some(read)) if same(shape, &key, stated, read) => {}
                (Some(stated), _) => {
                    members.insert(ours(&key), stated.clone());
                }
                (None, Some(_)) => not_stated.push(Value::String(key)),
                (None, None) => {}
            }
        }
    } else {
        members.insert(ours("kind"), Value::String(name));
        members.extend(fields::prefixed(message));
    }
    if !not_stated.is_empty() {
        members.insert(ours("notStated"), Value::Array(not_stated));
    }
    for (key, value) in frame_json(event)? {
        members.insert(ours(&key), value);
    }
    Some(())
}

/// Whether two values of a field are the same; serial lists are compared as the sets that they are.
fn same(shape: &Shape, key: &str, stated: &Value, read: &Value) -> bool {
    let runs = shape
        .fields
        .iter()
        .any(|field| field.sliced && fields::camel(field.name) == key);
    if !runs || stated == read {
        return stated == read;
    }
    let set = |value: &Value| {
        let mut all: Vec<String> = Vec::new();
        for run in value.as_array()? {
            let prefix = run
                .get(ours("prefix"))
                .and_then(Value::as_str)
                .unwrap_or_default();
            for suffix in run.get(ours("suffixes")).and_then(Value::as_array)? {
                all.push(format!("{prefix}{}", suffix.as_str()?));
            }
        }
        all.sort_unstable();
        all.dedup();
        Some(all)
    };
    set(stated) == set(read)
}

/// A kind's name and fields as JSON.
pub(super) fn kind_json(kind: &Kind) -> Option<(String, Map<String, Value>)> {
    let mut bytes = Vec::new();
    kind.encode(&mut bytes);
    let members = fields::to_json(&shape::EVENT, &bytes)?;
    let (name, value) = members.into_iter().next()?;
    let members = match value {
        Value::Object(members) => members
            .into_iter()
            .map(|(key, value)| (key.strip_prefix(NAMESPACE).unwrap_or(&key).to_owned(), value))
            .collect(),
        _ => return None,
    };
    Some((name, members))
}

/// The shape of a kind, by its name as in JSON.
pub(super) fn kind_shape(name: &str) -> Option<&'static Shape> {
    shape::EVENT.fields.iter().find_map(|field| match field.kind {
        shape::Kind::Message(inner)
            if field.presence == shape::Presence::OneOf && fields::camel(field.name) == name =>
        {
            Some(inner)
        }
        _ => None,
    })
}

/// Members of the event itself that EPCIS has no word for, and that are the issuer's own.
fn frame_json(event: &v1::Event) -> Option<Map<String, Value>> {
    let frame = v1::Event {
        certification: event.certification.clone(),
        sealed: event.sealed.clone(),
        ..v1::Event::default()
    };
    fields::to_json(&shape::EVENT, &prost::Message::encode_to_vec(&frame))
}

/// The word of our `operation` extension for kinds that share their EPCIS form with another.
const fn operation(kind: &Kind) -> Option<&'static str> {
    Some(match kind {
        Kind::Transformed(_) => "manufacture",
        Kind::Split(_) => "split",
        Kind::Merged(_) => "merge",
        Kind::Recycled(_) => "recycle",
        Kind::OpeningBalanceDeclared(_) => "opening_balance",
        Kind::DeliveryRefused(_) => "refuse_delivery",
        Kind::Imported(_) => "import",
        Kind::Exported(_) => "export",
        _ => return None,
    })
}

/// What an event of ours says in EPCIS words if it has no view of its own; nothing for kinds that EPCIS cannot say.
pub(super) fn default_view(kind: &Kind) -> Option<v1::EpcisView> {
    let object = "ObjectEvent";
    let view = |event_type: &str, action: &str, step: &str, disposition: &str| v1::EpcisView {
        r#type: event_type.to_owned(),
        action: action.to_owned(),
        biz_step: step.to_owned(),
        disposition: disposition.to_owned(),
        ..v1::EpcisView::default()
    };
    // It happened there, and there the things are.
    let at = |facility: &str, mut view: v1::EpcisView| {
        facility.clone_into(&mut view.read_point);
        facility.clone_into(&mut view.biz_location);
        view
    };
    // It happened there, and afterwards the things are nowhere.
    let from = |facility: &str, mut view: v1::EpcisView| {
        facility.clone_into(&mut view.read_point);
        view
    };
    let reference = |event_type: &str, value: &str| {
        (!value.is_empty()).then(|| v1::TypedReference {
            r#type: event_type.to_owned(),
            value: value.to_owned(),
        })
    };
    let advice = |shipment: &str| reference("desadv", shipment).into_iter().collect();
    Some(match kind {
        Kind::Commissioned(e) => at(&e.facility, view(object, "ADD", "commissioning", "active")),
        Kind::OpeningBalanceDeclared(e) => at(&e.facility, view(object, "ADD", "commissioning", "active")),
        Kind::Transformed(e) => at(
            &e.facility,
            view("TransformationEvent", "", "commissioning", "active"),
        ),
        Kind::Recycled(e) => at(
            &e.facility,
            view("TransformationEvent", "", "creating_class_instance", "active"),
        ),
        Kind::Split(e) => at(
            &e.facility,
            view("TransformationEvent", "", "repackaging", "in_progress"),
        ),
        Kind::Merged(e) => at(
            &e.facility,
            view("TransformationEvent", "", "repackaging", "in_progress"),
        ),
        Kind::Aggregated(e) => at(
            &e.facility,
            view("AggregationEvent", "ADD", "packing", "in_progress"),
        ),
        Kind::Disaggregated(e) => at(
            &e.facility,
            view("AggregationEvent", "DELETE", "unpacking", "active"),
        ),
        Kind::Assembled(e) => at(
            &e.facility,
            view("AssociationEvent", "ADD", "assembling", "in_progress"),
        ),
        Kind::Disassembled(e) => at(
            &e.facility,
            view("AssociationEvent", "DELETE", "disassembling", "inactive"),
        ),
        Kind::Inspected(e) if e.destructive == Some(true) => {
            from(&e.facility, view(object, "DELETE", "sampling", "destroyed"))
        }
        Kind::Inspected(e) => {
            let result = match e.result.as_str() {
                stated @ ("conformant" | "non_conformant") => stated,
                _ => "",
            };
            at(&e.facility, view(object, "OBSERVE", "inspecting", result))
        }
        Kind::Held(e) => at(&e.facility, view(object, "OBSERVE", "holding", "unavailable")),
        Kind::Released(e) => at(&e.facility, view(object, "OBSERVE", "holding", "available")),
        Kind::Scrapped(e) => from(&e.facility, view(object, "DELETE", "destroying", "destroyed")),
        Kind::StockCounted(e) => at(&e.facility, view(object, "OBSERVE", "stock_taking", "available")),
        Kind::Shipped(e) => v1::EpcisView {
            sources: reference("location", &e.from_facility).into_iter().collect(),
            destinations: reference("possessing_party", &e.consignee)
                .into_iter()
                .chain(reference("location", &e.to_facility))
                .collect(),
            biz_transactions: advice(&e.shipment),
            ..from(
                &e.from_facility,
                view(object, "OBSERVE", "shipping", "in_transit"),
            )
        },
        Kind::Received(e) => {
            let disposition = match e.condition.as_str() {
                "short" => "mismatch_quantity",
                stated @ ("damaged" | "mismatch_class" | "mismatch_instance" | "mismatch_quantity") => stated,
                _ => "in_progress",
            };
            v1::EpcisView {
                sources: reference("possessing_party", &e.consignor).into_iter().collect(),
                biz_transactions: advice(&e.shipment),
                ..at(&e.facility, view(object, "OBSERVE", "receiving", disposition))
            }
        }
        Kind::DeliveryRefused(e) => v1::EpcisView {
            biz_transactions: advice(&e.shipment),
            ..at(&e.facility, view(object, "OBSERVE", "receiving", "returned"))
        },
        Kind::ShipmentWithdrawn(e) => v1::EpcisView {
            biz_transactions: advice(&e.shipment),
            ..at(
                &e.facility,
                view(object, "OBSERVE", "void_shipping", "in_progress"),
            )
        },
        Kind::CustodyTransferred(e) => v1::EpcisView {
            sources: reference("possessing_party", &e.from_party).into_iter().collect(),
            destinations: reference("possessing_party", &e.to_party).into_iter().collect(),
            ..at(&e.facility, view(object, "OBSERVE", "accepting", "active"))
        },
        Kind::TitleTransferred(e) => v1::EpcisView {
            sources: reference("owning_party", &e.seller).into_iter().collect(),
            destinations: reference("owning_party", &e.buyer).into_iter().collect(),
            ..view(object, "OBSERVE", "accepting", "active")
        },
        Kind::Imported(_) | Kind::Exported(_) => view(object, "OBSERVE", "", ""),
        Kind::Recalled(_) | Kind::RecallLifted(_) => view(object, "OBSERVE", "holding", ""),
        // Only events about containment (and transactions) can name a parent.
        Kind::Observed(e) if !e.parent.is_empty() => {
            at(&e.facility, view("AggregationEvent", "OBSERVE", "", ""))
        }
        Kind::Observed(e) => at(&e.facility, view(object, "OBSERVE", "", "")),
        Kind::PartyEnrolled(_)
        | Kind::FacilityRegistered(_)
        | Kind::KeyAuthorised(_)
        | Kind::KeyRotated(_)
        | Kind::KeyRetired(_)
        | Kind::KeyCompromised(_)
        | Kind::FeedClosed(_)
        | Kind::RulePackAdopted(_)
        | Kind::ListPublished(_)
        | Kind::ListWithdrawn(_)
        | Kind::WaiverGranted(_)
        | Kind::WaiverRevoked(_)
        | Kind::ApprovalGranted(_)
        | Kind::ApprovalRevoked(_)
        | Kind::ParametersChanged(_)
        | Kind::LogKeyAdded(_)
        | Kind::LogKeyRetired(_)
        | Kind::AuthorityChanged(_)
        | Kind::ActApproved(_)
        | Kind::OwnershipDeclared(_)
        | Kind::BoardDeclared(_)
        | Kind::LicencesDeclared(_)
        | Kind::SuccessionDeclared(_)
        | Kind::ProductDeclared(_)
        | Kind::DelegationGranted(_)
        | Kind::DelegationRevoked(_)
        | Kind::Certified(_)
        | Kind::ShipmentLapsed(_)
        | Kind::RecallAcknowledged(_)
        | Kind::RecallCompleted(_)
        | Kind::Corrected(_)
        | Kind::Voided(_) => return None,
    })
}
