//! The guard loses its newest writes, as JetStream does in a power cut, while everything else is kept.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use lotproof::{
    port::GuardValue,
    shell::{nats::NatsGuard, publisher::Publisher},
};

use lotproof_ledger::Folder;

use super::world::{Chain, lot_event, maker};
use crate::fixture::{DEADLINE, connect, soon};

/// A chain with a publisher, whose guard can be set back.
struct Scene {
    chain: Chain,
    publisher: Publisher,
    published: usize,
}

impl Scene {
    async fn prepare() -> Self {
        let mut chain = Chain::with_makers(1).await;
        let publisher = chain.publisher(&maker(1), &[1]).await;
        let mut scene = Self {
            chain,
            publisher,
            published: 0,
        };
        scene.publish(3).await;
        scene
    }

    async fn offer(&mut self) {
        let lot = lot_event(1, self.published);
        soon("room", self.publisher.submit(&[lot])).await.expect("taken");
        self.published += 1;
    }

    async fn receipted(&self) {
        let drained = soon("receipts", self.publisher.drain(DEADLINE)).await;
        let status = drained.expect("running");
        assert_eq!((status.queued, status.unreceipted), (0, 0), "{status:?}");
    }

    /// Publishes lots, each in a commit of its own.
    async fn publish(&mut self, count: usize) {
        for _ in 0..count {
            self.offer().await;
            self.receipted().await;
        }
    }

    /// Where JetStream keeps the guard.
    fn storage(&self) -> PathBuf {
        // Its store's folder, and in there one of its own, by account.
        let streams = self
            .chain
            .own
            .server
            .folder()
            .join("jetstream/jetstream/$G/streams");
        streams.join(format!("KV_{}", self.chain.names().guard_bucket()))
    }

    /// Does something to the guard's files, with the server killed meanwhile.
    async fn change(&mut self, change: impl FnOnce(&Path)) {
        self.chain.own.server.kill().await;
        change(&self.storage());
        self.chain.own.server.restart().await.expect("the server again");
    }

    /// Copies the guard as it is.
    async fn copy(&mut self) -> PathBuf {
        let copy = self.chain.root().join("guard");
        self.change(|storage| copy_folder(storage, &copy)).await;
        copy
    }

    /// Sets the guard back to a copy.
    async fn set_back(&mut self, copy: &Path) -> GuardValue {
        self.change(|storage| {
            fs::remove_dir_all(storage).expect("removed");
            copy_folder(copy, storage);
        })
        .await;
        self.held().await
    }

    async fn held(&self) -> GuardValue {
        let folder = Folder::new(&self.chain.folder);
        let key = folder.guard_key(&folder.identity().unwrap()).unwrap();
        let bus = connect(&self.chain.own.server).await;
        let guard = NatsGuard::new(bus, self.chain.names(), 1, Arc::new(key));
        let held = soon("the guard", guard.load()).await.expect("readable");
        held.expect("a value").0
    }

    /// Checks everything. Returns how many entries there are.
    async fn end(mut self) -> u64 {
        let checked = self.chain.check().await;
        assert_eq!(checked.events, self.published + 3, "acts and lots");
        let size = checked.log.head().size;
        assert_eq!(self.held().await.size, size, "the guard is as new as the log");
        size.get()
    }
}

fn copy_folder(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("created");
    for item in fs::read_dir(from).expect("readable") {
        let item = item.expect("readable");
        let target = to.join(item.file_name());
        if item.file_type().expect("known").is_dir() {
            copy_folder(&item.path(), &target);
        } else {
            fs::copy(item.path(), target).expect("copied");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guard_that_went_back_to_an_earlier_value_of_the_run_is_gone_on_from() {
    let mut scene = Scene::prepare().await;
    let copy = scene.copy().await;
    scene.publish(5).await;
    let newest = scene.held().await;
    let held = scene.set_back(&copy).await;
    assert_eq!(held.run_id, newest.run_id);
    assert!(held.size.get() + 5 <= newest.size.get(), "{held:?}, {newest:?}");
    scene.publish(2).await;
    assert!(scene.chain.ledger().has_ended().is_none());
    assert_eq!(scene.held().await.run_id, newest.run_id, "the same run went on");
    scene.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guard_that_went_back_beyond_the_run_halts_it_with_the_true_reason_and_the_next_goes_on() {
    let mut scene = Scene::prepare().await;
    let copy = scene.copy().await;
    let before = scene.held().await;
    scene.chain.kill_ledger();
    scene.chain.start_ledger().await;
    scene.publish(2).await;
    assert_eq!(scene.set_back(&copy).await, before);
    scene.offer().await;
    scene.chain.ledger().end("the ledger to halt").await;
    let why = scene.chain.ledger().complaint();
    assert!(why.contains("the guard went back to size"), "{why}");
    assert!(why.contains("the bus lost what this run wrote"), "{why}");
    assert!(!why.contains("another ledger is running"), "{why}");
    scene.chain.start_ledger().await;
    scene.receipted().await;
    scene.end().await;
}
