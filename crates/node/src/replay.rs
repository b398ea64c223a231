//! Would a step have stopped it? The block at which a finding began, run again with the step's calls in front of its transactions.
//!
//! One operator simulates (`eth_simulateV1`) on the state of the block before: once as it was, then once for each step, always the same
//! transactions under the block's own number and time. What the asset's contracts lose is what the simulated transfers take out of them beyond what
//! they bring. Transactions that fail in one of the two worlds, or cost the asset nothing in the first, have no part in it. It is for people who ask:
//! one operator's word, signed by nobody, kept nowhere, and no vote rests on it.
//!
//! Bounds: [`BLOCKS_MAX`] blocks are looked at, three requests each, and one request a step; [`TRANSACTIONS_MAX`] transactions;
//! [`ANSWER_BYTES_MAX`] an answer.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use watchfire_charter::{Asset, Charter, Condition, PlaybookPurpose, Step};
use watchfire_evm::{ChainClient, RawRequest};
use watchfire_types::{Address, AssetId, B256, BlockRef, OperatorId, PlaybookId, Read, StepIndex, U256};

/// Blocks that are looked at for one in which the asset loses something.
const BLOCKS_MAX: usize = 16;
/// Most transactions of a block that is run again.
const TRANSACTIONS_MAX: usize = 1_024;
/// Longest answer taken, bytes of JSON.
const ANSWER_BYTES_MAX: usize = 64 << 20;
/// How long an operator may take for one request.
const TIMEOUT: Duration = Duration::from_secs(20);
/// A step stopped it where at most this part of every loss is left.
const LEFT_PARTS: u64 = 100;
/// `Transfer(address,address,uint256)`.
const TRANSFER: B256 = watchfire_charter::privileged::TRANSFER;
/// What native coin that moves is said to be emitted by, where a simulation traces transfers.
const NATIVE: Address = Address::repeat_byte(0xee);

/// Base units by coin; the zero address is the native one.
type Coins = BTreeMap<Address, U256>;

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Replayed {
    /// The block that was run again, where one was.
    pub(crate) block: Option<BlockRef>,
    /// Whose word it is.
    pub(crate) operator: Option<OperatorId>,
    /// Transactions of the block that cost the asset something.
    pub(crate) transactions: Vec<B256>,
    /// What they take from the asset, by coin; `native` is the chain's own.
    pub(crate) lost: BTreeMap<String, String>,
    /// Every step that contains the asset, by playbook, narrowest first.
    pub(crate) steps: Vec<Tried>,
    /// Why nothing can be said, where nothing can.
    pub(crate) unknown: Option<String>,
}

/// What is known of a step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Tried {
    /// Playbook.
    pub(crate) playbook: PlaybookId,
    /// Step.
    pub(crate) step: StepIndex,
    /// Its name for people.
    pub(crate) name: String,
    /// Whether the loss would not have been.
    pub(crate) stopped: Stopped,
    /// What would have been lost all the same, by coin.
    pub(crate) lost: BTreeMap<String, String>,
    /// Why it is no, or not known.
    pub(crate) cause: Option<String>,
    /// Its harm: what the charter says must stay true after it, held before, and would not have held any more.
    pub(crate) breaks: Vec<String>,
}

/// Whether a step would have stopped it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Stopped {
    Yes,
    No,
    Unknown,
}

impl Stopped {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Yes => "yes",
            Self::No => "no",
            Self::Unknown => "unknown",
        }
    }
}

/// Runs the first of these blocks again in which the asset loses something, as the first operator tells it that can.
pub(crate) async fn replay(
    client: &ChainClient,
    charter: &Charter,
    asset: &AssetId,
    blocks: &BTreeSet<BlockRef>,
) -> Replayed {
    let mut faults = BTreeSet::new();
    let Some(of) = charter.assets.get(asset) else { return unknown(format!("the charter has no asset {asset}")) };
    for operator in client.evidence_operators() {
        let asked = Asked { client, operator: &operator };
        for block in blocks.iter().take(BLOCKS_MAX) {
            match asked.scene(block, &accounts(of)).await {
                Ok(scene) => return asked.steps(&scene, charter, asset).await,
                Err(fault) => drop(faults.insert(format!("{operator}: block {}: {fault}", block.number))),
            }
        }
    }
    let faults: Vec<String> = faults.into_iter().collect();
    unknown(if faults.is_empty() { "no finding of a rule names a block of it".to_owned() } else { faults.join("; ") })
}

