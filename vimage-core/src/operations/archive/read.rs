//! Reading a 7z archive that a stranger made.

use super::fault;
use super::guard::{check_header, is_7z};
use crate::error::{Error, Result};
use crate::io::neighbors::quote;
use crate::io::pieces::stem_of_first;
use crate::io::row::Row;
use crate::io::{FileId, FileReader, Neighbors, Pieces, ReadAt};
use crate::limits::archives::{MOST_DICTIONARY, MOST_FILES};
use crate::operations::names::{Names, plain_path};
use sevenz_rust2::{ArchiveEntry, ArchiveReader, Block, EncoderMethod, Password};
use std::cell::Cell;
use std::io::{self, BufReader, Read};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Bytes that are read at once.
const READ: usize = 1 << 18;

/// What Windows calls a link of any kind.
const REPARSE_POINT: u32 = 0x400;

/// The upper half of the attributes is a mode of Unix.
const UNIX: u32 = 0x8000;

/// A file in an archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// Its name: plain names, with `/` between them.
    pub name: String,
    /// Its length in bytes, as the archive says.
    pub size: u64,
}

/// A 7z archive, of which nothing was unpacked yet. No name in it leads out of the folder that it is unpacked to.
pub struct SevenZip {
    file: Arc<dyn ReadAt>,
    /// Those that it lies in.
    files: Vec<FileId>,
    path: PathBuf,
    archive: sevenz_rust2::Archive,
    members: Vec<Member>,
}

impl SevenZip {
    /// Whether the file at `path` claims to be a 7z archive.
    ///
    /// # Errors
    /// `Io` when it cannot be opened.
    pub fn is_at(path: &Path) -> Result<bool> {
        let mut head = [0; 32];
        Ok(FileReader::open(path)?.read_exact_at(&mut head, 0).is_ok() && is_7z(&head))
    }

    /// Opens the archive at `path`; with `.001`, all of its volumes.
    ///
    /// # Errors
    /// As [`of`](Self::of), and those of opening files and [joining](Pieces::join) them.
    pub fn open(path: &Path) -> Result<Self> {
        let neighbors = Neighbors::of(path);
        let first = Arc::new(neighbors.open_own(path)?);
        let mut files = vec![first.id()];
        let file: Arc<dyn ReadAt> = match stem_of_first(path) {
            None => first,
            Some(stem) => Arc::new(Pieces::join(first, stem, &neighbors).map_err(|error| error.at_path(path))?),
        };
        files.extend(neighbors.opened().into_iter().map(|(id, _)| id));
        Ok(SevenZip { files, ..Self::of(file, path)? })
    }

    /// The archive in `file`, which is called `path` in errors.
    ///
    /// # Errors
    /// `Corrupt`; `Unsupported` where it takes more memory or has more files than is allowed, or is packed in another way than with
    /// LZMA or LZMA2; `Refused` where a name leads elsewhere, appears twice, or is no regular file; `Io`.
    pub fn of(file: Arc<dyn ReadAt>, path: &Path) -> Result<Self> {
        let opened = (|| {
            check_header(&*file)?;
            let archive = contained(&Cell::new(false), || {
                sevenz_rust2::Archive::read(&mut Row::new(&*file), &Password::empty())
            })?;
            archive.blocks.iter().try_for_each(check_memory)?;
            let members = members(&archive.files)?;
            Ok((archive, members))
        })();
        let (archive, members) = opened.map_err(|error: Error| error.at_path(path))?;
        Ok(SevenZip { file, files: Vec::new(), path: path.to_owned(), archive, members })
    }

    /// Its path, as errors name it.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The files that it lies in, all of its volumes; none where it was not opened by its path.
    pub fn files(&self) -> &[FileId] {
        &self.files
    }

    /// Its files, in the order in which they are packed.
    pub fn members(&self) -> &[Member] {
        &self.members
    }

    /// Unpacks it: gives `each` file with its bytes, one after the other; what it leaves is skipped. Ends early where it returns
    /// false. A file whose bytes end before its length, or have another checksum than the archive says, is an error.
    ///
    /// # Errors
    /// `Corrupt`, `Io`, and those of `each`.
    pub fn unpack(&self, mut each: impl FnMut(&Member, &mut dyn Read) -> Result<bool>) -> Result<()> {
        let mut ended: Option<Result<()>> = None;
        let ours = Cell::new(false);
        let unpacked = contained(&ours, || {
            let source = BufReader::with_capacity(READ, Row::new(&*self.file));
            let mut reader = ArchiveReader::from_archive(self.archive.clone(), source, Password::empty());
            // On more threads the memory is what the archive says.
            reader.set_thread_count(1);
            reader.for_each_entries(|entry, bytes| {
                if entry.is_directory {
                    return Ok(true);
                }
                let mut member = Whole { bytes, left: entry.size, ours: &ours };
                ours.set(true);
                let taken = member_of(entry).and_then(|found| each(&found, &mut member));
                ours.set(false);
                ended = match taken {
                    Ok(true) => return Ok(true),
                    Ok(false) => Some(Ok(())),
                    Err(error) => Some(Err(error)),
                };
                // Only an error keeps the crate from going on with what is packed elsewhere.
                Err(sevenz_rust2::Error::Other("no more is wanted".into()))
            })
        });
        ended.unwrap_or(unpacked).map_err(|error| error.at_path(&self.path))
    }
}

