//! Bytes as a list of decisions.

/// What is left of the bytes; behind their end every decision is 0.
pub struct Tape<'d>(pub &'d [u8]);

impl Tape<'_> {
    pub fn byte(&mut self) -> u8 {
        let (first, rest) = self.0.split_first().map_or((0, self.0), |(first, rest)| (*first, rest));
        self.0 = rest;
        first
    }

    pub fn number(&mut self) -> u64 {
        (0..8).fold(0, |number, _| number << 8 | u64::from(self.byte()))
    }

    pub fn one<T: Copy>(&mut self, all: &[T]) -> T {
        all[usize::from(self.byte()) % all.len()]
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
