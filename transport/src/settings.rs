//! The transport's settings: two profiles, every bound with its unit and reason, and what is refused at start-up.
//!
//! *Internet* never sends a datagram that the open Internet may drop; *datacentre* is for a network that is known to
//! carry larger ones. Some combinations that look harmless make QUIC crawl or hang without an error anywhere;
//! [`Settings::validate`] refuses those.

use crate::{
    graph::{Graph, Side, Unread},
    message::Message,
    wire::header::Header,
};
use shardwire_model::Coded;
use std::{str::FromStr, sync::Arc, time::Duration};

/// Sessions that a peer may have open on one connection. QUIC reserves memory for each possible stream: about 100 KiB
/// a connection at 256, against 1.4 MB at 10,000. Further requests queue up behind one another.
pub const MAX_SESSIONS: u32 = 256;
/// The most unread bytes that a session may have under way to us, whatever its protocol would allow: 168 Mbit/s over
/// a round trip of 100 ms, and what eight busy sessions can each have of a connection's window. See
/// [`Settings::for_protocols`].
pub const SESSION_WINDOW_BYTES: u32 = 2 << 20;
/// Unread bytes that a session without bulk may have under way to us: its longest message, or a pipeline of short ones.
pub const SMALL_SESSION_BYTES: u32 = 32 * 1024;
/// A session carries bulk if we may receive a message longer than this in it, in bytes. A quarter of
/// [`SMALL_SESSION_BYTES`], so that a session without bulk can have a few messages under way.
pub const BULK_MESSAGE_BYTES: u32 = SMALL_SESSION_BYTES / 4;
/// Sessions of a connection that may carry bulk to us at once: several traces and proofs between the same two peers.
pub const BULK_SESSIONS: u32 = 8;
/// Unread bytes that all sessions of a connection together may have under way to us. It bounds what a peer can make a
/// node hold, however many sessions it opens. There is room for [`BULK_SESSIONS`] that nobody reads and for every
/// other session besides (each side opens up to [`MAX_SESSIONS`]), so an unread session can't keep others from being
/// read.
pub const CONNECTION_WINDOW_BYTES: u32 = BULK_SESSIONS * SESSION_WINDOW_BYTES + 2 * MAX_SESSIONS * SMALL_SESSION_BYTES;
/// Bytes that a connection holds to send, or to send again if they are lost.
pub const SEND_WINDOW_BYTES: u64 = 16 << 20;
/// A connection counts as lost when nothing has come for this long: after a few lost keep-alives.
pub const IDLE_TIMEOUT: Duration = Duration::from_secs(30);
/// How often an idle connection sends a keep-alive. A third of [`IDLE_TIMEOUT`], and below the 30 s after which home
/// routers forget a UDP flow.
pub const KEEP_ALIVE: Duration = Duration::from_secs(10);
/// The size of the socket's buffer in each direction, in bytes. Smaller ones lose thousands of packets under load.
pub const SOCKET_BUFFER_BYTES: usize = 2 << 20;
/// Handshakes that may wait for admission at once. Further ones are ignored before any cryptography; their peers try
/// again.
pub const MAX_HANDSHAKES: usize = 256;
/// Bytes held for a handshake that isn't accepted yet: a few datagrams.
pub const HANDSHAKE_BUFFER_BYTES: u64 = 16 * 1024;
/// How long a handshake may take.
pub const HANDSHAKE_DEADLINE: Duration = Duration::from_secs(10);
/// The largest datagram that the open Internet carries reliably, in bytes: Ethernet less IPv6, UDP and a tunnel.
pub const INTERNET_MTU: u16 = 1452;
/// The largest datagram of the datacentre profile, in bytes: with segmentation offload ten of them are one write.
pub const DATACENTRE_MTU: u16 = 6500;

