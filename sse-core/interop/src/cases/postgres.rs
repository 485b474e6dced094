use std::time::Duration;

use example_common::Postgres;
use sse_testkit::{Exchange, Failed, Outcome, Request};
use tokio::{
    process::Command,
    time::{sleep, timeout},
};
use tokio_postgres::NoTls;

use crate::{App, PATIENCE};

/// Two nodes over one PostgreSQL: a reader that moves between them gets every event once and in order, and so do those
/// that stay, while a process of the server is killed.
///
/// # Errors
/// If a reader misses an event, or gets one twice.
pub async fn readers_move_over_postgres_while_its_process_is_killed(program: &str) -> Outcome {
    let server = Postgres::start().await.map_err(Failed::new)?;
    let history = format!("postgres:{}", server.url());
    let flags = ["--history", &*history, "--name", "bars"];
    let nodes = [App::start(program, &flags).await?, App::start(program, &flags).await?];
    let request = || Request::get("/events?topic=a&start=earliest");
    let mut staying = [nodes[0].stream(request()).await?, nodes[1].stream(request()).await?];
    let (mut published, mut seen, mut cursor) = (Vec::new(), Vec::new(), None);
    for round in 0..6 {
        let mut moving = match &cursor {
            Some(cursor) => nodes[round % 2].stream(request().after(cursor)).await?,
            None => nodes[0].stream(request()).await?,
        };
        if round == 3 {
            kill_a_process(&server).await?;
        }
        // To one and to the other; the last is left for the next node to send.
        for node in [1, 0, 1] {
            let text = published.len().to_string();
            published.push((publish_at_last(&nodes[node], &text).await?, text));
        }
        let read = moving.until_told(published.len() - 1 - seen.len()).await?;
        seen.extend(
            read.into_iter().take(published.len() - 1 - seen.len()).map(|event| (event.id, event.data)),
        );
        cursor = seen.last().map(|(id, _)| id.clone());
        for reader in &mut staying {
            reader.until_told(published.len()).await?;
        }
    }
    assert_eq!(seen, published[..published.len() - 1]);
    for reader in &staying {
        let got: Vec<_> = reader.told().into_iter().map(|event| (event.id, event.data)).collect();
        assert_eq!(got, published);
        assert!(!reader.text().contains("sse.gap"), "{}", reader.text());
    }
    Ok(())
}

/// Publishes under a key until the event is stored, and returns its id.
async fn publish_at_last(app: &App, text: &str) -> Outcome<String> {
    timeout(PATIENCE, async {
        loop {
            let request = Request::post(format!("/publish?topic=a&key={text}"), text);
            let mut answer: Exchange = app.send(request).await?;
            answer.to_end().await?;
            if answer.status() == 200 {
                let id = answer
                    .text()
                    .split(r#"{"id":""#)
                    .nth(1)
                    .and_then(|rest| rest.split('"').next())
                    .map(str::to_owned);
                return id.ok_or_else(|| Failed::new(format!("no id in {}", answer.text())));
            }
            assert_eq!(answer.status(), 503, "{}", answer.text());
            sleep(Duration::from_millis(50)).await;
        }
    })
    .await?
}

/// Kills the process of a node's connection, as `kill -9` does: the server then ends all others and recovers.
async fn kill_a_process(server: &Postgres) -> Outcome {
    let (client, connection) = tokio_postgres::connect(&server.url(), NoTls).await?;
    tokio::spawn(connection);
    let find = "select pid from pg_stat_activity where application_name = 'bars writer' limit 1";
    let pid: i32 = client.query_one(find, &[]).await?.try_get(0)?;
    let kill = Command::new("kill").args(["-KILL", &pid.to_string()]).status().await?;
    if kill.success() { Ok(()) } else { Err(Failed::new("SIGKILL was not sent")) }
}
