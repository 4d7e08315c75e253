//! `crate-run-bench`: crate-run, its peers and the kernel's floor, side by side on one machine.
//!
//! Two processes share the work. The *guard* makes the private world (mounts, cgroup, scratch directory),
//! starts the *worker* in it and removes everything when the worker has ended, however it ended. The worker
//! measures: each figure is the whole life of a process, from spawn to wait, and the contestants take turns
//! (A B C, C B A) so that whatever else the machine does hits all of them. Only figures of the same run are
//! comparable.

mod bench;
mod bundle;
mod contestant;
mod experiments;
mod goals;
mod guard;
mod machine;
mod measure;
mod options;
mod page;
mod processes;
mod profile;
mod report;
mod statistics;
mod trial;
mod worker;
mod world;
mod yardstick;

use std::process::ExitCode;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let options = match options::Options::parse(&words) {
        Ok(options) => options,
        Err(problem) => {
            eprintln!("crate-run-bench: {problem}\n\n{}", options::USAGE);
            return ExitCode::from(2);
        }
    };
    let outcome = match &options.place {
        Some(place) => worker::work(&options, place),
        None if options.help => {
            println!("{}", options::USAGE);
            Ok(())
        }
        None => guard::watch(&words),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("crate-run-bench: {problem:#}");
            ExitCode::FAILURE
        }
    }
}
