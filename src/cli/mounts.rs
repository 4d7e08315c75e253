//! `crate-run mounts`: mounts of a container that runs already.

use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;

use crate_run_sys::namespaces::flag;
use rustix::process::{WaitId, WaitIdOptions, waitid};
use serde_json::Value;

use crate::bundle::finding::{Finding, Pointer};
use crate::bundle::path::InsidePath;
use crate::bundle::{Bundle, Source, entry, source, span};
use crate::cli::args::{Global, Mounts, MountsAction};
use crate::cli::log::Log;
use crate::cli::store;
use crate::error::Error;
use crate::feature::mounts::{Mount, later_findings};
use crate::feature::namespaces::{self, Cloner};
use crate::feature::terminal::Master;
use crate::host::Host;
use crate::launch::Launch;
use crate::plan::enter::{Door, Entrance, Root};
use crate::plan::mounting::{self, Leaving, Way};
use crate::plan::request::{Gate, Request};
use crate::state::{AddedMount, Container, ContainerId, ProcessId, Record, Status};

/// How long the mounts may take. A path of the container can lead to a filesystem whose server never answers,
/// or is paused with it.
const PATIENCE: Duration = Duration::from_secs(30);

/// Adds or removes all mounts of the list, or none.
///
/// Errors: [`Error::NotFound`]; [`Error::WrongState`] when the container has ended; what is wrong with the
/// list; the mount that failed; [`Error::Deadline`] when a filesystem of the container does not answer.
pub fn mounts(global: &Global, mounts: &Mounts, log: &Log) -> Result<i32, Error> {
    let (store, id) = (store::of(global)?, store::id(&mounts.id)?);
    let text = read(&mounts.file)?;
    // Nobody deletes or changes it meanwhile.
    let container = store.open(&id)?;
    let mut record = container.record()?;
    let process = running(&container, &record)?;
    let saved =
        Source::parse_checked(record.bundle.clone(), record.bundle.join("config.json"), container.config()?)?;
    let way = way(&id, process, &saved)?;
    let door = Door {
        process,
        kinds: way.kinds,
        root: Root::OfNamespace,
        cgroup: Entrance::Stays,
        groups: Vec::new(),
        bound: Vec::new(),
    };
    let removed = match mounts.action {
        MountsAction::Add => Vec::new(),
        MountsAction::Remove => leaving(&record, &mounts.file, &text)?,
    };
    let list: &[u8] = if mounts.action == MountsAction::Add { &text } else { b"[]" };
    let source = entry::with_mounts(&saved, &mounts.file, list, &door)?;
    let request = Request::new(id, Gate::Open, Master::None);
    let bundle = Bundle::check(&source, &Host::probe(), &request)?;
    let plan = match mounts.action {
        MountsAction::Add => {
            check_later(&bundle, &source)?;
            mounting::add(&bundle, way)
        }
        MountsAction::Remove => mounting::remove(&removed, way),
    };
    let mut launch = Launch::new(&store, &source, &bundle, &plan, &request);
    launch.perform().and_then(|()| launch.conclude_within(PATIENCE))?;
    let identities = launch.line.take().map(|line| line.mounts).unwrap_or_default();
    match mounts.action {
        MountsAction::Add => record.mounts_added.extend(added(&bundle, identities)),
        MountsAction::Remove => record.mounts_added.retain(|mount| !identities.contains(&mount.identity)),
    }
    container.save(&record)?;
    if let Some(born) = &launch.newborn {
        // It has said its last word, and is our child.
        let _ = waitid(WaitId::PidFd(born.pidfd.as_fd()), WaitIdOptions::EXITED);
    }
    let of_mounts = |finding: &&Finding| finding.at.section() == "mounts";
    for finding in bundle.warnings.iter().filter(of_mounts) {
        log.warning(&format!("{}: {}", finding.at, finding.message));
    }
    Ok(0)
}

