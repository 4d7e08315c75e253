//! # The program: working directory, environment, arguments, execve
//!
//! The program is looked up as execvp(3) does, in the PATH of the container and among the files of the
//! container, when the container is created: a missing program must fail `create`, not `start`.
//! Nothing of the runtime survives execve: no descriptor but those that were asked for, no
//! environment, no directory outside.
//!
//! OCI: config.md, Process. A configuration may do without a process; such a container can be created, and
//! not started (runtime.md, Start).
//!
//! Order: the working directory is entered as root, and once more after the ids are set if root was refused;
//! the descriptors are closed when no step needs one any more; execve is the end.

use std::ffi::CString;

use crate_run_plan::Operation;
use crate_run_sys::Errno;
use oci_spec::runtime::Spec;

use crate::bundle::finding::{Finding, Pointer};
use crate::bundle::path::InsidePath;
use crate::bundle::text::{Text, texts};
use crate::error::phrase;
use crate::feature::activation::{self, Activation};
use crate::feature::notify;
use crate::feature::rootfs::Rootfs;
use crate::plan::Plan;
use crate::plan::request::Request;

const FEATURE: &str = "process";

/// The PATH of a program whose environment has none, as runc has it.
const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// The program.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Program {
    pub cwd: Text,
    pub arguments: Vec<Text>,
    pub environment: Vec<Text>,
    /// prctl(PR_SET_NO_NEW_PRIVS).
    pub no_new_privileges: bool,
}

impl Program {
    /// Is there nothing to run?
    pub fn is_absent(&self) -> bool {
        self.arguments.is_empty()
    }

    /// The variables of the program, and those that the runtime adds.
    pub fn whole_environment(&self, added: &[String]) -> Vec<String> {
        let given = self.environment.iter().map(|entry| entry.as_str().to_owned());
        given.chain(added.iter().cloned()).collect()
    }

    /// Without the variables that the runtime takes from its caller: there they are true.
    pub fn without_those_of_caller(mut self, request: &Request) -> Self {
        let sockets: &[&str] = if request.activation.is_some() { &activation::VARIABLES } else { &[] };
        let notify: &[&str] = if request.notify.is_some() { &[notify::VARIABLE] } else { &[] };
        let is_ours = |entry: &Text| {
            let name = entry.as_str().split('=').next().unwrap_or_default();
            sockets.contains(&name) || notify.contains(&name)
        };
        self.environment.retain(|entry| !is_ours(entry));
        self
    }

    /// The paths at which execvp(3) would look, in order.
    fn candidates(&self) -> Vec<String> {
        let Some(name) = self.arguments.first().map(Text::as_str) else { return Vec::new() };
        if name.contains('/') {
            return vec![name.to_owned()];
        }
        let path = self.environment.iter().find_map(|entry| entry.as_str().strip_prefix("PATH="));
        let directories = path.unwrap_or(DEFAULT_PATH).split(':');
        // An empty entry of PATH is the working directory (execvp(3)); so is "." written out.
        directories
            .map(|dir| if dir.is_empty() { name.to_owned() } else { format!("{dir}/{name}") })
            .collect()
    }
}

/// Keeps the last of several entries of one name, at the place of the first.
fn without_duplicates(entries: &[String]) -> Vec<String> {
    let name = |entry: &str| entry.split('=').next().unwrap_or_default().to_owned();
    let mut order: Vec<String> = Vec::with_capacity(entries.len());
    let mut last = std::collections::HashMap::with_capacity(entries.len());
    for entry in entries {
        let name = name(entry);
        if last.insert(name.clone(), entry.clone()).is_none() {
            order.push(name);
        }
    }
    order.iter().filter_map(|name| last.remove(name)).collect()
}

pub fn resolve(spec: &Spec) -> Program {
    let Some(process) = spec.process() else { return Program::default() };
    Program {
        cwd: Text::new(&process.cwd().display().to_string()).unwrap_or_default(),
        arguments: texts(process.args().as_deref().unwrap_or_default()),
        environment: texts(&without_duplicates(process.env().as_deref().unwrap_or_default())),
        no_new_privileges: process.no_new_privileges() == Some(true),
    }
}

