//! A whole chain of one's own: bus, ledger, publishers, each a process that can be killed, and an ear on the
//! bus from the first moment.

use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};

use lotproof::{
    id::FeedId,
    log::{checkpoint::Origin, note::VerifierKey},
    shell::{
        nats::BusNames,
        publisher::{Publisher, PublisherConfig, Settled},
    },
    time::RecordedAt,
    trust::TrustFile,
    wire::v1::{self, event::Kind},
};
use lotproof_ledger::{Folder, Identity, InitOptions, default_parameters, init};
use tokio::{sync::watch, task::JoinHandle};

use super::{
    child::{LedgerOrder, Order, ProjectorOrder, PublisherOrder, outbox_config},
    ear::Ear,
    process::Process,
};
use crate::{
    fixture::{DEADLINE, OwnBus, connect, own_address, soon},
    ledger::{AUTHORITY, key, now},
};

/// Seeds of authority keys; makers' are their numbers.
pub(crate) const AUTHORITY_SEEDS: [u8; 3] = [201, 202, 203];
/// When everything in these tests happened: an event that is offered again is the same event.
const EVENT_TIME: i64 = 1_750_000_000_000_000_000;

/// How long until a flow lets each publisher offer one more lot.
const FLOW_STEP: Duration = Duration::from_millis(4);

/// Maker number `n`.
pub(crate) fn maker(n: u8) -> String {
    format!("https://maker-{n}.example/")
}

fn plant(n: u8) -> String {
    format!("https://maker-{n}.example/plant")
}

/// The lot that a maker's event of this number makes.
pub(crate) fn lot(n: u8, number: usize) -> String {
    format!("https://id.gs1.org/01/09521231100013/10/m{n}-{number}")
}

/// Hands maker 1's events of these numbers to its publisher.
pub(crate) async fn submit(publisher: &Publisher, numbers: std::ops::Range<usize>) {
    for number in numbers {
        soon("room", publisher.submit(&[lot_event(1, number)]))
            .await
            .expect("taken");
    }
}

/// Waits until everything that was handed over has its receipt.
pub(crate) async fn drained(publisher: &Publisher) {
    let status = soon("receipts", publisher.drain(DEADLINE))
        .await
        .expect("running");
    assert_eq!((status.queued, status.unreceipted), (0, 0), "{status:?}");
}

/// A maker's event of this number.
pub(crate) fn lot_event(n: u8, number: usize) -> v1::Event {
    event(
        &format!("m{n}-{number}"),
        Kind::Commissioned(v1::Commissioned {
            facility: plant(n),
            items: vec![v1::Item {
                lot: lot(n, number),
                ..Default::default()
            }],
            ..Default::default()
        }),
    )
}

pub(crate) fn event(id: &str, kind: Kind) -> v1::Event {
    v1::Event {
        id: id.into(),
        event_time: EVENT_TIME,
        kind: Some(kind),
        ..Default::default()
    }
}

/// The acts that enrol a maker, its key (of the same number) and its plant.
pub(crate) fn enrolment(n: u8) -> [v1::Event; 3] {
    [
        event(
            &format!("party-{n}"),
            Kind::PartyEnrolled(v1::PartyEnrolled {
                party: maker(n),
                legal_name: format!("Maker {n}"),
                ..Default::default()
            }),
        ),
        event(
            &format!("key-{n}"),
            Kind::KeyAuthorised(v1::KeyAuthorised {
                party: maker(n),
                key: key(n).feed().as_bytes().to_vec(),
                replaces: Vec::new(),
            }),
        ),
        event(
            &format!("plant-{n}"),
            Kind::FacilityRegistered(v1::FacilityRegistered {
                facility: plant(n),
                country: "KR".into(),
                operator: maker(n),
                ..Default::default()
            }),
        ),
    ]
}

/// Entries out of a stream of them; what is cut short at its end is left out.
pub(crate) fn split(mut rest: &[u8]) -> Vec<&[u8]> {
    let mut entries = Vec::new();
    while let Some((len, after)) = rest.split_first_chunk::<2>() {
        let Some((entry, after)) = after.split_at_checked(u16::from_be_bytes(*len).into()) else {
            break;
        };
        entries.push(entry);
        rest = after;
    }
    entries
}

