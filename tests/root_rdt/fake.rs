//! A processor with two caches that does not exist: what resctrl.rst says of its files, without the hardware.

use std::collections::BTreeMap;

use rustix::io::Errno;

use crate::fuse::{Files, Node};

/// How many classes it has, besides the root group.
const CLASSES: usize = 3;
/// The step of the memory bandwidth, in percent.
const STEP: u64 = 10;

/// A class or a monitoring group.
#[derive(Clone, Debug, Default)]
struct Group {
    schemata: Vec<(String, BTreeMap<String, String>)>,
    tasks: Vec<i32>,
}

/// The whole file system.
#[derive(Debug)]
pub struct Fake {
    groups: BTreeMap<String, Group>,
    status: String,
    /// What was done, in order: `make web`, `schemata web L3:0=f`, `join web`, `remove web`.
    pub log: Vec<String>,
    /// Was any file or directory looked at?
    pub touched: std::cell::Cell<u32>,
}

fn pairs(text: &str) -> Option<BTreeMap<String, String>> {
    let pair = |pair: &str| {
        let (id, value) = pair.split_once('=')?;
        Some((id.parse::<u32>().ok()?.to_string(), value.to_owned()))
    };
    text.split(';').map(pair).collect()
}

fn class_of(group: &str) -> &str {
    group
        .strip_suffix(name(group))
        .and_then(|rest| rest.strip_suffix("mon_groups/"))
        .map_or(group, |class| class.strip_suffix('/').unwrap_or(class))
}

fn name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or_default()
}

fn is_monitoring(group: &str) -> bool {
    class_of(group) != group
}

impl Fake {
    pub fn new() -> Self {
        let all = [("MB", "0=100;1=100"), ("L3", "0=7ff;1=7ff"), ("L2", "0=ff;1=ff")];
        let schemata = all.map(|(resource, values)| (resource.to_owned(), pairs(values).expect("pairs")));
        let root = Group { schemata: schemata.to_vec(), tasks: Vec::new() };
        Self {
            groups: BTreeMap::from([(String::new(), root)]),
            status: "ok\n".to_owned(),
            log: Vec::new(),
            touched: std::cell::Cell::new(0),
        }
    }

    /// A group that somebody else has made, with these lines.
    pub fn with(mut self, group: &str, lines: &[&str]) -> Self {
        self.make(group).expect("a new group");
        lines.iter().for_each(|line| self.schemata(group, line).expect("a good line"));
        self.log.clear();
        self
    }

    pub fn has(&self, group: &str) -> bool {
        self.groups.contains_key(group)
    }

    pub fn tasks(&self, group: &str) -> Vec<i32> {
        self.groups.get(group).map(|group| group.tasks.clone()).unwrap_or_default()
    }

    /// The line of a resource as the kernel shows it.
    pub fn line(&self, group: &str, resource: &str) -> String {
        let shown =
            self.read(&if group.is_empty() { "schemata".into() } else { format!("{group}/schemata") });
        let line = shown.lines().map(str::trim).find(|line| line.starts_with(&format!("{resource}:")));
        line.unwrap_or_default().to_owned()
    }

    fn refuse(&mut self, status: &str, errno: Errno) -> Result<(), Errno> {
        self.status = format!("{status}\n");
        Err(errno)
    }

    fn schemata(&mut self, group: &str, line: &str) -> Result<(), Errno> {
        let Some((resource, values)) = line.split_once(':').and_then(|(r, v)| Some((r, pairs(v)?))) else {
            return self.refuse("Missing ':'", Errno::INVAL);
        };
        let own = self.groups.get_mut(group).expect("an open file of it");
        let Some((_, known)) = own.schemata.iter_mut().find(|(name, _)| name == resource) else {
            return self.refuse(&format!("Unknown or unsupported resource name '{resource}'"), Errno::INVAL);
        };
        for (id, value) in values {
            let percent = value.parse::<u64>().map(|percent| percent.next_multiple_of(STEP).to_string());
            known.insert(id, if resource == "MB" { percent.map_err(|_| Errno::INVAL)? } else { value });
        }
        Ok(())
    }

