//! A chain whose headers hash and whose blocks have six transactions of a kind unknown here, or from [`EMPTY`] on none, and operators that answer about it over HTTP, truly or not.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use alloy::consensus::Header;
use alloy::consensus::constants::EMPTY_ROOT_HASH;
use alloy::consensus::proofs::calculate_receipt_root;
use alloy::primitives::{B256, KECCAK256_EMPTY};
use alloy::rpc::types::TransactionReceipt;
use serde_json::{Value, json};
use watchfire_types::{BlockRef, BlockTime, ChainId};

use crate::evidence::OBJECT_BYTES_MAX;
use crate::evidence::store::digest;

pub(super) const CHAIN: ChainId = ChainId::new(31_337);
/// The first block without transactions.
pub(super) const EMPTY: u64 = 150;

fn header(number: u64) -> Header {
    let parent_hash = if number == 0 { B256::ZERO } else { B256::with_last_byte(1) };
    Header {
        number,
        parent_hash,
        timestamp: 1_800_000_000 + number,
        state_root: EMPTY_ROOT_HASH,
        receipts_root: if number < EMPTY { receipts_root() } else { EMPTY_ROOT_HASH },
        gas_limit: 30_000_000,
        ..Header::default()
    }
}

pub(super) fn block(number: u64) -> BlockRef {
    let header = header(number);
    BlockRef { chain: CHAIN, number, hash: header.hash_slow(), time: BlockTime::from_secs(header.timestamp) }
}

/// The transactions of a block.
pub(super) fn transactions(number: u64) -> [B256; 6] {
    [1, 2, 3, 4, 5, 6].map(|index| B256::left_padding_from(&(number << 8 | index).to_be_bytes()))
}

fn receipts_root() -> B256 {
    let receipts: Vec<TransactionReceipt> = serde_json::from_value(json!(receipts(0, B256::ZERO))).unwrap();
    let receipts: Vec<_> = receipts.into_iter().map(|receipt| receipt.inner.into_primitives_receipt()).collect();
    calculate_receipt_root(&receipts)
}

/// How an operator answers one question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Answers {
    Truly,
    /// A result that is not the block's.
    Falsely,
    /// More bytes than an object may have.
    Endlessly,
    /// A server error.
    Down,
    /// Too many requests: not before an hour.
    Later,
    Pruned,
    Unsupported,
    /// HTTP status 403.
    Forbidden,
    /// As if the block were another one.
    Elsewhere,
    /// To questions by number alone; of another branch, if so.
    ByNumber {
        other_branch: bool,
    },
}

type Conduct = Box<dyn Fn(&str, u64) -> Answers + Send>;

/// An operator; its thread ends with the process.
pub(super) struct Operator {
    pub(super) name: &'static str,
    pub(super) url: String,
    conduct: Arc<Mutex<Conduct>>,
    /// Evidence questions by the digest of their body: method and how often.
    asked: Arc<Mutex<BTreeMap<B256, (String, usize)>>>,
}

impl Operator {
    pub(super) fn start(name: &'static str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let conduct: Arc<Mutex<Conduct>> = Arc::new(Mutex::new(Box::new(|_: &str, _: u64| Answers::Truly)));
        let asked = Arc::new(Mutex::new(BTreeMap::new()));
        let (shared, count) = (Arc::clone(&conduct), Arc::clone(&asked));
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (conduct, asked) = (Arc::clone(&shared), Arc::clone(&count));
                std::thread::spawn(move || drop(serve(stream.unwrap(), &conduct, &asked)));
            }
        });
        Self { name, url, conduct, asked }
    }

    /// Answers so from now on, by method and block.
    pub(super) fn now(&self, conduct: impl Fn(&str, u64) -> Answers + Send + 'static) {
        *self.conduct.lock().unwrap() = Box::new(conduct);
    }

    pub(super) fn forget(&self) {
        self.asked.lock().unwrap().clear();
    }

    pub(super) fn asked(&self) -> BTreeMap<B256, usize> {
        self.asked.lock().unwrap().iter().map(|(request, (_, count))| (*request, *count)).collect()
    }

    pub(super) fn methods(&self) -> Vec<String> {
        self.asked.lock().unwrap().values().map(|(method, _)| method.clone()).collect()
    }
}

fn serve(
    stream: TcpStream,
    conduct: &Mutex<Conduct>,
    asked: &Mutex<BTreeMap<B256, (String, usize)>>,
) -> std::io::Result<()> {
    let mut stream = BufReader::new(stream);
    loop {
        let mut length = 0;
        loop {
            let mut line = String::new();
            match stream.read_line(&mut line)? {
                0 => return Ok(()),
                1 | 2 => break,
                _ => {}
            }
            if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().unwrap();
            }
        }
        let mut body = vec![0; length];
        stream.read_exact(&mut body)?;
        let call: Value = serde_json::from_slice(&body).unwrap();
        let (status, answer) = match &call {
            Value::Array(calls) => {
                (200, Value::Array(calls.iter().map(|call| result(call, Answers::Truly)).collect()).to_string())
            }
            _ => one(&body, &call, conduct, asked),
        };
        let head = format!(
            "HTTP/1.1 {status} X\r\nretry-after: 3600\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
            answer.len()
        );
        stream.get_mut().write_all((head + &answer).as_bytes())?;
    }
}

