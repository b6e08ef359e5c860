//! The server on real sockets: who gets a place, who loses it, and what is never cut.

use std::num::NonZeroUsize;

use axum::routing::{get, post};
use prometheus::Registry;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    sync::Notify,
};

use super::*;

const DEADLINE: Duration = Duration::from_secs(20);

/// A server whose `/held` answers once it is told to.
struct World {
    address: SocketAddr,
    metrics: Registry,
    held: Arc<Notify>,
    go: Arc<Notify>,
    stop: watch::Sender<bool>,
    serving: Serving,
}

impl World {
    async fn start(change: impl FnOnce(&mut HttpOptions)) -> Self {
        let (held, go) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let (tell, wait) = (held.clone(), go.clone());
        let hold = get(move || async move {
            tell.notify_one();
            wait.notified().await;
            "held"
        });
        let router = Router::new()
            .route("/", get(|| async { "here" }))
            .route("/held", hold)
            .route("/taken", post(|body: String| async move { body }))
            .route("/tile/0", get(|| async { "tile" }));
        let mut options = HttpOptions::default();
        options.rules.public = &["/tile/"];
        change(&mut options);
        let registry = Registry::new();
        let metrics = HttpMetrics::register(&registry).unwrap();
        let (stop, stopped) = watch::channel(false);
        let listening = Listening::bind(SocketAddr::from(([127, 0, 0, 1], 0)), options)
            .await
            .unwrap();
        let address = listening.address();
        Self {
            address,
            metrics: registry,
            held,
            go,
            stop,
            serving: listening.serve(router, metrics, stopped),
        }
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    async fn send(&self, text: &str) -> TcpStream {
        let mut connection = self.connect().await;
        let text = text.replace("HERE", &self.address.to_string());
        connection.write_all(text.as_bytes()).await.unwrap();
        connection
    }

    async fn ask(&self, text: &str) -> String {
        read(self.send(text).await).await
    }

    fn turned_away(&self, reason: &str) -> u64 {
        let families = self.metrics.gather();
        let found = families
            .iter()
            .filter(|family| family.name() == "lotproof_http_turned_away_total")
            .flat_map(prometheus::proto::MetricFamily::get_metric)
            .find(|metric| metric.get_label()[0].value() == reason);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a small count"
        )]
        found.map_or(0, |metric| metric.get_counter().get_value() as u64)
    }
}

/// What comes until the connection ends, by a reset too.
async fn read(mut connection: TcpStream) -> String {
    let mut answer = Vec::new();
    let ended = timeout(DEADLINE, connection.read_to_end(&mut answer)).await;
    let _ = ended.expect("the connection ends");
    String::from_utf8(answer).unwrap()
}

const GET: &str = "GET / HTTP/1.1\r\nHost: HERE\r\nConnection: close\r\n\r\n";
const HELD: &str = "GET /held HTTP/1.1\r\nHost: HERE\r\nConnection: close\r\n\r\n";

#[tokio::test]
async fn whoever_waits_longest_gives_up_his_place_and_no_request_is_cut() {
    let world = World::start(|options| options.connections_max = 8).await;
    let held = world.send(HELD).await;
    world.held.notified().await;
    let mut idle = Vec::new();
    for number in 0..40 {
        // Half of them have sent a part of a head.
        let begun = if number % 2 == 0 { "" } else { "GET / HT" };
        idle.push(world.send(begun).await);
        assert!(world.ask(GET).await.ends_with("here"));
    }
    assert!(world.turned_away("displaced") >= 30);
    world.go.notify_one();
    assert!(read(held).await.ends_with("held"), "in hand all the time");
}

#[tokio::test]
async fn when_all_are_being_answered_the_next_is_told_to_come_again() {
    let world = World::start(|options| options.connections_max = 2).await;
    let mut held = Vec::new();
    for _ in 0..2 {
        held.push(world.send(HELD).await);
        world.held.notified().await;
    }
    let answer = read(world.connect().await).await;
    let (head, body) = answer.split_once("\r\n\r\n").expect("an answer");
    assert!(
        head.starts_with("HTTP/1.1 503") && head.contains("retry-after: 1"),
        "{head}"
    );
    assert!(
        head.contains(&format!("content-length: {}", body.len())),
        "{answer}"
    );
    let problem: serde_json::Value = serde_json::from_str(body).unwrap();
    assert_eq!(problem["code"], "too_many_connections");
    for connection in held {
        world.go.notify_one();
        assert!(read(connection).await.ends_with("held"));
    }
    assert!(world.ask(GET).await.ends_with("here"));
}

#[tokio::test]
async fn one_peer_takes_his_own_places_alone() {
    let world = World::start(|options| options.connections_per_peer_max = 2).await;
    let mut first = world.send("").await;
    let _others = (world.send("").await, world.send("").await);
    let mut nothing = [0; 1];
    let closed = timeout(DEADLINE, first.read(&mut nothing)).await.expect("closed");
    assert!(!matches!(closed, Ok(1..)));
    assert_eq!(world.turned_away("displaced"), 1);
}

