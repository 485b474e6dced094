use std::sync::Arc;

use http::{HeaderMap, HeaderValue, header};

use super::{
    SseRequest,
    origin::{ForbiddenOrigin, HostPattern, InvalidOrigin, OriginPattern, RequestOrigin},
};

/// The request headers that a page of another origin may always send: those that clients of event streams set.
///
/// `accept` is listed because a long value needs a preflight, and `authorization` because no wildcard covers it. A
/// page that sets `authorization` already knows the secret, so this does not depend on `credentials`, which means
/// cookies.
const REQUEST_HEADERS: [&str; 5] =
    ["accept", "authorization", "cache-control", "content-type", "last-event-id"];

/// The response headers that a page of another origin may read.
const EXPOSED: &str = "retry-after, sse-gap";

/// The rules for who may request a stream: pages of which origins, and under which names of this server.
///
/// Checked before anything is allocated for the reader; see [`Subscribe::origins`](crate::Subscribe::origins). The
/// policy checks `Sec-Fetch-Site`, `Origin` and `Host`, none of which a page can forge, and returns the CORS
/// headers that let allowed pages read the stream.
///
/// | The request | Is allowed |
/// |---|---|
/// | `Sec-Fetch-Site: same-origin` | yes |
/// | `Sec-Fetch-Site` is `none` or absent, and `Origin` is absent or names the same host as `Host` | yes |
/// | `Origin` is one that is named, whatever `Sec-Fetch-Site` is | yes, with CORS headers |
/// | Anything else | no, unless [`any_origin`](OriginPolicyBuilder::any_origin) allows it to read |
///
/// The first rule does not use `Host`, which a proxy may rewrite. `Forwarded`, `X-Forwarded-Host` and similar
/// headers are never used, because any client can send them. Browsers send `Sec-Fetch-Site` over HTTPS and to
/// `localhost`; for other connections behind a proxy that rewrites `Host`, name the origin under which your pages
/// are served.
///
/// Clients that are not browsers send no `Origin` and pass: this is not authentication.
///
/// ```
/// use sse_core::origin::{InvalidOrigin, OriginPolicy};
///
/// let policy = OriginPolicy::builder()
///     .origin("https://app.example.com")
///     .origin("https://*.example.org")
///     .credentials(true)
///     .host("events.example.com")
///     .build()?;
/// # let _ = policy;
/// let everybody = OriginPolicy::builder().any_origin().credentials(true).build();
/// assert_eq!(everybody.unwrap_err(), InvalidOrigin::AnyWithCredentials);
/// # Ok::<(), InvalidOrigin>(())
/// ```
#[derive(Debug, Clone)]
pub struct OriginPolicy(Arc<Rules>);

#[derive(Debug, Default)]
struct Rules {
    any_origin: bool,
    any_origin_may_post: bool,
    origins: Vec<OriginPattern>,
    hosts: Vec<HostPattern>,
    credentials: bool,
    request_headers: String,
}

impl Default for OriginPolicy {
    fn default() -> Self {
        Self::same_origin()
    }
}

impl OriginPolicy {
    /// Allows only pages that this server itself served, under any name, and clients that are not browsers.
    #[must_use]
    pub fn same_origin() -> Self {
        Self(Arc::new(Rules::default()))
    }

    /// Returns the options for a policy that allows more.
    pub fn builder() -> OriginPolicyBuilder {
        OriginPolicyBuilder::default()
    }

    /// Checks a request, and returns the CORS headers for its page.
    ///
    /// For handlers that do not subscribe, such as one that publishes;
    /// [`Subscribe::origins`](crate::Subscribe::origins) calls this itself.
    ///
    /// # Errors
    /// [`ForbiddenOrigin`] if the request is not allowed: answer 403.
    pub fn check(&self, request: &SseRequest) -> Result<Cors, ForbiddenOrigin> {
        let rules = &*self.0;
        let from = request.full_origin().ok_or(ForbiddenOrigin::Unknown)?;
        let host = from.host.as_deref().and_then(|host| HostPattern::new(host).ok());
        let is_allowed = |host: &HostPattern| rules.hosts.iter().any(|allowed| allowed.matches(host));
        // A page that points its own domain name here has the same origin, so the host is checked first.
        if !rules.hosts.is_empty() && !host.as_ref().is_some_and(is_allowed) {
            return Err(ForbiddenOrigin::Host);
        }
        if rules.any_origin && (!from.has_effect || rules.any_origin_may_post) {
            return Ok(Cors { allow_origin: Some("*".into()), credentials: false, varies: false });
        }
        let checked = rules.check(from, host.as_ref());
        if rules.any_origin { checked.map_err(|_| ForbiddenOrigin::Method) } else { checked }
    }

    /// Returns the request headers that pages may send, as the value of a header.
    pub(crate) fn request_headers(&self) -> String {
        format!("{}{}", REQUEST_HEADERS.join(", "), self.0.request_headers)
    }
}

