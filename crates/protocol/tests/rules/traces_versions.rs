//! Traces of charter versions. A running machine adopts none but the one it was started with: what names another is kept, and inert.

use watchfire_types::body::Body;
use watchfire_types::*;

use crate::cluster::*;

/// A vote that names the next charter version, of this member.
fn vote_of_next_version(c: &mut Cluster, by: usize) -> Verified<Event> {
    let Body::Vote(mut vote) = c.forged_vote(2, c.chain.head().at) else { unreachable!() };
    vote.decision.version = CharterVersion::new(c.charter.version.get() + 1);
    vote.operator = c.charter.members.values().nth(by).expect("a member").operators.first().expect("a label").clone();
    c.nodes[by].author(Body::Vote(vote))
}

/// D0: two successors of one charter cannot both be certified past honest members, and whatever names one, in whichever order it comes,
/// splits nobody from the version that all of them hold.
#[test]
fn d0_no_two_successors_and_no_split() {
    // {O0, O1, L} and {O2, O3, L} would meet in the liar alone: such a charter does not load.
    let lax = CHARTER.replace("[rules.amend]\norganisations = 4", "[rules.amend]\norganisations = 3");
    let faults = watchfire_charter::parse(&lax).expect_err("refused");
    assert!(faults.iter().any(|fault| fault.kind == "amend-not-exclusive"), "{faults:?}");
    let mut c = Cluster::new(charter(str::to_owned), 98);
    let (all, amend) = (c.charter.organisations.len() as u32, u32::from(c.charter.rules.amend.organisations));
    let quorums: Vec<u32> = (0_u32..1 << all).filter(|set| set.count_ones() >= amend).collect();
    let liars = u32::from(c.charter.rules.contain.organisations) - 1;
    assert!(
        quorums.iter().all(|a| quorums.iter().all(|b| (a & b).count_ones() > liars)),
        "any two share an honest one"
    );

    c.mine(&[]);
    let votes: Vec<_> = (0..5).map(|by| vote_of_next_version(&mut c, by)).collect();
    for (index, order) in
        [[0, 1, 4, 2, 3], [1, 0, 4, 3, 2], [2, 3, 4, 0, 1], [3, 2, 4, 1, 0], [4, 3, 2, 1, 0]].into_iter().enumerate()
    {
        for by in order.into_iter().filter(|by| *by != index) {
            assert_eq!(c.nodes[index].receive(c.now, &votes[by]), Ok(Verdict::Ignore), "kept, not forwarded");
        }
    }
    c.settle();
    assert_eq!(c.digests().len(), 1);
    for index in 0..5 {
        assert_eq!(c.nodes[index].machine.charter().version, c.charter.version);
        assert!(c.owed_steps(index).is_empty());
        assert_eq!(c.count(index, |body| matches!(body, Body::Certificate(_))), 0);
    }
    c.find(&[0, 2, 3], "vault-outflow");
    c.mine(&[]);
    assert_eq!(c.execute(), 1, "contain meets under the one version");
    assert!(c.chain.head().paused);
    assert_eq!(c.digests().len(), 1);
}

/// D10: a finding of one block is certified and signed; then the members speak of the next version, and nothing stands any more that could
/// be voted on again. The certificate keeps authorising until it expires.
#[test]
fn d10_talk_of_the_next_version_voids_no_certificate() {
    let mut c = cluster();
    c.find(&[0, 1, 2], "vault-outflow");
    c.mine(&[]);
    c.clear();
    for by in 0..5 {
        let vote = vote_of_next_version(&mut c, by);
        c.send(by, vote);
    }
    c.mine(&[]);
    for index in 0..5 {
        assert_eq!(c.owed_steps(index), [2]);
    }
    assert_eq!(c.execute(), 1);
    assert!(c.chain.head().paused);
}
