//! Images made of other images: each is again an [`Image`](crate::Image).

mod concat;
mod cut;
mod flat;
mod grown;
mod masked;
mod overlay;
mod zeros;

pub use concat::Concat;
pub use cut::Cut;
pub use flat::Flat;
pub use grown::Grown;
pub use masked::Masked;
pub use overlay::Overlay;
pub use zeros::Zeros;
