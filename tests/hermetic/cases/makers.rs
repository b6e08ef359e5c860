//! Who is said to have made a thing, and who is not.

use crate::chain::holds;

#[test]
fn cans_of_a_maker_who_is_not_enrolled() {
    holds(
        "cell rc 03-01 received items=urn:x:cans/7:1000 facility=cell
         cell us 03-02 transformed facility=cell operator=cell inputs=urn:x:cans/7:100 outputs=cell1/L:100",
        "found = none
         up cell1/L = urn:x:cans/7
         by urn:x:cans/7 = none
         state urn:x:cans/7 = unknown
         stock urn:x:cans/7 = cell 900 pieces",
    );
}

#[test]
fn screws_received_twice_and_more_used_than_came() {
    holds(
        "cell rc 03-01 received items=urn:x:screws/7:100 facility=cell
         cell r2 03-02 received items=urn:x:screws/7:100 facility=cell
         cell us 03-03 transformed facility=cell operator=cell inputs=urn:x:screws/7:250 outputs=cell1/L:100",
        "found = urn:x:screws/7 used_more_than_held by cell: cell used and let go of 250 pieces, and had 200 pieces",
    );
}

#[test]
fn a_warehouse_relabels() {
    holds(
        "cell mk 03-01 commissioned facility=cell items=cell1/L:10
         cell s1 03-02 shipped items=cell1/L:10 from_facility=cell consignee=pack
         pack rc 03-03 received items=cell1/L:10 facility=pack consignor=cell
         pack rl 03-04 transformed step=relabel facility=pack operator=pack inputs=cell1/L:10 outputs=pack4/L2:10",
        "found = none
         up pack4/L2 = cell1/L
         stock pack4/L2 = pack 10 pieces",
    );
}

#[test]
fn a_warehouse_relabels_serials_by_commissioning_new_ones() {
    holds(
        "cell mk 03-01 commissioned facility=cell serials=cell1#S1..2
         cell s1 03-02 shipped serials=cell1#S1..2 from_facility=cell consignee=pack
         pack rc 03-03 received serials=cell1#S1..2 facility=pack consignor=cell
         pack rl 03-04 transformed step=repack facility=pack operator=pack input_serials=cell1#S1..2 output_serials=pack4#T1..2",
        "found = none
         by pack4#T1 = cell
         up pack4#T1 = cell1#S1..cell1#S2",
    );
}

#[test]
fn a_shell_forms_the_listed_makers_cells() {
    holds(
        "tnt mk 03-01 commissioned facility=tnt items=tnt1/T:10
         tnt s1 03-02 shipped items=tnt1/T:10 from_facility=tnt consignee=cell
         cell rc 03-03 received items=tnt1/T:10 facility=cell consignor=tnt
         cell wr 03-04 transformed step=wrap facility=cell operator=cell inputs=tnt1/T:10 outputs=cell1/L:10",
        "found = none
         by cell1/L = cell | tnt",
    );
}

#[test]
fn cells_from_an_opening_balance() {
    holds(
        "cell ob 03-01 opening_balance_declared facility=cell items=cell1/L:10
         cell us 03-02 assembled parent=cell2#M items=cell1/L:10 facility=cell",
        "found = none
         by cell1/L = none
         state cell1/L = unknown
         up cell2#M = cell1/L",
    );
}

#[test]
fn opening_balance_of_a_holder_who_did_not_make_it() {
    holds(
        "pack ob 03-01 opening_balance_declared facility=pack items=cell1/L:10
         pack us 03-02 assembled parent=pack1#P items=cell1/L:10 facility=pack",
        "found = none
         by cell1/L = none
         up pack1#P = cell1/L",
    );
}

#[test]
fn opening_balance_in_two_systems_then_backfilled() {
    holds(
        "cell ob 03-05 opening_balance_declared facility=cell items=cell1/L:100
         cell o2 03-05T01 opening_balance_declared facility=cell items=cell1/L:60
         cell mk 03-01 commissioned facility=cell items=cell1/L:100
         cell us 03-06 assembled parent=cell2#M items=cell1/L:100 facility=cell",
        "found = none
         made cell1/L = 100 pieces
         by cell1/L = cell",
    );
}

