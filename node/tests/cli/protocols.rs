//! `shardwire protocol` and `shardwire wire`: no node, no data folder.

use super::{Ended, ended, run, shardwire};
use serde_json::{Value, json};
use std::{
    io::Write as _,
    process::{Output, Stdio},
};

/// The recording that the help of `wire decode` shows, and the end of its session.
const RECORDING: &str = "\
{\"from\":\"initiator\",\"bytes\":\"0b096b656570616c6976650100028101\"}
{\"from\":\"responder\",\"bytes\":\"0381017f\"}
{\"from\":\"initiator\",\"message\":\"Bye\",\"bytes\":\"0100\"}
";

fn fed(arguments: &[&str], input: &[u8]) -> Ended {
    let mut child =
        shardwire(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(input).unwrap();
    let Output { status, stdout, stderr } = child.wait_with_output().unwrap();
    ended(Output { status, stdout, stderr })
}

fn decode(more: &[&str], input: &[u8]) -> Ended {
    fed(&[&["wire", "decode", "--protocol", "keepalive", "--from", "-"], more].concat(), input)
}

#[test]
fn protocols_are_listed_and_shown() {
    let list = run(&["protocol", "list"]);
    assert_eq!((list.code, list.err.as_str()), (0, ""));
    assert!(
        list.out.starts_with("protocol        version  states  messages  initiator's unread bytes  responder's\n"),
        "{}",
        list.out
    );
    assert!(
        list.out.contains("\nkeepalive       1        3       3         49                        21\n"),
        "{}",
        list.out
    );
    let json: Value = serde_json::from_str(&run(&["protocol", "list", "--json"]).out).unwrap();
    assert_eq!(json["protocols"].as_array().unwrap().len(), list.out.lines().count() - 1);

    let table = run(&["protocol", "show", "keepalive"]).out;
    assert!(table.starts_with("keepalive 1\n\n| state | speaks "), "{table}");
    assert_eq!(table, run(&["protocol", "show", "keepalive@1", "--format", "table"]).out);
    let diagram = run(&["protocol", "show", "trace", "--format", "mermaid"]).out;
    assert!(diagram.starts_with("stateDiagram-v2\n") && diagram.contains(": JobOffer\n"), "{diagram}");
    let shown = run(&["protocol", "show", "trace", "--format", "json"]).out;
    assert_eq!(shown, run(&["protocol", "show", "trace", "--json"]).out);
    let json: Value = serde_json::from_str(&shown).unwrap();
    assert_eq!((&json["protocol"], &json["states"][0]["speaks"]), (&json!("trace"), &json!("initiator")));
}

#[test]
fn an_unknown_protocol_names_those_that_are_known() {
    for arguments in
        [&["protocol", "show", "gossip"][..], &["wire", "decode", "--protocol", "keepalive@9", "--from", "-"]]
    {
        let refused = run(arguments);
        assert_eq!((refused.code, refused.out.as_str()), (2, ""));
        assert!(refused.err.starts_with("error[SW-PROTOCOL-001]: there is no protocol '"), "{}", refused.err);
        assert!(
            refused.err.contains("\n  next: Use one of handshake@1, handoff@1, ") && refused.err.contains("trace@1"),
            "{}",
            refused.err
        );
    }
}

#[test]
fn a_recording_is_said_frame_by_frame() {
    let told = decode(&[], RECORDING.as_bytes());
    assert_eq!((told.code, told.err.as_str()), (0, ""));
    assert_eq!(
        told.out,
        "\
initiator        0       12 B  header  Header {protocol: \"keepalive\", version: 1}
initiator       12        4 B  s0  Ping {sent: 129}
responder        0        4 B  s1  Pong {sent: 129, received: 127}
initiator       16        2 B  s0  Bye {}
4 frames: the session is whole
"
    );
    let json = decode(&["--json"], RECORDING.as_bytes());
    let lines: Vec<Value> = json.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 5);
    assert_eq!((&lines[1]["frame"], &lines[1]["readings"][0]["fields"]), (&json!(2), &json!({"sent": 129})));
    assert_eq!(lines[4], json!({"end": "whole", "frames": 4}));
}

#[test]
fn the_recording_in_the_help_is_one() {
    let help = run(&["wire", "decode", "--help"]).out;
    let shown: String =
        help.lines().map(str::trim).filter(|line| line.starts_with('{')).map(|line| format!("{line}\n")).collect();
    let told = decode(&[], shown.as_bytes());
    assert!(
        told.out.ends_with("3 frames: the recording ends in s0, initiator, byte 16: between two frames\n"),
        "{}",
        told.out
    );
}

#[test]
fn one_direction_is_read_from_raw_bytes() {
    let raw = [&b"\x0b\x09keepalive\x01"[..], &[0, 2, 0x81, 1], &[1, 0]].concat();
    let told = decode(&["--side", "initiator"], &raw);
    assert_eq!(told.code, 0);
    assert!(
        told.out.contains("s0  Ping {sent: 129}\n") && told.out.ends_with("3 frames: the session is whole\n"),
        "{}",
        told.out
    );
    let headless = decode(&["--side", "initiator", "--no-header"], &raw[12..]);
    assert!(headless.out.ends_with("2 frames: the session is whole\n"), "{}", headless.out);
    let cut = decode(&["--side", "initiator"], &raw[..15]);
    assert_eq!(cut.code, 0);
    assert!(
        cut.out.ends_with(
            "1 frames: the recording ends in s0, initiator, byte 12: within a frame of which 3 bytes are there\n"
        ),
        "{}",
        cut.out
    );
}

#[test]
fn the_first_violation_ends_it_with_its_place() {
    let bad = RECORDING.replace("0100\"}", "0300\"}");
    let told = decode(&[], bad.as_bytes());
    assert_eq!(told.code, 1);
    assert!(
        told.out.ends_with(
            "violation[SW-SESSION-006]: initiator, byte 16, s0: branch tag 3 is neither 0 nor 1\n  next: Check that the recording \
             is whole and of this protocol; else look at what the initiator sends.\n"
        ),
        "{}",
        told.out
    );
    let json = decode(&["--json"], bad.as_bytes());
    let last: Value = serde_json::from_str(json.out.lines().last().unwrap()).unwrap();
    assert_eq!(json.code, 1);
    assert_eq!(
        (&last["violation"]["offset"], &last["violation"]["code"], &last["frames"]),
        (&json!(16), &json!("SW-SESSION-006"), &json!(3))
    );
}

#[test]
fn what_is_no_recording_is_told() {
    let told = decode(&[], b"\n{\"from\":\"nobody\",\"bytes\":\"\"}\n");
    assert_eq!((told.code, told.out.as_str()), (1, ""));
    assert!(
        told.err.starts_with("error[SW-WIRE-003]: line 2 of - is no piece of a recording: unknown variant"),
        "{}",
        told.err
    );
    assert!(told.err.contains("--side initiator"), "{}", told.err);
    let long = decode(&[], &vec![b' '; (1 << 20) + 300]);
    assert!(long.err.contains("line 1 of - is no piece of a recording: it is longer than"), "{}", long.err);
    let missing = run(&["wire", "decode", "--protocol", "trace", "--from", "/nowhere/at-all"]);
    assert_eq!(missing.code, 1);
    assert!(missing.err.starts_with("error[SW-WIRE-002]: /nowhere/at-all can't be read: "), "{}", missing.err);
}

/// The recordings in `protocols/vectors` are read as they are, to their last byte.
#[test]
fn the_golden_sessions_are_whole() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../protocols/vectors");
    let mut sessions = 0;
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    for file in entries.filter(|path| path.is_file()) {
        let vectors: Value = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
        let name = format!("{}@{}", vectors["protocol"].as_str().unwrap(), vectors["version"]);
        for session in vectors["sessions"].as_array().unwrap() {
            let steps = session["steps"].as_array().unwrap();
            let lines: String = steps.iter().map(|step| format!("{step}\n")).collect();
            let read = fed(&["wire", "decode", "--protocol", &name, "--from", "-"], lines.as_bytes());
            assert_eq!((read.code, read.err.as_str()), (0, ""), "{name}: {}", session["name"]);
            assert!(read.out.ends_with(": the session is whole\n"), "{name}, {}: {}", session["name"], read.out);
            sessions += 1;
        }
    }
    assert!(sessions > 0);
}
