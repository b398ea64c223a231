//! One incident: found, voted, certified, co-signed, executed; checkpoints, witnesses, on-chain evidence and its custody.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use alloy_consensus::Header;
use alloy_primitives::{Address, B256, U256, address, b256, keccak256};
use ed25519_dalek::{Signer as _, SigningKey};
use k256::ecdsa::SigningKey as GuardianKey;
use serde_json::json;
use sha2::{Digest as _, Sha256};
use watchfire_bundle::{Bounds, CharterText, Parts};
use watchfire_charter::Charter;
use watchfire_protocol::{content_digest, incident_id};
use watchfire_transparency as transparency;
use watchfire_types::body::*;
use watchfire_types::*;
use watchfire_wire::bundle::{BUNDLE_MAGIC, ProvedAccount, ProvedSlot};

use crate::mutations::{self, instead};
use crate::trie::trie;

pub(crate) const CHARTER: &str = include_str!("../../../charter/tests-data/drill.charter.toml");
pub(crate) const CHAIN: ChainId = ChainId::new(31337);
pub(crate) const VAULT: Address = address!("1000000000000000000000000000000000000001");
const EXECUTION_SUCCESS: B256 = b256!("442e715f626346e8c54381002da614f62bee8d27386535b2521ec8540898556e");

pub(crate) fn charter() -> Charter {
    watchfire_charter::parse(CHARTER).unwrap().0
}

/// One author and its chain.
pub(crate) struct Author {
    pub(crate) member: MemberId,
    pub(crate) key: SigningKey,
    guardian: GuardianKey,
    pub(crate) epoch: Epoch,
    pub(crate) network: NetworkId,
    pub(crate) log: Vec<Verified<Event>>,
    pub(crate) tree: transparency::Tree,
}

impl Author {
    pub(crate) fn new(charter: &Charter, index: u8, epochs: u8) -> Self {
        let key = SigningKey::from_bytes(&[index + 1; 32]);
        let (member, _) = charter.member_by_key(&MemberKey::from_bytes(key.verifying_key().to_bytes())).unwrap();
        let guardian = GuardianKey::from_slice(&[0x11 * (index + 1); 32]).unwrap();
        let (epoch, network) = (Epoch::from_bytes([epochs + index; 16]), charter.network_id());
        let tree = transparency::Tree::new();
        let mut author = Self { member: member.clone(), key, guardian, epoch, network, log: Vec::new(), tree };
        author.says(Body::Started(Started {
            earlier: Vec::new(),
            charter_version: charter.version,
            charter_digest: charter.digest(),
            software: "test".into(),
        }));
        author
    }

    pub(crate) fn key(&self) -> MemberKey {
        MemberKey::from_bytes(self.key.verifying_key().to_bytes())
    }

    pub(crate) fn says(&mut self, body: Body) -> Verified<Event> {
        self.says_at(self.log.len() as u64, body)
    }

    /// Says it at this second of its clock.
    pub(crate) fn says_at(&mut self, second: u64, body: Body) -> Verified<Event> {
        let seq = self.log.len() as u64;
        let event = Event {
            network: self.network,
            author: self.key(),
            epoch: self.epoch,
            seq: Seq::new(seq),
            prev: self.log.last().map_or(EventHash::from_bytes([0; 32]), Verified::hash),
            time: Timestamp::from_millis(1_700_000_000_000 + second * 1_000),
            body,
        };
        let sealed = watchfire_wire::seal(&event, |input| self.key.sign(input).to_bytes()).unwrap();
        let event = sealed.verify(self.network).unwrap();
        if !matches!(event.body, Body::Checkpoint(_)) {
            self.tree.push(event.outer());
        }
        self.log.push(event.clone());
        event
    }

    /// Another event of one position than the author has there, signed by it.
    pub(crate) fn forks(&self, at: usize, body: Body) -> Unverified {
        let event = Event { body, ..Event::clone(&self.log[at]) };
        watchfire_wire::seal(&event, |input| self.key.sign(input).to_bytes()).unwrap()
    }

    /// An event with another content at a path of field numbers, signed: one that nobody can read, maybe.
    pub(crate) fn odd(&self, outer: &Bytes, path: &[u64], content: &[u8]) -> Bytes {
        self.odd_event(&instead(&mutations::content(outer, 1), path, content))
    }

