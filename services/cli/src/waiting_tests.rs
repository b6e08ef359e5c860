//! Commands that wait, on a real bus.

use std::path::Path;

use lotproof::{
    gateway::index::Kept,
    log::Origin,
    shell::{
        nats::{Bus, BusNames, BusOptions, PrivateServer, ServerOptions},
        publisher::Settled,
    },
    signature::SigningKey,
    time::RecordedAt,
    wire::v1::{self, event::Kind},
};
use lotproof_ledger::{Config, Folder, InitOptions, Reading, default_parameters, init, run};
use tempfile::TempDir;
use tokio::{
    sync::{oneshot, watch},
    task::JoinHandle,
};

use super::*;
use crate::{
    desk::Desk,
    enrolling::enact,
    founding::trust_file,
    publishing::{Session, answers::Answers, proven},
    stating::{Stated, Statements},
};

const AUTHORITY: &str = "https://authority.example/";
/// How long anything may take before a test fails.
const DEADLINE: Duration = Duration::from_secs(30);

/// A ledger's folder, and its bus.
struct World {
    folder: TempDir,
    server: PrivateServer,
    session: Session,
}

fn key() -> SigningKey {
    SigningKey::from_seed(&[9; 32])
}

fn act(id: &str) -> Vec<v1::Event> {
    let kind = Kind::PartyEnrolled(v1::PartyEnrolled {
        party: format!("https://{id}.example/"),
        legal_name: id.to_owned(),
        ..Default::default()
    });
    vec![v1::Event {
        id: id.to_owned(),
        event_time: Reading::now().wall_nanos,
        kind: Some(kind),
        ..Default::default()
    }]
}

impl World {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let options = InitOptions {
            origin: Origin::new("ledger.example/cli").unwrap(),
            purpose: v1::Purpose::Test,
            authority: AUTHORITY.to_owned(),
            authority_keys: vec![key().feed()],
            threshold: 1,
            parameters: default_parameters(),
            follows: None,
            created_at: RecordedAt::from_nanos(Reading::now().wall_nanos),
        };
        let identity = init(&Folder::new(folder.path().join("ledger")), &options).unwrap();
        let server = PrivateServer::start(ServerOptions::new(folder.path().join("nats")))
            .await
            .expect("this test needs a nats-server");
        let bus = Bus::connect(&BusOptions::new(server.url(), "test"))
            .await
            .unwrap();
        let session = Session {
            bus,
            trust: trust_file(&identity).unwrap(),
            outbox: folder.path().join("outbox"),
            patience: Patience::endless(),
        };
        Self {
            folder,
            server,
            session,
        }
    }

    fn start_ledger(&self) -> (watch::Sender<bool>, JoinHandle<Result<()>>) {
        let config = Config::new(Folder::new(self.folder.path().join("ledger")), self.server.url());
        let (stop, shutdown) = watch::channel(false);
        (stop, tokio::spawn(run(config, shutdown, oneshot::channel().0)))
    }

    /// The same, from a computer with an outbox of its own.
    fn elsewhere(&self, outbox: &Path) -> Session {
        Session {
            bus: self.session.bus.clone(),
            trust: self.session.trust.clone(),
            outbox: outbox.to_owned(),
            patience: Patience::endless(),
        }
    }
}

async fn soon<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(DEADLINE, future).await.expect("in time")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_another_outbox_used_ends_the_wait_and_says_what_to_do() {
    let world = World::new().await;
    let (stop, ledger) = world.start_ledger();
    soon(enact(&world.session, AUTHORITY, vec![key()], act("first")))
        .await
        .unwrap();
    let other = world.elsewhere(&world.folder.path().join("other"));
    let error = soon(enact(&other, AUTHORITY, vec![key()], act("second")))
        .await
        .unwrap_err();
    let text = format!("{error:#}");
    assert!(
        text.contains("signed statements that this outbox does not know"),
        "{text}"
    );
    assert!(text.contains("use the outbox that it was used with"), "{text}");
    assert!(text.contains("(1 statements) was not published"), "{text}");

    // Nor is more taken there.
    let publisher = soon(other.publisher(AUTHORITY, key())).await.unwrap();
    let error = soon(proven(&other, &publisher, &act("third"), &String::new))
        .await
        .unwrap_err();
    assert!(format!("{error:#}").contains("does not know"), "{error:#}");
    assert_eq!(publisher.status().queued, 1, "of the second");
    // While the outbox that the key was used with goes on.
    soon(enact(&world.session, AUTHORITY, vec![key()], act("fourth")))
        .await
        .unwrap();
    stop.send_replace(true);
    soon(ledger).await.unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn proofs_are_waited_for_no_longer_than_asked_and_what_was_handed_over_stays() {
    let world = World::new().await;
    let mut hasty = world.elsewhere(&world.session.outbox);
    hasty.patience = Patience::from_now(Some(Duration::from_secs(1)));
    let error = soon(enact(&hasty, AUTHORITY, vec![key()], act("first")))
        .await
        .unwrap_err();
    let text = format!("{error:#}");
    assert!(
        text.contains("no proof within 1 s: 1 statement waits: the ledger has not answered yet"),
        "{text}"
    );
    let (stop, ledger) = world.start_ledger();
    let publisher = soon(world.session.publisher(AUTHORITY, key())).await.unwrap();
    let status = soon(publisher.drain(DEADLINE)).await.unwrap();
    assert_eq!((status.queued, status.unreceipted, status.statements), (0, 0, 1));
    stop.send_replace(true);
    soon(ledger).await.unwrap().unwrap();
}

/// An EPCIS document of shipments: `(id, serial, whether it is declared wrong)`.
fn document(events: &[(&str, u32, bool)]) -> Vec<Stated> {
    let events = events.iter().map(|(id, serial, wrong)| {
        let wrong = if *wrong {
            r#", "errorDeclaration": {"declarationTime": "2026-02-03T08:00:00Z", "reason": "did_not_occur"}"#
        } else {
            ""
        };
        format!(
            r#"{{"type": "ObjectEvent", "eventID": "urn:x:{id}", "eventTime": "2026-02-02T08:00:00Z",
                "eventTimeZoneOffset": "+00:00", "action": "OBSERVE",
                "epcList": ["urn:epc:id:sgtin:952123.0110001.{serial}"]{wrong}}}"#
        )
    });
    let list = format!("[{}]", events.collect::<Vec<_>>().join(","));
    let imported =
        lotproof::epcis::import(list.as_bytes(), &lotproof::epcis::ImportOptions::default()).unwrap();
    assert_eq!(imported.refused, []);
    Statements::from(imported).events
}

