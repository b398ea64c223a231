//! Whether the quorum rules hold together: nested, able to be met, and not hanging on one organisation or operator.

use std::collections::{BTreeMap, BTreeSet};

use watchfire_types::bounds::{CERTIFICATE_VOTERS_MAX, words_bytes_max};
use watchfire_types::{MemberId, OperatorId, OrganisationId};

use crate::model::{MemberKind, PlaybookPurpose, Rule};
use crate::parse::chains::Safes;
use crate::parse::playbooks::Playbooks;
use crate::parse::rules::PlacedRules;
use crate::reader::{Log, Place};

/// Who can vote, as far as the document says it.
#[derive(Debug, Default)]
pub(crate) struct Roster {
    /// Roles of each organisation.
    pub(crate) roles: BTreeMap<OrganisationId, BTreeSet<String>>,
    /// Members whose organisation and kind are known.
    pub(crate) voters: Vec<Voter>,
    /// Members that could not be counted: while there are any, nothing is said of what hangs on how many there are.
    pub(crate) uncounted: usize,
}

/// One member, as quorum checks see it.
#[derive(Debug)]
pub(crate) struct Voter {
    /// Its id, where that is sound.
    pub(crate) id: Option<MemberId>,
    /// Organisation.
    pub(crate) organisation: OrganisationId,
    /// Kind.
    pub(crate) kind: MemberKind,
    /// Operator labels.
    pub(crate) operators: BTreeSet<OperatorId>,
}

/// Voting organisations and the labels that each one's vote may carry.
type Electorate<'a> = BTreeMap<&'a OrganisationId, BTreeSet<&'a OperatorId>>;

impl Roster {
    fn electorate(&self) -> Electorate<'_> {
        let mut electorate = Electorate::new();
        for voter in self.voters.iter().filter(|voter| voter.kind != MemberKind::Watcher) {
            electorate.entry(&voter.organisation).or_default().extend(&voter.operators);
        }
        electorate
    }
}

/// Checks everything that hangs on counts. A member that cannot be counted hides only what its vote could mend.
pub(crate) fn check(log: &Log, roster: &Roster, safes: &Safes, rules: Option<&PlacedRules>, playbooks: &Playbooks) {
    let whole = roster.uncounted == 0;
    let electorate = roster.electorate();
    let mut checked: Vec<(&Rule, &Place)> = playbooks.own_rules.iter().map(|own| (&own.rule, &own.at)).collect();
    if let Some(rules) = rules {
        checked.extend(rules.each().map(|(_, rule, place)| (rule, place)));
        order(log, rules, whole.then_some(electorate.len()));
        own_rules(log, rules, playbooks);
    }
    for (rule, at) in checked.into_iter().filter(|_| whole) {
        meetable(log, &electorate, roster, rule, at);
    }
    let certified = rules.map(PlacedRules::each).into_iter().flatten();
    let certified = certified.filter(|(name, ..)| !matches!(*name, "amend" | "tune")).map(|(_, rule, at)| (rule, at));
    for (rule, at) in certified.chain(playbooks.own_rules.iter().map(|own| (&own.rule, &own.at))) {
        certifiable(log, rule, at);
    }
    thresholds(log, safes, rules, whole);
    binding(log, safes, rules, playbooks);
}

/// contain <= extend <= recover <= amend, recover more than contain, and amendments exclusive among `n` organisations
/// where all are known.
fn order(log: &Log, rules: &PlacedRules, n: Option<usize>) {
    let [contain, extend, recover, amend, tune] = rules.each();
    for (narrow, wide) in [(contain, extend), (extend, recover), (recover, amend), (tune, amend)] {
        if !narrow.1.is_within(wide.1) {
            let message = format!("rules.{} asks for less than rules.{} in some term", wide.0, narrow.0);
            let remedy = format!("raise it to at least {} in every term, roles included", text(narrow.1));
            log.fault(wide.2, "rule-order", message, remedy);
        }
    }
    let further = |(role, least): (&String, &u16)| contain.1.roles.get(role).is_none_or(|other| least > other);
    if recover.1.organisations <= contain.1.organisations && !recover.1.roles.iter().any(further) {
        let message = "recovery needs no more than containment: who pauses could un-pause";
        log.fault(recover.2, "recover-as-contain", message, "ask for more organisations or for a further role");
    }
    let (organisations, least) = (usize::from(amend.1.organisations), usize::from(contain.1.organisations));
    // Two amendments of one version, each with this many of n, share more than contain - 1 organisations: an honest one.
    if let Some(n) = n.filter(|n| 2 * organisations < n + least) {
        let needed = (n + least).div_ceil(2);
        let message = format!("{organisations} organisations could amend while others amend differently");
        let remedy = format!("with {n} organisations and contain {least} an amendment needs {needed}");
        log.fault(amend.2, "amend-not-exclusive", message, remedy);
    }
    if contain.1.organisations == 1 {
        let message = "one organisation alone can pause";
        log.warn(contain.2, "contain-alone", message, "ask for two organisations at least");
    }
}

