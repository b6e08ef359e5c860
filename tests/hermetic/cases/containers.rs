//! Trays, pallets, kits: what is in them goes along, and is counted once.

use crate::chain::holds;

#[test]
fn refused_whole_tray() {
    holds(
        "cell mk 03-01 commissioned facility=cell serials=cell1#S1..2
         cell ag 03-02 aggregated parent=cell9#TRAY serials=cell1#S1..2 facility=cell
         cell sh 03-02T01 shipped serials=cell9#TRAY from_facility=cell consignee=pack shipment=D1
         pack rf 03-03 delivery_refused serials=cell9#TRAY facility=pack shipment=cell:D1 reason=dented
         cell rb 03-04 received serials=cell9#TRAY facility=cell consignor=pack shipment=cell:D1",
        "found = none
         stock cell1#S1 = cell 1 piece in cell9#TRAY",
    );
}

#[test]
fn packing_and_shipping_the_unit_in_epcis() {
    holds(
        "cell mk 03-01 ObjectEvent action=ADD bizStep=commissioning epcList=cell1#S1..4 readPoint=cell
         cell ag 03-02 AggregationEvent action=ADD bizStep=packing parentID=cell9#TRAY childEPCs=cell1#S1..4 readPoint=cell
         cell sh 03-03 ObjectEvent action=OBSERVE bizStep=shipping epcList=cell9#TRAY readPoint=cell destination=pack
         pack rc 03-04 ObjectEvent action=OBSERVE bizStep=receiving epcList=cell1#S1..4 readPoint=pack source=cell
         pack as 03-05 AssociationEvent action=ADD bizStep=assembling parentID=pack1#P childEPCs=cell1#S1..4 readPoint=pack",
        "found = none
         up pack1#P = cell1#S1..cell1#S4
         stock cell1#S1 = pack 1 piece in pack1#P",
    );
}

#[test]
fn more_received_than_was_in_the_tray() {
    holds(
        "cell mk 03-01 commissioned facility=cell items=cell1/L:20
         cell ag 03-02 aggregated parent=cell9#TRAY items=cell1/L:10 facility=cell
         cell sh 03-03 shipped serials=cell9#TRAY from_facility=cell consignee=pack
         pack rc 03-04 received items=cell1/L:14 facility=pack consignor=cell",
        "found = cell1/L received_more_than_shipped by pack: pack received 14 pieces of 10 pieces that were shipped: 4 pieces out of nothing",
    );
}

#[test]
#[ignore = "wrong: rule 6: found = cell9#TRAY used_more_than_held by cell: cell used and let go of 2 pieces, and had 1 piece"]
fn tray_reused() {
    holds(
        "cell mk 03-01 commissioned facility=cell items=cell1/L:20
         cell a1 03-02 aggregated parent=cell9#TRAY items=cell1/L:10 facility=cell
         cell s1 03-03 shipped serials=cell9#TRAY from_facility=cell consignee=pack
         pack r1 03-04 received serials=cell9#TRAY facility=pack consignor=cell
         pack d1 03-04T01 disaggregated parent=cell9#TRAY facility=pack
         pack s2 03-05 shipped serials=cell9#TRAY from_facility=pack consignee=cell
         cell r2 03-06 received serials=cell9#TRAY facility=cell consignor=pack
         cell a2 03-07 aggregated parent=cell9#TRAY items=cell1/L:10 facility=cell
         cell s3 03-08 shipped serials=cell9#TRAY from_facility=cell consignee=pack
         pack r3 03-09 received serials=cell9#TRAY facility=pack consignor=cell",
        "found = none
         stock cell1/L = pack 10 pieces | pack 10 pieces in cell9#TRAY",
    );
}

#[test]
fn tray_reused_commissioned() {
    holds(
        "cell tr 02-01 commissioned facility=cell serials=cell9#TRAY
         cell mk 03-01 commissioned facility=cell items=cell1/L:20
         cell a1 03-02 aggregated parent=cell9#TRAY items=cell1/L:10 facility=cell
         cell s1 03-03 shipped serials=cell9#TRAY from_facility=cell consignee=pack
         pack r1 03-04 received serials=cell9#TRAY facility=pack consignor=cell
         pack d1 03-04T01 disaggregated parent=cell9#TRAY facility=pack
         pack s2 03-05 shipped serials=cell9#TRAY from_facility=pack consignee=cell
         cell r2 03-06 received serials=cell9#TRAY facility=cell consignor=pack
         cell a2 03-07 aggregated parent=cell9#TRAY items=cell1/L:10 facility=cell
         cell s3 03-08 shipped serials=cell9#TRAY from_facility=cell consignee=pack
         pack r3 03-09 received serials=cell9#TRAY facility=pack consignor=cell",
        "found = none
         stock cell1/L = pack 10 pieces | pack 10 pieces in cell9#TRAY",
    );
}

