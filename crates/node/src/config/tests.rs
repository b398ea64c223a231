//! What a configuration may say, and how it is told when it may not.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use super::*;

const GOOD: &str = r#"
member = "alder-1"
organisation = "alder"
charter = "charter.toml"
[network]
listen = ["/ip4/127.0.0.1/tcp/9001"]
[network.peers]
birch-1 = ["/ip4/127.0.0.1/tcp/9002"]
[keys]
password_file = "password"
[[chain]]
id = 31337
agree = 1
[[chain.endpoint]]
name = "op-alder"
operator = "op-alder"
http = "http://127.0.0.1:8551"
ws = "ws://127.0.0.1:8551"
requests_per_second = 200
"#;

fn parse(text: &str) -> Result<Config, ConfigError> {
    let path = Path::new("/node/config.toml");
    let faults = |faults| ConfigError::Faults { path: path.to_owned(), faults };
    read::document(path, text).config.map_err(faults)
}

/// An endpoint that says no budget has a hosted one's, unless it is on this machine.
#[test]
fn a_node_of_ones_own_has_another_budget() {
    for (host, budget) in [
        ("127.0.0.1", 2_000),
        ("127.1.2.3", 2_000),
        ("localhost", 2_000),
        ("[::1]", 2_000),
        ("10.0.0.1", 25),
        ("localhost.example", 25),
        ("127.0.0.1.example", 25),
    ] {
        let unsaid = GOOD
            .replace("requests_per_second = 200\n", "")
            .replace("http://127.0.0.1:8551", &format!("http://{host}:8551"));
        assert_eq!(
            parse(&unsaid).unwrap().chains[&ChainId::new(31337)].endpoint[0].requests_per_second,
            budget,
            "{host}"
        );
    }
}

/// Every field arrives, paths against the file's directory.
#[test]
fn reads_a_whole_file() {
    let config = parse(GOOD).unwrap();
    assert_eq!(config.charter, Path::new("/node/charter.toml"));
    assert_eq!(config.password, PasswordSource::File("/node/password".into()));
    assert_eq!(config.chains[&ChainId::new(31337)].endpoint[0].requests_per_second, 200);
    assert_eq!(config.peers.len(), 1);
}

/// Each mistake is named with its key.
#[test]
fn names_each_mistake() {
    let cases = [
        ("member = \"alder-1\"", "member = \"Alder 1\"", "line 2"),
        ("agree = 1", "agree = 2", "agree = 2"),
        ("agree = 1", "agree = 0", "agree = 0"),
        ("agree = 1", "agre = 1", "agre"),
        ("agree = 1", "agree = 1\npatience = 0", "patience: 0 is not within 1 to 100"),
        ("http = \"http", "http = \"ftp", "http must be"),
        ("ws = \"ws", "ws = \"http", "ws must be"),
        ("= 200", "= 0", "requests_per_second: 0 is not within"),
        ("/ip4/127.0.0.1/tcp/9002", "/foo/bar", "no multiaddress"),
        ("/ip4/127.0.0.1/tcp/9001", "/ip4/127.0.0.1/tcp/99999", "no multiaddress"),
        ("/ip4/127.0.0.1/tcp/9002", "127.0.0.1:9002", "no multiaddress"),
        ("/ip4/127.0.0.1/tcp/9002", "/ip4/0.0.0.0/tcp/9002", "network.peers"),
        ("/ip4/127.0.0.1/tcp/9002", "/ip4/127.0.0.1/tcp/0", "port 0"),
        ("/ip4/127.0.0.1/tcp/9001", "/dns4/node.example.org/tcp/9001", "network.listen"),
        ("= 200", "= 200\nsubmit_only = true", "the endpoints have 0"),
        ("= 200", "= 200\nevidence_only = true", "the endpoints have 0"),
        ("password_file = \"password\"", "password_file = \"p\"\npassword_env = \"P\"", "only one of"),
        ("[network]", "[network", "line 5"),
        ("[keys]", "[silence]\nassets = [\"vault\"]\n[keys]", "how long it may be silent"),
        ("[keys]", "[silence]\nassets = []\nhead_s = 60\n[keys]", "no asset is named"),
        ("[keys]", "[silence]\nassets = [\"vault\"]\nmember_s = 1\n[keys]", "silence.member_s: 1 is not within"),
    ];
    for (from, to, expected) in cases {
        let error = parse(&GOOD.replacen(from, to, 1)).unwrap_err().to_string();
        assert!(error.contains(expected) && error.contains("config.toml"), "{to}: {error}");
    }
}

