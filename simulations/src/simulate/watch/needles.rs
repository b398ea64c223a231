//! Every secret key, as bytes and as hex, and whether one stands in what a node says: all are looked for in one pass.

use std::collections::BTreeMap;

/// Byte strings by their first two bytes.
#[derive(Debug)]
pub(super) struct Needles {
    by_start: BTreeMap<[u8; 2], Vec<Vec<u8>>>,
    /// Which two bytes one starts with, a flag for each of the 65,536: nearly every place is passed over by this alone.
    starts: Vec<bool>,
}

fn flag([first, second]: [u8; 2]) -> usize {
    usize::from(first) << 8 | usize::from(second)
}

impl Needles {
    /// Of strings of at least two bytes each; shorter ones are never found.
    pub(super) fn new(needles: impl Iterator<Item = Vec<u8>>) -> Self {
        let mut by_start: BTreeMap<[u8; 2], Vec<Vec<u8>>> = BTreeMap::new();
        let mut starts = vec![false; 1 << 16];
        for needle in needles {
            if let Some(start) = needle.first_chunk::<2>().copied() {
                starts[flag(start)] = true;
                by_start.entry(start).or_default().push(needle);
            }
        }
        Self { by_start, starts }
    }

    /// Whether one of them stands somewhere in these bytes.
    pub(super) fn stand_in(&self, bytes: &[u8]) -> bool {
        let mut places = bytes.windows(2).enumerate().filter(|(_, pair)| self.starts[flag([pair[0], pair[1]])]);
        places.any(|(at, pair)| {
            let mut here = self.by_start.get(pair).into_iter().flatten();
            here.any(|needle| bytes[at..].starts_with(needle))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::Needles;

    /// What each of them is in, found at the beginning, in the midst and at the end, and one that a byte is missing of is not.
    #[test]
    fn finds_what_stands_there() {
        let needles = Needles::new([b"ab1".to_vec(), b"ab22".to_vec(), b"zz".to_vec()].into_iter());
        for found in [&b"ab1"[..], b"xab22", b"abab1x", b"ab2zz", b"ab2ab22"] {
            assert!(needles.stand_in(found), "{found:?}");
        }
        for missed in [&b""[..], b"a", b"ab2", b"xab2x", b"1ba", b"zaz"] {
            assert!(!needles.stand_in(missed), "{missed:?}");
        }
    }
}
