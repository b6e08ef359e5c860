//! A whole small ledger: every message that came, what became of it, and the head after it.

use std::collections::BTreeSet;

use bytes::Bytes;
use lotproof::{
    admission::{LedgerState, NoPlace, Prepared, genesis_entry},
    code::{AnswerCode, Outcome, Refusal},
    entry::{Body, Entry},
    id::{FeedSequence, Hash},
    log::{Checkpoint, MemoryTree, Origin, leaf_hash, note::NoteSigner},
    publish::FeedSigner,
    time::{IssuedAt, RecordedAt},
    wire::v1::{self, event::Kind, ledger_record::Record},
};
use prost::Message as _;
use serde_json::{Value, json};

use crate::{
    audited::{Audited, SPEAKER},
    build::{
        ALICE, AUTHORITY, BOB, ELSEWHERE, LOG_SEED, LOT, NOW, ORIGIN, PLANT, approve, authorise, commission,
        commission_at, encode, event, facility, genesis, key, owners, parameters, party, public, reported,
        sealed, slice, sorted, with_part,
    },
};

struct World {
    state: LedgerState,
    tree: MemoryTree,
    clock: i64,
    steps: Vec<Value>,
    seen: BTreeSet<String>,
}

impl World {
    fn new() -> Self {
        let entry = genesis_entry(genesis(), RecordedAt::from_nanos(NOW)).unwrap();
        let state = LedgerState::from_genesis(&entry).unwrap();
        let mut world = Self {
            state,
            tree: MemoryTree::new(),
            clock: NOW,
            steps: Vec::new(),
            seen: BTreeSet::new(),
        };
        world.write("genesis", None, "genesis", &entry);
        world
    }

    /// Notes a step that made an entry.
    fn write(&mut self, what: &str, message: Option<&Bytes>, result: &str, entry: &Bytes) {
        let index = self.tree.size().get();
        self.tree.push(leaf_hash(entry));
        self.steps.push(json!({
            "what": what,
            "message": message.map(hex::encode),
            "recorded_at": self.clock.to_string(),
            "result": result,
            "index": index,
            "entry": hex::encode(entry),
            "root": self.tree.head().root.to_string(),
        }));
    }

    fn signer(&self, issuer: &str, seed: u8) -> FeedSigner {
        let (last, hash) = self
            .state
            .feed(key(seed).feed())
            .map_or((FeedSequence::NONE, Hash::ZERO), |feed| {
                (feed.last(), feed.last_hash())
            });
        FeedSigner::new(key(seed), self.state.log_id(), issuer.into(), last, hash)
    }

    /// The next statement of a feed, not submitted.
    fn statement(&self, issuer: &str, seed: u8, events: &[v1::Event]) -> Bytes {
        self.signer(issuer, seed)
            .sign(IssuedAt::from_nanos(NOW), &encode(events))
            .envelope
    }

    fn submit(&mut self, what: &str, message: &Bytes, expected: &str) {
        self.clock += 1_000;
        let recorded_at = RecordedAt::from_nanos(self.clock);
        let decided =
            Prepared::from_bytes(message.clone()).and_then(|ready| self.state.decide(ready, recorded_at));
        match decided {
            Ok(decided) => {
                let result = decided.outcome().to_string();
                assert_eq!(result, expected, "{what}");
                self.seen.insert(result);
                let entry = decided.to_entry().encode();
                self.state.take(&decided);
                self.write(what, Some(message), expected, &entry);
            }
            Err(NoPlace::Equivocation { first, is_news: true }) => {
                assert_eq!(expected, "equivocation", "{what}");
                let entry = Entry {
                    recorded_at,
                    body: Body::Evidence {
                        first_index: first,
                        envelope: message.clone(),
                    },
                };
                self.state.take_own(&entry).unwrap();
                self.seen.insert(expected.into());
                self.write(what, Some(message), expected, &entry.encode());
            }
            Err(no_place) => {
                let result = match &no_place {
                    NoPlace::Duplicate { .. } => "duplicate".to_owned(),
                    NoPlace::Equivocation { .. } => "equivocation again".to_owned(),
                    other => other.answer().unwrap().to_string(),
                };
                assert_eq!(result, expected, "{what}");
                self.seen.insert(result);
                let expected_sequence = match no_place {
                    NoPlace::Gap { expected } | NoPlace::ChainBroken { expected } => expected.get(),
                    _ => 0,
                };
                self.steps.push(json!({
                    "what": what,
                    "message": hex::encode(message),
                    "recorded_at": self.clock.to_string(),
                    "result": expected,
                    "expected": expected_sequence,
                }));
            }
        }
    }

