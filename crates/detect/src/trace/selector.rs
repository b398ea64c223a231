//! What functions are, by their selectors: a table of signatures in classes. A function that is in none is unknown, never wrong.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use alloy_primitives::keccak256;

/// `approve(address,uint256)`.
pub(super) const APPROVE: [u8; 4] = [0x09, 0x5e, 0xa7, 0xb3];
/// `transfer(address,uint256)`.
pub(super) const TRANSFER: [u8; 4] = [0xa9, 0x05, 0x9c, 0xbb];
/// `batchTransfer(address[],uint256)`: an amount to each.
pub(super) const BATCH_TRANSFER: [u8; 4] = [0x83, 0xf1, 0x2f, 0xec];
/// `transferProxy(address,address,uint256,uint256,uint8,bytes32,bytes32)`: an amount, and a fee to the caller.
pub(super) const TRANSFER_PROXY: [u8; 4] = [0xeb, 0x50, 0x2d, 0x45];
/// `balanceOf(address)`.
pub(super) const BALANCE_OF: [u8; 4] = [0x70, 0xa0, 0x82, 0x31];
/// `skim(address)` of a pair.
pub(super) const SKIM: [u8; 4] = [0xbc, 0x25, 0xcf, 0x77];
/// `sync()` of a pair.
pub(super) const SYNC: [u8; 4] = [0xff, 0xf6, 0xca, 0xe9];

/// What a function does, as far as a trace's features need it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Class {
    /// ERC-20 `transfer`.
    Transfer,
    /// `transferFrom` of ERC-20 and ERC-721.
    TransferFrom,
    /// Mints to an account: `mint(address,uint256)`.
    MintTo,
    /// Burns of an account: `burn(address,uint256)`, `burnFrom`.
    BurnOf,
    /// Burns of the caller: `burn(uint256)`.
    BurnOwn,
    /// `deposit()` of wrapped native coin, and of others.
    Wrap,
    /// `withdraw(uint256)` of wrapped native coin, and of others.
    Unwrap,
    /// Other functions of tokens that move nothing or whose movements are not followed.
    Token,
    /// Swaps, and what pairs do beside them.
    Swap,
    /// Value goes into a protocol for a claim.
    Enter,
    /// A claim is given back for value.
    Exit,
    /// A loan is taken.
    Borrow,
    /// A loan is paid back.
    Repay,
    /// Somebody's position is closed by another.
    Liquidate,
    /// A loan that must come back in the same transaction.
    Flash,
    /// Callbacks that lenders, pairs and tokens make as a matter of course.
    Callback,
    /// Tells a price, or what a price is computed from.
    Price,
    /// Takes or gives authority, or exchanges code.
    Authority,
    /// Votes, proposes, executes what was voted.
    Govern,
    /// Well-known functions that people's wallets and their relayers call first.
    Entry,
}

