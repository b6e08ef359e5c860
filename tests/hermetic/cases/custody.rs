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
fn a_carrier_who_takes_more_than_he_was_handed() {
    holds(
        "cam mk 03-01 commissioned facility=cam items=cam1/A:200KGM
         cam s1 03-02 shipped items=cam1/A:100KGM from_facility=cam consignee=cell carrier=car
         car rc 03-02T04 received items=cam1/A:100KGM facility=car consignor=cam
         car sh 03-02T20 shipped items=cam1/A:150KGM from_facility=car consignee=cell
         cell r1 03-03 received items=cam1/A:150KGM facility=cell consignor=car",
        "found = cam1/A used_more_than_held by car: car handed on 150 kg, and was given 100 kg to carry",
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
fn shipped_to_nobody_named_and_received() {
    holds(
        "cell mk 03-01 commissioned facility=cell items=cell1/L:10
         cell sh 03-02 shipped items=cell1/L:10 from_facility=cell
         pack rc 03-03 received items=cell1/L:10 facility=pack consignor=cell",
        "found = none
         stock cell1/L = pack 10 pieces",
    );
}

#[test]
fn received_of_nobody_named() {
    holds(
        "cell mk 03-01 commissioned facility=cell items=cell1/L:10
         cell sh 03-02 shipped items=cell1/L:10 from_facility=cell consignee=pack
         pack rc 03-03 received items=cell1/L:10 facility=pack",
        "found = none
         stock cell1/L = pack 10 pieces",
    );
}

#[test]
fn imported_and_exported_on_the_way() {
    holds(
        "cell mk 03-01 commissioned facility=cell items=cell1/L:10
         cell sh 03-02 shipped items=cell1/L:10 from_facility=cell consignee=pack
         cell ex 03-02T05 exported items=cell1/L:10 country=KR
         pack im 03-02T20 imported items=cell1/L:10 country=US
         pack rc 03-03 received items=cell1/L:10 facility=pack consignor=cell",
        "found = none
         stock cell1/L = pack 10 pieces",
    );
}

#[test]
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
fn stock_of_an_over_receipt_is_an_interval() {
    holds(
        "cell mk 03-01 commissioned facility=cell items=cell1/L:20
         cell ag 03-02 aggregated parent=cell9#TRAY items=cell1/L:10 facility=cell
         cell sh 03-03 shipped serials=cell9#TRAY from_facility=cell consignee=pack
         pack rc 03-04 received items=cell1/L:14 facility=pack consignor=cell",
        "stock cell1/L = cell 10 pieces | pack 10 to 14 pieces",
    );
}

#[test]
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

#[test]
fn built_into_another_before_the_late_receipt_of_both() {
    holds(
        "cell mk 03-01 commissioned facility=cell serials=cell2#M
         cell mn 03-01 commissioned facility=cell serials=cell2#N
         cell sh 03-02 shipped serials=cell2#M,cell2#N from_facility=cell consignee=pack shipment=D1
         pack rc 03-09 received serials=cell2#M,cell2#N facility=pack shipment=cell:D1
         pack as 03-05 assembled parent=cell2#N serials=cell2#M facility=pack",
        "found = none
         stock cell2#M = pack 1 piece in cell2#N
         stock cell2#N = pack 1 piece",
    );
}
