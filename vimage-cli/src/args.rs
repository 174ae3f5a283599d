//! The command line's words: qemu-img's where they mean the same.

mod packages;
mod sandbox;

pub(crate) use packages::{HostArg, InnerArg, PackArgs, PackageArgs, ProviderArg, UnpackArgs, VerifyArgs};
pub(crate) use sandbox::{SandboxArg, SandboxArgs};

use crate::progress::Asked;
use crate::size::Size;
use clap::{Args, Parser, Subcommand, ValueEnum};
use std::ffi::OsString;
use std::path::PathBuf;
use std::str::FromStr;
use vimage_core::formats::Settings;
use vimage_core::io::hash::Hash;
use vimage_core::{Algorithm, Error, Trim};

/// Reads a value, with the hint where there is one: it names the values that there are.
fn parse<T: FromStr<Err = Error>>(text: &str) -> Result<T, String> {
    text.parse().map_err(|error: Error| match error.hint() {
        Some(hint) => format!("{error}; {hint}"),
        None => error.to_string(),
    })
}

/// The command line with `--progress json` as one word: `--progress` alone stands before a file as well.
pub(crate) fn joined(words: impl Iterator<Item = OsString>) -> Vec<OsString> {
    let mut joined: Vec<OsString> = Vec::new();
    for word in words {
        match joined.last_mut() {
            Some(last) if word == "json" && (last == "--progress" || last == "-p") => last.push("=json"),
            _ => joined.push(word),
        }
    }
    joined
}

/// Convert, inspect, compare and split virtual-machine disk images.
///
/// Reads and writes raw, qcow2, VMDK and VDI images of every kind, on all cores, with no other tool installed. Existing files are
/// never replaced without --force, and an output appears under its name only when it is whole.
#[derive(Parser)]
#[command(name = "vimage", version, propagate_version = true, max_term_width = 100, after_help = EXIT_STATUS)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
    #[command(flatten)]
    pub(crate) sandbox: SandboxArgs,
}

const EXIT_STATUS: &str = "Exit status: 0 done, or the same; 1 the answer is no (different, faults found); 2 it could not be done; \
                           130 stopped by Ctrl-C.";

#[derive(Subcommand)]
pub(crate) enum Command {
    Convert(ConvertArgs),
    Compact(CompactArgs),
    Pack(PackArgs),
    Unpack(UnpackArgs),
    Verify(VerifyArgs),
    Info(InfoArgs),
    Map(MapArgs),
    Check(CheckArgs),
    Measure(MeasureArgs),
    Compare(CompareArgs),
    Digest(DigestArgs),
}

impl Command {
    /// Whether the answer is to be JSON.
    pub(crate) fn json(&self) -> bool {
        match self {
            // Where an image goes there is no room for it.
            Command::Convert(args) => args.json && args.target.as_deref() != Some("-".as_ref()),
            Command::Compact(args) => args.json,
            Command::Pack(args) => args.json,
            Command::Unpack(args) => args.json,
            Command::Verify(args) => args.json,
            Command::Info(args) => args.json,
            Command::Map(args) => args.json,
            Command::Check(args) => args.json,
            Command::Measure(args) => args.json,
            Command::Compare(args) => args.json,
            Command::Digest(args) => args.json,
        }
    }

    /// Whether an image may name any file.
    pub(crate) fn allows_external(&self) -> bool {
        match self {
            Command::Convert(args) => args.open.trust.allow_external,
            Command::Compact(args) => args.open.trust.allow_external,
            Command::Pack(args) => args.open.trust.allow_external,
            Command::Info(args) => args.open.allow_external,
            Command::Map(args) => args.open.trust.allow_external,
            Command::Check(args) => args.open.trust.allow_external,
            Command::Measure(args) => args.open.trust.allow_external,
            Command::Compare(args) => args.open.trust.allow_external,
            Command::Digest(args) => args.open.trust.allow_external,
            Command::Unpack(_) | Command::Verify(_) => false,
        }
    }
}

