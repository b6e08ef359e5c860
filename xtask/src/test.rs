//! `cargo xtask test`: what CI runs, step by step.
//!
//! Every step runs even if an earlier one failed, so that one run names everything that is wrong. A test
//! that cannot run here (third-party data absent) passes and says so on a line of standard error,
//! `skipped: NAME: why`; such lines are what is counted as skipped, beside `#[ignore]`d tests.

use std::{
    io::{BufRead as _, BufReader, Read},
    process::{Command, ExitCode, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};

use crate::{nats, workspace};

/// What the library must not depend on without features: it decides, others do I/O.
const NOT_IN_THE_CORE: [&str; 3] = ["tokio", "async-nats", "sled"];

/// Tests counted from the summary lines of the test binaries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Counts {
    passed: u64,
    failed: u64,
    skipped: u64,
}

/// One step's name, how it ended and how long it took.
struct Step {
    name: &'static str,
    failure: Option<String>,
    took: Duration,
}

/// Runs every step, prints the account, and fails if any step did.
pub(crate) fn run(arguments: &[String]) -> Result<ExitCode> {
    let long = match arguments {
        [] => false,
        [only] if only == "--long" => true,
        _ => bail!("`test` takes --long or nothing"),
    };
    let mut run = Run {
        server: nats::find_or_install()?,
        long,
        counts: Counts::default(),
        steps: Vec::new(),
    };
    eprintln!("nats-server: {}", run.server.display());

    run.step("format", &["fmt", "--all", "--check"], &[]);
    run.step(
        "core alone",
        &["check", "-p", "lotproof", "--no-default-features"],
        &[],
    );
    run.measured("core's dependencies", |_| core_dependencies());
    run.step(
        "lints",
        &["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"],
        &[],
    );
    // Live tests start the services as processes of their own.
    run.step("binaries", &["build", "--workspace", "--bins"], &[]);
    let tests = [
        "test",
        "--workspace",
        "--lib",
        "--bins",
        "--tests",
        "--examples",
        "--no-fail-fast",
    ];
    run.step("tests", &tests, &[]);
    run.step(
        "doc tests",
        &["test", "--workspace", "--doc", "--no-fail-fast"],
        &[],
    );
    run.step(
        "documentation",
        &["doc", "--workspace", "--no-deps"],
        &[("RUSTDOCFLAGS", "-D warnings")],
    );
    // A fresh machine must not compile tools first, so these two run only where they are installed.
    if workspace::on_path("cargo-deny").is_some() {
        let deny = [
            "deny",
            "check",
            "--config",
            ".deny.toml",
            "bans",
            "licenses",
            "sources",
        ];
        run.step("dependency rules", &deny, &[]);
    }
    if let Some(typos) = workspace::on_path("typos") {
        run.measured("spelling", |_| {
            let mut command = Command::new(typos);
            command
                .current_dir(workspace::root())
                .args(["--config", ".typos.toml"]);
            followed(command).map(|_| ())
        });
    }
    Ok(run.finish())
}

struct Run {
    server: std::path::PathBuf,
    long: bool,
    counts: Counts,
    steps: Vec<Step>,
}

impl Run {
    /// Runs cargo and adds what its tests counted.
    fn step(&mut self, name: &'static str, arguments: &[&str], environment: &[(&str, &str)]) {
        self.measured(name, |run| {
            let mut command = workspace::cargo(arguments);
            command
                .env(nats::VARIABLE, &run.server)
                .envs(environment.iter().copied());
            if run.long {
                command.env("LOTPROOF_LONG", "1");
            }
            // Add the counts before looking at the exit code: a failed run has passed tests too.
            let (counts, outcome) = observed(command)?;
            run.counts.passed += counts.passed;
            run.counts.failed += counts.failed;
            run.counts.skipped += counts.skipped;
            outcome
        });
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "a developer's tool reports how long things take"
    )]
    fn measured(&mut self, name: &'static str, body: impl FnOnce(&mut Self) -> Result<()>) {
        eprintln!("\n==> {name}");
        let start = Instant::now();
        let failure = body(self).err().map(|error| format!("{error:#}"));
        self.steps.push(Step {
            name,
            failure,
            took: start.elapsed(),
        });
    }

    fn finish(mut self) -> ExitCode {
        if self.counts.passed + self.counts.failed == 0 {
            let failure = Some("no test ran".to_owned());
            self.steps.push(Step {
                name: "count",
                failure,
                took: Duration::ZERO,
            });
        }
        println!();
        for step in &self.steps {
            let seconds = step.took.as_secs_f64();
            match &step.failure {
                None => println!("ok      {seconds:8.1} s  {}", step.name),
                Some(why) => println!("FAILED  {seconds:8.1} s  {}: {why}", step.name),
            }
        }
        let Counts {
            passed,
            failed,
            skipped,
        } = self.counts;
        println!("{passed} passed, {failed} failed, {skipped} skipped");
        let clean = failed == 0 && self.steps.iter().all(|step| step.failure.is_none());
        if clean {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        }
    }
}

