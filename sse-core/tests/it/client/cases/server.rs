//! Plays one case's connections, and answers 204 to later ones.

use std::{
    io,
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Instant,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
    time::sleep,
};

use super::case::{Case, Connection};

pub struct Server {
    /// The case's own address.
    pub url: String,
    seen: Arc<Mutex<Seen>>,
    accepting: Vec<JoinHandle<()>>,
}

/// The received requests.
#[derive(Default)]
struct Seen {
    requests: Vec<Instant>,
    wrong: Vec<String>,
}

struct Script {
    case: Arc<Case>,
    own: String,
    cross: String,
}

impl Server {
    pub async fn start(case: &Arc<Case>) -> io::Result<Self> {
        let own = TcpListener::bind("127.0.0.1:0").await?;
        let cross = TcpListener::bind("127.0.0.1:0").await?;
        let address = |addr: SocketAddr| format!("http://{addr}/case");
        let url = address(own.local_addr()?);
        let script = Arc::new(Script {
            case: Arc::clone(case),
            own: url.clone(),
            cross: address(cross.local_addr()?),
        });
        let seen = Arc::new(Mutex::new(Seen::default()));
        let accepting = [own, cross]
            .into_iter()
            .map(|listener| tokio::spawn(accept(listener, Arc::clone(&script), Arc::clone(&seen))))
            .collect();
        Ok(Self { url, seen, accepting })
    }

    pub fn requests(&self) -> Vec<Instant> {
        self.seen.lock().expect("not poisoned").requests.clone()
    }

    /// The errors of the requests.
    pub fn wrong(&self) -> Vec<String> {
        self.seen.lock().expect("not poisoned").wrong.clone()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.accepting.iter().for_each(JoinHandle::abort);
    }
}

async fn accept(listener: TcpListener, script: Arc<Script>, seen: Arc<Mutex<Seen>>) {
    while let Ok((socket, _)) = listener.accept().await {
        let (script, seen) = (Arc::clone(&script), Arc::clone(&seen));
        tokio::spawn(async move {
            // A client that disconnects is a part of many cases.
            let _ = serve(socket, &script, &seen).await;
        });
    }
}

async fn serve(mut socket: TcpStream, script: &Script, seen: &Mutex<Seen>) -> io::Result<()> {
    let (head, body) = read_request(&mut socket).await?;
    let connection = {
        let mut seen = seen.lock().expect("not poisoned");
        let at = seen.requests.len();
        seen.requests.push(Instant::now());
        let at = if script.case.json["repeat"] == true { 0 } else { at };
        let connection = script.case.connections.get(at);
        if let Some(connection) = connection {
            let wrong = check(connection, &head, &body, script);
            seen.wrong.extend(wrong.into_iter().map(|wrong| format!("request {at}: {wrong}")));
        }
        connection
    };
    let Some(connection) = connection else {
        return socket.write_all(b"HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n").await;
    };
    sleep(connection.head_delay).await;
    if connection.status == 0 {
        return socket.set_zero_linger();
    }
    socket.set_nodelay(true)?;
    let mut response =
        format!("HTTP/1.1 {} {}\r\nconnection: close\r\n", connection.status, connection.reason);
    let mut has_length = matches!(connection.status, 204 | 205);
    for (name, value) in &connection.headers {
        let value = value
            .replace("{self}", &script.own)
            .replace("{cross}", &script.cross)
            .replace("<cross-origin>", &script.cross);
        has_length |= name.eq_ignore_ascii_case("content-length");
        response.push_str(&format!("{name}: {value}\r\n"));
    }
    response.push_str(if has_length { "\r\n" } else { "transfer-encoding: chunked\r\n\r\n" });
    socket.write_all(response.as_bytes()).await?;
    for (at, chunk) in chunks(connection, script.case.requires("option:gzip")).enumerate() {
        if at > 0 {
            sleep(connection.gap).await;
        }
        if has_length {
            socket.write_all(&chunk).await?;
        } else if !chunk.is_empty() {
            let framed = [format!("{:x}\r\n", chunk.len()).as_bytes(), &chunk, b"\r\n"].concat();
            socket.write_all(&framed).await?;
        }
    }
    match &*connection.end {
        "hold" => {
            // Until the client disconnects.
            let _ = socket.read(&mut [0]).await?;
        }
        "reset" => socket.set_zero_linger()?,
        _ if has_length => {}
        _ => socket.write_all(b"0\r\n\r\n").await?,
    }
    Ok(())
}

fn chunks(connection: &Connection, gzip: bool) -> impl Iterator<Item = Vec<u8>> {
    #[cfg(feature = "gzip")]
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    connection.chunks.iter().map(move |chunk| {
        #[cfg(feature = "gzip")]
        if gzip {
            use std::io::Write;
            encoder.write_all(chunk).expect("in memory");
            encoder.flush().expect("in memory");
            return std::mem::take(encoder.get_mut());
        }
        assert!(!gzip || cfg!(feature = "gzip"));
        chunk.clone()
    })
}

/// The head's lines as received, and the body.
async fn read_request(socket: &mut TcpStream) -> io::Result<(Vec<Vec<u8>>, Vec<u8>)> {
    let mut read = Vec::new();
    loop {
        if let Some(end) = read.windows(4).position(|window| window == b"\r\n\r\n") {
            let head: Vec<Vec<u8>> =
                read[..end].split(|byte| *byte == b'\n').map(|line| line.trim_ascii_end().to_vec()).collect();
            let mut body = read.split_off(end + 4);
            let length = field(&head, "content-length");
            let length = length.and_then(|text| String::from_utf8_lossy(&text).parse().ok()).unwrap_or(0);
            while body.len() < length {
                if socket.read_buf(&mut body).await? == 0 {
                    break;
                }
            }
            return Ok((head, body));
        }
        if socket.read_buf(&mut read).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
}

fn field(head: &[Vec<u8>], name: &str) -> Option<Vec<u8>> {
    head.iter().skip(1).find_map(|line| {
        let colon = line.iter().position(|byte| *byte == b':')?;
        line[..colon].eq_ignore_ascii_case(name.as_bytes()).then(|| line[colon + 1..].trim_ascii().to_vec())
    })
}

fn check(connection: &Connection, head: &[Vec<u8>], body: &[u8], script: &Script) -> Vec<String> {
    let mut wrong = Vec::new();
    let start = format!("{} /case{} HTTP/1.1", connection.method, connection.path);
    if head[0] != start.as_bytes() {
        wrong.push(format!("`{}` instead of `{start}`", String::from_utf8_lossy(&head[0])));
    }
    for (name, wanted) in &connection.wanted {
        let got = field(head, name);
        if got != *wanted {
            wrong.push(format!("{name} is {} instead of {}", show(got.as_deref()), show(wanted.as_deref())));
        }
    }
    let wanted = script.case.json["request_body"].as_str().unwrap_or_default();
    if body != wanted.as_bytes() {
        wrong.push(format!("the body is {}", show(Some(body))));
    }
    wrong
}

fn show(value: Option<&[u8]>) -> String {
    value.map_or("absent".to_owned(), |value| format!("`{}`", value.escape_ascii()))
}
