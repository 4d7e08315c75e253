//! The loop that runs a plan, and what it remembers from one operation to the next.

use core::ffi::CStr;

use crate_run_plan::Sealed;
use crate_run_plan::operation::{Conversation, Hooks};
use crate_run_plan::report::{Call, Kind, Report};
use crate_run_plan::slot::{CHILD_SLOTS, Handle, Slot};
use crate_run_plan::wire::{HAS_ALTERNATIVE, IS_ALTERNATIVE, MAGIC, Reader};
use crate_run_sys::{Fd, files, process, signals, sockets};

use crate::failure::{Failure, Named, Outcome};
use crate::inside::Name;
use crate::{
    device, execute, filter, hook, later, mask, mount, namespace, power, scheduling, terminal, verify,
};

/// What the child knows while it runs its plan.
pub struct Runner {
    /// The socket over which it talks: to the runtime, after the gate to `start`.
    pub line: Fd,
    slots: [Option<Fd>; CHILD_SLOTS],
    step: u16,
    device_parent: device::Parent,
    /// Where the next mount is kept, for it gets new options later.
    pub keep_in: Option<Slot>,
    /// The mounts that are to be detached.
    pub found: later::Mounts,
    /// The mounts that are detached again when a step fails.
    pub attached: later::Mounts,
    /// The first attempt to enter the working directory was refused.
    pub directory_pending: bool,
    /// Which candidate for the program was found.
    pub chosen: usize,
    /// How many seccomp filters were installed.
    pub filters: u32,
    /// Ambient capabilities that the kernel did not grant; each was told.
    pub refused_ambient: u64,
}

impl Runner {
    fn new(line: Fd) -> Self {
        let device_parent = device::Parent::default();
        let slots = [None; CHILD_SLOTS];
        Self {
            line,
            slots,
            step: 0,
            device_parent,
            keep_in: None,
            found: later::Mounts::none(),
            attached: later::Mounts::none(),
            directory_pending: false,
            chosen: 0,
            filters: 0,
            refused_ambient: 0,
        }
    }

    /// The descriptor behind a handle.
    pub fn descriptor(&self, handle: Handle) -> Outcome<Fd> {
        match handle {
            Handle::Inherited(number) => Ok(Fd(number)),
            Handle::Own(slot) => {
                let filled = self.slots.get(slot).copied().flatten();
                filled.ok_or_else(|| {
                    Failure::refusal(b"a slot is empty that an earlier step should have filled")
                })
            }
        }
    }

    /// The descriptor in one of the child's own slots.
    pub fn slot(&self, slot: Slot) -> Outcome<Fd> {
        self.descriptor(Handle::Own(slot.0 as usize))
    }

    /// Fills one of the child's own slots.
    pub fn fill(&mut self, slot: Slot, fd: Fd) {
        self.slots[slot.0 as usize] = Some(fd);
    }

    /// Fills the slot of the child that a handle names.
    pub fn fill_handle(&mut self, handle: Handle, fd: Fd) -> Outcome {
        match handle {
            Handle::Own(slot) if slot < CHILD_SLOTS => {
                self.slots[slot] = Some(fd);
                Ok(())
            }
            _ => Err(Failure::refusal(b"a step fills a slot that is not the child's own")),
        }
    }

    /// Closes a mount that was attached, unless it gets new options later, or may have to go again.
    pub fn attached(&mut self, mount: Fd) -> Outcome {
        match self.keep_in.take() {
            Some(slot) => self.fill(slot, mount),
            None if self.slot(Slot::DESCRIPTORS).is_ok() => {
                self.attached.add(mount)?;
                let identity = files::mount_identity(mount).named(Call::Statx)?;
                return self.tell_number(Kind::Mount, identity);
            }
            None => files::close(mount),
        }
        Ok(())
    }

    /// The directory in which a device node belongs, and the node's name.
    pub fn device_parent(&mut self, path: &CStr) -> Outcome<(Fd, Name)> {
        let root = self.slot(Slot::ROOT)?;
        self.device_parent.of(root, path)
    }

    /// Says something that does not stop the plan.
    pub fn warn(&self, failure: &Failure) {
        let _ = self.send(&failure.report(Kind::Warned, self.step, 0));
    }

    /// Sends one message over the line. write(2) rather than sendmsg(2): after seccomp it is the call that a
    /// filter is most likely to allow.
    pub fn send(&self, report: &Report) -> Outcome {
        files::write_once(self.line, &report.encode()).named(Call::Write)
    }

    /// Sends the message that only tells where the child is.
    pub fn tell(&self, kind: Kind) -> Outcome {
        self.send(&Report::new(kind, self.step))
    }

