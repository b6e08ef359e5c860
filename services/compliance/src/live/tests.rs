//! A log of hundreds of entries, folded while everybody asks: what was answered at a position is what a replay
//! answers there.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    sync::atomic::{AtomicBool, Ordering},
    thread,
};

use lotproof::{
    admission::{LedgerState, Prepared, genesis_entry},
    code::Outcome,
    log::{
        checkpoint::{Checkpoint, Origin},
        hash::leaf_hash,
        note::NoteSigner,
    },
    publish::{FeedSigner, pack},
    signature::SigningKey,
    simulate::{Simulation, SimulationConfig},
    time::{EventTime, IssuedAt, RecordedAt},
    wire::v1,
};
use prost::Message as _;
use time::{Date, macros::date};

use super::*;
use crate::{
    api,
    filed::{CopiedLog, Filed, verdicts, verdicts_again},
    request::{AnomaliesRequest, LotRequest, NoParameters, ProvenanceRequest, Request, VerdictsRequest},
    rules::Rules,
};

const ORIGIN: &str = "ledger.example/turns";
const AUTHORITY: &str = "https://authority.example/";
const NOW: i64 = 1_770_000_000_000_000_000;
const TODAY: Date = date!(2026 - 02 - 02);
/// Turns that are over before a reader could be missed.
const SHORT: TurnBounds = TurnBounds {
    time_max: Duration::from_millis(8),
    entries_max: 4,
};
/// Events in a statement.
const EVENTS: usize = 4;
const READERS: usize = 4;
/// How often it is folded at most until readers have seen enough of it.
const FOLDS_MAX: usize = 20;
/// Answers that each reader keeps to be compared.
const KEPT: usize = 40;

/// A ledger of a simulated supply chain, without its service.
struct Written {
    state: LedgerState,
    entries: Vec<(Bytes, Hash)>,
    frontier: Frontier,
    heads: Vec<LogHead>,
    packs: Vec<String>,
}

