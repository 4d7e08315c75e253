//! What can be done with a container that exists: pause it, resume it, delete it.

use std::time::{Duration, Instant};

use oci_spec::runtime::Spec;

use crate::bundle::Source;
use crate::cgroup::systemd::SystemdError;
use crate::cgroup::{Cgroup, CgroupError, CgroupPath, Driver, Hierarchy, v1};
use crate::error::Error;
use crate::feature::cgroup::{self, ControlGroup};
use crate::feature::hooks;
use crate::feature::rdt::{self, Class};
use crate::host::Host;
use crate::launch::hook;
use crate::resctrl::{Group, ResctrlError, Tree};
use crate::state::scope::{self, Claim};
use crate::state::{Container, ContainerId, HookState, Record, Status, Store};

/// How long the processes of a container may take to die.
pub(super) const DEATH: Duration = Duration::from_secs(10);
/// How long they may take to freeze: a process in an uninterruptible sleep cannot.
pub(super) const FREEZING: Duration = Duration::from_secs(10);

/// How `delete` treats what still runs, or is not there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manner {
    /// Only what has stopped, or has not been started.
    Polite,
    /// Whatever there is, in whatever state; nothing there is fine.
    Forced,
}

/// Stops every process of a container where it stands (cgroups(7), cgroup.freeze).
///
/// Errors: [`Error::NotFound`]; [`Error::WrongState`] unless the container is created or running.
pub fn pause(store: &Store, id: &ContainerId) -> Result<(), Error> {
    let container = store.open(id)?;
    let record = container.record()?;
    match container.status(&record) {
        Status::Created | Status::Running => {
            Ok(existing_cgroup(id, &record)?.freeze(Instant::now() + FREEZING)?)
        }
        other => Err(Error::WrongState(format!("cannot pause a container that is {}: {id}", other.word()))),
    }
}

/// Lets every process of a paused container go on.
///
/// Errors: [`Error::NotFound`]; [`Error::WrongState`] when it is not paused.
pub fn resume(store: &Store, id: &ContainerId) -> Result<(), Error> {
    let container = store.open(id)?;
    let record = container.record()?;
    match container.status(&record) {
        Status::Paused => Ok(existing_cgroup(id, &record)?.thaw(Instant::now() + FREEZING)?),
        _ => Err(Error::WrongState(format!("container not paused: {id}"))),
    }
}

fn existing_cgroup(id: &ContainerId, record: &Record) -> Result<Cgroup, Error> {
    let absent = || match record.cgroup {
        Some(_) => format!("the cgroup of container {id} is gone"),
        None => format!("container {id} has no cgroup of its own, so it cannot be frozen as a whole"),
    };
    cgroup_of(record)?.ok_or_else(|| Error::WrongState(absent()))
}

/// Is the container's cgroup told to be frozen?
pub(super) fn is_frozen(record: &Record) -> bool {
    let asked = || cgroup_of(record).ok()??.read_file("cgroup.freeze").ok()?;
    asked().is_some_and(|text| text.trim() == "1")
}

/// The cgroup that was made for the container; `None` when it has none, or it is gone.
pub fn cgroup_of(record: &Record) -> Result<Option<Cgroup>, CgroupError> {
    let path = record.cgroup.as_deref().and_then(|path| CgroupPath::absolute(path).ok());
    let Some(path) = path else { return Ok(None) };
    let Some(mut cgroup) = Cgroup::open(&Hierarchy::find()?, &path)? else { return Ok(None) };
    for group in &record.cgroup_v1 {
        group.open()?.into_iter().for_each(|open| cgroup.add(open));
    }
    Ok(Some(cgroup))
}

/// The same for who does not hold the container's lock, while which it may be deleted, and another one made
/// of its name and at its place: then `None`.
///
/// A container's cgroup is made after its record and goes before it. So a cgroup that was open before the
/// record was seen again is this container's own.
pub fn own_cgroup_of(store: &Store, record: &Record) -> Result<Option<Cgroup>, Error> {
    let cgroup = cgroup_of(record)?;
    Ok(if store.still_has(record)? { cgroup } else { None })
}

