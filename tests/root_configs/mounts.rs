//! What a config may ask of mounts: each case is a list of mounts, a script that looks, and what it must see.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use rustix::fs::{CWD, FileType, mknodat};
use serde_json::{Value, json};

use crate::Checked;
use crate::container::binary;
use crate::host::Host;

/// A container that runs one script.
struct Case {
    host: Host,
}

const MAP: (u32, u32) = (100_000, 65_536);

impl Case {
    /// `None` with a line that says why, when there is no crate-run to test.
    fn new(name: &str) -> Result<Option<Self>, Box<dyn std::error::Error>> {
        let Some(binary) = binary(name) else { return Ok(None) };
        let config = json!({
            "ociVersion": "1.2.0",
            "process": { "cwd": "/", "user": { "uid": 0, "gid": 0 }, "env": ["PATH=/bin:/sbin:/usr/bin"] },
            "root": { "path": "rootfs" },
            "mounts": [{ "destination": "/proc", "type": "proc", "source": "proc" }],
            "linux": {
                "cgroupsPath": format!("/crate-run-configs/{name}"),
                "namespaces": [{ "type": "pid" }, { "type": "network" }, { "type": "ipc" },
                               { "type": "mount" }],
            },
        });
        let capabilities = json!(["CAP_DAC_OVERRIDE", "CAP_FOWNER", "CAP_CHOWN"]);
        let mut host = Host::new(name, &binary, config)?;
        for set in ["bounding", "permitted", "effective"] {
            host.config["process"]["capabilities"][set] = capabilities.clone();
        }
        Ok(Some(Self { host }))
    }

    /// A file or directory of the image.
    fn image(&self, path: &str) -> PathBuf {
        self.host.bundle().join("rootfs").join(path)
    }

    /// A directory of the host.
    fn outside(&self, path: &str) -> Result<PathBuf, std::io::Error> {
        let path = self.host.directory.join("host").join(path);
        fs::create_dir_all(&path)?;
        Ok(path)
    }

    fn mount(&mut self, target: &str, kind: &str, source: impl AsRef<Path>, options: &str) -> &mut Self {
        let options: Vec<&str> = options.split_whitespace().collect();
        let entry =
            json!({ "destination": target, "type": kind, "source": source.as_ref(), "options": options });
        self.host.config["mounts"].as_array_mut().expect("made in new").push(entry);
        self
    }

    fn namespaces(&mut self, kinds: &[&str]) {
        let entries: Vec<Value> = kinds.iter().map(|kind| json!({ "type": kind })).collect();
        self.host.config["linux"]["namespaces"] = json!(entries);
    }

    /// A user namespace in which the image belongs to root.
    fn own_users(&mut self) -> Checked {
        let map = json!([{ "containerID": 0, "hostID": MAP.0, "size": MAP.1 }]);
        self.host.config["linux"]["uidMappings"] = map.clone();
        self.host.config["linux"]["gidMappings"] = map;
        let namespaces = self.host.config["linux"]["namespaces"].as_array_mut().expect("made in new");
        namespaces.push(json!({ "type": "user" }));
        self.host.owner()
    }

    fn run(&self, script: &str) -> Result<Output, Box<dyn std::error::Error>> {
        let mut config = self.host.config.clone();
        config["process"]["args"] = json!(["/bin/sh", "-c", script]);
        fs::write(self.host.bundle().join("config.json"), config.to_string())?;
        let mut run = self.host.crate_run();
        run.arg("run").arg("--bundle").arg(self.host.bundle()).arg("run");
        Ok(run.stdin(Stdio::null()).output()?)
    }

    /// The script's output, line by line.
    fn sees(&self, script: &str, wanted: &[&str]) -> Checked {
        let output = self.run(script)?;
        let said = String::from_utf8_lossy(&output.stderr);
        let seen = String::from_utf8_lossy(&output.stdout);
        assert_eq!(seen.lines().collect::<Vec<_>>(), wanted, "{script}: {said}");
        Ok(())
    }

    /// The run fails, and says all of this.
    fn fails(&self, words: &[&str]) -> Checked {
        let output = self.run("true")?;
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{said}");
        for word in words {
            assert!(said.contains(word), "{word:?} is not in: {said}");
        }
        assert!(!self.host.cgroup().exists(), "a cgroup is left");
        Ok(())
    }
}

