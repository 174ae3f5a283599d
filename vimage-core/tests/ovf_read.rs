//! Reading descriptors: what other tools wrote, and what nobody should have written.

#![allow(clippy::unwrap_used, reason = "a test may")]

#[path = "peers/left_out.rs"]
mod left_out;
#[path = "ovf/made.rs"]
mod made;
#[path = "ovf/samples.rs"]
mod samples;

use left_out::say;
use made::{MADE, made_with};
use samples::{Sample, samples};
use vimage_core::ErrorKind;
use vimage_core::package::descriptor::{Descriptor, Version};
use vimage_core::package::ovf::read;

/// What differs between a descriptor as it was read and what the independent parser found.
fn difference(sample: &Sample, found: &Descriptor) -> Option<String> {
    let version = match found.version {
        Version::V0 => "0.9",
        Version::V1 => "1.x",
        Version::V2 => "2.0",
    };
    let hrefs = found.files.iter().map(|file| if file.href.is_empty() { "None".into() } else { file.href.clone() });
    let capacities = found.disks.iter().map(|disk| disk.capacity.map_or("None".into(), |bytes| bytes.to_string()));
    let systems = sample.note("systems").and_then(|text| text.split(' ').next()).unwrap_or_default();
    let some = |feature: &str| sample.notes.split(['|', ';', ',']).any(|word| word.trim() == feature);
    let keys: Vec<_> = found.systems.iter().flat_map(|system| &system.properties).collect();
    // Where the outermost element has no namespace, what is in it has one.
    if !matches!(sample.note("ns"), Some(space) if space == version || space.is_empty()) {
        Some(format!("version {version}"))
    } else if !is_listed(sample.note("files"), hrefs.clone(), |said| said) {
        Some(format!("files {:?}", hrefs.collect::<Vec<_>>()))
    } else if !is_listed(sample.note("disks"), capacities.clone(), |said| said.split('[').next().unwrap()) {
        Some(format!("capacities {:?}", capacities.collect::<Vec<_>>()))
    } else if systems != found.systems.len().to_string() || sample.notes.contains("collection(s)") != found.collection {
        Some(format!("{} systems, collection {}", found.systems.len(), found.collection))
    } else if !found.configurations.is_empty() && !some("configs") || !keys.is_empty() && !some("props") {
        Some(format!("configurations {:?}, properties {keys:?}", found.configurations))
    } else {
        None
    }
}

/// Whether `note`, a number and a list that may end early, is about as many values as were `found`, and about these. What a
/// property gives, the other parser does not follow; a comma in a name does not part two.
fn is_listed(note: Option<&str>, found: impl Iterator<Item = String>, value: fn(&str) -> &str) -> bool {
    let found: Vec<String> = found.collect();
    let (number, list) = note.map_or(("", ""), |note| note.split_once(':').unwrap_or((note, "")));
    let whole = list.trim_end_matches('…');
    let same = |(said, read): (&str, &String)| value(said) == read || said.starts_with("${");
    let values_agree = whole.split(',').zip(&found).all(same) || found.join(",").starts_with(whole);
    number == found.len().to_string() && (found.is_empty() || values_agree)
}

/// Where that parser looks where nothing should be, or at names alone: what the specification has elsewhere is not read.
const ELSEWHERE: [&str; 3] = [
    // Disks within a machine.
    "DiskSection_1_0/Neg/inside_content.ovf",
    "DiskSection/Neg/inside_content.ovf",
    // A machine that only an attribute of another namespace calls one.
    "Envelope/Neg/invalid_namespace.ovf",
];

/// Called sound in the collection, but with a prefix that is nowhere declared: no XML with namespaces, by that parser too.
const UNDECLARED: &str = "/item_msgid.ovf";

