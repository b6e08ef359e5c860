//! Shipped, handed on, refused, returned, in containers.

use crate::chain::holds;

#[test]
fn returned_and_delivered_again() {
    holds(
        "cell mk 03-01 commissioned facility=cell items=cell1/C:100
         cell s1 03-02 shipped items=cell1/C:60 from_facility=cell consignee=pack
         pack r1 03-03 received items=cell1/C:60 facility=pack consignor=cell
         pack s2 03-04 shipped items=cell1/C:60 from_facility=pack consignee=cell
         cell r2 03-05 received items=cell1/C:60 facility=cell consignor=pack
         cell s3 03-06 shipped items=cell1/C:100 from_facility=cell consignee=pack
         pack r3 03-07 received items=cell1/C:100 facility=pack consignor=cell
         pack us 03-08 assembled parent=pack1#P items=cell1/C:100 facility=pack",
        "found = none
         made cell1/C = 100 pieces
         up pack1#P = cell1/C",
    );
}

#[test]
fn over_receipt_without_shipment_ids() {
    holds(
        "cam mk 03-01 commissioned facility=cam items=cam1/A:200KGM
         cam sh 03-02 shipped items=cam1/A:100KGM from_facility=cam consignee=cell
         cell r1 03-03 received items=cam1/A:150KGM facility=cell consignor=cam
         cell us 03-04 transformed facility=cell operator=cell inputs=cam1/A:150KGM outputs=cell1/E:140KGM",
        "found = cam1/A received_more_than_shipped by cell: cell received 150 kg of 100 kg that were shipped: 50 kg out of nothing
         stock cam1/A = cam 100 kg
         lineage cell1/E = 1",
    );
}

#[test]
fn over_receipt_in_epcis() {
    holds(
        "cam mk 03-01 ObjectEvent action=ADD bizStep=commissioning quantityList=cam1/A:200KGM readPoint=cam
         cam sh 03-02 ObjectEvent action=OBSERVE bizStep=shipping quantityList=cam1/A:100KGM readPoint=cam destination=cell desadv=D1
         cell r1 03-03 ObjectEvent action=OBSERVE bizStep=receiving quantityList=cam1/A:150KGM readPoint=cell source=cam",
        "found = cam1/A received_more_than_shipped by cell: cell received 150 kg of 100 kg that were shipped: 50 kg out of nothing",
    );
}

#[test]
fn over_receipt_against_one_shipment_while_another_is_under_way() {
    holds(
        "cam mk 03-01 commissioned facility=cam items=cam1/A:200KGM
         cam s1 03-02 shipped items=cam1/A:100KGM from_facility=cam consignee=cell shipment=D1
         cam s2 03-02 shipped items=cam1/A:100KGM from_facility=cam consignee=cell shipment=D2
         cell r1 03-03 received items=cam1/A:150KGM facility=cell consignor=cam shipment=cam:D1",
        "found = cam1/A received_more_than_shipped by cell: cell received 150 kg of 100 kg that were shipped: 50 kg out of nothing",
    );
}

#[test]
fn three_receipts_of_two_shipments_without_ids() {
    holds(
        "cam mk 03-01 commissioned facility=cam items=cam1/A:200KGM
         cam s1 03-02 shipped items=cam1/A:100KGM from_facility=cam consignee=cell shipment=D1
         cam s2 03-02 shipped items=cam1/A:50KGM from_facility=cam consignee=cell shipment=D2
         cell r1 03-03 received items=cam1/A:70KGM facility=cell consignor=cam
         cell r2 03-04 received items=cam1/A:50KGM facility=cell consignor=cam
         cell r3 03-05 received items=cam1/A:30KGM facility=cell consignor=cam",
        "found = none
         stock cam1/A = cam 50 kg | cell 150 kg",
    );
}

#[test]
fn short_receipt_stays_under_way() {
    holds(
        "cam mk 03-01 commissioned facility=cam items=cam1/A:100KGM
         cam s1 03-02 shipped items=cam1/A:100KGM from_facility=cam consignee=cell
         cell r1 03-03 received items=cam1/A:60KGM facility=cell consignor=cam condition=short",
        "found = none
         stock cam1/A = cam>cell 40 kg | cell 60 kg",
    );
}

#[test]
fn handed_on_by_a_carrier() {
    holds(
        "cam mk 03-01 commissioned facility=cam items=cam1/A:100KGM
         cam s1 03-02 shipped items=cam1/A:100KGM from_facility=cam consignee=cell carrier=car
         car ct 03-02T04 custody_transferred items=cam1/A:100KGM from_party=cam to_party=car
         car c2 03-02T20 custody_transferred items=cam1/A:100KGM from_party=car to_party=cell
         cell r1 03-03 received items=cam1/A:100KGM facility=cell consignor=cam
         cell us 03-04 transformed facility=cell operator=cell inputs=cam1/A:100KGM outputs=cell1/E:90KGM",
        "found = none
         stock cam1/A = none",
    );
}

