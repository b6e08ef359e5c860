//! Lots and variants that a link names beside its thing: `.../01/{GTIN}/10/{lot}/21/{serial}`.
//!
//! GTIN and serial are the item, so its lot has to stand elsewhere. Where things begin to exist EPCIS has a place
//! for it, the lot number of the `ilmd`, and it goes there as if the sender had written it so. Everywhere else it
//! stays in the spelling, and a finding says so.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::{
    check::pointer,
    context::Context,
    finding::{Code, Findings},
    members::{MASTER_DATA, list, text},
    vocabulary::Family,
};
use crate::identifier;

/// Lists of instances, or of quantities with a class.
const LISTS: &[&str] = &[
    "epcList",
    "childEPCs",
    "inputEPCList",
    "outputEPCList",
    "quantityList",
    "childQuantityList",
    "inputQuantityList",
    "outputQuantityList",
];

/// Gives an event the lot number that the links of its new instances name, and says which facts in links have no
/// place.
pub(super) fn take_facts(event: &mut Map<String, Value>, context: &Context, findings: &mut Findings) {
    let holder = holder(event, context);
    for key in LISTS {
        let mut lots = BTreeSet::new();
        let mut variants = BTreeSet::new();
        for value in list(event, key) {
            let text = value.as_str().or_else(|| value.get("epcClass")?.as_str());
            if let Some(normal) = text.and_then(|text| identifier::read(&context.expand(text)).ok()) {
                lots.insert(normal.class_lot);
                variants.extend(normal.variant);
            }
        }
        let path = pointer("", key);
        for variant in variants {
            unheld(
                findings,
                &path,
                &variant,
                "no member of the event holds a variant",
            );
        }
        let all_named = !lots.contains(&None);
        let named: Vec<String> = lots.into_iter().flatten().collect();
        match named.as_slice() {
            [lot] if holder == Some(*key) && all_named => put_lot(event, context, &path, lot, findings),
            [lot] if holder == Some(*key) => {
                unheld(findings, &path, lot, "other serials of the event name none");
            }
            lots => {
                let why = if holder == Some(*key) {
                    "serials of several lots in one event"
                } else {
                    "no member of the event holds it"
                };
                for lot in lots {
                    unheld(findings, &path, lot, why);
                }
            }
        }
    }
}

/// The list of what begins to exist in an event that says in one place of what lot it is.
fn holder(event: &Map<String, Value>, context: &Context) -> Option<&'static str> {
    let kind = context.expand(&text(event, "type"));
    let step = Family::BizStep.normal(&text(event, "bizStep"), context);
    match kind.strip_prefix("https://ref.gs1.org/epcis/").unwrap_or(&kind) {
        "ObjectEvent"
            if text(event, "action") == "ADD"
                && matches!(step.as_str(), "" | "commissioning" | "creating_class_instance") =>
        {
            Some("epcList")
        }
        "TransformationEvent" => Some("outputEPCList"),
        _ => None,
    }
}

fn put_lot(
    event: &mut Map<String, Value>,
    context: &Context,
    path: &str,
    class_lot: &str,
    findings: &mut Findings,
) {
    let name = format!("{MASTER_DATA}lotNumber");
    let Some(lot) = identifier::gs1_lot(class_lot) else {
        return unheld(findings, path, class_lot, "a lot number is one of a GTIN");
    };
    let ilmd = event.entry("ilmd").or_insert_with(|| Value::Object(Map::new()));
    let Value::Object(ilmd) = ilmd else { return };
    match ilmd.iter().find(|(key, _)| context.expand(key) == name) {
        None => {
            ilmd.insert(name, Value::String(lot));
        }
        Some((_, stated)) if stated.as_str() == Some(&lot) => {}
        Some((_, stated)) => {
            let detail = format!("links name {class_lot}, the lot number of the event is {stated}");
            findings.add(Code::LotMismatch, path, &detail);
        }
    }
}