/// The most sessions that settings can allow on one connection: QUIC then reserves 225 KiB a connection at both ends,
/// and six times that at 10,000. A node with hundreds of peers would pay for streams that nobody opens.
pub const MOST_SESSIONS: u32 = 1024;
/// The fewest sessions that settings can allow on one connection: a connection between two nodes has one session a
/// protocol, and needs room for as many commands and retries. With fewer streams than requests in flight, each waits
/// for another to end; 256 in flight on 100 streams have 1/56 of the rate.
pub const LEAST_SESSIONS: u32 = 16;
/// What an endpoint may allocate for receiving, in bytes, by default. The datacentre profile needs 13 MB, the largest
/// datagrams 134 MB. Many nodes may share a machine.
pub const RECEIVE_BUFFER_BYTES: u64 = 16 << 20;

/// How many batches of datagrams quinn makes room for in each endpoint.
const RECEIVE_BATCHES: u64 = 32;
/// How many datagrams the system hands over in one read.
const RECEIVE_SEGMENTS: u64 = 64;
/// How many datagrams quinn hands to the system in one write.
const SEGMENTS: u32 = 10;
/// The most bytes that the system takes in one write.
const MAX_WRITE_BYTES: u32 = 65_535;
/// From this initial MTU on, in bytes, quinn's default initial window (10 × 1200 bytes) is smaller than one datagram.
const LARGE_INITIAL_MTU: u16 = 12_000;
/// The smallest MTU that QUIC allows, in bytes.
const MIN_MTU: u16 = 1200;

/// A named set of settings.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Profile {
    /// For peers across the internet; the default, because it is safe everywhere.
    #[default]
    Internet,
    /// For the loopback interface and networks with jumbo frames.
    Datacentre,
}

impl FromStr for Profile {
    type Err = SettingsError;

    fn from_str(name: &str) -> Result<Self, SettingsError> {
        match name {
            "internet" => Ok(Self::Internet),
            "datacentre" => Ok(Self::Datacentre),
            _ => Err(SettingsError::UnknownProfile { name: name.to_owned() }),
        }
    }
}

/// The transport's settings. Start from a [`Profile`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// The largest datagram to try, in bytes.
    pub max_mtu: u16,
    /// The datagram size to begin with, in bytes.
    pub initial_mtu: u16,
    /// The initial congestion window, in bytes; `None` leaves it to the congestion controller (12,000).
    pub initial_window: Option<u64>,
    /// Whether several datagrams go out in one write. Without, a bulk transfer runs at a quarter of the speed.
    pub segmentation_offload: bool,
    /// Socket buffers in each direction, in bytes.
    pub socket_buffer: usize,
    /// What the endpoint may allocate for receiving, in bytes: 2048 of the largest datagrams.
    pub receive_buffer: u64,
    /// Sessions that a peer may have open on one connection.
    pub max_sessions: u32,
    /// The receive window of a session, in bytes.
    pub session_window: u32,
    /// The receive window of a connection, in bytes.
    pub connection_window: u32,
    /// How long a connection may be silent before it counts as lost.
    pub idle_timeout: Duration,
    /// How often an idle connection sends a keep-alive.
    pub keep_alive: Duration,
}

impl From<Profile> for Settings {
    fn from(profile: Profile) -> Self {
        let internet = Self {
            max_mtu: INTERNET_MTU,
            initial_mtu: MIN_MTU,
            initial_window: None,
            segmentation_offload: true,
            socket_buffer: SOCKET_BUFFER_BYTES,
            receive_buffer: RECEIVE_BUFFER_BYTES,
            max_sessions: MAX_SESSIONS,
            session_window: SESSION_WINDOW_BYTES,
            connection_window: CONNECTION_WINDOW_BYTES,
            idle_timeout: IDLE_TIMEOUT,
            keep_alive: KEEP_ALIVE,
        };
        match profile {
            Profile::Internet => internet,
            Profile::Datacentre => Self { max_mtu: DATACENTRE_MTU, ..internet },
        }
    }
}

impl Default for Settings {
    fn default() -> Self {
        Profile::default().into()
    }
}

