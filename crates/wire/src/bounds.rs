//! Every bound of the wire format. Text bounds are bytes of UTF-8.

/// Largest signed event, outer bytes.
pub const MAX_EVENT: usize = 60 * 1024;
/// Largest signed event whose body is no fault proof: any two of these fit into one fault proof.
pub const MAX_PLAIN_EVENT: usize = 30_000;
/// Largest gossip message.
pub const MAX_ENVELOPE: usize = 65_000;
/// Largest signed heartbeat.
pub const MAX_HEARTBEAT: usize = 60 * 1024;
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
/// Calls left out of a step.
pub const MAX_OMITTED: usize = 256;
/// Chains in a heartbeat.
pub const MAX_CHAINS: usize = 32;
/// Assets in a heartbeat.
pub const MAX_ASSETS: usize = 64;
/// Alarms in a heartbeat.
pub const MAX_ALARMS: usize = 32;

/// Call data of a Safe transaction.
pub const MAX_CALL_DATA: usize = 24 * 1024;
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
