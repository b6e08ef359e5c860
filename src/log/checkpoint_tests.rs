//! Checkpoints: known answers, and every bit and length of a damaged one.

use proptest::prelude::*;

use super::*;
use crate::log::vector_tests::tree;

const ORIGIN: &str = "ledger.example/acme";
const ROOT: &str = "gTvaOkIAD4KUtqlU6oN5LC3vrmUkbvdgr5/dU699Rjg=";

fn signer(seed: u8) -> NoteSigner {
    NoteSigner::from_seed(ORIGIN, &[seed; 32]).unwrap()
}

fn key(seed: u8) -> VerifierKey {
    signer(seed).verifier_key().clone()
}

fn origin() -> Origin {
    Origin::new(ORIGIN).unwrap()
}

fn checkpoint(size: u64) -> Checkpoint {
    Checkpoint {
        origin: origin(),
        head: tree(size).head(),
    }
}

#[test]
fn text_has_one_spelling() {
    use CheckpointError::{BadForm, BadOrigin, BadRoot, BadSize, ExtensionLines};
    let text = format!("{ORIGIN}\n7\n{ROOT}\n");
    assert_eq!(Checkpoint::parse(&text).unwrap(), checkpoint(7));
    assert_eq!(checkpoint(7).to_string(), text);
    for (text, error) in [
        (String::new(), BadForm),
        ("\n".to_owned(), BadForm),
        (format!("{ORIGIN}\n"), BadForm),
        (format!("{ORIGIN}\n7\n"), BadForm),
        (format!("{ORIGIN}\n7\n{ROOT}"), BadForm),
        (format!("{ORIGIN}\n7\n{ROOT}\n\n"), ExtensionLines),
        (format!("{ORIGIN}\n7\n{ROOT}\nmore\n"), ExtensionLines),
        (format!("\n7\n{ROOT}\n"), BadOrigin),
        (format!("a b\n7\n{ROOT}\n"), BadOrigin),
        (format!("a+b\n7\n{ROOT}\n"), BadOrigin),
        (format!("{}\n7\n{ROOT}\n", "a".repeat(256)), BadOrigin),
        (format!("{ORIGIN}\n\n{ROOT}\n"), BadSize),
        (format!("{ORIGIN}\n07\n{ROOT}\n"), BadSize),
        (format!("{ORIGIN}\n+7\n{ROOT}\n"), BadSize),
        (format!("{ORIGIN}\n-7\n{ROOT}\n"), BadSize),
        (format!("{ORIGIN}\n7 \n{ROOT}\n"), BadSize),
        (format!("{ORIGIN}\n0x7\n{ROOT}\n"), BadSize),
        (format!("{ORIGIN}\n٧\n{ROOT}\n"), BadSize),
        (format!("{ORIGIN}\n9223372036854775808\n{ROOT}\n"), BadSize),
        (format!("{ORIGIN}\n18446744073709551623\n{ROOT}\n"), BadSize),
        (format!("{ORIGIN}\n7\n\n"), BadRoot),
        (format!("{ORIGIN}\n7\n{}\n", &ROOT[..43]), BadRoot),
        (
            format!("{ORIGIN}\n7\n{}\n", ROOT.replace('g', "h").replace('=', "==")),
            BadRoot,
        ),
        (format!("{ORIGIN}\n7\n{}\n", ROOT.replace("g=", "h=")), BadRoot),
        (format!("{ORIGIN}\n7\n{}\n", ROOT.replace('/', "_")), BadRoot),
        (format!("{ORIGIN}\n7\n {ROOT}\n"), BadRoot),
        (format!("{ORIGIN}\n7\nAAAA\n"), BadRoot),
    ] {
        assert_eq!(Checkpoint::parse(&text), Err(error), "{text:?}");
    }
    let largest = format!("{ORIGIN}\n{TREE_SIZE_MAX}\n{ROOT}\n");
    assert_eq!(
        Checkpoint::parse(&largest).unwrap().head.size.get(),
        TREE_SIZE_MAX
    );
}

