use super::*;
use shardwire_model::{ChainHead, Coded, Timestamp};

const PAGE: &str = include_str!("../../../docs/workload.md");

/// The example of `docs/workload.md`.
fn example() -> &'static str {
    let (_, rest) = PAGE.split_once("```json\n").expect("the page has an example");
    rest.split_once("```").expect("the example ends").0
}

/// The example with `from` replaced, which must be there.
fn with(from: &str, to: &str) -> String {
    assert!(example().contains(from), "the example lacks {from}");
    example().replace(from, to)
}

fn refused(text: &str) -> (String, &'static str) {
    let error = Workload::parse(text).expect_err("it must be refused");
    assert!(error.next_step().ends_with('.'), "{}", error.next_step());
    (error.to_string(), error.code())
}

fn line_of(text: &str, part: &str) -> usize {
    let (before, _) = text.split_once(part).expect("the text has the part");
    1 + before.matches('\n').count()
}

#[test]
fn the_example_of_the_page_is_what_it_says() {
    let workload = Workload::parse(example()).expect("the example is a workload");
    assert_eq!(workload.transactions.len(), 7);
    workload.ends().expect("it ends");
    assert_eq!(workload.to_text(), example(), "the page shows the file as it is written");
    assert_eq!(World::parse(example()).expect("a workload has a world"), workload.world);
}

#[test]
fn a_file_is_read_as_it_was_written_and_only_its_owner_reads_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("w.json");
    let workload = Workload::parse(example()).expect("a workload");
    workload.write(&path).expect("written");
    assert_eq!(Workload::read(&path).expect("read"), workload);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(std::fs::metadata(&path).expect("metadata").permissions().mode() & 0o777, 0o600);
    }
    let bad = with("\"player\":\"Brom\"", "\"player\":\"Zoe\"");
    std::fs::write(&path, bad).expect("written");
    let text = Workload::read(&path).expect_err("unknown player").to_string();
    assert!(text.starts_with(&format!("{}:", path.display())), "{text}");
}

#[test]
fn missing_and_oversized_files_say_so() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("none.json");
    let error = Workload::read(&path).expect_err("missing");
    assert_eq!(error.code(), "SW-WORKLOAD-001");
    assert!(error.to_string().contains("none.json: reading failed: No such file"), "{error}");
    let file = std::fs::File::create(&path).expect("created");
    file.set_len(MAX_FILE_BYTES + 1).expect("sparse");
    let error = Workload::read(&path).expect_err("too large");
    assert_eq!(error.code(), "SW-WORKLOAD-002");
    assert!(error.to_string().contains("more than the 33554432 bytes that are read"), "{error}");
}

#[test]
fn what_is_not_json_is_refused_with_its_place() {
    assert_eq!(
        refused("{\n  \"version\": 1,\n  oops"),
        ("line 3: workload: key must be a string (column 3)".into(), "SW-WORKLOAD-003")
    );
    assert_eq!(refused("").1, "SW-WORKLOAD-003");
    assert_eq!(refused("[]").1, "SW-WORKLOAD-003");
    let text = with("\"amount\":35", "\"amount\":-35");
    let line = line_of(&text, "-35");
    let (message, code) = refused(&text);
    assert_eq!(code, "SW-WORKLOAD-003");
    assert!(
        message
            .starts_with(&format!("line {line}: transaction: invalid value: integer `-35`, expected a whole number")),
        "{message}"
    );
    let column = text.lines().nth(line - 1).and_then(|it| it.find("-35")).expect("there") + "-35".len();
    assert!(message.ends_with(&format!("(column {column})")), "{message}");
}

#[test]
fn a_problem_inside_an_element_of_several_lines_names_its_own_line() {
    let text = with("\"call\":\"finish\"", "\n\n\"call\":\"flee\"");
    let (message, _) = refused(&text);
    assert!(
        message.starts_with(&format!("line {}: transaction: unknown variant `flee`", line_of(&text, "flee"))),
        "{message}"
    );
}

