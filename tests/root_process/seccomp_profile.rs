//! Seccomp profiles: what is left out, what is empty, what is unknown. (`tests/root_features/seccomp.rs` drives
//! each word of a profile.)
//!
//! OCI: config-linux.md, Seccomp.

use serde_json::{Value, json};

use crate::world::{World, config, skip};

/// Adds words to a profile that denies personality(2) with EADDRNOTAVAIL.
fn denied_with(world: &World, change: impl FnOnce(&mut Value)) -> Value {
    let said = world.says(&["/bin/probe", "try-all", "personality", "openat2"], |value| {
        config::deny(value, "personality", 99);
        change(&mut value["linux"]["seccomp"]);
    });
    serde_json::from_str(&said).expect("JSON")
}

fn only_personality() -> Value {
    json!({ "personality": "EADDRNOTAVAIL", "openat2": "ok" })
}

#[test]
fn flags_may_come_together_or_not_at_all() {
    let Some(world) = World::new("flags_may_come_together_or_not_at_all") else { return };
    let flags = ["TSYNC", "LOG", "SPEC_ALLOW", "WAIT_KILLABLE_RECV"];
    let flags: Vec<String> = flags.iter().map(|flag| format!("SECCOMP_FILTER_FLAG_{flag}")).collect();
    for given in [json!(flags), json!([]), Value::Null] {
        let tried = denied_with(&world, |seccomp| seccomp["flags"] = given.clone());
        assert_eq!(tried, only_personality(), "{given}");
    }
}

/// Without SECCOMP_FILTER_FLAG_SPEC_ALLOW a filter switches a mitigation on, for ever (proc(5)).
#[test]
fn nothing_said_about_flags_means_spec_allow() {
    const TEST: &str = "nothing_said_about_flags_means_spec_allow";
    let Some(world) = World::new(TEST) else { return };
    let state = |flags: Value| {
        let script = "grep Speculation_Store_Bypass /proc/self/status";
        let said = world.says(&["sh", "-c", script], |value| {
            config::deny(value, "personality", 99);
            value["linux"]["seccomp"]["flags"] = flags;
        });
        said.split_once(':').expect("a field of /proc/PID/status").1.trim().to_owned()
    };
    let (unsaid, none) = (state(Value::Null), state(json!([])));
    assert_eq!(unsaid, state(json!(["SECCOMP_FILTER_FLAG_SPEC_ALLOW"])));
    if !unsaid.starts_with("thread") {
        return skip(TEST, &format!("this machine's bypass mitigation is not up to threads: {unsaid}"));
    }
    assert_ne!(unsaid, none);
    assert!(none.ends_with("mitigated"), "{none}");
}

#[test]
fn all_architectures_may_be_listed_or_none() {
    let Some(world) = World::new("all_architectures_may_be_listed_or_none") else { return };
    #[rustfmt::skip]
    let all = [
        "X86", "X86_64", "X32", "ARM", "AARCH64", "MIPS", "MIPS64", "MIPS64N32", "MIPSEL", "MIPSEL64",
        "MIPSEL64N32", "PPC", "PPC64", "PPC64LE", "S390", "S390X", "PARISC", "PARISC64", "RISCV64",
        "LOONGARCH64", "M68K", "SH", "SHEB",
    ];
    let all: Vec<String> = all.iter().map(|name| format!("SCMP_ARCH_{name}")).collect();
    // The machine's own architecture is always there, listed or not.
    for listed in [json!(all), json!([]), json!(["SCMP_ARCH_S390"])] {
        let tried = denied_with(&world, |seccomp| seccomp["architectures"] = listed.clone());
        assert_eq!(tried, only_personality(), "{listed}");
    }
}

