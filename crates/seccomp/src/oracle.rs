//! Compares every verdict with that of libseccomp, which all other runtimes compile their profiles with.
//!
//! libseccomp is right about single rules, and about several rules for one call that compare one argument in
//! one way. Beyond that its version 2.5.4 errs now and then: it compares a high word with a low one that an
//! earlier rule has loaded. So the comparison is exact where it can be, and elsewhere the plain reading of
//! `model` decides who is right.

use std::collections::BTreeSet;
use std::io::Read;

use libseccomp::{ScmpAction, ScmpArch, ScmpArgCompare, ScmpCompareOp, ScmpFilterContext, ScmpSyscall};
use oci_spec::runtime::{
    LinuxSeccomp, LinuxSeccompAction as Action, LinuxSeccompArg, LinuxSeccompOperator as Operator,
};
use proptest::prelude::*;
use proptest::sample::select;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;

use crate::model::{self, Reading, Sample};
use crate::{Arch, Filter, Instruction, Newcomers, Problem, Program, compile_with, names, verdict};

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
    let filter = Filter { instructions: instructions.collect(), flags: 0 };
    Some(Program { filter, listener: None, notes: Vec::new() })
}

fn ours(profile: &LinuxSeccomp) -> Result<Program, Vec<Problem>> {
    compile_with(profile, Arch::X86_64, Newcomers::Default)
}

/// `profile` without the names that one of the two does not know.
fn known_to_both(mut profile: LinuxSeccomp) -> LinuxSeccomp {
    let known = |name: &&String| names::find(name).is_some() && ScmpSyscall::from_name(name).is_ok();
    let mut blocks = profile.syscalls().clone().unwrap_or_default();
    for block in &mut blocks {
        let names = block.names().iter().filter(known).cloned().collect();
        block.set_names(names);
    }
    blocks.retain(|block| !block.names().is_empty());
    profile.set_syscalls(Some(blocks));
    profile
}

/// `profile` without a second mention of any name, and without rules that fall into several.
fn one_rule_per_call(mut profile: LinuxSeccomp) -> LinuxSeccomp {
    let mut seen = BTreeSet::from(["socketcall".to_owned(), "ipc".to_owned()]);
    let mut blocks = profile.syscalls().clone().unwrap_or_default();
    for block in &mut blocks {
        let names = block.names().iter().filter(|name| seen.insert((*name).clone())).cloned().collect();
        block.set_names(names);
        let mut indexes = BTreeSet::new();
        let args = block.args().iter().flatten().filter(|arg| indexes.insert(arg.index())).copied();
        let args = args.collect();
        block.set_args(Some(args));
    }
    blocks.retain(|block| !block.names().is_empty());
    profile.set_syscalls(Some(blocks));
    profile
}

/// `profile` with the first condition of each rule. Several rules with several conditions each are more than
/// libseccomp 2.5.4 can take: it loses some, and now and then it never returns.
fn one_condition_per_rule(mut profile: LinuxSeccomp) -> LinuxSeccomp {
    let mut blocks = profile.syscalls().clone().unwrap_or_default();
    for block in &mut blocks {
        let first = block.args().iter().flatten().take(1).copied().collect();
        block.set_args(Some(first));
    }
    profile.set_syscalls(Some(blocks));
    profile
}

/// Whether the part for `audit` looks at the number before it compares. libseccomp 2.5.4 forgets to load it
/// when the first call of a part does not exist there.
fn loads_the_number(program: &Program, audit: u32) -> bool {
    let mut at = 1;
    loop {
        let Instruction { code, jt, jf, k } = program.filter.instructions[at];
        let is_architecture = [Arch::X86_64, Arch::X86].iter().any(|arch| arch.audit() == k);
        match code {
            0x15 if is_architecture => at += 1 + usize::from(if k == audit { jt } else { jf }),
            0x05 => at += 1 + k as usize,
            0x15 | 0x25 | 0x35 => return false,
            _ => return true,
        }
    }
}

/// (our verdict, libseccomp's verdict) for every sample where they differ.
fn differences(profile: &LinuxSeccomp, seed: u64) -> Option<Vec<(Sample, u32, u32)>> {
    let theirs = with_libseccomp(profile)?;
    let ours = ours(profile).ok()?;
    let samples = model::samples(profile, Arch::X86_64, seed).into_iter();
    let both = samples.map(|sample| {
        let of = |program| verdict(program, sample.audit, sample.nr, &sample.args);
        (sample, of(&ours), of(&theirs))
    });
    Some(both.filter(|(sample, a, b)| a != b && loads_the_number(&theirs, sample.audit)).collect())
}

#[test]
fn names_have_the_same_numbers() {
    for (name, call) in names::all() {
        for arch in [Arch::X86_64, Arch::X32, Arch::X86, Arch::Aarch64, Arch::Arm] {
            let Ok(theirs) = ScmpSyscall::from_name_by_arch(name, scmp_arch(arch)) else { continue };
            let theirs = u32::try_from(theirs.as_raw_syscall()).ok();
            if arch == Arch::X86 && call.i386_multiplexer().is_some() {
                assert_eq!(theirs, None, "{name}: libseccomp reports multiplexed calls as such");
            } else {
                assert_eq!(call.number(arch), theirs, "{name} {arch:?}");
            }
        }
    }
}

