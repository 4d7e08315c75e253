//! Network interfaces: network_namespaces(7), netdevice(7). A new network namespace has a loopback that is
//! down.

use super::Answer;
use crate::errno;
use nix::ifaddrs::{InterfaceAddress, getifaddrs};
use nix::net::if_::InterfaceFlags;
use serde_json::{Map, Value, json};
use std::net::IpAddr;

pub fn answer() -> Answer {
    let list = getifaddrs().map_err(|error| format!("listing interfaces: {}", errno::name(error as i32)))?;
    let mut answer = Map::new();
    for interface in list {
        let entry = answer.entry(interface.interface_name.clone()).or_insert_with(|| describe(&interface));
        if let (Some(address), Some(addresses)) = (address(&interface), entry["addresses"].as_array_mut()) {
            addresses.push(json!(address));
        }
    }
    Ok(Value::Object(answer))
}

fn describe(interface: &InterfaceAddress) -> Value {
    let flag = |flag| interface.flags.contains(flag);
    json!({
        "up": flag(InterfaceFlags::IFF_UP),
        "running": flag(InterfaceFlags::IFF_RUNNING),
        "loopback": flag(InterfaceFlags::IFF_LOOPBACK),
        "addresses": [],
    })
}

/// `ADDRESS/PREFIX`; other families than IP have none here.
fn address(interface: &InterfaceAddress) -> Option<String> {
    let ip = |storage: &nix::sys::socket::SockaddrStorage| {
        let v4 = storage.as_sockaddr_in().map(|it| IpAddr::from(it.ip()));
        v4.or_else(|| storage.as_sockaddr_in6().map(|it| IpAddr::from(it.ip())))
    };
    let address = interface.address.as_ref().and_then(ip)?;
    let prefix = interface.netmask.as_ref().and_then(ip).map_or(0, |mask| match mask {
        IpAddr::V4(mask) => mask.to_bits().count_ones(),
        IpAddr::V6(mask) => mask.to_bits().count_ones(),
    });
    Some(format!("{address}/{prefix}"))
}
