//! Carrying out the host's half of a plan.
//!
//! Each step with an effect that outlives the command puts its undo on a list. When a step fails, on either side,
//! the list is worked off from its end: nothing is left behind.

use std::collections::BTreeMap;
use std::fs::File;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate_run_plan::slot::Slot;
use crate_run_sys::birth::{Cradle, Newborn, give_birth};
use crate_run_sys::files::close_on_exec_from;
use crate_run_sys::mounts::{Attributes, Depth, clone_tree, set_attributes};
use crate_run_sys::{Errno, host, sockets};
use rustix::fs::{Mode, OFlags, open};
use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, bind, connect, listen, socket_with};
use rustix::process::{WaitId, WaitIdOptions, waitid};

use crate::bundle::{Bundle, Source};
use crate::cgroup::{Cgroup, CgroupError, CgroupPath, Hierarchy, limits};
use crate::error::Error;
use crate::feature::identity::Maps;
use crate::host::in_user_namespace;
use crate::launch::image::{self, Reading};
use crate::launch::line::{Ending, Line};
use crate::launch::{copyup, failure, hook};
use crate::plan::compile::{Gate, Request};
use crate::plan::project::{self, HostTurn, Programs};
use crate::plan::{Action, Deep, HostAction, Plan, TreeChange};
use crate::state::{Container, ProcessId, Record, Stage, Store};

/// How long the end of the container's processes may take when a failed start is undone.
const END: Duration = Duration::from_secs(10);

/// A start under way.
pub struct Launch<'a> {
    pub store: &'a Store,
    pub source: &'a Source,
    pub bundle: &'a Bundle,
    pub plan: &'a Plan,
    pub request: &'a Request,
    programs: Programs,
    slots: BTreeMap<Slot, OwnedFd>,
    /// A pid namespace was entered for our children; this is the way back.
    own_pids: Option<OwnedFd>,
    hierarchy: Option<Hierarchy>,
    cgroup: Option<Cgroup>,
    pub container: Option<Container>,
    pub record: Option<Record>,
    pid_file: Option<PathBuf>,
    pub line: Option<Line>,
    pub newborn: Option<Born>,
}

/// The container's first process, as long as it is our child.
#[derive(Debug)]
pub struct Born {
    pub pid: i32,
    pub pidfd: OwnedFd,
    newborn: Newborn,
}

/// Why a step failed: what the kernel said, or what another part of us says.
pub enum Cause {
    Errno(Errno),
    /// The kernel's answer to a certain call.
    Call(&'static str, Errno),
    Said(String),
    Cgroup(CgroupError),
    Other(Error),
    Child(Ending),
}

impl From<rustix::io::Errno> for Cause {
    fn from(errno: rustix::io::Errno) -> Self {
        Cause::Errno(Errno(errno.raw_os_error() as u16))
    }
}

impl From<Errno> for Cause {
    fn from(errno: Errno) -> Self {
        Cause::Errno(errno)
    }
}

impl From<Error> for Cause {
    fn from(error: Error) -> Self {
        Cause::Other(error)
    }
}

impl From<CgroupError> for Cause {
    fn from(error: CgroupError) -> Self {
        Cause::Cgroup(error)
    }
}

impl From<std::io::Error> for Cause {
    fn from(error: std::io::Error) -> Self {
        match error.raw_os_error() {
            Some(number) => Cause::Errno(Errno(number as u16)),
            None => Cause::Said(error.to_string()),
        }
    }
}

type Done = Result<(), Cause>;

impl<'a> Launch<'a> {
    pub fn new(
        store: &'a Store,
        source: &'a Source,
        bundle: &'a Bundle,
        plan: &'a Plan,
        request: &'a Request,
    ) -> Self {
        Self {
            store,
            source,
            bundle,
            plan,
            request,
            programs: project::project(plan),
            slots: BTreeMap::new(),
            own_pids: None,
            hierarchy: None,
            cgroup: None,
            container: None,
            record: None,
            pid_file: None,
            line: None,
            newborn: None,
        }
    }

