//! Detector rules: class, outflow, event, watched state.

use std::collections::BTreeMap;

use alloy_dyn_abi::{DynSolType, Specifier};
use alloy_json_abi::Event;
use alloy_primitives::{Address, B256, U256, b256};
use watchfire_types::{Bytes, DetectorId, Read, Severity};

use super::actions::call;
use super::authority;
use super::chains::hash;
use super::elsewhere;
use super::expressions;
use super::fresh;
use super::governance;
use super::measures;
use super::patterns;
use super::playbooks::severity;
use super::rates;
use super::references::{Declared, address, refer, unique};
use crate::call::{Signature, coerce, plain_number};
use crate::model::{Class, Detector, StateExpectation, Watch};
use crate::reader::{Place, Section, Value};

const DETECTORS_MAX: usize = 1024;
const KINDS: &str = "outflow, event, state, authority, leap, invariant, stale, approval-drain, expression, rate, calls, governance, \
     borrowed-votes, thin-market, fresh-code, sister, cross-chain, release or safe-nonce";
pub(super) const WEEK_S: u64 = 7 * 24 * 3600;
pub(super) const MONTH_S: u64 = 30 * 24 * 3600;

/// EIP-1967: keccak-256("eip1967.proxy.implementation") - 1.
const IMPLEMENTATION: B256 = b256!("360894a13ba1a3210667c828492db98dca3e2076cc3735a920a3ca505d382bbc");
/// EIP-1967: keccak-256("eip1967.proxy.admin") - 1.
pub(crate) const ADMIN: B256 = b256!("b53127684a568b3173ae13b9f8a6016e243e63b6e8ee1178d6a717850b5d6103");
/// EIP-1967: keccak-256("eip1967.proxy.beacon") - 1.
const BEACON: B256 = b256!("a3f0ad74e5423aebfd80d3ef4346578335a9a72aeaee59ff6cb3582b35133d50");

/// Detectors, before the severity matrix is asked about them.
#[derive(Debug, Default)]
pub(crate) struct Detectors {
    /// Sound ones; their severity means nothing yet.
    pub(crate) detectors: BTreeMap<DetectorId, Detector>,
    /// Severities that are written at one, and where.
    pub(crate) written: BTreeMap<DetectorId, (Severity, Place)>,
}

/// Reads `[[detector]]`.
pub(crate) fn read(root: &mut Section<'_>, declared: &Declared) -> Detectors {
    let mut all = Detectors::default();
    for mut section in root.sections("detector", DETECTORS_MAX) {
        let id = section.parsed::<DetectorId>("id", "a short name such as vault-outflow");
        if let Some(id) = &id {
            unique(&section, id, &declared.detectors);
        }
        let asset = section.need("asset", "a declared asset's id");
        let asset = asset.and_then(|value| refer(&value, &declared.assets, "asset"));
        let severity = section.get("severity").map_or(Some(None), |value| severity(&value).map(Some));
        let class = class(&mut section);
        let watch = watch(&mut section, declared);
        if class == Some(Some(Class::Decisive)) && watch.as_ref().is_some_and(Watch::never_votes) {
            let message = "what this finds raises attention and never votes: ordinary use can look the same";
            let remedy = "leave class out; let an outflow, invariant or authority rule carry the vote";
            section.log.fault(&section.place_of("class"), "never-votes", message, remedy);
        }
        section.finish();
        let class = || class?.or(watch.as_ref().map(measures::usual_class));
        let unsettled = Severity::Sev1;
        let detector = || Some(Detector { asset: asset?, severity: unsettled, class: class()?, watch: watch.clone()? });
        if let (Some(id), Some(detector), Some(severity)) = (id, detector(), severity) {
            all.written.extend(severity.map(|severity| (id.clone(), (severity, section.place_of("severity")))));
            all.detectors.insert(id, detector);
        }
    }
    all
}

/// The class that is written, if any; the outer `None` is a fault.
pub(super) fn class(section: &mut Section<'_>) -> Option<Option<Class>> {
    let Some(value) = section.get("class") else { return Some(None) };
    match value.text()?.as_str() {
        "decisive" => Some(Some(Class::Decisive)),
        "context" => Some(Some(Class::Context)),
        other => {
            let remedy = "write decisive (may carry a vote) or context (raises attention only)";
            value.fault("unknown-kind", format!("{other:?} is no class of finding"), remedy);
            None
        }
    }
}

