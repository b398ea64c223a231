//! Actions and conditions: from texts to calls that may be signed and reads that can be compared.

use std::collections::BTreeMap;

use alloy_dyn_abi::{DynSolType, DynSolValue};
use alloy_primitives::Address;
use watchfire_types::{ChainId, DetectorId, Read, SafeId};

use super::chains::{Chains, Safes};
use super::references::{Declared, address, refer, refer_chain};
use crate::call::{CallError, Signature};
use crate::catalogue::{CatalogueError, ENTRIES, Entry, ROLES, inner_of};
use crate::deny::{self, Denied};
use crate::model::{Action, Condition, Detector, PlaybookPurpose};
use crate::reader::{Section, Value};

const QUARTER_S: u64 = 90 * 24 * 3600;

/// What the document said so far.
#[derive(Debug)]
pub(crate) struct Context<'a> {
    pub(crate) declared: &'a Declared,
    pub(crate) chains: &'a Chains,
    pub(crate) safes: &'a Safes,
    pub(crate) detectors: &'a BTreeMap<DetectorId, Detector>,
}

impl Context<'_> {
    /// Whether this address is a Safe of the document, or a pinned MultiSendCallOnly, on this chain (on any, if unknown).
    fn is_own_machinery(&self, chain: Option<ChainId>, target: Address) -> bool {
        let here = |id: ChainId| chain.is_none_or(|chain| chain == id);
        let safe = self.safes.addresses.iter().any(|(id, address)| here(*id) && *address == target);
        let pinned = |(id, chain): (&ChainId, &crate::model::Chain)| {
            here(*id) && chain.multi_send_call_only.is_some_and(|pinned| pinned.address == target)
        };
        safe || self.chains.chains.iter().any(pinned)
    }
}

/// One `[[playbook.step.action]]`.
pub(crate) fn read(
    section: &mut Section<'_>,
    context: &Context<'_>,
    purpose: Option<PlaybookPurpose>,
) -> Option<Action> {
    let chain = section.need("chain", "a declared chain's id").and_then(|value| refer_chain(&value, context.declared));
    let safe = section.need("safe", "a declared Safe's id").and_then(|value| safe_on(&value, context, chain));
    let target = section.need("target", "the called contract's checksummed address").and_then(|value| {
        let target = address(&value)?;
        if context.is_own_machinery(chain, target) {
            let message = format!("{target} is a Safe or its MultiSendCallOnly: calls to them are never signed");
            value.fault("safe-target", message, "name the contract to contain");
            return None;
        }
        Some(target)
    });
    let call = call(section, "function");
    let judged = judged(section, context, chain, call.as_ref(), purpose);
    let delayed_s = section.number_or("delayed_s", 0..=QUARTER_S, 0);
    if purpose == Some(PlaybookPurpose::Contain)
        && let Some(delayed_s) = delayed_s.filter(|delayed_s| *delayed_s > 0)
    {
        let message = format!("the call only schedules: it contains nothing for {delayed_s} s");
        let remedy = "contain by a path without a delay as well, in a step of its own";
        section.log.warn(&section.place_of("delayed_s"), "delayed-step", message, remedy);
    }
    let what = "{ call = \"paused() returns (bool)\", equals = \"true\" }";
    let postcondition = section.need("postcondition", what).and_then(|value| {
        let condition = condition(&value, target)?;
        if purpose == Some(PlaybookPurpose::Contain) && condition.says_released() {
            inverted(&value, &condition, judged.as_deref());
        }
        Some(condition)
    });
    let entries = section.values("stays", 16);
    let stays: Vec<_> = entries.iter().map(|value| condition(value, target)).collect();
    let (call, (_, calldata)) = call?;
    Some(Action {
        chain: chain?,
        safe: safe?,
        target: target?,
        function: call.canonical(),
        calldata,
        catalogue: judged?,
        delayed_s: delayed_s?,
        postcondition: postcondition?,
        stays: stays.into_iter().collect::<Option<_>>()?,
    })
}

