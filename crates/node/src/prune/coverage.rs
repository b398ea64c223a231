//! How far chains, and what was cosigned of others, are proven by checkpoints.

use std::collections::BTreeMap;

use watchfire_protocol::Machine;
use watchfire_transparency::{Checkpoint, Witnessed};
use watchfire_types::body::EpochHead;
use watchfire_types::{Body, Epoch, Event, MemberId, MemberKey, Seq, Verified};

/// Size and root of a tree.
type Tree = (u64, [u8; 32]);

/// An epoch of an author, and the ends of its earlier ones that its first event names.
type Named = (MemberKey, Epoch, Vec<(Epoch, Seq)>);

/// What the kept lines of witnesses prove.
pub(super) struct Coverage {
    /// The first position of each chain that nothing proves.
    through: BTreeMap<(MemberKey, Epoch), Seq>,
    /// Checkpoints of others that this node cosigned, by member and epoch: size and root.
    cosigned: BTreeMap<(MemberId, Epoch), Vec<Tree>>,
}

impl Coverage {
    /// `archived` are the lines of the archives, `kept` those of the node.
    pub(super) fn of<'a>(
        machine: &Machine,
        archived: impl Iterator<Item = &'a (Checkpoint, Witnessed)>,
        kept: &BTreeMap<Checkpoint, Vec<Witnessed>>,
    ) -> Self {
        let mut coverage = Self { through: BTreeMap::new(), cosigned: BTreeMap::new() };
        let (members, own) = (&machine.charter().members, machine.member());
        for (Checkpoint { origin, size, root }, line) in archived {
            let (author, witness) = (members.get(&origin.member), members.get(&line.witness));
            let Some((author, witness)) = author.zip(witness) else { continue };
            if author.organisation == witness.organisation {
                continue;
            }
            // The tree of what is held has that root, so that these very events are what was witnessed. What was pruned before was so then.
            if let Some((after, held)) = machine.root_at(author.node_key, origin.epoch, *size)
                && held == *root
            {
                coverage.raise((author.node_key, origin.epoch), after);
            }
        }
        for (Checkpoint { origin, size, root }, by) in kept {
            if origin.member != *own && by.iter().any(|line| line.witness == *own) {
                let of = coverage.cosigned.entry((origin.member.clone(), origin.epoch)).or_default();
                of.push((*size, *root));
            }
        }
        for (author, epoch) in machine.epochs() {
            if let Some(base) = machine.base(author, epoch) {
                coverage.raise((author, epoch), base);
            }
        }
        coverage.spread(machine);
        coverage
    }

    /// Answers whether it rose.
    fn raise(&mut self, chain: (MemberKey, Epoch), to: Seq) -> bool {
        let known = self.through.entry(chain).or_insert(Seq::new(0));
        let rises = *known < to;
        *known = to.max(*known);
        rises
    }

    /// The first event of a proven epoch names the ends of its author's earlier ones by hash, and so all that leads up to them. A checkpoint is no
    /// leaf, but whatever follows it names it in the same way.
    fn spread(&mut self, machine: &Machine) {
        let named = |event: &Verified<Event>| match &event.body {
            Body::Started(started) => {
                let held = |head: &&EpochHead| machine.holds(event.author, head.epoch, head.seq, head.hash);
                let named = started.earlier.iter().filter(held);
                Some((event.author, event.epoch, named.map(|head| (head.epoch, head.seq)).collect()))
            }
            _ => None,
        };
        let started: Vec<Named> = machine.events().filter_map(named).collect();
        let mut rose = true;
        while rose {
            rose = false;
            for (author, epoch, named) in &started {
                if self.through(*author, *epoch) > Seq::new(0) {
                    for (earlier, seq) in named {
                        rose |= self.raise((*author, *earlier), seq.next());
                    }
                }
            }
        }
    }

    /// The first position of a chain that nothing proves.
    pub(super) fn through(&self, author: MemberKey, epoch: Epoch) -> Seq {
        self.through.get(&(author, epoch)).copied().unwrap_or(Seq::new(0))
    }

    /// Whether everything that this node cosigned of a chain is of the events held: only then may a base stand for them.
    pub(super) fn agrees(&self, machine: &Machine, author: MemberKey, epoch: Epoch) -> bool {
        let Some((member, _)) = machine.charter().member_by_key(&author) else { return false };
        let pruned = machine.base_tree(author, epoch).map_or(0, |base| base.size());
        let cosigned = self.cosigned.get(&(member.clone(), epoch)).into_iter().flatten();
        cosigned
            .filter(|(size, _)| *size >= pruned)
            .all(|(size, root)| machine.root_at(author, epoch, *size).is_some_and(|(_, held)| held == *root))
    }
}