/// Runs a command to its end, fails if it does.
fn followed(command: Command) -> Result<Counts> {
    let (counts, outcome) = observed(command)?;
    outcome.map(|()| counts)
}

/// Runs a command, lets everything it says through, and counts the tests it reports.
fn observed(mut command: Command) -> Result<(Counts, Result<()>)> {
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("{} could not be started", command.get_program().display()))?;
    let said = child.stdout.take().context("no standard output")?;
    let complained = child.stderr.take().context("no standard error")?;
    let errors = thread::spawn(move || {
        let mut counts = Counts::default();
        each_line(complained, |line| {
            eprintln!("{line}");
            counts.skipped += u64::from(line.starts_with("skipped: "));
        });
        counts
    });
    let mut counts = Counts::default();
    each_line(said, |line| {
        println!("{line}");
        if let Some(one) = summary(line) {
            counts.passed += one.passed;
            counts.failed += one.failed;
            counts.skipped += one.skipped;
        }
    });
    let skipped = errors.join().ok().context("reading standard error")?.skipped;
    counts.skipped += skipped;
    counts.passed = counts.passed.saturating_sub(skipped);
    let status = child.wait().context("waiting for the command")?;
    Ok((
        counts,
        if status.success() {
            Ok(())
        } else {
            Err(anyhow::anyhow!("{status}"))
        },
    ))
}

fn each_line(stream: impl Read, mut body: impl FnMut(&str)) {
    let mut reader = BufReader::new(stream);
    let mut line = Vec::new();
    // Ends at the end of the stream; an error there means that the child is gone, which `wait` reports.
    while reader.read_until(b'\n', &mut line).is_ok_and(|len| len > 0) {
        body(String::from_utf8_lossy(&line).trim_end());
        line.clear();
    }
}

/// The counts in a line like `test result: ok. 3 passed; 0 failed; 1 ignored; ...`.
fn summary(line: &str) -> Option<Counts> {
    let (_, rest) = line.strip_prefix("test result: ")?.split_once(". ")?;
    let mut counts = Counts::default();
    for part in rest.split("; ") {
        let (number, what) = part.split_once(' ')?;
        match what {
            "passed" => counts.passed = number.parse().ok()?,
            "failed" => counts.failed = number.parse().ok()?,
            "ignored" => counts.skipped = number.parse().ok()?,
            _ => {}
        }
    }
    Some(counts)
}

/// Fails if the library without features depends on what does I/O.
fn core_dependencies() -> Result<()> {
    let tree = [
        "tree",
        "-p",
        "lotproof",
        "--no-default-features",
        "-e",
        "normal",
        "--prefix",
        "none",
    ];
    let output = workspace::cargo(&tree)
        .output()
        .context("cargo could not be started")?;
    if !output.status.success() {
        bail!("cargo tree: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    let text = String::from_utf8_lossy(&output.stdout);
    let found = forbidden(&text);
    if found.is_empty() {
        println!(
            "{} packages, none of {}",
            text.lines().count(),
            NOT_IN_THE_CORE.join(", ")
        );
        Ok(())
    } else {
        bail!("the library without features depends on {}", found.join(", "))
    }
}

/// Which of the forbidden packages stand at the beginning of a line of `cargo tree`.
fn forbidden(tree: &str) -> Vec<&'static str> {
    let names: Vec<_> = tree.lines().filter_map(|line| line.split(' ').next()).collect();
    NOT_IN_THE_CORE
        .into_iter()
        .filter(|name| names.contains(name))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_summary_of_a_test_binary() {
        let line = "test result: FAILED. 12 passed; 3 failed; 1 ignored; 0 measured; 2 filtered out; finished in 0.10s";
        assert_eq!(
            summary(line),
            Some(Counts {
                passed: 12,
                failed: 3,
                skipped: 1
            })
        );
        assert_eq!(summary("test wire::round_trip ... ok"), None);
    }

    #[cfg(unix)]
    #[test]
    fn a_test_that_names_itself_skipped_is_not_counted_as_passed() {
        let mut command = Command::new("sh");
        let script = "echo 'test result: ok. 5 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out'; \
                      echo 'skipped: corpus: no such folder' >&2; exit 3";
        command.args(["-c", script]);
        let (counts, outcome) = observed(command).unwrap();
        assert_eq!(
            counts,
            Counts {
                passed: 4,
                failed: 0,
                skipped: 2
            }
        );
        assert!(outcome.is_err());
    }

    #[test]
    fn names_what_the_core_may_not_depend_on() {
        assert_eq!(
            forbidden("lotproof v0.1.0\nsled v0.34.7\nsled-helper v1.0.0\n"),
            ["sled"]
        );
        assert_eq!(
            forbidden("lotproof v0.1.0\ntokio-util v0.7.0"),
            Vec::<&str>::new()
        );
    }
}