fn unknown(cause: String) -> Replayed {
    Replayed {
        block: None,
        operator: None,
        transactions: Vec::new(),
        lost: BTreeMap::new(),
        steps: Vec::new(),
        unknown: Some(cause),
    }
}

fn accounts(asset: &Asset) -> BTreeSet<Address> {
    asset.contracts.union(&asset.internal).copied().collect()
}

/// One operator.
struct Asked<'a> {
    client: &'a ChainClient,
    operator: &'a OperatorId,
}

/// A block as it was, and what it cost.
struct Scene {
    block: BlockRef,
    body: Body,
    accounts: BTreeSet<Address>,
    /// Places of the transactions that cost the asset something.
    at: Vec<usize>,
    lost: Coins,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Body {
    number: Value,
    timestamp: Value,
    gas_limit: U256,
    #[serde(default)]
    miner: Option<Value>,
    #[serde(default)]
    mix_hash: Option<Value>,
    transactions: Vec<Sent>,
}

/// A transaction, as it is sent again.
#[derive(Deserialize, Serialize)]
struct Sent {
    #[serde(skip_serializing)]
    hash: B256,
    from: Address,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    to: Option<Address>,
    #[serde(default)]
    value: U256,
    #[serde(default)]
    input: Value,
    gas: Value,
}

#[derive(Deserialize)]
struct Outcome {
    #[serde(default)]
    status: Option<U256>,
}

#[derive(Deserialize)]
struct Simulated {
    calls: Vec<Called>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Called {
    status: U256,
    #[serde(default)]
    return_data: Value,
    #[serde(default)]
    logs: Vec<Moved>,
}

#[derive(Deserialize)]
struct Moved {
    address: Address,
    topics: Vec<B256>,
    #[serde(default)]
    data: Value,
}

#[derive(Deserialize)]
struct Reply<T> {
    result: T,
}

impl Called {
    fn is_done(&self) -> bool {
        !self.status.is_zero()
    }

    /// Whether it answered just this.
    fn says(&self, condition: &Condition) -> bool {
        self.is_done() && bytes(&self.return_data).is_some_and(|answer| answer == condition.equals[..])
    }

    /// What these accounts lose by it; a call that fails moves nothing, whatever it is said to log.
    fn lost(&self, accounts: &BTreeSet<Address>) -> Coins {
        let mut flows: BTreeMap<Address, (U256, U256)> = BTreeMap::new();
        for log in self.logs.iter().filter(|_| self.is_done()) {
            let [TRANSFER, from, to] = log.topics[..] else { continue };
            let amount = bytes(&log.data).filter(|data| data.len() == 32).map(|data| U256::from_be_slice(&data));
            let coin = if log.address == NATIVE { Address::ZERO } else { log.address };
            let (from, to) = (Address::from_word(from), Address::from_word(to));
            let (out, into) = flows.entry(coin).or_default();
            let amount = amount.unwrap_or_default();
            match (accounts.contains(&from), accounts.contains(&to)) {
                (true, false) => *out = out.saturating_add(amount),
                (false, true) => *into = into.saturating_add(amount),
                (true, true) | (false, false) => {}
            }
        }
        let lost = flows.into_iter().map(|(coin, (out, into))| (coin, out.saturating_sub(into)));
        lost.filter(|(_, lost)| !lost.is_zero()).collect()
    }
}

fn bytes(value: &Value) -> Option<Vec<u8>> {
    hex::decode(value.as_str()?.strip_prefix("0x")?).ok()
}

fn summed(all: impl Iterator<Item = Coins>) -> Coins {
    let mut sum = Coins::new();
    for (coin, lost) in all.flatten() {
        let of = sum.entry(coin).or_default();
        *of = of.saturating_add(lost);
    }
    sum
}

/// For people and programs.
fn named(coins: &Coins) -> BTreeMap<String, String> {
    let name = |coin: &Address| if coin.is_zero() { "native".to_owned() } else { coin.to_checksum(None) };
    coins.iter().map(|(coin, lost)| (name(coin), lost.to_string())).collect()
}

impl Scene {
    /// Everything that is run in one simulated block: these calls, then the block's own transactions.
    fn payload(&self, before: &[Value], gas: u64) -> Value {
        let transactions = self.body.transactions.iter().map(|sent| json!(sent));
        let calls: Vec<Value> = before.iter().cloned().chain(transactions).collect();
        let room = U256::from(gas).saturating_mul(U256::from(before.len()));
        let mut overrides = json!({
            "number": self.body.number,
            "time": self.body.timestamp,
            "gasLimit": format!("{:#x}", self.body.gas_limit.saturating_mul(U256::from(2)).saturating_add(room)),
            "baseFeePerGas": "0x0",
        });
        for (key, value) in [("feeRecipient", &self.body.miner), ("prevRandao", &self.body.mix_hash)] {
            overrides[key] = json!(value);
        }
        json!([
            {
                "blockStateCalls": [{ "blockOverrides": overrides, "calls": calls }],
                "validation": false,
                "traceTransfers": true,
            },
            format!("{:#x}", self.block.number.saturating_sub(1)),
        ])
    }

