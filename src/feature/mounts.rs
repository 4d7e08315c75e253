//! # Mounts: what lies where in the container's tree
//!
//! A new filesystem (proc, tmpfs, devpts, ...) is made with fsopen, fsconfig and fsmount, and is complete
//! before it is attached with move_mount (Linux 5.2). A bind mount is a clone of a tree of the host: the
//! runtime clones it and sets its attributes before the container exists, the child only attaches it. So
//! source, type, flags and target are each a descriptor, and no moment exists at which a read-only mount is
//! writable.
//!
//! proc, sysfs, mqueue and cgroup2 show the namespaces of the process that makes them: they are made by the
//! child, inside its own. Where the namespace that they show is not the container's, the kernel may refuse;
//! then the host's tree is bound in their place.
//!
//! A tmpfs with the option tmpcopyup begins with what the image has at its place: see `copyup`.
//!
//! OCI: config.md, Mounts. Options: mount(8), mount_setattr(2); the words are in `options`.
//!
//! Order: as listed. The target of proc and sysfs, and /dev, must not be symbolic links of the image
//! (CVE-2019-19921, CVE-2025-54867); nothing but a few known files may be mounted below /proc
//! (CVE-2019-16884).

mod copyup;
mod options;
mod users;

use std::ffi::CString;
use std::path::Path;

use crate_run_plan::Operation;
use crate_run_plan::operation::target;
use crate_run_plan::slot::Slot;
use crate_run_sys::mounts::{Depth, attribute, propagation};
use crate_run_sys::namespaces::flag;
use oci_spec::runtime::{Mount as MountEntry, Spec};

use crate::bundle::finding::{Finding, Pointer};
use crate::bundle::path::{InsidePath, OutsidePath};
use crate::feature::identity;
use crate::feature::namespaces;
use crate::feature::namespaces::Namespaces;
use crate::feature::rootfs::{Propagation, Rootfs};
use crate::plan::{Deep, HostAction, Plan, TreeChange};

pub use options::{Options, WORDS};

const FEATURE: &str = "mounts";

/// One mount.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mount {
    pub target: InsidePath,
    pub kind: Kind,
    pub options: Options,
    pub sealing: Sealing,
    pub at: Pointer,
}

/// When does a mount get what the option `ro` asks for?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sealing {
    /// Before anybody sees it.
    AtOnce,
    /// When the devices and mount points that lie in it are made.
    Later,
}

/// Where a mount comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A tree of the host.
    Bind { source: OutsidePath, depth: Depth },
    /// A new filesystem, or where it is refused this tree of the host.
    New { filesystem: String, source: String, instead: Option<OutsidePath> },
    /// A tmpfs that is filled before the birth.
    CopyUp(copyup::CopyUp),
    /// New options for what is there already.
    Change,
}

/// Files of procfs that may be covered by a bind mount, as lxcfs does; the list of runc.
const ON_PROC: [&str; 10] = [
    "/proc/cpuinfo",
    "/proc/diskstats",
    "/proc/meminfo",
    "/proc/stat",
    "/proc/swaps",
    "/proc/uptime",
    "/proc/loadavg",
    "/proc/slabinfo",
    "/proc/sys/kernel/ns_last_pid",
    "/proc/sys/crypto/fips_enabled",
];

impl Mount {
    /// The attributes with which it is attached.
    fn attributes(&self) -> u64 {
        match self.sealing {
            Sealing::AtOnce => self.options.attributes(),
            Sealing::Later => self.options.attributes() & !attribute::RDONLY,
        }
    }

    /// The rule by which the child resolves the target.
    fn rule(&self) -> u32 {
        let strict = match &self.kind {
            Kind::New { filesystem, .. } => {
                matches!(filesystem.as_str(), "proc" | "sysfs" | "cgroup2" | "devpts" | "mqueue")
            }
            _ => false,
        };
        let mut rule = 0;
        if strict || self.target.is_within("/dev") {
            rule |= target::NO_LINKS;
        }
        if self.target.is_within("/proc") && self.target.as_str() != "/proc" {
            rule |= target::ON_PROC;
        }
        let keeps_mode = matches!(&self.kind, Kind::New { filesystem, .. } if filesystem == "tmpfs");
        if keeps_mode && !self.options.data.iter().any(|option| option.starts_with("mode=")) {
            rule |= target::KEEP_MODE;
        }
        rule
    }
}

