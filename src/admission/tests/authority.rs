//! What becomes of keys and of acts that wait, one claim at a time.

use super::*;

fn public(seed: u8) -> Vec<u8> {
    key(seed).feed().as_bytes().to_vec()
}

fn compromised(seed: u8, since: i64) -> v1::Event {
    let key = public(seed);
    event("stolen", Kind::KeyCompromised(v1::KeyCompromised { key, since }))
}

fn retired(seed: u8, last_sequence: u64) -> v1::Event {
    let key = public(seed);
    event("retired", Kind::KeyRetired(v1::KeyRetired { key, last_sequence }))
}

fn changed(seeds: &[u8], threshold: u32) -> v1::Event {
    let mut keys: Vec<_> = seeds.iter().map(|seed| public(*seed)).collect();
    keys.sort();
    event(
        "changed",
        Kind::AuthorityChanged(v1::AuthorityChanged { keys, threshold }),
    )
}

fn record(world: &World, seed: u8) -> crate::register::KeyRecord {
    world.state.register().key(key(seed).feed()).unwrap().clone()
}

#[test]
fn a_last_sequence_falls_and_never_rises() {
    let mut world = World::enrolled();
    for (given, in_force) in [(5, 5), (9, 5), (5, 5), (1, 1), (3, 1)] {
        world.act(&[retired(1, given)]);
        assert_eq!(record(&world, 1).last_sequence, Some(FeedSequence::new(in_force)));
    }
    let rotated = v1::KeyRotated {
        key: public(1),
        last_sequence: 7,
        successor: public(3),
    };
    world.act(&[event("rotated", Kind::KeyRotated(rotated))]);
    assert_eq!(record(&world, 1).last_sequence, Some(FeedSequence::new(1)));
    assert!(
        world.state.register().key(key(3).feed()).is_none(),
        "the whole act has no effect"
    );
}

#[test]
fn a_key_that_says_nothing_any_more_can_still_be_found_compromised() {
    let mut world = World::enrolled();
    let close = v1::FeedClosed { key: public(2) };
    world.act(&[retired(1, 1), event("closed", Kind::FeedClosed(close))]);
    for seed in [1, 2] {
        for (given, in_force) in [(NOW, NOW), (NOW + 1, NOW), (NOW - 7, NOW - 7)] {
            world.act(&[compromised(seed, given)]);
            let record = record(&world, seed);
            assert!(record.closed);
            assert_eq!(record.compromised_since, Some(in_force));
        }
    }
    world.act(&[compromised(9, NOW)]);
    assert!(world.state.register().key(key(9).feed()).is_none());
}

#[test]
fn a_stolen_authority_key_no_longer_counts_behind_what_it_approved() {
    let mut world = World::new();
    let waiting = [event("e", party(ALICE))];
    let index = world.state.size().next_index();
    assert_eq!(world.say(AUTHORITY, 203, &waiting), "admitted");
    let act = world.state.size().next_index();
    assert_eq!(world.say(AUTHORITY, 201, &[compromised(203, NOW)]), "admitted");
    assert_eq!(world.say(AUTHORITY, 202, &[approve("a", act, 0)]), "admitted");
    assert!(record(&world, 203).closed);
    assert_eq!(world.say(AUTHORITY, 203, &waiting), "no_place(feed_closed)");
    assert_eq!(world.say(AUTHORITY, 201, &[approve("b", index, 0)]), "admitted");
    assert!(
        world.state.register().party(ALICE).is_none(),
        "one key stands behind it"
    );
    assert_eq!(world.say(AUTHORITY, 202, &[approve("c", index, 0)]), "admitted");
    assert!(world.state.register().party(ALICE).is_some());
}

#[test]
fn the_last_keys_that_can_make_an_act_are_replaced_before_they_are_declared_stolen() {
    let mut world = World::new();
    world.act_by((201, 202), &[compromised(203, NOW)]);
    world.act_by((201, 202), &[compromised(202, NOW)]);
    assert!(!record(&world, 202).closed, "one key could not act any more");
    assert_eq!(record(&world, 202).compromised_since, None);
    world.act_by((201, 202), &[changed(&[201, 211], 2)]);
    world.act_by((201, 211), &[compromised(202, NOW)]);
    assert_eq!(record(&world, 202).compromised_since, Some(NOW));
    assert_eq!(world.state.register().pending_acts().count(), 0);
}

#[test]
fn a_changed_authority_settles_what_waits_in_the_order_of_the_log() {
    let mut world = World::new();
    let index = world.state.size().next_index();
    let waiting = [
        event("key", authorise(ALICE, 1)),
        event("party", party(ALICE)),
        changed(&[201], 1),
        event("again", authorise(ALICE, 2)),
    ];
    assert_eq!(world.say(AUTHORITY, 201, &waiting), "admitted");
    let other = [event("other", party(BOB))];
    assert_eq!(world.say(AUTHORITY, 203, &other), "admitted");
    let statement = world
        .signer(AUTHORITY, key(202))
        .sign(IssuedAt::from_nanos(NOW), &encode(&[approve("c", index, 2)]));
    let decided = world
        .state
        .decide(
            Prepared::from_bytes(statement.envelope).unwrap(),
            world.state.recorded_at(),
        )
        .unwrap();
    let taken = world.state.take(&decided);
    let numbers: Vec<u32> = taken
        .effective_acts
        .iter()
        .map(|(place, _)| place.event_number)
        .collect();
    assert_eq!(
        numbers,
        [2, 1, 3],
        "the change; then the party, for whom the key came too early; then its other key"
    );
    let register = world.state.register();
    assert!(register.key(key(1).feed()).is_none() && register.key(key(2).feed()).is_some());
    assert!(register.party(BOB).is_none(), "its only key has gone");
    assert_eq!(register.pending_acts().count(), 1);
}

/// Nobody can tell whether the thief signed the second statement; the log says that there are two.
#[test]
fn evidence_against_a_compromised_key_is_recorded_like_any_other() {
    let mut world = World::enrolled();
    let other = world
        .signer(ALICE, key(1))
        .sign(IssuedAt::from_nanos(NOW), &encode(&[event("b", commission(LOT))]));
    assert_eq!(world.say(ALICE, 1, &[event("a", commission(LOT))]), "admitted");
    world.act(&[compromised(1, NOW)]);
    let first = world
        .state
        .feed(key(1).feed())
        .unwrap()
        .row(FeedSequence::FIRST)
        .unwrap()
        .index;
    assert_eq!(
        world.submit(other.envelope.clone()),
        format!("no_place(equivocation with {first}, news true)")
    );
    let evidence = Entry {
        recorded_at: world.state.recorded_at(),
        body: Body::Evidence {
            first_index: first,
            envelope: other.envelope,
        },
    };
    world.state.take_own(&evidence).unwrap();
    assert!(world.state.feed(key(1).feed()).unwrap().has_equivocated());
}