/// Removes the container that a record describes, unless somebody has done that already. What comes back are
/// warnings.
pub fn delete_same(store: &Store, record: &Record) -> Result<Vec<String>, Error> {
    match store.reopen(record)? {
        Some((container, now)) => dispose(&container, &now),
        None => Ok(Vec::new()),
    }
}

/// Removes a container and everything that belongs to it. What comes back are warnings.
///
/// With [`Manner::Forced`] this works on whatever the directory holds, also on garbage, and may be repeated;
/// a process is only signalled if it is the one that was written down.
pub fn delete(store: &Store, id: &ContainerId, manner: Manner) -> Result<Vec<String>, Error> {
    let container = match store.open(id) {
        Err(Error::NotFound { .. }) if manner == Manner::Forced => return Ok(Vec::new()),
        other => other?,
    };
    let record = match container.record() {
        Ok(record) => record,
        // The record is written before anything is made: where there is none, there is nothing but the
        // directory.
        Err(Error::NotFound { .. }) if manner == Manner::Forced => {
            return container.remove().map(|()| Vec::new());
        }
        Err(_) if manner == Manner::Forced => return forget(&container),
        Err(error) => return Err(error),
    };
    let status = container.status(&record);
    let may = matches!(status, Status::Stopped | Status::Created) || manner == Manner::Forced;
    if !may {
        let word = status.word();
        return Err(Error::WrongState(format!("cannot delete container {id} that is not stopped: {word}")));
    }
    dispose(&container, &record)
}

/// Ends what runs, removes the cgroup and then the directory, so that a command that dies before can be
/// repeated. The poststop hooks come last: for them the container is deleted (runtime.md, Lifecycle).
pub fn dispose(container: &Container, record: &Record) -> Result<Vec<String>, Error> {
    end(record)?;
    remove_cgroup(record)?;
    v1::remove(&record.cgroup_v1, Instant::now() + DEATH)?;
    remove_resctrl_groups(record)?;
    let hooks = if record.hooks_later { later_hooks(container, record) } else { Ok(hooks::Hooks::default()) };
    container.remove()?;
    let warnings = match hooks {
        Ok(hooks) => poststop(&hooks, &hook_state(container.id(), record)),
        Err(error) => vec![format!("the poststop hooks could not be read: {error}")],
    };
    Ok(warnings)
}

/// Kills the first process. Where no cgroup tells when everybody is gone, its own end is waited for.
fn end(record: &Record) -> Result<(), Error> {
    let Some(process) = record.process else { return Ok(()) };
    process.kill();
    if record.cgroup.is_none() && !process.has_ended_within(DEATH.as_millis() as u64) {
        return Err(Error::WrongState(format!(
            "process {} was killed and has not ended in time",
            process.pid
        )));
    }
    Ok(())
}

fn remove_cgroup(record: &Record) -> Result<(), Error> {
    if let Some(unit) = &record.unit {
        let claim = match &record.cgroup {
            Some(_) => Claim::Certain,
            None => Claim::Asked { id: &record.id },
        };
        return scope::remove(unit, record.cgroup.as_deref(), claim);
    }
    let Some(path) = record.cgroup.as_deref().and_then(|path| CgroupPath::absolute(path).ok()) else {
        return Ok(());
    };
    let hierarchy = Hierarchy::find()?;
    let made: Vec<CgroupPath> =
        record.cgroups_made.iter().filter_map(|path| CgroupPath::absolute(path).ok()).collect();
    // Most often nobody is left in it, and it goes at once.
    if made.contains(&path) && !hierarchy.remove_empty(&made).contains(&path) {
        return Ok(());
    }
    let deadline = Instant::now() + DEATH;
    if made.contains(&path) {
        hierarchy.clear(&path, deadline)?;
    } else if let Some(cgroup) = Cgroup::open(&hierarchy, &path)? {
        cgroup.kill(deadline)?;
        cgroup.forget_filter(&record.id)?;
    }
    hierarchy.remove_empty(&made);
    Ok(())
}

fn remove_resctrl_groups(record: &Record) -> Result<(), Error> {
    let made: Vec<Group> = record.resctrl_made.iter().filter_map(|path| Group::recorded(path)).collect();
    remove_groups(made.iter())
}

