//! The command line: what is asked for (`args`, `argv`), what is answered (`log`, `usage`, `list`), one file
//! for each verb that does more than call the library. What verbs have in common: the container that is meant
//! (`store`), what comes from the caller (`paths`, `descriptors`, `terminal`), making (`making`).

pub mod args;
pub mod argv;
pub mod create;
pub mod descriptors;
pub mod doctor;
pub mod end;
pub mod events;
pub mod exec;
pub mod explain;
pub mod features;
pub mod inspect;
pub mod list;
pub mod log;
pub mod making;
pub mod mounts;
pub mod paths;
pub mod ps;
pub mod run;
pub mod spec;
pub mod start;
pub mod store;
pub mod terminal;
pub mod update;
pub mod usage;
pub mod validate;
pub mod version;
pub mod wait;
