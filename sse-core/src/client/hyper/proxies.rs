//! The choice of a proxy for a request.

use std::{error, fmt, sync::Arc};

use http::{
    HeaderValue, Uri,
    uri::{Authority, Scheme},
};
use hyper_util::client::proxy::matcher::Matcher;

/// The HTTP proxies of a [`HyperTransport`](crate::client::HyperTransport).
///
/// Requests to `http` addresses are sent to the proxy. For `https` the proxy opens a tunnel by `CONNECT` and
/// sees only host and port. A user and a password in the proxy's address become `Proxy-Authorization`.
///
/// ```
/// use sse_core::client::{HyperTransport, Proxies};
///
/// let proxies = Proxies::all("http://user:password@proxy.example:3128")?.except("localhost, 10.0.0.0/8, .internal.example");
/// let transport = HyperTransport::new().proxies(proxies);
/// # Ok::<(), sse_core::client::InvalidProxy>(())
/// ```
#[derive(Clone)]
pub struct Proxies {
    matcher: Arc<Matcher>,
    http: Entry,
    https: Entry,
    except: String,
}

/// The proxy for one scheme.
type Entry = Result<Option<String>, InvalidProxy>;

/// A proxy and the credentials for it.
pub(super) struct Proxy {
    pub(super) uri: Uri,
    pub(super) authorization: Option<HeaderValue>,
}

impl Proxies {
    /// Uses no proxy, whatever the environment names.
    #[must_use]
    pub fn none() -> Self {
        Self::new(Ok(None), Ok(None), String::new())
    }

    /// Uses the proxies that the environment names, with curl's rules. This is the default.
    ///
    /// `http_proxy` and `https_proxy` name the proxy for each scheme, and `all_proxy` the one for a scheme
    /// without its own. `no_proxy` names the hosts that are requested directly: names, with all names below
    /// them, addresses, networks such as `10.0.0.0/8`, or `*`. Nothing is exempt by default, not even
    /// `localhost`. The names in capitals are read where these are not set or empty. `HTTP_PROXY` is not read
    /// in a CGI process (one with `REQUEST_METHOD`), where a client's `Proxy` header would set it.
    ///
    /// An address that cannot be used is an error of the requests that would use it, so that no request
    /// bypasses a proxy by accident.
    #[must_use]
    pub fn from_env() -> Self {
        Self::read(|name| std::env::var_os(name).map(|value| value.to_string_lossy().into_owned()))
    }

    /// Uses this proxy for all requests.
    ///
    /// # Errors
    /// [`InvalidProxy`] if the text is not the address of an HTTP proxy.
    pub fn all(address: &str) -> Result<Self, InvalidProxy> {
        let address = Some(check("the proxy", address)?);
        Ok(Self::new(Ok(address.clone()), Ok(address), String::new()))
    }

    /// Requests these hosts directly: a list with commas, as in `no_proxy`; see [`from_env`](Self::from_env).
    /// Replaces the present list.
    #[must_use]
    pub fn except(self, hosts: &str) -> Self {
        Self::new(self.http, self.https, hosts.to_owned())
    }

    fn new(http: Entry, https: Entry, except: String) -> Self {
        // An unusable address is matched all the same, so that its error is found.
        let address = |entry: &Entry| match entry {
            Ok(address) => address.clone().unwrap_or_default(),
            Err(_) => "http://invalid".to_owned(),
        };
        let hosts: Vec<&str> = hosts(&except).collect();
        let matcher = Matcher::builder().http(address(&http)).https(address(&https)).no(hosts.join(","));
        Self { matcher: Arc::new(matcher.build()), http, https, except }
    }

