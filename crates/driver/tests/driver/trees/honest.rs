//! Whatever honest members do and suffer, nobody convicts them.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use watchfire_driver::Driver;
use watchfire_journal::MemoryStorage;
use watchfire_transparency::{Checkpoint, Origin, SignedCheckpoint};
use watchfire_types::Bytes;
use watchfire_wire::Envelope;

use super::{at, hear, tick, witness};
use crate::world::{TestKeys, open};

/// What an honest network does in a while.
#[derive(Debug, Clone)]
enum Doing {
    /// Time passes at a node, in seconds.
    Waits(usize, u64),
    /// A node makes a checkpoint now.
    Checkpoints(usize),
    /// A copy of a node's disks is put aside.
    Copies(usize),
    /// A node starts again on its disks as they are.
    Crashes(usize),
    /// A node starts on the copy that was put aside, as after a restored backup.
    Restores(usize),
    /// A second process of the same member starts on the copy, beside the first.
    Clones(usize),
    /// A message that is under way arrives, at one node, out of its order.
    Arrives(usize, prop::sample::Index),
}

fn doing() -> impl Strategy<Value = Doing> {
    let node = 0_usize..3;
    prop_oneof![
        3 => (node.clone(), 1_u64..900).prop_map(|(node, s)| Doing::Waits(node, s)),
        3 => node.clone().prop_map(Doing::Checkpoints),
        1 => node.clone().prop_map(Doing::Copies),
        1 => node.clone().prop_map(Doing::Crashes),
        1 => node.clone().prop_map(Doing::Restores),
        1 => node.clone().prop_map(Doing::Clones),
        12 => (node, any::<prop::sample::Index>()).prop_map(|(node, at)| Doing::Arrives(node, at)),
    ]
}

/// The disks of one process: log and the two sides of the witness memory.
type Disks = [MemoryStorage; 3];

fn copy(disks: &Disks) -> Disks {
    disks.each_ref().map(|disk| MemoryStorage::with_files(disk.files()))
}

struct Honest {
    index: usize,
    disks: Disks,
    driver: Driver<MemoryStorage, TestKeys>,
}

impl Honest {
    fn start(index: usize, disks: Disks, epoch: u8, ms: u64) -> (Self, Vec<Bytes>) {
        let [log, one, other] = disks.clone();
        let (mut driver, output) = open(&crate::world::charter(), index, log, epoch, at(ms));
        driver.set_witness(witness([one, other], index));
        (Self { index, disks, driver }, output.publish)
    }
}

/// The roots that witnesses signed, by log and size.
fn cosigned(post: &[Bytes]) -> BTreeMap<(Origin, u64), BTreeSet<[u8; 32]>> {
    let mut signed: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
    for bytes in post {
        let Envelope::Witness(text) = Envelope::decode(bytes).unwrap() else { continue };
        let note = SignedCheckpoint::parse(std::str::from_utf8(&text).unwrap()).unwrap();
        let Checkpoint { origin, size, root } = note.checkpoint().clone();
        signed.entry((origin, size)).or_default().insert(root);
    }
    signed
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Honest members wait, make checkpoints, crash, come back from old backups, run twice, and hear everything in any order, several times or
    /// never: nobody is ever cut, no object can be made, nothing is refused a witness for contradicting what it signed.
    #[test]
    fn nobody_honest_is_ever_convicted(steps in prop::collection::vec(doing(), 1..60)) {
        let (mut epoch, mut ms) = (1_u8, 0_u64);
        let mut post: Vec<Bytes> = Vec::new();
        let mut nodes: Vec<Honest> = Vec::new();
        let mut copies: Vec<Option<Disks>> = vec![None; 3];
        let mut start = |index: usize, disks: Disks, ms: u64, post: &mut Vec<Bytes>| {
            epoch += 1;
            let (node, published) = Honest::start(index, disks, epoch, ms);
            post.extend(published);
            node
        };
        for index in 0..3 {
            let disks = [MemoryStorage::new(), MemoryStorage::new(), MemoryStorage::new()];
            nodes.push(start(index, disks, ms, &mut post));
        }
        for step in steps {
            ms += 50;
            let (output, at_node) = match step {
                Doing::Waits(node, seconds) => {
                    ms += 1_000 * seconds;
                    (tick(&mut nodes[node].driver, ms), node)
                }
                Doing::Checkpoints(node) => (nodes[node].driver.checkpoint(at(ms)).unwrap().1, node),
                Doing::Copies(node) => {
                    copies[node] = Some(copy(&nodes[node].disks));
                    continue;
                }
                Doing::Crashes(node) => {
                    let disks = copy(&nodes[node].disks);
                    nodes[node] = start(node, disks, ms, &mut post);
                    continue;
                }
                Doing::Restores(node) => {
                    let Some(disks) = copies[node].as_ref().map(copy) else { continue };
                    nodes[node] = start(node, disks, ms, &mut post);
                    continue;
                }
                Doing::Clones(node) => {
                    let Some(disks) = copies[node].as_ref().map(copy) else { continue };
                    let second = start(node, disks, ms, &mut post);
                    nodes.push(second);
                    continue;
                }
                Doing::Arrives(node, at_post) => {
                    if post.is_empty() {
                        continue;
                    }
                    let message = post[at_post.index(post.len())].clone();
                    (hear(&mut nodes[node].driver, ms, &[message]), node)
                }
            };
            prop_assert!(output.notices.is_empty(), "node {at_node}: {:?}", output.notices);
            post.extend(output.publish);
        }
        // In the end everyone hears everything.
        for node in &mut nodes {
            ms += 50;
            let output = hear(&mut node.driver, ms, &post);
            prop_assert!(output.notices.is_empty(), "{:?}", output.notices);
        }
        for node in &nodes {
            let machine = node.driver.machine();
            prop_assert!(machine.convictions().is_empty(), "node {} convicts", node.index);
            let cut: Vec<_> = machine.epochs().filter(|(author, epoch)| machine.cut(*author, *epoch).is_some()).collect();
            prop_assert!(cut.is_empty(), "node {} cuts {cut:?}", node.index);
        }
        for (origin, roots) in cosigned(&post) {
            prop_assert_eq!(roots.len(), 1, "two trees of one size at {:?}", origin);
        }
    }
}
