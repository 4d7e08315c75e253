//! What a hostile container can see of a program that enters it.

use std::fs;
use std::os::unix::fs::MetadataExt;

use super::world::{World, config, tool};
use super::{exec, living, says};

/// CVE-2016-9962: somebody inside looks at every process from the moment it appears.
#[test]
fn nothing_of_the_host_is_within_reach_of_somebody_who_looks() {
    let Some(world) = World::new("nothing_of_the_host_is_within_reach_of_somebody_who_looks") else { return };
    for in_userns in [false, true] {
        let container = living(&world, |value| {
            config::capabilities(value, &["CAP_SYS_PTRACE", "CAP_DAC_OVERRIDE", "CAP_DAC_READ_SEARCH"]);
            if in_userns {
                config::userns(value);
            }
        });
        let look = "while :; do for p in /proc/[0-9]*; do
            for l in exe cwd root; do readlink $p/$l; done; ls -l $p/fd; done; done >/dev/shm/seen 2>/dev/null";
        exec(&world, &["--detach"], &["sh", "-c", look]).ok();
        for _ in 0..50 {
            exec(&world, &[], &["true"]).ok();
        }
        let seen = says(&world, &[], &["sort", "-u", "/dev/shm/seen"]);
        let known = |path: &str| {
            let inside =
                ["/", "/proc", "/bin/busybox", "/dev/null", "/dev/shm/seen", "/dev/shm", "/proc/self"];
            inside.contains(&path)
                || ["/proc/", "/memfd:crate-run-child", "pipe:", "socket:", "anon_inode:", "/bin/"]
                    .iter()
                    .any(|start| path.starts_with(start))
        };
        // The streams of the exec'ed programs are the caller's, for it has handed them down.
        let outputs = world.file("");
        let foreign: Vec<&str> = seen
            .lines()
            .filter(|line| line.starts_with('/') || line.contains(" -> "))
            .map(|line| line.rsplit(" -> ").next().unwrap_or(line).trim())
            .filter(|path| !known(path))
            .filter(|path| !path.starts_with(outputs.to_str().expect("UTF-8").trim_end_matches('/')))
            .collect();
        assert!(foreign.is_empty(), "{foreign:?}");
        assert!(seen.contains("/bin/busybox"), "{seen}");
        container.finish();
    }
}

/// CVE-2019-5736.
#[test]
fn the_runtime_cannot_be_overwritten_through_exec() {
    let Some(world) = World::new("the_runtime_cannot_be_overwritten_through_exec") else { return };
    let fingerprint = || {
        let status = fs::metadata(world.binary()).expect("the program");
        (status.ino(), status.mtime_nsec(), tool(&["sha256sum", world.binary().to_str().expect("UTF-8")]))
    };
    let before = fingerprint();
    let container = living(&world, |value| {
        config::capabilities(value, &["CAP_SYS_PTRACE", "CAP_DAC_OVERRIDE"]);
    });
    let overwrite = "while :; do for p in /proc/[0-9]*/exe; do
        case $(readlink $p) in *busybox*) ;; *) (exec 3>$p) 2>/dev/null && echo open >>/dev/shm/won; esac
        done; done";
    exec(&world, &["--detach"], &["sh", "-c", overwrite]).ok();
    for program in ["/proc/self/exe", "/proc/1/exe", "/proc/thread-self/exe"] {
        let output = exec(&world, &[], &[program, "true"]);
        assert!(!output.stderr.contains("panicked"), "{output:?}");
    }
    for _ in 0..20 {
        exec(&world, &[], &["true"]).ok();
    }
    assert_eq!(says(&world, &[], &["sh", "-c", "cat /dev/shm/won 2>/dev/null; :"]), "");
    assert_eq!(before, fingerprint());
    container.finish();
}

/// CVE-2024-21626: a working directory behind a descriptor of the host.
#[test]
fn no_descriptor_leads_out() {
    let Some(world) = World::new("no_descriptor_leads_out") else { return };
    let container = living(&world, |_| ());
    for number in 3..24 {
        let output = exec(&world, &["--cwd", &format!("/proc/self/fd/{number}")], &["pwd"]);
        assert_eq!(output.status, 255, "{number}: {output:?}");
    }
    let shell = ["sh", "-c", "exec 7</ 8>/dev/null 9</etc/passwd 5</sys/fs/cgroup \"$@\"", "sh"];
    let words = ["exec", "a", "probe", "fds"];
    let fds = super::world::runtime::Runtime::within(&world, &shell).words(&words).run().ok().json();
    let numbers: Vec<i64> =
        fds.as_array().expect("a list").iter().filter_map(|fd| fd["fd"].as_i64()).collect();
    assert_eq!(numbers, [0, 1, 2]);
    let words = ["exec", "--preserve-fds", "1", "a", "probe", "fds"];
    let shell = ["sh", "-c", "exec 3</etc/passwd 7</ \"$@\"", "sh"];
    let fds = super::world::runtime::Runtime::within(&world, &shell).words(&words).run().ok().json();
    assert_eq!(fds.as_array().expect("a list").len(), 4, "{fds}");
    container.finish();
}
