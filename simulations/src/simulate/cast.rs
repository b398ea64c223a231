//! Who plays: members with their keys, addresses on the model chain, and the charter they signed. The same for every seed.

use std::collections::BTreeSet;
use std::sync::Arc;

use alloy_primitives::{Address, B256, keccak256};
use watchfire_charter::Charter;
use watchfire_types::{
    AssetId, ChainId, MemberId, MemberKey, NetworkId, OperatorId, OrganisationId, PlaybookId, Read, SafeVersion,
    StepIndex,
};

use super::chain::contracts::Contracts;
use super::keys::Secrets;
use super::rehearsal::{Ends, Own};
use super::report::Rehearsal;
use super::run::SimulateError;
use crate::charter::{self, ASSET, PLAYBOOK, RECOVERY};
use crate::safe::Safe;
use crate::scenario::{Adversary, AdversaryKind, Scenario};

/// The chain that is played on.
pub(crate) const CHAIN: ChainId = ChainId::new(31_337);
/// The Safe's version.
pub(crate) const SAFE_VERSION: SafeVersion = SafeVersion::LATEST;

/// The neutral point of the curve: a key for which anybody can sign anything.
pub(crate) const WEAK_KEY: [u8; 32] = {
    let mut bytes = [0; 32];
    bytes[0] = 1;
    bytes
};

/// One member.
#[derive(Debug)]
pub(crate) struct Player {
    pub(crate) member: MemberId,
    pub(crate) organisation: OrganisationId,
    pub(crate) secrets: Secrets,
    pub(crate) author: MemberKey,
    pub(crate) guardian: Address,
    pub(crate) submitter: Address,
    /// Whether it holds a key of the Safe; else it votes alone.
    pub(crate) signs: bool,
    /// Places of the operators it asks, its own first.
    pub(crate) asks: Vec<usize>,
    pub(crate) adversary: Option<AdversaryKind>,
    /// Whether it is a copy of another node, keys and all.
    pub(crate) clone: bool,
}

/// Everything about a scenario that no seed changes.
#[derive(Debug)]
pub(crate) struct Cast {
    pub(crate) scenario: Scenario,
    /// What the scenario was asked for by: its name, or the path of its file.
    pub(crate) asked_for: String,
    pub(crate) charter: Arc<Charter>,
    pub(crate) network: NetworkId,
    pub(crate) players: Vec<Player>,
    pub(crate) operators: Vec<OperatorId>,
    pub(crate) safe: Address,
    pub(crate) vault: Address,
    /// The second vault, an asset of its own, where the scenario has one.
    pub(crate) twin: Option<Address>,
    pub(crate) multi_send: Address,
    pub(crate) guard: Address,
    /// What every node reads of every block.
    pub(crate) reads: BTreeSet<Read>,
    /// The attacked asset, its ladder, the widest step of it, and the way back if there is one.
    pub(crate) asset: AssetId,
    pub(crate) playbook: PlaybookId,
    pub(crate) widest: StepIndex,
    pub(crate) recovery: Option<PlaybookId>,
    /// Owners of the Safe who are no partners.
    pub(crate) other_owners: BTreeSet<Address>,
    /// The guard that the Safe has from the start.
    pub(crate) own_guard: Address,
    /// The contracts of a charter that is played as it is; the scenario's vault otherwise.
    pub(crate) contracts: Option<Contracts>,
    /// How it is judged whether the vault is paused.
    pub(crate) ends: Ends,
    /// What of such a charter is played.
    pub(crate) said: Option<Rehearsal>,
}

/// The same node once more.
fn copy(of: &Player) -> Player {
    Player {
        member: of.member.clone(),
        organisation: of.organisation.clone(),
        secrets: of.secrets.clone(),
        asks: of.asks.clone(),
        clone: true,
        ..*of
    }
}

/// The charter's entry of one member.
fn entry(player: &Player, operators: &[OperatorId]) -> String {
    let Player { member, organisation, author, guardian, submitter, signs, asks, .. } = player;
    let kind = if *signs { "guardian" } else { "voter" };
    let keys = format!("guardian = \"{guardian}\"\nsubmitter = \"{submitter}\"\n");
    let operator = asks.first().and_then(|at| operators.get(*at)).map_or("", |operator| operator.as_str());
    format!(
        "[[member]]\nid = \"{member}\"\norganisation = \"{organisation}\"\nkind = \"{kind}\"\nnode_key = \"{author}\"\n{}\
         operators = [\"{operator}\"]\naddresses = [\"/ip4/127.0.0.1/tcp/9001\"]\n",
        if *signs { keys.as_str() } else { "" }
    )
}

