//! A volume group, as its metadata describes it: which extents of which physical volume are whose.
//!
//! The names are those of LVM2's lib/format_text/export.c.

use super::fields::{bad, number, only, section, sections, sectors, string, strings, texts};
use super::text::{Section, Value, parse};
use crate::error::{Error, ErrorKind, Result};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

/// States of a group, of a physical and of a logical volume that change nothing about whose the extents are.
const GROUP_STATES: [&str; 3] = ["RESIZEABLE", "READ", "WRITE"];
const PHYSICAL_STATES: [&str; 1] = ["ALLOCATABLE"];
const LOGICAL_STATES: [&str; 4] = ["READ", "WRITE", "VISIBLE", "FIXED_MINOR"];

/// Flags of a logical volume that tell only when it is to be started.
const LOGICAL_FLAGS: [&str; 2] = ["ACTIVATION_SKIP", "NOAUTOACTIVATE"];

/// States of a logical volume while its extents move.
const MOVING: [&str; 3] = ["PVMOVE", "LOCKED", "CONVERTING"];

/// A volume group.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Group {
    pub(super) id: String,
    pub(super) name: String,
    /// How often it was changed.
    pub(super) changes: u64,
    /// Bytes of an extent.
    pub(super) extent: u64,
    /// By the names that they have in the metadata.
    pub(super) physical: BTreeMap<String, Member>,
    pub(super) logical: Vec<Logical>,
}

/// A physical volume of the group.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Member {
    pub(super) id: String,
    /// The byte at which its extents begin.
    pub(super) start: u64,
    pub(super) extents: u64,
}

/// A logical volume.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Logical {
    pub(super) name: String,
    /// Whether the guest sees it; the others are parts of such.
    pub(super) visible: bool,
    /// Its size in extents.
    pub(super) extents: u64,
    /// What of it lies straight on physical volumes.
    pub(super) stretches: Vec<Stretch>,
    /// Why it is not looked into, if it is not.
    pub(super) special: Option<String>,
}

/// Extents of a logical volume that lie on one or several physical volumes in turn.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Stretch {
    /// The logical volume's extents.
    pub(super) range: Range<u64>,
    /// The physical volumes, and the first extent on each.
    pub(super) stripes: Vec<(String, u64)>,
    /// Bytes that go to one before the next has its turn.
    pub(super) chunk: u64,
}

impl Stretch {
    /// Extents on each of the physical volumes.
    pub(super) fn depth(&self) -> u64 {
        (self.range.end - self.range.start) / self.stripes.len().max(1) as u64
    }
}

impl Group {
    /// Takes the text of a metadata area apart.
    ///
    /// # Errors
    /// `Corrupt` and `Unsupported` where it is not clear whose each extent is.
    pub(super) fn parse(text: &str) -> Result<Self> {
        let top = parse(text)?;
        if string(&top, "contents")? != "Text Format Volume Group" || number(&top, "version")? != 1 {
            return Err(Error::unsupported("LVM's metadata is of another kind or version than 1"));
        }
        let mut groups = sections(&top);
        let (Some((name, group)), None) = (groups.next(), groups.next()) else {
            return Err(bad("has not one group"));
        };
        Self::of(name, group)
    }

    fn of(name: &str, group: &Section<'_>) -> Result<Self> {
        if group.contains_key("format") && string(group, "format")? != "lvm2" {
            return Err(Error::unsupported("the volume group is not of the format lvm2"));
        }
        only(group, "status", &GROUP_STATES, "the volume group")?;
        only(group, "flags", &[], "the volume group")?;
        let extent = sectors(group, "extent_size")?;
        if extent == 0 {
            return Err(bad("has extents of no size"));
        }
        let mut physical = BTreeMap::new();
        let mut ids = BTreeSet::new();
        for (name, member) in section(group, "physical_volumes").into_iter().flat_map(sections) {
            only(member, "status", &PHYSICAL_STATES, name)?;
            only(member, "flags", &[], name)?;
            let (start, extents) = (sectors(member, "pe_start")?, number(member, "pe_count")?);
            let id = string(member, "id")?.replace('-', "");
            if extents.checked_mul(extent).and_then(|len| start.checked_add(len)).is_none() {
                return Err(bad("has a physical volume larger than any"));
            }
            if !ids.insert(id.clone()) {
                return Err(bad("names a physical volume twice"));
            }
            physical.insert(name.to_owned(), Member { id, start, extents });
        }
        let mut logical = Vec::new();
        let mut parts = BTreeSet::new();
        for (name, volume) in section(group, "logical_volumes").into_iter().flat_map(sections) {
            logical.push(Logical::of(name, volume, &physical, extent, &mut parts)?);
        }
        // What another volume lies on, or is a snapshot of, is not free where its own content says so.
        for volume in logical.iter_mut().filter(|volume| parts.contains(volume.name.as_str())) {
            volume.special.get_or_insert_with(|| "shares its content with another logical volume".into());
        }
        let id = string(group, "id")?.to_owned();
        let group = Group { id, name: name.to_owned(), changes: number(group, "seqno")?, extent, physical, logical };
        group.check()?;
        Ok(group)
    }

    /// Makes sure that each extent is there, and is one volume's only.
    fn check(&self) -> Result<()> {
        for (name, used) in self.used() {
            if used.windows(2).any(|pair| pair[1].start < pair[0].end) {
                return Err(bad(&format!("gives extents of {name} to two volumes")));
            }
            if used.last().is_some_and(|last| last.end > self.physical[name].extents) {
                return Err(bad(&format!("gives extents of {name} that it has not")));
            }
        }
        Ok(())
    }

