//! A front end over real HTTP and TLS: what is released, what is not, and who answers.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::time::Duration;

use ed25519_dalek::SigningKey;

use super::*;
use crate::lookout::fixture::{Reply, Server};
use crate::lookout::http::builder;
use crate::release::ReleaseKey;

const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_000);
const PAGE: &str = "<script src=a/b.js></script>";
const WAIT: Duration = Duration::from_secs(3);

/// Signed releases on a disk, and what is configured about them.
struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    /// Signs a release of these files.
    fn release(&self, name: &str, files: &[(&str, &str)]) {
        let files = files.iter().map(|(path, text)| {
            let hash = B256::from(<[u8; 32]>::from(Sha256::digest(text)));
            ((*path).to_owned(), hash)
        });
        let release = Release { name: name.to_owned(), files: files.collect() };
        let note = release.sign("app", &SigningKey::from_bytes(&[1; 32])).unwrap();
        std::fs::write(self.0.path().join(name), note).unwrap();
    }

    fn eye(&self, page: Url, http: Http) -> FrontEnd {
        let section = FrontEndSection {
            page,
            releases: ["one", "two"].map(|name| self.0.path().join(name)).into(),
            keys: vec![ReleaseKey::of("app", &SigningKey::from_bytes(&[1; 32])).unwrap()],
            issuers: ["Our CA".to_owned()].into(),
            proxy: None,
        };
        FrontEnd::new(&section, http)
    }
}

/// The files of one release or of the other are quiet; a mixture is not, and stands under one name until something else is served.
#[tokio::test]
async fn what_is_served_is_one_release_whole() {
    let (place, server) = (Place::new(), Server::start().await);
    place.release("one", &[("index.html", PAGE), ("a/b.js", "one")]);
    place.release("two", &[("index.html", PAGE), ("a/b.js", "two"), ("a c?.js", "more")]);
    let mut eye = place.eye(server.url.join("/app/").unwrap(), Http::new(None, WAIT).unwrap());
    server.text("/app/", PAGE);
    server.text("/app/a/b.js", "one");
    server.text("/app/a%20c%3F.js", "more");
    assert!(eye.look(NOW).await.unwrap().is_empty());
    server.text("/app/a/b.js", "two");
    assert!(eye.look(NOW).await.unwrap().is_empty());

    server.text("/app/a/b.js", "drain()");
    let standing = eye.look(NOW).await.unwrap();
    let [one] = &standing[..] else { panic!("{standing:?}") };
    let hash = |text: &str| hex::encode(Sha256::digest(text));
    let expected = format!(
        "{}app/ is not release \"one\": a/b.js has SHA-256 {} and not {}; 1 of 2 files differ",
        server.url,
        hash("drain()"),
        hash("one")
    );
    assert_eq!(one.summary, expected);
    assert_eq!((one.figures["found"].as_str(), one.figures["file"].as_str()), (hash("drain()").as_str(), "a/b.js"));
    let later = NOW.plus_millis(300_000);
    assert_eq!(eye.look(later).await.unwrap(), standing, "the same while it is served");
    server.text("/app/a/b.js", "one");
    assert!(eye.look(later).await.unwrap().is_empty());
    server.text("/app/a/b.js", "drain()");
    let again = eye.look(later).await.unwrap();
    assert!(again.len() == 1 && again[0].id != one.id, "it began again: {again:?}");
    server.text("/app/", "<script>other()</script>");
    let page = eye.look(later).await.unwrap();
    assert!(page[0].figures["file"] == "index.html" || page[0].figures["differ"] == "2", "{page:?}");

    // What is released becomes right without a restart.
    place.release("two", &[("index.html", "<script>other()</script>"), ("a/b.js", "drain()")]);
    assert!(eye.look(later).await.unwrap().is_empty());
}

