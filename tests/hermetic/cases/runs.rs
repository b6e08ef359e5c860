//! Steps told in several events: their inputs belong to all outputs.

use crate::chain::holds;

#[test]
fn run_native_over_three_events_and_two_days() {
    holds(
        "cam mk 03-01 commissioned facility=cam items=cam1/A:500KGM,cam1/B:300KGM
         cam r1 03-02 transformed facility=cam operator=cam run=1 inputs=cam1/A:500KGM
         cam r2 03-02T06 transformed facility=cam operator=cam run=1 outputs=cam2/OUT:250KGM
         cam r3 03-03 transformed facility=cam operator=cam run=1 inputs=cam1/B:300KGM outputs=cam2/OUT:500KGM",
        "found = none
         made cam2/OUT = 750 kg
         up cam2/OUT = cam1/A, cam1/B
         down cam1/B = cam2/OUT
         stock cam2/OUT = cam 750 kg",
    );
}

#[test]
fn run_with_serials_out_and_no_quantities_in() {
    holds(
        "cell mk 03-01 commissioned facility=cell items=cell1/C:100
         cell r1 03-02 transformed facility=cell operator=cell run=7 inputs=cell1/C
         cell r2 03-02T01 transformed facility=cell operator=cell run=7 output_serials=cell2#M1..3",
        "found = none
         up cell2#M2 = cell1/C
         down cell1/C = cell2#M1..cell2#M3",
    );
}

#[test]
fn run_of_another_party_with_the_same_id_does_not_join() {
    holds(
        "cam mk 03-01 commissioned facility=cam items=cam1/A:100KGM
         cam r1 03-02 transformed facility=cam operator=cam run=1 inputs=cam1/A:50KGM outputs=cam2/OUT:50KGM
         cell mk 03-01 commissioned facility=cell items=cell1/X:10KGM
         cell r1 03-02 transformed facility=cell operator=cell run=1 inputs=cell1/X:10KGM outputs=cell2/Y:10KGM",
        "found = none
         up cam2/OUT = cam1/A
         up cell2/Y = cell1/X
         down cell1/X = cell2/Y",
    );
}

#[test]
fn run_input_that_begins_after_the_output_is_possible() {
    holds(
        "cam mk 03-01 commissioned facility=cam items=cam1/A:100KGM,cam1/B:100KGM
         cam r1 03-02 transformed facility=cam operator=cam run=1 inputs=cam1/A:100KGM outputs=cam2/OUT:50KGM
         cam s1 03-03 shipped items=cam2/OUT:50KGM from_facility=cam consignee=cell
         cell rc 03-04 received items=cam2/OUT:50KGM facility=cell consignor=cam
         cam r2 03-09 transformed facility=cam operator=cam run=1 inputs=cam1/B:100KGM",
        "found = none
         up cam2/OUT = cam1/A, cam1/B?
         down cam1/B = cam2/OUT?",
    );
}

#[test]
fn consumption_booked_at_shift_end_after_the_output_left() {
    holds(
        "cam mk 03-01 commissioned facility=cam items=cam1/A:100KGM
         cam r1 03-02T08 transformed facility=cam operator=cam run=1 outputs=cam2/OUT:50KGM
         cam s1 03-02T10 shipped items=cam2/OUT:50KGM from_facility=cam consignee=cell
         cell rc 03-02T15 received items=cam2/OUT:50KGM facility=cell consignor=cam
         cam r2 03-02T18 transformed facility=cam operator=cam run=1 inputs=cam1/A:100KGM",
        "found = none
         up cam2/OUT = cam1/A
         stock cam1/A = none
         stock cam2/OUT = cell 50 kg",
    );
}

#[test]
fn consumption_at_midnight_backflush_before_the_input_was_commissioned_by_the_same_party() {
    holds(
        "cam r1 03-02T08 transformed facility=cam operator=cam inputs=cam1/A:100KGM outputs=cam2/OUT:50KGM
         cam mk 03-03T00 commissioned facility=cam items=cam1/A:100KGM",
        "found = none
         up cam2/OUT = cam1/A
         stock cam1/A = none",
    );
}