/// Why settings would not work.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SettingsError {
    /// There is no profile of this name.
    #[error("there is no transport profile {name:?}")]
    UnknownProfile {
        /// The name.
        name: String,
    },
    /// Ten datagrams exceed what the system takes in one write. It would drop them silently.
    #[error("an MTU of {mtu} bytes with segmentation offload makes writes of {} bytes, where the system takes at most {MAX_WRITE_BYTES} and drops the rest silently", u32::from(*mtu) * SEGMENTS)]
    WriteTooLarge {
        /// The largest datagram, in bytes.
        mtu: u16,
    },
    /// The connection could never send its first datagram.
    #[error("an initial MTU of {mtu} bytes needs an initial window of at least {} bytes, or the connection hangs before its first datagram", needed_window(*mtu))]
    WindowTooSmall {
        /// The initial MTU, in bytes.
        mtu: u16,
    },
    /// An MTU that QUIC doesn't allow, or an initial one above the largest.
    #[error(
        "the initial MTU is {initial} bytes and the largest {max}; both are at least {MIN_MTU}, and the initial one is not above the largest"
    )]
    Mtu {
        /// The initial MTU, in bytes.
        initial: u16,
        /// The largest MTU, in bytes.
        max: u16,
    },
    /// A window is empty, or sessions could keep each other from being read.
    #[error(
        "{max_sessions} sessions, of {session_window} bytes each if they carry bulk, in a connection window of {connection_window} bytes"
    )]
    Windows {
        /// Sessions that a peer may have open on one connection.
        max_sessions: u32,
        /// A session's window, in bytes.
        session_window: u32,
        /// The connection's window, in bytes.
        connection_window: u32,
    },
    /// More sessions than [`MOST_SESSIONS`]. QUIC reserves memory for each stream that a peer may open, whether it
    /// does or not.
    #[error(
        "{max_sessions} sessions a connection make QUIC reserve memory for as many streams at both ends of each connection, opened or not; at most {MOST_SESSIONS} are allowed"
    )]
    TooManySessions {
        /// Sessions that a peer may have open on one connection.
        max_sessions: u32,
    },
    /// Fewer sessions than [`LEAST_SESSIONS`]. Requests would queue up behind one another.
    #[error(
        "with {max_sessions} sessions a connection, requests wait for one another's end as soon as more are in flight; at least {LEAST_SESSIONS} are needed"
    )]
    TooFewSessions {
        /// Sessions that a peer may have open on one connection.
        max_sessions: u32,
    },
    /// The endpoint would allocate more than it may for receiving.
    #[error(
        "an MTU of {mtu} bytes makes the endpoint allocate {} bytes for receiving, where {limit} are allowed", receive_buffer(*mtu)
    )]
    ReceiveBuffer {
        /// The largest datagram, in bytes.
        mtu: u16,
        /// What it may allocate, in bytes.
        limit: u64,
    },
    /// Connections would be lost between two keep-alives.
    #[error("a sign of life every {keep_alive:?} doesn't keep a connection that is lost after {idle_timeout:?}")]
    KeepAlive {
        /// The interval between keep-alives.
        keep_alive: Duration,
        /// The idle time-out.
        idle_timeout: Duration,
    },
}

