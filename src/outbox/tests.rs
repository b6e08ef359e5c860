//! What the outbox promises, claim by claim, against a real ledger on a bus that cannot be trusted.

use prost::Message as _;

mod simulation;

use self::simulation::{
    Dice, Faults, Ledger, NO_PLANT, OTHER_PLANT, PLANT, World, closes, compacted, config, key, made,
    not_ours, part,
};
use super::{
    proof::{ProofError, receipt_of, verify_receipt},
    *,
};
use crate::{
    code::AnswerCode,
    envelope::Envelope,
    id::{FeedSequence, Hash},
    log::{Checkpoint, LogHead, Origin, note::NoteSigner},
    time::IssuedAt,
    wire::{ANSWER_TYPE, HEAD_TYPE, v1},
};

const ALL_FAULTS: Faults = Faults {
    lose: 15,
    repeat: 10,
    reorder: 20,
    refuse: 5,
    forge: 50,
    crash: 1,
};

fn lots(world: &mut World, from: usize, count: usize) {
    for number in from..from + count {
        world.submit(&[made(&format!("lot{number}"), PLANT)]);
    }
}

/// What the outbox asked last, with the prefix of a query's action.
fn last_head_query(world: &World) -> Bytes {
    let queries = world.actions.iter().rev().filter_map(|action| match action {
        Action::AskHead { query } => Some(query.clone()),
        _ => None,
    });
    queries.take(1).next().unwrap()
}

fn evidence(world: &World, kind: AlarmKind) -> Vec<Bytes> {
    let alarm = world.outbox.alarms().iter().find(|alarm| alarm.kind == kind);
    alarm.unwrap_or_else(|| panic!("no {kind:?}")).evidence.clone()
}

#[test]
fn what_is_submitted_is_receipted_without_being_sent_twice() {
    let mut world = World::new(1, &[1]);
    world.ticks(3);
    lots(&mut world, 0, 20);
    assert!(world.run_until_done(20));
    assert_eq!(world.publishes, 20);
    assert_eq!(world.alarms(), []);
    assert_eq!(world.outbox.status().backlog_len, 0);
    world.check();
}

#[test]
fn nothing_is_signed_until_the_ledger_has_confirmed_the_feeds_head() {
    let mut world = World::new(1, &[1]);
    world.is_deaf = true;
    lots(&mut world, 0, 3);
    world.ticks(40);
    assert_eq!((world.outbox.status().queued, world.publishes), (3, 0));
    world.restart(Continuity::Unbroken);
    world.is_deaf = false;
    assert!(world.run_until_done(300));
    world.check();
}

#[test]
fn lost_receipts_are_asked_for_and_the_statements_not_resent() {
    let mut world = World::new(2, &[1]);
    world.ticks(3);
    world.faults.lose = 100;
    lots(&mut world, 0, 5);
    // The statements arrive, whatever else is lost.
    for record in world.disk.clone() {
        if let Record::Signed { envelope, .. } = record {
            assert!(world.ledger.deliver(&envelope).is_none());
        }
    }
    world.ledger.commit();
    world.faults.lose = 0;
    assert!(world.run_until_done(40));
    assert_eq!(world.publishes, 5);
    world.check();
}

#[test]
fn lost_statements_are_sent_again_in_order_and_at_most_a_window_at_once() {
    let mut world = World::new(3, &[1]);
    world.ticks(3);
    world.faults.lose = 100;
    lots(&mut world, 0, 20);
    assert_eq!(world.publishes, world.config.window);
    world.ticks(2);
    world.faults.lose = 0;
    world.actions.clear();
    assert!(world.run_until_done(100));
    let sent: Vec<u64> = world
        .actions
        .iter()
        .filter_map(|action| match action {
            Action::Publish { sequence, .. } => Some(sequence.get()),
            _ => None,
        })
        .collect();
    assert_eq!(sent, (1..=20).collect::<Vec<_>>());
    world.check();
}

#[test]
fn from_one_head_it_resends_at_most_once_per_backoff() {
    let mut world = World::new(4, &[1]);
    world.ticks(3);
    lots(&mut world, 0, 1);
    world.run_until_done(10);
    // Heads are answered; the bus takes no statements.
    world.faults.refuse = 100;
    let before = world.publishes;
    lots(&mut world, 1, 1);
    world.ticks(240);
    // A minute: at once, then doubling from two seconds, each up to a quarter more or less.
    let sent = world.publishes - before;
    assert!((4..=6).contains(&sent), "{sent}");
    world.faults.refuse = 0;
    assert!(world.run_until_done(400));
    world.check();
}

