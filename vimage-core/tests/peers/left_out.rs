//! What a test does without a tool it needs: it says so by name, or fails where all tools are required.

use std::env;
use std::io::Write;

/// Set where every tool has to be there: what is missing then fails the tests.
const REQUIRE: &str = "VIMAGE_REQUIRE_PEERS";

/// Whether what is missing fails the tests.
pub(crate) fn required() -> bool {
    env::var_os(REQUIRE).is_some_and(|value| !value.is_empty() && value != "0")
}

/// Says that `test` leaves out what it needs something for, and `why`.
///
/// # Panics
/// Where everything is required.
pub(crate) fn left_out(test: &str, why: &str) {
    assert!(!required(), "{test}: {why}, and {REQUIRE} is set");
    say(test, &format!("left out: {why}"));
}

/// Says something about `test` that is to be seen when it passes.
pub(crate) fn say(test: &str, what: &str) {
    // Written past the harness, which shows captured output of failed tests only. A closed stderr is no fault.
    let _ = writeln!(std::io::stderr(), "{test}: {what}");
}
