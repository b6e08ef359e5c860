//! From a line of a history to what is published.

use lotproof::wire::v1;
use serde_json::{Map, Value, json};

use super::short;

/// What a line tells.
pub(super) enum Told {
    /// An event as JSON of our own.
    Native(String, Value),
    /// An EPCIS document of the party's own.
    Document(String, Vec<u8>),
    /// A file of the inputs.
    File(String, String),
    /// A file of the cases, as another's document.
    Report(String, String),
}

pub(super) fn reference(reference: v1::EventReference) -> Value {
    json!({ "leaf_index": reference.leaf_index, "event_number": reference.event_number })
}

/// Reads `party id time kind key=value ...`, `party file NAME` or `party report NAME`.
pub(super) fn line(line: &str, place: &dyn Fn(&str, &str) -> v1::EventReference) -> Told {
    let words: Vec<&str> = line.split_whitespace().collect();
    let (party, rest) = words.split_first().expect("a line has words");
    let party = (*party).to_owned();
    match rest {
        ["file", name] => Told::File(party, (*name).to_owned()),
        ["report", name] => Told::Report(party, (*name).to_owned()),
        [id, time, kind, members @ ..] if kind.starts_with(char::is_uppercase) => {
            let event = epcis(&party, id, &instant(time), kind, members);
            Told::Document(party, document(&[event]))
        }
        [id, time, kind, members @ ..] => {
            let mut said = Map::new();
            let mut event = Map::new();
            event.insert("id".into(), json!(id));
            event.insert("event_time".into(), json!(instant(time)));
            for member in members {
                if *member == "certified" {
                    let words =
                        json!({ "scope": ["all"], "clause": "252.225", "under_penalty_of_perjury": false });
                    event.insert("certification".into(), words);
                    continue;
                }
                let (key, text) = member
                    .split_once('=')
                    .unwrap_or_else(|| panic!("{member} in {line}"));
                let value = if key == "event" {
                    let (of, id) = text.split_once(':').unwrap_or((&party, text));
                    reference(place(of, id))
                } else {
                    native(&party, key, text)
                };
                said.insert(key.to_owned(), value);
            }
            event.insert((*kind).to_owned(), Value::Object(said));
            Told::Native(party, Value::Object(event))
        }
        _ => panic!("{line} tells nothing"),
    }
}

/// `03-01` or `03-01T08` of 2026, UTC.
fn instant(text: &str) -> String {
    let (day, hour) = text.split_once('T').unwrap_or((text, "00"));
    let (hour, minute) = hour.split_once(':').unwrap_or((hour, "00"));
    format!("2026-{day}T{hour}:{minute}:00Z")
}

fn native(party: &str, key: &str, text: &str) -> Value {
    match key {
        "items" | "inputs" | "outputs" | "into" | "from" | "composition" => {
            text.split(',').map(item).collect()
        }
        "serials" | "input_serials" | "output_serials" | "units" => names(text).into(),
        "quantity" | "mass_per_piece" => quantity(text),
        "inputs_complete" | "titles_complete" | "ownership_complete" | "destructive" => json!(text == "true"),
        "owners" => text
            .split(',')
            .filter(|owner| !owner.is_empty())
            .map(owner)
            .collect(),
        "corrective_ids" => json!([text]),
        "started_at" => json!(instant(text)),
        "facility" | "from_facility" | "to_facility" => json!(short::facility(text)),
        "facilities" => json!([short::facility(text)]),
        "lot" | "parent" | "class_lot" | "product" => json!(short::thing(text)),
        "operator" | "consignee" | "consignor" | "carrier" | "on_behalf_of" | "from_party" | "to_party"
        | "seller" | "buyer" | "party" | "reporter" | "predecessor" => json!(short::party(text)),
        "shipment" | "recall" => match text.split_once(':') {
            Some((party, number)) => json!(short::document(party, number)),
            None => json!(short::document(party, text)),
        },
        "run" => json!(format!("urn:run:{text}")),
        _ => json!(text),
    }
}

/// `cell:0.3`: a party, and its part of the equity.
fn owner(text: &str) -> Value {
    let (party, equity) = text.split_once(':').unwrap_or((text, "1"));
    json!({ "party": short::party(party), "equity": equity })
}

