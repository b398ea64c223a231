//! Processes that do not outlive the launcher, not even when it is killed.
//!
//! A killed process cannot stop what it started, so the kernel must: util-linux's `setpriv` has it kill the child when the
//! thread that started it ends (`PR_SET_PDEATHSIG`). One thread, which lasts as long as this process, therefore starts them all.
//! A launcher that was killed before the kernel knew is seen after: a shell begins with the tie in force, compares its parent with the
//! launcher, and ends where that is another. Else it becomes the child; the process id stays the same all the way. Where there is no
//! such `setpriv` children are started as they are: they end with everything but a kill of the launcher.

use std::ffi::OsStr;
use std::io;
use std::process::Stdio;
use std::sync::{LazyLock, mpsc};

use tokio::process::{Child, Command};
use tokio::runtime::Handle;

/// One process to start.
struct Order {
    command: Command,
    runtime: Handle,
    reply: mpsc::Sender<io::Result<Child>>,
}

/// The thread that starts processes; `None` when the system has no thread to give.
static STARTER: LazyLock<Option<mpsc::Sender<Order>>> = LazyLock::new(|| {
    let (orders, taken) = mpsc::channel::<Order>();
    let serve = move || {
        for mut order in taken {
            let _runtime = order.runtime.enter();
            // Nobody waits any more: the child is dropped, and killed by that.
            let _ = order.reply.send(order.command.spawn());
        }
    };
    std::thread::Builder::new().name("starter".to_owned()).spawn(serve).ok().map(|_| orders)
});

/// Whether `setpriv` is there and knows how; busybox's does not.
static BINDS: LazyLock<bool> = LazyLock::new(|| {
    let mut probe = std::process::Command::new("setpriv");
    probe.args(["--pdeathsig", "KILL", "--", "true"]);
    probe.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    probe.status().is_ok_and(|status| status.success())
});

/// `$0` is the launcher's process id, `$PPID` what the shell found when it began. 125 is nobody's status but of such wrappers.
const IF_STILL_OURS: &str = r#"[ "$PPID" = "$0" ] || exit 125; exec "$@""#;

/// A command for this program that [`spawn`] ties to this process, where that is possible.
pub(crate) fn command(program: impl AsRef<OsStr>) -> Command {
    if !*BINDS {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL", "--", "sh", "-c", IF_STILL_OURS]);
    command.arg(std::process::id().to_string()).arg(program);
    command
}

/// Starts it, on the thread that lasts. Needs a tokio runtime around it.
///
/// # Errors
/// As [`Command::spawn`]; a program that is not there ends with status 127 when it is tied.
pub(crate) fn spawn(mut command: Command) -> io::Result<Child> {
    let Some(starter) = STARTER.as_ref() else { return command.spawn() };
    let (reply, started) = mpsc::channel();
    let gone = || io::Error::other("the thread that starts processes is gone");
    starter.send(Order { command, runtime: Handle::current(), reply }).map_err(|_| gone())?;
    started.recv().unwrap_or_else(|_| Err(gone()))
}

#[cfg(test)]
mod tests;
