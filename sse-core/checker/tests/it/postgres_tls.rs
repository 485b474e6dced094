//! TLS to PostgreSQL: which servers are trusted.

use sse_checker::engines::{Certificate, PostgresServer};
use sse_core::history::{HistoryErrorKind, PostgresHistory};
use sse_testkit::history_cases::{appended, entry};

const NAME: &str = "sse";

async fn server(certificate: &Certificate) -> PostgresServer {
    let settings = certificate.settings();
    PostgresServer::start_with(&settings.each_ref().map(String::as_str)).await
}

/// The URL of a server by this host name.
fn url(server: &PostgresServer, host: &str, options: &str) -> String {
    format!("postgres://admin@{host}:{}/postgres{options}", server.port())
}

/// Whether each of the history's connections is encrypted.
async fn encrypted(server: &PostgresServer) -> Vec<String> {
    server
        .ask(
            "select s.ssl from pg_stat_ssl s join pg_stat_activity a using (pid)
               where a.application_name like 'sse %' order by a.application_name",
        )
        .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_with_a_trusted_certificate_is_used_encrypted() {
    let certificate = Certificate::of("localhost");
    let server = server(&certificate).await;
    for options in ["", "?sslmode=require", "?sslmode=verify-full"] {
        let builder = PostgresHistory::builder().root_certificates(certificate.pem());
        let history = builder.connect(url(&server, "localhost", options), NAME).await.unwrap();
        appended(&history, entry("a", options)).await;
        assert_eq!(encrypted(&server).await, ["t"; 3], "{options}");
        drop(history);
        while !encrypted(&server).await.is_empty() {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_cannot_be_verified_is_refused() {
    let certificate = Certificate::of("localhost");
    let server = server(&certificate).await;
    let plain = PostgresServer::start().await;
    let (unknown, own) = (Certificate::of("localhost").pem(), certificate.pem());
    let refused = [
        ("without roots", PostgresHistory::builder(), url(&server, "localhost", "?sslmode=require")),
        (
            "an unknown root",
            PostgresHistory::builder().root_certificates(unknown),
            url(&server, "localhost", ""),
        ),
        ("another name", PostgresHistory::builder().root_certificates(&own), url(&server, "127.0.0.1", "")),
        ("no TLS", PostgresHistory::builder().root_certificates(&own), url(&plain, "localhost", "")),
    ];
    for (what, builder, url) in refused {
        let error = builder.connect(url, NAME).await.map(drop).unwrap_err();
        let (kind, reason) = match what {
            "no TLS" => (HistoryErrorKind::Unavailable, "server does not support TLS"),
            _ => (HistoryErrorKind::Settings, "the certificate of PostgreSQL is not trusted"),
        };
        assert!(error.kind() == kind && error.to_string().contains(reason), "{what}: {error:?}");
        assert_eq!(server.ask("select to_regnamespace('sse')").await, [""], "{what}");
    }
    // Without `sslmode` and roots, encryption is used if the server offers it, and nothing is verified.
    let _history = PostgresHistory::connect(url(&server, "127.0.0.1", ""), NAME).await.unwrap();
    assert_eq!(encrypted(&server).await, ["t"; 3]);
}
