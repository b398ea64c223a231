//! A record as Markdown and as a page.

use std::fmt::Write;

use watchfire_types::U256;

use super::{DrillRecord, Exercise, LossCurve};

/// A table: head and rows.
struct Table {
    title: &'static str,
    head: Vec<&'static str>,
    rows: Vec<Vec<String>>,
}

fn ms(at: Option<u64>) -> String {
    at.map_or_else(|| "-".to_owned(), |ms| format!("{ms} ms"))
}

/// Base units as whole coins of 18 decimals.
fn coins(amount: U256) -> String {
    crate::drill::ether(&amount.to_string())
}

fn facts(record: &DrillRecord) -> Vec<Vec<String>> {
    let cells = |cells: &[&str]| cells.iter().map(|cell| (*cell).to_owned()).collect::<Vec<String>>();
    let exercise = match record.exercise {
        Exercise::Drill => "live drill",
        Exercise::Simulation => "simulation",
    };
    let verdict = if record.passed { "passed" } else { "failed" };
    let mut facts = vec![
        cells(&["Date", &record.date]),
        cells(&["Exercise", exercise]),
        cells(&["Scenario", &format!("{}: {}", record.scenario, record.title)]),
        cells(&["Charter", &record.charter]),
        cells(&["Verdict", verdict]),
    ];
    facts.extend(record.seed.map(|seed| cells(&["Seed", &seed.to_string()])));
    facts.extend(record.cause.iter().map(|cause| cells(&["Not paused because", cause])));
    facts
}

fn participants(record: &DrillRecord) -> Vec<Vec<String>> {
    let participants = record.participants.iter().map(|one| {
        let name =
            one.adversary.as_ref().map_or_else(|| one.member.to_string(), |kind| format!("{} ({kind})", one.member));
        vec![
            one.organisation.to_string(),
            name,
            ms(one.detect_ms),
            ms(one.vote_ms),
            ms(one.agree_ms),
            ms(one.sign_ms),
            ms(one.submit_ms),
        ]
    });
    participants.collect()
}

fn tables(record: &DrillRecord) -> Vec<Table> {
    let response = &record.response;
    let loss = &record.loss;
    let checks = record
        .checks
        .iter()
        .map(|one| vec![one.name.clone(), one.detail.clone(), if one.passed { "holds" } else { "FAILED" }.to_owned()]);
    vec![
        Table { title: "Record", head: vec!["Field", "Value"], rows: facts(record) },
        Table {
            title: "Participants and their response times",
            head: vec!["Organisation", "Node", "Detect", "Vote", "Agree", "Sign", "Submit"],
            rows: participants(record),
        },
        Table {
            title: "Response of the network",
            head: vec!["Detect", "Agree", "Sign", "Include", "Blocks"],
            rows: vec![vec![
                ms(response.detect_ms),
                ms(response.agree_ms),
                ms(response.sign_ms),
                ms(response.include_ms),
                response.blocks.map_or_else(|| "-".to_owned(), |blocks| blocks.to_string()),
            ]],
        },
        Table {
            title: "Loss",
            head: vec!["In the vault", "Lost", "Without a response", "With a pause one block after the attack"],
            rows: vec![[loss.before, loss.taken, loss.without_response, loss.oracle].map(coins).to_vec()],
        },
        Table {
            title: "Loss, block by block",
            head: vec!["Block", "Lost", "Without a response"],
            rows: loss.curve.iter().map(|at| vec![at.block.to_string(), coins(at.with), coins(at.without)]).collect(),
        },
        list("What of the charter was played and judged", &record.rehearsed),
        list("What was made to fail, and who acted", &record.injected),
        list("What the pause blocks, for users too", &record.blocks),
        Table { title: "Checks", head: vec!["Check", "Seen", "Verdict"], rows: checks.collect() },
        Table {
            title: "Gaps",
            head: vec!["Gap", "Whose"],
            rows: record
                .gaps
                .iter()
                .map(|gap| {
                    vec![
                        gap.what.clone(),
                        gap.organisation.as_ref().map_or_else(|| "all".to_owned(), ToString::to_string),
                    ]
                })
                .collect(),
        },
        Table {
            title: "Corrective actions",
            head: vec!["Action", "Owner", "Due"],
            rows: record.actions.iter().map(|one| vec![one.what.clone(), one.owner.clone(), one.due.clone()]).collect(),
        },
    ]
}

