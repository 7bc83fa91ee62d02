//! Writes the flat witness of a random run to a file, for trying a proving worker:
//! `cargo run --release -p shardwire-program --example witness -- FILE [TRANSACTIONS] [PLAYERS] [SEED]`
#![allow(missing_docs, dead_code)]

use shardwire_program::rules::{execute, hash};
use shardwire_witness as witness;
use std::{error::Error, fs::File, io::BufWriter, time::Instant};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let number = |i: usize, default: u64| arguments.get(i).map_or(Ok(default), |text| text.parse());
    let path = arguments.first().ok_or("usage: witness FILE [TRANSACTIONS] [PLAYERS] [SEED]")?;
    let (transactions, players, seed) = (number(1, 500)?, number(2, 8)?, number(3, 1)?);
    let work = shardwire_sample::workload(usize::try_from(players)?, usize::try_from(transactions)?, seed);

    let mut bodies = Vec::new();
    let (mut raw, mut wire) = (0, 0);
    let began = Instant::now();
    let run = execute(&work.start, &work.values, work.transactions, |chunk| {
        raw += chunk.body.len();
        wire += witness::compress(&chunk.body).len();
        bodies.push(chunk.body);
        Ok(())
    })?;
    let executed = began.elapsed();

    let began = Instant::now();
    let mut assembler = witness::Assembler::new(hash());
    for body in &bodies {
        assembler.push(body)?;
    }
    let assembled = assembler.finish(&run.manifest, &mut BufWriter::new(File::create(path)?))?;
    println!(
        "{transactions} transactions of {players} players: {} steps ({:.1} a transaction), {} chunks, {raw} bytes raw, {wire} on the \
         wire, executed in {executed:.2?}; {} cells, {} bytes flat, assembled in {:.2?}",
        run.steps,
        run.steps as f64 / transactions as f64,
        run.manifest.chunks.len(),
        assembled.cells,
        assembled.bytes,
        began.elapsed(),
    );
    println!("commitment before {:#x}, after {:#x}", run.output.before, run.output.after);
    Ok(())
}
