//! The differential test: every verdict is compared with that of libseccomp, with which all other runtimes
//! compile their profiles. `make oracle` runs it.
//!
//! libseccomp is right about the profiles of the engines, about single rules, and about several rules for one
//! call that compare one argument in one way: there nothing may differ. Beyond that it errs now and then, in
//! every version up to 2.6.1 at least. It merges the comparisons of the high and the low words of several
//! rules and loses an action (GHSA-4q85-33p6-j5g6 is one such error, mended in 2.6.1), and it forgets to load
//! the number when the first call of a profile does not exist on an architecture. So for rules of any kind a
//! third judge decides about each difference:
//!
//! - The plain reading of `model` says which actions some matching rule asks for. Ours must be one of them,
//!   whatever libseccomp says. If libseccomp's is none of them, it is wrong (`unfounded`).
//! - If it is one of them, the two have asked the rules in different orders; the specification names none.
//!   Then libseccomp is shown only the rules that match. If it says what we say, it does not follow its own
//!   order in the whole profile (`disordered`).
//! - If not, two of these rules must compare one 64-bit argument with values of the same high word.
//!   libseccomp then makes a single comparison of both, whatever their operators are, and can no longer ask
//!   the one before the other (`joined`).
//!
//! A difference that is none of these fails the test.

mod libseccomp;

use std::collections::BTreeSet;

use oci_spec::runtime::LinuxSeccomp;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;

use self::libseccomp::Answer;
use crate::model::{self, Reading, Sample};
use crate::{Arch, Newcomers, Problem, Program, compile_with, names, verdict};

fn ours(profile: &LinuxSeccomp) -> Result<Program, Vec<Problem>> {
    compile_with(profile, Arch::X86_64, Newcomers::Default)
}

/// `profile` without the names that one of the two does not know.
fn known_to_both(mut profile: LinuxSeccomp) -> LinuxSeccomp {
    let known = |name: &&String| names::find(name).is_some() && libseccomp::knows(name);
    let mut blocks = profile.syscalls().clone().unwrap_or_default();
    for block in &mut blocks {
        let names = block.names().iter().filter(known).cloned().collect();
        block.set_names(names);
    }
    blocks.retain(|block| !block.names().is_empty());
    profile.set_syscalls(Some(blocks));
    profile
}

/// `profile` without a second mention of any name, and without rules that fall into several.
fn one_rule_per_call(mut profile: LinuxSeccomp) -> LinuxSeccomp {
    let mut seen = BTreeSet::from(["socketcall".to_owned(), "ipc".to_owned()]);
    let mut blocks = profile.syscalls().clone().unwrap_or_default();
    for block in &mut blocks {
        let names = block.names().iter().filter(|name| seen.insert((*name).clone())).cloned().collect();
        block.set_names(names);
        let mut indexes = BTreeSet::new();
        let args = block.args().iter().flatten().filter(|arg| indexes.insert(arg.index())).copied();
        let args = args.collect();
        block.set_args(Some(args));
    }
    blocks.retain(|block| !block.names().is_empty());
    profile.set_syscalls(Some(blocks));
    profile
}

/// `profile` without the calls that an architecture of x86 lacks: see above.
fn with_calls_that_exist_everywhere(mut profile: LinuxSeccomp) -> LinuxSeccomp {
    let family = [Arch::X86_64, Arch::X32, Arch::X86];
    let exists = |name: &&String| {
        names::find(name).is_some_and(|call| family.iter().all(|arch| call.number(*arch).is_some()))
    };
    let mut blocks = profile.syscalls().clone().unwrap_or_default();
    for block in &mut blocks {
        let names = block.names().iter().filter(exists).cloned().collect();
        block.set_names(names);
    }
    blocks.retain(|block| !block.names().is_empty());
    profile.set_syscalls(Some(blocks));
    profile
}

fn of(program: &Program, sample: &Sample) -> u32 {
    verdict(program, sample.audit, sample.nr, &sample.args)
}

fn theirs(profile: &LinuxSeccomp) -> Option<Program> {
    match libseccomp::compile(profile) {
        Answer::Program(program) => Some(program),
        Answer::Refused => None,
        Answer::None => panic!("libseccomp does not come to an end: {}", text(profile)),
    }
}

fn text(profile: &LinuxSeccomp) -> String {
    serde_json::to_string(profile).expect("a profile is JSON")
}

/// How many samples were tried; none may differ.
#[track_caller]
fn means_the_same(profile: &LinuxSeccomp, seed: u64) -> usize {
    let theirs = theirs(profile).expect("libseccomp takes the profile");
    let ours = ours(profile).expect("the profile compiles");
    let samples = model::samples(profile, Arch::X86_64, seed);
    for sample in &samples {
        let (ours, theirs) = (of(&ours, sample), of(&theirs, sample));
        assert_eq!(ours, theirs, "ours {ours:#x}, theirs {theirs:#x} for {sample:x?} in {}", text(profile));
    }
    samples.len()
}

