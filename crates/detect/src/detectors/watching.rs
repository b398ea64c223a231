//! What each rule of the charter is watched by.

use std::collections::BTreeSet;

use alloy_primitives::{Address, U256};
use watchfire_charter::{Asset, Charter, CrossChain, Quantity, Watch};
use watchfire_types::{AssetId, BlockView, ChainId, ReadOutcome};

use crate::authority::{AuthorityWatch, Scope};
use crate::calls::CallsWatch;
use crate::cross::CrossWatch;
use crate::drain::{self, DrainWatch};
use crate::event::EventWatch;
use crate::expression::ExpressionWatch;
use crate::fresh::FreshWatch;
use crate::governance::{GovernanceWatch, MarketWatch, PlansWatch, VotesWatch};
use crate::invariant::{InvariantWatch, Side};
use crate::leap::{self, LeapWatch};
use crate::measure::Measure;
use crate::nonce::NonceWatch;
use crate::outflow::OutflowWatch;
use crate::rate::RateWatch;
use crate::release::ReleaseWatch;
use crate::sister::SisterWatch;
use crate::stale::StaleWatch;
use crate::state::StateWatch;

/// One rule's own state.
pub(super) enum Watching {
    Outflow(OutflowWatch),
    Event(EventWatch),
    Authority(AuthorityWatch),
    State(StateWatch),
    Leap(LeapWatch),
    Invariant(InvariantWatch),
    Stale(StaleWatch),
    Drain(DrainWatch),
    Nonce(NonceWatch),
    Expression(ExpressionWatch),
    Rate(RateWatch),
    Calls(CallsWatch),
    Governance(GovernanceWatch),
    Fresh(FreshWatch),
    Sister(SisterWatch),
    Cross(CrossWatch),
    Release(ReleaseWatch),
}

impl Watching {
    pub(super) fn of(watch: &Watch, asset: &Asset, charter: &Charter) -> Self {
        let group = || group(asset);
        let measure = |quantity: &Quantity| Measure::new(quantity, &group());
        match watch {
            Watch::Outflow { token, window_s, limit, share_bps } => {
                Self::Outflow(OutflowWatch::new(group(), *token, *window_s, *limit, *share_bps))
            }
            Watch::Event { address, event, topic, topics, stands_s } => {
                Self::Event(EventWatch::new(*address, event.clone(), *topic, topics.clone(), *stands_s))
            }
            Watch::Authority { targets, events, functions, through, mints, admins, dormant_s, stands_s } => {
                Self::Authority(AuthorityWatch::new(Scope {
                    targets: if targets.is_empty() { &asset.contracts } else { targets }.clone(),
                    events: events.clone(),
                    functions: functions.clone(),
                    through: through.clone(),
                    mints: *mints,
                    admins: admins.clone(),
                    dormant_s: *dormant_s,
                    stands_s: *stands_s,
                }))
            }
            Watch::State { what, read, expect, stands_s } => {
                Self::State(StateWatch::new(what.clone(), read.clone(), expect.clone(), *stands_s))
            }
            Watch::Leap { of, rise_bps, fall_bps, window_s, stands_s } => {
                let (rise_bps, fall_bps, window_s, stands_s) = (*rise_bps, *fall_bps, *window_s, *stands_s);
                Self::Leap(LeapWatch::new(measure(of), leap::Bounds { rise_bps, fall_bps, window_s, stands_s }))
            }
            Watch::Invariant { left, scale_left, compare, right, scale_right, tolerance_bps } => {
                let side = |quantity, scale: &U256| Side { measure: measure(quantity), scale: *scale };
                let (left, right) = (side(left, scale_left), side(right, scale_right));
                Self::Invariant(InvariantWatch::new(left, *compare, right, *tolerance_bps))
            }
            Watch::Stale { of, age_s } => Self::Stale(StaleWatch::new(measure(of), *age_s)),
            Watch::ApprovalDrain { token, victims, window_s, least, exclude } => {
                let exclude = group().union(exclude).copied().collect();
                let (token, victims, window_s, least) = (*token, *victims, *window_s, *least);
                Self::Drain(DrainWatch::new(drain::Bounds { token, victims, window_s, least, exclude }))
            }
            Watch::SafeNonce { safe, stands_s } => Self::Nonce(NonceWatch::new(charter, asset.chain, *safe, *stands_s)),
            Watch::Expression { over, address, expression, stands_s } => {
                Self::Expression(ExpressionWatch::new(over.clone(), *address, expression.clone(), *stands_s))
            }
            Watch::Rate(rate) => Self::Rate(RateWatch::new(rate.clone(), group())),
            Watch::Governance(rule) => {
                Self::Governance(GovernanceWatch::Plans(PlansWatch::new(rule, &asset.contracts)))
            }
            Watch::BorrowedVotes(rule) => Self::Governance(GovernanceWatch::Votes(VotesWatch::new(rule.clone()))),
            Watch::ThinMarket(rule) => Self::Governance(GovernanceWatch::Market(MarketWatch::new(rule.clone()))),
            Watch::FreshCode(rule) => Self::Fresh(FreshWatch::new(rule.clone(), asset.contracts.clone())),
            Watch::Calls(calls) => Self::Calls(CallsWatch::new(calls.clone(), group())),
            Watch::Sister(rule) => {
                let sources = rule.sources(&charter.detectors).map(|(id, _)| id.clone()).collect();
                let elsewhere = chain_of(charter, &rule.elsewhere, asset);
                Self::Sister(SisterWatch::new(rule.clone(), asset.chain, elsewhere, sources))
            }
            Watch::Release(rule) => {
                let elsewhere = chain_of(charter, &rule.elsewhere, asset);
                Self::Release(ReleaseWatch::new(rule.clone(), asset.chain, elsewhere))
            }
            Watch::CrossChain(rule) => {
                let elsewhere = chain_of(charter, &rule.elsewhere, asset);
                Self::Cross(CrossWatch::new(rule.clone(), comparison(rule, asset, charter), asset.chain, elsewhere))
            }
        }
    }

