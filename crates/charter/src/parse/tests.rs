//! The drill charter loads, and every way in which a charter is wrong is told with its line, key and remedy.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use super::parse;

pub(crate) const DRILL: &str = include_str!("../../tests-data/drill.charter.toml");

#[test]
fn the_drill_charter_loads() {
    let (charter, warnings) = parse(DRILL).unwrap_or_else(|faults| panic!("{faults:#?}"));
    for w in &warnings {
        println!("{w}");
    }
    println!("{}", charter.digest());
    println!("{}", String::from_utf8(crate::digest::canonical(&charter).unwrap()).unwrap());
}
