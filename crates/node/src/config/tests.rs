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
    Config::parse(Path::new("/node/config.toml"), text)
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
        ("agree = 1", "agree = 1\npatience = 0", "patience must be 1 to 100"),
        ("http = \"http", "http = \"ftp", "http must be"),
        ("ws = \"ws", "ws = \"http", "ws must be"),
        ("= 200", "= 0", "requests_per_second"),
        ("/ip4/127.0.0.1/tcp/9002", "/foo/bar", "no multiaddress"),
        ("/ip4/127.0.0.1/tcp/9001", "/ip4/127.0.0.1/tcp/99999", "no multiaddress"),
        ("/ip4/127.0.0.1/tcp/9002", "127.0.0.1:9002", "no multiaddress"),
        ("/ip4/127.0.0.1/tcp/9002", "/ip4/0.0.0.0/tcp/9002", "network.peers"),
        ("/ip4/127.0.0.1/tcp/9002", "/ip4/127.0.0.1/tcp/0", "port 0"),
        ("/ip4/127.0.0.1/tcp/9001", "/dns4/node.example.org/tcp/9001", "network.listen"),
        ("= 200", "= 200\nsubmit_only = true", "the endpoints have 0"),
        ("= 200", "= 200\nevidence_only = true", "the endpoints have 0"),
        ("password_file = \"password\"", "password_file = \"p\"\npassword_env = \"P\"", "only one"),
        ("[network]", "[network", "line 5"),
    ];
    for (from, to, expected) in cases {
        let error = parse(&GOOD.replacen(from, to, 1)).unwrap_err().to_string();
        assert!(error.contains(expected) && error.contains("config.toml"), "{to}: {error}");
    }
}

/// All faults of content are told at once.
#[test]
fn tells_all_faults_at_once() {
    let text = GOOD.replace("agree = 1", "agree = 9").replace("= 200", "= 0");
    let Err(ConfigError::Faults { faults, .. }) = parse(&text) else { panic!("accepted") };
    assert_eq!(faults.len(), 2, "{faults:?}");
}