    fn say(&mut self, what: &str, issuer: &str, seed: u8, events: &[v1::Event], expected: &str) {
        let message = self.statement(issuer, seed, events);
        self.submit(what, &message, expected);
    }

    /// Proposes acts under one authority key and approves them under another.
    fn act_by(&mut self, what: &str, seeds: (u8, u8), acts: &[v1::Event]) {
        let index = self.state.size().next_index();
        self.say(what, AUTHORITY, seeds.0, acts, "admitted");
        let approvals: Vec<_> = (0..)
            .zip(acts)
            .map(|(at, act)| approve(&act.id, index, at))
            .collect();
        self.say(
            &format!("{what}, approved"),
            AUTHORITY,
            seeds.1,
            &approvals,
            "admitted",
        );
    }

    fn act(&mut self, what: &str, acts: &[v1::Event]) {
        self.act_by(what, (201, 202), acts);
    }

    fn record(&mut self, what: &str, record: Record) {
        self.clock += 1_000;
        let entry = Entry {
            recorded_at: RecordedAt::from_nanos(self.clock),
            body: Body::Record(record),
        };
        self.state.take_own(&entry).unwrap();
        self.write(what, None, "record", &entry.encode());
    }
}

pub(crate) fn vectors() -> Value {
    let mut world = World::new();
    governance(&mut world);
    refusals(&mut world);
    parts(&mut world);
    answers(&mut world);
    keys(&mut world);
    authority(&mut world);
    for refusal in Refusal::ALL {
        let shown = Outcome::Refused(*refusal).to_string();
        assert!(world.seen.contains(&shown), "{shown} has no step");
    }
    for answer in AnswerCode::ALL {
        // What is oversize needs no ledger, and has rows of its own.
        let elsewhere = [AnswerCode::Poison, AnswerCode::Oversize].contains(answer);
        let shown = world.seen.contains(answer.name()) || elsewhere;
        assert!(shown, "{answer} has no step");
    }
    let signer = NoteSigner::from_seed(ORIGIN, &[LOG_SEED; 32]).unwrap();
    let checkpoint = Checkpoint {
        origin: Origin::new(ORIGIN).unwrap(),
        head: world.tree.head(),
    };
    let note = checkpoint.sign(&[&signer]).unwrap();
    let note = String::from_utf8(note.bytes().to_vec()).unwrap();
    let register = world.state.register();
    let keys: Vec<Value> = register
        .keys()
        .map(|(feed, record)| {
            json!({
                "key": feed.to_string(),
                "party": record.party,
                "authority": record.authority,
                "closed": record.closed,
                "compromised_since": record.compromised_since.map(|since| since.to_string()),
                "last_sequence": record.last_sequence.map(FeedSequence::get),
                "statements": world.state.feed(feed).map_or(0, |feed| feed.last().get()),
            })
        })
        .collect();
    let entry_of = |step: &Value| {
        step.get("entry")
            .and_then(Value::as_str)
            .map(|hex| hex::decode(hex).unwrap())
    };
    let entries: Vec<Bytes> = world.steps.iter().filter_map(entry_of).map(Bytes::from).collect();
    let next = Audited {
        log_id: world.state.log_id(),
        clock: world.clock,
        entries: &entries,
        root: world.tree.head().root,
        said_by_speaker: world.state.feed(key(SPEAKER).feed()).unwrap().last_hash(),
    }
    .rows();
    json!({
        "description": "A whole ledger. Each step is a message or a record, in order; steps with an index made an entry. Bytes are hexadecimal; times are nanoseconds, as text. Private keys are seeds of one byte repeated 32 times. Each row of `next` is one entry after the last (with so many zero bytes behind it) and what an audit finds in it.",
        "origin": ORIGIN,
        "vkey": signer.verifier_key().to_string(),
        "log_id": world.state.log_id().to_string(),
        "steps": world.steps,
        "checkpoint": note,
        "register": {
            "keys": keys,
            "log_keys": register.log_keys().iter().map(ToString::to_string).collect::<Vec<_>>(),
            "pending_acts": register.pending_acts().count(),
        },
        "next": next,
    })
}

