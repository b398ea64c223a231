//! Bounds that more than one crate keeps: what a charter may ask for is what the wire can carry and a node can do.

/// Bytes of call data of a Safe transaction that guardians co-sign: a `CoSignature` with more cannot be sealed.
pub const SAFE_CALL_DATA_MAX: usize = 24 * 1024;
/// Assets of a charter: a heartbeat says of each whether it can be contained.
pub const ASSETS_MAX: usize = 64;
/// Blocks that a node reads when it starts, so that its windows are full; what is older is left out.
pub const BACKFILL_BLOCKS_MAX: u64 = 200_000;
