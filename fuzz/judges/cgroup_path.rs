//! Any `linux.cgroupsPath`, id and own cgroup of the runtime: the place lies where it must, or it is refused
//! with a finding.
//!
//! The input is the three of them with a line feed between: the path comes last, and may hold anything.

use crate_run::bundle::finding::Severity;
use crate_run::cgroup::CgroupPath;
use crate_run::cgroup::path::findings;
use crate_run::state::ContainerId;

pub fn judge(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let mut parts = text.splitn(3, '\n');
    let (own, id, wanted) = (
        parts.next().unwrap_or_default(),
        parts.next().unwrap_or_default(),
        parts.next().unwrap_or_default(),
    );
    let Ok(id) = ContainerId::new(id) else { return };
    assert!(!id.as_str().contains('/') && id.as_str() != "..");
    let own = format!("/{}", own.trim_start_matches('/'));
    let is_error = |wanted: &str| findings(wanted).iter().any(|finding| finding.severity == Severity::Error);
    match CgroupPath::resolve(wanted, id.as_str(), &own) {
        Ok(path) => {
            judge_path(&path);
            assert!(!is_error(wanted), "{wanted:?} is taken, and an error");
            let parent = own.rsplit_once('/').map_or("", |(parent, _)| parent);
            let parent: Vec<&str> = names(parent).collect();
            if !wanted.starts_with('/') {
                let inside: Vec<&str> = names(path.as_str()).collect();
                assert!(
                    inside.starts_with(&parent) && inside.len() > parent.len(),
                    "{path} leaves {parent:?}"
                );
            }
        }
        Err(found) => assert!(found.iter().any(|finding| finding.severity == Severity::Error)),
    }
    if let Ok(path) = CgroupPath::absolute(wanted) {
        judge_path(&path);
        if let Ok(below) = path.below(id.as_str()) {
            judge_path(&below);
            assert!(below.as_str().starts_with(&format!("{path}/")));
        }
    }
}

fn names(path: &str) -> impl Iterator<Item = &str> {
    path.split('/').filter(|name| !matches!(*name, "" | "."))
}

fn judge_path(path: &CgroupPath) {
    let text = path.as_str();
    assert!(text.starts_with('/') && text.len() > 1, "{text:?}");
    for name in text[1..].split('/') {
        let fine = !matches!(name, "" | "." | "..") && !name.contains(['\0', '\n']) && name.len() <= 255;
        assert!(fine && !name.starts_with("cgroup."), "{text:?}");
    }
    assert_eq!(CgroupPath::absolute(text).as_ref(), Ok(path), "the same once more");
    let levels = path.levels();
    assert_eq!(levels.last(), Some(path));
    assert_eq!(levels.len(), text.matches('/').count());
    assert!(levels.windows(2).all(|pair| pair[1].parent().as_ref() == Some(&pair[0])));
    assert_eq!(text.rsplit('/').next(), Some(path.name()));
}
