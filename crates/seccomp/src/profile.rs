//! Reads a profile: checks it, and sorts its rules by architecture and number.
//!
//! Sources: OCI runtime spec `config-linux.md` (Seccomp), seccomp(2) for flags and return values.

use std::fmt::{self, Display};

use oci_spec::runtime::{
    LinuxSeccomp, LinuxSeccompAction as Action, LinuxSeccompArg, LinuxSeccompFilterFlag as Flag,
    LinuxSeccompOperator as Operator, LinuxSyscall,
};

use crate::arch::Arch;
use crate::names::{self, Call};
use crate::rules::{Condition, Conflict, Rule, Test};
use crate::{Kind, Note, Problem};

const EPERM: u32 = 1;
/// The largest errno that a system call can return (`MAX_ERRNO`).
const LARGEST_ERRNO: u32 = 4095;

const FLAG_LOG: u32 = 1 << 1;
const FLAG_SPEC_ALLOW: u32 = 1 << 2;
const FLAG_NEW_LISTENER: u32 = 1 << 3;
const FLAG_WAIT_KILLABLE_RECV: u32 = 1 << 5;

/// A checked profile, still without an order among its rules.
pub(crate) struct Policy {
    /// The value that the filter returns when no rule matches.
    pub default: u32,
    /// All rules, in the order of the profile.
    pub rules: Vec<Rule>,
    /// The native architecture first, then as listed.
    pub calls: Vec<Calls>,
    pub flags: u32,
    /// The flags of the filter with the listener, if some call is handed to a supervisor.
    pub listener_flags: Option<u32>,
    pub notes: Vec<Note>,
}

/// What the profile says about the calls of one architecture.
pub(crate) struct Calls {
    pub arch: Arch,
    /// (number, index in `rules`), sorted; so the rules of one number keep the order of the profile.
    pub named: Vec<(u32, u32)>,
    /// The largest number of the ordinary table that the profile names, even if to no effect.
    pub largest: Option<u32>,
}

/// Checks `profile` and looks up its names.
pub(crate) fn read(profile: &LinuxSeccomp, native: Arch) -> Result<Policy, Vec<Problem>> {
    let mut reader = Reader::new(native);
    reader.architectures(profile, native);
    reader.default_action(profile);
    let blocks = profile.syscalls().as_deref().unwrap_or_default();
    for (place, block) in blocks.iter().enumerate() {
        reader.block(place, block);
    }
    reader.flags(profile.flags().as_deref());
    for calls in &mut reader.policy.calls {
        calls.named.sort_unstable();
    }
    if reader.problems.is_empty() { Ok(reader.policy) } else { Err(reader.problems) }
}

/// The sentence for two rules that contradict each other.
pub(crate) fn contradiction(profile: &LinuxSeccomp, conflict: &Conflict) -> Problem {
    let Conflict { arch, number, earlier, later } = *conflict;
    let means_number = |name: &&String| {
        let Some(call) = names::find(name) else { return false };
        let multiplexed = arch == Arch::X86 && call.i386_multiplexer().is_some_and(|(by, _)| by == number);
        call.number(arch) == Some(number) || multiplexed
    };
    let block = profile.syscalls().as_ref().and_then(|blocks| blocks.get(later));
    let name = block.and_then(|block| block.names().iter().find(means_number)).map_or("", String::as_str);
    Problem::new(
        format!("/syscalls/{later}"),
        format!(
            "for `{name}` ({arch:?}), this rule and /syscalls/{earlier} ask for different actions \
             where both match"
        ),
        "keep one of the two, or let their conditions exclude each other",
    )
}

/// Gathers the policy and everything that is wrong on the way.
struct Reader {
    policy: Policy,
    problems: Vec<Problem>,
}

impl Reader {
    fn new(native: Arch) -> Self {
        let native = Calls { arch: native, named: Vec::with_capacity(512), largest: None };
        let (rules, notes) = (Vec::with_capacity(64), Vec::new());
        let policy = Policy { default: 0, rules, calls: vec![native], flags: 0, listener_flags: None, notes };
        Self { policy, problems: Vec::new() }
    }

    fn problem(&mut self, at: impl Display, message: impl Into<String>, cure: impl Into<String>) {
        self.problems.push(Problem::new(at.to_string(), message, cure));
    }

