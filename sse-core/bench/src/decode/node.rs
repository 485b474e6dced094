//! eventsource-parser, which runs on Node and must be installed.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    path::Path,
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    time::{Duration, Instant},
};

use super::peers::Stream;
use crate::{Failure, measure::Case};

/// Where its script is.
const PEERS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/peers");

/// How long it runs before it is measured.
const WARM_UP: Duration = Duration::from_millis(200);

/// A process that has the stream and decodes it as often as it is asked to.
struct Node {
    process: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

/// The contestant, which has proved that it finds all.
pub(super) fn case(stream: &Stream) -> Result<Case<'_>, Failure> {
    let label = format!("eventsource-parser {} on Node", version()?);
    let mut node = Node::start(stream)?;
    let found = node.decode(1)?;
    if found != stream.units {
        return Err(
            format!("eventsource-parser found {found} units of data instead of {}", stream.units).into()
        );
    }
    // Node compiles what it has seen often.
    let began = Instant::now();
    while began.elapsed() < WARM_UP {
        node.decode(1)?;
    }
    // One that dies meanwhile is seen by its figures: it finds nothing, at once.
    let run = Box::new(move |count| node.decode(count).unwrap_or_default());
    Ok(Case { label, ours: false, run })
}

impl Node {
    fn start(stream: &Stream) -> Result<Self, Failure> {
        let mut process = Command::new("node")
            .arg("eventsource-parser.mjs")
            .current_dir(PEERS)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| format!("install Node: {error}"))?;
        let mut input = process.stdin.take().ok_or("it has no input")?;
        let output = BufReader::new(process.stdout.take().ok_or("it has no output")?);
        let len: usize = stream.chunks.iter().map(|chunk| chunk.len()).sum();
        let chunk = stream.chunks.first().map_or(1, |chunk| chunk.len());
        input.write_all(format!("{len} {chunk}\n").as_bytes())?;
        stream.chunks.iter().try_for_each(|chunk| input.write_all(chunk))?;
        Ok(Self { process, input, output })
    }

    /// Decodes it this often, and returns how much data there was.
    fn decode(&mut self, times: usize) -> Result<usize, Failure> {
        self.input.write_all(format!("{times}\n").as_bytes())?;
        let mut line = String::new();
        self.output.read_line(&mut line)?;
        Ok(line.trim().parse()?)
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn version() -> Result<String, Failure> {
    let package = Path::new(PEERS).join("node_modules/eventsource-parser/package.json");
    let about = std::fs::read_to_string(package)
        .map_err(|_| format!("eventsource-parser is not installed: run `npm install` in {PEERS}"))?;
    let about: serde_json::Value = serde_json::from_str(&about)?;
    Ok(about.get("version").and_then(serde_json::Value::as_str).unwrap_or_default().to_owned())
}
