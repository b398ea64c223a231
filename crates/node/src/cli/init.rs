//! `watchfire init`: a node's directory with config and keys, and its signed entry for the charter.

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use ed25519_dalek::SigningKey as NodeKey;
use k256::ecdsa::SigningKey as EvmKey;
use serde::Serialize;
use watchfire_charter::multiaddress;
use watchfire_types::{MemberId, MemberKey, NetworkId, OperatorId, OrganisationId};
use zeroize::Zeroizing;

use super::output::{CliError, Output, code};
use crate::keys::files::{create_directory, create_private, read_private};
use crate::keys::member_entry::{MemberEntry, SignedEntry};
use crate::keys::{Derivation, KeyError, KeyFiles, Password, PasswordSource, keystore, node_key};

/// Where a node listens that is told nothing else.
const LISTEN: [&str; 2] = ["/ip4/0.0.0.0/tcp/9001", "/ip4/0.0.0.0/udp/9001/quic-v1"];

/// Arguments of `watchfire init`.
#[derive(Debug, Args)]
pub(super) struct InitArgs {
    /// Your organisation's id in the charter: a-z, 0-9, '-', '_', '.'.
    #[arg(long)]
    organisation: OrganisationId,
    /// This node's id in the charter: a-z, 0-9, '-', '_', '.'; ORGANISATION-1 unless given.
    #[arg(long)]
    member: Option<MemberId>,
    /// What this member may do, by the charter.
    #[arg(long, value_enum, default_value = "guardian")]
    kind: Kind,
    /// The directory to make; the member's id unless given.
    #[arg(long, value_name = "DIR")]
    directory: Option<PathBuf>,
    /// Multiaddress to listen on; may be given several times.
    #[arg(long, value_name = "MULTIADDR", default_values = LISTEN)]
    listen: Vec<String>,
    /// Multiaddress (may be given several times) at which partners reach this node, for the charter, such as /dns4/node.example.org/tcp/9001; this
    /// machine's own name unless this or --listen is given; needed wherever the listen addresses are none that partners could dial.
    #[arg(long, value_name = "MULTIADDR")]
    address: Vec<String>,
    /// Label of an RPC operator that this node reads from, for the charter; may be given several times; op-ORGANISATION unless
    /// given.
    #[arg(long)]
    operator: Vec<OperatorId>,
    /// File with the password of the keys (0600); also written into config.toml, so that the node restarts unattended.
    #[arg(long, value_name = "FILE", group = "password")]
    password_file: Option<PathBuf>,
    /// Environment variable with the password of the keys; its name is written into config.toml.
    #[arg(long, value_name = "NAME", group = "password")]
    password_env: Option<String>,
    /// systemd credential with the password of the keys; its name is written into config.toml.
    #[arg(long, value_name = "NAME", group = "password")]
    credential: Option<String>,
    /// Use this node key (encrypted PKCS#8 PEM) instead of a new one.
    #[arg(long, value_name = "FILE")]
    import_node: Option<PathBuf>,
    /// Use this guardian key (Web3 keystore v3, or 64 hex digits) instead of a new one.
    #[arg(long, value_name = "FILE")]
    import_guardian: Option<PathBuf>,
    /// Use this submitter key (Web3 keystore v3, or 64 hex digits) instead of a new one.
    #[arg(long, value_name = "FILE")]
    import_submitter: Option<PathBuf>,
    /// File with the password of the imported keys (0600); the same as for the new ones unless given.
    #[arg(long, value_name = "FILE")]
    import_password_file: Option<PathBuf>,
    /// Protect the keys by a quick derivation; for drills, whose keys guard nothing.
    #[arg(long)]
    light_key_derivation: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Kind {
    /// Votes and co-signs.
    Guardian,
    /// Votes.
    Voter,
    /// Reports only.
    Watcher,
}

impl Kind {
    fn as_str(self) -> &'static str {
        match self {
            Self::Guardian => "guardian",
            Self::Voter => "voter",
            Self::Watcher => "watcher",
        }
    }
}

struct NewKeys {
    node: NodeKey,
    guardian: Option<EvmKey>,
    /// Network that an imported guardian key serves already: it goes on serving it.
    network: Option<NetworkId>,
    submitter: Option<EvmKey>,
}

