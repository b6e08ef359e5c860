//! Each anomaly with a chain that shows it and the nearest one that does not; standing throughout.

use super::*;

use AnomalyKind as Found;
use Weight::{Lot, Signer};

/// The honest chain with `more` said afterwards.
fn with(more: impl IntoIterator<Item = Said>) -> Projection {
    let mut chain = honest_chain();
    chain.extend(more);
    project(&chain)
}

fn refers(mut said: Said, issuer: &'static str, id: &'static str) -> Said {
    said.about = Some((issuer, id));
    said
}

fn void(issuer: &'static str, id: &str, hour: i64, of: &'static str) -> Said {
    refers(
        say(issuer, id, hour, Kind::Voided(v1::Voided::default())),
        issuer,
        of,
    )
}

#[test]
fn more_used_than_made_weighs_on_the_lot_of_a_holder() {
    let cheat = |amount| {
        with([transform(
            MINE,
            "m8",
            30,
            vec![kg(ORE, amount)],
            vec![kg("urn:mine:conc-2", "100")],
        )])
    };
    assert_eq!(kinds_at(&cheat("400"), ORE), []);
    // Scales honestly differ: half a per cent of what was made is no contradiction.
    assert_eq!(kinds_at(&cheat("405"), ORE), []);
    let projection = cheat("405.001");
    assert_eq!(kinds_at(&projection, ORE), [(Found::ConsumedMoreThanMade, Lot)]);
    let anomaly = &projection.anomalies()[0];
    assert_eq!(anomaly.facts[0].event_id, "m8");
    assert_eq!(anomaly.outputs, ["urn:mine:conc-2"]);
    assert_eq!(anomaly.detail, "used 1005.001 kg of 1000 kg");
    // Seen from what was made of it, too.
    assert_eq!(
        projection.anomalies_of("urn:mine:conc-2"),
        std::slice::from_ref(anomaly)
    );
    assert_eq!(projection.anomalies_of(SALT), []);
}

#[test]
fn short_tons_and_kilograms_are_one_account() {
    let uses = |amount| {
        let made = v1::Item {
            lot: "urn:mine:ore-2".to_owned(),
            quantity: qty("1", "STN"),
            ..Default::default()
        };
        let makes = v1::Commissioned {
            items: vec![made],
            ..Default::default()
        };
        let outputs = vec![kg("urn:mine:conc-2", "1")];
        with([
            say(MINE, "m8", 30, Kind::Commissioned(makes)),
            transform(MINE, "m9", 31, vec![kg("urn:mine:ore-2", amount)], outputs),
        ])
    };
    assert_eq!(uses("907.18474").anomalies(), []);
    let projection = uses("5000");
    assert_eq!(
        kinds_at(&projection, "urn:mine:ore-2"),
        [(Found::ConsumedMoreThanMade, Lot)]
    );
    assert_eq!(projection.anomalies()[0].detail, "used 5000 kg of 907.18474 kg");
}

#[test]
fn a_holder_cannot_use_more_than_came_to_him() {
    let ships = |amount| with([ship(REFINERY, "r8", 30, kg(SALT, amount), PACKS)]);
    assert_eq!(ships("100").anomalies(), []);
    // The maker's account is the lot's own, another's is his alone.
    let projection = ships("102");
    assert_eq!(kinds_at(&projection, SALT), [(Found::ConsumedMoreThanMade, Lot)]);
    assert_eq!(projection.anomalies()[0].detail, "used 302 kg of 300 kg");
    let uses = |amount| {
        with([transform(
            CELLS,
            "c8",
            30,
            vec![kg(SALT, amount)],
            vec![kg("urn:cells:slurry", "1")],
        )])
    };
    assert_eq!(uses("50").anomalies(), []);
    let projection = uses("52");
    assert_eq!(kinds_at(&projection, SALT), [(Found::UsedMoreThanHeld, Signer)]);
    assert_eq!(
        projection.anomalies()[0].detail,
        "urn:party:cells used and let go of 202 kg, and had 200 kg"
    );
    // Everything made of what he had is open, what others made of the lot is not.
    assert_eq!(
        projection.anomalies()[0].outputs,
        ["urn:cells:cell-0001", CELL_LOT, "urn:cells:slurry"]
    );
}