#[test]
fn a_failed_publish_ends_the_round_and_the_rest_waits_for_a_proven_head() {
    let mut world = World::new(5, &[1]);
    world.ticks(3);
    lots(&mut world, 0, 1);
    world.run_until_done(10);
    let feed = key(1).feed();
    world.is_deaf = true;
    lots(&mut world, 1, 1);
    let sequence = FeedSequence::new(2);
    world.input(Input::PublishFailed { feed, sequence });
    let before = world.publishes;
    lots(&mut world, 2, 5);
    world.ticks(30);
    assert_eq!(world.publishes, before);
    world.is_deaf = false;
    assert!(world.run_until_done(300));
    world.check();
}

#[test]
fn only_a_signed_reply_to_its_own_last_question_counts() {
    let mut world = World::new(6, &[1]);
    world.is_deaf = true;
    lots(&mut world, 0, 2);
    world.tick();
    let old = last_head_query(&world);
    let old_reply = world.ledger.head(&old);
    world.ticks(60);
    let query = last_head_query(&world);
    assert_ne!(old, query);
    // An old reply, one to another feed's question, one signed by somebody else, one for another ledger.
    let reply = world.ledger.head(&query);
    let payload = Envelope::decode(reply.clone()).err();
    assert!(payload.is_some(), "a reply is not a statement");
    let parsed = v1::HeadQuery::decode(query.clone()).unwrap();
    let told = v1::HeadReply {
        log_id: parsed.log_id.clone(),
        feed: parsed.feed.clone(),
        nonce: parsed.nonce.clone(),
        last_sequence: 7,
        last_hash: vec![7; 32],
        tree_size: 100,
        status: v1::FeedStatus::FeedClosed.into(),
    };
    let other_ledger = v1::HeadReply {
        log_id: vec![9; 32],
        ..told.clone()
    };
    let log_key = SigningKey::from_seed(&[200; 32]);
    let forgeries = [
        old_reply,
        key(66).seal(HEAD_TYPE, &told.encode_to_vec()),
        log_key.seal(HEAD_TYPE, &other_ledger.encode_to_vec()),
        log_key.seal(ANSWER_TYPE, &told.encode_to_vec()),
    ];
    let before = format!("{:?}", world.outbox.state());
    for forgery in forgeries.clone() {
        world.input(Input::HeadReply(forgery));
    }
    assert_eq!(format!("{:?}", world.outbox.state()), before);
    assert_eq!(world.outbox.status().ignored.replies, forgeries.len() as u64);
    assert!(!world.outbox.status().is_confirmed);
    world.input(Input::HeadReply(reply.clone()));
    assert!(world.outbox.status().is_confirmed);
    // And only once.
    world.input(Input::HeadReply(reply));
    assert_eq!(world.outbox.status().ignored.replies, forgeries.len() as u64 + 1);
}

#[test]
fn a_receipt_with_any_bit_changed_or_any_byte_missing_settles_nothing() {
    let mut world = World::new(7, &[1]);
    world.ticks(3);
    world.faults.lose = 100;
    lots(&mut world, 0, 3);
    for record in world.disk.clone() {
        if let Record::Signed { envelope, .. } = record {
            world.ledger.deliver(&envelope);
        }
    }
    let receipt = world.ledger.commit().pop().unwrap();
    let before = format!("{:?}", world.outbox.state());
    let mut tried = 0;
    for bit in 0..receipt.len() * 8 {
        let mut bent = receipt.to_vec();
        bent[bit / 8] ^= 1 << (bit % 8);
        world.input(Input::Receipt(bent.into()));
        tried += 1;
    }
    for len in 0..receipt.len() {
        world.input(Input::Receipt(receipt.slice(..len)));
        tried += 1;
    }
    assert_eq!(format!("{:?}", world.outbox.state()), before);
    assert_eq!(world.outbox.status().ignored.receipts, tried);
    assert_eq!(world.outbox.status().unreceipted, 3);
    world.input(Input::Receipt(receipt));
    assert_eq!(world.outbox.status().unreceipted, 0);
    world.check();
}

