//! The vectors of the wire specification: made again in memory, compared byte for byte with the files, and
//! checked by a second implementation. And histories of plants, from signed events to what is answered (`cases`).
//!
//! `LOTPROOF_BLESS=1` writes the files instead. A vector that changes is a change of the wire format.

mod audited;
mod build;
mod cases;
mod chain;
mod cheat;
mod damage;
mod events;
mod leaves;
mod ledger;
mod limits;
mod meaning;
mod names;
mod strict;
mod vocabulary;
mod wire;

use std::{fs, io::Write as _, path::PathBuf, process::Command};

use serde_json::Value;

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/vectors")
}

/// Compares what the library says today with what the file says, or writes the file.
fn same_as_file(name: &str, made: &Value) {
    let path = folder().join("v1").join(name);
    let made = serde_json::to_string_pretty(made).expect("vectors are JSON") + "\n";
    if std::env::var_os("LOTPROOF_BLESS").is_some() {
        fs::write(&path, &made).expect("the vectors can be written");
    }
    let file = fs::read_to_string(&path).expect("the vectors are there");
    for (number, (file, made)) in file.lines().zip(made.lines()).enumerate() {
        assert_eq!(
            file,
            made,
            "{name}, line {}: the file, and what the code makes",
            number + 1
        );
    }
    assert_eq!(file.len(), made.len(), "{name}: length in bytes");
}

#[test]
fn wire_vectors_are_made_again_byte_for_byte() {
    same_as_file("wire.json", &wire::vectors());
}

#[test]
fn the_vectors_of_names_are_made_again_byte_for_byte() {
    same_as_file("names.json", &names::vectors());
}

#[test]
fn the_table_of_units_is_made_again_byte_for_byte() {
    same_as_file("units.json", &names::units());
}

#[test]
fn the_small_ledger_is_made_again_byte_for_byte() {
    same_as_file("log-small.json", &ledger::vectors());
}

#[test]
fn damaged_copies_are_made_again_byte_for_byte_and_found_the_same() {
    same_as_file("damage.json", &damage::vectors());
}

#[test]
fn a_second_implementation_agrees_with_the_vectors() {
    let script = folder().join("verify.py");
    let run = match Command::new("python3").arg("-B").arg(&script).output() {
        Ok(run) => run,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let why = "skipped: a_second_implementation_agrees_with_the_vectors: no python3 on the path\n";
            // Past the test harness, which would keep it to itself.
            std::io::stderr()
                .write_all(why.as_bytes())
                .expect("standard error takes a line");
            return;
        }
        Err(error) => panic!("python3 could not be started: {error}"),
    };
    let said = String::from_utf8_lossy(&run.stdout);
    let complained = String::from_utf8_lossy(&run.stderr);
    assert!(run.status.success(), "{said}{complained}");
    assert!(said.ends_with("all agree\n"), "{said}");
}
