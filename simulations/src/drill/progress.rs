//! What people see while a drill runs, on stderr: a bar for the set-up, then a live line and what happens.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use super::report::DrillReport;

/// Where a drill tells how it goes.
pub trait Progress: Send + Sync {
    /// Part `done` of `total` of the set-up begins.
    fn set_up(&self, done: u64, total: u64, what: &str);
    /// Something happened, in one line.
    fn said(&self, line: &str);
    /// The state right now, in one line: replaces the last one.
    fn live(&self, line: &str);
    /// The drill is over.
    fn finished(&self, report: &DrillReport);
}

/// Tells nobody.
#[derive(Debug, Clone, Copy, Default)]
pub struct Quiet;

impl Progress for Quiet {
    fn set_up(&self, _: u64, _: u64, _: &str) {}
    fn said(&self, _: &str) {}
    fn live(&self, _: &str) {}
    fn finished(&self, _: &DrillReport) {}
}

/// On a terminal a bar and a live line that is redrawn; into a file plain lines.
#[derive(Debug)]
pub struct Terminal {
    bar: ProgressBar,
}

impl Default for Terminal {
    fn default() -> Self {
        Self { bar: ProgressBar::new(1) }
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}

impl Progress for Terminal {
    fn set_up(&self, done: u64, total: u64, what: &str) {
        if self.bar.is_hidden() {
            eprintln!("set-up {done}/{total}: {what}");
        }
        self.bar.set_style(style("set-up [{bar:30}] {pos}/{len} {msg}"));
        self.bar.set_length(total);
        self.bar.set_position(done);
        self.bar.set_message(what.to_owned());
    }

    fn said(&self, line: &str) {
        if self.bar.is_hidden() {
            eprintln!("{line}");
        } else {
            self.bar.println(line);
        }
    }

    fn live(&self, line: &str) {
        self.bar.set_style(style("{spinner} {msg}"));
        self.bar.enable_steady_tick(Duration::from_millis(120));
        self.bar.set_message(line.to_owned());
    }

    fn finished(&self, _: &DrillReport) {
        self.bar.finish_and_clear();
    }
}