fn governance(world: &mut World) {
    let index = world.state.size().next_index();
    let acts = [
        event("e1", party(ALICE)),
        event("e2", party(BOB)),
        event("e3", authorise(ALICE, 1)),
        event("e4", authorise(BOB, 2)),
        event("e5", facility(PLANT)),
        event("e6", authorise("https://nobody.example/", 9)),
    ];
    world.say(
        "parties, keys and a plant proposed",
        AUTHORITY,
        201,
        &acts,
        "admitted",
    );
    let first = [event("x", commission(LOT))];
    world.say("one authority key enrols nobody", ALICE, 1, &first, "unknown_key");
    let own = [approve("e1", index, 0), approve("e3", index, 2)];
    world.say("the same key approves", AUTHORITY, 201, &own, "admitted");
    world.say("one key twice is one key", ALICE, 1, &first, "unknown_key");
    let approvals: Vec<_> = (0..)
        .zip(&acts)
        .map(|(at, act)| approve(&act.id, index, at))
        .collect();
    world.say("a second key approves", AUTHORITY, 202, &approvals, "admitted");
    world.say(
        "a third changes nothing",
        AUTHORITY,
        203,
        &approvals[..3],
        "admitted",
    );
    world.say("a key for nobody had no effect", BOB, 9, &first, "unknown_key");
    let clock = v1::ClockAccepted {
        clock: world.clock + 5_000,
        reason: "leap second".into(),
    };
    world.record("an operator accepts the clock", Record::ClockAccepted(clock));
    let reseeded = v1::GuardReseeded {
        size: world.state.size().get(),
        root: world.tree.head().root.as_bytes().to_vec(),
        reason: String::new(),
    };
    world.record("an operator reseeds the guard", Record::GuardReseeded(reseeded));
}

