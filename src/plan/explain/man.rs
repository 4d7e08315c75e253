//! Which pages of the manual a step is about.

use crate_run_plan::Operation;
use crate_run_sys::namespaces::flag;

use crate::plan::{Action, HostAction, Ids};

/// The pages of the Linux manual that tell the most about this action, the first one first.
pub fn pages(action: &Action) -> &'static [&'static str] {
    match action {
        Action::Host(action) => host(action),
        Action::Child(operation) => child(operation),
    }
}

fn host(action: &HostAction) -> &'static [&'static str] {
    use HostAction as Host;
    match action {
        Host::ReserveId => &["mkdir(2)", "flock(2)"],
        Host::RecordIntent | Host::RecordCreated => &["rename(2)"],
        Host::ConnectSystemd { .. } => &["unix(7)", "connect(2)"],
        Host::StartUnit { .. } => {
            &["org.freedesktop.systemd1(5)", "systemd.scope(5)", "systemd.resource-control(5)"]
        }
        Host::JoinUnit { .. } => &["org.freedesktop.systemd1(5)"],
        Host::CreateCgroup { .. } | Host::MakeGroup { .. } => &["cgroups(7)", "mkdir(2)"],
        Host::JoinGroup { .. } => &["cgroups(7)", "cpuset(7)"],
        Host::EnableControllers { .. } | Host::WriteCgroup { .. } | Host::CheckMemoryUse { .. } => {
            &["cgroups(7)"]
        }
        Host::DelegateCgroup { .. } => &["cgroups(7)", "chown(2)", "user_namespaces(7)"],
        Host::AttachDeviceFilter { .. } => &["bpf(2)", "cgroups(7)"],
        Host::OpenResctrlGroup { .. } | Host::MakeMonitoringGroup { .. } => &["mkdir(2)"],
        Host::WriteSchemata { .. } | Host::JoinResctrlGroup { .. } => &["write(2)"],
        Host::OpenRoot { .. } => &["open_tree(2)", "mount_setattr(2)", "fchdir(2)"],
        Host::CloneTree { .. } => &["open_tree(2)", "mount_setattr(2)"],
        Host::MapIds { ids: Ids::Maps { .. }, .. } => &["user_namespaces(7)", "mount_setattr(2)"],
        Host::MapIds { .. } => &["mount_setattr(2)", "ioctl_ns(2)"],
        Host::MakeFilesystem { .. } => &["fsopen(2)", "fsconfig(2)", "fsmount(2)", "mount_setattr(2)"],
        Host::FillTmpfs { .. } => &["tmpfs(5)", "fsmount(2)", "openat2(2)", "mount_setattr(2)"],
        Host::OpenNamespace { .. } => &["open(2)", "ioctl_ns(2)"],
        Host::ReturnToOwnTime => &["setns(2)", "time_namespaces(7)"],
        Host::EnterNamespace { .. } => &["setns(2)", "namespaces(7)"],
        Host::MakeNotifyDirectory { .. } => &["mkdir(2)"],
        Host::BindNotifySocket { .. } => &["sd_notify(3)", "unix(7)", "bind(2)"],
        Host::OpenGate => &["unix(7)", "listen(2)"],
        Host::ConnectConsole { .. } => &["unix(7)", "connect(2)"],
        Host::GiveBirth { .. } => &["clone3(2)", "namespaces(7)", "memfd_create(2)", "execveat(2)"],
        Host::AdoptReborn => &["waitid(2)", "pidfd_open(2)", "unix(7)"],
        Host::WriteIdMaps { .. } => &["user_namespaces(7)"],
        Host::MoveNetDevice { .. } => &["rtnetlink(7)", "network_namespaces(7)"],
        Host::MakeNetwork => &["unshare(2)", "network_namespaces(7)"],
        Host::OpenRootOf { .. } => &["proc_pid_root(5)", "open(2)"],
        Host::OpenContainer { .. } => &["pidfd_open(2)"],
        Host::OpenCgroup { .. } => &["cgroups(7)"],
        Host::RunOn { .. } => &["sched_setaffinity(2)"],
        Host::SetOomScore { .. } => &["proc(5)"],
        Host::SetLimit { .. } => &["prlimit(2)"],
        Host::SendListener { .. } => &["seccomp_unotify(2)", "pidfd_getfd(2)", "sendmsg(2)", "unix(7)"],
        Host::SetScheduler { .. } => &["sched_setattr(2)", "sched(7)"],
        Host::SetIoPriority { .. } => &["ioprio_set(2)"],
        Host::WriteTimeOffsets { .. } => &["time_namespaces(7)"],
        Host::SendPidfd { .. } => &["pidfd_open(2)", "sendmsg(2)", "unix(7)"],
        Host::WritePidFile { .. } => &["rename(2)"],
        Host::RunHook { .. } => &["execve(2)", "wait(2)"],
    }
}

