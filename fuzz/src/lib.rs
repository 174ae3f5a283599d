//! What the targets share: files to change and how they are changed, and what must hold of whatever is read.

pub mod bases;
pub mod edits;
pub mod folder;
pub mod holds;
pub mod steps;
pub mod sums;

use cap::Cap;
use std::alloc::System;

/// The most bytes that are held at any time, whatever the input. An allocation past it aborts, with the place on the stack:
/// libFuzzer's own limit of an allocation needs a sanitizer.
const MOST_MEMORY: usize = 512 << 20;

#[global_allocator]
static MEMORY: Cap<System> = Cap::new(System, MOST_MEMORY);