#[test]
fn a_pallet_is_shipped_by_who_packed_or_received_it() {
    let ships = |who: &'static str| {
        with([say(
            who,
            "x1",
            30,
            Kind::Shipped(v1::Shipped {
                units: vec![PALLET.to_owned()],
                ..Default::default()
            }),
        )])
    };
    assert_eq!(ships(PACKS).anomalies(), []);
    assert_eq!(
        kinds_at(&ships(STRANGER), PALLET),
        [(Found::ShippedWithoutCustody, Signer)]
    );
}

#[test]
fn facts_under_a_compromised_key_are_marked() {
    let tainted = |since| {
        let projection = with([say(
            AUTHORITY,
            "compromised",
            60,
            Kind::KeyCompromised(v1::KeyCompromised {
                key: feed(MINE).as_bytes().to_vec(),
                since,
            }),
        )]);
        let facts = projection.lot(ORE).unwrap().facts;
        facts.into_iter().map(|fact| fact.tainted).collect::<Vec<_>>()
    };
    // Recorded at START + 11, 12, 13 and 14.
    assert_eq!(tainted(START + 12), [false, true, false, false]);
}

#[test]
fn pounds_and_kilograms_balance_exactly() {
    let pounds = |value: &str| {
        let item = v1::Item {
            lot: "urn:mine:ore-2".to_owned(),
            quantity: qty(value, "LBR"),
            ..Default::default()
        };
        let chain = [
            register(),
            vec![
                commission(MINE, "m1", 1, kg("urn:mine:ore-2", "0.45359237")),
                transform(MINE, "m2", 2, vec![item], vec![kg("urn:mine:conc-1", "0.1")]),
            ],
        ]
        .concat();
        kinds_at(&project(&chain), "urn:mine:ore-2")
    };
    assert_eq!((pounds("1"), pounds("1.005")), (vec![], vec![]));
    assert_eq!(
        pounds("1.0050000000000000001"),
        [(Found::ConsumedMoreThanMade, Lot)]
    );
}

#[test]
fn pieces_that_are_weighed_balance_through_the_declared_mass() {
    let scrap = |kilograms| {
        with([
            say(
                CELLS,
                "c20",
                0,
                Kind::ProductDeclared(v1::ProductDeclared {
                    product: "urn:cells:type-1".to_owned(),
                    kind: "cell".to_owned(),
                    mass_per_piece: qty("50", "GRM"),
                    ..Default::default()
                }),
            ),
            commission(
                CELLS,
                "c21",
                10,
                v1::Item {
                    product: "urn:cells:type-1".to_owned(),
                    ..pcs("urn:cells:lot-B", "100")
                },
            ),
            say(
                CELLS,
                "c22",
                11,
                Kind::Scrapped(v1::Scrapped {
                    items: vec![kg("urn:cells:lot-B", kilograms)],
                    ..Default::default()
                }),
            ),
        ])
    };
    assert_eq!(kinds_at(&scrap("5"), "urn:cells:lot-B"), []);
    assert_eq!(
        kinds_at(&scrap("5.026"), "urn:cells:lot-B"),
        [(Found::ConsumedMoreThanMade, Lot)]
    );
}

#[test]
fn a_serial_built_in_twice_is_spent_twice() {
    let build = |numbers: [u32; 1]| {
        with([say(
            PACKS,
            "p9",
            20,
            Kind::Assembled(v1::Assembled {
                parent: "urn:packs:pack-0002".to_owned(),
                serials: cells(numbers),
                ..Default::default()
            }),
        )])
    };
    assert_eq!(build([5]).anomalies(), []);
    assert_eq!(
        kinds_at(&build([4]), "urn:cells:cell-0004"),
        [(Found::ConsumedMoreThanMade, Lot)]
    );
}

#[test]
fn an_input_that_nobody_made_is_open_and_contradicts_nothing() {
    let projection = with([transform(
        REFINERY,
        "r8",
        30,
        vec![kg("urn:mine:ore-9", "1")],
        vec![kg("urn:refinery:salt-9", "1")],
    )]);
    assert_eq!(projection.anomalies(), []);
    assert!(projection.lot("urn:mine:ore-9").unwrap().unknown);
    let up = projection
        .provenance("urn:refinery:salt-9", Direction::Up, Bounds::default())
        .unwrap();
    assert!(up.nodes[1].unknown);
}

