//! Admission as tables: who says what at which sequence, and what becomes of it.

use bytes::Bytes;
use prost::Message as _;

use super::*;
use crate::{
    code::{Outcome, Refusal},
    entry::{Body, Entry},
    id::{FeedSequence, Hash, LeafIndex},
    publish::{FeedSigner, PackLimits, pack_within},
    signature::SigningKey,
    time::{IssuedAt, RecordedAt},
    wire::v1::{self, EventReference, Part, Sealed, SerialRun, event::Kind},
};

mod authority;

const ALICE: &str = "https://id.gs1.org/417/9521230100106";
const BOB: &str = "https://id.gs1.org/417/9521230200103";
const AUTHORITY: &str = "https://authority.example/";
const PLANT: &str = "https://id.gs1.org/414/9521230010016";
const NOW: i64 = 1_770_000_000_000_000_000;
const LOT: &str = "https://id.gs1.org/01/09521231100013/10/A1";

fn key(seed: u8) -> SigningKey {
    SigningKey::from_seed(&[seed; 32])
}

fn authority_keys() -> Vec<SigningKey> {
    let mut keys: Vec<_> = [201, 202, 203].map(key).into();
    keys.sort_by_key(SigningKey::feed);
    keys
}

fn genesis() -> v1::Genesis {
    v1::Genesis {
        origin: "ledger.example/test".into(),
        purpose: v1::Purpose::Test.into(),
        authority: AUTHORITY.into(),
        authority_keys: authority_keys()
            .iter()
            .map(|key| key.feed().as_bytes().to_vec())
            .collect(),
        threshold: 2,
        log_key: key(200).feed().as_bytes().to_vec(),
        rules_version: crate::register::RULES_VERSION,
        parameters: Some(v1::Parameters {
            clock_skew_ms: 1_000,
            clock_jump_ms_max: 60_000,
            statement_len_max: 32_000,
            statement_events_max: 256,
            event_parts_max: 4_096,
            index_interval: 0,
        }),
        follows: None,
    }
}

/// A ledger in memory and the feeds that publish to it.
#[derive(Clone)]
struct World {
    state: LedgerState,
    entries: Vec<Bytes>,
    clock: i64,
}

impl World {
    fn new() -> Self {
        let entry = genesis_entry(genesis(), RecordedAt::from_nanos(NOW)).unwrap();
        Self {
            state: LedgerState::from_genesis(&entry).unwrap(),
            entries: vec![entry],
            clock: NOW,
        }
    }

    /// With Alice and Bob enrolled under keys 1 and 2, and a plant.
    fn enrolled() -> Self {
        let mut world = Self::new();
        let acts = [
            event("e1", party(ALICE)),
            event("e2", party(BOB)),
            event("e3", authorise(ALICE, 1)),
            event("e4", authorise(BOB, 2)),
            event("e5", facility(PLANT)),
        ];
        world.act(&acts);
        world
    }

    fn signer(&self, issuer: &str, key: SigningKey) -> FeedSigner {
        let (last, hash) = self
            .state
            .feed(key.feed())
            .map_or((FeedSequence::NONE, Hash::ZERO), |feed| {
                (feed.last(), feed.last_hash())
            });
        FeedSigner::new(key, self.state.log_id(), issuer.into(), last, hash)
    }

    /// Publishes acts under the first authority key and approves them under the second.
    fn act(&mut self, acts: &[v1::Event]) {
        let [first, second, _] = authority_keys().try_into().unwrap();
        self.enact(first, second, acts);
    }

    fn act_by(&mut self, (first, second): (u8, u8), acts: &[v1::Event]) {
        self.enact(key(first), key(second), acts);
    }

