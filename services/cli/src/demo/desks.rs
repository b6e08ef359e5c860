//! Publishing as anybody does: each party through its own gateways, over HTTP.
//!
//! A party that makes and ships runs both services, each with a key of its own.

use std::{collections::BTreeMap, net::SocketAddr, path::PathBuf, time::Duration};

use anyhow::{Context as _, Result, bail, ensure};
use lotproof::{
    event,
    gateway::{Service, json},
    signature::SigningKey,
    trust::TrustFile,
    wire::v1,
};
use prost::Message as _;
use serde_json::Value;

use crate::gateways::Running;

/// How long a receipt may take.
const PATIENCE: Duration = Duration::from_mins(1);
/// How long between questions about an event.
const PAUSE: Duration = Duration::from_millis(10);
/// Events in one request.
const AT_ONCE: usize = 1_000;

/// A party's service.
pub(super) type Place = (String, Service);

/// The gateways of all parties.
pub(super) struct Desks {
    nats_url: String,
    trust: TrustFile,
    folder: PathBuf,
    keys: BTreeMap<Place, SigningKey>,
    open: BTreeMap<Place, Running>,
}

/// Which service publishes an event.
pub(super) fn service_of(event: &v1::Event) -> Result<Service> {
    let kind = event::check(&event.encode_to_vec().into())?.kind();
    let service = Service::ALL.into_iter().find(|service| service.takes(kind));
    service.with_context(|| format!("no gateway publishes {} events", kind.name()))
}

impl Desks {
    /// None open yet; outboxes in `folder`.
    pub(super) const fn new(nats_url: String, trust: TrustFile, folder: PathBuf) -> Self {
        Self {
            nats_url,
            trust,
            folder,
            keys: BTreeMap::new(),
            open: BTreeMap::new(),
        }
    }

    /// Remembers the key of a party's service.
    pub(super) fn add_key(&mut self, place: Place, key: SigningKey) {
        self.keys.insert(place, key);
    }

    /// Where a party's gateway listens; it is started if it does not run yet.
    async fn address(&mut self, place: &Place) -> Result<SocketAddr> {
        if let Some(running) = self.open.get(place) {
            return Ok(running.address);
        }
        let (party, service) = place;
        let key = self
            .keys
            .remove(place)
            .with_context(|| format!("{party} has no key for its {service} gateway"))?;
        let folder = self.folder.join(format!("{service}-{}", key.feed()));
        let running = Running::start(*service, &self.nats_url, &self.trust, (party, key), folder).await?;
        let address = running.address;
        self.open.insert(place.clone(), running);
        Ok(address)
    }

    /// How many gateways run.
    pub(super) fn len(&self) -> usize {
        self.open.len()
    }

    /// Posts events of a party.
    pub(super) async fn post(&mut self, place: &Place, events: &[v1::Event]) -> Result<()> {
        let address = self.address(place).await?;
        for chunk in events.chunks(AT_ONCE) {
            let body = Value::Array(chunk.iter().map(json::write).collect());
            let (status, reply) = call(address, "/v1/events", Some(body)).await?;
            ensure!(status == 202, "the gateway answered {status}: {reply}");
        }
        Ok(())
    }

    /// Posts an EPCIS document of a party, all of whose events must be taken; what is said of each. Where events
    /// are declared wrong, it is posted again until that can be said of them.
    pub(super) async fn capture(&mut self, place: &Place, document: &Value) -> Result<Vec<Value>> {
        let address = self.address(place).await?;
        let posted = async {
            loop {
                let (status, mut reply) = call(address, "/v1/capture", Some(document.clone())).await?;
                let refused = reply["refused"].as_array();
                let is_early = |event: &Value| event["code"] == "not_receipted";
                let only_early = refused.is_some_and(|refused| refused.iter().all(is_early));
                ensure!(only_early, "the gateway answered {status}: {reply}");
                let is_whole = refused.is_some_and(Vec::is_empty);
                if let Value::Array(events) = reply["events"].take()
                    && is_whole
                    && events.iter().all(|event| event["is_declared"] != false)
                {
                    return Ok(events);
                }
                tokio::time::sleep(PAUSE).await;
            }
        };
        let waited = tokio::time::timeout(PATIENCE, posted).await;
        waited.context("an error declaration could not be made")?
    }

    /// Waits until the gateway has proven an event, and returns what it knows of it.
    pub(super) async fn proven(&mut self, place: &Place, id: &str) -> Result<Value> {
        let address = self.address(place).await?;
        let asked = async {
            loop {
                let (code, status) = call(address, &format!("/v1/events/{}", escaped(id)), None).await?;
                match status["state"].as_str() {
                    Some("receipted") => return Ok(status),
                    Some("dead_letter") => bail!("{id} was refused: {status}"),
                    Some(_) => tokio::time::sleep(PAUSE).await,
                    None => bail!("{id}: the gateway answered {code}: {status}"),
                }
            }
        };
        let waited = tokio::time::timeout(PATIENCE, asked).await;
        waited.with_context(|| format!("no receipt for {id}"))?
    }

    /// Stops all gateways.
    pub(super) async fn close(self) -> Result<()> {
        for running in self.open.into_values() {
            running.stop().await?;
        }
        Ok(())
    }
}

fn hex(byte: u8) -> String {
    format!("{byte:02X}")
}

/// An event id as it stands in a path.
pub(super) fn escaped(id: &str) -> String {
    let mut path = String::with_capacity(id.len());
    for byte in id.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~:/".contains(&byte) {
            path.push(char::from(byte));
        } else {
            path.push('%');
            path.push_str(&hex(byte));
        }
    }
    path
}

pub(super) async fn call(address: SocketAddr, path: &str, body: Option<Value>) -> Result<(u16, Value)> {
    let url = format!("http://{address}{path}");
    let called = tokio::task::spawn_blocking(move || {
        let config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(PATIENCE))
            .build();
        let agent = ureq::Agent::new_with_config(config);
        let mut answer = match body {
            Some(body) => agent
                .post(&url)
                .content_type("application/json")
                .send(body.to_string())?,
            None => agent.get(&url).call()?,
        };
        let text = answer
            .body_mut()
            .with_config()
            .limit(256 << 20)
            .read_to_string()?;
        Ok::<_, ureq::Error>((answer.status().as_u16(), text))
    });
    let (status, text) = called.await??;
    Ok((status, serde_json::from_str(&text).unwrap_or(Value::String(text))))
}