#[test]
fn using_what_one_never_held_weighs_on_the_user() {
    let use_salt = |who: &'static str, lot: &str| {
        with([transform(who, "x1", 30, vec![kg(SALT, "1")], vec![kg(lot, "1")])])
    };
    assert_eq!(use_salt(CELLS, "urn:cells:other").anomalies(), []);
    let projection = use_salt(STRANGER, "urn:stranger:mix");
    assert_eq!(
        kinds_at(&projection, SALT),
        [(Found::ConsumedWithoutCustody, Signer)]
    );
    assert_eq!(projection.anomalies()[0].signer, STRANGER);
}

#[test]
fn shipping_what_one_never_held_weighs_on_the_shipper() {
    let honest = with([ship(CELLS, "x1", 30, kg(SALT, "10"), PACKS)]);
    assert_eq!(honest.anomalies(), []);
    let projection = with([ship(STRANGER, "x1", 30, kg(SALT, "10"), PACKS)]);
    assert_eq!(
        kinds_at(&projection, SALT),
        [(Found::ShippedWithoutCustody, Signer)]
    );
}

#[test]
fn receiving_what_was_never_shipped_weighs_on_the_receiver() {
    let receives = |who: &'static str, amount| with([receive(who, "x1", 30, kg(SALT, amount))]);
    assert_eq!(
        kinds_at(&receives(PACKS, "10"), SALT),
        [(Found::ReceivedNeverShipped, Signer)]
    );
    // A shipment to somebody else does not fit; one that claims to have left later does, clocks differ.
    let other = with([
        receive(PACKS, "x1", 30, kg(SALT, "10")),
        ship(REFINERY, "x2", 29, kg(SALT, "10"), MINE),
    ]);
    assert_eq!(kinds_at(&other, SALT), [(Found::ReceivedNeverShipped, Signer)]);
    for left in [29, 31] {
        let fits = with([
            receive(PACKS, "x1", 30, kg(SALT, "10")),
            ship(REFINERY, "x2", left, kg(SALT, "10"), PACKS),
        ]);
        assert_eq!(fits.anomalies(), []);
    }
    // More than was shipped is named with the amounts, beyond what scales differ by.
    assert_eq!(receives(CELLS, "1").anomalies(), []);
    let over = receives(CELLS, "10");
    assert_eq!(kinds_at(&over, SALT), [(Found::ReceivedMoreThanShipped, Signer)]);
    assert_eq!(
        over.anomalies()[0].detail,
        "urn:party:cells received 210 kg of 200 kg that were shipped: 10 kg out of nothing"
    );
}

#[test]
fn a_serial_is_commissioned_once() {
    let again = |number| {
        with([say(
            CELLS,
            "c9",
            30,
            Kind::Commissioned(v1::Commissioned {
                serials: cells([number, 90]),
                ..Default::default()
            }),
        )])
    };
    let twice = |number| {
        with([9, 10].map(|hour| {
            say(
                CELLS,
                &format!("c{hour}"),
                hour,
                Kind::Commissioned(v1::Commissioned {
                    serials: cells([number + u32::try_from(hour).unwrap() / 10]),
                    ..Default::default()
                }),
            )
        }))
    };
    // Commissioned and put out of a step by one party is one making.
    assert_eq!(again(39).anomalies(), []);
    assert_eq!(twice(90).anomalies(), []);
    let both = with([9, 10].map(|hour| {
        say(
            CELLS,
            &format!("c{hour}"),
            hour,
            Kind::Commissioned(v1::Commissioned {
                serials: cells([95]),
                ..Default::default()
            }),
        )
    }));
    assert_eq!(
        kinds_at(&both, "urn:cells:cell-0095"),
        [(Found::CommissionedTwice, Lot)]
    );
}

#[test]
fn more_of_a_lot_by_its_maker_is_more_not_twice() {
    let projection = with([commission(MINE, "m9", 30, kg(ORE, "500"))]);
    assert_eq!(projection.anomalies(), []);
    assert_eq!(projection.lot(ORE).unwrap().made[0].to_string(), "1500 kg");
}

