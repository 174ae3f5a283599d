//! Network cards, and the ports that lead to the guest.

use super::{Checked, Fault, Key, texts};
use crate::package::appliance::{Forward, Network, NetworkKind};
use std::collections::BTreeMap;
use std::net::Ipv4Addr;

/// Network cards of a machine: VMware's limit.
const CARDS: usize = 10;

/// The cards, and what is forwarded through them.
pub(super) fn check(networks: &[Network]) -> Checked {
    let all = Key::of("network");
    if networks.len() > CARDS {
        return Err(Fault::new(all.nth(CARDS), format!("a machine has up to {CARDS} network cards")));
    }
    let mut kinds: BTreeMap<&str, NetworkKind> = BTreeMap::new();
    let mut forwards: Vec<&Forward> = Vec::new();
    for (index, network) in networks.iter().enumerate() {
        let key = all.nth(index);
        texts::name(key.then("name"), &network.name)?;
        let kind = *kinds.entry(&network.name).or_insert(network.kind);
        if kind != network.kind {
            let message = format!("the network {:?} is of another kind above", network.name);
            return Err(Fault::new(key.then("kind"), message).with_hint("cards with one name are on one network"));
        }
        if network.kind != NetworkKind::Nat && !network.forwards.is_empty() {
            let message =
                "ports are forwarded where kind = \"nat\" alone: elsewhere the guest has an address of its own";
            return Err(Fault::new(key.then("forward").nth(0), message));
        }
        for (index, forward) in network.forwards.iter().enumerate() {
            port(&key.then("forward").nth(index), forward, &forwards)?;
            forwards.push(forward);
        }
    }
    Ok(())
}

/// A port, beside those `before` it.
fn port(key: &Key, forward: &Forward, before: &[&Forward]) -> Checked {
    texts::word(key.then("name"), &forward.name)?;
    for (name, port) in [("host", forward.host), ("guest", forward.guest)] {
        if port == 0 {
            return Err(Fault::new(key.then(name), "has to be from 1 to 65535, not 0"));
        }
    }
    if before.iter().any(|other| other.name == forward.name) {
        let message = format!("{:?} is the name of another one too", forward.name);
        return Err(Fault::new(key.then("name"), message));
    }
    if before.iter().any(|other| collide(other, forward)) {
        return Err(Fault::new(key.then("host"), format!("port {} of the host is forwarded already", forward.host)));
    }
    Ok(())
}

/// Whether both are at one port of the host. No address, or that of zeros, is all of them.
fn collide(one: &Forward, other: &Forward) -> bool {
    let address = |forward: &Forward| forward.host_address.filter(|&address| address != Ipv4Addr::UNSPECIFIED);
    let apart = match (address(one), address(other)) {
        (Some(one), Some(other)) => one != other,
        _ => false,
    };
    one.udp == other.udp && one.host == other.host && !apart
}
