//! Who plays: members with their keys, addresses on the model chain, and the charter they signed. The same for every seed.

use std::collections::BTreeSet;
use std::sync::Arc;

use alloy_primitives::{Address, B256, keccak256};
use watchfire_charter::Charter;
use watchfire_types::{ChainId, MemberId, MemberKey, NetworkId, OperatorId, OrganisationId, Read, SafeVersion};

use super::keys::Secrets;
use super::run::SimulateError;
use crate::charter;
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
}

/// Everything about a scenario that no seed changes.
#[derive(Debug)]
pub(crate) struct Cast {
    pub(crate) scenario: Scenario,
    pub(crate) charter: Arc<Charter>,
    pub(crate) network: NetworkId,
    pub(crate) players: Vec<Player>,
    pub(crate) operators: Vec<OperatorId>,
    pub(crate) safe: Address,
    pub(crate) vault: Address,
    pub(crate) multi_send: Address,
    pub(crate) guard: Address,
    /// What every node reads of every block.
    pub(crate) reads: BTreeSet<Read>,
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

fn address(of: &str) -> Address {
    Address::from_word(keccak256(of))
}

impl Cast {
    /// Composes the charter of a scenario and reads it with the production parser.
    pub(crate) fn new(scenario: Scenario) -> Result<Self, SimulateError> {
        let named = scenario.organisations.iter().map(|one| &one.operator);
        let mut operators: Vec<OperatorId> = Vec::new();
        for operator in named.chain(scenario.voters.iter().map(|voter| &voter.operator)) {
            if !operators.contains(operator) {
                operators.push(operator.clone());
            }
        }
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
        let players: Vec<Player> = guardians.chain(voters).collect();
        let (safe, vault) = (address("the guardians' safe"), address("the vault"));
        let multi_send = address("multi send call only");
        let parts = Safe {
            chain_id: CHAIN.get(),
            address: safe,
            multi_send_call_only: multi_send,
            multi_send_code_hash: B256::repeat_byte(0x5a),
        };
        let entries: Vec<String> = players.iter().map(|player| entry(player, &operators)).collect();
        let text = charter::compose(&scenario, &entries, &parts, vault, scenario.chain.block_time_ms);
        let (charter, _) = watchfire_charter::parse(&text).map_err(|faults| SimulateError::Charter {
            scenario: scenario.name.clone(),
            faults: faults.iter().map(ToString::to_string).collect(),
        })?;
        let mut reads = watchfire_protocol::reads(&charter, CHAIN);
        reads.extend(watchfire_detect::Detectors::new(&charter, CHAIN).reads());
        let network = charter.network_id();
        let guard = address("the blocking guard");
        let charter = Arc::new(charter);
        Ok(Self { scenario, charter, network, players, operators, safe, vault, multi_send, guard, reads })
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
        self.players.iter().filter(|player| player.signs)
    }

    /// Whether this member follows the protocol.
    pub(crate) fn honest(&self, place: usize) -> bool {
        self.players.get(place).is_some_and(|player| player.adversary.is_none())
    }
}
