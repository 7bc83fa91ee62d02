//! What must not compile, and what a person then reads. After a change of rustc or of a message: run with
//! `TRYBUILD=overwrite`, and read the difference as that person would.

#[test]
fn misuse_of_a_session_does_not_compile() {
    trybuild::TestCases::new().compile_fail("tests/compile_fail/*.rs");
}
