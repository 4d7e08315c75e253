//! Paths that are hidden, and paths that are made read-only (config-linux.md, maskedPaths and readonlyPaths).

use core::ffi::CStr;

use crate_run_plan::operation::Masks;
use crate_run_plan::report::Call;
use crate_run_plan::slot::{Handle, Slot};
use crate_run_plan::wire::Texts;
use crate_run_sys::files;
use crate_run_sys::mounts::{self, Depth, attribute};
use crate_run_sys::{Errno, Fd};

use crate::failure::{Named, Outcome};
use crate::inside;
use crate::mount::{self, New};
use crate::runner::Runner;

/// Carries out one operation of this chapter.
pub fn run(runner: &mut Runner, operation: Masks) -> Outcome {
    use Masks as Op;
    match operation {
        Op::MaskPath { path, null } => hide(runner, path, null),
        Op::PrepareMask { options } => prepare(runner, options),
        Op::ReadOnlyPath { path } => make_read_only(runner, path),
    }
}

/// One empty read-only tmpfs for all hidden directories: a superblock costs more than a clone of its mount.
fn prepare(runner: &mut Runner, options: Texts) -> Outcome {
    let empty = New {
        filesystem: c"tmpfs",
        source: c"tmpfs",
        options,
        attributes: attribute::RDONLY | attribute::NOSUID | attribute::NODEV | attribute::NOEXEC,
        propagation: 0,
    };
    runner.fill(Slot::MASK, mount::detached(&empty, None)?);
    Ok(())
}

/// Puts the empty directory over a directory, the null device over anything else. A path that is not there
/// needs no hiding; any other trouble is an error, for a mask that fails silently is a hole (CVE-2025-31133).
fn hide(runner: &Runner, path: &CStr, null: Handle) -> Outcome {
    let Some(path) = present(runner, path)? else { return Ok(()) };
    let cover = match inside::is_directory(path)? {
        true => runner.slot(Slot::MASK)?,
        false => runner.descriptor(null)?,
    };
    cover_with(cover, path)?;
    files::close(path);
    Ok(())
}

/// The first use attaches the cover itself; later ones clone it. A detached mount cannot be cloned before
/// Linux 6.15, where EINVAL says so.
fn cover_with(cover: Fd, path: Fd) -> Outcome {
    match mounts::clone_tree(cover, c"", Depth::One) {
        Ok(clone) => {
            mounts::attach(clone, path).named(Call::MoveMount)?;
            files::close(clone);
            Ok(())
        }
        Err(Errno::EINVAL) => mounts::attach(cover, path).named(Call::MoveMount),
        Err(errno) => Err(errno).named(Call::OpenTree),
    }
}

/// Binds the path on itself, read-only with all below it.
fn make_read_only(runner: &Runner, path: &CStr) -> Outcome {
    let Some(path) = present(runner, path)? else { return Ok(()) };
    let tree = mounts::clone_tree(path, c"", Depth::Tree).named(Call::OpenTree)?;
    let read_only = mount::change_of(attribute::RDONLY, 0, 0);
    mounts::set_attributes(tree, Depth::Tree, &read_only).named(Call::MountSetattr)?;
    mounts::attach(tree, path).named(Call::MoveMount)?;
    files::close(tree);
    files::close(path);
    Ok(())
}

fn present(runner: &Runner, path: &CStr) -> Outcome<Option<Fd>> {
    let root = runner.slot(Slot::ROOT)?;
    match inside::look_up(root, path, 0) {
        Ok(found) => inside::refuse_root(root, found).map(|()| Some(found)),
        Err(failure) if failure.is_missing() => Ok(None),
        Err(failure) => Err(failure),
    }
}
