//! Catches a panic without printing it.
//!
//! `catch_unwind` lets the panic hook print a message and a backtrace first, so a peer that sends bad proofs, or a damaged file, could
//! fill the log, and put text into an output that a program reads. The hook belongs to the process and can't simply be replaced. The first use installs one in front of
//! it that stays silent on threads inside [`catch`], and passes every other panic to the earlier hook. A program that
//! sets its own hook later gets the messages back and loses nothing else.

use std::cell::{Cell, RefCell};
use std::panic::{UnwindSafe, catch_unwind};
use std::sync::Once;

/// The longest panic message that is kept, in bytes: it goes into an error and from there into logs.
const MAX_MESSAGE: usize = 300;

thread_local! {
    static QUIET: Cell<bool> = const { Cell::new(false) };
    static MESSAGE: RefCell<String> = const { RefCell::new(String::new()) };
}

/// Runs `work`. If it panics, the panic's message is the error, and nothing is printed.
///
/// # Errors
/// The panic's message, in one line of at most 300 bytes.
pub fn catch<T>(work: impl FnOnce() -> T + UnwindSafe) -> Result<T, String> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            if QUIET.get() {
                let message = info.payload_as_str().unwrap_or("a panic without a message");
                MESSAGE.set(shorten(message));
            } else {
                before(info);
            }
        }));
    });
    let outer = QUIET.replace(true);
    let result = catch_unwind(work);
    QUIET.set(outer);
    result.map_err(|_| MESSAGE.take())
}

/// One line of bounded length.
fn shorten(message: &str) -> String {
    let mut line = String::new();
    for word in message.split_whitespace() {
        if line.len() + word.len() > MAX_MESSAGE {
            line.push('…');
            break;
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_its_message_in_one_short_line() {
        assert_eq!(catch(|| 7), Ok(7));
        assert_eq!(catch::<()>(|| panic!("two\n   lines")), Err("two lines".to_owned()));
        let long = catch::<()>(|| panic!("{}", "word ".repeat(1000))).unwrap_err();
        assert!(long.len() <= MAX_MESSAGE + 4, "{}", long.len());
    }

    #[test]
    fn other_threads_keep_the_hook_they_had() {
        use std::sync::atomic::{AtomicUsize, Ordering};
        static SEEN: AtomicUsize = AtomicUsize::new(0);
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            if info.payload_as_str() == Some("meant to be seen") {
                SEEN.fetch_add(1, Ordering::SeqCst);
            } else {
                before(info);
            }
        }));
        let _ = catch::<()>(|| panic!("not seen"));
        assert!(std::thread::spawn(|| panic!("meant to be seen")).join().is_err());
        assert_eq!(SEEN.load(Ordering::SeqCst), 1);
    }
}
