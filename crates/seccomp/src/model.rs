//! For tests: random profiles, calls worth trying on them, and a plain reading of what a profile means.
//!
//! The reading shares the table of names with the compiler and nothing else: no order, no tree, no words of
//! 32 bits.

use std::collections::BTreeSet;

use oci_spec::runtime::{
    Arch as OciArch, LinuxSeccomp, LinuxSeccompAction as Action, LinuxSeccompArg, LinuxSeccompArgBuilder,
    LinuxSeccompBuilder, LinuxSeccompOperator as Operator, LinuxSyscall, LinuxSyscallBuilder,
};
use proptest::prelude::*;
use proptest::sample::select;

use crate::arch::{Arch, Width, X32_BIT};
use crate::names;

/// A call to try a filter on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sample {
    /// `AUDIT_ARCH_`
    pub audit: u32,
    pub nr: u32,
    pub args: [u64; 6],
}

/// What Docker's documentation lists as blocked.
const BLOCKED: [&str; 54] = [
    "acct",
    "add_key",
    "bpf",
    "clock_adjtime",
    "clock_settime",
    "clone",
    "clone3",
    "create_module",
    "delete_module",
    "fanotify_init",
    "finit_module",
    "fsconfig",
    "fsmount",
    "fsopen",
    "fspick",
    "get_kernel_syms",
    "get_mempolicy",
    "init_module",
    "io_uring_setup",
    "ioperm",
    "iopl",
    "kcmp",
    "kexec_file_load",
    "kexec_load",
    "keyctl",
    "lookup_dcookie",
    "mbind",
    "mount",
    "mount_setattr",
    "move_mount",
    "move_pages",
    "nfsservctl",
    "open_by_handle_at",
    "open_tree",
    "perf_event_open",
    "personality",
    "pivot_root",
    "query_module",
    "quotactl",
    "reboot",
    "request_key",
    "set_mempolicy",
    "setns",
    "settimeofday",
    "socket",
    "swapoff",
    "swapon",
    "sysfs",
    "_sysctl",
    "umount2",
    "unshare",
    "uselib",
    "userfaultfd",
    "vm86",
];

/// A profile that allows what Docker's documentation does not list as blocked, with the same conditions on
/// arguments: about as many names and rules as the real one.
pub(crate) fn docker_like() -> LinuxSeccomp {
    let young = |call: &names::Call| call.number(Arch::X86_64).is_some_and(|number| number > 462);
    let allowed: Vec<&str> = names::all()
        .filter(|(name, call)| !BLOCKED.contains(name) && !young(call))
        .map(|(name, _)| name)
        .collect();
    let allow = |name: &str, value: u64, two: u64, op: &str| {
        serde_json::json!({
            "names": [name], "action": "SCMP_ACT_ALLOW",
            "args": [{ "index": 0, "value": value, "valueTwo": two, "op": op }],
        })
    };
    let mut syscalls = vec![serde_json::json!({ "names": allowed, "action": "SCMP_ACT_ALLOW" })];
    for persona in [0x0, 0x8, 0x2_0000, 0x2_0008, 0xffff_ffff] {
        syscalls.push(allow("personality", persona, 0, "SCMP_CMP_EQ"));
    }
    syscalls.push(allow("socket", 40, 0, "SCMP_CMP_NE"));
    syscalls.push(allow("clone", 0x7e02_0000, 0, "SCMP_CMP_MASKED_EQ"));
    syscalls.push(serde_json::json!({ "names": ["clone3"], "action": "SCMP_ACT_ERRNO", "errnoRet": 38 }));
    let profile = serde_json::json!({
        "defaultAction": "SCMP_ACT_ERRNO", "defaultErrnoRet": 1,
        "architectures": ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"],
        "syscalls": syscalls,
    });
    serde_json::from_value(profile).expect("the specification allows it")
}

/// Names with something special about them: multiplexed on i386, other numbers on x32, only on some
/// architectures, private to ARM, first and last of a table, unknown.
const NAMES: [&str; 22] = [
    "read",
    "write",
    "socket",
    "bind",
    "send",
    "semop",
    "shmat",
    "socketcall",
    "ipc",
    "clone",
    "personality",
    "ioctl",
    "rt_sigaction",
    "preadv2",
    "openat2",
    "chown32",
    "futex_time64",
    "vserver",
    "set_tls",
    "newfstatat",
    "file_setattr",
    "no_such_call",
];

const VALUES: [u64; 14] = [
    0,
    1,
    2,
    7,
    8,
    0xff,
    0x7fff_ffff,
    0x8000_0000,
    0xffff_ffff,
    0x1_0000_0000,
    0x1_0000_0007,
    0x2_0000_0001,
    0x8000_0000_0000_0000,
    u64::MAX,
];

