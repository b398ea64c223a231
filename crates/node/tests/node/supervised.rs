//! A node under a service manager.

use std::os::unix::net::UnixDatagram;
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::fixture::{Members, WATCHFIRE, endpoint_of_chain};

/// The manager hears that the node runs, that it still does, and that it stops when told to.
#[test]
fn a_service_manager_is_told() {
    let members = Members::new(&endpoint_of_chain(31_337));
    let path = members.base.path().join("notify");
    let socket = UnixDatagram::bind(&path).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(300))).unwrap();
    let hear = || {
        let mut bytes = [0; 64];
        let length = socket.recv(&mut bytes).unwrap();
        String::from_utf8_lossy(&bytes[..length]).into_owned()
    };
    let mut node = Command::new(WATCHFIRE)
        .args(["run", "--config", &members.config("alder")])
        .env("NOTIFY_SOCKET", &path)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    assert_eq!([hear(), hear()], ["READY=1\n", "WATCHDOG=1\n"]);
    assert!(Command::new("kill").args(["-TERM", &node.id().to_string()]).status().unwrap().success());
    let last = std::iter::repeat_with(hear).find(|message| message != "WATCHDOG=1\n").unwrap();
    assert_eq!(last, "STOPPING=1\n");
    assert_eq!(node.wait().unwrap().code(), Some(0));
}
