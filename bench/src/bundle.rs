//! Bundles: one busybox root filesystem for all, and a config.json like that of `runc spec` for each
//! container.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use crate::profile::Profile;
use crate::world::Place;

/// The capabilities that `runc spec` leaves to a container.
pub const CAPABILITIES: &[&str] = &["CAP_AUDIT_WRITE", "CAP_KILL", "CAP_NET_BIND_SERVICE"];

const BUSYBOX: &str = "/bin/busybox";

/// The variants of the container that are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Flavour {
    /// Neither seccomp nor device rules.
    Plain,
    /// With Docker's default seccomp profile.
    Seccomp,
    /// With the device rules of `runc spec`: deny everything but the default devices.
    Devices,
}

impl Flavour {
    pub const ALL: [Flavour; 3] = [Flavour::Plain, Flavour::Seccomp, Flavour::Devices];

    /// For ids and file names.
    pub fn word(self) -> &'static str {
        match self {
            Flavour::Plain => "plain",
            Flavour::Seccomp => "seccomp",
            Flavour::Devices => "devices",
        }
    }

    /// For headings.
    pub fn title(self) -> &'static str {
        match self {
            Flavour::Plain => "no seccomp, no device rules",
            Flavour::Seccomp => "with Docker's default seccomp profile",
            Flavour::Devices => "with the device rules of `runc spec`",
        }
    }
}

/// What the container runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Payload {
    /// `/bin/true`: ends at once.
    True,
    /// `/bin/sleep`: stays until it is killed.
    Sleep,
}

/// A bundle on disk with the names that go with it.
#[derive(Clone, Debug)]
pub struct Container {
    pub id: String,
    pub bundle: PathBuf,
    pub rootfs: PathBuf,
    pub cgroup: PathBuf,
}

/// Makes bundles in the scratch directory.
pub struct Bundles {
    place: Place,
    rootfs: PathBuf,
    seccomp: Profile,
}

impl Bundles {
    /// Makes the root filesystem. Needs a static busybox: installed, or to be had from Debian's package
    /// busybox-static.
    pub fn prepare(place: &Place, seccomp: Profile) -> Result<Bundles> {
        let rootfs = place.scratch.join("rootfs");
        for directory in ["bin", "dev", "etc", "proc", "sys", "tmp"] {
            let directory = rootfs.join(directory);
            fs::create_dir_all(&directory).with_context(|| format!("cannot make {}", directory.display()))?;
        }
        let busybox = rootfs.join("bin/busybox");
        fs::copy(static_busybox(&place.scratch)?, &busybox).context("cannot copy busybox")?;
        fs::set_permissions(&busybox, fs::Permissions::from_mode(0o755))
            .context("cannot make busybox executable")?;
        for name in ["true", "sleep", "sh"] {
            symlink("busybox", rootfs.join("bin").join(name)).context("cannot link busybox")?;
        }
        fs::create_dir(place.scratch.join("bundles")).context("cannot make a directory for bundles")?;
        Ok(Bundles { place: place.clone(), rootfs, seccomp })
    }

    /// One sentence on the seccomp profile in use.
    pub fn seccomp_origin(&self) -> &str {
        &self.seccomp.origin
    }

    /// Writes a bundle for `id`, replacing one of that name.
    pub fn container(&self, id: &str, flavour: Flavour, payload: Payload) -> Result<Container> {
        let bundle = self.place.scratch.join("bundles").join(id);
        fs::create_dir_all(&bundle).with_context(|| format!("cannot make {}", bundle.display()))?;
        let config = self.config(id, flavour, payload);
        fs::write(bundle.join("config.json"), serde_json::to_vec_pretty(&config)?)
            .context("cannot write a config")?;
        let cgroup = self.place.cgroup().join(id);
        Ok(Container { id: id.to_owned(), bundle, rootfs: self.rootfs.clone(), cgroup })
    }

    /// The config of `runc spec` without terminal and without limits (not every machine has the controllers).
    fn config(&self, id: &str, flavour: Flavour, payload: Payload) -> Value {
        let args = match payload {
            Payload::True => json!(["/bin/true"]),
            Payload::Sleep => json!(["/bin/sleep", "100000"]),
        };
        let namespaces = ["pid", "network", "ipc", "uts", "mount", "cgroup"];
        let mut config = json!({
            "ociVersion": "1.0.2",
            "process": {
                "terminal": false,
                "user": { "uid": 0, "gid": 0 },
                "args": args,
                "env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "TERM=xterm"],
                "cwd": "/",
                "capabilities": {
                    "bounding": CAPABILITIES,
                    "effective": CAPABILITIES,
                    "permitted": CAPABILITIES,
                },
                "rlimits": [{ "type": "RLIMIT_NOFILE", "hard": 1024, "soft": 1024 }],
                "noNewPrivileges": true,
            },
            "root": { "path": self.rootfs, "readonly": true },
            "hostname": "bench",
            "mounts": mounts(),
            "linux": {
                "cgroupsPath": format!("{}/{id}", self.place.cgroups_path),
                "namespaces": namespaces.map(|kind| json!({ "type": kind })),
                "maskedPaths": [
                    "/proc/acpi", "/proc/asound", "/proc/kcore", "/proc/keys", "/proc/latency_stats",
                    "/proc/timer_list", "/proc/timer_stats", "/proc/sched_debug", "/sys/firmware",
                    "/proc/scsi",
                ],
                "readonlyPaths": ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"],
            },
        });
        match flavour {
            Flavour::Plain => {}
            Flavour::Seccomp => config["linux"]["seccomp"] = self.seccomp.rules.clone(),
            Flavour::Devices => {
                config["linux"]["resources"] = json!({ "devices": [{ "allow": false, "access": "rwm" }] });
            }
        }
        config
    }
}

