//! Profiles compiled by libseccomp, as runc has it done.

use std::io::Read;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use libseccomp::{ScmpAction, ScmpArch, ScmpArgCompare, ScmpCompareOp, ScmpFilterContext, ScmpSyscall};
use oci_spec::runtime::{
    LinuxSeccomp, LinuxSeccompAction as Action, LinuxSeccompArg, LinuxSeccompOperator as Operator,
};

use crate::model;
use crate::{Arch, Filter, Instruction, Program};

/// How long libseccomp may work on a profile: it takes some milliseconds, or for ever.
const PATIENCE: Duration = Duration::from_secs(10);

/// What libseccomp makes of a profile.
pub enum Answer {
    Program(Program),
    /// It refuses a rule.
    Refused,
    /// It does not come to an end. (The thread runs on until the test ends.)
    None,
}

/// The library's version.
pub fn version() -> String {
    libseccomp::ScmpVersion::current().expect("libseccomp tells its version").to_string()
}

/// Does it know this call?
pub fn knows(name: &str) -> bool {
    ScmpSyscall::from_name(name).is_ok()
}

/// The number that it has for a call; negative where it has none.
pub fn number(name: &str, arch: Arch) -> Option<i32> {
    ScmpSyscall::from_name_by_arch(name, scmp_arch(arch)).ok().map(ScmpSyscall::as_raw_syscall)
}

/// Lets it compile.
pub fn compile(profile: &LinuxSeccomp) -> Answer {
    let (send, receive) = channel();
    let profile = profile.clone();
    thread::spawn(move || send.send(with_libseccomp(&profile)));
    match receive.recv_timeout(PATIENCE) {
        Ok(Some(program)) => Answer::Program(program),
        Ok(None) => Answer::Refused,
        Err(RecvTimeoutError::Timeout) => Answer::None,
        Err(RecvTimeoutError::Disconnected) => panic!("the thread that asks libseccomp has failed"),
    }
}

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
