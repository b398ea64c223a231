//! The house rules as tests. Each collects every breach before it fails, so that one run shows them all.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::BTreeSet;

use watchfire_tidy::functions::functions;
use watchfire_tidy::{Package, packages, read, root, root_keys, root_manifest};

/// Crates without clock, entropy, file, socket or runtime: the simulator and replay drive exactly the shipped code.
const PURE: &[&str] = &["bundle", "charter", "detect", "protocol", "transparency", "types", "wire"];

/// The only arrows between crates (README, architecture). Test-only arrows are not listed here.
const ARROWS: &[(&str, &[&str])] = &[
    ("types", &[]),
    ("charter", &["types"]),
    ("detect", &["charter", "types"]),
    ("transparency", &["types"]),
    ("protocol", &["charter", "transparency", "types"]),
    ("wire", &["types"]),
    ("journal", &["types"]),
    ("bundle", &["charter", "protocol", "transparency", "types", "wire"]),
    ("driver", &["charter", "journal", "protocol", "transparency", "types", "wire"]),
    ("gossip", &["types"]),
    ("evm", &["types"]),
    ("simulations", &["charter", "detect", "driver", "journal", "protocol", "transparency", "types", "wire"]),
    (
        "node",
        &[
            "bundle",
            "charter",
            "detect",
            "driver",
            "evm",
            "gossip",
            "journal",
            "protocol",
            "simulations",
            "transparency",
            "types",
            "wire",
        ],
    ),
];

/// Libraries that appear in exactly one crate each, so that it alone can be judged for what they do.
const ONE_HOME: &[(&str, &str)] = &[("libp2p", "gossip"), ("sled", "journal"), ("prost", "wire")];

fn fail_with(breaches: &[String]) {
    assert!(breaches.is_empty(), "\n{}\n", breaches.join("\n"));
}

fn product_packages() -> Vec<Package> {
    packages().into_iter().filter(|package| !package.path.starts_with("tests/")).collect()
}

/// No crate depends on one that the architecture does not let it see.
#[test]
fn arrows() {
    let mut breaches = Vec::new();
    for package in product_packages() {
        let name = package.name();
        let Some((_, allowed)) = ARROWS.iter().find(|(from, _)| *from == name) else {
            breaches.push(format!("{}: not in the list of arrows", package.path));
            continue;
        };
        for to in package.own_dependencies("dependencies") {
            if !allowed.contains(&to.as_str()) {
                breaches.push(format!("{}: arrow {name} -> {to} is not in the architecture", package.path));
            }
        }
    }
    fail_with(&breaches);
}

/// Pure crates neither depend on a runtime, network, disk or entropy, nor name them.
#[test]
fn pure_crates() {
    const FORBIDDEN: &[&str] =
        &["alloy", "axum", "getrandom", "libp2p", "rand", "reqwest", "sled", "tempfile", "tokio", "tracing"];
    const WORDS: &[&str] = &[
        "HashMap",
        "HashSet",
        "Instant::now",
        "SystemTime",
        "std::env",
        "std::fs",
        "std::io",
        "std::net",
        "std::process",
        "std::thread",
    ];
    let mut breaches = Vec::new();
    for package in packages().iter().filter(|package| PURE.contains(&package.name().as_str())) {
        for dependency in package.dependencies("dependencies") {
            if FORBIDDEN.contains(&dependency.as_str()) {
                breaches.push(format!("{}: a pure crate depends on {dependency}", package.path));
            }
        }
        for file in package.files.iter().filter(|file| !file.path.ends_with("build.rs")) {
            for (number, line) in file.product_text().lines().enumerate() {
                if let Some(word) =
                    WORDS.iter().find(|word| line.contains(**word) && !line.trim_start().starts_with("//"))
                {
                    breaches.push(format!("{}:{}: a pure crate names {word}", file.path, number + 1));
                }
            }
        }
        if !root().join(&package.path).join("clippy.toml").exists() {
            breaches.push(format!("{}: a pure crate without its clippy.toml", package.path));
        }
    }
    fail_with(&breaches);
}