#[test]
fn a_receipt_that_claims_another_outcome_is_not_believed() {
    let mut world = World::new(8, &[1]);
    world.ticks(3);
    world.faults.lose = 100;
    lots(&mut world, 0, 1);
    let Some(Record::Signed { envelope, .. }) = world.disk.last().cloned() else {
        panic!("nothing signed")
    };
    world.ledger.deliver(&envelope);
    let receipt = world.ledger.commit().pop().unwrap();
    for outcome in Refusal::ALL {
        let mut branded = v1::Receipt::decode(receipt.clone()).unwrap();
        branded.rows[0].outcome = outcome.number().into();
        world.input(Input::Receipt(branded.encode_to_vec().into()));
    }
    assert_eq!(world.outbox.letters().count(), 0);
    assert_eq!(world.outbox.status().unreceipted, 1);
}

#[test]
fn a_proof_of_statements_that_stand_out_of_order_settles_nothing() {
    for in_order in [true, false] {
        let mut world = World::new(8, &[1]);
        world.ticks(3);
        world.faults.lose = 100;
        lots(&mut world, 0, 2);
        let mut signed: Vec<Bytes> = world
            .disk
            .iter()
            .filter_map(|record| match record {
                Record::Signed { envelope, .. } => Some(envelope.clone()),
                _ => None,
            })
            .collect();
        assert_eq!(signed.len(), 2);
        if !in_order {
            signed.reverse();
        }
        let feed = key(1).feed();
        world.ledger.enter(feed, &signed);
        let receipt = world.ledger.commit().pop().unwrap();
        let (_, read) = receipt_of(&receipt).unwrap();
        let verified = verify_receipt(
            &world.outbox.config.log,
            world.outbox.state.feed(feed).unwrap(),
            read,
        );
        world.input(Input::Receipt(receipt));
        if in_order {
            verified.unwrap();
            assert_eq!(world.outbox.status().unreceipted, 0);
        } else {
            // Every hash holds; that is not enough.
            let error = verified.unwrap_err();
            assert!(matches!(error, ProofError::Order(FeedSequence::FIRST)), "{error}");
            assert_eq!(world.outbox.status().unreceipted, 2);
            assert_eq!(world.outbox.status().ignored.receipts, 1);
        }
    }
}

#[test]
fn signed_answers_delete_nothing() {
    let mut world = World::new(9, &[1]);
    world.ticks(3);
    world.faults.lose = 100;
    lots(&mut world, 0, 1);
    let Some(Record::Signed { envelope, .. }) = world.disk.last().cloned() else {
        panic!("nothing signed")
    };
    let answer = |code: AnswerCode, message: &Bytes| {
        let answer = v1::Answer {
            log_id: world.ledger.state.log_id().as_bytes().to_vec(),
            feed: key(1).feed().as_bytes().to_vec(),
            message: Hash::of(&[message]).as_bytes().to_vec(),
            code: code.number().into(),
            sequence: 1,
            expected: 0,
            answered_at: 1,
            detail: String::new(),
        };
        SigningKey::from_seed(&[200; 32]).seal(ANSWER_TYPE, &answer.encode_to_vec())
    };
    let answers: Vec<Bytes> = AnswerCode::ALL
        .iter()
        .map(|code| answer(*code, &envelope))
        .collect();
    let about_another_message = answer(AnswerCode::Poison, &Bytes::from_static(b"not ours"));
    world.input(Input::Answer(about_another_message));
    assert_eq!(world.outbox.status().ignored.answers, 1);
    for answer in answers {
        world.input(Input::Answer(answer));
    }
    assert_eq!(world.alarms(), [AlarmKind::NeverTaken, AlarmKind::ChainBroken]);
    assert_eq!(evidence(&world, AlarmKind::ChainBroken)[0], envelope);
    let status = world.outbox.status();
    assert_eq!(
        (status.unreceipted, status.letters, status.feed),
        (1, 0, Some(key(1).feed()))
    );
    world.faults.lose = 0;
    assert!(world.run_until_done(40));
    world.check();
}

#[test]
fn a_gap_answer_hastens_the_next_question() {
    let mut world = World::new(10, &[1]);
    world.ticks(3);
    world.faults.lose = 100;
    lots(&mut world, 0, 1);
    world.is_deaf = true;
    world.ticks(100);
    let asked = |world: &World| {
        world
            .actions
            .iter()
            .filter(|action| matches!(action, Action::AskHead { .. }))
            .count()
    };
    let before = asked(&world);
    (world.faults.lose, world.is_deaf) = (0, false);
    lots(&mut world, 1, 1);
    let Some(Record::Signed { envelope, .. }) = world.disk.last().cloned() else {
        panic!("nothing signed")
    };
    let (_, answer) = world.ledger.deliver(&envelope).unwrap();
    world.input(Input::Answer(answer));
    world.tick();
    assert_eq!(asked(&world), before + 1);
    assert!(world.run_until_done(20));
    world.check();
}

