//! The promises, checked from outside once everything is quiet: every scenario ends here.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use anyhow::{Context as _, ensure};
use bytes::Bytes;
use lotproof::{
    audit::{AuditOptions, audit},
    code::Outcome,
    entry::{Body, Entry},
    envelope::Envelope,
    id::{FeedId, FeedSequence, Hash, LeafIndex, TreeSize},
    log::{checkpoint::SignedCheckpoint, hash::leaf_hash, multiproof, note::VerifierKey, tree::LogHead},
    outbox::AlarmKind,
    projector::Projector,
    shell::http_client::HttpSource,
    time::RecordedAt,
    wire::v1::{self, event::Kind},
};
use prost::Message as _;

use super::{
    outboxes::{self, Written},
    world::{Chain, split},
};
use crate::ledger::get;

/// A statement's place in its feed.
type Place = (FeedId, FeedSequence);

/// What was found to hold, counted.
#[derive(Debug)]
pub(crate) struct Checked {
    pub(crate) log: FinalLog,
    /// Statements signed and found in the log, once each.
    pub(crate) statements: usize,
    /// Events admitted, once each.
    pub(crate) events: usize,
    /// Receipts verified and found true: of outboxes, and heard on the bus.
    pub(crate) receipts: usize,
    /// Checkpoints signed by the log, all of one history.
    pub(crate) checkpoints: usize,
    /// Whatever was said on the bus in the log's name and does not verify.
    pub(crate) forged: usize,
}

impl fmt::Display for Checked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} events in {} statements, {} receipts true, {} checkpoints of one history",
            self.events, self.statements, self.receipts, self.checkpoints
        )
    }
}

/// The log at the end, and everything that follows from it.
#[derive(Debug)]
pub(crate) struct FinalLog {
    pub(crate) entries: Vec<Bytes>,
    /// Head at every size, from 1.
    heads: BTreeMap<TreeSize, LogHead>,
    /// Every statement, once.
    pub(crate) statements: BTreeMap<Place, Stood>,
    /// How often each event of each party was admitted.
    admitted: BTreeMap<(String, String), u32>,
    pub(crate) projector: Projector,
}

/// Where a statement stands.
#[derive(Clone, Debug)]
pub(crate) struct Stood {
    hash: Hash,
    pub(crate) outcome: Outcome,
}

impl FinalLog {
    pub(crate) fn follow(entries: Vec<Bytes>) -> Self {
        let mut log = Self {
            entries: Vec::new(),
            heads: BTreeMap::new(),
            statements: BTreeMap::new(),
            admitted: BTreeMap::new(),
            projector: Projector::new(),
        };
        for entry in entries {
            log.take(entry);
        }
        log
    }

    fn take(&mut self, bytes: Bytes) {
        let index = self.projector.size().next_index();
        self.projector.take(&bytes).expect("it follows");
        self.heads.insert(self.projector.size(), self.projector.head());
        let entry = Entry::decode(&bytes).expect("an entry");
        self.entries.push(bytes);
        let (envelope, outcome) = match entry.body {
            Body::Statement { envelope, outcome } => (envelope, outcome),
            Body::Record(_) => return,
            Body::Evidence { .. } => panic!("somebody is branded an equivocator at entry {index}"),
        };
        let envelope = Envelope::decode(envelope).expect("an envelope");
        let header = envelope.header();
        let (place, hash) = ((header.feed, header.sequence), envelope.hash());
        let stood = Stood { hash, outcome };
        let before = self.statements.insert(place, stood);
        assert!(before.is_none(), "{place:?} stands in the log twice");
        if outcome == Outcome::Admitted {
            for event in envelope.events() {
                let id = v1::Event::decode(event.clone()).expect("an event").id;
                *self.admitted.entry((header.issuer.clone(), id)).or_default() += 1;
            }
        }
    }

    pub(crate) fn head(&self) -> LogHead {
        self.projector.head()
    }

    /// Whether a head is one that this log had.
    pub(crate) fn had(&self, head: &LogHead) -> bool {
        self.heads.get(&head.size) == Some(head)
    }

    /// Records of the ledger's own, behind the genesis.
    pub(crate) fn records(&self) -> Vec<v1::ledger_record::Record> {
        let bodies = self
            .entries
            .iter()
            .map(|entry| Entry::decode(entry).expect("an entry").body);
        let records = bodies.filter_map(|body| match body {
            Body::Record(record) => Some(record),
            Body::Statement { .. } | Body::Evidence { .. } => None,
        });
        records.skip(1).collect()
    }
}

