//! What of the contracts an attack touches, and which detectors look at that.

use watchfire_charter::privileged::{EVENTS, Privilege};
use watchfire_charter::{Quantity, Watch};

use crate::scenario::AttackKind;
use crate::simulate::chain::state::Touch;

/// A part of the contracts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Part {
    /// What is in them.
    Coin,
    /// Who owns them.
    Owner,
    /// What they run.
    Code,
    /// What they lend or redeem by.
    Price,
    /// How many shares there are.
    Supply,
    /// What they say came from elsewhere.
    Message,
}

/// Words in the names of calls.
const WORDS: [(Part, &[&str]); 4] = [
    (Part::Supply, &["supply"]),
    (Part::Code, &["implementation", "beacon"]),
    (Part::Owner, &["owner", "admin", "governor"]),
    (Part::Price, &["price", "rate", "rounddata", "answer", "convertto"]),
];

impl Part {
    /// Those that an attack of this kind touches.
    pub(crate) fn touched(kind: AttackKind) -> &'static [Self] {
        match kind {
            AttackKind::Reentrancy | AttackKind::Withdrawal => &[Self::Coin],
            AttackKind::OracleManipulation => &[Self::Price, Self::Coin],
            AttackKind::InfiniteMint => &[Self::Supply, Self::Coin],
            AttackKind::OwnerStolen => &[Self::Owner, Self::Coin],
            AttackKind::UpgradeStolen => &[Self::Code, Self::Coin],
            AttackKind::ForgedMessage => &[Self::Message, Self::Coin],
            AttackKind::None => &[],
        }
    }

    /// What one transaction changes besides coin.
    pub(super) fn of(touch: Touch) -> Option<Self> {
        match touch {
            Touch::TakeOwnership => Some(Self::Owner),
            Touch::Upgrade => Some(Self::Code),
            Touch::MovePrice => Some(Self::Price),
            Touch::Mint => Some(Self::Supply),
            Touch::Release { .. } => Some(Self::Message),
            Touch::Drain { .. } | Touch::Pause | Touch::Resume | Touch::Flag(_) => None,
        }
    }

    /// What a detector looks at, as far as the model has it.
    pub(crate) fn watched(watch: &Watch) -> Option<Self> {
        match watch {
            Watch::Outflow { .. } => Some(Self::Coin),
            Watch::Leap { of: Quantity::Held { .. }, fall_bps, .. } => fall_bps.map(|_| Self::Coin),
            Watch::Invariant { left, right, .. } => {
                let held = |side: &Quantity| matches!(side, Quantity::Held { .. });
                (held(left) || held(right)).then_some(Self::Coin)
            }
            Watch::State { what: text, .. } | Watch::Leap { of: Quantity::Call { text, .. }, .. } => Self::called(text),
            Watch::Event { event, topic, .. } => {
                let known = EVENTS.iter().find(|known| known.topic == *topic).map(|known| known.privilege);
                match known {
                    Some(Privilege::Owner) => Some(Self::Owner),
                    Some(Privilege::Upgrade) => Some(Self::Code),
                    Some(_) => None,
                    None => {
                        (!["Paused(", "Unpaused("].iter().any(|own| event.starts_with(own))).then_some(Self::Message)
                    }
                }
            }
            _ => None,
        }
    }

    fn called(text: &str) -> Option<Self> {
        let name = text.split('(').next().unwrap_or_default().to_lowercase();
        let named = |words: &&[&str]| words.iter().any(|word| name.contains(word));
        WORDS.iter().find(|(_, words)| named(words)).map(|(part, _)| *part)
    }
}
