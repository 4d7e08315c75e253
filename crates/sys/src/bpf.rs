//! Loading a device filter into the kernel and tying it to a cgroup (bpf(2), BPF_PROG_TYPE_CGROUP_DEVICE).

use crate::{Answer, Errno, Fd, arch, call, files, pointer, pointer_mut};

const BPF_PROG_LOAD: usize = 5;
const BPF_PROG_ATTACH: usize = 8;
const BPF_PROG_DETACH: usize = 9;
const BPF_PROG_GET_FD_BY_ID: usize = 13;
const BPF_OBJ_GET_INFO_BY_FD: usize = 15;
const BPF_PROG_QUERY: usize = 16;
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
    name: [u8; 16],
}

/// `union bpf_attr` of BPF_PROG_QUERY.
#[repr(C)]
#[derive(Default)]
struct Query {
    cgroup: u32,
    kind: u32,
    query_flags: u32,
    attach_flags: u32,
    numbers: u64,
    count: u32,
    unused: u32,
}

/// The name of a program in the kernel (BPF_OBJ_NAME_LEN): letters, digits, dots and underscores, then zeros.
pub type Name = [u8; 16];

/// How many programs one cgroup can have (BPF_CGROUP_MAX_PROGS).
const MOST: usize = 64;

/// BPF_PROG_LOAD of a device program: `instructions` are `struct bpf_insn` of 8 bytes each. The program has
/// no license string that the kernel would call free: it uses no helper that asks for one. EPERM without
/// CAP_BPF/CAP_SYS_ADMIN, EINVAL or EACCES from the verifier.
pub fn load_device_program(instructions: &[u8], name: Name) -> Answer<Fd> {
    let load = Load {
        kind: BPF_PROG_TYPE_CGROUP_DEVICE,
        count: (instructions.len() / 8) as u32,
        instructions: instructions.as_ptr() as u64,
        license: c"Apache-2.0".as_ptr() as u64,
        name,
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

/// Detaches those programs from a cgroup that [`load_device_program`] has loaded under this name, also in
/// another process: BPF_PROG_QUERY and BPF_PROG_DETACH. Answers how many they were. EPERM without
/// CAP_NET_ADMIN and CAP_SYS_ADMIN, EINVAL of a kernel without CONFIG_CGROUP_BPF, ENOENT of a cgroup
/// that is gone.
pub fn detach_device_programs(cgroup: Fd, name: Name) -> Answer<usize> {
    let mut numbers = [0u32; MOST];
    let mut query = Query {
        cgroup: cgroup.0 as u32,
        kind: BPF_CGROUP_DEVICE,
        numbers: pointer_mut(&mut numbers) as u64,
        count: MOST as u32,
        ..Query::default()
    };
    call(arch::BPF, [BPF_PROG_QUERY, pointer_mut(&mut query), size_of::<Query>(), 0, 0, 0])?;
    let mut detached = 0;
    for number in numbers.iter().take(query.count as usize) {
        let mut by_number = [*number, 0, 0];
        let size = size_of_val(&by_number);
        let program =
            match call(arch::BPF, [BPF_PROG_GET_FD_BY_ID, pointer_mut(&mut by_number), size, 0, 0, 0]) {
                Ok(opened) => Fd(opened as i32),
                // Somebody else has detached it meanwhile, and nobody holds it.
                Err(Errno::ENOENT) => continue,
                Err(errno) => return Err(errno),
            };
        let named = is_named(program, name);
        let done = named.and_then(|named| if named { detach(cgroup, program) } else { Ok(0) });
        files::close(program);
        match done {
            Ok(count) => detached += count,
            Err(Errno::ENOENT) => {}
            Err(errno) => return Err(errno),
        }
    }
    Ok(detached)
}

fn detach(cgroup: Fd, program: Fd) -> Answer<usize> {
    let mut attach = [cgroup.0 as u32, program.0 as u32, BPF_CGROUP_DEVICE, 0];
    let size = size_of_val(&attach);
    call(arch::BPF, [BPF_PROG_DETACH, pointer_mut(&mut attach), size, 0, 0, 0]).map(|_| 1)
}

/// BPF_OBJ_GET_INFO_BY_FD: the name stands 64 bytes into `struct bpf_prog_info`.
fn is_named(program: Fd, name: Name) -> Answer<bool> {
    let mut info = [0u8; 80];
    let mut ask = [u64::from(program.0 as u32) | (info.len() as u64) << 32, pointer_mut(&mut info) as u64];
    let size = size_of_val(&ask);
    call(arch::BPF, [BPF_OBJ_GET_INFO_BY_FD, pointer_mut(&mut ask), size, 0, 0, 0])?;
    Ok(info[64..] == name)
}
