//! Known answers: `tests/vectors/v1/log.json`, and the proofs, good and damaged, of transparency-dev/merkle.

use std::path::{Path, PathBuf};

use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::Value;

use super::{
    checkpoint::{Checkpoint, Origin, SignedCheckpoint},
    hash::{empty_root, leaf_hash, node_hash},
    note::{KeyError, Note, NoteSigner, VerifierKey},
    proof::{MemoryTree, prove_consistency, prove_inclusion, verify_consistency, verify_inclusion},
    tile::{EntryBundle, TilePath, encode_bundle, entry_bundles_between, hash_tiles_between},
    tree::{Frontier, LogHead},
};
use crate::id::{Hash, LeafIndex, TreeSize};

/// The bytes of entry `number` of the vectors' log.
pub(super) fn entry(number: u64) -> Vec<u8> {
    format!("event-{number}").into_bytes()
}

/// The first `size` entries of the vectors' log as a tree.
pub(super) fn tree(size: u64) -> MemoryTree {
    (0..size).map(|number| leaf_hash(&entry(number))).collect()
}

/// The vectors' file.
pub(super) fn vectors() -> Value {
    serde_json::from_str(include_str!("../../tests/vectors/v1/log.json")).expect("the vectors are JSON")
}

fn text(value: &Value) -> &str {
    value.as_str().expect("a string")
}

fn number(value: &Value) -> u64 {
    value.as_u64().expect("a number")
}

fn list(value: &Value) -> &[Value] {
    value.as_array().expect("a list")
}

fn hash(value: &Value) -> Hash {
    Hash::from_hex(text(value)).expect("a hash in hexadecimal")
}

fn proof(value: &Value) -> Vec<Hash> {
    list(value)
        .iter()
        .map(|hash| base64_hash(hash).expect("a hash in base64"))
        .collect()
}

fn base64_hash(value: &Value) -> Option<Hash> {
    Hash::from_slice(&BASE64_STANDARD.decode(text(value)).expect("base64"))
}

fn head_at(vectors: &Value, size: u64) -> LogHead {
    let rows = list(&vectors["roots"]);
    let row = rows
        .iter()
        .find(|row| number(&row["size"]) == size)
        .expect("a root of this size");
    LogHead {
        size: TreeSize::new(size),
        root: hash(&row["root"]),
    }
}

#[test]
fn hashes_are_those_of_the_specification() {
    let hashing = &vectors()["hashing"];
    assert_eq!(empty_root(), hash(&hashing["empty_root"]));
    for leaf in list(&hashing["leaves"]) {
        assert_eq!(leaf_hash(text(&leaf["entry"]).as_bytes()), hash(&leaf["hash"]));
    }
    // The published node hash is over two four-byte strings, so only its prefix can be checked with it.
    let node = &hashing["node"];
    let parts = [
        [1].as_slice(),
        text(&node["left"]).as_bytes(),
        text(&node["right"]).as_bytes(),
    ];
    assert_eq!(Hash::of(&parts), hash(&node["hash"]));
    let (left, right) = (leaf_hash(b"l"), leaf_hash(b"r"));
    assert_eq!(
        node_hash(left, right),
        Hash::of(&[&[1], left.as_bytes(), right.as_bytes()])
    );
}

#[test]
fn roots_are_those_that_others_computed() {
    let vectors = vectors();
    let mut frontier = Frontier::new();
    let mut rows = list(&vectors["roots"]).iter();
    let mut next = rows.next();
    for index in 0..70_000 {
        frontier.push(leaf_hash(&entry(index)));
        if next.is_some_and(|row| number(&row["size"]) == frontier.size().get()) {
            assert_eq!(frontier.head(), head_at(&vectors, index + 1));
            next = rows.next();
        }
    }
    assert!(next.is_none(), "every root was met");
}

#[test]
fn the_note_of_the_specification_verifies() {
    let example = &vectors()["note"];
    let key: VerifierKey = text(&example["vkey"]).parse().unwrap();
    assert_eq!(key.to_string(), text(&example["vkey"]));
    let bytes = format!(
        "{}\n{}\n",
        text(&example["text"]),
        text(&example["signature_line"])
    );
    let note = Note::parse(bytes.as_bytes()).unwrap();
    assert_eq!(note.verify(std::slice::from_ref(&key)), Ok(vec![&key]));
    assert_eq!(note.to_string(), bytes);
}

