//! One side of a session against bytes.

use rand_chacha::{
    ChaCha8Rng,
    rand_core::{RngCore, SeedableRng},
};
use serde::{Deserialize, Serialize};
use shardwire_model::Coded;
use shardwire_protocols::catalogue::{Entry, ProtocolId};
use shardwire_transport::{
    Bytes, Channel, Incoming, Initiator, Protocol, Responder, SessionError,
    algebra::{Choose, Eps, HasDual, Rec, Recv, Send, Var, Z},
    graph::MessageInfo,
    message, offer,
    session::{Header, drive::Driver, initiate},
};
use std::{cell::RefCell, future::Future, pin::Pin, time::Duration};
use tokio::{runtime::Runtime, time::sleep};

/// In the first byte: the initiator is fed, not the responder.
pub const INITIATOR: u8 = 1;
/// In the first byte: the peer falls silent after the bytes instead of ending its stream.
pub const SILENT: u8 = 2;
/// Bytes under way in each direction, as a QUIC stream of a slow peer has.
const UNDER_WAY: usize = 64 * 1024;

/// Messages and choices of a side whose half is derived from the protocol's type.
const MAX_DRAWN: usize = 64;
/// Bytes that a drawn body has beyond the least.
const DRAWN_BYTES: usize = 256;
/// How often a body is drawn, until the type takes it: what a shape doesn't say is refused.
const DRAWS: usize = 1000;

/// How a half ended.
pub(crate) type Ended = Result<(), Box<dyn Coded>>;

/// Runs to the end in virtual time.
pub(crate) fn run(future: impl Future<Output = ()>) {
    thread_local! {
        static RUNTIME: RefCell<Option<Runtime>> = const { RefCell::new(None) };
    }
    RUNTIME.with_borrow_mut(|runtime| {
        let runtime = runtime.get_or_insert_with(|| {
            let mut builder = tokio::runtime::Builder::new_current_thread();
            builder.enable_time().start_paused(true).build().expect("a runtime without I/O")
        });
        runtime.block_on(future);
    });
}

/// One side of a session, on a channel to its peer.
pub(crate) type Half = Box<dyn FnOnce(Channel) -> Pin<Box<dyn Future<Output = Ended>>>>;

/// Both sides of a protocol.
pub(crate) struct Halves {
    pub(crate) protocol: ProtocolId,
    pub(crate) initiator: Half,
    pub(crate) responder: Half,
    /// Derived halves may give up; real ones come to a good end.
    derived: bool,
}

impl Halves {
    /// Of typed halves.
    pub(crate) fn of<P, A, B>(
        initiator: impl FnOnce(Initiator<P>) -> A + 'static,
        responder: impl FnOnce(Responder<P>) -> B + 'static,
    ) -> Self
    where
        P: Protocol,
        A: Future<Output = Ended>,
        B: Future<Output = Ended>,
    {
        Self {
            protocol: ProtocolId::of::<P>(),
            initiator: Box::new(|channel| {
                Box::pin(async move { initiator(initiate::<P>(channel).map_err(boxed)?).await })
            }),
            responder: Box::new(|channel| {
                Box::pin(async move { responder(Incoming::new(channel).serve::<P>().await.map_err(boxed)?).await })
            }),
            derived: false,
        }
    }

    /// Derived from the protocol's type: both sides say what a seed draws.
    pub(crate) fn derived(entry: Entry) -> Self {
        Self {
            protocol: ProtocolId::from(&entry),
            initiator: Box::new(move |channel| {
                Box::pin(async move { entry.drive_initiator(channel, &mut Drawn::from(1)).await.map_err(boxed) })
            }),
            responder: Box::new(move |channel| {
                Box::pin(async move { entry.drive_responder(channel, &mut Drawn::from(2)).await.map_err(boxed) })
            }),
            derived: true,
        }
    }
}

/// Draws branches and bodies from a seed, and gives up after [`MAX_DRAWN`] of them: no session goes on for ever.
struct Drawn {
    random: ChaCha8Rng,
    left: usize,
}

impl From<u64> for Drawn {
    fn from(seed: u64) -> Self {
        Self { random: ChaCha8Rng::seed_from_u64(seed), left: MAX_DRAWN }
    }
}

impl Driver for Drawn {
    fn message(&mut self, message: MessageInfo) -> Option<Bytes> {
        self.left = self.left.checked_sub(1)?;
        let shape = message.shape();
        let budget = shape.least().saturating_add(DRAWN_BYTES).min(message.max_bytes as usize);
        let mut bodies = (0..DRAWS).map(|_| Bytes::from(shape.sample(&mut self.random, budget)));
        bodies.find(|body| message.read(body.clone()).is_ok())
    }

    fn choose(&mut self) -> Option<bool> {
        self.left = self.left.checked_sub(1)?;
        Some(self.random.next_u32() % 2 == 1)
    }
}

/// Plays the side that the first byte names against the rest.
pub(crate) async fn play(bytes: &[u8], halves: Halves) {
    let Some((first, bytes)) = bytes.split_first() else { return };
    let (near, far) = Channel::pair_between(super::peers::peers(), UNDER_WAY);
    let ended = if first & INITIATOR == 0 {
        let bytes = [header(halves.protocol), bytes.to_vec()].concat();
        against((halves.responder)(far), near, bytes, first & SILENT != 0).await
    } else {
        against((halves.initiator)(near), far, bytes.to_vec(), first & SILENT != 0).await
    };
    check(&ended);
}

