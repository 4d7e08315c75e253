//! What a config asks for, against what is true inside.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::host::text;

/// Everything that is not as the config says, in words. `caller` is the process (of /proc) that asked for it.
pub fn differences(config: &Value, report: &Value, caller: &str) -> Vec<String> {
    let mut found = Vec::new();
    user(config, report, &mut found);
    powers(config, report, &mut found);
    namespaces(config, report, caller, &mut found);
    mounts(config, report, &mut found);
    paths(config, report, &mut found);
    devices(config, report, &mut found);
    program(config, report, &mut found);
    found
}

fn items(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

fn words(value: &Value) -> Vec<String> {
    items(value).iter().map(text).collect()
}

fn same(what: &str, wanted: &Value, is: &Value, found: &mut Vec<String>) {
    if wanted != is {
        found.push(format!("{what}: wanted {wanted}, is {is}"));
    }
}

fn sorted(value: &Value) -> Value {
    let mut list: Vec<Value> = items(value).to_vec();
    list.sort_by_key(Value::to_string);
    list.dedup();
    Value::Array(list)
}

fn user(config: &Value, report: &Value, found: &mut Vec<String>) {
    let (user, ids) = (&config["process"]["user"], &report["ids"]);
    for which in ["real", "effective", "saved", "filesystem"] {
        same(&format!("{which} uid"), &user["uid"], &ids["uid"][which], found);
        same(&format!("{which} gid"), &user["gid"], &ids["gid"][which], found);
    }
    same("groups", &sorted(&user["additionalGids"]), &sorted(&ids["groups"]), found);
    let umask = format!("{:04o}", user["umask"].as_u64().unwrap_or(0o022));
    same("umask", &json!(umask), &ids["umask"], found);
}

fn powers(config: &Value, report: &Value, found: &mut Vec<String>) {
    let (process, caps) = (&config["process"], &report["caps"]);
    for set in ["bounding", "effective", "permitted", "inheritable", "ambient"] {
        let asked = &process["capabilities"][set];
        // execve(2) gives a root user what is in its bounding set (capabilities(7)).
        let by_root = process["user"]["uid"] == 0 && ["effective", "permitted"].contains(&set);
        let asked = if by_root { &process["capabilities"]["bounding"] } else { asked };
        let of_ambient = process["user"]["uid"] != 0 && ["effective", "permitted"].contains(&set);
        let asked = if of_ambient { &process["capabilities"]["ambient"] } else { asked };
        same(&format!("{set} capabilities"), &sorted(asked), &sorted(&caps[set]["names"]), found);
    }
    let no_new_privileges = json!(process["noNewPrivileges"] == true);
    same("no_new_privs", &no_new_privileges, &caps["no_new_privs"], found);
    let mode = if config["linux"]["seccomp"].is_object() { "filter" } else { "disabled" };
    same("seccomp", &json!(mode), &report["seccomp"]["mode"], found);
    for limit in items(&process["rlimits"]) {
        let name = text(&limit["type"]);
        let is = &report["rlimits"][&name];
        for which in ["soft", "hard"] {
            let wanted = match limit[which].as_u64() {
                Some(u64::MAX) => &Value::Null,
                _ => &limit[which],
            };
            same(&format!("{which} limit {name}"), wanted, &is[which], found);
        }
    }
}

fn inode(path: &str) -> Value {
    fs::read_link(path).map_or(Value::Null, |link| json!(link))
}

fn namespaces(config: &Value, report: &Value, caller: &str, found: &mut Vec<String>) {
    let kinds = ["pid", "network", "mount", "ipc", "uts", "user", "cgroup", "time"];
    for kind in kinds {
        let file = match kind {
            "network" => "net",
            "mount" => "mnt",
            other => other,
        };
        let entry = items(&config["linux"]["namespaces"]).iter().find(|entry| entry["type"] == kind);
        let is = &report["namespaces"][file]["link"];
        let ours = inode(&format!("/proc/{caller}/ns/{file}"));
        match entry {
            None => same(&format!("{kind} namespace of the host"), &ours, is, found),
            Some(entry) if entry["path"].is_string() => {
                same(&format!("joined {kind} namespace"), &inode(&text(&entry["path"])), is, found);
            }
            Some(_) if *is == ours => found.push(format!("the {kind} namespace is the host's")),
            Some(_) => {}
        }
    }
    let own_pids = items(&config["linux"]["namespaces"]).iter().find(|entry| entry["type"] == "pid");
    if own_pids.is_some_and(|entry| entry["path"].is_null()) {
        same("pid", &json!(1), &report["process"]["pid"], found);
    }
}

/// A path as it is after the links of the fixture's image.
fn resolved(path: &str) -> String {
    path.strip_prefix("/var/run").map_or(path.to_owned(), |rest| format!("/run{rest}"))
}

fn mounts(config: &Value, report: &Value, found: &mut Vec<String>) {
    for mount in items(&config["mounts"]) {
        let target = resolved(&text(&mount["destination"]));
        let Some(is) = items(&report["mounts"]).iter().rfind(|is| is["target"] == target.as_str()) else {
            found.push(format!("nothing is mounted at {target}"));
            continue;
        };
        let kind = text(&mount["type"]).replace("cgroup", "cgroup2");
        if kind != "bind" {
            same(&format!("type of {target}"), &json!(kind), &is["fstype"], found);
        }
        let there = words(&is["options"]);
        let has = |option: &str| there.iter().any(|word| word == option);
        for option in words(&mount["options"]) {
            let holds = match option.as_str() {
                "ro" | "rro" => has("ro"),
                "nosuid" | "nodev" | "noexec" | "rw" | "relatime" => has(&option),
                "strictatime" => !has("relatime") && !has("noatime"),
                "rprivate" => items(&is["propagation"]).is_empty(),
                _ => true,
            };
            if !holds {
                found.push(format!("{target}: {option} is not among {there:?} {}", is["propagation"]));
            }
        }
    }
    let root = items(&report["mounts"]).iter().find(|mount| mount["target"] == "/");
    let read_only = root.is_some_and(|root| words(&root["options"]).iter().any(|word| word == "ro"));
    if read_only != (config["root"]["readonly"] == true) {
        found.push(format!("the root is read-only: {read_only}"));
    }
}

/// Every hidden and every read-only path that is there has a mount of its own.
fn paths(config: &Value, report: &Value, found: &mut Vec<String>) {
    let at = |path: &str| items(&report["mounts"]).iter().rfind(|mount| mount["target"] == path);
    for path in words(&config["linux"]["readonlyPaths"]) {
        let read_only =
            at(&path).is_some_and(|mount| words(&mount["options"]).iter().any(|word| word == "ro"));
        if !read_only && Path::new(&path).exists() {
            found.push(format!("{path} is not read-only"));
        }
    }
    for path in words(&config["linux"]["maskedPaths"]) {
        if at(&path).is_none() && Path::new(&path).exists() {
            found.push(format!("{path} is not masked"));
        }
    }
}

fn devices(config: &Value, report: &Value, found: &mut Vec<String>) {
    let always = ["null", "zero", "full", "random", "urandom", "tty"].map(|name| format!("/dev/{name}"));
    let listed = items(&config["linux"]["devices"]).iter().map(|device| text(&device["path"]));
    for path in always.into_iter().chain(listed) {
        let kind = &report["devices"][&path]["type"];
        if kind != "char" && kind != "block" {
            found.push(format!("{path} is {kind}"));
        }
    }
    for path in ["/dev/fd", "/dev/stdin", "/dev/ptmx"] {
        same(path, &json!("link"), &report["devices"][path]["type"], found);
    }
}

fn program(config: &Value, report: &Value, found: &mut Vec<String>) {
    let process = &config["process"];
    same("cwd", &process["cwd"], &report["cwd"], found);
    for variable in words(&process["env"]) {
        if !words(&report["env"]).contains(&variable) {
            found.push(format!("the environment lacks {variable}"));
        }
    }
    if config["hostname"].as_str().is_some_and(|name| !name.is_empty()) {
        same("hostname", &config["hostname"], &report["uts"]["hostname"], found);
    }
    if process["oomScoreAdj"].is_i64() {
        same("oom_score_adj", &process["oomScoreAdj"], &report["process"]["oom_score_adj"], found);
    }
    // The report itself reads a directory of /proc.
    let numbers: Vec<i64> = items(&report["fds"]).iter().filter_map(|fd| fd["fd"].as_i64()).collect();
    same("descriptors", &json!([0, 1, 2]), &json!(numbers), found);
}

/// The limits as the cgroup's files show them, against the resources of the config.
pub fn wrong_limits(resources: &Value, cgroup: &Path) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut check = |file: &str, wanted: String| {
        let is = fs::read_to_string(cgroup.join(file)).unwrap_or_else(|error| error.to_string());
        if is.trim() != wanted {
            wrong.push(format!("{file}: wanted {wanted}, is {}", is.trim()));
        }
    };
    let number = |value: &Value| value.as_i64();
    let (memory, cpu) = (&resources["memory"], &resources["cpu"]);
    let limit = number(&memory["limit"]).filter(|limit| *limit > 0);
    if let Some(limit) = limit {
        check("memory.max", limit.to_string());
    }
    if let (Some(limit), Some(swap)) = (limit, number(&memory["swap"])) {
        check("memory.swap.max", (swap - limit).to_string());
    }
    if let Some(low) = number(&memory["reservation"]).filter(|low| *low > 0) {
        check("memory.low", low.to_string());
    }
    if let (Some(quota), Some(period)) = (number(&cpu["quota"]), number(&cpu["period"])) {
        check("cpu.max", format!("{quota} {period}"));
    }
    if let Some(cpus) = cpu["cpus"].as_str().filter(|cpus| !cpus.is_empty()) {
        check("cpuset.cpus", cpus.to_owned());
    }
    if let Some(limit) = number(&resources["pids"]["limit"]).filter(|limit| *limit > 0) {
        check("pids.max", limit.to_string());
    }
    for size in items(&resources["hugepageLimits"]) {
        check(&format!("hugetlb.{}.max", text(&size["pageSize"])), size["limit"].to_string());
    }
    for (file, value) in resources["unified"].as_object().into_iter().flatten() {
        check(file, text(value));
    }
    wrong
}
