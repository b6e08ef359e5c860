//! `demo`: the whole chain on one machine, in under a minute: found a ledger, enrol parties, publish a
//! document's events each by its own party, prove the receipts, audit from outside, and show that damage to
//! copies is found and named.

mod desks;
mod publish;
mod reported;

use std::{
    collections::BTreeMap,
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, bail, ensure};
use clap::Args;
use lotproof::{
    audit::{
        AuditOptions, FindingKind, Report, audit,
        damage::{
            drop_entry, flip_byte, forge_signature, middle_of_longest_feed, remove_entry, swap_entries,
        },
    },
    gateway::Service,
    id::LeafIndex,
    log::checkpoint::Origin,
    policy::{Context, Mode, Question, evaluate, load_pack, view::Purpose},
    projector::Projector,
    provenance::{Bounds, Direction},
    shell::{
        durable,
        http_client::HttpSource,
        key_file,
        mirror::{DirSource, mirror, write_mirror},
        nats::{Bus, BusOptions, PrivateServer, ServerOptions},
    },
    signature::SigningKey,
    simulate::{Simulation, SimulationConfig},
    time::{EventTime, RecordedAt, utc_date},
    trust::TrustFile,
    wire::v1,
};
use lotproof_ledger::{Config, Folder, InitOptions, Reading, default_parameters, init, run};
use tokio::sync::{oneshot, watch};

use self::{
    desks::Desks,
    publish::{by_place, publish_document, publish_simulation},
    reported::{explain, publish_reported},
};
use crate::{
    Outcome,
    auditing::print_report,
    enrolling::{Register, enact},
    founding::trust_file,
    lots::{print_tree, project},
    publishing::Session,
    waiting::Patience,
};

const AUTHORITY: &str = "https://authority.example/";
/// The example chain ends with a recycling in 2031, so the demo's ledger takes claims ten years ahead.
const DEMO_SKEW_MS: u64 = 10 * 365 * 24 * 3_600_000;

/// The rule pack, as it lies in the repository.
const S154: &str = include_str!("../../../policies/us-ndaa-fy2024-s154.toml");
/// The asker's context: who buys, when, and that no end item has been named.
const S154_CONTEXT: &str =
    r#"{"buyer": {"agency": "US-DOD"}, "obligation_date": "2027-11-01", "end_item_assembler": null}"#;
/// Lots of the example chain to explain: a pack, and the black mass recycled from its cells.
const DEMO_LOTS: [&str; 2] = [
    "https://id.gs1.org/01/09521231300017/21/P0001",
    "https://id.gs1.org/01/09521231400014/10/BM-3101",
];

/// `lotproof demo`
#[derive(Debug, Args)]
pub(crate) struct Demo {
    /// The EPCIS document whose events are published
    #[arg(long, default_value = "examples/battery-lot-chain.epcis.jsonld")]
    document: PathBuf,
    /// Its parties, facilities, and who publishes which event
    #[arg(long, default_value = "examples/battery-lot-chain.parties.json")]
    parties: PathBuf,
    /// Seed of the simulated supply chain
    #[arg(long, default_value_t = 154)]
    seed: u64,
    /// How many simulated pack lots; the first five are the stories told
    #[arg(long, default_value_t = 5)]
    lots: u32,
    /// A folder of other people's EPCIS documents, imported as reported events by one importer
    #[arg(long)]
    epcis: Option<PathBuf>,
    /// Where to work; a temporary folder unless given
    #[arg(long)]
    folder: Option<PathBuf>,
    /// Leave the ledger running at the end, until Ctrl-C
    #[arg(long)]
    serve: bool,
}

