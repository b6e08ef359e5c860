//! The compliance projector beside the real ledger on a real bus: what it says is the same whichever way it
//! is asked, whenever it joined, and never about anything that the log did not sign.

mod distrust;
mod load;
mod memory;
pub(crate) mod service;

use std::{collections::BTreeMap, path::Path, time::Duration};

use bytes::Bytes;
use lotproof::{
    audit::{
        AuditOptions, LogSource as _,
        source::{CHECKPOINT, CHECKPOINT_LEN_MAX, len_max},
    },
    event::sealed::Opening,
    id::TreeSize,
    log::{
        checkpoint::SignedCheckpoint,
        tile::{TilePath, entry_bundles_between},
    },
    projector::Projector,
    shell::{
        http_client::HttpSource,
        mirror::{DirSource, mirror},
    },
    simulate::{LotKind, Story},
    trust::TrustFile,
};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use self::service::{Projecting, enrol, publish, simulation, size, trust};
use crate::{fixture::soon, ledger::World};

const PACK: &str = "us-ndaa-fy2024-s154";

/// The Department of Defense buys packs loose, in the first month of s.154.
fn procurement() -> Value {
    json!({"buyer": {"agency": "US-DOD"}, "obligation_date": "2027-11-01", "end_item_assembler": null})
}

/// The same as query parameters.
const PROCUREMENT: &str = "buyer.agency=US-DOD&obligation_date=2027-11-01&end_item_assembler=null";

/// An identifier as one segment of a path.
fn encoded(lot: &str) -> String {
    lot.replace('%', "%25").replace('/', "%2F").replace(':', "%3A")
}

/// A GS1 serial as its EPC URN, with a company prefix of seven digits.
fn urn(lot: &str) -> String {
    let mut parts = lot.rsplit('/');
    let (serial, _, gtin) = (parts.next().unwrap(), parts.next(), parts.next().unwrap());
    format!(
        "urn:epc:id:sgtin:{}.{}{}.{serial}",
        &gtin[1..8],
        &gtin[..1],
        &gtin[8..13]
    )
}

/// Folds a mirror's files.
fn folded(folder: &Path, trust: &TrustFile) -> Projector {
    let source = DirSource::new(folder);
    let note = source.read(CHECKPOINT, CHECKPOINT_LEN_MAX).unwrap().unwrap();
    let signed = SignedCheckpoint::verify(note, trust.origin(), trust.log_keys()).unwrap();
    let mut projector = Projector::new();
    for bundle in entry_bundles_between(TreeSize::EMPTY, signed.head().size) {
        let path = TilePath::Entries(bundle);
        let bytes = source.read(&path.to_string(), len_max(path)).unwrap().unwrap();
        for entry in bundle.entries(&bytes).unwrap() {
            projector.take(&Bytes::copy_from_slice(entry)).unwrap();
        }
    }
    assert_eq!(projector.head(), *signed.head());
    projector
}

fn write_openings(
    world: &World,
    name: &str,
    openings: &BTreeMap<String, Vec<Opening>>,
) -> std::path::PathBuf {
    let path = world.own.folder.path().join(name);
    std::fs::write(&path, serde_json::to_vec(openings).unwrap()).unwrap();
    path
}

