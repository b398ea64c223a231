//! `charter check --rpc`: what the chain says, and whether each step would succeed now.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use watchfire_charter::live::{Fact, FactSeverity, judge, reads};
use watchfire_charter::{Action, Charter, MemberKind, PlaybookPurpose};
use watchfire_evm::{ChainClient, ChainConfig, ConnectError};
use watchfire_protocol::Machine;
use watchfire_types::duty::{Duty, Preflight};
use watchfire_types::input::{Input, PreflightOutcome};
use watchfire_types::{B256, BlockView, ChainId, Epoch, OperatorId, PlaybookId, Read, ReadOutcome};

use super::finding::{Finding, Severity};
use super::output::{CliError, Output};
use crate::run::now;

/// What is found on the chains that these endpoints serve, faults first, each once; every endpoint must serve one.
pub(super) fn check(charter: &Arc<Charter>, rpc: &[url::Url], output: Output) -> Result<Vec<Finding>, CliError> {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut found = BTreeSet::new();
        let mut judged = BTreeSet::new();
        for url in rpc {
            let (chain, client) = connect(charter, url).await?;
            output.progress(&format!("asking {} about chain {chain}", url.host_str().unwrap_or("the endpoint")));
            found.extend(look(charter, chain, &client).await?);
            judged.insert(chain);
        }
        for chain in charter.chains.keys().filter(|chain| !judged.contains(chain)) {
            let message = "no endpoint given serves this chain of the charter".to_owned();
            found.insert(Finding::warning("not-checked", format!("chain {chain}"), message, "give one with --rpc"));
        }
        Ok(found.into_iter().collect())
    })
}

/// The chain of the charter that this endpoint serves.
async fn connect(charter: &Charter, url: &url::Url) -> Result<(ChainId, Arc<ChainClient>), CliError> {
    let operator: OperatorId = "rpc".parse()?;
    let mut refused = None;
    for chain in charter.chains.keys() {
        match ChainClient::connect(ChainConfig::single(*chain, operator.clone(), url.clone())).await {
            Ok(client) => return Ok((*chain, client)),
            Err(error @ ConnectError::WrongChain { .. }) => refused = Some(error),
            Err(error) => return Err(error.into()),
        }
    }
    Err(refused.map_or_else(|| CliError::failed("the charter names no chain"), Into::into))
}

async fn look(charter: &Arc<Charter>, chain: ChainId, client: &ChainClient) -> Result<Vec<Finding>, CliError> {
    let head = client.latest().await?;
    let mut wanted = reads(charter, chain);
    wanted.extend(watchfire_protocol::reads(charter, chain));
    let answers = client.read_at(head.block, &wanted).await;
    let mut found: Vec<Finding> = judge(charter, chain, &answers).into_iter().map(of_fact).collect();
    let mut open = steps(charter, chain);
    open.retain(|step| {
        let contained = step.is_contained(&answers);
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
    let nobody = Epoch::from_bytes([0; 16]);
    let mut machine = Machine::new(Arc::clone(charter), charter.network_id(), member.clone(), nobody)?;
    let view = BlockView {
        block: head.block,
        parent: B256::ZERO,
        base_fee: head.base_fee,
        logs: Vec::new(),
        reads: answers,
        agreed: BTreeSet::new(),
    };
    let at = now();
    machine.observe(at, &Input::Block(Box::new(view)));
    let mut simulated = BTreeSet::new();
    for duty in machine.owed(at).duties {
        let Duty::Preflight(preflight) = duty else { continue };
        let made = open.iter().filter(|step| step.is_made_by(charter, &preflight));
        let names: Vec<String> = made.map(StepOf::name).collect();
        simulated.extend(names.iter().cloned());
        if !names.is_empty() {
            found.extend(judged(&names.join(", "), &preflight, client.preflight(&preflight).await));
        }
    }
    // Idle nodes simulate the widest step of a playbook: one of its steps stands for all.
    let tried = |step: &StepOf<'_>| {
        open.iter().any(|other| other.playbook == step.playbook && simulated.contains(&other.name()))
    };
    for step in open.iter().filter(|step| !tried(step)) {
        let message = format!("nothing could be simulated at block {}: the Safe cannot be read", head.block.number);
        found.push(Finding::warning("not-simulated", step.name(), message, "see what is said of its Safe"));
    }
    Ok(found)
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
    let assets: Vec<String> = fact.assets.iter().map(ToString::to_string).collect();
    let subject = match fact.safe {
        Some(safe) => format!("safe {safe}"),
        None if assets.is_empty() => format!("chain {}", fact.chain),
        None => assets.join(", "),
    };
    match fact.severity {
        FactSeverity::Fault => {
            Finding::fault(fact.kind, subject, fact.text, "change the chain or the charter, so that both say the same")
        }
        FactSeverity::Warning => Finding::warning(fact.kind, subject, fact.text, ""),
    }
}

/// One step for containment, as far as it acts on one chain.
struct StepOf<'a> {
    playbook: &'a PlaybookId,
    number: usize,
    step: &'a str,
    actions: Vec<&'a Action>,
}

fn steps(charter: &Charter, chain: ChainId) -> Vec<StepOf<'_>> {
    let contain = charter.playbooks.iter().filter(|(_, playbook)| playbook.purpose == PlaybookPurpose::Contain);
    let all = contain.flat_map(|(playbook, of)| {
        of.steps.iter().enumerate().map(move |(index, step)| StepOf {
            playbook,
            number: index + 1,
            step: &step.name,
            actions: step.actions.iter().filter(|action| action.chain == chain).collect(),
        })
    });
    all.filter(|step| !step.actions.is_empty()).collect()
}

impl StepOf<'_> {
    fn name(&self) -> String {
        format!("playbook {} step {} ({})", self.playbook, self.number, self.step)
    }

    fn is_contained(&self, answers: &BTreeMap<Read, ReadOutcome>) -> bool {
        let mut conditions = self.actions.iter().map(|action| &action.postcondition);
        conditions.all(|condition| {
            matches!(answers.get(&condition.read), Some(ReadOutcome::Value(value)) if *value == condition.equals)
        })
    }

    /// Whether the transaction makes this step's calls through its Safe: one call itself, several within a multi-send.
    fn is_made_by(&self, charter: &Charter, preflight: &Preflight) -> bool {
        let safe = |action: &Action| charter.safes.get(&action.safe).map(|safe| safe.address);
        let mut through = self.actions.iter().filter(|action| safe(action) == Some(preflight.safe)).peekable();
        let (to, data) = (preflight.transaction.to, &preflight.transaction.data);
        through.peek().is_some()
            && through.all(|action| {
                let itself = to == action.target && *data == action.calldata;
                let mut packed = action.target.to_vec();
                packed.extend_from_slice(&[0; 32]);
                packed.extend_from_slice(&alloy::primitives::U256::from(action.calldata.len()).to_be_bytes::<32>());
                packed.extend_from_slice(&action.calldata);
                itself || data.windows(packed.len()).any(|window| window == packed)
            })
    }
}
