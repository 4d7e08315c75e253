//! Buildah, whose `run` and `RUN` start a runtime themselves and wait for the container's process.

use crate::host::Host;
use crate::tool::{self, Said, binary, configure, import, same};

fn buildah() -> Host {
    if tool::line("podman image exists box").status != 0 {
        import("podman import - box");
    }
    Host::as_it_is()
}

#[test]
fn run_ends_as_with_runc() {
    let _host = buildah();
    let name = tool::line("buildah from --pull=never localhost/box").ok();
    let run = |command: &'static [&'static str]| {
        let name = name.clone();
        move |runtime: &str| -> Said {
            let start = ["buildah", "run", "--isolation", "oci", "--network", "none", "--runtime"];
            tool::run(&[&start[..], &[&binary(runtime), &name, "--"], command].concat())
        }
    };
    same(run(&["sh", "-c", "echo out; exit 7"])).exits(7);
    same(run(&["cat", "/etc/passwd"])).exits(0);
    for program in [&["nosuch"], &["/etc/passwd"], &["/etc"]] {
        let said = same(run(program));
        assert!(said.stderr.contains("exec: "), "{said:?}");
    }
    tool::line(&format!("buildah rm {name}")).ok();
}

#[test]
fn an_image_is_built() {
    let _host = buildah();
    let file = "/var/tmp/crate-run-build/Containerfile";
    configure(
        file,
        "FROM localhost/box\nRUN echo built >/result && id -u\nRUN --mount=type=tmpfs,target=/t touch /t/x\n",
    );
    let folder = "/var/tmp/crate-run-build";
    let binary = binary("crate-run");
    let build = "buildah build --isolation oci --network none --pull=never --tag built";
    tool::line(&format!("{build} --runtime {binary} {folder}")).ok();
    let run = format!("podman --runtime {binary} run --rm --network none built cat /result");
    let said = tool::line(&run);
    tool::line("podman rmi localhost/built").ok();
    std::fs::remove_dir_all(folder).expect("the folder of the build");
    assert_eq!(said.ok(), "built");
}
