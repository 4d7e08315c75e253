//! crate-run: a container runtime that computes the container as a plan, then executes it.
//!
//! `config.json` becomes a [`bundle::Bundle`], the bundle becomes a [`plan::Plan`], and the plan is one
//! ordered list of steps. Everything else reads that list: `run` and `create` carry it out, `explain` prints
//! it, a failure is told by it, and the rules of the order are checked on it.
//!
//! # Seven nouns
//!
//! - **Spec**: the types of `config.json`, from the crate `oci_spec`.
//! - **Host** ([`host::Host`]): what this machine offers, asked once.
//! - **Bundle** ([`bundle::Bundle`]): the configuration, valid and resolved, every default applied.
//! - **Plan** ([`plan::Plan`]): the container as a value.
//! - **Step** ([`plan::Step`]): who does what, why, and which line of `config.json` asks for it.
//! - **Outcome**: what a step answers: nothing, or the call that failed and the kernel's errno.
//! - **State** ([`state::Record`]): what is known of a container on disk.
//!
//! # Reading order
//!
//! 1. [`plan::compile`]: the order of a container's birth, on one page.
//! 2. `src/feature/uts.rs`, the shortest complete feature; then one that you are curious about, from the map.
//! 3. `crates/plan/src/operation.rs`: everything that can happen inside a container, as one table.
//! 4. `crates/child/src/runner.rs`: the loop inside the container that carries it out.
//! 5. [`plan::project`]: how one list becomes two programs that meet.
//! 6. [`launch::perform`]: the host's half; `src/launch/undo.rs`: what is taken back when a step fails.
//! 7. [`plan::rules`]: why no other order would do.
//!
//! # The map
//!
//! | kernel feature | file | manual | in `config.json` |
//! |---|---|---|---|
//! | namespaces | `src/feature/namespaces.rs` | namespaces(7) | `linux.namespaces` |
//! | user, groups, id maps | `src/feature/identity.rs` | credentials(7) | `process.user`, `linux.uidMappings` |
//! | clock offsets | `src/feature/time.rs` | time_namespaces(7) | `linux.timeOffsets` |
//! | control group | `src/feature/cgroup.rs` | cgroups(7) | `linux.cgroupsPath`, `linux.resources` |
//! | classes of cache and bandwidth | `src/feature/rdt.rs` | intel_rdt, resctrl (kernel documentation) | `linux.intelRdt` |
//! | scope of systemd | `src/feature/cgroup/unit.rs` | org.freedesktop.systemd1(5), systemd.scope(5) | `linux.cgroupsPath` |
//! | device filter | `src/cgroup/devices.rs` | bpf(2) | `linux.resources.devices` |
//! | birth | `crates/sys/src/birth.rs` | clone3(2) | `linux.namespaces` |
//! | sealed child | `src/launch/image.rs` | memfd_create(2) | |
//! | root filesystem | `src/feature/rootfs.rs` | pivot_root(2) | `root`, `linux.rootfsPropagation` |
//! | mounts | `src/feature/mounts.rs` | fsopen(2), move_mount(2) | `mounts` |
//! | id-mapped mounts | `src/feature/mounts/idmap.rs` | mount_setattr(2) | `mounts[].uidMappings` |
//! | device nodes | `src/feature/devices.rs` | mknod(2) | `linux.devices` |
//! | hidden, read-only paths | `src/feature/masks.rs` | open_tree(2) | `linux.maskedPaths`, `readonlyPaths` |
//! | private procfs | `src/feature/procfs.rs` | proc(5) | |
//! | host and domain name | `src/feature/uts.rs` | uts_namespaces(7) | `hostname`, `domainname` |
//! | kernel parameters | `src/feature/sysctl.rs` | proc_sys(5) | `linux.sysctl` |
//! | network interfaces | `src/feature/network.rs` | network_namespaces(7), rtnetlink(7) | `linux.netDevices` |
//! | terminal | `src/feature/terminal.rs` | pty(7) | `process.terminal`, `consoleSize` |
//! | session keyring | `src/feature/keyring.rs` | keyrings(7) | |
//! | hooks | `src/feature/hooks.rs` | execve(2) | `hooks` |
//! | another program enters | `src/plan/enter.rs` | setns(2), pidfd_open(2) | |
//! | mounts that come later | `src/plan/mounting.rs` | move_mount(2), umount2(2) | |
//! | gate | `src/launch/start.rs` | unix(7) | |
//! | processors | `src/feature/affinity.rs` | sched_setaffinity(2) | `process.execCPUAffinity` |
//! | kind of machine | `src/feature/personality.rs` | personality(2) | `linux.personality` |
//! | memory policy | `src/feature/memory_policy.rs` | set_mempolicy(2) | `linux.memoryPolicy` |
//! | scheduler | `src/feature/scheduler.rs` | sched_setattr(2) | `process.scheduler` |
//! | I/O priority | `src/feature/io_priority.rs` | ioprio_set(2) | `process.ioPriority` |
//! | limits of a process | `src/feature/limits.rs` | setrlimit(2) | `process.rlimits`, `oomScoreAdj` |
//! | capabilities | `src/feature/capabilities.rs` | capabilities(7) | `process.capabilities` |
//! | security labels | `src/feature/lsm.rs` | apparmor(7) | `process.apparmorProfile`, `selinuxLabel` |
//! | program, directory, descriptors | `src/feature/process.rs` | execve(2) | `process` |
//! | system call filter | `src/feature/seccomp.rs` | seccomp(2) | `linux.seccomp` |
//! | sockets of a service manager | `src/feature/activation.rs` | sd_listen_fds(3) | |
//! | readiness for a service manager | `src/feature/notify.rs` | sd_notify(3) | |
//! | foreground | `src/launch/foreground.rs` | signalfd(2), pidfd_open(2) | |
//! | end of a process that is no child | `src/state/ending.rs` | pidfd_open(2), proc_pid_stat(5) | |
//! | everybody in a cgroup | `src/cgroup/members.rs` | cgroups(7), pidfd_send_signal(2) | |
//! | what is counted, what happens | `src/observe/stream.rs` | cgroups(7), poll(2) | |
//! | state on disk | `src/state/store.rs` | flock(2), rename(2) | |
//!
//! The workspace has four more crates: `crates/sys` (typed system calls, the only `unsafe` code),
//! `crates/plan` (operations and their flat form), `crates/child` (the program born inside),
//! `crates/seccomp` (the filter compiler). `ARCHITECTURE.md` tells how they work together,
//! `docs/adr/` why they are as they are.

#![forbid(unsafe_code)]

pub mod bundle;
pub mod cgroup;
pub mod cli;
pub mod error;
pub mod feature;
pub mod host;
mod kernfs;
pub mod launch;
pub mod netlink;
pub mod observe;
pub mod plan;
pub mod resctrl;
pub mod signals;
pub mod state;
pub mod timestamp;
pub mod update;
