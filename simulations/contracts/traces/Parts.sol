// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

// The parts that the labelled transactions are made of: small models of what real protocols are, holes included.

contract Token {
    mapping(address => uint256) public balanceOf;
    mapping(address => mapping(address => uint256)) public allowance;
    uint256 public totalSupply;
    event Transfer(address indexed from, address indexed to, uint256 value);

    function approve(address spender, uint256 amount) external returns (bool) {
        allowance[msg.sender][spender] = amount;
        return true;
    }

    function transfer(address to, uint256 amount) external returns (bool) {
        _move(msg.sender, to, amount);
        return true;
    }

    function transferFrom(address from, address to, uint256 amount) external returns (bool) {
        if (from != msg.sender && allowance[from][msg.sender] != type(uint256).max) allowance[from][msg.sender] -= amount;
        _move(from, to, amount);
        return true;
    }

    function _move(address from, address to, uint256 amount) internal virtual {
        balanceOf[from] -= amount;
        balanceOf[to] += amount;
        emit Transfer(from, to, amount);
    }

    function _mint(address to, uint256 amount) internal {
        totalSupply += amount;
        balanceOf[to] += amount;
        emit Transfer(address(0), to, amount);
    }

    function _burn(address from, uint256 amount) internal {
        balanceOf[from] -= amount;
        totalSupply -= amount;
        emit Transfer(from, address(0), amount);
    }
}

/// Mints for whoever asks: the hole of an unlimited mint, and how the world is furnished.
contract Coin is Token {
    function mint(address to, uint256 amount) external {
        _mint(to, amount);
    }
}

contract Wrapped is Token {
    function deposit() external payable {
        balanceOf[msg.sender] += msg.value;
    }

    function withdraw(uint256 amount) external {
        balanceOf[msg.sender] -= amount;
        (bool ok,) = msg.sender.call{value: amount}("");
        require(ok);
    }
}

interface Callee {
    function uniswapV2Call(address sender, uint256 amount0, uint256 amount1, bytes calldata data) external;
}

contract Pair is Token {
    Token public token0;
    Token public token1;
    uint256 private r0;
    uint256 private r1;

    constructor(Token a, Token b) {
        (token0, token1) = (a, b);
    }

    function getReserves() external view returns (uint256, uint256, uint256) {
        return (r0, r1, block.timestamp);
    }

    function sync() public {
        (r0, r1) = (token0.balanceOf(address(this)), token1.balanceOf(address(this)));
    }

    function mint(address to) external returns (uint256 shares) {
        uint256 a = token0.balanceOf(address(this)) - r0;
        shares = totalSupply == 0 ? a : a * totalSupply / r0;
        _mint(to, shares);
        sync();
    }

    function burn(address to) external {
        uint256 shares = balanceOf[address(this)];
        uint256 supply = totalSupply;
        _burn(address(this), shares);
        token0.transfer(to, r0 * shares / supply);
        token1.transfer(to, r1 * shares / supply);
        sync();
    }

    function swap(uint256 out0, uint256 out1, address to, bytes calldata data) external {
        if (out0 > 0) token0.transfer(to, out0);
        if (out1 > 0) token1.transfer(to, out1);
        if (data.length > 0) Callee(to).uniswapV2Call(msg.sender, out0, out1, data);
        uint256 b0 = token0.balanceOf(address(this));
        uint256 b1 = token1.balanceOf(address(this));
        uint256 in0 = b0 > r0 - out0 ? b0 - (r0 - out0) : 0;
        uint256 in1 = b1 > r1 - out1 ? b1 - (r1 - out1) : 0;
        require(_invariant(b0 * 1000 - in0 * 3, b1 * 1000 - in1 * 3, r0 * r1), "K");
        (r0, r1) = (b0, b1);
    }

    function _invariant(uint256 a, uint256 b, uint256 before) internal view virtual returns (bool) {
        return a * b >= before * 1_000_000;
    }
}

/// Whose check is off by a factor.
contract LoosePair is Pair {
    constructor(Token a, Token b) Pair(a, b) {}

    function _invariant(uint256 a, uint256 b, uint256 before) internal pure override returns (bool) {
        return a * b >= before * 10_000;
    }
}

library Swaps {
    /// What a pair pays for an amount of one of its tokens.
    function quote(Pair pair, Token from, uint256 amount) internal view returns (uint256) {
        (uint256 r0, uint256 r1,) = pair.getReserves();
        (uint256 a, uint256 b) = from == pair.token0() ? (r0, r1) : (r1, r0);
        return amount * 997 * b / (a * 1000 + amount * 997);
    }

    function trade(Pair pair, Token from, uint256 amount, address to) internal returns (uint256 out) {
        out = quote(pair, from, amount);
        from.transfer(address(pair), amount);
        if (from == pair.token0()) pair.swap(0, out, to, "");
        else pair.swap(out, 0, to, "");
    }
}

