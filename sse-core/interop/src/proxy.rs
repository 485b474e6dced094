use std::{
    fs,
    net::{Ipv4Addr, SocketAddr},
    path::Path,
};

use rcgen::{CertifiedKey, generate_simple_self_signed};
use sse_testkit::{Failed, Outcome, free_port};
use tokio::{net::TcpStream, process::Command};

use crate::process::Group;

/// The document whose settings are tested.
const DOCUMENT: &str = include_str!("../../src/docs/proxies.md");

/// A proxy as Debian packages it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Proxy {
    /// nginx.
    Nginx,
    /// haproxy.
    Haproxy,
    /// Caddy.
    Caddy,
}

/// The settings of a proxy in addition to the application's address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Settings {
    /// None.
    Defaults,
    /// Ends a response on which nothing was sent for 3 s.
    ReadTimeout,
    /// The settings of our document.
    Documented,
}

/// A proxy in front of an application, over HTTP/1.1 and, on another port, over TLS with HTTP/2; it ends when this
/// is dropped.
#[derive(Debug)]
pub struct Front {
    proxy: Proxy,
    plain: SocketAddr,
    secure: SocketAddr,
    certificate: String,
    group: Option<Group>,
    folder: tempfile::TempDir,
}

impl Proxy {
    fn install(self) -> &'static str {
        match self {
            Self::Nginx => "apt-get install nginx",
            Self::Haproxy => "apt-get install haproxy",
            Self::Caddy => "apt-get install caddy",
        }
    }

    fn command(self, folder: &Path) -> Command {
        let (program, arguments): (_, &[&str]) = match self {
            Self::Nginx => ("/usr/sbin/nginx", &["-e", "stderr", "-p", ".", "-c", "config"]),
            Self::Haproxy => ("/usr/sbin/haproxy", &["-db", "-f", "config"]),
            Self::Caddy => ("caddy", &["run", "--adapter", "caddyfile", "--config", "config"]),
        };
        let mut command = Command::new(program);
        command.args(arguments).current_dir(folder);
        command
    }

    fn config(self, settings: Settings, app: SocketAddr, plain: SocketAddr, secure: SocketAddr) -> String {
        match self {
            Self::Nginx => nginx(settings, app, plain, secure),
            Self::Haproxy => haproxy(settings, app, plain, secure),
            Self::Caddy => caddy(settings, app, plain, secure),
        }
    }
}

impl Front {
    /// Starts a proxy on free ports, with a throw-away certificate for `localhost`, and waits until it listens.
    ///
    /// # Errors
    /// If the proxy does not start; the message states how to install it.
    pub async fn start(proxy: Proxy, settings: Settings, app: SocketAddr) -> Outcome<Self> {
        let folder = tempfile::tempdir()?;
        let [plain, secure] =
            [free_port(), free_port()].map(|port| SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
        let CertifiedKey { cert, signing_key } = generate_simple_self_signed(["localhost".to_owned()])?;
        let (certificate, key) = (cert.pem(), signing_key.serialize_pem());
        fs::write(folder.path().join("certificate.pem"), &certificate)?;
        fs::write(folder.path().join("key.pem"), &key)?;
        // haproxy requires both in one file.
        fs::write(folder.path().join("both.pem"), format!("{certificate}{key}"))?;
        fs::write(folder.path().join("config"), proxy.config(settings, app, plain, secure))?;
        let mut front = Self { proxy, plain, secure, certificate, group: None, folder };
        front.up().await?;
        Ok(front)
    }

    /// A URL behind the proxy: over TLS, where clients and proxy choose HTTP/2, or not.
    #[must_use]
    pub fn url(&self, is_secure: bool, target: &str) -> String {
        if is_secure {
            format!("https://localhost:{}{target}", self.secure.port())
        } else {
            format!("http://{}{target}", self.plain)
        }
    }

    /// The address of the proxy without TLS.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.plain
    }

