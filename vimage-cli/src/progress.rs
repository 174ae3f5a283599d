//! A bar on a terminal for what takes longer than a moment.

use crate::interrupt;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::{IsTerminal, Write, stderr};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};
use vimage_core::{Observer, Phase};

/// Work that is done sooner is done before a bar could be read.
const PATIENCE: Duration = Duration::from_millis(500);

/// Not on a terminal, progress is lines in a log: one a tenth of the way.
const LINES: u64 = 10;

/// How far the work is, and whether to stop it.
pub(crate) struct Progress {
    begun: Instant,
    verb: &'static str,
    show: Show,
    state: Mutex<State>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Show {
    Nothing,
    Bar,
    Lines,
}

#[derive(Default)]
struct State {
    total: u64,
    bar: Option<ProgressBar>,
    lines: u64,
}

impl Progress {
    /// For work called `verb`; with `forced` shown even where standard error is no terminal.
    pub(crate) fn new(verb: &'static str, forced: bool, quiet: bool) -> Self {
        let show = match (quiet, stderr().is_terminal(), forced) {
            (false, true, _) => Show::Bar,
            (false, false, true) => Show::Lines,
            _ => Show::Nothing,
        };
        Progress { begun: Instant::now(), verb, show, state: Mutex::default() }
    }

    fn new_bar(&self, total: u64) -> ProgressBar {
        let template = "{prefix} {wide_bar} {percent:>3} %  {bytes_per_sec}  {eta} left";
        let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
        let bar = ProgressBar::with_draw_target(Some(total), ProgressDrawTarget::stderr_with_hz(8));
        bar.with_style(style.progress_chars("━╸ ")).with_prefix(self.verb).with_elapsed(self.begun.elapsed())
    }
}

impl Observer for Progress {
    fn begin(&self, _: Phase, total: Option<u64>) {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).total = total.unwrap_or(0);
    }

    fn reached(&self, position: u64) {
        if self.show == Show::Nothing || self.begun.elapsed() < PATIENCE {
            return;
        }
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let total = state.total;
        if self.show == Show::Bar {
            state.bar.get_or_insert_with(|| self.new_bar(total)).set_position(position);
        } else {
            let lines = (u128::from(position) * u128::from(LINES) / u128::from(total.max(1))) as u64;
            if lines > state.lines {
                state.lines = lines;
                // Nobody may be listening.
                let _ = writeln!(stderr(), "{}: {} %", self.verb, lines * 100 / LINES);
            }
        }
    }

    fn cancelled(&self) -> bool {
        interrupt::interrupted()
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(bar) = &self.state.get_mut().unwrap_or_else(PoisonError::into_inner).bar {
            bar.finish_and_clear();
        }
    }
}
