//! Any seccomp profile: the program is well-formed, and says what a plain reading of the profile says.
//!
//! The input is a profile as JSON, or a tape of decisions from which one is made. The reading knows nothing
//! of the compiler: no order among rules, no tree, no other table than that of x86-64.

use std::str::FromStr;

use crate_run_seccomp::{Arch, Program, compile, flaw, verdict};
use oci_spec::runtime::{
    LinuxSeccomp, LinuxSeccompAction as Action, LinuxSeccompArg, LinuxSeccompOperator as Operator,
    LinuxSyscall,
};
use serde_json::{Value, json};
use syscalls::x86_64::Sysno;

use super::tape::Tape;

const ENOSYS: u32 = 0x0005_0000 | 38;

pub fn judge(data: &[u8]) {
    let profile = match data.first() {
        Some(b'{') => serde_json::from_slice::<LinuxSeccomp>(data).ok(),
        _ => serde_json::from_value(profile(&mut Tape(data))).ok(),
    };
    let Some(profile) = profile else { return };
    match compile(&profile, Arch::X86_64) {
        Ok(program) => {
            judge_forms(&program);
            judge_meaning(&profile, &program);
        }
        Err(problems) => {
            assert!(!problems.is_empty());
            assert!(problems.iter().all(|problem| !problem.message.is_empty() && !problem.cure.is_empty()));
        }
    }
    if let Ok(program) = compile(&profile, Arch::Aarch64) {
        judge_forms(&program);
    }
}

/// A profile that the specification allows.
fn profile(tape: &mut Tape) -> Value {
    const ACTIONS: [&str; 7] = [
        "SCMP_ACT_ALLOW",
        "SCMP_ACT_ERRNO",
        "SCMP_ACT_KILL_PROCESS",
        "SCMP_ACT_TRAP",
        "SCMP_ACT_TRACE",
        "SCMP_ACT_LOG",
        "SCMP_ACT_NOTIFY",
    ];
    const ARCHES: [&str; 5] =
        ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32", "SCMP_ARCH_ARM", "SCMP_ARCH_AARCH64"];
    const OPERATORS: [&str; 7] = [
        "SCMP_CMP_EQ",
        "SCMP_CMP_NE",
        "SCMP_CMP_LT",
        "SCMP_CMP_LE",
        "SCMP_CMP_GE",
        "SCMP_CMP_GT",
        "SCMP_CMP_MASKED_EQ",
    ];
    const NAMES: [&str; 12] = [
        "read",
        "socket",
        "clone",
        "personality",
        "ioctl",
        "ipc",
        "socketcall",
        "semop",
        "set_tls",
        "futex_time64",
        "openat2",
        "no_such_call",
    ];
    let default = tape.one(&ACTIONS[..6]);
    let arches: Vec<&str> = (0..tape.byte() % 4).map(|_| tape.one(&ARCHES)).collect();
    let mut blocks = Vec::new();
    while !tape.is_empty() && blocks.len() < 64 {
        let names: Vec<String> = (0..1 + tape.byte() % 4)
            .map(|_| match tape.byte() {
                byte @ 0..128 => NAMES[usize::from(byte) % NAMES.len()].to_owned(),
                byte => Sysno::new(usize::from(byte - 128) * 4).map_or("read", |call| call.name()).to_owned(),
            })
            .collect();
        let value = |tape: &mut Tape| match tape.byte() {
            byte @ 0..128 => u64::from(byte % 8),
            byte @ 128..192 => u64::from(byte) << 32,
            byte @ 192..224 => u64::MAX - u64::from(byte % 4),
            _ => tape.number(),
        };
        let args: Vec<Value> = (0..tape.byte() % 4)
            .map(|_| {
                let (index, op) = (tape.byte() % 6, tape.one(&OPERATORS));
                json!({ "index": index, "value": value(tape), "valueTwo": value(tape), "op": op })
            })
            .collect();
        let action = tape.one(&ACTIONS);
        let mut block = json!({ "names": names, "action": action, "args": args });
        if matches!(action, "SCMP_ACT_ERRNO" | "SCMP_ACT_TRACE") {
            block["errnoRet"] = json!(tape.byte());
        }
        blocks.push(block);
    }
    json!({ "defaultAction": default, "architectures": arches, "syscalls": blocks })
}

fn judge_forms(program: &Program) {
    assert_eq!(flaw(&program.filter), None);
    assert!(program.listener.iter().all(|listener| flaw(listener).is_none()));
}