    /// Carries out the plan up to the point at which the child goes its own way. On failure everything is undone.
    pub fn perform(&mut self) -> Result<(), Error> {
        let turns = std::mem::take(&mut self.programs.host);
        for turn in &turns {
            let (index, done) = match *turn {
                HostTurn::Do(index) => (index, self.step(index)),
                HostTurn::Await => (0, self.await_child()),
                HostTurn::Release => (0, self.release()),
            };
            if let Err(cause) = done {
                return Err(self.fail(index, cause));
            }
        }
        Ok(())
    }

    /// Listens to the child's end of the plan.
    pub fn conclude(&mut self) -> Result<(), Error> {
        let Some(line) = &mut self.line else { return Ok(()) };
        let done = match line.listen() {
            Ending::Executed => self.record_running(),
            Ending::Parked => Ok(()),
            bad => Err(Cause::Child(bad)),
        };
        done.map_err(|cause| self.fail(0, cause))
    }

    fn await_child(&mut self) -> Done {
        match &mut self.line {
            Some(line) => line.await_arrival().map_err(Cause::Child),
            None => Ok(()),
        }
    }

    fn release(&mut self) -> Done {
        match self.line.as_ref().map_or(Ok(()), Line::release) {
            // A child that is gone has said why, or will be found silent by the next one who listens.
            Ok(()) | Err(Errno::EPIPE | Errno::ECONNRESET) => Ok(()),
            Err(errno) => Err(errno.into()),
        }
    }

    fn step(&mut self, index: usize) -> Done {
        let Action::Host(action) = &self.plan.steps[index].action else { return Ok(()) };
        match action {
            HostAction::ReserveId => {
                self.container = Some(self.store.reserve(&self.request.id)?);
                Ok(())
            }
            HostAction::RecordIntent => self.record_intent(),
            HostAction::CreateCgroup { path } => self.create_cgroup(path),
            HostAction::EnableControllers { .. } => self.enable_controllers(),
            HostAction::WriteCgroup { setting } => {
                self.cgroup.as_ref().map_or(Ok(()), |cgroup| cgroup.apply(setting).map(drop)).map_err(Cause::from)
            }
            HostAction::AttachDeviceFilter { program } => self.attach_filter(program),
            HostAction::OpenRoot { path } => self.open_root(path.as_path()),
            HostAction::CloneTree { source, depth, change, slot } => {
                let tree = clone_tree(crate_run_sys::Fd::CWD, &source.text(), *depth)
                    .map_err(|errno| Cause::Call("open_tree(2)", errno))?;
                self.slots.insert(*slot, changed(host::owned(tree), change)?);
                Ok(())
            }
            HostAction::FillTmpfs { tree, path, options, uid, gid, change, slot } => {
                let Some(tree) = self.slots.get(tree) else { return Ok(()) };
                let filled = copyup::filled_tmpfs(tree, path, options, (*uid, *gid))?;
                self.slots.insert(*slot, changed(filled, change)?);
                Ok(())
            }
            HostAction::OpenNamespace { path, kind, slot } => self.open_namespace(path.as_path(), *kind, *slot),
            HostAction::JoinPidNamespace { slot } => self.join_pids(*slot),
            HostAction::OpenGate => self.open_gate(),
            HostAction::ConnectConsole { path } => {
                let socket = connect_to(path.as_path())?;
                self.slots.insert(Slot::CONSOLE, socket);
                Ok(())
            }
            HostAction::GiveBirth { kinds } => self.birth(*kinds),
            HostAction::AdoptReborn => self.adopt(),
            HostAction::WriteIdMaps { uids, gids } => self.write_maps(uids, gids),
            HostAction::SetOomScore { value } => self.proc_file("oom_score_adj", &value.to_string()),
            HostAction::SetLimit { resource, soft, hard } => self.set_limit(*resource, *soft, *hard),
            HostAction::RunHook { hook, kind, index } => {
                let pid = self.newborn.as_ref().map_or(0, |born| born.pid);
                let state = self.bundle.hook_state(&self.request.id).json("creating", pid);
                hook::run(hook, &state, &self.bundle.directory)
                    .map_err(|said| Cause::Said(format!("error running {kind} hook #{index}: {said}")))
            }
            HostAction::SendPidfd { path } => self.send_pidfd(path.as_path()),
            HostAction::RecordCreated => self.record_created(),
            HostAction::WritePidFile { path } => self.write_pid_file(path.as_path()),
        }
    }

