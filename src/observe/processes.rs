//! Who is in a container.

use crate::cgroup::{Cgroup, CgroupError};
use crate::state::Record;

/// The pids of all its processes, as the host numbers them, ascending: of everybody in its cgroup and
/// below it, whatever pid namespace they are in. Of a container without a cgroup only the first process is
/// known.
///
/// Errors: [`CgroupError::Directory`].
pub fn listed(record: &Record, cgroup: Option<&Cgroup>) -> Result<Vec<i32>, CgroupError> {
    match cgroup {
        Some(cgroup) => cgroup.processes(),
        None => {
            Ok(record.process.filter(|process| process.is_alive()).map(|it| it.pid).into_iter().collect())
        }
    }
}
