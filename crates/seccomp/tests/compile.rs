//! What the compiler makes of a profile, seen from outside: verdicts, flags, notes and problems.

use crate_run_seccomp::{Arch, Filter, Problem, Program, compile, verdict};
use serde_json::{Value, json};

const KILL_THREAD: u32 = 0;
const KILL_PROCESS: u32 = 0x8000_0000;
const TRAP: u32 = 0x0003_0000;
const NOTIFY: u32 = 0x7fc0_0000;
const LOG: u32 = 0x7ffc_0000;
const ALLOW: u32 = 0x7fff_0000;
const EPERM: u32 = errno(1);
const ENOSYS: u32 = errno(38);

const fn errno(value: u32) -> u32 {
    0x0005_0000 | value
}

fn result(profile: Value, native: Arch) -> Result<Program, Vec<Problem>> {
    compile(&serde_json::from_value(profile).expect("oci-spec reads the profile"), native)
}

fn program(profile: Value) -> Program {
    result(profile, Arch::X86_64).expect("the profile compiles")
}

/// The problems as (pointer, message).
fn problems(profile: Value) -> Vec<(String, String)> {
    let problems = result(profile, Arch::X86_64).expect_err("the profile has problems");
    assert!(problems.iter().all(|problem| !problem.cure.is_empty()), "{problems:?}");
    problems.into_iter().map(|problem| (problem.at, problem.message)).collect()
}

fn pointers(profile: Value) -> Vec<String> {
    problems(profile).into_iter().map(|(at, _)| at).collect()
}

fn on(program: &Program, arch: Arch, nr: u32, args: &[u64]) -> u32 {
    let mut all = [0; 6];
    all[..args.len()].copy_from_slice(args);
    verdict(program, arch.audit(), nr, &all)
}

fn native(program: &Program, nr: u32, args: &[u64]) -> u32 {
    on(program, Arch::X86_64, nr, args)
}

/// A condition; `op` is an operator without its prefix, such as `EQ`.
fn arg(index: usize, op: &str, value: u64) -> Value {
    json!({ "index": index, "value": value, "op": format!("SCMP_CMP_{op}") })
}

fn allowing(names: &[&str]) -> Value {
    json!({ "names": names, "action": "SCMP_ACT_ALLOW" })
}

#[test]
fn every_action_has_its_value() {
    let actions = [
        ("SCMP_ACT_KILL", json!(null), KILL_THREAD),
        ("SCMP_ACT_KILL_THREAD", json!(null), KILL_THREAD),
        ("SCMP_ACT_KILL_PROCESS", json!(null), KILL_PROCESS),
        ("SCMP_ACT_TRAP", json!(null), TRAP),
        ("SCMP_ACT_ERRNO", json!(null), EPERM),
        ("SCMP_ACT_ERRNO", json!(0), errno(0)),
        ("SCMP_ACT_ERRNO", json!(4095), errno(4095)),
        ("SCMP_ACT_NOTIFY", json!(null), NOTIFY),
        ("SCMP_ACT_TRACE", json!(null), 0x7ff0_0001),
        ("SCMP_ACT_TRACE", json!(65535), 0x7ff0_ffff),
        ("SCMP_ACT_LOG", json!(null), LOG),
    ];
    for (action, number, value) in actions {
        let program = program(json!({
            "defaultAction": "SCMP_ACT_ALLOW",
            "syscalls": [{ "names": ["getpid"], "action": action, "errnoRet": number }],
        }));
        assert_eq!(native(&program, 39, &[]), value, "{action} {number}");
        assert_eq!(native(&program, 38, &[]), ALLOW);
        assert_eq!(native(&program, 40, &[]), ALLOW);
        assert_eq!(program.listener.is_some(), action == "SCMP_ACT_NOTIFY");
    }
}

#[test]
fn other_architectures_are_killed_and_the_native_one_is_always_there() {
    let program = program(json!({
        "defaultAction": "SCMP_ACT_ERRNO", "architectures": ["SCMP_ARCH_X86"],
        "syscalls": [allowing(&["read"])],
    }));
    assert_eq!(native(&program, 0, &[]), ALLOW);
    assert_eq!(on(&program, Arch::X86, 3, &[]), ALLOW);
    assert_eq!(on(&program, Arch::X86, 0, &[]), EPERM);
    assert_eq!(on(&program, Arch::Aarch64, 63, &[]), KILL_THREAD);
    assert_eq!(native(&program, 0x4000_0000, &[]), KILL_THREAD, "read of x32, which is not listed");
    assert_eq!(native(&program, u32::MAX, &[]), EPERM, "a call that a tracer skips");
}

