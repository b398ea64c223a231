//! Golden bytes: a change of the format or of the rule is a reviewed act.

use sha2::{Digest as _, Sha256};

use crate::fixture::whole;

/// Size and SHA-256 of the whole story's bundle.
const GOLDEN: (usize, &str) = (36_512, "1647303ea0fe95adeb250a8b50dcbc835553f58623d141af1850ef493b924695");

#[test]
fn bundle() {
    let file = whole();
    let found = (file.len(), hex::encode(Sha256::digest(&file)));
    assert_eq!((found.0, found.1.as_str()), GOLDEN);
    assert!(file.starts_with(b"watchfire-bundle/1\n"));
    assert_eq!(file[file.len() - 32..], Sha256::digest(&file[..file.len() - 32])[..]);
}