/// Write a disk in another format, split or compressed
///
/// Zeros are left out wherever the target can leave them out. The result depends on the source and the options alone: the
/// same bytes every time.
#[derive(Args)]
#[command(after_help = CONVERT_EXAMPLES)]
pub(crate) struct ConvertArgs {
    /// The image to read; - for standard input
    ///
    /// Through a pipe come raw disks, also compressed with zstd, gzip or xz, streamOptimized VMDKs and OVAs with one (--member for one
    /// of several). Other formats are read by position: --spool.
    pub(crate) source: PathBuf,
    /// The image to write; - for standard output [default: beside the source, with the format's extension]
    ///
    /// Of several outputs, the folder they go to, or their name without an ending. Through a pipe go raw, raw.zst, streamOptimized VMDKs
    /// and OVAs.
    pub(crate) target: Option<PathBuf>,
    /// The source's format [default: found by its first bytes]
    #[arg(short = 'f', long = "format", value_name = "FORMAT")]
    pub(crate) source_format: Option<String>,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
    #[command(flatten)]
    pub(crate) open: OpenArgs,
    /// When the output is on the disk: writeback or unsafe
    ///
    /// With writeback it is flushed to the disk before it gets its name. With unsafe, qemu-img's own default, the system
    /// writes it when it likes: plain copies take half the time, and a power failure soon after can leave half a file.
    #[arg(short = 't', long, value_name = "CACHE", default_value = "writeback", hide_possible_values = true)]
    pub(crate) target_cache: Cache,
    /// Write digests of the outputs beside them: sha256, sha1, sha512, blake3, content
    ///
    /// OUTPUT.sha256 and so on list the files of an output as sha256sum -c and b3sum -c read them. With content, the digest of what the
    /// guest sees is told too, as vimage digest prints it. Of raw disks, streamOptimized VMDKs and what goes through standard output
    /// (whose digests are printed on standard error) they are made on the way; other files say in front what is known at their end,
    /// so they are read once more before they get their names.
    #[arg(long, value_name = "DIGEST,…", value_delimiter = ',', value_parser = parse::<DigestArg>)]
    pub(crate) digest: Vec<DigestArg>,
    /// Read back every output, and compare it with what was read, before it gets its name
    #[arg(long)]
    pub(crate) verify: bool,
    /// The size of a raw disk that comes through standard input, where an output has to say it in advance
    ///
    /// With it, a stream that ends sooner or later is an error.
    #[arg(long, value_name = "SIZE")]
    pub(crate) size: Option<Size>,
    /// The disk that is meant of an OVA that comes through standard input and has several
    #[arg(long, value_name = "NAME")]
    pub(crate) member: Option<String>,
    /// Copy standard input into an unnamed file in this folder first, for what has to be read by position
    #[arg(long, value_name = "DIR")]
    pub(crate) spool: Option<PathBuf>,
    /// Bytes that the parts of the disk that are worked on may take at once: 128M by default
    #[arg(long, value_name = "SIZE")]
    pub(crate) memory: Option<Size>,
    /// Replace files that exist
    #[arg(long)]
    pub(crate) force: bool,
    #[command(flatten)]
    pub(crate) show: ShowArgs,
    /// Print what was made as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// A digest that is made while a disk is converted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DigestArg {
    /// Of an output's files.
    File(Hash),
    /// Of what the guest sees.
    Content,
}

impl FromStr for DigestArg {
    type Err = Error;

    fn from_str(name: &str) -> vimage_core::Result<Self> {
        if name == Algorithm::Content.name() {
            return Ok(DigestArg::Content);
        }
        let unknown = |_| {
            let names = Hash::NAMES.map(|(_, name)| name).join(", ");
            Error::usage(format!("there is no digest \"{name}\"")).with_hint(format!("there are: content, {names}"))
        };
        name.parse().map(DigestArg::File).map_err(unknown)
    }
}

/// How progress is shown.
#[derive(Args)]
pub(crate) struct ProgressArgs {
    /// Show progress even where standard error is no terminal; with json, for a program
    ///
    /// With json, standard error gets a line for each step, an object with the version of its form (1), the phase (survey, spool, measure, work,
    /// flush, digest, verify), done and known (bytes of the phase that are behind, and that there are, null while that is not known),
    /// rate (bytes a second since the line before) and seconds (since the beginning). Other lines there are for people.
    #[arg(short, long, value_name = "json", num_args = 0..=1, require_equals = true, default_missing_value = "plain", hide_possible_values = true)]
    pub(crate) progress: Option<Asked>,
}

