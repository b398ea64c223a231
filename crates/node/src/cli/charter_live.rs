//! `charter check --rpc`: what the chain says, and whether each step would succeed now.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use watchfire_charter::live::{Fact, FactSeverity};
use watchfire_charter::{Action, Charter, Document, MemberKind, Playbook, PlaybookPurpose};
use watchfire_evm::{ChainClient, ChainConfig, ConnectError, HeadInfo};
use watchfire_protocol::{Machine, transaction_of};
use watchfire_types::body::{Authority, Decision};
use watchfire_types::duty::{Duty, Postcondition, Preflight};
use watchfire_types::input::{Input, PreflightOutcome};
use watchfire_types::{
    B256, BlockView, ChainId, Epoch, OperatorId, PlaybookId, Read, ReadOutcome, SafeId, StepIndex, U256,
};

use super::finding::{Finding, Severity};
use super::output::{CliError, Output};
use crate::run::now;

/// What is found on the chains that these endpoints serve, faults first, each once; every endpoint must serve one.
pub(super) fn check(document: &Document, rpc: &[url::Url], output: Output) -> Result<Vec<Finding>, CliError> {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let (chains, charter) = (document.chains(), document.charter().cloned().map(Arc::new));
    runtime.block_on(async {
        let mut found = BTreeSet::new();
        let mut judged = BTreeSet::new();
        for url in rpc {
            let host = url.host_str().unwrap_or("the endpoint");
            let asked = async {
                let (chain, client) = connect(&chains, url, None).await?;
                output.progress(&format!("asking {host} about chain {chain}"));
                Ok::<_, CliError>((chain, look(document, charter.as_ref(), chain, &client).await?))
            };
            match asked.await {
                Ok((chain, of_chain)) => {
                    found.extend(of_chain);
                    judged.insert(chain);
                }
                Err(error) => {
                    found.insert(Finding::fault(error.kind, format!("endpoint {host}"), error.message, ""));
                }
            }
        }
        for chain in chains.difference(&judged) {
            let message = "no endpoint given serves this chain of the charter".to_owned();
            found.insert(Finding::warning("not-checked", format!("chain {chain}"), message, "give one with --rpc"));
        }
        Ok(found.into_iter().collect())
    })
}

/// One of these chains, the one that this endpoint serves, asked at most so many times a second, if that is said.
pub(super) async fn connect(
    chains: &BTreeSet<ChainId>,
    url: &url::Url,
    pace: Option<u32>,
) -> Result<(ChainId, Arc<ChainClient>), CliError> {
    let operator: OperatorId = "rpc".parse()?;
    let mut refused = None;
    for chain in chains {
        let mut config = ChainConfig::single(*chain, operator.clone(), url.clone());
        for endpoint in &mut config.endpoints {
            endpoint.requests_per_second = pace.unwrap_or(endpoint.requests_per_second);
        }
        match ChainClient::connect(config).await {
            Ok(client) => return Ok((*chain, client)),
            Err(error @ ConnectError::WrongChain { .. }) => refused = Some(error),
            Err(error) => return Err(error.into()),
        }
    }
    Err(refused.map_or_else(
        || CliError::failed("no chain could be read in the charter; add or mend a [[chain]] section"),
        Into::into,
    ))
}

/// What the chain says of the text as far as it could be read, and, where it is sound, whether each step would succeed now.
async fn look(
    document: &Document,
    charter: Option<&Arc<Charter>>,
    chain: ChainId,
    client: &ChainClient,
) -> Result<Vec<Finding>, CliError> {
    let head = client.latest().await?;
    let mut wanted = document.reads(chain);
    wanted.extend(charter.iter().flat_map(|charter| watchfire_protocol::reads(charter, chain)));
    let answers = client.read_at(head.block, &wanted).await;
    let mut found: Vec<Finding> = document.judge(chain, &answers).into_iter().map(of_fact).collect();
    match charter {
        Some(charter) => found.extend(tried(charter, chain, client, &head, &answers).await?),
        None => {
            let message = "no step is simulated while the text has faults".to_owned();
            let subject = format!("chain {chain}");
            found.push(Finding::warning("not-simulated", subject, message, "mend them and check again"));
        }
    }
    Ok(found)
}