fn entries(spec: &Spec) -> &[MountEntry] {
    spec.mounts().as_deref().unwrap_or_default()
}

pub fn resolve(spec: &Spec, bundle: &Path) -> Vec<Mount> {
    let namespaces = namespaces::resolve(spec);
    let identity = identity::resolve(spec, &namespaces);
    let label = spec.linux().as_ref().and_then(|linux| linux.mount_label().as_deref()).unwrap_or("");
    let at = |index| Pointer::from("/mounts").index(index);
    let mounts = entries(spec).iter().enumerate().filter_map(|(index, entry)| one(entry, bundle, at(index)));
    let finished = mounts.map(|mut mount| {
        if let Kind::New { filesystem, instead, .. } = &mut mount.kind {
            *instead = users::instead(filesystem, &namespaces);
            label_data(filesystem, label, &mut mount.options);
            if filesystem == "tmpfs" && mount.options.copy_up {
                mount.kind = Kind::CopyUp(copyup::CopyUp::new(&mount.options, &identity));
            } else if filesystem == "cgroup2"
                && let Some(source) = instead.take()
            {
                // A new cgroup2 would set the mount options of the host's, such as nsdelegate (cgroup-v2.rst,
                // "Mounting": they are system wide), so in the host's cgroup namespace its tree is taken at
                // once.
                mount.kind = Kind::Bind { source, depth: Depth::Tree };
            }
        }
        mount
    });
    let mut mounts: Vec<Mount> = finished.collect();
    for index in 0..mounts.len() {
        mounts[index].sealing = sealing(&mounts, index);
    }
    mounts
}

/// The SELinux label of every file in it; some filesystems have labels of their own kind.
fn label_data(filesystem: &str, label: &str, options: &mut Options) {
    if !label.is_empty() && !matches!(filesystem, "proc" | "sysfs" | "mqueue" | "cgroup2") {
        options.data.push(format!("context={label}"));
    }
}

fn one(entry: &MountEntry, bundle: &Path, at: Pointer) -> Option<Mount> {
    let options = Options::parse(entry.options().as_deref().unwrap_or_default());
    let target = InsidePath::new(entry.destination().to_str()?)?;
    let typ = entry.typ().as_deref().unwrap_or("");
    let source = entry.source().as_deref();
    let bind = options.bind.or((typ == "bind").then_some(Depth::One));
    let kind = if options.remount {
        Kind::Change
    } else if let Some(depth) = bind {
        Kind::Bind { source: OutsidePath::new(bundle, source?)?, depth }
    } else {
        let filesystem = if typ == "cgroup" { "cgroup2" } else { typ }.to_owned();
        let source = source.and_then(Path::to_str).filter(|source| !source.is_empty());
        Kind::New { source: source.unwrap_or(&filesystem).to_owned(), filesystem, instead: None }
    };
    Some(Mount { target, kind, options, sealing: Sealing::AtOnce, at })
}

pub fn findings(spec: &Spec, bundle: &Path) -> Vec<Finding> {
    let mut found = Vec::new();
    let identity = identity::resolve(spec, &namespaces::resolve(spec));
    for (index, entry) in entries(spec).iter().enumerate() {
        let at = Pointer::from("/mounts").index(index);
        let Some(mount) = one(entry, bundle, at.clone()) else {
            found.push(unusable(entry, at));
            continue;
        };
        found.extend(target_findings(entry, &mount));
        found.extend(source_findings(entry, &mount));
        let options = at.key("options");
        found.extend(mount.options.findings(&options));
        match (&mount.kind, &identity.maps) {
            (Kind::New { .. }, Some(maps)) => {
                found.extend(users::findings(entry.options().as_deref().unwrap_or_default(), maps, &options));
            }
            (Kind::New { .. }, None) => {}
            _ => found.extend(mount.options.findings_without_filesystem(&options)),
        }
        if entry.uid_mappings().is_some() || entry.gid_mappings().is_some() {
            let message = "idmapped mounts are not supported yet";
            found.push(Finding::error(at, message));
        }
    }
    found
}

