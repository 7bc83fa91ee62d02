//! What stands in a data folder where a node has something else: found by a look as by a start.
#![cfg(unix)]

use super::{
    Report, boxed, check,
    tests::{folder, proven},
};
use crate::{
    data::{DataFolder, Running},
    run::RunError,
};
use shardwire_store::{Store, SystemDisk, records::LAYOUT};
use std::{fs, path::Path, process::Command};

/// Puts something in the place of a file.
fn put(kind: &str, path: &Path) {
    let _ = fs::remove_file(path);
    match kind {
        "folder" => fs::create_dir(path).unwrap(),
        "pipe" => assert!(Command::new("mkfifo").arg(path).status().unwrap().success()),
        "link to nowhere" => std::os::unix::fs::symlink("/nowhere/at/all", path).unwrap(),
        _ => fs::write(path, "").unwrap(),
    }
}

fn looked(root: &Path) -> Report {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(check(root)).unwrap()
}

/// What a start does with the small files of a folder.
fn starts(root: &Path) -> Result<(), RunError> {
    let folder = DataFolder::open(root).map_err(boxed)?;
    drop(Store::open(&SystemDisk, &folder.paths().store(), &LAYOUT).map_err(boxed)?);
    let (peer, network) = (folder.identity().peer(), "local".into());
    let running = Running { pid: 1, listen: ([127, 0, 0, 1], 1).into(), advertise: None, peer, network, rpc: None };
    folder.announce(&running).map_err(boxed)
}

#[test]
fn what_is_no_file_is_found_where_a_start_is_refused_for_it_with_the_same_code_and_what_to_do() {
    for name in ["lock", "node.used", "identity.pub", "running.json", "running.json.partial"] {
        for kind in ["folder", "pipe", "link to nowhere", "file"] {
            let place = tempfile::tempdir().unwrap();
            let (root, paths) = folder(place.path());
            proven(&root, &paths);
            put(kind, &root.join(name));
            let report = looked(&root);
            let found: Vec<_> = report.findings.iter().map(|it| (it.file.as_str(), it.code.clone())).collect();
            match starts(&root) {
                Ok(()) => assert!(found.is_empty(), "{kind} {name}: {found:?}"),
                Err(refused) => {
                    assert_eq!(found, [(name, refused.code().to_owned())], "{kind} {name}: {refused}");
                    assert!(report.findings[0].next_step.ends_with('.'), "{:?}", report.findings);
                }
            }
            // What a start takes away or writes over is in nobody's way, and a file never is.
            let harmless = kind == "file"
                || (name == "running.json" && kind != "folder")
                || (name, kind) == ("node.used", "link to nowhere");
            assert_eq!(found.is_empty(), harmless, "{kind} {name}");
        }
    }
}

#[test]
fn what_is_no_folder_is_found_before_something_has_to_be_written_there() {
    for name in ["shards", "jobs", "proofs", "probe"] {
        let place = tempfile::tempdir().unwrap();
        let (root, _) = folder(place.path());
        put("file", &root.join(name));
        let report = looked(&root);
        let [found] = report.findings.try_into().unwrap();
        let path = root.join(name).display().to_string();
        assert_eq!((found.file.as_str(), found.code.as_str()), (name, "SW-DATA-001"));
        assert_eq!(found.what, format!("{path} can't be written: not a directory"));
        assert_eq!(found.next_step, format!("Move {path} away: the node has a folder of that name."));
    }
}
