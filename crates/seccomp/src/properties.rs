//! Properties that every compiled profile has, checked on random profiles.

use oci_spec::runtime::LinuxSeccomp;
use proptest::prelude::*;

use crate::interpret::run;
use crate::model::{self, Reading, Sample};
use crate::{Arch, Filter, Newcomers, compile_with, flaw, verdict};

const ENOSYS: u32 = 0x0005_0000 | 38;
const NOTIFY: u32 = 0x7fc0_0000;
const ALLOW: u32 = 0x7fff_0000;

/// Whether `is` is what a plain reading of `profile` calls for; where several rules match, what one of them
/// does.
fn is_right(profile: &LinuxSeccomp, native: Arch, newcomers: Newcomers, sample: &Sample, is: u32) -> bool {
    let default = profile.default_action().as_u32(profile.default_errno_ret());
    // All that is lower than SECCOMP_RET_TRACE, and SECCOMP_RET_KILL_PROCESS.
    let strict = default & 0x7fff_0000 < 0x7ff0_0000;
    match model::read(profile, native, sample) {
        Reading::Stranger => is == 0,
        Reading::Nothing { newcomer: true } if strict && newcomers == Newcomers::Enosys => is == ENOSYS,
        Reading::Nothing { .. } => is == default,
        Reading::Plainly(action) => is == action,
        Reading::Conditionally { matching, .. } if matching.is_empty() => is == default,
        Reading::Conditionally { matching, .. } => matching.contains(&is),
    }
}

#[test]
fn a_profile_like_that_of_docker_is_short_and_right() {
    let profile = model::docker_like();
    let program = compile_with(&profile, Arch::X86_64, Newcomers::Enosys).expect("the profile compiles");
    let length = program.filter.instructions.len();
    assert!(length < 400, "{length} instructions");
    for sample in model::samples(&profile, Arch::X86_64, 1) {
        let is = verdict(&program, sample.audit, sample.nr, &sample.args);
        assert!(is_right(&profile, Arch::X86_64, Newcomers::Enosys, &sample, is), "{is:#x} for {sample:x?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    /// The program says what a plain reading of the profile says; where several rules match, one of them.
    #[test]
    fn a_program_means_what_its_profile_says(
        profile in prop_oneof![model::profiles(), model::crowded()],
        native in prop::sample::select(vec![Arch::X86_64, Arch::Aarch64]),
        newcomers in prop::sample::select(vec![Newcomers::Enosys, Newcomers::Default]),
        seed in any::<u64>(),
    ) {
        let Ok(program) = compile_with(&profile, native, newcomers) else { return Ok(()) };
        for sample in model::samples(&profile, native, seed) {
            let is = verdict(&program, sample.audit, sample.nr, &sample.args);
            let right = is_right(&profile, native, newcomers, &sample, is);
            prop_assert!(right, "{is:#x} for {sample:x?}: {:x?}", model::read(&profile, native, &sample));
        }
    }

    /// Of the two filters of a profile that asks a supervisor, one only asks and the other never does.
    #[test]
    fn only_the_filter_with_the_listener_notifies(profile in model::profiles(), seed in any::<u64>()) {
        let Ok(program) = compile_with(&profile, Arch::X86_64, Newcomers::Enosys) else { return Ok(()) };
        let Some(listener) = program.listener else { return Ok(()) };
        for sample in model::samples(&profile, Arch::X86_64, seed) {
            let of = |filter: &Filter| run(&filter.instructions, sample.audit, sample.nr, &sample.args);
            prop_assert!(matches!(of(&listener), Some(NOTIFY | ALLOW)), "{sample:x?}");
            prop_assert_ne!(of(&program.filter), Some(NOTIFY), "{:x?}", sample);
        }
    }

    /// What the kernel checks when it loads a filter: known instructions, aligned loads, jumps that stay
    /// inside.
    #[test]
    fn a_program_is_well_formed(profile in model::profiles()) {
        let Ok(program) = compile_with(&profile, Arch::X86_64, Newcomers::Enosys) else { return Ok(()) };
        for filter in program.listener.iter().chain([&program.filter]) {
            prop_assert_eq!(flaw(filter), None);
        }
    }
}
