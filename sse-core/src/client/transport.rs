use std::{error, fmt, future::Future, io, pin::Pin, sync::Arc};

use bytes::Bytes;
use futures_core::Stream;
use http::{Request, Response};

use super::Disconnect;

/// Sends a client's requests: the HTTP part of a client.
///
/// [`HyperTransport`](super::HyperTransport) is the default. Implement this to send requests with the HTTP
/// client that your application already has, with its proxies, certificates and metrics. An implementation
/// - returns when it has the response's head, and then passes on the body as it is received, with its end or
///   its error;
/// - follows no redirects and repeats nothing, because that is the client's part;
/// - sets no time limit for a whole response;
/// - cancels the request when its future or its body is dropped;
/// - returns a [`PermanentError`] if another try would not help, for example after a configuration error.
///
/// ```
/// use std::convert::Infallible;
/// use bytes::Bytes;
/// use futures_util::stream::{self, Iter};
/// use http::{Request, Response};
/// use sse_core::{EventSource, client::Transport};
///
/// /// A server in a box: it says one thing.
/// struct Canned;
///
/// impl Transport for Canned {
///     type Body = Iter<std::vec::IntoIter<Result<Bytes, Infallible>>>;
///     type Error = Infallible;
///
///     async fn send(&self, _: Request<Bytes>) -> Result<Response<Self::Body>, Infallible> {
///         let body = stream::iter(vec![Ok("data: hi\n\n".into())]);
///         Ok(Response::builder().header("content-type", "text/event-stream").body(body).unwrap())
///     }
/// }
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use futures_util::StreamExt;
///
/// let mut source = EventSource::get("http://anywhere/").transport(Canned).connect()?;
/// assert_eq!(source.next().await.unwrap()?.data(), "hi");
/// # Ok(()) }
/// ```
pub trait Transport: Send + Sync + 'static {
    /// A response's body.
    type Body: Stream<Item = Result<Bytes, Self::Error>> + Send + 'static;

    /// The error of a request or a body.
    type Error: Into<Box<dyn error::Error + Send + Sync>> + 'static;

    /// Sends a request.
    fn send(
        &self,
        request: Request<Bytes>,
    ) -> impl Future<Output = Result<Response<Self::Body>, Self::Error>> + Send;
}

/// An error of a [`Transport`] after which another try would not help. Wherever it is in the chain of an
/// error's sources, the client does not try again and fails with
/// [`Disconnect::Transport`](super::Disconnect::Transport).
#[derive(Debug)]
pub struct PermanentError(BoxError);

impl PermanentError {
    /// Marks this error as permanent.
    pub fn new(error: impl Into<Box<dyn error::Error + Send + Sync>>) -> Self {
        Self(error.into())
    }
}

impl fmt::Display for PermanentError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl error::Error for PermanentError {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        self.0.source()
    }
}

/// Returns the kind of failure of a request without a response, which decides about the next try.
pub(super) fn disconnect(error: BoxError) -> Disconnect {
    let mut cause: Option<&(dyn error::Error + 'static)> = Some(&*error);
    while let Some(at) = cause {
        if at.is::<PermanentError>() {
            return Disconnect::Transport(error);
        }
        // Any transport based on hyper has these.
        let is_head = at.downcast_ref::<hyper::Error>().is_some_and(hyper::Error::is_parse)
            || at.downcast_ref::<h2::Error>().is_some_and(is_malformed);
        if is_head {
            return Disconnect::Head(error);
        }
        // An I/O error returns the source of what it wraps, and not what it wraps.
        cause = match at.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
            Some(inner) => Some(inner),
            None => at.source(),
        };
    }
    Disconnect::Network(error)
}

/// Returns `true` if this side has refused what it received over HTTP/2: a head that is invalid, or exceeds the
/// limits.
fn is_malformed(error: &h2::Error) -> bool {
    error.is_library() && error.is_reset() && error.reason() == Some(h2::Reason::PROTOCOL_ERROR)
}

pub(super) type BoxError = Box<dyn error::Error + Send + Sync>;
pub(super) type BoxBody = Pin<Box<dyn Stream<Item = Result<Bytes, BoxError>> + Send>>;
pub(super) type Sending = Pin<Box<dyn Future<Output = Result<Response<BoxBody>, BoxError>> + Send>>;

/// A transport without its types, so that a client has no type parameter.
pub(super) trait DynTransport: Send + Sync {
    fn send(self: Arc<Self>, request: Request<Bytes>) -> Sending;
}

impl<T: Transport> DynTransport for T {
    fn send(self: Arc<Self>, request: Request<Bytes>) -> Sending {
        Box::pin(async move {
            match Transport::send(&*self, request).await {
                Ok(response) => Ok(response.map(|body| Box::pin(Erased { body }) as BoxBody)),
                Err(error) => Err(error.into()),
            }
        })
    }
}

pin_project_lite::pin_project! {
    struct Erased<B> {
        #[pin]
        body: B,
    }
}

impl<B, E> Stream for Erased<B>
where
    B: Stream<Item = Result<Bytes, E>>,
    E: Into<BoxError>,
{
    type Item = Result<Bytes, BoxError>;

    fn poll_next(
        self: Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Self::Item>> {
        self.project().body.poll_next(cx).map(|part| part.map(|part| part.map_err(Into::into)))
    }
}
