//! A cgroup from its making to its removal.

use std::fs;
use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::process::Command;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use crate_run::bundle::finding::Pointer;
use crate_run::cgroup::delegate::delegated_files;
use crate_run::cgroup::events::Events;
use crate_run::cgroup::v2::Applied;
use crate_run::cgroup::{Cgroup, CgroupError, Hierarchy, Setting};

use crate::place::{Checked, Place, Waiting, later, skip, waiting};

#[test]
fn every_missing_level_is_made_and_remembered() -> Checked {
    let Some(place) = Place::new("levels")? else { return Ok(()) };
    let cgroup = place.create("a/b/c")?;
    let made: Vec<String> = cgroup.created().iter().map(ToString::to_string).collect();
    assert_eq!(made, ["a", "a/b", "a/b/c"].map(|relative| place.below(relative).to_string()));
    assert!(place.shown("a/b/c").is_dir());

    let beside = place.create("a/d")?;
    assert_eq!(beside.created(), [place.below("a/d")], "a was there");

    let left = place.hierarchy.remove_empty(cgroup.created());
    assert_eq!(left, [place.below("a")], "a holds d");
    assert!(place.hierarchy.remove_empty(beside.created()).is_empty());
    assert!(place.hierarchy.remove_empty(cgroup.created()).is_empty());
    assert!(!place.shown("a").exists());
    Ok(())
}

#[test]
fn an_empty_cgroup_that_exists_is_taken() -> Checked {
    let Some(place) = Place::new("existing")? else { return Ok(()) };
    place.create("a")?;
    let again = place.create("a")?;
    assert!(again.created().is_empty(), "what was there must survive the undo");
    assert!(Cgroup::open(&place.hierarchy, &place.below("a"))?.is_some());
    assert!(Cgroup::open(&place.hierarchy, &place.below("absent"))?.is_none());
    Ok(())
}

#[test]
fn a_cgroup_in_use_is_refused() -> Checked {
    let Some(place) = Place::new("in-use")? else { return Ok(()) };
    let full = place.create("full")?;
    let shell = waiting(&full, "true")?;
    let error = place.create("full").expect_err("a process lives there");
    assert!(matches!(error, CgroupError::InUse { .. }), "{error}");
    assert!(error.to_string().contains("holds processes"), "{error}");
    assert_eq!(full.processes()?, [shell.pid()], "the refusal changed nothing");
    shell.release()?;

    let frozen = place.create("frozen")?;
    frozen.freeze(later())?;
    let error = place.create("frozen").expect_err("it is frozen");
    assert!(error.to_string().contains("is frozen"), "{error}");
    let error = place.create("frozen/new").expect_err("what is above it is frozen");
    assert!(error.to_string().contains("is frozen"), "{error}");
    assert!(Cgroup::acceptable(&place.hierarchy, &place.below("frozen/newer")).is_err());
    frozen.thaw(later())?;
    place.create("frozen")?;
    Ok(())
}

#[test]
fn a_failed_create_leaves_no_level() -> Checked {
    let Some(place) = Place::new("undo")? else { return Ok(()) };
    let top = Cgroup::open(&place.hierarchy, &place.top)?.ok_or("just made")?;
    top.write_file("cgroup.max.depth", "2")?;
    let error = place.create("a/b/c").expect_err("three levels are too deep");
    assert!(error.to_string().starts_with("cannot create cgroup"), "{error}");
    assert!(error.to_string().contains("/a/b/c"), "{error}");
    assert!(error.cure().is_some_and(|cure| cure.contains("cgroup.max.depth")), "{error:?}");
    assert!(!place.shown("a").exists());
    Ok(())
}

#[test]
fn a_failed_birth_is_explained_where_the_cgroup_is_to_blame() -> Checked {
    let Some(place) = Place::new("birth")? else { return Ok(()) };
    let cgroup = place.create("a")?;
    let (ebusy, enosys) = (16, 38);
    let reason = cgroup.why_not_born(ebusy).ok_or("EBUSY has a reason")?;
    assert!(reason.contains("may hold no process") && reason.contains(cgroup.path().as_str()), "{reason}");
    assert_eq!(cgroup.why_not_born(enosys), None);
    assert_eq!(cgroup.why_not_born(0), None);
    Ok(())
}

#[test]
fn a_control_file_is_no_cgroup() -> Checked {
    let Some(place) = Place::new("control-file")? else { return Ok(()) };
    // Other files of the core begin with a word that the check of the path cannot know.
    let Some(file) =
        ["cpu.stat", "io.pressure", "memory.pressure"].into_iter().find(|f| place.shown(f).exists())
    else {
        return skip("a_control_file_is_no_cgroup", "no file of the core without the prefix cgroup");
    };
    let error = place.create(file).expect_err("a file has that name");
    assert!(matches!(error, CgroupError::Directory { .. }), "{error}");
    Ok(())
}

