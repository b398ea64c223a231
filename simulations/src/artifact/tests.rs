//! The committed bytecode is that of the committed sources.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::path::Path;
use std::process::Command;

use super::*;
use crate::npm::{self, Package};

/// Compiling the contracts again with the pinned compiler gives the committed files byte for byte.
#[test]
fn committed_artifacts_match_their_sources() {
    let modules = npm::install(Package::Contracts, &npm::aloud).unwrap();
    let out = tempfile::tempdir().unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("contracts/compile.mjs");
    let run =
        Command::new("node").arg(script).arg(out.path()).env("WATCHFIRE_CONTRACT_MODULES", &modules).output().unwrap();
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    for (name, committed) in [("Vault", VAULT), ("Attacker", ATTACKER), ("BlockingGuard", BLOCKING_GUARD)] {
        let compiled = std::fs::read_to_string(out.path().join(format!("{name}.json"))).unwrap();
        assert!(compiled == committed, "{name}.json differs: run `npm run compile` in simulations/contracts");
    }
}
