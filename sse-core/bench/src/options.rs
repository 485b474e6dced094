use std::path::PathBuf;

use crate::memory::Held;

/// What `--help` prints.
pub(crate) const USAGE: &str = "\
usage: sse-bench [WORK..] [--quick] [--with PEER,..] [--results FOLDER]

WORK     encode, decode, fanout, memory, replay, publish, topics, storm, compress, bounds or all (the default)
--quick  a short run that shows that everything works; its figures mean little
--with   peers that are not Rust crates and must be installed: nchan, better-sse, eventsource-parser
--results  where the JSON and the plots go; sse-core/bench/results by default";

/// What the command line asks for.
pub(crate) enum Command {
    Help,
    Measure(Options),
    /// Be a server of the named kind, for a measuring process.
    Serve(String),
    /// Run each case once, for callgrind.
    Count(Work),
    /// Hold this number of a kind and print what memory each takes.
    Hold(Held, usize),
}

/// How to measure.
pub(crate) struct Options {
    pub(crate) works: Vec<Work>,
    pub(crate) quick: bool,
    pub(crate) with: Vec<Outside>,
    pub(crate) results: PathBuf,
}

/// A kind of work that is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Work {
    Encode,
    Decode,
    Fanout,
    Memory,
    Replay,
    Publish,
    Topics,
    Storm,
    Compress,
    Bounds,
}

/// A peer that is not a Rust crate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outside {
    Nchan,
    BetterSse,
    EventsourceParser,
}

impl Work {
    pub(crate) const ALL: [Self; 10] = [
        Self::Encode,
        Self::Decode,
        Self::Fanout,
        Self::Memory,
        Self::Replay,
        Self::Publish,
        Self::Topics,
        Self::Storm,
        Self::Compress,
        Self::Bounds,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Encode => "encode",
            Self::Decode => "decode",
            Self::Fanout => "fanout",
            Self::Memory => "memory",
            Self::Replay => "replay",
            Self::Publish => "publish",
            Self::Topics => "topics",
            Self::Storm => "storm",
            Self::Compress => "compress",
            Self::Bounds => "bounds",
        }
    }

    fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|work| work.name() == name)
    }
}

impl Command {
    /// Reads the arguments after the program's name.
    pub(crate) fn parse(args: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut args = args.peekable();
        match args.peek().map(String::as_str) {
            Some("serve") => {
                let server = args.nth(1).ok_or("serve: name a server")?;
                return Ok(Self::Serve(server));
            }
            Some("count") => {
                let work = args.nth(1).as_deref().and_then(Work::named);
                return Ok(Self::Count(work.ok_or("count: name what to count")?));
            }
            Some("hold") => {
                let kind =
                    args.nth(1).and_then(|name| Held::ALL.into_iter().find(|held| held.name() == name));
                let count = args.next().and_then(|count| count.parse().ok());
                let (Some(kind), Some(count)) = (kind, count) else {
                    return Err("hold: name what to hold, and how many".to_owned());
                };
                return Ok(Self::Hold(kind, count));
            }
            _ => {}
        }
        let results = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/results"));
        let mut options = Options { works: Vec::new(), quick: false, with: Vec::new(), results };
        while let Some(arg) = args.next() {
            match arg.as_str() {
                "--help" | "-h" => return Ok(Self::Help),
                "--quick" => options.quick = true,
                "--with" => {
                    for peer in args.next().ok_or("--with: name peers")?.split(',') {
                        options.with.push(Outside::named(peer)?);
                    }
                }
                "--results" => options.results = args.next().ok_or("--results: name a folder")?.into(),
                "all" => options.works.extend(Work::ALL),
                work => {
                    let work = Work::named(work).ok_or_else(|| format!("what is {work:?}?\n{USAGE}"))?;
                    options.works.push(work);
                }
            }
        }
        if options.works.is_empty() {
            options.works.extend(Work::ALL);
        }
        options.works.dedup();
        Ok(Self::Measure(options))
    }
}

impl Outside {
    fn named(name: &str) -> Result<Self, String> {
        match name {
            "nchan" => Ok(Self::Nchan),
            "better-sse" => Ok(Self::BetterSse),
            "eventsource-parser" => Ok(Self::EventsourceParser),
            _ => Err(format!("--with: what is {name:?}? Known are nchan, better-sse and eventsource-parser")),
        }
    }
}
