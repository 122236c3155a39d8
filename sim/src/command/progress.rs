//! Progress on standard error, when it is a terminal: virtual time, commits a second, ETA.

use std::io::IsTerminal;

use arboretum_workloads::Millis;
use indicatif::{ProgressBar, ProgressStyle};

use crate::simulation::Progress;

/// A progress bar over the cells of a study; silent where nobody watches.
pub(crate) struct CellMeter(ProgressBar);

impl CellMeter {
    pub(crate) fn new(cells: usize, quiet: bool) -> Self {
        let bar = bar(cells as u64, quiet);
        if let Ok(style) = ProgressStyle::with_template("{bar:30} {pos} of {len} cells  ETA {eta}")
        {
            bar.set_style(style);
        }
        bar.tick();
        Self(bar)
    }

    pub(crate) fn step(&self) {
        self.0.inc(1);
    }

    pub(crate) fn finish(&self) {
        self.0.finish_and_clear();
    }
}

fn bar(length: u64, quiet: bool) -> ProgressBar {
    if quiet || !std::io::stderr().is_terminal() {
        ProgressBar::hidden()
    } else {
        ProgressBar::new(length)
    }
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
