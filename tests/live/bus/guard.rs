//! Of two writers from one revision at most one wins, whatever happened to the bucket.

use std::sync::Arc;

use lotproof::{
    id::{Hash, LogId, TreeSize},
    log::{checkpoint::Origin, guarded::GuardKey},
    port::{Guard as _, GuardError, GuardRevision, GuardValue},
    shell::nats::{BlockingGuard, NatsGuard},
};

use crate::fixture::{OwnBus, connect, log_id};

fn guard_key() -> Arc<GuardKey> {
    let origin = Origin::new("ledger.example/live").unwrap();
    Arc::new(GuardKey::new(&origin, log_id(), &[3; 32]).unwrap())
}

fn value(size: u64, run: &str) -> GuardValue {
    let root = Hash::of(&[&size.to_be_bytes()]);
    GuardValue {
        log_id: log_id(),
        size: TreeSize::new(size),
        root,
        run_id: run.repeat(32),
    }
}

#[tokio::test]
async fn missing_bucket_reads_as_no_value_and_is_created_by_the_first_swap() {
    let own = OwnBus::bare().await;
    let guard = NatsGuard::new(own.bus.clone(), own.names, 1, guard_key());
    assert!(guard.load().await.unwrap().is_none());
    assert!(
        guard.load().await.unwrap().is_none(),
        "a read must create nothing"
    );
    let first = guard.swap(None, &value(1, "a")).await.unwrap();
    assert_eq!(guard.load().await.unwrap(), Some((value(1, "a"), first)));
    assert!(matches!(
        guard.swap(None, &value(1, "b")).await,
        Err(GuardError::Conflict)
    ));
}

#[tokio::test]
async fn of_two_swaps_from_one_revision_the_second_conflicts() {
    let own = OwnBus::bare().await;
    let ours = NatsGuard::new(own.bus.clone(), own.names, 1, guard_key());
    let theirs = NatsGuard::new(connect(&own.server).await, own.names, 1, guard_key());
    let start = ours.swap(None, &value(1, "a")).await.unwrap();
    let (a, b) = (value(2, "a"), value(2, "b"));
    let (one, two) = tokio::join!(ours.swap(Some(start), &a), theirs.swap(Some(start), &b));
    let (won, lost, holds) = match (one, two) {
        (Ok(revision), Err(error)) => (revision, error, a),
        (Err(error), Ok(revision)) => (revision, error, b),
        both => panic!("exactly one must win: {both:?}"),
    };
    assert!(matches!(lost, GuardError::Conflict), "{lost}");
    assert_eq!(theirs.load().await.unwrap(), Some((holds, won)));
}

#[tokio::test]
async fn wiped_bucket_refuses_the_old_revision() {
    let own = OwnBus::bare().await;
    let guard = NatsGuard::new(own.bus.clone(), own.names, 1, guard_key());
    let first = guard.swap(None, &value(1, "a")).await.unwrap();
    let second = guard.swap(Some(first), &value(2, "a")).await.unwrap();
    let stream = format!("KV_{}", own.names.guard_bucket());
    own.bus.jetstream().delete_stream(&stream).await.unwrap();

    assert!(guard.load().await.unwrap().is_none());
    // Without a bucket nobody can say no, so the outcome is open and has to be read back.
    assert!(matches!(
        guard.swap(Some(second), &value(3, "a")).await,
        Err(GuardError::Unknown(_))
    ));
    assert!(guard.load().await.unwrap().is_none());
    guard.swap(None, &value(1, "b")).await.unwrap();
    assert!(matches!(
        guard.swap(Some(second), &value(3, "a")).await,
        Err(GuardError::Conflict)
    ));
}

