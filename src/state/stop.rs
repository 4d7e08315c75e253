//! A graceful end: the stop signal, time to say goodbye, then SIGKILL for everybody.
//!
//! The lock of the container is not kept during that time: it may be long, and others may want to look, to
//! kill or to delete meanwhile.

use std::time::Duration;

use crate::error::Error;
use crate::signals::number;
use crate::state::lifecycle::{DEATH, is_frozen, own_cgroup_of};
use crate::state::signal::{KILL, TERM, end_everybody};
use crate::state::{ContainerId, Record, Status, Store, ending};

/// The image's wish, by name or number (annotations.md of the OCI image specification).
const STOP_SIGNAL: &str = "org.opencontainers.image.stopSignal";

/// How a container is asked to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Farewell {
    /// The first signal; without one that of the image, or SIGTERM.
    pub signal: Option<i32>,
    /// How long the program may take to end by itself.
    pub patience: Duration,
}

/// Ends a container and leaves it `stopped`; one that has stopped already is left as it is, one that has not
/// been started has nobody to say goodbye. A paused one is woken. What comes back are warnings.
///
/// When the first process has ended, those that it leaves behind are killed, as systemd's
/// `KillMode=mixed` does.
///
/// Errors: [`Error::NotFound`]; [`Error::WrongState`] for a container that is still being made;
/// [`Error::Cgroup`] and [`Error::Deadline`] when processes outlive SIGKILL by 10 seconds.
pub fn stop(store: &Store, id: &ContainerId, farewell: &Farewell) -> Result<Vec<String>, Error> {
    let container = store.open(id)?;
    let record = container.record()?;
    let warnings = match container.status(&record) {
        Status::Creating => {
            return Err(Error::WrongState(format!("cannot stop a container that is still being made: {id}")));
        }
        Status::Running | Status::Paused if !farewell.patience.is_zero() => {
            ask(store, &record, farewell.signal)?
        }
        Status::Created | Status::Stopped | Status::Running | Status::Paused => {
            return end(store, &record).map(|()| Vec::new());
        }
    };
    drop(container);
    // Whether it has ended by itself or not: nobody is to be left.
    let _ = ending::wait(&record, Some(farewell.patience));
    if let Some((_locked, now)) = store.reopen(&record)? {
        end(store, &now)?;
    }
    Ok(warnings)
}

/// Sends the first process its stop signal, and wakes it if it is paused. What comes back are warnings.
///
/// Errors: [`Error::Cgroup`]; [`Error::WrongState`] when the kernel refuses the signal.
pub fn ask(store: &Store, record: &Record, signal: Option<i32>) -> Result<Vec<String>, Error> {
    let (signal, warnings) = match signal {
        Some(signal) => (signal, Vec::new()),
        None => wish(record),
    };
    if let Some(Err(errno)) = record.process.and_then(|process| process.signal(signal))
        && errno != rustix::io::Errno::SRCH
    {
        let id = &record.id;
        return Err(Error::WrongState(format!("cannot send signal {signal} to {id}: {errno}")));
    }
    // Only now: the signal is the first thing that a woken program sees.
    if let (true, Some(cgroup)) = (is_frozen(record), own_cgroup_of(store, record)?) {
        cgroup.write_file("cgroup.freeze", "0")?;
    }
    Ok(warnings)
}

/// Kills everybody, and waits until the first process is dead.
fn end(store: &Store, record: &Record) -> Result<(), Error> {
    end_everybody(store, record)?;
    match ending::wait(record, Some(DEATH)) {
        Ok(_) => Ok(()),
        Err(ending::StillRuns) => {
            let (id, seconds) = (&record.id, DEATH.as_secs());
            Err(Error::Deadline(format!("container {id} has not ended {seconds} s after signal {KILL}")))
        }
    }
}

/// The signal that the image asks for. An annotation that names none does not keep a container from ending.
fn wish(record: &Record) -> (i32, Vec<String>) {
    match record.annotations.get(STOP_SIGNAL).map(|name| number(name)) {
        None => (TERM, Vec::new()),
        Some(Ok(signal)) if signal > 0 => (signal, Vec::new()),
        Some(Ok(_)) => (TERM, vec![format!("{STOP_SIGNAL}: 0 is no signal; SIGTERM is sent")]),
        Some(Err(unknown)) => (TERM, vec![format!("{STOP_SIGNAL}: {unknown}; SIGTERM is sent")]),
    }
}