#[test]
fn carrier_receives_and_ships() {
    holds(
        "cam mk 03-01 commissioned facility=cam items=cam1/A:100KGM
         cam s1 03-02 shipped items=cam1/A:100KGM from_facility=cam consignee=cell carrier=car
         car rc 03-02T04 received items=cam1/A:100KGM facility=car consignor=cam
         car sh 03-02T20 shipped items=cam1/A:100KGM from_facility=car consignee=cell
         cell r1 03-03 received items=cam1/A:100KGM facility=cell consignor=car",
        "found = none
         stock cam1/A = cell 100 kg",
    );
}

#[test]
#[ignore = "wrong: rule 6: found = cam1/A received_more_than_shipped by cell: cell received 150 kg of 100 kg that were shipped: 50 kg out of nothing"]
fn a_carrier_who_takes_more_than_he_was_handed() {
    holds(
        "cam mk 03-01 commissioned facility=cam items=cam1/A:200KGM
         cam s1 03-02 shipped items=cam1/A:100KGM from_facility=cam consignee=cell carrier=car
         car rc 03-02T04 received items=cam1/A:100KGM facility=car consignor=cam
         car sh 03-02T20 shipped items=cam1/A:150KGM from_facility=car consignee=cell
         cell r1 03-03 received items=cam1/A:150KGM facility=cell consignor=car",
        "found = cam1/A used_more_than_held by car: car used and let go of 150 kg, and had 100 kg",
    );
}

#[test]
fn refused_and_taken_back_without_papers_and_sold_elsewhere() {
    holds(
        "cell mk 03-01 commissioned facility=cell serials=cell1#S1..2
         cell sh 03-02 shipped serials=cell1#S1..2 from_facility=cell consignee=pack shipment=D1
         pack rf 03-03 delivery_refused serials=cell1#S1..2 facility=pack shipment=cell:D1 reason=dented
         cell rb 03-04 received serials=cell1#S1..2 facility=cell
         cell s2 03-05 shipped serials=cell1#S1..2 from_facility=cell consignee=rec
         rec rc 03-06 received serials=cell1#S1..2 facility=rec consignor=cell",
        "found = none
         stock cell1#S1 = rec 1 piece",
    );
}

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
fn refused_and_used_all_the_same() {
    holds(
        "cell mk 03-01 commissioned facility=cell items=cell1/L:10
         cell sh 03-02 shipped items=cell1/L:10 from_facility=cell consignee=pack shipment=D1
         pack rc 03-03 received items=cell1/L:6 facility=pack consignor=cell shipment=cell:D1
         pack rf 03-03 delivery_refused items=cell1/L:4 facility=pack shipment=cell:D1 reason=dented
         pack us 03-05 assembled parent=pack1#P items=cell1/L:10 facility=pack",
        "found = cell1/L used_more_than_held by pack: pack used and let go of 10 pieces, and had 6 pieces",
    );
}

#[test]
fn shipping_as_add() {
    holds(
        "cam mk 03-01 ObjectEvent action=ADD bizStep=commissioning quantityList=cam1/A:30KGM readPoint=cam
         cam sh 03-02 ObjectEvent action=ADD bizStep=shipping quantityList=cam1/A:30KGM readPoint=cam destination=cell
         cell rc 03-03 received items=cam1/A:30KGM facility=cell consignor=cam",
        "found = none
         stock cam1/A = cell 30 kg",
    );
}

#[test]
fn receiving_as_add() {
    holds(
        "cam mk 03-01 ObjectEvent action=ADD bizStep=commissioning quantityList=cam1/A:30KGM readPoint=cam
         cam sh 03-02 ObjectEvent action=OBSERVE bizStep=shipping quantityList=cam1/A:30KGM readPoint=cam destination=cell
         cell rc 03-03 ObjectEvent action=ADD bizStep=receiving quantityList=cam1/A:30KGM readPoint=cell source=cam",
        "found = none
         stock cam1/A = cell 30 kg
         by cam1/A = cam
         made cam1/A = 30 kg",
    );
}

#[test]
fn shipping_as_delete() {
    holds(
        "cam mk 03-01 ObjectEvent action=ADD bizStep=commissioning quantityList=cam1/A:30KGM readPoint=cam
         cam sh 03-02 ObjectEvent action=DELETE bizStep=shipping quantityList=cam1/A:30KGM readPoint=cam destination=cell
         cell rc 03-03 received items=cam1/A:30KGM facility=cell consignor=cam",
        "found = none
         stock cam1/A = cell 30 kg",
    );
}

