//! What to do about each kind of fact.

use super::Fact;

/// Every kind of fact with what mends it.
pub(super) const REMEDIES: &[(&str, &str)] = &[
    ("asset-owner-differs", "give the contract back to the owner that the charter names, or amend the asset's `owner`"),
    (
        "code-changed",
        "find out who exchanged the code and whether the step still does what it says; then accept it: stop the node, \
         remove baseline.json from its directory, start it",
    ),
    ("condition-unreadable", "correct the condition's call or its type in the charter"),
    ("delayed", "set the delay to 0 on chain, or state it as `delayed_s` and contain by another path"),
    ("detector-unreadable", "correct the detector's target or call in the charter"),
    (
        "fallback-handler-changed",
        "set the former handler with setFallbackHandler; if it was meant, stop the node, remove baseline.json, start it",
    ),
    ("funds-on-safe", "move the funds to another account"),
    (
        "guard-not-named",
        "remove it with setGuard(0), or name it as the Safe's `guard` once you know that it lets pauses pass",
    ),
    ("guard-not-set", "set it with setGuard, or remove `guard` from the charter"),
    ("guard-without-code", "correct the `guard` address: a guard without code makes every transaction revert"),
    ("module-guard", "remove it with setModuleGuard(0), unless a module is meant to be guarded"),
    ("module-not-enabled", "enable it with enableModule, or remove it from the Safe's `modules`"),
    (
        "module-not-named",
        "disable it with disableModule, or name it in the Safe's `modules`: it acts without any signature",
    ),
    ("multi-send-code", "pin the MultiSendCallOnly of this chain's Safe deployment by its address and code hash"),
    ("no-contract", "correct the address or the chain in the charter"),
    ("no-role", "grant the Safe the right to make this call on the target"),
    ("no-safe", "correct the Safe's address or chain, or deploy it"),
    ("not-a-safe", "correct the Safe's address: what is there answers otherwise"),
    ("not-read", "see the endpoints in `watchfire status`; an archive or another operator's endpoint may answer"),
    ("one-holds-threshold", "swap owners with swapOwner until no organisation has as many as the threshold"),
    (
        "owner-delegated",
        "know whom it delegates to: what that code lets others do in its name, they can do as a guardian too",
    ),
    ("owner-has-code", "replace it with swapOwner by the guardian key of a plain account"),
    ("owner-missing", "add it with addOwnerWithThreshold, or amend the charter's members"),
    ("owner-unknown", "remove it with removeOwner, or name it in the Safe's `other_owners`"),
    ("power-beyond-pause", "hand the ownership or admin role to another account; leave the Safe the right to pause"),
    (
        "singleton-changed",
        "treat the Safe as taken over until shown otherwise; if it was meant, stop the node, remove baseline.json, start it",
    ),
    ("submitter-has-code", "use a plain account as submitter: replace the key, and the address by an amendment"),
    ("submitter-unfunded", "send it gas money"),
    ("threshold-differs", "set it with changeThreshold, or amend the charter"),
    ("threshold-unreachable", "add guardians as owners, or lower the threshold with changeThreshold"),
    ("version-differs", "correct the Safe's `version` in the charter: transaction hashes depend on it"),
    ("version-too-old", "move to a Safe of version 1.3.0 or later"),
];

impl Fact {
    /// What mends it.
    #[must_use]
    pub fn remedy(&self) -> &'static str {
        let known = REMEDIES.iter().find(|(kind, _)| *kind == self.kind);
        known.map_or("change the chain or the charter, so that both say the same", |(_, remedy)| remedy)
    }
}