#[test]
fn a_log_without_entries_has_the_empty_root() {
    assert_eq!(Checkpoint::parse(&checkpoint(0).to_string()), Ok(checkpoint(0)));
    let text = format!("{ORIGIN}\n0\n{ROOT}\n");
    assert_eq!(
        Checkpoint::parse(&text),
        Err(CheckpointError::NotEmptyRoot {
            got: checkpoint(7).head.root
        })
    );
    let false_empty = Checkpoint {
        head: LogHead {
            size: TreeSize::EMPTY,
            ..checkpoint(7).head
        },
        ..checkpoint(0)
    };
    assert!(
        false_empty.sign(&[&signer(1)]).is_err(),
        "what would not be accepted is not signed"
    );
}

#[test]
fn signing_is_deterministic_and_keeps_the_bytes() {
    let signed = checkpoint(7).sign(&[&signer(1)]).unwrap();
    assert_eq!(signed, checkpoint(7).sign(&[&signer(1)]).unwrap());
    assert_eq!(signed.checkpoint(), &checkpoint(7));
    let again = SignedCheckpoint::verify(signed.bytes().clone(), &origin(), &[key(1)]).unwrap();
    assert_eq!(again, signed);
    assert_eq!(again.head(), &checkpoint(7).head);
}

#[test]
fn during_a_rotation_either_key_suffices_and_neither_may_lie() {
    let signed = checkpoint(7).sign(&[&signer(1), &signer(2)]).unwrap();
    for keys in [&[key(1)][..], &[key(2)], &[key(1), key(2)], &[key(2), key(3)]] {
        assert!(SignedCheckpoint::verify(signed.bytes().clone(), &origin(), keys).is_ok());
    }
    let verdict = SignedCheckpoint::verify(signed.bytes().clone(), &origin(), &[key(3)]);
    assert_eq!(verdict, Err(CheckpointError::Note(NoteError::NoKnownSignature)));
    assert!(checkpoint(7).sign(&[&signer(1), &signer(1)]).is_err());
    assert!(checkpoint(7).sign(&[]).is_err());
}

#[test]
fn refuses_a_well_signed_checkpoint_of_another_log() {
    let signed = checkpoint(7).sign(&[&signer(1)]).unwrap();
    let expected = Origin::new("ledger.example/other").unwrap();
    let verdict = SignedCheckpoint::verify(signed.bytes().clone(), &expected, &[key(1)]);
    assert_eq!(
        verdict,
        Err(CheckpointError::OtherOrigin {
            expected,
            got: origin()
        })
    );
}

#[test]
fn refuses_a_well_signed_text_that_is_no_checkpoint() {
    for text in [
        "\n",
        "ledger.example/acme\n7\n",
        &format!("{ORIGIN}\n7\n{ROOT}\nextension\n"),
    ] {
        let note = Note::sign(text, &[&signer(1)]).unwrap().to_string();
        assert!(SignedCheckpoint::verify(note, &origin(), &[key(1)]).is_err());
    }
}

#[test]
fn a_checkpoint_cut_anywhere_or_with_any_bit_flipped_is_refused() {
    let signed = checkpoint(7).sign(&[&signer(1)]).unwrap();
    let bytes = signed.bytes().to_vec();
    for len in 0..bytes.len() {
        assert!(SignedCheckpoint::verify(bytes[..len].to_vec(), &origin(), &[key(1)]).is_err());
    }
    for bit in 0..bytes.len() * 8 {
        let mut wrong = bytes.clone();
        wrong[bit / 8] ^= 1 << (bit % 8);
        assert!(
            SignedCheckpoint::verify(wrong, &origin(), &[key(1)]).is_err(),
            "bit {bit}"
        );
    }
}

proptest! {
    #[test]
    fn texts_like_checkpoints_are_refused_or_print_the_same(
        text in "[a+ ]{0,2}\n[0-9+]{0,20}\n[A-Za-z0-9+/]{42,43}[A-Z]?={0,2}\n{0,2}",
    ) {
        if let Ok(parsed) = Checkpoint::parse(&text) {
            prop_assert_eq!(parsed.to_string(), text);
        }
    }

    #[test]
    fn an_origin_is_read_back_from_json(name in "[a-zé./-]{1,60}") {
        let origin = Origin::new(&name)?;
        let json = serde_json::to_string(&origin)?;
        prop_assert_eq!(serde_json::from_str::<Origin>(&json)?, origin);
        prop_assert!(serde_json::from_str::<Origin>(&json.replacen(&name, "a b", 1)).is_err());
    }
}