/// Makes the directory.
pub(super) fn run(arguments: &InitArgs, output: Output) -> Result<u8, CliError> {
    let member = match &arguments.member {
        Some(member) => member.clone(),
        None => format!("{}-1", arguments.organisation).parse()?,
    };
    for address in &arguments.listen {
        multiaddress::check_listen(address)
            .map_err(|error| usage(format!("--listen: {error}; write it like /ip4/0.0.0.0/tcp/9001")))?;
    }
    for address in &arguments.address {
        multiaddress::check_dial(address)
            .map_err(|error| usage(format!("--address: {error}; write it like /dns4/node.example.org/tcp/9001")))?;
    }
    let directory = arguments.directory.clone().unwrap_or_else(|| PathBuf::from(member.as_str()));
    let config = directory.join("config.toml");
    if config.exists() {
        return Err(KeyError::Exists { path: config }.into());
    }
    let addresses = addresses(arguments)?;
    let source = source(arguments);
    let password = source.take_new()?;
    if [&arguments.import_node, &arguments.import_guardian, &arguments.import_submitter]
        .iter()
        .any(|file| file.is_some())
    {
        output.progress("opening the imported keys; each takes a moment, as whoever guesses passwords should");
    }
    let keys = gather(arguments, &password)?;
    let entry = entry(arguments, member.clone(), addresses, &keys).sign(&keys.node, keys.guardian.as_ref())?;
    if !entry.holds() {
        return Err(CliError::failed(
            "the member entry does not verify under its own keys; an imported key may be damaged; take it from its backup",
        ));
    }
    let derivation = if arguments.light_key_derivation { Derivation::Light } else { Derivation::Strong };
    output.progress("encrypting the keys; each takes a moment, as whoever guesses passwords should");
    write(&directory, &keys, &password, derivation)?;
    // Last: a directory without config.toml is an unfinished one.
    create_private(&config, config_text(arguments, &member, &source, &directory).as_bytes())?;
    for address in entry.member.addresses.iter().filter(|address| multiaddress::is_loopback(address)) {
        eprintln!("warning: {address} leads every partner to its own machine; outside a drill give --address");
    }
    output.answer(&summary(&directory, &entry), &entry)?;
    Ok(code::OK)
}

fn usage(message: String) -> CliError {
    CliError::usage(message)
}

/// Where partners reach this node. The entry is signed with them, so nothing goes in that nobody could dial.
fn addresses(arguments: &InitArgs) -> Result<Vec<String>, CliError> {
    if !arguments.address.is_empty() {
        return Ok(arguments.address.clone());
    }
    if arguments.listen == LISTEN {
        return Ok(by_own_name());
    }
    for address in &arguments.listen {
        multiaddress::check_dial(address).map_err(|error| {
            usage(format!(
                "partners cannot reach this node where it listens: {error}; say where they can, such as \
                 --address /dns4/node.example.org/tcp/9001"
            ))
        })?;
    }
    Ok(arguments.listen.clone())
}

/// Where a node that is told neither address is reached: at the machine's own name, or on the machine itself where it has none that
/// others could look up. Either is said.
fn by_own_name() -> Vec<String> {
    let files = ["/proc/sys/kernel/hostname", "/etc/hostname"];
    let name = files.iter().find_map(|file| std::fs::read_to_string(file).ok()).unwrap_or_default();
    let name = name.trim().to_ascii_lowercase();
    let at = |host: &str| LISTEN.map(|listen| listen.replace("/ip4/0.0.0.0/", host)).to_vec();
    let named = at(&format!("/dns4/{name}/"));
    if name == "localhost" || named.iter().any(|address| multiaddress::check_dial(address).is_err()) {
        return at("/ip4/127.0.0.1/");
    }
    eprintln!(
        "warning: partners are told to reach this node at {} (this machine's own name); where that leads them nowhere, delete \
         what was made and give --address",
        named.join(" and ")
    );
    named
}

fn source(arguments: &InitArgs) -> PasswordSource {
    match (&arguments.password_file, &arguments.password_env, &arguments.credential) {
        (Some(file), _, _) => PasswordSource::File(file.clone()),
        (None, Some(name), _) => PasswordSource::Environment(name.clone()),
        (None, None, Some(name)) => PasswordSource::Credential(name.clone()),
        (None, None, None) => PasswordSource::Terminal,
    }
}

fn gather(arguments: &InitArgs, password: &Password) -> Result<NewKeys, CliError> {
    let import_password = match &arguments.import_password_file {
        Some(file) => PasswordSource::File(file.clone()).take()?,
        None => password.clone(),
    };
    let node = match &arguments.import_node {
        Some(path) => node_key::read(path, &import_password)?,
        None => node_key::generate()?,
    };
    let evm = |import: &Option<PathBuf>| match import {
        Some(path) => import_evm(path, &import_password),
        None => Ok((keystore::generate()?, None)),
    };
    if arguments.kind != Kind::Guardian {
        if arguments.import_guardian.is_some() || arguments.import_submitter.is_some() {
            let message =
                "only a guardian has a guardian and a submitter key; leave the imports out or choose --kind guardian";
            return Err(CliError::usage(message));
        }
        return Ok(NewKeys { node, guardian: None, network: None, submitter: None });
    }
    let (guardian, network) = evm(&arguments.import_guardian)?;
    let (submitter, _) = evm(&arguments.import_submitter)?;
    if keystore::address_of(&guardian) == keystore::address_of(&submitter) {
        let message = "guardian and submitter must be two keys: the submitter pays gas and is used for nothing else";
        return Err(CliError::failed(message));
    }
    Ok(NewKeys { node, guardian: Some(guardian), network, submitter: Some(submitter) })
}

