//! Prometheus metrics of the ledger.

use std::num::NonZeroUsize;

use lotproof::{code::Outcome, entry::Entry, sequencer::Commit, shell::http::HttpMetrics};
use prometheus::{IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry, TextEncoder};

use crate::places::Places;

/// Counters and gauges, registered once.
#[derive(Clone)]
pub(crate) struct Metrics {
    registry: Registry,
    messages: IntCounter,
    entries: IntCounterVec,
    answers: IntCounterVec,
    size: IntGauge,
    guard_alarms: IntCounter,
    places: IntGaugeVec,
    turned_away: IntCounterVec,
    http: HttpMetrics,
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
        let guard_alarms = IntCounter::new(
            "lotproof_ledger_guard_alarms_total",
            "How often what this ledger had written to the guard was gone, and was written anew",
        )?;
        registry.register(Box::new(guard_alarms.clone()))?;
        let places = IntGaugeVec::new(
            Opts::new(
                "lotproof_ledger_read_places",
                "Expensive answers in the making, by kind",
            ),
            &["kind"],
        )?;
        let turned_away = IntCounterVec::new(
            Opts::new(
                "lotproof_ledger_reads_turned_away_total",
                "Requests answered 503 because every place was taken, by kind",
            ),
            &["kind"],
        )?;
        registry.register(Box::new(places.clone()))?;
        registry.register(Box::new(turned_away.clone()))?;
        registry.register(Box::new(messages.clone()))?;
        registry.register(Box::new(entries.clone()))?;
        registry.register(Box::new(answers.clone()))?;
        registry.register(Box::new(size.clone()))?;
        Ok(Self {
            http: HttpMetrics::register(&registry)?,
            registry,
            messages,
            entries,
            answers,
            size,
            guard_alarms,
            places,
            turned_away,
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

    pub(crate) const fn http(&self) -> &HttpMetrics {
        &self.http
    }

    pub(crate) fn guard_was_taken_away(&self) {
        self.guard_alarms.inc();
    }

    pub(crate) fn published(&self, size: u64) {
        self.size.set(i64::try_from(size).unwrap_or(i64::MAX));
    }

    /// Places for `what`, counted as `kind`.
    pub(crate) fn places(&self, kind: &str, what: &'static str, count: NonZeroUsize) -> Places {
        let taken = self.places.with_label_values(&[kind]);
        Places::new(what, count, taken, self.turned_away.with_label_values(&[kind]))
    }

    pub(crate) fn render(&self) -> String {
        TextEncoder::new()
            .encode_to_string(&self.registry.gather())
            .unwrap_or_default()
    }
}