/// Reports a containment that would count as done while nothing is stopped. What a project's own view means its author may know better.
fn inverted(value: &Value<'_>, condition: &Condition, catalogue: Option<&str>) {
    let message =
        format!("{} answers so where nothing is contained: the step would count as done before", condition.text);
    let remedy = "expect the answer that holds once the call took effect";
    if catalogue == Some("custom") {
        value.warn("inverted-postcondition", message, remedy);
    } else {
        value.fault("inverted-postcondition", message, remedy);
    }
}

fn safe_on(value: &Value<'_>, context: &Context<'_>, chain: Option<ChainId>) -> Option<SafeId> {
    let id = refer(value, &context.declared.safes, "Safe")?;
    let other =
        context.safes.safes.get(&id).map(|safe| safe.chain).filter(|on| chain.is_some_and(|chain| chain != *on));
    if let Some(other) = other {
        value.fault("wrong-chain", format!("Safe {id} is on chain {other}"), "use a Safe of the action's chain");
        return None;
    }
    Some(id)
}

/// Most arguments of a call.
const ARGUMENTS_MAX: usize = 32;

type Encoded = (Vec<DynSolValue>, watchfire_types::Bytes);

/// A function's text under `key` with `arguments`, resolved and encoded.
pub(crate) fn call(section: &mut Section<'_>, key: &'static str) -> Option<(Signature, Encoded)> {
    let value = section.need(key, "a function such as pause() or paused() returns (bool)");
    let texts = section.get("arguments").map_or(Some(Vec::new()), |value| texts(&value));
    let value = value?;
    let text = value.text()?;
    let remedy = "write each argument as a string of its Solidity type, numbers in base units without a unit";
    let encoded = Signature::parse(&text).and_then(|signature| {
        let Some(texts) = &texts else { return Ok(None) };
        let values = signature.arguments(texts)?;
        let data = signature.encode(&values)?;
        Ok(Some((signature, (values, data))))
    });
    let refused = |error: CallError| match error.argument().and_then(|number| argument(section, number)) {
        Some(argument) => argument.fault("bad-call", error, remedy),
        None => value.fault("bad-call", error, remedy),
    };
    encoded.map_err(refused).ok().flatten()
}

/// One of `arguments`, 1 first, whose list was read before.
fn argument<'a>(section: &mut Section<'a>, number: usize) -> Option<Value<'a>> {
    section.get("arguments")?.list(ARGUMENTS_MAX)?.into_iter().nth(number.checked_sub(1)?)
}

fn texts(value: &Value<'_>) -> Option<Vec<String>> {
    value.list(ARGUMENTS_MAX)?.iter().map(Value::text).collect()
}

/// A postcondition or what must stay; its target is the action's unless it names its own.
fn condition(value: &Value<'_>, target: Option<Address>) -> Option<Condition> {
    let mut section = value.section()?;
    let own = section.get("target").map(|value| address(&value));
    let call = call(&mut section, "call");
    let equals = section.need("equals", "the result that makes it hold").and_then(|value| match value.peek_text() {
        Some(_) => Some(vec![value.text()?]),
        None => texts(&value),
    });
    let at = section.place_of("equals");
    section.finish();
    let (signature, (_, data)) = call?;
    if signature.outputs().is_empty() {
        let message = format!("{} names no result to compare", signature.canonical());
        section.log.fault(&section.place_of("call"), "no-result", message, "add its result type: returns (bool)");
        return None;
    }
    let equals = signature.encode_outputs(&equals?);
    let equals =
        equals.map_err(|error| section.log.fault(&at, "bad-call", error, "write a string for each result")).ok()?;
    let to = own.unwrap_or(target)?;
    Some(Condition { text: signature.with_outputs(), read: Read::Call { to, data }, equals })
}

impl Condition {
    /// Whether a view answers so where nothing is stopped, as far as its name and the one flag that it answers say.
    fn says_released(&self) -> bool {
        let view = Signature::parse(&self.text).ok().filter(|view| matches!(view.outputs(), [DynSolType::Bool]));
        view.is_some_and(|view| deny::says_released(view.name(), self.equals.last() == Some(&1)))
    }
}

