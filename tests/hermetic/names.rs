//! Identifiers and decimals: what was sent, and its normal form.

use lotproof::{identifier, quantity};
use serde_json::{Value, json};

pub(crate) fn identifiers() -> Vec<Value> {
    let sent = [
        "https://id.gs1.org/01/09521231100013/10/CAM-2602-A",
        "https://Example.com/shop/01/9521231100013/10/A1?x=1",
        "HTTP://id.gs1.org/414/9521230010016",
        "https://id.gs1.org/01/09521231100013/21/S1/10/A1",
        "https://id.gs1.org/01/09521231100013/10/A1/21/S1",
        "https://id.gs1.org/01/09521231100013/",
        "https://id.gs1.org/01/09521231100013/10/ABCDEFGHIJKLMNOPQRSTU",
        "https://a.example/01/09521231100013/10/ABCDEFGHIJKLMNOPQRSTU",
        "https://a.example/01/09521231100013/10/ABCDEFGHIJKLMNOPQR%C3%A9",
        "https://id.gs1.org/01/95212311/22/2A",
        "https://a.example/8004/95212310001",
        "https://a.example/8004/PALLET-7",
        "https://a.example/00/09521230000000001",
        "https://a.example/253/9521230100106DA0001#top",
        "https://a.example/253/9521230100106ABCDEFGHIJKLMNOPQ",
        "https://a.example/253/9521230100106ABCDEFGHIJKLMNOPQR",
        "https://id.gs1.org/8010/9521230A%2F7/8011/1",
        "https://id.gs1.org/8018/095212300000000017/8019/3",
        "urn:epc:class:lgtin:952123.0110001.A%2fb",
        "urn:epc:id:sgtin:9521231.100001.P%30001",
        "urn:epc:idpat:sgtin:9521231.100001.*",
        "urn:epc:idpat:sgtin:9521231.100001.1",
        "urn:epc:id:sscc:9521230.0000000001",
        "urn:epc:id:sscc:952.1",
        "urn:epc:id:sgln:9521230.01001.0",
        "urn:epc:id:sgln:9521230.01001",
        "urn:epc:id:sgln:9521230.01001.dock-7",
        "urn:epc:id:pgln:9521230.10010",
        "urn:epc:id:gdti:9521230.10010.DA0001",
        "urn:epc:id:grai:9521230.10010.7",
        "urn:epc:id:gsin:9521230.000000001",
        "urn:epc:id:giai:9521230.A1.b.c",
        "urn:epc:id:ginc:9521230.X",
        "urn:epc:id:cpi:9521230.PN.1",
        "urn:epc:id:usdod:CAGEY.5678",
        "urn:EPC:id:sgtin:9521231.10001.1",
        "urn:epc:raw:1",
        "urn:epc:raw:x:123456",
        "urn:epc:raw:x:123456.",
        "urn:epc:ID:sgtin:9521231.10001.1",
        "urn:epc:id:sgln:952123010010..0",
        "urn:epc:id:giai:9521230..x",
        "urn:epc:id:sgtin:9521231..1",
        "urn:epc:id:sscc:9521230.1.x",
        "urn:epc:id:sgtin:9521231.100001.a?b",
        "http://plants.example::80/",
        "ftp://u@Host.Example:21/",
        "urn:UUID:0B5E7A10-0000-4000-8000-000000000001",
        "URN:Isbn:0-X",
        "urn:x",
        "urn::x",
        "https://Plants.Example.COM:443",
        "http://plants.example:80/a",
        "http://plants.example:443/a",
        "https://plants.example:/a",
        "https://plants.example?q",
        "https://a.example/x/../y/./z%7e%c3",
        "https://a.example/../..",
        "https://a.example/a/.",
        "https://a.example/a/b/..",
        "https://a.example//x//",
        "https://a.example/a?b=../c#d",
        "did:web:maker.example",
        "BPNL:x",
        "FTP://Host.Example/a/../b?Q",
        "ftp://Host.Example",
        "ftp://",
        "file:///a/./b",
        "",
        "lot 7",
        "CAM-7",
        "a b:c",
        "https://",
        "https:///x",
        "https:x",
        "http://u@h/",
        "x:",
        "x:%zz",
        "x:%7",
        "x:\u{e9}",
        "x:a<b",
        "1x:y",
        "x_y:z",
    ];
    let mut rows: Vec<String> = sent.iter().map(|sent| (*sent).to_owned()).collect();
    rows.push(format!("x:{}", "y".repeat(254)));
    rows.push(format!("x:{}", "y".repeat(255)));
    // Within the limit as sent, but not once the path has its slash.
    rows.push(format!("https://{}", "h".repeat(248)));
    let row = |sent: String| {
        let normal = identifier::normalise(&sent).ok();
        let is_normal = identifier::is_normal(&sent);
        assert_eq!(is_normal, normal.as_ref() == Some(&sent), "{sent}");
        json!({ "sent": sent, "normal": normal })
    };
    rows.into_iter().map(row).collect()
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
