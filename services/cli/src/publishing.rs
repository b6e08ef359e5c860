//! `enroll` and `publish`: getting statements into a log, each believed only when its receipt verifies.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, ensure};
use clap::Args;
use lotproof::{
    epcis::{Import, ImportOptions, import},
    event::{parts::split_into_parts, sealed},
    id::{FeedId, Hash},
    identifier,
    outbox::{Config, PinnedLog, ProvenRow, Ticket},
    publish::EVENT_LEN_MAX,
    shell::{
        key_file,
        nats::{Bus, BusOptions},
        publisher::{Publisher, PublisherConfig, Settled},
    },
    signature::SigningKey,
    trust::TrustFile,
    wire::v1::{self, event::Kind},
};
use lotproof_ledger::Reading;
use prost::Message as _;
use serde::Deserialize;

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

/// Who is to be enrolled, as in `examples/battery-lot-chain.parties.json`.
#[derive(Debug, Deserialize)]
pub(crate) struct Register {
    pub(crate) parties: Vec<Party>,
    #[serde(default)]
    pub(crate) facilities: Vec<Facility>,
    #[serde(default)]
    pub(crate) keys: Vec<Key>,
    #[serde(default)]
    pub(crate) events: Vec<Assignment>,
}

/// A party.
#[derive(Debug, Deserialize)]
pub(crate) struct Party {
    #[serde(rename = "party")]
    pub(crate) id: String,
    pub(crate) legal_name: String,
    #[serde(default)]
    aliases: Vec<String>,
    #[serde(default)]
    organized_in: String,
    #[serde(default)]
    principal_place: String,
    #[serde(default)]
    namespaces: Vec<String>,
    #[serde(default)]
    roles: Vec<String>,
    #[serde(default)]
    fixture: bool,
}

impl Party {
    /// A fictional party of which nothing else is said.
    pub(crate) fn named(id: &str, legal_name: &str) -> Self {
        Self {
            id: id.to_owned(),
            legal_name: legal_name.to_owned(),
            aliases: Vec::new(),
            organized_in: String::new(),
            principal_place: String::new(),
            namespaces: Vec::new(),
            roles: Vec::new(),
            fixture: true,
        }
    }
}

/// A facility.
#[derive(Debug, Deserialize)]
pub(crate) struct Facility {
    #[serde(rename = "facility")]
    id: String,
    #[serde(default)]
    name: String,
    country: String,
    #[serde(default)]
    subdivision: String,
    operator: String,
}

/// A party's public key.
#[derive(Debug, Deserialize)]
pub(crate) struct Key {
    pub(crate) party: String,
    pub(crate) key: FeedId,
}

/// Which party publishes which event of a document.
#[derive(Debug, Deserialize)]
pub(crate) struct Assignment {
    pub(crate) position: usize,
    pub(crate) party: String,
}

impl Register {
    pub(crate) fn read(path: &Path) -> Result<Self> {
        let json = fs::read(path).with_context(|| format!("reading {}", path.display()))?;
        serde_json::from_slice(&json).with_context(|| format!("{} is no list of parties", path.display()))
    }

    /// The acts that enrol all of it.
    pub(crate) fn acts(&self, now_nanos: i64) -> Vec<v1::Event> {
        let parties = self.parties.iter().map(|party| {
            Kind::PartyEnrolled(v1::PartyEnrolled {
                party: party.id.clone(),
                legal_name: party.legal_name.clone(),
                aliases: party.aliases.clone(),
                organized_in: party.organized_in.clone(),
                principal_place: party.principal_place.clone(),
                namespaces: party.namespaces.clone(),
                roles: party.roles.clone(),
                fixture: party.fixture,
                ..Default::default()
            })
        });
        let facilities = self.facilities.iter().map(|facility| {
            Kind::FacilityRegistered(v1::FacilityRegistered {
                facility: facility.id.clone(),
                name: facility.name.clone(),
                country: facility.country.clone(),
                subdivision: facility.subdivision.clone(),
                operator: facility.operator.clone(),
                ..Default::default()
            })
        });
        let keys = self.keys.iter().map(|key| {
            let (party, key) = (key.party.clone(), key.key.as_bytes().to_vec());
            Kind::KeyAuthorised(v1::KeyAuthorised {
                party,
                key,
                replaces: Vec::new(),
            })
        });
        let kinds = parties.chain(facilities).chain(keys);
        (1..)
            .zip(kinds)
            .map(|(number, kind)| own_event(format!("act-{now_nanos}-{number}"), now_nanos, kind))
            .collect()
    }
}

