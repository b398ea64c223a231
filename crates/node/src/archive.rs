//! The log as one text file: JSON lines that people and tools read, with every signed event verbatim.
//!
//! Promise: export, import and export again give equal bytes; what is altered or cut is found and named by its line; an import keeps
//! everything or nothing.
//!
//! First line: format, network, charter; since format 3 with its document, so that whoever reads it later needs nothing else. Then one line for each event, in the order of this node's log. Then, since format 2, one line for each
//! line of a witness that is kept of a checkpoint among them: a signed checkpoint with that line under it, strictly ascending. Last line: count
//! of events, SHA-256 of all bytes before it, and the root of every (author, epoch) tree. Of a log that was pruned the first line names the
//! archives that hold the rest. What is signed is `outer`, and the witnesses' notes; everything beside it is for readers,
//! the fixed fields are compared with it, and the free text is covered by the last line's digest.

mod export;
mod import;
mod read;
mod verify;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use watchfire_charter::Charter;
use watchfire_transparency::{Checkpoint, Frontier, Hash, leaf_hash};
use watchfire_types::{
    B256, Body, CharterDigest, CharterVersion, Epoch, Event, EventHash, MemberId, MemberKey, NetworkId,
};
use watchfire_types::{Seq, Verified};
use watchfire_wire::MAX_EVENT;

use crate::run::describe;

pub use export::{ExportError, export};
pub use import::{ImportError, Imported, Mended, import};
pub use read::{Contents, LineFault, ReadError, charter_in, read};
pub use verify::{ArchiveReport, KeysOf, verify};

/// How an archive begins.
pub const ARCHIVE_HEADER: &[u8] = b"{\"watchfire_log\":";

/// Version of the format that is written; versions 1 and 2 are read too.
const FORMAT: u32 = 3;
/// The first version that has witnesses' lines.
const WITNESSED: u32 = 2;
/// The first version that has the charter's document.
const CHARTERED: u32 = 3;
/// Most lines of witnesses: as many as a node keeps.
const WITNESSES_MAX: usize = 65_536;
/// Longest line, bytes: the largest event in hex and generous room for what is told about it. The first line has a document and as many
/// archives as a base names, the last line may name as many trees.
const LINE_MAX: usize = 2 * MAX_EVENT + 64 * 1024;
/// Most trees that the last line names.
const TREES_MAX: usize = 1 << 20;

#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Head {
    watchfire_log: u32,
    network: NetworkId,
    charters: Vec<CharterName>,
    /// SHA-256 of the archives that hold what this log had pruned when it was exported; without them it is not whole.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pruned_into: Vec<B256>,
}

#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct CharterName {
    version: CharterVersion,
    digest: CharterDigest,
    /// Its document, verbatim.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    toml: Option<String>,
}

impl Head {
    fn of(charter: &Charter, toml: &str, pruned_into: Vec<B256>) -> Self {
        let toml = Some(toml.to_owned());
        let charters = vec![CharterName { version: charter.version, digest: charter.digest(), toml }];
        Self { watchfire_log: FORMAT, network: charter.network_id(), charters, pruned_into }
    }
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    position: u64,
    hash: EventHash,
    author: MemberKey,
    member: Option<MemberId>,
    epoch: Epoch,
    seq: Seq,
    time_ms: u64,
    kind: String,
    text: String,
    outer: String,
}

impl Line {
    fn of(position: u64, event: &Verified<Event>, charter: &Charter) -> Self {
        Self {
            position,
            hash: event.hash(),
            author: event.author,
            member: charter.member_by_key(&event.author).map(|(id, _)| id.clone()),
            epoch: event.epoch,
            seq: event.seq,
            time_ms: event.time.as_millis(),
            kind: event.body.kind().to_owned(),
            text: describe::event(event, 0, charter).text,
            outer: hex::encode(event.outer()),
        }
    }
}

/// A witness's line, as a signed checkpoint with it alone under it.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct WitnessLine {
    witness: String,
}

/// What one event states of its author's tree, with the author's signature.
fn stated(event: &Verified<Event>, charter: &Charter) -> Option<(Checkpoint, [u8; 64])> {
    let Body::Checkpoint(stated) = &event.body else { return None };
    let (member, _) = charter.member_by_key(&event.author)?;
    let checkpoint = Checkpoint::stated(event.network, event.epoch, stated);
    (checkpoint.origin.member == *member).then_some((checkpoint, stated.signature))
}

#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Foot {
    end: bool,
    events: u64,
    sha256: B256,
    trees: Vec<TreeRoot>,
}

#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct TreeRoot {
    author: MemberKey,
    epoch: Epoch,
    size: u64,
    root: B256,
}

/// What the last line says, taken together on the way.
#[derive(Default)]
struct Sum {
    bytes: Sha256,
    events: u64,
    /// By seq: the leaf, none for a checkpoint, which is no leaf of its tree.
    trees: BTreeMap<(MemberKey, Epoch), BTreeMap<Seq, Option<Hash>>>,
}

impl Sum {
    fn line(&mut self, bytes: &[u8]) {
        self.bytes.update(bytes);
    }

    fn event(&mut self, event: &Verified<Event>) {
        self.events += 1;
        let leaf = (!matches!(event.body, Body::Checkpoint(_))).then(|| leaf_hash(event.outer()));
        // Where a liar forked its chain, the tree is over what came first here.
        self.trees.entry((event.author, event.epoch)).or_default().entry(event.seq).or_insert(leaf);
    }

    fn foot(self) -> Foot {
        let trees = self.trees.into_iter().map(|((author, epoch), leaves)| {
            let mut tree = Frontier::new();
            let mut size = 0;
            // As far as the chain is without a hole.
            for (_, leaf) in (0..).zip(&leaves).take_while(|(seq, (held, _))| held.get() == *seq).map(|(_, leaf)| leaf)
            {
                if let Some(leaf) = leaf {
                    tree.push_hash(*leaf);
                    size += 1;
                }
            }
            TreeRoot { author, epoch, size, root: B256::from(tree.root()) }
        });
        let trees = trees.take(TREES_MAX).collect();
        let sha256: [u8; 32] = self.bytes.finalize().into();
        Foot { end: true, events: self.events, sha256: B256::from(sha256), trees }
    }
}

#[cfg(test)]
mod tests;