    /// The certificate that a client must trust, as PEM.
    #[must_use]
    pub fn certificate(&self) -> &str {
        &self.certificate
    }

    /// Starts the proxy.
    ///
    /// # Errors
    /// If the proxy does not become ready.
    pub async fn up(&mut self) -> Outcome {
        let mut group = Group::start(&mut self.proxy.command(self.folder.path()), self.folder.path())
            .map_err(|error| Failed::new(format!("{error:?}; install it by `{}`", self.proxy.install())))?;
        for address in [self.plain, self.secure] {
            group.has(|| async move { TcpStream::connect(address).await.ok() }).await?;
        }
        self.group = Some(group);
        Ok(())
    }

    /// Kills the proxy, with all its connections.
    ///
    /// # Errors
    /// If the proxy does not end.
    pub async fn down(&mut self) -> Outcome {
        match self.group.take() {
            Some(group) => group.end().await,
            None => Ok(()),
        }
    }
}

fn nginx(settings: Settings, app: SocketAddr, plain: SocketAddr, secure: SocketAddr) -> String {
    let location = match settings {
        Settings::Defaults => "location / { proxy_pass http://app; }".to_owned(),
        Settings::ReadTimeout => "location / { proxy_pass http://app; proxy_read_timeout 3s; }".to_owned(),
        Settings::Documented => documented("nginx"),
    };
    format!(
        "daemon off; pid pid; worker_processes 1; error_log stderr;
        events {{}}
        http {{
            access_log off; client_body_temp_path body; proxy_temp_path proxy;
            fastcgi_temp_path fastcgi; uwsgi_temp_path uwsgi; scgi_temp_path scgi;
            upstream app {{ server {app}; }}
            server {{
                listen {plain}; listen {secure} ssl http2;
                ssl_certificate certificate.pem; ssl_certificate_key key.pem;
                add_header x-protocol $server_protocol;
                {location}
            }}
        }}"
    )
}

fn haproxy(settings: Settings, app: SocketAddr, plain: SocketAddr, secure: SocketAddr) -> String {
    let as_it_comes = |server: &str| {
        format!(
            "defaults
    mode http
    timeout connect 5s
    timeout client 60s
    timeout server {server}
backend app
    server app localhost:3000
"
        )
    };
    let app_behind = match settings {
        Settings::Defaults => as_it_comes("60s"),
        Settings::ReadTimeout => as_it_comes("3s"),
        Settings::Documented => documented("haproxy"),
    };
    let app_behind = app_behind.replace("localhost:3000", &app.to_string());
    format!(
        "{app_behind}
frontend front
    bind {plain}
    bind {secure} ssl crt both.pem alpn h2,http/1.1
    http-request set-var(txn.version) req.ver
    http-response set-header x-protocol HTTP/%[var(txn.version)]
    default_backend app
"
    )
}

fn caddy(settings: Settings, app: SocketAddr, plain: SocketAddr, secure: SocketAddr) -> String {
    let site = match settings {
        Settings::Defaults => "reverse_proxy localhost:3000".to_owned(),
        Settings::ReadTimeout => {
            "reverse_proxy localhost:3000 {\n transport http {\n read_timeout 3s\n }\n }".to_owned()
        }
        Settings::Documented => documented("Caddy"),
    };
    let site = site.replace("localhost:3000", &app.to_string());
    let (plain, secure) = (plain.port(), secure.port());
    format!(
        "{{
    admin off
    auto_https off
}}
(site) {{
    bind 127.0.0.1
    header x-protocol {{http.request.proto}}
    {site}
}}
http://:{plain} {{
    import site
}}
https://:{secure} {{
    tls certificate.pem key.pem
    import site
}}
"
    )
}

/// The settings in the document's section of this name.
fn documented(section: &str) -> String {
    let section = DOCUMENT.split_once(&format!("\n# {section}\n")).map_or("", |(_, rest)| rest);
    let block = section.split_once("```text\n").map_or("", |(_, rest)| rest);
    block.split("```").next().unwrap_or_default().to_owned()
}