pub(crate) fn boxed(error: impl Coded + 'static) -> Box<dyn Coded> {
    Box::new(error)
}

fn check(ended: &Ended) {
    if let Err(error) = ended {
        assert!(error.code().starts_with("SW-"), "{} {error}", error.code());
        assert!(!error.to_string().is_empty() && !error.next_step().is_empty());
    }
}

/// A half against a peer that says these bytes, and hears everything.
async fn against(half: impl Future<Output = Ended>, peer: Channel, bytes: Vec<u8>, silent: bool) -> Ended {
    let peer = tokio::spawn(async move {
        let mut peer = peer;
        // Small pieces while hearing: both directions may be full.
        for piece in bytes.chunks(UNDER_WAY / 2) {
            if !peer.write_raw(piece.to_vec()).await {
                return;
            }
        }
        if !silent {
            peer.finish_raw();
        }
        while let Ok(Some(_)) = peer.read_raw().await {}
    });
    let ended = half.await;
    peer.abort();
    ended
}

/// The stream's header as its initiator sends it.
fn header(ProtocolId { name, version }: ProtocolId) -> Vec<u8> {
    let body = Header::new(name, version).and_then(|it| postcard::to_stdvec(&it).ok()).unwrap_or_default();
    let length = u8::try_from(body.len()).unwrap_or_default(); // at most 36: one byte
    [vec![length], body].concat()
}

/// What both sides of an honest session say, without the header: the beginnings of a corpus.
pub(crate) async fn recorded(halves: Halves) -> [Vec<u8>; 2] {
    let Halves { protocol, initiator, responder, derived } = halves;
    let (near, mut tap_near) = Channel::pair_between(super::peers::peers(), UNDER_WAY);
    let (mut tap_far, far) = Channel::pair_between(super::peers::peers(), UNDER_WAY);
    let tap = async {
        let mut said = [Vec::new(), Vec::new()];
        let (mut near_open, mut far_open) = (true, true);
        while near_open || far_open {
            tokio::select! { biased;
                read = tap_near.read_raw(), if near_open => match read {
                    Ok(Some(bytes)) => { said[0].extend_from_slice(&bytes); tap_far.write_raw(bytes).await; }
                    _ => { near_open = false; tap_far.finish_raw(); }
                },
                read = tap_far.read_raw(), if far_open => match read {
                    Ok(Some(bytes)) => { said[1].extend_from_slice(&bytes); tap_near.write_raw(bytes).await; }
                    _ => { far_open = false; tap_near.finish_raw(); }
                },
            }
        }
        said
    };
    let (mut said, near, far) = tokio::join!(tap, initiator(near), responder(far));
    for ended in [near, far].into_iter().filter(|_| !derived) {
        ended.unwrap_or_else(|error| panic!("an honest session of {} failed: {error}", protocol.name));
    }
    said[0].drain(..header(protocol).len());
    said
}

#[derive(Debug, Serialize, Deserialize)]
struct Words(Vec<String>);
message!(Words, max_bytes = 4096, deadline = Duration::from_secs(10));
#[derive(Debug, Serialize, Deserialize)]
struct Count(u64, Option<i32>);
message!(Count, max_bytes = 20, deadline = Duration::from_secs(10));
#[derive(Debug, Serialize, Deserialize)]
struct Nothing {}
message!(Nothing, max_bytes = 0, deadline = Duration::from_secs(10));

enum Frames {}
impl Protocol for Frames {
    const NAME: &'static str = "frames";
    const VERSION: u16 = 1;
    type Initiator = Rec<Choose<Send<Words, Var<Z>>, Choose<Send<Count, Recv<Count, Var<Z>>>, Send<Nothing, Eps>>>>;
    type Responder = <Self::Initiator as HasDual>::Dual;
}

async fn read_frames(channel: Channel) -> Result<(), SessionError> {
    let mut session = Incoming::new(channel).serve::<Frames>().await?.enter();
    loop {
        session = offer!(session => {
            Words(Words(_)), next => next.repeat(),
            Count(count), next => next.send(count).await?.repeat(),
            Nothing(_), end => return end.close().await,
        });
    }
}

/// The first byte says into how long pieces the rest is cut, 0 for one.
pub(crate) async fn frames(bytes: &[u8]) {
    let Some((&cut, bytes)) = bytes.split_first() else { return };
    let (mut peer, channel) = Channel::pair_between(super::peers::peers(), UNDER_WAY);
    let pieces: Vec<Bytes> =
        bytes.chunks(if cut == 0 { usize::MAX } else { cut.into() }).map(Bytes::copy_from_slice).collect();
    let peer = tokio::spawn(async move {
        for piece in pieces {
            if !peer.write_raw(piece).await {
                return;
            }
            if cut != 0 {
                sleep(Duration::from_millis(1)).await; // or they would arrive as one
            }
        }
        peer.finish_raw();
        while let Ok(Some(_)) = peer.read_raw().await {}
    });
    check(&read_frames(channel).await.map_err(boxed));
    peer.abort();
}
