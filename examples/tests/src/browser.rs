use serde_json::{Value, json};

/// A browser engine that tests can drive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Engine {
    /// Chromium, without a screen.
    Chromium,
}

impl Engine {
    pub(crate) fn driver(self) -> &'static str {
        match self {
            Self::Chromium => "chromedriver",
        }
    }

    pub(crate) fn driver_arguments(self) -> &'static [&'static str] {
        match self {
            Self::Chromium => &["--port=0"],
        }
    }

    pub(crate) fn install(self) -> &'static str {
        match self {
            Self::Chromium => "apt-get install chromium chromium-driver",
        }
    }

    /// The port, if this line of the driver's output says on which it listens.
    pub(crate) fn port_in(self, line: &str) -> Option<u16> {
        match self {
            Self::Chromium => {
                line.split_once("successfully on port ")?.1.trim_end().trim_end_matches('.').parse().ok()
            }
        }
    }

    pub(crate) fn capabilities(self) -> Value {
        match self {
            // Tests may run as root in a container, where the sandbox and a small /dev/shm stop Chromium.
            Self::Chromium => json!({ "goog:chromeOptions": { "args": [
                "--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu",
                "--window-size=1280,2000",
            ] } }),
        }
    }
}