fn child(operation: &Operation) -> &'static [&'static str] {
    use Operation as Op;
    match operation {
        Op::Meet {} | Op::Wait {} => &["recv(2)"],
        Op::JoinNamespace { .. } => &["setns(2)", "namespaces(7)"],
        Op::EnterRoot { .. } => &["fchdir(2)", "chroot(2)"],
        Op::JoinMountNamespace { .. } => &["setns(2)", "open_tree(2)", "chroot(2)"],
        Op::LeaveNamespaces { kinds: flag::CGROUP } => &["unshare(2)", "cgroup_namespaces(7)"],
        Op::LeaveNamespaces { kinds: flag::TIME } => &["unshare(2)", "time_namespaces(7)"],
        Op::LeaveNamespaces { .. } => &["unshare(2)", "namespaces(7)"],
        Op::EnterTime { .. } => &["time_namespaces(7)", "setns(2)"],
        Op::OpenProc {} => &["fsopen(2)", "fsmount(2)", "proc(5)"],
        Op::Rebirth { .. } => &["clone3(2)"],
        Op::Propagate { .. } => &["mount_setattr(2)", "mount_namespaces(7)"],
        Op::AttachLockedRoot { .. } => &["open_tree(2)", "move_mount(2)", "mount_namespaces(7)"],
        Op::MountLocked { .. } => &["open_tree(2)", "mount_setattr(2)", "mount_namespaces(7)"],
        Op::AttachRoot { .. } => &["move_mount(2)", "fchdir(2)"],
        Op::MountNew { .. } => &["fsopen(2)", "fsconfig(2)", "fsmount(2)", "move_mount(2)"],
        Op::MountTree { .. } => &["openat2(2)", "move_mount(2)"],
        Op::CopyLink { .. } => &["symlink(2)", "openat2(2)"],
        Op::OpenDescriptors {} => &["proc_pid_fd(5)"],
        Op::FindMount { .. } => &["openat2(2)", "statx(2)"],
        Op::DetachMounts {} => &["umount2(2)"],
        Op::End {} => &["_exit(2)"],
        Op::KeepMount { .. } | Op::Reconfigure { .. } => &["fspick(2)", "fsconfig(2)"],
        Op::ChangeMount { .. } | Op::ReadOnlyRoot {} => &["mount_setattr(2)"],
        Op::MakeDevice { .. } => &["mknod(2)"],
        Op::CloneFile { .. } => &["open_tree(2)"],
        Op::LendDevice { .. } => &["mknod(2)", "move_mount(2)"],
        Op::MakeLink { .. } => &["symlink(2)"],
        Op::HideHostMount { .. } => &["umount2(2)", "tmpfs(5)"],
        Op::MoveRoot {} => &["move_mount(2)", "chroot(2)"],
        Op::PivotRoot {} => &["pivot_root(2)", "umount2(2)"],
        Op::MaskPath { .. } => &["openat2(2)", "open_tree(2)", "move_mount(2)"],
        Op::PrepareMask { .. } => &["fsopen(2)", "fsmount(2)", "tmpfs(5)"],
        Op::ReadOnlyPath { .. } => &["open_tree(2)", "mount_setattr(2)", "move_mount(2)"],
        Op::MakeDirectory { .. } => &["mkdir(2)", "openat2(2)"],
        Op::AdoptNull {} => &["null(4)", "dup(2)"],
        Op::OpenTerminal { .. } => &["pty(7)", "ioctl_tty(2)"],
        Op::LendStreams { .. } => &["fchown(2)", "pipe(7)"],
        Op::PlainLineEnds {} => &["termios(3)", "ioctl_tty(2)"],
        Op::MountConsole {} => &["open_tree(2)", "move_mount(2)", "console(4)"],
        Op::SendTerminal { .. } => &["sendmsg(2)", "unix(7)"],
        Op::TakeTerminal {} => &["ioctl_tty(2)", "dup(2)"],
        other => itself(other),
    }
}

