//! A heap that only grows.
//!
//! A command of the runtime lives for a millisecond: what it would gain by giving memory back is less than
//! what the bookkeeping costs (musl's allocator takes about half of the time of `state`). Memory comes from
//! mmap(2) in chunks, goes out in order, and goes back to the kernel with the process. Only the newest block
//! can grow or be given back in place, which is what a growing vector needs.
//!
//! A command that works for as long as a container lives says so ([`Bump::reuse`]); from then on blocks come
//! from a pool in which they are used again (`pool.rs`).

extern crate std;

use core::cell::UnsafeCell;
use core::ptr;
use std::alloc::{GlobalAlloc, Layout};

use crate::pool::Pool;
use crate::{arch, call};

/// Bytes that one mmap(2) fetches at least: enough for most commands. A page costs the same whether a fault
/// or MAP_POPULATE brings it, so only those come that are used.
const CHUNK: usize = 512 * 1024;

struct Space {
    next: usize,
    end: usize,
    pool: Pool,
}

/// The heap. For programs of one thread: it has no lock.
pub struct Bump {
    space: UnsafeCell<Space>,
}

// SAFETY: the runtime has one thread (docs/adr/0003-one-thread.md); a `static` needs the promise all the
// same.
unsafe impl Sync for Bump {}

impl Bump {
    /// An empty heap.
    pub const fn new() -> Self {
        Self { space: UnsafeCell::new(Space { next: 0, end: 0, pool: Pool::closed() }) }
    }

    /// From now on memory that is given back is used again. For loops that have no end.
    pub fn reuse(&self) {
        // SAFETY: one thread, and no other reference to the space lives across this call.
        unsafe { &mut *self.space.get() }.pool.open();
    }
}

impl Default for Bump {
    fn default() -> Self {
        Self::new()
    }
}

fn map(bytes: usize) -> Option<usize> {
    const PROT_READ_WRITE: usize = 3;
    const MAP_PRIVATE_ANONYMOUS: usize = 0x22;
    call(arch::MMAP, [0, bytes, PROT_READ_WRITE, MAP_PRIVATE_ANONYMOUS, usize::MAX, 0]).ok()
}

// SAFETY: every block lies in memory that mmap has given, aligned as asked for, and overlaps no block that is
// in use: `next` only moves back over the newest block, when that one is given back, and the pool hands out
// only what was given back to it.
unsafe impl GlobalAlloc for Bump {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: one thread, and no other reference to the space lives across this call.
        let space = unsafe { &mut *self.space.get() };
        if let Some(block) = space.pool.take(layout) {
            return block as *mut u8;
        }
        let mut start = space.next.next_multiple_of(layout.align());
        if space.next == 0 || start + layout.size() > space.end {
            let bytes = (layout.size() + layout.align()).next_multiple_of(CHUNK);
            let Some(fresh) = map(bytes) else { return ptr::null_mut() };
            start = fresh.next_multiple_of(layout.align());
            space.end = fresh + bytes;
        }
        space.next = start + layout.size();
        start as *mut u8
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: as in `alloc`.
        let space = unsafe { &mut *self.space.get() };
        if space.pool.holds(block as usize) {
            // SAFETY: the caller vouches for block and layout, and the pool knows its own.
            return unsafe { space.pool.give_back(block as usize, layout) };
        }
        if block as usize + layout.size() == space.next {
            space.next = block as usize;
        }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        {
            // SAFETY: as in `alloc`.
            let space = unsafe { &mut *self.space.get() };
            let is_pooled = space.pool.holds(block as usize);
            if is_pooled {
                // SAFETY: the caller vouches for `layout`; another size with its alignment is as valid.
                let new = unsafe { Layout::from_size_align_unchecked(size, layout.align()) };
                if space.pool.fits(layout, new) {
                    return block;
                }
            }
            // The pool may end where the free memory begins.
            let is_newest = !is_pooled && block as usize + layout.size() == space.next;
            if is_newest && block as usize + size <= space.end {
                space.next = block as usize + size;
                return block;
            }
        }
        // SAFETY: the caller vouches for `layout`; the new size with the same alignment is a valid layout.
        unsafe {
            let fresh = self.alloc(Layout::from_size_align_unchecked(size, layout.align()));
            if !fresh.is_null() {
                ptr::copy_nonoverlapping(block, fresh, layout.size().min(size));
                self.dealloc(block, layout);
            }
            fresh
        }
    }
}
