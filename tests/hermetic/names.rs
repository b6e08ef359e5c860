//! Identifiers and decimals: what was sent, and its normal form.

use lotproof::{identifier, quantity};
use serde_json::{Value, json};

/// `~` is `https://id.gs1.org/`.
#[rustfmt::skip]
const LINKS: &[&str] = &[
    // Names that are normal, and other spellings of them.
    "~01/09521231100013", "~01/9521231100013", "~01/952123110001", "~01/95212311", "~01/09521231100013/",
    "~01/09521231100013/10/CAM-2602-A", "https://Example.com/shop/01/9521231100013/10/A1?x=1",
    "https://example.com/gtin/9521231100013/lot/A1/", "https://id.gs1.org/GTIN/9521231100013/LOT/A1",
    "http://x.example:8080/de/01/09521231100013/10/A1#top", "https://x.example/a/../01/09521231100013",
    "HTTP://id.gs1.org/414/9521230010016", "HTTPS://ID.GS1.ORG:443/414/9521230010016",
    "~gln/9521230010016", "~414/9521230010016/254/dock-7", "~gln/9521230010016/glnx/dock-7", "~414/9521230010016/254/0",
    "~414/9521230010016/254/00", "~414/9521230010016/7040/1ABC", "~party/9521230100106", "~417/9521230100106/7040/1ABC",
    "~payTo/9521230010016/refNo/R-1", "~sscc/095212300000000017", "~%30%31/09521231100013/1%30/%41",
    "~01/09521231100013/21/S1", "~01/09521231100013/ser/S1", "~01/09521231100013/235/T1",
    "~01/09521231100013/235/1234567890123456789012345678", "~01/09521231100013/235/12345678901234567890123456789",
    "~01/95212311/22/2A", "~8006/095212311000130102/21/S1", "~itip/095212311000130102",
    "~253/9521230100106DA0001", "https://a.example/253/9521230100106DA0001#top", "~253/9521230100106",
    "~253/9521230100106ABCDEFGHIJKLMNOPQ", "~253/9521230100106ABCDEFGHIJKLMNOPQR", "~255/9521230100106123456789012",
    "~255/9521230100106A", "~401/9521230X", "~402/95212310000000016", "~8003/09521230100106", "~8003/09521230100106A-1",
    "https://a.example/8004/95212310001", "~8004/9521230A/7040/1ABC", "~8010/9521230A%2F7/8011/1", "~8010/9521230A-%23",
    "~8013/9521230MODEL", "~8017/952123000000000019", "~8018/952123000000000019/8019/3",
    // Lot and variant in the link of a serial.
    "~01/09521231100013/10/A1/21/S1", "~01/09521231100013/21/S1/10/A1", "~01/09521231100013/22/2A/21/S1",
    "~01/09521231100013/22/2A/10/A1", "~01/09521231100013/22/2A/10/A1/21/S1", "~01/09521231100013/21/S1/22/2A",
    "https://a.example/gtin/95212311/cpv/2A/lot/a%2fb/ser/S%31/", "~8006/095212311000130102/22/2A/10/A1/21/S1",
    // Values that their AI does not take.
    "~01/095212311000133", "https://shop.example/01/095212311000133", "~01/952123110", "~01/0952123110001X", "~01/",
    "~01", "~01//10/A1", "~01/09521231100013/10", "~01/09521231100013/10/", "~01/09521231100013/10//",
    "~01/09521231100013/10//21/S1", "~01/09521231100013/10/ABCDEFGHIJKLMNOPQRST",
    "~01/09521231100013/10/ABCDEFGHIJKLMNOPQRSTU", "https://a.example/01/09521231100013/10/ABCDEFGHIJKLMNOPQRSTU",
    "~01/09521231100013/10/%2F%2F%2F%2F%2F%2F%2F%2F%2F%2F%2F%2F%2F%2F%2F%2F%2F%2F%2F%2F",
    "~01/09521231100013/21/ABCDEFGHIJKLMNOPQRSTU", "~01/09521231100013/10/a%20b", "~01/09521231100013/10/%C3%A9",
    "~01/09521231100013/10/%7E", "~01/09521231100013/10/%23", "~01/09521231100013/10/a@b", "~01/09521231100013/10/a$b",
    "~01/09521231100013/21/.", "~01/09521231100013/21/%2E%2e", "~01/09521231100013/21/...", "~00/09521230000000001",
    "~8003/19521230100106", "~8003/0952123010010612345678901234567", "~8004/PALLET-7", "~401/952", "~401/9521",
    "~8010/9521230a", "~8010/9521230A/8011/07", "~8010/9521230A/8011/0", "~8010/9521230A/8011/1234567890123",
    "~8018/952123000000000019/8019/12345678901", "~417/9521230100106/7040/1AB", "~417/9521230100106/7040/AABC",
    // Qualifiers that a key does not take, keys that do not stand first, qualifiers in the query.
    "~01/09521231100013/254/7", "~01/09521231100013/17/260101", "~01/09521231100013/x/7", "~01/09521231100013//10/A1",
    "~01/09521231100013/21/S1/21/S1", "~01/09521231100013/21/S1/ser/S2", "~01/09521231100013/21/S1/235/T1",
    "~01/09521231100013/10/A1/235/T1", "~414/9521230010016/10/A1", "~414/9521230010016/254/7/7040/1ABC",
    "~00/095212300000000017/10/A1", "~253/9521230100106/21/S1", "~10/A1/01/09521231100013",
    "https://a.example/lot/7/01/09521231100013", "https://a.example/lot/01/09521231100013",
    "~01/09521231100013/10/A1/00/095212300000000017", "~01/09521231100013/01/09521231100013",
    "~01/09521231100013?21=S1", "~01/09521231100013/10/A1?17=260101&21=S1", "~01/09521231100013/10/A1?17=260101",
    "~01/09521231100013?254=7", "~01/09521231100013?%32%31=S1", "~01/09521231100013#?21=S1",
    // Of several faults the first in the order of the page counts.
    "~01/095212311000133/10/", "~01/09521231100013/10//99/1", "~01/09521231100013/99/1/10/", "~01/1/10/A1?21=S1",
    // Paths of other hosts that name no key, and some that are meant to.
    "https://a.example/00/12", "https://a.example/01/2026", "https://a.example/01/20260101-report",
    "https://a.example/401/926", "https://a.example/401/9261", "https://a.example/8004/PALLET-7",
    "https://a.example/party/acme", "https://a.example/party/12345678", "https://a.example/party/9521230100106",
    "https://a.example/gtin/095212311000133", "https://a.example/00/09521230000000001", "https://a.example/lot/7",
    "https://a.example/?01=09521231100013", "https://a.example/01/09521231100013/sds.pdf", "~", "https://id.gs1.org",
    "~lots/7", "~x/01/09521231100013",
    // EPC URNs.
    "urn:epc:class:lgtin:952123.0110001.A%2fb", "urn:epc:class:lgtin:952123.0110001.A/b",
    "urn:epc:class:lgtin:952123.0110001.ABCDEFGHIJKLMNOPQRSTU", "urn:epc:class:lgtin:952123.0110001.",
    "urn:epc:class:lgtin:952123.0110001", "urn:epc:id:lgtin:952123.0110001.A", "urn:epc:id:sgtin:9521231.100001.P%30001",
    "urn:epc:id:sgtin:9521231.100001.a?b", "urn:epc:id:sgtin:9521231.100001.a.b", "urn:epc:id:sgtin:9521231.100001.a%20b",
    "urn:epc:id:sgtin:9521231.100001.", "urn:epc:id:sgtin:9521231.100001", "urn:epc:id:sgtin:9521231.10001.1",
    "urn:EPC:id:sgtin:9521231.100001.1", "urn:epc:ID:SGTIN:9521231.100001.1", "urn:epc:id:sgtin:9521231..1",
    "urn:epc:idpat:sgtin:9521231.100001.*", "urn:epc:idpat:sgtin:9521231.100001.1", "urn:epc:idpat:sgtin:9521231.*.*",
    "urn:epc:id:upui:9521231.100001.X1", "urn:epc:idpat:upui:9521231.100001.*", "urn:epc:id:itip:9521231.100001.01.02.S",
    "urn:epc:idpat:itip:9521231.100001.01.02.*", "urn:epc:id:itip:9521231.100001.1.02.S", "urn:epc:id:sscc:9521230.0000000001",
    "urn:epc:id:sscc:9521230.0000000001.", "urn:epc:id:sscc:952.1", "urn:epc:id:sscc:9521230.1.x",
    "urn:epc:id:sgln:9521230.01001.0", "urn:epc:id:sgln:9521230.01001", "urn:epc:id:sgln:9521230.01001.dock-7",
    "urn:epc:id:sgln:952123010010..0", "urn:epc:id:pgln:9521230.10010", "urn:epc:id:gdti:9521230.10010.DA0001",
    "urn:epc:idpat:gdti:9521230.10010.*", "urn:epc:id:gdti:9521230.10010.",
    "urn:epc:id:gdti:9521230.10010", "urn:epc:idpat:gdti:9521230.10010.7", "urn:epc:id:sgcn:9521230.10010.04711", "urn:epc:id:grai:9521230.10010.7",
    "urn:epc:idpat:grai:9521230.10010.*", "urn:epc:id:gsin:9521230.000000001", "urn:epc:id:gsrn:9521230.0000000001",
    "urn:epc:id:gsrnp:9521230.0000000001", "urn:epc:id:giai:9521230.A1.b.c", "urn:epc:id:giai:9521230..x",
    "urn:epc:id:ginc:9521230.X", "urn:epc:id:cpi:9521230.PN%2F1.7", "urn:epc:id:cpi:9521230.PN.07",
    "urn:epc:idpat:cpi:9521230.PN.*", "urn:epc:id:gid:952123.1.2", "urn:epc:id:usdod:CAGEY.5678", "urn:epc:id:usdod:",
    "urn:epc:raw:1", "urn:epc:raw:x:123456.", "urn:epc:tag:sgtin-96:3.9521231.100001.1", "urn:epc:idpat:gid:952123.1.*",
];