/// Operations that act on the process and its names.
fn itself(operation: &Operation) -> &'static [&'static str] {
    use Operation as Op;
    match operation {
        Op::SetHostname { .. } => &["sethostname(2)", "uts_namespaces(7)"],
        Op::SetDomainname { .. } => &["setdomainname(2)", "uts_namespaces(7)"],
        Op::SetParameter { .. } => &["sysctl(8)", "proc(5)"],
        Op::LoopbackUp {} => &["netdevice(7)", "network_namespaces(7)"],
        Op::NewSession {} => &["setsid(2)"],
        Op::NewKeyring { .. } => &["keyctl(2)", "session-keyring(7)"],
        Op::EnterDirectory { .. } => &["chdir(2)", "getcwd(2)"],
        Op::FindExecutable { .. } => &["exec(3)", "faccessat2(2)"],
        Op::Park { .. } => &["accept(2)", "unix(7)"],
        Op::RunHook { .. } => &["clone3(2)", "execve(2)", "waitid(2)"],
        Op::SetUmask { .. } => &["umask(2)"],
        Op::SetLimit { .. } => &["setrlimit(2)"],
        Op::LimitBounding { .. } | Op::SetAmbient { .. } => &["prctl(2)", "capabilities(7)"],
        Op::SetGroups { .. } => &["setgroups(2)"],
        Op::SetIds { .. } => &["setresgid(2)", "setresuid(2)", "credentials(7)"],
        Op::SetCapabilities { .. } => &["capset(2)", "capabilities(7)"],
        Op::NoNewPrivileges {} => &["prctl(2)"],
        Op::VerifyIds { .. } => &["getresuid(2)", "credentials(7)"],
        Op::VerifyGroups { .. } => &["getgroups(2)", "credentials(7)"],
        Op::VerifyCapabilities { .. } => &["capget(2)", "prctl(2)", "capabilities(7)"],
        Op::VerifyNoNewPrivileges {} | Op::VerifyFilter { .. } => &["prctl(2)"],
        Op::VerifyUmask { .. } => &["umask(2)"],
        Op::VerifyLabel { .. } => &["proc(5)", "apparmor(7)", "selinux(8)"],
        Op::CloseDescriptors { .. } => &["close_range(2)"],
        Op::Announce {} => &["write(2)"],
        Op::InstallFilter { .. } => &["seccomp(2)"],
        Op::InstallListener { .. } => &["seccomp(2)", "seccomp_unotify(2)"],
        Op::CloseListener {} => &["close(2)", "seccomp_unotify(2)"],
        Op::Execute { .. } => &["execve(2)"],
        Op::SetPersonality { .. } => &["personality(2)"],
        Op::RunAnywhere {} | Op::RunOn { .. } => &["sched_setaffinity(2)", "cpuset(7)"],
        Op::SetScheduler { .. } => &["sched_setattr(2)", "sched(7)"],
        Op::SetIoPriority { .. } => &["ioprio_set(2)"],
        Op::SetMemoryPolicy { .. } => &["set_mempolicy(2)", "numa(7)"],
        Op::SetLabel { .. } => &["proc(5)", "apparmor(7)", "selinux(8)"],
        _ => &[],
    }
}