    fn architectures(&mut self, profile: &LinuxSeccomp, native: Arch) {
        for (place, listed) in profile.architectures().as_deref().unwrap_or_default().iter().enumerate() {
            match Arch::from_oci(*listed, native) {
                Some(arch) if arch.runs_on(native) => {
                    if !self.policy.calls.iter().any(|calls| calls.arch == arch) {
                        self.policy.calls.push(Calls { arch, named: Vec::with_capacity(512), largest: None });
                    }
                }
                _ => self.policy.notes.push(Note {
                    kind: Kind::ForeignArch,
                    at: format!("/architectures/{place}"),
                    message: format!("{listed} has no effect, this machine never runs its programs"),
                }),
            }
        }
    }

    fn default_action(&mut self, profile: &LinuxSeccomp) {
        if profile.default_action() == Action::ScmpActNotify {
            self.problem(
                "/defaultAction",
                "SCMP_ACT_NOTIFY cannot be used as default action: the listener could not be handed over",
                "list the calls to be notified about under syscalls",
            );
        }
        match return_value(profile.default_action(), profile.default_errno_ret()) {
            Ok(value) => self.policy.default = value,
            Err((message, cure)) => self.problem("/defaultErrnoRet", message, cure),
        }
    }

    fn block(&mut self, place: usize, block: &LinuxSyscall) {
        let action = return_value(block.action(), block.errno_ret()).unwrap_or_else(|(message, cure)| {
            self.problem(format_args!("/syscalls/{place}/errnoRet"), message, cure);
            self.policy.default
        });
        let first_rule = self.policy.rules.len();
        self.add_rules(place, action, block.args().as_deref().unwrap_or_default());
        if action == self.policy.default {
            // Without effect, as in runc: not even against other rules for the same call.
            self.policy.rules.truncate(first_rule);
        }
        let rules = first_rule..self.policy.rules.len();
        if block.action() == Action::ScmpActNotify {
            self.policy.listener_flags = Some(FLAG_NEW_LISTENER);
        }
        if block.names().is_empty() {
            let cure = "name at least one system call, or remove the rule";
            self.problem(format_args!("/syscalls/{place}/names"), "the list of system calls is empty", cure);
        }
        for (index, name) in block.names().iter().enumerate() {
            let at = format_args!("/syscalls/{place}/names/{index}");
            match names::find(name) {
                Some(call) => self.call(call, rules.clone()),
                None => self.unknown(at, name),
            }
            if block.action() == Action::ScmpActNotify && name == "write" {
                let message = "SCMP_ACT_NOTIFY cannot be used for the write syscall: \
                               with it the listener is announced, and nobody listens yet";
                self.problem(at, message, "remove write from this rule");
            }
        }
    }

    fn unknown(&mut self, at: fmt::Arguments, name: &str) {
        if name.is_empty() {
            self.problem(at, "the name of a system call is empty", "remove it");
        } else if !names::is_elsewhere(name) {
            let message = format!("`{name}` is no system call that crate-run knows: its rule has no effect");
            self.policy.notes.push(Note { kind: Kind::UnknownCall, at: at.to_string(), message });
        }
    }

    /// Adds what the block at `place` asks for: one rule, or one for each condition when an argument
    /// occurs twice. (So does runc, whose users write "this value or that one" in this way.)
    fn add_rules(&mut self, place: usize, action: u32, args: &[LinuxSeccompArg]) {
        let mut when: Vec<Condition> = Vec::with_capacity(args.len());
        for (index, arg) in args.iter().enumerate() {
            match condition(arg) {
                Some(condition) => when.push(condition),
                None => self.problem(
                    format_args!("/syscalls/{place}/args/{index}/index"),
                    format!("a system call has no argument {}", arg.index()),
                    "count the arguments from 0 to 5",
                ),
            }
        }
        when.sort_by_key(|condition| condition.arg);
        if when.windows(2).any(|pair| pair[0].arg == pair[1].arg) {
            let one_each = args.iter().filter_map(condition);
            self.policy.rules.extend(one_each.map(|only| Rule { action, when: vec![only], block: place }));
        } else {
            self.policy.rules.push(Rule { action, when, block: place });
        }
    }

