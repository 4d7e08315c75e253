//! What the host makes ready before the birth: cgroup, namespaces, sockets.

use std::fs::File;
use std::path::Path;

use crate_run_plan::slot::Slot;
use crate_run_sys::{bpf, host, namespaces};
use rustix::fs::{Mode, OFlags, open};
use rustix::net::{SocketAddrUnix, bind, listen};

use crate::cgroup::delegate::delegated_files;
use crate::cgroup::devices::attached::name_for;
use crate::cgroup::memory::MemoryCheck;
use crate::cgroup::v1::Group;
use crate::cgroup::{Cgroup, CgroupPath, Hierarchy, Setting, Wanted};
use crate::feature::identity;
use crate::feature::namespaces::{file_of, name_of};
use crate::launch::cause::{Cause, Done};
use crate::launch::connection::{connect_to, packet_socket};
use crate::launch::{Launch, notify};

impl Launch<'_> {
    /// The cgroup hierarchy, looked for once.
    pub(super) fn hierarchy(&mut self) -> Result<&Hierarchy, Cause> {
        if self.hierarchy.is_none() {
            self.hierarchy = Some(Hierarchy::find()?);
        }
        Ok(self.hierarchy.as_ref().expect("just found"))
    }

    pub(super) fn create_cgroup(&mut self, path: &CgroupPath) -> Done {
        let cgroup = Cgroup::create(self.hierarchy()?, path)?;
        if let Some(record) = &mut self.record {
            record.cgroups_made = cgroup.created().iter().map(ToString::to_string).collect();
        }
        self.cgroup = Some(cgroup);
        Ok(())
    }

    pub(super) fn make_group(&mut self, group: &Group) -> Done {
        let Some(cgroup) = &mut self.cgroup else { return Ok(()) };
        cgroup.add(group.make()?);
        if let Some(record) = &mut self.record {
            let made: Vec<Group> = cgroup.groups().cloned().collect();
            let planned = record.cgroup_v1.split_off(made.len());
            record.cgroup_v1 = made.into_iter().chain(planned).collect();
        }
        Ok(())
    }

    pub(super) fn join_group(&self, group: &Group) -> Done {
        let Some(born) = &self.newborn else { return Ok(()) };
        group.take_in(born.pid)?;
        Ok(())
    }

    pub(super) fn write_cgroup(&self, setting: &Setting) -> Done {
        let Some(cgroup) = &self.cgroup else { return Ok(()) };
        cgroup.apply(setting)?;
        Ok(())
    }

    pub(super) fn enable_controllers(&mut self, wished: &[&'static str]) -> Done {
        let (Some(cgroup), Some(hierarchy)) = (&self.cgroup, &self.hierarchy) else { return Ok(()) };
        let needed = &self.bundle.cgroup.needed();
        hierarchy.enable_controllers(cgroup.path(), &Wanted { needed, wished })?;
        Ok(())
    }

    pub(super) fn check_memory_use(&self, limits: MemoryCheck) -> Done {
        let Some(cgroup) = &self.cgroup else { return Ok(()) };
        let (memory, swap) = cgroup.memory_in_use()?;
        let refusal = limits.refusal(memory, swap);
        refusal.map_or(Ok(()), |said| Err(Cause::Said(said)))
    }

    /// The maps are read from the newborn: a user namespace that was joined has its own.
    pub(super) fn delegate_cgroup(&self, user: u32) -> Done {
        let (Some(cgroup), Some(born)) = (&self.cgroup, &self.newborn) else { return Ok(()) };
        let maps = std::fs::read_to_string(format!("/proc/{}/uid_map", born.pid))?;
        let outside = identity::read_lines(&maps).iter().find_map(|line| line.outside_of(user));
        let outside = outside.ok_or_else(|| Cause::Said(format!("user {user} is mapped to none here")))?;
        cgroup.delegate(outside, &delegated_files())?;
        Ok(())
    }

    pub(super) fn attach_filter(&mut self, program: &[u8]) -> Done {
        let Some(cgroup) = &self.cgroup else { return Ok(()) };
        let program = bpf::load_device_program(program, name_for(self.request.id.as_str()))
            .map(host::owned)
            .map_err(|errno| Cause::Call("bpf(2), BPF_PROG_LOAD", errno))?;
        bpf::attach_device_program(host::borrowed(cgroup), host::borrowed(&program))
            .map_err(|errno| Cause::Call("bpf(2), BPF_PROG_ATTACH", errno))
    }

    pub(super) fn open_namespace(&mut self, path: &Path, kind: u64, slot: Slot) -> Done {
        let namespace = open(path, OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC, Mode::empty())?;
        let is = namespaces::kind_of(host::borrowed(&namespace));
        if is != Ok(kind) {
            let said = match is.map(name_of) {
                Ok(other) => format!("it is the {other} namespace of a process"),
                Err(_) => "it is no namespace".to_owned(),
            };
            return Err(Cause::Said(said));
        }
        self.slots.insert(slot, namespace);
        Ok(())
    }

    pub(super) fn enter_namespace(&mut self, slot: Slot, kind: u64) -> Done {
        let own = format!("/proc/thread-self/ns/{}", file_of(kind));
        let own = open(own, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?;
        if let Some(namespace) = self.slots.remove(&slot) {
            namespaces::join(host::borrowed(&namespace), kind)
                .map_err(|errno| Cause::Call("setns(2)", errno))?;
            self.homes.push((kind, own));
        }
        Ok(())
    }

    pub(super) fn connect_console(&mut self, path: &Path) -> Done {
        let socket = connect_to(path)?;
        self.slots.insert(Slot::CONSOLE, socket);
        Ok(())
    }

    pub(super) fn bind_notify_socket(&mut self, directory: &Path) -> Done {
        self.notify = Some(notify::bind(directory)?);
        Ok(())
    }

    pub(super) fn open_gate(&mut self) -> Done {
        let Some(container) = &self.container else { return Ok(()) };
        let socket = packet_socket()?;
        // A path of a socket has room for 108 bytes only; by descriptor any directory will do.
        let directory = File::open(container.path())?;
        let path = format!("/proc/self/fd/{}/gate", host::borrowed(&directory).0);
        bind(&socket, &SocketAddrUnix::new(path)?)?;
        listen(&socket, 8)?;
        self.slots.insert(Slot::GATE, socket);
        Ok(())
    }
}
