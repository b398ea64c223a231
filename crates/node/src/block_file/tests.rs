//! Blocks are read from files of every shape; what is cut off, damaged or no block costs itself and is named with its line.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::io::Write as _;

use serde_json::{Value, json};
use watchfire_types::{B256, ChainId};

use super::*;

#[path = "../../../evm/src/blocks/fixture.rs"]
#[allow(dead_code)]
mod fixture;

use fixture::{done, entry, log};

fn blocks() -> Vec<Value> {
    let outcomes = [done(2, vec![log(1, &[B256::repeat_byte(2)], b"\"{}\n")])];
    (7..10).map(|number| entry(number, B256::ZERO, &outcomes)).collect()
}

/// A height or the fault's name, with its line.
type Part = Result<(u64, u64), (&'static str, u64)>;

fn read(bytes: &[u8]) -> Vec<Part> {
    read_bounded(bytes, BLOCK_BYTES_MAX)
}

fn read_bounded(bytes: &[u8], bytes_max: usize) -> Vec<Part> {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("blocks");
    std::fs::write(&path, bytes).unwrap();
    let file = BlockFile { bytes_max, ..BlockFile::open(&path).unwrap() };
    let told = file.map(|part| match part {
        Ok(part) => Ok((part.block.number(), part.line)),
        Err(error) => {
            let text = error.to_string();
            assert!(text.contains(path.to_str().unwrap()) && text.contains("; "), "{text}");
            let line = match &error {
                BlockFileError::File { line, .. }
                | BlockFileError::Block { line, .. }
                | BlockFileError::Traces { line, .. }
                | BlockFileError::Garbage { line, .. }
                | BlockFileError::TooLong { line, .. } => *line,
                BlockFileError::Empty { .. } => 0,
            };
            Err((error.kind(), line))
        }
    });
    told.collect()
}

fn lines(blocks: &[Value]) -> String {
    blocks.iter().map(|block| format!("{block}\n")).collect()
}

/// A block a line, one over many lines, lists of either, other line ends and a byte order mark: all the same blocks.
#[test]
fn every_shape_is_read() {
    let blocks = blocks();
    let pretty = |value: &Value| serde_json::to_string_pretty(value).unwrap();
    let list = Value::from(blocks.clone());
    let numbers = |text: &str| read(text.as_bytes()).into_iter().map(|part| part.unwrap().0).collect::<Vec<_>>();
    let shapes = [
        lines(&blocks),
        lines(&blocks).trim_end().replace('\n', "\r\n\r\n"),
        format!("\u{feff}{}", blocks.iter().map(pretty).collect::<Vec<_>>().join("\n")),
        list.to_string(),
        pretty(&list),
    ];
    for shape in &shapes {
        assert_eq!(numbers(shape), [7, 8, 9], "{}", &shape[..40]);
    }
    assert_eq!(read(shapes[0].as_bytes()), [Ok((7, 1)), Ok((8, 2)), Ok((9, 3))]);
}

/// Garbage, half a line and JSON that is no block are named with their lines, and everything else is read.
#[test]
fn a_bad_line_costs_itself() {
    let good = blocks();
    let half = &good[1].to_string()[..300];
    let text = format!("{}\ngarbage {{}}\n{half}\n{{\"a\":1}} }}\n{}\n\"x", good[0], good[2]);
    let expected = [
        Ok((7, 1)),
        Err(("not-a-block", 2)),
        Err(("block-cut-off", 3)),
        Err(("not-a-block", 4)),
        Err(("not-a-block", 4)),
        Ok((9, 5)),
        Err(("not-a-block", 6)),
    ];
    assert_eq!(read(text.as_bytes()), expected);
    assert_eq!(read(b" \n\n"), [Err(("no-blocks", 0))]);
}

/// As Python's `json.dump(.., indent=0)` writes it: each member and element on a line of its own that nothing stands before.
fn unindented(value: &Value) -> String {
    let pretty = serde_json::to_string_pretty(value).unwrap();
    pretty.lines().map(|line| format!("{}\n", line.trim_start())).collect()
}

/// Sound JSON without indentation is read, and a line that breaks off where a value may follow costs itself alone.
#[test]
fn an_object_that_begins_a_line_may_be_a_part() {
    let good = blocks();
    let count = |value: &Value| u64::try_from(unindented(value).lines().count()).unwrap();
    let (second, third) = (1 + count(&good[0]), 1 + count(&good[0]) + count(&good[1]));
    let each: String = good.iter().map(unindented).collect();
    assert!(each.contains("\n{\n\"address\""), "an object inside begins a line");
    assert_eq!(read(each.as_bytes()), [Ok((7, 1)), Ok((8, second)), Ok((9, third))]);
    let list = unindented(&Value::from(good.clone()));
    assert_eq!(read(list.as_bytes()), [Ok((7, 2)), Ok((8, 1 + second)), Ok((9, 1 + third))]);
    let broken =
        [r#"{"block":"#, r#"{"receipts":["#, r#"{"receipts":[{},"#, r#"{"a":1,"#, r#"{"a":[[1],"#, r#"{"a":"b"#];
    for half in broken {
        let between = format!("{}\n{half}\n{}\n{}\n", good[0], good[1], good[2]);
        assert_eq!(read(between.as_bytes()), [Ok((7, 1)), Err(("block-cut-off", 2)), Ok((8, 3)), Ok((9, 4))], "{half}");
        let last = format!("{}\n{half}\n{}", good[0], good[1]);
        assert_eq!(read(last.as_bytes()), [Ok((7, 1)), Err(("block-cut-off", 2)), Ok((8, 3))], "{half}");
        let list = format!("[\n{},\n{half}\n{},\n{}\n]\n", good[0], good[1], good[2]);
        assert_eq!(read(list.as_bytes()), [Ok((7, 2)), Err(("block-cut-off", 3)), Ok((8, 4)), Ok((9, 5))], "{half}");
    }
    let longest = good.iter().map(|block| block.to_string().len()).max().unwrap();
    let text = format!("{{\"receipts\":[\n{},\n{},\n", good[1], good[2]);
    let found = read_bounded(text.as_bytes(), longest);
    assert_eq!(found, [Err(("block-cut-off", 1)), Ok((8, 2)), Ok((9, 3))], "no more than a block is held for it");
}

/// A file that is cut off anywhere gives what was whole before, and then says where it ends; compressed too.
#[test]
fn what_was_whole_is_kept() {
    let text = lines(&blocks());
    let second = text.find('\n').unwrap() + 1;
    for cut in [second + 1, second + 200, second * 2 - 2] {
        assert_eq!(read(&text.as_bytes()[..cut]), [Ok((7, 1)), Err(("block-cut-off", 2))], "{cut}");
    }
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::none());
    encoder.write_all(text.as_bytes()).unwrap();
    let packed = encoder.finish().unwrap();
    assert_eq!(read(&packed).len(), 3);
    let cut = read(&packed[..packed.len() * 2 / 3]);
    assert_eq!((cut[0], cut.last().unwrap().unwrap_err().0), (Ok((7, 1)), "file-damaged"));
}

/// A block that is longer than is taken is refused without being held, and the next one is read.
#[test]
fn too_long_is_refused() {
    let mut blocks = blocks();
    blocks[1]["traces"] = json!("x".repeat(20_000));
    assert_eq!(read_bounded(lines(&blocks).as_bytes(), 10_000), [Ok((7, 1)), Err(("block-too-large", 2)), Ok((9, 3))]);
}

/// What concerns nobody is left out of a block, and what was changed in it is refused all the same.
#[test]
fn what_concerns_nobody_is_left_out() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("blocks");
    let mut blocks = blocks();
    blocks[1]["receipts"][0]["logs"][0]["data"] = json!("0x");
    std::fs::write(&path, lines(&blocks)).unwrap();
    let logs = |file: BlockFile| -> Vec<Result<usize, &'static str>> {
        let part =
            |part: Result<super::Part, BlockFileError>| part.map(|part| part.block.on(ChainId::new(1)).logs.len());
        file.map(|one| part(one).map_err(|error| error.kind())).collect()
    };
    let open = || BlockFile::open(&path).unwrap();
    assert_eq!(logs(open()), [Ok(1), Err("receipts-mismatch"), Ok(1)]);
    assert_eq!(logs(open().concerning(&Arc::from([]))), [Ok(0), Err("receipts-mismatch"), Ok(0)]);
}
