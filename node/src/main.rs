//! The `shardwire` program: see [`shardwire::cli`]. A running node starts it again to compile a class, in a process of its own.
#![forbid(unsafe_code)]

fn main() -> std::process::ExitCode {
    shardwire_compiler::asked().unwrap_or_else(shardwire::cli::main)
}