#[test]
fn a_stranger_cannot_poison_a_lot() {
    let honest = project(&honest_chain());
    let projection = with([
        // He commissions it, makes it of his own stuff, uses it up, ships it, and builds into the pack.
        commission(STRANGER, "x0", 0, kg("urn:stranger:dirt", "1000000")),
        commission(STRANGER, "x1", 1, kg(SALT, "999999")),
        transform(
            STRANGER,
            "x2",
            2,
            vec![kg("urn:stranger:dirt", "1")],
            vec![kg(SALT, "1")],
        ),
        transform(
            STRANGER,
            "x3",
            50,
            vec![kg(SALT, "5000")],
            vec![kg("urn:stranger:x", "1")],
        ),
        ship(STRANGER, "x4", 51, kg(SALT, "5000"), STRANGER),
        receive(STRANGER, "x5", 52, kg(SALT, "5000")),
        transform(
            STRANGER,
            "x6",
            53,
            vec![kg(SALT, "5000")],
            vec![kg("urn:stranger:y", "1")],
        ),
        say(
            STRANGER,
            "x7",
            54,
            Kind::Assembled(v1::Assembled {
                parent: PACK.to_owned(),
                items: vec![kg("urn:stranger:dirt", "5")],
                ..Default::default()
            }),
        ),
        say(
            STRANGER,
            "x8",
            55,
            Kind::Held(v1::Held {
                items: vec![kg(SALT, "1")],
                ..Default::default()
            }),
        ),
        say(STRANGER, "x9", 56, Kind::Voided(v1::Voided::default())),
    ]);
    assert!(!projection.anomalies().is_empty());
    for anomaly in projection.anomalies() {
        assert_eq!(anomaly.signer, STRANGER, "{anomaly:?}");
        if !anomaly.lot.starts_with("urn:stranger:") {
            assert_eq!(anomaly.weighs_on, Signer, "{anomaly:?}");
        }
    }
    let up = |projection: &Projection| {
        let mut walk = projection
            .provenance(PACK, Direction::Up, Bounds::default())
            .unwrap();
        for step in &mut walk.steps {
            step.leaf_index = 0;
        }
        walk
    };
    assert_eq!(up(&projection), up(&honest));
    let salt = projection.lot(SALT).unwrap();
    assert_eq!(salt.made[0].to_string(), "300 kg");
    assert!(!salt.on_hold);
    assert_eq!(salt.stock, honest.lot(SALT).unwrap().stock);
    let kinds: Vec<Found> = kinds_at(&projection, SALT)
        .into_iter()
        .map(|(kind, _)| kind)
        .collect();
    for expected in [
        Found::CommissionedTwice,
        Found::CommissionedOutsideNamespace,
        Found::ConsumedWithoutCustody,
        Found::ActedWithoutStanding,
    ] {
        assert!(kinds.contains(&expected), "{expected:?} in {kinds:?}");
    }
}

#[test]
fn a_strangers_void_of_anothers_event_changes_nothing() {
    let voided = with([refers(
        say(STRANGER, "x1", 2, Kind::Voided(v1::Voided::default())),
        MINE,
        "m1",
    )]);
    assert_eq!(voided.anomalies(), []);
    assert_eq!(voided.lot(ORE).unwrap().made[0].to_string(), "1000 kg");
}

#[test]
fn making_in_anothers_namespace_needs_his_delegation() {
    let made = commission(CELLS, "c9", 30, kg("urn:refinery:toll-1", "5"));
    assert_eq!(
        kinds_at(&with([made.clone()]), "urn:refinery:toll-1"),
        [(Found::CommissionedOutsideNamespace, Signer)]
    );
    let granted = say(
        REFINERY,
        "r9",
        0,
        Kind::DelegationGranted(v1::DelegationGranted {
            delegation: "toll".to_owned(),
            reporter: CELLS.to_owned(),
            ..Default::default()
        }),
    );
    assert_eq!(with([made.clone(), granted.clone()]).anomalies(), []);
    let revoked = say(
        REFINERY,
        "r10",
        29,
        Kind::DelegationRevoked(v1::DelegationRevoked {
            delegation: "toll".to_owned(),
        }),
    );
    assert_eq!(
        kinds_at(&with([made, revoked, granted]), "urn:refinery:toll-1"),
        [(Found::CommissionedOutsideNamespace, Signer)]
    );
    let nobodys = with([commission(CELLS, "c9", 30, kg("urn:nobody:1", "5"))]);
    assert_eq!(
        kinds_at(&nobodys, "urn:nobody:1"),
        [(Found::CommissionedOutsideNamespace, Lot)]
    );
}

