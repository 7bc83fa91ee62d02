//! What goes wrong before a node runs: text, exit code, and the same with `--json`.

use super::{Ended, ended, folder, run, shardwire};
use std::fs;

/// An error as text, and the same as JSON on the last line of standard output.
fn refused(arguments: &[&str]) -> (i32, String) {
    let text = run(arguments);
    assert_eq!(text.out, "", "nothing on standard output");
    let json = run(&[arguments, &["--json"]].concat());
    assert_eq!((json.code, json.err.as_str()), (text.code, ""), "the same, but on standard output");
    let value: serde_json::Value = serde_json::from_str(json.out.lines().last().unwrap()).unwrap();
    let part = |name: &str| value["error"][name].as_str().unwrap().to_owned();
    assert_eq!(text.err, format!("error[{}]: {}\n  next: {}\n", part("code"), part("message"), part("next_step")));
    (text.code, text.err)
}

#[test]
fn misuse_is_told_with_the_command_to_ask() {
    assert_eq!(
        refused(&["status", "--dat", "x"]),
        (
            2,
            "error[SW-CLI-001]: unexpected argument '--dat' found\n  next: A similar argument exists: '--data'. `shardwire status \
             --help` shows what it takes.\n"
                .into()
        )
    );
    assert_eq!(
        refused(&["stauts"]),
        (
            2,
            "error[SW-CLI-001]: unrecognized subcommand 'stauts'\n  next: A similar subcommand exists: 'status'. `shardwire --help` \
             shows what it takes.\n"
                .into()
        )
    );
    assert_eq!(
        refused(&["shard", "submit", "--workload", "w.json"]),
        (
            2,
            "error[SW-CLI-001]: the following required arguments were not provided: --shard <SHARD>\n  next: `shardwire shard submit \
             --help` shows what it takes.\n"
                .into()
        )
    );
    let (code, text) = refused(&["shard", "start", "--data", "x"]);
    assert!(code == 2 && text.contains("--request <FILE>"), "{text}");
    let (code, text) = refused(&["shard", "start", "--data", "x", "--workload", "w.json"]);
    assert!(code == 2 && text.contains("not provided: --operator <ID>"), "{text}");
    let start =
        |program: &str| refused(&["shard", "start", "--data", "x", "--request", "r.json", "--program", program]);
    let rules = shardwire_program::rules::hash();
    for unknown in ["rulse", "0x2"] {
        let (code, text) = start(unknown);
        assert!(
            code == 2 && text.contains(&format!("there is no program {unknown} here, only rules ({rules:#x})")),
            "{text}"
        );
    }
    for known in ["rules".to_owned(), format!("{rules:#x}"), "contracts".to_owned()] {
        let (code, text) = start(&known);
        assert!(code != 2 && !text.contains("program"), "{text}");
    }
    let (code, text) = refused(&["shard", "status", "--data", "x", "17"]);
    assert!(code == 2 && text.contains("is not a field element"), "{text}");
}

#[test]
fn a_command_without_a_folder_is_misuse() {
    let expected = "error[SW-CLI-002]: no data folder is given\n  next: Add --data DIR, or set SHARDWIRE_DATA.\n";
    for command in [&["init"][..], &["run"], &["status"], &["shard", "status"], &["world", "show"]] {
        assert_eq!(refused(command), (2, expected.into()));
    }
}

#[test]
fn a_folder_without_a_node_is_told_from_no_folder() {
    let place = tempfile::tempdir().unwrap();
    let missing = place.path().join("none").display().to_string();
    for command in [&["run"][..], &["status"], &["shard", "status"], &["world", "show"]] {
        let (code, text) = refused(&[command, &["--data", &missing]].concat());
        assert_eq!(code, 1);
        assert_eq!(
            text,
            format!(
                "error[SW-DATA-002]: {missing} is no data folder: it has no shardwire.toml\n  next: Create it with `shardwire init --data \
                 {missing} --role ROLE`, or correct --data.\n"
            )
        );
    }
    let root = folder(place.path(), &["--role", "operator"]);
    let expected = format!(
        "error[SW-DATA-004]: no node is running in {root}\n  next: Start it with `shardwire run --data {root}`.\n"
    );
    assert_eq!(refused(&["status", "--data", &root]), (1, expected.clone()));
    let Ended { code, err, .. } = ended(shardwire(&["status"]).env("SHARDWIRE_DATA", &root).output().unwrap());
    assert_eq!((code, err), (1, expected), "SHARDWIRE_DATA is as good as --data");
}

