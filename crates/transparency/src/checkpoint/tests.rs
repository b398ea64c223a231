//! The checkpoint's text: golden, strict, and apart from everything else that a node key signs.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use watchfire_types::domain;

use super::*;

fn checkpoint() -> Checkpoint {
    let origin = Origin {
        network: NetworkId::from_bytes([0xab; 32]),
        member: "alder-1".parse().unwrap(),
        epoch: Epoch::from_bytes([0xe0; 16]),
    };
    Checkpoint { origin, size: 7, root: crate::tree::merkle_root((0..7).map(|leaf| vec![leaf; 3])) }
}

const TEXT: &str = "watchfire/abababababababababababababababababababababababababababababababab/alder-1/e0e0e0e0e0e0e0e0e0e0e0e0e0e0e0e0\n\
    7\nLwPMWyZye0hIwhxQbNcgwWN9lAsd/T8rDtIMDALG8l4=\n";

/// Golden bytes of what an author signs and of what a witness signs.
#[test]
fn golden_texts() {
    assert_eq!(checkpoint().text(), TEXT);
    assert_eq!(checkpoint().cosigned_text(1_679_315_147), format!("cosignature/v1\ntime 1679315147\n{TEXT}"));
    assert_eq!(Checkpoint::parse(TEXT), Ok(checkpoint()));
}

/// No signing input of one kind is ever one of another, whatever the network, member, epoch, time and root: each begins with
/// bytes that no other begins with.
#[test]
fn signed_texts_are_prefix_free_of_every_domain() {
    // What the two texts always begin with, up to the first byte that is free; the byte after `watchfire/` is a hex digit.
    let starts: Vec<Vec<u8>> = "0123456789abcdef".bytes().map(|digit| [b"watchfire/", &[digit][..]].concat()).collect();
    let starts: Vec<&[u8]> = starts.iter().map(Vec::as_slice).chain([b"cosignature/v1\ntime ".as_slice()]).collect();
    for domain in domain::ALL {
        for start in &starts {
            assert!(!domain.starts_with(start) && !start.starts_with(domain), "{domain:?} and {start:?}");
        }
    }
    for digit in 0..=255 {
        let mut other = checkpoint();
        other.origin.network = NetworkId::from_bytes([digit; 32]);
        let texts = [other.text(), other.cosigned_text(u64::from(digit))];
        for text in texts {
            assert_eq!(starts.iter().filter(|start| text.as_bytes().starts_with(start)).count(), 1, "{text}");
        }
    }
}

/// One form only.
#[test]
fn breaches_are_refused() {
    let origin = checkpoint().origin.to_string();
    let replaced = [
        TEXT.replace("\n7\n", "\n07\n"),
        TEXT.replace("\n7\n", "\n\n"),
        TEXT.replace("\n7\n", "\n7 \n"),
        TEXT.replace("\n7\n", "\n18446744073709551616\n"),
        TEXT.replace("G8l4=", "G8l4"),
        TEXT.replace("G8l4=", "G8l5="),
        TEXT.replace("G8l4=", ""),
        TEXT.trim_end().to_owned(),
        format!("{TEXT}extension\n"),
        format!("{TEXT}\n"),
        TEXT.replace("abab", "ABAB"),
        TEXT.replace("watchfire/", "watchfire/0x"),
        TEXT.replace("alder-1", "Alder-1"),
        TEXT.replace("alder-1", "alder-1/x"),
        String::new(),
    ];
    for text in replaced {
        assert!(Checkpoint::parse(&text).is_err(), "{text:?}");
    }
    assert!(matches!(Checkpoint::parse(&"x".repeat(2_000)), Err(NoteError::TooLong { .. })));
    assert_eq!(origin.parse::<Origin>().unwrap(), checkpoint().origin);
    assert_eq!(witness_name(&checkpoint().origin.network, &checkpoint().origin.member), origin[..82]);
}
