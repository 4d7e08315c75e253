//! The cgroup v2 driver on a real hierarchy: made, limited, frozen, killed, removed, and nothing left behind.
//!
//! Needs root and cgroup2 at /sys/fs/cgroup (or beside v1). Each test works below a cgroup of its own, which
//! is removed at the end also when the test fails. What a test cannot show on this host is said as `SKIP
//! <name>: <reason>`.

use std::collections::BTreeMap;
use std::error::Error;
use std::fs;
use std::io::Write;
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate_run::bundle::finding::Pointer;
use crate_run::cgroup::delegate::delegated_files;
use crate_run::cgroup::devices::insn::Program;
use crate_run::cgroup::devices::program::compile;
use crate_run::cgroup::devices::{self, Kind, Pattern, Rule, Verdict};
use crate_run::cgroup::events::Events;
use crate_run::cgroup::v2::Applied;
use crate_run::cgroup::{Cgroup, CgroupError, CgroupPath, Hierarchy, Setting, limits};

type Checked = Result<(), Box<dyn Error>>;

/// Far beyond what any step takes, so that only a real hang reaches it.
fn later() -> Instant {
    Instant::now() + Duration::from_secs(60)
}

/// The root cgroup is shared, and each test gives back the controllers that it enabled there: one at a time.
static ROOT: Mutex<()> = Mutex::new(());

/// A cgroup that belongs to one test.
struct Place {
    hierarchy: Hierarchy,
    top: CgroupPath,
    /// The controllers that the root gave to its children before the test.
    given: String,
    _alone: MutexGuard<'static, ()>,
}

fn given_by_root(hierarchy: &Hierarchy) -> Result<String, std::io::Error> {
    fs::read_to_string(hierarchy.place().join("cgroup.subtree_control"))
}

impl Place {
    /// The place for `test`, or a line that says why there is none.
    fn new(test: &str) -> Result<Option<Self>, Box<dyn Error>> {
        let hierarchy = match Hierarchy::find() {
            Ok(hierarchy) => hierarchy,
            Err(error) => return skip(test, &error.to_string()).map(|()| None),
        };
        if fs::metadata("/proc/self")?.uid() != 0 {
            return skip(test, "not root").map(|()| None);
        }
        let top = path(&format!("/crate-run-test-{}-{test}", std::process::id()));
        // A test that failed has put everything back all the same.
        let _alone = ROOT.lock().unwrap_or_else(PoisonError::into_inner);
        let given = given_by_root(&hierarchy)?;
        Cgroup::create(&hierarchy, &top)?;
        Ok(Some(Self { hierarchy, top, given, _alone }))
    }

    /// Makes `relative` below the place of this test.
    fn create(&self, relative: &str) -> Result<Cgroup, CgroupError> {
        Cgroup::create(&self.hierarchy, &self.below(relative))
    }

    fn below(&self, relative: &str) -> CgroupPath {
        path(&format!("{}/{relative}", self.top))
    }

    /// Makes `relative` with `controller` enabled; `None` when this host does not have it.
    fn limited(
        &self,
        test: &str,
        relative: &str,
        controller: &str,
    ) -> Result<Option<Cgroup>, Box<dyn Error>> {
        if !self.hierarchy.controllers()?.iter().any(|name| name == controller) {
            return skip(test, &format!("no {controller} controller here")).map(|()| None);
        }
        let cgroup = self.create(relative)?;
        self.hierarchy
            .enable_controllers(cgroup.path(), &BTreeMap::from([(controller, &Pointer::root())]))?;
        Ok(Some(cgroup))
    }

    /// Where the file system shows it.
    fn shown(&self, relative: &str) -> PathBuf {
        self.hierarchy.place().join(&self.top.as_str()[1..]).join(relative)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        // A test that has failed already must not fail a second time in here.
        if let Ok(Some(top)) = Cgroup::open(&self.hierarchy, &self.top) {
            let _ = top.write_file("cgroup.freeze", "0");
            let _ = top.kill(later());
        }
        let _ = self.hierarchy.remove(&self.top, later());
        let now = given_by_root(&self.hierarchy).unwrap_or_default();
        for name in
            now.split_whitespace().filter(|name| !self.given.split_whitespace().any(|old| old == *name))
        {
            let control = self.hierarchy.place().join("cgroup.subtree_control");
            let _ = fs::write(control, format!("-{name}"));
        }
    }
}