#[test]
fn unknown_fields_are_refused_everywhere() {
    for (from, to) in [
        ("\"players\":", "\"banana\": 1, \"players\":"),
        ("\"salt\":", "\"banana\": 1, \"salt\":"),
        ("\"storage\":", "\"banana\": 1, \"storage\":"),
    ] {
        let (message, code) = refused(&with(from, to));
        assert_eq!(code, "SW-WORKLOAD-003");
        assert!(message.contains("unknown field `banana`"), "{message}");
    }
    let text = with("\"amount\":35", "\"amount\":35,\"banana\":1");
    let expected = format!("line {}: transaction has the unknown field 'call.banana'", line_of(&text, "banana"));
    assert_eq!(refused(&text), (expected, "SW-WORKLOAD-004"));
    let (message, _) = refused(&with("\"amount\":600", "\"amount\":600,\"banana\":1"));
    assert!(message.ends_with("entry has the unknown field 'banana'"), "{message}");
}

#[test]
fn another_version_is_refused_before_its_fields_are() {
    let text = with("\"version\": 1", "\"version\": 2,\n \"banana\": 1");
    assert_eq!(refused(&text), ("the file has format version 2; this build reads version 1".into(), "SW-WORKLOAD-005"));
}

#[test]
fn bounds_of_lists_and_names_are_kept() {
    let step = "{\"player\":\"Ada\",\"contract\":\"0xd\",\"call\":\"finish\"}";
    let (head, _) = example().split_once("\"transactions\": [").expect("a list");
    let many = vec![step; shardwire_model::MAX_TRANSACTIONS as usize + 1].join(",\n");
    assert_eq!(
        refused(&format!("{head}\"transactions\": [{many}]}}")),
        ("transactions: 65537 given, 1 to 65536 allowed".into(), "SW-WORKLOAD-006")
    );
    assert_eq!(refused(&format!("{head}\"transactions\": []}}")).1, "SW-WORKLOAD-006");
    let (message, code) = refused(&with("\"name\": \"example\"", "\"name\": \"a\\u001b[31m\""));
    assert_eq!(
        (message.as_str(), code),
        ("the workload's name must have 1 to 40 printable characters", "SW-WORKLOAD-007")
    );
    assert_eq!(refused(&with("\"of\":\"Brom\"", "\"of\":\"\"")).1, "SW-WORKLOAD-007");
    // Names that look like another one.
    for hidden in ["Ada\u{202e}", "\u{2066}Ada", "A\u{200b}da", "Ada\u{200f}"] {
        let (message, code) = refused(&with("\"of\":\"Brom\"", &format!("\"of\":\"{hidden}\"")));
        assert_eq!(code, "SW-WORKLOAD-007");
        assert!(message.ends_with("a storage's label must have 1 to 40 printable characters"), "{message}");
    }
}

#[test]
fn a_value_that_is_no_whole_number_is_called_that() {
    for (from, to) in
        [("\"value\":1000", "\"value\":1e2"), ("\"value\":1000", "\"value\":1.5"), ("\"amount\":600", "\"amount\":1e2")]
    {
        let (message, code) = refused(&with(from, to));
        assert_eq!(code, "SW-WORKLOAD-003");
        assert!(message.contains("expected a whole number") && !message.contains("map"), "{message}");
    }
}

#[test]
fn a_byte_order_mark_is_skipped_and_utf_16_is_called_that() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("w.json");
    std::fs::write(&path, format!("\u{feff}{}", example())).expect("written");
    assert_eq!(Workload::read(&path).expect("a workload"), Workload::parse(example()).expect("a workload"));
    std::fs::write(&path, example().encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<u8>>()).expect("written");
    for error in [Workload::read(&path).expect_err("refused"), World::read(&path).expect_err("refused")] {
        assert_eq!(
            format!("error[{}]: {error}\n  next: {}", error.code(), error.next_step()),
            format!(
                "error[SW-WORKLOAD-020]: {}: it is text in UTF-16, not in UTF-8: save it as UTF-8\n  next: Save it as UTF-8 in an editor, or \
                 write it again with `testnet workload`.",
                path.display()
            )
        );
    }
}

#[test]
#[cfg(unix)]
fn players_keys_are_their_owners_alone_also_in_a_file_that_was_there() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("w.json");
    std::fs::write(&path, "something longer than nothing").expect("written");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).expect("open to all");
    let workload = Workload::parse(example()).expect("a workload");
    workload.write(&path).expect("written");
    assert_eq!(std::fs::metadata(&path).expect("the file").permissions().mode() & 0o777, 0o600);
    assert_eq!(Workload::read(&path).expect("a workload"), workload);
}

