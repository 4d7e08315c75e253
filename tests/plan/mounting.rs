//! The plans of `mounts add` and `mounts remove`.

use crate_run::bundle::finding::Pointer;
use crate_run::bundle::path::InsidePath;
use crate_run::plan::mounting::{Leaving, Way, add, remove};
use crate_run::plan::rules::{self, Claim};
use crate_run::plan::{Action, HostAction, Plan};
use crate_run::state::ProcessId;
use crate_run_plan::Operation;
use crate_run_sys::namespaces::flag;
use serde_json::json;

use crate::bundles::{Wish, minimal};

fn way() -> Way {
    Way { process: ProcessId { pid: 4711, started: 1 }, kinds: flag::PID | flag::MOUNT | flag::NETWORK }
}

fn adding() -> Plan {
    let mut config = minimal();
    config["mounts"] = json!([
        { "destination": "/srv", "type": "bind", "source": "/usr", "options": ["bind", "ro"] },
        { "destination": "/tmp", "type": "tmpfs", "source": "tmpfs" }
    ]);
    add(&Wish::new(config.to_string()).bundle(), way())
}

fn removing() -> Plan {
    let leaving = |path: &str| {
        let target = InsidePath::new(path).expect("a path");
        Leaving { target, known: vec![1 << 31, 4711], at: Pointer::from("/0") }
    };
    remove(&[leaving("/srv"), leaving("/tmp")], way())
}

#[test]
fn they_keep_the_rules_of_order() {
    let is_order = |claim: &Claim| !matches!(claim, Claim::Once(_) | Claim::Needs(..) | Claim::First(_));
    for plan in [adding(), removing()] {
        let broken = rules::all().filter(|rule| is_order(&rule.claim));
        let broken: Vec<String> = broken.filter_map(|rule| rule.claim.broken_by(&plan)).collect();
        assert_eq!(broken, Vec::<String>::new());
    }
}

/// Who holds a directory of the host's /proc is never seen by the container, and executes nothing.
#[test]
fn the_child_stays_out_of_sight_and_ends() {
    for plan in [adding(), removing()] {
        let kinds = plan.steps.iter().find_map(|step| match &step.action {
            Action::Child(Operation::EnterContainer { kinds, .. }) => Some(*kinds),
            _ => None,
        });
        assert_eq!(kinds, Some(flag::MOUNT | flag::NETWORK));
        let last = plan.steps.last().map(|step| &step.action);
        assert_eq!(last, Some(&Action::Child(Operation::End {})));
        let birth =
            |step: &crate_run::plan::Step| matches!(step.action, Action::Host(HostAction::GiveBirth { .. }));
        let last_of_host = plan.steps.iter().rposition(|step| matches!(step.action, Action::Host(_)));
        assert_eq!(
            last_of_host,
            plan.steps.iter().position(birth),
            "only the child can take back what it has done"
        );
        let lasting = |step: &crate_run::plan::Step| {
            matches!(step.action, Action::Host(HostAction::ReserveId | HostAction::RecordIntent))
        };
        assert!(!plan.steps.iter().any(lasting), "the container's state is not touched");
    }
}