fn sound(scenario: &Scenario, text: &str) -> Result<Charter, SimulateError> {
    let parsed = watchfire_charter::parse(text).map_err(|faults| SimulateError::Charter {
        scenario: scenario.name.clone(),
        faults: faults.iter().map(ToString::to_string).collect(),
    });
    parsed.map(|(charter, _)| charter)
}

fn reads(charter: &Charter) -> BTreeSet<Read> {
    let mut reads = watchfire_protocol::reads(charter, CHAIN);
    reads.extend(watchfire_detect::Detectors::new(charter, CHAIN).reads());
    reads
}

fn widest(charter: &Charter, playbook: &PlaybookId) -> StepIndex {
    charter.playbooks.get(playbook).map_or(StepIndex::new(1), watchfire_charter::Playbook::widest)
}

fn address(of: &str) -> Address {
    Address::from_word(keccak256(of))
}

/// The charter of these players, by the production parser.
fn composed(
    scenario: &Scenario,
    players: &[Player],
    operators: &[OperatorId],
    safe: &Safe,
    vault: Address,
    twin: Option<Address>,
) -> Result<Charter, SimulateError> {
    let named = players.iter().filter(|player| !player.clone);
    let entries: Vec<String> = named.map(|player| entry(player, operators)).collect();
    let mut text = charter::compose(scenario, &entries, safe, vault, scenario.chain.block_time_ms);
    if let Some(twin) = twin {
        text.push_str(&charter::twin(scenario, safe, twin));
    }
    sound(scenario, &text)
}

/// Every operator that somebody's label names, in the order of the members.
fn operators(scenario: &Scenario) -> Vec<OperatorId> {
    let named = scenario.organisations.iter().map(|one| &one.operator);
    let mut operators: Vec<OperatorId> = Vec::new();
    for operator in named.chain(scenario.voters.iter().map(|voter| &voter.operator)) {
        if !operators.contains(operator) {
            operators.push(operator.clone());
        }
    }
    operators
}

impl Cast {
    /// Composes the charter of a scenario and reads it with the production parser.
    pub(crate) fn new(scenario: Scenario) -> Result<Self, SimulateError> {
        let operators = operators(&scenario);
        let place = |operator: &OperatorId| operators.iter().position(|other| other == operator);
        let player = |member: &MemberId, organisation: &OrganisationId, asks: Vec<usize>, signs| {
            let secrets = Secrets::of(member.as_str());
            let adversary = scenario.adversaries.iter().find(|adversary| adversary.member == *member);
            Player {
                member: member.clone(),
                organisation: organisation.clone(),
                author: match adversary {
                    Some(Adversary { kind: AdversaryKind::WeakKey, .. }) => MemberKey::from_bytes(WEAK_KEY),
                    _ => secrets.author(),
                },
                guardian: secrets.guardian(),
                submitter: secrets.submitter(),
                signs,
                secrets,
                asks,
                adversary: adversary.map(|adversary| adversary.kind),
                clone: false,
            }
        };
        let guardians = scenario.organisations.iter().map(|one| {
            let asks = std::iter::once(&one.operator).chain(&one.also_asks).filter_map(place).collect();
            player(&one.member, &one.id, asks, true)
        });
        let voters = scenario
            .voters
            .iter()
            .map(|one| player(&one.member, &one.organisation, place(&one.operator).into_iter().collect(), false));
        let mut players: Vec<Player> = guardians.chain(voters).collect();
        let copies: Vec<Player> =
            players.iter().filter(|one| scenario.clones.contains(&one.member)).map(copy).collect();
        players.extend(copies);
        let (safe, vault) = (address("the guardians' safe"), address("the vault"));
        let multi_send = address("multi send call only");
        let parts = Safe {
            chain_id: CHAIN.get(),
            address: safe,
            multi_send_call_only: multi_send,
            multi_send_code_hash: B256::repeat_byte(0x5a),
        };
        let twin = scenario.vault.twin.then(|| address("the second vault"));
        let charter = composed(&scenario, &players, &operators, &parts, vault, twin)?;
        let unfit = |_| SimulateError::Charter { scenario: scenario.name.clone(), faults: vec!["ids".to_owned()] };
        let (asset, playbook) = (ASSET.parse().map_err(unfit)?, PLAYBOOK.parse().map_err(unfit)?);
        let recovery = RECOVERY.parse().ok().filter(|id| charter.playbooks.contains_key(id));
        Ok(Self {
            reads: reads(&charter),
            network: charter.network_id(),
            widest: widest(&charter, &playbook),
            asset,
            playbook,
            recovery,
            charter: Arc::new(charter),
            asked_for: scenario.name.clone(),
            scenario,
            players,
            operators,
            safe,
            vault,
            twin,
            multi_send,
            guard: address("the blocking guard"),
            other_owners: BTreeSet::new(),
            own_guard: Address::ZERO,
            contracts: None,
            ends: Ends::AsWritten,
            said: None,
        })
    }