impl Rules {
    /// Checks that the request comes from the same origin, from a named one, or from a client that is not a
    /// browser.
    fn check(&self, from: &RequestOrigin, host: Option<&HostPattern>) -> Result<Cors, ForbiddenOrigin> {
        let cors = Cors { allow_origin: None, credentials: false, varies: !self.origins.is_empty() };
        // Browsers set this header themselves, and proxies do not rewrite it as they rewrite `Host`.
        if from.site.as_deref() == Some("same-origin") {
            return Ok(cors);
        }
        let may_be_same = matches!(from.site.as_deref(), None | Some("none"));
        let Some(text) = from.origin.as_deref() else {
            return if may_be_same { Ok(cors) } else { Err(ForbiddenOrigin::Site) };
        };
        let origin = OriginPattern::new(text).ok().filter(OriginPattern::is_exact);
        let origin = origin.ok_or(ForbiddenOrigin::Origin)?;
        if may_be_same && host.is_some_and(|host| origin.is_of_host(host)) {
            return Ok(cors);
        }
        if !self.origins.iter().any(|allowed| allowed.matches(&origin)) {
            return Err(ForbiddenOrigin::Origin);
        }
        Ok(Cors { allow_origin: Some(text.into()), credentials: self.credentials, ..cors })
    }
}

/// The CORS headers that grant a page permission to read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Cors {
    allow_origin: Option<Box<str>>,
    credentials: bool,
    varies: bool,
}

impl Cors {
    /// Returns the headers to add to the response.
    #[must_use]
    pub fn headers(&self) -> HeaderMap {
        let mut headers = HeaderMap::new();
        // Every origin that a policy allows is valid in a header.
        if let Some(origin) =
            self.allow_origin.as_deref().and_then(|origin| HeaderValue::try_from(origin).ok())
        {
            headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
            headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(EXPOSED));
        }
        if self.credentials {
            headers.insert(header::ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
        }
        if self.varies {
            headers.insert(header::VARY, HeaderValue::from_static("origin"));
        }
        headers
    }

    /// Returns whether a page of another origin may read the response.
    pub(crate) fn is_granted(&self) -> bool {
        self.allow_origin.is_some()
    }

    pub(crate) fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// Options for an [`OriginPolicy`]; [`build`](OriginPolicyBuilder::build) returns the errors.
#[derive(Debug, Clone, Default)]
#[must_use = "nothing is checked until `build`"]
pub struct OriginPolicyBuilder {
    any_origin: bool,
    any_origin_may_post: bool,
    origins: Vec<String>,
    hosts: Vec<String>,
    credentials: bool,
    request_headers: Vec<String>,
}

impl OriginPolicyBuilder {
    /// Allows pages of this origin, such as `https://app.example.com` or `http://localhost:3000`;
    /// `https://*.example.com` matches every host below `example.com`, but not `example.com` itself.
    pub fn origin(mut self, origin: impl Into<String>) -> Self {
        self.origins.push(origin.into());
        self
    }

    /// Allows pages of any origin to read, by GET: for public streams. Rejected together with credentials.
    ///
    /// A POST, with which such a page could publish in the user's name, is allowed only from the same origin and
    /// from named origins.
    pub fn any_origin(mut self) -> Self {
        self.any_origin = true;
        self
    }

    /// Allows pages of any origin to use methods that may have effects too, for example POST.
    ///
    /// A browser adds the user's cookies to a simple POST of any page, although it hides the answer from the page.
    /// So do not use this if a cookie decides who may publish.
    pub fn any_origin_may_post(self) -> Self {
        Self { any_origin_may_post: true, ..self.any_origin() }
    }

    /// Sets whether pages of the named origins may send cookies. Default: `false`.
    pub fn credentials(self, credentials: bool) -> Self {
        Self { credentials, ..self }
    }

    /// Allows only requests that name this server by one of these hosts: `events.example.com`, `localhost:3000`,
    /// `*.example.com`. Without a port, any port is allowed. If no host is set, every name is allowed.
    ///
    /// A server on a developer's machine or in a private network needs this; otherwise a page can reach it by
    /// pointing its own domain name there.
    pub fn host(mut self, host: impl Into<String>) -> Self {
        self.hosts.push(host.into());
        self
    }

    /// Allows requests that name this server as the local machine: `localhost`, `127.0.0.1` or `[::1]`, on any
    /// port.
    pub fn loopback(self) -> Self {
        self.host("localhost").host("127.0.0.1").host("[::1]")
    }

    /// Allows pages of other origins to send this request header, in addition to `Accept`, `Authorization`,
    /// `Cache-Control`, `Content-Type` and `Last-Event-ID`, which clients of event streams send.
    pub fn request_header(mut self, name: impl Into<String>) -> Self {
        self.request_headers.push(name.into());
        self
    }

    /// Builds the policy.
    ///
    /// # Errors
    /// [`InvalidOrigin`] describes which option is not valid and what to do.
    pub fn build(self) -> Result<OriginPolicy, InvalidOrigin> {
        if self.any_origin && self.credentials {
            return Err(InvalidOrigin::AnyWithCredentials);
        }
        let mut request_headers = String::new();
        for name in self.request_headers {
            if name.is_empty()
                || !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
            {
                return Err(InvalidOrigin::Header(name));
            }
            request_headers.push_str(", ");
            request_headers.push_str(&name.to_ascii_lowercase());
        }
        Ok(OriginPolicy(Arc::new(Rules {
            any_origin: self.any_origin,
            any_origin_may_post: self.any_origin_may_post,
            origins: self
                .origins
                .iter()
                .map(|origin| OriginPattern::new(origin))
                .collect::<Result<_, _>>()?,
            hosts: self.hosts.iter().map(|host| HostPattern::new(host)).collect::<Result<_, _>>()?,
            credentials: self.credentials,
            request_headers,
        })))
    }
}
