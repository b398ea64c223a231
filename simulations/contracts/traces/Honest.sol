// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import "./World.sol";

// What honest people and bots do, the hard cases first.

contract LiquidatorActor is Runner {
    using Swaps for Pair;
    Lender private lender;
    Pair private pair;
    Market private market;
    address private who;

    constructor(Lender lender_, Pair pair_, Market market_, address who_) {
        (lender, pair, market, who) = (lender_, pair_, market_, who_);
    }

    function run() external {
        flash(lender, 50 * E);
        finish();
    }

    function act() internal override {
        Token token = market.collateral();
        WETH.approve(address(market), type(uint256).max);
        market.liquidate(who, 50 * E);
        pair.trade(token, token.balanceOf(address(this)), address(this));
    }
}

contract HonestLiquidation is World {
    function setup(address) external payable override {
        Coin token = new Coin();
        Pair made = pair(token, 1_000_000 * E, 112_000 * E);
        FixedOracle oracle = new FixedOracle(E / 5);
        Market market = new Market(token, WETH, oracle);
        weth(1_000 * E);
        WETH.transfer(address(market), 1_000 * E);
        token.mint(address(this), 1_000 * E);
        token.approve(address(market), type(uint256).max);
        market.supply(address(token), 1_000 * E);
        market.borrow(100 * E);
        oracle.set(E / 10 + E / 100);
        runs(address(new LiquidatorActor(lender(500 * E), made, market, address(this))));
    }
}

contract ArbitrageActor is Runner {
    using Swaps for Pair;
    Lender private lender;
    Pair[] private pairs;
    uint256 private amount;

    constructor(Lender lender_, Pair[] memory pairs_, uint256 amount_) {
        (lender, pairs, amount) = (lender_, pairs_, amount_);
    }

    function run() external {
        if (address(lender) == address(0)) act();
        else flash(lender, amount);
        finish();
    }

    function act() internal override {
        Token from = WETH;
        for (uint256 i = 0; i < pairs.length; i++) {
            Token next = from == pairs[i].token0() ? pairs[i].token1() : pairs[i].token0();
            pairs[i].trade(from, from == WETH ? amount : from.balanceOf(address(this)), address(this));
            from = next;
        }
    }
}

contract HonestArbitrageTwo is World {
    function setup(address) external payable override {
        Coin token = new Coin();
        Pair[] memory pairs = new Pair[](2);
        pairs[0] = pair(token, 100_000 * E, 1_000 * E);
        pairs[1] = pair(token, 100_000 * E, 1_200 * E);
        runs(address(new ArbitrageActor(lender(500 * E), pairs, 40 * E)));
    }
}

contract HonestArbitrageThree is World {
    function setup(address) external payable override {
        (Coin one, Coin two) = (new Coin(), new Coin());
        Pair[] memory pairs = new Pair[](3);
        pairs[0] = pair(one, 100_000 * E, 1_000 * E);
        pairs[1] = pair2(one, 100_000 * E, two, 120_000 * E);
        pairs[2] = pair(two, 100_000 * E, 1_000 * E);
        ArbitrageActor actor = new ArbitrageActor(Lender(address(0)), pairs, 30 * E);
        weth(30 * E);
        WETH.transfer(address(actor), 30 * E);
        runs(address(actor));
    }
}

contract FlashSwapActor is Runner {
    using Swaps for Pair;
    Pair private one;
    Pair private other;

    constructor(Pair one_, Pair other_) {
        (one, other) = (one_, other_);
    }

    function run() external {
        one.swap(2_000 * E, 0, address(this), "x");
        finish();
    }

    function act() internal override {}

    function uniswapV2Call(address, uint256 amount, uint256, bytes calldata) external {
        Token token = one.token0();
        other.trade(token, amount, address(this));
        WETH.transfer(address(one), amount * 1_000 / 97_000);
    }
}

contract HonestFlashSwap is World {
    function setup(address) external payable override {
        Coin token = new Coin();
        runs(address(new FlashSwapActor(pair(token, 100_000 * E, 1_000 * E), pair(token, 100_000 * E, 1_300 * E))));
    }
}

contract SandwichActor is Runner {
    using Swaps for Pair;

    function buy(Pair pair, uint256 amount) external {
        pair.trade(WETH, amount, address(this));
    }

    function sell(Pair pair) external {
        Token token = pair.token0();
        pair.trade(token, token.balanceOf(address(this)), address(this));
    }

    function act() internal override {}
}

contract HonestSandwichFront is World {
    function setup(address) external payable override {
        Coin token = new Coin();
        Pair made = pair(token, 100_000 * E, 1_000 * E);
        SandwichActor actor = new SandwichActor();
        weth(100 * E);
        WETH.transfer(address(actor), 100 * E);
        (to, data) = (address(actor), abi.encodeCall(SandwichActor.buy, (made, 60 * E)));
    }
}