    /// Hash of an account's code: of what packs calls it is the one that the charter pins.
    pub(crate) fn code_hash(&self, account: Address) -> B256 {
        let pinned = self.charter.chains.get(&CHAIN).and_then(|chain| chain.multi_send_call_only);
        pinned.filter(|pinned| pinned.address == account).map_or_else(|| keccak256(account), |pinned| pinned.code_hash)
    }

    /// A charter that is played as it is, with its partners in the parts of the scenario.
    pub(crate) fn rehearsed(scenario: Scenario, own: &Own) -> Result<Self, SimulateError> {
        let charter = sound(&scenario, &own.text)?;
        let lacks = |what: &str| SimulateError::Charter {
            scenario: scenario.name.clone(),
            faults: vec![format!("the charter as it is played has no {what}")],
        };
        let safe = charter.safes.get(&own.safe).ok_or_else(|| lacks("Safe"))?;
        let asset = charter.assets.get(&own.asset).ok_or_else(|| lacks("asset"))?;
        let multi_send = charter.chains.get(&CHAIN).and_then(|chain| chain.multi_send_call_only);
        let mut operators: Vec<OperatorId> = Vec::new();
        for label in charter.members.values().flat_map(|member| &member.operators) {
            if !operators.contains(label) {
                operators.push(label.clone());
            }
        }
        let mut players: Vec<Player> = charter
            .members
            .iter()
            .map(|(id, member)| {
                let secrets = Secrets::of(id.as_str());
                let adversary = scenario.adversaries.iter().find(|adversary| adversary.member == *id);
                let asks = member.operators.iter().filter_map(|one| operators.iter().position(|other| other == one));
                Player {
                    member: id.clone(),
                    organisation: member.organisation.clone(),
                    author: secrets.author(),
                    guardian: secrets.guardian(),
                    submitter: secrets.submitter(),
                    signs: member.guardian.is_some() && safe.guardians.contains(id),
                    asks: asks.collect(),
                    secrets,
                    adversary: adversary.map(|adversary| adversary.kind),
                    clone: false,
                }
            })
            .collect();
        // Who holds a key of the Safe comes first, as everywhere.
        players.sort_by_key(|player| !player.signs);
        let copies: Vec<Player> =
            players.iter().filter(|one| scenario.clones.contains(&one.member)).map(copy).collect();
        players.extend(copies);
        let mut cast = Self {
            reads: reads(&charter),
            network: charter.network_id(),
            widest: widest(&charter, &own.playbook),
            asset: own.asset.clone(),
            playbook: own.playbook.clone(),
            recovery: own.recovery.clone().filter(|id| charter.playbooks.contains_key(id)),
            safe: safe.address,
            vault: asset.contracts.first().copied().unwrap_or_default(),
            twin: None,
            multi_send: multi_send.map(|pinned| pinned.address).unwrap_or_default(),
            guard: address("the blocking guard"),
            other_owners: safe.other_owners.clone(),
            own_guard: safe.guard.unwrap_or_default(),
            charter: Arc::new(charter),
            asked_for: scenario.name.clone(),
            scenario,
            players,
            operators,
            contracts: None,
            ends: own.ends,
            said: Some(own.said.clone()),
        };
        cast.contracts = Some(Contracts::of(&cast));
        Ok(cast)
    }

    /// Place of this member.
    pub(crate) fn place(&self, member: &MemberId) -> Option<usize> {
        self.players.iter().position(|player| player.member == *member)
    }

    /// Place of the member with this node key.
    pub(crate) fn place_of(&self, author: &MemberKey) -> Option<usize> {
        self.players.iter().position(|player| player.author == *author)
    }

    /// Organisations with a member that follows the protocol.
    pub(crate) fn honest_organisations(&self) -> usize {
        let honest = self.players.iter().filter(|player| player.adversary.is_none());
        honest.map(|player| &player.organisation).collect::<BTreeSet<_>>().len()
    }

    /// Those who hold a key of the Safe.
    pub(crate) fn guardians(&self) -> impl Iterator<Item = &Player> {
        self.players.iter().filter(|player| player.signs && !player.clone)
    }

    /// Whether this member follows the protocol.
    pub(crate) fn honest(&self, place: usize) -> bool {
        self.players.get(place).is_some_and(|player| player.adversary.is_none())
    }
}
