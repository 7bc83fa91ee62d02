use super::{Belongs, Created, DataFolder, DataPaths, InitError, Look, Running, world::kept_in};
use rand::{SeedableRng, rngs::StdRng};
use shardwire_config::{Config, Environment, Flags, Setting};
use shardwire_model::{Coded, Felt, PeerId};
use shardwire_store::SystemDisk;
use shardwire_world::{EmbeddedLedger, WorldIdentity};
use std::{fs, path::Path, process::Command};

const WORLD: &str = r#"{"storage":[{"contract":"0x1","key":"0x1","kind":"counter","value":0},{"contract":"0x1","key":"0x2","kind":"escrow","value":1000},{"contract":"0x1","key":"0x3","kind":"lock","value":"0x77"}]}"#;

fn draft(values: &[(Setting, &str)]) -> Config {
    let flags = values.iter().fold(Flags::default(), |flags, (setting, value)| flags.with(*setting, [*value]));
    Config::draft(&Environment::default(), flags).unwrap()
}

const PROGRAM: Felt = Felt::TWO;

fn init(root: &Path, config: &Config, world: Option<&Path>, rng: &mut StdRng) -> Result<Created, InitError> {
    let belongs = world.map_or(Belongs::Unknown, |genesis| Belongs::To { genesis, settlers: &[] });
    super::init(root, config, belongs, &[PROGRAM], rng)
}

fn rng() -> StdRng {
    StdRng::seed_from_u64(7)
}

fn operator(root: &Path) -> Created {
    init(root, &draft(&[(Setting::Roles, "operator")]), None, &mut rng()).unwrap()
}

fn shown<T: std::fmt::Debug, E: Coded>(result: Result<T, E>) -> String {
    let error = result.expect_err("refused");
    format!("error[{}]: {error}\n  next: {}", error.code(), error.next_step())
}

