#![no_main]

mod json;
#[path = "../judges/config.rs"]
mod judge;

use libfuzzer_sys::{fuzz_mutator, fuzz_target, fuzzer_mutate};

fuzz_target!(|data: &[u8]| judge::judge(data));

// Two times of three the text stays JSON, and another value, name or place is tried.
fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    let changed = (!seed.is_multiple_of(3)).then(|| json::changed(&data[..size], seed)).flatten();
    match changed {
        Some(text) if text.len() <= max_size.min(data.len()) => {
            data[..text.len()].copy_from_slice(&text);
            text.len()
        }
        _ => fuzzer_mutate(data, size, max_size),
    }
});
