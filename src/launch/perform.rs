//! Carrying out the host's half of a plan.
//!
//! [`Launch`] goes through the host's program turn by turn. What it makes it keeps: descriptors in slots,
//! everything with an effect that outlives the command in a field of its own. When a step fails, on either
//! side, all of it is undone (`undo.rs`): nothing is left behind.
//!
//! The steps themselves stand beside this file: what is made ready (`prepare.rs`), the mounts (`trees.rs`),
//! the birth and what follows it (`birth.rs`), what is written down (`record.rs`).

use std::collections::BTreeMap;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::time::Duration;

use crate_run_plan::slot::Slot;
use crate_run_sys::Errno;

use crate::bundle::{Bundle, Source};
use crate::cgroup::systemd::{Systemd, Unit};
use crate::cgroup::{Cgroup, Hierarchy};
use crate::error::Error;
use crate::launch::birth::Born;
use crate::launch::cause::{Cause, Done};
use crate::launch::line::{Ending, Line};
use crate::launch::netdevice::Moved;
use crate::launch::notify;
use crate::plan::project::{self, HostTurn, Programs};
use crate::plan::request::Request;
use crate::plan::{Action, HostAction, Plan};
use crate::resctrl::{Group, Tree};
use crate::state::scope::Claim;
use crate::state::{Container, Record, Store};

/// A start under way.
pub struct Launch<'a> {
    pub store: &'a Store,
    pub source: &'a Source,
    pub bundle: &'a Bundle,
    pub plan: &'a Plan,
    pub request: &'a Request,
    pub(super) programs: Programs,
    pub(super) slots: BTreeMap<Slot, OwnedFd>,
    /// User namespaces whose id maps the mounts take; the child inherits none of them.
    pub(super) ids: BTreeMap<Slot, OwnedFd>,
    /// The ways back from namespaces that were entered for the birth, each with its type.
    pub(super) homes: Vec<(u64, OwnedFd)>,
    /// The network interfaces that are in the container's namespace now.
    pub(super) moved: Vec<Moved>,
    pub(super) hierarchy: Option<Hierarchy>,
    /// The cgroup that was made for the container.
    pub(super) cgroup: Option<Cgroup>,
    pub(super) systemd: Option<Systemd>,
    /// The scope that was asked for, and whether it came to be.
    pub(super) unit: Option<(Unit, Claim<'a>)>,
    pub(super) resctrl: Option<Tree>,
    /// The groups of resctrl that were made here, outermost first.
    pub(super) groups_made: Vec<Group>,
    /// The cgroup of somebody else, in which the newborn is to be born.
    pub(super) place: Option<Cgroup>,
    pub container: Option<Container>,
    pub record: Option<Record>,
    pub(super) pid_file: Option<PathBuf>,
    pub line: Option<Line>,
    /// The socket at which the program says that it is ready.
    pub notify: Option<OwnedFd>,
    pub newborn: Option<Born>,
    /// The master side of the terminal of a container that came to nothing.
    pub remains: Option<OwnedFd>,
    /// What is to be told beside the error.
    pub warnings: Vec<String>,
}

