//! What the policy is shown of small chains.

use num_traits::One as _;
use time::macros::date;

use super::*;
use crate::{
    event::sealed,
    policy::view::{InputFacts, StepFacts},
    provenance::tests::*,
};

fn ratio(numerator: i64, denominator: i64) -> BigRational {
    BigRational::new(numerator.into(), denominator.into())
}

fn lot(projection: &Projection, lot: &str) -> LotFacts {
    at(projection, lot, None).expect("known lot")
}

fn at(projection: &Projection, lot: &str, clock: Option<Date>) -> Option<LotFacts> {
    projection
        .view(TreeSize::new(1_000), Purpose::Test)
        .lot(lot, clock)
        .map(|facts| LotFacts::clone(&facts))
}

fn party(projection: &Projection, party: &str) -> Option<PartyFacts> {
    projection
        .view(TreeSize::new(1_000), Purpose::Test)
        .party(party, date!(2027 - 01 - 01))
}

fn only_step(facts: &LotFacts) -> &StepFacts {
    assert_eq!(facts.productions.len(), 1);
    &facts.productions[0]
}

fn inputs(step: &StepFacts) -> Vec<(&str, Option<BigRational>, Option<BigRational>)> {
    step.inputs
        .iter()
        .map(|input: &InputFacts| {
            let value = |amount: &Stated<BigRational>| amount.as_ref().map(|fact| fact.value.clone());
            (
                input.lot.as_str(),
                value(&input.consumed.mass),
                value(&input.consumed.count),
            )
        })
        .collect()
}

#[test]
fn a_party_that_is_enrolled_again_keeps_the_name_it_had() {
    let mut chain = honest_chain();
    chain.push(say(
        AUTHORITY,
        "enrol again",
        50,
        Kind::PartyEnrolled(v1::PartyEnrolled {
            party: MINE.to_owned(),
            legal_name: "Clean Hills Ltd.".to_owned(),
            ..Default::default()
        }),
    ));
    let facts = party(&project(&chain), MINE).unwrap();
    assert_eq!(facts.names, ["Clean Hills Ltd.", MINE]);
}

#[test]
fn a_pack_shows_its_step_and_its_cells_as_so_many_of_their_lot() {
    let projection = project(&honest_chain());
    let pack = lot(&projection, PACK);
    // The pack was commissioned, too; what it was built from says more.
    let step = only_step(&pack);
    assert_eq!(step.step.as_ref().unwrap().value, "assemble_pack");
    assert_eq!(step.operator.as_ref().unwrap().value, PACKS);
    assert_eq!(step.country.as_ref().unwrap().value, "US");
    assert_eq!(step.principal.as_ref().unwrap().value, None);
    assert!(step.inputs_complete.as_ref().unwrap().value);
    assert_eq!(step.share.as_ref().unwrap().value, BigRational::one());
    assert_eq!(inputs(step), [(CELL_LOT, None, Some(ratio(4, 1)))]);
    let cells = lot(&projection, CELL_LOT);
    assert_eq!(cells.produced.count.as_ref().unwrap().value, ratio(40, 1));
    assert_eq!(inputs(only_step(&cells)), [(SALT, Some(ratio(150, 1)), None)]);
    assert_eq!(
        only_step(&cells).share.as_ref().unwrap().value,
        BigRational::one()
    );
    let ore = lot(&projection, ORE);
    // Commissioned without saying where: a number for what may be another's.
    assert_eq!(only_step(&ore).operator, None);
    assert_eq!(only_step(&ore).inputs_complete, None);
    assert_eq!(pack.contradictions, []);
    assert!(at(&projection, "urn:mine:unheard", None).is_none());
}

#[test]
fn a_serial_has_its_part_of_the_step_that_made_it() {
    let projection = project(&honest_chain());
    let cell = lot(&projection, "urn:cells:cell-0007");
    assert_eq!(cell.produced.count.as_ref().unwrap().value, BigRational::one());
    assert_eq!(only_step(&cell).share.as_ref().unwrap().value, ratio(1, 40));
}

