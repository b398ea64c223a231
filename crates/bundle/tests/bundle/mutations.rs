//! What a forger can do to the messages of a good bundle and then make the file's digest good again: leave out, repeat, swap, or take from
//! another bundle, at every place of every list, and change the bytes of every field. Each is seen: it fails, or something that held stays
//! open; what each leads to is written in mutations.txt, and only what nothing rests on may hold.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use watchfire_bundle::{Outcome, Report, verify};
use watchfire_types::Bytes;
use watchfire_wire::bundle::BUNDLE_MAGIC;

use crate::fixture::{Story, charter, framed, whole};

/// A field as it stands in the encoding: number, wire type, and its bytes (of a varint, the encoded number).
#[derive(Clone, PartialEq, Eq)]
struct Field {
    number: u64,
    wire: u64,
    content: Vec<u8>,
}

fn varint(bytes: &mut &[u8]) -> u64 {
    let mut value = 0;
    for shift in (0..).step_by(7) {
        let (first, rest) = bytes.split_first().unwrap();
        *bytes = rest;
        value |= u64::from(first & 0x7f) << shift;
        if first & 0x80 == 0 {
            break;
        }
    }
    value
}

fn put(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(u8::try_from(value & 0x7f).unwrap() | 0x80);
        value >>= 7;
    }
    out.push(u8::try_from(value).unwrap());
}

fn opened(mut bytes: &[u8]) -> Vec<Field> {
    let mut fields = Vec::new();
    while !bytes.is_empty() {
        let key = varint(&mut bytes);
        let (number, wire) = (key >> 3, key & 7);
        let content = match wire {
            0 => {
                let mut content = Vec::new();
                put(&mut content, varint(&mut bytes));
                content
            }
            2 => {
                let length = usize::try_from(varint(&mut bytes)).unwrap();
                let (content, rest) = bytes.split_at(length);
                bytes = rest;
                content.to_vec()
            }
            other => panic!("wire type {other}"),
        };
        fields.push(Field { number, wire, content });
    }
    fields
}

fn closed(fields: &[Field]) -> Vec<u8> {
    let mut out = Vec::new();
    for field in fields {
        put(&mut out, field.number << 3 | field.wire);
        if field.wire == 2 {
            put(&mut out, field.content.len() as u64);
        }
        out.extend_from_slice(&field.content);
    }
    out
}

/// All ways of one kind in which a message's fields are changed.
type Change<'a> = dyn Fn(&[Field]) -> Vec<Vec<Field>> + 'a;

/// The lists of the format: the path of field numbers to the message that holds each, and the list's own number.
const LISTS: &[(&str, &[u64], u64)] = &[
    ("charter", &[], 3),
    ("segment", &[], 4),
    ("event", &[4], 3),
    ("further", &[], 5),
    ("tree", &[], 6),
    ("inclusion", &[6], 4),
    ("block", &[], 7),
    ("receipt", &[7], 4),
    ("receipt node", &[7, 4], 3),
    ("account", &[7], 5),
    ("account node", &[7, 5], 3),
    ("slot", &[7, 5], 4),
    ("slot node", &[7, 5, 4], 3),
    ("object", &[], 8),
];

/// The fields of the format that hold no messages, named as [`LISTS`] names theirs.
const FIELDS: &[(&str, &[u64], u64)] = &[
    ("network", &[], 1),
    ("incident id", &[2], 1),
    ("incident asset", &[2], 2),
    ("charter version", &[3], 1),
    ("charter canonical", &[3], 2),
    ("charter document", &[3], 3),
    ("segment author", &[4], 1),
    ("segment epoch", &[4], 2),
    ("event", &[4], 3),
    ("tree author", &[6], 1),
    ("tree epoch", &[6], 2),
    ("tree note", &[6], 3),
    ("inclusion index", &[6, 4], 1),
    ("inclusion path", &[6, 4], 2),
    ("block chain", &[7], 1),
    ("block hash", &[7], 2),
    ("block header", &[7], 3),
    ("receipt index", &[7, 4], 1),
    ("receipt", &[7, 4], 2),
    ("receipt node", &[7, 4], 3),
    ("account address", &[7, 5], 1),
    ("account value", &[7, 5], 2),
    ("account node", &[7, 5], 3),
    ("slot", &[7, 5, 4], 1),
    ("slot value", &[7, 5, 4], 2),
    ("slot node", &[7, 5, 4], 3),
    ("object digest", &[8], 1),
    ("object", &[8], 2),
    ("software", &[], 9),
];

