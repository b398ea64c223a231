//! A release from a directory to whoever reads it, and what is none.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use super::*;

const NAME: &str = "app.alder.example";

fn key(byte: u8) -> SigningKey {
    SigningKey::from_bytes(&[byte; 32])
}

fn public(byte: u8) -> ReleaseKey {
    ReleaseKey::of(NAME, &key(byte)).unwrap()
}

fn directory(files: &[(&str, &[u8])]) -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    for (path, bytes) in files {
        let path = directory.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }
    directory
}

/// What is signed is the list as it is written down, and who has the key's public part reads it back.
#[test]
fn a_release_goes_there_and_back() {
    let site = directory(&[("index.html", b"<script src=a/b.js></script>"), ("a/b.js", b"x"), ("a b.txt", b"")]);
    let release = Release::of_directory(site.path(), "app 1.4.2").unwrap();
    let note = release.sign(NAME, &key(1)).unwrap();
    let hash = |bytes: &[u8]| hex::encode(Sha256::digest(bytes));
    let text = format!(
        "watchfire release 1\napp 1.4.2\n{} a b.txt\n{} a/b.js\n{} index.html\n",
        hash(b""),
        hash(b"x"),
        hash(b"<script src=a/b.js></script>")
    );
    assert!(note.starts_with(&format!("{text}\n\u{2014} {NAME} ")), "{note}");
    assert_eq!(Release::read(&note, &[public(2), public(1)]).unwrap(), release);
    let named: ReleaseKey = public(1).to_string().parse().unwrap();
    assert_eq!(Release::read(&note, &[named]).unwrap(), release);
    assert_eq!(served_at("index.html"), "");
    assert_eq!(served_at("a/index.html"), "a/");
    assert_eq!(served_at("aindex.html"), "aindex.html");
}

/// Another key, another name and any other byte is no signature of it.
#[test]
fn nobody_else_signs_it() {
    let site = directory(&[("index.html", b"x")]);
    let note = Release::of_directory(site.path(), "app").unwrap().sign(NAME, &key(1)).unwrap();
    let other = ReleaseKey::of("app.birch.example", &key(1)).unwrap();
    for keys in [&[][..], &[public(2)], &[other]] {
        assert!(matches!(Release::read(&note, keys), Err(ReleaseError::Unsigned)), "{keys:?}");
    }
    let (text, line) = note.split_once("\n\n").unwrap();
    for at in 0..text.len() {
        let mut bytes = text.as_bytes().to_vec();
        bytes[at] ^= 1;
        let changed = [&bytes[..], b"\n\n", line.as_bytes()].concat();
        let Ok(changed) = String::from_utf8(changed) else { continue };
        assert!(Release::read(&changed, &[public(1)]).is_err(), "byte {at}");
    }
}

/// A text that is signed and no release is refused by its line.
#[test]
fn what_is_no_release_has_a_line() {
    let signed = |text: &str| {
        let ReleaseKey { name, key: public } = public(1);
        let (key_id, signature) = (log_key_id(&name, &public), key(1).sign(text.as_bytes()).to_bytes().to_vec());
        Note { text: text.to_owned(), signatures: vec![NoteSignature { name, key_id, signature }] }.to_string()
    };
    let hash = "ab".repeat(32);
    let many: String = (0..=FILES_MAX).map(|number| format!("{} {number:04}\n", "a".repeat(64))).collect();
    for (text, line) in [
        ("watchfire release 2\napp\n".to_owned(), 1),
        ("watchfire release 1\n".to_owned(), 2),
        ("watchfire release 1\napp\n".to_owned(), 3),
        (format!("watchfire release 1\napp\n{hash}\n"), 3),
        (format!("watchfire release 1\napp\n{} a\n", hash.to_uppercase()), 3),
        (format!("watchfire release 1\napp\n{} a\n", &hash[1..]), 3),
        (format!("watchfire release 1\napp\n{hash} a\n{hash} a\n"), 4),
        (format!("watchfire release 1\napp\n{hash} b\n{hash} a\n"), 4),
        (format!("watchfire release 1\napp\n{hash} ../a\n"), 3),
        (format!("watchfire release 1\napp\n{hash} /a\n"), 3),
        (format!("watchfire release 1\napp\n{hash} a//b\n"), 3),
        (format!("watchfire release 1\napp\n{hash} {}\n", "a".repeat(PATH_MAX + 1)), 3),
        (format!("watchfire release 1\napp\n{many}"), 3 + FILES_MAX),
    ] {
        match Release::read(&signed(&text), &[public(1)]) {
            Err(ReleaseError::Malformed { line: found, .. }) => assert_eq!(found, line, "{text:.100}"),
            other => panic!("{text:.100}: {other:?}"),
        }
    }
    assert!(matches!(Release::read("", &[public(1)]), Err(ReleaseError::Note(_))));
}

/// What cannot be served as it stands is told when it is signed, not when partners read it.
#[test]
fn what_cannot_be_released_is_told() {
    let empty = directory(&[]);
    assert!(matches!(Release::of_directory(empty.path(), "app"), Err(ReleaseError::Malformed { line: 3, .. })));
    let linked = directory(&[("index.html", b"x")]);
    std::os::unix::fs::symlink("/etc/passwd", linked.path().join("a.js")).unwrap();
    assert!(matches!(Release::of_directory(linked.path(), "app"), Err(ReleaseError::Unfit { .. })));
    let odd = directory(&[("a\\b.js", b"x")]);
    assert!(matches!(Release::of_directory(odd.path(), "app"), Err(ReleaseError::Unfit { .. })));
    let sound = directory(&[("index.html", b"x")]);
    assert!(matches!(Release::of_directory(sound.path(), "a\nb"), Err(ReleaseError::Malformed { line: 2 | 3, .. })));
    assert!(matches!(Release::of_directory(&sound.path().join("nowhere"), "app"), Err(ReleaseError::Read { .. })));
    let release = Release::of_directory(sound.path(), "app").unwrap();
    assert!(matches!(release.sign("two words", &key(1)), Err(ReleaseError::Key(_))));
    let long: Vec<(String, B256)> = (0..400).map(|at| (format!("{at}{}", "a".repeat(200)), B256::ZERO)).collect();
    let long = Release { name: "app".to_owned(), files: long.into_iter().collect() };
    assert!(matches!(long.sign(NAME, &key(1)), Err(ReleaseError::Note(_))), "more than a note holds");
}

/// A key's public part is one text and no other.
#[test]
fn a_key_has_one_text() {
    let text = public(1).to_string();
    assert_eq!(text.parse(), Ok(public(1)));
    let other_id = text.replacen('+', "+0", 1);
    let kind_4 = format!("{NAME}+00000000+{}", STANDARD.encode([&[4][..], &[1; 32]].concat()));
    for wrong in ["", "a", "a+b", "a+b+c", &text[1..], &format!("{text}="), &other_id, &kind_4] {
        assert_eq!(wrong.parse::<ReleaseKey>(), Err(NoReleaseKey), "{wrong}");
    }
}
