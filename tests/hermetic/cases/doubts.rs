//! What a contradiction opens: verdicts over accounts that do not hold.

use crate::chain::holds;

/// An honest chain from cathode material to a pack, everything declared and certified, but for the amounts and
/// whatever else a test says.
struct Supply<'s> {
    /// Kilograms of cathode material: made, shipped to `cell`, used by it.
    cathode: [u32; 3],
    /// Who owns the maker of the cathode material; nothing: not stated.
    cam_owners: &'s str,
    /// From what the cells are made.
    electrodes: &'s str,
    /// Cells: made, and built into the pack.
    cells: [u32; 2],
    /// Told besides.
    besides: &'s str,
}

impl Default for Supply<'_> {
    fn default() -> Self {
        Self {
            cathode: [100, 100, 100],
            cam_owners: "owners= ownership_complete=true certified",
            electrodes: "cell2/E",
            cells: [60, 60],
            besides: "",
        }
    }
}

impl Supply<'_> {
    fn told(&self) -> String {
        let Self {
            cathode: [made, shipped, used],
            cam_owners,
            electrodes,
            cells: [cells, built],
            besides,
        } = self;
        let cam_owned = if cam_owners.is_empty() {
            String::new()
        } else {
            format!("cam  o  01-01 ownership_declared party=cam {cam_owners}\n")
        };
        format!(
            "{cam_owned}cam  p  01-01 product_declared product=cam1 kind=cam certified
             cell p1 01-01 product_declared product=cell1 kind=cell certified
             cell p2 01-01 product_declared product=cell2 kind=cathode_electrode certified
             cell o  01-01 ownership_declared party=cell owners= ownership_complete=true certified
             pack o  01-02 ownership_declared party=pack owners= ownership_complete=true certified
             pack p1 01-02 product_declared product=pack1 kind=pack certified
             pack p2 01-02 product_declared product=pack2 kind=bms certified
             cam  mk 03-01 commissioned facility=cam operator=cam items=cam1/A:{made}KGM certified
             cam  sh 03-02 shipped items=cam1/A:{shipped}KGM from_facility=cam consignee=cell
             cell rc 03-03 received items=cam1/A:{shipped}KGM facility=cell consignor=cam
             cell el 03-04 transformed step=coat facility=cell operator=cell inputs=cam1/A:{used}KGM outputs=cell2/E:{used}KGM inputs_complete=true certified
             cell fm 03-05 transformed step=seal facility=cell operator=cell inputs={electrodes}:{used}KGM outputs=cell1/L:{cells} inputs_complete=true certified
             cell s2 03-06 shipped items=cell1/L:{built} from_facility=cell consignee=pack
             pack rc 03-07 received items=cell1/L:{built} facility=pack consignor=cell
             pack tt 03-07 title_transferred seller=cell buyer=pack items=cell1/L:{built} titles_complete=true certified
             pack b  03-07 transformed step=assemble_bms facility=pack operator=pack outputs=pack2/B:1 inputs_complete=true certified
             pack as 03-08 assembled step=assemble_pack parent=pack1#P items=cell1/L:{built},pack2/B:1 facility=pack operator=pack inputs_complete=true certified
             {besides}"
        )
    }

    fn comes_out(&self, verdict: &str) {
        holds(&self.told(), &format!("verdict pack1#P = {verdict}"));
    }
}

#[test]
fn what_adds_up_is_compliant() {
    Supply::default().comes_out("compliant");
    Supply {
        cam_owners: "",
        ..Supply::default()
    }
    .comes_out("compliant");
}

/// Its cells are made of electrodes for which it had too little: that it made them all cannot be.
#[test]
fn the_cell_maker_used_more_cathode_material_than_it_had() {
    Supply {
        cathode: [500, 100, 130],
        ..Supply::default()
    }
    .comes_out("not compliant");
}

/// Half a percent is a scale's.
#[test]
fn the_cell_maker_used_a_little_more_than_it_weighed_in() {
    Supply {
        cathode: [5000, 1000, 1004],
        ..Supply::default()
    }
    .comes_out("compliant");
}

#[test]
fn more_cells_left_than_were_made() {
    Supply {
        cells: [60, 80],
        ..Supply::default()
    }
    .comes_out("not compliant");
}

/// The maker gave out twice what it made: whose part came out of nothing, nobody can say.
#[test]
fn cathode_material_spent_twice_through_electrodes() {
    Supply {
        besides: "cam  s9 03-02 shipped items=cam1/A:100KGM from_facility=cam consignee=tnt
             tnt  rc 03-03 received items=cam1/A:100KGM facility=tnt consignor=cam",
        ..Supply::default()
    }
    .comes_out("not compliant");
}

