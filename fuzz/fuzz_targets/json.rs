//! Changes a JSON text by a value, a name or a place, as people and programs do.

use serde_json::{Value, json};

/// Numbers from a seed (xorshift).
struct Dice(u64);

impl Dice {
    fn below(&mut self, count: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % count.max(1) as u64) as usize
    }
}

/// The text with one to four changes; `None` when it is no JSON.
pub fn changed(text: &[u8], seed: u32) -> Option<Vec<u8>> {
    let mut value: Value = serde_json::from_slice(text).ok()?;
    let mut dice = Dice(u64::from(seed) << 16 | 0x9e37);
    for _ in 0..1 + dice.below(4) {
        let all = pointers(&value);
        let at = all[dice.below(all.len())].clone();
        let other = value.pointer(&all[dice.below(all.len())])?.clone();
        let place = value.pointer_mut(&at)?;
        match dice.below(6) {
            0 => *place = other,
            1 => remove(place, &mut dice),
            2 => rename(place, &mut dice),
            3 => repeat(place, &mut dice),
            _ => *place = another(place, &mut dice),
        }
    }
    serde_json::to_vec(&value).ok()
}

fn pointers(root: &Value) -> Vec<String> {
    let mut all = vec![(String::new(), root)];
    let mut next = 0;
    while let Some((at, value)) = all.get(next).cloned() {
        match value {
            Value::Array(list) => all.extend(list.iter().enumerate().map(|(i, v)| (format!("{at}/{i}"), v))),
            Value::Object(map) => {
                let name = |name: &str| name.replace('~', "~0").replace('/', "~1");
                all.extend(map.iter().map(|(key, value)| (format!("{at}/{}", name(key)), value)));
            }
            _ => {}
        }
        next += 1;
    }
    all.into_iter().map(|(at, _)| at).collect()
}

fn key(map: &serde_json::Map<String, Value>, dice: &mut Dice) -> Option<String> {
    map.keys().nth(dice.below(map.len())).cloned()
}

fn remove(place: &mut Value, dice: &mut Dice) {
    match place {
        Value::Array(list) if !list.is_empty() => drop(list.remove(dice.below(list.len()))),
        Value::Object(map) => drop(key(map, dice).and_then(|key| map.remove(&key))),
        other => *other = Value::Null,
    }
}

/// Names that the specification has somewhere.
const NAMES: [&str; 40] = [
    "path",
    "type",
    "args",
    "env",
    "cwd",
    "user",
    "uid",
    "gid",
    "umask",
    "terminal",
    "options",
    "source",
    "destination",
    "readonly",
    "sysctl",
    "seccomp",
    "devices",
    "resources",
    "memory",
    "cpu",
    "pids",
    "unified",
    "rdma",
    "blockIO",
    "hugepageLimits",
    "uidMappings",
    "gidMappings",
    "timeOffsets",
    "maskedPaths",
    "readonlyPaths",
    "netDevices",
    "intelRdt",
    "memoryPolicy",
    "scheduler",
    "ioPriority",
    "personality",
    "cgroupsPath",
    "rootfsPropagation",
    "mountLabel",
    "execCPUAffinity",
];

fn rename(place: &mut Value, dice: &mut Dice) {
    let Value::Object(map) = place else { return };
    let Some(value) = key(map, dice).and_then(|key| map.remove(&key)) else { return };
    map.insert(NAMES[dice.below(NAMES.len())].to_owned(), value);
}

fn repeat(place: &mut Value, dice: &mut Dice) {
    match place {
        Value::Array(list) if !list.is_empty() => {
            let element = list[dice.below(list.len())].clone();
            list.insert(dice.below(list.len() + 1), element);
        }
        Value::Object(map) => {
            let value = key(map, dice).and_then(|key| map.get(&key).cloned()).unwrap_or(json!({}));
            map.insert(NAMES[dice.below(NAMES.len())].to_owned(), value);
        }
        other => *other = json!([other.clone()]),
    }
}

fn another(place: &Value, dice: &mut Dice) -> Value {
    const NUMBERS: [i64; 12] = [0, 1, -1, 2, 7, 255, 4096, 65535, 1 << 31, (1 << 32) - 1, i64::MAX, i64::MIN];
    const TEXTS: [&str; 24] = [
        "",
        "/",
        ".",
        "..",
        "/proc",
        "/proc/sys",
        "/dev",
        "/dev/pts",
        "/sys",
        "/sys/fs/cgroup",
        "/usr",
        "/a/../b",
        "a\u{0}b",
        "*",
        "0-3",
        "tmpfs",
        "proc",
        "bind",
        "cgroup",
        "rbind",
        "ro",
        "remount",
        "%d",
        "é\u{1f980}",
    ];
    match (place, dice.below(4)) {
        (Value::Number(_), 0..3) => json!(NUMBERS[dice.below(NUMBERS.len())]),
        (Value::String(_), 0..3) => json!(TEXTS[dice.below(TEXTS.len())]),
        (Value::Bool(is), 0..3) => json!(!is),
        _ => [json!(null), json!(true), json!([]), json!({}), json!(1.5), json!(u64::MAX)][dice.below(6)]
            .clone(),
    }
}
