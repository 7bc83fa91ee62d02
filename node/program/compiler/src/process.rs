//! One process for one class.

use crate::{Answer, Bounds, COMMAND, MAX_ANSWER_BYTES, MAX_COMPLAINT_BYTES};
use rustix::process::{Pid, Signal, kill_process_group};
use shardwire_native::{Class, ClassError};
use std::{
    env,
    io::{self, Read, Write as _},
    os::unix::process::{CommandExt as _, ExitStatusExt as _},
    path::PathBuf,
    process::{Child, Command, ExitStatus, Stdio},
    sync::mpsc::{RecvTimeoutError, SyncSender, sync_channel},
    thread::{self, Scope, ScopedJoinHandle},
};

/// The beginning of the message that Rust's runtime prints when memory is refused, before it ends the process with SIGABRT.
const OUT_OF_MEMORY: &str = "memory allocation of";
/// What it prints when a stack overflows, before it ends the process in the same way.
const OUT_OF_STACK: &str = "has overflowed its stack";

/// The program that runs, as Linux knows it: also if its file was replaced meanwhile.
const THIS_PROGRAM: &str = "/proc/self/exe";

/// Compiles classes, each in a process of its own.
#[derive(Clone, Debug)]
pub struct Compiler {
    program: PathBuf,
    bounds: Bounds,
}

impl Compiler {
    /// One that starts the program that runs again, which has to begin with [`asked`](crate::asked).
    #[must_use]
    pub fn this_program(bounds: Bounds) -> Self {
        let linux = cfg!(target_os = "linux");
        // Elsewhere by its path; where that isn't known, none can be started, which is said then.
        let program = if linux { PathBuf::from(THIS_PROGRAM) } else { env::current_exe().unwrap_or_default() };
        Self::at(program, bounds)
    }

    /// One that starts this program, which has to begin with [`asked`](crate::asked) and be of the same release.
    #[must_use]
    pub const fn at(program: PathBuf, bounds: Bounds) -> Self {
        Self { program, bounds }
    }

    /// The class of a Sierra file, as compilers write it or as JSON-RPC passes it. Waits for the process.
    ///
    /// # Errors
    /// [`ClassError`]: the class is refused, or this machine can't compile it at the moment ([`ClassError::Machine`]).
    pub fn class(&self, file: &[u8]) -> Result<Class, ClassError> {
        Class::with(file, |file| self.answer(file)?.compiled())
    }

    fn answer(&self, file: &[u8]) -> Result<Answer, ClassError> {
        let Bounds { memory_bytes, cpu_s, .. } = self.bounds;
        let mut command = Command::new(&self.program);
        command.arg(COMMAND).arg(memory_bytes.to_string()).arg(cpu_s.to_string()).process_group(0);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        // A backtrace would push the reason out of the tail that is kept.
        command.env("RUST_BACKTRACE", "0");
        let child = command.spawn().map_err(|error| trouble("can't be started", &error))?;
        let mut process = Process { child, ended: false };
        let said = process.listen(file, &self.bounds);
        let status = process.end().map_err(|error| trouble("can't be waited for", &error))?;
        let Said { answer, complaint } = said?;
        if status.success() {
            return serde_json::from_slice(&answer).map_err(|error| trouble("gives no answer", &error));
        }
        Err(self.why(status, &complaint))
    }

    /// Why a process ended without an answer.
    fn why(&self, status: ExitStatus, complaint: &str) -> ClassError {
        let signal = status.signal().and_then(Signal::from_named_raw);
        match signal {
            Some(Signal::ABORT) if complaint.contains(OUT_OF_MEMORY) => {
                ClassError::Heavy { what: "bytes of memory", most: self.bounds.memory_bytes }
            }
            Some(Signal::ABORT) if complaint.contains(OUT_OF_STACK) => {
                ClassError::Sierra("the compiler's stack overflows".into())
            }
            Some(Signal::XCPU) => ClassError::Heavy { what: "seconds of processor time", most: self.bounds.cpu_s },
            _ => trouble(&format!("ended with {status}"), &complaint.trim_end()),
        }
    }
}

