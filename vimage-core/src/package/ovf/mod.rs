//! OVF descriptors: written from an appliance, read from any package.
//!
//! DSP0243 1.1 (and for reading also 0.9 and 2.x), in the profile that VMware, VirtualBox, virt-v2v and Proxmox all take.

mod read;
mod rules;
mod sections;
mod system;
mod text;
mod tree;
mod units;
mod write;
mod xml;

pub use read::read;
pub use rules::rules;
pub use write::{Host, Packed, mac_address, write};