macro_rules! case {
    ($name:literal) => {
        include_bytes!(concat!("../../../tests/cases/epcis/", $name, ".epcis.jsonld")).as_slice()
    };
}

/// The events of a document as its sender's.
fn reported(bytes: &[u8]) -> Vec<Stated> {
    let options = lotproof::epcis::ImportOptions {
        origin: lotproof::epcis::Origin::Reported { claimed_party: None },
        ..Default::default()
    };
    let imported = lotproof::epcis::import(bytes, &options).unwrap();
    assert_eq!(imported.refused, []);
    Statements::from(imported).events
}

#[tokio::test(flavor = "multi_thread")]
async fn a_document_again_publishes_nothing_what_was_wrong_is_taken_back_and_what_waits_withdrawn() {
    const PARTY: &str = "https://maker.example/";
    const PLANT: &str = "https://id.gs1.org/414/9521230010023";
    let world = World::new().await;
    let (stop, ledger) = world.start_ledger();
    let maker = || SigningKey::from_seed(&[10; 32]);

    // Before the key is enrolled, one is told so.
    let mut hasty = world.elsewhere(&world.session.outbox);
    hasty.patience = Patience::from_now(Some(Duration::from_secs(8)));
    let desk = soon(Desk::open(&hasty, PARTY, maker())).await.unwrap();
    let first = desk.plan(document(&[("1", 1, false)]));
    let error = soon(desk.carry_out(&hasty, first)).await.unwrap_err();
    assert!(
        format!("{error:#}").contains("the authority must enrol it"),
        "{error:#}"
    );

    let mut acts = act("maker");
    acts.push(v1::Event {
        id: "key".to_owned(),
        event_time: Reading::now().wall_nanos,
        kind: Some(Kind::KeyAuthorised(v1::KeyAuthorised {
            party: PARTY.to_owned(),
            key: maker().feed().as_bytes().to_vec(),
            ..Default::default()
        })),
        ..Default::default()
    });
    soon(enact(&world.session, AUTHORITY, vec![key()], acts))
        .await
        .unwrap();

    // The first event waits in the outbox; a repetition of it, and another one, come with it.
    let plan = desk.plan(document(&[("1", 1, false), ("1", 1, false), ("2", 2, false)]));
    let done = soon(desk.carry_out(&world.session, plan)).await.unwrap();
    assert_eq!(
        (done.rows.len(), done.known, done.declared),
        (1, 2, 0),
        "{done:?}"
    );
    assert_eq!(done.refused, Vec::<String>::new());

    // Another event of the same name is refused by its place; one that is wrong is taken back, once.
    let again = [("1", 7, false), ("2", 2, true), ("3", 3, true)];
    let done = soon(desk.carry_out(&world.session, desk.plan(document(&again))))
        .await
        .unwrap();
    assert_eq!((done.known, done.declared), (0, 2), "{done:?}");
    assert_eq!(
        done.rows.len(),
        2,
        "the third event, then two events that take back: {done:?}"
    );
    assert!(matches!(done.refused.as_slice(), [why] if why.starts_with("event 0 refused: urn:x:1")));
    let done = soon(desk.carry_out(&world.session, desk.plan(document(&again[1..]))))
        .await
        .unwrap();
    assert_eq!((done.rows.len(), done.declared), (0, 2), "{done:?}");

    // A reported event is known in a longer document of its sender. Another sender's event under the same id is a
    // conflict, and what he declares wrong is not.
    for (bytes, rows, known, why) in [
        (case!("28-1-reported"), 1, 0, None),
        (case!("28-2-reported-again-with-one-more"), 1, 1, None),
        (case!("28-2-reported-again-with-one-more"), 0, 2, None),
        (case!("min-a"), 1, 0, None),
        (case!("min-b"), 0, 0, Some("nothing is changed")),
        (case!("min-a"), 0, 1, None),
        (case!("min-dupA"), 1, 0, None),
        (case!("min-dupA"), 0, 1, None),
    ] {
        let done = soon(desk.carry_out(&world.session, desk.plan(reported(bytes))))
            .await
            .unwrap();
        assert_eq!(
            (done.rows.len(), done.known, done.declared),
            (rows, known, 0),
            "{done:?}"
        );
        assert_eq!(done.refused.len(), usize::from(why.is_some()), "{done:?}");
        assert!(why.is_none_or(|why| done.refused.iter().all(|said| said.contains(why))));
    }

    // A plant that is not registered is named, with the event that names it; and that can be withdrawn.
    let mut mistyped = document(&[("mistyped", 4, false)]);
    if let [Stated { event, .. }] = mistyped.as_mut_slice()
        && let Some(Kind::Observed(observed)) = &mut event.kind
    {
        PLANT.clone_into(&mut observed.facility);
    }
    hasty.patience = Patience::from_now(Some(Duration::from_secs(8)));
    let error = soon(desk.carry_out(&hasty, desk.plan(mistyped)))
        .await
        .unwrap_err();
    let text = format!("{error:#}");
    assert!(
        text.contains("refused so far: urn:x:mistyped, which name"),
        "{text}"
    );
    assert!(text.contains(PLANT), "{text}");
    let withdrawn = soon(desk.withdraw(&world.session, "urn:x:mistyped"))
        .await
        .unwrap();
    assert_eq!(withdrawn, Ok(()));
    let again = soon(desk.withdraw(&world.session, "urn:x:mistyped"))
        .await
        .unwrap();
    assert_eq!(again, Err(Kept::Unknown));
    let proven = soon(desk.withdraw(&world.session, "urn:x:2")).await.unwrap();
    assert_eq!(proven, Err(Kept::Receipted));
    stop.send_replace(true);
    soon(ledger).await.unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_nobody_enrolled_is_told_of_at_once_and_waited_for() {
    let world = World::new().await;
    let (stop, ledger) = world.start_ledger();
    let stranger = SigningKey::from_seed(&[77; 32]);
    let (feed, party) = (stranger.feed(), "https://stranger.example/");
    let mut answers = Answers::listen(&world.session, feed, party).await.unwrap();
    // Anybody on the bus can say so.
    let forged = key().seal(lotproof::wire::ANSWER_TYPE, b"");
    let subject = BusNames::new(&world.session.trust.log_id()).answer(&feed);
    let client = world.session.bus.client();
    client.publish(subject, forged).await.unwrap();
    let publisher = soon(world.session.publisher(party, stranger)).await.unwrap();
    let declared = v1::Event {
        id: "declared".to_owned(),
        event_time: Reading::now().wall_nanos,
        kind: Some(Kind::OwnershipDeclared(v1::OwnershipDeclared {
            party: party.to_owned(),
            ..Default::default()
        })),
        ..Default::default()
    };
    let ticket = soon(publisher.submit(&[declared])).await.unwrap();
    let text = soon(answers.unknown_key()).await;
    for said in ["unknown_key", &feed.to_string(), party, "lotproof enroll"] {
        assert!(text.contains(said), "{said}: {text}");
    }
    assert_eq!(publisher.status().unreceipted, 1, "it is waited for");

    let enrolment = vec![
        v1::Event {
            id: "party".to_owned(),
            event_time: Reading::now().wall_nanos,
            kind: Some(Kind::PartyEnrolled(v1::PartyEnrolled {
                party: party.to_owned(),
                legal_name: "A stranger".to_owned(),
                ..Default::default()
            })),
            ..Default::default()
        },
        v1::Event {
            id: "key".to_owned(),
            event_time: Reading::now().wall_nanos,
            kind: Some(Kind::KeyAuthorised(v1::KeyAuthorised {
                key: feed.as_bytes().to_vec(),
                party: party.to_owned(),
                ..Default::default()
            })),
            ..Default::default()
        },
    ];
    soon(enact(&world.session, AUTHORITY, vec![key()], enrolment))
        .await
        .unwrap();
    let settled = soon(publisher.wait_receipted(ticket)).await.unwrap();
    let is_admitted = |settled: &Settled| matches!(settled, Settled::Admitted { .. });
    assert!(
        settled.len() == 1 && settled.iter().all(is_admitted),
        "{settled:?}"
    );
    stop.send_replace(true);
    soon(ledger).await.unwrap().unwrap();
}
