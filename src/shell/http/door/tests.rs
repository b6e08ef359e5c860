//! The rules over generated requests: each part of a request knows by how it was made whether it may be let in.

use axum::http::HeaderValue;
use proptest::{prelude::*, sample::select};

use super::*;

const LOCAL: &str = "127.0.0.1:8470";

fn rules() -> DoorRules {
    DoorRules {
        names: vec![
            "ledger.example".parse().unwrap(),
            "ten.example:8470".parse().unwrap(),
        ],
        linked_data: &["/v1/capture"],
        public: &["/checkpoint", "/tile/"],
    }
}

/// A `Host` and whether it is one of this server on [`LOCAL`].
fn hosts() -> impl Strategy<Value = (String, bool)> {
    let own = [
        "127.0.0.1:8470",
        "[::1]:8470",
        "localhost:8470",
        "LocalHost:8470",
        "ledger.example",
        "Ledger.Example:443",
        "ten.example:8470",
    ];
    let foreign = [
        "127.0.0.1",
        "127.0.0.1:8471",
        "127.0.0.2:8470",
        "[::1]",
        "[::2]:8470",
        "localhost",
        "localhost:80",
        "localhost.:8470",
        "localhost.evil.example:8470",
        "evil.example:8470",
        "ledger.example.evil.example",
        "xledger.example",
        "ten.example",
        "ten.example:8471",
        "10.0.0.1:8470",
        "0.0.0.0:8470",
        "[::ffff:127.0.0.1]:8470",
        "2130706433:8470",
        "0x7f.1:8470",
        "user@localhost:8470",
        "localhost:8470/",
        "localhost:+8470",
        "localhost:08470x",
        "localhost:8470:8470",
        "",
        ":8470",
    ];
    prop_oneof![
        select(own.to_vec()).prop_map(|host| (host.to_owned(), true)),
        select(foreign.to_vec()).prop_map(|host| (host.to_owned(), false)),
        "[a-z]{1,8}\\.(com|example|local)(:[1-9][0-9]{0,3})?".prop_map(|host| {
            let own = host.starts_with("ledger.example") || host == "ten.example:8470";
            (host, own)
        }),
    ]
}

/// An `Origin` for a host, and whether it is that of the host.
fn origins(host: &str) -> impl Strategy<Value = (Option<String>, bool)> + use<> {
    let own = format!("http://{}", host.to_lowercase());
    prop_oneof![
        Just((None, true)),
        Just((Some(own), true)),
        select(vec![
            "null",
            "http://evil.example",
            "https://evil.example:8470",
            "http://localhost:3000",
            "http://127.0.0.1",
            "file://",
            "chrome-extension://abcdef",
            "",
            "*",
        ])
        .prop_map(|origin| (Some(origin.to_owned()), false)),
    ]
}

fn sites() -> impl Strategy<Value = (Option<&'static str>, bool)> {
    select(vec![
        (None, true),
        (Some("same-origin"), true),
        (Some("none"), true),
        (Some("same-site"), false),
        (Some("cross-site"), false),
        (Some("Same-Origin"), false),
        (Some(""), false),
    ])
}

/// A media type, and whether it is taken where JSON is, and where linked data is.
fn media_types() -> impl Strategy<Value = (Option<&'static str>, bool, bool)> {
    select(vec![
        (Some("application/json"), true, true),
        (Some("Application/JSON; charset=UTF-8"), true, true),
        (Some("application/json;charset=\"utf-8\""), true, true),
        (Some("application/ld+json"), false, true),
        (Some("application/json; charset=utf-16"), false, false),
        (Some("text/plain"), false, false),
        (Some("text/plain; application/json"), false, false),
        (Some("application/x-www-form-urlencoded"), false, false),
        (
            Some("multipart/form-data; boundary=application/json"),
            false,
            false,
        ),
        (Some("application/jsonx"), false, false),
        (None, false, false),
    ])
}

