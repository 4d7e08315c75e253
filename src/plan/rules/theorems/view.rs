//! What the container sees: mounts, files, devices, the root.

use crate::plan::rules::Claim::{AsListed, Before, Once};
use crate::plan::rules::{Rule, which};

pub(super) const RULES: &[Rule] = &[
    // The view: mounts and files.
    Rule {
        name: "a shared mount namespace is joined when nothing more is mounted",
        claim: Before(which::shapes_mounts, which::joins_mounts),
        reason: "what is mounted there is mounted for others, and stays when the container is gone",
        source: "docs/adr/0014-shared-mounts.md",
    },
    Rule {
        name: "paths are looked up in the mount namespace in which the program runs",
        claim: Before(which::joins_mounts, which::looks_inside),
        reason: "setns into a mount namespace changes root and working directory",
        source: "setns(2)",
    },
    Rule {
        name: "propagation is cut before anything is mounted",
        claim: Before(which::cuts_propagation, which::attaches_anything),
        reason: "what is mounted under a shared mount appears on the host as well",
        source: "mount_namespaces(7)",
    },
    Rule {
        name: "propagation is cut",
        claim: Once(which::cuts_propagation),
        reason: "a new mount namespace is a copy that stays in the host's peer groups",
        source: "mount_namespaces(7)",
    },
    Rule {
        name: "the root is attached before mounts",
        claim: Before(which::attaches_root, which::mounts),
        reason: "the targets of mounts are looked up beneath the descriptor of the root",
        source: "openat2(2), RESOLVE_IN_ROOT",
    },
    Rule {
        name: "mounts come in the listed order",
        claim: AsListed(which::mounts),
        reason: "a later mount may lie on an earlier one",
        source: "config.md, Mounts",
    },
    Rule {
        name: "the socket for READY=1 comes after mounts",
        claim: Before(which::mounts, which::mounts_notify),
        reason: "a tmpfs on /run would hide it",
        source: "sd_notify(3)",
    },
    Rule {
        name: "devices come after mounts",
        claim: Before(which::mounts, which::makes_devices),
        reason: "a mount on /dev would hide them",
        source: "config-linux.md, Default Devices",
    },
    Rule {
        name: "the terminal comes after mounts",
        claim: Before(which::mounts, which::opens_terminal),
        reason: "it is one of the container's own devpts",
        source: "pty(7)",
    },
    Rule {
        name: "mounts come before pivot_root",
        claim: Before(which::mounts, which::pivots),
        reason: "hooks before pivot_root find the container's mounts in place",
        source: "config.md, POSIX-platform Hooks",
    },
    Rule {
        name: "what is the host's is cloned before pivot_root",
        claim: Before(which::looks_up_on_host, which::pivots),
        reason: "afterwards its path leads to a file of the image",
        source: "pivot_root(2)",
    },
    Rule {
        name: "mounts of the host are hidden when nobody needs them any more",
        claim: Before(which::hook_outside, which::hides_host_mount),
        reason: "hooks are promised the host's files",
        source: "config.md, POSIX-platform Hooks",
    },
    Rule {
        name: "mounts of the host are hidden before the root is moved",
        claim: Before(which::hides_host_mount, which::pivots),
        reason: "their paths lead into the container then",
        source: "chroot(2)",
    },
    Rule {
        name: "there is one pivot_root",
        claim: Once(which::pivots),
        reason: "without it the host's tree stays in sight; chroot alone has a way out",
        source: "pivot_root(2)",
    },
    Rule {
        name: "the root is shared only after pivot_root",
        claim: Before(which::pivots, which::sets_root_propagation),
        reason: "pivot_root refuses a new root that is shared",
        source: "pivot_root(2), EINVAL",
    },
    Rule {
        name: "hooks that need the host come before pivot_root",
        claim: Before(which::hook_outside, which::pivots),
        reason: "they are promised the host's files",
        source: "config.md, POSIX-platform Hooks",
    },
    Rule {
        name: "hooks that need the mounts come after them",
        claim: Before(which::mounts, which::hook_outside),
        reason: "they are called when the namespaces and mounts are there",
        source: "config.md, POSIX-platform Hooks",
    },
    Rule {
        name: "prestart hooks come before createRuntime hooks",
        claim: Before(which::prestart_hook, which::create_runtime_hook),
        reason: "the specification says so",
        source: "config.md, Prestart",
    },
    Rule {
        name: "createRuntime hooks come before createContainer hooks",
        claim: Before(which::runtime_hook, which::create_container_hook),
        reason: "the specification says so",
        source: "config.md, CreateContainer Hooks",
    },
    Rule {
        name: "hooks of the runtime come as listed",
        claim: AsListed(which::runtime_hook),
        reason: "hooks are called in the listed order",
        source: "config.md, POSIX-platform Hooks",
    },
    Rule {
        name: "hooks of the container come as listed",
        claim: AsListed(which::create_container_hook),
        reason: "hooks are called in the listed order",
        source: "config.md, POSIX-platform Hooks",
    },
    Rule {
        name: "hooks at the start come as listed",
        claim: AsListed(which::start_container_hook),
        reason: "hooks are called in the listed order",
        source: "config.md, POSIX-platform Hooks",
    },
    Rule {
        name: "masks come after mounts",
        claim: Before(which::mounts, which::covers),
        reason: "a later mount would uncover what is hidden, or hide the mask",
        source: "config-linux.md, Masked Paths",
    },
    Rule {
        name: "masks come after pivot_root",
        claim: Before(which::pivots, which::covers),
        reason: "a hook before pivot_root may still mount where a mask has to be",
        source: "config-linux.md, Masked Paths",
    },
    Rule {
        name: "the root is made read-only when nothing has to be made in it",
        claim: Before(which::makes_files, which::seals_root),
        reason: "mkdir and mknod would answer EROFS",
        source: "config.md, Root",
    },
    Rule {
        name: "the root is made read-only after pivot_root",
        claim: Before(which::pivots, which::seals_root),
        reason: "hooks before pivot_root may write to it",
        source: "config.md, POSIX-platform Hooks",
    },
    Rule {
        name: "a session begins before a terminal is taken",
        claim: Before(which::new_session, which::takes_terminal),
        reason: "only the leader of a session without a terminal can take one",
        source: "ioctl_tty(2), TIOCSCTTY",
    },
    Rule {
        name: "there is a new session",
        claim: Once(which::new_session),
        reason: "characters could be pushed into the host's terminal",
        source: "ioctl_tty(2), TIOCSTI",
    },
    Rule {
        name: "the container's null device is there before it is adopted",
        claim: Before(which::makes_devices, which::adopts_null),
        reason: "the streams would stay on a file of the host",
        source: "config-linux.md, Default Devices",
    },
    Rule {
        name: "directory and program are looked up after pivot_root",
        claim: Before(which::pivots, which::looks_inside),
        reason: "they would be found on the host",
        source: "pivot_root(2)",
    },
    Rule {
        name: "the working directory is made before it is entered",
        claim: Before(which::makes_directory, which::enters_directory),
        reason: "an image may lack it",
        source: "chdir(2), ENOENT",
    },
    Rule {
        name: "the working directory is entered before the program is looked up",
        claim: Before(which::enters_directory, which::finds_program),
        reason: "a relative name and an empty entry of PATH start at the working directory",
        source: "execvp(3)",
    },
];