#[test]
fn cells_aggregated_into_a_pack_made_of_the_bms_alone() {
    holds(
        "tnt  p  01-01 product_declared product=tnt1 kind=cell
         tnt  mk 03-01 commissioned facility=tnt items=tnt1/T:100
         tnt  sh 03-02 shipped items=tnt1/T:100 from_facility=tnt consignee=pack
         pack o  01-02 ownership_declared party=pack owners= ownership_complete=true certified
         pack p1 01-02 product_declared product=pack1 kind=pack certified
         pack p2 01-02 product_declared product=pack2 kind=bms certified
         pack rc 03-03 received items=tnt1/T:100 facility=pack consignor=tnt
         pack b  03-04 transformed step=assemble_bms facility=pack operator=pack outputs=pack2/B:10 inputs_complete=true certified
         pack as 03-05 transformed step=assemble_pack facility=pack operator=pack inputs=pack2/B:1 output_serials=pack1#P inputs_complete=true certified
         pack ag 03-06 aggregated parent=pack1#P items=tnt1/T:100 facility=pack",
        "verdict pack1#P = not compliant",
    );
}

#[test]
fn merged_listed_and_clean_cells_drawn_unnamed() {
    holds(
        "tnt mk 03-01 commissioned facility=tnt items=tnt1/T:60
         tnt s1 03-02 shipped items=tnt1/T:60 from_facility=tnt consignee=pack
         cell mk 03-01 commissioned facility=cell items=cell1/L:90
         cell s1 03-02 shipped items=cell1/L:90 from_facility=cell consignee=pack
         pack r1 03-03 received items=tnt1/T:60 facility=pack consignor=tnt
         pack r2 03-03 received items=cell1/L:90 facility=pack consignor=cell
         pack mg 03-04 merged from=tnt1/T:60,cell1/L:90 lot=pack3/MIX quantity=150 facility=pack
         pack a1 03-05 assembled parent=pack1#P1 items=pack3/MIX:10 facility=pack
         pack a2 03-06 assembled parent=pack1#P2 items=pack3/MIX:10 facility=pack",
        "found = none
         up pack1#P2 = cell1/L, pack3/MIX, tnt1/T
         down tnt1/T = pack1#P1, pack1#P2, pack3/MIX
         stock pack3/MIX = pack 10 pieces in pack1#P1 | pack 10 pieces in pack1#P2 | pack 130 pieces",
    );
}

#[test]
fn count_corrects_nothing_made() {
    holds(
        "cell mk 03-01 commissioned facility=cell items=cell1/L:10
         cell ct 03-02 stock_counted facility=cell items=cell1/L:12",
        "found = none
         made cell1/L = 10 pieces",
    );
}

#[test]
fn two_keys_dates_far_apart_user_before_maker() {
    holds(
        "cell mk 03-09 commissioned facility=cell items=cell1/L:10
         cell sh 03-10 shipped items=cell1/L:10 from_facility=cell consignee=pack
         pack rc 03-03 received items=cell1/L:10 facility=pack consignor=cell
         pack us 03-04 assembled parent=pack1#P items=cell1/L:10 facility=pack",
        "found = cell1/L made_before_inputs by pack: used before 2026-03-09T00:00:00Z",
    );
}

#[test]
fn an_importer_without_a_part_in_the_lot_changes_nothing_and_is_not_accused() {
    holds(
        "rec report inputs/28-1-reported.epcis.jsonld
         cell rc 03-05 received items=cam1/REP1:1KGM facility=cell",
        "found = none
         reported cam1/REP1 = none
         by cam1/REP1 = none",
    );
}

