//! Bundles that exist on every Linux machine: their root filesystem is /usr.

use std::path::PathBuf;

use crate_run::bundle::{Bundle, Source};
use crate_run::cgroup::v1::Group;
use crate_run::feature::terminal::Master;
use crate_run::host::Host;
use crate_run::plan::Plan;
use crate_run::plan::compile::compile;
use crate_run::plan::request::{Gate, Request};
use crate_run::state::ContainerId;
use serde_json::{Value, json};

/// What a plan is compiled from.
#[derive(Clone, Debug)]
pub struct Wish {
    pub config: String,
    pub request: Request,
    pub host: Host,
    /// As if a standard stream of the runtime were /dev/null.
    pub null_streams: bool,
    /// As if the host had controllers bound to cgroup v1.
    pub groups: Vec<Group>,
}

/// What `create` wants.
pub fn request() -> Request {
    let id = ContainerId::new("example").expect("a plain name");
    Request::new(id, Gate::Closed, Master::None)
}

impl Wish {
    pub fn new(config: String) -> Self {
        let (request, host) = (request(), Host::for_tests());
        Self { config, request, host, null_streams: false, groups: Vec::new() }
    }

    pub fn source(&self) -> Source {
        let file = PathBuf::from("/bundle/config.json");
        let parsed = Source::parse(PathBuf::from("/bundle"), file, self.config.clone().into_bytes());
        parsed.unwrap_or_else(|error| panic!("{error}\n{}", self.config))
    }

    pub fn plan(&self) -> Plan {
        compile(&self.bundle(), &self.request)
    }

    pub fn bundle(&self) -> Bundle {
        let (source, request) = (self.source(), &self.request);
        let checked = Bundle::check(&source, &self.host, request);
        let mut bundle = checked.unwrap_or_else(|error| panic!("{error}\n{}", self.config));
        bundle.null_streams = self.null_streams;
        bundle.cgroup.groups = self.groups.clone();
        bundle
    }
}

/// The least that the specification allows.
pub fn minimal() -> Value {
    json!({
        "ociVersion": "1.2.0",
        "process": { "user": { "uid": 0, "gid": 0 }, "args": ["/bin/sh"], "cwd": "/" },
        "root": { "path": "/usr" },
        "linux": { "cgroupsPath": "/example", "namespaces": [{ "type": "mount" }] }
    })
}
