//! What the kernel looks at when it loads a filter (seccomp(2), EINVAL), for those who judge the compiler.

use crate::{Filter, LONGEST_PROGRAM};

/// What is wrong with the form of a filter, in words: an instruction that the compiler has no use of, a load
/// beside a word of `seccomp_data`, a jump or an end that leads outside. `None` for a filter that can be
/// loaded.
pub fn flaw(filter: &Filter) -> Option<String> {
    let length = filter.instructions.len();
    if !(1..=LONGEST_PROGRAM).contains(&length) || filter.bytes().len() != length * 8 {
        return Some(format!("{length} instructions in {} bytes", filter.bytes().len()));
    }
    let mut instructions = filter.instructions.iter().enumerate();
    let wrong = instructions.find(|(at, instruction)| {
        let left = length - at - 1;
        !match instruction.code {
            0x20 => instruction.k < 64 && instruction.k % 4 == 0 && left > 0,
            0x54 => left > 0,
            0x05 => (instruction.k as usize) < left,
            0x06 => true,
            0x15 | 0x25 | 0x35 => usize::from(instruction.jt.max(instruction.jf)) < left,
            _ => false,
        }
    });
    wrong.map(|(at, instruction)| format!("{instruction:x?} at {at} of {length}"))
}
