// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// A Safe transaction guard that lets nothing pass: what a misconfigured or hostile guard does to a pause.
/// Implements `ITransactionGuard` of Safe 1.5.0 (interface id 0xe6d7a83a, checked by `setGuard`).
contract BlockingGuard {
    error GuardBlocks();

    function checkTransaction(
        address,
        uint256,
        bytes memory,
        uint8,
        uint256,
        uint256,
        uint256,
        address,
        address payable,
        bytes memory,
        address
    ) external pure {
        revert GuardBlocks();
    }

    function checkAfterExecution(bytes32, bool) external pure {}

    function supportsInterface(bytes4 id) external pure returns (bool) {
        return id == 0x01ffc9a7 || id == 0xe6d7a83a;
    }
}