const CLASSES: &[(Class, &[&str])] = &[
    (
        Class::Transfer,
        &[
            "transfer(address,uint256)",
            "push(address,uint256)",
            "send(address,uint256,bytes)",
            "transferAndCall(address,uint256,bytes)",
        ],
    ),
    (Class::TransferFrom, &["transferFrom(address,address,uint256)"]),
    (
        Class::MintTo,
        &[
            "mint(address,uint256)",
            "issue(address,uint256)",
            "mintTo(address,uint256)",
            "mint(address,uint256,uint256)",
        ],
    ),
    (Class::BurnOf, &["burn(address,uint256)", "burnFrom(address,uint256)"]),
    (Class::BurnOwn, &["burn(uint256)"]),
    (Class::Wrap, &["deposit()"]),
    (Class::Unwrap, &["withdraw(uint256)"]),
    (
        Class::Token,
        &[
            "approve(address,uint256)",
            "increaseAllowance(address,uint256)",
            "decreaseAllowance(address,uint256)",
            "setApprovalForAll(address,bool)",
            "permit(address,address,uint256,uint256,uint8,bytes32,bytes32)",
            "balanceOf(address)",
            "allowance(address,address)",
            "decimals()",
            "symbol()",
            "name()",
            "owner()",
            "safeTransferFrom(address,address,uint256)",
            "safeTransferFrom(address,address,uint256,bytes)",
            "safeTransferFrom(address,address,uint256,uint256,bytes)",
            "safeBatchTransferFrom(address,address,uint256[],uint256[],bytes)",
        ],
    ),
    (
        Class::Swap,
        &[
            "swap(uint256,uint256,address,bytes)",
            "swap(uint256,uint256,address)",
            "swap(address,bool,int256,uint160,bytes)",
            "swap((bytes32,uint8,address,address,uint256,bytes),(address,bool,address,bool),uint256,uint256)",
            "swap(address,uint256,address,uint256,uint256)",
            "exchange(int128,int128,uint256,uint256)",
            "exchange(uint256,uint256,uint256,uint256)",
            "exchange_underlying(int128,int128,uint256,uint256)",
            "swapExactAmountIn(address,uint256,address,uint256,uint256)",
            "swapExactAmountOut(address,uint256,address,uint256,uint256)",
            "sync()",
            "skim(address)",
            "ethToTokenSwapInput(uint256,uint256)",
            "tokenToEthSwapInput(uint256,uint256,uint256)",
            "swapExactTokensForTokens(uint256,uint256,address[],address,uint256)",
            "swapTokensForExactTokens(uint256,uint256,address[],address,uint256)",
            "swapExactETHForTokens(uint256,address[],address,uint256)",
            "swapExactTokensForETH(uint256,uint256,address[],address,uint256)",
            "sellBase(address)",
            "sellQuote(address)",
        ],
    ),
    (
        Class::Enter,
        &[
            "deposit(uint256)",
            "deposit(uint256,address)",
            "deposit(address,uint256)",
            "deposit(address,uint256,address,uint16)",
            "deposit(address,uint256,uint16)",
            "deposit(uint256,uint256)",
            "depositAll()",
            "supply(address,uint256,address,uint16)",
            "supply(address,uint256)",
            "mint(uint256)",
            "mint(uint256,address)",
            "mint()",
            "mint(address)",
            "stake(uint256)",
            "enter(uint256)",
            "join(uint256)",
            "joinPool(uint256,uint256[])",
            "joinPool(bytes32,address,address,(address[],uint256[],bytes,bool))",
            "add_liquidity(uint256[2],uint256)",
            "add_liquidity(uint256[3],uint256)",
            "add_liquidity(uint256[4],uint256)",
            "addLiquidity(address,address,uint256,uint256,uint256,uint256,address,uint256)",
            "addLiquidity(uint256[],uint256,uint256)",
            "addLiquidity(uint256)",
            "earn()",
            "provide(uint256)",
            "mint(address,uint256,address)",
        ],
    ),
    (
        Class::Exit,
        &[
            "withdraw()",
            "withdraw(uint256,address,address)",
            "withdraw(address,uint256)",
            "withdraw(address,uint256,address)",
            "withdraw(uint256,uint256)",
            "withdraw(uint256,address)",
            "withdrawAll()",
            "withdrawTo(address,uint256)",
            "redeem(uint256)",
            "redeem(uint256,address,address)",
            "redeem(address,uint256)",
            "redeemUnderlying(uint256)",
            "burn(address)",
            "unstake(uint256)",
            "leave(uint256)",
            "exit()",
            "exit(uint256)",
            "exitPool(uint256,uint256[])",
            "exitPool(bytes32,address,address,(address[],uint256[],bytes,bool))",
            "remove_liquidity(uint256,uint256[2])",
            "remove_liquidity(uint256,uint256[3])",
            "remove_liquidity(uint256,uint256[4])",
            "remove_liquidity_one_coin(uint256,int128,uint256)",
            "remove_liquidity_imbalance(uint256[2],uint256)",
            "remove_liquidity_imbalance(uint256[3],uint256)",
            "remove_liquidity_imbalance(uint256[4],uint256)",
            "removeLiquidity(address,address,uint256,uint256,uint256,address,uint256)",
            "removeLiquidityOneToken(uint256,uint8,uint256,uint256)",
            "claim()",
            "getReward()",
            "claimReward()",
            "harvest()",
            "emergencyWithdraw()",
            "emergencyWithdraw(uint256)",
        ],
    ),
    (
        Class::Borrow,
        &[
            "borrow(uint256)",
            "borrow(address,uint256)",
            "borrow(address,uint256,uint256,uint16,address)",
            "borrow(uint256,uint256)",
            "borrow(uint256,address)",
            "borrow(address,uint256,address,address)",
            "mint(uint256,uint256)",
            "draw(uint256)",
        ],
    ),
    (
        Class::Repay,
        &[
            "repay(uint256)",
            "repay(address,uint256)",
            "repay(address,uint256,uint256,address)",
            "repay(uint256,uint256)",
            "repayBorrow(uint256)",
            "repayBorrow()",
            "repayBorrowBehalf(address,uint256)",
        ],
    ),
    (
        Class::Liquidate,
        &[
            "liquidationCall(address,address,address,uint256,bool)",
            "liquidateBorrow(address,uint256,address)",
            "liquidateBorrow(address,address)",
            "liquidate(address,address,address,uint256,uint256)",
            "liquidate(address,uint256)",
            "liquidate(address)",
            "absorb(address,address[])",
            "bite(bytes32,address)",
            "bark(bytes32,address,address)",
        ],
    ),
    (
        Class::Flash,
        &[
            "flashLoan(address,address,uint256,bytes)",
            "flashLoan(address,address[],uint256[],bytes)",
            "flashLoan(address,uint256,bytes)",
            "flashLoan(address,address[],uint256[],uint256[],address,bytes,uint16)",
            "flashLoanSimple(address,address,uint256,bytes,uint16)",
            "flashLoan(uint256,uint256,address,bytes)",
            "flash(address,uint256,uint256,bytes)",
            "operate((address,uint256)[],(uint8,uint256,(bool,uint8,uint8,uint256),uint256,uint256,address,uint256,bytes)[])",
            "unlock(bytes)",
        ],
    ),
    (
        Class::Callback,
        &[
            "uniswapV2Call(address,uint256,uint256,bytes)",
            "pancakeCall(address,uint256,uint256,bytes)",
            "BiswapCall(address,uint256,uint256,bytes)",
            "swapCall(address,uint256,uint256,bytes)",
            "hook(address,uint256,uint256,bytes)",
            "uniswapV3SwapCallback(int256,int256,bytes)",
            "swapCallback(int256,int256,bytes)",
            "swapX2YCallback(uint256,uint256,bytes)",
            "swapY2XCallback(uint256,uint256,bytes)",
            "pancakeV3FlashCallback(uint256,uint256,bytes)",
            "algebraFlashCallback(uint256,uint256,bytes)",
            "locked(uint256)",
            "lockAcquired(bytes)",
            "DSPFlashLoanCall(address,uint256,uint256,bytes)",
            "receiveFlashLoan(address,uint256,uint256,bytes)",
            "onDeferredLiquidityCheck(bytes)",
            "onTransferReceived(address,address,uint256,bytes)",
            "tokenFallback(address,uint256,bytes)",
            "isValidSignature(bytes32,bytes)",
            "supportsInterface(bytes4)",
            "uniswapV3FlashCallback(uint256,uint256,bytes)",
            "uniswapV3MintCallback(uint256,uint256,bytes)",
            "pancakeV3SwapCallback(int256,int256,bytes)",
            "algebraSwapCallback(int256,int256,bytes)",
            "unlockCallback(bytes)",
            "onFlashLoan(address,address,uint256,uint256,bytes)",
            "executeOperation(address,uint256,uint256,address,bytes)",
            "executeOperation(address[],uint256[],uint256[],address,bytes)",
            "executeOperation(address,uint256,uint256,bytes)",
            "receiveFlashLoan(address[],uint256[],uint256[],bytes)",
            "callFunction(address,(address,uint256),bytes)",
            "DVMFlashLoanCall(address,uint256,uint256,bytes)",
            "DPPFlashLoanCall(address,uint256,uint256,bytes)",
            "onMorphoFlashLoan(uint256,bytes)",
            "onERC721Received(address,address,uint256,bytes)",
            "onERC1155Received(address,address,uint256,uint256,bytes)",
            "onERC1155BatchReceived(address,address,uint256[],uint256[],bytes)",
            "tokensReceived(address,address,address,uint256,bytes,bytes)",
            "tokensToSend(address,address,address,uint256,bytes,bytes)",
        ],
    ),
    (
        Class::Price,
        &[
            "getReserves()",
            "totalSupply()",
            "slot0()",
            "observe(uint32[])",
            "latestAnswer()",
            "latestRoundData()",
            "get_virtual_price()",
            "getPricePerFullShare()",
            "pricePerShare()",
            "exchangeRateStored()",
            "exchangeRateCurrent()",
            "convertToAssets(uint256)",
            "convertToShares(uint256)",
            "previewRedeem(uint256)",
            "previewDeposit(uint256)",
            "totalAssets()",
            "getUnderlyingPrice(address)",
            "getAssetPrice(address)",
            "getPrice(address)",
            "getPrice()",
            "price()",
            "price(address)",
            "peek()",
            "consult(address,uint256)",
            "getRate()",
            "calc_token_amount(uint256[2],bool)",
            "calc_token_amount(uint256[3],bool)",
            "calc_token_amount(uint256[4],bool)",
            "calc_withdraw_one_coin(uint256,int128)",
            "get_dy(int128,int128,uint256)",
            "getSpotPrice(address,address)",
            "getAmountOut(uint256,uint256,uint256)",
            "getAmountsOut(uint256,address[])",
            "getVirtualPrice()",
            "underlyingBalanceWithInvestment()",
        ],
    ),
    (
        Class::Authority,
        &[
            "initialize()",
            "initialize(address)",
            "initialize(address,address)",
            "initialize(address,address,uint256)",
            "initialize(address,address,address)",
            "initialize(bytes)",
            "init()",
            "init(address)",
            "initWallet(address[],uint256,uint256)",
            "setOwner(address)",
            "changeOwner(address)",
            "setAdmin(address)",
            "changeAdmin(address)",
            "transferOwnership(address)",
            "upgradeTo(address)",
            "upgradeToAndCall(address,bytes)",
            "grantRole(bytes32,address)",
            "setMinter(address)",
            "addMinter(address)",
            "setImplementation(address)",
            "setOracle(address)",
            "setGovernance(address)",
            "setBridge(address)",
        ],
    ),
    (
        Class::Govern,
        &[
            "castVote(uint256,uint8)",
            "castVote(uint256,bool)",
            "vote(uint256,bool)",
            "vote(uint32)",
            "propose(address[],uint256[],bytes[],string)",
            "propose(address[],uint256[],string[],bytes[],string)",
            "propose(address,bytes)",
            "propose(address)",
            "execute(uint256)",
            "queue(uint256)",
            "emergencyCommit(uint32)",
            "delegate(address)",
            "executeProposal(uint256)",
        ],
    ),
    (
        Class::Entry,
        &[
            "execTransaction(address,uint256,bytes,uint8,uint256,uint256,uint256,address,address,bytes)",
            "multicall(bytes[])",
            "multicall(uint256,bytes[])",
            "execute(bytes,bytes[],uint256)",
            "execute(bytes,bytes[])",
            "swapExactTokensForTokensSupportingFeeOnTransferTokens(uint256,uint256,address[],address,uint256)",
            "swapExactETHForTokensSupportingFeeOnTransferTokens(uint256,address[],address,uint256)",
            "swapExactTokensForETHSupportingFeeOnTransferTokens(uint256,uint256,address[],address,uint256)",
            "swapETHForExactTokens(uint256,address[],address,uint256)",
            "swapTokensForExactETH(uint256,uint256,address[],address,uint256)",
            "addLiquidityETH(address,uint256,uint256,uint256,address,uint256)",
            "removeLiquidityETH(address,uint256,uint256,uint256,address,uint256)",
            "exactInputSingle((address,address,uint24,address,uint256,uint256,uint256,uint160))",
            "exactInput((bytes,address,uint256,uint256,uint256))",
            "swap(address,(address,address,address,address,uint256,uint256,uint256,bytes),bytes)",
            "unoswap(address,uint256,uint256,bytes32[])",
            "uniswapV3Swap(uint256,uint256,uint256[])",
            "disperseEther(address[],uint256[])",
            "disperseToken(address,address[],uint256[])",
            "multiSend(bytes)",
            "batchTransfer(address[],uint256[])",
            "handleOps((address,uint256,bytes,bytes,uint256,uint256,uint256,uint256,uint256,bytes,bytes)[],address)",
            "fulfillBasicOrder((address,uint256,uint256,address,address,address,uint256,uint256,uint8,uint256,uint256,bytes32,uint256,bytes32,bytes32,uint256,(uint256,address)[],bytes))",
            "matchOrders((address,address,address,address,uint256,uint256,uint256,uint256,uint256,uint256,bytes,bytes),(address,address,address,address,uint256,uint256,uint256,uint256,uint256,uint256,bytes,bytes),bytes,bytes)",
            "atomicMatch_(address[14],uint256[18],uint8[8],bytes,bytes,bytes,bytes,bytes,bytes,uint8[2],bytes32[5])",
            "executeTransaction(address,uint256,string,bytes,uint256)",
            "performUpkeep(bytes)",
        ],
    ),
];

static TABLE: LazyLock<BTreeMap<[u8; 4], Class>> = LazyLock::new(|| {
    let all = CLASSES.iter().flat_map(|(class, signatures)| signatures.iter().map(|signature| (*signature, *class)));
    all.map(|(signature, class)| (selector(signature), class)).collect()
});

/// The selector of a signature.
pub(super) fn selector(signature: &str) -> [u8; 4] {
    let hash = keccak256(signature.as_bytes());
    [hash[0], hash[1], hash[2], hash[3]]
}

/// What a function does, if it is in the table.
pub(super) fn class(selector: Option<[u8; 4]>) -> Option<Class> {
    TABLE.get(&selector?).copied()
}

/// Every signature with its class.
#[cfg(test)]
pub(super) fn all() -> impl Iterator<Item = (&'static str, Class)> {
    CLASSES.iter().flat_map(|(class, signatures)| signatures.iter().map(|signature| (*signature, *class)))
}
