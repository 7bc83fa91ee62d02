//! The notation of protocols: the types of `session_types`, and the rules that say what a session may do in each.
//!
//! | type | this side |
//! |---|---|
//! | `Send<M, P>` | sends `M`, then `P` |
//! | `Recv<M, P>` | receives `M`, then `P` |
//! | `Choose<P, Q>` | chooses: `P` (tag 0) or `Q` (tag 1) |
//! | `Offer<P, Q>` | learns which of the two the peer chose |
//! | `Rec<P>`, `Var<Z>`, `Var<S<N>>` | a loop; back to the innermost; back to one further out |
//! | `Eps` | the end |
//!
//! [`HasDual::Dual`] is the other side's type. Import the names one by one: a glob would hide the marker trait
//! `Send`.
//!
//! Each trait below has one implementation per rule and is sealed. The state that follows is a parameter, not an
//! associated type: rustc shows the explanation attached to a trait only while a bound has open parameters. The
//! protocol `P` decides nothing; it is there so that the explanation can name it.

pub use session_types::{Choose, Eps, HasDual, Offer, Rec, Recv, S, Send, Var, Z};
use std::marker::PhantomData;

mod sealed {
    pub trait Sealed {}
    impl<M, P> Sealed for super::Send<M, P> {}
    impl<M, P> Sealed for super::Recv<M, P> {}
    impl<P, Q> Sealed for super::Choose<P, Q> {}
    impl<P, Q> Sealed for super::Offer<P, Q> {}
    impl<P> Sealed for super::Rec<P> {}
    impl<N> Sealed for super::Var<N> {}
    impl Sealed for super::Eps {}
}
pub(crate) use sealed::Sealed;

/// A state in which this side sends `M` and is in `N` afterwards.
#[diagnostic::on_unimplemented(
    message = "protocol `{P}` does not send here: the state is `{Self}`",
    label = "another step of `{P}` is due",
    note = "the state names the step that is due: `Recv` receives, `Choose` chooses, `Offer` learns the peer's choice, `Rec` is entered, `Var` goes back, `Eps` is closed"
)]
pub trait Sends<P, M, N>: Sealed {}
impl<P, M, N, D> Sends<P, M, N> for Send<D, N> where M: IsDue<P, D> {}

/// `Self` is the message that is due, `D`. A trait apart from [`Sends`], so that the error names the message due when
/// another one is sent.
#[diagnostic::on_unimplemented(message = "protocol `{P}` sends `{D}` here, not `{Self}`", label = "`{D}` is due")]
pub trait IsDue<P, D> {}
impl<P, D> IsDue<P, D> for D {}

/// A state in which this side receives `M` and is in `N` afterwards.
#[diagnostic::on_unimplemented(
    message = "protocol `{P}` does not receive here: the state is `{Self}`",
    label = "another step of `{P}` is due",
    note = "the state names the step that is due: `Send` sends, `Choose` chooses, `Offer` learns the peer's choice, `Rec` is entered, `Var` goes back, `Eps` is closed"
)]
pub trait Receives<P, M, N>: Sealed {}
impl<P, M, N> Receives<P, M, N> for Recv<M, N> {}

/// A state in which this side chooses between `A` and `B`.
#[diagnostic::on_unimplemented(
    message = "protocol `{P}` has nothing to choose here: the state is `{Self}`",
    label = "another step of `{P}` is due"
)]
pub trait Chooses<P, A, B>: Sealed {}
impl<P, A, B> Chooses<P, A, B> for Choose<A, B> {}

/// A state in which the peer chooses between `A` and `B`.
#[diagnostic::on_unimplemented(
    message = "protocol `{P}` offers no choice here: the state is `{Self}`",
    label = "another step of `{P}` is due"
)]
pub trait Offers<P, A, B>: Sealed {}
impl<P, A, B> Offers<P, A, B> for Offer<A, B> {}

/// The position of a branch: it is the first.
#[derive(Debug)]
pub struct Here(());
/// The position of a branch: it is the last, with no choice after it.
#[derive(Debug)]
pub struct Last(());
/// The position of a branch: `I`, counted from the branch after the first.
#[derive(Debug)]
pub struct After<I>(PhantomData<I>);

/// A choice in which one branch begins by sending `M` and goes on as `N`. `I` is its position; rustc infers it.
#[diagnostic::on_unimplemented(
    message = "protocol `{P}` has no branch here that begins by sending `{M}`: the state is `{Self}`",
    label = "not among the branches of this choice"
)]
pub trait Selects<P, M, N, I>: Sealed {
    /// Gives `push` the tags that lead to the branch, in order.
    fn tags(push: &mut impl FnMut(u8));
}
impl<P, M, N, Q> Selects<P, M, N, Here> for Choose<Send<M, N>, Q> {
    fn tags(push: &mut impl FnMut(u8)) {
        push(FIRST);
    }
}
impl<P, M, N, A, Q: Selects<P, M, N, I>, I> Selects<P, M, N, After<I>> for Choose<A, Q> {
    fn tags(push: &mut impl FnMut(u8)) {
        push(SECOND);
        Q::tags(push);
    }
}
impl<P, M, N> Selects<P, M, N, Last> for Send<M, N> {
    fn tags(_: &mut impl FnMut(u8)) {}
}

/// The branch tag of the first branch of a choice.
pub const FIRST: u8 = 0;
/// The branch tag of the second.
pub const SECOND: u8 = 1;
