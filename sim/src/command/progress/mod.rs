//! Progress on standard error, when it is a terminal: how much is done, and an ETA.
//!
//! | file | what it owns |
//! |---|---|
//! | this one | one run: virtual time, commits a second |
//! | `cells` | the cells of a study, each at its own place |
//! | `eta` | how long they will take |

mod cells;
mod eta;

use std::fmt::Write;
use std::io::IsTerminal;
use std::time::Duration;

use indicatif::{HumanDuration, ProgressBar, ProgressState, ProgressStyle};

pub(crate) use self::cells::CellMeter;
use super::host::Clock;
use crate::simulation::Progress;

fn is_silent(quiet: bool) -> bool {
    quiet || !std::io::stderr().is_terminal()
}

fn tell_eta(rest: Duration, to: &mut dyn Write) {
    // A line that cannot be written is one that nobody sees.
    let _ = write!(to, "  ETA {:#}", HumanDuration(rest));
}

/// A share as steps of a bar, which are whole numbers: enough of them that each moves an ETA by little.
const WHOLE: f64 = 1e6;

/// A progress bar over one run; silent where nobody watches.
pub(crate) struct Meter {
    bar: ProgressBar,
    started: Clock,
}

impl Meter {
    pub(crate) fn new(begins_with: &'static str, quiet: bool) -> Self {
        let bar =
            if is_silent(quiet) { ProgressBar::hidden() } else { ProgressBar::new(WHOLE as u64) };
        let tell = |state: &ProgressState, to: &mut dyn Write| {
            // Before the first step there is no speed.
            if state.pos() > 0 {
                tell_eta(state.eta(), to);
            }
        };
        if let Ok(style) = ProgressStyle::with_template("{bar:30} {percent:>3} %  {msg}{rest}") {
            bar.set_style(style.with_key("rest", tell));
        }
        bar.set_message(begins_with);
        bar.tick();
        Self { bar, started: Clock::start() }
    }

    /// So much is done, of 1.
    pub(crate) fn reach(&self, share: f64) {
        self.bar.set_position((share * WHOLE) as u64);
    }

    pub(crate) fn show(&self, progress: Progress) {
        let days = progress.now.as_secs_f64() / 86_400.0;
        let rate = progress.commits as f64 / self.started.wall_s().max(0.001);
        self.reach(progress.share);
        self.bar.set_message(format!(
            "day {days:.2}  {} members, {} online  {} commits, {rate:.0}/s",
            progress.members, progress.online, progress.commits
        ));
    }

    pub(crate) fn finish(&self) {
        self.bar.finish_and_clear();
    }
}