/// A playbook may ask for more than the network's rule, never for less.
fn own_rules(log: &Log, rules: &PlacedRules, playbooks: &Playbooks) {
    for own in &playbooks.own_rules {
        let (name, least) = match own.purpose {
            PlaybookPurpose::Contain => ("contain", &rules.rules.contain),
            PlaybookPurpose::Recover => ("recover", &rules.rules.recover),
        };
        if !least.is_within(&own.rule) {
            let message = format!("the playbook's rule asks for less than rules.{name}");
            log.fault(&own.at, "rule-order", message, format!("raise it to at least {}", text(least)));
        }
    }
}

/// Whether the voting organisations can meet a rule, and go on meeting it without any one of them or any one operator.
fn meetable(log: &Log, electorate: &Electorate<'_>, roster: &Roster, rule: &Rule, at: &Place) {
    let n = electorate.len();
    let organisations = usize::from(rule.organisations);
    if organisations >= n {
        let (kind, what) =
            if organisations == n { ("n-of-n", "all of them") } else { ("above-members", "more than there are") };
        let message = format!("{organisations} of {n} voting organisations is {what}");
        log.fault(at, kind, message, format!("ask for at most {} or add organisations", n.saturating_sub(1)));
        return;
    }
    if let Some(reason) = unmeetable(electorate, roster, rule) {
        log.fault(
            at,
            "unmeetable",
            format!("no set of members can meet the rule: {reason}"),
            "lower it or add members",
        );
        return;
    }
    let without_organisation = electorate.keys().filter(|gone| {
        let rest =
            electorate.iter().filter(|(id, _)| **id != **gone).map(|(id, labels)| (*id, labels.clone())).collect();
        unmeetable(&rest, roster, rule).is_some()
    });
    let labels: BTreeSet<_> = electorate.values().flatten().copied().collect();
    let without_operator = labels.iter().filter(|gone| {
        let left = electorate.iter().map(|(id, labels)| (*id, labels.iter().copied().filter(|l| l != *gone).collect()));
        let rest = left.filter(|(_, labels): &(_, BTreeSet<_>)| !labels.is_empty()).collect();
        unmeetable(&rest, roster, rule).is_some()
    });
    hangs_on(log, at, "organisation", &without_organisation.map(ToString::to_string).collect::<Vec<_>>());
    hangs_on(log, at, "operator", &without_operator.map(ToString::to_string).collect::<Vec<_>>());
}

/// Fewer bytes than this for who votes and why are worth a word.
const WORDS_BYTES_FEW: usize = 128;

/// Votes that meet the rule must fit into one certificate, or it is met and nothing happens.
fn certifiable(log: &Log, rule: &Rule, at: &Place) {
    let voters = rule.votes_max();
    let words = words_bytes_max(voters);
    if voters > CERTIFICATE_VOTERS_MAX {
        let message =
            format!("it can take the votes of {voters} organisations, a certificate holds {CERTIFICATE_VOTERS_MAX}");
        let remedy = "ask for fewer organisations, or for fewer operators and roles together";
        log.fault(at, "certificate-too-large", message, remedy);
    } else if words < WORDS_BYTES_FEW {
        let message = format!(
            "a certificate of {voters} votes leaves each person {words} bytes for name, role and reason together"
        );
        log.warn(at, "words-short", message, "let people give short reasons, or ask for fewer organisations");
    }
}

fn hangs_on(log: &Log, at: &Place, what: &str, names: &[String]) {
    if !names.is_empty() {
        let message = format!("without {what} {} the rule cannot be met", names.join(", or without "));
        log.warn(at, "single-point", message, format!("let no rule hang on one {what}"));
    }
}

