//! What each command reads and writes, told by its words.

use super::convert;
use super::pack::{self, Described};
use crate::args::{Command, CompactArgs, ConvertArgs, InfoArgs, PackArgs, UnpackArgs};
use crate::sandbox::{Need, Needs};
use std::path::Path;
use vimage_core::io::Compression;
use vimage_core::io::archive::{is_named, split_member};
use vimage_core::io::pieces::stem_of_first;
use vimage_core::operations::folder_for;

/// What `command` needs; of one that packs, what was `described` says most of it.
pub(super) fn of(command: &Command, described: Option<&Described>) -> Needs {
    let mut needs = Needs { external: command.allows_external(), ..Needs::default() };
    match command {
        Command::Convert(args) => needs.of_convert(args),
        Command::Compact(args) => needs.of_compact(args),
        Command::Pack(args) => needs.of_pack(args, described),
        Command::Unpack(args) => needs.of_unpack(args),
        Command::Verify(args) => needs.package(&args.package),
        Command::Info(args) => needs.of_info(args),
        Command::Map(args) => needs.image(&args.image, args.format.as_deref()),
        Command::Check(args) => needs.image(&args.image, args.format.as_deref()),
        Command::Measure(args) => {
            needs.image(&args.source, args.source_format.as_deref());
            let base = args.output.backing.as_ref().map(|name| args.source.with_file_name(name));
            base.iter().for_each(|base| needs.image(base, args.output.backing_format.as_deref()));
        }
        Command::Compare(args) => {
            needs.image(&args.one, args.one_format.as_deref());
            needs.image(&args.two, args.two_format.as_deref());
        }
        Command::Digest(args) => args.images.iter().for_each(|image| needs.image(image, args.format.as_deref())),
    }
    needs
}

impl Needs {
    fn of_convert(&mut self, args: &ConvertArgs) {
        if !convert::is_pipe(&args.source) {
            self.image(&args.source, args.source_format.as_deref());
        }
        // Why there is no place for them, the run says.
        for path in convert::outputs(args).unwrap_or_default() {
            let base = args.output.backing.as_ref().map(|name| path.with_file_name(name));
            base.iter().for_each(|base| self.image(base, args.output.backing_format.as_deref()));
            self.list.extend(Some(path).filter(|path| !convert::is_pipe(path)).map(Need::Output));
        }
        self.list.extend(args.spool.clone().map(Need::Temporary));
    }

    fn of_compact(&mut self, args: &CompactArgs) {
        // What comes in the place of the image goes where that lies, not where a link to it does.
        let in_place = !args.punch && args.output.is_none();
        // A run that was killed may have taken it away, to where this one puts it back from.
        let led_to = |_| args.image.read_link().map(|to| args.image.with_file_name(to));
        let resolved = if in_place { args.image.canonicalize().or_else(led_to).ok() } else { None };
        let image = resolved.as_ref().unwrap_or(&args.image);
        self.image(image, args.format.as_deref());
        self.list.push(match &args.output {
            // What it would lie over is looked up from there.
            output if args.dry_run => Need::Image(output.as_ref().unwrap_or(image).clone()),
            _ if args.punch => Need::Change(image.clone()),
            output => Need::Output(output.as_ref().unwrap_or(image).clone()),
        });
    }

    fn of_pack(&mut self, args: &PackArgs, described: Option<&Described>) {
        let Some(described) = described else {
            self.image(&args.appliance, None);
            return self.list.push(Need::Output(pack::init_target(args).to_owned()));
        };
        self.program = args.package.sign_with.is_some();
        described.images().for_each(|image| self.image(&image.path, image.format.as_deref()));
        let need = if described.is_folder() { Need::Folder } else { Need::Output };
        self.list.extend(described.target().map(|target| need(target.to_owned())));
    }

    fn of_unpack(&mut self, args: &UnpackArgs) {
        self.package(&args.package);
        let folder = args.folder.clone().unwrap_or_else(|| folder_for(&args.package));
        // What is not read by position is unpacked beside it first.
        self.list.extend(args.format.as_ref().map(|_| Need::Output(folder.clone())));
        self.list.push(Need::Folder(folder));
    }

