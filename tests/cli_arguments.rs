//! The very command lines that container engines send, and what crate-run understands by them.

use std::ffi::OsString;
use std::path::Path;

use crate_run::cgroup::Driver;
use crate_run::cli::args::{
    Create, Delete, Events, ExplainFormat, Global, Invocation, Kill, ListFormat, Ps, PsFormat, Rootless, Run,
    Stop, ValidateFormat, Verb, Wait, parse,
};
use crate_run::cli::log::{Format, Level};
use crate_run::cli::usage::Reply;
use proptest::prelude::*;

/// Understands a line whose words are separated by single blanks.
fn understood(line: &str) -> Invocation {
    parse(line.split(' ').map(OsString::from)).unwrap_or_else(|reply| panic!("{line}: {reply:?}"))
}

fn global(line: &str) -> Global {
    understood(line).global
}

fn create(line: &str) -> Create {
    match understood(line).verb {
        Verb::Create(create) => create,
        other => panic!("{line} is understood as {other:?}"),
    }
}

fn run(line: &str) -> Run {
    match understood(line).verb {
        Verb::Run(run) => run,
        other => panic!("{line} is understood as {other:?}"),
    }
}

fn kill(line: &str) -> Kill {
    match understood(line).verb {
        Verb::Kill(kill) => kill,
        other => panic!("{line} is understood as {other:?}"),
    }
}

fn delete(line: &str) -> Delete {
    match understood(line).verb {
        Verb::Delete(delete) => delete,
        other => panic!("{line} is understood as {other:?}"),
    }
}

fn ps(line: &str) -> Ps {
    match understood(line).verb {
        Verb::Ps(ps) => ps,
        other => panic!("{line} is understood as {other:?}"),
    }
}

fn events(line: &str) -> Events {
    match understood(line).verb {
        Verb::Events(events) => events,
        other => panic!("{line} is understood as {other:?}"),
    }
}

fn stop(line: &str) -> Stop {
    match understood(line).verb {
        Verb::Stop(stop) => stop,
        other => panic!("{line} is understood as {other:?}"),
    }
}

fn wait(line: &str) -> Wait {
    match understood(line).verb {
        Verb::Wait(wait) => wait,
        other => panic!("{line} is understood as {other:?}"),
    }
}

/// What is said about a line that is wrong.
fn complaint(line: &str) -> String {
    match parse(line.split(' ').map(OsString::from)) {
        Err(Reply::Wrong { message, .. }) => message,
        other => panic!("{line} gives {other:?}"),
    }
}

/// What stands before the verb in every call of containerd's shim.
const CONTAINERD: &str = "crate-run --root /run/containerd/runc/k8s.io --log /b/log.json --log-format json";

#[test]
fn containerd_names_its_root_and_log() {
    let global = global(&format!("{CONTAINERD} --systemd-cgroup state web"));
    assert_eq!(global.root.as_deref(), Some(Path::new("/run/containerd/runc/k8s.io")));
    assert_eq!(global.log.as_deref(), Some(Path::new("/b/log.json")));
    assert_eq!((global.log_format, global.log_level()), (Format::Json, Level::Warning));
    assert_eq!(global.cgroup_driver(), Driver::Systemd);
    assert_eq!(global.rootless, Rootless::Auto);
}

#[test]
fn containerd_creates() {
    let create = create(&format!(
        "{CONTAINERD} create --bundle /b --pid-file /b/init.pid --console-socket /tmp/pty.sock \
         --pidfd-socket /tmp/pidfd.sock --no-pivot --no-new-keyring --detach --preserve-fds 2 web"
    ));
    assert_eq!((create.id.as_str(), create.bundle()), ("web", Path::new("/b")));
    let making = create.making;
    assert_eq!(making.pid_file.as_deref(), Some(Path::new("/b/init.pid")));
    assert_eq!(making.console_socket.as_deref(), Some(Path::new("/tmp/pty.sock")));
    assert_eq!(making.pidfd_socket.as_deref(), Some(Path::new("/tmp/pidfd.sock")));
    assert_eq!((making.no_pivot, making.no_new_keyring, making.preserve_fds), (true, true, 2));
}

#[test]
fn containerd_kills_by_number() {
    let killed = kill(&format!("{CONTAINERD} kill --all web 9"));
    assert_eq!((killed.id.as_str(), killed.signal, killed.all), ("web", 9, true));
    let killed = kill(&format!("{CONTAINERD} kill web 15"));
    assert_eq!((killed.id.as_str(), killed.signal, killed.all), ("web", 15, false));
}

#[test]
fn containerd_deletes() {
    assert!(delete(&format!("{CONTAINERD} delete --force web")).force);
    assert!(!delete(&format!("{CONTAINERD} delete web")).force);
}

