//! What happens to a container, as it happens: an event is one JSON object on a line.
//!
//! | `type` | when | `data` |
//! |---|---|---|
//! | `stats` | after each interval | [`Stats`] |
//! | `oom` | the kernel has killed a process of the container for want of memory | |
//! | `pressure` | if asked for: processes wait long for `cpu`, `memory` or `io`, once in 2 s | [`Stalled`] |
//!
//! One poll(2) waits for all of it. A change of `memory.events` or `cgroup.events` is told as POLLPRI to
//! those who have read the file since the last one (kernfs), so each is read before every wait. Some changes
//! are told to nobody (`UNTOLD`), so no wait is longer than a second. The stream ends when nobody lives in
//! the cgroup any more, or nobody reads.
//!
//! Kernel: cgroup-v2.rst, "Memory Interface Files", `memory.events` with `oom_kill`. Man page: poll(2).

use std::io::{self, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::OFlags;
use rustix::io::Errno;
use serde::Serialize;

use super::pressure::Pressure;
use super::stats::Stats;
use super::trigger::Trigger;
use super::{figures, named};
use crate::cgroup::{Cgroup, CgroupError};
use crate::kernfs::read_whole;

/// After how long to look again although nothing was told: version 1 tells of no change, and version 2 not of
/// one just before the cgroup is removed (`cgroup::events`).
const UNTOLD: Duration = Duration::from_secs(1);

/// One line; the first two kinds are in runc's words.
#[derive(Debug, Serialize)]
struct Event<'a, D> {
    r#type: &'static str,
    id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<D>,
}

/// For which resource processes wait, and the averages.
#[derive(Debug, Serialize)]
pub struct Stalled {
    resource: &'static str,
    psi: Option<Pressure>,
}

/// Whether to tell of pressure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stalls {
    Told,
    PassedOver,
}

/// Writes one event.
///
/// Errors: of the reader, EPIPE among them.
fn tell(to: &mut impl Write, id: &str, kind: &'static str, data: Option<impl Serialize>) -> io::Result<()> {
    let mut line = serde_json::to_vec(&Event { r#type: kind, id, data })?;
    line.push(b'\n');
    to.write_all(&line)?;
    to.flush()
}

/// Writes the statistics once.
///
/// Errors: of the reader.
pub fn once(to: &mut impl Write, id: &str, stats: &Stats) -> io::Result<()> {
    tell(to, id, "stats", Some(stats))
}

/// What is followed, and how.
pub struct Subject<'a> {
    pub id: &'a str,
    pub cgroup: &'a Cgroup,
    /// The time between two statistics.
    pub interval: Duration,
    pub stalls: Stalls,
}

/// Writes what happens until the container has ended, or nobody reads any more.
///
/// Errors: [`CgroupError::Read`]; that the cgroup is gone is the end, not an error.
pub fn follow(
    to: &mut (impl Write + AsFd),
    subject: &Subject,
    stats: impl Fn() -> Stats,
) -> Result<(), CgroupError> {
    let Some(mut watched) = Watched::open(subject.cgroup)? else { return Ok(()) };
    let triggers = match subject.stalls {
        Stalls::Told => Trigger::set_all(subject.cgroup),
        Stalls::PassedOver => Vec::new(),
    };
    let mut next = Instant::now() + subject.interval;
    let mut stalled = Vec::new();
    loop {
        let alive = watched.populated();
        let news = News { kills: watched.kills(), stalled };
        // A reader that has gone away is no failure of ours.
        if news.tell(to, subject).is_err() || !alive {
            return Ok(());
        }
        if Instant::now() >= next {
            if once(to, subject.id, &stats()).is_err() {
                return Ok(());
            }
            // After a long stop of ours there is one, not all that were missed.
            next = Instant::now().max(next + subject.interval);
        }
        let left = next.saturating_duration_since(Instant::now()).min(UNTOLD);
        stalled = match watched.wait(&triggers, left, to) {
            Ok(Reader::Listens(stalled)) => stalled,
            Ok(Reader::Gone) => return Ok(()),
            Err(errno) => return Err(subject.cgroup.unreadable("cgroup.events", errno)),
        };
    }
}

/// What has happened since the last look.
struct News<'t> {
    /// Processes killed for want of memory.
    kills: u64,
    stalled: Vec<&'t Trigger>,
}

