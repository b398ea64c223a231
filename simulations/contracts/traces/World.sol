// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import "./Parts.sol";

/// A case: furnishes its own world, then says which transaction is to be traced. `WETH` stands where the chain keeps it.
abstract contract World {
    Wrapped internal constant WETH = Wrapped(0xC02aaA39b223FE8D0A0e5C4F27eAD9083C756Cc2);
    uint256 internal constant E = 1e18;

    address internal to;
    bytes internal data;
    uint256 internal coin;

    receive() external payable {}

    /// Furnishes the world; `sender` is who will send the traced transaction.
    function setup(address sender) external payable virtual;

    /// What the sender calls first, untraced: target and data of each.
    function before() external view virtual returns (address[] memory, bytes[] memory) {}

    /// The traced transaction; a zero target creates.
    function traced() external view returns (address, bytes memory, uint256) {
        return (to, data, coin);
    }

    function weth(uint256 amount) internal {
        WETH.deposit{value: amount}();
    }

    function coins(address owner, uint256 amount) internal returns (Coin token) {
        token = new Coin();
        token.mint(owner, amount);
    }

    function pool(Pair pair, Coin a, uint256 amountA, uint256 amountWeth) internal returns (Pair) {
        a.mint(address(pair), amountA);
        weth(amountWeth);
        WETH.transfer(address(pair), amountWeth);
        pair.mint(address(this));
        return pair;
    }

    function pair(Coin a, uint256 amountA, uint256 amountWeth) internal returns (Pair) {
        return pool(new Pair(a, WETH), a, amountA, amountWeth);
    }

    function pair2(Coin a, uint256 amountA, Coin b, uint256 amountB) internal returns (Pair made) {
        made = new Pair(a, b);
        a.mint(address(made), amountA);
        b.mint(address(made), amountB);
        made.mint(address(this));
    }

    function lender(uint256 amount) internal returns (Lender made) {
        made = new Lender();
        weth(amount);
        WETH.transfer(address(made), amount);
    }

    /// The sender calls this contract's `run()`.
    function runs(address contract_) internal {
        (to, data) = (contract_, abi.encodeWithSignature("run()"));
    }
}

/// A contract that somebody runs.
abstract contract Runner is Borrower {
    Wrapped internal constant WETH = Wrapped(0xC02aaA39b223FE8D0A0e5C4F27eAD9083C756Cc2);
    uint256 internal constant E = 1e18;
    using Swaps for Pair;

    receive() external payable virtual {}

    /// Pays out what is left.
    function finish() internal {
        WETH.withdraw(WETH.balanceOf(address(this)));
        payable(tx.origin).transfer(address(this).balance);
    }

    function flash(Lender lender, uint256 amount) internal {
        WETH.approve(address(lender), type(uint256).max);
        lender.flashLoan(address(this), WETH, amount, "");
    }

    function onFlashLoan(address, address, uint256, uint256, bytes calldata) external returns (bytes32) {
        act();
        return keccak256("ERC3156FlashBorrower.onFlashLoan");
    }

    function act() internal virtual;
}
