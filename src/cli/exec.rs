//! `crate-run exec`: another program in a container, with no more power than the container has.

use std::os::fd::OwnedFd;

use serde_json::{Value, json};

use crate_run_sys::namespaces::flag;

use crate::bundle::entry::{self, ProcessText};
use crate::bundle::{Bundle, Source};
use crate::cgroup::systemd::Manager;
use crate::cgroup::{Cgroup, CgroupPath, Hierarchy};
use crate::cli::args::{Exec, Global};
use crate::cli::log::Log;
use crate::cli::terminal::{self, Stay};
use crate::cli::{descriptors, making, paths, store};
use crate::error::Error;
use crate::feature::keyring::Keyring;
use crate::feature::namespaces;
use crate::feature::rdt::{self, Class};
use crate::host::{self, Host};
use crate::launch::foreground::{Watch, attend};
use crate::launch::{Born, Launch};
use crate::plan::enter::{Door, Entrance, Root, enter};
use crate::plan::request::{Gate, Request};
use crate::resctrl::{Group, ResctrlError, Tree};
use crate::state::{Container, ContainerId, ProcessId, Record, Status, Store};

/// Answers the exit status: the program's own in the foreground, 0 when detached.
pub fn exec(global: &Global, exec: &Exec, log: &Log) -> Result<i32, Error> {
    descriptors::check(exec.preserve_fds)?;
    let stay = if exec.detach { Stay::Detached } else { Stay::Foreground };
    let watch = match stay {
        Stay::Foreground => Some(Watch::begin()?),
        Stay::Detached => None,
    };
    let (store, id) = (store::of(global)?, store::id(&exec.id)?);
    let container = store.look(&id)?;
    let record = container.record()?;
    let process = running(&container, &record, exec)?;
    let target = Target { store: &store, container: &container, record: &record, process };
    let begun = target.begin(exec, stay, log).map_err(|error| match process.is_ending() {
        // Whatever failed: the container has ended meanwhile, and what was read or entered is gone with it.
        true => refused("stopped", &container),
        false => error,
    })?;
    match (watch, begun.born) {
        (Some(watch), Some(born)) => attend(watch, born.pid, &born.pidfd, begun.terminal, None),
        _ => Ok(0),
    }
}

/// The container in which the program is to run. Nobody keeps it from ending, or from being deleted.
struct Target<'a> {
    store: &'a Store,
    container: &'a Container,
    record: &'a Record,
    process: ProcessId,
}

/// A program that runs.
struct Begun {
    born: Option<Born>,
    /// The master side of its terminal.
    terminal: Option<OwnedFd>,
}

impl Target<'_> {
    fn begin(&self, exec: &Exec, stay: Stay, log: &Log) -> Result<Begun, Error> {
        let (id, record) = (self.container.id(), self.record);
        let file = record.bundle.join("config.json");
        let saved = Source::parse_checked(record.bundle.clone(), file, self.container.config()?)?;
        let door = door(id, self.process, record, &saved, exec)?;
        let source = entry::source(&saved, &process_text(&saved, exec)?, &door)?;
        let request = request(id.clone(), record, &source, exec, stay)?;
        let mut bundle = Bundle::check(&source, &host_of(&door), &request)?;
        terminal::fit(&mut bundle, &request.master);
        let plan = enter(&bundle, &request, &door);
        let mut launch = Launch::new(self.store, &source, &bundle, &plan, &request);
        making::make(&mut launch, log)?;
        let terminal = launch.line.take().and_then(|line| line.terminal);
        Ok(Begun { born: launch.newborn.take(), terminal })
    }
}

/// The container's first process, if a program may be started beside it.
fn running(container: &Container, record: &Record, exec: &Exec) -> Result<ProcessId, Error> {
    match (container.status(record), record.process) {
        (Status::Created | Status::Running, Some(process)) => Ok(process),
        (Status::Paused, Some(process)) if exec.ignore_paused => Ok(process),
        (Status::Creating, _) => Err(refused("creating", container)),
        (Status::Paused, _) => Err(refused("paused", container)),
        _ => Err(refused("stopped", container)),
    }
}