#[test]
fn epcis_serial_run_with_cells_of_the_listed_maker() {
    holds(
        "tnt  p  01-01 product_declared product=tnt1 kind=cell
         tnt  mk 03-01 commissioned facility=tnt items=tnt1/T9:100
         tnt  sh 03-02 shipped items=tnt1/T9:100 from_facility=tnt consignee=pack
         pack o  01-02 ownership_declared party=pack owners= ownership_complete=true certified
         pack p1 01-02 product_declared product=pack1 kind=pack certified
         pack p2 01-02 product_declared product=pack2 kind=bms certified
         pack rc 03-03 received items=tnt1/T9:100 facility=pack consignor=tnt
         pack b  03-04 transformed step=assemble_bms facility=pack operator=pack outputs=pack2/B:10 inputs_complete=true certified
         pack a  03-05 transformed step=assemble_pack facility=pack operator=pack run=9 inputs=pack2/B:1 output_serials=pack1#P9 inputs_complete=true certified
         pack e  03-05 TransformationEvent transformationID=9 bizStep=commissioning inputQuantityList=tnt1/T9:100 readPoint=pack",
        "found = none
         up pack1#P9 = pack2/B, tnt1/T9
         down tnt1/T9 = pack1#P9
         verdict pack1#P9 = not compliant",
    );
}

#[test]
fn toll_delegated() {
    holds(
        "cam de 01-01 delegation_granted delegation=toll reporter=cell
         cam mk 03-01 commissioned facility=cam items=cam1/A:100KGM
         cam sh 03-02 shipped items=cam1/A:100KGM from_facility=cam consignee=cell
         cell rc 03-03 received items=cam1/A:100KGM facility=cell consignor=cam
         cam r1 03-04 transformed facility=cell operator=cell run=1 on_behalf_of=cam inputs=cam1/A:100KGM
         cell r2 03-05 transformed facility=cell operator=cell run=1 on_behalf_of=cam outputs=cam2/O:90KGM",
        "found = none
         up cam2/O = cam1/A
         stock cam1/A = none",
    );
}

#[test]
fn toll_in_the_toll_makers_namespace() {
    holds(
        "cam mk 03-01 commissioned facility=cam items=cam1/A:100KGM
         cam sh 03-02 shipped items=cam1/A:100KGM from_facility=cam consignee=cell
         cell rc 03-03 received items=cam1/A:100KGM facility=cell consignor=cam
         cam r1 03-04 transformed facility=cell operator=cell run=1 on_behalf_of=cam inputs=cam1/A:100KGM
         cell r2 03-05 transformed facility=cell operator=cell run=1 on_behalf_of=cam outputs=cell2/O:90KGM",
        "found = none
         up cell2/O = cam1/A
         stock cam1/A = none",
    );
}

#[test]
fn run_with_three_outputs_over_days() {
    holds(
        "cam mk 03-01 commissioned facility=cam items=cam1/A:10KGM,cam1/B:10KGM,cam1/C:10KGM
         cam r1 03-02 transformed facility=cam operator=cam run=1 inputs=cam1/A:10KGM outputs=cam2/O1:9KGM
         cam r2 03-05 transformed facility=cam operator=cam run=1 inputs=cam1/B:10KGM outputs=cam2/O2:9KGM
         cam r3 03-08 transformed facility=cam operator=cam run=1 inputs=cam1/C:10KGM outputs=cam2/O3:9KGM",
        "found = none
         up cam2/O1 = cam1/A, cam1/B?, cam1/C?
         up cam2/O2 = cam1/A, cam1/B, cam1/C?
         up cam2/O3 = cam1/A, cam1/B, cam1/C",
    );
}

#[test]
fn runs_at_two_facilities_with_one_id() {
    holds(
        "cell mk 03-01 commissioned facility=cell items=cell1/A:10KGM,cell1/B:10KGM
         cell r1 03-02 transformed facility=cell operator=cell run=1 inputs=cell1/A:10KGM outputs=cell2/O1:9KGM
         cell r2 03-02 transformed facility=cell' operator=cell run=1 inputs=cell1/B:10KGM outputs=cell2/O2:9KGM",
        "found = none
         up cell2/O1 = cell1/A
         up cell2/O2 = cell1/B",
    );
}

