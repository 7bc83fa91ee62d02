//! What is written where nobody can read it, or where nobody reads on; and how paths and last words look to programs.

use super::{Ended, ended, folder, lifecycle::Node, run, shardwire};
use std::{
    fs::{File, OpenOptions},
    process::{Command, Stdio},
};

/// A file that is always full.
fn full() -> Option<File> {
    OpenOptions::new().write(true).open("/dev/full").ok()
}

#[test]
fn output_that_cannot_be_written_is_exit_1_and_what_was_done_is_on_standard_error() {
    let Some(_) = full() else { return };
    let place = tempfile::tempdir().unwrap();
    let root = folder(place.path(), &["--role", "operator"]);
    let new = place.path().join("new").display().to_string();
    let file = place.path().join("session.jsonl");
    std::fs::write(&file, "{\"from\":\"initiator\",\"bytes\":\"0b096b656570616c6976650100028101\"}\n").unwrap();
    let file = file.display().to_string();
    for arguments in [
        &["protocol", "list"][..],
        &["protocol", "list", "--json"],
        &["version", "--json"],
        &["--help"],
        &["--version"],
        &["data", "check", "--data", &root],
        &["data", "export", "--data", &root, "--out", "-"],
        &["wire", "decode", "--protocol", "keepalive", "--from", &file],
        &["init", "--data", &new, "--json"],
        &["status", "--data", &root, "--json"],
        &["run", "--data", &root, "--log", "off"],
    ] {
        let ended = ended(shardwire(arguments).stdout(full().unwrap()).stdin(Stdio::null()).output().unwrap());
        assert_eq!(ended.code, 1, "{arguments:?}: {}", ended.err);
        assert!(
            ended.err.starts_with("error[SW-STDOUT-001]: standard output can't be written: No space left on device"),
            "{arguments:?}: {}",
            ended.err
        );
        assert!(ended.err.contains("\n  next: Make room where the output goes."), "{arguments:?}: {}", ended.err);
        if arguments.contains(&"init") {
            assert!(ended.err.contains("\"peer\":\""), "what was made is told all the same: {}", ended.err);
        }
    }
    // Misuse stays misuse.
    let ended = ended(shardwire(&["stauts", "--json"]).stdout(full().unwrap()).output().unwrap());
    assert!(ended.code == 2 && ended.err.contains("error[SW-CLI-001]"), "{}", ended.err);
}

/// Rust opens `/dev/null` where a program is started without standard output, and all that it says would be lost without a word.
#[test]
#[cfg(target_os = "linux")]
fn output_that_was_closed_is_exit_1_and_output_that_is_thrown_away_is_none() {
    let place = tempfile::tempdir().unwrap();
    let root = folder(place.path(), &["--role", "operator"]);
    for arguments in [
        &["version", "--json"][..],
        &["--help"],
        &["protocol", "list"],
        &["data", "check", "--data", &root],
        &["data", "export", "--data", &root, "--out", "-"],
        &["run", "--data", &root, "--log", "off"],
    ] {
        let to = |output: &str| {
            let mut shell = Command::new("sh");
            shell.args(["-c", &format!("exec \"$0\" \"$@\" {output}"), env!("CARGO_BIN_EXE_shardwire")]);
            ended(shell.args(arguments).stdin(Stdio::null()).output().unwrap())
        };
        let closed = to(">&-");
        assert_eq!(closed.code, 1, "{arguments:?}: {}", closed.err);
        let expected = "error[SW-STDOUT-001]: standard output can't be written: it was closed when the program was started\n  next: Leave \
            standard output open, or send it to /dev/null if nobody needs it. ";
        assert!(closed.err.starts_with(expected), "{arguments:?}: {}", closed.err);
        if arguments[0] != "run" {
            for nowhere in [">/dev/null", "1<>/dev/null"] {
                let thrown_away = to(nowhere);
                assert_eq!((thrown_away.code, thrown_away.err.as_str()), (0, ""), "{arguments:?} {nowhere}");
            }
        }
    }
}