/// What is shown of work that writes.
#[derive(Args)]
pub(crate) struct ShowArgs {
    #[command(flatten)]
    pub(crate) progress: ProgressArgs,
    /// Print nothing but errors
    #[arg(short, long, conflicts_with_all = ["progress", "json"])]
    pub(crate) quiet: bool,
}

/// What to open besides the file that is named.
#[derive(Args)]
pub(crate) struct TrustArgs {
    /// Open whatever files the image names (backing files, extents), not only plain files in its own folder
    ///
    /// For images that you trust: with this, an image can have any file that you may read taken for a part of its disk.
    #[arg(long)]
    pub(crate) allow_external: bool,
    /// Read what another program writes to, such as the image of a machine that runs, and keep nobody from writing to it
    ///
    /// Without it, QEMU's locks are heeded and held: such an image is refused, and QEMU does not start a machine from one that is being
    /// read. What is written meanwhile may be read half written.
    #[arg(short = 'U', long)]
    pub(crate) force_share: bool,
}

/// What of an image is opened, and up to which size.
#[derive(Args)]
pub(crate) struct OpenArgs {
    #[command(flatten)]
    pub(crate) trust: TrustArgs,
    #[command(flatten)]
    pub(crate) limit: LimitArgs,
}

/// How large a disk may be.
#[derive(Args)]
pub(crate) struct LimitArgs {
    /// Refuse a disk that is larger than this, and one that lies over such an image
    ///
    /// What counts is the size that the guest sees. For images from strangers: a small file can claim to be a disk of exabytes, and most
    /// of what is done with a disk takes time by its size. vimage info tells the size of any. There is no bound by default.
    #[arg(long, value_name = "SIZE")]
    max_size: Option<Size>,
}

impl LimitArgs {
    /// The largest size in bytes.
    pub(crate) fn max_size(&self) -> Option<u64> {
        self.max_size.map(|size| size.0)
    }
}

/// How an output is to be made; the same for making and for measuring it.
#[derive(Args)]
pub(crate) struct OutputArgs {
    /// The snapshot of the source to take, by its id or name (qcow2)
    #[arg(short = 'l', long, value_name = "SNAPSHOT")]
    pub(crate) snapshot: Option<String>,
    /// The target's format: raw, raw.zst, qcow2, vmdk or vdi; for convert also ova, or several [default: by the target's extension]
    ///
    /// Convert takes a list, and reads the disk once for all: vmdk,qcow2,ova. Settings of one stand behind it: qcow2:compression_type=zstd,
    /// cluster_size=1M,vmdk:subformat=streamOptimized; besides those of -o there are file=NAME, split=SIZE, level=LEVEL and compress=on.
    /// Each output is what it would be alone. They appear together when all are whole; if one fails, there are none.
    #[arg(short = 'O', long = "output-format", value_name = "FORMAT,…")]
    pub(crate) format: Option<String>,
    /// Settings of the target's format
    ///
    /// For vmdk: subformat (monolithicSparse, monolithicFlat, twoGbMaxExtentSparse, twoGbMaxExtentFlat, streamOptimized),
    /// adapter_type (lsilogic, ide, buslogic, legacyESX), hwversion (4), toolsversion (2147483647), cid (8 hexadecimal
    /// digits; derived from the content), ddb.KEY (a line of the disk data base, such as ddb.uuid.image).
    ///
    /// For qcow2: compat (1.1, 0.10), cluster_size (64k; 512 to 2M), compression_type (zlib, zstd), window (15; 12 for
    /// readers that know only QEMU's own streams), extended_l2 (off, on), refcount_bits (16), lazy_refcounts (off, on).
    ///
    /// For vdi: static (off, on), uuid and modification_uuid (derived from the content).
    ///
    /// For raw.zst: checksum (on, off) of each frame.
    #[arg(short = 'o', long = "option", value_name = "KEY=VALUE,…", value_parser = parse::<Settings>)]
    pub(crate) settings: Vec<Settings>,
    /// Compress: for vmdk, the streamOptimized kind; for qcow2, its clusters
    #[arg(short, long)]
    pub(crate) compress: bool,
    /// How hard to compress; means -c too: 0 (not at all) to 12 (slowest); for zstd and raw.zst 1 to 22
    ///
    /// By default 5 for vmdk, 4 for qcow2, 3 for zstd. What is compressed already and can be shared with the source stays as it is unless
    /// a level is asked for.
    #[arg(long, value_name = "LEVEL")]
    pub(crate) level: Option<u32>,
    /// Write only what differs from this image, which lies beneath the output (qcow2)
    ///
    /// The name is written as it is given and counts from the output's folder. A base in another folder is opened again only
    /// with --allow-external.
    #[arg(short = 'B', long = "backing", value_name = "FILE", requires = "backing_format")]
    pub(crate) backing: Option<String>,
    /// The format of the image beneath
    #[arg(short = 'F', long, value_name = "FORMAT", requires = "backing")]
    pub(crate) backing_format: Option<String>,
    /// Split into files that fit a size: 2G, 650M, 4294967295, …
    ///
    /// K, M, G and T (also KiB, MiB, …) are powers of 1024; KB, MB, … are powers of 1000. At least 1M. VMDK extents stay
    /// under the size: 2G gives VMware's own extents of 2047 MiB, disk-s001.vmdk and on. Raw pieces have the size:
    /// disk.raw.001 and on, which are read again as one disk by naming the first. A file on FAT32 is at most 4294967295
    /// bytes long.
    #[arg(long, value_name = "SIZE")]
    pub(crate) split: Option<Size>,
    /// Leave out what the guest holds as free, and what is in its swap space
    ///
    /// Reads the guest's own maps: partitions (MBR, GPT), LVM, ext2 to ext4, XFS, btrfs, NTFS, FAT, exFAT, swap. What is
    /// damaged, in the middle of a change, encrypted or not known is kept whole, and said so; with --trim=strict a file system
    /// that has to be kept whole is an error.
    #[arg(long, value_name = "strict", num_args = 0..=1, require_equals = true, default_missing_value = "yes", hide_possible_values = true)]
    pub(crate) trim: Option<TrimArg>,
}

