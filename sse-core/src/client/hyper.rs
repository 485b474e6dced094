use std::{
    convert::Infallible,
    error, fmt, io,
    pin::Pin,
    sync::{Arc, OnceLock},
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use futures_core::Stream;
use http::{Request, Response};
use hyper::body::{Body as HttpBody, Frame, Incoming, SizeHint};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::{TokioExecutor, TokioTimer},
};
use rustls::{
    ClientConfig, RootCertStore,
    crypto::ring,
    pki_types::{CertificateDer, pem::PemObject},
};

use super::Transport;

/// Two in a row unanswered end an HTTP/2 connection well before the client's idle timeout.
const PING_INTERVAL: Duration = Duration::from_secs(10);
const PING_TIMEOUT: Duration = Duration::from_secs(10);

/// For one of several addresses of a host.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(15);

/// The default [`Transport`]: HTTP/1.1, or HTTP/2 where a server offers it over TLS; hyper and rustls.
///
/// Cheap to clone; clones share their connections. It trusts the certificates that the system trusts, which are read
/// when they are first needed. Use it within one Tokio runtime.
///
/// ```
/// use sse_core::{EventSource, HyperTransport};
///
/// let transport = HyperTransport::new();
/// let prices = EventSource::get("https://example.com/prices").transport(transport.clone()).connect()?;
/// let news = EventSource::get("https://example.com/news").transport(transport).connect()?;
/// # Ok::<(), sse_core::InvalidRequest>(())
/// ```
#[derive(Clone)]
pub struct HyperTransport {
    shared: Arc<Shared>,
}

struct Shared {
    plain: Client<HttpConnector, Once>,
    secure: OnceLock<Client<HttpsConnector<HttpConnector>, Once>>,
    trusted: Vec<CertificateDer<'static>>,
}

impl HyperTransport {
    /// A transport with its own connections.
    #[must_use]
    pub fn new() -> Self {
        Self::with(Vec::new())
    }

    /// A transport that also trusts these certificates, in PEM: a company's own authority, or a test's.
    ///
    /// # Errors
    /// [`InvalidCertificate`] if it is not PEM or has no certificate in it.
    pub fn trusting(pem: impl AsRef<[u8]>) -> Result<Self, InvalidCertificate> {
        let certificates = CertificateDer::pem_slice_iter(pem.as_ref())
            .collect::<Result<Vec<_>, _>>()
            .map_err(|error| InvalidCertificate(error.to_string()))?;
        let mut roots = RootCertStore::empty();
        for certificate in &certificates {
            roots.add(certificate.clone()).map_err(|error| InvalidCertificate(error.to_string()))?;
        }
        if certificates.is_empty() {
            return Err(InvalidCertificate("there is none in it".to_owned()));
        }
        Ok(Self::with(certificates))
    }

    /// Fails now rather than at every try if no https address can ever be asked.
    pub(super) fn check_https(&self) -> io::Result<()> {
        self.shared.secure().map(|_| ())
    }

    fn with(trusted: Vec<CertificateDer<'static>>) -> Self {
        let plain = builder().build(connector());
        Self { shared: Arc::new(Shared { plain, secure: OnceLock::new(), trusted }) }
    }
}

impl Default for HyperTransport {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for HyperTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HyperTransport").finish_non_exhaustive()
    }
}

impl Transport for HyperTransport {
    type Body = HyperBody;
    type Error = Box<dyn error::Error + Send + Sync>;

    async fn send(&self, request: Request<Bytes>) -> Result<Response<HyperBody>, Self::Error> {
        let request = request.map(|body| Once(Some(body).filter(|body| !body.is_empty())));
        let response = if request.uri().scheme_str() == Some("https") {
            self.shared.secure()?.request(request).await?
        } else {
            self.shared.plain.request(request).await?
        };
        Ok(response.map(HyperBody))
    }
}

impl Shared {
    fn secure(&self) -> io::Result<&Client<HttpsConnector<HttpConnector>, Once>> {
        if let Some(client) = self.secure.get() {
            return Ok(client);
        }
        let config = tls(&self.trusted)?;
        let mut tcp = connector();
        tcp.enforce_http(false);
        let https = HttpsConnectorBuilder::new().with_tls_config(config).https_only().enable_all_versions();
        Ok(self.secure.get_or_init(|| builder().build(https.wrap_connector(tcp))))
    }
}

fn builder() -> hyper_util::client::legacy::Builder {
    let mut builder = Client::builder(TokioExecutor::new());
    builder
        .timer(TokioTimer::new())
        .pool_timer(TokioTimer::new())
        .http2_keep_alive_interval(PING_INTERVAL)
        .http2_keep_alive_timeout(PING_TIMEOUT)
        .http2_adaptive_window(true);
    builder
}

fn connector() -> HttpConnector {
    let mut connector = HttpConnector::new();
    connector.set_nodelay(true);
    connector.set_connect_timeout(Some(CONNECT_TIMEOUT));
    connector
}

fn tls(trusted: &[CertificateDer<'static>]) -> io::Result<ClientConfig> {
    let mut roots = RootCertStore::empty();
    let native = rustls_native_certs::load_native_certs();
    roots.add_parsable_certificates(native.certs);
    roots.add_parsable_certificates(trusted.iter().cloned());
    if roots.is_empty() {
        let reasons: Vec<_> = native.errors.iter().map(ToString::to_string).collect();
        return Err(io::Error::other(format!(
            "the system has no root certificates, so https cannot be used; install them (`ca-certificates`) or give \
             some to `HyperTransport::trusting`. {}",
            reasons.join(", ")
        )));
    }
    Ok(ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?
        .with_root_certificates(roots)
        .with_no_client_auth())
}

/// A request's body: some bytes at once, or none.
struct Once(Option<Bytes>);

impl HttpBody for Once {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(self.0.take().map(|bytes| Ok(Frame::data(bytes))))
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.0.as_ref().map_or(0, Bytes::len) as u64)
    }
}

/// The body of a response from [`HyperTransport`].
#[derive(Debug)]
pub struct HyperBody(Incoming);

impl Stream for HyperBody {
    type Item = Result<Bytes, Box<dyn error::Error + Send + Sync>>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            match Pin::new(&mut self.0).poll_frame(cx) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(None) => return Poll::Ready(None),
                Poll::Ready(Some(Err(error))) => return Poll::Ready(Some(Err(error.into()))),
                Poll::Ready(Some(Ok(frame))) => {
                    // Trailers say nothing to a client of events.
                    if let Ok(bytes) = frame.into_data() {
                        return Poll::Ready(Some(Ok(bytes)));
                    }
                }
            }
        }
    }
}

/// Why some text is not certificates.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidCertificate(String);

impl fmt::Display for InvalidCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "certificates: not in PEM, or not valid: {}", self.0)
    }
}

impl error::Error for InvalidCertificate {}
