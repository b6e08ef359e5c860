//! Amounts in different units are compared, or the answer says that they were not.

use crate::chain::holds;

#[test]
fn pounds_and_kilograms() {
    holds(
        "cam mk 03-01 commissioned facility=cam items=cam1/A:1000LBR
         cam us 03-02 transformed facility=cam operator=cam inputs=cam1/A:500KGM outputs=cam2/O:400KGM",
        "found = cam1/A consumed_more_than_made by cam: used 500 kg of 453.59237 kg",
    );
}

#[test]
fn tonnes_and_kilograms_fit() {
    holds(
        "cam mk 03-01 commissioned facility=cam items=cam1/A:1.5TNE
         cam us 03-02 transformed facility=cam operator=cam inputs=cam1/A:1500KGM outputs=cam2/O:1400KGM",
        "found = none
         stock cam1/A = none",
    );
}

#[test]
fn grams_over() {
    holds(
        "cam mk 03-01 commissioned facility=cam items=cam1/A:2KGM
         cam us 03-02 transformed facility=cam operator=cam inputs=cam1/A:2500GRM outputs=cam2/O:1KGM",
        "found = cam1/A consumed_more_than_made by cam: used 2.5 kg of 2 kg",
    );
}

#[test]
fn dozens_and_pieces() {
    holds(
        "cell mk 03-01 commissioned facility=cell items=cell1/L:10DZN
         cell us 03-02 assembled parent=cell2#M items=cell1/L:121 facility=cell",
        "uncompared cell1/L = none
         made cell1/L = 120 pieces
         found = cell1/L consumed_more_than_made by cell: used 121 pieces of 120 pieces",
    );
}

#[test]
fn feet_and_metres() {
    holds(
        "cell mk 03-01 commissioned facility=cell items=cell1/F:1000FOT
         cell us 03-02 transformed facility=cell operator=cell inputs=cell1/F:400MTR outputs=cell2/O:1",
        "uncompared cell1/F = none
         made cell1/F = 304.8 m
         found = cell1/F consumed_more_than_made by cell: used 400 m of 304.8 m",
    );
}

#[test]
fn kilograms_used_in_metres_are_not_compared() {
    holds(
        "cell mk 03-01 commissioned facility=cell items=cell1/F:1000KGM
         cell us 03-02 transformed facility=cell operator=cell inputs=cell1/F:400MTR outputs=cell2/O:1",
        "found = none
         uncompared cell1/F = cell",
    );
}

#[test]
fn a_holder_who_changes_the_unit_opens_his_account_alone() {
    holds(
        "cam mk 03-01 commissioned facility=cam items=cam1/A:100KGM
         cam sh 03-02 shipped items=cam1/A:50KGM from_facility=cam consignee=cell
         cell rc 03-03 received items=cam1/A:50KGM facility=cell consignor=cam
         cell us 03-04 transformed facility=cell operator=cell inputs=cam1/A:70LTR outputs=cell1/E:1
         cam us 03-04 transformed facility=cam operator=cam inputs=cam1/A:60KGM outputs=cam2/O:1",
        "found = cam1/A consumed_more_than_made by cam: used 110 kg of 100 kg
         uncompared cam1/A = cell",
    );
}

#[test]
fn a_silo_weighed_in_and_out() {
    holds(
        "cam mk 03-01 commissioned facility=cam items=cam1/A:100.0TNE
         cam us 03-02 transformed facility=cam operator=cam inputs=cam1/A:100.3TNE outputs=cam2/O:90TNE
         cam m2 03-01 commissioned facility=cam items=cam1/B:100TNE
         cam sh 03-03 shipped items=cam1/B:24.98TNE from_facility=cam consignee=cell
         cell rc 03-04 received items=cam1/B:25.02TNE facility=cell consignor=cam
         cell us 03-05 transformed facility=cell operator=cell inputs=cam1/B:25.02TNE outputs=cell1/E:20TNE",
        "found = none",
    );
}

#[test]
fn a_put_back_merge_dated_before_the_split_by_two_hours() {
    holds(
        "cam mk 03-01 commissioned facility=cam items=cam1/A:100KGM
         cam sp 03-02T08 split lot=cam1/A quantity=30KGM into=cam1/A-1:30KGM facility=cam
         cam mg 03-02T06 merged from=cam1/A-1:12KGM lot=cam1/A quantity=12KGM facility=cam",
        "found = none
         stock cam1/A = cam 82 kg
         stock cam1/A-1 = cam 18 kg",
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
fn megawatt_hours_and_kilowatt_hours() {
    holds(
        "cell mk 03-01 commissioned facility=cell items=cell1/W:1MWH
         cell us 03-02 transformed facility=cell operator=cell inputs=cell1/W:1100KWH outputs=cell2/O:1",
        "found = cell1/W consumed_more_than_made by cell: used 1100 kWh of 1000 kWh",
    );
}

#[test]
fn litres_and_cubic_metres() {
    holds(
        "cell mk 03-01 commissioned facility=cell items=cell1/W:1MTQ
         cell us 03-02 transformed facility=cell operator=cell inputs=cell1/W:1000LTR outputs=cell2/O:1
         cell u2 03-03 transformed facility=cell operator=cell inputs=cell1/W:100LTR outputs=cell2/O:1",
        "found = cell1/W consumed_more_than_made by cell: used 1100 l of 1000 l",
    );
}

#[test]
fn a_shipment_in_pounds_is_received_in_kilograms() {
    holds(
        "cam mk 03-01 commissioned facility=cam items=cam1/A:1000KGM
         cam sh 03-02 shipped items=cam1/A:100LBR from_facility=cam consignee=cell
         cell rc 03-03 received items=cam1/A:45.36KGM facility=cell consignor=cam
         cell us 03-04 transformed facility=cell operator=cell inputs=cam1/A:100LBR outputs=cell1/E:40KGM",
        "found = none",
    );
}

#[test]
fn a_shipment_in_pounds_is_received_as_that_many_kilograms() {
    holds(
        "cam mk 03-01 commissioned facility=cam items=cam1/A:1000KGM
         cam sh 03-02 shipped items=cam1/A:100LBR from_facility=cam consignee=cell
         cell rc 03-03 received items=cam1/A:100KGM facility=cell consignor=cam",
        "found = cam1/A received_more_than_shipped by cell: cell received 100 kg of 45.359237 kg that were shipped: 54.640763 kg out of nothing",
    );
}
