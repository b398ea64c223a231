//! Reports over real HTTP to a running node, and what a person reports: what is taken stands in the log, what is not is refused by name.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::{Value, json};
use sha2::Sha256;
use watchfire_simulations::anvil::{Anvil, locate};
use watchfire_simulations::npm;

use crate::fixture::{Members, Running, json as last, private_file, stderr, watchfire};
use crate::port;

const KEY: [u8; 32] = [7; 32];
const MONITOR: &str = "a secret that a monitor signs with";

/// A chain, a node of alder's that follows it, and where it takes reports.
struct Intake {
    runtime: tokio::runtime::Runtime,
    anvil: Anvil,
    members: Members,
    port: u16,
}

/// A posted message, as it is changed from a sound one.
#[derive(Clone)]
struct Message {
    path: &'static str,
    headers: Vec<(&'static str, String)>,
    body: String,
}

fn now_ms() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    u64::try_from(since.as_millis()).unwrap()
}

fn mac(key: &[u8], text: &str) -> Vec<u8> {
    let mut mac = <Hmac<Sha256>>::new_from_slice(key).unwrap();
    mac.update(text.as_bytes());
    mac.finalize().into_bytes().to_vec()
}

/// Signed by Standard Webhooks, this long ago.
fn standard(id: &str, age_s: u64, body: &str) -> Message {
    let time = now_ms() / 1_000 - age_s;
    let signature = STANDARD.encode(mac(&KEY, &format!("{id}.{time}.{body}")));
    let headers = vec![
        ("webhook-id", id.to_owned()),
        ("webhook-timestamp", time.to_string()),
        ("webhook-signature", format!("v1,bm9uZQ== v1,{signature}")),
    ];
    Message { path: "/reports/front-end", headers, body: body.to_owned() }
}

/// As OpenZeppelin Monitor sends it.
fn monitor(title: &str) -> Message {
    let body = json!({ "title": title, "body": "5 ether\nfrom the vault" }).to_string();
    let time = now_ms().to_string();
    let signature = hex::encode(mac(MONITOR.as_bytes(), &format!("{body}{time}")));
    Message { path: "/reports/oz-monitor", headers: vec![("x-timestamp", time), ("x-signature", signature)], body }
}

impl Intake {
    fn new() -> Self {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let path = locate(&npm::aloud).unwrap();
        let anvil = runtime.block_on(Anvil::start(&path, 31337)).unwrap();
        let members = Members::new(anvil.url().as_str());
        let port = port::free().unwrap().port();
        let directory = members.directory("alder");
        private_file(&directory.join("front-end"), &format!("whsec_{}\n", STANDARD.encode(KEY)));
        private_file(&directory.join("oz-monitor"), MONITOR);
        let intake = format!(
            "\n[intake]\nlisten = \"127.0.0.1:{port}\"\n\
             [[intake.source]]\nname = \"front-end\"\nasset = \"vault-core\"\nsecret_file = \"front-end\"\n\
             [[intake.source]]\nname = \"oz-monitor\"\nasset = \"vault-core\"\nsecret_file = \"oz-monitor\"\n\
             mapping = \"openzeppelin-monitor\"\nsignature = \"openzeppelin-monitor\"\n"
        );
        append(&directory.join("config.toml"), &intake);
        Self { runtime, anvil, members, port }
    }

    /// The node, once it knows a block.
    fn node(&self) -> Running {
        let mut node = Running::start(&self.members, "alder");
        node.answers(&self.members, "alder");
        // Each question is a process of its own: the node reads its chain meanwhile.
        let head = (0..600).find(|_| self.status()["chains"][0]["head"].is_object());
        assert!(head.is_some(), "{}", self.status());
        node
    }

    fn status(&self) -> Value {
        self.answer(&["status"])
    }

    fn answer(&self, arguments: &[&str]) -> Value {
        let output = watchfire(&[arguments, &["--config", &self.members.config("alder"), "--json"]].concat());
        assert!(!output.stdout.is_empty(), "{}", stderr(&output));
        last(&output)
    }