#[test]
fn other_tools_descriptors_are_read_as_an_independent_parser_reads_them() {
    let mut faults = Vec::new();
    let (mut read_in_all, mut refused) = (0, 0);
    for sample in samples("descriptors") {
        let malformed = sample.note("ns").is_none_or(|space| space.starts_with("http"));
        match read(&sample.bytes) {
            Ok(_) if malformed => faults.push(format!("{}: read, though {}", sample.name, sample.notes)),
            Err(error) if sample.is_one_of(&["pve-XEE.ovf.zst"]) && error.kind() != ErrorKind::Refused => {
                faults.push(format!("{}: {error}, though it asks for another file", sample.name));
            }
            Err(_) if malformed && (!sample.sound || sample.is_one_of(&[UNDECLARED])) => refused += 1,
            Err(error) => faults.push(format!("{}: {error}", sample.name)),
            Ok(found) => {
                read_in_all += 1;
                let difference = difference(&sample, &found).filter(|_| !sample.is_one_of(&ELSEWHERE));
                faults.extend(difference.map(|what| format!("{}: {what}, not {}", sample.name, sample.notes)));
            }
        }
    }
    assert!(faults.is_empty(), "{} faults:\n{}", faults.len(), faults.join("\n"));
    say("descriptors", &format!("{read_in_all} read, {refused} refused"));
}

#[test]
fn a_descriptor_is_read_whole() {
    let found = read(MADE.as_bytes()).unwrap();
    assert_eq!((found.version, found.collection), (Version::V1, false));
    assert_eq!(found.networks, ["VM Network"]);
    assert_eq!(found.configurations, [""; 0]);
    let [file] = &found.files[..] else { panic!("{:?}", found.files) };
    assert_eq!(
        (&file.href[..], file.size, &file.compression, file.chunk_size),
        ("tool-disk1.vmdk", Some(123_456), &None, None)
    );
    let [first, second] = &found.disks[..] else { panic!("{:?}", found.disks) };
    assert_eq!(
        (first.capacity, first.populated, first.file.as_deref()),
        (Some(100 << 20), Some(7_864_320), Some("file1"))
    );
    assert_eq!((second.capacity, &second.file, &second.parent), (Some(2 << 30), &None, &None));

    let [system] = &found.systems[..] else { panic!("{:?}", found.systems) };
    assert_eq!(system.id, "tool");
    assert_eq!(system.name.as_deref(), Some("A & B \u{2013} tool"));
    assert_eq!(system.os, Some((96, "debian12_64Guest".into())));
    assert_eq!(system.hardware, ["vmx-11", "vmx-13"]);
    assert!(system.efi);
    assert_eq!((system.product.as_deref(), system.vendor.as_deref()), (Some("Tool"), Some("Example")));
    assert_eq!((system.product_version.as_deref(), system.annotation.as_deref()), (Some("1.0"), Some("Read me")));
    assert_eq!(system.properties, ["org.example.hostname.1", "org.example.size.1"]);
    assert_eq!(system.eulas, ["Agree"]);

    let item = |number: &str| system.items.iter().find(|item| item.instance == number).unwrap();
    assert_eq!((item("1").kind, item("1").quantity), (3, Some(2)));
    assert_eq!((item("2").kind, item("2").quantity), (4, Some(2 << 30)));
    assert_eq!((item("3").kind, item("3").subkind.as_deref()), (6, Some("lsilogic")));
    let disk = item("5");
    assert_eq!((disk.kind, &disk.name[..], disk.optional), (17, "Disk 2", false));
    assert_eq!((disk.parent.as_deref(), disk.address_on_parent.as_deref()), (Some("3"), Some("1")));
    assert_eq!(disk.host_resource.as_deref(), Some("ovf:/disk/disk2"));
    assert_eq!(item("6").connections, ["VM Network"]);
    assert!(item("7").optional);
}

