//! The operations that `try` knows: what a container is usually refused, and some that it is usually allowed.

use linux_keyutils::{KeyRing, KeyRingIdentifier};
use nix::sys::{fanotify, personality, ptrace};
use nix::unistd::{self, Gid, Pid, Uid};
use rustix::fs::{CWD, FileType, Mode, OFlags, ResolveFlags};
use rustix::mount::{FsOpenFlags, MountFlags, MountPropagationFlags, OpenTreeFlags, UnmountFlags};
use rustix::net::{AddressFamily, Protocol, RawProtocol, SocketType};
use rustix::process::{PidfdFlags, Resource, Rlimit};
use rustix::thread::{CapabilitySet, LinkNameSpaceType, UnshareFlags};
use rustix::time::{ClockId, clock_gettime, clock_settime};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::fd::AsFd;

/// Whom a success would touch.
pub enum Reach {
    /// Only the process that tries, which then ends.
    Process,
    /// The namespaces of the process or the whole machine: refused outside of a container.
    Machine,
}

pub struct Attempt {
    pub name: &'static str,
    pub reach: Reach,
    pub act: fn() -> io::Result<()>,
}

const fn process(name: &'static str, act: fn() -> io::Result<()>) -> Attempt {
    Attempt { name, reach: Reach::Process, act }
}

const fn machine(name: &'static str, act: fn() -> io::Result<()>) -> Attempt {
    Attempt { name, reach: Reach::Machine, act }
}

/// Grouped by what is attacked: identity, namespaces, mounts, kernel, other processes, files, sockets.
pub const ATTEMPTS: &[Attempt] = &[
    process("setuid0", || Ok(unistd::setuid(Uid::from_raw(0))?)),
    process("setgid0", || Ok(unistd::setgid(Gid::from_raw(0))?)),
    process("setgroups0", || Ok(unistd::setgroups(&[Gid::from_raw(0)])?)),
    process("capset-all", capset_all),
    process("personality", || Ok(personality::set(personality::Persona::ADDR_NO_RANDOMIZE).map(drop)?)),
    process("raise-nofile", raise_nofile),
    process("lower-nice", || Ok(rustix::process::setpriority_process(None, -20)?)),
    process("lower-oom-score", || write_to("/proc/self/oom_score_adj", "-1000")),
    process("keyctl", || key(KeyRing::from_special_id(KeyRingIdentifier::Session, false).map(drop))),
    process("add-key", || {
        key(KeyRing::from_special_id(KeyRingIdentifier::Process, true)
            .and_then(|it| it.add_key("probe", "x").map(drop)))
    }),
    process("unshare-user", || unshare(UnshareFlags::NEWUSER)),
    process("unshare-mount", || unshare(UnshareFlags::NEWNS)),
    process("unshare-net", || unshare(UnshareFlags::NEWNET)),
    process("unshare-pid", || unshare(UnshareFlags::NEWPID)),
    process("unshare-uts", || unshare(UnshareFlags::NEWUTS)),
    process("unshare-ipc", || unshare(UnshareFlags::NEWIPC)),
    process("unshare-cgroup", || unshare(UnshareFlags::NEWCGROUP)),
    process("unshare-time", || unshare(UnshareFlags::NEWTIME)),
    process("setns-of-pid1", setns_of_pid1),
    process("chroot", || Ok(rustix::process::chroot("/")?)),
    machine("pivot-root", || Ok(rustix::process::pivot_root("/", "/")?)),
    machine("mount", mount),
    machine("remount-root", || Ok(rustix::mount::mount_remount("/", MountFlags::BIND, "")?)),
    machine("share-root", || Ok(rustix::mount::mount_change("/", MountPropagationFlags::SHARED)?)),
    machine("umount-proc", || Ok(rustix::mount::unmount("/proc", UnmountFlags::DETACH)?)),
    process("fsopen", || Ok(rustix::mount::fsopen("tmpfs", FsOpenFlags::FSOPEN_CLOEXEC).map(drop)?)),
    process("open-tree", || {
        let flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC;
        Ok(rustix::mount::open_tree(CWD, "/", flags).map(drop)?)
    }),
    process("openat2", || {
        Ok(rustix::fs::openat2(CWD, "/", OFlags::PATH, Mode::empty(), ResolveFlags::NO_XDEV).map(drop)?)
    }),
    machine("sethostname", || Ok(rustix::system::sethostname(b"probe")?)),
    machine("setdomainname", || Ok(rustix::system::setdomainname(b"probe")?)),
    machine("settime", || Ok(clock_settime(ClockId::Realtime, clock_gettime(ClockId::Realtime))?)),
    machine("reboot", || Ok(nix::sys::reboot::set_cad_enabled(true)?)),
    machine("init-module", || Ok(rustix::system::init_module(b"", c"")?)),
    machine("acct", || Ok(unistd::acct::disable()?)),
    process("bpf", bpf),
    process("fanotify", || {
        let (init, event) = (fanotify::InitFlags::FAN_CLOEXEC, fanotify::EventFFlags::empty());
        Ok(fanotify::Fanotify::init(init, event).map(drop)?)
    }),
    machine("write-proc-sysrq", || write_to("/proc/sysrq-trigger", "h")),
    machine("write-sysctl", || rewrite("/proc/sys/kernel/core_pattern")),
    machine("write-uevent-helper", || rewrite("/sys/kernel/uevent_helper")),
    machine("mkdir-cgroup", || fs::create_dir("/sys/fs/cgroup/probe")),
    machine("leave-cgroup", || write_to("/sys/fs/cgroup/cgroup.procs", "0")),
    process("ptrace", || Ok(ptrace::traceme()?)),
    process("signal-pid1", || Ok(nix::sys::signal::kill(Pid::from_raw(1), None)?)),
    process("pidfd-open", || {
        let own = rustix::process::getpid();
        Ok(rustix::process::pidfd_open(own, PidfdFlags::empty()).map(drop)?)
    }),
    process("mknod-null", || {
        mknod("/dev/shm/probe-null", FileType::CharacterDevice, rustix::fs::makedev(1, 3))
    }),
    process("mknod-disk", || mknod("/dev/shm/probe-disk", FileType::BlockDevice, rustix::fs::makedev(8, 0))),
    process("open-new-disk", open_new_disk),
    process("mkfifo", || mknod("/dev/shm/probe-fifo", FileType::Fifo, 0)),
    process("open-dev-mem", || File::open("/dev/mem").map(drop)),
    process("open-dev-kmsg", || File::open("/dev/kmsg").map(drop)),
    process("open-proc-kcore", || File::open("/proc/kcore").map(drop)),
    process("write-own-exe", || OpenOptions::new().write(true).open("/proc/self/exe").map(drop)),
    process("write-exe-of-pid1", || OpenOptions::new().write(true).open("/proc/1/exe").map(drop)),
    process("write-root", write_root),
    process("socket-vsock", || socket(AddressFamily::from_raw(40), SocketType::STREAM, 0)),
    process("socket-packet", || socket(AddressFamily::PACKET, SocketType::RAW, 0)),
    process("socket-raw", || socket(AddressFamily::INET, SocketType::RAW, 1)),
    process("socket-alg", || socket(AddressFamily::from_raw(38), SocketType::SEQPACKET, 0)),
    process("socket-audit", || socket(AddressFamily::NETLINK, SocketType::RAW, 9)),
    process("bind-port-80", || std::net::TcpListener::bind("127.0.0.1:80").map(drop)),
];

