//! What is taken back, corrected or dated back after others relied on it.

use crate::chain::holds;

#[test]
fn void_of_a_making_in_serials_after_one_was_used() {
    holds(
        "cell mk 03-01 commissioned facility=cell serials=cell1#S1..4
         cell sh 03-02 shipped serials=cell1#S1..2 from_facility=cell consignee=pack
         pack rc 03-03 received serials=cell1#S1..2 facility=pack consignor=cell
         pack as 03-04 assembled parent=pack1#P serials=cell1#S1..2 facility=pack
         cell vo 03-01T01 voided event=mk reason=mistake",
        "found cell1#S1 = cell1#S1 voided_after_use by cell: contested
         up pack1#P = cell1#S1..cell1#S2
         state cell1#S1 = none
         facts cell1#S1 = as | mk contested | rc | sh",
    );
}

#[test]
fn void_of_a_making_whose_pallet_was_shipped() {
    holds(
        "cell mk 03-01 commissioned facility=cell serials=cell1#S1..4
         cell ag 03-02 aggregated parent=cell9#TRAY serials=cell1#S1..4 facility=cell
         cell sh 03-02T01 shipped serials=cell9#TRAY from_facility=cell consignee=pack
         pack rc 03-03 received serials=cell9#TRAY facility=pack consignor=cell
         pack as 03-04 assembled parent=pack1#P serials=cell1#S1..4 facility=pack
         cell vo 03-01T01 voided event=mk reason=mistake",
        "found cell1#S1 = cell1#S1 voided_after_use by cell: contested
         up pack1#P = cell1#S1..cell1#S4
         facts cell1#S1 = ag | as | mk contested",
    );
}

#[test]
fn void_of_a_shipment_after_it_was_received() {
    holds(
        "cam mk 03-01 commissioned facility=cam items=cam1/A:100KGM
         cam sh 03-02 shipped items=cam1/A:40KGM from_facility=cam consignee=cell
         cell rc 03-03 received items=cam1/A:40KGM facility=cell consignor=cam
         cam vo 03-02T01 voided event=sh reason=mistake",
        "found = cam1/A voided_after_use by cam: contested
         stock cam1/A = cam 60 kg | cell 40 kg",
    );
}

#[test]
fn void_of_a_transformation_whose_output_was_used_by_another() {
    holds(
        "cam mk 03-01 commissioned facility=cam items=cam1/A:100KGM
         cam tr 03-02 transformed facility=cam operator=cam inputs=cam1/A:100KGM outputs=cam2/O:90KGM
         cam sh 03-03 shipped items=cam2/O:90KGM from_facility=cam consignee=cell
         cell rc 03-04 received items=cam2/O:90KGM facility=cell consignor=cam
         cell us 03-05 transformed facility=cell operator=cell inputs=cam2/O:90KGM outputs=cell1/E:90KGM
         cam vo 03-02T01 voided event=tr reason=mistake",
        "found = cam1/A voided_after_use by cam: contested | cam2/O voided_after_use by cam: contested
         up cell1/E = cam1/A, cam2/O
         down cam1/A = cam2/O, cell1/E
         stock cam1/A = none",
    );
}

#[test]
fn void_before_anything_left_counts_at_once() {
    holds(
        "cam mk 03-01 commissioned facility=cam items=cam1/A:100KGM
         cam vo 03-09 voided event=mk reason=mistake
         cam m2 03-01 commissioned facility=cam items=cam1/A:80KGM
         cam sh 03-03 shipped items=cam1/A:80KGM from_facility=cam consignee=cell
         cell rc 03-04 received items=cam1/A:80KGM facility=cell consignor=cam",
        "found = none
         made cam1/A = 80 kg
         stock cam1/A = cell 80 kg
         facts cam1/A = m2 | mk not counted | rc | sh",
    );
}

