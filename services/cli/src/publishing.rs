//! `publish`, and what every command that publishes needs: a statement is believed only when its receipt verifies.

pub(crate) mod answers;

use std::{fs, path::PathBuf, time::Duration};

use anyhow::{Context as _, Result};
use clap::Args;
use lotproof::{
    epcis::{Import, ImportOptions, import},
    event::parts::split_into_parts,
    id::FeedId,
    identifier,
    outbox::{Config, PinnedLog, ProvenRow},
    publish::EVENT_LEN_MAX,
    shell::{
        key_file,
        nats::{Bus, BusOptions},
        publisher::{Publisher, PublisherConfig, Settled},
    },
    signature::SigningKey,
    trust::TrustFile,
    wire::v1,
};

use self::answers::Answers;
use crate::{
    Outcome,
    auditing::read_trust,
    sealing::{seal_events, write_openings},
    waiting::{Patience, must_be_open},
};

/// Where to publish to, and as whom.
#[derive(Debug, Args)]
pub(crate) struct Target {
    /// The bus
    #[arg(long, default_value = "nats://127.0.0.1:4222")]
    pub(crate) nats_url: String,
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
        let bus = Bus::connect(&BusOptions::new(&self.nats_url, "lotproof")).await?;
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
        Ok(Publisher::start(
            self.bus.clone(),
            PublisherConfig {
                folder,
                generation,
                outbox,
                keys: vec![key],
            },
        )
        .await?)
    }
}

/// Publishes events, and waits for the proof that they were admitted.
///
/// # Errors
/// If some were refused for good, or no proof can come, or none came in time.
pub(crate) async fn proven(
    session: &Session,
    publisher: &Publisher,
    events: &[v1::Event],
) -> Result<Vec<ProvenRow>> {
    // Events that nobody will ever sign are not taken into the outbox.
    must_be_open(publisher).await?;
    let ticket = publisher.submit(events).await?;
    let settled = session
        .patience
        .wait(publisher, publisher.wait_receipted(ticket))
        .await?;
    let rows = settled.into_iter().map(|settled| match settled {
        Settled::Admitted { row, .. } => Ok(row),
        Settled::DeadLettered(letter) => anyhow::bail!("refused: {}", letter.refusal),
        Settled::Earlier => anyhow::bail!("settled in an earlier run"),
    });
    rows.collect()
}

/// Waits until everything that was handed over is proven; how many statements the outbox holds then.
///
/// # Errors
/// As [`proven`].
pub(crate) async fn drained(session: &Session, publisher: &Publisher) -> Result<usize> {
    let drained = publisher.drain(Duration::MAX);
    let status = session.patience.wait(publisher, drained).await?;
    if let Some(letter) = publisher.letters().await?.first() {
        anyhow::bail!("refused: {} at entry {}", letter.refusal, letter.index);
    }
    Ok(status.statements)
}

/// `lotproof publish`
#[derive(Debug, Args)]
pub(crate) struct Publish {
    /// An EPCIS 2.0 document
    epcis: PathBuf,
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
        let bytes = fs::read(&self.epcis).with_context(|| format!("reading {}", self.epcis.display()))?;
        let mut options = ImportOptions::default();
        if self.reported {
            options.origin = lotproof::epcis::Origin::Reported { claimed_party: None };
        }
        let imported = import(&bytes, &options)?;
        print_import(&imported);
        let taken = imported.events.iter().map(|imported| imported.event.clone());
        let (sealed, openings) = seal_events(taken.collect(), &self.seal)?;
        let mut events = Vec::new();
        for event in sealed {
            events.extend(split_into_parts(event, EVENT_LEN_MAX)?);
        }
        let session = self.target.open().await?;
        let answers = Answers::listen(&session, key.feed(), &party).await?;
        let publisher = session.publisher(&party, key).await?;
        if let Some(path) = &self.openings {
            // Before anything is published: an opening that is lost cannot be made again.
            write_openings(path, &openings)?;
        }
        let rows = tokio::select! {
            rows = proven(&session, &publisher, &events) => rows?,
            rows = answers.tell() => rows,
        };
        for row in rows {
            println!("statement {} is entry {}, proven", row.sequence, row.index);
        }
        Ok(if imported.refused.is_empty() {
            Outcome::Clean
        } else {
            Outcome::Findings
        })
    }
}

/// What an import mended, carried or refused, one line each.
pub(crate) fn print_import(imported: &Import) {
    for refused in &imported.refused {
        for finding in &refused.findings {
            eprintln!(
                "event {} refused: {} at {}: {}",
                refused.position, finding.code, finding.path, finding.detail
            );
        }
    }
    println!(
        "{} events taken, {} refused",
        imported.events.len(),
        imported.refused.len()
    );
}
