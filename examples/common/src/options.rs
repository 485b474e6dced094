use std::{
    fmt,
    net::{SocketAddr, ToSocketAddrs},
    time::Duration,
};

use sse_core::{
    Retention,
    origin::{OriginPolicy, OriginPolicyBuilder},
};

/// The command line, the same for all four applications.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where to listen; port 0 is any free port.
    pub addr: SocketAddr,
    /// Where events are stored.
    pub history: History,
    /// The application's name; events in Redis, NATS or PostgreSQL are stored under it.
    pub name: String,
    /// The name of this node, which the page shows; without one it shows the application's name.
    pub node: Option<String>,
    /// The nodes that the page can choose behind a balancer; there is no flag for them.
    pub nodes: Vec<String>,
    /// The retention of the window for each topic.
    pub retention: Retention,
    /// The keep-alive interval of streams.
    pub keep_alive: Duration,
    /// Maximum duration of a shutdown.
    pub drain: Duration,
    /// The age at which a stream of events ends; its reader reconnects and resumes.
    pub max_age: Duration,
    /// The origins whose pages may read events and post, in addition to our own.
    pub origins: OriginPolicy,
    /// Whether events are compressed for readers that accept gzip.
    pub compress: bool,
}

/// Where events are stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum History {
    /// In this process, until it ends.
    Memory,
    /// In the file at this path.
    #[cfg(feature = "file")]
    File(String),
    /// In the Redis server at this URL.
    #[cfg(feature = "redis")]
    Redis(String),
    /// In the NATS server with JetStream at this URL.
    #[cfg(feature = "nats")]
    Nats(String),
    /// In the PostgreSQL database at this URL.
    #[cfg(feature = "postgres")]
    Postgres(String),
}

/// The engines that `--history` can name. The feature of the same name builds an engine in.
const ENGINES: [&str; 4] = ["file", "redis", "nats", "postgres"];