#[test]
fn the_checkpoint_of_size_7_is_signed_alike_and_verifies_beside_a_witness() {
    let vectors = vectors();
    let log = &vectors["log"];
    let signer = NoteSigner::from_seed(text(&log["origin"]), hash(&log["seed"]).as_bytes()).unwrap();
    let key = signer.verifier_key().clone();
    assert_eq!(key.to_string(), text(&log["vkey"]));
    assert_eq!(key.public_key(), hash(&log["public_key"]).as_bytes());

    let bytes = text(&vectors["size_7"]["checkpoint"]);
    let origin = Origin::new(text(&log["origin"])).unwrap();
    let signed = SignedCheckpoint::verify(bytes.to_owned(), &origin, std::slice::from_ref(&key)).unwrap();
    assert_eq!(signed.head(), &head_at(&vectors, 7));
    assert_eq!(signed.bytes(), bytes.as_bytes());

    let own = Checkpoint {
        origin,
        head: tree(7).head(),
    }
    .sign(&[&signer])
    .unwrap();
    let without_witness = bytes.trim_end().rsplit_once('\n').unwrap().0;
    assert_eq!(own.bytes(), format!("{without_witness}\n").as_bytes());
}

#[test]
fn keys_of_other_types_are_named_as_such() {
    for row in list(&vectors()["unsupported_vkeys"]) {
        let parsed: Result<VerifierKey, KeyError> = text(&row["vkey"]).parse();
        assert!(
            matches!(parsed, Err(KeyError::UnsupportedType(_))),
            "{}: {parsed:?}",
            row["what"]
        );
    }
}

#[test]
fn proofs_of_size_7_are_made_alike_and_verify() {
    let vectors = vectors();
    let new = head_at(&vectors, 7);
    let tree = tree(7);
    let row = &vectors["size_7"]["inclusion"];
    let (index, path) = (LeafIndex::new(number(&row["index"])), proof(&row["path"]));
    assert_eq!(prove_inclusion(index, new.size, &tree).unwrap(), path);
    assert_eq!(
        verify_inclusion(index, leaf_hash(&entry(index.get())), &new, &path),
        Ok(())
    );
    for row in list(&vectors["size_7"]["consistency"]) {
        let old = tree.head_at(TreeSize::new(number(&row["old"]))).unwrap();
        let hashes = proof(&row["proof"]);
        assert_eq!(prove_consistency(old.size, new.size, &tree).unwrap(), hashes);
        assert_eq!(verify_consistency(&old, &new, &hashes), Ok(()));
    }
}

#[test]
fn the_files_of_size_70_000_have_the_known_bytes() {
    let vectors = vectors();
    let tiles = &vectors["tiles_70000"];
    let size = TreeSize::new(70_000);
    let tree = tree(size.get());
    let hash_tiles: Vec<_> = hash_tiles_between(TreeSize::EMPTY, size)
        .map(TilePath::Hashes)
        .collect();
    let bundles: Vec<_> = entry_bundles_between(TreeSize::EMPTY, size)
        .map(TilePath::Entries)
        .collect();
    assert_eq!(hash_tiles.len() as u64, number(&tiles["hash_tiles"]));
    assert_eq!(bundles.len() as u64, number(&tiles["entry_bundles"]));
    for file in list(&tiles["files"]) {
        let path: TilePath = text(&file["path"]).parse().unwrap();
        assert!(hash_tiles.contains(&path) || bundles.contains(&path), "{path}");
        let bytes = match path {
            TilePath::Hashes(tile) => tile.read(&tree).unwrap(),
            TilePath::Entries(bundle) => bundle_bytes(bundle),
        };
        assert_eq!(Hash::of(&[&bytes]), hash(&file["sha256"]), "{path}");
        if let Some(len) = file["len"].as_u64() {
            assert_eq!(bytes.len() as u64, len, "{path}");
        }
    }
    let lens = &vectors["path_lens_70000"];
    for row in list(&lens["inclusion"]) {
        let path = prove_inclusion(LeafIndex::new(number(&row["index"])), size, &tree).unwrap();
        assert_eq!(path.len() as u64, number(&row["len"]));
    }
    for row in list(&lens["consistency"]) {
        let hashes = prove_consistency(TreeSize::new(number(&row["old"])), size, &tree).unwrap();
        assert_eq!(hashes.len() as u64, number(&row["len"]));
    }
}

fn bundle_bytes(bundle: EntryBundle) -> Vec<u8> {
    let first = bundle.first_entry().unwrap().get();
    let entries: Vec<_> = (first..first + u64::from(bundle.width())).map(entry).collect();
    encode_bundle(&entries).unwrap()
}

/// The folder of transparency-dev/merkle's cases, or nothing after saying that the test is skipped.
fn transparency_dev(test: &str) -> Option<PathBuf> {
    let data = std::env::var_os("LOTPROOF_DATA").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data"),
        PathBuf::from,
    );
    let folder = data.join("transparency-dev-merkle/testdata");
    if folder.is_dir() {
        return Some(folder);
    }
    println!("skipped: {test}, data absent");
    None
}

