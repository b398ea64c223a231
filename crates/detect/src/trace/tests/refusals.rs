//! What is no trace is refused by name and place; nothing makes the reader panic.

use proptest::prelude::*;

use super::writing::{any_tree, geth, parity, read};
use crate::trace::TraceFault;
use crate::trace::fault::Places;

/// Each with the words that tell it and where it stands.
#[test]
fn faults_say_what_and_where() {
    let cases = [
        ("", "no trace is in it"),
        ("   \n ", "no trace is in it"),
        ("nonsense", "line 1, column 1: a value is expected"),
        ("{\"from\":\"0x11\"", "line 1, column 15: the text ends inside a value"),
        ("[1]", "line 1, column 2: a number is no call trace"),
        ("\"0x\"", "a text is no call trace"),
        ("{}", "an object without calls"),
        ("{\"a\":1,}", "a name in quotes is expected"),
        ("{\"a\" 1}", "a colon is missing"),
        ("[1 2]", "a comma or the end of the list"),
        ("{\n \"type\":\"CALL\",\n \"from\":\"0x12\"}", "line 3, column 10: from of a call is 0x and 40 hex digits"),
        ("{\"from\":null,\"calls\":[{\"value\":\"-1\"}]}", "value of a call is a number below 2^256"),
        ("{\"calls\":[],\"input\":\"0xzz\"}", "input of a call is 0x and hex digits"),
        ("{\"calls\":[],\"input\":\"0x123\"}", "input of a call is 0x and hex digits"),
        ("{\"calls\":[7]}", "an inner call that is no object"),
        ("{\"action\":{},\"traceAddress\":\"0\"}", "traceAddress of a call is a list of numbers"),
        (
            "{\"id\":1,\"error\":{\"code\":-32000,\"message\":\"transaction not found\"}}",
            "the node answered with an error: transaction not found",
        ),
        ("{\"id\":1,\"result\":null}", "the node does not know that transaction"),
    ];
    for (text, told) in cases {
        let fault = read(text).unwrap_err().to_string();
        assert!(fault.contains(told), "{text:?}: {fault}");
    }
    let mut found = 0;
    let bytes = b"{\"from\":\"0x1111111111111111111111111111111111111111\",\"calls\":[]}\n\xff\xfe";
    let fault = crate::trace::read_traces::<TraceFault>(bytes, |_| Ok(())).unwrap_err();
    assert_eq!(fault, TraceFault::NotText { line: 2, column: 1 });
    // What stands before a fault in JSON lines was handed over.
    let lines = "{\"calls\":[]}\n{\"calls\":[]}\n{\"calls\":[";
    let stopped = crate::trace::read_traces::<TraceFault>(lines.as_bytes(), |_| {
        found += 1;
        Ok(())
    });
    assert_eq!((found, stopped.is_err()), (2, true));
}

