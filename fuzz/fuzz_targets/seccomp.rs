#![no_main]

#[path = "../judges/seccomp.rs"]
mod judge;
#[path = "../judges/tape.rs"]
mod tape;

libfuzzer_sys::fuzz_target!(|data: &[u8]| judge::judge(data));
