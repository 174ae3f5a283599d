//! Systems that have nothing by which a program could confine itself in this way.

use super::{Confined, Need};
use vimage_core::{Error, Result};

/// Confines nothing.
///
/// # Errors
/// `Unsupported`, always.
pub(super) fn confine(_: &[Need], _: bool, _: bool) -> Result<Confined> {
    Err(Error::unsupported("this system has no Landlock"))
}
