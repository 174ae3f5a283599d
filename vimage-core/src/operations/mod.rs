//! What a caller asks for. Each reads as a paragraph.

mod compare;
mod convert;
mod digest;
mod measure;

pub use compare::{Comparison, compare};
pub use convert::{ConvertOptions, Converted, convert};
pub use digest::{Algorithm, Digest, digest};
pub use measure::measure;