    fn save(&self) -> Done {
        if let (Some(container), Some(record)) = (&self.container, &self.record) {
            container.save(record)?;
        }
        Ok(())
    }

    fn record_intent(&mut self) -> Done {
        let creator = ProcessId::of(std::process::id() as i32);
        let Some(creator) = creator else { return Err(Cause::Said("/proc is not mounted".to_owned())) };
        let path = &self.bundle.cgroup.path;
        let cgroups_made = missing_levels(self.hierarchy()?, path)?;
        let hooks = &self.bundle.hooks;
        let annotations = self.bundle.annotations.clone();
        self.record = Some(Record {
            id: self.request.id.to_string(),
            stage: Stage::Creating,
            bundle: self.bundle.directory.clone(),
            rootfs: self.bundle.rootfs.path.as_path().to_owned(),
            created: crate::cli::timestamp::rfc3339(std::time::SystemTime::now()),
            creator,
            process: None,
            cgroup: Some(self.bundle.cgroup.path.to_string()),
            cgroups_made,
            annotations,
            owner: rustix::process::getuid().as_raw(),
            own_pids: self.bundle.namespaces.makes(crate_run_sys::namespaces::flag::PID),
            wanted: self.request.to_record(),
            hooks_later: !(hooks.poststart.is_empty() && hooks.poststop.is_empty()),
        });
        self.save()
    }

    /// The cgroup hierarchy, looked for once.
    fn hierarchy(&mut self) -> Result<&Hierarchy, Cause> {
        if self.hierarchy.is_none() {
            self.hierarchy = Some(Hierarchy::find()?);
        }
        Ok(self.hierarchy.as_ref().expect("just found"))
    }

    fn create_cgroup(&mut self, path: &CgroupPath) -> Done {
        let cgroup = Cgroup::create(self.hierarchy()?, path)?;
        if let Some(record) = &mut self.record {
            record.cgroups_made = cgroup.created().iter().map(ToString::to_string).collect();
        }
        self.cgroup = Some(cgroup);
        Ok(())
    }

    fn enable_controllers(&mut self) -> Done {
        let group = &self.bundle.cgroup;
        self.hierarchy()?.enable_controllers(&group.path, &limits::controllers(&group.settings))?;
        Ok(())
    }

    fn attach_filter(&mut self, program: &[u8]) -> Done {
        let Some(cgroup) = &self.cgroup else { return Ok(()) };
        let program = match crate_run_sys::bpf::load_device_program(program) {
            Ok(program) => host::owned(program),
            // No right to load one, but none to make a device either: inside, nodes can only be lent by the host.
            Err(Errno::EPERM) if in_user_namespace() => return Ok(()),
            Err(errno) => return Err(Cause::Call("bpf(2), BPF_PROG_LOAD", errno)),
        };
        crate_run_sys::bpf::attach_device_program(host::borrowed(cgroup), host::borrowed(&program))
            .map_err(|errno| Cause::Call("bpf(2), BPF_PROG_ATTACH", errno))
    }

