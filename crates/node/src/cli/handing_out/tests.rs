//! What leaves the store of a node that does not run, and what is noted of it first.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use super::*;
use crate::run::fixture;

/// Whatever else lies in the store, and comes there after it was asked for, is read only once it is on record.
#[test]
fn nothing_is_read_that_is_not_on_record() {
    let (directory, path) = fixture::directory();
    let config = Config::load(&path).unwrap();
    let store = Store::open(directory.path()).unwrap();
    let noted =
        || -> BTreeSet<B256> { Owed::kept(directory.path()).into_iter().flat_map(|(_, owed)| owed.objects).collect() };
    let mut recorder = Recorder::new(&config, Custodian::Node("a test".to_owned()));
    let (held, stray) = (store.put(b"held").unwrap(), store.put(b"nobody named it").unwrap());
    let late = crate::evidence::store::digest(b"late");
    recorder.take([held, late].into(), "for a test").unwrap();
    store.put(b"late").unwrap();
    let read: BTreeSet<B256> = recorder.read().unwrap().into_keys().collect();
    assert_eq!((&read, &noted()), (&[held].into(), &[held].into()), "it came after what was noted");

    recorder.take([held, late].into(), "for a test").unwrap();
    let read = recorder.read().unwrap();
    assert_eq!(read.keys().copied().collect::<BTreeSet<_>>(), noted());
    assert_eq!(read.get(&late), Some(&Bytes::from_static(b"late")));
    assert!(!read.contains_key(&stray));
}
