//! Tar archives, read without unpacking: which members lie where.
//!
//! POSIX.1-2017 `pax` (ustar and extended headers), GNU tar's own headers, and the old ones of Unix V7. What an archive of disks
//! has no use for (links, devices, sparse members, names that lead out of a folder) is refused by name.

mod header;
mod names;
mod pax;

pub use header::Dialect;

use super::ReadAt;
use super::neighbors::quote;
use crate::error::{Error, Result};
use crate::limits::archives::{LONGEST_EXTENDED, LONGEST_LONG_NAME, MOST_HEADERS, MOST_MEMBERS};
use header::{BLOCK, Header, Kind};
use pax::Records;
use std::collections::BTreeSet;
use std::path::Path;

/// How far behind the end of an archive bytes that are not zero are looked for.
const LOOK_BEHIND: u64 = 64 << 10;

/// A file in an archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// Its name: relative, with `/` between its parts, and without a `./` in front.
    pub name: String,
    /// The byte of the archive at which its own bytes begin.
    pub offset: u64,
    /// Its length in bytes.
    pub size: u64,
    /// The byte at which its first header begins: that of its extensions, where it has any.
    pub header: u64,
    /// How its header is written.
    pub dialect: Dialect,
}

/// How an archive ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum End {
    /// With two blocks of zeros, as it should.
    Marked,
    /// With one block of zeros.
    HalfMarked,
    /// With its last member.
    #[default]
    Unmarked,
}

/// What an archive holds.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Listing {
    /// The files, in their order.
    pub members: Vec<Member>,
    /// The folders that it has entries for; nothing else is told of them.
    pub folders: Vec<String>,
    /// Members whose names begin with `./`.
    pub dotted: usize,
    /// pax extended headers, those for all members included.
    pub pax_headers: usize,
    /// GNU headers that hold nothing but a long name.
    pub long_names: usize,
    /// How it ends.
    pub end: End,
    /// The first byte behind the end that is not zero, where one was found: 64 KiB are looked at.
    pub trailing: Option<u64>,
}

impl Listing {
    /// The member called `name`.
    pub fn member(&self, name: &str) -> Option<&Member> {
        self.members.iter().find(|member| member.name == name)
    }
}

/// Whether `file` begins as a tar does: with a header whose checksum is right and that says so, or is an old one that does not
/// while the file's name at `path` does (`.tar`, `.ova`, `.box`).
///
/// # Errors
/// `Io`.
pub fn is_tar(file: &dyn ReadAt, path: &Path) -> Result<bool> {
    if file.size() < BLOCK {
        return Ok(false);
    }
    let mut block = [0; BLOCK as usize];
    (&mut &*file).read(&mut block, 0).map_err(|error| error.at_path(path))?;
    Ok(begins(&block, path))
}

/// Whether what begins with `head` and is called `path` is a tar, as [`is_tar`] has it.
pub(crate) fn begins(head: &[u8], path: &Path) -> bool {
    let claimed = head.first_chunk().and_then(header::claims);
    claimed.is_some_and(|dialect| dialect != Dialect::Old || is_named(path))
}

/// Whether what begins with `head` has the mark of a tar's header, but a checksum that is wrong.
pub(crate) fn is_damaged(head: &[u8]) -> bool {
    let block = head.first_chunk::<{ BLOCK as usize }>();
    block.is_some_and(|block| block[257..].starts_with(b"ustar") && header::claims(block).is_none())
}

/// Whether a file at `path` is named like a tar.
pub fn is_named(path: &Path) -> bool {
    let extension = path.extension().map(|extension| extension.to_string_lossy().to_ascii_lowercase());
    extension.is_some_and(|extension| matches!(extension.as_str(), "tar" | "ova" | "box"))
}

/// What the archive in `file`, called `path`, holds. Reads a block or two of each member, and none of its bytes.
///
/// # Errors
/// `Corrupt` where a header is damaged, names repeat, or the archive was cut short; `Refused` for names and kinds of members that
/// an archive from a stranger must not have; `Unsupported` for sparse and other special members, and beyond the limits; `Io`.
pub fn list(file: &dyn ReadAt, path: &Path) -> Result<Listing> {
    let (mut lister, mut bytes) = (Lister::default(), file);
    let listed = (|| {
        while lister.at != file.size() {
            if lister.step(&mut bytes)? == Step::End {
                let end = lister.end(file)?;
                return lister.ended(end);
            }
        }
        lister.ended(End::Unmarked)
    })();
    listed.map_err(|error| error.at_path(path))
}