    /// Any bytes as an event, signed.
    pub(crate) fn odd_event(&self, event: &[u8]) -> Bytes {
        let signature = self.key.sign(&domain::signing_input(domain::EVENT, self.network, event)).to_bytes();
        let outer = self.log[0].outer();
        instead(&instead(outer, &[1], event), &[2], &signature).into()
    }

    /// Signs a co-signature's transaction anew with the guardian key.
    pub(crate) fn signs(&self, signature: &mut CoSignature, charter: &Charter) {
        let (_, safe) = charter.safe_at(signature.chain, &signature.safe).unwrap();
        let hash = signature.transaction.hashes(safe.version, signature.chain.get(), signature.safe).safe_tx_hash;
        signature.signature = self.co_sign(hash);
    }

    /// A checkpoint of any tree, signed.
    pub(crate) fn states(&self, size: u64, root: [u8; 32]) -> Checkpoint {
        let origin = transparency::Origin { network: self.network, member: self.member.clone(), epoch: self.epoch };
        let checkpoint = transparency::Checkpoint { origin, size, root };
        let signature = self.key.sign(checkpoint.text().as_bytes()).to_bytes();
        Checkpoint { member: self.member.clone(), size, root: root.into(), signature }
    }

    fn co_sign(&self, hash: B256) -> [u8; 65] {
        let (signature, recovery) = self.guardian.sign_prehash_recoverable(hash.as_slice()).unwrap();
        let mut bytes = [0; 65];
        bytes[..64].copy_from_slice(&signature.to_bytes());
        bytes[64] = 27 + recovery.to_byte();
        bytes
    }

    pub(crate) fn checkpoint(&mut self) -> transparency::Checkpoint {
        let size = self.tree.size();
        let stated = self.states(size, self.tree.root_at(size).unwrap());
        let checkpoint = transparency::Checkpoint::stated(self.network, self.epoch, &stated);
        self.says(Body::Checkpoint(stated));
        checkpoint
    }

    pub(crate) fn witness(&self, checkpoint: &transparency::Checkpoint) -> transparency::Witnessed {
        let time_s = 1_700_000_100;
        let signature = self.key.sign(checkpoint.cosigned_text(time_s).as_bytes()).to_bytes();
        transparency::Witnessed { witness: self.member.clone(), time_s, signature }
    }
}

/// The whole story.
pub(crate) struct Story {
    pub(crate) charter: Charter,
    pub(crate) authors: Vec<Author>,
    pub(crate) witnessed: BTreeMap<transparency::Checkpoint, Vec<transparency::Witnessed>>,
    pub(crate) objects: BTreeMap<B256, Bytes>,
    pub(crate) generation: u32,
    pub(crate) pruned: Vec<ChainBase>,
    pub(crate) room: u64,
}

pub(crate) fn block(number: u64) -> BlockRef {
    let hash = keccak256(number.to_be_bytes());
    BlockRef { chain: CHAIN, number, hash, time: BlockTime::from_secs(1_700_000_000 + number) }
}

pub(crate) fn human() -> Human {
    Human { person: "duty-1".into(), role: "lead".into(), reason: "outflow is real".into() }
}

pub(crate) fn decision() -> Decision {
    Decision {
        version: CharterVersion::new(1),
        asset: "vault-core".parse().unwrap(),
        playbook: "contain-vault".parse().unwrap(),
    }
}

fn finding(at: u64) -> Body {
    Body::Finding(Finding {
        asset: "vault-core".parse().unwrap(),
        detector: "vault-outflow".parse().unwrap(),
        kind: "outflow".into(),
        severity: Severity::Sev1,
        first: block(at),
        block: block(at),
        explanation: "30 ETH left within 60 s, limit 25 ETH".into(),
        figures: BTreeMap::new(),
    })
}

