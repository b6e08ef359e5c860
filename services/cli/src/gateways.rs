//! Publishing services inside this process: for `up`, and for whoever publishes as anybody would.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, anyhow};
use lotproof::{
    gateway::Service,
    identifier,
    shell::{durable, gateway::Config, key_file, nats::BusUrl},
    signature::SigningKey,
    trust::TrustFile,
};
use serde::Deserialize;
use tokio::sync::{oneshot, watch};

/// Whose gateway is to run: `PARTY:KEYFILE` on the command line, or `manufacturing.json` and `shipping.json` in
/// the data folder.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct GatewaySetting {
    /// The party's identifier.
    party: String,
    /// Its key file.
    key: PathBuf,
    /// Where HTTP listens.
    #[serde(default)]
    http: Option<SocketAddr>,
    /// Its drop folder.
    #[serde(default)]
    watch: Option<PathBuf>,
}

impl std::str::FromStr for GatewaySetting {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        // Identifiers have colons, so the last one separates.
        let (party, key) = text.rsplit_once(':').ok_or("expected PARTY:KEYFILE")?;
        Ok(Self {
            party: party.to_owned(),
            key: key.into(),
            http: None,
            watch: None,
        })
    }
}

impl GatewaySetting {
    /// What a data folder says about a service, if anything; paths in it are relative to the folder.
    pub(crate) fn of_folder(folder: &Path, service: Service) -> Result<Option<Self>> {
        let path = folder.join(format!("{service}.json"));
        let Some(json) = durable::read(&path)? else {
            return Ok(None);
        };
        let mut setting: Self = serde_json::from_slice(&json)
            .with_context(|| format!("{} is no gateway's setting", path.display()))?;
        setting.key = folder.join(setting.key);
        setting.watch = setting.watch.map(|watch| folder.join(watch));
        Ok(Some(setting))
    }

    /// What the service runs with, its outbox in `folder`.
    pub(crate) fn config(
        self,
        service: Service,
        nats_url: &BusUrl,
        trust: &TrustFile,
        folder: PathBuf,
    ) -> Result<Config> {
        let party = identifier::normalise(&self.party).with_context(|| format!("party {}", self.party))?;
        let key = key_file::read(&self.key).with_context(|| format!("reading {}", self.key.display()))?;
        let mut config = Config::new(service, nats_url, trust, party, vec![key], folder)?;
        let loopback = SocketAddr::from(([127, 0, 0, 1], service.default_port()));
        config.http = self.http.unwrap_or(loopback);
        config.watch = self.watch;
        Ok(config)
    }
}

/// Runs one of the publishing services.
pub(crate) async fn run(
    config: Config,
    shutdown: watch::Receiver<bool>,
    listening: oneshot::Sender<SocketAddr>,
) -> Result<()> {
    match config.service {
        Service::Manufacturing => lotproof_manufacturing::run(config, shutdown, listening).await?,
        Service::Shipping => lotproof_shipping::run(config, shutdown, listening).await?,
    }
    Ok(())
}

/// A gateway that runs beside, for as long as this lives.
pub(crate) struct Running {
    pub(crate) address: SocketAddr,
    stop: watch::Sender<bool>,
    task: tokio::task::JoinHandle<Result<()>>,
}

impl Running {
    /// Starts a gateway for one key of a party.
    pub(crate) async fn start(
        service: Service,
        nats_url: &str,
        trust: &TrustFile,
        (party, key): (&str, SigningKey),
        folder: PathBuf,
    ) -> Result<Self> {
        let config = Config::new(service, nats_url, trust, party, vec![key], folder)?;
        let (stop, shutdown) = watch::channel(false);
        let (listening, address) = oneshot::channel();
        let task = tokio::spawn(run(config, shutdown, listening));
        match address.await {
            Ok(address) => Ok(Self { address, stop, task }),
            Err(_) => Err(task
                .await?
                .err()
                .unwrap_or_else(|| anyhow!("the gateway ended at once"))),
        }
    }

    pub(crate) async fn stop(self) -> Result<()> {
        self.stop.send_replace(true);
        self.task.await?
    }
}
