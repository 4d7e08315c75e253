//! Controllers enabled, and what `linux.resources` asks for seen in the kernel.

use std::collections::BTreeMap;
use std::fs;

use crate_run::bundle::finding::{Finding, Pointer, Severity};
use crate_run::cgroup::{CgroupError, Wanted, limits};

use crate::place::{Checked, Place, skip, waiting};

/// A controller that this host has; the first of the list that a test can work with.
fn any_controller(place: &Place, wanted: &[&'static str]) -> Result<Option<&'static str>, CgroupError> {
    let offered = place.hierarchy.controllers()?;
    Ok(wanted.iter().copied().find(|name| offered.iter().any(|offer| offer == name)))
}

/// What a limit needs, and nothing else.
fn only<'a>(needed: &'a BTreeMap<&'a str, &'a Pointer>) -> Wanted<'a> {
    Wanted { needed, wished: &[] }
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
    let enabled = place.hierarchy.enable_controllers(cgroup.path(), &only(&needed))?;
    let written: Vec<&str> = enabled.iter().map(|enabled| enabled.path.as_str()).collect();
    let expected = [place.top.to_string(), place.below("a").to_string()];
    assert!(written.ends_with(&expected.each_ref().map(String::as_str)), "{written:?}");
    assert!(enabled.iter().all(|enabled| enabled.controllers == format!("+{name}")), "{enabled:?}");
    let offered = cgroup.read_file("cgroup.controllers")?.unwrap_or_default();
    assert_eq!(offered.trim(), name, "nothing that was not asked for");
    assert_eq!(cgroup.read_file("cgroup.subtree_control")?.unwrap_or_default().trim(), "");
    assert_eq!(place.hierarchy.enable_controllers(cgroup.path(), &only(&needed))?, [], "nothing left to do");
    Ok(())
}

#[test]
fn an_absent_controller_is_named_with_the_reason() -> Checked {
    let Some(place) = Place::new("absent")? else { return Ok(()) };
    let cgroup = place.create("a")?;
    let at = Pointer::from("/linux/resources/unified/nonsense.max");
    let needed = BTreeMap::from([("nonsense", &at)]);
    let error =
        place.hierarchy.enable_controllers(cgroup.path(), &only(&needed)).expect_err("no such controller");
    assert!(error.to_string().contains("controller nonsense is not in cgroup.controllers"), "{error}");
    assert_eq!(error.at(), Some(&at));

    let table = fs::read_to_string("/proc/cgroups")?;
    let bound = |line: &str| line.split_whitespace().nth(1).is_some_and(|id| id != "0");
    if table.lines().any(|line| line.starts_with("memory\t") && bound(line)) {
        let needed = BTreeMap::from([("memory", &at)]);
        let error =
            place.hierarchy.enable_controllers(cgroup.path(), &only(&needed)).expect_err("it is with v1");
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
    let error = place.hierarchy.enable_controllers(child.path(), &only(&needed)).expect_err("EBUSY");
    assert!(matches!(error, CgroupError::InternalProcesses { .. }), "{error}");
    assert!(error.to_string().contains(parent.path().as_str()), "{error}");
    shell.release()?;
    place.hierarchy.enable_controllers(child.path(), &only(&needed))?;
    Ok(())
}

#[test]
fn a_controller_that_is_only_wished_for_is_no_reason_to_fail() -> Checked {
    let test = "a_controller_that_is_only_wished_for_is_no_reason_to_fail";
    let Some(place) = Place::new("wished")? else { return Ok(()) };
    let Some(name) = any_controller(&place, &["memory", "io", "hugetlb"])? else {
        return skip(test, "no controller of domains here");
    };
    let (parent, child) = (place.create("parent")?, place.create("parent/child")?);
    let wanted = Wanted { needed: &BTreeMap::new(), wished: &["nonsense", name] };
    let shell = waiting(&parent, "true")?;
    place.hierarchy.enable_controllers(child.path(), &wanted)?;
    assert_eq!(child.read_file("cgroup.controllers")?.unwrap_or_default().trim(), "", "the parent is busy");
    shell.release()?;
    place.hierarchy.enable_controllers(child.path(), &wanted)?;
    assert_eq!(child.read_file("cgroup.controllers")?.unwrap_or_default().trim(), name);
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

fn is_error(finding: &&Finding) -> bool {
    finding.severity == Severity::Error
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
