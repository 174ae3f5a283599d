//! LVM2: physical volumes, and the logical volumes that lie in them.
//!
//! Extents that no logical volume has are free. A logical volume that lies straight on physical volumes is looked into like
//! a partition; thin ones, mirrors, snapshots and what they are of, and all others are kept.

mod fields;
mod group;
mod label;
mod text;

use super::free::Free;
use super::volume::{Segment, Volume};
use super::{foreign, guests};
use crate::error::{Error, Result};
use group::{Group, Logical, Member};
use label::Physical;
use std::collections::BTreeMap;
use std::ops::Range;

/// What a physical volume is called.
pub(super) const NAME: &str = "LVM2";

/// What a physical volume holds.
pub(super) struct Held<'a> {
    /// Its extents that no logical volume has.
    pub(super) free: Free,
    /// The logical volumes that begin in it, as `group/volume`; those that cannot be looked into with their size and why.
    pub(super) logical: Vec<(String, Laid<'a>)>,
}

/// A logical volume, or its size and why it is not looked into.
type Laid<'a> = std::result::Result<Volume<'a>, (u64, Error)>;

/// Whether the volume is a physical volume.
///
/// # Errors
/// Those of reading.
pub(super) fn recognise(volume: &Volume<'_>) -> Result<bool> {
    label::recognise(volume)
}

/// Reads the metadata of all physical volumes of a disk: for each, what it holds, or why it is kept whole.
///
/// # Errors
/// `Io` and `Cancelled`.
pub(super) fn read<'a>(physical: &[&Volume<'a>]) -> Result<Vec<Result<Held<'a>>>> {
    let mut labels = Vec::new();
    for volume in physical {
        labels.push(guests(alone(volume))?);
    }
    if labels.iter().any(Result::is_err) {
        // What cannot be read may be newer than what can.
        let other = || Error::unsupported("lies beside another physical volume that cannot be read");
        return Ok(labels.into_iter().map(|label| Err(label.err().unwrap_or_else(other))).collect());
    }
    let (labels, copies): (Vec<_>, Vec<_>) = labels.into_iter().flatten().unzip();
    let Some(groups) = newest(copies.into_iter().flatten()) else {
        let each = |_| Err(Error::corrupt("copies of LVM's metadata do not agree"));
        return Ok(physical.iter().map(each).collect());
    };
    let disk = Disk::of(physical, &labels);
    let mut placed = Vec::new();
    for group in groups.values() {
        placed.push(Placed {
            group,
            present: guests(disk.present(group))?,
            used: group.used(),
            beginning: group.beginning(),
        });
    }
    // Where each physical volume is told of: in which group, and as what.
    let mut members: BTreeMap<&[u8], Vec<(&Placed<'_, '_>, &str)>> = BTreeMap::new();
    for placed in &placed {
        for (name, member) in &placed.group.physical {
            members.entry(member.id.as_bytes()).or_default().push((placed, name.as_str()));
        }
    }
    let mut held = Vec::new();
    for (volume, label) in physical.iter().zip(&labels) {
        let found = members.get(&label.id[..]).map_or(&[][..], Vec::as_slice);
        held.push(guests(disk.held_by(volume, label, found))?);
    }
    Ok(held)
}

/// What a volume that carries LVM's mark and no other says of itself, and the copies of metadata in it.
fn alone(volume: &Volume<'_>) -> Result<(Physical, Vec<Group>)> {
    if let Some(other) = foreign::anything(volume)? {
        return Err(Error::unsupported(format!("carries the marks of {NAME} and of {other}")));
    }
    let (label, metadata) = label::read(volume)?;
    let mut groups = Vec::new();
    for area in &metadata {
        if let Some(text) = label::text(volume, area)? {
            groups.push(Group::parse(&text).map_err(|error| error.at_offset(volume.disk_offset(0)))?);
        }
    }
    Ok((label, groups))
}

/// The groups by their identifiers, each as the newest of its copies describes it; none where copies of one age differ.
fn newest(copies: impl Iterator<Item = Group>) -> Option<BTreeMap<String, Group>> {
    let mut groups: BTreeMap<String, Group> = BTreeMap::new();
    for copy in copies {
        match groups.get(&copy.id) {
            Some(known) if known.changes > copy.changes => {}
            Some(known) if known.changes == copy.changes && *known != copy => return None,
            _ => drop(groups.insert(copy.id.clone(), copy)),
        }
    }
    Some(groups)
}

/// A group, and where it lies.
struct Placed<'g, 'a> {
    group: &'g Group,
    present: Result<Present<'g, 'a>>,
    used: BTreeMap<&'g str, Vec<Range<u64>>>,
    beginning: BTreeMap<Option<&'g str>, Vec<&'g Logical>>,
}

