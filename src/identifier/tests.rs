//! Spellings that meet, what links say beside a name, refusals by AI, and the laws of the normal form.

use std::fmt::Write as _;

use proptest::prelude::*;

use super::*;

/// All of GS1 set 82 that is no letter and no digit.
const MARKS: &str = r#"!"%&'()*+,-./:;<=>?_"#;

/// Spelling sent, and its normal form. Worked by hand from GS1 TDS 2.0 and RFC 3986; `~` is `https://id.gs1.org/`.
#[rustfmt::skip]
const ROWS: &[(&str, &str)] = &[
    ("~01/09521231100013/10/CAM-2602-A", "~01/09521231100013/10/CAM-2602-A"),
    ("https://Example.com/shop/01/9521231100013/10/A1?x=1", "~01/09521231100013/10/A1"),
    ("https://example.com/GTIN/9521231100013/lot/A1/", "~01/09521231100013/10/A1"),
    ("HTTP://id.gs1.org/414/9521230010016", "~414/9521230010016"),
    ("~414/9521230010016/254/0", "~414/9521230010016"),
    ("~01/95212311", "~01/00000095212311"),
    ("~%30%31/09521231100013/1%30/%41", "~01/09521231100013/10/A"),
    ("urn:epc:class:lgtin:952123.0110001.A%2fb", "~01/09521231100013/10/A%2Fb"),
    ("urn:epc:id:sgtin:9521231.100001.P%30001", "~01/19521231000013/21/P0001"),
    ("urn:epc:id:sgtin:9521231.100001.a?b", "~01/19521231000013/21/a%3Fb"),
    ("urn:epc:ID:SGTIN:9521231.100001.1", "~01/19521231000013/21/1"),
    ("urn:epc:id:upui:9521231.100001.X1", "~01/19521231000013/235/X1"),
    ("urn:epc:idpat:sgtin:9521231.100001.*", "~01/19521231000013"),
    ("urn:epc:id:itip:9521231.100001.01.02.S", "~8006/195212310000130102/21/S"),
    ("urn:epc:id:sscc:9521230.0000000001", "~00/095212300000000017"),
    ("urn:epc:id:sgln:9521230.01001.0", "~414/9521230010016"),
    ("urn:epc:id:sgln:9521230.01001.dock-7", "~414/9521230010016/254/dock-7"),
    ("urn:epc:id:pgln:9521230.10010", "~417/9521230100106"),
    ("urn:epc:id:gdti:9521230.10010.DA0001", "~253/9521230100106DA0001"),
    ("urn:epc:id:grai:9521230.10010.7", "~8003/095212301001067"),
    ("urn:epc:idpat:grai:9521230.10010.*", "~8003/09521230100106"),
    ("urn:epc:id:gsrn:9521230.0000000001", "~8018/952123000000000019"),
    ("urn:epc:id:cpi:9521230.PN%2f1.7", "~8010/9521230PN%2F1/8011/7"),
    ("urn:epc:id:giai:9521230.A1.b.c", "~8004/9521230A1.b.c"),
    ("urn:epc:id:gid:952123.1.2", "urn:epc:id:gid:952123.1.2"),
    ("urn:UUID:0B5E7A10-0000-4000-8000-000000000001", "urn:uuid:0b5e7a10-0000-4000-8000-000000000001"),
    ("https://Plants.Example.COM:443", "https://plants.example.com/"),
    ("https://a.example/x/../y/./z%7e%c3", "https://a.example/y/z~%C3"),
    ("https://a.example/party/acme", "https://a.example/party/acme"),
    ("https://a.example/01/2026", "https://a.example/01/2026"),
    ("did:web:maker.example", "did:web:maker.example"),
    ("BPNL:x", "bpnl:x"),
];

