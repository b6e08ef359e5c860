//! What others do to the guard on the bus: a ledger that runs writes it anew and says so, one that starts halts until
//! its operator reseeds, and no message ends the log.

use std::sync::Arc;

use async_nats::jetstream::kv::Store;
use lotproof::{
    code::Outcome,
    id::{Hash, LogId, TreeSize},
    log::guarded::GuardKey,
    port::GuardValue,
    shell::nats::{BusNames, NatsGuard},
};
use lotproof_ledger::Folder;

use crate::{
    fixture::soon,
    ledger::{MAKER, Publisher, Running, World, commission, get},
};

/// A ledger whose maker has published, and its bucket.
struct Scene {
    world: World,
    ledger: Running,
    maker: Publisher,
    published: u32,
}

impl Scene {
    async fn new() -> Self {
        let world = World::new().await;
        let ledger = world.start().await;
        world.enrol().await;
        let maker = world.publisher(MAKER, 1).await;
        let mut scene = Self {
            world,
            ledger,
            maker,
            published: 0,
        };
        scene.publishes().await;
        scene
    }

    fn names(&self) -> BusNames {
        BusNames::new(&self.world.identity.log_id)
    }

    async fn bucket(&self) -> Store {
        let jetstream = self.world.own.bus.jetstream();
        jetstream
            .get_key_value(self.names().guard_bucket())
            .await
            .expect("the bucket")
    }

    /// Publishes a lot, and sees it receipted and guarded.
    async fn publishes(&mut self) {
        self.published += 1;
        let sequence = self
            .maker
            .publish(&[commission(&format!("A{}", self.published))])
            .await;
        assert_eq!(self.maker.receipt(sequence).await.1, Outcome::Admitted);
        let size = TreeSize::new(self.ledger.log(&self.world.identity).await.len() as u64);
        let key = Folder::new(&self.world.folder)
            .guard_key(&self.world.identity)
            .unwrap();
        let guard = NatsGuard::new(self.world.own.bus.clone(), self.names(), 1, Arc::new(key));
        let (held, _) = soon("the guard", guard.load()).await.unwrap().expect("a value");
        assert_eq!(held.size, size, "what was published is guarded");
    }

    async fn alarms(&self) -> String {
        let (_, metrics) = get(&format!("{}/metrics", self.ledger.url)).await;
        let metrics = String::from_utf8(metrics).unwrap();
        let line = metrics
            .lines()
            .find_map(|line| line.strip_prefix("lotproof_ledger_guard_alarms_total "));
        line.expect("a counter").to_owned()
    }

    /// What somebody may put into the bucket who has no key of the log.
    fn forgeries(&self) -> Vec<Vec<u8>> {
        let identity = &self.world.identity;
        let value = |log_id| GuardValue {
            log_id,
            size: TreeSize::new(1_000_000),
            root: Hash::of(&[b"forged"]),
            run_id: "0".repeat(32),
        };
        let forger = GuardKey::new(&identity.origin, identity.log_id, &[77; 32]).unwrap();
        let other_log = LogId::new(Hash::ZERO);
        let foreign = GuardKey::new(&identity.origin, other_log, &[77; 32]).unwrap();
        vec![
            b"garbage".to_vec(),
            Vec::new(),
            serde_json::to_vec(&value(identity.log_id)).unwrap(),
            forger.sign(&value(identity.log_id)).unwrap(),
            foreign.sign(&value(other_log)).unwrap(),
        ]
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_running_ledger_writes_anew_what_was_overwritten_or_deleted() {
    let mut scene = Scene::new().await;
    let mut alarms = 0;
    for forged in scene.forgeries() {
        scene.bucket().await.put("head", forged.into()).await.unwrap();
        alarms += 1;
        scene.publishes().await;
        assert_eq!(scene.alarms().await, alarms.to_string());
    }
    scene.bucket().await.delete("head").await.unwrap();
    scene.publishes().await;
    let stream = format!("KV_{}", scene.names().guard_bucket());
    scene
        .world
        .own
        .bus
        .jetstream()
        .delete_stream(&stream)
        .await
        .unwrap();
    scene.publishes().await;
    assert_eq!(scene.alarms().await, (alarms + 2).to_string());
    // And its next start finds nothing to ask its operator.
    scene.ledger.stop().await;
    scene.ledger = scene.world.start().await;
    scene.publishes().await;
    scene.ledger.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ledger_that_starts_halts_before_a_forged_guard_until_it_is_reseeded() {
    let mut scene = Scene::new().await;
    for forged in scene.forgeries() {
        let bucket = scene.bucket().await;
        scene.ledger.stop().await;
        bucket.put("head", forged.into()).await.unwrap();
        let why = scene.world.refusal().await;
        assert!(why.contains("lotproof ledger reseed"), "{why}");
        Folder::new(&scene.world.folder)
            .order_reseed("somebody wrote to the guard")
            .unwrap();
        scene.ledger = scene.world.start().await;
        scene.publishes().await;
    }
    scene.ledger.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn deleted_streams_end_a_run_and_not_the_log() {
    let mut scene = Scene::new().await;
    let names = scene.names();
    for stream in [names.events_stream(), names.ledger_stream()] {
        scene
            .world
            .own
            .bus
            .jetstream()
            .delete_stream(&stream)
            .await
            .unwrap();
    }
    let Running { task, .. } = scene.ledger;
    let ended = soon("the ledger to end", task).await.unwrap();
    let why = format!("{:#}", ended.expect_err("it cannot go on"));
    assert!(
        why.contains("the bus lost its streams: start the ledger again"),
        "{why}"
    );
    scene.ledger = scene.world.start().await;
    scene.publishes().await;
    scene.ledger.stop().await;
}
