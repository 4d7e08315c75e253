//! Network interfaces and their addresses, over rtnetlink(7).
//!
//! A socket belongs to the network namespace in which it was made, wherever its owner goes afterwards. So one
//! process can work on two namespaces at once.

use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use crate_run_sys::namespaces::{self, flag};
use crate_run_sys::{Errno, host};
use rustix::fs::{Mode, OFlags, open};
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, recv, send, socket_with, sockopt,
};

mod message;

use message::{Message, Replies, Reply, attributes, u32_at};

const RTM_NEWLINK: u16 = 16;
const RTM_GETLINK: u16 = 18;
const RTM_NEWADDR: u16 = 20;
const RTM_GETADDR: u16 = 22;
const RTM_NEWROUTE: u16 = 24;
const RTM_GETROUTE: u16 = 26;

const IFLA_IFNAME: u16 = 3;
const IFLA_MASTER: u16 = 10;
const IFLA_NET_NS_FD: u16 = 28;
/// Since Linux 5.13.
const IFLA_NEW_IFINDEX: u16 = 49;
/// Since Linux 6.14; older kernels do not tell.
const IFLA_NETNS_IMMUTABLE: u16 = 67;

const IFF_UP: u32 = 1;
const IFF_LOOPBACK: u32 = 8;

const IFA_LABEL: u16 = 3;
const IFA_FLAGS: u16 = 8;
const IFA_F_PERMANENT: u32 = 0x80;
const SCOPE_UNIVERSE: u8 = 0;

const RTA_OIF: u16 = 4;
const RTA_CACHEINFO: u16 = 12;
/// The kernel makes these itself, of the addresses.
const RTPROT_KERNEL: u8 = 2;
/// The size of `struct rtmsg`.
const ROUTE: usize = 12;

/// How long the kernel may take for one answer. It gives it while the question is asked.
const PATIENCE: Duration = Duration::from_secs(10);

/// A network interface.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Link {
    pub index: u32,
    pub name: String,
    pub up: bool,
    /// A loopback, or any other that the kernel says belongs to its namespace.
    pub fixed: bool,
    /// The interface that it is a port of, such as a bridge.
    pub master: Option<u32>,
}

/// An address of an interface, as the kernel tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    family: u8,
    prefix: u8,
    flags: u8,
    scope: u8,
    attributes: Vec<(u16, Vec<u8>)>,
}

/// A route through one interface, as the kernel tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    header: [u8; ROUTE],
    attributes: Vec<(u16, Vec<u8>)>,
}

/// A socket in one network namespace.
#[derive(Debug)]
pub struct Socket(OwnedFd);

impl Socket {
    /// In the namespace in which the runtime stands.
    pub fn open() -> rustix::io::Result<Self> {
        let socket = socket_with(AddressFamily::NETLINK, SocketType::RAW, SocketFlags::CLOEXEC, None)?;
        sockopt::set_socket_timeout(&socket, sockopt::Timeout::Recv, Some(PATIENCE))?;
        Ok(Self(socket))
    }

