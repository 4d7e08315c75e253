//! What a config names on the host: made for the test, or taken out of the config.

use std::error::Error;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use crate::Checked;
use crate::podman::Rootless;

/// One test's part of the host.
pub struct Host {
    pub name: String,
    pub binary: PathBuf,
    /// The config, as it is changed step by step.
    pub config: Value,
    /// Everything of this test: bundle, sources of bind mounts, state of the containers.
    pub directory: PathBuf,
    /// The container whose namespaces are joined.
    sandbox: Option<String>,
    /// Where crate-run is called, when not by root.
    pub rootless: Option<Rootless>,
}

pub const CGROUPS: &str = "/sys/fs/cgroup";

pub fn run(command: &mut Command) -> Checked {
    let output = command.output()?;
    if output.status.success() {
        return Ok(());
    }
    Err(format!("{command:?}: {}", String::from_utf8_lossy(&output.stderr)).into())
}

impl Host {
    pub fn new(name: &str, binary: &Path, config: Value) -> Result<Self, Box<dyn Error>> {
        let directory = std::env::temp_dir().join(format!("crate-run-config-{name}-{}", std::process::id()));
        let bundle = directory.join("bundle");
        fs::create_dir_all(&bundle)?;
        let fixtures = std::env::var("CRATE_RUN_FIXTURES")?;
        run(Command::new("cp").args(["-a", &format!("{fixtures}/rootfs")]).arg(&bundle))?;
        let binary = binary.to_owned();
        Ok(Self { name: name.to_owned(), binary, config, directory, sandbox: None, rootless: None })
    }

    pub fn bundle(&self) -> PathBuf {
        self.directory.join("bundle")
    }

    fn rootfs(&self) -> PathBuf {
        self.bundle().join("rootfs")
    }

    /// Where the container's cgroup is.
    pub fn cgroup(&self) -> PathBuf {
        PathBuf::from(format!("{CGROUPS}{}", self.config["linux"]["cgroupsPath"].as_str().unwrap_or("")))
    }

    /// A command of crate-run in this test's own state directory.
    pub fn crate_run(&self) -> Command {
        let mut command = match &self.rootless {
            Some(rootless) => rootless.command(&self.binary),
            None => Command::new(&self.binary),
        };
        command.arg("--root").arg(self.directory.join("state"));
        command
    }

    /// The process whose namespaces a container shares when its config names none.
    pub fn caller(&self) -> String {
        self.rootless.as_ref().map_or("self".to_owned(), |rootless| rootless.pid().to_string())
    }

    /// Makes what the config names.
    pub fn supply(&mut self) -> Checked {
        self.sources()?;
        self.namespaces()?;
        self.cgroup_path();
        self.resources()?;
        self.security();
        self.owner()
    }

    /// The source of each bind mount; a directory where the destination is one.
    fn sources(&mut self) -> Checked {
        let directory = self.directory.join("host");
        for mount in array(&mut self.config["mounts"]) {
            let (source, target) = (text(&mount["source"]), text(&mount["destination"]));
            let is_bind = mount["type"] == "bind";
            if !is_bind || source == "/dev/shm" {
                continue;
            }
            let place = PathBuf::from(format!("{}{source}", directory.display()));
            let is_directory =
                ["/data", "/mnt", "/dev/shm"].contains(&target.as_str()) || target.contains("/secrets/");
            if is_directory {
                fs::create_dir_all(&place)?;
                fs::write(place.join("from-the-host"), &target)?;
            } else {
                fs::create_dir_all(place.parent().ok_or("a source is never the root")?)?;
                fs::write(&place, &target)?;
            }
            mount["source"] = json!(place);
        }
        Ok(())
    }