impl Written {
    fn new(lots: u32) -> Self {
        let end = EventTime::from_nanos(NOW);
        let simulation = Simulation::new(SimulationConfig::ending_at(8, lots, end)).unwrap();
        let authority = SigningKey::from_seed(&[9; 32]);
        let genesis = v1::Genesis {
            origin: ORIGIN.into(),
            purpose: v1::Purpose::Test.into(),
            authority: AUTHORITY.into(),
            authority_keys: vec![authority.feed().as_bytes().to_vec()],
            threshold: 1,
            log_key: SigningKey::from_seed(&[7; 32]).feed().as_bytes().to_vec(),
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
        let genesis = genesis_entry(genesis, RecordedAt::from_nanos(NOW)).unwrap();
        let state = LedgerState::from_genesis(&genesis).unwrap();
        let log_id = state.log_id();
        let mut written = Self {
            state,
            entries: Vec::new(),
            frontier: Frontier::new(),
            heads: vec![LogHead::empty()],
            packs: simulation.stories().into_iter().map(|story| story.pack).collect(),
        };
        written.push(genesis);
        let signer = |key: SigningKey, issuer: &str| {
            FeedSigner::new(
                key,
                log_id,
                issuer.into(),
                lotproof::id::FeedSequence::NONE,
                Hash::ZERO,
            )
        };
        let mut of_authority = signer(authority, AUTHORITY);
        for acts in pack(&simulation.governance()).unwrap() {
            written.say(&mut of_authority, &acts);
        }
        let mut parties = BTreeMap::new();
        for simulated in simulation.events() {
            let (signer, waiting) = parties.entry(simulated.party.get()).or_insert_with(|| {
                let key = SigningKey::from_seed(&simulation.key_seed(simulated.party));
                let issuer = &simulation.cast().party(simulated.party).identifier;
                (signer(key, issuer), Vec::new())
            });
            waiting.push(Bytes::from(simulated.event.encode_to_vec()));
            if waiting.len() == EVENTS {
                written.say(signer, &std::mem::take(waiting));
            }
        }
        for (signer, rest) in parties.values_mut() {
            if !rest.is_empty() {
                written.say(signer, rest);
            }
        }
        written
    }

    fn say(&mut self, signer: &mut FeedSigner, events: &[Bytes]) {
        let envelope = signer.sign(IssuedAt::from_nanos(NOW), events).envelope;
        let prepared = Prepared::from_bytes(envelope).unwrap();
        let decided = self.state.decide(prepared, RecordedAt::from_nanos(NOW)).unwrap();
        assert_eq!(decided.outcome(), Outcome::Admitted);
        self.state.take(&decided);
        self.push(decided.to_entry().encode());
    }

    fn push(&mut self, entry: Bytes) {
        let leaf = leaf_hash(&entry);
        self.frontier.push(leaf);
        self.heads.push(self.frontier.head());
        self.entries.push((entry, leaf));
    }

    fn signed(&self, size: usize) -> SignedCheckpoint {
        let origin = Origin::new(ORIGIN).unwrap();
        let signer = NoteSigner::from_seed(ORIGIN, &[7; 32]).unwrap();
        let head = self.heads[size];
        Checkpoint { origin, head }.sign(&[&signer]).unwrap()
    }
}

/// A log that knows of all of `written`, and was folded to a signed head of `size`.
fn folded(written: &Written, size: usize) -> LiveLog {
    let log = LiveLog::new(Openings::default(), SHORT);
    log.heard(TreeSize::new(written.entries.len() as u64));
    log.fold(&written.entries[..size], &written.signed(size)).unwrap();
    log
}

fn requests(packs: &[String]) -> Vec<Request> {
    let of_each = packs.iter().flat_map(|lot| {
        let lot = lot.clone();
        let context = serde_json::json!({"buyer": {"agency": "US-DOD"}, "obligation_date": "2027-11-01"});
        [
            Request::Lot(LotRequest {
                lot: lot.clone(),
                ..LotRequest::default()
            }),
            Request::Provenance(ProvenanceRequest {
                lot: lot.clone(),
                nodes: 50,
                ..ProvenanceRequest::default()
            }),
            Request::Anomalies(AnomaliesRequest {
                lot: Some(lot.clone()),
                ..AnomaliesRequest::default()
            }),
            Request::Verdicts(VerdictsRequest {
                lot,
                context: context.as_object().unwrap().clone(),
                ..VerdictsRequest::default()
            }),
        ]
    });
    let of_all = [
        Request::Anomalies(AnomaliesRequest::default()),
        Request::Digests(NoParameters {}),
    ];
    of_each.chain(of_all).collect()
}

type Answer = Result<Vec<u8>, crate::problem::Problem>;

fn ask(log: &LiveLog, rules: &Rules, request: &Request) -> (usize, Answer) {
    let answered = log.read(request.cost(), |completed| {
        let size = usize::try_from(completed.head.size.get()).unwrap();
        (size, api::answer(completed, rules, request, TODAY))
    });
    answered.expect("an answer, once there was one")
}

/// How many positions within a fold the answers are of.
fn positions_amid(told: &[(usize, usize, Answer)], start: usize, end: usize) -> usize {
    let positions: BTreeSet<usize> = told.iter().map(|(size, ..)| *size).collect();
    positions.range(start + 1..end).count()
}

/// What readers are told while a log is folded from `start` to its end: position, request, answer.
fn told_during_a_fold(
    log: &LiveLog,
    written: &Written,
    start: usize,
    rules: &Rules,
    requests: &[Request],
) -> Vec<(usize, usize, Answer)> {
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        let readers: Vec<_> = (0..READERS)
            .map(|first| {
                let is_over = &is_over;
                scope.spawn(move || {
                    let (mut kept, mut before) = (Vec::new(), 0);
                    for number in first.. {
                        if is_over.load(Ordering::Relaxed) {
                            break;
                        }
                        let number = number % requests.len();
                        let (size, answer) = ask(log, rules, &requests[number]);
                        assert!(size >= before, "{size} after {before}");
                        if size > before && kept.len() < KEPT {
                            kept.push((size, number, answer));
                        }
                        before = size;
                    }
                    kept
                })
            })
            .collect();
        let head = written.signed(written.entries.len());
        log.fold(&written.entries[start..], &head).unwrap();
        is_over.store(true, Ordering::Relaxed);
        readers
            .into_iter()
            .flat_map(|reader| reader.join().unwrap())
            .collect()
    })
}

#[test]
fn what_readers_are_told_during_a_fold_is_what_a_replay_says_at_that_position() {
    let written = Written::new(5);
    let (start, end) = (written.entries.len() / 3, written.entries.len());
    let rules = Rules::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../../policies")).unwrap();
    let requests = requests(&written.packs);
    let mut told: Vec<(usize, usize, Answer)> = Vec::new();
    let mut log = folded(&written, start);
    // On a busy machine readers sleep through most of a fold, which is short: then it is folded again.
    for _ in 0..FOLDS_MAX {
        told.extend(told_during_a_fold(&log, &written, start, &rules, &requests));
        if positions_amid(&told, start, end) >= 5 {
            break;
        }
        log = folded(&written, start);
    }
    assert!(positions_amid(&told, start, end) >= 5, "{told:?}");

    told.sort_by_key(|(size, number, _)| (*size, *number));
    let replay = folded(&written, start);
    let mut at = start;
    for (size, number, answer) in told {
        replay
            .fold(&written.entries[at..size], &written.signed(end))
            .unwrap();
        at = size;
        assert_eq!(
            ask(&replay, &rules, &requests[number]),
            (size, answer),
            "{:?}",
            requests[number]
        );
    }
    let cold = folded(&written, end);
    for request in &requests {
        assert_eq!(
            ask(&log, &rules, request),
            ask(&cold, &rules, request),
            "{request:?}"
        );
    }
}

