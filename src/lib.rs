pub mod bundle;
pub mod cgroup;