    /// What the transactions that cost something cost now, after so many calls in front.
    fn loss(&self, calls: &[Called], before: usize) -> Coins {
        summed(self.at.iter().filter_map(|at| calls.get(before + at)).map(|call| call.lost(&self.accounts)))
    }

    /// Whether a hundredth of every loss at most is left.
    fn is_stopped(&self, left: &Coins) -> bool {
        self.lost.iter().all(|(coin, lost)| {
            let left = left.get(coin).copied().unwrap_or_default();
            left.checked_mul(U256::from(LEFT_PARTS)).is_some_and(|left| left <= *lost)
        })
    }
}

impl Asked<'_> {
    async fn get<T: DeserializeOwned>(&self, method: &'static str, params: &Value) -> Result<T, String> {
        let request = RawRequest::new(method, params);
        let said = self.client.raw(self.operator, &request, ANSWER_BYTES_MAX, TIMEOUT).await;
        let text = said.map_err(|fault| format!("{method}: {fault}"))?;
        let reply: Reply<T> = serde_json::from_slice(&text).map_err(|error| format!("{method}: {error}"))?;
        Ok(reply.result)
    }

    async fn simulate(&self, scene: &Scene, before: &[Value], gas: u64) -> Result<Vec<Called>, String> {
        let mut blocks: Vec<Simulated> = self.get("eth_simulateV1", &scene.payload(before, gas)).await?;
        let calls = blocks.pop().map(|block| block.calls).unwrap_or_default();
        let (wanted, got) = (before.len() + scene.body.transactions.len(), calls.len());
        if got == wanted { Ok(calls) } else { Err(format!("eth_simulateV1: {got} results for {wanted} calls")) }
    }

    /// The block run again as it was; an error where it does not cost the asset anything there.
    async fn scene(&self, block: &BlockRef, accounts: &BTreeSet<Address>) -> Result<Scene, String> {
        let body: Body = self.get("eth_getBlockByHash", &json!([block.hash, true])).await?;
        let count = body.transactions.len();
        if count > TRANSACTIONS_MAX {
            return Err(format!("it has {count} transactions, and at most {TRANSACTIONS_MAX} are run again"));
        }
        let outcomes: Vec<Outcome> = self.get("eth_getBlockReceipts", &json!([block.hash])).await?;
        let accounts = accounts.clone();
        let mut scene = Scene { block: *block, body, accounts, at: Vec::new(), lost: Coins::new() };
        let calls = self.simulate(&scene, &[], 0).await?;
        let costs = |(at, call): (usize, &Called)| {
            let succeeded = outcomes.get(at).and_then(|outcome| outcome.status).is_some_and(|status| !status.is_zero());
            (succeeded && !call.lost(&scene.accounts).is_empty()).then_some(at)
        };
        scene.at = calls.iter().enumerate().filter_map(costs).collect();
        scene.lost = scene.loss(&calls, 0);
        if scene.lost.is_empty() {
            return Err("no transfer of its transactions, run again, takes anything from the asset".to_owned());
        }
        Ok(scene)
    }

