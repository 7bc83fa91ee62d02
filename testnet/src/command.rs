//! From flags to an exit code: 0 settled as recomputed, 1 failed, 2 misuse.

use crate::{
    chaos,
    cli::{Chaos, Cli, Command, Contracts, Place, Run, Sim, WriteWorkload},
    contracts, dungeon,
    error::TestnetError,
    network::{Network, NetworkError, NetworkFolder, Programs, binary, worker},
    progress::Reporter,
    recompute::recompute,
    report::{self, Outcome},
    run::run_workload,
    sim::{Seeds, campaign},
};
use clap::error::ErrorKind;
use serde::Serialize;
use serde_json::json;
use shardwire_files::output::{self, OutputError, complain, complain_of};
use shardwire_workload::Workload;
use std::{fmt::Display, path::Path, pin::pin, process::ExitCode};

/// Does what the flags say.
#[must_use]
pub fn main(cli: &Cli) -> ExitCode {
    let outcome = match &cli.command {
        Some(Command::Workload(flags)) => write_workload(flags).map(|()| true),
        Some(Command::Sim(flags)) => simulate(flags),
        Some(Command::Chaos(flags)) => storm(flags),
        Some(Command::Contracts(flags)) => game_of_contracts(flags),
        None => run(&cli.run),
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            complain_of(&error);
            let place = match &cli.command {
                Some(Command::Contracts(flags)) => Some(&flags.place),
                None => Some(&cli.run.place),
                Some(_) => None,
            };
            if place.is_some_and(|place| place.json) {
                // Where nobody reads the object, the exit code tells.
                let _ = print(&format!("{}\n", report::failure(&error)));
            }
            ExitCode::from(error.exit_code())
        }
    }
}

/// Ends where the flags ask for a text, or can't be read; with `--json` in one object.
#[must_use]
pub fn without(told: &clap::Error, as_json: bool) -> ExitCode {
    if !as_json {
        let printed = told.print();
        // Nobody reads it if standard error is closed.
        return if told.use_stderr() { ExitCode::from(2) } else { output::end_of_text(printed) };
    }
    let text = told.to_string();
    let (object, code) = match told.kind() {
        ErrorKind::DisplayHelp => (json!({ "help": text }), ExitCode::SUCCESS),
        ErrorKind::DisplayVersion => (json!({ "version": env!("CARGO_PKG_VERSION") }), ExitCode::SUCCESS),
        _ => {
            let first = text.split("\n\n").next().unwrap_or_default();
            let words: Vec<&str> = first.trim_start_matches("error: ").split_whitespace().collect();
            let error = TestnetError::Flags(words.join(" "));
            (report::failure(&error), ExitCode::from(error.exit_code()))
        }
    };
    match print(&format!("{object}\n")) {
        Ok(()) => code,
        Err(error) => {
            complain_of(&error);
            ExitCode::from(error.exit_code())
        }
    }
}

/// A reader that has gone (`| head`) is no error.
fn print(text: &str) -> Result<(), TestnetError> {
    output::text(text).map(drop).map_err(TestnetError::from)
}

/// Tells what happens: on standard output, or on standard error where that belongs to an object.
#[derive(Default)]
struct Teller {
    json: bool,
    /// Why standard output took no more.
    failed: Option<OutputError>,
}

impl Teller {
    fn new(json: bool) -> Self {
        Self { json, failed: None }
    }

    fn say(&mut self, line: &str) {
        match self.json {
            true => complain(line),
            false => self.failed = self.failed.take().or_else(|| output::line(line).err()),
        }
    }

    /// Says what came out: to people, or as one object on the last line.
    fn conclude(mut self, totals: &(impl Display + Serialize)) -> Result<(), TestnetError> {
        if self.json {
            let object = serde_json::to_string(totals).unwrap_or_default();
            return print(&format!("{object}\n"));
        }
        self.say(&totals.to_string());
        self.failed.map_or(Ok(()), |error| Err(error.into()))
    }
}

fn write_workload(flags: &WriteWorkload) -> Result<(), TestnetError> {
    let workload = dungeon::generate(flags.dungeon.options())?;
    match &flags.out {
        Some(file) => Ok(workload.write(file)?),
        None => print(&workload.to_text()),
    }
}

/// Whether no run failed.
fn simulate(flags: &Sim) -> Result<bool, TestnetError> {
    #[cfg(feature = "mutations")]
    if let Some(mutation) = flags.mutate {
        mutation.plant();
    }
    let seeds = flags.seed.map_or(flags.seeds, Seeds::one);
    let mut teller = Teller::new(flags.json);
    let totals = campaign(seeds, flags.trace, &mut |line| teller.say(line));
    teller.conclude(&totals)?;
    Ok(totals.failures.is_empty())
}

