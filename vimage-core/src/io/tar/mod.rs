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
use header::{BLOCK, Header, Kind};
use pax::Records;
use std::collections::BTreeSet;
use std::path::Path;

/// The most members of an archive that is read.
pub const MOST_MEMBERS: usize = 4096;

/// The most headers of all kinds together: each member may have a few in front of it.
const MOST_HEADERS: usize = 4 * MOST_MEMBERS;

/// The longest name in a header of its own that is read before it is known to be too long.
const LONGEST_LONG_NAME: u64 = 4096;

/// The longest extended header.
const LONGEST_EXTENDED: u64 = 64 << 10;

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
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// With two blocks of zeros, as it should.
    Marked,
    /// With one block of zeros.
    HalfMarked,
    /// With its last member.
    Unmarked,
}

/// What an archive holds.
#[derive(Debug, Clone, PartialEq, Eq)]
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
    let block = read_block(file, 0).map_err(|error| error.at_path(path))?;
    Ok(header::claims(&block).is_some_and(|dialect| dialect != Dialect::Old || is_named(path)))
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
    Lister::new(file).run().map_err(|error| error.at_path(path))
}

/// What the headers in front of a member say of it.
#[derive(Default)]
struct Ahead {
    /// Where the first of them begins.
    first: Option<u64>,
    long_name: Option<String>,
    records: Option<Records>,
}

struct Lister<'a> {
    file: &'a dyn ReadAt,
    at: u64,
    ahead: Ahead,
    names: BTreeSet<String>,
    found: Listing,
}

impl<'a> Lister<'a> {
    fn new(file: &'a dyn ReadAt) -> Self {
        let found = Listing {
            members: Vec::new(),
            folders: Vec::new(),
            dotted: 0,
            pax_headers: 0,
            long_names: 0,
            end: End::Unmarked,
            trailing: None,
        };
        Lister { file, at: 0, ahead: Ahead::default(), names: BTreeSet::new(), found }
    }

    fn run(mut self) -> Result<Listing> {
        for _ in 0..MOST_HEADERS {
            if self.at == self.file.size() {
                return self.ended(End::Unmarked);
            }
            let block = self.block(self.at)?;
            match Header::parse(&block).map_err(|error| error.at_offset(self.at))? {
                None => {
                    let end = self.end()?;
                    return self.ended(end);
                }
                Some(header) => self.entry(&header)?,
            }
        }
        Err(Error::unsupported(format!("holds more than {MOST_HEADERS} entries")).at_offset(self.at))
    }

    fn block(&self, at: u64) -> Result<[u8; BLOCK as usize]> {
        if self.file.size() - at < BLOCK {
            return Err(cut("in a header", at));
        }
        read_block(self.file, at)
    }

    /// How the archive ends, whose first block of zeros is the present one.
    fn end(&mut self) -> Result<End> {
        let mut behind = self.at + BLOCK;
        let left = self.file.size() - behind;
        let marked = left >= BLOCK && read_block(self.file, behind)? == [0; BLOCK as usize];
        if marked {
            behind += BLOCK;
        }
        let mut rest = vec![0; (self.file.size() - behind).min(LOOK_BEHIND) as usize];
        read(self.file, &mut rest, behind)?;
        self.found.trailing = rest.iter().position(|&byte| byte != 0).map(|index| behind + index as u64);
        Ok(if marked { End::Marked } else { End::HalfMarked })
    }

    fn ended(mut self, end: End) -> Result<Listing> {
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
    fn entry(&mut self, header: &Header) -> Result<()> {
        let taken = match header.kind {
            Kind::LongName => self.long_name(header),
            Kind::LongLink => Ok(header.size),
            Kind::Extended => self.extended(header),
            Kind::Global => self.global(header),
            Kind::File | Kind::Folder | Kind::Refused(_) | Kind::Unsupported(_) => self.member(header),
        };
        let size = taken.map_err(|error| error.at_offset(self.at))?;
        let data = self.at + BLOCK;
        let next = size.checked_next_multiple_of(BLOCK).and_then(|padded| padded.checked_add(data));
        match next.filter(|&next| next <= self.file.size()) {
            Some(next) => self.at = next,
            None => return Err(cut(&format!("within {}", shown(header)), self.at)),
        }
        Ok(())
    }

    /// The bytes of a header's own text, at most `most` of them.
    fn text(&self, header: &Header, most: u64) -> Result<Vec<u8>> {
        if header.size > most {
            return Err(Error::unsupported(format!(
                "has a header with {} bytes of text, and {most} is the most that is read",
                header.size
            )));
        }
        let from = self.at + BLOCK;
        if self.file.size() - from < header.size {
            return Err(cut("in a header", self.at));
        }
        let mut text = vec![0; header.size as usize];
        read(self.file, &mut text, from)?;
        Ok(text)
    }

    fn long_name(&mut self, header: &Header) -> Result<u64> {
        let mut name = self.text(header, LONGEST_LONG_NAME)?;
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

    fn extended(&mut self, header: &Header) -> Result<u64> {
        let records = Records::parse(&self.text(header, LONGEST_EXTENDED)?)?;
        if self.ahead.records.replace(records).is_some() {
            return Err(Error::corrupt("has two pax headers for one member"));
        }
        self.ahead.first.get_or_insert(self.at);
        self.found.pax_headers += 1;
        Ok(header.size)
    }

    /// A header for all members that follow: a comment, as a rule.
    fn global(&mut self, header: &Header) -> Result<u64> {
        let records = Records::parse(&self.text(header, LONGEST_EXTENDED)?)?;
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

fn read(file: &dyn ReadAt, buf: &mut [u8], at: u64) -> Result<()> {
    file.read_exact_at(buf, at).map_err(|cause| Error::io("cannot read", cause).at_offset(at))
}

fn read_block(file: &dyn ReadAt, at: u64) -> Result<[u8; BLOCK as usize]> {
    let mut block = [0; BLOCK as usize];
    read(file, &mut block, at)?;
    Ok(block)
}