#[test]
fn outputs_share_the_inputs_by_mass_unless_stated() {
    let two = |shares: [&str; 2]| {
        let output = |name: &str, mass, share: &str| v1::Item {
            share: share.to_owned(),
            ..kg(name, mass)
        };
        let mut chain = honest_chain();
        chain.push(transform(
            REFINERY,
            "r8",
            30,
            vec![kg(SALT, "10")],
            vec![
                output("urn:refinery:fine", "6", shares[0]),
                output("urn:refinery:coarse", "2", shares[1]),
            ],
        ));
        let facts = lot(&project(&chain), "urn:refinery:fine");
        only_step(&facts).share.as_ref().unwrap().value.clone()
    };
    assert_eq!(two(["", ""]), ratio(3, 4));
    assert_eq!(two(["0.9", "0.1"]), ratio(9, 10));
}

#[test]
fn a_commissioned_serial_is_split_off_its_class_lot() {
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
    let facts = lot(&project(&chain), "urn:cells:cell-0077");
    let step = only_step(&facts);
    assert_eq!(step.step.as_ref().unwrap().value, "split");
    assert_eq!(inputs(step), [(CELL_LOT, None, Some(ratio(1, 1)))]);
}

#[test]
fn composition_is_the_one_at_the_clock() {
    let mut chain = honest_chain();
    // 1 January 2026 plus 48 hours is the third.
    chain.push(say(
        PACKS,
        "p5",
        48,
        Kind::Disassembled(v1::Disassembled {
            parent: PACK.to_owned(),
            serials: cells([2]),
            ..Default::default()
        }),
    ));
    let projection = project(&chain);
    let count = |clock| {
        let facts = at(&projection, PACK, clock).unwrap();
        inputs(only_step(&facts))
            .first()
            .and_then(|input| input.2.clone())
    };
    assert_eq!(count(Some(date!(2025 - 12 - 31))), None);
    assert_eq!(count(Some(date!(2026 - 01 - 02))), Some(ratio(4, 1)));
    assert_eq!(count(Some(date!(2026 - 01 - 03))), Some(ratio(3, 1)));
    assert_eq!(count(None), Some(ratio(3, 1)));
}

#[test]
fn events_that_compose_one_thing_are_one_step_as_far_as_they_agree() {
    let mut chain = honest_chain();
    chain.push(say(
        PACKS,
        "p5",
        14,
        Kind::Assembled(v1::Assembled {
            step: "assemble_pack".to_owned(),
            parent: PACK.to_owned(),
            serials: cells([5, 6]),
            facility: "urn:plant:stranger".to_owned(),
            operator: PACKS.to_owned(),
            inputs_complete: Some(true),
            ..Default::default()
        }),
    ));
    let facts = lot(&project(&chain), PACK);
    let step = only_step(&facts);
    assert_eq!(step.operator.as_ref().unwrap().value, PACKS);
    assert_eq!(step.facility, None);
    assert_eq!(step.inputs.len(), 2);
    assert!(step.inputs_complete.as_ref().unwrap().value);
}

#[test]
fn the_product_ties_pieces_to_kilograms() {
    let mut chain = honest_chain();
    let product = "urn:cells:type-1";
    for said in &mut chain {
        if let Some(Kind::Transformed(event)) = &mut said.event.kind
            && said.event.id == "c2"
        {
            event.outputs[0].product = product.to_owned();
        }
    }
    let declare = |issuer, mass| {
        say(
            issuer,
            "declared",
            0,
            Kind::ProductDeclared(v1::ProductDeclared {
                product: product.to_owned(),
                kind: "cell".to_owned(),
                model: "M50".to_owned(),
                mass_per_piece: qty(mass, "GRM"),
                ..Default::default()
            }),
        )
    };
    chain.push(declare(CELLS, "68"));
    chain.push(declare(STRANGER, "1"));
    let facts = lot(&project(&chain), CELL_LOT);
    assert_eq!(
        facts.kind,
        Some(Fact::new("cell".to_owned(), Assurance::Asserted))
    );
    assert_eq!(facts.produced.mass.unwrap().value, ratio(272, 100));
    assert_eq!(
        facts.attributes["product.model"].value,
        Attribute::Text("M50".to_owned())
    );
    // A stranger alone is no more than a report.
    let at = chain
        .iter()
        .position(|said| said.issuer == CELLS && said.event.id == "declared");
    chain.remove(at.unwrap());
    let facts = lot(&project(&chain), CELL_LOT);
    assert_eq!(facts.kind.unwrap().assurance, Assurance::Reported);
}

