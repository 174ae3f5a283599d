//! Where the files of a package go: a folder, a tar that is a file, a tar that goes through a pipe, or nowhere.
//!
//! Texts come before the disks and say how long these are, so room for them is kept first: [`Container::reserve`], the disks, then
//! [`Container::fill`]. A disk is written between [`Container::begin`] and [`Container::end`], by whoever asked for it.

use crate::error::{Error, Result};
use crate::io::part::lock;
use crate::io::{InOrder, OutputFile, Outputs, Part, SharedFlow, SharedPart};
use crate::package::manifest::{Algorithm, Hasher};
use crate::package::tar;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// A file of a package, as it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Stored {
    pub(super) name: String,
    pub(super) size: u64,
    /// Its digest, where one was asked for.
    pub(super) digest: Option<String>,
}

/// Where an image is to be written: under this path, to these outputs.
pub(super) type Place = (PathBuf, Outputs);

/// What the files of a package are put into.
pub(super) trait Container {
    /// Keeps room for the text `name` of at most `len` bytes: texts come first, in this order.
    fn reserve(&mut self, name: &str, len: u64) -> Result<()>;

    /// Tells where the image `name` is to be written; with `digest`, only one that is written from front to back.
    fn begin(&mut self, name: &str, digest: Option<Algorithm>) -> Result<Place>;

    /// Takes note of the image `name`, which was begun last and is written.
    fn end(&mut self, name: &str) -> Result<Stored>;

    /// Writes a text for which room was kept.
    fn fill(&mut self, name: &str, text: &[u8]) -> Result<()>;

    /// Whether texts are still wanted when the images are written.
    fn wants_texts(&self) -> bool {
        true
    }

    /// Checks that the image `name` may be made, before any work is done for it.
    fn check(&self, name: &str) -> Result<()> {
        let _ = name;
        Ok(())
    }

    /// Ends it.
    fn finish(self: Box<Self>) -> Result<()>;
}

/// A folder.
pub(super) struct Folder {
    path: PathBuf,
    outputs: Outputs,
    /// The image being written, where its digest is made.
    image: Option<Arc<Mutex<Digested<Whole>>>>,
}

impl Folder {
    pub(super) fn new(path: &Path, outputs: &Outputs) -> Self {
        Folder { path: path.to_owned(), outputs: outputs.clone(), image: None }
    }
}

impl Container for Folder {
    fn reserve(&mut self, name: &str, _: u64) -> Result<()> {
        self.outputs.check(&self.path.join(name))
    }

    fn check(&self, name: &str) -> Result<()> {
        self.outputs.check(&self.path.join(name))
    }

    fn begin(&mut self, name: &str, digest: Option<Algorithm>) -> Result<Place> {
        let path = self.path.join(name);
        let Some(algorithm) = digest else { return Ok((path, self.outputs.clone())) };
        let whole = Whole(Some(self.outputs.create(&path)?));
        let part = self.image.insert(Arc::new(Mutex::new(Digested::new(whole, Some(algorithm)))));
        let outputs = Outputs::into_part(Arc::clone(part) as SharedPart);
        Ok((path, outputs))
    }

    fn end(&mut self, name: &str) -> Result<Stored> {
        let nothing = Stored { name: name.into(), size: 0, digest: None };
        Ok(self.image.take().map_or(nothing, |part| lock(&part).stored(name)))
    }

    fn fill(&mut self, name: &str, text: &[u8]) -> Result<()> {
        let mut file = self.outputs.create(&self.path.join(name))?;
        file.write_all_at(text, 0)?;
        file.finish()
    }

    fn finish(self: Box<Self>) -> Result<()> {
        Ok(())
    }
}

/// A tar that is written by position: headers last, as only then sizes are known.
pub(super) struct TarFile {
    file: Arc<Mutex<OutputFile>>,
    time: u64,
    /// Where the next member goes.
    at: u64,
    /// The texts: name, where the header goes, and the room behind it.
    rooms: Vec<(String, u64, u64)>,
    /// The image being written.
    image: Option<Arc<Mutex<Digested<Stretch>>>>,
}

impl TarFile {
    /// In `file`, with members last changed at `time`.
    pub(super) fn new(file: OutputFile, time: u64) -> Self {
        TarFile { file: Arc::new(Mutex::new(file)), time, at: 0, rooms: Vec::new(), image: None }
    }
}

impl Container for TarFile {
    fn reserve(&mut self, name: &str, len: u64) -> Result<()> {
        self.rooms.push((name.into(), self.at, tar::room(len)));
        self.at += tar::BLOCK + tar::room(len);
        Ok(())
    }

