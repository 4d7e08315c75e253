//! Whom an ordinary user can map, and what is told when he cannot.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::process::Command;

use serde_json::{Value, json};

use crate::machine::{Bundle, Checked, FIRST, Replaced, said, words};

#[test]
fn subordinate_ids_are_mapped_by_the_helpers() -> Checked {
    let bundle = Bundle::new("helpers")?;
    bundle.with_all_ids()?;
    bundle.configure(|config| {
        config["process"]["user"]["additionalGids"] = json!([5, 10]);
        config["root"]["readonly"] = json!(false);
        let names = ["CAP_CHOWN"];
        config["process"]["capabilities"] =
            json!({ "bounding": names, "effective": names, "permitted": names });
    })?;
    let script = "cat /proc/self/uid_map /proc/self/gid_map /proc/self/setgroups; id -G; \
                  touch /tmp/file; chown 7:8 /tmp/file";
    let said = bundle.says(script)?;
    let found: Vec<&str> = said.split_whitespace().collect();
    let map = ["0", "1000", "1", "1", "100000", "65536"];
    assert_eq!(found, [&map[..], &map, &["allow", "0", "5", "10"]].concat());
    let status = fs::metadata(bundle.file("rootfs/tmp/file"))?;
    assert_eq!((status.uid(), status.gid()), (FIRST + 6, FIRST + 7));
    Ok(())
}

/// Nobody of the container is the user himself: its root is a subordinate id, whom the user signals and
/// enters as the owner of the user namespace.
#[test]
fn root_of_the_container_can_be_a_subordinate_id() -> Checked {
    let bundle = Bundle::new("subordinate")?;
    bundle.mapped(json!([{ "containerID": 0, "hostID": FIRST, "size": 65536 }]))?;
    bundle.configure(|config| config["process"]["args"] = json!(["sleep", "1000000"]))?;
    for words_of in [["create", "a"], ["start", "a"]] {
        let output = bundle.run(&words_of)?;
        assert!(output.status.success(), "{}", words(&output));
    }
    let state: Value = serde_json::from_slice(&bundle.run(&["state", "a"])?.stdout)?;
    let process = format!("/proc/{}", state["pid"]);
    assert_eq!(fs::metadata(&process)?.uid(), FIRST);
    let entered = bundle.run(&["exec", "a", "id", "-u"])?;
    assert_eq!(String::from_utf8_lossy(&entered.stdout), "0\n", "{}", words(&entered));
    let deleted = bundle.run(&["delete", "--force", "a"])?;
    assert!(deleted.status.success(), "{}", words(&deleted));
    assert!(!fs::exists(process)?);
    bundle.configure(|config| config["process"]["oomScoreAdj"] = json!(500))?;
    let told = bundle.refusal()?;
    assert!(told.contains("cannot set oom_score_adj to 500: permission denied"), "{told}");
    assert!(told.contains("map containerID 0 to the own id"), "{told}");
    Ok(())
}

/// The same container by the peers: the same maps.
#[test]
fn the_maps_are_those_of_runc_and_crun() -> Checked {
    let bundle = Bundle::new("peers")?;
    bundle.with_all_ids()?;
    let own = bundle.says("cat /proc/self/uid_map /proc/self/gid_map; id -u; id -g")?;
    for peer in ["runc", "crun"] {
        let output = Command::new("timeout")
            .args(["120", "runuser", "-u", "rootless", "--", "env", "XDG_RUNTIME_DIR=/run/user/1000"])
            .args([peer, "run", "--bundle"])
            .arg(bundle.file(""))
            .arg("peer")
            .output()?;
        assert!(output.status.success(), "{peer}: {}", words(&output));
        assert_eq!(String::from_utf8(output.stdout)?, own, "{peer}");
    }
    Ok(())
}

#[test]
fn a_range_that_is_not_given_is_named_with_its_cure() -> Checked {
    let bundle = Bundle::new("ranges")?;
    bundle.mapped(json!([{ "containerID": 0, "hostID": 200_000, "size": 10 }]))?;
    let told = bundle.refusal()?;
    assert!(told.contains("the uids 200000 to 200009 of the host are not yours to map"), "{told}");
    assert!(told.contains("map those that /etc/subuid gives to rootless: 100000 and 65535 more"), "{told}");
    bundle.with_all_ids()?;
    let _none = (Replaced::new("/etc/subuid", "")?, Replaced::new("/etc/subgid", "")?);
    let told = bundle.refusal()?;
    assert!(told.contains("let root add a line to /etc/subuid, such as rootless:100000:65536"), "{told}");
    assert!(told.contains("let root add a line to /etc/subgid, such as rootless:100000:65536"), "{told}");
    let doctor = String::from_utf8(bundle.run(&["doctor"])?.stdout)?;
    assert!(doctor.contains("uids          1000 alone: /etc/subuid has no others"), "{doctor}");
    Ok(())
}

#[test]
fn doctor_tells_the_ranges() -> Checked {
    let bundle = Bundle::new("doctor")?;
    let doctor = String::from_utf8(bundle.run(&["doctor"])?.stdout)?;
    assert!(doctor.contains("uids          1000; 100000 and 65535 more by newuidmap"), "{doctor}");
    assert!(doctor.contains("gids          1000; 100000 and 65535 more by newgidmap"), "{doctor}");
    Ok(())
}

/// With the files of the user alone: no helper in PATH, or one that has lost its power.
#[test]
fn without_the_helpers_the_own_id_can_be_mapped() -> Checked {
    let mut bundle = Bundle::new("alone")?;
    bundle.path = "/nowhere".to_owned();
    let said = bundle.says("cat /proc/self/uid_map /proc/self/setgroups")?;
    assert_eq!(said.split_whitespace().collect::<Vec<_>>(), ["0", "1000", "1", "deny"]);
    bundle.with_all_ids()?;
    let told = bundle.refusal()?;
    assert!(
        told.contains("to map other uids than one's own takes newuidmap, which is not in PATH"),
        "{told}"
    );
    assert!(told.contains("install it (Debian: uidmap"), "{told}");
    Ok(())
}

#[test]
fn a_helper_without_power_is_told_before_it_is_asked() -> Checked {
    let mut bundle = Bundle::new("powerless")?;
    let tools = bundle.file("tools");
    fs::create_dir(&tools)?;
    for name in ["newuidmap", "newgidmap"] {
        fs::copy(format!("/usr/bin/{name}"), tools.join(name))?;
        fs::set_permissions(tools.join(name), fs::Permissions::from_mode(0o755))?;
    }
    bundle.path = tools.display().to_string();
    bundle.with_all_ids()?;
    let told = bundle.refusal()?;
    assert!(told.contains("newuidmap is neither setuid root nor has it file capabilities"), "{told}");
    Ok(())
}

/// Where the administrator forbids user namespaces, the sentence says where.
#[test]
fn no_user_namespaces_are_told() -> Checked {
    const LIMIT: &str = "/proc/sys/user/max_user_namespaces";
    let bundle = Bundle::new("forbidden")?;
    let _none = Replaced::new(LIMIT, "0")?;
    let told = bundle.refusal()?;
    assert!(told.contains("give birth to the process"), "{told}");
    assert!(told.contains("see /proc/sys/user/max_*_namespaces"), "{told}");
    let doctor = String::from_utf8(bundle.run(&["doctor"])?.stdout)?;
    assert!(doctor.contains("namespaces    a user may not make them"), "{doctor}");
    assert_eq!(said(&["pgrep", "-c", "-u", "100000"]).unwrap_or_default(), "", "nobody is left");
    Ok(())
}