#[test]
fn a_profile_like_that_of_docker_means_the_same() {
    let profile = known_to_both(model::docker_like());
    let names: usize = profile.syscalls().iter().flatten().map(|block| block.names().len()).sum();
    assert!(names > 350, "only {names} names are left");
    assert_eq!(differences(&profile, 1), Some(Vec::new()));
}

/// The profile that podman gives to a container without further privileges.
#[test]
fn the_default_profile_of_podman_means_the_same() {
    const INSTALLED: &str = "/usr/share/containers/seccomp.json";
    let Ok(text) = std::fs::read_to_string(INSTALLED) else {
        println!("not compared: {INSTALLED} is not there (Debian package golang-github-containers-common)");
        return;
    };
    let mut file: serde_json::Value = serde_json::from_str(&text).expect("the file is JSON");
    let blocks = file["syscalls"].as_array_mut().expect("the file lists rules");
    blocks.retain(|block| {
        let includes = &block["includes"];
        let amd64 =
            includes["arches"].as_array().is_none_or(|arches| arches.iter().any(|arch| arch == "amd64"));
        amd64 && includes["caps"].is_null()
    });
    file["architectures"] = serde_json::json!(["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"]);
    let profile = known_to_both(serde_json::from_value(file).expect("the rules are those of OCI"));
    assert_eq!(differences(&profile, 1), Some(Vec::new()));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..Default::default() })]

    #[test]
    fn single_rules_mean_the_same(profile in model::profiles(), seed in any::<u64>()) {
        let profile = one_rule_per_call(known_to_both(profile));
        prop_assert!(with_libseccomp(&profile).is_some());
        prop_assert!(ours(&profile).is_ok());
        let differences = differences(&profile, seed).unwrap_or_default();
        prop_assert!(differences.is_empty(), "{:x?}", differences[0]);
    }

    /// Where several rules match, libseccomp and we ask them in the same order, and refuse the same
    /// contradictions.
    #[test]
    fn overlapping_rules_mean_the_same(
        (strict, other) in select(vec![("EQ", "NE"), ("LT", "LE"), ("GT", "GE")]),
        rules in prop::collection::vec((0..8u64, any::<bool>(), 1..4u32), 1..6),
        listed in select(vec!["SCMP_ARCH_NATIVE", "SCMP_ARCH_X86", "SCMP_ARCH_X32"]),
    ) {
        let blocks: Vec<_> = rules.iter().map(|(value, first, errno)| serde_json::json!({
            "names": ["read"], "action": "SCMP_ACT_ERRNO", "errnoRet": errno,
            "args": [{
                "index": 0, "value": value, "op": format!("SCMP_CMP_{}", if *first { strict } else { other }),
            }],
        })).collect();
        let profile: LinuxSeccomp = serde_json::from_value(serde_json::json!({
            "defaultAction": "SCMP_ACT_ALLOW", "architectures": [listed], "syscalls": blocks,
        })).expect("the specification allows it");
        prop_assert_eq!(ours(&profile).is_ok(), with_libseccomp(&profile).is_some());
        let (Ok(ours), Some(theirs)) = (ours(&profile), with_libseccomp(&profile)) else { return Ok(()) };
        let read = [(Arch::X86_64, 0), (Arch::X86, 3)].into_iter();
        for ((arch, nr), value) in read.flat_map(|call| (0..10).map(move |value| (call, value))) {
            let of = |program| verdict(program, arch.audit(), nr, &[value, 0, 0, 0, 0, 0]);
            prop_assert_eq!(of(&ours), of(&theirs), "{:?} {}", arch, value);
        }
    }
}

/// Several rules of any kind: a difference is only accepted where several rules with conditions meet, and
/// there must be few.
#[test]
fn differences_are_rare_and_only_where_several_rules_meet() {
    let (mut compared, mut different) = (0, 0);
    let mut runner = TestRunner::deterministic();
    let strategy = (model::profiles().prop_map(known_to_both).prop_map(one_condition_per_rule), any::<u64>());
    for _ in 0..2000 {
        let (profile, seed) = strategy.new_tree(&mut runner).expect("a profile can be made").current();
        let Some(differences) = differences(&profile, seed) else { continue };
        let samples = model::samples(&profile, Arch::X86_64, seed);
        let meet = |sample: &Sample| {
            matches!(model::read(&profile, Arch::X86_64, sample), Reading::Conditionally { rules: 2.., .. })
        };
        compared += samples.iter().filter(|sample| meet(sample)).count();
        different += differences.len();
        for (sample, ours, theirs) in differences {
            assert!(meet(&sample), "{sample:x?}: ours {ours:x}, theirs {theirs:x} in {profile:?}");
        }
    }
    assert!(compared > 10_000 && different * 200 < compared, "{different} of {compared} differ");
}
