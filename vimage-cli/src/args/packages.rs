//! The words of the commands that work on packages.

use super::{Cache, LimitArgs, OpenArgs, ShowArgs, TrimArg, parse};
use crate::size::Size;
use clap::{Args, ValueEnum};
use std::path::PathBuf;
use vimage_core::formats::Settings;
use vimage_core::package::manifest::Algorithm;

/// Pack disks as an appliance: OVA, OVF, VMware, libvirt, Vagrant or 7z
///
/// The machine is described in a file, appliance.toml; docs/appliance.md has all that it can say, and --init writes one for a given
/// disk. Disks may be of every format that vimage reads. They go into the package in one pass, without temporary copies; the same
/// description and disks give the same bytes, and files in archives bear the time of SOURCE_DATE_EPOCH, or none.
#[derive(Args)]
#[command(after_help = PACK_EXAMPLES)]
pub(crate) struct PackArgs {
    /// The appliance's description; with --init, its disk
    pub(crate) appliance: PathBuf,
    /// The package to write, a file or a folder; - for an OVA on standard output [default: named after the appliance, here]
    pub(crate) target: Option<PathBuf>,
    /// Write a description to start from, for the disk that is named: to the target, or appliance.toml
    #[arg(long)]
    pub(crate) init: bool,
    #[command(flatten)]
    pub(crate) package: PackageArgs,
    #[command(flatten)]
    pub(crate) open: OpenArgs,
    /// Leave out what the guests hold as free and what is in their swap space, as for convert
    #[arg(long, value_name = "strict", num_args = 0..=1, require_equals = true, default_missing_value = "yes", hide_possible_values = true)]
    pub(crate) trim: Option<TrimArg>,
    /// How hard to compress: 0 (not at all) to 12 (slowest), 5 by default
    #[arg(long, value_name = "LEVEL")]
    pub(crate) level: Option<u32>,
    /// Split into files that fit a size: the VMDKs of vmx (2G by default), a 7z archive's volumes
    #[arg(long, value_name = "SIZE")]
    pub(crate) split: Option<Size>,
    /// When the package is on the disk: writeback or unsafe, as for convert
    #[arg(short = 't', long, value_name = "CACHE", default_value = "writeback", hide_possible_values = true)]
    pub(crate) target_cache: Cache,
    /// Replace files that exist
    #[arg(long)]
    pub(crate) force: bool,
    #[command(flatten)]
    pub(crate) show: ShowArgs,
    /// Print what was made as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// What kind of package, and for whom.
#[derive(Args)]
pub(crate) struct PackageArgs {
    /// The package: ova, ovf, vmx, libvirt, vagrant or 7z [default: by the target's extension, or ova]
    #[arg(short = 'O', long = "output-format", value_name = "PACKAGE")]
    pub(crate) format: Option<String>,
    /// Who is to take an OVF: any, vmware or virtualbox
    ///
    /// VirtualBox alone takes NAT with forwarded ports, and VMware alone several controllers of a kind, NVMe and variants.
    #[arg(long = "for", value_name = "HOST", default_value = "any", hide_possible_values = true)]
    pub(crate) host: HostArg,
    /// Whom a Vagrant box is for: virtualbox, libvirt or vmware_desktop
    #[arg(long, value_name = "PROVIDER", default_value = "virtualbox", hide_possible_values = true)]
    pub(crate) provider: ProviderArg,
    /// What a 7z archive holds: vmx, ovf or libvirt
    #[arg(long = "of", value_name = "PACKAGE", default_value = "vmx", hide_possible_values = true)]
    pub(crate) inner: InnerArg,
    /// The digests of the manifest: sha256, sha1 (vSphere 5.5 and older) or sha512
    #[arg(long, value_name = "ALGORITHM", default_value = "sha256", value_parser = parse::<Algorithm>)]
    pub(crate) digest: Algorithm,
    /// Sign the manifest with this RSA key (PEM, not encrypted)
    #[arg(long, value_name = "KEY", requires = "cert", conflicts_with = "sign_with")]
    pub(crate) sign: Option<PathBuf>,
    /// Sign the manifest with this command: the manifest on its standard input, the bare RSA signature on its standard output
    #[arg(long, value_name = "COMMAND", requires = "cert")]
    pub(crate) sign_with: Option<String>,
    /// The signer's certificate, with those above it behind it (PEM)
    #[arg(long, value_name = "FILE")]
    pub(crate) cert: Option<PathBuf>,
}

/// Whom a package is for.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum HostArg {
    /// All that read OVF.
    Any,
    /// VMware's products.
    Vmware,
    /// VirtualBox.
    Virtualbox,
}