/// Sent, name, class lot, variant.
#[rustfmt::skip]
const BESIDE: &[(&str, &str, &str, &str)] = &[
    ("~01/09521231100013/10/A1/21/S1", "~01/09521231100013/21/S1", "~01/09521231100013/10/A1", ""),
    ("~01/09521231100013/21/S1/10/A1", "~01/09521231100013/21/S1", "~01/09521231100013/10/A1", ""),
    ("~01/09521231100013/22/2A/10/A1/21/S1", "~01/09521231100013/21/S1", "~01/09521231100013/10/A1", "~01/09521231100013/22/2A"),
    ("~01/09521231100013/22/2A/10/A1", "~01/09521231100013/10/A1", "", "~01/09521231100013/22/2A"),
    ("~01/09521231100013/22/2A", "~01/09521231100013/22/2A", "", ""),
    ("~8006/095212311000130102/10/A/21/S", "~8006/095212311000130102/21/S", "~8006/095212311000130102/10/A", ""),
];

/// Sent, the AI at fault, and what is said.
#[rustfmt::skip]
const REFUSED: &[(&str, &str, &str)] = &[
    ("~01/095212311000133", "01", "AI 01 (GTIN) takes 14 digits (8, 12 or 13 are filled up with zeros); this has 15 digits"),
    ("https://shop.example/01/095212311000133", "01", "this has 15 digits"),
    ("~gtin/0952123110001X", "01", "this has the character X"),
    ("~01/", "01", "this has nothing"),
    ("~01/09521231100013/10/", "10", "AI 10 (lot) takes 1 to 20 characters of GS1 set 82"),
    ("~01/09521231100013/10//21/S1", "10", "this has nothing"),
    ("~01/09521231100013/10/ABCDEFGHIJKLMNOPQRSTU", "10", "this has 21 characters"),
    ("https://a.example/01/09521231100013/21/123456789012345678901", "21", "this has 21 digits"),
    ("~01/09521231100013/10/a%20b", "10", "this has the character %20"),
    ("~01/09521231100013/10/%C3%A9", "10", "this has the character %C3"),
    ("~01/09521231100013/21/..", "21", "dots alone"),
    ("~01/09521231100013/21/S/21/S", "01", "is qualified by AI 22, 10, 21, or 235; this has AI 21 twice"),
    ("~01/09521231100013/21/S/235/T", "01", "this has AI 235"),
    ("~01/09521231100013/254/7", "01", "this has AI 254"),
    ("~01/09521231100013/17/260101", "01", "this has `17`"),
    ("~414/9521230010016/10/A", "414", "AI 414 (GLN of a place) is qualified by AI 254, or 7040; this has AI 10"),
    ("~00/095212300000000017/10/A", "00", "is qualified by no other AI"),
    ("~10/A1/01/09521231100013", "01", "it stands before its qualifiers, and this has it after AI `10`"),
    ("~01/09521231100013/10/A1/00/095212300000000017", "00", "AI 00 (SSCC) is a key"),
    ("~01/09521231100013?21=S1", "21", "stands in the query"),
    ("~8003/19521230100106", "8003", "this has 1 at its beginning"),
    ("~8010/9521230a", "8010", "this has the character a"),
    ("~8010/9521230A/8011/07", "8011", "this has 0 at its beginning"),
    ("~417/9521230100106/7040/1AB", "7040", "takes a digit and 3 characters"),
    ("~8004/PALLET-7", "8004", "this has the character P"),
    ("urn:epc:class:lgtin:952123.0110001.ABCDEFGHIJKLMNOPQRSTU", "10", "this has 21 characters"),
    ("~", "", "names GS1 keys alone"),
    ("~lots/7", "", "names GS1 keys alone"),
    ("urn:epc:tag:sgtin-96:3.9521231.100001.1", "", "neither an identity"),
    ("urn:epc:idpat:sgtin:9521231.100001.1", "", "no such identity"),
    ("urn:epc:id:sscc:952.1", "", "no company prefix"),
];

fn full(text: &str) -> String {
    text.strip_prefix('~')
        .map_or_else(|| text.to_owned(), |rest| format!("{GS1}{rest}"))
}

#[test]
fn spellings_of_one_thing_meet_in_one_normal_form() {
    for (sent, normal) in ROWS {
        let (sent, normal) = (full(sent), full(normal));
        assert_eq!(normalise(&sent).as_ref(), Ok(&normal), "{sent}");
        assert!(is_normal(&normal), "{normal}");
        assert_eq!(is_normal(&sent), sent == normal, "{sent}");
    }
}

