//! The writer: carries commits out step by step, in the one order there is.
//!
//! Starting is the tail of a commit: whatever the store holds is guarded, signed and shown by the same
//! functions that finish a batch. Any failure ends the writer; whoever wants to go on opens it anew.

use std::{sync::Arc, time::Duration};

use anyhow::{Context as _, Result, anyhow, bail, ensure};
use bytes::Bytes;
use lotproof::{
    admission::kept::Kept,
    code::AnswerCode,
    id::Hash,
    log::{
        checkpoint::{Checkpoint, SignedCheckpoint},
        proof::HashReader,
        tree::LogHead,
    },
    port::{EntryStore as _, Guard, GuardError, GuardRevision, GuardValue, StoreError},
    sequencer::{Commit, Refused, Step, Submission, Subtrees, receipts},
    shell::{
        durable,
        store::{Reader, Store},
    },
    time::RecordedAt,
    wire::{
        ANSWER_TYPE,
        v1::{self, ledger_record::Record},
    },
};
use prost::Message as _;

use crate::{
    clock::{Clock, ClockOptions, ClockRule, Kept as KeptClock},
    folder::{Folder, Identity, LogKey},
    guarding::{Next, Swap},
    metrics::Metrics,
    outbound::Outbound,
    prepare::in_work,
    shared::{Health, Published, Shared},
};

/// For tests of crashes: end the process right before a step of the n-th commit that reaches it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StopAt {
    /// Before which step.
    pub step: Step,
    /// Counted from 1.
    pub commit: u64,
}

impl std::str::FromStr for StopAt {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, commit) = text.split_once(':').ok_or("expected STEP:N")?;
        let step = Step::ALL
            .into_iter()
            .find(|step| step.name() == name)
            .ok_or("no such step")?;
        Ok(Self {
            step,
            commit: commit.parse().map_err(|_| "N is not a number".to_owned())?,
        })
    }
}

/// A ledger that is open for writing.
pub(crate) struct Writer {
    folder: Folder,
    identity: Identity,
    key: Arc<LogKey>,
    store: Store,
    shared: Shared,
    kept: Kept<Reader>,
    guard: Box<dyn Guard>,
    guarded: Option<(GuardValue, GuardRevision)>,
    /// What the guard held when this run started.
    guarded_at_start: Option<GuardValue>,
    run_id: String,
    clock: Clock,
    clock_options: ClockOptions,
    outbound: Outbound,
    metrics: Metrics,
    stop_at: Option<StopAt>,
    commits: u64,
}