#[test]
fn refused_content_becomes_a_dead_letter_and_the_chain_goes_on() {
    let mut world = World::new(11, &[1]);
    world.ticks(3);
    lots(&mut world, 0, 1);
    world.submit(&[not_ours("bad")]);
    lots(&mut world, 1, 2);
    assert!(world.run_until_done(20));
    let letters: Vec<DeadLetter> = world.outbox.letters().cloned().collect();
    assert_eq!(letters.len(), 1);
    assert_eq!(
        (letters[0].refusal, letters[0].sequence.get()),
        (Refusal::WrongParty, 2)
    );
    assert_eq!(
        world.outbox.fate(letters[0].parcel),
        Fate::DeadLettered(Refusal::WrongParty)
    );
    world.check();
    // It survives restarts until somebody takes it.
    world.restart(Continuity::Unbroken);
    assert_eq!(world.outbox.letters().cloned().collect::<Vec<_>>(), letters);
    world.input(Input::LetterTaken(letters[0].parcel));
    world.restart(Continuity::Unbroken);
    assert_eq!(world.outbox.letters().count(), 0);
    world.check_disk();
}

#[test]
fn refused_by_the_register_it_stops_probes_and_signs_anew_once_admitted() {
    let mut world = World::new(12, &[1]);
    world.ticks(3);
    for number in 0..5 {
        world.submit(&[made(&format!("away{number}"), OTHER_PLANT)]);
    }
    world.ticks(12);
    assert_eq!(world.outbox.status().stopped, Some(Refusal::UnknownFacility));
    lots(&mut world, 0, 1);
    let before = world.ledger.entries.len();
    world.ticks(1_200);
    // Five minutes of probing: a few entries, not thousands.
    let probes = world.ledger.entries.len() - before;
    assert!((2..80).contains(&probes), "{probes}");
    world.ledger.register(OTHER_PLANT);
    assert!(world.run_until_done(3_000));
    assert_eq!(world.outbox.status().stopped, None);
    assert!(world.actions.contains(&Action::Resumed));
    world.check();
}

#[test]
fn one_parcel_that_the_register_does_not_allow_holds_up_no_others_for_long() {
    let mut world = World::new(13, &[1]);
    world.ticks(3);
    world.submit(&[made("away", OTHER_PLANT)]);
    world.ticks(8);
    lots(&mut world, 0, 10);
    world.ticks(40);
    assert_eq!(world.admitted().len() - 5, 10);
    assert_eq!(
        world.outbox.status().queued + world.outbox.status().unreceipted,
        1
    );
    world.ledger.register(OTHER_PLANT);
    assert!(world.run_until_done(3_000));
    world.check();
}

#[test]
fn what_is_new_does_not_wait_for_what_has_been_refused_for_long() {
    let mut world = World::new(14, &[1]);
    world.ticks(3);
    world.submit(&[made("away", NO_PLANT)]);
    // An hour: by now it is tried every ten minutes.
    world.ticks(14_400);
    for number in 0..3 {
        lots(&mut world, number, 1);
        world.ticks(20);
        assert_eq!(world.admitted().get(&format!("lot{number}")), Some(&1));
        world.ticks(600);
    }
}

#[test]
fn one_event_that_the_register_does_not_allow_does_not_keep_its_neighbours() {
    let mut world = World::new(15, &[1]);
    world.ticks(3);
    let mut events: Vec<v1::Event> = (0..256)
        .map(|number| made(&format!("lot{number}"), PLANT))
        .collect();
    events[200] = made("mistyped", NO_PLANT);
    world.submit(&events);
    let is_published =
        |world: &World| world.admitted().keys().filter(|id| id.starts_with("lot")).count() == 255;
    let ticks = (0..).take_while(|_| {
        world.tick();
        !is_published(&world)
    });
    let seconds = ticks.count() / 4;
    assert!(seconds < 120, "{seconds} s");
    world.ticks(4);
    world.restart(Continuity::Unbroken);
    assert_eq!(
        world.outbox.status().queued + world.outbox.status().unreceipted,
        1
    );
    world.withdraw("mistyped", 40);
    assert!(world.run_until_done(1));
    assert_eq!(world.outbox.status().stopped, None);
    world.check();
    // The id is free, also behind a compaction.
    world.disk = compacted(&world.disk);
    assert_eq!(world.index().status("mistyped"), None);
}