    fn read(variable: impl Fn(&str) -> Option<String>) -> Self {
        let get = |name: &str| {
            let capitals = name.to_ascii_uppercase();
            let is_forged = capitals == "HTTP_PROXY" && variable("REQUEST_METHOD").is_some();
            let names = [Some(name), Some(&*capitals).filter(|_| !is_forged)];
            names.into_iter().flatten().find_map(|name| {
                let value = variable(name).filter(|value| !value.trim().is_empty())?;
                Some((name.to_owned(), value))
            })
        };
        let entry = |name: &str| {
            let Some((name, value)) = get(name).or_else(|| get("all_proxy")) else { return Ok(None) };
            check(&name, &value).map(Some)
        };
        let except = get("no_proxy").map(|(_, value)| value);
        Self::new(entry("http_proxy"), entry("https_proxy"), except.unwrap_or_default())
    }

    /// Returns the proxy for a request to this address, unless the request is direct.
    pub(super) fn find(&self, uri: &Uri) -> Result<Option<Proxy>, InvalidProxy> {
        // The matcher compares `*` with names alone, and not with addresses.
        if hosts(&self.except).any(|host| host == "*") {
            return Ok(None);
        }
        let without_dot = uri.host().and_then(|host| host.strip_suffix('.')).and_then(|host| {
            Uri::builder().scheme(uri.scheme()?.clone()).authority(host).path_and_query("/").build().ok()
        });
        let Some(found) = self.matcher.intercept(without_dot.as_ref().unwrap_or(uri)) else {
            return Ok(None);
        };
        let entry = if uri.scheme() == Some(&Scheme::HTTPS) { &self.https } else { &self.http };
        if let Err(error) = entry {
            return Err(error.clone());
        }
        Ok(Some(Proxy { uri: found.uri().clone(), authorization: found.basic_auth().cloned() }))
    }
}

// Without addresses: they may contain passwords.
impl fmt::Debug for Proxies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Proxies").field("except", &self.except).finish_non_exhaustive()
    }
}

/// Returns the entries of a list such as `no_proxy`: like curl, takes spaces for commas, and ignores the dot
/// after a full name.
fn hosts(list: &str) -> impl Iterator<Item = &str> {
    let entries = list.split(|char: char| char == ',' || char.is_whitespace());
    entries.map(|entry| entry.strip_suffix('.').unwrap_or(entry)).filter(|entry| !entry.is_empty())
}

/// Returns the address with a scheme, if it is the address of an HTTP proxy.
fn check(name: &str, address: &str) -> Result<String, InvalidProxy> {
    let fail = |reason| Err(InvalidProxy { name: name.to_owned(), reason });
    let address = address.trim();
    let address = match address.split_once("://") {
        Some((scheme, _)) if !scheme.eq_ignore_ascii_case("http") => {
            return fail(
                "only http:// proxies are supported; for others implement `Transport` with a client that has them",
            );
        }
        Some(_) => address.to_owned(),
        None => format!("http://{address}"),
    };
    match address.parse::<Uri>() {
        Ok(uri) if uri.authority().is_some_and(is_host_and_port) => Ok(address),
        _ => fail("it is not an address such as http://proxy.example:3128; percent-encode user and password"),
    }
}

/// Returns `true` if the authority is a host, with an optional numeric port and an optional user.
fn is_host_and_port(authority: &Authority) -> bool {
    let mut parts = authority.as_str().split('@').rev();
    let place = parts.next().unwrap_or_default();
    let port = place.strip_prefix(authority.host());
    !authority.host().is_empty()
        && port.is_some_and(|port| port.is_empty() || authority.port_u16().is_some())
        && parts.count() < 2
}

/// The address of a proxy cannot be used.
///
/// The error names the source of the address but not the address, which may contain a password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidProxy {
    name: String,
    reason: &'static str,
}

impl fmt::Display for InvalidProxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "proxy: the address in {} cannot be used: {}", self.name, self.reason)
    }
}

