//! `vimage pack`

use super::convert::is_pipe;
use super::{Answer, open_options};
use crate::args::{Cache, HostArg, InnerArg, PackArgs, PackageArgs, ProviderArg, TrimArg};
use crate::guest;
use crate::output;
use crate::progress::Progress;
use crate::size::Size;
use serde::Serialize;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Instant;
use vimage_core::io::outputs::Published;
use vimage_core::io::{FileId, folder_of};
use vimage_core::operations::{Contents, External, PackedDisk, Signing, pack_into};
use vimage_core::package::appliance::{Appliance, DiskImage};
use vimage_core::package::description;
use vimage_core::package::manifest::Algorithm;
use vimage_core::package::ovf::Host;
use vimage_core::package::signature::Signer;
use vimage_core::package::vagrant::Provider;
use vimage_core::{Error, Image, PackOptions, Package, PackedAppliance, Result, Trim, open, pack};

/// Bytes of the longest description, EULA, README, key or certificate.
const LONGEST_TEXT: u64 = 16 << 20;

/// The description that is written where no name is given.
const DESCRIPTION: &str = "appliance.toml";

/// What is to be packed, where, and how: all of it but the disks.
pub(super) struct Described {
    appliance: Appliance,
    /// The file or folder, or `-` for standard output.
    target: PathBuf,
    options: PackOptions,
}

/// Reads the description and what goes with it: texts, key, certificate.
///
/// # Errors
/// `Usage`, and those of reading.
pub(super) fn described(args: &PackArgs) -> Result<Described> {
    let mut texts = Texts::default();
    let text = texts.read(&args.appliance)?;
    let text = String::from_utf8(text).map_err(|_| {
        Error::usage("is not text in UTF-8, so no description of an appliance")
            .at_path(&args.appliance)
            .with_hint("vimage pack --init writes one for a disk; vimage convert -O ova needs none")
    })?;
    let appliance = description::read(&text, &args.appliance, &mut |path| texts.read(path))?;
    let mut options = options(args, &mut texts)?;
    options.sources = texts.read;
    options.trim = args.trim.map_or(Trim::No, TrimArg::trim);
    options.level = args.level;
    options.split = args.split.map(|size| size.0);
    options.replace = args.force;
    options.flush = args.target_cache == Cache::Writeback;
    options.allow_external = args.open.trust.allow_external;
    options.force_share = args.open.trust.force_share;
    options.max_size = args.open.limit.max_size();
    let target = target(&appliance, args.target.as_deref(), ending(options.package))?;
    Ok(Described { appliance, target, options })
}

/// Where the package of `appliance` goes, whose name is to end so.
fn target(appliance: &Appliance, named: Option<&Path>, ending: &str) -> Result<PathBuf> {
    match named {
        Some(folder) if folder.is_dir() && !ending.is_empty() => Ok(folder.join(appliance.stem()? + ending)),
        Some(target) => Ok(target.to_owned()),
        None => Ok((appliance.stem()? + ending).into()),
    }
}

impl Described {
    /// The images of its disks.
    pub(super) fn images(&self) -> impl Iterator<Item = &DiskImage> {
        self.appliance.disks.iter().filter_map(|disk| disk.image.as_ref())
    }

    /// Where it is packed to; none for standard output.
    pub(super) fn target(&self) -> Option<&Path> {
        Some(self.target.as_path()).filter(|target| !is_pipe(target))
    }

    /// Whether that is a folder.
    pub(super) fn is_folder(&self) -> bool {
        ending(self.options.package).is_empty()
    }

    fn pack(&self, args: &PackArgs) -> Result<Answer> {
        let (begun, quiet) = (Instant::now(), args.show.quiet);
        let shown = Progress::new("Packing", args.show.progress.progress, quiet);
        let Some(target) = self.target() else {
            if args.json {
                return Err(Error::usage("standard output takes the OVA, so no JSON").with_hint("name a file"));
            }
            let made = pack_into(&self.appliance, crate::pipe::pipe()?, &self.options, &shown)?;
            drop(shown);
            if !quiet {
                made.notes.iter().for_each(|note| eprintln!("note: {note}"));
            }
            return Ok(Answer::Yes);
        };
        let made = pack(&self.appliance, target, &self.options, &shown)?;
        drop(shown);
        if args.json {
            output::json("pack", &Report::new(&made, begun))?;
        } else if !quiet {
            tell(target, &made, begun)?;
        }
        Ok(Answer::Yes)
    }
}

/// Packs what was `described`, or writes a description to start from.
pub(super) fn run(args: &PackArgs, described: Option<&Described>) -> Result<Answer> {
    described.map_or_else(|| init(args), |described| described.pack(args))
}

/// Where `--init` writes to.
pub(super) fn init_target(args: &PackArgs) -> &Path {
    args.target.as_deref().unwrap_or(Path::new(DESCRIPTION))
}

