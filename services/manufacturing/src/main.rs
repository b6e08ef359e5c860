//! `lotproof-manufacturing`: the manufacturing gateway, from the command line, until SIGTERM.

use anyhow::Result;
use clap::Parser;
use lotproof_manufacturing::{Arguments, SERVICE, serve};

#[derive(Parser)]
#[command(about = "Lotproof manufacturing gateway: from a plant's MES and ERP to the ledger")]
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