/// The text of the list, if it is JSON.
fn read(file: &Path) -> Result<Vec<u8>, Error> {
    let text = source::read(file)?;
    let Err(fault) = span::strict(&text) else { return Ok(text) };
    let finding = Finding::error(fault.at.clone(), fault.message.clone()).cure(fault.cure(&text));
    Err(Error::malformed(file.to_owned(), Rc::new(text), finding, fault.span))
}

fn running(container: &Container, record: &Record) -> Result<ProcessId, Error> {
    match (container.status(record), record.process) {
        (Status::Created | Status::Running | Status::Paused, Some(process)) => Ok(process),
        (other, _) => {
            let said =
                format!("cannot change the mounts of a {} container: {}", other.word(), container.id());
            Err(Error::WrongState(said))
        }
    }
}

/// The way in, unless the mounts are those of others, or the process has gone to a user namespace of its own
/// together with its mounts.
fn way(id: &ContainerId, process: ProcessId, saved: &Source) -> Result<Way, Error> {
    let namespaces = namespaces::resolve(&saved.spec);
    if !namespaces.makes(flag::MOUNT) {
        let said =
            format!("container {id} has no mount namespace of its own: its mounts are those of others");
        return Err(Error::WrongState(said));
    }
    let kinds = namespaces::foreign(process.pid);
    if kinds & flag::USER != 0 && !namespaces.has(flag::USER) {
        let said = format!(
            "the first process of container {id} has gone to a user namespace of its own, where it could make \
             read-only mounts writable"
        );
        return Err(Error::WrongState(said));
    }
    Ok(Way { process, kinds })
}

/// Refuses what cannot come later than the container.
fn check_later(bundle: &Bundle, source: &Source) -> Result<(), Error> {
    if bundle.namespaces.cloner == Cloner::Child {
        let said = "adding mounts takes power over the mounts of the host: it is for root only";
        return Err(Error::Unsupported(said.to_owned()));
    }
    let found = later_findings(&bundle.mounts, &bundle.namespaces);
    if found.is_empty() { Ok(()) } else { Err(source.error(found)) }
}

/// Each mount with the identity that the child has told.
fn added(bundle: &Bundle, identities: Vec<u64>) -> impl Iterator<Item = AddedMount> {
    let one =
        |(mount, identity): (&Mount, u64)| AddedMount { destination: mount.target.to_string(), identity };
    bundle.mounts.iter().zip(identities).map(one)
}

/// What the list says is to go.
fn leaving(record: &Record, file: &Path, text: &[u8]) -> Result<Vec<Leaving>, Error> {
    let wrong = |findings| Error::config(PathBuf::from(file), Rc::new(text.to_vec()), findings);
    let list: Value = serde_json::from_slice(text).unwrap_or_default();
    let Some(entries) = list.as_array() else {
        let finding =
            Finding::error("", "the mounts must be a list").cure("write it like mounts of config.json");
        return Err(wrong(vec![finding]));
    };
    let (mut targets, mut found) = (Vec::new(), Vec::new());
    for (index, entry) in entries.iter().enumerate() {
        let at = Pointer::root().index(index).key("destination");
        let path = entry.get("destination").and_then(Value::as_str).filter(|path| path.starts_with('/'));
        match path.and_then(InsidePath::new) {
            Some(path) if path.as_str() == "/" => {
                found.push(Finding::error(at, "the root of a container cannot be removed"));
            }
            Some(target) => {
                let known = record.mounts_added_at(target.as_str());
                targets.push(Leaving { target, known, at });
            }
            None => found.push(Finding::error(at, "the destination must be an absolute path, as text")),
        }
    }
    if targets.len() > crate_run_plan::operation::MOST_LATER {
        let message = format!("{} mounts are too many at once", targets.len());
        found.push(Finding::error("", message).cure("remove fewer at a time"));
    }
    if found.is_empty() { Ok(targets) } else { Err(wrong(found)) }
}
