use crate::weights::weighted;

/// The part of a request's `Accept-Encoding` header that concerns gzip; for `compress`.
///
/// Made from the header's text, or remembered by the request's [`LastEventId`](crate::LastEventId). Weights are
/// respected (RFC 9110, section 12.5.3): gzip is used if the header names it, as `gzip`, `x-gzip` or `*`, with a
/// weight that is not 0 and not below that of `identity`. Without the header nothing is compressed.
///
/// ```
/// use sse_core::AcceptEncoding;
///
/// assert!(AcceptEncoding::from("gzip, deflate, br").allows_gzip());
/// assert!(!AcceptEncoding::from("gzip;q=0, *").allows_gzip());
/// assert!(!AcceptEncoding::default().allows_gzip());
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct AcceptEncoding {
    gzip: bool,
}

impl AcceptEncoding {
    /// Reads all `Accept-Encoding` headers, joined with commas; invalid parts are ignored.
    #[must_use]
    pub fn from_request(header: Option<&[u8]>) -> Self {
        Self { gzip: header.is_some_and(prefers_gzip) }
    }

    /// Returns `true` if gzip may be sent.
    #[must_use]
    pub fn allows_gzip(self) -> bool {
        self.gzip
    }
}

impl From<&str> for AcceptEncoding {
    fn from(header: &str) -> Self {
        Self::from_request(Some(header.as_bytes()))
    }
}

impl From<Option<&str>> for AcceptEncoding {
    fn from(header: Option<&str>) -> Self {
        Self::from_request(header.map(str::as_bytes))
    }
}

fn prefers_gzip(header: &[u8]) -> bool {
    let header = String::from_utf8_lossy(header);
    let (mut gzip, mut any, mut identity) = (None, None, None);
    for (name, weight) in weighted(&header) {
        // Clients with an invalid header receive plain text.
        let weight = weight.unwrap_or(0);
        match &*name {
            "gzip" | "x-gzip" => gzip = gzip.max(Some(weight)),
            "*" => any = any.max(Some(weight)),
            "identity" => identity = identity.max(Some(weight)),
            _ => {}
        }
    }
    // `*` does not include `identity` unless it forbids it, and then no other encoding can be sent.
    let gzip = gzip.or(any).unwrap_or(0);
    gzip > 0 && gzip >= identity.unwrap_or(0)
}