#[test]
fn what_a_link_says_beside_the_name_stands_beside_it() {
    for (sent, id, class_lot, variant) in BESIDE {
        let some = |text: &str| (!text.is_empty()).then(|| full(text));
        let expected = Normal {
            id: full(id),
            class_lot: some(class_lot),
            variant: some(variant),
        };
        assert_eq!(read(&full(sent)), Ok(expected), "{sent}");
        assert_eq!(is_normal(&full(sent)), sent == id, "{sent}");
    }
}

#[test]
fn refusals_name_the_ai_and_what_it_takes() {
    for (sent, ai, said) in REFUSED {
        let error = normalise(&full(sent)).expect_err(sent);
        assert_eq!(error.ai().unwrap_or_default(), *ai, "{sent}: {error}");
        assert!(error.to_string().contains(said), "{sent}: {error}");
    }
}

#[test]
fn refuses_what_is_no_uri() {
    for bad in [
        "",
        "lot 7",
        "a b:c",
        "CAM-7",
        "https://",
        "https:///x",
        "urn:x",
        "http://u@h/",
        "x:%zz",
        "x:\u{e9}",
        "1x:y",
    ] {
        assert!(matches!(normalise(bad), Err(IdentifierError::NotUri(_))), "{bad}");
    }
    assert_eq!(
        normalise(&format!("x:{}", "y".repeat(255))),
        Err(IdentifierError::TooLong)
    );
}

#[test]
fn every_mark_of_set_82_has_one_spelling() {
    for mark in MARKS.bytes() {
        let (letter, upper, lower) = (char::from(mark), format!("%{mark:02X}"), format!("%{mark:02x}"));
        let normal = if is_unreserved(mark) {
            letter.to_string()
        } else {
            upper.clone()
        };
        let mut sent = vec![upper, lower];
        // These divide a URL; elsewhere the mark may stand as it is.
        if !"/?%".contains(letter) {
            sent.push(letter.to_string());
        }
        for spelling in &sent {
            for ai in ["10", "21"] {
                let name = format!("{GS1}01/09521231100013/{ai}/a{normal}b");
                let link = format!("https://x.example/01/9521231100013/{ai}/a{spelling}b");
                assert_eq!(normalise(&link).as_ref(), Ok(&name));
            }
            let name = format!("{GS1}01/19521231000013/21/a{normal}b");
            let urn = format!("urn:epc:id:sgtin:9521231.100001.a{spelling}b");
            assert_eq!(normalise(&urn).as_ref(), Ok(&name));
        }
    }
}

#[test]
fn wrong_check_digits_are_found_wherever_a_key_has_one() {
    #[rustfmt::skip]
    let rows = [
        ("00/095212300000000017", true), ("00/095212300000000018", false),
        ("01/09521231100013/10/A1", true), ("01/09521231100014/10/A1", false),
        ("253/9521230100106DA0001", true), ("253/9521230100107DA0001", false),
        ("402/95212310000000016", true), ("402/95212310000000017", false),
        ("8003/095212301001067", true), ("8003/095212301001077", false),
        ("8006/095212311000130102", true), ("8006/095212311000140102", false),
        ("8018/952123000000000019", true), ("8018/952123000000000018", false),
        ("8004/9521230A1", true),
    ];
    for (key, is_right) in rows {
        assert_eq!(
            wrong_check_digit(&format!("{GS1}{key}")).is_none(),
            is_right,
            "{key}"
        );
    }
}

/// A value of set 82, decoded.
fn value() -> impl Strategy<Value = String> {
    "[A-Za-z0-9!\"%&'()*+,./:;<=>?_-]{1,20}"
        .prop_filter("dots alone", |value| !matches!(value.as_str(), "." | ".."))
}

/// A value as somebody might write it: each bit says whether a character is escaped that need not be, and how.
fn spelled(value: &str, bits: u64, must_be_escaped: &str) -> String {
    let mut out = String::new();
    for (at, byte) in value.bytes().enumerate() {
        let letter = char::from(byte);
        let bit = |shift: usize| bits >> ((at * 2 + shift) % 64) & 1 == 1;
        if bit(0) || must_be_escaped.contains(letter) {
            let _ = if bit(1) {
                write!(out, "%{byte:02x}")
            } else {
                write!(out, "%{byte:02X}")
            };
        } else {
            out.push(letter);
        }
    }
    out
}

