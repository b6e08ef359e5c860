//! Acts of the authority that take effect late, and traces longer than what is asked for.

use lotproof::{
    provenance::{Bounds, Direction},
    wire::v1::{self, event::Kind},
};

use crate::chain::{Chain, answers, identifier};

#[test]
fn voids_count_after_acts_that_were_approved_late() {
    let mut chain = Chain::new();
    let acts: Vec<v1::Event> = (0..10)
        .map(|number| {
            let act = Kind::PartyEnrolled(v1::PartyEnrolled {
                party: format!("urn:party:late-{number}"),
                legal_name: "Late Fictional Co.".into(),
                fixture: true,
                ..Default::default()
            });
            crate::build::event(&format!("late-{number}"), act)
        })
        .collect();
    let index = chain.propose(&acts);
    for number in 0..20 {
        chain.tell(&format!(
            "cam mk{number} 03-01 commissioned facility=cam items=cam1/L{number}:10KGM"
        ));
    }
    chain.approve(index, &acts);
    for number in 0..20 {
        chain.tell(&format!(
            "cam vo{number} 03-02 voided event=mk{number} reason=mistake"
        ));
    }
    for number in 0..20 {
        let asked = format!("made cam1/L{number} = \n facts cam1/L{number} = ");
        let expected = [
            format!("made cam1/L{number} = nothing"),
            format!("facts cam1/L{number} = mk{number} not counted"),
        ];
        assert_eq!(answers(&chain, &asked), expected);
    }
}

#[test]
fn a_chain_of_a_hundred_levels_is_told_whole_or_says_what_it_left_out() {
    let mut chain = Chain::new();
    chain.tell("cam mk 03-01 commissioned facility=cam items=cam1/L0:10KGM");
    for number in 0..100 {
        let next = number + 1;
        chain.tell(&format!(
            "cam t{number} 03-02 transformed facility=cam operator=cam inputs=cam1/L{number}:10KGM outputs=cam1/L{next}:10KGM"
        ));
    }
    for (lot, direction) in [("cam1/L100", Direction::Up), ("cam1/L0", Direction::Down)] {
        let lot = identifier(lot);
        let walk = |bounds| {
            chain
                .projection()
                .provenance(&lot, direction, bounds)
                .expect("known lot")
        };
        let cut = walk(Bounds::default());
        assert_eq!(
            (cut.nodes.len(), cut.truncated, cut.left_out.too_deep),
            (65, true, 1)
        );
        let whole = walk(Bounds {
            depth_max: 200,
            ..Bounds::default()
        });
        assert_eq!(
            (whole.nodes.len(), whole.truncated, whole.left_out.too_deep),
            (101, false, 0)
        );
    }
}

#[test]
fn a_lot_beside_thousands_says_how_many_it_left_out() {
    let mut chain = Chain::new();
    chain.tell("cell mk 03-01 commissioned facility=cell items=cell1/L:100");
    for number in 0..30 {
        chain.tell(&format!(
            "cell a{number} 03-02 assembled parent=cell2#M{number} items=cell1/L:1 facility=cell"
        ));
    }
    let lot = identifier("cell1/L");
    let bounds = Bounds {
        nodes_max: 10,
        ..Bounds::default()
    };
    let cut = chain
        .projection()
        .provenance(&lot, Direction::Down, bounds)
        .expect("known lot");
    assert_eq!(
        (cut.nodes.len(), cut.truncated, cut.left_out.too_many),
        (10, true, 21)
    );
}
