//! Ctrl-C and its relatives: noted, so that the work stops in order and removes what is half made.

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGXFSZ};
use signal_hook::flag;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock};

static INTERRUPTED: LazyLock<Arc<AtomicBool>> = LazyLock::new(Arc::default);

/// Notes the signals from now on. Where that cannot be, they end the process as they always do.
pub(crate) fn install() {
    // Where no step of the work ends soon, as where an archive is inflated, a second Ctrl-C ends the process at once. It is registered
    // first, to find the note of the one before.
    let _ = flag::register_conditional_shutdown(SIGINT, 130, Arc::clone(&INTERRUPTED));
    for signal in [SIGINT, SIGTERM, SIGHUP] {
        let _ = flag::register(signal, Arc::clone(&INTERRUPTED));
    }
    // A file that may not grow further is an error of the write then, and not the end of the process.
    let _ = flag::register(SIGXFSZ, Arc::default());
}

/// Whether one came.
pub(crate) fn interrupted() -> bool {
    INTERRUPTED.load(Ordering::Relaxed)
}