impl Coded for SettingsError {
    fn code(&self) -> &'static str {
        match self {
            Self::UnknownProfile { .. } => "SW-TRANSPORT-001",
            Self::WriteTooLarge { .. } => "SW-TRANSPORT-002",
            Self::WindowTooSmall { .. } => "SW-TRANSPORT-003",
            Self::Mtu { .. } => "SW-TRANSPORT-004",
            Self::Windows { .. } => "SW-TRANSPORT-005",
            Self::KeepAlive { .. } => "SW-TRANSPORT-006",
            Self::TooManySessions { .. } => "SW-TRANSPORT-007",
            Self::TooFewSessions { .. } => "SW-TRANSPORT-008",
            Self::ReceiveBuffer { .. } => "SW-TRANSPORT-009",
        }
    }

    fn next_step(&self) -> String {
        match self {
            Self::UnknownProfile { .. } => "Use `internet` or `datacentre`.".to_owned(),
            Self::WriteTooLarge { .. } => {
                format!("Lower the MTU to at most {}, or turn segmentation offload off.", MAX_WRITE_BYTES / SEGMENTS)
            }
            Self::WindowTooSmall { mtu } => format!(
                "Begin with an MTU below {LARGE_INITIAL_MTU}, or raise the initial window to {}.",
                needed_window(*mtu)
            ),
            Self::Mtu { .. } => format!("Use the `internet` profile's values: {MIN_MTU} and {INTERNET_MTU}."),
            Self::Windows { .. } => {
                format!(
                    "Let a session's window be at least one byte, and the connection's hold one session's besides {} bytes for each that a side may open.",
                    2 * SMALL_SESSION_BYTES
                )
            }
            Self::TooManySessions { .. } | Self::TooFewSessions { .. } => {
                format!("Allow {LEAST_SESSIONS} to {MOST_SESSIONS} sessions; {MAX_SESSIONS} is the default.")
            }
            Self::ReceiveBuffer { mtu, limit } => format!(
                "Lower the MTU to at most {}, or allow the endpoint {} bytes.",
                limit / (RECEIVE_BATCHES * RECEIVE_SEGMENTS),
                receive_buffer(*mtu)
            ),
            Self::KeepAlive { .. } => "Let the interval be at most a third of the time-out.".to_owned(),
        }
    }
}

/// The initial window that this MTU needs, in bytes: ten datagrams, like quinn's default.
fn needed_window(mtu: u16) -> u64 {
    u64::from(mtu) * 10
}

/// What quinn allocates in each endpoint to receive datagrams of up to `mtu` bytes, in bytes.
fn receive_buffer(mtu: u16) -> u64 {
    u64::from(mtu) * RECEIVE_SEGMENTS * RECEIVE_BATCHES
}

impl Settings {
    /// Sets the session window for these protocols: the most bytes that one of them may leave [unread](Graph::unread)
    /// in either direction, so that none waits for the window unless its type makes it wait. The window never grows
    /// (2 MiB by default), so a deep pipeline of bulk, or a side that may speak without end, does wait for it.
    #[must_use]
    pub fn for_protocols<'a>(self, graphs: impl IntoIterator<Item = &'a Graph>) -> Self {
        let unread =
            graphs.into_iter().flat_map(|graph| [Side::Here, Side::There].map(|side| graph.unread(side))).max();
        // The initiator sends a header first: its length and its body.
        let header = u64::from(Header::MAX_BYTES) + 1;
        let largest = match unread {
            Some(Unread::Bytes(bytes)) => u32::try_from(bytes.saturating_add(header)).unwrap_or(u32::MAX),
            Some(Unread::Endless) | None => u32::MAX,
        };
        Self { session_window: self.session_window.min(largest), ..self }
    }

    /// Refuses settings with which connections would crawl, hang or be lost.
    ///
    /// # Errors
    /// [`SettingsError::Mtu`], [`SettingsError::WriteTooLarge`], [`SettingsError::WindowTooSmall`], [`SettingsError::Windows`], [`SettingsError::TooManySessions`],
    /// [`SettingsError::TooFewSessions`], [`SettingsError::ReceiveBuffer`] or [`SettingsError::KeepAlive`]: the first rule that they break.
    pub fn validate(&self) -> Result<(), SettingsError> {
        let Self { max_mtu, initial_mtu, .. } = *self;
        if initial_mtu < MIN_MTU || initial_mtu > max_mtu {
            return Err(SettingsError::Mtu { initial: initial_mtu, max: max_mtu });
        }
        if self.segmentation_offload && u32::from(max_mtu) * SEGMENTS > MAX_WRITE_BYTES {
            return Err(SettingsError::WriteTooLarge { mtu: max_mtu });
        }
        if initial_mtu >= LARGE_INITIAL_MTU
            && self.initial_window.is_none_or(|window| window < needed_window(initial_mtu))
        {
            return Err(SettingsError::WindowTooSmall { mtu: initial_mtu });
        }
        if receive_buffer(max_mtu) > self.receive_buffer {
            return Err(SettingsError::ReceiveBuffer { mtu: max_mtu, limit: self.receive_buffer });
        }
        let max_sessions = self.max_sessions;
        if max_sessions > MOST_SESSIONS {
            return Err(SettingsError::TooManySessions { max_sessions });
        }
        if max_sessions < LEAST_SESSIONS {
            return Err(SettingsError::TooFewSessions { max_sessions });
        }
        if self.session_window == 0 || self.bulk_sessions() == 0 {
            return Err(SettingsError::Windows {
                max_sessions: self.max_sessions,
                session_window: self.session_window,
                connection_window: self.connection_window,
            });
        }
        if self.keep_alive.is_zero()
            || self.keep_alive.saturating_mul(3) > self.idle_timeout
            || self.idle_timeout > MAX_IDLE
        {
            return Err(SettingsError::KeepAlive { keep_alive: self.keep_alive, idle_timeout: self.idle_timeout });
        }
        Ok(())
    }

    /// How many sessions of a connection may carry bulk to us at once: as many as fit into the connection's window
    /// unread, beside the share of every other session.
    #[must_use]
    pub fn bulk_sessions(&self) -> u32 {
        let others = self.max_sessions.saturating_mul(2).saturating_mul(SMALL_SESSION_BYTES);
        self.connection_window.saturating_sub(others).checked_div(self.session_window).unwrap_or_default()
    }

    pub(crate) fn transport(&self) -> quinn::TransportConfig {
        let mut config = quinn::TransportConfig::default();
        let mut discovery = quinn::MtuDiscoveryConfig::default();
        discovery.upper_bound(self.max_mtu);
        let mut congestion = quinn::congestion::CubicConfig::default();
        if let Some(window) = self.initial_window {
            congestion.initial_window(window);
        }
        config
            .mtu_discovery_config(Some(discovery))
            .initial_mtu(self.initial_mtu)
            .congestion_controller_factory(Arc::new(congestion))
            .enable_segmentation_offload(self.segmentation_offload)
            .max_concurrent_bidi_streams(self.max_sessions.into())
            .max_concurrent_uni_streams(0_u32.into()) // sessions are bidirectional
            .datagram_receive_buffer_size(None) // and streams
            .stream_receive_window(self.session_window.into())
            .receive_window(self.connection_window.into())
            .send_window(SEND_WINDOW_BYTES)
            .keep_alive_interval(Some(self.keep_alive))
            .max_idle_timeout(quinn::IdleTimeout::try_from(self.idle_timeout).ok());
        config
    }
}

