//! The doors of the three services: what a web page cannot do, and what thousands of connections do not end.

use std::{net::SocketAddr, time::Duration};

use lotproof::{gateway::Service, shell::http::raise_limit};
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use crate::{
    compliance::service::Projecting,
    fixture::{soon, until},
    gateway::client::{self, Gateway, commissioned},
    ledger::{MAKER, World, commission},
};

fn address_of(url: &str) -> SocketAddr {
    url.strip_prefix("http://").unwrap().parse().unwrap()
}

/// Sends a request as it is written, `HERE` for the address, and reads the whole answer: status and text.
async fn raw(address: SocketAddr, request: &str) -> (u16, String) {
    let mut connection = TcpStream::connect(address).await.unwrap();
    let request = request.replace("HERE", &address.to_string());
    connection.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    // A reset after the answer is an end, too.
    let _ = soon("the answer", connection.read_to_end(&mut answer)).await;
    // A tile is no text, its head is.
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let status = answer.get(9..12).and_then(|status| status.parse().ok());
    (status.unwrap_or_default(), answer)
}

fn get(path: &str, lines: &str) -> String {
    format!("GET {path} HTTP/1.1\r\n{lines}Connection: close\r\n\r\n")
}

fn post(path: &str, lines: &str, body: &str) -> String {
    let len = body.len();
    format!("POST {path} HTTP/1.1\r\n{lines}Content-Length: {len}\r\nConnection: close\r\n\r\n{body}")
}

/// What every service answers to a page from elsewhere, whatever it asks for.
async fn turns_pages_away(address: SocketAddr, path: &str) {
    let own = raw(address, &get(path, "Host: HERE\r\nSec-Fetch-Site: none\r\n")).await;
    assert_ne!(own.0 / 100, 4, "{own:?}");
    assert!(!own.1.to_lowercase().contains("access-control"), "{}", own.1);
    for (lines, status, code) in [
        ("Host: evil.example\r\n", 421, "host_refused"),
        ("Host: localhost.evil.example\r\n", 421, "host_refused"),
        ("Host: 127.0.0.1\r\n", 421, "host_refused"),
        ("", 421, "host_refused"),
        ("Host: HERE\r\nHost: HERE\r\n", 421, "host_refused"),
        (
            "Host: HERE\r\nOrigin: http://evil.example\r\n",
            403,
            "origin_refused",
        ),
        ("Host: HERE\r\nOrigin: null\r\n", 403, "origin_refused"),
        (
            "Host: HERE\r\nOrigin: http://localhost:3000\r\n",
            403,
            "origin_refused",
        ),
        (
            "Host: HERE\r\nSec-Fetch-Site: cross-site\r\n",
            403,
            "origin_refused",
        ),
        (
            "Host: HERE\r\nSec-Fetch-Site: same-site\r\n",
            403,
            "origin_refused",
        ),
    ] {
        for method in ["GET", "HEAD", "OPTIONS", "POST", "DELETE"] {
            let request = get(path, lines).replacen("GET", method, 1);
            let (found, answer) = raw(address, &request).await;
            assert_eq!(found, status, "{request}\n{answer}");
            assert!(method == "HEAD" || answer.contains(code), "{request}\n{answer}");
            assert!(!answer.to_lowercase().contains("access-control"), "{answer}");
        }
    }
}

