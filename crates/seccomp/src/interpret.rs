//! Runs a filter on made-up calls, as the kernel would on real ones.
//!
//! It knows the instructions that filters of this crate and of libseccomp consist of, and reads
//! `seccomp_data` as a little-endian machine lays it out.

use crate::emit::{AND, IF_EQUAL, IF_GREATER, IF_NOT_LESS, LOAD, RETURN, SKIP};
use crate::{Filter, Instruction, Program};

/// `SECCOMP_RET_KILL_PROCESS`
const KILL_PROCESS: u32 = 0x8000_0000;
/// `BPF_JMP | BPF_JSET | BPF_K`
const IF_BITS: u16 = 0x45;

/// The value that `program` returns for the call `nr` of the architecture `arch` (an `AUDIT_ARCH_` value,
/// see [`Arch::audit`](crate::Arch::audit)) with the arguments `args`: one of `SECCOMP_RET_`, with the errno
/// or the tracer's data in the lower 16 bits.
///
/// Of several filters the strictest answer counts: the one that is smallest as a signed number.
///
/// A program that [`compile`](crate::compile) did not make may be malformed; it kills the process.
pub fn verdict(program: &Program, arch: u32, nr: u32, args: &[u64; 6]) -> u32 {
    let of = |filter: &Filter| run(&filter.instructions, arch, nr, args).unwrap_or(KILL_PROCESS);
    let strictness = |verdict: &u32| (verdict & 0xffff_0000) as i32;
    let both = program.listener.iter().map(of).chain([of(&program.filter)]);
    both.min_by_key(strictness).unwrap_or(KILL_PROCESS)
}

/// None for an unknown instruction, a load outside of `seccomp_data`, or a jump past the end.
pub(crate) fn run(instructions: &[Instruction], arch: u32, nr: u32, args: &[u64; 6]) -> Option<u32> {
    let mut loaded = 0;
    let mut at = 0;
    loop {
        let Instruction { code, jt, jf, k } = *instructions.get(at)?;
        at += 1;
        let jump = |condition: bool| usize::from(if condition { jt } else { jf });
        match code {
            LOAD => loaded = word(k, arch, nr, args)?,
            AND => loaded &= k,
            SKIP => at += k as usize,
            RETURN => return Some(k),
            IF_EQUAL => at += jump(loaded == k),
            IF_GREATER => at += jump(loaded > k),
            IF_NOT_LESS => at += jump(loaded >= k),
            IF_BITS => at += jump(loaded & k != 0),
            _ => return None,
        }
    }
}

/// The word at `offset` of `seccomp_data`. No filter asks for the instruction pointer.
fn word(offset: u32, arch: u32, nr: u32, args: &[u64; 6]) -> Option<u32> {
    match offset {
        0 => Some(nr),
        4 => Some(arch),
        16.. if offset.is_multiple_of(4) => {
            let place = (offset - 16) / 4;
            let arg = args.get(place as usize / 2)?;
            Some(if place.is_multiple_of(2) { *arg as u32 } else { (*arg >> 32) as u32 })
        }
        _ => None,
    }
}