fn tell(what: &str, profiles: usize, samples: usize) {
    let version = libseccomp::version();
    println!(
        "compared with libseccomp {version}, {what}: {profiles} profiles, {samples} samples, all the same"
    );
}

#[test]
fn names_have_the_same_numbers() {
    for (name, call) in names::all() {
        for arch in [Arch::X86_64, Arch::X32, Arch::X86, Arch::Aarch64, Arch::Arm] {
            let Some(number) = libseccomp::number(name, arch) else { continue };
            let theirs = u32::try_from(number).ok();
            if arch == Arch::X86 && call.i386_multiplexer().is_some() {
                assert_eq!(theirs, None, "{name}: libseccomp reports multiplexed calls as such");
            } else {
                assert_eq!(call.number(arch), theirs, "{name} {arch:?}");
            }
        }
    }
}

/// The profile that podman gives to a container without further privileges.
fn of_podman() -> LinuxSeccomp {
    const INSTALLED: &str = "/usr/share/containers/seccomp.json";
    let text = std::fs::read_to_string(INSTALLED).unwrap_or_else(|error| {
        panic!("{INSTALLED}: {error}: install the Debian package golang-github-containers-common")
    });
    let mut file: serde_json::Value = serde_json::from_str(&text).expect("the file is JSON");
    let blocks = file["syscalls"].as_array_mut().expect("the file lists rules");
    blocks.retain(|block| {
        let includes = &block["includes"];
        let amd64 =
            includes["arches"].as_array().is_none_or(|arches| arches.iter().any(|arch| arch == "amd64"));
        amd64 && includes["caps"].is_null()
    });
    file["architectures"] = serde_json::json!(["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"]);
    serde_json::from_value(file).expect("the rules are those of OCI")
}

/// The profiles in configurations as Docker, containerd and podman write them.
fn of_engines() -> Vec<(String, LinuxSeccomp)> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../rootfs-fixtures/configs");
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).expect("the configurations") {
        let path = entry.expect("an entry").path();
        let Ok(text) = std::fs::read_to_string(&path) else { continue };
        let Ok(config) = serde_json::from_str::<serde_json::Value>(&text) else { continue };
        if let Ok(profile) = serde_json::from_value(config["linux"]["seccomp"].clone()) {
            found.push((path.display().to_string(), profile));
        }
    }
    found
}

#[test]
fn the_default_profiles_of_the_engines_mean_the_same() {
    let mut profiles = of_engines();
    assert!(profiles.iter().any(|(file, _)| file.ends_with("docker-run.json")), "Docker's is there");
    profiles.push(("podman".to_owned(), of_podman()));
    profiles.push(("as documented by Docker".to_owned(), model::docker_like()));
    let mut samples = 0;
    for (name, profile) in &profiles {
        let profile = known_to_both(profile.clone());
        let calls: usize = profile.syscalls().iter().flatten().map(|block| block.names().len()).sum();
        assert!(calls > 350, "only {calls} names are left of {name}");
        samples += means_the_same(&profile, 1);
    }
    tell("default profiles of Docker, containerd and podman", profiles.len(), samples);
}

/// `count` pairs of a profile and a seed, the same ones in every run.
fn random(profiles: impl Strategy<Value = LinuxSeccomp>, count: usize) -> Vec<(LinuxSeccomp, u64)> {
    let mut runner = TestRunner::deterministic();
    let strategy = (profiles.prop_map(known_to_both), any::<u64>());
    let mut next = || strategy.new_tree(&mut runner).expect("a profile can be made").current();
    (0..count).map(|_| next()).collect()
}

#[test]
fn single_rules_mean_the_same() {
    let profiles = random(model::profiles(), 2000);
    let single = |profile| with_calls_that_exist_everywhere(one_rule_per_call(profile));
    let samples =
        profiles.iter().map(|(profile, seed)| means_the_same(&single(profile.clone()), *seed)).sum();
    tell("one rule for each call", profiles.len(), samples);
}

