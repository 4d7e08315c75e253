//! What a mount of type `cgroup` shows.

use crate::bound;
use crate_run::host::Host;

#[test]
fn each_hierarchy_is_shown_from_the_containers_group_on() {
    let Some(world) = bound("each_hierarchy_is_shown_from_the_containers_group_on", &["memory", "pids"])
    else {
        return;
    };
    let script =
        "ls /sys/fs/cgroup; cat /sys/fs/cgroup/pids/pids.max; cat /sys/fs/cgroup/memory/cgroup.procs";
    let said = world.says(&["sh", "-c", script], |value| {
        value["linux"]["resources"] = serde_json::json!({ "pids": { "limit": 77 } });
    });
    let lines: Vec<&str> = said.lines().collect();
    let host = Host::probe();
    let names = host.bound().iter().filter_map(|bound| bound.place.file_name()?.to_str());
    for name in names {
        assert!(lines.contains(&name), "{name}: {said}");
    }
    assert!(lines.contains(&"77"), "{said}");
    assert!(lines.contains(&"1"), "its first process: {said}");
}

#[test]
fn nothing_of_it_can_be_written() {
    let Some(world) = bound("nothing_of_it_can_be_written", &["memory"]) else { return };
    let script = "mkdir /sys/fs/cgroup/x; mkdir /sys/fs/cgroup/memory/x; \
                  echo 5 >/sys/fs/cgroup/memory/memory.swappiness; \
                  ls -d /sys/fs/cgroup/x /sys/fs/cgroup/memory/x 2>/dev/null; echo end";
    assert_eq!(world.says(&["sh", "-c", script], |_| ()), "end\n");
}