    /// The namespaces that are joined: those of a container which does nothing.
    fn namespaces(&mut self) -> Checked {
        let list = array(&mut self.config["linux"]["namespaces"]);
        if !list.iter().any(|entry| entry["path"].is_string()) {
            return Ok(());
        }
        let shares_users = list.iter().any(|entry| entry["type"] == "user" && entry["path"].is_string());
        let pid = self.sandbox_pid(shares_users)?;
        for entry in array(&mut self.config["linux"]["namespaces"]) {
            if entry["path"].is_string() {
                let kind = text(&entry["type"]).replace("network", "net");
                entry["path"] = json!(format!("/proc/{pid}/ns/{kind}"));
            }
        }
        Ok(())
    }

    fn sandbox_pid(&mut self, with_own_users: bool) -> Result<String, Box<dyn Error>> {
        let mut config = json!({
            "ociVersion": "1.2.0",
            "process": { "args": ["/bin/sleep", "1000"], "cwd": "/", "user": { "uid": 0, "gid": 0 } },
            "root": { "path": self.rootfs() },
            "mounts": [{ "destination": "/proc", "type": "proc", "source": "proc" }],
            "linux": {
                "cgroupsPath": format!("/crate-run-configs/{}-sandbox", self.name),
                "namespaces": [{ "type": "pid" }, { "type": "network" }, { "type": "ipc" },
                               { "type": "uts" }, { "type": "mount" }],
            },
        });
        if with_own_users {
            self.owner()?;
            let map = json!([{ "containerID": 0, "hostID": 100_000, "size": 65_536 }]);
            (config["linux"]["uidMappings"], config["linux"]["gidMappings"]) = (map.clone(), map);
            config["linux"]["namespaces"].as_array_mut().ok_or("made above")?.push(json!({ "type": "user" }));
        }
        let bundle = self.directory.join("sandbox");
        fs::create_dir_all(&bundle)?;
        fs::write(bundle.join("config.json"), config.to_string())?;
        let file = bundle.join("pid");
        let mut create = self.crate_run();
        create.args(["run", "--detach", "--pid-file"]).arg(&file).arg("--bundle").arg(&bundle).arg("sandbox");
        // With a pipe as its output the sandbox would keep us waiting.
        let log = fs::File::create(bundle.join("log"))?;
        let status =
            create.stdin(std::process::Stdio::null()).stdout(log.try_clone()?).stderr(log).status()?;
        if !status.success() {
            return Err(format!("the sandbox: {}", fs::read_to_string(bundle.join("log"))?).into());
        }
        self.sandbox = Some("sandbox".to_owned());
        Ok(fs::read_to_string(file)?)
    }

    /// A path of the systemd driver becomes one of the file system.
    fn cgroup_path(&mut self) {
        let path = &mut self.config["linux"]["cgroupsPath"];
        let plain = text(path).replace([':', '/'], "-");
        *path = json!(format!("/crate-run-configs/{}", plain.trim_start_matches('-')));
    }

    fn resources(&mut self) -> Checked {
        let offered = fs::read_to_string(format!("{CGROUPS}/cgroup.controllers"))?;
        let lacks = |controller: &str| !offered.split_whitespace().any(|one| one == controller);
        let resources = &mut self.config["linux"]["resources"];
        let parts = [
            ("memory", "memory"),
            ("cpu", "cpu"),
            ("pids", "pids"),
            ("io", "blockIO"),
            ("hugetlb", "hugepageLimits"),
            ("memory", "unified"),
        ];
        for (controller, part) in parts {
            if lacks(controller) && !resources[part].is_null() {
                println!("{}: without {part}: cgroup v2 has no {controller} controller here", self.name);
                remove(resources, part);
            }
        }
        if lacks("cpuset") {
            ["cpus", "mems"].iter().for_each(|part| remove(&mut resources["cpu"], part));
        }
        if let Some(sizes) = resources["hugepageLimits"].as_array_mut() {
            sizes.retain(|entry| {
                let size = text(&entry["pageSize"]);
                Path::new(&format!("{CGROUPS}/init/hugetlb.{size}.max")).exists()
            });
        }
        let disk = fs::metadata("/dev/vda").map(|disk| disk.rdev());
        let block = &mut resources["blockIO"];
        match disk {
            Ok(number) if block["throttleReadBpsDevice"].is_array() => {
                block["throttleReadBpsDevice"][0]["major"] = json!(number >> 8);
                block["throttleReadBpsDevice"][0]["minor"] = json!(number & 0xff);
            }
            _ => remove(block, "throttleReadBpsDevice"),
        }
        Ok(())
    }