#[test]
fn a_verdict_from_a_copy_of_the_log_is_the_same_bytes_and_comes_out_of_its_own_text_again() {
    let written = Written::new(3);
    let end = written.entries.len();
    let rules = || Rules::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../../policies")).unwrap();
    let packs = || rules().packs().cloned().collect::<Vec<_>>();
    let copy = |size: usize| {
        let mut copy = CopiedLog::begin::<&Path>(&[]).unwrap();
        for (entry, _) in &written.entries[..size] {
            copy.take(entry).unwrap();
        }
        copy.end();
        copy
    };
    for size in [end * 2 / 3, end] {
        let (live, copy) = (folded(&written, size), copy(size));
        assert_eq!(copy.head(), written.heads[size]);
        for lot in &written.packs {
            // Asked in other words than the answer repeats.
            let context = serde_json::json!({"buyer": {"agency": "dod"}, "obligation_date": "2027-11-01"});
            let request = VerdictsRequest {
                lot: lot.replace("https://id.gs1.org", "https://example.com"),
                pack: Some("us-ndaa-fy2024-s154".to_owned()),
                context: context.as_object().unwrap().clone(),
                params: BTreeMap::from([("majority_measure".to_owned(), "mass".to_owned())]),
                ..VerdictsRequest::default()
            };
            let Ok(answer) = ask(&live, &rules(), &Request::Verdicts(request.clone())).1 else {
                assert!(size < end, "{lot} is in the log");
                continue;
            };
            if size == end {
                assert_eq!(verdicts(&copy, packs(), &request, TODAY).unwrap(), answer);
            }
            let filed = Filed::read(&answer).unwrap();
            assert_eq!(verdicts_again(&copy, packs(), &filed).unwrap(), answer);
            let other = verdicts_again(&without_last(&written, size), packs(), &filed);
            assert_ne!(other.unwrap_or_default(), answer);
            let question: serde_json::Value = serde_json::from_slice(&answer).unwrap();
            assert_eq!(
                question["question"],
                serde_json::json!({"lot": lot, "pack": "us-ndaa-fy2024-s154@2026-08-22", "evaluation": "2026-02-02",
                    "context": {"buyer": {"agency": "US-DOD"}, "obligation_date": "2027-11-01"},
                    "params": {"majority_measure": "mass"}})
            );
        }
    }
}

/// A copy that lacks the last entry of a position.
fn without_last(written: &Written, size: usize) -> CopiedLog {
    let mut copy = CopiedLog::begin::<&Path>(&[]).unwrap();
    for (entry, _) in &written.entries[..size - 1] {
        copy.take(entry).unwrap();
    }
    copy.end();
    copy
}

#[test]
fn an_entry_that_cannot_follow_hides_nothing_that_was_folded_before_it() {
    let written = Written::new(1);
    let (start, end) = (written.entries.len() / 2, written.entries.len());
    let log = folded(&written, start);
    let mut entries = written.entries[start..].to_vec();
    // The same statement twice.
    let again = entries.len() / 2;
    entries[again] = entries[again - 1].clone();
    let fault = log.fold(&entries, &written.signed(end)).unwrap_err();
    let stays = TreeSize::new((start + again) as u64);
    assert_eq!(fault.index, stays);
    let read = log.read(Cost::Limited, |completed| {
        (completed.head, completed.proven_by, completed.lag_entries)
    });
    let known = written.heads[start + again];
    let lag_entries = (end - start - again) as u64;
    assert_eq!(read, Some((known, Some(written.heads[end]), lag_entries)));
}

#[test]
fn nothing_is_shown_before_the_first_signed_head_is_reached() {
    let written = Written::new(1);
    let (middle, end) = (written.entries.len() / 2, written.entries.len());
    let log = LiveLog::new(Openings::default(), SHORT);
    let size = |log: &LiveLog| log.read(Cost::Limited, |completed| completed.head.size.get());
    log.fold(&written.entries[..middle], &written.signed(end))
        .unwrap();
    assert_eq!(size(&log), None);
    log.fold(&written.entries[middle..], &written.signed(end))
        .unwrap();
    assert_eq!(size(&log), Some(end as u64));
}
