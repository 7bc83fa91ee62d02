//! A peer written by `docs/wire.md` alone meets the real halves: bytes are made and read by hand here, with no encoder, no types of messages
//! and no session of ours. What goes into them and is computed: [`values`], those of a shard of [`contracts`], [`chunk`]s, what is [`signed`].

mod chunk;
mod contracts;
mod signed;
mod values;

use ed25519_dalek::{Signer, SigningKey};
use shardwire_model::{Clock, PeerId, ShardId, Timestamp};
use shardwire_protocols::{
    handoff::{Accept, Acceptance},
    handshake::{self, Handshake, HandshakeError, Hello, spoken},
    keepalive::{self, Keepalive},
};
use shardwire_transport::{Bytes, Channel, Incoming, Message, WireCode, message::Body};

/// Chapter 4: 7 bits a byte, the lowest first.
fn number(n: u64) -> Vec<u8> {
    long_number(n.into())
}

/// Chapter 4, for a u128.
fn long_number(mut n: u128) -> Vec<u8> {
    let mut bytes = Vec::new();
    while n >= 0x80 {
        bytes.push((n as u8 & 0x7f) | 0x80);
        n >>= 7;
    }
    bytes.push(n as u8);
    bytes
}

fn text(text: &str) -> Vec<u8> {
    [number(text.len() as u64), text.as_bytes().to_vec()].concat()
}

fn list(elements: &[Vec<u8>]) -> Vec<u8> {
    [number(elements.len() as u64), elements.concat()].concat()
}

/// Chapter 2: tags, length, body.
fn frame(tags: &[u8], body: &[u8]) -> Vec<u8> {
    [tags.to_vec(), number(body.len() as u64), body.to_vec()].concat()
}

fn header(protocol: &str, version: u64) -> Vec<u8> {
    frame(&[], &[text(protocol), number(version)].concat())
}

fn hello(network: &str, protocols: &[(&str, u64, u64)], time: u64) -> Vec<u8> {
    let protocols: Vec<Vec<u8>> =
        protocols.iter().map(|(name, min, max)| [text(name), number(*min), number(*max)].concat()).collect();
    let unknown = [text("oracle")];
    // Of no World; it serves nothing, and opens these.
    [text(network), number(0), text("page/1"), list(&unknown), list(&[]), list(&protocols), list(&[]), number(time)]
        .concat()
}

/// Reads what it is asked for from what has come, waiting for more.
struct Reader {
    channel: Channel,
    have: Vec<u8>,
}

impl Reader {
    async fn bytes(&mut self, n: usize) -> Vec<u8> {
        while self.have.len() < n {
            let more = self.channel.read_raw().await.unwrap().expect("the direction ended early");
            self.have.extend_from_slice(&more);
        }
        self.have.drain(..n).collect()
    }

    async fn frame(&mut self) -> Vec<u8> {
        let (mut length, mut shift) = (0, 0);
        loop {
            let byte = self.bytes(1).await[0];
            length |= usize::from(byte & 0x7f) << shift;
            shift += 7;
            if byte < 0x80 {
                return self.bytes(length).await;
            }
        }
    }

    async fn ended(mut self) {
        assert_eq!((self.have.len(), self.channel.read_raw().await), (0, Ok(None)));
    }
}

/// Takes the front of a body apart.
struct Parts<'a>(&'a [u8]);

impl Parts<'_> {
    fn number(&mut self) -> u64 {
        let (mut value, mut shift) = (0, 0);
        loop {
            let byte = self.0[0];
            self.0 = &self.0[1..];
            value |= u64::from(byte & 0x7f) << shift;
            shift += 7;
            if byte < 0x80 {
                return value;
            }
        }
    }

    fn text(&mut self) -> String {
        let length = self.number() as usize;
        let (text, rest) = self.0.split_at(length);
        self.0 = rest;
        String::from_utf8(text.to_vec()).unwrap()
    }
}

fn ours() -> Hello {
    Hello {
        network: "local".into(),
        world: None,
        agent: "real/1".into(),
        roles: vec!["operator".into()],
        serves: spoken(),
        opens: Vec::new(),
        capabilities: vec![],
        time: Timestamp(7),
    }
}

#[tokio::test(start_paused = true)]
async fn a_peer_by_the_page_is_greeted() {
    let (mut page, real) = Channel::pair();
    let said =
        [header("handshake", 1), frame(&[], &hello("local", &[("trace", 1, 3), ("gossip", 4, 4)], 1_700_000_000_000))];
    assert!(page.write_raw(said.concat()).await);
    page.finish_raw();
    let real = async { handshake::answer(Incoming::new(real).serve::<Handshake>().await.unwrap(), ours()).await };
    let page = async {
        let mut reader = Reader { channel: page, have: Vec::new() };
        assert_eq!(reader.bytes(1).await, [0], "the first branch: a Hello");
        let body = reader.frame().await;
        let mut parts = Parts(&body);
        assert_eq!(parts.text(), "local");
        assert_eq!((parts.number(), parts.text().as_str()), (0, "real/1"), "no World");
        assert_eq!((parts.number(), parts.text().as_str()), (1, "operator"));
        let protocols: Vec<_> = (0..parts.number()).map(|_| (parts.text(), parts.number(), parts.number())).collect();
        assert!(protocols.contains(&("trace".to_owned(), 1, 1)), "{protocols:?}");
        assert_eq!(parts.number(), 0, "it opens nothing");
        assert_eq!((parts.number(), parts.number(), parts.0.len()), (0, 7, 0), "no capabilities, its time, no more");
        reader.ended().await;
    };
    let (agreed, ()) = tokio::join!(real, page);
    let agreed = agreed.unwrap();
    assert_eq!((agreed.agent.as_str(), agreed.serves["trace"], agreed.serves.len()), ("page/1", 1, 1));
    assert!(agreed.roles.contains("oracle"));
}

