//! The flat witness file: what a proving worker reads. docs/prover-worker.md specifies it.

use std::io::{self, Write};

/// The file's first eight bytes.
pub(crate) const MAGIC: &[u8; 8] = b"SWWITNS1";

/// What is known before the trace and the memory are written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Header<'a> {
    pub(crate) steps: u64,
    pub(crate) cells: u64,
    /// The addresses of public memory, ascending.
    pub(crate) public: &'a [u32],
    /// Begin and end of each builtin's segment, in the order of the file; zero twice if it is absent.
    pub(crate) builtins: [(u64, u64); 9],
}

impl Header<'_> {
    pub(crate) fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        let count = |n: usize| u32::try_from(n).map_err(io::Error::other);
        out.write_all(MAGIC)?;
        out.write_all(&self.steps.to_le_bytes())?;
        out.write_all(&self.cells.to_le_bytes())?;
        out.write_all(&count(self.public.len())?.to_le_bytes())?;
        out.write_all(&count(self.builtins.len())?.to_le_bytes())?;
        for (begin, end) in self.builtins {
            out.write_all(&begin.to_le_bytes())?;
            out.write_all(&end.to_le_bytes())?;
        }
        for address in self.public {
            out.write_all(&address.to_le_bytes())?;
        }
        Ok(())
    }
}