const OPERATORS: [Operator; 7] = [
    Operator::ScmpCmpEq,
    Operator::ScmpCmpNe,
    Operator::ScmpCmpLt,
    Operator::ScmpCmpLe,
    Operator::ScmpCmpGe,
    Operator::ScmpCmpGt,
    Operator::ScmpCmpMaskedEq,
];

fn args() -> impl Strategy<Value = Vec<LinuxSeccompArg>> {
    let value = || prop_oneof![4 => select(&VALUES[..]), 1 => any::<u64>()];
    // Small indexes meet more often.
    let index = prop_oneof![0..6usize, 0..2usize];
    let arg = (index, value(), value(), select(&OPERATORS[..])).prop_map(|(index, value, two, op)| {
        let arg = LinuxSeccompArgBuilder::default().index(index).value(value).value_two(two).op(op);
        arg.build().expect("all fields are set")
    });
    prop_oneof![2 => Just(Vec::new()), 3 => prop::collection::vec(arg, 1..4)]
}

fn block() -> impl Strategy<Value = LinuxSyscall> {
    let name = prop_oneof![
        3 => select(&NAMES[..]),
        1 => select(names::all().map(|(name, _)| name).collect::<Vec<_>>()),
    ];
    let action = prop_oneof![
        3 => Just((Action::ScmpActAllow, None)),
        2 => (0..4u32).prop_map(|errno| (Action::ScmpActErrno, Some(errno))),
        1 => Just((Action::ScmpActErrno, None)),
        1 => Just((Action::ScmpActTrap, None)),
        1 => Just((Action::ScmpActNotify, None)),
        1 => Just((Action::ScmpActKillProcess, None)),
        1 => Just((Action::ScmpActTrace, Some(0xffff))),
    ];
    let names = prop::collection::vec(name.prop_map(String::from), 1..6);
    (names, action, args()).prop_map(|(mut names, (action, errno), args)| {
        if action == Action::ScmpActNotify {
            names.iter_mut().filter(|name| *name == "write").for_each(|name| "read".clone_into(name));
        }
        let mut block = LinuxSyscallBuilder::default().names(names).action(action).args(args);
        if let Some(errno) = errno {
            block = block.errno_ret(errno);
        }
        block.build().expect("all fields are set")
    })
}

/// Profiles that the specification allows, for machines of x86-64 and of aarch64.
pub(crate) fn profiles() -> impl Strategy<Value = LinuxSeccomp> {
    let default = select(vec![
        Action::ScmpActErrno,
        Action::ScmpActAllow,
        Action::ScmpActKillProcess,
        Action::ScmpActTrap,
        Action::ScmpActLog,
    ]);
    let listed = select(vec![
        OciArch::ScmpArchNative,
        OciArch::ScmpArchX86_64,
        OciArch::ScmpArchX86,
        OciArch::ScmpArchX32,
        OciArch::ScmpArchArm,
        OciArch::ScmpArchAarch64,
    ]);
    let listed = prop::collection::vec(listed, 0..5);
    (default, listed, prop::collection::vec(block(), 0..8)).prop_map(|(default, listed, blocks)| {
        let profile =
            LinuxSeccompBuilder::default().default_action(default).architectures(listed).syscalls(blocks);
        profile.build().expect("all fields are set")
    })
}

/// Profiles in which many rules with conditions meet at few calls.
pub(crate) fn crowded() -> impl Strategy<Value = LinuxSeccomp> {
    let condition = (0..3usize, select(&VALUES[..]), select(&VALUES[..]), select(&OPERATORS[..]));
    let arg = condition.prop_map(|(index, value, two, op)| {
        let arg = LinuxSeccompArgBuilder::default().index(index).value(value).value_two(two).op(op);
        arg.build().expect("all fields are set")
    });
    let action = select(vec![Action::ScmpActAllow, Action::ScmpActTrap, Action::ScmpActLog]);
    let name = select(vec!["read", "ioctl", "clone"]).prop_map(String::from);
    let block = (name, action, prop::collection::vec(arg, 1..4)).prop_map(|(name, action, args)| {
        let block = LinuxSyscallBuilder::default().names(vec![name]).action(action).args(args);
        block.build().expect("all fields are set")
    });
    let listed = prop::collection::vec(select(vec![OciArch::ScmpArchX86, OciArch::ScmpArchX32]), 0..3);
    (listed, prop::collection::vec(block, 2..7)).prop_map(|(listed, blocks)| {
        let profile = LinuxSeccompBuilder::default()
            .default_action(Action::ScmpActErrno)
            .architectures(listed)
            .syscalls(blocks);
        profile.build().expect("all fields are set")
    })
}

