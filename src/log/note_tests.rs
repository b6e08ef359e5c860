//! Signed notes: known answers, what a stranger may add, and every bit and length of a damaged one.

use proptest::prelude::*;

use super::*;

const NAME: &str = "ledger.example/acme";

fn signer(name: &str, seed: u8) -> NoteSigner {
    NoteSigner::from_seed(name, &[seed; 32]).unwrap()
}

fn key(name: &str, seed: u8) -> VerifierKey {
    signer(name, seed).verifier_key().clone()
}

fn note(text: &str, signers: &[&NoteSigner]) -> String {
    Note::sign(text, signers).unwrap().to_string()
}

fn verify(bytes: &[u8], keys: &[VerifierKey]) -> Result<usize, NoteError> {
    Note::parse(bytes)?.verify(keys).map(|signed| signed.len())
}

#[test]
fn unknown_lines_are_ignored_wherever_they_stand() {
    let known = key(NAME, 1);
    let lines = [signer("a.example", 2), signer(NAME, 1), signer(NAME, 3)];
    let lines: Vec<&NoteSigner> = lines.iter().collect();
    let bytes = note("text\n", &lines);
    assert_eq!(verify(bytes.as_bytes(), std::slice::from_ref(&known)), Ok(1));
    assert_eq!(
        verify(bytes.as_bytes(), &[key("b.example", 2)]),
        Err(NoteError::NoKnownSignature)
    );
    assert_eq!(verify(bytes.as_bytes(), &[]), Err(NoteError::NoKnownSignature));
    // A cosignature of 72 bytes, a key of 2,420, a single byte: all fine as long as nobody here knows them.
    for len in [1, 72, 2428] {
        let odd = NoteSignature {
            name: "w.example".to_owned(),
            id: KeyId([9; 4]),
            bytes: vec![7; len],
        };
        let bytes = format!("{bytes}{odd}\n");
        assert_eq!(verify(bytes.as_bytes(), std::slice::from_ref(&known)), Ok(1));
        assert_eq!(Note::parse(bytes.as_bytes()).unwrap().to_string(), bytes);
    }
}

#[test]
fn a_known_key_that_signed_wrongly_rejects_the_note_even_beside_a_good_one() {
    let keys = [key(NAME, 1), key("b.example", 2)];
    let good = Note::sign("text\n", &[&signer(NAME, 1), &signer("b.example", 2)]).unwrap();
    assert_eq!(good.verify(&keys).map(|signed| signed.len()), Ok(2));
    for line in 0..2 {
        for bit in 0..512 {
            let mut wrong = good.clone();
            wrong.signatures[line].bytes[bit / 8] ^= 1 << (bit % 8);
            let NoteSignature { name, id, .. } = wrong.signatures[line].clone();
            assert_eq!(wrong.verify(&keys), Err(NoteError::InvalidSignature { name, id }));
        }
        for len in [0, 63, 65, 72] {
            let mut wrong = good.clone();
            wrong.signatures[line].bytes.resize(len, 0);
            assert!(matches!(
                wrong.verify(&keys),
                Err(NoteError::InvalidSignature { .. })
            ));
        }
    }
}

#[test]
fn a_second_line_of_a_known_key_rejects_the_note() {
    let (one, keys) = (signer(NAME, 1), [key(NAME, 1)]);
    let bytes = note("text\n", &[&one, &one]);
    let repeated = NoteError::RepeatedSignature {
        name: NAME.to_owned(),
        id: keys[0].id(),
    };
    assert_eq!(verify(bytes.as_bytes(), &keys), Err(repeated));
    assert_eq!(
        verify(bytes.as_bytes(), &[key("b.example", 2)]),
        Err(NoteError::NoKnownSignature)
    );
}

#[test]
fn keys_that_cannot_be_told_apart_reject_the_note_and_the_same_key_twice_does_not() {
    let one = key(NAME, 1);
    let bytes = note("text\n", &[&signer(NAME, 1)]);
    let mut twin = key(NAME, 2);
    twin.id = one.id;
    let ambiguous = NoteError::AmbiguousKey {
        name: NAME.to_owned(),
        id: one.id,
    };
    assert_eq!(verify(bytes.as_bytes(), &[one.clone(), twin]), Err(ambiguous));
    assert_eq!(verify(bytes.as_bytes(), &[one.clone(), one]), Ok(1));
}

#[test]
fn the_text_ends_at_the_last_blank_line() {
    let one = signer(NAME, 1);
    for text in [
        "\n",
        "a\n",
        "a\n\n",
        "\n\n\n",
        "a\n\nb\n",
        "a\n\n\u{2014} a.example AAAAAAA=\n",
    ] {
        let bytes = note(text, &[&one]);
        let parsed = Note::parse(bytes.as_bytes()).unwrap();
        assert_eq!((parsed.text(), parsed.signatures().len()), (text, 1));
        assert_eq!(parsed.verify(&[key(NAME, 1)]).map(|signed| signed.len()), Ok(1));
    }
}

