//! A path that only schedules: executed once a certificate, shown as delayed, never counted as containment.

use watchfire_types::body::Cause;
use watchfire_types::duty::Duty;

use crate::cluster::*;

fn delayed() -> Cluster {
    let charter = charter(|text| {
        let pause = "catalogue = \"oz-pausable.pause\"\n";
        assert!(text.contains(pause));
        text.replace(pause, &format!("{pause}delayed_s = 3600\n"))
    });
    let mut c = Cluster::new(charter, 98);
    if let Some(head) = c.chain.blocks.last_mut() {
        head.delays = true;
    }
    c.mine(&[]);
    c
}

#[test]
fn a_path_that_only_schedules_is_taken_once_and_named() {
    let mut c = delayed();
    c.all_find("vault-outflow");
    c.mine(&[]);
    let demanded = c.nodes[0].duties.iter().any(|duty| match duty {
        Duty::Preflight(preflight) => {
            preflight.transaction.data.starts_with(&[0x84, 0x56, 0xcb, 0x59]) && !preflight.postconditions.is_empty()
        }
        _ => false,
    });
    assert!(!demanded, "its effect comes later");
    assert_eq!(c.execute(), 1, "it is scheduled");
    assert!(!c.chain.head().paused);
    c.mine(&[]);
    assert!(c.submissions().iter().all(|sent| !sent.transaction.data.starts_with(&[0x84, 0x56, 0xcb, 0x59])), "once");
    for node in 0..5 {
        let outlook = c.nodes[node].machine.outlooks().first().expect("an outlook").clone();
        let why = outlook.why_not.expect("wanted and not there");
        assert_eq!(why.cause, Cause::Delayed, "{why:?}");
        assert!(why.detail.contains("delayed by 3600 s"), "{why:?}");
        assert!(!outlook.contained);
    }
}

/// What is scheduled stops nothing meanwhile: the narrower step that acts at once is owed beside it.
#[test]
fn a_narrower_step_goes_on_beside_what_is_scheduled() {
    let mut c = delayed();
    c.all_find("vault-outflow-early");
    c.mine(&[]);
    c.silent = [0, 1, 2, 3, 4].into();
    c.mine(&[]);
    c.silent.clear();
    c.all_find("vault-outflow");
    c.mine(&[]);
    assert_eq!(c.execute(), 1);
    assert!(!c.chain.head().paused && !c.chain.head().limited);
    c.mine(&[]);
    assert_eq!(c.execute(), 1);
    assert!(c.chain.head().limited, "the flag is set");
}
