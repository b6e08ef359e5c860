//! Every way in which a server lets its users in, against a real one: each opens, and nothing else does.

use std::{
    fs,
    net::TcpListener,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use lotproof::shell::nats::{
    Bus, BusAccess, BusOptions, BusUrl, ConnectError, Credentials, PrivateServer, Secret, ServerOptions,
    find_server,
};
use nkeys::KeyPair;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair as TlsKey};
use serde_json::json;
use tempfile::TempDir;
use tokio::process::{Child, Command};

use crate::{
    fixture::{soon, until},
    ledger::{MAKER, World, commission},
};

/// A server with a configuration of the test's; gone when dropped.
struct Server {
    port: u16,
    folder: TempDir,
    _process: Child,
}

impl Server {
    /// Starts one whose configuration goes on with `rest`, which may speak of files in the folder.
    async fn start(rest: impl FnOnce(&Path) -> String) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let port = TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        let rest = rest(folder.path());
        // With accounts of an operator, JetStream wants a system account.
        let jetstream = if rest.contains("operator:") {
            String::new()
        } else {
            format!(
                "jetstream {{ store_dir: \"{}\" }}",
                folder.path().join("js").display()
            )
        };
        let config = format!("listen: \"127.0.0.1:{port}\"\n{jetstream}\n{rest}\n");
        let path = folder.path().join("nats.conf");
        fs::write(&path, config).unwrap();
        let mut command = Command::new(find_server().expect("a nats-server"));
        command.arg("--config").arg(&path).stdin(Stdio::null());
        command.stdout(Stdio::null()).stderr(Stdio::null());
        let process = command.kill_on_drop(true).spawn().expect("it starts");
        until("the server's port", async || {
            tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_ok()
        })
        .await;
        Self {
            port,
            folder,
            _process: process,
        }
    }

    fn url(&self, userinfo: &str) -> String {
        format!("nats://{userinfo}127.0.0.1:{}", self.port)
    }

    fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.folder.path().join(name);
        fs::write(&path, text).unwrap();
        path
    }
}

async fn connect(url: impl Into<BusUrl>, access: &BusAccess) -> Result<Bus, ConnectError> {
    let mut options = BusOptions::new(url, "live test").with_access(access);
    options.connect_timeout = Duration::from_secs(10);
    soon("an answer of the server", Bus::connect(&options)).await
}

async fn lets_in(url: impl Into<BusUrl>, access: &BusAccess) {
    let bus = connect(url, access)
        .await
        .unwrap_or_else(|error| panic!("{:?}", error.source));
    soon("a round trip", bus.client().flush()).await.unwrap();
}

/// Turned away, and told so without the secret.
async fn keeps_out(url: impl Into<BusUrl>, access: &BusAccess) {
    let error = connect(url, access).await.expect_err("turned away");
    let told = format!("{error} {error:?}");
    assert!(!told.contains("s3cret") && !told.contains("SU"), "{told}");
}

fn by(credentials: Credentials) -> BusAccess {
    BusAccess {
        credentials,
        ..BusAccess::default()
    }
}

fn password(text: &str) -> BusAccess {
    let (user, password) = ("maker".to_owned(), Secret::new(text));
    by(Credentials::Password { user, password })
}

#[tokio::test]
async fn user_and_password_let_in_beside_the_address_and_in_it() {
    let server = Server::start(|_| "authorization { user: maker, password: \"s3cret@:\" }".into()).await;
    let none = BusAccess::default();
    lets_in(server.url(""), &password("s3cret@:")).await;
    lets_in(server.url("maker:s3cret%40%3A@"), &none).await;
    keeps_out(server.url(""), &none).await;
    keeps_out(server.url(""), &password("s3cret")).await;
    keeps_out(server.url("maker:s3cret@"), &none).await;
    // Given twice: refused before anybody is asked.
    let error = connect(server.url("maker:s3cret%40%3A@"), &password("s3cret@:"))
        .await
        .unwrap_err();
    assert!(!error.is_retryable(), "{error:?}");
}

