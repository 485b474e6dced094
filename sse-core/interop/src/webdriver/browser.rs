use std::{fs, path::Path};

use serde_json::json;
use sse_testkit::{Failed, Outcome, free_port};
use tokio::{net::TcpStream, process::Command};

use super::link::Link;
use crate::process::Group;

/// Settings of a new Firefox profile: any free port for its driver, no start page, and JSON shown as it is (not in a
/// privileged viewer, where a test's scripts are not allowed).
const FIREFOX_PREFERENCES: &str = r#"user_pref("marionette.port", 0);
user_pref("browser.startup.page", 0);
user_pref("browser.aboutwelcome.enabled", false);
user_pref("devtools.jsonview.enabled", false);
"#;

/// A browser engine that tests can drive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Engine {
    /// Chromium, headless.
    Chromium,
    /// Firefox, headless.
    Firefox,
    /// WebKitGTK, on a virtual screen.
    WebKit,
}

impl Engine {
    fn install(self) -> &'static str {
        match self {
            Self::Chromium => "apt-get install chromium chromium-driver",
            Self::Firefox => "apt-get install firefox-esr",
            Self::WebKit => "apt-get install webkit2gtk-driver xvfb",
        }
    }
}

/// A browser as a separate process, with a new profile; it ends, with all its child processes, when this is dropped.
#[derive(Debug)]
pub(crate) struct Browser {
    // In the order in which they must end: a page that lived on would reconnect to whatever listens there next.
    _processes: Vec<Group>,
    _home: tempfile::TempDir,
}

impl Browser {
    /// Starts the browser and its helpers; the flags are Chromium's.
    pub(crate) async fn start(engine: Engine, flags: &[&str]) -> Outcome<(Self, Link)> {
        let home = tempfile::tempdir()?;
        let started = match engine {
            Engine::Chromium => chromium(home.path(), flags).await,
            Engine::Firefox => firefox(home.path()).await,
            Engine::WebKit => webkit(home.path()).await,
        };
        let (processes, link) = started.map_err(|error| {
            Failed::new(format!("{engine:?}: {error:?}; install it by `{}`", engine.install()))
        })?;
        Ok((Self { _processes: processes, _home: home }, link))
    }
}

/// Chromium behind its driver, which prints its port.
async fn chromium(home: &Path, flags: &[&str]) -> Outcome<(Vec<Group>, Link)> {
    let mut driver = Group::start(Command::new("chromedriver").arg("--port=0"), home)?;
    let port = driver.says(|line| {
        line.split_once("successfully on port ")?.1.trim_end().trim_end_matches('.').parse().ok()
    });
    let port = port.await?;
    // Tests may run as root in a container, where the sandbox and a small /dev/shm stop Chromium.
    let always = [
        "--headless=new",
        "--no-sandbox",
        "--disable-dev-shm-usage",
        "--disable-gpu",
        "--window-size=1280,2000",
    ];
    let arguments = [&always[..], flags].concat();
    let capabilities = json!({ "goog:chromeOptions": { "args": arguments } });
    Ok((vec![driver], Link::http(port, capabilities).await?))
}

/// Firefox itself, which listens for the commands that geckodriver would translate, and writes its port to a file.
async fn firefox(home: &Path) -> Outcome<(Vec<Group>, Link)> {
    fs::write(home.join("user.js"), FIREFOX_PREFERENCES)?;
    let mut command = Command::new("firefox-esr");
    command.args(["--headless", "--no-remote", "--marionette", "--width=1280", "--height=2000", "--profile"]);
    let mut firefox = Group::start(command.arg(home), home)?;
    let port = home.join("MarionetteActivePort");
    let port = firefox.has(|| async { fs::read_to_string(&port).ok()?.trim().parse().ok() }).await?;
    Ok((vec![firefox], Link::marionette(port).await?))
}

/// WebKit behind its driver, which needs a port, and a screen, which finds its own number.
async fn webkit(home: &Path) -> Outcome<(Vec<Group>, Link)> {
    let flags = ["-displayfd", "1", "-screen", "0", "1280x2000x24", "-nolisten", "tcp"];
    let mut screen = Group::start(Command::new("Xvfb").args(flags), home)?;
    let display: u16 = screen.says(|line| line.trim_end().parse().ok()).await?;
    let port = free_port();
    let mut command = Command::new("WebKitWebDriver");
    command.arg(format!("--port={port}")).env("DISPLAY", format!(":{display}"));
    let mut driver = Group::start(command.env("WEBKIT_DISABLE_COMPOSITING_MODE", "1"), home)?;
    driver.has(|| async { TcpStream::connect(("127.0.0.1", port)).await.ok() }).await?;
    let capabilities = json!({ "browserName": "MiniBrowser" });
    Ok((vec![driver, screen], Link::http(port, capabilities).await?))
}
