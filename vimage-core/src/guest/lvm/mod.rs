//! LVM2: physical volumes, and the logical volumes that lie in them.
//!
//! Extents that no logical volume has are free. A logical volume that lies straight on physical volumes is looked into like
//! a partition; thin ones, mirrors, snapshots and what they are of, and all others are kept.

mod fields;
mod group;
mod label;
mod text;

use super::foreign;
use super::free::Free;
use super::volume::{Segment, Volume};
use crate::error::{Error, ErrorKind, Result};
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
    let mut held = Vec::new();
    for index in 0..labels.len() {
        held.push(guests(held_by(physical, &labels, index, &groups))?);
    }
    Ok(held)
}

/// Lets through what is wrong with the guest's data, and only that.
fn guests<T>(result: Result<T>) -> Result<Result<T>> {
    match result {
        Err(error) if !matches!(error.kind(), ErrorKind::Corrupt | ErrorKind::Unsupported) => Err(error),
        other => Ok(other),
    }
}

/// What a volume that carries LVM's mark and no other says of itself, and the copies of metadata in it.
fn alone(volume: &Volume<'_>) -> Result<(Physical, Vec<Group>)> {
    if let Some(other) = foreign::anything(volume)? {
        return Err(Error::unsupported(format!("carries the marks of {NAME} and of {other}")));
    }
    let physical = label::read(volume)?;
    let groups = physical.texts.iter().map(|text| Group::parse(text)).collect::<Result<_>>();
    Ok((physical, groups.map_err(|error| error.at_offset(volume.disk_offset(0)))?))
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

/// What the physical volume `index` holds.
fn held_by<'a>(
    physical: &[&Volume<'a>],
    labels: &[Physical],
    index: usize,
    groups: &BTreeMap<String, Group>,
) -> Result<Held<'a>> {
    let label = &labels[index];
    if labels.iter().filter(|other| other.id == label.id).count() > 1 {
        return Err(Error::corrupt("another physical volume has the same identifier"));
    }
    let mut found = groups.values().filter_map(|group| Some((group, group.member(&label.id)?.0)));
    let (group, name) = match (found.next(), found.next()) {
        (Some(one), None) => one,
        (None, _) => return Err(Error::unsupported("is in no volume group whose metadata is on this disk")),
        _ => return Err(Error::corrupt("two volume groups have this physical volume")),
    };
    let present = present(group, physical, labels)?;
    let (volume, member) = present[name];
    let mut free = Free::of(volume.size());
    let mut next = 0;
    for used in group.used().remove(name).unwrap_or_default().into_iter().chain([member.extents..member.extents]) {
        if next < used.start {
            // Both are at most the member's extents, which end within the volume.
            free.push(member.start + next * group.extent..member.start + used.start * group.extent)?;
        }
        next = used.end;
    }
    // Those that begin on no physical volume of the disk are told with the first.
    let first = present.keys().next().is_some_and(|first| *first == name);
    let begins_here = |logical: &&Logical| match logical.begins_on().filter(|on| present.contains_key(on)) {
        Some(on) => on == name,
        None => first,
    };
    let visible = group.logical.iter().filter(|logical| logical.visible).filter(begins_here);
    let logical = visible
        .map(|logical| {
            // The group's text is refused where this is not below 2^64.
            let size = logical.extents * group.extent;
            let laid = lay(volume, logical, group, &present).map_err(|error| (size, error));
            (format!("{}/{}", group.name, logical.name), laid)
        })
        .collect();
    Ok(Held { free, logical })
}

/// The group's physical volumes that are on the disk.
type Present<'g, 'a> = BTreeMap<&'g str, (&'g Volume<'a>, &'g Member)>;

/// Finds them, and makes sure that their extents are theirs alone.
fn present<'g, 'a>(group: &'g Group, physical: &[&'g Volume<'a>], labels: &[Physical]) -> Result<Present<'g, 'a>> {
    let mut present = Present::new();
    for (volume, label) in physical.iter().zip(labels) {
        let Some((name, member)) = group.member(&label.id) else { continue };
        let extents = member.start..member.start + member.extents * group.extent;
        let apart = |area: &Range<u64>| area.end <= extents.start || extents.end <= area.start;
        if extents.start < label::LABELS || extents.end > volume.size() || !label.areas.iter().all(apart) {
            return Err(Error::corrupt(format!("the extents of {name} do not lie between its tables and its end"))
                .at_offset(volume.disk_offset(0)));
        }
        present.insert(name, (*volume, member));
    }
    Ok(present)
}

/// The logical volume as bytes of the disk.
fn lay<'a>(volume: &Volume<'a>, logical: &Logical, group: &Group, present: &Present<'_, 'a>) -> Result<Volume<'a>> {
    if let Some(special) = &logical.special {
        return Err(Error::unsupported(special.clone()));
    }
    let mut segments = Vec::new();
    for stretch in &logical.stretches {
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
