//! The birth of the container's first process, and what the host does to it afterwards.

use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use crate_run_plan::slot::Slot;
use crate_run_sys::birth::{Birthplace, Cradle, Newborn, give_birth};
use crate_run_sys::files::close_on_exec_from;
use crate_run_sys::namespaces::{self, flag};
use crate_run_sys::scheduling::{self, Attributes};
use crate_run_sys::{Errno, host, process, sockets};
use rustix::fs::{Mode, OFlags, open};
use rustix::process::{WaitId, WaitIdOptions, waitid};

use crate::cgroup::Cgroup;
use crate::feature::hooks::Hook;
use crate::feature::identity::{Writer, Writers};
use crate::launch::Launch;
use crate::launch::cause::{Cause, Done};
use crate::launch::connection::connect_to;
use crate::launch::image::{self, Reading};
use crate::launch::line::{Ending, Line};
use crate::launch::undo::end;
use crate::launch::{hook, mapper};
use crate::plan::project;
use crate::state::is_killed;

/// The container's first process, as long as it is our child.
#[derive(Debug)]
pub struct Born {
    pub pid: i32,
    pub pidfd: OwnedFd,
    pub(super) newborn: Newborn,
}

impl From<Newborn> for Born {
    fn from(newborn: Newborn) -> Self {
        Self { pid: newborn.pid, pidfd: host::owned(newborn.pidfd), newborn }
    }
}

