//! Who we are: credentials(7). Asked from the kernel by system call, so it works without /proc.

use super::Answer;
use crate::errno;
use nix::unistd::{self, Gid, Uid};
use rustix::fs::Mode;
use serde_json::json;

pub fn answer() -> Answer {
    let failed = |error| format!("reading the ids: {}", errno::name(error as i32));
    let uid = unistd::getresuid().map_err(failed)?;
    let gid = unistd::getresgid().map_err(failed)?;
    // setfsuid(2) has no way to ask: an id that cannot be set leaves the current one and returns it.
    let (fsuid, fsgid) =
        (unistd::setfsuid(Uid::from_raw(u32::MAX)), unistd::setfsgid(Gid::from_raw(u32::MAX)));
    let groups: Vec<u32> = unistd::getgroups().map_err(failed)?.iter().map(|group| group.as_raw()).collect();
    Ok(json!({
        "uid": {
            "real": uid.real.as_raw(), "effective": uid.effective.as_raw(), "saved": uid.saved.as_raw(),
            "filesystem": fsuid.as_raw(),
        },
        "gid": {
            "real": gid.real.as_raw(), "effective": gid.effective.as_raw(), "saved": gid.saved.as_raw(),
            "filesystem": fsgid.as_raw(),
        },
        "groups": groups,
        "umask": format!("{:04o}", umask()),
    }))
}

fn umask() -> u32 {
    let mask = rustix::process::umask(Mode::empty());
    rustix::process::umask(mask);
    mask.as_raw_mode()
}
