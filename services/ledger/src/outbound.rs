//! The bus, as the writer uses it: it waits for it, but not longer than the ledger is to run.

use async_nats::Client;
use lotproof::shell::nats::BusNames;
use tokio::{runtime::Handle, sync::watch};

/// The bus, as the writer uses it.
#[derive(Clone)]
pub(crate) struct Outbound {
    pub(crate) client: Client,
    pub(crate) names: BusNames,
    pub(crate) runtime: Handle,
    /// Turns true when the ledger is told to stop: nothing waits for a bus any longer that is not there.
    pub(crate) stop: watch::Receiver<bool>,
}

/// The ledger was told to stop before it was done. What is in the store stays, and what it still lacks (guard,
/// checkpoint, receipts) is made up for at the next start.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Stopped {
    /// While the bus did not answer.
    #[error("told to stop while the bus does not answer")]
    Waiting,
    /// While the log was being opened.
    #[error("told to stop while the log is being opened")]
    Opening,
}

impl Outbound {
    /// Waits for the bus, unless told to stop meanwhile.
    pub(crate) fn wait_for<T>(&self, done: impl Future<Output = T>) -> Result<T, Stopped> {
        let mut stop = self.stop.clone();
        self.runtime.block_on(async move {
            tokio::select! {
                biased;
                done = done => Ok(done),
                _ = stop.wait_for(|stop| *stop) => Err(Stopped::Waiting),
            }
        })
    }
}
