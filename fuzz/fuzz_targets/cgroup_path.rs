#![no_main]

#[path = "../judges/cgroup_path.rs"]
mod judge;

libfuzzer_sys::fuzz_target!(|data: &[u8]| judge::judge(data));
