//! Memory that is used again, for the commands that work for as long as a container lives.
//!
//! Blocks come in powers of two. One that is given back waits, in a list of its size, for the next block of
//! that size; its first word holds the address of the one behind it. So the memory of a loop that allocates
//! and gives back the same amount each time stops growing after the first rounds.
//!
//! All of it lies in one range of addresses: by its address a block is known to be from here.

use core::alloc::Layout;

use crate::{arch, call};

/// Bytes of address space; pages come when they are touched. When it is used up, the heap grows as before.
const RANGE: usize = 64 << 20;
const PAGE: usize = 4096;
/// The smallest block, 16 bytes, has room for an address.
const SMALLEST: u32 = 4;
/// The largest block is 1 MiB.
const LARGEST: u32 = 20;
const SIZES: usize = (LARGEST - SMALLEST + 1) as usize;

/// Closed, and so without memory, until it is opened.
pub(crate) struct Pool {
    start: usize,
    next: usize,
    waiting: [usize; SIZES],
}

impl Pool {
    pub const fn closed() -> Self {
        Self { start: 0, next: 0, waiting: [0; SIZES] }
    }

    /// Reserves the addresses. Without them it stays closed.
    pub fn open(&mut self) {
        const PROT_READ_WRITE: usize = 3;
        const MAP_PRIVATE_ANONYMOUS_NORESERVE: usize = 0x4022;
        if self.start != 0 {
            return;
        }
        let arguments = [0, RANGE, PROT_READ_WRITE, MAP_PRIVATE_ANONYMOUS_NORESERVE, usize::MAX, 0];
        if let Ok(start) = call(arch::MMAP, arguments) {
            (self.start, self.next) = (start, start);
        }
    }

    /// Is the block from here?
    pub fn holds(&self, block: usize) -> bool {
        self.start != 0 && (self.start..self.start + RANGE).contains(&block)
    }

    /// The address of a block; `None` when it is closed or used up, or the block is too large.
    pub fn take(&mut self, layout: Layout) -> Option<usize> {
        if self.start == 0 {
            return None;
        }
        let (size, waiting) = self.list(layout)?;
        if *waiting != 0 {
            let block = *waiting;
            // SAFETY: it was given back, so nobody else uses it, and `give_back` wrote an address there.
            *waiting = unsafe { *(block as *const usize) };
            return Some(block);
        }
        let block = self.next.next_multiple_of(size.min(PAGE));
        if block + size > self.start + RANGE {
            return None;
        }
        self.next = block + size;
        Some(block)
    }

    /// Lets the block be used again.
    ///
    /// # Safety
    /// It came from [`Pool::take`] with this layout, and nobody uses it any more.
    pub unsafe fn give_back(&mut self, block: usize, layout: Layout) {
        let Some((_, waiting)) = self.list(layout) else { return };
        // SAFETY: the caller vouches for the block, and the smallest has room for an address.
        unsafe { *(block as *mut usize) = *waiting };
        *waiting = block;
    }

    /// Have both layouts blocks of the same size?
    pub fn fits(&self, old: Layout, new: Layout) -> bool {
        let size = |layout| size(layout).filter(|size| *size <= LARGEST);
        size(old).is_some() && size(old) == size(new)
    }

    /// The bytes of such a block, and the list of those that wait.
    fn list(&mut self, layout: Layout) -> Option<(usize, &mut usize)> {
        let size = size(layout)?;
        let waiting = self.waiting.get_mut((size - SMALLEST) as usize)?;
        Some((1 << size, waiting))
    }
}

/// The power of two; `None` for an alignment beyond that of a page.
fn size(layout: Layout) -> Option<u32> {
    let bytes = layout.size().max(layout.align()).checked_next_power_of_two()?;
    (layout.align() <= PAGE).then(|| bytes.trailing_zeros().max(SMALLEST))
}

#[cfg(test)]
mod tests {
    extern crate std;

    use super::*;

    fn layout(size: usize, align: usize) -> Layout {
        Layout::from_size_align(size, align).unwrap()
    }

    #[test]
    fn what_is_given_back_is_used_again_and_nothing_twice() {
        let mut pool = Pool::closed();
        assert_eq!(pool.take(layout(8, 8)), None, "closed");
        pool.open();
        let mut used = std::vec::Vec::new();
        for round in 0..1000 {
            for size in [1, 16, 17, 100, 5000, 1 << 20] {
                let block = pool.take(layout(size, 8)).unwrap();
                assert!(pool.holds(block) && block.is_multiple_of(8));
                let apart =
                    |(other, length): &(usize, usize)| block + size <= *other || other + length <= block;
                assert!(used.iter().all(apart), "round {round}");
                used.push((block, size));
            }
            for (block, size) in used.drain(..) {
                // SAFETY: taken above with this layout, and not used since.
                unsafe { pool.give_back(block, layout(size, 8)) };
            }
        }
        assert!(pool.next - pool.start < 3 << 20, "it has not grown");
    }

    #[test]
    fn what_is_too_large_is_left_to_others() {
        let mut pool = Pool::closed();
        pool.open();
        assert_eq!(pool.take(layout((1 << 20) + 1, 8)), None);
        assert_eq!(pool.take(layout(8, 2 * PAGE)), None);
        assert_eq!(pool.take(layout(64, 4096)).map(|block| block % 4096), Some(0));
        assert!((0..100).any(|_| pool.take(layout(1 << 20, 8)).is_none()), "64 MiB, and no more");
        assert!(!pool.holds(0) && pool.fits(layout(20, 8), layout(32, 8)));
        assert!(
            !pool.fits(layout(20, 8), layout(33, 8)) && !pool.fits(layout(2 << 20, 8), layout(2 << 20, 8))
        );
    }
}