    /// The same with a number.
    pub fn tell_number(&self, kind: Kind, value: u64) -> Outcome {
        self.send(&Report { value, ..Report::new(kind, self.step) })
    }

    /// Tells the runtime where we are, and waits for its word.
    fn meet(&mut self) -> Outcome {
        self.tell(Kind::Arrived)?;
        self.wait()
    }

    /// Waits for the runtime's word, and takes the network namespace that may come with it. A runtime that is
    /// gone means the end: nothing may run that nobody knows of.
    fn wait(&mut self) -> Outcome {
        let mut word = [0u8; 1];
        match sockets::receive(self.line, &mut word).named(Call::Recvmsg)? {
            (1, None) => Ok(()),
            (1, Some(network)) => {
                self.fill(Slot::NETWORK, network);
                Ok(())
            }
            _ => process::exit(EXIT_ABANDONED),
        }
    }

    /// Each chapter of the vocabulary has its module.
    fn run(&mut self, operation: Sealed<'_>) -> Outcome {
        match operation {
            Sealed::Conversation(word) => self.converse(word),
            Sealed::Namespaces(operation) => namespace::run(self, operation),
            Sealed::Mounts(operation) => mount::run(self, operation),
            Sealed::LaterMounts(operation) => later::run(self, operation),
            Sealed::Devices(operation) => device::run(self, operation),
            Sealed::Masks(operation) => mask::run(self, operation),
            Sealed::Terminal(operation) => terminal::run(self, operation),
            Sealed::Hooks(Hooks::RunHook { path, arguments, environment, timeout, before, after }) => {
                hook::run(&hook::Hook { path, arguments, environment, timeout, before, after })
            }
            Sealed::Program(operation) => execute::run(self, operation),
            Sealed::Powers(operation) => power::run(self, operation),
            Sealed::Scheduling(operation) => scheduling::run(self, operation),
            Sealed::Filters(operation) => filter::run(self, operation),
            Sealed::Checks(operation) => verify::run(self, operation),
        }
    }

    fn converse(&mut self, word: Conversation) -> Outcome {
        match word {
            Conversation::Meet {} => self.meet(),
            Conversation::Wait {} => self.wait(),
            Conversation::Park { gate } => execute::park(self, gate),
            Conversation::Announce {} => execute::announce(self),
            Conversation::End {} => process::exit(0),
        }
    }
}

/// Exit status of a child whose runtime went away.
const EXIT_ABANDONED: i32 = 125;
/// Exit status of a child that has reported a failure.
const EXIT_FAILED: i32 = 127;

/// Runs the plan to its end, which is another program or this process's exit.
pub fn run(plan: &[u8]) -> ! {
    signals::reset();
    files::set_umask(0);
    process::set_name(c"crate-run:child");
    let _ = process::forbid_dumps();
    let mut reader = Reader::new(plan);
    let (Some(MAGIC), Some(line)) = (reader.u32(), reader.handle()) else {
        process::exit(EXIT_FAILED);
    };
    let Handle::Inherited(line) = line else { process::exit(EXIT_FAILED) };
    // From here to the announcement, the death of the runtime is the death of this process.
    let _ = process::set_parent_death_signal(9);
    let mut runner = Runner::new(Fd(line));
    let mut first_failure = None;
    while !reader.at_end() {
        let Some((step, flags, operation)) = next(&mut reader) else {
            stop(&runner, &Failure::refusal(b"the plan cannot be read"), 0);
        };
        runner.step = step;
        if flags & IS_ALTERNATIVE != 0 && first_failure.is_none() {
            continue;
        }
        let branch = u8::from(flags & IS_ALTERNATIVE != 0);
        if branch == 1 {
            // What takes the place of a mount is not the one that a later step is to change.
            runner.keep_in = None;
        }
        match runner.run(operation) {
            Ok(()) => first_failure = None,
            Err(failure) if flags & HAS_ALTERNATIVE != 0 && failure.leaves_another_way() => {
                first_failure = Some(failure);
            }
            Err(failure) => stop(&runner, &failure, branch),
        }
    }
    stop(&runner, &Failure::refusal(b"the plan ends without execve"), 0)
}

fn next<'p>(reader: &mut Reader<'p>) -> Option<(u16, u8, Sealed<'p>)> {
    let (step, code, flags) = (reader.u16()?, reader.u8()?, reader.u8()?);
    Some((step, flags, Sealed::read(code, reader)?))
}

fn stop(runner: &Runner, failure: &Failure, branch: u8) -> ! {
    later::undo(runner);
    let _ = runner.send(&failure.report(Kind::Failed, runner.step, branch));
    process::exit(EXIT_FAILED)
}
