//! Real classes and the real program; and programs that end in every other way.

use shardwire_compiler::{Bounds, Compiler, MAX_ANSWER_BYTES};
use shardwire_model::Coded as _;
use shardwire_native::{
    Class, ClassError,
    bounds::{COMPILER_STACK_BYTES, MAX_CLASS_BYTES},
};
use std::{fs, os::unix::fs::PermissionsExt as _, path::PathBuf, time::Duration};

const GOLD: &str = include_str!("../../contracts/game/gold.sierra.json");

fn compiler(bounds: Bounds) -> Compiler {
    Compiler::at(PathBuf::from(env!("CARGO_BIN_EXE_shardwire-compiler")), bounds)
}

/// What comes of a class where the program is this shell script.
fn script(text: &str, wall: Duration) -> ClassError {
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("compiler");
    fs::write(&program, format!("#!/bin/sh\n{text}\n")).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    Compiler::at(program, Bounds { wall, ..Bounds::recommended() }).class(GOLD.as_bytes()).unwrap_err()
}

const LONG: Duration = Duration::from_secs(60);

#[test]
fn a_class_is_the_same_from_another_process() {
    let ours = Class::compile(GOLD.as_bytes()).unwrap();
    let theirs = compiler(Bounds::recommended()).class(GOLD.as_bytes()).unwrap();
    assert_eq!((theirs.hash(), theirs.compiled_hash()), (ours.hash(), ours.compiled_hash()));
    assert_eq!((theirs.casm(), theirs.sierra()), (ours.casm(), ours.sierra()));
    assert_eq!(theirs.beyond_proof(), ours.beyond_proof());
}

#[test]
fn what_is_refused_here_is_refused_there_in_the_same_words() {
    let with = |edit: &dyn Fn(&mut serde_json::Value)| {
        let mut file = serde_json::from_str(GOLD).unwrap();
        edit(&mut file);
        file.to_string().into_bytes()
    };
    for file in [
        b"{".to_vec(),
        br#"{"program": {}, "abi": []}"#.to_vec(),
        vec![b' '; MAX_CLASS_BYTES + 1],
        with(&|file| file["sierra_program"][1] = "0x63".into()),
        with(&|file| file["sierra_program"][600] = "0x7ffffffffffff".into()),
        with(&|file| file["entry_points_by_type"]["EXTERNAL"].as_array_mut().unwrap().reverse()),
    ] {
        let error = compiler(Bounds::recommended()).class(&file).unwrap_err();
        assert_eq!(error, Class::compile(&file).unwrap_err());
    }
}

#[test]
fn memory_is_bounded() {
    // The stack of the thread that compiles takes most of it.
    let memory_bytes = COMPILER_STACK_BYTES as u64 + (6 << 20);
    let bounds = Bounds { memory_bytes, ..Bounds::recommended() };
    let error = compiler(bounds).class(GOLD.as_bytes()).unwrap_err();
    assert_eq!(error, ClassError::Heavy { what: "bytes of memory", most: memory_bytes });
    assert_eq!(error.code(), "SW-CLASS-011");
}

#[test]
fn each_end_of_a_process_has_its_words() {
    for (text, words) in [
        (
            "echo memory allocation of 9 bytes failed >&2; kill -ABRT $$",
            "compiling the class takes more than 2147483648 bytes of memory",
        ),
        (
            "echo thread compile has overflowed its stack >&2; kill -ABRT $$",
            "the class can't be compiled: the compiler's stack overflows",
        ),
        ("kill -XCPU $$", "compiling the class takes more than 60 seconds of processor time"),
        ("exec yes", "compiling the class takes more than 67108864 bytes of bytecode as text"),
    ] {
        let error = script(text, LONG);
        assert_eq!(error.to_string(), words);
        assert!(!matches!(error, ClassError::Machine(_)));
    }
    const { assert!(MAX_ANSWER_BYTES == 67_108_864) };
    // What the class has no part in.
    for (text, words) in [
        ("kill -KILL $$", "the compiler ended with signal: 9 (SIGKILL): "),
        ("echo no >&2; exit 3", "the compiler ended with exit status: 3: no"),
        ("echo {}", "the compiler gives no answer: "),
        ("", "the compiler gives no answer: "),
    ] {
        let error = script(text, LONG);
        assert!(matches!(&error, ClassError::Machine(why) if why.starts_with(words)), "{error}");
        assert_eq!(error.code(), "SW-CLASS-012");
    }
    let missing = Compiler::at("/nowhere/compiler".into(), Bounds::recommended()).class(GOLD.as_bytes()).unwrap_err();
    assert!(
        matches!(&missing, ClassError::Machine(why) if why.starts_with("the compiler can't be started: ")),
        "{missing}"
    );
}

#[test]
fn one_that_is_too_slow_is_ended_with_all_that_it_started() {
    // It starts another that holds its pipes, and has to be ended, too, for this to return.
    let error = script("sleep 1000 & wait", Duration::from_millis(100));
    assert_eq!(error, ClassError::Machine("the compiler is too slow: it took longer than 0 s".into()));
}
