//! How many expensive answers may be in the making at once; whoever comes beyond that is told to come again.

use std::{num::NonZeroUsize, sync::Arc, time::Duration};

use axum::{
    Json,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use prometheus::{IntCounter, IntGauge};
use serde_json::json;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// What the read side may spend on its readers.
#[derive(Clone, Copy, Debug)]
pub struct ReadLimits {
    /// Streams of entries at once.
    pub streams: NonZeroUsize,
    /// Tiles and bundles read from the store at once.
    pub tiles: NonZeroUsize,
    /// How long a reader may take for 64 KiB, or for all there is for it if that is less; then its connection
    /// ends.
    pub write_timeout: Duration,
}

impl Default for ReadLimits {
    fn default() -> Self {
        Self {
            streams: NonZeroUsize::new(16).unwrap_or(NonZeroUsize::MIN),
            tiles: NonZeroUsize::new(64).unwrap_or(NonZeroUsize::MIN),
            write_timeout: Duration::from_secs(30),
        }
    }
}

/// Seconds after which to come again.
const RETRY_AFTER: &str = "1";

/// Places of one kind.
pub(crate) struct Places {
    what: &'static str,
    free: Arc<Semaphore>,
    count: NonZeroUsize,
    taken: IntGauge,
    turned_away: IntCounter,
}

/// One place, until dropped.
pub(crate) struct Place {
    _permit: OwnedSemaphorePermit,
    taken: IntGauge,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.taken.dec();
    }
}

impl Places {
    /// So many places for `what`, with a gauge of those taken and a counter of those turned away.
    pub(crate) fn new(
        what: &'static str,
        count: NonZeroUsize,
        taken: IntGauge,
        turned_away: IntCounter,
    ) -> Self {
        Self {
            what,
            free: Arc::new(Semaphore::new(count.get().min(Semaphore::MAX_PERMITS))),
            count,
            taken,
            turned_away,
        }
    }

    /// A place, or what to answer if there is none.
    pub(crate) fn take(&self) -> Result<Place, Box<Response>> {
        if let Ok(permit) = self.free.clone().try_acquire_owned() {
            self.taken.inc();
            return Ok(Place {
                _permit: permit,
                taken: self.taken.clone(),
            });
        }
        self.turned_away.inc();
        let message = format!("all {} {} are taken: come again later", self.count, self.what);
        Err(Box::new(
            (
                StatusCode::SERVICE_UNAVAILABLE,
                [(header::RETRY_AFTER, RETRY_AFTER)],
                Json(json!({ "code": "busy", "message": message })),
            )
                .into_response(),
        ))
    }
}