#[test]
fn a_plant_enrolled_late_has_its_statements_taken_nearly_as_full_as_they_were() {
    let mut world = World::new(16, &[1]);
    world.ticks(3);
    for statement in 0..20 {
        let events: Vec<v1::Event> = (0..64)
            .map(|number| made(&format!("lot{}", 64 * statement + number), OTHER_PLANT))
            .collect();
        world.submit(&events);
    }
    world.ticks(240);
    world.ledger.register(OTHER_PLANT);
    let before = world.ledger.entries.len();
    assert!(world.run_until_done(3_000));
    let entries = world.ledger.entries.len() - before;
    assert!(entries < 40, "{entries}");
    world.check();
}

#[test]
fn what_is_on_its_way_is_not_withdrawn() {
    let mut world = World::new(17, &[1]);
    let mistyped = made("mistyped", NO_PLANT);
    world.is_deaf = true;
    world.submit(std::slice::from_ref(&mistyped));
    // Never signed: nobody can have it.
    world.withdraw("mistyped", 1);
    world.submitted.clear();
    world.withdrawn.clear();
    world.submit(&[mistyped]);
    world.is_deaf = false;
    world.ticks(3);
    let signed = world.disk.iter().rev().find_map(|record| match record {
        Record::Signed { parcel, .. } => Some(*parcel),
        _ => None,
    });
    let parcel = signed.unwrap();
    world.is_deaf = true;
    world.ticks(40);
    if world.outbox.status().queued == 0 {
        assert_eq!(
            world.outbox.withdraw(&[parcel], world.now).unwrap_err(),
            NotQueued(parcel)
        );
    }
    world.is_deaf = false;
    world.withdraw("mistyped", 400);
    world.check();
    assert_eq!(
        world.outbox.withdraw(&[parcel], world.now).unwrap_err(),
        NotQueued(parcel),
        "settled"
    );
}

#[test]
fn parts_refused_by_the_register_are_signed_anew_together_and_in_order() {
    for seed in 0..20 {
        let mut world = World::new(seed, &[1]);
        world.ticks(3);
        world.submit(&[made("before", OTHER_PLANT)]);
        let parts: Vec<_> = (1..=3)
            .map(|number| part("long", OTHER_PLANT, number, 3))
            .collect();
        let packs: Vec<Vec<Bytes>> = parts
            .iter()
            .map(|part| vec![part.encode_to_vec().into()])
            .collect();
        let (_, effects) = world.outbox.submit(packs, world.now).unwrap();
        world.perform(effects);
        lots(&mut world, 0, 2);
        world.ticks(8);
        if seed % 2 == 0 {
            world.restart(Continuity::Unbroken);
        }
        lots(&mut world, 2, 2);
        world.ledger.register(OTHER_PLANT);
        assert!(world.run_until_done(3_000));
        assert_eq!(world.outbox.letters().count(), 0, "seed {seed}");
        assert_eq!(world.admitted().get("long"), Some(&3), "seed {seed}");
        world.check();
    }
}

#[test]
fn a_closed_feeds_unreceipted_events_move_to_the_next_key() {
    let mut world = World::new(14, &[1, 2]);
    world.ticks(3);
    lots(&mut world, 0, 3);
    world.run_until_done(20);
    world.ledger.act(closes(1));
    lots(&mut world, 3, 12);
    assert!(world.run_until_done(200));
    assert_eq!(world.outbox.status().feed, Some(key(2).feed()));
    assert_eq!(world.ledger.state.feed(key(1).feed()).unwrap().last().get(), 3);
    assert_eq!(world.ledger.state.feed(key(2).feed()).unwrap().last().get(), 12);
    world.check();
    world.restart(Continuity::Unbroken);
    lots(&mut world, 15, 1);
    assert!(world.run_until_done(200));
    world.check();
}

#[test]
fn without_another_key_the_events_wait_for_one() {
    let mut world = World::new(15, &[1]);
    world.ticks(3);
    world.ledger.act(closes(1));
    lots(&mut world, 0, 3);
    world.ticks(100);
    assert_eq!(
        (world.outbox.status().queued, world.outbox.status().feed),
        (3, None)
    );
    world.input(Input::KeyAdded(key(3)));
    assert!(world.run_until_done(100));
    world.check();
}

