//! Compares every verdict with that of libseccomp, which all other runtimes compile their profiles with.

use std::collections::BTreeMap;
use std::io::Read;

use libseccomp::{ScmpAction, ScmpArch, ScmpArgCompare, ScmpCompareOp, ScmpFilterContext, ScmpSyscall};
use oci_spec::runtime::{
    LinuxSeccomp, LinuxSeccompAction as Action, LinuxSeccompArg, LinuxSeccompOperator as Operator,
};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use crate::model::{self, Reading, Sample};
use crate::{Arch, Instruction, Newcomers, Program, compile_with, names, verdict};

fn action(action: Action, errno: Option<u32>) -> ScmpAction {
    let errno = errno.unwrap_or(1);
    match action {
        Action::ScmpActKill | Action::ScmpActKillThread => ScmpAction::KillThread,
        Action::ScmpActKillProcess => ScmpAction::KillProcess,
        Action::ScmpActTrap => ScmpAction::Trap,
        Action::ScmpActErrno => ScmpAction::Errno(errno as i32),
        Action::ScmpActNotify => ScmpAction::Notify,
        Action::ScmpActTrace => ScmpAction::Trace(errno as u16),
        Action::ScmpActLog => ScmpAction::Log,
        Action::ScmpActAllow => ScmpAction::Allow,
    }
}

fn comparison(arg: &LinuxSeccompArg) -> ScmpArgCompare {
    let (op, datum) = match arg.op() {
        Operator::ScmpCmpEq => (ScmpCompareOp::Equal, arg.value()),
        Operator::ScmpCmpNe => (ScmpCompareOp::NotEqual, arg.value()),
        Operator::ScmpCmpLt => (ScmpCompareOp::Less, arg.value()),
        Operator::ScmpCmpLe => (ScmpCompareOp::LessOrEqual, arg.value()),
        Operator::ScmpCmpGe => (ScmpCompareOp::GreaterEqual, arg.value()),
        Operator::ScmpCmpGt => (ScmpCompareOp::Greater, arg.value()),
        Operator::ScmpCmpMaskedEq => {
            (ScmpCompareOp::MaskedEqual(arg.value()), arg.value_two().unwrap_or_default())
        }
    };
    ScmpArgCompare::new(arg.index() as u32, op, datum)
}

fn scmp_arch(arch: Arch) -> ScmpArch {
    match arch {
        Arch::X86_64 => ScmpArch::X8664,
        Arch::X32 => ScmpArch::X32,
        Arch::X86 => ScmpArch::X86,
        Arch::Aarch64 => ScmpArch::Aarch64,
        Arch::Arm => ScmpArch::Arm,
    }
}

/// The program that runc would get from libseccomp. None where libseccomp refuses a rule.
fn with_libseccomp(profile: &LinuxSeccomp) -> Option<Program> {
    let default = action(profile.default_action(), profile.default_errno_ret());
    let mut filter = ScmpFilterContext::new(default).expect("libseccomp makes a filter");
    for arch in model::architectures(profile, Arch::X86_64) {
        filter.add_arch(scmp_arch(arch)).expect("libseccomp knows the architecture");
    }
    for block in profile.syscalls().iter().flatten() {
        let action = action(block.action(), block.errno_ret());
        if action == default {
            continue;
        }
        let args: Vec<_> = block.args().iter().flatten().map(comparison).collect();
        let mut indexes: Vec<_> = block.args().iter().flatten().map(|arg| arg.index()).collect();
        indexes.sort_unstable();
        let twice = indexes.windows(2).any(|pair| pair[0] == pair[1]);
        for call in block.names().iter().filter_map(|name| ScmpSyscall::from_name(name).ok()) {
            let rules: Vec<&[ScmpArgCompare]> = if twice { args.chunks(1).collect() } else { vec![&args] };
            for rule in rules {
                filter.add_rule_conditional(action, call, rule).ok()?;
            }
        }
    }
    let (mut from, to) = std::io::pipe().expect("a pipe can be made");
    filter.export_bpf(&to).expect("libseccomp exports the program");
    drop(to);
    let mut bytes = Vec::new();
    from.read_to_end(&mut bytes).expect("the pipe can be read");
    let instructions = bytes.chunks_exact(8).map(|raw| Instruction {
        code: u16::from_ne_bytes([raw[0], raw[1]]),
        jt: raw[2],
        jf: raw[3],
        k: u32::from_ne_bytes([raw[4], raw[5], raw[6], raw[7]]),
    });
    Some(Program { instructions: instructions.collect(), flags: 0, notes: Vec::new(), notifies: false })
}

