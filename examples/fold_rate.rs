//! How fast one core folds the simulated supply chain's log, all in memory: run with
//! `cargo run --release --no-default-features --example fold_rate [LOTS [ROUNDS]]`.

#![expect(clippy::disallowed_methods, reason = "a measurement reads the clock")]

use std::{error::Error, time::Instant};

use bytes::Bytes;
use lotproof::{
    admission::{LedgerState, Prepared, genesis_entry},
    code::Outcome,
    id::{FeedSequence, Hash},
    projector::Projector,
    publish::{FeedSigner, pack},
    signature::SigningKey,
    simulate::{Simulation, SimulationConfig},
    time::{EventTime, IssuedAt, RecordedAt},
    wire::v1,
};

const AUTHORITY: &str = "https://authority.example/";
/// After everything simulated: 2027.
const NOW: i64 = 1_798_761_600_000_000_000;

fn main() -> Result<(), Box<dyn Error>> {
    let mut numbers = std::env::args().skip(1);
    let lots = numbers.next().map_or(Ok(400), |lots| lots.parse())?;
    let rounds = numbers.next().map_or(Ok(5), |rounds| rounds.parse())?;
    let simulation = Simulation::new(SimulationConfig::ending_at(154, lots, EventTime::from_nanos(NOW)))?;
    let (entries, events) = log(&simulation)?;
    println!("{} entries, {events} events of {lots} lots", entries.len());
    let mut best = 0.0_f64;
    for _ in 0..rounds {
        // The first large allocation puts in order what was freed before; that is not the fold's to pay.
        LedgerState::from_genesis(&entries[0])?;
        let mut projector = Projector::new();
        let start = Instant::now();
        for entry in &entries {
            projector.take(entry)?;
        }
        best = best.max(rate(events, start));
        println!(
            "{:.0} events/s, state {}",
            rate(events, start),
            projector.projection().state_digest()
        );
    }
    println!("best {best:.0} events/s");
    Ok(())
}

#[expect(clippy::cast_precision_loss, reason = "rates for people to read")]
fn rate(total: usize, since: Instant) -> f64 {
    total as f64 / since.elapsed().as_secs_f64()
}

/// A ledger with every statement of the simulation in it, as full as they can be; and how many events.
fn log(simulation: &Simulation) -> Result<(Vec<Bytes>, usize), Box<dyn Error>> {
    let authority = SigningKey::from_seed(&[9; 32]);
    let genesis = v1::Genesis {
        origin: "ledger.example/fold".to_owned(),
        purpose: v1::Purpose::Test.into(),
        authority: AUTHORITY.to_owned(),
        authority_keys: vec![authority.feed().as_bytes().to_vec()],
        threshold: 1,
        log_key: SigningKey::from_seed(&[8; 32]).feed().as_bytes().to_vec(),
        rules_version: lotproof::register::RULES_VERSION,
        parameters: Some(v1::Parameters {
            clock_skew_ms: 300_000,
            clock_jump_ms_max: 60_000,
            statement_len_max: 64_000,
            statement_events_max: 256,
            event_parts_max: 4_096,
            index_interval: 0,
        }),
        follows: None,
    };
    let mut clock = NOW;
    let mut entries = vec![genesis_entry(genesis, RecordedAt::from_nanos(clock))?];
    let mut state = LedgerState::from_genesis(&entries[0])?;
    let log_id = state.log_id();
    let signer = |key, issuer| FeedSigner::new(key, log_id, issuer, FeedSequence::NONE, Hash::ZERO);
    let mut submit = |signer: &mut FeedSigner, events: &[Bytes]| -> Result<(), Box<dyn Error>> {
        clock += 1_000_000;
        let statement = signer.sign(IssuedAt::from_nanos(clock), events);
        let prepared = Prepared::from_bytes(statement.envelope)?;
        let decided = state.decide(prepared, RecordedAt::from_nanos(clock))?;
        if decided.outcome() != Outcome::Admitted {
            return Err(format!("{} {}", signer.issuer(), decided.outcome()).into());
        }
        entries.push(decided.to_entry().encode());
        state.take(&decided);
        Ok(())
    };
    let mut acting = signer(authority, AUTHORITY.to_owned());
    for acts in pack(&simulation.governance())? {
        submit(&mut acting, &acts)?;
    }
    let parties: Vec<_> = simulation.parties().collect();
    let mut said = vec![Vec::new(); parties.len()];
    let mut events = 0;
    for simulated in simulation.events() {
        said[simulated.party.get()].push(simulated.event);
        events += 1;
    }
    let mut packs = Vec::new();
    for (party, events) in said.iter().enumerate() {
        packs.extend(
            (0..)
                .zip(pack(events)?)
                .map(|(number, events)| (number, party, events)),
        );
    }
    packs.sort_by_key(|(number, party, _): &(usize, usize, _)| (*number, *party));
    let mut signers: Vec<FeedSigner> = parties
        .iter()
        .map(|party| {
            let key = SigningKey::from_seed(&simulation.key_seed(*party));
            signer(key, simulation.cast().parties[party.get()].identifier.clone())
        })
        .collect();
    for (_, party, events) in packs {
        submit(&mut signers[party], &events)?;
    }
    Ok((entries, events))
}
