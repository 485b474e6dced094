use std::{path::Path, process::Stdio, time::Duration};

use sse_testkit::{Failed, Outcome};
use tokio::{
    io::{AsyncBufReadExt, AsyncRead, BufReader},
    process::{Child, Command},
    sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
    time::{sleep, timeout},
};

use crate::PATIENCE;

/// The interval of checks whether a process is ready.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// An external process and its child processes; they end when this is dropped.
#[derive(Debug)]
pub(crate) struct Group {
    name: String,
    id: u32,
    // Its end is the signal to end its children, so it is kept.
    process: Child,
    lines: UnboundedReceiver<String>,
    said: String,
}

impl Group {
    /// Starts a program, with this folder for its files.
    pub(crate) fn start(command: &mut Command, folder: &Path) -> Outcome<Self> {
        let name = command.as_std().get_program().to_string_lossy().into_owned();
        command.process_group(0).env("HOME", folder).env("TMPDIR", folder).kill_on_drop(true);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut process = command.spawn().map_err(|error| Failed::new(format!("{name}: {error}")))?;
        let id = process.id().ok_or_else(|| Failed::new(format!("{name} has ended already")))?;
        let (tx, lines) = unbounded_channel();
        read_lines(process.stdout.take(), tx.clone());
        read_lines(process.stderr.take(), tx);
        Ok(Self { name, id, process, lines, said: String::new() })
    }

    /// Waits until it prints, in a line on stdout or stderr, what `look` finds.
    pub(crate) async fn says<T>(&mut self, look: impl Fn(&str) -> Option<T>) -> Outcome<T> {
        let waited = timeout(PATIENCE, async {
            while let Some(line) = self.lines.recv().await {
                if let Some(found) = look(&line) {
                    return Some(found);
                }
                self.said.push_str(&line);
            }
            None
        });
        let found = waited.await.ok().flatten();
        found.ok_or_else(|| Failed::new(format!("{} does not come up; it says\n{}", self.name, self.said)))
    }

    /// Waits until `look` finds something.
    pub(crate) async fn has<T, F: Future<Output = Option<T>>>(&mut self, look: impl Fn() -> F) -> Outcome<T> {
        let waited = timeout(PATIENCE, async {
            while self.process.try_wait()?.is_none() {
                if let Some(found) = look().await {
                    return Ok(Some(found));
                }
                sleep(LOOK_AGAIN).await;
            }
            Ok::<_, Failed>(None)
        });
        if let Ok(Some(found)) = waited.await.unwrap_or(Ok(None)) {
            return Ok(found);
        }
        // It ends here, or has already ended, so its whole output can be reported.
        self.signal("KILL");
        self.says(|_| None).await
    }

    /// Ends it and all its child processes, and waits until it has ended.
    pub(crate) async fn end(mut self) -> Outcome {
        self.signal("KILL");
        timeout(PATIENCE, self.process.wait()).await??;
        Ok(())
    }

    fn signal(&self, signal: &str) {
        let group = format!("-{}", self.id);
        // No process may be left to receive the signal, which is fine.
        let _ = std::process::Command::new("kill")
            .args(["-s", signal, "--", &group])
            .stderr(Stdio::null())
            .status();
    }
}

/// Ends its children too, which would outlive it.
impl Drop for Group {
    fn drop(&mut self) {
        self.signal("KILL");
    }
}

/// Reads to the end, so that the process never waits for space in its pipe.
fn read_lines(from: Option<impl AsyncRead + Unpin + Send + 'static>, to: UnboundedSender<String>) {
    let Some(from) = from else { return };
    tokio::spawn(async move {
        let mut from = BufReader::new(from);
        let mut line = Vec::new();
        while from.read_until(b'\n', &mut line).await.is_ok_and(|read| read > 0) {
            // The receiver may have been dropped; the output is read all the same.
            let _ = to.send(String::from_utf8_lossy(&line).into_owned());
            line.clear();
        }
    });
}
