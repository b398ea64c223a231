//! What every tracer's shape has in common, what is refused, and what a score may do.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod forms;
mod meaning;
mod refusals;
mod scores;
mod tricks;
mod writing;