/// A block with the Safe's own log in its second receipt and the vault's account in its state, and the raw answers about it.
struct OnChain {
    block: BlockRef,
    objects: Vec<(EvidenceKind, &'static str, Bytes)>,
}

fn rlp_list(items: &[Vec<u8>]) -> Vec<u8> {
    let mut out = Vec::new();
    let payload_length = items.iter().map(Vec::len).sum();
    alloy_rlp::Header { list: true, payload_length }.encode(&mut out);
    items.iter().for_each(|item| out.extend_from_slice(item));
    out
}

fn receipt(status: u8, logs: &[(Address, Vec<B256>, Vec<u8>)]) -> Vec<u8> {
    let log = |(address, topics, data): &(Address, Vec<B256>, Vec<u8>)| {
        let topics: Vec<_> = topics.iter().map(alloy_rlp::encode).collect();
        rlp_list(&[alloy_rlp::encode(address), rlp_list(&topics), alloy_rlp::encode(data.as_slice())])
    };
    let logs: Vec<_> = logs.iter().map(log).collect();
    let fields = [
        alloy_rlp::encode(status),
        alloy_rlp::encode(50_000_u64),
        alloy_rlp::encode([0_u8; 256].as_slice()),
        rlp_list(&logs),
    ];
    [vec![2], rlp_list(&fields)].concat()
}

fn hexed(nodes: &[Bytes]) -> Vec<String> {
    nodes.iter().map(|node| format!("0x{}", hex::encode(node))).collect()
}

/// The state after the block: the vault and others with the same storage.
fn state(storage_root: B256) -> (alloy_trie::TrieAccount, BTreeMap<Vec<u8>, Vec<u8>>) {
    let account = alloy_trie::TrieAccount { nonce: 1, balance: U256::from(70), storage_root, code_hash: B256::ZERO };
    let mut accounts = BTreeMap::from([(keccak256(VAULT).to_vec(), alloy_rlp::encode(account))]);
    for other in 2..20_u8 {
        accounts.insert(keccak256(Address::with_last_byte(other)).to_vec(), alloy_rlp::encode(account));
    }
    (account, accounts)
}

fn storage() -> BTreeMap<Vec<u8>, Vec<u8>> {
    BTreeMap::from([
        (keccak256(B256::with_last_byte(3)).to_vec(), alloy_rlp::encode(U256::from(1))),
        (keccak256(B256::with_last_byte(4)).to_vec(), alloy_rlp::encode(U256::from(7))),
    ])
}

/// An account of the same block that is nobody's in the charter, with its proof.
pub(crate) fn stranger() -> ProvedAccount {
    let address = Address::with_last_byte(2);
    let (account, accounts) = state(trie(&storage(), &[]).0);
    let (_, mut proofs) = trie(&accounts, &[keccak256(address).to_vec()]);
    ProvedAccount { address, value: alloy_rlp::encode(account).into(), proof: proofs.remove(0), slots: Vec::new() }
}

/// Slots of the vault that hold zero: the proofs of some end in a branch without a child, of others in another key's leaf.
pub(crate) fn empty_slots() -> Vec<ProvedSlot> {
    let slots: Vec<B256> = (100..116).map(B256::with_last_byte).collect();
    let (_, proofs) = trie(&storage(), &slots.iter().map(|slot| keccak256(slot).to_vec()).collect::<Vec<_>>());
    let slots = slots.into_iter().zip(proofs);
    slots.map(|(slot, proof)| ProvedSlot { slot, value: Bytes::new(), proof }).collect()
}

fn on_chain(safe: Address, safe_tx_hash: B256, gas_limit: u64) -> OnChain {
    let paused = (B256::with_last_byte(3), U256::from(1));
    let absent = B256::with_last_byte(9);
    let (storage_root, slot_proofs) = trie(&storage(), &[keccak256(paused.0).to_vec(), keccak256(absent).to_vec()]);
    let (_, accounts) = state(storage_root);
    let (state_root, account_proofs) = trie(&accounts, &[keccak256(VAULT).to_vec()]);
    let success = (safe, vec![EXECUTION_SUCCESS, safe_tx_hash], vec![0; 32]);
    let receipts = [receipt(1, &[]), receipt(1, &[success])];
    let by_index: BTreeMap<Vec<u8>, Vec<u8>> =
        (0_u64..).zip(&receipts).map(|(index, receipt)| (alloy_rlp::encode(index), receipt.clone())).collect();
    let (receipts_root, receipt_proofs) = trie(&by_index, &[alloy_rlp::encode(1_u64)]);
    let header =
        Header { number: 103, timestamp: 1_700_000_103, state_root, receipts_root, gas_limit, ..Header::default() };
    let hash = header.hash_slow();
    let block = BlockRef { chain: CHAIN, number: 103, hash, time: BlockTime::from_secs(1_700_000_103) };
    let mut answer = serde_json::to_value(&header).unwrap();
    answer["hash"] = json!(hash);
    answer["transactions"] = json!([]);
    // In one form, whatever order the JSON library keeps.
    let raw = |value: serde_json::Value| Bytes::from(serde_json_canonicalizer::to_vec(&value).unwrap());
    let block_answer = raw(json!({ "jsonrpc": "2.0", "id": 1, "result": answer }));
    let receipt_proof = raw(json!({ "block": hash, "receiptsRoot": receipts_root, "receipts": [{
        "index": 1, "key": format!("0x{}", hex::encode(alloy_rlp::encode(1_u64))),
        "value": format!("0x{}", hex::encode(&receipts[1])), "proof": hexed(&receipt_proofs[0]),
    }]}));
    let state_proof = raw(json!({ "jsonrpc": "2.0", "id": 1, "result": {
        "address": VAULT, "accountProof": hexed(&account_proofs[0]), "balance": "0x46", "codeHash": B256::ZERO,
        "nonce": "0x1", "storageHash": storage_root, "storageProof": [
            { "key": paused.0, "value": "0x1", "proof": hexed(&slot_proofs[0]) },
            { "key": absent, "value": "0x0", "proof": hexed(&slot_proofs[1]) },
        ],
    }}));
    let objects = vec![
        (EvidenceKind::Block, "eth_getBlockByHash", block_answer),
        (EvidenceKind::ReceiptProofs, "derived", receipt_proof),
        (EvidenceKind::StateProof, "eth_getProof", state_proof),
    ];
    OnChain { block, objects }
}

impl Story {
    /// Everything up to the end.
    pub(crate) fn whole() -> Self {
        Self::told(0xe0, 0)
    }

