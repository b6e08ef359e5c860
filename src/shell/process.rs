//! The life of a service's process: its log on standard error, its address on standard output, its end in order
//! on SIGTERM or SIGINT, and what it says when it cannot run.
//!
//! Exit codes are those of `lotproof`: 0 ended in order, 2 could not run, or had to end.

use std::{
    error::Error,
    io::{self, IsTerminal as _, Write as _},
    net::SocketAddr,
    process::ExitCode,
};

use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    sync::{oneshot, watch},
};
use tracing_subscriber::EnvFilter;

/// Writes the log to standard error: what `RUST_LOG` says, or else `level` and above. Coloured on a terminal.
pub fn log_to_stderr(level: &str) {
    tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::try_from_default_env().unwrap_or_else(|_| level.into()))
        .with_ansi(io::stderr().is_terminal())
        // Told on standard error, too, and a panic if that is gone: a lost log must not end a ledger.
        .log_internal_errors(false)
        .with_writer(io::stderr)
        .init();
}

/// SIGTERM and SIGINT, which no longer end the process from the moment that this is made.
#[derive(Debug)]
pub struct StopSignals {
    terminate: Signal,
    interrupt: Signal,
}

impl StopSignals {
    /// Listens from now on.
    ///
    /// # Errors
    /// If the system refuses.
    pub fn listen() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    /// Returns once either came.
    pub async fn received(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

/// Runs a service, which is told to stop by SIGTERM and SIGINT, and prints where it listens. What it comes to is
/// returned.
///
/// # Errors
/// If the system does not let signals be heard; nothing ran then.
pub async fn until_stopped<F: Future>(
    run: impl FnOnce(watch::Receiver<bool>, oneshot::Sender<SocketAddr>) -> F,
) -> io::Result<F::Output> {
    let mut signals = StopSignals::listen()?;
    let (stop, shutdown) = watch::channel(false);
    let (listening, address) = oneshot::channel();
    tokio::spawn(async move {
        if let Ok(address) = address.await {
            // Whoever wanted to know may have gone.
            let _ = writeln!(io::stdout(), "listening on http://{address}");
        }
    });
    tokio::spawn(async move {
        signals.received().await;
        stop.send_replace(true);
    });
    Ok(run(shutdown, listening).await)
}

/// A whole service: its log, its life, and the exit code of its process, whose `name` is said with an error.
pub async fn service<F, E>(
    name: &str,
    run: impl FnOnce(watch::Receiver<bool>, oneshot::Sender<SocketAddr>) -> F,
) -> ExitCode
where
    F: Future<Output = Result<(), E>>,
    E: Into<Box<dyn Error + Send + Sync>>,
{
    log_to_stderr("info");
    let ended = match until_stopped(run).await {
        Ok(ended) => ended.map_err(Into::into),
        Err(error) => Err(error.into()),
    };
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{name}: {}", in_one_line(&*error));
            ExitCode::from(2)
        }
    }
}

/// An error and what is behind it.
fn in_one_line(error: &(dyn Error + 'static)) -> String {
    let mut line = error.to_string();
    for source in std::iter::successors(error.source(), |error| (*error).source()) {
        line = format!("{line}: {source}");
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_told_with_what_is_behind_it_in_one_line() {
        #[derive(Debug, thiserror::Error)]
        #[error("reading the trust file t.json")]
        struct Outer(#[source] io::Error);
        let error = Outer(io::Error::other("no such file"));
        assert_eq!(in_one_line(&error), "reading the trust file t.json: no such file");
    }
}
