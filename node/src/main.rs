//! The `shardwire` program: see [`shardwire::cli`].
#![forbid(unsafe_code)]

fn main() -> std::process::ExitCode {
    shardwire::cli::main()
}
