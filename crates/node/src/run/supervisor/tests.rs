//! Datagrams to a real socket.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use super::*;

fn hear(socket: &UnixDatagram) -> String {
    let mut bytes = [0; 64];
    let length = socket.recv(&mut bytes).unwrap();
    String::from_utf8_lossy(&bytes[..length]).into_owned()
}

/// Each message is one datagram, to a socket in the file system and to an abstract one.
#[test]
fn messages_arrive() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("notify");
    let abstract_name = format!("watchfire-test-{}", std::process::id());
    let address = SocketAddr::from_abstract_name(&abstract_name).unwrap();
    let sockets = [
        (path.clone().into_os_string(), UnixDatagram::bind(&path).unwrap()),
        (format!("@{abstract_name}").into(), UnixDatagram::bind_addr(&address).unwrap()),
    ];
    for (name, socket) in sockets {
        let supervisor = Supervisor::at(Some(name));
        supervisor.ready();
        supervisor.alive();
        supervisor.stopping();
        assert_eq!([hear(&socket), hear(&socket), hear(&socket)], ["READY=1\n", "WATCHDOG=1\n", "STOPPING=1\n"]);
    }
}

/// Without a manager, with one that is gone, and with one that does not read, the node goes on.
#[test]
fn nobody_is_waited_for() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("notify");
    for name in [None, Some(OsString::new()), Some(path.clone().into_os_string())] {
        Supervisor::at(name).ready();
    }
    let deaf = UnixDatagram::bind(&path).unwrap();
    let supervisor = Supervisor::at(Some(path.into_os_string()));
    for _ in 0..10_000 {
        supervisor.alive();
    }
    drop(deaf);
    supervisor.alive();
}
