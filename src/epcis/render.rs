//! From our events to normal EPCIS: the words that EPCIS has, then our extensions for what is left.
//!
//! What goes into an extension is found, not listed: the EPCIS form is read back, and each field of our event
//! that does not come out again is written under our namespace (`fields`). Where a field comes out that our
//! event does not state, `notStated` names it. So the way there and back is exact by construction, whatever
//! fields the vocabulary grows.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::{
    NAMESPACE, check, fields,
    members::{self, MASTER_DATA},
    normal, read, serials, view,
};
use crate::wire::{
    shape::{self, Shape},
    v1::{self, event::Kind},
};

/// An event in normal EPCIS form, residue not included; nothing if EPCIS has no form for its kind.
pub(super) fn render(event: &v1::Event) -> Option<Map<String, Value>> {
    let kind = event.kind.as_ref()?;
    let standard = view::default_view(kind)?;
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
    if let Some(lot) = crate::identifier::gs1_lot(class_lot) {
        let all: Vec<String> = serials::expand(runs).collect();
        if members::class_lot(&all, &lot).as_deref() == Some(class_lot) {
            put(&mut ilmd, &format!("{MASTER_DATA}lotNumber"), &lot);
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
