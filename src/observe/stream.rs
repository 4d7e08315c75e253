//! What happens to a container, as it happens: an event is one JSON object on a line.
//!
//! | `type` | when | `data` |
//! |---|---|---|
//! | `stats` | after each interval | [`Stats`] |
//! | `oom` | the kernel has killed a process of the container for want of memory | |
//!
//! One poll(2) waits for all of it. A change of `memory.events` or `cgroup.events` is told as POLLPRI to those
//! who have read the file since the last one (kernfs), so each is read before every wait. The interval is the
//! time limit of poll(2). The stream ends when nobody lives in the cgroup any more, or nobody reads.
//!
//! Kernel: cgroup-v2.rst, "Memory Interface Files", `memory.events` with `oom_kill`. Man page: poll(2).

use std::io::{self, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::OFlags;
use rustix::io::Errno;
use serde::Serialize;

use super::stats::Stats;
use super::{figures, named};
use crate::cgroup::{Cgroup, CgroupError};
use crate::kernfs::read_whole;

/// One line, in runc's words.
#[derive(Debug, Serialize)]
struct Event<'a> {
    r#type: &'static str,
    id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<&'a Stats>,
}

/// Writes one event.
///
/// Errors: of the reader, EPIPE among them.
fn tell(to: &mut impl Write, id: &str, kind: &'static str, data: Option<&Stats>) -> io::Result<()> {
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

/// The two files whose changes are waited for. Without the memory controller there is only one.
struct Watched {
    life: OwnedFd,
    memory: Option<OwnedFd>,
    killed: u64,
}

/// Writes what happens until the container has ended, or nobody reads any more.
///
/// Errors: [`CgroupError::Read`]; that the cgroup is gone is the end, not an error.
pub fn follow(
    to: &mut (impl Write + AsFd),
    id: &str,
    cgroup: &Cgroup,
    interval: Duration,
    stats: impl Fn() -> Stats,
) -> Result<(), CgroupError> {
    let Some(mut watched) = Watched::open(cgroup)? else { return Ok(()) };
    let mut next = Instant::now() + interval;
    loop {
        let alive = watched.populated();
        for _ in 0..watched.kills() {
            if tell(to, id, "oom", None).is_err() {
                return Ok(());
            }
        }
        if !alive {
            return Ok(());
        }
        if Instant::now() >= next {
            if once(to, id, &stats()).is_err() {
                return Ok(());
            }
            // After a long stop of ours there is one, not all that were missed.
            next = Instant::now().max(next + interval);
        }
        let left = next.saturating_duration_since(Instant::now());
        match watched.wait(left, to) {
            Ok(Reader::Listens) => {}
            Ok(Reader::Gone) => return Ok(()),
            Err(errno) => return Err(cgroup.unreadable("cgroup.events", errno)),
        }
    }
}

/// Whoever reads our standard output.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Reader {
    Listens,
    Gone,
}

impl Watched {
    /// `None` when the cgroup is gone.
    fn open(cgroup: &Cgroup) -> Result<Option<Self>, CgroupError> {
        let Some(life) = cgroup.open_file("cgroup.events", OFlags::RDONLY)? else { return Ok(None) };
        let memory = cgroup.open_file("memory.events", OFlags::RDONLY)?;
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

    fn wait(&self, longest: Duration, reader: &impl AsFd) -> Result<Reader, Errno> {
        let limit = Timespec::try_from(longest).ok();
        // POLLERR, which need not be asked for, is what the writer of a pipe without readers gets.
        let reader = PollFd::new(reader, PollFlags::empty());
        let life = PollFd::new(&self.life, PollFlags::PRI);
        let memory = self.memory.as_ref().map_or(life.clone(), |memory| PollFd::new(memory, PollFlags::PRI));
        let mut wanted = [reader, life, memory];
        match poll(&mut wanted, limit.as_ref()) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(errno) => return Err(errno),
        }
        let gone = wanted[0].revents().intersects(PollFlags::ERR | PollFlags::NVAL);
        Ok(if gone { Reader::Gone } else { Reader::Listens })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_have_the_words_of_runc() {
        let mut said = Vec::new();
        tell(&mut said, "web", "oom", None).unwrap();
        assert_eq!(said, b"{\"type\":\"oom\",\"id\":\"web\"}\n");
        once(&mut said, "web", &Stats::default()).unwrap();
        let last = said.split(|byte| *byte == b'\n').nth(1).unwrap();
        let event: serde_json::Value = serde_json::from_slice(last).unwrap();
        assert_eq!((&event["type"], &event["data"]["pids"]), (&"stats".into(), &serde_json::json!({})));
    }
}