#[test]
fn a_correction_that_leaves_all_covered_counts_at_once() {
    holds(
        "cam mk 03-01 commissioned facility=cam items=cam1/A:10KGM
         cam sh 03-02 shipped items=cam1/A:2KGM from_facility=cam consignee=cell
         cell rc 03-03 received items=cam1/A:2KGM facility=cell consignor=cam
         cell us 03-04 transformed facility=cell operator=cell inputs=cam1/A:2KGM outputs=cell1/E:2KGM
         cam co 03-05 corrected event=mk reason=typo corrective_ids=mk2
         cam mk2 03-01 commissioned facility=cam items=cam1/A:8KGM",
        "found = none
         made cam1/A = 8 kg
         stock cam1/A = cam 6 kg
         up cell1/E = cam1/A",
    );
}

#[test]
fn a_correction_below_what_others_took_is_contested() {
    holds(
        "cam mk 03-01 commissioned facility=cam items=cam1/A:10KGM
         cam sh 03-02 shipped items=cam1/A:6KGM from_facility=cam consignee=cell
         cell rc 03-03 received items=cam1/A:6KGM facility=cell consignor=cam
         cam co 03-05 corrected event=mk reason=typo corrective_ids=mk2
         cam mk2 03-01 commissioned facility=cam items=cam1/A:3KGM",
        "found = cam1/A voided_after_use by cam: contested",
    );
}

#[test]
fn all_who_relied_second_the_void() {
    holds(
        "cam mk 03-01 commissioned facility=cam items=cam1/A:100KGM
         cam sh 03-02 shipped items=cam1/A:10KGM from_facility=cam consignee=cell
         cell rc 03-03 received items=cam1/A:10KGM facility=cell consignor=cam
         cam v1 03-05 voided event=mk reason=mistake
         cam v2 03-05 voided event=sh reason=mistake
         cell v3 03-05 voided event=rc reason=mistake",
        "found = none
         made cam1/A = nothing
         stock cam1/A = none",
    );
}

#[test]
fn error_declaration_of_a_shipment_after_it_was_received() {
    holds(
        "cam mk 03-01 ObjectEvent action=ADD bizStep=commissioning quantityList=cam1/A:10KGM readPoint=cam
         cam sh 03-02 ObjectEvent action=OBSERVE bizStep=shipping quantityList=cam1/A:2KGM readPoint=cam destination=cell
         cell rc 03-03 received items=cam1/A:2KGM facility=cell consignor=cam
         cam sh 03-02 ObjectEvent action=OBSERVE bizStep=shipping quantityList=cam1/A:2KGM readPoint=cam destination=cell wrong=03-02T01",
        "found = cam1/A voided_after_use by cam: contested
         stock cam1/A = cam 8 kg | cell 2 kg
         refused = 0",
    );
}

#[test]
fn error_declaration_of_a_transformation_whose_output_was_used() {
    holds(
        "cam mk 03-01 ObjectEvent action=ADD bizStep=commissioning quantityList=cam1/A:10KGM readPoint=cam
         cam tr 03-02 TransformationEvent bizStep=commissioning inputQuantityList=cam1/A:10KGM outputQuantityList=cam2/O:9KGM readPoint=cam
         cam sh 03-03 ObjectEvent action=OBSERVE bizStep=shipping quantityList=cam2/O:9KGM readPoint=cam destination=cell
         cell rc 03-04 received items=cam2/O:9KGM facility=cell consignor=cam
         cell us 03-05 transformed facility=cell operator=cell inputs=cam2/O:9KGM outputs=cell1/E:9KGM
         cam tr 03-02 TransformationEvent bizStep=commissioning inputQuantityList=cam1/A:10KGM outputQuantityList=cam2/O:9KGM readPoint=cam wrong=03-02T01",
        "found = cam1/A voided_after_use by cam: contested | cam2/O voided_after_use by cam: contested
         up cell1/E = cam1/A, cam2/O",
    );
}