impl Writer {
    /// Opens the ledger, judges clock, guard and checkpoint file, and promises what the store holds.
    #[expect(
        clippy::too_many_arguments,
        reason = "called once; each is a part of the writer"
    )]
    pub(crate) fn start(
        folder: Folder,
        identity: Identity,
        key: Arc<LogKey>,
        (store, shared, kept): (Store, Shared, Kept<Reader>),
        guard: Box<dyn Guard>,
        outbound: Outbound,
        metrics: Metrics,
        stop_at: Option<StopAt>,
        clock_options: ClockOptions,
    ) -> Result<Self> {
        let mut run_id = [0; 16];
        getrandom::fill(&mut run_id).map_err(|error| anyhow!("no randomness: {error}"))?;
        let run_id = hex::encode(run_id);
        let mut writer = Self {
            folder,
            identity,
            key,
            store,
            shared,
            kept,
            guard,
            guarded: None,
            guarded_at_start: None,
            run_id,
            clock: Clock::at(clock_options.source.read()),
            clock_options,
            outbound,
            metrics,
            stop_at,
            commits: 0,
        };
        writer.check_checkpoint_file()?;
        writer.judge_clock_at_start()?;
        writer.take_guard()?;
        // The rest of whatever commit was under way.
        writer.promise(&Commit::default())?;
        writer.shared.set_health(Health::Ready);
        Ok(writer)
    }

    /// The checkpoint file must be of this log and not ahead of the store.
    fn check_checkpoint_file(&self) -> Result<()> {
        let Some(bytes) = durable::read(&self.folder.checkpoint())? else {
            return Ok(());
        };
        let key = self.key.note.verifier_key().clone();
        let signed = SignedCheckpoint::verify(bytes, &self.identity.origin, &[key])
            .context("the checkpoint file is not signed by this ledger's key")?;
        self.must_extend(signed.head())
            .context("the checkpoint file is ahead of the store or of another history")
    }

    /// Whether the store's log extends a head; if not, this folder must not sign.
    fn must_extend(&self, head: &LogHead) -> Result<()> {
        let root = self.store.reader().root(head.size)?;
        match root {
            Some(root) if root == head.root => Ok(()),
            Some(root) => bail!(
                "at size {} this store has root {root}, promised was {}",
                head.size,
                head.root
            ),
            None => bail!(
                "size {} was promised, the store has {} entries: rebuild it from a mirror with `lotproof ledger rebuild`",
                head.size,
                self.store.size()
            ),
        }
    }

    fn judge_clock_at_start(&mut self) -> Result<()> {
        let kept = KeptClock::read(durable::read(&self.folder.clock())?);
        let now = self.clock.last().clone();
        let is_synchronised = self.clock_options.synchronised.exists();
        let rule = self.clock_rule();
        let judged = kept.judge(now.clone(), rule, self.clock_options.away_max, is_synchronised);
        self.clock = match judged {
            Ok(clock) => clock,
            Err(fault) => {
                let Some(reason) = Folder::ordered(&self.folder.accept_clock())? else {
                    return Err(
                        anyhow!(fault).context("if the clock is right now: `lotproof ledger accept-clock`")
                    );
                };
                tracing::warn!(%fault, "the operator accepts the clock");
                let record = Record::ClockAccepted(v1::ClockAccepted {
                    clock: now.wall_nanos,
                    reason,
                });
                self.persist_record(record)?;
                Clock::accepted(now, self.clock_rule().newest)
            }
        };
        // The clock first: an order that is carried out twice is one entry too many, and no fault.
        self.save_clock()?;
        durable::remove(&self.folder.accept_clock())?;
        Ok(())
    }

    fn clock_rule(&self) -> ClockRule {
        self.shared.with_state(|state| ClockRule {
            newest: state.recorded_at(),
            allowed_ms: state.register().parameters().clock_jump_ms_max,
        })
    }

    fn save_clock(&self) -> Result<()> {
        durable::write(&self.folder.clock(), &serde_json::to_vec(&self.clock)?).context("saving the clock")
    }

    /// Fences other runs by a write, after checking that what the guard holds is a prefix of the store.
    fn take_guard(&mut self) -> Result<()> {
        let held = self.wait_for_guard()?;
        let unguarded = self.folder.unguarded();
        match &held {
            Some((value, _)) => {
                ensure!(
                    value.log_id == self.identity.log_id,
                    "the guard is of log {}",
                    value.log_id
                );
                self.must_extend(&LogHead {
                    size: value.size,
                    root: value.root,
                })
                .context("the guard is ahead of the store")?;
            }
            None if unguarded.exists() => {}
            None => {
                let Some(reason) = Folder::ordered(&self.folder.reseed())? else {
                    bail!(
                        "the guard is missing or empty, or holds what this log's key did not sign: nobody can tell \
                         whether this store is the newest. If it is: `lotproof ledger reseed`"
                    );
                };
                tracing::warn!("the operator reseeds the guard");
                let head = self.shared.with_sequencer(|sequencer| sequencer.head());
                self.persist_record(Record::GuardReseeded(v1::GuardReseeded {
                    size: head.size.get(),
                    root: head.root.as_bytes().to_vec(),
                    reason,
                }))?;
            }
        }
        self.guarded_at_start = held.as_ref().map(|(value, _)| value.clone());
        self.guarded = held;
        self.swap_guard()?;
        durable::remove(&unguarded)?;
        durable::remove(&self.folder.reseed())?;
        Ok(())
    }

    fn persist_record(&mut self, record: Record) -> Result<()> {
        let at = RecordedAt::from_nanos(self.clock.last().wall_nanos);
        let commit = self
            .shared
            .with_sequencer(|sequencer| sequencer.record(record, at))?;
        self.store.append(&commit.entries)?;
        Ok(())
    }

    /// The clock now, if it can be believed.
    fn read_clock(&mut self) -> Result<RecordedAt> {
        let now = self.clock_options.source.read();
        let before = self.clock.last().boot_nanos;
        let (at, save) = (
            RecordedAt::from_nanos(now.wall_nanos),
            now.boot_nanos - before > 10_000_000_000,
        );
        let rule = self.clock_rule();
        self.clock
            .follow(now, rule)
            .context("if the clock is right now: `lotproof ledger accept-clock`, then start again")?;
        if save {
            self.save_clock()?;
        }
        Ok(at)
    }

    /// Handles one batch from the bus: all steps of its commit but the purge, which is the reader's.
    pub(crate) fn handle(&mut self, batch: Vec<Submission>) -> Result<()> {
        let recorded_at = self.read_clock()?;
        let statements = batch.len();
        let older = self.shared.look(|sequencer| sequencer.older_rows_for(&batch));
        let older = self.kept.rows(older).context("looking older statements up")?;
        let commit = self.shared.with_sequencer(|sequencer| {
            sequencer.commit_with(batch, recorded_at, &older, &mut |message| in_work(Some(message)))
        });
        in_work(None);
        if !commit.entries.is_empty() {
            self.commits += 1;
            self.stop_before(Step::Persist);
            self.store
                .append(&commit.entries)
                .context("the store did not take the batch")?;
        }
        self.metrics.took(statements, &commit);
        self.promise(&commit)?;
        self.keep()
    }

    /// Behind a commit, when all that is decided is published: keeps what was folded.
    fn keep(&mut self) -> Result<()> {
        self.shared
            .let_go_of_rows()
            .context("keeping rows of the folded state")?;
        let size = self.shared.published_size();
        if self.kept.snapshot_is_due(size) {
            self.snapshot()?;
        }
        Ok(())
    }

    fn snapshot(&mut self) -> Result<()> {
        let (head, content) = self
            .shared
            .look(|sequencer| Kept::<Reader>::snapshot(sequencer.state(), sequencer.frontier()));
        self.kept
            .keep_snapshot(head, &content)
            .context("keeping a snapshot")
    }

    fn stop_before(&self, step: Step) {
        if self.stop_at
            == Some(StopAt {
                step,
                commit: self.commits,
            })
        {
            tracing::error!(
                step = step.name(),
                commit = self.commits,
                "stopping here, as told"
            );
            std::process::abort();
        }
    }

    /// Everything after persisting. With nothing new in the store only receipts and answers go out.
    fn promise(&mut self, commit: &Commit) -> Result<()> {
        let head = self.shared.with_sequencer(|sequencer| sequencer.head());
        let published = self.shared.published();
        if published
            .as_ref()
            .is_none_or(|published| published.size() < head.size)
        {
            self.stop_before(Step::Guard);
            self.swap_guard()?;
            self.stop_before(Step::SignCheckpoint);
            let checkpoint = Checkpoint {
                origin: self.identity.origin.clone(),
                head,
            };
            let signed = checkpoint.sign(&[&self.key.note])?;
            durable::write(&self.folder.checkpoint(), signed.bytes()).context("keeping the checkpoint")?;
            self.stop_before(Step::PublishCheckpoint);
            self.shared.publish(signed.clone());
            self.send(self.outbound.names.head(), signed.bytes().clone())?;
            self.metrics.published(head.size.get());
        }
        self.stop_before(Step::Receipts);
        self.send_receipts(commit)?;
        self.send_answers(&commit.answers)?;
        self.stop_before(Step::Purge);
        Ok(())
    }

    fn send_receipts(&self, commit: &Commit) -> Result<()> {
        let Some(Published { checkpoint, .. }) = self.shared.published() else {
            return Ok(());
        };
        for (feed, sequences) in &commit.receipts {
            let rows = self
                .shared
                .rows(*feed, sequences.iter().copied())
                .context("reading rows for receipts")?;
            let built = receipts(
                *feed,
                rows,
                checkpoint.head().size,
                checkpoint.bytes(),
                &CommitHashes(&commit.subtrees, self.shared.reader()),
            )?;
            for receipt in built {
                self.send(self.outbound.names.receipt(feed), receipt.encode_to_vec().into())?;
            }
        }
        Ok(())
    }

    fn send_answers(&self, answers: &[Refused]) -> Result<()> {
        for refused in answers {
            let Some(code) = refused.why.answer() else {
                continue;
            };
            tracing::info!(feed = %refused.feed, sequence = refused.sequence, %code, "no place in the log");
            let answer = answer(&self.identity, refused, code, self.clock.last().wall_nanos);
            let envelope = self.key.dsse.seal(ANSWER_TYPE, &answer.encode_to_vec());
            self.send(self.outbound.names.answer(&refused.feed), envelope)?;
        }
        Ok(())
    }

    /// Hands a message to the bus. What gets lost there is asked for again by whoever misses it.
    fn send(&self, subject: String, payload: Bytes) -> Result<()> {
        let publishing = self.outbound.client.publish(subject, payload);
        self.outbound
            .wait_for(publishing)?
            .context("publishing to the bus")
    }

    /// Swaps the present head into the guard, and reads back whenever the outcome is open.
    fn swap_guard(&mut self) -> Result<()> {
        let head = self.shared.with_sequencer(|sequencer| sequencer.head());
        let value = GuardValue {
            log_id: self.identity.log_id,
            size: head.size,
            root: head.root,
            run_id: self.run_id.clone(),
        };
        let mut expected = self.guarded.as_ref().map(|(_, revision)| *revision);
        let mut pause = Duration::from_millis(10);
        loop {
            match self.guard.swap(expected, &value) {
                Ok(revision) => {
                    self.guarded = Some((value, revision));
                    return Ok(());
                }
                Err(GuardError::Conflict | GuardError::Unknown(_)) => {
                    let held = self.wait_for_guard()?;
                    let swap = Swap {
                        value: &value,
                        at_start: self.guarded_at_start.as_ref(),
                        known: self.guarded.as_ref().map(|(known, _)| known),
                    };
                    let (held, revision) = held.unzip();
                    let root = match &held {
                        Some(held) => self.store.reader().root(held.size)?,
                        None => None,
                    };
                    let next = swap.judge(held.as_ref(), root)?;
                    expected = revision;
                    match (next, revision) {
                        (Next::Done, Some(revision)) => {
                            self.guarded = Some((value, revision));
                            return Ok(());
                        }
                        (Next::Anew, _) => {
                            self.metrics.guard_was_taken_away();
                            tracing::error!(
                                size = %head.size,
                                "ALARM: what this ledger wrote to the guard is gone, deleted or overwritten; \
                                 it is written anew. See who may write to the bucket"
                            );
                        }
                        (Next::Again, _) | (Next::Done, None) => {}
                    }
                    let held_size = held.map(|held| held.size.get());
                    tracing::warn!(held_size, size = %head.size, "the guard did not take the head; trying again");
                    self.outbound.wait_for(tokio::time::sleep(pause))?;
                    pause = (pause * 2).min(Duration::from_secs(2));
                }
            }
        }
    }

    /// What the guard holds, however long it takes to answer.
    fn wait_for_guard(&mut self) -> Result<Option<(GuardValue, GuardRevision)>> {
        let mut pause = Duration::from_millis(50);
        loop {
            match self.guard.load() {
                Ok(held) => return Ok(held),
                Err(error) => {
                    tracing::warn!(%error, "waiting for the guard");
                    self.outbound.wait_for(tokio::time::sleep(pause))?;
                    pause = (pause * 2).min(Duration::from_secs(2));
                }
            }
        }
    }

    /// Ends in order: what is handled stays, the clock is kept, the store closes cleanly.
    pub(crate) fn close(mut self) -> Result<()> {
        self.save_clock()?;
        self.shared.let_go_of_rows()?;
        self.snapshot()?;
        self.store.close().context("closing the store")
    }
}