    fn of_info(&mut self, args: &InfoArgs) {
        // No other file is opened unless the chain is asked for; pieces are one file that was cut.
        if args.chain || stem_of_first(&args.image).is_some() {
            return self.image(&args.image, args.format.as_deref());
        }
        // A descriptor's manifest is told of by its name.
        let descriptor = args.image.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("ovf"));
        self.list.extend(descriptor.then(|| Need::Names(args.image.clone())));
        let archive = split_member(&args.image).map(|(archive, _)| archive);
        self.list.push(Need::File(archive.unwrap_or_else(|| args.image.clone())));
        self.unpacked(&args.image, args.format.as_deref());
    }

    /// An image, of `format` where that is said.
    fn image(&mut self, path: &Path, format: Option<&str>) {
        self.list.push(match split_member(path) {
            // It may name members of its archive alone.
            Some((archive, _)) => Need::File(archive),
            None => Need::Image(path.to_owned()),
        });
        self.unpacked(path, format);
    }

    /// A package, of whose disks any may be compressed.
    fn package(&mut self, path: &Path) {
        self.list.extend([Need::Image(path.to_owned()), Need::Temporary(std::env::temp_dir())]);
    }

    /// What is compressed as a whole goes through a temporary file.
    fn unpacked(&mut self, path: &Path, format: Option<&str>) {
        let packed = Compression::named(path).is_some() || format == Some("raw.zst");
        if packed || is_named(path) || split_member(path).is_some() {
            self.list.push(Need::Temporary(std::env::temp_dir()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::Cli;
    use clap::Parser;
    use std::path::PathBuf;

    /// What the words of `line` need, as text.
    fn needs(line: &str) -> Vec<String> {
        let cli = Cli::try_parse_from(line.split_whitespace()).unwrap();
        let needs = of(&cli.command, None);
        let temporary = std::env::temp_dir();
        let told = |need: &Need| match need {
            Need::Temporary(path) if *path == temporary => "temporary".to_owned(),
            Need::File(path) => format!("file {}", path.display()),
            Need::Names(path) => format!("names {}", path.display()),
            Need::Image(path) => format!("image {}", path.display()),
            Need::Change(path) => format!("change {}", path.display()),
            Need::Output(path) => format!("output {}", path.display()),
            Need::Folder(path) => format!("folder {}", path.display()),
            Need::Temporary(path) => format!("temporary {}", path.display()),
        };
        let mut told: Vec<_> = needs.list.iter().map(told).collect();
        told.extend(needs.external.then(|| "external".to_owned()));
        told.extend(needs.program.then(|| "program".to_owned()));
        told
    }

    #[test]
    fn what_only_reads_has_nothing_to_write() {
        assert_eq!(needs("vimage info a.vmdk"), ["file a.vmdk"]);
        assert_eq!(needs("vimage info b/a.ovf"), ["names b/a.ovf", "file b/a.ovf"]);
        assert_eq!(needs("vimage info --chain b/a.qcow2"), ["image b/a.qcow2"]);
        assert_eq!(needs("vimage info a.raw.001"), ["image a.raw.001"]);
        assert_eq!(needs("vimage map a.vdi --allow-external"), ["image a.vdi", "external"]);
        assert_eq!(needs("vimage check a.vdi"), ["image a.vdi"]);
        assert_eq!(needs("vimage compare a ../b"), ["image a", "image ../b"]);
        assert_eq!(needs("vimage digest a b"), ["image a", "image b"]);
        assert_eq!(needs("vimage measure x/a -O qcow2 -B b -F raw"), ["image x/a", "image x/b"]);
        assert_eq!(needs("vimage compact -n a.raw"), ["image a.raw", "image a.raw"]);
        assert_eq!(needs("vimage compact -n a.vdi -o b/c.vdi"), ["image a.vdi", "image b/c.vdi"]);
    }

    #[test]
    fn what_may_have_to_be_unpacked_needs_a_temporary_file() {
        for name in ["a.raw.gz", "a.qcow2.xz", "a.zst", "a.ova", "a.box", "a.tar"] {
            assert_eq!(needs(&format!("vimage digest {name}")), [format!("image {name}"), "temporary".into()]);
            assert_eq!(needs(&format!("vimage info {name}")), [format!("file {name}"), "temporary".into()]);
        }
        assert_eq!(needs("vimage verify a.ovf"), ["image a.ovf", "temporary"]);
        assert_eq!(needs("vimage digest -f raw.zst a"), ["image a", "temporary"]);
    }

    #[test]
    fn outputs_are_where_they_go() {
        assert_eq!(needs("vimage convert x/a.raw -O vmdk --split 2G"), ["image x/a.raw", "output x/a.vmdk"]);
        assert_eq!(needs("vimage convert - y/b.qcow2 --spool s"), ["output y/b.qcow2", "temporary s"]);
        assert_eq!(needs("vimage convert a.raw -O raw -"), ["image a.raw"]);
        let several = needs("vimage convert a.raw y/b -O qcow2,vdi,raw:file=-");
        assert_eq!(several, ["image a.raw", "output y/b.qcow2", "output y/b.vdi"]);
        let over = needs("vimage convert a.raw y/b.qcow2 -B ../c.raw -F raw");
        assert_eq!(over, ["image a.raw", "image y/../c.raw", "output y/b.qcow2"]);
        assert_eq!(needs("vimage compact a.vdi -o b.vdi"), ["image a.vdi", "output b.vdi"]);
        assert_eq!(needs("vimage compact --punch a.raw"), ["image a.raw", "change a.raw"]);
        assert_eq!(needs("vimage unpack x/a.ova"), ["image x/a.ova", "temporary", "folder x/a"]);
        let converted = needs("vimage unpack a.7z y/b -O raw");
        assert_eq!(converted, ["image a.7z", "temporary", "output y/b", "folder y/b"]);
        assert_eq!(needs("vimage pack --init x/a.raw"), ["image x/a.raw", "output appliance.toml"]);
    }

    #[test]
    fn what_is_compacted_in_place_is_so_where_it_lies() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().canonicalize().unwrap();
        std::fs::write(folder.join("disk.raw"), "x").unwrap();
        std::os::unix::fs::symlink("disk.raw", folder.join("link")).unwrap();
        let (link, disk) = (folder.join("link"), folder.join("disk.raw"));
        let told = |words: [&str; 2], path: &PathBuf| words.map(|word| format!("{word} {}", path.display()));
        assert_eq!(needs(&format!("vimage compact {}", link.display())), told(["image", "output"], &disk));
        assert_eq!(needs(&format!("vimage compact --punch {}", link.display())), told(["image", "change"], &link));
    }

    #[test]
    fn members_have_the_file_of_their_archive_alone() {
        let folder = tempfile::tempdir().unwrap();
        let archive = folder.path().join("a.ova");
        std::fs::write(&archive, "x").unwrap();
        for command in ["info", "digest"] {
            let needs = needs(&format!("vimage {command} {}:disk.vmdk", archive.display()));
            assert_eq!(needs, [format!("file {}", archive.display()), "temporary".into()]);
        }
    }
}
