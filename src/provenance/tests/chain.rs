//! The honest chain, and what is asked of it.

use prost::Message as _;

use super::*;
use crate::event::sealed;
use crate::id::Hash;
use crate::policy::view::Assurance;
use crate::time::EventTime;

fn up(projection: &Projection, lot: &str) -> Provenance {
    projection
        .provenance(lot, Direction::Up, Bounds::default())
        .expect("known lot")
}

fn lots(provenance: &Provenance) -> Vec<(&str, u64, u32)> {
    provenance
        .nodes
        .iter()
        .map(|node| (node.lot.as_str(), node.count, node.depth))
        .collect()
}

#[test]
fn an_honest_chain_has_no_anomalies() {
    assert_eq!(project(&honest_chain()).anomalies(), []);
}

#[test]
fn a_pack_is_explained_back_to_the_mine() {
    let projection = project(&honest_chain());
    let provenance = up(&projection, PACK);
    assert_eq!(
        lots(&provenance),
        [
            (PACK, 1, 0),
            ("urn:cells:cell-0001", 4, 1),
            (SALT, 1, 2),
            (ORE, 1, 3)
        ]
    );
    assert!(!provenance.truncated);
    let steps: Vec<(&str, Option<&str>, &str)> = provenance
        .steps
        .iter()
        .map(|step| {
            (
                step.kind,
                step.country.as_deref(),
                step.operator.as_deref().unwrap(),
            )
        })
        .collect();
    // The pack's commissioning makes it too, from nothing.
    assert_eq!(
        steps,
        [
            ("commissioned", None, PACKS),
            ("assembled", Some("US"), PACKS),
            ("transformed", Some("KR"), CELLS),
            ("transformed", Some("KR"), REFINERY),
            ("commissioned", None, MINE)
        ]
    );
    let seal = &provenance.steps[2];
    assert_eq!(seal.inputs[0].quantity.as_ref().unwrap().to_string(), "150 kg");
    assert_eq!(seal.step.as_deref(), Some("seal"));
}

#[test]
fn ore_leads_down_to_the_pack_and_every_cell() {
    let projection = project(&honest_chain());
    let provenance = projection
        .provenance(ORE, Direction::Down, Bounds::default())
        .unwrap();
    let lots = lots(&provenance);
    assert!(lots.contains(&(PACK, 1, 3)), "{lots:?}");
    let serials: u64 = lots
        .iter()
        .filter(|(lot, ..)| lot.starts_with("urn:cells:cell-"))
        .map(|(_, count, _)| count)
        .sum();
    assert_eq!(serials, 40);
}

#[test]
fn pallet_mates_are_not_ancestors() {
    let projection = project(&honest_chain());
    let provenance = up(&projection, "urn:cells:cell-0002");
    assert_eq!(
        lots(&provenance),
        [("urn:cells:cell-0002", 1, 0), (SALT, 1, 1), (ORE, 1, 2)]
    );
}

#[test]
fn bounds_cut_off_and_say_so() {
    let projection = project(&honest_chain());
    let bounds = Bounds {
        depth_max: 1,
        ..Bounds::default()
    };
    let provenance = projection.provenance(PACK, Direction::Up, bounds).unwrap();
    assert_eq!(provenance.nodes.len(), 2);
    assert!(provenance.truncated);
}

#[test]
fn a_summary_counts_what_was_made_used_and_is_where() {
    let projection = project(&honest_chain());
    let ore = projection.lot(ORE).unwrap();
    assert_eq!(ore.makers, [MINE]);
    assert_eq!(ore.owner_of_identifier.as_deref(), Some(MINE));
    assert_eq!(ore.made[0].to_string(), "1000 kg");
    assert_eq!(ore.used[0].to_string(), "600 kg");
    let stock: Vec<(Option<&str>, String)> = ore
        .stock
        .iter()
        .map(|row| (row.holder.as_deref(), row.at_least.to_string()))
        .collect();
    assert_eq!(stock, [(Some(MINE), "400 kg".to_owned())]);
    assert!(projection.lot("urn:mine:never-heard-of").is_none());
}

#[test]
fn custody_follows_the_pallet() {
    let projection = project(&honest_chain());
    let custody = projection.custody("urn:cells:cell-0003").unwrap();
    let rows: Vec<(&str, &str, bool)> = custody
        .iter()
        .map(|row| (row.kind, row.party.as_deref().unwrap(), row.standing))
        .collect();
    assert_eq!(
        rows,
        [
            ("transformed", CELLS, true),
            ("shipped", CELLS, true),
            ("received", PACKS, true)
        ]
    );
    let cell = projection.lot("urn:cells:cell-0003").unwrap();
    assert_eq!(cell.stock.len(), 1);
    assert_eq!(cell.stock[0].holder.as_deref(), Some(PACKS));
    assert_eq!(cell.stock[0].at_least.to_string(), "1 piece");
    assert_eq!(cell.stock[0].parent.as_deref(), Some(PACK));
    assert_eq!(cell.class_lot.as_deref(), Some(CELL_LOT));
}

