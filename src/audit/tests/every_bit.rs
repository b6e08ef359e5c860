//! No bit of a static file can change without an audit that says so.

use proptest::prelude::*;

use super::{
    super::source::{MemoryCopy, StaticCopy as _},
    world::World,
};

fn flipped(copy: &MemoryCopy, path: &str, bit: usize) -> MemoryCopy {
    let (_, bytes) = copy.files().find(|(name, _)| *name == path).unwrap();
    let mut bytes = bytes.to_vec();
    bytes[bit / 8] ^= 1 << (bit % 8);
    let mut copy = copy.clone();
    copy.write(path, &bytes).unwrap();
    copy
}

#[test]
fn every_bit_of_a_small_log() {
    let world = World::of(4);
    let copy = world.copy();
    for (path, bytes) in copy.files() {
        // Each bit of what is small, one bit of each byte of what is not.
        let step = if path.starts_with("tile/entries/") { 9 } else { 1 };
        for bit in (0..bytes.len() * 8).step_by(step) {
            assert!(
                !world.audit(&flipped(&copy, path, bit)).is_clean(),
                "bit {bit} of {path}"
            );
        }
    }
}

#[test]
fn a_bit_anywhere_in_a_log_of_several_bundles() {
    let world = World::eventful();
    let copy = world.copy();
    let files: Vec<(&str, usize)> = copy
        .files()
        .map(|(path, bytes)| (path, bytes.len() * 8))
        .collect();
    let place = (0..files.len(), any::<prop::sample::Index>());
    let cases = if cfg!(debug_assertions) { 120 } else { 2_000 };
    proptest!(ProptestConfig::with_cases(cases), |((file, bit) in place)| {
        let (path, len) = files[file];
        let bit = bit.index(len);
        let report = world.audit(&flipped(&copy, path, bit));
        prop_assert!(!report.is_clean(), "bit {} of {}", bit, path);
    });
}
