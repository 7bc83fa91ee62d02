//! Catches a panic without the noise of one.
//!
//! `catch_unwind` lets the panic hook print a message and a backtrace first, and whoever sends bad proofs could fill the log with
//! them. The hook is the process's, so it can't simply be replaced: the first use puts one in front of it that stays silent on
//! threads which are inside [`catch`], and hands every other panic on to the hook that was there. A program that sets its own hook later
//! gets the noise back and nothing worse.

use std::cell::{Cell, RefCell};
use std::panic::{UnwindSafe, catch_unwind};
use std::sync::Once;

/// Longest message that is kept, in bytes: it goes into an error and from there into logs.
const MAX_MESSAGE: usize = 300;

thread_local! {
    static QUIET: Cell<bool> = const { Cell::new(false) };
    static MESSAGE: RefCell<String> = const { RefCell::new(String::new()) };
}

/// Runs `work`; the message of its panic is the error.
pub(super) fn catch<T>(work: impl FnOnce() -> T + UnwindSafe) -> Result<T, String> {
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