#[test]
fn an_input_that_comes_late_resolves_by_itself() {
    let mut chain = honest_chain();
    let ore = chain.remove(10);
    assert_eq!(ore.event.id, "m1");
    let open = project(&chain);
    // The mine owns the identifier and says that it shipped some: not how it was made.
    assert_eq!(open.anomalies(), []);
    assert!(up(&open, PACK).nodes.last().unwrap().unknown);
    chain.push(ore);
    assert_eq!(project(&chain).anomalies(), []);
}

#[test]
fn a_part_belongs_to_each_pack_in_its_time() {
    let mut chain = honest_chain();
    let other = "urn:packs:pack-0002";
    chain.extend([
        say(
            PACKS,
            "p5",
            20,
            Kind::Disassembled(v1::Disassembled {
                parent: PACK.to_owned(),
                serials: cells([2]),
                ..Default::default()
            }),
        ),
        say(
            PACKS,
            "p6",
            21,
            Kind::Assembled(v1::Assembled {
                parent: other.to_owned(),
                serials: cells([2]),
                ..Default::default()
            }),
        ),
    ]);
    let projection = project(&chain);
    assert_eq!(projection.anomalies(), []);
    let at = |lot: &str, hour: i64| {
        let bounds = Bounds {
            composed_at: Some(EventTime::from_nanos(START + hour * HOUR)),
            ..Bounds::default()
        };
        let provenance = projection.provenance(lot, Direction::Up, bounds).unwrap();
        provenance
            .nodes
            .iter()
            .filter(|node| node.lot.starts_with("urn:cells:cell-"))
            .map(|node| node.count)
            .sum::<u64>()
    };
    assert_eq!(
        (at(PACK, 12), at(PACK, 13), at(PACK, 19), at(PACK, 20)),
        (0, 4, 4, 3)
    );
    assert_eq!((at(other, 20), at(other, 21)), (0, 1));
    // Recall uses all history.
    let down = projection
        .provenance("urn:cells:cell-0002", Direction::Down, Bounds::default())
        .unwrap();
    let packs: Vec<&str> = down.nodes.iter().skip(1).map(|node| node.lot.as_str()).collect();
    assert_eq!(packs, [PACK, other]);
}

#[test]
fn taking_an_unstated_part_gives_an_interval() {
    let mut chain = honest_chain();
    let unstated = v1::Item {
        lot: SALT.to_owned(),
        ..Default::default()
    };
    chain.push(ship(REFINERY, "r9", 30, unstated, PACKS));
    let salt = project(&chain).lot(SALT).unwrap();
    let held = salt
        .stock
        .iter()
        .find(|row| row.holder.as_deref() == Some(REFINERY))
        .unwrap();
    assert_eq!(
        (held.at_least.to_string(), held.at_most.to_string()),
        ("0 kg".into(), "100 kg".into())
    );
}

#[test]
fn a_split_and_a_merge_are_steps_of_the_same_stuff() {
    let mut chain = honest_chain();
    chain.extend([
        say(
            REFINERY,
            "r10",
            40,
            Kind::Split(v1::Split {
                lot: SALT.to_owned(),
                quantity: qty("100", "KGM"),
                into: vec![kg("urn:refinery:salt-1a", "60"), kg("urn:refinery:salt-1b", "40")],
                ..Default::default()
            }),
        ),
        say(
            REFINERY,
            "r11",
            41,
            Kind::Merged(v1::Merged {
                from: vec![kg("urn:refinery:salt-1a", "60"), kg("urn:refinery:salt-1b", "40")],
                lot: "urn:refinery:salt-1c".to_owned(),
                quantity: qty("100", "KGM"),
                ..Default::default()
            }),
        ),
    ]);
    let projection = project(&chain);
    assert_eq!(projection.anomalies(), []);
    let provenance = up(&projection, "urn:refinery:salt-1c");
    assert_eq!(
        lots(&provenance),
        [
            ("urn:refinery:salt-1c", 1, 0),
            ("urn:refinery:salt-1a", 1, 1),
            ("urn:refinery:salt-1b", 1, 1),
            (SALT, 1, 2),
            (ORE, 1, 3)
        ]
    );
    assert_eq!(provenance.steps[0].step.as_deref(), Some("merge"));
}

#[test]
fn a_serial_commissioned_alone_comes_from_where_its_class_lot_does() {
    let mut chain = honest_chain();
    chain.push(say(
        CELLS,
        "c9",
        8,
        Kind::Commissioned(v1::Commissioned {
            serials: cells([77]),
            class_lot: CELL_LOT.to_owned(),
            ..Default::default()
        }),
    ));
    let projection = project(&chain);
    let provenance = up(&projection, "urn:cells:cell-0077");
    assert_eq!(
        lots(&provenance),
        [
            ("urn:cells:cell-0077", 1, 0),
            (CELL_LOT, 1, 1),
            (SALT, 1, 2),
            (ORE, 1, 3)
        ]
    );
}