fn path(text: &str) -> CgroupPath {
    CgroupPath::absolute(text).expect("a path of this test")
}

fn skip(test: &str, reason: &str) -> Checked {
    println!("SKIP {test}: {reason}");
    Ok(())
}

/// A shell in `cgroup` that has not read its first line yet; `release` lets it run `script`.
struct Waiting(Child);

fn waiting(cgroup: &Cgroup, script: &str) -> Result<Waiting, Box<dyn Error>> {
    let child = Command::new("/bin/sh")
        .args(["-c", &format!("read go; {script}")])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    cgroup.write_file("cgroup.procs", &child.id().to_string())?;
    Ok(Waiting(child))
}

impl Waiting {
    /// Runs the script to its end: whether it succeeded, and what it said on both outputs.
    fn release(mut self) -> Result<(bool, String), Box<dyn Error>> {
        self.0.stdin.take().ok_or("no pipe")?.write_all(b"go\n")?;
        let output = self.0.wait_with_output()?;
        let said = [output.stdout, output.stderr].concat();
        Ok((output.status.success(), String::from_utf8(said)?))
    }

    /// Collects a process that something else has ended.
    fn reap(mut self) -> Checked {
        self.0.wait()?;
        Ok(())
    }

    fn pid(&self) -> i32 {
        self.0.id().cast_signed()
    }
}

#[test]
fn every_missing_level_is_made_and_remembered() -> Checked {
    let Some(place) = Place::new("levels")? else { return Ok(()) };
    let cgroup = place.create("a/b/c")?;
    let made: Vec<String> = cgroup.created().iter().map(ToString::to_string).collect();
    assert_eq!(made, ["a", "a/b", "a/b/c"].map(|relative| place.below(relative).to_string()));
    assert!(place.shown("a/b/c").is_dir());

    let beside = place.create("a/d")?;
    assert_eq!(beside.created(), [place.below("a/d")], "a was there");

    let left = place.hierarchy.remove_empty(cgroup.created());
    assert_eq!(left, [place.below("a")], "a holds d");
    assert!(place.hierarchy.remove_empty(beside.created()).is_empty());
    assert!(place.hierarchy.remove_empty(cgroup.created()).is_empty());
    assert!(!place.shown("a").exists());
    Ok(())
}

#[test]
fn an_empty_cgroup_that_exists_is_taken() -> Checked {
    let Some(place) = Place::new("existing")? else { return Ok(()) };
    place.create("a")?;
    let again = place.create("a")?;
    assert!(again.created().is_empty(), "what was there must survive the undo");
    assert!(Cgroup::open(&place.hierarchy, &place.below("a"))?.is_some());
    assert!(Cgroup::open(&place.hierarchy, &place.below("absent"))?.is_none());
    Ok(())
}

#[test]
fn a_cgroup_in_use_is_refused() -> Checked {
    let Some(place) = Place::new("in-use")? else { return Ok(()) };
    let full = place.create("full")?;
    let shell = waiting(&full, "true")?;
    let error = place.create("full").expect_err("a process lives there");
    assert!(matches!(error, CgroupError::InUse { .. }), "{error}");
    assert!(error.to_string().contains("holds processes"), "{error}");
    assert_eq!(full.processes()?, [shell.pid()], "the refusal changed nothing");
    shell.release()?;

    let frozen = place.create("frozen")?;
    frozen.freeze(later())?;
    let error = place.create("frozen").expect_err("it is frozen");
    assert!(error.to_string().contains("is frozen"), "{error}");
    frozen.thaw(later())?;
    place.create("frozen")?;
    Ok(())
}

