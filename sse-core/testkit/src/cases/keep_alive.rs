//! What an idle stream sends, and how it ends.

use std::time::Duration;

use sse_core::{EndReason, Event, KeepAlive};

use super::wire::{is_retry, retry_of};
use crate::{
    App, Outcome, Request, Server, Settings,
    outcome::{ensure, ensure_eq},
};

/// The shortest allowed interval.
const INTERVAL: Duration = Duration::from_millis(100);

fn beating(form: impl Fn(KeepAlive) -> KeepAlive) -> Settings {
    Settings { keep_alive: Some(form(KeepAlive::every(INTERVAL))), stays_open: true, ..Settings::default() }
}

/// Nothing was published and nothing is due, and the `retry` line is there, with the first cursor where there is one.
pub async fn g10_the_first_byte_comes_at_once(app: &dyn App) -> Outcome {
    let server = Server::start(app, Settings { stays_open: true, ..Settings::quiet() }).await?;
    for target in ["/script", "/events?topic=a"] {
        let mut answer = server.get(target).await?;
        answer.until_text(if target == "/script" { "\n" } else { "\n\n" }).await?;
        let text = answer.text_after_first_checkpoint();
        ensure!(is_retry(text.trim_end()) && text.ends_with('\n'), "{target} begins with {text:?}");
    }
    Ok(())
}

/// Each idle interval ends with the same line, never with a blank one.
pub async fn g10_the_keep_alive_is_the_retry_line_again(app: &dyn App) -> Outcome {
    let server = Server::start(app, beating(|keep_alive| keep_alive)).await?;
    let head = server.hub.stats().head;
    let checkpoint = format!("event: sse.checkpoint\ndata: \nid: {head}\n\n");
    for (target, cursor) in [("/script", ""), ("/events?topic=a", &*checkpoint)] {
        let mut answer = server.get(target).await?;
        answer.until("five chunks", |answer| answer.chunk_ends().len() >= 5).await?;
        let text = answer.text();
        let first = text.lines().next().unwrap_or_default();
        ensure!(is_retry(first), "{target} begins with {first:?}");
        let expected = format!("{first}\n{cursor}{first}\n{first}\n{first}\n");
        ensure!(text.starts_with(&expected), "{target}: {text:?} instead of {expected:?}");
    }
    Ok(())
}

/// An application's own `retry` stays in force.
pub async fn keep_alive_repeats_the_last_retry(app: &dyn App) -> Outcome {
    let script = vec![Event::message("slow down").retry(Duration::from_millis(7_700)), Event::message("so")];
    let server = Server::start(app, Settings { script, ..beating(|keep_alive| keep_alive) }).await?;
    let mut answer = server.get("/script").await?;
    answer.until_text("data: so\n\nretry: 7700\nretry: 7700\n").await?;
    let event = Event::message("slow down").retry(Duration::from_millis(8_800));
    let mut reader = server.stream(Request::get("/events?topic=a")).await?;
    server.hub.publish("a", event).await?;
    reader.until_text("\n\nretry: 8800\nretry: 8800\n").await
}

/// The comment follows the `retry` line, because some clients drop an event whose block starts with a comment.
pub async fn keep_alive_as_a_comment(app: &dyn App) -> Outcome {
    let server = Server::start(app, beating(|keep_alive| keep_alive.comment("still\nhere"))).await?;
    let mut answer = server.get("/script").await?;
    answer.until("two keep-alives", |answer| answer.text().matches(": here\n").count() >= 2).await?;
    let text = answer.text();
    let first = text.lines().next().unwrap_or_default();
    ensure!(is_retry(first), "begins with {first:?}");
    let expected = format!("{first}\n{first}\n: still\n: here\n{first}\n: still\n: here\n");
    ensure!(text.starts_with(&expected), "{text:?} instead of {expected:?}");
    Ok(())
}

/// Page code receives the keep-alive, with empty data and without an id.
pub async fn keep_alive_as_an_event(app: &dyn App) -> Outcome {
    let keep_alive = KeepAlive::every(INTERVAL).event("ping")?;
    let server = Server::start(app, beating(|_| keep_alive.clone())).await?;
    let mut answer = server.get("/script").await?;
    let told = answer.until_told(2).await?;
    let pings = told.iter().all(|told| told.event == "ping" && told.data.is_empty() && told.id.is_empty());
    ensure!(pings, "{told:?}");
    ensure!(answer.text().ends_with("event: ping\ndata: \n\n"), "{:?}", answer.text());
    Ok(())
}

