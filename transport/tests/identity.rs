//! The identity file, and what a signature is worth.

use rand::SeedableRng;
use rand_chacha::ChaCha20Rng;
use shardwire_model::Coded;
use shardwire_transport::{Identity, IdentityError, PeerSignature, identity::verify};
use std::{fs, os::unix::fs::PermissionsExt, path::Path};

fn rng() -> ChaCha20Rng {
    ChaCha20Rng::seed_from_u64(11)
}

fn told(result: Result<Identity, IdentityError>) -> String {
    let error = result.unwrap_err();
    format!("{} {error} | {}", error.code(), error.next_step())
}

fn write(path: &Path, text: &str, mode: u32) {
    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn an_identity_is_what_was_written() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("identity");
    let created = Identity::create(&path, &mut rng()).unwrap();
    assert_eq!(Identity::load(&path).unwrap().peer(), created.peer());
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o7777, 0o600);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing else is left behind");
    assert_eq!(format!("{created:?}"), format!("Identity({})", created.peer()), "the secret is not shown");
}

#[test]
fn an_identity_is_never_overwritten() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("identity");
    let first = Identity::create(&path, &mut rng()).unwrap();
    let text = told(Identity::create(&path, &mut ChaCha20Rng::seed_from_u64(12)));
    assert_eq!(
        text,
        format!(
            "SW-IDENTITY-002 an identity exists already at {} | Keep it: peers know this node by it. To start anew, move the file away first.",
            path.display()
        )
    );
    assert_eq!(Identity::load(&path).unwrap().peer(), first.peer());
}

#[test]
fn what_is_not_a_private_identity_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("identity");
    let at = path.display();
    assert_eq!(
        told(Identity::load(&path)),
        format!(
            "SW-IDENTITY-001 there is no identity at {at} | Create one with `shardwire init`, or name the right data folder."
        )
    );
    let good = format!("shardwire-identity-1 {}\n", "0f".repeat(32));
    write(&path, &good, 0o640);
    assert_eq!(
        told(Identity::load(&path)),
        format!(
            "SW-IDENTITY-003 {at} may be read or changed by others (mode 0640) | If nobody else can have read it, run `chmod 600 {at}`; else replace the identity."
        )
    );
    for (text, reason) in [
        (good.replace('1', "2"), "another format"),
        (good.replace("0f0f0f", "0f0f"), "not 64 hexadecimal digits"),
        (good.replace("0f0f0f", "0f0fxf"), "not 64 hexadecimal digits"),
        (good.replace("0f0f0f", "0f0fé"), "not 64 hexadecimal digits"),
        (good.repeat(9), "too long"),
        (String::new(), "another format"),
    ] {
        write(&path, &text, 0o600);
        let told = told(Identity::load(&path));
        assert!(told.starts_with(&format!("SW-IDENTITY-004 {at} is not an identity: {reason} | Restore")), "{told}");
    }
    fs::write(&path, [0xff; 10]).unwrap();
    assert!(told(Identity::load(&path)).contains("not text"));
    assert!(told(Identity::load(folder.path())).contains("not a file"));
    write(&path, &good, 0o600);
    assert_eq!(Identity::load(&path).unwrap().peer(), Identity::from_secret(&[0x0f; 32]).peer());
    assert!(told(Identity::create(&folder.path().join("no/such/folder"), &mut rng())).starts_with("SW-IDENTITY-005"));
}

#[test]
fn a_signature_is_worth_something_in_its_context_only() {
    let (signer, other) = (Identity::from_secret(&[1; 32]), Identity::from_secret(&[2; 32]));
    let signature = signer.sign("receipt", b"statement");
    assert!(verify(&signer.peer(), "receipt", b"statement", &signature));
    assert!(!verify(&signer.peer(), "lease", b"statement", &signature));
    assert!(!verify(&signer.peer(), "receipt", b"statements", &signature));
    assert!(!verify(&signer.peer(), "receipts", b"tatement", &signature));
    assert!(!verify(&other.peer(), "receipt", b"statement", &signature));
    for at in 0..64 {
        let mut bent = signature;
        bent.0[at] ^= 1;
        assert!(!verify(&signer.peer(), "receipt", b"statement", &bent), "byte {at}");
    }
    // A key of small order, for which a signature of zeros would verify anything.
    let mut small = [0; 32];
    small[0] = 1;
    assert!(!verify(&shardwire_model::PeerId(small), "receipt", b"statement", &PeerSignature([0; 64])));
}

#[test]
fn a_signature_is_64_bytes_on_the_wire() {
    let signature = Identity::from_secret(&[1; 32]).sign("receipt", b"statement");
    let bytes = postcard::to_stdvec(&signature).unwrap();
    assert_eq!(bytes, signature.0);
    assert_eq!(postcard::from_bytes::<PeerSignature>(&bytes).unwrap(), signature);
    assert!(postcard::from_bytes::<PeerSignature>(&bytes[..63]).is_err());
    assert_eq!(signature.to_string().len(), 128);
}