fn put(headers: &mut HeaderMap, name: HeaderName, value: Option<&str>) {
    if let Some(value) = value {
        headers.append(name, HeaderValue::from_str(value).unwrap());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn a_request_is_let_in_if_and_only_if_each_part_may_be(
        ((host, host_is_own), (origin, origin_is_own)) in hosts().prop_flat_map(|(host, own)| {
            let origin = origins(&host);
            (Just((host, own)), origin)
        }),
        (site, site_is_own) in sites(),
        (media_type, is_json, is_linked_data) in media_types(),
        method in select(vec![
            Method::GET, Method::HEAD, Method::OPTIONS, Method::POST, Method::PUT, Method::PATCH, Method::DELETE,
        ]),
        path in select(vec!["/v1/events", "/v1/capture", "/checkpoint", "/tile/0/000", "/tiles", "/v1/checkpoint"]),
        len in select(vec![None, Some("0"), Some("17")]),
    ) {
        let mut headers = HeaderMap::new();
        put(&mut headers, header::HOST, Some(&host));
        put(&mut headers, header::ORIGIN, origin.as_deref());
        put(&mut headers, SEC_FETCH_SITE, site);
        put(&mut headers, header::CONTENT_TYPE, media_type);
        put(&mut headers, header::CONTENT_LENGTH, len);
        let outcome = rules().check(&method, &path.parse().unwrap(), &headers, LOCAL.parse().unwrap());
        let reads = [Method::GET, Method::HEAD, Method::OPTIONS].contains(&method);
        let is_public = reads && ["/checkpoint", "/tile/0/000"].contains(&path);
        let is_sender = [Method::POST, Method::PUT, Method::PATCH].contains(&method) || len == Some("17");
        let is_taken = !is_sender || is_json || (is_linked_data && path == "/v1/capture");
        let expected = if !host_is_own {
            Err("host_refused")
        } else if !(is_public || origin_is_own && site_is_own) {
            Err("origin_refused")
        } else if !is_taken {
            Err("unsupported_media_type")
        } else {
            Ok(())
        };
        prop_assert_eq!(outcome.map_err(|refusal| refusal.code), expected);
    }

    #[test]
    fn no_text_is_taken_for_this_server_unless_it_says_so(text in "\\PC{0,40}") {
        let local: SocketAddr = LOCAL.parse().unwrap();
        if let Ok(authority) = text.parse::<Authority>() {
            prop_assert_eq!(&authority.to_string().parse::<Authority>(), &Ok(authority.clone()));
            prop_assert!(!authority.is_address(local) || text.ends_with(":8470"));
        }
    }

    #[test]
    fn an_address_that_a_server_listens_on_is_its_host(v4 in any::<[u8; 4]>(), v6 in any::<[u8; 16]>(), port in 1..=u16::MAX) {
        for address in [IpAddr::from(v4), IpAddr::from(v6).to_canonical()] {
            let local = SocketAddr::from((address, port));
            let host: Authority = local.to_string().parse().unwrap();
            prop_assert!(host.is_address(local));
            prop_assert!(!host.is_address(SocketAddr::from((address, port ^ 1))));
        }
    }
}

fn judge(uri: &str, lines: &[(HeaderName, &str)]) -> Result<(), &'static str> {
    let mut headers = HeaderMap::new();
    for (name, value) in lines {
        put(&mut headers, name.clone(), Some(value));
    }
    let outcome = rules().check(
        &Method::GET,
        &uri.parse().unwrap(),
        &headers,
        LOCAL.parse().unwrap(),
    );
    outcome.map_err(|refusal| refusal.code)
}

#[test]
fn a_host_stands_there_once_and_agrees_with_the_request_line() {
    let host = |value| (header::HOST, value);
    assert_eq!(judge("/", &[host("localhost:8470")]), Ok(()));
    assert_eq!(judge("/", &[]), Err("host_refused"));
    assert_eq!(
        judge("/", &[host("localhost:8470"), host("localhost:8470")]),
        Err("host_refused")
    );
    let absolute = "http://localhost:8470/checkpoint";
    assert_eq!(judge(absolute, &[host("localhost:8470")]), Ok(()));
    assert_eq!(judge(absolute, &[host("127.0.0.1:8470")]), Err("host_refused"));
    assert_eq!(
        judge("http://evil.example/", &[host("localhost:8470")]),
        Err("host_refused")
    );
}

#[test]
fn behind_a_proxy_an_https_page_of_the_configured_name_is_no_stranger() {
    let host = (header::HOST, "ledger.example");
    assert_eq!(
        judge("/", &[host.clone(), (header::ORIGIN, "https://ledger.example")]),
        Ok(())
    );
    assert_eq!(
        judge("/", &[host, (header::ORIGIN, "https://ledger.example:8443")]),
        Err("origin_refused")
    );
}

#[test]
fn two_media_types_are_none() {
    let mut headers = HeaderMap::new();
    put(&mut headers, header::HOST, Some("localhost:8470"));
    put(&mut headers, header::CONTENT_TYPE, Some("application/json"));
    put(&mut headers, header::CONTENT_TYPE, Some("text/plain"));
    let local = LOCAL.parse().unwrap();
    let refusal = rules().check(&Method::POST, &"/v1/events".parse().unwrap(), &headers, local);
    assert_eq!(refusal.unwrap_err().code, "unsupported_media_type");
}
