use super::*;
use shardwire_model::Coded;
use std::{num::NonZeroUsize, path::Path, time::Duration};

const A: &str = "1111111111111111111111111111111111111111111111111111111111111111";
const B: &str = "2222222222222222222222222222222222222222222222222222222222222222";

fn environment(variables: &[(&str, &str)]) -> Environment {
    Environment::of(variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())))
}

fn parse(text: &str) -> Result<Config, ConfigError> {
    Config::parse(Path::new("shardwire.toml"), text, &Environment::default(), Flags::default())
}

/// What a person sees of a refusal.
fn refusal(result: Result<Config, ConfigError>) -> String {
    let error = result.expect_err("refused");
    format!("error[{}]: {error}\n  next: {}", error.code(), error.next_step())
}

#[test]
fn a_node_listens_at_no_address_of_many_machines_and_ipv4_written_as_ipv6_is_ipv4() {
    for listen in ["224.0.0.1:7000", "255.255.255.255:7000", "[ff02::1]:7000", "[::ffff:224.0.0.1]:7000"] {
        let said = refusal(parse(&format!("roles = ['operator']\nlisten = '{listen}'")));
        assert!(said.contains(&format!("'{listen}' is not an IP address of this machine")), "{said}");
        assert!(said.contains("never one of many machines"), "{said}");
        let metrics = parse(&format!("roles = ['operator']\nmetrics = {{ listen = '{listen}' }}"));
        assert!(refusal(metrics).contains("SW-CONFIG-004"));
    }
    let config = parse("roles = ['operator']\nlisten = '[::ffff:127.0.0.1]:7000'").unwrap();
    assert_eq!((config.listen.to_string(), config.warnings.len()), ("127.0.0.1:7000".into(), 0));
}