/// Whether each step would succeed now.
async fn tried(
    charter: &Arc<Charter>,
    chain: ChainId,
    client: &ChainClient,
    head: &HeadInfo,
    answers: &BTreeMap<Read, ReadOutcome>,
) -> Result<Vec<Finding>, CliError> {
    let mut found: Vec<Finding> = Vec::new();
    let mut open = steps(charter, chain);
    open.retain(|step| {
        let contained = step.is_contained(answers);
        if contained {
            found.push(Finding {
                severity: Severity::Info,
                kind: "already-contained",
                subject: step.name(),
                message: format!("at block {} all that it would bring about holds already", head.block.number),
                remedy: String::new(),
            });
        }
        !contained
    });
    // A node's own rules say what would be sent now; a guardian with an empty log knows of no attack.
    let Some((member, _)) = charter.members.iter().find(|(_, member)| member.kind == MemberKind::Guardian) else {
        return Ok(found);
    };
    let mut contain = BTreeMap::new();
    let nobody = Epoch::from_bytes([0; 16]);
    let mut machine = Machine::new(Arc::clone(charter), charter.network_id(), member.clone(), nobody)?;
    let view = BlockView {
        block: head.block,
        parent: B256::ZERO,
        base_fee: head.base_fee,
        transactions: Vec::new(),
        logs: Vec::new(),
        reads: answers.clone(),
        agreed: BTreeSet::new(),
        unproved: false,
    };
    let at = now();
    machine.observe(at, &Input::Block(Box::new(view)));
    let mut simulated = BTreeSet::new();
    for duty in machine.owed(at).duties {
        let Duty::Preflight(preflight) = duty else { continue };
        let made: Vec<_> = open.iter().filter(|step| step.is_made_by(charter, answers, &preflight)).collect();
        // Steps come narrowest first: what is left is the widest of each playbook.
        contain.extend(made.iter().map(|step| (step.playbook, preflight.clone())));
        let names: Vec<String> = made.into_iter().map(StepOf::name).collect();
        simulated.extend(names.iter().cloned());
        if !names.is_empty() {
            found.extend(judged(&names.join(", "), &preflight, client.preflight(&preflight).await));
        }
    }
    // A wider step that holds makes narrower ones needless: no node simulates them.
    let covered = |step: &StepOf<'_>| {
        let playbook = charter.playbooks.get(step.playbook);
        let mut wider = playbook.into_iter().flat_map(|playbook| playbook.steps.iter().skip(step.number));
        wider.any(|step| holds(step.actions.iter(), answers))
    };
    for step in open.iter().filter(|step| !simulated.contains(&step.name()) && !covered(step)) {
        let (block, safe) = (head.block.number, step.safe);
        let message = format!("it could not be simulated at block {block}: safe {safe} cannot be read");
        found.push(Finding::warning("not-simulated", step.name(), message, "see what is said of its Safe"));
    }
    found.extend(recoveries(charter, chain, client, &contain).await);
    Ok(found)
}

/// Whether what each asset's widest containment does could be undone: its recovery, simulated on top of it. A node itself simulates a recovery
/// only once there is a containment.
async fn recoveries(
    charter: &Charter,
    chain: ChainId,
    client: &ChainClient,
    contain: &BTreeMap<&PlaybookId, Preflight>,
) -> Vec<Finding> {
    let here = |playbook: &&Playbook| playbook.actions().any(|action| action.chain == chain);
    let of =
        charter.playbooks.iter().filter(|(_, playbook)| playbook.purpose == PlaybookPurpose::Recover && here(playbook));
    let mut found = Vec::new();
    for (id, playbook) in of {
        let before =
            contain.iter().find(|(of, _)| charter.playbooks.get(**of).is_some_and(|of| of.asset == playbook.asset));
        for (index, step) in playbook.steps.iter().enumerate() {
            let subject = format!("playbook {id} step {} ({})", index + 1, step.name);
            let after = before.and_then(|(_, before)| Some((before, undoing(charter, id, playbook, index, before)?)));
            let outcome = match &after {
                Some((before, undoing)) => client.preflight_after(before, undoing).await,
                None => PreflightOutcome::Unknown {
                    reason: "it does not act through the one Safe of a containment that is simulated now".to_owned(),
                },
            };
            match outcome {
                PreflightOutcome::Passes => {}
                PreflightOutcome::Refuted { reason, .. } => {
                    let message = format!("once the widest step has contained {}, it would fail: {reason}", playbook.asset);
                    let remedy = "give the Safe the power to undo what it may do, or mend the step";
                    found.push(Finding::warning("recovery-refuted", subject, message, remedy));
                }
                PreflightOutcome::Unknown { reason } => found.push(Finding {
                    severity: Severity::Info,
                    kind: "recovery-not-simulated",
                    subject,
                    message: reason,
                    remedy: "pause and recover once on a fork of the chain (`anvil --fork-url`), with this charter's Safe and role"
                        .to_owned(),
                }),
            }
        }
    }
    found
}

/// A recovery's step as it would follow a containment; `None` where it does not act through the very Safe alone.
fn undoing(
    charter: &Charter,
    id: &PlaybookId,
    playbook: &Playbook,
    index: usize,
    before: &Preflight,
) -> Option<Preflight> {
    let step = playbook.steps.get(index)?;
    let (_, safe) = charter.safe_at(before.chain, &before.safe)?;
    let whole = |action: &Action| {
        action.chain == before.chain && charter.safes.get(&action.safe).is_some_and(|of| of.address == before.safe)
    };
    if !step.actions.iter().all(whole) {
        return None;
    }
    let decision = Decision { version: charter.version, asset: playbook.asset.clone(), playbook: id.clone() };
    let step_index = StepIndex::new(u8::try_from(index + 1).ok()?);
    let authority = Authority::Step { decision, step: step_index, certificate: B256::ZERO };
    let nonce = before.transaction.nonce.checked_add(U256::ONE)?;
    let of = (before.chain, before.safe);
    let transaction = transaction_of(charter, of, &authority, &BTreeSet::new(), nonce).ok()?;
    let postconditions = step.actions.iter().map(|action| Postcondition {
        chain: action.chain,
        read: action.postcondition.read.clone(),
        equals: action.postcondition.equals.clone(),
    });
    let safe_tx_hash = transaction.hashes(safe.version, before.chain.get(), before.safe).safe_tx_hash;
    let postconditions = postconditions.collect();
    Some(Preflight { transaction, safe_tx_hash, postconditions, ..before.clone() })
}

