//! Limits of the process: rlimits, OOM score, personality.

use serde_json::json;

use crate::world::{World, config};

#[test]
fn rlimits_are_set() {
    let Some(world) = World::new("rlimits_are_set") else { return };
    let limits = [
        ("RLIMIT_CORE", 0, 0),
        ("RLIMIT_CPU", 1000, 2000),
        ("RLIMIT_FSIZE", 1 << 20, 1 << 30),
        ("RLIMIT_DATA", 1 << 28, 1 << 30),
        ("RLIMIT_STACK", 1 << 20, 1 << 21),
        ("RLIMIT_NPROC", 50, 60),
        ("RLIMIT_NOFILE", 20, 21),
        ("RLIMIT_MEMLOCK", 4096, 8192),
        ("RLIMIT_AS", 1 << 30, 1 << 31),
        ("RLIMIT_SIGPENDING", 7, 8),
        ("RLIMIT_MSGQUEUE", 100, 200),
    ];
    let change = |value: &mut serde_json::Value| {
        let entry =
            |(kind, soft, hard): &(&str, u64, u64)| json!({ "type": kind, "soft": soft, "hard": hard });
        value["process"]["rlimits"] = limits.iter().map(entry).collect();
    };
    for report in [
        world.report(&["rlimits"], change),
        world.report(&["rlimits"], |value| {
            change(value);
            config::userns(value);
        }),
    ] {
        for (kind, soft, hard) in limits {
            assert_eq!(report["rlimits"][kind], json!({ "soft": soft, "hard": hard }), "{kind}");
        }
    }
}

#[test]
fn a_limit_that_is_not_listed_is_the_callers() {
    let Some(world) = World::new("a_limit_that_is_not_listed_is_the_callers") else { return };
    let container = world.container("a", |value| {
        value["process"]["rlimits"] = json!([{ "type": "RLIMIT_CORE", "soft": 0, "hard": 0 }]);
        config::runs(value, &["/bin/probe", "rlimits"]);
    });
    let caller = ["sh", "-c", "ulimit -S -n 99; exec \"$@\"", "sh"];
    let bundle = container.bundle.to_str().expect("UTF-8");
    let runtime = crate::world::runtime::Runtime::within(&world, &caller);
    let limits = runtime.words(&["run", "--bundle", bundle, "a"]).run().ok().json();
    assert_eq!(limits["RLIMIT_NOFILE"]["soft"], 99);
    assert_eq!(limits["RLIMIT_CORE"], json!({ "soft": 0, "hard": 0 }));
}

#[test]
fn the_oom_score_is_set_or_left_alone() {
    let Some(world) = World::new("the_oom_score_is_set_or_left_alone") else { return };
    let score = |wanted: Option<i32>, user: bool| {
        let report = world.report(&["process"], |value| {
            if let Some(score) = wanted {
                value["process"]["oomScoreAdj"] = json!(score);
            }
            if user {
                config::userns(value);
            }
        });
        report["process"]["oom_score_adj"].as_i64().expect("a score")
    };
    let own = std::fs::read_to_string("/proc/self/oom_score_adj").expect("our score");
    let own: i64 = own.trim().parse().expect("a number");
    assert_eq!(score(None, false), own);
    assert_eq!(score(Some(321), false), 321);
    assert_eq!(score(Some(1000), true), 1000);
}

#[test]
fn the_personality_is_set() {
    let Some(world) = World::new("the_personality_is_set") else { return };
    let domain = |word: Option<&str>| {
        let said = world.says(&["cat", "/proc/self/personality"], |value| {
            if let Some(word) = word {
                value["linux"]["personality"] = json!({ "domain": word });
            }
        });
        u32::from_str_radix(said.trim(), 16).expect("a number")
    };
    assert_eq!([None, Some("LINUX"), Some("LINUX32")].map(domain), [0, 0, 8]);
}

#[test]
fn the_program_is_an_ordinary_process() {
    let Some(world) = World::new("the_program_is_an_ordinary_process") else { return };
    let report = world.report(&["process", "namespaces"], |_| {});
    let process = &report["process"];
    let facts =
        ["pid", "ppid", "sid", "pgid", "comm", "exe", "dumpable", "parent_death_signal", "child_subreaper"];
    let found: Vec<_> = facts.iter().map(|fact| process[fact].clone()).collect();
    let expected = json!([1, 0, 1, 1, "probe", "/bin/probe", true, null, false]);
    assert_eq!(json!(found), expected);
}
