//! Digits are encoded as the bytes that they stand for, of every length and first byte; what are none is refused.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use proptest::prelude::*;

use super::*;

proptest! {
    /// The encoding, its length and the bytes are those of the decoded bytes; a text with escapes says the same.
    #[test]
    fn digits_are_their_bytes(bytes in prop::collection::vec(0_u8.., 0..3 * AT_ONCE), upper in any::<bool>()) {
        let digits = if upper { hex::encode_upper(&bytes) } else { hex::encode(&bytes) };
        for text in [format!("\"0x{digits}\""), format!("\"{digits}\""), format!("\"\\u0030x{digits}\"")] {
            let read: Hex<'_> = serde_json::from_str(&text).unwrap();
            let decoded = Bytes::from(bytes.clone());
            prop_assert_eq!(alloy_rlp::encode(&read), alloy_rlp::encode(&decoded));
            prop_assert_eq!(read.length(), decoded.length());
            prop_assert_eq!(read.decoded(), decoded);
        }
    }
}

/// One byte is its own encoding up to 0x7f and not from 0x80 on.
#[test]
fn a_single_byte_may_be_itself() {
    for byte in 0..=u8::MAX {
        let text = format!("\"0x{byte:02x}\"");
        let read: Hex<'_> = serde_json::from_str(&text).unwrap();
        assert_eq!(alloy_rlp::encode(&read), alloy_rlp::encode(Bytes::from(vec![byte])), "{byte}");
        assert_eq!(read.length(), alloy_rlp::encode(&read).len(), "{byte}");
    }
}

/// Half a byte, other characters and what is no text are refused, wherever they stand.
#[test]
fn what_are_no_digits_is_refused() {
    let long = format!("\"0x{}z0\"", "ab".repeat(AT_ONCE));
    for text in ["\"0x0\"", "\"0x0g\"", "\"0x0x00\"", "7", "null", long.as_str()] {
        assert!(serde_json::from_str::<Hex<'_>>(text).is_err(), "{text}");
    }
}
