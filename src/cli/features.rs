//! `crate-run features`: what this build supports, as JSON (features.md and
//! features-linux.md of the specification).
//!
//! The content is fixed when crate-run is built; what the host lacks is `doctor`'s business. A test reads it
//! and drives every word through a container (`tests/root_features`).
//!
//! Engines look for the annotation of runc that says whether containers can be checkpointed, whatever the
//! runtime is; crun has it too.

use serde_json::{Value, json};

use crate::cgroup::systemd::property::PREFIX;
use crate::cli::version::{self, SPEC};
use crate::feature::namespaces::{KINDS, name_of};
use crate::feature::{capabilities, hooks, memory_policy, mounts, seccomp};

/// Every capability that config.json may name.
const ALL_CAPABILITIES: u64 = (1 << 41) - 1;

/// Every architecture of the specification may stand in a profile. Those whose programs a machine never runs
/// need no filter there.
const ARCHITECTURES: [&str; 23] = [
    "SCMP_ARCH_AARCH64",
    "SCMP_ARCH_ARM",
    "SCMP_ARCH_LOONGARCH64",
    "SCMP_ARCH_M68K",
    "SCMP_ARCH_MIPS",
    "SCMP_ARCH_MIPS64",
    "SCMP_ARCH_MIPS64N32",
    "SCMP_ARCH_MIPSEL",
    "SCMP_ARCH_MIPSEL64",
    "SCMP_ARCH_MIPSEL64N32",
    "SCMP_ARCH_PARISC",
    "SCMP_ARCH_PARISC64",
    "SCMP_ARCH_PPC",
    "SCMP_ARCH_PPC64",
    "SCMP_ARCH_PPC64LE",
    "SCMP_ARCH_RISCV64",
    "SCMP_ARCH_S390",
    "SCMP_ARCH_S390X",
    "SCMP_ARCH_SH",
    "SCMP_ARCH_SHEB",
    "SCMP_ARCH_X32",
    "SCMP_ARCH_X86",
    "SCMP_ARCH_X86_64",
];

/// Answers the text for standard output.
pub fn features() -> String {
    let value = json!({
        "ociVersionMin": "1.0.0",
        "ociVersionMax": SPEC,
        "hooks": hooks::KINDS,
        "mountOptions": mounts::words(),
        "linux": linux(),
        "annotations": {
            "org.opencontainers.runc.checkpoint.enabled": "false",
            "run.oci.crate-run.commit": version::commit(),
            "run.oci.crate-run.version": env!("CARGO_PKG_VERSION"),
        },
        "potentiallyUnsafeConfigAnnotations": unsafe_annotations(),
    });
    serde_json::to_string_pretty(&value).expect("strings and numbers become JSON") + "\n"
}

/// Those that change what a container may do. A name that ends in a dot stands for all that begin with it.
fn unsafe_annotations() -> Vec<&'static str> {
    seccomp::ANNOTATIONS.into_iter().chain([PREFIX]).collect()
}

fn linux() -> Value {
    json!({
        "namespaces": KINDS.map(name_of),
        "capabilities": capabilities::names(ALL_CAPABILITIES),
        "cgroup": {
            "v1": cfg!(feature = "cgroup-v1"), "v2": true, "systemd": true, "systemdUser": true, "rdma": true,
        },
        "seccomp": {
            "enabled": true,
            "actions": [
                "SCMP_ACT_ALLOW", "SCMP_ACT_ERRNO", "SCMP_ACT_KILL", "SCMP_ACT_KILL_PROCESS",
                "SCMP_ACT_KILL_THREAD", "SCMP_ACT_LOG", "SCMP_ACT_NOTIFY", "SCMP_ACT_TRACE", "SCMP_ACT_TRAP",
            ],
            "operators": [
                "SCMP_CMP_EQ", "SCMP_CMP_GE", "SCMP_CMP_GT", "SCMP_CMP_LE", "SCMP_CMP_LT",
                "SCMP_CMP_MASKED_EQ", "SCMP_CMP_NE",
            ],
            "archs": ARCHITECTURES,
            "knownFlags": [
                "SECCOMP_FILTER_FLAG_LOG", "SECCOMP_FILTER_FLAG_SPEC_ALLOW", "SECCOMP_FILTER_FLAG_TSYNC",
                "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV",
            ],
            "supportedFlags": [
                "SECCOMP_FILTER_FLAG_LOG", "SECCOMP_FILTER_FLAG_SPEC_ALLOW", "SECCOMP_FILTER_FLAG_TSYNC",
                "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV",
            ],
        },
        "apparmor": { "enabled": true },
        "selinux": { "enabled": true },
        "memoryPolicy": { "modes": memory_policy::modes(), "flags": memory_policy::flags() },
        "intelRdt": { "enabled": true, "schemata": true, "monitoring": true },
        "mountExtensions": { "idmap": { "enabled": true } },
        "netDevices": { "enabled": true },
    })
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_specification_reads_it() {
        let features: oci_spec::runtime::Features = serde_json::from_str(&super::features()).unwrap();
        assert_eq!(features.oci_version_max(), "1.3.0");
        assert!(features.mount_options().as_ref().unwrap().iter().any(|word| word == "rbind"));
    }
}
