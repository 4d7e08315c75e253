//! What a program without libc needs to be one: the entry point, the memory functions to which the compiler
//! turns copies, the panic handler, and the bytes that were appended to the image.
//!
//! Compiled only into the sealed child (feature `program`).

#[cfg(target_arch = "x86_64")]
use core::arch::asm;
use core::arch::global_asm;

use crate::process;

unsafe extern "C" {
    /// First byte of the appended segment; the linker script names it.
    static appended_start: u8;
}

// The kernel enters here with the stack pointer at argc; the child wants nothing of that.
#[cfg(target_arch = "x86_64")]
global_asm!(".globl _start", "_start:", "xor ebp, ebp", "and rsp, -16", "call crate_run_main", "ud2");
#[cfg(target_arch = "aarch64")]
global_asm!(".globl _start", "_start:", "mov x29, xzr", "bl crate_run_main", "brk #1");

/// The bytes that the runtime has appended to this program: their length (u32, little-endian), then
/// themselves.
pub fn appended() -> &'static [u8] {
    // SAFETY: the runtime maps the segment read-only and writes the length of what follows into its first
    // four bytes; the image is sealed, so it cannot change.
    unsafe {
        let start = &raw const appended_start;
        let length = u32::from_le_bytes(*start.cast::<[u8; 4]>());
        core::slice::from_raw_parts(start.add(4), length as usize)
    }
}

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    process::exit(126)
}

/// memcpy(3): the string instruction of the processor, which needs no loop that the compiler could turn into
/// a call of memcpy.
///
/// # Safety
/// As in C.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn memcpy(to: *mut u8, from: *const u8, count: usize) -> *mut u8 {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: the caller vouches for both ranges; the direction flag is clear by the calling convention.
    unsafe {
        asm!("rep movsb", inout("rcx") count => _, inout("rdi") to => _, inout("rsi") from => _,
             options(nostack, preserves_flags));
    }
    #[cfg(not(target_arch = "x86_64"))]
    // SAFETY: the caller vouches for both ranges; volatile keeps the loop a loop.
    unsafe {
        for i in 0..count {
            to.add(i).write_volatile(from.add(i).read_volatile());
        }
    }
    to
}

/// memmove(3).
///
/// # Safety
/// As in C.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn memmove(to: *mut u8, from: *const u8, count: usize) -> *mut u8 {
    if (to as usize) <= (from as usize) {
        // SAFETY: copying upwards is right when the target lies below.
        return unsafe { memcpy(to, from, count) };
    }
    // SAFETY: the caller vouches for both ranges; downwards is right when the target lies above.
    unsafe {
        for i in (0..count).rev() {
            to.add(i).write_volatile(from.add(i).read_volatile());
        }
    }
    to
}

/// memset(3).
///
/// # Safety
/// As in C.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn memset(to: *mut u8, byte: i32, count: usize) -> *mut u8 {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: the caller vouches for the range; the direction flag is clear by the calling convention.
    unsafe {
        asm!("rep stosb", inout("rcx") count => _, inout("rdi") to => _, in("al") byte as u8,
             options(nostack, preserves_flags));
    }
    #[cfg(not(target_arch = "x86_64"))]
    // SAFETY: the caller vouches for the range; volatile keeps the loop a loop.
    unsafe {
        for i in 0..count {
            to.add(i).write_volatile(byte as u8);
        }
    }
    to
}

/// memcmp(3).
///
/// # Safety
/// As in C.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn memcmp(a: *const u8, b: *const u8, count: usize) -> i32 {
    // SAFETY: the caller vouches for both ranges.
    unsafe {
        for i in 0..count {
            let (x, y) = (a.add(i).read_volatile(), b.add(i).read_volatile());
            if x != y {
                return i32::from(x) - i32::from(y);
            }
        }
    }
    0
}

/// bcmp(3).
///
/// # Safety
/// As in C.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bcmp(a: *const u8, b: *const u8, count: usize) -> i32 {
    // SAFETY: the same contract.
    unsafe { memcmp(a, b, count) }
}

/// strlen(3).
///
/// # Safety
/// As in C.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn strlen(text: *const u8) -> usize {
    let mut length = 0;
    // SAFETY: the caller vouches for the NUL.
    unsafe {
        while text.add(length).read_volatile() != 0 {
            length += 1;
        }
    }
    length
}
