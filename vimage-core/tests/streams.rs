//! Disks out of streams are the disks that the same bytes are by position, however the bytes come, and a stream that was cut short is
//! an error.

#![allow(clippy::unwrap_used, reason = "a test may")]

#[path = "peers/left_out.rs"]
mod left_out;
#[path = "streams/reading.rs"]
mod reading;
mod support;
#[path = "streams/tools.rs"]
mod tools;

#[path = "streams/archives.rs"]
mod archives;
#[path = "streams/raw.rs"]
mod raw;
#[path = "streams/samples.rs"]
mod samples;
#[path = "streams/vmdk.rs"]
mod vmdk;