/// Runs the crate's code. It is hardened and known to panic nowhere; should it do so all the same, the archive is to blame. What panics
/// while `ours` is set goes on.
fn contained<T>(ours: &Cell<bool>, run: impl FnOnce() -> Result<T, sevenz_rust2::Error>) -> Result<T> {
    match catch_unwind(AssertUnwindSafe(run)) {
        Ok(outcome) => outcome.map_err(fault),
        Err(panic) if ours.get() => resume_unwind(panic),
        Err(_) => Err(Error::corrupt("the 7z archive contradicts itself")),
    }
}

/// Checks that unpacking `block` takes no more memory than is allowed: its dictionaries, all at once.
fn check_memory(block: &Block) -> Result<()> {
    let mut memory = 0u64;
    for coder in &block.coders {
        let properties = coder.properties();
        let dictionary = match (coder.encoder_method_id(), properties) {
            (EncoderMethod::ID_LZMA, [_, a, b, c, d]) => u64::from(u32::from_le_bytes([*a, *b, *c, *d])),
            (EncoderMethod::ID_LZMA2, [bits @ 0..=40]) => (2 | u64::from(bits & 1)) << (bits / 2 + 11),
            (EncoderMethod::ID_LZMA | EncoderMethod::ID_LZMA2, _) => {
                return Err(Error::corrupt("the 7z archive says nothing of a dictionary that has to be known"));
            }
            _ => 0,
        };
        memory = memory.saturating_add(dictionary);
    }
    if memory > MOST_DICTIONARY {
        return Err(Error::unsupported(format!(
            "unpacking the 7z archive takes a dictionary of {memory} bytes, and {MOST_DICTIONARY} is the most"
        ))
        .with_hint("it was packed with extreme settings: 7z unpacks it"));
    }
    Ok(())
}

fn members(files: &[ArchiveEntry]) -> Result<Vec<Member>> {
    if files.len() > MOST_FILES {
        return Err(Error::unsupported(format!(
            "the 7z archive holds {} files, and {MOST_FILES} is the most",
            files.len()
        )));
    }
    let mut names = Names::default();
    let mut members = Vec::new();
    for file in files {
        check_kind(file)?;
        if !file.is_directory {
            let member = member_of(file)?;
            names.add(&member.name)?;
            members.push(member);
        }
    }
    Ok(members)
}

fn member_of(file: &ArchiveEntry) -> Result<Member> {
    Ok(Member { name: plain_path(&file.name)?, size: file.size })
}

fn check_kind(file: &ArchiveEntry) -> Result<()> {
    let attributes = if file.has_windows_attributes { file.windows_attributes } else { 0 };
    let kind = if attributes & UNIX != 0 { attributes >> 16 & 0o170_000 } else { 0 };
    let what = match kind {
        0 | 0o040_000 | 0o100_000 if attributes & REPARSE_POINT == 0 && !file.is_anti_item => return Ok(()),
        0o020_000 | 0o060_000 => "a device",
        0o010_000 => "a pipe",
        0o140_000 => "a socket",
        _ if file.is_anti_item => "a file to be removed",
        _ => "a link",
    };
    Err(Error::refused(format!("{} is {what}, and only files are unpacked", quote(&file.name)))
        .with_hint("a package is made of plain files"))
}

/// The bytes of a member, all of them.
struct Whole<'a> {
    bytes: &'a mut dyn Read,
    left: u64,
    /// Whether code of this crate runs, rather than what unpacks.
    ours: &'a Cell<bool>,
}

impl Read for Whole<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.ours.set(false);
        let read = self.bytes.read(buf);
        self.ours.set(true);
        let read = read?;
        if read == 0 && self.left > 0 && !buf.is_empty() {
            let cause = format!("it ends {} bytes before its length", self.left);
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, cause));
        }
        self.left = self.left.saturating_sub(read as u64);
        Ok(read)
    }
}
