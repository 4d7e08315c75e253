//! The program that is born inside the container.
//!
//! It has no heap, no libc and no parser but the one for its plan, which lies in its own image:
//! the runtime appends the plan to these few KiB of code, seals both in one memfd, and executes
//! that (docs/adr/0002-sealed-child.md). It runs the plan from the first operation to the last,
//! which is execve. It makes no decision of its own: what could be chosen was chosen by the
//! runtime, before this process existed.
//!
//! Read in this order: [`runner`] (the loop), [`failure`] (what an operation answers), [`inside`] (how a path
//! of the image is looked up), then the operations by chapter: [`namespace`], [`mount`], [`later`] (mounts of
//! a container that runs), [`device`], `mask`, [`terminal`], [`hook`], [`execute`], [`power`] (ids and
//! capabilities), `scheduling`, [`filter`] (seccomp) and [`verify`].
#![no_std]
#![forbid(unsafe_code)]

pub mod device;
pub mod execute;
pub mod failure;
pub mod filter;
pub mod hook;
pub mod inside;
pub mod later;
mod mask;
pub mod mount;
pub mod namespace;
pub mod power;
pub mod runner;
mod scheduling;
pub mod terminal;
pub mod verify;