#[test]
fn error_declaration_before_anything_left_counts() {
    holds(
        "cam mk 03-01 ObjectEvent action=ADD bizStep=commissioning quantityList=cam1/A:10KGM readPoint=cam
         cam mk 03-01 ObjectEvent action=ADD bizStep=commissioning quantityList=cam1/A:10KGM readPoint=cam wrong=03-20
         cam m2 03-01 ObjectEvent action=ADD bizStep=commissioning quantityList=cam1/A:12KGM readPoint=cam
         cam sh 03-02 ObjectEvent action=OBSERVE bizStep=shipping quantityList=cam1/A:12KGM readPoint=cam destination=cell
         cell rc 03-03 received items=cam1/A:12KGM facility=cell consignor=cam",
        "found = none
         made cam1/A = 12 kg
         stock cam1/A = cell 12 kg",
    );
}

#[test]
fn voided_cells_after_the_pack_left() {
    holds(
        "tnt  p  01-01 product_declared product=tnt1 kind=cell
         tnt  mk 03-01 commissioned facility=tnt items=tnt1/T:100
         tnt  sh 03-02 shipped items=tnt1/T:100 from_facility=tnt consignee=pack
         pack o  01-02 ownership_declared party=pack owners= ownership_complete=true certified
         pack p1 01-02 product_declared product=pack1 kind=pack certified
         pack p2 01-02 product_declared product=pack2 kind=bms certified
         pack rc 03-03 received items=tnt1/T:100 facility=pack consignor=tnt
         pack b  03-04 transformed step=assemble_bms facility=pack operator=pack outputs=pack2/B:10 inputs_complete=true certified
         pack a1 03-05 assembled step=assemble_pack parent=pack1#P items=tnt1/T:100 facility=pack operator=pack certified
         pack a2 03-05 assembled step=assemble_pack parent=pack1#P items=pack2/B:1 facility=pack operator=pack inputs_complete=true certified
         pack sh 03-06 shipped serials=pack1#P from_facility=pack consignee=rec
         rec  rc 03-07 received serials=pack1#P facility=rec consignor=pack
         pack vo 03-05T01 voided event=a1 reason=mistake",
        "up pack1#P = pack2/B, tnt1/T
         down tnt1/T = pack1#P
         found pack1#P = pack1#P voided_after_use by pack: contested | tnt1/T voided_after_use by pack: contested
         verdict pack1#P = not compliant",
    );
}

#[test]
fn disassembled_back_dated_after_the_pack_left() {
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
         pack sh 03-06 shipped serials=pack1#P from_facility=pack consignee=rec
         rec  rc 03-07 received serials=pack1#P facility=rec consignor=pack
         pack di 03-05T12 disassembled parent=pack1#P items=tnt1/T:100 facility=pack",
        "up pack1#P = pack2/B, tnt1/T
         verdict pack1#P = not compliant
         stock tnt1/T = rec 100 pieces in pack1#P",
    );
}

#[test]
fn withdrawn_by_shipment_id_alone() {
    holds(
        "cam mk 03-01 commissioned facility=cam items=cam1/A:100KGM
         cam sh 03-02 shipped items=cam1/A:40KGM from_facility=cam consignee=cell shipment=D1
         cam wd 03-03 shipment_withdrawn shipment=D1",
        "found = none
         stock cam1/A = cam 100 kg",
    );
}

#[test]
fn withdrawn_and_received_all_the_same() {
    holds(
        "cam mk 03-01 commissioned facility=cam items=cam1/A:100KGM
         cam sh 03-02 shipped items=cam1/A:40KGM from_facility=cam consignee=cell shipment=D1
         cell rc 03-03 received items=cam1/A:40KGM facility=cell consignor=cam shipment=cam:D1
         cam wd 03-02T01 shipment_withdrawn shipment=D1",
        "stock cam1/A = cam 60 kg | cell 40 kg",
    );
}

