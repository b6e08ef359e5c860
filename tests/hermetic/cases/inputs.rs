//! Every input of `tests/cases`.

use crate::chain::holds;

#[test]
fn what_is_put_back_is_in_stock_again() {
    holds(
        "cam file 01-split-and-put-back.json",
        "found = none
         stock cam1!/SHELF-1   = cam 82 kg
         stock cam1!/SHELF-1-A = cam 18 kg
         up cam1!/SHELF-1      = cam1!/SHELF-1-A
         up cam1!/SHELF-1-A    = cam1!/SHELF-1
         down cam1!/SHELF-1    = cam1!/SHELF-1-A",
    );
}

#[test]
fn topping_up_adds_to_what_was_commissioned() {
    holds(
        "cam file 01b-commissioned-then-topped-up.json",
        "found = none
         made cam1!/TOPUP-1  = 105 kg
         stock cam1!/TOPUP-1 = cam 15 kg
         stock cam2!/FEED-1  = cam 45 kg
         up cam2!/OUT-1      = cam1!/TOPUP-1, cam2!/FEED-1
         down cam2!/FEED-1   = cam1!/TOPUP-1, cam2!/OUT-1",
    );
}

#[test]
fn inputs_of_a_run_are_ancestors_of_all_its_outputs() {
    holds(
        "cam file 03-transformation-id.epcis.jsonld",
        "found = none
         made cam2!/RUN-OUT  = 750 kg
         up cam2!/RUN-OUT    = cam1!/RUN-IN-1, cam1!/RUN-IN-2
         down cam1!/RUN-IN-1 = cam2!/RUN-OUT
         down cam1!/RUN-IN-2 = cam2!/RUN-OUT
         stock cam1!/RUN-IN-1 = none
         stock cam1!/RUN-IN-2 = none",
    );
}

#[test]
fn cells_that_enter_a_run_by_another_event_count() {
    holds(
        "tnt  file 03v-1.json
         pack file 03v-2.json
         pack file 03v-3-run.epcis.jsonld
         pack file 03v-5-run-certified.json",
        "found = none
         up pack1#RUNP1 = pack2/B1, tnt1/T1
         up pack1#RUNP2 = pack2/B1, tnt1/T1
         up pack1#RUNP3 = pack2/B3, tnt1/T1
         down tnt1/T1   = pack1#RUNP1, pack1#RUNP2, pack1#RUNP3
         stock tnt1/T1  = pack 700 pieces
         verdict pack1#RUNP1 = not compliant
         verdict pack1#RUNP2 = not compliant
         verdict pack1#RUNP3 = not compliant",
    );
}

#[test]
fn the_same_pack_without_those_cells_is_compliant() {
    holds(
        "pack c1 01-02 ownership_declared party=pack owners= ownership_complete=true certified
         pack c2 01-02 product_declared product=pack1 kind=pack certified
         pack c3 01-02 product_declared product=pack2 kind=bms certified
         pack c4 03-04 transformed step=assemble_bms facility=pack operator=pack outputs=pack2/B3:10 inputs_complete=true certified
         pack c5 03-05 transformed step=assemble_pack facility=pack operator=pack run=1 inputs=pack2/B3:1 output_serials=pack1#P3 inputs_complete=true certified",
        "verdict pack1#P3 = compliant",
    );
}

#[test]
fn a_void_dated_before_the_shipment_comes_after_use() {
    holds(
        "cam  file 05b-1.json
         cell file 05b-2.json
         cam  file 05b-3.json",
        "found = cam1/CANC-b voided_after_use by cam: contested
         made cam1/CANC-b = 100 kg
         stock cam1/CANC-b = cam 90 kg
         up cell1/EL-b = cam1/CANC-b
         facts cam1/CANC-b = c05b-make contested | c05b-recv | c05b-ship | c05b-use",
    );
}

#[test]
fn an_error_declaration_dated_before_the_shipment_comes_after_use() {
    holds(
        "cam  file 14h-1.epcis.jsonld
         cell rc 03-03 received facility=cell consignor=cam items=cam1/ERR-H:2KGM
         cam  file 14h-2.epcis.jsonld",
        "found = cam1/ERR-H voided_after_use by cam: contested
         made cam1/ERR-H = 10 kg
         stock cam1/ERR-H = cam 8 kg | cell 2 kg",
    );
}

#[test]
fn what_is_received_beyond_what_was_shipped_is_named() {
    holds(
        "cam  file 09-1.json
         cell file 09-2.json
         cell file 09-3.json
         cell file 09-4-over-receipt.json
         cell file 09-5.json",
        "found = cam1/PART-1 received_more_than_shipped by cell: cell received 150 kg of 100 kg that were shipped: 50 kg out of nothing
         made cam1/PART-1 = 200 kg
         stock cam1/PART-1 = cam 100 kg",
    );
}

#[test]
fn two_receipts_of_one_shipment_fit() {
    holds(
        "cam  file 09-1.json
         cell file 09-2.json
         cell file 09-3.json",
        "found = none
         stock cam1/PART-1 = cam 100 kg | cell 100 kg",
    );
}

#[test]
fn a_serial_with_its_lot_in_the_link_is_one_thing() {
    // Its third event names a purchase order by something that is no URI.
    holds(
        "cell file 10-serial-with-lot-in-link.epcis.jsonld",
        "found = none
         up cell2#M10 = cell1#SN10-1, cell1/CL10
         down cell1#SN10-1 = cell2#M10
         class cell1#SN10-1 = cell1/CL10
         stock cell1#SN10-1 = cell 1 piece in cell2#M10
         refused = 1",
    );
}

#[test]
fn a_withdrawn_shipment_is_back_and_the_next_one_under_way() {
    holds(
        "cam file 16-void-shipping.epcis.jsonld",
        "found = none
         stock cam1/VS-1 = cam 10 kg | cam>cell 20 kg
         stock cam1/VS-2 = cam>cell 30 kg",
    );
}

#[test]
fn short_tons_and_kilograms_are_compared() {
    holds(
        "cam file 17-stn-kg.json",
        "found = cam1/U-stn-kg consumed_more_than_made by cam: used 5000 kg of 907.18474 kg
         made cam1/U-stn-kg = 907.18474 kg
         stock cam1/U-stn-kg = none",
    );
}

#[test]
fn pieces_used_by_serial_and_by_quantity_are_one_account() {
    holds(
        "cell file 31a-by-serial-and-by-quantity.json",
        "found = cell1/SER-A consumed_more_than_made by cell: used 20 pieces of 10 pieces
         made cell1/SER-A = 10 pieces",
    );
}

#[test]
fn a_recalled_lot_reaches_its_serials_and_what_holds_them() {
    holds(
        "cell file 31a-by-serial-and-by-quantity.json
         cell file 31d-recall.json",
        "state cell1/SER-A = recalled
         state cell1#SA000 = recalled
         state cell1#SA009 = recalled
         state cell2#SA-M = recalled
         state cell2#SA-M2 = recalled",
    );
}

#[test]
fn a_serial_refused_at_the_door_is_the_senders_again() {
    holds(
        "cell file 35-1.json
         pack file 35-2.json
         cell file 35-3.json",
        "found = none
         stock cell2#PR-1 = pack 1 piece
         stock cell2#PR-2 = cell 1 piece",
    );
}

#[test]
fn a_shipment_is_where_it_was_read() {
    holds(
        "cam file 30b-shipping-with-bizlocation.epcis.jsonld",
        "moves cam1/BIZ1 = commissioned cam 5 kg at cam | shipped cam>cell 5 kg at cam | shipped cam>cell 5 kg at cam",
    );
}
