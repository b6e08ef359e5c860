//! `lotproof-manufacturing`: the manufacturing gateway, from the command line, until SIGTERM.

use std::process::ExitCode;

use clap::Parser;
use lotproof::shell::process;
use lotproof_manufacturing::{Arguments, SERVICE, run};

#[derive(Parser)]
#[command(about = "Lotproof manufacturing gateway: from a plant's MES and ERP to the ledger")]
struct CommandLine {
    #[command(flatten)]
    arguments: Arguments,
}

#[tokio::main]
async fn main() -> ExitCode {
    let CommandLine { arguments } = CommandLine::parse();
    process::service("lotproof-manufacturing", |shutdown, listening| async {
        run(arguments.config(SERVICE)?, shutdown, listening).await
    })
    .await
}