/// Writes a description to start from.
fn init(args: &PackArgs) -> Result<Answer> {
    let target = init_target(args);
    if is_pipe(target) {
        return Err(Error::usage("a description goes to a file").with_hint("vimage pack --init DISK FILE"));
    }
    let disk = open(&args.appliance, &open_options(None, &args.open))?;
    let name = args.appliance.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    // The description finds its disk from the folder that it lies in.
    let beside = folder_of(&args.appliance);
    let image = match (folder_of(target).canonicalize(), beside.canonicalize()) {
        (Ok(folder), Ok(beside)) if folder == beside => PathBuf::from(args.appliance.file_name().unwrap_or_default()),
        (_, Ok(beside)) => beside.join(args.appliance.file_name().unwrap_or_default()),
        _ => args.appliance.clone(),
    };
    let facts = description::Facts {
        image: image.to_string_lossy().into_owned(),
        name,
        virtual_size: disk.size(),
        efi: starts_by_efi(&disk)?,
    };
    let text = description::template(&facts);
    let outputs = vimage_core::io::Outputs::new(args.force, disk.files());
    let mut file = outputs.create(target)?;
    file.write_all_at(text.as_bytes(), 0)?;
    file.finish()?;
    outputs.publish()?;
    if !args.show.quiet {
        output::line(&format!("{}: edit it, then: vimage pack {}", target.display(), target.display()))?;
    }
    Ok(Answer::Yes)
}

/// How a package's name ends; that of a folder does not.
fn ending(package: Package) -> &'static str {
    match package {
        Package::Ova => ".ova",
        Package::Vagrant(_) => ".box",
        Package::SevenZip(_) => ".7z",
        Package::Ovf | Package::Vmx | Package::Libvirt => "",
    }
}

fn options(all: &PackArgs, texts: &mut Texts) -> Result<PackOptions> {
    let args = &all.package;
    let named = all.target.as_deref().filter(|target| !target.is_dir());
    let extension = named.and_then(|target| target.extension()).and_then(|extension| extension.to_str());
    if let (None, Some(name @ ("ovf" | "vmx"))) = (&args.format, extension) {
        return Err(Error::usage("this package is a folder, and its name that of a file in it")
            .with_hint(format!("name the folder: -O {name} FOLDER")));
    }
    let known =
        extension.filter(|extension| ["ova", "box", "7z"].iter().any(|name| extension.eq_ignore_ascii_case(name)));
    let name = args.format.as_deref().or(known).unwrap_or("ova");
    let package = match name.to_ascii_lowercase().as_str() {
        "ova" => Package::Ova,
        "ovf" => Package::Ovf,
        "vmx" => Package::Vmx,
        "libvirt" => Package::Libvirt,
        "vagrant" | "box" => Package::Vagrant(match args.provider {
            ProviderArg::Virtualbox => Provider::VirtualBox,
            ProviderArg::Libvirt => Provider::Libvirt,
            ProviderArg::VmwareDesktop => Provider::VmwareDesktop,
        }),
        "7z" => Package::SevenZip(match args.inner {
            InnerArg::Vmx => Contents::Vmx,
            InnerArg::Ovf => Contents::Ovf,
            InnerArg::Libvirt => Contents::Libvirt,
        }),
        _ => {
            return Err(Error::usage(format!("there is no package \"{name}\""))
                .with_hint("packages are: ova, ovf, vmx, libvirt, vagrant, 7z"));
        }
    };
    let mut options = PackOptions::new(package);
    options.host = match args.host {
        HostArg::Any => Host::Any,
        HostArg::Vmware => Host::Vmware,
        HostArg::Virtualbox => Host::VirtualBox,
    };
    options.digest = args.digest;
    let signs = matches!(package, Package::Ova | Package::Ovf | Package::SevenZip(Contents::Ovf));
    if args.cert.is_some() && !signs {
        return Err(Error::usage("this package has no manifest, so nothing to sign")
            .with_hint("-O ova, -O ovf and -O 7z --of ovf have"));
    }
    if args.cert.is_some() && args.digest == Algorithm::Sha1 {
        return Err(Error::usage("nothing is signed with SHA-1 any more").with_hint("--digest sha256"));
    }
    if all.split.is_some() && !matches!(package, Package::Vmx | Package::SevenZip(_)) {
        return Err(Error::usage("this package is not split").with_hint("-O 7z --split makes volumes, -O vmx extents"));
    }
    options.signing = signing(args, texts)?;
    options.time = source_date_epoch()?;
    Ok(options)
}

fn signing(args: &PackageArgs, texts: &mut Texts) -> Result<Option<Arc<Signing>>> {
    let Some(certificate) = &args.cert else { return Ok(None) };
    let in_certificate = |error: Error| error.at_path(certificate);
    let pem = texts.read(certificate)?;
    // Which of the two files is wrong has to be clear.
    let outside = Signer::external(&pem).map_err(in_certificate)?;
    match (&args.sign, &args.sign_with) {
        (Some(key), _) => {
            let signer = Signer::new(&texts.read(key)?, &pem).map_err(|error| error.at_path(key))?;
            Ok(Some(Arc::new(Signing { signer, external: None })))
        }
        (None, Some(command)) => Ok(Some(Arc::new(Signing { signer: outside, external: Some(external(command)) }))),
        (None, None) => {
            Err(Error::usage("a certificate alone signs nothing").with_hint("add --sign KEY or --sign-with COMMAND"))
        }
    }
}

