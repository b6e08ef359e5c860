//! `publish`, and what every command that publishes needs: a statement is believed only when its receipt verifies.

pub(crate) mod answers;

use std::{path::PathBuf, time::Duration};

use anyhow::{Context as _, Error, Result, bail};
use clap::Args;
use lotproof::{
    id::FeedId,
    identifier,
    outbox::{Config, DeadLetter, PinnedLog, ProvenRow},
    shell::{
        key_file,
        nats::{Bus, BusArguments, BusOptions, BusUrl},
        publisher::{Publisher, PublisherConfig, Settled, Watch},
    },
    signature::SigningKey,
    trust::TrustFile,
    wire::v1,
};
use prost::Message as _;

use self::answers::Answers;
use crate::{
    Outcome,
    auditing::read_trust,
    desk::{Desk, a_few},
    sealing::{seal_events, write_openings},
    stating::{self, Statements},
    waiting::{Patience, must_be_open},
};

/// How many events are handed to the outbox at once.
pub(crate) const AT_ONCE: usize = 4_096;

/// Where to publish to, and as whom.
#[derive(Debug, Args)]
pub(crate) struct Target {
    /// The bus; several servers of one cluster are separated by commas
    #[arg(
        long,
        env = "LOTPROOF_NATS_URL",
        hide_env_values = true,
        default_value = "nats://127.0.0.1:4222"
    )]
    pub(crate) nats_url: BusUrl,
    #[command(flatten)]
    pub(crate) bus: BusArguments,
    /// Trust file of the log: origin, log id and keys that you pinned
    #[arg(long)]
    pub(crate) trust: PathBuf,
    /// Folder for outboxes: what is signed is kept there until its receipt is proven
    #[arg(long, default_value = "outbox")]
    pub(crate) outbox: PathBuf,
    /// Give up when the proofs are not there after so long; what was handed over stays in the outbox
    #[arg(long, value_name = "SECONDS")]
    pub(crate) timeout: Option<u64>,
}

/// A connection for publishing to one log.
pub(crate) struct Session {
    pub(crate) bus: Bus,
    pub(crate) trust: TrustFile,
    pub(crate) outbox: PathBuf,
    pub(crate) patience: Patience,
}

impl Target {
    pub(crate) async fn open(self) -> Result<Session> {
        let patience = Patience::from_now(self.timeout.map(Duration::from_secs));
        let trust = read_trust(&self.trust)?;
        let access = self.bus.access().map_err(Error::msg)?;
        let bus = Bus::connect(&BusOptions::new(&self.nats_url, "lotproof").with_access(&access))
            .await
            .context(
                "no bus: `--nats-url` names it, and `lotproof up` prints it; `--nats-nkey` and the like let in",
            )?;
        Ok(Session {
            bus,
            trust,
            outbox: self.outbox,
            patience,
        })
    }
}

impl Session {
    /// Starts the publisher of one key.
    pub(crate) async fn publisher(&self, party: &str, key: SigningKey) -> Result<Publisher> {
        self.watched(party, key, Box::new(|_| {})).await
    }

    /// The same, and tells of every record of its outbox.
    pub(crate) async fn watched(&self, party: &str, key: SigningKey, watch: Watch) -> Result<Publisher> {
        let log_keys: Vec<FeedId> = self
            .trust
            .log_keys()
            .iter()
            .map(|key| FeedId::new(*key.public_key()))
            .collect();
        let log = PinnedLog::new(self.trust.log_id(), self.trust.origin().clone(), &log_keys)?;
        let folder = self.outbox.join(key.feed().to_string());
        let generation = self.outbox.join(format!("{}.generation", key.feed()));
        let outbox = Config::new(log, party.to_owned());
        let config = PublisherConfig {
            folder,
            generation,
            outbox,
            keys: vec![key],
        };
        Ok(Publisher::start_watched(self.bus.clone(), config, watch).await?)
    }
}

