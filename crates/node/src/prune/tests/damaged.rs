//! A base that is not whole any more: named, and mended from the archive.

use super::*;

/// A base of which a byte rotted in its header, its note or what it kept, or whose file is gone: it is named with the way out, no repair touches
/// it, and the import of the archive makes the log whole with what is sound, and keeps the damaged journal.
#[test]
fn a_damaged_base_is_mended_from_the_archive() {
    for damage in [Some(17), Some(120), Some(usize::MAX), None] {
        let place = place([true, true]);
        // Said after the archive was made.
        let mut journal = Journal::open(FileStorage::open(&place.path().join("journal")).unwrap(), SMALL).unwrap();
        journal.append(&Author::new("birch-1", 2, 0xb9, NOW).start(&[])).unwrap();
        journal.sync().unwrap();
        drop(journal);
        let whole = place.exported();
        place.pruned();
        let (name, mut bytes) = place.files().into_iter().find(|(name, _)| name.ends_with(".log")).unwrap();
        let base = place.path().join("journal").join(name);
        match damage {
            Some(at) => {
                let written = bytes.iter().rposition(|byte| *byte != 0).unwrap();
                bytes[at.min(written - 40)] ^= 1;
                fs::write(&base, bytes).unwrap();
            }
            None => fs::remove_file(&base).unwrap(),
        }
        let damaged = place.files();
        let storage = FileStorage::read_only(&place.path().join("journal"));
        assert!(!watchfire_journal::verify_log(&storage, None, |_| Ok(())).unwrap().faults.is_empty(), "{damage:?}");
        if damage.is_some() {
            let refused = watchfire_journal::repair(&storage, |_| true).unwrap_err().to_string();
            assert!(refused.contains("watchfire log import"), "{refused}");
        }
        assert_eq!(place.files(), damaged);
        let nothing = place.path().join("nothing.jsonl");
        fs::write(&nothing, "").unwrap();
        assert!(place.import(&[&nothing]).is_err());
        assert_eq!(place.files(), damaged);
        let imported = place.import(&[&place.archive]).unwrap();
        assert_eq!(imported.missing, 0);
        let mended = imported.mended.unwrap();
        assert_eq!(mended.set_aside, "journal.damaged-1");
        assert_eq!(imported.kept, 1, "the newest event is in no archive but here");
        let aside = fs::read_dir(place.path().join(mended.set_aside)).unwrap().map(Result::unwrap);
        let aside: BTreeMap<String, Vec<u8>> =
            aside.map(|file| (file.file_name().into_string().unwrap(), fs::read(file.path()).unwrap())).collect();
        assert_eq!(aside, damaged);
        assert_eq!(place.exported(), whole);
        assert!(place.look().is_sound());
    }
}
