//! From the gate to execve: powers only shrink.

use crate::plan::rules::Claim::{Before, Last, Needs, Once, Unless, Where};
use crate::plan::rules::{Rule, which};

pub(super) const RULES: &[Rule] = &[
    // The gate.
    Rule {
        name: "the view is complete before the container is created",
        claim: Before(which::view, which::records_created),
        reason: "created means that all but the process has been applied",
        source: "runtime.md, Create",
    },
    Rule {
        name: "there is one record of the creation",
        claim: Once(which::records_created),
        reason: "state must tell created from creating",
        source: "runtime.md, State",
    },
    Rule {
        name: "the container is recorded as created before it waits",
        claim: Before(which::of_host, which::parks),
        reason: "start may come at once, and the child that waits no longer listens to the host",
        source: "runtime.md, Create",
    },
    Rule {
        name: "a gate is opened for the one who waits there",
        claim: Needs(which::parks, which::opens_gate),
        reason: "nobody could let it go",
        source: "runtime.md, Start",
    },
    Rule {
        name: "the program starts after the gate",
        claim: Before(which::parks, which::start_container_hook),
        reason: "startContainer hooks belong to start",
        source: "config.md, StartContainer Hooks",
    },
    Rule {
        name: "the host is done before powers are dropped",
        claim: Before(which::of_host, which::drops_powers),
        reason: "what the host does could still fail, and the child could no longer wait for it",
        source: "credentials(7)",
    },
    Rule {
        name: "streams are given away before powers are dropped",
        claim: Before(which::lends_streams, which::drops_powers),
        reason: "it takes CAP_CHOWN",
        source: "capabilities(7)",
    },
    // The supervisor of a seccomp filter.
    Rule {
        name: "the view is made before the first call is handed to a supervisor",
        claim: Before(which::view, which::installs_listener),
        reason: "a supervisor decides what the program does, not what its making does",
        source: "seccomp_unotify(2)",
    },
    Rule {
        name: "the filter with the listener comes before powers are dropped",
        claim: Before(which::installs_listener, which::drops_powers),
        reason: "it takes CAP_SYS_ADMIN, for no_new_privs is not set yet",
        source: "seccomp(2), EACCES",
    },
    Rule {
        name: "a listener is sent to its supervisor",
        claim: Needs(which::installs_listener, which::sends_listener),
        reason: "nobody would answer the calls about which the filter asks",
        source: "seccomp_unotify(2)",
    },
    Rule {
        name: "the supervisor has the listener before the container is created",
        claim: Before(which::sends_listener, which::records_created),
        reason: "a supervisor that cannot be reached is an error of create",
        source: "config-linux.md, Seccomp",
    },
    Rule {
        name: "the child keeps the listener until it is sent",
        claim: Before(which::sends_listener, which::closes_listener),
        reason: "the host takes it from the child, by its number",
        source: "pidfd_getfd(2)",
    },
    Rule {
        name: "the child closes its listener",
        claim: Needs(which::installs_listener, which::closes_listener),
        reason: "its calls would wait for ever for a supervisor that has died",
        source: "seccomp_unotify(2)",
    },
    Rule {
        name: "the child closes its listener before it waits or becomes the program",
        claim: Before(which::closes_listener, which::parks_or_executes),
        reason: "its calls would wait for ever for a supervisor that has died",
        source: "seccomp_unotify(2)",
    },
    // The tail: powers only shrink.
    Rule {
        name: "limits are set before the ids",
        claim: Before(which::sets_own_limit, which::sets_ids),
        reason: "raising a hard limit takes CAP_SYS_RESOURCE, a real-time policy CAP_SYS_NICE",
        source: "setrlimit(2), sched(7)",
    },
    Rule {
        name: "a process is let run anywhere before its policy is set",
        claim: Before(which::runs_anywhere, which::schedules),
        reason: "SCHED_DEADLINE is refused to a process that may not run on every processor",
        source: "sched(7)",
    },
    Rule {
        name: "the policy of the scheduler comes after the hooks of create",
        claim: Before(which::create_container_hook, which::schedules),
        reason: "a process under SCHED_DEADLINE cannot fork, and one under SCHED_IDLE may wait for long",
        source: "sched(7)",
    },
    Rule {
        name: "the container has its own process group before that gets a priority",
        claim: Before(which::new_session, which::sets_io_priority),
        reason: "the group before it is the group of the runtime",
        source: "ioprio_set(2), setsid(2)",
    },
    Rule {
        name: "limits do not limit our own steps",
        claim: Before(which::makes_files, which::sets_own_limit),
        reason: "a small RLIMIT_NOFILE or RLIMIT_FSIZE would hit the steps that open and make files",
        source: "setrlimit(2)",
    },
    Rule {
        name: "the label is written before the ids change",
        claim: Before(which::sets_label, which::sets_ids),
        reason: "the files in /proc of a process that may not be dumped belong to root",
        source: "proc(5)",
    },
    Rule {
        name: "the bounding set is limited before the ids",
        claim: Before(which::limits_bounding, which::sets_ids),
        reason: "PR_CAPBSET_DROP takes CAP_SETPCAP, which setresuid takes away",
        source: "capabilities(7)",
    },
    Rule {
        name: "the bounding set is limited before the other sets",
        claim: Before(which::limits_bounding, which::sets_capabilities),
        reason: "PR_CAPBSET_DROP takes CAP_SETPCAP, which the new sets need not have",
        source: "capabilities(7)",
    },
    Rule {
        name: "groups come before user and group",
        claim: Before(which::sets_groups, which::sets_ids),
        reason: "setgroups takes CAP_SETGID; a process that keeps root's groups keeps root's files",
        source: "setgroups(2)",
    },
    Rule {
        name: "ids are set before the capabilities",
        claim: Before(which::sets_ids, which::sets_capabilities),
        reason: "setresuid takes CAP_SETUID, and empties the effective set when it leaves root",
        source: "capabilities(7)",
    },
    Rule {
        name: "ambient capabilities come after the other sets",
        claim: Before(which::sets_capabilities, which::sets_ambient),
        reason: "only what is permitted and inheritable can be raised, and setresuid clears them",
        source: "capabilities(7)",
    },
    Rule {
        name: "the directory is entered once more as the user",
        claim: Before(which::sets_ids, which::enters_as_user),
        reason: "root may be refused where the user is not",
        source: "chdir(2), EACCES",
    },
    Rule {
        name: "the umask is set when no more files are made",
        claim: Before(which::makes_files, which::sets_umask),
        reason: "it would narrow the modes of our own files",
        source: "umask(2)",
    },
    Rule {
        name: "credentials are read back when all are set",
        claim: Before(which::sets_credentials, which::verifies),
        reason: "uid -1 means keep to setresuid: only reading back shows what is",
        source: "setresuid(2)",
    },
    Rule {
        name: "no program starts whose credentials were not read back",
        claim: Unless(which::filters_calls, &Needs(which::executes, which::verifies)),
        reason: "a step that does less than it says would go unnoticed",
        source: "credentials(7)",
    },
    Rule {
        name: "a filter is looked for when it is installed",
        claim: Before(which::filters_calls, which::reads_filter_back),
        reason: "it would not be there yet",
        source: "seccomp(2)",
    },
    Rule {
        name: "a program that should have a filter starts only when the filter is there",
        claim: Needs(which::filters_calls, which::reads_filter_back),
        reason: "a filter that is missing would go unnoticed",
        source: "prctl(2), PR_GET_SECCOMP",
    },
    Rule {
        name: "no_new_privs comes before the filter",
        claim: Before(which::no_new_privileges, which::filters_calls),
        reason: "without CAP_SYS_ADMIN the kernel wants it first",
        source: "seccomp(2), EACCES",
    },
    Rule {
        name: "with no_new_privs the filter comes after the last word",
        claim: Where(which::no_new_privileges, &Before(which::announces, which::filters_calls)),
        reason: "it need not allow what our own steps do",
        source: "seccomp(2)",
    },
    Rule {
        name: "without no_new_privs the filter comes before powers are dropped",
        claim: Unless(which::no_new_privileges, &Before(which::filters_calls, which::drops_powers)),
        reason: "it takes CAP_SYS_ADMIN",
        source: "seccomp(2), EACCES",
    },
    Rule {
        name: "limits are set before the filter",
        claim: Before(which::sets_own_limit, which::filters_calls),
        reason: "a profile may forbid setrlimit, personality, set_mempolicy and sched_setattr",
        source: "seccomp(2)",
    },
    Rule {
        name: "descriptors are closed before the filter",
        claim: Before(which::closes_descriptors, which::filters_calls),
        reason: "a profile older than close_range would forbid it",
        source: "close_range(2)",
    },
    Rule {
        name: "descriptors are closed",
        claim: Once(which::closes_descriptors),
        reason: "a descriptor of a host directory is a way out",
        source: "CVE-2024-21626",
    },
    // The end.
    Rule {
        name: "the last word comes after everything that may fail",
        claim: Before(which::before_last_word, which::announces),
        reason: "a line that closes after it means that execve has worked",
        source: "unix(7)",
    },
    Rule {
        name: "there is one last word",
        claim: Once(which::announces),
        reason: "the host could not tell a program that runs from a child that died",
        source: "unix(7)",
    },
    Rule {
        name: "the last word comes before execve",
        claim: Before(which::announces, which::ends),
        reason: "after it the child is another program",
        source: "execve(2)",
    },
    Rule {
        name: "there is one execve",
        claim: Once(which::ends),
        reason: "the child becomes the program once",
        source: "execve(2)",
    },
    Rule {
        name: "execve is the last step",
        claim: Last(which::ends),
        reason: "nothing of the child is left to run another one",
        source: "execve(2)",
    },
];