/// The catalogue entry under which the call may be signed, or `None` with the reason reported.
fn judged(
    section: &mut Section<'_>,
    context: &Context<'_>,
    chain: Option<ChainId>,
    call: Option<&(Signature, Encoded)>,
    purpose: Option<PlaybookPurpose>,
) -> Option<String> {
    let inner = section.get("inner");
    let value = section.need("catalogue", "an entry of the containment catalogue, \"custom\" or \"recovery\"")?;
    let catalogue = value.text()?;
    let purpose = purpose?;
    let fits = match purpose {
        PlaybookPurpose::Recover => catalogue == "recovery",
        PlaybookPurpose::Contain => catalogue == "custom" || Entry::by_id(&catalogue).is_some(),
    };
    if !fits {
        let entries = ENTRIES.iter().map(|entry| entry.id).collect::<Vec<_>>().join(", ");
        let remedy = match purpose {
            PlaybookPurpose::Recover => "write \"recovery\" in a playbook that recovers".to_owned(),
            PlaybookPurpose::Contain => format!("use \"custom\" or one of: {entries}"),
        };
        value.fault("catalogue", format!("{catalogue:?} is no entry for a playbook of this purpose"), remedy);
        return None;
    }
    let (signature, (arguments, _)) = call?;
    let place = section.place_of("function");
    let verdict = if Entry::by_id(ROLES).is_some_and(|roles| roles.selector() == signature.selector()) {
        through_roles(context, chain, &catalogue, purpose, arguments, inner.as_ref())
    } else {
        if let Some(inner) = &inner {
            inner.fault("unknown-key", "only a call through Zodiac Roles has an inner one", "remove `inner`");
        }
        let disarms = deny::disarms(signature, arguments, |address| context.is_own_machinery(chain, address));
        if disarms { Err(disarmed(signature)) } else { direct(&catalogue, purpose, signature, arguments) }
    };
    match verdict {
        Ok(told) => {
            if told == Told::Unclear && purpose == PlaybookPurpose::Contain {
                let message = format!("nothing in {} says that less can happen after it", signature.canonical());
                let remedy = "read the contract: nobody but you vouches that it goes in the pause direction";
                section.log.warn(&place, "direction-not-known", message, remedy);
            }
            Some(catalogue)
        }
        Err(refusal) => {
            let named = refusal.argument.and_then(|number| argument(section, number));
            let place = named.map_or(place, |argument| argument.at);
            section.log.fault(&place, refusal.kind, refusal.message, refusal.remedy);
            None
        }
    }
}

/// What vouches for the direction of a call that may be signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Told {
    /// The catalogue, or the words of its name.
    Known,
    /// Nothing but its author.
    Unclear,
}

struct Refusal {
    kind: &'static str,
    message: String,
    remedy: &'static str,
    /// The argument that is refused, 1 first; `None` where it is the call itself.
    argument: Option<usize>,
}

impl From<CatalogueError> for Refusal {
    fn from(error: CatalogueError) -> Self {
        let remedy = "write the entry's function with its pinned arguments";
        let argument = match &error {
            CatalogueError::Pinned { index, .. } => Some(*index),
            CatalogueError::OtherFunction { .. } => None,
        };
        Self { kind: "catalogue", message: error.to_string(), remedy, argument }
    }
}

impl From<Denied> for Refusal {
    fn from(denied: Denied) -> Self {
        let message = format!("{denied}: never signed");
        let remedy = match denied {
            Denied::Unpause { .. } => "move it to a playbook with purpose recover",
            _ => "do this outside Watchfire",
        };
        Self { kind: "never-signed", message, remedy, argument: None }
    }
}

fn disarmed(call: &Signature) -> Refusal {
    let message = format!("{} would take the Safe's own power away: never signed", call.canonical());
    Refusal {
        kind: "self-disarm",
        message,
        remedy: "name an account other than the Safe, or do this outside Watchfire",
        argument: None,
    }
}