impl Demo {
    pub(crate) async fn run(self) -> Result<Outcome> {
        let temporary = tempfile::tempdir()?;
        let folder = self
            .folder
            .clone()
            .unwrap_or_else(|| temporary.path().join("demo"));
        fs::create_dir_all(&folder)?;
        let mut register = Register::read(&self.parties, Reading::now().wall_nanos)?;
        let document =
            fs::read(&self.document).with_context(|| format!("reading {}", self.document.display()))?;

        step("A ledger is founded: three authority keys, two of which make an act");
        let mut authority = [
            key_file::generate()?,
            key_file::generate()?,
            key_file::generate()?,
        ];
        authority.sort_by_key(SigningKey::feed);
        let ledger_folder = Folder::new(folder.join("ledger"));
        let mut parameters = default_parameters();
        parameters.clock_skew_ms = DEMO_SKEW_MS;
        let identity = init(
            &ledger_folder,
            &InitOptions {
                origin: Origin::new("ledger.example/demo")?,
                purpose: v1::Purpose::Demo,
                authority: AUTHORITY.to_owned(),
                authority_keys: authority.iter().map(SigningKey::feed).collect(),
                threshold: 2,
                parameters,
                follows: None,
                created_at: RecordedAt::from_nanos(Reading::now().wall_nanos),
            },
        )?;
        let trust = trust_file(&identity)?;
        durable::write(&folder.join("trust.json"), trust.to_json().as_bytes())?;
        println!("log      {}", identity.log_id);
        println!("purpose  demo: parties and lists in it are fixtures, not real");

        step("A private bus and the ledger service start");
        let mut server = PrivateServer::start(ServerOptions::new(folder.join("nats"))).await?;
        let (stop, shutdown) = watch::channel(false);
        let (listening, address) = oneshot::channel();
        let service = tokio::spawn(run(
            Config::new(ledger_folder.clone(), server.url()),
            shutdown,
            listening,
        ));
        let Ok(address) = address.await else {
            return Err(service
                .await?
                .err()
                .context("the ledger ended without a reason")?);
        };
        println!("ledger   http://{address}");
        println!("bus      {}", server.url());

        let bus = Bus::connect(&BusOptions::new(server.url(), "lotproof-demo")).await?;
        let session = Session {
            bus,
            trust: trust.clone(),
            outbox: folder.join("outbox"),
            patience: Patience::endless(),
        };

        step("The authority enrols parties, facilities and keys");
        let mut desks = Desks::new(server.url(), trust.clone(), folder.join("gateways"));
        for party in &register.parties {
            // One key a gateway: a maker that ships runs both.
            for service in Service::ALL {
                let key = key_file::generate()?;
                register.keys.push(authorised(&party.party, &key));
                desks.add_key((party.party.clone(), service), key);
            }
            println!("{:<44} {}", party.party, party.legal_name);
        }
        let importer = key_file::generate()?;
        if self.epcis.is_some() {
            register.parties.push(v1::PartyEnrolled {
                party: reported::IMPORTER.to_owned(),
                legal_name: "Importer of documents (fictional)".to_owned(),
                fixture: true,
                ..Default::default()
            });
            register.keys.push(authorised(reported::IMPORTER, &importer));
        }
        let simulation = Simulation::new(SimulationConfig::ending_at(
            self.seed,
            self.lots,
            EventTime::from_nanos(Reading::now().wall_nanos),
        ))?;
        let simulated = by_place(&simulation)?;
        for index in simulation.parties() {
            let party = &simulation.cast().party(index).identifier;
            let key = SigningKey::from_seed(&simulation.key_seed(index));
            desks.add_key((party.clone(), Service::Manufacturing), key);
        }
        for place in simulated
            .keys()
            .filter(|(_, service)| *service == Service::Shipping)
        {
            let key = key_file::generate()?;
            register.keys.push(authorised(&place.0, &key));
            desks.add_key(place.clone(), key);
        }
        // The simulation's parties first: a key is authorised for a party that is enrolled.
        let assignments = std::mem::take(&mut register.events);
        let own = register.into_acts(Reading::now().wall_nanos);
        let acts: Vec<v1::Event> = simulation.governance().into_iter().chain(own).collect();
        println!(
            "and {} parties of a simulated supply chain, seed {}",
            simulation.cast().parties.len(),
            self.seed
        );
        let count = acts.len();
        let [proposer, approver, _] = authority;
        enact(&session, AUTHORITY, vec![proposer, approver], acts).await?;
        println!("{count} acts, proposed under one key and approved under another; receipts proven");

        step("Each party posts its own events of the document to its gateway, which proves the receipts");
        publish_document(&mut desks, &assignments, &document).await?;

        step(
            "A simulated supply chain goes the same way: mine to pack, every party through its own gateways",
        );
        publish_simulation(&mut desks, simulated).await?;
        desks.close().await?;

        let mut reported_lots = Vec::new();
        if let Some(epcis) = &self.epcis {
            step("Other people's documents, as reported events of one importer");
            reported_lots = publish_reported(&session, importer, epcis).await?;
        }

        step("An auditor who has just the trust file replays the log from outside");
        let log_key = ledger_folder.log_key(&identity.origin)?;
        let checked = {
            let (trust, folder) = (trust.clone(), folder.clone());
            tokio::task::spawn_blocking(move || {
                inspect(address, &trust, &folder, &log_key, &simulation, &reported_lots)
            })
            .await??
        };

        if self.serve {
            println!(
                "\nledger   http://{address}\nbus      {}\ntrust    {}",
                server.url(),
                folder.join("trust.json").display()
            );
            println!("running until Ctrl-C");
            tokio::signal::ctrl_c().await?;
        }
        stop.send_replace(true);
        service.await??;
        drop(session);
        server.stop().await;
        Ok(checked)
    }
}

