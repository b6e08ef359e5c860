//! Who has no part in a lot touches nothing of it, and a rival his own account alone.

use crate::chain::holds;

#[test]
fn one_lot_spent_twice_by_two_plants() {
    holds(
        "cam mk 03-01 commissioned facility=cam items=cam1/A:100KGM
         cam s1 03-02 shipped items=cam1/A:100KGM from_facility=cam consignee=cell
         cam s2 03-02 shipped items=cam1/A:100KGM from_facility=cam consignee=pack
         cell rc 03-03 received items=cam1/A:100KGM facility=cell consignor=cam
         pack rc 03-03 received items=cam1/A:100KGM facility=pack consignor=cam
         cell e 03-04 transformed facility=cell operator=cell inputs=cam1/A:100KGM outputs=cell1/E:100KGM
         pack e 03-05 transformed facility=pack operator=pack inputs=cam1/A:100KGM outputs=pack3/E:100KGM",
        "found = cam1/A consumed_more_than_made by cam: used 200 kg of 100 kg
         lineage cell1/E = 1
         lineage pack3/E = 1",
    );
}

#[test]
fn a_rival_receives_one_cell_and_uses_ten_thousand() {
    holds(
        "cell mk 03-01 commissioned facility=cell items=cell1/L:20000
         cell s1 03-02 shipped items=cell1/L:10000 from_facility=cell consignee=pack
         cell s2 03-02 shipped items=cell1/L:1 from_facility=cell consignee=rec
         pack rc 03-03 received items=cell1/L:10000 facility=pack consignor=cell
         rec rc 03-03 received items=cell1/L:1 facility=rec consignor=cell
         pack as 03-04 assembled parent=pack1#P items=cell1/L:10000 facility=pack
         rec us 03-04 assembled parent=rec1#X items=cell1/L:10000 facility=rec",
        "found = cell1/L used_more_than_held by rec: rec used and let go of 10000 pieces, and had 1 piece
         lineage pack1#P = 0
         lineage rec1#X = 1",
    );
}

#[test]
fn a_rival_by_serial() {
    holds(
        "cell mk 03-01 commissioned facility=cell serials=cell1#S1..9 class_lot=cell1/L
         cell s1 03-02 shipped serials=cell1#S1..4 from_facility=cell consignee=pack
         cell s2 03-02 shipped serials=cell1#S9 from_facility=cell consignee=rec
         pack rc 03-03 received serials=cell1#S1..4 facility=pack consignor=cell
         rec rc 03-03 received serials=cell1#S9 facility=rec consignor=cell
         pack as 03-04 assembled parent=pack1#P serials=cell1#S1..4 facility=pack
         rec us 03-04 assembled parent=rec1#X serials=cell1#S1..4,cell1#S9 facility=rec",
        "found pack1#P = none
         found cell1#S1 = none
         lineage pack1#P = 0
         up pack1#P = cell1#S1..cell1#S4, cell1/L
         stock cell1#S1 = pack 1 piece in pack1#P
         state pack1#P = none",
    );
}

#[test]
fn a_stranger_takes_anothers_pack_apart() {
    holds(
        "cell mk 03-01 commissioned facility=cell serials=cell1#S1..4
         cell as 03-02 assembled parent=cell2#M serials=cell1#S1..4 facility=cell
         rec di 03-03 disassembled parent=cell2#M serials=cell1#S1..4 facility=rec",
        "up cell2#M = cell1#S1..cell1#S4
         stock cell1#S1 = cell 1 piece in cell2#M
         found cell2#M = none
         strangers cell2#M = 1",
    );
}

#[test]
fn a_stranger_takes_the_listed_cells_out_of_a_pack() {
    holds(
        "tnt  p  01-01 product_declared product=tnt1 kind=cell
         tnt  mk 03-01 commissioned facility=tnt items=tnt1/T:100
         tnt  sh 03-02 shipped items=tnt1/T:100 from_facility=tnt consignee=pack
         pack o  01-02 ownership_declared party=pack owners= ownership_complete=true certified
         pack p1 01-02 product_declared product=pack1 kind=pack certified
         pack p2 01-02 product_declared product=pack2 kind=bms certified
         pack rc 03-03 received items=tnt1/T:100 facility=pack consignor=tnt
         pack b  03-04 transformed step=assemble_bms facility=pack operator=pack outputs=pack2/B:10 inputs_complete=true certified
         pack as 03-05 assembled step=assemble_pack parent=pack1#P items=tnt1/T:100,pack2/B:1 facility=pack operator=pack inputs_complete=true certified
         rec  di 03-06 disassembled parent=pack1#P items=tnt1/T:100 facility=rec",
        "up pack1#P = pack2/B, tnt1/T
         verdict pack1#P = not compliant
         stock tnt1/T = pack 100 pieces in pack1#P",
    );
}

#[test]
fn pallet_unpacked_by_a_stranger() {
    holds(
        "cell mk 03-01 commissioned facility=cell serials=cell1#S1..4
         cell ag 03-02 aggregated parent=cell9#PAL serials=cell1#S1..4 facility=cell
         rec di 03-03 disaggregated parent=cell9#PAL facility=rec
         cell sh 03-04 shipped units=cell9#PAL from_facility=cell consignee=pack
         pack rc 03-06 received units=cell9#PAL facility=pack consignor=cell",
        "found cell1#S1 = none
         stock cell1#S1 = pack 1 piece in cell9#PAL",
    );
}