/// Whether a call that the catalogue knows goes in its direction; `None` where the deny list has to judge it. What the
/// catalogue knows cannot be called `custom` to slip past its pins, and none of it hands anything out in either direction.
fn known(call: &Signature, arguments: &[DynSolValue], purpose: PlaybookPurpose) -> Option<Result<Told, Refusal>> {
    let entry = Entry::by_selector(call.selector())?;
    if purpose == PlaybookPurpose::Contain
        && let Err(error) = entry.pins_hold(arguments)
    {
        return Some(Err(error.into()));
    }
    (entry.function == call.canonical()).then_some(Ok(Told::Known))
}

/// A call that need not be the catalogue's.
fn judge(call: &Signature, arguments: &[DynSolValue], purpose: PlaybookPurpose) -> Result<Told, Refusal> {
    if let Some(verdict) = known(call, arguments, purpose) {
        return verdict;
    }
    deny::judge(call, arguments, purpose)?;
    Ok(if deny::is_known_restraint(call, arguments) { Told::Known } else { Told::Unclear })
}

fn direct(
    catalogue: &str,
    purpose: PlaybookPurpose,
    call: &Signature,
    arguments: &[DynSolValue],
) -> Result<Told, Refusal> {
    if let Some(entry) = Entry::by_id(catalogue) {
        entry.admits(call, arguments)?;
        return Ok(Told::Known);
    }
    judge(call, arguments, purpose)
}

/// The argument of a call through a role that holds the call inside, 1 first.
const INNER: usize = 3;

/// A call through a scoped role is judged at the call inside it, whose name `inner` gives where the catalogue cannot.
fn through_roles(
    context: &Context<'_>,
    chain: Option<ChainId>,
    catalogue: &str,
    purpose: PlaybookPurpose,
    arguments: &[DynSolValue],
    named: Option<&Value<'_>>,
) -> Result<Told, Refusal> {
    // Whatever is wrong inside stands in the data.
    let inside = |refusal: Refusal| Refusal { argument: Some(INNER), ..refusal };
    let refuse = |message: String, remedy| inside(Refusal { kind: "inner-call", message, remedy, argument: None });
    if let Some(roles) = Entry::by_id(ROLES) {
        roles.pins_hold(arguments)?;
    }
    let (target, data) = inner_of(arguments).ok_or_else(|| refuse("no inner call".to_owned(), "name one"))?;
    if context.is_own_machinery(chain, target) {
        return Err(refuse(format!("the inner call goes to {target}, a Safe"), "name the contract to contain"));
    }
    let selector = data.first_chunk::<4>().copied();
    let selector = selector.ok_or_else(|| refuse("the inner call has no selector".to_owned(), "give its call data"))?;
    deny::by_selector(selector).map_err(|denied| inside(denied.into()))?;
    let entry = Entry::by_selector(selector);
    let text = named.and_then(Value::peek_text).or_else(|| entry.map(|entry| entry.function));
    let text = text
        .ok_or_else(|| refuse("the inner call is none of the catalogue".to_owned(), "name its function in `inner`"))?;
    let call = Signature::parse(text).map_err(|error| refuse(error.to_string(), "write such as pause()"))?;
    let arguments = Some(&call).filter(|call| call.selector() == selector).and_then(|call| call.decode(data));
    let arguments = arguments.ok_or_else(|| {
        refuse(
            format!("the inner call data is no {}", call.canonical()),
            "name the function that the data was encoded for",
        )
    })?;
    if deny::disarms(&call, &arguments, |address| context.is_own_machinery(chain, address)) {
        return Err(inside(disarmed(&call)));
    }
    match entry {
        Some(entry) if entry.id == ROLES => {
            Err(refuse("a role calls through another role".to_owned(), "call it directly"))
        }
        None if catalogue == ROLES => {
            Err(refuse(format!("{} is none of the catalogue", call.canonical()), "write \"custom\""))
        }
        Some(_) | None => judge(&call, &arguments, purpose).map_err(inside),
    }
}

#[cfg(test)]
#[path = "actions_tests.rs"]
mod tests;
