#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
//! One liar of three against the bid.

use super::*;

fn said(operator: &str, nonce: u64, balance: u128, gas: Result<u64, &'static [u8]>) -> (OperatorId, Said) {
    let gas = Some(gas.map_err(Bytes::from_static));
    (operator.parse().unwrap(), Said { nonce: Some(nonce), balance: Some(balance), tip: Some(7), gas })
}

/// Goal: with two of three, no claim of one operator, high, low or several times made, moves a fact beyond the honest ones.
#[test]
fn one_liar_moves_nothing() {
    let honest = || vec![said("b", 5, 1_000, Ok(90_000)), said("c", 5, 1_000, Ok(90_000))];
    let truth = |gas_least| Facts { account_nonce: 5, balance: 1_000, tip: 7, gas: Estimate::Gas(90_000), gas_least };
    for lie in [said("a", 99, u128::MAX, Ok(u64::MAX)), said("a", 0, 0, Ok(1)), said("a", 6, 0, Err(b"no"))] {
        let mut heard = honest();
        heard.extend([lie.clone(), lie.clone()]);
        heard.sort_by(|x, y| x.0.cmp(&y.0));
        // A lower estimate only keeps the submission going.
        let least = lie.1.gas.clone().unwrap().ok().filter(|gas| *gas < 90_000).unwrap_or(90_000);
        assert_eq!(weigh(&heard, 2).unwrap(), truth(Some(least)), "{lie:?}");
        // The liar's answers and one honest one are not yet enough to stop listening.
        assert!(!settled(&heard[..3], 2), "{lie:?}");
        assert!(settled(&heard, 2), "{lie:?}");
    }
}

/// Goal: an agreed revert wins over one operator's estimate, and loses where more can estimate it.
#[test]
fn agreed_reverts_win() {
    let revert = Err(b"GS026".as_slice());
    let heard = [said("a", 5, 1, Ok(1)), said("b", 5, 1, revert), said("c", 5, 1, revert)];
    assert_eq!(weigh(&heard, 2).unwrap().gas, Estimate::Reverts(Bytes::from_static(b"GS026")));
    let heard = [said("a", 5, 1, revert), said("b", 5, 1, Ok(9)), said("c", 5, 1, Ok(8))];
    assert_eq!(weigh(&heard, 1).unwrap().gas, Estimate::Gas(9));
    assert_eq!(weigh(&heard[..1], 2).unwrap().gas, Estimate::Unknown);
}
