//! `crate-run create`: everything but the program itself.

use crate::cli::args::{Create, Global};
use crate::cli::log::Log;
use crate::cli::making::{self, Order, Wish};
use crate::cli::terminal::Stay;
use crate::cli::{descriptors, store};
use crate::error::Error;
use crate::launch::Launch;
use crate::plan::compile::compile;
use crate::plan::request::Gate;

/// Makes the container up to its gate. Errors: the configuration, or the step that failed; nothing is left
/// then.
pub fn create(global: &Global, create: &Create, log: &Log) -> Result<i32, Error> {
    descriptors::check_with_sockets(create.making.preserve_fds)?;
    let (store, id) = (store::of(global)?, store::id(&create.id)?);
    let wish = Wish {
        global,
        making: &create.making,
        store: &store,
        bundle: create.bundle(),
        gate: Gate::Closed,
        stay: Stay::Detached,
    };
    let Order { source, bundle, request } = making::prepare(id, &wish)?;
    let plan = compile(&bundle, &request);
    let mut launch = Launch::new(&store, &source, &bundle, &plan, &request);
    making::make(&mut launch, log).map(|()| 0)
}
