//! What of the host could survive into the container: its program, its files, its directory, its sockets.

use std::fs;
use std::os::unix::fs::MetadataExt;

use serde_json::json;

use super::canary::{End, end};
use super::world::{World, config, tool};

fn fingerprint(world: &World) -> (u64, i64, i64, String) {
    let status = fs::metadata(world.binary()).expect("the program");
    let sum = tool(&["sha256sum", world.binary().to_str().expect("UTF-8")]);
    (status.ino(), status.mtime(), status.mtime_nsec(), sum)
}

/// CVE-2019-5736: the program is the runtime itself, through a magic link, or a script that asks for it.
#[test]
fn the_runtime_cannot_be_overwritten_from_inside() {
    let Some(world) = World::new("the_runtime_cannot_be_overwritten_from_inside") else { return };
    let (root, before) = (world.own_rootfs(), fingerprint(&world));
    let script = root.join("bin/evil");
    fs::write(&script, "#!/proc/self/exe\n").expect("a script");
    tool(&["chmod", "755", script.to_str().expect("UTF-8")]);
    for in_userns in [false, true] {
        for program in ["/proc/self/exe", "/bin/evil", "/proc/1/exe", "/proc/thread-self/exe"] {
            let container = world.container("exe", |value| {
                value["root"] = json!({ "path": root });
                config::runs(value, &[program, "a", "b"]);
                if in_userns {
                    config::userns(value);
                    tool(&["chmod", "0711", world.file("").to_str().expect("UTF-8")]);
                }
            });
            let output = container.run(&[]);
            assert!(output.status < 128 && !output.stderr.contains("panicked"), "{program}: {output:?}");
            assert_eq!(before, fingerprint(&world), "{program}");
        }
    }
}

/// Nobody finds a file of the host behind /proc/PID/exe, not even while a container waits for its start.
#[test]
fn no_program_of_the_host_is_behind_exe() {
    let Some(world) = World::new("no_program_of_the_host_is_behind_exe") else { return };
    let before = fingerprint(&world);
    let waiting = world.container("waiting", |value| config::without_namespace(value, "pid"));
    waiting.create().ok();
    let exe = fs::read_link(format!("/proc/{}/exe", waiting.pid())).expect("a link");
    assert!(exe.to_string_lossy().starts_with("/memfd:"), "{exe:?}");
    let path = format!("/proc/{}/ns/pid", waiting.pid());
    let script = format!(
        "for p in /proc/[0-9]*; do readlink $p/exe; done | grep memfd;
         for p in /proc/{0}/exe; do (exec 3>$p) 2>/dev/null && echo open
            cat /dev/zero >$p && echo written; done; :",
        waiting.pid()
    );
    let said = world.says(&["/bin/sh", "-c", &script], |value| {
        config::namespace(value, "pid", Some(&path));
        config::capabilities(value, &["CAP_SYS_PTRACE", "CAP_DAC_OVERRIDE", "CAP_SYS_ADMIN"]);
    });
    assert!(!said.contains("open") && !said.contains("written"), "{said}");
    waiting.finish();
    assert_eq!(before, fingerprint(&world));
}

/// CVE-2024-21626: a working directory or a program through a descriptor that leads outside.
#[test]
fn no_way_of_the_image_leads_to_a_directory_outside() {
    let Some(world) = World::new("no_way_of_the_image_leads_to_a_directory_outside") else { return };
    let root = world.own_rootfs();
    let words = |kind: &str| -> Vec<String> {
        let numbered = (3..24).map(|number| format!("/proc/self/fd/{number}{kind}"));
        let named = ["/proc/self/cwd", "/proc/1/cwd", "/proc/1/root", "/proc/self/task/1/cwd"];
        numbered.chain(named.iter().map(|name| format!("{name}{kind}"))).collect()
    };
    for cwd in words("").iter().chain(&words("/../../..")) {
        super::canary::link(cwd, &root.join("trap"));
        for place in [cwd.as_str(), "/trap"] {
            let container = world.container("cwd", |value| {
                value["root"] = json!({ "path": root });
                value["process"]["cwd"] = json!(place);
                config::runs(value, &["/bin/sh", "-c", "/bin/busybox pwd; test -e bin/probe || ls -d /etc"]);
            });
            // With descriptors that the caller has left open, as engines do.
            let shell = ["sh", "-c", "exec 7</ 9</etc 5</sys/fs/cgroup \"$@\"", "sh"];
            let output = super::world::runtime::Runtime::within(&world, &shell)
                .words(&["run", "--bundle"])
                .path(&container.bundle)
                .words(&["cwd"])
                .run();
            if end(&output, place) == End::Ran {
                assert!(output.stdout.starts_with('/'), "{place}: {}", output.stdout);
                assert!(!output.stdout.contains(world.file("").to_str().expect("UTF-8")), "{place}");
            }
        }
    }
}

/// What a created container holds open, seen from the host: nothing of the caller's or of the host's tree.
#[test]
fn a_created_container_holds_nothing_of_the_callers() {
    let Some(world) = World::new("a_created_container_holds_nothing_of_the_callers") else { return };
    let container = world.container("fds", |_| {});
    let shell = ["sh", "-c", "exec 7</ 8>/dev/null 9</etc/passwd 5</sys/fs/cgroup \"$@\"", "sh"];
    super::world::runtime::Runtime::within(&world, &shell)
        .words(&["create", "--bundle"])
        .path(&container.bundle)
        .words(&["fds"])
        .run()
        .ok();
    let pid = container.pid();
    let mut held = Vec::new();
    for entry in fs::read_dir(format!("/proc/{pid}/fd")).expect("descriptors").flatten() {
        let number: u32 = entry.file_name().to_string_lossy().parse().expect("a number");
        if number > 2 {
            held.push(fs::read_link(entry.path()).expect("a link").display().to_string());
        }
    }
    let allowed = |target: &&String| {
        // The gate, the container's own root and its /dev.
        target.starts_with("socket:") || matches!(target.as_str(), "/" | "/dev")
    };
    let foreign: Vec<&String> = held.iter().filter(|target| !allowed(target)).collect();
    assert!(foreign.is_empty(), "{held:?}");
    assert!(held.iter().filter(|target| *target == "/").count() < 2, "{held:?}");
    container.finish();
}

/// CVE-2020-15257: an abstract socket could be reached from every container in the host's network.
#[test]
fn no_socket_of_ours_is_abstract() {
    let Some(world) = World::new("no_socket_of_ours_is_abstract") else { return };
    let abstract_ones = || {
        let text = fs::read_to_string("/proc/net/unix").expect("sockets");
        text.lines().filter(|line| line.contains(" @")).count()
    };
    let before = abstract_ones();
    let container = world.container("socket", |_| {});
    container.create().ok();
    assert_eq!(before, abstract_ones());
    let mode = |path: &std::path::Path| fs::metadata(path).expect("a file").mode() & 0o777;
    assert_eq!(mode(&container.directory()), 0o700);
    container.finish();
}