/// A test whose body has a case of its name.
macro_rules! cases {
    ($($name:ident |$case:ident| $body:block)*) => { $(
        #[test]
        fn $name() -> Checked {
            let Some(mut $case) = Case::new(stringify!($name))? else { return Ok(()) };
            $body
        }
    )* };
}

/// A directory with a file of every kind that is copied.
fn furnish(directory: &Path, (uid, gid): (u32, u32)) -> Checked {
    fs::create_dir_all(directory.join("deep/er"))?;
    fs::write(directory.join("deep/er/file"), "words")?;
    fs::set_permissions(directory.join("deep/er/file"), fs::Permissions::from_mode(0o4640))?;
    fs::set_permissions(directory.join("deep"), fs::Permissions::from_mode(0o750))?;
    fs::set_permissions(directory, fs::Permissions::from_mode(0o1711))?;
    symlink("/etc/shadow-of-the-host", directory.join("link"))?;
    for path in ["", "deep", "deep/er", "deep/er/file"] {
        chown(directory.join(path), Some(uid), Some(gid))?;
    }
    // A change of owner takes the set-user-id bit away.
    fs::set_permissions(directory.join("deep/er/file"), fs::Permissions::from_mode(0o4640))?;
    Ok(std::os::unix::fs::lchown(directory.join("link"), Some(uid), Some(gid))?)
}

const LOOK: &str =
    "cd /srv/box; stat -c '%n %a %u:%g' . deep deep/er/file; readlink link; cat deep/er/file; echo";

