//! `simulate`: the events of a battery supply chain, as files or through the bus. Same seed, same bytes.

use std::{
    fs::{self, File},
    io::{self, BufWriter, Write},
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};
use clap::Args;
use lotproof::{
    gateway::json,
    identifier,
    shell::{
        nats::{BusArguments, BusUrl},
        publisher::Publisher,
    },
    signature::SigningKey,
    simulate::{EventMix, Simulation, SimulationConfig},
    time::{EventTime, parse_rfc3339},
    wire::v1,
};
use prost::Message as _;
use serde_json::{Value, json as object};

use crate::{
    Outcome,
    enrolling::{enact, read_keys},
    publishing::{Target, drained},
    waiting::{Patience, must_be_open},
};

/// When simulations end unless told otherwise, so that the same seed gives the same bytes on any day.
const END: &str = "2026-01-01T00:00:00Z";
/// Events of one party that are handed over at once.
const AT_ONCE: usize = 4_096;

/// `lotproof simulate`
#[derive(Debug, Args)]
pub(crate) struct Simulate {
    /// Decides everything that varies
    #[arg(long, default_value_t = 154)]
    seed: u64,
    /// How many pack lots; the first five tell stories with a known end
    #[arg(long, default_value_t = 5)]
    lots: u32,
    /// When everything has happened
    #[arg(long, default_value = END)]
    end: String,
    /// Where to write: a file, or a folder (one file a party); standard output unless given
    #[arg(long, conflicts_with = "publish")]
    out: Option<PathBuf>,
    /// Print the mix of event sizes as JSON
    #[arg(long)]
    json: bool,
    /// Publish instead of writing: enrol everybody, then publish under the simulation's keys
    #[arg(long, requires = "authority", requires = "authority_keys", requires = "trust")]
    publish: bool,
    /// The authority's identifier, as in the genesis
    #[arg(long, requires = "publish")]
    authority: Option<String>,
    /// Key files of the authority: the first proposes, the others approve
    #[arg(long = "authority-key", requires = "publish")]
    authority_keys: Vec<PathBuf>,
    #[command(flatten)]
    target: OptionalTarget,
}

/// As [`Target`], where it is needed at all.
#[derive(Debug, Args)]
struct OptionalTarget {
    /// The bus; several servers of one cluster are separated by commas
    #[arg(
        long,
        env = "LOTPROOF_NATS_URL",
        hide_env_values = true,
        default_value = "nats://127.0.0.1:4222"
    )]
    nats_url: BusUrl,
    #[command(flatten)]
    bus: BusArguments,
    /// Trust file of the log: origin, log id and keys that you pinned
    #[arg(long)]
    trust: Option<PathBuf>,
    /// Folder for outboxes
    #[arg(long, default_value = "outbox")]
    outbox: PathBuf,
    /// Give up when the proofs are not there after so long; what was handed over stays in the outbox
    #[arg(long, value_name = "SECONDS")]
    timeout: Option<u64>,
}

impl Simulate {
    pub(crate) async fn run(self) -> Result<Outcome> {
        let (end, _) = parse_rfc3339(&self.end).with_context(|| format!("{} is not RFC 3339", self.end))?;
        let config = SimulationConfig::ending_at(self.seed, self.lots, EventTime::from_nanos(end));
        let simulation = Simulation::new(config)?;
        let mix = if self.publish {
            self.publish(&simulation).await?
        } else {
            let out = self.out.clone();
            tokio::task::spawn_blocking(move || write(&simulation, out.as_deref())).await??
        };
        // Not among the events, if those are printed.
        let mut told: Box<dyn Write> = if self.out.is_none() && !self.publish {
            Box::new(io::stderr())
        } else {
            Box::new(io::stdout())
        };
        if self.json {
            writeln!(told, "{}", serde_json::to_string(&mix)?)?;
        } else {
            writeln!(told, "{mix}")?;
        }
        Ok(Outcome::Clean)
    }