#[test]
fn a_door_for_wallets_that_is_public_or_has_no_operator_is_warned_of() {
    let warned = |text: &str| {
        let config = parse(text).unwrap();
        assert_eq!(config.rpc.unwrap().port(), 5050);
        config.warnings.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    assert_eq!(warned("roles = ['operator']\nrpc.listen = '127.0.0.1:5050'"), Vec::<String>::new());
    assert_eq!(
        warned("roles = ['prover']\nrpc.listen = '0.0.0.0:5050'"),
        [
            "serving shards of contracts on 0.0.0.0:5050, which other machines can reach: anybody there may read them and submit transactions; \
             use 127.0.0.1 to keep them to this machine",
            "`rpc.listen` is given and this node is no operator: it has no shards to serve there"
        ]
    );
}

#[test]
fn defaults_listen_on_loopback_only() {
    let config = parse("roles = ['operator']").unwrap();
    assert_eq!(config.network, "local");
    assert_eq!(config.listen, "127.0.0.1:0".parse().unwrap());
    assert_eq!(config.worker.memory_limit_bytes, DEFAULT_WORKER_MEMORY_BYTES);
    assert_eq!(config.operator.proof_memory_bytes, DEFAULT_PROOF_MEMORY_BYTES);
    assert_eq!(config.worker.deadline, DEFAULT_WORKER_DEADLINE);
    assert_eq!(config.worker.threads, None);
    assert_eq!(config.profile, Profile::Internet);
    assert_eq!(config.log, Log { filter: "info".into(), format: LogFormat::Text });
    assert_eq!(config.warnings, []);
    assert_eq!(config.origin(Setting::Listen), &Origin::Default);
}

#[test]
fn every_setting_is_read_from_a_file() {
    let text = format!(
        "network = 'devnet-1'\nroles = ['settler', 'prover']\nlisten = '[::1]:7000'\npeers = ['{A}@127.0.0.1:7001', '{B}']\n\
         admins = ['{A}']\nprofile = 'datacentre'\n[worker]\npath = '/opt/worker'\nmemory_limit_bytes = 0x1_0000_0000\n\
         deadline_s = 1_000\nthreads = 2\n[operator]\nproof_memory_bytes = 7\n[log]\nlevel = 'info,shardwire=debug'\nformat = 'json'\n"
    );
    let config = parse(&text).unwrap();
    assert_eq!(config.network, "devnet-1");
    assert_eq!(config.roles, [Role::Settler, Role::Prover].into());
    assert_eq!(config.listen.port(), 7000);
    let peers: Vec<String> = config.peers.iter().map(ToString::to_string).collect();
    assert_eq!(peers, [format!("{A}@127.0.0.1:7001"), B.to_owned()]);
    assert_eq!(config.admins, [A.parse().unwrap()].into());
    assert_eq!(config.profile, Profile::Datacentre);
    assert_eq!(config.operator.proof_memory_bytes, 7);
    assert_eq!(
        config.worker,
        Worker {
            path: Some("/opt/worker".into()),
            memory_limit_bytes: 1 << 32,
            deadline: Duration::from_secs(1000),
            threads: NonZeroUsize::new(2),
        }
    );
    assert_eq!(config.log, Log { filter: "info,shardwire=debug".into(), format: LogFormat::Json });
    assert_eq!(config.origin(Setting::WorkerThreads), &Origin::File { path: "shardwire.toml".into(), line: 11 });
}

#[test]
fn flag_beats_environment_beats_file_beats_default() {
    let file = "roles = ['prover']\nlog = { level = 'warn' }\nnetwork = 'from-file'\nlisten = '127.0.0.1:1'";
    let environment = environment(&[
        ("SHARDWIRE_NETWORK", "from-env"),
        ("SHARDWIRE_LISTEN", "127.0.0.1:2"),
        ("SHARDWIRE_ROLES", "settler, operator"),
        ("UNRELATED", "1"),
    ]);
    let flags = Flags::default().with(Setting::Listen, ["127.0.0.1:3"]).with::<&str>(Setting::Network, []);
    let config = Config::parse(Path::new("f"), file, &environment, flags).unwrap();
    assert_eq!(config.listen.port(), 3);
    assert_eq!(config.origin(Setting::Listen).to_string(), "flag --listen");
    assert_eq!(config.network, "from-env");
    assert_eq!(config.origin(Setting::Network).to_string(), "environment variable SHARDWIRE_NETWORK");
    assert_eq!(config.log.filter, "warn");
    assert_eq!(config.origin(Setting::LogLevel).to_string(), "f, line 2");
    assert_eq!(config.roles, [Role::Settler, Role::Operator].into(), "a list is replaced, not added to");
    assert_eq!(config.profile, Profile::Internet);
    assert_eq!(config.warnings, []);
}

#[test]
fn an_empty_list_variable_is_refused_not_taken_for_an_empty_list() {
    let file = format!("roles = ['prover']\npeers = ['{A}']");
    for (name, setting) in
        [("SHARDWIRE_PEERS", "peers"), ("SHARDWIRE_DENY", "reputation.deny"), ("SHARDWIRE_ROLES", "roles")]
    {
        for value in ["", " ", ","] {
            let text = refusal(Config::parse(Path::new("f"), &file, &environment(&[(name, value)]), Flags::default()));
            assert!(
                text.starts_with(&format!(
                    "error[SW-CONFIG-004]: {setting} (environment variable {name}): '' is not a "
                )),
                "{text}"
            );
            assert!(
                text.ends_with(&format!(
                    "\n  next: Unset {name}, so that what shardwire.toml says counts, or give it a value."
                )),
                "{text}"
            );
        }
    }
}

#[test]
fn a_file_with_a_byte_order_mark_is_read_and_one_in_utf_16_is_called_that() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("shardwire.toml");
    let load = || Config::load(&path, &Environment::default(), Flags::default());
    std::fs::write(&path, "\u{feff}roles = ['prover']\nlisten = 'x'").unwrap();
    assert!(refusal(load()).contains("shardwire.toml, line 2): 'x' is not an IP address"));
    std::fs::write(&path, "roles".encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<u8>>()).unwrap();
    assert_eq!(
        refusal(load()),
        format!(
            "error[SW-CONFIG-012]: {}: it is text in UTF-16, not in UTF-8: save it as UTF-8\n  next: Save it as UTF-8 in an editor.",
            path.display()
        )
    );
}