/// The act that lets a party sign with a key.
fn authorised(party: &str, key: &SigningKey) -> v1::KeyAuthorised {
    v1::KeyAuthorised {
        party: party.to_owned(),
        key: key.feed().as_bytes().to_vec(),
        replaces: Vec::new(),
    }
}

fn step(what: &str) {
    println!("\n== {what}");
}

/// A word of a verdict, as JSON has it.
fn text(word: &impl serde::Serialize) -> Result<String> {
    Ok(serde_json::to_value(word)?
        .as_str()
        .unwrap_or_default()
        .to_owned())
}

/// What the stories of the simulation came to: contradictions found, and on whom they weigh.
fn tell_stories(projector: &Projector, simulation: &Simulation) -> Result<()> {
    step("One verdict each: NDAA FY2024 s.154; DoD buys, obligation 2027-11-01");
    let pack = load_pack("us-ndaa-fy2024-s154.toml", S154, Mode::Lenient)?;
    let context = Context::from_json(S154_CONTEXT.as_bytes())?;
    let view = projector.projection().view(projector.size(), Purpose::Demo);
    let today = utc_date(Reading::now().wall_nanos).context("a date")?;
    for story in simulation.stories() {
        let params = BTreeMap::new();
        let question = Question {
            lot: &story.pack,
            pack: &pack,
            context: &context,
            params: &params,
            evaluation: today,
        };
        let verdict = evaluate(&view, &question)?;
        ensure!(
            serde_json::to_value(verdict.verdict)? == serde_json::to_value(story.verdict)?,
            "{:?} came out {:?}",
            story.kind,
            verdict.verdict
        );
        println!("{:?}: {}", story.kind, story.pack);
        println!(
            "   {} ({}){}",
            text(&verdict.verdict)?,
            text(&verdict.basis)?,
            if verdict.fixture {
                ", rests on a fixture list"
            } else {
                ""
            }
        );
        for because in verdict
            .because
            .iter()
            .filter(|because| text(&because.value).is_ok_and(|value| value != "false"))
        {
            println!("   because {} is {}", because.test, text(&because.value)?);
        }
        for missing in verdict.missing.iter().take(3) {
            println!("   missing {} of {}", missing.path, missing.subject);
        }
    }

    step("Contradictions, each weighing on the lot only if its signer has standing there");
    let found = projector.projection().anomalies();
    for story in simulation.stories() {
        println!("{:?}: {}", story.kind, story.pack);
        for expected in &story.anomalies {
            let anomaly = found
                .iter()
                .find(|anomaly| anomaly.kind.as_str() == expected.kind && anomaly.lot == expected.lot)
                .with_context(|| format!("{:?} at {} was not found", expected.kind, expected.lot))?;
            println!(
                "   {} at {}, weighs on the {:?}: {}",
                anomaly.kind.as_str(),
                anomaly.lot,
                anomaly.weighs_on,
                anomaly.detail
            );
        }
    }
    println!("{} contradictions in all", found.len());
    Ok(())
}