/// Why no set of votes, one of each organisation with one label each, meets the rule. Terms are all `>=`, so it is
/// enough to look at the set of all.
fn unmeetable(electorate: &Electorate<'_>, roster: &Roster, rule: &Rule) -> Option<String> {
    let n = electorate.len();
    if n < usize::from(rule.organisations) {
        return Some(format!("{n} organisations vote, {} are needed", rule.organisations));
    }
    let labels = distinct_labels(electorate);
    if labels < usize::from(rule.operators) {
        return Some(format!("their votes can carry {labels} distinct operator labels, {} are needed", rule.operators));
    }
    rule.roles.iter().find_map(|(role, least)| {
        let holds = |id: &&&OrganisationId| roster.roles.get(**id).is_some_and(|roles| roles.contains(role));
        let holders = electorate.keys().filter(holds).count();
        (holders < usize::from(*least)).then(|| format!("{holders} of them have role {role}, {least} are needed"))
    })
}

/// The most distinct labels that one vote per organisation can carry: a maximum bipartite matching by augmenting paths.
fn distinct_labels(electorate: &Electorate<'_>) -> usize {
    let mut taken = BTreeMap::new();
    electorate.keys().filter(|id| augment(electorate, id, &mut taken, &mut BTreeSet::new())).count()
}

fn augment<'a>(
    electorate: &Electorate<'a>,
    id: &'a OrganisationId,
    taken: &mut BTreeMap<&'a OperatorId, &'a OrganisationId>,
    seen: &mut BTreeSet<&'a OperatorId>,
) -> bool {
    for label in electorate.get(id).into_iter().flatten().copied() {
        if !seen.insert(label) {
            continue;
        }
        let free = match taken.get(label).copied() {
            None => true,
            Some(holder) => augment(electorate, holder, taken, seen),
        };
        if free {
            taken.insert(label, id);
            return true;
        }
    }
    false
}

/// contain.organisations <= Safe threshold <= guardians - 1; the latter where all guardians are known.
fn thresholds(log: &Log, safes: &Safes, rules: Option<&PlacedRules>, whole: bool) {
    for (id, safe) in &safes.safes {
        let Some(at) = safes.thresholds.get(id) else { continue };
        let (threshold, guardians) = (usize::from(safe.threshold), safe.guardians.len());
        if whole && threshold >= guardians {
            let kind = if threshold == guardians { "n-of-n" } else { "above-members" };
            let message = format!("threshold {threshold} of {guardians} guardians leaves none to lose");
            log.fault(at, kind, message, format!("use at most {}", guardians.saturating_sub(1)));
        }
        if let Some(contain) = rules.map(|rules| rules.rules.contain.organisations).filter(|k| *k > safe.threshold) {
            let message = format!("threshold {threshold} is below rules.contain.organisations {contain}");
            log.fault(at, "below-contain", message, "raise the Safe's threshold or lower the rule");
        }
        if !safe.other_owners.is_empty() {
            let alone = if safe.other_owners.len() >= threshold { " and can act without any guardian" } else { "" };
            let message = format!("{} owners are no guardians{alone}", safe.other_owners.len());
            log.warn(at, "other-owners", message, "let guardians alone own the Safe");
        }
    }
}

/// Quorums above a Safe's threshold bind honest nodes, not the chain.
fn binding(log: &Log, safes: &Safes, rules: Option<&PlacedRules>, playbooks: &Playbooks) {
    let Some(lowest) = safes.safes.values().map(|safe| safe.threshold).min() else { return };
    let network = rules.map(PlacedRules::each).into_iter().flatten();
    let network = network.filter(|(name, ..)| matches!(*name, "extend" | "recover")).map(|(_, rule, at)| (rule, at));
    let own = playbooks.own_rules.iter().map(|own| (&own.rule, &own.at));
    for (rule, at) in network.chain(own).filter(|(rule, _)| rule.organisations > lowest) {
        let message = format!(
            "{} organisations are asked for, but {lowest} signatures execute on chain: the rule binds honest nodes only",
            rule.organisations
        );
        log.warn(at, "not-bound-by-chain", message, "know it, or recover through a Safe with a higher threshold");
    }
}

fn text(rule: &Rule) -> String {
    let roles = rule.roles.iter().map(|(role, least)| format!(", {role} {least}")).collect::<String>();
    format!("organisations {}, operators {}{roles}", rule.organisations, rule.operators)
}

#[cfg(test)]
#[path = "quorum_tests.rs"]
mod tests;
