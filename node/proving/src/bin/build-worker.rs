//! Builds the prover worker of this checkout, unless it is built, and prints its path. For the build server, and for people.
//!
//! With `--prepare-only` it only makes what cargo needs to be used in the worker's workspace at all.

use std::path::Path;
use std::process::ExitCode;

use shardwire_model::Coded;
use shardwire_proving::worker;

fn main() -> ExitCode {
    let Some(checkout) = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2) else {
        eprintln!("error: this program wasn't compiled in a checkout");
        return ExitCode::FAILURE;
    };
    let say = &mut |line: &str| eprintln!("{line}");
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let result = match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => worker::build(checkout, say).map(|path| println!("{}", path.display())),
        ["--prepare-only"] => worker::prepare(checkout, say),
        _ => {
            eprintln!("usage: build-worker [--prepare-only]");
            return ExitCode::from(2);
        }
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error} [{}]\n{}", error.code(), error.next_step());
            ExitCode::FAILURE
        }
    }
}
