//! Looks at a projector from outside, and remembers what it said: each word must be what an offline fold of
//! the log says at that size.

use std::{io::Read as _, net::SocketAddr, time::Duration};

use bytes::Bytes;
use lotproof::{
    id::{Hash, TreeSize},
    log::tree::LogHead,
    projector::Projector,
};
use serde_json::Value;

use crate::fixture::said;

/// How long a projector may take to answer. It may be killed or cut off meanwhile.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);
/// What a projector says that is not ready, and has found nothing wrong.
const HARMLESS: [&str; 3] = ["ready", "catching up with the log", "waiting for the bus"];

/// What `GET /v1/digests` says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Digests {
    pub(crate) head: LogHead,
    state_digest: Hash,
    fact_digest: Hash,
}

impl Digests {
    /// Asks the projector at this address; nothing if it does not answer, or not yet.
    ///
    /// # Panics
    /// If it raised an alarm: nobody lies in these tests.
    pub(crate) async fn asked(address: &str) -> Option<Self> {
        let (digests, ready) = (
            format!("http://{address}/v1/digests"),
            format!("http://{address}/readyz"),
        );
        let asking = tokio::task::spawn_blocking(move || Some((get(&digests)?, get(&ready)?)));
        let ((status, body), (_, ready)) = asking.await.expect("no panic")?;
        let ready = said(&ready);
        assert!(HARMLESS.iter().any(|word| ready.starts_with(word)), "{ready}");
        (status == 200).then(|| Self::read(&serde_json::from_slice(&body).expect("JSON")))
    }

    /// Reads the answer's JSON.
    pub(crate) fn read(json: &Value) -> Self {
        let hash = |value: &Value| serde_json::from_value(value.clone()).expect("a hash");
        Self {
            head: LogHead {
                size: TreeSize::new(json["position"]["size"].as_u64().expect("a size")),
                root: hash(&json["position"]["root"]),
            },
            state_digest: hash(&json["state_digest"]),
            fact_digest: hash(&json["fact_digest"]),
        }
    }

    /// What it is to be.
    pub(crate) fn of(projector: &Projector) -> Self {
        let projection = projector.projection();
        Self {
            head: projector.head(),
            state_digest: projection.state_digest(),
            fact_digest: projection.fact_digest(),
        }
    }
}

/// What a service's `/readyz` says; nothing if nobody answers.
pub(crate) async fn ready(address: SocketAddr) -> Option<String> {
    let asking = tokio::task::spawn_blocking(move || get(&format!("http://{address}/readyz")));
    let (_, ready) = asking.await.expect("no panic")?;
    Some(said(&ready))
}

/// Status and body; nothing if nobody answers.
fn get(url: &str) -> Option<(u16, Vec<u8>)> {
    let config = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .timeout_global(Some(ANSWER_WITHIN));
    let agent: ureq::Agent = config.build().into();
    let response = agent.get(url).call().ok()?;
    let status = response.status().as_u16();
    let mut body = Vec::new();
    response.into_body().into_reader().read_to_end(&mut body).ok()?;
    Some((status, body))
}

/// Folds a log offline, and compares what was said while it grew.
pub(crate) fn compare(entries: &[Bytes], said: &[Digests]) {
    let mut said: Vec<&Digests> = said.iter().collect();
    said.sort_unstable_by_key(|digests| digests.head.size);
    let mut said = said.into_iter().peekable();
    let mut offline = Projector::new();
    for entry in entries {
        offline.take(entry).expect("it follows");
        while let Some(digests) = said.next_if(|digests| digests.head.size == offline.size()) {
            assert_eq!(digests, &Digests::of(&offline), "at {}", offline.size());
        }
    }
    assert_eq!(said.next(), None, "beyond the log");
}
