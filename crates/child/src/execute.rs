//! The last steps: working directory, program, gate, execve.

use core::ffi::CStr;

use crate_run_plan::operation::Program;
use crate_run_plan::report::{Call, Kind};
use crate_run_plan::slot::{Handle, Slot};
use crate_run_plan::wire::Texts;
use crate_run_sys::files::{self, flag, mode};
use crate_run_sys::process::{self, Table};
use crate_run_sys::{Errno, Fd, sockets};

use crate::failure::{Failure, Named, Outcome};
use crate::inside::{self, Shape};
use crate::runner::Runner;

/// Carries out one operation of this chapter.
pub fn run(runner: &mut Runner, operation: Program) -> Outcome {
    use Program as Op;
    match operation {
        Op::MakeDirectory { path } => make_directory(runner, path),
        Op::EnterDirectory { path, attempt } => enter_directory(runner, path, attempt),
        Op::FindExecutable { candidates, name } => find(runner, candidates, name),
        Op::CloseDescriptors { first } => files::close_on_exec_from(first).named(Call::CloseRange),
        Op::Execute { candidates, arguments, environment } => {
            execute(runner, candidates, arguments, environment)
        }
    }
}

/// chdir(2), and the proof that it led inside: a working directory that is a leaked descriptor of the host
/// (/proc/self/fd/7) gives itself away in getcwd(2), whose answer then does not start with '/'
/// (CVE-2024-21626).
fn enter_directory(runner: &mut Runner, path: &CStr, attempt: u32) -> Outcome {
    const FIRST: u32 = 0;
    if attempt != FIRST && !runner.directory_pending {
        return Ok(());
    }
    match files::change_directory(path) {
        Ok(()) => runner.directory_pending = false,
        // A directory that root may not enter (root_squash, FUSE) may still be open to the user.
        Err(Errno::EACCES | Errno::EPERM) if attempt == FIRST => {
            runner.directory_pending = true;
            return Ok(());
        }
        Err(errno) => return Err(Failure::of(Call::Chdir, errno)),
    }
    let mut path = [0u8; 4096];
    files::working_directory(&mut path).named(Call::Getcwd)?;
    match path[0] {
        b'/' => Ok(()),
        _ => Err(Failure::refusal(b"the working directory lies outside the root of the container")),
    }
}

/// The working directory is made where the image lacks it, as every runtime does. What is there, of whatever
/// kind, is left alone: entering it will tell.
fn make_directory(runner: &Runner, path: &CStr) -> Outcome {
    let made = inside::look_up_or_make(runner.slot(Slot::ROOT)?, path, Shape::Directory, 0)?;
    files::close(made);
    Ok(())
}

/// execvp(3)'s search, without the exec: the first candidate that is a regular file and may be executed. Like
/// execvp, it prefers to say EACCES when something was found that may not.
fn find(runner: &mut Runner, candidates: Texts, name: &CStr) -> Outcome {
    let mut refused = Errno::ENOENT;
    let is_path = name.to_bytes().contains(&b'/');
    for (index, candidate) in candidates.enumerate() {
        match is_program(candidate) {
            Ok(()) => {
                runner.chosen = index;
                return Ok(());
            }
            // In the search this directory of the PATH does not count; of a path it is the answer.
            Err(Errno::ENOTDIR) if is_path => refused = Errno::ENOTDIR,
            Err(Errno::ENOENT | Errno::ENOTDIR) => {}
            Err(errno) => refused = errno,
        }
    }
    Err(Failure::of(Call::Access, refused).say(name.to_bytes()))
}

fn is_program(path: &CStr) -> Result<(), Errno> {
    let file = files::openat2(Fd::CWD, path, flag::O_PATH, 0, 0)?;
    let status = files::status(file);
    files::close(file);
    match status?.mode & mode::TYPE {
        mode::REGULAR => files::executable(Fd::CWD, path),
        mode::DIRECTORY => Err(Errno::EISDIR),
        _ => Err(Errno::EACCES),
    }
}

/// The gate of a created container. Whoever connects and says so opens it; a connection that closes without a
/// word was only a look.
pub fn park(runner: &mut Runner, gate: Handle) -> Outcome {
    let gate = runner.descriptor(gate)?;
    process::set_parent_death_signal(0).named(Call::Prctl)?;
    // Said in so many words: the line of one who dies closes as well.
    runner.tell(Kind::Parked)?;
    files::close(runner.line);
    loop {
        let caller = sockets::accept(gate).named(Call::Accept)?;
        let mut word = [0u8; 1];
        if let Ok((1, _)) = sockets::receive(caller, &mut word) {
            runner.line = caller;
            files::close(gate);
            return Ok(());
        }
        files::close(caller);
    }
}

/// The last word before execve, said before seccomp may forbid to say it. The runtime's death no longer
/// matters from here on.
pub fn announce(runner: &Runner) -> Outcome {
    process::set_parent_death_signal(0).named(Call::Prctl)?;
    runner.tell(Kind::Executing)
}

/// execve(2).
fn execute(runner: &Runner, mut candidates: Texts, arguments: Texts, environment: Texts) -> Outcome {
    let (arguments, environment) = (table(arguments)?, table(environment)?);
    let Some(path) = candidates.nth(runner.chosen) else {
        return Err(Failure::refusal(b"no program was found"));
    };
    let errno = process::replace(Fd::CWD, path, &arguments, &environment, 0);
    Err(Failure::of(Call::Execve, errno).say(path.to_bytes()))
}

/// The table of pointers that execve wants, into the strings of the plan itself.
pub fn table(texts: Texts<'_>) -> Outcome<Table<'_>> {
    Table::of(texts.len(), texts).named(Call::Mmap)
}
