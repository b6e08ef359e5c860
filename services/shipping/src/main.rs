//! `lotproof-shipping`: the shipping gateway, from the command line, until SIGTERM.

use anyhow::Result;
use clap::Parser;
use lotproof_shipping::{Arguments, SERVICE, serve};

#[derive(Parser)]
#[command(about = "Lotproof shipping gateway: from a carrier's WMS and TMS to the ledger")]
struct CommandLine {
    #[command(flatten)]
    arguments: Arguments,
}

#[tokio::main]
async fn main() -> Result<()> {
    let line = CommandLine::parse();
    tracing_subscriber::fmt()
        .with_env_filter(
            tracing_subscriber::EnvFilter::try_from_default_env().unwrap_or_else(|_| "info".into()),
        )
        .with_writer(std::io::stderr)
        .init();
    Ok(serve(line.arguments.config(SERVICE)?).await?)
}
