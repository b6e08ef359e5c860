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
        let report =
            audit(source.as_ref(), &trust, &options).with_context(|| format!("auditing {}", self.log))?;
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
        let source = HttpSource::new(&self.from);
        let meter = Meter::new();
        let show = |progress| meter.show(progress);
        let options = AuditOptions {
            progress: Some(&show),
            ..AuditOptions::default()
        };
        let mirrored = mirror(&source, &trust, &self.folder, &options);
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
            Err(error) => {
                Err(anyhow::Error::from(error).context(format!("copying the log at {}", self.from)))
            }
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

#[cfg(test)]
mod tests {
    use std::{io::Read as _, net::TcpListener};

    use lotproof::{
        audit::source::CHECKPOINT,
        id::{Hash, LogId},
        log::{checkpoint::Origin, note::NoteSigner},
    };

    use super::*;

    const ORIGIN: &str = "ledger.example/audited";

    /// A folder with a trust file in it.
    fn folder() -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        let key = NoteSigner::from_seed(ORIGIN, &[1; 32]).unwrap();
        let trust = TrustFile::new(
            Origin::new(ORIGIN).unwrap(),
            LogId::new(Hash::ZERO),
            vec![key.verifier_key().clone()],
        );
        fs::write(folder.path().join("trust.json"), trust.unwrap().to_json()).unwrap();
        folder
    }

    fn audited(folder: &Path, log: String) -> Result<Outcome> {
        Audit {
            log,
            trust: folder.join("trust.json"),
            previous: None,
            json: true,
        }
        .run()
    }

    #[test]
    fn a_folder_without_a_checkpoint_is_no_log_and_a_checkpoint_of_nobody_is_a_finding() {
        let folder = folder();
        let log = folder.path().display().to_string();
        let error = audited(folder.path(), log.clone()).err().unwrap();
        assert!(format!("{error:#}").contains("there is no log here"), "{error:#}");
        fs::write(folder.path().join(CHECKPOINT), "somebody's\n").unwrap();
        let outcome = audited(folder.path(), log).unwrap();
        assert!(matches!(outcome, Outcome::Findings));
    }

    #[test]
    fn an_address_that_serves_something_else_is_no_log() {
        let folder = folder();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let server = std::thread::spawn(move || {
            let (mut connection, _) = listener.accept().unwrap();
            let mut request = [0; 1_024];
            let read = connection.read(&mut request).unwrap();
            assert!(request[..read].starts_with(b"GET /checkpoint "));
            let answer = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
            connection.write_all(answer).unwrap();
        });
        let error = audited(folder.path(), format!("http://{address}")).err().unwrap();
        assert!(format!("{error:#}").contains("there is no log here"), "{error:#}");
        server.join().unwrap();
    }
}
