//! Files are read whole, however they are compressed, and say what is wrong with them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::io::Write as _;

use super::*;

const TEXT: &[u8] = b"{\"from\":\"0x11\"}\n{}\n";
/// TEXT as `zstd` writes it.
const ZSTD_TEXT: &str = "28b52ffd04589900007b2266726f6d223a2230783131227d0a7b7d0a6fdb9ac9";
/// TEXT as `xz` writes it.
const XZ_TEXT: &str = "fd377a585a000004e6d6b4460200210116000000742fe5a30100127b2266726f6d223a2230783131227d0a7b7d0a0000cfbbb69c8ed2fe7900012b139c0948d21fb6f37d010000000004595a";

fn gzip() -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(TEXT).unwrap();
    encoder.finish().unwrap()
}

fn of(bytes: &[u8]) -> Result<Vec<u8>, TextFileError> {
    let directory = tempfile::tempdir().unwrap();
    // The name says nothing.
    let path = directory.path().join("traces.json");
    std::fs::write(&path, bytes).unwrap();
    read(&path)
}

/// Plain, gzip, zstd and xz give the same text, and so do two compressed parts after each other.
#[test]
fn every_compression_is_read() {
    assert_eq!(of(TEXT).unwrap(), TEXT);
    for compressed in [gzip(), hex::decode(ZSTD_TEXT).unwrap(), hex::decode(XZ_TEXT).unwrap()] {
        assert_eq!(of(&compressed).unwrap(), TEXT);
        assert_eq!(of(&[compressed.clone(), compressed].concat()).unwrap(), [TEXT, TEXT].concat());
    }
}

/// Cut off anywhere, a compressed file is an error with its name, never a shorter text; no bit that is turned makes it panic.
#[test]
fn damage_is_told() {
    for (format, compressed) in
        [("gzip", gzip()), ("zstd", hex::decode(ZSTD_TEXT).unwrap()), ("xz", hex::decode(XZ_TEXT).unwrap())]
    {
        for length in 6..compressed.len() {
            let error = of(&compressed[..length]).unwrap_err();
            assert!(error.to_string().contains(format), "{error}");
            assert_eq!(error.kind(), "file-damaged");
        }
        for at in 0..compressed.len() * 8 {
            let mut turned = compressed.clone();
            turned[at / 8] ^= 1 << (at % 8);
            let _ = of(&turned);
        }
    }
}

/// What is not there, and what is no file, is named.
#[test]
fn the_unreadable_is_told() {
    let directory = tempfile::tempdir().unwrap();
    for path in [directory.path().join("missing"), directory.path().to_owned()] {
        let error = read(&path).unwrap_err();
        assert_eq!(error.kind(), "file-unreadable");
        assert!(error.to_string().contains(&path.display().to_string()), "{error}");
    }
}