#[rustfmt::skip]
const OTHERS: &[&str] = &[
    "http://plants.example::80/", "ftp://u@Host.Example:21/", "urn:UUID:0B5E7A10-0000-4000-8000-000000000001",
    "URN:Isbn:0-X", "urn:x", "urn::x", "https://Plants.Example.COM:443", "http://plants.example:80/a",
    "http://plants.example:443/a", "https://plants.example:/a", "https://plants.example?q",
    "https://a.example/x/../y/./z%7e%c3", "https://a.example/../..", "https://a.example/a/.",
    "https://a.example/a/b/..", "https://a.example//x//", "https://a.example/a?b=../c#d",
    "did:web:maker.example", "BPNL:x", "FTP://Host.Example/a/../b?Q", "ftp://Host.Example", "ftp://",
    "file:///a/./b", "", "lot 7", "CAM-7", "a b:c", "https://", "https:///x", "https:x", "http://u@h/", "x:",
    "x:%zz", "x:%7", "x:\u{e9}", "x:a<b", "1x:y", "x_y:z",
];

/// All of GS1 set 82 that is no letter and no digit, and what stands beside it in ASCII.
const MARKS: &str = r#"!"%&'()*+,-./:;<=>?_ #$@[\]^`{|}~"#;

/// Each mark in a lot, a serial, a component and a URN: as it is, and both ways escaped.
fn marks() -> impl Iterator<Item = String> {
    MARKS.bytes().flat_map(|mark| {
        let spellings = [
            char::from(mark).to_string(),
            format!("%{mark:02X}"),
            format!("%{mark:02x}"),
        ];
        spellings.into_iter().flat_map(|mark| {
            [
                format!("https://id.gs1.org/01/09521231100013/10/a{mark}b"),
                format!("https://a.example/gtin/9521231100013/ser/a{mark}b"),
                format!("https://id.gs1.org/8010/9521230A{mark}B"),
                format!("urn:epc:id:sgtin:9521231.100001.a{mark}b"),
                format!("x:a{mark}b"),
            ]
        })
    })
}