/// The profile names nothing younger than Linux 5.5: what is younger does not exist for the program, which can
/// fall back to what does. What is older and not allowed is refused.
#[test]
fn calls_younger_than_the_profile_do_not_exist() {
    let Some(world) = World::new("calls_younger_than_the_profile_do_not_exist") else { return };
    // The calls of Docker's profile that came with Linux 5.6 and later (their numbers are 437 and more), and
    // pidfd_open, clone3 and close_range before them.
    let young = |name: &str| {
        let starts =
            ["clone3", "pidfd_", "close_range", "openat2", "faccessat2", "process_m", "epoll_pwait2"];
        let later = ["landlock_", "memfd_secret", "mount_setattr", "quotactl_fd", "futex_", "cachestat"];
        let latest =
            ["fchmodat2", "map_shadow_stack", "set_mempolicy_home", "statmount", "listmount", "lsm_"];
        let last = ["mseal", "setxattrat", "getxattrat", "listxattrat", "removexattrat", "open_tree"];
        let all = [&starts[..], &later, &latest, &last, &["uretprobe", "file_", "listns", "rseq_slice"]];
        let old = ["pidfd_send_signal", "futex_time64"];
        !old.contains(&name) && all.concat().iter().any(|start| name.starts_with(start))
    };
    let said = world.says(&["/bin/probe", "try-all", "openat2", "pidfd-open", "acct"], |value| {
        let mut profile = world.docker_profile();
        for rule in profile["syscalls"].as_array_mut().expect("rules") {
            let names = rule["names"].as_array_mut().expect("names");
            names.retain(|name| !young(name.as_str().expect("a name")));
        }
        let rules = profile["syscalls"].as_array_mut().expect("rules");
        rules.retain(|rule| rule["names"] != json!([]));
        value["linux"]["seccomp"] = profile;
    });
    let tried: Value = serde_json::from_str(&said).expect("JSON");
    assert_eq!(tried, json!({ "openat2": "ENOSYS", "pidfd-open": "ENOSYS", "acct": "EPERM" }));
}

#[test]
fn an_empty_profile_is_no_filter() {
    let Some(world) = World::new("an_empty_profile_is_no_filter") else { return };
    for profile in [json!({ "defaultAction": "" }), json!({ "defaultAction": "", "syscalls": [] })] {
        let report = world.report(&["seccomp"], |value| value["linux"]["seccomp"] = profile);
        assert_eq!(report["seccomp"]["mode"], "disabled");
    }
}

#[test]
fn an_unknown_name_is_a_warning_or_what_the_annotation_says() {
    let Some(world) = World::new("an_unknown_name_is_a_warning_or_what_the_annotation_says") else { return };
    let container = world.container("a", |value| {
        config::deny(value, "call_from_the_future", 1);
        config::runs(value, &["/bin/true"]);
    });
    let message = "`call_from_the_future` is no system call that crate-run knows: its rule has no effect";
    let output = container.run(&[]).ok();
    let warning = format!("warning: /linux/seccomp/syscalls/0/names/0: {message}");
    assert!(output.stderr.contains(&warning), "{}", output.stderr);
    let strict = world.container("b", |value| {
        config::deny(value, "call_from_the_future", 1);
        value["annotations"] = json!({ "run.oci.seccomp_fail_unknown_syscall": "1" });
    });
    strict.create().finds(message, "/linux/seccomp/syscalls/0/names/0");
}

#[test]
fn a_bad_profile_is_told_before_anything_is_made() {
    let Some(world) = World::new("a_bad_profile_is_told_before_anything_is_made") else { return };
    let finds = |change: fn(&mut Value), message: &str, pointer: &str| {
        let container = world.container("a", |value| {
            config::deny(value, "personality", 1);
            change(&mut value["linux"]["seccomp"]);
        });
        container.create().finds(message, &format!("/linux/seccomp{pointer}"));
    };
    finds(
        |seccomp| seccomp["syscalls"][0]["names"] = json!([]),
        "the list of system calls is empty",
        "/syscalls/0/names",
    );
    finds(
        |seccomp| seccomp["syscalls"][0]["errnoRet"] = json!(4096),
        "4096 is too large for SCMP_ACT_ERRNO, the limit is 4095",
        "/syscalls/0/errnoRet",
    );
    finds(
        |seccomp| seccomp["syscalls"][0]["action"] = json!("SCMP_ACT_TRAP"),
        "SCMP_ACT_TRAP returns no error number, but 1 is given",
        "/syscalls/0/errnoRet",
    );
    finds(
        |seccomp| seccomp["defaultErrnoRet"] = json!(1),
        "SCMP_ACT_ALLOW returns no error number, but 1 is given",
        "/defaultErrnoRet",
    );
    finds(
        |seccomp| {
            let arg = json!({ "index": 6, "value": 1, "op": "SCMP_CMP_EQ" });
            seccomp["syscalls"][0]["args"] = json!([arg]);
        },
        "a system call has no argument 6",
        "/syscalls/0/args/0/index",
    );
    for (word, place) in
        [("flags", "flags/0"), ("architectures", "architectures/0"), ("defaultAction", "defaultAction")]
    {
        let container = world.container("a", |value| {
            config::deny(value, "personality", 1);
            let list = word != "defaultAction";
            value["linux"]["seccomp"][word] =
                if list { json!(["NO_SUCH_WORD"]) } else { json!("NO_SUCH_WORD") };
        });
        let output = container.create().exits(1);
        let pointer = format!("(/linux/seccomp/{place})");
        assert!(output.sentence().ends_with(&pointer), "{}", output.stderr);
    }
}
