//! Third-party clients, which read an application through a network that cuts connections anywhere.

use std::{
    convert::Infallible,
    net::SocketAddr,
    ops::Range,
    path::{Path, PathBuf},
    time::Duration,
};

use serde_json::Value;
use sse_testkit::{Failed, Outcome, Request};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, ChildStdout, Command},
    task::JoinHandle,
    time::{sleep, timeout},
};

use crate::{
    App, PATIENCE, Relay,
    app::{read_all, spawn},
    servers::{Chaos, Fault},
};

/// Each client: its name, the command that runs it, and its script in `clients/`.
const CLIENTS: [(&str, &[&str], &str); 7] = [
    ("npm eventsource", &["node/bin/node"], "eventsource.mjs"),
    ("Node's EventSource", &["node/bin/node", "--experimental-eventsource", "--no-warnings"], "node.mjs"),
    ("npm fetch-event-source", &["node/bin/node"], "fetch-event-source.mjs"),
    ("npm eventsource-parser", &["node/bin/node"], "eventsource-parser.mjs"),
    ("PyPI httpx-sse", &["python/bin/python3", "-uB"], "httpx-sse.py"),
    ("PyPI sseclient-py", &["python/bin/python3", "-uB"], "sseclient-py.py"),
    ("curl -N", &["bash"], "curl.sh"),
];

/// Every client receives all published events, in order, each once, however often its connection breaks.
///
/// # Errors
/// If one does not.
pub async fn others_clients_hold_every_event(program: &str, count: usize) -> Outcome {
    let retain = (count + 1).to_string();
    let app = App::start(program, &["--retain", &retain, "--keep-alive", "1", "--max-age", "4"]).await?;
    let tools = tools(program)?;
    let (mut readers, mut networks) = (Vec::new(), Vec::new());
    for client in CLIENTS {
        let network = Chaos::start(app.address()).await?;
        readers.push(Reader::start(client, network.addr, "/events?topic=numbers&start=earliest", &tools)?);
        networks.push(network);
    }
    let publishing = async {
        let mut published = publish(&app, 0..count / 2).await?;
        timeout(PATIENCE, came_back(&networks)).await?;
        published.extend(publish(&app, count / 2..count).await?);
        Outcome::Ok(published)
    };
    let mut published = tokio::select! {
        never = misbehave(&networks) => match never {},
        published = publishing => published?,
    };
    for network in &networks {
        network.set(Fault::None);
    }
    published.push(finish(&app).await?);
    all_hold(readers, &published).await
}

/// Every client that is cut off before its first event reconnects with the cursor that its stream began with, and
/// receives the events published in the meantime. Clients that show all types show that cursor as an event of type
/// `sse.checkpoint`.
///
/// # Errors
/// If one does not.
pub async fn others_clients_come_back_before_their_first_event(program: &str) -> Outcome {
    // No keep-alive comes before the cut.
    let app = App::start(program, &["--keep-alive", "600"]).await?;
    let tools = tools(program)?;
    let mut relay = Relay::start(app.address()).await?;
    let mut readers = Vec::new();
    for client in CLIENTS {
        let mut reader = Reader::start(client, relay.address(), "/events?topic=numbers", &tools)?;
        timeout(PATIENCE, reader.first_line_begins("sse.checkpoint\t")).await??;
        readers.push(reader);
    }
    relay.refuse().await?;
    let mut published = publish(&app, 0..10).await?;
    relay.accept()?;
    published.push(finish(&app).await?);
    all_hold(readers, &published).await
}