fn refused(what: &str, container: &Container) -> Error {
    Error::WrongState(format!("cannot exec in a {what} container: {}", container.id()))
}

fn door(
    id: &ContainerId,
    process: ProcessId,
    record: &Record,
    saved: &Source,
    exec: &Exec,
) -> Result<Door, Error> {
    let root = match namespaces::resolve(&saved.spec).makes(flag::MOUNT) {
        true => Root::OfNamespace,
        false => Root::OfProcess,
    };
    let kinds = namespaces::foreign(process.pid);
    let cgroup = match record.cgroup.as_deref().map(CgroupPath::absolute) {
        Some(Ok(path)) => entrance(record, &path, place(path.clone(), process, exec)?),
        _ => Entrance::Stays,
    };
    let groups = match rdt::resolve(&saved.spec, id) {
        Some(class) => there(class)?,
        None => Vec::new(),
    };
    Ok(Door { process, kinds, root, cgroup, groups, bound: record.cgroup_v1.clone() })
}

/// Those groups of the class that nobody has removed; what was in them is in the one above.
fn there(class: Class) -> Result<Vec<Group>, Error> {
    let tree = match Tree::find() {
        Err(ResctrlError::NotMounted) => return Ok(Vec::new()),
        other => other?,
    };
    let mut groups = Vec::new();
    for group in class.groups() {
        if tree.has(group)? {
            groups.push(group.clone());
        }
    }
    Ok(groups)
}

/// This machine as the program will find it: in the user namespace of the container.
fn host_of(door: &Door) -> Host {
    let mut host = Host::probe();
    if door.kinds & flag::USER != 0 {
        host.keeps_groups |= host::denies_groups(&format!("/proc/{}", door.process.pid));
    }
    host
}

/// A user may write to his scope, and not to what lies above both it and the place of the runtime
/// (cgroups(7)).
fn entrance(record: &Record, scope: &CgroupPath, place: CgroupPath) -> Entrance {
    match &record.unit {
        Some(unit) if unit.manager == Manager::User => {
            let below = place.as_str().strip_prefix(scope.as_str()).unwrap_or_default().to_owned();
            Entrance::Moved { unit: unit.clone(), below }
        }
        _ => Entrance::Born(place),
    }
}

/// The container's cgroup, or that below it which was asked for. Where something inside the container, such
/// as systemd, has made an inner node of it, nobody can be in it (cgroups(7)); and a first process that has
/// gone to another one may leave it to be removed: then it is the cgroup of the first process.
fn place(path: CgroupPath, process: ProcessId, exec: &Exec) -> Result<CgroupPath, Error> {
    let hierarchy = Hierarchy::find()?;
    if let Some(wanted) = &exec.cgroup {
        let said = |fault: String| Error::Usage(format!("--cgroup {wanted}: {fault}"));
        if wanted.contains(':') {
            let fault = "the form CONTROLLER:PATH is for cgroup v1; on cgroup v2 there is one path for all";
            return Err(said(fault.to_owned()));
        }
        let path = match wanted.trim_start_matches('/') {
            "" => path,
            below => path.below(below).map_err(|found| said(found[0].message.clone()))?,
        };
        return match Cgroup::open(&hierarchy, &path)? {
            Some(_) => Ok(path),
            None => Err(said(format!("there is no cgroup {path}"))),
        };
    }
    if let Some(cgroup) = Cgroup::open(&hierarchy, &path)? {
        let hands_down = cgroup.read_file("cgroup.subtree_control")?.unwrap_or_default();
        if hands_down.trim().is_empty() {
            return Ok(path);
        }
    }
    // That it has ended by now is told when it is opened.
    let own = Hierarchy::cgroup_of(process.pid).unwrap_or_default();
    Ok(CgroupPath::absolute(&own).unwrap_or(path))
}

