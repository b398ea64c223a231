//! Runs in which nothing is wrong, each of which a checker once called wrong, or the protocol once failed.

use super::{ScenarioReport, run};

/// Everything of a scenario but what the case is about.
fn scenario(of_case: &str) -> String {
    let head = "name = \"sound\"\ntitle = \"One run\"\nruns = [\"simulate\"]\nseconds_max = 60\n";
    format!("{head}{of_case}\n[expect]\npaused = true\n")
}

fn holds(of_case: &str, seeds: std::ops::Range<u64>) {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), scenario(of_case)).unwrap();
    let report = &run(&[file.path().to_str().unwrap()], seeds, 1)[0];
    assert_eq!(report.failed, 0, "{}", report.summary());
}

const DRAIN: &str =
    "[attack]\nkind = \"reentrancy\"\nafter = \"ready\"\ntransactions = 6\nwei = \"1000000000000000000\"\ntimes = 11\n";
const FLAGGED: &str = "[vault]\nflagged_limit_wei = \"1000000000000000000\"\n";

fn withdrawals(times: u32) -> String {
    format!(
        "[attack]\nkind = \"withdrawal\"\nafter = \"ready\"\ntransactions = 6\nwei = \"1000000000000000000\"\ntimes = {times}\n"
    )
}

/// Crashes within a sync, on a disk that keeps what was written and of a node that is dead already, and an operator that is lost after the pause.
#[test]
fn seeds_of_the_weather() {
    let plays: [(&str, &[u64]); 2] = [("weather", &[55, 58, 93]), ("weather-after-recovery", &[27, 40, 55, 67, 83])];
    for (name, seeds) in plays {
        for seed in seeds {
            let reports = run(&[name], *seed..seed + 1, 1);
            let failed: Vec<String> =
                reports.iter().filter(|one| one.failed > 0).map(ScenarioReport::summary).collect();
            assert!(failed.is_empty(), "{}", failed.join("\n"));
        }
    }
}

/// A process that dies in the sync of what it just said finds it on the disk, and stands by it.
#[test]
fn what_was_written_and_not_shown_is_known() {
    for moment in ["finding", "vote", "certificate", "threshold-signed"] {
        let dies = format!(
            "[[fault]]\nat = \"{moment}\"\nkind = \"crash-in-sync\"\nmember = \"alder-1\"\ndisk = \"kept\"\n\
             [[fault]]\nat = \"{moment}\"\ndelay_ms = 3000\nkind = \"restart\"\nmember = \"alder-1\"\n"
        );
        holds(&format!("{DRAIN}{dies}"), 0..4);
    }
}

/// Who is dead syncs nothing: what it starts on later is sound.
#[test]
fn the_dead_die_in_no_sync() {
    let dies = "[[fault]]\nat = \"ready\"\nkind = \"kill\"\nmember = \"alder-1\"\n\
                [[fault]]\nat = \"attacked\"\nkind = \"crash-in-sync\"\nmember = \"alder-1\"\ndisk = \"torn\"\n\
                [[fault]]\nat = \"attacked\"\ndelay_ms = 2000\nkind = \"restart\"\nmember = \"alder-1\"\n";
    holds(&format!("{DRAIN}{dies}"), 0..2);
}

/// A member that loses its chain after the pause says so, and owes nothing that it cannot know of.
#[test]
fn an_operator_is_lost_for_good() {
    for (moment, delay) in [("contained", 3_000), ("threshold-signed", 50)] {
        let lost = format!(
            "[[fault]]\nat = \"{moment}\"\ndelay_ms = {delay}\nkind = \"silence\"\noperators = [\"op-birch\"]\n\
             [[fault]]\nat = \"ready\"\ndelay_ms = 45000\nkind = \"heal-all\"\n"
        );
        holds(&format!("{DRAIN}{lost}"), 0..2);
    }
}

/// Several blocks a second: a cancel cuts off what is older by number, not by the second.
#[test]
fn a_cancel_among_blocks_of_one_second() {
    let case = format!(
        "[governance]\ncontain = 3\nsafe_threshold = 4\nexpiry_s = 10\nwindow_s = 60\nrecovery = true\n{FLAGGED}\
         [links]\ndelay_ms = [20, 520]\n[chain]\nblock_time_ms = 500\nrpc_ms = [5, 200]\n\
         [attack]\nkind = \"forged-message\"\nafter = \"ready\"\ntransactions = 20\nwei = \"3000000000000000000\"\ntimes = 2\n\
         [[human]]\nat = \"contained\"\ndelay_s = 6\norganisations = [\"alder\", \"birch\", \"cedar\", \"dune\", \"ember\"]\n\
         act = \"recover\"\nreason = \"it is over\"\n\
         [[human]]\nat = \"certificate\"\norganisations = [\"alder\", \"birch\", \"cedar\"]\nact = \"veto\"\nreason = \"it is none\"\n"
    );
    holds(&case, 0..2);
}

/// What others said in the last milliseconds is on the disk some milliseconds later.
#[test]
fn a_replay_waits_for_the_last_sync() {
    let case = format!(
        "[governance]\ncontain = 3\nsafe_threshold = 3\nexpiry_s = 30\nwindow_s = 20\nrecovery = true\n{FLAGGED}\
         [links]\ndelay_ms = [60, 160]\nstraggle_permille = 100\nduplicate_permille = 50\n\
         [chain]\nblock_time_ms = 250\nrpc_ms = [5, 40]\n{}\
         [[adversary]]\nmember = \"cedar-1\"\nkind = \"equivocator\"\n\
         [[adversary]]\nmember = \"dune-1\"\nkind = \"certificate-forger\"\n",
        withdrawals(4)
    );
    holds(&case, 15..24);
}

/// A flag that the wide step has too is not the pause: what counts is when the pause was signed.
#[test]
fn a_part_of_the_pause_is_not_the_pause() {
    let case = format!(
        "[governance]\ncontain = 3\nsafe_threshold = 3\nexpiry_s = 60\nwindow_s = 60\npause_limits = true\n{FLAGGED}\
         [links]\ndelay_ms = [300, 300]\n[chain]\nblock_time_ms = 1000\nrpc_ms = [5, 40]\n{}",
        withdrawals(7)
    );
    holds(&case, 0..1);
}
