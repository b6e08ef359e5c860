//! `lotproof-shipping`: the shipping gateway, from the command line, until SIGTERM.

use std::process::ExitCode;

use clap::Parser;
use lotproof::shell::process;
use lotproof_shipping::{Arguments, SERVICE, run};

#[derive(Parser)]
#[command(about = "Lotproof shipping gateway: from a carrier's WMS and TMS to the ledger")]
struct CommandLine {
    #[command(flatten)]
    arguments: Arguments,
}

#[tokio::main]
async fn main() -> ExitCode {
    let CommandLine { arguments } = CommandLine::parse();
    process::service("lotproof-shipping", |shutdown, listening| async {
        run(arguments.config(SERVICE)?, shutdown, listening).await
    })
    .await
}