/// The longest idle time-out that can be set: a day. QUIC's own limit is far above, but a forgotten connection
/// shouldn't live that long.
const MAX_IDLE: Duration = Duration::from_secs(24 * 60 * 60);

#[cfg(test)]
mod tests {
    use super::*;

    fn text(change: impl FnOnce(&mut Settings)) -> String {
        let mut settings = Settings::default();
        change(&mut settings);
        let error = settings.validate().unwrap_err();
        format!("{} {error} | {}", error.code(), error.next_step())
    }

    #[test]
    fn the_profiles_are_valid() {
        assert_eq!(Settings::from(Profile::Internet).validate(), Ok(()));
        assert_eq!(Settings::from(Profile::Datacentre).validate(), Ok(()));
        assert_eq!(Settings::default().bulk_sessions(), BULK_SESSIONS);
        assert_eq!("datacentre".parse(), Ok(Profile::Datacentre));
    }

    #[test]
    fn cliffs_are_refused_with_the_reason() {
        assert_eq!(
            text(|s| s.max_mtu = 6600),
            "SW-TRANSPORT-002 an MTU of 6600 bytes with segmentation offload makes writes of 66000 bytes, where the system \
             takes at most 65535 and drops the rest silently | Lower the MTU to at most 6553, or turn segmentation offload off."
        );
        let large = |window| {
            move |s: &mut Settings| {
                (s.max_mtu, s.initial_mtu, s.segmentation_offload, s.initial_window) = (65_507, 12_000, false, window);
                s.receive_buffer = 134_158_336;
            }
        };
        let hangs = "SW-TRANSPORT-003 an initial MTU of 12000 bytes needs an initial window of at least 120000 bytes, or the \
                     connection hangs before its first datagram | Begin with an MTU below 12000, or raise the initial window to 120000.";
        assert_eq!(text(large(None)), hangs);
        assert_eq!(text(large(Some(20_000))), hangs);
        let mut fine = Settings::default();
        large(Some(120_000))(&mut fine);
        assert_eq!(fine.validate(), Ok(()));
        assert_eq!(
            text(|s| (s.max_mtu, s.segmentation_offload) = (65_507, false)),
            "SW-TRANSPORT-009 an MTU of 65507 bytes makes the endpoint allocate 134158336 bytes for receiving, where 16777216 \
             are allowed | Lower the MTU to at most 8192, or allow the endpoint 134158336 bytes."
        );
        assert_eq!(
            text(|s| s.max_sessions = 1025),
            "SW-TRANSPORT-007 1025 sessions a connection make QUIC reserve memory for as many streams at both ends of each \
             connection, opened or not; at most 1024 are allowed | Allow 16 to 1024 sessions; 256 is the default."
        );
        assert_eq!(
            text(|s| s.max_sessions = 15),
            "SW-TRANSPORT-008 with 15 sessions a connection, requests wait for one another's end as soon as more are in \
             flight; at least 16 are needed | Allow 16 to 1024 sessions; 256 is the default."
        );
    }

