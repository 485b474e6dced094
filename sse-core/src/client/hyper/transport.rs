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
use http::{Request, Response, Uri, header};
use hyper::body::{Body as HttpBody, Frame, Incoming, SizeHint};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::Client,
    rt::{TokioExecutor, TokioTimer},
};
use rustls::{
    ClientConfig, RootCertStore,
    crypto::ring,
    pki_types::{CertificateDer, pem::PemObject},
};

use super::{
    connector::{Connector, Timed},
    first_line::AnyVersion,
    proxies::Proxies,
};
use crate::client::transport::{PermanentError, Transport};

/// Two unanswered pings in a row end an HTTP/2 connection well before the client's idle timeout.
const PING_INTERVAL: Duration = Duration::from_secs(10);
const PING_TIMEOUT: Duration = Duration::from_secs(10);

/// The default and the maximum number of headers of a response: a `HeaderMap` holds few more.
const HEADERS: usize = 5_000;
const MAX_HEADERS: usize = 20_000;

/// The maximum length of a response's head, over HTTP/1.1 and over HTTP/2.
const MAX_HEAD: usize = 256 * 1024;

/// The default [`Transport`]: HTTP/1.1, or HTTP/2 where a server offers it over TLS; hyper and rustls.
///
/// Cheap to clone; clones share their connections. It trusts the system's certificates, which are read when
/// they are first needed, and uses the proxies that the environment names when it is made (see
/// [`Proxies::from_env`]). A response's head may be 256 KiB long. Use it within one Tokio runtime.
///
/// ```
/// use sse_core::{EventSource, client::HyperTransport};
///
/// let transport = HyperTransport::new();
/// let prices = EventSource::get("https://example.com/prices").transport(transport.clone()).connect()?;
/// let news = EventSource::get("https://example.com/news").transport(transport).connect()?;
/// # Ok::<(), sse_core::client::InvalidRequest>(())
/// ```
#[derive(Clone)]
pub struct HyperTransport {
    shared: Arc<Shared>,
}

type Plain = Client<AnyVersion<Timed<Connector>>, Once>;
type Secure = Client<AnyVersion<Timed<HttpsConnector<Connector>>>, Once>;

struct Shared {
    settings: Settings,
    plain: Plain,
    secure: OnceLock<Secure>,
}

#[derive(Clone)]
struct Settings {
    trusted: Vec<CertificateDer<'static>>,
    proxies: Proxies,
    max_headers: usize,
}

impl HyperTransport {
    /// Creates a transport with its own connections.
    #[must_use]
    pub fn new() -> Self {
        Self::with(Settings { trusted: Vec::new(), proxies: Proxies::from_env(), max_headers: HEADERS })
    }

    /// Creates a transport that also trusts these certificates, in PEM: for a company's own authority, or a
    /// test's.
    ///
    /// # Errors
    /// [`InvalidCertificate`] if the text is not PEM or has no certificate in it.
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
        Ok(Self::new().set(|settings| settings.trusted = certificates))
    }

    /// Uses these proxies, with its own connections. The default is [`Proxies::from_env`].
    #[must_use]
    pub fn proxies(self, proxies: Proxies) -> Self {
        self.set(|settings| settings.proxies = proxies)
    }

    /// Sets how many headers a response may have, with its own connections: 5,000 by default, and at most
    /// 20,000. A response with more is [`Disconnect::Head`](crate::client::Disconnect::Head). Over HTTP/2 only the
    /// length of the head counts.
    #[must_use]
    pub fn max_headers(self, max: usize) -> Self {
        self.set(|settings| settings.max_headers = max.clamp(1, MAX_HEADERS))
    }

    /// Fails now rather than at every try, if no request can ever be sent to this address.
    pub(in crate::client) fn check(&self, uri: &Uri) -> Result<(), Box<dyn error::Error + Send + Sync>> {
        self.shared.settings.proxies.find(uri)?;
        if uri.scheme_str() == Some("https") {
            self.shared.secure()?;
        }
        Ok(())
    }

    fn set(&self, change: impl FnOnce(&mut Settings)) -> Self {
        let mut settings = self.shared.settings.clone();
        change(&mut settings);
        Self::with(settings)
    }

    fn with(settings: Settings) -> Self {
        let plain = settings.builder().build(AnyVersion(Timed(Connector::new(settings.proxies.clone()))));
        Self { shared: Arc::new(Shared { settings, plain, secure: OnceLock::new() }) }
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
        let mut request = request.map(|body| Once(Some(body).filter(|body| !body.is_empty())));
        let shared = &*self.shared;
        let response = if request.uri().scheme_str() == Some("https") {
            // The connector contacts a proxy that has to open a tunnel.
            shared.secure().map_err(PermanentError::new)?.request(request).await?
        } else {
            let proxy = shared.settings.proxies.find(request.uri()).map_err(PermanentError::new)?;
            if let Some(authorization) = proxy.and_then(|proxy| proxy.authorization) {
                request.headers_mut().entry(header::PROXY_AUTHORIZATION).or_insert(authorization);
            }
            shared.plain.request(request).await?
        };
        Ok(response.map(HyperBody))
    }
}

impl Shared {
    fn secure(&self) -> io::Result<&Secure> {
        if let Some(client) = self.secure.get() {
            return Ok(client);
        }
        let Settings { trusted, proxies, .. } = &self.settings;
        let https = HttpsConnectorBuilder::new().with_tls_config(tls(trusted)?).https_only();
        let https = https.enable_all_versions().wrap_connector(Connector::new(proxies.clone()));
        Ok(self.secure.get_or_init(|| self.settings.builder().build(AnyVersion(Timed(https)))))
    }
}

impl Settings {
    fn builder(&self) -> hyper_util::client::legacy::Builder {
        let mut builder = Client::builder(TokioExecutor::new());
        builder
            .timer(TokioTimer::new())
            .pool_timer(TokioTimer::new())
            // Browsers read this and a strict parser does not: see the table in `docs::client`.
            .http1_allow_obsolete_multiline_headers_in_responses(true)
            .http1_allow_spaces_after_header_name_in_responses(true)
            .http1_ignore_invalid_headers_in_responses(true)
            .http1_max_headers(self.max_headers)
            .http1_max_buf_size(MAX_HEAD)
            .http2_max_header_list_size(MAX_HEAD as u32)
            .http2_keep_alive_interval(PING_INTERVAL)
            .http2_keep_alive_timeout(PING_TIMEOUT)
            .http2_adaptive_window(true);
        builder
    }
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

/// A request's body: some bytes in one piece, or none.
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
                    // Trailers have no meaning for a client of events.
                    if let Ok(bytes) = frame.into_data() {
                        return Poll::Ready(Some(Ok(bytes)));
                    }
                }
            }
        }
    }
}

/// The reason why a text does not hold certificates.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidCertificate(String);

impl fmt::Display for InvalidCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "certificates: not in PEM, or not valid: {}", self.0)
    }
}

impl error::Error for InvalidCertificate {}