#[tokio::test]
async fn a_token_in_the_address_lets_in() {
    let server = Server::start(|_| "authorization { token: \"s3cret\" }".into()).await;
    lets_in(server.url("s3cret@"), &BusAccess::default()).await;
    keeps_out(server.url("other@"), &BusAccess::default()).await;
    keeps_out(server.url(""), &BusAccess::default()).await;
}

#[tokio::test]
async fn an_nkey_lets_in_and_another_does_not() {
    let user = KeyPair::new_user();
    let rest = format!("authorization {{ users: [ {{ nkey: {} }} ] }}", user.public_key());
    let server = Server::start(|_| rest).await;
    let seed = server.file("maker.nk", &user.seed().unwrap());
    lets_in(server.url(""), &BusAccess::by_nkey(seed)).await;
    let other = server.file("other.nk", &KeyPair::new_user().seed().unwrap());
    keeps_out(server.url(""), &BusAccess::by_nkey(other)).await;
    keeps_out(server.url(""), &BusAccess::default()).await;
}

/// A JWT as NATS has them: claims that a key of its issuer signed.
fn jwt(issuer: &KeyPair, subject: &KeyPair, nats: &serde_json::Value) -> String {
    let part = |json: serde_json::Value| BASE64_URL_SAFE_NO_PAD.encode(json.to_string());
    let head = part(json!({"typ": "JWT", "alg": "ed25519-nkey"}));
    let claims = part(json!({
        "jti": "live-test", "iat": 1_700_000_000, "iss": issuer.public_key(), "sub": subject.public_key(),
        "name": "live test", "nats": nats
    }));
    let signature = issuer.sign(format!("{head}.{claims}").as_bytes()).unwrap();
    format!("{head}.{claims}.{}", BASE64_URL_SAFE_NO_PAD.encode(signature))
}

fn creds(account: &KeyPair, user: &KeyPair) -> String {
    let limits =
        json!({"type": "user", "version": 2, "subs": -1, "data": -1, "payload": -1, "pub": {}, "sub": {}});
    format!(
        "-----BEGIN NATS USER JWT-----\n{}\n------END NATS USER JWT------\n\n\
         -----BEGIN USER NKEY SEED-----\n{}\n------END USER NKEY SEED------\n",
        jwt(account, user, &limits),
        user.seed().unwrap()
    )
}

#[tokio::test]
async fn a_credentials_file_lets_in_and_one_of_another_account_does_not() {
    let (operator, account) = (KeyPair::new_operator(), KeyPair::new_account());
    let of_operator = jwt(&operator, &operator, &json!({"type": "operator", "version": 2}));
    let limits = json!({"subs": -1, "conn": -1, "leaf": -1, "imports": -1, "exports": -1, "data": -1, "payload": -1,
        "wildcards": true, "mem_storage": -1, "disk_storage": -1, "streams": -1, "consumer": -1});
    let of_account = jwt(
        &operator,
        &account,
        &json!({"type": "account", "version": 2, "limits": limits}),
    );
    let rest = format!(
        "operator: {of_operator}\nresolver: MEMORY\nresolver_preload: {{ {}: {of_account} }}",
        account.public_key()
    );
    let server = Server::start(|_| rest).await;
    let good = server.file("maker.creds", &creds(&account, &KeyPair::new_user()));
    lets_in(server.url(""), &by(Credentials::Creds(good))).await;
    let forged = server.file(
        "forged.creds",
        &creds(&KeyPair::new_account(), &KeyPair::new_user()),
    );
    keeps_out(server.url(""), &by(Credentials::Creds(forged))).await;
    keeps_out(server.url(""), &BusAccess::default()).await;
}

/// Certificates of one authority: for the server and for a client.
struct Certificates {
    ca: String,
    server: (String, String),
    client: (String, String),
}

