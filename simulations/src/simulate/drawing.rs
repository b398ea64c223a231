//! A run as a picture: one HTML file without scripts and without anything from elsewhere. A lane for each node and one for the chain, time from left
//! to right; events are marks, messages lines between lanes, faults and people's acts lines across all lanes. Twice: the whole run, and the
//! decision under the glass.

use std::fmt::Write;

use super::agenda::{MILLI, Micros, SECOND};
use super::cast::Cast;
use super::report::Failure;
use super::sketch::{Sketch, Tone};

/// Left of the lanes, px.
const MARGIN: f64 = 150.0;
/// Between two lanes, px.
const LANE: f64 = 46.0;
/// Above the first lane, px.
const TOP: f64 = 40.0;

/// One stretch of time, drawn.
struct View {
    from: Micros,
    to: Micros,
    px_per_s: f64,
}

impl View {
    #[expect(clippy::cast_precision_loss, reason = "microseconds of a run fit a double")]
    fn x(&self, at: Micros) -> f64 {
        MARGIN + at.saturating_sub(self.from) as f64 / SECOND as f64 * self.px_per_s
    }

    fn shows(&self, at: Micros) -> bool {
        (self.from..=self.to).contains(&at)
    }
}

#[expect(clippy::cast_precision_loss, reason = "lanes are few")]
fn y(lane: usize) -> f64 {
    TOP + lane as f64 * LANE
}

pub(crate) fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

fn ms(at: Micros) -> String {
    format!("{}.{:03} s", at / SECOND, at % SECOND / MILLI)
}

/// The whole page.
pub(crate) fn page(cast: &Cast, seed: u64, sketch: &Sketch, end: Micros, failures: &[Failure]) -> String {
    let scenario = &cast.scenario;
    let mut page = format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>{name}, seed {seed}</title><style>{STYLE}</style></head><body>\n\
         <h1>{name}, seed {seed}</h1>\n<p>{title}. {count} nodes, {agree} of them contain. Point at a mark to read it.</p>\n<p class=\"legend\">",
        name = escaped(&scenario.name),
        title = escaped(&scenario.title),
        count = cast.players.len(),
        agree = scenario.governance.contain,
    );
    for tone in Tone::ALL {
        // Writing to a string cannot fail, here and below.
        let _ = write!(page, "<span><i class=\"{0}\"></i>{0}</span> ", tone.name());
    }
    page.push_str("<span><i class=\"block\"></i>block</span> <span><i class=\"paused\"></i>block, paused</span></p>\n");
    for failure in failures {
        let _ = writeln!(
            page,
            "<p class=\"failure\"><b>{}</b> at step {}: {}<br><code>{}</code></p>",
            escaped(&failure.property),
            failure.step,
            escaped(&failure.detail),
            escaped(&failure.replay)
        );
    }
    let close = close_up(sketch, end);
    let _ = writeln!(page, "<h2>The decision: {} to {}</h2>", ms(close.from), ms(close.to));
    svg(&mut page, cast, sketch, &close);
    page.push_str("<h2>The whole run</h2>\n");
    svg(&mut page, cast, sketch, &View { from: 0, to: end, px_per_s: 60.0 });
    page.push_str("<h2>In words</h2>\n<table><tr><th>time</th><th>what</th></tr>\n");
    let mut lines: Vec<(Micros, String)> = sketch.acts.clone();
    let said = sketch.blocks.iter().filter(|block| !block.text.is_empty());
    lines.extend(said.map(|block| (block.at, format!("block {}: {}", block.number, block.text.join("; ")))));
    for tone in Tone::ALL {
        let first = sketch.marks.iter().find(|mark| mark.tone == tone && tone != Tone::Life);
        lines.extend(first.map(|mark| {
            (mark.at, format!("first {}: {} at {}", tone.name(), mark.text, cast.players[mark.place].member))
        }));
    }
    lines.sort();
    for (at, line) in lines {
        let _ = writeln!(page, "<tr><td>{}</td><td>{}</td></tr>", ms(at), escaped(&line));
    }
    page.push_str("</table>\n</body></html>\n");
    page
}

/// From the first finding or vote to a little after the first execution, at most ten seconds.
fn close_up(sketch: &Sketch, end: Micros) -> View {
    let first = |tones: &[Tone]| sketch.marks.iter().find(|mark| tones.contains(&mark.tone)).map(|mark| mark.at);
    let from = first(&[Tone::Finding, Tone::Vote]).unwrap_or(0).saturating_sub(100 * MILLI);
    let to = first(&[Tone::Execution]).map_or(end, |at| at + 300 * MILLI).clamp(from + SECOND, from + 10 * SECOND);
    View { from, to, px_per_s: 700.0 }
}