impl<'a> Launch<'a> {
    /// A start of which nothing has been done yet.
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
            ids: BTreeMap::new(),
            homes: Vec::new(),
            moved: Vec::new(),
            hierarchy: None,
            cgroup: None,
            systemd: None,
            unit: None,
            resctrl: None,
            groups_made: Vec::new(),
            place: None,
            container: None,
            record: None,
            pid_file: None,
            line: None,
            notify: None,
            newborn: None,
            remains: None,
            warnings: Vec::new(),
        }
    }

    /// Carries out the plan up to the point at which the child goes its own way.
    ///
    /// Errors: the step that failed, on either side. Everything is undone then; what could not be is named.
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
        done.map_err(|cause| self.fail(0, cause))?;
        // They are the container's now, and its network namespace is not to live longer than it does.
        self.moved.clear();
        Ok(())
    }

    /// The same, but a child that has not ended its part by then is killed.
    ///
    /// Errors: [`Error::Deadline`] then, with what could not be undone; those of `conclude`.
    pub fn conclude_within(&mut self, patience: Duration) -> Result<(), Error> {
        if self.line.as_ref().is_none_or(|line| line.closes_within(patience)) {
            return self.conclude();
        }
        let said = format!(
            "not done after {} s: a filesystem of the container may not answer. The process that did it is \
             killed, and what it has done by then may stay",
            patience.as_secs()
        );
        Err(Error::Deadline([vec![said], self.undo()].concat().join("; ")))
    }

    fn await_child(&mut self) -> Done {
        match &mut self.line {
            Some(line) => line.await_arrival().map_err(Cause::Child),
            None => Ok(()),
        }
    }

    fn release(&mut self) -> Done {
        let gift = self.slots.remove(&Slot::NETWORK);
        match self.line.as_ref().map_or(Ok(()), |line| line.release(gift.as_ref())) {
            // A child that is gone has said why, or will be found silent by the next one who listens.
            Ok(()) | Err(Errno::EPIPE | Errno::ECONNRESET) => Ok(()),
            Err(errno) => Err(errno.into()),
        }
    }

    fn step(&mut self, index: usize) -> Done {
        match &self.plan.steps[index].action {
            Action::Host(action) => self.act(action),
            Action::Child(_) => Ok(()),
        }
    }

    fn act(&mut self, action: &HostAction) -> Done {
        use HostAction as Host;
        match action {
            Host::ReserveId => self.reserve_id(),
            Host::RecordIntent => self.record_intent(),
            Host::CreateCgroup { path } => self.create_cgroup(path),
            Host::MakeGroup { group } => self.make_group(group),
            Host::JoinGroup { group } => self.join_group(group),
            Host::EnableControllers { wished, .. } => self.enable_controllers(wished),
            Host::ConnectSystemd { manager } => self.connect_systemd(*manager),
            Host::StartUnit { unit, properties } => self.start_unit(unit, properties),
            Host::JoinUnit { unit, below } => self.join_unit(unit, below),
            Host::CheckMemoryUse { limits } => self.check_memory_use(*limits),
            Host::WriteCgroup { setting } => self.write_cgroup(setting),
            Host::DelegateCgroup { user } => self.delegate_cgroup(*user),
            Host::AttachDeviceFilter { program } => self.attach_filter(program),
            Host::OpenResctrlGroup { group, lines, missing } => self.open_class(group, lines, *missing),
            Host::WriteSchemata { group, line } => Ok(self.resctrl()?.write_line(group, line)?),
            Host::MakeMonitoringGroup { group } => self.make_monitoring_group(group),
            Host::JoinResctrlGroup { group } => self.join_resctrl_group(group),
            Host::OpenRoot { path, clone } => self.open_root(path.as_path(), clone.as_ref()),
            Host::MapIds { ids, slot } => self.map_ids(ids, *slot),
            Host::CloneTree { source, link, depth, change, slot } => {
                self.clone_tree(source, *link, *depth, change, *slot)
            }
            Host::MakeFilesystem { filesystem, source, options, change, slot } => {
                self.make_filesystem(filesystem, source, options, change, *slot)
            }
            Host::FillTmpfs { tree, path, options, uid, gid, change, slot } => {
                self.fill_tmpfs(*tree, path, options, (*uid, *gid), change, *slot)
            }
            Host::OpenNamespace { path, kind, slot } => self.open_namespace(path.as_path(), *kind, *slot),
            Host::OpenContainer { process, slot } => self.open_container(process, *slot),
            Host::OpenRootOf { process, slot } => self.open_root_of(process, *slot),
            Host::OpenCgroup { path } => self.open_cgroup(path),
            Host::EnterNamespace { slot, kind } => self.enter_namespace(*slot, *kind),
            Host::ReturnToOwnTime => self.return_to_own_time(),
            Host::MakeNotifyDirectory { path } => Ok(notify::make_directory(path.as_path())?),
            Host::BindNotifySocket { directory } => self.bind_notify_socket(directory.as_path()),
            Host::OpenGate => self.open_gate(),
            Host::ConnectConsole { path } => self.connect_console(path.as_path()),
            Host::GiveBirth { kinds } => self.birth(*kinds),
            Host::AdoptReborn => self.adopt(),
            Host::WriteIdMaps { uids, gids, writers } => self.write_maps(uids, gids, writers),
            Host::MakeNetwork => self.make_network(),
            Host::MoveNetDevice { name, inside } => self.move_device(name, inside),
            Host::RunOn { processors } => self.run_on(processors),
            Host::SetOomScore { value } => self.proc_file("oom_score_adj", &value.to_string()),
            Host::SetLimit { resource, soft, hard } => self.set_limit(*resource, *soft, *hard),
            Host::SetScheduler { attributes } => self.set_scheduler(attributes),
            Host::SetIoPriority { priority } => self.set_io_priority(*priority),
            Host::WriteTimeOffsets { offsets } => self.proc_file("timens_offsets", offsets),
            Host::RunHook { hook, kind, index } => self.run_hook(hook, kind, *index),
            Host::SendListener { path, metadata } => self.send_listener(path.as_path(), metadata.as_deref()),
            Host::SendPidfd { path } => self.send_pidfd(path.as_path()),
            Host::RecordCreated => self.record_created(),
            Host::WritePidFile { path } => self.write_pid_file(path.as_path()),
        }
    }
}
