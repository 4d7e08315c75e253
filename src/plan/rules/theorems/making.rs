//! What the host makes and writes down before the birth: the records, the cgroup.

use crate::plan::rules::Claim::{Before, First, Needs, Once, PhasesInOrder, SlotsFilled, Unless};
use crate::plan::rules::{Rule, which};

pub(super) const RULES: &[Rule] = &[
    // What is written down, before and after.
    Rule {
        name: "the id is reserved first",
        claim: First(which::reserves),
        reason: "two commands with the same id would build into each other",
        source: "runtime.md, Create",
    },
    Rule {
        name: "the intent is recorded before anything is made",
        claim: Before(which::records_intent, which::acts),
        reason: "a runtime that dies leaves something behind that nobody knows how to remove",
        source: "runtime.md, Delete",
    },
    Rule {
        name: "there is one record of the intent",
        claim: Once(which::records_intent),
        reason: "delete has to know what create was about to make",
        source: "runtime.md, Delete",
    },
    Rule {
        name: "phases follow each other",
        claim: PhasesInOrder,
        reason: "a lecture, a trace and an error message tell the plan phase by phase",
        source: "plan/step.rs",
    },
    Rule {
        name: "slots are filled before they are used",
        claim: SlotsFilled,
        reason: "a step would act on a descriptor that is not open",
        source: "crates/plan/src/slot.rs",
    },
    Rule {
        name: "the socket for READY=1 is bound before the birth",
        claim: Before(which::binds_notify_socket, which::birth),
        reason: "a program that is quick would find nobody there",
        source: "sd_notify(3)",
    },
    // The cgroup.
    Rule {
        name: "the cgroup exists before the birth",
        claim: Before(which::creates_cgroup, which::birth),
        reason: "a process that is moved later has run outside before, and the move takes long",
        source: "clone(2), CLONE_INTO_CGROUP",
    },
    Rule {
        name: "the cgroup exists before its files are written",
        claim: Before(which::creates_cgroup, which::writes_limit),
        reason: "the files of a limit lie in the directory of the cgroup",
        source: "cgroups(7)",
    },
    Rule {
        name: "systemd is connected before there is a process to wait for it",
        claim: Before(which::connects_to_systemd, which::birth),
        reason: "a newborn that waits would have to be ended where nobody answers",
        source: "org.freedesktop.systemd1(5)",
    },
    Rule {
        name: "who asks systemd is connected",
        claim: Needs(which::asks_systemd, which::connects_to_systemd),
        reason: "a scope is made by systemd alone",
        source: "org.freedesktop.systemd1(5)",
    },
    Rule {
        name: "a scope is started for a process that is there",
        claim: Before(which::birth, which::asks_systemd),
        reason: "systemd makes no scope without a process, and moves it in by its number",
        source: "org.freedesktop.systemd1(5), StartTransientUnit",
    },
    Rule {
        name: "the scope exists before anything is changed in it",
        claim: Before(which::starts_unit, which::changes_cgroup),
        reason: "its directory is there when systemd says that the job is done",
        source: "systemd.scope(5)",
    },
    Rule {
        name: "the scope is entered before the cgroup namespace is made",
        claim: Before(which::starts_unit, which::makes_cgroup_namespace),
        reason: "the cgroup of the runtime would be its root, and the scope outside of it",
        source: "cgroup_namespaces(7)",
    },
    Rule {
        name: "the scope is entered before anything but the sealed child runs",
        claim: Before(which::starts_unit, which::lets_others_run),
        reason: "a hook or the program would run outside its limits",
        source: "config-linux.md, Control groups",
    },
    Rule {
        name: "who is moved into a scope is moved before it enters the container",
        claim: Before(which::joins_unit, which::enters),
        reason: "no moment may exist at which it runs inside without the container's limits",
        source: "cgroups(7)",
    },
    Rule {
        name: "groups of cgroup v1 exist before limits are written",
        claim: Before(which::makes_v1_group, which::writes_limit),
        reason: "the files of a controller that is bound to version 1 lie in its group",
        source: "cgroups(7), Cgroups version 1",
    },
    Rule {
        name: "groups of cgroup v1 are joined before the child does anything",
        claim: Before(which::joins_v1_group, which::of_child),
        reason: "it would run without limits, and its cgroup namespace would begin above its groups",
        source: "cgroup_namespaces(7)",
    },
    Rule {
        name: "controllers are enabled before their files are written",
        claim: Before(which::enables_controllers, which::writes_limit),
        reason: "the files of a controller appear when the parent enables it",
        source: "cgroups(7), cgroup.subtree_control",
    },
    Rule {
        name: "limits are written before the birth",
        claim: Unless(which::starts_unit, &Before(which::writes_early_limit, which::birth)),
        reason: "no moment may exist at which the container runs without them",
        source: "config-linux.md, Control groups",
    },
    Rule {
        name: "limits that would forbid the birth come after it",
        claim: Before(which::birth, which::writes_late_limit),
        reason: "with pids.max at 0 clone3 answers EAGAIN",
        source: "cgroups(7), pids",
    },
    Rule {
        name: "every limit is written before the container is created",
        claim: Before(which::writes_limit, which::records_created),
        reason: "the program may start at once",
        source: "config-linux.md, Control groups",
    },
    Rule {
        name: "the use of memory is compared before it is limited",
        claim: Before(which::checks_memory, which::limits_memory),
        reason: "the kernel kills what is above a new limit",
        source: "config-linux.md, Memory, checkBeforeUpdate",
    },
    Rule {
        name: "the user is mapped before the cgroup is handed to it",
        claim: Before(which::says_who, which::delegates_cgroup),
        reason: "which user of the host that is, the id maps of the newborn tell",
        source: "config-linux.md, Cgroup ownership; user_namespaces(7)",
    },
    Rule {
        name: "the cgroup is handed over before the program runs",
        claim: Before(which::delegates_cgroup, which::lets_others_run),
        reason: "an init inside divides its cgroup at once",
        source: "config-linux.md, Cgroup ownership",
    },
    Rule {
        name: "devices are filtered before anything but the sealed child runs",
        claim: Before(which::filters_devices, which::lets_others_run),
        reason: "a hook or the program could open a device of the host before the filter is there",
        source: "bpf(2), BPF_PROG_TYPE_CGROUP_DEVICE",
    },
];