/// Signs by a command of the user's.
fn external(command: &str) -> External {
    let command = command.to_owned();
    Box::new(move |manifest: &[u8], _: Algorithm| {
        let failed = |cause| Error::io(format!("cannot run the signing command {command:?}"), cause);
        let mut child = Command::new("sh")
            .args(["-c", &command])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(failed)?;
        if let Some(mut stdin) = child.stdin.take() {
            // One that does not want it all says what it made of it.
            let _ = stdin.write_all(manifest);
        }
        let made = child.wait_with_output().map_err(failed)?;
        match made.status.success() {
            true => Ok(made.stdout),
            false => Err(Error::usage(format!("the signing command {command:?} failed: {}", made.status))),
        }
    })
}

/// The time that archives bear: that of SOURCE_DATE_EPOCH, or the beginning of 1970.
pub(super) fn source_date_epoch() -> Result<u64> {
    match std::env::var("SOURCE_DATE_EPOCH") {
        Err(_) => Ok(0),
        Ok(text) if text.is_empty() => Ok(0),
        Ok(text) => text.trim().parse().map_err(|_| {
            Error::usage(format!("SOURCE_DATE_EPOCH is {text:?}"))
                .with_hint("it counts the seconds since 1970, as date +%s does")
        }),
    }
}

/// Whether the disk can be started by UEFI alone: it has a GPT, and no boot code in its first sector.
pub(super) fn starts_by_efi(disk: &dyn Image) -> Result<bool> {
    let mut head = [0; 520];
    if disk.size() < head.len() as u64 {
        return Ok(false);
    }
    disk.read_exact_at(&mut head, 0)?;
    Ok(head[512..].starts_with(b"EFI PART") && head[..440].iter().all(|&byte| byte == 0))
}

/// The files that a person names for their text: packing does not replace them.
#[derive(Default)]
struct Texts {
    read: Vec<FileId>,
}

impl Texts {
    /// All of a file.
    fn read(&mut self, path: &Path) -> Result<Vec<u8>> {
        let (text, id) = read(path)?;
        self.read.push(id);
        Ok(text)
    }
}

fn read(path: &Path) -> Result<(Vec<u8>, FileId)> {
    let cannot = |cause| Error::io("cannot read", cause).at_path(path);
    let file = std::fs::File::open(path).map_err(cannot)?;
    let id = FileId::of(&file.metadata().map_err(cannot)?);
    let mut text = Vec::new();
    file.take(LONGEST_TEXT + 1).read_to_end(&mut text).map_err(cannot)?;
    if text.len() as u64 > LONGEST_TEXT {
        return Err(Error::usage("is longer than 16 MiB, and no text").at_path(path));
    }
    Ok((text, id))
}

fn tell(target: &Path, made: &PackedAppliance, begun: Instant) -> Result<()> {
    for disk in &made.disks {
        if let Some(survey) = &disk.survey {
            output::styled(&guest::table(survey))?;
        }
    }
    let size: u64 = made.files.iter().map(|file| file.size).sum();
    let disks: Vec<_> = made.disks.iter().map(|disk| Size(disk.capacity).to_string()).collect();
    let files = if made.files.len() == 1 { String::new() } else { format!(", {} files", made.files.len()) };
    let word = if disks.len() == 1 { "disk" } else { "disks" };
    let seconds = begun.elapsed().as_secs_f64();
    for note in &made.notes {
        output::line(&format!("note: {note}"))?;
    }
    let target = target.display();
    output::line(&format!("{target}: {word} of {} in {}{files}, {seconds:.1} s", disks.join(" and "), Size(size)))
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Report<'a> {
    files: Vec<super::convert::File<'a>>,
    disks: Vec<PackedDiskReport<'a>>,
    /// What the package has no way to say of the appliance.
    notes: &'a [String],
    seconds: f64,
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct PackedDiskReport<'a> {
    /// The file in the package; none for a disk that comes empty.
    file: Option<&'a str>,
    virtual_size: u64,
    /// Bytes of the disk that the package holds.
    populated: u64,
    guest: Option<guest::Guest<'a>>,
}

impl<'a> PackedDiskReport<'a> {
    pub(super) fn new(disk: &'a PackedDisk) -> Self {
        PackedDiskReport {
            file: disk.file.as_deref(),
            virtual_size: disk.capacity,
            populated: disk.populated,
            guest: disk.survey.as_ref().map(guest::Guest::new),
        }
    }
}

impl<'a> Report<'a> {
    fn new(made: &'a PackedAppliance, begun: Instant) -> Self {
        Report {
            files: made.files.iter().map(|file: &Published| super::convert::File::new(file)).collect(),
            disks: made.disks.iter().map(PackedDiskReport::new).collect(),
            notes: &made.notes,
            seconds: begun.elapsed().as_secs_f64(),
        }
    }
}
