//! `bench`: what the parts can do alone, and beside it, in the same run, what the whole does with them.
//!
//! Absolute figures drift with the machine and with whoever shares it; the ratios are what to look at. Raw
//! verification is measured right before and right after each drain, and the mean is what a drain is held
//! against. Everything runs on one machine: `nats-server`, the ledger, and whoever takes the receipts.
//!
//! ```text
//! statements -> EVENTS, all of them        published and acknowledged before the clock starts
//! the ledger service starts                the clock starts with it
//! the last statement has its receipt       the clock stops; then every receipt is proven
//! ```

mod ancestry;
mod cpu;
mod events;
mod latency;
mod raw;
mod reading;
mod receipts;
mod report;
mod world;

use std::{
    fs,
    num::NonZero,
    path::PathBuf,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use bytes::Bytes;
use clap::{Args, ValueEnum};
use lotproof::{
    simulate::{Simulation, SimulationConfig},
    time::EventTime,
    wire::STATEMENT_EVENTS_MAX,
};
use lotproof_ledger::Reading;

use crate::Outcome;

use self::{
    raw::Signed,
    reading::Audited,
    receipts::{Receipts, prove},
    report::{Figure, Report, microseconds_each, milliseconds, quantile, rate},
    world::{Running, Sent, Signers, World},
};

/// Most signatures that are made or verified on one core for a raw figure.
const RAW_SAMPLE: usize = 30_000;
/// How many single syncs are timed.
const SYNCS: usize = 1_000;
/// Most entries of a commit, as the ledger reads them.
const COMMIT_ENTRIES: usize = 4_096;
/// Most bytes of a commit.
const COMMIT_LEN: usize = 16 << 20;

/// `lotproof bench`
#[derive(Debug, Args)]
pub(crate) struct Bench {
    /// Statements of one event each
    #[arg(long, default_value_t = 120_000)]
    statements: usize,
    /// Statements of 256 events each
    #[arg(long, default_value_t = 4_000)]
    packed: usize,
    /// Pack lots of the simulated supply chain
    #[arg(long, default_value_t = 400)]
    lots: u32,
    /// Events a second while latency is measured
    #[arg(long, default_value_t = 1_000)]
    rate: u32,
    /// Seconds for which latency is measured
    #[arg(long, default_value_t = 10)]
    seconds: u32,
    /// Measure these alone, separated by commas
    #[arg(long, value_enum, value_delimiter = ',', default_values_t = [Part::Single, Part::Packed, Part::Chain])]
    only: Vec<Part>,
    /// Where to work, on the disk that is meant; a temporary folder unless given
    #[arg(long)]
    folder: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// What is measured on a ledger of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Part {
    /// Statements of one event
    Single,
    /// Statements of 256 events
    Packed,
    /// The simulated supply chain
    Chain,
}

/// A backlog that was drained.
struct Drained {
    took: Duration,
    /// Raw parallel verifications a second, before and after.
    verify: f64,
    /// Processor time of the raw verifications before.
    verify_cpu: Option<Duration>,
    /// How long they took.
    verify_took: Duration,
    /// Processor time of the ledger, the bus and the taker of receipts together.
    cpu: Option<Duration>,
    running: Running,
}

impl Bench {
    pub(crate) async fn run(self) -> Result<Outcome> {
        ensure!(
            self.statements >= 1_000,
            "fewer than 1,000 statements measure nothing"
        );
        ensure!(self.packed >= 10, "fewer than 10 full statements measure nothing");
        let parent = self.folder.clone().unwrap_or_else(std::env::temp_dir);
        fs::create_dir_all(&parent).with_context(|| format!("creating {}", parent.display()))?;
        let folder = tempfile::tempdir_in(&parent)?;
        let simulation = Simulation::new(SimulationConfig::ending_at(
            154,
            self.lots,
            EventTime::from_nanos(Reading::now().wall_nanos),
        ))?;
        let mut report = Report::default();
        report.conditions.push(format!(
            "{} cores, shared with nats-server and the readers of receipts; {} feeds; data on {}",
            std::thread::available_parallelism()?,
            simulation.cast().parties.len(),
            parent.display(),
        ));
        for part in [Part::Single, Part::Packed, Part::Chain] {
            let (report, folder) = (&mut report, folder.path());
            match part {
                _ if !self.only.contains(&part) => {}
                Part::Single => self.single(report, folder, &simulation).await?,
                Part::Packed => self.packed(report, folder, &simulation).await?,
                Part::Chain => self.supply_chain(report, folder, &simulation).await?,
            }
        }
        if self.json {
            println!("{}", serde_json::to_string_pretty(&report)?);
        } else {
            print!("{}", report.table());
        }
        Ok(if report.all_met() {
            Outcome::Clean
        } else {
            Outcome::Findings
        })
    }

    /// Statements of one event: raw rates of the parts, drain, latency, audit, opening.
    async fn single(
        &self,
        report: &mut Report,
        folder: &std::path::Path,
        simulation: &Simulation,
    ) -> Result<()> {
        say("founding a ledger; signing statements of one event");
        let world = World::new(folder.join("single"), simulation).await?;
        let mut signers = Signers::new(simulation, &world);
        let sent = events::commissionings(&mut signers, simulation, self.statements, 1);
        let envelopes = envelopes(&sent);
        let signed = raw::signed(&envelopes)?;
        let mean_len = mean_len(&envelopes);
        report.conditions.push(format!(
            "single: {} statements of one commissioning of {} bytes, {mean_len} bytes an envelope",
            sent.len(),
            events::mean_len(&envelopes)?,
        ));

        say("raw rates");
        let sample = &signed[..signed.len().min(RAW_SAMPLE)];
        report.section("raw, one event a statement");
        report.add("sign", "sign, one core", raw::sign_rate(sample), "/s");
        report.add(
            "verify_one_core",
            "verify_strict, one core",
            raw::verify_rate(sample)?,
            "/s",
        );
        let append = raw::append_rate(folder, &envelopes, COMMIT_ENTRIES)?;
        report.add(
            "append",
            format!("append + fdatasync, {COMMIT_ENTRIES} entries a batch"),
            append,
            "entries/s",
        );
        let some = &envelopes[..envelopes.len().min(RAW_SAMPLE)];
        let sled = raw::sled_rate(folder, some, COMMIT_ENTRIES)?;
        report.add(
            "sled",
            format!("sled, a key an entry, flush + fdatasync, {COMMIT_ENTRIES} a batch"),
            sled,
            "entries/s",
        );
        let published = rate(sent.len(), world.publish(&sent).await?);
        report.add(
            "jetstream_publish",
            "JetStream publish, acknowledged",
            published,
            "messages/s",
        );
        let consumed = rate(sent.len(), world.consume(sent.len()).await?);
        report.add("jetstream_consume", "JetStream consume", consumed, "messages/s");

        let drained = drain(&world, &signers, &sent, &signed).await?;
        let drain_rate = rate(sent.len(), drained.took);
        report.add("verify", "verify_strict, all cores", drained.verify, "/s");
        report.section("the ledger, one event a statement");
        report
            .add(
                "drain_single",
                "drain of a backlog, receipts proven",
                drain_rate,
                "statements/s",
            )
            .beside("verify", drained.verify)
            .beside("append", append)
            .target("at least 60 % of verify", drain_rate >= 0.6 * drained.verify)
            .goal("at least 70 % of verify", drain_rate >= 0.7 * drained.verify);
        let verify_each = add_cpu(report, ["cpu_verify", "cpu_single"], &drained, sent.len());

        self.latency(report, folder, simulation, &world, &mut signers)
            .await?;

        say("audit");
        let copied = reading::copy(&world, &drained.running).await?;
        drained.running.stop().await?;
        let Audited { tally, took, cpu } = {
            let (copied, trust) = (copied.clone(), world.trust.clone());
            tokio::task::spawn_blocking(move || reading::audit_time(&copied, &trust)).await??
        };
        let verify = raw::parallel_verify_rate(&signed)?;
        report.section("reading, one event a statement");
        let statements = usize::try_from(tally.statements)?;
        let audited = rate(statements, took);
        report
            .add("audit_single", "audit", audited, "statements/s")
            .beside("verify", verify)
            .goal("at least 80 % of verify", audited >= 0.8 * verify);
        let what = "processor time of an audited statement";
        if let Some(figure) = add_each(report, "cpu_audit_single", what, cpu, statements) {
            figure.beside("cpu_verify", verify_each);
        }
        self.opening(report, "open_single", &world, tally.entries).await?;
        world.end().await
    }

    async fn latency(
        &self,
        report: &mut Report,
        folder: &std::path::Path,
        simulation: &Simulation,
        world: &World,
        signers: &mut Signers,
    ) -> Result<()> {
        say("latency");
        let count = usize::try_from(self.rate * self.seconds)?;
        let sent = events::commissionings(signers, simulation, count, 1);
        let receipts = Receipts::subscribe(world, signers.feeds()).await?;
        let mut syncs = raw::sync_times(folder, SYNCS)?;
        let mut latencies = latency::latencies(world, receipts, &sent, self.rate).await?;
        syncs.extend(raw::sync_times(folder, SYNCS)?);
        let (sync_p50, sync_p99) = (quantile(&mut syncs, 500), quantile(&mut syncs, 990));
        let (p50, p99) = (quantile(&mut latencies, 500), quantile(&mut latencies, 990));
        report.add(
            "fdatasync_p50",
            "append of one page + fdatasync, p50",
            milliseconds(sync_p50),
            "ms",
        );
        report.add(
            "fdatasync_p99",
            "append of one page + fdatasync, p99",
            milliseconds(sync_p99),
            "ms",
        );
        let what = format!("publish to receipt at {} events/s", self.rate);
        report
            .add("receipt_p50", format!("{what}, p50"), milliseconds(p50), "ms")
            .beside("fdatasync_p50", milliseconds(sync_p50));
        let allowed = (sync_p99 * 10).max(Duration::from_millis(50));
        report
            .add("receipt_p99", format!("{what}, p99"), milliseconds(p99), "ms")
            .beside("fdatasync_p99", milliseconds(sync_p99))
            .target(
                format!(
                    "at most {:.0} ms (10 x fdatasync_p99, or 50 ms)",
                    milliseconds(allowed)
                ),
                p99 <= allowed,
            );
        Ok(())
    }

    /// Full statements: drain and audit.
    async fn packed(
        &self,
        report: &mut Report,
        folder: &std::path::Path,
        simulation: &Simulation,
    ) -> Result<()> {
        say("founding a ledger; signing statements of 256 events");
        let world = World::new(folder.join("packed"), simulation).await?;
        let mut signers = Signers::new(simulation, &world);
        let sent = events::commissionings(&mut signers, simulation, self.packed, STATEMENT_EVENTS_MAX);
        let envelopes = envelopes(&sent);
        let signed = raw::signed(&envelopes)?;
        let mean_len = mean_len(&envelopes);
        let batch = (COMMIT_LEN / mean_len).max(1);
        report.conditions.push(format!(
            "packed: {} statements of {STATEMENT_EVENTS_MAX} commissionings of {} bytes, {mean_len} bytes an envelope",
            sent.len(),
            events::mean_len(&envelopes)?,
        ));

        report.section("raw, 256 events a statement");
        let events = |statements: f64| statements * 256.0;
        let append = events(raw::append_rate(folder, &envelopes, batch)?);
        report.add(
            "append_packed",
            format!("append + fdatasync, {batch} entries a batch"),
            append,
            "events/s",
        );
        let published = events(rate(sent.len(), world.publish(&sent).await?));
        report.add(
            "jetstream_publish_packed",
            "JetStream publish, acknowledged",
            published,
            "events/s",
        );
        let consumed = events(rate(sent.len(), world.consume(sent.len()).await?));
        report.add(
            "jetstream_consume_packed",
            "JetStream consume",
            consumed,
            "events/s",
        );

        let drained = drain(&world, &signers, &sent, &signed).await?;
        report.add(
            "verify_packed",
            "verify_strict, all cores",
            events(drained.verify),
            "events/s",
        );
        let drain_rate = events(rate(sent.len(), drained.took));
        report.section("the ledger, 256 events a statement");
        report
            .add(
                "drain_packed",
                "drain of a backlog, receipts proven",
                drain_rate,
                "events/s",
            )
            .beside("verify_packed", events(drained.verify))
            .beside("jetstream_consume_packed", consumed)
            .target("at least 400,000 events/s", drain_rate >= 400_000.0)
            .goal("at least 500,000 events/s at first", drain_rate >= 500_000.0)
            .goal(
                "at least 1,000,000 events/s in the end",
                drain_rate >= 1_000_000.0,
            );
        let verify_each = add_cpu(report, ["cpu_verify_packed", "cpu_packed"], &drained, sent.len());

        say("audit");
        let copied = reading::copy(&world, &drained.running).await?;
        drained.running.stop().await?;
        let trust = world.trust.clone();
        let Audited { tally, took, cpu } =
            tokio::task::spawn_blocking(move || reading::audit_time(&copied, &trust)).await??;
        report.section("reading, 256 events a statement");
        let audited = rate(usize::try_from(tally.events)?, took);
        report
            .add("audit_packed", "audit", audited, "events/s")
            .goal("over 1,000,000 events/s", audited > 1_000_000.0);
        let what = "processor time of an audited statement";
        if let Some(figure) = add_each(report, "cpu_audit_packed", what, cpu, sent.len()) {
            figure.beside("cpu_verify_packed", verify_each);
        }
        self.opening(report, "open_packed", &world, tally.entries).await?;
        world.end().await
    }

    /// A plausible mix of events, statements as full as they can be: drain, audit and the projector's fold.
    async fn supply_chain(
        &self,
        report: &mut Report,
        folder: &std::path::Path,
        simulation: &Simulation,
    ) -> Result<()> {
        say("founding a ledger; signing a simulated supply chain");
        let world = World::new(folder.join("chain"), simulation).await?;
        let mut signers = Signers::new(simulation, &world);
        let (sent, count) = events::supply_chain(&mut signers, simulation)?;
        let envelopes = envelopes(&sent);
        let signed = raw::signed(&envelopes)?;
        report.conditions.push(format!(
            "chain:  {} statements of {count} events of {} simulated pack lots, {} bytes an event",
            sent.len(),
            self.lots,
            events::mean_len(&envelopes)?,
        ));
        world.publish(&sent).await?;
        let drained = drain(&world, &signers, &sent, &signed).await?;
        report.section("a simulated supply chain, statements as full as they can be");
        report.add(
            "drain_chain",
            "drain of a backlog, receipts proven",
            rate(count, drained.took),
            "events/s",
        );
        say("audit and projector");
        let copied = reading::copy(&world, &drained.running).await?;
        drained.running.stop().await?;
        let trust = world.trust.clone();
        let (audit, fold) = tokio::task::spawn_blocking(move || -> Result<_> {
            Ok((
                reading::audit_time(&copied, &trust)?,
                reading::fold_time(&copied, &trust)?,
            ))
        })
        .await??;
        report.add("audit_chain", "audit", rate(count, audit.took), "events/s");
        add_each(
            report,
            "cpu_audit_chain",
            "processor time of an audited event",
            audit.cpu,
            count,
        );
        let folded = rate(count, fold.0);
        report
            .add("fold_chain", "projector's fold, one core", folded, "events/s")
            .goal("at least 500,000 events/s", folded >= 500_000.0);
        add_each(
            report,
            "cpu_fold_chain",
            "processor time of a folded event",
            fold.1,
            count,
        );
        explanation(report).await?;
        world.end().await
    }

    async fn opening(
        &self,
        report: &mut Report,
        id: &'static str,
        world: &World,
        entries: u64,
    ) -> Result<()> {
        let store = raw::store_opening(&world.store(), entries)?;
        let opened = reading::opening_time(world).await?;
        report
            .add(
                id,
                format!("the service opens {entries} entries and listens"),
                milliseconds(opened),
                "ms",
            )
            .beside("opening the store alone", milliseconds(store));
        Ok(())
    }
}

/// A lot with 1,000 ancestors, explained.
async fn explanation(report: &mut Report) -> Result<()> {
    say("a lot with 1,000 ancestors");
    let ancestry::Explained { provenance, verdict } =
        tokio::task::spawn_blocking(ancestry::explain).await??;
    report.section("a lot with 1,000 ancestors, nothing remembered");
    let (walk, judged) = (milliseconds(provenance), milliseconds(verdict));
    report
        .add("explain_provenance", "where it came from, as JSON", walk, "ms")
        .goal("under 5 ms", walk < 5.0);
    report
        .add(
            "explain_verdict",
            "verdict under the rules of s.154, as JSON",
            judged,
            "ms",
        )
        .goal("under 5 ms", judged < 5.0);
    Ok(())
}

/// Starts the ledger on a backlog and waits until every statement in it has a receipt; proves them all.
#[expect(clippy::disallowed_methods, reason = "measures")]
#[expect(
    clippy::cast_precision_loss,
    reason = "counts of a benchmark are far below 2^52"
)]
async fn drain(world: &World, signers: &Signers, sent: &[Sent], signed: &[Signed]) -> Result<Drained> {
    let cpu_before = cpu::used_here();
    let before = raw::parallel_verify_rate(signed)?;
    let verify_cpu = cpu::used_here()
        .zip(cpu_before)
        .map(|(after, before)| after.saturating_sub(before));
    say("draining");
    let receiving = tokio::spawn(
        Receipts::subscribe(world, signers.feeds())
            .await?
            .take(sent.len()),
    );
    let cpu_before = world.cpu();
    let start = Instant::now();
    let running = world.start().await?;
    let received = receiving.await??;
    let took = received.complete_at - start;
    let cpu = world
        .cpu()
        .zip(cpu_before)
        .map(|(after, before)| after.saturating_sub(before));
    prove(&received, sent, &world.trust)?;
    let after = raw::parallel_verify_rate(signed)?;
    Ok(Drained {
        took,
        verify: f64::midpoint(before, after),
        verify_cpu,
        verify_took: Duration::from_secs_f64(signed.len() as f64 / before),
        cpu,
        running,
    })
}

