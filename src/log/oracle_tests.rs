//! Agreement with code that others wrote: `ct-merkle`, `tlog_tiles` and `signed_note`.
//!
//! Their proofs must be our proofs, byte by byte, and each side must accept what the other made.

use ct_merkle::{ConsistencyProof, InclusionProof, RootHash, mem_backed_tree::MemoryBackedTree};
use proptest::prelude::*;
use sha2_oracle::Sha256 as OracleSha256;
use signed_note::{StandardSigner, StandardVerifier, Verifier, VerifierList};
use tlog_tiles::tlog;

use super::{
    checkpoint::{Checkpoint, Origin, SignedCheckpoint},
    note::{Note, NoteSigner},
    proof::{
        HashReader, MemoryTree, frontier_at, prove_consistency, prove_inclusion, root_at, verify_consistency,
        verify_inclusion,
    },
    tile::{entry_bundles_between, hash_tiles_between},
    tree::LogHead,
    vector_tests::{entry, tree},
};
use crate::id::{Hash, LeafIndex, TreeSize};

/// All sizes up to here are compared exhaustively.
const SIZE_MAX: u64 = 300;

fn concat(hashes: &[Hash]) -> Vec<u8> {
    hashes.iter().flat_map(|hash| *hash.as_bytes()).collect()
}

/// Our tree, as `tlog_tiles` reads it.
struct Stored<'tree>(&'tree MemoryTree);

impl tlog::HashReader for Stored<'_> {
    fn read_hashes(&self, indexes: &[u64]) -> Result<Vec<tlog::Hash>, tlog::Error> {
        let read = |index: &u64| {
            let (level, index) = tlog::split_stored_hash_index(*index);
            self.0
                .subtree(level, index)
                .map(theirs)
                .map_err(|_| tlog::Error::MalformedHash)
        };
        indexes.iter().map(read).collect()
    }
}

fn theirs(hash: Hash) -> tlog::Hash {
    tlog::Hash(*hash.as_bytes())
}

fn ours(hashes: &[tlog::Hash]) -> Vec<Hash> {
    hashes.iter().map(|hash| Hash::new(hash.0)).collect()
}

#[test]
fn ct_merkle_makes_and_accepts_the_same_proofs_at_every_size() {
    let mut oracle = MemoryBackedTree::<OracleSha256, Vec<u8>>::new();
    let tree = tree(SIZE_MAX);
    let mut roots: Vec<RootHash<OracleSha256>> = vec![oracle.root()];
    let mut heads = vec![LogHead::empty()];
    for size in 1..=SIZE_MAX {
        oracle.push(entry(size - 1));
        let (root, head) = (oracle.root(), tree.head_at(TreeSize::new(size)).unwrap());
        assert_eq!(root.as_bytes().as_slice(), head.root.as_bytes());
        for index in 0..size {
            let path = prove_inclusion(LeafIndex::new(index), head.size, &tree).unwrap();
            let position = usize::try_from(index).unwrap();
            assert_eq!(oracle.prove_inclusion(position).as_bytes(), concat(&path));
            let leaf = tree.subtree(0, index).unwrap();
            assert_eq!(
                verify_inclusion(LeafIndex::new(index), leaf, &head, &path),
                Ok(())
            );
            let path = InclusionProof::from_bytes(concat(&path));
            assert!(root.verify_inclusion(&entry(index), index, &path).is_ok());
        }
        for old in 1..size {
            let position = usize::try_from(old).unwrap();
            let proof = prove_consistency(TreeSize::new(old), head.size, &tree).unwrap();
            let additions = usize::try_from(size - old).unwrap();
            assert_eq!(oracle.prove_consistency(additions).as_bytes(), concat(&proof));
            assert_eq!(verify_consistency(&heads[position], &head, &proof), Ok(()));
            let proof = ConsistencyProof::try_from_bytes(concat(&proof)).unwrap();
            assert!(root.verify_consistency(&roots[position], &proof).is_ok());
        }
        roots.push(root);
        heads.push(head);
    }
}

