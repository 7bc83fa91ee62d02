//! From flags to an exit code: 0 settled as recomputed, 1 failed, 2 misuse.

use crate::{
    chaos,
    cli::{Chaos, Cli, Command, Run, Sim, WriteWorkload},
    dungeon,
    error::TestnetError,
    network::{Network, NetworkFolder, Programs, binary, worker},
    progress::Reporter,
    recompute::recompute,
    report::{self, Report},
    run::play,
    sim::{Seeds, campaign},
};
use serde::Serialize;
use shardwire_model::Coded;
use shardwire_workload::Workload;
use std::{
    fmt::Display,
    io::{self, Write},
    path::Path,
    process::ExitCode,
};

/// Does what the flags say.
#[must_use]
pub fn main(cli: &Cli) -> ExitCode {
    let outcome = match &cli.command {
        Some(Command::Workload(flags)) => write_workload(flags).map(|()| true),
        Some(Command::Sim(flags)) => simulate(flags),
        Some(Command::Chaos(flags)) => storm(flags),
        None => run(&cli.run),
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error[{}]: {error}\n  next: {}", error.code(), error.next_step());
            if cli.command.is_none() && cli.run.json {
                // Where nobody reads the object, the exit code tells.
                let _ = print(&format!("{}\n", report::failure(&error)));
            }
            ExitCode::from(error.exit_code())
        }
    }
}

fn print(text: &str) -> Result<(), TestnetError> {
    let mut out = io::stdout().lock();
    let written = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    written.map_err(|reason| TestnetError::System { what: "standard output", reason })
}

fn write_workload(flags: &WriteWorkload) -> Result<(), TestnetError> {
    let workload = dungeon::generate(flags.dungeon.options())?;
    match &flags.out {
        Some(file) => Ok(workload.write(file)?),
        None => print(&workload.to_text()),
    }
}

/// Says what came out: to people, or as one object on the last line.
fn tell(totals: &(impl Display + Serialize), json: bool, say: &mut dyn FnMut(&str)) -> Result<(), TestnetError> {
    if json {
        let object = serde_json::to_string(totals).unwrap_or_default();
        return print(&format!("{object}\n"));
    }
    say(&totals.to_string());
    Ok(())
}

/// Whether no run failed.
fn simulate(flags: &Sim) -> Result<bool, TestnetError> {
    #[cfg(feature = "mutations")]
    if let Some(mutation) = flags.mutate {
        mutation.plant();
    }
    let seeds = flags.seed.map_or(flags.seeds, Seeds::one);
    let mut say = |line: &str| if flags.json { eprintln!("{line}") } else { println!("{line}") };
    let totals = campaign(seeds, flags.trace, &mut say);
    tell(&totals, flags.json, &mut say)?;
    Ok(totals.failures.is_empty())
}

/// Whether all is well after the storm.
fn storm(flags: &Chaos) -> Result<bool, TestnetError> {
    let mut say = |line: &str| if flags.json { eprintln!("{line}") } else { println!("{line}") };
    let folder = NetworkFolder::new(flags.data.as_deref())?;
    let programs = programs(&mut say)?;
    let path = folder.path().to_owned();
    let totals = runtime()?.block_on(async {
        let mut chaos = chaos::Chaos::init(folder, &programs, flags.seed).await?;
        let ended = tokio::select! {
            biased;
            interrupted = interruption() => Err(interrupted),
            ended = chaos.run(flags.minutes, &mut say) => ended,
        };
        if ended.as_ref().map_or_else(|error| !matches!(error, TestnetError::Interrupted), |totals| !totals.ok) {
            chaos.folder().keep();
            say(&format!("The nodes' data and logs stay in {}", path.display()));
        }
        chaos.stop().await;
        ended
    })?;
    tell(&totals, flags.json, &mut say)?;
    Ok(totals.ok)
}

fn runtime() -> Result<tokio::runtime::Runtime, TestnetError> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    runtime.map_err(|reason| TestnetError::System { what: "the runtime", reason })
}