    /// Status and answer of a request as it stands.
    fn send(&self, request: &[u8]) -> (u16, Value) {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        stream.write_all(request).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("{answer:?}"));
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        (status, serde_json::from_str(body).unwrap_or_default())
    }

    fn post(&self, Message { path, headers, body }: &Message) -> (u16, Value) {
        let lines: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        let length = body.len();
        self.send(
            format!("POST {path} HTTP/1.1\r\nhost: node\r\ncontent-length: {length}\r\n{lines}\r\n{body}").as_bytes(),
        )
    }

    #[track_caller]
    fn refused(&self, message: &Message, status: u16, code: &str) -> Value {
        let (found, answer) = self.post(message);
        assert_eq!((found, &answer["code"]), (status, &Value::from(code)), "{answer}");
        assert!(answer["error"].as_str().unwrap().contains("; "), "says what to do: {answer}");
        answer
    }

    /// Findings that the log itself holds, without the node.
    fn logged(&self) -> Vec<Value> {
        let output =
            watchfire(&["log", "query", "--kind", "finding", "--config", &self.members.config("alder"), "--json"]);
        assert!(output.status.success(), "{}", stderr(&output));
        last(&output)["events"].as_array().unwrap().clone()
    }
}

fn append(file: &Path, text: &str) {
    let all = std::fs::read_to_string(file).unwrap() + text;
    private_file(file, &all);
}

/// What is signed is in the log before it is answered, with its source, and is said once, over a restart too.
#[test]
fn a_signed_report_is_a_finding_in_the_log() {
    let intake = Intake::new();
    let node = intake.node();
    let first = standard("msg-1", 0, r#"{"summary": "the front end is another"}"#);
    let (status, answer) = intake.post(&first);
    assert_eq!(status, 200, "{answer}");
    let event = answer["event"].as_str().unwrap().to_owned();
    // It was answered: whatever happens to the process now, it is there.
    drop(node);
    let logged = intake.logged();
    assert!(logged.len() == 1 && logged[0].to_string().contains(&event), "{logged:?}");
    let node = intake.node();
    let again = intake.refused(&first, 409, "replayed");
    assert!(again["error"].as_str().unwrap().contains(&event), "{again}");
    intake.refused(&standard("msg-1", 0, r#"{"summary": "signed anew"}"#), 409, "replayed");

    let alert = monitor("Large transfer");
    assert_eq!(intake.post(&alert).0, 200);
    intake.refused(&alert, 409, "replayed");
    let who = ["--person", "p-1", "--role", "lead"];
    let person = ["incident", "report", "--asset", "vault-core", "--summary", "a wallet prompt that is not ours"];
    assert_eq!(intake.answer(&[&person[..], &who].concat())["events"].as_array().unwrap().len(), 1);

    let shown = intake.answer(&["incident", "show", "latest"]);
    let firings = shown["firings"].as_array().unwrap();
    let told: Vec<_> =
        firings.iter().map(|one| (one["rule"].as_str().unwrap(), one["text"].as_str().unwrap())).collect();
    let expected = [
        ("front-end", "reported: the front end is another"),
        ("oz-monitor", "reported: Large transfer: 5 ether from the vault"),
        ("person", "p-1 (lead) reports: a wallet prompt that is not ours"),
    ];
    assert_eq!(told, expected);
    assert!(firings.iter().all(|one| one["kind"] == "report" && one["severity"] == "SEV3"), "{firings:?}");
    let status = intake.status();
    assert_eq!(status["incidents"][0]["asset"], "vault-core", "{status}");
    assert_eq!(status["assets"][0]["cause"], Value::Null, "nothing was wanted: {status}");
    let counts = json!([
        { "source": "front-end", "outcome": "replayed", "count": 2 },
        { "source": "oz-monitor", "outcome": "accepted", "count": 1 },
        { "source": "oz-monitor", "outcome": "replayed", "count": 1 },
    ]);
    assert_eq!(status["intake"]["counts"], counts);
    let metrics = watchfire(&["metrics", "--config", &intake.members.config("alder")]);
    let line = "watchfire_reports{source=\"oz-monitor\",outcome=\"accepted\"} 1.0";
    assert!(String::from_utf8_lossy(&metrics.stdout).lines().any(|one| one == line));
    assert_eq!(node.stop(), Some(0));
    intake.runtime.block_on(intake.anvil.stop());
}

/// A Prometheus for as long as the process lives: every query has this answer.
fn prometheus(value: &str) -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let body = json!({ "status": "success", "data": { "resultType": "vector", "result": [
        { "metric": { "job": "vault" }, "value": [1_700_000_000.5, value] }
    ] } });
    let answer =
        format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}", body.to_string().len());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            // The question fits into one read, and whoever hangs up has heard enough.
            let _ = stream.read(&mut [0; 8192]);
            let _ = stream.write_all(answer.as_bytes());
        }
    });
    format!("http://{address}")
}

