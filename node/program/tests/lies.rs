//! Chunks by themselves, and what a lying operator may send.

#![allow(missing_docs)]

use proptest::prelude::*;
use shardwire_model::{Felt, Hash};
use shardwire_program::rules::{self, execute};
use shardwire_sample::workload;
use shardwire_witness::{
    AssembleError, Assembled, Assembler, Body, CHUNK_STEPS, Closing, MAX_CHUNK_BYTES, MAX_CHUNK_CELLS, Manifest,
    Registers, Run, Value,
};
use std::{fmt::Debug, sync::LazyLock};

fn value() -> impl Strategy<Value = Value> {
    prop_oneof![
        any::<[u8; 32]>().prop_map(|bytes| Value::Felt(Felt::from_bytes_le(&bytes))),
        any::<u16>().prop_map(|n| Value::Felt(Felt::from(n))),
        any::<(u32, u32)>().prop_map(|(segment, offset)| Value::Address { segment, offset }),
    ]
}

fn list<T: Debug>(it: impl Strategy<Value = T>, range: std::ops::Range<usize>) -> impl Strategy<Value = Vec<T>> {
    proptest::collection::vec(it, range)
}

fn body() -> impl Strategy<Value = Body> {
    let run = (any::<u32>(), any::<u32>(), list(value(), 1..20));
    let run = run.prop_map(|(segment, offset, cells)| Run { segment, offset, cells });
    let closing = (list(any::<u32>(), 0..9), list(any::<(u8, u32)>(), 0..9), list(any::<(u32, u32, u32)>(), 0..9));
    let closing = closing.prop_map(|(lengths, builtins, public)| Closing { lengths, builtins, public });
    let registers = (0..3u32, any::<[u32; 3]>()).prop_map(|(code, [pc, ap, fp])| Registers { code, pc, ap, fp });
    (any::<u64>(), list(registers, 0..50), list(run, 0..9), closing)
        .prop_map(|(first_step, trace, runs, closing)| Body { first_step, trace, runs, closing: Some(closing) })
}

/// The only chunk of a short run, and its manifest.
static SHORT: LazyLock<(Vec<u8>, Manifest)> = LazyLock::new(|| {
    let work = workload(1, 2, 21);
    let mut bodies = Vec::new();
    let run = execute(&work.start, &work.values, work.transactions, |chunk| {
        bodies.push(chunk.body);
        Ok(())
    });
    (bodies.remove(0), run.expect("it runs").manifest)
});

/// What becomes of one chunk with a manifest that lists it.
fn assemble(body: &[u8]) -> Result<Assembled, AssembleError> {
    let mut assembler = Assembler::new(rules::hash());
    let hash = assembler.push(body)?;
    assembler.finish(&Manifest { chunks: vec![hash], ..SHORT.1.clone() }, &mut Vec::new())
}

/// What becomes of the short run after a change.
fn lie(change: impl FnOnce(&mut Body)) -> String {
    let mut body = Body::decode(&SHORT.0).expect("it is a chunk");
    change(&mut body);
    assemble(&body.encode()).expect_err("it is refused").to_string()
}

fn closing(body: &mut Body) -> &mut Closing {
    body.closing.as_mut().expect("it is the closing chunk")
}

proptest! {
    #[test]
    fn a_body_comes_back(body in body()) {
        prop_assert_eq!(Body::decode(&body.encode()), Ok(body));
    }

    #[test]
    fn arbitrary_bytes_are_an_error_or_a_body(mut bytes: Vec<u8>, kind in 0u8..2) {
        if let Some(first) = bytes.first_mut() {
            *first = kind;
        }
        if let Ok(body) = Body::decode(&bytes) {
            prop_assert_eq!(&body.encode(), &bytes, "a body has one encoding");
        }
        let _ = assemble(&bytes);
    }

    #[test]
    fn a_body_cut_short_is_an_error(body in body(), cut: prop::sample::Index) {
        let bytes = body.encode();
        prop_assert!(Body::decode(&bytes[..cut.index(bytes.len())]).is_err());
    }

    #[test]
    fn a_made_up_body_is_no_witness(body in body()) {
        prop_assert!(assemble(&body.encode()).is_err());
    }

    #[test]
    fn a_changed_byte_panics_nowhere(at: prop::sample::Index, byte: u8) {
        let mut bytes = SHORT.0.clone();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        let _ = assemble(&bytes);
    }
}

#[test]
fn the_short_run_is_a_witness() {
    let assembled = assemble(&SHORT.0).expect("it is whole");
    assert_eq!((assembled.steps, &assembled.output), (SHORT.1.steps, &SHORT.1.output));
}