pub fn findings(spec: &Spec) -> Vec<Finding> {
    let Some(process) = spec.process() else {
        return vec![Finding::warning("/process", "there is no process: the container cannot be started")];
    };
    let mut found = Vec::new();
    let at = Pointer::from("/process");
    let cwd = process.cwd();
    if !cwd.is_absolute() {
        let message = "Cwd must be an absolute path";
        let cure = format!("write {:?} with a leading slash", cwd.display().to_string());
        found.push(Finding::error(at.key("cwd"), message).cure(cure));
    }
    if InsidePath::new(&cwd.to_string_lossy()).is_none() {
        found.push(Finding::error(at.key("cwd"), "the working directory holds a NUL character"));
    }
    let arguments = process.args().as_deref().unwrap_or_default();
    if arguments.is_empty() {
        let message = "args must not be empty";
        found.push(Finding::error(at.key("args"), message).cure("name the program, such as [\"/bin/sh\"]"));
    } else if arguments[0].is_empty() {
        found.push(Finding::error(at.key("args").index(0), "the name of the program is empty"));
    }
    for (index, argument) in arguments.iter().enumerate() {
        if argument.contains('\0') {
            found.push(Finding::error(at.key("args").index(index), "an argument holds a NUL character"));
        }
    }
    for (index, entry) in process.env().iter().flatten().enumerate() {
        let bad = entry.contains('\0') || entry.starts_with('=') || !entry.contains('=');
        if bad {
            let message = format!("invalid environment variable {entry:?}");
            found.push(Finding::error(at.key("env").index(index), message).cure("write it as NAME=VALUE"));
        }
    }
    found
}

/// For a command that is to run the program, not only to create the container.
pub fn absence() -> Finding {
    let message = "there is no process: the container has nothing to run";
    Finding::error("/process", message).cure("add \"process\" with args and cwd")
}

/// HOME for a program that is given none: from the image's /etc/passwd, else "/", as every runtime does it.
pub fn added_environment(spec: &Spec, rootfs: &Rootfs, uid: u32) -> Vec<String> {
    let given = spec.process().as_ref().and_then(|process| process.env().as_deref()).unwrap_or_default();
    if given.iter().any(|entry| entry.starts_with("HOME=")) {
        return Vec::new();
    }
    let home = home_of(rootfs, uid).unwrap_or_else(|| "/".to_owned());
    vec![format!("HOME={home}")]
}

/// The variables by which a service manager speaks to the program, in the words that hold inside.
pub fn environment_of_caller(request: &Request) -> Vec<String> {
    let sockets = request.activation.iter().flat_map(Activation::variables);
    sockets.chain(request.notify.iter().map(|_| notify::variable())).collect()
}

/// Reads the image's passwd(5) by descriptor, without following a link out, and no more of it than a user
/// list can be: the image may have put anything there.
fn home_of(rootfs: &Rootfs, uid: u32) -> Option<String> {
    use rustix::fs::{Mode, OFlags, ResolveFlags, openat2};
    use std::io::Read;

    const MOST: u64 = 1 << 20;
    let root = std::fs::File::open(rootfs.path.as_path()).ok()?;
    let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
    let found = openat2(&root, "etc/passwd", OFlags::PATH | OFlags::CLOEXEC, Mode::empty(), resolve).ok()?;
    let found = std::fs::File::from(found);
    // Looked at before it is opened: opening a device of the image can do harm (a watchdog, a tape).
    if !found.metadata().ok()?.is_file() {
        return None;
    }
    let users =
        std::fs::File::open(format!("/proc/self/fd/{}", crate_run_sys::host::borrowed(&found).0)).ok()?;
    let mut text = String::new();
    users.take(MOST).read_to_string(&mut text).ok()?;
    text.lines().find_map(|line| {
        let fields: Vec<&str> = line.split(':').collect();
        let is_user = fields.get(2)?.parse() == Ok(uid);
        let home = is_user.then(|| fields.get(5).map(|home| (*home).to_owned()))?;
        home.filter(|home| home.starts_with('/') && !home.contains('\0'))
    })
}

fn c_texts(texts: &[Text]) -> Vec<CString> {
    texts.iter().map(Text::text).collect()
}

/// After pivot_root, while the root can still be written: the working directory, if the image lacks it.
pub fn make_directory(program: &Program, plan: &mut Plan) {
    if program.is_absent() {
        return;
    }
    let path = program.cwd.text();
    let why = "the program starts there; an image may lack it";
    plan.child(FEATURE, Operation::MakeDirectory { path }, why).at("/process/cwd");
}

/// When the root is complete: the directory and the program are looked for.
pub fn look_up(program: &Program, plan: &mut Plan) {
    if program.is_absent() {
        return;
    }
    let path = program.cwd.text();
    let enter = Operation::EnterDirectory { path, attempt: 0 };
    let why = "getcwd(2) must show a path inside, or a leaked descriptor has led outside";
    plan.child(FEATURE, enter, why).at("/process/cwd");
    let name = program.arguments.first().map(Text::text).unwrap_or_default();
    let find = Operation::FindExecutable { candidates: c_texts(&texts(&program.candidates())), name };
    plan.child(FEATURE, find, "a missing program fails create, not start").at("/process/args/0");
}