#[tokio::test]
async fn silence_and_half_a_head_end() {
    let world = World::start(|options| {
        options.idle_time_max = Duration::from_millis(150);
        options.head_time_max = Duration::from_millis(100);
    })
    .await;
    assert_eq!(read(world.connect().await).await, "");
    assert_eq!(
        read(world.send("GET / HTTP/1.1\r\nHost: HERE\r\n").await).await,
        ""
    );
    // An answer kept waiting is not silence of the caller.
    let held = world.send(HELD).await;
    world.held.notified().await;
    sleep(Duration::from_millis(400)).await;
    world.go.notify_one();
    assert!(read(held).await.ends_with("held"));
    assert_eq!(
        (world.turned_away("idle"), world.turned_away("slow_head")),
        (1, 1)
    );
}

#[tokio::test]
async fn a_stop_finishes_what_is_in_hand_and_closes_the_rest() {
    let world = World::start(|_| ()).await;
    let idle = world.send("GET / HT").await;
    let held = world.send("GET /held HTTP/1.1\r\nHost: HERE\r\n\r\n").await;
    world.held.notified().await;
    world.stop.send_replace(true);
    assert_eq!(read(idle).await, "");
    assert!(!world.serving.0.is_finished());
    world.go.notify_one();
    assert!(read(held).await.ends_with("held"));
    world.serving.stopped_within(DEADLINE).await;
    assert!(TcpStream::connect(world.address).await.is_err());
}

#[tokio::test]
async fn a_page_from_elsewhere_reads_what_is_public_and_nothing_else() {
    let world = World::start(|_| ()).await;
    let page = "Origin: https://evil.example\r\nSec-Fetch-Site: cross-site\r\nConnection: close\r\n\r\n";
    let refused = world
        .ask(&format!("GET / HTTP/1.1\r\nHost: HERE\r\n{page}"))
        .await;
    assert!(
        refused.starts_with("HTTP/1.1 403") && refused.contains("origin_refused"),
        "{refused}"
    );
    assert!(!refused.to_lowercase().contains("access-control"), "{refused}");
    let tile = world
        .ask(&format!("GET /tile/0 HTTP/1.1\r\nHost: HERE\r\n{page}"))
        .await;
    assert!(
        tile.contains("access-control-allow-origin: *") && tile.ends_with("tile"),
        "{tile}"
    );
    let rebound = world
        .ask(&format!("GET /tile/0 HTTP/1.1\r\nHost: evil.example\r\n{page}"))
        .await;
    assert!(
        rebound.starts_with("HTTP/1.1 421") && rebound.contains("host_refused"),
        "{rebound}"
    );
    assert!(
        rebound.contains("content-type: application/problem+json"),
        "{rebound}"
    );
    let form = "Content-Type: text/plain\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}";
    let form = world
        .ask(&format!("POST /taken HTTP/1.1\r\nHost: HERE\r\n{form}"))
        .await;
    assert!(form.starts_with("HTTP/1.1 415"), "{form}");
    assert_eq!(world.turned_away("origin_refused"), 1);
}

#[tokio::test]
async fn head_and_options_are_answered() {
    let world = World::start(|_| ()).await;
    let head = world.ask(&GET.replace("GET", "HEAD")).await;
    assert!(
        head.contains("content-length: 4") && head.ends_with("\r\n\r\n"),
        "{head}"
    );
    let options = world.ask(&GET.replace("GET", "OPTIONS")).await;
    assert!(
        options.starts_with("HTTP/1.1 204") && options.contains("allow: GET,HEAD"),
        "{options}"
    );
}

#[tokio::test]
async fn elsewhere_than_on_loopback_is_listened_on_only_if_told_so() {
    let anywhere = SocketAddr::from(([0, 0, 0, 0], 0));
    let refused = Listening::bind(anywhere, HttpOptions::default())
        .await
        .unwrap_err();
    assert!(
        refused.to_string().contains("--listen-without-authentication"),
        "{refused}"
    );
    for loopback in ["127.0.0.1:0", "127.8.9.10:0"] {
        assert!(
            Listening::bind(loopback.parse().unwrap(), HttpOptions::default())
                .await
                .is_ok()
        );
    }
}

#[test]
fn the_addresses_of_one_host_are_one_peer() {
    let peer = |text: &str| peer_of(text.parse().unwrap());
    assert_eq!(peer("[2001:db8::1]:1"), peer("[2001:db8::2]:2"));
    assert_ne!(peer("[2001:db8:0:1::1]:1"), peer("[2001:db8::1]:1"));
    assert_eq!(peer("[::ffff:10.0.0.1]:1"), peer("10.0.0.1:2"));
    assert_ne!(peer("10.0.0.1:1"), peer("10.0.0.2:1"));
    assert!(NonZeroUsize::new(HttpOptions::default().connections_per_peer_max).is_some());
}