/// What cannot be fetched hides no difference, and is else no answer; so is a release that is none.
#[tokio::test]
async fn what_is_not_seen_is_told() {
    let (place, server) = (Place::new(), Server::start().await);
    let mut eye = place.eye(server.url.clone(), Http::new(None, WAIT).unwrap());
    let fault = eye.look(NOW).await.unwrap_err().to_string();
    assert!(fault.contains("no release is there") && fault.contains("one") && fault.contains("two"), "{fault}");
    std::fs::write(place.0.path().join("one"), "watchfire release 1\n").unwrap();
    assert!(eye.look(NOW).await.unwrap_err().to_string().contains("signed note"));

    place.release("one", &[("index.html", PAGE), ("b.js", "one"), ("c.js", "c")]);
    server.text("/", PAGE);
    server.text("/c.js", "c");
    assert_eq!(eye.look(NOW).await, Err(LookFault::Status(404)));
    for (reply, expected) in [
        (Reply::Stuck, "in time"),
        (Reply::Broken, "cannot be reached"),
        (Reply::Whole(302, Vec::new()), "HTTP status 302"),
    ] {
        server.text("/", PAGE);
        server.set("/b.js", reply);
        let fault = eye.look(NOW).await.unwrap_err().to_string();
        assert!(fault.contains(expected), "{fault}");
        server.text("/", "another page");
        let standing = eye.look(NOW).await.unwrap();
        assert!(standing.len() == 1 && standing[0].figures["file"] == "index.html", "{standing:?}");
    }
}

/// An authority of a test's own, and a server with a certificate by it.
async fn secure(organisation: &str) -> (Url, rcgen::Certificate) {
    use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, KeyPair};
    let authority_key = KeyPair::generate().unwrap();
    let mut authority = CertificateParams::default();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    authority.distinguished_name.push(DnType::OrganizationName, organisation);
    let authority = authority.self_signed(&authority_key).unwrap();
    let key = KeyPair::generate().unwrap();
    let leaf = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    let leaf = leaf.signed_by(&key, &authority, &authority_key).unwrap();
    let provider = std::sync::Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let key = rustls::pki_types::PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let config = config.with_no_client_auth().with_single_cert(vec![leaf.der().clone()], key).unwrap();
    let acceptor = tokio_rustls::TlsAcceptor::from(std::sync::Arc::new(config));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            // A client that refuses the certificate hangs up.
            let Ok(mut stream) = acceptor.accept(stream).await else { continue };
            use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
            let _ = stream.read(&mut [0; 4096]).await;
            let answer =
                format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{PAGE}", PAGE.len());
            let _ = stream.write_all(answer.as_bytes()).await;
            let _ = stream.shutdown().await;
        }
    });
    (format!("https://localhost:{port}/").parse().unwrap(), authority)
}

/// A certificate by whom nobody named stands, and so does one that does not hold; both say who.
#[tokio::test]
async fn who_answers_is_held_against_the_issuers() {
    let place = Place::new();
    place.release("one", &[("index.html", PAGE)]);
    for (organisation, expected) in [("Our CA", None), ("Their CA", Some("issuer"))] {
        let (page, authority) = secure(organisation).await;
        let root = reqwest::Certificate::from_der(authority.der()).unwrap();
        let http = Http::of(builder(Duration::from_secs(10)).tls_certs_only([root])).unwrap();
        let standing = place.eye(page.clone(), http).look(NOW).await.unwrap();
        assert_eq!(standing.first().map(|one| one.figures["issuer"].as_str()), expected.map(|_| organisation));

        let stranger = Http::of(builder(Duration::from_secs(10))).unwrap();
        let mut eye = place.eye(page, stranger);
        let standing = eye.look(NOW).await.unwrap();
        let [one] = &standing[..] else { panic!("{standing:?}") };
        assert!(one.summary.contains("a certificate that does not hold"), "{}", one.summary);
        assert_eq!(eye.look(NOW).await.unwrap(), standing);
    }
}
