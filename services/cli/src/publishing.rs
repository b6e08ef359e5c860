//! `publish`, and what every command that publishes needs: a statement is believed only when its receipt verifies.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, bail, ensure};
use clap::Args;
use lotproof::{
    epcis::{Import, ImportOptions, import},
    event::{EventError, parts::split_into_parts, sealed},
    id::{FeedId, Hash},
    identifier,
    outbox::{Config, PinnedLog, ProvenRow, Ticket},
    publish::EVENT_LEN_MAX,
    shell::{
        durable, key_file,
        nats::{Bus, BusOptions},
        publisher::{Publisher, PublisherConfig, Settled},
    },
    signature::SigningKey,
    trust::TrustFile,
    wire::v1,
};
use prost::Message as _;

use crate::{Outcome, auditing::read_trust};

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
}

/// A connection for publishing to one log.
pub(crate) struct Session {
    pub(crate) bus: Bus,
    pub(crate) trust: TrustFile,
    pub(crate) outbox: PathBuf,
}

impl Target {
    pub(crate) async fn open(self) -> Result<Session> {
        let trust = read_trust(&self.trust)?;
        let bus = Bus::connect(&BusOptions::new(&self.nats_url, "lotproof")).await?;
        Ok(Session {
            bus,
            trust,
            outbox: self.outbox,
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

/// Waits for the proof that parcels were admitted.
///
/// # Errors
/// If one was refused for good.
pub(crate) async fn proven(publisher: &Publisher, ticket: Ticket) -> Result<Vec<ProvenRow>> {
    let settled = publisher.wait_receipted(ticket).await?;
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
/// If one was refused for good.
pub(crate) async fn drained(publisher: &Publisher) -> Result<usize> {
    loop {
        let status = publisher.drain(std::time::Duration::from_mins(1)).await?;
        if let Some(letter) = publisher.letters().await?.first() {
            anyhow::bail!("refused: {} at entry {}", letter.refusal, letter.index);
        }
        if status.queued == 0 && status.unreceipted == 0 {
            return Ok(status.statements);
        }
        eprintln!(
            "{} statements wait for their receipts",
            status.queued + status.unreceipted
        );
    }
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
    /// Paths to seal in every event that has them, as `65.5.0.3`; separated by commas. Needs `--openings`
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
        let (sealed, openings) = seal(imported.events.iter().map(|imported| &imported.event), &self.seal)?;
        let mut events = Vec::new();
        for event in sealed {
            events.extend(split_into_parts(event, EVENT_LEN_MAX)?);
        }
        let session = self.target.open().await?;
        let publisher = session.publisher(&party, key).await?;
        if let Some(path) = &self.openings {
            // Before anything is published: an opening that is lost cannot be made again.
            write_openings(path, &openings)?;
        }
        for row in proven(&publisher, publisher.submit(&events).await?).await? {
            println!("statement {} is entry {}, proven", row.sequence, row.index);
        }
        Ok(if imported.refused.is_empty() {
            Outcome::Clean
        } else {
            Outcome::Findings
        })
    }
}

/// Openings by the id of their event.
type Openings = BTreeMap<String, Vec<sealed::Opening>>;

/// Events with the given paths sealed in each that has them, and the openings.
///
/// # Errors
/// If a path seals nothing in any event: whoever gave it would publish in clear what was to be hidden.
fn seal<'a>(
    events: impl Iterator<Item = &'a v1::Event>,
    paths: &[String],
) -> Result<(Vec<v1::Event>, Openings)> {
    let mut openings = Openings::new();
    let mut useless: BTreeMap<&String, Option<EventError>> = paths.iter().map(|path| (path, None)).collect();
    let mut sealed_events = Vec::new();
    for event in events {
        let mut event = event.clone();
        for path in paths {
            let mut salt = [0; 32];
            getrandom::fill(&mut salt).map_err(|error| anyhow::anyhow!("no randomness: {error}"))?;
            match sealed::seal(&event.encode_to_vec(), &[(path.clone(), Hash::new(salt))]) {
                Ok((bytes, opened)) => {
                    useless.remove(path);
                    event = v1::Event::decode(bytes.as_slice())?;
                    openings.entry(event.id.clone()).or_default().extend(opened);
                }
                Err(error) => {
                    if let Some(why) = useless.get_mut(path) {
                        *why = Some(error);
                    }
                }
            }
        }
        sealed_events.push(event);
    }
    if let Some((path, why)) = useless.pop_first() {
        let why = why.map_or_else(|| "there is no event".to_owned(), |why| why.to_string());
        bail!("--seal {path} seals nothing in any event ({why}); nothing was published");
    }
    Ok((sealed_events, openings))
}

/// Writes openings to a new file: those in another one could not be made again.
fn write_openings(path: &Path, openings: &Openings) -> Result<()> {
    ensure!(
        !path.exists(),
        "{} is there already, and openings cannot be made again: name a new file; nothing was published",
        path.display()
    );
    durable::write(path, &serde_json::to_vec_pretty(openings)?)
        .with_context(|| format!("writing {}", path.display()))
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

#[cfg(test)]
mod tests {
    use lotproof::wire::v1::event::Kind;

    use super::*;

    fn shipped(id: &str, consignee: &str) -> v1::Event {
        v1::Event {
            id: id.to_owned(),
            event_time: 1,
            kind: Some(Kind::Shipped(v1::Shipped {
                consignee: consignee.to_owned(),
                ..Default::default()
            })),
            ..Default::default()
        }
    }

    /// The number of `shipped`, and in it of `consignee`.
    const CONSIGNEE: &str = "96.5";

    #[test]
    fn a_path_is_sealed_in_every_event_that_has_it() {
        let events = [shipped("E1", "https://b.example/"), shipped("E2", "")];
        let (sealed, openings) = seal(events.iter(), &[CONSIGNEE.to_owned()]).unwrap();
        assert_eq!(sealed[0].sealed.len(), 1);
        assert_eq!(sealed[1], events[1]);
        assert_eq!(openings.keys().collect::<Vec<_>>(), ["E1"]);
    }

    #[test]
    fn a_path_that_seals_nothing_is_refused_before_anything_is_published_in_clear() {
        let events = [shipped("E1", "https://b.example/")];
        for path in ["96.99", "consignee", "1"] {
            let error = seal(events.iter(), &[CONSIGNEE.to_owned(), path.to_owned()]).unwrap_err();
            assert!(error.to_string().contains(&format!("--seal {path} ")), "{error}");
        }
    }

    #[test]
    fn openings_are_never_written_over() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("openings.json");
        write_openings(&path, &Openings::from([("E1".to_owned(), Vec::new())])).unwrap();
        assert!(write_openings(&path, &Openings::new()).is_err());
        assert!(fs::read_to_string(&path).unwrap().contains("E1"));
    }
}
