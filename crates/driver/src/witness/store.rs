//! What is kept of checkpoints and their witnesses: the newest few lines of each witness for each origin, and this node's own trees.

use std::collections::{BTreeMap, BTreeSet};

use watchfire_transparency::{Checkpoint, Frontier, Hash, Origin, SignedCheckpoint, Witnessed};
use watchfire_types::{MemberId, MemberKey};

use super::log::Entry;

/// Lines kept of one witness for one origin.
const LINES_MAX: usize = 4;
/// Lines kept altogether; beyond that, of the author of whom most are kept, the origin not heard of for longest goes: who signs checkpoints of
/// invented epochs drives out its own.
const TOTAL_MAX: usize = if cfg!(test) { 64 } else { 65_536 };

/// One witness's line under an author's checkpoint, both signatures checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Line {
    pub(crate) checkpoint: Checkpoint,
    pub(crate) author: MemberKey,
    pub(crate) signature: [u8; 64],
    pub(crate) witness: MemberKey,
    pub(crate) witnessed: Witnessed,
}

impl Line {
    /// The signed checkpoint with this line.
    pub(crate) fn note(&self) -> SignedCheckpoint {
        let mut note = SignedCheckpoint::new(self.checkpoint.clone(), &self.author, &self.signature);
        note.witnessed(&self.witnessed, &self.witness);
        note
    }
}

/// What became of a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Taken {
    /// Kept.
    New,
    /// Held already, or older than what is.
    Held,
    /// Its checkpoint has the size of a kept one and another root: this is the kept one, with its author's signature.
    Contradicts(Hash, [u8; 64]),
}

/// One checkpoint with its witnesses.
#[derive(Debug, Clone)]
struct Kept {
    root: Hash,
    author: MemberKey,
    signature: [u8; 64],
    lines: BTreeMap<MemberId, (MemberKey, Witnessed)>,
}

#[derive(Debug, Clone, Default)]
struct Notes {
    by_size: BTreeMap<u64, Kept>,
    touched: u64,
}

/// What is kept of one author.
#[derive(Debug, Clone, Default)]
struct OfAuthor {
    lines: usize,
    /// Its origins by when they were last heard of.
    order: BTreeSet<(u64, Origin)>,
}

/// The whole memory.
#[derive(Debug, Default)]
pub(crate) struct Store {
    notes: BTreeMap<Origin, Notes>,
    authors: BTreeMap<MemberId, OfAuthor>,
    touches: u64,
    total: usize,
    /// The tree of each origin that this node last cosigned.
    own: BTreeMap<Origin, Frontier>,
}

impl Store {
    /// Whether [`Store::take`] would keep a line of this size and time: asked before its signatures are checked.
    pub(crate) fn wants(&self, origin: &Origin, size: u64, witness: &MemberId, time_s: u64) -> bool {
        let Some(notes) = self.notes.get(origin) else { return true };
        let mut of_witness = notes.by_size.iter().filter_map(|(size, kept)| Some((*size, kept.lines.get(witness)?)));
        let full = of_witness.clone().count() >= LINES_MAX;
        let same = of_witness.clone().find(|(kept, _)| *kept == size);
        match same {
            Some((_, (_, held))) => held.time_s < time_s,
            None => !full || of_witness.next().is_some_and(|(smallest, _)| smallest < size),
        }
    }