fn svg(page: &mut String, cast: &Cast, sketch: &Sketch, view: &View) {
    let lanes = cast.players.len();
    let (width, height) = (view.x(view.to) + 40.0, y(lanes) + 50.0);
    let _ = writeln!(page, "<div class=\"scroll\"><svg width=\"{width:.0}\" height=\"{height:.0}\" role=\"img\">");
    for (lane, player) in cast.players.iter().enumerate() {
        let kind = player.adversary.map_or_else(String::new, |kind| format!(" ({kind:?})"));
        lane_line(page, lane, width, &format!("{}{kind}", player.member), player.adversary.is_some());
    }
    lane_line(page, lanes, width, "chain", false);
    let mut at = view.from.next_multiple_of(SECOND);
    while at <= view.to {
        let _ = writeln!(page, "<text class=\"tick\" x=\"{:.1}\" y=\"14\">{} s</text>", view.x(at), at / SECOND);
        at += SECOND;
    }
    for (at, text) in sketch.acts.iter().filter(|(at, _)| view.shows(*at)) {
        let x = view.x(*at);
        let _ = writeln!(
            page,
            "<g class=\"act\"><line x1=\"{x:.1}\" y1=\"20\" x2=\"{x:.1}\" y2=\"{:.1}\"/><title>{}: {}</title></g>",
            y(lanes),
            ms(*at),
            escaped(text)
        );
    }
    for arrow in sketch.arrows.iter().filter(|arrow| view.shows(arrow.from.1) && view.shows(arrow.to.1)) {
        let lost = if arrow.lost { " lost" } else { "" };
        let _ = writeln!(
            page,
            "<line class=\"message {}{lost}\" x1=\"{:.1}\" y1=\"{:.1}\" x2=\"{:.1}\" y2=\"{:.1}\"/>",
            arrow.tone.name(),
            view.x(arrow.from.1),
            y(arrow.from.0),
            view.x(arrow.to.1),
            y(arrow.to.0)
        );
    }
    for block in sketch.blocks.iter().filter(|block| view.shows(block.at)) {
        let class = if block.paused { "paused" } else { "block" };
        let _ = writeln!(
            page,
            "<rect class=\"{class}\" x=\"{:.1}\" y=\"{:.1}\" width=\"9\" height=\"18\"><title>{}: block {} {}</title></rect>",
            view.x(block.at),
            y(lanes) - 9.0,
            ms(block.at),
            block.number,
            escaped(&block.text.join("; "))
        );
    }
    for mark in sketch.marks.iter().filter(|mark| view.shows(mark.at)) {
        let _ = writeln!(
            page,
            "<circle class=\"{}\" cx=\"{:.1}\" cy=\"{:.1}\" r=\"5\"><title>{} {}: {}</title></circle>",
            mark.tone.name(),
            view.x(mark.at),
            y(mark.place),
            ms(mark.at),
            cast.players[mark.place].member,
            escaped(&mark.text)
        );
    }
    page.push_str("</svg></div>\n");
}

fn lane_line(page: &mut String, lane: usize, width: f64, name: &str, lies: bool) {
    let class = if lies { "lane liar" } else { "lane" };
    let _ = writeln!(
        page,
        "<text class=\"{class}\" x=\"4\" y=\"{:.1}\">{name}</text><line class=\"{class}\" x1=\"{MARGIN}\" y1=\"{1:.1}\" x2=\"{width:.0}\" y2=\"{1:.1}\"/>",
        y(lane) + 4.0,
        y(lane),
        name = escaped(name),
    );
}

const STYLE: &str = "body{font:14px/1.5 system-ui,sans-serif;margin:2em;color:#1b1b1b;background:#fff}h1{font-size:1.4em}h2{font-size:1.1em}\
.scroll{overflow-x:auto;border:1px solid #ccc}.legend i{display:inline-block;width:10px;height:10px;margin-right:4px;border-radius:5px}\
.legend span{margin-right:1em}text{font:12px system-ui,sans-serif;fill:#333}text.liar{fill:#a4133c}.tick{fill:#888}line.lane{stroke:#d0d0d0}\
.act line{stroke:#a4133c;stroke-dasharray:4 3;stroke-width:2}.message{stroke-width:1;opacity:.45}.lost{stroke-dasharray:2 4}\
circle{stroke:#fff}.finding{fill:#e09f3e;stroke:#e09f3e;background:#e09f3e}.vote{fill:#2a6f97;stroke:#2a6f97;background:#2a6f97}\
.veto{fill:#9d0208;stroke:#9d0208;background:#9d0208}.certificate{fill:#7209b7;stroke:#7209b7;background:#7209b7}\
.signature{fill:#2d6a4f;stroke:#2d6a4f;background:#2d6a4f}.submission{fill:#40916c;stroke:#40916c;background:#40916c}\
.execution{fill:#111;stroke:#111;background:#111}.fault{fill:#a4133c;stroke:#a4133c;background:#a4133c}.start{fill:#999;stroke:#999;background:#999}\
.block{fill:#bdbdbd;background:#bdbdbd}.paused{fill:#2d6a4f;background:#2d6a4f}.failure{border-left:4px solid #a4133c;padding-left:1em}\
td,th{text-align:left;padding:0 1em 0 0;vertical-align:top}@media(prefers-color-scheme:dark){body{background:#181818;color:#ddd}text{fill:#bbb}\
line.lane{stroke:#444}circle{stroke:#181818}.execution{fill:#eee;stroke:#eee;background:#eee}}";
