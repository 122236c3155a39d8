//! The threads of a command, what they do side by side, and the wish of whoever watches it that it stop.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use rayon::{ThreadPool, ThreadPoolBuilder};

use super::arguments::QuietOptions;
use super::failure::Failure;

/// As many threads as are asked for, or as there are processors.
pub(crate) fn pool(options: &QuietOptions) -> Result<ThreadPool, Failure> {
    let threads = options.threads.map_or(0, |threads| threads as usize);
    let pool = ThreadPoolBuilder::new().num_threads(threads).build();
    pool.map_err(|error| Failure::run(error.to_string()))
}

/// What becomes true when somebody presses Ctrl-C, the same one for all who ask.
pub(crate) fn stop_on_interrupt() -> Arc<AtomicBool> {
    static STOP: OnceLock<Arc<AtomicBool>> = OnceLock::new();
    let stop = STOP.get_or_init(|| {
        let stop = Arc::new(AtomicBool::new(false));
        let asked = stop.clone();
        // Without a handler Ctrl-C ends the process at once, which loses nothing that is finished.
        let _ = ctrlc::set_handler(move || asked.store(true, Ordering::Relaxed));
        stop
    });
    stop.clone()
}

/// Does every task on some thread, and gives what came of them in no order; none if somebody wants it to
/// stop. One that fails ends the others, and is what is told. Each thread takes the next task when it has done one:
/// one that waits for its own parallel work never begins another on its stack.
pub(crate) fn side_by_side<I: Sync, T: Send>(
    options: &QuietOptions,
    tasks: &[I],
    run: impl Fn(&I, &(dyn Fn() -> bool + Sync)) -> Result<Option<T>, Failure> + Sync,
) -> Result<Option<Vec<T>>, Failure> {
    let (asked, failed) = (stop_on_interrupt(), AtomicBool::new(false));
    let should_stop = || asked.load(Ordering::Relaxed) || failed.load(Ordering::Relaxed);
    let next = AtomicUsize::new(0);
    let done = pool(options)?.broadcast(|_| {
        let mut done = vec![];
        while let Some(task) = tasks.get(next.fetch_add(1, Ordering::Relaxed)) {
            let came = run(task, &should_stop);
            if came.is_err() {
                failed.store(true, Ordering::Relaxed);
            }
            done.push(came);
        }
        done
    });
    let came: Result<Vec<Option<T>>, Failure> = done.into_iter().flatten().collect();
    Ok(came?.into_iter().collect())
}