#[test]
fn a_misspelt_setting_is_named_with_what_was_meant() {
    let next = |text| refusal(parse(text));
    assert_eq!(
        next("roles = ['prover']\n\nlissten = 'x'"),
        "error[SW-CONFIG-003]: shardwire.toml, line 3: there is no setting 'lissten'\n  next: Did you mean 'listen'?"
    );
    assert_eq!(
        next("[worker]\nnice = 1\n"),
        "error[SW-CONFIG-003]: shardwire.toml, line 2: there is no setting 'worker.nice'\n  next: Remove it. The settings are \
         network, roles, listen, advertise, peers, admins, profile, settler.shard_timeout_s, operator.proof_memory_bytes, worker.path, worker.memory_limit_bytes, worker.deadline_s, worker.threads, \
         reputation.allow, reputation.deny, reputation.work_half_life_s, reputation.fault_half_life_s, reputation.first_ban_s, \
         reputation.longest_ban_s, reputation.quotas, reputation.memory_watermark_bytes, metrics.listen, rpc.listen, fork.nodes, log.level, \
         log.format."
    );
    assert!(next("worker.memory_limit = 1").ends_with("Did you mean 'worker.memory_limit_bytes'?"));
    assert!(next("deadline_s = 1").ends_with("Did you mean 'worker.deadline_s'?"));
    assert!(next("[wroker]\npath = ''").contains("there is no setting 'wroker'"));
}

#[test]
fn a_file_that_is_no_toml_is_refused_with_the_line() {
    assert_eq!(
        refusal(parse("roles = ['prover']\nlisten = \n")),
        "error[SW-CONFIG-002]: shardwire.toml, line 2: string values must be quoted, expected literal string\n  \
         next: Correct the line; `shardwire init` writes a file with every setting in it."
    );
    let twice = refusal(parse("listen = 'a'\nlisten = 'b'"));
    assert!(twice.starts_with("error[SW-CONFIG-002]: shardwire.toml, line 2: duplicate key"), "{twice}");
}

#[test]
fn a_bad_value_says_where_it_stands_and_what_is_expected() {
    assert_eq!(
        refusal(parse("roles = [\n 'prover',\n 'miner',\n]")),
        "error[SW-CONFIG-004]: roles (shardwire.toml, line 3): 'miner' is not a role: settler, operator or prover\n  \
         next: Correct the value, or remove it to get the default."
    );
    let message = |text: &str| parse(text).expect_err("refused").to_string();
    assert_eq!(
        message("listen = '0.0.0.0'"),
        "listen (shardwire.toml, line 1): '0.0.0.0' is not an IP address of this machine and a port, such as 127.0.0.1:7000 (port 0: any free one; never one of many machines)"
    );
    assert_eq!(
        message("network = 'My Network'"),
        "network (shardwire.toml, line 1): 'My Network' is not a network's name: 1 to 64 of the characters a-z, 0-9, '-', '_' and '.'"
    );
    assert_eq!(
        message("peers = ['abc@127.0.0.1:1']"),
        "peers (shardwire.toml, line 1): 'abc@127.0.0.1:1' is not a peer: its id (64 hexadecimal digits), and @IP:PORT or @NAME:PORT \
         behind it if this node shall dial it (never 0.0.0.0, [::] or port 0: those are for listening)"
    );
    assert_eq!(message("admins = [1]"), "admins (shardwire.toml, line 1): '1' is not a peer id: 64 hexadecimal digits");
    assert_eq!(
        message("[worker]\nmemory_limit_bytes = '12 GiB'"),
        "worker.memory_limit_bytes (shardwire.toml, line 2): '12 GiB' is not a number of bytes, such as 12884901888 for 12 GiB"
    );
    assert_eq!(
        message("worker = { deadline_s = 604801 }"),
        "worker.deadline_s (shardwire.toml, line 1): '604801' is not a number of seconds of at most a week (604800)"
    );
    assert_eq!(
        message("worker.threads = -1"),
        "worker.threads (shardwire.toml, line 1): '-1' is not a number of threads of at most 1024"
    );
    assert_eq!(
        message("worker.path = ''"),
        "worker.path (shardwire.toml, line 1): '' is not the path of an executable file"
    );
    assert_eq!(
        message("profile = 'wan'"),
        "profile (shardwire.toml, line 1): 'wan' is not a profile: internet or datacentre"
    );
    assert_eq!(
        message("log.level = 'loud'"),
        "log.level (shardwire.toml, line 1): 'loud' is not a log level (error, warn, info, debug, trace), or a filter such as \
         info,shardwire=debug"
    );
    assert_eq!(
        message("log.format = 'xml'"),
        "log.format (shardwire.toml, line 1): 'xml' is not a log format: text or json"
    );
    assert_eq!(
        message("network = { name = 'x' }"),
        "network (shardwire.toml, line 1): '{ name = 'x' }' is not a network's name: 1 to 64 of the characters a-z, 0-9, '-', '_' and '.'"
    );
}