#[test]
fn nothing_is_made_before_its_inputs() {
    let early = |who: &'static str, hour, made| {
        let mut chain = honest_chain();
        chain.push(transform(
            who,
            "m9",
            hour,
            vec![kg(ORE, "1")],
            vec![kg(made, "1")],
        ));
        project(&chain)
    };
    // Of what one party books itself only totals can contradict, between parties only more than a day.
    assert_eq!(early(MINE, -100, "urn:mine:conc").anomalies(), []);
    assert_eq!(early(REFINERY, -25, "urn:refinery:conc").anomalies(), []);
    let projection = early(REFINERY, -26, "urn:refinery:conc");
    assert_eq!(kinds_at(&projection, ORE), [(Found::MadeBeforeInputs, Lot)]);
    assert!(
        projection
            .anomalies_of("urn:refinery:conc")
            .iter()
            .any(|anomaly| anomaly.kind == Found::MadeBeforeInputs)
    );
}

#[test]
fn a_lot_is_not_its_own_ancestor() {
    let ring = |last: &'static str| {
        let lot = |name: &str| kg(&format!("urn:refinery:ring-{name}"), "1");
        with([
            transform(REFINERY, "x1", 30, vec![lot("c")], vec![lot("a")]),
            transform(REFINERY, "x2", 31, vec![lot("a")], vec![lot("b")]),
            transform(REFINERY, "x3", 32, vec![lot("b")], vec![lot(last)]),
        ])
    };
    let own = |projection: &Projection| {
        projection
            .anomalies()
            .into_iter()
            .filter(|anomaly| anomaly.kind == Found::OwnAncestor)
            .map(|anomaly| (anomaly.lot, anomaly.weighs_on))
            .collect::<Vec<_>>()
    };
    assert_eq!(own(&ring("d")), []);
    assert_eq!(
        own(&ring("c")),
        ["a", "b", "c"].map(|name| (format!("urn:refinery:ring-{name}"), Lot))
    );
    let walk = ring("c");
    let found = walk.anomalies_of("urn:refinery:ring-b");
    assert!(found.iter().any(|anomaly| anomaly.kind == Found::OwnAncestor));
    let walk = walk
        .provenance("urn:refinery:ring-b", Direction::Up, Bounds::default())
        .unwrap();
    assert_eq!(walk.nodes.len(), 3);
}

#[test]
fn the_issuer_of_a_step_is_its_operator_or_asked_by_him() {
    let at = |facility: &str| {
        with([say(
            CELLS,
            "c9",
            30,
            Kind::Transformed(v1::Transformed {
                facility: facility.to_owned(),
                inputs: vec![kg(SALT, "1")],
                outputs: vec![kg("urn:cells:slurry", "1")],
                ..Default::default()
            }),
        )])
    };
    assert_eq!(at("urn:plant:cells").anomalies(), []);
    assert_eq!(
        kinds_at(&at("urn:plant:packs"), "urn:cells:slurry"),
        [(Found::IssuerNotOperator, Lot)]
    );
}

#[test]
fn what_was_used_cannot_be_voided_by_its_maker_alone() {
    let unused = with([
        commission(MINE, "m8", 20, kg("urn:mine:ore-8", "5")),
        void(MINE, "m9", 21, "m8"),
    ]);
    assert_eq!(unused.anomalies(), []);
    assert!(unused.lot("urn:mine:ore-8").unwrap().unknown);

    let used = void(REFINERY, "r9", 40, "r2");
    let projection = with([used.clone()]);
    assert_eq!(kinds_at(&projection, SALT), [(Found::VoidedAfterUse, Lot)]);
    assert_eq!(projection.lot(SALT).unwrap().made[0].to_string(), "300 kg");

    // With an accredited auditor behind it, it takes effect, and what was used is open.
    let auditor = say(
        AUTHORITY,
        "enrol auditor",
        -100,
        Kind::PartyEnrolled(v1::PartyEnrolled {
            party: STRANGER.to_owned(),
            roles: vec!["auditor".to_owned()],
            accreditations: vec!["ISO 17020".to_owned()],
            ..Default::default()
        }),
    );
    let witness = refers(
        say(STRANGER, "w1", 41, Kind::Certified(v1::Certified::default())),
        REFINERY,
        "r9",
    );
    let vouched = with([used.clone(), auditor, witness.clone()]);
    assert_eq!(kinds_at(&vouched, SALT), []);
    assert!(vouched.lot(SALT).unwrap().unknown);
    // Anybody else's word does not do.
    let not_vouched = with([used, witness]);
    assert_eq!(kinds_at(&not_vouched, SALT), [(Found::VoidedAfterUse, Lot)]);
}