fn watch(section: &mut Section<'_>, declared: &Declared) -> Option<Watch> {
    let kind = section.need("kind", KINDS)?;
    match kind.text()?.as_str() {
        "outflow" => outflow(section),
        "event" => event(section),
        "state" => state(section),
        "authority" => authority::authority(section),
        "leap" => measures::leap(section),
        "invariant" => measures::invariant(section),
        "stale" => measures::stale(section),
        "approval-drain" => measures::approval_drain(section),
        "expression" => expressions::expression(section),
        "rate" => rates::rate(section),
        "calls" => patterns::calls(section),
        "governance" => governance::governance(section),
        "borrowed-votes" => governance::borrowed_votes(section),
        "thin-market" => governance::thin_market(section),
        "fresh-code" => fresh::fresh_code(section),
        "sister" => elsewhere::sister(section, declared),
        "cross-chain" => elsewhere::cross_chain(section, declared),
        "release" => elsewhere::release(section, declared),
        "safe-nonce" => safe_nonce(section),
        other => {
            kind.fault("unknown-kind", format!("{other:?} is no kind of detector"), format!("write {KINDS}"));
            None
        }
    }
}

fn safe_nonce(section: &mut Section<'_>) -> Option<Watch> {
    let safe = section.need("safe", "the Safe's address").and_then(|value| address(&value));
    let stands_s = section.number("stands_s", 1..=MONTH_S, "how long the finding stands in seconds");
    Some(Watch::SafeNonce { safe: safe?, stands_s: stands_s? })
}

fn outflow(section: &mut Section<'_>) -> Option<Watch> {
    let token = section.get("token").map_or(Some(None), |value| address(&value).map(Some));
    let window_s = section.number("window_s", 1..=WEEK_S, "the sliding window in seconds of block time");
    let limit = section.get("limit");
    let share = section.get("share_bps");
    if limit.is_none() && share.is_none() {
        let message = "an outflow detector has a limit or a share";
        section.log.fault(&section.at, "no-bound", message, "add limit = \"base units\" or share_bps = 500");
    }
    let limit = limit.map_or(Some(None), |value| {
        let limit = amount(&value)?;
        if limit.is_zero() {
            value.fault("out-of-bounds", "a limit of 0 fires on any movement", "write at least 1");
            return None;
        }
        Some(Some(limit))
    });
    let share_bps = share.map_or(Some(None), |v| v.number(1..=10_000).and_then(|n| u16::try_from(n).ok()).map(Some));
    Some(Watch::Outflow { token: token?, window_s: window_s?, limit: limit?, share_bps: share_bps? })
}

/// A number of base units as decimal text: it may be larger than any TOML integer.
pub(super) fn amount(value: &Value<'_>) -> Option<U256> {
    let text = value.text()?;
    let number = plain_number(&text);
    if number.is_none() {
        let message = format!("{text:?} is no plain number below 2^256");
        value.fault("malformed", message, "write base units in digits, as a string, without unit or separator");
    }
    number
}

fn event(section: &mut Section<'_>) -> Option<Watch> {
    let from = section.need("address", "the emitting contract's address").and_then(|value| address(&value));
    let event = section.need("event", "a signature such as Unpaused(address)").and_then(|value| {
        let text = value.text()?;
        let parsed = Event::parse(&text).ok().filter(|event| event.inputs.iter().all(|input| input.resolve().is_ok()));
        if parsed.is_none() {
            let message = format!("{text:?} is no event, or has a type that Solidity does not have");
            value.fault("bad-event", message, "write such as Unpaused(address)");
        }
        parsed
    });
    let mut topics = BTreeMap::new();
    if let Some(table) = section.get("topics").and_then(|value| value.section()) {
        for (key, value) in table.entries() {
            match key.parse::<u8>().ok().filter(|position| (1..=3).contains(position)) {
                Some(position) => topics.extend(hash(&value).map(|topic| (position, topic))),
                None => value.fault("malformed", format!("{key:?} is no topic position"), "use 1, 2 or 3"),
            }
        }
    }
    let stands_s = section.number("stands_s", 1..=MONTH_S, "how long the finding stands in seconds");
    let event = event?;
    let (topic, event) = (event.selector(), event.signature());
    Some(Watch::Event { address: from?, event, topic, topics, stands_s: stands_s? })
}