    #[test]
    fn a_sessions_window_is_what_its_protocols_can_leave_unread() {
        use crate::algebra::{Eps, Rec, Recv, Send, Var, Z};
        #[derive(Debug, serde::Serialize, serde::Deserialize)]
        struct Small(u8);
        crate::message!(Small, max_bytes = 100, deadline = KEEP_ALIVE);
        #[derive(Debug, serde::Serialize, serde::Deserialize)]
        struct Large(u8);
        crate::message!(Large, max_bytes = 3 << 20, deadline = KEEP_ALIVE);
        let window = |graphs: &[Graph]| Settings::default().for_protocols(graphs).session_window;
        let small = Graph::of::<Send<Small, Recv<Small, Eps>>>();
        let twice = Graph::of::<Recv<Small, Recv<Small, Eps>>>();
        assert_eq!(window(std::slice::from_ref(&small)), 101 + 37);
        assert_eq!(window(&[small.clone(), twice]), 2 * 101 + 37);
        assert_eq!(window(&[small.clone(), Graph::of::<Send<Large, Eps>>()]), SESSION_WINDOW_BYTES);
        assert_eq!(window(&[small, Graph::of::<Rec<Recv<Small, Var<Z>>>>()]), SESSION_WINDOW_BYTES);
        assert_eq!(window(&[]), SESSION_WINDOW_BYTES);
    }

    #[test]
    fn contradictions_are_refused() {
        assert!(
            text(|s| s.initial_mtu = 1199)
                .starts_with("SW-TRANSPORT-004 the initial MTU is 1199 bytes and the largest 1452")
        );
        assert!(text(|s| s.initial_mtu = 1453).starts_with("SW-TRANSPORT-004"));
        assert_eq!(
            text(|s| s.session_window = 0),
            "SW-TRANSPORT-005 256 sessions, of 0 bytes each if they carry bulk, in a connection window of 33554432 bytes | \
             Let a session's window be at least one byte, and the connection's hold one session's besides 65536 bytes for \
             each that a side may open."
        );
        assert!(text(|s| s.session_window = s.connection_window).starts_with("SW-TRANSPORT-005"));
        assert!(
            text(|s| s.keep_alive = Duration::from_secs(11)).starts_with("SW-TRANSPORT-006 a sign of life every 11s")
        );
        assert!(text(|s| s.idle_timeout = Duration::from_secs(100_000)).starts_with("SW-TRANSPORT-006"));
        let unknown = "lan".parse::<Profile>().unwrap_err();
        assert_eq!(
            format!("{} {unknown} | {}", unknown.code(), unknown.next_step()),
            "SW-TRANSPORT-001 there is no transport profile \"lan\" | Use `internet` or `datacentre`."
        );
    }
}