#[test]
fn packs_of_a_mix_of_listed_and_clean_cells() {
    holds(
        "tnt  p  01-01 product_declared product=tnt1 kind=cell
         cell p  01-01 product_declared product=cell1 kind=cell certified
         cell o  01-01 ownership_declared party=cell owners= ownership_complete=true certified
         pack o  01-02 ownership_declared party=pack owners= ownership_complete=true certified
         pack p1 01-02 product_declared product=pack1 kind=pack certified
         pack p2 01-02 product_declared product=pack2 kind=bms certified
         pack p3 01-02 product_declared product=pack3 kind=cell certified
         tnt  mk 03-01 commissioned facility=tnt items=tnt1/T:60
         tnt  sh 03-02 shipped items=tnt1/T:60 from_facility=tnt consignee=pack
         cell mk 03-01 commissioned facility=cell operator=cell items=cell1/L:90 certified
         cell sh 03-02 shipped items=cell1/L:90 from_facility=cell consignee=pack
         pack r1 03-03 received items=tnt1/T:60 facility=pack consignor=tnt
         pack r2 03-03 received items=cell1/L:90 facility=pack consignor=cell
         pack mg 03-04 merged from=tnt1/T:60,cell1/L:90 lot=pack3/MIX quantity=150 facility=pack certified
         pack b  03-04 transformed step=assemble_bms facility=pack operator=pack outputs=pack2/B:15 inputs_complete=true certified
         pack as 03-05 assembled step=assemble_pack parent=pack1#P items=pack3/MIX:10,pack2/B:1 facility=pack operator=pack inputs_complete=true certified",
        "up pack1#P = cell1/L, pack2/B, pack3/MIX, tnt1/T
         verdict pack1#P = not compliant",
    );
}

#[test]
fn a_holder_who_splits_is_no_maker() {
    holds(
        "cell mk 03-01 commissioned facility=cell items=cell1/C:100
         cell sh 03-02 shipped items=cell1/C:100 from_facility=cell consignee=pack
         pack rc 03-03 received items=cell1/C:100 facility=pack consignor=cell
         pack sp 03-04 split lot=cell1/C quantity=30 into=cell1/C-1:30 facility=pack
         pack mg 03-05 merged from=cell1/C-1:12 lot=cell1/C quantity=12 facility=pack",
        "by cell1/C-1 = cell",
    );
}

#[test]
fn who_merges_is_no_maker() {
    holds(
        "tnt mk 03-01 commissioned facility=tnt items=tnt1/T:60
         tnt s1 03-02 shipped items=tnt1/T:60 from_facility=tnt consignee=pack
         cell mk 03-01 commissioned facility=cell items=cell1/L:90
         cell s1 03-02 shipped items=cell1/L:90 from_facility=cell consignee=pack
         pack r1 03-03 received items=tnt1/T:60 facility=pack consignor=tnt
         pack r2 03-03 received items=cell1/L:90 facility=pack consignor=cell
         pack mg 03-04 merged from=tnt1/T:60,cell1/L:90 lot=pack3/MIX quantity=150 facility=pack
         pack a1 03-05 assembled parent=pack1#P1 items=pack3/MIX:10 facility=pack
         pack a2 03-06 assembled parent=pack1#P2 items=pack3/MIX:10 facility=pack",
        "by pack3/MIX = cell | tnt",
    );
}

#[test]
fn who_relabels_is_no_maker() {
    holds(
        "cell mk 03-01 commissioned facility=cell items=cell1/L:10
         cell s1 03-02 shipped items=cell1/L:10 from_facility=cell consignee=pack
         pack rc 03-03 received items=cell1/L:10 facility=pack consignor=cell
         pack rl 03-04 transformed step=relabel facility=pack operator=pack inputs=cell1/L:10 outputs=pack4/L2:10",
        "by pack4/L2 = cell",
    );
}

#[test]
fn bolts_received_of_a_consignor_who_did_not_ship() {
    holds(
        "pack rc 03-03 received items=urn:x:bolts:500 facility=pack consignor=cell
         pack us 03-04 assembled parent=pack1#P items=urn:x:bolts:500 facility=pack",
        "found = none",
    );
}

/// What comes of a pack into which the cells of a listed maker went by way of `steps`, with everything else
/// declared and certified as the best of suppliers would.
fn verdict_after(steps: &str, verdict: &str) {
    let declared = "tnt  p  01-01 product_declared product=tnt1 kind=cell
         cell o  01-01 ownership_declared party=cell owners= ownership_complete=true certified
         pack o  01-02 ownership_declared party=pack owners= ownership_complete=true certified
         pack p1 01-02 product_declared product=pack1 kind=pack certified
         pack p2 01-02 product_declared product=pack2 kind=bms certified
         tnt  mk 03-01 commissioned facility=tnt items=tnt1/T:60
         tnt  sh 03-02 shipped items=tnt1/T:60 from_facility=tnt consignee=cell
         cell rc 03-03 received items=tnt1/T:60 facility=cell consignor=tnt
         pack b  03-04 transformed step=assemble_bms facility=pack operator=pack outputs=pack2/B:15 inputs_complete=true certified
         ";
    holds(
        &format!("{declared}{steps}"),
        &format!("verdict pack1#P = {verdict}"),
    );
}

