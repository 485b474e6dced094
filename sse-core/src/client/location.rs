//! The targets of redirects, and the data that may be sent there (RFC 3986 section 5, and the Fetch standard's
//! origins).

use std::borrow::Cow;

use http::{
    Uri,
    uri::{Authority, Scheme},
};

/// The recipient of a request: data from or for one origin is not sent to another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Origin {
    is_secure: bool,
    host: String,
    port: u16,
}

impl Origin {
    /// Returns the origin of an address that [`check`] has accepted.
    pub(super) fn of(uri: &Uri) -> Self {
        let is_secure = uri.scheme() == Some(&Scheme::HTTPS);
        let host = uri.host().unwrap_or_default().to_ascii_lowercase();
        let port = uri.port_u16().unwrap_or(if is_secure { 443 } else { 80 });
        Self { is_secure, host, port }
    }

    /// Returns `true` if no one on the path can read what is sent there.
    pub(super) fn is_secure(&self) -> bool {
        self.is_secure
    }
}

/// Checks that a client can request this address: `http` or `https`, a host, and no password in it.
pub(super) fn check(uri: &Uri) -> Result<(), &'static str> {
    match uri.scheme_str() {
        Some("http" | "https") => {}
        Some(_) => return Err("only http and https can be asked"),
        None => return Err("it must be absolute, such as http://example.com/events"),
    }
    match uri.authority() {
        Some(authority) if authority.as_str().contains('@') => {
            Err("a user and password belong into an `authorization` header")
        }
        Some(authority) if !authority.host().is_empty() => Ok(()),
        _ => Err("it has no host"),
    }
}

/// Returns the address of a `Location` header, relative to the one that was requested.
pub(super) fn resolve(base: &Uri, location: &[u8]) -> Option<Uri> {
    let location = escape(location.trim_ascii());
    let location = location.split('#').next().unwrap_or_default();
    if let Some(scheme_end) = scheme_end(location) {
        // A scheme without an authority, such as `mailto:`, is not an address to follow.
        return location.get(scheme_end..)?.starts_with("://").then(|| location.parse().ok())?;
    }
    let (scheme, authority) = (base.scheme()?.clone(), base.authority()?.clone());
    if let Some(rest) = location.strip_prefix("//") {
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at_checked(end)?;
        return build(scheme, authority.parse().ok()?, path);
    }
    let path = base.path();
    match location.as_bytes().first() {
        None => Some(base.clone()),
        Some(b'/') => build(scheme, authority, location),
        Some(b'?') => build(scheme, authority, &format!("{path}{location}")),
        Some(_) => {
            let folder = path.rfind('/').and_then(|slash| path.get(..=slash)).unwrap_or("/");
            build(scheme, authority, &format!("{folder}{location}"))
        }
    }
}

fn build(scheme: Scheme, authority: Authority, path_and_query: &str) -> Option<Uri> {
    let (path, query) = match path_and_query.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (path_and_query, None),
    };
    let mut path = without_dots(path);
    if let Some(query) = query {
        path.push('?');
        path.push_str(query);
    }
    Uri::builder().scheme(scheme).authority(authority).path_and_query(path).build().ok()
}

/// Removes `.` and `..` from a path.
fn without_dots(path: &str) -> String {
    let mut kept: Vec<&str> = Vec::new();
    let mut parts = path.split('/').skip(1).peekable();
    while let Some(part) = parts.next() {
        let is_last = parts.peek().is_none();
        match part {
            "." => {}
            ".." => {
                kept.pop();
            }
            part => {
                kept.push(part);
                continue;
            }
        }
        if is_last {
            kept.push("");
        }
    }
    format!("/{}", kept.join("/"))
}

/// Returns the length of a scheme at the start, if there is one.
fn scheme_end(text: &str) -> Option<usize> {
    let end = text.find([':', '/', '?'])?;
    let scheme = text.get(..end)?.as_bytes();
    let is_scheme = scheme.first().is_some_and(u8::is_ascii_alphabetic)
        && scheme.iter().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(byte));
    (is_scheme && text.as_bytes().get(end) == Some(&b':')).then_some(end)
}

/// Percent-encodes what an address cannot hold; some servers send spaces and UTF-8.
fn escape(location: &[u8]) -> Cow<'_, str> {
    let is_plain = |byte: u8| byte.is_ascii_graphic() && !b"\"<>\\^`{|}".contains(&byte);
    if location.iter().copied().all(is_plain) {
        return String::from_utf8_lossy(location);
    }
    let mut escaped = String::with_capacity(location.len() + 16);
    for &byte in location {
        if is_plain(byte) {
            escaped.push(char::from(byte));
        } else {
            escaped.push_str(&format!("%{byte:02X}"));
        }
    }
    Cow::Owned(escaped)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn redirects_resolve_as_rfc_3986_says() {
        let base: Uri = "http://a.example:81/b/c/d?q".parse().unwrap();
        for (location, expected) in [
            ("https://x.example/y", "https://x.example/y"),
            ("HTTP://x.example", "http://x.example/"),
            ("//x.example/y?z", "http://x.example/y?z"),
            ("//x.example?z", "http://x.example/?z"),
            ("/g", "http://a.example:81/g"),
            ("g", "http://a.example:81/b/c/g"),
            ("./g/", "http://a.example:81/b/c/g/"),
            ("../g?h=../i", "http://a.example:81/b/g?h=../i"),
            ("../../../g", "http://a.example:81/g"),
            ("..", "http://a.example:81/b/"),
            ("?y", "http://a.example:81/b/c/d?y"),
            ("#only", "http://a.example:81/b/c/d?q"),
            ("g#part", "http://a.example:81/b/c/g"),
            ("g:80/x", "none"),
            ("mailto:a@b", "none"),
            ("  /sp ace\u{e9} ", "http://a.example:81/sp%20ace%C3%A9"),
            ("http://", "none"),
        ] {
            let resolved = resolve(&base, location.as_bytes()).map_or("none".into(), |uri| uri.to_string());
            assert_eq!(resolved, expected, "{location}");
        }
    }

    #[test]
    fn an_origin_is_scheme_host_and_port() {
        let origin = |text: &str| Origin::of(&text.parse().unwrap());
        assert_eq!(origin("http://A.example/x"), origin("http://a.example:80/y?z"));
        assert_eq!(origin("https://a.example"), origin("https://a.example:443"));
        assert_ne!(origin("http://a.example"), origin("https://a.example"));
        assert_ne!(origin("http://a.example"), origin("http://b.example"));
        assert_ne!(origin("http://a.example"), origin("http://a.example:8080"));
    }

    #[test]
    fn what_cannot_be_asked_is_refused_with_a_reason() {
        for bad in ["ftp://example.not/", "/events", "http://user:pass@a.example/", "mailto:a"] {
            let checked = bad.parse::<Uri>().map(|uri| check(&uri).is_err());
            assert!(checked.unwrap_or(true), "{bad}");
        }
        assert!(check(&"https://a.example".parse().unwrap()).is_ok());
    }
}
