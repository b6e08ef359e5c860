//! Prometheus metrics of the projector.

use lotproof::shell::http::HttpMetrics;
use prometheus::{IntCounter, IntCounterVec, IntGauge, Opts, Registry, TextEncoder};

use crate::live::{Cost, LiveLog};

/// Counters and gauges, registered once.
#[derive(Clone)]
pub(crate) struct Metrics {
    registry: Registry,
    size: IntGauge,
    lag: IntGauge,
    events: IntGauge,
    alarm: IntGauge,
    unmatched_openings: IntGauge,
    advances: IntCounterVec,
    unsigned_heads: IntCounter,
    requests: IntCounterVec,
    http: HttpMetrics,
}

impl Metrics {
    pub(crate) fn new() -> prometheus::Result<Self> {
        let gauge = |name: &str, help: &str| IntGauge::new(format!("lotproof_compliance_{name}"), help);
        let counters = |name: &str, help: &str, labels: &[&str]| {
            IntCounterVec::new(Opts::new(format!("lotproof_compliance_{name}"), help), labels)
        };
        let registry = Registry::new();
        let metrics = Self {
            http: HttpMetrics::register(&registry)?,
            registry,
            size: gauge("size", "Entries that queries are answered at")?,
            lag: gauge(
                "lag_entries",
                "Entries that the largest head heard has beyond those",
            )?,
            events: gauge("events", "Events folded, repeated reports included")?,
            alarm: gauge("alarm", "1 while something is wrong with the log")?,
            unmatched_openings: gauge("unmatched_openings", "Openings whose digest stands in no event")?,
            advances: counters("advances_total", "Heads moved to, by how it ended", &["outcome"])?,
            unsigned_heads: IntCounter::new(
                "lotproof_compliance_unverified_heads_total",
                "Heads heard that no pinned key of the log signed",
            )?,
            requests: counters(
                "requests_total",
                "Questions answered, by way, endpoint and code",
                &["way", "endpoint", "code"],
            )?,
        };
        let registry = &metrics.registry;
        for gauge in [
            &metrics.size,
            &metrics.lag,
            &metrics.events,
            &metrics.alarm,
            &metrics.unmatched_openings,
        ] {
            registry.register(Box::new(gauge.clone()))?;
        }
        registry.register(Box::new(metrics.advances.clone()))?;
        registry.register(Box::new(metrics.unsigned_heads.clone()))?;
        registry.register(Box::new(metrics.requests.clone()))?;
        Ok(metrics)
    }

    pub(crate) const fn http(&self) -> &HttpMetrics {
        &self.http
    }

    pub(crate) fn answered(&self, way: &str, endpoint: &str, code: &str) {
        self.requests.with_label_values(&[way, endpoint, code]).inc();
    }

    pub(crate) fn advanced(&self, outcome: &str) {
        self.advances.with_label_values(&[outcome]).inc();
    }

    pub(crate) fn heard_unverified(&self) {
        self.unsigned_heads.inc();
    }

    /// Reads the gauges off the state, and renders everything.
    pub(crate) fn render(&self, log: &LiveLog) -> String {
        let signed = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
        let read = log.read(Cost::Limited, |completed| {
            (completed.head.size.get(), completed.openings.unmatched())
        });
        let (size, unmatched) = read.unwrap_or_default();
        self.size.set(signed(size));
        self.lag.set(signed(log.newest().get().saturating_sub(size)));
        self.events.set(signed(log.events()));
        self.alarm.set(i64::from(log.health().alarm.is_some()));
        self.unmatched_openings.set(signed(unmatched as u64));
        TextEncoder::new()
            .encode_to_string(&self.registry.gather())
            .unwrap_or_default()
    }
}