/// The shell's cells go into a pack.
const SHELLS_CELLS: &str = "
         cell sh 03-05 shipped items=cell1/L:60 from_facility=cell consignee=pack
         pack rc 03-06 received items=cell1/L:60 facility=pack consignor=cell
         pack tt 03-06 title_transferred seller=cell buyer=pack items=cell1/L:60 titles_complete=true certified
         pack as 03-07 assembled step=assemble_pack parent=pack1#P items=cell1/L:60,pack2/B:1 facility=pack operator=pack inputs_complete=true certified";

#[test]
fn cell_to_cell_by_a_shell_under_any_word() {
    for word in [
        "relabel",
        "repack",
        "wrap",
        "form",
        "grade",
        "age",
        "fill",
        "assemble_module",
        "sort",
        "polish",
    ] {
        verdict_after(
            &format!(
                "cell p  01-01 product_declared product=cell1 kind=cell certified
         cell wr 03-04 transformed step={word} facility=cell operator=cell inputs=tnt1/T:60 outputs=cell1/L:60 inputs_complete=true certified{SHELLS_CELLS}"
            ),
            "not compliant",
        );
    }
}

#[test]
fn cells_of_a_listed_maker_assembled_into_something_declared_to_be_less() {
    for kind in [
        "cell",
        "pack_hardware",
        "cell_dry",
        "cell_can",
        "kit",
        "production_scrap",
        "widget",
    ] {
        verdict_after(
            &format!(
                "cell p  01-01 product_declared product=cell1 kind={kind} certified
         cell as 03-04 transformed step=assemble_module facility=cell operator=cell inputs=tnt1/T:60 outputs=cell1/L:60 inputs_complete=true certified{SHELLS_CELLS}"
            ),
            "not compliant",
        );
    }
}

#[test]
fn cells_of_a_listed_maker_by_way_of_a_module_that_is_taken_apart() {
    verdict_after(
        &format!(
            "cell p  01-01 product_declared product=cell1 kind=cell certified
         cell p2 01-01 product_declared product=cell2 kind=module certified
         cell mo 03-04 transformed step=assemble_module facility=cell operator=cell inputs=tnt1/T:60 outputs=cell2/M:1 inputs_complete=true certified
         cell di 03-05 transformed step=dismantle facility=cell operator=cell inputs=cell2/M:1 outputs=cell1/L:60 inputs_complete=true certified{}",
            SHELLS_CELLS.replace("03-05", "03-06").replace("rc 03-06", "rc 03-06T12").replace("tt 03-06", "tt 03-06T12")
        ),
        "not compliant",
    );
}

#[test]
fn cells_of_a_listed_maker_by_way_of_a_can() {
    verdict_after(
        &format!(
            "cell p  01-01 product_declared product=cell1 kind=cell certified
         cell p2 01-01 product_declared product=cell2 kind=binder certified
         cell mo 03-04 transformed step=mix_slurry facility=cell operator=cell inputs=tnt1/T:60 outputs=cell2/M:1 inputs_complete=true certified
         cell di 03-05 transformed step=fill facility=cell operator=cell inputs=cell2/M:1 outputs=cell1/L:60 inputs_complete=true certified{}",
            SHELLS_CELLS.replace("03-05", "03-06").replace("rc 03-06", "rc 03-06T12").replace("tt 03-06", "tt 03-06T12")
        ),
        "not compliant",
    );
}

