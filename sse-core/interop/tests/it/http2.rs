//! The client over TLS: HTTP/2 where the server offers it, HTTP/1.1 where it does not.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::http::Version;
use futures_util::StreamExt;
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto,
    service::TowerToHyperService,
};
use sse_axum::Hub;
use sse_core::{
    EventSource,
    client::{Attempts, Backoff, Disconnect, HyperTransport},
};
use sse_interop::servers::{HubServer, Ledger};
use tokio::{net::TcpListener, task::JoinHandle, time::timeout};
use tokio_rustls::{TlsAcceptor, rustls};

/// A hub behind TLS with a self-signed certificate.
struct Secure {
    hub: Hub,
    addr: SocketAddr,
    certificate: String,
    seen: Arc<Mutex<Seen>>,
    accepting: JoinHandle<()>,
}

#[derive(Default)]
struct Seen {
    connections: usize,
    versions: Vec<Version>,
}

impl Secure {
    async fn start(protocols: &[&[u8]]) -> Self {
        let signed = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_no_client_auth()
            .with_single_cert(
                vec![signed.cert.der().clone()],
                rustls::pki_types::PrivateKeyDer::Pkcs8(signed.signing_key.serialize_der().into()),
            )
            .expect("a key");
        config.alpn_protocols = protocols.iter().map(|protocol| protocol.to_vec()).collect();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let hub = Hub::memory();
        let seen = Arc::new(Mutex::new(Seen::default()));
        let noted = Arc::clone(&seen);
        let heads = axum::routing::get(async |path: axum::extract::Path<usize>| {
            let long = [("content-type", "text/event-stream".to_owned()), ("x-long", "x".repeat(path.0))];
            (axum::response::AppendHeaders(long), "data: a\n\n")
        });
        let app = HubServer::router(hub.clone(), Duration::from_secs(15))
            .route("/heads/{bytes}", heads)
            .layer(axum::middleware::map_request(move |request: axum::extract::Request| {
                noted.lock().expect("not poisoned").versions.push(request.version());
                std::future::ready(request)
            }));
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let addr = listener.local_addr().expect("an address");
        let counted = Arc::clone(&seen);
        let accepting = tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                counted.lock().expect("not poisoned").connections += 1;
                let (acceptor, app) = (acceptor.clone(), app.clone());
                tokio::spawn(async move {
                    // A client that does not trust the certificate disconnects here.
                    let Ok(socket) = acceptor.accept(socket).await else { return };
                    let server = auto::Builder::new(TokioExecutor::new());
                    let served = server.serve_connection(TokioIo::new(socket), TowerToHyperService::new(app));
                    let _ = served.await;
                });
            }
        });
        Self { hub, addr, certificate: signed.cert.pem(), seen, accepting }
    }

    fn url(&self) -> String {
        format!("https://localhost:{}/numbers", self.addr.port())
    }
}

