//! The maps of a user namespace that exists already.

use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use crate_run_sys::namespaces::{self, flag};
use crate_run_sys::{birth, host, process};
use rustix::process::{WaitId, WaitIdOptions, waitid};

use crate::feature::namespaces::{Namespaces, open_of_kind};

use super::{Maps, read_lines};

/// The maps of the user namespace that is joined, as the runtime's own sees them; `None` without one, and
/// where it may not be entered.
pub fn maps_of_joined(namespaces: &Namespaces) -> Option<Maps> {
    let joined = namespaces.joined.iter().find(|joined| joined.kind == flag::USER)?;
    let path = joined.path.as_path();
    maps_of_process(path).or_else(|| maps_of_visitor(path))
}

/// The maps of PID, for a path `/proc/PID/ns/user`. That the path still leads to the same namespace shows
/// that they were not those of another process with this number.
fn maps_of_process(path: &Path) -> Option<Maps> {
    let directory = path.to_str()?.strip_suffix("/ns/user")?;
    let number = directory.strip_prefix("/proc/")?;
    if number.is_empty() || !number.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let namespace = open_of_kind(path, flag::USER)?.metadata().ok()?;
    let maps = read(directory)?;
    let now = std::fs::metadata(path).ok()?;
    ((now.dev(), now.ino()) == (namespace.dev(), namespace.ino())).then_some(maps)
}

/// Nothing but a process in it tells the maps of a namespace. So one goes there and ends; until it is waited
/// for, its files in /proc are there.
fn maps_of_visitor(path: &Path) -> Option<Maps> {
    let namespace = open_of_kind(path, flag::USER)?;
    let Some(visitor) = birth::fork().ok()? else {
        let entered = namespaces::join(host::borrowed(&namespace), flag::USER);
        process::exit(entered.is_err().into());
    };
    let visitor = host::owned(visitor);
    let ended = |options| waitid(WaitId::PidFd(visitor.as_fd()), options).ok().flatten();
    let status = ended(WaitIdOptions::EXITED | WaitIdOptions::NOWAIT)?;
    let facts = std::fs::read_to_string(format!("/proc/self/fdinfo/{}", host::borrowed(&visitor).0)).ok()?;
    let number = facts.lines().find_map(|line| line.strip_prefix("Pid:"));
    let maps = number.and_then(|number| read(&format!("/proc/{}", number.trim())));
    ended(WaitIdOptions::EXITED);
    maps.filter(|_| status.exit_status() == Some(0))
}

fn read(directory: &str) -> Option<Maps> {
    let lines =
        |name: &str| std::fs::read_to_string(format!("{directory}/{name}")).ok().map(|map| read_lines(&map));
    let keeps_groups = crate::host::denies_groups(directory);
    Some(Maps { uids: lines("uid_map")?, gids: lines("gid_map")?, keeps_groups })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_tells_its_own_maps() {
        let path = format!("/proc/{}/ns/user", std::process::id());
        assert_eq!(maps_of_process(Path::new(&path)), read("/proc/self"));
        assert_eq!(maps_of_process(Path::new("/proc/self/ns/user")), None);
    }
}