contract HonestSandwichBack is World {
    function setup(address) external payable override {
        Coin token = new Coin();
        Pair made = pair(token, 100_000 * E, 1_200 * E);
        SandwichActor actor = new SandwichActor();
        token.mint(address(actor), 5_000 * E);
        (to, data) = (address(actor), abi.encodeCall(SandwichActor.sell, (made)));
    }
}

contract LeverageActor is Runner {
    using Swaps for Pair;
    Lender private lender;
    Pair private pair;
    Market private market;

    constructor(Lender lender_, Pair pair_, Market market_) {
        (lender, pair, market) = (lender_, pair_, market_);
    }

    /// Puts in own collateral, and more bought with a flash loan that a borrowing pays back.
    function run() external {
        Token token = market.collateral();
        token.transferFrom(msg.sender, address(this), 1_000 * E);
        flash(lender, 50 * E);
        finish();
    }

    function act() internal override {
        Token token = market.collateral();
        pair.trade(WETH, 50 * E, address(this));
        token.approve(address(market), type(uint256).max);
        market.supply(address(token), token.balanceOf(address(this)));
        market.borrow(51 * E);
    }
}

contract HonestLeverage is World {
    address private actor;
    Coin private token;

    function setup(address sender) external payable override {
        token = new Coin();
        Pair made = pair(token, 1_000_000 * E, 100_000 * E);
        Market market = new Market(token, WETH, new FixedOracle(E / 10));
        weth(1_000 * E);
        WETH.transfer(address(market), 1_000 * E);
        actor = address(new LeverageActor(lender(500 * E), made, market));
        token.mint(sender, 2_000 * E);
        runs(actor);
    }

    function before() external view override returns (address[] memory t, bytes[] memory d) {
        (t, d) = (new address[](1), new bytes[](1));
        (t[0], d[0]) = (address(token), abi.encodeCall(Token.approve, (actor, type(uint256).max)));
    }
}

contract UnwindActor is Runner {
    using Swaps for Pair;
    Lender private lender;
    Pair private pair;
    Market private market;

    constructor(Lender lender_, Pair pair_, Market market_) {
        (lender, pair, market) = (lender_, pair_, market_);
    }

    function open() external {
        Token token = market.collateral();
        token.approve(address(market), type(uint256).max);
        market.supply(address(token), token.balanceOf(address(this)));
        market.borrow(300 * E);
        WETH.transfer(msg.sender, 300 * E);
    }

    /// Pays a loan back with a flash loan, takes the collateral out and sells some of it.
    function run() external {
        flash(lender, 300 * E);
        Token token = market.collateral();
        token.transfer(tx.origin, token.balanceOf(address(this)));
        finish();
    }

    function act() internal override {
        Token token = market.collateral();
        WETH.approve(address(market), type(uint256).max);
        market.repay(300 * E);
        market.withdraw(address(token), market.put(address(this)));
        pair.trade(token, 4_000 * E, address(this));
    }
}

contract HonestUnwind is World {
    function setup(address) external payable override {
        Coin token = new Coin();
        Pair made = pair(token, 1_000_000 * E, 100_000 * E);
        Market market = new Market(token, WETH, new FixedOracle(E / 10));
        weth(1_000 * E);
        WETH.transfer(address(market), 1_000 * E);
        UnwindActor actor = new UnwindActor(lender(500 * E), made, market);
        token.mint(address(actor), 9_000 * E);
        actor.open();
        runs(address(actor));
    }
}

contract Migrator {
    function migrate(Shares from, Shares into) external {
        Token asset = from.asset();
        from.transferFrom(msg.sender, address(this), from.balanceOf(msg.sender));
        from.withdraw(from.balanceOf(address(this)));
        asset.approve(address(into), type(uint256).max);
        into.deposit(asset.balanceOf(address(this)));
        into.transfer(msg.sender, into.balanceOf(address(this)));
    }
}

contract HonestMigration is World {
    Shares private from;
    address private migrator;

    function setup(address sender) external payable override {
        from = new Shares(WETH, Pair(address(0)), Token(address(0)));
        Shares into = new Shares(WETH, Pair(address(0)), Token(address(0)));
        weth(3_000 * E);
        WETH.approve(address(from), type(uint256).max);
        from.deposit(2_000 * E);
        from.transfer(sender, 1_500 * E);
        migrator = address(new Migrator());
        (to, data) = (migrator, abi.encodeCall(Migrator.migrate, (from, into)));
    }

    function before() external view override returns (address[] memory t, bytes[] memory d) {
        (t, d) = (new address[](1), new bytes[](1));
        (t[0], d[0]) = (address(from), abi.encodeCall(Token.approve, (migrator, type(uint256).max)));
    }
}

