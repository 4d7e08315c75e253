//! Security labels: no machine of ours runs with SELinux, and not each with AppArmor, so what would be written
//! where is looked up in the plan.
//!
//! OCI: config.md (apparmorProfile, selinuxLabel), config-linux.md (Mount Label).

use crate_run::plan::{Action, Plan, Step};
use crate_run_plan::Operation;
use serde_json::{Value, json};

use crate::bundles::{Wish, minimal};

const LABEL: &str = "system_u:object_r:container_file_t:s0:c1,c2";

fn plan(change: impl FnOnce(&mut Value)) -> Plan {
    let mut config = minimal();
    change(&mut config);
    Wish::new(config.to_string()).plan()
}

/// Index, file, text and place of each label that the process writes.
fn written(plan: &Plan) -> Vec<(usize, String, String, String)> {
    let told = |(index, step): (usize, &Step)| match &step.action {
        Action::Child(Operation::SetLabel { path, label }) => Some((
            index,
            path.to_str().expect("UTF-8").to_owned(),
            String::from_utf8(label.clone()).expect("UTF-8"),
            step.at.as_ref().expect("a place").to_string(),
        )),
        _ => None,
    };
    plan.steps.iter().enumerate().filter_map(told).collect()
}

#[test]
fn labels_are_written_for_the_next_execve() {
    let cases = [
        ("apparmorProfile", "docker-default", "self/attr/apparmor/exec", "exec docker-default"),
        ("selinuxLabel", LABEL, "self/attr/exec", LABEL),
    ];
    for (name, label, file, text) in cases {
        let plan = plan(|config| config["process"][name] = json!(label));
        let place = format!("/process/{name}");
        let [(index, path, written, at)] = &written(&plan)[..] else { panic!("one label: {name}") };
        assert_eq!((path.as_str(), written.as_str(), at), (file, text, &place));
        let hooks_and_mounts = |step: &Step| {
            matches!(step.action, Action::Child(Operation::PivotRoot { .. } | Operation::RunHook { .. }))
        };
        assert!(plan.steps.iter().rposition(hooks_and_mounts) < Some(*index), "{name}");
        let powers = |step: &Step| matches!(step.action, Action::Child(Operation::Execute { .. }));
        assert!(plan.steps.iter().position(powers) > Some(*index), "{name}");
    }
    assert_eq!(written(&plan(|_| {})), []);
}

#[test]
fn the_mount_label_is_an_option_of_new_filesystems() {
    let labelled = |label: &str| {
        let plan = plan(|config| {
            config["linux"]["mountLabel"] = json!(label);
            config["mounts"] = json!([
                { "destination": "/proc", "type": "proc", "source": "proc" },
                { "destination": "/dev", "type": "tmpfs", "source": "tmpfs" },
                { "destination": "/dev/shm", "type": "tmpfs", "source": "shm", "options": ["size=1m"] },
                { "destination": "/local", "type": "bind", "source": "/usr", "options": ["bind"] }
            ]);
        });
        let wanted = format!("context={label}");
        let told = |step: &Step| match &step.action {
            Action::Child(Operation::MountNew { options, target, .. }) => {
                let has = options.iter().any(|option| option.to_str() == Ok(&wanted));
                Some((target.to_str().expect("UTF-8").to_owned(), has))
            }
            _ => None,
        };
        plan.steps.iter().filter_map(told).collect::<Vec<_>>()
    };
    let expected = [("/proc", false), ("/dev", true), ("/dev/shm", true)];
    assert_eq!(labelled(LABEL), expected.map(|(target, has)| (target.to_owned(), has)));
    assert!(labelled("").iter().all(|(_, has)| !has));
}