#[tokio::test]
async fn deleted_key_reads_as_no_value_and_can_be_seeded_again() {
    let own = OwnBus::bare().await;
    let guard = NatsGuard::new(own.bus.clone(), own.names, 1, guard_key());
    let first = guard.swap(None, &value(1, "a")).await.unwrap();
    let bucket = own
        .bus
        .jetstream()
        .get_key_value(own.names.guard_bucket())
        .await
        .unwrap();
    bucket.delete("head").await.unwrap();
    assert!(guard.load().await.unwrap().is_none());
    assert!(matches!(
        guard.swap(Some(first), &value(2, "a")).await,
        Err(GuardError::Conflict)
    ));
    guard.swap(None, &value(2, "b")).await.unwrap();
    assert_eq!(guard.load().await.unwrap().unwrap().0, value(2, "b"));
}

#[tokio::test]
async fn value_survives_the_servers_death() {
    let mut own = OwnBus::bare().await;
    let guard = NatsGuard::new(own.bus.clone(), own.names, 1, guard_key());
    let first = guard.swap(None, &value(1, "a")).await.unwrap();
    own.server.restart().await.unwrap();
    let guard = NatsGuard::new(connect(&own.server).await, own.names, 1, guard_key());
    assert_eq!(guard.load().await.unwrap(), Some((value(1, "a"), first)));
}

#[tokio::test]
async fn silent_bus_leaves_the_outcome_unknown() {
    let mut own = OwnBus::bare().await;
    let guard = NatsGuard::new(own.bus.clone(), own.names, 1, guard_key());
    let first = guard.swap(None, &value(1, "a")).await.unwrap();
    own.server.kill().await;
    assert!(matches!(
        guard.swap(Some(first), &value(2, "a")).await,
        Err(GuardError::Unknown(_))
    ));
    assert!(matches!(guard.load().await, Err(GuardError::Unknown(_))));
}

#[tokio::test]
async fn what_the_logs_key_did_not_sign_reads_as_no_value_and_is_replaced() {
    let own = OwnBus::bare().await;
    let guard = NatsGuard::new(own.bus.clone(), own.names, 1, guard_key());
    let mut held = guard.swap(None, &value(1, "a")).await.unwrap();
    let bucket = own
        .bus
        .jetstream()
        .get_key_value(own.names.guard_bucket())
        .await
        .unwrap();
    let origin = Origin::new("ledger.example/live").unwrap();
    let forger = GuardKey::new(&origin, log_id(), &[4; 32]).unwrap();
    let other_log = GuardKey::new(&origin, LogId::new(Hash::ZERO), &[3; 32]).unwrap();
    let other_value = GuardValue {
        log_id: LogId::new(Hash::ZERO),
        ..value(9, "b")
    };
    for forged in [
        b"no guard value".to_vec(),
        Vec::new(),
        forger.sign(&value(9, "b")).unwrap(),
        other_log.sign(&other_value).unwrap(),
    ] {
        bucket.put("head", forged.into()).await.unwrap();
        assert!(guard.load().await.unwrap().is_none());
        // The revision before it is not the newest any more, and nothing is.
        assert!(matches!(
            guard.swap(Some(held), &value(2, "a")).await,
            Err(GuardError::Conflict)
        ));
        held = guard.swap(None, &value(2, "a")).await.unwrap();
        assert_eq!(guard.load().await.unwrap(), Some((value(2, "a"), held)));
        assert!(matches!(
            guard.swap(None, &value(3, "a")).await,
            Err(GuardError::Conflict)
        ));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn blocking_guard_works_from_a_thread_of_its_own() {
    let own = OwnBus::bare().await;
    let guard = NatsGuard::new(own.bus.clone(), own.names, 1, guard_key());
    let mut blocking = BlockingGuard::new(guard, tokio::runtime::Handle::current());
    let writer = std::thread::spawn(move || -> Result<GuardRevision, GuardError> {
        assert!(blocking.load()?.is_none());
        let first = blocking.swap(None, &value(1, "a"))?;
        blocking.swap(Some(first), &value(2, "a"))
    });
    let revision = tokio::task::spawn_blocking(|| writer.join())
        .await
        .unwrap()
        .unwrap()
        .unwrap();
    let guard = NatsGuard::new(own.bus.clone(), own.names, 1, guard_key());
    assert_eq!(guard.load().await.unwrap(), Some((value(2, "a"), revision)));
}