    fn enact(&mut self, first: SigningKey, second: SigningKey, acts: &[v1::Event]) {
        let statement = self
            .signer(AUTHORITY, first)
            .sign(IssuedAt::from_nanos(self.clock), &encode(acts));
        let index = self.state.size().next_index();
        assert_eq!(self.submit(statement.envelope), "admitted");
        let approvals: Vec<_> = (0..)
            .zip(acts)
            .map(|(number, act)| approve(&act.id, index, number))
            .collect();
        let statement = self
            .signer(AUTHORITY, second)
            .sign(IssuedAt::from_nanos(self.clock), &encode(&approvals));
        assert_eq!(self.submit(statement.envelope), "admitted");
    }

    fn submit(&mut self, envelope: Bytes) -> String {
        self.clock += 1_000;
        let recorded_at = RecordedAt::from_nanos(self.clock);
        match Prepared::from_bytes(envelope).and_then(|prepared| self.state.decide(prepared, recorded_at)) {
            Ok(decided) => {
                self.entries.push(decided.to_entry().encode());
                self.state.take(&decided);
                decided.outcome().to_string()
            }
            Err(no_place) => format!("no_place({})", describe(&no_place)),
        }
    }

    fn say(&mut self, issuer: &str, seed: u8, events: &[v1::Event]) -> String {
        let statement = self
            .signer(issuer, key(seed))
            .sign(IssuedAt::from_nanos(self.clock), &encode(events));
        self.submit(statement.envelope)
    }
}

fn describe(no_place: &NoPlace) -> String {
    match no_place {
        NoPlace::Gap { expected } => format!("gap, expected {expected}"),
        NoPlace::ChainBroken { expected } => format!("chain_broken, expected {expected}"),
        NoPlace::Duplicate { index } => format!("duplicate of {index}"),
        NoPlace::Equivocation { first, is_news } => format!("equivocation with {first}, news {is_news}"),
        other => other.answer().unwrap().to_string(),
    }
}

fn encode(events: &[v1::Event]) -> Vec<Bytes> {
    events.iter().map(|event| event.encode_to_vec().into()).collect()
}

fn event(id: &str, kind: Kind) -> v1::Event {
    v1::Event {
        id: id.into(),
        event_time: NOW,
        utc_offset_minutes: 540,
        kind: Some(kind),
        ..Default::default()
    }
}

fn party(party: &str) -> Kind {
    Kind::PartyEnrolled(v1::PartyEnrolled {
        party: party.into(),
        legal_name: "Maker".into(),
        ..Default::default()
    })
}

fn facility(facility: &str) -> Kind {
    let country = "KR".into();
    Kind::FacilityRegistered(v1::FacilityRegistered {
        facility: facility.into(),
        country,
        operator: ALICE.into(),
        ..Default::default()
    })
}

fn authorise(party: &str, seed: u8) -> Kind {
    let key = key(seed).feed().as_bytes().to_vec();
    Kind::KeyAuthorised(v1::KeyAuthorised {
        party: party.into(),
        key,
        replaces: Vec::new(),
    })
}

fn approve(id: &str, index: LeafIndex, number: u32) -> v1::Event {
    let act = Some(EventReference {
        leaf_index: index.get(),
        event_number: number,
    });
    event(
        &format!("approve-{id}"),
        Kind::ActApproved(v1::ActApproved { act }),
    )
}

fn commission(lot: &str) -> Kind {
    let items = vec![v1::Item {
        lot: lot.into(),
        quantity: Some(v1::Quantity {
            value: "1200".into(),
            unit: "KGM".into(),
        }),
        ..Default::default()
    }];
    Kind::Commissioned(v1::Commissioned {
        facility: PLANT.into(),
        items,
        ..Default::default()
    })
}

fn slice(number: u32, count: u32, serial: &str) -> v1::Event {
    let serials = vec![SerialRun {
        prefix: "https://id.gs1.org/01/09521231100013/21/".into(),
        suffixes: vec![serial.into()],
    }];
    let mut event = event(
        "long",
        Kind::Commissioned(v1::Commissioned {
            serials,
            ..Default::default()
        }),
    );
    event.part = Some(Part { number, count });
    event
}

