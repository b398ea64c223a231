//! `watchfire safe`: domain hash, message hash and safeTxHash of a transaction, and what is to be looked at in a queue; offline.

use std::collections::BTreeSet;
use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde::Serialize;
use watchfire_types::{Address, Bytes, Operation, SafeTransaction, SafeVersion, U256};

use super::output::{CliError, Output, code};
use crate::review::service::queue;
use crate::review::{Reviewed, WatchedSafe, review};
use crate::text_file;

/// What to do about Safe transactions.
#[derive(Debug, Subcommand)]
pub(super) enum SafeCommand {
    /// Print the three hashes that a hardware wallet shows for a Safe transaction, without any network.
    Hash(Box<HashArgs>),
    /// Look at what waits in a Safe's queue before you sign: hashed anew, calls read, signatures recovered. Without any network.
    Review(ReviewArgs),
}

/// A queue, and the Safe as you know it.
#[derive(Debug, Args)]
pub(super) struct ReviewArgs {
    /// What a Safe transaction service answers: its list of multisig-transactions, or one of them; `-` is standard input.
    file: PathBuf,
    /// EIP-155 chain id.
    #[arg(long)]
    chain_id: u64,
    /// The Safe's address, 0x and 40 hex digits.
    #[arg(long, value_parser = address)]
    safe: Address,
    /// Version of the Safe contract, 1.0.0 or later.
    #[arg(long, default_value = "1.5.0", value_parser = version)]
    safe_version: SafeVersion,
    /// An owner of the Safe, as you know it; give all of them. Without any, whose a signature is is told and not judged.
    #[arg(long = "owner", value_name = "ADDRESS", value_parser = address)]
    owners: Vec<Address>,
    /// A contract over which authority is watched: calls that would change it are told.
    #[arg(long = "watch", value_name = "ADDRESS", value_parser = address)]
    watched: Vec<Address>,
}

/// What is answered about a queue.
#[derive(Serialize)]
struct Review {
    transactions: Vec<Reviewed>,
}

/// A Safe transaction as on the Safe's own pages.
#[derive(Debug, Args)]
pub(super) struct HashArgs {
    /// EIP-155 chain id (in the domain since Safe 1.3.0).
    #[arg(long)]
    chain_id: u64,
    /// The Safe's address, 0x and 40 hex digits.
    #[arg(long, value_parser = address)]
    safe: Address,
    /// The account that the Safe calls.
    #[arg(long, value_parser = address)]
    to: Address,
    /// Wei to send, decimal or 0x hex.
    #[arg(long, default_value = "0", value_parser = number)]
    value: U256,
    /// Call data, 0x hex.
    #[arg(long, default_value = "0x", value_parser = data)]
    data: Bytes,
    /// 0 = call, 1 = delegate call.
    #[arg(long, default_value = "0", value_parser = operation)]
    operation: Operation,
    /// The Safe's nonce that the transaction takes, decimal or 0x hex.
    #[arg(long, value_parser = number)]
    nonce: U256,
    /// safeTxGas: gas that the Safe gives to the call; 0 gives all.
    #[arg(long, default_value = "0", value_parser = number)]
    safe_tx_gas: U256,
    /// baseGas: gas beside the call that is refunded.
    #[arg(long, default_value = "0", value_parser = number)]
    base_gas: U256,
    /// gasPrice: wei, or units of the gas token, refunded for each gas; 0 refunds nothing.
    #[arg(long, default_value = "0", value_parser = number)]
    gas_price: U256,
    /// gasToken: the token that refunds are paid in; the zero address is the native coin.
    #[arg(long, default_value = "0x0000000000000000000000000000000000000000", value_parser = address)]
    gas_token: Address,
    /// refundReceiver: who gets the refund; the zero address is whoever sent the transaction.
    #[arg(long, default_value = "0x0000000000000000000000000000000000000000", value_parser = address)]
    refund_receiver: Address,
    /// Version of the Safe contract, 1.0.0 or later.
    #[arg(long, default_value = "1.5.0", value_parser = version)]
    safe_version: SafeVersion,
}

/// All lower or all upper case is taken as it is; mixed case must carry a right EIP-55 checksum.
fn address(text: &str) -> Result<Address, String> {
    let digits = text.strip_prefix("0x").ok_or("an address starts with 0x")?;
    let address: Address = text.parse().map_err(|_| "an address is 0x and 40 hex digits".to_owned())?;
    let mixed = digits.chars().any(|c| c.is_ascii_lowercase()) && digits.chars().any(|c| c.is_ascii_uppercase());
    if mixed && address.to_checksum(None) != text {
        return Err(format!(
            "wrong EIP-55 checksum: a digit may be mistyped (checksummed: {})",
            address.to_checksum(None)
        ));
    }
    Ok(address)
}