fn answer(identity: &Identity, refused: &Refused, code: AnswerCode, now_nanos: i64) -> v1::Answer {
    use lotproof::admission::NoPlace;
    let expected = match &refused.why {
        NoPlace::Gap { expected } | NoPlace::ChainBroken { expected } => expected.get(),
        _ => 0,
    };
    let mut detail = refused.why.to_string();
    if let Some(source) = std::error::Error::source(&refused.why) {
        detail = format!("{detail}: {source}");
    }
    detail.retain(|letter| !letter.is_control());
    detail.truncate(detail.floor_char_boundary(1_000));
    v1::Answer {
        log_id: identity.log_id.as_bytes().to_vec(),
        feed: refused.feed.as_bytes().to_vec(),
        message: refused.message.as_bytes().to_vec(),
        code: code.number().into(),
        sequence: refused.sequence,
        expected,
        answered_at: now_nanos,
        detail,
    }
}

/// The tree as right after a commit: what it completed is at hand, the store has the rest.
struct CommitHashes<'a>(&'a Subtrees, &'a Reader);

impl HashReader for CommitHashes<'_> {
    type Error = StoreError;

    fn subtree(&self, level: u8, index: u64) -> Result<Hash, StoreError> {
        let Self(completed, store) = self;
        completed
            .get(level, index)
            .map_or_else(|| store.subtree(level, index), Ok)
    }
}
