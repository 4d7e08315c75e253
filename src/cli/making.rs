//! What `run` and `create` have in common: from the command line to a container.

use std::io::{IsTerminal, stdin, stdout};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

use crate::bundle::path::OutsidePath;
use crate::bundle::{Bundle, Source};
use crate::cgroup::Driver;
use crate::cli::args::{Global, Making};
use crate::cli::log::Log;
use crate::error::Error;
use crate::feature::activation::Activation;
use crate::feature::cgroup;
use crate::feature::keyring::Keyring;
use crate::feature::notify;
use crate::feature::rootfs::Exit;
use crate::feature::terminal::{Master, Terminal, resolve as terminal_of};
use crate::host::{Host, in_user_namespace};
use crate::launch::Launch;
use crate::launch::caller::CallerTerminal;
use crate::plan::request::{Gate, Request};
use crate::state::{ContainerId, Store};

/// How the command goes on when the program runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stay {
    /// It waits for the program's end, and lends it the terminal.
    Foreground,
    /// It returns.
    Detached,
}

/// Everything that is known before anything is made.
pub struct Order {
    pub source: Source,
    pub bundle: Bundle,
    pub request: Request,
}

/// The store that the command line names, or the default one: below /run for root, below XDG_RUNTIME_DIR for
/// everybody else, also for a user who is root of a user namespace of his own.
pub fn store(global: &Global) -> Result<Store, Error> {
    // An empty or relative one is none (XDG Base Directory Specification).
    let runtime = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from).filter(|path| path.is_absolute());
    let root = match (&global.root, runtime) {
        (Some(root), _) => absolute(root)?.as_path().to_owned(),
        (None, Some(runtime)) if !is_root_of_machine() => {
            return Ok(Store::of_user(runtime.join("crate-run")));
        }
        (None, None) if !rustix::process::geteuid().is_root() => {
            return Err(Error::Usage(
                "there is no place for the state of containers: XDG_RUNTIME_DIR is not set, as it is where a \
                 user logs in; set it, or give --root DIR"
                    .to_owned(),
            ));
        }
        _ => Path::new("/run/crate-run").to_owned(),
    };
    if root == Path::new("/") {
        return Err(Error::Usage("--root must not be the root directory".to_owned()));
    }
    Ok(Store::new(root))
}

/// Is this root, and if in a user namespace, then one who logged in as root (the rule of runc)? Podman runs
/// some commands with USER and some without.
fn is_root_of_machine() -> bool {
    let logged_in = || std::env::var_os("USER").is_some_and(|user| user == "root");
    rustix::process::geteuid().is_root() && (logged_in() || !in_user_namespace())
}

/// An id, checked before its first use.
pub fn id(name: &str) -> Result<ContainerId, Error> {
    ContainerId::new(name).map_err(Error::Usage)
}

/// The path as it is from everywhere.
pub fn absolute(path: &Path) -> Result<OutsidePath, Error> {
    let here = std::env::current_dir()
        .map_err(|error| Error::file("find the working directory of", Path::new("crate-run"), error))?;
    OutsidePath::new(&here, path).ok_or_else(|| Error::Usage("a path holds a NUL character".to_owned()))
}

/// Reads and checks everything. Paths of the command line are made absolute here: later the
/// runtime leaves its working directory.
pub fn prepare(
    global: &Global,
    making: &Making,
    id: ContainerId,
    bundle: &Path,
    gate: Gate,
    stay: Stay,
) -> Result<Order, Error> {
    let host = Host::probe();
    if let Some(refusal) = host.refusal() {
        return Err(Error::Unsupported(refusal));
    }
    let config = making.config.as_deref().map(absolute).transpose()?;
    let source = Source::load(bundle, config.as_ref().map(OutsidePath::as_path))?;
    let socket = making.console_socket.as_deref().map(absolute).transpose()?;
    let master = match (socket, terminal_of(&source.spec), stay) {
        (Some(socket), _, _) => Master::Socket(socket),
        (None, Terminal::Pty { .. }, Stay::Foreground) => Master::Foreground,
        _ => Master::None,
    };
    let pid_file = making.pid_file.as_deref().map(absolute).transpose()?;
    let pidfd_socket = making.pidfd_socket.as_deref().map(absolute).transpose()?;
    let keyring = if making.no_new_keyring { Keyring::Inherited } else { Keyring::Own };
    let activation = Activation::of_caller()?;
    let preserved = making.preserve_fds.saturating_add(activation.as_ref().map_or(0, |it| it.descriptors));
    let notify = notify::directory(&store(global)?.root().join(id.as_str()));
    let request = Request {
        cgroup_driver: cgroup_driver(global, &source, &host),
        preserved,
        keyring,
        pid_file,
        pidfd_socket,
        activation,
        notify,
        exit: exit(making)?,
        ..Request::new(id, gate, master)
    };
    let mut bundle = Bundle::check(&source, &host, &request)?;
    fit_terminal(&mut bundle, &request.master);
    Ok(Order { source, bundle, request })
}

/// Who makes the cgroup of this container on this host.
pub fn cgroup_driver(global: &Global, source: &Source, host: &Host) -> Driver {
    match global.rootless.tolerates(host) {
        true => cgroup::permitted(&source.spec, global.cgroup_driver(), host),
        false => global.cgroup_driver(),
    }
}

/// A terminal that the caller sees gets the size of the caller's, and plain line ends where nobody sees it.
pub fn fit_terminal(bundle: &mut Bundle, master: &Master) {
    if *master != Master::Foreground {
        return;
    }
    if let Some(size) = CallerTerminal::of(stdin().as_fd(), stdout().as_fd()).size() {
        bundle.terminal = bundle.terminal.or_sized(size.ws_row, size.ws_col);
    }
    if !stdout().is_terminal() {
        bundle.terminal = bundle.terminal.read_by_a_program();
    }
}

/// Carries out the plan. What the configuration asks for and does not get is told when the container is made:
/// who is refused has other worries, and hears only of poststop hooks that failed.
pub fn make(launch: &mut Launch, log: &Log) -> Result<(), Error> {
    let made = launch.perform().and_then(|()| launch.conclude());
    tell(&launch.warnings, log);
    made?;
    for finding in &launch.bundle.warnings {
        log.warning(&format!("{}: {}", finding.at, finding.message));
    }
    Ok(())
}

/// One line for each warning.
pub fn tell(warnings: &[String], log: &Log) {
    warnings.iter().for_each(|warning| log.warning(warning));
}

fn exit(making: &Making) -> Result<Exit, Error> {
    let failed = |error| Error::file("read", Path::new("/proc/self/mountinfo"), error);
    if making.no_pivot { Exit::by_moving().map_err(failed) } else { Ok(Exit::Pivot) }
}

/// Every descriptor that the container is promised must be open: those of a service manager, then those of
/// `--preserve-fds`. To be asked before we open any ourselves.
pub fn check_handed_on(making: &Making) -> Result<(), Error> {
    let sockets = Activation::of_caller()?.map_or(0, |sockets| sockets.descriptors);
    check_preserved(sockets.saturating_add(making.preserve_fds))
}

/// Every descriptor that the program is promised must be open. To be asked before we open any ourselves.
pub fn check_preserved(count: u32) -> Result<(), Error> {
    for number in 3..3 + count.min(1 << 20) {
        if crate_run_sys::files::status(crate_run_sys::Fd(number as i32)).is_err() {
            let said = format!("unable to stat preserved-fd {number} (of {count}): it is not open");
            return Err(Error::Usage(said));
        }
    }
    Ok(())
}
