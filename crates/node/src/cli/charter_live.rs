//! `charter check --rpc`: what the chain says, and whether each step would succeed now.

use std::collections::BTreeMap;
use std::sync::Arc;

use watchfire_charter::live::{judge, reads};
use watchfire_charter::{Charter, MemberKind};
use watchfire_evm::{ChainClient, ChainConfig, ConnectError};
use watchfire_protocol::Machine;
use watchfire_types::duty::Duty;
use watchfire_types::input::{Input, PreflightOutcome};
use watchfire_types::{B256, BlockView, ChainId, Epoch, OperatorId};

use super::output::{CliError, Output};
use crate::run::now;

/// Everything that does not hold on the chains that these endpoints serve, a line each; every endpoint must serve one.
pub(super) fn check(charter: &Arc<Charter>, rpc: &[url::Url], output: Output) -> Result<Vec<String>, CliError> {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut lines = Vec::new();
        let mut judged = BTreeMap::new();
        for url in rpc {
            let (chain, client) = connect(charter, url).await?;
            output.progress(&format!("asking {} about chain {chain}", url.host_str().unwrap_or("the endpoint")));
            lines.extend(look(charter, chain, &client).await?);
            judged.insert(chain, ());
        }
        for chain in charter.chains.keys().filter(|chain| !judged.contains_key(chain)) {
            lines.push(format!("not-checked: no --rpc serves chain {chain} of the charter; give one"));
        }
        Ok(lines)
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

async fn look(charter: &Arc<Charter>, chain: ChainId, client: &ChainClient) -> Result<Vec<String>, CliError> {
    let head = client.latest().await?;
    let mut wanted = reads(charter, chain);
    wanted.extend(watchfire_protocol::reads(charter, chain));
    let answers = client.read_at(head.block, &wanted).await;
    let mut lines: Vec<String> =
        judge(charter, chain, &answers).into_iter().map(|fact| format!("{}: {}", fact.kind, fact.text)).collect();
    // A node's own rules say what would be sent now; a guardian with an empty log knows of no attack.
    let Some((member, _)) = charter.members.iter().find(|(_, member)| member.kind == MemberKind::Guardian) else {
        return Ok(lines);
    };
    let nobody = Epoch::from_bytes([0; 16]);
    let mut machine = Machine::new(Arc::clone(charter), charter.network_id(), member.clone(), nobody)?;
    let view =
        BlockView { block: head.block, parent: B256::ZERO, base_fee: head.base_fee, logs: Vec::new(), reads: answers };
    let at = now();
    machine.observe(at, &Input::Block(Box::new(view)));
    let mut simulated = 0;
    for duty in machine.owed(at).duties {
        let Duty::Preflight(preflight) = duty else { continue };
        simulated += 1;
        let (safe, nonce) = (preflight.safe, preflight.transaction.nonce);
        match client.preflight(&preflight).await {
            PreflightOutcome::Passes => {}
            PreflightOutcome::Refuted { reason, .. } => {
                lines.push(format!(
                    "refuted: call to {} through safe {safe} at nonce {nonce} fails now: {reason}",
                    preflight.transaction.to
                ));
            }
            PreflightOutcome::Unknown { reason } => {
                lines
                    .push(format!("not-simulated: call to {} through safe {safe}: {reason}", preflight.transaction.to));
            }
        }
    }
    if simulated == 0 && !charter.playbooks.is_empty() {
        lines.push(format!(
            "not-simulated: chain {chain}: nothing to simulate at block {}: paused already, or the Safe cannot be read",
            head.block.number
        ));
    }
    Ok(lines)
}
