//! A file that appears whole, or not at all.
//!
//! It is written beside its place, under a name that says so, and given its own name when all of it is on the disk. What fails leaves nothing behind, and what was there before stays as it was.
//! A process that is killed leaves the file beside, whose name ends with `.partial`.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, BufWriter, Write},
    path::{Path, PathBuf},
};

/// What becomes of a file that has the name already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Existing {
    /// It stays, and nothing is written.
    Refused,
    /// It gives way.
    Replaced,
}

/// Who may read the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Readers {
    /// Who may read what this user makes.
    Usual,
    /// Its owner alone, from its first byte on.
    Owner,
}

/// A file that is being written. It is gone when this is dropped before it is [finished](Self::finish).
#[derive(Debug)]
pub struct Whole {
    file: BufWriter<File>,
    partial: Option<PathBuf>,
    place: PathBuf,
    existing: Existing,
}

impl Whole {
    /// Begins the file.
    ///
    /// # Errors
    /// [`io::Error`] if its folder takes no file; [`io::ErrorKind::AlreadyExists`] if there is something that has the name and may not be replaced.
    pub fn begin(place: &Path, existing: Existing, readers: Readers) -> io::Result<Self> {
        if existing == Existing::Refused && fs::symlink_metadata(place).is_ok() {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        let mut name = place.as_os_str().to_owned();
        name.push(format!(".{}.partial", std::process::id()));
        let partial = PathBuf::from(name);
        // One of this process' number is of a process that is no more.
        match fs::remove_file(&partial) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        if readers == Readers::Owner {
            std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        }
        let file = BufWriter::new(options.open(&partial)?);
        Ok(Self { file, partial: Some(partial), place: place.to_owned(), existing })
    }

    /// Gives the file its name, once all of it is on the disk.
    ///
    /// # Errors
    /// [`io::Error`] if it can't be written or named; [`io::ErrorKind::AlreadyExists`] if something has the name by now.
    pub fn finish(mut self) -> io::Result<()> {
        self.file.flush()?;
        self.file.get_ref().sync_all()?;
        let Some(partial) = &self.partial else { return Ok(()) };
        match self.existing {
            Existing::Replaced => fs::rename(partial, &self.place)?,
            Existing::Refused => match fs::hard_link(partial, &self.place) {
                // The other name goes when this is dropped.
                Ok(()) => return Ok(()),
                // A file system without links, where two names at once aren't to be had.
                Err(error) if matches!(error.kind(), io::ErrorKind::Unsupported | io::ErrorKind::PermissionDenied) => {
                    if fs::symlink_metadata(&self.place).is_ok() {
                        return Err(io::ErrorKind::AlreadyExists.into());
                    }
                    fs::rename(partial, &self.place)?;
                }
                Err(error) => return Err(error),
            },
        }
        self.partial = None;
        Ok(())
    }
}

impl Write for Whole {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Drop for Whole {
    fn drop(&mut self) {
        if let Some(partial) = &self.partial {
            // Nothing more is to be done about one that can't be removed: its name says what it is.
            let _ = fs::remove_file(partial);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(place: &Path) -> Vec<String> {
        let mut names: Vec<_> =
            fs::read_dir(place).unwrap().map(|it| it.unwrap().file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }

    #[test]
    fn a_file_is_there_when_it_is_finished_and_nothing_is_when_it_is_not() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("it");
        let mut file = Whole::begin(&path, Existing::Refused, Readers::Usual).unwrap();
        file.write_all(b"some").unwrap();
        assert!(!path.exists() && names(place.path()).len() == 1);
        drop(file);
        assert_eq!(names(place.path()), [""; 0]);

        let mut file = Whole::begin(&path, Existing::Refused, Readers::Usual).unwrap();
        file.write_all(b"all").unwrap();
        file.finish().unwrap();
        assert_eq!((fs::read(&path).unwrap(), names(place.path())), (b"all".to_vec(), vec!["it".to_owned()]));

        let error = Whole::begin(&path, Existing::Refused, Readers::Usual).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AlreadyExists);
        let mut file = Whole::begin(&path, Existing::Replaced, Readers::Usual).unwrap();
        file.write_all(b"another").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"all");
        file.finish().unwrap();
        assert_eq!((fs::read(&path).unwrap(), names(place.path())), (b"another".to_vec(), vec!["it".to_owned()]));
    }

    #[test]
    fn a_file_that_has_come_meanwhile_stays() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("it");
        let mut file = Whole::begin(&path, Existing::Refused, Readers::Usual).unwrap();
        file.write_all(b"late").unwrap();
        fs::write(&path, "there").unwrap();
        assert_eq!(file.finish().unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        assert_eq!((fs::read(&path).unwrap(), names(place.path())), (b"there".to_vec(), vec!["it".to_owned()]));
    }

    #[test]
    fn what_a_process_of_this_number_has_left_is_in_nobodys_way() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("it");
        fs::write(place.path().join(format!("it.{}.partial", std::process::id())), "left").unwrap();
        Whole::begin(&path, Existing::Refused, Readers::Usual).unwrap().finish().unwrap();
        assert_eq!((fs::read(&path).unwrap(), names(place.path())), (Vec::new(), vec!["it".to_owned()]));
    }
}
