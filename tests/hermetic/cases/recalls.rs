//! Held and recalled: what it reaches, and what it does not.

use crate::chain::holds;

#[test]
fn held_lot_reaches_its_serials_and_what_holds_them() {
    holds(
        "cell mk 03-01 commissioned facility=cell serials=cell1#S0..9 class_lot=cell1/L
         cell as 03-02 assembled parent=cell2#M serials=cell1#S0..3 facility=cell
         cell a2 03-03 assembled parent=cell3#K serials=cell2#M facility=cell
         cell ho 03-04 held items=cell1/L facility=cell",
        "state cell1/L = held
         state cell1#S9 = held
         state cell2#M = held
         state cell3#K = held",
    );
}

#[test]
fn released_lot_releases_all() {
    holds(
        "cell mk 03-01 commissioned facility=cell serials=cell1#S0..9 class_lot=cell1/L
         cell as 03-02 assembled parent=cell2#M serials=cell1#S0..3 facility=cell
         cell ho 03-04 held items=cell1/L facility=cell
         cell re 03-05 released items=cell1/L facility=cell",
        "state cell1/L = none
         state cell1#S9 = none
         state cell2#M = none",
    );
}

#[test]
fn recall_of_a_serial_spares_its_mates() {
    holds(
        "cell mk 03-01 commissioned facility=cell serials=cell1#S0..9 class_lot=cell1/L
         cell as 03-02 assembled parent=cell2#M serials=cell1#S0..3 facility=cell
         cell rc 03-04 recalled recall=R1 serials=cell1#S0",
        "state cell1#S0 = recalled
         state cell2#M = recalled
         state cell1#S1 = none
         state cell1/L = none",
    );
}

#[test]
fn recall_reaches_what_was_split_off_and_shipped_in_a_tray() {
    holds(
        "cell mk 03-01 commissioned facility=cell items=cell1/L:10
         cell sp 03-02 split lot=cell1/L quantity=4 into=cell1/K:4 facility=cell
         cell ag 03-03 aggregated parent=cell9#TRAY items=cell1/K:4 facility=cell
         cell sh 03-04 shipped serials=cell9#TRAY from_facility=cell consignee=pack
         pack rv 03-05 received serials=cell9#TRAY facility=pack consignor=cell
         pack as 03-06 assembled parent=pack1#P items=cell1/K:4 facility=pack
         cell rc 03-07 recalled recall=R1 items=cell1/L",
        "state cell1/K = recalled
         state pack1#P = recalled
         found = none",
    );
}

#[test]
fn recall_lifted_by_its_id() {
    holds(
        "cell mk 03-01 commissioned facility=cell serials=cell1#S0..9 class_lot=cell1/L
         cell rc 03-04 recalled recall=R1 items=cell1/L
         cell rl 03-05 recall_lifted recall=R1",
        "state cell1/L = none
         state cell1#S0 = none",
    );
}

#[test]
fn recall_by_a_stranger_is_none() {
    holds(
        "cell mk 03-01 commissioned facility=cell serials=cell1#S0..9 class_lot=cell1/L
         rec rc 03-04 recalled recall=R1 items=cell1/L
         rec ho 03-04 held items=cell1/L",
        "state cell1/L = none
         state cell1#S0 = none
         strangers cell1/L = 2",
    );
}

#[test]
fn holder_recall_does_not_reach_the_maker() {
    holds(
        "cell mk 03-01 commissioned facility=cell items=cell1/L:10
         cell s1 03-02 shipped items=cell1/L:5 from_facility=cell consignee=pack
         pack rc 03-03 received items=cell1/L:5 facility=pack consignor=cell
         pack ho 03-04 held items=cell1/L:5 facility=pack
         cell a1 03-05 assembled parent=cell2#M items=cell1/L:5 facility=cell",
        "found = none
         state cell2#M = none",
    );
}

#[test]
#[ignore = "wrong: rule 3: down cell1/E = cell2#S1..cell2#S4, cell2/L, pack1#P?"]
fn recall_of_an_input_reaches_a_class_lot_used_by_quantity() {
    holds(
        "cell mk 03-01 commissioned facility=cell items=cell1/E:10KGM
         cell tr 03-02 transformed facility=cell operator=cell inputs=cell1/E:10KGM output_serials=cell2#S1..4 class_lot=cell2/L
         cell sh 03-03 shipped items=cell2/L:4 from_facility=cell consignee=pack
         pack rc 03-04 received items=cell2/L:4 facility=pack consignor=cell
         pack as 03-05 assembled parent=pack1#P items=cell2/L:2 facility=pack",
        "found = none
         down cell1/E = cell2#S1..cell2#S4, cell2/L, pack1#P
         up pack1#P = cell1/E, cell2#S1..cell2#S4?, cell2/L",
    );
}