#[test]
fn init_says_what_it_made_and_refuses_to_do_it_again() {
    let place = tempfile::tempdir().unwrap();
    let root = place.path().join("node").display().to_string();
    let made = run(&["init", "--data", &root, "--role", "operator,prover", "--network", "devnet", "--json"]);
    let json: serde_json::Value = serde_json::from_str(&made.out).unwrap();
    assert_eq!((&json["network"], &json["roles"]), (&"devnet".into(), &serde_json::json!(["operator", "prover"])));
    assert_eq!(json["data"], root);
    let (code, text) = refused(&["init", "--data", &root, "--role", "operator"]);
    assert!(code == 1 && text.starts_with("error[SW-INIT-001]"), "{text}");

    let other = place.path().join("other").display().to_string();
    let made = run(&["init", "--data", &other]);
    assert!(made.out.starts_with(&format!("created {other}\n  id        ")), "{}", made.out);
    assert!(
        made.out.contains("\n  roles     none yet\n  of World  none yet: copy the settler's world.json to "),
        "{}",
        made.out
    );
    let config = format!("next: name its peers in {other}/shardwire.toml, then `shardwire run --data {other}`");
    assert!(made.out.trim_end().ends_with(&config), "{}", made.out);
    let third = place.path().join("third").display().to_string();
    let made =
        run(&["init", "--data", &third, "--role", "prover", "--peer", &format!("{}@127.0.0.1:7", "a1".repeat(32))]);
    assert!(made.out.trim_end().ends_with(&format!("\nnext: `shardwire run --data {third}`")), "{}", made.out);
    let (code, text) = refused(&["run", "--data", &other]);
    assert!(code == 1 && text.starts_with("error[SW-CONFIG-005]: this node has no role"), "{text}");
}

#[test]
fn a_settler_without_a_world_is_misuse_and_makes_nothing() {
    let place = tempfile::tempdir().unwrap();
    let root = place.path().join("node");
    let (code, text) = refused(&["init", "--data", root.to_str().unwrap(), "--role", "settler"]);
    assert!(code == 2 && text.starts_with("error[SW-INIT-003]"), "{text}");
    assert!(!root.exists());
}

#[test]
fn a_bad_setting_names_its_place_and_only_a_flag_is_misuse() {
    let place = tempfile::tempdir().unwrap();
    let root = folder(place.path(), &["--role", "operator"]);
    let (code, text) = refused(&["run", "--data", &root, "--listen", "here"]);
    assert!(code == 2 && text.starts_with("error[SW-CONFIG-004]: listen (flag --listen): 'here' is not"), "{text}");
    let output = shardwire(&["run", "--data", &root]).env("SHARDWIRE_LISTEN", "there").output().unwrap();
    let Ended { code, err, .. } = ended(output);
    assert!(code == 1 && err.contains("listen (environment variable SHARDWIRE_LISTEN): 'there' is not"), "{err}");
    let file = place.path().join("node/shardwire.toml");
    fs::write(&file, fs::read_to_string(&file).unwrap() + "\nlisten = 'nowhere'\n").unwrap();
    let (code, text) = refused(&["run", "--data", &root]);
    assert!(code == 1 && text.contains("shardwire.toml, line ") && text.contains("'log.listen'"), "{text}");
}

#[test]
fn a_port_in_use_is_told() {
    let place = tempfile::tempdir().unwrap();
    let root = folder(place.path(), &["--role", "operator"]);
    let taken = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let (code, text) = refused(&["run", "--data", &root, "--listen", &address, "--log", "off"]);
    assert_eq!(code, 1);
    assert!(
        text.starts_with(&format!(
            "error[SW-TRANSPORT-010]: UDP port {} at 127.0.0.1 is in use\n",
            taken.local_addr().unwrap().port()
        )),
        "{text}"
    );
}

#[test]
fn a_bad_workload_is_told_with_its_line_before_anybody_is_asked() {
    let place = tempfile::tempdir().unwrap();
    let file = place.path().join("w.json");
    fs::write(&file, "{\n\"version\": 1,\n oops }").unwrap();
    let file = file.display().to_string();
    let (code, text) = refused(&["shard", "submit", "--workload", &file, "--shard", "0x1"]);
    assert!(code == 1 && text.starts_with(&format!("error[SW-WORKLOAD-003]: {file}:3: ")), "{text}");
}

/// However few files a process may open: it says so, and doesn't panic.
#[cfg(unix)]
#[test]
fn a_process_without_a_file_left_to_open_says_so() {
    let place = tempfile::tempdir().unwrap();
    let root = super::folder(place.path(), &["--role", "operator"]);
    let program = env!("CARGO_BIN_EXE_shardwire");
    let mut said = Vec::new();
    for files in 4..20 {
        for verb in ["status", "run"] {
            let limited = format!("ulimit -n {files}; exec \"$0\" \"$@\"");
            // A node whose lifeline is cut ends as soon as it runs.
            let arguments = [verb, "--data", &root, "--lifeline"];
            let arguments = if verb == "status" { &arguments[..3] } else { &arguments[..] };
            let mut command = std::process::Command::new("sh");
            command.args(["-c", &limited, program]).args(arguments).stdin(std::process::Stdio::null());
            let output = command.output().unwrap();
            let error = String::from_utf8(output.stderr).unwrap();
            if verb == "run" && output.status.success() {
                continue;
            }
            assert!(!error.contains("panicked"), "{files} files, {verb}: {error}");
            assert_eq!(output.status.code(), Some(1), "{files} files, {verb}: {error}");
            assert!(error.lines().any(|line| line.starts_with("error[SW-")), "{files} files, {verb}: {error}");
            said.push(error);
        }
    }
    assert!(said.iter().any(|error| error.starts_with("error[SW-CLI-003]: the program can't begin: ")), "{said:#?}");
}
