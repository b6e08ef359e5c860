//! Prometheus metrics of the ledger.

use lotproof::{code::Outcome, entry::Entry, sequencer::Commit};
use prometheus::{IntCounter, IntCounterVec, IntGauge, Opts, Registry, TextEncoder};

/// Counters and gauges, registered once.
#[derive(Clone)]
pub(crate) struct Metrics {
    registry: Registry,
    messages: IntCounter,
    entries: IntCounterVec,
    answers: IntCounterVec,
    size: IntGauge,
}

impl Metrics {
    pub(crate) fn new() -> prometheus::Result<Self> {
        let registry = Registry::new();
        let messages = IntCounter::new("lotproof_ledger_messages_total", "Messages handled from the bus")?;
        let entries = IntCounterVec::new(
            Opts::new("lotproof_ledger_entries_total", "Entries appended, by outcome"),
            &["outcome"],
        )?;
        let answers = IntCounterVec::new(
            Opts::new(
                "lotproof_ledger_answers_total",
                "Messages that took no place, by code",
            ),
            &["code"],
        )?;
        let size = IntGauge::new(
            "lotproof_ledger_published_size",
            "Entries under the newest checkpoint",
        )?;
        registry.register(Box::new(messages.clone()))?;
        registry.register(Box::new(entries.clone()))?;
        registry.register(Box::new(answers.clone()))?;
        registry.register(Box::new(size.clone()))?;
        Ok(Self {
            registry,
            messages,
            entries,
            answers,
            size,
        })
    }

    pub(crate) fn took(&self, messages: usize, commit: &Commit) {
        self.messages.inc_by(messages as u64);
        for (bytes, _) in &commit.entries {
            let outcome = match Entry::decode(bytes).map(|entry| entry.body) {
                Ok(lotproof::entry::Body::Statement {
                    outcome: Outcome::Refused(refusal),
                    ..
                }) => refusal.name(),
                Ok(lotproof::entry::Body::Evidence { .. }) => "evidence",
                _ => "admitted",
            };
            self.entries.with_label_values(&[outcome]).inc();
        }
        for refused in &commit.answers {
            if let Some(code) = refused.why.answer() {
                self.answers.with_label_values(&[code.name()]).inc();
            }
        }
    }

    pub(crate) fn published(&self, size: u64) {
        self.size.set(i64::try_from(size).unwrap_or(i64::MAX));
    }

    pub(crate) fn render(&self) -> String {
        TextEncoder::new()
            .encode_to_string(&self.registry.gather())
            .unwrap_or_default()
    }
}
