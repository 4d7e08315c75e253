//! Keys that the kernel keeps for us: keyrings(7). Two containers must not share a session keyring.

use super::{Answer, or_error};
use crate::{errno, procfs};
use linux_keyutils::{KeyError, KeyRing, KeyRingIdentifier};
use serde_json::{Value, json};
use std::io;

pub fn answer() -> Answer {
    let keys = procfs::read("/proc/keys").map(|text| text.lines().filter_map(parse).collect::<Value>());
    Ok(json!({ "session": or_error(session()), "keys": or_error(keys) }))
}

/// The kernel shows the user's default session keyring, `_uid_ses.UID`, to a process without one of its own.
fn session() -> Answer {
    // The crate has its own names for errors; the number is still in errno, where its system call left it.
    let failed =
        |_: KeyError| format!("asking for the session keyring: {}", errno::of(&io::Error::last_os_error()));
    let ring = KeyRing::from_special_id(KeyRingIdentifier::Session, false).map_err(failed)?;
    let of = ring.metadata().map_err(failed)?;
    Ok(json!({ "description": of.get_description(), "uid": of.get_uid(), "gid": of.get_gid() }))
}

/// `ID FLAGS USAGE EXPIRY PERMISSIONS UID GID TYPE DESCRIPTION`, proc_keys(5).
fn parse(line: &str) -> Option<Value> {
    let mut words = line.split_whitespace();
    let mut word = || words.next();
    let (id, flags, _usage, expiry) = (word()?, word()?, word()?, word()?);
    let (permissions, uid, gid, kind) = (word()?, word()?, word()?, word()?);
    let description = words.collect::<Vec<_>>().join(" ");
    Some(json!({
        "id": id, "flags": flags, "expires": expiry, "permissions": permissions, "uid": uid, "gid": gid,
        "type": kind, "description": description,
    }))
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn a_keyring_line() {
        let line = "009a2028 I--Q---   1 perm 3f010000  1000  1000 keyring   _ses.demo: 2";
        let key = parse(line).unwrap();
        assert_eq!((key["id"].as_str(), key["type"].as_str()), (Some("009a2028"), Some("keyring")));
        assert_eq!(key["description"], "_ses.demo: 2");
        assert_eq!(parse("short line"), None);
    }
}