#[test]
fn lies_about_cells() {
    let again = |body: &mut Body| {
        let again = body.runs[0].clone();
        body.runs.push(again);
    };
    assert_eq!(lie(again), "chunk 0 writes cell 0 of segment 0 again");
    let far = |segment, offset| {
        move |body: &mut Body| body.runs.push(Run { segment, offset, cells: vec![Value::Felt(Felt::ONE)] })
    };
    assert_eq!(lie(far(u32::MAX, 0)), "chunk 0 exceeds a bound: the segments of a run");
    assert_eq!(lie(far(3, u32::MAX)), "chunk 0 exceeds a bound: the cells of a run");
    assert!(lie(far(1000, 0)).contains("a segment is written that the closing chunk doesn't list"));
    let program = |body: &mut Body| body.runs[0].cells[7] = Value::Felt(Felt::ONE);
    assert_eq!(lie(program), "the witness contradicts itself: it is a run of another program");
    let nowhere = |body: &mut Body| {
        let run = body.runs.iter_mut().find(|run| run.segment == 1).expect("the execution's cells");
        let cell = run.cells.iter_mut().find(|cell| matches!(cell, Value::Address { .. })).expect("an address");
        *cell = Value::Address { segment: 999, offset: 3 };
    };
    assert_eq!(lie(nowhere), "the witness contradicts itself: a cell points to (999, 3), which is in no segment");
    // A hole in a builtin's segment, and half an instance of one.
    let poseidon = |body: &Body| {
        body.closing.as_ref().expect("closing").builtins.iter().find(|it| it.0 == 5).expect("it has one").1
    };
    let hole = |body: &mut Body| {
        let segment = poseidon(body);
        let run = body.runs.iter_mut().find(|run| run.segment == segment).expect("it is used");
        run.cells.remove(0);
        run.offset += 1;
    };
    assert_eq!(lie(hole), "the witness contradicts itself: the segment of poseidon has an empty cell");
    let half = |body: &mut Body| {
        let segment = poseidon(body);
        body.runs.iter_mut().rfind(|run| run.segment == segment).expect("it is used").cells.pop();
        closing(body).lengths[segment as usize] -= 1;
    };
    assert_eq!(lie(half), "the witness contradicts itself: the segment of poseidon is no whole number of instances");
    let output = |body: &mut Body| {
        let segment = closing(body).builtins.iter().find(|it| it.0 == 0).expect("it has one").1;
        let run = body.runs.iter_mut().find(|run| run.segment == segment).expect("there is output");
        run.cells[3] = Value::Felt(Felt::ONE);
    };
    assert_eq!(lie(output), "the manifest lists other chunks: the output differs");
    let no_output = |body: &mut Body| {
        let segment = closing(body).builtins.iter().find(|it| it.0 == 0).expect("it has one").1;
        let run = body.runs.iter_mut().find(|run| run.segment == segment).expect("there is output");
        run.cells[0] = Value::Felt(Felt::ONE);
    };
    assert_eq!(lie(no_output), "the witness's output is none: the program's output is malformed: another abi version");
}

#[test]
fn lies_about_the_trace() {
    assert_eq!(lie(|body| body.first_step = 5), "chunk 0 begins at step 5, not at 0");
    let shorter = |body: &mut Body| {
        body.trace.pop();
    };
    assert_eq!(lie(shorter), "the manifest lists other chunks: the number of steps differs");
    let registers: [fn(&mut Registers); 6] = [
        |it| it.pc = 1 << 24,
        |it| it.ap = 1 << 24,
        |it| it.fp = 1 << 24,
        // Code in a segment that is empty, in one that isn't there, in one that can't be.
        |it| it.code = 5,
        |it| it.code = 999,
        |it| it.code = u32::MAX,
    ];
    for change in registers {
        let text = lie(|body| change(&mut body.trace[9]));
        assert_eq!(text, "the witness contradicts itself: step 9 has a register outside of its segment");
    }
    let open = |body: &mut Body| body.closing = None;
    assert_eq!(lie(open), "chunk 0 is malformed: a wrong number of steps");
    let long = |body: &mut Body| body.trace.resize(CHUNK_STEPS + 2, Registers::default());
    assert_eq!(lie(long), "chunk 0 is malformed: a wrong number of steps");
    let nothing = |body: &mut Body| *body = Body::default();
    assert_eq!(lie(nothing), "chunk 0 is malformed: neither steps nor cells");
    let cells = vec![Value::Felt(Felt::ZERO); MAX_CHUNK_CELLS + 1];
    let many = |body: &mut Body| *body = Body { runs: vec![Run { segment: 0, offset: 0, cells }], ..Body::default() };
    assert_eq!(lie(many), "chunk 0 is malformed: more cells than a chunk may have");
}

