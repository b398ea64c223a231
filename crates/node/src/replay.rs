//! Would a step have stopped it? The block at which a finding began, run again with the step's calls in front of its transactions.
//!
//! One operator simulates (`eth_simulateV1`) on the state of the block before: once as it was, then once for each step, always the same
//! transactions under the block's own number and time. What the asset's contracts lose is what the simulated transfers take out of them beyond what
//! they bring. Transactions that fail in one of the two worlds, or cost the asset nothing in the first, have no part in it. Where an operator does not offer that, each transaction
//! is run alone by `eth_call` with state overrides (`composed.rs` says what is poorer about it), and the answer says by which method. It is for people who ask:
//! one operator's word, signed by nobody, kept nowhere, and no vote rests on it.
//!
//! Bounds: [`BLOCKS_MAX`] blocks are looked at, three requests each, and one request a step; [`TRANSACTIONS_MAX`] transactions;
//! [`ANSWER_BYTES_MAX`] an answer. By `eth_call` [`ALONE_MAX`] transactions of a block are looked at, one or two requests each, and one request a step for each that
//! cost something.

mod composed;
mod told;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use watchfire_charter::{Asset, Charter, Condition, PlaybookPurpose, Step};
use watchfire_evm::{ChainClient, RawFault, RawRequest};
use watchfire_types::{Address, AssetId, B256, BlockRef, OperatorId, PlaybookId, Read, StepIndex, U256};

use composed::Held;
use told::{Body, Called, Coins, Made, Outcome, Ran, Reply, Sent, Simulated, digits, summed};

/// Blocks that are looked at for one in which the asset loses something.
const BLOCKS_MAX: usize = 16;
/// Most transactions of a block that is run again.
const TRANSACTIONS_MAX: usize = 1_024;
/// Most transactions of a block that are run alone.
const ALONE_MAX: usize = 64;
/// Longest answer taken, bytes of JSON.
const ANSWER_BYTES_MAX: usize = 64 << 20;
/// How long an operator may take for one request.
const TIMEOUT: Duration = Duration::from_secs(20);
/// A step stopped it where at most this part of every loss is left.
const LEFT_PARTS: u64 = 100;

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Replayed {
    /// The block that was run again, where one was.
    pub(crate) block: Option<BlockRef>,
    /// Whose word it is.
    pub(crate) operator: Option<OperatorId>,
    /// How it was run again.
    pub(crate) method: Option<Method>,
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

/// By what a block is run again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(crate) enum Method {
    /// All of it.
    #[serde(rename = "eth_simulateV1")]
    Simulated,
    /// Each transaction alone, on the state of the block before.
    #[serde(rename = "eth_call")]
    Called,
}

impl Method {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Simulated => "eth_simulateV1",
            Self::Called => "eth_call",
        }
    }
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
                Err(fault) => drop(faults.insert(format!("{operator}: block {}: {}", block.number, fault.text))),
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
        method: None,
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
    /// Where each transaction is run alone: the balances that tell what it costs.
    held: Option<Held>,
}

/// Why an operator gave no answer.
struct Fault {
    /// It does not offer the method.
    missing: bool,
    text: String,
}

impl From<String> for Fault {
    fn from(text: String) -> Self {
        Self { missing: false, text }
    }
}

/// For people and programs.
fn named(coins: &Coins) -> BTreeMap<String, String> {
    let name = |coin: &Address| if coin.is_zero() { "native".to_owned() } else { coin.to_checksum(None) };
    coins.iter().map(|(coin, lost)| (name(coin), lost.to_string())).collect()
}