    /// Profiles that are not loaded, and what takes CAP_SYS_RESOURCE where that is lacking.
    fn security(&mut self) {
        let may = may_raise_limits();
        for set in self.config["process"]["capabilities"].as_object_mut().into_iter().flatten() {
            if let (false, Some(names)) = (may, set.1.as_array_mut()) {
                names.retain(|name| name != "CAP_SYS_RESOURCE");
            }
        }
        let process = &mut self.config["process"];
        if process["apparmorProfile"].as_str().is_some_and(|profile| profile != "unconfined") {
            println!("{}: without AppArmor: the engine's profile is not loaded here", self.name);
            remove(process, "apparmorProfile");
        }
        if process["oomScoreAdj"].as_i64().is_some_and(|score| score < 0) && !may {
            println!("{}: without oomScoreAdj: it takes CAP_SYS_RESOURCE to lower it", self.name);
            remove(process, "oomScoreAdj");
        }
        if process["rlimits"].is_array() && !may {
            println!("{}: without raised limits: they take CAP_SYS_RESOURCE", self.name);
            self.without_raised_limits();
        }
    }

    /// Takes out the limits that may lie above our own.
    pub fn without_raised_limits(&mut self) {
        if let Some(limits) = self.config["process"]["rlimits"].as_array_mut() {
            limits.retain(|limit| limit["hard"].as_u64() <= Some(2048));
        }
    }

    /// In a user namespace the image belongs to its root, as Podman unpacks it.
    pub fn owner(&mut self) -> Checked {
        let outside = |map: &Value| map[0]["hostID"].as_u64();
        let linux = &self.config["linux"];
        if let (Some(uid), Some(gid)) = (outside(&linux["uidMappings"]), outside(&linux["gidMappings"])) {
            run(Command::new("chown").args(["-R", &format!("{uid}:{gid}")]).arg(self.rootfs()))?;
        }
        Ok(())
    }

    /// No state and no cgroup.
    pub fn nothing_is_left(&mut self) -> Checked {
        if let Some(sandbox) = self.sandbox.take() {
            run(self.crate_run().args(["delete", "--force", &sandbox]))?;
        }
        let left: Vec<PathBuf> = fs::read_dir(self.directory.join("state"))?
            .map(|entry| entry.map(|entry| entry.path()))
            .collect::<Result<_, _>>()?;
        assert!(left.is_empty(), "state is left: {left:?}");
        assert!(!self.cgroup().exists(), "{} is left", self.cgroup().display());
        Ok(())
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        for id in ["sandbox", "run", "life"] {
            let _ = self.crate_run().args(["delete", "--force", id]).output();
        }
        let _ = fs::remove_dir_all(&self.directory);
        let _ = fs::remove_dir(format!("{CGROUPS}/crate-run-configs"));
    }
}

/// Has this process CAP_SYS_RESOURCE?
fn may_raise_limits() -> bool {
    const SYS_RESOURCE: u64 = 1 << 24;
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let sets = status.lines().find_map(|line| line.strip_prefix("CapEff:"));
    sets.and_then(|hex| u64::from_str_radix(hex.trim(), 16).ok()).is_some_and(|sets| sets & SYS_RESOURCE != 0)
}

pub fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn array(value: &mut Value) -> &mut [Value] {
    value.as_array_mut().map(Vec::as_mut_slice).unwrap_or_default()
}

fn remove(value: &mut Value, key: &str) {
    if let Some(object) = value.as_object_mut() {
        object.remove(key);
    }
}