/// The bytes of an archive, as a lister reads them: each place once, in ascending order.
pub(crate) trait Bytes {
    /// Their length, where it is known.
    fn size(&self) -> Option<u64>;

    /// Fills `buf` from byte `at` on.
    fn read(&mut self, buf: &mut [u8], at: u64) -> Result<()>;
}

impl Bytes for &dyn ReadAt {
    fn size(&self) -> Option<u64> {
        Some(ReadAt::size(*self))
    }

    fn read(&mut self, buf: &mut [u8], at: u64) -> Result<()> {
        self.read_exact_at(buf, at).map_err(|cause| Error::io("cannot read", cause).at_offset(at))
    }
}

/// What a lister has come by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// A member: the last one [found](Lister::found).
    Member,
    /// A folder, or a header that tells of a member to come.
    Other,
    /// The first block of zeros.
    End,
}

/// What the headers in front of a member say of it.
#[derive(Default)]
struct Ahead {
    /// Where the first of them begins.
    first: Option<u64>,
    long_name: Option<String>,
    records: Option<Records>,
}

/// Goes from header to header.
#[derive(Default)]
pub(crate) struct Lister {
    at: u64,
    headers: usize,
    ahead: Ahead,
    names: BTreeSet<String>,
    found: Listing,
}

impl Lister {
    /// The byte at which the next header begins; at the end the first block of zeros.
    pub(crate) fn at(&self) -> u64 {
        self.at
    }

    /// What was found so far.
    pub(crate) fn found(&self) -> &Listing {
        &self.found
    }

    /// Takes the next header of `bytes`.
    ///
    /// # Errors
    /// As [`list`], without the path.
    pub(crate) fn step(&mut self, bytes: &mut dyn Bytes) -> Result<Step> {
        if self.headers == MOST_HEADERS {
            return Err(Error::unsupported(format!("holds more than {MOST_HEADERS} entries")).at_offset(self.at));
        }
        self.headers += 1;
        if left(bytes, self.at) < BLOCK {
            return Err(cut("in a header", self.at));
        }
        let mut block = [0; BLOCK as usize];
        bytes.read(&mut block, self.at)?;
        let Some(header) = Header::parse(&block).map_err(|error| error.at_offset(self.at))? else {
            return Ok(Step::End);
        };
        let members = self.found.members.len();
        self.entry(&header, bytes)?;
        Ok(if self.found.members.len() > members { Step::Member } else { Step::Other })
    }

    /// How the archive in `file` ends, whose first block of zeros is the present one.
    fn end(&mut self, mut file: &dyn ReadAt) -> Result<End> {
        let mut behind = self.at + BLOCK;
        let mut block = [0; BLOCK as usize];
        let marked = file.size() - behind >= BLOCK && {
            Bytes::read(&mut file, &mut block, behind)?;
            block == [0; BLOCK as usize]
        };
        if marked {
            behind += BLOCK;
        }
        let mut rest = vec![0; (file.size() - behind).min(LOOK_BEHIND) as usize];
        Bytes::read(&mut file, &mut rest, behind)?;
        self.found.trailing = rest.iter().position(|&byte| byte != 0).map(|index| behind + index as u64);
        Ok(if marked { End::Marked } else { End::HalfMarked })
    }

    /// What was found, of an archive that ends here with `end`.
    ///
    /// # Errors
    /// `Corrupt` where a member should follow, or there was none at all.
    pub(crate) fn ended(mut self, end: End) -> Result<Listing> {
        if self.ahead.first.is_some() {
            return Err(Error::corrupt("ends after a header that tells of a member to come").at_offset(self.at));
        }
        if self.at == 0 {
            return Err(Error::corrupt("is an archive without members").at_offset(0));
        }
        self.found.end = end;
        Ok(self.found)
    }

    /// Takes the entry whose header is the present block, and goes on to the next.
    fn entry(&mut self, header: &Header, bytes: &mut dyn Bytes) -> Result<()> {
        let taken = match header.kind {
            Kind::LongName => self.long_name(header, bytes),
            Kind::LongLink => Ok(header.size),
            Kind::Extended => self.extended(header, bytes),
            Kind::Global => self.global(header, bytes),
            Kind::File | Kind::Folder | Kind::Refused(_) | Kind::Unsupported(_) => self.member(header),
        };
        let size = taken.map_err(|error| error.at_offset(self.at))?;
        let data = self.at + BLOCK;
        let next = size.checked_next_multiple_of(BLOCK).and_then(|padded| padded.checked_add(data));
        match next.filter(|&next| bytes.size().is_none_or(|size| next <= size)) {
            Some(next) => self.at = next,
            None => return Err(cut(&format!("within {}", shown(header)), self.at)),
        }
        Ok(())
    }