/// A page can send text, forms and files without being asked: none of these is taken.
async fn takes_json_alone(address: SocketAddr, path: &str, body: &str) {
    for media_type in [
        "",
        "Content-Type: text/plain\r\n",
        "Content-Type: application/x-www-form-urlencoded\r\n",
        "Content-Type: multipart/form-data; boundary=x\r\n",
    ] {
        let lines = format!("Host: HERE\r\n{media_type}");
        let (status, answer) = raw(address, &post(path, &lines, body)).await;
        assert_eq!(status, 415, "{answer}");
        assert!(answer.contains("unsupported_media_type"), "{answer}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_page_reads_publishes_or_rebinds_on_any_service() {
    let world = World::new().await;
    let ledger = world.start().await;
    world.enrol().await;
    let gateway = Gateway::start(&world, Service::Manufacturing).await;
    let projecting = Projecting::start(&world, &ledger.url).await;
    let (log, query) = (address_of(&ledger.url), address_of(&projecting.url));

    turns_pages_away(log, "/checkpoint").await;
    turns_pages_away(query, "/v1/packs").await;
    turns_pages_away(gateway.address(), "/v1/dead-letters").await;
    let event = commissioned("E1").to_string();
    takes_json_alone(gateway.address(), "/v1/events", &event).await;
    takes_json_alone(gateway.address(), "/v1/capture", "[]").await;
    takes_json_alone(query, "/v1/lots/urn:x:1/verdicts", "{}").await;
    let json = "Content-Type: application/json\r\n";
    let foreign = format!("Host: HERE\r\nOrigin: http://evil.example\r\n{json}");
    assert_eq!(
        raw(gateway.address(), &post("/v1/events", &foreign, &event))
            .await
            .0,
        403
    );
    assert_eq!(gateway.get("/v1/events/E1").await.0, 404, "nothing was signed");

    // The same by somebody who is no page, and by one of the service's own.
    let own = format!("Host: HERE\r\nOrigin: http://HERE\r\nSec-Fetch-Site: same-origin\r\n{json}");
    let (status, answer) = raw(gateway.address(), &post("/v1/events", &own, &event)).await;
    assert_eq!(status, 202, "{answer}");
    assert!(answer.contains("location: /v1/events/E1\r\n"), "{answer}");
    let linked = "Host: HERE\r\nContent-Type: application/ld+json\r\n";
    let document = client::document().to_string();
    assert_eq!(
        raw(gateway.address(), &post("/v1/capture", linked, &document))
            .await
            .0,
        202
    );
    assert_eq!(
        raw(gateway.address(), &post("/v1/events", linked, &event))
            .await
            .0,
        415
    );
    gateway.stop().await;
    projecting.stop().await;
    ledger.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_is_called_public_is_read_by_pages_and_nothing_else_is() {
    let world = World::new().await;
    let ledger = world.start_with(|config| config.is_public = true).await;
    let address = address_of(&ledger.url);
    let page = "Host: HERE\r\nOrigin: https://auditor.example\r\nSec-Fetch-Site: cross-site\r\n";
    for path in ["/checkpoint", "/tile/entries/000.p/1"] {
        let (status, answer) = raw(address, &get(path, page)).await;
        assert_eq!(status, 200, "{answer}");
        assert!(answer.contains("access-control-allow-origin: *"), "{answer}");
    }
    for path in ["/metrics", "/readyz", "/v1/entries?start=0"] {
        let (status, answer) = raw(address, &get(path, page)).await;
        assert_eq!(status, 403, "{path}: {answer}");
    }
    let rebound = raw(address, &get("/checkpoint", "Host: evil.example\r\n")).await;
    assert_eq!(rebound.0, 421);
    ledger.stop().await;
}

/// Connections that say nothing, or half of a head, as long as they are kept.
async fn crowd(address: SocketAddr, idle: usize, half_sent: usize) -> Vec<TcpStream> {
    let mut connections = Vec::with_capacity(idle + half_sent);
    for number in 0..idle + half_sent {
        let connecting = async {
            // The system's own queue may be full for a moment.
            loop {
                match TcpStream::connect(address).await {
                    Ok(connection) => return connection,
                    Err(_) => tokio::time::sleep(Duration::from_millis(5)).await,
                }
            }
        };
        let mut connection = soon("a connection", connecting).await;
        // Spread among the others.
        if number % ((idle + half_sent) / half_sent) == 0 {
            let half = "POST /v1/events HTTP/1.1\r\nHost: localhost\r\nContent-Le";
            // It may have been displaced already.
            let _ = connection.write_all(half.as_bytes()).await;
        }
        connections.push(connection);
    }
    connections
}

/// Numbers of connections that this process can hold one end of, beside what the service holds.
fn crowd_size() -> (usize, usize) {
    let room = usize::try_from(raise_limit().min(1 << 20)).unwrap();
    let share = room.saturating_sub(2_500) / 7;
    ((share * 5).min(5_000), (share * 2).clamp(1, 2_000))
}

#[tokio::test(flavor = "multi_thread")]
async fn thousands_of_idle_and_half_sent_connections_end_nothing() {
    let (idle, half_sent) = crowd_size();
    let world = World::new().await;
    let ledger = world.start().await;
    world.enrol().await;
    let address = address_of(&ledger.url);
    let mut maker = world.publisher(MAKER, 1).await;
    let publishing = async {
        let mut last = None;
        for number in 0..200 {
            let events: Vec<_> = (0..10).map(|n| commission(&format!("E{number}-{n}"))).collect();
            last = Some(maker.publish(&events).await);
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let last = last.unwrap();
        maker.receipt(last).await;
        last
    };
    let (mut connections, last) = tokio::join!(crowd(address, idle, half_sent), publishing);
    assert_eq!(connections.len(), idle + half_sent);
    // Everything was receipted, and whoever asks is answered while the crowd stands there.
    assert_eq!(last.get(), 200);
    assert_eq!(ledger.log(&world.identity).await.len(), 202);
    let (_, metrics) = raw(address, &get("/metrics", "Host: HERE\r\n")).await;
    let open = metrics
        .lines()
        .find_map(|line| line.strip_prefix("lotproof_http_connections "))
        .and_then(|count| count.parse::<u64>().ok())
        .expect("a gauge");
    assert!(open <= 256, "one peer has so many at most: {open}");

    let gateway = Gateway::start(&world, Service::Manufacturing).await;
    let projecting = Projecting::start(&world, &ledger.url).await;
    connections.clear();
    for other in [gateway.address(), address_of(&projecting.url)] {
        let crowd = crowd(other, idle, half_sent).await;
        let (status, answer) = raw(other, &get("/healthz", "Host: HERE\r\n")).await;
        assert_eq!(status, 200, "{answer}");
        drop(crowd);
    }
    projecting.until_at(202).await;
    gateway.stop().await;
    projecting.stop().await;
    ledger.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_of_a_million_empty_values_are_refused_before_they_are_parsed() {
    let world = World::new().await;
    let ledger = world.start().await;
    world.enrol().await;
    let gateway = Gateway::start(&world, Service::Manufacturing).await;
    let projecting = Projecting::start(&world, &ledger.url).await;
    let empty = |value: &str, count: usize| format!("[{}{value}]", format!("{value},").repeat(count));
    for body in [
        empty("[]", 8 << 20),
        empty("{}", 8 << 20),
        empty("1", 8 << 20),
        empty("\"\"", 4 << 20),
        empty("{\"\":[]}", 2 << 20),
        "[".repeat(65),
        "{\"a\":".repeat(1 << 20),
    ] {
        for path in ["/v1/events", "/v1/capture"] {
            let (status, fault) = gateway.post_text(path, &body).await;
            assert_eq!(
                (status, &fault["code"]),
                (413, &Value::from("too_large")),
                "{fault}"
            );
        }
    }
    let context = format!("{{\"context\":{}}}", empty("[]", 12_000));
    let reply = projecting.post_text("/v1/lots/urn:x:1/verdicts", &context).await;
    assert_eq!(reply.problem().1, "request_too_large");
    // Room is there again for whoever asks for less.
    until("room", async || {
        gateway.post("/v1/events", &commissioned("E1")).await.0 / 100 == 2
    })
    .await;
    gateway.stop().await;
    projecting.stop().await;
    ledger.stop().await;
}