fn one(
    body: &[u8],
    call: &Value,
    conduct: &Mutex<Conduct>,
    asked: &Mutex<BTreeMap<B256, (String, usize)>>,
) -> (u16, String) {
    let method = call["method"].as_str().unwrap_or_default();
    let mut answers = Answers::Truly;
    let of_evidence = [
        "eth_getBlockByHash",
        "eth_getBlockReceipts",
        "eth_getTransactionReceipt",
        "eth_getLogs",
        "eth_getProof",
        "debug_traceBlockByHash",
    ];
    if of_evidence.contains(&method) {
        asked.lock().unwrap().entry(digest(body)).or_insert_with(|| (method.to_owned(), 0)).1 += 1;
        answers = conduct.lock().unwrap()(method, number_of(call));
    }
    match answers {
        Answers::Down => (503, String::new()),
        Answers::Forbidden => (403, String::new()),
        Answers::Later => (429, String::new()),
        Answers::Endlessly => {
            (200, format!(r#"{{"jsonrpc":"2.0","id":1,"result":"{}"}}"#, "0".repeat(OBJECT_BYTES_MAX)))
        }
        other => (200, result(call, other).to_string()),
    }
}

/// The block that a question is about.
fn number_of(call: &Value) -> u64 {
    let text = call["params"].to_string();
    let by_hash = (0..200).find(|number| text.contains(&block(*number).hash.to_string()));
    let number = || u64::from_str_radix(call["params"][2].as_str()?.trim_start_matches("0x"), 16).ok();
    let by_transaction = || Some(place(call["params"][0].as_str()?)?.0);
    by_hash.or_else(number).or_else(by_transaction).unwrap_or(0)
}

/// Block and index of a transaction.
fn place(transaction: &str) -> Option<(u64, usize)> {
    (0..200).find_map(|number| {
        let index = transactions(number).iter().position(|hash| hash.to_string() == transaction)?;
        Some((number, index))
    })
}

fn result(call: &Value, answers: Answers) -> Value {
    let id = &call["id"];
    let error =
        |code: i64, message: &str| json!({ "jsonrpc": "2.0", "id": id, "error": { "code": code, "message": message } });
    let of = |number: u64| {
        let mut header = serde_json::to_value(header(number)).unwrap();
        header["hash"] = json!(block(number).hash);
        let named = transactions(number).map(|hash| json!({ "hash": hash }));
        header["transactions"] = if number < EMPTY { json!(named) } else { json!([]) };
        header["uncles"] = json!([]);
        header
    };
    let result = match (answers, call["method"].as_str().unwrap()) {
        (Answers::Pruned, _) => return error(-32_000, "missing trie node"),
        (Answers::Unsupported, _) => return error(-32_601, "the method does not exist"),
        (Answers::ByNumber { .. }, "eth_getProof") if call["params"][2].is_object() => {
            return error(-32_602, "cannot unmarshal object into a block number");
        }
        (Answers::Falsely, "eth_getBlockReceipts") => json!(receipts(number_of(call), B256::ZERO)[..1]),
        (_, "eth_chainId") => json!("0x7a69"),
        (_, "eth_getBlockByHash") => of(number_of(call)),
        (_, "eth_getBlockByNumber") => match call["params"][0].as_str().unwrap().strip_prefix("0x") {
            Some(number) => of(u64::from_str_radix(number, 16).unwrap()),
            None => of(130),
        },
        (_, "eth_getBlockReceipts") if number_of(call) >= EMPTY => json!([]),
        (_, "eth_getBlockReceipts") => json!(receipts(number_of(call), block(number_of(call)).hash)),
        (answers, "eth_getTransactionReceipt") => {
            let (number, index) = place(call["params"][0].as_str().unwrap()).unwrap();
            let of = if answers == Answers::Elsewhere { B256::ZERO } else { block(number).hash };
            receipts(number, of)[index].clone()
        }
        (_, "eth_getLogs" | "debug_traceBlockByHash") => json!([]),
        (answers, "eth_getProof") => {
            let balance = if answers == (Answers::ByNumber { other_branch: true }) { "0x1" } else { "0x0" };
            let slots = call["params"][1].as_array().unwrap();
            let slots: Vec<_> = slots.iter().map(|key| json!({ "key": key, "value": "0x0", "proof": [] })).collect();
            json!({
                "address": call["params"][0], "accountProof": [], "balance": balance, "nonce": "0x0", "codeHash": KECCAK256_EMPTY,
                "storageHash": EMPTY_ROOT_HASH, "storageProof": slots,
            })
        }
        (_, method) => return error(-32_601, method),
    };
    json!({ "jsonrpc": "2.0", "id": id, "result": result })
}

pub(super) fn receipts(number: u64, block: B256) -> [Value; 6] {
    let bloom = format!("0x{}", "00".repeat(256));
    let mut gas_used = 0;
    transactions(number).map(|transaction| {
        gas_used += 1;
        json!({
            "type": "0x2", "status": "0x1", "cumulativeGasUsed": format!("{gas_used:#x}"), "logs": [], "logsBloom": bloom,
            "transactionHash": transaction, "transactionIndex": "0x0", "blockHash": block, "blockNumber": format!("{number:#x}"),
            "gasUsed": "0x1", "effectiveGasPrice": "0x1", "from": alloy::primitives::Address::ZERO, "to": null,
            "contractAddress": null
        })
    })
}
