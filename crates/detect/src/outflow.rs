//! Net outflow of one coin from a group of addresses over a sliding window of block time.
//!
//! The outflow of a window is the largest net outflow of any span that ends now and lies in it: a deposit early in the window
//! must not hide a drain that follows it.
//!
//! Measured as the difference of the group's balance at two block hashes, so that internal movement cancels and no token
//! can hide a loss by not logging it. For an ERC-20 (EIP-20) the `Transfer` logs explain the difference; where they do not
//! (a fee-on-transfer or rebasing token, or a lying log), the finding tells by how much they disagree.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use alloy_primitives::{Address, B256, I256, U256, keccak256};
use watchfire_charter::privileged::TRANSFER;
use watchfire_types::{BlockRef, BlockView, Bytes, Log, Read};

use crate::detectors::Evaluation;
use crate::is_settled;

/// Basis points in the whole.
const BPS: u64 = 10_000;

/// Blocks with logs and without an answer that are kept apart.
const UNSAMPLED_MAX: usize = 4_096;

struct Sample {
    block: BlockRef,
    /// Sum over the group, base units.
    balance: U256,
    /// Net outflow of this block by `Transfer` logs, base units; zero for the native coin, which has no logs.
    logged: I256,
}

/// One outflow rule.
pub(crate) struct OutflowWatch {
    group: BTreeSet<Address>,
    token: Option<Address>,
    window_s: u64,
    limit: Option<U256>,
    share_bps: Option<u16>,
    samples: VecDeque<Sample>,
    /// Net outflow by logs of blocks whose balance had no answer, by number: the next sample's difference covers them.
    unsampled: BTreeMap<u64, I256>,
}

impl OutflowWatch {
    pub(crate) fn new(
        group: BTreeSet<Address>,
        token: Option<Address>,
        window_s: u64,
        limit: Option<U256>,
        share_bps: Option<u16>,
    ) -> Self {
        Self { group, token, window_s, limit, share_bps, samples: VecDeque::new(), unsampled: BTreeMap::new() }
    }

    pub(crate) fn window_s(&self) -> u64 {
        self.window_s
    }

    pub(crate) fn reads(&self) -> impl Iterator<Item = Read> {
        self.group.iter().map(|account| self.read(*account))
    }

    fn read(&self, account: Address) -> Read {
        holding_read(self.token, account)
    }

    /// The token, and the first topic of its transfers; nothing for the native coin, which has no logs.
    pub(crate) fn key(&self) -> Option<(Address, B256)> {
        Some((self.token?, TRANSFER))
    }