/// What a watched read answers.
struct Watched {
    what: String,
    read: Read,
    results: Results,
}

enum Results {
    /// One word in storage, holding an address.
    AddressSlot,
    /// One word in storage, whatever it holds.
    Slot,
    /// Return data of a call.
    Call(Signature),
}

fn state(section: &mut Section<'_>) -> Option<Watch> {
    let target = section.need("target", "the watched contract's address").and_then(|value| address(&value));
    let what = section.need("what", "owner, implementation, admin, beacon, paused, slot or call");
    let watched = what.and_then(|value| watched(section, &value, target));
    let expect = expectation(section, watched.as_ref());
    let stands_s = section.number("stands_s", 1..=MONTH_S, "how long the finding stands in seconds");
    let Watched { what, read, .. } = watched?;
    Some(Watch::State { what, read, expect: expect?, stands_s: stands_s? })
}

fn watched(section: &mut Section<'_>, value: &Value<'_>, target: Option<Address>) -> Option<Watched> {
    let what = value.text()?;
    let slot = |slot| Some((Read::Storage { account: target?, slot }, Results::AddressSlot));
    let view = |text: &str| {
        let signature = Signature::parse(text).ok()?;
        let data = signature.encode(&[]).ok()?;
        Some((Read::Call { to: target?, data }, Results::Call(signature)))
    };
    let (read, results) = match what.as_str() {
        "owner" => view("owner() returns (address)")?,
        "paused" => view("paused() returns (bool)")?,
        "implementation" => slot(IMPLEMENTATION)?,
        "admin" => slot(ADMIN)?,
        "beacon" => slot(BEACON)?,
        "slot" => {
            let slot =
                section.need("slot", "the place in storage, 0x and 64 hex digits").and_then(|value| hash(&value));
            let (slot, account) = slot.zip(target)?;
            return Some(Watched {
                what: format!("slot {slot}"),
                read: Read::Storage { account, slot },
                results: Results::Slot,
            });
        }
        "call" => {
            let (signature, (_, data)) = call(section, "call")?;
            if signature.outputs().is_empty() {
                let at = section.place_of("call");
                let message = format!("{} names no result to watch", signature.canonical());
                section.log.fault(&at, "no-result", message, "add its result type: returns (uint256)");
                return None;
            }
            let read = Read::Call { to: target?, data };
            return Some(Watched { what: signature.with_outputs(), read, results: Results::Call(signature) });
        }
        other => {
            let remedy = "write owner, implementation, admin, beacon, paused, slot or call";
            value.fault("unknown-kind", format!("{other:?} is nothing that can be watched"), remedy);
            return None;
        }
    };
    Some(Watched { what, read, results })
}

fn expectation(section: &mut Section<'_>, watched: Option<&Watched>) -> Option<StateExpectation> {
    let unchanged = section.get("unchanged").map(|value| (value.flag(), value));
    let equals = section.get("equals");
    let (min, max) = (section.get("min"), section.get("max"));
    let forms =
        usize::from(unchanged.is_some()) + usize::from(equals.is_some()) + usize::from(min.is_some() || max.is_some());
    if forms != 1 {
        let message = "a state detector has exactly one of unchanged, equals, or min and max";
        section.log.fault(&section.at, "no-bound", message, "write one of them");
        return None;
    }
    if let Some((flag, value)) = unchanged {
        if flag? {
            return Some(StateExpectation::Unchanged);
        }
        value.fault("malformed", "`unchanged = false` expects nothing", "write true, or another expectation");
        return None;
    }
    if let Some(value) = equals {
        return expected_answer(&value, watched?).map(StateExpectation::Equals);
    }
    let number = number(section, watched?);
    let (low, high) = (bound(min.clone(), number), bound(max, number));
    let expectation = number?.within(low?, high?);
    if let (Some(value), Some((low, high))) = (min, expectation.reversed()) {
        value.fault("out-of-bounds", format!("min {low} is above max {high}"), "swap them");
        return None;
    }
    Some(expectation)
}

/// A number of an answer that bounds can measure.
#[derive(Debug, Clone, Copy)]
pub(super) struct Number {
    /// The word that holds it, 0 first.
    pub(super) word: u16,
    /// Bits of a signed one.
    pub(super) signed: Option<usize>,
    /// Whether it is all there is.
    alone: bool,
}

