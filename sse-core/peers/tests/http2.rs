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
use sse_core::{Disconnect, EventSource, HyperTransport};
use sse_peers::{HubServer, Ledger};
use tokio::{net::TcpListener, task::JoinHandle, time::timeout};
use tokio_rustls::{TlsAcceptor, rustls};

/// A hub behind TLS with a certificate of its own.
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
        let app = HubServer::router(hub.clone(), Duration::from_secs(15)).layer(
            axum::middleware::map_request(move |request: axum::extract::Request| {
                noted.lock().expect("not poisoned").versions.push(request.version());
                std::future::ready(request)
            }),
        );
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let addr = listener.local_addr().expect("an address");
        let counted = Arc::clone(&seen);
        let accepting = tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                counted.lock().expect("not poisoned").connections += 1;
                let (acceptor, app) = (acceptor.clone(), app.clone());
                tokio::spawn(async move {
                    // A client that does not trust the certificate leaves here.
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
async fn a_certificate_that_nobody_trusts_is_a_network_error() {
    let server = Secure::start(&[b"h2"]).await;
    let other = Secure::start(&[b"h2"]).await;
    let transport = HyperTransport::trusting(&other.certificate).expect("a certificate");
    let source = EventSource::get(server.url()).transport(transport);
    let mut source = source.first_connection(sse_core::Attempts::once()).connect().expect("a valid request");
    let error = source.next().await.expect("an item").expect_err("not trusted");
    assert!(matches!(error.cause(), Disconnect::Network(_)), "{error}");
    assert!(error.to_string().contains("certificate"), "{error}");
    assert!(HyperTransport::trusting("no certificate").is_err());
}