/// libp2p, sled and prost each live in one crate, and alloy's network side in `evm` alone.
#[test]
fn one_home() {
    let mut breaches = Vec::new();
    for package in product_packages() {
        for (library, home) in ONE_HOME {
            if package.dependencies("dependencies").iter().any(|dependency| dependency == library)
                && package.name() != *home
            {
                breaches.push(format!("{}: {library} belongs to crates/{home}", package.path));
            }
        }
        if package.name() == "evm" {
            continue;
        }
        for file in &package.files {
            for word in ["alloy::providers", "alloy::transports", "alloy::rpc::client", "alloy::pubsub"] {
                if file.product_text().contains(word) {
                    breaches.push(format!("{}: {word} belongs to crates/evm", file.path));
                }
            }
        }
    }
    fail_with(&breaches);
}

/// Guardian and node keys are made and used in `node` (and by the drill's launcher for its own people), nowhere else.
#[test]
fn keys_live_in_node() {
    let mut breaches = Vec::new();
    for package in product_packages() {
        if matches!(package.name().as_str(), "node" | "simulations") {
            continue;
        }
        for file in &package.files {
            for word in ["SigningKey", "PrivateKeySigner", "LocalSigner"] {
                if file.product_text().contains(word) {
                    breaches.push(format!("{}: names {word}; keys live in crates/node", file.path));
                }
            }
        }
    }
    fail_with(&breaches);
}

/// Every crate takes the workspace's lints, edition, version and licence; every version, and whether a dependency's default
/// features are on, stands at the root.
#[test]
fn manifests() {
    let mut breaches = Vec::new();
    for package in packages() {
        if package.manifest.get("lints").and_then(|lints| lints.get("workspace")).and_then(|on| on.as_bool())
            != Some(true)
        {
            breaches.push(format!("{}: does not take the workspace's lints", package.path));
        }
        for key in ["version", "edition", "license", "rust-version", "publish"] {
            let inherited =
                package.manifest.get("package").and_then(|of| of.get(key)).is_some_and(|value| value.is_table());
            if !inherited {
                breaches.push(format!("{}: {key} is not the workspace's", package.path));
            }
        }
        for table in ["dependencies", "dev-dependencies", "build-dependencies"] {
            for name in package.dependencies(table) {
                let from_root =
                    package.manifest.get(table).and_then(|of| of.get(&name)).and_then(|value| value.get("workspace"));
                if from_root.and_then(|value| value.as_bool()) != Some(true) {
                    breaches.push(format!("{}: version of {name} does not stand at the root", package.path));
                }
                let own = package.manifest.get(table).and_then(|of| of.get(&name));
                if own.is_some_and(|value| value.get("default-features").is_some()) {
                    breaches.push(format!("{}: default-features of {name} are decided at the root", package.path));
                }
            }
        }
    }
    fail_with(&breaches);
}

/// Planted mistakes are in no binary: their feature is nobody's default, and only the simulator's tests turn it on. What tests turn on
/// stays out of `cargo build` and `cargo run` with the resolver that the root names.
#[test]
fn planted_mistakes_are_not_shipped() {
    assert_eq!(root_manifest()["workspace"]["resolver"].as_str(), Some("3"));
    let mut breaches = Vec::new();
    for package in packages() {
        for (table, value) in package.manifest.iter().filter(|(_, value)| value.to_string().contains("mutants")) {
            let own = package.name() == "types" && table == "features" && value.get("default").is_none();
            let tests = package.name() == "simulations" && table == "dev-dependencies";
            if !own && !tests {
                breaches.push(format!("{}: {table} turns planted mistakes on", package.path));
            }
        }
    }
    let listed = root_manifest()["workspace"]["dependencies"].to_string();
    assert!(!listed.contains("mutants"), "the root turns planted mistakes on");
    fail_with(&breaches);
}

/// The versions at the root are sorted, the workspace's own crates first.
#[test]
fn sorted_versions() {
    let listed = root_keys("workspace.dependencies");
    assert_eq!(listed.len(), root_manifest()["workspace"]["dependencies"].as_table().unwrap().len());
    let mut sorted = listed.clone();
    sorted.sort_by_key(|name| (!name.starts_with("watchfire-"), name.clone()));
    let breaches: Vec<_> = listed
        .iter()
        .zip(&sorted)
        .filter(|(held, due)| held != due)
        .map(|(held, due)| format!("Cargo.toml: {held} stands where {due} belongs"))
        .collect();
    fail_with(&breaches);
}