    /// The same in other epochs, on a chain whose block is another one.
    pub(crate) fn other() -> Self {
        Self::told(0xc0, 1)
    }

    fn told(epochs: u8, gas_limit: u64) -> Self {
        let charter = charter();
        let mut authors: Vec<Author> = (0..5).map(|index| Author::new(&charter, index, epochs)).collect();
        let step = StepIndex::new(2);
        let mut votes = Vec::new();
        for (index, author) in authors.iter_mut().enumerate().take(4) {
            let found = author.says(finding(100 + index as u64));
            let (_, member) = charter.member_by_key(&author.key()).unwrap();
            let operator = member.operators.iter().next().unwrap().clone();
            let basis = Basis::Finding(found.hash());
            let evidence = block(100 + index as u64);
            votes.push(author.says(Body::Vote(Vote { decision: decision(), step, basis, operator, evidence })));
        }
        let votes = votes.iter().take(3).map(Verified::to_unverified).collect();
        let certificate = Certificate { decision: decision(), purpose: Purpose::Step(step), votes };
        let digest = content_digest(&certificate, charter.network_id());
        authors[0].says(Body::Certificate(certificate));
        let safe = charter.safes.values().next().unwrap().clone();
        let call = &charter.playbooks[&decision().playbook].step(step).unwrap().actions[0];
        let transaction = SafeTransaction::call(call.target, call.calldata.clone(), U256::from(7));
        let safe_tx_hash = transaction.hashes(safe.version, CHAIN.get(), safe.address).safe_tx_hash;
        for author in authors.iter_mut().take(3) {
            let signature = author.co_sign(safe_tx_hash);
            let authority = Authority::Step { decision: decision(), step, certificate: digest };
            author.says(Body::CoSignature(CoSignature {
                version: charter.version,
                authority,
                chain: CHAIN,
                safe: safe.address,
                transaction: transaction.clone(),
                omitted: BTreeSet::new(),
                agreed: block(102),
                signature,
            }));
        }
        let mut story = Self {
            charter,
            authors,
            witnessed: BTreeMap::new(),
            objects: BTreeMap::new(),
            generation: 0,
            pruned: Vec::new(),
            room: watchfire_bundle::ROOM,
        };
        story.end(safe.address, safe_tx_hash, gas_limit);
        story
    }