#[test]
fn withdrawn_after_it_was_received_and_shipped_again() {
    holds(
        "cam mk 03-01 commissioned facility=cam items=cam1/A:100KGM
         cam sh 03-02 shipped items=cam1/A:100KGM from_facility=cam consignee=cell shipment=D1
         cell rc 03-03 received items=cam1/A:100KGM facility=cell consignor=cam shipment=cam:D1
         cam wd 03-02T01 shipment_withdrawn shipment=D1
         cam s2 03-04 shipped items=cam1/A:100KGM from_facility=cam consignee=pack shipment=D2
         pack rc 03-05 received items=cam1/A:100KGM facility=pack consignor=cam shipment=cam:D2
         cell us 03-06 transformed facility=cell operator=cell inputs=cam1/A:100KGM outputs=cell1/E:90KGM",
        "found cam1/A = cam1/A consumed_more_than_made by cam: used 200 kg of 100 kg",
    );
}

#[test]
fn withdrawn_by_serial_after_it_was_received() {
    holds(
        "cell mk 03-01 commissioned facility=cell serials=cell1#S1..2
         cell sh 03-02 shipped serials=cell1#S1..2 from_facility=cell consignee=pack shipment=D1
         pack rc 03-03 received serials=cell1#S1..2 facility=pack consignor=cell shipment=cell:D1
         cell wd 03-02T01 shipment_withdrawn shipment=D1",
        "stock cell1#S1 = pack 1 piece",
    );
}

#[test]
fn withdrawn_in_epcis_after_it_was_received() {
    holds(
        "cam mk 03-01 ObjectEvent action=ADD bizStep=commissioning quantityList=cam1/A:100KGM readPoint=cam
         cam sh 03-02 ObjectEvent action=OBSERVE bizStep=shipping quantityList=cam1/A:40KGM readPoint=cam destination=cell desadv=D1
         cell rc 03-03 received items=cam1/A:40KGM facility=cell consignor=cam shipment=cam:D1
         cam wd 03-02T01 ObjectEvent action=OBSERVE bizStep=void_shipping quantityList=cam1/A:40KGM readPoint=cam desadv=D1",
        "stock cam1/A = cam 60 kg | cell 40 kg",
    );
}

#[test]
fn correction_of_the_place_after_use() {
    holds(
        "cam mk 03-01 commissioned facility=cam' operator=cam items=cam1/A:100KGM
         cam sh 03-03 shipped items=cam1/A:90KGM from_facility=cam consignee=cell
         cell rc 03-04 received items=cam1/A:90KGM facility=cell consignor=cam
         cam co 03-05 corrected event=mk reason=typo corrective_ids=mk2
         cam mk2 03-01 commissioned facility=cam operator=cam items=cam1/A:100KGM",
        "found = cam1/A voided_after_use by cam: contested
         made cam1/A = 100 kg",
    );
}

#[test]
fn back_dated_assembly_into_a_shipped_pack() {
    holds(
        "pack mk 03-01 commissioned facility=pack items=pack2/C:100
         pack as 03-02 assembled parent=pack1#P items=pack2/C:50 facility=pack
         pack sh 03-03 shipped serials=pack1#P from_facility=pack consignee=rec
         rec rc 03-04 received serials=pack1#P facility=rec consignor=pack
         pack a2 03-02T01 assembled parent=pack1#P items=pack2/C:10 facility=pack",
        "up pack1#P = pack2/C
         facts pack1#P = a2 contested | as | rc | sh",
    );
}

#[test]
fn back_dated_disassembly() {
    holds(
        "pack mk 03-01 commissioned facility=pack items=pack2/C:100
         pack as 03-02 assembled parent=pack1#P items=pack2/C:50 facility=pack
         pack sh 03-03 shipped serials=pack1#P from_facility=pack consignee=rec
         rec rc 03-04 received serials=pack1#P facility=rec consignor=pack
         pack di 03-02T01 disassembled parent=pack1#P items=pack2/C:50 facility=pack",
        "up pack1#P = pack2/C
         found pack1#P = pack1#P voided_after_use by pack: contested
         stock pack2/C = pack 50 pieces | rec 50 pieces in pack1#P",
    );
}

