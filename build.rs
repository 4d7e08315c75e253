//! Builds the sealed child with rustc itself, so that plain `cargo build` makes the whole binary.
//!
//! The child is another program with other rules (no libc, no heap, its own linker script), which a cargo
//! dependency cannot be. It needs no crate but three of ours, so four calls of rustc are all there is to it.

use std::path::{Path, PathBuf};
use std::process::Command;

struct Build {
    rustc: String,
    target: String,
    out: PathBuf,
}

impl Build {
    fn from_environment() -> Self {
        let set = |name: &str| std::env::var(name).unwrap_or_else(|_| panic!("cargo sets {name}"));
        Self { rustc: set("RUSTC"), target: set("TARGET"), out: PathBuf::from(set("OUT_DIR")).join("child") }
    }

    /// One crate of the child; what it depends on has been built before.
    fn compile(&self, name: &str, source: &str, arguments: &[&str]) {
        println!("cargo::rerun-if-changed={}", Path::new(source).parent().expect("a folder").display());
        let status = Command::new(&self.rustc)
            .args(["--edition=2024", "--cap-lints=allow", "--target", &self.target, "--crate-name", name])
            .args(["-Copt-level=s", "-Cpanic=abort", "-Crelocation-model=static", "-Cforce-unwind-tables=no"])
            .args(["-Coverflow-checks=off", "-Cdebuginfo=0", "-Ccodegen-units=1"])
            .args(arguments)
            .arg("--out-dir")
            .arg(&self.out)
            .arg("-L")
            .arg(&self.out)
            .arg(source)
            .status()
            .unwrap_or_else(|error| panic!("cannot run {}: {error}", self.rustc));
        assert!(status.success(), "the sealed child does not build: see rustc's message about {source}");
    }
}

/// `--version` names the commit; a source tree without git has none.
fn name_the_commit() {
    let head = Command::new("git").args(["rev-parse", "--short=12", "HEAD"]).output();
    if let Some(head) = head.ok().filter(|head| head.status.success()) {
        println!("cargo::rustc-env=CRATE_RUN_COMMIT={}", String::from_utf8_lossy(&head.stdout).trim());
        println!("cargo::rerun-if-changed=.git/HEAD");
    }
}

fn main() {
    name_the_commit();
    let build = Build::from_environment();
    std::fs::create_dir_all(&build.out).expect("cargo's OUT_DIR can be written");
    let library = ["--crate-type=rlib"];
    let program_part = ["--crate-type=rlib", "--cfg=feature=\"program\""];
    build.compile("crate_run_sys", "crates/sys/src/lib.rs", &program_part);
    build.compile("crate_run_plan", "crates/plan/src/lib.rs", &library);
    let (sys, plan) = ("--extern=crate_run_sys", "--extern=crate_run_plan");
    build.compile("crate_run_child", "crates/child/src/lib.rs", &["--crate-type=rlib", sys, plan]);
    let script = "-Clink-arg=-Tcrates/child/child.ld";
    println!("cargo::rerun-if-changed=crates/child/child.ld");
    let link = [
        "--crate-type=bin",
        "-Clto=fat",
        "-Clinker=rust-lld",
        "-Clinker-flavor=ld.lld",
        "-Clink-self-contained=no",
        "-Ctarget-feature=+crt-static",
        script,
        "-Clink-arg=--build-id=none",
        "-Clink-arg=-znorelro",
        "-Cstrip=symbols",
        sys,
        plan,
        "--extern=crate_run_child",
    ];
    build.compile("child", "crates/child/src/program.rs", &link);
}