/// Whether all is well after the storm.
fn storm(flags: &Chaos) -> Result<bool, TestnetError> {
    let mut teller = Teller::new(flags.json);
    let mut say = |line: &str| teller.say(line);
    NetworkFolder::refuse(flags.data.as_deref())?;
    let programs = programs(&mut say)?;
    let totals = runtime()?.block_on(async {
        let mut interruptions = Interruptions::new()?;
        let folder = NetworkFolder::new(flags.data.as_deref())?;
        let path = folder.path().to_owned();
        let mut chaos = tokio::select! {
            biased;
            () = interruptions.next() => return Err(TestnetError::Interrupted),
            chaos = chaos::Chaos::init(folder, &programs, flags.seed) => chaos?,
        };
        let ended = tokio::select! {
            biased;
            () = interruptions.next() => Err(TestnetError::Interrupted),
            ended = chaos.run(flags.minutes, &mut say) => ended,
        };
        if ended.as_ref().map_or_else(|error| !matches!(error, TestnetError::Interrupted), |totals| !totals.ok) {
            chaos.folder().keep();
            say(&format!("The nodes' data and logs stay in {}", path.display()));
        }
        chaos.stop().await;
        ended
    })?;
    teller.conclude(&totals)?;
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
    // Whatever can be refused is refused before anything is built or started.
    let workload = workload(flags)?;
    let expected = recompute(&workload)?;
    let title = title(&workload.name, workload.players.len(), workload.transactions.len());
    launch(
        &flags.place,
        &title,
        async |folder, programs| Network::init(folder, programs, &workload).await,
        async |network, reporter| run_workload(network, &workload, &expected, &mut Vec::new(), reporter).await,
    )
}

/// Whether it settled as it should.
fn game_of_contracts(flags: &Contracts) -> Result<bool, TestnetError> {
    let playing = contracts::Playing::new(flags.options())?.with_proof_memory(flags.proof_memory);
    let title = title("game of contracts", playing.players(), playing.transactions());
    launch(
        &flags.place,
        &title,
        async |folder, programs| playing.network(folder, programs).await,
        async |network, reporter| contracts::run(network, &playing, reporter).await,
    )
}

fn title(name: &str, players: usize, transactions: usize) -> String {
    format!("{name} of {players} players and {transactions} transactions")
}

/// Makes a network, has something played on it, and ends it. Whether it came out as it should.
fn launch<R: Outcome>(
    place: &Place,
    title: &str,
    make: impl AsyncFnOnce(NetworkFolder, &Programs) -> Result<Network, NetworkError>,
    play: impl AsyncFnOnce(&mut Network, &mut Reporter) -> Result<R, TestnetError>,
) -> Result<bool, TestnetError> {
    let mut reporter = Reporter::for_this_process();
    NetworkFolder::refuse(place.data.as_deref())?;
    let programs = programs(&mut |line| reporter.say(line))?;
    runtime()?.block_on(async {
        let mut interruptions = Interruptions::new()?;
        // From here on nothing ends this program but its end, so that a folder which isn't kept goes with it.
        let folder = NetworkFolder::new(place.data.as_deref())?;
        let mut made = pin!(make(folder, &programs));
        let mut network = tokio::select! {
            biased;
            () = interruptions.next() => {
                // A node's folder that is being made is made first: removed meanwhile, some of it would be left.
                drop(made.await);
                return Err(TestnetError::Interrupted);
            }
            network = &mut made => network?,
        };
        reporter.say(&format!("{title}, in {}", network.folder().path().display()));
        if place.keep {
            network.untie();
        }
        let played = tokio::select! {
            biased;
            () = interruptions.next() => Err(TestnetError::Interrupted),
            played = async {
                network.start(&mut |line| reporter.say(line)).await?;
                play(&mut network, &mut reporter).await
            } => played,
        };
        reporter.finish();
        conclude(place, network, played, &programs.node, &mut reporter, &mut interruptions).await
    })
}

fn programs(say: &mut dyn FnMut(&str)) -> Result<Programs, TestnetError> {
    let node = binary::locate(say)?;
    let worker = worker::locate(say)?.path().to_owned();
    Ok(Programs { node, worker })
}

/// Ends or leaves the network, and tells what came out.
async fn conclude(
    place: &Place,
    mut network: Network,
    played: Result<impl Outcome, TestnetError>,
    program: &Path,
    reporter: &mut Reporter,
    interruptions: &mut Interruptions,
) -> Result<bool, TestnetError> {
    let ok = match played {
        Ok(report) => {
            let text = report.text();
            if place.json {
                reporter.say(&text);
                print(&format!("{}\n", report.object()))?;
            } else {
                print(&format!("\n{text}"))?;
            }
            report.is_ok()
        }
        Err(error) => {
            // A second Ctrl-C while they drain ends them at once: dropped processes are killed.
            tokio::select! {
                biased;
                () = interruptions.next() => {}
                () = network.stop() => {}
            }
            if !matches!(error, TestnetError::Interrupted) {
                network.folder().keep();
                reporter.say(&format!("The nodes' data and logs stay in {}", network.folder().path().display()));
            }
            return Err(error);
        }
    };
    if place.keep {
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

/// Ctrl-C, a polite request to end, and the end of the terminal: each ends what is under way in good order.
struct Interruptions {
    #[cfg(unix)]
    signals: [tokio::signal::unix::Signal; 4],
}

impl Interruptions {
    /// Takes them from now on. Must be called within a runtime.
    fn new() -> Result<Self, TestnetError> {
        #[cfg(unix)]
        {
            use tokio::signal::unix::{SignalKind, signal};
            let failed = |reason| TestnetError::System { what: "the signal handler", reason };
            let taken = |kind| signal(kind).map_err(failed);
            let [first, second, third, fourth] =
                [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup(), SignalKind::quit()].map(taken);
            Ok(Self { signals: [first?, second?, third?, fourth?] })
        }
        #[cfg(not(unix))]
        Ok(Self {})
    }

    /// Waits for the next one.
    async fn next(&mut self) {
        #[cfg(unix)]
        {
            let [interrupt, terminate, hangup, quit] = &mut self.signals;
            tokio::select! {
                biased;
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
                _ = hangup.recv() => {}
                _ = quit.recv() => {}
            }
        }
        #[cfg(not(unix))]
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}
