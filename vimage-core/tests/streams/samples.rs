//! streamOptimized VMDKs and appliances of other people's products, which the folder of samples keeps compressed.

use crate::left_out::left_out;
use crate::reading::{by_position, same};
use std::path::{Path, PathBuf};
use std::process::Command;
use vimage_core::ErrorKind;
use vimage_core::formats::{StreamOptions, open_packed_file};

fn check(samples: &Path, file: &str, member: Option<&str>) {
    let packed = samples.join(file);
    let folder = tempfile::tempdir().unwrap();
    let mut path = folder.path().join(packed.file_stem().unwrap());
    let zstd = Command::new("zstd").args(["-d", "-q", "--sparse", "-o"]).arg(&path).arg(&packed).status();
    assert!(zstd.unwrap().success(), "{file}");
    let options = StreamOptions { member: member.map(Into::into), ..Default::default() };
    let opened = open_packed_file(&packed, &options, &());
    if let Some(member) = member {
        path = format!("{}:{member}", path.display()).into();
    }
    let by_name = member.is_some_and(|member| member.ends_with(".gz") || file.contains("cdi-fake"));
    match opened {
        Ok(stream) => same(stream, &by_position(&path).unwrap(), file),
        // Two are compressed within their archive, one is no stream.
        Err(error) => assert!(by_name && error.kind() == ErrorKind::Unsupported, "{file}: {error}"),
    }
}

#[test]
fn other_peoples_streams_are_what_their_files_are() {
    let Some(samples) = std::env::var_os("VIMAGE_SAMPLES").filter(|folder| !folder.is_empty()).map(PathBuf::from)
    else {
        left_out("streams", "VIMAGE_SAMPLES names no folder");
        return;
    };
    let text = std::fs::read_to_string(samples.join("INDEX.tsv")).unwrap();
    let mut checked = 0;
    for line in text.lines().map(|line| line.split('\t').collect::<Vec<_>>()) {
        if line[1] != "vmdk" || line[9] != "ok" || !(line[2].starts_with("streamOptimized") || line[0].contains('#')) {
            continue;
        }
        match line[0].split_once('#') {
            Some((file, member)) => check(&samples, file, Some(member)),
            None => check(&samples, line[0], None),
        }
        checked += 1;
    }
    assert!(checked > 8, "only {checked} were checked");
}