    /// The working directory is how the child finds the place in its own mount namespace: `mount::attach_root`.
    fn open_root(&mut self, path: &Path) -> Done {
        let root = open(path, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
        rustix::process::fchdir(&root)?;
        let tree = clone_tree(host::borrowed(&root), c"", Depth::Tree)
            .map_err(|errno| Cause::Call("open_tree(2)", errno))?;
        let slave = TreeChange {
            propagation: Some((crate_run_sys::mounts::propagation::PRIVATE, Deep::One)),
            ..TreeChange::default()
        };
        self.slots.insert(Slot::ROOT_TREE, changed(host::owned(tree), &slave)?);
        Ok(())
    }

    fn open_namespace(&mut self, path: &Path, kind: u64, slot: Slot) -> Done {
        let namespace = open(path, OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC, Mode::empty())?;
        let is = crate_run_sys::namespaces::kind_of(host::borrowed(&namespace));
        if is != Ok(kind) {
            let said = match is.map(crate::feature::namespaces::name_of) {
                Ok(other) => format!("it is the {other} namespace of a process"),
                Err(_) => "it is no namespace".to_owned(),
            };
            return Err(Cause::Said(said));
        }
        self.slots.insert(slot, namespace);
        Ok(())
    }

    fn join_pids(&mut self, slot: Slot) -> Done {
        let own = open("/proc/self/ns/pid", OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?;
        self.own_pids = Some(own);
        if let Some(namespace) = self.slots.remove(&slot) {
            crate_run_sys::namespaces::join(
                host::borrowed(&namespace),
                crate_run_sys::namespaces::flag::PID,
            )?;
        }
        Ok(())
    }

    fn open_gate(&mut self) -> Done {
        let Some(container) = &self.container else { return Ok(()) };
        let socket = packet_socket()?;
        // A path of a socket has room for 108 bytes only; by descriptor any directory will do.
        let directory = File::open(container.path())?;
        let path = format!("/proc/self/fd/{}/gate", host::borrowed(&directory).0);
        bind(&socket, &SocketAddrUnix::new(path)?)?;
        listen(&socket, 8)?;
        self.slots.insert(Slot::GATE, socket);
        Ok(())
    }

    fn birth(&mut self, kinds: u64) -> Done {
        let (line, theirs) = Line::open()?;
        self.slots.insert(Slot::LINE, theirs);
        let number_of = |slot: Slot| self.slots.get(&slot).map_or(-1, |fd| host::borrowed(fd).0);
        let program = project::encode(self.plan, &self.programs, &number_of);
        let reading = match kinds & crate_run_sys::namespaces::flag::USER {
            0 => Reading::Allowed,
            _ => Reading::Forbidden,
        };
        let image = image::seal(&program, reading, self.store.root())?;
        // What the caller has left open is not for the container, not even while it waits for its start.
        close_on_exec_from(3 + self.request.preserved)?;
        for fd in self.slots.values() {
            rustix::io::fcntl_setfd(fd, rustix::io::FdFlags::empty())?;
        }
        let cradle = Box::leak(Box::new(Cradle::new()));
        let into = self.cgroup.as_ref().map(host::borrowed);
        let newborn = give_birth(cradle, host::borrowed(&image), c"crate-run", kinds, into)
            .map_err(|errno| self.birth_cause(errno))?;
        self.line = Some(line);
        // Whatever the child has inherited, the host needs no more; the line must close when the child ends.
        self.slots.clear();
        self.return_home()?;
        self.newborn = Some(Born { pid: newborn.pid, pidfd: host::owned(newborn.pidfd), newborn });
        Ok(())
    }

    /// The reborn process is our child, by CLONE_PARENT; the first one ends now, whatever has become of it.
    fn adopt(&mut self) -> Done {
        let (Some(line), Some(born)) = (&mut self.line, &mut self.newborn) else { return Ok(()) };
        waitid(WaitId::PidFd(born.pidfd.as_fd()), WaitIdOptions::EXITED)?;
        let reborn = line.reborn().map_err(Cause::Child)?;
        born.pid = pid_of(&reborn)?;
        born.pidfd = reborn;
        Ok(())
    }

    fn birth_cause(&self, errno: Errno) -> Cause {
        match self.cgroup.as_ref().and_then(|cgroup| cgroup.why_not_born(errno.0.into())) {
            Some(why) => Cause::Said(format!("clone3(2) answered: {errno}: {why}")),
            None => Cause::Call("clone3(2)", errno),
        }
    }

    /// Out of the container's directory, and back to our own pid namespace.
    fn return_home(&mut self) -> Done {
        rustix::process::chdir("/")?;
        if let Some(own) = self.own_pids.take() {
            crate_run_sys::namespaces::join(host::borrowed(&own), crate_run_sys::namespaces::flag::PID)?;
        }
        Ok(())
    }

    /// The newborn has not been waited for, so its number is still its own.
    fn proc_file(&self, name: &str, value: &str) -> Done {
        let Some(born) = &self.newborn else { return Ok(()) };
        let path = format!("/proc/{}/{name}", born.pid);
        let file = open(path, OFlags::WRONLY | OFlags::CLOEXEC, Mode::empty())?;
        rustix::io::write(&file, value.as_bytes())?;
        Ok(())
    }

    fn write_maps(&mut self, uids: &str, gids: &str) -> Done {
        let _: Option<&Maps> = self.bundle.identity.maps.as_ref();
        self.proc_file("gid_map", gids)?;
        self.proc_file("uid_map", uids)?;
        if let Some(born) = &self.newborn {
            born.newborn.maps_written();
        }
        Ok(())
    }

    fn set_limit(&self, resource: u32, soft: u64, hard: u64) -> Done {
        let Some(born) = &self.newborn else { return Ok(()) };
        crate_run_sys::process::set_limit_of(born.pid, resource, soft, hard)
            .map_err(|errno| Cause::Call("prlimit(2)", errno))
    }

    /// One message with one descriptor (SCM_RIGHTS of unix(7)).
    fn send_pidfd(&self, path: &Path) -> Done {
        let Some(born) = &self.newborn else { return Ok(()) };
        let socket = connect_to(path)?;
        sockets::send(host::borrowed(&socket), b"pidfd", Some(host::borrowed(&born.pidfd)))
            .map_err(|errno| Cause::Call("sendmsg(2)", errno))
    }

    fn record_created(&mut self) -> Done {
        let process = self.newborn.as_ref().and_then(|born| ProcessId::of(born.pid));
        if let Some(record) = &mut self.record {
            record.process = process;
            // What goes straight on is not created before it runs.
            if self.request.gate == Gate::Closed {
                record.stage = Stage::Created;
            }
        }
        // Whoever starts or deletes the container may need its configuration as it is now, for its later hooks.
        if let Some(container) = &self.container {
            container.save_config(&self.source.text)?;
        }
        self.save()
    }

    fn record_running(&mut self) -> Done {
        if let Some(record) = &mut self.record {
            record.stage = Stage::Created;
        }
        self.save()
    }

    /// Written beside the file and renamed over it: a reader finds the whole number or none.
    fn write_pid_file(&mut self, path: &Path) -> Done {
        let Some(born) = &self.newborn else { return Ok(()) };
        let mut name = path.as_os_str().to_owned();
        name.push(format!(".{}", std::process::id()));
        let new = Path::new(&name);
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = open(new, flags, Mode::from_raw_mode(0o644))?;
        let written = rustix::io::write(&file, born.pid.to_string().as_bytes()).map(drop);
        if let Err(errno) = written.and_then(|()| rustix::fs::rename(new, path)) {
            let _ = std::fs::remove_file(new);
            return Err(errno.into());
        }
        self.pid_file = Some(path.to_owned());
        Ok(())
    }

    /// Undoes everything, and makes one error of what happened.
    fn fail(&mut self, index: usize, cause: Cause) -> Error {
        let failed_birth = self.newborn.as_ref().and_then(|born| born.newborn.failure());
        let cause = match (cause, failed_birth) {
            (Cause::Child(Ending::Silence), Some(errno)) => Cause::Call("execve(2) of the sealed child", errno),
            (cause, _) => cause,
        };
        let killed = self.memory_killed();
        let left = self.undo();
        failure::of(self, index, cause, killed, left)
    }

    /// Did the kernel kill something in the cgroup for want of memory?
    fn memory_killed(&self) -> bool {
        let events = self.cgroup.as_ref().and_then(|cgroup| cgroup.memory_events().ok().flatten());
        events.is_some_and(|events| events.oom_kill > 0)
    }

    fn undo(&mut self) -> Vec<String> {
        let mut left = Vec::new();
        self.slots.clear();
        self.line = None;
        let _ = self.return_home();
        let was_born = self.newborn.is_some();
        if let Some(born) = self.newborn.take() {
            end(&born);
        }
        if let Some(cgroup) = self.cgroup.take() {
            let deadline = Instant::now() + END;
            let gone = cgroup.kill(deadline).and_then(|()| {
                let hierarchy = Hierarchy::find()?;
                if cgroup.created().last() == Some(cgroup.path()) {
                    hierarchy.remove(cgroup.path(), deadline)?;
                }
                hierarchy.remove_empty(cgroup.created());
                Ok(())
            });
            left.extend(gone.err().map(|error| error.to_string()));
        }
        if let Some(path) = self.pid_file.take() {
            let _ = std::fs::remove_file(path);
        }
        if let Some(container) = self.container.take() {
            left.extend(container.remove().err().map(|error| error.to_string()));
        }
        if was_born {
            self.poststop();
        }
        left
    }

    /// A container that was begun gets its poststop hooks (runtime.md, Lifecycle).
    fn poststop(&self) {
        let state = self.bundle.hook_state(&self.request.id).json("stopped", 0);
        for hook in &self.bundle.hooks.poststop {
            let _ = hook::run(hook, &state, &self.bundle.directory);
        }
    }
}

/// The levels of a path that are not there yet, and so will be ours to remove.
fn missing_levels(hierarchy: &Hierarchy, path: &CgroupPath) -> Result<Vec<String>, Cause> {
    let mut missing = Vec::new();
    for level in path.levels() {
        if Cgroup::open(hierarchy, &level)?.is_none() {
            missing.push(level.to_string());
        }
    }
    Ok(missing)
}

/// The number of a process in our pid namespace (pidfd_open(2), fdinfo).
fn pid_of(pidfd: &OwnedFd) -> Result<i32, Cause> {
    let facts = std::fs::read_to_string(format!("/proc/self/fdinfo/{}", host::borrowed(pidfd).0))?;
    let pid = facts.lines().find_map(|line| line.strip_prefix("Pid:")?.trim().parse().ok());
    pid.filter(|pid| *pid > 0).ok_or_else(|| Cause::Said("the reborn process has no number here".to_owned()))
}

/// Kills the newborn and reaps it.
fn end(born: &Born) {
    let _ = rustix::process::pidfd_send_signal(&born.pidfd, rustix::process::Signal::KILL);
    let _ = waitid(WaitId::PidFd(born.pidfd.as_fd()), WaitIdOptions::EXITED);
}

fn changed(tree: OwnedFd, change: &TreeChange) -> Result<OwnedFd, Cause> {
    let fd = host::borrowed(&tree);
    let set = |depth, attributes: Attributes| {
        set_attributes(fd, depth, &attributes).map_err(|errno| Cause::Call("mount_setattr(2)", errno))
    };
    let (mut one, mut tree_wide) = (Attributes::default(), Attributes::default());
    (one.set, one.clear) = (change.set, change.clear);
    (tree_wide.set, tree_wide.clear) = (change.tree_set, change.tree_clear);
    match change.propagation {
        Some((kind, Deep::One)) => one.propagation = kind,
        Some((kind, Deep::Tree)) => tree_wide.propagation = kind,
        None => {}
    }
    if tree_wide != Attributes::default() {
        set(Depth::Tree, tree_wide)?;
    }
    if one != Attributes::default() {
        set(Depth::One, one)?;
    }
    Ok(tree)
}

pub fn packet_socket() -> rustix::io::Result<OwnedFd> {
    socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)
}

/// How long the other side of a console socket may take to accept.
const ACCEPTANCE: Duration = Duration::from_secs(10);

/// Connects to a stream socket at a path of any length, through its directory's descriptor. One who listens and never
/// accepts ends in EAGAIN (unix(7) does not say so, socket(7) does: SO_SNDTIMEO).
fn connect_to(path: &Path) -> Result<OwnedFd, Cause> {
    let socket = socket_with(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
    let name = path.file_name().ok_or_else(|| Cause::Said("the path names no socket".to_owned()))?;
    let directory = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let directory = open(directory, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
    let by_descriptor = format!("/proc/self/fd/{}/{}", host::borrowed(&directory).0, name.to_string_lossy());
    set_socket_timeout(&socket, Timeout::Send, Some(ACCEPTANCE))?;
    connect(&socket, &SocketAddrUnix::new(by_descriptor)?)?;
    Ok(socket)
}