#[test]
fn refuses_malformed_notes() {
    let line = "\u{2014} a.example AAAAAAA=";
    assert!(Note::parse(format!("t\n\n{line}\n").as_bytes()).is_ok());
    for (bytes, error) in [
        (String::new(), NoteError::BadForm),
        ("\n\n".to_owned(), NoteError::BadForm),
        ("t\n".to_owned(), NoteError::BadForm),
        ("t\n\n".to_owned(), NoteError::BadForm),
        (format!("\n{line}\n"), NoteError::BadForm),
        (format!("t\n{line}\n"), NoteError::BadForm),
        (format!("t\n\n{line}"), NoteError::BadForm),
        (format!("t\n\n{line}\n\n"), NoteError::BadForm),
        (
            format!("t\n\n{line}\nx\n"),
            NoteError::BadSignatureLine { line: 1 },
        ),
        (format!("t\r\n\n{line}\n"), NoteError::BadCharacter),
        (format!("t\0\n\n{line}\n"), NoteError::BadCharacter),
        (format!("t\t\n\n{line}\n"), NoteError::BadCharacter),
        (format!("t\n\n{line}\r\n"), NoteError::BadCharacter),
        (
            "t\n\n- a.example AAAAAAA=\n".to_owned(),
            NoteError::BadSignatureLine { line: 0 },
        ),
        (
            "t\n\n\u{2014}a.example AAAAAAA=\n".to_owned(),
            NoteError::BadSignatureLine { line: 0 },
        ),
        (
            "t\n\n\u{2014}  AAAAAAA=\n".to_owned(),
            NoteError::BadSignatureLine { line: 0 },
        ),
        (
            "t\n\n\u{2014} a.example  AAAAAAA=\n".to_owned(),
            NoteError::BadSignatureLine { line: 0 },
        ),
        (
            "t\n\n\u{2014} a.example AAAAAAA= \n".to_owned(),
            NoteError::BadSignatureLine { line: 0 },
        ),
        (
            "t\n\n\u{2014} a+b AAAAAAA=\n".to_owned(),
            NoteError::BadSignatureLine { line: 0 },
        ),
        (
            "t\n\n\u{2014} a\u{a0}b AAAAAAA=\n".to_owned(),
            NoteError::BadSignatureLine { line: 0 },
        ),
    ] {
        assert_eq!(Note::parse(bytes.as_bytes()), Err(error), "{bytes:?}");
    }
    assert_eq!(Note::parse(b"t\xff\n\n\n"), Err(NoteError::BadCharacter));
}

#[test]
fn refuses_base64_that_is_not_canonical() {
    let with = |field: &str| Note::parse(format!("t\n\n\u{2014} a.example {field}\n").as_bytes());
    assert!(with("AAAAAAA=").is_ok());
    // Missing or surplus padding, bits after the end, the other alphabet, fewer than five bytes.
    for field in [
        "AAAAAAA",
        "AAAAAAA==",
        "AAAAAAB=",
        "AAAAAA-=",
        "AAAA AAA=",
        "AAAAAA==",
        "AAA=",
        "====",
        "",
    ] {
        assert_eq!(
            with(field),
            Err(NoteError::BadSignatureLine { line: 0 }),
            "{field}"
        );
    }
}

#[test]
fn refuses_notes_beyond_the_limits() {
    let line = "\u{2014} a.example AAAAAAA=\n";
    let with = |lines: usize| Note::parse(format!("t\n\n{}", line.repeat(lines)).as_bytes());
    assert_eq!(with(64).map(|note| note.signatures().len()), Ok(64));
    assert_eq!(with(65), Err(NoteError::TooManySignatures));
    let fits = format!("{}\n\n{line}", "t".repeat(NOTE_LEN_MAX - line.len() - 2));
    assert!(Note::parse(fits.as_bytes()).is_ok());
    assert_eq!(
        Note::parse(format!("t{fits}").as_bytes()),
        Err(NoteError::TooLong {
            got: NOTE_LEN_MAX + 1
        })
    );

    let one = signer(NAME, 1);
    assert_eq!(Note::sign("t\n", &[&one; 65]), Err(NoteError::TooManySignatures));
    assert_eq!(Note::sign("t\n", &[]), Err(NoteError::BadForm));
    assert_eq!(Note::sign("t", &[&one]), Err(NoteError::BadForm));
    assert_eq!(Note::sign("t\t\n", &[&one]), Err(NoteError::BadCharacter));
    let long = "t".repeat(NOTE_LEN_MAX) + "\n";
    assert!(matches!(
        Note::sign(&long, &[&one]),
        Err(NoteError::TooLong { .. })
    ));
}

#[test]
fn a_note_cut_anywhere_or_with_any_bit_flipped_is_refused() {
    let keys = [key(NAME, 1)];
    let bytes = note("ledger.example/acme\n7\n", &[&signer(NAME, 1)]).into_bytes();
    assert_eq!(verify(&bytes, &keys), Ok(1));
    for len in 0..bytes.len() {
        assert!(verify(&bytes[..len], &keys).is_err(), "cut at {len}");
    }
    for bit in 0..bytes.len() * 8 {
        let mut wrong = bytes.clone();
        wrong[bit / 8] ^= 1 << (bit % 8);
        assert!(verify(&wrong, &keys).is_err(), "bit {bit}");
    }
}

