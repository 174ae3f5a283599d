//! A bar on a terminal for what takes longer than a moment; lines for logs; lines of JSON for machines.

use crate::interrupt;
use crate::output::JSON_VERSION;
use clap::ValueEnum;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde::Serialize;
use std::io::{IsTerminal, Write, stderr};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use vimage_core::{Observer, Phase};

/// Work that is done sooner is done before a bar could be read.
const PATIENCE: Duration = Duration::from_millis(500);

/// Not on a terminal, progress is lines in a log: one a tenth of the way.
const LINES: u64 = 10;

/// Where the way's length is not known, a line each so many bytes.
const BYTES_A_LINE: u64 = 1 << 30;

/// The time between two lines of JSON.
const INTERVAL: Duration = Duration::from_millis(200);

/// How progress is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Asked {
    /// As a person reads it, also where standard error is no terminal.
    Plain,
    /// As lines of JSON on standard error.
    Json,
}

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
    Json,
}

struct State {
    phase: Phase,
    phase_begun: Instant,
    total: Option<u64>,
    done: u64,
    bar: Option<ProgressBar>,
    lines: u64,
    /// When the last line of JSON was written, and how far the work was.
    told: Option<(Instant, u64)>,
}

impl Progress {
    /// For work called `verb`, shown as `asked`; not asked for, on a terminal alone.
    pub(crate) fn new(verb: &'static str, asked: Option<Asked>, quiet: bool) -> Self {
        let show = match (quiet, asked, stderr().is_terminal()) {
            (true, ..) => Show::Nothing,
            (_, Some(Asked::Json), _) => Show::Json,
            (.., true) => Show::Bar,
            (_, Some(Asked::Plain), false) => Show::Lines,
            (_, None, false) => Show::Nothing,
        };
        let begun = Instant::now();
        let state =
            State { phase: Phase::Work, phase_begun: begun, total: None, done: 0, bar: None, lines: 0, told: None };
        Progress { begun, verb, show, state: Mutex::new(state) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is going on, for a person.
    fn word(&self, phase: Phase) -> &'static str {
        match phase {
            Phase::Survey => "Surveying",
            Phase::Spool => "Spooling",
            Phase::Measure => "Measuring",
            Phase::Flush => "Flushing",
            Phase::Digest => "Digesting",
            Phase::Verify => "Verifying",
            // The command's own word for its work.
            _ => self.verb,
        }
    }

    fn new_bar(&self, state: &State) -> ProgressBar {
        let template = match state.total {
            Some(_) => "{prefix} {wide_bar} {percent:>3} %  {bytes_per_sec}  {eta} left",
            None => "{prefix} {bytes}  {bytes_per_sec}",
        };
        let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
        let bar = ProgressBar::with_draw_target(state.total, ProgressDrawTarget::stderr_with_hz(8));
        let bar = bar.with_style(style.progress_chars("━╸ ")).with_prefix(self.word(state.phase));
        bar.with_elapsed(state.phase_begun.elapsed())
    }

    fn line(&self, state: &mut State) {
        let lines = match state.total {
            Some(total) => (u128::from(state.done) * u128::from(LINES) / u128::from(total.max(1))) as u64,
            None => state.done / BYTES_A_LINE,
        };
        if lines <= state.lines {
            return;
        }
        state.lines = lines;
        let word = self.word(state.phase);
        // Nobody may be listening.
        let _ = match state.total {
            Some(_) => writeln!(stderr(), "{word}: {} %", lines * 100 / LINES),
            None => writeln!(stderr(), "{word}: {} GiB", (lines * BYTES_A_LINE) >> 30),
        };
    }

    /// Writes a line of JSON, at the most five a second but for the `last` of a phase.
    fn json(&self, state: &mut State, last: bool) {
        /// What a line says.
        #[derive(Serialize)]
        struct Line {
            version: u32,
            phase: &'static str,
            done: u64,
            known: Option<u64>,
            rate: u64,
            seconds: f64,
        }
        let now = Instant::now();
        let (since, before) = state.told.unwrap_or((state.phase_begun, 0));
        let passed = now.duration_since(since);
        if state.told.is_some() && !last && passed < INTERVAL {
            return;
        }
        let rate = state.done.saturating_sub(before) as f64 / passed.as_secs_f64().max(1e-3);
        state.told = Some((now, state.done));
        let line = Line {
            version: JSON_VERSION,
            phase: state.phase.name(),
            done: state.done,
            known: state.total,
            rate: rate as u64,
            seconds: self.begun.elapsed().as_secs_f64(),
        };
        if let Ok(text) = serde_json::to_string(&line) {
            let _ = writeln!(stderr(), "{text}");
        }
    }

    /// Ends the phase, of which nothing more is told.
    fn end(&self, state: &mut State) {
        if let Some(bar) = state.bar.take() {
            bar.finish_and_clear();
        }
        if self.show == Show::Json && state.told.is_some_and(|(_, told)| told != state.done) {
            self.json(state, true);
        }
    }
}

impl Observer for Progress {
    fn begin(&self, phase: Phase, total: Option<u64>) {
        let mut state = self.state();
        self.end(&mut state);
        let bar = None;
        *state = State { phase, phase_begun: Instant::now(), total, done: 0, bar, lines: 0, told: None };
        if self.show == Show::Json {
            self.json(&mut state, false);
        }
    }

    fn reached(&self, position: u64) {
        match self.show {
            Show::Nothing => return,
            Show::Bar | Show::Lines if self.begun.elapsed() < PATIENCE => return,
            _ => {}
        }
        let mut state = self.state();
        state.done = position;
        match self.show {
            Show::Bar => {
                let bar = state.bar.take().unwrap_or_else(|| self.new_bar(&state));
                bar.set_position(position);
                state.bar = Some(bar);
            }
            Show::Lines => self.line(&mut state),
            Show::Json => self.json(&mut state, false),
            Show::Nothing => {}
        }
    }

    fn cancelled(&self) -> bool {
        interrupt::interrupted()
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        let mut state = self.state();
        self.end(&mut state);
    }
}