/// A whole chain.
pub(crate) struct Chain {
    pub(crate) own: OwnBus,
    pub(crate) ear: Ear,
    pub(crate) identity: Identity,
    /// The ledger's data folder.
    pub(crate) folder: PathBuf,
    /// Every outbox in use, with the party that speaks.
    pub(crate) outboxes: Vec<(String, PathBuf)>,
    pub(crate) room: Option<(u64, u64)>,
    ledger: Option<Process>,
    /// Where the ledger listens, in every life.
    pub(crate) http: SocketAddr,
    /// Where its projector does, the only one at a time.
    pub(crate) projector_http: SocketAddr,
    /// How often a projector was started: each has its own names.
    projectors: u32,
}

impl Chain {
    /// A new ledger that one authority key governs.
    pub(crate) async fn found() -> Self {
        Self::found_with(&AUTHORITY_SEEDS[..1], 1).await
    }

    /// A new ledger under these authority keys, of which `threshold` make an act.
    pub(crate) async fn found_with(seeds: &[u8], threshold: u32) -> Self {
        let own = OwnBus::bare().await;
        let folder = own.folder.path().join("ledger");
        let mut authority_keys: Vec<FeedId> = seeds.iter().map(|seed| key(*seed).feed()).collect();
        authority_keys.sort();
        let options = InitOptions {
            origin: Origin::new("ledger.example/chain").unwrap(),
            purpose: v1::Purpose::Test,
            authority: AUTHORITY.into(),
            authority_keys,
            threshold,
            parameters: default_parameters(),
            follows: None,
            created_at: RecordedAt::from_nanos(now()),
        };
        let identity = init(&Folder::new(&folder), &options).expect("a new ledger");
        let ear = Ear::open(&own.server, BusNames::new(&identity.log_id)).await;
        Self {
            own,
            ear,
            identity,
            folder,
            outboxes: Vec::new(),
            room: None,
            ledger: None,
            http: own_address(),
            projector_http: own_address(),
            projectors: 0,
        }
    }

    /// A new ledger, running, with this many makers enrolled.
    pub(crate) async fn with_makers(count: u8) -> Self {
        let mut chain = Self::found().await;
        chain.start_ledger().await;
        chain
            .authority_says((1..=count).flat_map(enrolment).collect())
            .await;
        chain
    }

    pub(crate) fn root(&self) -> &Path {
        self.own.folder.path()
    }

    pub(crate) fn names(&self) -> BusNames {
        BusNames::new(&self.identity.log_id)
    }

    pub(crate) fn verifier(&self) -> VerifierKey {
        self.identity.log_key.parse().unwrap()
    }

    pub(crate) fn trust(&self) -> TrustFile {
        let (origin, log_id) = (self.identity.origin.clone(), self.identity.log_id);
        TrustFile::new(origin, log_id, vec![self.verifier()]).expect("a trust file")
    }

    /// A ledger on this folder, whether it comes up or not.
    pub(crate) fn spawn_ledger(&self, name: &str, folder: &Path, stop_at: Option<String>) -> Process {
        let order = LedgerOrder {
            folder: folder.to_owned(),
            url: self.own.server.url(),
            http: (folder == self.folder).then_some(self.http),
            stop_at,
            room: self.room,
        };
        Process::start(self.root(), name, &Order::Ledger(order))
    }

    /// Starts the ledger and waits until it takes statements.
    pub(crate) async fn start_ledger(&mut self) {
        let mut ledger = self.spawn_ledger("ledger", &self.folder, None);
        ledger.wait_for("listening ").await;
        self.ledger = Some(ledger);
    }

    /// Starts the ledger without waiting for anything.
    pub(crate) fn begin_ledger(&mut self, stop_at: Option<String>) {
        self.ledger = Some(self.spawn_ledger("ledger", &self.folder, stop_at));
    }

    /// The ledger's process.
    pub(crate) fn ledger(&mut self) -> &mut Process {
        self.ledger.as_mut().expect("a ledger was started")
    }

    /// Kills the ledger.
    pub(crate) fn kill_ledger(&mut self) {
        drop(self.ledger.take());
    }

