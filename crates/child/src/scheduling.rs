//! As what, when and where the process runs, and where its memory lies.

use crate_run_plan::operation::Scheduling;
use crate_run_plan::report::Call;
use crate_run_sys::process;
use crate_run_sys::scheduling::{self, Attributes};

use crate::failure::{Failure, Named, Outcome};
use crate::runner::Runner;

/// Carries out one operation of this chapter.
pub fn run(runner: &mut Runner, operation: Scheduling) -> Outcome {
    use Scheduling as Op;
    match operation {
        Op::SetPersonality { domain } => process::set_personality(domain).named(Call::Personality),
        Op::RunAnywhere {} => run_anywhere(runner),
        Op::RunOn { processors } => scheduling::run_on(processors).named(Call::SchedSetaffinity),
        Op::SetScheduler { policy, flags, nice, priority, runtime, deadline, period } => {
            let nice = nice.cast_signed();
            let attributes = Attributes { policy, flags, nice, priority, runtime, deadline, period };
            scheduling::set_scheduler(0, &attributes).named(Call::SchedSetattr)
        }
        Op::SetIoPriority { priority } => scheduling::set_io_priority(0, priority).named(Call::IoprioSet),
        Op::SetMemoryPolicy { mode, nodes } => {
            scheduling::set_memory_policy(mode, nodes).named(Call::SetMempolicy)
        }
    }
}

/// Gives the process every processor. A host that refuses is told and tolerated: what is lost is speed.
fn run_anywhere(runner: &Runner) -> Outcome {
    if let Err(errno) = scheduling::run_anywhere() {
        runner.warn(&Failure::of(Call::SchedSetaffinity, errno));
    }
    Ok(())
}
