//! `up` and `ledger`: running a ledger, and an operator's orders to it.

use std::{net::SocketAddr, path::PathBuf};

use anyhow::{Context as _, Result};
use clap::{Args, Subcommand};
use lotproof::{
    audit::AuditOptions,
    shell::nats::{PrivateServer, ServerOptions},
};
use lotproof_ledger::{Config, Folder, Rebuilt, rebuild, run};
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::{oneshot, watch},
};

use crate::{
    Outcome,
    auditing::{Meter, open_source, print_report, read_trust},
};

/// `lotproof up`
#[derive(Debug, Args)]
pub(crate) struct Up {
    /// Data folder, made by `lotproof init`
    folder: PathBuf,
    /// The bus; without it a private `nats-server` is started and supervised, with its data in the folder
    #[arg(long)]
    nats_url: Option<String>,
    /// Where HTTP listens; loopback unless told otherwise
    #[arg(long, default_value = "127.0.0.1:8470")]
    http: SocketAddr,
}

impl Up {
    pub(crate) async fn run(self) -> Result<Outcome> {
        let folder = Folder::new(&self.folder);
        folder.identity()?;
        let mut server = match &self.nats_url {
            Some(_) => None,
            None => Some(PrivateServer::start(ServerOptions::new(self.folder.join("nats"))).await?),
        };
        let url = self
            .nats_url
            .or_else(|| server.as_ref().map(PrivateServer::url))
            .unwrap_or_default();
        let mut config = Config::new(folder, url.clone());
        config.http = self.http;
        let (stop, shutdown) = watch::channel(false);
        let (listening, address) = oneshot::channel();
        let ledger = tokio::spawn(run(config, shutdown, listening));
        tokio::spawn(async move {
            if let Ok(address) = address.await {
                println!("ledger  http://{address}");
                println!("bus     {url}");
                println!("stop with Ctrl-C");
            }
        });
        let (mut terminate, mut interrupt) =
            (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
        let supervised = async {
            match &mut server {
                Some(server) => server.supervise().await,
                None => std::future::pending().await,
            }
        };
        let mut ledger = ledger;
        let ended = tokio::select! {
            _ = terminate.recv() => None,
            _ = interrupt.recv() => None,
            error = supervised => {
                stop.send_replace(true);
                return Err(error).context("the private bus");
            }
            ended = &mut ledger => Some(ended),
        };
        let ended = if let Some(ended) = ended {
            ended
        } else {
            stop.send_replace(true);
            ledger.await
        };
        if let Some(mut server) = server {
            server.stop().await;
        }
        ended.context("the ledger panicked")??;
        Ok(Outcome::Clean)
    }
}

/// `lotproof ledger`
#[derive(Debug, Subcommand)]
pub(crate) enum Ledger {
    /// Go on although the guard is missing or empty: this store is the newest
    Reseed(Order),
    /// Go on although the clock jumped: it is right now
    AcceptClock(Order),
    /// Make the store anew from a mirror, after auditing all of it; the ledger must not run
    Rebuild(Rebuild),
}

/// `lotproof ledger rebuild`
#[derive(Debug, Args)]
pub(crate) struct Rebuild {
    /// Data folder
    folder: PathBuf,
    /// The mirror: its folder, or the URL where a copy of the log is served
    #[arg(long)]
    from: String,
    /// Trust file, if the log has had other keys than the one in the folder
    #[arg(long)]
    trust: Option<PathBuf>,
    /// Print the report of the mirror's audit as JSON
    #[arg(long)]
    json: bool,
}

impl Rebuild {
    fn run(self) -> Result<Outcome> {
        let trust = self.trust.as_deref().map(read_trust).transpose()?;
        let mirror = open_source(&self.from);
        let meter = Meter::new();
        let show = |progress| meter.show(progress);
        let options = AuditOptions {
            progress: Some(&show),
            ..AuditOptions::default()
        };
        let rebuilt = rebuild(&Folder::new(self.folder), mirror.as_ref(), trust, &options);
        meter.end();
        match rebuilt? {
            Rebuilt::Done { report, replaced } => {
                print_report(&report, self.json)?;
                if let Some(path) = replaced {
                    eprintln!("the old store is in {}", path.display());
                }
                eprintln!(
                    "the store is rebuilt; the guard is asked at the next start whether it is the newest"
                );
                Ok(Outcome::Clean)
            }
            Rebuilt::Findings(report) => {
                print_report(&report, self.json)?;
                Ok(Outcome::Findings)
            }
        }
    }
}

/// An order, which the ledger carries out at its next start and records as an entry.
#[derive(Debug, Args)]
pub(crate) struct Order {
    /// Data folder
    folder: PathBuf,
    /// Why; recorded in the log for everybody to read
    #[arg(long)]
    reason: String,
}

impl Ledger {
    pub(crate) fn run(self) -> Result<Outcome> {
        match self {
            Self::Rebuild(rebuild) => return rebuild.run(),
            Self::Reseed(order) => Folder::new(order.folder).order_reseed(&order.reason)?,
            Self::AcceptClock(order) => Folder::new(order.folder).order_accept_clock(&order.reason)?,
        }
        println!("the ledger will do so at its next start");
        Ok(Outcome::Clean)
    }
}