    fn join(&mut self, group: &str, pid: i32) -> Result<(), Errno> {
        if !std::path::Path::new(&format!("/proc/{pid}")).exists() {
            return self.refuse(&format!("No task {pid}"), Errno::SRCH);
        }
        let class = class_of(group).to_owned();
        if is_monitoring(group) {
            let belongs = self.groups[&class].tasks.contains(&pid);
            if !belongs {
                return self.refuse("Can't move task to different control group", Errno::INVAL);
            }
        } else {
            self.groups.values_mut().for_each(|group| group.tasks.retain(|task| *task != pid));
        }
        self.groups.get_mut(group).expect("an open file of it").tasks.push(pid);
        Ok(())
    }
}

/// The group to which a path belongs, and the name of the file in it.
fn split(path: &str) -> (&str, &str) {
    path.rsplit_once('/').unwrap_or(("", path))
}

impl Files for Fake {
    fn node(&self, path: &str) -> Option<Node> {
        self.touched.set(self.touched.get() + 1);
        let (group, file) = split(path);
        match (path, file) {
            ("" | "info" | "info/MB", _) => Some(Node::Directory),
            ("info/last_cmd_status" | "info/MB/bandwidth_gran", _) => Some(Node::File),
            _ if self.has(path) => Some(Node::Directory),
            (_, "mon_groups") if self.has(group) && !is_monitoring(group) => Some(Node::Directory),
            (_, "tasks") if self.has(group) => Some(Node::File),
            (_, "schemata") if self.has(group) && !is_monitoring(group) => Some(Node::File),
            _ => None,
        }
    }

    fn read(&self, path: &str) -> String {
        let (group, file) = split(path);
        match (path, file) {
            ("info/last_cmd_status", _) => self.status.clone(),
            ("info/MB/bandwidth_gran", _) => format!("{STEP}\n"),
            (_, "tasks") => self.tasks(group).iter().map(|pid| format!("{pid}\n")).collect(),
            _ => {
                let width = |resource: &str| if resource == "MB" { 4 } else { 3 };
                let pad = |resource: &str, value: &str| match resource {
                    "MB" => format!("{value:>0$}", width(resource)),
                    _ => format!("{value:0>0$}", width(resource)),
                };
                let line = |(resource, values): &(String, BTreeMap<String, String>)| {
                    let values = values.iter().map(|(id, value)| format!("{id}={}", pad(resource, value)));
                    format!("{resource:>6}:{}\n", values.collect::<Vec<_>>().join(";"))
                };
                self.groups
                    .get(group)
                    .map(|group| group.schemata.iter().map(line).collect())
                    .unwrap_or_default()
            }
        }
    }

    fn write(&mut self, path: &str, text: &str) -> Result<(), Errno> {
        let (group, file) = split(path);
        let group = group.to_owned();
        // resctrl.rst: the newline is part of the line.
        let Some(line) = text.strip_suffix('\n') else { return self.refuse("", Errno::INVAL) };
        match file {
            "schemata" => {
                self.schemata(&group, line)?;
                self.log.push(format!("schemata {group} {line}"));
            }
            _ => {
                self.join(&group, line.parse().map_err(|_| Errno::INVAL)?)?;
                self.log.push(format!("join {group}"));
            }
        }
        self.status = "ok\n".to_owned();
        Ok(())
    }

    fn make(&mut self, path: &str) -> Result<(), Errno> {
        if self.node(path).is_some() {
            return Err(Errno::EXIST);
        }
        let classes = self.groups.keys().filter(|group| !group.is_empty() && !is_monitoring(group)).count();
        if !is_monitoring(path) && classes == CLASSES {
            return self.refuse("Out of CLOSIDs", Errno::NOSPC);
        }
        let all = self.groups[""].schemata.clone();
        let schemata = if is_monitoring(path) { Vec::new() } else { all };
        self.groups.insert(path.to_owned(), Group { schemata, tasks: Vec::new() });
        self.log.push(format!("make {path}"));
        self.status = "ok\n".to_owned();
        Ok(())
    }

    fn remove(&mut self, path: &str) -> Result<(), Errno> {
        self.groups.remove(path).ok_or(Errno::NOENT)?;
        self.groups.retain(|group, _| !group.starts_with(&format!("{path}/")));
        self.log.push(format!("remove {path}"));
        Ok(())
    }
}