    /// Keeps a line.
    pub(crate) fn take(&mut self, line: Line) -> Taken {
        let Line { checkpoint, author, signature, witness, witnessed } = line;
        let Checkpoint { origin, size, root } = checkpoint;
        if !self.wants(&origin, size, &witnessed.witness, witnessed.time_s) {
            return Taken::Held;
        }
        let notes = self.notes.entry(origin.clone()).or_default();
        let kept =
            notes.by_size.entry(size).or_insert_with(|| Kept { root, author, signature, lines: BTreeMap::new() });
        if kept.root != root {
            return Taken::Contradicts(kept.root, kept.signature);
        }
        let name = witnessed.witness.clone();
        let of_author = self.authors.entry(origin.member.clone()).or_default();
        if kept.lines.insert(name.clone(), (witness, witnessed)).is_none() {
            self.total += 1;
            of_author.lines += 1;
        }
        let of_witness: Vec<u64> =
            notes.by_size.iter().filter(|(_, kept)| kept.lines.contains_key(&name)).map(|(size, _)| *size).collect();
        if let [oldest, ..] = of_witness.as_slice()
            && of_witness.len() > LINES_MAX
            && let Some(kept) = notes.by_size.get_mut(oldest)
        {
            kept.lines.remove(&name);
            self.total -= 1;
            of_author.lines -= 1;
            if kept.lines.is_empty() {
                notes.by_size.remove(oldest);
            }
        }
        of_author.order.remove(&(notes.touched, origin.clone()));
        self.touches += 1;
        notes.touched = self.touches;
        of_author.order.insert((self.touches, origin));
        self.shrink();
        Taken::New
    }

    fn shrink(&mut self) {
        while self.total > TOTAL_MAX {
            let Some(most) = self.authors.values_mut().max_by_key(|of| of.lines) else { return };
            let Some((_, origin)) = most.order.pop_first() else { return };
            if let Some(notes) = self.notes.remove(&origin) {
                let gone = notes.by_size.values().map(|kept| kept.lines.len()).sum::<usize>();
                most.lines -= gone;
                self.total -= gone;
            }
        }
    }

    /// Author, root and author's signature of the kept checkpoint of this size.
    pub(crate) fn stated(&self, origin: &Origin, size: u64) -> Option<(MemberKey, Hash, [u8; 64])> {
        let kept = self.notes.get(origin)?.by_size.get(&size)?;
        Some((kept.author, kept.root, kept.signature))
    }

    /// The tree that this node last cosigned of an origin.
    pub(crate) fn own(&self, origin: &Origin) -> Option<&Frontier> {
        self.own.get(origin)
    }

    /// Remembers the tree that this node cosigns now.
    pub(crate) fn signed(&mut self, origin: Origin, tree: Frontier) {
        self.own.insert(origin, tree);
    }

    /// The kept checkpoints of an origin, largest first.
    pub(crate) fn of(&self, origin: &Origin) -> impl Iterator<Item = SignedCheckpoint> {
        let notes = self.notes.get(origin).into_iter().flat_map(|notes| notes.by_size.iter().rev());
        notes.map(move |(size, kept)| {
            let checkpoint = Checkpoint { origin: origin.clone(), size: *size, root: kept.root };
            let mut note = SignedCheckpoint::new(checkpoint, &kept.author, &kept.signature);
            kept.lines.values().for_each(|(key, witnessed)| note.witnessed(witnessed, key));
            note
        })
    }

    /// Sizes and roots of the kept checkpoints of an origin that this member cosigned.
    pub(crate) fn signed_by(&self, origin: &Origin, key: &MemberKey) -> impl Iterator<Item = (u64, Hash)> {
        let notes = self.notes.get(origin).into_iter().flat_map(|notes| &notes.by_size);
        let signed = notes.filter(move |(_, kept)| kept.lines.values().any(|(witness, _)| witness == key));
        signed.map(|(size, kept)| (*size, kept.root))
    }

    /// Who is known to have witnessed a checkpoint of an origin over at least so many events.
    pub(crate) fn witnesses(&self, origin: &Origin, size: u64) -> impl Iterator<Item = MemberKey> {
        let notes = self.notes.get(origin).into_iter().flat_map(move |notes| notes.by_size.range(size..));
        notes.flat_map(|(_, kept)| kept.lines.values().map(|(key, _)| *key))
    }

    /// The newest line of each witness under a checkpoint of an origin over at least so many events.
    pub(crate) fn newest_lines(&self, origin: &Origin, size: u64) -> impl Iterator<Item = Line> {
        let mut newest: BTreeMap<&MemberId, Line> = BTreeMap::new();
        for (size, kept) in self.notes.get(origin).into_iter().flat_map(|notes| notes.by_size.range(size..)) {
            for (name, (witness, witnessed)) in &kept.lines {
                let line = Line {
                    checkpoint: Checkpoint { origin: origin.clone(), size: *size, root: kept.root },
                    author: kept.author,
                    signature: kept.signature,
                    witness: *witness,
                    witnessed: witnessed.clone(),
                };
                newest.insert(name, line);
            }
        }
        newest.into_values()
    }