fn blocks(profile: &LinuxSeccomp) -> &[LinuxSyscall] {
    profile.syscalls().as_deref().unwrap_or_default()
}

/// The architectures of `profile` that `native` can run, native included.
pub(crate) fn architectures(profile: &LinuxSeccomp, native: Arch) -> Vec<Arch> {
    let mut all = vec![native];
    let listed = profile.architectures().iter().flatten().filter_map(|arch| Arch::from_oci(*arch, native));
    all.extend(listed.filter(|arch| arch.runs_on(native)));
    all
}

/// Calls around everything that `profile` mentions. The same seed gives the same calls.
pub(crate) fn samples(profile: &LinuxSeccomp, native: Arch, seed: u64) -> Vec<Sample> {
    let mut seed = seed | 1;
    let mut random = move |limit: usize| {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        (seed % limit as u64) as usize
    };
    let mut values: BTreeSet<u64> = VALUES.into_iter().chain([1, 21, 24]).collect();
    for arg in blocks(profile).iter().flat_map(|block| block.args().iter().flatten()) {
        for value in [arg.value(), arg.value_two().unwrap_or_default()] {
            let near = [0, 1, u64::MAX, 1 << 32, (1 << 32) + 1, u64::MAX << 32];
            values.extend(near.map(|distance| value.wrapping_add(distance)));
        }
    }
    let values: Vec<u64> = values.into_iter().collect();

    let family: &[Arch] = if native.runs_on(Arch::X86) {
        &[Arch::X86_64, Arch::X32, Arch::X86]
    } else {
        &[Arch::Aarch64, Arch::Arm]
    };
    let mut calls: BTreeSet<(u32, u32)> = BTreeSet::new();
    for arch in family {
        for base in [0, 102, 117, 470, 471, 472, 511, 512, 547, 548, 0xf_0000, 0xf_0007, 0x10_0000] {
            calls.extend([(arch.audit(), base), (arch.audit(), base | X32_BIT)]);
        }
        calls.extend([X32_BIT - 1, u32::MAX - 1, u32::MAX].map(|number| (arch.audit(), number)));
        for name in blocks(profile).iter().flat_map(LinuxSyscall::names) {
            let Some(number) = names::find(name).and_then(|call| call.number(*arch)) else { continue };
            calls.extend([-1, 0, 1].map(|step| (arch.audit(), number.wrapping_add_signed(step))));
        }
    }
    calls.insert((0x1234_5678, 0));
    let mut samples = Vec::new();
    for (audit, nr) in calls {
        for _ in 0..24 {
            samples.push(Sample { audit, nr, args: std::array::from_fn(|_| values[random(values.len())]) });
        }
    }
    samples
}

/// What a profile says about one call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Reading {
    /// Nobody's number.
    Stranger,
    /// There is no rule. `newcomer`: the number is larger than all that the profile names.
    Nothing { newcomer: bool },
    /// Rules without conditions; the first one counts.
    Plainly(u32),
    /// There are `rules` rules with conditions; these actions are of those that match, in the order of the
    /// profile.
    Conditionally { rules: usize, matching: Vec<u32> },
}

impl Reading {
    /// The verdicts that it justifies, where new calls are not told from old ones.
    #[cfg(feature = "oracle")]
    pub(crate) fn permitted(&self, profile: &LinuxSeccomp) -> Vec<u32> {
        const KILL_THREAD: u32 = 0;
        let default = profile.default_action().as_u32(profile.default_errno_ret());
        match self {
            Reading::Stranger => vec![KILL_THREAD],
            Reading::Nothing { .. } => vec![default],
            Reading::Plainly(action) => vec![*action],
            Reading::Conditionally { matching, .. } if matching.is_empty() => vec![default],
            Reading::Conditionally { matching, .. } => matching.clone(),
        }
    }
}

/// `profile` with those of its rules that match this call.
#[cfg(feature = "oracle")]
pub(crate) fn only_matching(profile: &LinuxSeccomp, native: Arch, sample: &Sample) -> LinuxSeccomp {
    let mut only = profile.clone();
    let mut kept = Vec::new();
    for block in blocks(profile) {
        for (name, args) in block
            .names()
            .iter()
            .flat_map(|name| alternatives(block, None).into_iter().map(move |args| (name.clone(), args)))
        {
            let mut alone = block.clone();
            alone.set_names(vec![name]);
            alone.set_args(Some(args));
            only.set_syscalls(Some(vec![alone.clone()]));
            let reading = read(&only, native, sample);
            if matches!(reading, Reading::Conditionally { matching, .. } if !matching.is_empty()) {
                kept.push(alone);
            }
        }
    }
    only.set_syscalls(Some(kept));
    only
}