contract Router {
    mapping(Token => mapping(Token => Pair)) public pairs;

    function list(Pair pair) external {
        pairs[pair.token0()][pair.token1()] = pair;
        pairs[pair.token1()][pair.token0()] = pair;
    }

    function swapExactTokensForTokens(uint256 amount, uint256 least, Token[] calldata path, address to, uint256) external returns (uint256 out) {
        path[0].transferFrom(msg.sender, address(pairs[path[0]][path[1]]), amount);
        out = amount;
        for (uint256 i = 0; i + 1 < path.length; i++) {
            Pair pair = pairs[path[i]][path[i + 1]];
            out = Swaps.quote(pair, path[i], out);
            address next = i + 2 < path.length ? address(pairs[path[i + 1]][path[i + 2]]) : to;
            if (path[i] == pair.token0()) pair.swap(0, out, next, "");
            else pair.swap(out, 0, next, "");
        }
        require(out >= least);
    }
}

interface Borrower {
    function onFlashLoan(address initiator, address token, uint256 amount, uint256 fee, bytes calldata data) external returns (bytes32);
}

contract Lender {
    function flashLoan(address receiver, Token token, uint256 amount, bytes calldata data) external returns (bool) {
        token.transfer(receiver, amount);
        Borrower(receiver).onFlashLoan(msg.sender, address(token), amount, amount / 1000, data);
        token.transferFrom(receiver, address(this), amount + amount / 1000);
        return true;
    }
}

/// Shares of one token; what they are worth follows the balance, or a pair's price where one is given.
contract Shares is Token {
    Token public asset;
    Pair public pricedBy;
    Token public other;

    constructor(Token asset_, Pair pricedBy_, Token other_) {
        (asset, pricedBy, other) = (asset_, pricedBy_, other_);
    }

    function totalAssets() public view returns (uint256) {
        uint256 own = asset.balanceOf(address(this));
        if (address(pricedBy) == address(0)) return own;
        (uint256 r0, uint256 r1,) = pricedBy.getReserves();
        (uint256 a, uint256 b) = asset == pricedBy.token0() ? (r0, r1) : (r1, r0);
        return own + other.balanceOf(address(this)) * a / b;
    }

    function pricePerShare() public view returns (uint256) {
        return totalSupply == 0 ? 1e18 : totalAssets() * 1e18 / totalSupply;
    }

    function deposit(uint256 amount) external returns (uint256 shares) {
        shares = totalSupply == 0 ? amount : amount * totalSupply / totalAssets();
        asset.transferFrom(msg.sender, address(this), amount);
        _mint(msg.sender, shares);
    }

    function withdraw(uint256 shares) external returns (uint256 amount) {
        amount = shares * totalAssets() / totalSupply;
        _burn(msg.sender, shares);
        asset.transfer(msg.sender, amount);
    }
}

interface Oracle {
    function price() external view returns (uint256);
}

contract FixedOracle is Oracle {
    uint256 public price;

    constructor(uint256 price_) {
        price = price_;
    }

    function set(uint256 price_) external {
        price = price_;
    }
}

/// Debt of a token by one unit of collateral, as a pair stands right now.
contract SpotOracle is Oracle {
    Pair private pair;
    Token private collateral;

    constructor(Pair pair_, Token collateral_) {
        (pair, collateral) = (pair_, collateral_);
    }

    function price() external view returns (uint256) {
        (uint256 r0, uint256 r1,) = pair.getReserves();
        return collateral == pair.token0() ? r1 * 1e18 / r0 : r0 * 1e18 / r1;
    }
}

/// Counts what a vault holds more than once, as sums over nested vaults have done.
contract ShareOracle is Oracle {
    Shares private shares;

    constructor(Shares shares_) {
        shares = shares_;
    }

    function price() external view returns (uint256) {
        return shares.pricePerShare() * 3;
    }
}

