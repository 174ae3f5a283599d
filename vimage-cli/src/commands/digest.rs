//! `vimage digest`

use super::{Answer, open_options};
use crate::args::DigestArgs;
use crate::output;
use crate::progress::Progress;
use serde::Serialize;
use std::borrow::Cow;
use vimage_core::{Result, digest, open};

pub(super) fn run(args: &DigestArgs) -> Result<Answer> {
    let mut digests = Vec::with_capacity(args.images.len());
    for path in &args.images {
        let mut options = open_options(args.format.as_ref(), &args.open);
        options.snapshot.clone_from(&args.snapshot);
        let image = open(path, &options)?;
        let digest = digest(&image, args.algorithm, &Progress::new("Digesting", args.progress.progress, false))?;
        if !args.json {
            // As sha256sum prints it.
            output::line(&format!("{digest}  {}", path.display()))?;
        }
        digests.push(Entry { filename: path.to_string_lossy(), digest: digest.to_string() });
    }
    if args.json {
        output::json("digest", &Report { algorithm: args.algorithm.name(), images: digests })?;
    }
    Ok(Answer::Yes)
}

#[derive(Serialize)]
struct Report<'a> {
    algorithm: &'static str,
    images: Vec<Entry<'a>>,
}

#[derive(Serialize)]
struct Entry<'a> {
    filename: Cow<'a, str>,
    digest: String,
}
