// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Pausable} from "@openzeppelin/contracts/utils/Pausable.sol";

/// A vault for native coin with the hole that the drill attacks: `withdraw` pays before it forgets what it owes,
/// so a contract that calls back is paid again and again. Never deploy it for anything but a drill.
contract Vault is Pausable {
    error NotThePauser(address caller);
    error NothingDeposited();
    error WithdrawalsAreLimited(uint256 wanted, uint256 limit);
    error PaymentRefused();

    event WithdrawalsLimited(bool limited);

    /// The Safe: the only one that may flag, pause and resume.
    address public immutable pauser;
    /// What one withdrawal may pay while the flag is set.
    uint256 public immutable limit;
    bool public withdrawalsLimited;
    mapping(address => uint256) public deposited;

    modifier onlyPauser() {
        if (msg.sender != pauser) revert NotThePauser(msg.sender);
        _;
    }

    constructor(address pauser_, uint256 limit_) payable {
        pauser = pauser_;
        limit = limit_;
    }

    function deposit() external payable whenNotPaused {
        deposited[msg.sender] += msg.value;
    }

    /// Pays the caller's whole deposit. The hole: the deposit is forgotten only after the payment.
    function withdraw() external whenNotPaused {
        uint256 amount = deposited[msg.sender];
        if (amount == 0) revert NothingDeposited();
        if (withdrawalsLimited && amount > limit) revert WithdrawalsAreLimited(amount, limit);
        (bool paid,) = msg.sender.call{value: amount}("");
        if (!paid) revert PaymentRefused();
        deposited[msg.sender] = 0;
    }

    /// The narrow step: single withdrawals are capped, small users go on.
    function setWithdrawalsLimited(bool limited) external onlyPauser {
        withdrawalsLimited = limited;
        emit WithdrawalsLimited(limited);
    }

    /// The wide step.
    function pause() external onlyPauser {
        _pause();
    }

    function unpause() external onlyPauser {
        _unpause();
    }
}
