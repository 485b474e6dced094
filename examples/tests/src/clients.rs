//! Other people's clients, which read an application through a network that cuts connections anywhere.

use std::{
    convert::Infallible,
    ops::Range,
    path::{Path, PathBuf},
    time::Duration,
};

use serde_json::Value;
use sse_peers::{Chaos, Fault};
use sse_testkit::{Failed, Outcome, Request};
use tokio::{
    process::{Child, Command},
    task::JoinHandle,
    time::{sleep, timeout},
};

use crate::{
    App, PATIENCE,
    app::{read_all, spawn},
};

/// Each client, what runs it, and its script in `clients/`.
const CLIENTS: [(&str, &[&str], &str); 7] = [
    ("npm eventsource", &["node/bin/node"], "eventsource.mjs"),
    ("Node's EventSource", &["node/bin/node", "--experimental-eventsource", "--no-warnings"], "node.mjs"),
    ("npm fetch-event-source", &["node/bin/node"], "fetch-event-source.mjs"),
    ("npm eventsource-parser", &["node/bin/node"], "eventsource-parser.mjs"),
    ("PyPI httpx-sse", &["python/bin/python3", "-B"], "httpx-sse.py"),
    ("PyPI sseclient-py", &["python/bin/python3", "-B"], "sseclient-py.py"),
    ("curl -N", &["bash"], "curl.sh"),
];

/// Every client holds all that was published, in order, each once, however often its connection breaks.
///
/// # Errors
/// If one does not.
pub async fn others_clients_hold_every_event(program: &str, count: usize) -> Outcome {
    let retain = (count + 1).to_string();
    let app = App::start(program, &["--retain", &retain, "--keep-alive", "1", "--max-age", "4"]).await?;
    let tools = tools(program)?;
    let mut readers = Vec::new();
    for client in CLIENTS {
        readers.push(Reader::start(client, &app, &tools).await?);
    }
    let publishing = async {
        let mut published = publish(&app, 0..count / 2).await?;
        timeout(PATIENCE, came_back(&readers)).await?;
        published.extend(publish(&app, count / 2..count).await?);
        Outcome::Ok(published)
    };
    let mut published = tokio::select! {
        never = misbehave(&readers) => match never {},
        published = publishing => published?,
    };
    for reader in &readers {
        reader.network.set(Fault::None);
    }
    let finished = app.json(200, Request::post("/finish?topic=numbers", "")).await?;
    published.push(["sse.end".to_owned(), id(&finished)?, r#"{"topic":"numbers"}"#.to_owned()]);
    let mut failures = Vec::new();
    for reader in readers {
        if let Err(failed) = reader.holds(&published).await {
            failures.push(format!("{failed:?}"));
        }
    }
    if failures.is_empty() { Ok(()) } else { Err(Failed::new(failures.join("\n"))) }
}

/// An event as the scripts print it: its type, its id and its data.
type Printed = [String; 3];

/// Publishes these events, whose data is of all kinds, and two types.
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
async fn came_back(readers: &[Reader]) {
    while readers.iter().any(|reader| reader.network.accepted() < 3) {
        sleep(Duration::from_millis(50)).await;
    }
}

/// Cuts connections at random, in both ways and with pauses.
async fn misbehave(readers: &[Reader]) -> Infallible {
    loop {
        for fault in [Fault::Reset, Fault::None, Fault::Close, Fault::None] {
            for reader in readers {
                reader.network.set(fault);
            }
            sleep(Duration::from_millis(400)).await;
        }
    }
}

/// A client that reads the topic to its end.
struct Reader {
    name: &'static str,
    network: Chaos,
    process: Child,
    stdout: JoinHandle<String>,
    stderr: JoinHandle<String>,
}

impl Reader {
    async fn start(
        (name, runner, script): (&'static str, &[&str], &str),
        app: &App,
        tools: &Path,
    ) -> Outcome<Self> {
        let network = Chaos::start(app.address()).await?;
        let url = format!("http://{}/events?topic=numbers&start=earliest", network.addr);
        let [program, flags @ ..] = runner else { return Err(Failed::new("nothing to run it")) };
        // A shell is everywhere; all else is among the tools.
        let installed = tools.join(program);
        let mut command =
            Command::new(if installed.exists() { installed.as_path() } else { Path::new(program) });
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("clients").join(script);
        command.args(flags).arg(script).arg(url).env("SSE_TOOLS", tools);
        let mut process = spawn(&mut command)?;
        let stdout = read_all(process.stdout.take(), String::new());
        let stderr = read_all(process.stderr.take(), String::new());
        Ok(Self { name, network, process, stdout, stderr })
    }

    /// Waits for its end, and compares what it printed.
    async fn holds(mut self, published: &[Printed]) -> Outcome {
        let name = self.name;
        let ended = timeout(PATIENCE, self.process.wait()).await;
        if ended.is_err() {
            self.process.kill().await?;
        }
        let (stdout, stderr) = (self.stdout.await?, self.stderr.await?);
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
        println!("{name}: {} events over {} connections", published.len(), self.network.accepted());
        Ok(())
    }
}

/// Where the clients are installed: in the folder of the build that the program comes from.
fn tools(program: &str) -> Outcome<PathBuf> {
    let found = Path::new(program).ancestors().map(|folder| folder.join("tools")).find(|tools| {
        ["node/bin/node", "node/node_modules/eventsource", "python/bin/python3"]
            .iter()
            .all(|path| tools.join(path).exists())
    });
    found.ok_or_else(|| {
        Failed::new("other people's clients are missing; install them with `.ci/peers/install`")
    })
}
