//! Reading back what the tail has set. A step that was left out, a call that does less than it says (uid -1
//! means "keep" to setresuid(2), capset(2) cuts what the kernel does not know): only reading back shows that
//! the process is what the plan says. If it is not, nothing is executed.

use core::ffi::CStr;

use crate_run_plan::operation::Checks;
use crate_run_plan::report::Call;
use crate_run_sys::credentials::{self, Sets};
use crate_run_sys::files::{self, flag};
use crate_run_sys::process;

use crate::failure::{Failure, Named, Outcome};
use crate::namespace::proc_file;
use crate::power::sets;
use crate::runner::Runner;

/// Carries out one operation of this chapter.
pub fn run(runner: &mut Runner, operation: Checks) -> Outcome {
    use Checks as Op;
    match operation {
        Op::VerifyIds { uid, gid } => ids(uid, gid),
        Op::VerifyGroups { groups } => supplementary(groups),
        Op::VerifyCapabilities { effective, permitted, inheritable, bounding, ambient } => {
            let sets = sets(effective, permitted, inheritable);
            capabilities(sets, bounding, ambient & !runner.refused_ambient)
        }
        Op::VerifyNoNewPrivileges {} => no_new_privileges(),
        Op::VerifyUmask { mask } => umask(mask),
        Op::VerifyLabel { path, start } => label(runner, path, start),
        Op::VerifyFilter { filters, ask } => filter(runner, filters, ask),
    }
}

fn refuse_unless(is_so: bool, words: &[u8]) -> Outcome {
    if is_so { Ok(()) } else { Err(Failure::refusal(words)) }
}

/// Real, effective, saved and filesystem ids.
fn ids(uid: u32, gid: u32) -> Outcome {
    let [real, effective, saved] = credentials::users().named(Call::Setresuid)?;
    let users = [real, effective, saved, credentials::file_user()];
    refuse_unless(users == [uid; 4], b"the user is not the one of the plan")?;
    let [real, effective, saved] = credentials::groups().named(Call::Setresgid)?;
    let all = [real, effective, saved, credentials::file_group()];
    refuse_unless(all == [gid; 4], b"the group is not the one of the plan")
}

/// The supplementary groups; `expected` are sorted, each once. The kernel sorts its list by the numbers
/// outside of the user namespace (setgroups(2)): the order says nothing here, but groups that were given
/// twice lie side by side.
fn supplementary(expected: &[u8]) -> Outcome {
    let (expected, _) = expected.as_chunks::<4>();
    let mut few = [0; 64];
    let found = match credentials::supplementary(&mut few) {
        Ok(count) => &few[..count],
        Err(_) => all_supplementary()?,
    };
    let (mut last, mut different) = (None, 0);
    let mut known = true;
    for group in found.iter().filter(|group| last.replace(**group) != Some(**group)) {
        different += 1;
        known &= expected.binary_search_by_key(group, |bytes| u32::from_ne_bytes(*bytes)).is_ok();
    }
    let same = known && different == expected.len();
    refuse_unless(same, b"the supplementary groups are not those of the plan")
}

/// More than have room on the stack; there can be 65536.
fn all_supplementary() -> Outcome<&'static [u32]> {
    let count = credentials::supplementary(&mut []).named(Call::Getgroups)?;
    let room = process::words(count).named(Call::Mmap)?;
    let count = credentials::supplementary(room).named(Call::Getgroups)?;
    Ok(&room[..count])
}

/// The five sets.
fn capabilities(sets: Sets, bounding: u64, ambient: u64) -> Outcome {
    let found = credentials::capabilities().named(Call::Capset)?;
    refuse_unless(found == sets, b"the capabilities are not those of the plan")?;
    let same = is_set(bounding, u64::MAX, credentials::bounding_has);
    refuse_unless(same, b"the bounding set is not the one of the plan")?;
    // Only what is permitted and inheritable can be ambient (capabilities(7)).
    let possible = sets.permitted & sets.inheritable;
    let same = is_set(ambient, possible, credentials::ambient_has) && ambient & !possible == 0;
    refuse_unless(same, b"the ambient set is not the one of the plan")
}

/// Has the kernel exactly `expected` of the capabilities in `asked`? It does not know those beyond its last.
fn is_set(expected: u64, asked: u64, has: fn(u32) -> crate_run_sys::Answer<bool>) -> bool {
    for capability in (0..64).filter(|capability| asked & (1 << capability) != 0) {
        match has(capability) {
            Ok(is) if is == (expected & (1 << capability) != 0) => {}
            Ok(_) => return false,
            Err(_) => return expected >> capability == 0,
        }
    }
    true
}

/// PR_GET_NO_NEW_PRIVS.
fn no_new_privileges() -> Outcome {
    let is_set = credentials::no_new_privileges().named(Call::Prctl)?;
    refuse_unless(is_set, b"no_new_privs is not set")
}

/// The mask can only be read by setting it (umask(2)); so it is set once more.
fn umask(mask: u32) -> Outcome {
    refuse_unless(files::set_umask(mask) == mask, b"the umask is not the one of the plan")
}

/// What stands in the attribute for the next execve (proc_pid_attr(5)).
fn label(runner: &Runner, path: &CStr, start: &[u8]) -> Outcome {
    let file = proc_file(runner, path, flag::O_RDONLY)?;
    let mut text = [0; 4096];
    let length = files::read(file, &mut text).named(Call::Read)?;
    files::close(file);
    let label = &text[..length];
    refuse_unless(!label.is_empty() && label.starts_with(start), b"the label is not the one of the plan")
}

/// That seccomp(2) has answered is what the child knows without a call; the kernel is asked where the filter
/// lets it.
fn filter(runner: &Runner, filters: u32, ask: u32) -> Outcome {
    const FILTER: usize = 2;
    let wrong = b"the seccomp filter of the plan is not in place";
    refuse_unless(runner.filters == filters, wrong)?;
    if ask == 0 {
        return Ok(());
    }
    let mode = credentials::seccomp_mode().named(Call::Prctl)?;
    refuse_unless(mode == FILTER, wrong)
}