#[test]
fn a_failed_create_leaves_no_level() -> Checked {
    let Some(place) = Place::new("undo")? else { return Ok(()) };
    let top = Cgroup::open(&place.hierarchy, &place.top)?.ok_or("just made")?;
    top.write_file("cgroup.max.depth", "2")?;
    let error = place.create("a/b/c").expect_err("three levels are too deep");
    assert!(error.to_string().starts_with("cannot create cgroup"), "{error}");
    assert!(error.to_string().contains("/a/b/c"), "{error}");
    assert!(error.cure().is_some_and(|cure| cure.contains("cgroup.max.depth")), "{error:?}");
    assert!(!place.shown("a").exists());
    Ok(())
}

#[test]
fn a_failed_birth_is_explained_where_the_cgroup_is_to_blame() -> Checked {
    let Some(place) = Place::new("birth")? else { return Ok(()) };
    let cgroup = place.create("a")?;
    let (ebusy, enosys) = (16, 38);
    let reason = cgroup.why_not_born(ebusy).ok_or("EBUSY has a reason")?;
    assert!(reason.contains("may hold no process") && reason.contains(cgroup.path().as_str()), "{reason}");
    assert_eq!(cgroup.why_not_born(enosys), None);
    assert_eq!(cgroup.why_not_born(0), None);
    Ok(())
}

#[test]
fn a_control_file_is_no_cgroup() -> Checked {
    let Some(place) = Place::new("control-file")? else { return Ok(()) };
    // Other files of the core begin with a word that the check of the path cannot know.
    let Some(file) =
        ["cpu.stat", "io.pressure", "memory.pressure"].into_iter().find(|f| place.shown(f).exists())
    else {
        return skip("a_control_file_is_no_cgroup", "no file of the core without the prefix cgroup");
    };
    let error = place.create(file).expect_err("a file has that name");
    assert!(matches!(error, CgroupError::Directory { .. }), "{error}");
    Ok(())
}

#[test]
fn kill_ends_everything_in_the_subtree() -> Checked {
    let Some(place) = Place::new("kill")? else { return Ok(()) };
    let outer = place.create("box")?;
    let inner = place.create("box/inner")?;
    let shells = [waiting(&outer, "true")?, waiting(&inner, "true")?];
    let mut expected: Vec<i32> = shells.iter().map(Waiting::pid).collect();
    expected.sort_unstable();
    assert_eq!(outer.processes()?, expected);
    assert_eq!(outer.events()?, Events { populated: true, frozen: false });
    outer.kill(later())?;
    assert_eq!(outer.events()?, Events::default());
    assert!(outer.processes()?.is_empty());
    for shell in shells {
        shell.reap()?;
    }
    outer.kill(later())?;
    Ok(())
}

#[test]
fn kill_reaches_the_frozen() -> Checked {
    let Some(place) = Place::new("kill-frozen")? else { return Ok(()) };
    let cgroup = place.create("box")?;
    let shell = waiting(&cgroup, "true")?;
    cgroup.freeze(later())?;
    cgroup.kill(later())?;
    assert!(!cgroup.events()?.populated);
    shell.reap()
}

#[test]
fn freeze_and_thaw_report_when_it_is_so() -> Checked {
    let Some(place) = Place::new("freeze")? else { return Ok(()) };
    let cgroup = place.create("box")?;
    let shell = waiting(&cgroup, "echo awake")?;
    cgroup.freeze(later())?;
    assert_eq!(cgroup.events()?, Events { populated: true, frozen: true });
    cgroup.thaw(later())?;
    assert_eq!(cgroup.events()?, Events { populated: true, frozen: false });
    assert_eq!(shell.release()?, (true, "awake\n".to_owned()));
    Ok(())
}

#[test]
fn waits_end_at_their_deadline() -> Checked {
    let Some(place) = Place::new("deadline")? else { return Ok(()) };
    let outer = place.create("outer")?;
    let inner = place.create("outer/inner")?;
    let shell = waiting(&inner, "true")?;
    let error = inner.wait_until_empty(Instant::now()).expect_err("a process lives there");
    assert!(matches!(error, CgroupError::Deadline { .. }), "{error}");

    outer.freeze(later())?;
    let error = inner.thaw(Instant::now() + Duration::from_millis(50)).expect_err("the parent is frozen");
    assert!(error.to_string().contains("thaw"), "{error}");
    outer.thaw(later())?;
    shell.release()?;
    Ok(())
}

