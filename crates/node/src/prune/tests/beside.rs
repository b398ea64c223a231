//! What a pruning does beside the journal: the index is not believed any more, and archives are named.

use watchfire_journal::index::is_distrusted;

use super::*;

/// A pruning moves what the index points at: the next start builds it anew, but not after a rehearsal.
#[test]
fn a_pruning_distrusts_the_index() {
    let place = place([true, true]);
    let index = place.path().join("sled");
    fs::create_dir(&index).unwrap();
    place.prune(std::slice::from_ref(&place.archive), KEEP_DAYS, true).unwrap();
    assert!(!is_distrusted(&index));
    place.pruned();
    assert!(is_distrusted(&index));
}

/// Each archive is named with as many events as went of it and the time of the newest of them; one of which everything stays is not named.
#[test]
fn archives_are_named_with_what_went_of_them() {
    let place = place([true, true]);
    let event = |record: &Vec<u8>| decode_signed(record.clone().into()).unwrap().event().clone();
    let before = place.records();
    // Of the liar everything stays.
    let liar = charter().members[&member("elm-1")].node_key;
    let stays: Vec<_> = before.iter().filter(|record| event(record).author == liar).cloned().collect();
    let early = &before[..20];
    let archives = [archived(&place, "stays", &stays), archived(&place, "early", early), place.archive.clone()];
    place.prune(&archives, KEEP_DAYS, false).unwrap();

    let after = place.records();
    let of = |records: &[Vec<u8>]| {
        let times: Vec<_> =
            records.iter().filter(|record| !after.contains(record)).map(|record| event(record).time).collect();
        (times.len() as u64, times.into_iter().max().unwrap())
    };
    let named = place.look().pruned.unwrap().archives;
    let named: Vec<_> = named.iter().map(|into| (into.pruned, into.through)).collect();
    assert_eq!(named, [of(early), of(&before)]);
}

/// An archive of a log that holds these records alone.
pub(super) fn archived(place: &Place, name: &str, records: &[Vec<u8>]) -> PathBuf {
    let other = tempfile::tempdir().unwrap();
    let mut journal = Journal::open(FileStorage::open(&other.path().join("journal")).unwrap(), SMALL).unwrap();
    for record in records {
        journal.append(record).unwrap();
    }
    journal.sync().unwrap();
    drop(journal);
    let mut bytes = Vec::new();
    export(other.path(), (&charter(), &fixture::charter_text(None)), &mut bytes, |_| {}).unwrap();
    let path = place.path().join(name);
    fs::write(&path, bytes).unwrap();
    path
}