#[test]
fn a_correction_replaces_what_was_not_used_yet() {
    let corrected = |hour, amount| {
        with([
            refers(
                say(
                    MINE,
                    "m8",
                    hour,
                    Kind::Corrected(v1::Corrected {
                        corrective_ids: vec!["m9".to_owned()],
                        ..Default::default()
                    }),
                ),
                MINE,
                "m1",
            ),
            commission(MINE, "m9", 1, kg(ORE, amount)),
        ])
    };
    let before_use = corrected(1, "900");
    assert_eq!(before_use.anomalies(), []);
    assert_eq!(before_use.lot(ORE).unwrap().made[0].to_string(), "900 kg");
    // Whatever its claimed time: what others took, 600 kg, stays covered.
    let after_use = corrected(20, "600");
    assert_eq!(after_use.anomalies(), []);
    assert_eq!(after_use.lot(ORE).unwrap().made[0].to_string(), "600 kg");
    let too_much = corrected(20, "599");
    assert_eq!(kinds_at(&too_much, ORE), [(Found::VoidedAfterUse, Lot)]);
    assert_eq!(too_much.lot(ORE).unwrap().made[0].to_string(), "1000 kg");
}

#[test]
fn the_same_report_again_is_one_fact_and_another_under_its_id_conflicts() {
    let honest = project(&honest_chain());
    let again = with([commission(MINE, "m1", 1, kg(ORE, "1000"))]);
    assert_eq!(again.anomalies(), []);
    assert_eq!(again.fact_digest(), honest.fact_digest());
    assert_ne!(again.state_digest(), honest.state_digest());
    assert_eq!(again.facts(), honest.facts());

    let other = with([commission(MINE, "m1", 2, kg(ORE, "5000"))]);
    assert_eq!(kinds_at(&other, ORE), [(Found::ConflictingReport, Lot)]);
    assert_eq!(other.lot(ORE).unwrap().made[0].to_string(), "1000 kg");
    assert_eq!(other.facts(), honest.facts() + 1);
    // Nobody can occupy somebody else's id.
    let stranger = with([commission(STRANGER, "m1", 1, kg("urn:stranger:1", "5"))]);
    assert_eq!(stranger.anomalies(), []);
}

#[test]
fn more_mass_out_than_in_is_named_where_the_inputs_are_complete() {
    let makes = |out, complete| {
        let mut said = transform(
            REFINERY,
            "r8",
            30,
            vec![kg(SALT, "100")],
            vec![kg("urn:refinery:salt-2", out)],
        );
        if let Some(Kind::Transformed(step)) = said.event.kind.as_mut() {
            step.inputs_complete = complete;
        }
        with([said])
    };
    assert_eq!(makes("100", Some(true)).anomalies(), []);
    assert_eq!(makes("101", None).anomalies(), []);
    assert_eq!(
        kinds_at(&makes("101", Some(true)), "urn:refinery:salt-2"),
        [(Found::YieldExceeded, Lot)]
    );
}

#[test]
fn a_reported_event_is_nobodys_word_without_delegation() {
    let report = |mut said: Said| {
        said.event.reported = Some(v1::Reported {
            claimed_party: MINE.to_owned(),
            document: vec![7; 32],
            ..Default::default()
        });
        said
    };
    let lie = report(commission(STRANGER, "x1", 1, kg(ORE, "5")));
    let projection = with([lie.clone()]);
    assert_eq!(projection.lot(ORE).unwrap().made[0].to_string(), "1000 kg");
    let kinds = kinds_at(&projection, ORE);
    assert!(kinds.iter().all(|(_, weight)| *weight == Signer), "{kinds:?}");
    let granted = say(
        MINE,
        "m9",
        0,
        Kind::DelegationGranted(v1::DelegationGranted {
            delegation: "importer".to_owned(),
            reporter: STRANGER.to_owned(),
            ..Default::default()
        }),
    );
    assert_eq!(
        with([lie, granted]).lot(ORE).unwrap().made[0].to_string(),
        "1005 kg"
    );
    // Where nobody else has spoken, the reports are all there is.
    let alone = report(commission(STRANGER, "x2", 1, kg("urn:mine:ore-7", "5")));
    let lot = with([alone]).lot("urn:mine:ore-7").unwrap();
    assert_eq!((lot.unknown, lot.makers), (false, vec![MINE.to_owned()]));
}
