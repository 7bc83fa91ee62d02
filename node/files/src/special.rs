//! What is neither a file nor a folder: pipes, sockets, devices.

use std::{fs, io, path::Path};

/// Refuses what is neither a file nor a folder: to open a pipe would be to wait for somebody at its other end.
///
/// # Errors
/// The system's error if there is nothing or it can't be looked at, [`io::ErrorKind::InvalidInput`] for a pipe, a socket or a device.
pub fn refuse(path: &Path) -> io::Result<()> {
    let kind = fs::metadata(path)?.file_type();
    if kind.is_file() || kind.is_dir() {
        return Ok(());
    }
    Err(io::Error::new(io::ErrorKind::InvalidInput, "it is a pipe, a socket or a device, not a file"))
}