/// How carefully what the guest does not use is left out.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum TrimArg {
    /// What cannot be told is kept.
    Yes,
    /// What cannot be told is an error.
    Strict,
}

impl TrimArg {
    /// In the library's words.
    pub(crate) fn trim(self) -> Trim {
        match self {
            TrimArg::Yes => Trim::Yes,
            TrimArg::Strict => Trim::Strict,
        }
    }
}

/// Make an image smaller, in its own format
///
/// Leaves out what is zero and what the guest holds as free, with no boot, no mount and no root. Sub-format, split, cluster size,
/// compression, adapter type and identifiers stay as they are. The result is written beside the image and then renamed, so
/// that a crash leaves the old image or the new one; one of several files may be away then, and comes back when it is compacted
/// again. Shut down the machine that runs from it first: QEMU's and VMware's locks are respected, other programs' changes noticed.
#[derive(Args)]
#[command(after_help = COMPACT_EXAMPLES)]
pub(crate) struct CompactArgs {
    /// The image
    pub(crate) image: PathBuf,
    /// Write the result here, and leave the image as it is
    #[arg(short, long, value_name = "FILE", conflicts_with = "punch")]
    pub(crate) output: Option<PathBuf>,
    /// Its format [default: found by its first bytes]
    #[arg(short = 'f', long = "format", value_name = "FORMAT")]
    pub(crate) format: Option<String>,
    /// With =strict, a file system that cannot be told for certain is an error; without, it is kept whole
    #[arg(long, value_name = "strict", num_args = 0..=1, require_equals = true, default_missing_value = "yes", hide_possible_values = true)]
    pub(crate) trim: Option<TrimArg>,
    /// Leave out only what is zero, whatever the guest holds as free
    #[arg(long, conflicts_with = "trim")]
    pub(crate) no_trim: bool,
    /// Only say what would come out
    #[arg(short = 'n', long)]
    pub(crate) dry_run: bool,
    /// Free the blocks in the file itself instead of writing it anew: raw images, no space needed
    #[arg(long, conflicts_with = "drop_snapshots")]
    pub(crate) punch: bool,
    /// Keep the present state alone where the image has snapshots (qcow2)
    #[arg(long)]
    pub(crate) drop_snapshots: bool,
    #[command(flatten)]
    pub(crate) open: OpenArgs,
    /// When the result is on the disk: writeback or, with -o, unsafe, as for convert
    #[arg(short = 't', long, value_name = "CACHE", default_value = "writeback", hide_possible_values = true)]
    pub(crate) target_cache: Cache,
    /// Replace the file that -o names
    #[arg(long, requires = "output")]
    pub(crate) force: bool,
    #[command(flatten)]
    pub(crate) show: ShowArgs,
    /// Print the report as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

const COMPACT_EXAMPLES: &str = "Examples:
  vimage compact disk.qcow2 --dry-run
      what each partition holds, and what would come out
  vimage compact disk.vmdk
      in place: written beside it, then renamed
  vimage compact disk.raw --punch
      in the file itself, which needs no space
  vimage compact disk.vdi -o small.vdi --trim=strict
      into another file; an error if a file system has to be kept whole";

/// What happens to written bytes before the output gets its name; qemu-img's words.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Cache {
    /// They are flushed to the disk.
    Writeback,
    /// They are left to the system.
    Unsafe,
}