    /// Every kept line, origins not heard of for longest first.
    pub(crate) fn lines(&self) -> impl Iterator<Item = Line> {
        let mut order: Vec<&(u64, Origin)> = self.authors.values().flat_map(|of| &of.order).collect();
        order.sort_unstable();
        let notes = order.into_iter().filter_map(|(_, origin)| Some((origin, self.notes.get(origin)?)));
        notes.flat_map(|(origin, notes)| {
            notes.by_size.iter().flat_map(move |(size, kept)| {
                kept.lines.values().map(move |(witness, witnessed)| Line {
                    checkpoint: Checkpoint { origin: origin.clone(), size: *size, root: kept.root },
                    author: kept.author,
                    signature: kept.signature,
                    witness: *witness,
                    witnessed: witnessed.clone(),
                })
            })
        })
    }

    /// Everything, as entries that give the same store again.
    pub(crate) fn entries(&self, own: &MemberId) -> Vec<Entry> {
        let lines = self.lines().map(|line| {
            let tree = self.own.get(&line.checkpoint.origin).filter(|tree| tree.size() == line.checkpoint.size);
            let text = line.note().to_string();
            match tree {
                Some(tree) if line.witnessed.witness == *own => Entry::Own { subtrees: tree.subtrees().to_vec(), text },
                _ => Entry::Line(text),
            }
        });
        lines.collect()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use watchfire_types::{Epoch, NetworkId};

    use super::*;

    fn line(author: &str, epoch: u8, size: u64, witness: u8) -> Line {
        let origin = Origin {
            network: NetworkId::from_bytes([1; 32]),
            member: author.parse().unwrap(),
            epoch: Epoch::from_bytes([epoch; 16]),
        };
        Line {
            checkpoint: Checkpoint { origin, size, root: [2; 32] },
            author: MemberKey::from_bytes([3; 32]),
            signature: [4; 64],
            witness: MemberKey::from_bytes([witness; 32]),
            witnessed: Witnessed { witness: format!("w-{witness}").parse().unwrap(), time_s: size, signature: [5; 64] },
        }
    }

    /// Whoever has checkpoints of invented epochs witnessed drives out its own lines and nobody else's.
    #[test]
    fn inventions_drive_out_their_author_alone() {
        let mut store = Store::default();
        for (epoch, witness) in [(1, 7), (1, 8), (2, 7)] {
            store.take(line("alder-1", epoch, 5, witness));
        }
        let honest = line("alder-1", 1, 5, 7).checkpoint.origin;
        for epoch in 0..=u8::MAX {
            store.take(line("birch-1", epoch, 1, 9));
            assert!(store.total <= TOTAL_MAX);
        }
        assert_eq!(store.witnesses(&honest, 1).count(), 2);
        assert_eq!(store.lines().count(), TOTAL_MAX);
        let newest = line("birch-1", u8::MAX, 1, 9).checkpoint.origin;
        let oldest = line("birch-1", 0, 1, 9).checkpoint.origin;
        assert_eq!((store.of(&newest).count(), store.of(&oldest).count()), (1, 0));
        assert_eq!(store.authors.values().map(|of| of.lines).sum::<usize>(), store.total);
    }

    /// What is older than all that is kept of a witness is not taken, again and again; a line says nothing of a larger checkpoint.
    #[test]
    fn older_lines_are_not_wanted() {
        let mut store = Store::default();
        for size in 2..=5 {
            assert_eq!(store.take(line("alder-1", 1, size, 7)), Taken::New);
        }
        assert_eq!(store.take(line("alder-1", 1, 1, 7)), Taken::Held);
        assert_eq!(store.take(line("alder-1", 1, 6, 7)), Taken::New);
        assert_eq!(store.take(line("alder-1", 1, 2, 7)), Taken::Held);
        let origin = line("alder-1", 1, 5, 7).checkpoint.origin;
        assert_eq!([6, 7].map(|size| store.witnesses(&origin, size).count()), [1, 0]);
    }
}