#[test]
fn consignment_withdrawn_and_reshipped_same_id() {
    holds(
        "cam mk 03-01 commissioned facility=cam items=cam1/A:100KGM
         cam sh 03-02 shipped items=cam1/A:40KGM from_facility=cam consignee=cell shipment=D1
         cam wd 03-02T01 shipment_withdrawn shipment=D1
         cam s2 03-02T02 shipped items=cam1/A:30KGM from_facility=cam consignee=cell shipment=D1
         cell rc 03-03 received items=cam1/A:30KGM facility=cell consignor=cam shipment=cam:D1",
        "found = none
         stock cam1/A = cam 70 kg | cell 30 kg",
    );
}

#[test]
fn a_void_is_voided() {
    holds(
        "cam mk 03-01 commissioned facility=cam items=cam1/A:10KGM
         cam v1 03-02 voided event=mk reason=mistake
         cam v2 03-03 voided event=v1 reason=mistake",
        "found = none
         made cam1/A = 10 kg",
    );
}

#[test]
fn a_delivery_note_with_a_typing_error_is_corrected() {
    holds(
        "cam mk 03-01 commissioned facility=cam items=cam1/A:100KGM
         cam sh 03-02 shipped items=cam1/A:40KGM from_facility=cam consignee=cell
         cell rc 03-03 received items=cam1/A:60KGM facility=cell consignor=cam
         cam co 03-04 corrected event=sh reason=typo corrective_ids=sh2
         cam sh2 03-02 shipped items=cam1/A:60KGM from_facility=cam consignee=cell",
        "found = none
         stock cam1/A = cam 40 kg | cell 60 kg",
    );
}

#[test]
fn a_receipt_with_a_typing_error_is_corrected() {
    holds(
        "cam mk 03-01 commissioned facility=cam items=cam1/A:100KGM
         cam sh 03-02 shipped items=cam1/A:40KGM from_facility=cam consignee=cell
         cell rc 03-03 received items=cam1/A:60KGM facility=cell consignor=cam
         cell co 03-04 corrected event=rc reason=typo corrective_ids=rc2
         cell rc2 03-03 received items=cam1/A:40KGM facility=cell consignor=cam",
        "found = none
         stock cam1/A = cam 60 kg | cell 40 kg",
    );
}

#[test]
fn the_wrong_lot_on_a_delivery_note_is_corrected() {
    holds(
        "cam mk 03-01 commissioned facility=cam items=cam1/A:100KGM,cam1/B:100KGM
         cam sh 03-02 shipped items=cam1/A:40KGM from_facility=cam consignee=cell
         cell rc 03-03 received items=cam1/B:40KGM facility=cell consignor=cam
         cam co 03-04 corrected event=sh reason=wrong_lot corrective_ids=sh2
         cam sh2 03-02 shipped items=cam1/B:40KGM from_facility=cam consignee=cell",
        "found = none
         stock cam1/A = cam 100 kg
         stock cam1/B = cam 60 kg | cell 40 kg",
    );
}

#[test]
fn corrected_twice() {
    holds(
        "cam mk 03-01 commissioned facility=cam items=cam1/A:10KGM
         cam c1 03-02 corrected event=mk reason=typo corrective_ids=mk2
         cam mk2 03-01 commissioned facility=cam items=cam1/A:11KGM
         cam c2 03-03 corrected event=mk2 reason=typo corrective_ids=mk3
         cam mk3 03-01 commissioned facility=cam items=cam1/A:12KGM",
        "found = none
         made cam1/A = 12 kg",
    );
}