/// Every identifier that is tried, its name, and what its link says beside it or why it is refused.
pub(crate) fn vectors() -> Value {
    let full = |sent: &&str| match sent.strip_prefix('~') {
        Some(rest) => format!("https://id.gs1.org/{rest}"),
        None => (*sent).to_owned(),
    };
    let mut rows: Vec<String> = LINKS.iter().chain(OTHERS).map(full).chain(marks()).collect();
    rows.push(format!("x:{}", "y".repeat(254)));
    rows.push(format!("x:{}", "y".repeat(255)));
    // Within the limit as sent, but not once the path has its slash.
    rows.push(format!("https://{}", "h".repeat(248)));
    let row = |sent: String| {
        let read = identifier::read(&sent);
        let is_normal = identifier::is_normal(&sent);
        assert_eq!(
            is_normal,
            read.as_ref().is_ok_and(|normal| normal.id == sent),
            "{sent}"
        );
        match read {
            Ok(normal) => json!({
                "sent": sent, "normal": normal.id, "class_lot": normal.class_lot, "variant": normal.variant,
                "check_digit": identifier::wrong_check_digit(&normal.id).is_none(),
            }),
            Err(error) => json!({
                "sent": sent, "normal": null, "refused": error.code(), "ai": error.ai(), "message": error.to_string(),
            }),
        }
    };
    json!({
        "description": "Identifiers of proto/README.md: as sent, in normal form, and the class lot and variant that a link names beside it; or the reason of the refusal and the AI at fault. `message` is for people and not part of the specification. `check_digit`: whether it is right, true where there is none.",
        "identifiers": rows.into_iter().map(row).collect::<Vec<_>>(),
    })
}

/// The table of units, for whoever adds amounts up as we do.
pub(crate) fn units() -> Value {
    let row = |unit: &quantity::units::Unit| {
        json!({
            "code": unit.code, "name": unit.name, "base": unit.dimension.base(), "factor": quantity::normal_decimal(unit.factor),
        })
    };
    json!({
        "description": "Units of UN/CEFACT Recommendation 20 whose amounts are compared: each is exactly `factor` of `base`, pieces having no code. Amounts in any other unit are compared with that unit alone.",
        "units": quantity::units::all().map(row).collect::<Vec<_>>(),
    })
}

pub(crate) fn decimals() -> Vec<Value> {
    let texts = [
        "0",
        "1",
        "797.5",
        "0.001",
        "1234567890123456789012345678",
        "0.123456789012345678901234567",
        "",
        ".5",
        "5.",
        "05",
        "5.0",
        "-1",
        "+1",
        "1e3",
        "1,5",
        "00",
        "0.0",
        "1.2.3",
        "\u{663}",
        "12345678901234567890123456789",
        "1.2345678901234567890123456789",
    ];
    texts
        .iter()
        .map(|text| json!({ "text": text, "normal": quantity::is_normal_decimal(text) }))
        .collect()
}
