//! Builds the prover worker of this checkout, unless it is built, and prints its path. For the build server, and for people.
//!
//! With `--prepare-only` it only makes what cargo needs to be used in the worker's workspace at all.

use std::process::ExitCode;

use shardwire_model::Coded;

fn main() -> ExitCode {
    let Some(checkout) = shardwire_worker_build::checkout() else {
        eprintln!(
            "error: the checkout that this program was compiled in is gone, and there is none around this folder"
        );
        return ExitCode::FAILURE;
    };
    let say = &mut |line: &str| eprintln!("{line}");
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let result = match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => shardwire_worker_build::build(&checkout, say).map(|path| println!("{}", path.display())),
        ["--prepare-only"] => shardwire_worker_build::prepare(&checkout, say),
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
