use super::*;
use crate::{catalogue, keepalive::Keepalive, trace};
use shardwire_transport::Protocol;

fn keepalive() -> Description {
    Description::of(Keepalive::NAME, Keepalive::VERSION, &Graph::of::<<Keepalive as Protocol>::Initiator>())
}

fn of(name: &str) -> Description {
    let entry = catalogue::all().into_iter().find(|entry| entry.name == name).unwrap();
    Description::of(entry.name, entry.version, &entry.initiator())
}

#[test]
fn a_protocol_as_a_diagram() {
    assert_eq!(
        keepalive().mermaid(),
        "\
stateDiagram-v2
    s0: s0, initiator speaks
    s1: s1, responder speaks
    [*] --> s0
    s0 --> s1: Ping
    s0 --> [*]: Bye
    s1 --> s0: Pong
"
    );
}

#[test]
fn a_protocol_as_tables() {
    assert_eq!(
        keepalive().tables(),
        "\
keepalive 1

| state | speaks          | tags | message | at most bytes | within | next |
|-------|-----------------|------|---------|---------------|--------|------|
| s0    | initiator       | 0    | Ping    | 10            | 30 s   | s1   |
|       |                 | 1    | Bye     | 0             | 30 s   | s2   |
| s1    | responder       |      | Pong    | 20            | 10 s   | s0   |
| s2    | nobody: the end |      |         |               |        |      |

Unread bytes, at most

| from | of the initiator | of the responder |
|------|------------------|------------------|
| s0   | 12               | 0                |
| s1   | 0                | 21               |
| all  | 49               | 21               |

Ping: from the initiator, at most 10 bytes, within 30 s

| field  | what it is  |
|--------|-------------|
| `sent` | `Timestamp` |

Bye: from the initiator, at most 0 bytes, within 30 s

No bytes.

Pong: from the responder, at most 20 bytes, within 10 s

| field      | what it is  |
|------------|-------------|
| `sent`     | `Timestamp` |
| `received` | `Timestamp` |

Timestamp

u64
"
    );
}

#[test]
fn a_protocol_as_json() {
    let json = serde_json::to_value(keepalive()).unwrap();
    assert_eq!((&json["protocol"], &json["version"]), (&"keepalive".into(), &1.into()));
    assert_eq!(json["unread_bytes"], serde_json::json!({"initiator": 49, "responder": 21}));
    assert_eq!(
        json["states"][0],
        serde_json::json!({
            "state": "s0", "speaks": "initiator", "may_send_bytes": {"initiator": 12, "responder": 0},
            "steps": [{"tags": [0], "message": "Ping", "next": "s1"}, {"tags": [1], "message": "Bye", "next": "s2"}],
        })
    );
    assert_eq!(
        json["messages"][0],
        serde_json::json!({
            "message": "Ping", "from": "initiator", "max_bytes": 10, "deadline_ms": 30_000, "pipeline_depth": 1,
            "body": {"type": "struct", "name": "Ping", "fields": [
                {"field": "sent", "body": {"type": "named", "name": "Timestamp", "of": {"type": "unsigned", "bits": 64}}},
            ]},
        })
    );
}

#[test]
fn a_pipelines_depth_counts_in_both_directions() {
    let trace = of("trace");
    let summary = |name| trace.messages.iter().find(|message| message.message == name).unwrap().clone();
    let (pull, response) = (summary("Pull"), summary("PullResponse"));
    assert_eq!(pull.pipeline_depth, trace::DEPTH);
    let depth = trace::DEPTH as u64;
    assert_eq!(trace.unread_bytes.responder, Some(depth * (4 + u64::from(response.max_bytes))));
    let pulling =
        trace.states.iter().find(|state| state.steps.iter().any(|step| step.message == Some("Pull"))).unwrap();
    // The other ways out of that state are longer than pulls are: a reason for giving up.
    let abandon = 3 + 2 + u64::from(summary("Abandon").max_bytes);
    assert_eq!(pulling.may_send_bytes.initiator, Some(abandon.max(depth * (2 + u64::from(pull.max_bytes)))));
}

#[test]
fn every_protocol_is_shown_whole() {
    for entry in catalogue::all() {
        let description = Description::of(entry.name, entry.version, &entry.initiator());
        let (tables, diagram) = (description.tables(), description.mermaid());
        for message in &description.messages {
            assert!(tables.contains(&format!("\n{}: from the", message.message)), "{}", message.message);
            assert!(diagram.contains(&format!(": {}\n", message.message)), "{}", message.message);
        }
        assert!(!tables.contains("unknown:"), "{tables}");
    }
}

#[test]
fn numbers_read_well() {
    use super::table::{bytes, thousands, time};
    assert_eq!((thousands(7), thousands(1234), thousands(1_234_567)), ("7".into(), "1,234".into(), "1,234,567".into()));
    assert_eq!((time(30_000), time(1_500)), ("30 s".into(), "1500 ms".into()));
    assert_eq!(bytes(None), "no bound but the window");
    assert_eq!(markdown(["a|b"], &[["c".to_owned()]]), "| a|b |\n|-----|\n| c   |\n");
    assert_eq!(markdown::<1>(["a"], &[]), "");
}