/// A limit on the size of files stands for a disk that is full: what is written then fails.
#[test]
#[cfg(unix)]
fn what_cannot_be_written_whole_leaves_nothing() {
    let limited = |blocks: u32, arguments: &[&str]| {
        let command = format!("trap '' XFSZ; ulimit -f {blocks}; exec \"$0\" \"$@\"");
        ended(
            Command::new("sh")
                .args(["-c", &command, env!("CARGO_BIN_EXE_shardwire")])
                .args(arguments)
                .output()
                .unwrap(),
        )
    };
    let place = tempfile::tempdir().unwrap();
    let root = folder(place.path(), &["--role", "operator"]);
    let names = || {
        let mut names: Vec<_> = std::fs::read_dir(place.path()).unwrap().map(|it| it.unwrap().file_name()).collect();
        names.sort();
        names
    };
    let before = names();
    let out = place.path().join("out.jsonl").display().to_string();
    let export = limited(0, &["data", "export", "--data", &root, "--out", &out]);
    assert!(
        export.code == 1
            && export.err.starts_with(&format!("error[SW-CLI-010]: {out} can't be written: File too large")),
        "{}",
        export.err
    );
    assert_eq!(names(), before);
    // A settler's World is larger than its key.
    let genesis = place.path().join("genesis.json").display().to_string();
    let new = place.path().join("new").display().to_string();
    let init = ["init", "--data", &new, "--role", "settler", "--world", &genesis];
    let made = limited(2, &init);
    assert!(made.code == 1 && made.err.starts_with("error[SW-"), "{}", made.err);
    assert_eq!(names(), before);
    // A folder that was there stays, empty.
    std::fs::create_dir(place.path().join("new")).unwrap();
    assert_eq!(limited(2, &init).code, 1);
    assert_eq!(std::fs::read_dir(place.path().join("new")).unwrap().count(), 0);
    assert_eq!(run(&init).code, 0);
}

#[test]
fn a_shard_that_was_started_is_named_also_if_standard_output_is_full() {
    let Some(out) = full() else { return };
    let place = tempfile::tempdir().unwrap();
    let world = place.path().join("world.json");
    std::fs::write(&world, r#"{"storage":[{"contract":"0x1","key":"0x4","kind":"counter","value":1}]}"#).unwrap();
    let root = folder(place.path(), &["--role", "settler", "--world", &world.display().to_string()]);
    let request = place.path().join("request.json");
    let text = format!(
        r#"{{"salt":1,"operator":"{}","contracts":["0x1"],"accounts":["0x2"],"end_event":{{"from":"0x1","selector":"0x17116b3fdba9e18aaec97e9b506d9c8ffdc20857f6d213e79c5a13289dc6fc8"}},
        "entries":[{{"kind":"counter","contract":"0x1","key":"0x4"}}]}}"#,
        "11".repeat(32)
    );
    std::fs::write(&request, text).unwrap();
    let mut node = Node::start(&root);
    let request = request.display().to_string();
    let started = ended(
        shardwire(&["shard", "start", "--json", "--data", &root, "--request", &request, "--unknown-operator"])
            .stdout(out)
            .output()
            .unwrap(),
    );
    assert_eq!(started.code, 1, "{}", started.err);
    let object: serde_json::Value = serde_json::from_str(started.err.lines().last().unwrap()).unwrap();
    let shard = object["shard"].as_str().unwrap();
    // By its beginning, as logs name it.
    let status = run(&["shard", "status", "--data", &root, &shard[..10], "--json"]);
    assert!(status.code == 0 && status.out.contains(shard), "{}{}", status.out, status.err);
    let aborted = run(&["shard", "abort", "--data", &root, &shard[..12]]);
    assert_eq!(
        (aborted.code, aborted.out),
        (0, format!("aborted shard {shard}: its escrow and locks have returned\n"))
    );
    let own = node.json()["peer"].as_str().unwrap().to_owned();
    let unknown = run(&["peer", "show", "--data", &root, "beef"]);
    assert!(
        unknown.code == 1
            && unknown.err.starts_with("error[SW-CLI-011]: this node knows no peer whose id begins with beef"),
        "{}",
        unknown.err
    );
    let banned = run(&["peer", "ban", "--data", &root, &own[..10]]);
    assert!(banned.code == 1 && !banned.err.contains("SW-CLI"), "the node is asked about itself: {}", banned.err);
    assert_eq!(node.stop().code(), Some(0));
    let history = run(&["shard", "history", "--data", &root, &shard[..10], "--json"]);
    assert!(history.code == 0 && history.out.contains(shard), "{}{}", history.out, history.err);
}