/// One transaction that cannot be read keeps none of the others back, wherever it stands: in a block's reply, in lines, in rows.
#[test]
fn what_cannot_be_read_keeps_nothing_else_back() {
    let frame = |byte: &str| {
        format!(
            "{{\"txHash\":\"0x{}\",\"result\":{{\"from\":\"0x{}\",\"calls\":[]}}}}",
            byte.repeat(32),
            "11".repeat(20)
        )
    };
    let row = |byte: &str, to: &str| {
        format!(
            "{{\"action\":{{\"from\":\"0x{}\",\"to\":\"{to}\"}},\"traceAddress\":[],\"type\":\"call\",\"transactionHash\":\"0x{}\"}}",
            "11".repeat(20),
            byte.repeat(32)
        )
    };
    let (one, two) = (frame("01"), frame("02"));
    let failed = format!("{{\"txHash\":\"0x{}\",\"error\":\"execution timeout\"}}", "03".repeat(32));
    let to = format!("0x{}", "22".repeat(20));
    let (first, last) = (row("01", &to), row("02", &to));
    for (text, told) in [
        (format!("[{one},{failed},{two}]"), "execution timeout"),
        (format!("{{\"id\":1,\"result\":[{one},{failed},{two}]}}"), "execution timeout"),
        (format!("{one}\n{failed}\n{two}\n"), "execution timeout"),
        (format!("{one}\n{}\n{two}", &two[..90]), "line 2"),
        (format!("{one}\n{{\"calls\":[7]}}\n{two}"), "an inner call that is no object"),
        (format!("[{one},7,{two}]"), "a number"),
        (format!("[{first},{},{last}]", row("03", "0x12")), "to of a call"),
        (format!("[{first},7,{last}]"), "a row that is no object"),
    ] {
        let mut found = Vec::new();
        let read = crate::trace::read_traces::<TraceFault>(text.as_bytes(), |traced| {
            found.push(traced.tx.unwrap()[0]);
            Ok(())
        });
        let fault = read.unwrap_err().to_string();
        assert!(found == [1, 2] && fault.contains(told), "{text}: {found:?}, {fault}");
    }
    // Of a text for people that is cut off nothing is taken for a transaction that is none.
    let pretty = "{\n  \"calls\": [\n    {\"from\": \"0x1111111111111111111111111111111111111111\"},\n";
    assert!(crate::trace::read_traces::<TraceFault>(pretty.as_bytes(), |_| panic!("a transaction")).is_err());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Cut off anywhere, a trace is a fault and never a shorter trace.
    #[test]
    fn truncation_is_told(tree in any_tree(), cut in any::<prop::sample::Index>()) {
        for text in [geth(&tree), parity(&tree, &format!("0x{}", "11".repeat(32)))] {
            let at = cut.index(text.len());
            prop_assert!(read(&text[..at]).is_err());
        }
    }

    /// No change of bytes makes the reader, or what looks at the result, panic.
    #[test]
    fn garbled_bytes_never_panic(tree in any_tree(), changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6)) {
        let mut bytes = geth(&tree).into_bytes();
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        let _ = crate::trace::read_traces::<TraceFault>(&bytes, |traced| {
            let _ = crate::trace::features(&traced.tree);
            Ok(())
        });
    }

    /// Nor does any text at all.
    #[test]
    fn any_text_never_panics(text in "[\\[\\]{}\":,0-9a-fx\\\\ \n]{0,200}") {
        let _ = read(&text);
    }
}

/// Goal: as many faults as values cost no more than one: each of these texts, at a cost that grows with its square, would take minutes. More values than any
/// block has are refused before they are held.
#[test]
fn many_faults_cost_what_one_does() {
    const MANY: usize = 200_000;
    for (one, told) in [
        ("0,", "line 1, column 2: a number"),
        ("true,\n", "line 1, column 2: true or false"),
        ("{},\n", "line 1, column 2: an object without calls"),
        ("{\"calls\":[7]},\n", "line 1, column 12: an inner call that is no object"),
        ("[\"x\"],\n", "line 1, column 4: a text"),
    ] {
        let text = format!("[{}null]", one.repeat(MANY));
        let fault = read(&text).unwrap_err().to_string();
        assert!(fault.contains(told), "{one:?}: {fault}");
    }
    let cut_off = "{\n".repeat(MANY);
    assert!(read(&cut_off).unwrap_err().to_string().contains("line 2, column 1: a name in quotes is expected"));
    let values = format!("[{}0]", "0,".repeat(1 << 23));
    assert!(read(&values).unwrap_err().to_string().contains("more than 8,388,608 values in one"));
}

proptest! {
    /// Goal: a place is told as it is counted by hand, wherever it is.
    #[test]
    fn places_are_counted(text in "[a\n]{0,40}", at in 0_usize..50) {
        let before = &text.as_bytes()[..at.min(text.len())];
        let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
        let column = before.iter().rev().take_while(|byte| **byte != b'\n').count() + 1;
        prop_assert_eq!(Places::of(text.as_bytes()).at(at), (line, column));
    }
}