/// All faults of content are told at once.
#[test]
fn tells_all_faults_at_once() {
    let text = GOOD.replace("agree = 1", "agree = \"one\"").replace("= 200", "= 0").replace("member", "meber");
    let text = text.replace("/ip4/127.0.0.1/tcp/9001", "/foo/bar").replace("birch-1", "Birch") + "[kesy]\n";
    let Err(ConfigError::Faults { faults, .. }) = parse(&text) else { panic!("accepted") };
    let told: Vec<_> = faults.iter().map(|fault| (fault.line, fault.key.as_str(), fault.kind)).collect();
    let expected = [
        (1, "member", "missing"),
        (2, "meber", "unknown-key"),
        (6, "network.listen[0]", "bad-address"),
        (8, "network.peers.Birch", "malformed"),
        (13, "chain[0].agree", "wrong-type"),
        (19, "chain[0].endpoint[0].requests_per_second", "out-of-bounds"),
        (20, "kesy", "unknown-key"),
    ];
    assert_eq!(told, expected);
    assert!(faults.iter().all(|fault| !fault.remedy.is_empty()));
}

/// What is sound of a faulty file is had all the same: the charter and the password's source.
#[test]
fn a_faulty_file_still_names_charter_and_password() {
    let reading = read::document(Path::new("/node/config.toml"), &GOOD.replace("agree = 1", "agree = 9"));
    assert!(reading.config.is_err());
    assert_eq!(reading.charter.as_deref(), Some(Path::new("/node/charter.toml")));
    assert_eq!(reading.password, Some(PasswordSource::File("/node/password".into())));
    let nothing = read::document(Path::new("config.toml"), "= 1");
    assert!(nothing.config.is_err() && nothing.charter.is_none() && nothing.password.is_none());
}

const LOOKOUTS: &str = r#"
[[lookout.prometheus]]
name = "solvency"
asset = "vault-core"
url = "https://prometheus.alder.example/base"
query = "assets / debt"
compare = "<"
bound = "1.02"
for_s = 60
[[lookout.safe_queue]]
name = "treasury"
asset = "vault-core"
service = "https://safe.alder.example/tx-service/eth"
safe = "0x1000000000000000000000000000000000000001"
version = "1.4.1"
owners = ["0x2000000000000000000000000000000000000002"]
every_s = 30
token_file = "token"
[[lookout.front_end]]
name = "app"
asset = "vault-core"
page = "https://app.alder.example/"
releases = ["release.txt"]
keys = ["PUBLIC"]
proxy = "http://127.0.0.1:3128"
[[lookout.registration]]
name = "domain"
asset = "vault-core"
service = "https://rdap.nic.example/v1"
domain = "Alder.example."
name_servers = ["ns1.dns.example", "NS2.dns.example."]
registrar = "292"
status = ["Client Transfer Prohibited"]
[[lookout.certificates]]
name = "issued"
asset = "vault-core"
service = "https://ct.alder.example"
domain = "app.alder.example"
issuers = ["our-ca.example"]
"#;

fn with_lookouts(text: &str) -> String {
    let key = ed25519_dalek::SigningKey::from_bytes(&[1; 32]);
    let public = crate::release::ReleaseKey::of("app.alder.example", &key).unwrap().to_string();
    GOOD.to_owned() + &text.replace("PUBLIC", &public)
}