#[test]
fn shipping_as_transaction_event() {
    holds(
        "cam mk 03-01 ObjectEvent action=ADD bizStep=commissioning quantityList=cam1/A:30KGM readPoint=cam
         cam sh 03-02 TransactionEvent action=ADD bizStep=shipping quantityList=cam1/A:30KGM readPoint=cam destination=cell desadv=D7
         cell rc 03-03 received items=cam1/A:30KGM facility=cell consignor=cam",
        "found = none
         stock cam1/A = cell 30 kg",
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
fn a_drop_shipment_sold_by_who_never_held() {
    holds(
        "cell mk 03-01 commissioned facility=cell items=cell1/L:10
         cell sh 03-02 shipped items=cell1/L:10 from_facility=cell consignee=pack
         cell t1 03-02 title_transferred items=cell1/L:10 seller=cell buyer=rec titles_complete=true
         rec t2 03-02 title_transferred items=cell1/L:10 seller=rec buyer=pack titles_complete=true
         pack rc 03-03 received items=cell1/L:10 facility=pack consignor=cell",
        "found = none
         stock cell1/L = pack 10 pieces",
    );
}

#[test]
#[ignore = "wrong: rule 6: found = cam1/A received_never_shipped by cell: cell received 150 kg; no shipment to cell fits | cam1/A used_more_than_held by car: car used and let go of 150 kg, and had 100 kg"]
fn a_carrier_who_takes_more_than_he_was_handed_by_custody_transferred() {
    holds(
        "cam mk 03-01 commissioned facility=cam items=cam1/A:200KGM
         cam ct 03-02 custody_transferred items=cam1/A:100KGM from_party=cam to_party=car
         car c2 03-03 custody_transferred items=cam1/A:150KGM from_party=car to_party=cell
         cell r1 03-03T04 received items=cam1/A:150KGM facility=cell consignor=car",
        "found = cam1/A used_more_than_held by car: car used and let go of 150 kg, and had 100 kg",
    );
}

#[test]
fn a_trader_who_sells_on_more_than_he_received() {
    holds(
        "cell mk 03-01 commissioned facility=cell items=cell1/L:100
         cell s1 03-02 shipped items=cell1/L:50 from_facility=cell consignee=rec
         rec rc 03-03 received items=cell1/L:50 facility=rec consignor=cell
         rec s2 03-04 shipped items=cell1/L:80 from_facility=rec consignee=pack
         pack r2 03-05 received items=cell1/L:80 facility=pack consignor=rec",
        "found = cell1/L used_more_than_held by rec: rec used and let go of 80 pieces, and had 50 pieces",
    );
}

#[test]
fn the_receiver_names_the_maker_and_came_by_a_trader_who_had_too_little() {
    holds(
        "cell mk 03-01 commissioned facility=cell items=cell1/L:100
         cell s1 03-02 shipped items=cell1/L:50 from_facility=cell consignee=rec
         rec rc 03-03 received items=cell1/L:50 facility=rec consignor=cell
         rec s2 03-04 shipped items=cell1/L:80 from_facility=rec consignee=pack
         pack r2 03-05 received items=cell1/L:80 facility=pack
         pack us 03-06 assembled parent=pack1#P items=cell1/L:80 facility=pack",
        "found = cell1/L used_more_than_held by rec: rec used and let go of 80 pieces, and had 50 pieces",
    );
}

#[test]
fn delivered_short_then_rest() {
    holds(
        "cam mk 03-01 commissioned facility=cam items=cam1/A:100KGM
         cam s1 03-02 shipped items=cam1/A:100KGM from_facility=cam consignee=cell shipment=D1
         cell r1 03-03 received items=cam1/A:60KGM facility=cell consignor=cam shipment=cam:D1 condition=short
         cell r2 03-05 received items=cam1/A:40KGM facility=cell consignor=cam shipment=cam:D1",
        "found = none
         stock cam1/A = cell 100 kg",
    );
}

#[test]
fn refused_in_two_events_and_received_partly_late() {
    holds(
        "cell mk 03-01 commissioned facility=cell serials=cell1#S1..4 class_lot=cell1/L
         cell sh 03-02 shipped serials=cell1#S1..4 from_facility=cell consignee=pack shipment=D1
         pack rf 03-03 delivery_refused items=cell1/L:2 facility=pack shipment=cell:D1 reason=dented
         pack rc 03-03 received serials=cell1#S1..2 facility=pack consignor=cell shipment=cell:D1
         cell rb 03-05 received serials=cell1#S3..4 facility=cell consignor=pack shipment=cell:D1",
        "found = none
         stock cell1#S3 = cell 1 piece
         stock cell1#S1 = pack 1 piece",
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
#[ignore = "wrong: rule 6: stock cell1#S3 = cell 1 piece in cell2#M | pack 1 piece"]
fn blind_return_then_used() {
    holds(
        "cell mk 03-01 commissioned facility=cell serials=cell1#S1..4
         cell sh 03-02 shipped serials=cell1#S1..4 from_facility=cell consignee=pack shipment=D1
         pack rc 03-03 received serials=cell1#S1..4 facility=pack consignor=cell shipment=cell:D1
         cell rb 03-05 received serials=cell1#S3 facility=cell
         cell us 03-06 assembled parent=cell2#M serials=cell1#S3 facility=cell",
        "found = none
         stock cell1#S3 = cell 1 piece in cell2#M",
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
fn wrong_zone_uses_before_receipt_by_nine_hours() {
    holds(
        "cell mk 03-01 commissioned facility=cell items=cell1/L:10
         cell sh 03-02T20 shipped items=cell1/L:10 from_facility=cell consignee=pack
         pack rc 03-02T11 received items=cell1/L:10 facility=pack consignor=cell
         pack us 03-02T12 assembled parent=pack1#P items=cell1/L:10 facility=pack",
        "found = none
         up pack1#P = cell1/L
         stock cell1/L = pack 10 pieces in pack1#P",
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
#[ignore = "wrong: rule 3: stock cell1#S1 = pack 1 to 2 pieces"]
fn a_serial_is_one_piece() {
    holds(
        "cell mk 03-01 commissioned facility=cell serials=cell1#S1..4
         cell sh 03-02 shipped serials=cell1#S1..2 from_facility=cell consignee=pack
         pack rc 03-03 received serials=cell1#S1..2 facility=pack consignor=cell
         pack r2 03-04 received serials=cell1#S1 facility=pack consignor=cell",
        "stock cell1#S1 = pack 1 piece",
    );
}

#[test]
#[ignore = "wrong: rule 3: stock cell1/L = cell 10 pieces | pack 10 to 14 pieces"]
fn stock_is_no_more_than_was_in_the_tray() {
    holds(
        "cell mk 03-01 commissioned facility=cell items=cell1/L:20
         cell ag 03-02 aggregated parent=cell9#TRAY items=cell1/L:10 facility=cell
         cell sh 03-03 shipped serials=cell9#TRAY from_facility=cell consignee=pack
         pack rc 03-04 received items=cell1/L:14 facility=pack consignor=cell",
        "stock cell1/L = cell 10 pieces | pack 10 pieces",
    );
}

#[test]
#[ignore = "wrong: rule 6: found = cam1/A received_never_shipped by cell: cell received 100 kg; no shipment to cell fits; stock cam1/A = cam 100 kg | cell 100 to 200 kg"]
fn handed_over_twice_and_received() {
    holds(
        "cam mk 03-01 commissioned facility=cam items=cam1/A:200KGM
         cam ct 03-02 custody_transferred items=cam1/A:100KGM from_party=cam to_party=car
         car c2 03-03 custody_transferred items=cam1/A:100KGM from_party=car to_party=cell
         cell r1 03-03T04 received items=cam1/A:100KGM facility=cell consignor=car",
        "found = none
         stock cam1/A = cam 100 kg | cell 100 kg",
    );
}

#[test]
#[ignore = "wrong: rule 6: found = cam1/A received_never_shipped by cell: cell received 100 kg; no shipment to cell fits; stock cam1/A = cam 100 kg | cell 100 to 200 kg"]
fn handed_over_twice_and_received_of_the_maker() {
    holds(
        "cam mk 03-01 commissioned facility=cam items=cam1/A:200KGM
         cam ct 03-02 custody_transferred items=cam1/A:100KGM from_party=cam to_party=car
         car c2 03-03 custody_transferred items=cam1/A:100KGM from_party=car to_party=cell
         cell r1 03-03T04 received items=cam1/A:100KGM facility=cell consignor=cam",
        "found = none
         stock cam1/A = cam 100 kg | cell 100 kg",
    );
}

#[test]
fn damaged_goods_go_back() {
    holds(
        "cam mk 03-01 commissioned facility=cam items=cam1/A:100KGM
         cam s1 03-02 shipped items=cam1/A:100KGM from_facility=cam consignee=cell shipment=D1
         cell r1 03-03 received items=cam1/A:90KGM facility=cell consignor=cam shipment=cam:D1
         cell r2 03-03 received items=cam1/A:10KGM facility=cell consignor=cam shipment=cam:D1 condition=damaged
         cell rb 03-04 shipped items=cam1/A:10KGM from_facility=cell consignee=cam
         cam rr 03-05 received items=cam1/A:10KGM facility=cam consignor=cell",
        "found = none
         stock cam1/A = cam 10 kg | cell 90 kg",
    );
}
