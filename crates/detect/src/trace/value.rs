//! What amounts are worth, roughly: a short list of tokens that value is counted in, so that a profit of dust and a profit of a treasury
//! are told apart. A coarse scale on purpose (a factor of two changes nothing): features look at powers of ten.
//!
//! Values are thousandths of a native coin. Dollars count as 1/2,000 and bitcoins as 15 native coins. Tokens that are not in the list have
//! no value here, which is not the same as none: features about who gains and loses work without prices.

use alloy_primitives::{Address, U256, address};

/// The native coin in flows.
pub(super) const NATIVE: Address = Address::ZERO;

/// Wrapped native coins: the same as native in every count.
const WRAPPED: &[Address] = &[
    address!("C02aaA39b223FE8D0A0e5C4F27eAD9083C756Cc2"),
    address!("bb4CdB9CBd36B01bD1cBaEBF2De08d9173bc095c"),
    address!("0d500B1d8E8eF31E21C99d1Db9A6444d3ADf1270"),
    address!("82aF49447D8a07e3bd95BD0d56f35241523fBab1"),
    address!("4200000000000000000000000000000000000006"),
    address!("B31f66AA3C1e785363F0875A1B74E27b85FD66c7"),
];

/// Token, decimals, and how many thousandths of a native coin 1,000 whole tokens are worth.
const PRICED: &[(Address, u8, u64)] = &[
    // Ethereum.
    (address!("A0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48"), 6, 500),
    (address!("dAC17F958D2ee523a2206206994597C13D831ec7"), 6, 500),
    (address!("6B175474E89094C44Da98b954EedeAC495271d0F"), 18, 500),
    (address!("4Fabb145d64652a948d72533023f6E7A623C7C53"), 18, 500),
    (address!("0000000000085d4780B73119b644AE5ecd22b376"), 18, 500),
    (address!("57Ab1ec28D129707052df4dF418D58a2D46d5f51"), 18, 500),
    (address!("853d955aCEf822Db058eb8505911ED77F175b99e"), 18, 500),
    (address!("5f98805A4E8be255a32880FDeC7F6728C6568bA0"), 18, 500),
    (address!("865377367054516e17014CcdED1e7d814EDC9ce4"), 18, 500),
    (address!("8E870D67F660D95d5be530380D0eC0bd388289E1"), 18, 500),
    (address!("056Fd409E1d7A124BD7017459dFEa2F387b6d5Cd"), 2, 500),
    (address!("6c3F90f043a72FA612cbac8115EE7e52BDe6E490"), 18, 500),
    (address!("f939E0A03FB07F59A73314E73794Be0E57ac1b4E"), 18, 500),
    (address!("83F20F44975D03b1b09e64809B757c47f942BEeA"), 18, 500),
    (address!("2260FAC5E5542a773Aa44fBCfeDf7C193bc2C599"), 8, 15_000_000),
    (address!("EB4C2781e4ebA804CE9a9803C67d0893436bB27D"), 8, 15_000_000),
    (address!("ae7ab96520DE3A18E5e111B5EaAb095312D7fE84"), 18, 1_000_000),
    (address!("7f39C581F595B53c5cb19bD0b3f8dA6c935E2Ca0"), 18, 1_000_000),
    (address!("ae78736Cd615f374D3085123A210448E74Fc6393"), 18, 1_000_000),
    (address!("Be9895146f7AF43049ca1c1AE358B0541Ea49704"), 18, 1_000_000),
    // BNB Smart Chain, whose native coin counts as a seventh of ether.
    (address!("55d398326f99059fF775485246999027B3197955"), 18, 3_500),
    (address!("e9e7CEA3DedcA5984780Bafc599bD69ADd087D56"), 18, 3_500),
    (address!("8AC76a51cc950d9822D68b83fE1Ad97B32Cd580d"), 18, 3_500),
    (address!("1AF3F329e8BE154074D8769D1FFa4eE058B1DBc3"), 18, 3_500),
    (address!("2170Ed0880ac9A755fd29B2688956BD959F933F8"), 18, 7_000_000),
    (address!("7130d2A12B9BCbFAe4f2634d864A1Ee1Ce3Ead9c"), 18, 105_000_000),
];

/// Whether this is a wrapped native coin that every chain's users know.
pub(super) fn is_wrapped(token: Address) -> bool {
    WRAPPED.contains(&token)
}

/// What an amount is worth, in thousandths of a native coin; `None` for a token without a price here.
pub(super) fn worth(token: Address, amount: U256) -> Option<u64> {
    let whole = |decimals: u8| U256::from(10_u64).pow(U256::from(decimals));
    let thousandths = match token {
        NATIVE => amount / whole(15),
        _ => {
            let (_, decimals, price) = PRICED.iter().find(|(priced, ..)| *priced == token)?;
            // price is of 1,000 tokens: amount / 10^decimals / 1,000 * price.
            amount.checked_mul(U256::from(*price))? / whole(*decimals) / U256::from(1000_u64)
        }
    };
    Some(thousandths.try_into().unwrap_or(u64::MAX))
}
