//! What the house rules look at: the workspace's manifests and source files, read once, as text.

use std::fs;
use std::path::{Path, PathBuf};

use toml::Table;

pub mod functions;

/// One package of the workspace.
pub struct Package {
    /// Path from the root, as the root manifest lists it: `crates/wire`.
    pub path: String,
    /// Its manifest.
    pub manifest: Table,
    /// Its Rust files, with their text.
    pub files: Vec<SourceFile>,
}

/// One Rust file.
pub struct SourceFile {
    /// Path from the root.
    pub path: String,
    /// Text.
    pub text: String,
}

impl SourceFile {
    /// Whether the file holds tests only: in a `tests` folder, or named `tests.rs` or `*_tests.rs`.
    #[must_use]
    pub fn is_test(&self) -> bool {
        self.path.contains("/tests/") || self.path.ends_with("/tests.rs") || self.path.ends_with("_tests.rs")
    }

    /// The text before the first inline test module.
    #[must_use]
    pub fn product_text(&self) -> &str {
        if self.is_test() { "" } else { self.text.split("#[cfg(test)]").next().unwrap_or_default() }
    }
}

impl Package {
    /// Names of the workspace's own crates in this dependency table, without the `watchfire-` prefix.
    #[must_use]
    pub fn own_dependencies(&self, table: &str) -> Vec<String> {
        self.dependencies(table)
            .into_iter()
            .filter_map(|name| Some(name.strip_prefix("watchfire-")?.to_owned()))
            .collect()
    }

    /// Names in this dependency table.
    #[must_use]
    pub fn dependencies(&self, table: &str) -> Vec<String> {
        let table = self.manifest.get(table).and_then(|table| table.as_table());
        table.map(|table| table.keys().cloned().collect()).unwrap_or_default()
    }

    /// The package's name without the `watchfire-` prefix.
    #[must_use]
    pub fn name(&self) -> String {
        let name = self.manifest.get("package").and_then(|package| package.get("name")).and_then(|name| name.as_str());
        name.unwrap_or_default().trim_start_matches("watchfire-").to_owned()
    }
}

/// The workspace root.
#[must_use]
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Reads a file under the root, or an empty text when there is none.
#[must_use]
pub fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_default()
}

/// The root manifest.
#[must_use]
pub fn root_manifest() -> Table {
    read("Cargo.toml").parse().unwrap_or_default()
}

/// The keys of one table of the root manifest in the order in which they stand there, which a parsed table has lost.
#[must_use]
pub fn root_keys(table: &str) -> Vec<String> {
    let (manifest, heading) = (read("Cargo.toml"), format!("[{table}]"));
    let within = manifest.lines().skip_while(|line| *line != heading).skip(1).take_while(|line| !line.starts_with('['));
    let keys = within.filter(|line| line.starts_with(|c: char| c.is_alphanumeric() || c == '"'));
    keys.filter_map(|line| Some(line.split([' ', '.', '=']).next()?.trim_matches('"').to_owned())).collect()
}

/// Every package that the root manifest lists, in its order.
#[must_use]
pub fn packages() -> Vec<Package> {
    let manifest = root_manifest();
    let members =
        manifest.get("workspace").and_then(|workspace| workspace.get("members")).and_then(|members| members.as_array());
    let members = members.cloned().unwrap_or_default();
    members
        .iter()
        .filter_map(|member| member.as_str())
        .map(|path| Package {
            path: path.to_owned(),
            manifest: read(&format!("{path}/Cargo.toml")).parse().unwrap_or_default(),
            files: rust_files(path),
        })
        .collect()
}

fn rust_files(package: &str) -> Vec<SourceFile> {
    let mut found = Vec::new();
    let mut folders = vec![root().join(package)];
    while let Some(folder) = folders.pop() {
        let Ok(entries) = fs::read_dir(&folder) else { continue };
        for path in entries.flatten().map(|entry| entry.path()) {
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            if path.is_dir() && !matches!(name, "target" | "node_modules") {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).unwrap_or_default();
                let path = path.strip_prefix(root()).unwrap_or(&path).display().to_string();
                found.push(SourceFile { path, text });
            }
        }
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    found
}