/// All statements that were validly signed, by place in their feeds: one each, or somebody signed twice.
#[derive(Default)]
struct Spoken(BTreeMap<Place, Envelope>);

impl Spoken {
    /// Takes an envelope from anywhere. What its feed's key did not sign is nobody's word.
    fn take(&mut self, bytes: &Bytes) -> bool {
        let Ok(envelope) = Envelope::decode(bytes.clone()) else {
            return false;
        };
        if envelope.clone().verify().is_err() {
            return false;
        }
        let place = (envelope.header().feed, envelope.header().sequence);
        let before = self.0.entry(place).or_insert_with(|| envelope.clone());
        assert_eq!(
            before.hash(),
            envelope.hash(),
            "two statements were signed for {place:?}"
        );
        true
    }
}

impl Chain {
    /// The log as the running ledger publishes it.
    pub(crate) async fn read_log(&mut self) -> FinalLog {
        let url = self.url().await;
        let (_, note) = get(&format!("{url}/checkpoint")).await;
        let (_, body) = get(&format!("{url}/v1/entries?start=0")).await;
        let signed = self.signed(&note.into()).expect("signed by the log");
        let size = usize::try_from(signed.head().size.get()).expect("a size");
        let entries = split(&body).into_iter().take(size);
        let log = FinalLog::follow(entries.map(Bytes::copy_from_slice).collect());
        assert_eq!(&log.head(), signed.head(), "entries and checkpoint agree");
        log
    }

    pub(crate) fn signed(&self, note: &Bytes) -> Option<SignedCheckpoint> {
        let key: VerifierKey = self.verifier();
        SignedCheckpoint::verify(note.clone(), &self.identity.origin, &[key]).ok()
    }

    /// Checks every promise, with nothing left to do and no alarm raised.
    pub(crate) async fn check(&mut self) -> Checked {
        self.check_but(&[]).await
    }

    /// As [`check`](Self::check), with alarms of these kinds expected.
    pub(crate) async fn check_but(&mut self, alarms: &[AlarmKind]) -> Checked {
        let log = self.read_log().await;
        self.audit().await;
        let outboxes: Vec<(String, Written)> = self
            .outboxes
            .iter()
            .map(|(party, folder)| (party.clone(), outboxes::read(folder)))
            .collect();
        let heard = self.ear.heard();
        let mut spoken = Spoken::default();
        let mut forged = heard
            .envelopes
            .iter()
            .filter(|envelope| !spoken.take(envelope))
            .count();
        for (_, (_, envelope)) in outboxes.iter().flat_map(|(_, written)| &written.signed) {
            assert!(spoken.take(envelope), "an outbox signs what verifies");
        }
        let statements = check_statements(&log, &outboxes, &spoken);
        let events = check_events(&log, &outboxes);
        let mut receipts = 0;
        let mut checkpoints: BTreeSet<Bytes> = heard.checkpoints.clone();
        for (_, written) in &outboxes {
            let raised: Vec<AlarmKind> = written.alarms.iter().map(|alarm| alarm.kind).collect();
            assert!(raised.iter().all(|kind| alarms.contains(kind)), "{raised:?}");
            checkpoints.extend(written.checkpoints.iter().cloned());
            let mut receipted = BTreeSet::new();
            for receipt in &written.receipts {
                let places = self.check_receipt(receipt, &log, &spoken);
                receipted.extend(places.expect("every receipt taken is true"));
                receipts += 1;
            }
            let lacking = written
                .signed
                .keys()
                .find(|place| log.statements.contains_key(place) && !receipted.contains(place));
            assert_eq!(lacking, None, "without a receipt");
        }
        for receipt in &heard.receipts {
            match self.check_receipt(receipt, &log, &spoken) {
                Ok(_) => receipts += 1,
                Err(_) => forged += 1,
            }
        }
        let mut genuine = 0;
        for note in &checkpoints {
            match self.signed(note) {
                Some(signed) => {
                    assert!(
                        log.had(signed.head()),
                        "{:?} is of another history",
                        signed.head()
                    );
                    genuine += 1;
                }
                None => forged += 1,
            }
        }
        Checked {
            log,
            statements,
            events,
            receipts,
            checkpoints: genuine,
            forged,
        }
    }

