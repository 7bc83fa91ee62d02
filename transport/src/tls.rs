//! TLS 1.3 in which both sides show a raw ed25519 public key (RFC 7250), and the key is the peer id.
//!
//! There are no certificates, names or authorities. A dialler that knows the peer's key pins it; an acceptor takes
//! any peer and learns its key. No session is resumed and no data is sent before the handshake is over, because
//! either would let a recorded connection be replayed. The server name isn't sent: it would tell everyone on the way
//! whom the dialler wants.

use crate::identity::Identity;
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, SignatureAlgorithm, SignatureScheme,
    client::{
        AlwaysResolvesClientRawPublicKeys, Resumption,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    },
    crypto::{CryptoProvider, WebPkiSupportedAlgorithms, ring, verify_tls13_signature_with_raw_key},
    pki_types::{CertificateDer, ServerName, SubjectPublicKeyInfoDer, UnixTime},
    server::{
        AlwaysResolvesServerRawPublicKeys, NoServerSessionStorage,
        danger::{ClientCertVerified, ClientCertVerifier},
    },
    sign::{CertifiedKey, Signer, SigningKey},
    time_provider::TimeProvider,
    version::TLS13,
};
use shardwire_model::PeerId;
use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

/// The ALPN protocol that both sides must name in the handshake.
pub const ALPN: &[u8] = b"shardwire/1";

/// The DER prefix of an ed25519 public key's 32 bytes (RFC 8410): sequence, algorithm 1.3.101.112, bit string.
const SPKI_PREFIX: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];

/// The public key as TLS carries it.
pub(crate) fn public_key_info(peer: &PeerId) -> Vec<u8> {
    [&SPKI_PREFIX[..], &peer.0].concat()
}

/// The peer whose key this is; `None` if it is no usable ed25519 key.
pub(crate) fn peer_of(public_key_info: &[u8]) -> Option<PeerId> {
    let key: [u8; 32] = public_key_info.strip_prefix(&SPKI_PREFIX[..])?.try_into().ok()?;
    // Anybody can make signatures that verify under a key of small order.
    let usable = ed25519_dalek::VerifyingKey::from_bytes(&key).is_ok_and(|key| !key.is_weak());
    usable.then_some(PeerId(key))
}

/// The dialler's configuration, and a cell that receives the key of the peer that answered, also when it isn't the
/// expected one.
pub(crate) fn client(
    alpn: &[u8],
    identity: &Identity,
    expected: Option<PeerId>,
) -> Result<(rustls::ClientConfig, Arc<OnceLock<PeerId>>), Error> {
    let provider = Arc::new(ring::default_provider());
    let found = Arc::new(OnceLock::new());
    let verifier =
        RawKeys { algorithms: provider.signature_verification_algorithms, expected, found: Arc::clone(&found) };
    let mut config = rustls::ClientConfig::builder_with_details(provider, Arc::new(NoDate))
        .with_protocol_versions(&[&TLS13])?
        .dangerous() // rustls' word for an own verifier: this one checks the key itself
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_client_cert_resolver(Arc::new(AlwaysResolvesClientRawPublicKeys::new(certified(identity))));
    config.alpn_protocols = vec![alpn.to_vec()];
    config.resumption = Resumption::disabled();
    config.enable_early_data = false;
    config.enable_sni = false;
    Ok((config, found))
}

/// The acceptor's configuration.
pub(crate) fn server(identity: &Identity) -> Result<rustls::ServerConfig, Error> {
    let provider: Arc<CryptoProvider> = Arc::new(ring::default_provider());
    let verifier =
        RawKeys { algorithms: provider.signature_verification_algorithms, expected: None, found: Arc::default() };
    let mut config = rustls::ServerConfig::builder_with_details(provider, Arc::new(NoDate))
        .with_protocol_versions(&[&TLS13])?
        .with_client_cert_verifier(Arc::new(verifier))
        .with_cert_resolver(Arc::new(AlwaysResolvesServerRawPublicKeys::new(certified(identity))));
    config.alpn_protocols = vec![ALPN.to_vec()];
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    config.max_early_data_size = 0;
    Ok(config)
}

/// Raw keys have no dates and no session is resumed, so the date doesn't matter and isn't read.
#[derive(Debug)]
struct NoDate;

impl TimeProvider for NoDate {
    fn current_time(&self) -> Option<UnixTime> {
        Some(UnixTime::since_unix_epoch(Duration::ZERO))
    }
}

fn certified(identity: &Identity) -> Arc<CertifiedKey> {
    let key = CertificateDer::from(public_key_info(&identity.peer()));
    Arc::new(CertifiedKey::new(vec![key], Arc::new(TlsKey(identity.clone()))))
}

/// Signs for rustls with the identity's key. The secret never leaves [`Identity`].
#[derive(Debug, Clone)]
struct TlsKey(Identity);

impl SigningKey for TlsKey {
    fn choose_scheme(&self, offered: &[SignatureScheme]) -> Option<Box<dyn Signer>> {
        offered.contains(&SignatureScheme::ED25519).then(|| Box::new(self.clone()) as Box<dyn Signer>)
    }

    fn public_key(&self) -> Option<SubjectPublicKeyInfoDer<'_>> {
        Some(public_key_info(&self.0.peer()).into())
    }

    fn algorithm(&self) -> SignatureAlgorithm {
        SignatureAlgorithm::ED25519
    }
}

impl Signer for TlsKey {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Error> {
        Ok(self.0.sign_raw(message))
    }

    fn scheme(&self) -> SignatureScheme {
        SignatureScheme::ED25519
    }
}

#[derive(Debug)]
struct RawKeys {
    algorithms: WebPkiSupportedAlgorithms,
    expected: Option<PeerId>,
    found: Arc<OnceLock<PeerId>>,
}

impl RawKeys {
    fn check(&self, key: &CertificateDer<'_>, more: &[CertificateDer<'_>]) -> Result<(), Error> {
        let peer = peer_of(key).filter(|_| more.is_empty()).ok_or(CertificateError::BadEncoding)?;
        match self.expected {
            None => Ok(()),
            Some(expected) => {
                let found = *self.found.get_or_init(|| peer);
                if found == expected && peer == expected {
                    Ok(())
                } else {
                    Err(CertificateError::ApplicationVerificationFailure.into())
                }
            }
        }
    }

    fn signature(
        &self,
        message: &[u8],
        key: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature_with_raw_key(
            message,
            &SubjectPublicKeyInfoDer::from(key.as_ref()),
            signed,
            &self.algorithms,
        )
    }
}

/// TLS 1.2 is not configured, so rustls never asks.
fn not_tls12() -> Result<HandshakeSignatureValid, Error> {
    Err(Error::General("TLS 1.2 is not spoken here".to_owned()))
}

impl ServerCertVerifier for RawKeys {
    fn verify_server_cert(
        &self,
        key: &CertificateDer<'_>,
        more: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        self.check(key, more).map(|()| ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        not_tls12()
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        key: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.signature(message, key, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ED25519]
    }

    fn requires_raw_public_keys(&self) -> bool {
        true
    }
}

impl ClientCertVerifier for RawKeys {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        key: &CertificateDer<'_>,
        more: &[CertificateDer<'_>],
        _: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        self.check(key, more).map(|()| ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        not_tls12()
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        key: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.signature(message, key, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ED25519]
    }

    fn requires_raw_public_keys(&self) -> bool {
        true
    }
}