    /// Adds the rules for one name to every architecture that has it.
    fn call(&mut self, call: &Call, rules: std::ops::Range<usize>) {
        for at in 0..self.policy.calls.len() {
            let calls = &mut self.policy.calls[at];
            let arch = calls.arch;
            if let Some(number) = call.number(arch) {
                if !arch.apart().contains(&number) {
                    calls.largest = calls.largest.max(Some(number));
                }
                calls.named.extend(rules.clone().map(|rule| (number, rule as u32)));
            }
            if let (Arch::X86, Some((multiplexer, value))) = (arch, call.i386_multiplexer()) {
                for rule in rules.clone() {
                    let rule = multiplexed(&self.policy.rules[rule], value);
                    self.policy.calls[at].named.push((multiplexer, self.policy.rules.len() as u32));
                    self.policy.rules.push(rule);
                }
            }
        }
    }

    fn flags(&mut self, flags: Option<&[Flag]>) {
        for (place, flag) in flags.unwrap_or(&[Flag::SeccompFilterFlagSpecAllow]).iter().enumerate() {
            let (both, listener) = match flag {
                Flag::SeccompFilterFlagLog => (FLAG_LOG, 0),
                Flag::SeccompFilterFlagSpecAllow => (FLAG_SPEC_ALLOW, 0),
                Flag::SeccompFilterFlagTsync => (0, 0),
                Flag::SeccompFilterFlagWaitKillableRecv => (0, FLAG_WAIT_KILLABLE_RECV),
            };
            self.policy.flags |= both;
            match &mut self.policy.listener_flags {
                Some(flags) => *flags |= both | listener,
                // The kernel refuses the flag without a listener.
                None if listener != 0 => {
                    let message = format!("{flag} has no effect, no rule has the action SCMP_ACT_NOTIFY");
                    let at = format!("/flags/{place}");
                    self.policy.notes.push(Note { kind: Kind::IdleFlag, at, message });
                }
                None => {}
            }
        }
    }
}

/// The value that a filter returns for `action`, or (message, cure).
fn return_value(action: Action, errno: Option<u32>) -> Result<u32, (String, &'static str)> {
    let largest = match action {
        Action::ScmpActErrno => LARGEST_ERRNO,
        Action::ScmpActTrace => u32::from(u16::MAX),
        _ => 0,
    };
    match errno {
        Some(value) if largest == 0 => Err((
            format!("{action} returns no error number, but {value} is given"),
            "remove the number, or use SCMP_ACT_ERRNO",
        )),
        Some(value) if value > largest => Err((
            format!("{value} is too large for {action}, the limit is {largest}"),
            "use a smaller number",
        )),
        None if largest > 0 => Ok(action.as_u32(Some(EPERM))),
        errno => Ok(action.as_u32(errno)),
    }
}

/// None if there is no such argument.
fn condition(arg: &LinuxSeccompArg) -> Option<Condition> {
    let index = u8::try_from(arg.index()).ok().filter(|index| *index < 6)?;
    let (test, mask, value) = match arg.op() {
        Operator::ScmpCmpEq => (Test::Equal, u64::MAX, arg.value()),
        Operator::ScmpCmpNe => (Test::NotEqual, u64::MAX, arg.value()),
        Operator::ScmpCmpLt => (Test::Less, u64::MAX, arg.value()),
        Operator::ScmpCmpLe => (Test::LessOrEqual, u64::MAX, arg.value()),
        Operator::ScmpCmpGt => (Test::Greater, u64::MAX, arg.value()),
        Operator::ScmpCmpGe => (Test::GreaterOrEqual, u64::MAX, arg.value()),
        Operator::ScmpCmpMaskedEq => {
            (Test::MaskedEqual, arg.value(), arg.value() & arg.value_two().unwrap_or_default())
        }
    };
    Some(Condition { arg: index, test, mask, value })
}

/// The rule for an i386 multiplexer: its argument 0 says which call is meant.
fn multiplexed(rule: &Rule, value: u64) -> Rule {
    let mut when = vec![Condition { arg: 0, test: Test::Equal, mask: u64::MAX, value }];
    when.extend(rule.when.iter().filter(|condition| condition.arg != 0));
    Rule { when, ..*rule }
}