#[test]
fn x32_follows_the_rules_when_it_is_listed() {
    let program = program(json!({
        "defaultAction": "SCMP_ACT_KILL_PROCESS", "architectures": ["SCMP_ARCH_X86_64", "SCMP_ARCH_X32"],
        "syscalls": [allowing(&["read", "rt_sigaction", "openat2"])],
    }));
    assert_eq!(native(&program, 0x4000_0000, &[]), ALLOW);
    assert_eq!(native(&program, 0x4000_0000 + 512, &[]), ALLOW);
    assert_eq!(native(&program, 0x4000_0000 + 521, &[]), KILL_PROCESS, "ptrace is old, not unknown");
    assert_eq!(native(&program, 0x4000_0000 + 438, &[]), ENOSYS);
    assert_eq!(native(&program, 0x4000_0000 + 13, &[]), KILL_PROCESS, "rt_sigaction of x86-64");
    assert_eq!(native(&program, 512, &[]), ENOSYS);
}

#[test]
fn an_architecture_without_rules_keeps_its_default() {
    let program = program(json!({
        "defaultAction": "SCMP_ACT_ERRNO", "architectures": ["SCMP_ARCH_X86", "SCMP_ARCH_X32"],
        "syscalls": [allowing(&["socketcall"])],
    }));
    assert_eq!(on(&program, Arch::X86, 102, &[]), ALLOW);
    assert_eq!(native(&program, 102, &[]), EPERM, "getuid has the number of socketcall");
    assert_eq!(native(&program, 999, &[]), EPERM, "where nothing is named, nothing is new");
}

#[test]
fn numbers_beyond_the_largest_named_one_are_unknown() {
    for (default, beyond) in [
        ("SCMP_ACT_ERRNO", ENOSYS),
        ("SCMP_ACT_KILL", ENOSYS),
        ("SCMP_ACT_KILL_PROCESS", ENOSYS),
        ("SCMP_ACT_TRAP", ENOSYS),
        ("SCMP_ACT_LOG", LOG),
        ("SCMP_ACT_TRACE", 0x7ff0_0001),
    ] {
        // The second rule has no effect; it still shows that the author knew the call.
        let program = program(json!({
            "defaultAction": default,
            "syscalls": [allowing(&["read"]), { "names": ["openat2"], "action": default }],
        }));
        assert_ne!(native(&program, 436, &[]), ENOSYS, "{default}");
        assert_ne!(native(&program, 437, &[]), ENOSYS, "openat2 itself, {default}");
        assert_eq!(native(&program, 438, &[]), beyond, "{default}");
    }
}

#[test]
fn private_calls_of_arm_do_not_count_as_the_largest() {
    let profile = json!({
        "defaultAction": "SCMP_ACT_ERRNO", "architectures": ["SCMP_ARCH_AARCH64", "SCMP_ARCH_ARM"],
        "syscalls": [allowing(&["read", "openat2", "set_tls"])],
    });
    let program = result(profile, Arch::Aarch64).expect("the profile compiles");
    assert_eq!(on(&program, Arch::Aarch64, 63, &[]), ALLOW);
    assert_eq!(on(&program, Arch::Arm, 3, &[]), ALLOW);
    assert_eq!(on(&program, Arch::Arm, 0xf_0005, &[]), ALLOW);
    assert_eq!(on(&program, Arch::Arm, 0xf_0006, &[]), EPERM);
    assert_eq!(on(&program, Arch::Arm, 438, &[]), ENOSYS);
    assert_eq!(on(&program, Arch::X86_64, 0, &[]), KILL_THREAD);
}