    /// Whether this block answers what it watches.
    pub(super) fn reads(&self, view: &BlockView) -> bool {
        match self {
            Self::Outflow(watch) => watch.balance(view).is_some(),
            // What these lack is known when they were judged.
            Self::Event(_)
            | Self::Authority(_)
            | Self::Drain(_)
            | Self::Expression(_)
            | Self::Rate(_)
            | Self::Governance(_)
            | Self::Fresh(_)
            | Self::Sister(_)
            | Self::Cross(_)
            | Self::Release(_) => true,
            Self::Calls(watch) => watch.sees(),
            Self::Leap(watch) => watch.answered(view),
            Self::Invariant(watch) => watch.answered(view),
            Self::Stale(watch) => watch.answered(view),
            Self::Nonce(watch) => watch.answered(view),
            Self::State(watch) => {
                matches!(view.reads.get(watch.read()), Some(ReadOutcome::Value(_) | ReadOutcome::Reverted(_)))
            }
        }
    }
}

fn group(asset: &Asset) -> BTreeSet<Address> {
    asset.contracts.union(&asset.internal).copied().collect()
}

/// The chain of another asset, which a charter that exists has.
fn chain_of(charter: &Charter, elsewhere: &AssetId, own: &Asset) -> ChainId {
    charter.assets.get(elsewhere).map_or(own.chain, |asset| asset.chain)
}

/// The comparison of a rule of this asset; what is held on its right side the other asset holds.
pub(super) fn comparison(rule: &CrossChain, asset: &Asset, charter: &Charter) -> InvariantWatch {
    let other = charter.assets.get(&rule.elsewhere).map(group).unwrap_or_default();
    let left = Side { measure: Measure::new(&rule.left, &group(asset)), scale: rule.scale_left };
    let right = Side { measure: Measure::new(&rule.right, &other), scale: rule.scale_right };
    InvariantWatch::new(left, rule.compare, right, rule.tolerance_bps)
}