#[test]
fn lies_about_the_code_that_ran() {
    // The kind, the first step, the number of steps, then the stretches: one, of the program, as long as there are steps.
    let steps = Body::decode(&SHORT.0).expect("it is a chunk").trace.len();
    let [low, high] = [(steps & 0x7f) as u8 | 0x80, (steps >> 7) as u8];
    assert_eq!(SHORT.0[..8], [1, 0, low, high, 1, 0, low, high], "{steps} steps");
    let told = |stretches: &[u8]| {
        let bytes = [&SHORT.0[..4], stretches, &SHORT.0[8..]].concat();
        assemble(&bytes).expect_err("it is refused").to_string()
    };
    let wrong = "chunk 0 is malformed: stretches of code that aren't those of its steps";
    for stretches in [
        &[0][..],
        &[1, 0, low - 1, high],
        &[1, 0, low, high + 1],
        &[2, 0, low, high, 1, 0],
        &[2, 0, 1, 0, low - 1, high],
        &[2, 0, low, high, 1, 1],
    ] {
        assert_eq!(told(stretches), wrong, "{stretches:?}");
    }
}

#[test]
fn lies_about_the_end() {
    let text = lie(|body| closing(body).lengths[1] += 1);
    assert!(text.starts_with("the witness contradicts itself: segment 1 has"), "{text}");
    let text = lie(|body| closing(body).lengths.truncate(1));
    assert!(text.ends_with("a segment is written that the closing chunk doesn't list"), "{text}");
    let text = lie(|body| closing(body).builtins[0].1 = 9999);
    assert_eq!(text, "the witness contradicts itself: its list of builtins is none");
    let text = lie(|body| closing(body).builtins[0].1 = closing(body).builtins[1].1);
    assert_eq!(text, "the witness contradicts itself: its list of builtins is none");
    let text = lie(|body| closing(body).builtins[0].0 = 9);
    assert_eq!(text, "the witness contradicts itself: its list of builtins is none");
    let missing = |body: &mut Body| {
        closing(body).builtins.pop();
    };
    assert_eq!(lie(missing), "the witness contradicts itself: a builtin has no segment");
    let text = lie(|body| closing(body).public[0].2 = u32::MAX);
    assert_eq!(text, "the witness contradicts itself: public memory is outside of its segment");
    let twice = |body: &mut Body| {
        let first = closing(body).public[0];
        closing(body).public.push(first);
    };
    assert_eq!(lie(twice), "the witness contradicts itself: a cell is public twice");
}

#[test]
fn lies_about_the_whole() {
    let (body, manifest) = &*SHORT;
    let mut assembler = Assembler::new(rules::hash());
    assembler.push(body).expect("a chunk");
    let text = assembler.push(body).expect_err("after the end").to_string();
    assert_eq!(text, "a chunk follows the closing chunk");
    let other = Manifest { chunks: vec![Hash::default()], ..manifest.clone() };
    let text = assembler.finish(&other, &mut Vec::new()).expect_err("another hash").to_string();
    assert_eq!(text, "the manifest lists other chunks: a hash or their number differs");
    let text = Assembler::new(rules::hash()).finish(&Manifest { chunks: vec![], ..manifest.clone() }, &mut Vec::new());
    assert!(text.expect_err("no chunks").to_string().starts_with("a manifest of 0 chunks"));
    let text = Assembler::new(rules::hash()).push(&vec![0; MAX_CHUNK_BYTES + 1]).expect_err("too long").to_string();
    assert_eq!(text, "chunk 0 exceeds a bound: the bytes of a chunk");

    // A long run without its end.
    let work = workload(1, 200, 22);
    let mut bodies = Vec::new();
    let run = execute(&work.start, &work.values, work.transactions, |chunk| {
        bodies.push(chunk.body);
        Ok(())
    })
    .expect("it runs");
    let mut assembler = Assembler::new(rules::hash());
    let hash = assembler.push(&bodies[0]).expect("the first");
    assert!(!assembler.is_closed());
    let open = Manifest { chunks: vec![hash], steps: CHUNK_STEPS as u64, output: run.output.clone() };
    let text = assembler.finish(&open, &mut Vec::new()).expect_err("not closed").to_string();
    assert_eq!(text, "the closing chunk is missing");
    let mut assembler = Assembler::new(rules::hash());
    let text = assembler.push(&bodies[1]).expect_err("the first is missing").to_string();
    assert_eq!(text, "chunk 0 begins at step 16384, not at 0");
    let mut full = Assembler::new(rules::hash());
    full.push(&bodies[0]).expect("the first");
    full.push(&bodies[1]).expect("the second");
    assert!(full.is_closed() && full.chunks() == 2);
    struct Disk;
    impl std::io::Write for Disk {
        fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
            Err(std::io::Error::other("full"))
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let text = full.finish(&run.manifest, &mut Disk).expect_err("no space").to_string();
    assert_eq!(text, "the witness can't be written: full");
}