#[test]
fn fifty_thousand_serials_are_one_entry_and_one_node() {
    let mut chain = register();
    let all = |prefix: &str| {
        vec![v1::SerialRun {
            prefix: prefix.to_owned(),
            suffixes: (1..=50_000).map(|number| format!("{number:06}")).collect(),
        }]
    };
    chain.push(say(
        CELLS,
        "big",
        1,
        Kind::Commissioned(v1::Commissioned {
            serials: all("urn:cells:big-"),
            class_lot: CELL_LOT.to_owned(),
            ..Default::default()
        }),
    ));
    let projection = project(&chain);
    let legs = &projection.filing.facts().last().unwrap().reading.legs;
    assert_eq!(legs.len(), 2);
    assert!(projection.filing.facts().last().unwrap().encoded.len() < 200);
    let down = projection
        .provenance(CELL_LOT, Direction::Down, Bounds::default())
        .unwrap();
    assert_eq!(
        lots(&down),
        [(CELL_LOT, 1, 0), ("urn:cells:big-000001", 50_000, 1)]
    );
    assert!(projection.lot("urn:cells:big-050000").is_some());
    assert!(projection.lot("urn:cells:big-050001").is_none());
    assert_eq!(
        projection.lot(CELL_LOT).unwrap().made[0].to_string(),
        "50000 pieces"
    );
}

#[test]
fn assurance_follows_the_signer() {
    let step = |change: &dyn Fn(&mut Vec<Said>)| {
        let mut chain = honest_chain();
        change(&mut chain);
        let projection = project(&chain);
        let walk = up(&projection, SALT);
        walk.steps[0].assurance
    };
    let certify = |scope: &'static str| {
        move |chain: &mut Vec<Said>| {
            let said = chain.iter_mut().find(|said| said.event.id == "r2").unwrap();
            said.event.certification = Some(v1::Certification {
                scope: vec![scope.to_owned()],
                ..Default::default()
            });
        }
    };
    let vouch = |issuer: &'static str, claims: &'static str| {
        move |chain: &mut Vec<Said>| {
            let mut said = say(
                issuer,
                "w1",
                50,
                Kind::Certified(v1::Certified {
                    claims: vec![claims.to_owned()],
                    ..Default::default()
                }),
            );
            said.about = Some((REFINERY, "r2"));
            chain.push(said);
            chain.push(say(
                AUTHORITY,
                "enrol auditor",
                -100,
                Kind::PartyEnrolled(v1::PartyEnrolled {
                    party: STRANGER.to_owned(),
                    roles: vec!["auditor".to_owned()],
                    accreditations: vec!["ISO 17020".to_owned()],
                    ..Default::default()
                }),
            ));
        }
    };
    assert_eq!(step(&|_| {}), Assurance::Asserted);
    assert_eq!(step(&certify("step")), Assurance::SupplierCertified);
    assert_eq!(step(&certify("product")), Assurance::Asserted);
    assert_eq!(step(&vouch(STRANGER, "all")), Assurance::ThirdPartyAudited);
    assert_eq!(step(&vouch(STRANGER, "product")), Assurance::Asserted);
    assert_eq!(step(&vouch(PACKS, "all")), Assurance::Asserted);
    assert_eq!(step(&vouch(AUTHORITY, "all")), Assurance::AuthorityConfirmed);
    // Whoever imports another's document cannot certify for him.
    assert_eq!(
        step(&|chain| {
            certify("all")(chain);
            let said = chain.iter_mut().find(|said| said.event.id == "r2").unwrap();
            said.event.reported = Some(v1::Reported {
                claimed_party: CELLS.to_owned(),
                document: vec![1; 32],
                ..Default::default()
            });
        }),
        Assurance::Reported
    );
}

#[test]
fn a_sealed_quantity_is_unknown_until_it_is_opened() {
    let mut chain = honest_chain();
    let position = chain.iter().position(|said| said.event.id == "r2").unwrap();
    let encoded = chain[position].event.encode_to_vec();
    let salt = Hash::of(&[b"salt"]);
    let (sealed, openings) = sealed::seal(&encoded, &[("65.5.0.2".to_owned(), salt)]).unwrap();
    chain[position].event = v1::Event::decode(sealed.as_slice()).unwrap();
    let mut projection = project(&chain);
    let (facts, state) = (projection.fact_digest(), projection.state_digest());
    let input = |projection: &Projection| up(projection, SALT).steps[0].inputs[0].clone();
    assert_eq!(
        (input(&projection).quantity, input(&projection).sealed),
        (None, true)
    );

    let mut forged = openings[0].clone();
    forged.value[1] ^= 1;
    assert_eq!(projection.open(forged), 0);
    assert!(input(&projection).sealed);

    assert_eq!(projection.open(openings[0].clone()), 1);
    let opened = input(&projection);
    assert_eq!(opened.quantity.unwrap().to_string(), "600 kg");
    assert!(!opened.sealed);
    // Digests are of what was signed, whoever holds openings.
    assert_eq!(
        (projection.fact_digest(), projection.state_digest()),
        (facts, state)
    );

    // An opening may come before its event.
    let mut early = Projection::new();
    early.open(openings[0].clone());
    apply_all(&mut early, &chain);
    assert_eq!(input(&early), input(&projection));
}