/// Its verdict on a story's pack, by what it says in one word.
async fn verdict(projecting: &Projecting, story: &Story) -> Value {
    let request = json!({"lot": story.pack, "pack": PACK, "context": procurement()});
    projecting.ask("verdicts", &request).await.ok()["verdicts"][0].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_followed_live_answers_as_what_replayed_and_http_as_nats() {
    let world = World::new().await;
    let running = world.start().await;
    // Heads reach this one over the bus alone.
    let live = Projecting::start_with(&world, &running.url, |config| {
        config.follow.poll_interval = Duration::from_hours(1);
    })
    .await;
    let simulation = simulation();
    enrol(&world, &simulation).await;
    publish(&world, &simulation).await;
    let size = size(&running.url).await;
    live.until_at(size).await;

    // From nothing, eight entries at a time.
    let replayed = Projecting::start_with(&world, &running.url, |config| {
        config.follow.chunk_entries_max = 8;
    })
    .await;
    replayed.until_at(size).await;
    let digests = live.get("/v1/digests").await.ok();
    assert_eq!(replayed.get("/v1/digests").await.ok(), digests);
    let folder = world.own.folder.path().join("mirror");
    let offline = {
        let (source, trust) = (HttpSource::new(&running.url), trust(&world));
        tokio::task::spawn_blocking(move || {
            mirror(&source, &trust, &folder, &AuditOptions::default()).unwrap();
            folded(&folder, &trust)
        })
        .await
        .unwrap()
    };
    let projection = offline.projection();
    assert_eq!(digests["state_digest"], projection.state_digest().to_string());
    assert_eq!(digests["fact_digest"], projection.fact_digest().to_string());
    assert_eq!(digests["events"], projection.applied());
    let position = json!({"log_id": world.identity.log_id, "size": size, "root": offline.head().root});
    assert_eq!(digests["position"], position);

    let stories = simulation.stories();
    let (pack, signer) = (&stories[1].pack, &stories[3].anomalies[0].signer);
    let lots = format!("/v1/lots/{}", encoded(pack));
    let verdicts = json!({"lot": pack, "context": procurement(), "evaluation": "2027-11-02"});
    let asked = [
        (lots.clone(), "lot", json!({"lot": pack})),
        (format!("/v1/lots/{pack}"), "lot", json!({"lot": urn(pack)})),
        (
            format!("{lots}?limit=1&custody_offset=1"),
            "lot",
            json!({"lot": pack, "limit": 1, "custody_offset": 1}),
        ),
        (
            format!("{lots}/provenance"),
            "provenance",
            json!({"lot": pack, "direction": "up"}),
        ),
        (
            format!("{lots}/provenance?direction=up&nodes=3&depth=2"),
            "provenance",
            json!({"lot": pack, "nodes": 3, "depth": 2}),
        ),
        (
            format!("/v1/lots/{}/provenance?direction=down", urn(pack)),
            "provenance",
            json!({"lot": pack, "direction": "down"}),
        ),
        (
            format!("{lots}/verdicts?{PROCUREMENT}&evaluation=2027-11-02"),
            "verdicts",
            verdicts.clone(),
        ),
        (
            format!(
                "{lots}/verdicts?{PROCUREMENT}&evaluation=2027-11-02&pack={PACK}&param.funds_event=obligation"
            ),
            "verdicts",
            json!({"lot": pack, "context": procurement(), "evaluation": "2027-11-02", "pack": PACK,
                   "params": {"funds_event": "obligation"}}),
        ),
        (
            "/v1/anomalies?offset=1&limit=2".into(),
            "anomalies",
            json!({"offset": 1, "limit": 2}),
        ),
        (
            format!("/v1/anomalies?signer={}", encoded(signer)),
            "anomalies",
            json!({"signer": signer}),
        ),
        ("/v1/digests".into(), "digests", json!({})),
        ("/v1/packs".into(), "packs", json!({})),
        ("/v1/openings".into(), "openings", json!({})),
        // Questions that have no answer.
        (
            "/v1/lots/https://id.gs1.org/01/09521231100013/10/NONE".into(),
            "lot",
            json!({"lot": "https://id.gs1.org/01/09521231100013/10/NONE"}),
        ),
        ("/v1/lots/no%20lot".into(), "lot", json!({"lot": "no lot"})),
        (
            format!("{lots}/verdicts?buyer.agency=US-DOD"),
            "verdicts",
            json!({"lot": pack, "context": {"buyer": {"agency": "US-DOD"}}}),
        ),
        (
            format!("{lots}/provenance?depth=257"),
            "provenance",
            json!({"lot": pack, "depth": 257}),
        ),
    ];
    for (path, endpoint, request) in &asked {
        let over_http = live.get(path).await;
        assert_eq!(live.ask(endpoint, request).await, over_http, "{path}");
        assert_eq!(replayed.get(path).await, over_http, "{path}");
        if over_http.status == 200 {
            assert_eq!(over_http.json()["position"], position, "{path}");
            assert_eq!(over_http.json()["fixture"], true, "{path}");
        }
    }
    let posted = live.post(&format!("{lots}/verdicts"), &verdicts).await;
    assert_eq!(posted, live.ask("verdicts", &verdicts).await);

    for projecting in [live, replayed] {
        projecting.stop().await;
    }
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_stories_come_out_as_told_and_what_is_wrong_with_a_question_is_named() {
    let world = World::new().await;
    let running = world.start().await;
    let simulation = simulation();
    enrol(&world, &simulation).await;
    let openings = publish(&world, &simulation).await;
    let file = write_openings(&world, "openings.json", &openings);
    let size = size(&running.url).await;
    let projecting =
        Projecting::start_with(&world, &running.url, |config| config.openings = vec![file]).await;
    projecting.until_at(size).await;
    let found = projecting.get("/v1/anomalies?limit=1000").await.ok();
    let found = found["anomalies"].as_array().unwrap();
    for story in simulation.stories() {
        let verdict = verdict(&projecting, &story).await;
        assert_eq!(verdict["verdict"], json!(story.verdict), "{story:?}: {verdict}");
        for expected in &story.anomalies {
            let weight = if expected.weighs_on_lot { "lot" } else { "signer" };
            let is_it = |anomaly: &&Value| {
                anomaly["kind"] == expected.kind
                    && anomaly["lot"] == *expected.lot
                    && anomaly["signer"] == *expected.signer
                    && anomaly["weighs_on"] == weight
            };
            let anomaly = found
                .iter()
                .find(is_it)
                .unwrap_or_else(|| panic!("{expected:?}: {found:?}"));
            let filter = format!(
                "/v1/anomalies?kind={}&lot={}",
                expected.kind,
                encoded(&expected.lot)
            );
            let filtered = projecting.get(&filter).await.ok();
            assert_eq!(filtered["searched"], "lineage");
            let mut rows = filtered["anomalies"].as_array().unwrap().clone();
            for row in &mut rows {
                row.as_object_mut().unwrap().remove("depth");
            }
            // What a stranger did stands in the list of the whole log, and in no answer about the lot.
            let is_told = anomaly.get("by_stranger").is_none();
            assert_eq!(rows.contains(anomaly), is_told, "{filtered}");
            let lot = projecting
                .get(&format!("/v1/lots/{}", encoded(&expected.lot)))
                .await
                .ok();
            let strangers = lot["lot"]["strangers"]["total"].as_u64().unwrap_or_default();
            assert_eq!(strangers > 0, !is_told, "{lot}");
            // Whatever stands on a lot stands on what was made of it.
            if is_told {
                let pack = projecting
                    .get(&format!("/v1/lots/{}", encoded(&story.pack)))
                    .await
                    .ok();
                let lineage = &pack["lineage"];
                assert!(lineage["kinds"][&expected.kind].as_u64() >= Some(1), "{lineage}");
                let nearest = lineage["nearest"].as_array().unwrap();
                assert!(nearest.iter().any(|row| row["anomaly"] == *anomaly), "{lineage}");
                let behind = format!("/v1/anomalies?lot={}", encoded(&story.pack));
                let behind = projecting.get(&behind).await.ok();
                assert_eq!(behind["total"], lineage["total"]);
                assert_eq!(behind["kinds"], lineage["kinds"]);
            }
        }
    }
    let mut paged = Vec::new();
    let mut next = json!(0);
    while !next.is_null() {
        let page = projecting
            .get(&format!("/v1/anomalies?limit=2&offset={next}"))
            .await
            .ok();
        assert_eq!(page["total"], found.len());
        paged.extend(page["anomalies"].as_array().unwrap().clone());
        next = page["next_offset"].clone();
    }
    assert_eq!(&paged, found);

    let lot = format!("/v1/lots/{}", encoded(&simulation.stories()[0].pack));
    let up = projecting.get(&format!("{lot}/provenance")).await.ok();
    assert_eq!(up["provenance"]["truncated"], false);
    let some = projecting.get(&format!("{lot}/provenance?nodes=5")).await.ok();
    assert_eq!(some["provenance"]["truncated"], true);
    assert_eq!(some["provenance"]["nodes"].as_array().unwrap().len(), 5);
    assert_eq!((&up["truncated"], &up["cuts"]), (&json!(false), &json!([])));
    // Every bound that cut something is named, with how much is missing.
    for (path, of, bound, value) in [
        (format!("{lot}/provenance?nodes=5"), "nodes", "nodes", 5),
        (format!("{lot}/provenance?depth=1"), "nodes", "depth", 1),
        (format!("{lot}?limit=1"), "facts", "limit", 1),
        ("/v1/anomalies?limit=2".to_owned(), "anomalies", "limit", 2),
    ] {
        let answer = projecting.get(&path).await.ok();
        assert_eq!(answer["truncated"], true, "{path}");
        let cut = &answer["cuts"][0];
        assert_eq!(
            (&cut["of"], &cut["bound"], &cut["value"]),
            (&json!(of), &json!(bound), &json!(value)),
            "{path}"
        );
        assert!(cut["left_out"].as_u64().unwrap() >= 1, "{path}: {cut}");
    }
    assert_eq!(
        projecting.get("/v1/anomalies").await.ok()["searched"],
        "whole_log"
    );
    for (path, status, code, fields) in [
        (
            "/verdicts",
            400,
            "context_missing",
            &["buyer.agency", "obligation_date"][..],
        ),
        (
            "/verdicts?buyer.agency=US-DOD",
            400,
            "context_missing",
            &["obligation_date"],
        ),
        (
            "/verdicts?buyer.agency=US-DOD&obligation_date=soon",
            400,
            "invalid_context",
            &["obligation_date"],
        ),
        (
            "/verdicts?buyer.agency=US-ARMYY&obligation_date=2027-11-01&buyer.office=7",
            400,
            "invalid_context",
            &["buyer.agency", "buyer.office"],
        ),
        ("/verdicts?pack=no-law", 404, "unknown_pack", &["pack"]),
        ("/verdicts?pack=a&pack=b", 400, "invalid_parameter", &["pack"]),
        ("/provenance?nodes=10001", 400, "invalid_parameter", &["nodes"]),
        ("/provenance?direction=sideways", 400, "invalid_parameter", &[]),
        ("?depth=1", 400, "invalid_parameter", &[]),
        ("X", 404, "unknown_lot", &[]),
    ] {
        let (got, name, named) = projecting.get(&format!("{lot}{path}")).await.problem();
        assert_eq!((got, name.as_str()), (status, code), "{path}");
        assert_eq!(named, fields, "{path}");
    }
    assert_eq!(projecting.get("/v1/lot").await.problem().1, "not_found");
    let of_nobody = "/v1/anomalies?lot=https://id.gs1.org/01/09521231100013/10/NONE";
    assert_eq!(projecting.get(of_nobody).await.problem().1, "unknown_lot");
    assert_eq!(
        projecting.post("/v1/digests", &json!({})).await.problem().1,
        "method_not_allowed"
    );
    let large = json!({"context": {"note": "x".repeat(80_000)}});
    let too_large = projecting
        .post(&format!("{lot}/verdicts"), &large)
        .await
        .problem();
    assert_eq!((too_large.0, too_large.1.as_str()), (413, "request_too_large"));

    let metrics = projecting.get("/metrics").await;
    let metrics = String::from_utf8(metrics.body.to_vec()).unwrap();
    for line in [
        format!("lotproof_compliance_size {size}"),
        "lotproof_compliance_lag_entries 0".to_owned(),
        "lotproof_compliance_alarm 0".to_owned(),
        r#"lotproof_compliance_requests_total{code="unknown_pack",endpoint="verdicts",way="http"} 1"#
            .to_owned(),
    ] {
        assert!(metrics.contains(&line), "{line} is not in {metrics}");
    }
    assert_eq!(projecting.get("/healthz").await.status, 200);
    projecting.stop().await;
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sealed_field_is_unknown_until_opened_and_an_opening_that_lies_opens_nothing() {
    let world = World::new().await;
    let running = world.start().await;
    let simulation = simulation();
    enrol(&world, &simulation).await;
    let openings = publish(&world, &simulation).await;
    let mut altered = openings.clone();
    for opening in altered.values_mut().flatten() {
        *opening.value.last_mut().unwrap() ^= 1;
    }
    let count = openings.values().map(Vec::len).sum::<usize>();
    let (right, wrong) = (
        write_openings(&world, "right.json", &openings),
        write_openings(&world, "wrong.json", &altered),
    );
    let size = size(&running.url).await;
    let tainted = &simulation.stories()[1];
    assert_eq!(tainted.kind, LotKind::Tainted);
    let walk = format!("/v1/lots/{}/provenance?depth=1", encoded(&tainted.pack));
    let mut digests = Vec::new();
    for (files, matched, unmatched, expected) in [
        (vec![], 0, 0, "indeterminate"),
        (vec![wrong.clone()], 0, count, "indeterminate"),
        (vec![right.clone()], count, 0, "non_compliant"),
        (vec![wrong, right], count, count, "non_compliant"),
    ] {
        let projecting = Projecting::start_with(&world, &running.url, |config| config.openings = files).await;
        projecting.until_at(size).await;
        let report = projecting.get("/v1/openings?limit=1000").await.ok();
        assert_eq!(report["matched"], matched);
        assert_eq!(report["unmatched_total"], unmatched);
        assert_eq!(report["unmatched"].as_array().unwrap().len(), unmatched);
        assert_eq!(report["truncated"], false);
        assert!(
            report.to_string().len() < 1_000 + unmatched * 200,
            "no values leave"
        );
        let verdict = verdict(&projecting, tainted).await;
        assert_eq!(verdict["verdict"], expected, "{verdict}");
        let provenance = projecting.get(&walk).await.ok();
        for input in provenance["provenance"]["steps"][0]["inputs"].as_array().unwrap() {
            assert_eq!(input["sealed"] == true, matched == 0, "{input}");
        }
        let answer = projecting.get("/v1/digests").await.ok();
        assert_eq!(answer["openings"], matched);
        digests.push((answer["state_digest"].clone(), answer["fact_digest"].clone()));
        projecting.stop().await;
    }
    digests.dedup();
    assert_eq!(digests.len(), 1, "openings are no part of the log");
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_asker_who_never_finishes_holds_up_no_stop() {
    let world = World::new().await;
    let projecting = Projecting::start(&world, "http://127.0.0.1:9").await;
    let address = projecting.url.strip_prefix("http://").unwrap();
    let mut asker = TcpStream::connect(address).await.unwrap();
    let head = format!(
        "POST /v1/lots/urn:x:1/verdicts HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/json\r\n\
         Content-Length: 9\r\nExpect: 100-continue\r\n\r\n"
    );
    asker.write_all(head.as_bytes()).await.unwrap();
    // Said once somebody waits for the body.
    let mut go_on = [0; 25];
    soon("the word to go on", asker.read_exact(&mut go_on))
        .await
        .unwrap();
    assert_eq!(&go_on, b"HTTP/1.1 100 Continue\r\n\r\n");
    projecting.stop().await;
    drop(asker);
}
