//! The n-ary offer: one arm per branch, named by the message with which the branch begins.

/// Serves a choice of the peer: waits for it, receives the message that its branch begins with, and runs the arm.
///
/// Arms stand in the order of the branches and are checked against them: `Message(pattern), session => expression`.
/// An error is returned from the enclosing function with `?`.
///
/// ```ignore
/// offer!(session => {
///     Pull(pull), next => next.send(chunk(pull.index)).await?.repeat(),
///     Renew(_), next => next.send(lease).await?.repeat(),
///     Done(_), next => return next.close().await,
/// })
/// ```
#[macro_export]
macro_rules! offer {
    ($session:expr => { $message:ident($value:pat), $next:pat => $arm:expr $(,)? }) => {{
        let (value, next) = $crate::Session::recv::<$message, _>($session).await?;
        let ($value, $next): ($message, _) = (value, next);
        $arm
    }};
    ($session:expr => { $message:ident($value:pat), $next:pat => $arm:expr, $($rest:tt)+ }) => {
        match $crate::Session::offer($session).await? {
            $crate::Branch::First(first) => $crate::offer!(first => { $message($value), $next => $arm }),
            $crate::Branch::Second(second) => $crate::offer!(second => { $($rest)+ }),
        }
    };
}
