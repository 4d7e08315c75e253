//! Limits of the process: rlimits, OOM score, personality.

use std::fs;

use serde_json::{Value, json};

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

/// setrlimit(2) has sixteen resources; each takes the hard limit of this test as it is.
#[test]
fn every_resource_has_its_limit() {
    let Some(world) = World::new("every_resource_has_its_limit") else { return };
    let own = fs::read_to_string("/proc/self/limits").expect("our limits");
    let resources = [
        ("RLIMIT_CPU", "Max cpu time"),
        ("RLIMIT_FSIZE", "Max file size"),
        ("RLIMIT_DATA", "Max data size"),
        ("RLIMIT_STACK", "Max stack size"),
        ("RLIMIT_CORE", "Max core file size"),
        ("RLIMIT_RSS", "Max resident set"),
        ("RLIMIT_NPROC", "Max processes"),
        ("RLIMIT_NOFILE", "Max open files"),
        ("RLIMIT_MEMLOCK", "Max locked memory"),
        ("RLIMIT_AS", "Max address space"),
        ("RLIMIT_LOCKS", "Max file locks"),
        ("RLIMIT_SIGPENDING", "Max pending signals"),
        ("RLIMIT_MSGQUEUE", "Max msgqueue size"),
        ("RLIMIT_NICE", "Max nice priority"),
        ("RLIMIT_RTPRIO", "Max realtime priority"),
        ("RLIMIT_RTTIME", "Max realtime timeout"),
    ];
    let hard = |line: &str| -> u64 {
        let rest = own.lines().find_map(|one| one.strip_prefix(line)).expect("the resource");
        rest.split_whitespace().nth(1).expect("a hard limit").parse().unwrap_or(u64::MAX)
    };
    // Odd numbers that nobody has by chance, and below any hard limit that is not 0.
    let entry = |(index, (kind, line)): (usize, &(&str, &str))| {
        let hard = hard(line);
        let soft = hard.min((1 << 30) + 2 * index as u64 + 1);
        json!({ "type": kind, "soft": soft, "hard": hard })
    };
    let entries: Vec<Value> = resources.iter().enumerate().map(entry).collect();
    let said =
        world.says(&["cat", "/proc/self/limits"], |value| value["process"]["rlimits"] = json!(entries));
    for (entry, (kind, line)) in entries.iter().zip(resources) {
        let rest = said.lines().find_map(|one| one.strip_prefix(line)).expect("the resource");
        let values: Vec<u64> =
            rest.split_whitespace().take(2).map(|word| word.parse().unwrap_or(u64::MAX)).collect();
        assert_eq!(json!(values), json!([entry["soft"], entry["hard"]]), "{kind}");
    }
}

#[test]
fn limits_that_make_no_sense_are_found() {
    let Some(world) = World::new("limits_that_make_no_sense_are_found") else { return };
    let run = |limits: Value| world.container("a", |value| value["process"]["rlimits"] = limits).run(&[]);
    let at = "/process/rlimits/0/type";
    run(json!([{ "type": "RLIMIT_NOFILES", "soft": 1, "hard": 1 }]))
        .finds("wrong rlimit value: RLIMIT_NOFILES", at)
        .helps("did you mean \"RLIMIT_NOFILE\"?");
    let twice = json!({ "type": "RLIMIT_CORE", "soft": 0, "hard": 0 });
    run(json!([twice, twice])).finds("RLIMIT_CORE is listed twice", "/process/rlimits/1");
    run(json!([{ "type": "RLIMIT_CORE", "soft": 2, "hard": 1 }]))
        .finds("the soft limit 2 of RLIMIT_CORE is above its hard limit 1", "/process/rlimits/0");
    run(json!([{ "type": "RLIMIT_CORE", "soft": 2 }]))
        .finds("this limit has no hard value", "/process/rlimits/0");
}

#[test]
fn uname_tells_what_the_personality_says() {
    let Some(world) = World::new("uname_tells_what_the_personality_says") else { return };
    let machine = |personality: Value| {
        let said = world.says(&["uname", "-m"], |value| value["linux"]["personality"] = personality);
        said.trim().to_owned()
    };
    let native = machine(Value::Null);
    assert_eq!(machine(json!({ "domain": "LINUX" })), native);
    let expected = if native == "x86_64" { "i686" } else { "armv8l" };
    assert_eq!(machine(json!({ "domain": "LINUX32", "flags": [] })), expected);
    let wrong = world.container("a", |value| value["linux"]["personality"] = json!({ "domain": "BSD" }));
    wrong.run(&[]).finds("unknown personality domain \"BSD\"", "/linux/personality/domain");
    let flags = json!({ "domain": "LINUX", "flags": ["ADDR_NO_RANDOMIZE"] });
    let wrong = world.container("b", |value| value["linux"]["personality"] = flags);
    let message = "no flags of a personality are supported, such as \"ADDR_NO_RANDOMIZE\"";
    wrong.run(&[]).finds(message, "/linux/personality/flags");
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