impl News<'_> {
    fn tell(&self, to: &mut impl Write, subject: &Subject) -> io::Result<()> {
        for _ in 0..self.kills {
            tell(to, subject.id, "oom", None::<()>)?;
        }
        for trigger in &self.stalled {
            let data = Stalled { resource: trigger.resource, psi: trigger.pressure(subject.cgroup) };
            tell(to, subject.id, "pressure", Some(data))?;
        }
        Ok(())
    }
}

/// The files whose changes are waited for. Without the memory controller there is one less.
struct Watched {
    life: OwnedFd,
    memory: Option<OwnedFd>,
    killed: u64,
}

impl Watched {
    /// `None` when the cgroup is gone.
    fn open(cgroup: &Cgroup) -> Result<Option<Self>, CgroupError> {
        let Some(life) = cgroup.open_file("cgroup.events", OFlags::RDONLY)? else { return Ok(None) };
        let open = |file| cgroup.open_file(file, OFlags::RDONLY);
        let memory =
            open("memory.events")?.map_or_else(|| open("memory.oom_control"), |file| Ok(Some(file)))?;
        let mut watched = Self { life, memory, killed: 0 };
        // What has happened before is not told again.
        watched.kills();
        Ok(Some(watched))
    }

    fn populated(&self) -> bool {
        let text = read_whole(self.life.as_fd()).unwrap_or_default();
        named(&figures(&text), "populated") == 1
    }

    /// How many processes were killed since the last look.
    fn kills(&mut self) -> u64 {
        let Some(memory) = &self.memory else { return 0 };
        let text = read_whole(memory.as_fd()).unwrap_or_default();
        let now = named(&figures(&text), "oom_kill").max(self.killed);
        let new = now - self.killed;
        self.killed = now;
        new
    }

    /// Waits for a change, for at most `longest`.
    fn wait<'t>(
        &self,
        triggers: &'t [Trigger],
        longest: Duration,
        reader: &impl AsFd,
    ) -> Result<Reader<'t>, Errno> {
        let limit = Timespec::try_from(longest).ok();
        // POLLERR, which need not be asked for, is what the writer of a pipe without readers gets.
        let mut wanted = vec![PollFd::new(reader, PollFlags::empty())];
        wanted.extend(triggers.iter().map(|trigger| PollFd::new(trigger, PollFlags::PRI)));
        wanted.push(PollFd::new(&self.life, PollFlags::PRI));
        wanted.extend(self.memory.iter().map(|memory| PollFd::new(memory, PollFlags::PRI)));
        match poll(&mut wanted, limit.as_ref()) {
            Ok(_) => {}
            Err(Errno::INTR) => return Ok(Reader::Listens(Vec::new())),
            Err(errno) => return Err(errno),
        }
        if wanted[0].revents().intersects(PollFlags::ERR | PollFlags::NVAL) {
            return Ok(Reader::Gone);
        }
        let news = triggers.iter().zip(&wanted[1..]).filter(|(_, fd)| fd.revents().contains(PollFlags::PRI));
        Ok(Reader::Listens(news.map(|(trigger, _)| trigger).collect()))
    }
}

/// Whoever reads our standard output, and where processes were found stalled.
enum Reader<'t> {
    Listens(Vec<&'t Trigger>),
    Gone,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_have_the_words_of_runc() {
        let mut said = Vec::new();
        tell(&mut said, "web", "oom", None::<()>).unwrap();
        assert_eq!(said, b"{\"type\":\"oom\",\"id\":\"web\"}\n");
        once(&mut said, "web", &Stats::default()).unwrap();
        let last = said.split(|byte| *byte == b'\n').nth(1).unwrap();
        let event: serde_json::Value = serde_json::from_slice(last).unwrap();
        assert_eq!((&event["type"], &event["data"]["pids"]), (&"stats".into(), &serde_json::json!({})));
    }
}
