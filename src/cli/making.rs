//! What `run` and `create` have in common: from the command line to a container.

use std::path::Path;

use crate::bundle::{Bundle, Source};
use crate::cli::args::{Global, Making};
use crate::cli::log::Log;
use crate::cli::paths;
use crate::cli::terminal::{self, Stay};
use crate::error::Error;
use crate::feature::activation::Activation;
use crate::feature::keyring::Keyring;
use crate::feature::notify;
use crate::feature::rootfs::Exit;
use crate::host::Host;
use crate::launch::Launch;
use crate::plan::request::{Gate, Request};
use crate::state::{ContainerId, Store};

/// What the command line asks for.
pub struct Wish<'a> {
    pub global: &'a Global,
    pub making: &'a Making,
    pub store: &'a Store,
    /// The directory of the bundle.
    pub bundle: &'a Path,
    pub gate: Gate,
    pub stay: Stay,
}

/// Everything that is known before anything is made.
pub struct Order {
    pub source: Source,
    pub bundle: Bundle,
    pub request: Request,
}

/// Reads and checks everything.
pub fn prepare(id: ContainerId, wish: &Wish) -> Result<Order, Error> {
    let host = Host::probe();
    if let Some(refusal) = host.refusal() {
        return Err(Error::Unsupported(refusal));
    }
    let config = paths::given(&wish.making.config)?;
    let source = Source::load(wish.bundle, config.as_ref().map(|path| path.as_path()))?;
    let request = request(id, wish, &source, &host)?;
    let mut bundle = Bundle::check(&source, &host, &request)?;
    terminal::fit(&mut bundle, &request.master);
    Ok(Order { source, bundle, request })
}

fn request(id: ContainerId, wish: &Wish, source: &Source, host: &Host) -> Result<Request, Error> {
    let Wish { global, making, store, gate, stay, .. } = *wish;
    let master = terminal::master(paths::given(&making.console_socket)?, &source.spec, stay);
    let activation = Activation::of_caller()?;
    let sockets = activation.as_ref().map_or(0, |activation| activation.descriptors);
    Ok(Request {
        cgroup_driver: global.permitted_driver(&source.spec, host),
        preserved: making.preserve_fds.saturating_add(sockets),
        keyring: if making.no_new_keyring { Keyring::Inherited } else { Keyring::Own },
        pid_file: paths::given(&making.pid_file)?,
        pidfd_socket: paths::given(&making.pidfd_socket)?,
        activation,
        notify: notify::directory(&store.root().join(id.as_str())),
        exit: exit(making)?,
        ..Request::new(id, gate, master)
    })
}

fn exit(making: &Making) -> Result<Exit, Error> {
    let failed = |error| Error::file("read", Path::new("/proc/self/mountinfo"), error);
    if making.no_pivot { Exit::by_moving().map_err(failed) } else { Ok(Exit::Pivot) }
}

/// Carries out the plan. What the configuration asks for and does not get is told when the container is made:
/// who is refused has other worries, and hears only of poststop hooks that failed.
pub fn make(launch: &mut Launch, log: &Log) -> Result<(), Error> {
    let made = launch.perform().and_then(|()| launch.conclude());
    log.asides(&launch.warnings);
    made?;
    for finding in &launch.bundle.warnings {
        log.warning(&format!("{}: {}", finding.at, finding.message));
    }
    Ok(())
}
