//! Progress on standard error, when it is a terminal: virtual time, commits a second, ETA.

use std::io::IsTerminal;
use std::time::Duration;

use arboretum_workloads::Millis;
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::simulation::Progress;

/// A progress bar over the cells of a study, and a line for each that runs; silent where nobody watches.
pub(crate) struct CellMeter {
    lines: MultiProgress,
    all: ProgressBar,
}

impl CellMeter {
    pub(crate) fn new(cells: usize, quiet: bool) -> Self {
        let lines = MultiProgress::new();
        if is_silent(quiet) {
            lines.set_draw_target(ProgressDrawTarget::hidden());
        }
        let all = lines.add(ProgressBar::new(cells as u64));
        if let Ok(style) = ProgressStyle::with_template("{bar:30} {pos} of {len} cells  ETA {eta}")
        {
            all.set_style(style);
        }
        all.tick();
        Self { lines, all }
    }

    /// A cell begins: its line stands until it is told to end.
    pub(crate) fn begin(&self, cell: &str) -> ProgressBar {
        let line = ProgressBar::new_spinner().with_message(cell.to_owned());
        if let Ok(style) = ProgressStyle::with_template("  {elapsed:>4}  {msg}") {
            line.set_style(style);
        }
        let line = self.lines.add(line);
        line.enable_steady_tick(LINE);
        line
    }

    /// A cell is done.
    pub(crate) fn end(&self, line: &ProgressBar) {
        line.finish_and_clear();
        self.all.inc(1);
    }

    pub(crate) fn finish(&self) {
        self.all.finish_and_clear();
    }
}

/// How often the line of a running cell is drawn again.
const LINE: Duration = Duration::from_secs(1);

fn is_silent(quiet: bool) -> bool {
    quiet || !std::io::stderr().is_terminal()
}

fn bar(length: u64, quiet: bool) -> ProgressBar {
    if is_silent(quiet) { ProgressBar::hidden() } else { ProgressBar::new(length) }
}

/// A progress bar over virtual time; silent where nobody watches.
pub(crate) struct Meter {
    bar: ProgressBar,
    started: super::host::Clock,
}

impl Meter {
    pub(crate) fn new(duration: Millis, quiet: bool) -> Self {
        let bar = bar(duration.0, quiet);
        let style = ProgressStyle::with_template("{bar:30} {percent:>3} %  {msg}  ETA {eta}");
        if let Ok(style) = style {
            bar.set_style(style);
        }
        bar.set_message("making the group");
        bar.tick();
        Self { bar, started: super::host::Clock::start() }
    }

    pub(crate) fn show(&self, progress: Progress) {
        let days = progress.now.as_secs_f64() / 86_400.0;
        let rate = progress.commits as f64 / self.started.wall_s().max(0.001);
        self.bar.set_position(progress.now.0);
        self.bar.set_message(format!(
            "day {days:.2}  {} members, {} online  {} commits, {rate:.0}/s",
            progress.members, progress.online, progress.commits
        ));
    }

    pub(crate) fn finish(&self) {
        self.bar.finish_and_clear();
    }
}