#[test]
fn kill_ends_everything_in_the_subtree() -> Checked {
    let Some(place) = Place::new("kill")? else { return Ok(()) };
    let outer = place.create("box")?;
    let inner = place.create("box/inner")?;
    let shells = [waiting(&outer, "true")?, waiting(&inner, "true")?];
    let mut expected: Vec<i32> = shells.iter().map(Waiting::pid).collect();
    expected.sort_unstable();
    assert_eq!(outer.processes()?, expected);
    assert_eq!(outer.events()?, Events { populated: true, frozen: false });
    outer.kill(later())?;
    assert_eq!(outer.events()?, Events::default());
    assert!(outer.processes()?.is_empty());
    for shell in shells {
        shell.reap()?;
    }
    outer.kill(later())?;
    Ok(())
}

#[test]
fn kill_reaches_the_frozen() -> Checked {
    let Some(place) = Place::new("kill-frozen")? else { return Ok(()) };
    let cgroup = place.create("box")?;
    let shell = waiting(&cgroup, "true")?;
    cgroup.freeze(later())?;
    cgroup.kill(later())?;
    assert!(!cgroup.events()?.populated);
    shell.reap()
}

#[test]
fn freeze_and_thaw_report_when_it_is_so() -> Checked {
    let Some(place) = Place::new("freeze")? else { return Ok(()) };
    let cgroup = place.create("box")?;
    let shell = waiting(&cgroup, "echo awake")?;
    cgroup.freeze(later())?;
    assert_eq!(cgroup.events()?, Events { populated: true, frozen: true });
    cgroup.thaw(later())?;
    assert_eq!(cgroup.events()?, Events { populated: true, frozen: false });
    assert_eq!(shell.release()?, (true, "awake\n".to_owned()));
    Ok(())
}

#[test]
fn waits_end_at_their_deadline() -> Checked {
    let Some(place) = Place::new("deadline")? else { return Ok(()) };
    let outer = place.create("outer")?;
    let inner = place.create("outer/inner")?;
    let shell = waiting(&inner, "true")?;
    let error = inner.wait_until_empty(Instant::now()).expect_err("a process lives there");
    assert!(matches!(error, CgroupError::Deadline { .. }), "{error}");

    outer.freeze(later())?;
    let error = inner.thaw(Instant::now() + Duration::from_millis(50)).expect_err("the parent is frozen");
    assert!(error.to_string().contains("thaw"), "{error}");
    outer.thaw(later())?;
    shell.release()?;
    Ok(())
}

/// The kernel holds back the news of a change that follows another one within 10 ms. A cgroup that is removed
/// by then is never heard of again, but who waits for its end must hear.
#[test]
fn a_wait_ends_when_somebody_else_removes_the_cgroup() -> Checked {
    let Some(place) = Place::new("removed")? else { return Ok(()) };
    let hour = Duration::from_secs(3600);
    for _ in 0..20 {
        let cgroup = place.create("box")?;
        let shell = waiting(&cgroup, "true")?;
        let (tell, hear) = mpsc::channel();
        let waiter = Cgroup::open(&place.hierarchy, cgroup.path())?.ok_or("just made")?;
        thread::spawn(move || tell.send(waiter.wait_until_empty(Instant::now() + hour)));
        cgroup.freeze(later())?;
        cgroup.thaw(later())?;
        cgroup.kill(later())?;
        place.hierarchy.remove(&place.below("box"), later())?;
        shell.reap()?;
        hear.recv_timeout(later().duration_since(Instant::now()))??;
    }
    Ok(())
}

/// A command that had looked before the kill may bring a program in after it.
#[test]
fn clear_ends_those_who_come_in_meanwhile() -> Checked {
    let Some(place) = Place::new("late")? else { return Ok(()) };
    for _ in 0..5 {
        let cgroup = place.create("box")?;
        let shell = waiting(&cgroup, "true")?;
        let sleeper = |_| Command::new("sleep").arg("1000000").spawn();
        let mut late = (0..40).map(sleeper).collect::<Result<Vec<_>, _>>()?;
        let path = cgroup.path().clone();
        let clearing = thread::spawn(move || Hierarchy::find()?.clear(&path, later()));
        for sleeper in &late {
            // Too late where the cgroup is gone.
            let _ = fs::write(place.shown("box/cgroup.procs"), sleeper.id().to_string());
        }
        let cleared = clearing.join().expect("no panic");
        for sleeper in &mut late {
            sleeper.kill().and_then(|()| sleeper.wait())?;
        }
        cleared?;
        shell.reap()?;
        assert!(!place.shown("box").exists());
    }
    Ok(())
}

