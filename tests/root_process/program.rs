//! Which program, with which arguments and variables, in which directory; and the words when there is none.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use serde_json::{Value, json};

use crate::world::runtime::Runtime;
use crate::world::{World, config};

/// Makes an executable script.
fn script(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().expect("a directory")).expect("directories");
    fs::write(path, text).expect("a file");
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).expect("mode");
}

#[test]
fn arguments_and_variables_arrive_exactly() {
    let Some(world) = World::new("arguments_and_variables_arrive_exactly") else { return };
    let arguments = ["/bin/probe", "report", "args", "env", "cwd"];
    let variables = json!([config::PATH, "HOME=/x", "EMPTY=", "A=b=c", "LONG=\u{fc}\u{2764} \t", "lower=1"]);
    let said = world.says(&arguments, |value| value["process"]["env"] = variables.clone());
    let report: Value = serde_json::from_str(&said).expect("JSON");
    assert_eq!((&report["args"], &report["env"]), (&json!(arguments), &variables));
    assert_eq!(report["cwd"], "/");
    let said = world.says(
        &["/bin/sh", "-c", "for a; do echo \"<$a>\"; done", "sh", "", "two words", "-x", "\"q'\n"],
        |_| {},
    );
    assert_eq!(said, "<>\n<two words>\n<-x>\n<\"q'\n>\n");
}

#[test]
fn nothing_of_the_callers_environment_comes_in() {
    let Some(world) = World::new("nothing_of_the_callers_environment_comes_in") else { return };
    let container = world.container("a", |value| {
        value["process"]["env"] = json!([config::PATH]);
        config::runs(value, &["/bin/probe", "env"]);
    });
    let output = container.running(&[]).variable("SECRET", "of the engine").run().ok();
    assert_eq!(output.json(), json!([config::PATH, "HOME=/root"]));
}

#[test]
fn the_last_of_two_values_counts() {
    let Some(world) = World::new("the_last_of_two_values_counts") else { return };
    let variables = json!([config::PATH, "HOME=/first", "A=1", "HOME=/last", "A=2"]);
    let report = world.report(&["env"], |value| value["process"]["env"] = variables);
    assert_eq!(report["env"], json!([config::PATH, "HOME=/last", "A=2"]));
}

#[test]
fn home_comes_from_the_users_of_the_image() {
    let Some(world) = World::new("home_comes_from_the_users_of_the_image") else { return };
    let home = |uid: u32| {
        let report = world.report(&["env"], |value| {
            value["process"]["env"] = json!([config::PATH]);
            value["process"]["user"]["uid"] = json!(uid);
        });
        report["env"][1].as_str().expect("a second variable").to_owned()
    };
    assert_eq!([0, 1000, 4242].map(home), ["HOME=/root", "HOME=/home/user", "HOME=/"]);
}

/// The image may have anything in its list of users.
#[test]
fn a_home_that_is_none_is_passed_over() {
    let Some(world) = World::new("a_home_that_is_none_is_passed_over") else { return };
    let rootfs = world.own_rootfs();
    for (users, home) in [
        ("root:x:0:0:root:/ro\0ot:/bin/sh\n", "HOME=/"),
        ("root:x:0:0:root:root:/bin/sh\n", "HOME=/"),
        ("root:x:0\nroot:x:0:0:root:/second:/bin/sh\n", "HOME=/second"),
    ] {
        fs::write(rootfs.join("etc/passwd"), users).expect("a list of users");
        let report = world.report(&["env"], |value| {
            value["root"]["path"] = json!(rootfs);
            value["process"]["env"] = json!([config::PATH]);
        });
        assert_eq!(report["env"][1], home, "{users:?}");
    }
}

#[test]
fn a_name_without_a_slash_is_looked_for_in_path() {
    let Some(world) = World::new("a_name_without_a_slash_is_looked_for_in_path") else { return };
    let rootfs = world.own_rootfs();
    script(&rootfs.join("first/tool"), "#!/bin/sh\necho first\n");
    script(&rootfs.join("second/tool"), "#!/bin/sh\necho second\n");
    script(&rootfs.join("usr/local/bin/tool"), "#!/bin/sh\necho default\n");
    fs::create_dir(rootfs.join("empty")).expect("a directory");
    fs::create_dir_all(rootfs.join("directory/tool")).expect("directories");
    fs::create_dir_all(rootfs.join("locked")).expect("directories");
    fs::write(rootfs.join("locked/tool"), "#!/bin/sh\necho locked\n").expect("a file");
    let cases = [
        (json!(["PATH=/first:/second"]), "first"),
        (json!(["PATH=/empty:/no/such:/second:/first"]), "second"),
        (json!(["PATH=/directory:/first"]), "first"),
        (json!(["PATH=/locked:/second"]), "second"),
        (json!(["PATH=:/first"]), "second"),
        (json!([]), "default"),
    ];
    for (variables, expected) in cases {
        let said = world.says(&["tool"], |value| {
            value["root"]["path"] = json!(rootfs);
            value["process"]["env"] = variables.clone();
            // An empty entry of PATH is the working directory.
            value["process"]["cwd"] = json!("/second");
        });
        assert_eq!(said.trim(), expected, "{variables}");
    }
    let said = world.says(&["./tool"], |value| {
        value["root"]["path"] = json!(rootfs);
        value["process"]["cwd"] = json!("/first");
    });
    assert_eq!(said, "first\n");
}