contract HonestWhaleWithdrawal is World {
    function setup(address sender) external payable override {
        Shares shares = new Shares(WETH, Pair(address(0)), Token(address(0)));
        weth(9_000 * E);
        WETH.approve(address(shares), type(uint256).max);
        shares.deposit(9_000 * E);
        shares.transfer(sender, 6_000 * E);
        (to, data) = (address(shares), abi.encodeCall(Shares.withdraw, (6_000 * E)));
    }
}

contract HonestDeposit is World {
    Shares private shares;

    function setup(address sender) external payable override {
        shares = new Shares(WETH, Pair(address(0)), Token(address(0)));
        weth(900 * E);
        WETH.transfer(sender, 900 * E);
        (to, data) = (address(shares), abi.encodeCall(Shares.deposit, (900 * E)));
    }

    function before() external view override returns (address[] memory t, bytes[] memory d) {
        (t, d) = (new address[](1), new bytes[](1));
        (t[0], d[0]) = (address(WETH), abi.encodeCall(Token.approve, (address(shares), type(uint256).max)));
    }
}

contract Remover {
    function remove(Pair pair, uint256 amount) external {
        pair.transferFrom(msg.sender, address(pair), amount);
        pair.burn(msg.sender);
    }
}

contract HonestRemoveLiquidity is World {
    Pair private made;
    address private remover;

    function setup(address sender) external payable override {
        made = pair(new Coin(), 100_000 * E, 2_000 * E);
        made.transfer(sender, 60_000 * E);
        remover = address(new Remover());
        (to, data) = (remover, abi.encodeCall(Remover.remove, (made, 60_000 * E)));
    }

    function before() external view override returns (address[] memory t, bytes[] memory d) {
        (t, d) = (new address[](1), new bytes[](1));
        (t[0], d[0]) = (address(made), abi.encodeCall(Token.approve, (remover, type(uint256).max)));
    }
}

contract Disperser {
    function disperse(Token token, address[] calldata all, uint256 amount) external {
        for (uint256 i = 0; i < all.length; i++) token.transferFrom(msg.sender, all[i], amount);
    }

    function pay(address payable[] calldata all) external payable {
        for (uint256 i = 0; i < all.length; i++) all[i].transfer(msg.value / all.length);
    }
}

contract HonestMultisend is World {
    address private disperser;
    Coin private token;

    function setup(address sender) external payable override {
        disperser = address(new Disperser());
        token = coins(sender, 100_000 * E);
        address[] memory all = new address[](120);
        for (uint256 i = 0; i < 120; i++) all[i] = address(uint160(0x1000000 + i));
        (to, data) = (disperser, abi.encodeCall(Disperser.disperse, (token, all, 5 * E)));
    }

    function before() external view override returns (address[] memory t, bytes[] memory d) {
        (t, d) = (new address[](1), new bytes[](1));
        (t[0], d[0]) = (address(token), abi.encodeCall(Token.approve, (disperser, type(uint256).max)));
    }
}

contract HonestBatchPayout is World {
    function setup(address) external payable override {
        address payable[] memory all = new address payable[](90);
        for (uint256 i = 0; i < 90; i++) all[i] = payable(address(uint160(0x2000000 + i)));
        (to, data, coin) = (address(new Disperser()), abi.encodeCall(Disperser.pay, (all)), 900 * E);
    }
}

contract HonestClaim is World {
    function setup(address sender) external payable override {
        Shares shares = new Shares(WETH, Pair(address(0)), Token(address(0)));
        Coin reward = new Coin();
        Rewards rewards = new Rewards(shares, reward);
        reward.mint(address(rewards), 90_000 * E);
        Claimer2 claimer = new Claimer2(sender);
        weth(100 * E);
        WETH.approve(address(shares), type(uint256).max);
        shares.deposit(100 * E);
        shares.transfer(address(claimer), 100 * E);
        claimer.open(rewards, shares);
        (to, data) = (address(claimer), abi.encodeCall(Claimer2.claim, (rewards)));
    }
}

contract Claimer2 {
    address private owner;

    constructor(address owner_) {
        owner = owner_;
    }

    function open(Rewards rewards, Token token) external {
        token.approve(address(rewards), type(uint256).max);
        rewards.stake(token.balanceOf(address(this)));
    }

    function claim(Rewards rewards) external {
        rewards.claimReward();
        Token reward = rewards.reward();
        reward.transfer(owner, reward.balanceOf(address(this)));
    }
}

contract Collectible {
    mapping(uint256 => address) public ownerOf;
    uint256 public next;

    function mint() external payable {
        ownerOf[next++] = msg.sender;
    }

    function transferFrom(address from, address to, uint256 id) external {
        require(ownerOf[id] == from && msg.sender == from);
        ownerOf[id] = to;
    }
}

