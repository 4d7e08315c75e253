//! From a failed step to a sentence: what we were doing, what the kernel answered, where the configuration
//! asks for it, what usually mends it.

use crate_run_plan::Operation;
use crate_run_plan::report::{Call, Report};
use crate_run_sys::Errno;

use crate::bundle::finding::Pointer;
use crate::error::{Error, NOT_ROOT, Place, StepError};
use crate::feature::{lsm, process};
use crate::launch::Launch;
use crate::launch::cause::Cause;
use crate::launch::line::Ending;
use crate::plan::{Action, Plan, cure, describe};

/// What the cgroup tells about a child that has ended without a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Death {
    /// The kernel has killed a process in it for want of memory (memory.events, oom_kill).
    OutOfMemory,
    /// Nothing.
    Unexplained,
}

/// The error for a step that failed. `left` is what could not be undone.
pub fn of(launch: &Launch, index: usize, cause: Cause, death: Death, left: Vec<String>) -> Error {
    let locate = |index: usize| place(launch, index);
    let mut error = match cause {
        Cause::Cgroup(error) => {
            let at = error.at().cloned();
            let cure = error.cure().unwrap_or_default().to_owned();
            let place = at.map(|at| Place::find(&launch.source.file, &launch.source.text, &at));
            let known = Some(error.to_string());
            let place = place.or_else(|| locate(index));
            return Error::Step(Box::new(StepError { known, cure, place, left, ..StepError::default() }));
        }
        Cause::Systemd(error) => StepError {
            known: Some(error.to_string()),
            cure: error.cure().unwrap_or_default().to_owned(),
            ..StepError::default()
        },
        Cause::Resctrl(error) => StepError {
            known: Some(error.to_string()),
            cure: error.cure().to_owned(),
            ..StepError::default()
        },
        Cause::Other(error) if left.is_empty() => return error,
        Cause::Other(error) => StepError { known: Some(error.to_string()), ..StepError::default() },
        Cause::Errno(errno) => host_error(launch.plan, index, None, errno),
        Cause::Call(call, errno) => host_error(launch.plan, index, Some(call), errno),
        Cause::Said(said) => StepError {
            doing: describe::action(&launch.plan.steps[index].action),
            answer: said,
            ..StepError::default()
        },
        Cause::Child(Ending::Failed(report)) => {
            let mut error = of_report(launch.plan, &report);
            error.place = locate(report.step as usize);
            error.left = left;
            return Error::Step(Box::new(error));
        }
        Cause::Child(_) => silence(death),
    };
    error.place = locate(index);
    error.left = left;
    Error::Step(Box::new(error))
}

fn place(launch: &Launch, index: usize) -> Option<Place> {
    let at = launch.plan.steps.get(index)?.at.as_ref()?;
    Some(Place::find(&launch.source.file, &launch.source.text, at))
}

fn host_error(plan: &Plan, index: usize, call: Option<&str>, errno: Errno) -> StepError {
    let action = &plan.steps[index].action;
    let answer = match call {
        Some(call) => format!("{call} answered: {errno}"),
        None => errno.to_string(),
    };
    let cure = host_cure(action, errno).unwrap_or_default().to_owned();
    StepError { doing: describe::action(action), answer, cure, ..StepError::default() }
}

fn host_cure(action: &Action, errno: Errno) -> Option<&'static str> {
    let Action::Host(action) = action else { return None };
    let is_refused = matches!(errno, Errno::EPERM | Errno::EACCES);
    cure::of_host(action, errno)
        .or_else(|| (is_refused && !rustix::process::geteuid().is_root()).then_some(NOT_ROOT))
}

fn silence(death: Death) -> StepError {
    let (known, cure) = match death {
        Death::OutOfMemory => (
            "container init was OOM-killed (memory limit too low?)",
            "raise linux.resources.memory.limit; a container needs about 1 MiB to be set up",
        ),
        Death::Unexplained => (
            "the container's first process was killed while it was set up",
            "whoever kills the cgroup does that: kill --all, delete --force, the host for want of memory",
        ),
    };
    StepError { known: Some(known.to_owned()), cure: cure.to_owned(), ..StepError::default() }
}

/// The error for what the child reports; also for `start`, which has the plan from the container's copy.
pub fn of_report(plan: &Plan, report: &Report) -> StepError {
    let Some(step) = plan.steps.get(report.step as usize) else {
        let answer = String::from_utf8_lossy(report.words()).into_owned();
        return StepError { doing: "run the plan".to_owned(), answer, ..StepError::default() };
    };
    let words = one_line(report.words());
    let (doing, answer) = (describe::action(&step.action), answer(report, &words));
    let mut error = StepError { doing, answer, ..StepError::default() };
    if let Action::Child(operation) = &step.action {
        if let (Operation::RunHook { path, .. }, Some(hook)) = (operation, step.at.as_ref().and_then(hook_at))
        {
            error.doing = format!("run {hook}, {}", path.to_string_lossy());
            error.answer = format!("error running {hook}: {}", error.answer);
        }
        let errno = Errno(report.errno);
        error.known = known_text(operation, report.call, errno, &words);
        error.cure = cure::of_child(operation, report.call, errno).unwrap_or_default().to_owned();
    }
    error
}

/// The words of a filesystem or of an image must not break the line.
fn one_line(words: &[u8]) -> String {
    let visible = |letter: char| if letter.is_control() { '?' } else { letter };
    String::from_utf8_lossy(words).trim().chars().map(visible).collect()
}

/// What was answered, by the kernel or by the child's own check, with the words that explain it.
fn answer(report: &Report, words: &str) -> String {
    let mut answer = match (report.call, report.errno) {
        (Call::Check, _) | (_, 0) => words.to_owned(),
        (call, errno) => format!("{} answered: {}", call.name(), Errno(errno)),
    };
    let explains =
        matches!(report.call, Call::Fsconfig | Call::FsconfigCreate | Call::Mknodat | Call::Openat2);
    if explains && !words.is_empty() {
        answer.push_str(&format!(" ({})", kernel_words(words)));
    }
    if report.value > 0 && report.call == Call::Check {
        answer.push_str(&format!(" {}", report.value));
    }
    answer
}

/// The hook that stands there: "createContainer hook #1".
fn hook_at(at: &Pointer) -> Option<String> {
    let (kind, index) = at.as_str().strip_prefix("/hooks/")?.split_once('/')?;
    Some(format!("{kind} hook #{index}"))
}

/// A message of a filesystem begins with its grade: "e tmpfs: Bad value for 'size'".
fn kernel_words(words: &str) -> &str {
    ["e ", "w ", "i "].iter().find_map(|grade| words.strip_prefix(grade)).unwrap_or(words)
}

/// The texts by which engines choose exit status 126 or 127, or tell that a security label is at fault.
fn known_text(operation: &Operation, call: Call, errno: Errno, words: &str) -> Option<String> {
    match (operation, call) {
        (Operation::FindExecutable { name, .. }, Call::Access) => {
            Some(process::not_found(&name.to_string_lossy(), errno))
        }
        (Operation::Execute { .. }, Call::Execve) => Some(process::not_executed(words, errno)),
        (Operation::SetLabel { path, label }, Call::Write) => Some(lsm::refusal(path, label, errno)),
        _ => None,
    }
}