proptest! {
    #[test]
    fn normalising_twice_changes_nothing(text in "[a-zA-Z]{1,5}:(//)?[a-zA-Z0-9:/?#@!$&*+,;=%~._-]{0,60}") {
        if let Ok(normal) = normalise(&text) {
            prop_assert_eq!(normalise(&normal), Ok(normal));
        }
    }

    #[test]
    fn links_have_one_normal_form_or_none(
        text in "https?://(id\\.gs1\\.org|a\\.example)(/x)?(/(00|01|10|21|22|gtin|lot|ser|414|254|253|8004|8010|8011)(/([0-9]{12,15}|[a-zA-Z0-9._%?-]{0,22})?)?){0,4}/?"
    ) {
        if let Ok(normal) = read(&text) {
            prop_assert_eq!(read(&normal.id), Ok(Normal::bare(normal.id.clone())));
            for beside in [normal.class_lot, normal.variant].into_iter().flatten() {
                prop_assert!(is_normal(&beside));
            }
        }
    }

    #[test]
    fn every_spelling_of_a_serial_meets(lot in value(), serial in value(), bits: u64, shape in 0_u8..6) {
        let (s, l) = (spelled(&serial, bits, "/?#%"), spelled(&lot, bits.rotate_left(17), "/?#%"));
        let escaped = |value: &str| gs1::escaped(value.as_bytes());
        let sent = match shape {
            0 => format!("https://id.gs1.org/01/09521231000016/21/{s}"),
            1 => format!("http://x.example/shop/01/9521231000016/10/{l}/21/{s}/?17=260101"),
            2 => format!("https://id.gs1.org/gtin/9521231000016/ser/{s}/lot/{l}#x"),
            3 => format!("urn:epc:id:sgtin:9521231.000001.{s}"),
            4 => format!("https://ID.GS1.ORG:443/01/09521231000016/22/2A/21/{s}"),
            _ => format!("https://id.gs1.org/01/09521231000016/21/{}", escaped(&serial)),
        };
        let normal = read(&sent).unwrap();
        prop_assert_eq!(&normal.id, &format!("{GS1}01/09521231000016/21/{}", escaped(&serial)));
        if let Some(class_lot) = normal.class_lot {
            prop_assert_eq!(class_lot, format!("{GS1}01/09521231000016/10/{}", escaped(&lot)));
        }
    }

    #[test]
    fn what_is_encoded_is_decoded(value in proptest::collection::vec(any::<u8>(), 0..40)) {
        prop_assert_eq!(gs1::unescaped(&gs1::escaped(&value)), value);
    }

    #[test]
    fn the_short_cut_takes_only_what_the_long_way_takes(
        text in "https://id\\.gs1\\.org/(00|01|10|21|402|414|417|253)/[0-9]{12,19}(/(10|21|22|01|254)/[a-zA-Z0-9._%-]{0,22}){0,2}/?"
    ) {
        if is_plain_gs1_key(&text) {
            prop_assert_eq!(read_once(&text), Ok(Normal::bare(text)));
        }
    }
}

#[test]
fn the_short_cut_takes_what_ledgers_are_full_of() {
    for key in [
        "402/95212310000000017",
        "00/095212300000000017",
        "01/09521231100013",
        "01/09521231100013/10/A-b_7",
        "01/19521231000013/21/P0001",
        "414/9521230010016",
        "417/9521230100106",
    ] {
        let text = format!("{GS1}{key}");
        assert!(is_plain_gs1_key(&text), "{text}");
        assert_eq!(read_once(&text), Ok(Normal::bare(text)));
    }
    for key in [
        "414/9521230010016/254/dock-7",
        "01/09521231100013/10/",
        "01/09521231100013/",
        "417/9521230100106/10/A",
        "417/952123010010\u{e9}",
        "01/09521231100013/10/A/21/S",
    ] {
        assert!(!is_plain_gs1_key(&format!("{GS1}{key}")), "{key}");
    }
}
