//! Where disks hang: on which controllers, and at which place there.

use crate::error::{Error, Result};
use crate::package::appliance::Appliance;
use crate::package::appliance::Controller;

/// A controller with its disks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Bus {
    /// What it is.
    pub(super) kind: Controller,
    /// Its number among those of its family.
    pub(super) number: u32,
    /// Its disks: which of the appliance's, and the place each has.
    pub(super) disks: Vec<(usize, u32)>,
}

/// Controllers that share a row of numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Family {
    /// All kinds of SCSI.
    Scsi,
    /// AHCI.
    Sata,
    /// NVMe.
    Nvme,
}

/// Controllers of a family that VMware's virtual machines have at most.
pub(super) const MOST: usize = 4;

/// The place of a SCSI controller itself.
const INITIATOR: u32 = 7;

impl Controller {
    /// The row of numbers that it is in.
    pub(super) fn family(self) -> Family {
        match self {
            Controller::LsiLogic | Controller::LsiSas | Controller::Pvscsi => Family::Scsi,
            Controller::Sata => Family::Sata,
            Controller::Nvme => Family::Nvme,
        }
    }

    /// What people call it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Controller::LsiLogic => "LSI Logic SCSI",
            Controller::LsiSas => "LSI Logic SAS",
            Controller::Pvscsi => "paravirtual SCSI",
            Controller::Sata => "SATA",
            Controller::Nvme => "NVMe",
        }
    }

    /// The places for disks: VMware's and VirtualBox's figures, the smaller where they differ.
    fn places(self) -> impl Iterator<Item = u32> {
        // One more on SCSI, which is the controller's.
        let count = self.disks() + usize::from(self.is_scsi());
        (0..count as u32).filter(move |&place| !self.is_scsi() || place != INITIATOR)
    }
}

/// The controllers that the disks of `appliance` need, in the order in which disks ask for them; where one is full, another
/// of its kind follows.
///
/// # Errors
/// `Usage` where there are more disks than places.
pub(super) fn place(appliance: &Appliance) -> Result<Vec<Bus>> {
    let mut buses: Vec<Bus> = Vec::new();
    for (index, disk) in appliance.disks.iter().enumerate() {
        let kind = disk.controller;
        // Places are given in order, so the next is the one that as many disks have taken before.
        let free = |bus: &Bus| kind.places().nth(bus.disks.len());
        let open = buses.iter_mut().find(|bus| bus.kind == kind && free(bus).is_some());
        let bus = match open {
            Some(bus) => bus,
            None => {
                let number = buses.iter().filter(|bus| bus.kind.family() == kind.family()).count();
                if number == MOST {
                    return Err(Error::usage(format!(
                        "no place is left for disk {} on {MOST} controllers of its family, {}",
                        index + 1,
                        kind.name()
                    ))
                    .with_hint("hang some of the disks on another kind of controller"));
                }
                buses.push(Bus { kind, number: number as u32, disks: Vec::new() });
                let last = buses.len() - 1;
                &mut buses[last]
            }
        };
        if let Some(place) = free(bus) {
            bus.disks.push((index, place));
        }
    }
    Ok(buses)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;
    use crate::package::appliance::Disk;

    fn placed(kinds: &[(Controller, usize)]) -> Result<Vec<Bus>> {
        let mut appliance = Appliance::new("a");
        for &(controller, count) in kinds {
            let disk = Disk { role: Default::default(), image: None, size: None, controller };
            appliance.disks.extend(std::iter::repeat_n(disk, count));
        }
        place(&appliance)
    }

    #[test]
    fn a_full_controller_is_followed_by_another() {
        let buses = placed(&[(Controller::LsiLogic, 16)]).unwrap();
        let places: Vec<u32> = buses[0].disks.iter().map(|disk| disk.1).collect();
        assert_eq!(places, [0, 1, 2, 3, 4, 5, 6, 8, 9, 10, 11, 12, 13, 14, 15]);
        assert_eq!((buses[1].number, buses[1].disks.as_slice()), (1, [(15, 0)].as_slice()));
    }

    #[test]
    fn kinds_of_scsi_share_their_numbers() {
        let buses = placed(&[(Controller::Sata, 1), (Controller::LsiSas, 1), (Controller::Pvscsi, 1)]).unwrap();
        assert_eq!(buses.iter().map(|bus| bus.number).collect::<Vec<_>>(), [0, 0, 1]);
    }

    #[test]
    fn more_disks_than_places_are_an_error() {
        assert_eq!(placed(&[(Controller::LsiLogic, 60)]).unwrap().len(), 4);
        for (kind, most) in [(Controller::LsiLogic, 60), (Controller::Sata, 120), (Controller::Nvme, 60)] {
            assert!(placed(&[(kind, most)]).is_ok());
            assert_eq!(placed(&[(kind, most + 1)]).unwrap_err().kind(), ErrorKind::Usage);
        }
    }
}
