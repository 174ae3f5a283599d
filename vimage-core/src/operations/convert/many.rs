//! Writing a disk to several outputs at once: read once, its zeros found once, encoded for all.

use super::digests::{self, DigestFiles};
use super::read_back::ReadBack;
use super::{fill, open_base};
use crate::digest::ContentDigest;
use crate::error::{Error, ErrorKind, Result};
use crate::formats::{CreateOptions, by_name, known};
use crate::guest::Survey;
use crate::image::Image;
use crate::io::hash::Hash;
use crate::io::outputs::Published;
use crate::io::part::lock;
use crate::io::{InOrder, Outputs, SharedFlow};
use crate::layers::Masked;
use crate::observer::{Observer, Phase};
use crate::operations::pack::{PackOptions, PackedDisk, SingleOva, notes};
use crate::operations::trim::{Dropped, Trim, unused};
use crate::package::appliance::Appliance;
use crate::pipeline::{Disk, How, Taken};
use crate::target::Target;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

/// One of the outputs of a run.
#[derive(Clone)]
pub struct Output {
    /// What it is.
    pub what: What,
    /// Where it goes.
    pub place: Place,
}

/// What an output is.
#[derive(Clone)]
pub enum What {
    /// An image.
    Image {
        /// The format's name.
        format: String,
        /// How the format is to be written.
        create: CreateOptions,
    },
    /// An OVA of this appliance, which has one disk: the one that is read.
    Ova(Box<(Appliance, PackOptions)>),
}

/// Where an output goes.
#[derive(Clone)]
pub enum Place {
    /// To this path.
    Path(PathBuf),
    /// Away, from front to back, under this name in errors: what a pipe takes.
    Flow(SharedFlow, PathBuf),
}

impl Place {
    /// Its path, or what it is called in errors.
    pub fn name(&self) -> &Path {
        match self {
            Place::Path(path) | Place::Flow(_, path) => path,
        }
    }
}

/// What holds for all outputs of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Everywhere {
    /// Replace files that are in the way.
    pub replace: bool,
    /// Flush the files to the disk before they get their names.
    pub flush: bool,
    /// Open a backing file of an output that lies in another folder, and whatever it refers to in turn.
    pub allow_external: bool,
    /// The largest virtual size in bytes of a backing file of an output, and of what lies beneath that.
    pub max_size: Option<u64>,
    /// Leave out what the guest does not use.
    pub trim: Trim,
    /// Bytes that slabs in flight may take together, where it is not [`MEMORY`](crate::pipeline::MEMORY).
    pub memory: Option<u64>,
    /// Write these digests of each output's files beside it: to `OUTPUT.sha256` and so on.
    pub hashes: Vec<Hash>,
    /// Tell the digest of the content, as [`digest`](crate::digest()) would.
    pub content: bool,
    /// Read back each output that is written to files, and compare it with what was read.
    pub verify: bool,
}

impl Default for Everywhere {
    fn default() -> Self {
        Everywhere {
            replace: false,
            flush: true,
            allow_external: false,
            max_size: None,
            trim: Trim::No,
            memory: None,
            hashes: Vec::new(),
            content: false,
            verify: false,
        }
    }
}

/// A disk that was written to several outputs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fanned {
    /// The disk's size in bytes.
    pub size: u64,
    /// The digest of its content, where that was asked for or made on the way.
    pub content: Option<ContentDigest>,
    /// What the guest was found to keep on it, where that was looked at.
    pub survey: Option<Survey>,
    /// The outputs, in their order.
    pub outputs: Vec<Made>,
}

/// One of the outputs that were made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Made {
    /// Its files, in the order of the disk; one that describes the others is the last. None where it went through a pipe.
    pub files: Vec<Published>,
    /// The files of digests beside them.
    pub digest_files: Vec<Published>,
    /// What the source held and it does not.
    pub dropped: Dropped,
    /// The disks of an OVA.
    pub disks: Vec<PackedDisk>,
    /// What an OVA has no way to say.
    pub notes: Vec<String>,
    /// The digests that were asked for, of what went through a pipe.
    pub digests: Vec<(Hash, String)>,
}