#[test]
fn parts_of_a_module_voided_after_the_pack_left() {
    holds(
        "tnt  p  01-01 product_declared product=tnt1 kind=cell
         tnt  mk 03-01 commissioned facility=tnt items=tnt1/T:100
         tnt  sh 03-02 shipped items=tnt1/T:100 from_facility=tnt consignee=pack
         pack o  01-02 ownership_declared party=pack owners= ownership_complete=true certified
         pack p1 01-02 product_declared product=pack1 kind=pack certified
         pack p2 01-02 product_declared product=pack2 kind=bms certified
         pack p3 01-02 product_declared product=pack3 kind=module certified
         pack rc 03-03 received items=tnt1/T:100 facility=pack consignor=tnt
         pack b  03-04 transformed step=assemble_bms facility=pack operator=pack outputs=pack2/B:10 inputs_complete=true certified
         pack m1 03-05 assembled step=assemble_module parent=pack3#M items=tnt1/T:100 facility=pack operator=pack certified
         pack a2 03-06 assembled step=assemble_pack parent=pack1#P serials=pack3#M items=pack2/B:1 facility=pack operator=pack inputs_complete=true certified
         pack sp 03-07 shipped serials=pack1#P from_facility=pack consignee=rec
         rec  rp 03-08 received serials=pack1#P facility=rec consignor=pack
         pack vo 03-05T01 voided event=m1 reason=mistake",
        "up pack1#P = pack2/B, pack3#M, tnt1/T
         verdict pack1#P = not compliant
         lineage pack1#P = 2",
    );
}

#[test]
fn a_step_two_levels_up_is_voided_after_use() {
    holds(
        "cam mk 03-01 commissioned facility=cam items=cam1/A:10KGM
         cam t1 03-02 transformed facility=cam operator=cam inputs=cam1/A:10KGM outputs=cam2/B:9KGM
         cam t2 03-03 transformed facility=cam operator=cam inputs=cam2/B:9KGM outputs=cam3/C:8KGM
         cam sh 03-04 shipped items=cam3/C:8KGM from_facility=cam consignee=cell
         cell rc 03-05 received items=cam3/C:8KGM facility=cell consignor=cam
         cam vo 03-02T01 voided event=t1 reason=mistake",
        "up cam3/C = cam1/A, cam2/B",
    );
}

#[test]
fn a_making_two_levels_up_is_voided_after_use() {
    holds(
        "cam mk 03-01 commissioned facility=cam items=cam1/A:10KGM
         cam t1 03-02 transformed facility=cam operator=cam inputs=cam1/A:10KGM outputs=cam2/B:9KGM
         cam sh 03-04 shipped items=cam2/B:9KGM from_facility=cam consignee=cell
         cell rc 03-05 received items=cam2/B:9KGM facility=cell consignor=cam
         cam vo 03-01T01 voided event=mk reason=mistake",
        "made cam1/A = 10 kg
         up cam2/B = cam1/A
         found = cam1/A voided_after_use by cam: contested",
    );
}

#[test]
fn a_split_voided_after_its_part_was_used() {
    holds(
        "cam mk 03-01 commissioned facility=cam items=cam1/A:100KGM
         cam sp 03-02 split lot=cam1/A quantity=30KGM into=cam1/B:30KGM facility=cam
         cam sh 03-03 shipped items=cam1/B:30KGM from_facility=cam consignee=cell
         cell rc 03-04 received items=cam1/B:30KGM facility=cell consignor=cam
         cam vo 03-02T01 voided event=sp reason=mistake",
        "up cam1/B = cam1/A
         stock cam1/A = cam 70 kg",
    );
}

#[test]
fn a_merge_voided_after_it_was_used() {
    holds(
        "tnt mk 03-01 commissioned facility=tnt items=tnt1/T:60
         tnt s1 03-02 shipped items=tnt1/T:60 from_facility=tnt consignee=pack
         pack mk 03-01 commissioned facility=pack items=pack3/L:90
         pack r1 03-03 received items=tnt1/T:60 facility=pack consignor=tnt
         pack mg 03-04 merged from=tnt1/T:60 lot=pack3/L quantity=60 facility=pack
         pack sh 03-05 shipped items=pack3/L:50 from_facility=pack consignee=rec
         rec rc 03-06 received items=pack3/L:50 facility=rec consignor=pack
         pack vo 03-04T01 voided event=mg reason=mistake",
        "up pack3/L = tnt1/T
         found pack3/L = pack3/L voided_after_use by pack: contested | tnt1/T voided_after_use by pack: contested",
    );
}