#[test]
fn a_key_that_is_not_enrolled_yet_is_tried_one_statement_at_a_time() {
    let mut world = World::new(16, &[9]);
    world.ticks(3);
    lots(&mut world, 0, 5);
    world.ticks(4_000);
    let tried = world.publishes;
    assert!(tried < 40, "{tried}");
    world
        .ledger
        .act(v1::event::Kind::KeyAuthorised(v1::KeyAuthorised {
            party: simulation::ISSUER.into(),
            key: key(9).feed().as_bytes().to_vec(),
            replaces: Vec::new(),
        }));
    assert!(world.run_until_done(400));
    world.check();
}

#[test]
fn an_outbox_restored_from_a_backup_signs_nothing_more_with_its_key() {
    let mut world = World::new(17, &[1, 2]);
    world.ticks(3);
    lots(&mut world, 0, 3);
    world.run_until_done(20);
    world.faults.lose = 100;
    lots(&mut world, 3, 2);
    let backup = world.disk.clone();
    world.faults.lose = 0;
    lots(&mut world, 5, 3);
    world.run_until_done(100);
    world.check();
    world.disk = backup;
    world.restart(Continuity::Restored {
        feed: Some(key(1).feed()),
    });
    lots(&mut world, 8, 3);
    assert!(world.run_until_done(200));
    assert!(world.alarms().contains(&AlarmKind::Restored));
    assert_eq!(world.ledger.state.feed(key(1).feed()).unwrap().last().get(), 8);
    assert_eq!(world.ledger.state.feed(key(2).feed()).unwrap().last().get(), 3);
    world.check();
}

#[test]
fn a_lost_outbox_file_closes_the_feed_that_was_in_use() {
    let mut world = World::new(18, &[1, 2]);
    world.ticks(3);
    lots(&mut world, 0, 3);
    world.run_until_done(20);
    world.disk.clear();
    world.restart(Continuity::Restored {
        feed: Some(key(1).feed()),
    });
    lots(&mut world, 3, 1);
    assert!(world.run_until_done(100));
    assert_eq!(world.ledger.state.feed(key(1).feed()).unwrap().last().get(), 3);
    world.check();
}

#[test]
fn a_proven_head_ahead_of_the_outbox_closes_the_feed_before_anything_is_signed() {
    let mut world = World::new(19, &[1, 2]);
    world.ticks(3);
    lots(&mut world, 0, 3);
    let backup = world.disk.clone();
    lots(&mut world, 3, 3);
    world.run_until_done(20);
    // A backup that nothing gives away: the ledger does.
    world.disk = backup;
    world.restart(Continuity::Unbroken);
    lots(&mut world, 6, 2);
    assert!(world.run_until_done(200));
    assert_eq!(world.alarms(), [AlarmKind::HeadAhead]);
    assert_eq!(world.ledger.equivocations, 0);
    world.check();
}

#[test]
fn another_statement_in_our_place_closes_the_feed_and_moves_what_is_not_proven() {
    let mut world = World::new(20, &[1, 2]);
    world.ticks(3);
    lots(&mut world, 0, 2);
    world.run_until_done(20);
    world.is_deaf = true;
    lots(&mut world, 2, 3);
    // Somebody else signs with the same key.
    let rows = world.ledger.state.feed(key(1).feed()).unwrap();
    let (last, hash) = (rows.last(), rows.last_hash());
    let issuer = world.config.issuer.clone();
    let mut thief = FeedSigner::new(key(1), world.ledger.state.log_id(), issuer, last, hash);
    let events = crate::publish::pack(&[made("stolen", PLANT)]).unwrap();
    let stolen = thief.sign(IssuedAt::from_nanos(world.now.wall_nanos), &events[0]);
    assert!(world.ledger.deliver(&stolen.envelope).is_none());
    world.ledger.commit();
    world.is_deaf = false;
    world.actions.clear();
    assert!(world.run_until_done(4_000));
    assert_eq!(
        world.alarms(),
        [AlarmKind::ChainBroken, AlarmKind::Diverged, AlarmKind::NoReceipt]
    );
    assert_eq!(world.outbox.status().feed, Some(key(2).feed()));
    for number in 0..5 {
        assert_eq!(world.admitted().get(&format!("lot{number}")), Some(&1));
    }
}

