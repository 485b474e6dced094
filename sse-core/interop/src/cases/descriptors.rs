use std::{fs, path::Path, time::Duration};

use sse_testkit::{Failed, Outcome};
use tokio::{
    io::AsyncWriteExt,
    net::TcpStream,
    time::{sleep, timeout},
};

use crate::{App, PATIENCE};

/// Maximum number of open files of the application, and the number of readers.
const MAX_FILES: usize = 60;
const READERS: usize = 90;

/// After this time no further reader is served.
const A_WHILE: Duration = Duration::from_secs(3);

/// How long the process is observed while it cannot accept, and how much of that it may be busy: a loop without a
/// pause is busy all the time, and more than this even on a shared machine.
const LOOKED_AT: Duration = Duration::from_secs(4);
const BUSY: Duration = Duration::from_millis(500);

/// More readers come than the process may have open files: the surplus waits, the process does not spin in the
/// meantime, and they are served after others have left. The process logs the error, but not each time.
///
/// # Errors
/// If a check fails.
pub async fn h6_readers_wait_while_no_descriptor_is_free(program: &str) -> Outcome {
    let mut app = App::start_with_files(program, MAX_FILES, &["--drain", "1", "--keep-alive", "0.5"]).await?;
    let mut waiting = Vec::new();
    for _ in 0..READERS {
        // The kernel accepts all of them.
        let mut reader = TcpStream::connect(app.address()).await?;
        reader
            .write_all(b"GET /events?topic=a HTTP/1.1\r\nHost: a\r\nAccept: text/event-stream\r\n\r\n")
            .await?;
        waiting.push(reader);
    }
    let mut served = Vec::new();
    while let Some(reader) = next_served(&mut waiting, A_WHILE).await {
        served.push(reader);
    }
    assert!(
        served.len() > MAX_FILES / 2 && waiting.len() >= READERS - MAX_FILES,
        "{} are served",
        served.len()
    );

    let before = busy(app.id()?)?;
    sleep(LOOKED_AT).await;
    let busy = busy(app.id()?)? - before;
    assert!(busy < BUSY, "busy for {busy:?} of {LOOKED_AT:?}");

    // Readers that leave make room for those that wait.
    while !waiting.is_empty() {
        served.clear();
        let next = next_served(&mut waiting, PATIENCE).await;
        served.push(
            next.ok_or_else(|| Failed::new(format!("{} wait although all others left", waiting.len())))?,
        );
        while let Some(reader) = next_served(&mut waiting, A_WHILE).await {
            served.push(reader);
        }
    }
    drop(served);
    app.terminate().await?;
    let ended = app.ended().await?;
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    // Rocket's own log is off in the example, and Warp logs each failure, one a second.
    let is_full = |line: &&str| line.contains("os error 24") || line.contains("code: 24");
    let logged = ended.stderr.lines().filter(is_full).count();
    let name = Path::new(program).file_name().and_then(|name| name.to_str()).unwrap_or_default();
    match name {
        "example-poem" => assert_eq!(logged, 1, "{}", ended.stderr),
        "example-rocket" => {}
        _ => assert!(logged > 0 && logged < 200, "{}", ended.stderr),
    }
    Ok(())
}

/// The next reader that has received the beginning of its response within this time.
async fn next_served(waiting: &mut Vec<TcpStream>, patience: Duration) -> Option<TcpStream> {
    let served = timeout(patience, async {
        loop {
            let is_served = |reader: &TcpStream| reader.try_read(&mut [0; 12]).is_ok_and(|read| read > 0);
            if let Some(at) = waiting.iter().position(is_served) {
                return at;
            }
            sleep(Duration::from_millis(20)).await;
        }
    });
    let at = served.await.ok()?;
    Some(waiting.swap_remove(at))
}

/// CPU time of a process so far.
fn busy(id: u32) -> Outcome<Duration> {
    let stat = fs::read_to_string(format!("/proc/{id}/stat"))?;
    // The name, in parentheses, may hold spaces; the times are the 14th and 15th fields, in hundredths of a second.
    let fields: Vec<_> = stat.rsplit_once(')').map_or("", |(_, rest)| rest).split_whitespace().collect();
    let ticks = fields.get(11..13).unwrap_or_default().iter().map(|field| field.parse::<u64>());
    let ticks = ticks.sum::<Result<u64, _>>()?;
    Ok(Duration::from_millis(10 * ticks))
}
