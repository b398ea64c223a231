//! A network of five with a 3-of-5 Safe, and one member's directory in it, for tests.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::path::PathBuf;

use ed25519_dalek::{Signer as _, SigningKey};
use tempfile::TempDir;
use watchfire_charter::Charter;
use watchfire_types::body::{Body, Started};
use watchfire_types::{Address, Bytes, Epoch, Event, EventHash, MemberKey, Seq, Timestamp};

use crate::keys::files::{create_directory, create_private};
use crate::keys::{Derivation, KeyFiles, Password, keystore, node_key};

pub(super) const ORGANISATIONS: [&str; 5] = ["alder", "birch", "cedar", "dogwood", "elm"];
const PASSWORD: &[u8] = b"a test's keys guard nothing";

/// Public keys of one member: node, guardian, submitter.
pub(crate) type Own = (MemberKey, Address, Address);

/// The charter; `own` are the keys of `alder-1`.
pub(crate) fn charter_text(own: Option<Own>) -> String {
    let mut text = "name = \"five\"\nversion = 1\ndrill = true\n".to_owned();
    for id in ORGANISATIONS {
        text.push_str(&format!("[[organisation]]\nid = \"{id}\"\nname = \"{id}\"\nroles = []\n"));
    }
    for (index, id) in (1u8..).zip(ORGANISATIONS) {
        let made = (key(index), Address::repeat_byte(index), Address::repeat_byte(index + 100));
        let (node, guardian, submitter) = own.filter(|_| id == "alder").unwrap_or(made);
        text.push_str(&format!(
            "[[member]]\nid = \"{id}-1\"\norganisation = \"{id}\"\nkind = \"guardian\"\nnode_key = \"{node}\"\n\
             guardian = \"{}\"\nsubmitter = \"{}\"\noperators = [\"op-{id}\"]\naddresses = [\"/ip4/127.0.0.1/tcp/{}\"]\n",
            guardian.to_checksum(None),
            submitter.to_checksum(None),
            9000 + u16::from(index)
        ));
    }
    text.push_str(include_str!("../../tests/node/charter_tail.toml"));
    text
}

/// The directory of `alder-1`, whose endpoint nobody serves; answers its config.toml.
pub(crate) fn directory() -> (TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let files = KeyFiles::of(directory.path());
    create_directory(&directory.path().join("keys")).unwrap();
    let password = Password::new(PASSWORD).unwrap();
    let (node, guardian) = (node_key::generate().unwrap(), keystore::generate().unwrap());
    let submitter = keystore::generate().unwrap();
    node_key::write(&files.node, &node, &password, Derivation::Light).unwrap();
    keystore::write(&files.guardian, &guardian, &password, Derivation::Light).unwrap();
    keystore::write(&files.submitter, &submitter, &password, Derivation::Light).unwrap();
    create_private(&directory.path().join("password"), PASSWORD).unwrap();
    let node = MemberKey::from_bytes(node.verifying_key().to_bytes());
    let own = (node, keystore::address_of(&guardian), keystore::address_of(&submitter));
    std::fs::write(directory.path().join("charter.toml"), charter_text(Some(own))).unwrap();
    let config = directory.path().join("config.toml");
    let text = "member = \"alder-1\"\norganisation = \"alder\"\ncharter = \"charter.toml\"\n[network]\n\
                listen = [\"/ip4/127.0.0.1/tcp/0\"]\n[keys]\npassword_file = \"password\"\n[[chain]]\nid = 31337\nagree = 1\n\
                [[chain.endpoint]]\nname = \"own\"\noperator = \"op-alder\"\nhttp = \"http://127.0.0.1:1\"\n";
    create_private(&config, text.as_bytes()).unwrap();
    (directory, config)
}

/// Node key of member 1 to 5 of [`charter_text`].
pub(crate) fn key(member: u8) -> MemberKey {
    MemberKey::from_bytes(SigningKey::from_bytes(&[member; 32]).verifying_key().to_bytes())
}

/// What a member says, as signed events of one epoch.
pub(crate) fn chain(charter: &Charter, member: u8, bodies: Vec<Body>) -> Vec<Bytes> {
    let started = Body::Started(Started {
        earlier: Vec::new(),
        charter_version: charter.version,
        charter_digest: charter.digest(),
        software: "test".to_owned(),
    });
    let mut prev = EventHash::from_bytes([0; 32]);
    let mut outers = Vec::new();
    for (seq, body) in (0..).zip(std::iter::once(started).chain(bodies)) {
        let event = Event {
            network: charter.network_id(),
            author: key(member),
            epoch: Epoch::from_bytes([member; 16]),
            seq: Seq::new(seq),
            prev,
            time: Timestamp::from_millis(super::now().as_millis() + seq),
            body,
        };
        let sign = |bytes: &[u8]| SigningKey::from_bytes(&[member; 32]).sign(bytes).to_bytes();
        let sealed = watchfire_wire::seal(&event, sign).unwrap();
        prev = sealed.hash();
        outers.push(sealed.outer().clone());
    }
    outers
}
