//! A gateway in this process, and what its users and readers do.

use std::{collections::BTreeMap, net::SocketAddr, sync::Mutex};

use bytes::Bytes;
use lotproof::{
    code::Outcome,
    entry::{Body, Entry},
    envelope::Envelope,
    gateway::Service,
    log::note::VerifierKey,
    projector::Projector,
    shell::gateway::{Config, GatewayError, run},
    trust::TrustFile,
    wire::v1,
};
use prost::Message as _;
use serde_json::{Value, json};
use tokio::{
    sync::{oneshot, watch},
    task::JoinHandle,
};

use crate::{
    fixture::{DEADLINE, soon},
    ledger::{MAKER, PLANT, Running, World, key},
};

/// A running gateway of the maker, under key 1.
pub(crate) struct Gateway {
    address: SocketAddr,
    stop: watch::Sender<bool>,
    task: JoinHandle<Result<(), GatewayError>>,
    retry_after: Mutex<Option<String>>,
}

pub(crate) fn config(world: &World, service: Service) -> Config {
    let identity = &world.identity;
    let verifier: VerifierKey = identity.log_key.parse().unwrap();
    let trust = TrustFile::new(identity.origin.clone(), identity.log_id, vec![verifier]).unwrap();
    let folder = world.own.folder.path().join("gateway");
    let keys = vec![key(1)];
    let mut config = Config::new(service, world.own.server.url(), &trust, MAKER, keys, folder).unwrap();
    config.publisher.outbox.wait_ms = 200;
    config.publisher.outbox.wait_ms_max = 1_000;
    config.publisher.outbox.probe_ms = 200;
    config
}

impl Gateway {
    pub(crate) async fn start(world: &World, service: Service) -> Self {
        Self::run(config(world, service)).await
    }

    pub(crate) async fn run(config: Config) -> Self {
        let (stop, shutdown) = watch::channel(false);
        let (listening, address) = oneshot::channel();
        let task = tokio::spawn(run(config, shutdown, listening));
        let address = soon("the gateway to listen", address).await.expect("it starts");
        Self {
            address,
            stop,
            task,
            retry_after: Mutex::default(),
        }
    }

    pub(crate) const fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) async fn stop(self) {
        self.stop.send_replace(true);
        soon("the gateway to stop", self.task)
            .await
            .unwrap()
            .expect("a clean end");
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> (u16, Value) {
        self.post_text(path, &body.to_string()).await
    }

    pub(crate) async fn post_owned(&self, path: &str, body: Value) -> (u16, Value) {
        self.post(path, &body).await
    }

    pub(crate) async fn post_text(&self, path: &str, body: &str) -> (u16, Value) {
        let (status, retry_after, body) = call("POST", self.address, path, Some(body.to_owned())).await;
        *self.retry_after.lock().unwrap() = retry_after;
        (status, serde_json::from_str(&body).unwrap_or(Value::String(body)))
    }

    /// `Retry-After` of the last answer to a post.
    pub(crate) fn retry_after(&self) -> Option<String> {
        self.retry_after.lock().unwrap().clone()
    }

    pub(crate) async fn text(&self, path: &str) -> String {
        call("GET", self.address, path, None).await.2
    }

    pub(crate) async fn get(&self, path: &str) -> (u16, Value) {
        get(self.address, path).await
    }

    pub(crate) async fn delete(&self, path: &str) -> u16 {
        call("DELETE", self.address, path, None).await.0
    }

    pub(crate) async fn proven(&self, id: &str) -> Value {
        proven(self.address, id).await
    }
}

pub(crate) async fn get(address: SocketAddr, path: &str) -> (u16, Value) {
    let (status, _, body) = call("GET", address, path, None).await;
    (status, serde_json::from_str(&body).unwrap_or(Value::String(body)))
}