/// The overdraft is the same where somebody else renumbers the electrodes on the way.
#[test]
fn behind_the_number_that_an_accomplice_gave() {
    for word in ["relabel", "repack", "sort"] {
        Supply {
            cathode: [500, 100, 130],
            electrodes: "rec2/E",
            besides: &format!(
                "rec  o  01-01 ownership_declared party=rec owners= ownership_complete=true certified
             rec  p2 01-01 product_declared product=rec2 kind=cathode_electrode certified
             cell x1 03-04T02 shipped items=cell2/E:130KGM from_facility=cell consignee=rec
             rec  x2 03-04T03 received items=cell2/E:130KGM facility=rec consignor=cell
             rec  x3 03-04T04 transformed step={word} facility=rec operator=rec inputs=cell2/E:130KGM outputs=rec2/E:130KGM inputs_complete=true certified
             rec  x4 03-04T05 shipped items=rec2/E:130KGM from_facility=rec consignee=cell
             cell x5 03-04T06 received items=rec2/E:130KGM facility=cell consignor=rec"
            ),
            ..Supply::default()
        }
        .comes_out("not compliant");
    }
}

/// What the maker of the cathode material did to get it is no matter of who made the cells, if the two are apart.
const ORE_OUT_OF_NOTHING: &str = "cam  p2 01-01 product_declared product=cam2 kind=pcam certified
             mine p1 01-01 product_declared product=mine1 kind=pcam certified
             mine mk 02-01 commissioned facility=mine operator=mine items=mine1/O:500KGM certified
             mine sh 02-02 shipped items=mine1/O:10KGM from_facility=mine consignee=cam
             cam  r9 02-03 received items=mine1/O:10KGM facility=cam consignor=mine
             cam  ca 03-01 transformed step=calcine facility=cam operator=cam inputs=mine1/O:100KGM outputs=cam1/A:100KGM inputs_complete=true certified";

#[test]
fn a_contradiction_of_a_supplier_that_is_apart_opens_nothing() {
    Supply {
        cathode: [0, 100, 100],
        besides: ORE_OUT_OF_NOTHING,
        ..Supply::default()
    }
    .comes_out("compliant");
}

#[test]
fn a_contradiction_of_a_supplier_that_may_be_joined_opens_what_was_made_of_it() {
    for cam_owners in [
        "",
        // A daughter; the daughter of somebody who does not say who his owners are; a sister.
        "owners=cell:0.1 ownership_complete=true certified",
        "owners=tnt:0.1 ownership_complete=true certified",
        "owners=rec:0.1 ownership_complete=true certified
             rec  o  01-01 ownership_declared party=rec owners=cell:0.1 ownership_complete=true certified",
    ] {
        Supply {
            cathode: [0, 100, 100],
            cam_owners,
            besides: ORE_OUT_OF_NOTHING,
            ..Supply::default()
        }
        .comes_out("not compliant");
    }
}

/// The board is one part of 61: no matter who made it, no majority follows.
#[test]
fn a_contradiction_at_a_part_that_decides_nothing() {
    let told = Supply::default().told().replace(
        "pack b  03-07 transformed step=assemble_bms facility=pack operator=pack outputs=pack2/B:1 inputs_complete=true certified",
        "rec  o  01-01 ownership_declared party=rec owners= ownership_complete=true certified
             rec  p2 01-01 product_declared product=rec2 kind=bms certified
             rec  rb 03-06 received items=urn:x:boards/1:3 facility=rec
             rec  b  03-07 transformed step=assemble_bms facility=rec operator=rec inputs=urn:x:boards/1:9 outputs=rec2/B:1 inputs_complete=true certified
             rec  sb 03-07T02 shipped items=rec2/B:1 from_facility=rec consignee=pack
             pack rb 03-07T03 received items=rec2/B:1 facility=pack consignor=rec
             pack tb 03-07T03 title_transferred seller=rec buyer=pack items=rec2/B:1 titles_complete=true certified",
    );
    let told = told.replace("pack2/B", "rec2/B");
    holds(&told, "lineage pack1#P = 1\n verdict pack1#P = compliant");
}

#[test]
fn a_rival_who_received_one_and_used_ten_thousand_opens_only_his_own() {
    Supply {
        cells: [61, 60],
        besides: "tnt  rr 03-07 received items=cell1/L:1 facility=tnt consignor=cell
             cell sr 03-06 shipped items=cell1/L:1 from_facility=cell consignee=tnt
             tnt  ru 03-08 transformed step=assemble_module facility=tnt operator=tnt inputs=cell1/L:10000 outputs=tnt1/M:1250",
        ..Supply::default()
    }
    .comes_out("compliant");
}

/// Contradictions name themselves in what is missing.
#[test]
fn what_is_missing_names_the_contradiction() {
    let story = Supply {
        cathode: [500, 100, 130],
        ..Supply::default()
    };
    holds(&story.told(), "open pack1#P = cell2/E used_more_than_held");
}