/// Whom a box is for.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "snake_case")]
pub(crate) enum ProviderArg {
    /// VirtualBox.
    Virtualbox,
    /// libvirt.
    Libvirt,
    /// VMware's desktop products.
    VmwareDesktop,
}

/// What an archive holds.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum InnerArg {
    /// A folder for VMware.
    Vmx,
    /// An OVF and its disks.
    Ovf,
    /// A folder for libvirt.
    Libvirt,
}

const PACK_EXAMPLES: &str = "Examples:
  vimage pack --init disk.qcow2
      appliance.toml, with everything explained
  vimage pack appliance.toml
      NAME.ova, for VMware, VirtualBox and all that read OVF
  vimage pack appliance.toml -O ova --for virtualbox
      with forwarded ports
  vimage pack appliance.toml -O vagrant --provider libvirt
      NAME.box
  vimage pack appliance.toml -O 7z --split 2G
      NAME.7z.001, …: a folder for VMware in an archive
  vimage pack appliance.toml --sign key.pem --cert cert.pem
      signed, as VMware checks it
  vimage pack appliance.toml - | ssh host 'cat > x.ova'
      through a pipe, read twice";

/// Say whether a package is whole, whose it is, and who will not take it
///
/// Takes an OVA, an OVF descriptor with its files beside it, a Vagrant box or another tar. Compares every file with the manifest;
/// verifies the manifest's signature, and says who signed, not whether to trust them; holds the descriptor against its own rules
/// and against the files; goes through the disks, and through the archive. Each finding says which importer does what about
/// it. The exit status is 0 for a package without findings and 1 for one with some.
#[derive(Args)]
#[command(after_help = "Example:\n  vimage verify appliance.ova")]
pub(crate) struct VerifyArgs {
    /// The package
    pub(crate) package: PathBuf,
    /// Do not go through the disks: compare only their digests, and what they are
    #[arg(long)]
    pub(crate) quick: bool,
    #[command(flatten)]
    pub(crate) limit: LimitArgs,
    /// Print nothing but errors: the exit status is the answer
    #[arg(short, long, conflicts_with = "json")]
    pub(crate) quiet: bool,
    /// Print the report as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// Take a package apart: an OVA, an OVF folder, a Vagrant box, a tar or a 7z archive
///
/// Every file that the package's manifest gives a digest of is compared with it, and no file appears before all of them are right.
/// Names that lead out of the folder, links and devices are refused. With -O, every disk is converted on the way, whatever it is
/// compressed with, and what describes the disks as they were (.ovf, .mf, .cert, metadata.json) is left out.
#[derive(Args)]
#[command(after_help = UNPACK_EXAMPLES)]
pub(crate) struct UnpackArgs {
    /// The package: an .ova, .ovf, .box, .tar or .7z, or the first volume .7z.001
    pub(crate) package: PathBuf,
    /// The folder for its files [default: beside the package, and called like it without the ending]
    pub(crate) folder: Option<PathBuf>,
    /// Write every disk in this format: raw, raw.zst, qcow2, vmdk or vdi [default: as it is]
    #[arg(short = 'O', long = "output-format", value_name = "FORMAT")]
    pub(crate) format: Option<String>,
    /// Settings of that format, as for convert
    #[arg(short = 'o', long = "option", value_name = "KEY=VALUE,…", value_parser = parse::<Settings>, requires = "format")]
    pub(crate) settings: Vec<Settings>,
    /// Compress the disks, as for convert
    #[arg(short, long, requires = "format")]
    pub(crate) compress: bool,
    #[command(flatten)]
    pub(crate) limit: LimitArgs,
    /// When the files are on the disk: writeback or unsafe, as for convert
    #[arg(short = 't', long, value_name = "CACHE", default_value = "writeback", hide_possible_values = true)]
    pub(crate) target_cache: Cache,
    /// Replace files that exist
    #[arg(long)]
    pub(crate) force: bool,
    #[command(flatten)]
    pub(crate) show: ShowArgs,
    /// Print what was made as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

const UNPACK_EXAMPLES: &str = "Examples:
  vimage unpack appliance.ova
      into the folder appliance: its files as they are, compared with the manifest
  vimage unpack appliance.ova machine -O qcow2
      into the folder machine, the disks as qcow2
  vimage unpack debian.box -O raw
      a Vagrant box's disk, raw and sparse
  vimage unpack appliance.7z.001
      from all volumes of an archive";
