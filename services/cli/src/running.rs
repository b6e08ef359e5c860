//! `up` and `ledger`: running the services, and an operator's orders to the ledger.

use std::{
    future::Future,
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener},
    path::PathBuf,
};

use anyhow::{Context as _, Result};
use clap::{Args, Subcommand};
use lotproof::{
    audit::AuditOptions,
    gateway::Service,
    shell::{
        http::{HttpArguments, HttpOptions},
        nats::{BusArguments, BusUrl, PrivateServer, ServerOptions},
        process::StopSignals,
    },
};
use lotproof_ledger::{Config, Folder, Rebuilt, rebuild};
use tokio::{
    sync::{oneshot, watch},
    task::JoinSet,
};

use crate::{
    Outcome,
    auditing::{Meter, open_source, print_report, read_trust},
    founding::trust_file,
    gateways::{self, GatewaySetting},
};

/// Where rule packs lie in a data folder.
pub(crate) const POLICIES_FOLDER: &str = "policies";

/// `lotproof up`
#[derive(Debug, Args)]
pub(crate) struct Up {
    /// Data folder, made by `lotproof init`
    folder: PathBuf,
    /// The bus; without it a private `nats-server` is started and supervised, with its data in the folder
    #[arg(long)]
    nats_url: Option<BusUrl>,
    #[command(flatten)]
    bus: BusArguments,
    /// The private bus's port on 127.0.0.1; a free one unless given, another at each start
    #[arg(long, value_name = "PORT", conflicts_with = "nats_url")]
    bus_port: Option<u16>,
    /// Where the ledger's HTTP listens; loopback unless told otherwise
    #[arg(long, default_value = "127.0.0.1:8470")]
    http: SocketAddr,
    #[command(flatten)]
    door: HttpArguments,
    /// The log is public: web pages of any origin may read its checkpoint and tiles (CORS)
    #[arg(long)]
    public_log: bool,
    /// Run a manufacturing gateway for this party; without it, as `manufacturing.json` in the folder says, if
    /// it is there
    #[arg(long, value_name = "PARTY:KEYFILE")]
    manufacturing: Option<GatewaySetting>,
    /// Run a shipping gateway for this party; without it, as `shipping.json` in the folder says, if it is there
    #[arg(long, value_name = "PARTY:KEYFILE")]
    shipping: Option<GatewaySetting>,
    /// Where the projector's HTTP listens
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8473")]
    compliance: SocketAddr,
    /// Rule packs for the projector; those in the data folder unless given
    #[arg(long, value_name = "FOLDER")]
    policies: Option<PathBuf>,
    /// Openings of sealed fields for the projector, as `publish --openings` wrote them; may be repeated
    #[arg(long, value_name = "FILE")]
    openings: Vec<PathBuf>,
}

/// The services of this process: each runs until told to stop, and the first that ends ends all.
pub(crate) struct Services {
    running: JoinSet<(&'static str, Result<()>)>,
    stop: watch::Sender<bool>,
}

impl Services {
    pub(crate) fn new() -> Self {
        Self {
            running: JoinSet::new(),
            stop: watch::Sender::new(false),
        }
    }

    /// Starts a service, and waits until it listens, and where, or ends.
    async fn start<F>(
        &mut self,
        name: &'static str,
        run: impl FnOnce(watch::Receiver<bool>, oneshot::Sender<SocketAddr>) -> F,
    ) -> Option<SocketAddr>
    where
        F: Future<Output = Result<()>> + Send + 'static,
    {
        let (listening, address) = oneshot::channel();
        let service = run(self.stop.subscribe(), listening);
        self.running.spawn(async move { (name, service.await) });
        let address = address.await.ok()?;
        println!("{name:<14} http://{address}");
        Some(address)
    }

    pub(crate) async fn start_ledger(&mut self, config: Config) -> Option<SocketAddr> {
        self.start("ledger", |stop, listening| {
            lotproof_ledger::run(config, stop, listening)
        })
        .await
    }

    pub(crate) async fn start_compliance(
        &mut self,
        config: lotproof_compliance::Config,
    ) -> Option<SocketAddr> {
        self.start("compliance", |stop, listening| {
            lotproof_compliance::run(config, stop, listening)
        })
        .await
    }

    /// Tells all to stop once one has ended, and waits for them. The first failure counts.
    pub(crate) async fn finish(mut self, mut first: Option<(&'static str, Result<()>)>) -> Result<()> {
        self.stop.send_replace(true);
        while let Some(ended) = self.running.join_next().await {
            let (name, result) = ended.context("a service panicked")?;
            if first.as_ref().is_none_or(|(_, first)| first.is_ok()) {
                first = Some((name, result));
            }
        }
        let Some((name, Err(error))) = first else {
            return Ok(());
        };
        let what = if is_port_taken(&error) {
            format!(
                "{name}: another program listens there; give another address with {}",
                address_option(name)
            )
        } else {
            name.to_owned()
        };
        Err(error.context(what))
    }
}

/// Whether a service ended because somebody else has its port.
fn is_port_taken(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        cause
            .downcast_ref::<io::Error>()
            .is_some_and(|cause| cause.kind() == io::ErrorKind::AddrInUse)
    })
}