/// `profile` without the names that this libseccomp does not know.
fn known_to_both(mut profile: LinuxSeccomp) -> LinuxSeccomp {
    let mut blocks = profile.syscalls().clone().unwrap_or_default();
    for block in &mut blocks {
        let names = block.names().iter().filter(|name| ScmpSyscall::from_name(name).is_ok()).cloned().collect();
        block.set_names(names);
    }
    blocks.retain(|block| !block.names().is_empty());
    profile.set_syscalls(Some(blocks));
    profile
}

#[test]
fn stats() {
    let mut runner = TestRunner::new(Config::with_cases(1));
    let mut tally: BTreeMap<String, usize> = BTreeMap::new();
    let mut shown = 0;
    for round in 0..3000u64 {
        let profile = model::profiles().new_tree(&mut runner).unwrap().current();
        let profile = known_to_both(profile);
        use proptest::strategy::ValueTree;
        let ours = compile_with(&profile, Arch::X86_64, Newcomers::Default);
        let theirs = with_libseccomp(&profile);
        let (ours, theirs) = match (ours, theirs) {
            (Ok(a), Some(b)) => (a, b),
            (a, b) => {
                *tally.entry(format!("compile ours {} theirs {}", a.is_ok(), b.is_some())).or_default() += 1;
                if a.is_err() && b.is_some() && shown < 6 { shown += 1; println!("{:?}\n{}", a, serde_json::to_string(&profile).unwrap()); }
                continue;
            }
        };
        *tally.entry("compiled".into()).or_default() += 1;
        for s in model::samples(&profile, Arch::X86_64, round) {
            let a = verdict(&ours, s.audit, s.nr, &s.args);
            let b = verdict(&theirs, s.audit, s.nr, &s.args);
            let r = model::read(&profile, Arch::X86_64, &s);
            let kind = match &r { Reading::Matches(m) if m.iter().any(|x| *x != m[0]) => "ambiguous", Reading::Matches(_) => "match", Reading::Plainly(_) => "plain", Reading::Stranger => "stranger", _ => "nothing" };
            *tally.entry(format!("{kind} {} {:x}", a == b, s.audit)).or_default() += 1;
            if a != b && kind != "ambiguous" && shown < 6 {
                shown += 1;
                let again = with_libseccomp(&profile).unwrap();
                println!("AGAIN same {} {:x}", again == theirs, verdict(&again, s.audit, s.nr, &s.args));
                println!("{kind} {s:x?} ours {a:x} theirs {b:x}\n{}", serde_json::to_string(&profile).unwrap());
            }
        }
    }
    println!("{tally:#?}");
    let _ = names::find("read"); let _: Option<Sample> = None;
}
#[test]
fn dump() {
    let text = std::env::var("PROFILE").unwrap();
    let profile: LinuxSeccomp = serde_json::from_str(&text).unwrap();
    for (i, x) in with_libseccomp(&profile).unwrap().instructions.iter().enumerate() {
        println!("{i:3} {:02x} jt {} jf {} k {:x}", x.code, i + 1 + x.jt as usize, i + 1 + x.jf as usize, x.k);
    }
}
#[test]
fn stable() {
    let text = std::env::var("PROFILE").unwrap();
    let profile: LinuxSeccomp = serde_json::from_str(&text).unwrap();
    let mut seen = BTreeMap::new();
    for _ in 0..2000 { *seen.entry(with_libseccomp(&profile).unwrap().bytes()).or_insert(0) += 1; }
    for (k, n) in seen { println!("{n} times {} insns", k.len() / 8); }
}
#[test]
fn tables() {
    for (name, call) in names::all() {
        for arch in [Arch::X86_64, Arch::X32, Arch::X86, Arch::Aarch64, Arch::Arm] {
            let theirs = ScmpSyscall::from_name_by_arch(name, scmp_arch(arch)).ok().map(|c| c.as_raw_syscall());
            let ours = call.number(arch).map(|n| n as i32);
            let t = theirs.filter(|n| *n >= 0);
            if t != ours { println!("{name} {arch:?} {ours:?} {theirs:?}"); }
        }
    }
}