    /// The logical volumes that the guest sees, by the physical volume on which they begin.
    pub(super) fn beginning(&self) -> BTreeMap<Option<&str>, Vec<&Logical>> {
        let mut found: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for logical in self.logical.iter().filter(|logical| logical.visible) {
            found.entry(logical.begins_on()).or_default().push(logical);
        }
        found
    }

    /// The extents of each physical volume that are some logical volume's, ascending.
    pub(super) fn used(&self) -> BTreeMap<&str, Vec<Range<u64>>> {
        let mut used: BTreeMap<&str, Vec<_>> = BTreeMap::new();
        for stretch in self.logical.iter().flat_map(|logical| &logical.stretches) {
            for (name, first) in &stretch.stripes {
                // Saturated, it is past what any physical volume has, and so refused.
                used.entry(name).or_default().push(*first..first.saturating_add(stretch.depth()));
            }
        }
        used.values_mut().for_each(|ranges| ranges.sort_unstable_by_key(|range| range.start));
        used
    }
}

impl Logical {
    fn of<'t>(
        name: &str,
        volume: &Section<'t>,
        physical: &BTreeMap<String, Member>,
        extent: u64,
        parts: &mut BTreeSet<&'t str>,
    ) -> Result<Self> {
        let states = strings(volume, "status")?;
        if states.iter().any(|state| MOVING.contains(state)) {
            return Err(Error::unsupported(format!("the extents of logical volume {name} are being moved"))
                .with_hint("start the guest and let LVM finish"));
        }
        let unknown = only(volume, "status", &LOGICAL_STATES, name).and(only(volume, "flags", &LOGICAL_FLAGS, name));
        let mut special = match unknown {
            Err(error) if error.kind() == ErrorKind::Unsupported => Some(error.message().to_owned()),
            other => other.map(|()| None)?,
        };
        let mut segments = sections(volume).map(|(_, segment)| segment).collect::<Vec<_>>();
        if number(volume, "segment_count")? != segments.len() as u64 {
            return Err(bad(&format!("miscounts the segments of {name}")));
        }
        let mut starts = segments.iter().map(|segment| number(segment, "start_extent")).collect::<Result<Vec<_>>>()?;
        starts.sort_unstable();
        segments.sort_by_key(|segment| number(segment, "start_extent").unwrap_or_default());
        let mut end = 0_u64;
        let mut stretches = Vec::new();
        for (segment, start) in segments.into_iter().zip(starts) {
            let count = number(segment, "extent_count")?;
            if start != end || count == 0 {
                return Err(bad(&format!("has a gap in logical volume {name}")));
            }
            end = start.checked_add(count).ok_or_else(|| bad(&format!("makes {name} larger than any volume")))?;
            let mut names = Vec::new();
            segment.iter().filter(|(key, _)| **key != "type").for_each(|(_, value)| texts(value, &mut names));
            parts.extend(names.iter().filter(|name| !physical.contains_key(**name)));
            // Behind a plus there are names of features.
            let written = string(segment, "type")?;
            let kind = written.split('+').next().unwrap_or_default();
            match kind {
                "striped" | "linear" if written == kind => {
                    let stripes = stripes(segment, physical)?;
                    if stripes.len() as u64 != number(segment, "stripe_count")? {
                        special.get_or_insert_with(|| "lies on another logical volume".into());
                        if stripes.is_empty() {
                            continue;
                        }
                        return Err(Error::unsupported(format!("{name} lies on physical and logical volumes")));
                    }
                    let chunk = if stripes.len() == 1 { extent } else { sectors(segment, "stripe_size")? };
                    let stretch = Stretch { range: start..end, stripes, chunk };
                    let tiles = chunk != 0
                        && extent.is_multiple_of(chunk)
                        && count == stretch.depth() * stretch.stripes.len() as u64;
                    if !tiles {
                        return Err(bad(&format!("has stripes in {name} that do not come out even")));
                    }
                    stretches.push(stretch);
                }
                _ if names.iter().any(|name| physical.contains_key(*name)) => {
                    return Err(Error::unsupported(format!("{name} lies, as {kind}, straight on a physical volume")));
                }
                _ => {
                    special.get_or_insert_with(|| format!("is of LVM's type {kind}, which is not looked into"));
                }
            }
        }
        if end.checked_mul(extent).is_none() {
            return Err(bad(&format!("makes {name} larger than any volume")));
        }
        // What a snapshot is made of is told by its origin and its store.
        let is_link = sections(volume).any(|(_, segment)| string(segment, "type").is_ok_and(|kind| kind == "snapshot"));
        let visible = states.contains(&"VISIBLE") && !is_link;
        Ok(Logical { name: name.to_owned(), visible, extents: end, stretches, special })
    }
}

impl Logical {
    /// The physical volume on which its first extent lies.
    fn begins_on(&self) -> Option<&str> {
        let first = self.stretches.first().filter(|stretch| stretch.range.start == 0)?;
        first.stripes.first().map(|(name, _)| name.as_str())
    }
}

/// The stripes that lie on physical volumes.
fn stripes(segment: &Section<'_>, physical: &BTreeMap<String, Member>) -> Result<Vec<(String, u64)>> {
    let Some(Value::List(list)) = segment.get("stripes") else { return Err(bad("has a segment without stripes")) };
    let mut found = Vec::new();
    for pair in list.chunks(2) {
        let [Value::Text(name), Value::Number(first)] = pair else {
            return Err(bad("has a stripe that is no name and number"));
        };
        if physical.contains_key(*name) {
            found.push(((*name).to_owned(), *first));
        }
    }
    Ok(found)
}