    /// In another one, which takes CAP_SYS_ADMIN there: the runtime goes there and comes back.
    pub fn open_in(namespace: &impl AsFd) -> rustix::io::Result<Self> {
        let code = |errno: Errno| rustix::io::Errno::from_raw_os_error(errno.0.into());
        let own = open("/proc/thread-self/ns/net", OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?;
        namespaces::join(host::borrowed(namespace), flag::NETWORK).map_err(code)?;
        let socket = Self::open();
        namespaces::join(host::borrowed(&own), flag::NETWORK).map_err(code)?;
        socket
    }

    /// The interface of this name. ENODEV: there is none.
    pub fn link(&self, name: &str) -> rustix::io::Result<Link> {
        let question = Message::of_link(RTM_GETLINK, 0).text(IFLA_IFNAME, name);
        let replies = self.ask(question)?;
        replies.iter().find_map(link_of).ok_or(rustix::io::Errno::NODEV)
    }

    /// Every interface.
    pub fn links(&self) -> rustix::io::Result<Vec<Link>> {
        Ok(self.ask(Message::of_link(RTM_GETLINK, 0).dump())?.iter().filter_map(link_of).collect())
    }

    /// Every address of an interface, in the order in which they were added.
    pub fn addresses(&self, link: u32) -> rustix::io::Result<Vec<Address>> {
        let question = Message::new(RTM_GETADDR, &[0; 8]).dump();
        Ok(self.ask(question)?.iter().filter_map(|reply| address_of(reply, link)).collect())
    }

    /// Moves an interface into another namespace and gives it a name and a number there, in one call. The
    /// interface is down afterwards, and its addresses are gone.
    pub fn move_link(&self, link: u32, to: &impl AsFd, name: &str, index: u32) -> rustix::io::Result<()> {
        let message = Message::of_link(RTM_NEWLINK, link)
            .number(IFLA_NET_NS_FD, host::borrowed(to).0 as u32)
            .text(IFLA_IFNAME, name)
            .number(IFLA_NEW_IFINDEX, index);
        self.ask(message).map(drop)
    }

    /// Sets an interface up.
    pub fn set_up(&self, link: u32) -> rustix::io::Result<()> {
        self.ask(Message::of_link_flags(RTM_NEWLINK, link, IFF_UP, IFF_UP)).map(drop)
    }

    /// Makes an interface a port of another.
    pub fn set_master(&self, link: u32, master: u32) -> rustix::io::Result<()> {
        self.ask(Message::of_link(RTM_NEWLINK, link).number(IFLA_MASTER, master)).map(drop)
    }

    /// Gives an interface an address.
    pub fn add_address(&self, link: u32, address: &Address) -> rustix::io::Result<()> {
        let Address { family, prefix, flags, scope, .. } = *address;
        let [a, b, c, d] = link.to_ne_bytes();
        let message = Message::new(RTM_NEWADDR, &[family, prefix, flags, scope, a, b, c, d]).new_one();
        let message = address.attributes.iter().fold(message, |m, (kind, value)| m.bytes(*kind, value));
        self.ask(message).map(drop)
    }

    /// The routes through an interface that somebody has added.
    pub fn routes(&self, link: u32) -> rustix::io::Result<Vec<Route>> {
        let question = Message::new(RTM_GETROUTE, &[0; ROUTE]).dump();
        Ok(self.ask(question)?.iter().filter_map(|reply| route_of(reply, link)).collect())
    }

    /// Adds a route that [`Socket::routes`] has told.
    pub fn add_route(&self, route: &Route) -> rustix::io::Result<()> {
        let message = Message::new(RTM_NEWROUTE, &route.header).new_one();
        self.ask(route.attributes.iter().fold(message, |m, (kind, value)| m.bytes(*kind, value))).map(drop)
    }

    fn ask(&self, message: Message) -> rustix::io::Result<Vec<Reply>> {
        /// A list that changes while it is told is asked for again, so often.
        const TRIES: usize = 16;
        let question = message.finish();
        for _ in 0..TRIES {
            send(&self.0, &question, SendFlags::empty())?;
            let replies = self.answer()?;
            if !replies.torn {
                return Ok(replies.list);
            }
        }
        Err(rustix::io::Errno::BUSY)
    }

    fn answer(&self) -> rustix::io::Result<Replies> {
        let mut replies = Replies::default();
        let mut buffer = vec![0; 64 * 1024];
        loop {
            let (length, _) = recv(&self.0, buffer.as_mut_slice(), RecvFlags::empty())?;
            if message::collect(&buffer[..length], &mut replies)? {
                return Ok(replies);
            }
        }
    }
}

impl Address {
    /// One that goes along to another namespace: permanent, and of global scope (config-linux.md, Network
    /// Devices).
    pub fn goes_along(&self) -> bool {
        let flags = self.attributes.iter().find(|(kind, _)| *kind == IFA_FLAGS);
        let flags = flags.map_or(u32::from(self.flags), |(_, value)| u32_at(value, 0));
        flags & IFA_F_PERMANENT != 0 && self.scope == SCOPE_UNIVERSE
    }