#[test]
fn remove_takes_down_what_the_container_made_inside() -> Checked {
    let Some(place) = Place::new("remove")? else { return Ok(()) };
    place.create("box/a/b/c")?;
    place.create("box/a/d")?;
    place.create("beside")?;
    place.hierarchy.remove(&place.below("box"), later())?;
    assert!(!place.shown("box").exists());
    assert!(place.shown("beside").is_dir());
    place.hierarchy.remove(&place.below("box"), later())?;
    place.hierarchy.remove(&place.below("absent/deeper"), later())?;
    Ok(())
}

#[test]
fn remove_masters_a_nesting_deeper_than_one_walk() -> Checked {
    let Some(place) = Place::new("deep")? else { return Ok(()) };
    let deep = vec!["n"; 300].join("/");
    place.create(&format!("box/{deep}"))?;
    place.create("box/n/n/side/branch")?;
    place.hierarchy.remove(&place.below("box"), later())?;
    assert!(!place.shown("box").exists());
    Ok(())
}

#[test]
fn remove_never_moves_a_process() -> Checked {
    let Some(place) = Place::new("occupied")? else { return Ok(()) };
    place.create("box/empty")?;
    let cgroup = place.create("box/full")?;
    let shell = waiting(&cgroup, "true")?;
    let soon = Instant::now() + Duration::from_millis(50);
    let error = place.hierarchy.remove(&place.below("box"), soon).expect_err("a process lives there");
    assert!(matches!(error, CgroupError::Deadline { .. }), "{error}");
    assert!(!place.shown("box/empty").exists(), "what can go is gone");
    let line = fs::read_to_string(format!("/proc/{}/cgroup", shell.pid()))?;
    assert!(line.lines().any(|line| line == format!("0::{}", place.below("box/full"))), "{line}");
    shell.release()?;
    place.hierarchy.remove(&place.below("box"), later())?;
    assert!(!place.shown("box").exists());
    Ok(())
}

#[test]
fn remove_waits_for_the_last_process() -> Checked {
    let Some(place) = Place::new("dying")? else { return Ok(()) };
    let cgroup = place.create("box")?;
    let mut shell = waiting(&cgroup, "sleep 0.2")?;
    shell.0.stdin.take().ok_or("no pipe")?.write_all(b"go\n")?;
    place.hierarchy.remove(&place.below("box"), later())?;
    assert!(!place.shown("box").exists());
    shell.reap()
}

