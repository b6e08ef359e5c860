//! File descriptors: what a process may open, how many of them connections may take, and what is kept back for
//! the store, the outbox and the bus.

use std::sync::{Arc, OnceLock};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::sync::Semaphore;

/// Descriptors that no connection may take: segments, index, snapshots, the bus, standard streams.
pub const RESERVED_DESCRIPTORS: u64 = 256;
/// Most connections of all servers of one process together, however many descriptors there are.
pub const PROCESS_CONNECTIONS_MAX: u64 = 8_192;

/// Raises the soft limit of open files to the hard one, and returns what holds from now on.
///
/// A limit that cannot be raised is no fault: connections are counted against what there is.
pub fn raise_limit() -> u64 {
    let limit = getrlimit(Resource::Nofile);
    // Nothing stands for no limit.
    let Some(soft) = limit.current else {
        return u64::MAX;
    };
    if limit.maximum == Some(soft) {
        return soft;
    }
    let raised = Rlimit {
        // A hard limit of none is not a soft one that every system takes.
        current: Some(limit.maximum.unwrap_or(1 << 20)),
        maximum: limit.maximum,
    };
    if let Err(error) = setrlimit(Resource::Nofile, raised) {
        tracing::warn!(%error, soft, "the limit of open files could not be raised");
        return soft;
    }
    raised.current.unwrap_or(soft)
}

/// How many connections a process with so many descriptors may hold: all but those kept back, or half of them
/// if there are few.
pub const fn connections_of(descriptors: u64) -> u64 {
    let room = if descriptors < 2 * RESERVED_DESCRIPTORS {
        descriptors / 2
    } else {
        descriptors - RESERVED_DESCRIPTORS
    };
    if room > PROCESS_CONNECTIONS_MAX {
        PROCESS_CONNECTIONS_MAX
    } else {
        room
    }
}

/// Places for the connections of all servers of this process.
pub(super) fn process_places() -> Arc<Semaphore> {
    static PLACES: OnceLock<Arc<Semaphore>> = OnceLock::new();
    let places = PLACES.get_or_init(|| {
        let room = connections_of(raise_limit());
        Arc::new(Semaphore::new(usize::try_from(room).unwrap_or(usize::MAX).max(1)))
    });
    places.clone()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn descriptors_are_kept_back_whatever_the_limit() {
        for descriptors in (0..20_000).chain([1 << 20, u64::MAX]) {
            let connections = connections_of(descriptors);
            let kept = descriptors - connections;
            assert!(
                kept >= RESERVED_DESCRIPTORS || kept >= descriptors / 2,
                "{descriptors}"
            );
            assert!(connections <= PROCESS_CONNECTIONS_MAX);
            assert!(descriptors < 2 || connections > 0);
        }
        assert_eq!(connections_of(1_024), 768);
    }

    #[test]
    fn the_soft_limit_is_raised_to_the_hard_one() {
        let raised = raise_limit();
        let limit = getrlimit(Resource::Nofile);
        assert_eq!(limit.current.unwrap_or(u64::MAX), raised);
        assert!(limit.maximum.is_none_or(|hard| hard == raised));
    }
}
