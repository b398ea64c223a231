//! `watchfire release`: what a front end is made of, signed, so that partners' nodes can hold what is served against it.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde::Serialize;

use super::output::{CliError, Output, code};
use crate::keys::{Derivation, PasswordSource, node_key};
use crate::release::{Release, ReleaseKey};

/// What to do about releases.
#[derive(Debug, Subcommand)]
pub(super) enum ReleaseCommand {
    /// Make a key that signs releases, and print what partners put into config.toml.
    Key(KeyArgs),
    /// Hash everything that a directory serves and sign the list.
    Sign(SignArgs),
}

/// A key and what it is called.
#[derive(Debug, Args)]
pub(super) struct KeyArgs {
    /// What the key is called in signatures, without blanks and `+`, such as app.alder.example.
    #[arg(long)]
    name: String,
    /// File to write the key to, encrypted (PKCS#8 PEM).
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    /// File with the key's password (0600); asked for on the terminal unless given.
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
}

/// What is signed by what.
#[derive(Debug, Args)]
pub(super) struct SignArgs {
    /// Directory that is served, as it is served: every file below it.
    directory: PathBuf,
    /// The release's name for people, such as "app 1.4.2".
    #[arg(long)]
    release: String,
    /// What the key is called, as when it was made.
    #[arg(long)]
    name: String,
    /// The key's file.
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
    /// File with the key's password (0600); asked for on the terminal unless given.
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
    /// File to write the signed release to.
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
}

#[derive(Serialize)]
struct Made {
    key: String,
}

#[derive(Serialize)]
struct Signed {
    files: usize,
    key: String,
}

/// Runs a `release` command.
pub(super) fn run(command: ReleaseCommand, output: Output) -> Result<u8, CliError> {
    match command {
        ReleaseCommand::Key(KeyArgs { name, output: file, password_file }) => {
            let key = node_key::generate()?;
            let public = ReleaseKey::of(&name, &key).map_err(|_| bad_name())?.to_string();
            let password = source(password_file).take_new()?;
            node_key::write(&file, &key, &password, Derivation::Strong)?;
            output.answer(&public, &Made { key: public.clone() })?;
        }
        ReleaseCommand::Sign(SignArgs { directory, release, name, key, password_file, output: file }) => {
            let release = Release::of_directory(&directory, &release)?;
            let key = node_key::read(&key, &source(password_file).take()?)?;
            let public = ReleaseKey::of(&name, &key).map_err(|_| bad_name())?.to_string();
            let note = release.sign(&name, &key)?;
            std::fs::write(&file, note).map_err(|error| CliError::unwritten(&file, &error))?;
            let files = release.files.len();
            let text = format!("{files} files of {:?} signed by {public}", release.name);
            output.answer(&text, &Signed { files, key: public })?;
        }
    }
    Ok(code::OK)
}

fn source(file: Option<PathBuf>) -> PasswordSource {
    file.map_or(PasswordSource::Terminal, PasswordSource::File)
}

fn bad_name() -> CliError {
    CliError::usage("a key's name has no blanks and no `+`, such as app.alder.example; give it another")
}