fn refusals(world: &mut World) {
    let x = |kind| event("x", kind);
    let ahead = |nanos| v1::Event {
        event_time: NOW + nanos,
        ..x(commission(LOT))
    };
    let hearsay = v1::Event {
        reported: Some(v1::Reported {
            document: vec![1; 32],
            ..v1::Reported::default()
        }),
        ..x(party(BOB))
    };
    let early_act = x(Kind::ActApproved(v1::ActApproved {
        act: Some(v1::EventReference::default()),
    }));
    let fixture = x(Kind::PartyEnrolled(v1::PartyEnrolled {
        party: "https://fictional.example/".into(),
        legal_name: "Fictional".into(),
        fixture: true,
        ..Default::default()
    }));
    let rows: Vec<(&str, &str, u8, v1::Event, &str)> = vec![
        ("a lot", ALICE, 1, x(commission(LOT)), "admitted"),
        ("an act, reported", ALICE, 1, hearsay, "refused(malformed_event)"),
        (
            "an offset of more than 18 hours",
            ALICE,
            1,
            v1::Event {
                utc_offset_minutes: 1_081,
                ..x(commission(LOT))
            },
            "refused(malformed_event)",
        ),
        (
            "no kind",
            ALICE,
            1,
            v1::Event {
                kind: None,
                ..x(commission(LOT))
            },
            "refused(unknown_event)",
        ),
        (
            "a lot by its EPC URN",
            ALICE,
            1,
            x(commission("urn:epc:class:lgtin:9521231.010001.A1")),
            "refused(identifier_not_normal)",
        ),
        (
            "a quantity sealed and present",
            ALICE,
            1,
            sealed(x(commission(LOT)), &["64.3.0.2"]),
            "refused(sealed_and_present)",
        ),
        (
            "a cost sealed and absent",
            ALICE,
            1,
            sealed(x(commission(LOT)), &["64.3.0.3"]),
            "admitted",
        ),
        (
            "Alice's key in Bob's name",
            BOB,
            1,
            x(commission(LOT)),
            "refused(wrong_party)",
        ),
        ("Bob's owners", ALICE, 1, x(owners(BOB)), "refused(wrong_party)"),
        (
            "Bob's owners, reported",
            ALICE,
            1,
            reported(x(owners(BOB))),
            "admitted",
        ),
        ("her own owners", ALICE, 1, x(owners(ALICE)), "admitted"),
        (
            "she enrols a party",
            ALICE,
            1,
            x(party(BOB)),
            "refused(unauthorised)",
        ),
        (
            "an authority key approves the genesis",
            AUTHORITY,
            201,
            early_act,
            "refused(unauthorised)",
        ),
        (
            "a fixture in production",
            AUTHORITY,
            201,
            fixture,
            "refused(unauthorised)",
        ),
        (
            "a plant nobody registered",
            ALICE,
            1,
            x(commission_at(ELSEWHERE, LOT)),
            "refused(unknown_facility)",
        ),
        (
            "the same, reported",
            ALICE,
            1,
            reported(x(commission_at(ELSEWHERE, LOT))),
            "admitted",
        ),
        (
            "an hour ahead",
            ALICE,
            1,
            ahead(3_600_000_000_000),
            "refused(time_ahead)",
        ),
        ("just within the skew", ALICE, 1, ahead(900_000_000), "admitted"),
    ];
    for (what, issuer, seed, event, expected) in rows {
        world.say(what, issuer, seed, &[event], expected);
    }
    // Exactly at the skew, and one nanosecond beyond.
    for (extra, expected) in [(0, "admitted"), (1, "refused(time_ahead)")] {
        let at = world.clock + 1_000 - NOW + 1_000_000_000 + extra;
        world.say(
            &format!("at the skew and {extra} ns"),
            ALICE,
            1,
            &[ahead(at)],
            expected,
        );
    }
    let issued = IssuedAt::from_nanos(NOW + 3_600_000_000_000);
    let message = world
        .signer(ALICE, 1)
        .sign(issued, &encode(&[x(commission(LOT))]))
        .envelope;
    world.submit("issued an hour ahead", &message, "refused(time_ahead)");
    // Two faults: which comes first decides.
    world.say(
        "in Bob's name, and a bad event",
        BOB,
        1,
        &[x(commission(LOT)), x(commission("lot 7"))],
        "refused(identifier_not_normal)",
    );
    world.say(
        "in Bob's name, and unauthorised",
        BOB,
        1,
        &[x(party(BOB))],
        "refused(wrong_party)",
    );
    world.say(
        "ahead and then unauthorised",
        ALICE,
        1,
        &[ahead(3_600_000_000_000), x(party(BOB))],
        "refused(time_ahead)",
    );
    world.say(
        "unauthorised and then ahead",
        ALICE,
        1,
        &[x(party(BOB)), ahead(3_600_000_000_000)],
        "refused(unauthorised)",
    );
}

fn parts(world: &mut World) {
    let other_scalars = v1::Event {
        utc_offset_minutes: 0,
        ..slice(3, 3, "S3")
    };
    let between = event("x", commission(LOT));
    let lapsed = event(
        "x",
        Kind::ShipmentLapsed(v1::ShipmentLapsed { shipment: LOT.into() }),
    );
    let rows: Vec<(&str, Vec<v1::Event>, &str)> = vec![
        (
            "parts 1 and 2",
            vec![slice(1, 3, "S1"), slice(2, 3, "S2")],
            "admitted",
        ),
        (
            "part 3 in the next statement",
            vec![slice(3, 3, "S3")],
            "admitted",
        ),
        (
            "part 3 again",
            vec![slice(3, 3, "S3")],
            "refused(part_out_of_place)",
        ),
        ("part 1", vec![slice(1, 3, "S1")], "admitted"),
        ("part 1 again starts anew", vec![slice(1, 3, "S1")], "admitted"),
        (
            "part 3 skips 2",
            vec![slice(3, 3, "S3")],
            "refused(part_out_of_place)",
        ),
        (
            "part 2 after a refusal",
            vec![slice(2, 3, "S2")],
            "refused(part_out_of_place)",
        ),
        (
            "an event between",
            vec![slice(1, 2, "S1"), between, slice(2, 2, "S2")],
            "refused(part_out_of_place)",
        ),
        (
            "other scalars",
            vec![slice(1, 3, "S1"), slice(2, 3, "S2"), other_scalars],
            "refused(part_out_of_place)",
        ),
        (
            "more parts than the ledger takes",
            vec![slice(1, 4, "S1")],
            "refused(part_out_of_place)",
        ),
        (
            "a part of a kind without a list",
            vec![with_part(lapsed, 1, 2)],
            "refused(malformed_event)",
        ),
        ("part 0", vec![slice(0, 2, "S1")], "refused(malformed_event)"),
        ("part 3 of 2", vec![slice(3, 2, "S1")], "refused(malformed_event)"),
    ];
    for (what, events, expected) in rows {
        world.say(what, ALICE, 1, &events, expected);
    }
}

