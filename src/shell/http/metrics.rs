//! Prometheus metrics of a server, registered beside those of its service.

use prometheus::{IntCounterVec, IntGauge, Opts, Registry};

/// Why a connection or a request is turned away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Why {
    /// Every place is taken by a request in hand.
    Full,
    /// A connection that waited for its caller gave its place to another.
    Displaced,
    /// The head of a request took too long.
    SlowHead,
    /// Nothing came for too long.
    Idle,
    /// The system could not accept.
    Accept,
    /// The door's rules: their code.
    Rule(&'static str),
}

impl Why {
    const fn name(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Displaced => "displaced",
            Self::SlowHead => "slow_head",
            Self::Idle => "idle",
            Self::Accept => "accept_failed",
            Self::Rule(code) => code,
        }
    }
}

/// Counters and gauges of one server.
#[derive(Clone, Debug)]
pub struct HttpMetrics {
    pub(super) connections: IntGauge,
    turned_away: IntCounterVec,
}

impl HttpMetrics {
    /// Registers them.
    ///
    /// # Errors
    /// If others have their names.
    pub fn register(registry: &Registry) -> prometheus::Result<Self> {
        let connections = IntGauge::new("lotproof_http_connections", "Connections that are open")?;
        let turned_away = IntCounterVec::new(
            Opts::new(
                "lotproof_http_turned_away_total",
                "Connections closed and requests refused before any handler saw them, by reason",
            ),
            &["reason"],
        )?;
        registry.register(Box::new(connections.clone()))?;
        registry.register(Box::new(turned_away.clone()))?;
        Ok(Self {
            connections,
            turned_away,
        })
    }

    pub(super) fn turned_away(&self, why: Why) {
        self.turned_away.with_label_values(&[why.name()]).inc();
    }
}