#[test]
fn arguments_are_compared_in_all_64_bits() {
    let big = 0x1_0000_0005_u64;
    let cases = [
        ("EQ", vec![big], vec![5, big - 1, big + 1, big + (1 << 32)]),
        ("NE", vec![5, big + 1, big + (1 << 32)], vec![big]),
        ("LT", vec![0, big - 1, u64::from(u32::MAX)], vec![big, big + 1, 2 << 32]),
        ("LE", vec![0, big], vec![big + 1, 2 << 32]),
        ("GT", vec![big + 1, 2 << 32, u64::MAX], vec![0, big, u64::from(u32::MAX)]),
        ("GE", vec![big, 2 << 32, u64::MAX], vec![0, big - 1, u64::from(u32::MAX)]),
    ];
    for (op, matching, others) in cases {
        let program = program(json!({
            "defaultAction": "SCMP_ACT_ERRNO",
            "syscalls": [{ "names": ["read"], "action": "SCMP_ACT_ALLOW", "args": [arg(5, op, big)] }],
        }));
        for value in matching {
            assert_eq!(native(&program, 0, &[0, 0, 0, 0, 0, value]), ALLOW, "{value:#x} {op}");
        }
        for value in others {
            assert_eq!(native(&program, 0, &[0, 0, 0, 0, 0, value]), EPERM, "{value:#x} {op}");
        }
    }
}

#[test]
fn a_mask_selects_the_bits_that_count() {
    let program = program(json!({
        "defaultAction": "SCMP_ACT_ERRNO",
        "syscalls": [{ "names": ["clone"], "action": "SCMP_ACT_ALLOW",
            "args": [{
                "index": 0, "op": "SCMP_CMP_MASKED_EQ", "value": 0x1_7e02_0000_u64, "valueTwo": 1_u64 << 32,
            }] }],
    }));
    assert_eq!(native(&program, 56, &[0x1_0000_0011]), ALLOW);
    assert_eq!(native(&program, 56, &[0x3_0000_0011]), ALLOW);
    assert_eq!(native(&program, 56, &[0x0000_0011]), EPERM);
    assert_eq!(native(&program, 56, &[0x1_1000_0000]), EPERM, "CLONE_NEWUSER");
}

#[test]
fn conditions_are_joined_by_and_unless_an_argument_occurs_twice() {
    let rule = |second: usize| {
        program(json!({
            "defaultAction": "SCMP_ACT_ERRNO",
            "syscalls": [{ "names": ["read"], "action": "SCMP_ACT_ALLOW", "args": [
                arg(0, "EQ", 1), arg(second, "EQ", 2),
            ] }],
        }))
    };
    let both = rule(1);
    assert_eq!(native(&both, 0, &[1, 2]), ALLOW);
    assert_eq!(native(&both, 0, &[1, 0]), EPERM);
    let either = rule(0);
    assert_eq!(native(&either, 0, &[1]), ALLOW);
    assert_eq!(native(&either, 0, &[2]), ALLOW);
    assert_eq!(native(&either, 0, &[3]), EPERM);
}

#[test]
fn i386_reaches_socket_calls_in_two_ways() {
    let program = program(json!({
        "defaultAction": "SCMP_ACT_ERRNO", "architectures": ["SCMP_ARCH_X86"],
        "syscalls": [
            { "names": ["socket"], "action": "SCMP_ACT_ALLOW", "args": [arg(0, "NE", 40)] },
            allowing(&["semop"]),
        ],
    }));
    assert_eq!(on(&program, Arch::X86, 359, &[1]), ALLOW);
    assert_eq!(on(&program, Arch::X86, 359, &[40]), EPERM);
    assert_eq!(on(&program, Arch::X86, 102, &[1]), ALLOW, "socketcall(SYS_SOCKET)");
    assert_eq!(on(&program, Arch::X86, 102, &[2]), EPERM, "socketcall(SYS_BIND)");
    assert_eq!(on(&program, Arch::X86, 117, &[1]), ALLOW, "ipc(SEMOP)");
    assert_eq!(on(&program, Arch::X86, 117, &[2]), EPERM, "ipc(SEMGET)");
    assert_eq!(native(&program, 41, &[40]), EPERM);
}