#[test]
fn go_runc_writes_booleans_and_lists() {
    assert_eq!(global("crate-run --rootless=true --debug list --format=json").log_level(), Level::Debug);
    assert_eq!(global("crate-run --rootless=false list --format=json").rootless, Rootless::No);
    match understood("crate-run --rootless=true list --format=json").verb {
        Verb::List(list) => assert_eq!((list.format, list.quiet), (ListFormat::Json, false)),
        other => panic!("{other:?}"),
    }
}

#[test]
fn conmon_creates_for_podman() {
    let line = "crate-run --systemd-cgroup --log-format=json --log /run/oci-log --cgroup-manager disabled \
                create --bundle /b --pid-file /p --no-pivot --no-new-keyring --preserve-fds 1 \
                --console-socket /s web";
    let create = create(line);
    assert_eq!((create.id.as_str(), create.bundle()), ("web", Path::new("/b")));
    assert_eq!(create.making.preserve_fds, 1);
    let global = global(line);
    assert_eq!(global.log.as_deref(), Some(Path::new("/run/oci-log")));
    assert_eq!((global.log_format, global.cgroup_driver()), (Format::Json, Driver::Disabled));
}

#[test]
fn conmon_rs_says_everything_twice() {
    let global = global(
        "crate-run --root=/run/one --systemd-cgroup --root=/run/two --systemd-cgroup create --bundle /b \
         --pid-file /p --console-socket=/s web",
    );
    assert_eq!(global.root.as_deref(), Some(Path::new("/run/two")));
    assert_eq!(global.cgroup_driver(), Driver::Systemd);
}

#[test]
fn podman_and_cri_o_call_directly() {
    assert!(matches!(understood("crate-run start web").verb, Verb::Start(start) if start.id == "web"));
    assert!(delete("crate-run delete --force web").force);
    assert_eq!(kill("crate-run --root /r --systemd-cgroup kill web TERM").signal, 15);
    assert!(kill("crate-run --root /r kill -a web 9").all);
}

#[test]
fn buildah_kills_by_name_or_without() {
    assert_eq!(kill("crate-run kill build").signal, 15);
    assert_eq!(kill("crate-run kill build SIGKILL").signal, 9);
    let create =
        create("crate-run --systemd-cgroup create --bundle /b --pid-file /b/pid --no-new-keyring build");
    assert_eq!(create.bundle(), Path::new("/b"));
}

#[test]
fn dockerd_asks_for_version_and_features() {
    assert!(matches!(understood("crate-run features").verb, Verb::Features(_)));
    match parse(["crate-run", "--version"].map(OsString::from)) {
        Err(Reply::Text(text)) => assert!(text.starts_with("crate-run version ")),
        other => panic!("{other:?}"),
    }
}