fn unusable(entry: &MountEntry, at: Pointer) -> Finding {
    if entry.source().is_none() {
        return Finding::error(at, "a bind mount needs a source").cure("add \"source\"");
    }
    Finding::error(at, "source and destination must be UTF-8 and free of NUL characters")
}

fn target_findings(entry: &MountEntry, mount: &Mount) -> Vec<Finding> {
    let mut found = Vec::new();
    let (at, target) = (mount.at.key("destination"), mount.target.as_str());
    if !entry.destination().is_absolute() {
        let message =
            format!("the mount destination {:?} is relative and is taken from /", entry.destination());
        found.push(Finding::warning(at.clone(), message).cure("write it with a leading slash"));
    }
    if target == "/" && mount.kind != Kind::Change {
        let message = "a mount cannot lie on the root of the container";
        found.push(Finding::error(at.clone(), message).cure("use root.path for the root filesystem"));
    }
    let is_proc = matches!(&mount.kind, Kind::New { filesystem, .. } if filesystem == "proc");
    let is_bind = matches!(mount.kind, Kind::Bind { .. });
    let below_proc = mount.target.is_within("/proc") && target != "/proc";
    if below_proc && !ON_PROC.contains(&target) && mount.kind != Kind::Change {
        let message = format!("{target} lies inside /proc, where nothing else may be mounted");
        found.push(Finding::error(at, message).cure("choose another destination"));
    } else if target == "/proc" && !is_proc && !is_bind && mount.kind != Kind::Change {
        let message = "only a proc filesystem may be mounted on /proc";
        found.push(Finding::error(at, message).cure("use \"type\": \"proc\""));
    }
    found
}

fn source_findings(entry: &MountEntry, mount: &Mount) -> Vec<Finding> {
    match &mount.kind {
        Kind::Bind { source, .. } => match std::fs::metadata(source.as_path()) {
            Ok(_) => Vec::new(),
            Err(error) => {
                let reason = match error.kind() {
                    std::io::ErrorKind::NotFound => "no such file or directory".to_owned(),
                    other => other.to_string(),
                };
                let message = format!("the source {source} of the bind mount on {} : {reason}", mount.target);
                let cure = "create it first, or correct the path; a relative source starts at the bundle";
                vec![Finding::error(mount.at.key("source"), message.replace(" :", ":")).cure(cure)]
            }
        },
        Kind::New { filesystem, .. } if filesystem.is_empty() => {
            let at = if entry.typ().is_some() { mount.at.key("type") } else { mount.at.clone() };
            let message = "a mount without a type must be a bind mount";
            vec![Finding::error(at, message).cure("add \"type\", or the option \"bind\"")]
        }
        Kind::New { filesystem, source, .. } if filesystem.contains('\0') || source.contains('\0') => {
            vec![Finding::error(mount.at.clone(), "type and source must be free of NUL characters")]
        }
        _ => Vec::new(),
    }
}

/// Is `path` covered by a bind mount? Then what lies there is the host's business.
pub fn is_bound(mounts: &[Mount], path: &str) -> bool {
    mounts.iter().any(|mount| mount.target.as_str() == path && matches!(mount.kind, Kind::Bind { .. }))
}

/// Before the birth: clones the sources of the bind mounts. Answers the slot of each mount's tree.
pub fn prepare(mounts: &[Mount], rootfs: &Rootfs, plan: &mut Plan) -> Vec<Option<Slot>> {
    let mut trees = Vec::with_capacity(mounts.len());
    for (index, mount) in mounts.iter().enumerate() {
        let tree = match &mount.kind {
            Kind::Bind { source, depth } => {
                let change = tree_change(&mount.options, rootfs);
                let why = "opened before the container exists; its options are set while nobody can see it";
                Some(clone(mount, source, *depth, change, why, plan))
            }
            Kind::New { instead: Some(source), .. } => {
                let change = users::change_instead(tree_change(&mount.options, rootfs));
                let why =
                    "kept ready: the kernel may refuse a new one, for what it shows is not the container's";
                Some(clone(mount, source, Depth::Tree, change, why, plan))
            }
            Kind::CopyUp(copy) => copyup::prepare(mount, copy, mounts[..index].iter().zip(&trees), plan),
            Kind::New { .. } | Kind::Change => None,
        };
        trees.push(tree);
    }
    trees
}

