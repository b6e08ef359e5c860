//! What every service's process does the same: log to standard error, end on a signal, say where it listens.

use std::{
    io::{self, IsTerminal as _},
    net::SocketAddr,
};

use tokio::{
    signal::unix::{SignalKind, signal},
    sync::{oneshot, watch},
};
use tracing_subscriber::EnvFilter;

/// Logs to standard error what `RUST_LOG` asks for, `default_level` unless it is set; in colour on a terminal.
///
/// # Panics
/// If logging was set up before.
pub fn log_to_stderr(default_level: &str) {
    tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::try_from_default_env().unwrap_or_else(|_| default_level.into()))
        .with_writer(io::stderr)
        .with_ansi(io::stderr().is_terminal())
        .init();
}

/// Turns true on SIGTERM or SIGINT.
///
/// # Errors
/// If signals cannot be listened for.
pub fn shutdown_on_signals() -> io::Result<watch::Receiver<bool>> {
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let (stop, shutdown) = watch::channel(false);
    tokio::spawn(async move {
        tokio::select! { _ = terminate.recv() => {}, _ = interrupt.recv() => {} }
        stop.send_replace(true);
    });
    Ok(shutdown)
}

/// Prints the address once the service listens.
pub fn print_address() -> oneshot::Sender<SocketAddr> {
    let (listening, address) = oneshot::channel();
    tokio::spawn(async move {
        if let Ok(address) = address.await {
            println!("listening on http://{address}");
        }
    });
    listening
}