const CONVERT_EXAMPLES: &str = "Examples:
  vimage convert disk.raw -O vmdk --split 2G
      disk.vmdk and its extents disk-s001.vmdk, disk-s002.vmdk, …, each under 2 GiB
  vimage convert disk.raw disk.vmdk -o subformat=streamOptimized
      one compressed file, as OVF packages carry it
  vimage convert disk.raw -O qcow2 -c -o compression_type=zstd
      disk.qcow2, compressed
  vimage convert disk.raw update.qcow2 -B base.qcow2 -F qcow2
      only what differs from base.qcow2
  vimage convert disk.qcow2 -O ova
      disk.ova: a machine with one processor and 1 GiB around the disk; vimage pack says more
  vimage convert disk.raw -O vmdk,qcow2,vdi,ova --digest sha256
      four outputs in one pass, each with its digest beside it
  vimage convert disk.raw out/ -O 'qcow2:compress=on,cluster_size=1M,vmdk:split=2G,raw:file=copy.raw'
      in the folder out, with settings for each
  zstd -dc disk.raw.zst | vimage convert -f raw - disk.qcow2
      out of a pipe, without a temporary file
  vimage convert disk.qcow2 -O raw - | ssh host 'cat > disk.raw'
      into one
  vimage convert disk.raw -O qcow2 --trim
      without what the guest holds as free
  vimage convert disk.vmdk -O raw
      disk.raw, sparse
  vimage convert disk.vmdk -O raw --split 4294967295
      disk.raw.001, disk.raw.002, … for a FAT32 stick";

