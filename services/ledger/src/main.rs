//! `lotproof-ledger`: one ledger, from the command line, until SIGTERM.

use std::{net::SocketAddr, num::NonZeroUsize, path::PathBuf, process::ExitCode, time::Duration};

use anyhow::{Error, Result};
use clap::Parser;
use lotproof::shell::{
    http::{HttpArguments, HttpOptions},
    nats::{BusArguments, BusUrl},
    process,
};
use lotproof_ledger::{ClockOptions, Config, Folder, ReadLimits, StopAt, run};

#[derive(Parser)]
#[command(about = "Lotproof ledger: the single writer of one log, and its read side")]
struct Arguments {
    /// Data folder, made by `lotproof init`.
    #[arg(long, env = "LOTPROOF_LEDGER_FOLDER")]
    folder: PathBuf,
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
    /// Where HTTP listens; loopback unless told otherwise.
    #[arg(long, env = "LOTPROOF_LEDGER_HTTP", default_value = "127.0.0.1:8470")]
    http: SocketAddr,
    #[command(flatten)]
    door: HttpArguments,
    /// The log is public: web pages of any origin may read checkpoint and tiles (CORS)
    #[arg(long, env = "LOTPROOF_LEDGER_PUBLIC_LOG")]
    public_log: bool,
    /// Streams of entries over HTTP at once; beyond that, 503.
    #[arg(long, env = "LOTPROOF_LEDGER_STREAMS", default_value_t = ReadLimits::default().streams)]
    streams: NonZeroUsize,
    /// Seconds that a reader over HTTP may take for 64 KiB before its connection ends.
    #[arg(long, env = "LOTPROOF_LEDGER_WRITE_TIMEOUT", default_value_t = HttpOptions::default().write_time_max.as_secs())]
    write_timeout: u64,
    /// Hours that the ledger may have been away before the clock is doubted after a start of the machine, unless the
    /// system says that it is synchronised
    #[arg(long, env = "LOTPROOF_LEDGER_AWAY_MAX", default_value_t = ClockOptions::default().away_max.as_secs() / 3_600)]
    away_max: u64,
    /// File that is there once the system has synchronised its clock
    #[arg(long, env = "LOTPROOF_LEDGER_CLOCK_SYNCHRONISED", default_value_os_t = ClockOptions::default().synchronised)]
    clock_synchronised: PathBuf,
    /// For tests of crashes: abort right before STEP of the N-th commit.
    #[arg(long, hide = true, value_name = "STEP:N")]
    stop_at: Option<StopAt>,
}

impl Arguments {
    fn config(self) -> Result<Config> {
        let mut config = Config::new(Folder::new(self.folder), self.nats_url);
        config.bus_access = self.bus.access().map_err(Error::msg)?;
        config.http = self.http;
        config.is_public = self.public_log;
        config.reads.streams = self.streams;
        config.http_options = self.door.into();
        config.http_options.write_time_max = Duration::from_secs(self.write_timeout);
        config.clock.away_max = Duration::from_secs(self.away_max.saturating_mul(3_600));
        config.clock.synchronised = self.clock_synchronised;
        config.stop_at = self.stop_at;
        Ok(config)
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    process::service("lotproof-ledger", |shutdown, listening| async {
        run(arguments.config()?, shutdown, listening).await
    })
    .await
}
