//! The process: reads a class from its standard input, and writes what it compiles to.

use crate::Answer;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use shardwire_native::bounds::MAX_CLASS_BYTES;
use std::{
    env,
    ffi::OsString,
    io::{self, Read as _, Write as _},
    process::ExitCode,
};

/// The first argument of a program that is to be this process. Bytes of memory and seconds of processor time follow.
pub const COMMAND: &str = "compile-class";
/// Seconds between the signal that tells of too much processor time and the end.
const CPU_GRACE_S: u64 = 1;

/// Is this process, if the program was started as one: what it ends with. A program that [starts itself](crate::Compiler::this_program) calls it first of all.
#[must_use]
pub fn asked() -> Option<ExitCode> {
    let mut arguments = env::args_os().skip(1);
    if arguments.next()? != COMMAND {
        return None;
    }
    Some(match answer(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Nobody may be there to read it.
            let _ = writeln!(io::stderr(), "{error}");
            ExitCode::FAILURE
        }
    })
}

fn answer(mut arguments: impl Iterator<Item = OsString>) -> io::Result<()> {
    let mut number = || arguments.next().and_then(|text| text.to_str()?.parse().ok());
    let (Some(memory_bytes), Some(cpu_s)) = (number(), number()) else {
        return Err(io::Error::other(format!("usage: {COMMAND} MEMORY_BYTES CPU_SECONDS <CLASS >BYTECODE")));
    };
    limit(Resource::Data, memory_bytes, 0)?;
    limit(Resource::Cpu, cpu_s, CPU_GRACE_S)?;
    limit(Resource::Core, 0, 0)?;
    let mut file = Vec::new();
    // One more than fits, so that the bound is told.
    io::stdin().lock().take(MAX_CLASS_BYTES as u64 + 1).read_to_end(&mut file)?;
    let mut out = io::BufWriter::new(io::stdout().lock());
    serde_json::to_writer(&mut out, &Answer::to(&file))?;
    out.flush()
}

/// Makes the system refuse this process more, and end it at so much beyond that.
fn limit(resource: Resource, most: u64, grace: u64) -> io::Result<()> {
    let hard = getrlimit(resource).maximum.unwrap_or(u64::MAX);
    let (current, maximum) = (most.min(hard), most.saturating_add(grace).min(hard));
    Ok(setrlimit(resource, Rlimit { current: Some(current), maximum: Some(maximum) })?)
}
