//! The sealed child as a program: the entry point calls [`crate_run_main`], which runs the appended plan.
#![no_std]
#![no_main]

#[unsafe(no_mangle)]
extern "C" fn crate_run_main() -> ! {
    crate_run_child::runner::run(crate_run_sys::program::appended())
}
