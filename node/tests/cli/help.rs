//! The help texts, compared with `help.txt`. `UPDATE_SNAPSHOTS=1 cargo test -p shardwire --test cli` writes that file anew.

use super::{run, shardwire};
use std::path::Path;

const COMMANDS: [&[&str]; 30] = [
    &[],
    &["init"],
    &["run"],
    &["status"],
    &["stop"],
    &["shard"],
    &["shard", "start"],
    &["shard", "abort"],
    &["shard", "history"],
    &["shard", "submit"],
    &["shard", "status"],
    &["shard", "call"],
    &["shard", "invoke"],
    &["shard", "trace"],
    &["shard", "class"],
    &["shard", "genesis"],
    &["shard", "slot"],
    &["peer"],
    &["peer", "ban"],
    &["peer", "evidence"],
    &["peer", "reload"],
    &["evidence"],
    &["evidence", "check"],
    &["data", "check"],
    &["data", "export"],
    &["world", "show"],
    &["protocol"],
    &["protocol", "show"],
    &["wire"],
    &["wire", "decode"],
];

#[test]
fn help_is_what_it_was() {
    let mut text = String::new();
    for command in COMMANDS {
        let help = run(&[command, &["--help"]].concat());
        assert_eq!((help.code, help.err.as_str()), (0, ""));
        let lines: Vec<&str> = help.out.lines().map(str::trim_end).collect();
        text += &format!("$ shardwire {}\n{}\n\n", [command, &["--help"]].concat().join(" "), lines.join("\n"));
    }
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cli/help.txt");
    if std::env::var_os("UPDATE_SNAPSHOTS").is_some() {
        std::fs::write(&file, &text).unwrap();
    }
    let expected = std::fs::read_to_string(&file).unwrap();
    assert!(text == expected, "the help has changed; see {} for how to accept it. Now:\n{text}", file!());
    assert!(!text.contains("lifeline"), "a hidden flag");
}

#[test]
fn help_and_version_are_an_object_with_json() {
    for command in COMMANDS {
        let asked = [command, &["--help"]].concat();
        let told = run(&[&asked[..], &["--json"]].concat());
        assert_eq!((told.code, told.err.as_str(), told.out.lines().count()), (0, "", 1), "{asked:?}");
        let object: serde_json::Value = serde_json::from_str(&told.out).unwrap();
        assert_eq!(object["help"].as_str().unwrap(), run(&asked).out, "{asked:?}");
    }
    assert_eq!(run(&["--version", "--json"]).out, run(&["version", "--json"]).out);
    for command in ["shard", "world", "wire"] {
        let empty = run(&["--json", command]);
        let object: serde_json::Value = serde_json::from_str(&empty.out).unwrap();
        let expected = serde_json::json!({
            "code": "SW-CLI-001",
            "message": "a command is missing",
            "next_step": format!("`shardwire {command} --help` shows what it takes.")
        });
        assert_eq!((empty.code, empty.err.as_str(), &object["error"]), (2, "", &expected));
    }
}

#[test]
fn an_empty_command_shows_the_help_as_misuse() {
    for command in [&[][..], &["shard"], &["world"], &["protocol"], &["wire"]] {
        let empty = run(command);
        assert_eq!((empty.code, empty.out.as_str()), (2, ""));
        assert!(empty.err.contains("Usage: shardwire"), "{}", empty.err);
    }
}

#[test]
fn versions_are_shown() {
    let version = env!("CARGO_PKG_VERSION");
    assert_eq!(run(&["--version"]).out, format!("shardwire {version}\n"));
    let text = run(&["version"]).out;
    assert!(text.starts_with(&format!("shardwire            {version}\n")), "{text}");
    let output = shardwire(&["version", "--json"]).output().unwrap();
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&json["version"], &json["abi"]), (&version.into(), &2.into()));
    assert_eq!(json["protocols"]["administration"], serde_json::json!([1, 1]));
    assert_eq!(json["protocols"]["proof"], serde_json::json!([1, 1]));
}