impl Drop for Secure {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

/// Reads 200 events with two cuts by the server and one by the client.
async fn read(server: &Secure, transport: HyperTransport) {
    let mut source = EventSource::get(server.url()).transport(transport).connect().expect("a valid request");
    let interrupt = source.interrupt();
    let mut ledger = Ledger::default();
    while let Some(message) = source.next().await {
        let message = message.expect("no error is final here");
        if message.event_type() != "message" {
            continue;
        }
        ledger.enter(message.data());
        match ledger.len() {
            50 | 150 => HubServer::cut(&server.hub),
            100 => interrupt.interrupt(),
            200 => HubServer::finish(&server.hub).await,
            _ => {}
        }
    }
    ledger.assert_whole(200);
}

async fn all_versions(protocols: &[&[u8]]) -> (usize, Vec<Version>) {
    let server = Secure::start(protocols).await;
    for number in 0..200 {
        HubServer::publish(&server.hub, number).await;
    }
    let transport = HyperTransport::trusting(&server.certificate).expect("a certificate");
    timeout(Duration::from_secs(60), read(&server, transport)).await.expect("it ends with 204");
    let seen = server.seen.lock().expect("not poisoned");
    (seen.connections, seen.versions.clone())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn http_2_by_alpn_one_connection_for_all_streams() {
    let (connections, versions) = all_versions(&[b"h2", b"http/1.1"]).await;
    assert!(
        versions.len() >= 3 && versions.iter().all(|version| *version == Version::HTTP_2),
        "{versions:?}"
    );
    assert_eq!(connections, 1, "a cut stream does not cost the connection");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn http_1_1_where_the_server_has_nothing_newer() {
    let (_, versions) = all_versions(&[b"http/1.1"]).await;
    assert!(
        versions.len() >= 3 && versions.iter().all(|version| *version == Version::HTTP_11),
        "{versions:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn long_heads_are_read_and_longer_ones_final() {
    // Over HTTP/1.1 one read may take a whole buffer beyond the limit of 256 KiB.
    for (protocol, too_long) in [(&b"h2"[..], 300 << 10), (b"http/1.1", 600 << 10)] {
        let server = Secure::start(&[protocol]).await;
        let transport = HyperTransport::trusting(&server.certificate).expect("a certificate");
        let source = |bytes: usize| {
            let url = format!("https://localhost:{}/heads/{bytes}", server.addr.port());
            let backoff = Backoff::default().min(Duration::from_millis(1)).max(Duration::from_millis(1));
            EventSource::get(url).transport(transport.clone()).backoff(backoff).connect().expect("valid")
        };
        let message = source(100 << 10).next().await.expect("an item").expect("a message");
        assert_eq!(message.data(), "a");
        let next = timeout(Duration::from_secs(60), async { source(too_long).next().await });
        let error = next.await.expect("it is final").expect("an item").expect_err("too long");
        assert!(matches!(error.cause(), Disconnect::Head(_)), "{error}");
        assert_eq!(error.tries(), 3, "{error}");
    }
}

mod proxy {
    use sse_core::client::Proxies;
    use tokio::{
        io::{AsyncBufReadExt, AsyncWriteExt, BufReader, copy_bidirectional},
        net::TcpStream,
    };

    use super::*;

    /// A proxy that opens a tunnel for clients with the password; if `status` is not 200, it answers that instead.
    struct Proxy {
        addr: SocketAddr,
        /// The heads of all requests.
        seen: Arc<Mutex<Vec<String>>>,
        accepting: JoinHandle<()>,
    }

    impl Proxy {
        async fn start(status: &'static str) -> Self {
            let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
            let addr = listener.local_addr().expect("an address");
            let seen = Arc::<Mutex<Vec<String>>>::default();
            let noted = Arc::clone(&seen);
            let accepting = tokio::spawn(async move {
                while let Ok((socket, _)) = listener.accept().await {
                    let noted = Arc::clone(&noted);
                    // A client that leaves ends its tunnel.
                    tokio::spawn(async move { tunnel(socket, status, &noted).await.ok() });
                }
            });
            Self { addr, seen, accepting }
        }

        fn proxies(&self, user: &str) -> Proxies {
            Proxies::all(&format!("http://{user}{}", self.addr)).expect("an address")
        }

        fn seen(&self) -> Vec<String> {
            self.seen.lock().expect("not poisoned").clone()
        }
    }

    impl Drop for Proxy {
        fn drop(&mut self) {
            self.accepting.abort();
        }
    }

    async fn tunnel(socket: TcpStream, status: &str, noted: &Mutex<Vec<String>>) -> std::io::Result<()> {
        let mut socket = BufReader::new(socket);
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if socket.read_line(&mut head).await? == 0 {
                return Ok(());
            }
        }
        let authority = head.split(' ').nth(1).unwrap_or_default().to_owned();
        let is_known = head.contains("\r\nProxy-Authorization: Basic dXNlcjpwYXNz\r\n");
        noted.lock().expect("not poisoned").push(head);
        let status = if is_known { status } else { "407 Proxy Authentication Required" };
        socket.write_all(format!("HTTP/1.1 {status}\r\nvia: test\r\n\r\n").as_bytes()).await?;
        if status.starts_with("200") {
            copy_bidirectional(&mut socket, &mut TcpStream::connect(authority).await?).await?;
        }
        Ok(())
    }

    fn source(server: &Secure, proxies: Proxies) -> EventSource {
        let transport =
            HyperTransport::trusting(&server.certificate).expect("a certificate").proxies(proxies);
        let backoff = Backoff::default().min(Duration::from_millis(1)).max(Duration::from_millis(1));
        let first = Attempts::unlimited().tries(4);
        let source =
            EventSource::get(server.url()).transport(transport).backoff(backoff).first_connection(first);
        source.header("authorization", "home").connect().expect("a valid request")
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn https_goes_through_a_tunnel() {
        for protocol in [&b"h2"[..], b"http/1.1"] {
            let server = Secure::start(&[protocol]).await;
            HubServer::publish(&server.hub, 0).await;
            let proxy = Proxy::start("200 Connection established").await;
            let mut source = source(&server, proxy.proxies("user:pass@"));
            let message = timeout(Duration::from_secs(60), source.next()).await.expect("in time");
            assert!(message.expect("an item").is_ok());
            let seen = proxy.seen();
            let [head] = &seen[..] else { panic!("{seen:?}") };
            let port = server.addr.port();
            let host = format!("CONNECT localhost:{port} HTTP/1.1\r\nHost: localhost:{port}\r\n");
            assert!(head.starts_with(&host), "{head}");
            assert!(!head.contains("home"), "the server's credentials are not the proxy's: {head}");
        }
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn an_exempt_host_is_asked_directly() {
        let server = Secure::start(&[b"h2"]).await;
        HubServer::publish(&server.hub, 0).await;
        let proxy = Proxy::start("200 OK").await;
        let mut source = source(&server, proxy.proxies("").except("localhost"));
        assert!(source.next().await.expect("an item").is_ok());
        assert!(proxy.seen().is_empty());
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_proxys_refusal_is_final_and_its_failure_is_not() {
        let server = Secure::start(&[b"h2"]).await;
        for (user, status, tries) in [
            ("", "200 OK", 1),
            ("user:pass@", "403 Forbidden", 1),
            ("user:pass@", "502 Bad Gateway", 4),
            ("user:pass@", "503 Service Unavailable", 4),
        ] {
            let proxy = Proxy::start(status).await;
            let error =
                source(&server, proxy.proxies(user)).next().await.expect("an item").expect_err(status);
            assert_eq!(matches!(error.cause(), Disconnect::Transport(_)), tries == 1, "{error}");
            let status = if user.is_empty() { "407" } else { status };
            assert!(error.to_string().contains(status), "{error}");
            assert_eq!((error.tries(), proxy.seen().len()), (tries, tries as usize), "{error}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_certificate_that_nobody_trusts_is_a_network_error() {
    let server = Secure::start(&[b"h2"]).await;
    let other = Secure::start(&[b"h2"]).await;
    let transport = HyperTransport::trusting(&other.certificate).expect("a certificate");
    let source = EventSource::get(server.url()).transport(transport);
    let mut source = source.first_connection(Attempts::once()).connect().expect("a valid request");
    let error = source.next().await.expect("an item").expect_err("not trusted");
    assert!(matches!(error.cause(), Disconnect::Network(_)), "{error}");
    assert!(error.to_string().contains("certificate"), "{error}");
    assert!(HyperTransport::trusting("no certificate").is_err());
}
