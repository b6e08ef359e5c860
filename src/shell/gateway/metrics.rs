//! Prometheus metrics of a gateway.

use prometheus::{IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry, TextEncoder};

use crate::{outbox::Status, shell::http::HttpMetrics};

/// Counters and gauges, registered once.
#[derive(Clone)]
pub(super) struct Metrics {
    registry: Registry,
    requests: IntCounterVec,
    events: IntCounterVec,
    outbox: IntGaugeVec,
    files: IntGauge,
    http: HttpMetrics,
}

/// A file of the drop folder in hand, until dropped.
pub(super) struct FileInHand(IntGauge);

impl Drop for FileInHand {
    fn drop(&mut self) {
        self.0.dec();
    }
}

impl Metrics {
    pub(super) fn new() -> prometheus::Result<Self> {
        let registry = Registry::new();
        let requests = IntCounterVec::new(
            Opts::new("lotproof_gateway_requests_total", "Requests answered, by status"),
            &["status"],
        )?;
        let events = IntCounterVec::new(
            Opts::new(
                "lotproof_gateway_events_total",
                "Events asked to be published: new, known or refused",
            ),
            &["answer"],
        )?;
        let outbox = IntGaugeVec::new(
            Opts::new(
                "lotproof_gateway_outbox",
                "The outbox at a glance; parcels become statements",
            ),
            &["what"],
        )?;
        registry.register(Box::new(requests.clone()))?;
        registry.register(Box::new(events.clone()))?;
        let files = IntGauge::new(
            "lotproof_gateway_files_in_hand",
            "Files of the drop folder being taken in, or waiting for room in the outbox",
        )?;
        registry.register(Box::new(outbox.clone()))?;
        registry.register(Box::new(files.clone()))?;
        Ok(Self {
            http: HttpMetrics::register(&registry)?,
            registry,
            requests,
            events,
            outbox,
            files,
        })
    }

    pub(super) fn answered(&self, status: u16) {
        self.requests.with_label_values(&[status.to_string()]).inc();
    }

    pub(super) const fn http(&self) -> &HttpMetrics {
        &self.http
    }

    pub(super) fn file_in_hand(&self) -> FileInHand {
        self.files.inc();
        FileInHand(self.files.clone())
    }

    pub(super) fn took(&self, answer: &str) {
        self.events.with_label_values(&[answer]).inc();
    }

    pub(super) fn render(&self, status: &Status, known: usize) -> String {
        let rows = [
            ("queued_parcels", status.queued),
            ("unreceipted_parcels", status.unreceipted),
            ("statements", status.statements),
            ("dead_letters", status.letters),
            ("alarms", status.alarms),
            ("backlog_bytes", status.backlog_len),
            ("known_events", known),
        ];
        for (what, value) in rows {
            let value = i64::try_from(value).unwrap_or(i64::MAX);
            self.outbox.with_label_values(&[what]).set(value);
        }
        self.render_requests()
    }

    /// What there is to say before the outbox is open.
    pub(super) fn render_requests(&self) -> String {
        TextEncoder::new()
            .encode_to_string(&self.registry.gather())
            .unwrap_or_default()
    }
}