/// What a running node asks for becomes a finding with its figures, said once however often it is seen; what cannot be asked is told.
#[test]
fn a_node_asks_by_itself() {
    let intake = Intake::new();
    let lookouts = format!(
        "[[lookout.prometheus]]\nname = \"solvency\"\nasset = \"vault-core\"\nurl = \"{}\"\nquery = \"assets / debt\"\n\
         compare = \"<\"\nbound = \"1.02\"\nevery_s = 5\n\
         [[lookout.prometheus]]\nname = \"broken\"\nasset = \"vault-core\"\nurl = \"http://127.0.0.1:1\"\nquery = \"up\"\n\
         compare = \"=\"\nbound = \"0\"\nevery_s = 5\n",
        prometheus("1.0199")
    );
    append(&intake.members.directory("alder").join("config.toml"), &lookouts);
    let node = intake.node();
    // Each question is a process of its own: the node looks meanwhile.
    let lookout = |status: &Value, name: &str| {
        let all = status["intake"]["lookouts"].as_array().unwrap().clone();
        all.into_iter().find(|one| one["source"] == name).unwrap()
    };
    let status = (0..3_000).map(|_| intake.status()).find(|status| {
        lookout(status, "solvency")["seen"].as_u64() >= Some(2)
            && lookout(status, "broken")["failed"].as_u64() >= Some(3)
    });
    let status = status.expect("it looks again and again");
    let broken = lookout(&status, "broken");
    assert!(broken["seen"] == 0 && broken["fault"].as_str().unwrap().contains("cannot be reached"), "{broken}");
    assert!(status["alarms"].to_string().contains("lookout-blind: broken"), "{}", status["alarms"]);
    let shown = intake.answer(&["incident", "show", "latest"]);
    let firings = shown["firings"].as_array().unwrap();
    assert_eq!(firings.len(), 1, "{firings:?}");
    assert_eq!((&firings[0]["rule"], &firings[0]["kind"]), (&Value::from("solvency"), &Value::from("report")));
    // A first look may come before the node knows a block: then it is said at a later one, with how long it held.
    let text = firings[0]["text"].as_str().unwrap();
    assert!(text.starts_with("measured: 1.0199 < 1.02"), "{text}");
    assert!(text.ends_with(": assets / debt of {job=\"vault\"}"), "{text}");
    let metrics = watchfire(&["metrics", "--config", &intake.members.config("alder")]);
    let metrics = String::from_utf8_lossy(&metrics.stdout).into_owned();
    assert!(metrics.contains("watchfire_looks{source=\"broken\",outcome=\"failed\"}"), "{metrics}");
    assert_eq!(node.stop(), Some(0));
    assert_eq!(intake.logged().len(), 1, "said once");
    intake.runtime.block_on(intake.anvil.stop());
}

