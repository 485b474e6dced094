use std::{error, fmt};

/// The origin of a request, as the browser reports it, and the name of this server that the request used.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct RequestOrigin {
    /// The `Origin` header; several are joined with commas, which gives a value that is never allowed.
    pub(super) origin: Option<String>,
    /// The `Host` header, or the authority of an HTTP/2 request.
    pub(super) host: Option<String>,
    /// The `Sec-Fetch-Site` header.
    pub(super) site: Option<String>,
    /// Whether the request's method may have effects: every method except GET and those of a probe. The preflight of a
    /// method counts as that method.
    pub(super) has_effect: bool,
}

/// An origin: a scheme, a host and a port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct OriginPattern {
    scheme: String,
    authority: HostPattern,
}

/// A host, with one port or any port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct HostPattern {
    /// Whether `*.` preceded the host: the pattern then matches every name below this one.
    below: bool,
    name: String,
    port: Option<u16>,
}

impl OriginPattern {
    /// Parses `https://app.example.com`, `http://localhost:3000` or `https://*.example.com`.
    pub(super) fn new(text: &str) -> Result<Self, InvalidOrigin> {
        if text == "null" {
            return Err(InvalidOrigin::Null);
        }
        let (scheme, rest) = text.split_once("://").ok_or_else(|| InvalidOrigin::Scheme(text.to_owned()))?;
        let scheme = scheme.to_ascii_lowercase();
        let mut units = scheme.chars();
        let is_scheme = units.next().is_some_and(|first| first.is_ascii_lowercase())
            && units.all(|unit| unit.is_ascii_alphanumeric() || "+-.".contains(unit));
        if !is_scheme {
            return Err(InvalidOrigin::Scheme(text.to_owned()));
        }
        let mut authority = HostPattern::new(rest).map_err(|_| InvalidOrigin::Host(text.to_owned()))?;
        authority.port = authority.port.or_else(|| default_port(&scheme));
        Ok(Self { scheme, authority })
    }

    pub(super) fn matches(&self, origin: &Self) -> bool {
        self.scheme == origin.scheme
            && self.authority.port == origin.authority.port
            && self.authority.matches_name(&origin.authority)
    }

    /// Returns whether this is the origin of a page that this server itself served under the name `host`.
    pub(super) fn is_of_host(&self, host: &HostPattern) -> bool {
        let port = host.port.or_else(|| default_port(&self.scheme));
        !host.below && self.authority.name == host.name && self.authority.port == port
    }

    /// Returns whether the pattern names exactly one origin; its text is then in a browser's form.
    pub(super) fn is_exact(&self) -> bool {
        !self.authority.below
    }
}

impl HostPattern {
    /// Parses `api.example.com`, `localhost:3000`, `[::1]` or `*.example.com`; without a port it matches any port.
    pub(super) fn new(text: &str) -> Result<Self, InvalidOrigin> {
        let invalid = || InvalidOrigin::Host(text.to_owned());
        let lower = text.to_ascii_lowercase();
        let end = if lower.starts_with('[') { lower.find(']').map(|end| end + 1) } else { lower.find(':') };
        let (name, port) = lower.split_at_checked(end.unwrap_or(lower.len())).ok_or_else(invalid)?;
        let port = match port.strip_prefix(':') {
            Some(digits) if digits.bytes().all(|byte| byte.is_ascii_digit()) => {
                Some(digits.parse().map_err(|_| invalid())?)
            }
            None if port.is_empty() => None,
            _ => return Err(invalid()),
        };
        let (below, name) = name.strip_prefix("*.").map_or((false, name), |name| (true, name));
        let is_ipv6 = name
            .strip_prefix('[')
            .and_then(|name| name.strip_suffix(']'))
            .is_some_and(|address| !below && address.parse::<std::net::Ipv6Addr>().is_ok());
        let is_label = |label: &str| {
            !label.is_empty()
                && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
        };
        if !is_ipv6 && !name.split('.').all(is_label) {
            return Err(invalid());
        }
        Ok(Self { below, name: name.to_owned(), port })
    }

    /// Returns whether the pattern matches this host, as a request names it.
    pub(super) fn matches(&self, host: &Self) -> bool {
        !host.below && self.port.is_none_or(|port| host.port == Some(port)) && self.matches_name(host)
    }

    fn matches_name(&self, host: &Self) -> bool {
        if !self.below {
            return !host.below && self.name == host.name;
        }
        let above = host.name.strip_suffix(&*self.name).and_then(|rest| rest.strip_suffix('.'));
        above.is_some_and(|above| !above.is_empty())
    }
}

fn default_port(scheme: &str) -> Option<u16> {
    match scheme {
        "http" => Some(80),
        "https" => Some(443),
        _ => None,
    }
}

/// The reason why an [`OriginPolicy`](crate::origin::OriginPolicy) cannot be made.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum InvalidOrigin {
    /// Any origin together with credentials: every page could then read the user's data. Name the origins.
    AnyWithCredentials,
    /// Not a host, or more than an origin, such as a path. Write `https://app.example.com`,
    /// `https://*.example.com`, or for a host `api.example.com:8443`; write non-ASCII letters as punycode.
    Host(String),
    /// An invalid name of a request header.
    Header(String),
    /// `null`, which is the origin of every sandboxed page. Name the origins.
    Null,
    /// No scheme. Write `https://` before the host.
    Scheme(String),
}

impl fmt::Display for InvalidOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AnyWithCredentials => {
                f.write_str("origins: any, with credentials; name the origins instead")
            }
            Self::Host(text) => write!(
                f,
                "origins: {text:?} is no origin or host; write `https://app.example.com`, `https://*.example.com` or, as a host, `api.example.com:8443`, without a path"
            ),
            Self::Header(text) => {
                write!(f, "origins: {text:?} is no name of a header; use letters, digits and `-`")
            }
            Self::Null => {
                f.write_str("origins: `null` is the origin of everybody's sandboxed pages; name the origins")
            }
            Self::Scheme(text) => {
                write!(f, "origins: {text:?} has no scheme; write `https://` before the host")
            }
        }
    }
}

impl error::Error for InvalidOrigin {}

/// The reason why an origin policy refused a request; the status is 403.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ForbiddenOrigin {
    /// The request names this server by a host that is not allowed: a page may have pointed its own domain name
    /// here.
    Host,
    /// The request comes from a page of any origin, and its method may have effects. The policy only lets such
    /// pages read.
    Method,
    /// The request comes from a page of an origin that is not allowed.
    Origin,
    /// The request comes from a page of another site without a CORS request, such as an image or a link.
    Site,
    /// The origin is unknown: the handler has not passed the request on.
    Unknown,
}

impl fmt::Display for ForbiddenOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Host => "origin: this host is not allowed; use a name of this server",
            Self::Method => "origin: pages of any origin may read here, by GET; ask from an origin that is named, or allow it with `any_origin_may_post`",
            Self::Origin => "origin: pages of this origin are not allowed; ask from one that is",
            Self::Unknown => "origin: unknown; pass the request itself to `request`",
            Self::Site => "origin: another site asks without CORS; ask by `EventSource` or `fetch` from a page that is allowed",
        })
    }
}

impl error::Error for ForbiddenOrigin {}