/// All JSON cases below a folder, in a stable order, each with its path.
fn cases(folder: &Path) -> Vec<(PathBuf, Value)> {
    let mut found = Vec::new();
    for item in std::fs::read_dir(folder).expect("the folder of cases is readable") {
        let path = item.expect("its items are readable").path();
        if path.is_dir() {
            found.extend(cases(&path));
        } else if path.extension().is_some_and(|extension| extension == "json") {
            let text = std::fs::read_to_string(&path).expect("a case is readable");
            found.push((path, serde_json::from_str(&text).expect("a case is JSON")));
        }
    }
    found.sort_by(|(one, _), (other, _)| one.cmp(other));
    found
}

/// The case's hashes; nothing if one is not 32 bytes, which our types refuse before any proof is checked.
fn case_hashes(case: &Value, fields: [&str; 2]) -> Option<(Hash, Hash, Vec<Hash>)> {
    let [first, second] = fields;
    let hashes = case["proof"].as_array().map_or(&[][..], Vec::as_slice);
    let hashes: Option<Vec<Hash>> = hashes.iter().map(base64_hash).collect();
    Some((base64_hash(&case[first])?, base64_hash(&case[second])?, hashes?))
}

/// Our verdict on an inclusion case whose log has the size in this field; nothing if its hashes are none.
fn includes(case: &Value, size: &str) -> Option<bool> {
    let (leaf, root, path) = case_hashes(case, ["leafHash", "root"])?;
    let head = LogHead {
        size: TreeSize::new(number(&case[size])),
        root,
    };
    Some(verify_inclusion(LeafIndex::new(number(&case["leafIdx"])), leaf, &head, &path).is_ok())
}

/// Our verdict on a consistency case whose sizes are in these fields; nothing if its hashes are none.
fn is_consistent(case: &Value, old: &str, new: &str) -> Option<bool> {
    let (old_root, new_root, hashes) = case_hashes(case, ["root1", "root2"])?;
    let old = LogHead {
        size: TreeSize::new(number(&case[old])),
        root: old_root,
    };
    let new = LogHead {
        size: TreeSize::new(number(&case[new])),
        root: new_root,
    };
    Some(verify_consistency(&old, &new, &hashes).is_ok())
}

/// How many cases were judged, and how many of those their authors accept although a "hash" is not 32 bytes.
#[derive(Debug, PartialEq, Eq)]
struct Judged {
    cases: usize,
    refused_by_type: usize,
}

/// Judges the cases that `applies` picks, and fails at the first on which the authors think otherwise.
fn judge(
    folder: &Path,
    applies: impl Fn(&Value) -> bool,
    verdict: impl Fn(&Value) -> Option<bool>,
) -> Judged {
    let mut judged = Judged {
        cases: 0,
        refused_by_type: 0,
    };
    for (path, case) in cases(folder).into_iter().filter(|(_, case)| applies(case)) {
        judged.cases += 1;
        let wanted = !case["wantErr"].as_bool().expect("a case says what is wanted");
        match verdict(&case) {
            Some(accepted) => assert_eq!(accepted, wanted, "{}", path.display()),
            None if wanted => judged.refused_by_type += 1,
            None => {}
        }
    }
    judged
}

#[test]
fn judges_transparency_dev_proofs_as_their_authors_do() {
    let Some(folder) = transparency_dev("judges_transparency_dev_proofs_as_their_authors_do") else {
        return;
    };
    let inclusion = judge(
        &folder.join("inclusion"),
        |_| true,
        |case| includes(case, "treeSize"),
    );
    let consistency = judge(
        &folder.join("consistency"),
        |_| true,
        |case| is_consistent(case, "size1", "size2"),
    );
    // A subtree that begins at 0 is an earlier log, so its proofs are ordinary ones.
    let from_zero = |case: &Value| number(&case["start"]) == 0 && number(&case["end"]) > 0;
    let subtree_inclusion = judge(&folder.join("subtreeinclusion"), from_zero, |case| {
        includes(case, "end")
    });
    let subtree_consistency = judge(&folder.join("subtreeconsistency"), from_zero, |case| {
        is_consistent(case, "end", "size")
    });
    println!("judged {inclusion:?}, {consistency:?}, {subtree_inclusion:?}, {subtree_consistency:?}");
    assert_eq!(
        inclusion,
        Judged {
            cases: 98,
            refused_by_type: 0
        }
    );
    assert_eq!(
        consistency,
        Judged {
            cases: 98,
            refused_by_type: 1
        }
    );
    assert_eq!(
        subtree_inclusion,
        Judged {
            cases: 93,
            refused_by_type: 0
        }
    );
    assert_eq!(
        subtree_consistency,
        Judged {
            cases: 91,
            refused_by_type: 1
        }
    );
}