/// The group's physical volumes that are on the disk.
type Present<'g, 'a> = BTreeMap<&'g str, (&'g Volume<'a>, &'g Member)>;

/// The disk's physical volumes by their identifiers; none where two have the same.
struct Disk<'g, 'a>(BTreeMap<&'g [u8], Option<(&'g Volume<'a>, &'g Physical)>>);

impl<'g, 'a> Disk<'g, 'a> {
    fn of(physical: &[&'g Volume<'a>], labels: &'g [Physical]) -> Self {
        let mut found = BTreeMap::new();
        for (volume, label) in physical.iter().zip(labels) {
            found.entry(&label.id[..]).and_modify(|known| *known = None).or_insert(Some((*volume, label)));
        }
        Disk(found)
    }

    /// Finds those of a group, and makes sure that their extents are theirs alone.
    fn present(&self, group: &'g Group) -> Result<Present<'g, 'a>> {
        let mut present = Present::new();
        for (name, member) in &group.physical {
            let Some(Some((volume, label))) = self.0.get(member.id.as_bytes()) else { continue };
            volume.go_on()?;
            let extents = member.start..member.start + member.extents * group.extent;
            let apart = |area: &Range<u64>| area.end <= extents.start || extents.end <= area.start;
            if extents.start < label::LABELS || extents.end > volume.size() || !label.areas.iter().all(apart) {
                return Err(Error::corrupt(format!("the extents of {name} do not lie between its tables and its end"))
                    .at_offset(volume.disk_offset(0)));
            }
            present.insert(name.as_str(), (*volume, member));
        }
        Ok(present)
    }

    /// What a physical volume holds, which `found` tells of.
    fn held_by(&self, volume: &Volume<'a>, label: &Physical, found: &[(&Placed<'g, 'a>, &str)]) -> Result<Held<'a>> {
        if let Some(None) = self.0.get(&label.id[..]) {
            return Err(Error::corrupt("another physical volume has the same identifier"));
        }
        let (Placed { group, present, used, beginning }, name) = match found {
            [one] => *one,
            [] => return Err(Error::unsupported("is in no volume group whose metadata is on this disk")),
            _ => return Err(Error::corrupt("two volume groups have this physical volume")),
        };
        let present = present.as_ref().map_err(|error| {
            let place = error.offset().unwrap_or(volume.disk_offset(0));
            Error::new(error.kind(), error.message()).at_offset(place)
        })?;
        let (_, member) = present[name];
        let mut free = Free::of(volume.size());
        let mut next = 0;
        let used = used.get(name).map_or(&[][..], Vec::as_slice);
        for used in used.iter().chain([&(member.extents..member.extents)]) {
            if next < used.start {
                volume.go_on()?;
                // Both are at most the member's extents, which end within the volume.
                free.push(member.start + next * group.extent..member.start + used.start * group.extent)?;
            }
            next = used.end;
        }
        // Those that begin on no physical volume of the disk are told with the first.
        let is_first = present.keys().next().is_some_and(|first| *first == name);
        let is_here = |on: &Option<&str>| match on {
            Some(on) if present.contains_key(*on) => *on == name,
            _ => is_first,
        };
        let mut logical = Vec::new();
        for found in beginning.iter().filter(|(on, _)| is_here(on)).flat_map(|(_, found)| found) {
            // The group's text is refused where this is not below 2^64.
            let size = found.extents * group.extent;
            let laid = lay(volume, found, group, present).map_err(|error| (size, error));
            logical.push((format!("{}/{}", group.name, found.name), laid));
        }
        Ok(Held { free, logical })
    }
}

/// The logical volume as bytes of the disk.
fn lay<'a>(volume: &Volume<'a>, logical: &Logical, group: &Group, present: &Present<'_, 'a>) -> Result<Volume<'a>> {
    if let Some(special) = &logical.special {
        return Err(Error::unsupported(special.clone()));
    }
    let mut segments = Vec::new();
    for stretch in &logical.stretches {
        volume.go_on()?;
        let mut stripes = Vec::new();
        for (name, first) in &stretch.stripes {
            let Some((on, member)) = present.get(name.as_str()) else {
                return Err(Error::unsupported("lies in part on a disk that is not this one"));
            };
            stripes.push(on.disk_offset(member.start + first * group.extent));
        }
        let range = stretch.range.start * group.extent..stretch.range.end * group.extent;
        segments.push(match stripes[..] {
            [at] => Segment::linear(range, at),
            _ => Segment { range, stripes, chunk: stretch.chunk },
        });
    }
    volume.of_segments(segments)
}