/// A controller that this host has; the first of the list that a test can work with.
fn any_controller(place: &Place, wanted: &[&'static str]) -> Result<Option<&'static str>, CgroupError> {
    let offered = place.hierarchy.controllers()?;
    Ok(wanted.iter().copied().find(|name| offered.iter().any(|offer| offer == name)))
}

#[test]
fn controllers_are_enabled_only_where_they_are_missing() -> Checked {
    let test = "controllers_are_enabled_only_where_they_are_missing";
    let Some(place) = Place::new("enable")? else { return Ok(()) };
    let Some(name) = any_controller(&place, &["memory", "pids", "hugetlb"])? else {
        return skip(test, "no controller at all here");
    };
    let cgroup = place.create("a/b")?;
    let at = Pointer::root();
    let needed = BTreeMap::from([(name, &at)]);
    let enabled = place.hierarchy.enable_controllers(cgroup.path(), &needed)?;
    let written: Vec<&str> = enabled.iter().map(|enabled| enabled.path.as_str()).collect();
    let expected = [place.top.to_string(), place.below("a").to_string()];
    assert!(written.ends_with(&expected.each_ref().map(String::as_str)), "{written:?}");
    assert!(enabled.iter().all(|enabled| enabled.controllers == format!("+{name}")), "{enabled:?}");
    let offered = cgroup.read_file("cgroup.controllers")?.unwrap_or_default();
    assert_eq!(offered.trim(), name, "nothing that was not asked for");
    assert_eq!(cgroup.read_file("cgroup.subtree_control")?.unwrap_or_default().trim(), "");
    assert_eq!(place.hierarchy.enable_controllers(cgroup.path(), &needed)?, [], "nothing left to do");
    Ok(())
}

#[test]
fn an_absent_controller_is_named_with_the_reason() -> Checked {
    let Some(place) = Place::new("absent")? else { return Ok(()) };
    let cgroup = place.create("a")?;
    let at = Pointer::from("/linux/resources/unified/nonsense.max");
    let needed = BTreeMap::from([("nonsense", &at)]);
    let error = place.hierarchy.enable_controllers(cgroup.path(), &needed).expect_err("no such controller");
    assert!(error.to_string().contains("controller nonsense is not in cgroup.controllers"), "{error}");
    assert_eq!(error.at(), Some(&at));

    let table = fs::read_to_string("/proc/cgroups")?;
    let bound = |line: &str| line.split_whitespace().nth(1).is_some_and(|id| id != "0");
    if table.lines().any(|line| line.starts_with("memory\t") && bound(line)) {
        let needed = BTreeMap::from([("memory", &at)]);
        let error = place.hierarchy.enable_controllers(cgroup.path(), &needed).expect_err("it is with v1");
        assert!(error.to_string().contains("bound to cgroup v1"), "{error}");
    }
    Ok(())
}

#[test]
fn a_cgroup_with_processes_cannot_give_controllers() -> Checked {
    let test = "a_cgroup_with_processes_cannot_give_controllers";
    let Some(place) = Place::new("internal")? else { return Ok(()) };
    let Some(name) = any_controller(&place, &["memory", "io", "hugetlb"])? else {
        return skip(test, "no controller of domains here");
    };
    let parent = place.create("parent")?;
    let child = place.create("parent/child")?;
    let shell = waiting(&parent, "true")?;
    let at = Pointer::root();
    let needed = BTreeMap::from([(name, &at)]);
    let error = place.hierarchy.enable_controllers(child.path(), &needed).expect_err("EBUSY");
    assert!(matches!(error, CgroupError::InternalProcesses { .. }), "{error}");
    assert!(error.to_string().contains(parent.path().as_str()), "{error}");
    shell.release()?;
    place.hierarchy.enable_controllers(child.path(), &needed)?;
    Ok(())
}

#[test]
fn a_missing_file_is_handled_as_the_setting_says() -> Checked {
    let Some(place) = Place::new("apply")? else { return Ok(()) };
    let cgroup = place.create("a")?;
    let at = Pointer::from("/linux/resources/unified");
    let setting = || Setting::new("absent.file", "1", "a file that no kernel has", at.clone());
    let error = cgroup.apply(&setting()).expect_err("required");
    assert_eq!(error.at(), Some(&at));
    assert!(error.to_string().contains("cannot write \"1\" to absent.file"), "{error}");
    assert_eq!(cgroup.apply(&setting().if_present())?, Applied::NotNeeded);
    let elsewhere = cgroup.apply(&setting().or_else("cgroup.max.depth", 7))?;
    assert_eq!(elsewhere, Applied::WrittenElsewhere { file: "cgroup.max.depth".to_owned() });
    assert_eq!(cgroup.read_file("cgroup.max.depth")?.as_deref(), Some("7\n"));
    let refused = Setting::new("cgroup.max.depth", "many", "not a number", at.clone());
    assert_eq!(cgroup.apply(&refused).expect_err("EINVAL").at(), Some(&at));
    assert_eq!(cgroup.apply(&Setting::new("cgroup.max.depth", "max", "no limit", at))?, Applied::Written);
    Ok(())
}

#[test]
fn files_outside_of_the_cgroup_cannot_be_named() -> Checked {
    let Some(place) = Place::new("outside")? else { return Ok(()) };
    let cgroup = place.create("a")?;
    place.create("b")?;
    for name in ["../b/cgroup.max.depth", "/etc/hostname", "", ".", ".."] {
        assert!(cgroup.write_file(name, "1").is_err(), "{name:?}");
        assert!(cgroup.read_file(name).is_err(), "{name:?}");
    }
    Ok(())
}

/// Writes what `json` asks for, and compares what the kernel shows in each file afterwards.
fn arrives(test: &str, controller: &str, json: &str, expected: &[(&str, &str)]) -> Checked {
    let Some(place) = Place::new(test)? else { return Ok(()) };
    let Some(cgroup) = place.limited(test, "a", controller)? else { return Ok(()) };
    let resources = serde_json::from_str(json)?;
    assert_eq!(limits::findings(&resources, &Pointer::root()).iter().filter(is_error).count(), 0, "{json}");
    let settings = limits::settings(&resources, &Pointer::root());
    let needed: Vec<&str> = limits::controllers(&settings).into_keys().collect();
    assert_eq!(needed, [controller]);
    // Twice, because an update writes the same list to a cgroup that has limits.
    for setting in settings.iter().chain(&settings) {
        cgroup.apply(setting)?;
    }
    for (file, content) in expected {
        assert_eq!(cgroup.read_file(file)?.unwrap_or_default().trim(), *content, "{json}");
    }
    Ok(())
}

#[test]
fn process_limits_arrive_in_the_kernel() -> Checked {
    let test = "process_limits_arrive_in_the_kernel";
    arrives(test, "pids", r#"{"pids": {"limit": 17}}"#, &[("pids.max", "17")])?;
    arrives(test, "pids", r#"{"pids": {"limit": 0}}"#, &[("pids.max", "0")])
}

#[test]
fn memory_limits_arrive_in_the_kernel() -> Checked {
    let test = "memory_limits_arrive_in_the_kernel";
    let json = r#"{"memory": {"limit": 33554432, "reservation": 16777216, "swap": 33554432}}"#;
    arrives(test, "memory", json, &[("memory.max", "33554432"), ("memory.low", "16777216")])?;
    arrives(test, "memory", r#"{"unified": {"memory.high": "8388608"}}"#, &[("memory.high", "8388608")])
}

#[test]
fn processor_limits_arrive_in_the_kernel() -> Checked {
    let test = "processor_limits_arrive_in_the_kernel";
    arrives(test, "cpu", r#"{"cpu": {"shares": 512}}"#, &[("cpu.weight", "59")])?;
    let json = r#"{"cpu": {"quota": 20000, "period": 50000, "burst": 10000}}"#;
    arrives(test, "cpu", json, &[("cpu.max", "20000 50000"), ("cpu.max.burst", "10000")])?;
    arrives(test, "cpu", r#"{"cpu": {"idle": 1, "shares": 1024}}"#, &[("cpu.idle", "1")])
}

#[test]
fn processor_sets_arrive_in_the_kernel() -> Checked {
    let json = r#"{"cpu": {"cpus": "0", "mems": "0"}}"#;
    let expected = [("cpuset.cpus", "0"), ("cpuset.mems", "0")];
    arrives("processor_sets_arrive_in_the_kernel", "cpuset", json, &expected)
}

#[test]
fn limits_on_huge_pages_arrive_in_the_kernel() -> Checked {
    let json = r#"{"hugepageLimits": [{"pageSize": "2MB", "limit": 4194304}]}"#;
    let expected = [("hugetlb.2MB.max", "4194304"), ("hugetlb.2MB.rsvd.max", "4194304")];
    arrives("limits_on_huge_pages_arrive_in_the_kernel", "hugetlb", json, &expected)
}

#[test]
fn disk_limits_arrive_in_the_kernel() -> Checked {
    let test = "disk_limits_arrive_in_the_kernel";
    let Some(place) = Place::new(test)? else { return Ok(()) };
    let Some(cgroup) = place.limited(test, "a", "io")? else { return Ok(()) };
    let disks =
        fs::read_dir("/sys/block")?.filter_map(|disk| fs::read_to_string(disk.ok()?.path().join("dev")).ok());
    let Some(disk) = disks.into_iter().next() else { return skip(test, "no disk here") };
    let (major, minor) = disk.trim().split_once(':').ok_or("a device number without a colon")?;
    let json = format!(
        r#"{{"blockIO": {{"throttleReadBpsDevice": [{{"major": {major}, "minor": {minor}, "rate": 1048576}}],
             "throttleWriteIOPSDevice": [{{"major": {major}, "minor": {minor}, "rate": 77}}]}}}}"#
    );
    for setting in limits::settings(&serde_json::from_str(&json)?, &Pointer::root()) {
        cgroup.apply(&setting)?;
    }
    let shown = cgroup.read_file("io.max")?.unwrap_or_default();
    assert_eq!(shown.trim(), format!("{} rbps=1048576 wbps=max riops=max wiops=77", disk.trim()));
    Ok(())
}

fn is_error(finding: &&crate_run::bundle::finding::Finding) -> bool {
    finding.severity == crate_run::bundle::finding::Severity::Error
}

#[test]
fn a_lower_quota_with_a_burst_replaces_a_higher_one() -> Checked {
    let test = "a_lower_quota_with_a_burst_replaces_a_higher_one";
    let Some(place) = Place::new("burst")? else { return Ok(()) };
    let Some(cgroup) = place.limited(test, "a", "cpu")? else { return Ok(()) };
    for (quota, burst) in [(50_000, 50_000), (10_000, 10_000), (90_000, 80_000)] {
        let resources =
            serde_json::from_str(&format!(r#"{{"cpu": {{"quota": {quota}, "burst": {burst}}}}}"#))?;
        for setting in limits::settings(&resources, &Pointer::root()) {
            cgroup.apply(&setting)?;
        }
        let shown = cgroup.read_file("cpu.max.burst")?.unwrap_or_default();
        assert_eq!(shown.trim(), burst.to_string());
    }
    Ok(())
}

#[test]
fn a_kill_for_want_of_memory_is_counted() -> Checked {
    let test = "a_kill_for_want_of_memory_is_counted";
    let Some(place) = Place::new("oom")? else { return Ok(()) };
    let Some(cgroup) = place.limited(test, "a", "memory")? else { return Ok(()) };
    assert_eq!(cgroup.memory_events()?.ok_or("memory is enabled")?.oom_kill, 0);
    let resources = serde_json::from_str(r#"{"memory": {"limit": 8388608, "swap": 8388608}}"#)?;
    for setting in limits::settings(&resources, &Pointer::root()) {
        cgroup.apply(&setting)?;
    }
    let hungry = waiting(&cgroup, "exec dd if=/dev/zero of=/dev/null bs=64M count=1")?;
    assert!(!hungry.release()?.0, "64 MiB do not fit into 8");
    assert!(cgroup.memory_events()?.ok_or("memory is enabled")?.oom_kill > 0);
    let plain = place.create("plain")?;
    assert_eq!(plain.memory_events()?.is_some(), plain.read_file("memory.max")?.is_some());
    Ok(())
}

#[test]
fn a_process_limit_of_zero_forbids_every_fork() -> Checked {
    let test = "a_process_limit_of_zero_forbids_every_fork";
    let Some(place) = Place::new("pids")? else { return Ok(()) };
    let Some(cgroup) = place.limited(test, "a", "pids")? else { return Ok(()) };
    let script = "(exit 0) || exit 1; echo forked";
    let (done, said) = waiting(&cgroup, script)?.release()?;
    assert!(done && said == "forked\n", "without a limit: {said}");
    cgroup.write_file("pids.max", "0")?;
    let (done, said) = waiting(&cgroup, script)?.release()?;
    assert!(!done && !said.contains("forked"), "with a limit: {said}");
    Ok(())
}

#[test]
fn only_the_delegated_files_change_their_owner() -> Checked {
    let Some(place) = Place::new("delegate")? else { return Ok(()) };
    let cgroup = place.create("a")?;
    cgroup.delegate(1234, &delegated_files())?;
    cgroup.delegate(1234, &["cgroup.procs".to_owned(), "absent".to_owned()])?;
    let owner = |file: &str| fs::metadata(place.shown("a").join(file)).map(|about| about.uid());
    for file in [".", "cgroup.procs", "cgroup.subtree_control", "cgroup.threads"] {
        assert_eq!(owner(file)?, 1234, "{file}");
    }
    for file in ["cgroup.freeze", "cgroup.kill", "cgroup.max.depth", ".."] {
        assert_eq!(owner(file)?, 0, "{file}");
    }
    Ok(())
}

/// Loads the program for `rules` and attaches it to `cgroup`.
fn attach(cgroup: &Cgroup, program: &Program) -> Checked {
    use crate_run_sys::{Fd, bpf, files};
    let loaded = bpf::load_device_program(&program.bytes()).map_err(|errno| errno.name())?;
    let attached = bpf::attach_device_program(Fd(cgroup.as_fd().as_raw_fd()), loaded);
    files::close(loaded);
    Ok(attached.map_err(|errno| errno.name())?)
}

fn rules(json: &str) -> Result<Vec<Rule>, serde_json::Error> {
    Ok(devices::rules(&serde_json::from_str::<Vec<_>>(json)?))
}

#[test]
fn device_rules_hold_in_the_kernel() -> Checked {
    let test = "device_rules_hold_in_the_kernel";
    let Some(place) = Place::new("devices")? else { return Ok(()) };
    // c 1:11 is a device that every host has and no container gets.
    if fs::File::options().read(true).write(true).open("/dev/kmsg").is_err() {
        return skip(test, "/dev/kmsg cannot be opened even outside");
    }
    let (read, write) = (": < /dev/kmsg", ": > /dev/kmsg");
    let cases = [
        (r#"[]"#, false, false),
        (r#"[{"allow": false, "access": "rwm"}]"#, false, false),
        (r#"[{"allow": true, "access": "rwm"}]"#, true, true),
        (r#"[{"allow": true, "type": "c", "major": 1, "minor": 11, "access": "r"}]"#, true, false),
        (
            r#"[{"allow": true, "type": "c", "major": 1, "access": "rw"},
             {"allow": false, "type": "c", "major": 1, "minor": 11, "access": "r"}]"#,
            false,
            true,
        ),
        (r#"[{"allow": true, "type": "b", "access": "rw"}]"#, false, false),
    ];
    for (number, (json, may_read, may_write)) in cases.into_iter().enumerate() {
        let cgroup = place.create(&number.to_string())?;
        attach(&cgroup, &compile(&rules(json)?)?)?;
        assert_eq!(waiting(&cgroup, read)?.release()?.0, may_read, "{read} under {json}");
        assert_eq!(waiting(&cgroup, write)?.release()?.0, may_write, "{write} under {json}");
        let (built_in, said) = waiting(&cgroup, ": < /dev/null; : > /dev/null; : < /dev/zero")?.release()?;
        assert!(built_in, "the built-in devices stay open under {json}: {said}");
    }
    Ok(())
}

/// A list in which no rule can be dropped or joined with its neighbour.
fn stubborn_rules(count: u32) -> Vec<Rule> {
    let rule = |index: u32| {
        let is_allowed = index.is_multiple_of(2);
        let verdict = if is_allowed { Verdict::Allow } else { Verdict::Deny };
        let major = (!is_allowed).then_some(7);
        let access = if is_allowed { devices::READ | devices::WRITE } else { devices::WRITE };
        Rule { verdict, access, pattern: Pattern { kind: Some(Kind::Char), major, minor: Some(index / 2) } }
    };
    (0..count).map(rule).collect()
}

/// Many devices of many drivers, each allowed for every access: what a host with much hardware asks for.
fn plain_rules(count: u32) -> Vec<Rule> {
    let pattern = |index| Pattern { kind: Some(Kind::Char), major: Some(index % 64), minor: Some(index) };
    let rule =
        |index| Rule { verdict: Verdict::Allow, access: devices::EVERY_ACCESS, pattern: pattern(index) };
    (0..count).map(rule).collect()
}

/// Every match with a rule that decides a part only lets the verifier walk the rest once more, so its work
/// grows with the square of their number; beyond some hundred it answers E2BIG.
#[test]
fn the_kernel_verifies_long_and_short_programs() -> Checked {
    let Some(place) = Place::new("verifier")? else { return Ok(()) };
    let cgroup = place.create("a")?;
    let stubborn = [0, 1, 2, 3, 10, 100, 200].map(stubborn_rules);
    let plain = [1, 64, 65, 1000].map(plain_rules);
    for mut rules in stubborn.into_iter().chain(plain) {
        let count = rules.len();
        attach(&cgroup, &compile(&rules)?).map_err(|error| format!("{count} rules: {error}"))?;
        rules.extend(devices::BUILT_IN);
        attach(&cgroup, &compile(&rules)?).map_err(|error| format!("{count} and the built-in: {error}"))?;
    }
    Ok(())
}
