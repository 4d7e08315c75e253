//! Loading a device filter into the kernel and tying it to a cgroup (bpf(2), BPF_PROG_TYPE_CGROUP_DEVICE).

use crate::{Answer, Fd, arch, call, pointer, pointer_mut};

const BPF_PROG_LOAD: usize = 5;
const BPF_PROG_ATTACH: usize = 8;
const BPF_PROG_TYPE_CGROUP_DEVICE: u32 = 15;
const BPF_CGROUP_DEVICE: u32 = 6;
const BPF_F_ALLOW_MULTI: u32 = 2;

#[repr(C)]
#[derive(Default)]
struct Load {
    kind: u32,
    count: u32,
    instructions: u64,
    license: u64,
    log_level: u32,
    log_size: u32,
    log: u64,
    kernel_version: u32,
    flags: u32,
}

/// BPF_PROG_LOAD of a device program: `instructions` are `struct bpf_insn` of 8 bytes each. The program has
/// no license string that the kernel would call free: it uses no helper that asks for one. EPERM without
/// CAP_BPF/CAP_SYS_ADMIN, EINVAL or EACCES from the verifier.
pub fn load_device_program(instructions: &[u8]) -> Answer<Fd> {
    let load = Load {
        kind: BPF_PROG_TYPE_CGROUP_DEVICE,
        count: (instructions.len() / 8) as u32,
        instructions: instructions.as_ptr() as u64,
        license: c"Apache-2.0".as_ptr() as u64,
        ..Load::default()
    };
    call(arch::BPF, [BPF_PROG_LOAD, pointer(&load), size_of::<Load>(), 0, 0, 0]).map(|fd| Fd(fd as i32))
}

/// BPF_PROG_ATTACH with BPF_F_ALLOW_MULTI: the programs of all ancestors must allow as well.
pub fn attach_device_program(cgroup: Fd, program: Fd) -> Answer<()> {
    let mut attach = [cgroup.0 as u32, program.0 as u32, BPF_CGROUP_DEVICE, BPF_F_ALLOW_MULTI];
    let size = size_of_val(&attach);
    call(arch::BPF, [BPF_PROG_ATTACH, pointer_mut(&mut attach), size, 0, 0, 0]).map(drop)
}
