//! Device programs, loaded, verified and asked by the kernel.

use std::fs;
use std::os::fd::{AsFd, AsRawFd};

use crate_run::cgroup::Cgroup;
use crate_run::cgroup::devices::attached::name_for;
use crate_run::cgroup::devices::insn::Program;
use crate_run::cgroup::devices::program::compile;
use crate_run::cgroup::devices::{self, Kind, Pattern, Rule, Verdict};

use crate::place::{Checked, Place, skip, waiting};

/// Loads the program for `rules` and attaches it to `cgroup`.
fn attach(cgroup: &Cgroup, program: &Program) -> Checked {
    use crate_run_sys::{Fd, bpf, files};
    let loaded =
        bpf::load_device_program(&program.bytes(), name_for("test")).map_err(|errno| errno.name())?;
    let attached = bpf::attach_device_program(Fd(cgroup.as_fd().as_raw_fd()), loaded);
    files::close(loaded);
    Ok(attached.map_err(|errno| errno.name())?)
}

fn rules(json: &str) -> Result<Vec<Rule>, serde_json::Error> {
    Ok(devices::rules(&serde_json::from_str::<Vec<_>>(json)?))
}

#[test]
fn device_rules_hold_in_the_kernel() -> Checked {
    let test = "device_rules_hold_in_the_kernel";
    let Some(place) = Place::new("devices")? else { return Ok(()) };
    // c 1:11 is a device that every host has and no container gets.
    if fs::File::options().read(true).write(true).open("/dev/kmsg").is_err() {
        return skip(test, "/dev/kmsg cannot be opened even outside");
    }
    let (read, write) = (": < /dev/kmsg", ": > /dev/kmsg");
    let cases = [
        (r#"[]"#, false, false),
        (r#"[{"allow": false, "access": "rwm"}]"#, false, false),
        (r#"[{"allow": true, "access": "rwm"}]"#, true, true),
        (r#"[{"allow": true, "type": "c", "major": 1, "minor": 11, "access": "r"}]"#, true, false),
        (
            r#"[{"allow": true, "type": "c", "major": 1, "access": "rw"},
             {"allow": false, "type": "c", "major": 1, "minor": 11, "access": "r"}]"#,
            false,
            true,
        ),
        (r#"[{"allow": true, "type": "b", "access": "rw"}]"#, false, false),
    ];
    for (number, (json, may_read, may_write)) in cases.into_iter().enumerate() {
        let cgroup = place.create(&number.to_string())?;
        attach(&cgroup, &compile(&rules(json)?)?)?;
        assert_eq!(waiting(&cgroup, read)?.release()?.0, may_read, "{read} under {json}");
        assert_eq!(waiting(&cgroup, write)?.release()?.0, may_write, "{write} under {json}");
        let (built_in, said) = waiting(&cgroup, ": < /dev/null; : > /dev/null; : < /dev/zero")?.release()?;
        assert!(built_in, "the built-in devices stay open under {json}: {said}");
    }
    Ok(())
}

/// A list in which no rule can be dropped or joined with its neighbour.
fn stubborn_rules(count: u32) -> Vec<Rule> {
    let rule = |index: u32| {
        let is_allowed = index.is_multiple_of(2);
        let verdict = if is_allowed { Verdict::Allow } else { Verdict::Deny };
        let major = (!is_allowed).then_some(7);
        let access = if is_allowed { devices::READ | devices::WRITE } else { devices::WRITE };
        Rule { verdict, access, pattern: Pattern { kind: Some(Kind::Char), major, minor: Some(index / 2) } }
    };
    (0..count).map(rule).collect()
}

/// Many devices of many drivers, each allowed for every access: what a host with much hardware asks for.
fn plain_rules(count: u32) -> Vec<Rule> {
    let pattern = |index| Pattern { kind: Some(Kind::Char), major: Some(index % 64), minor: Some(index) };
    let rule =
        |index| Rule { verdict: Verdict::Allow, access: devices::EVERY_ACCESS, pattern: pattern(index) };
    (0..count).map(rule).collect()
}

/// Every match with a rule that decides a part only lets the verifier walk the rest once more, so its work
/// grows with the square of their number; beyond some hundred it answers E2BIG.
#[test]
fn the_kernel_verifies_long_and_short_programs() -> Checked {
    let Some(place) = Place::new("verifier")? else { return Ok(()) };
    let cgroup = place.create("a")?;
    let stubborn = [0, 1, 2, 3, 10, 100, 200].map(stubborn_rules);
    let plain = [1, 64, 65, 1000].map(plain_rules);
    for mut rules in stubborn.into_iter().chain(plain) {
        let count = rules.len();
        attach(&cgroup, &compile(&rules)?).map_err(|error| format!("{count} rules: {error}"))?;
        rules.extend(devices::BUILT_IN);
        attach(&cgroup, &compile(&rules)?).map_err(|error| format!("{count} and the built-in: {error}"))?;
    }
    Ok(())
}
