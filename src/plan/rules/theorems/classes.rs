//! The class of cache and memory bandwidth: made, filled, joined.

use crate::plan::rules::Claim::{AsListed, Before};
use crate::plan::rules::{Rule, which};

pub(super) const RULES: &[Rule] = &[
    Rule {
        name: "a class is there before its schemata are written",
        claim: Before(which::opens_class, which::writes_schemata),
        reason: "the file lies in the directory of the group",
        source: "resctrl.rst, Resource alloc and monitor groups",
    },
    Rule {
        name: "the schema of the cache comes before that of the bandwidth",
        claim: Before(which::writes_cache_schema, which::writes_bandwidth_schema),
        reason: "the specification says which one has the last word",
        source: "config-linux.md, IntelRdt",
    },
    Rule {
        name: "schemata come after l3CacheSchema and memBwSchema",
        claim: Before(which::writes_older_schema, which::writes_listed_schema),
        reason: "the specification gives them the last word",
        source: "config-linux.md, IntelRdt",
    },
    Rule {
        name: "schemata are written as listed",
        claim: AsListed(which::writes_listed_schema),
        reason: "a later line for the same resource wins",
        source: "config-linux.md, IntelRdt",
    },
    Rule {
        name: "a class is complete before anybody is in it",
        claim: Before(which::writes_schemata, which::joins_group),
        reason: "the container would run with the share of a new group, which is everything",
        source: "resctrl.rst, Resource allocation rules",
    },
    Rule {
        name: "the groups are there before the birth",
        claim: Before(which::makes_monitoring_group, which::birth),
        reason: "a processor without a class or a counter left is found before anything runs",
        source: "config-linux.md, IntelRdt, enableMonitoring",
    },
    Rule {
        name: "the class is joined before its monitoring group",
        claim: Before(which::joins_class, which::joins_monitoring_group),
        reason: "a monitoring group takes only what belongs to its class",
        source: "resctrl.rst, Resource monitoring rules",
    },
    Rule {
        name: "the process is in its class before anything but the sealed child runs",
        claim: Before(which::joins_group, which::lets_others_run),
        reason: "what has been born before stays in the root group",
        source: "config-linux.md, IntelRdt",
    },
];