fn trouble(what: &str, why: &dyn std::fmt::Display) -> ClassError {
    ClassError::Machine(format!("the compiler {what}: {why}"))
}

/// What a process said until its pipes closed.
struct Said {
    answer: Vec<u8>,
    complaint: String,
}

/// A process that is ended, with all that it started, when this is dropped.
struct Process {
    child: Child,
    /// It was waited for: its number may be another's.
    ended: bool,
}

impl Process {
    /// Gives it a class, and hears what it says. It is being ended when this returns.
    fn listen(&mut self, file: &[u8], bounds: &Bounds) -> Result<Said, ClassError> {
        let (stdin, stdout, stderr) = (self.child.stdin.take(), self.child.stdout.take(), self.child.stderr.take());
        let answered = |heard: SyncSender<_>| {
            // Who waited for it may have given up.
            move || drop(heard.send(stdout.map_or_else(|| Ok(Vec::new()), |pipe| first(pipe, MAX_ANSWER_BYTES + 1))))
        };
        thread::scope(|scope| {
            let (heard, answer) = sync_channel(1);
            let threads = || {
                // One that ends early doesn't read to the end; how it ended says why.
                spawn(scope, move || stdin.map(|mut stdin| stdin.write_all(file)))?;
                spawn(scope, answered(heard))?;
                spawn(scope, move || stderr.map_or_else(String::new, last))
            };
            let complaint = threads();
            let answer =
                if complaint.is_ok() { answer.recv_timeout(bounds.wall) } else { Err(RecvTimeoutError::Timeout) };
            // It has said all, too much, or nothing for too long. The threads end with its pipes.
            self.kill();
            let complaint = complaint?.join().unwrap_or_default();
            match answer {
                Ok(Ok(answer)) if answer.len() > MAX_ANSWER_BYTES => {
                    Err(ClassError::Heavy { what: "bytes of bytecode as text", most: MAX_ANSWER_BYTES as u64 })
                }
                Ok(Ok(answer)) => Ok(Said { answer, complaint }),
                Ok(Err(error)) => Err(trouble("can't be heard", &error)),
                Err(_) => Err(trouble("is too slow", &format!("it took longer than {} s", bounds.wall.as_secs()))),
            }
        })
    }

    fn kill(&self) {
        let leader = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        // It fails if all of them have ended. What has closed its standard output ends as it was about to.
        let _ = leader.map(|leader| kill_process_group(leader, Signal::KILL));
    }

    /// Ends it: after this nothing of it is left.
    fn end(&mut self) -> io::Result<ExitStatus> {
        self.kill();
        let status = self.child.wait();
        self.ended = true;
        status
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if !self.ended {
            // Nobody is left to be told.
            let _ = self.end();
        }
    }
}

fn spawn<'a, T: Send + 'a>(
    scope: &'a Scope<'a, '_>,
    run: impl FnOnce() -> T + Send + 'a,
) -> Result<ScopedJoinHandle<'a, T>, ClassError> {
    thread::Builder::new().spawn_scoped(scope, run).map_err(|error| trouble("can't be attended to", &error))
}

/// At most so many bytes of a pipe.
fn first(pipe: impl Read, most: usize) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    pipe.take(most as u64).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// The last bytes of a pipe, as text.
fn last(mut pipe: impl Read) -> String {
    let (mut kept, mut buffer) = (Vec::new(), [0; 1_024]);
    // What can't be read any more is lost, and the rest tells.
    while let Ok(count @ 1..) = pipe.read(&mut buffer) {
        kept.extend_from_slice(buffer.get(..count).unwrap_or_default());
        let excess = kept.len().saturating_sub(MAX_COMPLAINT_BYTES);
        kept.drain(..excess);
    }
    shardwire_model::plain::plain(&String::from_utf8_lossy(&kept))
}