#[test]
fn a_stranger_packs_anothers_cells_and_ships_them() {
    holds(
        "cell mk 03-01 commissioned facility=cell serials=cell1#S1..4
         rec ag 03-02 aggregated parent=rec9#PAL serials=cell1#S1..4 facility=rec
         rec sh 03-03 shipped units=rec9#PAL from_facility=rec consignee=pack
         pack rc 03-04 received units=rec9#PAL facility=pack consignor=rec",
        "stock cell1#S1 = cell 1 piece
         found cell1#S1 = none",
    );
}

#[test]
fn a_stranger_splits_merges_and_scraps() {
    holds(
        "in order
         cell mk 03-01 commissioned facility=cell items=cell1/L:10
         rec sp 03-02 split lot=cell1/L quantity=5 into=rec1/K:5 facility=rec
         rec mg 03-02 merged from=rec1/K:5 lot=cell1/L quantity=5 facility=rec
         rec sc 03-02 scrapped items=cell1/L:10 facility=rec
         rec hd 03-02 held items=cell1/L facility=rec
         rec vo 03-02 voided event=cell:mk reason=no",
        "made cell1/L = 10 pieces
         stock cell1/L = cell 10 pieces
         state cell1/L = none
         found cell1/L = none
         up cell1/L = none",
    );
}

#[test]
fn an_accomplice_receives_what_was_never_shipped() {
    holds(
        "cell mk 03-01 commissioned facility=cell items=cell1/L:10
         rec rc 03-02 received items=cell1/L:10 facility=rec consignor=cell
         rec sh 03-03 shipped items=cell1/L:10 from_facility=rec consignee=pack
         pack rc 03-04 received items=cell1/L:10 facility=pack consignor=rec
         pack us 03-05 assembled parent=pack1#P items=cell1/L:10 facility=pack",
        "stock cell1/L = cell 10 pieces
         found cell1/L = none
         found = cell1/L consumed_without_custody by pack: pack had never held any of it | cell1/L received_never_shipped by pack: no shipment to pack fits | cell1/L received_never_shipped by rec: no shipment to rec fits | cell1/L shipped_without_custody by rec: rec had never held any of it
         lineage pack1#P = 1",
    );
}

#[test]
fn double_shipped_serial() {
    holds(
        "cell mk 03-01 commissioned facility=cell serials=cell1#S1
         cell s1 03-02 shipped serials=cell1#S1 from_facility=cell consignee=pack
         cell s2 03-03 shipped serials=cell1#S1 from_facility=cell consignee=rec
         pack rc 03-04 received serials=cell1#S1 facility=pack consignor=cell
         rec rc 03-04 received serials=cell1#S1 facility=rec consignor=cell",
        "found = cell1#S1 consumed_more_than_made by cell: used 2 pieces of 1 piece",
    );
}

#[test]
fn spent_twice_through_electrodes() {
    holds(
        "cam mk 03-01 commissioned facility=cam items=cam1/A:100KGM
         cam s1 03-02 shipped items=cam1/A:100KGM from_facility=cam consignee=cell
         cam s2 03-02 shipped items=cam1/A:100KGM from_facility=cam consignee=pack
         cell rc 03-03 received items=cam1/A:100KGM facility=cell consignor=cam
         pack rc 03-03 received items=cam1/A:100KGM facility=pack consignor=cam
         cell e1 03-04 transformed facility=cell operator=cell inputs=cam1/A:100KGM outputs=cell1/EL:100KGM
         cell e2 03-05 transformed facility=cell operator=cell inputs=cell1/EL:100KGM output_serials=cell2#C1..2
         pack e1 03-04 transformed facility=pack operator=pack inputs=cam1/A:100KGM outputs=pack3/EL:100KGM
         pack e2 03-05 transformed facility=pack operator=pack inputs=pack3/EL:100KGM output_serials=pack1#P1",
        "found = cam1/A consumed_more_than_made by cam: used 200 kg of 100 kg
         lineage cell2#C1 = 1
         lineage pack1#P1 = 1",
    );
}

#[test]
fn stock_of_an_overdrawn_rival_is_an_interval() {
    holds(
        "cell mk 03-01 commissioned facility=cell items=cell1/L:20000
         cell s1 03-02 shipped items=cell1/L:10000 from_facility=cell consignee=pack
         cell s2 03-02 shipped items=cell1/L:1 from_facility=cell consignee=rec
         pack rc 03-03 received items=cell1/L:10000 facility=pack consignor=cell
         rec rc 03-03 received items=cell1/L:1 facility=rec consignor=cell
         pack as 03-04 assembled parent=pack1#P items=cell1/L:10000 facility=pack
         rec us 03-04 assembled parent=rec1#X items=cell1/L:10000 facility=rec",
        "stock cell1/L = cell 9999 pieces | pack 10000 pieces in pack1#P | rec 0 to 10000 pieces in rec1#X",
    );
}