    async fn steps(&self, scene: &Scene, charter: &Charter, asset: &AssetId) -> Replayed {
        let mut steps = Vec::new();
        let contain = charter.playbooks_of(asset).filter(|(_, of)| of.purpose == PlaybookPurpose::Contain);
        for (playbook, of) in contain {
            for (step, number) in of.steps.iter().zip(1..) {
                let tried = Tried {
                    playbook: playbook.clone(),
                    step: StepIndex::new(number),
                    name: step.name.clone(),
                    stopped: Stopped::Unknown,
                    lost: BTreeMap::new(),
                    cause: None,
                    breaks: Vec::new(),
                };
                steps.push(self.step(scene, charter, step, tried).await);
            }
        }
        Replayed {
            block: Some(scene.block),
            operator: Some(self.operator.clone()),
            transactions: scene.at.iter().filter_map(|at| Some(scene.body.transactions.get(*at)?.hash)).collect(),
            lost: named(&scene.lost),
            steps,
            unknown: None,
        }
    }

    async fn step(&self, scene: &Scene, charter: &Charter, step: &Step, tried: Tried) -> Tried {
        let Some(front) = Front::of(charter, scene.block, step) else {
            let cause = format!("it acts on more than chain {}", scene.block.chain);
            return Tried { cause: Some(cause), ..tried };
        };
        match self.simulate(scene, &front.calls, front.gas).await {
            Ok(calls) => front.judge(scene, &calls, tried),
            Err(cause) => Tried { cause: Some(cause), ..tried },
        }
    }
}

/// What is run in front of the block's transactions: what must stay true, the step, and what must stay true once more.
struct Front<'a> {
    stays: Vec<&'a Condition>,
    /// How many calls are the step's own.
    own: usize,
    calls: Vec<Value>,
    /// Gas of each.
    gas: u64,
}

impl<'a> Front<'a> {
    /// Nothing, where not all of the step is on the block's chain.
    fn of(charter: &Charter, block: BlockRef, step: &'a Step) -> Option<Self> {
        let gas = charter.chains.get(&block.chain)?.gas_cap;
        let own = step.actions.iter().map(|action| {
            let safe = charter.safes.get(&action.safe).filter(|_| action.chain == block.chain)?;
            let data = format!("0x{}", hex::encode(&action.calldata));
            Some(json!({ "from": safe.address, "to": action.target, "input": data, "gas": format!("{gas:#x}") }))
        });
        let own: Vec<Value> = own.collect::<Option<_>>()?;
        let stays: BTreeSet<&Condition> = step.actions.iter().flat_map(|action| &action.stays).collect();
        let (mut asked, mut views) = (Vec::new(), Vec::new());
        for condition in stays {
            if let Read::Call { to, data } = &condition.read {
                asked.push(condition);
                let data = format!("0x{}", hex::encode(data));
                views.push(json!({ "to": to, "input": data, "gas": format!("{gas:#x}") }));
            }
        }
        let calls = views.iter().chain(&own).chain(&views).cloned().collect();
        Some(Self { stays: asked, own: own.len(), calls, gas })
    }

    fn judge(&self, scene: &Scene, calls: &[Called], tried: Tried) -> Tried {
        let views = self.stays.len();
        let (before, rest) = calls.split_at(views.min(calls.len()));
        let (own, rest) = rest.split_at(self.own.min(rest.len()));
        let pairs = self.stays.iter().zip(before.iter().zip(rest));
        let breaks = pairs.filter(|(condition, (before, after))| before.says(condition) && !after.says(condition));
        let breaks = breaks.map(|(condition, _)| condition.text.clone()).collect();
        let left = scene.loss(calls, self.calls.len());
        let failed = own.iter().position(|call| !call.is_done());
        if let Some(place) = failed {
            let cause = format!("its call {} of {} would have failed there", place + 1, self.own);
            return Tried { stopped: Stopped::No, lost: named(&scene.lost), cause: Some(cause), ..tried };
        }
        let stopped = if scene.is_stopped(&left) { Stopped::Yes } else { Stopped::No };
        Tried { stopped, lost: named(&left), breaks, ..tried }
    }
}

#[cfg(test)]
mod tests;