    /// The same for an interface that has another name now: the label of an IPv4 address begins with it.
    pub fn renamed(mut self, from: &str, to: &str) -> Self {
        const LONGEST: usize = 15;
        self.attributes.retain_mut(|(kind, value)| {
            if *kind != IFA_LABEL {
                return true;
            }
            let label = String::from_utf8_lossy(value).trim_end_matches('\0').to_owned();
            let label = match label.strip_prefix(from) {
                Some(rest) if rest.is_empty() || rest.starts_with(':') => format!("{to}{rest}"),
                _ => label,
            };
            *value = [label.as_bytes(), b"\0"].concat();
            label.len() <= LONGEST
        });
        self
    }
}

fn link_of(reply: &Reply) -> Option<Link> {
    if reply.kind != RTM_NEWLINK || reply.body.len() < message::LINK {
        return None;
    }
    let flags = u32_at(&reply.body, 8);
    let mut link = Link { index: u32_at(&reply.body, 4), up: flags & IFF_UP != 0, ..Link::default() };
    link.fixed = flags & IFF_LOOPBACK != 0;
    for (kind, value) in attributes(&reply.body[message::LINK..]) {
        match kind {
            IFLA_IFNAME => link.name = String::from_utf8_lossy(value).trim_end_matches('\0').to_owned(),
            IFLA_MASTER => link.master = Some(u32_at(value, 0)),
            IFLA_NETNS_IMMUTABLE => link.fixed |= value.first().is_some_and(|immutable| *immutable != 0),
            _ => {}
        }
    }
    Some(link)
}

/// What the kernel takes back of what it tells: ADDRESS, LOCAL, LABEL, BROADCAST, CACHEINFO, FLAGS,
/// RT_PRIORITY, PROTO of if_addr.h.
const OF_ADDRESS: [u16; 8] = [1, 2, IFA_LABEL, 4, 6, IFA_FLAGS, 9, 11];

fn address_of(reply: &Reply, link: u32) -> Option<Address> {
    let body = &reply.body;
    if reply.kind != RTM_NEWADDR || body.len() < 8 || u32_at(body, 4) != link {
        return None;
    }
    let attributes = attributes(&body[8..])
        .filter(|(kind, _)| OF_ADDRESS.contains(kind))
        .map(|(kind, value)| (kind, value.to_vec()))
        .collect();
    Some(Address { family: body[0], prefix: body[1], flags: body[2], scope: body[3], attributes })
}

fn route_of(reply: &Reply, link: u32) -> Option<Route> {
    /// Of the header: `rtm_protocol`, `rtm_flags`. RTM_F_CLONED marks an entry of a cache.
    const PROTOCOL: usize = 5;
    const FLAGS: usize = 8;
    const CLONED: u32 = 0x200;
    let header: [u8; ROUTE] = *reply.body.first_chunk()?;
    let all = || attributes(&reply.body[ROUTE..]);
    let is_of_link = all().any(|(kind, value)| kind == RTA_OIF && u32_at(value, 0) == link);
    let is_made = header[PROTOCOL] == RTPROT_KERNEL || u32_at(&header, FLAGS) & CLONED != 0;
    if reply.kind != RTM_NEWROUTE || !is_of_link || is_made {
        return None;
    }
    let kept = all().filter(|(kind, _)| *kind != RTA_CACHEINFO);
    Some(Route { header, attributes: kept.map(|(kind, value)| (kind, value.to_vec())).collect() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(scope: u8, flags: u32, label: &str) -> Address {
        let attributes =
            vec![(IFA_FLAGS, flags.to_ne_bytes().to_vec()), (IFA_LABEL, [label.as_bytes(), b"\0"].concat())];
        Address { family: 2, prefix: 24, flags: 0, scope, attributes }
    }

    #[test]
    fn permanent_global_addresses_go_along() {
        assert!(address(SCOPE_UNIVERSE, IFA_F_PERMANENT, "a").goes_along());
        assert!(!address(SCOPE_UNIVERSE, 0, "a").goes_along(), "a lease");
        assert!(!address(253, IFA_F_PERMANENT, "a").goes_along(), "link scope");
    }

    #[test]
    fn labels_follow_the_name() {
        let label = |label: &str, to: &str| {
            let renamed = address(0, 0, label).renamed("eth0", to);
            let label = renamed.attributes.into_iter().find(|(kind, _)| *kind == IFA_LABEL)?;
            Some(String::from_utf8(label.1).expect("UTF-8").trim_end_matches('\0').to_owned())
        };
        assert_eq!(label("eth0", "net1").as_deref(), Some("net1"));
        assert_eq!(label("eth0:web", "net1").as_deref(), Some("net1:web"));
        assert_eq!(label("eth01", "net1").as_deref(), Some("eth01"));
        assert_eq!(label("eth0:a-long-one", "a-longer-name"), None, "the kernel takes the name instead");
    }

    #[test]
    fn the_loopback_of_this_machine_is_seen() {
        let Ok(socket) = Socket::open() else { return };
        let lo = socket.link("lo").expect("a loopback interface");
        assert!(lo.fixed && socket.links().expect("interfaces").contains(&lo));
        assert_eq!(socket.link("no-such-name").map(|_| ()), Err(rustix::io::Errno::NODEV));
    }
}