#[test]
fn a_reader_that_has_gone_is_no_error() {
    let place = tempfile::tempdir().unwrap();
    let root = folder(place.path(), &["--role", "operator"]);
    for arguments in [&["protocol", "list"][..], &["--help"], &["data", "export", "--data", &root, "--out", "-"]] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let ended = ended(shardwire(arguments).stdout(writer).output().unwrap());
        assert_eq!((ended.code, ended.err.as_str()), (0, ""), "{arguments:?}");
    }
}

#[test]
#[cfg(unix)]
fn a_path_that_is_no_text_is_its_bytes_in_json() {
    use std::{ffi::OsStr, os::unix::ffi::OsStrExt as _};
    let place = tempfile::tempdir().unwrap();
    let name = [place.path().as_os_str().as_bytes(), b"/n\xffde"].concat();
    let made = ended(shardwire(&["init", "--json", "--data"]).arg(OsStr::from_bytes(&name)).output().unwrap());
    assert_eq!((made.code, made.err.as_str()), (0, ""), "{}", made.out);
    let object: serde_json::Value = serde_json::from_str(&made.out).unwrap();
    assert_eq!(object["data"], serde_json::json!({ "hex": hex::encode(&name) }));
}

#[test]
fn a_log_in_json_ends_in_json() {
    let place = tempfile::tempdir().unwrap();
    let root = folder(place.path(), &["--role", "operator"]);
    let taken = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let missing = place.path().join("none").display().to_string();
    for (arguments, code) in [
        (&["run", "--data", &root, "--listen", &address, "--log-format", "json"][..], "SW-TRANSPORT-010"),
        (&["run", "--data", &missing, "--log-format", "json"], "SW-DATA-002"),
        (&["run", "--data", &root, "--listen", "x", "--log-format=json"], "SW-CONFIG-004"),
    ] {
        let ended = run(arguments);
        let lines: Vec<serde_json::Value> =
            ended.err.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("{line}"))).collect();
        let last = lines.last().unwrap();
        assert_eq!((&last["code"], &last["level"]), (&code.into(), &"ERROR".into()), "{}", ended.err);
        assert!(last["message"].is_string() && last["next_step"].is_string() && last["timestamp"].is_string());
    }
    let variable = ended(shardwire(&["run", "--data", &missing]).env("SHARDWIRE_LOG_FORMAT", "json").output().unwrap());
    assert!(variable.err.starts_with('{'), "{}", variable.err);
}

