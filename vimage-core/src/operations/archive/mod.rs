//! 7z archives: packages are shipped in them where what carries them takes files of a limited length.
//!
//! The format is 7-Zip's own (7zFormat.txt of its sources): packed streams, and a header behind them that the first 32 bytes
//! point to. Volumes `x.7z.001` and on are nothing but the archive's bytes cut into pieces.

mod guard;
mod read;
mod write;

pub use read::{Member, SevenZip};
pub use write::{Entry, write_7z};

use crate::error::{Error, ErrorKind};

/// What the archive crate says, in ours: what it finds wrong with the bytes, and what it does not know.
fn fault(error: sevenz_rust2::Error) -> Error {
    use sevenz_rust2::Error as Theirs;
    match error {
        Theirs::Io(cause, _) | Theirs::MaybeBadPassword(cause) | Theirs::FileOpen(cause, _) => match cause.kind() {
            std::io::ErrorKind::UnexpectedEof | std::io::ErrorKind::InvalidData | std::io::ErrorKind::InvalidInput => {
                Error::corrupt(format!("the 7z archive is damaged: {cause}"))
            }
            std::io::ErrorKind::Other => Error::corrupt(format!("the 7z archive is damaged: {cause}")),
            _ => Error::io("cannot read the 7z archive", cause),
        },
        Theirs::UnsupportedCompressionMethod(_)
        | Theirs::PasswordRequired
        | Theirs::Unsupported(_)
        | Theirs::ExternalUnsupported
        | Theirs::UnsupportedVersion { .. } => {
            Error::unsupported(format!("the 7z archive has something that is not read: {error}"))
                .with_hint("archives packed with LZMA, LZMA2 or not at all, without a password, are read")
        }
        Theirs::MaxMemLimited { .. } => Error::new(ErrorKind::Unsupported, "the 7z archive takes too much memory"),
        _ => Error::corrupt(format!("the 7z archive is damaged: {error}")),
    }
}
