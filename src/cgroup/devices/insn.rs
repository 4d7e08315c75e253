//! eBPF instructions: the few that a device program needs, as bytes for the kernel and as text for people.
//!
//! Man page: bpf(2). Kernel: Documentation/bpf/standardization/instruction-set.rst.

// Instruction codes: class, operation and source in one byte. The 32-bit forms compare exactly the 32 bits of
// a device number; the 64-bit ones would extend the sign of the constant.
pub(super) const LOAD: u8 = 0x61; // BPF_LDX | BPF_W | BPF_MEM
pub(super) const AND: u8 = 0x54; // BPF_ALU | BPF_AND | BPF_K
pub(super) const SHIFT: u8 = 0x74; // BPF_ALU | BPF_RSH | BPF_K
pub(super) const MOV: u8 = 0xb4; // BPF_ALU | BPF_MOV | BPF_K
pub(super) const JA: u8 = 0x05; // BPF_JMP | BPF_JA
pub(super) const JEQ: u8 = 0x16; // BPF_JMP32 | BPF_JEQ | BPF_K
pub(super) const JNE: u8 = 0x56; // BPF_JMP32 | BPF_JNE | BPF_K
pub(super) const JSET: u8 = 0x46; // BPF_JMP32 | BPF_JSET | BPF_K
pub(super) const EXIT: u8 = 0x95; // BPF_JMP | BPF_EXIT

/// One eBPF instruction (`struct bpf_insn` of linux/bpf.h).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Insn {
    pub code: u8,
    pub dst: u8,
    pub src: u8,
    pub off: i16,
    pub imm: i32,
}

/// A program for BPF_PROG_LOAD with the type BPF_PROG_TYPE_CGROUP_DEVICE.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Program(pub(super) Vec<Insn>);

impl Program {
    /// The instructions in order.
    pub fn insns(&self) -> &[Insn] {
        &self.0
    }

    /// The program as bpf(2) takes it: 8 bytes for each instruction, in the byte order of this machine.
    pub fn bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.0.len() * 8);
        for insn in &self.0 {
            // The two registers are bit fields of one byte, and bit fields start at opposite ends.
            let registers = if cfg!(target_endian = "little") {
                insn.src << 4 | insn.dst
            } else {
                insn.dst << 4 | insn.src
            };
            bytes.extend([insn.code, registers]);
            bytes.extend(insn.off.to_ne_bytes());
            bytes.extend(insn.imm.to_ne_bytes());
        }
        bytes
    }

    /// One line for each instruction, in the notation of the kernel's verifier log.
    pub fn listing(&self) -> String {
        let numbered = self.0.iter().enumerate();
        numbered.map(|(at, insn)| format!("{at:3}: {}\n", shown(insn, at))).collect()
    }
}

fn shown(insn: &Insn, at: usize) -> String {
    let target = at as i64 + 1 + i64::from(insn.off);
    let (register, number) = (insn.dst, insn.imm.cast_unsigned());
    match insn.code {
        LOAD => format!("r{register} = *(u32 *)(r{} + {})", insn.src, insn.off),
        AND => format!("w{register} &= {number:#x}"),
        SHIFT => format!("w{register} >>= {number}"),
        MOV => format!("w{register} = {number}"),
        JA => format!("goto {target}"),
        JEQ => format!("if w{register} == {number} goto {target}"),
        JNE => format!("if w{register} != {number} goto {target}"),
        JSET => format!("if w{register} & {number:#x} goto {target}"),
        _ => "exit".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instruction_is_eight_bytes() {
        let end = Insn { code: EXIT, dst: 0, src: 0, off: 0, imm: 0 };
        let load = Insn { code: LOAD, dst: 2, src: 1, off: 4, imm: 0 };
        let jump = Insn { code: JEQ, dst: 5, src: 0, off: -2, imm: -1 };
        let bytes = Program(vec![load, jump, end]).bytes();
        if cfg!(target_endian = "little") {
            assert_eq!(bytes[..8], [0x61, 0x12, 4, 0, 0, 0, 0, 0]);
            assert_eq!(bytes[8..16], [0x16, 0x05, 0xfe, 0xff, 0xff, 0xff, 0xff, 0xff]);
        }
        assert_eq!(bytes.len(), 24);
        assert_eq!(bytes[16], 0x95);
    }

    #[test]
    fn the_listing_shows_numbers_without_a_sign() {
        let program = Program(vec![Insn { code: JNE, dst: 4, src: 0, off: 3, imm: -1 }]);
        assert_eq!(program.listing(), "  0: if w4 != 4294967295 goto 4\n");
    }
}