contract Minter {
    constructor(Collectible from, address owner) {
        uint256 id = from.next();
        from.mint();
        from.transferFrom(address(this), owner, id);
    }
}

contract BatchMinter {
    function run(Collectible from, uint256 times) external {
        for (uint256 i = 0; i < times; i++) new Minter(from, msg.sender);
    }
}

contract HonestBatchMint is World {
    function setup(address) external payable override {
        (to, data) = (address(new BatchMinter()), abi.encodeCall(BatchMinter.run, (new Collectible(), 30)));
    }
}

contract HonestRouterSwap is World {
    Coin private one;
    Router private router;

    function setup(address sender) external payable override {
        one = coins(sender, 500 * E);
        Coin two = new Coin();
        router = new Router();
        router.list(pair2(one, 100_000 * E, two, 100_000 * E));
        router.list(pair(two, 100_000 * E, 1_000 * E));
        Token[] memory path = new Token[](3);
        (path[0], path[1], path[2]) = (one, two, WETH);
        (to, data) = (address(router), abi.encodeCall(Router.swapExactTokensForTokens, (500 * E, 0, path, sender, 0)));
    }

    function before() external view override returns (address[] memory t, bytes[] memory d) {
        (t, d) = (new address[](1), new bytes[](1));
        (t[0], d[0]) = (address(one), abi.encodeCall(Token.approve, (address(router), type(uint256).max)));
    }
}

contract Forwarder {
    constructor(Token[] memory tokens, address into) {
        for (uint256 i = 0; i < tokens.length; i++) {
            uint256 held = tokens[i].balanceOf(address(this));
            if (held > 0) tokens[i].transfer(into, held);
        }
    }
}

contract Exchange {
    address private hot;

    constructor(address hot_) {
        hot = hot_;
    }

    function at(uint256 salt, Token[] memory tokens) public view returns (address) {
        bytes32 code = keccak256(bytes.concat(type(Forwarder).creationCode, abi.encode(tokens, hot)));
        return address(uint160(uint256(keccak256(abi.encodePacked(bytes1(0xff), address(this), salt, code)))));
    }

    /// Makes the deposit addresses of customers, each of which sends on what it got.
    function sweep(Token[] memory tokens, uint256 many) external {
        for (uint256 i = 0; i < many; i++) new Forwarder{salt: bytes32(i)}(tokens, hot);
    }
}

contract HonestExchangeSweep is World {
    function setup(address) external payable override {
        Exchange exchange = new Exchange(address(0x4000001));
        Token[] memory tokens = new Token[](2);
        (tokens[0], tokens[1]) = (new Coin(), WETH);
        weth(100 * E);
        for (uint256 i = 0; i < 10; i++) {
            Coin(address(tokens[0])).mint(exchange.at(i, tokens), 100 * E);
            WETH.transfer(exchange.at(i, tokens), 10 * E);
        }
        (to, data) = (address(exchange), abi.encodeCall(Exchange.sweep, (tokens, 10)));
    }
}

contract HonestBridgeRelease is World {
    function setup(address sender) external payable override {
        Vaulted vault = new Vaulted();
        Bridge bridge = new Bridge();
        bridge.attach(address(vault));
        vault.initialize(address(bridge));
        weth(9_000 * E);
        WETH.transfer(address(vault), 9_000 * E);
        (to, data) = (address(bridge), abi.encodeCall(Bridge.process, (WETH, sender, 3_000 * E, bytes32(0))));
    }
}

contract Keeper {
    /// Sells a vault's rewards and puts the proceeds back, for a part of them.
    function harvest(Pair pair, Rewards rewards, Shares shares) external {
        rewards.claimReward();
        Token reward = rewards.reward();
        Swaps.trade(pair, reward, reward.balanceOf(address(this)), address(this));
        Token asset = shares.asset();
        uint256 got = asset.balanceOf(address(this));
        asset.transfer(msg.sender, got / 100);
        asset.transfer(address(shares), got - got / 100);
    }

    function open(Rewards rewards, Token token) external {
        token.approve(address(rewards), type(uint256).max);
        rewards.stake(token.balanceOf(address(this)));
    }
}

contract HonestHarvest is World {
    function setup(address) external payable override {
        Coin reward = new Coin();
        Coin staked = new Coin();
        Pair made = pair(reward, 100_000 * E, 1_000 * E);
        Shares shares = new Shares(WETH, Pair(address(0)), Token(address(0)));
        Rewards rewards = new Rewards(staked, reward);
        reward.mint(address(rewards), 90_000 * E);
        Keeper keeper = new Keeper();
        staked.mint(address(keeper), 20_000 * E);
        keeper.open(rewards, staked);
        (to, data) = (address(keeper), abi.encodeCall(Keeper.harvest, (made, rewards, shares)));
    }
}
