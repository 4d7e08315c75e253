//! `--no-pivot`: the root is moved onto that of the host, which stays below.

use std::fs;

use serde_json::{Value, json};

use crate::world::{World, config};

/// What this program says in a container that was made so.
fn says(world: &World, words: &[&str], change: impl FnOnce(&mut Value)) -> String {
    let container = world.container("moved", |value| {
        config::runs(value, words);
        change(value);
    });
    container.run(&["--no-pivot"]).ok().stdout
}

#[test]
fn the_container_sees_its_own_files_and_no_others() {
    let Some(world) = World::new("the_container_sees_its_own_files_and_no_others") else { return };
    fs::write(world.file("secret"), "").expect("a file");
    let script = format!(
        "ls {} 2>/dev/null; ls /bin/busybox; readlink /proc/self/root; pwd",
        world.file("").display()
    );
    for change in [(|_| ()) as fn(&mut Value), config::userns] {
        let said = says(&world, &["sh", "-c", &script], |value| {
            change(value);
            own_root_for_users(&world, value);
        });
        assert_eq!(said, "/bin/busybox\n/\n/\n");
    }
}

/// In a user namespace the root must belong to its root.
fn own_root_for_users(world: &World, value: &mut Value) {
    let root = world.own_rootfs();
    crate::world::tool(&["chown", "-R", "100000:100000", root.to_str().expect("UTF-8")]);
    crate::world::tool(&["chmod", "0711", world.file("").to_str().expect("UTF-8")]);
    value["root"]["path"] = json!(root);
}

/// chroot(2) alone would be left so. Here `..` of the root leads to the place below, on which the root lies.
#[test]
fn a_second_chroot_leads_nowhere() {
    let Some(world) = World::new("a_second_chroot_leads_nowhere") else { return };
    let secret = world.file("secret");
    fs::write(&secret, "").expect("a file");
    let said = says(&world, &["/bin/probe", "climb", secret.to_str().expect("UTF-8")], |_| {});
    assert_eq!(said, "inside\n");
}

/// Only what CAP_SYS_ADMIN may do leads out: the mounts cannot be taken away without it.
#[test]
fn the_root_cannot_be_taken_off_without_powers() {
    let Some(world) = World::new("the_root_cannot_be_taken_off_without_powers") else { return };
    let said = says(&world, &["sh", "-c", "umount -l / 2>&1; ls /bin/busybox"], |_| {});
    assert!(said.contains("ermission") || said.contains("not permitted"), "{said}");
    assert!(said.ends_with("/bin/busybox\n"), "{said}");
}

/// In a new user namespace a procfs can be mounted only where a whole one is in sight already, be it below
/// the root (mount_namespaces(7)). That of the container is not whole, for something is masked in it.
#[test]
fn no_whole_view_of_the_host_is_left_below() {
    let Some(world) = World::new("no_whole_view_of_the_host_is_left_below") else { return };
    let script = "unshare -U -r -m -p -f sh -c 'mount -t proc proc /tmp && echo revealed' 2>&1";
    let masked = |value: &mut Value| value["linux"]["maskedPaths"] = json!(["/proc/cmdline"]);
    let said = says(&world, &["sh", "-c", &format!("{script}; true")], masked);
    assert!(!said.contains("revealed") && said.contains("ermi"), "{said}");
    let said = says(&world, &["sh", "-c", &format!("{script}; true")], |_| {});
    assert!(said.contains("revealed"), "without a mask the container's own is whole: {said}");
}

#[test]
fn exec_enters_the_same_root() {
    let Some(world) = World::new("exec_enters_the_same_root") else { return };
    let container = world.container("moved", config::sleeps);
    container.creating(&["--no-pivot"]).run().ok();
    container.start().ok();
    let script = "ls /bin/busybox; ls -d /proc/1/root/bin";
    let said = world.run(&["exec", "moved", "sh", "-c", script]).ok().stdout;
    assert!(said.starts_with("/bin/busybox\n"), "{said}");
    container.finish();
}

#[test]
fn a_private_root_is_refused() {
    let Some(world) = World::new("a_private_root_is_refused") else { return };
    for word in ["private", "rprivate"] {
        let container = world.container("moved", |value| value["linux"]["rootfsPropagation"] = json!(word));
        let refused = container.run(&["--no-pivot"]);
        refused.finds(
            &format!("rootfsPropagation={word} is not safe with --no-pivot"),
            "/linux/rootfsPropagation",
        );
    }
}
