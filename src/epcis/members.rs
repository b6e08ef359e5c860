//! Members of a normal EPCIS event as values of ours: identifiers, items, references, losses.

use serde_json::{Map, Value};

use super::{NAMESPACE, check, normal};
use crate::{
    identifier,
    wire::{form, v1},
};

/// `cbvmda:` expanded.
pub(super) const MASTER_DATA: &str = "urn:epcglobal:cbv:mda:";

/// What an event says of itself in EPCIS words.
pub(super) fn view(event: &Map<String, Value>) -> v1::EpcisView {
    v1::EpcisView {
        r#type: text(event, "type"),
        action: text(event, "action"),
        biz_step: text(event, "bizStep"),
        disposition: text(event, "disposition"),
        read_point: place(event, "readPoint"),
        biz_location: place(event, "bizLocation"),
        biz_transactions: references(event, "bizTransactionList", "bizTransaction"),
        sources: references(event, "sourceList", "source"),
        destinations: references(event, "destinationList", "destination"),
        residue: String::new(),
    }
}

pub(super) fn text(members: &Map<String, Value>, key: &str) -> String {
    members
        .get(key)
        .and_then(Value::as_str)
        .unwrap_or_default()
        .to_owned()
}

pub(super) fn held(identifier: &str) -> bool {
    identifier::is_normal(identifier)
}

pub(super) fn place(event: &Map<String, Value>, key: &str) -> String {
    event
        .get(key)
        .and_then(Value::as_object)
        .map(|place| text(place, "id"))
        .filter(|id| held(id))
        .unwrap_or_default()
}

pub(super) fn list<'a>(event: &'a Map<String, Value>, key: &str) -> &'a [Value] {
    event
        .get(key)
        .and_then(Value::as_array)
        .map_or(&[], Vec::as_slice)
}

pub(super) fn references(event: &Map<String, Value>, key: &str, member: &str) -> Vec<v1::TypedReference> {
    list(event, key)
        .iter()
        .filter_map(Value::as_object)
        .map(|element| v1::TypedReference {
            r#type: text(element, "type"),
            value: text(element, member),
        })
        .filter(|reference| held(&reference.value))
        .collect()
}

pub(super) fn items(event: &Map<String, Value>, key: &str) -> Vec<v1::Item> {
    list(event, key)
        .iter()
        .filter_map(Value::as_object)
        .map(|element| v1::Item {
            lot: text(element, "epcClass"),
            quantity: element
                .get("quantity")
                .and_then(|number| quantity(number, &text(element, "uom"))),
            ..v1::Item::default()
        })
        .collect()
}

/// A JSON number with a unit as a quantity of ours.
pub(super) fn quantity(number: &Value, unit: &str) -> Option<v1::Quantity> {
    let text = match number {
        Value::Number(number) => normal::decimal_text(&number.to_string())?,
        _ => return None,
    };
    crate::quantity::is_normal_decimal(&text).then(|| v1::Quantity {
        value: text,
        unit: unit.to_owned(),
    })
}

pub(super) fn things(event: &Map<String, Value>, key: &str) -> Vec<String> {
    list(event, key)
        .iter()
        .filter_map(Value::as_str)
        .map(str::to_owned)
        .collect()
}

/// Whether an identifier is a logistic unit, whose contents its carrier need not know.
pub(super) fn is_logistic_unit(identifier: &str) -> bool {
    identifier.starts_with("https://id.gs1.org/00/")
}

/// `.../01/{gtin}/10/{lot}` if all serials are of that one GTIN.
pub(super) fn class_lot(serials: &[String], lot: &str) -> Option<String> {
    let class = identifier::gs1_class(serials.first()?)?;
    let serial = format!("{class}/21/");
    if lot.is_empty() || !serials.iter().all(|thing| thing.starts_with(&serial)) {
        return None;
    }
    let mut escaped = String::new();
    for byte in lot.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            escaped.push(char::from(byte));
        } else {
            escaped.extend(['%', hex_digit(byte >> 4), hex_digit(byte & 15)]);
        }
    }
    let lot = format!("{class}/10/{escaped}");
    (held(&lot) && check::is_class(&lot)).then_some(lot)
}

pub(super) fn hex_digit(value: u8) -> char {
    char::from_digit(value.into(), 16)
        .unwrap_or('0')
        .to_ascii_uppercase()
}

pub(super) fn bare_item(lot: String) -> v1::Item {
    v1::Item {
        lot,
        ..v1::Item::default()
    }
}

pub(super) fn is_unit(text: &str) -> bool {
    (2..=3).contains(&text.len())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit())
}

pub(super) fn is_country(text: &str) -> bool {
    text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_uppercase())
}

/// Our `loss` extension: one object, or a list of them, with quantity, unit and kind.
pub(super) fn losses(event: &Map<String, Value>) -> Vec<v1::Loss> {
    let one = |value: &Value| {
        let members = value.as_object()?;
        let kind = text(members, &format!("{NAMESPACE}kind"));
        let unit = text(members, &format!("{NAMESPACE}uom"));
        if !(kind.is_empty() || form::is_token(&kind)) || !(unit.is_empty() || is_unit(&unit)) {
            return None;
        }
        Some(v1::Loss {
            kind,
            quantity: Some(quantity(members.get(&format!("{NAMESPACE}quantity"))?, &unit)?),
        })
    };
    match event.get(&format!("{NAMESPACE}loss")) {
        Some(Value::Array(values)) => values.iter().map(one).collect::<Option<_>>().unwrap_or_default(),
        Some(value) => one(value).into_iter().collect(),
        None => Vec::new(),
    }
}