fn capset_all() -> io::Result<()> {
    let mut sets = rustix::thread::capabilities(None)?;
    let all = CapabilitySet::all();
    (sets.effective, sets.permitted) = (all, all);
    Ok(rustix::thread::set_capabilities(None, sets)?)
}

fn raise_nofile() -> io::Result<()> {
    let maximum = rustix::process::getrlimit(Resource::Nofile).maximum.map(|limit| limit + 1);
    Ok(rustix::process::setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum })?)
}

/// The crate for keys has its own names for errors; the number is still in errno, where its system call left
/// it.
fn key(result: Result<(), linux_keyutils::KeyError>) -> io::Result<()> {
    result.map_err(|_| io::Error::last_os_error())
}

fn unshare(flags: UnshareFlags) -> io::Result<()> {
    let wanted = nix::sched::CloneFlags::from_bits_retain(flags.bits() as i32);
    Ok(nix::sched::unshare(wanted)?)
}

/// Loads the shortest program, `return 1`. No other crate wraps bpf(2) safely.
fn bpf() -> io::Result<()> {
    const RETURN_ONE: [u8; 16] = [0xb7, 0, 0, 0, 1, 0, 0, 0, 0x95, 0, 0, 0, 0, 0, 0, 0];
    let loaded = crate_run_sys::bpf::load_device_program(&RETURN_ONE, *b"probe\0\0\0\0\0\0\0\0\0\0\0");
    loaded.map(drop).map_err(|error| io::Error::from_raw_os_error(error.0.into()))
}

fn setns_of_pid1() -> io::Result<()> {
    let namespace = File::open("/proc/1/ns/mnt")?;
    Ok(rustix::thread::move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Mount))?)
}

fn mount() -> io::Result<()> {
    rustix::mount::mount("probe", "/tmp", "tmpfs", MountFlags::empty(), None)?;
    Ok(rustix::mount::unmount("/tmp", UnmountFlags::DETACH)?)
}

fn mknod(path: &str, kind: FileType, device: u64) -> io::Result<()> {
    rustix::fs::mknodat(CWD, path, kind, Mode::RUSR | Mode::WUSR, device)?;
    fs::remove_file(path)
}

/// Whether a device node that we made ourselves can be opened: the device rules of the cgroup answer.
fn open_new_disk() -> io::Result<()> {
    let path = "/dev/shm/probe-new-disk";
    rustix::fs::mknodat(
        CWD,
        path,
        FileType::BlockDevice,
        Mode::RUSR | Mode::WUSR,
        rustix::fs::makedev(8, 0),
    )?;
    let opened = File::open(path).map(drop);
    fs::remove_file(path)?;
    opened
}

fn write_root() -> io::Result<()> {
    let path = "/.probe";
    File::create_new(path)?;
    fs::remove_file(path)
}

fn write_to(path: &str, text: &str) -> io::Result<()> {
    OpenOptions::new().write(true).open(path)?.write_all(text.as_bytes())
}

fn rewrite(path: &str) -> io::Result<()> {
    let text = fs::read_to_string(path)?;
    write_to(path, &text)
}

fn socket(family: AddressFamily, kind: SocketType, protocol: u32) -> io::Result<()> {
    let protocol = RawProtocol::new(protocol).map(Protocol::from_raw);
    Ok(rustix::net::socket(family, kind, protocol).map(drop)?)
}