/// Processor time of a drain by statement, beside that of a verification, which it returns: what the ratio of
/// the rates would be if nobody else used the machine and no core ever waited.
#[expect(clippy::cast_precision_loss, reason = "so many cores nobody has")]
fn add_cpu(report: &mut Report, ids: [&'static str; 2], drained: &Drained, statements: usize) -> f64 {
    let Some(verify_cpu) = drained.verify_cpu else {
        return f64::NAN;
    };
    // Raw verification never waits: what it did not get, others had.
    let cores = std::thread::available_parallelism().map_or(1, NonZero::get) as f64;
    let share = verify_cpu.as_secs_f64() / (drained.verify_took.as_secs_f64() * cores);
    if share < 0.9 {
        report.conditions.push(format!(
            "others used this machine ({:.0} % of the cores were had before {}): rates are low, and only the ratios \
             of processor times hold",
            share * 100.0,
            ids[1],
        ));
    }
    let verify = microseconds_each(verify_cpu, statements);
    report.add(ids[0], "processor time of a raw verification", verify, "us");
    let what = "processor time of a drained statement, bus included";
    if let Some(figure) = add_each(report, ids[1], what, drained.cpu, statements) {
        figure.beside(ids[0], verify);
    }
    verify
}

/// Processor time by piece, if the system told it.
fn add_each<'report>(
    report: &'report mut Report,
    id: &'static str,
    what: &str,
    cpu: Option<Duration>,
    count: usize,
) -> Option<&'report mut Figure> {
    cpu.map(|cpu| report.add(id, what, microseconds_each(cpu, count), "us"))
}

fn envelopes(sent: &[Sent]) -> Vec<Bytes> {
    sent.iter().map(|sent| sent.statement.envelope.clone()).collect()
}

fn mean_len(envelopes: &[Bytes]) -> usize {
    envelopes.iter().map(Bytes::len).sum::<usize>() / envelopes.len().max(1)
}

/// Tells whoever waits what is being done.
fn say(what: &str) {
    eprintln!("{what}");
}
