//! `lotproof`: the command line for operators, publishers and auditors.
//!
//! Exit codes: 0 clean, 1 findings, 2 could not run.

use std::process::ExitCode;

use clap::Parser;
use lotproof::shell::process;
use lotproof_cli::{Arguments, Outcome, run};

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    // A command says itself what a lost bus means for it; at the end of its work it means nothing.
    process::log_to_stderr("warn,lotproof::shell::nats::connect=error");
    match run(arguments).await {
        Ok(Outcome::Clean) => ExitCode::SUCCESS,
        Ok(Outcome::Findings) => ExitCode::from(1),
        Err(error) => {
            eprintln!("lotproof: {error:#}");
            ExitCode::from(2)
        }
    }
}
