//! Reads a class from standard input, and writes what it compiles to: see the crate `shardwire_compiler`, which starts this with the bytes of memory and
//! the seconds of processor time that it may take.
#![forbid(unsafe_code)]

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use shardwire_compiler::Answer;
use shardwire_native::bounds::MAX_CLASS_BYTES;
use std::{
    env,
    io::{self, Read as _, Write as _},
    process::ExitCode,
};

/// Seconds between the signal that tells of too much processor time and the end.
const CPU_GRACE_S: u64 = 1;

fn main() -> ExitCode {
    match answer() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Nobody may be there to read it.
            let _ = writeln!(io::stderr(), "{error}");
            ExitCode::FAILURE
        }
    }
}

fn answer() -> io::Result<()> {
    let mut arguments = env::args().skip(1);
    let mut number = || arguments.next().and_then(|text| text.parse().ok());
    let (Some(memory_bytes), Some(cpu_s)) = (number(), number()) else {
        return Err(io::Error::other("usage: shardwire-compiler MEMORY_BYTES CPU_SECONDS <CLASS >BYTECODE"));
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