#[test]
fn costs_and_sealed_fields_are_stated_or_not() {
    let mut chain = honest_chain();
    let at = chain.iter().position(|said| said.event.id == "r2").unwrap();
    if let Some(Kind::Transformed(event)) = &mut chain[at].event.kind {
        event.on_behalf_of = MINE.to_owned();
        event.inputs[0].cost = Some(v1::Money {
            value: "1200.5".to_owned(),
            currency: "USD".to_owned(),
            basis: "price".to_owned(),
        });
    }
    let step = |chain: &[Said], openings: &[sealed::Opening]| {
        let mut projection = project(chain);
        for opening in openings {
            projection.open(opening.clone());
        }
        only_step(&lot(&projection, SALT)).clone()
    };
    let open = step(&chain, &[]);
    assert_eq!(open.inputs[0].consumed.costs[0].value.value, ratio(12_005, 10));
    assert_eq!(open.principal.as_ref().unwrap().value.as_deref(), Some(MINE));
    let paths =
        ["65.4", "65.5.0.2", "65.5.0.3"].map(|path| (path.to_owned(), crate::id::Hash::of(&[b"salt"])));
    let encoded = prost::Message::encode_to_vec(&chain[at].event);
    let (sealed, openings) = sealed::seal(&encoded, &paths).unwrap();
    chain[at].event = prost::Message::decode(sealed.as_slice()).unwrap();
    let closed = step(&chain, &[]);
    assert_eq!(closed.principal, None);
    assert_eq!(closed.inputs[0].consumed, Amounts::default());
    assert_eq!(step(&chain, &openings), open);
}

#[test]
fn a_reported_step_claims_nothing_complete() {
    let mut chain = honest_chain();
    chain.retain(|said| said.event.id != "r2");
    // Whoever has been given some may import what its maker's document says.
    let mut said = transform(CELLS, "x1", 4, vec![kg(ORE, "600")], vec![kg(SALT, "300")]);
    said.event.reported = Some(v1::Reported {
        claimed_party: REFINERY.to_owned(),
        document: vec![1; 32],
        ..Default::default()
    });
    chain.push(said);
    let facts = lot(&project(&chain), SALT);
    let step = only_step(&facts);
    assert_eq!(step.inputs_complete, None);
    assert_eq!(step.principal, None);
    assert_eq!(
        step.operator,
        Some(Fact::new(REFINERY.to_owned(), Assurance::Reported))
    );
    assert_eq!(step.inputs[0].assurance, Assurance::Reported);
    // A document that names nobody makes no maker of who imported it.
    if let Some(reported) = chain.last_mut().and_then(|said| said.event.reported.as_mut()) {
        reported.claimed_party.clear();
    }
    assert_eq!(only_step(&lot(&project(&chain), SALT)).operator, None);
}

#[test]
fn contradictions_of_standing_are_shown_and_a_strangers_are_not() {
    let mut chain = honest_chain();
    chain.push(transform(
        STRANGER,
        "x1",
        30,
        vec![kg(SALT, "900")],
        vec![kg("urn:stranger:x", "9")],
    ));
    let projection = project(&chain);
    assert_eq!(lot(&projection, SALT).contradictions, []);
    let strangers = &lot(&projection, "urn:stranger:x").contradictions;
    let codes: Vec<&str> = strangers.iter().map(|one| one.code.as_str()).collect();
    assert_eq!(codes, ["consumed_without_custody"]);
}

