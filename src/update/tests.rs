use serde_json::{Value, json};

use super::given::Given;
use super::{Action, Update, compile};
use crate::bundle::Source;
use crate::cgroup::systemd::{Manager, Unit};
use crate::error::Error;
use crate::state::ContainerId;

fn saved(resources: Value) -> Source {
    let text = json!({ "ociVersion": "1.3.0", "linux": { "resources": resources } }).to_string();
    Source::parse("/b".into(), "/b/config.json".into(), text.into_bytes()).expect("a configuration")
}

fn updated(resources: Value, text: &str) -> Result<Update, Error> {
    let given = Given::parse("given.json".into(), text.as_bytes().to_vec())?;
    compile(&given, &saved(resources), &ContainerId::new("web").expect("an id"), None, &[])
}

/// What is written to the cgroup.
fn written(resources: Value, text: &str) -> Vec<String> {
    let update = updated(resources, text).unwrap_or_else(|error| panic!("{error}"));
    let write = |action: &Action| match action {
        Action::WriteCgroup(setting) => Some(format!("{}={}", setting.file, setting.value)),
        _ => None,
    };
    update.changes.iter().filter_map(|change| write(&change.action)).collect()
}

/// The resources that are saved.
fn kept(resources: Value, text: &str) -> Value {
    let update = updated(resources, text).unwrap_or_else(|error| panic!("{error}"));
    let Some(Action::SaveConfig(text)) = update.changes.last().map(|change| change.action.clone()) else {
        panic!("nothing is saved")
    };
    let config: Value = serde_json::from_slice(&text).expect("JSON");
    config["linux"]["resources"].clone()
}

fn refused(resources: Value, text: &str) -> String {
    updated(resources, text).expect_err("an update that is refused").to_string()
}

#[test]
fn what_is_absent_is_not_written_and_stays_saved() {
    let before = json!({ "pids": { "limit": 10 }, "memory": { "limit": 4096, "reservation": 1024 } });
    let text = r#"{"pids": {"limit": 20}}"#;
    assert_eq!(written(before.clone(), text), ["pids.max=20"]);
    let after = json!({ "pids": { "limit": 20 }, "memory": { "limit": 4096, "reservation": 1024 } });
    assert_eq!(kept(before, text), after);
}

#[test]
fn zeros_and_nulls_and_empty_lists_ask_for_nothing() {
    let text = r#"{"memory": {"limit": 0, "swap": null}, "blockIO": {},
        "cpu": {"shares": 0, "quota": 0, "cpus": ""}}"#;
    assert!(updated(json!({}), text).expect("nothing wrong").changes.is_empty());
}

#[test]
fn device_rules_are_never_touched() {
    let before = json!({ "devices": [{ "allow": false, "access": "rwm" }] });
    let text = r#"{"devices": [{"allow": true, "access": "rwm"}], "pids": {"limit": 5}}"#;
    assert_eq!(written(before.clone(), text), ["pids.max=5"]);
    assert_eq!(kept(before.clone(), text)["devices"], before["devices"]);
}