#[test]
fn packing_voided_after_the_tray_was_received() {
    holds(
        "cell mk 03-01 commissioned facility=cell serials=cell1#S1..4
         cell ag 03-02 aggregated parent=cell9#TRAY serials=cell1#S1..4 facility=cell
         cell sh 03-03 shipped serials=cell9#TRAY from_facility=cell consignee=pack
         pack rc 03-04 received serials=cell9#TRAY facility=pack consignor=cell
         pack us 03-05 assembled parent=pack1#P serials=cell1#S1..4 facility=pack
         cell vo 03-02T01 voided event=ag reason=mistake",
        "stock cell1#S1 = pack 1 piece in pack1#P
         found = cell1#S1..cell1#S4 voided_after_use by cell: contested | cell9#TRAY voided_after_use by cell: contested",
    );
}

#[test]
fn a_receipt_voided_after_it_was_passed_on() {
    holds(
        "cell mk 03-01 commissioned facility=cell items=cell1/L:10
         cell sh 03-02 shipped items=cell1/L:10 from_facility=cell consignee=rec
         rec rc 03-03 received items=cell1/L:10 facility=rec consignor=cell
         rec s2 03-04 shipped items=cell1/L:10 from_facility=rec consignee=pack
         pack r2 03-05 received items=cell1/L:10 facility=pack consignor=rec
         rec vo 03-03T01 voided event=rc reason=mistake",
        "stock cell1/L = pack 10 pieces
         found = cell1/L voided_after_use by rec: contested",
    );
}

#[test]
fn a_serials_class_is_voided_after_use() {
    holds(
        "cell mk 03-01 commissioned facility=cell items=cell1/L:4
         cell se 03-02 commissioned facility=cell serials=cell1#S1..4 class_lot=cell1/L
         cell sh 03-03 shipped serials=cell1#S1..4 from_facility=cell consignee=pack
         pack rc 03-04 received serials=cell1#S1..4 facility=pack consignor=cell
         cell rl 03-05 recalled recall=R1 items=cell1/L
         cell vo 03-02T01 voided event=se reason=mistake",
        "state cell1#S1 = recalled
         up cell1#S1 = cell1/L",
    );
}

#[test]
fn a_correction_that_changes_an_input_is_contested() {
    holds(
        "cam mk 03-01 commissioned facility=cam items=cam1/A:100KGM
         cam tr 03-02 transformed facility=cam operator=cam inputs=cam1/A:100KGM outputs=cam2/O:90KGM
         cam sh 03-03 shipped items=cam2/O:90KGM from_facility=cam consignee=cell
         cell rc 03-04 received items=cam2/O:90KGM facility=cell consignor=cam
         cam co 03-05 corrected event=tr reason=typo corrective_ids=tr2
         cam tr2 03-02 transformed facility=cam operator=cam inputs=cam2/X:100KGM outputs=cam2/O:90KGM",
        "found = cam1/A voided_after_use by cam: contested | cam2/O voided_after_use by cam: contested
         up cam2/O = cam1/A, cam2/X",
    );
}

#[test]
fn a_withdrawal_that_comes_too_late_is_named() {
    holds(
        "cam mk 03-01 commissioned facility=cam items=cam1/A:100KGM
         cam sh 03-02 shipped items=cam1/A:40KGM from_facility=cam consignee=cell shipment=D1
         cell rc 03-03 received items=cam1/A:40KGM facility=cell consignor=cam shipment=cam:D1
         cam wd 03-02T01 shipment_withdrawn shipment=D1",
        "found = cam1/A voided_after_use by cam: contested",
    );
}