fn list(title: &'static str, lines: &[String]) -> Table {
    Table { title, head: vec!["What"], rows: lines.iter().map(|line| vec![line.clone()]).collect() }
}

/// As Markdown: a heading and a table each.
pub(super) fn markdown(record: &DrillRecord) -> String {
    let cell = |text: &str| text.replace('|', "\\|").replace(['\n', '\r'], " ");
    let mut text = format!("# Drill record: {}, {}\n", cell(&record.scenario), record.date);
    for table in tables(record) {
        // Writing to a string cannot fail, here and below.
        let _ = write!(text, "\n## {}\n\n", table.title);
        if table.rows.is_empty() {
            text.push_str("None.\n");
            continue;
        }
        let _ = writeln!(text, "| {} |\n|{}", table.head.join(" | "), " --- |".repeat(table.head.len()));
        for row in table.rows {
            let _ = writeln!(text, "| {} |", row.iter().map(|one| cell(one)).collect::<Vec<_>>().join(" | "));
        }
    }
    text
}

/// As one self-contained page with the loss drawn.
pub(super) fn html(record: &DrillRecord) -> String {
    let escaped = crate::simulate::escaped;
    let title = format!("Drill record: {}, {}", escaped(&record.scenario), record.date);
    let mut page = format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>{title}</title><style>{STYLE}</style></head><body>\n<h1>{title}</h1>\n"
    );
    for table in tables(record) {
        let _ = writeln!(page, "<h2>{}</h2>", table.title);
        if table.title == "Loss, block by block" {
            page.push_str(&curve(&record.loss));
        }
        if table.rows.is_empty() {
            page.push_str("<p>None.</p>\n");
            continue;
        }
        let row = |tag: &str, cells: Vec<String>| -> String {
            let cells: String = cells.iter().map(|cell| format!("<{tag}>{}</{tag}>", escaped(cell))).collect();
            format!("<tr>{cells}</tr>\n")
        };
        page.push_str("<table>");
        page.push_str(&row("th", table.head.iter().map(|cell| (*cell).to_owned()).collect()));
        for cells in table.rows {
            page.push_str(&row("td", cells));
        }
        page.push_str("</table>\n");
    }
    page.push_str("</body></html>\n");
    page
}

/// Two lines: what was lost, and what would have been.
fn curve(loss: &LossCurve) -> String {
    let (Some(first), Some(last)) = (loss.curve.first(), loss.curve.last()) else { return String::new() };
    let most = loss.curve.iter().map(|at| at.with.max(at.without)).max().unwrap_or_default().max(U256::from(1));
    let blocks = last.block.saturating_sub(first.block).max(1);
    let line = |of: &dyn Fn(&super::LossPoint) -> U256, class: &str| {
        let points = loss.curve.iter().map(|at| {
            let x = (at.block - first.block) * 560 / blocks + 20;
            let up = of(at).saturating_mul(U256::from(160)) / most;
            format!("{x},{}", 180 - up.saturating_to::<u64>())
        });
        format!("<polyline class=\"{class}\" points=\"{}\"/>", points.collect::<Vec<_>>().join(" "))
    };
    format!(
        "<svg width=\"600\" height=\"200\" role=\"img\"><title>loss with and without a response</title>{}{}</svg>\n",
        line(&|at| at.without, "without"),
        line(&|at| at.with, "with")
    )
}

const STYLE: &str = "body{font:14px/1.5 system-ui,sans-serif;margin:2em;color:#1b1b1b;background:#fff}table{border-collapse:collapse}\
td,th{text-align:left;padding:.2em 1em .2em 0;border-bottom:1px solid #ddd;vertical-align:top}polyline{fill:none;stroke-width:2}\
.with{stroke:#2d6a4f}.without{stroke:#a4133c;stroke-dasharray:5 4}@media(prefers-color-scheme:dark){body{background:#181818;color:#ddd}}";
