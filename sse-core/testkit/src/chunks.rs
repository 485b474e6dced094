use std::net::SocketAddr;

use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{TcpSocket, TcpStream},
};

/// A chunked response, read as it arrives; dropping it cuts the connection.
#[derive(Debug)]
pub struct Chunks {
    stream: BufReader<TcpStream>,
    status: u16,
    is_clean_end: bool,
}

impl Chunks {
    /// Sends a GET, with `cursor` as its `Last-Event-ID` unless it is empty, and waits for the response head.
    ///
    /// # Errors
    /// If there is no response.
    pub async fn get(address: SocketAddr, target: &str, cursor: &str) -> std::io::Result<Self> {
        Self::ask(TcpStream::connect(address).await?, target, cursor).await
    }

    /// Like [`get`](Self::get), with a receive buffer of this size: a small one fills quickly when it is not read.
    ///
    /// # Errors
    /// If there is no response.
    pub async fn narrow(address: SocketAddr, target: &str, buffer: u32) -> std::io::Result<Self> {
        let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
        socket.set_recv_buffer_size(buffer)?;
        Self::ask(socket.connect(address).await?, target, "").await
    }

    async fn ask(mut stream: TcpStream, target: &str, cursor: &str) -> std::io::Result<Self> {
        let last = if cursor.is_empty() { String::new() } else { format!("last-event-id: {cursor}\r\n") };
        let request =
            format!("GET {target} HTTP/1.1\r\nhost: test\r\naccept: text/event-stream\r\n{last}\r\n");
        stream.write_all(request.as_bytes()).await?;
        // Programs hold thousands of these.
        let mut stream = BufReader::with_capacity(1 << 10, stream);
        let mut line = String::new();
        stream.read_line(&mut line).await?;
        let status = line.split(' ').nth(1).and_then(|status| status.parse().ok());
        let status = status.ok_or_else(|| std::io::Error::other("no status"))?;
        while line.trim() != "" {
            line.clear();
            stream.read_line(&mut line).await?;
        }
        Ok(Self { stream, status, is_clean_end: false })
    }

    /// The response status.
    #[must_use]
    pub fn status(&self) -> u16 {
        self.status
    }

    /// Whether the body has ended with its last chunk.
    #[must_use]
    pub fn is_clean_end(&self) -> bool {
        self.is_clean_end
    }

    /// The next chunk; `None` at the end, clean or not.
    pub async fn next(&mut self) -> Option<Vec<u8>> {
        let mut line = String::new();
        self.stream.read_line(&mut line).await.ok()?;
        let length = usize::from_str_radix(line.trim(), 16).ok()?;
        let mut chunk = vec![0; length + 2];
        self.stream.read_exact(&mut chunk).await.ok()?;
        if length == 0 {
            self.is_clean_end = true;
            return None;
        }
        chunk.truncate(length);
        Some(chunk)
    }
}
