//! The note format, strictly: what parses prints the same bytes, and what breaks it is named by its line.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use proptest::prelude::*;

use super::*;

/// The example of c2sp.org/signed-note.
const EXAMPLE: &str = "Ognuno sta solo sul cuor della terra\ntrafitto da un raggio di sole:\n\ned \u{e8} subito sera.\n\n\
    \u{2014} quasimodo.example/salvatore NnugSzTjtVAewIS+Z/iJhUPeFDkO/5QQ2i5ddnGITLlC+EhfLW9oJKONrMouFSQU0xMcXxj99ihAQwaqP3ZekRwNtIc=\n";

/// The specification's own note, whose text holds an empty line.
#[test]
fn the_example_of_the_specification() {
    let note = Note::parse(EXAMPLE).unwrap();
    assert!(note.text.ends_with("\n\ned \u{e8} subito sera.\n"));
    assert_eq!(note.signatures.len(), 1);
    assert_eq!(note.signatures[0].name, "quasimodo.example/salvatore");
    assert_eq!(note.signatures[0].signature.len(), 64);
    assert_eq!(note.to_string(), EXAMPLE);
}

/// Each breach is refused, with its line.
#[test]
fn breaches_are_named() {
    let sign = |line: &str| format!("text\n\n{line}");
    let line = "\u{2014} name AAAAAAA=\n";
    assert!(Note::parse(&sign(line)).is_ok());
    let refused = [
        ("text\n".to_owned(), 1),
        ("text\n\n".to_owned(), 3),
        (sign("\u{2014} name AAAAAAA="), 3),
        (sign("- name AAAAAAA=\n"), 3),
        (sign("\u{2014} name\n"), 3),
        (sign("\u{2014}  AAAAAAA=\n"), 3),
        (sign("\u{2014} na+me AAAAAAA=\n"), 3),
        (sign("\u{2014} na\u{a0}me AAAAAAA=\n"), 3),
        (sign("\u{2014} name AAAAAAA\n"), 3),
        (sign("\u{2014} name AAAAAAB=\n"), 3),
        (sign("\u{2014} name AAAA\n"), 3),
        (sign("\u{2014} name AAAAAA==\n"), 3),
        (sign("\u{2014} name AAAAAAA= \n"), 3),
        (sign(&format!("{line}x\n")), 4),
        (format!("te\rxt\n\n{line}"), 1),
        (format!("text\nte\tx\n\n{line}"), 2),
        (sign(&line.repeat(SIGNATURES_MAX + 1)), 3),
        (sign(&format!("\u{2014} {} AAAAAAA=\n", "n".repeat(NAME_MAX + 1))), 3),
    ];
    for (text, expected) in refused {
        match Note::parse(&text) {
            Err(NoteError::Malformed { line, .. }) => assert_eq!(line, expected, "{text:?}"),
            other => panic!("{text:?}: {other:?}"),
        }
    }
    let long = sign(&format!("\u{2014} name {}\n", "A".repeat(NOTE_MAX)));
    assert!(matches!(Note::parse(&long), Err(NoteError::TooLong { limit: NOTE_MAX, .. })));
    assert!(Note::parse(&sign(&line.repeat(SIGNATURES_MAX))).is_ok());
}

/// Numbers have one form.
#[test]
fn decimals_are_canonical() {
    for text in ["", "00", "01", "+1", "-1", " 1", "1 ", "0x1", "18446744073709551616", "\u{661}"] {
        assert_eq!(decimal(text), None, "{text:?}");
    }
    assert_eq!(decimal("0"), Some(0));
    assert_eq!(decimal("18446744073709551615"), Some(u64::MAX));
}

proptest! {
    /// Whatever parses prints the same bytes.
    #[test]
    fn one_form(text in "(\\PC{0,8}\n){0,3}\n(\u{2014} [a-z/+ ]{0,6} [A-D+/=]{0,16}\n){0,3}") {
        if let Ok(note) = Note::parse(&text) {
            prop_assert_eq!(note.to_string(), text);
        }
    }
}