fn judge_meaning(profile: &LinuxSeccomp, program: &Program) {
    let mut values: Vec<u64> = vec![0, 1, u64::MAX];
    let mut numbers: Vec<u32> = vec![0, 1, 41, 334, 470, 0x3fff_ffff];
    for block in blocks(profile) {
        for arg in block.args().iter().flatten() {
            for value in [arg.value(), arg.value_two().unwrap_or_default()] {
                values.extend([0, 1, u64::MAX, 1 << 32, u64::MAX << 32].map(|step| value.wrapping_add(step)));
            }
        }
        numbers.extend(block.names().iter().filter_map(|name| number(name)).flat_map(|n| [n, n + 1]));
    }
    values.truncate(64);
    numbers.sort_unstable();
    numbers.dedup();
    for nr in numbers.into_iter().take(64) {
        for (turn, value) in values.iter().enumerate() {
            let other = values[(turn * 7 + nr as usize) % values.len()];
            let args = [*value, other, value.wrapping_sub(other), *value, other, 0];
            let is = verdict(program, Arch::X86_64.audit(), nr, &args);
            assert!(is_right(profile, nr, &args, is), "{is:#x} for {nr} {args:x?}: {profile:?}");
        }
    }
    assert_eq!(verdict(program, 0x1234_5678, 0, &[0; 6]), 0, "a stranger's call");
}

fn blocks(profile: &LinuxSeccomp) -> &[LinuxSyscall] {
    profile.syscalls().as_deref().unwrap_or_default()
}

fn number(name: &str) -> Option<u32> {
    Sysno::from_str(name).ok().map(|call| call.id() as u32)
}

/// Where several rules match, one of them is right.
fn is_right(profile: &LinuxSeccomp, nr: u32, args: &[u64; 6], is: u32) -> bool {
    let default = value(profile.default_action(), profile.default_errno_ret());
    let (mut matching, mut has_rules, mut largest) = (Vec::new(), false, None);
    for block in blocks(profile) {
        let action = value(block.action(), block.errno_ret());
        for name in block.names() {
            let Some(number) = number(name) else { continue };
            largest = largest.max(Some(number));
            if number != nr || action == default {
                continue;
            }
            for conditions in alternatives(block) {
                let conditions: Vec<_> = conditions.iter().filter(|arg| !always(arg)).collect();
                if conditions.is_empty() {
                    // Without conditions the first one wins.
                    return is == action;
                }
                has_rules = true;
                if conditions.iter().all(|arg| holds(arg, args)) {
                    matching.push(action);
                }
            }
        }
    }
    // All that is lower than SECCOMP_RET_TRACE, and SECCOMP_RET_KILL_PROCESS.
    let is_strict = default & 0x7fff_0000 < 0x7ff0_0000;
    match largest {
        Some(largest) if !has_rules && largest < nr && is_strict => is == ENOSYS,
        _ if matching.is_empty() => is == default,
        _ => matching.contains(&is),
    }
}

/// The value of `SECCOMP_RET_` (seccomp(2)).
fn value(action: Action, errno: Option<u32>) -> u32 {
    let errno = errno.unwrap_or(1) & 0xffff;
    match action {
        Action::ScmpActKillProcess => 0x8000_0000,
        Action::ScmpActKill | Action::ScmpActKillThread => 0,
        Action::ScmpActTrap => 0x0003_0000,
        Action::ScmpActErrno => 0x0005_0000 | errno,
        Action::ScmpActNotify => 0x7fc0_0000,
        Action::ScmpActTrace => 0x7ff0_0000 | errno,
        Action::ScmpActLog => 0x7ffc_0000,
        Action::ScmpActAllow => 0x7fff_0000,
    }
}

/// The conditions of a block: one list, or one for each condition if an argument occurs twice.
fn alternatives(block: &LinuxSyscall) -> Vec<Vec<LinuxSeccompArg>> {
    let args = block.args().clone().unwrap_or_default();
    let mut indexes: Vec<usize> = args.iter().map(LinuxSeccompArg::index).collect();
    indexes.sort_unstable();
    match indexes.windows(2).any(|pair| pair[0] == pair[1]) {
        true => args.chunks(1).map(<[_]>::to_vec).collect(),
        false => vec![args],
    }
}

fn always(arg: &LinuxSeccompArg) -> bool {
    arg.op() == Operator::ScmpCmpMaskedEq && arg.value() == 0
}

fn holds(arg: &LinuxSeccompArg, args: &[u64; 6]) -> bool {
    let (is, value) = (args[arg.index()], arg.value());
    match arg.op() {
        Operator::ScmpCmpEq => is == value,
        Operator::ScmpCmpNe => is != value,
        Operator::ScmpCmpLt => is < value,
        Operator::ScmpCmpLe => is <= value,
        Operator::ScmpCmpGe => is >= value,
        Operator::ScmpCmpGt => is > value,
        Operator::ScmpCmpMaskedEq => is & value == arg.value_two().unwrap_or_default() & value,
    }
}
