use std::{error, fmt, path::PathBuf, time::Duration};

/// The options of the command line.
#[derive(Debug, Default)]
pub(crate) struct Options {
    pub(crate) url: String,
    pub(crate) last_event_id: Option<String>,
    pub(crate) headers: Vec<(String, String)>,
    /// The body of a POST; without it the request is a GET.
    pub(crate) data: Option<String>,
    pub(crate) max_events: Option<u64>,
    pub(crate) once: bool,
    /// Maximum time to wait for each byte; `None` is the client's default.
    pub(crate) idle_timeout: Option<IdleTimeout>,
    pub(crate) state: Option<PathBuf>,
}

/// Maximum time that a server may be silent.
#[derive(Debug, Clone, Copy)]
pub(crate) enum IdleTimeout {
    After(Duration),
    Never,
}

pub(crate) enum Asked {
    Run(Options),
    Help,
}

impl Options {
    pub(crate) const HELP: &str =
        "Prints the messages of a stream of server-sent events, one JSON object a line.

Usage: sse URL [FLAGS]

  --last-event-id ID  go on after the event with this id
  --header 'K: V'     send this header; may be repeated
  --data BODY         send a POST with this body, once
  --max-events N      stop after so many messages
  --once              make one connection and do not reconnect
  --idle-timeout S    give a connection up after S seconds without a byte, its response's first one included; 0 never
                      does. Without this flag: 30 s for the response and 37.5 s between bytes, and never with --data
  --state FILE        keep the cursor in this file, and go on from there next time
  --help              this text

The variables http_proxy, https_proxy, all_proxy and no_proxy are read as curl reads them.

It ends with 0 when it was told to stop (204, --max-events, the end of a single connection), with 1 when the
connection failed for good, and with 2 when the command line is wrong.";

    /// Parses the arguments that follow the program's name.
    pub(crate) fn parse(args: impl IntoIterator<Item = String>) -> Result<Asked, BadFlag> {
        let mut options = Self::default();
        let mut url = None;
        let mut args = args.into_iter();
        while let Some(arg) = args.next() {
            let (flag, value) = match arg.split_once('=') {
                Some((flag, value)) if flag.starts_with("--") => (flag.to_owned(), Some(value.to_owned())),
                _ => (arg, None),
            };
            if matches!(&*flag, "--help" | "-h") {
                return Ok(Asked::Help);
            }
            if !flag.starts_with('-') {
                if url.replace(flag).is_some() {
                    return Err(BadFlag("give one URL; see --help".to_owned()));
                }
                continue;
            }
            options.set(&flag, || value.or_else(|| args.next()))?;
        }
        options.url = url.ok_or_else(|| BadFlag("the URL is missing; see --help".to_owned()))?;
        Ok(Asked::Run(options))
    }

    fn set(&mut self, flag: &str, value: impl FnOnce() -> Option<String>) -> Result<(), BadFlag> {
        let value = || value().ok_or_else(|| BadFlag(format!("{flag}: the value is missing; see --help")));
        match flag {
            "--last-event-id" => self.last_event_id = Some(value()?),
            "--header" => self.headers.push(header(&value()?)?),
            "--data" => self.data = Some(value()?),
            "--max-events" => self.max_events = Some(count(&value()?)?),
            "--once" => self.once = true,
            "--idle-timeout" => self.idle_timeout = Some(idle_timeout(&value()?)?),
            "--state" => self.state = Some(value()?.into()),
            _ => return Err(BadFlag(format!("{flag}: no such flag; see --help"))),
        }
        Ok(())
    }
}

fn header(value: &str) -> Result<(String, String), BadFlag> {
    let (name, value) = value
        .split_once(':')
        .ok_or_else(|| BadFlag(format!("--header: `{value}` is no header; write 'name: value'")))?;
    Ok((name.trim().to_owned(), value.trim().to_owned()))
}

fn count(value: &str) -> Result<u64, BadFlag> {
    let count = value.parse().ok().filter(|count| *count > 0);
    count.ok_or_else(|| BadFlag(format!("--max-events: `{value}` is no number of messages; write 1 or more")))
}

fn idle_timeout(value: &str) -> Result<IdleTimeout, BadFlag> {
    let seconds = value.parse().ok().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    match seconds {
        // A clock cannot count further than this, and no user waits that long.
        Some(seconds) if seconds.is_zero() || seconds.as_secs() > u64::from(u32::MAX) => {
            Ok(IdleTimeout::Never)
        }
        Some(seconds) => Ok(IdleTimeout::After(seconds)),
        None => Err(BadFlag(format!(
            "--idle-timeout: `{value}` is not a number of seconds; write 60, or 0 for never"
        ))),
    }
}

/// One line that states what to write instead.
#[derive(Debug)]
pub(crate) struct BadFlag(String);

impl fmt::Display for BadFlag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl error::Error for BadFlag {}