#[test]
fn sellers_are_those_who_passed_the_title_to_the_step() {
    let title = |issuer: &'static str, id: &str, hour, buyer: &str| {
        say(
            issuer,
            id,
            hour,
            Kind::TitleTransferred(v1::TitleTransferred {
                items: vec![kg(ORE, "600")],
                seller: MINE.to_owned(),
                buyer: buyer.to_owned(),
                contract_date: Some(START),
                titles_complete: Some(true),
                ..Default::default()
            }),
        )
    };
    let input = |said: Vec<Said>| {
        let mut chain = honest_chain();
        chain.extend(said);
        only_step(&lot(&project(&chain), SALT)).inputs[0].clone()
    };
    let none = input(vec![]);
    assert_eq!((none.sellers.len(), none.titles_complete), (0, None));
    let by_buyer = input(vec![title(REFINERY, "r7", 3, REFINERY)]);
    assert_eq!(by_buyer.sellers[0].value, MINE);
    assert!(by_buyer.titles_complete.unwrap().value);
    // The seller does not know from whom else it was bought; strangers, late and other sales do not count.
    let by_seller = input(vec![title(MINE, "m7", 3, REFINERY)]);
    assert_eq!((by_seller.sellers.len(), by_seller.titles_complete), (1, None));
    for other in [
        title(STRANGER, "x1", 3, REFINERY),
        title(REFINERY, "r7", 5, REFINERY),
        title(MINE, "m7", 3, CELLS),
    ] {
        assert_eq!(input(vec![other]).sellers, []);
    }
}

#[test]
fn a_party_speaks_for_itself_alone() {
    let owned = |issuer: &'static str, id: &str, owner: &str, hour| {
        say(
            issuer,
            id,
            hour,
            Kind::OwnershipDeclared(v1::OwnershipDeclared {
                party: MINE.to_owned(),
                owners: vec![v1::Share {
                    party: owner.to_owned(),
                    equity: "0.25".to_owned(),
                    ..Default::default()
                }],
                ownership_complete: Some(true),
            }),
        )
    };
    let mut chain = honest_chain();
    chain.extend([
        owned(MINE, "m7", "urn:owner:a", 1),
        owned(STRANGER, "x7", "urn:owner:evil", 2),
        say(
            MINE,
            "m8",
            2,
            Kind::BoardDeclared(v1::BoardDeclared {
                party: MINE.to_owned(),
                seats: ["urn:owner:a", "urn:owner:b", "urn:owner:a"]
                    .map(|appointed_by| v1::BoardSeat {
                        appointed_by: appointed_by.to_owned(),
                        ..Default::default()
                    })
                    .to_vec(),
                board_complete: Some(true),
            }),
        ),
        say(
            MINE,
            "m9",
            3,
            Kind::LicencesDeclared(v1::LicencesDeclared {
                party: MINE.to_owned(),
                licences: vec![],
                licences_complete: Some(true),
            }),
        ),
    ]);
    let facts = party(&project(&chain), MINE).unwrap();
    assert_eq!(facts.names, [MINE]);
    assert_eq!(facts.owners.len(), 2);
    assert_eq!(facts.owners[0].value.owner, "urn:owner:a");
    assert_eq!(facts.owners[0].value.equity, Some(ratio(1, 4)));
    assert_eq!(facts.owners[0].value.board, Some(ratio(2, 3)));
    assert!(facts.ownership_complete.unwrap().value);
    assert_eq!(
        (facts.licences.len(), facts.licences_complete.unwrap().value),
        (0, true)
    );
    assert!(party(&project(&chain), "urn:party:nobody").is_none());

    // A sealed holder leaves the list open.
    let mut sealed = owned(MINE, "m7", "", 1);
    if let Some(Kind::OwnershipDeclared(event)) = &mut sealed.event.kind {
        event.owners[0].equity = "0.25".to_owned();
    }
    let mut chain = honest_chain();
    chain.push(sealed);
    let facts = party(&project(&chain), MINE).unwrap();
    assert_eq!((facts.owners.len(), facts.ownership_complete), (0, None));
}