/// What belongs to somebody else, told by somebody who may read it, and by somebody who may not.
#[test]
#[cfg(unix)]
fn another_users_folder_is_read_if_it_may_be_and_never_called_none() {
    use std::{
        fs,
        os::unix::{fs::PermissionsExt as _, process::CommandExt as _},
        path::Path,
    };
    const NOBODY: u32 = 65_534;
    let open = |path: &Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    let place = tempfile::tempdir().unwrap();
    let root = folder(place.path(), &["--role", "operator"]);
    // It runs once, so that there is something to look at.
    assert_eq!(Node::start(&root).stop().code(), Some(0));
    open(place.path(), 0o755);
    let program = place.path().join("shardwire");
    let built = Path::new(env!("CARGO_BIN_EXE_shardwire"));
    fs::hard_link(built, &program).or_else(|_| fs::copy(built, &program).map(drop)).unwrap();
    let other = |arguments: &[&str]| {
        let output =
            Command::new(&program).args(arguments).arg("--data").arg(&root).uid(NOBODY).current_dir("/").output();
        output.ok().map(ended)
    };
    // Only who may become somebody else can see this.
    let Some(closed) = other(&["data", "check"]) else { return };
    assert_eq!(
        closed.err,
        format!(
            "error[SW-DATA-001]: {root}/shardwire.toml can't be read: Permission denied (os error 13)\n  next: Run the command as the user that \
             owns the folder, or let this user in.\n"
        )
    );
    open(Path::new(&root), 0o755);
    for file in fs::read_dir(&root).unwrap().map(|it| it.unwrap().path()) {
        open(&file, if file.ends_with("identity.key") { 0o600 } else { 0o644 });
    }
    let exported = other(&["data", "export", "--out", "-"]).unwrap();
    assert!(exported.code == 0 && exported.out.starts_with("{\"node\":"), "{}", exported.err);
    let history = other(&["shard", "history", "0x1234"]).unwrap();
    assert!(history.err.starts_with("error[SW-NODE-002]"), "{}", history.err);
    let checked = other(&["data", "check"]).unwrap();
    assert!(
        checked.code == 1 && checked.out.contains("identity.key") && checked.out.contains("NOT SOUND: "),
        "this user could not start a node here: {}{}",
        checked.out,
        checked.err
    );
    let next = "next, SW-DATA-001: Run the command as the user that owns the folder, or let this user in.\n";
    assert!(checked.out.contains(next), "{}", checked.out);
    let object = |ended: Ended| serde_json::from_str::<serde_json::Value>(&ended.out).unwrap();
    let findings = object(other(&["data", "check", "--json"]).unwrap())["findings"].clone();
    let denied = |it: &serde_json::Value| it["what"].as_str().unwrap().ends_with("Permission denied (os error 13)");
    assert!(findings.as_array().unwrap().iter().all(denied), "nothing else is wrong: {findings}");

    // The user's own, where nothing can be made.
    std::os::unix::fs::chown(&root, Some(NOBODY), None).unwrap();
    for file in fs::read_dir(&root).unwrap().map(|it| it.unwrap().path()) {
        std::os::unix::fs::chown(file, Some(NOBODY), None).unwrap();
    }
    open(Path::new(&root), 0o555);
    let findings = object(other(&["data", "check", "--json"]).unwrap())["findings"].clone();
    let expected = serde_json::json!([{
        "file": ".",
        "code": "SW-DATA-001",
        "what": format!("{root} can't be written: Permission denied (os error 13)"),
        "next_step": "Run the command as the user that owns the folder, or let this user in."
    }]);
    assert_eq!(findings, expected);
    let refused = other(&["run", "--log", "off"]).unwrap();
    assert!(refused.code == 1 && refused.err.starts_with("error[SW-DATA-001]"), "{}", refused.err);
}

/// As the system does it when a disk fails: remounted so that it can only be read. Only who may mount can see this.
#[test]
#[cfg(target_os = "linux")]
fn a_folder_on_a_disk_that_is_read_only_can_be_looked_at_and_is_said_to_take_no_node() {
    let place = tempfile::tempdir().unwrap();
    let root = folder(place.path(), &["--role", "operator"]);
    assert_eq!(Node::start(&root).stop().code(), Some(0));
    let script = "mount --bind \"$1\" \"$1\" && mount -o remount,bind,ro \"$1\" || exit 77; exec \"$0\" data check --json --data \"$1\"";
    let program = env!("CARGO_BIN_EXE_shardwire");
    let Ok(output) = Command::new("unshare").args(["-m", "sh", "-c", script, program, &root]).output() else { return };
    let checked = ended(output);
    let Ok(report) = serde_json::from_str::<serde_json::Value>(&checked.out) else { return };
    let expected = serde_json::json!([{
        "file": ".",
        "code": "SW-DATA-001",
        "what": format!("{root} can't be written: Read-only file system (os error 30)"),
        "next_step": "Mount the disk so that it can be written, or use a copy of the folder on another one."
    }]);
    assert_eq!((checked.code, &report["findings"]), (1, &expected));
}