/// An engine that this program was built with.
type Engine = (&'static str, fn(String) -> History);

const BUILT_IN: &[Engine] = &[
    #[cfg(feature = "file")]
    ("file", History::File),
    #[cfg(feature = "redis")]
    ("redis", History::Redis),
    #[cfg(feature = "nats")]
    ("nats", History::Nats),
    #[cfg(feature = "postgres")]
    ("postgres", History::Postgres),
];

/// The result of parsing the command line.
#[derive(Debug)]
pub(crate) enum Asked {
    Help,
    Run(Box<Options>),
}

/// An invalid command line; it prints as one line that states what to do.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct BadFlag(String);

impl Default for Options {
    fn default() -> Self {
        Self {
            addr: SocketAddr::from(([127, 0, 0, 1], 3000)),
            history: History::Memory,
            name: "example".to_owned(),
            node: None,
            nodes: Vec::new(),
            retention: Retention::default(),
            keep_alive: Duration::from_secs(15),
            drain: Duration::from_secs(10),
            max_age: Duration::from_secs(24 * 60 * 60),
            origins: OriginPolicy::same_origin(),
            compress: false,
        }
    }
}

impl Options {
    /// Parses the arguments that follow the program's name.
    pub(crate) fn parse(args: impl IntoIterator<Item = String>) -> Result<Asked, BadFlag> {
        let mut options = Self::default();
        let mut origins = OriginPolicy::builder();
        let mut args = args.into_iter();
        while let Some(arg) = args.next() {
            let (flag, value) = match arg.split_once('=') {
                Some((flag, value)) if flag.starts_with("--") => (flag.to_owned(), Some(value.to_owned())),
                _ => (arg, None),
            };
            if matches!(&*flag, "--help" | "-h") {
                return Ok(Asked::Help);
            }
            if flag == "--compress" && value.is_some() {
                return Err(BadFlag("--compress: it takes no value".to_owned()));
            }
            let value = || value.or_else(|| args.next());
            if flag == "--origin" {
                origins = origin(origins, value())?;
                continue;
            }
            options.set(&flag, value)?;
        }
        options.origins = origins.build().map_err(|error| BadFlag(format!("--origin: {error}")))?;
        Ok(Asked::Run(Box::new(options)))
    }

    fn set(&mut self, flag: &str, value: impl FnOnce() -> Option<String>) -> Result<(), BadFlag> {
        let value = || value().ok_or_else(|| BadFlag(format!("{flag}: the value is missing; see --help")));
        match flag {
            "--addr" => self.addr = addr(&value()?)?,
            "--history" => self.history = history(&value()?, BUILT_IN)?,
            "--name" => self.name = name(flag, value()?)?,
            "--node" => self.node = Some(name(flag, value()?)?),
            "--retain" => self.retention = self.retention.events(retain(&value()?)?),
            "--keep-alive" => self.keep_alive = positive(flag, seconds(flag, &value()?)?)?,
            "--drain" => self.drain = seconds(flag, &value()?)?,
            "--max-age" => self.max_age = positive(flag, seconds(flag, &value()?)?)?,
            "--compress" => self.compress = true,
            _ => return Err(BadFlag(format!("{flag}: no such flag; see --help"))),
        }
        Ok(())
    }

    pub(crate) fn help(framework: &str) -> String {
        format!(
            "The example application of server-sent events, on {framework}.

Usage: example-{framework} [FLAGS]

  --addr ADDRESS        where to listen; port 0 is any free port (127.0.0.1:3000)
  --history HISTORY     memory, file:PATH, redis:URL, nats:URL or postgres:URL (memory)
  --name NAME           the application's name, under which Redis, NATS or PostgreSQL keep its events (example)
  --node NAME           this node's own name, which the page shows (as --name)
  --retain EVENTS       how many events of each topic are kept in memory (10000)
  --keep-alive SECONDS  how long a stream may be silent (15)
  --drain SECONDS       how long a shutdown may take (10)
  --max-age SECONDS     the age at which a stream ends, to be resumed (86400)
  --origin ORIGIN       pages of this origin may read events and post as well, with cookies, as https://app.example.com; may be repeated
  --compress            send gzip to readers of events who accept it
  --help                this text

Seconds may have a fraction. RUST_LOG sets what is logged to stderr (info)."
        )
    }
}

fn origin(origins: OriginPolicyBuilder, value: Option<String>) -> Result<OriginPolicyBuilder, BadFlag> {
    let value = value.ok_or_else(|| BadFlag("--origin: the value is missing; see --help".to_owned()))?;
    Ok(origins.origin(value).credentials(true))
}

fn addr(value: &str) -> Result<SocketAddr, BadFlag> {
    let resolved = value.to_socket_addrs().ok().and_then(|mut addrs| addrs.next());
    resolved.ok_or_else(|| BadFlag(format!("--addr: `{value}` is no address; write it as 127.0.0.1:3000")))
}

fn history(value: &str, built_in: &[Engine]) -> Result<History, BadFlag> {
    if value == "memory" {
        return Ok(History::Memory);
    }
    let named = value.split_once(':').filter(|(name, place)| ENGINES.contains(name) && !place.is_empty());
    let (name, place) = named.ok_or_else(|| {
        BadFlag(format!(
            "--history: `{value}` is not a history; write memory, file:PATH, redis:redis://HOST, nats:nats://HOST or \
             postgres:postgres://HOST/DATABASE"
        ))
    })?;
    match built_in.iter().find(|(engine, _)| *engine == name) {
        Some((_, history)) => Ok(history(place.to_owned())),
        None => Err(BadFlag(format!(
            "--history: this program was built without `{name}`; build it with `--features {name}`"
        ))),
    }
}

fn name(flag: &str, value: String) -> Result<String, BadFlag> {
    let is_name = |name: &str| {
        !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
    };
    if is_name(&value) {
        return Ok(value);
    }
    Err(BadFlag(format!("{flag}: `{}` is no name; use letters, digits, `-` and `_`", value.escape_debug())))
}

fn retain(value: &str) -> Result<usize, BadFlag> {
    let events = value.parse().ok().filter(|events| *events > 0);
    events.ok_or_else(|| BadFlag(format!("--retain: `{value}` is no number of events; write 1 or more")))
}

fn seconds(flag: &str, value: &str) -> Result<Duration, BadFlag> {
    let seconds = value.parse().ok().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    let sensible = seconds.filter(|seconds| *seconds <= Duration::from_secs(1 << 30));
    sensible.ok_or_else(|| BadFlag(format!("{flag}: `{value}` is no number of seconds; write 15 or 0.5")))
}

fn positive(flag: &str, value: Duration) -> Result<Duration, BadFlag> {
    if value.is_zero() { Err(BadFlag(format!("{flag}: 0 is too short; write 15 or 0.5"))) } else { Ok(value) }
}

impl fmt::Display for BadFlag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::{BUILT_IN, BadFlag, ENGINES, History, history};

    #[test]
    fn an_engine_that_is_not_built_in_is_named_with_its_feature() {
        for name in ENGINES {
            let error = BadFlag(format!(
                "--history: this program was built without `{name}`; build it with `--features {name}`"
            ));
            assert_eq!(history(&format!("{name}:somewhere"), &[]), Err(error));
        }
        assert_eq!(history("memory", &[]), Ok(History::Memory));
    }

    #[test]
    fn engines_that_are_built_in_take_the_rest_of_the_value() {
        for (name, engine) in BUILT_IN {
            assert_eq!(history(&format!("{name}:a:b"), BUILT_IN), Ok(engine("a:b".to_owned())));
        }
    }
}