fn own_event(id: String, now_nanos: i64, kind: Kind) -> v1::Event {
    v1::Event {
        id,
        event_time: now_nanos,
        kind: Some(kind),
        ..Default::default()
    }
}

/// `lotproof enroll`
#[derive(Debug, Args)]
pub(crate) struct Enroll {
    /// Parties, facilities and keys, as JSON
    file: PathBuf,
    /// Key files of the authority: the first proposes, the others approve
    #[arg(long = "authority-key", required = true)]
    authority_keys: Vec<PathBuf>,
    /// The authority's identifier, as in the genesis
    #[arg(long)]
    authority: String,
    #[command(flatten)]
    target: Target,
}

impl Enroll {
    pub(crate) async fn run(self) -> Result<Outcome> {
        let register = Register::read(&self.file)?;
        let session = self.target.open().await?;
        let acts = register.acts(Reading::now().wall_nanos);
        let count = acts.len();
        enact_from_files(&session, &self.authority, &self.authority_keys, acts).await?;
        println!("{count} acts stand in the log, proven");
        Ok(Outcome::Clean)
    }
}

/// As [`enact`], with the keys in these files.
pub(crate) async fn enact_from_files(
    session: &Session,
    authority: &str,
    key_files: &[PathBuf],
    acts: Vec<v1::Event>,
) -> Result<()> {
    let keys = key_files
        .iter()
        .map(|path| key_file::read(path).with_context(|| format!("reading {}", path.display())));
    enact(session, authority, keys.collect::<Result<_>>()?, acts).await
}

/// Proposes acts under the first key, approves them under the others, and waits for the proofs.
pub(crate) async fn enact(
    session: &Session,
    authority: &str,
    keys: Vec<SigningKey>,
    acts: Vec<v1::Event>,
) -> Result<()> {
    let mut keys = keys.into_iter();
    let proposer = session
        .publisher(authority, keys.next().context("no key to propose with")?)
        .await?;
    let rows = proven(&proposer, proposer.submit(&acts).await?).await?;
    // `submit` packs in order, so acts are numbered through the statements as they stand in the log.
    let packs = lotproof::publish::pack(&acts)?;
    ensure!(
        packs.len() == rows.len(),
        "{} statements, {} receipts",
        packs.len(),
        rows.len()
    );
    let references: Vec<v1::EventReference> = rows
        .iter()
        .zip(&packs)
        .flat_map(|(row, pack)| {
            (0..).zip(pack).map(|(event_number, _)| v1::EventReference {
                leaf_index: row.index.get(),
                event_number,
            })
        })
        .collect();
    for key in keys {
        let approver = session.publisher(authority, key).await?;
        let now_nanos = Reading::now().wall_nanos;
        let approvals: Vec<v1::Event> = references
            .iter()
            .map(|act| {
                let id = format!("approve-{}-{}", act.leaf_index, act.event_number);
                own_event(
                    id,
                    now_nanos,
                    Kind::ActApproved(v1::ActApproved { act: Some(*act) }),
                )
            })
            .collect();
        proven(&approver, approver.submit(&approvals).await?).await?;
    }
    Ok(())
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
    /// Paths to seal in every event that has them, as `65.5.0.3`; separated by commas
    #[arg(long, value_delimiter = ',')]
    seal: Vec<String>,
    /// Where the openings of sealed fields are written
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
        let mut openings = BTreeMap::new();
        let mut events = Vec::new();
        for imported in &imported.events {
            let event = sealed_event(&imported.event, &self.seal, &mut openings)?;
            events.extend(split_into_parts(event, EVENT_LEN_MAX)?);
        }
        if let Some(path) = &self.openings {
            // Before anything is published: an opening that is lost cannot be made again.
            lotproof::shell::durable::write(path, &serde_json::to_vec_pretty(&openings)?)?;
        }
        let session = self.target.open().await?;
        let publisher = session.publisher(&party, key).await?;
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

/// Seals the given paths of an event, those that it has.
fn sealed_event(
    event: &v1::Event,
    paths: &[String],
    openings: &mut BTreeMap<String, Vec<sealed::Opening>>,
) -> Result<v1::Event> {
    let mut event = event.clone();
    for path in paths {
        let mut salt = [0; 32];
        getrandom::fill(&mut salt).map_err(|error| anyhow::anyhow!("no randomness: {error}"))?;
        let Ok((bytes, opened)) = sealed::seal(&event.encode_to_vec(), &[(path.clone(), Hash::new(salt))])
        else {
            continue;
        };
        event = v1::Event::decode(bytes.as_slice())?;
        openings.entry(event.id.clone()).or_default().extend(opened);
    }
    Ok(event)
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