#[test]
fn verifier_keys_have_one_spelling() {
    let one = key(NAME, 1);
    let vkey = one.to_string();
    assert_eq!(vkey.parse(), Ok(one));
    let parse = |text: &str| text.parse::<VerifierKey>();
    let [name, id, typed] = vkey.split('+').collect::<Vec<_>>()[..] else {
        panic!("no plus in this key")
    };
    for (text, error) in [
        (String::new(), KeyError::BadForm),
        (name.to_owned(), KeyError::BadForm),
        (format!("{name}+{id}"), KeyError::BadForm),
        (format!("{name}+{}+{typed}", &id[1..]), KeyError::BadForm),
        (format!("{name}+{}+{typed}", id.to_uppercase()), KeyError::BadForm),
        (format!("{name}+{id}+"), KeyError::BadForm),
        (format!("{name}+{id}+{typed} "), KeyError::BadForm),
        (format!("{name}+{id}+{}", &typed[1..]), KeyError::BadForm),
        (format!("{name}+{id}+AQ=="), KeyError::BadKey),
        (format!("+{id}+{typed}"), KeyError::BadName),
        (format!("a b+{id}+{typed}"), KeyError::BadName),
        (format!("a\u{7f}+{id}+{typed}"), KeyError::BadName),
        (format!("{}+{id}+{typed}", "a".repeat(256)), KeyError::BadName),
    ] {
        assert_eq!(parse(&text), Err(error), "{text}");
    }
    let wrong = parse(&format!("other+{id}+{typed}"));
    assert!(matches!(wrong, Err(KeyError::WrongId { .. })), "{wrong:?}");
    let cosigner = [&[4], key(NAME, 1).public_key().as_slice()].concat();
    let text = format!("{name}+{id}+{}", BASE64_STANDARD.encode(cosigner));
    assert_eq!(parse(&text), Err(KeyError::UnsupportedType(4)));
}

#[test]
fn refuses_public_keys_under_which_signatures_mean_nothing() {
    let mut identity = [0; 32];
    identity[0] = 1;
    let mut non_canonical = [0xff; 32];
    non_canonical[0] = 0xed + 1;
    non_canonical[31] = 0x7f;
    // Order 1, order 4, and y = p + 1, a second spelling of the identity.
    for weak in [identity, [0; 32], non_canonical] {
        assert_eq!(VerifierKey::new(NAME, &weak), Err(KeyError::BadKey));
    }
    // y = p + 3, a second spelling of a point of large order.
    non_canonical[0] = 0xed + 3;
    let mut canonical = [0; 32];
    canonical[0] = 3;
    assert!(VerifierKey::new(NAME, &canonical).is_ok(), "the point exists");
    assert_eq!(VerifierKey::new(NAME, &non_canonical), Err(KeyError::BadKey));
}

#[test]
fn a_private_key_is_cleared_when_it_is_dropped() {
    fn cleared<T: zeroize::ZeroizeOnDrop>(_: &T) {}
    cleared(&signer(NAME, 1).key);
}

#[test]
fn a_signer_goes_through_its_private_text_and_is_never_printed() {
    let one = signer(NAME, 1);
    let text = one.to_private_text();
    let again = NoteSigner::from_private_text(&text).unwrap();
    assert_eq!(again.verifier_key(), one.verifier_key());
    assert_eq!(note("t\n", &[&again]), note("t\n", &[&one]));
    let debug = format!("{one:?}");
    assert_eq!(
        debug,
        format!(
            "NoteSigner({NAME}+{}, private key redacted)",
            one.verifier_key().id()
        )
    );

    assert!(matches!(
        NoteSigner::from_private_text(&text[1..]),
        Err(KeyError::BadForm)
    ));
    let renamed = text.replacen(NAME, "other", 1);
    assert!(matches!(
        NoteSigner::from_private_text(&renamed),
        Err(KeyError::WrongId { .. })
    ));
    assert!(matches!(
        NoteSigner::from_seed("a b", &[1; 32]),
        Err(KeyError::BadName)
    ));
}

proptest! {
    #[test]
    fn arbitrary_bytes_are_refused_or_print_the_same(bytes: Vec<u8>) {
        if let Ok(note) = Note::parse(&bytes) {
            prop_assert_eq!(note.to_string().into_bytes(), bytes);
        }
    }

    #[test]
    fn texts_like_keys_are_refused_or_print_the_same(text in "[a-c]{0,2}\\+[0-9a-fA]{7,9}\\+A[A-Z][A-Za-z0-9+/=]{40,44}") {
        if let Ok(key) = text.parse::<VerifierKey>() {
            prop_assert_eq!(key.to_string(), text);
        }
    }
}
