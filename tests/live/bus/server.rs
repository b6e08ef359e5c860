//! A private server keeps its port and its data, has its folder to itself, and never outlives us.

use std::{
    io::{BufRead as _, BufReader},
    process::{Command, Stdio},
    time::Duration,
};

use lotproof::shell::nats::{PrivateServer, ServerError, ServerOptions};

use crate::fixture::{OwnBus, connect, feed, until};

/// Set for the test binary that is to be killed: the folder of its server.
const VICTIM: &str = "LOTPROOF_TEST_VICTIM";

fn is_listening(url: &str) -> bool {
    std::net::TcpStream::connect(url.trim_start_matches("nats://")).is_ok()
}

#[tokio::test]
async fn stopped_server_keeps_port_and_streams() {
    let mut own = OwnBus::with_streams(lotproof::shell::nats::EventsLimits::default()).await;
    own.publish(&feed(1), b"a").await;
    let url = own.server.url();
    own.server.stop().await;
    assert!(!is_listening(&url));
    assert_eq!(own.server.process_id(), None);
    own.server.restart().await.unwrap();
    assert_eq!(own.server.url(), url);
    let bus = connect(&own.server).await;
    let stream = bus
        .jetstream()
        .get_stream(own.names.events_stream())
        .await
        .unwrap();
    assert_eq!(stream.cached_info().state.messages, 1);
}

#[tokio::test]
async fn dropped_server_is_gone() {
    let own = OwnBus::bare().await;
    let url = own.server.url();
    assert!(is_listening(&url));
    drop(own);
    assert!(!is_listening(&url));
}

#[tokio::test]
async fn folder_in_use_is_refused() {
    let own = OwnBus::bare().await;
    let mut options = ServerOptions::new(own.server.folder());
    options.ready_within = Duration::from_millis(100);
    let error = PrivateServer::start(options).await.unwrap_err();
    assert!(matches!(error, ServerError::InUse(_)), "{error}");
    assert!(is_listening(&own.server.url()));
}

#[tokio::test]
async fn supervised_server_comes_back_by_itself() {
    let OwnBus {
        bus,
        mut server,
        folder,
        ..
    } = OwnBus::bare().await;
    let id = server.process_id().unwrap().to_string();
    let supervising = tokio::spawn(async move { server.supervise().await });
    assert!(Command::new("kill").args(["-9", &id]).status().unwrap().success());
    until("our client to be connected a second time", async || {
        bus.connections() == 2
    })
    .await;
    assert!(!supervising.is_finished());
    supervising.abort();
    drop(folder);
}

#[tokio::test]
async fn server_that_cannot_start_says_why() {
    let folder = tempfile::tempdir().unwrap();
    let taken = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let mut options = ServerOptions::new(folder.path());
    options.port = Some(taken.local_addr().unwrap().port());
    let error = PrivateServer::start(options).await.unwrap_err();
    let text = error.to_string();
    assert!(
        matches!(error, ServerError::Ended { .. } | ServerError::NotReady { .. }),
        "{text}"
    );
    assert!(text.contains("address already in use"), "{text}");
}

#[tokio::test]
async fn executable_that_is_none_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let mut options = ServerOptions::new(folder.path());
    options.executable = Some(folder.path().join("missing"));
    let error = PrivateServer::start(options).await.unwrap_err();
    assert!(matches!(error, ServerError::Io { .. }), "{error}");
}

/// Not a promise by itself: what [`server_dies_with_a_killed_parent`] starts in a process of its own.
#[tokio::test]
async fn victim() {
    let Some(folder) = std::env::var_os(VICTIM) else {
        return;
    };
    let server = PrivateServer::start(ServerOptions::new(folder)).await.unwrap();
    eprintln!("victim {}", server.url());
    std::future::pending::<()>().await;
}

#[tokio::test]
async fn server_dies_with_a_killed_parent() {
    let folder = tempfile::tempdir().unwrap();
    let mut parent = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "bus::server::victim", "--nocapture"])
        .env(VICTIM, folder.path())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let said = BufReader::new(parent.stderr.take().unwrap());
    let url = said
        .lines()
        .map_while(Result::ok)
        .find_map(|line| line.strip_prefix("victim ").map(str::to_owned));
    let url = url.expect("the victim's server");
    assert!(is_listening(&url));
    parent.kill().unwrap();
    parent.wait().unwrap();
    until("the server to go", async || !is_listening(&url)).await;
    // Its folder is free again as well.
    PrivateServer::start(ServerOptions::new(folder.path()))
        .await
        .unwrap();
}