/// `A`, `A:10`, `A:10KGM`, and `@3USD` behind for what it cost.
fn item(text: &str) -> Value {
    let (text, cost) = text
        .split_once('@')
        .map_or((text, None), |(text, cost)| (text, Some(cost)));
    let amount = text
        .rsplit_once(':')
        .filter(|(_, amount)| amount.starts_with(|it: char| it.is_ascii_digit()));
    let (lot, amount) = amount.map_or((text, None), |(lot, amount)| (lot, Some(amount)));
    let mut item = Map::new();
    item.insert("lot".into(), json!(short::thing(lot)));
    if let Some(amount) = amount {
        item.insert("quantity".into(), quantity(amount));
    }
    if let Some(cost) = cost {
        let (value, currency) = value_and_unit(cost);
        item.insert(
            "cost".into(),
            json!({ "value": value, "currency": currency, "basis": "price" }),
        );
    }
    Value::Object(item)
}

fn quantity(text: &str) -> Value {
    match value_and_unit(text) {
        (value, "") => json!({ "value": value }),
        (value, unit) => json!({ "value": value, "unit": unit }),
    }
}

fn value_and_unit(text: &str) -> (&str, &str) {
    let end = text
        .find(|letter: char| letter.is_ascii_uppercase())
        .unwrap_or(text.len());
    text.split_at(end)
}

/// `cell1#S1,cell1#S2`, `cell1#S1..3`.
fn names(text: &str) -> Vec<String> {
    let mut names = Vec::new();
    for name in text.split(',') {
        let Some((first, last)) = name.split_once("..") else {
            names.push(short::thing(name));
            continue;
        };
        let stem = first.trim_end_matches(|letter: char| letter.is_ascii_digit());
        let first: u32 = first[stem.len()..].parse().expect("a range begins with a number");
        let last: u32 = last.parse().expect("a range ends with a number");
        names.extend((first..=last).map(|number| short::thing(&format!("{stem}{number}"))));
    }
    names
}

/// An EPCIS event in the words of the standard.
fn epcis(party: &str, id: &str, time: &str, kind: &str, members: &[&str]) -> Value {
    let mut event = Map::new();
    event.insert("type".into(), json!(kind));
    event.insert("eventID".into(), json!(event_id(party, id)));
    event.insert("eventTime".into(), json!(time));
    event.insert("eventTimeZoneOffset".into(), json!("+00:00"));
    for member in members {
        let (key, text) = member
            .split_once('=')
            .unwrap_or_else(|| panic!("{member} is no member"));
        let (key, value) = match key {
            "quantityList" | "childQuantityList" | "inputQuantityList" | "outputQuantityList" => {
                (key, text.split(',').map(quantity_element).collect())
            }
            "epcList" | "childEPCs" | "inputEPCList" | "outputEPCList" => (key, names(text).into()),
            "parentID" => (key, json!(short::thing(text))),
            "readPoint" | "bizLocation" => (key, json!({ "id": short::facility(text) })),
            "source" | "destination" => {
                let list = if key == "source" {
                    "sourceList"
                } else {
                    "destinationList"
                };
                (
                    list,
                    json!([{ "type": "possessing_party", key: short::party(text) }]),
                )
            }
            "owner" => (
                "destinationList",
                json!([{ "type": "owning_party", "destination": short::party(text) }]),
            ),
            "desadv" => {
                let advice = short::document(party, text);
                (
                    "bizTransactionList",
                    json!([{ "type": "desadv", "bizTransaction": advice }]),
                )
            }
            "persistent" => ("persistentDisposition", json!({ "set": [text] })),
            "transformationID" => (key, json!(format!("urn:run:{text}"))),
            "wrong" => (
                "errorDeclaration",
                json!({ "declarationTime": instant(text), "reason": "did_not_occur" }),
            ),
            _ => (key, json!(text)),
        };
        event.insert(key.to_owned(), value);
    }
    Value::Object(event)
}

fn event_id(party: &str, id: &str) -> String {
    format!("urn:cases:{party}:{id}")
}

fn quantity_element(text: &str) -> Value {
    let (lot, amount) = text.split_once(':').unwrap_or((text, ""));
    let mut element = Map::new();
    element.insert("epcClass".into(), json!(short::thing(lot)));
    let (value, unit) = value_and_unit(amount);
    if let Ok(number) = value.parse::<serde_json::Number>() {
        element.insert("quantity".into(), Value::Number(number));
    }
    if !unit.is_empty() {
        element.insert("uom".into(), json!(unit));
    }
    Value::Object(element)
}

fn document(events: &[Value]) -> Vec<u8> {
    let document = json!({
        "@context": ["https://ref.gs1.org/standards/epcis/2.0.0/epcis-context.jsonld"],
        "type": "EPCISDocument",
        "schemaVersion": "2.0",
        "creationDate": "2026-11-01T00:00:00Z",
        "epcisBody": { "eventList": events },
    });
    serde_json::to_vec(&document).expect("a document is JSON")
}