    async fn publish(&self, simulation: &Simulation) -> Result<EventMix> {
        let target = Target {
            nats_url: self.target.nats_url.clone(),
            bus: self.target.bus.clone(),
            trust: self.target.trust.clone().context("--trust is missing")?,
            outbox: self.target.outbox.clone(),
            timeout: self.target.timeout,
        };
        let session = target.open().await?;
        let authority = self.authority.as_deref().context("--authority is missing")?;
        let authority = identifier::normalise(authority).with_context(|| format!("authority {authority}"))?;
        let mut mix = EventMix::default();
        let acts = simulation.governance();
        for act in &acts {
            mix.add(act.encode_to_vec());
        }
        enact(&session, &authority, read_keys(&self.authority_keys)?, acts).await?;
        let mut desks: Vec<Option<Desk>> = simulation.parties().map(|_| None).collect();
        for simulated in simulation.events() {
            mix.add(simulated.event.encode_to_vec());
            let place = simulated.party.get();
            let desk = desks.get_mut(place).context("a party of the cast")?;
            if desk.is_none() {
                let key = SigningKey::from_seed(&simulation.key_seed(simulated.party));
                let party = &simulation.cast().party(simulated.party).identifier;
                *desk = Some(Desk::new(session.publisher(party, key).await?));
            }
            if let Some(desk) = desk {
                desk.waiting.push(simulated.event);
                if desk.waiting.len() >= AT_ONCE {
                    desk.submit(session.patience).await?;
                }
            }
        }
        let mut statements = 0;
        for mut desk in desks.into_iter().flatten() {
            desk.submit(session.patience).await?;
            statements += drained(&session, &desk.publisher, &String::new).await?;
        }
        println!("{statements} statements, every receipt proven");
        Ok(mix)
    }
}

/// One party's publisher and what it has still to say.
struct Desk {
    publisher: Publisher,
    waiting: Vec<v1::Event>,
}

impl Desk {
    const fn new(publisher: Publisher) -> Self {
        Self {
            publisher,
            waiting: Vec::new(),
        }
    }

    async fn submit(&mut self, patience: Patience) -> Result<()> {
        must_be_open(&self.publisher).await?;
        let events = std::mem::take(&mut self.waiting);
        let taken = self.publisher.submit_when_there_is_room(&events);
        patience.wait(&self.publisher, taken).await?;
        Ok(())
    }
}

/// Writes JSON lines: the authority's acts, then what the parties say, in order of event time.
fn write(simulation: &Simulation, out: Option<&Path>) -> Result<EventMix> {
    let mut mix = EventMix::default();
    let mut lines = Lines::open(simulation, out)?;
    for act in simulation.governance() {
        lines.line(
            None,
            &object!({ "party": Value::Null, "event": json::write(&act) }),
        )?;
        mix.add(act.encode_to_vec());
    }
    for simulated in simulation.events() {
        let party = &simulation.cast().party(simulated.party).identifier;
        let line = object!({ "party": party, "event": json::write(&simulated.event) });
        lines.line(Some(simulated.party.get()), &line)?;
        mix.add(simulated.event.encode_to_vec());
    }
    lines.finish()?;
    Ok(mix)
}

/// Where lines go.
enum Lines {
    One(Box<dyn Write>),
    /// The authority's file, then one for each party.
    Each(Vec<BufWriter<File>>),
}

impl Lines {
    fn open(simulation: &Simulation, out: Option<&Path>) -> Result<Self> {
        let create = |path: &Path| File::create(path).with_context(|| format!("creating {}", path.display()));
        Ok(match out {
            None => Self::One(Box::new(BufWriter::new(io::stdout()))),
            Some(folder) if folder.is_dir() || folder.as_os_str().to_string_lossy().ends_with('/') => {
                fs::create_dir_all(folder)?;
                let mut files = vec![BufWriter::new(create(&folder.join("authority.jsonl"))?)];
                for party in simulation.parties() {
                    let name = simulation
                        .cast()
                        .party(party)
                        .identifier
                        .rsplit('/')
                        .next()
                        .unwrap_or("party")
                        .to_owned();
                    files.push(BufWriter::new(create(&folder.join(format!("{name}.jsonl")))?));
                }
                Self::Each(files)
            }
            Some(file) => Self::One(Box::new(BufWriter::new(create(file)?))),
        })
    }

    fn line(&mut self, party: Option<usize>, line: &Value) -> Result<()> {
        match self {
            Self::One(out) => writeln!(out, "{line}")?,
            Self::Each(files) => {
                let file = files
                    .get_mut(party.map_or(0, |party| party + 1))
                    .context("a file for each party")?;
                writeln!(file, "{line}")?;
            }
        }
        Ok(())
    }

    fn finish(self) -> Result<()> {
        match self {
            Self::One(mut out) => out.flush()?,
            Self::Each(files) => {
                for mut file in files {
                    file.flush()?;
                }
            }
        }
        Ok(())
    }
}
