//! A container that may run for so long and no longer (`run --timeout`): then it is stopped as by `stop`,
//! and the caller hears of it by the exit status of timeout(1), 124.
//!
//! The clock is a timerfd (timerfd_create(2)), because the foreground waits for descriptors. It strikes
//! twice: at the end of the time, and when the program has not ended then by itself.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use rustix::event::Timespec;
use rustix::io::Errno;
use rustix::time::{Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags};
use rustix::time::{timerfd_create, timerfd_settime};

use crate::error::Error;
use crate::state::{Record, Store, signal, stop};

/// How long the program may take to end by itself: as with `stop`.
const PATIENCE: Duration = Duration::from_secs(10);

/// A clock that runs.
#[derive(Debug)]
pub struct Clock(OwnedFd);

impl Clock {
    /// It strikes after this time. Errors: of timerfd_create(2).
    pub fn starting(time: Duration) -> Result<Self, Error> {
        let flags = TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC;
        let made = timerfd_create(TimerfdClockId::Monotonic, flags).map(Self);
        made.and_then(|clock| clock.set(time).map(|()| clock))
            .map_err(|errno| Error::WrongState(format!("cannot set a clock for the time limit: {errno}")))
    }

    fn set(&self, time: Duration) -> Result<(), Errno> {
        // Zero would stop the clock.
        let time = Timespec::try_from(time.max(Duration::from_nanos(1))).map_err(|_| Errno::INVAL)?;
        let never = Timespec { tv_sec: 0, tv_nsec: 0 };
        let once = Itimerspec { it_interval: never, it_value: time };
        timerfd_settime(&self.0, TimerfdTimerFlags::empty(), &once).map(drop)
    }
}

/// Whom the clock strikes, and how often it has.
#[derive(Debug)]
pub struct TimeLimit<'a> {
    clock: Clock,
    store: &'a Store,
    record: &'a Record,
    stage: Stage,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Running,
    Asked,
    Killed,
}

impl<'a> TimeLimit<'a> {
    /// For this container.
    pub fn new(clock: Clock, store: &'a Store, record: &'a Record) -> Self {
        Self { clock, store, record, stage: Stage::Running }
    }

    /// Is the time over?
    pub fn is_over(&self) -> bool {
        self.stage != Stage::Running
    }

    /// To be called when the clock has struck: first asks the program to end, then kills everybody.
    ///
    /// Errors: of [`signal::end_everybody`].
    pub fn strike(&mut self) -> Result<(), Error> {
        // Twelve strokes or one: what counts is that there was any.
        let _ = rustix::io::read(&self.clock.0, &mut [0; 8]);
        match self.stage {
            Stage::Running => {
                self.stage = Stage::Asked;
                // A program that cannot be asked, or a clock that does not strike again: it is killed now.
                if stop::ask(self.store, self.record, None).is_err() || self.clock.set(PATIENCE).is_err() {
                    return self.strike();
                }
                Ok(())
            }
            Stage::Asked => {
                self.stage = Stage::Killed;
                signal::end_everybody(self.store, self.record).map(drop)
            }
            Stage::Killed => Ok(()),
        }
    }
}

impl AsFd for TimeLimit<'_> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.clock.0.as_fd()
    }
}
