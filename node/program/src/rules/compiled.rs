//! The compiled form, embedded, and the numbers that its source and this crate share.
//!
//! `rules/rules.cairo` is the source and the specification of what a proof of it means; `build.sh` compiles it, and with
//! `--check` shows that the compiled form is that source's. The program's [`hash`] is that of its [`data`], as the verifier computes it.

/// The compiled program, as the Cairo compiler wrote it.
pub const COMPILED: &[u8] = include_bytes!("../../rules/rules.json");

/// What people call the program.
pub(crate) const NAME: &str = "rules";
/// Words of a block of an account's chain: the chain's head, then a transaction.
pub(crate) const BLOCK_WORDS: usize = 16;
/// Words of a chain's head.
pub(crate) const HEAD_WORDS: usize = 8;

/// The texts of the program's own hints, as its source has them.
pub(crate) mod hint {
    pub(crate) const START: &str = "ids.start, ids.state, ids.chains = start_shard()";
    pub(crate) const OPEN_ACCOUNT: &str = "open_account(ids.index)";
    pub(crate) const NEXT_TRANSACTION: &str = "next_transaction(ids.accounts)";
    pub(crate) const PREVIOUS_VALUE: &str = "previous_value(ids.entries)";
    pub(crate) const LAST_SIGNATURE: &str = "ids.r, ids.s = last_signature(ids.index)";
}

shardwire_machine::embedded!(COMPILED);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_program_is_readable_and_all_felts() {
        assert_eq!(data().len(), program().data_len());
        assert!(data().len() > 1000);
    }

    #[test]
    fn the_program_knows_the_selector_of_the_event() {
        let finished = shardwire_model::finished_selector().0;
        assert!(data().contains(&finished), "the program doesn't contain {finished:#x}");
    }

    #[test]
    fn the_program_takes_all_eleven_builtins() {
        assert_eq!(program().iter_builtins().count(), 11, "the prover assumes all eleven");
    }
}
