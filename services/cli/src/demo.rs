//! `demo`: the whole chain on one machine, in under a minute: found a ledger, enrol parties, publish a
//! document's events each by its own party, prove the receipts, audit from outside, and show that damage to
//! copies is found and named.

mod damaging;
mod desks;
mod publish;
mod reported;
mod telling;

use std::{
    collections::BTreeMap,
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, bail, ensure};
use clap::Args;
use lotproof::{
    audit::AuditOptions,
    gateway::Service,
    id::Hash,
    log::checkpoint::Origin,
    shell::{
        durable,
        http_client::HttpSource,
        key_file,
        mirror::{DirSource, mirror},
        nats::{Bus, BusOptions, PrivateServer, ServerOptions},
        process::StopSignals,
    },
    signature::SigningKey,
    simulate::{Simulation, SimulationConfig},
    time::{EventTime, RecordedAt},
    trust::TrustFile,
    wire::v1,
};
use lotproof_ledger::{Folder, InitOptions, LogKey, Reading, default_parameters, init};

use self::{
    damaging::damage_copies,
    desks::{Desks, call, escaped},
    publish::{by_place, publish_document, publish_simulation},
    reported::{explain, publish_reported},
    telling::{S154_QUERY, question, tell_contradictions, tell_origins, tell_verdicts},
};
use crate::{
    Outcome,
    auditing::print_report,
    enrolling::{Register, enact},
    founding::trust_file,
    lots::project,
    publishing::Session,
    running::{POLICIES_FOLDER, Services},
    shipped::write_policies,
    waiting::Patience,
};

const AUTHORITY: &str = "https://authority.example/";
/// The example chain ends with a recycling in 2031, so the demo's ledger takes claims ten years ahead.
const DEMO_SKEW_MS: u64 = 10 * 365 * 24 * 3_600_000;

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
        for file in [&self.document, &self.parties] {
            ensure!(
                file.exists(),
                "no file {}: run the demo in the repository's folder, or name --document and --parties",
                file.display()
            );
        }
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

        step("A private bus, the ledger and the projector start");
        let mut server = PrivateServer::start(ServerOptions::new(folder.join("nats"))).await?;
        println!("{:<14} {}", "bus", server.url());
        let policies = folder.join(POLICIES_FOLDER);
        write_policies(&policies)?;
        let mut services = Services::new();
        let ledger = lotproof_ledger::Config::new(ledger_folder.clone(), server.url());
        let Some(ledger) = services.start_ledger(ledger).await else {
            services.finish(None).await?;
            bail!("the ledger ended without a reason");
        };
        let ledger_url = format!("http://{ledger}");
        let mut compliance =
            lotproof_compliance::Config::new(server.url(), ledger_url.clone(), trust.clone(), policies);
        compliance.folder = Some(folder.join("compliance"));
        let Some(compliance) = services.start_compliance(compliance).await else {
            services.finish(None).await?;
            bail!("the projector ended without a reason");
        };

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
        let inspected = {
            let (ledger_url, trust, folder) = (ledger_url.clone(), trust.clone(), folder.clone());
            tokio::task::spawn_blocking(move || {
                inspect(
                    &ledger_url,
                    &trust,
                    &folder,
                    &log_key,
                    &simulation,
                    &reported_lots,
                )
            })
            .await??
        };
        step("The projector, which followed the log while all this happened, says the same");
        compare(compliance, &inspected).await?;
        println!("\nthe log is clean, every damage was found, and everybody comes to the same answers");

        if self.serve {
            println!("\n{:<14} {}", "bus", server.url());
            println!("{:<14} {ledger_url}", "ledger");
            println!("{:<14} http://{compliance}", "compliance");
            println!("{:<14} {}", "trust file", folder.join("trust.json").display());
            let mut signals = StopSignals::listen()?;
            println!("running until Ctrl-C");
            signals.received().await;
        }
        services.finish(None).await?;
        drop(session);
        server.stop().await;
        Ok(Outcome::Clean)
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

/// What an auditor from outside comes to.
struct Inspected {
    /// The verdicts of the stories' packs.
    verdicts: BTreeMap<String, serde_json::Value>,
    state_digest: Hash,
    fact_digest: Hash,
}

/// Mirrors the log, audits it, and computes everything from the mirrored files alone.
fn inspect(
    ledger_url: &str,
    trust: &TrustFile,
    folder: &Path,
    log_key: &LogKey,
    simulation: &Simulation,
    reported_lots: &[String],
) -> Result<Inspected> {
    let clean = folder.join("mirror");
    let report = mirror(
        &HttpSource::new(ledger_url),
        trust,
        &clean,
        &AuditOptions::default(),
    )?;
    print_report(&report, false)?;
    let size = report.size.context("a clean log has a size")?;

    step("Where a lot came from, computed from the mirrored files alone");
    let projector = project(&DirSource::new(&clean), trust)?;
    tell_origins(&projector)?;
    let verdicts = tell_verdicts(&projector, simulation)?;
    tell_contradictions(&projector, simulation)?;
    if !reported_lots.is_empty() {
        step("Lots of the imported documents: what is said, how sure it is, and what is missing");
        let (pack, context) = question()?;
        let now_nanos = Reading::now().wall_nanos;
        explain(&projector, reported_lots, &pack, &context, now_nanos)?;
    }

    step("Copies of the log are damaged; the audit names each damage");
    damage_copies(&clean, folder, trust, size, &[&log_key.note])?;
    Ok(Inspected {
        verdicts,
        state_digest: projector.projection().state_digest(),
        fact_digest: projector.projection().fact_digest(),
    })
}

/// Asks the projector service the same, and compares.
async fn compare(compliance: SocketAddr, inspected: &Inspected) -> Result<()> {
    let (_, digests) = call(compliance, "/v1/digests", None).await?;
    for (name, own) in [
        ("state_digest", inspected.state_digest),
        ("fact_digest", inspected.fact_digest),
    ] {
        ensure!(
            digests.get(name).and_then(|digest| digest.as_str()) == Some(own.to_string().as_str()),
            "the projector has another {name} than the mirror's entries make: {digests}"
        );
        println!("{name:<13} {own}, here and there");
    }
    for (lot, own) in &inspected.verdicts {
        let path = format!("/v1/lots/{}/verdicts?{S154_QUERY}", escaped(lot));
        let (_, answer) = call(compliance, &path, None).await?;
        let theirs = answer.pointer("/verdicts/0/verdict");
        ensure!(
            theirs.is_some() && theirs == own.get("verdict"),
            "the projector says {theirs:?} of {lot}"
        );
    }
    println!("{} verdicts, the same here and there", inspected.verdicts.len());
    Ok(())
}
