//! Statements that come before the enrolment they need: refused and signed anew, or waited with, until the
//! authority has acted; nobody has to tell the publisher.

use lotproof::{
    code::{Outcome, Refusal},
    outbox::Ticket,
    shell::publisher::{Publisher, Settled},
};

use super::world::{Chain, enrolment, lot_event, maker};
use crate::{
    fixture::{soon, until},
    ledger::key,
};

async fn submit(publisher: &Publisher, n: u8, numbers: std::ops::Range<usize>) -> Vec<Ticket> {
    let mut tickets = Vec::new();
    for number in numbers {
        tickets.push(
            soon("room", publisher.submit(&[lot_event(n, number)]))
                .await
                .expect("taken"),
        );
    }
    tickets
}

async fn admitted(publisher: &Publisher, tickets: Vec<Ticket>) {
    for ticket in tickets {
        let settled = soon("a receipt", publisher.wait_receipted(ticket))
            .await
            .expect("settled");
        let is_admitted = |settled: &Settled| matches!(settled, Settled::Admitted { .. });
        assert!(settled.iter().all(is_admitted), "{settled:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn lots_of_a_plant_enrolled_after_them_are_signed_anew_by_themselves() {
    const LOTS: usize = 40;
    let mut chain = Chain::found().await;
    chain.start_ledger().await;
    let [party, authorised, plant] = enrolment(1);
    chain.authority_says(vec![party, authorised]).await;
    let publisher = chain.publisher(&maker(1), &[1]).await;
    let tickets = submit(&publisher, 1, 0..LOTS).await;
    // It stops, and goes on trying, a statement at a time.
    let mut status = publisher.watch_status();
    let stopped = soon("it to stop", status.wait_for(|status| status.stopped.is_some())).await;
    assert_eq!(stopped.expect("running").stopped, Some(Refusal::UnknownFacility));
    let refused = async |chain: &mut Chain| {
        let log = chain.read_log().await;
        let outcomes = log.statements.values().map(|stood| stood.outcome);
        outcomes
            .filter(|outcome| *outcome == Outcome::Refused(Refusal::UnknownFacility))
            .count()
    };
    let first = soon("refusals", async {
        loop {
            match refused(&mut chain).await {
                0 => tokio::task::yield_now().await,
                count => break count,
            }
        }
    })
    .await;
    soon("probes", async {
        while refused(&mut chain).await < first + 2 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    chain.authority_says(vec![plant]).await;
    admitted(&publisher, tickets).await;
    until("it to go on", async || publisher.status().stopped.is_none()).await;
    let status = publisher.status();
    assert_eq!((status.letters, status.alarms), (0, 0), "{status:?}");
    let checked = chain.check().await;
    assert_eq!(checked.events, LOTS + 3);
    let feed = key(1).feed();
    let sequences = checked
        .log
        .statements
        .keys()
        .filter(|(spoken, _)| *spoken == feed)
        .count();
    assert!(
        sequences > LOTS + 2,
        "new sequence numbers for what was refused: {sequences}"
    );
    println!("{sequences} statements for {LOTS} lots");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_maker_enrolled_after_its_first_statements_has_them_all_taken() {
    let mut chain = Chain::found().await;
    chain.start_ledger().await;
    let publisher = chain.publisher(&maker(1), &[1]).await;
    let tickets = submit(&publisher, 1, 0..40).await;
    // Answered, since a stranger has no place in the log.
    until("the ledger to answer", async || {
        chain.ear.look(|heard| heard.answers.len() >= 2)
    })
    .await;
    assert_eq!(publisher.status().unreceipted, 40);
    chain.authority_says(enrolment(1).into()).await;
    admitted(&publisher, tickets).await;
    let checked = chain.check().await;
    assert_eq!((checked.events, checked.statements), (40 + 3, 40 + 1));
}