fn answers(world: &mut World) {
    let events = |id: &str| encode(&[event(id, commission(LOT))]);
    let issued = IssuedAt::from_nanos(NOW);
    let log_id = world.state.log_id();
    let mut fork = world.signer(BOB, 2);
    let good = world.statement(BOB, 2, &[event("x", commission(LOT))]);
    let mut flipped = good.to_vec();
    *flipped.last_mut().unwrap() ^= 1;
    let foreign = {
        let mut genesis = genesis();
        genesis.origin = "ledger.example/other".into();
        let entry = genesis_entry(genesis, RecordedAt::from_nanos(NOW)).unwrap();
        let other = LedgerState::from_genesis(&entry).unwrap().log_id();
        let mut signer = FeedSigner::new(key(2), other, BOB.into(), FeedSequence::NONE, Hash::ZERO);
        signer.sign(issued, &events("x")).envelope
    };
    let at = |last: u64, hash| {
        let mut signer = FeedSigner::new(key(2), log_id, BOB.into(), FeedSequence::new(last), hash);
        signer.sign(issued, &events("y")).envelope
    };
    let (gap, broken) = (at(4, Hash::of(&[b"?"])), at(1, Hash::of(&[b"?"])));
    let second = fork.sign(issued, &events("fork")).envelope;
    let third = at(0, Hash::ZERO);
    let rows: Vec<(&str, Bytes, &str)> = vec![
        ("nothing at all", Bytes::new(), "malformed"),
        ("a flipped bit in the signature", flipped.into(), "bad_signature"),
        ("for another ledger", foreign, "other_ledger"),
        ("sequence 5 first", gap.clone(), "gap"),
        ("sequence 1", good.clone(), "admitted"),
        ("sequence 1 again", good.clone(), "duplicate"),
        ("another sequence 1", second.clone(), "equivocation"),
        ("the same again", second, "equivocation again"),
        ("a third sequence 1", third, "equivocation again"),
        ("sequence 2 on another chain", broken, "chain_broken"),
        ("sequence 5", gap, "gap"),
    ];
    for (what, message, expected) in rows {
        world.submit(what, &message, expected);
    }
    let many: Vec<_> = (0..9).map(|n| event(&format!("m{n}"), owners(BOB))).collect();
    world.say(
        "nine events where eight are taken",
        BOB,
        2,
        &many,
        "refused(over_limit)",
    );
    world.say("the feed goes on", BOB, 2, &many[..8], "admitted");
    let changed = v1::ParametersChanged {
        parameters: v1::Parameters {
            statement_len_max: 500,
            ..parameters()
        }
        .encode_to_vec(),
        rules_version: lotproof::register::RULES_VERSION,
    };
    world.act(
        "shorter statements",
        &[event("p", Kind::ParametersChanged(changed))],
    );
    world.say("a long statement", BOB, 2, &many[..8], "refused(over_limit)");
    world.say("a short one", BOB, 2, &many[..1], "admitted");
    let changed = v1::ParametersChanged {
        parameters: parameters().encode_to_vec(),
        rules_version: lotproof::register::RULES_VERSION,
    };
    world.act(
        "as long as before",
        &[event("p", Kind::ParametersChanged(changed))],
    );
    world.say("the long one again", BOB, 2, &many[..8], "admitted");
    world.submit("what is in the log stays receipted", &good, "duplicate");
}