fn mounts() -> Value {
    let tmpfs = ["nosuid", "strictatime", "mode=755", "size=65536k"];
    let devpts = ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"];
    let shm = ["nosuid", "noexec", "nodev", "mode=1777", "size=65536k"];
    let mqueue = ["nosuid", "noexec", "nodev"];
    let sysfs = ["nosuid", "noexec", "nodev", "ro"];
    let cgroup = ["nosuid", "noexec", "nodev", "relatime", "ro"];
    json!([
        { "destination": "/proc", "type": "proc", "source": "proc" },
        { "destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": tmpfs },
        { "destination": "/dev/pts", "type": "devpts", "source": "devpts", "options": devpts },
        { "destination": "/dev/shm", "type": "tmpfs", "source": "shm", "options": shm },
        { "destination": "/dev/mqueue", "type": "mqueue", "source": "mqueue", "options": mqueue },
        { "destination": "/sys", "type": "sysfs", "source": "sysfs", "options": sysfs },
        { "destination": "/sys/fs/cgroup", "type": "cgroup", "source": "cgroup", "options": cgroup },
    ])
}

/// The installed busybox if it is static, else the one in Debian's package busybox-static.
fn static_busybox(scratch: &Path) -> Result<PathBuf> {
    let installed = PathBuf::from(BUSYBOX);
    if fs::read(&installed).is_ok_and(|image| !has_interpreter(&image)) {
        return Ok(installed);
    }
    let directory = scratch.join("busybox");
    fs::create_dir(&directory).context("cannot make a directory for busybox")?;
    let script = "apt-get download -q busybox-static && dpkg-deb -x busybox-static_*.deb .";
    let output = Command::new("sh").args(["-c", script]).current_dir(&directory).output();
    match output {
        Ok(output) if output.status.success() => {}
        _ => bail!(
            "{BUSYBOX} is not a static busybox and busybox-static cannot be had; install busybox-static"
        ),
    }
    let found = ["bin/busybox", "usr/bin/busybox"].map(|path| directory.join(path));
    found.into_iter().find(|path| path.exists()).context("busybox-static holds no bin/busybox")
}

/// Whether a 64-bit little-endian ELF image names a dynamic loader (PT_INTERP, elf(5)). Anything else counts
/// as one.
fn has_interpreter(image: &[u8]) -> bool {
    const PT_INTERP: u64 = 3;
    let number = |at: usize, size: usize| {
        let bytes = image.get(at..at + size)?;
        Some(bytes.iter().rev().fold(0u64, |sum, byte| sum << 8 | u64::from(*byte)))
    };
    let look = || {
        image.starts_with(b"\x7fELF\x02\x01").then_some(())?;
        let (table, size, entries) = (number(32, 8)?, number(54, 2)?, number(56, 2)?);
        let kinds: Option<Vec<u64>> =
            (0..entries).map(|entry| number((table + entry * size) as usize, 4)).collect();
        Some(kinds?.contains(&PT_INTERP))
    };
    look().unwrap_or(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bundles() -> Bundles {
        let place = Place::new("/scratch".into(), "/bench".into());
        let seccomp = Profile { rules: json!({ "defaultAction": "SCMP_ACT_ALLOW" }), origin: String::new() };
        Bundles { place, rootfs: "/scratch/rootfs".into(), seccomp }
    }

    #[test]
    fn flavours_differ_in_one_section_only() {
        let bundles = bundles();
        let plain = bundles.config("a", Flavour::Plain, Payload::True);
        assert_eq!(plain["linux"]["cgroupsPath"], "/bench/a");
        assert!(plain["linux"].get("seccomp").is_none() && plain["linux"].get("resources").is_none());
        for (flavour, section) in [(Flavour::Seccomp, "seccomp"), (Flavour::Devices, "resources")] {
            let mut other = bundles.config("a", flavour, Payload::True);
            assert!(other["linux"].as_object_mut().unwrap().remove(section).is_some());
            assert_eq!(other, plain);
        }
    }

    /// An ELF header followed by one program header of the given kind.
    fn image(kind: u8) -> Vec<u8> {
        let mut image = vec![0; 64 + 56];
        image[..6].copy_from_slice(b"\x7fELF\x02\x01");
        image[32] = 64;
        image[54] = 56;
        image[56] = 1;
        image[64] = kind;
        image
    }

    #[test]
    fn static_programs_have_no_interpreter() {
        assert!(has_interpreter(&image(3)));
        assert!(!has_interpreter(&image(1)));
        assert!(has_interpreter(b"#!/bin/sh"));
        assert!(has_interpreter(&image(1)[..60]));
    }
}
