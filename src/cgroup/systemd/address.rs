//! Where systemd listens: on a bus, or at a socket of its own.
//!
//! The machine's systemd is on the system bus, a user's on that of the user. `DBUS_SYSTEM_BUS_ADDRESS` and
//! `DBUS_SESSION_BUS_ADDRESS` name them, else they are at their usual places. Where no bus runs (a machine
//! without dbus), systemd itself listens at a private socket, and talks there without a bus.
//!
//! D-Bus Specification, "Server Addresses".

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

use super::message::Addressing;
use super::unit::Manager;

/// One place to try.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    pub socket: Socket,
    pub addressing: Addressing,
}

/// The address of a socket (unix(7)).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Socket {
    Path(Vec<u8>),
    Abstract(Vec<u8>),
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.socket {
            Socket::Path(path) => write!(f, "the socket {}", path.escape_ascii()),
            Socket::Abstract(name) => write!(f, "the abstract socket {}", name.escape_ascii()),
        }
    }
}

/// The places for this manager, the best first. `variable` looks up a variable of the environment.
pub fn places(manager: Manager, variable: impl Fn(&str) -> Option<std::ffi::OsString>) -> Vec<Place> {
    let (named, directory) = match manager {
        Manager::System => (variable("DBUS_SYSTEM_BUS_ADDRESS"), None),
        Manager::User => (variable("DBUS_SESSION_BUS_ADDRESS"), variable("XDG_RUNTIME_DIR")),
    };
    let below = |directory: &OsStr, rest: &str| [directory.as_bytes(), rest.as_bytes()].concat();
    let (bus, private) = match (manager, &directory) {
        (Manager::System, _) => {
            (Some(b"/run/dbus/system_bus_socket".to_vec()), Some(b"/run/systemd/private".to_vec()))
        }
        (Manager::User, Some(directory)) if !directory.is_empty() => {
            (Some(below(directory, "/bus")), Some(below(directory, "/systemd/private")))
        }
        (Manager::User, _) => (None, None),
    };
    let named = named.filter(|text| !text.is_empty()).map(|text| parse(text.as_bytes()));
    let buses = named.unwrap_or_else(|| bus.into_iter().map(Socket::Path).collect());
    let by_name = |socket| Place { socket, addressing: Addressing::ByName };
    let as_peer = |path| Place { socket: Socket::Path(path), addressing: Addressing::Peer };
    buses.into_iter().map(by_name).chain(private.map(as_peer)).collect()
}

/// The sockets in a list such as `unix:path=/run/user/1000/bus,guid=0;unix:abstract=/tmp/x`. Other transports
/// are passed over.
fn parse(list: &[u8]) -> Vec<Socket> {
    let one = |address: &[u8]| {
        let values = address.strip_prefix(b"unix:")?.split(|byte| *byte == b',');
        let mut pairs = values.filter_map(|pair| {
            let equals = pair.iter().position(|byte| *byte == b'=')?;
            Some((&pair[..equals], unescape(&pair[equals + 1..])?))
        });
        pairs.find_map(|(key, value)| match key {
            b"path" => Some(Socket::Path(value)),
            b"abstract" => Some(Socket::Abstract(value)),
            _ => None,
        })
    };
    list.split(|byte| *byte == b';').filter_map(one).collect()
}

/// `%20` is a blank.
fn unescape(text: &[u8]) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut rest = text;
    while let Some((first, later)) = rest.split_first() {
        rest = later;
        if *first == b'%' {
            let digits = std::str::from_utf8(rest.get(..2)?).ok()?;
            bytes.push(u8::from_str_radix(digits, 16).ok()?);
            rest = &rest[2..];
        } else {
            bytes.push(*first);
        }
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(manager: Manager, variables: &[(&str, &str)]) -> Vec<String> {
        let variable =
            |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).into());
        places(manager, variable).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn the_machines_systemd_needs_no_variable() {
        let usual = ["the socket /run/dbus/system_bus_socket", "the socket /run/systemd/private"];
        assert_eq!(shown(Manager::System, &[("XDG_RUNTIME_DIR", "/run/user/0")]), usual);
        let named = shown(Manager::System, &[("DBUS_SYSTEM_BUS_ADDRESS", "unix:path=/a%20b")]);
        assert_eq!(named, ["the socket /a b", "the socket /run/systemd/private"]);
    }

    #[test]
    fn a_users_systemd_is_found_by_variables() {
        let both = [
            ("XDG_RUNTIME_DIR", "/run/user/1"),
            ("DBUS_SESSION_BUS_ADDRESS", "tcp:host=h;unix:abstract=/tmp/x,guid=1;unix:path=/y"),
        ];
        let private = "the socket /run/user/1/systemd/private";
        assert_eq!(shown(Manager::User, &both), ["the abstract socket /tmp/x", "the socket /y", private]);
        assert_eq!(shown(Manager::User, &both[..1]), ["the socket /run/user/1/bus", private]);
        assert_eq!(shown(Manager::User, &[]), [""; 0]);
    }
}