/// Say what an image is
///
/// Opens no other file than the one named (and the pieces that follow a .001), so it is safe on images from strangers; with
/// --chain also what lies beneath it.
#[derive(Args)]
#[command(after_help = "Examples:\n  vimage info disk.vmdk --json\n  vimage info overlay.qcow2 --chain")]
pub(crate) struct InfoArgs {
    /// The image, or a package: an OVA, an .ovf, a Vagrant box
    pub(crate) image: PathBuf,
    /// Its format [default: found by its first bytes]
    #[arg(short = 'f', long = "format", value_name = "FORMAT")]
    pub(crate) format: Option<String>,
    /// Tell of every image of the chain, down to the lowest
    #[arg(long, visible_alias = "backing-chain")]
    pub(crate) chain: bool,
    #[command(flatten)]
    pub(crate) open: TrustArgs,
    /// Print it as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// Say where a disk holds data and where zeros
///
/// Without --json, a line for each run of data. With it, every run in the schema of qemu-img map --output=json: start,
/// length, depth (0 for the image itself, 1 for the one beneath it, …), present, zero, data, compressed, and offset in the
/// file where the run is stored byte for byte.
#[derive(Args)]
#[command(after_help = "Example:\n  vimage map disk.qcow2 --json | jq '[.[] | select(.data) | .length] | add'")]
pub(crate) struct MapArgs {
    /// The image
    pub(crate) image: PathBuf,
    /// Its format [default: found by its first bytes]
    #[arg(short = 'f', long = "format", value_name = "FORMAT")]
    pub(crate) format: Option<String>,
    /// The snapshot, by its id or name (qcow2)
    #[arg(short = 'l', long, value_name = "SNAPSHOT")]
    pub(crate) snapshot: Option<String>,
    #[command(flatten)]
    pub(crate) open: OpenArgs,
    /// Print it as JSON: qemu-img's own schema
    #[arg(long)]
    pub(crate) json: bool,
}

/// Look for faults in an image
///
/// Follows every table: what overlaps, lies past the end, is counted wrongly or used by nothing (a leak), and what makes
/// stricter readers refuse the image (a risk). Compressed grains of a VMDK are unpacked, compressed clusters of a qcow2 are
/// not: `vimage digest` reads all of a disk. Nothing is changed. Images beneath it are not checked. The exit status is 0
/// for a clean image and 1 for one with findings.
#[derive(Args)]
#[command(after_help = "Example:\n  vimage check disk.qcow2")]
pub(crate) struct CheckArgs {
    /// The image
    pub(crate) image: PathBuf,
    /// Its format [default: found by its first bytes]
    #[arg(short = 'f', long = "format", value_name = "FORMAT")]
    pub(crate) format: Option<String>,
    #[command(flatten)]
    pub(crate) open: OpenArgs,
    /// Print nothing but errors: the exit status is the answer
    #[arg(short, long, conflicts_with = "json")]
    pub(crate) quiet: bool,
    /// Print the findings as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// Say how large a disk would be in a format, without writing it
///
/// Takes the options of convert. The figure is exact: all is done but the writing, so what would be compressed is.
#[derive(Args)]
#[command(after_help = "Example:\n  vimage measure disk.raw -O qcow2 -c")]
pub(crate) struct MeasureArgs {
    /// The image to read
    pub(crate) source: PathBuf,
    /// The source's format [default: found by its first bytes]
    #[arg(short = 'f', long = "format", value_name = "FORMAT")]
    pub(crate) source_format: Option<String>,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
    #[command(flatten)]
    pub(crate) open: OpenArgs,
    #[command(flatten)]
    pub(crate) progress: ProgressArgs,
    /// Print it as JSON; "required" is qemu-img's name for the size
    #[arg(long)]
    pub(crate) json: bool,
}

/// Say whether two images hold the same disk
///
/// Compares what a guest would see, whatever the formats. A longer disk is the same if it has only zeros where the other
/// ends, unless --strict. The exit status is 0 for the same and 1 for different.
#[derive(Args)]
#[command(after_help = "Example:\n  vimage compare disk.raw disk.vmdk")]
pub(crate) struct CompareArgs {
    /// An image
    pub(crate) one: PathBuf,
    /// Another
    pub(crate) two: PathBuf,
    /// The first one's format [default: found by its first bytes]
    #[arg(short = 'f', long = "format", value_name = "FORMAT")]
    pub(crate) one_format: Option<String>,
    /// The other one's format [default: found by its first bytes]
    #[arg(short = 'F', long = "other-format", value_name = "FORMAT")]
    pub(crate) two_format: Option<String>,
    #[command(flatten)]
    pub(crate) open: OpenArgs,
    /// Disks of different sizes are different
    #[arg(short, long)]
    pub(crate) strict: bool,
    #[command(flatten)]
    pub(crate) progress: ProgressArgs,
    /// Print nothing but errors: the exit status is the answer
    #[arg(short, long, conflicts_with_all = ["progress", "json"])]
    pub(crate) quiet: bool,
    /// Print the answer as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// Print a digest of what a guest sees: the same for the same disk in any format
///
/// The algorithm "content" hashes only what is not zero, on all cores, and takes the same time for a disk of any size that
/// holds as much. "sha256" is what sha256sum prints of the raw disk, and goes over every zero of it.
#[derive(Args)]
#[command(after_help = "Examples:\n  vimage digest disk.vmdk\n  vimage digest --algorithm sha256 disk.vmdk")]
pub(crate) struct DigestArgs {
    /// The images
    #[arg(required = true)]
    pub(crate) images: Vec<PathBuf>,
    /// Their format [default: found by their first bytes]
    #[arg(short = 'f', long = "format", value_name = "FORMAT")]
    pub(crate) format: Option<String>,
    /// The snapshot, by its id or name (qcow2)
    #[arg(short = 'l', long, value_name = "SNAPSHOT")]
    pub(crate) snapshot: Option<String>,
    /// How: content or sha256
    #[arg(short, long, default_value = "content", value_parser = parse::<Algorithm>)]
    pub(crate) algorithm: Algorithm,
    #[command(flatten)]
    pub(crate) open: OpenArgs,
    #[command(flatten)]
    pub(crate) progress: ProgressArgs,
    /// Print them as JSON
    #[arg(long)]
    pub(crate) json: bool,
}