/// Whatever is wrong with a message has a name and a status, and leaves nothing in the log.
#[test]
fn a_bad_report_is_refused_by_name() {
    let intake = Intake::new();
    let node = intake.node();
    let sound = |id: &str| standard(id, 0, r#"{"summary": "sound"}"#);
    let changed = |change: &dyn Fn(&mut Message)| {
        let mut message = sound("changed");
        change(&mut message);
        message
    };
    for (message, status, code) in [
        (standard("old", 301, "{}"), 401, "too-old"),
        (standard("old", 1_000_000, "{}"), 401, "too-old"),
        (changed(&|message| message.body.push(' ')), 401, "bad-signature"),
        (changed(&|message| message.headers[0].1.push('x')), 401, "bad-signature"),
        (changed(&|message| message.headers[1].1 = (now_ms() / 1_000 + 1).to_string()), 401, "bad-signature"),
        (changed(&|message| drop(message.headers.remove(2))), 400, "no-header"),
        (changed(&|message| message.headers.push(("webhook-id", "two".to_owned()))), 400, "no-header"),
        (changed(&|message| message.headers[0].1 = "a b".to_owned()), 400, "bad-id"),
        (changed(&|message| message.headers[1].1 = "now".to_owned()), 400, "bad-timestamp"),
        (changed(&|message| message.path = "/reports/nobody"), 404, "unknown-source"),
        (changed(&|message| message.path = "/reports/../front-end"), 404, "unknown-source"),
        (changed(&|message| message.path = "/"), 404, "unknown-source"),
        (changed(&|message| message.path = "/reports/oz-monitor"), 400, "no-header"),
        (standard("text", 0, "it burns"), 400, "not-json"),
        (standard("shape", 0, "{\"title\": \"it burns\"}"), 422, "wrong-shape"),
        (standard("long", 0, &format!("{{\"summary\": \"{}\"}}", "a".repeat(64 * 1024))), 413, "too-large"),
    ] {
        intake.refused(&message, status, code);
    }
    assert_eq!(intake.send(b"GET /reports/front-end HTTP/1.1\r\nhost: node\r\n\r\n").0, 405);
    assert_eq!(intake.send(b"nonsense\r\n\r\n").0, 400);
    let many = format!("POST / HTTP/1.1\r\n{}\r\n", "a: b\r\n".repeat(100));
    assert_eq!(intake.send(many.as_bytes()).0, 431);
    assert!(intake.answer(&["incident", "list"])["incidents"].as_array().unwrap().is_empty());

    // One source says what it may at once; another one's share is its own, and people's words are nobody's share.
    let taken = (0..100).take_while(|number| intake.post(&sound(&format!("msg-{number}"))).0 == 200).count();
    assert!((30..40).contains(&taken), "{taken}");
    let slow = intake.post(&sound("one-more"));
    assert_eq!((slow.0, &slow.1["code"]), (429, &Value::from("too-many")), "{}", slow.1);
    assert_eq!(intake.post(&monitor("heard all the same")).0, 200);
    assert_eq!(intake.logged().len(), taken + 1);
    assert_eq!(node.stop(), Some(0));
    intake.runtime.block_on(intake.anvil.stop());
}

/// A configuration that could not take reports is refused before it runs, all faults at once.
#[test]
fn an_intake_that_cannot_be_is_told() {
    let members = Members::new("http://127.0.0.1:1");
    let directory = members.directory("birch");
    private_file(&directory.join("open"), "whsec_BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=");
    std::fs::set_permissions(directory.join("open"), std::fs::Permissions::from_mode(0o644)).unwrap();
    private_file(&directory.join("short"), "whsec_BwcH");
    append(
        &directory.join("config.toml"),
        "\n[intake]\nlisten = \"127.0.0.1:9780\"\n\
         [[intake.source]]\nname = \"a\"\nasset = \"no-such-asset\"\nsecret_file = \"absent\"\n\
         [[intake.source]]\nname = \"vault-outflow\"\nasset = \"vault-core\"\nsecret_file = \"open\"\n\
         [[intake.source]]\nname = \"b\"\nasset = \"vault-core\"\nsecret_file = \"short\"\n\
         [[lookout.prometheus]]\nname = \"a\"\nasset = \"vault-core\"\nurl = \"http://127.0.0.1:1\"\nquery = \"up\"\n\
         compare = \"=\"\nbound = \"0\"\ntoken_file = \"absent\"\n",
    );
    let check = |code: i32| {
        let output = watchfire(&["config", "check", "--config", &members.config("birch"), "--json"]);
        assert_eq!(output.status.code(), Some(code), "{}", stderr(&output));
        last(&output)["faults"].as_array().unwrap().clone()
    };
    let faults = check(1);
    let kinds: Vec<_> = faults.iter().map(|fault| fault["kind"].as_str().unwrap()).collect();
    let expected = [
        "asset-unknown",
        "secret-unusable",
        "secret-unusable",
        "name-taken",
        "secret-unusable",
        "name-taken",
        "lookout-unusable",
    ];
    assert_eq!(kinds, expected, "{faults:?}");
    for (fault, words) in [(1, "absent"), (2, "24 to 64 bytes"), (4, "permissions")] {
        assert!(faults[fault].to_string().contains(words), "{}", faults[fault]);
    }
    assert_eq!(watchfire(&["run", "--config", &members.config("birch")]).status.code(), Some(3));
}