/// A way to damage a copy, and what the audit must call it.
struct Damage {
    name: &'static str,
    kinds: &'static [FindingKind],
}

/// Mirrors the log, audits it, damages copies of it, and audits those.
fn inspect(
    address: SocketAddr,
    trust: &TrustFile,
    folder: &Path,
    log_key: &lotproof_ledger::LogKey,
    simulation: &Simulation,
    reported_lots: &[String],
) -> Result<Outcome> {
    let source = HttpSource::new(&format!("http://{address}"));
    let clean = folder.join("mirror");
    let report = mirror(&source, trust, &clean, &AuditOptions::default())?;
    print_report(&report, false)?;
    let size = report.size.context("a clean log has a size")?;

    step("Where a lot came from, computed from the mirrored files alone");
    let projector = project(&DirSource::new(&clean), trust)?;
    for lot in DEMO_LOTS {
        let walk = projector
            .projection()
            .provenance(lot, Direction::Up, Bounds::default());
        print_tree(&walk.with_context(|| format!("{lot} is not in the log"))?)?;
    }
    tell_stories(&projector, simulation)?;
    if !reported_lots.is_empty() {
        step("Lots of the imported documents: what is said, how sure it is, and what is missing");
        let pack = load_pack("us-ndaa-fy2024-s154.toml", S154, Mode::Lenient)?;
        let context = Context::from_json(S154_CONTEXT.as_bytes())?;
        explain(
            &projector,
            reported_lots,
            &pack,
            &context,
            Reading::now().wall_nanos,
        )?;
    }

    step("Copies of the log are damaged; the audit names each damage");
    let first = LeafIndex::new(size.get() / 2);
    let second = LeafIndex::new(size.get() - 1);
    let (in_feed, _) = middle_of_longest_feed(&DirSource::new(&clean))?;
    let signers = [&log_key.note];
    let rows = [
        Damage {
            name: "one flipped byte",
            kinds: &[FindingKind::HashMismatch],
        },
        Damage {
            name: "one dropped entry",
            kinds: &[FindingKind::HashMismatch, FindingKind::MissingEntry],
        },
        Damage {
            name: "two swapped entries",
            kinds: &[FindingKind::HashMismatch],
        },
        Damage {
            name: "a forged signature, re-signed by the log",
            kinds: &[FindingKind::InvalidSignature],
        },
        Damage {
            name: "a statement out of a feed, re-signed",
            kinds: &[FindingKind::FeedBroken],
        },
    ];
    for (number, damage) in rows.iter().enumerate() {
        let path = folder.join(format!("damaged-{number}"));
        write_mirror(&DirSource::new(&clean), &path)?;
        let mut damaged = DirSource::new(&path);
        match number {
            0 => flip_byte(&mut damaged, first)?,
            1 => drop_entry(&mut damaged, first)?,
            2 => swap_entries(&mut damaged, first, second)?,
            3 => forge_signature(&mut damaged, first, &signers)?,
            _ => remove_entry(&mut damaged, in_feed, &signers)?,
        }
        let report = audit(&damaged, trust, &AuditOptions::default())?;
        show(damage, &report)?;
    }
    println!("\nthe log is clean, and every damage was found");
    Ok(Outcome::Clean)
}

fn show(damage: &Damage, report: &Report) -> Result<()> {
    let Some(finding) = report
        .findings
        .iter()
        .find(|finding| damage.kinds.contains(&finding.kind))
    else {
        for finding in &report.findings {
            eprintln!("{finding}");
        }
        bail!("the audit did not name {}", damage.name);
    };
    println!("{:<42} {finding}", damage.name);
    Ok(())
}