#[test]
fn every_refusal_has_its_row() {
    let ownership = |party: &str| {
        Kind::OwnershipDeclared(v1::OwnershipDeclared {
            party: party.into(),
            ownership_complete: Some(true),
            owners: vec![],
        })
    };
    let mut sealed = event("x", commission(LOT));
    sealed.sealed = vec![Sealed {
        path: "64.3.0.2".into(),
        digest: vec![7; 32],
    }];
    let mut twice = event("x", commission(LOT));
    twice.utc_offset_minutes = 1_081;
    let mut long = event("x", commission(LOT));
    long.epcis = Some(v1::EpcisView {
        residue: format!("{{\"a\":\"{}\"}}", "x".repeat(32_700)),
        ..v1::EpcisView::default()
    });
    let hearsay = v1::Event {
        reported: Some(v1::Reported {
            document: vec![1; 32],
            ..Default::default()
        }),
        ..event("x", party(BOB))
    };
    let mut nowhere = event("x", commission(LOT));
    nowhere.sealed = vec![Sealed {
        path: "64.9".into(),
        digest: vec![7; 32],
    }];
    let unknown_place = |mut event: v1::Event| {
        let Some(Kind::Commissioned(commissioned)) = &mut event.kind else {
            unreachable!()
        };
        commissioned.facility = "https://id.gs1.org/414/9521230020015".into();
        event
    };
    let reported = v1::Event {
        reported: Some(v1::Reported {
            document: vec![1; 32],
            ..Default::default()
        }),
        ..unknown_place(event("r", commission(LOT)))
    };
    let ahead = |nanos| v1::Event {
        event_time: NOW + nanos,
        ..event("x", commission(LOT))
    };
    let approval = event(
        "x",
        Kind::ActApproved(v1::ActApproved {
            act: Some(EventReference::default()),
        }),
    );
    let rows: Vec<(&str, u8, &str, v1::Event, &str)> = vec![
        (ALICE, 1, "commission", event("x", commission(LOT)), "admitted"),
        (
            ALICE,
            1,
            "offset of more than 18 hours",
            twice,
            "refused(malformed_event)",
        ),
        (
            ALICE,
            1,
            "seals what is no field",
            nowhere,
            "refused(malformed_event)",
        ),
        (
            ALICE,
            1,
            "no kind",
            v1::Event {
                kind: None,
                ..event("x", commission(LOT))
            },
            "refused(unknown_event)",
        ),
        (
            ALICE,
            1,
            "lot by its EPC URN",
            event("x", commission("urn:epc:class:lgtin:9521231.010001.A1")),
            "refused(identifier_not_normal)",
        ),
        (
            ALICE,
            1,
            "serial with its lot in the link",
            event(
                "x",
                commission("https://id.gs1.org/01/09521231100013/10/A1/21/S1"),
            ),
            "refused(identifier_not_normal)",
        ),
        (
            ALICE,
            1,
            "quantity sealed and present",
            sealed,
            "refused(sealed_and_present)",
        ),
        (
            BOB,
            1,
            "Alice's key in Bob's name",
            event("x", commission(LOT)),
            "refused(wrong_party)",
        ),
        (
            ALICE,
            1,
            "Bob's owners",
            event("x", ownership(BOB)),
            "refused(wrong_party)",
        ),
        (
            ALICE,
            1,
            "her own owners",
            event("x", ownership(ALICE)),
            "admitted",
        ),
        (
            ALICE,
            1,
            "part 2 first",
            slice(2, 2, "S2"),
            "refused(part_out_of_place)",
        ),
        (
            ALICE,
            1,
            "enrols a party",
            event("x", party(BOB)),
            "refused(unauthorised)",
        ),
        (ALICE, 1, "approves an act", approval, "refused(unauthorised)"),
        (ALICE, 1, "an act, reported", hearsay, "refused(malformed_event)"),
        (
            ALICE,
            1,
            "more than this ledger takes",
            long,
            "refused(over_limit)",
        ),
        (
            ALICE,
            1,
            "a plant nobody registered",
            unknown_place(event("x", commission(LOT))),
            "refused(unknown_facility)",
        ),
        (ALICE, 1, "the same, reported", reported, "admitted"),
        (
            ALICE,
            1,
            "an hour ahead",
            ahead(3_600_000_000_000),
            "refused(time_ahead)",
        ),
        (ALICE, 1, "just within the skew", ahead(900_000_000), "admitted"),
    ];
    let mut world = World::enrolled();
    let mut covered = std::collections::BTreeSet::new();
    for (issuer, seed, what, event, expected) in rows {
        assert_eq!(world.say(issuer, seed, &[event]), expected, "{what}");
        covered.insert(expected);
    }
    for refusal in Refusal::ALL {
        assert!(
            covered.contains(Outcome::Refused(*refusal).to_string().as_str()),
            "{refusal} has no row"
        );
    }
}