/// Every dependency at the root is used by some package.
#[test]
fn no_unused_version() {
    let manifest = root_manifest();
    let listed = manifest["workspace"]["dependencies"].as_table().unwrap().keys().cloned();
    let used: BTreeSet<String> = packages()
        .iter()
        .flat_map(|package| {
            ["dependencies", "dev-dependencies", "build-dependencies"].map(|table| package.dependencies(table))
        })
        .flatten()
        .collect();
    let unused: Vec<_> =
        listed.filter(|name| !used.contains(name)).map(|name| format!("{name}: no package uses it")).collect();
    fail_with(&unused);
}

/// A function is one thought: past 70 lines of code it has become two.
#[test]
fn short_functions() {
    const LINES_MAX: usize = 70;
    let mut breaches = Vec::new();
    for file in packages().iter().flat_map(|package| &package.files) {
        for function in functions(&file.text).iter().filter(|function| function.code_lines > LINES_MAX) {
            breaches.push(format!(
                "{}:{}: {} has {} lines of code",
                file.path, function.line, function.name, function.code_lines
            ));
        }
    }
    fail_with(&breaches);
}

/// A file opens by saying what it is for, and is one idea: past 500 lines it has become two.
#[test]
fn files() {
    let mut breaches = Vec::new();
    for file in packages().iter().flat_map(|package| &package.files) {
        if !file.is_test() && !file.text.starts_with("//!") {
            breaches.push(format!("{}: does not open with //!", file.path));
        }
        let lines = file.text.lines().count();
        if lines > 500 {
            breaches.push(format!("{}: {lines} lines; one file, one idea", file.path));
        }
    }
    fail_with(&breaches);
}

/// Nothing unfinished, nothing switched off, no test that waits for a clock instead of an event.
#[test]
fn words() {
    // Spelt in two halves, so that this file does not find itself.
    let everywhere = [
        concat!("TO", "DO"),
        concat!("FIX", "ME"),
        concat!("todo", "!("),
        concat!("unimplemented", "!("),
        concat!("#[ig", "nore"),
    ];
    let in_tests = [concat!("thread::sl", "eep("), concat!("time::sl", "eep(")];
    let mut breaches = Vec::new();
    for file in packages().iter().flat_map(|package| &package.files) {
        for (number, line) in file.text.lines().enumerate() {
            for word in everywhere.iter().filter(|word| line.contains(**word)) {
                breaches.push(format!("{}:{}: {word}", file.path, number + 1));
            }
            if file.is_test() {
                for word in in_tests.iter().filter(|word| line.contains(**word)) {
                    breaches.push(format!("{}:{}: {word} in a test", file.path, number + 1));
                }
            }
        }
    }
    fail_with(&breaches);
}

/// The README's code map lists exactly the packages of the workspace.
#[test]
fn code_map() {
    let readme = read("README.md");
    let map = readme.split("### Code map").nth(1).unwrap_or_default().split("\n### ").next().unwrap_or_default();
    let listed: BTreeSet<String> =
        map.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next().map(str::to_owned)).collect();
    let members: BTreeSet<String> = packages().into_iter().map(|package| package.path).collect();
    assert_eq!(listed, members, "README.md, code map against Cargo.toml");
}

/// The scanner that the rule about functions rests on sees every kind of them, and counts code alone.
#[test]
fn functions_are_measured() {
    let text = concat!(
        "fn one_line() {}\n",
        "pub(crate) async fn plain(a: u8) -> u8 {\n    // why\n\n    let f = |x| {\n        x\n    };\n    f(a)\n}\n",
        "impl X {\n    pub(in crate::a) const fn wrapped<T>(\n        a: T,\n    ) -> T\n    where\n        T: Copy,\n    {\n        a\n    }\n}\n",
        "trait Y {\n    fn declared(\n        &self,\n    ) -> u8;\n    fn given(&self) {\n        fn inner() {\n            1;\n        }\n    }\n}\n",
        "// a fn in words {\n",
    );
    let found: Vec<_> =
        functions(text).into_iter().map(|function| (function.name, function.line, function.code_lines)).collect();
    let expected = [("plain", 2, 4), ("wrapped", 11, 1), ("given", 24, 3), ("inner", 25, 1)];
    assert_eq!(found, expected.map(|(name, line, lines)| (name.to_owned(), line, lines)));
}