    /// Where the ledger is read.
    pub(crate) async fn url(&mut self) -> String {
        format!("http://{}", self.ledger().wait_for("listening ").await)
    }

    /// A publisher in this process, for `issuer`, with these keys.
    pub(crate) async fn publisher(&mut self, issuer: &str, seeds: &[u8]) -> Publisher {
        let folder = self.outbox(&format!("outbox-{}", seeds[0]), issuer);
        let keys = seeds.iter().map(|seed| key(*seed)).collect();
        let config = PublisherConfig::new(folder, outbox_config(&self.identity, issuer), keys);
        let starting = Publisher::start(connect(&self.own.server).await, config);
        soon("the publisher", starting).await.expect("a publisher")
    }

    /// The outbox of this name, noted for the check.
    pub(crate) fn outbox(&mut self, name: &str, issuer: &str) -> PathBuf {
        let folder = self.root().join(name);
        let outbox = (issuer.to_owned(), folder.clone());
        if !self.outboxes.contains(&outbox) {
            self.outboxes.push(outbox);
        }
        folder
    }

    /// A publisher in a process of its own, which ends once all of its lots are receipted. How many it may
    /// offer by now is in the file `allowed` in the chain's folder.
    pub(crate) fn spawn_publisher(&mut self, n: u8, events: usize) -> Process {
        let order = PublisherOrder {
            ledger: self.folder.clone(),
            outbox: self.outbox(&format!("outbox-{n}"), &maker(n)),
            url: self.own.server.url(),
            maker: n,
            events,
            allowed: self.root().join("allowed"),
        };
        Process::start(self.root(), &format!("publisher-{n}"), &Order::Publisher(order))
    }

    /// Lets publishers go on to this number of lots each.
    pub(crate) fn allow(&self, events: usize) {
        allow(self.root(), events);
    }

    /// Lets publishers go on bit by bit, up to a cap that can be raised.
    pub(crate) fn flow(&self) -> Flow {
        let (cap, watched) = watch::channel(0);
        let root = self.root().to_owned();
        let task = tokio::spawn(async move {
            let mut allowed = 0;
            let mut steps = tokio::time::interval(FLOW_STEP);
            loop {
                steps.tick().await;
                if allowed < *watched.borrow() {
                    allowed += 1;
                    allow(&root, allowed);
                }
            }
        });
        Flow { cap, task }
    }

    /// The compliance service in a process of its own, which has nothing but the trust file.
    pub(crate) fn spawn_projector(&mut self) -> Process {
        self.projectors += 1;
        let order = ProjectorOrder {
            url: self.own.server.url(),
            ledger_url: format!("http://{}", self.http),
            http: self.projector_http,
            trust: self.trust().to_json(),
        };
        Process::start(
            self.root(),
            &format!("projector-{}", self.projectors),
            &Order::Projector(order),
        )
    }

    /// Publishes acts with the first authority key, and waits until they are admitted.
    pub(crate) async fn authority_says(&mut self, acts: Vec<v1::Event>) {
        let authority = self.publisher(AUTHORITY, &AUTHORITY_SEEDS[..1]).await;
        let ticket = authority.submit(&acts).await.expect("taken");
        let settled = soon("the acts", authority.wait_receipted(ticket))
            .await
            .expect("settled");
        let is_admitted = |settled: &Settled| matches!(settled, Settled::Admitted { .. });
        assert!(settled.iter().all(is_admitted), "{settled:?}");
        authority.stop().await.expect("stopped");
    }
}

fn allow(root: &Path, events: usize) {
    let beside = root.join("allowed.new");
    fs::write(&beside, events.to_string()).expect("written");
    fs::rename(beside, root.join("allowed")).expect("written");
}

/// Lots being offered at a steady rate, up to a cap.
pub(crate) struct Flow {
    cap: watch::Sender<usize>,
    task: JoinHandle<()>,
}

impl Flow {
    /// Raises the cap to this number of lots of each publisher.
    pub(crate) fn raise(&self, cap: usize) {
        self.cap.send_replace(cap);
    }
}

impl Drop for Flow {
    fn drop(&mut self) {
        self.task.abort();
    }
}
