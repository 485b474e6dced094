use std::{error, fmt, path::PathBuf};

/// What the command line asks for.
#[derive(Debug, Default)]
pub(crate) struct Options {
    pub(crate) url: String,
    pub(crate) last_event_id: Option<String>,
    pub(crate) headers: Vec<(String, String)>,
    /// The body of a POST; without it the request is a GET.
    pub(crate) data: Option<String>,
    pub(crate) max_events: Option<u64>,
    pub(crate) once: bool,
    pub(crate) state: Option<PathBuf>,
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
  --state FILE        keep the cursor in this file, and go on from there next time
  --help              this text

It ends with 0 when it was told to stop (204, --max-events, the end of a single connection), with 1 when the
connection failed for good, and with 2 when the command line is wrong.";

    /// Reads the arguments that follow the program's name.
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

/// One line that says what to write instead.
#[derive(Debug)]
pub(crate) struct BadFlag(String);

impl fmt::Display for BadFlag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl error::Error for BadFlag {}