/// Publishes events, and waits for the proof that they were admitted; `refused` says which of them the register does
/// not allow.
///
/// # Errors
/// If some were refused for good, or no proof can come, or none came in time.
pub(crate) async fn proven(
    session: &Session,
    publisher: &Publisher,
    events: &[v1::Event],
    refused: &dyn Fn() -> String,
) -> Result<Vec<ProvenRow>> {
    // Events that nobody will ever sign are not taken into the outbox.
    if events.is_empty() {
        return Ok(Vec::new());
    }
    must_be_open(publisher).await?;
    let mut rows = Vec::new();
    let mut tickets = Vec::new();
    for some in events.chunks(AT_ONCE) {
        let taken = publisher.submit_when_there_is_room(some);
        tickets.push(session.patience.wait(publisher, taken).await?);
    }
    for ticket in tickets {
        let settled = session
            .patience
            .wait_telling(publisher, publisher.wait_receipted(ticket), refused)
            .await?;
        for settled in settled {
            match settled {
                Settled::Admitted { row, .. } => rows.push(row),
                Settled::DeadLettered(letter) => bail!(dead(&letter)),
                Settled::Withdrawn => bail!("withdrawn before it was admitted"),
                Settled::Earlier => bail!("settled in an earlier run"),
            }
        }
    }
    Ok(rows)
}

/// What was refused for good, why, and what helps.
fn dead(letter: &DeadLetter) -> String {
    let ids = letter
        .events
        .iter()
        .filter_map(|event| Some(v1::Event::decode(event.clone()).ok()?.id));
    format!(
        "the ledger refused {}, at entry {}: {} ({})",
        a_few(ids),
        letter.index,
        letter.refusal.advice(),
        letter.refusal
    )
}

/// Waits until everything that was handed over is proven; how many statements the outbox holds then.
///
/// # Errors
/// As [`proven`].
pub(crate) async fn drained(
    session: &Session,
    publisher: &Publisher,
    refused: &dyn Fn() -> String,
) -> Result<usize> {
    let drained = publisher.drain(Duration::MAX);
    let status = session.patience.wait_telling(publisher, drained, refused).await?;
    if let Some(letter) = publisher.letters().await?.first() {
        bail!(dead(letter));
    }
    Ok(status.statements)
}

/// `lotproof publish`
#[derive(Debug, Args)]
pub(crate) struct Publish {
    /// An EPCIS 2.0 JSON-LD document, or events as JSON in the words of `event.proto`
    file: PathBuf,
    /// The party that speaks
    #[arg(long)]
    party: String,
    /// Its key file
    #[arg(long)]
    key: PathBuf,
    /// The document is another's: its events are published as reported
    #[arg(long)]
    reported: bool,
    /// Fields to seal wherever they stand, by name as `cost,consignee`, or one field by its path as `65.5.0.3`.
    /// Needs `--openings`
    #[arg(long, value_delimiter = ',', requires = "openings")]
    seal: Vec<String>,
    /// A new file for the openings of sealed fields: without them nobody can open the fields again
    #[arg(long, requires = "seal")]
    openings: Option<PathBuf>,
    #[command(flatten)]
    target: Target,
}

impl Publish {
    pub(crate) async fn run(self) -> Result<Outcome> {
        let party = identifier::normalise(&self.party).with_context(|| format!("party {}", self.party))?;
        let key = key_file::read(&self.key).with_context(|| format!("reading {}", self.key.display()))?;
        let Statements { mut events, refused } = stating::read(&self.file, self.reported)?;
        let taken = events.iter_mut().map(|stated| std::mem::take(&mut stated.event));
        let (sealed, openings) = seal_events(taken.collect(), &self.seal)?;
        for (stated, event) in events.iter_mut().zip(sealed) {
            stated.event = event;
        }
        let session = self.target.open().await?;
        let answers = Answers::listen(&session, key.feed(), &party).await?;
        let desk = Desk::open(&session, &party, key).await?;
        let plan = desk.plan(events);
        if let (Some(path), false) = (&self.openings, plan.is_empty()) {
            // Before anything is published: an opening that is lost cannot be made again.
            write_openings(path, &openings)?;
        }
        let done = tokio::select! {
            done = desk.carry_out(&session, plan) => done?,
            done = answers.tell() => done,
        };
        desk.publisher.stop().await?;
        for row in &done.rows {
            println!("statement {} is entry {}, proven", row.sequence, row.index);
        }
        if done.known > 0 {
            println!(
                "{} events stand twice or were published from this outbox before, and are not published again",
                done.known
            );
        }
        if done.declared > 0 {
            println!("{} events are declared wrong", done.declared);
        }
        for why in &done.refused {
            eprintln!("{why}");
        }
        Ok(if refused == 0 && done.refused.is_empty() {
            Outcome::Clean
        } else {
            Outcome::Findings
        })
    }
}