#[test]
fn a_bad_value_of_the_environment_or_a_flag_names_it() {
    let env = environment(&[("SHARDWIRE_PROFILE", "fast")]);
    let error = Config::parse(Path::new("f"), "", &env, Flags::default()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "profile (environment variable SHARDWIRE_PROFILE): 'fast' is not a profile: internet or datacentre"
    );
    assert!(!error.is_misuse());
    let flags = Flags::default().with(Setting::Roles, ["settler", "cook"]);
    let error = Config::parse(Path::new("f"), "", &Environment::default(), flags).unwrap_err();
    assert_eq!(error.to_string(), "roles (flag --role): 'cook' is not a role: settler, operator or prover");
    assert!(error.is_misuse());
}

#[test]
fn a_node_without_a_role_is_refused() {
    for text in ["", "roles = []"] {
        let config = parse(text).unwrap();
        let contents = FolderContents { own: A.parse().unwrap(), missing_world: Some("none".into()) };
        assert_eq!(
            refusal(config.check(contents).map(|()| config.clone())),
            "error[SW-CONFIG-005]: this node has no role\n  next: Give at least one of settler, operator, prover: `roles` in \
             shardwire.toml, SHARDWIRE_ROLES or --role."
        );
    }
}

#[test]
fn what_is_there_twice_is_refused() {
    assert_eq!(
        refusal(parse(&format!("roles = ['prover']\npeers = ['{A}@127.0.0.1:1',\n'{A}']"))),
        format!(
            "error[SW-CONFIG-007]: peers (shardwire.toml, line 3): {A} is there twice\n  next: Remove one of the two."
        )
    );
    assert!(
        refusal(parse(&format!("roles = ['prover']\npeers = ['{A}@127.0.0.1:1', '{B}@127.0.0.1:1']")))
            .contains("127.0.0.1:1 is there twice")
    );
    assert!(
        refusal(parse("roles = ['prover', 'prover']"))
            .contains("roles (shardwire.toml, line 1): prover is there twice")
    );
}

#[test]
fn limits_of_zero_are_refused() {
    for key in ["worker.memory_limit_bytes", "worker.deadline_s", "worker.threads", "operator.proof_memory_bytes"] {
        assert_eq!(
            refusal(parse(&format!("roles = ['prover']\n{key} = 0"))),
            format!(
                "error[SW-CONFIG-009]: {key} (shardwire.toml, line 2) is zero\n  next: Give a limit above zero, or remove it to \
                 get the default."
            )
        );
    }
}

#[test]
fn too_long_a_list_is_refused() {
    let peers: Vec<String> = (0..=MAX_PEERS).map(|n| format!("'{n:064x}'")).collect();
    assert_eq!(
        refusal(parse(&format!("roles = ['prover']\npeers = [{}]", peers.join(",")))),
        "error[SW-CONFIG-010]: peers (shardwire.toml, line 2): 257 given, at most 256 allowed\n  next: Shorten the list."
    );
}

#[test]
fn the_data_folder_may_contradict() {
    let config = parse(&format!("roles = ['settler']\npeers = ['{A}']")).unwrap();
    let oneself = config.check(FolderContents { own: A.parse().unwrap(), missing_world: None });
    assert_eq!(
        refusal(oneself.map(|()| config.clone())),
        format!(
            "error[SW-CONFIG-006]: peers (shardwire.toml, line 2): {A} is this node itself\n  next: Remove it; `shardwire init` and \
             `shardwire run` print a node's own id."
        )
    );
    let missing = |path: Option<&str>| FolderContents { own: B.parse().unwrap(), missing_world: path.map(Into::into) };
    assert_eq!(
        refusal(config.check(missing(Some("node/ledger.redb"))).map(|()| config.clone())),
        "error[SW-CONFIG-008]: the role settler needs a World, and node/ledger.redb doesn't exist\n  next: If it was there, restore it from a \
         copy: what the World holds is in that file. Else create a data folder with `shardwire init --data DIR --role settler \
         --world FILE`, or remove the role."
    );
    assert!(config.check(missing(None)).is_ok());
}