/// Outermost first; removed the other way round. Where resctrl is no longer mounted, its groups are gone too.
fn remove_groups<'a>(groups: impl Iterator<Item = &'a Group>) -> Result<(), Error> {
    let groups: Vec<&Group> = groups.collect();
    if groups.is_empty() {
        return Ok(());
    }
    let tree = match Tree::find() {
        Err(ResctrlError::NotMounted) => return Ok(()),
        other => other?,
    };
    for group in groups.into_iter().rev() {
        tree.remove(group)?;
    }
    Ok(())
}

/// A directory whose record cannot be read. What is left to find is the cgroup, where the copy of the
/// configuration wants it, else at the default place; and the groups of resctrl that this copy asks for.
fn forget(container: &Container) -> Result<Vec<String>, Error> {
    let text = container.config().unwrap_or_default();
    let source = Source::parse("/".into(), container.path().join("config.json"), text);
    let source = source.ok();
    let wanted = source.as_ref().and_then(|source| {
        cgroup::resolve(&source.spec, container.id(), Driver::Cgroupfs, &Host::probe()).ok()
    });
    let default = || CgroupPath::resolve("", container.id().as_str(), &Hierarchy::own_cgroup().ok()?).ok();
    forget_scope(source.as_ref(), container.id())?;
    if let Some(path) = wanted.and_then(|group| group.path().cloned()).or_else(default) {
        Hierarchy::find()?.clear(&path, Instant::now() + DEATH)?;
    }
    let class = source.as_ref().and_then(|source| rdt::resolve(&source.spec, container.id()));
    remove_groups(class.iter().flat_map(Class::goes_with_container))?;
    container.remove()?;
    Ok(vec![format!(
        "the state of container {} could not be read; what was found was removed",
        container.id()
    )])
}

/// Without a record nobody knows who has made the cgroup. If systemd has, it knows the scope as ours.
fn forget_scope(source: Option<&Source>, id: &ContainerId) -> Result<(), Error> {
    let (host, empty) = (Host::probe(), Spec::default());
    let spec = source.map_or(&empty, |source| &source.spec);
    let group = cgroup::resolve(spec, id, Driver::Systemd, &host).ok().filter(|_| host.has_systemd());
    match group.as_ref().and_then(ControlGroup::unit) {
        Some(unit) => match scope::remove(unit, None, Claim::Asked { id: id.as_str() }) {
            // Nobody to ask: then it is most likely that nobody was asked for a scope either.
            Err(Error::Systemd(SystemdError::NoBus { .. } | SystemdError::NoAddress)) => Ok(()),
            other => other,
        },
        None => Ok(()),
    }
}

/// The poststop hooks; a failing one is a warning, and the others still run (runtime.md, Lifecycle).
pub fn poststop(hooks: &hooks::Hooks, state: &HookState) -> Vec<String> {
    let text = state.json(Status::Stopped.word(), 0);
    let run = |(index, hook): (usize, &hooks::Hook)| {
        let failed = hook::run(hook, &text, &state.bundle).err()?;
        Some(format!("error running poststop hook #{index}: {failed}"))
    };
    hooks.poststop.iter().enumerate().filter_map(run).collect()
}

/// The poststart hooks, in order; the first that fails ends it.
pub fn poststart(container: &Container, record: &Record) -> Result<(), Error> {
    if !record.hooks_later {
        return Ok(());
    }
    let pid = record.process.map_or(0, |process| process.pid);
    let state = hook_state(container.id(), record).json(Status::Running.word(), pid);
    for (index, hook) in later_hooks(container, record)?.poststart.iter().enumerate() {
        hook::run(hook, &state, &record.bundle)
            .map_err(|said| Error::WrongState(format!("error running poststart hook #{index}: {said}")))?;
    }
    Ok(())
}

fn later_hooks(container: &Container, record: &Record) -> Result<hooks::Hooks, Error> {
    let source =
        Source::parse_checked(record.bundle.clone(), record.bundle.join("config.json"), container.config()?)?;
    Ok(hooks::resolve(&source.spec, &[]))
}

fn hook_state(id: &ContainerId, record: &Record) -> HookState {
    HookState { id: id.clone(), bundle: record.bundle.clone(), annotations: record.annotations.clone() }
}