#[test]
fn hold_by_a_holder_reaches_what_he_holds() {
    holds(
        "cell mk 03-01 commissioned facility=cell serials=cell1#S1..6 class_lot=cell1/L
         cell s1 03-02 shipped serials=cell1#S1..2 from_facility=cell consignee=pack
         pack rc 03-03 received serials=cell1#S1..2 facility=pack consignor=cell
         pack ho 03-04 held items=cell1/L facility=pack",
        "state cell1#S1 = held
         state cell1#S5 = none",
    );
}

#[test]
fn recall_by_a_holder_reaches_what_he_holds() {
    holds(
        "cell mk 03-01 commissioned facility=cell serials=cell1#S1..6 class_lot=cell1/L
         cell s1 03-02 shipped serials=cell1#S1..2 from_facility=cell consignee=pack
         pack rc 03-03 received serials=cell1#S1..2 facility=pack consignor=cell
         pack rl 03-04 recalled recall=R1 items=cell1/L",
        "state cell1#S5 = none",
    );
}

#[test]
fn recall_reaches_members_commissioned_later() {
    holds(
        "cell mk 03-01 commissioned facility=cell items=cell1/L:10
         cell rl 03-02 recalled recall=R1 items=cell1/L
         cell se 03-03 commissioned facility=cell serials=cell1#S1..10 class_lot=cell1/L",
        "state cell1#S5 = recalled",
    );
}

#[test]
fn hold_of_an_input_is_not_a_hold_of_the_output() {
    holds(
        "cell mk 03-01 commissioned facility=cell items=cell1/E:10KGM
         cell tr 03-02 transformed facility=cell operator=cell inputs=cell1/E:5KGM outputs=cell2/L:10
         cell ho 03-03 held items=cell1/E facility=cell",
        "state cell1/E = held
         state cell2/L = none",
    );
}

#[test]
fn a_holder_of_a_tray_holds_what_is_in_it() {
    holds(
        "cell mk 03-01 commissioned facility=cell serials=cell1#S1..4 class_lot=cell1/L
         cell ag 03-02 aggregated parent=cell9#TRAY serials=cell1#S1..2 facility=cell
         cell sh 03-03 shipped serials=cell9#TRAY from_facility=cell consignee=pack
         pack rc 03-04 received serials=cell9#TRAY facility=pack consignor=cell
         pack ho 03-05 held items=cell1/L facility=pack",
        "state cell1#S1 = held
         state cell1#S3 = none",
    );
}

#[test]
fn a_hold_by_the_maker_is_not_released_by_a_holder() {
    holds(
        "cell mk 03-01 commissioned facility=cell items=cell1/L:10
         cell ho 03-02 held items=cell1/L facility=cell
         cell sh 03-03 shipped items=cell1/L:5 from_facility=cell consignee=pack
         pack rc 03-04 received items=cell1/L:5 facility=pack consignor=cell
         pack re 03-05 released items=cell1/L facility=pack",
        "state cell1/L = held",
    );
}

#[test]
fn a_recall_by_the_maker_is_not_lifted_by_a_holder() {
    holds(
        "cell mk 03-01 commissioned facility=cell items=cell1/L:10
         cell sh 03-03 shipped items=cell1/L:5 from_facility=cell consignee=pack
         pack rc 03-04 received items=cell1/L:5 facility=pack consignor=cell
         cell rl 03-05 recalled recall=R1 items=cell1/L
         pack li 03-06 recall_lifted recall=cell:R1",
        "state cell1/L = recalled",
    );
}

#[test]
fn recall_in_epcis() {
    holds(
        "cell mk 03-01 commissioned facility=cell serials=cell1#S1..3 class_lot=cell1/L
         cell rl 03-02 ObjectEvent action=OBSERVE bizStep=holding persistent=recalled quantityList=cell1/L readPoint=cell",
        "state cell1/L = recalled
         state cell1#S2 = recalled",
    );
}