#[test]
fn every_answer_has_its_row() {
    let mut world = World::enrolled();
    let sign = |world: &World, seed| {
        world
            .signer(ALICE, key(seed))
            .sign(IssuedAt::from_nanos(NOW), &encode(&[event("x", commission(LOT))]))
    };
    let good = sign(&world, 1).envelope;
    let flipped = |at: usize| {
        let mut bytes = good.to_vec();
        bytes[at] ^= 1;
        Bytes::from(bytes)
    };
    let elsewhere = {
        let mut other = genesis();
        other.origin = "ledger.example/other".into();
        let entry = genesis_entry(other, RecordedAt::from_nanos(NOW)).unwrap();
        let log_id = LedgerState::from_genesis(&entry).unwrap().log_id();
        let mut signer = FeedSigner::new(key(1), log_id, ALICE.into(), FeedSequence::NONE, Hash::ZERO);
        signer
            .sign(IssuedAt::from_nanos(NOW), &encode(&[event("x", commission(LOT))]))
            .envelope
    };
    let at = |last: u64, hash| {
        let mut signer = FeedSigner::new(
            key(1),
            world.state.log_id(),
            ALICE.into(),
            FeedSequence::new(last),
            hash,
        );
        signer
            .sign(IssuedAt::from_nanos(NOW), &encode(&[event("y", commission(LOT))]))
            .envelope
    };
    let (gap, broken, other_first) = (
        at(4, Hash::of(&[b"?"])),
        at(1, Hash::of(&[b"?"])),
        at(0, Hash::ZERO),
    );
    let stranger = sign(&world, 9).envelope;
    let rows: Vec<(&str, Bytes, &str)> = vec![
        (
            "longer than any envelope",
            Bytes::from(vec![0; 65_001]),
            "no_place(oversize)",
        ),
        ("nothing", Bytes::new(), "no_place(malformed)"),
        (
            "a bit of the signature flipped",
            flipped(good.len() - 1),
            "no_place(bad_signature)",
        ),
        ("for another ledger", elsewhere, "no_place(other_ledger)"),
        ("a key nobody enrolled", stranger, "no_place(unknown_key)"),
        ("sequence 5 first", gap.clone(), "no_place(gap, expected 1)"),
        ("sequence 1", good.clone(), "admitted"),
        ("sequence 1 again", good.clone(), "no_place(duplicate of 3)"),
        (
            "another sequence 1",
            other_first.clone(),
            "no_place(equivocation with 3, news true)",
        ),
        (
            "sequence 2 on another chain",
            broken,
            "no_place(chain_broken, expected 2)",
        ),
        ("sequence 5", gap, "no_place(gap, expected 2)"),
    ];
    for (what, envelope, expected) in rows {
        assert_eq!(world.submit(envelope), expected, "{what}");
    }
    let close = Kind::FeedClosed(v1::FeedClosed {
        key: key(1).feed().as_bytes().to_vec(),
    });
    world.act(&[event("close", close)]);
    assert_eq!(
        world.say(ALICE, 1, &[event("z", commission(LOT))]),
        "no_place(feed_closed)"
    );
    assert_eq!(
        world.submit(good),
        "no_place(duplicate of 3)",
        "what is in the log stays receipted"
    );
}

