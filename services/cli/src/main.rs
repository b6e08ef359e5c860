//! `lotproof`: the command line for operators, publishers and auditors.
//!
//! Exit codes: 0 clean, 1 findings, 2 could not run.

use std::{
    panic,
    process::{self, ExitCode},
};

use clap::Parser;
use lotproof::shell::process as service;
use lotproof_cli::{Arguments, Outcome, run};

#[tokio::main]
async fn main() -> ExitCode {
    end_quietly_without_reader();
    let arguments = Arguments::parse();
    // A command says itself what a lost bus means for it; at the end of its work it means nothing.
    service::log_to_stderr("warn,lotproof::shell::nats::connect=error");
    match run(arguments).await {
        Ok(Outcome::Clean) => ExitCode::SUCCESS,
        Ok(Outcome::Findings) => ExitCode::from(1),
        Err(error) => {
            eprintln!("lotproof: {error:#}");
            ExitCode::from(2)
        }
    }
}

/// Whoever reads our output may have seen enough, as `head` does: that is no fault to shout about.
fn end_quietly_without_reader() {
    let shout = panic::take_hook();
    panic::set_hook(Box::new(move |fault| {
        let is_left = fault
            .payload_as_str()
            .is_some_and(|text| text.starts_with("failed printing to std") && text.contains("Broken pipe"));
        if is_left {
            process::exit(2);
        }
        shout(fault);
    }));
}