impl Scene {
    /// Everything that is run in one simulated block: these calls, then the block's own transactions.
    fn payload(&self, before: &[Made], gas: u64) -> Value {
        let transactions = self.body.transactions.iter().map(|sent| json!(sent));
        let made = |made: &Made| {
            let mut call = json!({ "to": made.to, "input": digits(&made.data), "gas": format!("{gas:#x}") });
            if let Some(from) = made.from {
                call["from"] = json!(from);
            }
            call
        };
        let calls: Vec<Value> = before.iter().map(made).chain(transactions).collect();
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
    async fn get<T: DeserializeOwned>(&self, method: &'static str, params: &Value) -> Result<T, Fault> {
        let request = RawRequest::new(method, params);
        let said = self.client.raw(self.operator, &request, ANSWER_BYTES_MAX, TIMEOUT).await;
        let text = said.map_err(|fault| Fault {
            missing: matches!(fault, RawFault::Unsupported(_)),
            text: format!("{method}: {fault}"),
        })?;
        let reply: Reply<T> = serde_json::from_slice(&text).map_err(|error| format!("{method}: {error}"))?;
        Ok(reply.result)
    }

    async fn simulate(&self, scene: &Scene, before: &[Made], gas: u64) -> Result<Vec<Called>, Fault> {
        let mut blocks: Vec<Simulated> = self.get("eth_simulateV1", &scene.payload(before, gas)).await?;
        let calls = blocks.pop().map(|block| block.calls).unwrap_or_default();
        let (wanted, got) = (before.len() + scene.body.transactions.len(), calls.len());
        if got == wanted { Ok(calls) } else { Err(format!("eth_simulateV1: {got} results for {wanted} calls").into()) }
    }

    /// The block run again as it was; an error where it does not cost the asset anything there.
    async fn scene(&self, block: &BlockRef, accounts: &BTreeSet<Address>) -> Result<Scene, Fault> {
        let body: Body = self.get("eth_getBlockByHash", &json!([block.hash, true])).await?;
        let count = body.transactions.len();
        if count > TRANSACTIONS_MAX {
            return Err(format!("it has {count} transactions, and at most {TRANSACTIONS_MAX} are run again").into());
        }
        let outcomes = self.outcomes(block, &body).await?;
        let accounts = accounts.clone();
        let mut scene = Scene { block: *block, body, accounts, at: Vec::new(), lost: Coins::new(), held: None };
        match self.simulate(&scene, &[], 0).await {
            Ok(calls) => {
                let costs = |(at, call): (usize, &Called)| {
                    let succeeded = outcomes.get(at).is_some_and(Outcome::is_done);
                    (succeeded && !call.lost(&scene.accounts).is_empty()).then_some(at)
                };
                scene.at = calls.iter().enumerate().filter_map(costs).collect();
                scene.lost = scene.loss(&calls, 0);
            }
            Err(fault) if fault.missing => self.alone(&mut scene, &outcomes).await?,
            Err(fault) => return Err(fault),
        }
        if scene.lost.is_empty() {
            return Err("no transfer of its transactions, run again, takes anything from the asset".to_owned().into());
        }
        Ok(scene)
    }

    /// What came of the block's transactions, one by one where the operator does not tell all at once.
    async fn outcomes(&self, block: &BlockRef, body: &Body) -> Result<Vec<Outcome>, Fault> {
        match self.get("eth_getBlockReceipts", &json!([block.hash])).await {
            Err(fault) if fault.missing && body.transactions.len() <= ALONE_MAX => {}
            answer => return answer,
        }
        let mut outcomes = Vec::new();
        for sent in &body.transactions {
            outcomes.push(self.get("eth_getTransactionReceipt", &json!([sent.hash])).await?);
        }
        Ok(outcomes)
    }

    /// Runs the block's transactions as they were, each alone: those first that tell of the asset.
    async fn alone(&self, scene: &mut Scene, outcomes: &[Outcome]) -> Result<(), Fault> {
        let logs = outcomes.iter().filter(|outcome| outcome.is_done()).flat_map(|outcome| &outcome.logs);
        let taken = logs.filter(|log| log.takes_from(&scene.accounts)).map(|log| log.address).collect();
        let held = Held::of(&scene.accounts, taken)?;
        let done = outcomes.iter().enumerate().filter(|(_, outcome)| outcome.is_done());
        let (mut first, rest): (Vec<_>, Vec<_>) = done.partition(|(_, outcome)| outcome.concerns(&scene.accounts));
        first.extend(rest);
        for (at, _) in first.into_iter().take(ALONE_MAX) {
            let Some(sent) = scene.body.transactions.get(at) else { continue };
            let came = self.compose(scene, &held, &[], sent).await?;
            if came.done && !came.lost.is_empty() {
                scene.at.push(at);
                scene.lost = summed([std::mem::take(&mut scene.lost), came.lost].into_iter());
            }
        }
        scene.at.sort_unstable();
        scene.held = Some(held);
        Ok(())
    }

    /// A transaction alone, after these calls.
    async fn compose(
        &self,
        scene: &Scene,
        held: &Held,
        front: &[Made],
        sent: &Sent,
    ) -> Result<composed::Outcome, Fault> {
        let parameters = composed::parameters(front, sent, held, scene.block.number.saturating_sub(1))?;
        let answer: Value = self.get("eth_call", &parameters).await?;
        Ok(composed::outcome(front, held, &answer)?)
    }

    /// What came of a step's calls, and what is left of the loss after them.
    async fn after(&self, scene: &Scene, front: &Front<'_>) -> Result<(Vec<Ran>, Coins), Fault> {
        let Some(held) = &scene.held else {
            let calls = self.simulate(scene, &front.calls, front.gas).await?;
            let ran = calls.iter().take(front.calls.len()).map(Called::ran).collect();
            return Ok((ran, scene.loss(&calls, front.calls.len())));
        };
        let (mut ran, mut left) = (Vec::new(), Coins::new());
        for sent in scene.at.iter().filter_map(|at| scene.body.transactions.get(*at)) {
            let came = self.compose(scene, held, &front.calls, sent).await?;
            left = summed([left, came.lost].into_iter());
            ran = came.front;
        }
        Ok((ran, left))
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
            method: Some(if scene.held.is_some() { Method::Called } else { Method::Simulated }),
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
        match self.after(scene, &front).await {
            Ok((ran, left)) => front.judge(scene, &ran, &left, tried),
            Err(fault) => Tried { cause: Some(fault.text), ..tried },
        }
    }
}

/// What is run in front of the block's transactions: what must stay true, the step, and what must stay true once more.
struct Front<'a> {
    stays: Vec<&'a Condition>,
    /// How many calls are the step's own.
    own: usize,
    calls: Vec<Made>,
    /// Gas of each.
    gas: u64,
}