#[test]
fn of_quota_and_period_the_other_one_is_kept() {
    let before = json!({ "cpu": { "quota": 50000, "period": 200000 } });
    assert_eq!(written(before.clone(), r#"{"cpu": {"quota": 20000}}"#), ["cpu.max=20000 200000"]);
    assert_eq!(written(before.clone(), r#"{"cpu": {"period": 100000}}"#), ["cpu.max=50000 100000"]);
    assert_eq!(written(before, r#"{"cpu": {"quota": -1}}"#), ["cpu.max=max 200000"]);
}

#[test]
fn a_burst_survives_a_new_quota_and_never_exceeds_it() {
    let before = json!({ "cpu": { "quota": 50000, "period": 100000, "burst": 10000 } });
    let writes = ["cpu.max.burst=0", "cpu.max=20000 100000", "cpu.max.burst=10000"];
    assert_eq!(written(before.clone(), r#"{"cpu": {"quota": 20000}}"#), writes);
    assert!(refused(before, r#"{"cpu": {"quota": 5000}}"#).contains("burst"));
}

#[test]
fn an_idle_cgroup_has_no_weight_and_gets_it_back() {
    let before = json!({ "cpu": { "shares": 512 } });
    assert_eq!(written(before.clone(), r#"{"cpu": {"idle": 1}}"#), ["cpu.idle=1"]);
    assert_eq!(written(before, r#"{"cpu": {"idle": 0}}"#), ["cpu.idle=0", "cpu.weight=59"]);
    assert_eq!(written(json!({ "cpu": { "idle": 1 } }), r#"{"cpu": {"shares": 512}}"#), ["cpu.idle=1"]);
}

#[test]
fn swap_is_the_rest_of_the_sum() {
    let before = json!({ "memory": { "limit": 1000, "swap": 3000 } });
    assert_eq!(written(before.clone(), r#"{"memory": {"swap": 5000}}"#), ["memory.swap.max=4000"]);
    let both = ["memory.swap.max=1000", "memory.max=2000"];
    assert_eq!(written(before, r#"{"memory": {"limit": 2000, "swap": 3000}}"#), both);
    assert!(refused(json!({}), r#"{"memory": {"swap": 5000}}"#).contains("without memory limit"));
}

#[test]
fn a_new_limit_leaves_the_amount_of_swap() {
    let before = json!({ "memory": { "limit": 1000, "swap": 3000 } });
    let text = r#"{"memory": {"limit": 4000}}"#;
    assert_eq!(written(before.clone(), text), ["memory.max=4000"]);
    assert_eq!(kept(before.clone(), text)["memory"], json!({ "limit": 4000, "swap": 6000 }));
    let text = r#"{"memory": {"limit": -1}}"#;
    assert_eq!(written(before.clone(), text), ["memory.swap.max=max", "memory.max=max"]);
    assert_eq!(kept(before, text)["memory"], json!({ "limit": -1, "swap": -1 }));
}

#[test]
fn the_use_is_compared_when_that_was_asked_for_at_create() {
    let before = json!({ "memory": { "limit": 9000, "checkBeforeUpdate": true } });
    let update = updated(before, r#"{"memory": {"limit": 4000}}"#).expect("nothing wrong");
    assert!(matches!(update.changes[0].action, Action::CheckMemoryUse(_)));
}

#[test]
fn devices_of_block_io_are_known_by_their_numbers() {
    let rate = |minor: u32, rate: u32| json!({ "major": 8, "minor": minor, "rate": rate });
    let before = json!({ "blockIO": { "throttleReadBpsDevice": [rate(0, 1), rate(16, 2)] } });
    let text = r#"{"blockIO": {"throttleReadBpsDevice": [
        {"major": 8, "minor": 16, "rate": 7}, {"major": 8, "minor": 32, "rate": 9}]}}"#;
    assert_eq!(written(before.clone(), text), ["io.max=8:16 rbps=7", "io.max=8:32 rbps=9"]);
    let after = json!([rate(0, 1), rate(16, 7), rate(32, 9)]);
    assert_eq!(kept(before, text)["blockIO"]["throttleReadBpsDevice"], after);
}

#[test]
fn all_that_is_wrong_is_told_with_its_place() {
    let said = refused(json!({}), "{\n  \"pids\": {\"limit\": \"many\"},\n  \"cpu\": {\"quota\": []}\n}");
    assert!(said.contains("given.json:2:21") && said.contains("(/pids/limit)"), "{said}");
    assert!(said.contains("given.json:3:20") && said.contains("(/cpu/quota)"), "{said}");
    let said = refused(json!({}), "{\"blockIO\": {\"weight\": 5}, \"cpu\": {\"quota\": 5}}");
    assert!(said.contains("(/blockIO/weight)") && said.contains("(/cpu/quota)"), "{said}");
    assert!(refused(json!({}), "[]").contains("must be a JSON object"));
    assert!(refused(json!({}), "{\"pids\": {}").contains("given.json:1"));
}

#[test]
fn only_a_container_with_a_class_gets_another_schema() {
    let given = Given::from_flags(json!({}), Some("L3:0=f".to_owned()), None);
    let id = ContainerId::new("web").expect("an id");
    let said = compile(&given, &saved(json!({})), &id, None, &[]).expect_err("no class").to_string();
    assert!(said.contains("no class of cache"), "{said}");
    let text = json!({ "ociVersion": "1.3.0", "linux": { "intelRdt": { "closID": "gold" } } }).to_string();
    let saved = Source::parse("/b".into(), "/b/config.json".into(), text.into_bytes()).expect("JSON");
    let update = compile(&given, &saved, &id, None, &[]).expect("a class");
    assert!(matches!(&update.changes[0].action, Action::WriteSchemata { line, .. } if line == "L3:0=f"));
    let Action::SaveConfig(text) = &update.changes[1].action else { panic!("nothing is saved") };
    let config: Value = serde_json::from_slice(text).expect("JSON");
    assert_eq!(config["linux"]["intelRdt"], json!({ "closID": "gold", "l3CacheSchema": "L3:0=f" }));
}

#[test]
fn a_configuration_without_linux_gets_what_it_needs() {
    let text = b"{ \"ociVersion\": \"1.3.0\" , \"annotations\": {} }".to_vec();
    let saved = Source::parse("/b".into(), "/b/config.json".into(), text).expect("JSON");
    let given = Given::parse("x".into(), b"{\"pids\": {\"limit\": 3}}".to_vec()).expect("JSON");
    let update = compile(&given, &saved, &ContainerId::new("web").expect("an id"), None, &[]).expect("fine");
    let Some(Action::SaveConfig(text)) = update.changes.last().map(|change| &change.action) else { panic!() };
    let config: Value = serde_json::from_slice(text).expect("JSON");
    assert_eq!(config["linux"]["resources"]["pids"]["limit"], 3);
    assert_eq!(config["annotations"], json!({}));
}

/// systemd hears of what it writes itself, after the check and before the files.
#[test]
fn systemd_is_told_of_what_it_knows() {
    let unit = Unit::resolve("", "web", Manager::System).expect("a unit");
    let given = r#"{"memory": {"limit": 5000000, "checkBeforeUpdate": true}, "cpu": {"quota": 12345},
                    "hugepageLimits": [{"pageSize": "2MB", "limit": 2097152}]}"#;
    let given = Given::parse("given.json".into(), given.as_bytes().to_vec()).expect("limits");
    let id = ContainerId::new("web").expect("an id");
    let update = compile(&given, &saved(json!({})), &id, Some(&unit), &[]).expect("an update");
    let words: Vec<String> = update.changes.iter().map(|change| change.action.words()).collect();
    let expected = [
        "compare the memory limits with the use",
        "enable the cgroup controllers cpu, hugetlb, memory",
        "tell systemd of crate-run-web.scope: CPUQuotaPerSecUSec=130000, CPUQuotaPeriodUSec=100000, \
         MemoryMax=5000000",
        "write 5000000 to memory.max",
        "write 13000 100000 to cpu.max",
    ];
    assert_eq!(words[..5], expected);
    let given = Given::parse("given.json".into(), br#"{"unified": {"io.max": "8:0 rbps=1"}}"#.to_vec());
    let update =
        compile(&given.expect("limits"), &saved(json!({})), &id, Some(&unit), &[]).expect("an update");
    let tells = |change: &crate::update::Change| matches!(change.action, Action::TellSystemd { .. });
    assert!(!update.changes.iter().any(tells), "of nothing that it knows");
}