#[test]
fn evidence_is_recorded_once_and_the_feed_goes_on_with_the_first() {
    let mut world = World::enrolled();
    let mut fork = world.signer(ALICE, key(1));
    assert_eq!(world.say(ALICE, 1, &[event("a", commission(LOT))]), "admitted");
    let second = fork
        .sign(IssuedAt::from_nanos(NOW), &encode(&[event("b", commission(LOT))]))
        .envelope;
    let evidence = |envelope: &Bytes, clock| Entry {
        recorded_at: RecordedAt::from_nanos(clock),
        body: Body::Evidence {
            first_index: LeafIndex::new(3),
            envelope: envelope.clone(),
        },
    };
    let entry = evidence(&second, world.clock);
    assert_eq!(Entry::decode(&entry.encode()).as_ref(), Ok(&entry));
    world.state.take_own(&entry).unwrap();
    assert_eq!(
        world.submit(second.clone()),
        "no_place(equivocation with 3, news false)"
    );
    assert_eq!(
        world.state.take_own(&entry).err(),
        Some(FoldError::Evidence),
        "once is enough"
    );
    assert_eq!(world.say(ALICE, 1, &[event("c", commission(LOT))]), "admitted");
}

#[test]
fn parts_are_adjacent_equal_but_for_their_slices_and_abandoned_by_anything_else() {
    let mut world = World::enrolled();
    let other_scalars = {
        let mut event = slice(3, 3, "S3");
        event.utc_offset_minutes = 0;
        event
    };
    let rows: Vec<(&str, Vec<v1::Event>, &str)> = vec![
        ("1 and 2", vec![slice(1, 3, "S1"), slice(2, 3, "S2")], "admitted"),
        ("3 in the next statement", vec![slice(3, 3, "S3")], "admitted"),
        ("3 again", vec![slice(3, 3, "S3")], "refused(part_out_of_place)"),
        ("1", vec![slice(1, 3, "S1")], "admitted"),
        ("1 again starts anew", vec![slice(1, 3, "S1")], "admitted"),
        ("3 skips 2", vec![slice(3, 3, "S3")], "refused(part_out_of_place)"),
        (
            "2 after a refusal",
            vec![slice(2, 3, "S2")],
            "refused(part_out_of_place)",
        ),
        (
            "an event between",
            vec![slice(1, 2, "S1"), event("x", commission(LOT)), slice(2, 2, "S2")],
            "refused(part_out_of_place)",
        ),
        (
            "other scalars",
            vec![slice(1, 3, "S1"), slice(2, 3, "S2"), other_scalars],
            "refused(part_out_of_place)",
        ),
        (
            "part of a kind without a list",
            vec![v1::Event {
                part: Some(Part { number: 1, count: 2 }),
                ..event(
                    "x",
                    Kind::ShipmentLapsed(v1::ShipmentLapsed { shipment: LOT.into() }),
                )
            }],
            "refused(malformed_event)",
        ),
        ("part 0", vec![slice(0, 2, "S1")], "refused(malformed_event)"),
        ("part 3 of 2", vec![slice(3, 2, "S1")], "refused(malformed_event)"),
    ];
    for (what, events, expected) in rows {
        assert_eq!(world.say(ALICE, 1, &events), expected, "{what}");
    }
}