    fn begin(&mut self, name: &str, digest: Option<Algorithm>) -> Result<Place> {
        let stretch = Stretch { file: Arc::clone(&self.file), base: self.at + tar::BLOCK };
        let part = self.image.insert(Arc::new(Mutex::new(Digested::new(stretch, digest))));
        let outputs = Outputs::into_part(Arc::clone(part) as SharedPart);
        Ok((name.into(), outputs))
    }

    fn end(&mut self, name: &str) -> Result<Stored> {
        let part = self.image.take().ok_or_else(|| Error::usage(format!("{name} was not begun")))?;
        let stored = lock(&part).stored(name);
        lock(&self.file).write_all_at(&tar::header(name, stored.size, self.time)?, self.at)?;
        self.at += tar::BLOCK + tar::room(stored.size);
        Ok(stored)
    }

    fn fill(&mut self, name: &str, text: &[u8]) -> Result<()> {
        let Some((_, at, room)) = self.rooms.iter().find(|(kept, ..)| kept == name) else {
            return Err(Error::usage(format!("no room was kept for {name}")));
        };
        if tar::room(text.len() as u64) != *room {
            return Err(Error::usage(format!("{name} has {} bytes, and room was kept for {room}", text.len())));
        }
        let mut file = lock(&self.file);
        file.write_all_at(&tar::header(name, text.len() as u64, self.time)?, *at)?;
        file.write_all_at(text, at + tar::BLOCK)
    }

    fn finish(self: Box<Self>) -> Result<()> {
        let file =
            Arc::into_inner(self.file).ok_or_else(|| Error::usage("a member of the tar is still being written"))?;
        let mut file = file.into_inner().unwrap_or_else(PoisonError::into_inner);
        file.set_len(self.at + tar::end(self.at) as u64)?;
        file.finish()
    }
}

/// A tar that goes through a pipe: what it holds was all written once before, into [`Nowhere`], so that sizes and texts are known.
pub(super) struct TarPipe {
    flow: SharedFlow,
    time: u64,
    at: u64,
    /// The texts.
    texts: Vec<(String, Vec<u8>)>,
    /// The images, the next one last.
    images: Vec<Stored>,
    /// The image being written.
    image: Option<Arc<Mutex<Digested<InOrder<SharedFlow>>>>>,
}

impl TarPipe {
    /// Into `flow`: `texts` and `images`, in their order.
    pub(super) fn new(flow: SharedFlow, time: u64, texts: Vec<(String, Vec<u8>)>, mut images: Vec<Stored>) -> Self {
        images.reverse();
        TarPipe { flow, time, at: 0, texts, images, image: None }
    }

    fn push(&mut self, bytes: &[u8]) -> Result<()> {
        lock(&self.flow).push(bytes)?;
        self.at += bytes.len() as u64;
        Ok(())
    }

    /// Zeros up to the next block.
    fn pad(&mut self) -> Result<()> {
        let missing = tar::room(self.at) - self.at;
        self.push(&[0; tar::BLOCK as usize][..missing as usize])
    }
}

impl Container for TarPipe {
    fn reserve(&mut self, name: &str, _: u64) -> Result<()> {
        let text = self.texts.iter().find(|(known, _)| known == name).map(|(_, text)| text.clone()).unwrap_or_default();
        let header = tar::header(name, text.len() as u64, self.time)?;
        self.push(&header)?;
        self.push(&text)?;
        self.pad()
    }

    fn begin(&mut self, name: &str, digest: Option<Algorithm>) -> Result<Place> {
        let known = self.images.last().filter(|known| known.name == name);
        let known = known.ok_or_else(|| Error::usage(format!("the size of {name} is not known")))?;
        let header = tar::header(name, known.size, self.time)?;
        self.push(&header)?;
        let flow = InOrder::new(Arc::clone(&self.flow));
        let part = self.image.insert(Arc::new(Mutex::new(Digested::new(flow, digest))));
        let outputs = Outputs::into_part(Arc::clone(part) as SharedPart);
        Ok((name.into(), outputs))
    }

    fn end(&mut self, name: &str) -> Result<Stored> {
        let (known, part) = (self.images.pop(), self.image.take());
        let stored = part.map(|part| lock(&part).stored(name));
        let stored = stored.filter(|stored| known.as_ref() == Some(stored));
        let stored = stored.ok_or_else(|| Error::corrupt("changed while it was read").at_path(name))?;
        self.at += stored.size;
        self.pad()?;
        Ok(stored)
    }

    fn fill(&mut self, _: &str, _: &[u8]) -> Result<()> {
        Ok(())
    }

