use super::quality_values::quality_values;

/// The part of a request's `Accept-Encoding` header that concerns gzip.
///
/// Returned by [`SseRequest::accept_encoding`](crate::SseRequest::accept_encoding). Quality values are respected (RFC
/// 9110, section 12.5.3): gzip is used if the header names it, as `gzip`, `x-gzip` or `*`, with a value that is not 0
/// and not below that of `identity`. Without the header nothing is compressed.
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
    pub(super) fn read(header: &[u8]) -> Self {
        Self::from(&*String::from_utf8_lossy(header))
    }

    /// Returns `true` if gzip may be sent.
    #[must_use]
    pub fn allows_gzip(self) -> bool {
        self.gzip
    }
}

impl From<&str> for AcceptEncoding {
    fn from(header: &str) -> Self {
        Self { gzip: prefers_gzip(header) }
    }
}

fn prefers_gzip(header: &str) -> bool {
    let (mut gzip, mut any, mut identity) = (None, None, None);
    for (name, q) in quality_values(header) {
        // Clients with an invalid header receive plain text.
        let q = q.unwrap_or(0);
        match &*name {
            "gzip" | "x-gzip" => gzip = gzip.max(Some(q)),
            "*" => any = any.max(Some(q)),
            "identity" => identity = identity.max(Some(q)),
            _ => {}
        }
    }
    // `*` does not include `identity` unless it forbids it, and then no other encoding can be sent.
    let gzip = gzip.or(any).unwrap_or(0);
    gzip > 0 && gzip >= identity.unwrap_or(0)
}