#[test]
fn flags_are_those_of_the_profile() {
    let flags = |flags: Value, action: &str| {
        program(json!({
            "defaultAction": "SCMP_ACT_ALLOW", "flags": flags,
            "syscalls": [{ "names": ["mount"], "action": action }],
        }))
    };
    let [log, tsync, spec_allow, killable] = ["LOG", "TSYNC", "SPEC_ALLOW", "WAIT_KILLABLE_RECV"]
        .map(|word| format!("SECCOMP_FILTER_FLAG_{word}"));
    let numbers = |program: &Program| (program.filter.flags, program.listener.as_ref().map(|one| one.flags));
    let of = |given: Value, action: &str| numbers(&flags(given, action));
    assert_eq!(of(json!(null), "SCMP_ACT_TRAP"), (4, None), "SPEC_ALLOW when nothing is said");
    assert_eq!(of(json!([]), "SCMP_ACT_TRAP"), (0, None));
    assert_eq!(of(json!([log, tsync]), "SCMP_ACT_TRAP"), (2, None));
    assert_eq!(of(json!([spec_allow]), "SCMP_ACT_NOTIFY"), (4, Some(4 | 8)));
    assert_eq!(of(json!([killable, log]), "SCMP_ACT_NOTIFY"), (2, Some(2 | 8 | 32)));
    let without_listener = flags(json!([killable]), "SCMP_ACT_TRAP");
    assert_eq!(numbers(&without_listener), (0, None), "the kernel would refuse it");
    assert_eq!(without_listener.notes[0].at, "/flags/0");
}

/// The kernel takes the strictest answer of several filters (seccomp(2)).
#[test]
fn a_profile_with_a_supervisor_becomes_two_filters() {
    let program = program(json!({
        "defaultAction": "SCMP_ACT_ERRNO",
        "syscalls": [
            allowing(&["read", "openat2"]),
            { "names": ["mkdir"], "action": "SCMP_ACT_NOTIFY", "args": [arg(1, "EQ", 0o700)] },
        ],
    }));
    let only = |filter: &Filter| Program { filter: filter.clone(), listener: None, notes: Vec::new() };
    let (asks, decides) = (only(program.listener.as_ref().expect("a listener")), only(&program.filter));
    let calls = [(0, 0), (83, 0o700), (83, 0o755), (84, 0), (438, 0)];
    let verdicts = |program: &Program| calls.map(|(nr, mode)| native(program, nr, &[0, mode]));
    assert_eq!(verdicts(&asks), [ALLOW, NOTIFY, ALLOW, ALLOW, ALLOW]);
    assert_eq!(verdicts(&decides), [ALLOW, ALLOW, EPERM, EPERM, ENOSYS]);
    assert_eq!(verdicts(&program), [ALLOW, NOTIFY, EPERM, EPERM, ENOSYS]);
    assert_eq!(on(&asks, Arch::X86, 39, &[]), ALLOW, "a stranger is the other filter's business");
    assert_eq!(on(&program, Arch::X86, 39, &[]), KILL_THREAD);
}

#[test]
fn what_has_no_effect_is_noted() {
    let program = program(json!({
        "defaultAction": "SCMP_ACT_ERRNO",
        "architectures": ["SCMP_ARCH_S390X", "SCMP_ARCH_X86_64", "SCMP_ARCH_AARCH64"],
        "syscalls": [allowing(&["read", "no_such_call", "chown32", "s390_sthyi"])],
    }));
    let notes: Vec<_> = program.notes.iter().map(|note| (note.at.as_str(), note.message.as_str())).collect();
    assert_eq!(
        notes,
        [
            ("/architectures/0", "SCMP_ARCH_S390X has no effect, this machine never runs its programs"),
            ("/architectures/2", "SCMP_ARCH_AARCH64 has no effect, this machine never runs its programs"),
            (
                "/syscalls/0/names/1",
                "`no_such_call` is no system call that crate-run knows: its rule has no effect"
            ),
        ]
    );
}

#[test]
fn all_problems_are_reported_at_once() {
    let found = pointers(json!({
        "defaultAction": "SCMP_ACT_ALLOW", "defaultErrnoRet": 1,
        "syscalls": [
            { "names": [], "action": "SCMP_ACT_ERRNO" },
            { "names": ["read", ""], "action": "SCMP_ACT_ERRNO", "errnoRet": 4096 },
            { "names": ["read"], "action": "SCMP_ACT_TRACE", "errnoRet": 65536 },
            { "names": ["read"], "action": "SCMP_ACT_KILL", "errnoRet": 0 },
            { "names": ["read"], "action": "SCMP_ACT_KILL", "args": [
                arg(0, "EQ", 1), arg(6, "EQ", 1) ] },
            { "names": ["read", "write"], "action": "SCMP_ACT_NOTIFY" },
        ],
    }));
    assert_eq!(
        found,
        [
            "/defaultErrnoRet",
            "/syscalls/0/names",
            "/syscalls/1/errnoRet",
            "/syscalls/1/names/1",
            "/syscalls/2/errnoRet",
            "/syscalls/3/errnoRet",
            "/syscalls/4/args/1/index",
            "/syscalls/5/names/1",
        ]
    );
    assert_eq!(pointers(json!({ "defaultAction": "SCMP_ACT_NOTIFY" })), ["/defaultAction"]);
}

