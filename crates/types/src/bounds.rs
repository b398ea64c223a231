//! Bounds that more than one crate keeps: what a charter may ask for is what the wire can carry and a node can do.

/// Bytes of call data of a Safe transaction that guardians co-sign: a `CoSignature` with more cannot be sealed.
pub const SAFE_CALL_DATA_MAX: usize = 24 * 1024;
/// Assets of a charter: a heartbeat says of each whether it can be contained.
pub const ASSETS_MAX: usize = 64;
/// Blocks that a node reads when it starts, so that its windows are full; what is older is left out.
pub const BACKFILL_BLOCKS_MAX: u64 = 200_000;

/// Longest window of a planned change, seconds of block time.
pub const CHANGE_WINDOW_S_MAX: u64 = 7 * 24 * 3_600;
/// How long before its window's end a change is supported at the earliest, seconds of block time.
pub const CHANGE_AHEAD_S_MAX: u64 = 90 * 24 * 3_600;

/// Bytes that the votes of a certificate take together, each with the frame of [`VOTE_FRAME_BYTES`]: fewer than this, so that two
/// certificates of a liar still fit into one fault proof.
pub const CERTIFICATE_VOTES_BYTES: usize = 28 * 1024;
/// Bytes counted for each vote of a certificate beyond its own.
pub const VOTE_FRAME_BYTES: usize = 8;
/// Largest signed automatic vote: the decision 141 (asset and playbook of 64 bytes each, the version 6, their tags and lengths), step 3,
/// finding 34, operator 66 and evidence 69 make a vote of 313, a body of 317; with network 34, author 34, epoch 18, seq 11, prev 34 and
/// time 11 an event of 459; with its tag and length 462, and the signature 66.
pub const AUTOMATIC_VOTE_BYTES_MAX: usize = 528;
/// Organisations whose automatic votes always fit into one certificate: 53 votes of 528 + 8 bytes are 28,408, below 28,672.
pub const CERTIFICATE_VOTERS_MAX: usize = (CERTIFICATE_VOTES_BYTES - 1) / (AUTOMATIC_VOTE_BYTES_MAX + VOTE_FRAME_BYTES);

/// Largest signed human vote, veto or close vote without its words (the person's name, role and reason): as [`AUTOMATIC_VOTE_BYTES_MAX`]
/// without the finding's 34, with 10 for the tags and lengths of the human, the basis and the three texts. A veto's second block makes up for
/// operator and step; a close vote is smaller.
pub const HUMAN_VOTE_BYTES: usize = 504;

/// Bytes that each of so many votes may take, so that they fit into one certificate whoever gave them.
#[must_use]
pub const fn vote_bytes_max(votes: usize) -> usize {
    let votes = if votes == 0 { 1 } else { votes };
    ((CERTIFICATE_VOTES_BYTES - 1) / votes).saturating_sub(VOTE_FRAME_BYTES)
}

/// Bytes that a person's name, role and reason may take together where a certificate is made of so many votes: 28 for the most votes that
/// there can be ([`CERTIFICATE_VOTERS_MAX`]), and more than the three texts may have each for up to 17.
#[must_use]
pub const fn words_bytes_max(votes: usize) -> usize {
    vote_bytes_max(votes).saturating_sub(HUMAN_VOTE_BYTES)
}