/// A fixed bug: it was opened, so who read it again waited for somebody at the pipe's other end.
#[cfg(unix)]
#[test]
fn a_pipe_in_the_place_of_the_file_is_refused_and_nobody_is_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    let pipe = folder.path().join("shardwire.toml");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    assert_eq!(
        refusal(Config::load(&pipe, &Environment::default(), Flags::default())),
        format!(
            "error[SW-CONFIG-001]: can't read {}: it is a pipe, a socket or a device, not a file\n  next: Put a file in its place.",
            pipe.display()
        )
    );
}

#[test]
fn an_unreadable_file_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let load = |path: &Path| Config::load(path, &Environment::default(), Flags::default());
    let missing = folder.path().join("shardwire.toml");
    let text = refusal(load(&missing));
    assert!(text.starts_with(&format!("error[SW-CONFIG-001]: can't read {}: ", missing.display())), "{text}");
    assert!(
        text.ends_with("next: Create the data folder with `shardwire init --data DIR`, or correct --data."),
        "{text}"
    );
    std::fs::write(&missing, vec![b'#'; 300_000]).unwrap();
    assert_eq!(
        refusal(load(&missing)),
        format!(
            "error[SW-CONFIG-011]: {} is larger than 262144 bytes\n  next: Check that this is the node's configuration file.",
            missing.display()
        )
    );
    std::fs::write(&missing, [0xff]).unwrap();
    assert!(refusal(load(&missing)).starts_with("error[SW-CONFIG-012]"));
}

#[test]
fn what_is_probably_not_meant_is_warned_of() {
    let env = environment(&[("SHARDWIRE_ROLE", "prover"), ("SHARDWIRE_DATA", "d")]);
    let config = Config::parse(Path::new("f"), "roles = ['prover']\nlisten = '0.0.0.0:7000'", &env, Flags::default());
    let warnings: Vec<String> = config.unwrap().warnings.iter().map(ToString::to_string).collect();
    assert_eq!(
        warnings,
        [
            "listening on 0.0.0.0:7000, which other machines can reach: any peer may connect there and be refused; use 127.0.0.1 to \
             keep the node to this machine",
            "listening on 0.0.0.0:7000, which stands for every address of this machine and is none that others can dial; set \
             `advertise` to the one, or the name, that they shall dial",
            "environment variable SHARDWIRE_ROLE is no setting and is ignored; did you mean SHARDWIRE_ROLES?"
        ]
    );
}

#[test]
fn a_listen_address_is_never_a_dial_address() {
    for text in ["0.0.0.0:7000", "[::]:7000", "127.0.0.1:0"] {
        let peer = refusal(parse(&format!("roles = ['prover']\npeers = ['{A}@{text}']")));
        assert!(
            peer.starts_with("error[SW-CONFIG-004]: peers (shardwire.toml, line 2): ")
                && peer.contains("those are for listening"),
            "{peer}"
        );
        let advertised = refusal(parse(&format!("advertise = '{text}'")));
        assert!(
            advertised.starts_with(&format!(
                "error[SW-CONFIG-004]: advertise (shardwire.toml, line 1): '{text}' is not what others dial: an IP address or a host's name, and \
                 a port"
            )),
            "{advertised}"
        );
    }
    let config = parse("roles = ['prover']\nlisten = '[::]:7000'\nadvertise = 'node.example.org:7000'").unwrap();
    assert_eq!(config.advertise.unwrap().to_string(), "node.example.org:7000");
    assert!(config.warnings.iter().all(|it| !matches!(it, Warning::NotAdvertised(_))), "{:?}", config.warnings);
}

