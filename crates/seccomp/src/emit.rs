//! Writes a program down, **from its last instruction to its first**.
//!
//! Jumps of classic BPF go forward only. Whoever writes forward has to guess how far away a target will be,
//! and to come back when the guess was wrong. Whoever writes backwards has already written every target, and
//! knows the distance: it is the number of instructions written since.
//!
//! The one difficulty left is that a conditional jump reaches only 255 instructions. When a target is
//! farther away, a stepping stone is put down right behind the jump: an unconditional jump, which reaches
//! everything.

use crate::Instruction;

/// `BPF_LD | BPF_W | BPF_ABS`: load the word at offset `k` of `seccomp_data`.
pub(crate) const LOAD: u16 = 0x20;
/// `BPF_ALU | BPF_AND | BPF_K`: clear the bits that `k` lacks.
pub(crate) const AND: u16 = 0x54;
/// `BPF_JMP | BPF_JA`: skip `k` instructions.
pub(crate) const SKIP: u16 = 0x05;
/// `BPF_RET | BPF_K`: end with `k`.
pub(crate) const RETURN: u16 = 0x06;
/// `BPF_JMP | BPF_JEQ | BPF_K`
pub(crate) const IF_EQUAL: u16 = 0x15;
/// `BPF_JMP | BPF_JGT | BPF_K`
pub(crate) const IF_GREATER: u16 = 0x25;
/// `BPF_JMP | BPF_JGE | BPF_K`
pub(crate) const IF_NOT_LESS: u16 = 0x35;

/// The farthest that a jump is allowed to reach. One less than it can, because the stepping stone for the
/// other target of the same jump may still come between.
const REACH: usize = 254;

/// A place in the program: how many instructions there are from it to the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Label(usize);

/// A program that grows at its front.
#[derive(Default)]
pub(crate) struct Listing {
    backwards: Vec<Instruction>,
    /// The foremost `RETURN` of each value.
    returns: Vec<(u32, Label)>,
}

impl Listing {
    pub(crate) fn with_capacity(instructions: usize) -> Self {
        Self { backwards: Vec::with_capacity(instructions), returns: Vec::with_capacity(8) }
    }

    /// Puts an instruction in front; unless it jumps, what was put there last comes after it.
    fn put(&mut self, code: u16, k: u32) -> Label {
        self.backwards.push(Instruction { code, jt: 0, jf: 0, k });
        Label(self.backwards.len())
    }

    /// How many instructions one that is put in front now must skip to get to `label`.
    fn distance(&self, label: Label) -> usize {
        self.backwards.len() - label.0
    }

    /// Loads the word at `offset` (bytes) of `seccomp_data` and goes on at `then`.
    pub(crate) fn load(&mut self, offset: u32, then: Label) -> Label {
        self.go_on(then);
        self.put(LOAD, offset)
    }

    /// Masks what is loaded and goes on at `then`.
    pub(crate) fn and(&mut self, mask: u32, then: Label) -> Label {
        self.go_on(then);
        self.put(AND, mask)
    }

    /// Makes sure that whatever is put in front next is followed by `then`.
    fn go_on(&mut self, then: Label) {
        let distance = self.distance(then);
        if distance > 0 {
            self.put(SKIP, distance as u32);
        }
    }

    /// Ends the program with `value`. One instruction serves all who are near enough.
    pub(crate) fn answer(&mut self, value: u32) -> Label {
        let known = self.returns.iter().position(|(known, _)| *known == value);
        if let Some(place) = known {
            let label = self.returns[place].1;
            if self.distance(label) > REACH {
                self.returns[place].1 = self.put(RETURN, value);
            }
            self.returns[place].1
        } else {
            let label = self.put(RETURN, value);
            self.returns.push((value, label));
            label
        }
    }

    /// Compares what is loaded with `k` and goes on at `yes` or `no`.
    pub(crate) fn branch(&mut self, test: u16, k: u32, yes: Label, no: Label) -> Label {
        let yes = self.within_reach(yes);
        let no = self.within_reach(no);
        let (jt, jf) = (self.distance(yes) as u8, self.distance(no) as u8);
        self.backwards.push(Instruction { code: test, jt, jf, k });
        Label(self.backwards.len())
    }

    /// The label itself, or a stepping stone to it.
    fn within_reach(&mut self, label: Label) -> Label {
        let distance = self.distance(label);
        if distance <= REACH {
            return label;
        }
        match self.backwards[label.0 - 1] {
            Instruction { code: RETURN, k, .. } => self.answer(k),
            _ => self.put(SKIP, distance as u32),
        }
    }

    /// The program, first instruction first. What was put last is where it starts.
    pub(crate) fn finish(mut self) -> Vec<Instruction> {
        self.backwards.reverse();
        self.backwards
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::interpret::run;

    /// A chain of `length` comparisons; number n ends with n, others with 0.
    fn chain(length: u32) -> Vec<Instruction> {
        let mut listing = Listing::default();
        let mut next = listing.answer(0);
        for number in 1..=length {
            let found = listing.put(RETURN, number);
            next = listing.branch(IF_EQUAL, number, found, next);
        }
        listing.load(0, next);
        listing.finish()
    }

    #[test]
    fn targets_near_and_far_are_reached() {
        let mut listing = Listing::default();
        let far = listing.put(RETURN, 1);
        let far_code = {
            let inside = listing.answer(2);
            listing.branch(IF_GREATER, 100, inside, far)
        };
        for _ in 0..1000 {
            listing.put(RETURN, 9);
        }
        let start = listing.branch(IF_EQUAL, 7, far, far_code);
        listing.load(0, start);
        let program = listing.finish();
        assert_eq!(run(&program, 0, 7, &[0; 6]), Some(1));
        assert_eq!(run(&program, 0, 8, &[0; 6]), Some(1));
        assert_eq!(run(&program, 0, 101, &[0; 6]), Some(2));
    }

    #[test]
    fn a_long_chain_finds_every_number() {
        let program = chain(700);
        for number in 0..=701 {
            let expected = if number <= 700 { number } else { 0 };
            assert_eq!(run(&program, 0, number, &[0; 6]), Some(expected));
        }
    }

    #[test]
    fn a_load_goes_on_where_it_is_told_to() {
        let mut listing = Listing::default();
        let (there, _) = (listing.put(RETURN, 1), listing.put(RETURN, 2));
        let masked = listing.and(0xff, there);
        listing.put(RETURN, 3);
        listing.load(0, masked);
        assert_eq!(run(&listing.finish(), 0, 0, &[0; 6]), Some(1));
    }

    #[test]
    fn equal_answers_share_an_instruction() {
        let mut listing = Listing::default();
        let (a, b) = (listing.answer(5), listing.answer(5));
        assert_eq!(a, b);
        assert_eq!(listing.finish().len(), 1);
    }
}