/// Writes `disk` to all `outputs`. It is read once; each output gets the bytes that it would get alone. The files of all appear when all
/// of them are whole; if one output fails, there are none.
///
/// # Errors
/// As [`convert`](crate::convert); `Usage` for outputs that do not go together, and for a stream where an option needs to read by
/// position; `SizeUnknown` where an output needs to know the size in advance; `Corrupt` when an output reads back as something else.
pub fn convert_all(
    disk: Disk<'_>,
    outputs: &[Output],
    options: &Everywhere,
    observer: &dyn Observer,
) -> Result<Fanned> {
    let base = base_of(outputs, options)?;
    let mut sources = disk.files();
    sources.extend(base.iter().flat_map(Image::files));
    let run = Outputs::new(options.replace, sources).digesting(&options.hashes);
    let run = if options.flush { run } else { run.unflushed() };

    let survey = match &disk {
        Disk::Image(image) => unused(*image, options.trim, observer)?,
        Disk::Stream(_) if options.trim != Trim::No => {
            return Err(Error::usage(
                "what the guest does not use cannot be told of a stream before all of it was read",
            )
            .with_hint("--spool DIR copies the stream into a file there first"));
        }
        Disk::Stream(_) => None,
    };
    let base = base.as_ref().map(|base| base as &dyn Image);
    let masked = match (&disk, &survey) {
        (Disk::Image(image), Some(survey)) => Some(Masked::new(*image, &survey.unused).over(base)),
        _ => None,
    };
    let mut disk = masked.as_ref().map_or(disk, |masked| Disk::Image(masked));

    let mut begun = Vec::new();
    let mut targets = Vec::new();
    for (owner, output) in outputs.iter().enumerate() {
        let run = run.owned_by(owner);
        let new = |size| Begun::new(output, size, &run, options);
        let (one, target) = match (new(disk.size()), &mut disk) {
            // One that has to say the size in front.
            (Err(error), Disk::Stream(stream)) if error.kind() == ErrorKind::SizeUnknown => {
                match stream.find_size(observer)? {
                    Some(size) => new(Some(size))?,
                    None => return Err(error),
                }
            }
            (begun, _) => begun?,
        };
        begun.push(one);
        targets.push(target);
    }
    let how = How { digest: options.content || options.verify, memory: options.memory };
    let outcome = fill(disk, base, targets, how, observer)?;

    let mut made = Vec::new();
    let mut written = Vec::new();
    for (one, taken) in begun.into_iter().zip(&outcome.taken) {
        let (finished, member) = one.finish(*taken, survey.as_ref(), &options.hashes)?;
        made.push(finished);
        written.push(member);
    }
    digests::write(outputs, &run, &options.hashes, observer)?;
    if options.verify {
        let content = outcome.content.ok_or_else(|| Error::usage("no digest was made"))?;
        let back = ReadBack { size: outcome.size, content, options, run: &run };
        observer.begin(Phase::Verify, Some(outcome.size.saturating_mul(outputs.len() as u64)));
        for (owner, (output, member)) in outputs.iter().zip(&written).enumerate() {
            back.check(owner, output, member.as_deref(), observer)?;
        }
    }
    if observer.cancelled() {
        return Err(Error::cancelled());
    }
    for (owner, file) in run.publish_owned()? {
        let beside = DigestFiles::of(outputs[owner].place.name(), &options.hashes);
        let one = &mut made[owner];
        if beside.contains(&file.path) { &mut one.digest_files } else { &mut one.files }.push(file);
    }
    Ok(Fanned { size: outcome.size, content: outcome.content, survey, outputs: made })
}

/// The image beneath the output, where there is one.
fn base_of(outputs: &[Output], options: &Everywhere) -> Result<Option<crate::formats::OpenImage>> {
    let bases = outputs.iter().filter_map(|output| match &output.what {
        What::Image { create, .. } => create.backing.as_ref().map(|backing| (output.place.name(), backing)),
        What::Ova(_) => None,
    });
    let bases: Vec<_> = bases.collect();
    match bases.as_slice() {
        [] => Ok(None),
        [(path, backing)] if outputs.len() == 1 => {
            open_base(path, Some(backing), options.allow_external, options.max_size)
        }
        _ => Err(Error::usage(
            "an output over a backing file holds other bytes than the others, so it is made by itself",
        )),
    }
}

/// An output that waits for the disk.
struct Begun<'a> {
    ova: Option<SingleOva<'a>>,
    appliance: Option<&'a (Appliance, PackOptions)>,
    /// What goes through a pipe, and where its digests come about.
    flow: Option<(SharedFlow, Outputs)>,
}

impl<'a> Begun<'a> {
    fn new(output: &'a Output, size: Option<u64>, run: &Outputs, options: &Everywhere) -> Result<(Self, Target)> {
        let files = match &output.place {
            Place::Path(path) => {
                DigestFiles::of(path, &options.hashes).reserve(run)?;
                // What is replaced has other digests.
                let other = Hash::NAMES.map(|(hash, _)| hash).into_iter().filter(|hash| !options.hashes.contains(hash));
                let stale = DigestFiles::of(path, &other.collect::<Vec<_>>());
                if options.replace {
                    stale.supersede(run)?;
                }
                run.clone()
            }
            Place::Flow(..) if options.verify => {
                return Err(Error::usage("what goes through a pipe cannot be read back")
                    .with_hint("name a file, or leave out --verify"));
            }
            Place::Flow(flow, _) => {
                Outputs::into_flow(Arc::new(Mutex::new(InOrder::new(Arc::clone(flow))))).digesting(&options.hashes)
            }
        };
        Ok(match &output.what {
            What::Image { format, create } => {
                let target = by_name(format)?.create(output.place.name(), size, create, &files)?;
                let flow = match &output.place {
                    Place::Flow(flow, _) => Some((Arc::clone(flow), files)),
                    Place::Path(_) => None,
                };
                (Begun { ova: None, appliance: None, flow }, target)
            }
            What::Ova(_) if matches!(output.place, Place::Flow(..)) => {
                return Err(Error::usage("an OVA that goes through a pipe is made by itself: its sizes come first"));
            }
            What::Ova(of) => {
                let size = known(size, "an OVA")?;
                let (ova, target) = SingleOva::begin(&of.0, &of.1, size, files.create(output.place.name())?)?;
                (Begun { ova: Some(ova), appliance: Some(of), flow: None }, target)
            }
        })
    }

    /// What was made, and the name of the member that is the disk.
    fn finish(self, taken: Taken, survey: Option<&Survey>, hashes: &[Hash]) -> Result<(Made, Option<String>)> {
        let member = self.ova.as_ref().map(SingleOva::disk);
        let disks = self.ova.map(|ova| ova.finish(taken, survey.cloned())).transpose()?.unwrap_or_default();
        let notes = self.appliance.map(|(appliance, options)| notes(appliance, options)).unwrap_or_default();
        let dropped = Dropped::of(survey, taken.dropped);
        let piped = match self.flow {
            Some((flow, run)) => {
                lock(&flow).finish()?;
                run.digested().pop().map(|(_, digests)| digests).unwrap_or_default()
            }
            None => Vec::new(),
        };
        let digests = hashes.iter().copied().zip(piped).collect();
        Ok((Made { files: Vec::new(), digest_files: Vec::new(), dropped, disks, notes, digests }, member))
    }
}
