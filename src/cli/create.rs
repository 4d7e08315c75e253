//! `crate-run create`: everything but the program itself.

use crate::cli::args::{Create, Global};
use crate::cli::log::Log;
use crate::cli::making::{self, Order, Stay};
use crate::error::Error;
use crate::launch::Launch;
use crate::plan::compile::compile;
use crate::plan::request::Gate;

/// Makes the container up to its gate. Errors: the configuration, or the step that failed; nothing is left
/// then.
pub fn create(global: &Global, create: &Create, log: &Log) -> Result<i32, Error> {
    making::check_handed_on(&create.making)?;
    let (store, id) = (making::store(global)?, making::id(&create.id)?);
    let Order { source, bundle, request } =
        making::prepare(global, &create.making, id, create.bundle(), Gate::Closed, Stay::Detached)?;
    let plan = compile(&bundle, &request);
    let mut launch = Launch::new(&store, &source, &bundle, &plan, &request);
    making::make(&mut launch, log).map(|()| 0)
}
