//! What the attackers' core does while nobody attacks: it computes for as large a part of the time as the attackers did, and touches nobody. Two cores of a machine
//! aren't two machines: they share caches, memory, the clock's speed, in a virtual machine often the core itself. Beside a busy core a loop of hashes took up to a
//! quarter longer here. So an idle neighbour in the baseline would count the attackers' own processor time as the victims' loss.

use shardwire_transport::Identity;
use std::time::{Duration, Instant};

/// In what pieces it computes and rests.
const PERIOD: Duration = Duration::from_millis(2);

/// Part of a core, in thousandths.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Share(pub(super) u16);

impl Share {
    /// Processor time within a time.
    pub(super) fn of(used: Duration, within: Duration) -> Self {
        let part = used.as_secs_f64() / within.as_secs_f64().max(f64::MIN_POSITIVE);
        Self((part.clamp(0.0, 1.0) * 1000.0).round() as u16)
    }

    pub(super) fn part(self) -> f64 {
        f64::from(self.0) / 1000.0
    }
}

/// Signs, as attackers do for each handshake, for ever.
pub(super) fn compute(share: Share) {
    let identity = Identity::from_secret(&[7; 32]);
    let busy = PERIOD.mul_f64(share.part());
    loop {
        let began = Instant::now();
        while began.elapsed() < busy {
            std::hint::black_box(identity.sign("neighbour", b"a handshake"));
        }
        std::thread::sleep(PERIOD.saturating_sub(began.elapsed()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_a_part_of_one_core_whatever_was_measured() {
        let share = |used, within| Share::of(Duration::from_millis(used), Duration::from_millis(within));
        assert_eq!([share(1, 4), share(9, 4), share(0, 4), share(0, 0)], [250, 1000, 0, 0].map(Share));
        assert!((Share(250).part() - 0.25).abs() < f64::EPSILON);
    }
}
