//! The trees against RFC 6962's definition and the known roots of the CT reference implementation.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use proptest::prelude::*;
use sha2::{Digest, Sha256};

use super::{Frontier, Hash, Tree, leaf_hash, merkle_root, node_hash};

/// RFC 6962 section 2.1, word for word: k is the largest power of two smaller than n.
fn definition(leaves: &[Vec<u8>]) -> Hash {
    match leaves {
        [] => Sha256::digest([]).into(),
        [leaf] => leaf_hash(leaf),
        _ => {
            let k = leaves.len().next_power_of_two() / 2;
            node_hash(&definition(&leaves[..k]), &definition(&leaves[k..]))
        }
    }
}

/// The roots over the first 0 to 8 leaves of the reference test data.
#[test]
fn known_vectors() {
    let leaves: [&[u8]; 8] = [
        &[],
        &[0x00],
        &[0x10],
        &[0x20, 0x21],
        &[0x30, 0x31],
        &[0x40, 0x41, 0x42, 0x43],
        &[0x50, 0x51, 0x52, 0x53, 0x54, 0x55, 0x56, 0x57],
        &[0x60, 0x61, 0x62, 0x63, 0x64, 0x65, 0x66, 0x67, 0x68, 0x69, 0x6a, 0x6b, 0x6c, 0x6d, 0x6e, 0x6f],
    ];
    let roots = [
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
        "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
        "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
        "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
        "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
    ];
    let tree: Tree = leaves.iter().collect();
    for (count, root) in roots.iter().enumerate() {
        assert_eq!(hex::encode(merkle_root(&leaves[..count])), *root, "{count} leaves");
        assert_eq!(hex::encode(tree.root_at(count as u64).unwrap()), *root, "{count} leaves of the kept tree");
    }
    assert_eq!(tree.root_at(9), None);
    assert_eq!(tree.frontier_at(9), None);
}

proptest! {
    /// The grown tree has the defined root at every size, and can be stored and taken up again at any; the kept tree gives the
    /// root and frontier of each.
    #[test]
    fn grows_as_defined(leaves in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 0..70)) {
        let mut frontier = Frontier::new();
        let tree: Tree = leaves.iter().collect();
        for (count, leaf) in leaves.iter().enumerate() {
            let root = definition(&leaves[..count]);
            prop_assert_eq!(frontier.root(), root);
            prop_assert_eq!(tree.root_at(count as u64), Some(root));
            let kept = tree.frontier_at(count as u64).unwrap();
            prop_assert_eq!(&kept, &frontier);
            frontier = Frontier::from_parts(frontier.size(), frontier.subtrees().to_vec()).unwrap();
            frontier.push(leaf);
            prop_assert!(frontier.subtrees().len() <= 64);
        }
        prop_assert_eq!(frontier.root(), definition(&leaves));
        prop_assert_eq!(frontier.size(), leaves.len() as u64);
        prop_assert_eq!(tree.size(), leaves.len() as u64);
    }
}

/// A tree that goes on from any frontier gives every later root and proof of the whole tree, and none of what it does not hold.
#[test]
fn goes_on_from_a_frontier() {
    let leaves: Vec<[u8; 1]> = (0..40).map(|leaf| [leaf]).collect();
    let whole: Tree = leaves.iter().collect();
    let size = whole.size();
    for base in 0..=size {
        let mut tree = Tree::continuing(&whole.frontier_at(base).unwrap());
        assert_eq!(tree.size(), base);
        assert_eq!(tree.root_at(base), whole.root_at(base));
        leaves.iter().skip(usize::try_from(base).unwrap()).for_each(|leaf| tree.push(leaf));
        assert_eq!(tree.size(), size);
        for to in base..=size {
            assert_eq!(tree.root_at(to), whole.root_at(to), "{base} {to}");
            for from in base..to {
                assert_eq!(tree.inclusion(from, to), whole.inclusion(from, to), "{base} {from} {to}");
                assert_eq!(tree.consistency(from, to), whole.consistency(from, to), "{base} {from} {to}");
            }
        }
        if base > 1 {
            assert!(tree.inclusion(0, size).is_err() && tree.root_at(1).is_none(), "{base}");
        }
    }
}

/// Parts that do not fit are refused.
#[test]
fn parts_must_fit() {
    for subtrees in [1, 3] {
        assert_eq!(Frontier::from_parts(3, vec![[0; 32]; subtrees]), None);
    }
}