fn unheld(findings: &mut Findings, path: &str, fact: &str, why: &str) {
    findings.add(
        Code::FactInLink,
        path,
        &format!("{fact}: {why}, so it stays in the spelling alone"),
    );
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::{
        epcis::{
            Code, EpcFormat, ExportOptions, Import, ImportOptions, export, import, normal_form, serials,
        },
        wire::v1::event::Kind,
    };

    const GTIN: &str = "https://id.gs1.org/01/09521239300019";

    fn commissioning(epcs: &[&str], ilmd: &Value) -> Value {
        let epcs: Vec<String> = epcs.iter().map(|epc| format!("{GTIN}{epc}")).collect();
        let mut event = json!({
            "type": "ObjectEvent", "eventID": "urn:x:1", "eventTime": "2026-03-01T00:00:00.000Z",
            "eventTimeZoneOffset": "+09:00", "action": "ADD", "bizStep": "commissioning", "epcList": epcs,
        });
        if !ilmd.is_null() {
            event["ilmd"] = ilmd.clone();
        }
        event
    }

    fn imported(event: &Value) -> Import {
        import(event.to_string().as_bytes(), &ImportOptions::default()).unwrap()
    }

    fn codes(import: &Import) -> Vec<(Code, String)> {
        let taken = import.events.iter().flat_map(|event| &event.findings);
        let refused = import.refused.iter().flat_map(|event| &event.findings);
        let all = taken.chain(refused);
        all.map(|finding| (finding.code, finding.detail.clone()))
            .collect()
    }

    #[test]
    fn the_lot_in_the_links_of_new_serials_is_their_class_lot() {
        let made = json!({"cbvmda:countryOfOrigin": "KR", "cbvmda:lotNumber": "C/10"});
        let country = json!({"cbvmda:countryOfOrigin": "KR"});
        for ilmd in [Value::Null, country, made, json!({"cbvmda:lotNumber": "C/10"})] {
            let event = commissioning(&["/10/C%2f10/21/SN-1", "/21/SN-2/lot/C%2F10"], &ilmd);
            let import = imported(&event);
            let read = &import.events[0];
            let Some(Kind::Commissioned(kind)) = &read.event.kind else {
                panic!("{read:?}")
            };
            assert_eq!(kind.class_lot, format!("{GTIN}/10/C%2F10"));
            let all: Vec<String> = serials::expand(&kind.serials).collect();
            assert_eq!(all, [format!("{GTIN}/21/SN-1"), format!("{GTIN}/21/SN-2")]);
            assert_eq!(read.findings, []);
            for epc_format in [EpcFormat::DigitalLink, EpcFormat::AsSent] {
                let options = ExportOptions {
                    epc_format,
                    created_at: None,
                };
                let exported = export(std::slice::from_ref(&read.event), &options).document;
                assert_eq!(normal_form(&exported), normal_form(&event), "{exported}");
                assert!(exported.to_string().contains("lotNumber"), "{exported}");
            }
        }
    }

    /// Case 10: made by a link with its lot, built in by one without.
    #[test]
    fn a_serial_is_one_thing_with_its_lot_in_the_link_and_without() {
        let built_in = json!({
            "type": "AssociationEvent", "eventID": "urn:x:2", "eventTime": "2026-03-02T00:00:00.000Z",
            "eventTimeZoneOffset": "+09:00", "action": "ADD", "bizStep": "assembling",
            "parentID": "https://id.gs1.org/01/09521239300026/21/M10", "childEPCs": [format!("{GTIN}/21/SN10-1")],
        });
        let import = imported(&json!([
            commissioning(&["/10/CL10/21/SN10-1"], &Value::Null),
            built_in
        ]));
        let kinds: Vec<Kind> = import
            .events
            .into_iter()
            .filter_map(|event| event.event.kind)
            .collect();
        let [Kind::Commissioned(made), Kind::Assembled(built)] = kinds.as_slice() else {
            panic!("{kinds:?}")
        };
        assert_eq!(made.class_lot, format!("{GTIN}/10/CL10"));
        assert_eq!(made.serials, built.serials);
    }

    #[test]
    fn a_lot_in_a_link_that_is_not_the_events_own_is_refused() {
        let event = commissioning(&["/10/A/21/1"], &json!({"cbvmda:lotNumber": "B"}));
        let import = imported(&event);
        assert!(import.events.is_empty());
        let found = codes(&import);
        assert_eq!(found[0].0, Code::LotMismatch);
        assert!(
            found[0].1.contains("/10/A") && found[0].1.contains("\"B\""),
            "{found:?}"
        );
    }

    #[test]
    fn what_no_member_holds_is_said_and_stays_in_the_spelling() {
        let mut shipping = commissioning(&["/10/A/21/1", "/10/B/21/2"], &Value::Null);
        shipping["action"] = json!("OBSERVE");
        shipping["bizStep"] = json!("shipping");
        for (event, lots) in [
            (commissioning(&["/10/A/21/1", "/10/B/21/2"], &Value::Null), 2),
            (commissioning(&["/10/A/21/1", "/21/2"], &Value::Null), 1),
            (commissioning(&["/22/2A/21/1"], &Value::Null), 1),
            (shipping, 2),
        ] {
            let import = imported(&event);
            let found = codes(&import);
            assert_eq!(found.len(), lots, "{found:?}");
            assert!(found.iter().all(|(code, _)| *code == Code::FactInLink));
            let options = ExportOptions {
                epc_format: EpcFormat::AsSent,
                created_at: None,
            };
            let exported = export(&[import.events[0].event.clone()], &options).document;
            assert_eq!(exported["epcisBody"]["eventList"][0]["epcList"], event["epcList"]);
        }
    }
}
