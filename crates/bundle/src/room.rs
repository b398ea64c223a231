//! Room: what a bundle can hold is parted among those who would fill it, so that nobody takes another's.

use std::collections::BTreeMap;

/// Shares of `room`: whoever asks for no more than an equal part gets it whole, and the others part what that leaves equally.
pub(crate) fn shares<K: Ord + Clone>(room: u64, asked: &BTreeMap<K, u64>) -> BTreeMap<K, u64> {
    let mut smallest_first: Vec<(u64, &K)> = asked.iter().map(|(key, asked)| (*asked, key)).collect();
    smallest_first.sort();
    let (mut room, mut others) = (room, smallest_first.len() as u64);
    let mut shares = BTreeMap::new();
    for (asked, key) in smallest_first {
        let share = asked.min(room / others.max(1));
        room -= share;
        others -= 1;
        shares.insert(key.clone(), share);
    }
    shares
}

/// Takes `cost` out of a share, if that much is left of it.
pub(crate) fn take(share: Option<&mut u64>, cost: u64) -> bool {
    let Some((share, rest)) = share.and_then(|share| share.checked_sub(cost).map(|rest| (share, rest))) else {
        return false;
    };
    *share = rest;
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Who asks for much gets what the others leave, and takes nothing from them.
    #[test]
    fn nobody_takes_anothers() {
        let asked = BTreeMap::from([("a", 10), ("b", 1_000_000), ("c", 40), ("d", 35)]);
        let expected = BTreeMap::from([("a", 10), ("b", 35), ("c", 35), ("d", 35)]);
        assert_eq!(shares(115, &asked), BTreeMap::from([("a", 10), ("b", 35), ("c", 35), ("d", 35)]));
        assert_eq!(shares(115, &asked).values().sum::<u64>(), expected.values().sum::<u64>());
        assert_eq!(shares(1_000, &asked)["b"], 915);
        assert_eq!(shares::<&str>(7, &BTreeMap::new()), BTreeMap::new());
    }
}