#[tokio::test(start_paused = true)]
async fn a_peer_by_the_page_is_told_why_it_is_refused() {
    let (mut page, real) = Channel::pair();
    page.write_raw([header("handshake", 1), frame(&[], &hello("elsewhere", &[], 0))].concat()).await;
    page.finish_raw();
    let real = async { handshake::answer(Incoming::new(real).serve::<Handshake>().await.unwrap(), ours()).await };
    let page = async {
        let mut reader = Reader { channel: page, have: Vec::new() };
        assert_eq!(reader.bytes(1).await, [1], "the second branch: Refused");
        let body = reader.frame().await;
        assert_eq!(body.first(), Some(&0), "the reason: Network");
        let mut parts = Parts(body.get(1..).unwrap_or_default());
        assert_eq!(parts.text(), "SW-HANDSHAKE-001");
        assert!(parts.text().contains("'elsewhere'") && parts.0.is_empty());
        reader.ended().await;
    };
    let (refused, ()) = tokio::join!(real, page);
    assert!(matches!(refused, Err(HandshakeError::Mismatch(_))), "{refused:?}");
}

#[derive(Debug)]
struct Noon;
impl Clock for Noon {
    fn now(&self) -> Timestamp {
        Timestamp(300)
    }
}

/// The bytes that the page shows.
const PAGE: &str = include_str!("../../../docs/wire.md");

#[tokio::test(start_paused = true)]
async fn the_pages_example_is_a_keepalive_session() {
    let example = [header("keepalive", 1), frame(&[0], &number(1_700_000_000_000))].concat();
    let block = PAGE.split("```").find(|block| block.contains("the header has 11 bytes")).unwrap();
    // Each line: hexadecimal pairs, then words after two spaces or more.
    let shown = block
        .lines()
        .flat_map(|line| line.split("  ").next().unwrap_or_default().split(' ').filter(|it| !it.is_empty()));
    let shown: Vec<u8> = shown.map(|pair| u8::from_str_radix(pair, 16).unwrap()).collect();
    assert_eq!(shown, example);

    let (mut page, real) = Channel::pair();
    page.write_raw(example).await;
    let real = async { keepalive::serve(Incoming::new(real).serve::<Keepalive>().await.unwrap(), &Noon).await };
    let page = async {
        let mut reader = Reader { channel: page, have: Vec::new() };
        let pong = reader.frame().await;
        assert_eq!(pong, [number(1_700_000_000_000), number(300)].concat());
        // A second ping, a byte at a time; and, when it is answered, the end.
        for byte in frame(&[0], &number(1)) {
            reader.channel.write_raw(vec![byte]).await;
        }
        assert_eq!(reader.frame().await, [number(1), number(300)].concat());
        reader.channel.write_raw(frame(&[1], &[])).await;
        reader.channel.finish_raw();
        reader.ended().await;
    };
    let (served, ()) = tokio::join!(real, page);
    served.unwrap();
}

#[tokio::test(start_paused = true)]
async fn faults_are_answered_with_the_codes_of_the_page() {
    let after_header = |bytes: &[u8]| [header("keepalive", 1), bytes.to_vec()].concat();
    let cases = [
        (after_header(&[2]), 0x13, "a tag that is neither 0 nor 1"),
        (after_header(&[0, 0x80, 0x00]), 0x10, "a length not in shortest form"),
        (after_header(&[0, 11]), 0x11, "a length above the limit"),
        (after_header(&[0, 2, 1, 1]), 0x10, "bytes after the message"),
        (header("gossip", 1), 0x17, "an unknown protocol"),
        (header("keepalive", 2), 0x17, "an unknown version"),
    ];
    for (bytes, code, what) in cases {
        let (mut page, real) = Channel::pair();
        page.write_raw(bytes).await;
        let real = async { keepalive::serve(Incoming::new(real).serve::<Keepalive>().await?, &Noon).await };
        let (served, answer) = tokio::join!(real, async { page.read_raw().await });
        assert!(served.is_err(), "{what}");
        assert_eq!(answer.map_err(WireCode::number), Err(code), "{what}");
    }
}

#[test]
fn a_signature_by_the_page_verifies() {
    let key = SigningKey::from_bytes(&[7; 32]);
    let peer = PeerId(key.verifying_key().to_bytes());
    let shard: ShardId = "0x1234".parse().unwrap();
    let mut felt = vec![0; 32];
    felt[30..].copy_from_slice(&[0x12, 0x34]); // big-endian
    let statement = [felt, number(300)].concat();
    let context = b"shardwire handoff acceptance 1";
    let signed = [&b"shardwire-signature-1"[..], &(context.len() as u64).to_le_bytes(), context, &statement].concat();
    let body = [statement, key.sign(&signed).to_vec()].concat();
    let accept = Accept::decode(Body::from(Bytes::from(body))).unwrap();
    assert_eq!(accept.verify(&peer), Ok(&Acceptance { shard, epoch: 300 }));
}
