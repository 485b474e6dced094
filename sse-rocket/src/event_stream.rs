/// A stream of events as a handler's return type and value, like Rocket's own macro of this name.
///
/// As a type, `EventStream![]` is [`Sse`](crate::Sse). As a value, the block may `yield` events and `await`.
///
/// ```
/// use sse_rocket::{Event, EventStream};
///
/// #[rocket::get("/count")]
/// fn count() -> EventStream![] {
///     EventStream! {
///         for n in 0..3 {
///             yield Event::message("tick").id(n);
///         }
///     }
/// }
/// ```
#[macro_export]
macro_rules! EventStream {
    () => { $crate::Sse };
    ($($block:tt)+) => {
        $crate::Sse::new($crate::__stream! { $($block)+ })
    };
}