impl Number {
    fn within(self, min: Option<U256>, max: Option<U256>) -> StateExpectation {
        match self {
            Self { signed: None, alone: true, .. } => StateExpectation::Within { min, max },
            Self { word, signed, .. } => StateExpectation::Number { word, signed: signed.is_some(), min, max },
        }
    }
}

/// The number that bounds measure: the only result of the call, or the one that `result` chooses, 1 first.
fn number(section: &mut Section<'_>, watched: &Watched) -> Option<Number> {
    match &watched.results {
        Results::AddressSlot | Results::Slot => number_of(section, &[]),
        Results::Call(signature) => number_of(section, signature.outputs()),
    }
}

/// The number among these results: the only one, or the one that `result` chooses, 1 first.
pub(super) fn number_of(section: &mut Section<'_>, outputs: &[DynSolType]) -> Option<Number> {
    let index = match section.get("result") {
        None if outputs.len() > 1 => {
            let message = format!("one number is measured, and this answers {} results", outputs.len());
            section.log.fault(&section.at, "not-a-number", message, "choose one: result = 1 is the first");
            return None;
        }
        None => 0,
        Some(value) => {
            let count = u64::try_from(outputs.len()).unwrap_or(u64::MAX).max(1);
            usize::try_from(value.number(1..=count)?).ok()?.saturating_sub(1)
        }
    };
    let signed = match outputs.get(index) {
        Some(DynSolType::Uint(_)) => None,
        Some(DynSolType::Int(bits)) => Some(*bits),
        _ => {
            let message = "a number is measured, and this answers something else";
            let remedy = "name a call that answers a number; a state detector may compare with `equals` or `unchanged`";
            section.log.fault(&section.at, "not-a-number", message, remedy);
            return None;
        }
    };
    let word = outputs.iter().take(index).map(head_words).sum::<usize>();
    Some(Number { word: u16::try_from(word).ok()?, signed, alone: outputs.len() == 1 })
}

/// Words that a result takes in the head of return data: what has a length of its own takes one, for where it stands.
fn head_words(result: &DynSolType) -> usize {
    match result {
        _ if has_length(result) => 1,
        DynSolType::FixedArray(inner, count) => head_words(inner).saturating_mul(*count),
        DynSolType::Tuple(inner) => inner.iter().map(head_words).sum(),
        _ => 1,
    }
}

fn has_length(ty: &DynSolType) -> bool {
    match ty {
        DynSolType::Bytes | DynSolType::String | DynSolType::Array(_) => true,
        DynSolType::FixedArray(inner, _) => has_length(inner),
        DynSolType::Tuple(inner) => inner.iter().any(has_length),
        _ => false,
    }
}

/// One bound as the word that it is compared as; the outer `None` is a fault.
fn bound(value: Option<Value<'_>>, number: Option<Number>) -> Option<Option<U256>> {
    let Some(value) = value else { return Some(None) };
    let Some(bits) = number.and_then(|number| number.signed) else { return amount(&value).map(Some) };
    let text = value.text()?;
    let read = coerce(1, &DynSolType::Int(bits), &text).ok().and_then(|read| read.as_int());
    if read.is_none() {
        let message = format!("{text:?} is no plain number of int{bits}");
        value.fault("malformed", message, "write digits, as a string, with - before a negative number");
    }
    read.map(|(number, _)| Some(number.into_raw()))
}

fn expected_answer(value: &Value<'_>, watched: &Watched) -> Option<Bytes> {
    let texts = match value.peek_text() {
        Some(_) => vec![value.text()?],
        None => value.list(32)?.iter().map(Value::text).collect::<Option<_>>()?,
    };
    let answer = match (&watched.results, texts.as_slice()) {
        (Results::AddressSlot, [text]) => coerce(1, &DynSolType::Address, text).map(|value| value.abi_encode().into()),
        (Results::Slot, [text]) => {
            let kind = if text.len() == 66 { DynSolType::FixedBytes(32) } else { DynSolType::Address };
            coerce(1, &kind, text).map(|value| value.abi_encode().into())
        }
        (Results::AddressSlot | Results::Slot, _) => {
            Signature::parse("slot() returns (address)").and_then(|s| s.encode_outputs(&texts))
        }
        (Results::Call(signature), _) => signature.encode_outputs(&texts),
    };
    answer.map_err(|error| value.fault("bad-call", error, "write a string for each result")).ok()
}