#[test]
fn a_peer_may_be_named_by_the_name_of_its_host() {
    let config = parse(&format!("roles = ['prover']\npeers = ['{A}@settler:7001', '{B}@127.0.0.1:7001']")).unwrap();
    let [named, numbered] = &config.peers[..] else { panic!("{:?}", config.peers) };
    assert_eq!((named.to_string(), named.ip()), (format!("{A}@settler:7001"), None));
    assert_eq!(numbered.ip(), Some([127, 0, 0, 1].into()));
    let twice = refusal(parse(&format!("roles = ['prover']\npeers = ['{A}@settler:7001', '{B}@Settler:7001']")));
    assert!(twice.contains("settler:7001 is there twice"), "{twice}");
}

#[test]
fn networks_are_named_by_their_chains_each_with_the_nodes_that_know_it() {
    let text = "roles = ['operator']\nfork.nodes = ['SN_MAIN=https://one.example/rpc?key=a=b', '0x534e5f4d41494e=http://[::1]:5050', \
                'SW_X=http://node:1']";
    let config = parse(text).unwrap();
    let nodes: Vec<_> = config.fork_nodes.iter().map(|it| (it.chain_name(), it.url.as_str())).collect();
    let named = |chain: &str, url| (chain.to_owned(), url);
    assert_eq!(
        nodes,
        [
            named("SN_MAIN", "https://one.example/rpc?key=a=b"),
            named("SN_MAIN", "http://[::1]:5050"),
            named("SW_X", "http://node:1")
        ]
    );
    assert_eq!(config.fork_nodes[0].chain, config.fork_nodes[1].chain);
    assert_eq!(config.warnings, []);
    let env = environment(&[("SHARDWIRE_FORK_NODES", "0x1=http://one, 0x02=http://two")]);
    let config = Config::parse(Path::new("f"), "roles = ['settler']", &env, Flags::default()).unwrap();
    let chains: Vec<_> = config.fork_nodes.iter().map(crate::ForkNode::chain_name).collect();
    assert_eq!(chains, ["0x1", "0x2"]);
    let prover = parse("roles = ['prover']\nfork.nodes = ['0x1=http://one']").unwrap();
    assert_eq!(
        prover.warnings.iter().map(ToString::to_string).collect::<Vec<_>>(),
        ["`fork.nodes` is given and this node is neither operator nor settler: it asks no network about anything"]
    );
}

#[test]
fn no_error_shows_the_address_of_a_node_which_may_have_a_secret_in_it() {
    let expects =
        "a chain id and a Starknet node that knows that network, such as SN_SEPOLIA=https://node.example.org/rpc/v0_9";
    for (given, shown) in [
        ("SN_MAIN=ftp://secret", "SN_MAIN=…"),
        ("SN-MAIN=https://secret", "SN-MAIN=…"),
        ("=https://secret", "=…"),
        ("0x=https://secret", "0x=…"),
        ("0x0=https://secret", "0x0=…"),
        ("SN_MAIN=https://", "SN_MAIN=…"),
        ("SN_MAIN=https:///secret", "SN_MAIN=…"),
        ("SN_MAIN=https://a secret", "SN_MAIN=…"),
        ("https://secret", "…"),
        ("SN_MAIN", "SN_MAIN"),
    ] {
        let said = refusal(parse(&format!("roles = ['operator']\nfork.nodes = ['{given}']")));
        let told = format!("error[SW-CONFIG-004]: fork.nodes (shardwire.toml, line 2): '{shown}' is not {expects}");
        assert!(said.starts_with(&told), "{said}");
    }
    let long = format!("SN_MAIN=https://{}", "a".repeat(crate::MAX_URL_BYTES));
    assert!(refusal(parse(&format!("fork.nodes = ['{long}']"))).contains("'SN_MAIN=…' is not"));
    let twice = refusal(parse("fork.nodes = ['0x1=http://secret', '0x1=http://secret']"));
    assert!(twice.contains("fork.nodes (shardwire.toml, line 1): 0x1=… is there twice"), "{twice}");
    let many: Vec<String> = (0..=MAX_FORK_NODES).map(|n| format!("'0x1=http://n{n}'")).collect();
    let many = refusal(parse(&format!("fork.nodes = [{}]", many.join(","))));
    assert!(many.contains("fork.nodes (shardwire.toml, line 1): 65 given, at most 64 allowed"), "{many}");
    let shown = format!("{:?}", parse("roles = ['operator']\nfork.nodes = ['0x1=http://secret']").unwrap().fork_nodes);
    assert!(!shown.contains("secret"), "{shown}");
}
