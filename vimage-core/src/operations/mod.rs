//! What a caller asks for. Each reads as a paragraph.

mod compact;
mod compare;
mod convert;
mod digest;
mod measure;
mod punch;
mod trim;

pub use compact::{CompactOptions, Compacted, compact};
pub use compare::{Comparison, compare};
pub use convert::{ConvertOptions, Converted, convert};
pub use digest::{Algorithm, Digest, digest};
pub use measure::measure;
pub use punch::punch;
pub use trim::{Dropped, Trim};
