//! Namespaces that are joined or made after birth, and the names and parameters inside them.

use core::ffi::CStr;

use crate_run_plan::operation::Namespaces;
use crate_run_plan::report::{Call, Kind, Report};
use crate_run_plan::slot::{Handle, Slot};
use crate_run_sys::files::{self, flag};
use crate_run_sys::mounts::Depth;
use crate_run_sys::{Errno, Fd, birth, credentials, mounts, namespaces, process, sockets};

use crate::failure::{Failure, Named, Outcome};
use crate::later;
use crate::runner::Runner;

/// Carries out one operation of this chapter.
pub fn run(runner: &mut Runner, operation: Namespaces) -> Outcome {
    use Namespaces as Op;
    match operation {
        Op::JoinNamespace { namespace, kind } => join(runner, namespace, kind),
        Op::LeaveNamespaces { kinds } => leave(kinds),
        Op::EnterTime {} => enter_time(runner),
        Op::OpenProc {} => open_proc(runner),
        Op::Rebirth { kinds } => rebirth(runner, kinds),
        Op::EnterContainer { container, kinds } => enter_container(runner, container, kinds),
        Op::EnterRoot { root } => enter_root(runner, root),
        Op::JoinMountNamespace { namespace } => join_mounts(runner, namespace),
        Op::SetHostname { name } => set_hostname(name),
        Op::SetDomainname { name } => set_domainname(name),
        Op::SetParameter { path, value } => set_parameter(runner, path, value),
        Op::LoopbackUp {} => sockets::loopback_up().named(Call::Ioctl),
    }
}

/// setns(2).
fn join(runner: &Runner, namespace: Handle, kind: u64) -> Outcome {
    let namespace = runner.descriptor(namespace)?;
    namespaces::join(namespace, kind).named(Call::Setns)?;
    files::close(namespace);
    if kind == namespaces::flag::USER { become_root() } else { Ok(()) }
}

/// setns(2) with a pidfd: either all of them or none, in the order that the kernel knows to be right.
fn enter_container(runner: &mut Runner, container: Handle, kinds: u64) -> Outcome {
    let container = runner.descriptor(container)?;
    if kinds != 0 {
        namespaces::join(container, kinds).named(Call::Setns)?;
    }
    files::close(container);
    later::refuse_own_mounts(runner)?;
    if kinds & namespaces::flag::USER != 0 {
        become_root()?;
    }
    let root = files::openat2(Fd::CWD, c"/", flag::O_PATH | flag::O_DIRECTORY, 0, 0).named(Call::Openat2)?;
    runner.fill(Slot::ROOT, root);
    Ok(())
}

/// A container in a mount namespace of others has another root than those.
fn enter_root(runner: &mut Runner, root: Handle) -> Outcome {
    let root = runner.descriptor(root)?;
    files::enter_directory(root).named(Call::Chdir)?;
    files::change_root_here().named(Call::Chroot)?;
    runner.fill(Slot::ROOT, root);
    Ok(())
}

/// In a user namespace that was joined: its root, to whom belongs what is made from now on.
fn become_root() -> Outcome {
    match credentials::set_groups(&[]) {
        Ok(()) | Err(Errno::EPERM) => {}
        Err(errno) => return Err(Failure::of(Call::Setgroups, errno)),
    }
    credentials::set_group(0).named(Call::Setresgid)?;
    credentials::set_user(0).named(Call::Setresuid)?;
    // A change of user takes it away (prctl(2)).
    process::set_parent_death_signal(9).named(Call::Prctl)
}

/// A mount namespace that others use as well. What this process has built in its own one is copied, and the
/// copy becomes its root there: it is attached to nothing, so nobody else sees it, and it goes with its last
/// process. The working directory is the new root.
fn join_mounts(runner: &Runner, namespace: Handle) -> Outcome {
    let tree = mounts::clone_tree(Fd::CWD, c"/", Depth::Tree).named(Call::OpenTree)?;
    let namespace = runner.descriptor(namespace)?;
    namespaces::join(namespace, namespaces::flag::MOUNT).named(Call::Setns)?;
    files::close(namespace);
    files::enter_directory(tree).named(Call::Chdir)?;
    files::change_root_here().named(Call::Chroot)?;
    files::close(tree);
    Ok(())
}

/// unshare(2).
fn leave(kinds: u64) -> Outcome {
    namespaces::unshare(kinds).named(Call::Unshare)
}

/// A procfs of our own pid namespace: detached, so that no path leads to it and nothing can be mounted over
/// it.
fn open_proc(runner: &mut Runner) -> Outcome {
    let context = mounts::open_filesystem(c"proc").named(Call::Fsopen)?;
    mounts::create_filesystem(context).named(Call::FsconfigCreate)?;
    let proc = mounts::mount_filesystem(context, 0).named(Call::Fsmount)?;
    files::close(context);
    runner.fill(Slot::PROC, proc);
    Ok(())
}

/// Opens a file of the private procfs: no link, no mount may redirect the way to it.
pub fn proc_file(runner: &Runner, path: &CStr, access: u64) -> Outcome<Fd> {
    let resolve = flag::RESOLVE_BENEATH | flag::RESOLVE_NO_XDEV | flag::RESOLVE_NO_MAGICLINKS;
    files::openat2(runner.slot(Slot::PROC)?, path, access, 0, resolve).named(Call::Openat2)
}

/// setns(2) enters without a fork (time_namespaces(7)).
fn enter_time(runner: &Runner) -> Outcome {
    let directory = proc_file(runner, c"self/ns", flag::O_PATH | flag::O_DIRECTORY)?;
    let own = files::openat2(directory, c"time_for_children", flag::O_RDONLY, 0, 0).named(Call::Openat2)?;
    namespaces::join(own, namespaces::flag::TIME).named(Call::Setns)?;
    files::close(own);
    files::close(directory);
    Ok(())
}

/// sethostname(2).
fn set_hostname(name: &CStr) -> Outcome {
    namespaces::set_hostname(name.to_bytes()).named(Call::Sethostname)
}

/// setdomainname(2).
fn set_domainname(name: &CStr) -> Outcome {
    namespaces::set_domainname(name.to_bytes()).named(Call::Setdomainname)
}

/// One kernel parameter (proc_sys(5)), through the private procfs: a write to `/proc/sys` by path could be
/// redirected by whatever the image has put there (CVE-2025-52881).
fn set_parameter(runner: &Runner, path: &CStr, value: &[u8]) -> Outcome {
    let file = proc_file(runner, path, flag::O_WRONLY | flag::O_NOFOLLOW)?;
    files::write_once(file, value).named(Call::Write)?;
    files::close(file);
    Ok(())
}

/// The second birth: namespaces that are made now belong to the user namespace that was joined. The first
/// process tells the runtime which one goes on, and ends; the reborn one continues with the plan, as a child
/// of the runtime.
fn rebirth(runner: &mut Runner, kinds: u64) -> Outcome {
    let Some(reborn) = birth::rebirth(kinds).named(Call::Clone)? else {
        return process::set_parent_death_signal(9).named(Call::Prctl);
    };
    let message = Report::new(Kind::Reborn, 0).encode();
    sockets::send(runner.line, &message, Some(reborn)).named(Call::Sendmsg)?;
    process::exit(0)
}
