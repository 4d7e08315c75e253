//! Looking at a container that runs: who is in it, what it uses, what happens to it. Nothing is changed, no
//! lock is taken.
//!
//! | part | file |
//! |---|---|
//! | who is in it | `processes`, the table of the host's ps(1): `table` |
//! | what it uses, as one value | `stats` over [`Files`], one file for each controller |
//! | the same of controllers that are bound to cgroup v1 | `v1` |
//! | what happens to it, as it happens | `stream`, `trigger` |
//!
//! The shape of the statistics is runc's (types/events.go), because engines read it. It is that of cgroup v1:
//! nanoseconds where v2 counts microseconds, swap that includes memory, and fields that v2 does not have,
//! which are left out or 0. So is whatever the host does not count: that is no error.
//!
//! Kernel: cgroup-v2.rst, "Controllers".

pub mod cpu;
pub mod hugetlb;
pub mod io;
pub mod memory;
pub mod network;
pub mod pids;
pub mod pressure;
pub mod processes;
pub mod rdma;
pub mod rdt;
pub mod stats;
pub mod stream;
pub mod table;
pub mod trigger;
pub mod v1;

use crate::cgroup::Cgroup;

/// The files of a cgroup as figures. A file that is not there, or that the kernel does not let anybody read
/// (EOPNOTSUPP for pressure that is turned off), is empty and its figures are 0.
pub struct Files<'a>(&'a Cgroup);

impl<'a> Files<'a> {
    /// The files of this cgroup.
    pub fn of(cgroup: &'a Cgroup) -> Self {
        Self(cgroup)
    }

    /// Is this controller bound to cgroup v1, with a group of the container there?
    fn is_bound(&self, controller: &str) -> bool {
        self.0.groups().any(|group| group.has(controller))
    }

    fn text(&self, file: &str) -> String {
        self.0.read_file(file).ok().flatten().unwrap_or_default()
    }

    /// The only figure of a file; `max` is the largest of all.
    fn figure(&self, file: &str) -> u64 {
        figure(&self.text(file))
    }

    /// The lines `name figure` of a file.
    fn figures(&self, file: &str) -> Vec<(String, u64)> {
        figures(&self.text(file))
    }
}

fn figure(text: &str) -> u64 {
    match text.trim() {
        "max" => u64::MAX,
        digits => digits.parse().unwrap_or(0),
    }
}

fn figures(text: &str) -> Vec<(String, u64)> {
    let pair = |line: &str| {
        let (name, value) = line.split_once(' ')?;
        Some((name.to_owned(), value.trim().parse().ok()?))
    };
    text.lines().filter_map(pair).collect()
}

/// The figure of that name, 0 without one.
fn named(figures: &[(String, u64)], name: &str) -> u64 {
    figures.iter().find(|(known, _)| known == name).map_or(0, |(_, value)| *value)
}

/// For serde: what is 0, empty or absent is left out, as runc does.
fn is_nothing<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_read_as_the_kernel_writes_them() {
        assert_eq!((figure("max\n"), figure("42\n"), figure(""), figure("x")), (u64::MAX, 42, 0, 0));
        let text = "low 0\noom 3\noom_kill 2\nodd\nworse x\n";
        assert_eq!(figures(text).len(), 3);
        assert_eq!((named(&figures(text), "oom"), named(&figures(text), "high")), (3, 0));
    }
}
