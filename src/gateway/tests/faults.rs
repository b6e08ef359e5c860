//! Each fault of a body names its field.

use super::*;

/// What is done to a good event, and the fields that must be named.
fn named(change: impl FnOnce(&mut Value)) -> (FaultCode, Vec<String>) {
    let mut event = commissioned("E1");
    change(&mut event);
    let fault =
        intake::events(event.to_string().as_bytes(), Service::Manufacturing, ids).expect_err("a fault");
    let paths = fault.fields.into_iter().map(|field| field.path).collect();
    (fault.code, paths)
}

#[test]
fn each_fault_names_its_field() {
    type Change = fn(&mut Value);
    let item = "/commissioned/items/0";
    let rows: &[(Change, &str)] = &[
        (|event| event["id"] = json!("a b"), "/id"),
        (|event| event["id"] = json!(7), "/id"),
        (
            |event| drop(event.as_object_mut().unwrap().shift_remove("event_time")),
            "/event_time",
        ),
        (
            |event| event["event_time"] = json!("2026-02-02T08:00:00"),
            "/event_time",
        ),
        (|event| event["event_time"] = json!(1_769_986_800), "/event_time"),
        (
            |event| event["utc_offset_minutes"] = json!(5_000),
            "/utc_offset_minutes",
        ),
        (|event| event["colour"] = json!("blue"), "/colour"),
        (|event| event["part"] = json!({"number": 1, "count": 2}), "/part"),
        (
            |event| drop(event.as_object_mut().unwrap().shift_remove("commissioned")),
            "",
        ),
        (|event| event["scrapped"] = json!({}), ""),
        (|event| event["commissioned"] = json!([]), "/commissioned"),
        (
            |event| event["commissioned"]["facility"] = json!("plant 7"),
            "/commissioned/facility",
        ),
        (
            |event| event["commissioned"]["facility"] = json!(null),
            "/commissioned/facility",
        ),
        (
            |event| event["commissioned"]["items"] = json!({}),
            "/commissioned/items",
        ),
        (|event| event["commissioned"]["items"][0] = json!("lot"), item),
        (
            |event| event["commissioned"]["items"][0] = json!({}),
            "/commissioned/items/0/lot",
        ),
        (
            |event| event["commissioned"]["items"][0]["quantity"]["value"] = json!(1200.5),
            "/commissioned/items/0/quantity/value",
        ),
        (
            |event| event["commissioned"]["items"][0]["quantity"]["value"] = json!("-1"),
            "/commissioned/items/0/quantity/value",
        ),
        (
            |event| event["commissioned"]["items"][0]["quantity"]["unit"] = json!("kilo"),
            "/commissioned/items/0/quantity/unit",
        ),
        (
            |event| event["commissioned"]["items"][0]["a/b"] = json!(1),
            "/commissioned/items/0/a~1b",
        ),
        (
            |event| event["commissioned"]["serials"] = json!(["urn:x:1", 2]),
            "/commissioned/serials/1",
        ),
        (
            |event| event["commissioned"]["serials"] = json!(["urn:epc:id:sgtin:1.2"]),
            "/commissioned/serials/0",
        ),
        (
            |event| event["commissioned"]["country_of_origin"] = json!("Korea"),
            "/commissioned/country_of_origin",
        ),
        (
            |event| event["reported"] = json!({"document": "00"}),
            "/reported/document",
        ),
        (
            |event| event["error_declaration"] = json!({}),
            "/error_declaration/declaration_time",
        ),
        (
            |event| {
                event["error_declaration"] = json!({"declaration_time": "2026-02-02T08:00:00Z", "why": 1});
            },
            "/error_declaration/why",
        ),
    ];
    for (change, path) in rows {
        assert_eq!(named(change), (FaultCode::InvalidEvent, vec![(*path).to_owned()]));
    }
}

#[test]
fn all_faults_of_all_events_are_named_at_once() {
    let (mut first, mut second) = (commissioned("E1"), commissioned("E2"));
    first["event_time"] = json!("now");
    second["commissioned"]["facility"] = json!("there");
    second["commissioned"]["items"][0]["lot"] = json!("that one");
    let body = json!([first, commissioned("E3"), second]).to_string();
    let fault = intake::events(body.as_bytes(), Service::Manufacturing, ids).unwrap_err();
    let paths: Vec<_> = fault.fields.iter().map(|field| field.path.as_str()).collect();
    assert_eq!(
        paths,
        [
            "/0/event_time",
            "/2/commissioned/facility",
            "/2/commissioned/items/0/lot"
        ]
    );
}

#[test]
fn a_kind_of_the_other_service_is_named() {
    let body = commissioned("E1").to_string();
    let fault = intake::events(body.as_bytes(), Service::Shipping, ids).unwrap_err();
    assert_eq!(
        (fault.code, fault.fields[0].path.as_str()),
        (FaultCode::KindNotTaken, "/commissioned")
    );
}

#[test]
fn an_id_stands_once_in_a_request() {
    let body = json!([commissioned("E1"), commissioned("E1")]).to_string();
    let fault = intake::events(body.as_bytes(), Service::Manufacturing, ids).unwrap_err();
    assert_eq!(fault.fields[0].path, "/1/id");
}

#[test]
fn what_is_no_json_or_no_event_is_said_so() {
    let code = |body: &str| {
        intake::events(body.as_bytes(), Service::Manufacturing, ids)
            .unwrap_err()
            .code
    };
    assert_eq!(code("{"), FaultCode::NotJson);
    assert_eq!(code(r#"{"id": "a", "id": "b"}"#), FaultCode::NotJson);
    assert_eq!(code("[]"), FaultCode::InvalidEvent);
    assert_eq!(code("7"), FaultCode::InvalidEvent);
    let options = ImportOptions::default();
    let code = |body: &str| {
        intake::capture(body.as_bytes(), Service::Manufacturing, &options)
            .unwrap_err()
            .code
    };
    assert_eq!(code("{"), FaultCode::NotJson);
    assert_eq!(code("{}"), FaultCode::NotEpcis);
}

#[test]
fn codes_are_distinct_and_have_statuses_of_their_class() {
    let mut names = std::collections::BTreeSet::new();
    for code in FaultCode::ALL {
        assert!(names.insert(code.name()));
        assert!((400..=503).contains(&code.status()));
        assert!(
            !code.is_retryable() || [408, 409, 429, 503].contains(&code.status()),
            "{code:?}"
        );
    }
}
