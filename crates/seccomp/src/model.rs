//! For tests: random profiles, calls worth trying on them, and a plain reading of what a profile means.
//!
//! The reading shares the table of names with the compiler and nothing else: no order, no tree, no words of 32 bits.

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
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sample {
    /// `AUDIT_ARCH_`
    pub audit: u32,
    pub nr: u32,
    pub args: [u64; 6],
}

/// Names with something special about them: multiplexed on i386, other numbers on x32, only on some
/// architectures, private to ARM, first and last of a table, unknown.
const NAMES: [&str; 22] = [
    "read", "write", "socket", "bind", "send", "semop", "shmat", "socketcall", "ipc", "clone", "personality", "ioctl",
    "rt_sigaction", "preadv2", "openat2", "chown32", "futex_time64", "vserver", "set_tls", "newfstatat",
    "file_setattr", "no_such_call",
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
        1 => Just((Action::ScmpActKillProcess, None)),
        1 => Just((Action::ScmpActTrace, Some(0xffff))),
    ];
    let names = prop::collection::vec(name.prop_map(String::from), 1..6);
    (names, action, args()).prop_map(|(names, (action, errno), args)| {
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

    let family: &[Arch] =
        if native.runs_on(Arch::X86) { &[Arch::X86_64, Arch::X32, Arch::X86] } else { &[Arch::Aarch64, Arch::Arm] };
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
    /// No rule matches. `newcomer`: the number is larger than all that the profile names.
    Nothing { newcomer: bool },
    /// Rules without conditions; the first one counts.
    Plainly(u32),
    /// Rules with conditions that match, in the order of the profile.
    Matches(Vec<u32>),
}

/// Reads `profile` for one call, rule by rule.
pub(crate) fn read(profile: &LinuxSeccomp, native: Arch, sample: &Sample) -> Reading {
    let belongs = |arch: &Arch| arch.audit() == sample.audit && arch.numbers().contains(&sample.nr);
    let Some(arch) = architectures(profile, native).into_iter().find(belongs) else {
        let listed = architectures(profile, native).iter().any(|arch| arch.audit() == sample.audit);
        let skipped = listed && sample.nr == u32::MAX;
        return if skipped { Reading::Nothing { newcomer: false } } else { Reading::Stranger };
    };
    let default = profile.default_action().as_u32(profile.default_errno_ret());
    let mut matches = Vec::new();
    let mut named = Vec::new();
    for block in blocks(profile) {
        let action = block.action().as_u32(block.errno_ret());
        for call in block.names().iter().filter_map(|name| names::find(name)) {
            named.extend(call.number(arch));
            let direct = call.number(arch) == Some(sample.nr);
            let multiplexed =
                call.i386_multiplexer().filter(|(by, _)| arch == Arch::X86 && *by == sample.nr).map(|(_, value)| value);
            if action == default || !(direct || multiplexed.is_some()) {
                continue;
            }
            let args = block.args().as_deref().unwrap_or_default();
            match holds(args, multiplexed, arch.width(), &sample.args) {
                // Rules are read in order, so this is the first of them.
                Held::Unconditionally => return Reading::Plainly(action),
                Held::Yes => matches.push(action),
                Held::No => {}
            }
        }
    }
    if !matches.is_empty() {
        return Reading::Matches(matches);
    }
    named.retain(|number| !arch.apart().contains(number));
    let newcomer = named.iter().max().is_some_and(|largest| *largest < sample.nr);
    Reading::Nothing { newcomer: newcomer && !arch.apart().contains(&sample.nr) }
}

enum Held {
    Unconditionally,
    Yes,
    No,
}

/// Whether the conditions hold for `actual`: all of them, or any if an argument occurs twice.
fn holds(args: &[LinuxSeccompArg], multiplexed: Option<u64>, width: Width, actual: &[u64; 6]) -> Held {
    let seen = |value: u64| if width == Width::Bits32 { value as u32 as u64 } else { value };
    let vacuous = |arg: &LinuxSeccompArg| arg.op() == Operator::ScmpCmpMaskedEq && seen(arg.value()) == 0;
    let one = |arg: &LinuxSeccompArg| {
        let (is, value) = (seen(actual[arg.index()]), seen(arg.value()));
        match arg.op() {
            Operator::ScmpCmpEq => is == value,
            Operator::ScmpCmpNe => is != value,
            Operator::ScmpCmpLt => is < value,
            Operator::ScmpCmpLe => is <= value,
            Operator::ScmpCmpGe => is >= value,
            Operator::ScmpCmpGt => is > value,
            Operator::ScmpCmpMaskedEq => is & value == arg.value_two().unwrap_or_default() & value,
        }
    };
    if multiplexed.is_some_and(|value| seen(actual[0]) != value) {
        return Held::No;
    }
    let counts = |arg: &&LinuxSeccompArg| multiplexed.is_none() || arg.index() != 0;
    let indexes: BTreeSet<usize> = args.iter().map(|arg| arg.index()).collect();
    let any = indexes.len() < args.len();
    let vacuously = if any { args.iter().any(|arg| !counts(&arg) || vacuous(arg)) } else { args.iter().filter(counts).all(vacuous) };
    let held = if any {
        args.iter().any(|arg| !counts(&arg) || one(arg))
    } else {
        args.iter().filter(counts).all(one)
    };
    match (vacuously && multiplexed.is_none(), held) {
        (true, _) => Held::Unconditionally,
        (false, true) => Held::Yes,
        (false, false) => Held::No,
    }
}