#[test]
fn lists_and_waivers_stand_until_they_are_withdrawn() {
    let list = say(
        AUTHORITY,
        "l1",
        1,
        Kind::ListPublished(v1::ListPublished {
            list: "us-ndaa-154".to_owned(),
            edition: "2026".to_owned(),
            effective_from: START,
            complete: true,
            entries: vec![v1::ListEntry {
                name: "Example".to_owned(),
                parties: vec![STRANGER.to_owned()],
                ..Default::default()
            }],
            ..Default::default()
        }),
    );
    let waiver = say(
        AUTHORITY,
        "w1",
        1,
        Kind::WaiverGranted(v1::WaiverGranted {
            waiver: "w".to_owned(),
            kind: "us-s154-waiver".to_owned(),
            lots: vec![PACK.to_owned()],
            valid_from: START,
            valid_to: Some(START + 24 * HOUR),
            ..Default::default()
        }),
    );
    let withdrawn = [
        say(
            AUTHORITY,
            "l2",
            2,
            Kind::ListWithdrawn(v1::ListWithdrawn {
                list: "us-ndaa-154".to_owned(),
                edition: "2026".to_owned(),
            }),
        ),
        say(
            AUTHORITY,
            "w2",
            2,
            Kind::WaiverRevoked(v1::WaiverRevoked {
                waiver: "w".to_owned(),
            }),
        ),
    ];
    let mut chain = register();
    // Nobody but the authority publishes lists.
    let mut forged = list.clone();
    forged.issuer = STRANGER;
    chain.extend([list, waiver, forged]);
    let projection = project(&chain);
    let view = projection.view(TreeSize::new(1_000), Purpose::Test);
    let editions = view.editions("us-ndaa-154");
    assert_eq!(editions.len(), 1);
    assert_eq!(editions[0].effective_from, date!(2026 - 01 - 01));
    assert_eq!(editions[0].entries[0].parties, [STRANGER]);
    let waivers = view.waivers(PACK);
    assert_eq!(
        (waivers[0].valid_from, waivers[0].valid_to),
        (date!(2026 - 01 - 01), Some(date!(2026 - 01 - 01)))
    );
    assert_eq!(view.waivers(ORE), []);
    assert_eq!((view.position(), view.purpose()), (1_000, Purpose::Test));
    chain.extend(withdrawn);
    let projection = project(&chain);
    let view = projection.view(TreeSize::new(1_000), Purpose::Test);
    assert_eq!(
        (view.editions("us-ndaa-154").len(), view.waivers(PACK).len()),
        (0, 0)
    );
}

#[test]
fn evidence_shows_who_stands_behind_it() {
    let certificate = |issuer, clause: bool| {
        let mut said = say(
            issuer,
            "w1",
            50,
            Kind::Certified(v1::Certified {
                kind: "origin".to_owned(),
                about: SALT.to_owned(),
                document: vec![3; 32],
                ..Default::default()
            }),
        );
        said.event.certification = clause.then(|| v1::Certification {
            scope: vec!["all".to_owned()],
            ..Default::default()
        });
        let mut chain = honest_chain();
        chain.push(said);
        let facts = lot(&project(&chain), SALT);
        (facts.evidence.len(), facts.evidence[0].assurance)
    };
    assert_eq!(certificate(REFINERY, false), (1, Assurance::Asserted));
    assert_eq!(certificate(REFINERY, true), (1, Assurance::SupplierCertified));
    assert_eq!(certificate(STRANGER, true), (1, Assurance::Reported));
    assert_eq!(certificate(AUTHORITY, false), (1, Assurance::AuthorityConfirmed));
}
