//! Moving a network interface into the container's namespace, and back when the container cannot be made.
//!
//! The kernel takes addresses and routes away from an interface that leaves its namespace, and sets it down
//! (network_namespaces(7)). Here they are noted before.

use std::os::fd::OwnedFd;

use crate_run_sys::Errno;
use rustix::fs::{Mode, OFlags, open};

use crate::launch::Launch;
use crate::launch::cause::{Cause, Done};
use crate::netlink::{Address, Link, Route, Socket};

/// An interface that was moved, with all that it takes to undo that.
#[derive(Debug)]
pub struct Moved {
    /// Works in the container's network namespace, and keeps that alive.
    there: Socket,
    /// Its number there.
    index: u32,
    /// What it was before.
    link: Link,
    addresses: Vec<Address>,
    routes: Vec<Route>,
}

fn namespace_of(process: &str) -> rustix::io::Result<OwnedFd> {
    open(format!("/proc/{process}/ns/net"), OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())
}

/// Names the question to the kernel that it answered with an error.
fn asked(question: &'static str) -> impl Fn(rustix::io::Errno) -> Cause {
    move |errno| Cause::Call(question, Errno(errno.raw_os_error() as u16))
}

impl Launch<'_> {
    /// The newborn has not been waited for, so its number is still its own.
    pub(super) fn move_device(&mut self, name: &str, inside: &str) -> Done {
        let Some(born) = &self.newborn else { return Ok(()) };
        let target = namespace_of(&born.pid.to_string())?;
        let (here, there) = (Socket::open()?, Socket::open_in(&target)?);
        let link = here.link(name).map_err(asked("RTM_GETLINK"))?;
        let addresses = here.addresses(link.index).map_err(asked("RTM_GETADDR"))?;
        let routes = here.routes(link.index).map_err(asked("RTM_GETROUTE"))?;
        let known = there.links().map_err(asked("RTM_GETLINK"))?;
        if known.iter().any(|other| other.name == inside) {
            return Err(Cause::Said(format!("a network device {inside:?} is there already")));
        }
        let index = free_index(&known, link.index);
        self.moved.push(Moved { there, index, link, addresses, routes });
        let Some(moved) = self.moved.last() else { return Ok(()) };
        here.move_link(moved.link.index, &target, inside, index).map_err(asked("RTM_NEWLINK"))?;
        moved.settle()
    }
}

/// The number that the interface has, if it is free where it goes.
fn free_index(known: &[Link], index: u32) -> u32 {
    let is_taken = |index| known.iter().any(|link| link.index == index);
    if is_taken(index) { known.iter().map(|link| link.index).max().unwrap_or(0) + 1 } else { index }
}

impl Moved {
    /// The interface has the name that the kernel has given to it, and gets its addresses.
    fn settle(&self) -> Done {
        let links = self.there.links().map_err(asked("RTM_GETLINK"))?;
        let name = links.into_iter().find(|link| link.index == self.index).map(|link| link.name);
        let name = name.ok_or(Cause::Call("RTM_GETLINK", Errno::ENODEV))?;
        for address in self.addresses.iter().filter(|address| address.goes_along()) {
            let address = address.clone().renamed(&self.link.name, &name);
            self.there.add_address(self.index, &address).map_err(asked("RTM_NEWADDR"))?;
        }
        self.there.set_up(self.index).map_err(asked("RTM_NEWLINK, IFF_UP"))
    }

    /// Makes it what it was. Answers in words what could not be undone.
    pub fn move_back(self) -> Option<String> {
        let failed = |errno| format!("the network device {} is not as it was: {errno}", self.link.name);
        self.restore().err().map(failed)
    }

    fn restore(&self) -> rustix::io::Result<()> {
        let here = Socket::open()?;
        if self.there.links()?.iter().any(|link| link.index == self.index) {
            self.there.move_link(self.index, &namespace_of("self")?, &self.link.name, self.link.index)?;
        }
        let index = here.link(&self.link.name)?.index;
        // The kernel makes some of them by itself: those are there already.
        let unless_there = |done| match done {
            Err(rustix::io::Errno::EXIST) => Ok(()),
            done => done,
        };
        self.addresses.iter().try_for_each(|address| unless_there(here.add_address(index, address)))?;
        if let Some(master) = self.link.master {
            here.set_master(index, master)?;
        }
        if self.link.up {
            here.set_up(index)?;
        }
        self.routes.iter().try_for_each(|route| unless_there(here.add_route(route)))
    }
}