/// The process from a file, or that of the container with what the command line says of it.
fn process_text(container: &Source, exec: &Exec) -> Result<ProcessText, Error> {
    if let Some(file) = &exec.process {
        let text = std::fs::read(file)
            .map_err(|error| Error::file("read the description of the process", file, error))?;
        return Ok(ProcessText::File { file: file.clone(), text });
    }
    if exec.program.is_empty() {
        return Err(Error::Usage(
            "exec needs a program, or --process with a file that describes one".to_owned(),
        ));
    }
    let first = serde_json::from_slice::<Value>(&container.text).unwrap_or_default();
    let mut process = match first.get("process") {
        Some(process) if process.is_object() => process.clone(),
        _ => json!({ "cwd": "/", "user": { "uid": 0, "gid": 0 } }),
    };
    from_flags(&mut process, exec);
    Ok(ProcessText::CommandLine { text: process.to_string().into_bytes() })
}

fn from_flags(process: &mut Value, exec: &Exec) {
    process["args"] = json!(exec.program);
    process["terminal"] = json!(exec.tty);
    let optional =
        [("cwd", &exec.cwd), ("apparmorProfile", &exec.apparmor), ("selinuxLabel", &exec.process_label)];
    for (name, value) in optional {
        if let Some(value) = value {
            process[name] = json!(value);
        }
    }
    if exec.no_new_privs {
        process["noNewPrivileges"] = json!(true);
    }
    if let Some(user) = exec.user {
        process["user"]["uid"] = json!(user.uid);
        if let Some(gid) = user.gid {
            process["user"]["gid"] = json!(gid);
        }
    }
    append(&mut process["user"]["additionalGids"], exec.additional_gids.iter().map(|gid| json!(gid)));
    append(&mut process["env"], exec.env.iter().map(|entry| json!(entry)));
    // An object without sets means no capability at all, no object means all of them: it is not touched in
    // vain.
    if !exec.cap.is_empty() {
        add_capabilities(&mut process["capabilities"], &exec.cap);
    }
}

fn add_capabilities(sets: &mut Value, names: &[String]) {
    let inherits = sets["inheritable"].as_array().is_some_and(|set| !set.is_empty());
    let more: &[&str] = if inherits { &["inheritable", "ambient"] } else { &[] };
    for set in ["bounding", "effective", "permitted"].iter().chain(more) {
        append(&mut sets[*set], names.iter().map(|name| json!(capability(name))));
    }
}

/// Makes a list of null; nothing to append leaves everything as it is.
fn append(list: &mut Value, more: impl ExactSizeIterator<Item = Value>) {
    if more.len() == 0 {
        return;
    }
    if list.is_null() {
        *list = json!([]);
    }
    if let Some(list) = list.as_array_mut() {
        list.extend(more);
    }
}

/// `net_admin` and `CAP_NET_ADMIN` are one.
fn capability(name: &str) -> String {
    let name = name.to_ascii_uppercase();
    if name.starts_with("CAP_") { name } else { format!("CAP_{name}") }
}

fn request(
    id: ContainerId,
    record: &Record,
    source: &Source,
    exec: &Exec,
    stay: Stay,
) -> Result<Request, Error> {
    let master = terminal::master(paths::given(&exec.console_socket)?, &source.spec, stay);
    let keyring = if record.wanted.inherits_keyring { Keyring::Inherited } else { Keyring::Own };
    Ok(Request {
        cgroup_driver: record.wanted.cgroup_driver,
        preserved: exec.preserve_fds,
        keyring,
        pid_file: paths::given(&exec.pid_file)?,
        pidfd_socket: paths::given(&exec.pidfd_socket)?,
        ..Request::new(id, Gate::Open, master)
    })
}
