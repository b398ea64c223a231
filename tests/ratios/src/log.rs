//! What the log's ratios share: records as a node's log holds them, their index keys, raw files, and a storage that counts.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::ThreadId;

use watchfire_journal::{BackgroundMode, FileStorage, Storage, StorageFile};
use watchfire_types::body::{Basis, Body, Decision, Vote};
use watchfire_types::{
    BlockRef, BlockTime, Bytes, CharterVersion, Epoch, Event, EventHash, MemberKey, NetworkId, Seq, StepIndex,
    Timestamp,
};

use crate::chain::CHAIN;

/// One author's chain of votes, as a log holds them; the signatures are fillers, which no part of the log looks at.
pub(crate) struct Votes {
    network: NetworkId,
    author: MemberKey,
    seq: u64,
    prev: EventHash,
}

impl Votes {
    pub(crate) fn of(author: u8) -> Self {
        let network = NetworkId::from_bytes([3; 32]);
        let prev = EventHash::from_bytes([0; 32]);
        Self { network, author: MemberKey::from_bytes([author; 32]), seq: 0, prev }
    }
}

impl Iterator for Votes {
    type Item = Bytes;

    fn next(&mut self) -> Option<Bytes> {
        let seq = self.seq;
        let evidence = BlockRef {
            chain: CHAIN,
            number: seq,
            hash: alloy_primitives::B256::from(alloy_primitives::U256::from(seq + 1)),
            time: BlockTime::from_secs(1_700_000_000 + seq),
        };
        let vote = Vote {
            decision: Decision {
                version: CharterVersion::new(1),
                asset: "vault-core".parse().expect("a name"),
                playbook: "contain-vault".parse().expect("a name"),
            },
            step: StepIndex::new(2),
            basis: Basis::Finding(EventHash::from_bytes([9; 32])),
            operator: "op-birch".parse().expect("a name"),
            evidence,
        };
        let event = Event {
            network: self.network,
            author: self.author,
            epoch: Epoch::from_bytes([5; 16]),
            seq: Seq::new(seq),
            prev: self.prev,
            time: Timestamp::from_millis(1_700_000_000_000 + seq),
            body: Body::Vote(vote),
        };
        // Some bits that no packing could save.
        let filler = alloy_primitives::keccak256(seq.to_be_bytes());
        let mut signature = [0; 64];
        signature[..32].copy_from_slice(filler.as_slice());
        signature[32..].copy_from_slice(alloy_primitives::keccak256(filler).as_slice());
        let sealed = watchfire_wire::seal(&event, |_| signature).expect("within bounds");
        self.seq += 1;
        self.prev = sealed.hash();
        Some(sealed.outer().clone())
    }
}

/// A file of zeros, synced, that raw writes go to.
pub(crate) struct Raw {
    file: File,
    at: u64,
}

impl Raw {
    pub(crate) fn new(path: &Path, bytes: u64) -> Self {
        let file = OpenOptions::new().create(true).truncate(true).write(true).read(true).open(path).expect("a file");
        let zeros = vec![0; 1 << 20];
        for at in (0..bytes).step_by(zeros.len()) {
            file.write_all_at(&zeros, at).expect("room");
        }
        file.sync_all().expect("a sound disk");
        Self { file, at: 0 }
    }

    /// One write and one fdatasync.
    pub(crate) fn commit(&mut self, bytes: &[u8]) {
        self.file.write_all_at(bytes, self.at).expect("room");
        self.file.sync_data().expect("a sound disk");
        self.at += bytes.len() as u64;
    }
}

/// Real files that count the syncs of the thread that made this: those beside the log's writer are not counted.
#[derive(Debug, Clone)]
pub(crate) struct Counted {
    files: FileStorage,
    writer: ThreadId,
    syncs: Arc<AtomicU64>,
}

/// A file of a [`Counted`] storage.
#[derive(Debug)]
pub(crate) struct CountedFile {
    file: File,
    writer: ThreadId,
    syncs: Arc<AtomicU64>,
}

impl Counted {
    pub(crate) fn new(directory: &Path) -> Self {
        let files = FileStorage::open(directory).expect("a journal");
        Self { files, writer: std::thread::current().id(), syncs: Arc::default() }
    }

    pub(crate) fn syncs(&self) -> u64 {
        self.syncs.load(Ordering::Relaxed)
    }

    fn count(&self, file: File) -> CountedFile {
        CountedFile { file, writer: self.writer, syncs: Arc::clone(&self.syncs) }
    }
}

impl Storage for Counted {
    type File = CountedFile;

    fn list(&self) -> io::Result<Vec<String>> {
        self.files.list()
    }

    fn create(&self, name: &str) -> io::Result<CountedFile> {
        self.files.create(name).map(|file| self.count(file))
    }

    fn open(&self, name: &str) -> io::Result<CountedFile> {
        self.files.open(name).map(|file| self.count(file))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.files.rename(from, to)
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.files.remove(name)
    }

    fn sync_directory(&self) -> io::Result<()> {
        self.files.sync_directory()
    }

    fn background(&self) -> BackgroundMode {
        self.files.background()
    }
}

impl StorageFile for CountedFile {
    fn length(&self) -> io::Result<u64> {
        self.file.length()
    }

    fn read_at(&self, offset: u64, into: &mut [u8]) -> io::Result<usize> {
        StorageFile::read_at(&self.file, offset, into)
    }

    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        StorageFile::write_at(&self.file, offset, bytes)
    }

    fn sync(&self) -> io::Result<()> {
        if std::thread::current().id() == self.writer {
            self.syncs.fetch_add(1, Ordering::Relaxed);
        }
        self.file.sync()
    }
}