#[test]
fn contradicting_rules_are_named() {
    let rule = |errno: u32| {
        json!({ "names": ["getpid", "send"], "action": "SCMP_ACT_ERRNO", "errnoRet": errno,
            "args": [arg(0, "EQ", 1)] })
    };
    let found = problems(json!({
        "defaultAction": "SCMP_ACT_ALLOW", "architectures": ["SCMP_ARCH_X86"], "syscalls": [rule(1), rule(2)],
    }));
    let message = |name: &str| {
        format!("for {name}, this rule and /syscalls/0 ask for different actions where both match")
    };
    let at = || "/syscalls/1".to_owned();
    assert_eq!(
        found,
        [
            (at(), message("`getpid` (X86_64)")),
            (at(), message("`getpid` (X86)")),
            (at(), message("`send` (X86)")),
        ]
    );
}

#[test]
fn a_program_that_is_too_long_is_refused() {
    let args: Vec<Value> = (0..1100).map(|value| arg(0, "EQ", value)).collect();
    let found = problems(json!({
        "defaultAction": "SCMP_ACT_ALLOW",
        "syscalls": [{ "names": ["read"], "action": "SCMP_ACT_ERRNO", "args": args }],
    }));
    assert_eq!(found[0].0, "/syscalls");
    assert!(found[0].1.ends_with("BPF instructions, the kernel takes 4096"), "{found:?}");
}

#[test]
fn long_programs_jump_to_the_right_place() {
    let args: Vec<Value> = (0..300).map(|value| arg(0, "EQ", value)).collect();
    let program = program(json!({
        "defaultAction": "SCMP_ACT_ERRNO", "architectures": ["SCMP_ARCH_X86"],
        "syscalls": [
            { "names": ["getpid"], "action": "SCMP_ACT_ALLOW", "args": args },
            allowing(&["read", "exit_group"]),
        ],
    }));
    for value in 0..300 {
        assert_eq!(native(&program, 39, &[value]), ALLOW, "{value}");
    }
    assert_eq!(native(&program, 39, &[300]), EPERM);
    assert_eq!(native(&program, 0, &[]), ALLOW);
    assert_eq!(native(&program, 231, &[]), ALLOW);
    assert_eq!(native(&program, 38, &[]), EPERM);
    assert_eq!(on(&program, Arch::X86, 3, &[]), ALLOW);
    assert_eq!(on(&program, Arch::X86, 20, &[5]), ALLOW);
    assert_eq!(on(&program, Arch::X86, 4, &[]), EPERM);
}

/// OCI runtime spec `config-linux.md`, Seccomp, architectures.
#[test]
fn every_architecture_of_the_specification_is_accepted() {
    #[rustfmt::skip]
    let names = [
        "X86", "X86_64", "X32", "ARM", "AARCH64", "MIPS", "MIPS64", "MIPS64N32", "MIPSEL", "MIPSEL64",
        "MIPSEL64N32", "PPC", "PPC64", "PPC64LE", "S390", "S390X", "PARISC", "PARISC64", "RISCV64",
        "LOONGARCH64", "M68K", "SH", "SHEB",
    ];
    let listed: Vec<String> = names.iter().map(|name| format!("SCMP_ARCH_{name}")).collect();
    for (native, foreign) in [(Arch::X86_64, 20), (Arch::Aarch64, 21)] {
        let profile = json!({
            "defaultAction": "SCMP_ACT_ERRNO", "architectures": listed, "syscalls": [allowing(&["read"])],
        });
        let program = result(profile, native).expect("the profile compiles");
        assert_eq!(program.notes.len(), foreign, "{:?}", program.notes);
    }
    let unknown = json!({ "defaultAction": "SCMP_ACT_ERRNO", "architectures": ["SCMP_ARCH_VAX"] });
    assert!(serde_json::from_value::<oci_spec::runtime::LinuxSeccomp>(unknown).is_err());
}
