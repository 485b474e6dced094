use http::{HeaderMap, HeaderValue, header};

use crate::request::Cors;

/// Adds names of request headers to `Vary`, because they decided the response: without them a cache, including
/// a browser's own, gives one client what was negotiated with another.
pub(crate) fn vary(headers: &mut HeaderMap, names: &str) {
    let known = headers.get_all(header::VARY).iter().filter_map(|value| value.to_str().ok());
    let mut all: Vec<&str> = Vec::new();
    for name in known.flat_map(|value| value.split(',')).chain(names.split(',')).map(str::trim) {
        if !all.iter().any(|other| other.eq_ignore_ascii_case(name)) {
            all.push(name);
        }
    }
    if let Ok(value) = HeaderValue::try_from(all.join(", ")) {
        headers.insert(header::VARY, value);
    }
}

/// Adds the CORS headers for the page's origin.
pub(super) fn allow(headers: &mut HeaderMap, cors: &Cors) {
    for (name, value) in &cors.headers() {
        if name == header::VARY {
            vary(headers, value.to_str().unwrap_or_default());
        } else {
            headers.append(name, value.clone());
        }
    }
}