#[test]
#[ignore = "wrong: rule 6: found = cell9#TRAY used_more_than_held by cell: cell used and let go of 2 pieces, and had 1 piece"]
fn tray_reused_as_units() {
    holds(
        "cell mk 03-01 commissioned facility=cell items=cell1/L:20
         cell a1 03-02 aggregated parent=cell9#TRAY items=cell1/L:10 facility=cell
         cell s1 03-03 shipped units=cell9#TRAY from_facility=cell consignee=pack
         pack r1 03-04 received units=cell9#TRAY facility=pack consignor=cell
         pack d1 03-04T01 disaggregated parent=cell9#TRAY facility=pack
         pack s2 03-05 shipped units=cell9#TRAY from_facility=pack consignee=cell
         cell r2 03-06 received units=cell9#TRAY facility=cell consignor=pack
         cell a2 03-07 aggregated parent=cell9#TRAY items=cell1/L:10 facility=cell
         cell s3 03-08 shipped units=cell9#TRAY from_facility=cell consignee=pack
         pack r3 03-09 received units=cell9#TRAY facility=pack consignor=cell",
        "found = none
         stock cell1/L = pack 10 pieces | pack 10 pieces in cell9#TRAY",
    );
}

#[test]
fn tray_comes_back_without_papers() {
    holds(
        "cell mk 03-01 commissioned facility=cell items=cell1/L:20
         cell a1 03-02 aggregated parent=cell9#TRAY items=cell1/L:10 facility=cell
         cell s1 03-03 shipped units=cell9#TRAY from_facility=cell consignee=pack
         pack r1 03-04 received items=cell1/L:10 facility=pack consignor=cell
         cell a2 03-07 aggregated parent=cell9#TRAY items=cell1/L:10 facility=cell
         cell s3 03-08 shipped units=cell9#TRAY from_facility=cell consignee=pack
         pack r3 03-09 received items=cell1/L:10 facility=pack consignor=cell",
        "found = none
         stock cell1/L = pack 20 pieces",
    );
}

#[test]
fn cross_docked_by_a_warehouse_in_units() {
    holds(
        "cell mk 03-01 commissioned facility=cell serials=cell1#S1..4
         cell ag 03-02 aggregated parent=cell9#PAL serials=cell1#S1..4 facility=cell
         cell sh 03-03 shipped units=cell9#PAL from_facility=cell consignee=car
         car rc 03-04 received units=cell9#PAL facility=car consignor=cell
         car sh 03-05 shipped units=cell9#PAL from_facility=car consignee=pack
         pack rc 03-06 received serials=cell1#S1..4 facility=pack consignor=car
         pack us 03-07 assembled parent=pack1#P serials=cell1#S1..4 facility=pack",
        "found = none
         up pack1#P = cell1#S1..cell1#S4",
    );
}

#[test]
fn cross_docked_and_receiver_names_the_maker() {
    holds(
        "cell mk 03-01 commissioned facility=cell serials=cell1#S1..4
         cell ag 03-02 aggregated parent=cell9#PAL serials=cell1#S1..4 facility=cell
         cell sh 03-03 shipped units=cell9#PAL from_facility=cell consignee=pack carrier=car
         car rc 03-04 received units=cell9#PAL facility=car consignor=cell
         car sh 03-05 shipped units=cell9#PAL from_facility=car consignee=pack
         pack rc 03-06 received units=cell9#PAL facility=pack consignor=cell
         pack di 03-06T01 disaggregated parent=cell9#PAL facility=pack
         pack us 03-07 assembled parent=pack1#P serials=cell1#S1..4 facility=pack",
        "found = none
         stock cell1#S1 = pack 1 piece in pack1#P",
    );
}

#[test]
fn kit_of_parts_shipped_as_kit_and_taken_apart() {
    holds(
        "cell mk 03-01 commissioned facility=cell items=cell1/A:10,cell2/B:20
         cell kt 03-02 aggregated parent=cell8#KIT items=cell1/A:1,cell2/B:2 facility=cell
         cell sh 03-03 shipped serials=cell8#KIT from_facility=cell consignee=pack
         pack rc 03-04 received items=cell1/A:1,cell2/B:2 facility=pack consignor=cell",
        "found = none
         stock cell1/A = cell 9 pieces | pack 1 piece
         stock cell2/B = cell 18 pieces | pack 2 pieces",
    );
}