#[test]
fn kill_hands_on_what_follows_the_id() {
    assert_eq!(kill("crate-run kill web -9").signal, 9);
    assert_eq!(kill("crate-run kill -a web SIGRTMIN+3").signal, 37);
    match parse(["crate-run", "kill", "web", "--all"].map(OsString::from)) {
        Err(Reply::Wrong { message, .. }) => {
            assert!(message.starts_with("unknown signal \"--all\""), "{message}")
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn ps_hands_on_what_follows_the_id() {
    for (line, options) in [
        ("crate-run ps web", &[][..]),
        ("crate-run ps web -aux", &["-aux"]),
        ("crate-run ps web -o pid --format=json", &["-o", "pid", "--format=json"]),
        // go-runc joins the options to one word, which may be empty.
        ("crate-run ps --format table web ", &[""]),
        ("crate-run -debug=false ps -format=table web -f", &["-f"]),
    ] {
        let ps = ps(line);
        let words: Vec<&str> = ps.options.iter().map(String::as_str).collect();
        assert_eq!(
            (ps.id.as_str(), ps.format, words.as_slice()),
            ("web", PsFormat::Table, options),
            "{line}"
        );
    }
    assert_eq!(ps("crate-run ps --format json web").format, PsFormat::Json);
    assert_eq!(ps("crate-run ps -f table -f json web").format, PsFormat::Json);
    assert!(complaint("crate-run ps -f xml web").starts_with("--format must be one of table, json"));
}

#[test]
fn events_takes_go_durations() {
    let seconds = |line: &str| events(line).interval.as_secs_f64();
    assert_eq!(seconds("crate-run events web"), 5.0);
    assert_eq!(seconds("crate-run events --interval 100ms web"), 0.1);
    assert_eq!(seconds("crate-run events web -interval=1m0.5s"), 60.5);
    assert!(events("crate-run events --stats web").stats);
    assert!(!events("crate-run events --stats=true --stats=false web").stats);
    for wrong in ["0", "-1s", "soon", "0s"] {
        let said = complaint(&format!("crate-run events --interval={wrong} web"));
        assert!(said.starts_with(&format!("--interval: invalid duration {wrong:?}")), "{said}");
    }
}

#[test]
fn stop_and_wait_take_seconds() {
    let stopped = stop("crate-run stop web");
    assert_eq!((stopped.timeout.as_secs(), stopped.signal), (10, None));
    let stopped = stop("crate-run stop web --timeout 0 -s INT");
    assert_eq!((stopped.timeout.as_secs(), stopped.signal), (0, Some(2)));
    assert_eq!(stop("crate-run stop -t 1m30s web").timeout.as_secs(), 90);
    assert_eq!(wait("crate-run wait web").timeout, None);
    assert_eq!(wait("crate-run wait -timeout=2 web").timeout.map(|time| time.as_secs()), Some(2));
    assert!(complaint("crate-run stop -t -5 web").starts_with("--timeout: invalid duration \"-5\""));
}

#[test]
fn many_are_named_by_an_expression() {
    let killed = kill("crate-run kill -a -r ^web[0-9]+$ -9");
    assert_eq!((killed.id.as_str(), killed.signal, killed.all, killed.regex), ("^web[0-9]+$", 9, true, true));
    let deleted = delete("crate-run delete -rf .*");
    assert_eq!((deleted.id.as_str(), deleted.force, deleted.regex), (".*", true, true));
    assert!(!delete("crate-run delete web").regex);
}

/// Podman takes a success of the first line, and `flag needs an argument` for the second, for support.
#[test]
fn checkpoint_and_restore_are_declined_whatever_the_words() {
    for line in [
        "crate-run checkpoint --help",
        "crate-run restore --lsm-mount-context",
        "crate-run checkpoint --image-path /i --leave-running --tcp-established web",
        "crate-run --systemd-cgroup restore -no-subreaper --bundle=/b --image-path /i -d --pid-file /p web",
        "crate-run checkpoint -h",
        "crate-run restore",
    ] {
        match understood(line).verb {
            Verb::Checkpoint(_) | Verb::Restore(_) => {}
            other => panic!("{line} is understood as {other:?}"),
        }
    }
}

#[test]
fn a_run_with_a_time_limit_stays_in_the_foreground() {
    assert_eq!(run("crate-run run --timeout 90 web").timeout.map(|time| time.as_secs()), Some(90));
    assert!(run("crate-run run -d web").timeout.is_none());
    let said = complaint("crate-run run -d --timeout 1s web");
    assert!(said.contains("--timeout") && said.contains("--detach"), "{said}");
    assert!(complaint("crate-run run --timeout 0 web").contains("must be greater than 0"));
}

/// Every verb that takes an id takes its flags on either side of it, with one dash or two, and the flags of the
/// program too.
#[test]
fn flags_stand_where_the_caller_likes_them() {
    let lines = [
        "run -keep",
        "create -no-pivot",
        "start",
        "state",
        "kill",
        "stop -timeout=3",
        "wait -timeout=3",
        "pause",
        "resume",
        "delete -force",
        "exec -detach",
        "ps -format=json",
        "events -stats",
    ];
    for line in lines {
        let (verb, flag) = line.split_once(' ').unwrap_or((line, "-debug"));
        let program = if verb == "exec" { " true" } else { "" };
        understood(&format!("crate-run -root /one {verb} -{flag} -root=/two web{program}"));
        let words = format!("crate-run {verb} {flag} --root=/one --root /two --log-format json web{program}");
        let global = global(&words);
        assert_eq!((global.root.as_deref(), global.log_format), (Some(Path::new("/two")), Format::Json));
        if !["kill", "exec", "ps"].contains(&verb) {
            understood(&format!("crate-run {verb} web {flag} --debug=false -systemd-cgroup"));
        }
    }
}

#[test]
fn run_takes_a_name_as_runc_does() {
    for line in [
        "crate-run run --bundle /b -d --keep --pid-file /p web",
        "crate-run run web --bundle /b -d --keep --pid-file /p",
        "crate-run run -bundle /b web --detach=true -pid-file=/p -keep",
    ] {
        let run = run(line);
        assert_eq!((run.id().as_deref(), run.bundle()), (Some("web"), Path::new("/b")), "{line}");
        assert_eq!(run.making.pid_file.as_deref(), Some(Path::new("/p")), "{line}");
        assert!(run.detach && run.keep, "{line}");
    }
    let run = run("crate-run run web");
    assert_eq!((run.id().as_deref(), run.bundle()), (Some("web"), Path::new(".")));
    assert!(!run.detach && !run.keep);
}

#[test]
fn run_takes_a_bundle_that_is_written_with_a_slash() {
    for (line, bundle) in [
        ("crate-run run bundle/", "bundle/"),
        ("crate-run run ./bundle -d", "./bundle"),
        ("crate-run run --keep /srv/b", "/srv/b"),
    ] {
        let run = run(line);
        assert_eq!((run.id(), run.bundle()), (None, Path::new(bundle)), "{line}");
    }
    // With --bundle it is a name, if a bad one: that is for the check of names to say.
    let run = run("crate-run run --bundle b a/b");
    assert_eq!((run.id().as_deref(), run.bundle()), (Some("a/b"), Path::new("b")));
}

#[test]
fn explain_speaks_three_languages() {
    for (line, bundle, format) in [
        ("crate-run explain", ".", ExplainFormat::Text),
        ("crate-run explain --format json b", "b", ExplainFormat::Json),
        ("crate-run explain b --format=mermaid", "b", ExplainFormat::Mermaid),
    ] {
        match understood(line).verb {
            Verb::Explain(explain) => {
                assert_eq!((explain.bundle.as_path(), explain.format), (Path::new(bundle), format), "{line}");
            }
            other => panic!("{line} is understood as {other:?}"),
        }
    }
}

#[test]
fn validate_takes_its_bundle_in_two_ways() {
    for (line, bundle, config, format) in [
        ("crate-run validate", ".", None, ValidateFormat::Text),
        ("crate-run validate b", "b", None, ValidateFormat::Text),
        ("crate-run validate -bundle b -format json", "b", None, ValidateFormat::Json),
        ("crate-run validate -b b --config -", "b", Some("-"), ValidateFormat::Text),
        (
            "crate-run --debug=false validate --format=json b -f c.json --root /r",
            "b",
            Some("c.json"),
            ValidateFormat::Json,
        ),
    ] {
        match understood(line).verb {
            Verb::Validate(validate) => {
                let config = config.map(Path::new);
                let is = (validate.bundle(), validate.config.as_deref(), validate.format);
                assert_eq!(is, (Path::new(bundle), config, format), "{line}");
            }
            other => panic!("{line} is understood as {other:?}"),
        }
    }
}

#[test]
fn spec_has_a_rootless_of_its_own() {
    let line = "crate-run --rootless false spec --rootless -b /b";
    assert_eq!(global(line).rootless, Rootless::No);
    match understood(line).verb {
        Verb::Spec(spec) => {
            assert_eq!((spec.bundle.as_deref(), spec.rootless), (Some(Path::new("/b")), true))
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_is_asked_for_last_counts() {
    assert_eq!(global("crate-run --log-level error --log-level debug list").log_level(), Level::Debug);
    assert_eq!(global("crate-run --log-level error --debug list").log_level(), Level::Debug);
    assert_eq!(global("crate-run --debug --debug=false list").log_level(), Level::Warning);
}

#[test]
fn a_verb_is_found_behind_words_that_look_like_one() {
    let invocation = understood("crate-run --log run --root state start list");
    assert_eq!(invocation.global.log.as_deref(), Some(Path::new("run")));
    assert_eq!(invocation.global.root.as_deref(), Some(Path::new("state")));
    assert!(matches!(invocation.verb, Verb::Start(start) if start.id == "list"));
}

/// Words out of which lines are made that are hard to understand.
fn word() -> impl Strategy<Value = OsString> {
    use std::os::unix::ffi::OsStringExt;
    let known = [
        "run",
        "create",
        "kill",
        "list",
        "ps",
        "stop",
        "checkpoint",
        "spec",
        "help",
        "--help",
        "-h",
        "-v",
        "--",
        "-",
        "",
        "--root",
        "-root=x",
        "--log",
        "--rootless",
        "--debug=false",
        "-d",
        "-df",
        "--bundle=",
        "-b",
        "--keep=1",
        "web",
        "a/",
        "-9",
        "9",
    ];
    prop_oneof![
        prop::sample::select(known.to_vec()).prop_map(OsString::from),
        prop::collection::vec(any::<u8>(), 0..6).prop_map(OsString::from_vec),
    ]
}

proptest! {
    /// Every line gets an answer: no panic, and no empty complaint.
    #[test]
    fn every_line_gets_an_answer(line in prop::collection::vec(word(), 0..8)) {
        if let Err(Reply::Wrong { message, .. }) = parse(line) {
            prop_assert!(message.len() > 10, "{:?}", message);
        }
    }
}
