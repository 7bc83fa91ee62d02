//! Classes that others compiled: out of the sources of a crate, which cargo fetches. None of its code is built.

use std::{
    env, fs, io,
    path::{Path, PathBuf},
    process::Command,
};

/// The crate with the classes, and its version.
const CRATE: (&str, &str) = ("starknet-devnet-core", "0.10.1");

/// A class file of OpenZeppelin's account, version 1.0.0.
pub(crate) const ACCOUNT: &str = "accounts_artifacts/OpenZeppelin/1.0.0/Account.cairo/Account.sierra";
/// A class file of the STRK token: OpenZeppelin's ERC-20 with roles.
pub(crate) const ERC20: &str = "system_artifacts/erc20_strk.sierra";
/// A class file of OpenZeppelin's account of Cairo 0.
pub(crate) const CAIRO_0: &str = "accounts_artifacts/OpenZeppelin/0.5.1/Account.cairo/Account.json";

/// Reads a class file.
pub(crate) fn class(file: &str) -> Vec<u8> {
    let found = folder().or_else(|| {
        fetch().unwrap();
        folder()
    });
    let folder = found.unwrap_or_else(|| panic!("cargo didn't fetch {} {}: is there a network?", CRATE.0, CRATE.1));
    fs::read(folder.join("contracts").join(file)).unwrap()
}

/// Where cargo keeps the crate's sources.
fn folder() -> Option<PathBuf> {
    let home = env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = home.or_else(|| Some(Path::new(&env::var_os("HOME")?).join(".cargo")))?;
    let indexes = fs::read_dir(home.join("registry/src")).ok()?.flatten();
    indexes.map(|index| index.path().join(format!("{}-{}", CRATE.0, CRATE.1))).find(|folder| folder.is_dir())
}

/// Has cargo fetch the crate, and what it depends on, for a package that is never built.
fn fetch() -> io::Result<()> {
    let package = Path::new(env!("CARGO_TARGET_TMPDIR")).join("classes");
    fs::create_dir_all(package.join("src"))?;
    fs::write(package.join("src/lib.rs"), "")?;
    let (name, version) = CRATE;
    let manifest = format!("[package]\nname = \"classes\"\n[workspace]\n[dependencies]\n{name} = \"={version}\"\n");
    fs::write(package.join("Cargo.toml"), manifest)?;
    let status = Command::new(env!("CARGO")).arg("fetch").current_dir(package).status()?;
    if status.success() { Ok(()) } else { Err(io::Error::other("cargo fetch failed")) }
}