    /// Takes a block with those of its logs that have [`Self::key`], in order; others among them do no harm.
    pub(crate) fn observe<'a>(
        &mut self,
        view: &BlockView,
        logs: impl Iterator<Item = &'a Log>,
        floor: Option<&BlockRef>,
    ) -> Evaluation {
        if self.samples.back().is_some_and(|newest| newest.block.number >= view.block.number) {
            return Evaluation::Unknown;
        }
        let logged = self.logged(logs);
        let Some(balance) = self.balance(view) else {
            if logged != I256::ZERO {
                self.keep_unsampled(view.block.number, logged);
            }
            return Evaluation::Unknown;
        };
        self.samples.push_back(Sample { block: view.block, balance, logged });
        self.forget(&view.block);
        self.evaluate(floor)
    }

    pub(crate) fn rollback(&mut self, to: &BlockRef) {
        while self.samples.back().is_some_and(|sample| sample.block.number > to.number) {
            self.samples.pop_back();
        }
        self.unsampled.retain(|number, _| *number <= to.number);
    }

    /// The two oldest of too many become one, far below any reorg. Before the first sample there is nothing to explain.
    fn keep_unsampled(&mut self, number: u64, logged: I256) {
        if self.samples.is_empty() {
            return;
        }
        self.unsampled.insert(number, logged);
        if self.unsampled.len() > UNSAMPLED_MAX
            && let Some((_, oldest)) = self.unsampled.pop_first()
            && let Some(mut next) = self.unsampled.first_entry()
        {
            *next.get_mut() = next.get().saturating_add(oldest);
        }
    }

    /// Sum over the group; `None` when any part has no answer or the sum leaves 256 bits.
    pub(crate) fn balance(&self, view: &BlockView) -> Option<U256> {
        self.group.iter().try_fold(U256::ZERO, |sum, account| {
            let part = view.reads.get(&self.read(*account))?.word()?;
            sum.checked_add(part)
        })
    }

    /// What the group held at this block, if it is the newest one and was read.
    pub(crate) fn held(&self, block: &BlockRef) -> Option<U256> {
        self.samples.back().filter(|newest| newest.block == *block).map(|newest| newest.balance)
    }

    pub(crate) fn token(&self) -> Option<Address> {
        self.token
    }

    fn logged<'a>(&self, logs: impl Iterator<Item = &'a Log>) -> I256 {
        let Some(token) = self.token else {
            return I256::ZERO;
        };
        let mut net = I256::ZERO;
        for log in logs.filter(|log| log.address == token) {
            let [TRANSFER, from, to] = log.topics[..] else { continue };
            if log.data.len() != 32 {
                continue;
            }
            let amount = I256::try_from(U256::from_be_slice(&log.data)).unwrap_or(I256::MAX);
            let (from, to) = (Address::from_word(from), Address::from_word(to));
            net = match (self.group.contains(&from), self.group.contains(&to)) {
                (true, false) => net.saturating_add(amount),
                (false, true) => net.saturating_sub(amount),
                (true, true) | (false, false) => net,
            };
        }
        net
    }

    /// Keeps the window of every head that a reorg may leave, and the block that it starts from.
    fn forget(&mut self, head: &BlockRef) {
        let settled = self.samples.iter().rev().find(|sample| is_settled(&sample.block, head));
        let Some(settled) = settled.map(|sample| sample.block.time.as_secs()) else { return };
        let starts = settled.saturating_sub(self.window_s);
        while self.samples.get(1).is_some_and(|second| second.block.time.as_secs() <= starts) {
            self.samples.pop_front();
        }
        if let Some(oldest) = self.samples.front() {
            self.unsampled = self.unsampled.split_off(&oldest.block.number);
        }
    }

    fn evaluate(&self, floor: Option<&BlockRef>) -> Evaluation {
        let Some(now) = self.samples.back() else {
            return Evaluation::Unknown;
        };
        let starts = now.block.time.as_secs().saturating_sub(self.window_s);
        let allowed = |sample: &&Sample| floor.is_none_or(|floor| sample.block.number >= floor.number);
        let in_window = |sample: &&Sample| sample.block.time.as_secs() > starts;
        // The newest block at or before the window's start is what the window starts from.
        let start = self.samples.iter().rev().filter(allowed).find(|sample| !in_window(sample));
        let within = self.samples.iter().filter(allowed).filter(in_window);
        let base = start.into_iter().chain(within).max_by_key(|sample| sample.balance);
        let Some(base) = base else {
            return Evaluation::Quiet;
        };
        let outflow = base.balance.saturating_sub(now.balance);
        let over_limit = self.limit.is_some_and(|limit| outflow > limit);
        let over_share = self.share_bps.is_some_and(|share| exceeds_share(outflow, base.balance, share));
        if !over_limit && !over_share {
            return Evaluation::Quiet;
        }
        let logged = self
            .samples
            .iter()
            .filter(|sample| sample.block.number > base.block.number)
            .map(|sample| sample.logged)
            .chain(self.unsampled.range(base.block.number..).map(|(_, logged)| *logged))
            .fold(I256::ZERO, I256::saturating_add);
        self.fires(base, now, outflow, logged)
    }

    fn fires(&self, base: &Sample, now: &Sample, outflow: U256, logged: I256) -> Evaluation {
        let span = now.block.time.secs_since(base.block.time);
        let unit = self.token.map_or_else(|| "wei".to_owned(), |token| format!("base units of {token}"));
        let mut reasons = Vec::new();
        let mut figures = BTreeMap::from([
            ("outflow".to_owned(), outflow.to_string()),
            ("balance_before".to_owned(), base.balance.to_string()),
            ("balance_now".to_owned(), now.balance.to_string()),
            ("from_block".to_owned(), base.block.number.to_string()),
            ("window_s".to_owned(), self.window_s.to_string()),
        ]);
        if let Some(limit) = self.limit {
            reasons.push(format!("limit {limit}"));
            figures.insert("limit".to_owned(), limit.to_string());
        }
        if let Some(share) = self.share_bps {
            reasons.push(format!("limit {share} bps of the balance"));
            figures.insert("share_bps".to_owned(), share.to_string());
        }
        let mut explanation = format!(
            "net outflow {outflow} {unit} in {span} s (block {} to {}): {} before, {} now; {}",
            base.block.number,
            now.block.number,
            base.balance,
            now.balance,
            reasons.join(", "),
        );
        if self.token.is_some() {
            figures.insert("transfer_logs".to_owned(), logged.to_string());
            let measured = I256::try_from(outflow).unwrap_or(I256::MAX);
            if logged == measured {
                explanation.push_str("; Transfer logs agree");
            } else {
                let gap = measured.saturating_sub(logged);
                explanation.push_str(&format!("; Transfer logs disagree by {gap}"));
                figures.insert("unexplained".to_owned(), gap.to_string());
            }
        }
        Evaluation::Fires { explanation, figures }
    }
}

/// Whether `part` is more than `share` basis points of `whole`, without overflow or rounding: part x 10000 > whole x share.
fn exceeds_share(part: U256, whole: U256, share: u16) -> bool {
    let left = part.widening_mul::<256, 4, 512, 8>(U256::from(BPS));
    let right = whole.widening_mul::<256, 4, 512, 8>(U256::from(share));
    left > right
}

/// The read that answers what an account holds of a token, or of the native coin.
pub(crate) fn holding_read(token: Option<Address>, account: Address) -> Read {
    match token {
        None => Read::Balance { account },
        Some(token) => Read::Call { to: token, data: balance_of(account) },
    }
}

/// Call data of `balanceOf(address)` (EIP-20).
fn balance_of(account: Address) -> Bytes {
    let selector = keccak256(b"balanceOf(address)");
    [&selector[..4], account.into_word().as_slice()].concat().into()
}