#[cfg(unix)]
fn mode(path: &Path) -> u32 {
    use std::os::unix::fs::PermissionsExt as _;
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn a_new_folder_is_private_and_its_file_says_what_was_given() {
    let place = tempfile::tempdir().unwrap();
    let root = place.path().join("deep/node");
    let config =
        draft(&[(Setting::Roles, "operator"), (Setting::Listen, "127.0.0.1:7000"), (Setting::Network, "devnet")]);
    let created = init(&root, &config, None, &mut rng()).unwrap();
    assert_eq!(created.storage, None);
    #[cfg(unix)]
    {
        assert_eq!(mode(&root), 0o700);
        assert_eq!(mode(&created.paths.identity()), 0o600);
        assert_eq!(mode(&created.paths.config()), 0o600);
    }
    let text = fs::read_to_string(created.paths.config()).unwrap();
    assert!(text.contains(&created.peer.to_string()));
    assert!(text.contains("\nnetwork = \"devnet\"\n") && text.contains("\nlisten = \"127.0.0.1:7000\"\n"), "{text}");
    assert!(text.contains("\n# profile = \"internet\"\n") && text.contains("\n# deadline_s = 1800\n"), "{text}");
    assert!(!kept_in(&created.paths).exists());
    let again = Config::load(&created.paths.config(), &Environment::default(), Flags::default()).unwrap();
    assert_eq!((again.network, again.roles, again.listen), (config.network, config.roles, config.listen));
}

#[test]
fn every_line_of_a_new_file_is_a_valid_setting() {
    let place = tempfile::tempdir().unwrap();
    let created = operator(&place.path().join("node"));
    let text = fs::read_to_string(created.paths.config()).unwrap();
    let uncommented: Vec<String> = text
        .lines()
        .map(|line| line.replace("<64 hexadecimal digits>", &"1".repeat(64)))
        .map(|line| {
            line.strip_prefix("# ")
                .filter(|rest| rest.split_once(" = ").is_some_and(|(key, _)| !key.contains(' ')))
                .map_or(line.clone(), ToOwned::to_owned)
        })
        .collect();
    let config =
        Config::parse(Path::new("f"), &uncommented.join("\n"), &Environment::default(), Flags::default()).unwrap();
    for setting in Setting::ALL {
        assert!(config.origin(setting).to_string().starts_with("f, line "), "{setting} is not in\n{text}");
    }
}

#[test]
fn a_settler_gets_its_world() {
    let place = tempfile::tempdir().unwrap();
    let world = place.path().join("world.json");
    fs::write(&world, WORLD).unwrap();
    let settler = draft(&[(Setting::Roles, "settler")]);
    let root = place.path().join("settler");
    let created = init(&root, &settler, Some(&world), &mut rng()).unwrap();
    assert_eq!(created.storage, Some(3));
    let world = created.world.unwrap();
    assert_eq!(WorldIdentity::from_json(&fs::read_to_string(created.paths.world()).unwrap()), Ok(world.clone()));
    assert!(world.is_settler(created.peer) && world.programs().contains(&PROGRAM));
    assert_eq!((world.network(), world.settlers().len()), ("local", 1));
    let ledger = EmbeddedLedger::open(&SystemDisk, &kept_in(&created.paths), &world).unwrap();
    assert_eq!(ledger.storage(None, 10).unwrap().len(), 3);
}

#[test]
fn other_nodes_join_the_world_of_a_file_and_take_its_network() {
    let place = tempfile::tempdir().unwrap();
    let genesis = place.path().join("dungeon.json");
    fs::write(&genesis, WORLD).unwrap();
    let settler = draft(&[(Setting::Roles, "settler"), (Setting::Network, "devnet")]);
    let others = [PeerId([1; 32]), PeerId([2; 32])];
    let belongs = Belongs::To { genesis: &genesis, settlers: &others };
    let made = super::init(&place.path().join("settler"), &settler, belongs, &[PROGRAM], &mut rng()).unwrap();
    let world = made.world.unwrap();
    assert!(!world.is_settler(made.peer) && world.settlers().iter().eq(&others));

    let file = made.paths.world();
    let join = |name: &str, config: &[(Setting, &str)], program: Felt, file: &Path| {
        super::init(&place.path().join(name), &draft(config), Belongs::Joins(file), &[program], &mut rng())
    };
    let joined = join("operator", &[(Setting::Roles, "operator")], PROGRAM, &file).unwrap();
    assert_eq!(joined.world, Some(world));
    assert_eq!(fs::read(joined.paths.world()).unwrap(), fs::read(&file).unwrap());
    let config = Config::load(&joined.paths.config(), &Environment::default(), Flags::default()).unwrap();
    assert_eq!(config.network, "devnet");

    let elsewhere = join("b", &[(Setting::Network, "elsewhere")], PROGRAM, &file);
    assert!(shown(elsewhere).starts_with("error[SW-WORLD-022]"));
    assert!(shown(join("b", &[], Felt::ONE, &file)).starts_with("error[SW-WORLD-024]"));
    let missing = shown(join("b", &[], PROGRAM, &place.path().join("none.json")));
    assert!(missing.starts_with("error[SW-WORLD-025]") && missing.contains("none.json"), "{missing}");
    assert!(missing.contains("Give --join the path of the `world.json` in the settler's data folder"), "{missing}");
    let genesis = shown(join("b", &[], PROGRAM, &genesis));
    assert!(genesis.starts_with("error[SW-WORLD-010]"), "{genesis}");
    assert!(!place.path().join("b").exists());
}

#[test]
fn a_world_that_does_not_fit_creates_nothing() {
    let place = tempfile::tempdir().unwrap();
    let root = place.path().join("node");
    let settler = draft(&[(Setting::Roles, "settler")]);
    assert_eq!(
        shown(init(&root, &settler, None, &mut rng())),
        "error[SW-INIT-003]: a settler keeps a World, and no file says what that begins with\n  next: Add --world FILE: a workload \
         file, or one with its `world` part only."
    );
    let world = place.path().join("world.json");
    fs::write(&world, WORLD).unwrap();
    assert_eq!(
        shown(init(&root, &draft(&[(Setting::Roles, "prover")]), Some(&world), &mut rng())),
        "error[SW-INIT-004]: --world is for the role settler, which this node doesn't have\n  next: Remove --world, or add --role \
         settler."
    );
    fs::write(&world, WORLD.replace("1000", "-1")).unwrap();
    let text = shown(init(&root, &settler, Some(&world), &mut rng()));
    assert!(text.starts_with("error[SW-WORKLOAD-003]: ") && text.contains("world.json:1"), "{text}");
    let missing = shown(init(&root, &settler, Some(&place.path().join("none.json")), &mut rng()));
    assert!(missing.starts_with("error[SW-WORKLOAD-001]"), "{missing}");
    assert!(!root.exists());
}

#[test]
fn init_never_overwrites() {
    let place = tempfile::tempdir().unwrap();
    let root = place.path().join("node");
    let created = operator(&root);
    let before = fs::read(created.paths.identity()).unwrap();
    let again = init(&root, &draft(&[]), None, &mut StdRng::seed_from_u64(8));
    assert_eq!(
        shown(again),
        format!(
            "error[SW-INIT-001]: {root} is a data folder already\n  next: Use it: `shardwire run --data {root}`; or choose another \
             folder. Nothing was changed.",
            root = root.display()
        )
    );
    assert_eq!(fs::read(created.paths.identity()).unwrap(), before);

    let foreign = place.path().join("foreign");
    fs::create_dir(&foreign).unwrap();
    fs::write(foreign.join("letter.txt"), "dear").unwrap();
    assert_eq!(
        shown(init(&foreign, &draft(&[]), None, &mut rng())),
        format!(
            "error[SW-INIT-002]: {} isn't empty: it has letter.txt\n  next: Choose a new or an empty folder; if this is the rest of an \
             interrupted `shardwire init`, remove it first.",
            foreign.display()
        )
    );
    let file = foreign.join("letter.txt");
    assert!(shown(init(&file, &draft(&[]), None, &mut rng())).starts_with("error[SW-DATA-001]"));

    let empty = place.path().join("empty");
    fs::create_dir(&empty).unwrap();
    operator(&empty);
    #[cfg(unix)]
    assert_eq!(mode(&empty), 0o700);
}

#[test]
fn a_folder_belongs_to_one_process() {
    let place = tempfile::tempdir().unwrap();
    let root = place.path().join("node");
    assert_eq!(
        shown(DataFolder::open(&root)),
        format!(
            "error[SW-DATA-002]: {root} is no data folder: it has no shardwire.toml\n  next: Create it with `shardwire init --data \
             {root} --role ROLE`, or correct --data.",
            root = root.display()
        )
    );
    let peer = operator(&root).peer;
    let folder = DataFolder::open(&root).unwrap();
    assert_eq!(folder.identity().peer(), peer);
    assert!(shown(DataFolder::open(&root)).starts_with(&format!(
        "error[SW-DATA-003]: {} is in use by another process\n  next: One process uses a data folder at a time: stop the other one, \
         or use another folder.",
        root.display()
    )));
    folder.announce(&running(peer)).unwrap();
    assert!(shown(DataFolder::open(&root)).contains("is in use by another process (42)\n"));
    drop(folder);
    DataFolder::open(&root).unwrap();
}

fn running(peer: PeerId) -> Running {
    Running {
        pid: 42,
        listen: "0.0.0.0:7000".parse().unwrap(),
        advertise: None,
        peer,
        network: "local".into(),
        rpc: None,
    }
}

#[test]
fn a_running_node_is_told_from_one_that_was_killed() {
    let place = tempfile::tempdir().unwrap();
    let root = place.path().join("node");
    let Created { paths, peer, .. } = operator(&root);
    let not_running = format!("no node is running in {}", root.display());
    assert_eq!(
        shown(paths.running()),
        format!("error[SW-DATA-004]: {not_running}\n  next: Start it with `shardwire run --data {}`.", root.display())
    );
    let folder = DataFolder::open(&root).unwrap();
    assert_eq!(
        shown(paths.running()),
        format!(
            "error[SW-DATA-008]: a process uses {}, and there is no running.json that says how to reach it\n  next: Try again in a moment, if the \
             node has just been started. If somebody removed the file, end the node by a signal (SIGTERM) and start it again.",
            root.display()
        )
    );
    folder.announce(&running(peer)).unwrap();
    assert_eq!(paths.running().unwrap(), running(peer));
    assert_eq!(running(peer).dial(), "127.0.0.1:7000".parse().unwrap());
    let announced = fs::read(paths.announcement()).unwrap();
    drop(folder);
    assert!(!paths.announcement().exists());

    // What `kill -9` leaves: the announcement, but no lock.
    fs::write(paths.announcement(), announced).unwrap();
    assert_eq!(paths.running().unwrap_err().to_string(), format!("{not_running}: the last one was killed"));
    let folder = DataFolder::open(&root).unwrap();
    assert!(!paths.announcement().exists(), "the next node withdraws it");

    fs::write(paths.announcement(), "{}").unwrap();
    assert_eq!(
        shown(paths.running()),
        format!(
            "error[SW-DATA-005]: {} is damaged: missing field `pid` at line 1 column 2\n  next: Stop the node and start it again: it \
             writes the file anew.",
            paths.announcement().display()
        )
    );
    drop(folder);
}

#[test]
#[cfg(unix)]
fn an_identity_that_others_can_read_is_refused() {
    let place = tempfile::tempdir().unwrap();
    let root = place.path().join("node");
    let key = operator(&root).paths.identity();
    assert!(Command::new("chmod").arg("644").arg(&key).status().unwrap().success());
    let text = shown(DataFolder::open(&root));
    assert!(text.starts_with("error[SW-IDENTITY-003]") && text.contains("0644"), "{text}");
}

#[test]
fn to_look_changes_nothing_and_shares_with_others_who_look_but_not_with_a_node() {
    let place = tempfile::tempdir().unwrap();
    let root = place.path().join("node");
    let peer = operator(&root).peer;
    let look = Look::at(&root).unwrap();
    assert!(look.peer() == peer && look.refused().is_none());
    assert!(!root.join("lock").exists(), "no node ever ran here");
    drop(DataFolder::open(&root).unwrap());
    let (one, another) = (Look::at(&root).unwrap(), Look::at(&root).unwrap());
    assert!(shown(DataFolder::open(&root)).starts_with("error[SW-DATA-003]"));
    assert!(shown(one.paths().running()).starts_with("error[SW-DATA-004]"), "who looks is no node");
    drop((one, another));
    let node = DataFolder::open(&root).unwrap();
    assert!(shown(Look::at(&root)).starts_with("error[SW-DATA-003]"));
    drop(node);

    // The key isn't needed to say whose folder it is.
    fs::rename(root.join("identity.key"), place.path().join("key")).unwrap();
    let look = Look::at(&root).unwrap();
    assert_eq!((look.peer(), look.refused().unwrap().code()), (peer, "SW-IDENTITY-001"));
    drop(look);
    fs::remove_file(root.join("identity.pub")).unwrap();
    assert!(shown(Look::at(&root)).starts_with("error[SW-IDENTITY-001]"));
    fs::rename(place.path().join("key"), root.join("identity.key")).unwrap();
    DataFolder::open(&root).unwrap().announce(&running(peer)).unwrap();
    assert_eq!(
        fs::read_to_string(root.join("identity.pub")).unwrap(),
        format!("{peer}\n"),
        "a node that runs writes it anew"
    );
}

#[test]
fn a_folder_without_its_configuration_is_told_from_no_folder() {
    let place = tempfile::tempdir().unwrap();
    let root = place.path().join("node");
    let paths = operator(&root).paths;
    fs::remove_file(paths.config()).unwrap();
    for refused in [shown(DataFolder::open(&root)), shown(Look::at(&root)), shown(DataPaths::existing(&root))] {
        assert!(refused.starts_with(&format!(
            "error[SW-DATA-007]: {} is a data folder, but its shardwire.toml is gone",
            root.display()
        )));
    }
    assert!(shown(DataPaths::existing(&paths.identity().join("below a file"))).starts_with("error[SW-DATA-002]"));
}

#[test]
fn what_this_user_may_not_read_is_not_said_to_be_missing() {
    let place = tempfile::tempdir().unwrap();
    let denied = super::DataError::Disk {
        path: place.path().into(),
        what: "read",
        reason: std::io::ErrorKind::PermissionDenied.into(),
    };
    assert_eq!(denied.next_step(), "Run the command as the user that owns the folder, or let this user in.");
}

#[test]
fn a_path_that_is_no_folder_is_said_to_be_none() {
    let place = tempfile::tempdir().unwrap();
    let file = place.path().join("file");
    fs::write(&file, "").unwrap();
    let next = "Name a folder: something else is there, or a link that leads nowhere.";
    for kind in [std::io::ErrorKind::NotADirectory, std::io::ErrorKind::AlreadyExists] {
        let error = super::DataError::Disk { path: file.clone(), what: "read", reason: kind.into() };
        assert_eq!(error.next_step(), next);
    }
    let refused = shown(DataPaths::of_running(&file));
    assert!(refused.starts_with("error[SW-DATA-001]") && refused.ends_with(next), "{refused}");
}

/// A fixed bug: a pipe in the place of a file of the folder made the node wait for somebody at its other end, for ever.
#[cfg(unix)]
#[test]
fn a_pipe_in_the_place_of_a_file_is_refused_and_waits_for_nobody() {
    let place = tempfile::tempdir().unwrap();
    let root = place.path().join("node");
    let made = operator(&root);
    let pipe = |path: &Path| {
        let _ = fs::remove_file(path);
        assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
    };
    pipe(&made.paths.world());
    let world = crate::world::identity(&SystemDisk, &made.paths).unwrap_err();
    assert_eq!(world.code(), "SW-WORLD-021");
    assert!(world.to_string().ends_with("it is a pipe, a socket or a device, not a file"), "{world}");
    pipe(&made.paths.lock());
    let claimed = DataFolder::open(&root).unwrap_err().to_string();
    assert!(claimed.ends_with("it is a pipe, a socket or a device, not a file"), "{claimed}");
    fs::remove_file(made.paths.lock()).unwrap();
    pipe(&made.paths.public_identity());
    let published = DataFolder::open(&root).unwrap().announce(&running(made.peer)).unwrap_err().to_string();
    assert!(published.ends_with("it is a pipe, a socket or a device, not a file"), "{published}");
    fs::remove_file(made.paths.public_identity()).unwrap();
    pipe(&made.paths.identity());
    let identity = DataFolder::open(&root).unwrap_err().to_string();
    assert!(identity.contains("not a file"), "{identity}");
}