#[test]
fn input_event_of_a_run_voided_after_its_output_was_used() {
    holds(
        "cam mk 03-01 commissioned facility=cam items=cam1/A:10KGM,cam1/B:10KGM
         cam r1 03-02 transformed facility=cam operator=cam run=1 inputs=cam1/A:10KGM
         cam r2 03-02T01 transformed facility=cam operator=cam run=1 inputs=cam1/B:10KGM outputs=cam2/O:9KGM
         cam sh 03-03 shipped items=cam2/O:9KGM from_facility=cam consignee=cell
         cell rc 03-04 received items=cam2/O:9KGM facility=cell consignor=cam
         cam vo 03-02T00:30 voided event=r1 reason=mistake",
        "up cam2/O = cam1/A, cam1/B
         found cam2/O = cam1/A voided_after_use by cam: contested",
    );
}

#[test]
fn input_of_a_run_voided_before_anything_left() {
    holds(
        "cam mk 03-01 commissioned facility=cam items=cam1/A:10KGM,cam1/B:10KGM
         cam r1 03-02 transformed facility=cam operator=cam run=1 inputs=cam1/A:10KGM
         cam r2 03-02T01 transformed facility=cam operator=cam run=1 inputs=cam1/B:10KGM outputs=cam2/O:9KGM
         cam vo 03-02T05 voided event=r1 reason=mistake
         cam sh 03-03 shipped items=cam2/O:9KGM from_facility=cam consignee=cell
         cell rc 03-04 received items=cam2/O:9KGM facility=cell consignor=cam",
        "found = none
         up cam2/O = cam1/B
         stock cam1/A = cam 10 kg",
    );
}

#[test]
fn listed_cells_voided_out_of_a_run_after_the_pack_left() {
    holds(
        "tnt  p  01-01 product_declared product=tnt1 kind=cell
         tnt  mk 03-01 commissioned facility=tnt items=tnt1/T9:100
         tnt  sh 03-02 shipped items=tnt1/T9:100 from_facility=tnt consignee=pack
         pack o  01-02 ownership_declared party=pack owners= ownership_complete=true certified
         pack p1 01-02 product_declared product=pack1 kind=pack certified
         pack p2 01-02 product_declared product=pack2 kind=bms certified
         pack rc 03-03 received items=tnt1/T9:100 facility=pack consignor=tnt
         pack b  03-04 transformed step=assemble_bms facility=pack operator=pack outputs=pack2/B:10 inputs_complete=true certified
         pack a  03-05 transformed facility=pack operator=pack run=9 inputs=tnt1/T9:100
         pack e  03-05T01 transformed step=assemble_pack facility=pack operator=pack run=9 inputs=pack2/B:1 output_serials=pack1#P9 inputs_complete=true certified
         pack sp 03-06 shipped serials=pack1#P9 from_facility=pack consignee=rec
         rec  rp 03-07 received serials=pack1#P9 facility=rec consignor=pack
         pack vo 03-05T00:30 voided event=a reason=mistake",
        "up pack1#P9 = pack2/B, tnt1/T9
         verdict pack1#P9 = not compliant",
    );
}

#[test]
fn input_event_of_a_run_declared_wrong_in_epcis_after_its_output_was_used() {
    holds(
        "cam mk 03-01 commissioned facility=cam items=cam1/A:10KGM,cam1/B:10KGM
         cam r1 03-02 TransformationEvent transformationID=1 bizStep=commissioning inputQuantityList=cam1/A:10KGM readPoint=cam
         cam r2 03-02T01 TransformationEvent transformationID=1 bizStep=commissioning inputQuantityList=cam1/B:10KGM outputQuantityList=cam2/O:9KGM readPoint=cam
         cam sh 03-03 shipped items=cam2/O:9KGM from_facility=cam consignee=cell
         cell rc 03-04 received items=cam2/O:9KGM facility=cell consignor=cam
         cam r1 03-02 TransformationEvent transformationID=1 bizStep=commissioning inputQuantityList=cam1/A:10KGM readPoint=cam wrong=03-02T00:30",
        "up cam2/O = cam1/A, cam1/B
         refused = 0",
    );
}