fn clone(
    mount: &Mount,
    source: &OutsidePath,
    depth: Depth,
    change: TreeChange,
    why: &'static str,
    plan: &mut Plan,
) -> Slot {
    let slot = plan.new_slot();
    plan.host(FEATURE, HostAction::CloneTree { source: source.clone(), depth, change, slot }, why)
        .at(mount.at.clone());
    slot
}

/// A clone stays in the peer group of its source: unless shared mounts are wanted, it becomes a slave, as a
/// bind made inside the container's own mount namespace would be.
fn tree_change(options: &Options, rootfs: &Rootfs) -> TreeChange {
    let fallback = match rootfs.propagation {
        Propagation::Shared => None,
        Propagation::Private => Some((propagation::PRIVATE, Deep::Tree)),
        _ => Some((propagation::SLAVE, Deep::Tree)),
    };
    TreeChange {
        set: options.set,
        clear: options.clear,
        tree_set: options.tree_set,
        tree_clear: options.tree_clear,
        propagation: options.propagation.or(fallback),
    }
}

/// How many mounts come before the first that shows or uses the network: for all but these filesystems of the
/// kernel's own, it may matter in which network namespace they are mounted.
pub fn before_network(mounts: &[Mount]) -> usize {
    let needs_network = |mount: &Mount| match &mount.kind {
        Kind::New { filesystem, .. } => {
            !matches!(filesystem.as_str(), "proc" | "tmpfs" | "devpts" | "mqueue" | "cgroup2")
        }
        Kind::Bind { .. } | Kind::CopyUp(_) | Kind::Change => false,
    };
    mounts.iter().position(needs_network).unwrap_or(mounts.len())
}

/// In the child, in the listed order.
pub fn steps(
    mounts: &[Mount],
    trees: &[Option<Slot>],
    rootfs: &Rootfs,
    namespaces: &Namespaces,
    plan: &mut Plan,
) {
    for (mount, tree) in mounts.iter().zip(trees) {
        let attach =
            tree.map(|tree| Operation::MountTree { tree, target: mount.target.text(), rule: mount.rule() });
        let step = match (&mount.kind, attach) {
            (Kind::New { filesystem, source, .. }, attach) => {
                let new = new(mount, filesystem, source);
                let step = plan.child(FEATURE, new, reason(filesystem, &mount.target));
                step.alternative = attach;
                step
            }
            (Kind::Bind { source, depth }, Some(attach)) if namespaces.has(flag::USER) => {
                let why = format!(
                    "{source} of the host appears at {}, with what the host has locked",
                    mount.target
                );
                let locked = locked(mount, source, *depth, &tree_change(&mount.options, rootfs));
                // Root inside may not be let through to the source; the host's own clone has no locks.
                let step = plan.child(FEATURE, locked, why);
                step.alternative = Some(attach);
                step
            }
            (Kind::Bind { source, .. }, Some(attach)) => {
                plan.child(FEATURE, attach, format!("{source} of the host appears at {}", mount.target))
            }
            (Kind::CopyUp(_), Some(attach)) => plan.child(
                FEATURE,
                attach,
                "what was there is in it; what is written to it is gone with the container",
            ),
            (Kind::CopyUp(_), None) => {
                plan.child(FEATURE, new(mount, "tmpfs", "tmpfs"), reason("tmpfs", &mount.target))
            }
            (Kind::Bind { .. } | Kind::Change, _) => {
                change(mount, plan);
                continue;
            }
        };
        step.at(mount.at.clone());
    }
}

/// A bind mount that is cloned in the child's own mount namespace.
fn locked(mount: &Mount, source: &OutsidePath, depth: Depth, change: &TreeChange) -> Operation {
    let propagation =
        |deep| change.propagation.filter(|(_, wanted)| *wanted == deep).map_or(0, |(kind, _)| kind);
    Operation::MountLocked {
        source: source.text(),
        tree: u32::from(depth == Depth::Tree),
        one_set: change.set,
        one_clear: change.clear,
        one_propagation: propagation(Deep::One),
        tree_set: change.tree_set,
        tree_clear: change.tree_clear,
        tree_propagation: propagation(Deep::Tree),
        target: mount.target.text(),
        rule: mount.rule(),
    }
}