#[test]
fn an_act_takes_effect_once_at_the_second_distinct_key() {
    let mut world = World::new();
    let [a, b, c] = authority_keys().map_signers(&world);
    let (mut a, mut b, mut c) = (a, b, c);
    let issued = IssuedAt::from_nanos(NOW);
    let proposal = a.sign(
        issued,
        &encode(&[event("e", party(ALICE)), event("k", authorise(ALICE, 1))]),
    );
    let index = world.state.size().next_index();
    assert_eq!(world.submit(proposal.envelope), "admitted");
    assert!(
        world.state.register().party(ALICE).is_none(),
        "one key is not enough"
    );
    let own = a.sign(issued, &encode(&[approve("e", index, 0)]));
    assert_eq!(world.submit(own.envelope), "admitted");
    assert!(
        world.state.register().party(ALICE).is_none(),
        "the same key twice is one key"
    );
    let key_first = b.sign(issued, &encode(&[approve("k", index, 1), approve("e", index, 0)]));
    assert_eq!(world.submit(key_first.envelope), "admitted");
    assert!(world.state.register().party(ALICE).is_some());
    assert!(
        world.state.register().key(key(1).feed()).is_none(),
        "a key for nobody has no effect, then or later"
    );
    let late = c.sign(issued, &encode(&[approve("k", index, 1), approve("e", index, 0)]));
    assert_eq!(world.submit(late.envelope), "admitted");
    assert!(world.state.register().key(key(1).feed()).is_none());
    assert_eq!(world.state.register().pending_acts().count(), 0);
    world.act(&[event("k2", authorise(ALICE, 1))]);
    assert_eq!(
        world.say(
            ALICE,
            1,
            &[event(
                "x",
                Kind::ShipmentLapsed(v1::ShipmentLapsed { shipment: LOT.into() })
            )]
        ),
        "admitted"
    );
}

trait MapSigners {
    fn map_signers(self, world: &World) -> [FeedSigner; 3];
}

impl MapSigners for Vec<SigningKey> {
    fn map_signers(self, world: &World) -> [FeedSigner; 3] {
        let signers: Vec<_> = self.into_iter().map(|key| world.signer(AUTHORITY, key)).collect();
        signers.try_into().unwrap()
    }
}

#[test]
fn a_rotated_key_lands_what_was_under_way_and_nothing_after() {
    let mut world = World::enrolled();
    assert_eq!(world.say(ALICE, 1, &[event("a", commission(LOT))]), "admitted");
    let rotate = Kind::KeyRotated(v1::KeyRotated {
        key: key(1).feed().as_bytes().to_vec(),
        last_sequence: 2,
        successor: key(3).feed().as_bytes().to_vec(),
    });
    world.act(&[event("rotate", rotate)]);
    assert_eq!(world.say(ALICE, 1, &[event("b", commission(LOT))]), "admitted");
    assert_eq!(
        world.say(ALICE, 1, &[event("c", commission(LOT))]),
        "no_place(feed_closed)"
    );
    assert_eq!(world.say(ALICE, 3, &[event("c", commission(LOT))]), "admitted");
}

#[test]
fn a_changed_authority_counts_only_its_own_keys() {
    let mut world = World::new();
    let mut keys: Vec<_> = [key(211), key(212)]
        .iter()
        .map(|key| key.feed().as_bytes().to_vec())
        .collect();
    keys.sort();
    world.act(&[event(
        "change",
        Kind::AuthorityChanged(v1::AuthorityChanged { keys, threshold: 2 }),
    )]);
    let old = authority_keys().remove(0);
    assert_eq!(
        world.submit(
            world
                .signer(AUTHORITY, old)
                .sign(IssuedAt::from_nanos(NOW), &encode(&[event("e", party(ALICE))]))
                .envelope
        ),
        "no_place(feed_closed)"
    );
    assert_eq!(world.say(AUTHORITY, 211, &[event("e", party(ALICE))]), "admitted");
}

#[test]
fn replaying_the_entries_gives_the_same_state_and_every_prefix_is_one() {
    let mut world = World::enrolled();
    world.say(ALICE, 1, &[slice(1, 2, "S1")]);
    world.say(ALICE, 1, &[event("x", party(BOB))]);
    world.say(BOB, 2, &[event("y", commission(LOT))]);
    let mut replayed = LedgerState::from_genesis(&world.entries[0]).unwrap();
    for entry in &world.entries[1..] {
        replayed.take_entry(entry).unwrap();
    }
    assert_eq!(replayed, world.state);
    assert!(matches!(
        replayed.take_entry(&world.entries[1]),
        Err(FoldError::TimeReversed { .. })
    ));
    let mut again = Entry::decode(&world.entries[1]).unwrap();
    again.recorded_at = replayed.recorded_at();
    assert_eq!(
        replayed.take_entry(&again.encode()).err(),
        Some(FoldError::FeedBroken)
    );
}

