//! What `-O` asks for: formats, each with settings of its own.

use crate::args::OutputArgs;
use crate::size::Size;
use std::path::{Path, PathBuf};
use vimage_core::formats::{Format, by_extension, by_name};
use vimage_core::{Backing, CreateOptions, Error, Result};

/// Stands for a comma within a value while the list is taken apart.
const COMMA: char = '\u{1}';

/// The keys that are no settings of a format.
const OWN_KEYS: [&str; 4] = ["file", "split", "level", "compress"];

/// An output that was asked for.
pub(crate) struct Wanted {
    pub(super) kind: Kind,
    pub(super) create: CreateOptions,
    /// Where it goes, where that is said with it.
    pub(super) file: Option<PathBuf>,
}

/// What an output is.
#[derive(Clone, Copy)]
pub(super) enum Kind {
    Image(&'static dyn Format),
    Ova,
}

impl Kind {
    fn named(name: &str) -> Result<Self> {
        if name == "ova" { Ok(Kind::Ova) } else { by_name(name).map(Kind::Image) }
    }

    fn by_extension(path: &Path) -> Option<Self> {
        let ova = path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("ova"));
        if ova { Some(Kind::Ova) } else { by_extension(path).map(Kind::Image) }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Kind::Image(format) => format.name(),
            Kind::Ova => "ova",
        }
    }

    pub(super) fn extension(self) -> &'static str {
        match self {
            Kind::Image(format) => format.extension(),
            Kind::Ova => "ova",
        }
    }
}

/// The outputs that `args` ask for; where they name no format, the one that `target` is named after.
pub(super) fn wanted(args: &OutputArgs, target: Option<&Path>) -> Result<Vec<Wanted>> {
    let general = create_options(args)?;
    let mut all = match (&args.format, target) {
        (Some(list), _) => read(list, &general)?,
        (None, Some(path)) if path == Path::new("-") => {
            return Err(Error::usage("standard output has no name that says which format it is to have")
                .with_hint("add -O raw, -O raw.zst, -O vmdk -c or -O ova: these go through a pipe"));
        }
        (None, Some(path)) => {
            let kind = Kind::by_extension(path).ok_or_else(|| {
                Error::usage("its extension does not say which format it is to have")
                    .at_path(path)
                    .with_hint("add -O FORMAT")
            })?;
            vec![Wanted { kind, create: general, file: None }]
        }
        (None, None) => {
            return Err(
                Error::usage("neither a target nor a format is given").with_hint("add -O FORMAT, such as -O vmdk")
            );
        }
    };
    if all.len() > 1 && !args.settings.is_empty() {
        return Err(Error::usage("-o does not say which of the outputs it is for").with_hint(
            "settings go behind their format: -O 'qcow2:compression_type=zstd,vmdk:subformat=streamOptimized'",
        ));
    }
    for settings in &args.settings {
        all.iter_mut().for_each(|wanted| wanted.create.settings.extend(settings.clone()));
    }
    let of_ova = |wanted: &&Wanted| matches!(wanted.kind, Kind::Ova);
    if let Some(Wanted { create, .. }) = all.iter().find(of_ova)
        && (create.settings != CreateOptions::default().settings || create.split.is_some() || create.backing.is_some())
    {
        return Err(Error::usage(
            "an OVA is one streamOptimized VMDK with its descriptor: -o, --split and -B do not apply",
        )
        .with_hint("describe the machine in a file: vimage pack --init"));
    }
    Ok(all)
}

/// What is said for all outputs, but for `-o`.
fn create_options(args: &OutputArgs) -> Result<CreateOptions> {
    Ok(CreateOptions {
        compress: args.compress,
        level: args.level,
        split: args.split.map(|size| size.0),
        backing: match (&args.backing, &args.backing_format) {
            (Some(name), Some(format)) => Some(Backing { name: name.clone(), format: format.clone() }),
            _ => None,
        },
        ..CreateOptions::default()
    })
}

/// The options of the one output that `args` ask for.
pub(crate) fn only(args: &OutputArgs) -> Result<(&'static dyn Format, CreateOptions)> {
    if args.format.is_none() {
        return Err(Error::usage("no format is given").with_hint("add -O FORMAT, such as -O qcow2"));
    }
    let mut all = wanted(args, None)?;
    match (all.pop(), all.is_empty()) {
        (Some(Wanted { kind: Kind::Image(format), create, file: None }), true) => Ok((format, create)),
        _ => Err(Error::usage("this takes one format of an image").with_hint("-O qcow2, for instance")),
    }
}

