use sse_testkit::{Outcome, Request};

use crate::App;

/// A reader that reconnects, by header or by query, gets exactly the missed events.
///
/// # Errors
/// If a check fails.
pub async fn resumes_where_a_reader_left_off(program: &str) -> Outcome {
    let app = App::start(program, &[]).await?;
    let mut ids = Vec::new();
    for data in ["0", "1", "2"] {
        ids.push(app.publish("a", data).await?);
    }
    let by_header = Request::get("/events?topic=a").after(&ids[0]);
    let by_query = Request::get(format!("/events?topic=a&last_event_id={}", ids[0]));
    // A number of latest events is for new readers; it does not change a cursor.
    let with_start = Request::get("/events?topic=a&start=480").after(&ids[0]);
    for request in [by_header, by_query, with_start] {
        let mut reader = app.stream(request).await?;
        let told = reader.until_told(2).await?;
        assert_eq!(told.iter().map(|told| &told.id).collect::<Vec<_>>(), [&ids[1], &ids[2]]);
    }
    Ok(())
}

/// With a file as the history, a reader loses nothing in a crash, and no id is used again.
///
/// # Errors
/// If it does.
pub async fn g7_resumes_after_a_crash(program: &str) -> Outcome {
    let directory = tempfile::tempdir()?;
    let file = format!("file:{}", directory.path().join("events.redb").display());
    let app = App::start(program, &["--history", &file]).await?;
    let first = app.publish("a", "0").await?;
    let second = app.publish("a", "1").await?;
    app.kill().await?;
    let app = App::start(program, &["--history", &file]).await?;
    let third = app.publish("a", "2").await?;
    let mut reader = app.stream(Request::get("/events?topic=a").after(first)).await?;
    let told = reader.until_told(2).await?;
    assert_eq!(told.iter().map(|told| &told.id).collect::<Vec<_>>(), [&second, &third]);
    Ok(())
}

/// A browser that reconnects automatically repeats its first query, and its header is newer.
///
/// # Errors
/// If the query wins.
pub async fn a_header_is_newer_than_the_query(program: &str) -> Outcome {
    let app = App::start(program, &[]).await?;
    let first = app.publish("a", "0").await?;
    let second = app.publish("a", "1").await?;
    let third = app.publish("a", "2").await?;
    let request = Request::get(format!("/events?topic=a&last_event_id={first}")).after(second);
    let mut reader = app.stream(request).await?;
    assert_eq!(reader.until_told(1).await?[0].id, third);
    Ok(())
}

/// A reader without a cursor starts where it requests, and live if the value is unknown.
///
/// # Errors
/// If a check fails.
pub async fn starts_where_it_is_told(program: &str) -> Outcome {
    let app = App::start(program, &[]).await?;
    for data in ["0", "1", "2"] {
        app.publish("a", data).await?;
    }
    let begun = [
        ("", "3"),
        ("&start=live", "3"),
        ("&start=earliest", "0"),
        ("&start=2", "1"),
        ("&start=480", "0"),
        ("&start=-1", "3"),
        ("&start=%F0%28", "3"),
    ];
    let mut readers = Vec::new();
    for (start, first) in begun {
        readers.push((start, first, app.stream(Request::get(format!("/events?topic=a{start}"))).await?));
    }
    app.publish("a", "3").await?;
    for (start, first, mut reader) in readers {
        reader.until_text("data: 3\n").await?;
        assert_eq!(reader.told()[0].data, first, "{start}");
    }
    Ok(())
}

/// Whatever a client sends as its cursor, it gets a stream.
///
/// # Errors
/// If a check fails.
pub async fn g8_any_cursor_is_answered(program: &str) -> Outcome {
    let app = App::start(program, &[]).await?;
    app.publish("a", "x").await?;
    for cursor in ["from-elsewhere", "7", "0000000000000000-1", "a b", "é😀"] {
        let mut reader = app.stream(Request::get("/events?topic=a").after(cursor)).await?;
        assert_eq!(reader.until_told(1).await?[0].event, "sse.gap", "{cursor}");
    }
    Ok(())
}

/// Every stream sends keep-alives at the interval of the command line.
///
/// # Errors
/// If one is silent.
pub async fn g10_keep_alive_applies_to_every_stream(program: &str) -> Outcome {
    let app = App::start(program, &["--keep-alive", "0.2"]).await?;
    let mut events = app.stream(Request::get("/events?topic=silence")).await?;
    let mut ticks = app.stream(Request::get("/ticks")).await?;
    for stream in [&mut events, &mut ticks] {
        stream.until("3 lines of `retry`", |stream| stream.text().matches("retry: ").count() >= 3).await?;
        assert!(stream.told().len() <= 1, "an event came before the keep-alive");
    }
    Ok(())
}

/// A stream ends at its age, and its reader resumes.
///
/// # Errors
/// If a check fails.
pub async fn ends_a_stream_at_its_age(program: &str) -> Outcome {
    let app = App::start(program, &["--max-age", "0.5"]).await?;
    let mut reader = app.stream(Request::get("/events?topic=a")).await?;
    let id = app.publish("a", "0").await?;
    reader.to_end().await?;
    app.publish("a", "1").await?;
    let mut again = app.stream(Request::get("/events?topic=a").after(id)).await?;
    assert_eq!(again.until_told(1).await?[0].data, "1");
    Ok(())
}
