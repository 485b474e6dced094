use std::future::{Future, ready};

use super::{AccessDenied, AccessRequest, Permit};

/// Decides who may do what: the access hook of mounted routes, which gets each request `R` in the framework's
/// own type.
///
/// A function `fn(&R, &AccessRequest) -> Result<Permit, AccessDenied>` is an access hook. A hook that must
/// wait, for example for a session in a database, implements the trait with an `async fn`:
///
/// ```
/// use sse_core::{Pattern, Topic, mount::{Access, AccessDenied, AccessRequest, Permit}};
///
/// struct Sessions;
///
/// impl<R: Sync> Access<R> for Sessions {
///     async fn permit(&self, request: &R, ask: &AccessRequest) -> Result<Permit, AccessDenied> {
///         # let _ = (request, ask);
///         let tenant = Some("acme"); // looked up, by the request's cookie
///         let tenant = tenant.ok_or(AccessDenied::Unauthorized)?;
///         let own = Topic::from_parts(["tenant", tenant])?;
///         Ok(Permit::read(Pattern::below(&own)?)?)
///     }
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot decide about access",
    label = "not an access hook for `{R}`",
    note = "it is a function `fn(&{R}, &Ask) -> Result<Permit, Denied>`, a type that implements `Access`, or `Public`",
    note = "a closure must name the types of its arguments: `|request: &…, ask: &Ask| …`"
)]
pub trait Access<R: ?Sized>: Send + Sync + 'static {
    /// Decides about one request, after the check of its origin and before anything is allocated for it.
    ///
    /// # Errors
    /// [`AccessDenied`] becomes the response.
    fn permit(
        &self,
        request: &R,
        ask: &AccessRequest,
    ) -> impl Future<Output = Result<Permit, AccessDenied>> + Send;
}

impl<R, F> Access<R> for F
where
    R: ?Sized,
    F: Fn(&R, &AccessRequest) -> Result<Permit, AccessDenied> + Send + Sync + 'static,
{
    fn permit(
        &self,
        request: &R,
        ask: &AccessRequest,
    ) -> impl Future<Output = Result<Permit, AccessDenied>> + Send {
        ready(self(request, ask))
    }
}

/// Permits everyone to read all topics, and no one to publish.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PublicRead;

impl<R: ?Sized> Access<R> for PublicRead {
    fn permit(&self, _: &R, _: &AccessRequest) -> impl Future<Output = Result<Permit, AccessDenied>> + Send {
        ready(Ok(Permit::read_all()))
    }
}
