//! What JSON events may call things, and what is said about it.

use serde_json::{Value, json};

use super::ids;
use crate::{
    epcis::{Code, Finding, serials},
    gateway::{
        Service,
        fault::Fault,
        intake::{self, Order},
    },
    wire::v1::{self, event::Kind},
};

const LINK: &str = "https://id.gs1.org/01/09521239300019";

fn taken(kind: &str, members: &Value) -> Result<(Kind, Vec<Finding>), Fault> {
    let body = json!({"id": "E1", "event_time": "2026-02-02T08:00:00+09:00", kind: members});
    let mut orders = intake::events(body.to_string().as_bytes(), Service::Manufacturing, ids)?;
    let placed = orders.remove(0);
    let Order::Publish(mut ready) = placed.order else {
        panic!("a declaration");
    };
    Ok((ready.parts.remove(0).kind.unwrap(), placed.findings))
}

fn commissioned(members: &Value) -> Result<(v1::Commissioned, Vec<Finding>), Fault> {
    match taken("commissioned", members)? {
        (Kind::Commissioned(kind), findings) => Ok((kind, findings)),
        (other, _) => panic!("{other:?}"),
    }
}

#[test]
fn the_lot_in_the_links_of_new_serials_is_their_class_lot() {
    let serials = json!([
        format!("{LINK}/10/CL10/21/SN-1"),
        format!("{LINK}/21/SN-2/10/CL10/")
    ]);
    for class_lot in [
        Value::Null,
        json!(format!("{LINK}/10/CL10")),
        json!("https://x.example/gtin/9521239300019/lot/CL10"),
    ] {
        let mut members = json!({"serials": serials});
        if !class_lot.is_null() {
            members["class_lot"] = class_lot;
        }
        let (kind, findings) = commissioned(&members).unwrap();
        assert_eq!(kind.class_lot, format!("{LINK}/10/CL10"));
        let all: Vec<String> = serials::expand(&kind.serials).collect();
        assert_eq!(all, [format!("{LINK}/21/SN-1"), format!("{LINK}/21/SN-2")]);
        assert_eq!(findings, []);
    }
    let outputs = json!({"output_serials": [format!("{LINK}/10/CL10/21/SN-1")]});
    let (kind, _) = taken("transformed", &outputs).unwrap();
    assert!(matches!(kind, Kind::Transformed(kind) if kind.class_lot == format!("{LINK}/10/CL10")));
}

#[test]
fn links_that_disagree_about_the_class_lot_are_refused_by_name() {
    let (a, b, none) = (
        format!("{LINK}/10/A/21/1"),
        format!("{LINK}/10/B/21/2"),
        format!("{LINK}/21/3"),
    );
    let stated = |lot: &str| json!(format!("{LINK}/10/{lot}"));
    for (members, says) in [
        (json!({"serials": [a, b]}), "serials of several class lots"),
        (json!({"serials": [a, none]}), "only some links name class lot"),
        (
            json!({"serials": [a], "class_lot": stated("B")}),
            "links name class lot",
        ),
    ] {
        let fault = commissioned(&members).unwrap_err();
        assert_eq!(fault.fields[0].path, "/commissioned/serials");
        assert!(fault.fields[0].message.starts_with(says), "{fault:?}");
        assert!(
            fault.fields[0].message.contains(&format!("{LINK}/10/A")),
            "{fault:?}"
        );
    }
    let (kind, _) = commissioned(&json!({"serials": [a, none], "class_lot": stated("A")})).unwrap();
    assert_eq!(kind.class_lot, format!("{LINK}/10/A"));
}

#[test]
fn what_no_field_holds_and_wrong_check_digits_are_said_once() {
    let wrong = "https://id.gs1.org/01/09521239300018";
    let scrapped = json!({
        "items": [{"lot": format!("{LINK}/10/A/21/1")}, {"lot": format!("{LINK}/22/2A/10/B")}, {"lot": format!("{wrong}/10/C")}],
        "serials": [format!("{LINK}/10/D/21/2"), format!("{LINK}/10/D/21/3"), format!("{wrong}/21/4")],
    });
    let (_, findings) = taken("scrapped", &scrapped).unwrap();
    let said: Vec<(Code, &str)> = findings
        .iter()
        .map(|finding| (finding.code, finding.path.as_str()))
        .collect();
    let expected = [
        (Code::FactInLink, "/scrapped/items/0/lot"),
        (Code::FactInLink, "/scrapped/items/1/lot"),
        (Code::CheckDigit, "/scrapped/items/2/lot"),
        (Code::FactInLink, "/scrapped/serials"),
    ];
    assert_eq!(said, expected);
    assert!(
        findings[1].detail.starts_with(&format!("{LINK}/22/2A")),
        "{findings:?}"
    );
}

#[test]
fn a_name_that_its_ai_does_not_take_is_refused_with_what_it_takes() {
    let fault =
        commissioned(&json!({"serials": [format!("{LINK}/10/ABCDEFGHIJKLMNOPQRSTU/21/1")]})).unwrap_err();
    assert_eq!(fault.fields[0].path, "/commissioned/serials/0");
    let message = &fault.fields[0].message;
    assert!(
        message.starts_with("AI 10 (lot) takes 1 to 20 characters"),
        "{message}"
    );
}

#[test]
fn a_unit_that_is_compared_with_no_other_is_said_once() {
    let item = |unit: &str| json!({"lot": format!("{LINK}/10/A"), "quantity": {"value": "1", "unit": unit}});
    let members = json!({"items": [item("STN"), item("C62"), item("ZZ"), item("ZZ"), item("AMH")]});
    let (kind, findings) = commissioned(&members).unwrap();
    assert_eq!(kind.items[1].quantity.as_ref().unwrap().unit, "");
    let said: Vec<(Code, &str)> = findings
        .iter()
        .map(|finding| (finding.code, finding.path.as_str()))
        .collect();
    let expected = [
        (Code::UnfamiliarUnit, "/commissioned/items/2/quantity/unit"),
        (Code::UnfamiliarUnit, "/commissioned/items/4/quantity/unit"),
    ];
    assert_eq!(said, expected);
}

#[test]
fn a_word_that_rules_do_not_know_is_said_beside_the_event_and_refuses_nothing() {
    for (kind, members, path) in [
        (
            "transformed",
            json!({"step": "glue", "outputs": [{"lot": format!("{LINK}/10/A")}]}),
            "/transformed/step",
        ),
        (
            "product_declared",
            json!({"product": LINK, "kind": "widget"}),
            "/product_declared/kind",
        ),
    ] {
        let (_, findings) = taken(kind, &members).unwrap();
        let said: Vec<(Code, &str)> = findings
            .iter()
            .map(|finding| (finding.code, finding.path.as_str()))
            .collect();
        assert_eq!(said, [(Code::UnfamiliarWord, path)]);
    }
    let known = json!({"step": "form", "outputs": [{"lot": format!("{LINK}/10/A")}]});
    assert!(taken("transformed", &known).unwrap().1.is_empty());
}
