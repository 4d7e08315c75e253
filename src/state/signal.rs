//! A signal to a container: to its first process, or to everybody in its cgroup.
//!
//! OCI: runtime.md, "Kill". The texts are those that engines look for (`error::phrase`).

use std::time::Instant;

use crate::error::{Error, phrase};
use crate::state::lifecycle::{DEATH, own_cgroup_of};
use crate::state::{ContainerId, Record, Store};

/// SIGKILL of signal(7), which nobody can refuse.
pub const KILL: i32 = 9;
/// SIGTERM, which asks a program to end.
pub const TERM: i32 = 15;

/// To whom a signal goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// The container's first process.
    First,
    /// Every process in its cgroup.
    All,
}

/// Sends a signal; 0 only asks whether the container runs.
///
/// SIGKILL for a container without a pid namespace of its own goes to everybody: its other processes would
/// outlive the first one. A paused container gets SIGKILL at once, other signals when it is resumed.
///
/// Errors: [`Error::NotFound`]; [`Error::WrongState`] when the container has stopped. It is none for callers
/// that ask for all processes: they only want none to be left (behaviour of runc).
pub fn kill(store: &Store, id: &ContainerId, signal: i32, reach: Reach) -> Result<(), Error> {
    let record = store.look(id)?.record()?;
    match (reach, signal) {
        (Reach::All, KILL) => end_everybody(store, &record).map(drop),
        (Reach::First, KILL) if !record.own_pids => match end_everybody(store, &record)? {
            Found::Somebody => Ok(()),
            Found::Nobody => Err(gone(&record.id)),
        },
        (Reach::All, 1..) => signal_all(store, &record, signal),
        (Reach::All, _) => Ok(()),
        (Reach::First, _) => signal_first(&record, signal),
    }
}

/// Whether there was anybody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    Somebody,
    Nobody,
}

/// Kills the first process and everybody in the cgroup, and waits for their end for at most 10 seconds.
///
/// Errors: [`Error::Cgroup`], among them the deadline.
pub fn end_everybody(store: &Store, record: &Record) -> Result<Found, Error> {
    let first = record.process.filter(|process| process.is_alive());
    if let Some(process) = first {
        process.kill();
    }
    let deadline = Instant::now() + DEATH;
    let others = match own_cgroup_of(store, record)? {
        Some(cgroup) if cgroup.events()?.populated => {
            cgroup.kill(deadline)?;
            true
        }
        _ => false,
    };
    Ok(if first.is_some() || others { Found::Somebody } else { Found::Nobody })
}

fn signal_all(store: &Store, record: &Record, signal: i32) -> Result<(), Error> {
    if let Some(cgroup) = own_cgroup_of(store, record)? {
        cgroup.signal_all(signal as u32)?;
        return Ok(());
    }
    // Without a cgroup nobody can say who else belongs to it.
    send(record, signal).map(drop)
}

fn signal_first(record: &Record, signal: i32) -> Result<(), Error> {
    match send(record, signal)? {
        Found::Somebody => Ok(()),
        Found::Nobody => Err(gone(&record.id)),
    }
}

/// To the first process.
fn send(record: &Record, signal: i32) -> Result<Found, Error> {
    match record.process.and_then(|process| process.signal(signal)) {
        None | Some(Err(rustix::io::Errno::SRCH)) => Ok(Found::Nobody),
        Some(Ok(())) => Ok(Found::Somebody),
        Some(Err(errno)) => {
            let id = &record.id;
            Err(Error::WrongState(format!("cannot send signal {signal} to {id}: {errno}")))
        }
    }
}

fn gone(id: &str) -> Error {
    Error::WrongState(format!("{}: {id}", phrase::NOT_RUNNING))
}