#[test]
fn a_listed_maker_assembles_the_pack_by_any_word() {
    for word in ["rework", "relabel", "split", "grade", "merge", "assemble_pack"] {
        holds(
            &format!(
                "cell p  01-01 product_declared product=cell1 kind=cell certified
         cell o  01-01 ownership_declared party=cell owners= ownership_complete=true certified
         tnt  o  01-02 ownership_declared party=tnt owners= ownership_complete=true certified
         tnt p1 01-02 product_declared product=tnt1 kind=pack certified
         cell mk 03-01 commissioned facility=cell operator=cell items=cell1/L:60 certified
         cell sh 03-02 shipped items=cell1/L:60 from_facility=cell consignee=tnt
         tnt rc 03-03 received items=cell1/L:60 facility=tnt consignor=cell
         tnt as 03-04 transformed step={word} facility=tnt operator=tnt inputs=cell1/L:60 output_serials=tnt1#P inputs_complete=true certified"
            ),
            "verdict tnt1#P = not compliant",
        );
    }
}

/// What the rules must not take from an honest maker of cells.
#[test]
fn a_maker_of_cells_is_not_tainted_by_steps_of_his_own() {
    for word in ["relabel", "wrap", "grade", "form"] {
        holds(
            &format!(
                "cell p  01-01 product_declared product=cell1 kind=cell certified
         cell p2 01-01 product_declared product=cell2 kind=cell certified
         cell o  01-01 ownership_declared party=cell owners= ownership_complete=true certified
         pack o  01-02 ownership_declared party=pack owners= ownership_complete=true certified
         pack p1 01-02 product_declared product=pack1 kind=pack certified
         pack p2 01-02 product_declared product=pack2 kind=bms certified
         cell mk 03-01 commissioned facility=cell operator=cell items=cell1/L:60 certified
         cell ag 03-02 transformed step={word} facility=cell operator=cell inputs=cell1/L:60 outputs=cell2/G:60 inputs_complete=true certified
         cell sh 03-03 shipped items=cell2/G:60 from_facility=cell consignee=pack
         pack rc 03-03 received items=cell2/G:60 facility=pack consignor=cell
         pack tt 03-03 title_transferred seller=cell buyer=pack items=cell2/G:60 titles_complete=true certified
         pack b  03-04 transformed step=assemble_bms facility=pack operator=pack outputs=pack2/B:15 inputs_complete=true certified
         pack as 03-05 assembled step=assemble_pack parent=pack1#P items=cell2/G:60,pack2/B:1 facility=pack operator=pack inputs_complete=true certified"
            ),
            "verdict pack1#P = compliant",
        );
    }
}

/// A pack of honest cells, all declared and certified, where one thing differs.
fn verdict_where(cells: &str, pack: &str, verdict: &str) {
    holds(
        &format!(
            "cell p  01-01 product_declared product=cell1 kind=cell certified
         cell o  01-01 ownership_declared party=cell owners= ownership_complete=true certified
         pack o  01-02 ownership_declared party=pack owners= ownership_complete=true certified
         pack p2 01-02 product_declared product=pack2 kind=bms certified
         cell mk 03-01 {cells}
         cell sh 03-03 shipped items=cell1/L:60 from_facility=cell consignee=pack
         pack rc 03-03 received items=cell1/L:60 facility=pack consignor=cell
         pack tt 03-03 title_transferred seller=cell buyer=pack items=cell1/L:60 titles_complete=true certified
         pack b  03-04 transformed step=assemble_bms facility=pack operator=pack outputs=pack2/B:15 inputs_complete=true certified
         pack as 03-05 assembled step=assemble_pack parent=pack1#P items=cell1/L:60,pack2/B:1 facility=pack operator=pack inputs_complete=true certified
         pack p1 01-02 product_declared product=pack1 kind={pack}"
        ),
        &format!("verdict pack1#P = {verdict}"),
    );
}

const MADE: &str = "commissioned facility=cell operator=cell items=cell1/L:60 certified";

#[test]
fn cells_that_somebody_made_and_says_where() {
    verdict_where(MADE, "pack certified", "compliant");
}

#[test]
fn cells_that_were_only_there() {
    for cells in [
        "opening_balance_declared facility=cell items=cell1/L:60 certified",
        "stock_counted facility=cell items=cell1/L:60 certified",
        "commissioned items=cell1/L:60 certified",
        "commissioned operator=cell items=cell1/L:60 certified",
    ] {
        verdict_where(cells, "pack certified", "not compliant");
    }
}

