//! The time between the start of the process and an open log: how far it is, and how it ends when the ledger is
//! told to stop meanwhile.
//!
//! Opening runs on a thread of its own, because neither sled nor the value log can be interrupted from outside.
//! It looks at its orders between chunks of entries. What does not look in time is left behind: a log that is
//! opened promises nothing yet, so the end of the process is to it what a loss of power is, and the next start
//! makes up for it (`shell::store::opening`).

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::Duration,
};

use anyhow::{Context as _, Result, anyhow};
use tokio::sync::{oneshot, watch};

use crate::outbound::Stopped;

/// How long opening may take to notice that it is to stop.
const GRACE: Duration = Duration::from_secs(5);

/// How far opening is, and whether it is to stop. Copies are the same one.
#[derive(Clone, Debug, Default)]
pub(crate) struct Opening {
    inner: Arc<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    stop: AtomicBool,
    folded: AtomicU64,
    /// Zero until the store is open.
    size: AtomicU64,
}

impl Opening {
    /// Tells opening to stop.
    pub(crate) fn stop(&self) {
        self.inner.stop.store(true, Ordering::Relaxed);
    }

    /// An error once it is to stop.
    pub(crate) fn go_on(&self) -> Result<(), Stopped> {
        if self.inner.stop.load(Ordering::Relaxed) {
            return Err(Stopped::Opening);
        }
        Ok(())
    }

    /// The store is open and holds so many entries.
    pub(crate) fn found(&self, size: u64) {
        self.inner.size.store(size, Ordering::Relaxed);
    }

    /// So many of them are in the state.
    pub(crate) fn folded(&self, count: u64) {
        self.inner.folded.store(count, Ordering::Relaxed);
    }
}

impl fmt::Display for Opening {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.inner.size.load(Ordering::Relaxed) {
            0 => f.write_str("opening the store"),
            size => {
                let folded = self.inner.folded.load(Ordering::Relaxed);
                write!(f, "opening the log: {folded} of {size} entries")
            }
        }
    }
}

/// Opens with `open`; nothing if the ledger was told to stop before that was done.
pub(crate) async fn open_unless_stopped<T: Send + 'static>(
    opening: &Opening,
    shutdown: &mut watch::Receiver<bool>,
    open: impl FnOnce(&Opening) -> Result<T> + Send + 'static,
) -> Result<Option<T>> {
    let (done, mut opened) = oneshot::channel();
    let for_thread = opening.clone();
    // A blocking task would keep the runtime, and with it the process, until it ends.
    thread::Builder::new()
        .name("opening".into())
        .spawn(move || drop(done.send(open(&for_thread))))
        .context("starting a thread")?;
    let ended = tokio::select! {
        biased;
        _ = shutdown.wait_for(|stop| *stop) => None,
        ended = &mut opened => Some(ended),
    };
    if let Some(ended) = ended {
        return ended.map_err(|_| anyhow!("opening the log panicked"))?.map(Some);
    }
    opening.stop();
    match tokio::time::timeout(GRACE, opened).await {
        // Done at the last moment: dropped again, with nothing promised.
        Ok(Ok(Ok(_))) => {}
        Ok(Ok(Err(error))) if error.is::<Stopped>() => {}
        Ok(Ok(Err(error))) => return Err(error),
        Ok(Err(_)) => return Err(anyhow!("opening the log panicked")),
        Err(_) => {
            tracing::warn!("the store is still being opened; it is left as a loss of power would leave it");
        }
    }
    tracing::info!("told to stop while the log was being opened");
    Ok(None)
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    /// Runs on one thread.
    fn run<T>(future: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap()
            .block_on(future)
    }

    #[test]
    fn what_is_opened_is_handed_over() {
        let (_stop, mut shutdown) = watch::channel(false);
        let opening = Opening::default();
        let opened = run(open_unless_stopped(&opening, &mut shutdown, |_| Ok(7)));
        assert_eq!(opened.unwrap(), Some(7));
    }

    #[test]
    fn an_error_of_opening_is_told() {
        let (_stop, mut shutdown) = watch::channel(false);
        let opening = Opening::default();
        let opened = run(open_unless_stopped(&opening, &mut shutdown, |_| {
            Err::<(), _>(anyhow!("entry 0"))
        }));
        assert_eq!(opened.unwrap_err().to_string(), "entry 0");
    }

    #[test]
    fn opening_that_looks_at_its_orders_ends_when_told_to_stop() {
        let (stop, mut shutdown) = watch::channel(false);
        let opening = Opening::default();
        let opened = run(open_unless_stopped(&opening, &mut shutdown, move |opening| {
            stop.send_replace(true);
            loop {
                opening.go_on()?;
                thread::yield_now();
            }
            #[expect(unreachable_code, reason = "says what it would come to")]
            Ok(())
        }));
        assert_eq!(opened.unwrap(), None);
    }

    #[test]
    fn opening_that_looks_at_nothing_is_left_behind_when_told_to_stop() {
        let (stop, mut shutdown) = watch::channel(false);
        let opening = Opening::default();
        let (end, ended) = mpsc::channel::<()>();
        let opened = run(open_unless_stopped(&opening, &mut shutdown, move |_| {
            stop.send_replace(true);
            let _ = ended.recv();
            Ok(())
        }));
        assert_eq!(opened.unwrap(), None);
        drop(end);
    }

    #[test]
    fn it_is_told_how_far_opening_is() {
        let opening = Opening::default();
        assert_eq!(opening.to_string(), "opening the store");
        opening.found(10);
        opening.folded(4);
        assert_eq!(opening.to_string(), "opening the log: 4 of 10 entries");
    }
}