    /// The bytes of a header's own text, at most `most` of them.
    fn text(&self, header: &Header, most: u64, bytes: &mut dyn Bytes) -> Result<Vec<u8>> {
        if header.size > most {
            return Err(Error::unsupported(format!(
                "has a header with {} bytes of text, and {most} is the most that is read",
                header.size
            )));
        }
        let from = self.at + BLOCK;
        if left(bytes, from) < header.size {
            return Err(cut("in a header", self.at));
        }
        let mut text = vec![0; header.size as usize];
        bytes.read(&mut text, from)?;
        Ok(text)
    }

    fn long_name(&mut self, header: &Header, bytes: &mut dyn Bytes) -> Result<u64> {
        let mut name = self.text(header, LONGEST_LONG_NAME, bytes)?;
        // GNU tar counts the NUL that ends it.
        if name.last() == Some(&0) {
            name.pop();
        }
        let name = names::text(&name)?;
        if self.ahead.long_name.replace(name).is_some() {
            return Err(Error::corrupt("has two long names for one member"));
        }
        self.ahead.first.get_or_insert(self.at);
        self.found.long_names += 1;
        Ok(header.size)
    }

    fn extended(&mut self, header: &Header, bytes: &mut dyn Bytes) -> Result<u64> {
        let records = Records::parse(&self.text(header, LONGEST_EXTENDED, bytes)?)?;
        if self.ahead.records.replace(records).is_some() {
            return Err(Error::corrupt("has two pax headers for one member"));
        }
        self.ahead.first.get_or_insert(self.at);
        self.found.pax_headers += 1;
        Ok(header.size)
    }

    /// A header for all members that follow: a comment, as a rule.
    fn global(&mut self, header: &Header, bytes: &mut dyn Bytes) -> Result<u64> {
        let records = Records::parse(&self.text(header, LONGEST_EXTENDED, bytes)?)?;
        if records.path.is_some() || records.size.is_some() {
            return Err(Error::unsupported("has a pax header that names all members, or sizes them, alike"));
        }
        self.found.pax_headers += 1;
        Ok(header.size)
    }

    /// Takes a member; returns the length of its bytes.
    fn member(&mut self, header: &Header) -> Result<u64> {
        let ahead = std::mem::take(&mut self.ahead);
        let pax = ahead.records.is_some();
        let records = ahead.records.unwrap_or_default();
        let written = match records.path.or(ahead.long_name) {
            Some(name) => name,
            None => header.name()?,
        };
        let size = records.size.unwrap_or(header.size);
        let quoted = quote(&written);
        match header.kind {
            Kind::Refused(what) => {
                return Err(Error::refused(format!("its member {quoted} is {what}, which no package has a use for"))
                    .with_hint("pack the file itself"));
            }
            Kind::Unsupported(what) => {
                return Err(Error::unsupported(format!("its member {quoted} is {what}"))
                    .with_hint("unpack it with GNU tar, and pack plain files"));
            }
            _ => {}
        }
        // Before POSIX a folder was a file whose name ended so.
        let folder = header.kind == Kind::Folder || written.ends_with('/');
        if folder && size != 0 {
            return Err(Error::corrupt(format!("its folder {quoted} says that it has {size} bytes")));
        }
        let name = names::check(&written, folder)?;
        if folder {
            self.found.folders.extend(Some(name).filter(|name| !name.is_empty()));
            return Ok(0);
        }
        if !self.names.insert(name.clone()) {
            return Err(Error::corrupt(format!("has two members called {quoted}"))
                .with_hint("nobody can tell which is meant: pack it anew"));
        }
        if self.found.members.len() == MOST_MEMBERS {
            return Err(Error::unsupported(format!("holds more than {MOST_MEMBERS} members")));
        }
        self.found.dotted += usize::from(written.starts_with("./"));
        self.found.members.push(Member {
            name,
            offset: self.at + BLOCK,
            size,
            header: ahead.first.unwrap_or(self.at),
            dialect: if pax { Dialect::Pax } else { header.dialect },
        });
        Ok(size)
    }
}

/// What a header is of, to be printed.
fn shown(header: &Header) -> String {
    header.name().map_or_else(|_| "a member".into(), |name| quote(&name))
}

fn cut(what: &str, at: u64) -> Error {
    Error::corrupt(format!("ends {what}: it was cut short")).at_offset(at).with_hint("copy or download it again")
}

/// Bytes that there are from `at` on, as far as is known.
fn left(bytes: &dyn Bytes, at: u64) -> u64 {
    bytes.size().map_or(u64::MAX, |size| size.saturating_sub(at))
}
