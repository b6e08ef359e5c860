//! `lotproof-manufacturing`: the manufacturing gateway, from the command line, until SIGTERM.

use anyhow::Result;
use clap::Parser;
use lotproof::shell::process;
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
    process::log_to_stderr("info");
    Ok(serve(line.arguments.config(SERVICE)?).await?)
}