/// Reads `FORMAT[:KEY=VALUE[,KEY=VALUE…]][,FORMAT…]`. A comma within a value is written twice, as for `-o`.
fn read(list: &str, general: &CreateOptions) -> Result<Vec<Wanted>> {
    let mut all: Vec<Wanted> = Vec::new();
    for part in list.replace(",,", &COMMA.to_string()).split(',').map(str::trim).filter(|part| !part.is_empty()) {
        let (name, setting) = match part.split_once(':') {
            Some((name, setting)) if !name.contains('=') => (Some(name), Some(setting)),
            _ if part.contains('=') => (None, Some(part)),
            _ => (Some(part), None),
        };
        if let Some(name) = name {
            let create = CreateOptions { ..general.clone() };
            all.push(Wanted { kind: Kind::named(&name.replace(COMMA, ","))?, create, file: None });
        }
        let last = all.last_mut().ok_or_else(|| {
            Error::usage(format!("\"{}\" stands before any format", part.replace(COMMA, ",")))
                .with_hint("-O 'qcow2:compression_type=zstd,vmdk' has the setting behind its format")
        })?;
        if let Some(setting) = setting.filter(|setting| !setting.is_empty()) {
            set(last, setting)?;
        }
    }
    if all.is_empty() { Err(Error::usage("-O names no format")) } else { Ok(all) }
}

fn set(wanted: &mut Wanted, setting: &str) -> Result<()> {
    let (key, value) = setting.split_once('=').ok_or_else(|| {
        Error::usage(format!("\"{setting}\" is not a setting"))
            .with_hint(format!("settings are written KEY=VALUE; besides the format's own: {}", OWN_KEYS.join(", ")))
    })?;
    let (key, value) = (key.trim(), value.replace(COMMA, ","));
    let wrong = |what: &str| Error::usage(format!("{key} is {what}, not \"{value}\""));
    let create = &mut wanted.create;
    match key {
        "file" => wanted.file = Some(value.into()),
        "split" => create.split = Some(value.parse::<Size>().map_err(Error::usage)?.0),
        "level" => create.level = Some(value.parse().map_err(|_| wrong("a number"))?),
        "compress" => {
            create.compress = match value.as_str() {
                "on" => true,
                "off" => false,
                _ => return Err(wrong("on or off")),
            };
        }
        _ => create.settings = std::mem::take(&mut create.settings).with(key, value),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_list(list: &str) -> Result<Vec<(String, String)>> {
        let shown = |wanted: &Wanted| {
            let CreateOptions { settings, compress, level, split, .. } = &wanted.create;
            let file = wanted.file.as_ref().map(|file| file.display().to_string());
            (wanted.kind.name().to_owned(), format!("{settings} {compress} {level:?} {split:?} {file:?}"))
        };
        Ok(read(list, &CreateOptions::default())?.iter().map(shown).collect())
    }

    #[test]
    fn settings_belong_to_the_format_before_them() {
        let plain = "  false None None None".trim_start().to_owned();
        let plain = |name: &str| (name.to_owned(), format!(" {plain}"));
        assert_eq!(read_list("vmdk,qcow2, ova").unwrap(), [plain("vmdk"), plain("qcow2"), plain("ova")]);
        let all = read_list("qcow2:compression_type=zstd,cluster_size=1M,vmdk:split=2G,raw:file=a,,b=c:d,level=3");
        let expected = [
            ("qcow2", "cluster_size=1M,compression_type=zstd false None None None"),
            ("vmdk", " false None Some(2147483648) None"),
            ("raw", " false Some(3) None Some(\"a,b=c:d\")"),
        ];
        assert_eq!(all.unwrap(), expected.map(|(name, rest)| (name.to_owned(), rest.to_owned())));
        assert_eq!(read_list("qcow2:compress=on").unwrap()[0].1, " true None None None");
    }

    #[test]
    fn what_is_no_list_is_an_error() {
        for list in ["", ",", "nothing", "a=b,vmdk", "vmdk:x", "vmdk:level=high", "vmdk:compress=yes", "vmdk:split=2Q"]
        {
            assert!(read_list(list).is_err(), "{list}");
        }
    }
}
