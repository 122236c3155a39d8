//! The threads of a command, what they do side by side, and the wish of whoever watches it that it stop.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use rayon::{ThreadPool, ThreadPoolBuilder};

use super::arguments::QuietOptions;
use super::failure::Failure;

/// As many threads as are asked for, or as there are processors.
pub(crate) fn pool(options: &QuietOptions) -> Result<ThreadPool, Failure> {
    let threads = options.threads.map_or(0, |threads| threads as usize);
    let pool = ThreadPoolBuilder::new().num_threads(threads).build();
    pool.map_err(|error| Failure::run(error.to_string()))
}

/// What becomes true when somebody presses Ctrl-C.
pub(crate) fn stop_on_interrupt() -> Arc<AtomicBool> {
    let stop = Arc::new(AtomicBool::new(false));
    let asked = stop.clone();
    // Only one handler can be set in a process; what comes second in it keeps the first.
    let _ = ctrlc::set_handler(move || asked.store(true, Ordering::Relaxed));
    stop
}

/// Does every task on some thread, and gives what came of them in no order; none if somebody wants it to
/// stop. One that fails ends the others, and is what is told. Each thread takes the next task when it has done one:
/// one that waits for its own parallel work never begins another on its stack.
pub(crate) fn side_by_side<I: Sync, T: Send>(
    options: &QuietOptions,
    tasks: &[I],
    run: impl Fn(&I, &(dyn Fn() -> bool + Sync)) -> Result<Option<T>, Failure> + Sync,
) -> Result<Option<Vec<T>>, Failure> {
    let stop = stop_on_interrupt();
    let should_stop = || stop.load(Ordering::Relaxed);
    let next = AtomicUsize::new(0);
    let done = pool(options)?.broadcast(|_| {
        let mut done = vec![];
        while let Some(task) = tasks.get(next.fetch_add(1, Ordering::Relaxed)) {
            let came = run(task, &should_stop);
            if came.is_err() {
                stop.store(true, Ordering::Relaxed);
            }
            done.push(came);
        }
        done
    });
    let came: Result<Vec<Option<T>>, Failure> = done.into_iter().flatten().collect();
    Ok(came?.into_iter().collect())
}
