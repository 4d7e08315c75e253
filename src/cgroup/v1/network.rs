//! The `net_cls` and `net_prio` controllers, which version 2 does not have: marks on packets.
//!
//! Kernel: `net_cls.classid` marks every packet of the group with a class of traffic control (0xAAAABBBB is
//! AAAA:BBBB); `net_prio.ifpriomap` takes one line "interface priority" for each interface of the network
//! namespace of the writer, which is that of the host.
//!
//! OCI: config-linux.md, "Network". Kernel: admin-guide/cgroup-v1/net_cls.rst, net_prio.rst.

use oci_spec::runtime::LinuxNetwork;

use crate::bundle::finding::Pointer;
use crate::cgroup::limits::Setting;

/// The writes for those of the two that are mounted.
pub(super) fn settings(network: &LinuxNetwork, at: &Pointer, bound: &[&str]) -> Vec<Setting> {
    let mut list = Vec::new();
    if let Some(class) = network.class_id().filter(|_| bound.contains(&"net_cls")) {
        let why = format!("packets carry the class {:x}:{:x}", class >> 16, class & 0xffff);
        list.push(Setting::new("net_cls.classid", class, why, at.key("classID")));
    }
    let priorities = network.priorities().iter().flatten().filter(|_| bound.contains(&"net_prio"));
    for (index, one) in priorities.enumerate() {
        let (name, priority) = (one.name(), one.priority());
        let why = format!("packets that leave through {name} have the priority {priority}");
        let at = at.key("priorities").index(index).key("priority");
        list.push(Setting::new("net_prio.ifpriomap", format!("{name} {priority}"), why, at));
    }
    list
}

/// What nothing here can do.
pub(super) fn left_over(network: &LinuxNetwork, bound: &[&str]) -> Option<LinuxNetwork> {
    let mut rest = network.clone();
    if bound.contains(&"net_cls") {
        rest.set_class_id(None);
    }
    if bound.contains(&"net_prio") {
        rest.set_priorities(None);
    }
    Some(rest)
}