cases! {
    copy_up_keeps_everything |case| {
        furnish(&case.image("srv/box"), (7, 8))?;
        case.mount("/srv/box", "tmpfs", "tmpfs", "rw nosuid nodev rprivate tmpcopyup size=1m");
        let look = format!("{LOOK}; echo new >deep/er/file; stat -f -c %T .");
        case.sees(&look, &[". 1711 7:8", "deep 750 7:8", "deep/er/file 4640 7:8", "/etc/shadow-of-the-host",
            "words", "tmpfs"])?;
        let image = fs::read_to_string(case.image("srv/box/deep/er/file"))?;
        assert_eq!(image, "words", "the image is untouched");
        Ok(())
    }

    copy_up_can_be_read_only |case| {
        furnish(&case.image("srv/box"), (0, 0))?;
        case.mount("/srv/box", "tmpfs", "tmpfs", "ro tmpcopyup mode=700");
        case.sees("cd /srv/box; stat -c %a .; cat deep/er/file; echo; touch x 2>&1 | grep -o 'Read-only.*'",
            &["700", "words", "Read-only file system"])
    }

    copy_up_knows_users |case| {
        fs::create_dir_all(case.image("srv"))?;
        case.own_users()?;
        furnish(&case.image("srv/box"), (MAP.0 + 7, MAP.0 + 8))?;
        case.mount("/srv/box", "tmpfs", "tmpfs", "tmpcopyup");
        case.mount("/srv/new", "tmpfs", "tmpfs", "tmpcopyup");
        let look = format!("{LOOK}; stat -c '%a %u:%g' /srv/new");
        case.sees(&look, &[". 1711 7:8", "deep 750 7:8", "deep/er/file 4640 7:8", "/etc/shadow-of-the-host",
            "words", "1777 0:0"])
    }

    copy_up_stays_in_the_image |case| {
        fs::create_dir_all(case.image("srv"))?;
        symlink("/etc", case.image("srv/box"))?;
        fs::write(case.image("etc/marker"), "of the image")?;
        case.mount("/srv/box", "tmpfs", "tmpfs", "tmpcopyup");
        case.sees("cat /etc/marker; echo; stat -f -c %T /etc", &["of the image", "tmpfs"])
    }

    copy_up_of_a_volume |case| {
        let volume = case.outside("volume")?;
        furnish(&volume.join("box"), (0, 0))?;
        case.mount("/srv", "bind", volume, "rbind").mount("/srv/box", "tmpfs", "tmpfs", "tmpcopyup");
        case.sees("cat /srv/box/deep/er/file; echo; stat -f -c %T /srv/box", &["words", "tmpfs"])
    }

    copy_up_that_does_not_fit |case| {
        fs::create_dir_all(case.image("srv/box"))?;
        fs::write(case.image("srv/box/large"), vec![b'x'; 200_000])?;
        case.mount("/srv/box", "tmpfs", "tmpfs", "tmpcopyup size=64k");
        case.fails(&["/srv/box", "no space left", "config.json"])
    }

    a_link_to_nothing_is_followed |case| {
        let volume = case.outside("volume")?;
        fs::write(volume.join("file"), "found")?;
        let _ = fs::remove_file(case.image("etc/resolv.conf"));
        symlink("../run/systemd/resolve/stub", case.image("etc/resolv.conf"))?;
        symlink("/run/gone/", case.image("var/gone"))?;
        case.mount("/etc/resolv.conf", "bind", volume.join("file"), "rbind ro");
        case.mount("/var/gone/deep", "bind", &volume, "rbind ro");
        case.sees("cat /etc/resolv.conf /run/systemd/resolve/stub /run/gone/deep/file", &["foundfoundfound"])
    }

    links_cannot_lead_out |case| {
        let volume = case.outside("volume")?;
        symlink("/../../../../../../tmp/../run", case.image("srv/out")).or_else(|_| {
            fs::create_dir_all(case.image("srv"))?;
            symlink("/../../../../../../tmp/../run", case.image("srv/out"))
        })?;
        case.mount("/srv/out/inside", "bind", volume, "rbind");
        case.sees("ls -d /run/inside", &["/run/inside"])
    }

    sources_of_every_kind |case| {
        let volume = case.outside("volume")?;
        let _socket = std::os::unix::net::UnixListener::bind(volume.join("socket"))?;
        mknodat(CWD, volume.join("fifo"), FileType::Fifo, 0o600.into(), 0)?;
        for (target, source) in [("/a/socket", "socket"), ("/a/fifo", "fifo")] {
            case.mount(target, "bind", volume.join(source), "bind ro");
        }
        case.mount("/a/null", "bind", "/dev/null", "bind");
        case.sees("stat -c %F /a/socket /a/fifo /a/null", &["socket", "fifo", "character special file"])
    }

    nested_and_changed |case| {
        let volume = case.outside("volume")?;
        fs::create_dir_all(volume.join("below"))?;
        case.mount("/a", "bind", &volume, "rbind rw nosuid");
        case.mount("/a/below", "tmpfs", "tmpfs", "mode=711 noatime");
        case.mount("/a/below/more", "tmpfs", "tmpfs", "");
        case.mount("/a", "bind", &volume, "remount bind ro nosuid");
        let look = "touch /a/x 2>&1 | grep -o 'Read-only.*'; touch /a/below/y && stat -c %a /a/below;
            awk '$2 ~ \"^/a\" { print $2, $4 }' /proc/mounts | cut -d, -f1-2";
        case.sees(look, &["Read-only file system", "711", "/a ro,nosuid", "/a/below rw,noatime",
            "/a/below/more rw,relatime"])
    }

    read_only_is_for_one_mount_or_for_all |case| {
        case.mount("/one", "bind", "/dev", "rbind ro").mount("/all", "bind", "/dev", "rbind rro");
        let look = "for place in one all; do
            grep \" /$place/shm \" /proc/mounts | cut -d' ' -f4 | cut -d, -f1 | sort -u; done";
        case.sees(look, &["rw", "ro"])
    }

    links_need_not_be_followed |case| {
        let volume = case.outside("volume")?;
        symlink("/etc/passwd", volume.join("link"))?;
        case.mount("/a", "bind", volume, "bind nosymfollow");
        case.sees("cat /a/link 2>&1 | grep -o 'Too many.*'", &["Too many levels of symbolic links"])
    }

    a_tmpfs_has_the_mode_of_its_directory |case| {
        case.mount("/var/tmp", "tmpfs", "tmpfs", "").mount("/root", "tmpfs", "tmpfs", "");
        case.mount("/home", "tmpfs", "tmpfs", "mode=0123");
        case.sees("stat -c %a /var/tmp /root /home", &["1777", "700", "123"])
    }

    a_missing_target_on_a_read_only_mount |case| {
        let volume = case.outside("volume")?;
        case.mount("/mnt", "bind", volume, "bind ro").mount("/mnt/x", "tmpfs", "tmpfs", "");
        case.fails(&["mount tmpfs on /mnt/x", "read-only", "make it in the image"])
    }

    a_read_only_tmpfs_has_what_lies_in_it |case| {
        case.mount("/dev", "tmpfs", "tmpfs", "ro mode=755");
        case.mount("/srv", "tmpfs", "tmpfs", "ro tmpcopyup").mount("/srv/a/b", "tmpfs", "tmpfs", "");
        let look = "touch /srv/a/b/x && echo made; for place in /dev /srv /srv/a; do
            touch $place/x 2>&1 | grep -o 'Read-only.*'; done; stat -c %F /dev/null";
        let refusal = "Read-only file system";
        case.sees(look, &["made", refusal, refusal, refusal, "character special file"])
    }

    a_tmpfs_on_nothing_is_for_everybody |case| {
        case.mount("/srv/a", "tmpfs", "tmpfs", "").mount("/srv/b", "tmpfs", "tmpfs", "tmpcopyup");
        case.sees("stat -c %a /srv/a /srv/b", &["1777", "1777"])
    }

    an_overlay_of_many_layers |case| {
        let modprobe = || Command::new("modprobe").arg("overlay").status();
        let known = fs::read_to_string("/proc/filesystems")?.contains("overlay");
        if !known && !modprobe().is_ok_and(|status| status.success()) {
            println!("SKIP an_overlay_of_many_layers: this kernel has no overlay filesystem");
            return Ok(());
        }
        let mut layers = Vec::new();
        for number in 0..12 {
            let layer = case.outside(&format!("layer-with-a-long-name-{number}"))?;
            fs::write(layer.join(format!("file{number}")), "")?;
            layers.push(layer.display().to_string());
        }
        let options = format!("ro nosuid noatime lowerdir={}", layers.join(":"));
        case.mount("/a", "overlay", "overlay", &options);
        let look = "ls /a | wc -l; grep ' /a overlay ' /proc/mounts | cut -d' ' -f4 | cut -d, -f1-3";
        case.sees(look, &["12", "ro,nosuid,noatime"])
    }

    an_id_that_is_not_mapped |case| {
        case.own_users()?;
        case.host.config["linux"]["gidMappings"][0]["size"] = json!(1);
        case.mount("/dev/pts", "devpts", "devpts", "newinstance gid=5");
        case.fails(&["gid=5", "does not map"])
    }

    the_hosts_sysfs_and_cgroups_with_own_users |case| {
        case.namespaces(&["pid", "mount", "ipc"]);
        case.own_users()?;
        case.mount("/sys", "sysfs", "sysfs", "nosuid noexec nodev ro");
        case.mount("/sys/fs/cgroup", "cgroup", "cgroup", "ro nosuid");
        let look = "ls -d /sys/class/net/lo; ls /sys/fs/cgroup/cgroup.procs;
            awk '$2 == \"/sys\" || $2 == \"/sys/fs/cgroup\" { print $2, $3, $4 }' /proc/mounts |
            cut -d, -f1 | sort -u";
        case.sees(look, &["/sys/class/net/lo", "/sys/fs/cgroup/cgroup.procs", "/sys sysfs ro",
            "/sys/fs/cgroup cgroup2 ro"])
    }

    own_cgroups_with_own_users |case| {
        case.namespaces(&["pid", "mount", "ipc", "network", "cgroup"]);
        case.own_users()?;
        case.mount("/sys", "sysfs", "sysfs", "ro").mount("/sys/fs/cgroup", "cgroup", "cgroup", "ro");
        case.mount("/dev", "tmpfs", "tmpfs", "mode=755").mount("/dev/mqueue", "mqueue", "mqueue", "");
        let look = "cat /proc/self/cgroup | tail -n 1; stat -f -c %T /dev/mqueue; ls /sys/class/net";
        case.sees(look, &["0::/", "UNKNOWN", "lo"])
    }

    a_mount_on_the_hosts_dev |case| {
        case.mount("/dev", "bind", "/dev", "rbind").mount("/dev/shm", "tmpfs", "shm", "mode=1777 size=64k");
        case.sees("stat -c %a /dev/shm; df /dev/shm | tail -n 1 | awk '{ print $2 }'", &["1777", "64"])
    }

    a_terminal_without_pseudoterminals |case| {
        case.host.config["process"]["terminal"] = json!(true);
        case.mount("/dev", "tmpfs", "tmpfs", "mode=755");
        case.fails(&["open a terminal", "needs a devpts at /dev/pts"])
    }
}