#[test]
fn three_levels_of_containers() {
    holds(
        "cell mk 03-01 commissioned facility=cell serials=cell1#S1..4
         cell a1 03-02 aggregated parent=cell7#BOX serials=cell1#S1..4 facility=cell
         cell a2 03-02T01 aggregated parent=cell9#PAL serials=cell7#BOX facility=cell
         cell sh 03-03 shipped units=cell9#PAL from_facility=cell consignee=pack
         pack rc 03-04 received units=cell9#PAL facility=pack consignor=cell
         pack d1 03-05 disaggregated parent=cell9#PAL facility=pack
         pack d2 03-05T01 disaggregated parent=cell7#BOX serials=cell1#S1 facility=pack
         pack us 03-06 assembled parent=pack1#P serials=cell1#S1 facility=pack",
        "found = none
         stock cell1#S1 = pack 1 piece in pack1#P
         stock cell1#S2 = pack 1 piece in cell7#BOX",
    );
}

#[test]
#[ignore = "wrong: rule 6: stock cell1/L = cell>pack 10 pieces | pack 10 pieces in cell9#TRAY"]
fn shipped_listing_the_tray_and_its_contents() {
    holds(
        "cell mk 03-01 commissioned facility=cell items=cell1/L:20
         cell ag 03-02 aggregated parent=cell9#TRAY items=cell1/L:10 facility=cell
         cell sh 03-03 shipped serials=cell9#TRAY items=cell1/L:10 from_facility=cell consignee=pack
         pack rc 03-04 received serials=cell9#TRAY facility=pack consignor=cell",
        "found = none
         stock cell1/L = cell 10 pieces | pack 10 pieces in cell9#TRAY",
    );
}

#[test]
#[ignore = "wrong: rule 6: found = cell1#S1..cell1#S4 received_more_than_shipped by pack: pack received 2 pieces of 1 piece that were shipped: 1 piece out of nothing; stock cell1#S1 = pack 1 piece in cell9#TRAY | pack 1 piece in pack1#P"]
fn received_listing_the_tray_and_its_contents() {
    holds(
        "cell mk 03-01 commissioned facility=cell serials=cell1#S1..4
         cell ag 03-02 aggregated parent=cell9#TRAY serials=cell1#S1..4 facility=cell
         cell sh 03-03 shipped serials=cell9#TRAY from_facility=cell consignee=pack
         pack rc 03-04 received serials=cell9#TRAY,cell1#S1..4 facility=pack consignor=cell
         pack us 03-05 assembled parent=pack1#P serials=cell1#S1..4 facility=pack",
        "found = none
         stock cell1#S1 = pack 1 piece in pack1#P",
    );
}

#[test]
#[ignore = "wrong: rule 5: found = cell1#S1..cell1#S4 consumed_more_than_made by cell: used 2 pieces of 1 piece"]
fn packed_by_scanning_twice() {
    holds(
        "cell mk 03-01 commissioned facility=cell serials=cell1#S1..4
         cell a1 03-02 aggregated parent=cell9#TRAY serials=cell1#S1..4 facility=cell
         cell a2 03-02T01 aggregated parent=cell9#TRAY serials=cell1#S1..4 facility=cell
         cell sh 03-03 shipped serials=cell9#TRAY from_facility=cell consignee=pack
         pack rc 03-04 received serials=cell9#TRAY facility=pack consignor=cell",
        "found = none
         stock cell1#S1 = pack 1 piece in cell9#TRAY",
    );
}

#[test]
fn repacked_into_another_tray() {
    holds(
        "cell mk 03-01 commissioned facility=cell serials=cell1#S1..4
         cell a1 03-02 aggregated parent=cell9#T1 serials=cell1#S1..4 facility=cell
         cell d1 03-03 disaggregated parent=cell9#T1 serials=cell1#S1..2 facility=cell
         cell a2 03-03T01 aggregated parent=cell9#T2 serials=cell1#S1..2 facility=cell
         cell s1 03-04 shipped serials=cell9#T1 from_facility=cell consignee=pack
         cell s2 03-04 shipped serials=cell9#T2 from_facility=cell consignee=rec
         pack rc 03-05 received serials=cell9#T1 facility=pack consignor=cell
         rec rc 03-05 received serials=cell9#T2 facility=rec consignor=cell",
        "found = none
         stock cell1#S1 = rec 1 piece in cell9#T2
         stock cell1#S3 = pack 1 piece in cell9#T1",
    );
}