/// Finishes the topic, and returns the event that its readers get.
async fn finish(app: &App) -> Outcome<Printed> {
    let finished = app.json(200, Request::post("/finish?topic=numbers", "")).await?;
    Ok(["sse.end".to_owned(), id(&finished)?, r#"{"topic":"numbers"}"#.to_owned()])
}

async fn all_hold(readers: Vec<Reader>, published: &[Printed]) -> Outcome {
    let mut failures = Vec::new();
    for reader in readers {
        if let Err(failed) = reader.holds(published).await {
            failures.push(format!("{failed:?}"));
        }
    }
    if failures.is_empty() { Ok(()) } else { Err(Failed::new(failures.join("\n"))) }
}

/// An event as the scripts print it: its type, its id and its data.
type Printed = [String; 3];

/// Publishes these events, with varied data and two types.
async fn publish(app: &App, numbers: Range<usize>) -> Outcome<Vec<Printed>> {
    let mut published = Vec::new();
    for number in numbers {
        let data = match number % 5 {
            0 => format!("{number}"),
            1 => format!("{number}\nsecond line\n\nfourth line"),
            2 => format!("  {number} \u{2026} \u{1f600} \u{2028}"),
            3 => format!(r#"{{"number":{number},"text":"data: x: y"}}"#),
            _ => format!("{number} {}", "long ".repeat(50)),
        };
        let kind = if number % 3 == 0 { "price" } else { "message" };
        let request = Request::post(format!("/publish?topic=numbers&event={kind}"), data.as_bytes());
        let answer = app.json(200, request).await?;
        published.push([kind.to_owned(), id(&answer)?, data.replace('\n', r"\n")]);
        if number % 50 == 0 {
            // Time to reconnect: replays and live events take turns.
            sleep(Duration::from_millis(100)).await;
        }
    }
    Ok(published)
}

fn id(published: &Value) -> Outcome<String> {
    let id = published.get("id").and_then(Value::as_str);
    id.map(str::to_owned).ok_or_else(|| Failed::new(format!("no id in {published}")))
}

/// Waits until every reader's connection has broken at least twice.
async fn came_back(networks: &[Chaos]) {
    while networks.iter().any(|network| network.accepted() < 3) {
        sleep(Duration::from_millis(50)).await;
    }
}

/// Cuts connections at random, in both directions and with pauses.
async fn misbehave(networks: &[Chaos]) -> Infallible {
    loop {
        for fault in [Fault::Reset, Fault::None, Fault::Close, Fault::None] {
            for network in networks {
                network.set(fault);
            }
            sleep(Duration::from_millis(400)).await;
        }
    }
}

/// A client that reads the topic to its end.
struct Reader {
    name: &'static str,
    process: Child,
    stdout: BufReader<ChildStdout>,
    stderr: JoinHandle<String>,
}

impl Reader {
    fn start(
        (name, runner, script): (&'static str, &[&str], &str),
        address: SocketAddr,
        target: &str,
        tools: &Path,
    ) -> Outcome<Self> {
        let url = format!("http://{address}{target}");
        let [program, flags @ ..] = runner else { return Err(Failed::new("nothing to run it")) };
        // The shell is installed everywhere; all other programs are among the tools.
        let installed = tools.join(program);
        let mut command =
            Command::new(if installed.exists() { installed.as_path() } else { Path::new(program) });
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("clients").join(script);
        command.args(flags).arg(script).arg(url).env("SSE_TOOLS", tools);
        let mut process = spawn(&mut command)?;
        let stdout = process.stdout.take().ok_or_else(|| Failed::new("no stdout"))?;
        let stderr = read_all(process.stderr.take(), String::new());
        Ok(Self { name, process, stdout: BufReader::new(stdout), stderr })
    }

    /// Waits for its first printed line.
    async fn first_line_begins(&mut self, with: &str) -> Outcome {
        let mut line = String::new();
        self.stdout.read_line(&mut line).await?;
        if line.starts_with(with) { Ok(()) } else { Err(Failed::new(format!("{}: {line}", self.name))) }
    }

    /// Waits for its end, and compares its output.
    async fn holds(mut self, published: &[Printed]) -> Outcome {
        let name = self.name;
        let stdout = read_all(Some(self.stdout), String::new());
        let ended = timeout(PATIENCE, self.process.wait()).await;
        if ended.is_err() {
            self.process.kill().await?;
        }
        let (stdout, stderr) = (stdout.await?, self.stderr.await?);
        let fail = |what: String| Err(Failed::new(format!("{name}: {what}\n{stderr:.2000}")));
        match ended {
            Err(_) => return fail("it does not end at 204".to_owned()),
            Ok(status) if !status.as_ref().is_ok_and(std::process::ExitStatus::success) => {
                return fail(format!("{status:?}"));
            }
            Ok(_) => {}
        }
        let got = stdout.lines().filter(|line| !line.starts_with("sse.checkpoint\t"));
        let mut expected = published.iter().map(|event| event.join("\t"));
        for (at, line) in got.enumerate() {
            match expected.next() {
                Some(event) if event == line => {}
                event => return fail(format!("event {at} is\n{line}\nand should be\n{event:?}")),
            }
        }
        if let Some(event) = expected.next() {
            return fail(format!("it lacks {} events, the first is\n{event}", expected.count() + 1));
        }
        println!("{name}: {} events", published.len());
        Ok(())
    }
}

/// The folder of the installed clients: in the build folder of the program.
fn tools(program: &str) -> Outcome<PathBuf> {
    let found = Path::new(program).ancestors().map(|folder| folder.join("tools")).find(|tools| {
        ["node/bin/node", "node/node_modules/eventsource", "python/bin/python3"]
            .iter()
            .all(|path| tools.join(path).exists())
    });
    found.ok_or_else(|| {
        Failed::new("other people's clients are missing; install them with `.ci/interop/install`")
    })
}
