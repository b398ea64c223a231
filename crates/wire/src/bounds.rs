//! Every bound of the wire format. Text bounds are bytes of UTF-8.

/// Largest signed event, outer bytes.
pub const MAX_EVENT: usize = 60 * 1024;
/// Largest signed event whose body is no fault proof: any two of these fit into one fault proof.
pub const MAX_PLAIN_EVENT: usize = 30_000;
/// Largest gossip message.
pub const MAX_ENVELOPE: usize = 65_000;
/// Largest signed heartbeat.
pub const MAX_HEARTBEAT: usize = 60 * 1024;
/// Largest witness message.
pub const MAX_WITNESS: usize = 4 * 1024;
/// Largest catch-up request.
pub const MAX_CATCH_UP_REQUEST: usize = 256 * 1024;
/// Largest catch-up response.
pub const MAX_CATCH_UP_RESPONSE: usize = 1024 * 1024;

/// Positions in a catch-up request.
pub const MAX_POSITIONS: usize = 2_048;
/// Events in a catch-up response.
pub const MAX_RESPONSE_EVENTS: usize = 4_096;
/// Earlier epochs named by `Started`.
pub const MAX_EARLIER_EPOCHS: usize = 64;
/// Events embedded in a certificate.
pub const MAX_VOTES: usize = 64;
/// Figures of a finding.
pub const MAX_FIGURES: usize = 32;
/// Largest file of a fault object.
pub const MAX_FAULT_FILE: usize = 16 * 1024 * 1024;
/// Events of a fault object.
pub const MAX_FAULT_EVENTS: usize = 65_536;
/// Archives that a base names.
pub const MAX_PRUNED_INTO: usize = 65_536;
/// Chains of which a catch-up response says that their beginning is not held.
pub const MAX_PRUNED_CHAINS: usize = 256;
/// Chains for which a catch-up request asks for witnesses.
pub const MAX_WITNESS_WANTED: usize = 32;
/// Witness messages in a catch-up response.
pub const MAX_WITNESS_LINES: usize = 128;
/// Complete subtrees of a tree.
pub const MAX_SUBTREES: usize = 64;
/// Hashes of a consistency proof.
pub const MAX_PROOF_HASHES: usize = 128;
/// Objects in one manifest of evidence.
pub const MAX_EVIDENCE_ITEMS: usize = 32;
/// Objects named by one access to evidence.
pub const MAX_EVIDENCE_OBJECTS: usize = 256;
/// Parameters of one evidence request.
pub const MAX_PARAMS: usize = 256;
/// Source of a clock.
pub const MAX_CLOCK: usize = 128;
/// Members that one sealed body is for.
pub const MAX_SEALED_KEYS: usize = 64;
/// Bytes that sealing adds to words: salt and tag.
pub const SEALED_OVERHEAD: usize = 48;
/// Calls left out of a step.
pub const MAX_OMITTED: usize = 256;
/// Chains in a heartbeat.
pub const MAX_CHAINS: usize = 32;
/// Assets in a heartbeat.
pub const MAX_ASSETS: usize = watchfire_types::bounds::ASSETS_MAX;
/// Alarms in a heartbeat.
pub const MAX_ALARMS: usize = 32;

/// Call data of a Safe transaction.
pub const MAX_CALL_DATA: usize = watchfire_types::bounds::SAFE_CALL_DATA_MAX;
/// Pseudonym, role, finding kind, software version, name of a figure.
pub const MAX_LABEL: usize = 64;
/// A human's reason.
pub const MAX_REASON: usize = 1_024;
/// Explanations and details of one line.
pub const MAX_LINE: usize = 512;
/// Value of a figure.
pub const MAX_FIGURE_VALUE: usize = 128;
/// One alarm of a heartbeat.
pub const MAX_ALARM: usize = 256;
