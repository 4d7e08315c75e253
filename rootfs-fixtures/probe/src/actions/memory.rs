//! Memory that is really used: the kernel gives a page only when it is touched.

use super::signals::say;
use super::{Done, argument};
use std::process::ExitCode;

const MIB: usize = 1 << 20;
const PAGE: usize = 4096;

/// Prints a line per 8 MiB, so that the last line before a kill shows how far it got.
pub fn eat(words: &[String]) -> Done {
    let wanted = argument::<usize>(words, 0, "a number of MiB")?;
    let mut meal: Vec<Vec<u8>> = Vec::with_capacity(wanted);
    for eaten in 1..=wanted {
        let mut piece = vec![0; MIB];
        // Pages of zeros could stay unbacked; a byte of its own makes each page real.
        piece.iter_mut().step_by(PAGE).for_each(|byte| *byte = 1);
        meal.push(std::hint::black_box(piece));
        if eaten % 8 == 0 || eaten == wanted {
            say(&format!("{eaten} MiB"))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}