/// After the ids: the directory once more.
pub fn enter_again(program: &Program, plan: &mut Plan) {
    if program.is_absent() {
        return;
    }
    let path = program.cwd.text();
    let enter = Operation::EnterDirectory { path, attempt: 1 };
    let why = "a directory that root may not enter may be open to the user; does nothing if root was let in";
    plan.child(FEATURE, enter, why).at("/process/cwd");
}

/// In the tail.
pub fn no_new_privileges(program: &Program, plan: &mut Plan) {
    if program.no_new_privileges {
        let why = "no execve can gain powers from here on";
        plan.child(FEATURE, Operation::NoNewPrivileges {}, why).at("/process/noNewPrivileges");
    }
}

/// Reads it back.
pub fn verify(program: &Program, plan: &mut Plan) {
    if program.no_new_privileges {
        let why = "nothing starts that could gain powers";
        plan.child(FEATURE, Operation::VerifyNoNewPrivileges {}, why).at("/process/noNewPrivileges");
    }
}

/// Descriptors 0 to 2 and `preserved` more stay.
pub fn close_descriptors(preserved: u32, plan: &mut Plan) {
    let why = "no descriptor of the host survives execve";
    plan.child(FEATURE, Operation::CloseDescriptors { first: 3 + preserved }, why);
}

/// The word before the last.
pub fn announce(plan: &mut Plan) {
    let why = "said before a filter may forbid to say it: if the line closes now, execve has worked";
    plan.child(FEATURE, Operation::Announce {}, why);
}

/// The end of the plan.
pub fn execute(program: &Program, extra: &[String], plan: &mut Plan) {
    let mut environment = program.environment.clone();
    environment.extend(texts(extra));
    let execute = Operation::Execute {
        candidates: c_texts(&texts(&program.candidates())),
        arguments: c_texts(&program.arguments),
        environment: c_texts(&environment),
    };
    plan.child(FEATURE, execute, "the child becomes the program").at("/process/args");
}

/// What usually mends it when the program does not start.
pub fn cure(operation: &Operation, errno: Errno) -> Option<&'static str> {
    use Operation::{EnterDirectory, Execute, FindExecutable};
    Some(match (operation, errno) {
        (EnterDirectory { .. }, Errno::ENOTDIR) => "process.cwd names something that is not a directory",
        (FindExecutable { .. }, Errno::ENOENT) => {
            "check process.args[0] and the PATH in process.env against the files of the root filesystem"
        }
        (FindExecutable { .. } | Execute { .. }, Errno::EACCES) => {
            "is the file executable (chmod +x), and its filesystem not mounted noexec?"
        }
        (Execute { .. }, Errno::ENOENT) => {
            "the program's interpreter (#! line or dynamic loader) is not in the image"
        }
        (Execute { .. }, Errno::ENOEXEC) => "is the program built for this machine's architecture?",
        _ => return None,
    })
}

/// A program that was not found, in the words by which engines choose exit status 126 or 127.
pub fn not_found(name: &str, errno: Errno) -> String {
    match errno {
        Errno::ENOENT | Errno::ENOTDIR if name.contains('/') => {
            format!("exec: {name:?}: stat {name}: {}", errno.meaning())
        }
        Errno::ENOENT => format!("exec: {name:?}: {}", phrase::NOT_FOUND),
        Errno::EISDIR => format!("exec: {name:?}: is a directory: permission denied"),
        other => format!("exec: {name:?}: {}", other.meaning()),
    }
}

/// A program that execve(2) refused, in the words by which engines do the same.
pub fn not_executed(path: &str, errno: Errno) -> String {
    format!("exec {path}: {}", errno.meaning())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn candidates_follow_path() {
        let program = |name: &str, path: &str| Program {
            arguments: texts(&[name.to_owned()]),
            environment: texts(&[format!("PATH={path}")]),
            ..Program::default()
        };
        assert_eq!(program("sh", "/a::/b").candidates(), ["/a/sh", "sh", "/b/sh"]);
        assert_eq!(program("./sh", "/a").candidates(), ["./sh"]);
    }

    #[test]
    fn the_last_value_of_a_variable_wins() {
        let entries = ["A=1", "B=2", "A=3"].map(str::to_owned);
        assert_eq!(without_duplicates(&entries), ["A=3", "B=2"]);
    }
}