#[test]
fn a_node_whose_configuration_is_gone_can_be_asked_and_stopped() {
    let place = tempfile::tempdir().unwrap();
    let root = folder(place.path(), &["--role", "operator"]);
    let mut node = Node::start(&root);
    std::fs::remove_file(place.path().join("node/shardwire.toml")).unwrap();
    assert_eq!(run(&["status", "--data", &root]).code, 0);
    let stopped = run(&["stop", "--data", &root]);
    assert_eq!((stopped.code, stopped.err.as_str()), (0, ""));
    assert_eq!(node.wait().code(), Some(0));
    let gone = run(&["run", "--data", &root]);
    assert_eq!(
        gone.err,
        format!(
            "error[SW-DATA-007]: {root} is a data folder, but its shardwire.toml is gone\n  next: Restore it from a copy, or write a new one: \
             `shardwire init --data OTHER` in another folder shows every setting. `shardwire stop --data {root}` stops a node that still runs \
             there.\n"
        )
    );
}

#[test]
fn a_folder_that_was_used_and_lost_its_database_is_refused() {
    let place = tempfile::tempdir().unwrap();
    let root = folder(place.path(), &["--role", "operator"]);
    assert_eq!(Node::start(&root).stop().code(), Some(0));
    let store = place.path().join("node/node.redb");
    std::fs::write(&store, "").unwrap();
    let refused = run(&["run", "--data", &root]);
    assert!(
        refused.code == 1 && refused.err.starts_with("error[SW-STORE-004]: node.redb is damaged: it is empty\n"),
        "{}",
        refused.err
    );
    assert_eq!(std::fs::metadata(&store).unwrap().len(), 0);
    std::fs::remove_file(&store).unwrap();
    let refused = run(&["run", "--data", &root]);
    assert!(refused.code == 1 && refused.err.starts_with("error[SW-STORE-009]: node.redb is gone"), "{}", refused.err);
    assert!(!store.exists());
}

#[test]
fn a_node_that_listens_everywhere_says_what_to_dial_and_reaches_itself() {
    let has_ipv6 = std::net::UdpSocket::bind("[::1]:0").is_ok();
    for listen in ["0.0.0.0:0", "[::]:0"].into_iter().take(1 + usize::from(has_ipv6)) {
        let place = tempfile::tempdir().unwrap();
        let world = place.path().join("world.json");
        std::fs::write(&world, r#"{"storage":[{"contract":"0x1","key":"0x4","kind":"counter","value":1}]}"#).unwrap();
        let world = world.display().to_string();
        let args = ["--role", "settler,operator", "--world", &world, "--listen", listen];
        let root = folder(place.path(), &[&args[..], &["--advertise", "node.example:7000"]].concat());
        let mut node = Node::start(&root);
        assert_eq!(node.json()["advertise"], "node.example:7000");
        let own = node.json()["peer"].clone();
        let reached = || {
            let status: serde_json::Value =
                serde_json::from_str(&run(&["status", "--data", &root, "--json"]).out).unwrap();
            assert_eq!(status["advertise"], "node.example:7000");
            let peers = status["peers"].as_array().unwrap();
            peers.iter().any(|peer| peer["peer"] == own && peer["connected"] == true)
        };
        // Asking takes a fraction of a second, dialling less.
        assert!((0..100).any(|_| reached()), "it never reached itself at {listen}");
        assert_eq!(node.stop().code(), Some(0));
    }
}

#[test]
fn a_peer_by_the_name_of_its_host_is_dialled() {
    let place = tempfile::tempdir().unwrap();
    let root = folder(place.path(), &["--role", "operator"]);
    let mut settler = Node::start(&place.path().join("settler").display().to_string());
    let (id, address) =
        (settler.json()["peer"].as_str().unwrap().to_owned(), settler.json()["listen"].as_str().unwrap().to_owned());
    let port = address.rsplit(':').next().unwrap().to_owned();
    let file = place.path().join("node/shardwire.toml");
    let config = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, config.replacen("\n[", &format!("\npeers = [\"{id}@localhost:{port}\"]\n["), 1)).unwrap();
    let mut node = Node::start(&root);
    let reached = || {
        let status: serde_json::Value = serde_json::from_str(&run(&["status", "--data", &root, "--json"]).out).unwrap();
        status["peers"].as_array().unwrap().iter().any(|peer| peer["peer"] == id.as_str() && peer["connected"] == true)
    };
    assert!((0..100).any(|_| reached()), "it never reached its peer");
    assert_eq!(node.stop().code(), Some(0));
    assert_eq!(settler.stop().code(), Some(0));
}