fn judged(subject: &str, preflight: &Preflight, outcome: PreflightOutcome) -> Option<Finding> {
    let (safe, nonce) = (preflight.safe, preflight.transaction.nonce);
    match outcome {
        PreflightOutcome::Passes => None,
        PreflightOutcome::Refuted { reason, .. } => {
            let message = format!("through safe {safe} at nonce {nonce} it fails now: {reason}");
            Some(Finding::fault("refuted", subject, message, "mend what refuses it, or the step in the charter"))
        }
        PreflightOutcome::Unknown { reason } => {
            let message = format!("through safe {safe} at nonce {nonce}: {reason}");
            Some(Finding::warning("not-simulated", subject, message, "try an endpoint that simulates"))
        }
    }
}

fn of_fact(fact: Fact) -> Finding {
    let remedy = fact.remedy();
    let assets: Vec<String> = fact.assets.iter().map(ToString::to_string).collect();
    let subject = match fact.safe {
        Some(safe) => format!("safe {safe}"),
        None if assets.is_empty() => format!("chain {}", fact.chain),
        None => assets.join(", "),
    };
    match fact.severity {
        FactSeverity::Fault => Finding::fault(fact.kind, subject, fact.text, remedy),
        FactSeverity::Warning => Finding::warning(fact.kind, subject, fact.text, remedy),
    }
}

/// One step for containment, as far as it acts through one Safe: each has its own transaction.
struct StepOf<'a> {
    playbook: &'a PlaybookId,
    /// Counted from 1.
    number: usize,
    step: &'a str,
    safe: &'a SafeId,
    /// Whether the step acts through other Safes too.
    shared: bool,
    actions: Vec<&'a Action>,
}

fn steps(charter: &Charter, chain: ChainId) -> Vec<StepOf<'_>> {
    let contain = charter.playbooks.iter().filter(|(_, playbook)| playbook.purpose == PlaybookPurpose::Contain);
    let all = contain.flat_map(|(playbook, of)| of.steps.iter().enumerate().map(move |step| (playbook, step)));
    let parts = all.flat_map(|(playbook, (index, step))| {
        let safes: BTreeSet<&SafeId> = step.actions.iter().map(|action| &action.safe).collect();
        let shared = safes.len() > 1;
        safes.into_iter().map(move |safe| StepOf {
            playbook,
            number: index + 1,
            step: &step.name,
            safe,
            shared,
            actions: step.actions.iter().filter(|action| action.safe == *safe && action.chain == chain).collect(),
        })
    });
    parts.filter(|part| !part.actions.is_empty()).collect()
}

/// Whether all that these actions would bring about holds already.
fn holds<'a>(mut actions: impl Iterator<Item = &'a Action>, answers: &BTreeMap<Read, ReadOutcome>) -> bool {
    actions.all(|action| {
        let condition = &action.postcondition;
        matches!(answers.get(&condition.read), Some(ReadOutcome::Value(value)) if *value == condition.equals)
    })
}

impl StepOf<'_> {
    fn name(&self) -> String {
        let through = if self.shared { format!(" through safe {}", self.safe) } else { String::new() };
        format!("playbook {} step {} ({}){through}", self.playbook, self.number, self.step)
    }

    fn is_contained(&self, answers: &BTreeMap<Read, ReadOutcome>) -> bool {
        holds(self.actions.iter().copied(), answers)
    }

    /// Whether the transaction makes this step's calls through its Safe, without those that are needless: one call itself,
    /// several within a multi-send.
    fn is_made_by(&self, charter: &Charter, answers: &BTreeMap<Read, ReadOutcome>, preflight: &Preflight) -> bool {
        let address = charter.safes.get(self.safe).map(|safe| safe.address);
        let (to, data) = (preflight.transaction.to, &preflight.transaction.data);
        address == Some(preflight.safe)
            && self.actions.iter().filter(|action| !holds(std::iter::once(**action), answers)).all(|action| {
                let itself = to == action.target && *data == action.calldata;
                let mut packed = action.target.to_vec();
                packed.extend_from_slice(&[0; 32]);
                packed.extend_from_slice(&U256::from(action.calldata.len()).to_be_bytes::<32>());
                packed.extend_from_slice(&action.calldata);
                itself || data.windows(packed.len()).any(|window| window == packed)
            })
    }
}