#[test]
fn a_ledger_that_lost_receipted_entries_raises_an_alarm_and_gets_them_again() {
    for is_restarted in [false, true] {
        let mut world = World::new(21, &[1]);
        world.ticks(3);
        lots(&mut world, 0, 4);
        world.run_until_done(20);
        let size = world.ledger.entries.len();
        lots(&mut world, 4, 12);
        world.run_until_done(20);
        world.check();
        world.ledger.lose_from(size - 1);
        for number in 0..40 {
            world
                .ledger
                .register(&format!("https://id.gs1.org/414/95212300{number:02}016"));
        }
        world.ledger.commit();
        if is_restarted {
            world.restart(Continuity::Unbroken);
        }
        // Noticed when idle, too.
        world.ticks(3_000);
        assert!(world.run_until_done(400));
        assert_eq!(world.alarms(), [AlarmKind::HeadRegressed]);
        let evidence = evidence(&world, AlarmKind::HeadRegressed);
        let receipt = v1::Receipt::decode(evidence[0].clone()).unwrap();
        assert!(receipt.rows.iter().any(|row| row.sequence > 3));
        assert!(crate::envelope::DsseEnvelope::decode(evidence[1].clone(), HEAD_TYPE).is_ok());
        world.check();
    }
}

#[test]
fn a_ledger_that_lost_what_is_forgotten_here_closes_the_feed() {
    let mut world = World::new(22, &[1, 2]);
    world.config.retention_ms = 1_000;
    world.restart(Continuity::Unbroken);
    world.ticks(3);
    let size = world.ledger.entries.len();
    lots(&mut world, 0, 6);
    world.run_until_done(20);
    world.ticks(300);
    assert_eq!(world.outbox.status().statements, 0);
    world.ledger.lose_from(size + 1);
    lots(&mut world, 6, 2);
    assert!(world.run_until_done(400));
    assert!(world.alarms().contains(&AlarmKind::Forgotten));
    assert_eq!(world.outbox.status().feed, Some(key(2).feed()));
    let admitted = world.admitted();
    assert!(admitted.contains_key("lot6") && admitted.contains_key("lot7"));
    world.check_disk();
}

#[test]
fn two_roots_for_one_size_are_an_alarm_and_settle_nothing() {
    let mut world = World::new(23, &[1]);
    world.ticks(3);
    lots(&mut world, 0, 2);
    world.run_until_done(20);
    let honest = world.ledger.checkpoint();
    let size = config(&world.ledger).log.checkpoint(&honest).unwrap().head().size;
    let signer = NoteSigner::from_seed("ledger.example/test", &[200; 32]).unwrap();
    let root = Hash::new([5; 32]);
    let forked = Checkpoint {
        origin: Origin::new("ledger.example/test").unwrap(),
        head: LogHead { size, root },
    };
    let forked = forked.sign(&[&signer]).unwrap().bytes().clone();
    world.input(Input::Checkpoint(Bytes::from_static(b"noise")));
    world.input(Input::Checkpoint(forked.clone()));
    assert_eq!(world.outbox.status().ignored.checkpoints, 1);
    assert_eq!(evidence(&world, AlarmKind::Forked), [honest, forked]);
    world.check_disk();
}

#[test]
fn the_largest_checkpoint_goes_with_every_question_also_after_a_restart() {
    let mut world = World::new(24, &[1]);
    world.ticks(3);
    lots(&mut world, 0, 2);
    world.run_until_done(20);
    let newest = world.ledger.checkpoint();
    world.restart(Continuity::Unbroken);
    world.tick();
    let query = v1::HeadQuery::decode(last_head_query(&world)).unwrap();
    assert_eq!(Bytes::from(query.checkpoint), newest);
}

#[test]
fn a_smaller_tree_than_one_proven_is_an_alarm() {
    let mut world = World::new(25, &[1]);
    world.ticks(3);
    lots(&mut world, 0, 2);
    world.run_until_done(20);
    let size = world.ledger.entries.len();
    world.ledger.register(OTHER_PLANT);
    world.ledger.commit();
    let newest = world.ledger.checkpoint();
    world.input(Input::Checkpoint(newest.clone()));
    world.ledger.lose_from(size);
    world.ticks(3_000);
    assert_eq!(world.alarms(), [AlarmKind::TreeShrank]);
    assert_eq!(evidence(&world, AlarmKind::TreeShrank)[0], newest);
}

#[test]
fn receipted_statements_are_kept_until_they_are_mirrored_or_old() {
    let mut world = World::new(26, &[1]);
    world.ticks(3);
    lots(&mut world, 0, 5);
    world.run_until_done(20);
    world.ticks(300);
    assert_eq!(world.outbox.status().statements, 5);
    let size = TreeSize::new(world.ledger.entries.len() as u64 - 2);
    world.input(Input::Mirrored(size));
    world.ticks(300);
    assert_eq!(world.outbox.status().statements, 2);
    world.check_disk();
    let len = compacted(&world.disk).len();
    assert!(len < world.disk.len());
    world.restart(Continuity::Unbroken);
    lots(&mut world, 5, 3);
    assert!(world.run_until_done(40));
    world.check();
}

