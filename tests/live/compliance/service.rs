//! A compliance service in this process, and the simulated supply chain that it is asked about.

use std::{collections::BTreeMap, io::Read as _, path::PathBuf, time::Duration};

use bytes::Bytes;
use lotproof::{
    event::sealed::{self, Opening},
    id::{FeedId, Hash},
    log::note::VerifierKey,
    outbox::{self, PinnedLog},
    publish::pack,
    shell::{
        nats::{Bus, BusNames},
        publisher::{Publisher, PublisherConfig, Settled},
    },
    signature::SigningKey,
    simulate::{Simulation, SimulationConfig},
    time::EventTime,
    trust::TrustFile,
    wire::v1,
};
use lotproof_compliance::{Config, FollowOptions, run};
use prost::Message as _;
use serde_json::Value;
use tokio::{
    sync::{oneshot, watch},
    task::JoinHandle,
};

use crate::{
    fixture::{DEADLINE, connect, said, soon, until},
    ledger::{World, now},
};

/// Costs of the items of an assembly, and their quantities: what makers will not publish.
const SEALED: [&str; 2] = ["68.3.*.2", "68.3.*.3"];

pub(crate) fn trust(world: &World) -> TrustFile {
    let identity = &world.identity;
    let key: VerifierKey = identity.log_key.parse().unwrap();
    TrustFile::new(identity.origin.clone(), identity.log_id, vec![key]).unwrap()
}

/// What came back, by HTTP or NATS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) body: Bytes,
}

impl Reply {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("JSON, got {self:?}"))
    }

    /// The reply of a question that can be answered.
    pub(crate) fn ok(&self) -> Value {
        assert_eq!(self.status, 200, "{self:?}");
        self.json()
    }

    /// Status, code and fields of a problem.
    pub(crate) fn problem(&self) -> (u16, String, Vec<String>) {
        let json = self.json();
        let fields = json["fields"].as_array().cloned().unwrap_or_default();
        let fields = fields.iter().map(|field| field.as_str().unwrap().to_owned());
        assert!(json["detail"].is_string());
        (
            self.status,
            json["code"].as_str().unwrap().to_owned(),
            fields.collect(),
        )
    }
}

pub(crate) async fn http(method: &str, url: &str, body: &[u8]) -> Reply {
    let request = ureq::http::Request::builder()
        .method(method)
        .uri(url)
        .header("content-type", "application/json")
        .body(body.to_vec())
        .unwrap();
    let asked = tokio::task::spawn_blocking(move || {
        let config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(DEADLINE));
        let agent: ureq::Agent = config.build().into();
        let response = agent.run(request).expect("an answer");
        let status = response.status().as_u16();
        let mut body = Vec::new();
        let mut reader = response.into_body().into_reader();
        reader.read_to_end(&mut body).expect("a body");
        Reply {
            status,
            body: body.into(),
        }
    });
    asked.await.unwrap()
}

/// A running projector.
pub(crate) struct Projecting {
    pub(crate) url: String,
    bus: Bus,
    names: BusNames,
    stop: watch::Sender<bool>,
    task: JoinHandle<anyhow::Result<()>>,
}

impl Projecting {
    /// Starts one that follows the ledger at `ledger_url`.
    pub(crate) async fn start(world: &World, ledger_url: &str) -> Self {
        Self::start_with(world, ledger_url, |_| ()).await
    }

    pub(crate) async fn start_with(
        world: &World,
        ledger_url: &str,
        change: impl FnOnce(&mut Config),
    ) -> Self {
        let policies = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("policies");
        let bus_url = world.own.server.url();
        let mut config = Config::new(bus_url, ledger_url.to_owned(), trust(world), policies);
        config.follow = FollowOptions {
            poll_interval: Duration::from_millis(100),
            ..FollowOptions::default()
        };
        change(&mut config);
        let (stop, shutdown) = watch::channel(false);
        let (listening, address) = oneshot::channel();
        let task = tokio::spawn(run(config, shutdown, listening));
        let address = soon("the projector to listen", address).await.expect("it starts");
        Self {
            url: format!("http://{address}"),
            bus: connect(&world.own.server).await,
            names: BusNames::new(&world.identity.log_id),
            stop,
            task,
        }
    }

