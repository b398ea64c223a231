//! The `watchfire` binary.

use std::process::ExitCode;

fn main() -> ExitCode {
    watchfire_node::cli::main()
}
