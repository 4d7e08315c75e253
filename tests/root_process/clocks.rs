//! The clocks of a time namespace, also where the process is somebody else outside.

use serde_json::{Value, json};

use crate::world::{World, config};

/// A day: far more than a test takes.
const DAY: i64 = 86_400;

/// What both clocks of a host show that was never suspended, in seconds.
fn uptime() -> i64 {
    let text = std::fs::read_to_string("/proc/uptime").expect("uptime");
    text.split('.').next().expect("seconds").parse().expect("a number")
}

/// The monotonic and the boot clock inside, in whole days ahead of the host's.
fn days_ahead(world: &World, offsets: &Value, user: bool) -> (i64, i64) {
    let report = world.report(&["clocks"], |value| {
        config::namespace(value, "time", None);
        value["linux"]["timeOffsets"] = offsets.clone();
        if user {
            config::userns(value);
        }
    });
    let ahead = |name: &str| {
        let inside = report["clocks"][name].as_f64().expect("seconds") as i64;
        (inside - uptime() + DAY / 2).div_euclid(DAY)
    };
    (ahead("monotonic"), ahead("boottime"))
}

#[test]
fn clocks_are_moved_in_a_new_user_namespace_too() {
    let Some(world) = World::new("clocks_are_moved_in_a_new_user_namespace_too") else { return };
    let both = json!({ "monotonic": { "secs": 10 * DAY }, "boottime": { "secs": 20 * DAY, "nanosecs": 5 } });
    for user in [false, true] {
        assert_eq!(days_ahead(&world, &both, user), (10, 20), "user namespace: {user}");
        assert_eq!(days_ahead(&world, &json!({ "boottime": { "secs": DAY } }), user), (0, 1));
        assert_eq!(days_ahead(&world, &json!({}), user), (0, 0));
        assert_eq!(days_ahead(&world, &Value::Null, user), (0, 0));
    }
}

/// The largest offset that passes the check is one that the kernel takes, and the next one is refused.
#[test]
fn the_largest_offset_is_known() {
    let Some(world) = World::new("the_largest_offset_is_known") else { return };
    let run = |seconds: i64| {
        let container = world.container("a", |value| {
            config::namespace(value, "time", None);
            value["linux"]["timeOffsets"] = json!({ "monotonic": { "secs": seconds } });
        });
        container.run(&[])
    };
    // The kernel adds the time that the clock shows already: a day is enough for this host's uptime.
    let uptime = uptime();
    run(4_611_686_018 - uptime - DAY).ok();
    run(4_611_686_019).finds(
        "an offset of 4611686019 s is more than the 146 years that the kernel takes",
        "/linux/timeOffsets/monotonic/secs",
    );
    let sentence = format!(
        "cannot write the clock offsets (monotonic -{} 0): numerical result out of range (ERANGE)",
        uptime + DAY
    );
    run(-uptime - DAY)
        .fails_at(&sentence, "/linux/timeOffsets")
        .helps("no clock of a container may be negative: an offset of -N seconds takes N seconds of uptime");
}

#[test]
fn offsets_belong_to_a_new_namespace() {
    let Some(world) = World::new("offsets_belong_to_a_new_namespace") else { return };
    let at = "/linux/timeOffsets";
    let offsets = |value: &mut Value| value["linux"]["timeOffsets"] = json!({ "monotonic": { "secs": 1 } });
    let container = world.container("a", offsets);
    container.run(&[]).finds("time offsets need a new time namespace", at);
    let holder = world.container("holder", |value| {
        config::sleeps(value);
        config::namespace(value, "time", None);
    });
    holder.run(&["--detach"]).ok();
    let path = format!("/proc/{}/ns/time", holder.pid());
    let container = world.container("a", |value| {
        offsets(value);
        config::namespace(value, "time", Some(&path));
    });
    container.run(&[]).finds("the offsets of a time namespace that is joined cannot be changed", at);
    holder.finish();
}