fn number(text: &str) -> Result<U256, String> {
    let parsed = match text.strip_prefix("0x") {
        // The parser would skip underscores.
        Some(digits) if !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_hexdigit()) => {
            U256::from_str_radix(digits, 16).ok()
        }
        Some(_) => None,
        None if text.bytes().all(|byte| byte.is_ascii_digit()) && !text.is_empty() => {
            U256::from_str_radix(text, 10).ok()
        }
        None => None,
    };
    parsed.ok_or_else(|| "a number is decimal digits or 0x hex, below 2^256".to_owned())
}

fn data(text: &str) -> Result<Bytes, String> {
    let digits = text.strip_prefix("0x").ok_or("call data starts with 0x")?;
    hex::decode(digits).map(Bytes::from).map_err(|error| format!("call data is not hex: {error}"))
}

fn operation(text: &str) -> Result<Operation, String> {
    match text {
        "0" | "call" => Ok(Operation::Call),
        "1" | "delegatecall" => Ok(Operation::DelegateCall),
        _ => Err("an operation is 0 (call) or 1 (delegate call)".to_owned()),
    }
}

/// `1.MINOR.PATCH`, with a build such as `+L2` perhaps: Safe has published no other major version, and whether a later one
/// hashes in the same way is not known.
fn version(text: &str) -> Result<SafeVersion, String> {
    let number = text.split_once('+').map_or(text, |(number, _)| number);
    let parts: Vec<&str> = number.split('.').collect();
    let plain =
        |part: &&str| part.bytes().all(|byte| byte.is_ascii_digit()) && (part.len() == 1 || !part.starts_with('0'));
    if parts.len() != 3 || parts[0] != "1" || !parts.iter().all(plain) {
        return Err("a version of Safe is 1.MINOR.PATCH as its VERSION() says, such as 1.3.0 or 1.4.1+L2".to_owned());
    }
    text.parse().map_err(|error: watchfire_types::safe_transaction::SafeVersionError| error.to_string())
}

/// Runs a `safe` command.
pub(super) fn run(command: SafeCommand, output: Output) -> Result<u8, CliError> {
    match command {
        SafeCommand::Hash(arguments) => print_hashes(*arguments, output),
        SafeCommand::Review(arguments) => look(arguments, output),
    }
}

fn look(arguments: ReviewArgs, output: Output) -> Result<u8, CliError> {
    let ReviewArgs { file, chain_id, safe, safe_version, owners, watched } = arguments;
    let text = text_file::read(&file)?;
    let waiting = queue(&text).map_err(|error| {
        CliError::failed(format!("{}: {error}; save what the service answers whole", file.display())).of("no-queue")
    })?;
    let safe = WatchedSafe {
        chain_id,
        safe,
        version: safe_version,
        owners: owners.into_iter().collect(),
        watched: watched.into_iter().collect(),
        call_only: BTreeSet::new(),
    };
    let transactions = review(&safe, &waiting);
    let is_quiet = transactions.iter().all(|one| one.concerns.is_empty());
    let lines: Vec<String> = transactions.iter().flat_map(lines).collect();
    let text = if lines.is_empty() { "nothing waits".to_owned() } else { lines.join("\n") };
    output.answer(&text, &Review { transactions })?;
    Ok(if is_quiet { code::OK } else { code::NO })
}

fn lines(reviewed: &Reviewed) -> Vec<String> {
    let Reviewed { safe_tx_hash, nonce, calls, signed, concerns, .. } = reviewed;
    let mut lines = vec![format!("nonce {nonce}  safeTxHash {safe_tx_hash}  signed by {}", signed.len())];
    lines.extend(calls.iter().map(|call| format!("  {} wei to {}: {}", call.value, call.to, call.what)));
    lines.extend(concerns.iter().map(|concern| format!("  LOOK {}: {}", concern.kind, concern.text)));
    lines
}

fn print_hashes(arguments: HashArgs, output: Output) -> Result<u8, CliError> {
    let HashArgs { chain_id, safe, safe_version, operation, .. } = arguments;
    let transaction = SafeTransaction {
        to: arguments.to,
        value: arguments.value,
        data: arguments.data,
        operation,
        safe_tx_gas: arguments.safe_tx_gas,
        base_gas: arguments.base_gas,
        gas_price: arguments.gas_price,
        gas_token: arguments.gas_token,
        refund_receiver: arguments.refund_receiver,
        nonce: arguments.nonce,
    };
    let hashes = transaction.hashes(safe_version, chain_id, safe);
    if operation == Operation::DelegateCall {
        output.progress("warning: a delegate call runs the target's code as the Safe itself; sign it only for a contract you pinned");
    }
    let text = format!(
        "domain hash   {}\nmessage hash  {}\nsafeTxHash    {}",
        hashes.domain_hash, hashes.message_hash, hashes.safe_tx_hash
    );
    output.answer(&text, &hashes)?;
    Ok(code::OK)
}