impl error::Error for InvalidProxy {}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(variables: &[(&str, &str)]) -> Proxies {
        Proxies::read(|name| {
            variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        })
    }

    /// Returns the proxy's address and the authorization for a request.
    fn found(proxies: &Proxies, uri: &str) -> String {
        match proxies.find(&uri.parse().unwrap()) {
            Ok(None) => "direct".to_owned(),
            Ok(Some(Proxy { uri, authorization: None })) => uri.to_string(),
            Ok(Some(Proxy { uri, authorization: Some(value) })) => {
                format!("{uri} {}", value.to_str().unwrap())
            }
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn each_scheme_has_its_variable() {
        let proxies = read(&[("http_proxy", "http://a:1"), ("https_proxy", "b:2/")]);
        assert_eq!(found(&proxies, "http://x.example/"), "http://a:1/");
        assert_eq!(found(&proxies, "https://x.example/"), "http://b:2/");
        let proxies = read(&[("https_proxy", "b:2"), ("ALL_PROXY", "HTTP://c:3")]);
        assert_eq!(found(&proxies, "http://x.example/"), "http://c:3/");
        assert_eq!(found(&proxies, "https://x.example/"), "http://b:2/");
        for proxies in [read(&[]), read(&[("http_proxy", " "), ("all_proxy", "")]), Proxies::none()] {
            assert_eq!(found(&proxies, "http://x.example/"), "direct");
            assert_eq!(found(&proxies, "https://x.example/"), "direct");
        }
    }

    #[test]
    fn small_letters_win_and_cgi_cannot_set_one() {
        let both = [("http_proxy", "a:1"), ("HTTP_PROXY", "b:2"), ("HTTPS_PROXY", "c:3")];
        assert_eq!(found(&read(&both), "http://x.example/"), "http://a:1/");
        assert_eq!(found(&read(&both), "https://x.example/"), "http://c:3/");
        assert_eq!(found(&read(&both[1..]), "http://x.example/"), "http://b:2/");
        let cgi = [("REQUEST_METHOD", "GET"), ("HTTP_PROXY", "evil:1"), ("HTTPS_PROXY", "c:3")];
        assert_eq!(found(&read(&cgi), "http://x.example/"), "direct");
        assert_eq!(found(&read(&cgi), "https://x.example/"), "http://c:3/");
    }

    #[test]
    fn hosts_are_exempt_as_in_curl() {
        let proxies = read(&[
            ("all_proxy", "a:1"),
            ("no_proxy", "internal.example, .dotted.example,10.0.0.0/8,::1 192.168.1.7,full.example."),
        ]);
        for (host, is_direct) in [
            ("internal.example", true),
            ("INTERNAL.example", true),
            ("a.internal.example:8080", true),
            ("xinternal.example", false),
            ("dotted.example", true),
            ("a.dotted.example", true),
            ("full.example", true),
            ("full.example.", true),
            ("internal.example.:81", true),
            ("10.9.8.7", true),
            ("11.0.0.1", false),
            ("192.168.1.7", true),
            ("[::1]:80", true),
            ("localhost", false),
            ("127.0.0.1", false),
        ] {
            let found = found(&proxies, &format!("https://{host}/"));
            assert_eq!(found == "direct", is_direct, "{host}: {found}");
        }
        let proxies = read(&[("all_proxy", "a:1"), ("NO_PROXY", "*")]);
        for uri in ["http://127.0.0.1/", "https://[::1]/", "https://x.example/"] {
            assert_eq!(found(&proxies, uri), "direct");
        }
    }

    #[test]
    fn a_user_becomes_authorization() {
        let proxies = Proxies::all("http://Aladdin:open%20sesame@p:1").unwrap();
        assert_eq!(found(&proxies, "https://x.example/"), "http://p:1/ Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
        assert!(!format!("{proxies:?}").contains("sesame"));
    }

    #[test]
    fn an_unusable_address_fails_requests_through_it() {
        for bad in ["socks5://user:secret@p:1", "https://p:1", "http://", "http://a:b@c@d", "p:x", "p q"] {
            let proxies = read(&[("https_proxy", bad), ("no_proxy", "direct.example")]);
            let error = found(&proxies, "https://x.example/");
            assert!(error.contains("https_proxy") && !error.contains("secret"), "{bad}: {error}");
            assert_eq!(found(&proxies, "https://direct.example/"), "direct");
            assert_eq!(found(&proxies, "http://x.example/"), "direct");
            assert!(Proxies::all(bad).is_err(), "{bad}");
        }
    }
}
