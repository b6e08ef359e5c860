//! `cargo xtask demo` and `cargo xtask bench`: build the command line tool, then hand over to it.
//!
//! The demo is built unoptimised unless `--release` is given: cryptography, parsing and the database are
//! optimised in the dev profile anyway, and a first build in half the time is what a newcomer notices.

use std::{
    env,
    process::{Command, ExitCode},
};

use anyhow::{Context, Result, bail};

use crate::{nats, workspace};

/// Builds the tool and runs `lotproof demo` with what is left of the arguments.
pub(crate) fn demo(mut arguments: Vec<String>) -> Result<ExitCode> {
    let given = arguments.len();
    arguments.retain(|argument| argument != "--release");
    lotproof(arguments.len() != given, "demo", &arguments)
}

/// Builds the tool with optimisation and runs `lotproof bench`.
pub(crate) fn bench(arguments: &[String]) -> Result<ExitCode> {
    lotproof(true, "bench", arguments)
}

fn lotproof(release: bool, command: &str, arguments: &[String]) -> Result<ExitCode> {
    let server = nats::find_or_install()?;
    let mut build = workspace::cargo(&["build", "-p", "lotproof-cli", "--bin", "lotproof"]);
    if release {
        build.arg("--release");
    }
    if !build.status().context("cargo could not be started")?.success() {
        bail!("the build failed");
    }
    let profile = if release { "release" } else { "debug" };
    let executable = workspace::target()
        .join(profile)
        .join(format!("lotproof{}", env::consts::EXE_SUFFIX));
    let status = Command::new(&executable)
        .arg(command)
        .args(arguments)
        .env(nats::VARIABLE, server)
        .status()
        .with_context(|| format!("{} could not be started", executable.display()))?;
    let code = status
        .code()
        .and_then(|code| u8::try_from(code).ok())
        .unwrap_or(2);
    Ok(ExitCode::from(code))
}
