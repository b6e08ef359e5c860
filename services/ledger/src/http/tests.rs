//! The read side on a real socket, in front of a ledger without a bus.

use std::{net::SocketAddr, num::NonZeroUsize, time::Duration};

use lotproof::shell::http::{HttpOptions, Listening, Serving};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpSocket, TcpStream},
    sync::watch,
};

use super::*;
use crate::tests::World;

/// A read side that is served.
struct Served {
    side: Arc<ReadSide>,
    address: SocketAddr,
    _serving: Serving,
    _stop: watch::Sender<bool>,
}

/// Serves on a socket that the system buffers little for.
fn serve(limits: ReadLimits, write_time_max: Duration) -> Served {
    let side = Arc::new(ReadSide::new(Opening::default(), Metrics::new().unwrap(), limits));
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_send_buffer_size(8 << 10).unwrap();
    socket.bind(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
    let listener: TcpListener = socket.listen(64).unwrap();
    let options = HttpOptions {
        write_time_max,
        ..HttpOptions::default()
    };
    let listening = Listening::on(listener, options).unwrap();
    let address = listening.address();
    let (stop, stopped) = watch::channel(false);
    let serving = listening.serve(router(side.clone()), side.metrics.http().clone(), stopped);
    Served {
        side,
        address,
        _serving: serving,
        _stop: stop,
    }
}

impl Served {
    /// Asks for a path, and reads nothing of the answer.
    async fn ask(&self, path: &str) -> TcpStream {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(8 << 10).unwrap();
        let mut connection = socket.connect(self.address).await.unwrap();
        let request = format!(
            "GET {path} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n\r\n",
            self.address
        );
        connection.write_all(request.as_bytes()).await.unwrap();
        connection
    }

    /// Asks, and reads the whole answer, head and body.
    async fn get(&self, path: &str) -> String {
        let mut answer = Vec::new();
        let mut connection = self.ask(path).await;
        connection.read_to_end(&mut answer).await.unwrap();
        String::from_utf8_lossy(&answer).into_owned()
    }

    /// Waits until the metrics have this line.
    async fn wait_for(&self, line: &str) {
        let found = tokio::time::timeout(Duration::from_secs(20), async {
            while !self.side.metrics.render().lines().any(|found| found == line) {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        });
        assert!(
            found.await.is_ok(),
            "no `{line}` in {}",
            self.side.metrics.render()
        );
    }
}

const PATIENT: Duration = Duration::from_mins(5);

fn limits(streams: usize) -> ReadLimits {
    ReadLimits {
        streams: NonZeroUsize::new(streams).unwrap(),
        ..ReadLimits::default()
    }
}

/// A log of more bytes than the buffers on the way to a reader hold.
fn long_log() -> World {
    let mut world = World::new();
    world.enrol(&[1]);
    world.say(1, 5_000);
    world.promise();
    world
}

const TAKEN: &str = "lotproof_ledger_read_places{kind=\"entries\"} 1";
const FREE: &str = "lotproof_ledger_read_places{kind=\"entries\"} 0";

#[tokio::test]
async fn while_the_log_is_opened_health_answers_and_the_rest_says_how_far_it_is() {
    let served = serve(ReadLimits::default(), PATIENT);
    assert!(served.get("/healthz").await.starts_with("HTTP/1.1 200"));
    served.side.opening.found(10);
    served.side.opening.folded(4);
    for path in ["/readyz", "/checkpoint", "/tile/0/000", "/v1/entries?start=0"] {
        let answer = served.get(path).await;
        assert!(answer.starts_with("HTTP/1.1 503"), "{path}: {answer}");
        assert!(
            answer.contains("opening the log: 4 of 10 entries"),
            "{path}: {answer}"
        );
    }
    let mut world = World::new();
    world.promise();
    served.side.opened(world.shared.clone());
    assert!(served.get("/checkpoint").await.starts_with("HTTP/1.1 200"));
    assert!(served.get("/readyz").await.contains("starting"));
}

#[tokio::test]
async fn whoever_finds_every_stream_taken_is_told_to_come_again() {
    let served = serve(limits(1), PATIENT);
    let world = long_log();
    served.side.opened(world.shared.clone());
    let mut first = served.ask("/v1/entries?start=0").await;
    served.wait_for(TAKEN).await;
    let answer = served.get("/v1/entries?start=0").await;
    assert!(answer.starts_with("HTTP/1.1 503"), "{answer}");
    assert!(answer.to_lowercase().contains("retry-after: 1"), "{answer}");
    assert!(answer.contains(r#""code":"busy","detail":"all 1 streams of entries are taken"#));
    served
        .wait_for("lotproof_ledger_reads_turned_away_total{kind=\"entries\"} 1")
        .await;
    // What is not a stream is not held up.
    assert!(served.get("/tile/0/000").await.starts_with("HTTP/1.1 200"));

    let mut all = Vec::new();
    first.read_to_end(&mut all).await.unwrap();
    let entries = world.entries().iter().map(|entry| entry.len() + 2).sum::<usize>();
    assert!(all.len() > entries, "the whole log came");
    served.wait_for(FREE).await;
    let again = served.get("/v1/entries?start=5000").await;
    assert!(again.starts_with("HTTP/1.1 200"), "{again}");
}

#[tokio::test]
async fn a_reader_that_takes_nothing_loses_its_place() {
    let served = serve(limits(1), Duration::from_millis(300));
    let world = long_log();
    served.side.opened(world.shared.clone());
    let mut slow = served.ask("/v1/entries?start=0").await;
    served.wait_for(TAKEN).await;
    served.wait_for(FREE).await;
    let entries = world.entries().iter().map(|entry| entry.len() + 2).sum::<usize>();
    let mut taken = Vec::new();
    // Reset, or ended early: either way it is cut short.
    let _ = slow.read_to_end(&mut taken).await;
    assert!(taken.len() < entries, "{} of {entries}", taken.len());
    assert!(
        served
            .get("/v1/entries?start=5000")
            .await
            .starts_with("HTTP/1.1 200")
    );
}
