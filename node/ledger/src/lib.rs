//! The World: a trait, and an embedded ledger behind it.