#[test]
fn a_program_that_cannot_run_fails_create_in_known_words() {
    let Some(world) = World::new("a_program_that_cannot_run_fails_create_in_known_words") else { return };
    let cases = [
        ("no-such-tool", r#"exec: "no-such-tool": executable file not found in $PATH"#),
        ("/no/such", r#"exec: "/no/such": stat /no/such: no such file or directory"#),
        ("/etc/passwd/x", r#"exec: "/etc/passwd/x": stat /etc/passwd/x: not a directory"#),
        ("/bin", r#"exec: "/bin": is a directory: permission denied"#),
        ("/etc/passwd", r#"exec: "/etc/passwd": permission denied"#),
    ];
    for (program, sentence) in cases {
        let container = world.container("a", |value| config::runs(value, &[program, "x"]));
        container.create().fails_at(sentence, "/process/args/0");
        container.run(&[]).fails_at(sentence, "/process/args/0");
        container.state().fails("container does not exist: a");
    }
    let container = world.container("a", |value| config::runs(value, &["no-such-tool"]));
    container
        .run(&[])
        .helps("check process.args[0] and the PATH in process.env against the files of the root filesystem");
}

#[test]
fn a_missing_interpreter_is_told_by_start() {
    let Some(world) = World::new("a_missing_interpreter_is_told_by_start") else { return };
    let rootfs = world.own_rootfs();
    script(&rootfs.join("bin/orphan"), "#!/no/such/interpreter\n");
    let container = world.container("a", |value| {
        value["root"]["path"] = json!(rootfs);
        config::runs(value, &["/bin/orphan"]);
    });
    let (sentence, pointer) = ("exec /bin/orphan: no such file or directory", "/process/args");
    container.run(&[]).fails_at(sentence, pointer);
    container.create().ok();
    let output = container.start().fails_at(sentence, pointer);
    output.helps("the program's interpreter (#! line or dynamic loader) is not in the image");
    container.delete(&["--force"]).ok();
}

#[test]
fn a_missing_working_directory_is_made() {
    let Some(world) = World::new("a_missing_working_directory_is_made") else { return };
    let rootfs = world.own_rootfs();
    let said = world.says(&["sh", "-c", "pwd; stat -c %a:%u ."], |value| {
        value["root"] = json!({ "path": rootfs, "readonly": true });
        value["process"]["cwd"] = json!("/made/for/this");
        value["process"]["user"] = json!({ "uid": 1000, "gid": 1000 });
    });
    assert_eq!(said, "/made/for/this\n755:0\n");
    assert!(rootfs.join("made/for/this").is_dir());
}

#[test]
fn a_working_directory_must_be_one() {
    let Some(world) = World::new("a_working_directory_must_be_one") else { return };
    let container = world.container("a", |value| value["process"]["cwd"] = json!("/etc/passwd"));
    let sentence =
        "cannot enter the working directory /etc/passwd: chdir(2) answered: not a directory (ENOTDIR)";
    container
        .create()
        .fails_at(sentence, "/process/cwd")
        .helps("process.cwd names something that is not a directory");
}

/// CVE-2024-21626: a descriptor of the host as working directory leads out of the container.
#[test]
fn no_descriptor_of_the_host_is_a_working_directory() {
    let Some(world) = World::new("no_descriptor_of_the_host_is_a_working_directory") else { return };
    let open: String = (3..10).map(|number| format!(" {number}</etc")).collect();
    let caller = ["sh".to_owned(), "-c".to_owned(), format!("exec \"$@\"{open}"), "sh".to_owned()];
    let caller: Vec<&str> = caller.iter().map(String::as_str).collect();
    for number in 3..=12 {
        for cwd in [
            format!("/proc/self/fd/{number}"),
            format!("/proc/self/fd/{number}/../.."),
            format!("/proc/1/fd/{number}"),
        ] {
            let container = world.container("a", |value| {
                value["process"]["cwd"] = json!(cwd);
                config::runs(value, &["sh", "-c", "pwd; ls"]);
            });
            let bundle = container.bundle.to_str().expect("UTF-8");
            let output = Runtime::within(&world, &caller).words(&["run", "--bundle", bundle, "a"]).run();
            assert_eq!((output.status, output.stdout.as_str()), (1, ""), "{cwd}: {}", output.stderr);
            assert!(output.sentence().ends_with("(/process/cwd)"), "{cwd}: {}", output.stderr);
        }
    }
}

#[test]
fn a_working_directory_that_only_the_user_may_enter() {
    let Some(world) = World::new("a_working_directory_that_only_the_user_may_enter") else { return };
    let rootfs = world.own_rootfs();
    let home = rootfs.join("home/user");
    std::os::unix::fs::chown(&home, Some(1000), Some(1000)).expect("an owner");
    fs::set_permissions(&home, fs::Permissions::from_mode(0o700)).expect("mode");
    let said = world.says(&["pwd"], |value| {
        value["root"]["path"] = json!(rootfs);
        value["process"]["cwd"] = json!("/home/user");
        value["process"]["user"] = json!({ "uid": 1000, "gid": 1000 });
    });
    assert_eq!(said, "/home/user\n");
}
