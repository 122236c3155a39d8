//! The cells of a study: a bar over all of them, and a line for each that runs.

use std::fmt::Write;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};

use super::eta::{Seen, eta};
use super::{is_silent, tell_eta};
use crate::command::host::Clock;

/// How often what stands there is drawn again.
const LINE: Duration = Duration::from_secs(1);

/// A progress bar over the cells of a study, and a line for each that runs; silent where nobody watches.
pub(crate) struct CellMeter {
    lines: MultiProgress,
    all: ProgressBar,
    cells: Arc<Cells>,
}

/// The cells that were not there when the meter was made.
struct Cells(Mutex<Vec<Cell>>);

struct Cell {
    weight: f64,
    state: State,
}

enum State {
    Waits,
    Runs {
        since: Clock,
        share: Arc<Share>,
    },
    Ended {
        took: f64,
    },
    /// Another process has played it.
    Elsewhere,
}

/// How much of a cell is done: the bits of a number up to 1.
#[derive(Default)]
struct Share(AtomicU64);

/// The line of a cell that runs.
pub(crate) struct CellLine {
    line: ProgressBar,
    share: Arc<Share>,
}

impl CellMeter {
    /// So many cells are there already; the others have these weights.
    pub(crate) fn new(there: usize, weights: impl IntoIterator<Item = f64>, quiet: bool) -> Self {
        let waits = |weight| Cell { weight, state: State::Waits };
        let cells: Vec<_> = weights.into_iter().map(waits).collect();
        let lines = MultiProgress::new();
        if is_silent(quiet) {
            lines.set_draw_target(ProgressDrawTarget::hidden());
        }
        let all = lines.add(ProgressBar::new((there + cells.len()) as u64));
        let cells = Arc::new(Cells(Mutex::new(cells)));
        let seen = cells.clone();
        let tell = move |_: &ProgressState, to: &mut dyn Write| seen.tell(to);
        if let Ok(style) = ProgressStyle::with_template("{bar:30} {pos} of {len} cells{rest}") {
            all.set_style(style.with_key("rest", tell));
        }
        all.set_position(there as u64);
        all.enable_steady_tick(LINE);
        Self { lines, all, cells }
    }

    /// A cell begins, by its place among the weights: its line stands until it ends.
    pub(crate) fn begin(&self, at: usize, name: &str) -> CellLine {
        let share = Arc::new(Share::default());
        let runs = State::Runs { since: Clock::start(), share: share.clone() };
        self.cells.lock()[at].state = runs;
        let line = self.lines.add(ProgressBar::new_spinner().with_message(name.to_owned()));
        let seen = share.clone();
        let tell = move |_: &ProgressState, to: &mut dyn Write| seen.tell(to);
        if let Ok(style) = ProgressStyle::with_template("  {share}  {elapsed:>4}  {msg}") {
            line.set_style(style.with_key("share", tell));
        }
        line.enable_steady_tick(LINE);
        CellLine { line, share }
    }

    /// A cell is done.
    pub(crate) fn end(&self, at: usize, line: &CellLine) {
        self.cells.end(at);
        line.line.finish_and_clear();
        self.all.inc(1);
    }

    /// A cell was not played to its end.
    pub(crate) fn leave(&self, at: usize, line: &CellLine) {
        self.cells.lock()[at].state = State::Waits;
        line.line.finish_and_clear();
    }

    /// A cell has been played by another process in the meantime.
    pub(crate) fn pass(&self, at: usize) {
        self.cells.lock()[at].state = State::Elsewhere;
        self.all.inc(1);
    }

    pub(crate) fn finish(&self) {
        self.all.finish_and_clear();
    }
}

impl CellLine {
    /// So much of the cell is done, of 1.
    pub(crate) fn reach(&self, share: f64) {
        self.share.0.store(share.to_bits(), Ordering::Relaxed);
    }
}

impl Share {
    fn get(&self) -> f64 {
        f64::from_bits(self.0.load(Ordering::Relaxed))
    }

    fn tell(&self, to: &mut dyn Write) {
        // As with an ETA.
        let _ = write!(to, "{:>3.0} %", (self.get() * 100.0).floor());
    }
}

impl Cells {
    fn lock(&self) -> MutexGuard<'_, Vec<Cell>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn end(&self, at: usize) {
        let cell = &mut self.lock()[at];
        if let State::Runs { since, .. } = &cell.state {
            cell.state = State::Ended { took: since.wall_s() };
        }
    }

    fn seen(&self) -> Vec<Seen> {
        let seen = |cell: &Cell| {
            let (share, took) = match &cell.state {
                State::Waits => (0.0, 0.0),
                // It is at its end when it is kept.
                State::Runs { since, share } => (share.get().min(0.999), since.wall_s()),
                State::Ended { took } => (1.0, *took),
                State::Elsewhere => return None,
            };
            Some(Seen { weight: cell.weight, share, took })
        };
        self.lock().iter().filter_map(seen).collect()
    }

    fn tell(&self, to: &mut dyn Write) {
        if let Some(seconds) = eta(&self.seen()) {
            tell_eta(Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX), to);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_have_played_does_not_count() {
        let meter = CellMeter::new(5, [1.0, 20.0, 300.0, 4_000.0], true);
        assert_eq!((meter.all.position(), meter.all.length()), (5, Some(9)));
        meter.pass(3);
        let line = meter.begin(1, "a cell");
        line.reach(0.5);
        let told = |cells: &Cells| {
            let mut text = String::new();
            cells.tell(&mut text);
            text
        };
        assert_eq!(told(&meter.cells), "");
        let first = meter.begin(0, "another");
        meter.end(0, &first);
        let seen: Vec<_> =
            meter.cells.seen().iter().map(|cell| (cell.weight, cell.share)).collect();
        assert_eq!(seen, [(1.0, 1.0), (20.0, 0.5), (300.0, 0.0)]);
        assert!(told(&meter.cells).starts_with("  ETA "));
        assert_eq!(meter.all.position(), 7);
        // What was stopped is to be played again.
        let third = meter.begin(2, "a third");
        third.reach(0.9);
        meter.leave(2, &third);
        assert_eq!((meter.all.position(), meter.cells.seen()[2].share), (7, 0.0));
        let mut share = String::new();
        line.share.tell(&mut share);
        assert_eq!(share, " 50 %");
    }
}
