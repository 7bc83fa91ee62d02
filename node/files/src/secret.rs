//! A file with keys in it.

use crate::whole::{Existing, Readers, Whole};
use std::{
    fs::{self, OpenOptions},
    io::{self, Write as _},
    path::Path,
};

/// Writes a file that its owner alone may read, in the place of what was there, by whatever name: a link leads to the new file, too. It appears whole or not at all: if it can't be written, the one from
/// before is there. What isn't a file, such as a pipe, is written as it is.
///
/// # Errors
/// [`io::Error`] if it can't be written, or its folder takes no file.
pub fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let place = match fs::canonicalize(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => path.to_owned(),
        place => place?,
    };
    if fs::metadata(&place).is_ok_and(|found| !found.is_file()) {
        return OpenOptions::new().write(true).open(&place)?.write_all(bytes);
    }
    let mut file = Whole::begin(&place, Existing::Replaced, Readers::Owner)?;
    file.write_all(bytes)?;
    file.finish()
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
        // By whatever name; the link stays one.
        let link = place.path().join("link");
        std::os::unix::fs::symlink(&path, &link).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o666)).unwrap();
        write(&link, b"linked").unwrap();
        assert_eq!((mode(), fs::read(&path).unwrap()), (0o600, b"linked".to_vec()));
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        write(Path::new("/dev/null"), b"nothing").unwrap();
    }

    #[test]
    fn a_secret_that_cannot_be_written_leaves_the_one_from_before() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("keys.json");
        write(&path, b"before").unwrap();
        // Where the new one is written a folder is.
        let mut beside = path.clone().into_os_string();
        beside.push(format!(".{}.partial", std::process::id()));
        fs::create_dir(&beside).unwrap();
        assert!(write(&path, b"after").is_err());
        assert_eq!(fs::read(&path).unwrap(), b"before");
        assert!(write(place.path(), b"a folder").is_err());
    }
}