#[test]
fn what_is_listed_twice_is_refused() {
    let (message, code) = refused(&with("\"name\":\"Brom\",\"secret\"", "\"name\":\"Ada\",\"secret\""));
    assert_eq!(code, "SW-WORKLOAD-008");
    assert!(message.ends_with("player 'Ada' (or its secret) is listed twice"), "{message}");
    let (message, code) = refused(&with("\"0xd\",\"key\":\"0x102\",\"kind\"", "\"0xd\",\"key\":\"0x101\",\"kind\""));
    assert_eq!(code, "SW-WORKLOAD-008");
    assert!(message.ends_with("storage 0xd/0x101 is listed twice"), "{message}");
}

#[test]
fn contradictions_of_the_start_are_refused() {
    let text = with("\"end_event\": {\"from\":\"0xd\"", "\"end_event\": {\"from\":\"0xe\"");
    let (message, code) = refused(&text);
    assert_eq!(code, "SW-WORKLOAD-009");
    assert!(message.contains("the end event names contract 0xe, which is not whitelisted"), "{message}");
    let text = with("\"kind\":\"lock\",\"contract\"", "\"kind\":\"counter\",\"contract\"");
    let (message, code) = refused(&text);
    assert_eq!(code, "SW-WORKLOAD-010");
    assert!(message.ends_with("start entry 4 (counter 0xd/0x103) is of kind lock in the world's storage"), "{message}");
    let ada = Workload::parse(example()).expect("a workload").players[0].key().id();
    let text = with(&format!("      \"{ada}\",\n"), "      \"0xabc\",\n");
    assert_eq!(refused(&text).1, "SW-WORKLOAD-009", "an escrow's owner is not whitelisted");
}

#[test]
fn a_player_outside_the_whitelist_is_refused() {
    let text = with("\"secret\":\"00", "\"secret\":\"01");
    let (message, code) = refused(&text);
    assert_eq!(code, "SW-WORKLOAD-011");
    assert!(
        message.starts_with(&format!("line {}: player 'Ada' has the account 0x", line_of(&text, "\"secret\""))),
        "{message}"
    );
}

#[test]
fn transactions_that_name_something_unlisted_are_refused_with_their_line() {
    let text = with("{\"player\":\"Brom\"", "{\"player\":\"Z\\u001boe\"");
    let line = line_of(&text, "{\"player\":\"Z");
    let expected = format!("line {line}: transaction 3 is of player 'Z\\u{{1b}}oe', who is not listed");
    assert_eq!(refused(&text), (expected, "SW-WORKLOAD-012"));

    let (message, code) = refused(&with("{\"add\":{\"counter\":\"0x100\"", "{\"add\":{\"counter\":\"0x999\""));
    assert_eq!(code, "SW-WORKLOAD-013");
    assert!(
        message.ends_with("transaction 1: storage slot 0xd/0x999 is not in the shard's settlement list"),
        "{message}"
    );
    assert_eq!(
        refused(&with("\"contract\":\"0xd\",\"call\":\"finish\"", "\"contract\":\"0xf\",\"call\":\"finish\"")).1,
        "SW-WORKLOAD-013"
    );
}

#[test]
fn calls_that_do_not_fit_are_refused_with_their_line() {
    let (message, code) = refused(&with("\"amount\":35", "\"amount\":0"));
    assert_eq!(code, "SW-WORKLOAD-014");
    assert!(message.ends_with("transaction 1 has the amount 0"), "{message}");
    for (from, to, reason) in [
        (
            "{\"spend\":{\"escrow\":\"0x101\"",
            "{\"spend\":{\"escrow\":\"0x103\"",
            "0x103 is of kind lock, the call needs kind escrow",
        ),
        ("\"to\":\"0x102\"", "\"to\":\"0x101\"", "it passes from 0x101 to itself"),
        ("\"call\":\"finish\"", "\"call\":{\"spend\":{\"escrow\":\"0x101\",\"amount\":1}}", ""),
    ] {
        let text = with(from, to);
        if reason.is_empty() {
            // The last transaction may be any: only who needs the shard to end asks for it.
            assert_eq!(Workload::parse(&text).expect("it fits").ends().expect_err("endless").code(), "SW-WORKLOAD-017");
            continue;
        }
        let (message, code) = refused(&text);
        assert_eq!(code, "SW-WORKLOAD-015");
        assert!(message.ends_with(reason), "{message}");
    }
}