/// A bit of its first, its middle and its last byte changed.
fn flipped(fields: &[Field], number: u64) -> Vec<Vec<Field>> {
    let mut all = Vec::new();
    for at in places(fields, number) {
        let length = fields[at].content.len();
        let bytes: BTreeSet<usize> =
            [0, length / 2, length.saturating_sub(1)].into_iter().filter(|byte| *byte < length).collect();
        for byte in bytes {
            let mut fields = fields.to_vec();
            // Of a number the lowest bit: it stays one.
            fields[at].content[byte] ^= 1;
            all.push(fields);
        }
    }
    all
}

/// Every message under a path, changed in every way that `change` knows of its fields.
fn everywhere(bytes: &[u8], path: &[u64], change: &Change<'_>) -> Vec<Vec<u8>> {
    let fields = opened(bytes);
    let Some((first, rest)) = path.split_first() else {
        return change(&fields).iter().map(|fields| closed(fields)).collect();
    };
    let mut all = Vec::new();
    for at in (0..fields.len()).filter(|at| fields[*at].number == *first) {
        for content in everywhere(&fields[at].content, rest, change) {
            let mut changed = fields.clone();
            changed[at].content = content;
            all.push(closed(&changed));
        }
    }
    all
}

/// A message with this content at a path of field numbers, at the first such field.
pub(crate) fn instead(bytes: &[u8], path: &[u64], content: &[u8]) -> Vec<u8> {
    let Some((first, rest)) = path.split_first() else { return content.to_vec() };
    let mut fields = opened(bytes);
    let at = places(&fields, *first)[0];
    fields[at].content = instead(&fields[at].content, rest, content);
    closed(&fields)
}

/// The content of a message's field.
pub(crate) fn content(bytes: &[u8], number: u64) -> Vec<u8> {
    let fields = opened(bytes);
    fields[places(&fields, number)[0]].content.clone()
}

pub(crate) fn body(file: &Bytes) -> &[u8] {
    &file[BUNDLE_MAGIC.len() + 8..file.len() - 32]
}

fn places(fields: &[Field], number: u64) -> Vec<usize> {
    (0..fields.len()).filter(|at| fields[*at].number == number).collect()
}

fn left_out(fields: &[Field], number: u64) -> Vec<Vec<Field>> {
    let without = |at: &usize| {
        let mut fields = fields.to_vec();
        fields.remove(*at);
        fields
    };
    places(fields, number).iter().map(without).collect()
}

fn repeated(fields: &[Field], number: u64) -> Vec<Vec<Field>> {
    let twice = |at: &usize| {
        let mut fields = fields.to_vec();
        fields.insert(*at, fields[*at].clone());
        fields
    };
    places(fields, number).iter().map(twice).collect()
}

fn swapped(fields: &[Field], number: u64) -> Vec<Vec<Field>> {
    let swap = |pair: &[usize]| {
        let mut fields = fields.to_vec();
        fields.swap(pair[0], pair[1]);
        fields
    };
    places(fields, number).windows(2).map(swap).collect()
}

/// Every element of another bundle's list that this one has not, put where it belongs by the list's order, alone (`instead` = false) or in
/// the place of the one beside it.
fn taken(fields: &[Field], number: u64, others: &[Field], instead: bool) -> Vec<Vec<Field>> {
    let own = places(fields, number);
    let strangers = others.iter().filter(|other| other.number == number && !fields.contains(other));
    let mut all = Vec::new();
    for stranger in strangers {
        // Ordered as the format wants: by the key, which is each element's first bytes, or else by hash.
        for at in own.iter().copied().chain(own.last().map(|last| last + 1)) {
            let mut fields = fields.to_vec();
            if instead {
                if at >= fields.len() || fields[at].number != number {
                    continue;
                }
                fields[at] = stranger.clone();
            } else {
                fields.insert(at, stranger.clone());
            }
            all.push(fields);
        }
    }
    all
}

