//! Which key files are taken.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::os::unix::fs::PermissionsExt;

use super::*;
use crate::anvil::FUNDER;

fn file(content: &[u8], mode: u32) -> tempfile::NamedTempFile {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), content).unwrap();
    std::fs::set_permissions(file.path(), std::fs::Permissions::from_mode(mode)).unwrap();
    file
}

/// The owner's alone, with or without prefix and line end.
#[test]
fn private_files_are_read() {
    for text in [FUNDER.to_owned(), format!("0x{FUNDER}\n")] {
        for mode in [0o600, 0o400] {
            let signer = read_hex(file(text.as_bytes(), mode).path()).unwrap();
            assert_eq!(signer.address().to_string(), "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266");
        }
    }
}

/// Any right of group or others is refused, with the mode and the remedy.
#[test]
fn loose_files_are_refused() {
    for loose in [0o640, 0o604, 0o644, 0o620, 0o601] {
        let refused = read_hex(file(FUNDER.as_bytes(), loose).path());
        assert!(matches!(refused, Err(KeyError::LoosePermissions { mode, .. }) if mode == loose), "{refused:?}");
    }
    let message = read_hex(file(FUNDER.as_bytes(), 0o644).path()).unwrap_err().to_string();
    assert!(message.contains("mode 0644") && message.contains("chmod 600"), "{message}");
}

/// Devices, directories, large files and other content; the content is never shown.
#[test]
fn other_files_are_refused() {
    let refused = |path: &Path, cause: &str| {
        let message = read_hex(path).unwrap_err().to_string();
        let expected = format!(
            "key file {}: {cause}; name a file of mode 0600 with one private key of 64 hex digits",
            path.display()
        );
        assert_eq!(message, expected);
    };
    refused(Path::new("/dev/zero"), "not a regular file");
    refused(Path::new("/dev"), "not a regular file");
    refused(file(&[b' '; 4097], 0o600).path(), "larger than 4096 bytes");
    for content in [&FUNDER.as_bytes()[1..], b"", b"\xff\xfe", format!("{FUNDER} x").as_bytes(), &[b'0'; 64]] {
        refused(file(content, 0o600).path(), "expected a private key as 64 hex digits, nothing else");
    }
}