/// Where this machine finds a service that listens on all of its addresses.
fn from_here(address: SocketAddr) -> SocketAddr {
    match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => (Ipv4Addr::LOCALHOST, address.port()).into(),
        IpAddr::V6(ip) if ip.is_unspecified() => (Ipv6Addr::LOCALHOST, address.port()).into(),
        _ => address,
    }
}

/// What says where a service listens.
fn address_option(name: &str) -> String {
    match name {
        "ledger" => "`--http`".to_owned(),
        "compliance" => "`--compliance`".to_owned(),
        gateway => format!("`\"http\"` in {gateway}.json"),
    }
}

impl Up {
    pub(crate) async fn run(self) -> Result<Outcome> {
        let mut signals = StopSignals::listen()?;
        let folder = Folder::new(&self.folder);
        let trust = trust_file(&folder.identity()?)?;
        let mut settings = Vec::new();
        for (service, given) in [
            (Service::Manufacturing, self.manufacturing),
            (Service::Shipping, self.shipping),
        ] {
            let setting = match given {
                Some(setting) => Some(setting),
                None => GatewaySetting::of_folder(&self.folder, service)?,
            };
            settings.extend(setting.map(|setting| (service, setting)));
        }
        let mut server = if self.nats_url.is_some() {
            None
        } else {
            let options = ServerOptions {
                port: self.bus_port,
                own_credentials: true,
                ..ServerOptions::new(self.folder.join("nats"))
            };
            let started = tokio::select! {
                () = signals.received() => return Ok(Outcome::Clean),
                started = PrivateServer::start(options) => started,
            };
            Some(started.with_context(|| match self.bus_port {
                // Not asked before: a bus that is about to end may hold the port, and is waited for.
                Some(port) if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_err() => {
                    format!("another program listens at 127.0.0.1:{port}: give another `--bus-port`")
                }
                _ => format!("the private bus of {}", self.folder.display()),
            })?)
        };
        let url = self
            .nats_url
            .or_else(|| server.as_ref().map(|server| server.url().into()))
            .context("no bus")?;
        println!("{:<14} {url}", "bus");
        let access = match &server {
            Some(server) => {
                let key = self.folder.join("nats").join("client.nk");
                println!("{:<14} --nats-nkey {}", "bus key", key.display());
                server.access()
            }
            None => self.bus.access().map_err(anyhow::Error::msg)?,
        };

        let http_options = HttpOptions::from(self.door);
        // What is wrong with a setting is said before anything runs that would have to be stopped.
        let gateways = settings.into_iter().map(|(service, setting)| {
            let outbox = self.folder.join(service.name());
            let mut config = setting.config(service, &url, &trust, outbox)?;
            config.http_options = http_options.clone();
            config.bus_access = access.clone();
            Ok(config)
        });
        let gateways = gateways.collect::<Result<Vec<_>>>()?;
        let mut ledger = Config::new(folder, url.clone());
        ledger.bus_access = access.clone();
        ledger.http = self.http;
        ledger.http_options = http_options.clone();
        ledger.is_public = self.public_log;
        let policies = self.policies.unwrap_or_else(|| self.folder.join(POLICIES_FOLDER));

        let mut services = Services::new();
        let supervised = async {
            match &mut server {
                Some(server) => server.supervise().await,
                None => std::future::pending().await,
            }
        };
        let running = async {
            let all = async {
                let ledger = services.start_ledger(ledger).await?;
                let mut config = lotproof_compliance::Config::new(
                    url,
                    format!("http://{}", from_here(ledger)),
                    trust,
                    policies,
                );
                config.bus_access = access;
                config.http = self.compliance;
                config.http_options = http_options;
                config.openings = self.openings;
                config.folder = Some(self.folder.join("compliance"));
                services.start_compliance(config).await?;
                for config in gateways {
                    let name = config.service.name();
                    services
                        .start(name, |stop, listening| gateways::run(config, stop, listening))
                        .await?;
                }
                Some(())
            };
            if all.await.is_some() {
                println!("stop with Ctrl-C");
            }
            services.running.join_next().await
        };
        let ended = tokio::select! {
            () = signals.received() => Ok(None),
            error = supervised => Err(error),
            ended = running => Ok(ended),
        };
        let (first, bus) = match ended {
            Ok(ended) => (ended.transpose().context("a service panicked")?, Ok(())),
            Err(error) => (None, Err(error).context("the private bus")),
        };
        let finished = services.finish(first).await;
        if let Some(mut server) = server {
            server.stop().await;
        }
        bus.and(finished)?;
        Ok(Outcome::Clean)
    }
}

/// `lotproof ledger`
#[derive(Debug, Subcommand)]
pub(crate) enum Ledger {
    /// Go on although the guard is missing or empty: this store is the newest
    Reseed(Order),
    /// Go on although the clock was doubted: it is right now
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
        let mirror = open_source(&self.from)?;
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