fn names(report: &Report, outcome: Outcome) -> BTreeSet<&'static str> {
    report.checks.iter().filter(|check| check.outcome == outcome).map(|check| check.name).collect()
}

/// Changes of one kind at one list that are judged: spread over all places, the same ones each time.
const SAMPLES: usize = 6;

/// What became of the changes of one kind at one list: the names that failed, or, where nothing did, those that stay open.
fn verdicts(files: Vec<Vec<u8>>) -> BTreeSet<String> {
    let judge = |body: Vec<u8>| {
        let report = verify(&framed(&body), Some(&charter()));
        match &report.first_failure {
            Some(failure) => failure.name.to_owned(),
            None => {
                let open: Vec<_> = names(&report, Outcome::Open).into_iter().collect();
                if open.is_empty() { "holds".to_owned() } else { format!("open: {}", open.join(" ")) }
            }
        }
    };
    let step = files.len().div_ceil(SAMPLES).max(1);
    files.into_iter().step_by(step).map(judge).collect()
}

fn expected(text: &str) -> BTreeMap<String, BTreeSet<String>> {
    let line = |line: &str| {
        let (what, verdicts) = line.split_once(" -> ").unwrap();
        (what.trim().to_owned(), verdicts.split(" | ").map(|verdict| verdict.trim().to_owned()).collect())
    };
    text.lines().filter(|line| !line.is_empty()).map(line).collect()
}

/// What may be changed and still holds as a whole: nothing rests on the name of the software.
const WEIGHTLESS: &[&str] = &["software flipped"];

fn agree(table: &str, found: &BTreeMap<String, BTreeSet<String>>) {
    let shown: Vec<String> = found
        .iter()
        .map(|(what, verdicts)| format!("{what} -> {}", verdicts.iter().cloned().collect::<Vec<_>>().join(" | ")))
        .collect();
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/bundle").join(table);
    let table = std::fs::read_to_string(path).unwrap();
    assert_eq!(*found, expected(&table), "\n{}\n", shown.join("\n"));
    for (what, verdicts) in found {
        let weightless = WEIGHTLESS.contains(&what.as_str());
        assert!(weightless || !verdicts.contains("holds"), "{what} is not seen: {verdicts:?}");
    }
}

/// Every list, every place, every way.
#[test]
fn every_change_of_a_list_is_seen() {
    let (file, other) = (whole(), Story::other().bundle());
    let mut found: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (what, path, number) in LISTS {
        let number = *number;
        let strangers = RefCell::new(Vec::new());
        everywhere(body(&other), path, &|fields| {
            strangers.borrow_mut().extend(fields.iter().filter(|field| field.number == number).cloned());
            Vec::new()
        });
        let strangers = strangers.into_inner();
        let ways: [(&str, &Change<'_>); 5] = [
            ("left out", &|fields| left_out(fields, number)),
            ("repeated", &|fields| repeated(fields, number)),
            ("swapped", &|fields| swapped(fields, number)),
            ("of another bundle added", &|fields| taken(fields, number, &strangers, false)),
            ("of another bundle instead", &|fields| taken(fields, number, &strangers, true)),
        ];
        for (way, change) in ways {
            let files = everywhere(body(&file), path, change);
            if !files.is_empty() {
                found.insert(format!("{what} {way}"), verdicts(files));
            }
        }
    }
    agree("mutations.txt", &found);
}

/// Every field that the format has, wherever it stands.
#[test]
fn every_changed_field_is_seen() {
    let file = whole();
    let flips = FIELDS.iter().map(|(what, path, number)| {
        let files = everywhere(body(&file), path, &|fields| flipped(fields, *number));
        assert!(!files.is_empty(), "the story has no {what}");
        (format!("{what} flipped"), verdicts(files))
    });
    let mut found: BTreeMap<String, BTreeSet<String>> = flips.collect();
    // It is 0, which is not written.
    let generation = everywhere(body(&file), &[2], &|fields| {
        let stated = Field { number: 3, wire: 0, content: vec![1] };
        vec![fields.iter().cloned().chain([stated]).collect()]
    });
    found.insert("incident generation stated".to_owned(), verdicts(generation));
    agree("flips.txt", &found);
}
