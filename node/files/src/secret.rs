//! A file with keys in it.

use std::{
    fs::{File, OpenOptions},
    io::{self, Write as _},
    path::Path,
};

/// Writes a file that its owner alone may read, over what was there. The mode is right before the first byte is written: a file that is there
/// already is closed to others, then emptied, then filled. What isn't a file, such as a pipe, is written as it is.
///
/// # Errors
/// [`io::Error`] if it can't be written, or belongs to somebody else, who could read it.
pub fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    close_to_others(&file)?;
    let is_file = file.metadata()?.is_file();
    if is_file {
        file.set_len(0)?;
    }
    file.write_all(bytes)?;
    if is_file { file.sync_all() } else { Ok(()) }
}

#[cfg(unix)]
fn close_to_others(file: &File) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    let metadata = file.metadata()?;
    if metadata.is_file() && metadata.permissions().mode() & 0o077 != 0 {
        file.set_permissions(std::fs::Permissions::from_mode(0o600))?;
    }
    Ok(())
}

#[cfg(not(unix))]
fn close_to_others(_: &File) -> io::Result<()> {
    Ok(())
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use std::{fs, os::unix::fs::PermissionsExt as _};

    #[test]
    fn a_secret_is_its_owners_also_where_an_open_file_was() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("keys.json");
        let mode = || fs::metadata(&path).unwrap().permissions().mode() & 0o777;
        write(&path, b"new").unwrap();
        assert_eq!((mode(), fs::read(&path).unwrap()), (0o600, b"new".to_vec()));
        fs::write(&path, "a longer one from before").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        write(&path, b"over").unwrap();
        assert_eq!((mode(), fs::read(&path).unwrap()), (0o600, b"over".to_vec()));
        // By whatever name.
        let link = place.path().join("link");
        std::os::unix::fs::symlink(&path, &link).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o666)).unwrap();
        write(&link, b"linked").unwrap();
        assert_eq!((mode(), fs::read(&path).unwrap()), (0o600, b"linked".to_vec()));
        write(Path::new("/dev/null"), b"nothing").unwrap();
    }
}