/// What is looked at arrives with what is usual where nothing is said.
#[test]
fn reads_what_is_looked_at() {
    use super::lookout::Asks;
    let config = parse(&with_lookouts(LOOKOUTS)).unwrap();
    let all: Vec<_> = config.lookouts.values().map(|one| (one.every_s, one.asks.name())).collect();
    assert_eq!(
        all,
        [(300, "front-end"), (900, "registration"), (900, "certificates"), (30, "prometheus"), (30, "safe-queue")]
    );
    let Asks::Registration(domain) = &config.lookouts[&"domain".parse().unwrap()].asks else { panic!("a domain") };
    assert_eq!(
        (domain.domain.as_str(), domain.status.first().unwrap().as_str()),
        ("alder.example", "client transfer prohibited")
    );
    assert_eq!(domain.name_servers, ["ns1.dns.example", "ns2.dns.example"].map(str::to_owned).into());
    let Asks::SafeQueue(queue) = &config.lookouts[&"treasury".parse().unwrap()].asks else { panic!("a queue") };
    assert_eq!(queue.token_file.as_deref(), Some(Path::new("/node/token")));
    let Asks::FrontEnd(app) = &config.lookouts[&"app".parse().unwrap()].asks else { panic!("a front end") };
    assert_eq!(app.releases, [Path::new("/node/release.txt")]);
}

/// Each mistake about what is looked at is named with its key.
#[test]
fn names_each_mistake_about_lookouts() {
    for (right, wrong, expected) in [
        ("name = \"app\"", "name = \"treasury\"", "treasury is named twice"),
        ("name = \"app\"", "name = \"person\"", "or this node itself, report under"),
        ("compare = \"<\"", "compare = \"~\"", "is no comparison"),
        ("bound = \"1.02\"", "bound = \"NaN\"", "no decimal number"),
        ("bound = \"1.02\"", "bound = 1.02", "expected a string"),
        ("for_s = 60", "for_s = 604801", "not within 0 to 604800"),
        ("every_s = 30", "every_s = 4", "not within 5 to 86400"),
        ("https://prometheus", "https://user:word@prometheus", "holds more than an address"),
        ("/base\"", "/base?a=b\"", "holds more than an address"),
        ("https://prometheus", "ftp://prometheus", "must be"),
        ("0x1000000000000000000000000000000000000001", "0x01", "is no address"),
        ("[\"0x2000000000000000000000000000000000000002\"]", "[]", "no owner is named"),
        ("version = \"1.4.1\"", "version = \"0.1\"", "MAJOR.MINOR.PATCH"),
        ("keys = [\"PUBLIC\"]", "keys = [\"app+00+AQ==\"]", "no NAME+ID+KEY"),
        ("keys = [\"PUBLIC\"]", "keys = []", "keys is empty"),
        ("releases = [\"release.txt\"]", "", "`releases` is missing"),
        ("proxy =", "proxies =", "proxies"),
        ("\"Alder.example.\"", "\"https://alder.example\"", "is no domain name"),
        ("\"Alder.example.\"", "\"alder\"", "is no domain name"),
        ("\"Alder.example.\"", "\"-alder.example\"", "is no domain name"),
        ("\"Alder.example.\"", "\"ålder.example\"", "is no domain name"),
        ("[\"ns1.dns.example\", \"NS2.dns.example.\"]", "[]", "name_servers is empty"),
        ("registrar = \"292\"", "registrar = 292", "expected a string"),
        ("[\"our-ca.example\"]", "[\"Our CA\"]", "is no domain name"),
    ] {
        assert!(LOOKOUTS.contains(right), "{right}");
        let error = parse(&with_lookouts(&LOOKOUTS.replace(right, wrong))).unwrap_err().to_string();
        assert!(error.contains(expected), "{wrong}: {error}");
    }
}