fn workload(flags: &Run) -> Result<Workload, TestnetError> {
    let workload = match &flags.workload {
        Some(file) => Workload::read(file)?,
        None => dungeon::generate(flags.dungeon.options())?,
    };
    workload.ends().map_err(|error| shardwire_workload::WorkloadError { path: flags.workload.clone(), ..error })?;
    Ok(workload)
}

/// Whether it settled as it should.
fn run(flags: &Run) -> Result<bool, TestnetError> {
    let mut reporter = Reporter::for_this_process();
    // Whatever can be refused is refused before anything is built or started.
    let workload = workload(flags)?;
    let expected = recompute(&workload)?;
    let folder = NetworkFolder::new(flags.data.as_deref())?;
    let programs = programs(&mut |line| reporter.say(line))?;
    runtime()?.block_on(async {
        let mut network = Network::init(folder, &programs, &workload).await?;
        let title = format!(
            "{} of {} players and {} transactions",
            workload.name,
            workload.players.len(),
            workload.transactions.len()
        );
        reporter.say(&format!("{title}, in {}", network.folder().path().display()));
        if flags.keep {
            network.untie();
        }
        let played = tokio::select! {
            biased;
            interrupted = interruption() => Err(interrupted),
            played = async {
                network.start(&mut |line| reporter.say(line)).await?;
                play(&mut network, &workload, &expected, &mut Vec::new(), &mut reporter).await
            } => played,
        };
        reporter.finish();
        conclude(flags, network, played, &programs.node, &mut reporter).await
    })
}

fn programs(say: &mut dyn FnMut(&str)) -> Result<Programs, TestnetError> {
    let node = binary::locate(say)?;
    let worker = worker::locate(say)?.path().to_owned();
    Ok(Programs { node, worker })
}

/// Ends or leaves the network, and tells what came out.
async fn conclude(
    flags: &Run,
    mut network: Network,
    played: Result<Report, TestnetError>,
    program: &Path,
    reporter: &mut Reporter,
) -> Result<bool, TestnetError> {
    let ok = match played {
        Ok(report) => {
            let tables = report::tables(&report);
            if flags.json {
                reporter.say(&tables);
                print(&format!("{}\n", report::object(&report)))?;
            } else {
                print(&format!("\n{tables}"))?;
            }
            report.is_ok()
        }
        Err(error) => {
            // A second Ctrl-C while they drain ends them at once: dropped processes are killed.
            tokio::select! {
                biased;
                _ = interruption() => {}
                () = network.stop() => {}
            }
            if !matches!(error, TestnetError::Interrupted) {
                network.folder().keep();
                reporter.say(&format!("The nodes' data and logs stay in {}", network.folder().path().display()));
            }
            return Err(error);
        }
    };
    if flags.keep {
        reporter.say(&how_to_reach(network, program));
    } else {
        network.stop().await;
    }
    Ok(ok)
}

fn how_to_reach(network: Network, program: &Path) -> String {
    let nodes = network.release();
    let command = |what: &str, data: &Path| format!("\n  {} {what} --data {}", program.display(), data.display());
    let mut text = "The network keeps running. To look at it:".to_owned();
    text.extend(nodes.iter().map(|(_, data, _)| command("status", data)));
    if let Some((_, settler, _)) = nodes.first() {
        text.push_str(&command("shard status", settler));
        text.push_str(&command("world show", settler));
    }
    text.push_str("\nTo stop it:");
    text.extend(nodes.iter().map(|(_, data, _)| command("stop", data)));
    text
}

/// Waits for Ctrl-C, or for a polite request to end.
async fn interruption() -> TestnetError {
    let failed = |reason| TestnetError::System { what: "the signal handler", reason };
    #[cfg(unix)]
    let ended = async {
        match tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
            Ok(mut signal) => {
                signal.recv().await;
                TestnetError::Interrupted
            }
            Err(reason) => failed(reason),
        }
    };
    #[cfg(not(unix))]
    let ended = std::future::pending();
    tokio::select! {
        biased;
        pressed = tokio::signal::ctrl_c() => match pressed {
            Ok(()) => TestnetError::Interrupted,
            Err(reason) => failed(reason),
        },
        ended = ended => ended,
    }
}
