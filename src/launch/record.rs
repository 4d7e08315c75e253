//! What is written down about a container, and when: before anything is made, when it is created, when it
//! runs.

use std::path::Path;

use rustix::fs::{Mode, OFlags, open};

use crate::cgroup::{Cgroup, CgroupPath, Hierarchy};
use crate::launch::Launch;
use crate::launch::cause::{Cause, Done};
use crate::plan::request::Gate;
use crate::state::{ProcessId, Record, Stage};

impl Launch<'_> {
    pub(super) fn save(&self) -> Done {
        if let (Some(container), Some(record)) = (&self.container, &self.record) {
            container.save(record)?;
        }
        Ok(())
    }

    pub(super) fn reserve_id(&mut self) -> Done {
        self.container = Some(self.store.reserve(&self.request.id)?);
        Ok(())
    }

    pub(super) fn record_intent(&mut self) -> Done {
        let creator = ProcessId::of(std::process::id() as i32);
        let Some(creator) = creator else { return Err(Cause::Said("/proc is not mounted".to_owned())) };
        let path = self.bundle.cgroup.path();
        let cgroups_made = match path {
            Some(path) => missing_levels(self.hierarchy()?, path)?,
            None => Vec::new(),
        };
        let mut cgroup_v1 = self.bundle.cgroup.groups.clone();
        for group in &mut cgroup_v1 {
            group.made = group.missing()?;
        }
        let resctrl_made = self.missing_resctrl_groups()?;
        let hooks = &self.bundle.hooks;
        let annotations = self.bundle.annotations.clone();
        self.record = Some(Record {
            id: self.request.id.to_string(),
            stage: Stage::Creating,
            bundle: self.bundle.directory.clone(),
            rootfs: self.bundle.rootfs.path.as_path().to_owned(),
            created: crate::timestamp::rfc3339(std::time::SystemTime::now()),
            creator,
            process: None,
            cgroup: path.map(ToString::to_string),
            unit: self.bundle.cgroup.unit().cloned(),
            cgroups_made,
            cgroup_v1,
            resctrl_made,
            mounts_added: Vec::new(),
            annotations,
            owner: rustix::process::getuid().as_raw(),
            own_pids: self.bundle.namespaces.makes(crate_run_sys::namespaces::flag::PID),
            no_program: self.bundle.process.is_absent(),
            exit_status: None,
            wanted: self.request.to_record(),
            hooks_later: !(hooks.poststart.is_empty() && hooks.poststop.is_empty()),
        });
        self.save()
    }

    pub(super) fn record_created(&mut self) -> Done {
        let process = self.newborn.as_ref().and_then(|born| ProcessId::of(born.pid));
        let groups = self.resctrl_groups_of_container();
        if let Some(record) = &mut self.record {
            record.process = process;
            record.resctrl_made = groups;
            // What goes straight on is not created before it runs.
            if self.request.gate == Gate::Closed {
                record.stage = Stage::Created;
            }
        }
        // Whoever starts or deletes the container may need its configuration as it is now, for later hooks.
        if let Some(container) = &self.container {
            container.save_config(&self.source.text)?;
        }
        self.save()
    }

    /// With `run`: the program has begun. (After `create` it is the gate that tells running from created.)
    pub(super) fn record_running(&mut self) -> Done {
        if let Some(record) = &mut self.record {
            record.stage = Stage::Created;
        }
        self.save()
    }

    /// Written beside the file and renamed over it: a reader finds the whole number or none.
    pub(super) fn write_pid_file(&mut self, path: &Path) -> Done {
        let Some(born) = &self.newborn else { return Ok(()) };
        let mut name = path.as_os_str().to_owned();
        name.push(format!(".{}", std::process::id()));
        let new = Path::new(&name);
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = open(new, flags, Mode::from_raw_mode(0o644))?;
        let written = rustix::io::write(&file, born.pid.to_string().as_bytes()).map(drop);
        if let Err(errno) = written.and_then(|()| rustix::fs::rename(new, path)) {
            let _ = std::fs::remove_file(new);
            return Err(errno.into());
        }
        self.pid_file = Some(path.to_owned());
        Ok(())
    }
}

/// The levels of a path that are not there yet, and so will be ours to remove.
fn missing_levels(hierarchy: &Hierarchy, path: &CgroupPath) -> Result<Vec<String>, Cause> {
    let mut missing = Vec::new();
    for level in path.levels() {
        if Cgroup::open(hierarchy, &level)?.is_none() {
            missing.push(level.to_string());
        }
    }
    Ok(missing)
}
