//! One file for each kernel feature, all with the same face:
//!
//! - `resolve`: what the configuration asks for, as a small value with every default applied;
//! - `findings`: what is wrong or risky about it, with the place in config.json;
//! - `steps`: the steps that make it so, each with its reason. A feature that acts at several moments has a
//!   function for each (`prepare`, `maps`, `seal`); `plan::compile` shows when they are called;
//! - `cure`: what usually mends it when the kernel refuses a step; `plan::cure` says who is asked;
//! - `observe`: what is true now of a running process.

pub mod activation;
pub mod affinity;
pub mod capabilities;
pub mod cgroup;
pub mod devices;
pub mod hooks;
pub mod identity;
pub mod io_priority;
pub mod keyring;
pub mod limits;
pub mod lsm;
pub mod masks;
pub mod memory_policy;
pub mod mounts;
pub mod namespaces;
pub mod network;
pub mod notify;
pub mod personality;
pub mod process;
pub mod procfs;
pub mod rdt;
pub mod rootfs;
pub mod scheduler;
pub mod seccomp;
pub mod sysctl;
pub mod terminal;
pub mod time;
pub mod uts;