#[test]
fn a_pack_of_listed_cells_declared_as_what_holds_no_cells_or_as_nobody_knows() {
    for kind in [
        "power_unit",
        "pack_hardware",
        "bms",
        "binder",
        "kit",
        "sample",
        "cell_can",
    ] {
        holds(
            &format!(
                "tnt  p  01-01 product_declared product=tnt1 kind=cell
         pack o  01-02 ownership_declared party=pack owners= ownership_complete=true certified
         pack p1 01-02 product_declared product=pack1 kind={kind} certified
         tnt  mk 03-01 commissioned facility=tnt items=tnt1/T:60
         tnt  sh 03-02 shipped items=tnt1/T:60 from_facility=tnt consignee=pack
         pack rc 03-03 received items=tnt1/T:60 facility=pack consignor=tnt
         pack as 03-05 assembled step=assemble_pack parent=pack1#P items=tnt1/T:60 facility=pack operator=pack inputs_complete=true certified"
            ),
            "verdict pack1#P = not compliant",
        );
    }
}

#[test]
fn a_product_that_becomes_something_else() {
    let shipped = "
         pack s2 03-06 shipped serials=pack1#P from_facility=pack consignee=rec";
    let redeclared = "
         pack p9 04-02 product_declared product=pack1 kind=host_product certified";
    // Before anything left, it corrects a mistake: the rule does not judge host products.
    verdict_where(
        MADE,
        &format!("pack certified{redeclared}{shipped}"),
        "not applicable",
    );
    verdict_where(
        MADE,
        &format!("pack certified{shipped}{redeclared}"),
        "not compliant",
    );
}

/// A pack of cells of a listed maker and of another, by how many are drawn of a mix that the other sold.
fn pack_of_a_mix(listed: u32, clean: u32, drawn: u32, verdict: &str) {
    let (all, rest) = (listed + clean, "inputs_complete=true certified");
    holds(
        &format!(
            "tnt  p  01-01 product_declared product=tnt1 kind=cell certified
             tnt  o  01-01 ownership_declared party=tnt owners= ownership_complete=true certified
             cell o  01-01 ownership_declared party=cell owners= ownership_complete=true certified
             cell p1 01-01 product_declared product=cell1 kind=cell certified
             cell p2 01-01 product_declared product=cell2 kind=cell certified
             pack o  01-02 ownership_declared party=pack owners= ownership_complete=true certified
             pack p1 01-02 product_declared product=pack1 kind=pack certified
             pack p2 01-02 product_declared product=pack2 kind=bms certified
             tnt  mk 03-01 commissioned facility=tnt operator=tnt items=tnt1/T:{listed} certified
             cell mk 03-01 commissioned facility=cell operator=cell items=cell1/L:{clean} certified
             tnt  sh 03-02 shipped items=tnt1/T:{listed} from_facility=tnt consignee=cell
             cell rc 03-03 received items=tnt1/T:{listed} facility=cell consignor=tnt
             cell tt 03-03 title_transferred seller=tnt buyer=cell items=tnt1/T:{listed} titles_complete=true certified
             cell mg 03-04 merged from=tnt1/T:{listed},cell1/L:{clean} lot=cell2/MIX quantity={all} facility=cell certified
             cell s2 03-05 shipped items=cell2/MIX:{all} from_facility=cell consignee=pack
             pack rc 03-06 received items=cell2/MIX:{all} facility=pack consignor=cell
             pack tt 03-06 title_transferred seller=cell buyer=pack items=cell2/MIX:{all} titles_complete=true certified
             pack b  03-07 transformed step=assemble_bms facility=pack operator=pack outputs=pack2/B:1 {rest}
             pack as 03-08 assembled step=assemble_pack parent=pack1#P items=cell2/MIX:{drawn},pack2/B:1 facility=pack operator=pack {rest}"
        ),
        &format!("verdict pack1#P = {verdict}"),
    );
}

/// Of pieces nobody blends: any of those drawn may be the listed maker's, as many as there were.
#[test]
fn pieces_drawn_unnamed_are_no_average() {
    pack_of_a_mix(60, 90, 10, "not compliant");
    pack_of_a_mix(60, 90, 100, "not compliant");
    pack_of_a_mix(60, 90, 150, "compliant");
    pack_of_a_mix(6, 90, 10, "not compliant");
    pack_of_a_mix(5, 90, 10, "compliant");
}