fn keys(world: &mut World) {
    let lot = [event("x", commission(LOT))];
    let last = world.state.feed(key(1).feed()).unwrap().last().get();
    let rotate = Kind::KeyRotated(v1::KeyRotated {
        key: public(1),
        last_sequence: last + 1,
        successor: public(3),
    });
    world.act("Alice's key is rotated", &[event("rotate", rotate)]);
    world.say("what was under way lands", ALICE, 1, &lot, "admitted");
    world.say("beyond the last sequence", ALICE, 1, &lot, "feed_closed");
    world.say("the successor goes on", ALICE, 3, &lot, "admitted");
    world.act("another key for Bob", &[event("another", authorise(BOB, 4))]);
    world.say("Bob's other key", BOB, 4, &lot, "admitted");
    let compromised = Kind::KeyCompromised(v1::KeyCompromised {
        key: public(4),
        since: NOW,
    });
    world.act("it is compromised", &[event("compromised", compromised)]);
    world.say("and says no more", BOB, 4, &lot, "feed_closed");
    world.act("and is not enrolled again", &[event("again", authorise(BOB, 4))]);
    world.say("not enrolled again", BOB, 4, &lot, "feed_closed");
    let closed = Kind::FeedClosed(v1::FeedClosed { key: public(2) });
    world.act("Bob's feed is closed", &[event("closed", closed)]);
    world.say("a closed feed", BOB, 2, &lot, "feed_closed");
    let retired = Kind::KeyRetired(v1::KeyRetired {
        key: public(3),
        last_sequence: 1,
    });
    world.act("Alice's key is retired", &[event("retired", retired)]);
    world.say("a retired key", ALICE, 3, &lot, "feed_closed");
    let ends = |id: &str, seed, last_sequence| {
        let key = public(seed);
        event(id, Kind::KeyRetired(v1::KeyRetired { key, last_sequence }))
    };
    world.act("a last sequence is raised", &[ends("raised", 3, 9)]);
    world.say("which has no effect", ALICE, 3, &lot, "feed_closed");
    let further = Kind::KeyRotated(v1::KeyRotated {
        key: public(3),
        last_sequence: 9,
        successor: public(7),
    });
    world.act("nor has a rotation that raises it", &[event("further", further)]);
    world.say("no successor", ALICE, 7, &lot, "unknown_key");
    let since = |id: &str, seed, since| {
        let key = public(seed);
        event(id, Kind::KeyCompromised(v1::KeyCompromised { key, since }))
    };
    let late = [
        since("late-1", 1, NOW + 5),
        since("late-2", 2, NOW + 5),
        since("late-3", 3, NOW + 5),
        since("late-4", 4, NOW + 5),
        since("late-5", 3, NOW - 5),
        since("late-6", 9, NOW),
    ];
    world.act("rotated, closed, retired: compromised all the same", &late);
    let added = Kind::LogKeyAdded(v1::LogKeyAdded { key: public(210) });
    world.act("a second log key", &[event("log-key", added)]);
}