#[test]
fn tlog_tiles_makes_the_same_proofs_at_every_size() {
    let tree = tree(SIZE_MAX);
    let stored = Stored(&tree);
    for size in 1..=SIZE_MAX {
        let head = tree.head_at(TreeSize::new(size)).unwrap();
        assert_eq!(tlog::tree_hash(size, &stored).unwrap(), theirs(head.root));
        for index in 0..size {
            let path = prove_inclusion(LeafIndex::new(index), head.size, &tree).unwrap();
            assert_eq!(ours(&tlog::prove_record(size, index, &stored).unwrap()), path);
        }
        for old in 1..=size {
            let proof = prove_consistency(TreeSize::new(old), head.size, &tree).unwrap();
            assert_eq!(ours(&tlog::prove_tree(size, old, &stored).unwrap()), proof);
        }
    }
}

#[test]
fn tlog_tiles_knows_the_same_files_with_the_same_bytes() {
    let tree = tree(70_000);
    let stored = Stored(&tree);
    for (old, new) in [
        (0, 1),
        (0, 255),
        (0, 256),
        (0, 257),
        (256, 257),
        (255, 600),
        (65_000, 70_000),
    ] {
        let mut known: Vec<tlog_tiles::Tile> = tlog_tiles::Tile::new_tiles(8, old, new);
        let ours: Vec<_> = hash_tiles_between(TreeSize::new(old), TreeSize::new(new)).collect();
        let bundles = entry_bundles_between(TreeSize::new(old), TreeSize::new(new));
        let level_0 = ours.iter().filter(|tile| tile.level() == 0);
        assert!(
            bundles
                .map(|bundle| (bundle.index(), bundle.width()))
                .eq(level_0.map(|tile| (tile.index(), tile.width())))
        );
        known.sort_by_key(|tile| (tile.level(), tile.level_index()));
        assert_eq!(known.len(), ours.len(), "{old} to {new}");
        for (theirs, ours) in known.iter().zip(ours) {
            // That release still names the height, as Go's sumdb does.
            assert_eq!(theirs.path().replacen("tile/8/", "tile/", 1), ours.to_string());
            assert_eq!(theirs.read_data(&stored).unwrap(), ours.read(&tree).unwrap());
        }
    }
}

#[test]
fn tlog_tiles_and_we_read_each_others_checkpoints() {
    for size in [0, 1, 7, 300] {
        let head = tree(300).head_at(TreeSize::new(size)).unwrap();
        let checkpoint = Checkpoint {
            origin: Origin::new("ledger.example/acme").unwrap(),
            head,
        };
        let text = checkpoint.to_string();
        let parsed = tlog_tiles::Checkpoint::from_bytes(text.as_bytes()).unwrap();
        assert_eq!((parsed.origin(), parsed.size()), ("ledger.example/acme", size));
        assert_eq!(*parsed.hash(), theirs(head.root));
        assert_eq!(
            Checkpoint::parse(std::str::from_utf8(&parsed.to_bytes()).unwrap()),
            Ok(checkpoint)
        );
    }
}

fn any_text() -> impl Strategy<Value = String> {
    // Blank lines inside the text are the trap of this format.
    prop::collection::vec("[a-zA-Z0-9 +\u{2014}é]{0,12}", 0..6).prop_map(|lines| lines.join("\n") + "\n")
}

fn any_name() -> impl Strategy<Value = String> {
    "[a-z.é/\u{2014}-]{1,20}"
}