#[test]
fn nothing_may_follow_the_end() {
    let text = with(
        "\"call\":\"finish\"}",
        "\"call\":\"finish\"},\n    {\"player\":\"Ada\",\"contract\":\"0xd\",\"call\":\"finish\"}",
    );
    let (message, code) = refused(&text);
    assert_eq!(code, "SW-WORKLOAD-016");
    assert!(message.ends_with("transaction 8 comes after the one that ends the shard"), "{message}");
}

#[test]
fn signatures_are_over_each_accounts_chain() {
    let workload = Workload::parse(example()).expect("a workload");
    let request = workload.start_request(PeerId([7; 32]), Felt::ONE);
    let start = request.validate("test", Timestamp(1)).expect("a start");
    let signed = workload.sign(&start).expect("signed");
    let nonces: Vec<u32> = signed.iter().map(|it| it.transaction.nonce).collect();
    assert_eq!(nonces, [1, 2, 1, 3, 4, 2, 5]);
    for account in &start.accounts {
        let mut head = ChainHead::start(start.commitment(), *account);
        for it in signed.iter().filter(|it| it.transaction.account == *account) {
            head = head.extend(it.transaction.words(&start).expect("words"));
            assert!(it.signature.verifies(*account, head.message()));
        }
    }
    let mut foreign = start;
    foreign.entries.truncate(1);
    let error = workload.sign(&foreign).expect_err("another start");
    assert_eq!(error.code(), "SW-WORKLOAD-013");
}

#[test]
fn amounts_are_numbers_and_felts_are_text() {
    let storage = |value: &str| {
        World::parse(&format!(
            "{{\"storage\":[{{\"contract\":\"0xd\",\"key\":\"0x1\",\"kind\":\"counter\",\"value\":{value}}}]}}"
        ))
        .map(|world| world.storage[0].value)
    };
    assert_eq!(storage("18446744073709551615").expect("a number"), Felt::from(u64::MAX));
    assert_eq!(storage("\"0x2a\"").expect("a felt"), Felt::from(42u64));
    assert!(storage("1.5").expect_err("a fraction").to_string().contains("expected a whole number below 2^128"));
    assert!(storage("\"2a\"").expect_err("no 0x").to_string().contains("'2a' is no amount"));
    let (message, code) = refused(&with(
        "\"kind\":\"counter\",\"value\":10",
        "\"kind\":\"counter\",\"value\":\"0x100000000000000000000000000000000\"",
    ));
    assert_eq!(code, "SW-WORKLOAD-019");
    assert!(
        message
            .ends_with("counter 0xd/0x100 has the value 0x100000000000000000000000000000000, which is not below 2^128"),
        "{message}"
    );
}

#[test]
fn a_world_is_read_from_a_file_of_its_own_too() {
    let (_, rest) = example().split_once("\"world\": ").expect("a world");
    let (world, _) = rest.split_once(",\n  \"start\"").expect("a start");
    assert_eq!(World::parse(world).expect("a world").storage.len(), 4);
    assert_eq!(World::parse("{}").expect_err("no storage").code(), "SW-WORKLOAD-003");
}

#[test]
fn a_ledger_begins_with_the_storage_without_labels() {
    let text = Workload::parse(example()).expect("a workload").world.to_genesis_text();
    assert!(
        text.starts_with(
            "{\"storage\": [\n  {\"contract\":\"0xd\",\"key\":\"0x100\",\"kind\":\"counter\",\"value\":10},\n"
        ),
        "{text}"
    );
    assert!(text.contains("\"kind\":\"lock\",\"value\":\"0x7e7e"), "{text}");
    assert!(World::parse(&text).expect("a world").storage.iter().all(|it| it.name.is_none() && it.of.is_none()));
}

#[test]
fn secrets_stay_out_of_debug_and_errors() {
    let workload = Workload::parse(example()).expect("a workload");
    let secret = hex::encode(workload.players[0].secret);
    assert!(!format!("{workload:?}").contains(&secret));
    let (message, _) = refused(&with(&secret, &secret[..62]));
    assert!(
        message.contains("a secret must be 64 hexadecimal digits") && !message.contains(&secret[..62]),
        "{message}"
    );
}