/// Where several rules match, libseccomp and we ask them in the same order, and refuse the same
/// contradictions.
#[test]
fn overlapping_rules_mean_the_same() {
    let tests = select(vec![("EQ", "NE"), ("LT", "LE"), ("GT", "GE")]);
    let rules = prop::collection::vec((0..8u64, any::<bool>(), 1..4u32), 1..6);
    let listed = select(vec!["SCMP_ARCH_NATIVE", "SCMP_ARCH_X86", "SCMP_ARCH_X32"]);
    let profile = (tests, rules, listed).prop_map(|((strict, other), rules, listed)| {
        let rule = |(value, first, errno): &(u64, bool, u32)| {
            let op = format!("SCMP_CMP_{}", if *first { strict } else { other });
            serde_json::json!({
                "names": ["read"], "action": "SCMP_ACT_ERRNO", "errnoRet": errno,
                "args": [{ "index": 0, "value": value, "op": op }],
            })
        };
        let rules: Vec<_> = rules.iter().map(rule).collect();
        let profile = serde_json::json!({
            "defaultAction": "SCMP_ACT_ALLOW", "architectures": [listed], "syscalls": rules,
        });
        serde_json::from_value::<LinuxSeccomp>(profile).expect("the specification allows it")
    });
    let (mut samples, profiles) = (0, random(profile, 2000));
    for (profile, _) in &profiles {
        let (ours, theirs) = (ours(profile), theirs(profile));
        assert_eq!(ours.is_ok(), theirs.is_some(), "{}", text(profile));
        let (Ok(ours), Some(theirs)) = (ours, theirs) else { continue };
        let read = [(Arch::X86_64, 0), (Arch::X86, 3)].into_iter();
        for ((arch, nr), value) in read.flat_map(|call| (0..10).map(move |value| (call, value))) {
            let sample = Sample { audit: arch.audit(), nr, args: [value, 0, 0, 0, 0, 0] };
            assert_eq!(of(&ours, &sample), of(&theirs, &sample), "{sample:?} in {}", text(profile));
            samples += 1;
        }
    }
    tell("rules that overlap in one argument", profiles.len(), samples);
}

/// What became of the comparison of many profiles.
#[derive(Debug, Default)]
struct Tally {
    profiles: usize,
    samples: usize,
    /// Samples for whose call there are several rules with conditions.
    meeting: usize,
    /// libseccomp says what no matching rule says.
    unfounded: usize,
    /// libseccomp asks the rules in another order than when it sees only those that match.
    disordered: usize,
    /// libseccomp has one comparison of a high word for two rules.
    joined: usize,
    refused_by_both: usize,
    refused_by_us: usize,
    refused_by_them: usize,
    /// libseccomp does not come to an end.
    endless: usize,
}

impl Tally {
    fn compare(&mut self, profile: &LinuxSeccomp, seed: u64) {
        self.profiles += 1;
        let (ours, theirs) = match (ours(profile), libseccomp::compile(profile)) {
            (Ok(ours), Answer::Program(theirs)) => (ours, theirs),
            (_, Answer::None) => return self.endless += 1,
            (Err(_), Answer::Refused) => return self.refused_by_both += 1,
            (Ok(_), Answer::Refused) => return self.refused_by_them += 1,
            (Err(_), Answer::Program(_)) => return self.refused_by_us += 1,
        };
        for sample in model::samples(profile, Arch::X86_64, seed) {
            self.judge(profile, &sample, of(&ours, &sample), of(&theirs, &sample));
        }
    }

    fn judge(&mut self, profile: &LinuxSeccomp, sample: &Sample, ours: u32, theirs: u32) {
        self.samples += 1;
        let reading = model::read(profile, Arch::X86_64, sample);
        self.meeting += usize::from(matches!(reading, Reading::Conditionally { rules: 2.., .. }));
        let founded = reading.permitted(profile);
        let case = || format!("{sample:x?}: ours {ours:#x}, theirs {theirs:#x} in {}", text(profile));
        assert!(founded.contains(&ours), "no rule says what we say about {}", case());
        if ours == theirs {
            return;
        }
        if !founded.contains(&theirs) {
            self.unfounded += 1;
            return;
        }
        let matching = model::only_matching(profile, Arch::X86_64, sample);
        let alone = self::theirs(&matching).expect("libseccomp takes a part of what it took");
        if of(&alone, sample) != ours {
            assert!(model::shares_a_high_word(&matching, sample), "the orders differ for {}", case());
            self.joined += 1;
            return;
        }
        self.disordered += 1;
    }
}

/// Rules of any kind, few or many for each call.
#[test]
fn each_difference_is_an_error_of_libseccomp() {
    let mut tally = Tally::default();
    for (profile, seed) in random(model::profiles(), 1500).into_iter().chain(random(model::crowded(), 1500)) {
        tally.compare(&profile, seed);
    }
    println!("compared with libseccomp {}, rules of any kind: {tally:?}", libseccomp::version());
    assert!(tally.meeting > 100_000, "too few rules meet");
    // An error of ours in the same place as one of theirs would not be rare.
    assert!((tally.unfounded + tally.disordered) * 200 < tally.samples, "too much differs");
}
