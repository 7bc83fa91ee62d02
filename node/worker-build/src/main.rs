//! Builds the prover worker of this checkout, unless it is built, and prints its path. For the build server, and for people.
//!
//! With `--prepare-only` it only makes what cargo needs to be used in the worker's workspace at all.

use std::process::ExitCode;

use shardwire_files::output::{self, Reader, complain};
use shardwire_model::Coded;

fn main() -> ExitCode {
    let Some(checkout) = shardwire_worker_build::checkout() else {
        complain("error: the checkout that this program was compiled in is gone, and there is none around this folder");
        return ExitCode::FAILURE;
    };
    let say = &mut |line: &str| complain(line);
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let result = match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => shardwire_worker_build::build(&checkout, say).map(Some),
        ["--prepare-only"] => shardwire_worker_build::prepare(&checkout, say).map(|()| None),
        _ => {
            complain("usage: build-worker [--prepare-only]");
            return ExitCode::from(2);
        }
    };
    let failed = |error: &dyn Coded| {
        complain(&format!("error: {error} [{}]\n{}", error.code(), error.next_step()));
        ExitCode::FAILURE
    };
    match result.map(|built| built.map_or(Ok(Reader::There), |path| output::line(&path.display().to_string()))) {
        Ok(Ok(_)) => ExitCode::SUCCESS,
        Ok(Err(unsaid)) => failed(&unsaid),
        Err(error) => failed(&error),
    }
}