/// Without keep-alives, nothing follows the first line.
pub async fn keep_alive_off_is_silent(app: &dyn App) -> Outcome {
    let server = Server::start(app, Settings { stays_open: true, ..Settings::quiet() }).await?;
    let mut answer = server.get("/script").await?;
    answer.until_text("\n").await?;
    answer.listen_for(INTERVAL * 4).await?;
    ensure!(answer.chunk_ends().len() == 1 && is_retry(answer.text().trim_end()), "{:?}", answer.text());
    Ok(())
}

/// No block starts with a comment, wherever the application puts one.
pub async fn a_comment_alone_follows_a_retry_line(app: &dyn App) -> Outcome {
    let comment = || Event::default().comment("by itself");
    let script = [comment(), Event::message("said"), comment(), comment(), Event::message("end")];
    let server = Server::start(app, Settings::scripted(script)).await?;
    let mut answer = server.get("/script").await?;
    answer.to_end().await?;
    let text = answer.text();
    let r = text.lines().next().unwrap_or_default();
    ensure!(is_retry(r), "begins with {r:?}");
    let c = ": by itself";
    ensure_eq!(text, format!("{r}\n{r}\n{c}\ndata: said\n\n{r}\n{c}\n{r}\n{c}\ndata: end\n\n"));
    Ok(())
}

/// The stream ends with a `retry`, because a subscription resumes.
pub async fn max_age_ends_a_subscription_cleanly(app: &dyn App) -> Outcome {
    let settings = Settings { max_age: Some(Duration::from_millis(300)), ..Settings::quiet() };
    let mut server = Server::start(app, settings).await?;
    let mut reader = server.stream(Request::get("/events?topic=a")).await?;
    server.publish("a", "before").await?;
    reader.to_end().await?;
    let text = reader.text();
    let last = text.lines().last().unwrap_or_default();
    ensure!(is_retry(last), "the last line is {last:?}");
    ensure!(reader.told().len() == 1, "{text:?}");
    let end = server.ended().await?.end;
    ensure!(matches!(end, EndReason::MaxAge), "the hook was told {end}");
    Ok(())
}

/// The stream ends before another byte is written.
pub async fn until_ends_a_stream_cleanly(app: &dyn App) -> Outcome {
    let until = Some(Duration::from_millis(200));
    let settings = Settings { until, stays_open: true, ..Settings::quiet() };
    let mut server = Server::start(app, settings).await?;
    for target in ["/script", "/events?topic=a"] {
        let mut answer = server.get(target).await?;
        answer.to_end().await?;
        ensure!(answer.text_after_first_checkpoint().lines().count() == 1, "{target}: {:?}", answer.text());
        let end = server.ended().await?.end;
        ensure!(matches!(end, EndReason::Until), "{target}: the hook was told {end}");
    }
    Ok(())
}

/// Each connection gets its own `retry`, so that many do not come back together.
pub async fn g15_retry_is_jittered_between_the_base_and_twice_as_much(app: &dyn App) -> Outcome {
    let settings = Settings { retry: Duration::from_secs(5), ..Settings::scripted([]) };
    let server = Server::start(app, settings).await?;
    let mut told = Vec::new();
    for _ in 0..8 {
        let mut answer = server.get("/script").await?;
        answer.to_end().await?;
        told.push(retry_of(answer.text().trim_end()).unwrap_or(0));
    }
    ensure!(told.iter().all(|retry| (5_000..=10_000).contains(retry)), "{told:?}");
    told.dedup();
    ensure!(told.len() > 1, "everyone is told the same: {told:?}");
    Ok(())
}

/// The hook counts the events and bytes that have arrived.
pub async fn the_hook_counts_events_and_bytes(app: &dyn App) -> Outcome {
    let script = [Event::message("one"), Event::message("two\nlines"), Event::message("three").id(3)];
    let mut server = Server::start(app, Settings::scripted(script)).await?;
    let mut answer = server.get("/script").await?;
    answer.to_end().await?;
    let ended = server.ended().await?;
    ensure!(matches!(ended.end, EndReason::Complete), "the hook was told {}", ended.end);
    ensure_eq!(ended.events, 3);
    ensure_eq!(ended.bytes, answer.body().len() as u64);
    Ok(())
}
