use std::net::SocketAddr;

use sse_testkit::{Failed, Outcome};
use tokio::{
    io::AsyncWriteExt,
    net::{TcpStream, tcp::OwnedWriteHalf},
    task::JoinHandle,
    time::timeout,
};

use crate::{PATIENCE, app::read_all};

/// Publishes many events on one connection, without waiting for one before the next.
#[derive(Debug)]
pub struct Publisher {
    app: SocketAddr,
    to_app: OwnedWriteHalf,
    answers: JoinHandle<String>,
}

impl Publisher {
    /// Connects to an application.
    ///
    /// # Errors
    /// If the application does not listen.
    pub async fn connect(app: SocketAddr) -> Outcome<Self> {
        let (from_app, to_app) = TcpStream::connect(app).await?.into_split();
        Ok(Self { app, to_app, answers: read_all(Some(from_app), String::new()) })
    }

    /// Publishes these texts, in one write.
    ///
    /// # Errors
    /// If the connection has ended.
    pub async fn publish(&mut self, topic: &str, texts: impl IntoIterator<Item = String>) -> Outcome {
        let mut requests = String::new();
        for text in texts {
            let (host, length) = (self.app, text.len());
            requests.push_str(&format!(
                "POST /publish?topic={topic} HTTP/1.1\r\nhost: {host}\r\ncontent-length: {length}\r\n\r\n{text}"
            ));
        }
        self.to_app.write_all(requests.as_bytes()).await?;
        Ok(())
    }

    /// Waits until all are published, and returns the ids in order.
    ///
    /// # Errors
    /// If not all are published in time.
    pub async fn ids(mut self, count: usize) -> Outcome<Vec<String>> {
        let last = format!("GET /stats HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n\r\n", self.app);
        self.to_app.write_all(last.as_bytes()).await?;
        let answers = timeout(PATIENCE, self.answers).await??;
        let ids = answers.split(r#"{"id":""#).skip(1).filter_map(|answer| answer.split('"').next());
        let ids = ids.map(str::to_owned).collect::<Vec<_>>();
        if ids.len() == count { Ok(ids) } else { Err(Failed::new(format!("{} ids of {count}", ids.len()))) }
    }
}