    /// The auditor, who has the trust file and nothing else.
    async fn audit(&mut self) {
        let (source, trust) = (HttpSource::new(&self.url().await), self.trust());
        let auditing = tokio::task::spawn_blocking(move || audit(&source, &trust, &AuditOptions::default()));
        let report = auditing.await.expect("no panic").expect("readable");
        assert!(
            report.is_clean() && !report.stopped_early,
            "{:?}",
            report.findings
        );
        assert_eq!((report.tally.evidence, report.tally.undecided), (0, 0));
    }

    /// Verifies a receipt as its publisher does. One that verifies must also be true.
    fn check_receipt(&self, bytes: &Bytes, log: &FinalLog, spoken: &Spoken) -> anyhow::Result<Vec<Place>> {
        let receipt = v1::Receipt::decode(bytes.clone())?;
        let feed = FeedId::from_slice(&receipt.feed).context("a feed")?;
        let signed = self
            .signed(&receipt.checkpoint.into())
            .context("signed by the log")?;
        let (mut leaves, mut places) = (Vec::new(), Vec::new());
        for row in &receipt.rows {
            let place = (feed, FeedSequence::new(row.sequence));
            let outcome = Outcome::from_number(u16::try_from(row.outcome)?).context("an outcome")?;
            let envelope = spoken.0.get(&place).context("a statement")?.bytes().clone();
            let recorded_at = RecordedAt::from_nanos(row.recorded_at);
            let body = Body::Statement { envelope, outcome };
            let leaf = leaf_hash(&Entry { recorded_at, body }.encode());
            leaves.push((LeafIndex::new(row.index), leaf));
            places.push(place);
        }
        let hashes = receipt
            .hashes
            .iter()
            .map(|hash| Hash::from_slice(hash).context("a hash"));
        multiproof::verify(
            signed.head(),
            &leaves,
            &hashes.collect::<anyhow::Result<Vec<_>>>()?,
        )?;
        ensure!(!leaves.is_empty(), "a receipt for nothing");
        assert!(log.had(signed.head()), "a receipt against another history");
        for (index, leaf) in leaves {
            let entry = &log.entries[usize::try_from(index.get())?];
            assert_eq!(
                leaf_hash(entry),
                leaf,
                "entry {index} is not what its receipt said"
            );
        }
        Ok(places)
    }
}

/// Everything signed stands in the log once, as signed, unless its events went another way; and nothing else
/// stands there.
fn check_statements(log: &FinalLog, outboxes: &[(String, Written)], spoken: &Spoken) -> usize {
    for (place, stood) in &log.statements {
        let said = spoken.0.get(place);
        assert!(
            said.is_some_and(|said| said.hash() == stood.hash),
            "nobody was seen to sign {place:?}"
        );
    }
    for (_, written) in outboxes {
        for (place, (parcel, _)) in &written.signed {
            let moved_on = written.newest.get(parcel) != Some(&Some(*place));
            assert!(
                log.statements.contains_key(place) || moved_on,
                "{place:?} of {parcel:?} is lost"
            );
        }
    }
    let signed: BTreeSet<_> = outboxes
        .iter()
        .flat_map(|(_, written)| written.signed.keys())
        .collect();
    log.statements
        .keys()
        .filter(|place| signed.contains(place))
        .count()
}

/// Every event taken from its party was admitted once and counts once, or is a dead letter.
fn check_events(log: &FinalLog, outboxes: &[(String, Written)]) -> usize {
    let mut taken = BTreeSet::new();
    for (party, written) in outboxes {
        let letters: BTreeSet<_> = written.letters.iter().map(|letter| letter.parcel).collect();
        for (parcel, events) in &written.events {
            for event in events {
                let event = v1::Event::decode(event.clone()).expect("an event");
                let key = (party.clone(), event.id.clone());
                let admitted = log.admitted.get(&key).copied().unwrap_or(0);
                let expected = u32::from(!letters.contains(parcel));
                assert_eq!(admitted, expected, "{key:?} was admitted {admitted} times");
                if let (1, Some(Kind::Commissioned(commissioned))) = (expected, &event.kind) {
                    let summary = log.projector.projection().lot(&commissioned.items[0].lot);
                    let facts = summary.expect("a lot").facts;
                    let counting = facts.iter().filter(|fact| fact.counts).count();
                    assert_eq!((facts.len(), counting), (1, 1), "{key:?} took effect once");
                }
                taken.insert(key);
            }
        }
    }
    let surplus = log.admitted.keys().find(|key| !taken.contains(*key));
    assert_eq!(surplus, None, "an event that nobody published");
    taken.len()
}
