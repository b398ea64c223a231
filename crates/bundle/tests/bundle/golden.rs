//! Golden bytes: a change of the format or of the rule is a reviewed act. The file itself is there for whoever writes another verifier.

use sha2::{Digest as _, Sha256};
use watchfire_bundle::verify;
use watchfire_types::Bytes;

use crate::fixture::{charter, whole};

fn golden() -> Vec<u8> {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden/incident.bundle");
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The whole story makes these bytes; if it no longer does, what it makes lies in the build's temporary directory.
#[test]
fn bundle() {
    let file = whole();
    let made = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("incident.bundle");
    if file != golden() {
        std::fs::write(&made, &file).unwrap();
    }
    assert!(file == golden(), "the bundle's bytes changed; they are in {}", made.display());
    assert!(file.starts_with(b"watchfire-bundle/1\n"));
    assert_eq!(file[file.len() - 32..], Sha256::digest(&file[..file.len() - 32])[..]);
}

/// The stored file holds under the charter that the format's document names.
#[test]
fn the_stored_file_holds() {
    let report = verify(&Bytes::from(golden()), Some(&charter()));
    assert!(report.holds, "{:?}", report.first_failure);
    let document = std::fs::read_to_string(
        std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../proto/watchfire/v1/bundle.proto"),
    )
    .unwrap();
    assert!(document.contains(&charter().digest().to_string()), "{}", charter().digest());
}