#[test]
fn parameters_change_from_the_next_index_on() {
    let mut world = World::enrolled();
    let mut parameters = genesis().parameters.unwrap();
    parameters.statement_events_max = 1;
    let change = v1::ParametersChanged {
        parameters: parameters.encode_to_vec(),
        rules_version: crate::register::RULES_VERSION,
    };
    world.act(&[event("p", Kind::ParametersChanged(change))]);
    let two = [event("a", commission(LOT)), event("b", commission(LOT))];
    assert_eq!(world.say(ALICE, 1, &two), "refused(over_limit)");
    assert_eq!(world.say(ALICE, 1, &two[..1]), "admitted");
}

/// Signed when the limits allowed it, arrived when they no longer did: it takes its place all the same, and
/// what was signed after it lands.
#[test]
fn a_lowered_limit_blocks_no_feed() {
    let world = World::enrolled();
    let long_event = |id| v1::Event {
        epcis: Some(v1::EpcisView {
            residue: format!("{{\"a\":\"{}\"}}", "x".repeat(320)),
            ..v1::EpcisView::default()
        }),
        ..event(id, commission(LOT))
    };
    let two = [long_event("a"), long_event("b")];
    let mut signer = FeedSigner::new(
        key(1),
        world.state.log_id(),
        ALICE.into(),
        FeedSequence::NONE,
        Hash::ZERO,
    );
    let long = signer.sign(IssuedAt::from_nanos(NOW), &encode(&two)).envelope;
    let short = signer
        .sign(IssuedAt::from_nanos(NOW), &encode(&two[..1]))
        .envelope;
    for lower in [
        |parameters: &mut v1::Parameters| parameters.statement_events_max = 1,
        |parameters: &mut v1::Parameters| parameters.statement_len_max = 1_000,
    ] {
        let mut world = world.clone();
        let mut parameters = genesis().parameters.unwrap();
        lower(&mut parameters);
        let change = v1::ParametersChanged {
            parameters: parameters.encode_to_vec(),
            rules_version: crate::register::RULES_VERSION,
        };
        world.act(&[event("p", Kind::ParametersChanged(change))]);
        assert_eq!(world.submit(long.clone()), "refused(over_limit)");
        assert_eq!(world.submit(short.clone()), "admitted");
        let limits = PackLimits::of(world.state.register().parameters());
        let packed = pack_within(&two, limits).unwrap();
        assert_eq!(packed.len(), 2, "one event each");
        for events in packed {
            let statement = world
                .signer(ALICE, key(1))
                .sign(IssuedAt::from_nanos(NOW), &events);
            assert_eq!(world.submit(statement.envelope), "admitted");
        }
    }
}

#[test]
fn a_genesis_that_contradicts_itself_makes_no_ledger() {
    let broken = |change: fn(&mut v1::Genesis)| {
        let mut genesis = genesis();
        change(&mut genesis);
        genesis_entry(genesis, RecordedAt::from_nanos(NOW)).is_err()
    };
    assert!(!broken(|_| {}));
    assert!(broken(|genesis| genesis.purpose = 0));
    assert!(broken(|genesis| genesis.origin = "a+b".into()));
    assert!(broken(|genesis| genesis.threshold = 0));
    assert!(broken(|genesis| genesis.threshold = 4));
    assert!(broken(|genesis| genesis.authority_keys.reverse()));
    assert!(broken(|genesis| genesis.authority_keys.clear()));
    assert!(broken(|genesis| genesis.rules_version = 1));
    assert!(broken(|genesis| genesis.rules_version = 3));
    assert!(broken(|genesis| genesis.parameters = None));
    assert!(broken(|genesis| genesis
        .parameters
        .as_mut()
        .unwrap()
        .statement_len_max = 64_001));
    assert!(broken(|genesis| genesis.log_key = vec![0; 32]));
    assert!(broken(|genesis| genesis.authority = "Authority".into()));
}