contract Market {
    Token public collateral;
    Token public loan;
    Oracle public oracle;
    mapping(address => uint256) public put;
    mapping(address => uint256) public owed;

    constructor(Token collateral_, Token loan_, Oracle oracle_) {
        (collateral, loan, oracle) = (collateral_, loan_, oracle_);
    }

    function supply(address, uint256 amount) external {
        collateral.transferFrom(msg.sender, address(this), amount);
        put[msg.sender] += amount;
    }

    function borrow(uint256 amount) external {
        require((owed[msg.sender] + amount) * 1e18 <= put[msg.sender] * oracle.price() * 8 / 10, "health");
        owed[msg.sender] += amount;
        loan.transfer(msg.sender, amount);
    }

    function repay(uint256 amount) external {
        loan.transferFrom(msg.sender, address(this), amount);
        owed[msg.sender] -= amount;
    }

    function withdraw(address, uint256 amount) external {
        put[msg.sender] -= amount;
        require(owed[msg.sender] * 1e18 <= put[msg.sender] * oracle.price() * 8 / 10, "health");
        collateral.transfer(msg.sender, amount);
    }

    function liquidate(address who, uint256 amount) external {
        require(owed[who] * 1e18 > put[who] * oracle.price() * 8 / 10, "healthy");
        loan.transferFrom(msg.sender, address(this), amount);
        uint256 seized = amount * 1e18 * 105 / 100 / oracle.price();
        owed[who] -= amount;
        put[who] -= seized;
        collateral.transfer(msg.sender, seized);
    }
}

/// Native coin with accounts; pays before it notes.
contract Bank {
    mapping(address => uint256) public balances;

    function deposit() external payable {
        balances[msg.sender] += msg.value;
    }

    function withdraw(uint256 amount) external {
        require(balances[msg.sender] >= amount);
        (bool ok,) = msg.sender.call{value: amount}("");
        require(ok);
        unchecked {
            balances[msg.sender] -= amount;
        }
    }
}

/// A pool of native coin whose price of a share is wrong while it pays.
contract NativePool is Token {
    function add() external payable {
        _mint(msg.sender, msg.value);
    }

    function pricePerShare() external view returns (uint256) {
        return totalSupply == 0 ? 1e18 : address(this).balance * 1e18 / totalSupply;
    }

    function exit(uint256 shares) external {
        uint256 amount = address(this).balance * shares / totalSupply;
        _burn(msg.sender, shares);
        uint256 part = amount / 2;
        (bool ok,) = msg.sender.call{value: part}("");
        require(ok);
        (ok,) = msg.sender.call{value: amount - part}("");
        require(ok);
    }
}

/// Pays messages whose proof it does not check.
contract Bridge {
    mapping(bytes32 => bool) public done;

    function process(Token token, address to, uint256 amount, bytes32 id) external {
        require(!done[id]);
        done[id] = true;
        Vaulted(address(vault)).release(token, to, amount);
    }

    address public vault;

    function attach(address vault_) external {
        vault = vault_;
    }
}

contract Vaulted {
    address public owner;
    address public code;

    function initialize(address owner_) external {
        owner = owner_;
    }

    function release(Token token, address to, uint256 amount) external {
        require(msg.sender == owner);
        token.transfer(to, amount);
    }

    function upgradeToAndCall(address code_, bytes calldata data) external {
        require(msg.sender == owner);
        code = code_;
        (bool ok,) = code_.delegatecall(data);
        require(ok);
    }
}

/// Moves anybody's allowance for whoever asks.
contract OpenRouter {
    function route(Token token, address from, address to, uint256 amount) external {
        token.transferFrom(from, to, amount);
    }
}

contract Governor {
    Token public token;
    address[] private targets;
    bytes[] private datas;
    mapping(uint256 => uint256) public votes;

    constructor(Token token_) {
        token = token_;
    }

    function propose(address target, bytes calldata data) external returns (uint256) {
        targets.push(target);
        datas.push(data);
        return targets.length - 1;
    }

    function castVote(uint256 id, uint8) external {
        votes[id] += token.balanceOf(msg.sender);
    }

    function execute(uint256 id) external {
        require(votes[id] * 2 > token.totalSupply());
        (bool ok,) = targets[id].call(datas[id]);
        require(ok);
    }
}

contract Rewards {
    Token public stakeToken;
    Token public reward;
    mapping(address => uint256) public staked;

    constructor(Token stakeToken_, Token reward_) {
        (stakeToken, reward) = (stakeToken_, reward_);
    }

    function stake(uint256 amount) external {
        stakeToken.transferFrom(msg.sender, address(this), amount);
        staked[msg.sender] += amount;
    }

    function claimReward() external {
        reward.transfer(msg.sender, staked[msg.sender] / 10);
    }

    function unstake(uint256 amount) external {
        staked[msg.sender] -= amount;
        stakeToken.transfer(msg.sender, amount);
    }
}

/// Rounds what a small redemption costs down to nothing.
contract Rounding is Token {
    Token public asset;

    constructor(Token asset_) {
        asset = asset_;
    }

    function mint(uint256 amount) external {
        asset.transferFrom(msg.sender, address(this), amount);
        _mint(msg.sender, amount / 1e21);
    }

    function redeemUnderlying(uint256 amount) external {
        _burn(msg.sender, amount / 1e21);
        asset.transfer(msg.sender, amount);
    }
}
