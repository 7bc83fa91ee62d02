//! Formats numbers for people.

use shardwire_model::Felt;
use std::time::Duration;

/// `1,234,567`.
#[must_use]
pub fn count(number: u64) -> String {
    let digits = number.to_string();
    let group = |(index, digit): (usize, char)| {
        let comma = index > 0 && (digits.len() - index).is_multiple_of(3);
        comma.then_some(',').into_iter().chain([digit])
    };
    digits.chars().enumerate().flat_map(group).collect()
}

/// `1 chunk`, `1,234 chunks`.
#[must_use]
pub fn things(number: u64, thing: &str) -> String {
    format!("{} {thing}{}", count(number), if number == 1 { "" } else { "s" })
}

/// `812 B`, `14.2 kB`, `1.28 MB`: three digits, decimal units.
#[must_use]
pub fn bytes(bytes: u64) -> String {
    if bytes < 1000 { format!("{bytes} B") } else { scaled(bytes as f64, &["B", "kB", "MB", "GB", "TB"]) }
}

/// `402`, `14.2 k`, `1.28 M`: three digits.
#[must_use]
pub fn rate(number: f64) -> String {
    if number < 1000.0 { format!("{number:.0}") } else { scaled(number, &["", "k", "M", "G", "T"]) }
}

/// `14.2 ms`, `1.28 s`, `42.0 s`, `3 min 5 s`.
#[must_use]
pub fn time(time: Duration) -> String {
    let seconds = time.as_secs_f64();
    match seconds {
        0.0 => "0 s".into(),
        ..1.0 => format!("{:.1} ms", seconds * 1e3),
        1.0..10.0 => format!("{seconds:.2} s"),
        10.0..120.0 => format!("{seconds:.1} s"),
        _ => format!("{} min {} s", time.as_secs() / 60, time.as_secs() % 60),
    }
}

/// A felt's number if it is small, else its first and last digits.
#[must_use]
pub fn felt(value: Felt) -> String {
    if let Ok(small) = u64::try_from(value) {
        return count(small);
    }
    let text = format!("{value:#x}");
    let (head, tail) = (text.get(..8).unwrap_or_default(), text.get(text.len() - 4..).unwrap_or_default());
    format!("{head}…{tail}")
}

/// At most `most` characters: what is cut off becomes an ellipsis.
#[must_use]
pub fn cut(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.into();
    }
    text.chars().take(most.saturating_sub(1)).chain(['…']).collect()
}

fn scaled(mut number: f64, units: &[&str]) -> String {
    let mut units = units.iter().copied();
    let mut unit = units.next().unwrap_or_default();
    // 999.5 would be printed as 1000.
    while number >= 999.5 {
        let Some(next) = units.next() else { break };
        (number, unit) = (number / 1000.0, next);
    }
    let decimals = if number < 9.995 {
        2
    } else if number < 99.95 {
        1
    } else {
        0
    };
    format!("{number:.decimals$} {unit}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_their_thousands_apart() {
        assert_eq!([0, 999, 1000, 1_234_567].map(count), ["0", "999", "1,000", "1,234,567"]);
        assert_eq!([0, 1, 1000].map(|n| things(n, "chunk")), ["0 chunks", "1 chunk", "1,000 chunks"]);
    }

    #[test]
    fn sizes_and_rates_have_three_digits() {
        assert_eq!(
            [0, 999, 1000, 9_999, 14_250, 999_499, 999_501, 1_280_000].map(bytes),
            ["0 B", "999 B", "1.00 kB", "10.0 kB", "14.2 kB", "999 kB", "1.00 MB", "1.28 MB"]
        );
        assert_eq!([0.4, 402.0, 1e6].map(rate), ["0", "402", "1.00 M"]);
    }

    #[test]
    fn times_have_the_unit_that_fits() {
        assert_eq!(
            [0, 14, 1_280, 42_000, 185_000].map(|ms| time(Duration::from_millis(ms))),
            ["0 s", "14.0 ms", "1.28 s", "42.0 s", "3 min 5 s"]
        );
    }

    #[test]
    fn felts_are_numbers_or_their_ends() {
        assert_eq!(felt(Felt::from(1234u64)), "1,234");
        assert_eq!(felt(Felt::MAX), "0x800000…0000");
        assert_eq!(cut("Melisandre of Asshai", 10), "Melisandr…");
    }
}