/// Is `sample` a call with 64-bit arguments, and do two rules of `profile` compare one of them with values
/// whose high words are the same?
#[cfg(feature = "oracle")]
pub(crate) fn shares_a_high_word(profile: &LinuxSeccomp, sample: &Sample) -> bool {
    let args = |block: &LinuxSyscall| block.args().clone().unwrap_or_default();
    let shared = |a: &LinuxSeccompArg, b: &LinuxSeccompArg| {
        a.index() == b.index() && a.value() >> 32 == b.value() >> 32
    };
    if sample.audit != Arch::X86_64.audit() || !Arch::X86_64.numbers().contains(&sample.nr) {
        return false;
    }
    let mut rest = blocks(profile);
    while let [rule, others @ ..] = rest {
        let mut pairs = others.iter().flat_map(|other| {
            args(rule).into_iter().flat_map(|a| args(other).into_iter().map(move |b| (a, b)))
        });
        if pairs.any(|(a, b)| shared(&a, &b)) {
            return true;
        }
        rest = others;
    }
    false
}

/// Reads `profile` for one call, rule by rule.
pub(crate) fn read(profile: &LinuxSeccomp, native: Arch, sample: &Sample) -> Reading {
    let architectures = architectures(profile, native);
    let same_audit = |arch: &Arch| arch.audit() == sample.audit;
    let Some(arch) =
        architectures.iter().filter(|arch| same_audit(arch)).find(|arch| arch.numbers().contains(&sample.nr))
    else {
        let skipped = architectures.iter().any(same_audit) && sample.nr == u32::MAX;
        return if skipped { Reading::Nothing { newcomer: false } } else { Reading::Stranger };
    };
    let default = profile.default_action().as_u32(profile.default_errno_ret());
    let (mut rules, mut matching, mut largest) = (0, Vec::new(), None);
    for block in blocks(profile) {
        let action = block.action().as_u32(block.errno_ret());
        for call in block.names().iter().filter_map(|name| names::find(name)) {
            let number = call.number(*arch);
            largest = largest.max(number.filter(|number| !arch.apart().contains(number)));
            let multiplexer =
                call.i386_multiplexer().filter(|(by, _)| *arch == Arch::X86 && *by == sample.nr);
            if action == default || (number != Some(sample.nr) && multiplexer.is_none()) {
                continue;
            }
            for conditions in alternatives(block, multiplexer.map(|(_, value)| value)) {
                let conditions: Vec<_> = conditions.iter().filter(|arg| !always(arg, arch.width())).collect();
                if conditions.is_empty() {
                    return Reading::Plainly(action);
                }
                rules += 1;
                if conditions.iter().all(|arg| holds(arg, arch.width(), &sample.args)) {
                    matching.push(action);
                }
            }
        }
    }
    let newcomer = largest.is_some_and(|largest| largest < sample.nr) && !arch.apart().contains(&sample.nr);
    if rules == 0 { Reading::Nothing { newcomer } } else { Reading::Conditionally { rules, matching } }
}

/// The conditions of a block: one list, or one for each condition if an argument occurs twice. For a
/// multiplexer, argument 0 is the number of the call.
fn alternatives(block: &LinuxSyscall, multiplexed: Option<u64>) -> Vec<Vec<LinuxSeccompArg>> {
    let args = block.args().clone().unwrap_or_default();
    let different: BTreeSet<usize> = args.iter().map(|arg| arg.index()).collect();
    let mut lists: Vec<Vec<LinuxSeccompArg>> =
        if different.len() < args.len() { args.chunks(1).map(<[_]>::to_vec).collect() } else { vec![args] };
    if let Some(value) = multiplexed {
        let number = LinuxSeccompArgBuilder::default().index(0usize).value(value).op(Operator::ScmpCmpEq);
        let number = number.build().expect("all fields are set");
        for list in &mut lists {
            list.retain(|arg| arg.index() != 0);
            list.push(number);
        }
    }
    lists
}

fn seen_by(width: Width, value: u64) -> u64 {
    match width {
        Width::Bits32 => value & 0xffff_ffff,
        Width::Bits64 => value,
    }
}

fn always(arg: &LinuxSeccompArg, width: Width) -> bool {
    arg.op() == Operator::ScmpCmpMaskedEq && seen_by(width, arg.value()) == 0
}

fn holds(arg: &LinuxSeccompArg, width: Width, actual: &[u64; 6]) -> bool {
    let (is, value) = (seen_by(width, actual[arg.index()]), seen_by(width, arg.value()));
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