    pub(crate) async fn get(&self, path: &str) -> Reply {
        http("GET", &format!("{}{path}", self.url), b"").await
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Reply {
        self.post_text(path, &body.to_string()).await
    }

    pub(crate) async fn post_text(&self, path: &str, body: &str) -> Reply {
        http("POST", &format!("{}{path}", self.url), body.as_bytes()).await
    }

    /// Asks over NATS.
    pub(crate) async fn ask(&self, endpoint: &str, request: &Value) -> Reply {
        let subject = format!("{}.{endpoint}", self.names.query_group());
        let request = async_nats::Request::new()
            .payload(request.to_string().into())
            .timeout(Some(DEADLINE));
        let asked = self.bus.client().send_request(subject, request).await;
        let message = asked.expect("an answer");
        let headers = message.headers.unwrap_or_default();
        let status = headers.get("Nats-Service-Error-Code");
        let reply = Reply {
            status: status.map_or(200, |status| status.as_str().parse().unwrap()),
            body: message.payload,
        };
        if let Some(code) = headers.get("Nats-Service-Error") {
            assert_eq!(reply.json()["code"], code.as_str());
        }
        reply
    }

    /// Why it is not ready, or nothing.
    pub(crate) async fn unready(&self) -> Option<String> {
        let reply = self.get("/readyz").await;
        (reply.status != 200).then(|| said(&reply.body))
    }

    /// Waits until it answers at a log of `size` entries.
    pub(crate) async fn until_at(&self, size: u64) {
        until(&format!("the projector at {size} entries"), async || {
            let reply = self.get("/v1/digests").await;
            reply.status == 200 && reply.json()["position"]["size"] == size && self.unready().await.is_none()
        })
        .await;
    }

    pub(crate) async fn stop(self) {
        self.stop.send_replace(true);
        soon("the projector to stop", self.task)
            .await
            .unwrap()
            .expect("a clean end");
    }
}

/// The five stories of a simulated supply chain.
pub(crate) fn simulation() -> Simulation {
    let end = EventTime::from_nanos(now());
    Simulation::new(SimulationConfig::ending_at(154, 5, end)).unwrap()
}

/// Enrols the simulation's parties.
pub(crate) async fn enrol(world: &World, simulation: &Simulation) {
    let acts = simulation.governance();
    let mut rest = acts.as_slice();
    for statement in pack(&acts).unwrap() {
        let (now, later) = rest.split_at(statement.len());
        world.authority_says(now).await;
        rest = later;
    }
}

/// Publishes the simulation's events, each under its party's key, costs and quantities of assemblies sealed,
/// and waits for the proofs. Returns the openings, as `lotproof publish --openings` would write them.
pub(crate) async fn publish(world: &World, simulation: &Simulation) -> BTreeMap<String, Vec<Opening>> {
    let mut openings: BTreeMap<String, Vec<Opening>> = BTreeMap::new();
    let mut of_party: BTreeMap<usize, Vec<v1::Event>> = BTreeMap::new();
    for simulated in simulation.events() {
        let event = seal(&simulated.event, &mut openings);
        of_party.entry(simulated.party.get()).or_default().push(event);
    }
    let identity = &world.identity;
    let verifier: VerifierKey = identity.log_key.parse().unwrap();
    let log_key = FeedId::new(*verifier.public_key());
    let mut submitted = Vec::new();
    for index in simulation.parties() {
        let Some(events) = of_party.remove(&index.get()) else {
            continue;
        };
        let log = PinnedLog::new(identity.log_id, identity.origin.clone(), &[log_key]).unwrap();
        let outbox = outbox::Config::new(log, simulation.cast().party(index).identifier.clone());
        let folder = world.own.folder.path().join(format!("outbox-{}", index.get()));
        let key = SigningKey::from_seed(&simulation.key_seed(index));
        let config = PublisherConfig::new(folder, outbox, vec![key]);
        let publisher = soon(
            "a publisher",
            Publisher::start(connect(&world.own.server).await, config),
        )
        .await
        .expect("a publisher");
        let ticket = soon("room", publisher.submit_when_there_is_room(&events))
            .await
            .expect("taken");
        submitted.push((publisher, ticket));
    }
    for (publisher, ticket) in submitted {
        let settled = soon("receipts", publisher.wait_receipted(ticket))
            .await
            .expect("settled");
        for settled in settled {
            assert!(matches!(settled, Settled::Admitted { .. }), "{settled:?}");
        }
    }
    openings
}

fn seal(event: &v1::Event, openings: &mut BTreeMap<String, Vec<Opening>>) -> v1::Event {
    let mut bytes = event.encode_to_vec();
    for path in SEALED {
        for position in 0..40 {
            let path = path.replace('*', &position.to_string());
            let salt = Hash::of(&[event.id.as_bytes(), path.as_bytes()]);
            if let Ok((sealed, opened)) = sealed::seal(&bytes, &[(path, salt)]) {
                bytes = sealed;
                openings.entry(event.id.clone()).or_default().extend(opened);
            }
        }
    }
    v1::Event::decode(bytes.as_slice()).unwrap()
}

/// The size of the log that the ledger shows.
pub(crate) async fn size(ledger_url: &str) -> u64 {
    let note = http("GET", &format!("{ledger_url}/checkpoint"), b"").await;
    let text = String::from_utf8(note.body.to_vec()).unwrap();
    text.lines().nth(1).unwrap().parse().unwrap()
}