/// When everything in them is made: the mounts that had to be writable until then become read-only.
pub fn seal(mounts: &[Mount], plan: &mut Plan) {
    for mount in mounts.iter().filter(|mount| mount.sealing == Sealing::Later) {
        let read_only = Operation::ChangeMount {
            target: mount.target.text(),
            set: attribute::RDONLY,
            clear: 0,
            propagation: 0,
            tree: 0,
        };
        let why = format!("what belongs into {} is made: it is read-only from now on", mount.target);
        plan.child(FEATURE, read_only, why).at(mount.at.clone());
    }
}

/// Mount points and devices may have to be made in a new tmpfs. One that a later mount covers could not be
/// found again, and nothing can be made in it.
fn sealing(mounts: &[Mount], index: usize) -> Sealing {
    let (mount, later) = (&mounts[index], &mounts[index + 1..]);
    let is_tmpfs = match &mount.kind {
        Kind::New { filesystem, .. } => filesystem == "tmpfs",
        Kind::CopyUp(_) => true,
        Kind::Bind { .. } | Kind::Change => false,
    };
    let path = mount.target.as_str();
    let is_covered = later.iter().any(|other| other.target == mount.target);
    let has_content = path == "/dev" || later.iter().any(|other| other.target.is_within(path));
    let is_read_only = mount.options.attributes() & attribute::RDONLY != 0;
    if is_tmpfs && is_read_only && has_content && !is_covered { Sealing::Later } else { Sealing::AtOnce }
}

fn c(text: &str) -> CString {
    CString::new(text).expect("findings refuse NUL")
}

fn new(mount: &Mount, filesystem: &str, source: &str) -> Operation {
    let options = &mount.options;
    let data = options.superblock.iter().chain(&options.data).map(|option| c(option));
    // A disk that cannot be written refuses a superblock that could be; the kernel's own filesystems share
    // theirs.
    let on_disk = !matches!(filesystem, "proc" | "sysfs" | "tmpfs" | "devpts" | "mqueue" | "cgroup2");
    let read_only = on_disk && options.attributes() & attribute::RDONLY != 0;
    Operation::MountNew {
        filesystem: c(filesystem),
        source: c(source),
        options: read_only.then(|| c("ro")).into_iter().chain(data).collect(),
        attributes: mount.attributes(),
        propagation: options.propagation.map_or(0, |(kind, _)| kind),
        target: mount.target.text(),
        rule: mount.rule(),
    }
}

/// The words for the tree first, then those for the mount itself.
fn change(mount: &Mount, plan: &mut Plan) {
    let (options, why) = (&mount.options, format!("other options for the mount at {}", mount.target));
    let change = |set, clear, tree, propagation| Operation::ChangeMount {
        target: mount.target.text(),
        set,
        clear,
        propagation,
        tree,
    };
    let deep = |deep| options.propagation.filter(|(_, depth)| *depth == deep).map_or(0, |(kind, _)| kind);
    if options.tree_set | options.tree_clear | deep(Deep::Tree) != 0 {
        let tree = change(options.tree_set, options.tree_clear, 1, deep(Deep::Tree));
        plan.child(FEATURE, tree, why.clone()).at(mount.at.clone());
    }
    if options.set | options.clear | deep(Deep::One) != 0 {
        let one = change(options.set, options.clear, 0, deep(Deep::One));
        plan.child(FEATURE, one, why).at(mount.at.clone());
    }
}

fn reason(filesystem: &str, target: &InsidePath) -> String {
    match filesystem {
        "proc" => {
            "a procfs shows the pid namespace of the process that mounts it: only our own processes".into()
        }
        "sysfs" => "a sysfs shows the network namespace of the process that mounts it".into(),
        "mqueue" => "POSIX message queues of our own ipc namespace".into(),
        "cgroup2" => "seen from our cgroup namespace, our own cgroup is the root of the hierarchy".into(),
        "devpts" => "pseudoterminals of our own, numbered from 0".into(),
        "tmpfs" => format!("memory that is gone with the container, at {target}"),
        other => format!("a {other} filesystem at {target}"),
    }
}

/// Every line of /proc/PID/mountinfo.
pub fn observe(pid: i32) -> Vec<String> {
    let mounts = std::fs::read_to_string(format!("/proc/{pid}/mountinfo")).unwrap_or_default();
    mounts.lines().map(str::to_owned).collect()
}
