//! `lotproof-compliance`: one projector, from the command line, until SIGTERM.

use std::{net::SocketAddr, path::PathBuf, process::ExitCode};

use anyhow::{Context as _, Error, Result};
use clap::Parser;
use lotproof::{
    shell::{
        http::HttpArguments,
        nats::{BusArguments, BusUrl},
        process,
    },
    trust::TrustFile,
};
use lotproof_compliance::{Config, run};

#[derive(Parser)]
#[command(about = "Lotproof projector: where lots came from, and whether they meet a rule")]
struct Arguments {
    /// The bus; several servers of one cluster are separated by commas.
    #[arg(
        long,
        env = "LOTPROOF_NATS_URL",
        hide_env_values = true,
        default_value = "nats://127.0.0.1:4222"
    )]
    nats_url: BusUrl,
    #[command(flatten)]
    bus: BusArguments,
    /// Where the ledger's entries are served.
    #[arg(long, env = "LOTPROOF_LEDGER_URL", default_value = "http://127.0.0.1:8470")]
    ledger_url: String,
    /// Trust file: origin, log id and keys that you pinned.
    #[arg(long, env = "LOTPROOF_TRUST")]
    trust: PathBuf,
    /// Folder of rule packs and lists.
    #[arg(long, env = "LOTPROOF_POLICIES", default_value = "policies")]
    policies: PathBuf,
    /// Folder in which the newest verified head and a final alarm outlive a restart; created if it is not there.
    #[arg(long, env = "LOTPROOF_COMPLIANCE_FOLDER")]
    folder: Option<PathBuf>,
    /// A file of openings of sealed fields, as `lotproof publish --openings` writes it; may come several times.
    #[arg(long, value_name = "FILE")]
    openings: Vec<PathBuf>,
    /// Where HTTP listens; loopback unless told otherwise.
    #[arg(long, env = "LOTPROOF_COMPLIANCE_HTTP", default_value = "127.0.0.1:8473")]
    http: SocketAddr,
    #[command(flatten)]
    door: HttpArguments,
}

impl Arguments {
    fn config(self) -> Result<Config> {
        let json = std::fs::read(&self.trust)
            .with_context(|| format!("reading the trust file {}", self.trust.display()))?;
        let trust = TrustFile::parse(&json)
            .with_context(|| format!("{} is not a trust file", self.trust.display()))?;
        let mut config = Config::new(self.nats_url, self.ledger_url, trust, self.policies);
        config.folder = self.folder;
        config.openings = self.openings;
        config.bus_access = self.bus.access().map_err(Error::msg)?;
        config.http = self.http;
        config.http_options = self.door.into();
        Ok(config)
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    process::service("lotproof-compliance", |shutdown, listening| async {
        run(arguments.config()?, shutdown, listening).await
    })
    .await
}