fn authority(world: &mut World) {
    let lot = [event("x", commission(LOT))];
    let change = |id: &str, seeds: &[u8], threshold| {
        let keys = sorted(seeds).into_iter().map(public).collect();
        event(
            id,
            Kind::AuthorityChanged(v1::AuthorityChanged { keys, threshold }),
        )
    };
    world.act("an authority with a party's key", &[change("c1", &[3, 211], 1)]);
    let late = world.state.size().next_index();
    let act = [event("late", authorise(ALICE, 5))];
    world.say("proposed by a key that will go", AUTHORITY, 203, &act, "admitted");
    world.act(
        "the authority changes, the first change had no effect",
        &[change("c2", &[201, 211], 2)],
    );
    world.say(
        "a key of the old authority",
        AUTHORITY,
        203,
        &[event("e", party(BOB))],
        "feed_closed",
    );
    let approval = [approve("late", late, 0)];
    world.say(
        "one key of today stands behind it",
        AUTHORITY,
        211,
        &approval,
        "admitted",
    );
    world.say("which is not enough", ALICE, 5, &lot, "unknown_key");
    world.say("two keys of today", AUTHORITY, 201, &approval, "admitted");
    world.say("are enough", ALICE, 5, &lot, "admitted");
    let alone = world.state.size().next_index();
    let act = [event("alone", authorise(ALICE, 6))];
    world.say("one key alone stands behind it", AUTHORITY, 201, &act, "admitted");
    world.act_by(
        "one key is to be enough",
        (211, 201),
        &[change("c3", &[201, 211], 1)],
    );
    world.say("is enough right then", ALICE, 6, &lot, "admitted");
    world.say(
        "a later approval, and acts since",
        AUTHORITY,
        211,
        &[approve("alone", alone, 0), event("e7", facility(ELSEWHERE))],
        "admitted",
    );
    world.say(
        "at the plant registered since",
        ALICE,
        6,
        &[event("x", commission_at(ELSEWHERE, LOT))],
        "admitted",
    );
    let back = [change("c4", &[203, 211], 1)];
    world.say("a key that left comes back", AUTHORITY, 211, &back, "admitted");
    world.say("which has no effect", AUTHORITY, 203, &lot, "feed_closed");
    stolen_authority(world);
}

/// Acts that wait for an authority they will have, and authority keys that were stolen.
fn stolen_authority(world: &mut World) {
    let change = |id: &str, seeds: &[u8], threshold| {
        let keys = sorted(seeds).into_iter().map(public).collect();
        event(
            id,
            Kind::AuthorityChanged(v1::AuthorityChanged { keys, threshold }),
        )
    };
    let stolen = |id: &str, seed| {
        let (key, since) = (public(seed), NOW);
        event(id, Kind::KeyCompromised(v1::KeyCompromised { key, since }))
    };
    let lot = [event("x", commission(LOT))];
    let two = [change("c5", &[201, 211], 2)];
    world.say("two are to be enough again", AUTHORITY, 201, &two, "admitted");
    let waiting = [
        change("c6", &[201, 211, 212, 213], 2),
        event("w1", authorise(ALICE, 8)),
        change("c7", &[201, 211, 212, 213], 1),
        event("w2", authorise(ALICE, 10)),
    ];
    let index = world.state.size().next_index();
    world.say("four acts wait", AUTHORITY, 201, &waiting, "admitted");
    let add = [approve("c6", index, 0)];
    world.say("four keys", AUTHORITY, 211, &add, "admitted");
    world.say("nothing else yet", ALICE, 8, &lot, "unknown_key");
    let one = [approve("c7", index, 2)];
    world.say(
        "one is enough, for all that wait",
        AUTHORITY,
        212,
        &one,
        "admitted",
    );
    world.say("the second", ALICE, 8, &lot, "admitted");
    world.say("the fourth", ALICE, 10, &lot, "admitted");
    let (three, all) = (
        [change("c8", &[201, 211, 212, 213], 3), stolen("s1", 213)],
        [stolen("s2", 212), event("w3", authorise(ALICE, 11))],
    );
    let index = world.state.size().next_index();
    world.say(
        "three are to be enough, one was stolen",
        AUTHORITY,
        201,
        &three,
        "admitted",
    );
    let approvals = [approve("s1", index, 1)];
    world.say("two say so", AUTHORITY, 211, &approvals, "admitted");
    world.say("and the third", AUTHORITY, 212, &approvals, "admitted");
    world.say("the stolen key", AUTHORITY, 213, &lot, "feed_closed");
    let index = world.state.size().next_index();
    world.say("another was stolen", AUTHORITY, 201, &all, "admitted");
    let approvals = [approve("s2", index, 0), approve("w3", index, 1)];
    world.say("it approves that itself", AUTHORITY, 212, &approvals, "admitted");
    world.say("but two are too few", AUTHORITY, 211, &approvals, "admitted");
    world.say("so it stays", ALICE, 11, &lot, "admitted");
}
