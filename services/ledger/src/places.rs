//! How many expensive answers may be in the making at once; whoever comes beyond that is told to come again.

use std::{num::NonZeroUsize, sync::Arc};

use axum::{http::StatusCode, response::Response};
use lotproof::shell::http::problem;
use prometheus::{IntCounter, IntGauge};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// What the read side may spend on its readers.
#[derive(Clone, Copy, Debug)]
pub struct ReadLimits {
    /// Streams of entries at once.
    pub streams: NonZeroUsize,
    /// Tiles and bundles read from the store at once.
    pub tiles: NonZeroUsize,
}

impl Default for ReadLimits {
    fn default() -> Self {
        Self {
            streams: NonZeroUsize::new(16).unwrap_or(NonZeroUsize::MIN),
            tiles: NonZeroUsize::new(64).unwrap_or(NonZeroUsize::MIN),
        }
    }
}

/// Seconds after which to come again.
const RETRY_AFTER: u32 = 1;

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
        let busy = problem::retry(StatusCode::SERVICE_UNAVAILABLE, "busy", message, RETRY_AFTER);
        Err(Box::new(busy))
    }
}