fn import_evm(path: &Path, password: &Password) -> Result<(EvmKey, Option<NetworkId>), KeyError> {
    let bytes = read_private(path)?;
    let text = bytes.trim_ascii();
    let digits = text.strip_prefix(b"0x").unwrap_or(text);
    let mut secret = Zeroizing::new([0; 32]);
    if hex::decode_to_slice(digits, secret.as_mut_slice()).is_ok() {
        let malformed = |_| KeyError::Malformed { path: path.to_owned(), reason: "not a secp256k1 key".to_owned() };
        return EvmKey::from_slice(secret.as_slice()).map(|key| (key, None)).map_err(malformed);
    }
    let unlocked = keystore::read(path, password)?;
    let network = unlocked.network(path)?;
    Ok((unlocked.into_key(), network))
}

fn entry(arguments: &InitArgs, member: MemberId, addresses: Vec<String>, keys: &NewKeys) -> MemberEntry {
    let default_operator = format!("op-{}", arguments.organisation).parse();
    let operators = match (arguments.operator.is_empty(), default_operator) {
        (true, Ok(operator)) => vec![operator],
        _ => arguments.operator.clone(),
    };
    MemberEntry {
        id: member,
        organisation: arguments.organisation.clone(),
        kind: arguments.kind.as_str().to_owned(),
        node_key: MemberKey::from_bytes(keys.node.verifying_key().to_bytes()),
        guardian: keys.guardian.as_ref().map(keystore::address_of),
        submitter: keys.submitter.as_ref().map(keystore::address_of),
        operators,
        addresses,
    }
}

fn write(directory: &Path, keys: &NewKeys, password: &Password, derivation: Derivation) -> Result<(), KeyError> {
    let files = KeyFiles::of(directory);
    create_directory(&directory.join("keys"))?;
    node_key::write(&files.node, &keys.node, password, derivation)?;
    if let Some(key) = &keys.guardian {
        keystore::write(&files.guardian, key, password, derivation)?;
        if let Some(network) = keys.network {
            keystore::read(&files.guardian, password)?.bind(&files.guardian, network)?;
        }
    }
    if let Some(key) = &keys.submitter {
        keystore::write(&files.submitter, key, password, derivation)?;
    }
    Ok(())
}

#[derive(Serialize)]
struct ConfigHead<'a> {
    member: &'a MemberId,
    organisation: &'a OrganisationId,
    charter: &'a str,
    network: Network<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    keys: Option<Keys<'a>>,
}

#[derive(Serialize)]
struct Network<'a> {
    listen: &'a [String],
}

#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
enum Keys<'a> {
    PasswordFile(String),
    PasswordEnv(&'a str),
    Credential(&'a str),
}

const CHAIN_EXAMPLE: &str = r#"
# One [[chain]] for every chain of the charter; agree = equal answers from distinct operators that a fact takes.
# [[chain]]
# id = 1
# agree = 2
# [[chain.endpoint]]
# name = "own-node"
# operator = "OPERATOR-LABEL"
# http = "http://127.0.0.1:8545"
# ws = "ws://127.0.0.1:8546"
# requests_per_second = 2000   # unless said: 25 of one on another machine
"#;

fn config_text(arguments: &InitArgs, member: &MemberId, source: &PasswordSource, directory: &Path) -> String {
    let keys = match source {
        PasswordSource::File(file) => Some(Keys::PasswordFile(relative(file, directory))),
        PasswordSource::Environment(name) => Some(Keys::PasswordEnv(name)),
        PasswordSource::Credential(name) => Some(Keys::Credential(name)),
        PasswordSource::Terminal => None,
    };
    let head = ConfigHead {
        member,
        organisation: &arguments.organisation,
        charter: "charter.toml",
        network: Network { listen: &arguments.listen },
        keys,
    };
    let head = toml::to_string(&head).unwrap_or_default();
    format!(
        "# This node's own settings; what the partners share is in the charter. Check with: watchfire config check\n{head}{CHAIN_EXAMPLE}"
    )
}

/// The password file as seen from the node directory, so that the directory can be moved with it; absolute when outside.
fn relative(file: &Path, directory: &Path) -> String {
    let whole = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let (file, directory) = (whole(file), whole(directory));
    file.strip_prefix(&directory).unwrap_or(&file).display().to_string()
}

fn summary(directory: &Path, entry: &SignedEntry) -> String {
    let shown = directory.display();
    let mut text = format!(
        "Made {shown} for member {}.\n\nGive this entry to whoever keeps the charter. Its keys signed it; partners check that in\n\
         the JSON form of this answer (--json), kept in a file, with `watchfire charter check CHARTER --entry FILE`:\n\n{}\
         # node_signature = \"{}\"\n",
        entry.member.id, entry.toml, entry.node_signature
    );
    if let Some(signature) = &entry.guardian_signature {
        text.push_str(&format!("# guardian_signature = \"{signature}\"\n"));
    }
    if let Some(submitter) = entry.member.submitter {
        text.push_str(&format!("\nSend gas money for pauses to the submitter {}.", submitter.to_checksum(None)));
    }
    text.push_str(&format!(
        "\nThen put the charter at {shown}/charter.toml, the chains into {shown}/config.toml, and run:\n  watchfire config check \
         --config {shown}/config.toml\n  watchfire run --config {shown}/config.toml"
    ));
    text
}
