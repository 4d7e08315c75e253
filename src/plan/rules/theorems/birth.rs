//! The birth, who the newborn is, and the namespaces it is in.

use crate::plan::rules::Claim::{Before, Needs, Once, Unless};
use crate::plan::rules::{Rule, which};

pub(super) const RULES: &[Rule] = &[
    // Birth and identity.
    Rule {
        name: "there is one birth",
        claim: Once(which::birth),
        reason: "a container has one first process",
        source: "runtime.md, Create",
    },
    Rule {
        name: "the host opens before the birth",
        claim: Before(which::opens_for_child, which::birth),
        reason: "what is opened later is not inherited, and its path could have been exchanged by then",
        source: "clone(2)",
    },
    Rule {
        name: "what the newborn inherits is entered before the birth",
        claim: Before(which::enters_for_birth, which::birth),
        reason: "setns changes the pid namespace of later children only, and a child keeps what its parent has",
        source: "pid_namespaces(7)",
    },
    Rule {
        name: "the runtime comes back from a time namespace",
        claim: Needs(which::enters_time_for_birth, which::returns_to_own_time),
        reason: "its deadlines and hooks would go by the container's clocks",
        source: "time_namespaces(7)",
    },
    Rule {
        name: "the host opens before it enters",
        claim: Before(which::opens_for_child, which::enters_for_birth),
        reason: "a path below /proc/self would lead to what was entered",
        source: "proc_pid_ns(5)",
    },
    Rule {
        name: "the host acts on the newborn after the birth",
        claim: Before(which::birth, which::acts_on_newborn),
        reason: "before it there is no process",
        source: "clone(2)",
    },
    Rule {
        name: "the child acts after the birth",
        claim: Before(which::birth, which::of_child),
        reason: "before it there is no process",
        source: "clone(2)",
    },
    Rule {
        name: "a new user namespace gets its maps",
        claim: Needs(which::birth_in_user_namespace, which::writes_maps),
        reason: "without maps every id is the overflow id, and execve takes all capabilities away",
        source: "user_namespaces(7)",
    },
    Rule {
        name: "the id maps come before any step of the child",
        claim: Before(which::writes_maps, which::of_child),
        reason: "the child runs its program only when it has them",
        source: "user_namespaces(7)",
    },
    Rule {
        name: "the id maps come before the host waits",
        claim: Before(which::writes_maps, which::meets),
        reason: "the child waits for its maps and the host for the child: neither would go on",
        source: "futex(2)",
    },
    // Namespaces.
    Rule {
        name: "a user namespace is joined first",
        claim: Before(which::joins_user, which::joins_other),
        reason: "it gives the powers to join the namespaces that it owns",
        source: "setns(2)",
    },
    Rule {
        name: "who joins a user namespace is born again in it",
        claim: Needs(which::joins_user, which::is_born_again),
        reason: "the namespaces of the first birth would belong to the user namespace of the runtime",
        source: "user_namespaces(7)",
    },
    Rule {
        name: "namespaces are joined before the second birth",
        claim: Before(which::joins, which::is_born_again),
        reason: "the process that joins them is the one that ends there",
        source: "setns(2)",
    },
    Rule {
        name: "the reborn process is adopted",
        claim: Needs(which::is_born_again, which::adopts),
        reason: "the host would wait for the end of the wrong process",
        source: "waitid(2)",
    },
    Rule {
        name: "the second birth comes before anything is done inside",
        claim: Unless(which::enters, &Before(which::is_born_again, which::inside_namespaces)),
        reason: "what the first process does in its own namespaces is done to the host",
        source: "namespaces(7)",
    },
    Rule {
        name: "namespaces are joined before anything is done inside them",
        claim: Before(which::joins_opened, which::inside_namespaces),
        reason: "mounts, names and parameters belong to the namespaces of the process that makes them",
        source: "namespaces(7)",
    },
    Rule {
        name: "the new network is joined before anything that shows or uses it",
        claim: Before(which::joins_own_network, which::needs_network),
        reason: "it would show or change the host's network",
        source: "network_namespaces(7)",
    },
    Rule {
        name: "network devices are moved when the process is in its network namespace",
        claim: Before(which::changes_namespaces, which::moves_net_device),
        reason: "the runtime finds the namespace by the process: it would be another one",
        source: "config-linux.md, Network Devices",
    },
    Rule {
        name: "network devices are moved before network parameters are set",
        claim: Before(which::moves_net_device, which::sets_network_parameter),
        reason: "the parameters of an interface are there as long as it is",
        source: "config-linux.md, Network Devices",
    },
    Rule {
        name: "network devices are moved before hooks run",
        claim: Before(which::moves_net_device, which::hook_outside),
        reason: "hooks configure the container's network as it will be",
        source: "config.md, POSIX-platform Hooks",
    },
    Rule {
        name: "the cgroup namespace is made before cgroups are mounted",
        claim: Before(which::makes_cgroup_namespace, which::mounts_cgroups),
        reason: "the mount would show the host's hierarchy from its root",
        source: "cgroup_namespaces(7)",
    },
    Rule {
        name: "the time namespace is made before it is entered",
        claim: Before(which::makes_time_namespace, which::enters_time),
        reason: "unshare puts later children into it, and offsets can be set only while nobody is in it",
        source: "time_namespaces(7)",
    },
    Rule {
        name: "the time namespace is made before its offsets are set",
        claim: Before(which::makes_time_namespace, which::moves_clocks),
        reason: "timens_offsets is that of the namespace for later children, and would be the host's",
        source: "time_namespaces(7)",
    },
    Rule {
        name: "the offsets are set before the time namespace is entered",
        claim: Before(which::moves_clocks, which::enters_time),
        reason: "afterwards the kernel answers EACCES",
        source: "time_namespaces(7)",
    },
];
