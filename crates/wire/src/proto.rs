//! The code that prost generates from proto/; nothing outside this crate sees it.
#![allow(
    missing_docs,
    unreachable_pub,
    unused_qualifications,
    clippy::all,
    clippy::pedantic,
    clippy::cast_possible_truncation,
    clippy::semicolon_if_nothing_returned
)]

include!(concat!(env!("OUT_DIR"), "/watchfire.v1.rs"));
