//! Kept rows and snapshots: what is taken up from them is what folding the whole log gives.