#[test]
fn a_full_backlog_takes_no_more_and_keeps_what_it_has() {
    let mut world = World::new(27, &[1]);
    world.config.backlog_len_max = 600;
    world.restart(Continuity::Unbroken);
    world.is_deaf = true;
    let mut taken = 0;
    let refused = loop {
        let packs = crate::publish::pack(&[made(&format!("lot{taken}"), PLANT)]).unwrap();
        match world.outbox.submit(packs, world.now) {
            Ok((_, effects)) => world.perform(effects),
            Err(error) => break error,
        };
        taken += 1;
    };
    assert!(matches!(refused, SubmitError::Full { max: 600, .. }));
    world.is_deaf = false;
    assert!(world.run_until_done(40));
    assert_eq!(world.outbox.status().backlog_len, 0);
    assert_eq!(
        world.admitted().keys().filter(|id| id.starts_with("lot")).count(),
        taken
    );
}

/// Everything at once: content and register refusals, parts, a closed feed.
fn busy_life(world: &mut World) {
    world.ticks(3);
    lots(world, 0, 3);
    world.ticks(3);
    world.submit(&[not_ours("bad")]);
    world.submit(&[made("away", OTHER_PLANT)]);
    world.submit(&[
        made("near", PLANT),
        made("mistyped", NO_PLANT),
        made("far", OTHER_PLANT),
    ]);
    lots(world, 3, 3);
    world.ticks(12);
    world.ledger.register(OTHER_PLANT);
    lots(world, 6, 2);
    world.ticks(12);
    world.ledger.act(closes(1));
    lots(world, 8, 3);
    world.ticks(12);
    world.faults = Faults::default();
    // A crash before it was durable, and nothing was promised.
    if world.submitted.iter().any(|id| id == "mistyped") {
        world.withdraw("mistyped", 4_000);
    }
    assert!(world.run_until_done(4_000), "{:?}", world.outbox.status());
    world.check();
}

#[test]
fn a_crash_at_any_effect_loses_and_doubles_nothing() {
    let mut world = World::new(100, &[1, 2]);
    busy_life(&mut world);
    let steps = world.steps;
    let first = World::new(100, &[1, 2]).steps + 1;
    assert!(steps > 40, "{steps}");
    for step in first..=steps {
        let mut world = World::new(100, &[1, 2]);
        world.crash_at = Some(step);
        busy_life(&mut world);
        assert_eq!(world.crashes, 1, "step {step} of {steps}");
    }
}

#[test]
fn whatever_the_bus_does_it_converges_once_the_bus_is_well() {
    let seeds = 600;
    let mut crashes = 0;
    for seed in 0..seeds {
        let mut world = World::new(seed, &[1, 2, 3]);
        world.faults = ALL_FAULTS;
        if seed % 3 == 0 {
            world.faults.lose = 50;
        }
        busy_life(&mut world);
        crashes += world.crashes;
        assert!(
            !world.alarms().iter().any(|kind| *kind != AlarmKind::NoReceipt),
            "seed {seed}: {:?}",
            world.alarms()
        );
    }
    assert!(crashes > seeds / 4, "{crashes}");
}

#[test]
fn one_seed_run_twice_is_one_run() {
    let run = || {
        let mut world = World::new(7, &[1, 2]);
        world.faults = ALL_FAULTS;
        busy_life(&mut world);
        (format!("{:?}", world.actions), world.steps)
    };
    assert_eq!(run(), run());
}

#[test]
fn backoff_doubles_up_to_its_limit_and_spreads_by_a_quarter() {
    assert_eq!(backoff(1_000, 0, 8_000, 0), 750);
    assert_eq!(backoff(1_000, 0, 8_000, u16::MAX), 1_250);
    assert_eq!(backoff(1_000, 2, 8_000, 0), 3_000);
    for times in [3, 10, 63, 64, u32::MAX] {
        assert_eq!(backoff(1_000, times, 8_000, u16::MAX), 10_000);
    }
    let mut dice = Dice::new(1);
    for _ in 0..1_000 {
        let wait = backoff(1_000, 1, 8_000, u16::try_from(dice.roll() % 65_536).unwrap());
        assert!((1_500..=2_500).contains(&wait));
    }
    let _: Option<Ledger> = None;
}
