use std::{error, future::Future, pin::Pin, sync::Arc};

use bytes::Bytes;
use futures_core::Stream;
use http::{Request, Response};

/// Sends a client's requests: the part of it that does HTTP.
///
/// [`HyperTransport`](super::HyperTransport) is the default. Implement this to send requests through the HTTP client
/// that your application has already, with its proxies, certificates and metrics. An implementation
/// - returns when the response's head is there, and passes its body on as it comes, with its end or its error;
/// - follows no redirects and repeats nothing, because that is the client's part;
/// - sets no limit to how long a whole response may take;
/// - gives up the request when its future or its body is dropped.
///
/// ```
/// use std::convert::Infallible;
/// use bytes::Bytes;
/// use futures_util::stream::{self, Iter};
/// use http::{Request, Response};
/// use sse_core::{EventSource, Transport};
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

    /// Why a request or a body failed.
    type Error: Into<Box<dyn error::Error + Send + Sync>> + 'static;

    /// Sends a request.
    fn send(
        &self,
        request: Request<Bytes>,
    ) -> impl Future<Output = Result<Response<Self::Body>, Self::Error>> + Send;
}

pub(super) type BoxError = Box<dyn error::Error + Send + Sync>;
pub(super) type BoxBody = Pin<Box<dyn Stream<Item = Result<Bytes, BoxError>> + Send>>;
pub(super) type Sending = Pin<Box<dyn Future<Output = Result<Response<BoxBody>, BoxError>> + Send>>;

/// A transport without its types, so that a client has none.
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
