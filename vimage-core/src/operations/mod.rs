//! What a caller asks for. Each reads as a paragraph.

pub mod archive;
mod compact;
mod compare;
mod convert;
mod digest;
mod measure;
mod names;
mod pack;
mod package;
mod punch;
mod trim;
mod unpack;
pub mod verify;

pub use compact::{CompactOptions, Compacted, compact};
pub use compare::{Comparison, compare};
pub use convert::{ConvertOptions, Converted, Everywhere, Fanned, Made, Output, Place, What, convert, convert_all};
pub use digest::{Algorithm, Digest, digest};
pub use measure::measure;
pub use pack::{
    Contents, External, PackOptions, Package, PackedAppliance, PackedDisk, Signing, pack, pack_image_into, pack_into,
};
pub use package::{
    Beside, OpenPackage, PackageDescriptor, PackageDisk, PackageKind, PackageMember, describe_package, is_package,
    open_package,
};
pub use punch::punch;
pub use trim::{Dropped, Trim};
pub use unpack::{UnpackOptions, Unpacked, folder_for, unpack};
pub use verify::{VerifyOptions, verify};
