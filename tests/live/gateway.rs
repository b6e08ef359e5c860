//! The publishing services on a real bus with a real ledger: what they accept is proven exactly once, whatever
//! is killed; what they do not accept is answered by field and code.

pub(crate) mod client;
mod crash;
mod drop_folder;

use std::time::Duration;

use lotproof::{
    epcis::{ExportOptions, export},
    event::parts::join_parts,
    gateway::Service,
    provenance::{Bounds, Direction},
    wire::v1::{self, event::Kind},
};
use prost::Message as _;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    sync::{oneshot, watch},
};

use self::client::{Gateway, admitted, commissioned, lot, project};
use crate::{
    fixture::{own_address, soon, until},
    ledger::{MAKER, PLANT, World, event, key},
};

#[tokio::test(flavor = "multi_thread")]
async fn events_posted_are_proven_and_seen_by_readers() {
    let world = World::new().await;
    let ledger = world.start().await;
    world.enrol().await;
    let gateway = Gateway::start(&world, Service::Manufacturing).await;
    let body = json!([commissioned("E1"), commissioned("E2")]);
    let (status, reply) = gateway.post("/v1/events", &body).await;
    assert_eq!(status, 202, "{reply}");
    assert_eq!(reply["events"][0]["id"], "E1");
    assert_eq!(reply["events"][0]["is_new"], true);
    let proven = gateway.proven("E2").await;
    let statement = &proven["statements"][0];
    assert_eq!(statement["feed"], key(1).feed().to_string());
    assert_eq!(
        (&statement["sequence"], &statement["event_number"]),
        (&json!(1), &json!(1))
    );
    assert_eq!(statement["outcome"], "admitted");
    assert!(statement["checkpoint_size"].as_u64() > statement["index"].as_u64());

    let mut without_id = commissioned("E3");
    without_id.as_object_mut().unwrap().shift_remove("id");
    let (_, first) = gateway.post("/v1/events", &without_id).await;
    let (_, second) = gateway.post("/v1/events", &without_id).await;
    assert_ne!(
        first["events"][0]["id"], second["events"][0]["id"],
        "two equal movements are two"
    );
    for reply in [&first, &second] {
        gateway.proven(reply["events"][0]["id"].as_str().unwrap()).await;
    }
    assert_eq!(admitted(&ledger, &world).await.len(), 4);
    let projector = project(&ledger.log(&world.identity).await);
    assert!(projector.projection().lot(&lot("E2")).is_some());
    assert_eq!(gateway.get("/healthz").await.0, 200);
    assert_eq!(gateway.get("/readyz").await.0, 200);
    let metrics = gateway.text("/metrics").await;
    assert!(
        metrics.contains("lotproof_gateway_events_total{answer=\"new\"} 4"),
        "{metrics}"
    );
    gateway.stop().await;
    ledger.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_id_is_taken_once_and_other_content_is_a_conflict() {
    let world = World::new().await;
    let ledger = world.start().await;
    world.enrol().await;
    let gateway = Gateway::start(&world, Service::Manufacturing).await;
    assert_eq!(gateway.post("/v1/events", &commissioned("E1")).await.0, 202);
    let place = gateway.proven("E1").await["statements"].clone();
    let (status, again) = gateway.post("/v1/events", &commissioned("E1")).await;
    assert_eq!((status, &again["events"][0]["is_new"]), (200, &json!(false)));
    assert_eq!(again["events"][0]["statements"], place);

    let mut other = commissioned("E1");
    other["commissioned"]["items"][0]["lot"] = json!(lot("other"));
    let (status, fault) = gateway
        .post("/v1/events", &json!([commissioned("E2"), other]))
        .await;
    assert_eq!((status, &fault["code"]), (409, &json!("conflict")), "{fault}");
    assert_eq!(fault["fields"][0]["path"], "/1/id");
    assert_eq!(gateway.get("/v1/events/E2").await.0, 404, "all or none");

    // Twenty at once: one event.
    let posts = (0..20).map(|_| gateway.post_owned("/v1/events", commissioned("E3")));
    let answers = futures::future::join_all(posts).await;
    let new = answers
        .iter()
        .filter(|(_, reply)| reply["events"][0]["is_new"] == true)
        .count();
    assert_eq!(new, 1);

    // With an error declaration it is a correction, and repeated it is the same one; other content is not what was
    // stated, and takes nothing back.
    let declaration = json!({
        "declaration_time": "2026-02-03T08:00:00Z", "reason": "incorrect_data", "corrective_ids": ["E1b"]
    });
    other["error_declaration"] = declaration.clone();
    let (status, fault) = gateway.post("/v1/events", &other).await;
    assert_eq!((status, &fault["code"]), (409, &json!("conflict")), "{fault}");
    let mut wrong = commissioned("E1");
    wrong["error_declaration"] = declaration.clone();
    let (status, reply) = gateway.post("/v1/events", &wrong).await;
    assert_eq!(status, 202, "{reply}");
    let id = reply["events"][0]["id"].as_str().unwrap().to_owned();
    gateway.proven(&id).await;
    assert_eq!(gateway.post("/v1/events", &wrong).await.0, 200);
    let corrected = client::find(&ledger, &world, &id).await;
    let Some(Kind::Corrected(corrected)) = corrected.kind else {
        panic!("{corrected:?}")
    };
    assert_eq!(
        corrected.event.unwrap().leaf_index,
        place[0]["index"].as_u64().unwrap()
    );

    let mut unknown = commissioned("E99");
    unknown["error_declaration"] = declaration;
    // Not published before: it is now, and the declaration follows once that is proven.
    let (status, reply) = gateway.post("/v1/events", &unknown).await;
    assert_eq!(
        (status, &reply["events"][0]["is_declared"]),
        (202, &json!(false)),
        "{reply}"
    );
    gateway.proven("E99").await;
    let (status, reply) = gateway.post("/v1/events", &unknown).await;
    assert_eq!(
        (status, &reply["events"][0]["is_declared"]),
        (202, &json!(true)),
        "{reply}"
    );
    gateway.proven(reply["events"][0]["id"].as_str().unwrap()).await;
    gateway.stop().await;
    ledger.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_taken_is_answered_with_code_and_field() {
    let world = World::new().await;
    let ledger = world.start().await;
    world.enrol().await;
    let mut config = client::config(&world, Service::Shipping);
    config.body_len_max = 20_000;
    config.publisher.outbox.backlog_len_max = 6_000;
    let gateway = Gateway::run(config).await;
    let (status, fault) = gateway.post("/v1/events", &commissioned("E1")).await;
    assert_eq!((status, &fault["code"]), (422, &json!("kind_not_taken")));
    assert_eq!(fault["fields"][0]["path"], "/commissioned");
    let (status, fault) = gateway.post("/v1/events", &json!({"id": "E1", "held": {}})).await;
    assert_eq!((status, &fault["code"]), (422, &json!("invalid_event")));
    assert_eq!(fault["fields"][0]["path"], "/event_time");
    let (status, fault) = gateway.post_text("/v1/events", "{").await;
    assert_eq!((status, &fault["code"]), (400, &json!("not_json")));
    let (status, fault) = gateway.post_text("/v1/capture?mode=fast", "{}").await;
    assert_eq!((status, &fault["code"]), (400, &json!("bad_query")));
    let (status, fault) = gateway.post_text("/v1/events", &" ".repeat(20_001)).await;
    assert_eq!((status, &fault["code"]), (413, &json!("too_large")));
    let (status, fault) = gateway.get("/v1/events/unknown").await;
    assert_eq!((status, &fault["code"]), (404, &json!("unknown_event")));
    let (status, fault) = gateway.get("/v2").await;
    assert_eq!((status, &fault["code"]), (404, &json!("not_found")));
    let (status, fault) = gateway.get("/v1/events").await;
    assert_eq!((status, &fault["code"]), (405, &json!("method_not_allowed")));

    // Nothing is receipted while the ledger is away, so the outbox fills up.
    ledger.stop().await;
    let mut answers = Vec::new();
    for number in 0..60 {
        answers.push(gateway.post("/v1/events", &held(&format!("H{number}"))).await);
    }
    let (status, fault) = answers.last().unwrap();
    assert_eq!((*status, &fault["code"]), (503, &json!("outbox_full")));
    assert_eq!(gateway.retry_after().as_deref(), Some("2"));
    let all: Vec<Value> = (0..80).map(|number| held(&format!("L{number}"))).collect();
    let (status, fault) = gateway.post("/v1/events", &all.into()).await;
    assert_eq!((status, &fault["code"]), (413, &json!("too_large")), "never fits");
    let ledger = world.start().await;
    for (number, (status, _)) in answers.iter().enumerate() {
        if *status == 202 {
            gateway.proven(&format!("H{number}")).await;
        }
    }
    gateway.stop().await;
    ledger.stop().await;
}

fn held(id: &str) -> Value {
    let mut event = commissioned(id);
    let commissioned = event.as_object_mut().unwrap().shift_remove("commissioned");
    event["held"] = json!({"items": commissioned.unwrap()["items"], "facility": PLANT});
    event
}

#[tokio::test(flavor = "multi_thread")]
async fn who_never_sends_what_he_announced_makes_room_for_others() {
    let world = World::new().await;
    let mut config = client::config(&world, Service::Manufacturing);
    (config.requests_max, config.body_patience) = (1, Duration::from_secs(2));
    let gateway = Gateway::run(config).await;
    let mut slow = TcpStream::connect(gateway.address()).await.unwrap();
    let head = format!(
        "POST /v1/events HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\
         Expect: 100-continue\r\n\r\n",
        gateway.address()
    );
    slow.write_all(head.as_bytes()).await.unwrap();
    // Said once somebody waits for the body.
    let mut go_on = [0; 25];
    soon("the word to go on", slow.read_exact(&mut go_on))
        .await
        .unwrap();
    let (status, fault) = gateway.post("/v1/events", &commissioned("E1")).await;
    assert_eq!((status, &fault["code"]), (429, &json!("busy")));
    let mut answer = [0; 12];
    soon("the answer", slow.read_exact(&mut answer)).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 408");
    assert_eq!(gateway.post("/v1/events", &commissioned("E1")).await.0, 202);
    gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ledger_that_is_away_costs_nothing() {
    let world = World::new().await;
    let ledger = world.start().await;
    world.enrol().await;
    ledger.stop().await;
    let gateway = Gateway::start(&world, Service::Manufacturing).await;
    for number in 0..20 {
        let (status, reply) = gateway
            .post("/v1/events", &commissioned(&format!("E{number}")))
            .await;
        assert_eq!(status, 202);
        assert_eq!(
            reply["events"][0]["state"], "queued",
            "nobody has confirmed the feed's head yet"
        );
    }
    let ledger = world.start().await;
    for number in 0..20 {
        gateway.proven(&format!("E{number}")).await;
    }
    let admitted = admitted(&ledger, &world).await;
    assert_eq!(admitted.len(), 20);
    assert!(admitted.values().all(|count| *count == 1));
    gateway.stop().await;
    ledger.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_bad_event_does_not_take_its_neighbours_along() {
    let world = World::new().await;
    let ledger = world.start().await;
    world.enrol().await;
    let gateway = Gateway::start(&world, Service::Manufacturing).await;
    let not_ours = json!({
        "id": "bad", "event_time": "2026-02-02T08:00:00Z",
        "ownership_declared": {"party": "https://id.gs1.org/417/9521230200103"}
    });
    let body = json!([commissioned("E1"), not_ours, commissioned("E2")]);
    let (status, reply) = gateway.post("/v1/events", &body).await;
    assert_eq!(status, 202, "{reply}");
    gateway.proven("E1").await;
    gateway.proven("E2").await;
    until("one letter", async || {
        let (_, letters) = gateway.get("/v1/dead-letters").await;
        letters["dead_letters"].as_array().is_some_and(|letters| {
            letters.len() == 1
                && letters[0]["events"]
                    .as_array()
                    .is_some_and(|events| events.len() == 1)
        })
    })
    .await;
    let (_, letters) = gateway.get("/v1/dead-letters").await;
    let letter = &letters["dead_letters"][0];
    assert_eq!(
        (&letter["reason"], &letter["events"][0]["id"]),
        (&json!("wrong_party"), &json!("bad"))
    );
    let (_, dead) = gateway.get("/v1/events/bad").await;
    assert_eq!(
        (&dead["state"], &dead["statements"][0]["code"]),
        (&json!("dead_letter"), &json!("wrong_party"))
    );
    let path = format!("/v1/dead-letters/{}", letter["number"]);
    assert_eq!(gateway.delete(&path).await, 204);
    assert_eq!(gateway.delete(&path).await, 404);
    assert_eq!(gateway.get("/v1/events/bad").await.0, 404);
    // Mended, under the same id.
    let mut mended = not_ours;
    mended["ownership_declared"]["party"] = json!(MAKER);
    assert_eq!(gateway.post("/v1/events", &mended).await.0, 202);
    gateway.proven("bad").await;
    gateway.stop().await;
    ledger.stop().await;
}

/// A long event begins in the statement of a bad one, and ends in one with a good one.
#[tokio::test(flavor = "multi_thread")]
async fn a_bad_event_does_not_take_a_long_neighbour_along() {
    let world = World::new().await;
    let ledger = world.start().await;
    world.enrol().await;
    let gateway = Gateway::start(&world, Service::Manufacturing).await;
    let bad = json!({
        "id": "bad", "event_time": "2026-02-02T08:00:00Z",
        "ownership_declared": {"party": "https://id.gs1.org/417/9521230200103"}
    });
    let serials: Vec<String> = (0..50_000)
        .map(|number| format!("https://id.gs1.org/01/09521231200010/21/C2609-{number:06}"))
        .collect();
    let long = json!({
        "id": "long", "event_time": "2026-02-02T08:00:00Z",
        "transformed": {
            "step": "form", "facility": PLANT, "operator": MAKER, "inputs": [{"lot": lot("POWDER")}],
            "output_serials": serials, "class_lot": lot("CELLS")
        }
    });
    let (status, reply) = gateway
        .post("/v1/events", &json!([bad, long, commissioned("E1")]))
        .await;
    assert_eq!(status, 202, "{reply}");
    gateway.proven("E1").await;
    let statements = gateway.proven("long").await["statements"].clone();
    assert!(statements.as_array().unwrap().len() > 1, "{statements}");
    until("one letter, of the bad event", async || {
        let (_, letters) = gateway.get("/v1/dead-letters").await;
        let letters = letters["dead_letters"].as_array().cloned().unwrap_or_default();
        letters.len() == 1
            && letters[0]["events"].as_array().map(Vec::len) == Some(1)
            && letters[0]["events"][0]["id"] == "bad"
    })
    .await;
    gateway.stop().await;
    ledger.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_register_lacks_is_told_and_goes_again() {
    let world = World::new().await;
    let ledger = world.start().await;
    world.enrol().await;
    let gateway = Gateway::start(&world, Service::Manufacturing).await;
    let plant = "https://id.gs1.org/414/9521230010023";
    let mut early = commissioned("E1");
    early["commissioned"]["facility"] = json!(plant);
    gateway.post("/v1/events", &early).await;
    until("the refusal", async || {
        let (_, status) = gateway.get("/v1/events/E1").await;
        status["state"] == "refused" && status["statements"][0]["code"] == "unknown_facility"
    })
    .await;
    let registered = Kind::FacilityRegistered(v1::FacilityRegistered {
        facility: plant.into(),
        country: "KR".into(),
        operator: MAKER.into(),
        ..Default::default()
    });
    world.authority_says(&[event("late", registered)]).await;
    gateway.proven("E1").await;
    gateway.stop().await;
    ledger.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_waits_for_ever_leaves_its_neighbours_and_can_be_withdrawn() {
    let world = World::new().await;
    let ledger = world.start().await;
    world.enrol().await;
    let gateway = Gateway::start(&world, Service::Manufacturing).await;
    let mut mistyped = commissioned("W2");
    mistyped["commissioned"]["facility"] = json!("https://id.gs1.org/414/9521230010023");
    let batch = json!([commissioned("W1"), mistyped, commissioned("W3")]);
    let (status, _) = gateway.post("/v1/events", &batch).await;
    assert_eq!(status, 202);
    gateway.proven("W1").await;
    gateway.proven("W3").await;
    until("the withdrawal", async || {
        match gateway.delete("/v1/events/W2").await {
            204 => true,
            status => {
                assert_eq!(status, 409);
                false
            }
        }
    })
    .await;
    assert_eq!(gateway.get("/v1/events/W2").await.0, 404);
    assert_eq!(gateway.delete("/v1/events/W2").await, 404);
    assert_eq!(gateway.delete("/v1/events/W1").await, 409, "in the log");
    let (status, _) = gateway.post("/v1/events", &commissioned("W2")).await;
    assert_eq!(status, 202);
    gateway.proven("W2").await;
    let admitted = client::admitted(&ledger, &world).await;
    assert!(
        ["W1", "W2", "W3"].iter().all(|id| admitted[*id] == 1),
        "{admitted:?}"
    );
    gateway.stop().await;
    ledger.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_document_is_captured_event_by_event() {
    let world = World::new().await;
    let ledger = world.start().await;
    world.enrol().await;
    let gateway = Gateway::start(&world, Service::Manufacturing).await;
    let document = client::document();
    let (status, reply) = gateway.post("/v1/capture", &document).await;
    assert_eq!(status, 202, "{reply}");
    assert_eq!(reply["events"][0]["kind"], "commissioned");
    let id = reply["events"][0]["id"].as_str().unwrap().to_owned();
    let codes: Vec<_> = reply["refused"]
        .as_array()
        .unwrap()
        .iter()
        .map(|refused| &refused["code"])
        .collect();
    assert_eq!(codes, ["kind_not_taken", "not_epcis"]);
    gateway.proven(&id).await;
    let (status, again) = gateway.post("/v1/capture", &document).await;
    assert_eq!((status, &again["events"][0]["is_new"]), (200, &json!(false)));
    let (status, nothing) = gateway.post("/v1/capture", &json!([document[1]])).await;
    assert_eq!((status, &nothing["code"]), (422, &json!("nothing_taken")));
    assert_eq!(nothing["refused"][0]["code"], "kind_not_taken");
    // What is only observed says so beside its event.
    let mut departing = document[1].clone();
    departing["bizStep"] = json!("departing");
    departing["eventID"] = json!("ni:///sha-256;departing");
    let (status, reply) = gateway.post("/v1/capture", &departing).await;
    assert_eq!((status, &reply["events"][0]["kind"]), (202, &json!("observed")));
    let findings = reply["events"][0]["findings"].as_array().unwrap();
    assert!(
        findings
            .iter()
            .any(|found| found["code"] == "observed_only" && found["path"] == "/bizStep"),
        "{reply}"
    );
    gateway.stop().await;
    ledger.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn fifty_thousand_serials_go_in_trace_and_come_out_equal() {
    let world = World::new().await;
    let ledger = world.start().await;
    world.enrol().await;
    let gateway = Gateway::start(&world, Service::Manufacturing).await;
    let serials: Vec<String> = (0..50_000)
        .map(|number| format!("https://id.gs1.org/01/09521231200010/21/C2609-{number:06}"))
        .collect();
    let class_lot = lot("CELLS");
    let body = json!({
        "id": "urn:uuid:cells", "event_time": "2026-02-02T08:00:00Z",
        "transformed": {
            "step": "form", "facility": PLANT, "operator": MAKER, "inputs": [{"lot": lot("POWDER")}],
            "output_serials": serials, "class_lot": class_lot
        }
    });
    let (status, reply) = gateway.post("/v1/events", &body).await;
    assert_eq!(status, 202, "{reply}");
    let parts = gateway.proven("urn:uuid:cells").await["statements"]
        .as_array()
        .unwrap()
        .len();
    assert!(parts > 1, "{parts} statements");

    let entries = ledger.log(&world.identity).await;
    let projector = project(&entries);
    let walk = projector
        .projection()
        .provenance(&serials[49_999], Direction::Up, Bounds::default())
        .expect("the last serial is known");
    assert!(
        walk.nodes.iter().any(|node| node.lot == lot("POWDER")),
        "{walk:?}"
    );

    let parts: Vec<v1::Event> = client::events(&entries)
        .into_iter()
        .map(|bytes| v1::Event::decode(bytes).unwrap())
        .filter(|event| event.id == "urn:uuid:cells")
        .collect();
    let exported = export(&[join_parts(&parts).unwrap()], &ExportOptions::default());
    assert_eq!(exported.not_exportable, []);
    let list = &exported.document["epcisBody"]["eventList"][0]["outputEPCList"];
    let mut out: Vec<&str> = list
        .as_array()
        .unwrap()
        .iter()
        .filter_map(Value::as_str)
        .collect();
    out.sort_unstable();
    assert_eq!(out, serials);
    gateway.stop().await;
    soon("the ledger", ledger.stop()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_without_a_bus_says_what_it_waits_for_and_takes_events_once_it_is_there() {
    let mut world = World::new().await;
    let ledger = world.start().await;
    world.enrol().await;
    ledger.stop().await;
    world.own.server.kill().await;
    let mut config = client::config(&world, Service::Manufacturing);
    config.http = own_address();
    let address = config.http;
    let (stop, shutdown) = watch::channel(false);
    let (listening, mut heard) = oneshot::channel();
    let running = tokio::spawn(lotproof::shell::gateway::run(config, shutdown, listening));
    let message = format!("waiting for the bus at {}", world.own.server.url());
    let waiting = json!({"status": 503, "code": "starting", "detail": message});
    // A slow machine is asked before the gateway has opened its port.
    until("the port of the gateway", async || {
        tokio::net::TcpStream::connect(address).await.is_ok()
    })
    .await;
    until("the word that the bus is waited for", async || {
        client::get(address, "/readyz").await == (503, waiting.clone())
    })
    .await;
    assert_eq!(client::get(address, "/healthz").await.0, 200);
    assert_eq!(client::get(address, "/metrics").await.0, 200);
    assert_eq!(
        client::get(address, "/v1/events/E1").await,
        (503, waiting.clone())
    );
    let (status, retry_after, body) = client::call(
        "POST",
        address,
        "/v1/events",
        Some(commissioned("E1").to_string()),
    )
    .await;
    assert_eq!((status, retry_after.as_deref()), (503, Some("2")));
    assert_eq!(serde_json::from_str::<Value>(&body).unwrap(), waiting);
    assert!(heard.try_recv().is_err(), "nobody is told that events are taken");

    world.own.server.restart().await.expect("the server again");
    let ledger = world.start().await;
    soon("the gateway to listen", heard).await.expect("it starts");
    assert_eq!(client::get(address, "/readyz").await.0, 200);
    let posted = client::call(
        "POST",
        address,
        "/v1/events",
        Some(commissioned("E1").to_string()),
    )
    .await;
    assert_eq!(posted.0, 202);
    until("the receipt", async || {
        client::get(address, "/v1/events/E1").await.1["state"] == "receipted"
    })
    .await;
    stop.send_replace(true);
    let ended = soon("the gateway to stop", running).await.expect("no panic");
    ended.expect("a clean end");
    ledger.stop().await;
}