impl Launch<'_> {
    pub(super) fn birth(&mut self, kinds: u64) -> Done {
        let (line, theirs) = Line::open()?;
        self.slots.insert(Slot::LINE, theirs);
        let number_of = |slot: Slot| self.slots.get(&slot).map_or(-1, |fd| host::borrowed(fd).0);
        let program = project::encode(self.plan, &self.programs, &number_of);
        let reading = match kinds & flag::USER {
            0 => Reading::Allowed,
            _ => Reading::Forbidden,
        };
        let image = image::seal(&program, reading, self.store.root())?;
        // What the caller has left open is not for the container, not even while it waits for its start.
        close_on_exec_from(3 + self.request.preserved)?;
        for fd in self.slots.values() {
            rustix::io::fcntl_setfd(fd, rustix::io::FdFlags::empty())?;
        }
        let (born, spurned) = self.born(&image, kinds, &line)?;
        self.line = Some(line);
        self.newborn = Some(born);
        // Whatever the child has inherited, the host needs no more; the line must close when the child ends.
        self.slots.clear();
        self.return_home()?;
        if spurned { self.move_in() } else { Ok(()) }
    }

    /// The newborn, and whether it still waits to be moved into its cgroup: since Linux 6.14 and up to 7.3,
    /// and in the stable series that took the same change, the kernel kills at once who is born into a cgroup
    /// when that or its parent's was ever killed through cgroup.kill (docs/adr/0017-spurned-newborn.md).
    fn born(&self, image: &OwnedFd, kinds: u64, line: &Line) -> Result<(Born, bool), Cause> {
        let cgroup = self.birthplace().map(host::borrowed);
        let bear = |place| {
            let cradle = Box::leak(Box::new(Cradle::new()));
            give_birth(cradle, host::borrowed(image), c"crate-run", kinds, place)
                .map(Born::from)
                .map_err(|errno| self.birth_cause(errno))
        };
        let born = bear(cgroup.map_or(Birthplace::Beside, Birthplace::Inside))?;
        if cgroup.is_none() || !is_killed(born.pid) {
            return Ok((born, false));
        }
        end(&born).map_or(Ok(()), |left| Err(Cause::Said(left)))?;
        // It has lived, and was killed by somebody: nobody can take its place in the middle of the plan.
        if line.is_heard() {
            return Err(Cause::Child(Ending::Silence));
        }
        Ok((bear(Birthplace::Waiting)?, true))
    }

    /// The cgroup in which the newborn is to live from its first instruction on.
    fn birthplace(&self) -> Option<&Cgroup> {
        self.cgroup.as_ref().or(self.place.as_ref())
    }

    fn move_in(&self) -> Done {
        let (Some(cgroup), Some(born)) = (self.birthplace(), &self.newborn) else { return Ok(()) };
        cgroup.write_file("cgroup.procs", &born.pid.to_string())?;
        born.newborn.moved();
        Ok(())
    }

    /// The reborn process is our child, by CLONE_PARENT; the first one ends now, whatever has become of it.
    pub(super) fn adopt(&mut self) -> Done {
        let (Some(line), Some(born)) = (&mut self.line, &mut self.newborn) else { return Ok(()) };
        waitid(WaitId::PidFd(born.pidfd.as_fd()), WaitIdOptions::EXITED)?;
        let reborn = line.reborn().map_err(Cause::Child)?;
        born.pid = pid_of(&reborn)?;
        born.pidfd = reborn;
        Ok(())
    }

    pub(super) fn run_on(&self, processors: &[u8]) -> Done {
        scheduling::run_on(processors).map_err(|errno| Cause::Call("sched_setaffinity(2)", errno))
    }

    pub(super) fn run_hook(&self, hook: &Hook, kind: &str, index: usize) -> Done {
        let pid = self.newborn.as_ref().map_or(0, |born| born.pid);
        let state = self.bundle.hook_state(&self.request.id).json("creating", pid);
        hook::run(hook, &state, &self.bundle.directory)
            .map_err(|said| Cause::Said(format!("error running {kind} hook #{index}: {said}")))
    }

    /// The namespace lives as long as somebody holds it: first our descriptor, then the child. Of a process
    /// with several threads only this one leaves and comes back, so it is its own entry that tells (proc(5)).
    pub(super) fn make_network(&mut self) -> Done {
        let open_own = || open("/proc/thread-self/ns/net", OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty());
        let own = open_own()?;
        namespaces::unshare(flag::NETWORK).map_err(|errno| Cause::Call("unshare(2)", errno))?;
        let made = open_own();
        namespaces::join(host::borrowed(&own), flag::NETWORK)?;
        self.slots.insert(Slot::NETWORK, made?);
        Ok(())
    }

    pub(super) fn birth_cause(&self, errno: Errno) -> Cause {
        match self.birthplace().and_then(|cgroup| cgroup.why_not_born(errno.0.into())) {
            Some(why) => Cause::Said(format!("clone3(2) answered: {errno}: {why}")),
            None => Cause::Call("clone3(2)", errno),
        }
    }

    /// Out of the container's directory, and back to our own namespaces.
    pub(super) fn return_home(&mut self) -> Done {
        rustix::process::chdir("/")?;
        let (later, now): (Vec<_>, Vec<_>) = self.homes.drain(..).partition(|(kind, _)| *kind == flag::TIME);
        self.homes = later;
        for (kind, own) in now {
            namespaces::join(host::borrowed(&own), kind)?;
        }
        Ok(())
    }

    /// EUSERS: a newborn still shares our memory.
    pub(super) fn return_to_own_time(&mut self) -> Done {
        for (kind, own) in self.homes.drain(..) {
            namespaces::join(host::borrowed(&own), kind).map_err(|errno| Cause::Call("setns(2)", errno))?;
        }
        Ok(())
    }

    /// The newborn has not been waited for, so its number is still its own.
    pub(super) fn proc_file(&self, name: &str, value: &str) -> Done {
        let Some(born) = &self.newborn else { return Ok(()) };
        let path = format!("/proc/{}/{name}", born.pid);
        let file = open(path, OFlags::WRONLY | OFlags::CLOEXEC, Mode::empty())?;
        match rustix::io::write(&file, value.as_bytes()) {
            Ok(_) => Ok(()),
            // It is dead, and the cgroup may say why.
            Err(rustix::io::Errno::SRCH) => Err(Cause::Child(Ending::Silence)),
            Err(errno) => Err(errno.into()),
        }
    }

    pub(super) fn write_maps(&mut self, uids: &str, gids: &str, writers: &Writers) -> Done {
        self.write_map("gid_map", gids, &writers.gids)?;
        self.write_map("uid_map", uids, &writers.uids)?;
        if let Some(born) = &self.newborn {
            born.newborn.maps_written();
        }
        Ok(())
    }

    fn write_map(&self, file: &str, map: &str, writer: &Writer) -> Done {
        let Some(born) = &self.newborn else { return Ok(()) };
        match writer {
            Writer::Helper(helper) => {
                return mapper::run(helper.as_path(), born.pid, map).map_err(Cause::Said);
            }
            Writer::OwnId if file == "gid_map" => self.proc_file("setgroups", "deny")?,
            Writer::OwnId | Writer::Runtime => {}
        }
        self.proc_file(file, map)
    }

    pub(super) fn set_limit(&self, resource: u32, soft: u64, hard: u64) -> Done {
        let Some(born) = &self.newborn else { return Ok(()) };
        process::set_limit_of(born.pid, resource, soft, hard)
            .map_err(|errno| Cause::Call("prlimit(2)", errno))
    }

    pub(super) fn set_scheduler(&self, attributes: &Attributes) -> Done {
        let Some(born) = &self.newborn else { return Ok(()) };
        scheduling::set_scheduler(born.pid, attributes)
            .map_err(|errno| Cause::Call("sched_setattr(2)", errno))
    }

    /// The newborn leads a session, and so a process group of its own number.
    pub(super) fn set_io_priority(&self, priority: u32) -> Done {
        let Some(born) = &self.newborn else { return Ok(()) };
        scheduling::set_io_priority(born.pid, priority).map_err(|errno| Cause::Call("ioprio_set(2)", errno))
    }

    /// One message with one descriptor (SCM_RIGHTS of unix(7)).
    pub(super) fn send_pidfd(&self, path: &Path) -> Done {
        let Some(born) = &self.newborn else { return Ok(()) };
        let socket = connect_to(path)?;
        sockets::send(host::borrowed(&socket), b"pidfd", Some(host::borrowed(&born.pidfd)))
            .map_err(|errno| Cause::Call("sendmsg(2)", errno))
    }
}

/// The number of a process in our pid namespace (pidfd_open(2), fdinfo).
pub(super) fn pid_of(pidfd: &OwnedFd) -> Result<i32, Cause> {
    let facts = std::fs::read_to_string(format!("/proc/self/fdinfo/{}", host::borrowed(pidfd).0))?;
    let pid = facts.lines().find_map(|line| line.strip_prefix("Pid:")?.trim().parse().ok());
    pid.filter(|pid| *pid > 0).ok_or_else(|| Cause::Said("the reborn process has no number here".to_owned()))
}