fn certificates() -> Certificates {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let ca = CertifiedIssuer::self_signed(params, TlsKey::generate().unwrap()).unwrap();
    let issue = |names: &[&str]| {
        let key = TlsKey::generate().unwrap();
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let certificate = CertificateParams::new(names)
            .unwrap()
            .signed_by(&key, &ca)
            .unwrap();
        (certificate.pem(), key.serialize_pem())
    };
    Certificates {
        ca: ca.pem(),
        server: issue(&["127.0.0.1", "localhost"]),
        client: issue(&["maker"]),
    }
}

#[tokio::test]
async fn tls_with_a_ca_and_a_client_certificate_lets_in() {
    let (ours, strangers) = (certificates(), certificates());
    let server = Server::start(|folder| {
        for (name, text) in [("ca.pem", &ours.ca), ("cert.pem", &ours.server.0), ("key.pem", &ours.server.1)] {
            fs::write(folder.join(name), text).unwrap();
        }
        let folder = folder.display();
        format!(
            "tls {{ cert_file: \"{folder}/cert.pem\", key_file: \"{folder}/key.pem\", ca_file: \"{folder}/ca.pem\", \
             verify: true }}"
        )
    })
    .await;
    let access = |ca: &str, client: Option<&(String, String)>| BusAccess {
        ca: Some(server.file("their-ca.pem", ca)),
        client_certificate: client.map(|(certificate, key)| {
            (
                server.file("client.pem", certificate),
                server.file("client.key", key),
            )
        }),
        ..BusAccess::default()
    };
    lets_in(server.url(""), &access(&ours.ca, Some(&ours.client))).await;
    keeps_out(server.url(""), &access(&ours.ca, None)).await;
    keeps_out(server.url(""), &access(&ours.ca, Some(&strangers.client))).await;
    keeps_out(server.url(""), &access(&strangers.ca, Some(&ours.client))).await;
    keeps_out(server.url(""), &BusAccess::default()).await;
}

#[tokio::test]
async fn of_several_servers_one_that_is_there_will_do() {
    let server = Server::start(|_| "authorization { user: maker, password: s3cret }".into()).await;
    let gone = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let both = format!("nats://{gone},{}", server.url(""));
    lets_in(both.as_str(), &password("s3cret")).await;
    let both = format!("nats://maker:s3cret@{gone},{}", server.url("maker:s3cret@"));
    lets_in(both.as_str(), &BusAccess::default()).await;
}

#[tokio::test]
async fn a_private_server_lets_in_by_the_key_that_it_made_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("nats");
    let options = ServerOptions {
        own_credentials: true,
        ..ServerOptions::new(&path)
    };
    let mut server = PrivateServer::start(options.clone()).await.expect("a server");
    lets_in(server.url(), &server.access()).await;
    keeps_out(server.url(), &BusAccess::default()).await;
    let key = path.join("client.nk");
    assert_eq!(fs::metadata(&key).unwrap().permissions().mode() & 0o777, 0o600);
    let seed = fs::read_to_string(&key).unwrap();
    for told in ["nats.conf", "nats-server.log"] {
        assert!(
            !fs::read_to_string(path.join(told)).unwrap().contains(seed.trim()),
            "{told}"
        );
    }
    server.stop().await;
    drop(server);
    let server = PrivateServer::start(options).await.expect("a server again");
    lets_in(server.url(), &BusAccess::by_nkey(&key)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ledger_signs_in_and_publishes_what_it_receipts() {
    let server = Server::start(|_| "authorization { user: maker, password: s3cret }".into()).await;
    let mut world = World::new().await;
    world.own.bus = connect(server.url(""), &password("s3cret")).await.unwrap();
    let url = server.url("");
    let ledger = world
        .start_with(|config| {
            config.nats_url = url.into();
            config.bus_access = password("s3cret");
        })
        .await;
    world.enrol_on(&world.own.bus).await;
    let mut maker = world.publisher_on(world.own.bus.clone(), MAKER, 1).await;
    let sequence = maker.publish(&[commission("A1")]).await;
    maker.receipt(sequence).await;
    ledger.stop().await;
}
