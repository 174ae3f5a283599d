//! The descriptor's grammar, with nom.

use super::descriptor::{Access, Descriptor, ExtentKind, ExtentLine, Line};
use crate::error::{Error, Result};
use crate::io::neighbors::quote;
use nom::branch::alt;
use nom::bytes::complete::{tag_no_case, take_until, take_while1};
use nom::character::complete::{char, space0, space1, u64};
use nom::combinator::{all_consuming, map, opt, recognize, rest, value, verify};
use nom::sequence::{delimited, preceded, terminated};
use nom::{IResult, Parser};

/// Reads all lines of `text`.
pub(super) fn descriptor(text: &str) -> Result<Descriptor> {
    let text = text.trim_start_matches('\u{feff}');
    let lines = text.lines().zip(1..).map(|(text, number)| {
        line(text).ok_or_else(|| {
            Error::corrupt(format!(
                "line {number} of the descriptor is no extent that can be understood: {}",
                quote(text)
            ))
        })
    });
    Ok(Descriptor { lines: lines.collect::<Result<_>>()? })
}

/// One line; none where it begins as an extent and does not go on as one.
fn line(text: &str) -> Option<Line> {
    let bare = text.trim();
    if terminated(access, space1).parse(bare).is_ok() {
        return all_consuming(extent).parse(bare).ok().map(|(_, extent)| Line::Extent(extent));
    }
    match all_consuming(field).parse(bare) {
        Ok((_, (key, value))) => Some(Line::Field { key: key.to_owned(), value: value.to_owned() }),
        Err(_) => Some(Line::Other(text.trim_end().to_owned())),
    }
}

fn access(input: &str) -> IResult<&str, Access> {
    alt((
        value(Access::ReadWrite, tag_no_case("RW")),
        value(Access::ReadOnly, tag_no_case("RDONLY")),
        value(Access::None, tag_no_case("NOACCESS")),
    ))
    .parse(input)
}

fn kind(input: &str) -> IResult<&str, ExtentKind> {
    let (rest, word) = take_while1(|c: char| c.is_ascii_alphanumeric())(input)?;
    let found = ExtentKind::WORDS.into_iter().find(|(_, known)| known.eq_ignore_ascii_case(word));
    found
        .map(|(kind, _)| (rest, kind))
        .ok_or(nom::Err::Error(nom::error::make_error(input, nom::error::ErrorKind::Alt)))
}

fn quoted(input: &str) -> IResult<&str, &str> {
    delimited(char('"'), take_until("\""), char('"')).parse(input)
}

/// `RW 4192256 SPARSE "disk-s001.vmdk" 0`; what a partitioned disk's line has behind that is its device's, and no reader's.
fn extent(input: &str) -> IResult<&str, ExtentLine> {
    let offset = preceded(space1, u64);
    let device = preceded(space1, alt((tag_no_case("partitionUUID"), tag_no_case("deviceIdentifier"))));
    let (input, (access, _, sectors, _, kind, file, offset, _)) =
        (access, space1, u64, space1, kind, opt(preceded(space1, quoted)), opt(offset), opt(recognize((device, rest))))
            .parse(input)?;
    Ok((input, ExtentLine { access, sectors, kind, file: file.map(str::to_owned), offset }))
}

/// `key = "value"`, `key=value`. Quotes may be within quotes, as nothing escapes them; not elsewhere.
fn field(input: &str) -> IResult<&str, (&str, &str)> {
    let key = take_while1(|c: char| c.is_ascii_alphanumeric() || "._-".contains(c));
    let quoted = |value: &'_ str| value.len() > 1 && value.starts_with('"') && value.ends_with('"');
    let value = verify(map(rest, str::trim), move |value: &str| quoted(value) || !value.contains('"'));
    let (input, (key, _, _, value)) = (key, space0, char('='), value).parse(input)?;
    Ok((input, (key, if quoted(value) { &value[1..value.len() - 1] } else { value })))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_descriptor_is_read_and_written_line_by_line() {
        let text = "# Disk DescriptorFile\nversion=1\nCID=0012abcd\nparentCID=ffffffff\ncreateType=\"custom\"\n\n\
                    some vendor's own line\nRW 4192256 SPARSE \"a b-s001.vmdk\"\nRDONLY 63 FLAT \"x.img\" 17\n\
                    RW 100 ZERO\nddb.adapterType = \"ide\"\n";
        let descriptor = Descriptor::parse(text).unwrap();
        assert_eq!(descriptor.to_string(), text);
        assert_eq!(descriptor.cid().unwrap(), Some(0x0012_abcd));
        assert_eq!(descriptor.parent_cid().unwrap(), None);
        let extents: Vec<_> = descriptor.extents().collect();
        assert_eq!(extents[0].file.as_deref(), Some("a b-s001.vmdk"));
        assert_eq!((extents[1].access, extents[1].offset), (Access::ReadOnly, Some(17)));
        assert_eq!((extents[2].kind, &extents[2].file), (ExtentKind::Zero, &None));
    }

    #[test]
    fn case_line_ends_and_blanks_do_not_matter() {
        let text = "\u{feff}# Disk DescriptorFile\r\nCREATETYPE = vmfs \r\n  cid = \"a1\"\r\nrw 8  vmfs\t\"f\" 0\r\n";
        let descriptor = Descriptor::parse(text).unwrap();
        assert_eq!(descriptor.create_type(), Some("vmfs"));
        assert_eq!(descriptor.cid().unwrap(), Some(0xa1));
        assert_eq!(descriptor.extents().count(), 1);
    }

    #[test]
    fn a_line_that_is_half_an_extent_is_an_error() {
        for line in [
            "RW 100",
            "RW -1 FLAT \"x\" 0",
            "RW 99999999999999999999 ZERO",
            "RW 1 WHAT \"x\"",
            "RW 1 FLAT \"x 0",
            "RW 1 FLAT \"x\" 0 y",
        ] {
            assert!(Descriptor::parse(line).is_err(), "{line}");
        }
        assert_eq!(Descriptor::parse("RWX = 1").unwrap().get("rwx"), Some("1"));
    }

    #[test]
    fn an_identifier_that_is_no_number_is_an_error() {
        assert!(Descriptor::parse("CID=xyz").unwrap().cid().is_err());
        assert!(Descriptor::parse("CID=123456789").unwrap().cid().is_err());
    }
}