impl<'a> Front<'a> {
    /// Nothing, where not all of the step is on the block's chain.
    fn of(charter: &Charter, block: BlockRef, step: &'a Step) -> Option<Self> {
        let gas = charter.chains.get(&block.chain)?.gas_cap;
        let own = step.actions.iter().map(|action| {
            let safe = charter.safes.get(&action.safe).filter(|_| action.chain == block.chain)?;
            Some(Made { from: Some(safe.address), to: action.target, data: action.calldata.clone() })
        });
        let own: Vec<Made> = own.collect::<Option<_>>()?;
        let stays: BTreeSet<&Condition> = step.actions.iter().flat_map(|action| &action.stays).collect();
        let (mut asked, mut views) = (Vec::new(), Vec::new());
        for condition in stays {
            if let Read::Call { to, data } = &condition.read {
                asked.push(condition);
                views.push(Made { from: None, to: *to, data: data.clone() });
            }
        }
        let calls = views.iter().chain(&own).chain(&views).cloned().collect();
        Some(Self { stays: asked, own: own.len(), calls, gas })
    }

    fn judge(&self, scene: &Scene, ran: &[Ran], left: &Coins, tried: Tried) -> Tried {
        let views = self.stays.len();
        let (before, rest) = ran.split_at(views.min(ran.len()));
        let (own, rest) = rest.split_at(self.own.min(rest.len()));
        let pairs = self.stays.iter().zip(before.iter().zip(rest));
        let breaks = pairs.filter(|(condition, (before, after))| before.says(condition) && !after.says(condition));
        let breaks = breaks.map(|(condition, _)| condition.text.clone()).collect();
        let failed = own.iter().position(|ran| !ran.done);
        if let Some(place) = failed {
            let cause = format!("its call {} of {} would have failed there", place + 1, self.own);
            return Tried { stopped: Stopped::No, lost: named(&scene.lost), cause: Some(cause), ..tried };
        }
        let stopped = if scene.is_stopped(left) { Stopped::Yes } else { Stopped::No };
        Tried { stopped, lost: named(left), breaks, ..tried }
    }
}

#[cfg(test)]
mod tests;