proptest! {
    #[test]
    fn signed_note_and_we_accept_each_others_notes(text in any_text(), name in any_name(), seed: [u8; 32]) {
        let signer = NoteSigner::from_seed(&name, &seed)?;
        let their_signer = StandardSigner::new(&signer.to_private_text()).unwrap();
        let their_verifier = StandardVerifier::new(&signer.verifier_key().to_string()).unwrap();
        prop_assert_eq!(their_verifier.key_id().to_be_bytes(), *signer.verifier_key().id().as_bytes());

        let note = Note::sign(&text, &[&signer])?;
        let mut theirs = signed_note::Note::new(text.as_bytes(), &[]).unwrap();
        theirs.add_sigs(&[&their_signer]).unwrap();
        prop_assert_eq!(note.to_string().into_bytes(), theirs.to_bytes());

        let parsed = signed_note::Note::from_bytes(note.to_string().as_bytes()).unwrap();
        prop_assert!(parsed.verify(&VerifierList::new(vec![Box::new(their_verifier)])).is_ok());
        let parsed = Note::parse(&theirs.to_bytes())?;
        prop_assert_eq!(parsed.verify(&[signer.verifier_key().clone()])?.len(), 1);
        prop_assert_eq!(parsed.text(), text);
    }

    #[test]
    fn what_we_parse_as_a_note_signed_note_parses_too(
        note in "[a\n ]{0,4}\n\n(\u{2014} [ab+]{1,2} [A-D/=]{0,12}\n?){0,3}",
    ) {
        if let Ok(parsed) = Note::parse(note.as_bytes()) {
            prop_assert_eq!(parsed.to_string(), note.clone());
            let theirs = signed_note::Note::from_bytes(note.as_bytes()).unwrap();
            prop_assert_eq!(theirs.text(), parsed.text().as_bytes());
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]
    #[test]
    fn proofs_agree_in_larger_trees(size in 1_u64..100_000, picks: [u64; 8]) {
        let tree = tree(size);
        let stored = Stored(&tree);
        let new = tree.head();
        prop_assert_eq!(root_at(new.size, &tree)?, new.root);
        for pick in picks {
            let index = LeafIndex::new(pick % size);
            let path = prove_inclusion(index, new.size, &tree)?;
            prop_assert_eq!(ours(&tlog::prove_record(size, index.get(), &stored).unwrap()), path.clone());
            let leaf = tree.subtree(0, index.get())?;
            prop_assert_eq!(verify_inclusion(index, leaf, &new, &path), Ok(()));

            let old = tree.head_at(index.size_after())?;
            let proof = prove_consistency(old.size, new.size, &tree)?;
            prop_assert_eq!(ours(&tlog::prove_tree(size, old.size.get(), &stored).unwrap()), proof.clone());
            prop_assert_eq!(verify_consistency(&old, &new, &proof), Ok(()));

            let mut frontier = frontier_at(old.size, &tree)?;
            prop_assert_eq!(frontier.head(), old);
            for next in old.size.get()..size {
                frontier.push(tree.subtree(0, next)?);
            }
            prop_assert_eq!(frontier.head(), new);
        }
    }

    #[test]
    fn a_checkpoint_verifies_in_signed_note_and_tlog_tiles(size in 0_u64..2_000, seed: [u8; 32]) {
        let signer = NoteSigner::from_seed("ledger.example/acme", &seed)?;
        let origin = Origin::new("ledger.example/acme")?;
        let signed = Checkpoint { origin: origin.clone(), head: tree(size).head() }.sign(&[&signer])?;
        let verifier = StandardVerifier::new(&signer.verifier_key().to_string()).unwrap();
        let note = signed_note::Note::from_bytes(signed.bytes()).unwrap();
        let (verified, unverified) = note.verify(&VerifierList::new(vec![Box::new(verifier)])).unwrap();
        prop_assert_eq!((verified.len(), unverified.len()), (1, 0));
        let parsed = tlog_tiles::Checkpoint::from_bytes(note.text()).unwrap();
        prop_assert_eq!(parsed.size(), size);
        let again = SignedCheckpoint::verify(signed.bytes().clone(), &origin, &[signer.verifier_key().clone()])?;
        prop_assert_eq!(again, signed);
    }
}
