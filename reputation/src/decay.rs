//! Exponential decay in whole numbers: the same on every machine, and monotone.
//!
//! `after(units, elapsed, half_life)` is `units * 2^(-elapsed / half_life)`, rounded down. The exponent's fraction has
//! [`FRACTION_BITS`] bits; for each one that is set the value is multiplied by a constant, `2^(-1/2)`, `2^(-1/4)` and so on,
//! each with [`ONE_BITS`] bits. Neighbouring exponents differ by a factor of 2^(2^-32), ten million times what rounding can
//! amount to, so a longer time never leaves more.

/// Units of a point: work comes in small amounts, and none of it gets lost.
pub(crate) const POINT: u64 = 1 << 20;
/// Bits of the exponent's fraction.
pub const FRACTION_BITS: u32 = 32;
/// Bits of a factor; the largest factor is 1.
pub const ONE_BITS: u32 = 62;
/// The longest half-life, in seconds (194 days). A second is then still 256 steps of the exponent's fraction, so
/// reading a value every second doesn't stop its decay.
pub const MAX_HALF_LIFE: u64 = 1 << 24;

/// `2^(-1/2)`, `2^(-1/4)`, …: each the root of the one before.
const ROOTS: [u128; FRACTION_BITS as usize] = {
    let mut roots = [0; FRACTION_BITS as usize];
    let mut square = 1u128 << (ONE_BITS - 1);
    let mut index = 0;
    while index < roots.len() {
        square = (square << ONE_BITS).isqrt();
        roots[index] = square;
        index += 1;
    }
    roots
};

/// What is left of `units` after `elapsed` seconds. A half-life of 0 leaves nothing after a second.
#[must_use]
pub fn after(units: u64, elapsed: u64, half_life: u64) -> u64 {
    if elapsed == 0 || units == 0 {
        return units;
    }
    let (Some(halvings), Some(rest)) = (elapsed.checked_div(half_life), elapsed.checked_rem(half_life)) else {
        return 0;
    };
    let Some(units) = u32::try_from(halvings).ok().and_then(|halvings| units.checked_shr(halvings)) else {
        return 0;
    };
    let fraction = (u128::from(rest) << FRACTION_BITS) / u128::from(half_life);
    let factor = ROOTS
        .iter()
        .enumerate()
        .filter(|(index, _)| fraction >> (FRACTION_BITS as usize - 1 - index) & 1 == 1)
        .fold(1 << ONE_BITS, |factor: u128, (_, root)| (factor * root) >> ONE_BITS);
    u64::try_from((u128::from(units) * factor) >> ONE_BITS).unwrap_or(units)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn it_is_the_exponential() {
        assert_eq!(after(1 << 40, 600, 600), 1 << 39);
        assert_eq!(after(1 << 40, 6000, 600), 1 << 30);
        assert_eq!(after(1 << 40, u64::MAX, 1), 0);
        assert_eq!(after(7, 1, 0), 0);
        assert_eq!(after(7, 0, 0), 7);
        for elapsed in [1, 7, 59, 300, 599, 601, 4000] {
            let exact = 2f64.powi(40) * (-f64::from(elapsed) / 600.0).exp2();
            let got = after(1 << 40, u64::try_from(elapsed).unwrap(), 600) as f64;
            assert!((got / exact - 1.0).abs() < 1e-6, "{elapsed} s: {got} instead of {exact}");
        }
    }

    proptest! {
        #[test]
        fn time_and_less_to_begin_with_never_leave_more(
            units in 0u64..1 << 40, less in 0u64..1 << 40, elapsed in 0u64..1 << 26, more in 0u64..1000,
            half_life in 1u64..=MAX_HALF_LIFE,
        ) {
            let left = after(units, elapsed, half_life);
            prop_assert!(left <= units);
            prop_assert!(after(units, elapsed + more, half_life) <= left);
            prop_assert!(after(units.saturating_sub(less), elapsed, half_life) <= left);
        }

        #[test]
        fn looking_often_gains_or_loses_a_unit_a_look_at_most(
            units in 0u64..1 << 40, steps in prop::collection::vec(0u64..1000, 1..20), half_life in 1u64..100_000,
        ) {
            let at_once = after(units, steps.iter().sum(), half_life);
            let in_steps = steps.iter().fold(units, |units, step| after(units, *step, half_life));
            // Each step cuts the exponent at 2^-32 of a half-life and rounds down by less than a unit.
            let tolerance = (units >> 32) * steps.len() as u64 + steps.len() as u64 + 1;
            prop_assert!(at_once.abs_diff(in_steps) <= tolerance, "{at_once} and {in_steps}");
        }
    }
}