    fn wants_texts(&self) -> bool {
        false
    }

    fn finish(mut self: Box<Self>) -> Result<()> {
        let zeros = vec![0; tar::end(self.at)];
        self.push(&zeros)?;
        lock(&self.flow).finish()
    }
}

/// Nowhere: what would be written is counted and its digests are made.
#[derive(Default)]
pub(super) struct Nowhere {
    /// The texts.
    pub(super) texts: Vec<(String, Vec<u8>)>,
    /// The images.
    pub(super) images: Vec<Stored>,
    /// The image being written.
    image: Option<Arc<Mutex<Digested<Counted>>>>,
}

impl Container for Nowhere {
    fn reserve(&mut self, _: &str, _: u64) -> Result<()> {
        Ok(())
    }

    fn begin(&mut self, name: &str, digest: Option<Algorithm>) -> Result<Place> {
        let part = self.image.insert(Arc::new(Mutex::new(Digested::new(Counted, digest))));
        let outputs = Outputs::into_part(Arc::clone(part) as SharedPart);
        Ok((name.into(), outputs))
    }

    fn end(&mut self, name: &str) -> Result<Stored> {
        let part = self.image.take().ok_or_else(|| Error::usage(format!("{name} was not begun")))?;
        let stored = lock(&part).stored(name);
        self.images.push(stored.clone());
        Ok(stored)
    }

    fn fill(&mut self, name: &str, text: &[u8]) -> Result<()> {
        self.texts.push((name.into(), text.to_owned()));
        Ok(())
    }

    fn finish(self: Box<Self>) -> Result<()> {
        Ok(())
    }
}

/// What is written, with its length, and its digest made on the way where one is asked for: then from front to back only.
struct Digested<P> {
    to: P,
    len: u64,
    hasher: Option<Hasher>,
}

impl<P: Part> Digested<P> {
    fn new(to: P, algorithm: Option<Algorithm>) -> Self {
        Digested { to, len: 0, hasher: algorithm.map(Hasher::new) }
    }

    /// What was written.
    fn stored(&mut self, name: &str) -> Stored {
        Stored { name: name.into(), size: self.len, digest: self.hasher.take().map(Hasher::finish) }
    }

    fn in_order(&self, at: u64) -> Result<()> {
        if self.hasher.is_none() || at == self.len {
            return Ok(());
        }
        Err(Error::unsupported("is not written from front to back, so no digest can be made on the way"))
    }
}

impl<P: Part> Part for Digested<P> {
    fn write_all_at(&mut self, bytes: &[u8], offset: u64) -> Result<()> {
        self.in_order(offset)?;
        if let Some(hasher) = &mut self.hasher {
            hasher.update(bytes);
        }
        self.to.write_all_at(bytes, offset)?;
        self.len = self.len.max(offset + bytes.len() as u64);
        Ok(())
    }

    fn set_len(&mut self, size: u64) -> Result<()> {
        self.in_order(size)?;
        if size < self.len {
            return Err(Error::unsupported("is cut off at its end, which a part of a file cannot be"));
        }
        self.to.set_len(size)?;
        self.len = size;
        Ok(())
    }

    fn finish(&mut self) -> Result<()> {
        self.to.finish()
    }
}

/// A file of its own.
struct Whole(Option<OutputFile>);

impl Part for Whole {
    fn write_all_at(&mut self, bytes: &[u8], offset: u64) -> Result<()> {
        self.0.as_mut().map_or(Ok(()), |file| file.write_all_at(bytes, offset))
    }

    fn set_len(&mut self, size: u64) -> Result<()> {
        self.0.as_mut().map_or(Ok(()), |file| file.set_len(size))
    }

    fn finish(&mut self) -> Result<()> {
        self.0.take().map_or(Ok(()), OutputFile::finish)
    }
}

/// What of a file lies behind its byte `base`.
struct Stretch {
    file: Arc<Mutex<OutputFile>>,
    base: u64,
}

impl Part for Stretch {
    fn write_all_at(&mut self, bytes: &[u8], offset: u64) -> Result<()> {
        lock(&self.file).write_all_at(bytes, self.base + offset)
    }

    fn set_len(&mut self, _: u64) -> Result<()> {
        Ok(())
    }

    fn finish(&mut self) -> Result<()> {
        Ok(())
    }
}

/// Nothing.
struct Counted;

impl Part for Counted {
    fn write_all_at(&mut self, _: &[u8], _: u64) -> Result<()> {
        Ok(())
    }

    fn set_len(&mut self, _: u64) -> Result<()> {
        Ok(())
    }

    fn finish(&mut self) -> Result<()> {
        Ok(())
    }
}
