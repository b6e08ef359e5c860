//! Services that are started before their bus, or told to stop without one.

use lotproof::gateway::Service;
use lotproof_ledger::{Config, Folder, run};
use tokio::{
    sync::{oneshot, watch},
    task::JoinHandle,
};

use super::{
    watch::{Digests, ready},
    world::{Chain, lot_event, maker},
};
use crate::{
    compliance,
    fixture::{own_address, soon, until},
    ledger::World,
};

#[tokio::test(flavor = "multi_thread")]
async fn ledger_and_projector_wait_for_their_bus_and_say_so() {
    let mut chain = Chain::with_makers(1).await;
    chain.kill_ledger();
    chain.own.server.kill().await;
    chain.begin_ledger(None);
    let mut projector = chain.spawn_projector();
    let waiting = format!("waiting for the bus at {}", chain.own.server.url());
    for address in [chain.http, chain.projector_http] {
        until("the word that the bus is waited for", async || {
            ready(address).await.as_ref() == Some(&waiting)
        })
        .await;
    }
    assert!(chain.ledger().has_ended().is_none() && projector.has_ended().is_none());
    assert_eq!(chain.ledger().line("listening "), None);

    chain.own.server.restart().await.expect("the server again");
    chain.ledger().wait_for("listening ").await;
    projector.wait_for("listening ").await;
    let publisher = chain.publisher(&maker(1), &[1]).await;
    let ticket = soon("room", publisher.submit(&[lot_event(1, 0)]))
        .await
        .expect("taken");
    soon("the receipt", publisher.wait_receipted(ticket))
        .await
        .expect("settled");
    let checked = chain.check().await;
    assert_eq!(checked.events, 1 + 3);
    let offline = Digests::of(&checked.log.projector);
    let address = chain.projector_http.to_string();
    until("the projector", async || {
        Digests::asked(&address).await.as_ref() == Some(&offline)
    })
    .await;
    assert_eq!(ready(chain.projector_http).await.as_deref(), Some("ready\n"));
    assert_eq!(ready(chain.http).await.as_deref(), Some("ready\n"));
}

/// Stops a service, which must be a clean end.
async fn ends(stop: &watch::Sender<bool>, running: JoinHandle<anyhow::Result<()>>) {
    stop.send_replace(true);
    let ended = soon("a service to stop", running).await.expect("no panic");
    ended.expect("a clean end");
}

#[tokio::test(flavor = "multi_thread")]
async fn services_stop_when_told_to_although_there_is_no_bus() {
    let mut world = World::new().await;
    world.own.server.kill().await;
    let url = world.own.server.url();
    let mut config = Config::new(Folder::new(&world.folder), url.clone());
    config.http = own_address();
    let address = config.http;
    let (stop, shutdown) = watch::channel(false);
    let ledger = tokio::spawn(run(config, shutdown, oneshot::channel().0));
    until("the ledger's HTTP", async || ready(address).await.is_some()).await;
    ends(&stop, ledger).await;

    let mut config = lotproof_compliance::Config::new(
        url,
        "http://127.0.0.1:1".to_owned(),
        compliance::service::trust(&world),
        std::path::PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("policies"),
    );
    config.http = own_address();
    let address = config.http;
    let (stop, shutdown) = watch::channel(false);
    let projector = tokio::spawn(lotproof_compliance::run(config, shutdown, oneshot::channel().0));
    until("the projector's HTTP", async || ready(address).await.is_some()).await;
    ends(&stop, projector).await;

    let config = crate::gateway::client::config(&world, Service::Manufacturing);
    let (stop, shutdown) = watch::channel(false);
    let gateway = lotproof_manufacturing::run(config, shutdown, oneshot::channel().0);
    ends(&stop, tokio::spawn(async { Ok(gateway.await?) })).await;

    // With the bus there at first, and gone when it is told to stop; and then all is as it was left.
    world.own.server.restart().await.expect("the server again");
    let running = world.start().await;
    world.own.server.kill().await;
    running.stop().await;
    world.own.server.restart().await.expect("the server again");
    world.start().await.stop().await;
}
