//! Killed between accept and receipt, a gateway comes back and each event is in the log exactly once.

use std::{
    io::{BufRead as _, BufReader},
    process::{Child, Command, Stdio},
};

use super::*;
use lotproof::shell::{gateway::run, process::until_stopped};

/// Tells the re-executed test binary which gateway to run.
const CHILD: &str = "LOTPROOF_TEST_GATEWAY_CHILD";

/// The child's side: runs a gateway until it is killed.
#[test]
fn child_gateway() {
    let Ok(order) = std::env::var(CHILD) else { return };
    let order: Value = serde_json::from_str(&order).unwrap();
    let text = |name: &str| order[name].as_str().unwrap().to_owned();
    let trust = lotproof::trust::TrustFile::parse(text("trust").as_bytes()).unwrap();
    let (service, keys) = (Service::Manufacturing, vec![key(1)]);
    let mut config =
        lotproof::shell::gateway::Config::new(service, text("nats_url"), &trust, MAKER, keys, text("folder"))
            .unwrap();
    config.watch = order["watch"].as_str().map(Into::into);
    config.publisher.outbox.wait_ms = 200;
    config.publisher.outbox.wait_ms_max = 1_000;
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let running = until_stopped(|shutdown, listening| run(config, shutdown, listening));
    runtime.block_on(running).unwrap().unwrap();
}

/// A gateway as a process of its own.
pub(super) struct Process {
    child: Child,
    pub(super) address: std::net::SocketAddr,
}

impl Process {
    pub(super) async fn start(world: &World, watch: Option<&std::path::Path>) -> Self {
        let identity = &world.identity;
        let verifier = identity.log_key.parse().unwrap();
        let trust = lotproof::trust::TrustFile::new(identity.origin.clone(), identity.log_id, vec![verifier])
            .unwrap();
        let order = json!({
            "trust": trust.to_json(),
            "nats_url": world.own.server.url(),
            "folder": world.own.folder.path().join("gateway"),
            "watch": watch,
        });
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "gateway::crash::child_gateway", "--nocapture"])
            .env(CHILD, order.to_string())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("the test binary runs again");
        let output = child.stdout.take().unwrap();
        let listening = tokio::task::spawn_blocking(move || {
            let mut lines = BufReader::new(output).lines().map_while(Result::ok);
            lines.find_map(|line| {
                line.split_once("listening on http://")
                    .map(|(_, address)| address.parse().unwrap())
            })
        });
        let address = soon("the child to listen", listening)
            .await
            .unwrap()
            .expect("it listens");
        Self { child, address }
    }

    /// SIGKILL.
    pub(super) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_between_accept_and_receipt_each_event_is_in_the_log_once() {
    let world = World::new().await;
    let ledger = world.start().await;
    world.enrol().await;
    let mut ids = Vec::new();
    for round in 0..3 {
        let process = Process::start(&world, None).await;
        // Posted from many clients; the kill falls among them.
        let mut posts = tokio::task::JoinSet::new();
        for number in 0..30 {
            let id = format!("R{round}-{number}");
            ids.push(id.clone());
            let address = process.address;
            posts.spawn(async move { try_post(address, commissioned(&id)).await });
        }
        let mut accepted = 0;
        while accepted < 10 {
            let answer = soon("an answer", posts.join_next()).await.unwrap().unwrap();
            accepted += usize::from(answer == Some(202));
        }
        process.kill();
        while posts.join_next().await.is_some() {}
    }
    // Whoever got no answer asks again, under the same ids.
    let gateway = Gateway::start(&world, Service::Manufacturing).await;
    for id in &ids {
        let (status, reply) = gateway.post("/v1/events", &commissioned(id)).await;
        assert!(status == 202 || status == 200, "{reply}");
    }
    for id in &ids {
        gateway.proven(id).await;
    }
    let admitted = admitted(&ledger, &world).await;
    assert_eq!(admitted.len(), ids.len());
    assert!(admitted.values().all(|count| *count == 1), "{admitted:?}");
    gateway.stop().await;
    ledger.stop().await;
}

/// Posts to a gateway that may be dying.
async fn try_post(address: std::net::SocketAddr, body: Value) -> Option<u16> {
    let url = format!("http://{address}/v1/events");
    let post = tokio::task::spawn_blocking(move || {
        let config = ureq::Agent::config_builder().http_status_as_error(false).build();
        let answer = ureq::Agent::new_with_config(config)
            .post(&url)
            .content_type("application/json")
            .send(body.to_string());
        answer.ok().map(|answer| answer.status().as_u16())
    });
    post.await.unwrap()
}
