//! `lotproof-ledger`: one ledger, from the command line, until SIGTERM.

use std::{net::SocketAddr, path::PathBuf, process::ExitCode};

use clap::Parser;
use lotproof::shell::process;
use lotproof_ledger::{Config, Folder, StopAt, run};

#[derive(Parser)]
#[command(about = "Lotproof ledger: the single writer of one log, and its read side")]
struct Arguments {
    /// Data folder, made by `lotproof init`.
    #[arg(long, env = "LOTPROOF_LEDGER_FOLDER")]
    folder: PathBuf,
    /// The bus.
    #[arg(long, env = "LOTPROOF_NATS_URL", default_value = "nats://127.0.0.1:4222")]
    nats_url: String,
    /// Where HTTP listens; loopback unless told otherwise.
    #[arg(long, env = "LOTPROOF_LEDGER_HTTP", default_value = "127.0.0.1:8470")]
    http: SocketAddr,
    /// For tests of crashes: abort right before STEP of the N-th commit.
    #[arg(long, hide = true, value_name = "STEP:N")]
    stop_at: Option<StopAt>,
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let mut config = Config::new(Folder::new(arguments.folder), arguments.nats_url);
    config.http = arguments.http;
    config.stop_at = arguments.stop_at;
    process::service("lotproof-ledger", |shutdown, listening| {
        run(config, shutdown, listening)
    })
    .await
}
