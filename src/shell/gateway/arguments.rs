//! The command line of a publishing service.

use std::{fs, net::SocketAddr, path::PathBuf};

use super::{Config, GatewayError};
use crate::{
    gateway::Service,
    identifier,
    shell::{
        http::HttpArguments,
        key_file,
        nats::{BusArguments, BusUrl},
    },
    trust::TrustFile,
};

/// Most bytes that may wait for receipts: all of them may be queued and signed in one batch of the outbox, whose
/// length is bounded.
pub(super) const BACKLOG_LEN_MAX: usize = 100 << 20;
/// How many do unless told otherwise.
pub(super) const BACKLOG_LEN: usize = 64 << 20;

/// What a publishing service is told; every setting is also an environment variable.
#[derive(Clone, Debug, clap::Args)]
pub struct Arguments {
    /// The bus; several servers of one cluster are separated by commas
    #[arg(
        long,
        env = "LOTPROOF_NATS_URL",
        hide_env_values = true,
        default_value = "nats://127.0.0.1:4222"
    )]
    pub nats_url: BusUrl,
    /// How it is known there
    #[command(flatten)]
    pub bus: BusArguments,
    /// Trust file of the log: origin, log id and keys that you pinned
    #[arg(long, env = "LOTPROOF_TRUST")]
    pub trust: PathBuf,
    /// The party that speaks: its identifier
    #[arg(long, env = "LOTPROOF_PARTY")]
    pub party: String,
    /// Its key files: the first that the ledger has not closed is signed with
    #[arg(long = "key", env = "LOTPROOF_KEY", required = true, value_delimiter = ',')]
    pub keys: Vec<PathBuf>,
    /// Folder of the outbox: what is accepted is kept there until it is proven, and 30 days longer
    #[arg(long, env = "LOTPROOF_OUTBOX")]
    pub outbox: PathBuf,
    /// File with the outbox's generation, best on another volume; beside the outbox unless given
    #[arg(long, env = "LOTPROOF_OUTBOX_GENERATION")]
    pub generation: Option<PathBuf>,
    /// Where HTTP listens: on loopback, 8471 for manufacturing and 8472 for shipping, unless given
    #[arg(long, env = "LOTPROOF_HTTP")]
    pub http: Option<SocketAddr>,
    /// Who is let in there
    #[command(flatten)]
    pub door: HttpArguments,
    /// Drop folder: EPCIS documents and event files in it are taken in
    #[arg(long, env = "LOTPROOF_WATCH")]
    pub watch: Option<PathBuf>,
    /// Bytes that may wait for receipts, 100 MiB at most; more are answered 503
    #[arg(long, env = "LOTPROOF_BACKLOG_LEN_MAX", default_value_t = BACKLOG_LEN)]
    pub backlog_len_max: usize,
    /// Longest body in bytes
    #[arg(long, env = "LOTPROOF_BODY_LEN_MAX", default_value_t = super::BODY_LEN_MAX)]
    pub body_len_max: usize,
}

impl Arguments {
    /// What a service is to run with.
    ///
    /// # Errors
    /// If a file cannot be read or is not what it should be.
    pub fn config(self, service: Service) -> Result<Config, GatewayError> {
        let setting = |what: String| {
            move |error: &dyn std::fmt::Display| GatewayError::Setting(format!("{what}: {error}"))
        };
        let party = identifier::normalise(&self.party)
            .map_err(|error| setting(format!("--party {}", self.party))(&error))?;
        let path = format!("the trust file {}", self.trust.display());
        let trust = fs::read(&self.trust).map_err(|error| setting(format!("reading {path}"))(&error))?;
        let trust = TrustFile::parse(&trust).map_err(|error| setting(path)(&error))?;
        let keys = self.keys.iter().map(|path| {
            key_file::read(path).map_err(|error| setting(format!("key {}", path.display()))(&error))
        });
        let keys = keys.collect::<Result<_, _>>()?;
        if self.backlog_len_max > BACKLOG_LEN_MAX {
            let message = format!(
                "--backlog-len-max is {BACKLOG_LEN_MAX} at most, got {}",
                self.backlog_len_max
            );
            return Err(GatewayError::Setting(message));
        }
        let mut config = Config::new(service, self.nats_url, &trust, party, keys, self.outbox)
            .map_err(|error| setting("the log's key".to_owned())(&error))?;
        if let Some(generation) = self.generation {
            config.publisher.generation = generation;
        }
        config.publisher.outbox.backlog_len_max = self.backlog_len_max;
        config.bus_access = self.bus.access().map_err(GatewayError::Setting)?;
        config.http = self
            .http
            .unwrap_or_else(|| SocketAddr::from(([127, 0, 0, 1], service.default_port())));
        config.http_options = self.door.into();
        config.watch = self.watch;
        config.body_len_max = self.body_len_max;
        Ok(config)
    }
}