#[test]
fn remove_takes_down_what_the_container_made_inside() -> Checked {
    let Some(place) = Place::new("remove")? else { return Ok(()) };
    place.create("box/a/b/c")?;
    place.create("box/a/d")?;
    place.create("beside")?;
    place.hierarchy.remove(&place.below("box"), later())?;
    assert!(!place.shown("box").exists());
    assert!(place.shown("beside").is_dir());
    place.hierarchy.remove(&place.below("box"), later())?;
    place.hierarchy.remove(&place.below("absent/deeper"), later())?;
    Ok(())
}

#[test]
fn remove_masters_a_nesting_deeper_than_one_walk() -> Checked {
    let Some(place) = Place::new("deep")? else { return Ok(()) };
    let deep = vec!["n"; 300].join("/");
    place.create(&format!("box/{deep}"))?;
    place.create("box/n/n/side/branch")?;
    place.hierarchy.remove(&place.below("box"), later())?;
    assert!(!place.shown("box").exists());
    Ok(())
}

#[test]
fn remove_never_moves_a_process() -> Checked {
    let Some(place) = Place::new("occupied")? else { return Ok(()) };
    place.create("box/empty")?;
    let cgroup = place.create("box/full")?;
    let shell = waiting(&cgroup, "true")?;
    let soon = Instant::now() + Duration::from_millis(50);
    let error = place.hierarchy.remove(&place.below("box"), soon).expect_err("a process lives there");
    assert!(matches!(error, CgroupError::Deadline { .. }), "{error}");
    assert!(!place.shown("box/empty").exists(), "what can go is gone");
    let line = fs::read_to_string(format!("/proc/{}/cgroup", shell.pid()))?;
    assert!(line.lines().any(|line| line == format!("0::{}", place.below("box/full"))), "{line}");
    shell.release()?;
    place.hierarchy.remove(&place.below("box"), later())?;
    assert!(!place.shown("box").exists());
    Ok(())
}

#[test]
fn remove_waits_for_the_last_process() -> Checked {
    let Some(place) = Place::new("dying")? else { return Ok(()) };
    let cgroup = place.create("box")?;
    let mut shell = waiting(&cgroup, "sleep 0.2")?;
    shell.0.stdin.take().ok_or("no pipe")?.write_all(b"go\n")?;
    place.hierarchy.remove(&place.below("box"), later())?;
    assert!(!place.shown("box").exists());
    shell.reap()
}

#[test]
fn a_missing_file_is_handled_as_the_setting_says() -> Checked {
    let Some(place) = Place::new("apply")? else { return Ok(()) };
    let cgroup = place.create("a")?;
    let at = Pointer::from("/linux/resources/unified");
    let setting = || Setting::new("absent.file", "1", "a file that no kernel has", at.clone());
    let error = cgroup.apply(&setting()).expect_err("required");
    assert_eq!(error.at(), Some(&at));
    assert!(error.to_string().contains("cannot write \"1\" to absent.file"), "{error}");
    assert_eq!(cgroup.apply(&setting().if_present())?, Applied::NotNeeded);
    let elsewhere = cgroup.apply(&setting().or_else("cgroup.max.depth", 7))?;
    assert_eq!(elsewhere, Applied::WrittenElsewhere { file: "cgroup.max.depth".to_owned() });
    assert_eq!(cgroup.read_file("cgroup.max.depth")?.as_deref(), Some("7\n"));
    let refused = Setting::new("cgroup.max.depth", "many", "not a number", at.clone());
    assert_eq!(cgroup.apply(&refused).expect_err("EINVAL").at(), Some(&at));
    assert_eq!(cgroup.apply(&Setting::new("cgroup.max.depth", "max", "no limit", at))?, Applied::Written);
    Ok(())
}

#[test]
fn files_outside_of_the_cgroup_cannot_be_named() -> Checked {
    let Some(place) = Place::new("outside")? else { return Ok(()) };
    let cgroup = place.create("a")?;
    place.create("b")?;
    for name in ["../b/cgroup.max.depth", "/etc/hostname", "", ".", ".."] {
        assert!(cgroup.write_file(name, "1").is_err(), "{name:?}");
        assert!(cgroup.read_file(name).is_err(), "{name:?}");
    }
    Ok(())
}

#[test]
fn only_the_delegated_files_change_their_owner() -> Checked {
    let Some(place) = Place::new("delegate")? else { return Ok(()) };
    let cgroup = place.create("a")?;
    cgroup.delegate(1234, &delegated_files())?;
    cgroup.delegate(1234, &["cgroup.procs".to_owned(), "absent".to_owned()])?;
    let owner = |file: &str| fs::metadata(place.shown("a").join(file)).map(|about| about.uid());
    for file in [".", "cgroup.procs", "cgroup.subtree_control", "cgroup.threads"] {
        assert_eq!(owner(file)?, 1234, "{file}");
    }
    for file in ["cgroup.freeze", "cgroup.kill", "cgroup.max.depth", ".."] {
        assert_eq!(owner(file)?, 0, "{file}");
    }
    Ok(())
}
