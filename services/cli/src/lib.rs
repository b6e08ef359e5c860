//! The commands of `lotproof`, each a module that parses, calls the library and prints.

mod auditing;
mod bench;
mod demo;
mod desk;
mod enrolling;
mod exporting;
mod founding;
mod gateways;
mod glance;
mod judging;
mod lots;
mod policing;
mod publishing;
mod running;
mod sealing;
mod shipped;
mod simulating;
mod stating;
mod tree;
mod waiting;
mod withdrawing;
mod words;

use anyhow::Result;
use clap::{Parser, Subcommand};

/// What the process ends with, unless it could not run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Everything is as it should be: exit code 0.
    Clean,
    /// Something was found: exit code 1.
    Findings,
}

/// The command line.
#[derive(Debug, Parser)]
#[command(
    name = "lotproof",
    version,
    about = "A signed, append-only, provable ledger for battery lots",
    after_help = "Exit codes: 0 clean, 1 findings, 2 could not run."
)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Create a ledger, once, with a new log key
    Init(founding::Init),
    /// Make or show private keys
    #[command(subcommand)]
    Keys(founding::Keys),
    /// Run a ledger and its gateways, with a private bus unless one is given
    Up(Box<running::Up>),
    /// Orders of a ledger's operator, for its next start
    #[command(subcommand)]
    Ledger(running::Ledger),
    /// Show the whole chain on this machine: found, enrol, publish, prove, audit, damage
    Demo(demo::Demo),
    /// Propose and approve acts of the authority: parties, facilities, keys, lists, waivers, parameters
    Enroll(enrolling::Enroll),
    /// Publish an EPCIS document, or events as JSON, and wait until their receipts are proven
    Publish(publishing::Publish),
    /// Give up events that wait in an outbox, as one with a mistyped facility does
    Withdraw(withdrawing::Withdraw),
    /// Show where a lot came from or went, computed from the log's own files
    Lot(lots::Lot),
    /// Judge a lot by a rule pack, computed from the log's own files
    Verdict(judging::Verdict),
    /// Check rule packs, put their cases to them, and tell them in words
    #[command(subcommand)]
    Policy(policing::Policy),
    /// Write events of a log as EPCIS 2.0 documents, after verifying all of it
    Export(exporting::Export),
    /// Write the events of a simulated battery supply chain, or publish them
    Simulate(simulating::Simulate),
    /// Replay a log from its static files, trusting the trust file alone
    Audit(auditing::Audit),
    /// Measure what the parts can do alone, and beside it what the whole does
    Bench(bench::Bench),
    /// Copy a log as static files, checking it on the way
    Mirror(auditing::Mirror),
}

/// Runs one command.
///
/// # Errors
/// If it could not run; what it found is its [`Outcome`].
pub async fn run(arguments: Arguments) -> Result<Outcome> {
    match arguments.command {
        Command::Init(init) => init.run(),
        Command::Keys(keys) => keys.run(),
        Command::Up(up) => up.run().await,
        Command::Ledger(order) => tokio::task::spawn_blocking(move || order.run()).await?,
        Command::Demo(demo) => demo.run().await,
        Command::Enroll(enroll) => enroll.run().await,
        Command::Publish(publish) => publish.run().await,
        Command::Withdraw(withdraw) => withdraw.run().await,
        Command::Lot(lot) => tokio::task::spawn_blocking(move || lot.run()).await?,
        Command::Verdict(verdict) => tokio::task::spawn_blocking(move || verdict.run()).await?,
        Command::Policy(policy) => tokio::task::spawn_blocking(move || policy.run()).await?,
        Command::Export(export) => tokio::task::spawn_blocking(move || export.run()).await?,
        Command::Simulate(simulate) => simulate.run().await,
        Command::Audit(audit) => tokio::task::spawn_blocking(move || audit.run()).await?,
        Command::Bench(bench) => bench.run().await,
        Command::Mirror(mirror) => tokio::task::spawn_blocking(move || mirror.run()).await?,
    }
}
