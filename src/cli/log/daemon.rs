//! The log of a host: journald(8) or syslog(3), one datagram for each message.
//!
//! journald reads fields (systemd.journal-fields(7)) in its native protocol: lines `NAME=value`, and for a
//! value of several lines `NAME`, its length as 64 bits, little-endian, and the value. The container's name
//! is in `ID`, where crun has it. syslog reads `<PRIORITY>TAG: message` (RFC 3164, section 5.3: who lets the
//! time out, as here, gets that of the daemon).

use std::ffi::OsStr;
use std::io;
use std::os::unix::net::UnixDatagram;
use std::path::Path;

use super::Level;
use super::text::{bounded, push_visible};

const JOURNAL_SOCKET: &str = "/run/systemd/journal/socket";
const SYSLOG_SOCKET: &str = "/dev/log";

/// The facility `user` of syslog(3): messages of programs.
const USER: u8 = 1 << 3;

/// Which of the two, and the name that messages bear.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Daemon {
    Journal { id: String },
    Syslog { id: String },
}

impl Daemon {
    /// From `journald:ID` or `syslog:ID`, as crun has it.
    pub fn named(destination: &OsStr) -> Option<Self> {
        let (kind, id) = destination.to_str()?.split_once(':')?;
        let mut name = String::with_capacity(id.len());
        id.chars().for_each(|letter| push_visible(&mut name, letter));
        match kind {
            "journald" => Some(Daemon::Journal { id: name }),
            "syslog" => Some(Daemon::Syslog { id: name }),
            _ => None,
        }
    }

    /// Sends one message. Errors: of socket(2) and sendto(2); EAGAIN when the daemon does not keep up.
    pub fn send(&self, level: Level, message: &str) -> io::Result<()> {
        match self {
            Daemon::Journal { id } => deliver(Path::new(JOURNAL_SOCKET), &journal(id, level, message)),
            Daemon::Syslog { id } => deliver(Path::new(SYSLOG_SOCKET), &syslog(id, level, message)),
        }
    }

    /// The daemon's name, for those who miss it.
    pub fn name(&self) -> &'static str {
        match self {
            Daemon::Journal { .. } => "journald",
            Daemon::Syslog { .. } => "syslog",
        }
    }
}

fn deliver(socket: &Path, datagram: &[u8]) -> io::Result<()> {
    let sender = UnixDatagram::unbound()?;
    sender.set_nonblocking(true)?;
    sender.send_to(datagram, socket).map(drop)
}

/// syslog(3), "Values for level".
fn priority(level: Level) -> u8 {
    match level {
        Level::Error => 3,
        Level::Warning => 4,
        Level::Debug => 7,
    }
}

fn journal(id: &str, level: Level, message: &str) -> Vec<u8> {
    let message = bounded(message);
    let mut datagram =
        format!("PRIORITY={}\nSYSLOG_IDENTIFIER=crate-run\nID={id}\nMESSAGE", priority(level)).into_bytes();
    if message.contains('\n') {
        datagram.push(b'\n');
        datagram.extend((message.len() as u64).to_le_bytes());
    } else {
        datagram.push(b'=');
    }
    datagram.extend(message.as_bytes());
    datagram.push(b'\n');
    datagram
}

fn syslog(id: &str, level: Level, message: &str) -> Vec<u8> {
    let tag = if id.is_empty() { "crate-run" } else { id };
    let mut datagram = format!("<{}>{tag}: ", USER | priority(level));
    bounded(message).chars().for_each(|letter| push_visible(&mut datagram, letter));
    datagram.into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn journald(id: &str) -> Option<Daemon> {
        Daemon::named(OsStr::new(&format!("journald:{id}")))
    }

    #[test]
    fn daemons_are_named_as_crun_names_them() {
        assert_eq!(journald("web"), Some(Daemon::Journal { id: "web".to_owned() }));
        assert_eq!(Daemon::named(OsStr::new("syslog:")), Some(Daemon::Syslog { id: String::new() }));
        for path in ["/tmp/journald:x", "journald", "file:x", "journal:x"] {
            assert_eq!(Daemon::named(OsStr::new(path)), None, "{path}");
        }
        assert_eq!(journald("a\nPRIORITY=0"), Some(Daemon::Journal { id: "a\\u000aPRIORITY=0".to_owned() }));
    }

    #[test]
    fn the_journal_gets_fields() {
        assert_eq!(
            journal("web", Level::Error, "no such thing"),
            b"PRIORITY=3\nSYSLOG_IDENTIFIER=crate-run\nID=web\nMESSAGE=no such thing\n"
        );
        let lines = journal("web", Level::Warning, "a\nPRIORITY=0");
        assert!(lines.ends_with(b"\nMESSAGE\n\x0c\0\0\0\0\0\0\0a\nPRIORITY=0\n"), "{lines:?}");
    }

    #[test]
    fn syslog_gets_one_line() {
        assert_eq!(syslog("web", Level::Error, "a\nb"), b"<11>web: a\\u000ab");
        assert_eq!(syslog("", Level::Debug, "x"), b"<15>crate-run: x");
    }

    #[test]
    fn a_message_arrives_whole_and_a_daemon_that_sleeps_keeps_nobody() {
        let place = std::env::temp_dir().join(format!("crate-run-daemon-{}", std::process::id()));
        let daemon = UnixDatagram::bind(&place).unwrap();
        let message = journal("web", Level::Error, &"x".repeat(20_000));
        deliver(&place, &message).unwrap();
        let mut received = vec![0; 40_000];
        let length = daemon.recv(&mut received).unwrap();
        assert_eq!(received[..length], message);
        let full = (0..10_000).find_map(|_| deliver(&place, &message).err());
        assert_eq!(full.map(|error| error.kind()), Some(io::ErrorKind::WouldBlock));
        std::fs::remove_file(&place).unwrap();
        assert!(deliver(&place, &message).is_err());
    }
}
