//! `[silence]`: how long this node goes without what it should hear before it says so.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;

use watchfire_charter::reader::{Section, Value};
use watchfire_types::AssetId;

/// Most assets.
const ASSETS_MAX: usize = 64;
/// Shorter silences are hiccups, longer ones nobody waits for: 15 s to seven days.
const SECONDS: RangeInclusive<u64> = 15..=7 * 24 * 3_600;

/// `[silence]`: at least one of the spans is given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SilenceSection {
    /// The assets of which it is told; of a chain's silence only those on it.
    pub assets: BTreeSet<AssetId>,
    /// No new block of a chain for so many seconds.
    pub head_s: Option<u64>,
    /// An endpoint that is down, behind, or says otherwise than the others for so many seconds.
    pub endpoint_s: Option<u64>,
    /// No heartbeat of a member for so many seconds.
    pub member_s: Option<u64>,
}

/// Reads the section.
pub(super) fn silence(mut section: Section<'_>) -> Option<SilenceSection> {
    let assets =
        section.need("assets", "the ids of the charter's assets of which silence is told, such as [\"vault\"]");
    let assets = assets.and_then(|value| {
        let list = value.list(ASSETS_MAX)?;
        if list.is_empty() {
            value.fault("empty", "no asset is named", "name at least one, or remove [silence]");
            return None;
        }
        list.iter().map(|one| one.parsed("the id of an asset of the charter")).collect()
    });
    let span = |value: Option<Value<'_>>| value.map_or(Some(None), |value| value.number(SECONDS).map(Some));
    let [head, endpoint, member] = ["head_s", "endpoint_s", "member_s"].map(|key| section.get(key));
    if head.is_none() && endpoint.is_none() && member.is_none() {
        let message = "it says of nothing how long it may be silent";
        let remedy = "give head_s, endpoint_s or member_s, or remove [silence]";
        section.log.fault(&section.at, "no-bound", message, remedy);
    }
    let (head_s, endpoint_s, member_s) = (span(head), span(endpoint), span(member));
    section.finish();
    Some(SilenceSection { assets: assets?, head_s: head_s?, endpoint_s: endpoint_s?, member_s: member_s? })
}
