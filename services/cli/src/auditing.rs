//! `audit` and `mirror`: what somebody does who was not in the room.

use std::{
    fs,
    io::{IsTerminal as _, Write as _},
    path::{Path, PathBuf},
    time::Instant,
};

use anyhow::{Context as _, Result, ensure};
use clap::Args;
use lotproof::{
    audit::{AuditOptions, LogSource, Progress, Report, audit},
    log::checkpoint::SignedCheckpoint,
    shell::{
        http_client::HttpSource,
        mirror::{DirSource, MirrorError, mirror},
    },
    trust::TrustFile,
};

use crate::Outcome;

/// `lotproof audit`
#[derive(Debug, Args)]
pub(crate) struct Audit {
    /// The log: a URL, or the folder of a mirror
    log: String,
    /// Trust file: origin, log id and keys that you pinned
    #[arg(long)]
    trust: PathBuf,
    /// A checkpoint that you kept from an earlier audit: the log must begin with it
    #[arg(long)]
    previous: Option<PathBuf>,
    /// Print the report as JSON
    #[arg(long)]
    json: bool,
}

impl Audit {
    pub(crate) fn run(self) -> Result<Outcome> {
        let trust = read_trust(&self.trust)?;
        let previous = self
            .previous
            .as_deref()
            .map(|path| read_checkpoint(path, &trust))
            .transpose()?;
        let source = open_source(&self.log)?;
        let meter = Meter::new();
        let show = |progress| meter.show(progress);
        let options = AuditOptions {
            previous: previous.as_ref(),
            progress: Some(&show),
            ..AuditOptions::default()
        };
        let report = audit(source.as_ref(), &trust, &options)?;
        meter.end();
        print_report(&report, self.json)?;
        Ok(if report.is_clean() {
            Outcome::Clean
        } else {
            Outcome::Findings
        })
    }
}

/// `lotproof mirror`
#[derive(Debug, Args)]
pub(crate) struct Mirror {
    /// Folder to copy into
    folder: PathBuf,
    /// Where the log is served
    #[arg(long)]
    from: String,
    /// Trust file: origin, log id and keys that you pinned
    #[arg(long)]
    trust: PathBuf,
    /// Print the report of the copy's audit as JSON
    #[arg(long)]
    json: bool,
}

impl Mirror {
    pub(crate) fn run(self) -> Result<Outcome> {
        let trust = read_trust(&self.trust)?;
        let meter = Meter::new();
        let show = |progress| meter.show(progress);
        let options = AuditOptions {
            progress: Some(&show),
            ..AuditOptions::default()
        };
        let mirrored = mirror(&HttpSource::new(&self.from), &trust, &self.folder, &options);
        meter.end();
        match mirrored {
            Ok(report) => {
                print_report(&report, self.json)?;
                Ok(Outcome::Clean)
            }
            Err(MirrorError::Findings(report)) => {
                print_report(&report, self.json)?;
                Ok(Outcome::Findings)
            }
            Err(error) => Err(error.into()),
        }
    }
}

/// A log by its URL, or the folder of its mirror.
///
/// # Errors
/// If it is neither: a name misspelled is no finding about a log.
pub(crate) fn open_source(log: &str) -> Result<Box<dyn LogSource>> {
    if log.starts_with("http://") || log.starts_with("https://") {
        return Ok(Box::new(HttpSource::new(log)));
    }
    ensure!(
        Path::new(log).is_dir(),
        "{log} is neither the folder of a mirror nor an address that starts with http:// or https://"
    );
    Ok(Box::new(DirSource::new(log)))
}

/// Reads a trust file.
pub(crate) fn read_trust(path: &Path) -> Result<TrustFile> {
    let json = fs::read(path).with_context(|| format!("reading the trust file {}", path.display()))?;
    TrustFile::parse(&json).with_context(|| format!("{} is not a trust file", path.display()))
}

fn read_checkpoint(path: &Path, trust: &TrustFile) -> Result<SignedCheckpoint> {
    let note = fs::read(path).with_context(|| format!("reading {}", path.display()))?;
    SignedCheckpoint::verify(note, trust.origin(), trust.log_keys())
        .with_context(|| format!("{} is not a checkpoint of this log", path.display()))
}

/// The report, for people or programs.
pub(crate) fn print_report(report: &Report, json: bool) -> Result<()> {
    let mut out = std::io::stdout().lock();
    if json {
        writeln!(out, "{}", serde_json::to_string_pretty(report)?)?;
        return Ok(());
    }
    writeln!(out, "log     {}", report.origin)?;
    if let (Some(size), Some(root)) = (report.size, report.root) {
        writeln!(out, "head    {size} entries, root {root}")?;
    }
    let outcomes: Vec<_> = report
        .tally
        .outcomes
        .iter()
        .map(|(outcome, count)| format!("{count} {outcome}"))
        .collect();
    writeln!(
        out,
        "replay  {} statements ({}), {} events, {} pieces of evidence",
        report.tally.statements,
        outcomes.join(", "),
        report.tally.events,
        report.tally.evidence,
    )?;
    if report.tally.undecided > 0 {
        writeln!(
            out,
            "        {} of them undecided: an entry before them could not be read, or their own time is wrong",
            report.tally.undecided
        )?;
    }
    for finding in &report.findings {
        writeln!(out, "finding {finding}")?;
    }
    match (report.is_clean(), report.stopped_early) {
        (true, _) => writeln!(
            out,
            "clean: every signature, decision and hash was computed again and agrees"
        )?,
        (false, true) => writeln!(out, "{} findings; the audit stopped there", report.findings.len())?,
        (false, false) => writeln!(out, "{} findings", report.findings.len())?,
    }
    Ok(())
}

/// Progress with rate and remaining time: one line rewritten on a terminal, a line now and then elsewhere.
pub(crate) struct Meter {
    start: Instant,
    terminal: bool,
}

impl Meter {
    #[expect(clippy::disallowed_methods, reason = "shows people how fast it goes")]
    pub(crate) fn new() -> Self {
        Self {
            start: Instant::now(),
            terminal: std::io::stderr().is_terminal(),
        }
    }

    pub(crate) fn show(&self, progress: Progress) {
        let seconds = self.start.elapsed().as_secs().max(1);
        let rate = progress.entries / seconds;
        let left = progress.size.get().saturating_sub(progress.entries);
        let remaining = left.checked_div(rate).unwrap_or_default();
        let line = format!(
            "{} of {} entries, {rate}/s, {remaining} s left, {} findings so far",
            progress.entries, progress.size, progress.findings
        );
        if self.terminal {
            eprint!("\r\x1b[K{line}");
        } else {
            eprintln!("{line}");
        }
    }

    pub(crate) fn end(&self) {
        if self.terminal {
            eprint!("\r\x1b[K");
        }
    }
}