#[test]
fn what_cannot_be_understood_is_left_out() {
    let disk = |old: &str, new: &str| read(made_with(old, new).as_bytes()).unwrap().disks.swap_remove(0);
    for capacity in ["-1", "1.5", "0x10", "99999999999999999999", "9999999999999999", "", "${nothing}"] {
        assert_eq!(
            disk("ovf:capacity=\"100\"", &format!("ovf:capacity=\"{capacity}\"")).capacity,
            None,
            "{capacity:?}"
        );
    }
    // As the specification has it, the property's default.
    assert_eq!(disk("ovf:capacity=\"100\"", "ovf:capacity=\"${size}\"").capacity, Some(5 << 20));
    assert_eq!(disk("ovf:capacity=\"100\"", "ovf:capacity=\"${org.example.size.1}\"").capacity, Some(5 << 20));
    assert_eq!(disk("byte * 2^20", "byte * 2^99").capacity, None);
    assert_eq!(disk("byte * 2^20", "GigaBytes").capacity, Some(100 << 30));

    let items = |old: &str, new: &str| read(made_with(old, new).as_bytes()).unwrap().systems.swap_remove(0).items;
    assert_eq!(items("<rasd:ResourceType>3<", "<rasd:ResourceType>70000<")[0].kind, 0);
    assert_eq!(items("<rasd:VirtualQuantity>2048<", "<rasd:VirtualQuantity>18446744073709551615<")[1].quantity, None);
    assert_eq!(items("<rasd:VirtualQuantity>2048<", "<rasd:VirtualQuantity>lots<")[1].quantity, None);
}

#[test]
fn the_default_of_the_variants_comes_first() {
    let options = "<DeploymentOptionSection><Info/><Configuration ovf:id=\"small\"/>\
                   <Configuration ovf:id=\"big\" ovf:default=\"true\"/></DeploymentOptionSection><VirtualSystem ";
    let text = made_with("<VirtualSystem ", options)
        .replace("<Item ovf:required=\"false\">", "<Item ovf:configuration=\"small  big\">");
    let found = read(text.as_bytes()).unwrap();
    assert_eq!(found.configurations, ["big", "small"]);
    assert_eq!(found.systems[0].items[6].configurations, ["small", "big"]);
}

#[test]
fn machines_within_collections_are_read_in_their_order() {
    let inner = "<VirtualSystem ovf:id=\"b\"><Info/></VirtualSystem>";
    let outer = format!(
        "<VirtualSystemCollection ovf:id=\"all\"><Info/><VirtualSystemCollection ovf:id=\"some\"><Info/>{inner}\
         </VirtualSystemCollection><VirtualSystem ovf:id=\"tool\">"
    );
    let text = made_with("<VirtualSystem ovf:id=\"tool\">", &outer)
        .replace("</VirtualSystem>\n</Envelope>", "</VirtualSystem></VirtualSystemCollection></Envelope>");
    let found = read(text.as_bytes()).unwrap();
    assert!(found.collection);
    let ids: Vec<_> = found.systems.iter().map(|system| &system.id[..]).collect();
    assert_eq!(ids, ["b", "tool"]);
}

#[test]
fn texts_may_stand_elsewhere_and_in_another_encoding() {
    let text = made_with("<License>Agree</License>", "<License ovf:msgid=\"yes\"/>")
        .replace("</Envelope>", "<Strings xml:lang=\"fr\"><Msg ovf:msgid=\"yes\">Accordé</Msg></Strings></Envelope>");
    let eula = |bytes: &[u8]| read(bytes).unwrap().systems[0].eulas.join("");
    assert_eq!(eula(text.as_bytes()), "Accordé");
    assert_eq!(eula(&[b"\xef\xbb\xbf", text.as_bytes()].concat()), "Accordé");
    let units: Vec<u16> = text.replace("UTF-8", "UTF-16").encode_utf16().collect();
    let little: Vec<u8> = units.iter().flat_map(|unit| unit.to_le_bytes()).collect();
    let big: Vec<u8> = units.iter().flat_map(|unit| unit.to_be_bytes()).collect();
    assert_eq!(eula(&[b"\xff\xfe", &little[..]].concat()), "Accordé");
    assert_eq!(eula(&[b"\xfe\xff", &big[..]].concat()), "Accordé");
    assert_eq!(eula(&little), "Accordé");
    let latin =
        text.replace("UTF-8", "ISO-8859-1").chars().map(|c| u8::try_from(u32::from(c)).unwrap()).collect::<Vec<_>>();
    assert_eq!(eula(&latin), "Accordé");
    let error = read(text.replace("UTF-8", "windows-1252").as_bytes()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    let error = read(&latin.iter().skip_while(|byte| **byte != b'\n').copied().collect::<Vec<_>>()).unwrap_err();
    assert_eq!((error.kind(), error.message().contains("no UTF-8")), (ErrorKind::Corrupt, true), "{error}");
}