/// Waits until an event is receipted, and returns what is known of it.
pub(crate) async fn proven(address: SocketAddr, id: &str) -> Value {
    let path = format!("/v1/events/{id}");
    soon(&format!("the receipt of {id}"), async {
        loop {
            let (_, status) = get(address, &path).await;
            if status["state"] == "receipted" {
                return status;
            }
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
    })
    .await
}

pub(crate) async fn call(
    method: &'static str,
    address: SocketAddr,
    path: &str,
    body: Option<String>,
) -> (u16, Option<String>, String) {
    let url = format!("http://{address}{path}");
    let request = tokio::task::spawn_blocking(move || {
        let agent = ureq::Agent::new_with_config(
            ureq::Agent::config_builder()
                .http_status_as_error(false)
                .timeout_global(Some(DEADLINE))
                .build(),
        );
        let mut answer = match (method, body) {
            ("POST", Some(body)) => agent.post(&url).content_type("application/json").send(body),
            ("DELETE", _) => agent.delete(&url).call(),
            _ => agent.get(&url).call(),
        }
        .expect("an answer");
        let retry_after = answer
            .headers()
            .get("retry-after")
            .map(|value| value.to_str().unwrap().to_owned());
        let text = answer
            .body_mut()
            .with_config()
            .limit(64 << 20)
            .read_to_string()
            .expect("a body");
        (answer.status().as_u16(), retry_after, text)
    });
    request.await.unwrap()
}

pub(crate) fn lot(id: &str) -> String {
    format!("https://id.gs1.org/01/09521231100013/10/{id}")
}

/// The JSON of an event that makes a lot.
pub(crate) fn commissioned(id: &str) -> Value {
    json!({
        "id": id,
        "event_time": "2026-02-02T08:00:00+09:00",
        "commissioned": {"facility": PLANT, "items": [{"lot": lot(id), "quantity": {"value": "800", "unit": "KGM"}}]}
    })
}

/// A list of EPCIS events: one that manufacturing takes, one that shipping takes, one that is none.
pub(crate) fn document() -> Value {
    let event = |number: u32, step: &str, action: &str| {
        json!({
            "type": "ObjectEvent", "eventID": format!("ni:///sha-256;{number}"), "action": action, "bizStep": step,
            "eventTime": "2026-02-02T08:00:00Z", "eventTimeZoneOffset": "+00:00",
            "epcList": [format!("urn:epc:id:sgtin:952123.0120001.S{number}")]
        })
    };
    json!([event(1, "commissioning", "ADD"), event(2, "shipping", "OBSERVE"), {"type": "ObjectEvent"}])
}

/// The encoded events of admitted statements, in the order of the log.
pub(crate) fn events(entries: &[Bytes]) -> Vec<Bytes> {
    let mut events = Vec::new();
    for entry in entries {
        if let Body::Statement {
            envelope,
            outcome: Outcome::Admitted,
        } = Entry::decode(entry).unwrap().body
        {
            events.extend(Envelope::decode(envelope).unwrap().events().iter().cloned());
        }
    }
    events
}

/// How often each of the maker's events was admitted.
pub(crate) async fn admitted(ledger: &Running, world: &World) -> BTreeMap<String, u32> {
    let mut admitted = BTreeMap::new();
    for event in events(&ledger.log(&world.identity).await) {
        let event = v1::Event::decode(event).unwrap();
        if !event.id.starts_with("act-") {
            *admitted.entry(event.id).or_default() += 1;
        }
    }
    admitted
}

/// The admitted event with this id.
pub(crate) async fn find(ledger: &Running, world: &World, id: &str) -> v1::Event {
    let events = events(&ledger.log(&world.identity).await);
    let mut events = events.into_iter().map(|event| v1::Event::decode(event).unwrap());
    events.find(|event| event.id == id).expect("it is in the log")
}

/// Everything that the entries add up to.
pub(crate) fn project(entries: &[Bytes]) -> Projector {
    let mut projector = Projector::new();
    for entry in entries {
        projector.take(entry).expect("an entry");
    }
    projector
}