    /// Execution, evidence, custody, a human's word, checkpoints.
    fn end(&mut self, safe: Address, safe_tx_hash: B256, gas_limit: u64) {
        let OnChain { block: executed, objects } = on_chain(safe, safe_tx_hash, gas_limit);
        let transaction = B256::repeat_byte(0x7a);
        self.authors[0].says(Body::Submitted(Submitted {
            chain: CHAIN,
            safe,
            safe_transaction: safe_tx_hash,
            transaction,
            submitter: Address::repeat_byte(0x61),
            max_fee_per_gas: 30,
            max_priority_fee_per_gas: 3,
            attempt: 0,
        }));
        for author in self.authors.iter_mut().take(4) {
            author.says(Body::Executed(Executed {
                block: executed,
                safe,
                safe_transaction: safe_tx_hash,
                transaction,
            }));
        }
        let incident = self.incident();
        let custody = Custody { tool: "watchfire/test".into(), clock: "test clock".into() };
        let mut digests = Vec::new();
        let mut items = Vec::new();
        for (kind, method, content) in objects {
            let object = B256::from_slice(&Sha256::digest(&content));
            let operators =
                if kind == EvidenceKind::ReceiptProofs { &["op-alder"][..] } else { &["op-alder", "op-birch"] };
            items.extend(operators.iter().map(|operator| EvidenceItem {
                kind,
                block: executed,
                operator: operator.parse().unwrap(),
                method: method.into(),
                params: "[]".into(),
                request: B256::repeat_byte(1),
                object,
                size: content.len() as u64,
                at: Timestamp::from_millis(1_700_000_200_000),
                check: EvidenceCheck::BlockHash,
            }));
            digests.push(object);
            self.objects.insert(object, content);
        }
        digests.sort();
        let basis = self.authors[0].log[1].hash();
        let asset: AssetId = "vault-core".parse().unwrap();
        let collected = EvidenceCollected { incident, asset, basis, custody: custody.clone(), items };
        let collector = self.authors[0].key();
        self.authors[0].says(Body::EvidenceCollected(collected));
        for author in &mut self.authors[1..3] {
            author.says(Body::EvidenceAccessed(EvidenceAccessed {
                incident,
                action: AccessAction::Copied,
                objects: digests.clone(),
                by: Custodian::Node("second copy".into()),
                from: Some(collector),
                detail: String::new(),
                custody: custody.clone(),
            }));
        }
        for author in &mut self.authors[3..] {
            author.says(Body::Note(HumanStatement { incident, human: human() }));
        }
        for index in 0..self.authors.len() {
            let checkpoint = self.authors[index].checkpoint();
            let witnesses = self.authors.iter().enumerate().filter(|(other, _)| *other != index);
            let lines = witnesses.map(|(_, author)| author.witness(&checkpoint)).collect();
            self.witnessed.insert(checkpoint, lines);
        }
    }

    pub(crate) fn incident(&self) -> IncidentId {
        incident_id(self.charter.network_id(), &decision().asset, self.generation)
    }

    pub(crate) fn parts(&self) -> Parts<'_> {
        Parts {
            network: self.charter.network_id(),
            asset: decision().asset,
            generation: self.generation,
            charters: vec![CharterText { charter: self.charter.clone(), toml: CHARTER.into() }],
            events: self.authors.iter().flat_map(|author| &author.log).collect(),
            witnessed: self.witnessed.clone(),
            objects: self.objects.clone(),
            software: "test".into(),
        }
    }

    pub(crate) fn bundle(&self) -> Bytes {
        watchfire_bundle::build_within(&self.parts(), self.bounds()).unwrap()
    }

    pub(crate) fn bounds(&self) -> Bounds<'_> {
        Bounds { pruned: &self.pruned, room: self.room }
    }
}

/// The bundle of the whole story.
pub(crate) fn whole() -> Bytes {
    static WHOLE: LazyLock<Bytes> = LazyLock::new(|| Story::whole().bundle());
    WHOLE.clone()
}

/// The file around this body.
pub(crate) fn framed(body: &[u8]) -> Bytes {
    let mut file = BUNDLE_MAGIC.to_vec();
    file.extend_from_slice(&(body.len() as u64).to_be_bytes());
    file.extend_from_slice(body);
    let digest = Sha256::digest(&file);
    file.extend_from_slice(&digest);
    file.into()
}
